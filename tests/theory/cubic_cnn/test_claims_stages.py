"""What records must tell of the stages: on weights made by hand, recorded at every iteration and at fewer."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from lemmascope.theory.cubic_cnn.claims.stages import CLAIMS, RECORDED_DENSELY
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Status

HOLDS, REFUTED, OUTSIDE = Status.HOLDS, Status.REFUTED, Status.NOT_APPLICABLE
TIMES = np.arange(121)
CLAIM = dataclasses.replace(CLAIMS[0], assumes=(RECORDED_DENSELY,), probability=None, control=None)
LATE = np.where(TIMES < 105, 1.0, 0.01)
"""A ν₁ that is small from t = 105 on."""


def judged(large, small, *, without=()):
    """The verdict on one seed with these weights, without some records."""
    kept = ~np.isin(TIMES, without)
    nu = np.stack([large, small], axis=-1)[None, kept]
    data = {"nu": (("seed", "iteration", "margin"), nu), "T_0": ("seed", [1.0]), "T_1": ("seed", [1.0])}
    run = xr.Dataset(data, {"seed": [0], "iteration": TIMES[kept], "margin": ["large", "small"]})
    return CLAIM.judge(Run(run, "GD", parameters=HEADLINE, eta=0.1, gamma=0.0))


def dipping():
    """A ν₂ that moves at t = 103 alone, and again from 115 on."""
    return np.where(TIMES == 103, 0.85, np.where(TIMES < 115, 1.0, 0.5))


def test_every_iteration_tells_whatever_rises():
    assert judged(LATE, dipping()).status is REFUTED
    assert judged(np.where(TIMES == 50, 2.0, LATE), dipping()).status is REFUTED
    assert judged(np.where(TIMES < 100, 1.0, 0.01), dipping()).status is HOLDS


@pytest.mark.parametrize("gone", [(60,), (90, 91), (8, 30, 50), (100, 101)], ids=str)
@pytest.mark.parametrize("seen", ["large", "small"])
def test_a_weight_that_rises_is_not_read_from_sparse_records(gone, seen):
    """It rises from t = 98 to 99, before the move at 103: what it did where no record is, nobody knows."""
    bump = np.where(TIMES == 98, 0.95, 1.0)
    small = np.where(TIMES < 103, 1.0, 0.5)
    large = np.where(TIMES < 102, 1.0, 0.01)
    assert judged(large, small, without=gone).status is HOLDS
    large, small = (large * bump, small) if seen == "large" else (large, small * bump)
    assert judged(large, small).status is HOLDS
    found = judged(large, small, without=gone)
    assert (found.status, found.reason) == (OUTSIDE, "hypothesis recorded_densely fails")


def test_a_weight_that_rises_after_the_move_is_no_matter():
    small = np.where(TIMES < 103, 1.0, np.where(TIMES < 110, 0.5, 0.7))
    assert judged(np.where(TIMES < 90, 1.0, 0.01), small, without=(60, 112)).status is HOLDS


def test_what_is_assumed_between_records_is_said():
    """Where a dip and all that shows it is unrecorded no record can tell: that there is none is a stated assumption."""
    found = judged(LATE, dipping(), without=(102, 103, 105))
    assert found.status is HOLDS
    (said,) = found.hypotheses
    assert "never rise" in said["statement"]
    assert "assumed between them" in said["statement"]
    seen = judged(LATE, dipping(), without=(60, 102, 105))  # the dip itself is recorded: ν₁ is 1 before and after
    assert seen.status is REFUTED
    assert seen.witness["computed"] == 1


def test_rounding_is_no_rise():
    small = np.where(TIMES < 103, 1.0, 0.5) + 6e-8 * (TIMES % 2)
    assert judged(np.where(TIMES < 90, 1.0, 0.01), small, without=(60,)).status is HOLDS
    small = np.where(TIMES < 103, 1.0, 0.5) + 2e-6 * (TIMES % 2)
    assert judged(np.where(TIMES < 90, 1.0, 0.01), small, without=(60,)).status is OUTSIDE
