"""Facts about ℓ and the logistic loss: proved, best possible, and seen again in the numbers of `theory`."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, tolerance

from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.signs import ball
from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.cubic_cnn import sigmoid
from lemmascope.theory.cubic_cnn.model import log1p_exp, logistic_weight
from lemmascope.theory.verdict import Status

STEPS = {step.id.split(".")[1]: step for step in sigmoid.CHAPTER.steps}
TINY = Fraction(1, 10**6)
LOG2 = sp.log(2)
DIGITS = 60
Z = st.floats(-700, 700)
ROUNDING = tolerance("identity")
x = sp.Symbol("x", positive=True)


@pytest.mark.parametrize("step", sigmoid.CHAPTER.steps, ids=lambda step: step.id)
def test_a_step_is_proved_and_its_planted_errors_are_refuted(step):
    found = settle(step)
    assert (found.status, found.as_expected) == (Status.PROVED, True)
    assert found.control["status"] == "REFUTED"


def exact(witness):
    """ℓ and the loss at x = e^(−z), with digits to spare."""
    x = Fraction(witness.get("exact", {}).get("x", witness["at"]["x"]))
    point = mpmath.mpf(x.numerator) / x.denominator
    return point, point / (1 + point), mpmath.log(1 + point)


CHANGES = [
    ("range", {"low": TINY}, lambda x, ell, loss: ell - mpmath.mpf("1e-6")),
    ("range", {"low": Fraction(1, 100)}, lambda x, ell, loss: ell - mpmath.mpf("0.01")),
    ("range", {"high": Fraction(99, 100)}, lambda x, ell, loss: mpmath.mpf("0.99") - ell),
    ("tails", {"low": Fraction(1, 2) + TINY}, lambda x, ell, loss: ell - mpmath.mpf("0.500001") * x),
    ("tails", {"low": 1}, lambda x, ell, loss: ell - x),
    ("tails", {"high": 1 - TINY}, lambda x, ell, loss: mpmath.mpf("0.999999") * x - ell),
    ("half", {"half": Fraction(3, 4)}, lambda x, ell, loss: ell - mpmath.mpf("0.75")),
    ("derivative", {"steepest": Fraction(1, 5)}, lambda x, ell, loss: mpmath.mpf("0.2") - ell * (1 - ell)),
    ("derivative", {"steepest": Fraction(1, 4) - TINY}, lambda x, ell, loss: mpmath.mpf("0.249999") - ell * (1 - ell)),
    (
        "hinge",
        {"high": LOG2 * (1 - sp.Rational(1, 10**6))},
        lambda x, ell, loss: max(mpmath.log(x), 0) + mpmath.log(2) * mpmath.mpf("0.999999") - loss,
    ),
    ("hinge", {"high": sp.Rational(1, 2)}, lambda x, ell, loss: max(mpmath.log(x), 0) + mpmath.mpf("0.5") - loss),
    ("hinge", {"low": sp.Rational(1, 10**9)}, lambda x, ell, loss: loss - max(mpmath.log(x), 0) - mpmath.mpf("1e-9")),
    (
        "loss_between",
        {"low": sp.Rational(10**9 + 1, 10**9)},
        lambda x, ell, loss: loss - mpmath.mpf("1.000000001") * ell,
    ),
    ("loss_between", {"low": 2}, lambda x, ell, loss: loss - 2 * ell),
    ("loss_between", {"high": sp.Rational(9, 10)}, lambda x, ell, loss: mpmath.mpf("0.9") * x - loss),
    ("loss_from_below", {"constant": sp.Rational(7, 10)}, lambda x, ell, loss: loss - mpmath.mpf("0.7") * x),
    ("loss_from_below", {"high": sp.oo}, lambda x, ell, loss: loss - mpmath.log(2) * x),
    (
        "loss_by_weight",
        {"constant": 2 * LOG2 * (1 - sp.Rational(1, 10**6))},
        lambda x, ell, loss: 2 * mpmath.log(2) * mpmath.mpf("0.999999") * ell - loss,
    ),
    ("loss_by_weight", {"high": sp.oo}, lambda x, ell, loss: 2 * mpmath.log(2) * ell - loss),
]


@pytest.mark.parametrize(("name", "change", "slack"), CHANGES, ids=lambda value: "" if callable(value) else str(value))
def test_a_changed_constant_is_refuted_by_numbers(name, change, slack):
    """At the witness the changed statement's slack is negative (zero where it was strict)."""
    found = STEPS[name].prove(**change)
    assert found.status is Status.REFUTED
    with mpmath.workdps(DIGITS):
        assert slack(*exact(found.witness)) <= mpmath.mpf(10) ** (5 - DIGITS)
    at = found.witness["at"]
    assert_close(np.exp(-at["z"]), at["x"])


def test_a_changed_derivative_is_refuted_by_numbers():
    found = STEPS["derivative"].prove(factor=1 + TINY)
    z = found.witness["at"]["z"]
    slope = np.imag(1 / (1 + np.exp(z + 1e-30j))) / 1e-30
    assert_close(found.witness["left"], slope, "complex step")
    assert_close(found.witness["right"], -1.000001 / (1 + np.exp(z)) * (1 - 1 / (1 + np.exp(z))))


@pytest.mark.parametrize("constant", [Fraction(1, 5), Fraction(1, 4) - TINY, Fraction(0)])
def test_two_points_between_which_the_weight_is_steeper(constant):
    found = STEPS["lipschitz"].prove(constant=constant)
    with mpmath.workdps(DIGITS):
        a, b = (mpmath.mpf(found.witness["at"][name]) for name in "ab")
        steep = abs(1 / (1 + mpmath.exp(a)) - 1 / (1 + mpmath.exp(b)))
        assert steep > mpmath.mpf(constant.numerator) / constant.denominator * abs(a - b)


def test_the_order_of_two_points_is_refuted_by_numbers():
    at = STEPS["decreasing"].prove(rate=TINY).witness["at"]
    p, q = Fraction(at["x_a"]), Fraction(at["x_b"])
    assert 0 < p < q
    assert p / (1 + p) * (1 + TINY * q / (1 + q)) >= q / (1 + q)


@pytest.mark.parametrize(
    ("name", "weaker"),
    [
        ("range", {"low": -TINY}),
        ("tails", {"low": Fraction(1, 2) - TINY}),
        ("lipschitz", {"constant": Fraction(1, 3)}),
        ("hinge", {"high": LOG2 + sp.Rational(1, 10**6)}),
        ("loss_between", {"low": sp.Rational(1, 2)}),
        ("loss_between", {"high": sp.Rational(11, 10)}),
    ],
)
def test_a_weaker_statement_is_proved_too(name, weaker):
    assert STEPS[name].prove(**weaker).status is Status.PROVED


def test_equality_at_zero_is_part_of_the_statement():
    """Of the stated constants; a weaker bound is proved beside it, and never refuted for want of equality."""
    for name, other in (("loss_from_below", sp.Rational(1, 2)), ("loss_by_weight", sp.Integer(2))):
        assert STEPS[name].prove(attained=other).status is Status.REFUTED
        assert STEPS[name].prove(constant=other).status is Status.PROVED


@given(Z, Z)
def test_the_statements_in_numbers(z, other):
    """`theory`'s own ℓ and loss, up to rounding (and to underflow, which the range of z avoids)."""
    (ell, at_other), (loss, _) = logistic_weight(np.array([z, other])), log1p_exp(-np.array([z, other]))
    more = 1 + ROUNDING
    assert 0 < ell <= 1
    assert ell <= np.exp(-z) * more
    assert abs(ell - at_other) <= abs(z - other) / 4 * more + ROUNDING * max(ell, at_other)
    assert max(-z, 0) <= loss * more
    assert loss <= (max(-z, 0) + np.log(2)) * more
    assert ell <= loss * more
    assert loss <= np.exp(-z) * more
    if z < other:
        assert ell >= at_other
    if z <= 0:
        assert ell >= 0.5
    else:
        assert np.exp(-z) / 2 <= ell * more
        assert np.log(2) * np.exp(-z) <= loss * more
        assert loss <= 2 * np.log(2) * ell * more


def test_one_sign_of_a_derivative():
    """Each of the three arguments is found, each failure named; logarithms of what may be negative are refused."""
    words = {
        "increasing": (sp.log(1 + x) - x / (1 + x), 0, sp.oo),
        "decreasing": (sp.log(1 + x) - sp.log(x), 1, sp.oo),
        "concave": (sp.log(1 + x) - LOG2 * x, 0, 1),
    }
    for word, (f, low, high) in words.items():
        found = nonnegative(f, x, low, high, what="f ≥ 0")
        assert found.status is Status.PROVED
        assert word in found.reason
    assert nonnegative(x - 2, x, 0, 1, what="f ≥ 0").witness["value"] < 0
    hump = (x - 1) ** 2 * (x - 3) ** 2 + sp.log(1 + x / 10**9)
    assert nonnegative(hump, x, 0, sp.oo, what="f ≥ 0").status is Status.INCONCLUSIVE
    assert nonnegative(1 / (x - 3) ** 2, x, 0, 5, what="f ≥ 0").status is Status.INCONCLUSIVE


def test_a_ball_encloses():
    more = sp.sin(sp.pi * x) + sp.cos(x) * sp.E - x ** sp.Rational(2, 3)
    found = ball(sp.log(2) * sp.exp(sp.Rational(1, 3)) / 7 - x**3 + more, {x: ball(sp.Rational(1, 5))})
    with mpmath.workdps(30):
        fifth = mpmath.mpf(1) / 5
        value = mpmath.log(2) * mpmath.exp(mpmath.mpf(1) / 3) / 7 - mpmath.mpf(1) / 125
        value += mpmath.sin(mpmath.pi * fifth) + mpmath.cos(fifth) * mpmath.e - fifth ** (mpmath.mpf(2) / 3)
    assert_close(float(found.mid()), float(value))
    with pytest.raises(ValueError, match="no enclosure"):
        ball(sp.gamma(x), {x: found})
