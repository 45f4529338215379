"""The temperature study: its exact part, what it judges of planted chains, and settings that cannot be run."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import temperature
from lemmascope.sims.studies.temperature import STUDY, Settings
from lemmascope.sims.study import experiment_tasks
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.temperature.claims import TEMPERATURE
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("temperature."): claim for claim in TEMPERATURE}
SMALL = Settings(seeds=2)


def computed(name, settings=SMALL):
    experiment = STUDY.experiments[name]
    tasks = experiment_tasks(STUDY, settings, 5)[name]
    return experiment.gather(tasks, [experiment.compute(task) for task in tasks])


@pytest.fixture(scope="module")
def spectra():
    return computed("spectra")


def verdict(name, data, role):
    (found,) = judge([CLAIMS[name]], [Evidence(data, "x", role=role)])
    return found


EXACT = ["closed_form", "stability_collapse", "limit", "limit_coefficient", "corrected_rule", "corrected_coefficient"]


@pytest.mark.parametrize("name", EXACT)
def test_the_exact_claims_hold_on_solvers_moments(spectra, name):
    found = verdict(name, spectra, "spectra")
    assert found.status is Status.HOLDS, found.reason
    assert found.control["status"] == "REFUTED"
    assert len(found.seeds) == 2


@pytest.mark.parametrize(
    ("name", "variable", "broken"),
    [
        ("closed_form", "covariance", lambda x: x * (1 + 1e-7)),
        ("stability_collapse", "variance", lambda x: x * (1 + 1e-7)),
        ("limit", "ratio", lambda x: x + 1e-4 * x["B"]),
        ("limit_coefficient", "ratio", lambda x: 1 + 1.01 * (x - 1)),
        ("corrected_rule", "corrected", lambda x: x + 1e-3 * x["eta_corrected"]),
        ("corrected_coefficient", "corrected", lambda x: 1 + 1.05 * (x - 1)),
    ],
)
def test_a_changed_moment_is_refuted(spectra, name, variable, broken):
    data = spectra.assign({variable: broken(spectra[variable])})
    assert verdict(name, data, "spectra").status is Status.REFUTED


def test_a_grid_that_is_not_stable_is_not_judged():
    data = computed("spectra", dataclasses.replace(SMALL, batches=(1, 64)))
    assert verdict("closed_form", data, "spectra").status is Status.NOT_APPLICABLE


def test_reshuffled_epochs():
    data = computed("reshuffled")
    for name in ("reshuffled", "reshuffled_leading"):
        found = verdict(name, data, "reshuffled")
        assert found.status is Status.HOLDS, found.reason
        assert found.control["status"] == "REFUTED"
    assert verdict("reshuffled_leading", data.assign(exact=data.exact * 1.001), "reshuffled").status is Status.REFUTED


def test_one_gradient_and_running_averages():
    effect, average = computed("effect"), computed("average")
    assert verdict("total_effect", effect, "effect").as_expected
    assert verdict("running_average", average, "average").as_expected
    far = effect.assign(closed=effect.closed * (1 + 1e-6))
    assert verdict("total_effect", far, "effect").status is Status.REFUTED
    peak = effect.peak.mean("seed").values
    assert np.allclose(peak, [1.0, 0.84, 0.96, 0.84], atol=0.01)


def test_the_effective_batch():
    data = computed("effective")
    assert verdict("effective_batch", data, "effective").as_expected
    worse = data.assign(ratio=1 + 3 * (data.ratio - 1))
    assert verdict("effective_batch", worse, "effective").status is Status.REFUTED


# --- planted chains -------------------------------------------------------------------------------------------------


def chains(away=1.0, unsettled=0):
    sampling = ["with replacement", "distinct"]
    shape, exact = (2, 6), np.full((2, 6), 2.0)
    bad = np.zeros(shape)
    bad.flat[:unsettled] = 1
    found = {
        "loss": exact + 0.01 * away,
        "error": np.full(shape, 0.01),
        "exact": exact,
        "other": exact * 1.5,
        "chains": np.full(shape, 24.0),
    }
    return xr.Dataset(
        {name: (("sampling", "cell"), x) for name, x in (found | {"unsettled": bad}).items()}, {"sampling": sampling}
    )


@pytest.mark.parametrize(
    ("away", "unsettled", "status"),
    [(1.0, 0, Status.HOLDS), (-4.5, 0, Status.HOLDS), (5.0, 0, Status.REFUTED), (1.0, 1, Status.INCONCLUSIVE)],
)
def test_chains_are_held_to_a_simultaneous_interval_and_must_have_settled(away, unsettled, status):
    found = verdict("finite_data", chains(away, unsettled), "regression")
    assert found.status is status, found.reason
    assert found.control["status"] == ("INCONCLUSIVE" if unsettled else "REFUTED")


def cells(quotient=1.0, unsettled=0.0, a=2.0, minimum=1):
    eta_0 = np.array([0.005, 0.01, 0.02, 0.04])
    kappa = np.full(4, 0.1)
    first = (a + kappa) * eta_0
    data = {"ratio": 1 + quotient * first, "error": 0.01 * first, "a": np.full(4, a), "kappa": kappa, "eta_0": eta_0}
    data |= {"unsettled": np.full(4, unsettled), "chains": np.full(4, 8.0)}
    return xr.Dataset({name: ("place", x) for name, x in data.items()}, attrs={"lam": 0.05, "minimum": minimum, "a": a})


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("cnn", cells(1.9), Status.HOLDS),
        ("cnn", cells(2.5), Status.REFUTED),
        ("cnn", cells(1.0, unsettled=1.0), Status.INCONCLUSIVE),
        ("cnn", cells(1.0, minimum=0), Status.NOT_APPLICABLE),
        ("cnn", cells(1.0, a=-1.0), Status.NOT_APPLICABLE),
        ("cnn_departure", cells(1.2), Status.HOLDS),
        ("cnn_departure", cells(0.2), Status.REFUTED),
        ("cnn_departure", cells(1.49), Status.INCONCLUSIVE),
        ("cnn_departure", cells(1.0, a=20.0), Status.INCONCLUSIVE),
    ],
)
def test_the_network_is_held_to_its_derived_first_order(name, data, status):
    found = judge([CLAIMS[name]], [Evidence(data, "x", role="cnn")], controls={"wrong rules": lambda one, every: None})
    assert found[0].status is status, found[0].reason


def test_the_wrong_rules_are_the_control_where_any_settled():
    one = Evidence(cells(), "cubic CNN", role="cnn")
    for unsettled, there in ((0.0, True), (1.0, False)):
        wrong = Evidence(cells(50.0, unsettled=unsettled), "wrong", role="wrong rules")
        made = temperature.wrong_rules(one, [one, wrong])
        assert (made is not None) is there
    wrong = Evidence(cells(50.0), "wrong", role="wrong rules")
    (found,) = judge([CLAIMS["cnn"]], [one, wrong], controls=STUDY.controls)
    assert found.control["status"] == "REFUTED"
    near = Evidence(cells(1.0), "wrong", role="wrong rules")
    (found,) = judge([CLAIMS["cnn"]], [one, near], controls=STUDY.controls)
    assert found.control["status"] != "REFUTED"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mu": (0.5, 0.0)}, "increasing"),
        ({"mu": (0.5, 1.0)}, "mu"),
        ({"mu": (0.5,), "batches": (4,)}, "two cells"),
        ({"cnn_departures": (2.0,)}, "cnn_departures"),
        ({"chains": 1}, "at least 2"),
        ({"steps": 10}, "at least 100"),
        ({"eta_0": 0.0}, "eta_0"),
        ({"batches": ()}, "one or more"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)
