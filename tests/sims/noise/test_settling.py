"""How long momentum takes to settle, counted step by step; the search is held to what a plain one finds."""

import itertools

import numpy as np
import pytest

from lemmascope.sims.noise import settling as module
from lemmascope.sims.noise.settling import best, settling
from lemmascope.theory.noise.marginal_value import floor, mode_moments

H = np.geomspace(1, 30, 4)


def losses(eta, beta, noise, steps):
    X, C, Q = 1 / H, np.zeros(H.size), np.zeros(H.size)
    found = []
    for _ in range(steps + 1):
        found.append(float((H * X).mean()))
        X, C, Q = mode_moments(X, C, Q, H, noise, eta, beta)
    return np.array(found)


@pytest.mark.parametrize(("eta", "beta"), [(0.02, 0.0), (0.06, 0.8), (0.3, 0.9), (0.5, 0.95)])
@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_the_last_step_above_the_target_is_counted(eta, beta, scale):
    horizon, noise = 600, scale * H
    along = losses(eta, beta, noise, horizon)
    above = np.flatnonzero(~(along <= 0.01))
    assert settling(eta, beta, H, noise, 0.01, horizon) == above[-1] + 1
    first = int(np.argmax(along <= 0.01))
    if beta > 0.85 and not scale:
        assert above[-1] > first  # it swings above again: arrival is not settling


def test_doubling_says_of_a_step_what_walking_does():
    noise = 1e-3 * H
    for eta, beta in ((0.05, 0.0), (0.1, 0.8), (0.3, 0.9)):
        along = losses(eta, beta, noise, 200)
        for k in (0, 1, 5, 37, 64, 200):
            if abs(along[k] / 0.01 - 1) > 1e-9:
                assert module._below(k, eta, beta, H, noise, 0.01) == (along[k] <= 0.01)


def test_the_best_is_no_worse_than_a_fine_grid_and_settles():
    noise = 1e-3 * H
    found = best(H, noise, 0.01, (0.05, 1.0), horizon=2000)
    assert settling(found.eta, found.beta, H, noise, 0.01, 2000) == found.steps
    betas = 1 - np.geomspace(0.05, 1, 25)
    plain = [
        settling(eta, beta, H, noise, 0.01, 2000)
        for beta in betas
        for eta in np.geomspace(0.02, 2, 50) * (1 + beta) / (1 - beta) / 30
    ]
    assert found.steps <= min(plain)
    alone = best(H, noise, 0.01, (1.0, 1.0), horizon=2000)
    assert alone.beta == 0
    assert alone.steps > found.steps


def test_where_nothing_settles_the_horizon_is_told():
    assert best(H, 1e-3 * H, 0.01, (1.0, 1.0), horizon=3, size=8).steps == 4


def test_rates_are_shares_of_the_largest_that_settles_at_all():
    noise, betas = 0.02 * H, np.array([0.0, 0.5, 0.9])
    top = module._largest(betas, H, noise, 0.01)
    assert np.allclose(floor(top, betas, H, noise), 0.01, rtol=1e-6)
    still = module._largest(betas, H, 0 * H, 0.01)
    assert np.allclose(still, 2 * (1 + betas) / ((1 - betas) * H.max()), rtol=1e-6)
    for eta, beta in itertools.product((0.99, 1.01), betas[:2]):
        edge = eta * 2 * (1 + beta) / ((1 - beta) * H.max())
        settled = settling(edge, beta, H, 0 * H, 0.01, 20_000) <= 20_000
        assert settled is bool(eta < 1)
