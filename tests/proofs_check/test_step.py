"""The framework of the proof steps: what can be claimed, what a planted error that is missed does, the methods."""

import pytest
import sympy as sp

from lemmascope.proofs_check import report
from lemmascope.proofs_check.methods.balls import positive
from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, chapters, open_, proved, refuted, settle
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Status

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
    found = settle(step())
    assert (found.status, found.as_expected) == (Status.PROVED, True)
    assert found.control == {"description": "3 for 2", "status": "REFUTED"}
    assert found.evidence["method"] == "expanding"


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


@pytest.mark.parametrize("changes", [{"planted": ()}, {"source": "hearsay"}, {"expected": Status.HOLDS}])
def test_a_step_that_cannot_be_tested_is_refused(changes):
    with pytest.raises(ValueError, match=r"test\.square"):
        step(**changes)


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
    assert decide(hard, timeout_s=0.001).status is not Status.REFUTED


def test_balls():
    assert positive(lambda t: t.exp() - 1 - t, 1, 3, what="e^t > 1 + t").status is Status.PROVED
    found = positive(lambda t: t.exp() - 3, 1, 3, what="e^t > 3")
    assert found.status is Status.REFUTED
    assert found.witness["value"] < 0
    assert positive(lambda t: t.exp() - 1 - t, 0, 3, what="e^t > 1 + t", parts=50).status is Status.INCONCLUSIVE
    assert positive(lambda t: t * t, 0, 1, what="t² > 0", parts=50).status is Status.INCONCLUSIVE


def test_chapters_are_in_order_and_steps_have_names_of_their_own():
    numbers = [chapter.number for chapter in chapters()]
    assert numbers == sorted(set(numbers))
    assert len({one.id for one in EVERY}) == len(EVERY)
    assert all(isinstance(chapter, Chapter) and chapter.steps for chapter in chapters())


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
    todo = [(Chapter(1, "Squares", (step(),)), step())]
    first, second = (report.as_json(report.run(todo), "1") for _ in range(2))
    assert first == second
    text = report.as_markdown(first)
    assert "| **1. Squares** |" in text
    assert "| `test.square` | (x+1)² = x²+2x+1 | PROVED | REFUTED (1) |" in text
