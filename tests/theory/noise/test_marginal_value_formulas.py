"""The gaps of SGD with momentum and SGD, each against another way to the same number."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.moments import Linear, mode, stationary
from lemmascope.theory.noise import marginal_value as mv
from lemmascope.theory.noise.valley import line_moments
from lemmascope.theory.optimizers import GD, MomentumAverage


def side_by_side(eta, beta, h, s, steps, x_0):
    """(mean, covariance) of (x_S, x_M, m), step by step and without the identity."""
    c = 1 - beta
    A = np.array([[1 - eta * h, 0, 0], [0, 1 - eta * c * h, -eta * beta], [0, c * h, beta]])
    b = np.array([-eta, -eta * c, c])
    z, P = np.array([x_0, x_0, 0.0]), np.zeros((3, 3))
    for _ in range(steps):
        z, P = A @ z, A @ P @ A.T + s**2 / eta * np.outer(b, b)
    return z, P


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("steps", [1, 40, 500])
def test_gaps_are_those_of_both_side_by_side(beta, steps):
    eta, h, s, x_0 = 0.02, 1.3, 0.7, 1.2
    found = mv.gaps(mv.pair(np, eta, 1 - beta, h, s).repeated(steps), mv.lag(eta, 1 - beta), x_0)
    z, P = side_by_side(eta, beta, h, s, steps, x_0)
    apart = np.array([-1.0, 1.0, 0.0])
    mean, variance = apart @ z, P[1, 1] - P[0, 0]
    w2 = np.hypot(mean, P[1, 1] ** 0.5 - P[0, 0] ** 0.5)
    wanted = {"mean": mean, "variance": variance, "coupled": np.sqrt(apart @ P @ apart + mean**2), "w2": w2}
    for name, x in wanted.items():
        assert abs(found[name] - x) <= 1e-9 * abs(x) + 1e-13, name


def test_each_law_is_that_of_the_optimizer_alone():
    eta, beta, h, s, steps = 0.01, 0.8, 0.9, 1.1, 100
    found = mv.gaps(mv.pair(np, eta, 1 - beta, h, s).repeated(steps), mv.lag(eta, 1 - beta))
    laws = [mode(np, one, h, s / eta**0.5).repeated(steps) for one in (GD(eta), MomentumAverage(eta, beta))]
    means, variances = zip(*[(one.A[0, 0], one.W[0, 0]) for one in laws], strict=True)
    assert abs(found["mean"] / (means[1] - means[0]) - 1) <= 1e-10
    assert abs(found["variance"] / (variances[1] - variances[0]) - 1) <= 1e-10


def test_gaps_on_another_array_library():
    found = mv.gaps(mv.pair(array_api_strict, 0.01, 0.5).repeated(9), mv.lag(0.01, 0.5))
    for name, x in mv.gaps(mv.pair(np, 0.01, 0.5).repeated(9), mv.lag(0.01, 0.5)).items():
        assert_close(found[name], x, note=name)


def test_gaps_keep_their_digits_at_the_smallest_rates():
    """At η = 2⁻³⁶ two numbers of order 1 that are 10⁻¹¹ apart would have five digits of their difference left."""
    eta, beta, t = 2.0**-36, 0.5, 0.5
    found = mv.gaps(mv.pair(np, eta, 1 - beta).repeated(round(t / eta)), mv.lag(eta, 1 - beta))
    mean, variance, square = mv.first_order(eta, beta, 1.0, t)
    assert abs(found["mean"] / mean - 1) <= 1e-4
    assert abs(found["variance"] / variance - 1) <= 1e-4
    assert abs(found["coupled"] ** 2 / square - 1) <= 1e-4


@pytest.mark.parametrize("which", range(3))
def test_what_is_left_of_the_first_order_is_of_the_second(which):
    """Halving η divides the relative error of each formula by two."""
    errors = []
    for eta in (2e-4, 1e-4):
        gaps = mv.gaps(mv.pair(np, eta, 0.2, 1.2).repeated(round(0.3 / eta)), mv.lag(eta, 0.2))
        exact = gaps["mean"], gaps["variance"], gaps["coupled"] ** 2
        errors.append(exact[which] / mv.first_order(eta, 0.8, 1.2, 0.3)[which] - 1)
    assert abs(errors[0] / errors[1] - 2) <= 0.04


def test_the_floor_is_that_of_the_stationary_equations_and_infinite_beyond_the_edge():
    h, noise = np.array([0.4, 2.0]), np.array([0.3, 0.1])
    for beta in (0.0, 0.7):
        exact = [
            k * stationary(mode(np, MomentumAverage(0.3, beta), k, v**0.5))[0, 0] for k, v in zip(h, noise, strict=True)
        ]
        assert_close(mv.floor(np.array([0.3]), np.array([beta]), h, noise)[0], np.mean(exact))
        edge = 2 * (1 + beta) / ((1 - beta) * h.max())
        assert np.isfinite(mv.floor(np.array([0.999 * edge]), np.array([beta]), h, noise)[0])
        assert mv.floor(np.array([1.001 * edge]), np.array([beta]), h, noise)[0] == np.inf


def test_the_moments_of_a_mode_are_those_of_its_linear_step_and_of_the_valley():
    eta, beta, h, noise = 0.2, 0.6, 1.5, 0.4
    step = mode(np, MomentumAverage(eta, beta), h, noise**0.5)
    P, z = np.array([[0.8, 0.1], [0.1, 0.3]]), (0.8, 0.1, 0.3)
    P, z = step.covariance(P), mv.mode_moments(*z, h, noise, eta, beta)
    assert_close(z, [P[0, 0], P[0, 1], P[1, 1]])
    # In the valley h = 1 + x² and the noise is s²h.
    along = line_moments(0.5, 0.0, 0.8, 0.1, 0.3, beta, 1 - beta, eta, 0.7, 1.0)
    assert_close(along[2:], mv.mode_moments(0.8, 0.1, 0.3, 1.25, 0.49 * 1.25, eta, beta))


def test_polyaks_gain():
    assert abs(mv.asymptotic_gain(100) - 10.03) <= 0.01
    assert abs(mv.asymptotic_gain(1e8) / 1e4 - 1) <= 1e-3


def test_a_step_of_the_pair_is_linear():
    step = mv.pair(np, 0.1, 0.5, 2.0, 3.0)
    assert isinstance(step, Linear)
    assert_close(step.W, step.W.T)
    assert_close(step.W[0, 0], 0.1**2 * 9 / 0.1)


def test_momentum_may_be_nearer_to_1_than_a_number_can_be():
    """1 − β = ½η² at η = 2⁻³²: over 1/η steps m hardly moves, and x_M stays where it was."""
    eta, damping = 2.0**-32, 2.0**-65
    found = mv.gaps(mv.pair(np, eta, damping).repeated(2**32), mv.lag(eta, damping))
    assert abs(found["mean"] / (1 - np.exp(-1)) - 1) <= 1e-3
