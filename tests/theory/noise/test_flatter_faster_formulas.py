"""Momentum at the valley's own scale: stationary moments, the best rate, the limit, each by another way."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.noise import flatter_faster as formulas
from lemmascope.theory.noise.valley import line_moments, rates
from lemmascope.theory.optimizers import MomentumVelocity


@pytest.mark.parametrize(("eta", "beta", "s", "x", "q"), [(0.05, 0.9, 1.0, 0.0, 1.0), (0.3, 0.5, 0.4, 1.2, 2.0)])
def test_the_moments_run_into_the_stationary_ones(eta, beta, s, x, q):
    h = 1 + q * x * x
    rule = *rates(MomentumVelocity(eta, beta)), s, q
    Y = C = Q = 0.0
    for _ in range(2000):
        _, _, Y, C, Q = line_moments(x, 0.0, Y, C, Q, *rule)  # x is held
    assert_close(Y, formulas.stationary(eta, 1 - beta, s, h))


def test_the_edge_of_stability_is_where_they_stop_doing_so():
    beta, h = 0.8, 2.0
    edge = formulas.edge(1 - beta, h)
    assert_close(edge, 2 * (1 + beta) / h)
    formulas.check_stable(0.999 * edge, 1 - beta, h)
    with pytest.raises(InputError, match=r"below the edge of stability 2\(1 \+ β\)/h = 1.8"):
        formulas.check_stable(edge, 1 - beta, h)
    with pytest.raises(InputError, match="take smaller η, s or C"):
        formulas.check_stable(0.1, 1.2, h)
    grown = []
    for eta in (0.9 * edge, 1.1 * edge):
        rule, z = (*rates(MomentumVelocity(eta, beta)), 1.0, 1.0), (1.0, 0.0, 0.0, 0.0, 0.0)
        for _ in range(300):
            z = (1.0, 0.0, *line_moments(*z, *rule)[2:])
        grown.append(z[2])
    assert grown[0] < 1e2
    assert grown[1] > 1e6


def test_the_slow_step_is_the_moments_step_at_the_flattest_point():
    eta, s, q, epsilon = 0.03, 0.7, 1.5, 0.1
    gamma, kappa, p = rates(MomentumVelocity(eta, 1 - epsilon))
    Y = formulas.stationary(eta, epsilon, s)
    scaled = formulas.slow_step(np, np.array(epsilon), np.array(q * eta * Y))
    M = np.eye(2) - epsilon * scaled
    x, V = 1e-7, 2e-8  # what p V = ηV' is in units of ε
    after = line_moments(x, V, Y, 0.0, 0.0, gamma, kappa, p, s, q)
    expected = M @ np.array([x, V / epsilon])
    assert_close(np.array(after[:2]) / [1, epsilon], expected, scale=1e-7)


def test_the_best_rate_is_at_critical_damping():
    eta, s, q = 1e-3, 1.0, 1.0
    epsilon = np.linspace(0.8, 1.2, 4001) * formulas.constant(eta, s, 2 * q)
    pull = q * eta * formulas.stationary(eta, epsilon, s)
    decay = formulas.relaxation(np, epsilon, np.linalg.eigvals(formulas.slow_step(np, epsilon, pull)).astype(complex))
    best = epsilon[np.argmax(decay)]
    zero = formulas.constant(eta, s, 2 * q)
    assert abs(best / zero - formulas.expansion(zero, eta)) <= 1.5e-4  # a step of the grid
    radius = [np.abs(np.roots([1, -(2 - e - k), 1 - e])).max() for e, k in zip(epsilon, pull, strict=True)]
    assert_close(decay, -np.log(radius), "linear solve")


def test_the_averaged_equations_rest_at_the_flattest_point_and_turn_linear():
    C, q = 0.9, 1.7
    assert formulas.averaged(0.0, 0.0, 1 / (2 * C), C, q) == (0.0, 0.0, 0.0)
    for x in (0.3, 2.0):
        v, a, e = formulas.averaged(x, 0.0, (1 + q * x * x) / (2 * C), C, q)
        assert v == 0.0
        assert_close(e, 0.0, scale=1.0)
        assert_close(a, -q / (2 * C) * x)


def test_the_gain_is_the_quotient_of_rates():
    q, C = 1.3, np.geomspace(0.3, 20, 40)
    root = (C - np.sqrt((C * C - 2 * q / C).astype(complex))) / 2
    assert_close(formulas.gain(np, C**3 / q), root.real / (q / (2 * C * C)), "linear solve")
    assert formulas.gain(np, np.array(2.0)) == 2
    assert_close(formulas.sgd_time(2.0, np.array(0.1), q), 8 / q * np.log(10))


def test_scales_are_those_of_the_paper_and_the_floor():
    assert abs(formulas.constant(1e-3, 1.0, 2.0) / 0.0126 - 1) <= 1e-3
    assert_close(formulas.floor(1e-3, 1.0, 2.0) / 0.1, 2 ** (-1 / 3) / 4)
    assert_close(formulas.noise_floor(1e-3, 8.0, 2), 0.8)
    assert_close(formulas.scale(1e-3, 8.0), 0.04)


def test_formulas_take_arrays_of_another_library():
    xp = array_api_strict
    eta, epsilon = xp.asarray([1e-3, 1e-2]), xp.asarray([0.1, 0.2])
    mine = formulas.stationary(np.array([1e-3, 1e-2]), np.array([0.1, 0.2]), 0.5)
    assert_close(np.asarray(formulas.stationary(eta, epsilon, 0.5)), mine)
    assert formulas.gain(xp, xp.asarray([1.0, 2.0])).shape == (2,)
    assert formulas.slow_step(xp, epsilon, eta).shape == (2, 2, 2)
