"""Each claim's interval is about the number that it measures, against the same bounds; and wide intervals stay wide."""

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.evidence import evidence
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.sims.studies.headline import SMALL
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.claims import enclosures as enclosed
from lemmascope.theory.cubic_cnn.claims.stages import MOVED
from lemmascope.theory.optimizers import GD, MomentumAverage

ENCLOSED = [claim for claim in TRAJECTORY if claim.encloses is not None]
SAMPLED = {
    "gd.generalizes_on_large_margin",
    "gd.fails_on_small_margin",
    "gd.no_learning_rate_rescues",
    "gdm.generalizes",
}
"""Measured less, or plus, three standard errors, where the interval needs none."""


@pytest.fixture(scope="module")
def trajectory():
    """150 iterations, all recorded: the feature is learnt, and momentum has carried it on."""
    rates = {"GD": GD(0.1), "GD 0.2": GD(0.2), "GD 0.3": GD(0.3), "GD+M": MomentumAverage(0.1, 0.99)}
    return simulate(SMALL, rates, iterations=150, seeds=3, root_seed=4, record=Every(1), certify=True, workers=1)


def wider(trajectory, name, share):
    """With intervals that reach that far, as a share of the value, to both sides."""
    middle = trajectory[name]
    ends = np.sort(np.stack([(1 - share) * middle, (1 + share) * middle], axis=-1), axis=-1)
    within = trajectory[f"{name}_within"]
    return trajectory.assign({f"{name}_within": (within.dims, ends)})


def of(trajectory, label):
    """The run of one optimizer."""
    return next(one for one in evidence(trajectory) if one.label == label)


def last(x):
    return np.asarray(x.isel(iteration=-1) if "iteration" in x.dims else x, dtype=float)


@pytest.mark.parametrize("claim", ENCLOSED, ids=lambda claim: claim.id)
def test_the_interval_has_what_is_measured_and_its_bounds_are_the_claims(claim, trajectory):
    runs = [one for one in evidence(trajectory) if claim.concerns(one)]
    assert runs
    for run in runs:
        measured, found = claim.measure(run), claim.encloses(run)
        low, high, value = last(found.low), last(found.high), np.asarray(measured.computed, dtype=float)
        error = 6 * float(run.final["test_accuracy_error"].max()) if claim.id in SAMPLED else 0.0
        assert np.all((low - error <= value) & (value <= high + error)), run.label
        if claim.id not in SAMPLED:  # of those one end may be far: half of all is the least that is shown near chance
            assert np.all(high - low <= 1e-6 * (1 + np.abs(value))), run.label
        for one, other in ((found.lower, measured.lower), (found.upper, measured.upper)):
            ours, theirs = (np.broadcast_to(np.asarray(x, dtype=float), value.shape) for x in (one, other))
            finite = np.isfinite(theirs)
            assert np.array_equal(finite, np.isfinite(ours)), run.label
            assert np.all(np.abs(ours[finite] - theirs[finite]) <= 1e-6 * np.abs(theirs[finite])), run.label


def test_a_run_without_a_certificate_has_no_interval(trajectory):
    bare = trajectory.drop_vars([name for name in trajectory.data_vars if str(name).endswith("_within")])
    for claim in ENCLOSED:
        assert all(claim.encloses(one) is None for one in evidence(bare) if claim.concerns(one)), claim.id


def test_a_ratio_takes_the_other_end_of_what_it_divides_by(trajectory):
    run = of(wider(trajectory, "Xi_abs_max", 0.25), "GD+M")
    found = enclosed.final_largest_size(run)
    now = run["Xi_abs_max"].max("margin")
    ratio = last(now) / np.asarray(now.isel(iteration=0))
    assert np.all(np.abs(last(found.low) / (ratio * 0.75 / 1.25) - 1) < 1e-12)
    assert np.all(np.abs(last(found.high) / (ratio * 1.25 / 0.75) - 1) < 1e-12)


def test_the_size_of_a_coefficient_whose_interval_has_0_is_0_or_more(trajectory):
    run = of(wider(trajectory, "c", 2.0), "GD")
    found = enclosed.largest_c(run, 1.0, size=True, lower=0.0)
    assert np.all(last(found.low) == 0)
    assert np.all(np.abs(last(found.high) / (3 * last(abs(run["c"]).max("neuron"))) - 1) < 1e-12)


def test_where_it_is_not_sure_when_something_happens_nothing_is_known(trajectory):
    """ν₂ within 30 % tells no iteration at which it has lost a tenth; c within a half none of its passing."""
    found = enclosed.shares_at_move(of(wider(trajectory, "nu", 0.3), "GD+M"), MOVED)
    assert np.all(np.isnan(found.low))
    assert np.all(np.isnan(found.high))
    claim = next(one for one in ENCLOSED if one.id == "lemma.tensor_power")
    assert np.all(np.isnan(claim.encloses(of(wider(trajectory, "c", 0.5), "GD")).low))
