"""The tensor power lemma: proved, its constants best possible, and held against recursions that are iterated."""

import math
from fractions import Fraction

import flint
import mpmath
import pytest
from checks import tensor_power_time
from hypothesis import given
from hypothesis import strategies as st
from strategies import tensor_powers
from tolerances import tolerance

from lemmascope.proofs_check.methods.passing import BITS, passings
from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.cubic_cnn import tensor_power
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.verdict import Status

STEPS = {step.id.split(".")[1]: step for step in tensor_power.CHAPTER.steps}
TINY = Fraction(1, 10**6)
ROUNDING = tolerance("identity")


@pytest.mark.parametrize("step", tensor_power.CHAPTER.steps, ids=lambda step: step.id)
def test_a_step_is_proved_and_its_planted_errors_are_refuted(step):
    found = settle(step)
    assert (found.status, found.as_expected) == (Status.PROVED, True)
    assert found.control["status"] == "REFUTED"


def passing_time(witness):
    """τ of a witness once more, in exact fractions where it is short and 120 digits where it is not."""
    z, v = Fraction(witness["z_0"]), Fraction(witness["v"])
    steps = [Fraction(A) for A in witness["A_t"]]
    assert all(Fraction(witness["a"]) <= A <= Fraction(witness["A"]) for A in steps)
    if witness.get("tau", 99) <= 8:
        return tensor_power_time(z, v, steps)
    with mpmath.workdps(120):
        z, v = mpmath.mpf(z.numerator) / z.denominator, mpmath.mpf(v.numerator) / v.denominator
        return tensor_power_time(z, v, [mpmath.mpf(A.numerator) / A.denominator for A in steps])


def lower(w, factor):
    return (1 / Fraction(w["z_0"]) - 1 / Fraction(w["v"])) * factor / Fraction(w["A"])


def upper(w, rate, log):
    z, v = Fraction(w["z_0"]), Fraction(w["v"])
    gap = (1 / z - 1 / v) * Fraction(rate) / Fraction(w["a"])
    with mpmath.workdps(60):
        growth = mpmath.mpf((v / z).numerator) / (v / z).denominator
        factor = mpmath.mpf(Fraction(log).numerator) / Fraction(log).denominator
        return int(mpmath.ceil(mpmath.mpf(gap.numerator) / gap.denominator + factor * mpmath.log(growth)))


def doubling(w, first, second):
    z, v, a, A = (Fraction(w[name]) for name in ("z_0", "v", "a", "A"))
    n = next(n for n in range(1000) if v <= 2**n * z)
    return first / (a * z) + second * A / a * n


@pytest.mark.parametrize("factor", [1 + TINY, 1 + Fraction(1, 10**9), Fraction(11, 10), 2, 50])
def test_a_lower_bound_that_is_too_late(factor):
    found = STEPS["lower"].prove(factor=factor)
    assert found.status is Status.REFUTED
    assert passing_time(found.witness) == found.witness["tau"] < lower(found.witness, Fraction(factor))
    assert found.witness["tau"] >= lower(found.witness, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"rate": Fraction(1, 2)},
        {"rate": 0},
        {"rate": Fraction(99, 100)},
        {"rate": 1 - TINY},
        {"log": 0},
        {"log": Fraction(1, 2)},
        {"log": 1 - TINY},
        {"rate": Fraction(9, 10), "log": 2},
    ],
    ids=str,
)
def test_an_upper_bound_that_is_too_early(change):
    found = STEPS["upper"].prove(**change)
    assert found.status is Status.REFUTED
    constants = {"rate": 1, "log": 1, **change}
    assert passing_time(found.witness) == found.witness["tau"] > upper(found.witness, **constants)
    assert found.witness["tau"] <= upper(found.witness, 1, 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Fraction(1, 2), 8),
        (3, Fraction(1, 10)),
        (1 - TINY, 1),
        (1, 1 - TINY),
        (0, 1),
        (1, 0),
        (Fraction(99, 100), 8),
        (3, Fraction(99, 100)),
    ],
)
@pytest.mark.parametrize("name", ["published", "least_constants"])
def test_a_doubling_form_that_is_too_early(name, first, second):
    found = STEPS[name].prove(first=first, second=second)
    assert found.status is Status.REFUTED
    w = found.witness
    bound = doubling(w, first, second)
    if "tau" in w:
        assert passing_time(w) == w["tau"] > bound
    else:  # too long to iterate: the lower bound tells
        assert w["A_t"] == [w["A"]] == [w["a"]]
        assert w["tau_at_least"] == math.ceil(lower(w, 1)) > bound
    assert w.get("tau", 0) <= doubling(w, 1, 1)


def test_constants_between_the_least_and_the_published():
    """The published ones are not needed, and what lies between is proved, as far as the upper bound alone shows it."""
    assert STEPS["published"].prove(first=1, second=Fraction(17, 10)).status is Status.PROVED
    assert STEPS["published"].prove(first=1, second=Fraction(16, 10)).status is Status.INCONCLUSIVE
    for first, second in ((3, 8), (1 + TINY, 1), (1, 1 + TINY)):
        assert STEPS["least_constants"].prove(first=first, second=second).status is Status.PROVED
        found = STEPS["least_constants"].prove(least_first=first, least_second=second)
        constants = {"first": "1", "second": "1", "least_first": str(first), "least_second": str(second)}
        assert (found.status, found.witness) == (Status.REFUTED, constants)
    assert STEPS["upper"].prove(rate=1, log=2).status is Status.PROVED
    assert STEPS["lower"].prove(factor=Fraction(1, 2)).status is Status.PROVED


@pytest.mark.parametrize("share", [2, Fraction(3, 2), 10])
def test_a_start_that_is_too_large_for_sharpness(share):
    w = STEPS["sharp"].prove(share=share).witness
    z, v, rho, k = (Fraction(w[name]) for name in ("z_0", "v", "rho", "k"))
    assert v == 2 * z
    assert z < share * (1 - rho) / (2 * k)
    claimed = rho * (1 / z - 1 / v) + k
    assert tensor_power_time(float(z), float(v), [1.0]) <= claimed
    assert STEPS["sharp"].prove(share=Fraction(1, 2)).status is Status.PROVED


@given(tensor_powers())
def test_the_bounds_in_numbers(drawn):
    """Random A_t; the upper bound is the one that `theory` predicts with."""
    z, v, a, A, steps = drawn
    time = tensor_power_time(z, v, steps)
    low, high = predictions.tensor_power_bounds(z, v, a, A)
    assert low <= time * (1 + ROUNDING)
    assert time <= high
    n = max(math.ceil(math.log2(v / z) * (1 - ROUNDING)), int(v > z))
    assert time <= (1 / (a * z) + A / a * n) * (1 + ROUNDING)
    assert time <= 3 / (a * z) + 8 * A / a * n


@given(st.floats(0.005, 20), st.integers(0, 60))
def test_the_least_doubling_form_where_it_is_tightest(s, t):
    """t ≤ 1/s_0 + ⌊log₂(s_t/s_0)⌋ in exact fractions, which shows a last-digit failure too."""
    start = z = Fraction(s).limit_denominator(10**6)
    for _ in range(min(t, 8)):
        z += z * z
    floor = next(n for n in range(2000) if z < 2 ** (n + 1) * start)
    assert min(t, 8) <= 1 / start + floor


@given(st.floats(0.0, 0.95), st.floats(0.0, 3.0), st.floats(0.0, 20.0), st.floats(0.2, 0.999))
def test_sharpness_in_numbers(rho, kappa, k, part):
    z = part * min((1 - rho) / (2 * (kappa * math.log(2) + k) + 1e-3), 1.0)
    assert tensor_power_time(z, 2 * z, [1.0]) > (rho / (2 * z) + kappa * math.log(2) + k) * (1 - ROUNDING)


@pytest.mark.parametrize("early", [True, False])
def test_the_grid_of_recursions_is_what_it_says(early):
    """Passing times of the grid once more in exact fractions, where that is short."""
    with flint.ctx.workprec(BITS):
        some = list(passings(early))[::17]
    seen = 0
    for passing in some:
        if passing.late or passing.tau > 8:
            continue
        assert tensor_power_time(passing.z_0, passing.v, list(passing.steps)) == passing.tau
        seen += 1
    assert seen > 5
