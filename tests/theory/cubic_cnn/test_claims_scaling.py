"""The claims of the scaling study: their numbers are the exponents', and data made of the formulas decide them."""

import re

import numpy as np
import pytest
import xarray as xr
from test_scaling_points import STUDIED, quantities
from tolerances import assert_close

from lemmascope.sims.judge import judge
from lemmascope.sims.slopes import fit_slopes
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.claims.scaling import AGREEMENT, CLAIMS, EXPONENTS, FAST_FORWARD, LOOSE, VALIDATED
from lemmascope.theory.cubic_cnn.scaling import PAPER, WRONG, point
from lemmascope.theory.order import log_allowance
from lemmascope.theory.verdict import Status

FAST, *ORDERS = CLAIMS
ROLES = {"GD": "gd", "GD+M": "momentum"}


def evidence_of(optimizer, sizes=STUDIED, seeds=15, paper=PAPER, wrong=WRONG):
    """Slopes of data from the formulas at each of the study's dimensions, with those of the wrong scaling beside."""
    names = [quantity for quantity, whose in PAPER.predicted() if whose == optimizer]
    spread = np.geomspace(0.9, 1.1, seeds)

    def data(exponents):
        found = [quantities(point(d, exponents)) for d in sizes]
        values = {name: np.outer([each[name, optimizer] for each in found], spread) for name in names}
        return xr.Dataset(
            {name: (("d", "seed"), table) for name, table in values.items()},
            {"d": [float(d) for d in sizes], "seed": range(seeds)},
        )

    return Evidence(fit_slopes(data(paper), names, control=data(wrong)), optimizer, ROLES[optimizer])


def test_a_claim_for_each_exponent():
    assert dict(zip((claim.id for claim in ORDERS), PAPER.predicted(), strict=True)) == EXPONENTS
    for claim in ORDERS:
        quantity, optimizer = EXPONENTS[claim.id]
        assert claim.id == f"scaling.{'gdm' if optimizer == 'GD+M' else 'gd'}.{quantity}"
        assert claim.about == ROLES[optimizer]
        assert claim.source == ("second hand" if quantity == "c_max" else "derived")


@pytest.mark.parametrize("claim", ORDERS, ids=lambda claim: claim.id)
def test_the_statements_numbers_are_the_exponents(claim):
    exponent = PAPER.predicted()[EXPONENTS[claim.id]]
    assert_close(float(re.findall(r"d\^\{(-?[0-9.]+)\}\)\$$", claim.statement)[0]), exponent, scale=1.0)
    assert_close(float(re.findall(r"d\^(-?[0-9.]+) up to", claim.plain)[0]), exponent, scale=1.0)


@pytest.mark.parametrize("sizes", [STUDIED, STUDIED[:5]], ids=["ten sizes", "five sizes"])
@pytest.mark.parametrize("claim", ORDERS, ids=lambda claim: claim.id)
def test_the_control_is_wrong_by_more_than_a_logarithm(claim, sizes):
    right, wrong = (exponents.predicted()[EXPONENTS[claim.id]] for exponents in (PAPER, WRONG))
    assert abs(wrong - right) > log_allowance(sizes[0], sizes[-1])
    for words in (f"d^{WRONG.alpha:g}", f"d^−{WRONG.beta:g}", f"d^−{WRONG.sigma_0:g}"):
        assert words in claim.control.description


@pytest.mark.parametrize("optimizer", ROLES)
def test_data_from_the_formulas_hold_and_those_of_the_control_are_refuted(optimizer):
    """Also with what few seeds leave open: the control is not asked for its number of seeds."""
    for seeds, status in ((15, Status.HOLDS), (14, Status.INCONCLUSIVE)):
        found = judge(CLAIMS, evidence_of(optimizer, seeds=seeds))
        assert [v.claim for v in found] == [id for id, key in EXPONENTS.items() if key[1] == optimizer]
        for verdict in found:
            assert verdict.status is status, verdict.reason
            assert verdict.label == optimizer
            assert verdict.control["status"] == "REFUTED"


@pytest.mark.parametrize("optimizer", ROLES)
def test_another_scaling_is_refuted_and_a_control_that_grows_alike_is_none(optimizer):
    for verdict in judge(CLAIMS, evidence_of(optimizer, paper=WRONG)):
        assert verdict.status is Status.REFUTED
    for verdict in judge(CLAIMS, evidence_of(optimizer, wrong=PAPER)):
        assert verdict.control["status"] == "HOLDS"
        assert not verdict.as_expected


def test_runs_that_never_get_there_are_told():
    data = evidence_of("GD").data
    data["missing"].loc[{"of": "data", "quantity": "T_1", "d": 1e3}] = 15
    data["missing"].loc[{"of": "data", "quantity": "T_1", "d": 1e4}] = 1
    found = {v.claim: v for v in judge(CLAIMS, Evidence(data, "GD", "gd"))}
    assert found["scaling.gd.T_1"].status is Status.INCONCLUSIVE
    assert found["scaling.gd.T_1"].reason.startswith("11% of the runs never reach it within T, and cannot be left out;")
    assert found["scaling.gd.T_1"].evidence["seeds left out, by d"] == {"1000": 15, "10000": 1}
    assert found["scaling.gd.T_0"].status is Status.HOLDS


# --- fast-forward --------------------------------------------------------------------------------------------------


def differences(tight, loose):
    """(seed, held, quantity) data of c's differences by seed; nothing else differs."""
    data = np.zeros((len(tight), 2, 4))
    data[:, 0, 2], data[:, 1, 2] = tight, loose
    coords = {"seed": range(len(tight)), "held": ["tight", "loose"], "quantity": ["T_0", "T_1", "c", "Xi"]}
    return Evidence(xr.Dataset({"difference": (("seed", "held", "quantity"), data)}, coords), "both", FAST_FORWARD)


def test_fast_forward_that_agrees_holds():
    (found,) = judge(CLAIMS, differences([1e-12, 3e-12, 2e-12], [1e-5, 1e-8, 1e-7]))
    assert (found.claim, found.status, found.label) == ("scaling.fast_forward", Status.HOLDS, "both")
    assert (found.computed, found.upper, found.margin) == (2e-12, AGREEMENT, AGREEMENT - 3e-12)
    assert found.by_seed["computed"] == [1e-12, 3e-12, 2e-12]
    assert found.holding == found.seeds == (0, 1, 2)
    worst = {"T_0": 0.0, "T_1": 0.0, "c": 3e-12, "Xi": 0.0}
    assert found.reason == "true on 3 of 3 seeds"
    assert found.evidence == {**worst, "control": 1e-5}
    assert found.control == {"description": f"the same with windows held to {LOOSE:g} only", "status": "REFUTED"}
    assert f"over {VALIDATED} iterations" in FAST.plain


@pytest.mark.parametrize("worst", [1.01e-6, np.inf])
def test_fast_forward_that_disagrees_on_one_seed_is_refuted(worst):
    (found,) = judge(CLAIMS, differences([1e-12, worst, 2e-12], [1e-5, 1e-5, 1e-5]))
    assert found.status is Status.REFUTED
    assert (found.witness["seed"], found.holding) == (1, (0, 2))
    assert found.witness["computed"] == found.evidence["c"] == worst


def test_a_control_that_agrees_too_is_none():
    (found,) = judge(CLAIMS, differences([1e-12, 1e-12], [1e-6, 1e-12]))
    assert found.control["status"] == "HOLDS"
    assert not found.as_expected
