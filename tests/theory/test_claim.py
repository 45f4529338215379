"""Claims: how each status comes about, on evidence small enough to check by eye."""

import math

import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from lemmascope.theory.claim import FAMILY, Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.errors import InputError
from lemmascope.theory.sequential import Plan
from lemmascope.theory.verdict import SOURCES, Kind, Status, clopper_pearson


def evidence_of(values, label="GD", seeds=None, parameters=None, role=""):
    """One recorded quantity x, ``values`` by seed, at iterations 0 and 100."""
    values = [float(value) for value in values]
    x = xr.DataArray(
        [[0.0, value] for value in values],
        dims=("seed", "iteration"),
        coords={"seed": list(seeds or range(len(values))), "iteration": [0, 100]},
    )
    return Evidence(xr.Dataset({"x": x}), label, role, parameters)


def exact(value, **rest):
    """One number, without seeds."""
    return Evidence(xr.Dataset({"x": float(value)}), "the law", **rest)


def claim_of(lower=-math.inf, upper=math.inf, assumes=(), **rest):
    """lower ≤ x(T) ≤ upper."""

    def measure(evidence, *, lower=lower, upper=upper):
        return Measurement((evidence.final if "iteration" in evidence.data.dims else evidence)["x"], lower, upper)

    values = {"id": "test.x", "statement": "$x$", "plain": "x", "kind": Kind.BOUND, "source": "derived"}
    return Claim(**{**values, "measure": measure, "assumes": assumes, **rest})


def at_least(least, name="large"):
    return Hypothesis(name, f"x ≥ {least}", lambda evidence: evidence.final["x"] >= least)


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
        ([1, 2, 3], math.inf, math.inf, REFUTED, -math.inf),
        ([4], 0, 5, HOLDS, 1),
        ([6], 0, 5, REFUTED, -1),
        ([math.inf, 1], 0, 5, REFUTED, -math.inf),
        ([math.inf, 1], 0, math.inf, UNDECIDED, 1),
        ([-math.inf], -math.inf, 0, UNDECIDED, None),
        ([1, math.nan], 0, 5, UNDECIDED, 1),
        ([9, math.nan], 0, 5, REFUTED, -4),
        ([math.nan], 0, 5, UNDECIDED, None),
        ([1, 2], math.nan, 5, UNDECIDED, None),
    ],
)
def test_a_deterministic_statement(values, lower, upper, status, margin):
    verdict = claim_of(lower, upper).judge(evidence_of(values))
    assert verdict.status is status
    assert verdict.margin == margin
    assert verdict.interval is None
    assert (verdict.witness is not None) == (status is REFUTED)


def test_one_seed_refutes_and_the_witness_is_the_worst():
    verdict = claim_of(0, 10).judge(evidence_of([5, 12, 7, 15, 9], seeds=[3, 1, 4, 2, 8]))
    assert verdict.status is REFUTED
    assert verdict.witness == {"seed": 2, "computed": 15.0, "lower": 0.0, "upper": 10.0}
    assert verdict.holding == (3, 4, 8)
    assert verdict.seeds == (3, 1, 4, 2, 8)
    assert verdict.reason == "true on 3 of 5 seeds"
    assert verdict.margin == -5


def test_an_undefined_quantity_names_its_seed():
    verdict = claim_of(0, 5).judge(evidence_of([1, math.nan, math.nan], seeds=[4, 6, 7]))
    assert "undefined on seed 6" in verdict.reason
    assert verdict.holding == (4,)


@pytest.mark.parametrize("values", [[1, math.nan, 9], [9, math.nan], [math.nan, 9, 1]])
def test_what_is_undefined_on_one_seed_hides_no_refutation_on_another(values):
    verdict = claim_of(0, 5).judge(evidence_of(values))
    assert verdict.status is REFUTED
    assert verdict.witness["computed"] == 9


def test_bounds_may_differ_by_seed():
    evidence = evidence_of([1, 2, 3])
    limit = xr.DataArray([2.0, 2.0, 2.0], dims="seed", coords={"seed": [0, 1, 2]})
    assert claim_of(upper=limit).judge(evidence).witness["seed"] == 2
    shuffled = xr.DataArray([5, 0, 5], dims="seed", coords={"seed": [1, 0, 2]})
    assert claim_of(upper=shuffled).judge(evidence).holding == (1, 2)


@pytest.mark.parametrize(("values", "middle"), [([3, 1, 2], 2), ([4, 1, 3, 2], 2), ([7], 7), ([5, 5, 9, 0], 5)])
def test_the_number_shown_is_the_median_seeds(values, middle):
    verdict = claim_of(0, 10).judge(evidence_of(values))
    assert (verdict.computed, verdict.lower, verdict.upper) == (middle, 0, 10)
    assert verdict.by_seed["computed"] == values


def test_residual_and_evidence_reach_the_verdict():
    def measure(evidence):
        x = evidence.final["x"]
        return Measurement(x, upper=3, residual=x / 10, evidence={"slope": 1.5})

    verdict = claim_of(kind=Kind.IDENTITY, measure=measure).judge(evidence_of([1, 2]))
    assert verdict.residual == 0.2
    assert verdict.evidence == {"slope": 1.5}
    assert (verdict.kind, verdict.source, verdict.label) == (Kind.IDENTITY, "derived", "GD")
    assert (verdict.plain, verdict.statement) == ("x", "$x$")


# --- exact statements ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "status", "reason"),
    [
        (1, HOLDS, "exact: true in 1 of 1 case"),
        (5, HOLDS, "exact: true in 1 of 1 case"),
        (6, REFUTED, "exact: true in 0 of 1 case"),
        (math.nan, UNDECIDED, "the quantity is undefined"),
    ],
)
def test_a_statement_without_seeds_is_one_case(value, status, reason):
    verdict = claim_of(0, 5).judge(exact(value))
    assert (verdict.status, verdict.reason) == (status, reason)
    assert (verdict.seeds, verdict.holding, verdict.interval) == ((), (), None)
    assert verdict.by_seed.keys() == {"computed", "lower", "upper"}
    if status is not UNDECIDED:
        assert (verdict.computed, verdict.margin) == (value, min(value, 5 - value))
    assert verdict.witness == ({"computed": 6.0, "lower": 0.0, "upper": 5.0} if status is REFUTED else None)


def test_a_hypothesis_of_an_exact_statement_is_one_case():
    large = Hypothesis("large", "x ≥ 2", lambda evidence: evidence["x"] >= 2)
    assert claim_of(0, 5, (large,)).judge(exact(3)).hypotheses[0] == {
        "name": "large",
        "statement": "x ≥ 2",
        "holds": 1,
        "of": 1,
    }
    assert claim_of(0, 5, (large,)).judge(exact(1)).reason == "hypothesis large fails"


def test_a_probability_needs_seeds():
    with pytest.raises(InputError, match=r"test\.x.*states a probability.*dimension seed"):
        claim_of(0, 5, probability=0.5).judge(exact(1))


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
    verdict = claim_of(0, 5, probability=probability).judge(evidence_of([1] * true + [9] * (of - true)))
    assert verdict.status is status
    assert verdict.interval == clopper_pearson(true, of)
    assert len(verdict.holding) == true
    assert ("more seeds" in verdict.reason) == (status is UNDECIDED)
    assert f"true on {true} of {of} seeds" in verdict.reason
    assert (verdict.witness is None) == (status is not REFUTED)


@given(st.integers(1, 30), st.data(), st.floats(0.01, 0.99))
def test_the_status_follows_from_the_interval(n, data, probability):
    k = data.draw(st.integers(0, n))
    verdict = claim_of(0, 5, probability=probability).judge(evidence_of([1] * k + [9] * (n - k)))
    low, high = clopper_pearson(k, n)
    expected = HOLDS if low > probability else REFUTED if high < probability else UNDECIDED
    assert verdict.status is expected
    assert (verdict.witness is not None) == (expected is REFUTED)


def test_a_seed_without_a_number_leaves_probability_open():
    verdict = claim_of(0, 5, probability=0.5).judge(evidence_of([1] * 20 + [math.nan]))
    assert verdict.status is UNDECIDED
    assert verdict.interval is None


# --- decided draw by draw ------------------------------------------------------------------------------------------

PLAN = Plan(0.5, 20)  # HOLDS at draw 5, 10, … with at most 0, 1, … failures; REFUTED by 2 failures in 2 draws


@pytest.mark.parametrize(
    ("values", "status", "reason"),
    [
        ([1] * 5, HOLDS, "true on 5 of the first 5 draws: p ≥ 0.5, error at most 0.05"),
        ([1] * 5 + [9] * 2, HOLDS, "true on 5 of the first 5 draws: p ≥ 0.5, error at most 0.05; true on 5 of 7 seeds"),
        ([9] + [1] * 9, HOLDS, "true on 9 of the first 10 draws: p ≥ 0.5, error at most 0.05"),
        ([9] * 5, REFUTED, "false on 5 of the first 5 draws: p < 0.5, error at most 0.05"),
        ([1, 9] * 4, UNDECIDED, "true on 4 of 8 draws, which leaves open whether p ≥ 0.5; 19 decide"),
        ([math.nan] + [1] * 9, HOLDS, "true on 9 of the first 10 draws: p ≥ 0.5, error at most 0.05; true on 9 of 10"),
        ([math.nan] * 20, UNDECIDED, "true on 0 of 20 draws, which leaves open whether p ≥ 0.5"),
    ],
)
def test_a_plan_decides_a_probability(values, status, reason):
    verdict = claim_of(0, 5, probability=0.4).judge(evidence_of(values), plan=PLAN)
    assert verdict.status is status
    assert verdict.reason.startswith(reason)
    assert verdict.interval is None
    assert verdict.sequential["decided"] == (status is not UNDECIDED)
    assert (verdict.witness is not None) == (status is REFUTED)


def test_draws_are_taken_in_the_order_of_their_seeds():
    """Seeds 0 to 4 are true, and decide; in the order of the data the first two are false, and more would be needed."""
    values, seeds = [9, 9, 1, 1, 1, 1, 1], [6, 5, 4, 3, 2, 1, 0]
    verdict = claim_of(0, 5, probability=0.4).judge(evidence_of(values, seeds=seeds), plan=PLAN)
    assert (verdict.status, verdict.sequential["draws"]) == (HOLDS, 5)


def test_draws_that_meet_no_hypothesis_are_no_draws_of_the_plan():
    """Of 7 seeds 5 meet it and decide; the others count among those that are spent."""
    claim = claim_of(0, 5, probability=0.4, assumes=(at_least(0),))
    verdict = claim.judge(evidence_of([-1, 1, 1, -1, 1, 1, 1]), plan=PLAN)
    assert (verdict.status, verdict.sequential["draws"], verdict.seeds) == (HOLDS, 5, (1, 2, 4, 5, 6))
    spent = claim.judge(evidence_of([-1] * 16 + [1] * 4), plan=PLAN)
    assert (spent.status, spent.sequential["open"]) == (UNDECIDED, False)
    assert claim.judge(evidence_of([-1] * 15 + [1] * 4), plan=PLAN).sequential["open"]


def test_a_plan_holds_a_higher_probability_to_itself_and_leaves_the_certain_alone():
    values = [1] * 6
    assert claim_of(0, 5, probability=0.6).judge(evidence_of(values), plan=PLAN).sequential["level"] == 0.6
    certain = claim_of(0, 5).judge(evidence_of(values), plan=PLAN)
    assert (certain.status, certain.sequential) == (HOLDS, None)


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
    verdict = claim_of(0, 5, probability=0.5).judge(evidence_of(values))
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
        assert claim_of(0, 5, probability=probability).judge(evidence_of(values)).computed == 7.0


# --- hypotheses ----------------------------------------------------------------------------------------------------


def test_a_failed_hypothesis_is_named():
    verdict = claim_of(0, 5, (at_least(0, "not negative"), at_least(4, "at least four"))).judge(evidence_of([1, 2]))
    assert verdict.status is OUTSIDE
    assert verdict.reason == "hypothesis at least four fails"
    assert [(h["name"], h["holds"], h["of"]) for h in verdict.hypotheses] == [
        ("not negative", 2, 2),
        ("at least four", 0, 2),
    ]
    assert (verdict.computed, verdict.margin, verdict.seeds) == (None, None, ())


def test_only_seeds_that_meet_all_hypotheses_count():
    """Seed 0 would refute, and seed 3 too, but each fails one hypothesis."""
    below = Hypothesis("below nine", "x ≤ 9", lambda evidence: evidence.final["x"] <= 9)
    verdict = claim_of(2, 5, (at_least(2), below)).judge(evidence_of([1, 2, 4, 10]))
    assert verdict.status is HOLDS
    assert verdict.seeds == verdict.holding == (1, 2)
    assert [h["holds"] for h in verdict.hypotheses] == [3, 3]


def test_hypotheses_that_hold_on_different_seeds_leave_none():
    below = Hypothesis("below two", "x < 2", lambda evidence: evidence.final["x"] < 2)
    verdict = claim_of(0, 5, (at_least(2), below)).judge(evidence_of([1, 3]))
    assert verdict.status is OUTSIDE
    assert verdict.reason == "no seed meets all hypotheses"


@pytest.mark.parametrize("answer", [False, True])
def test_a_hypothesis_may_answer_for_all_seeds(answer):
    verdict = claim_of(0, 5, (Hypothesis("said", "said", lambda evidence: answer),)).judge(evidence_of([1, 2]))
    assert verdict.status is (HOLDS if answer else OUTSIDE)
    assert verdict.hypotheses[0]["holds"] == 2 * answer


def test_a_family_hypothesis_must_hold_for_each_optimizer():
    finite = xr.DataArray([[True, False], [True, True]], dims=("seed", "optimizer"), coords={"seed": [0, 1]})
    verdict = claim_of(0, 5, (Hypothesis("finite", "finite", lambda evidence: finite),)).judge(evidence_of([9, 1]))
    assert (verdict.status, verdict.seeds) == (HOLDS, (1,))


def test_later_hypotheses_are_not_asked_where_an_earlier_one_fails():
    """They may be undefined there."""
    needs_law = Hypothesis("lambda", "λ = 0", lambda evidence: evidence.p["lam"] == 0)
    known = Hypothesis("known", "the law is known", lambda evidence: evidence.parameters is not None)
    verdict = claim_of(0, 5, (known, needs_law)).judge(evidence_of([1, 2], parameters=None))
    assert verdict.status is OUTSIDE
    assert verdict.reason == "hypothesis known fails"
    assert [h["holds"] for h in verdict.hypotheses] == [0, None]
    with pytest.raises(InputError, match=r"test\.x.*hypothesis lambda must take this evidence"):
        claim_of(0, 5, (needs_law,)).judge(evidence_of([1, 2], parameters=None))


def test_nothing_is_measured_where_nothing_applies():
    def measure(evidence):
        raise AssertionError("measured")

    claim = claim_of(assumes=(at_least(100),), measure=measure)
    assert claim.judge(evidence_of([1])).status is OUTSIDE
    with pytest.raises(InputError, match="measured"):
        claim.judge(evidence_of([1]), waive=True)


def test_waiving_skips_the_hypotheses():
    claim = claim_of(0, 5, (at_least(100),))
    verdict = claim.judge(evidence_of([9, 1]), waive=True)
    assert verdict.status is REFUTED
    assert verdict.hypotheses == ()
    assert claim.judge(evidence_of([9, 1])).status is OUTSIDE


# --- estimates -----------------------------------------------------------------------------------------------------


def estimate_of(low, high, **rest):
    """A claim that a number lies between 0 and 1, measured as the interval [low, high]."""
    found = Estimate(value=(low + high) / 2, low=low, high=high, lower=0.0, upper=1.0, **rest)
    return claim_of(measure=lambda evidence: found)


@pytest.mark.parametrize(
    ("low", "high", "status", "margin"),
    [
        (0.25, 0.5, HOLDS, 0.25),
        (0.0, 1.0, HOLDS, 0.0),
        (-0.25, 0.5, UNDECIDED, -0.25),
        (0.5, 1.5, UNDECIDED, -0.5),
        (-1.0, 2.0, UNDECIDED, -1.0),
        (-1.0, 0.0, UNDECIDED, -1.0),
        (-1.0, -0.5, REFUTED, -1.0),
        (1.5, 2.0, REFUTED, -1.0),
    ],
)
def test_an_interval_decides_where_it_does_not_reach_across(low, high, status, margin):
    verdict = estimate_of(low, high).judge(evidence_of([1, 2, 3]))
    assert (verdict.status, verdict.margin) == (status, margin)
    assert (verdict.computed, verdict.lower, verdict.upper) == ((low + high) / 2, 0, 1)
    assert verdict.seeds == (0, 1, 2)
    assert verdict.holding == ()  # it is one number
    assert verdict.witness == ({"value": (low + high) / 2, "low": low, "high": high} if status is REFUTED else None)
    assert verdict.evidence == {"interval": [low, high]}
    assert verdict.by_seed == {}
    assert f"interval [{low:.4g}, {high:.4g}]; stated in [0, 1]" in verdict.reason


@pytest.mark.parametrize(("low", "high"), [(math.nan, 0.5), (0.5, math.nan), (math.nan, math.nan)])
def test_an_interval_without_an_end_decides_nothing(low, high):
    assert estimate_of(low, high).judge(exact(0)).status is UNDECIDED


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.5), (1.5, 2.0), (0.5, 1.5)])
def test_what_is_said_to_be_undecided_is(low, high):
    verdict = estimate_of(low, high, undecided="too few").judge(exact(0))
    assert (verdict.status, verdict.witness) == (UNDECIDED, None)
    assert verdict.reason.startswith("too few; ")


def test_what_an_estimate_tells_reaches_the_verdict():
    told = {"counts": (3, 4), "evidence": {"sizes": [1, 2]}, "by_seed": {"seed": [0.0], "computed": [0.5]}}
    verdict = estimate_of(0.25, 0.5, says="a third", **told).judge(exact(0))
    assert verdict.reason == "a third"
    assert verdict.evidence == {"interval": [0.25, 0.5], "counts": [3, 4], "sizes": [1, 2]}
    assert verdict.by_seed == told["by_seed"]


def test_an_estimate_is_that_of_the_applicable_seeds():
    def mean(evidence, *, upper=5.0):
        x = float(evidence.final["x"].mean())
        return Estimate(x, x, x, upper=upper, counts=(evidence.data.sizes["seed"],))

    claim = claim_of(assumes=(at_least(2),), measure=mean)
    verdict = claim.judge(evidence_of([1, 2, 3], seeds=[4, 0, 7]))
    assert (verdict.computed, verdict.seeds, verdict.evidence["counts"]) == (2.5, (0, 7), [2])
    assert claim.judge(evidence_of([1, 2, 3]), constants={"upper": 2}).status is REFUTED
    assert claim.judge(evidence_of([1, 2, 3]), waive=True).computed == 2
    assert claim.judge(evidence_of([1, 1])).status is OUTSIDE


# --- controls ------------------------------------------------------------------------------------------------------


def test_a_claim_may_be_expected_to_fail():
    claim = claim_of(0, 5, expected=REFUTED)
    assert claim.judge(evidence_of([9])).as_expected
    assert not claim.judge(evidence_of([1])).as_expected


def test_constants_take_the_place_of_the_stated_ones():
    claim = claim_of(0, 5)
    assert claim.judge(evidence_of([3])).status is HOLDS
    verdict = claim.judge(evidence_of([3]), constants={"upper": 2})
    assert (verdict.status, verdict.upper) == (REFUTED, 2)
    with pytest.raises(InputError, match=r"test\.x.*measure must take this evidence.*TypeError.*least"):
        claim.judge(evidence_of([3]), constants={"least": 2})


def test_a_control_changes_something():
    with pytest.raises(InputError, match=r"control = 'idle'.*constants.*or made"):
        Control("idle")
    assert Control("a", constants={"x": 1}).made is None
    assert Control("a", made="other").constants is None


# --- what a measure may be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (lambda evidence: evidence["z"], "its measure must take this evidence.*KeyError.*z"),
        (lambda evidence: 1.0, "must return a Measurement or an Estimate, not float"),
        (lambda evidence: None, "must return a Measurement or an Estimate, not NoneType"),
        (lambda evidence: Measurement(evidence["x"]), "TypeError: a value by seed is wanted.*iteration"),
        (lambda evidence: Measurement("much"), "could not convert string to float"),
        (lambda evidence: Measurement(evidence.final["x"].isel(seed=[0])), "its measure must take this evidence"),
        (lambda: Measurement(0), "takes 0 positional arguments"),
    ],
)
def test_a_measure_that_fails_is_told_with_the_claims_name(measure, said):
    with pytest.raises(InputError, match=rf"(?s)claim = 'test\.x' is not accepted: .*{said}"):
        claim_of(measure=measure).judge(evidence_of([1, 2]))


def test_a_refusal_of_the_measures_own_is_told_as_it_is():
    def measure(evidence):
        raise InputError("x", 3, "it must be more")

    with pytest.raises(InputError, match=r"^x = 3 is not accepted: it must be more\.$"):
        claim_of(measure=measure).judge(evidence_of([1]))


def test_a_bound_may_be_one_number_for_all_seeds():
    verdict = claim_of(measure=lambda evidence: Measurement(evidence.final["x"], 1, 5)).judge(evidence_of([1, 2]))
    assert verdict.by_seed == {"seed": [0.0, 1.0], "computed": [1.0, 2.0], "lower": [1.0, 1.0], "upper": [5.0, 5.0]}


# --- each seed is a case of its own --------------------------------------------------------------------------------

ONE_IN_FOUR = [1.0, 9.0, 2.0, 3.0]
"""Above 5 on one seed of four."""


def x(evidence):
    return evidence.final["x"]


@pytest.mark.parametrize("probability", [None, 0.5])
@pytest.mark.parametrize(
    "computed",
    [
        lambda e: x(e).max(),
        lambda e: float(x(e).max()),
        lambda e: x(e).values.max(),
        lambda e: x(e).sel(seed=1),
        lambda e: 9,
        lambda e: True,
    ],
    ids=["array", "float", "numpy", "of one seed", "constant", "truth"],
)
@pytest.mark.parametrize("values", [ONE_IN_FOUR, [9.0]], ids=["four seeds", "one seed"])
def test_one_number_is_not_counted_as_many_seeds(computed, probability, values):
    """``.max()`` where ``.max("neuron")`` was meant is true on one seed of four, and would hold on four of four."""
    if len(values) == 1 and "sel" in computed.__code__.co_names:
        values = [0.0, 9.0]
    claim = claim_of(probability=probability, measure=lambda evidence: Measurement(computed(evidence), lower=5))
    said = rf"claim = 'test\.x'.* one number for all {len(values)} seeds.* leave seed out, as in \.max\(\"neuron\"\)"
    with pytest.raises(InputError, match=said):
        claim.judge(evidence_of(values))


def test_a_residual_is_by_seed_too():
    claim = claim_of(measure=lambda evidence: Measurement(x(evidence), upper=9, residual=float(x(evidence).max())))
    with pytest.raises(InputError, match="one number for all 4 seeds"):
        claim.judge(evidence_of(ONE_IN_FOUR))


@pytest.mark.parametrize(
    "measure",
    [
        lambda e: Measurement(x(e).max() - 0 * x(e), lower=5),
        lambda e: Measurement(x(e).max() / (1 + 0 * x(e)), lower=5),
        lambda e: Measurement(0 * x(e) + x(e).mean(), upper=5),
        lambda e: Measurement(0 * x(e) + x(e).median(), upper=5),
        lambda e: Measurement(x(e).cumsum("seed"), upper=99),
        lambda e: Measurement(-x(e), lower=-x(e).max()),
        lambda e: Measurement(x(e), upper=float(x(e).max())),
        lambda e: Measurement(x(e).roll(seed=1), upper=9),
        lambda e: Measurement(x(e).fillna(0) + x(e).isel(seed=0).values, upper=99),
    ],
    ids=["largest", "over each", "mean", "median", "sum", "lower", "upper", "of the next", "of the first"],
)
def test_what_other_seeds_decide_is_not_measured_on_a_seed(measure):
    for probability in (None, 0.5):
        with pytest.raises(InputError, match=r"claim = 'test\.x'.*without the other seeds; name the dimensions"):
            claim_of(measure=measure, probability=probability).judge(evidence_of(ONE_IN_FOUR))


def test_the_order_of_a_sum_is_no_other_value():
    """It depends on how many seeds lie beside each other."""

    def measure(evidence):
        return Measurement(x(evidence) + 1e-9 * x(evidence).mean(), upper=10)

    assert claim_of(measure=measure).judge(evidence_of(ONE_IN_FOUR)).status is HOLDS


ANY = [
    lambda e: bool((x(e) > 5).any()),
    lambda e: (x(e) > 5).any(),
    lambda e: x(e).max() > 5,
    lambda e: bool(x(e).values.min() < 2),
    lambda e: (x(e) > 0) & (x(e).max() > 5),
    lambda e: x(e) != x(e).isel(seed=0),
]


@pytest.mark.parametrize("holds", ANY, ids=["any", "array", "largest", "smallest", "both", "not the first"])
def test_a_hypothesis_of_one_seed_is_not_that_of_all(holds):
    said = r"claim = 'test\.x'.*its hypothesis odd says of a seed what is so of another; name the dimensions"
    with pytest.raises(InputError, match=said):
        claim_of(0, assumes=(Hypothesis("odd", "odd", holds),)).judge(evidence_of(ONE_IN_FOUR))


def test_what_all_seeds_share_is_said_once():
    """Parameters, what was recorded, and how many seeds there are."""
    for holds in (
        lambda e: e.parameters is None,
        lambda e: e.iterations == 100,
        lambda e: e.data.sizes["seed"] == 4,
        lambda e: (x(e) > 0).all(),
    ):
        claim = claim_of(0, assumes=(Hypothesis("shared", "shared", holds),))
        assert claim.judge(evidence_of(ONE_IN_FOUR)).seeds == (0, 1, 2, 3)
    few = claim_of(0, assumes=(Hypothesis("many", "five seeds", lambda e: e.data.sizes["seed"] >= 5),))
    assert few.judge(evidence_of(ONE_IN_FOUR)).reason == "hypothesis many fails"


def test_a_control_is_held_to_it_too():
    def measure(evidence, largest=False):
        return Measurement(x(evidence).max() if largest else x(evidence), upper=10)

    with pytest.raises(InputError, match="one number for all 4 seeds"):
        claim_of(measure=measure).judge(evidence_of(ONE_IN_FOUR), waive=True, constants={"largest": True})


def test_an_estimate_of_all_seeds_is_no_probability():
    claim = claim_of(probability=0.5, measure=lambda e: Estimate(9, 9, 9, lower=5))
    with pytest.raises(InputError, match="states a probability, and must measure by seed"):
        claim.judge(evidence_of(ONE_IN_FOUR))


def test_a_seed_alone():
    evidence = evidence_of([1, 2], seeds=[4, 7], parameters={"width": 3}, role="r")
    assert list(evidence.alone) == [4, 7]
    one = evidence.alone[7]
    assert (one.data["seed"].values.tolist(), float(x(one).item())) == ([7], 2.0)
    assert (one.label, one.role, one.parameters) == ("GD", "r", {"width": 3})
    assert exact(1).alone == {}


# --- claims and evidence -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "paper"}, "source = 'paper' is not accepted: it must be one of talk, abstract"),
        ({"probability": 1}, "probability = 1 "),
        ({"probability": -0.1}, "probability = -0.1 "),
        ({"probability": math.nan}, "probability = nan "),
    ],
)
def test_a_bad_claim_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        claim_of(**changes)


def test_a_claim_is_written_with_keywords_and_says_itself_in_plain_text():
    values = {"statement": "$x$", "kind": Kind.BOUND, "source": "user", "measure": lambda evidence: Measurement(0)}
    with pytest.raises(TypeError, match="positional"):
        Claim("test.x", **values)
    with pytest.raises(TypeError, match="plain"):
        Claim(id="test.x", **values)


def test_a_claim_says_of_how_many_draws_it_is():
    assert claim_of(0, probability=0.5).scope == "with probability above 0.5 over the draws"
    assert claim_of(0).scope == ""


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_accepted(source):
    assert claim_of(0, source=source).judge(evidence_of([1])).source == source


@pytest.mark.parametrize(
    ("role", "abouts"),
    [("", {"any", ""}), ("gd", {"any", "gd"}), ("plane", {"any", "plane"}), (FAMILY, {FAMILY}), ("any", {"any"})],
)
def test_whom_a_claim_concerns(role, abouts):
    """A family is all others taken together: only claims that compare them are about it."""
    evidence = evidence_of([1], role=role)
    known = ("any", "", "gd", "plane", FAMILY)
    assert {about for about in known if claim_of(about=about).concerns(evidence)} == abouts


def test_what_evidence_knows():
    evidence = evidence_of([1, 2], parameters={"width": 3})
    assert evidence["x"] is not None
    assert "x" in evidence
    assert "c" not in evidence
    assert (evidence.iterations, evidence.p) == (100, {"width": 3})
    assert evidence.final["x"].values.tolist() == [1, 2]
    assert evidence.initial["x"].values.tolist() == [0, 0]


def test_parameters_are_the_subjects_own():
    """Claims and verdicts ask nothing of them."""
    wide = Hypothesis("wide", "width ≥ 2", lambda evidence: evidence.p["width"] >= 2)
    assert claim_of(0, 5, (wide,)).judge(evidence_of([1], parameters={"width": 3})).status is HOLDS
    assert claim_of(0, 5, (wide,)).judge(evidence_of([1], parameters={"width": 1})).status is OUTSIDE


# --- what would pass by accident -----------------------------------------------------------------------------------


def test_a_statement_without_a_bound_is_none():
    with pytest.raises(InputError, match="a lower bound, an upper one, or both"):
        claim_of().judge(evidence_of([1, 2]))
    with pytest.raises(InputError, match="a lower bound, an upper one, or both"):
        claim_of(measure=lambda evidence: Estimate(1.0, 0.5, 1.5)).judge(exact(1))


@pytest.mark.parametrize(
    "write",
    [
        lambda data: data["x"].values.__setitem__(slice(None), 5.0),
        lambda data: data["x"].__setitem__(slice(None), 5.0),
        lambda data: data["x"].isel(iteration=-1).__setitem__(slice(None), 5.0),
    ],
)
def test_a_measure_writes_to_no_evidence(write):
    def measure(evidence):
        write(evidence.data)
        return Measurement(evidence.final["x"], lower=4.0)

    evidence = evidence_of([1, 2])
    with pytest.raises(InputError, match=r"read-only|is a view"):
        claim_of(measure=measure).judge(evidence)
    assert evidence.final["x"].values.tolist() == [1, 2]


def test_what_a_measure_assigns_is_its_own():
    def measure(evidence):
        evidence.data["x"] = evidence.data["x"] * 0 + 5
        return Measurement(evidence.final["x"], lower=4.0)

    evidence = evidence_of([1, 2])
    assert claim_of(measure=measure).judge(evidence).status is HOLDS
    assert claim_of(4.0).judge(evidence).status is REFUTED


def others(kind):
    """Measures whose value on a seed is made by other seeds, on some seeds or within a tolerance."""

    def measure(evidence):
        x = evidence.final["x"]
        high = x * 0 + x.max()
        if kind == "accumulated":
            return Measurement(x.copy(data=[max(x.values[: k + 1]) for k in range(x.size)]), lower=0.5)
        if kind == "filled":
            return Measurement(x.fillna(x.mean("seed")), lower=0.5)
        return Measurement(high, 0.5, 1e6) if kind == "a large bound" else Measurement(high, 0.99999)

    return claim_of(measure=measure)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("accumulated", [0.9, 0.1, 0.1, 0.1, 0.95]),
        ("filled", [0.9, math.nan, math.nan, 0.9]),
        ("a large bound", [0.1, 0.9, 0.1, 0.1]),
        ("a narrow margin", [0.99995, 0.99995, 0.99995, 1.0]),
    ],
)
def test_what_others_make_on_any_seed_is_refused(kind, values):
    with pytest.raises(InputError, match="without the other seeds"):
        others(kind).judge(evidence_of(values))


def test_a_seed_without_a_finite_bound_counts_for_nothing():
    def measure(evidence):
        x = evidence.final["x"]
        return Measurement(x, upper=x.where(x > 100, math.inf).where(x["seed"] > 0, 5.0))

    found = claim_of(measure=measure).judge(evidence_of([1, 2, 3]))
    assert (found.status, found.holding) == (UNDECIDED, (0,))


@pytest.mark.parametrize("said", [math.nan, 1, 0.5, "yes", None])
def test_a_hypothesis_says_true_or_false(said):
    with pytest.raises(InputError, match="True or False"):
        claim_of(0, assumes=(Hypothesis("odd", "odd", lambda evidence: said),)).judge(evidence_of([1]))


def test_a_hypothesis_of_numbers_by_seed_is_refused():
    """``.where`` makes numbers of booleans, and NaN would count as met."""
    odd = Hypothesis("odd", "odd", lambda evidence: (evidence.final["x"] > 0).where(evidence.final["x"] > 5))
    with pytest.raises(InputError, match="True or False"):
        claim_of(0, assumes=(odd,)).judge(evidence_of([1, 2]))


def test_an_interval_is_not_turned_round():
    with pytest.raises(InputError, match="low ≤ high"):
        Estimate(9, 9, -9, lower=0, upper=1)


def test_a_value_that_is_no_number_decides_nothing():
    claim = claim_of(measure=lambda evidence: Estimate(math.nan, 0.5, 0.6, lower=0, upper=1))
    assert claim.judge(exact(1)).status is UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "lower", "upper", "status"),
    [
        (-math.inf, 1, -math.inf, 2, HOLDS),
        (-math.inf, 3, -math.inf, 2, UNDECIDED),
        (-math.inf, 3, 0, math.inf, UNDECIDED),
        (1, math.inf, 0, math.inf, HOLDS),
        (math.nan, 3, 0, 5, UNDECIDED),
        (1, 3, math.nan, 5, UNDECIDED),
        (2, 3, 4, math.inf, REFUTED),
    ],
)
def test_an_interval_may_be_open(low, high, lower, upper, status):
    value = 1 if not (low > 1 or high < 1) else low
    claim = claim_of(measure=lambda evidence: Estimate(value, low, high, lower=lower, upper=upper))
    assert claim.judge(exact(1)).status is status


def test_what_is_undecided_holds_on_no_seed():
    claim = claim_of(measure=lambda evidence: Estimate(1, 1, 1, lower=0, upper=2, undecided="too few"))
    verdict = claim.judge(evidence_of([1, 2]))
    assert (verdict.status, verdict.holding, verdict.seeds) == (UNDECIDED, (), (0, 1))


def test_a_control_that_changes_nothing_is_refused():
    with pytest.raises(InputError, match="constants"):
        Control("the same", constants={})


def test_hypotheses_by_seed_need_evidence_by_seed():
    """A slope that was fitted over all seeds is not that of some of them."""
    fitted = Evidence(xr.Dataset({"slope": 0.5}, {"seed": [0, 1, 2]}), "slopes")
    odd = Hypothesis("odd", "odd", lambda evidence: evidence.data["seed"] % 2 == 1)
    claim = claim_of(assumes=(odd,), measure=lambda evidence: Estimate(0.5, 0.4, 0.6, lower=0, upper=1))
    with pytest.raises(InputError, match="no variable of its evidence has a dimension seed"):
        claim.judge(fitted)
