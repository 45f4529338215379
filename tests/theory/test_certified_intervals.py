"""Intervals against bounds: what is certified, from which iteration on, and what is not."""

import math

import numpy as np
import xarray as xr

from lemmascope.theory.certified import Enclosure, certify

TIMES = [0, 10, 20, 40]


def enclosure(low, high, **bounds):
    """Of seeds 3 and 5, at four iterations."""
    coords = {"seed": [3, 5], "iteration": TIMES}
    ends = (xr.DataArray(np.array(x, float), dims=("seed", "iteration"), coords=coords) for x in (low, high))
    return Enclosure(*ends, **bounds)


def test_from_which_iteration_on_and_by_what_margin():
    low = [[0.0, 0.625, 0.75, 0.875], [0.0, 0.25, 0.625, 0.75]]
    found = certify(enclosure(low, np.array(low) + 0.0625, lower=0.5), [3, 5])
    assert (found.true, found.false, found.since, found.last) == ((3, 5), (), (10, 20), 40)
    assert found.margin == 0.25
    assert found.says() == "certified on 2 of 2 draws, from t = 10 … 20 to 40, by 0.25"


def test_what_is_false_is_certified_too():
    found = certify(enclosure([[0.9] * 4, [0.1] * 4], [[1.0] * 4, [0.2] * 4], lower=0.5), [3, 5])
    assert (found.true, found.false) == ((3,), (5,))
    assert "false in exact arithmetic on 1" in found.says()


def test_where_the_bound_outgrows_the_margin_it_says_from_when_on():
    """Up to then both what is so and what is not so is certain."""
    low, high = (
        [[0.1, 0.6, 0.6, 0.4], [0.1, 0.4, -math.inf, -math.inf]],
        [[0.2, 0.7, 0.7, 0.9], [0.2, 0.6, 1.0, math.inf]],
    )
    found = certify(enclosure(low, high, lower=0.5), [3, 5])
    assert (found.true, found.false, found.until, found.margin) == ((), (), {"3": 40, "5": 10}, None)
    assert found.says() == "certified on 0 of 2 draws; on draw 3 not from t = 40 on, on draw 5 not from t = 10 on"


def test_an_interval_across_a_bound_or_unknown_certifies_nothing():
    for low, high in ((0.4, 0.6), (math.nan, math.nan), (-math.inf, math.inf)):
        found = certify(enclosure([[low] * 4] * 2, [[high] * 4] * 2, lower=0.5, upper=0.9), [3, 5])
        assert (found.true, found.false) == ((), ())
        assert found.until == {"3": 0, "5": 0}


def test_what_is_not_about_an_iteration_has_no_times():
    one = xr.DataArray([2.0, 3.0], dims="seed", coords={"seed": [3, 5]})
    found = certify(Enclosure(one, one, lower=1.0, upper=one + 0.5), [5])
    assert (found.true, found.since, found.last, found.margin) == ((5,), (), None, 0.5)
    assert found.says() == "certified on 1 of 1 draws, by 0.5"


def test_bounds_at_their_worst_refute_nothing():
    one = xr.DataArray([2.0, 3.0], dims="seed", coords={"seed": [3, 5]})
    assert certify(Enclosure(one, one, upper=2.5), [3, 5]).false == (5,)
    assert certify(Enclosure(one, one, upper=2.5, refutes=False), [3, 5]).false == ()
