"""The claims on momentum's gain against the batch size: slopes and intervals, on planted gains."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.theory.claim import Evidence
from lemmascope.theory.images.claims import BATCH_SIZE
from lemmascope.theory.images.claims.batch_size import interval, slope
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("batch."): claim for claim in BATCH_SIZE}
BATCHES = (10, 25, 50, 100, 200)
NOISE = np.random.default_rng(1).standard_normal((5, 8))


def of_images(gain, error=0.0, batches=BATCHES, **settings):
    """Evidence with these gains (batch, seed)."""
    gain = np.broadcast_to(gain, (len(batches), np.shape(gain)[-1]))
    data = xr.Dataset(
        {
            "gain": (("batch", "seed"), gain),
            "error": (("optimizer", "batch", "seed"), np.full((2, *gain.shape), error)),
        },
        {"batch": list(batches), "seed": range(gain.shape[1]), "optimizer": [0.0, 0.9]},
    )
    usual = {"augmentation": False, "normalization": False, "seeds": gain.shape[1], "train_size": 200}
    return Evidence(data, "x", role="images", parameters=SimpleNamespace(**usual | settings))


def of_central(gain, weak=0.0, slow=1, steps=8000):
    data = {"gain": (("batch", "seed"), gain), "weak": (("batch", "seed"), np.full(np.shape(gain), weak))}
    coords = {"batch": list(BATCHES), "seed": range(np.shape(gain)[1])}
    return Evidence(xr.Dataset(data, coords, {"slow": slow, "steps": steps}), "x", role="central")


def growing(per_doubling, level=0.0, noise=0.004):
    return level + per_doubling * np.log2(np.array(BATCHES))[:, None] + noise * NOISE


def test_a_slope_is_that_of_least_squares():
    gain = of_images(growing(0.02)).data["gain"]
    fitted = np.polyfit(np.log2(BATCHES), gain.values, 1)[0]
    assert_close(slope(gain).values, fitted, "identity")
    assert slope(gain).dims == ("seed",)


def test_an_interval_is_students():
    mean, low, high = interval([0.0, 1.0, 5.0])
    t = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025))  # with 2 degrees of freedom its quantile has a closed form
    reach = t * math.sqrt(7 / 3)
    assert_close([mean, low, high], [2.0, 2 - reach, 2 + reach], "identity")
    assert interval([0.3]) == (0.3, -math.inf, math.inf)


@pytest.mark.parametrize(
    ("name", "gain", "status"),
    [
        ("momentum_helps", growing(0, 0.01), Status.HOLDS),
        ("momentum_helps", growing(0, -0.01), Status.REFUTED),
        ("momentum_helps", growing(0, 0.0, noise=0.05), Status.INCONCLUSIVE),
        ("gain_grows", growing(0.01), Status.HOLDS),
        ("gain_grows", growing(-0.01, 0.05), Status.REFUTED),
        ("gain_grows", growing(0.0, 0.05, noise=0.02), Status.INCONCLUSIVE),
        ("not_noise", growing(-0.01, 0.1), Status.HOLDS),
        ("not_noise", growing(-0.01, 0.05), Status.REFUTED),
    ],
)
def test_intervals_decide(name, gain, status):
    assert CLAIMS[name].judge(of_images(gain)).status is status


def test_the_planted_slope_is_that_of_the_claim_and_the_draws_own_noise_is_kept():
    claim, evidence = CLAIMS["gain_grows"], of_images(growing(0.05))
    found = claim.judge(evidence, constants=claim.control.constants)
    assert found.status is Status.REFUTED
    assert_close(found.computed, -0.01, "identity", scale=1)
    reach = [v.evidence["interval"][1] - v.computed for v in (found, claim.judge(evidence))]
    assert_close(reach[0], reach[1], "identity", scale=1)
    loud = of_images(growing(0.05, noise=0.1))
    assert claim.judge(loud, constants=claim.control.constants).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("name", "evidence", "failed"),
    [
        ("momentum_helps", of_images(growing(0.01), error=0.005), "fitted"),
        ("gain_grows", of_images(growing(0.01), augmentation=True), "plain"),
        ("gain_grows", of_images(growing(0.01), normalization=True), "plain"),
        ("gain_grows", of_images(growing(0.01)[:, :7]), "seeds"),
        ("gain_grows", of_images(growing(0.01)[:4], batches=BATCHES[:4]), "sizes"),
        ("not_noise", of_images(growing(0.01), train_size=201), "whole"),
        ("central_growth", of_central(growing(0)), ""),
        ("central_growth", of_central(growing(0), slow=0), "slow"),
        ("central_gain_at_every_size", of_central(growing(0), steps=3999), "long"),
    ],
)
def test_what_is_not_assumed_is_not_claimed(name, evidence, failed):
    found = CLAIMS[name].judge(evidence)
    assert (found.status is Status.NOT_APPLICABLE) == bool(failed)
    assert not failed or f"hypothesis {failed} fails" in found.reason


def test_a_draw_that_is_not_fitted_is_left_out_and_few_of_them_decide_nothing():
    evidence = of_images(growing(0.01))
    evidence.data["error"][1, 4, 2] = 0.005
    helps = CLAIMS["momentum_helps"].judge(evidence)
    assert helps.seeds == (0, 1, 3, 4, 5, 6, 7)
    grows = CLAIMS["gain_grows"].judge(evidence)
    assert (grows.status, grows.seeds) == (Status.INCONCLUSIVE, helps.seeds)
    assert "takes 8 draws, and 7 are left" in grows.reason
    assert CLAIMS["not_noise"].judge(evidence).status is Status.INCONCLUSIVE


@pytest.mark.parametrize("name", ["momentum_helps", "gain_grows", "not_noise"])
def test_two_optimizers_that_are_one_gain_nothing(name):
    found = CLAIMS[name].judge(of_images(growing(0, noise=0)))
    assert found.status is Status.INCONCLUSIVE
    assert "as if both were one optimizer" in found.reason


def test_every_draw_of_the_central_data_gains_at_every_size():
    claim, gain = CLAIMS["central_gain_at_every_size"], np.full((5, 3), 0.5)
    assert claim.judge(of_central(gain)).status is Status.HOLDS
    gain[3, 1] = 0.3
    found = claim.judge(of_central(gain))
    assert (found.status, found.witness["seed"]) == (Status.REFUTED, 1)
    assert claim.judge(of_central(gain + 0.2), constants=claim.control.constants).status is Status.REFUTED


@pytest.mark.parametrize(
    ("per_doubling", "status"), [(0.0, Status.HOLDS), (0.03, Status.REFUTED), (-0.03, Status.REFUTED)]
)
def test_no_growth_is_an_equivalence(per_doubling, status):
    claim, evidence = CLAIMS["central_growth"], of_central(growing(per_doubling, 0.5, noise=0.001))
    assert claim.judge(evidence).status is status
    if status is Status.HOLDS:
        assert claim.judge(evidence, constants=claim.control.constants).status is Status.REFUTED


@pytest.mark.parametrize(("distance", "status"), [(0.0, Status.HOLDS), (1e-300, Status.REFUTED)])
def test_gradient_descent_is_meant_bit_for_bit(distance, status):
    data = xr.Dataset({"full": ("seed", [0.0, distance]), "half": ("seed", [0.1, 0.2])}, {"seed": [0, 1]})
    claim = CLAIMS["full_batch_is_gd"]
    assert claim.judge(Evidence(data, "x", role="descent")).status is status
    control = claim.judge(Evidence(data, "x", role="descent"), constants=claim.control.constants)
    assert control.status is Status.REFUTED
