"""Verdicts: exact intervals, and how each status comes about, on runs small enough to check by eye."""

import math

import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from tolerances import assert_close, tolerance

from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import (
    SOURCES,
    Claim,
    Control,
    Hypothesis,
    Kind,
    Measurement,
    Run,
    Status,
    Verdict,
    clopper_pearson,
)


def run_of(values, label="GD", eta=0.1, gamma=0.0, seeds=None, parameters=HEADLINE):
    """A run with one recorded quantity x, ``values`` by seed, at iterations 0 and 100."""
    values = [float(value) for value in values]
    x = xr.DataArray(
        [[0.0, value] for value in values],
        dims=("seed", "iteration"),
        coords={"seed": list(seeds or range(len(values))), "iteration": [0, 100]},
    )
    return Run(xr.Dataset({"x": x}), label, parameters, eta, gamma)


def claim_of(lower=-math.inf, upper=math.inf, hypotheses=(), probability=None, **rest):
    """lower ≤ x(T) ≤ upper."""
    values = {"id": "test.x", "statement": "$x$", "kind": Kind.BOUND, "source": "derived", **rest}
    return Claim(
        measure=lambda run: Measurement(run.final["x"], lower=lower, upper=upper),
        hypotheses=hypotheses,
        probability=probability,
        **values,
    )


def at_least(least, name="large"):
    return Hypothesis(name, f"x ≥ {least}", lambda run: run.final["x"] >= least)


# --- intervals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 8, 20, 100])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_intervals_are_scipys(n, confidence):
    """One-sided bounds at 0.95 are the two-sided interval at 0.90."""
    for k in range(n + 1):
        found = clopper_pearson(k, n, confidence)
        expected = binomtest(k, n).proportion_ci(method="exact", confidence_level=2 * confidence - 1)
        assert_close(found, [expected.low, expected.high], "trajectory", scale=1, note=f"{k} of {n}")
    assert_close(clopper_pearson(3, 7), clopper_pearson(3, 7, 0.95))


@pytest.mark.parametrize("n", [1, 5, 8, 17])
@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.549, 0.8, 0.999])
def test_each_end_covers_with_its_confidence(n, p):
    """By enumeration of all outcomes: neither end misses the true probability more than 5 % of the time."""
    chance = binom.pmf(range(n + 1), n, p)
    bounds = [clopper_pearson(k, n) for k in range(n + 1)]
    assert sum(q for q, (low, _) in zip(chance, bounds, strict=True) if low > p) <= 0.05 + tolerance("identity")
    assert sum(q for q, (_, high) in zip(chance, bounds, strict=True) if high < p) <= 0.05 + tolerance("identity")


def test_five_of_five():
    """0.05^(1/5) = 0.549."""
    low, high = clopper_pearson(5, 5)
    assert_close(low, 0.05**0.2)
    assert high == 1
    assert clopper_pearson(0, 5)[0] == 0
    assert_close(clopper_pearson(0, 5)[1], 1 - low)


@given(st.integers(1, 60), st.data())
def test_intervals_are_ordered(n, data):
    k = data.draw(st.integers(0, n))
    low, high = clopper_pearson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    if k < n:
        more = clopper_pearson(k + 1, n)
        assert more[0] > low
        assert more[1] > high or high == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1, 0), "n = 0"),
        ((-1, 3), "k = -1"),
        ((4, 3), "k = 4.*at most n = 3"),
        ((1.0, 3), "k = 1.0"),
        ((1, 3, 1.0), "confidence = 1.0"),
        ((1, 3, 0), "confidence = 0"),
    ],
)
def test_bad_counts_are_refused(arguments, said):
    with pytest.raises(InputError, match=said):
        clopper_pearson(*arguments)


# --- deterministic statements --------------------------------------------------------------------------------------

HOLDS, REFUTED, UNDECIDED, OUTSIDE = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE, Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("values", "lower", "upper", "status", "margin"),
    [
        ([1, 2, 3], 0, 5, HOLDS, 1),
        ([1, 2, 3], 1, 3, HOLDS, 0),
        ([1, 2, 3], 1.5, 5, REFUTED, -0.5),
        ([1, 2, 3], 0, 2.75, REFUTED, -0.25),
        ([1, 2, 3], -math.inf, 4, HOLDS, 1),
        ([1, 2, 3], 0.5, math.inf, HOLDS, 0.5),
        ([1, 2, 3], -math.inf, math.inf, HOLDS, math.inf),
        ([1, 2, 3], math.inf, math.inf, REFUTED, -math.inf),
        ([4], 0, 5, HOLDS, 1),
        ([6], 0, 5, REFUTED, -1),
        ([math.inf, 1], 0, 5, REFUTED, -math.inf),
        ([math.inf, 1], 0, math.inf, HOLDS, 1),
        ([-math.inf], -math.inf, 0, HOLDS, math.inf),
        ([1, math.nan], 0, 5, UNDECIDED, 1),
        ([9, math.nan], 0, 5, REFUTED, -4),
        ([math.nan], 0, 5, UNDECIDED, None),
        ([1, 2], math.nan, 5, UNDECIDED, None),
    ],
)
def test_a_deterministic_statement(values, lower, upper, status, margin):
    verdict = claim_of(lower, upper).judge(run_of(values))
    assert verdict.status is status
    assert verdict.margin == margin
    assert verdict.interval is None
    assert (verdict.witness is not None) == (status is REFUTED)


def test_one_seed_refutes_and_the_witness_is_the_worst():
    verdict = claim_of(0, 10).judge(run_of([5, 12, 7, 15, 9], seeds=[3, 1, 4, 2, 8]))
    assert verdict.status is REFUTED
    assert verdict.witness == {"seed": 2, "computed": 15.0, "lower": 0.0, "upper": 10.0}
    assert verdict.holding == (3, 4, 8)
    assert verdict.seeds == (3, 1, 4, 2, 8)
    assert verdict.reason == "true on 3 of 5 seeds"
    assert verdict.margin == -5


def test_an_undefined_quantity_names_its_seed():
    verdict = claim_of(0, 5).judge(run_of([1, math.nan, math.nan], seeds=[4, 6, 7]))
    assert "undefined on seed 6" in verdict.reason
    assert verdict.holding == (4,)


@pytest.mark.parametrize("values", [[1, math.nan, 9], [9, math.nan], [math.nan, 9, 1]])
def test_what_is_undefined_on_one_seed_hides_no_refutation_on_another(values):
    verdict = claim_of(0, 5).judge(run_of(values))
    assert verdict.status is REFUTED
    assert verdict.witness["computed"] == 9


def test_bounds_may_differ_by_seed():
    run = run_of([1, 2, 3])
    limit = xr.DataArray([2.0, 2.0, 2.0], dims="seed", coords={"seed": [0, 1, 2]})
    claim = Claim("test.x", "$x$", Kind.BOUND, "derived", lambda run: Measurement(run.final["x"], upper=limit))
    assert claim.judge(run).witness["seed"] == 2
    shuffled = Claim(
        "test.x",
        "$x$",
        Kind.BOUND,
        "derived",
        lambda run: Measurement(run.final["x"], upper=xr.DataArray([5, 0, 5], dims="seed", coords={"seed": [1, 0, 2]})),
    )
    assert shuffled.judge(run).holding == (1, 2)


@pytest.mark.parametrize(("values", "middle"), [([3, 1, 2], 2), ([4, 1, 3, 2], 2), ([7], 7), ([5, 5, 9, 0], 5)])
def test_the_number_shown_is_the_median_seeds(values, middle):
    verdict = claim_of(0, 10).judge(run_of(values))
    assert (verdict.computed, verdict.lower, verdict.upper) == (middle, 0, 10)
    assert verdict.by_seed["computed"] == values


def test_residual_and_evidence_reach_the_verdict():
    run = run_of([1, 2])
    claim = Claim(
        "test.x",
        "$x$",
        Kind.IDENTITY,
        "derived",
        lambda run: Measurement(run.final["x"], upper=3, residual=run.final["x"] / 10, evidence={"slope": 1.5}),
    )
    verdict = claim.judge(run)
    assert verdict.residual == 0.2
    assert verdict.evidence == {"slope": 1.5}
    assert (verdict.kind, verdict.source, verdict.optimizer) == (Kind.IDENTITY, "derived", "GD")


# --- statements with high probability ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("true", "of", "probability", "status"),
    [
        (5, 5, 0.5, HOLDS),
        (4, 4, 0.5, UNDECIDED),
        (1, 1, 0.5, UNDECIDED),
        (1, 1, 0.04, HOLDS),
        (8, 8, 0.5, HOLDS),
        (7, 8, 0.5, HOLDS),
        (6, 8, 0.5, UNDECIDED),
        (1, 8, 0.5, REFUTED),
        (0, 5, 0.5, REFUTED),
        (0, 4, 0.5, UNDECIDED),
        (8, 8, 0.9, UNDECIDED),
        (29, 29, 0.9, HOLDS),
        (28, 28, 0.9, UNDECIDED),
        (5, 8, 0.95, REFUTED),
    ],
)
def test_a_statement_with_high_probability(true, of, probability, status):
    verdict = claim_of(0, 5, probability=probability).judge(run_of([1] * true + [9] * (of - true)))
    assert verdict.status is status
    assert verdict.interval == clopper_pearson(true, of)
    assert len(verdict.holding) == true
    assert ("more seeds" in verdict.reason) == (status is UNDECIDED)
    assert f"true on {true} of {of} seeds" in verdict.reason
    assert (verdict.witness is None) == (status is not REFUTED)


@given(st.integers(1, 30), st.data(), st.floats(0.01, 0.99))
def test_the_status_follows_from_the_interval(n, data, probability):
    k = data.draw(st.integers(0, n))
    verdict = claim_of(0, 5, probability=probability).judge(run_of([1] * k + [9] * (n - k)))
    low, high = clopper_pearson(k, n)
    expected = HOLDS if low > probability else REFUTED if high < probability else UNDECIDED
    assert verdict.status is expected
    assert (verdict.witness is not None) == (expected is REFUTED)


def test_a_seed_without_a_number_leaves_probability_open():
    verdict = claim_of(0, 5, probability=0.5).judge(run_of([1] * 20 + [math.nan]))
    assert verdict.status is UNDECIDED
    assert verdict.interval is None


@pytest.mark.parametrize(
    ("true", "false", "undefined", "status"),
    [
        (0, 7, 1, REFUTED),
        (0, 6, 1, UNDECIDED),
        (0, 9, 2, REFUTED),
        (1, 10, 1, REFUTED),
        (0, 5, 1, UNDECIDED),
        (0, 5, 3, UNDECIDED),
        (20, 0, 1, UNDECIDED),
        (0, 0, 9, UNDECIDED),
    ],
)
def test_what_is_undefined_counts_as_true_before_it_refutes_with_high_probability(true, false, undefined, status):
    """1 of 8 seeds refute one half, 1 of 7 do not: the seed without a number might be the one."""
    values = [math.nan] * undefined + [9] * false + [1] * true
    verdict = claim_of(0, 5, probability=0.5).judge(run_of(values))
    n = len(values)
    assert verdict.status is status
    assert (clopper_pearson(true + undefined, n)[1] < 0.5) == (status is REFUTED)
    if status is REFUTED:
        assert verdict.interval == (clopper_pearson(true, n)[0], clopper_pearson(true + undefined, n)[1])
        assert verdict.reason.startswith(f"true on {true} of {n} seeds, undefined on {undefined}: probability in [")
        assert verdict.witness["computed"] == 9
    else:
        assert verdict.reason == "the quantity is undefined on seed 0"


@given(st.permutations([math.nan, 9.0, 7.0, 8.0, 6.0, math.nan]))
def test_the_number_shown_is_the_median_of_what_is_defined(values):
    for probability in (None, 0.9):
        assert claim_of(0, 5, probability=probability).judge(run_of(values)).computed == 7.0


# --- hypotheses ----------------------------------------------------------------------------------------------------


def test_a_failed_hypothesis_is_named():
    verdict = claim_of(0, 5, (at_least(0, "not negative"), at_least(4, "at least four"))).judge(run_of([1, 2]))
    assert verdict.status is OUTSIDE
    assert verdict.reason == "hypothesis at least four fails"
    assert [(h["name"], h["holds"], h["of"]) for h in verdict.hypotheses] == [
        ("not negative", 2, 2),
        ("at least four", 0, 2),
    ]
    assert (verdict.computed, verdict.margin, verdict.seeds) == (None, None, ())


def test_only_seeds_that_meet_all_hypotheses_count():
    """Seed 0 would refute, and seed 3 too, but each fails one hypothesis."""
    below = Hypothesis("below nine", "x ≤ 9", lambda run: run.final["x"] <= 9)
    verdict = claim_of(2, 5, (at_least(2), below)).judge(run_of([1, 2, 4, 10]))
    assert verdict.status is HOLDS
    assert verdict.seeds == verdict.holding == (1, 2)
    assert [h["holds"] for h in verdict.hypotheses] == [3, 3]


def test_hypotheses_that_hold_on_different_seeds_leave_none():
    below = Hypothesis("below two", "x < 2", lambda run: run.final["x"] < 2)
    verdict = claim_of(0, 5, (at_least(2), below)).judge(run_of([1, 3]))
    assert verdict.status is OUTSIDE
    assert verdict.reason == "no seed meets all hypotheses"


@pytest.mark.parametrize("answer", [False, True])
def test_a_hypothesis_may_answer_for_all_seeds(answer):
    verdict = claim_of(0, 5, (Hypothesis("said", "said", lambda run: answer),)).judge(run_of([1, 2]))
    assert verdict.status is (HOLDS if answer else OUTSIDE)
    assert verdict.hypotheses[0]["holds"] == 2 * answer


def test_a_family_hypothesis_must_hold_for_each_optimizer():
    finite = xr.DataArray([[True, False], [True, True]], dims=("seed", "optimizer"), coords={"seed": [0, 1]})
    verdict = claim_of(0, 5, (Hypothesis("finite", "finite", lambda run: finite),)).judge(run_of([9, 1]))
    assert (verdict.status, verdict.seeds) == (HOLDS, (1,))


def test_later_hypotheses_are_not_asked_where_an_earlier_one_fails():
    """They may be undefined there."""
    needs_law = Hypothesis("lambda", "λ = 0", lambda run: run.p.lam == 0)
    known = Hypothesis("known", "the law is known", lambda run: run.parameters is not None)
    verdict = claim_of(0, 5, (known, needs_law)).judge(run_of([1, 2], parameters=None))
    assert verdict.status is OUTSIDE
    assert verdict.reason == "hypothesis known fails"
    assert [h["holds"] for h in verdict.hypotheses] == [0, None]
    with pytest.raises(AssertionError):
        claim_of(0, 5, (needs_law,)).judge(run_of([1, 2], parameters=None))


def test_nothing_is_measured_where_nothing_applies():
    def measure(run):
        raise AssertionError("measured")

    claim = Claim("test.x", "$x$", Kind.BOUND, "derived", measure, (at_least(100),))
    assert claim.judge(run_of([1])).status is OUTSIDE
    with pytest.raises(AssertionError, match="measured"):
        claim.judge(run_of([1]), waive=True)


def test_waiving_skips_the_hypotheses():
    claim = claim_of(0, 5, (at_least(100),))
    verdict = claim.judge(run_of([9, 1]), waive=True)
    assert verdict.status is REFUTED
    assert verdict.hypotheses == ()
    assert claim.judge(run_of([9, 1])).status is OUTSIDE


# --- controls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("control", [None, "not run", *Status])
def test_as_expected_needs_the_control_to_be_refuted(status, control):
    verdict = Verdict(
        "test.x",
        "GD",
        "$x$",
        Kind.BOUND,
        "derived",
        status,
        HOLDS,
        "said",
        control=None if control is None else {"description": "a control", "status": str(control)},
    )
    assert verdict.as_expected == (status is HOLDS and control in (None, REFUTED))
    missing = control == "not run" and status is not OUTSIDE
    assert verdict.control_undecided == (missing or control in (UNDECIDED, OUTSIDE))


def test_a_claim_may_be_expected_to_fail():
    claim = claim_of(0, 5, expected=REFUTED)
    assert claim.judge(run_of([9])).as_expected
    assert not claim.judge(run_of([1])).as_expected


def test_a_control_is_a_name_or_a_function():
    worse = Control(lambda run: run_of(run.final["x"].values + 100), "x raised by 100")
    claim = claim_of(0, 5, control=worse)
    assert claim.judge(run_of([1])).status is HOLDS
    assert claim.judge(worse.kind(run_of([1])), waive=True).status is REFUTED


# --- claims and runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "paper"}, "source = 'paper' is not accepted: it must be one of talk, abstract"),
        ({"subject": "adam"}, "subject = 'adam' is not accepted: it must be 'gd', 'momentum', 'any' or 'family'"),
        ({"probability": 1}, "probability = 1 "),
        ({"probability": -0.1}, "probability = -0.1 "),
        ({"probability": math.nan}, "probability = nan "),
    ],
)
def test_a_bad_claim_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        claim_of(**changes)


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_accepted(source):
    assert claim_of(source=source).judge(run_of([1])).source == source


FAMILY = Run(xr.Dataset(coords={"optimizer": ["a", "b"]}), "all", None, None, None)
CONCERNS = {
    "gd": (run_of([1]), {"gd", "any"}),
    "momentum": (run_of([1], "GD+M", gamma=0.9), {"momentum", "any"}),
    "other": (run_of([1], "Nesterov", None, None), {"any"}),
    "family": (FAMILY, {"family"}),
}


@pytest.mark.parametrize("role", CONCERNS)
def test_whom_a_claim_concerns(role):
    run, subjects = CONCERNS[role]
    assert run.role == role
    assert {s for s in ("gd", "momentum", "any", "family") if claim_of(subject=s).concerns(run)} == subjects


def test_what_a_run_knows():
    run = run_of([1, 2])
    assert run["x"] is not None
    assert "x" in run
    assert "c" not in run
    assert (run.iterations, run.p) == (100, HEADLINE)
    assert run.final["x"].values.tolist() == [1, 2]
    assert run.initial["x"].values.tolist() == [0, 0]


def test_plain_text_falls_back_to_the_statement():
    assert claim_of().judge(run_of([1])).plain == "$x$"
    assert claim_of(plain="x is small").judge(run_of([1])).plain == "x is small"


def test_verdicts_serve_any_subject():
    """Parameters are the subject's own; verdicts ask nothing of them."""
    own = {"width": 3}
    wide = Hypothesis("wide", "width ≥ 2", lambda run: run.p["width"] >= 2)
    assert claim_of(0, 5, (wide,)).judge(run_of([1], parameters=own)).status is HOLDS
    assert claim_of(0, 5, (wide,)).judge(run_of([1], parameters={"width": 1})).status is OUTSIDE
