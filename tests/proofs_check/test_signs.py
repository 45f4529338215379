"""Signs are decided by balls: of numbers that nearly cancel, of limits, of witnesses, the same in every process."""

import ast
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
import sympy as sp
from hypothesis import assume, given
from hypothesis import strategies as st

import lemmascope.proofs_check.methods as methods
from lemmascope.proofs_check.methods.ends import limit
from lemmascope.proofs_check.methods.equality import difference_witness, equal
from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.signs import ball, between, exact, precision, sign
from lemmascope.theory.verdict import Status

x = sp.Symbol("x", positive=True)
LOG2 = sp.log(2)
ABOVE_LOG2 = sp.Rational(int(LOG2.n(60) * 10**40) + 1, 10**40)
ROOT = Path(methods.__path__[0]).parent


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (sp.Rational(-1, 3), -1),
        (sp.Integer(0), 0),
        (LOG2 - ABOVE_LOG2, -1),
        (sp.log(2 + sp.Rational(1, 10**300)) - LOG2, 1),
        (sp.log(6) - sp.log(2) - sp.log(3), 0),
        (sp.log(sp.Rational(4, 9)) + 2 * sp.log(3) - 2 * LOG2, 0),
        (sp.sqrt(2) * sp.sqrt(3) - sp.sqrt(6), 0),
        ((sp.sqrt(2) + 1) * (sp.sqrt(2) - 1) - 1, 0),
        (1 / (LOG2 - 1) - 1 / (sp.log(4) / 2 - 1), 0),
        (sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1, None),
        (sp.pi - sp.Rational(355, 113), -1),
        (sp.exp(1) - sp.E, 0),
        (sp.exp(sp.pi * sp.sqrt(163)) - 640320**3 - 744, -1),  # −7.5·10⁻¹³, of numbers near 10¹⁷
        (sp.oo, None),
        (sp.I, None),
        (sp.sqrt(-2), None),
        (sp.gamma(sp.Rational(1, 3)), None),
    ],
    ids=str,
)
def test_the_sign_of_a_number(number, expected):
    assert sign(number) == expected


def test_a_number_that_nothing_tells_apart_from_0_has_no_sign():
    """Below every precision, and not 0."""
    assert sign(sp.log(1 + sp.Rational(1, 2**5000)) - sp.Rational(1, 2**5000)) is None


def test_precision_is_given_back():
    import flint

    before = flint.ctx.prec

    def fail():
        with precision(1000):
            assert flint.ctx.prec == 1000
            ball(sp.gamma(sp.Rational(1, 3)))

    with pytest.raises(ValueError, match="no enclosure of gamma"):
        fail()
    assert flint.ctx.prec == before


def test_rational_numbers_around_a_number():
    low, high = between(LOG2, 10**12)
    assert high - low == Fraction(1, 10**12)
    assert sign(LOG2 - sp.Rational(low)) == sign(sp.Rational(high) - LOG2) == 1
    with pytest.raises(ValueError, match="no enclosure"):
        between(sp.log(0), 10)


def test_floating_point_numbers_are_refused():
    """SymPy rounds with them: x + 10⁻²⁰ − x is 0."""
    for prove in (lambda: equal(x + 1e-20, x), lambda: nonnegative(x - 0.5, x, 1, 2, what="x ≥ ½")):
        with pytest.raises(ValueError, match="as an exact number"):
            prove()
    assert exact("1/3") == sp.Rational(1, 3)


@pytest.mark.parametrize(
    ("f", "end", "side", "expected"),
    [
        (sp.log(1 + x) - sp.log(x), sp.oo, "-", 0),
        (x - sp.log(1 + x), sp.oo, "-", sp.oo),
        (sp.log(x) - x, sp.oo, "-", -sp.oo),
        (x * sp.log(1 + 1 / x), sp.oo, "-", 1),
        (x**2 * (sp.log(1 + 1 / x) - 1 / x), sp.oo, "-", sp.Rational(-1, 2)),
        ((LOG2 - ABOVE_LOG2) * x + 10**9, sp.oo, "-", -sp.oo),
        ((sp.log(6) - LOG2 - sp.log(3)) * x + 5, sp.oo, "-", 5),
        (sp.log(1 - x) + x / (1 - x), sp.Integer(1), "-", sp.oo),
        (sp.log(1 - x) / x, sp.Integer(0), "+", -1),
        (x * sp.log(x), sp.Integer(0), "+", 0),
        (sp.log(x) / x, sp.Integer(0), "+", -sp.oo),
        (-sp.log(x), sp.Integer(0), "+", sp.oo),
        (1 / x**2 + sp.log(x) / x, sp.Integer(0), "+", sp.oo),
        (x - x, sp.oo, "-", 0),
        (sp.Integer(3), sp.Integer(0), "+", 3),
        (sp.log(x - 1), sp.Integer(0), "+", None),
        (sp.exp(x), sp.Integer(0), "+", None),
        (sp.log(x) ** 2, sp.Integer(0), "+", None),
        (1 / sp.log(x), sp.oo, "-", None),
    ],
    ids=str,
)
def test_limits(f, end, side, expected):
    assert limit(f, x, end, side) == expected


SMALL = st.integers(-2, 2)
POLYNOMIALS = st.lists(SMALL, min_size=1, max_size=3).map(lambda found: sum(a * x**k for k, a in enumerate(found)))


@given(POLYNOMIALS, POLYNOMIALS, POLYNOMIALS, st.integers(0, 2), st.sampled_from([0, 1, sp.oo]))
def test_a_limit_is_approached(plain, factor, inside, power, end):
    """By balls very near to the end: within 10⁻³⁰ of a finite limit, beyond 1 on the way to an infinite one."""
    f = (plain + factor * sp.log(1 + inside**2)) / x**power
    end = sp.sympify(end)
    assume(sp.fraction(sp.together(f))[1].subs(x, end if end.is_finite else 1) != sp.nan)
    found = limit(f, x, end, "-" if end == sp.oo else "+")
    step = sp.Rational(1, 2**300)
    with precision(4096):
        value = ball(f, {x: ball(1 / step if end == sp.oo else end + step)})
        if found in (sp.oo, -sp.oo):
            assert (value > 1) if found == sp.oo else (value < -1)
        else:
            assert abs(value - ball(found)) < ball(sp.Rational(1, 10**30))


def test_what_differs_is_shown_by_a_ball():
    """Equal sides of any size are not told apart by rounding, and sides that differ by 10⁻⁴⁰ are."""
    y = sp.Symbol("z", real=True)
    large = 10**40 * (sp.sin(y) ** 2 + sp.cos(y) ** 2)
    assert difference_witness(large, 10**40) is None
    assert equal(large, 10**40).status is Status.INCONCLUSIVE
    assert difference_witness(sp.exp(y), sp.exp(y) + sp.Rational(1, 10**40))["at"]


def test_a_false_inequality_is_refuted_at_its_end():
    found = nonnegative(sp.log(1 + x) - LOG2 * x, x, 0, 1 + sp.Rational(1, 10**7), what="log 2·x ≤ log(1 + x)")
    assert found.status is Status.REFUTED
    assert found.witness["value"] < 0
    assert nonnegative(sp.log(1 + x) - LOG2 * x, x, 0, 1, what="log 2·x ≤ log(1 + x)").status is Status.PROVED


def test_a_false_inequality_that_fails_farther_out_than_any_point_tried_is_not_proved():
    falls = (LOG2 - sp.Rational(int(LOG2.n(60) * 10**11) + 1, 10**11)) * x + 10**12
    assert nonnegative(falls, x, 0, sp.oo, what="it falls").status is Status.INCONCLUSIVE


FALSE = """
import sympy as sp
from lemmascope.proofs_check.methods.monotone import nonnegative
x = sp.Symbol("x", positive=True)
for k in (4, 7, 10, 15):
    f = sp.log(1 + x) - sp.log(2) * x
    print(nonnegative(f, x, 0, 1 + sp.Rational(1, 10**k), what="log 2·x ≤ log(1 + x)").status.value)
"""


def test_a_false_statement_is_refuted_in_every_process():
    """SymPy's order of terms, and so the two digits from which it tells a sign, changes with the hash seed."""

    def run(seed):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        found = subprocess.run([sys.executable, "-c", FALSE], env=environment, capture_output=True, text=True)
        return found.stdout.split(), found.stderr

    with ThreadPoolExecutor(2) as pool:
        for found, errors in pool.map(run, range(10)):
            assert found == ["REFUTED"] * 4, errors


NUMERICAL = {
    "equals",
    "evalf",
    "is_extended_negative",
    "is_extended_positive",
    "is_negative",
    "is_nonnegative",
    "is_nonpositive",
    "is_nonzero",
    "is_positive",
    "is_real",
    "is_zero",
    "nsimplify",
    "simplify",
}
"""What asks SymPy for a number's digits, openly or on the way."""

TOLD_APART = {
    ("methods/equality.py", "is_positive"): "what a symbol is declared to be",
    ("methods/equality.py", "is_nonnegative"): "what a symbol is declared to be",
    ("methods/sums.py", "is_positive"): "what a symbol is declared to be",
}


def numerical(source):
    """Names of SymPy's numerical evaluations in a source, its own limits included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            ours = isinstance(node.value, ast.Name) and node.value.id in ("sp", "sympy")
            found |= {node.attr} & (NUMERICAL | ({"N", "limit"} if ours else set()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found |= {node.func.attr} & {"n"}
    return found


def test_every_place_where_a_numerical_evaluation_enters_is_known():
    found = {
        (str(path.relative_to(ROOT)), name)
        for folder in ("methods", "steps")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in numerical(path.read_text(encoding="utf-8"))
    }
    assert found == set(TOLD_APART)


def test_a_numerical_evaluation_is_seen():
    assert numerical("if sp.limit(f, x, 0).is_positive: pass") == {"limit", "is_positive"}
    assert numerical("y = f.subs(x, 1).evalf(2) + sp.N(g) + h.n(3)") == {"evalf", "N", "n"}
    assert not numerical("y = self.N * race.n")
    assert not numerical("from lemmascope.proofs_check.methods.ends import limit\nz = limit(f, x, 0, '+')")
