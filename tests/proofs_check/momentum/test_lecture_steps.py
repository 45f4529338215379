"""The lecture's equations: proved, refuted once changed, and true of sequences iterated in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.momentum import lecture
from lemmascope.theory.temperature import quadratic
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)
fractions = st.fractions(-5, 5, max_denominator=64)
reaches = st.integers(2, 12)
sequences = st.lists(fractions, min_size=1, max_size=7)


@pytest.mark.parametrize("step", lecture.CHAPTER.steps, ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (lecture.friction, {"drag": 1 - TINY}),
        (lecture.friction, {"coast": 1 + TINY}),
        (lecture.window, {"start": 1 + TINY}),
        (lecture.window, {"bound": 1 - TINY}),
        (lecture.window, {"attained": 1 + TINY}),
        (lecture.convention, {"shift": -TINY}),
        (lecture.velocity, {"power": 1 + TINY}),
        (lecture.velocity, {"changing": True}),
        (lecture.summed, {"power": TINY}),
        (lecture.summed, {"shift": -1}),
        (lecture.total_effect, {"power": 2}),
        (lecture.total_effect, {"batch": 2}),
        (lecture.total_effect, {"feedback": True}),
        (lecture.squares, {"plus": 1 + TINY}),
        (lecture.squares, {"two": 2 - TINY}),
        (lecture.rule, {"batch": 1 - TINY}),
        (lecture.rule, {"reach": 1 + TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


@given(reaches, st.integers(0, 20), st.data())
def test_running_average_and_window_by_iteration(N, more, data):
    """Never further apart than stated, and as far at the values that are said to attain it."""
    t = N + more
    bound = 2 * (1 - Fraction(1, N)) ** N - (1 - Fraction(1, N)) ** t
    drawn = data.draw(st.lists(st.fractions(-1, 1, max_denominator=16), min_size=t, max_size=t))

    def apart(x):
        average = Fraction(0)
        for value in x:
            average = (1 - Fraction(1, N)) * average + Fraction(1, N) * value
        return abs(average - sum(x[-N:]) / N)

    assert apart(drawn) <= bound
    assert apart([Fraction(1)] * more + [Fraction(-1)] * N) == bound


@given(reaches, fractions, sequences)
def test_the_velocity_by_iteration(N, eta, pulls):
    """Velocity, average of Nηĝ, Nη times the average of ĝ, and the iterates, from the lecture's recursions."""
    mu = 1 - Fraction(1, N)
    v = scaled = average = phi = other = Fraction(0)
    for pull in pulls:
        before, v = v, mu * v + eta * pull
        scaled = (1 - Fraction(1, N)) * scaled + Fraction(1, N) * (N * eta * pull)
        average = mu * average + (1 - mu) * pull
        phi, other = phi - v, other - N * eta * average
        assert v == scaled == N * eta * average
        assert phi == other
        assert v - before == eta * pull - (1 - mu) * before


@given(reaches, st.lists(st.tuples(fractions, st.fractions(Fraction(1, 9), 2)), min_size=2, max_size=6))
def test_under_a_schedule_the_velocity_averages_the_scaled_gradients_only(N, steps):
    """It stays the average of Nη_tĝ_t; Nη_t times that of ĝ it is only as long as the rate does not change."""
    mu, v, scaled, average = 1 - Fraction(1, N), Fraction(0), Fraction(0), Fraction(0)
    for pull, eta in steps:
        v = mu * v + eta * pull
        scaled += (N * eta * pull - scaled) / N
        average += (pull - average) / N
        assert v == scaled
    first, last = steps[0], steps[-1]
    two = mu * first[1] * first[0] + last[1] * last[0]
    by_average = N * last[1] * (mu * first[0] / N + last[0] / N)
    assert (two == by_average) == (first[0] == 0 or first[1] == last[1])


@given(reaches, st.integers(1, 6), fractions, st.integers(1, 9), st.integers(0, 8))
def test_one_samples_gradient_by_iteration(N, B, g, rate, steps):
    """With one gradient in the batch and none before or after: what it does to ĝ, Σ g̃ and Φ, and what is to come."""
    mu, eta = 1 - Fraction(1, N), Fraction(rate, 10)
    batch = Fraction(g) / B
    average = total = phi = Fraction(0)
    for s in range(steps + 1):
        average = mu * average + (1 - mu) * (batch if s == 0 else 0)
        total, phi = total + average, phi - N * eta * average
    come = mu ** (steps + 1)
    assert total == (1 - come) * batch
    assert phi == -(1 - come) * Fraction(N, B) * eta * g
    by_rule = Fraction(B, N) * eta
    assert by_rule == (1 - mu) * B * eta
    assert Fraction(N, B) * by_rule == eta


@given(reaches, fractions, st.integers(1, 8))
def test_without_gradients_the_parameters_coast(N, start, steps):
    mu, v, phi = 1 - Fraction(1, N), Fraction(start), Fraction(0)
    for _ in range(steps):
        v *= mu
        phi -= v
    assert phi == -(N - 1) * (1 - mu**steps) * start


@given(st.floats(0.1, 1), st.floats(0.5, 0.9))
def test_where_later_gradients_answer_nothing_of_it_is_left(h, mu):
    """The lecture's total effect is that of H = 0; on a quadratic Φ goes back, and its way there sets C."""
    eta, B, S = 0.5, 4, 1.7
    v = eta / B
    r = -v
    squares = r * r
    for _ in range(2000):  # the radius is at most 0.95
        v = mu * v + eta * h * r
        r -= v
        squares += r * r
    assert_close(r, 0, "identity", scale=eta / (1 - mu))
    stationary = quadratic.covariance(np.array([h]), np.array([[S]]), eta, mu, B)[0, 0]
    assert_close(B * S * squares, stationary, "trajectory")
