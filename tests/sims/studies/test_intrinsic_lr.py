"""What is special about the study of scale-invariant weights: what each claim is held to, and its settings."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies.intrinsic_lr import STUDY, Settings, cases, log_times
from lemmascope.sims.study import settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.scale_invariant.claims import INTRINSIC_LR
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id: claim for claim in INTRINSIC_LR}
SEEDS = 16
HOLDS, REFUTED, OPEN, NONE = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE, Status.NOT_APPLICABLE


def verdict(name, data, others=()):
    """Of one claim on its own role's evidence; its control is to be refuted wherever it is judged."""
    claim = CLAIMS[name]
    others = [Evidence(one, role, role=role) for role, one in others]
    (found,) = judge(claim, [Evidence(data, "x", role=claim.about), *others], controls=STUDY.controls)
    return found


def check(name, data, status, others=()):
    found = verdict(name, data, others)
    assert found.status is status, found.reason
    if status is not NONE:
        assert found.control["status"] == "REFUTED", found.control


def drawn(means, spread=0.001):
    """(seed, …) values about the given ones, of exactly these means."""
    means = np.asarray(means, float)
    noise = np.random.default_rng(0).standard_normal((SEEDS, *means.shape))
    return means * (1 + spread * (noise - noise.mean(axis=0)))


def seeded(variables, coords=(), **attrs):
    return xr.Dataset(variables, {"seed": range(SEEDS), **dict(coords)}, attrs)


def exact(apart=0.0, off=0.0, turned=0.0):
    eta, decay = np.array([0.1, 1.0]), np.array([0.01, 0.1])
    G = norms.equilibrium(eta, decay) * (1 + off)
    angle = np.array([norms.angle(x) for x in eta * decay]) * (1 + turned)
    return seeded(
        {
            "apart": (("seed", "of"), np.tile([apart, 0.1], (SEEDS, 1))),
            "G": (("seed", "pair"), np.tile(G, (SEEDS, 1))),
            "angle": (("seed", "pair"), np.tile(angle, (SEEDS, 1))),
        },
        {"of": ["equivalent", "eta alone"], "eta": ("pair", eta), "decay": ("pair", decay)},
    )


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("intrinsic.equivalence", exact(), HOLDS),
        ("intrinsic.equivalence", exact(apart=1e-300), REFUTED),
        ("intrinsic.equivalence", exact(apart=np.nan), NONE),
        ("intrinsic.equilibrium", exact(), HOLDS),
        ("intrinsic.equilibrium", exact(off=1e-6), REFUTED),
        ("intrinsic.equilibrium", exact(turned=2e-6), REFUTED),
    ],
)
def test_identities_are_held_on_each_seed(name, data, status):
    check(name, data, status)


def relaxed(power=1.0, factor=1.0, extra=0):
    places = np.array([1e-2, 1e-3, 1e-4, 1e-5])
    steps = np.array([[factor * norms.relaxation(x**power, 0.25, 0.01)] * 3 for x in places]).T
    steps[2, 1] += extra
    return xr.Dataset({"steps": (("eta", "eta_lambda"), steps)}, {"eta": [0.01, 0.1, 1.0], "eta_lambda": places})


@pytest.mark.parametrize(
    ("data", "status"),
    [(relaxed(), HOLDS), (relaxed(factor=1.03), REFUTED), (relaxed(power=1.03), REFUTED), (relaxed(extra=1), REFUTED)],
)
def test_the_norms_time_is_one_over_the_intrinsic_rate(data, status):
    check("intrinsic.relaxation", data, status)


PLACES = [1e-3, 1e-4, 1e-5]


def level(power=0.5, factor=1.0, apart=0.0, spread=0.001, d=32):
    loss = factor * norms.level(1e-3, 1.0, 32) * (np.array(PLACES) / 1e-3) ** power
    values = drawn(loss, spread)
    return seeded(
        {"loss": (("seed", "eta", "eta_lambda"), np.stack([values, values * (1 + apart)], axis=1))},
        {"eta": [0.1, 1.0], "eta_lambda": PLACES},
        d=d,
        sigma=1.0,
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (level(), HOLDS),
        (level(factor=1.03), HOLDS),
        (level(factor=1.05), REFUTED),
        (level(power=0.49), REFUTED),
        (level(apart=1e-6), REFUTED),
        (level(spread=0.1), OPEN),
        (level(d=16), NONE),
    ],
)
def test_the_stationary_loss(data, status):
    check("intrinsic.loss_level", data, status, [("reset", level(power=1.0))])


def follow(factor=1.0, end_error=1e-3, place=1e-3, spread=0.001):
    times = np.array([0.1, 0.2, 0.4])
    loss = factor * norms.following(times, 0.25)[None, :]
    return seeded(
        {
            "loss": (("seed", "eta_lambda", "time"), drawn(loss, spread)),
            "end": ("eta_lambda", [1.0]),
            "end_error": ("eta_lambda", [end_error]),
        },
        {"eta_lambda": [place], "time": times},
        d=32,
        sigma=1.0,
        end_seeds=96,
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (follow(), HOLDS),
        (follow(factor=1.04), HOLDS),
        (follow(factor=1.06), REFUTED),
        (follow(factor=1.04, end_error=0.01), OPEN),
        (follow(place=2e-3), NONE),
    ],
)
def test_the_loss_follows_the_norm(data, status):
    check("intrinsic.loss_follows_norm", data, status)


def wells(scaled, slope=0.1805, spacings=1.5, places=(0.01, 0.001, 0.0005, 0.0003)):
    places = np.array(places)
    eta = (2 * places) ** 0.5
    return xr.Dataset(
        {"steps": ("eta_lambda", np.array(scaled) / places), "slowest": ("eta_lambda", 10 * np.exp(slope / eta) / eta)},
        {"eta_lambda": places},
        {"spacings": spacings, "arrhenius": 0.1805},
    )


EQUAL, UNEQUAL = [0.5, 0.2, 0.1, 0.09], [2.0, 30.0, 160.0, 780.0]


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("fast_equilibrium", wells(EQUAL), HOLDS),
        ("fast_equilibrium", wells([0.5, 0.5, 0.5, 0.5]), HOLDS),
        ("fast_equilibrium", wells([0.5, 0.2, 0.1, 0.11]), REFUTED),
        ("fast_equilibrium", wells(EQUAL, spacings=0.9), NONE),
        ("fast_equilibrium_unequal", wells(UNEQUAL), REFUTED),
        ("arrhenius", wells(UNEQUAL), HOLDS),
        ("arrhenius", wells(UNEQUAL, slope=0.19), HOLDS),
        ("arrhenius", wells(UNEQUAL, slope=0.2), REFUTED),
        ("arrhenius", wells(UNEQUAL[:2], places=(0.01, 0.001)), NONE),
    ],
)
def test_the_angles_law(name, data, status):
    others = [("unequal wells", wells(UNEQUAL))] if name == "fast_equilibrium" else []
    check(f"intrinsic.{name}", data, status, others)


def noise(change=(), *, spread=0.0005, d=256, steps=20_000, error=1e-15, **factors):
    """Cases as the study has them, with what is stated of each times a factor."""
    every = cases()
    G, mean_G, path = np.empty((3, len(every)))
    by = {"growth": 1.0, "universal": 1.0, "equilibrium": 1.0, "doubled": 1.0} | factors
    for k, one in enumerate(every):
        factor = by["universal"] if one.projected else 1.0
        G[k] = one.eta / (1 - one.beta) * (2 * steps) ** 0.5 / (factor * norms.universal(one.beta, one.projected))
        path[k] = (G[k] - 1) / (one.eta**2 * norms.growth(one.beta, one.projected) * by["growth"])
        square = norms.momentum_equilibrium(one.eta, one.decay or 0.01, one.beta, one.projected)
        mean_G[k] = (by["equilibrium"] * square) ** 0.5
    doubled = by["doubled"] * np.array([norms.doubling(0.01, 0.9, p) for p in (False, True)])
    wrong = np.where([one.beta > 0 and not one.projected for one in every], 1e-2, error)
    data = seeded(
        {
            **{n: (("seed", "case"), drawn(x, spread)) for n, x in (("G", G), ("mean_G", mean_G))},
            "path": (("seed", "case"), np.tile(path, (SEEDS, 1))),
            "error": (("seed", "case"), np.full((SEEDS, len(every)), error)),
            "wrong": (("seed", "case"), np.tile(wrong, (SEEDS, 1))),
            "quadratic": ("seed", np.full(SEEDS, 0.1)),
            "doubled": (("seed", "which"), drawn(doubled, spread)),
        },
        {
            "which": ["SGDM", "SGDP"],
            **{name: ("case", [getattr(one, name) for one in every]) for name in ("eta", "decay", "beta")},
            "projected": ("case", [int(one.projected) for one in every]),
        },
        d=d,
        steps=steps,
        eta=0.05,
        doubling_eta=0.01,
        doubling_beta=0.9,
    )
    return data.assign(dict(change))


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("norm_identity", noise(), HOLDS),
        ("norm_identity", noise(error=1e-11), REFUTED),
        ("growth", noise(), HOLDS),
        ("growth", noise(growth=1.02), REFUTED),
        ("growth", noise(spread=0.03), OPEN),
        ("growth", noise(d=16), NONE),
        ("premature_decay", noise(doubled=1.03), HOLDS),
        ("premature_decay", noise(doubled=1.06), REFUTED),
        ("universal_step", noise(), HOLDS),
        ("universal_step", noise(universal=1.02), REFUTED),
        ("universal_step", noise(steps=9_999), NONE),
        ("equilibrium", noise(), HOLDS),
        ("equilibrium", noise(equilibrium=1.02), REFUTED),
    ],
)
def test_momentum_on_noise(name, data, status):
    check(f"adamp.{name}", data, status)


def test_a_recursion_that_no_error_shows_is_no_control():
    hidden = verdict("adamp.norm_identity", noise({"quadratic": ("seed", np.full(SEEDS, 1e-15))}))
    assert hidden.control["status"] == "HOLDS"


def test_a_run_that_never_doubles_is_no_case():
    never = noise()
    never["doubled"][0, 0] = np.nan
    found = verdict("adamp.premature_decay", never)
    assert found.status is HOLDS
    assert len(found.seeds) == SEEDS - 1
    never["doubled"][:] = np.nan
    assert verdict("adamp.premature_decay", never).status is NONE


@pytest.mark.parametrize(("factor", "status"), [(0.97, HOLDS), (1.06, REFUTED), (0.951, OPEN)])
def test_adam(factor, status):
    beta1 = np.array([0.0, 0.5, 0.9])
    stated = factor * np.stack([np.ones(3), (1 - beta1) / (1 + beta1)], axis=1)
    data = seeded(
        {"growth": (("seed", "beta1", "which"), drawn(stated))}, {"beta1": beta1, "which": ["Adam", "AdamP"]}, d=256
    )
    check("adamp.adam", data, status)


def helped(early, late, tenth=4.0):
    loss = np.array([[1.0, 1.0], [early, late], [tenth, tenth]])
    return seeded(
        {"loss": (("seed", "which", "step"), drawn(loss, 0.01))},
        {"which": ["SGDM", "SGDP", "SGDP, η/10"], "step": [50, 3000]},
        d=32,
    )


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("projection_helps", helped(0.5, 0.6), HOLDS),
        ("projection_helps", helped(0.5, 1.001), OPEN),
        ("projection_helps", helped(0.5, 1.2), REFUTED),
        ("projection_helps_noise", helped(0.9, 4.5), REFUTED),
    ],
)
def test_the_projection_helps_or_not(name, data, status):
    check(f"adamp.{name}", data, status) if status is not OPEN else None
    assert verdict(f"adamp.{name}", data).status is status


def test_cases_have_those_that_the_claims_ask_for():
    every = [(one.eta, one.decay, one.beta, one.projected) for one in cases()]
    assert len(set(every)) == len(every)
    for beta in (0.0, 0.5, 0.9, 0.99):
        assert {(0.05, 0.0, beta, p) for p in (False, True)} <= set(every)
    for beta in (0.5, 0.9):
        assert {(0.1, 0.01, beta, p) for p in (False, True)} <= set(every)
    assert log_times(100, 5, (7,))[-1] == 100
    assert 7 in log_times(100, 5, (7,))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"d": 2}, "d"),
        ({"wide": 0}, "wide"),
        ({"seeds": 1}, "from 2 to 1000000"),
        ({"runs": 10**20}, "from 2 to 1000000"),
        ({"steps": 100}, "at least 6000"),
        ({"level_steps": 30}, "multiple of 20"),
        ({"cells": 33}, "even"),
        ({"eta_lambdas": (0.01,)}, "two or more"),
        ({"eta_lambdas": (0.001, 0.01)}, "falling"),
        ({"eta_lambdas": (0.6, 0.01)}, "eta_lambdas"),
        ({"eta_lambdas": (0.01, 0.0)}, "eta_lambdas"),
        ({"b": 0.0}, "b"),
        ({"c": 0.4}, "4b = 0.4"),
        ({"c": 0.0}, "c"),
        ({"b": float("nan")}, "b"),
    ],
)
def test_settings_that_cannot_run_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        Settings(**given)


def test_what_leaves_a_claim_is_said_before():
    expected = STUDY.expected(Settings(d=16, wide=16, cells=128, steps=6000, eta_lambdas=(0.01, 0.0003)))
    assert set(expected.values()) == {NONE}
    assert {"intrinsic.loss_level", "adamp.adam", "adamp.universal_step", "intrinsic.arrhenius"} <= set(expected)
    assert not STUDY.expected(Settings())
    assert not STUDY.leaves_open(Settings())
    quick = STUDY.leaves_open(settings_of(Settings, "quick"))
    assert set(quick) == {"adamp.universal_step", "intrinsic.loss_follows_norm"}


def test_the_numbers_of_the_page_are_those_that_are_saved():
    folder = Path(__file__).parents[3] / "docs" / "studies"
    verdicts = json.loads((folder / "intrinsic_lr" / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]
    computed = {(v["claim"], v["label"]): v["computed"] for v in verdicts}
    page = " ".join((folder / "intrinsic_lr.md").read_text(encoding="utf-8").split())
    for claim, label, words in (
        ("intrinsic.loss_follows_norm", "from G*/4", "it is {:.1%} behind"),
        ("intrinsic.arrhenius", "c = 0.02", "Its slope is {:.1%} above 2ΔU/σ"),
        ("adamp.adam", "on noise", "which is the {:.1%} that are missing"),
    ):
        assert words.format(computed[claim, label]).replace("%", " %") in page
    assert computed["adamp.projection_helps_noise", "σ = 3"] > 4
    bracket = [norms.momentum_equilibrium(0.1, 0.01, 0.9, True, bracket=b) for b in (True, False)]
    assert f"{bracket[1] / bracket[0] - 1:.0%} of |w|⁴".replace("%", " %") in page
