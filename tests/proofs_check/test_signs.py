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
from lemmascope.proofs_check.chapters import chapters
from lemmascope.proofs_check.methods.balls import positive
from lemmascope.proofs_check.methods.ends import limit
from lemmascope.proofs_check.methods.equality import _point, apart, difference_witness, equal, numerator
from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.reals import LIMIT, decide
from lemmascope.proofs_check.methods.signs import ball, between, exact, precision, sign
from lemmascope.proofs_check.methods.sums import normal
from lemmascope.proofs_check.outcome import both
from lemmascope.theory.verdict import Status

x = sp.Symbol("x", positive=True)
LOG2 = sp.log(2)
ABOVE_LOG2 = sp.Rational(int(LOG2.n(60) * 10**40) + 1, 10**40)
ROOT = Path(methods.__path__[0]).parent
DOCUMENTS = Path(__file__).parents[2] / "docs"


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


def test_what_z3_finds_depends_on_the_question_alone():
    """Whatever it was asked before, and however far it may go."""
    z3 = pytest.importorskip("z3")
    n, p = z3.Ints("n p")
    hard = z3.Not(z3.And(n > 2, p > 2, n * n * n + p * p * p == 3 * n * p * p + 7 * n + 11))
    limits = (1, 100, 1000, 3000, 10_000, 30_000, 100_000)
    first = [decide(hard, limit=limit) for limit in limits]
    assert first[0].status is Status.INCONCLUSIVE
    assert "within 1 units of work" in first[0].reason
    u = z3.Real("u")
    for k in range(20):
        assert decide(u**3 > k, (u > k + 1,)).status is Status.PROVED
    assert [decide(hard, limit=limit) for limit in limits] == first


def test_the_limit_leaves_the_hardest_question_of_the_house_room(monkeypatch):
    """It is decided with a hundredth of the limit, and would not be with a thousandth."""
    pytest.importorskip("z3")
    steps = {step.id: step for chapter in chapters() for step in chapter.steps}
    hardest = steps["stages.feature_grows_with_momentum"]
    monkeypatch.setitem(decide.__kwdefaults__, "limit", LIMIT // 100)
    assert hardest.prove().status is Status.PROVED
    monkeypatch.setitem(decide.__kwdefaults__, "limit", LIMIT // 1000)
    assert hardest.prove().status is not Status.PROVED


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
        (x * sp.log(1 + sp.exp(1 / x)), sp.Integer(0), "+", None),  # it is 1: the factor's 0 alone says nothing
        (x * sp.log(sp.log(1 + 1 / x)), sp.Integer(0), "+", None),
        (sp.log(x) - sp.log(x + sp.Rational(1, 10**50)), sp.Integer(0), "+", -sp.oo),
        (x * (sp.exp(1) - sp.Rational(27182818284590452, 10**16)), sp.oo, "-", sp.oo),
        (x * (sp.pi - sp.Rational(31415926535897933, 10**16)), sp.oo, "-", -sp.oo),
        ((sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6))) * x, sp.oo, "-", None),  # it is 0
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


BELOW, ABOVE = ((sp.Integer(int(LOG2.n(60) * 10**45)) + k) / 10**45 for k in (0, 1))


@pytest.mark.parametrize(
    ("f", "low", "high"),
    [
        (sp.log(1 + x) - ABOVE * x, 0, 1),
        (BELOW - sp.log(1 + x), 0, 1),
        (LOG2 - ABOVE + 0 * x, 0, 1),
        ((LOG2 - ABOVE) * x, 0, sp.oo),
        ((LOG2 - BELOW) ** 3 * x - sp.Rational(1, 10**130), 0, 1),
        (sp.exp(sp.pi * sp.sqrt(163)) - 640320**3 - 744 + 0 * x, 0, 1),
        (x - sp.log(1 + x) - x**2 / 2, 0, sp.Rational(1, 10**12)),
        (sp.log(x) - 1 + 1 / x - sp.Rational(1, 10**40), 0, 2),
        (sp.pi * x - sp.Rational(31415926535897933, 10**16) * x, 0, 1),
        (-x * sp.log(1 + 1 / x) + 1 - sp.Rational(1, 10**9), 0, sp.oo),
        (sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1 - sp.Rational(1, 10**60) + 0 * x, 0, 1),
    ],
    ids=str,
)
def test_a_false_inequality_of_numbers_that_nearly_cancel_is_not_proved(f, low, high):
    assert nonnegative(f, x, low, high, what="f ≥ 0").status is not Status.PROVED


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (LOG2, ABOVE),
        (sp.sqrt((ABOVE - LOG2) ** 2), LOG2 - ABOVE),
        (abs(LOG2 - ABOVE), LOG2 - ABOVE),
        (sp.exp(sp.pi * sp.sqrt(163)), 640320**3 + 744),
        (sp.sqrt(2) + sp.sqrt(3), sp.sqrt(5 + 2 * sp.sqrt(6)) + sp.Rational(1, 10**100)),
        (sp.exp(x), sp.exp(sp.Symbol("x", real=True))),
        (sp.Symbol("z") ** 2, sp.Symbol("z", positive=True) ** 2),
        (sp.log(x**2), sp.log(x)),
        (sp.Max(LOG2, ABOVE), LOG2),
        (sp.sign(LOG2 - ABOVE), 1),
        (sp.floor(10**45 * LOG2), int(ABOVE * 10**45)),
    ],
    ids=str,
)
@pytest.mark.parametrize("normal", [sp.expand, numerator])
def test_a_false_equality_is_not_proved(left, right, normal):
    assert equal(left, right, normal=normal).status is not Status.PROVED


def test_what_a_normal_form_takes_for_0_must_not_be_told_from_it_by_balls():
    """A normal form that is none, as is rounding: what it says of two constants is checked at a point."""
    assert equal(x + 1, x + 1 + sp.Rational(1, 10**60), normal=lambda e: sp.Integer(0)).status is Status.REFUTED


A, C = sp.symbols("a c", real=True)
ZERO = (A + C) ** 2 - A**2 - 2 * A * C - C**2
"""Identically 0, which SymPy does not see as it stands."""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1 / ZERO - 1 / ((A - C) ** 2 - A**2 + 2 * A * C - C**2), 7),
        (1 / (1 + 1 / ZERO), 0),
        (A / ZERO, C / ZERO),
        (1 / ZERO, 1 / ZERO),
        (ZERO**-2 + A, ZERO**-2 + C),
        (sp.exp(A) / ZERO, 0),
        (sp.log(ZERO), sp.log(ZERO)),
        (ZERO ** sp.Rational(-1, 2), ZERO ** sp.Rational(-1, 2)),
        (sp.log(-1 - A**2), sp.log(-1 - A**2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("normal", [sp.expand, numerator, lambda e: sp.numer(sp.together(e)).expand()])
def test_what_is_defined_nowhere_is_not_proved_equal(left, right, normal):
    assert equal(left, right, normal=normal).status is Status.INCONCLUSIVE


def test_the_numerator_over_what_is_identically_0_is_none():
    assert numerator(1 / (1 + 1 / ZERO)) is sp.nan
    assert numerator(1 / (1 + ZERO) - 1) == 0


def test_a_pole_at_the_first_point_is_passed():
    """Both sides are equal wherever both are defined."""
    (pole,) = _point(x, x, 1).values()
    assert apart((x**2 - pole**2) / (x - pole), x + pole) is False
    assert equal((x**2 - pole**2) / (x - pole), x + pole, normal=numerator).status is Status.PROVED


@pytest.mark.parametrize(
    ("f", "symbol", "low", "high", "says"),
    [
        (x - sp.sqrt(x**2), x, -1, 1, "declared .*positive"),  # SymPy has made 0 of it, for positive x
        (
            sp.cos(2 * sp.pi * sp.Symbol("n", integer=True)) - 1,
            sp.Symbol("n", integer=True),
            0,
            1,
            "declared .*integer",
        ),
        (x, x, 1, 0, "rational numbers in order"),
        (x, x, 0, LOG2, "rational numbers in order"),
        (x, x, -sp.oo, 0, "rational numbers in order"),
        (x * sp.Symbol("a"), x, 0, 1, "no enclosure of a"),
        (sp.floor(x), x, 0, 1, "no enclosure of floor"),
        (abs(sp.Symbol("r", real=True)), sp.Symbol("r", real=True), 0, 1, "no enclosure of Abs"),
    ],
    ids=str,
)
def test_a_function_that_was_written_for_other_numbers_is_refused(f, symbol, low, high, says):
    with pytest.raises(ValueError, match=says):
        nonnegative(f, symbol, low, high, what="f ≥ 0")


def test_coefficients_of_any_kind_are_enclosed():
    for f in (sp.pi * x - 3 * x, sp.sqrt(2) * x - x, sp.log(1 + x) + sp.sin(1) * x, (sp.E - 2) * x**2):
        assert nonnegative(f, x, 0, sp.oo, what="f ≥ 0").status is Status.PROVED


def test_ends_in_the_wrong_order_prove_nothing():
    with pytest.raises(ValueError, match="in order"):
        positive(lambda t: t, 2, 1, what="t > 0")
    with pytest.raises(ValueError, match="at least one link"):
        both()


def test_sums_whose_ranges_depend_on_each_other_are_refused():
    j, k, d = sp.symbols("j k d", integer=True, nonnegative=True)
    y = sp.IndexedBase("y", real=True)
    with pytest.raises(ValueError, match="must not depend on the index of another"):
        normal(sp.Sum(sp.Sum(y[k], (k, 0, j - 1)), (j, 0, d - 1)), (k, j))


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
    "Poly",
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
"""What asks SymPy for a number's digits, openly or on the way: `Poly` asks ``is_zero`` of its coefficients."""

TOLD_APART = {
    ("methods/equality.py", "is_positive"): "what a symbol is declared to be",
    ("methods/equality.py", "is_nonnegative"): "what a symbol is declared to be",
    ("methods/sums.py", "is_positive"): "what a symbol is declared to be",
    ("steps/noise/adamomentum.py", "limit"): "of rational functions of symbols, whose signs are declared",
    ("steps/stability/stability.py", "Poly"): "its coefficients are rational numbers and symbols",
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


def every_source():
    for folder in ("methods", "steps"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_every_place_where_sympy_evaluates_numerically_is_known():
    assert {(where, name) for where, source in every_source() for name in numerical(source)} == set(TOLD_APART)


DECIDES = {"arb", "_arb", "ball", "exact_ball", "_exact", "sign", "_told", "between", "precision"}
"""What encloses a number, or tells its sign from an enclosure."""

ROUNDED = {"float", "mid", "approx", "digits", "round", "complex"}
"""What rounds, as do `math`, `numpy` and a constant with a decimal point."""


def places(source):
    """The functions of a source that enclose numbers, and those that round them."""
    found = {True: set(), False: set()}
    for top in ast.parse(source).body:
        for node in ast.walk(top):
            name = getattr(top, "name", "")
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                library = getattr(getattr(node.func, "value", None), "id", "")
                found[True] |= {name} if called in DECIDES else set()
                found[False] |= {name} if called in ROUNDED or library in ("math", "np", "numpy") else set()
            if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
                found[False].add(name)
    return found


def listed(heading):
    """Pairs of file and function from a table of docs/proofs.md: the first column names the file, the second them."""
    text = (DOCUMENTS / "proofs.md").read_text(encoding="utf-8")
    table = text.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    return {(file.strip(" `"), name.strip(" `")) for file, names in rows for name in names.split(",")}


@pytest.mark.parametrize(
    ("decides", "heading"), [(True, "### Numbers that decide"), (False, "### Numbers that decide nothing")]
)
def test_every_place_where_numbers_enter_is_listed_in_the_documents(decides, heading):
    found = {(where, name) for where, source in every_source() for name in places(source)[decides]}
    assert found == listed(heading)


def test_a_place_where_numbers_enter_is_seen():
    assert places("def f(x):\n    return sign(x) > 0") == {True: {"f"}, False: set()}
    assert places("def f(x):\n    return float(x) > 0") == {True: set(), False: {"f"}}
    assert places("class F:\n    def g(x):\n        return math.log(x) > y.mid()") == {True: set(), False: {"F"}}
    assert places("x = y > 0.5")[False] == {""}


def test_no_proof_looks_at_a_clock():
    """Nor does z3 where it is asked: its own tactics would."""
    clocks = {"time", "datetime", "signal", "threading", "sched", "asyncio"}
    for name in ("step.py", "outcome.py", "chapters.py", *(where for where, _ in every_source())):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not {one.name.partition(".")[0] for one in node.names} & clocks, name
            if isinstance(node, ast.ImportFrom):
                assert str(node.module).partition(".")[0] not in clocks, name
            if isinstance(node, ast.Constant):
                assert node.value != "timeout", name
            if isinstance(node, ast.Attribute | ast.Name):
                word = node.attr if isinstance(node, ast.Attribute) else node.id
                assert word not in ("Solver", "SolverFor", "Tactic", "TryFor", "set_param", "timeout_s"), name


def test_a_numerical_evaluation_is_seen():
    assert numerical("if sp.limit(f, x, 0).is_positive: pass") == {"limit", "is_positive"}
    assert numerical("y = f.subs(x, 1).evalf(2) + sp.N(g) + h.n(3)") == {"evalf", "N", "n"}
    assert not numerical("y = self.N * race.n")
    assert not numerical("from lemmascope.proofs_check.methods.ends import limit\nz = limit(f, x, 0, '+')")
