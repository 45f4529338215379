"""What is special about the study of the stability gap: what each claim is held to, on numbers checked by eye."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import stability_gap
from lemmascope.sims.studies.stability_gap import ALGORITHMS, SEEN, STUDY, Settings
from lemmascope.sims.study import Task, settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.stability import edges
from lemmascope.theory.stability.claims import STABILITY_GAP
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("stability."): claim for claim in STABILITY_GAP}
SEEDS = 16
HOLDS, REFUTED, OPEN = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE


def verdict(name, data):
    (found,) = judge(CLAIMS[name], [Evidence(data, "x", role=CLAIMS[name].about)], controls=STUDY.controls)
    return found


def drawn(means, spread=1e-3):
    """(seed, …) values about the given ones, of exactly these means."""
    means = np.asarray(means, float)
    noise = np.random.default_rng(0).standard_normal((SEEDS, *means.shape))
    return means * (1 + spread * (noise - noise.mean(axis=0)))


def check(name, data, status, control=REFUTED):
    found = verdict(name, data)
    assert found.status is status, found.reason
    if status is not Status.NOT_APPLICABLE:
        assert found.control["status"] == control


# --- exact ----------------------------------------------------------------------------------------------------------


def cyclic(off=0.0):
    stated = np.array([[2.0, 3.8], [2.0, 0.414]])
    found = stated * (1 + off * np.array([[0, 0], [0, 1]]))
    return xr.Dataset(
        {
            "stated": (("n", "gamma"), stated),
            "found": (("n", "gamma"), found),
            "wrong": (("n", "gamma"), stated[[0, 0]]),
        },
        {"n": [1, 10], "gamma": [0.0, 0.9]},
    )


@pytest.mark.parametrize(("off", "status"), [(1e-10, HOLDS), (1e-8, REFUTED), (-1e-8, REFUTED)])
def test_one_cell_refutes_the_cyclic_edge(off, status):
    check("cyclic_edge", cyclic(off), status)


def random(off=0.0):
    stated = np.array([[2.0, 3.8], [2.0, 0.2]])
    variables = {"stated": stated, "found": stated * (1 + off), "wrong": stated * 1.2}
    labels = {"mix": ["1 of 2", "1 of 50"], "gamma": [0.0, 0.9]}
    return xr.Dataset({name: (("mix", "gamma"), x) for name, x in variables.items()}, labels)


@pytest.mark.parametrize(("off", "status"), [(1e-9, HOLDS), (1e-7, REFUTED)])
def test_the_edge_of_random_order(off, status):
    check("ms_edge", random(off), status)


def ranges(off=0.0, excess=-0.1):
    values = {"stated": [0.66, 1.0], "found": [0.66 * (1 + off), 1.0], "wrong": [1.0, 1.0]}
    return xr.Dataset({name: ("case", x) for name, x in values.items()}, {"case": ["a", "b"]}, {"excess": excess})


@pytest.mark.parametrize(
    ("given", "status"), [({}, HOLDS), ({"off": 1e-7}, REFUTED), ({"excess": 0.1}, Status.NOT_APPLICABLE)]
)
def test_the_range_of_momentum(given, status):
    check("momentum_range", ranges(**given), status)


def exact(sgdm=1e23, sgd=1.0, below=1.0, eta=1.0, stated=1):
    ends = np.log([sgd, sgdm, below, 7.3, 1.0])
    data = {"log_rms": (("algorithm", "epoch"), np.stack([0 * ends, ends], axis=1))}
    return xr.Dataset(data, {"algorithm": list(ALGORITHMS), "epoch": [1, 40]}, {"eta": eta, "stated": stated})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (exact(), HOLDS),
        (exact(sgdm=9e5), REFUTED),
        (exact(sgd=1.002), REFUTED),
        (exact(eta=2.1), Status.NOT_APPLICABLE),
        (exact(stated=0), Status.NOT_APPLICABLE),
    ],
)
def test_unbounded_beside_sgd_that_is_not(data, status):
    check("unbounded", data, status)


def test_the_control_of_unbounded_is_judged_on_its_own_numbers():
    check("unbounded", exact(below=1e7), HOLDS, HOLDS)


def forms(same=0.999, step=1.5, between=1.02):
    gamma = [0.5, 0.75]
    ratio = np.empty((2, 2, 3))
    ratio[0], ratio[1] = [same, between, 0.9], [step, step, 1.1]
    labels = {"form": ["effective", "step"], "gamma": gamma, "epoch": [1, 4, 40]}
    return xr.Dataset({"ratio": (("form", "gamma", "epoch"), ratio)}, labels)


@pytest.mark.parametrize(
    ("data", "status"),
    [(forms(), HOLDS), (forms(same=1.0 + 1e-5), REFUTED), (forms(step=2.9), REFUTED), (forms(step=2.8), HOLDS)],
)
def test_momentum_costs_nothing_at_equal_effective_step(data, status):
    check("average_form", data, status)


# --- sampled --------------------------------------------------------------------------------------------------------


def coupled(off=0.0, spread=1e-3, eta=0.1):
    stated, plain = np.array([0.27, 1.2, 1.0]), np.array([0.02, 0.1, 0.5])
    data = {"square": (("seed", "epoch"), drawn(stated * (1 + off * np.array([0, 1, 0])), spread))}
    data |= {"stated": ("epoch", stated), "plain": ("epoch", plain)}
    return xr.Dataset(data, {"seed": range(SEEDS), "epoch": list(SEEN)}, {"eta": eta, "edge": 0.22})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (coupled(), HOLDS),
        (coupled(off=0.05), HOLDS),
        (coupled(off=0.08), REFUTED),
        (coupled(spread=0.035), HOLDS),
        (coupled(spread=0.1), OPEN),
        (coupled(eta=0.3), Status.NOT_APPLICABLE),
    ],
)
def test_runs_are_held_to_the_exact_gap(data, status):
    check("simulated", data, status)


N = np.array([20.0, 80.0, 320.0])


def decay(slopes=(-0.02, -1.01, -1.01, -0.87), spread=1e-2, stated=1):
    gap = np.stack([c * (N / 20) ** slope for c, slope in zip((4, 0.24, 0.24, 0.3), slopes, strict=True)])
    labels = {"seed": range(SEEDS), "algorithm": ["SGDM", "SGD", "SGDEM", "SGDM, small step"], "n": N.astype(int)}
    return xr.Dataset({"gap": (("seed", "algorithm", "n"), drawn(gap, spread))}, labels, {"stated": stated, "eta": 1.0})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (decay(), HOLDS),
        (decay((-0.3, -1, -1, -0.9)), REFUTED),
        (decay((0.0, -0.8, -1, -0.9)), REFUTED),
        (decay((0.0, -1, -1.2, -0.9)), REFUTED),
        (decay((0.0, -1, -1, -0.7)), REFUTED),
        (decay(spread=0.3), OPEN),
        (decay(stated=0), Status.NOT_APPLICABLE),
    ],
)
def test_each_slope_is_held(data, status):
    check("lipschitz", data, status)


def test_a_gap_of_nought_has_no_slope():
    data = decay()
    data["gap"][:, 0, 0] = 0.0
    assert verdict("lipschitz", data).status is OPEN


def early(sgdem=0.06, sgdm=14.0, spread=0.1, eta=1.0):
    gap = np.array([[[sgdem, sgdem]], [[sgdm, sgdm]]])
    data = {"gap": (("seed", "algorithm", "n", "epoch"), drawn(gap, spread)), "bound": (("n", "epoch"), [[8.2, 10.2]])}
    labels = {"seed": range(SEEDS), "algorithm": ["SGDEM", "SGDM"], "n": [320], "epoch": [1, 2]}
    return xr.Dataset(data, labels, {"eta": eta, "stated": 1})


@pytest.mark.parametrize(
    ("data", "status", "control"),
    [
        (early(), HOLDS, REFUTED),
        (early(sgdem=11.0), REFUTED, REFUTED),
        (early(sgdem=8.2), OPEN, REFUTED),
        (early(sgdm=7.0, spread=1e-3), HOLDS, HOLDS),
        (early(eta=2.5), Status.NOT_APPLICABLE, None),
    ],
)
def test_the_bound_is_held_in_every_cell(data, status, control):
    check("sgdem_bound", data, status, control)


@pytest.mark.parametrize("name", ["simulated", "lipschitz", "sgdem_bound"])
def test_one_seed_decides_nothing(name):
    data = {"simulated": coupled, "lipschitz": decay, "sgdem_bound": early}[name]()
    assert verdict(name, data.isel(seed=[0])).status is OPEN


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"low": 0.25}, r"= 0\.2209 the gap has no bounded second moment"),
        ({"gamma": 0.99}, r"= 0\.02221"),
        ({"eta": 2.1}, "beyond 2 steps of SGD itself expand"),
        ({"eta": math.nan}, "eta"),
        ({"eta": -1.0}, "eta"),
        ({"eta": 1e-200}, "≥ 1e-12"),
        ({"gamma": 1.0}, "gamma"),
        ({"gamma": 0.0}, "gamma"),
        ({"low": 0.0}, "low"),
        ({"sizes": (20,)}, "two or more"),
        ({"sizes": (40, 20)}, "increasing"),
        ({"sizes": (20, 42)}, "multiple of 5"),
        ({"sizes": (20, 20_000)}, "from 2 to 10000"),
        ({"n": 1}, "from 2 to 10000"),
        ({"seeds": 1}, "seeds = 1"),
        ({"copies": 0}, "copies = 0"),
        ({"cells": 5000}, "from 2 to 1024"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)


def test_what_few_copies_leave_open_is_said_before():
    assert not stability_gap.undecided(Settings())
    assert not stability_gap.undecided(settings_of(Settings, "quick"))
    assert set(stability_gap.undecided(settings_of(Settings, "tiny"))) == {"stability.simulated", "stability.lipschitz"}
    assert set(stability_gap.undecided(Settings(copies=20))) == {"stability.lipschitz"}
    assert set(stability_gap.undecided(Settings(bound=200))) == {"stability.sgdem_bound"}


@pytest.mark.parametrize("change", [{"gamma": 0.8}, {"eta": 0.5}, {"n": 20}, {"low": 0.05}])
def test_gaps_in_numbers_are_stated_of_one_setting(change):
    assert not STUDY.expects(Settings())
    assert set(STUDY.expects(Settings(**change))) == {"stability.unbounded", "stability.lipschitz"}


def task(name, at, **change):
    return Task("stability_gap", name, at, Settings(**change))


def test_the_exact_gap_at_the_stated_setting():
    data = stability_gap.quadratic(task("quadratic", {}))
    rms = np.exp(data["log_rms"].sel(epoch=[1, 5, 10, 20, 40]))
    assert rms.sel(algorithm="SGD").values == pytest.approx([0.807, 0.997, 1, 1, 1], abs=1e-3)
    assert rms.sel(algorithm="SGDM").values == pytest.approx([3.195, 607.3, 4.98e5, 3.35e11, 1.52e23], rel=1e-2)
    assert rms.sel(algorithm="SGDM, above").values == pytest.approx([1.11, 1.40, 1.68, 2.56, 7.29], abs=5e-3)
    assert np.abs(data["mean"].sel(epoch=40, algorithm=list(ALGORITHMS)) - 1).max() < 1e-4


def test_the_cells_of_the_phase_diagram_change_sign_at_the_edge():
    for form, scale in (("velocity", lambda g: 1), ("average", lambda g: 1 / (1 - g))):
        data = stability_gap.phase(task("phase", {"form": form}, cells=9))
        edge = 2 * (1 - data["gamma"] ** 2) / (1 + data["gamma"] - 2 * data["gamma"] / 10) * scale(data["gamma"])
        assert ((data["growth"] > 0) == (data["step"] > edge)).all()


def test_sgdem_forgets_what_it_did():
    for n, peak, end in ((20, 6.3e5, 0.5), (40, 5.1e11, 0.354), (80, 4.6e23, 0.25)):
        found = np.exp(stability_gap.switch(task("switch", {"n": n}))["log_rms"].values)
        assert found == pytest.approx([peak, end], rel=0.02)


def test_a_gap_out_of_the_range_of_doubles_is_told():
    assert stability_gap._rms(math.log(3.2)) == "3.2"
    assert stability_gap._rms(1000 * math.log(10) + math.log(4)) == "4.0e1000"
    assert stability_gap._rms(-20 * math.log(10)) == "1.0e−20"
    assert stability_gap._rms(-math.inf) == "0"


def test_more_momentum_and_data_run(tmp_path):
    small = dataclasses.replace(settings_of(Settings, "tiny"), gamma=0.99, low=0.01, n=400)
    data = stability_gap.quadratic(Task("stability_gap", "quadratic", {}, small))
    assert np.isfinite(data["log_rms"]).all()


def test_the_numbers_of_the_page():
    """What "Where it ends" says of γ_max, and of the ratio to SGD between the epochs that are claimed."""
    assert edges.momentum_range(1.0, 0.2, 0.2) == pytest.approx(0.573, abs=5e-4)
    ratio = stability_gap.forms(task("forms", {"gamma": 0.9375}))["ratio"]
    same = ratio.sel(form="effective")
    assert float(same.max()) == pytest.approx(1.021, abs=5e-4)
    assert int(same["epoch"][int(same.argmax("epoch"))]) == 4
    assert float(ratio.sel(form="step").max()) == pytest.approx(3.93, abs=0.01)
    assert 0.0625**-1.5 == 64
