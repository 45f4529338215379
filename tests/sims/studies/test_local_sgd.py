"""What is special about the study of Local SGD: what each claim is held to, on numbers that are checked by eye."""

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import local_sgd
from lemmascope.sims.studies.local_sgd import STUDY, Settings
from lemmascope.sims.study import settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.claims import LOCAL_SGD
from lemmascope.theory.noise.local_sgd import RULES
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("local_sgd."): claim for claim in LOCAL_SGD}
SEEDS = 32


def verdict(name, data, role, others=()):
    one = Evidence(data, "x", role=role)
    (found,) = judge(CLAIMS[name], [one, *others], controls=STUDY.controls)
    return found


def drawn(means, spread=0.01, seed=0):
    """(seed, …) values about the given ones, of exactly these means."""
    means = np.asarray(means, float)
    noise = np.random.default_rng(seed).standard_normal((SEEDS, *means.shape))
    return means * (1 + spread * (noise - noise.mean(axis=0)))


CURVE = {"eta_h": 0.04, "eta_noise": 0.0025, "crossed": 0}


def lengths(ratios=(1.7, 5.1), stated=(1.7, 5.1), spread=0.01, **attrs):
    H = [1, 4, 32]
    small = np.full((SEEDS, 3), 1e-16)
    return xr.Dataset(
        {
            "fall": (("seed", "H"), 0.026 * drawn([1.0, *ratios], spread)),
            "predicted": ("H", [1.0, *stated]),
            **dict.fromkeys(("step", "average"), (("seed", "H"), small)),
            **{f"wrong_{name}": (("seed", "H"), small + 1e-4) for name in ("step", "average")},
        },
        {"seed": range(SEEDS), "H": H},
        CURVE | attrs,
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (lengths(), Status.HOLDS),
        (lengths((1.72, 5.0)), Status.HOLDS),
        (lengths((1.7, 5.4)), Status.REFUTED),
        (lengths((1.6, 5.1)), Status.REFUTED),
        (lengths((1.7, 5.24)), Status.INCONCLUSIVE),
        (lengths(spread=0.1), Status.INCONCLUSIVE),
        (lengths(eta_h=0.2), Status.NOT_APPLICABLE),
        (lengths(eta_noise=0.02), Status.NOT_APPLICABLE),
        (lengths(crossed=1), Status.NOT_APPLICABLE),
    ],
)
def test_the_ratio_is_held_with_its_whole_interval_at_every_length(data, status):
    shared = Evidence(lengths((8.0, 8.0)), "shared", role="shared noise")
    found = verdict("drift_ratio", data, "lengths", [shared])
    assert found.status is status, found.reason
    if status is not Status.NOT_APPLICABLE:
        assert found.control["status"] == "REFUTED"


def test_the_identities_are_held_on_each_replica_and_both_wrong_ones_must_show():
    assert verdict("invariant", lengths(), "lengths").status is Status.HOLDS
    one = lengths()
    one["average"][3, 1] = 1e-12
    found = verdict("invariant", one, "lengths")
    assert (found.status, found.witness["seed"]) == (Status.REFUTED, 3)
    hidden = lengths()
    hidden["wrong_step"][:] = 1e-16
    assert verdict("invariant", hidden, "lengths").control["status"] == "HOLDS"


def workers(ratios, fewer):
    falls = [[1.0, r] for r in ratios]
    return xr.Dataset(
        {
            "fall": (("seed", "K", "H"), drawn(falls)),
            "predicted": (("K", "H"), [[1.0, 1.77], [1.0, 24.9]]),
            "fewer": (("K", "H"), [[1.0, f] for f in fewer]),
        },
        {"seed": range(SEEDS), "K": [2, 32], "H": [1, 64]},
        CURVE,
    )


def test_every_number_of_workers_is_a_cell():
    found = verdict("workers", workers((1.77, 24.9), (1.0, 24.1)), "workers")
    assert (found.status, found.control["status"]) == (Status.HOLDS, "REFUTED")
    assert verdict("workers", workers((1.77, 23.0), (1.0, 24.1)), "workers").status is Status.REFUTED


def average(after, before=2.0, spread=0.02):
    H = [1, 8, 64]
    return xr.Dataset(
        {
            "after": (("seed", "H"), 6.378e-4 * drawn(after, spread)),
            "before": (("seed", "H"), 6.378e-4 * drawn([before] * 3, spread)),
            "stated": ("H", [6.378e-4] * 3),
        },
        {"seed": range(SEEDS), "H": H},
        CURVE,
    )


@pytest.mark.parametrize(
    ("after", "status"),
    [((1, 1, 1.02), Status.HOLDS), ((1, 1, 1.1), Status.REFUTED), ((1, 1, 1.049), Status.INCONCLUSIVE)],
)
def test_the_noise_at_the_averages(after, status):
    found = verdict("same_noise_at_sync", average(after), "average")
    assert (found.status, found.control["status"]) == (status, "REFUTED")


def rates(slopes, stated=(0.86, -0.04, -0.33), spread=0.005):
    eta = np.array([0.01, 0.02, 0.04])

    def ratio(exponents):
        return np.stack([1 + 0 * eta, *(1 + 3 * (eta / 0.04) ** p for p in exponents)], axis=-1)

    return xr.Dataset(
        {
            "fall": (("seed", "rate", "rule"), drawn(ratio(slopes), spread)),
            "predicted": (("rate", "rule"), ratio(stated)),
        },
        {"seed": range(SEEDS), "rate": eta, "rule": list(RULES)},
        CURVE,
    )


@pytest.mark.parametrize(
    ("slopes", "status"),
    [
        ((0.86, -0.04, -0.33), Status.HOLDS),
        ((0.9, -0.01, -0.3), Status.HOLDS),
        ((0.6, -0.04, -0.33), Status.REFUTED),
        ((0.86, -0.04, -0.5), Status.REFUTED),
        ((0.86, -0.04, -0.232), Status.INCONCLUSIVE),
    ],
)
def test_the_slopes_are_those_of_the_prediction(slopes, status):
    found = verdict("small_rate", rates(slopes), "rates")
    assert (found.status, found.control["status"]) == (status, "REFUTED"), found.reason


def test_loud_noise_is_no_case_of_the_slopes():
    loud = rates((0.86, -0.04, -0.33)).assign_attrs(eta_noise=0.02)
    assert verdict("small_rate", loud, "rates").status is Status.NOT_APPLICABLE


def test_a_ratio_below_one_has_no_slope():
    data = rates((0.86, -0.04, -0.33))
    data["fall"][:, :, 1] = 0.9 * data["fall"][:, :, 0]
    assert verdict("small_rate", data, "rates").status is Status.INCONCLUSIVE


def window(early=0.013, z_peak=1.7, h_peak=0.97, at=0.34, left=0.15, R=6.44, stated=1):
    budget = np.linspace(0, 2.4, 241)
    gaps = {}
    for name, peak, place in (("z", z_peak, at), ("h", h_peak, 0.2)):
        shape = np.where(budget < place, budget / place, left + (1 - left) * np.exp(-3 * (budget - place)))
        gaps[name] = np.where(budget == 0, early, peak * shape)
    flat = np.where(budget < 0.7, budget / 0.7, np.exp(-(budget - 0.7))) * 0.35
    data = {f"{n}_gap": (("seed", "H", "record"), drawn(np.stack([flat, gaps[n]]), 1e-4)) for n in gaps}
    data |= {f"{n}_predicted": (("H", "record"), np.stack([flat, gaps[n]])) for n in gaps}
    return xr.Dataset(
        data | {"peak": ("H", [0.81, 0.342]), "budget": ("record", budget)},
        {"seed": range(SEEDS), "H": [2, 32]},
        {"R": R, "stated": stated},
    )


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("long_training", window(), Status.HOLDS),
        ("long_training", window(early=0.06), Status.REFUTED),
        ("long_training", window(z_peak=0.9), Status.REFUTED),
        ("long_training", window(h_peak=0.8), Status.REFUTED),
        ("window", window(), Status.HOLDS),
        ("window", window(at=0.4), Status.REFUTED),
        ("window", window(left=0.4), Status.REFUTED),
        ("window", window(R=1.4), Status.NOT_APPLICABLE),
        ("window", window(stated=0), Status.NOT_APPLICABLE),
        ("long_training", window(stated=0), Status.NOT_APPLICABLE),
    ],
)
def test_the_gap_is_small_at_first_then_wide_then_small(name, data, status):
    found = verdict(name, data, "window")
    assert found.status is status, found.reason
    if status is not Status.NOT_APPLICABLE:
        assert found.control["status"] == "REFUTED"


def straight(diffusion=1.0, square=1.0, unsettled=0, narrow=0.02):
    stated = np.array([0.0195, 0.0106, 0.0063])
    return xr.Dataset(
        {
            "increment": (("seed", "H"), 6.25e-6 * drawn([diffusion] * 3)),
            "square": (("seed", "H"), drawn(square * stated)),
            "increment_stated": ("H", [6.25e-6] * 3),
            "square_stated": ("H", stated),
            "unsettled": ("H", [unsettled, 0, 0]),
        },
        {"seed": range(SEEDS), "H": [1, 8, 32]},
        {"narrow": narrow},
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (straight(), Status.HOLDS),
        (straight(square=1.06), Status.HOLDS),
        (straight(square=1.2), Status.REFUTED),
        (straight(diffusion=0.9), Status.REFUTED),
        (straight(diffusion=0.9, unsettled=1), Status.REFUTED),
        (straight(unsettled=1), Status.INCONCLUSIVE),
        (straight(narrow=0.1), Status.NOT_APPLICABLE),
    ],
)
def test_the_straight_valley(data, status):
    one = Evidence(straight(diffusion=4.0), "K = 1", role="one worker")
    found = verdict("same_diffusion", data, "straight", [one])
    assert found.status is status, found.reason
    if status is not Status.NOT_APPLICABLE:
        assert found.control["status"] == "REFUTED"


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eta": 0.6}, r"diverge.*2/h₀ = 0.5547"),
        ({"eta": 0.0}, "eta"),
        ({"lengths": (3,)}, "multiple of every length"),
        ({"lengths": (1, 2)}, "at least 2"),
        ({"lengths": (8, 4)}, "increasing"),
        ({"several_K": ()}, "one or more"),
        ({"seeds": 1}, "at least 2"),
        ({"steps": 1000}, "multiple of every length"),
        ({"straight_steps": 30_000}, "multiple of 1600"),
        ({"straight_steps": 1600}, "at least"),
        ({"s": -1.0}, "s"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)


def test_what_few_replicas_leave_open_is_said_before():
    assert not local_sgd.undecided(Settings())
    assert not local_sgd.undecided(settings_of(Settings, "quick"))
    found = local_sgd.undecided(settings_of(Settings, "tiny"))
    assert set(found) == {f"local_sgd.{name}" for name in CLAIMS} - {"local_sgd.invariant"}
    assert "--window-seeds" in found["local_sgd.window"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ()),
        ({"eta": 0.02}, ()),
        ({"eta": 0.05}, ("drift_ratio", "workers")),
        ({"K": 4}, ("long_training", "window")),
        ({"s": 0.6}, ("small_rate", "long_training", "window")),
        ({"s": 2.0}, ("drift_ratio", "workers", "same_noise_at_sync", "small_rate", "long_training", "window")),
    ],
)
def test_what_settings_leave_is_expected_not_to_apply(change, names):
    assert set(STUDY.expects(Settings(**change))) == {f"local_sgd.{name}" for name in names}


def test_the_rules_have_whole_rounds_at_equal_budgets():
    for H in local_sgd.RATES:
        rounds, steps = local_sgd.by_rule(H)
        eta = local_sgd.BUDGET / H
        assert all(steps % one == 0 for one in rounds)
        assert abs(steps * eta**2 - 0.8192) < 1e-12
        assert abs(rounds[3] * eta**2 - 0.0128) < 1e-12


def test_noise_that_kills_every_replica_is_still_told():
    """Predictions reach below the smallest number, in logarithms."""
    fallen = local_sgd._fallen(0.2, Settings(s=2.0), 8, (1, 512), 8192)
    assert np.isfinite(fallen).all()
    assert fallen[1] > 745
