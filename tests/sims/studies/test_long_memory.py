"""What is special about the study of memory: what each claim is held to, on numbers that are checked by eye."""

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import long_memory
from lemmascope.sims.studies.long_memory import PARAMETERS, STUDY, Settings, batches_of_an_epoch, places
from lemmascope.sims.study import settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.claims import LONG_MEMORY
from lemmascope.theory.noise.long_memory import epoch_correlation, momentum_sum
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("long_memory."): claim for claim in LONG_MEMORY}
SEEDS = 32
HOLDS, REFUTED, OPEN, NONE = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE, Status.NOT_APPLICABLE


def verdict(name, data, role, others=()):
    (found,) = judge(CLAIMS[name], [Evidence(data, "x", role=role), *others], controls=STUDY.controls)
    return found


def drawn(means, spread, seed=0):
    """(seed, …) values about the given ones, of exactly these means and of about this spread."""
    means = np.asarray(means, float)
    noise = np.random.default_rng(seed).standard_normal((SEEDS, *means.shape))
    return means + spread * (noise - noise.mean(axis=0)) / noise.std(axis=0, ddof=1)


def of(dims, coords, variables, attrs=None):
    data = {name: (("seed", *dims), values) for name, values in variables.items()}
    return xr.Dataset(data, {"seed": range(SEEDS), **coords}, attrs or {})


H = np.array([0.2, 0.5, 0.8])


def exact(bias=0.0, spread=0.03, few=0.002):
    found = {
        "whittle": drawn(H + bias, spread),
        "variations": drawn(H, few, 1),
        "rescaled": drawn(H + np.array([0.1, 0.04, -0.02]), 0.02, 2),
    }
    found["rescaled"][4:] = np.nan
    return of(("H",), {"H": H}, found, {"nominal": 0.0336})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (exact(spread=0.01), HOLDS),
        (exact(bias=0.03, spread=0.01), REFUTED),
        (exact(bias=0.014, spread=0.01), OPEN),
        (exact(spread=0.2), REFUTED),
        (exact(spread=0.04), OPEN),
    ],
)
def test_estimators_are_held_to_bias_and_spread(data, status):
    found = verdict("estimators", data, "calibrate")
    assert found.status is status, found.reason


def test_a_rescaled_range_is_the_control_and_its_missing_draws_are_left_out():
    data = exact(spread=0.01)
    data["rescaled"][4:] = 0.1 + H  # of all draws
    assert verdict("estimators", data, "calibrate").control["status"] == "REFUTED"


PLACES = {"component": ["feature", "direction"], "gamma": [0.0, 0.99]}


def series(whittle=0.5, variations=0.5, first=0.0, spread=0.02, alive=True):
    one = np.ones((2, 2))
    found = {
        "whittle": drawn(whittle * one, spread),
        "variations": drawn(variations * one, spread / 4),
        "first": drawn(first * one, spread / 4),
    }
    data = of(("component", "gamma"), PLACES, found, {"nominal": 0.0214, "steps": 16384})
    good = np.ones(SEEDS, bool)
    good[3] = alive
    return data.assign(alive=("seed", good))


EPOCHS = Evidence(series(whittle=0.01, first=-0.0625), "epochs", role="epochs")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (series(), HOLDS),
        (series(whittle=0.53), HOLDS),
        (series(whittle=0.62), REFUTED),
        (series(variations=0.43), REFUTED),
        (series(first=0.06), REFUTED),
        (series(first=0.029), OPEN),
        (series(spread=0.2), OPEN),
    ],
)
def test_white_is_what_both_estimators_and_the_first_lag_call_white(data, status):
    found = verdict("iid_noise_is_white", data, "independent", [EPOCHS])
    assert (found.status, found.control["status"]) == (status, "REFUTED"), found.reason


def test_a_network_whose_noise_died_is_left_out():
    data = series(alive=False)
    data["whittle"][3] = np.nan
    found = verdict("iid_noise_is_white", data, "independent", [EPOCHS])
    assert found.status is HOLDS
    assert len(found.seeds) == SEEDS - 1


LAGS = np.arange(1, 32)


def epoch(acf=None, total=-0.5, whittle=0.01, variations=0.494, E=16, low=0.6):
    stated = epoch_correlation(LAGS, 16)
    acf = stated if acf is None else acf
    base = of(
        ("component", "lag"),
        {"component": ["feature", "direction"], "lag": LAGS},
        {"acf": drawn(np.stack([acf, acf]), 0.005)},
        {"E": E, "steps": 16384, "low": low},
    )
    two = np.ones(2)
    more = {
        "total": drawn(total * two, 0.02),
        "whittle": drawn(whittle * two, 0.0),
        "variations": drawn(variations * two, 0.005),
    }
    return base.assign(stated=("lag", stated), **{n: (("seed", "component"), x) for n, x in more.items()})


WHITE = Evidence(epoch(0 * LAGS, 0.0, 0.5), "independent", role="frozen independent")
EXACT = Evidence(epoch(whittle=0.3, variations=0.3), "exact", role="fractional")


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("epoch_law", epoch(), HOLDS),
        ("epoch_law", epoch(np.where(LAGS == 5, 0.0, epoch_correlation(LAGS, 16))), REFUTED),
        ("epoch_law", epoch(np.where(LAGS == 20, -0.05, epoch_correlation(LAGS, 16))), REFUTED),
        ("epoch_law", epoch(1.1 * epoch_correlation(LAGS, 16)), HOLDS),  # less than four standard deviations
        ("epoch_law", epoch(total=-0.3), REFUTED),
        ("epoch_is_not_fbm", epoch(), HOLDS),
        ("epoch_is_not_fbm", epoch(whittle=0.1), REFUTED),
        ("epoch_is_not_fbm", epoch(variations=0.4), REFUTED),
        ("epoch_is_not_fbm", epoch(E=4), NONE),
        ("epoch_is_not_fbm", epoch(low=1.2), NONE),
    ],
)
def test_the_epoch(name, data, status):
    found = verdict(name, data, "epoch", [WHITE, EXACT])
    assert found.status is status, found.reason
    if status is not NONE:
        assert found.control["status"] == "REFUTED"


def sums(power=None, factor=1.0, spread=0.002):
    k = np.array([places(gamma) for gamma in (0.9, 0.99)])
    stated = np.stack([momentum_sum(g, np.array(places(g), float)) for g in (0.9, 0.99)])
    true = stated * factor if power is None else k**power
    data = of(
        ("gamma", "place"),
        {"gamma": [0.9, 0.99], "place": range(k.shape[1])},
        {"variance": true * (1 + drawn(np.zeros(k.shape), spread))},
    )
    return data.assign(k=(("gamma", "place"), k), stated=(("gamma", "place"), stated))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (sums(), HOLDS),
        (sums(factor=1.1), REFUTED),
        (sums(factor=1.05), OPEN),
        (sums(power=1.4), REFUTED),
        (sums(power=1.0), REFUTED),
        (sums(spread=0.3), OPEN),
    ],
)
def test_sums_of_momentum_have_no_exponent(data, status):
    alien = Evidence(sums(power=1.4), "exact", role="fractional sums")
    found = verdict("momentum", data, "momentum", [alien])
    assert (found.status, found.control["status"]) == (status, "REFUTED"), found.reason


def batches(power=1, spread=0.02, one=4.0):
    B = np.array([1, 4, 16, 64])
    data = of(("B",), {"B": B}, {"excess": drawn(4.0 / B.astype(float) ** power, 4 * spread / 64)})
    return data.assign(one=("seed", np.full(SEEDS, one)))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (batches(), HOLDS),
        (batches(power=1.1), REFUTED),
        (batches(spread=0.5), OPEN),
        (batches(one=4.6), REFUTED),
        (batches(one=0.1), NONE),
    ],
)
def test_kurtosis_falls_as_the_batch_grows(data, status):
    found = verdict("kurtosis", data, "kurtosis")
    assert found.status is status, found.reason
    if status is not NONE:
        assert found.control["status"] == "REFUTED"


def times(means, late=(), spread=0.3):
    at = [0.3, 0.5, 0.7]
    inside = np.zeros((SEEDS, 3))
    for j in late:
        inside[0, j] = 1
    return of(("H",), {"H": at}, {"time": drawn(means, 0) * (1 + drawn(np.zeros(3), spread)), "inside": inside})


RISES, FALLS = times([170, 380, 900]), times([9000, 380, 60], late=(0,))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (RISES, HOLDS),
        (times([170, 380, 375]), OPEN),
        (times([170, 380, 200]), REFUTED),
        (times([170, 380, 900], late=(2,)), HOLDS),  # T of the largest H is larger still
        (times([170, 380, 900], late=(1,)), OPEN),
        (times([170, 380, 300], late=(2,), spread=0.05), OPEN),  # and may be large enough
        (times([170, 380, 300], late=(1,), spread=0.05), REFUTED),
    ],
)
def test_times_that_are_known_from_below_decide_only_what_they_can(data, status):
    others = [Evidence(FALLS, "step", role="step")]
    found = verdict("escape", data, "variance", others)
    assert (found.status, found.control["status"]) == (status, "REFUTED"), found.reason


def test_the_order_turns_at_equal_noise_of_a_step():
    backwards = Evidence(RISES.isel(H=slice(None, None, -1)), "backwards", role="backwards")
    found = verdict("escape_per_step", FALLS, "step", [backwards])
    assert (found.status, found.control["status"]) == (REFUTED, "REFUTED")
    assert found.as_expected
    assert "> 9000, 380, 60" in found.reason


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"B": 5}, "divide the 128 samples"),
        ({"B": 128}, "two batches or more"),
        ({"B": 0}, "B = 0"),
        ({"seeds": 1}, "from 2 to 1000000"),
        ({"paths": 10**20}, "from 2 to 1000000"),
        ({"eta": 0.0}, "eta"),
        ({"eta": float("inf")}, "eta"),
        ({"steps": 1000}, "multiple of 128"),
        ({"frozen_steps": 128}, "twice it"),
        ({"length": 10_000}, "sums of 20000 steps"),
        ({"path_steps": 3}, "path_steps"),
        ({"samples": 3 * 2**16}, "power of 2"),
        ({"samples": 2**10}, "samples"),
        ({"draws": -1}, "draws"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)


def test_what_few_draws_leave_open_is_said_before():
    assert not long_memory.undecided(Settings())
    assert not long_memory.undecided(settings_of(Settings, "quick"))
    found = long_memory.undecided(settings_of(Settings, "tiny"))
    assert set(found) == {f"long_memory.{n}" for n in CLAIMS} - {
        f"long_memory.{n}" for n in ("epoch_is_not_fbm", "escape_per_step")
    }
    assert "--paths 256" in found["long_memory.escape"]


def test_an_epoch_that_is_no_case_is_expected_to_be_none():
    assert batches_of_an_epoch(Settings()) == 16
    assert not STUDY.expects(Settings())
    for B in (2, 32):
        assert STUDY.expects(Settings(B=B)) == {"long_memory.epoch_is_not_fbm": NONE}


def test_the_network_is_that_of_the_page():
    assert (PARAMETERS.N, PARAMETERS.d, PARAMETERS.P, PARAMETERS.m) == (128, 400, 2, 5)
    assert places(0.9)[-2:] == (1000, 2000)
    assert places(0.99)[-2:] == (10_000, 20_000)


def test_estimates_of_what_is_not_finite_are_not_numbers():
    noise = np.random.default_rng(0).standard_normal((3, 64))
    noise[1, 5] = np.nan
    noise[2] = 1.0
    found = long_memory._estimated(noise)
    assert np.isfinite(found["whittle"]).tolist() == [True, False, False]
    assert np.isfinite(found["variations"]).tolist() == [True, False, False]
