"""The one judge, on plain labelled data: claims in order, each on the evidence that it concerns, with its control."""

import math

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import as_evidence, judge
from lemmascope.theory.claim import FAMILY, Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Kind, Status

HOLDS, REFUTED, UNDECIDED, OUTSIDE = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE, Status.NOT_APPLICABLE


def data_of(*values, **attrs):
    """A quantity x by seed."""
    return xr.Dataset({"x": ("seed", np.array(values, dtype=float))}, {"seed": range(len(values))}, attrs)


def at_most(evidence, *, upper=5.0):
    return Measurement(evidence["x"], upper=upper)


def claim_of(id="test.x", **rest):
    values = {"statement": "$x \\le 5$", "plain": "x ≤ 5", "kind": Kind.BOUND, "source": "user", "measure": at_most}
    return Claim(id=id, **{**values, **rest})


LOWERED = Control("the bound lowered to 2", constants={"upper": 2.0})
RAISED = Control("x raised by 10", made="raised")
CONTROLS = {"raised": lambda one, everyone: Evidence(one.data + 10, one.label, one.role)}


# --- what is evidence ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attrs", [{"label": "mine"}, {"study": "mine"}, {"label": "mine", "study": "other"}])
def test_a_data_set_is_evidence_under_its_label(attrs):
    (one,) = as_evidence(data_of(1, 2, **attrs))
    assert (one.label, one.role, one.parameters) == ("mine", "", None)
    assert as_evidence(data_of(1))[0].label == "the data"


def test_evidence_stays_what_it_is():
    first, second = Evidence(data_of(1), "a"), Evidence(data_of(2), "b", "role")
    assert as_evidence([first, second]) == (first, second)
    assert as_evidence(second) == (second,)
    mixed = as_evidence(iter([first, data_of(3)]))
    assert [one.label for one in mixed] == ["a", "the data"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([1.0, 2.0], "evidence = 'float'.*an Evidence, an xarray Dataset"),
        ([data_of(1)["x"]], "evidence = 'DataArray'"),
        (data_of(1, 2).isel(seed=[0, 0]), "evidence = 'the data'.*each must occur once"),
        (Evidence(data_of(1, 2).isel(seed=[1, 1]), "mine"), "evidence = 'mine'.*each must occur once"),
        (data_of(1, 2).assign_coords(seed=["a", "b"]), "evidence = 'the data'.*its seeds must be integers"),
        (data_of(1, 2).assign_coords(seed=[0.5, 1]), "its seeds must be integers"),
        (data_of(1, 2).assign_coords(seed=[False, True]), "its seeds must be integers"),
    ],
)
def test_what_is_no_evidence_is_refused(found, said):
    with pytest.raises(InputError, match=said):
        judge(claim_of(), found)


# --- verdicts ------------------------------------------------------------------------------------------------------


def test_a_users_own_data_are_judged():
    (verdict,) = judge(claim_of(control=LOWERED), data_of(3, 4, label="mine"))
    assert (verdict.claim, verdict.label, verdict.status) == ("test.x", "mine", HOLDS)
    assert verdict.by_seed["computed"] == [3, 4]
    assert verdict.control == {"description": "the bound lowered to 2", "status": "REFUTED"}
    assert verdict.as_expected


def test_an_exact_statement_needs_no_seeds():
    exact = xr.Dataset({"x": 4.0})
    (verdict,) = judge(claim_of(control=LOWERED), exact)
    assert (verdict.status, verdict.seeds, verdict.control["status"]) == (HOLDS, (), "REFUTED")
    assert judge(claim_of(), exact + 2)[0].status is REFUTED


def test_an_estimate_is_judged_like_a_measurement():
    def mean(evidence, *, upper=5.0):
        x, error = float(evidence["x"].mean()), float(evidence["x"].std())
        return Estimate(x, x - error, x + error, upper=upper)

    (verdict,) = judge(claim_of(measure=mean, control=LOWERED), data_of(3, 4))
    assert (verdict.status, verdict.computed, verdict.control["status"]) == (HOLDS, 3.5, "REFUTED")


def test_verdicts_come_in_the_order_of_the_claims_and_then_of_the_evidence():
    evidence = [Evidence(data_of(1), label, role) for label, role in (("b", "r"), ("a", "r"), ("all", FAMILY))]
    claims = [claim_of("z"), claim_of("compare", about=FAMILY), claim_of("y", about="r"), claim_of("no", about="s")]
    found = [(v.claim, v.label) for v in judge(claims, evidence)]
    assert found == [("z", "b"), ("z", "a"), ("compare", "all"), ("y", "b"), ("y", "a")]
    assert judge([], evidence) == judge(claims, []) == ()


def test_a_study_may_expect_another_status():
    claims = [claim_of("a"), claim_of("b")]
    a, b = judge(claims, data_of(9), expected={"a": REFUTED})
    assert (a.expected, a.as_expected) == (REFUTED, True)
    assert (b.expected, b.as_expected) == (HOLDS, False)


@pytest.mark.parametrize(("value", "status"), [(3, HOLDS), (9, REFUTED)])
def test_an_open_question_may_come_out_as_it_will_with_a_control(value, status):
    claim = claim_of(control=LOWERED)
    (verdict,) = judge(claim, data_of(value), expected={"test.x": None})
    assert (verdict.status, verdict.expected, verdict.as_expected) == (status, None, True)
    loose = Control("the bound raised", constants={"upper": 20.0})
    (verdict,) = judge(claim_of(control=loose), data_of(value), expected={"test.x": None})
    assert (verdict.control["status"], verdict.as_expected) == ("HOLDS", False)


def test_an_open_question_that_fails_is_not_answered():
    def breaks(evidence):
        raise ZeroDivisionError

    failures = []
    (verdict,) = judge(claim_of(measure=breaks), data_of(3), expected={"test.x": None}, failures=failures)
    assert failures
    assert (verdict.status, verdict.as_expected) == (UNDECIDED, False)


# --- controls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "control",
    [
        LOWERED,
        RAISED,
        Control("x raised by 10", made=lambda one: Evidence(one.data + 10, one.label)),
        Control("x lowered, and the bound more", constants={"upper": -9.0}, made="lowered"),
    ],
    ids=lambda control: control.description,
)
def test_a_control_changes_the_statement_or_the_evidence_or_both(control):
    ways = {**CONTROLS, "lowered": lambda one, everyone: Evidence(one.data - 5, one.label)}
    (verdict,) = judge(claim_of(control=control), data_of(3, 4), ways)
    assert (verdict.status, verdict.computed) == (HOLDS, 3)
    assert verdict.control == {"description": control.description, "status": "REFUTED"}


def test_a_way_is_shown_the_evidence_and_all_of_it():
    seen = []

    def made(one, everyone):
        seen.append((one.label, [other.label for other in everyone]))
        return one

    evidence = [Evidence(data_of(1), "a", "r"), Evidence(data_of(2), "b")]
    judge(claim_of(about="r", control=Control("the same", made="same")), evidence, {"same": made})
    assert seen == [("a", ["a", "b"])]


def test_a_controls_hypotheses_are_waived():
    small = Hypothesis("small", "x < 9", lambda evidence: evidence["x"] < 9)
    (verdict,) = judge(claim_of(assumes=(small,), control=RAISED), data_of(3, 4), CONTROLS)
    assert (verdict.status, verdict.control["status"]) == (HOLDS, "REFUTED")


def test_a_control_is_left_out_where_nothing_is_claimed():
    def never(one, everyone):
        raise AssertionError("made")

    none = Hypothesis("none", "x < 0", lambda evidence: evidence["x"] < 0)
    (verdict,) = judge(claim_of(assumes=(none,), control=RAISED), data_of(3), {"raised": never})
    assert (verdict.status, verdict.control["status"]) == (OUTSIDE, "not run")
    assert not verdict.uncontrolled


@pytest.mark.parametrize("made", ["other", lambda one: None], ids=["by name", "by a function"])
def test_a_control_that_does_not_apply_spoils_nothing_and_is_said(made):
    (verdict,) = judge(claim_of(control=Control("another", made=made)), data_of(3), {"other": lambda one, all_: None})
    assert (verdict.status, verdict.control["status"]) == (HOLDS, "not run")
    assert verdict.as_expected
    assert verdict.uncontrolled


def test_a_control_that_the_claim_does_not_reject_spoils_the_verdict():
    (verdict,) = judge(claim_of(control=Control("the bound raised", constants={"upper": 9.0})), data_of(3))
    assert (verdict.status, verdict.control["status"], verdict.as_expected) == (HOLDS, "HOLDS", False)


@pytest.mark.parametrize(("controls", "known"), [(None, "none"), ({}, "none"), (CONTROLS, "raised")])
def test_an_unknown_control_is_refused(controls, known):
    claim = claim_of(control=Control("another", made="gremlin"))
    with pytest.raises(InputError, match=rf"control = 'gremlin'.*test\.x asks for it.*are: {known}"):
        judge(claim, data_of(3), controls)


def test_a_claim_without_a_control_has_none():
    (verdict,) = judge(claim_of(), data_of(3))
    assert verdict.control is None
    assert verdict.as_expected
    assert verdict.uncontrolled


# --- what fails is told by claim -----------------------------------------------------------------------------------


def fails(evidence):
    return Measurement(evidence["y"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measure": fails}, "its measure must take this evidence.*KeyError"),
        ({"measure": lambda evidence: math.pi}, "its measure must return a Measurement or an Estimate, not float"),
        ({"assumes": (Hypothesis("h", "h", fails),)}, "its hypothesis h must take this evidence.*KeyError"),
        ({"control": Control("c", constants={"lower": 1})}, "its measure must take this evidence.*TypeError.*lower"),
    ],
)
def test_a_claim_that_fails_is_named(change, said):
    claims = [claim_of("fine"), claim_of("test.broken", **change)]
    with pytest.raises(InputError, match=rf"claim = 'test\.broken' is not accepted: {said}"):
        judge(claims, data_of(3))


def leaves(evidence, **constants):
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measure": fails}, "KeyError"),
        ({"measure": leaves}, "SystemExit"),
        ({"measure": lambda evidence: math.pi}, "not float"),
        ({"assumes": (Hypothesis("h", "h", fails),)}, "its hypothesis h"),
    ],
)
def test_of_a_study_a_claim_that_fails_takes_no_other_with_it(change, said):
    """It is INCONCLUSIVE with its reason, never as expected, also where its sizes could not have decided it."""
    claims = [claim_of("test.broken", **change), claim_of("fine")]
    for undecided in ({}, {"test.broken": "too small"}):
        failures = []
        broken, fine = judge(claims, data_of(3), undecided=undecided, failures=failures)
        assert (broken.status, broken.as_expected, fine.status) == (UNDECIDED, False, HOLDS)
        assert [broken.reason] == failures
        assert said in broken.reason


def test_of_a_study_a_control_that_fails_leaves_its_verdict():
    broken = Control("c", constants={"lower": 1})
    failures = []
    (verdict,) = judge(claim_of(control=broken), data_of(3), failures=failures)
    assert (verdict.status, verdict.control["status"], verdict.as_expected) == (HOLDS, "INCONCLUSIVE", False)
    assert len(failures) == 1
    assert "lower" in failures[0]


def test_what_refutes_is_no_matter_of_size():
    (verdict,) = judge(claim_of(), data_of(9), undecided={"test.x": "4 cells"})
    assert (verdict.status, verdict.as_expected) == (Status.REFUTED, False)


@pytest.mark.parametrize("value", [3])
def test_sizes_that_decide_nothing_leave_a_claim_open(value):
    """The numbers are kept; of what is not decided the control spoils nothing."""
    control = Control("the bound raised", constants={"upper": 20.0})
    (verdict,) = judge(claim_of(control=control), data_of(value), undecided={"test.x": "4 cells"})
    assert (verdict.status, verdict.expected, verdict.as_expected) == (UNDECIDED, UNDECIDED, True)
    assert verdict.reason.startswith("not decided at this size: 4 cells; true on ")
    assert (verdict.computed, verdict.witness) == (value, None)
    assert not judge(claim_of(control=control), data_of(3), undecided={"other": "4 cells"})[0].as_expected


def test_what_does_not_apply_is_not_called_undecided():
    none = Hypothesis("none", "x < 0", lambda evidence: evidence["x"] < 0)
    (verdict,) = judge(claim_of(assumes=(none,)), data_of(3), undecided={"test.x": "4 cells"})
    assert (verdict.status, verdict.as_expected) == (OUTSIDE, True)


def test_an_exact_interval_refutes_though_its_seeds_could_not_have_made_it_hold():
    """False on 3 of 3: the probability is at most 0.632, and 0.9 is stated."""
    claim = claim_of(probability=0.9)
    for values, status in (((9, 9, 9), REFUTED), ((1, 9, 1), UNDECIDED)):
        (verdict,) = judge(claim, data_of(*values), undecided={"test.x": "3 seeds are too few"})
        assert verdict.status is status
        assert verdict.as_expected == (status is UNDECIDED)


@pytest.mark.parametrize(("k", "status"), [(5, HOLDS), (4, UNDECIDED), (0, REFUTED)])
def test_a_probability_is_that_of_the_seeds(k, status):
    """At five seeds 5 of 5 hold and 0 of 5 refute, against one half."""
    (verdict,) = judge(claim_of(probability=0.5), data_of(*[1] * k, *[9] * (5 - k)))
    assert verdict.status is status


# --- hypotheses under a control ------------------------------------------------------------------------------------

SMALL_X = Hypothesis("small", "x ≤ 10", lambda evidence: evidence["x"] <= 10)


def test_a_changed_statement_is_held_under_its_hypotheses():
    """A seed on which nothing is claimed cannot refute a control that changes next to nothing."""
    nothing = Control("the bound raised a little", constants={"upper": 5.5})
    (verdict,) = judge(claim_of(assumes=(SMALL_X,), control=nothing), data_of(1, 2, 20))
    assert (verdict.status, verdict.seeds, verdict.control["status"]) == (HOLDS, (0, 1), "HOLDS")
    assert not verdict.as_expected


def test_other_evidence_is_held_without_them():
    (verdict,) = judge(claim_of(assumes=(SMALL_X,), control=RAISED), data_of(1, 2), CONTROLS)
    assert verdict.control["status"] == "REFUTED"
    (verdict,) = judge(claim_of(assumes=(SMALL_X,), control=RAISED), data_of(4, 5), CONTROLS)
    assert verdict.control["status"] == "REFUTED", "11 > 10 would not be claimed, and is a control all the same"


def fails(one, everyone=()):
    raise KeyError("x")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (fails, r"control = 'test.x' .* must take mine, and failed \(KeyError: 'x'\)"),
        (lambda one: one.data, r"control = 'test.x' .* must return an Evidence, and not a Dataset"),
        ("fails", r"control = 'test.x' .* must take mine, and failed \(KeyError: 'x'\)"),
        ("number", r"control = 'test.x' .* must return an Evidence, and not a int"),
    ],
)
def test_a_control_that_cannot_be_made_is_one_sentence(made, said):
    claim = claim_of(control=Control("made", made=made))
    with pytest.raises(InputError, match=said):
        judge(claim, data_of(3, 4, label="mine"), {"fails": fails, "number": lambda one, everyone: 3})
