"""Momentum along a valley: settling counted along a plain run, the limit against SciPy, optima that are planted."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lemmascope.sims.noise import flatter_faster as module
from lemmascope.sims.noise.flatter_faster import best_rate, jacobian, limit, lowest, narrowed, path, rule, settling
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise import flatter_faster as formulas
from lemmascope.theory.noise.valley import Curve, Line, line_moments, rates
from lemmascope.theory.optimizers import MomentumVelocity

C = np.array([0.3, 0.875, 2.0])


def run(eta, beta, steps, s=0.7, q=1.3, x=0.8):
    z, found, rule = (x, 0.0, 0.0, 0.0, 0.0), [x], rates(MomentumVelocity(eta, beta))
    for _ in range(steps):
        z = line_moments(*z, *rule, s, q)
        found.append(z[0])
    return np.array(found)


@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_settling_is_what_a_plain_run_shows(backend, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 97)
    eta, beta = rule(0.01, 0.7, C)
    found = settling(eta, beta, s=0.7, q=1.3, x=0.8, levels=(0.1, 0.01), steps=900, backend=backend)
    for j in range(C.size):
        x = np.abs(run(0.01, beta[j], 899))
        for row, r in enumerate((0.1, 0.01)):
            below = x <= r * 0.8
            assert found.hit[row, j] == (np.argmax(below) if below.any() else -1)
            assert found.last[row, j] == np.flatnonzero(~below)[-1]
        assert found.squares[j] == pytest.approx((x[1:] ** 2).sum(), rel=1e-12)


def test_a_path_is_that_run():
    at = np.array([0, 3, 50])
    found = path(0.01, 0.95, at, s=0.7, q=1.3, x=0.8)
    assert np.allclose(found[:, 0], run(0.01, 0.95, 50)[at], rtol=1e-12)


def test_rules_that_cannot_settle_are_refused():
    with pytest.raises(InputError, match=r"1 − β"):
        rule(0.5, 1.0, np.array([2.0]))
    with pytest.raises(InputError, match="edge of stability"):
        rule(1.99, 0.01, np.array([1.5]))


@pytest.mark.parametrize(
    ("one", "q", "exchange"), [(0.3, 1.0, 1.0), (0.9, 2.0, 1.0), (0.9, 2.0, 0.0), (1.26, 1.0, 1.0)]
)
def test_the_limit_is_scipys_solution(one, q, exchange):
    levels = np.array([0.1, 0.01])
    hit, last, seen = limit(np.array([one]), levels, q=q, x=0.7, until=60.0, every=200, exchange=exchange)

    def slope(_, z):
        return formulas.averaged(*z, one, q, exchange)

    events = [lambda _, z, r=r: abs(z[0]) - r * 0.7 for r in levels]
    times = 0.005 * 200 * np.arange(seen.shape[1])
    found = solve_ivp(slope, (0, 60), [0.7, 0, 0], rtol=1e-10, atol=1e-13, events=events, t_eval=times, max_step=0.1)
    assert np.allclose(seen[0], found.y[0], atol=1e-7)
    for k in range(2):
        assert hit[k, 0] == pytest.approx(found.t_events[k][0], abs=1e-4)
        assert last[k, 0] == pytest.approx(found.t_events[k][-1], abs=1e-4)


def test_what_never_gets_there_has_no_time():
    hit, last, _ = limit(np.array([5.0]), np.array([1e-3]), until=1.0)
    assert np.isnan(hit).all()
    assert np.isnan(last).all()


def test_the_jacobian_is_the_step_and_its_fixed_point_rests():
    eta, epsilon, s, q = 0.02, np.array([0.1]), 0.6, 1.4
    J = jacobian(eta, epsilon, s, q)[0]
    Y = float(formulas.stationary(eta, epsilon[0], s))
    gamma, kappa, p = rates(MomentumVelocity(eta, 0.9))
    Q = 2 * kappa * Y / (p * 1.9)
    rest = np.array([0.0, 0.0, Y, -p * Q / 2, Q])
    assert np.allclose(line_moments(*rest, gamma, kappa, p, s, q), rest, rtol=1e-12)
    h = 1e-5
    for k in range(5):
        size = h * max(abs(rest[k]), h)
        ends = [line_moments(*(rest + sign * size * np.eye(5)[k]), gamma, kappa, p, s, q) for sign in (1, -1)]
        assert np.allclose(J[:, k], (np.array(ends[0]) - ends[1]) / (2 * size), rtol=1e-5, atol=1e-5)
    assert np.abs(np.linalg.eigvals(J)).max() < 1


def test_the_best_rate_is_that_of_a_finer_grid():
    found = best_rate(1e-3, 1.0, 1.0, np.linspace(0.5, 3, 101))
    finer = best_rate(1e-3, 1.0, 1.0, np.linspace(1.1, 1.4, 2001))
    assert found == pytest.approx(finer, rel=1e-9)


def test_grids_ever_finer_find_a_kink_and_an_end():
    tops = np.array([[0.3], [2.5], [1.0]])  # the last is the end of its grid
    grids = np.stack([np.linspace(0, 1, 9), np.linspace(2, 3, 9), np.linspace(0, 1, 9)])
    where, least = narrowed(lambda grid: np.where(grid < tops, 2 + tops - grid, grid - tops), grids, 5)
    assert np.allclose(where, tops[:, 0], atol=1e-5)
    assert np.all(least < 1e-5)


def test_the_lowest_point_of_a_curve_is_found_also_near_an_end():
    grid = np.geomspace(0.2, 2, 13)
    for best in (0.25, 0.7, 1.9):
        off = np.log(grid / best)
        values = np.exp(0.3 * off**2 + 0.05 * off**3 + 0.02 * off**4 - 1)
        assert lowest(grid, np.stack([values, 5 * values])) == pytest.approx(np.log([best, best]), abs=1e-4)


def test_the_lowest_point_of_the_exact_squares_is_that_of_a_fine_grid():
    one = formulas.scale(1e-3, 1.0)

    def exact(grid):
        eta, beta = rule(1e-3, 1.0, grid)
        return settling(eta, beta, s=1.0, q=1.0, x=1.0, levels=(0.1, 0.01), steps=int(12 / one)).squares

    finest = np.linspace(0.5, 0.7, 401)
    for shift in (1.0, 1.1):
        grid = shift * np.geomspace(0.2, 2, 13)
        assert np.exp(lowest(grid, exact(grid))) == pytest.approx(finest[np.argmin(exact(finest))], rel=5e-3)


def squares(valley, apart, start=0.6, eta=0.05, **more):
    rngs = [np.random.Generator(np.random.Philox(k)) for k in range(6)]
    return module.squares(valley, eta, C[:2], start, rngs, horizon=3.0, apart=apart, **more)


@pytest.mark.parametrize("valley", [Line(1, 0.5), Curve(0.5)], ids=["line", "curve"])
def test_squares_are_summed_along_replicas(valley):
    one = formulas.scale(0.05, 0.5)
    assert np.allclose(squares(valley, 0.01), squares(valley, 0.01, backend="numpy"), rtol=1e-10)
    assert squares(valley, 4 * one).mean() == pytest.approx(squares(valley, 0.01).mean(), rel=0.1)
    assert squares(valley, 0.01).shape == (2, 6)


def test_what_diverges_counts_as_much_as_may_be():
    found = squares(Line(1, 0.5), 0.01, start=50.0, eta=0.3)
    assert np.all(np.isfinite(found))
    assert found.max() == pytest.approx(module.CLIP * 3.0, rel=0.2)
