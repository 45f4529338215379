"""What is special about the study of AdaMomentum: what each claim is held to, on numbers checked by eye."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.noise.adamomentum import Losses
from lemmascope.sims.noise.adamomentum import regret as paid
from lemmascope.sims.studies import adamomentum
from lemmascope.sims.studies.adamomentum import BETA1, BETA2, KINDS, OPTIMIZERS, STUDY, Settings
from lemmascope.sims.study import Task, settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise import adamomentum as theory
from lemmascope.theory.noise.adamomentum import CELLS, SERIES
from lemmascope.theory.noise.claims import ADAMOMENTUM
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("adamomentum."): claim for claim in ADAMOMENTUM}
SAVED = Path(__file__).parents[3] / "docs" / "studies" / "adamomentum" / "verdicts.json"
SEEDS, A = 12, (1 - BETA1) / (1 + BETA1)


def verdict(name, data):
    (found,) = judge(CLAIMS[name], [Evidence(data, "x", role=CLAIMS[name].about)], controls=STUDY.controls)
    return found


def held(name, data, status):
    """The verdict is this, and where the claim applies and is decided its control is refuted."""
    found = verdict(name, data)
    assert found.status is status, found.reason
    if status not in (Status.NOT_APPLICABLE, Status.INCONCLUSIVE):
        assert found.control["status"] == "REFUTED"


def drawn(means, spread=1e-4):
    """(seed, …) values about the given ones, of exactly these means."""
    means = np.asarray(means, float)
    noise = np.random.default_rng(0).standard_normal((SEEDS, *means.shape))
    return means * (1 + spread * (noise - noise.mean(axis=0)))


@pytest.mark.parametrize(("most", "status"), [(0.0, Status.HOLDS), (1e-17, Status.REFUTED)])
def test_not_a_bit_may_differ(most, status):
    apart = np.array([[0.0, 0.3], [most, 0.2]])
    held("is_adam", xr.Dataset({"apart": (("seed", "beta1"), apart)}, {"seed": [0, 1], "beta1": [0.0, 0.5]}), status)


def alternating(m=1e-16, ours=1.0, adam=0.0, damped=0.0):
    a = np.array([1 / 3, 1 / 19])
    limit = np.array([[1, 1], a, [0.9, 0.7]])
    u = limit + np.array([[ours - 1], [adam], [damped]])
    dims = ("optimizer", "beta1")
    labels = {"optimizer": ["AdaMomentum", "Adam", "with ε"], "beta1": [0.5, 0.9]}
    return xr.Dataset({"m": ("beta1", [0.0, m]), "u": (dims, u), "limit": (dims, limit)}, labels)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (alternating(), Status.HOLDS),
        (alternating(m=1e-13), Status.REFUTED),
        (alternating(ours=1.0002), Status.REFUTED),
        (alternating(adam=2e-4), Status.REFUTED),
        (alternating(damped=-2e-4), Status.REFUTED),
    ],
)
def test_each_of_the_limits_is_held(data, status):
    held("alternating", data, status)


def moments(mean=1.0, variance=1.0, ours=1.0, spread=1e-4, beta2=BETA2):
    """What is stated, but for factors; ``ours``: of AdaMomentum's mean alone."""
    mu = np.array([1.0, 0.1])
    V = np.array([theory.second_moment(mu, 1.0, BETA1, momentum=momentum) for momentum in (True, False)])
    stated = theory.step_moments(mu, 1.0, BETA1, V)
    dims = ("optimizer", "mu")
    return xr.Dataset(
        {
            "mean": (("seed", *dims), drawn(stated[0] * mean * np.array([[ours], [1]]), spread)),
            "variance": (("seed", *dims), drawn(stated[1] * variance, spread)),
            "V": (dims, V),
        },
        {"seed": range(SEEDS), "optimizer": ["AdaMomentum", "Adam"], "mu": mu},
        {"beta1": BETA1, "beta2": beta2},
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (moments(), Status.HOLDS),
        (moments(mean=1.02, variance=0.98), Status.HOLDS),
        (moments(mean=1.04), Status.REFUTED),
        (moments(variance=0.96), Status.REFUTED),
        (moments(ours=1.02), Status.REFUTED),  # the ratios are 4 % apart
        (moments(spread=0.1), Status.INCONCLUSIVE),
        (moments(beta2=0.99), Status.NOT_APPLICABLE),
    ],
)
def test_mean_variance_and_their_ratio_are_held(data, status):
    held("step_moments", data, status)


def temperature(ours=1.0, end=1.0, matched=1.01, spread=1e-4, etas=(0.003, 0.3)):
    """E x² with AdaMomentum's times a factor, at the least η another."""
    adam = np.array(etas) / 2
    stated = np.stack([adam, adam * A**-0.5 * np.array([1.0, 1.08]), adam])
    found = stated * np.array([[1.0, 1.0], [ours * end, ours], [matched, matched]])
    dims = ("series", "eta")
    return xr.Dataset(
        {"square": (("seed", *dims), drawn(found, spread)), "stated": (dims, stated)},
        {"seed": range(SEEDS), "series": list(SERIES), "eta": list(etas)},
        {"beta1": BETA1, "beta2": BETA2},
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (temperature(), Status.HOLDS),
        (temperature(ours=1.03), Status.REFUTED),
        (temperature(end=0.97), Status.REFUTED),
        (temperature(spread=0.1), Status.INCONCLUSIVE),
        (temperature(etas=(0.02, 0.3)), Status.NOT_APPLICABLE),
    ],
)
def test_the_ratio_is_held_and_its_limit(data, status):
    held("hotter", data, status)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (temperature(), Status.HOLDS),
        (temperature(matched=1.12), Status.REFUTED),
        (temperature(matched=0.94), Status.REFUTED),
        (temperature(matched=1.099, spread=0.02), Status.INCONCLUSIVE),
        (temperature(etas=(0.003, 0.31)), Status.NOT_APPLICABLE),
    ],
)
def test_both_ends_are_held_at_matched_rates(data, status):
    held("same_at_matched_rate", data, status)


def losses(ours=0.5, repaired=0.09, adam=0.5, rounds=300_000):
    values = {"AdaMomentum": ours, "Adam": adam, "AMSAdaMomentum": repaired, "AMSGrad": 0.01}
    found = np.full((len(CELLS), len(KINDS), 2), 0.01)
    found[2] = [[5.0, values[kind]] for kind in KINDS]
    labels = {"cell": range(len(CELLS)), "kind": list(KINDS), "round": [1, rounds]}
    return xr.Dataset({"regret": (("cell", "kind", "round"), found)}, labels)


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("regret", losses(), Status.REFUTED),
        ("regret", losses(ours=0.09), Status.HOLDS),
        ("regret", losses(rounds=299_999), Status.NOT_APPLICABLE),
        ("regret_monotone", losses(), Status.HOLDS),
        ("regret_monotone", losses(repaired=0.11), Status.REFUTED),
    ],
)
def test_one_case_is_enough_against_a_regret(name, data, status):
    held(name, data, status)


def margin(adam=(0.5, 0.52), ours=(0.51, 0.9), given=0.85, taken=0.6, spread=1e-4, etas=(0.001, 0.01)):
    small = np.full((2, len(OPTIMIZERS), 2), np.nan)
    small[:, 0], small[:, 1] = adam, ours
    small[:, 2, 1], small[:, 3, 1] = given, taken
    small = drawn(small[0], spread)
    labels = {"seed": range(SEEDS), "optimizer": list(OPTIMIZERS), "eta": list(etas)}
    return xr.Dataset({"small": (("seed", "optimizer", "eta"), small)}, labels)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (margin(etas=(0.01, 0.1)), Status.HOLDS),
        (margin(ours=(0.58, 0.4), etas=(0.01, 0.1)), Status.HOLDS),  # the best η may be any
        (margin(adam=(0.87, 0.52), etas=(0.01, 0.1)), Status.REFUTED),
        (margin(), Status.NOT_APPLICABLE),  # Adam's best η is none of these
    ],
)
def test_the_best_are_compared(data, status):
    held("small_margin", data, status)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (margin(), Status.HOLDS),
        (margin(given=0.80), Status.REFUTED),
        (margin(taken=0.62), Status.REFUTED),
        (margin(taken=0.614, spread=0.01), Status.INCONCLUSIVE),
        (margin(ours=(0.51, 0.56)), Status.NOT_APPLICABLE),
    ],
)
def test_first_steps_are_held_both_ways(data, status):
    held("first_steps", data, status)


def test_first_steps_are_judged_where_they_are_given():
    """At η = 0.01, whatever larger rates are tried."""
    low = margin()
    more = low.sel(eta=[0.01]).assign_coords(eta=[0.1]).where(low["optimizer"].isin(list(OPTIMIZERS[:2])))
    both = xr.concat([low, more], "eta")
    held("first_steps", both, Status.HOLDS)
    assert adamomentum.first_eta((0.001, 0.01, 0.1)) == 0.01
    assert adamomentum.first_eta((0.001, 0.003)) == 0.003


def test_one_seed_decides_nothing_of_what_is_estimated():
    for name, data in (
        ("step_moments", moments()),
        ("hotter", temperature()),
        ("same_at_matched_rate", temperature()),
        ("first_steps", margin()),
    ):
        assert verdict(name, data.isel(seed=[0])).status is Status.INCONCLUSIVE


def test_the_given_first_steps_are_those_of_a_constant_gradient():
    """Adam with them and AdaMomentum take the same steps, and so do Adam and AdaMomentum without them."""
    optimizers = adamomentum._optimizers(0.01, True)
    ends = {}
    for name, optimizer in optimizers.items():
        theta = np.zeros(2)
        state = optimizer.init(theta)
        for t in range(40):
            theta, state = optimizer.step(theta, np.array([3.0, -0.2]), state, t)
        ends[name] = theta
    assert np.abs(ends["AdaMomentum"] - ends["Adam, started"]).max() < 1e-6
    assert np.abs(ends["AdaMomentum, not started"] - ends["Adam"]).max() < 1e-6
    assert ends["AdaMomentum"][0] < 2 * ends["Adam"][0] < 0


def test_a_part_of_the_central_experiment_is_placed_by_optimizer_and_rate():
    settings = settings_of(Settings, "tiny", margin_steps=3, margin_etas=(1e-3, 1e-2))
    task = Task(
        study="adamomentum",
        experiment="margin",
        at={"seed": 1},
        settings=settings,
        root_seed=0,
        backend="auto",
        dtype="float64",
    )
    found = adamomentum.margin(task)
    assert found["small"].isnull().values.tolist() == [[False, False], [False, False], [True, False], [True, False]]
    c = found["c_max"]
    assert float(c.sel(optimizer="AdaMomentum", eta=1e-2)) > float(c.sel(optimizer="AdaMomentum", eta=1e-3))
    ours, given = (float(c.sel(optimizer=name, eta=1e-2)) for name in ("AdaMomentum", "Adam, started"))
    assert abs(ours / given - 1) < 0.1
    assert min(ours, given) > 3 * float(c.sel(optimizer="Adam", eta=1e-2))


def test_gradients_of_the_identity_reach_heavy_tails():
    task = Task(
        study="adamomentum",
        experiment="identity",
        at={"seed": 0},
        settings=settings_of(Settings, "tiny"),
        root_seed=0,
        backend="auto",
        dtype="float64",
    )
    found = adamomentum.identity(task)
    assert float(found["apart"].sel(beta1=0)) == 0
    assert float(found["apart"].sel(beta1=0.5)) > 0.01


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": 1}, "from 2 to 1000000"),
        ({"copies": 10**20}, "from 2 to 1000000"),
        ({"copies": 0}, "copies"),
        ({"steps": 999}, "at least 1000"),
        ({"rounds": 10}, "rounds"),
        ({"draws": 0}, "draws"),
        ({"margin_steps": -1}, "margin_steps"),
        ({"etas": ()}, "one or more"),
        ({"etas": (0.3, 0.1)}, "increasing"),
        ({"etas": (0.0, 0.1)}, "etas"),
        ({"etas": (float("nan"),)}, "etas"),
        ({"margin_etas": (-0.1, 0.1)}, "margin_etas"),
        ({"margin_etas": (1.0, 1e9)}, "margin_etas"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)


def test_what_few_seeds_leave_open_is_said_before():
    assert not adamomentum.undecided(Settings())
    assert set(adamomentum.undecided(settings_of(Settings, "quick"))) == {"adamomentum.first_steps"}
    assert len(adamomentum.undecided(settings_of(Settings, "tiny"))) == 4
    assert set(adamomentum.undecided(Settings(signal_steps=2000))) == {"adamomentum.step_moments"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ()),
        ({"etas": (0.003, 1.0)}, ("same_at_matched_rate",)),
        ({"etas": (0.02, 0.1)}, ("hotter",)),
        ({"rounds": 10_000}, ("regret", "regret_monotone")),
        ({"margin_etas": (0.001, 0.01)}, ("small_margin",)),
    ],
)
def test_what_settings_leave_is_expected_not_to_apply(change, names):
    assert set(STUDY.expects(Settings(**change))) == {f"adamomentum.{name}" for name in names}


# --- what the page says ---------------------------------------------------------------------------------------------


def test_a_slow_case_takes_more_rounds():
    """β₁ = 0.9, β₂ = 0.999, p = 1001 and 3001: it is above 0.1 at 3·10⁵ with the maximum, and a third at 3·10⁶."""
    for p, C, early, late in ((1001, 1050.0, 0.109, 0.034), (3001, 3200.0, 0.150, 0.044)):
        found, _ = paid("AMSAdaMomentum", Losses(p, C), 0.9, 0.999, np.array([300_000, 3_000_000]))
        assert found == pytest.approx([early, late], abs=5e-4)


def test_the_page_says_what_was_saved():
    text = SAVED.parent.with_suffix(".md").read_text(encoding="utf-8")
    found = json.loads(SAVED.read_text(encoding="utf-8"))
    by = {v["claim"].removeprefix("adamomentum."): v for v in found["verdicts"]}
    hotter = [by["hotter"]["evidence"][f"eta = {eta}"][0] for eta in ("0.003", "0.3")]
    assert [f"{x:.2f}" for x in hotter] == ["4.36", "4.70"]
    assert f"{by['same_at_matched_rate']['evidence']['eta = 0.3'][0]:.2f}" == "1.07"
    regrets = {(row["beta2"], row["p"]): row["AdaMomentum"] for row in found["tables"]["regret"]["values"]}
    assert f"{regrets[0.999, 301]:.3f}" == "0.074"
    margins = {(row["optimizer"], row["eta"]): row["small"] for row in found["tables"]["margin"]["values"]}
    assert f"{margins['Adam', 0.01]:.2f}, {margins['AdaMomentum', 0.01]:.2f}" in text
    best = {one: max(small for (name, _), small in margins.items() if name == one) for one in ("Adam", "AdaMomentum")}
    assert f"{best['Adam']:.2f} and {best['AdaMomentum']:.2f}" in text
    assert f"{theory.start(10, BETA1, 0.999):.1f}" == "2.2"
    assert f"{theory.limit(BETA1, 0.06, 1e-8, 0.999):.2f}" == "0.71"
    for number in ("4.36 to 4.70", "1.07", "0.074", "2.2 times", "0.71"):
        assert number in text
