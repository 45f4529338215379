"""The momentum identities: exact references, bounds that hold and are not wide, planted bugs named rightly."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from lemmascope.proofs_check.conformance import (
    CONVENTIONS,
    IDENTITIES,
    Case,
    Mark,
    Subject,
    conventions_of,
    run,
    search,
    seek,
)
from lemmascope.proofs_check.conformance.assertion import assert_momentum_identities, names_of
from lemmascope.proofs_check.conformance.case import DTYPES, cases, large
from lemmascope.proofs_check.conformance.identities import OF_CONVENTION, STRUCTURE
from lemmascope.proofs_check.conformance.known import subjects
from lemmascope.proofs_check.conformance.reference import reference
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov

OWN = {s.convention: s for s in [*subjects("own"), *subjects("functions")[:1]]}


@pytest.mark.parametrize("name", CONVENTIONS)
@given(data=st.data())
def test_the_recursion_is_its_unrolled_sum(name, data):
    """Two encodings of a convention, without rounding: step by step, and by the kernel in closed form."""
    convention = CONVENTIONS[name]
    case = data.draw(cases("float64", momentum=name != "gd"))
    known = reference(convention, case)
    assume(known is not None)
    rows, _ = known
    eta, gamma = Fraction(case.eta[0]), Fraction(case.gamma)
    for t, row in enumerate(rows):
        for j, found in enumerate(row):
            pulls = [convention.kernel(eta, gamma, t - s, s) * Fraction(case.gradients[s][j]) for s in range(t)]
            assert found == Fraction(case.theta[j]) - sum(pulls, Fraction(0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN)
@given(data=st.data())
def test_rounding_stays_within_the_bound(name, dtype, data):
    """With learning rates that change, on numbers of any size."""
    subject, convention = OWN[name], CONVENTIONS[name]
    case = data.draw(cases(dtype, momentum=name != "gd", schedule=True))
    if (known := reference(convention, case)) is not None:
        found = subject.trajectory(case)
        for row, wanted, room in zip(found, *known, strict=True):
            for x, y, e in zip(row, wanted, room, strict=True):
                assert abs(Fraction(float(x)) - y) <= e


@pytest.mark.parametrize(("dtype", "error"), [("float32", 2e-5), ("float64", 4e-14)])
@pytest.mark.parametrize("what", ["eta", "gamma"])
def test_no_bound_is_too_wide(what, dtype, error):
    """A learning rate or a momentum that is off by some 200 roundings is found."""

    def make(eta, gamma):
        return MomentumAverage(eta * (1 + error), gamma) if what == "eta" else MomentumAverage(eta, gamma * (1 - error))

    found = seek(IDENTITIES["unrolled[average]"], Subject(make), dtypes=(dtype,))
    assert found.mark is Mark.FAILS
    assert found.case.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cases_reach_the_ends_of_the_number_type(dtype):
    info = np.finfo(dtype)
    how = settings(phases=[Phase.generate], max_examples=2000, database=None)

    def entries(case):
        return [abs(x) for x in (*case.theta, *(x for row in case.gradients for x in row))]

    assert find(cases(dtype), lambda case: any(0 < x < info.tiny for x in entries(case)), settings=how)
    assert find(cases(dtype), lambda case: any(x > math.sqrt(info.max) for x in entries(case)), settings=how)
    assert find(cases(dtype), lambda case: case.gamma > 0.999, settings=how)
    assert find(cases(dtype, schedule=True), lambda case: len(set(case.eta)) == 3, settings=how)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_every_number_of_a_case_is_one_of_its_dtype(dtype, data):
    case = data.draw(cases(dtype, schedule=True))
    for x in (case.gamma, *case.eta, *case.theta, *(x for row in case.gradients for x in row)):
        assert float(np.dtype(dtype).type(x)) == x


def test_an_overflow_is_left_out_and_not_called_a_failure():
    """Numbers near the largest would overflow in some conventions: such cases are not judged."""
    top = float(np.finfo("float64").max)
    case = Case(theta=(0.0,), gradients=((top / 2,),) * 3, eta=(1.0,) * 3, gamma=0.5)
    assert reference(CONVENTIONS["velocity"], case) is None
    assert IDENTITIES["unrolled[velocity]"].check(OWN["velocity"], case) is None
    assert reference(CONVENTIONS["velocity"], case.scaled(1e-3)) is not None


@pytest.mark.parametrize("name", OWN)
def test_each_of_our_optimizers_has_one_convention(name):
    """Its own identities hold in both dtypes, and every other convention is refuted."""
    assert conventions_of(OWN[name]) == (name,)
    marks = {n: seek(IDENTITIES[n], OWN[name], examples=40).mark for n in names_of(name)}
    assert {n for n, mark in marks.items() if mark is Mark.FAILS} == set()
    assert sum(mark is Mark.HOLDS for mark in marks.values()) >= 8


def test_the_known_differences_come_out():
    """Inside or outside of the velocity, with bias correction or without: found by search, as small as can be."""
    inside = seek(IDENTITIES["schedule[outside]"], OWN["velocity"])
    assert inside.mark is Mark.FAILS
    assert not inside.case.constant  # the learning rate must change, …
    assert len(inside.case.gradients) >= 2  # … and something be in the velocity when it does
    assert seek(IDENTITIES["schedule[inside]"], OWN["velocity"]).mark is Mark.HOLDS
    bias = seek(IDENTITIES["constant_gradient[corrected]"], OWN["average"])
    assert bias.mark is Mark.FAILS
    assert len(bias.case.gradients) == 1
    assert seek(IDENTITIES["constant_gradient[corrected]"], OWN["corrected"]).mark is Mark.HOLDS
    assert seek(IDENTITIES["constant_gradient[average]"], OWN["corrected"]).mark is Mark.FAILS
    decay = subjects("functions")[1]
    assert seek(IDENTITIES["weight_decay[decoupled]"], decay).mark is Mark.HOLDS
    assert seek(IDENTITIES["weight_decay[coupled]"], decay).mark is Mark.FAILS


@pytest.mark.parametrize("identity", ["schedule[inside]", "unrolled[average]"])
@pytest.mark.parametrize("name", ["velocity", "average", "nesterov"])
def test_cases_that_are_kept_are_those_that_a_search_would_draw(monkeypatch, name, identity):
    """The same finding, with the same case and count, whether cases are drawn for this optimizer or before."""
    kept = seek(IDENTITIES[identity], OWN[name], examples=10)
    assert kept.mark in (Mark.HOLDS, Mark.FAILS)
    monkeypatch.setattr(search, "KEPT", 0)
    assert seek(IDENTITIES[identity], OWN[name], examples=10) == kept


class Average(MomentumAverage):
    """To plant errors in."""

    def rate(self, t):
        return self.eta(t) if callable(self.eta) else self.eta


class LostFactor(Average):
    def step(self, params, grad, state, t):
        state = self.gamma * state + grad
        return params - self.rate(t) * state, state


class WrongSign(Average):
    def step(self, params, grad, state, t):
        state = self.gamma * state + (1 - self.gamma) * grad
        return params + self.rate(t) * state, state


class OneStepLate(Average):
    """The buffer is used before the gradient enters it: γ^{t−s−1} for γ^{t−s}."""

    def step(self, params, grad, state, t):
        return params - self.rate(t) * state, self.gamma * state + (1 - self.gamma) * grad


class OneStepEarly(Average):
    """Decayed once too often: γ^{t−s+1}."""

    def step(self, params, grad, state, t):
        state = self.gamma * (state + (1 - self.gamma) * grad)
        return params - self.rate(t) * state, state


class Forgetful(Average):
    """Its buffer is lost after two steps."""

    def step(self, params, grad, state, t):
        return super().step(params, grad, 0 * state if t == 2 else state, t)


class RateOfBefore(Average):
    """The learning rate of the step before."""

    def step(self, params, grad, state, t):
        state = self.gamma * state + (1 - self.gamma) * grad
        return params - self.rate(max(t - 1, 0)) * state, state


class Clipped(Average):
    """By the norm of all parameters together."""

    def step(self, params, grad, state, t):
        norm = max(float(np.max(np.abs(grad))), 1.0)
        return super().step(params, grad / np.asarray(norm, dtype=grad.dtype), state, t)


class Coupled(Average):
    """The mean gradient is taken off: coordinates know of each other, linearly."""

    def step(self, params, grad, state, t):
        return super().step(params, grad - grad.mean(), state, t)


class FirstOnly(Average):
    """Coordinates are not treated alike."""

    def step(self, params, grad, state, t):
        grad = grad.copy()
        grad[1:] = 2 * grad[1:]
        return super().step(params, grad, state, t)


class Random(Average):
    count = 0

    def step(self, params, grad, state, t):
        Random.count += 1
        return super().step(params + np.asarray(Random.count, dtype=params.dtype), grad, state, t)


class InPlace(Average):
    def step(self, params, grad, state, t):
        new, state = super().step(params, grad, state, t)
        params[...] = new
        return params, state


class Keeping(Average):
    """The first gradient's own array becomes the buffer."""

    def init(self, params):
        return None

    def step(self, params, grad, state, t):
        if state is None:
            return params - self.rate(t) * (1 - self.gamma) * grad, grad
        state = self.gamma * ((1 - self.gamma) * state if t == 1 else state) + (1 - self.gamma) * grad
        return params - self.rate(t) * state, state


class Magnitude(Average):
    """Homogeneous, and additive over time, but not linear."""

    def step(self, params, grad, state, t):
        return super().step(params, np.abs(grad), state, t)


class Normalized(Average):
    """By its size, with an epsilon, as Adam does."""

    def step(self, params, grad, state, t):
        return super().step(params, grad / (np.abs(grad) + np.asarray(1e-8, dtype=grad.dtype)), state, t)


class Raising(Average):
    def step(self, params, grad, state, t):
        if t == 2:
            raise RuntimeError("no third step")
        return super().step(params, grad, state, t)


PLANTED = [
    (LostFactor, "average", "first_step[average]", "pytorch"),
    (WrongSign, "average", "first_step[average]", None),
    (OneStepLate, "average", "first_step[average]", None),
    (OneStepEarly, "average", "first_step[average]", None),
    (Forgetful, "average", "constant_gradient[average]", None),
    (RateOfBefore, "average", "schedule[average]", None),
    (Clipped, "average", "independent", None),
    (Coupled, "average", "independent", None),
    (FirstOnly, "average", "independent", None),
    (Random, "average", "reproducible", None),
    (InPlace, "average", "inputs_untouched", None),
    (Keeping, "average", "inputs_untouched", None),
    (Normalized, "average", "scale", None),
    (Magnitude, "average", "linear", None),
    (Raising, "average", "reproducible", None),
    (MomentumVelocity, "pytorch", "schedule[outside]", "velocity"),
    (Nesterov, "velocity", "first_step[full]", "nesterov"),
]


@pytest.mark.parametrize(("make", "convention", "identity", "instead"), PLANTED)
def test_a_planted_bug_is_named(make, convention, identity, instead):
    with pytest.raises(AssertionError) as caught:
        assert_momentum_identities(make, convention=convention, examples=25)
    message = str(caught.value)
    how = "could not be tried on" if make is Raising else "fails for"
    assert message.startswith(f"momentum identity {identity} {how} {make.__name__}")
    if instead is not None:
        assert f"It satisfies '{instead}'" in message
    elif identity not in STRUCTURE:
        assert "It satisfies none of the conventions" in message


@pytest.mark.parametrize("make", [LostFactor, OneStepEarly, RateOfBefore])
def test_the_reproduction_reproduces(make, capsys):
    """The five lines run as they are printed, and print the numbers of the message."""
    with pytest.raises(AssertionError) as caught:
        assert_momentum_identities(make, convention="average", examples=25)
    text = str(caught.value)
    lines = [line.strip() for line in text.split("Reproduce:\n")[1].splitlines()]
    assert len(lines) == 5
    where: dict = {}
    exec("\n".join(lines), where)
    assert capsys.readouterr().out.startswith("[[")
    said = next(line for line in text.splitlines() if " should be " in line)
    index, wrong = said.split(" should be ")[0].split("_")[1], float(said.rsplit(" is ", 1)[1])
    found = float(where["found"][int(index.split("[")[0])][0])
    assert f"{found:.9g}" == f"{wrong:.9g}"


def test_three_lines_suffice_and_tell_what_was_tried():
    def make(lr, momentum):
        return MomentumVelocity(lr, momentum)

    found = assert_momentum_identities(make, convention="velocity", examples=20)
    assert [f.identity for f in found] == [*STRUCTURE, *OF_CONVENTION["velocity"]]
    assert all(f.mark is Mark.HOLDS and f.examples >= 20 for f in found)


def test_what_an_optimizer_lacks_is_said():
    found = {f.identity: f for f in assert_momentum_identities(GD, convention="gd", examples=10)}
    assert found["no_momentum"].mark is Mark.HOLDS
    lacking = seek(IDENTITIES["dampening[average]"], OWN["average"])
    assert (lacking.mark, lacking.reason) == (Mark.NOT_APPLICABLE, "takes no dampening")
    assert seek(IDENTITIES["unrolled[average]"], OWN["gd"]).reason == "takes no gamma"


def test_an_optimizer_that_refuses_no_momentum():
    """As PyTorch's with nesterov=True does: what needs γ = 0 does not apply."""

    def make(eta, gamma):
        if gamma == 0:
            raise ValueError("a momentum, please")
        return Nesterov(eta, gamma)

    found = {f.identity: f for f in assert_momentum_identities(make, convention="nesterov", examples=10)}
    assert found["no_momentum"].mark is Mark.NOT_APPLICABLE
    assert found["no_momentum"].reason == "refuses γ = 0: a momentum, please"
    assert found["look_ahead"].mark is Mark.HOLDS


def test_a_schedule_that_is_not_taken_is_untried_with_the_reason():
    """η as a function of t is how a schedule reaches this kind of optimizer."""

    def make(eta, gamma):
        def update(params, grad, state, t):
            velocity = float(eta) * grad + (0 if state is None else gamma * state)
            return params - velocity, velocity

        return update

    found = seek(IDENTITIES["schedule[inside]"], Subject(make))
    assert found.mark is Mark.UNTRIED
    assert "it raises TypeError" in found.reason


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: assert_momentum_identities(MomentumAverage, convention="heavy"), "'average': u ← γu"),
        (lambda: assert_momentum_identities(MomentumAverage, convention="gd"), "takes a momentum"),
        (lambda: assert_momentum_identities(GD, convention="average"), "takes no gamma or momentum"),
        (lambda: assert_momentum_identities(lambda rate, gamma: None, convention="average"), "it asks for rate"),
        (lambda: assert_momentum_identities(lambda gamma=0.9: None, convention="average"), "no learning rate"),
        (lambda: assert_momentum_identities(lambda eta, gamma: 3, convention="average"), "a function update"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", library="keras"), "one of numpy, torch"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", weight_decay="both"), "coupled, decoupled"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", weight_decay="coupled"), "no weight_decay"),
        (lambda: subjects("keras"), "own, functions, torch"),
    ],
)
def test_wrong_use_is_refused_with_what_is_right(call, says):
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        call()


def test_run_gives_the_iterates():
    found = run(MomentumVelocity, theta=[0, 1], gradients=[[1, 2], [0, 0], [0, 0]], eta=[1, 0.5, 0.25], gamma=0.5)
    assert found.tolist() == [[0, 1], [-1, -1], [-1.5, -2], [-1.75, -2.5]]
    assert run(GD, theta=[1], gradients=[[1]], eta=0.5, dtype="float32").dtype == np.float32


@given(cases("float64", size=(2, 3), steps=(2, 3)))
def test_parts_of_a_case(case):
    n = len(case.theta)
    assert case.only(range(n)) == case
    assert case.only([n - 1]).theta == case.theta[-1:]
    assert case.plus(case.scaled(-1.0)).gradients == ((0.0,) * n,) * len(case.gradients)
    assert replace(case, eta=(1.0,) * len(case.eta)).constant
    assert f"γ = {case.gamma:g}" in case.text()


@pytest.mark.parametrize("name", IDENTITIES)
def test_every_identity_can_fail(name):
    """For each there is an optimizer, ours or one with a planted error, that it finds wrong."""
    wrong = {
        "reproducible": Random,
        "inputs_untouched": InPlace,
        "independent": Clipped,
        "permutation": FirstOnly,
        "scale": Normalized,
        "linear": Normalized,
    }

    def dampened(eta, gamma, dampening=0.0, weight_decay=0.0):
        return OneStepEarly(eta, gamma)

    make = wrong.get(name, dampened if name.startswith(("dampening", "weight_decay")) else OneStepEarly)
    found = seek(IDENTITIES[name], Subject(make), examples=40)
    assert found.mark is Mark.FAILS
    assert found.reason


# --- long, wide, and what cannot be tried ---------------------------------------------------------------------------


class Restarting(MomentumVelocity):
    """Its velocity is lost every so many steps."""

    every = 6

    def step(self, params, grad, state, t):
        return super().step(params, grad, 0 * state if t and t % self.every == 0 else state, t)


class Crowded(MomentumVelocity):
    """It takes twice the gradient where there are many parameters."""

    most = 3

    def step(self, params, grad, state, t):
        return super().step(params, grad if len(params) <= self.most else 2 * grad, state, t)


@pytest.mark.parametrize("every", [6, 10, 100, 1000])
@pytest.mark.parametrize("identity", ["unrolled[velocity]", "schedule[inside]"])
def test_an_optimizer_that_restarts_is_found(identity, every):
    """As short as it shows: one step after the restart."""
    found = seek(IDENTITIES[identity], Subject(type("Mine", (Restarting,), {"every": every})), examples=5)
    assert found.mark is Mark.FAILS
    assert len(found.case.gradients) == every + 1
    assert len(found.case.theta) == 1
    assert "should be" in found.reason
    assert len(found.case.text()) < 200


@pytest.mark.parametrize("most", [3, 64, 500])
@pytest.mark.parametrize("identity", ["independent", "unrolled[velocity]", "first_step[full]", "no_momentum"])
def test_an_optimizer_that_acts_differently_on_many_parameters_is_found(identity, most):
    found = seek(IDENTITIES[identity], Subject(type("Mine", (Crowded,), {"most": most})), examples=5)
    assert found.mark is Mark.FAILS
    assert len(found.case.theta) == most + 1


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OWN)
def test_rounding_of_long_runs_stays_within_the_bound(name, dtype, schedule):
    for steps, size in ((24, 5), (1200, 2)):
        case = large(dtype, steps, size, momentum=name != "gd", schedule=schedule)
        wanted, room = reference(CONVENTIONS[name], case)
        assert (np.abs(OWN[name].trajectory(case) - wanted) <= room).all()


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_reference_of_a_long_run_is_the_exact_one_up_to_its_rounding(name):
    case = large("float64", 24, 5, momentum=name != "gd", schedule=True)
    quick, room = reference(CONVENTIONS[name], case)
    for j in (0, 4):
        wanted, _ = reference(CONVENTIONS[name], case.first(18).only([j]))  # small enough to be exact
        assert wanted.dtype == object
        for x, y, e in zip(quick[:19, j], wanted[:, 0], room[:19, j], strict=True):
            assert abs(Fraction(float(x)) - y) <= e


def returning(what):
    """An optimizer whose step does that."""

    def make(eta, gamma):
        return lambda params, grad, state, t: what(params)

    return make


def failing(error):
    def step(params):
        raise error

    return step


UNTRIED = {
    "raises": (failing(RuntimeError("no such step")), "it raises RuntimeError: no such step"),
    "asserts": (failing(AssertionError("not today")), "it raises AssertionError: not today"),
    "leaves": (failing(SystemExit(0)), "it raises SystemExit: 0"),
    "nan": (lambda params: (np.nan * params, None), "is nan"),
    "infinite": (lambda params: (np.inf + params, None), "is inf"),
    "none": (lambda params: None, "its step returns None"),
    "none inside": (lambda params: (None, None), "is None, and no array of real numbers"),
    "text": (lambda params: ("params", None), "no array of real numbers"),
    "complex": (lambda params: (1j * params, None), "no array of real numbers"),
    "longer": (lambda params: (np.append(params, 0.0), None), "has the shape"),
    "deeper": (lambda params: (params[:, None], None), "has the shape"),
    "a number": (lambda params: (0.0, None), "has the shape ()"),
}


@pytest.mark.parametrize("what", UNTRIED)
def test_what_cannot_be_tried_never_holds_and_never_fails(what):
    step, says = UNTRIED[what]
    subject = Subject(returning(step))
    some = [identity for identity in IDENTITIES.values() if not identity.missing(subject)]
    findings = [seek(identity, subject, examples=3) for identity in some]
    assert {f.mark for f in findings} == {Mark.UNTRIED}
    assert all(says in f.reason and f.case is not None for f in findings)
    assert conventions_of(subject, examples=3) == ()
    with pytest.raises(AssertionError, match="could not be tried on"):
        assert_momentum_identities(returning(step), convention="velocity", examples=3)


def test_a_failure_that_is_seen_stands_beside_what_could_not_be_tried():
    class Both(LostFactor):
        def step(self, params, grad, state, t):
            if t == 1:
                raise RuntimeError("no second step")
            return super().step(params, grad, state, t)

    assert seek(IDENTITIES["first_step[average]"], Subject(Both)).mark is Mark.FAILS
    assert seek(IDENTITIES["unrolled[average]"], Subject(Both)).mark is Mark.FAILS
    assert seek(IDENTITIES["reproducible"], Subject(Both)).mark is Mark.UNTRIED
