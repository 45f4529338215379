"""Running averages and conventions: proved, refuted once changed, and true of our own steps in exact arithmetic."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from lemmascope.proofs_check.methods.kernels import gamma, solves
from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.momentum import conventions, running_average
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)
STEPS = [*running_average.CHAPTER.steps, *conventions.CHAPTER.steps]
fractions = st.fractions(-5, 5, max_denominator=64)
momenta = st.fractions(Fraction(1, 64), Fraction(63, 64), max_denominator=64)
sequences = st.lists(fractions, min_size=1, max_size=7)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_each_step_is_settled_as_expected(step):
    found = settle(step)
    assert found.status is step.expected, found.reason
    assert found.as_expected
    assert (found.witness is None) == (step.expected is Status.PROVED)


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (running_average.unrolled, {"shift": -1}),
        (running_average.unrolled, {"factor": 2}),
        (running_average.unrolled, {"sign": 1 + TINY}),
        (running_average.weights, {"shift": TINY}),
        (running_average.effect, {"velocity": 2}),
        (running_average.effect, {"left": -1}),
        (running_average.ages, {"mean": 1 + TINY}),
        (running_average.squares, {"window": 1 - TINY}),
        (running_average.mass, {"low": 1 + TINY}),
        (running_average.mass, {"high": sp.Rational(3, 4) - TINY}),
        (running_average.variation, {"bound": 1 - TINY}),
        (running_average.variation, {"attained": 1 - TINY}),
        (running_average.variation, {"infinite": False}),
        (running_average.bias, {"power": -1}),
        (running_average.correction, {"power": TINY}),
        (conventions.iterates, {"shift": -1}),
        (conventions.iterates, {"lost": -1}),
        (conventions.rescaled, {"power": 1 + TINY}),
        (conventions.dampening, {"extra": 0}),
        (conventions.dampening, {"power": -1}),
        (conventions.nesterov, {"look": 1 + TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_a_kernel_must_solve_its_recursion():
    assert solves(lambda t, s: gamma ** (t - 1 - s), lambda t: 1).status is Status.PROVED
    assert solves(lambda t, s: gamma ** (t - s), lambda t: gamma).status is Status.PROVED
    assert solves(lambda t, s: gamma ** (2 * (t - 1 - s)), lambda t: 1).status is Status.REFUTED
    assert solves(lambda t, s: sp.Integer(1), lambda t: 1).status is Status.REFUTED


def test_witnesses_recomputed():
    """The two statements that are false: iterated here once more."""
    at = conventions.same_under_schedule().witness
    where = {name: Fraction(value) for name, value in at["at"].items()}
    v = where["eta_0"] * where["g_0"]
    inside = -v - (where["gamma"] * v + where["eta_1"] * where["g_1"])
    outside = -v - where["eta_1"] * (where["gamma"] * where["g_0"] + where["g_1"])
    assert (at["inside"], at["outside"]) == (inside, outside)
    assert inside != outside
    at = conventions.dampening_is_average().witness
    g_0, g_1 = Fraction(at["at"]["g_0"]), Fraction(at["at"]["g_1"])
    g = Fraction(1, 2)
    assert at["dampening"] == -g_0 - (g * g_0 + (1 - g) * g_1)
    assert at["average"] == -(1 - g) * g_0 - (g * (1 - g) * g_0 + (1 - g) * g_1)


@given(momenta, st.lists(st.tuples(fractions, fractions), min_size=1, max_size=7))
def test_unrolled_sums_by_iteration(g, given_rates):
    """Average, velocity under a schedule, PyTorch's damped buffer: sums as stated, in exact arithmetic."""
    rates, pulls = zip(*given_rates, strict=True)
    average = velocity = Fraction(0)
    damped = None
    tau = g / 2
    for t, (rate, pull) in enumerate(zip(rates, pulls, strict=True), start=1):
        average = g * average + (1 - g) * pull
        velocity = g * velocity + rate * pull
        damped = pull if damped is None else g * damped + (1 - tau) * pull
        powers = [g ** (t - 1 - s) for s in range(t)]
        assert average == (1 - g) * sum(p * x for p, x in zip(powers, pulls[:t], strict=True))
        assert velocity == sum(p * r * x for p, r, x in zip(powers, rates[:t], pulls[:t], strict=True))
        plain = sum(p * x for p, x in zip(powers, pulls[:t], strict=True))
        assert damped == (1 - tau) * plain + tau * g ** (t - 1) * pulls[0]


@given(momenta, fractions, sequences)
def test_iterates_and_rescaling_by_iteration(g, eta, pulls):
    average = velocity = nesterov = Fraction(0)
    u = v = n = Fraction(0)
    for t, pull in enumerate(pulls, start=1):
        u = g * u + (1 - g) * pull
        v = g * v + eta * pull
        n = g * n + eta * pull
        average -= eta / (1 - g) * u
        velocity -= v
        nesterov -= g * n + eta * pull
        assert velocity == average == -sum(eta * (1 - g ** (t - s)) / (1 - g) * pulls[s] for s in range(t))
        assert nesterov == -sum(eta * (1 - g ** (t - s + 1)) / (1 - g) * pulls[s] for s in range(t))
        assert v == eta / (1 - g) * u


@given(st.integers(2, 40), st.integers(1, 30))
def test_weights_ages_and_windows(N, t):
    """Partial sums in fractions, and what is beyond them bounded by the geometric tail."""
    g = 1 - Fraction(1, N)
    weights = [(1 - g) * g**i for i in range(t)]
    assert sum(weights) == 1 - g**t
    assert sum(i * w for i, w in enumerate(weights)) == g * (1 - g**t) / (1 - g) - t * g**t
    assert sum(w**2 for w in weights) == (1 - g ** (2 * t)) / (2 * N - 1)
    window = [(1 - g) * g**i for i in range(N)]
    assert sum(abs(Fraction(1, N) - w) for w in window) == g**N
    assert max(window) <= Fraction(1, N)
    assert Fraction(632, 1000) < sum(window) <= Fraction(3, 4)


@given(momenta, fractions, st.integers(1, 8))
def test_bias_of_a_constant_sequence(g, c, t):
    average = Fraction(0)
    for _ in range(t):
        average = g * average + (1 - g) * c
    assert average == (1 - g**t) * c
    assert average / (1 - g**t) == c


@given(momenta, st.lists(st.fractions(0, 2, max_denominator=16), min_size=1, max_size=5), fractions, fractions)
def test_nesterovs_forms_by_iteration(g, rates, start, curvature):
    """On a quadratic: the gradient of each form is taken at its own point."""

    def slope(at):
        return curvature * (at - 1)

    x = y = theta = tilde = start
    v = u = Fraction(0)
    for eta in rates:
        new = y - eta * slope(y)
        y, x = new + g * (new - x), new
        v = g * v - eta * slope(theta + g * v)
        theta += v
        pull = eta * slope(tilde)
        u = g * u + pull
        tilde -= g * u + pull
        assert (x, y, v) == (theta, tilde, -u)
        assert y == theta + g * v
