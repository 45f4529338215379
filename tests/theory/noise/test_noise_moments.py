"""Moments by doubling against the plain recursion; gradients and moments of valleys against other ways to them."""

import itertools

import array_api_strict
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.estimates import exponent, student
from lemmascope.theory.moments import Linear, mode, stationary
from lemmascope.theory.noise.valley import Curve, Line, line_moments, rates
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov

FORMS = [GD(0.1), MomentumAverage(0.2, 0.7), MomentumVelocity(0.05, 0.9), Nesterov(0.05, 0.8)]


def plainly(step, mean, covariance, steps):
    for _ in range(steps):
        mean, covariance = step.A @ mean, step.A @ covariance @ step.A.T + step.W
    return mean, covariance


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 37])
def test_many_steps_are_as_many_single_ones(steps):
    rng = np.random.default_rng(0)
    A, b = 0.4 * rng.standard_normal((3, 3)), rng.standard_normal((3, 2))
    step, mean, covariance = Linear(A, b @ b.T), rng.standard_normal(3), np.eye(3)
    found, wanted = step.repeated(steps), plainly(step, mean, covariance, steps)
    assert_close(found.mean(mean), wanted[0])
    assert_close(found.covariance(covariance), wanted[1])


def test_then_is_in_the_order_of_time():
    rng = np.random.default_rng(1)
    one, other = (Linear(rng.standard_normal((2, 2)), np.diag(rng.uniform(1, 2, 2))) for _ in range(2))
    z, P = rng.standard_normal(2), np.eye(2)
    assert_close(one.then(other).mean(z), other.mean(one.mean(z)))
    assert_close(one.then(other).covariance(P), other.covariance(one.covariance(P)))


@pytest.mark.parametrize("optimizer", FORMS, ids=lambda one: type(one).__name__)
def test_a_modes_step_is_the_optimizers_own(optimizer):
    h, s, steps = 1.7, 0.3, 6
    noise = np.random.default_rng(2).standard_normal((20_000, steps))
    x = np.full(20_000, 1.5)
    state, step = optimizer.init(x), mode(np, optimizer, h, s).repeated(steps)
    for t in range(steps):
        x, state = optimizer.step(x, h * x + s * noise[:, t], state, t)
    mean, variance = step.mean(np.array([1.5, 0.0]))[0], step.W[0, 0]
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / x.size)
    assert abs(x.var() / variance - 1) < 5 * np.sqrt(2 / x.size)
    with pytest.raises(InputError, match="recursion"):
        mode(np, object(), 1.0, 1.0)


def test_what_is_stationary_solves_lyapunovs_equation():
    steps = [mode(np, one, h, 1.0) for one, h in itertools.product(FORMS[:3], (0.5, 3.0))]
    A, W = np.stack([one.A for one in steps]), np.stack([one.W for one in steps])
    wanted = [solve_discrete_lyapunov(one.A, one.W) for one in steps]
    assert_close(stationary(Linear(A, W)), wanted)


def test_moments_run_on_any_array_library():
    xp = array_api_strict
    step = mode(xp, MomentumAverage(0.1, 0.5), 1.0, 1.0)
    assert_close(np.asarray(stationary(step)), solve_discrete_lyapunov(np.asarray(step.A), np.asarray(step.W)))
    assert_close(np.asarray(step.repeated(3).A), np.linalg.matrix_power(np.asarray(step.A), 3))


@pytest.mark.parametrize("valley", [Line(2, 0.7, 1.5), Curve(0.4)], ids=["line", "curve"])
def test_gradients_are_the_loss_differentiated(valley):
    rng = np.random.default_rng(4)
    w, labels = rng.standard_normal((5, valley.width)), rng.standard_normal((5, valley.draws))

    def loss(w):
        if isinstance(valley, Curve):
            return 0.5 * (w[:, 0] * w[:, 1] - 1 - valley.s * labels[:, 0]) ** 2
        size = valley.s / valley.n**0.5
        y, x = w[:, 1:], w[:, :1]
        miss = y - size * labels[:, : valley.n], valley.q**0.5 * x * y - size * labels[:, valley.n :]
        return sum(0.5 * (one**2).sum(axis=1) for one in miss)

    step = 1e-30
    stated = valley.gradient(w, labels)
    for i, e in enumerate(np.eye(valley.width)):
        assert_close(loss(w + 1j * step * e).imag / step, stated[:, i])
    strict = valley.gradient(array_api_strict.asarray(w), array_api_strict.asarray(labels))
    assert np.array_equal(np.asarray(strict), stated)


def test_a_step_on_the_curve_shrinks_its_imbalance():
    valley, rng = Curve(0.4), np.random.default_rng(5)
    w, labels = rng.uniform(0.5, 2, (9, 2)), rng.standard_normal((9, 1))
    after = w - 0.1 * valley.gradient(w, labels)
    r = valley.residual(w, labels)[:, 0]
    assert_close(valley.place(after), valley.place(w) * (1 - 0.01 * r**2))
    assert_close(valley.place(np.array(valley.start(0.3))), np.sinh(0.6) / 2**0.5)


@pytest.mark.parametrize("optimizer", [MomentumAverage(0.2, 0.6), MomentumVelocity(0.1, 0.5), MomentumAverage(0.2, 0)])
def test_the_closed_moments_are_the_mean_of_many_directions(optimizer):
    """At n directions x has a spread of order 1/√n about the limit."""
    n, s, q, steps = 40_000, 0.8, 0.7, 25
    valley, rng = Line(n, s, q), np.random.default_rng(6)
    w = np.array(valley.start(1.3))
    state, moments = optimizer.init(w), (1.3, 0.0, 0.0, 0.0, 0.0)
    for t in range(steps):
        w, state = optimizer.step(w, valley.gradient(w, rng.choice([-1.0, 1.0], 2 * n)), state, t)
        moments = line_moments(*moments, *rates(optimizer), s, q)
    found = w[0], (w[1:] ** 2).sum(), (w[1:] * state[1:]).sum(), (state[1:] ** 2).sum()
    wanted = np.array([moments[k] for k in (0, 2, 3, 4)])
    assert np.all(np.abs(found - wanted) <= 0.002 + 0.04 * np.abs(wanted))


def test_other_optimizers_have_no_closed_moments_here():
    for one in (GD(0.1), Nesterov(0.1, 0.5), object()):
        with pytest.raises(InputError, match="form of momentum"):
            rates(one)


@pytest.mark.parametrize("bad", [{"n": 0}, {"s": 0.0}, {"q": -1.0}])
def test_a_valley_without_noise_or_width_is_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        Line(**bad)


def test_estimates():
    sizes = np.array([0.1, 0.01, 0.001])
    assert_close(exponent(np.stack([-3 * sizes**0.5, sizes**2]), sizes), [0.5, 2])
    assert student(1) == np.inf
    assert student(8, 4) > student(8) > student(80)
