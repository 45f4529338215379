"""The stationary variance: proved, refuted once a constant changes, and what SciPy and our own steps find."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.momentum import stationary_variance as steps
from lemmascope.theory.optimizers import MomentumAverage, MomentumVelocity
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)


@pytest.mark.parametrize("step", steps.CHAPTER.steps, ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (steps.prove_stable, {"edge": "2.000001"}),
        (steps.prove_stable, {"edge": "1.999999"}),
        (steps.prove_stable, {"low": "0.000001"}),
        (steps.prove_unique, {"edge": "2.000001"}),
        (steps.prove_variance, {"plus": 1 + TINY}),
        (steps.prove_variance, {"two": 2 + TINY}),
        (steps.prove_variance, {"covariance": -TINY}),
        (steps.prove_temperature, {"half": 2 + TINY}),
        (steps.prove_temperature, {"batch": 0}),
        (steps.prove_average, {"damping": 2}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def variance(gamma, eta, h, q):
    return eta * q * (1 + gamma) / (h * (1 - gamma) * (2 * (1 + gamma) - eta * h))


def test_a_witness_recomputed():
    """The left side of a refuted variance is what SciPy's Lyapunov solver finds there."""
    found = steps.prove_variance(plus=2).witness
    at = found["at"]
    A = np.array([[1 - at["eta"] * at["h"], -at["gamma"]], [at["eta"] * at["h"], at["gamma"]]])
    b = at["eta"] * np.array([[-1.0], [1.0]])
    S = solve_discrete_lyapunov(A, at["q"] * b @ b.T)
    assert_close(found["left"], S[0, 0], scale=1.0)
    assert abs(found["right"] - S[0, 0]) > 0.1
    unstable = steps.prove_stable(edge=3).witness["at"]
    k, gamma = unstable["eta_h"], unstable["gamma"]
    assert max(abs(np.roots([1, -(1 + gamma - k), gamma]))) >= 1 - 1e-9


@given(st.floats(0, 0.99), st.floats(0.01, 0.95), st.floats(0.1, 10), st.floats(0.1, 10))
def test_scipys_lyapunov_solver_finds_the_same(gamma, part, h, q):
    eta = part * 2 * (1 + gamma) / h
    A = np.array([[1 - eta * h, -gamma], [eta * h, gamma]])
    b = eta * np.array([[-1.0], [1.0]])
    S = solve_discrete_lyapunov(A, q * b @ b.T)
    D = (1 - gamma) * (2 * (1 + gamma) - eta * h)
    scale = np.abs(S).max() / ((1 - gamma) * (1 - part))  # the condition of the equation
    assert_close(S[0, 0], variance(gamma, eta, h, q), scale=scale)
    assert_close(S[1, 1], 2 * eta**2 * q / D, scale=scale)
    assert_close(S[0, 1], -(eta**2) * q / D, scale=scale)


@given(st.floats(0, 0.95), st.floats(-0.5, 3.0))
def test_stability_in_numbers(gamma, part):
    k = part * 2 * (1 + gamma) / 2
    radius = max(abs(np.linalg.eigvals(np.array([[1 - k, -gamma], [k, gamma]]))))
    if abs(k) > 1e-6 and abs(k - 2 * (1 + gamma)) > 1e-6:
        assert (radius < 1) == (0 < k < 2 * (1 + gamma))


@pytest.mark.parametrize(("form", "gamma"), [(MomentumVelocity, 0.5), (MomentumAverage, 0.8), (MomentumAverage, 0.0)])
def test_the_response_to_noise_has_that_variance(form, gamma):
    """By our own steps: the noises of all times add up independently, each with the response to one, shifted."""
    eta, h, q = 0.3, 1.5, 2.0
    optimizer = form(eta, gamma)
    responses, total = [], 0.0
    x, state = np.zeros(1), optimizer.init(np.zeros(1))
    for t in range(3000):  # to a unit noise at t = 0
        x, state = optimizer.step(x, h * x + (1.0 if t == 0 else 0.0), state, t)
        responses.append(x[0])
    total = q * float(np.sum(np.square(responses)))
    rate = eta if form is MomentumVelocity else (1 - gamma) * eta
    assert_close(total, variance(gamma, rate, h, q), scale=100 * q)
