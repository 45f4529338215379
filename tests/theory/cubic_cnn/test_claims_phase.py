"""The claims about the plane, on diagrams made by hand: each comes out as its cells were set, and its control too."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.sims.judge import judge
from lemmascope.theory.claim import FAMILY
from lemmascope.theory.cubic_cnn.boundaries import race_line
from lemmascope.theory.cubic_cnn.claims import phase
from lemmascope.theory.cubic_cnn.claims.phase import CLAIMS, crossing, valid
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.cubic_cnn.predictions import overshoot_rate
from lemmascope.theory.verdict import Status

CLOCK, KAPPA, SIDE = 720.0, 5.0, 16
ETAS, GAPS = np.geomspace(0.0125, 64, SIDE), np.geomspace(1e-4, 1, SIDE)
HOLDS, REFUTED, OUTSIDE = Status.HOLDS, Status.REFUTED, Status.NOT_APPLICABLE


def below_the_lines(eta, gap):
    """What is predicted: learnt below the race law's line, and above the overshoot line."""
    return (gap <= race_line(HEADLINE, eta, CLOCK)) | (eta >= KAPPA / (HEADLINE.alpha * HEADLINE.beta))


def nowhere(eta, gap):
    return np.zeros_like(eta, dtype=bool)


def plane_of(*learns, seeds=3, **changes):
    """A diagram in which the cells of each seed learn by its rule, the last rule for all further seeds."""
    eta, gap = np.meshgrid(ETAS, GAPS)
    rules = [*learns, *[(learns or (below_the_lines,))[-1]] * seeds][:seeds]
    right = np.array([rule(eta, gap) for rule in rules])
    cells = ("seed", "y", "x")
    data = {
        "small": (cells, np.where(right, 1.0, 0.5)),
        "small_error": (cells, np.zeros(right.shape)),
        "two_body": (cells, np.where(right, 0.99, 0.01)),
        "clock": ("seed", np.full(seeds, CLOCK)),
        "c_0": (("seed", "neuron"), np.full((seeds, HEADLINE.m), 0.03)),
    }
    dataset = xr.Dataset(data, {"seed": range(seeds), "y": GAPS, "x": ETAS})
    for name, value in changes.items():
        dataset[name] = dataset[name].copy(data=np.broadcast_to(value, dataset[name].shape))
    return phase.plane_of(dataset, HEADLINE)


def judged(*learns, **changes):
    return {v.claim.removeprefix("boundary."): v for v in judge(CLAIMS, plane_of(*learns, **changes))}


def test_a_diagram_as_predicted_holds_and_its_controls_are_refuted():
    found = judged()
    assert set(found) == {claim.id.removeprefix("boundary.") for claim in CLAIMS}
    for verdict in found.values():
        assert verdict.status is HOLDS, verdict
        assert verdict.control["status"] == "REFUTED", verdict.claim
        assert verdict.label == "the plane"
    assert found["overshoot"].seeds == (1, 2)
    unit = HEADLINE.alpha * HEADLINE.beta
    first = int(np.searchsorted(ETAS, KAPPA / unit))
    assert_close(found["overshoot"].evidence["kappa"], math.sqrt(ETAS[first - 1] * ETAS[first]) * unit)
    assert found["race"].computed == 1


@pytest.mark.parametrize("role", ["", "gd", "momentum", FAMILY, "fast-forward"])
def test_the_claims_are_about_planes_alone(role):
    """A trajectory of the law has parameters and seeds too."""
    assert not judge(CLAIMS, dataclasses.replace(plane_of(), role=role))


def test_nothing_is_told_by_an_attribute_of_the_data():
    """A control changes constants of the statement: no diagram can pass for one."""
    plane = plane_of()
    plane.data.attrs.update(shifted=0.1, mirrored=1, row=1e-4)
    assert all(claim.judge(plane).status is HOLDS for claim in CLAIMS)


@pytest.mark.parametrize("factor", [30.0, 1 / 30])
def test_a_line_elsewhere_is_refuted(factor):
    found = judged(lambda eta, gap: gap <= factor * race_line(HEADLINE, eta, CLOCK))
    assert found["race"].status is REFUTED


@pytest.mark.parametrize("side", [8, 15])
@pytest.mark.parametrize("cut", [("y",), ("x",), ("y", "x")], ids="".join)
def test_few_cells_do_not_decide_the_race(side, cut):
    """Whatever they are: on 8 × 8 cells one in a column is a tenth of them and more."""
    for rule in (below_the_lines, nowhere):
        plane = plane_of(rule)
        few = dataclasses.replace(plane, data=plane.data.isel({name: slice(side) for name in cut}))
        for found in judge([claim for claim in CLAIMS if claim.id in ("boundary.race", "boundary.two_body")], few):
            assert (found.status, found.reason) == (OUTSIDE, "hypothesis resolved fails")
            assert f"{phase.SIDE} rows and columns" in found.hypotheses[1]["statement"]
    assert phase.SIDE == SIDE


def test_flipped_labels_are_no_evidence():
    noisy = dataclasses.replace(plane_of(), parameters=dataclasses.replace(HEADLINE, label_noise=0.1))
    assert {v.reason for v in judge(CLAIMS, noisy)} == {"hypothesis clean_labels fails"}


def test_a_line_elsewhere_is_measured():
    """Half way, in the logarithm, between the last row that learns and the first that does not."""
    plane = plane_of(lambda eta, gap: gap <= 0.01)
    found = crossing(plane)
    last = int(np.flatnonzero(GAPS <= 0.01)[-1])
    line = race_line(HEADLINE, ETAS, CLOCK)
    assert_close(found.values * line, np.full((3, SIDE), math.sqrt(GAPS[last] * GAPS[last + 1])))
    assert_close(crossing(plane, shift=0.1).values, 10 * found.values, scale=10 * found.values)
    assert np.isnan(crossing(plane_of(nowhere)).values).all()


def test_valid_cells_have_momentum_weak_friction_and_small_steps():
    where = valid(plane_of())
    assert not where.sel(y=1.0).any()
    assert bool(where.isel(y=0, x=5).all())
    assert not where.isel(y=-3, x=-1).any()
    assert 30 < int(where.isel(seed=0).sum()) < 200


# --- controls on seeds that a claim is not about -------------------------------------------------------------------


def test_a_shift_is_not_refuted_by_the_seed_on_which_kappa_was_fitted():
    """There a shifted line is wrong whatever the others do; on the others here it is right, and the control holds."""

    def early(eta, gap):
        return eta > overshoot_rate(HEADLINE)

    found = judged(below_the_lines, early)["overshoot"]
    assert (found.status, found.seeds) == (HOLDS, (1, 2))
    assert found.control["status"] == "HOLDS"
    assert not found.as_expected


def test_an_overshoot_elsewhere_on_other_seeds_is_refuted():
    found = judged(below_the_lines, lambda eta, gap: below_the_lines(eta, gap) & (gap < 1))["overshoot"]
    assert (found.status, found.control["status"]) == (REFUTED, "REFUTED")
    assert found.witness["seed"] == 1


def test_kappa_of_one_seed_says_nothing_of_others():
    found = judged(seeds=1)["overshoot"]
    assert (found.status, found.reason) == (OUTSIDE, "hypothesis other_seed fails")
    assert found.control["status"] == "not run"


@pytest.mark.parametrize("changes", [{"c_0": [[-0.03], [0.03], [0.03]]}, {"clock": [np.nan, CLOCK, CLOCK]}])
def test_a_seed_outside_of_the_hypotheses_refutes_no_control(changes):
    """What the control states is true of the other seeds, and false of the first, for which nothing is predicted."""

    def a_tenth(eta, gap):
        return gap <= 0.1 * race_line(HEADLINE, eta, CLOCK)

    share = np.array(plane_of(below_the_lines, nowhere)["two_body"])
    if "clock" in changes:
        share[0] = np.nan
    race = judged(below_the_lines, a_tenth, **changes)["race"]
    assert (race.status, race.seeds, race.control["status"]) == (REFUTED, (1, 2), "HOLDS")
    two_body = judged(below_the_lines, nowhere, two_body=share, **changes)["two_body"]
    assert (two_body.status, two_body.seeds, two_body.control["status"]) == (HOLDS, (1, 2), "HOLDS")


# --- one statement at a time ---------------------------------------------------------------------------------------


def test_a_rate_that_rescues_gd_is_refuted():
    found = judged(lambda eta, gap: eta > 0.3)["no_learning_rate_rescues"]
    assert found.status is REFUTED
    assert 0.3 < found.evidence["first eta at which GD generalizes"][0] < 0.5
    assert found.evidence["holds for eta in"] == [ETAS[0], overshoot_rate(HEADLINE)]


def test_three_standard_errors_count_against_gd():
    found = {error: judged(below_the_lines, small_error=error)["no_learning_rate_rescues"] for error in (0.16, 0.17)}
    assert [v.status for v in found.values()] == [HOLDS, REFUTED]


BELOW = overshoot_rate(HEADLINE) >= ETAS


def with_gd(**changes):
    """The claim on GD of a diagram as predicted, with other values at some (seed, x) of GD's row."""
    accuracy = plane_of()["small"].values.copy()
    for where, value in changes.values():
        accuracy[where[0], -1, where[1]] = value
    return judged(small=accuracy)["no_learning_rate_rescues"]


@pytest.mark.parametrize("lost", [BELOW & (ETAS > 0.3), BELOW & (ETAS < 0.3)], ids=["one cell", "all but one"])
def test_a_cell_of_gd_that_diverged_may_have_learnt(lost):
    assert 0 < lost.sum() < BELOW.sum()
    found = with_gd(lost=((slice(None), lost), np.nan))
    assert (found.status, found.control["status"]) == (Status.INCONCLUSIVE, "REFUTED")
    assert found.reason == "the quantity is undefined on seed 0"
    assert with_gd(lost=((1, lost), np.nan)).reason == "the quantity is undefined on seed 1"


def test_a_rate_that_rescues_gd_is_refuted_whatever_diverged():
    found = with_gd(lost=((1, ETAS < 0.1), np.nan), learnt=((1, BELOW & (ETAS > 0.3)), 1.0))
    assert (found.status, found.witness["seed"], found.witness["computed"]) == (REFUTED, 1, 1.0)


def test_above_the_overshoot_rate_a_cell_may_diverge():
    assert with_gd(lost=((slice(None), ~BELOW), np.nan)).status is HOLDS


@pytest.mark.parametrize("learnt", [True, False])
def test_a_cell_that_diverged_is_on_neither_side_of_a_line(learnt):
    """On either side of it, half of the cells of one seed; what is left out is told, and nothing where nothing is."""
    plane, lost = plane_of(), np.zeros((3, SIDE, SIDE), dtype=bool)
    of = plane["small"].values[1] > 0.5
    lost[1, :, ::2] = (of if learnt else ~of)[:, ::2]
    was, found = judged(), judged(small=np.where(lost, np.nan, plane["small"].values))
    within = int((lost & valid(plane).values).sum())
    assert 0 < within < int(lost.sum())
    for name, left in (("race", within), ("two_body", int(lost.sum()))):
        assert (found[name].status, found[name].control["status"]) == (HOLDS, "REFUTED")
        assert found[name].by_seed["computed"] == was[name].by_seed["computed"] == [1.0] * 3
        assert found[name].evidence["cells left out, without an accuracy"] == [0, left, 0]
        assert "cells left out, without an accuracy" not in was[name].evidence
    cells = was["race"].evidence["cells"]
    assert found["race"].evidence["cells"] == [cells[0], cells[1] - within, cells[2]]


def test_a_seed_of_which_every_cell_diverged_decides_nothing():
    accuracy = plane_of()["small"].values.copy()
    accuracy[2] = np.nan
    found = judged(small=accuracy)
    for name in ("race", "two_body"):
        assert (found[name].status, found[name].reason) == (Status.INCONCLUSIVE, "the quantity is undefined on seed 2")


@pytest.mark.parametrize("where", [BELOW, ETAS >= 32], ids=["up to 1/(4αβ)", "from 2κ/(αβ) on"])
def test_a_cell_of_gd_that_diverged_neither_learns_nor_fails(where):
    accuracy = plane_of()["small"].values.copy()
    accuracy[1, -1, where] = np.nan
    assert judged(small=accuracy)["overshoot"].status is REFUTED


def test_where_momentum_does_not_help_the_control_holds():
    """The row of the largest momentum in the place of GD's must differ."""
    found = judged(nowhere)["no_learning_rate_rescues"]
    assert (found.status, found.control["status"]) == (HOLDS, "HOLDS")
    assert not found.as_expected


def test_where_gd_never_learns_or_never_fails_kappa_is_not_fitted():
    for rule in (nowhere, lambda eta, gap: eta > 0):
        assert math.isnan(float(plane_of(rule)["kappa"]))
        assert judged(rule)["overshoot"].reason == "hypothesis fitted fails"


def test_a_plane_without_gd_has_no_claims_about_it():
    without = phase.plane_of(plane_of().data.assign_coords(y=0.9 * GAPS), HEADLINE)
    assert math.isnan(float(without["kappa"]))
    found = {v.claim: v.status for v in judge(CLAIMS, without)}
    assert found["boundary.overshoot"] is found["boundary.no_learning_rate_rescues"] is OUTSIDE
    assert found["boundary.race"] is HOLDS


@pytest.mark.parametrize(
    ("changes", "hypothesis"),
    [
        ({"c_0": -0.1}, "learnable"),
        ({"clock": np.nan}, "memorizes"),
        ({"clock": 333.0}, "raced"),
        ({"c_0": 0.1}, "small_start"),
        ({"c_0": 1e-9}, "coasts"),
    ],
)
def test_where_the_race_is_not_judged(changes, hypothesis):
    """βc* = 1/2 at ηT₁ = 1/(1.5β²μ) = 333⅓; α‖c(0)‖₃ = 1.08 for ten neurons at 0.1."""
    found = judged(**changes)["race"]
    assert (found.status, found.reason) == (OUTSIDE, f"hypothesis {hypothesis} fails")
