"""Means of stationary chains: their errors, and whether chains that have not settled are seen."""

import numpy as np
import pytest

from lemmascope.sims.equilibrium import integrated_time, stationary_mean
from lemmascope.theory.errors import InputError


def autoregressive(rho, chains, length, seed=0, start=0.0):
    rng = np.random.default_rng(seed)
    x, rows = np.full(chains, start), []
    for noise in rng.standard_normal((length, chains)):
        x = rho * x + noise
        rows.append(x)
    return np.array(rows).T


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_integrated_time_of_an_autoregression(rho):
    found = integrated_time(autoregressive(rho, 16, 20_000))
    assert abs(found / ((1 + rho) / (1 - rho)) - 1) < 0.1


def test_a_constant_has_no_time():
    assert np.isnan(integrated_time(np.ones((2, 10))))


def test_the_error_covers_the_mean():
    """Of 200 means of short, correlated chains some 95 % lie within t's 95 % of the truth."""
    inside = 0
    for seed in range(200):
        found = stationary_mean(autoregressive(0.9, 8, 400, seed, start=0.0))
        inside += abs(found.value) < 2.365 * found.error  # t, 7 degrees of freedom
    assert 180 <= inside <= 199


def test_chains_that_have_not_settled_are_seen():
    settled = stationary_mean(autoregressive(0.9, 8, 20_000, start=0.0))
    assert settled.unsettled == ""
    far = stationary_mean(autoregressive(0.999, 8, 4000, start=300.0))
    assert "halves" in far.unsettled
    few = stationary_mean(autoregressive(0.99, 4, 600))
    assert "effective samples" in few.unsettled or "halves" in few.unsettled
    broken = autoregressive(0.5, 4, 100)
    broken[1, 50:] = np.nan
    assert stationary_mean(broken).unsettled == "a chain is not finite"


@pytest.mark.parametrize("shape", [(1, 100), (4, 3), (7,)])
def test_what_is_no_set_of_chains_is_refused(shape):
    with pytest.raises(InputError, match="two chains and four samples"):
        stationary_mean(np.zeros(shape))
