"""The study of momentum along a valley: its exact part, what it judges of planted samples, what cannot be run."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import flatter_faster
from lemmascope.sims.studies.flatter_faster import STUDY, Settings
from lemmascope.sims.study import experiment_tasks
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise import flatter_faster as scaling
from lemmascope.theory.noise.claims import FLATTER_FASTER
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("flatter."): claim for claim in FLATTER_FASTER}
SMALL = Settings(points=40)
EXACT = ("rates", "settling", "collapse", "limit", "arrival", "gain", "same_rate")


def computed(name, settings=SMALL):
    experiment = STUDY.experiments[name]
    tasks = experiment_tasks(STUDY, settings, 5)[name]
    return experiment.gather(tasks, [experiment.compute(task) for task in tasks])


@pytest.fixture(scope="module")
def exact():
    """The evidence of the exact part, by role."""
    data = {name: computed(name) for name in EXACT}
    empty = xr.Dataset(coords={"model": list(flatter_faster.models(SMALL))})
    cells = ("model", "size"), np.ones((empty.sizes["model"], 5))
    data["sampled"] = empty.assign(eta=cells, s=cells, C=cells, log_C=cells)
    logs = xr.Dataset({"log_C": (("valley", "size"), np.zeros((2, 3)))}, {"valley": ["n = 1", "uv = 1"]})
    data["curve"] = logs.assign(resampled=logs["log_C"].expand_dims(draw=4))
    return {one.role: one for one in STUDY.evidence(SMALL, data)}


def verdict(name, one):
    (found,) = judge([CLAIMS[name]], [one], STUDY.controls)
    return found


OF_EXACT = [claim for claim in FLATTER_FASTER if claim.about in ("linear", "settling", "collapse", "arrival")]
OF_EXACT += [claim for claim in FLATTER_FASTER if claim.about in ("temperature", "limit")]


@pytest.mark.parametrize("claim", OF_EXACT, ids=lambda claim: claim.id)
def test_the_exact_part_comes_out_as_expected(exact, claim):
    found = verdict(claim.id.removeprefix("flatter."), exact[claim.about])
    assert found.as_expected, found.reason
    assert found.control["status"] == "REFUTED"


@pytest.mark.parametrize(
    ("name", "variable", "broken"),
    [
        ("rate_constant", "C_least", lambda x: x * 1.003),
        ("rate_exponent", "epsilon", lambda x: x * (1 + 2e-5)),
        ("rate_exponent", "epsilon", lambda x: x * x["eta"] ** 0.004),
        ("settling_exponent", "epsilon", lambda x: x * x["eta"] ** 0.004),
        ("settling_exponent", "time", lambda x: x * x["eta"] ** -0.004),
        ("settling_exponent", "inside", lambda x: 0 * x),
        ("collapse", "time", lambda x: x * 1.02),
        ("collapse", "time", lambda x: x * 0.99),
        ("hitting_has_no_optimum", "hit", lambda x: x[::-1]),
        ("equal_temperature", "ratio", lambda x: 1.3 * x),
        ("floor", "floor", lambda x: x * x["eta"] ** 0.02),
    ],
)
def test_what_is_changed_is_refuted(exact, name, variable, broken):
    one = exact[CLAIMS[name].about]
    changed = broken(one.data[variable]).transpose(*one.data[variable].dims)
    data = one.data.assign({variable: (changed.dims, changed.values)})
    assert verdict(name, dataclasses.replace(one, data=data)).status is Status.REFUTED


def test_the_second_order_is_seen(exact):
    """Without −ε₀²/48 the expansion is refuted: the tolerance is half of it."""
    data = exact["linear"].data
    zero = scaling.constant(data["eta"], data["s"], 2 * data["q"])
    first = abs(data["epsilon"] / zero - scaling.expansion(zero, data["eta"], second=0.0)) / zero**2
    assert float(first.max()) > 0.02


def test_the_constants_are_those_that_are_written_down(exact):
    data, limit = exact["settling"].data, exact["collapse"].data["limit"]
    C = (data["epsilon"] / scaling.scale(data["eta"], 1.0)).sel(eta=1e-6)
    assert C.sel(criterion=["settle(0.1)", "settle(0.01)", "ISE"]).values == pytest.approx(
        [0.872, 1.119, 0.589], abs=2e-3
    )
    held = limit.sel(exchange="with ½(h'/h)ẋe", criterion="settle(0.1)").values
    assert held == pytest.approx([12.518, 4.039, 6.735], abs=2e-3)
    most = exact["limit"].data["most"].values
    assert most == pytest.approx([1.086, 1.636, 1.907, 2.005, 2.04, 2.055], abs=6e-3)


def test_a_valley_that_is_not_stable_is_not_judged(exact):
    one = exact["settling"]
    far = dataclasses.replace(one, data=one.data.assign_attrs(eta_most=2.0))
    assert verdict("settling_exponent", far).status is Status.NOT_APPLICABLE


# --- planted samples ------------------------------------------------------------------------------------------------


def sampled(role="sampled", label="n = 1", exponent=2 / 3, spread=0.002, against=1.0):
    """log C whose 1 − β has an exponent in η (in ηs where s is not fixed), drawn with so much spread."""
    eta = np.geomspace(1e-3, 1e-1, 5)
    s = 0.1 * eta ** (against - 1)
    C = -0.4 + (exponent - 2 / 3) * np.log(eta * s)
    noise = np.linspace(-1, 1, 41)[:, None] * spread * np.log(eta * s)
    data = {"log_C": ("size", C), "resampled": (("draw", "size"), C + noise), "eta": ("size", eta), "s": ("size", s)}
    edges = {"eta_most": 0.1, "epsilon_most": 0.2, "h_most": 2.0}
    return Evidence(xr.Dataset(data | {"replicas": ("size", np.full(5, 800))}, attrs=edges), label, role=role)


@pytest.mark.parametrize(
    ("name", "role", "given", "status"),
    [
        ("sampled_exponent", "sampled", {"exponent": 0.69}, Status.HOLDS),
        ("sampled_exponent", "sampled", {"exponent": 0.69, "spread": 0.02}, Status.INCONCLUSIVE),
        ("sampled_exponent", "sampled", {"exponent": 0.71}, Status.REFUTED),
        ("fixed_floor", "fixed floor", {"exponent": 0.68, "against": 0.75}, Status.HOLDS),
        ("fixed_floor", "fixed floor", {"exponent": 0.70, "against": 0.75}, Status.REFUTED),
    ],
)
def test_a_planted_exponent_is_found(name, role, given, status):
    label = "n = 1, fixed floor" if role == "fixed floor" else "n = 1"
    strong = sampled("strong", "n = 1, s = 1", 0.73)
    found = judge([CLAIMS[name]], [sampled(role, label, **given), strong], STUDY.controls)
    assert found[0].status is status, found[0].reason
    assert found[0].control["status"] == "REFUTED"


@pytest.mark.parametrize(
    ("ratio", "spread", "status"),
    [(1.26, 0.02, Status.HOLDS), (1.21, 0.02, Status.INCONCLUSIVE), (1.1, 0.02, Status.REFUTED)],
)
def test_a_planted_ratio_of_constants_is_found(ratio, spread, status):
    logs = np.log(ratio) + np.linspace(-spread, spread, 41)
    one = Evidence(xr.Dataset({"log_ratio": np.log(ratio), "resampled": ("draw", logs)}), "x", role="curve")
    found = verdict("curve_constant", one)
    assert found.status is status
    assert found.control["status"] == "REFUTED"


def test_a_cell_is_what_its_name_says():
    s = Settings()
    assert flatter_faster.cell(s, "n = 1", 4).valley.s == s.s
    assert flatter_faster.cell(s, "uv = 1, s = 1", 0).eta == s.strong_etas[0]
    eight = flatter_faster.cell(s, "n = 8, s = 1", 2)
    assert (eight.valley.n, eight.valley.s) == (8, 1.0)
    held = [flatter_faster.cell(s, flatter_faster.FLOOR, size) for size in range(5)]
    floors = [scaling.noise_floor(one.eta, one.valley.s) for one in held]
    assert floors == pytest.approx([flatter_faster.FIXED[0]] * 5)
    assert {one.replicas for one in held} == {s.replicas}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"etas": (1e-3, 1e-2)}, "give 3 or more"),
        ({"etas": (1e-2, 1e-3, 1e-4)}, "increasing"),
        ({"etas": (1e-4, 1e-3, 0.6)}, "take smaller η, s or C"),
        ({"sampled_etas": (1e-3, 1e-2, 0.1, 0.2)}, "give 5"),
        ({"sampled_etas": (1e-3, 1e-2, 0.1, 0.2, 2.0), "s": 1e-3}, "edge of stability"),
        ({"s": 0.0}, "s"),
        ({"replicas": 3}, "at least 20"),
        ({"modes": (0,)}, "modes"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)
