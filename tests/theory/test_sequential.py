"""The sequential test: its errors by enumeration of every path, in exact fractions, and what it decides when."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lemmascope.sims.seeds import streams
from lemmascope.theory import sequential
from lemmascope.theory.errors import InputError
from lemmascope.theory.sequential import MOST, Plan
from lemmascope.theory.verdict import Status, clopper_pearson

HOLDS, REFUTED, OPEN = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE
PUBLISHED = Plan(0.95, 220)

small = st.builds(
    Plan,
    level=st.sampled_from([0.2, 0.5, 0.6, 0.75, 0.8, 0.9]),
    draws=st.integers(1, 11),
    confidence=st.sampled_from([0.6, 0.75, 0.9, 0.95]),
)
probabilities = st.fractions(0, 1, max_denominator=50)


def paths(draws):
    return itertools.product((True, False), repeat=draws)


def weight(path, p):
    return math.prod(p if true else 1 - p for true in path)


def level(plan):
    return Fraction(str(plan.level))


def alpha(plan):
    return 1 - Fraction(str(plan.confidence))


def ever(plan, path):
    """Whether a path meets a look, and whether it meets a limit, going on after either."""
    failures = list(itertools.accumulate(not true for true in path))
    holds = any(n <= len(path) and failures[n - 1] <= k for k, n in enumerate(plan.holds_at))
    waits = [n for n, true in enumerate(path, 1) if not true]
    return holds, any(w <= m for w, m in zip(waits, plan.refuted_within, strict=False))


# --- errors --------------------------------------------------------------------------------------------------------


@given(plan=small)
def test_the_stated_errors_are_those_of_all_paths_and_at_most_alpha(plan):
    """Each path with its weight at the level, as `ever` reads the plan: another way than that by which it was made."""
    each = [(weight(path, level(plan)), *ever(plan, path)) for path in paths(plan.draws)]
    holds, refuted = sum(w for w, yes, _ in each if yes), sum(w for w, _, yes in each if yes)
    assert (holds, refuted) == plan.errors
    assert max(plan.errors) <= alpha(plan)


@given(plan=small, p=probabilities)
def test_what_happens_is_what_the_paths_do(plan, p):
    found = [(weight(path, p), plan.decide(path)) for path in paths(plan.draws)]
    outcomes = plan.outcomes(p)
    assert outcomes.holds == sum(w for w, one in found if one.status is HOLDS)
    assert outcomes.refuted == sum(w for w, one in found if one.status is REFUTED)
    assert outcomes.draws == sum(w * one.draws for w, one in found)
    if p <= level(plan):
        assert outcomes.holds <= plan.errors[0]
    if p >= level(plan):
        assert outcomes.refuted <= plan.errors[1]


@given(plan=small, p=probabilities, q=probabilities)
def test_a_more_probable_statement_holds_more_often_and_is_refuted_less_often(plan, p, q):
    less, more = (plan.outcomes(x) for x in sorted((p, q)))
    assert less.holds <= more.holds
    assert less.refuted >= more.refuted


@given(plan=small)
def test_no_path_meets_a_look_and_a_limit_at_the_same_draw(plan):
    for k, n in enumerate(plan.holds_at):
        assert k == 0 or plan.refuted_within[min(k, len(plan.refuted_within)) - 1] < n


def test_the_first_two_looks_in_closed_form():
    """At p = 0.95: no failure in 59 draws; or one within 59, and none after it up to draw 163."""
    p = Fraction(19, 20)
    assert Plan(0.95, 59).errors[0] == p**59
    assert Plan(0.95, 163).errors[0] == p**59 + 59 * (1 - p) * p**162
    rest = Fraction(1, 20) - p**59
    assert 59 * (1 - p) * p**162 <= rest / 2 < 59 * (1 - p) * p**161, "163 is the first draw that spends half at most"


def test_the_published_plan():
    assert PUBLISHED.holds_at == (59, 163, 220)
    assert PUBLISHED.refuted_within[:5] == (0, 5, 11, 19, 26)
    assert max(PUBLISHED.errors) < Fraction(1, 20)
    exact = PUBLISHED.outcomes(Fraction(19, 20))
    assert exact.holds <= PUBLISHED.errors[0]
    assert exact.refuted <= PUBLISHED.errors[1]


def test_looking_again_and_again_at_the_interval_of_a_fixed_number_errs_more_often():
    """The planted error: each look is that of Clopper and Pearson, as if it were the only one."""

    class Peeking(Plan):
        holds_at = tuple(
            next(n for n in itertools.count(k + 1) if clopper_pearson(n - k, n)[0] > 0.95) for k in range(6)
        )
        refuted_within = (0,) * 300

    assert Peeking.holds_at[:3] == (59, 93, 124)
    assert round(float(Peeking(0.95, 300).outcomes(Fraction(19, 20)).holds), 3) == 0.126


@pytest.mark.parametrize(("true", "most"), [(Fraction(9, 10), 0.0021), (Fraction(4, 5), 2e-6), (Fraction(0), 0)])
def test_a_claim_that_is_true_less_often_is_almost_never_said_to_hold(true, most):
    assert PUBLISHED.outcomes(true).holds <= most
    assert PUBLISHED.outcomes(true).refuted > 0.6


def test_simulated_paths_come_out_as_computed():
    """Frequencies of 4000 paths, within four standard errors."""
    plan, p, many = Plan(0.8, 60), 0.9, 4000
    drawn = streams(0, "sequential", 0)("paths").random((many, plan.draws)) < p
    found = [plan.decide(list(map(bool, path))) for path in drawn]
    exact = plan.outcomes(p)
    for status, expected in ((HOLDS, exact.holds), (REFUTED, exact.refuted)):
        share = sum(one.status is status for one in found) / many
        assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / many)
    mean = sum(one.draws for one in found) / many
    assert abs(mean - exact.draws) < 4 * plan.draws / 2 / math.sqrt(many)


# --- how many draws ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "least"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_no_fewer_draws_without_a_failure_could_show_it(p, least):
    plan = Plan(p, 300)
    assert plan.fewest == plan.holds_at[0] == least
    assert clopper_pearson(least, least)[0] > p >= clopper_pearson(least - 1, least - 1)[0]


def test_walds_test_takes_more_draws_where_nothing_fails():
    """Against 0.99: each success adds log(0.99/0.95), and log 20 is to be reached."""
    wald = math.ceil(math.log(20) / math.log(0.99 / 0.95))
    assert (wald, PUBLISHED.fewest) == (73, 59)


def test_a_longer_plan_continues_a_shorter_one():
    long = Plan(0.95, 400)
    assert long.holds_at[:3] == PUBLISHED.holds_at
    whole = long.refuted_within
    assert PUBLISHED.refuted_within == (*(m for m in whole if m < 220), 220)
    assert all(a <= b for a, b in zip(PUBLISHED.errors, long.errors, strict=True))


def test_every_other_probability_is_decided_in_the_end():
    for p, status in ((0.99, "holds"), (0.9, "refuted")):
        by_draws = [getattr(Plan(0.95, draws).outcomes(p), status) for draws in (60, 220, 500, 900)]
        assert by_draws == sorted(by_draws)
        assert by_draws[-1] > 0.99


# --- decisions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "draws", "status", "at"),
    [
        ((), 58, OPEN, 58),
        ((), 59, HOLDS, 59),
        ((), 200, HOLDS, 59),
        ((60,), 220, HOLDS, 59),
        ((59,), 162, OPEN, 162),
        ((59,), 163, HOLDS, 163),
        ((1, 163), 219, OPEN, 219),
        ((1, 163), 220, HOLDS, 220),
        ((1, 5), 7, REFUTED, 5),
        ((1, 6), 59, OPEN, 59),
        ((1, 6, 11), 59, REFUTED, 11),
        ((1, 100, 200), 220, OPEN, 220),
    ],
)
def test_when_it_is_decided(failures, draws, status, at):
    found = PUBLISHED.decide([n not in failures for n in range(1, draws + 1)])
    assert (found.status, found.draws) == (status, at)
    assert found.failures == sum(n <= at for n in failures)


@given(plan=small, data=st.data())
def test_later_draws_change_no_decision(plan, data):
    path = data.draw(st.lists(st.booleans(), max_size=plan.draws + 3))
    cut = data.draw(st.integers(0, len(path)))
    early, late = plan.decide(path[:cut]), plan.decide(path)
    assert early.status is OPEN or early == late


@given(plan=small, data=st.data())
def test_open_is_what_some_continuation_decides(plan, data):
    path = data.draw(st.lists(st.booleans(), max_size=plan.draws))
    left = data.draw(st.integers(0, plan.draws - len(path)))
    found = plan.decide(path, left)
    later = (plan.decide([*path, *more]).status for more in paths(left))
    assert found.open == (found.status is OPEN and any(status is not OPEN for status in later))


def test_an_undefined_draw_is_no_success_and_no_failure():
    assert PUBLISHED.decide([None, *[True] * 58]).status is OPEN
    held = PUBLISHED.decide([None, *[True] * 162])
    assert (held.status, held.failures) == (HOLDS, 1)
    assert PUBLISHED.decide([None] * 220).status is OPEN
    assert PUBLISHED.decide([None, False, None, False]).status is REFUTED


def test_a_statement_of_a_higher_probability_is_held_to_it():
    assert PUBLISHED.stated(0.99) == Plan(0.99, 220)
    assert PUBLISHED.stated(0.5) is PUBLISHED


def test_what_is_recorded_and_said():
    held, failed = PUBLISHED.decide([True] * 70), PUBLISHED.decide([False, True, False])
    waits, given_up = (PUBLISHED.decide([False, *[True] * n, *[False] * k]) for n, k in ((60, 0), (150, 3)))
    assert PUBLISHED.record(held) == {
        "level": 0.95,
        "confidence": 0.95,
        "most": 220,
        "holds_at": [59, 163, 220],
        "refuted_within": list(PUBLISHED.refuted_within),
        "errors": {"HOLDS": float(PUBLISHED.errors[0]), "REFUTED": float(PUBLISHED.errors[1])},
        "draws": 59,
        "failures": 0,
        "decided": True,
        "open": False,
    }
    assert PUBLISHED.says(held) == "true on 59 of the first 59 draws: p ≥ 0.95, error at most 0.05"
    assert PUBLISHED.says(failed) == "false on 2 of the first 3 draws: p < 0.95, error at most 0.05"
    assert PUBLISHED.says(waits) == (
        "true on 60 of 61 draws, which leaves open whether p ≥ 0.95; 163 decide with no further failure"
    )
    assert PUBLISHED.rule == (
        "p ≥ 0.95 HOLDS at draw 59, 163, 220 with at most 0, 1, 2 failures, and is REFUTED with 2, 3, 4, 5, … failures "
        "within 5, 11, 19, 26, … draws; after 220 draws it is left open. Errors of each claim by itself: at most "
        "0.0495 and 0.0478."
    )
    assert "HOLDS at no draw, and is REFUTED at no draw" in Plan(0.95, 1).rule
    assert PUBLISHED.says(given_up) == "true on 150 of 154 draws, which leaves open whether p ≥ 0.95"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"level": 0.0}, "level"),
        ({"level": 1.0}, "level"),
        ({"level": math.nan}, "level"),
        ({"draws": 0}, "draws"),
        ({"draws": MOST + 1}, "draws"),
        ({"draws": 2.5}, "draws"),
        ({"confidence": 0.5}, "confidence"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_plans_that_cannot_be_are_refused(given, named):
    with pytest.raises(InputError) as refused:
        Plan(**({"level": 0.95, "draws": 59} | given))
    assert refused.value.field == named


def test_limits_are_found_once_for_equal_plans():
    sequential._looks.cache_clear()
    assert Plan(0.9, 40).holds_at == Plan(0.9, 40).holds_at
    assert sequential._looks.cache_info().misses == 1
