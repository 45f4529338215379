"""What is special about the study of the square-root rule: what each claim is held to, on numbers checked by eye."""

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import adam_sde
from lemmascope.sims.studies.adam_sde import STUDY, Settings
from lemmascope.sims.study import settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.adam_sde import EXPONENTS, SQRT
from lemmascope.theory.noise.claims import ADAM_SDE
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("adam_sde."): claim for claim in ADAM_SDE}
SEEDS = 16


def verdict(name, data):
    (found,) = judge(CLAIMS[name], [Evidence(data, "x", role=CLAIMS[name].about)], controls=STUDY.controls)
    return found


def drawn(means, spread=1e-4):
    """(seed, …) values about the given ones, of exactly these means."""
    means = np.asarray(means, float)
    noise = np.random.default_rng(0).standard_normal((SEEDS, *means.shape))
    return means * (1 + spread * (noise - noise.mean(axis=0)))


def scaling(mean=0.002, square=0.007, v=0.016, stated=0.002, spread=1e-4, **attrs):
    """Deviations of the rule at κ = 4, those of all others being 30 times as large."""
    rules, factors, moments = list(EXPONENTS), [1, 4], {}
    base = {"mean": (0.07, 0.03), "square": (2e-3, 1e-3), "v": (0.6, 0.9)}
    for name, values in base.items():
        by = np.array([1 if rule == SQRT else 30 for rule in rules])[:, None]
        off = {"mean": 0.1 * mean, "square": square * np.array(values), "v": v}[name]
        one = np.stack([by * 0 + np.array(values), np.array(values) + by * off], axis=1)
        moments[name] = (("seed", "rule", "kappa", "time"), drawn(one, spread))
        shift = 0.1 * stated if name == "mean" else off
        told = np.stack([one[:, 0], np.array(values) + by * shift], axis=1)
        moments[f"{name}_stated"] = (("model", "rule", "kappa", "time"), np.stack([told, 1.1 * told]))
    labels = {"seed": range(SEEDS), "rule": rules, "kappa": factors, "time": [0.5, 1.0], "model": ["live", "frozen"]}
    return xr.Dataset(moments, labels, {"theta_0": 0.1, "p": 2**-9, "damping2": 2**-8} | attrs)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (scaling(), Status.HOLDS),
        (scaling(mean=0.02), Status.REFUTED),
        (scaling(square=0.03), Status.REFUTED),
        (scaling(v=0.04), Status.REFUTED),
        (scaling(spread=0.02), Status.INCONCLUSIVE),
        (scaling(theta_0=0.2), Status.NOT_APPLICABLE),
        (scaling(p=1 / 50), Status.NOT_APPLICABLE),
    ],
)
def test_the_rule_is_held_in_all_three(data, status):
    found = verdict("sqrt_rule", data)
    assert found.status is status, found.reason
    if status is not Status.NOT_APPLICABLE and found.status is not Status.INCONCLUSIVE:
        assert found.control["status"] == "REFUTED"


def test_the_least_of_the_wrong_rules_must_be_refuted():
    data = scaling()
    data["mean"][:, -1, 1], data["square"][:, -1, 1], data["v"][:, -1, 1] = (
        data[name][:, 0, 1] for name in ("mean", "square", "v")
    )
    assert verdict("sqrt_rule", data).control["status"] == "HOLDS"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (scaling(), Status.HOLDS),
        (scaling(stated=0.0025), Status.REFUTED),  # of the other rules 30 times as much
        (scaling(damping2=1 / 100), Status.NOT_APPLICABLE),
    ],
)
def test_mean_field_has_every_rules_deviation(data, status):
    assert verdict("mean_field", data).status is status


def test_mean_field_is_held_in_each_moment():
    for name, change in (("mean", 2e-4), ("square", 1e-5), ("v", 0.006)):
        data = scaling(spread=1e-6)
        data[name] = data[name] + change
        assert verdict("mean_field", data).status is Status.REFUTED


def dominance(wrong=1.0, below=1.01, spread=1e-4):
    """κ snr₀ = .01, .16 with a ratio below, 2.56 and 41 with 1.2."""
    ratio = np.array([[1.0, 1.0, below], [1.0, 1.2, 1.3]])
    mean = 0.1 * ratio
    return xr.Dataset(
        {
            "mean": (("seed", "theta_0", "kappa"), drawn(mean * np.array([1, 1, wrong]), spread)),
            "mean_stated": (("theta_0", "kappa"), mean),
        },
        {"seed": range(SEEDS), "theta_0": [0.05, 0.8], "kappa": [1, 4, 64]},
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (dominance(), Status.HOLDS),
        (dominance(wrong=1.03), Status.REFUTED),
        (dominance(below=1.06), Status.REFUTED),
        (dominance(spread=0.02), Status.INCONCLUSIVE),
    ],
)
def test_the_signal_costs_where_it_is_said_to(data, status):
    found = verdict("noise_dominance", data)
    assert found.status is status, found.reason
    if status is Status.HOLDS:
        assert found.control["status"] == "REFUTED"


def v_noise(old=(1.065, 1.03, 1.015), new=(0.968, 0.981, 0.99), spread=1e-4):
    delta = np.array([0.1, 0.05, 0.025])
    return xr.Dataset(
        {
            "ratio": (("seed", "order", "delta"), drawn([old, new], spread)),
            "stated": (("order", "delta"), np.stack([1 + 5 * delta / 8, 1 - 3 * delta / 8])),
        },
        {"seed": range(SEEDS), "order": ["old", "new"], "delta": delta},
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (v_noise(), Status.HOLDS),
        (v_noise(old=(1.08, 1.03, 1.015)), Status.REFUTED),
        (v_noise(new=(0.968, 0.981, 1.005)), Status.REFUTED),
        (v_noise(spread=0.01), Status.INCONCLUSIVE),
    ],
)
def test_the_fluctuation_of_v(data, status):
    found = verdict("v_noise", data)
    assert (found.status, found.control["status"]) == (status, "REFUTED"), found.reason


def test_one_seed_decides_nothing():
    assert verdict("v_noise", v_noise().isel(seed=[0])).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kappas": (16, 64)}, "4 among them"),
        ({"kappas": (16, 4)}, "increasing"),
        ({"kappas": (4, 12)}, "power of 2"),
        ({"kappas": (4, 256)}, r"κ\(1 − β\) must be at most 1"),
        ({"kappas": (4, 128)}, r"stable below 2\(1 \+ β₁\)"),
        ({"finest": 3}, "from 5 to 14"),
        ({"theta_0": 0.0}, "theta_0"),
        ({"seeds": 1}, "at least 2"),
        ({"noise_steps": 505}, "multiple of 10"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)


def test_what_few_copies_leave_open_is_said_before():
    assert not adam_sde.undecided(Settings())
    assert set(adam_sde.undecided(settings_of(Settings, "quick"))) == {"adam_sde.mean_field", "adam_sde.v_noise"}
    assert len(adam_sde.undecided(settings_of(Settings, "tiny"))) == 4
    assert set(adam_sde.undecided(Settings(noise_steps=1500))) == {"adam_sde.v_noise"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ()),
        ({"theta_0": 0.2}, ("sqrt_rule",)),
        ({"finest": 6, "kappas": (4,)}, ("mean_field",)),
        ({"finest": 5, "kappas": (4,)}, ("mean_field",)),
    ],
)
def test_what_settings_leave_is_expected_not_to_apply(change, names):
    assert set(STUDY.expects(Settings(**change))) == {f"adam_sde.{name}" for name in names}
