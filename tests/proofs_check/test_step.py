"""The framework of the proof steps: what can be claimed, what a planted error that is missed does, the order of the
chapters, a user's own lemma, the methods."""

import importlib
import sys

import numpy as np
import pytest
import sympy as sp

from lemmascope.proofs_check import report, steps
from lemmascope.proofs_check.chapters import as_chapter, chapters, in_order
from lemmascope.proofs_check.methods.balls import positive
from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, proved, refuted, settle
from lemmascope.sims.own import load_module
from lemmascope.sims.report.verdicts import document
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Kind, Status

x = sp.Symbol("x", real=True)
EVERY = [step for chapter in chapters() for step in chapter.steps]


def square(factor=2):
    return equal((x + 1) ** 2, x**2 + factor * x + 1)


def step(**changes):
    values = {
        "id": "test.square",
        "statement": "$(x+1)^2 = x^2+2x+1$",
        "plain": "(x+1)² = x²+2x+1",
        "hypotheses": ("x real",),
        "method": "expanding",
        "prove": square,
        "planted": (Planted("3 for 2", {"factor": 3}),),
    }
    return Step(**{**values, **changes})


def test_a_step_is_proved_and_its_planted_error_refuted():
    found = settle(step(), chapter="Squares")
    assert (found.status, found.label, found.as_expected) == (Status.PROVED, "", True)
    assert found.control == {"description": "3 for 2", "status": "REFUTED"}
    assert found.evidence == {"chapter": "Squares", "method": "expanding", "planted": ["3 for 2"]}


def test_a_planted_error_that_is_missed_spoils_the_step():
    """An encoding that proves everything proves nothing."""
    found = settle(step(prove=lambda factor=2: proved("it is so")))
    assert found.status is Status.PROVED
    assert not found.as_expected
    assert found.control == {"description": "missed: 3 for 2", "status": "INCONCLUSIVE"}


def test_a_step_that_must_fail():
    found = settle(step(prove=lambda: square(3), planted=(), expected=Status.REFUTED))
    assert found.as_expected
    assert found.witness["left"] != found.witness["right"]


@pytest.mark.parametrize(
    "changes",
    [
        {"planted": ()},
        {"planted": ("3 for 2",)},
        {"source": "hearsay"},
        {"expected": Status.HOLDS},
        {"kind": "lemma"},
        {"hypotheses": "x real"},
    ],
)
def test_a_step_that_cannot_be_tested_is_refused(changes):
    with pytest.raises(InputError, match=rf"{next(iter(changes))} = .*test\.square"):
        step(**changes)


def test_a_step_is_written_with_keywords():
    with pytest.raises(TypeError, match="positional"):
        Step("test.square", "$x$")
    with pytest.raises(TypeError, match="positional"):
        Chapter("Squares", ())


def fails(factor=2):
    raise ZeroDivisionError("no inverse")


@pytest.mark.parametrize(
    ("prove", "says"),
    [
        (fails, r"its prove must settle the statement, and failed \(ZeroDivisionError: no inverse\)"),
        (lambda factor=2: True, "must return an Outcome, made by proved, refuted or open_, and not bool"),
        (lambda: square(), r"with the planted error '3 for 2', must settle the statement, and failed \(TypeError"),
        (lambda factor=2: proved("so") if factor == 2 else None, "with the planted error '3 for 2', must return an"),
        (lambda factor=2: refuted("no", {"at": sp.Rational(1, 2)}), "must give finite numbers, strings, lists"),
    ],
)
def test_a_function_that_settles_nothing_is_told_with_its_step(prove, says):
    with pytest.raises(InputError, match=says) as told:
        settle(step(prove=prove))
    assert told.value.value == "test.square"


def test_an_outcome_has_a_witness_if_and_only_if_it_refutes():
    with pytest.raises(ValueError, match="witness"):
        Outcome(Status.REFUTED, "so")
    with pytest.raises(ValueError, match="witness"):
        Outcome(Status.PROVED, "so", {"at": 1})
    with pytest.raises(ValueError, match="HOLDS"):
        Outcome(Status.HOLDS, "so")


def test_a_proof_of_several_links():
    good, bad, unknown = proved("yes"), refuted("no", {"at": 1}), open_("tried")
    assert both(("a", good), ("b", good)).status is Status.PROVED
    found = both(("a", unknown), ("b", bad), ("c", good))
    assert (found.status, found.reason, found.witness) == (Status.REFUTED, "b: no", {"at": 1})
    assert both(("a", good), ("b", unknown)).status is Status.INCONCLUSIVE


def test_equality():
    assert square().status is Status.PROVED
    found = square(3)
    assert found.status is Status.REFUTED
    at = found.witness["at"]["x"]
    assert (found.witness["left"], found.witness["right"]) == ((at + 1) ** 2, at**2 + 3 * at + 1)
    assert square(2 + sp.Rational(1, 10**9)).status is Status.REFUTED
    assert equal(sp.sin(x) ** 2 + sp.cos(x) ** 2, 1).status is Status.INCONCLUSIVE


def test_reals():
    z3 = pytest.importorskip("z3")
    u = z3.Real("u")
    assert decide(u * u + 1 > 0).status is Status.PROVED
    found = decide(u * u > u, (u > 0,))
    assert found.status is Status.REFUTED
    assert 0 < found.witness["at"]["u"] <= 1
    assert decide(u * u > u, (u > 1,)).status is Status.PROVED
    with pytest.raises(ValueError, match="no values satisfy"):
        decide(u > 0, (u > 1, u < 0))
    n, p = z3.Ints("n p")
    hard = z3.Not(z3.And(n > 2, p > 2, n * n * n + p * p * p == 3 * n * p * p + 7 * n + 11))
    assert decide(hard, limit=1000).status is Status.INCONCLUSIVE


def test_balls():
    assert positive(lambda t: t.exp() - 1 - t, 1, 3, what="e^t > 1 + t").status is Status.PROVED
    found = positive(lambda t: t.exp() - 3, 1, 3, what="e^t > 3")
    assert found.status is Status.REFUTED
    assert found.witness["value"] < 0
    assert positive(lambda t: t.exp() - 1 - t, 0, 3, what="e^t > 1 + t", parts=50).status is Status.INCONCLUSIVE
    assert positive(lambda t: t * t, 0, 1, what="t² > 0", parts=50).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda t: float(t.mid()) + 1, "must return a ball"),
        (lambda t: 1, "must return a ball"),
        (lambda t: np.float64(2.0), "must return a ball"),
        (lambda t: None, "must return a ball"),
        (lambda t: t.mid() + 2, "without its values at the ends"),
        (lambda t: type(t)(float(t.mid()) ** 2 + 1), "without its values at the ends"),
    ],
)
def test_a_function_that_encloses_nothing_is_refused(function, says):
    with pytest.raises(ValueError, match=says):
        positive(function, -1, 2, what="f > 0")


ORDER = (
    "cubic_cnn.gradient",
    "cubic_cnn.closed_system",
    "cubic_cnn.sigmoid",
    "cubic_cnn.tensor_power",
    "cubic_cnn.stages",
    "momentum.running_average",
    "momentum.conventions",
    "momentum.stationary_variance",
    "cubic_cnn.energy",
    "cubic_cnn.homogeneity",
)


def test_chapters_are_in_order_and_steps_have_names_of_their_own():
    found = chapters()
    assert [chapter.number for chapter in found] == list(range(1, len(found) + 1))
    assert [chapter.path for chapter in found if chapter.path in ORDER] == list(ORDER)
    assert len({one.id for one in EVERY}) == len(EVERY)
    for chapter in found:
        assert chapter.steps
        assert {one.id.split(".")[0] for one in chapter.steps} == {chapter.name}
        assert chapter.heading == f"{chapter.number}. {chapter.title}"


def named(path, *after):
    subject, _, name = path.rpartition(".")
    return Chapter(title=name, steps=(), after=after, subject=subject, name=name)


def order(*given):
    return [chapter.path for chapter in in_order(given)]


def test_a_chapter_follows_those_that_it_says_it_comes_after_and_otherwise_folder_and_file():
    assert order(named("b.one"), named("a.two"), named("a.one")) == ["a.one", "a.two", "b.one"]
    assert order(named("a.one", "two"), named("a.two", "b.three"), named("b.three")) == ["b.three", "a.two", "a.one"]
    assert order(named("a.one", "b.one"), named("b.one"), named("c.last")) == ["b.one", "a.one", "c.last"]
    assert [chapter.number for chapter in in_order([named("b.one"), named("a.one")])] == [1, 2]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([named("a.one", "two")], r"'two' is not accepted: a\.one comes after it, and the chapters are a\.one"),
        ([named("a.one", "one")], r"after = 'a\.one → a\.one'"),
        ([named("a.one", "two"), named("a.two", "one")], r"'a\.(\w+) → a\.(\w+) → a\.\1'.*in a circle"),
        ([named("a.one"), named("b.one"), named("c.two", "one")], r"must say which: a\.one or b\.one"),
    ],
)
def test_chapters_without_an_order_are_refused(given, says):
    with pytest.raises(InputError, match=says):
        in_order(given)


CHAPTER_FILE = """
from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.step import Chapter, Planted, Step

CHAPTER = Chapter(
    title="Deep",
    after=("gradient",),
    steps=(
        Step(
            id="deep.one",
            statement="$1 = 1$",
            plain="1 = 1",
            hypotheses=(),
            method="counting",
            prove=lambda right=1: equal(1, right),
            planted=(Planted("2 for 1", {"right": 2}),),
        ),
    ),
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A further folder of chapters, whose modules are forgotten afterwards."""
    for package in ("another", "another/part"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    monkeypatch.setattr(steps, "__path__", [*steps.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(f"{steps.__name__}.another")]:
        del sys.modules[name]
    if hasattr(steps, "another"):
        del steps.another


def test_a_chapter_is_found_in_any_depth(folder):
    (folder / "another" / "part" / "deep.py").write_text(CHAPTER_FILE)
    (folder / "another" / "_helper.py").write_text("CHAPTER = None")
    (found,) = [chapter for chapter in chapters() if chapter.subject == "another"]
    assert (found.name, found.path) == ("part.deep", "another.part.deep")
    assert found.number > next(chapter.number for chapter in chapters() if chapter.name == "gradient")
    assert [one.id for _, one in report.chosen(["another"])] == ["deep.one"]


def test_a_file_that_is_no_chapter_is_refused(folder):
    (folder / "another" / "empty.py").write_text("CHAPTERS = ()")
    with pytest.raises(InputError, match=r"'another\.empty' is not accepted: the file must define CHAPTER"):
        chapters()


def test_a_folder_that_does_not_import_is_not_passed_over(folder):
    (folder / "another" / "__init__.py").write_text("import lemmascope.proofs_check.nothing")
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        chapters()


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.id)
def test_what_a_reader_needs_is_there(one):
    assert one.id.count(".") == 1
    assert one.statement.count("$") % 2 == 0
    assert "$" in one.statement
    assert "$" not in one.plain
    assert "\\" not in one.plain
    assert one.method
    assert not one.method.endswith(".")


def test_steps_are_chosen_by_id_and_by_chapter():
    first = EVERY[0]
    group = first.id.split(".")[0]
    assert [s.id for _, s in report.chosen([first.id])] == [first.id]
    assert {s.id for _, s in report.chosen([group])} == {s.id for s in EVERY if s.id.startswith(group + ".")}
    assert len(report.chosen()) == len(EVERY)
    with pytest.raises(InputError, match=group):
        report.chosen(["nothing"])


def test_the_report_says_the_same_each_time():
    found = report.prove(own=step())
    saved = document("proofs", found)
    assert saved == document("proofs", report.prove(own=Chapter(title="own", steps=(step(),))))
    text = report.as_markdown(saved)
    assert "| **1. own** |" in text
    assert "| `test.square` | (x+1)² = x²+2x+1 | PROVED | REFUTED (1) |" in text
    full = report.steps_markdown(saved)
    for line in (
        "## 1. own",
        "### `test.square`: PROVED",
        "- Hypotheses: x real",
        "- Planted errors, REFUTED: 3 for 2",
    ):
        assert line in full.splitlines()


def test_steps_of_ones_own_are_settled_like_ours():
    seen = []
    wrong = step(id="test.wrong", prove=lambda factor=2: square(factor + 1), planted=(Planted("4", {"factor": 3}),))
    found = report.prove(own=[step(), wrong], progress=seen.append)
    assert [v.status for v in found] == [Status.PROVED, Status.REFUTED]
    assert [v.as_expected for v in found] == [True, False]
    assert found == tuple(seen)
    assert [v.claim for v in report.prove("test.wrong", own=[step(), wrong])] == ["test.wrong"]
    ours = report.prove(["energy.coast", "own"], own=step())
    assert [v.claim for v in ours] == ["energy.coast", "test.square"]
    assert all(v.as_expected for v in ours)


def test_an_id_that_is_taken_is_refused():
    with pytest.raises(
        InputError, match=r"'energy\.coast' is not accepted: it is taken, by a step of the chapter 'The"
    ):
        report.prove(own=step(id="energy.coast"))
    with pytest.raises(InputError, match="it is taken, by a step of the chapter 'own'"):
        report.prove(own=[step(), step()])
    with pytest.raises(InputError, match="must be a Step, a Chapter, or several"):
        report.prove(own=[settle])


LEMMA = '''"""The square of a sum.

More about it.
"""

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.step import Chapter, Planted, Step

x = sp.Symbol("x", real=True)


def square(factor=2):
    return equal((x + 1) ** 2, x**2 + factor * x + 1)


LEMMA = Step(
    id="mine.square",
    statement="$(x+1)^2 = x^2+2x+1$",
    plain="(x+1)² = x²+2x+1",
    hypotheses=("x real",),
    method="expanding",
    prove=square,
    planted=(Planted("3 for 2", {"factor": 3}),),
    source="user",
)
AGAIN = LEMMA
'''


def own(tmp_path, text):
    path = tmp_path / "lemma.py"
    path.write_text(text)
    return as_chapter(vars(load_module(path)), path.stem)


def test_a_file_of_ones_own_is_a_chapter(tmp_path):
    chapter = own(tmp_path, LEMMA)
    assert (chapter.title, chapter.heading, chapter.name) == ("The square of a sum", "The square of a sum", "lemma")
    (settled,) = report.run(report.chosen(own=[chapter]))
    assert settled.verdict.as_expected
    assert settled.verdict.evidence["chapter"] == "The square of a sum"
    listed = own(tmp_path, LEMMA + "CHAPTER = Chapter(title='Sums', steps=(LEMMA,))")
    assert (listed.title, [one.id for one in listed.steps]) == ("Sums", ["mine.square"])
    beside = LEMMA + "CHAPTER = Chapter(title='Sums', steps=())"
    assert [one.id for one in own(tmp_path, beside).steps] == ["mine.square"]
    assert as_chapter([step()], "given").title == "given"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "it must define at least one Step"),
        (LEMMA + "A, B = Chapter(title='A', steps=()), Chapter(title='B', steps=())", "one Chapter, and defines 2"),
        (LEMMA.replace('(Planted("3 for 2", {"factor": 3}),)', "()"), "mine.square must have a planted error"),
        (LEMMA.replace("planted=", "plant="), "unexpected keyword argument 'plant'"),
    ],
)
def test_a_file_without_a_lemma_that_can_be_tested_is_refused(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        own(tmp_path, text)


def test_the_catalogue_has_every_step():
    found = report.catalogue()
    assert [one["id"] for one in found] == [one.id for one in EVERY]
    assert {one["kind"] for one in found} <= {kind.value for kind in Kind}
    (one,) = report.catalogue(own=[as_chapter([step()], "mine")])
    assert one == {
        "id": "test.square",
        "subject": "",
        "chapter": "mine",
        "number": 0,
        "kind": "identity",
        "source": "derived",
        "statement": "$(x+1)^2 = x^2+2x+1$",
        "plain": "(x+1)² = x²+2x+1",
        "hypotheses": ["x real"],
        "method": "expanding",
        "planted": ["3 for 2"],
        "expected": "PROVED",
    }
