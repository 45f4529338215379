"""The study of memory: its closed forms against exact moments, enumeration of every epoch, and sums."""

import itertools
import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.moments import Linear
from lemmascope.theory.noise import long_memory as L
from lemmascope.theory.noise.memory import fractional_covariance

pulls, hurst = st.floats(0.02, 1.9), st.floats(0.05, 0.95)


def test_every_order_of_an_epoch_has_the_correlation_that_is_stated():
    """All 6! orders of six samples in batches of two: variance and covariances of the batches' means."""
    u = np.array([1.0, -2.0, 0.5, 4.0, -1.0, -2.5])
    means = np.array([np.reshape(order, (3, 2)).mean(axis=1) for order in itertools.permutations(u)])
    covariance = means.T @ means / len(means)
    variance = np.mean(u**2)
    assert_close(np.diag(covariance), np.full(3, variance * L.batch_variance(6, 2, True)), "trajectory")
    off = covariance[~np.eye(3, dtype=bool)] / covariance[0, 0]
    assert_close(off, np.full(6, -1 / (3 - 1)), "trajectory")
    assert L.batch_variance(6, 2, False) == 0.5


@given(st.integers(2, 30))
def test_an_epoch_takes_back_what_it_gives(E):
    k = np.arange(2 * E + 3)
    rho = L.epoch_correlation(k, E)
    assert rho[0] == 1
    assert not rho[E:].any()
    assert_close(1 + 2 * rho[1:].sum(), 0.0, scale=1.0)
    # Two windows of E − k and k terms of one epoch and the next, averaged over where they begin.
    for length in (1, 2, E, E + 1, 2 * E):
        within = [_window(start, length, E) for start in range(E)]
        assert_close(L.epoch_sum(length, E), np.mean(within), "trajectory", scale=length)
    assert_close(L.epoch_sum(5 * E, E), L.epoch_sum(E, E), "trajectory", scale=5.0 * E)


def _window(start, length, E):
    """Variance of the sum of a window from a place in the epoch, epoch by epoch."""
    counts = np.bincount((start + np.arange(length)) // E)
    return sum(c - c * (c - 1) / (E - 1) for c in counts.tolist())


@given(st.floats(0.0, 0.98), st.integers(1, 60))
def test_sums_of_momentum_have_the_variance_of_the_linear_recursion(gamma, k):
    """State (v, sum)."""
    step = Linear(np.array([[gamma, 0.0], [gamma, 1.0]]), (1 - gamma) ** 2 * np.array([[1.0, 1.0], [1.0, 1.0]]))
    start = np.array([[(1 - gamma) / (1 + gamma), 0.0], [0.0, 0.0]])
    assert_close(L.momentum_sum(gamma, k), step.repeated(k).covariance(start)[1, 1], "trajectory", scale=k)


def test_the_local_exponent_falls_from_one_to_a_half():
    k = 2.0 ** np.arange(16)
    for gamma in (0.0, 0.9, 0.99):
        H = L.momentum_exponent(gamma, k)
        assert (np.diff(H) <= 1e-12).all()
        assert_close(H[0], 0.5 + math.log2(1 + gamma) / 2)
        assert abs(H[-1] - 0.5) < 0.01
    powers = k**1.4
    assert_close(L.local_exponent(powers, 2**1.4 * powers), np.full(16, 0.7))
    strict = L.momentum_exponent(0.9, array_api_strict.asarray(k))
    assert_close(np.asarray(strict), L.momentum_exponent(0.9, k))


@given(hurst, pulls)
def test_the_stationary_variance_is_that_of_the_sum_of_all_that_was(H, a):
    q, n = 1 - a, 200
    weights = q ** np.arange(n) if q else np.eye(1, n)[0]
    k = np.arange(float(n))
    written = weights @ fractional_covariance(H, k[:, None] - k) @ weights
    tail = abs(q) ** n / a / (2 - a)
    assert abs(L.stationary_variance(H, a) / written - 1) < 1e-8 + 1e4 * tail


def test_its_limit_and_white_noise():
    for a in (0.05, 0.5, 1.0, 1.5):
        assert_close(L.stationary_variance(0.5, a), 1 / (1 - (1 - a) ** 2))
    ratios = [
        [L.stationary_variance(H, a) * a ** (2 * H) / L.variance_limit(H) for a in (0.1, 0.01, 0.001)]
        for H in (0.2, 0.8)
    ]
    for one in ratios:
        assert one[0] - 1 > one[1] - 1 > one[2] - 1 > 0
        assert one[2] < 1.002
    assert_close(L.variance_limit(0.5), 0.5)


def test_scales_hold_what_they_say():
    a = 0.05
    for H in (0.3, 0.5, 0.8):
        assert L.scale("step", H, a) == 1
        held = L.scale("variance", H, a) ** 2 * L.stationary_variance(H, a)
        assert_close(held, L.stationary_variance(0.5, a))
        assert_close(L.scale("time", H, a), a ** (H - 0.5))
    with pytest.raises(InputError, match="step, variance, time"):
        L.scale("energy", 0.3, a)
    with pytest.raises(InputError, match="beyond ηh = 2"):
        L.stationary_variance(0.3, 2.0)
    with pytest.raises(InputError, match=r"a = 0\.0"):
        L.scale("time", 0.3, 0.0)
