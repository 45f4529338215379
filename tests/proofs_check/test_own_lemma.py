"""A user's own lemma file: whatever it raises or holds is one sentence and status 2; only a verdict is 1."""

import json

import pytest

GOOD = '''"""A lemma of mine."""

import sys

import z3

from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, open_, proved, refuted
from lemmascope.theory.verdict import Kind, Status


class Mute(Exception):
    def __str__(self):
        raise ValueError


def prove(top=2):
    return proved("by counting") if top == 2 else refuted("by counting", {"top": top})


FIELDS = dict(id="mine.two", statement="$1 + 1 = 2$", plain="1 + 1 = 2", hypotheses=(), method="counting", prove=prove,
              planted=(Planted("3 in place of 2", {"top": 3}),))
STEP = Step(**FIELDS)
'''
BODY = '    return proved("by counting") if top == 2 else refuted("by counting", {"top": top})\n'

RAISES = [
    "raise ValueError('no')",
    "raise Mute",
    "raise BaseException('no')",
    "raise StopIteration",
    "raise GeneratorExit",
    "raise RecursionError",
    "raise AssertionError",
    "raise UnicodeDecodeError('utf-8', b'', 0, 1, 'no')",
    "sys.exit()",
    "sys.exit(0)",
    "sys.exit(1)",
    "sys.exit('told\\x1b[2J')",
    "prove(top)",
    "import nothing_of_this_name",
    "decide(z3.Real('u') > 0, (z3.Real('u') > 1, z3.Real('u') < 0))",
    "return decide(3, 4)",
]
RETURNS = [
    "None",
    "True",
    "'PROVED'",
    "(proved('so'),)",
    "Outcome('PROVED', 'so')",
    "Outcome(Status.HOLDS, 'so')",
    "Outcome(Status.PROVED, 3)",
    "Outcome(Status.PROVED, 'so', evidence=3)",
    "refuted('so', [1, 2])",
    "refuted('so', None)",
    "refuted('so', {'at': z3.Real('u')})",
    "refuted('so', {'at': float('nan')})",
    "refuted('so', {('a',): 1})",
    "proved('so', at=1e400)",
    "proved('so', at={1, 2})",
    "proved('\\ud800')",
    "proved('so', at=10**5000)",
]
FIELDS = [
    {"id": 3},
    {"id": ""},
    {"statement": None},
    {"plain": ["1"]},
    {"plain": "\ud800"},
    {"method": 0},
    {"hypotheses": "x real"},
    {"hypotheses": (1,)},
    {"hypotheses": None},
    {"hypotheses": ("\ud800",)},
    {"planted": ()},
    {"planted": None},
    {"planted": "3 for 2"},
    {"weaker": {"top": 3}},
    {"weaker": (3,)},
    {"prove": 3},
    {"kind": "bound"},
    {"source": "hearsay"},
    {"source": ["user"]},
    {"expected": "REFUTED?"},
    {"nothing": 1},
]
TOP = [
    "",
    "x = (",
    "STEP = None",
    "CHAPTER = Chapter(title=3, steps=())",
    "CHAPTER = Chapter(title='', steps=())",
    "CHAPTER = Chapter(title='\\ud800', steps=())",
    "STEP = Step(**{**FIELDS, 'planted': (Planted('\\ud800', {'top': 3}),)})",
    "CHAPTER = Chapter(title='A', steps=3)",
    "CHAPTER = Chapter(title='A', steps=('mine.two',))",
    "CHAPTER = Chapter(title='A', steps=(), after='gradient')",
    "A, B = Chapter(title='A', steps=()), Chapter(title='B', steps=())",
    "ONE, TWO = Step(**FIELDS), Step(**FIELDS)",
    "STEP = Step(**{**FIELDS, 'planted': Planted('3', {'top': 3})})",
    "STEP = Step(**{**FIELDS, 'planted': (Planted('3', 3),)})",
    "STEP = Step(**{**FIELDS, 'planted': (Planted('3', {3: 3}),)})",
    "STEP = Step(**{**FIELDS, 'planted': (Planted('3', {'bottom': 3}),)})",
    "STEP = Step(**{**FIELDS, 'id': 'energy.coast'})",
]


def refused(call_cli, tmp_path, text):
    (tmp_path / "lemma.py").write_text(text, encoding="utf-8", errors="surrogatepass")
    found = call_cli("prove", "--plugin", "lemma.py", "--out", "out")
    assert found.exit_code == 2, found.output
    assert "Traceback" not in found.output
    assert len(found.stderr.strip().splitlines()) <= 6, found.stderr
    assert "\x1b" not in found.stderr
    assert not (tmp_path / "out" / "verdicts.json").exists()
    return " ".join(found.stderr.split())


def body(text):
    return GOOD.replace(BODY, "".join(f"    {line}\n" for line in text.split("\n")))


@pytest.mark.parametrize("line", RAISES)
def test_whatever_a_lemmas_function_raises_is_told_with_its_step(call_cli, tmp_path, line):
    said = refused(call_cli, tmp_path, body(line))
    assert "'mine.two'" in said
    assert "its prove must settle the statement, and failed" in said


@pytest.mark.parametrize("value", RETURNS)
def test_whatever_it_returns_that_is_no_outcome_is_told(call_cli, tmp_path, value):
    assert "its prove must " in refused(call_cli, tmp_path, body(f"return {value}"))


@pytest.mark.parametrize("changes", FIELDS, ids=str)
def test_a_field_of_another_type_is_told(call_cli, tmp_path, changes):
    said = refused(call_cli, tmp_path, GOOD.replace("Step(**FIELDS)", f"Step(**{{**FIELDS, **{changes!r}}})"))
    assert next(iter(changes)) in said


@pytest.mark.parametrize("line", [*TOP, *(one for one in RAISES if "return" not in one and "top" not in one)])
def test_a_file_that_holds_or_does_something_else_is_told(call_cli, tmp_path, line):
    refused(call_cli, tmp_path, GOOD.replace("STEP = Step(**FIELDS)", line))


def test_an_error_planted_or_a_weaker_statement_is_told_where_it_fails(call_cli, tmp_path):
    text = body("if top == 3:\n    sys.exit(0)\nreturn proved('so')")
    assert "with the planted error '3 in place of 2', must settle" in refused(call_cli, tmp_path, text)
    text = body("return {2: proved('so'), 3: refuted('so', {'top': 3})}[top]").replace(
        "planted=", "weaker=({'top': 4},), planted="
    )
    assert "with the weaker top = 4, must settle the statement, and failed (KeyError: 4)" in refused(
        call_cli, tmp_path, text
    )


def test_a_verdict_has_status_1_and_is_saved(call_cli, tmp_path):
    """A weaker statement that is refuted spoils a step, as a planted error that is missed does."""
    for name, text in (
        ("refuted", GOOD.replace("top == 2", "top == 3")),
        ("open", body("return open_('tried')")),
        ("weaker", GOOD.replace("planted=(", "weaker=({'top': 4},), planted=(")),
    ):
        (tmp_path / "lemma.py").write_text(text)
        found = call_cli("prove", "--plugin", "lemma.py", "--out", name)
        assert found.exit_code == 1, found.output
        (verdict,) = json.loads((tmp_path / name / "verdicts.json").read_text())["verdicts"]
        assert not verdict["as_expected"]
        if name == "weaker":
            assert verdict["control"] == {"description": "refuted, and weaker: top = 4", "status": "INCONCLUSIVE"}
            assert "refuted, and weaker: top = 4" in " ".join(found.stdout.split())
