"""The exact references and the bound on rounding: two encodings agree, roundings stay within, and little more does."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lemmascope.proofs_check.conformance import CONVENTIONS, IDENTITIES, Case, Mark, Subject, draws, seek
from lemmascope.proofs_check.conformance.case import FEATURES
from lemmascope.proofs_check.conformance.compare import Unjudged
from lemmascope.proofs_check.conformance.draws import large
from lemmascope.proofs_check.conformance.formats import DTYPES
from lemmascope.proofs_check.conformance.reference import reference
from lemmascope.proofs_check.conformance.trial import Trial
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov

OWN = {
    "gd": Subject(GD, "GD"),
    "average": Subject(MomentumAverage, "average"),
    "velocity": Subject(MomentumVelocity, "velocity"),
    "nesterov": Subject(Nesterov, "Nesterov"),
}
KERNELS = [name for name, convention in CONVENTIONS.items() if convention.kernel is not None]
EVERYTHING = frozenset(FEATURES)
SEEDS = st.integers(0, 2**32)


def drawn(seed, dtype="float64", **options):
    return next(draws.cases(Random(seed), dtype, **options))


def exactly_within(found, known):
    for row, wanted, room in zip(found, *known, strict=True):
        for x, y, e in zip(row, wanted, room, strict=True):
            assert abs(Fraction(float(x)) - y) <= e


@pytest.mark.parametrize("name", KERNELS)
@given(seed=SEEDS)
def test_the_recursion_is_its_unrolled_sum(name, seed):
    """Two encodings of a convention, without rounding: step by step, and by the kernel in closed form."""
    convention = CONVENTIONS[name]
    case = drawn(seed, momentum=name != "gd")
    known = reference(convention, case)
    assume(known is not None)
    eta, gamma = Fraction(case.eta[0]), Fraction(case.gamma)
    for t, row in enumerate(known[0]):
        for j, found in enumerate(row):
            pulls = [convention.kernel(eta, gamma, t - s, s) * Fraction(case.gradients[s][j]) for s in range(t)]
            assert found == Fraction(case.theta[j]) - sum(pulls, Fraction(0))


def test_every_convention_has_a_kernel():
    assert list(CONVENTIONS) == KERNELS


@pytest.mark.parametrize("name", CONVENTIONS)
@given(seed=SEEDS)
def test_a_missing_gradient_leaves_a_step_out(name, seed):
    """Of its array alone, as PyTorch does: by hand, with a buffer and a count of steps for each array."""
    case = drawn(seed, momentum=name != "gd", always={"missing_gradient", "schedule"}, over={"arrays", "matrices"})
    known = reference(CONVENTIONS[name], case)
    assume(known is not None)
    theta = [Fraction(x) for x in case.theta]
    u, count = [Fraction(0)] * len(theta), [0] * len(theta)
    for t in range(len(case.gradients)):
        for array, span in enumerate(case.spans):
            for j in range(span.start, span.stop):
                if (t, array) in case.missing:
                    continue
                here = replace(case, eta=tuple(case.eta[t] for _ in case.eta), missing=frozenset())
                kappa, p, q = CONVENTIONS[name].recursion(here, count[j])
                g = Fraction(case.gradients[t][j])
                u[j] = Fraction(case.gamma) * u[j] + kappa * g
                theta[j] -= p * u[j] + q * g
                count[j] += 1
        assert list(known[0][t + 1]) == theta


@given(seed=SEEDS)
def test_a_momentum_that_changes_and_ascent(seed):
    """u ← γ_t u + ∇, θ ← θ + η_t u, by hand."""
    case = replace(drawn(seed, always={"momentum_schedule", "schedule"}, steps=(2, 5)), maximize=True)
    known = reference(CONVENTIONS["pytorch"], case)
    assume(known is not None)
    theta, u = [Fraction(x) for x in case.theta], [Fraction(0)] * len(case.theta)
    for t, row in enumerate(case.gradients):
        u = [Fraction(case.gammas[t]) * a - Fraction(g) for a, g in zip(u, row, strict=True)]
        theta = [x - Fraction(case.eta[t]) * a for x, a in zip(theta, u, strict=True)]
        assert list(known[0][t + 1]) == theta


@pytest.mark.parametrize("dtype", ["float16", *DTYPES])
@pytest.mark.parametrize("name", OWN)
@given(seed=SEEDS)
def test_rounding_stays_within_the_bound(name, dtype, seed):
    """With learning rates that change, on numbers of any size, laid into arrays or not."""
    over = {"zero_rate", "zero_gradient", "arrays", "matrices"}
    case = drawn(seed, dtype, momentum=name != "gd", always={"schedule"}, over=over, steps=(2, 6))
    assume(any(case.eta))
    if (known := reference(CONVENTIONS[name], case)) is not None:
        exactly_within(OWN[name].trajectory(case), known)


@pytest.mark.parametrize(("dtype", "error"), [("float16", 0.2), ("float32", 2e-5), ("float64", 4e-14)])
@pytest.mark.parametrize("what", ["eta", "gamma"])
def test_no_bound_is_too_wide(what, dtype, error):
    """A learning rate or a momentum that is off by some 200 roundings is found; by 400 in float16."""

    def make(eta, gamma):
        return MomentumAverage(eta * (1 + error), gamma) if what == "eta" else MomentumAverage(eta, gamma * (1 - error))

    found = seek(IDENTITIES["unrolled[average]"], Subject(make), dtypes=(dtype,))
    assert found.mark is Mark.FAILS
    assert found.case.dtype == dtype


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_held_to_a_bound_of_its_own(dtype):
    """Within it is what that type makes of a buffer, and not one whose learning rate is lost."""
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    for name, convention in (("average", "average"), ("velocity", "velocity")):
        found = seek(IDENTITIES[f"unrolled[{convention}]"], OWN[name], dtypes=(dtype,))
        assert (found.mark, found.reason) == (Mark.HOLDS, "")
    assert seek(IDENTITIES["unrolled[average]"], OWN["velocity"], dtypes=(dtype,)).mark is Mark.FAILS


def test_where_nothing_can_be_said_of_rounding_nothing_is():
    """γ close to 1 in half precision: a bias correction loses all."""
    case = Case((1.0,), ((1.0,),) * 6, (1.0,) * 6, 1 - 2.0**-11, "float16")
    assert reference(CONVENTIONS["corrected"], case) is None
    assert reference(CONVENTIONS["average"], case) is not None


def test_an_overflow_is_left_out_and_not_called_a_failure():
    """Numbers near the largest would overflow in some conventions: such cases are not judged."""
    top = float(np.finfo("float64").max)
    case = Case(theta=(0.0,), gradients=((top / 2,),) * 3, eta=(1.0,) * 3, gamma=0.5)
    assert reference(CONVENTIONS["velocity"], case) is None
    with pytest.raises(Unjudged):
        IDENTITIES["unrolled[velocity]"].check(Trial(OWN["velocity"]), case)
    assert reference(CONVENTIONS["velocity"], case.scaled(1e-3)) is not None


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN)
def test_rounding_of_long_runs_stays_within_the_bound(name, dtype, schedule):
    for steps, size in ((24, 5), (1200, 2)):
        has = frozenset({"schedule", "zero_rate", "zero_gradient"}) if schedule else frozenset()
        case = large(dtype, steps, size, momentum=name != "gd", has=has)
        wanted, room = reference(CONVENTIONS[name], case)
        assert (np.abs(OWN[name].trajectory(case) - wanted) <= room).all()


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_reference_of_a_long_run_is_the_exact_one_up_to_its_rounding(name):
    has = EVERYTHING - {"arrays", "matrices", "missing_gradient"}
    case = large("float64", 24, 5, momentum=name != "gd", has=has)
    assert case.features == has - ({"momentum_schedule"} if name == "gd" else set())
    quick, room = reference(CONVENTIONS[name], case)
    for j in (0, 4):
        wanted, _ = reference(CONVENTIONS[name], case.first(18).only([j]))  # small enough to be exact
        assert wanted.dtype == object
        for x, y, e in zip(quick[:19, j], wanted[:, 0], room[:19, j], strict=True):
            assert abs(Fraction(float(x)) - y) <= e
