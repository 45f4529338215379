"""The search: planted errors are named rightly and shown small, nothing crashes it, and it ends."""

from collections.abc import Mapping

import numpy as np
import pytest

from lemmascope.proofs_check.conformance import CONVENTIONS, IDENTITIES, Mark, Subject, conventions_of, run, seek
from lemmascope.proofs_check.conformance.assertion import assert_momentum_identities, names_of
from lemmascope.proofs_check.conformance.case import FEATURES
from lemmascope.proofs_check.conformance.identities import OF_CONVENTION, STRUCTURE
from lemmascope.proofs_check.conformance.search import judge
from lemmascope.proofs_check.conformance.trial import Budget, Trial
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov


def corrected(eta, gamma):
    def update(params, grad, state, t):
        average = (1 - gamma) * grad + (0 if state is None else gamma * state)
        return params - (eta(t) if callable(eta) else eta) * average / (1 - gamma ** (t + 1)), average

    return update


OWN = {
    "gd": Subject(GD, "GD"),
    "average": Subject(MomentumAverage, "MomentumAverage"),
    "velocity": Subject(MomentumVelocity, "MomentumVelocity"),
    "nesterov": Subject(Nesterov, "Nesterov"),
    "corrected": Subject(corrected, "corrected"),
}


@pytest.mark.parametrize("name", OWN)
def test_each_of_our_optimizers_has_one_convention(name):
    """Its own identities hold in both dtypes, and every other convention is refuted."""
    assert conventions_of(OWN[name], examples=40) == (name,)
    marks = {n: f.mark for n, f in judge(OWN[name], names_of(name), examples=40).items()}
    assert {n for n, mark in marks.items() if mark in (Mark.FAILS, Mark.UNTRIED)} == set()
    assert sum(mark is Mark.HOLDS for mark in marks.values()) >= 8


def test_the_known_differences_come_out():
    """Inside or outside of the velocity, with bias correction or without: found by search, as small as can be."""
    inside = seek(IDENTITIES["schedule[outside]"], OWN["velocity"])
    assert inside.mark is Mark.FAILS
    assert not inside.case.constant  # the learning rate must change, …
    assert len(inside.case.gradients) == 2  # … and something be in the velocity when it does
    assert seek(IDENTITIES["schedule[inside]"], OWN["velocity"]).mark is Mark.HOLDS
    bias = seek(IDENTITIES["constant_gradient[corrected]"], OWN["average"])
    assert bias.mark is Mark.FAILS
    assert len(bias.case.gradients) == 1
    assert seek(IDENTITIES["constant_gradient[corrected]"], OWN["corrected"]).mark is Mark.HOLDS
    assert seek(IDENTITIES["constant_gradient[average]"], OWN["corrected"]).mark is Mark.FAILS


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
        grad.ravel()[1:] = 2 * grad.ravel()[1:]
        return super().step(params, grad, state, t)


class Random(Average):
    count = 0

    def step(self, params, grad, state, t):
        Random.count += 1
        return super().step(params + np.asarray(Random.count % 7, dtype=params.dtype), grad, state, t)


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


class Hidden(Average):
    """Every second step is longer, by a count that is not in its state."""

    count = 0

    def step(self, params, grad, state, t):
        self.count += 1
        return super().step(params, grad if self.count % 2 else 2 * grad, state, t)


class SignOfMatrices(Average):
    def step(self, params, grad, state, t):
        return super().step(params, np.sign(grad) if grad.ndim > 1 else grad, state, t)


class RatioOfRates(Average):
    """Its buffer is rescaled by η_t/η_{t−1}: from η = 0 there is none."""

    def init(self, params):
        return np.zeros_like(params), 0.0

    def step(self, params, grad, state, t):
        u, last = state
        rate = self.rate(t)
        u = self.gamma * (rate / last if t else 1.0) * u + rate * (1 - self.gamma) * grad
        return params - u, (u, rate)


class NormOfGradient(Average):
    """Multiplied with 1 as a ratio: 0/0 where the gradient is 0."""

    def step(self, params, grad, state, t):
        most = np.abs(grad).max()
        return super().step(params, grad * (most / most), state, t)


class Raising(Average):
    def step(self, params, grad, state, t):
        if t == 2:
            raise RuntimeError("no third step")
        return super().step(params, grad, state, t)


PLANTED = [
    (LostFactor, "average", "first_step[average]", "'pytorch'"),
    (WrongSign, "average", "first_step[average]", "'average' with the sign turned: θ moves along +∇"),
    (OneStepLate, "average", "first_step[average]", None),
    (OneStepEarly, "average", "first_step[average]", "'average' at ηγ"),
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
    (Hidden, "average", "resumes", None),
    (SignOfMatrices, "average", "permutation", None),
    (RatioOfRates, "average", "schedule[average]", None),
    (NormOfGradient, "average", "reproducible", None),
    (Raising, "average", "reproducible", None),
    (MomentumVelocity, "pytorch", "schedule[outside]", "'velocity'"),
    (Nesterov, "velocity", "first_step[full]", "'nesterov'"),
]


@pytest.mark.parametrize(
    ("make", "convention", "identity", "instead"), PLANTED, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_planted_bug_is_named(make, convention, identity, instead):
    with pytest.raises(AssertionError) as caught:
        assert_momentum_identities(make, convention=convention, examples=25)
    message = str(caught.value)
    how = "could not be tried on" if make in (Raising, RatioOfRates, NormOfGradient) else "fails for"
    assert message.startswith(f"momentum identity {identity} {how} {make.__name__}")
    if instead is not None:
        assert f"It satisfies {instead}" in message
    elif identity not in STRUCTURE and make is not RatioOfRates:
        assert "It satisfies none of the conventions" in message


@pytest.mark.parametrize("make", [LostFactor, OneStepEarly, RateOfBefore, SignOfMatrices])
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
    if make is not SignOfMatrices:  # there the message is about another run
        said = next(line for line in text.splitlines() if " should be " in line)
        index, wrong = said.split(" should be ")[0].split("_")[1], float(said.rsplit(" is ", 1)[1])
        found = float(where["found"][int(index.split("[")[0])][0])
        assert f"{found:.9g}" == f"{wrong:.9g}"


def test_three_lines_suffice_and_tell_what_was_tried():
    def make(lr, momentum):
        return MomentumVelocity(lr, momentum)

    found = {f.identity: f for f in assert_momentum_identities(make, convention="velocity", examples=20)}
    assert list(found) == [*STRUCTURE, *OF_CONVENTION["velocity"]]
    lacking = {"missing_gradient", "maximize"}
    assert {name for name, f in found.items() if f.mark is Mark.NOT_APPLICABLE} == lacking
    assert all(f.mark is Mark.HOLDS and f.examples >= 20 for name, f in found.items() if name not in lacking)
    assert set(found["reproducible"].over) == FEATURES.keys() - {"weight_decay", "missing_gradient"}
    assert "zero_rate" in found["schedule[inside]"].over


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


def test_one_that_refuses_everything_does_not_refuse_no_momentum():
    def make(eta, gamma):
        raise ValueError("only matrices are supported")

    found = seek(IDENTITIES["no_momentum"], Subject(make))
    assert found.mark is Mark.UNTRIED
    assert found.reason == "it could not be driven: it raises ValueError: only matrices are supported"


def test_a_schedule_that_is_not_taken_is_untried_with_the_reason_and_nothing_else_is():
    """η as a function of t is how a schedule reaches this kind of optimizer."""

    def make(eta, gamma):
        def update(params, grad, state, t):
            velocity = float(eta) * grad + (0 if state is None else gamma * state)
            return params - velocity, velocity

        return update

    found = judge(Subject(make), names_of("velocity"), examples=10)
    untried = {name for name, f in found.items() if f.mark is Mark.UNTRIED}
    assert untried == {"schedule[inside]", "no_momentum[schedule]"}
    assert {f.mark for name, f in found.items() if name not in untried} == {Mark.HOLDS, Mark.NOT_APPLICABLE}
    assert "it raises TypeError" in found["schedule[inside]"].reason
    assert "only such schedules are affected" in found["schedule[inside]"].reason


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: assert_momentum_identities(MomentumAverage, convention="heavy"), "'average': u ← γu"),
        (lambda: assert_momentum_identities(MomentumAverage, convention="gd"), "takes a momentum"),
        (lambda: assert_momentum_identities(GD, convention="average"), "takes no gamma or momentum: no momentum among"),
        (lambda: assert_momentum_identities(lambda rate, gamma: None, convention="average"), "it asks for rate"),
        (lambda: assert_momentum_identities(lambda gamma=0.9: None, convention="average"), "no learning rate"),
        (lambda: assert_momentum_identities(lambda eta, gamma: 3, convention="average"), "a function update"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", library="theano"), "numpy"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", weight_decay="both"), "coupled, decoupled"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", weight_decay="coupled"), "no weight_decay"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", dtypes="float8"), "float16, bfloat16"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", examples=0), "examples"),
        (lambda: assert_momentum_identities(MomentumAverage, "average", budget=0), "budget"),
    ],
)
def test_wrong_use_is_refused_with_what_is_right(call, says):
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        call()


def test_run_gives_the_iterates():
    found = run(MomentumVelocity, theta=[0, 1], gradients=[[1, 2], [0, 0], [0, 0]], eta=[1, 0.5, 0.25], gamma=0.5)
    assert found.tolist() == [[0, 1], [-1, -1], [-1.5, -2], [-1.75, -2.5]]
    assert run(GD, theta=[1], gradients=[[1]], eta=0.5, dtype="float32").dtype == np.float32


@pytest.mark.parametrize("name", [n for n in IDENTITIES if n not in ("missing_gradient", "maximize")])
def test_every_identity_can_fail(name):
    """For each there is an optimizer, ours or one with a planted error, that it finds wrong."""
    wrong = {
        "reproducible": Random,
        "inputs_untouched": InPlace,
        "independent": Clipped,
        "permutation": FirstOnly,
        "scale": Normalized,
        "linear": Normalized,
        "resumes": Hidden,
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

    most = 4

    def step(self, params, grad, state, t):
        return super().step(params, grad if params.size <= self.most else 2 * grad, state, t)


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


@pytest.mark.parametrize("most", [4, 64, 500])
@pytest.mark.parametrize("identity", ["independent", "unrolled[velocity]", "first_step[full]", "no_momentum"])
def test_an_optimizer_that_acts_differently_on_many_parameters_is_found(identity, most):
    found = seek(IDENTITIES[identity], Subject(type("Mine", (Crowded,), {"most": most})), examples=5)
    assert found.mark is Mark.FAILS
    assert len(found.case.theta) == most + 1


def returning(what):
    """An optimizer whose step does that."""

    def make(eta, gamma):
        return lambda params, grad, state, t: what(params)

    return make


def failing(error):
    def step(params):
        raise error

    return step


UNTRIED: Mapping = {
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
    assert {f.mark for f in findings} <= {Mark.UNTRIED, Mark.NOT_APPLICABLE}
    assert sum(f.mark is Mark.UNTRIED for f in findings) >= len(findings) - len(CONVENTIONS)
    assert all(says in f.reason for f in findings if f.mark is Mark.UNTRIED)
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


# --- randomness, time ------------------------------------------------------------------------------------------------


def dropping(share):
    """Leaves out steps at random, from a generator that goes on from run to run."""
    generator = np.random.default_rng(0)

    def make(eta, gamma):
        def update(params, grad, state, t):
            u = grad + (0 if state is None else gamma * state)
            return (params if generator.random() < share else params - (eta(t) if callable(eta) else eta) * u), u

        return update

    return make


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_randomness_is_said_with_two_results_and_nothing_else_is_judged(share):
    found = judge(Subject(dropping(share)), names_of("pytorch"))
    first = found.pop("reproducible")
    assert first.mark is Mark.FAILS
    assert first.reason.startswith("two runs from the same inputs differ: θ_")
    assert " and " in first.reason
    assert {f.mark for f in found.values()} == {Mark.UNTRIED}
    assert all(f.reason.startswith("not judged, as it is not reproducible") for f in found.values())
    with pytest.raises(AssertionError, match="reproducible fails") as caught:
        assert_momentum_identities(dropping(share), "pytorch")
    assert "It satisfies" not in str(caught.value)
    assert "convention" not in str(caught.value)


def test_a_failure_that_does_not_come_again_is_none():
    """Asked for one identity alone."""
    found = seek(IDENTITIES["schedule[outside]"], Subject(dropping(0.3)))
    assert found.mark is Mark.UNTRIED
    assert "two runs from the same inputs differ" in found.reason


class Ticks:
    """A clock that is a second on at every look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.mark.parametrize("seconds", [1, 10, 400])
def test_when_the_time_is_spent_the_search_ends_and_says_so(seconds):
    clock = Ticks()
    trial = Trial(OWN["velocity"], Budget(seconds, clock))
    found = judge(trial, names_of("velocity"), examples=20)
    marks = [f.mark for f in found.values() if f.mark is not Mark.NOT_APPLICABLE]
    assert Mark.UNTRIED in marks
    assert marks == sorted(marks, key=lambda mark: mark is Mark.UNTRIED)  # what was tried before holds
    assert (marks[0] is Mark.HOLDS) == (seconds > 100)
    last = [f for f in found.values() if f.mark is Mark.UNTRIED][-1]
    assert last.reason == f"not tried to its end within the budget of {seconds} s"
    assert clock.now < seconds + 100
    with pytest.raises(AssertionError, match=f"within the budget of {seconds} s"):
        assert_momentum_identities(MomentumVelocity, "velocity", budget=Budget(seconds, Ticks()))


def test_what_failed_before_the_time_was_spent_fails():
    found = seek(IDENTITIES["first_step[average]"], Trial(OWN["velocity"], Budget(3, Ticks())))
    assert found.mark is Mark.FAILS
    assert found.case is not None


def test_runs_are_shared_between_identities():
    """A case that several are tried in is run once."""
    runs = []

    class Counted(Subject):
        def trajectory(self, case, *args, **kwargs):
            runs.append(case)
            return super().trajectory(case, *args, **kwargs)

    names = ["schedule[inside]", "schedule[outside]", "schedule[average]"]
    judge(Counted(MomentumVelocity), names, examples=20, dtypes=("float64",))
    drawn = IDENTITIES[names[0]].drawn(Trial(OWN["velocity"]), "float64", 20)
    assert all(runs.count(case) == 1 for case in drawn)
