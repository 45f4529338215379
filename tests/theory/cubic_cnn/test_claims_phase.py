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


def in_every_column(eta, gap):
    """A prediction that reversing the axis of η does not change."""
    return gap <= 0.01


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
    for seed in (1, 2):
        share[seed] = np.where(in_every_column(*np.meshgrid(ETAS, GAPS)), 0.99, 0.01)
    two_body = judged(below_the_lines, in_every_column, two_body=share, **changes)["two_body"]
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
    """On either side of it, some cells of one seed; what is left out is told, and nothing where nothing is."""
    plane, lost = plane_of(), np.zeros((3, SIDE, SIDE), dtype=bool)
    of = plane["small"].values[1] > 0.5
    if learnt:
        lost[1, ::3, :10:3] = of[::3, :10:3]
    else:
        lost[1, -1] = ~of[-1]  # none of them is valid, and one more that is
        lost[1][tuple(np.argwhere(~of & valid(plane).values[1])[0])] = True
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
    without = phase.plane_of(plane_of().data.assign_coords(y=0.999 * GAPS), HEADLINE)
    assert math.isnan(float(without["kappa"]))
    found = {v.claim: v.status for v in judge(CLAIMS, without)}
    assert found["boundary.overshoot"] is found["boundary.no_learning_rate_rescues"] is OUTSIDE
    assert found["boundary.race"] is HOLDS


@pytest.mark.parametrize(
    ("changes", "hypothesis"),
    [
        ({"c_0": -0.1}, "learnable"),
        ({"clock": np.nan}, "memorizes"),
        ({"clock": 666.0}, "raced"),
        ({"c_0": 0.1}, "small_start"),
        ({"c_0": 1e-9}, "coasts"),
    ],
)
def test_where_the_race_is_not_judged(changes, hypothesis):
    """βc* = 1/3 at ηT₁ = 2/(1.5β²μ) = 666⅔; α‖c(0)‖₃ = 1.08 for ten neurons at 0.1."""
    found = judged(**changes)["race"]
    assert (found.status, found.reason) == (OUTSIDE, f"hypothesis {hypothesis} fails")


# --- enough cells, on both sides -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_two_cells_do_not_decide_a_race(seed):
    """One right cell on each side of the line, and all others without an accuracy."""
    accuracy, where = plane_of()["small"].values.copy(), valid(plane_of()).values[seed]
    kept = np.zeros_like(where)
    for side in (accuracy[seed] > 0.5, accuracy[seed] <= 0.5):
        kept[tuple(np.argwhere(where & side)[0])] = True
    accuracy[seed][~kept] = np.nan
    found = judged(small=accuracy)
    for name in ("race", "two_body"):
        assert found[name].status is Status.INCONCLUSIVE
        assert found[name].reason == f"the quantity is undefined on seed {seed}"
        assert found[name].evidence["cells"][seed] == 2
        assert found[name].evidence["cells on the learning side of the line"][seed] == 1


@pytest.mark.parametrize("variable", ["small", "two_body"])
def test_one_row_is_not_the_whole_plane(variable):
    values = plane_of()[variable].values.copy()
    values[:, 1:] = np.nan
    found = judged(**{variable: values})["two_body"]
    if variable == "small":
        assert found.status is Status.INCONCLUSIVE
        assert found.evidence["cells left out, without an accuracy"] == [SIDE * (SIDE - 1)] * 3
    else:
        assert (found.status, found.reason) == (OUTSIDE, "hypothesis predicted fails")


def test_cells_without_a_prediction_are_counted():
    share = plane_of()["two_body"].values.copy()
    share[1, :3, :2] = np.nan
    found = judged(two_body=share)["two_body"]
    assert (found.status, found.control["status"]) == (HOLDS, "REFUTED")
    assert found.evidence["cells"] == [SIDE**2, SIDE**2 - 6, SIDE**2]
    assert found.evidence["cells left out, without a prediction"] == [0, 6, 0]


@pytest.mark.parametrize(("cells", "enough"), [(119, False), (120, True)])
def test_how_many_cells_decide(cells, enough):
    """30 √16 of them."""
    share = np.where(ETAS < 0.5, 0.99, 0.01) * np.ones((3, SIDE, SIDE))
    share.reshape(3, -1)[:, cells:] = np.nan
    found = judged(lambda eta, gap: eta < 0.5, two_body=share)["two_body"]
    assert (found.status is HOLDS) == enough
    if not enough:
        assert (found.status, found.reason) == (OUTSIDE, "hypothesis predicted fails")


@pytest.mark.parametrize(("above", "tried"), [(10, False), (11, True)])
def test_a_side_that_could_be_wrong_altogether_is_not_tried(above, tried):
    """Of 100 cells: with ten above the line, nine of ten are right though everything learns."""
    where = xr.DataArray(np.ones((1, 10, 10), dtype=bool), dims=("seed", "y", "x"))
    learnt = where.copy(data=(np.arange(100) >= above).reshape(1, 10, 10))
    assert bool(phase._decide(where, learnt)) is tried
    assert bool(phase._decide(where, ~learnt)) is tried
    assert not phase._decide(where & False, learnt)


def everywhere(eta, gap):
    return np.ones_like(eta, dtype=bool)


@pytest.mark.parametrize("clock", [CLOCK, 745.0, 900.0, 2000.0])
@pytest.mark.parametrize("start", [0.03, 0.013, 0.004])
@pytest.mark.parametrize("rule", [everywhere, nowhere])
def test_no_plane_without_a_boundary_holds(clock, start, rule):
    found = judged(rule, clock=clock, c_0=start, two_body=plane_of()["two_body"])
    assert HOLDS not in {found[name].status for name in ("race", "two_body", "overshoot")}


def test_a_line_with_few_cells_above_it_is_not_tried_on_that_seed():
    """So it is on the third seed that was published: 8 of 125 valid cells."""
    found = judged(clock=[CLOCK, CLOCK, 744.4], c_0=np.array([[0.03], [0.03], [0.01314]]))["race"]
    assert (found.status, found.seeds) == (HOLDS, (0, 1))
    (tried,) = [h for h in found.hypotheses if h["name"] == "tried"]
    assert (tried["holds"], tried["of"]) == (2, 3)


def test_an_overshoot_of_which_one_half_is_empty_is_not_judged():
    """The first seed learns in the last column alone: twice that line is beyond the plane."""
    found = judged(lambda eta, gap: eta > 50, nowhere)["overshoot"]
    assert (found.status, found.reason) == (OUTSIDE, "hypothesis both_ends fails")
    few = phase.plane_of(plane_of().data.isel(x=slice(8, None)), HEADLINE)
    (claim,) = [claim for claim in CLAIMS if claim.id == "boundary.overshoot"]
    assert float(few["x"][0]) > overshoot_rate(HEADLINE)
    assert claim.judge(few).reason == "hypothesis both_ends fails"


def test_an_overshoot_says_how_many_cells_it_is_about():
    evidence = judged()["overshoot"].evidence
    line = 2 * evidence["eta"]
    learn, fail = evidence["cells that learn, and that fail, by the statement"]
    assert (learn, fail) == (int((line <= ETAS).sum()), int(BELOW.sum()))
    assert evidence["cells left out, in between"] == SIDE - learn - fail


# --- how far off the race law may be -------------------------------------------------------------------------------


def off(coast, k, side):
    """The race law's share of right cells where 1/(kβ) is enough, at βc* = ``coast`` on the default axes."""
    clock = (1 / coast - 1) / (1.5 * HEADLINE.beta**2 * HEADLINE.mu)
    etas, gaps = np.geomspace(0.0125, 64, side), np.geomspace(1e-4, 1, side)
    eta, gap = np.meshgrid(etas, gaps)
    right = gap <= race_line(HEADLINE, eta, clock) * (1 + (k - 1) * coast) ** 2
    data = {
        "small": (("seed", "y", "x"), np.where(right, 1.0, 0.5)[None]),
        "clock": ("seed", [clock]),
        "c_0": (("seed", "neuron"), np.full((1, HEADLINE.m), 0.03)),
    }
    plane = phase.plane_of(xr.Dataset(data, {"seed": [0], "y": gaps, "x": etas}), HEADLINE)
    (claim,) = [claim for claim in CLAIMS if claim.id == "boundary.race"]
    return claim.judge(plane)


@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize("k", [2.1, 2.5, 3.0])
@pytest.mark.parametrize("coast", [0.31, 0.33, 0.3333, 0.36, 0.4, 0.45, 0.5])
def test_the_race_law_is_claimed_where_its_own_error_leaves_nine_of_ten(coast, k, side):
    found = off(coast, k, side)
    if coast < 1 / 3:
        assert found.status is HOLDS
    else:
        assert (found.status, found.reason) == (OUTSIDE, "hypothesis raced fails")


def test_what_is_derived_of_its_error():
    """Seven columns, rows a factor exp(0.614) apart, 125 cells: a tenth of them is reached at βc* = 0.37."""
    ratio = math.log(GAPS[1] / GAPS[0])
    assert abs(ratio - 0.614) < 1e-3
    assert abs(7 * 2 * math.log(1 + 2 * 0.37) / ratio - 12.5) < 0.2
    plane = plane_of()
    where, below = valid(plane).isel(seed=0), phase._below(plane).isel(seed=0)
    assert int(((where & below).any("y") & (where & ~below).any("y")).sum()) == 7


def test_gd_may_be_at_the_bound_itself():
    """The statement says ≤, as the family's does, and what is held against it is ≤."""
    (claim,) = [claim for claim in CLAIMS if claim.id == "boundary.no_learning_rate_rescues"]
    assert r"\le 0.99" in claim.statement
    assert "≤ 0.99" in claim.plain
    assert with_gd(at=((slice(None), BELOW), 0.99)).status is HOLDS
    assert with_gd(at=((slice(None), BELOW), 0.991)).status is REFUTED
