"""Verdicts: exact intervals for a probability, and what counts as expected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from tolerances import assert_close, tolerance

from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Kind, Status, Verdict, clopper_pearson

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


# --- as expected ---------------------------------------------------------------------------------------------------

HOLDS, REFUTED, UNDECIDED, OUTSIDE = Status.HOLDS, Status.REFUTED, Status.INCONCLUSIVE, Status.NOT_APPLICABLE


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("control", [None, "not run", *Status])
@pytest.mark.parametrize("expected", [None, *Status])
def test_as_expected_needs_the_control_to_be_refuted_where_it_can_be_made(status, control, expected):
    verdict = Verdict(
        "test.x",
        "GD",
        "$x$",
        Kind.BOUND,
        "derived",
        status,
        expected,
        "said",
        control=None if control is None else {"description": "a control", "status": str(control)},
    )
    nothing_decided = status in (UNDECIDED, OUTSIDE)
    spoilt = not nothing_decided and control in (HOLDS, UNDECIDED, OUTSIDE, Status.PROVED)
    assert verdict.foreseen == (expected is None or status is expected)
    assert verdict.as_expected == (verdict.foreseen and not spoilt)
    assert verdict.uncontrolled == (not nothing_decided and control in (None, "not run"))
    assert verdict.control_undecided == (control in (UNDECIDED, OUTSIDE))
