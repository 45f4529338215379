"""The sequential test's proof steps: proved, refuted once a constant changes, and the counts that the theory has."""

from fractions import Fraction
from itertools import product

import pytest

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.certificate import draws as steps
from lemmascope.theory.sequential import Plan
from lemmascope.theory.verdict import Status, clopper_pearson


@pytest.mark.parametrize("step", steps.CHAPTER.steps, ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (steps.prove_holds, {"looks": (59, 154, 154)}),
        (steps.prove_holds, {"looks": (59, 148)}),
        (steps.prove_holds, {"alpha": Fraction(49, 1000)}),
        (steps.prove_refuted, {"limits": (2,)}),
        (steps.prove_refuted, {"alpha": Fraction(47, 1000)}),
        (steps.prove_least, {"level": Fraction(949, 1000)}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_later_looks_and_lower_limits_are_weaker():
    for looks in ((60, 170, 230), (59,)):
        assert steps.prove_holds(looks).status is Status.PROVED
    assert steps.prove_refuted((0, 4, 9, 15)).status is Status.PROVED


def test_where_a_term_is_not_monotone_nothing_is_proved():
    """Up to two failures in three draws: that term grows only up to p = 1/3."""
    assert steps.prove_holds((3, 3, 3), Fraction(1, 2), Fraction(1)).status is Status.INCONCLUSIVE


def test_looks_that_are_right_by_themselves_are_those_of_clopper_and_pearson():
    for k, n in enumerate(steps.PEEKING[0]):
        assert clopper_pearson(n - k, n)[0] > 0.95 >= clopper_pearson(n - k - 1, n - 1)[0]
    for j, n in enumerate(steps.PEEKING[1], 1):
        assert clopper_pearson(n - j, n)[1] <= 0.95 < clopper_pearson(n + 1 - j, n + 1)[1]


def test_paths_are_those_of_an_enumeration():
    looks, limits = (3, 6, 8), (1, 4, 7, 8)
    met, within = [0] * len(looks), {}
    for path in product((0, 1), repeat=8):
        failures = [sum(path[:n]) for n in range(9)]
        first = next((k for k, n in enumerate(looks) if failures[n] <= k), None)
        if first is not None and not any(path[looks[first] :]):
            met[first] += 1
        waits = [n for n in range(1, 9) if path[n - 1]]
        hit = next(((j, n) for j, n in enumerate(waits, 1) if n <= limits[j - 1]), None) if len(waits) <= 4 else None
        if hit is not None and not any(path[hit[1] :]):
            within[hit] = within.get(hit, 0) + 1
    assert steps.first_met(looks) == met
    assert steps.first_within(limits) == within


@pytest.mark.parametrize(("level", "draws"), [("0.95", 220), ("0.5", 30), ("0.8", 60)])
def test_two_ways_of_counting_give_the_errors(level, draws):
    plan, p = Plan(float(level), draws), Fraction(level)
    holds = zip(enumerate(plan.holds_at), steps.first_met(plan.holds_at), strict=True)
    refuted = steps.first_within(plan.refuted_within).items()
    found = tuple(sum(m * (1 - p) ** k * p ** (n - k) for (k, n), m in each) for each in (holds, refuted))
    assert found == plan.errors
