"""Local SGD's formulas against exact moments: rounds written out as linear recursions, limits, other libraries."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.moments import Linear
from lemmascope.theory.noise import local_sgd as L

workers, lengths, pulls = st.integers(2, 6), st.integers(1, 9), st.floats(0.01, 1.9)


def round_of(K, H, eta, h, s):
    """One round of the K workers' linear recursion across the valley, and the moments within it, from an average."""
    step = Linear(np.eye(K) * (1 - eta * h), np.eye(K) * (eta * s) ** 2)
    ones = np.ones((K, K)) / K
    return step, Linear(ones, np.zeros((K, K))), step.repeated(H).then(Linear(ones, np.zeros((K, K))))


@given(workers, lengths, pulls)
def test_the_variances_over_a_round_are_those_of_the_linear_recursion(K, H, eta_h):
    h, s = 1.7, 0.6
    eta = eta_h / h
    step, _, whole = round_of(K, H, eta, h, s)
    S = eta * s**2 / (h * (2 - eta * h))
    C = np.full((K, K), S / K)
    assert_close(whole.covariance(C), C, "trajectory")  # S/K is left as it is
    assert_close(h * h * C[0, 0], L.at_average(eta, s, K, h))
    seen = []
    for _ in range(H):
        seen.append(C[0, 0])
        C = step.covariance(C)
    assert_close(np.mean(seen), S * L.spread(K, H, eta * h), "trajectory")
    assert_close(h * h * C[0, 0], L.before_average(eta, s, K, H, h), "trajectory")
    # What the average gives back is the variance between workers.
    between = np.trace(C - C.mean()) / K
    rate = (eta * s) ** 2 + eta**2 * h * h * np.mean(seen) - between / H
    assert_close(rate, L.rate(eta, s, K, H, h), "trajectory", scale=(eta * s) ** 2 * 2 / (2 - eta * h))


@given(workers, lengths, st.floats(0.01, 1.0))
def test_the_ratio_is_that_of_the_rates_and_lies_between_1_and_K(K, H, eta_h):
    R = L.drift_ratio(K, H, eta_h)
    assert_close(R, L.rate(eta_h, 0.3, K, H, 1.0) / L.rate(eta_h, 0.3, K, 1, 1.0), scale=K)
    assert 1 - 1e-12 <= R < K
    assert (K - 1) * (H - 1) * eta_h + 1e-12 >= R - 1
    assert L.drift_ratio(K, H + 1, eta_h) >= R


def test_the_limits():
    assert_close(L.drift_ratio(8, 1, 0.3), 1.0)
    assert abs(L.drift_ratio(8, 10**6, 0.3) - 8) < 1e-4
    for H in (10**3, 10**5):
        limit = float(L.ratio_limit(8, np.asarray(0.4)))
        assert abs(L.drift_ratio(8, H, 0.4 / H) - limit) < 4 / H
    assert abs((L.drift_ratio(8, 5, 1e-5) - 1) / (7 * 4 * 1e-5) - 1) < 1e-4
    assert L.edge(2.0) == 1.0
    assert_close(L.sharpness(3.0) ** 2, 13.0)


def test_the_window_peaks_where_the_gap_does():
    x = np.linspace(0, 2, 200_001)
    for R in (1.5, 6.44, 32.0):
        assert abs(x[np.argmax(np.exp(-x) - np.exp(-R * x))] - float(L.window_peak(np.asarray(R)))) < 2e-5


def test_the_straight_valley_is_the_gradient_of_its_loss():
    valley, h = L.Straight(0.5, 0.2, 1.3, 0.7), 1e-6

    def loss(w):
        return (valley.h_0 + valley.kappa * w[0] ** 2 / 2) * w[1] ** 2 / 2

    w = np.array([0.4, -0.3])
    slope = [(loss(w + h * e) - loss(w - h * e)) / (2 * h) for e in np.eye(2)]
    assert_close(valley.gradient(w, np.zeros(2)), np.array(slope), "finite difference")
    moved = valley.gradient(w, np.array([1.0, -2.0])) - valley.gradient(w, np.zeros(2))
    assert_close(moved, np.array([valley.tau, -2 * valley.s]))
    assert (valley.width, valley.draws) == (2, 2)


def test_the_companion_is_a_recursion_and_ends_at_the_stationary_variance():
    valley, K, H, eta = L.Straight(), 4, 8, 0.05
    forget = 1 / L.relaxation(eta, valley, K, H)
    variance = 0.0
    for t in range(1, 6):
        variance = (1 - forget) ** 2 * variance + L.diffusion(eta, valley.tau, K)
        assert_close(L.companion_square(eta, valley, K, H, t), variance)
    end = L.companion_square(eta, valley, K, H, 10**7)
    assert abs(end / L.stationary_along(eta, valley, K, H) - 1) < forget
    first = 2 * valley.tau**2 * valley.h_0 / (valley.kappa * valley.s**2)
    assert_close(L.stationary_along(eta, valley, K, 1), first * (1 - eta * valley.h_0 / 2))


def test_they_run_on_any_library_of_the_standard():
    xp, eta_h = array_api_strict, np.array([0.01, 0.3, 1.2])
    given_ = xp.asarray(eta_h)
    for name, arguments in (("share", (5,)), ("spread", (4, 5)), ("drift_ratio", (4, 5)), ("ratio_limit", (4,))):
        found = getattr(L, name)
        assert_close(np.asarray(found(*arguments, given_)), found(*arguments, eta_h))
    assert_close(np.asarray(L.window_peak(1 + given_)), L.window_peak(1 + eta_h))
    w, noise = np.array([[0.3, -0.2]]), np.array([[1.0, 0.5]])
    found = L.Straight().gradient(xp.asarray(w), xp.asarray(noise))
    assert_close(np.asarray(found), L.Straight().gradient(w, noise))


@pytest.mark.parametrize("name", ["s", "tau", "h_0", "kappa"])
def test_a_valley_that_is_none_is_refused(name):
    with pytest.raises(InputError, match=name):
        L.Straight(**{name: 0.0})
