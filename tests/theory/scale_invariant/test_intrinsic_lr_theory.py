"""Formulas of scale-invariant weights against recursions written out, their losses against differences, the circle."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.scale_invariant.losses import Circle, Noise, Quadratic, Rayleigh, curvatures

LOSSES = (Noise(), Rayleigh(0.3), Quadratic())
rates, lengths = st.floats(0.01, 2.0), st.floats(0.2, 3.0)


@given(rates, st.floats(0.001, 0.45), lengths)
def test_the_norm_comes_to_its_equilibrium_at_its_rate(eta, eta_lambda, length):
    a, star = 1 - eta_lambda, norms.equilibrium(eta, eta_lambda / eta, length)

    def step(G):
        return a * a * G + (eta * length) ** 2 / G

    assert_close(step(star), star)
    small = 1e-5 * star
    slope = (step(star + small) - step(star - small)) / (2 * small)
    assert_close(norms.contraction(eta_lambda), slope, "finite difference", scale=1.0)
    assert_close(np.cos(norms.angle(eta_lambda)), a)
    assert abs(norms.effective(eta_lambda, length) / (eta / star) - 1) <= eta_lambda


def test_relaxation_is_that_of_the_recursion():
    place, G, steps = 1e-4, 0.25 * norms.equilibrium(1.0, 1e-4), 0
    star = norms.equilibrium(1.0, place)
    stated = norms.relaxation(place, 0.25, 0.01)
    while abs((G / star) ** 2 - 1) > 0.01:
        if steps in (1000, 4000):
            assert abs((G / star) ** 2 / norms.square_at(steps * place, 0.25) - 1) < 1e-3
            assert_close(norms.following(steps * place, 0.25), norms.square_at(steps * place, 0.25) ** -0.5)
        G, steps = (1 - place) ** 2 * G + 1 / G, steps + 1
    assert abs(steps / stated - 1) < 1e-3
    assert_close(norms.square_at(stated * place, 0.25), 0.99)
    assert norms.relaxation(place, 1.0, 0.01) == norms.relaxation(place, 0.999, 0.01) == 0


@given(st.floats(0.0, 0.95), rates, st.booleans())
def test_times_and_factors_of_momentum_fit_together(beta, eta, projected):
    """(G²)' = 2η² growth/(1 − β²) is what doubling and the universal step are made of."""
    rate = 2 * eta**2 * norms.growth(beta, projected) / (1 - beta**2)
    assert_close(norms.doubling(eta, beta, projected, 1.3) * rate, 3 * 1.3**2)
    t = 10.0
    assert_close(eta / (1 - beta) / (rate * t) ** 0.5 * (2 * t) ** 0.5, norms.universal(beta, projected))
    assert_close(norms.adam_growth(beta, projected) * norms.growth(beta, False), norms.growth(beta, projected))


def mean_equations(eta, decay, beta, projected):
    """G where the equations of the mean, iterated, end."""
    a, G, s, v = 1 - eta * decay, 1.0, 0.0, 0.0
    for _ in range(20_000):
        v = beta**2 * v + 1 / G
        P = v
        if projected:
            c = (beta * eta / (1 - beta * a)) ** 2 / G
            P = 2 * v / (1 + (1 + 4 * c * v) ** 0.5)  # of P = v − cP²
        s = -beta * eta * P / (1 - beta * a)
        G = a * a * G + eta**2 * P - (0 if projected else 2 * a * eta * s)
    return G


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_equilibria_of_momentum_are_those_of_the_equations_of_the_mean(beta, projected):
    found = mean_equations(0.1, 0.1, beta, projected) ** 2
    assert_close(norms.momentum_equilibrium(0.1, 0.1, beta, projected), found, "trajectory")
    if beta == 0:
        assert_close(found, norms.equilibrium(0.1, 0.1) ** 2, "trajectory")
    elif projected:
        assert norms.momentum_equilibrium(0.1, 0.1, beta, True, bracket=False) > 1.01 * found


def test_the_numbers_of_the_table():
    for pair, square in (((0.1, 0.01), 5.002501), ((0.4, 0.0025), 80.040020), ((1.0, 0.1), 5.263158)):
        assert abs(norms.equilibrium(*pair) ** 2 / square - 1) < 1e-6
    assert abs(norms.angle(0.001) - 0.044725) < 1e-6
    assert [round(norms.doubling(0.01, 0.9, p)) for p in (False, True)] == [150, 2850]
    assert abs(norms.momentum_equilibrium(0.1, 0.01, 0.9, True) - 22.716) < 1e-3


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_gradients_are_those_of_the_values_and_orthogonal(loss):
    rng = np.random.default_rng(0)
    w, xi = 3 * rng.standard_normal((2, 5)), rng.standard_normal((2, 5))
    g = loss.gradient(w, xi)
    scale_free = not isinstance(loss, Quadratic)
    along = np.abs(np.sum(w * g, axis=-1)) / np.linalg.norm(w, axis=-1) / np.linalg.norm(g, axis=-1)
    assert bool(np.max(along) < 1e-14) is scale_free
    if scale_free:
        assert_close(4 * loss.gradient(4 * w, xi), g)
        assert_close(loss.value(4 * w), loss.value(w))
    if isinstance(loss, Noise):
        assert_close(np.linalg.norm(g, axis=-1) * np.linalg.norm(w, axis=-1), np.ones(2))
        assert np.max(np.abs(loss.value(w))) == 0
        return
    still = loss.gradient(w, 0 * xi) if isinstance(loss, Rayleigh) else g - Noise().gradient(w, xi)
    h = 1e-5
    for k in range(5):
        e = h * np.eye(5)[k]
        slope = (loss.value(w + e) - loss.value(w - e)) / (2 * h)
        assert_close(still[:, k], slope, "finite difference", scale=1.0)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_losses_run_on_any_library_of_the_standard(loss):
    xp, rng = array_api_strict, np.random.default_rng(1)
    w, xi = rng.standard_normal((2, 3, 4))
    for name, arguments in (("gradient", (w, xi)), ("value", (w,))):
        found = getattr(loss, name)(*(xp.asarray(x) for x in arguments))
        assert_close(np.asarray(found), getattr(loss, name)(*arguments))
    assert_close(np.asarray(curvatures(xp, 4)), np.array([0, 0.5, 0.75, 1.0]))
    circle = Circle()
    assert_close(np.asarray(circle.kernel(xp, 0.01, 64)), circle.kernel(np, 0.01, 64))


def test_the_circle():
    circle, theta = Circle(0.1, 0.02), np.linspace(-4, 4, 4001)
    U = circle.potential(theta)
    assert_close(circle.slope(theta[1:-1]), (U[2:] - U[:-2]) / (theta[2:] - theta[:-2]), "identity", scale=1e6)
    inside = theta[(theta > 0) & (theta < np.pi)]
    top = circle.potential(inside).max()
    assert abs(circle.barrier - (top - 0.02)) < 1e-6
    assert abs(circle.barrier - 0.09025) < 1e-12
    assert_close(circle.arrhenius(), 0.1805)
    h = 1e-4
    for at in (0.0, np.pi, 1.0):
        bent = (circle.slope(np.array(at + h)) - circle.slope(np.array(at - h))) / (2 * h)
        assert abs(circle.curvature(np.cos(at)) - bent) < 1e-7


def test_the_kernel_has_the_mean_and_the_width_of_the_step():
    circle, cells, place = Circle(), 256, 0.002
    kernel, theta = circle.kernel(np, place, cells), circle.grid(np, cells)
    assert_close(kernel.sum(axis=1), np.ones(cells))
    eta = circle.step(place)
    turn = np.exp(1j * theta)
    mean = kernel @ turn
    stated = np.exp(1j * (theta - np.arctan(eta * circle.slope(theta))) - (eta * circle.sigma) ** 2 / 2)
    assert np.max(np.abs(mean - stated)) < 1e-9
    assert abs(circle.spacings(place, cells) - eta * cells / (2 * np.pi)) < 1e-12
    assert np.argmax(kernel[cells // 2]) == cells // 2  # π is a well


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Rayleigh(-1.0), "sigma"),
        (lambda: Rayleigh(float("nan")), "sigma"),
        (lambda: Circle(0.0), "b"),
        (lambda: Circle(0.1, 0.4), "c"),
        (lambda: Circle(0.1, 0.02, 0.0), "sigma"),
        (lambda: Circle().grid(np, 2), "cells"),
    ],
)
def test_what_is_no_loss_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
