"""The commands prove and identities, as a user meets them."""

import json

import pytest

from lemmascope.cli.tools import prove as tool
from lemmascope.proofs_check import report
from lemmascope.proofs_check.step import Chapter, Planted, Step, proved
from lemmascope.sims.report.verdicts import VERDICTS_SCHEMA

MINE = """
def make(eta, gamma):
    def update(params, grad, state, t):
        rate = eta(t) if callable(eta) else eta
        velocity = rate * grad + (0 if state is None else gamma * state)
        return params - velocity, velocity
    return update

number = 3
def wrong(rate): return None
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_prove_prints_and_saves_a_verdict(call_cli, tmp_path):
    found = call_cli("prove", "energy", "--out", tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert "PROVED" in found.stdout
    assert "as expected" in found.stdout
    saved = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    assert saved["schema"] == VERDICTS_SCHEMA
    assert saved["study"] == "proofs"
    assert all(v["status"] == "PROVED" and v["as_expected"] for v in saved["verdicts"])
    assert all(v["control"]["status"] == "REFUTED" for v in saved["verdicts"])
    seconds = json.loads((tmp_path / "out" / "provenance.json").read_text())["seconds"]
    assert set(seconds) == {v["claim"] for v in saved["verdicts"]}


def test_prove_fails_where_a_step_does(call_cli, tmp_path, monkeypatch):
    """An encoding that misses its planted error is not as expected, and nor is the command's exit status."""
    planted = (Planted("2 for 1", {"factor": 2}),)
    empty = Step(
        id="test.empty",
        statement="$x$",
        plain="x",
        hypotheses=(),
        method="none",
        prove=lambda factor=1: proved("so"),
        planted=planted,
    )
    monkeypatch.setattr(report, "chapters", lambda: (Chapter(title="Empty", steps=(empty,)),))
    found = call_cli("prove", "--out", tmp_path / "out")
    assert found.exit_code == 1
    assert "0 of 1 as expected" in found.stdout
    assert "missed: 2 for 1" in " ".join(found.stdout.split())


def test_prove_lists_and_refuses(call_cli):
    found = call_cli("prove", "--list")
    assert found.exit_code == 0
    for what in ("LaTeX: $", "method: ", "planted error, must be REFUTED"):
        assert what in found.stdout
    refused = call_cli("prove", "nothing")
    assert refused.exit_code == 2
    assert "the id of a step" in refused.stderr


LEMMA = '''"""A lemma of mine."""

from lemmascope.proofs_check.step import Planted, Step, proved, refuted


def prove(top=2):
    return proved("by counting") if top == 2 else refuted("by counting", {"top": top})


STEP = Step(id="mine.two", statement="$1 + 1 = 2$", plain="1 + 1 = 2", hypotheses=(), method="counting", prove=prove,
            planted=(Planted("3 in place of 2", {"top": 3}),))
'''


def test_prove_takes_a_lemma_of_ones_own(call_cli, tmp_path):
    (tmp_path / "my_lemma.py").write_text(LEMMA)
    found = call_cli("prove", "--plugin", "my_lemma.py", "--out", "out")
    assert found.exit_code == 0, found.output
    assert "A lemma of mine" in found.stdout
    assert "1 PROVED; 1 of 1 as expected" in found.stdout
    (verdict,) = json.loads((tmp_path / "out" / "verdicts.json").read_text())["verdicts"]
    assert verdict["control"]["status"] == "REFUTED"
    listed = call_cli("prove", "--plugin", "my_lemma.py", "--list")
    assert "planted error, must be REFUTED: 3 in place of 2" in listed.stdout
    absent = call_cli("prove", "--plugin", "absent.py")
    assert absent.exit_code == 2
    assert "it must be a Python file that exists" in absent.stderr
    (tmp_path / "false.py").write_text(LEMMA.replace("top == 2", "top != 2"))
    assert call_cli("prove", "--plugin", "false.py", "--out", "false").exit_code == 1


def test_identities_of_an_optimizer_of_ones_own(call_cli, mine):
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", "--examples", 5, "--dtype", "float64"]
    found = call_cli("identities", *spec, "--convention", "velocity", "--out", mine / "a")
    assert found.exit_code == 0, found.output
    text = " ".join(found.stdout.split())
    assert "1 make: it satisfies 'velocity', meant to follow 'velocity'" in text
    assert "✗ schedule[outside]: η = (" in text
    saved = json.loads((mine / "a" / "identities.json").read_text())
    (row,) = saved["optimizers"]
    assert row["keeps_convention"]
    assert row["findings"]["schedule[inside]"]["mark"] == "✓"
    assert row["findings"]["schedule[outside]"]["case"]["eta"]
    found = call_cli("identities", *spec, "--convention", "pytorch", "--out", mine / "b")
    assert found.exit_code == 1
    assert "momentum identity schedule[outside] fails for make" in found.stdout
    assert "from mine import make" in found.stdout
    assert "It satisfies 'velocity'" in found.stdout
    (mine / "shown.py").write_text("from mine import make\n")  # what lies beside the file is named as the file names it
    found = call_cli("identities", "--optimizer", f"{mine / 'shown.py'}:make", *spec[2:], "--convention", "pytorch")
    assert "from mine import make" in found.stdout


BROKEN = """
import numpy as np

class Raising:
    def __init__(self, eta, gamma): pass
    def init(self, params): return None
    def step(self, params, grad, state, t): raise RuntimeError("no such\\x1b[31m step")

def lost(eta, gamma):
    return lambda params, grad, state, t: (np.nan * params, None)

def half(eta, gamma):
    def update(params, grad, state, t):
        if t == 1:
            raise RuntimeError("no second step")
        return params - 7 * grad, None
    return update
"""


@pytest.mark.parametrize(
    ("name", "convention", "status", "says"),
    [
        ("Raising", (), 2, "Raising could not be tried on reproducible and 25 more identities: it raises RuntimeError"),
        ("Raising", ("--convention", "velocity"), 2, "it raises RuntimeError: no such\\x1b[31m step"),
        ("lost", (), 2, "lost could not be tried on reproducible and 25 more identities: θ_1 is nan"),
        ("half", ("--convention", "velocity"), 1, "momentum identity first_step[full] fails for half"),
    ],
    ids=["raising", "raising meant", "nan", "half"],
)
def test_an_optimizer_that_cannot_be_tried_is_no_verdict(call_cli, tmp_path, name, convention, status, says):
    """Status 2 and a sentence with what it raises; a failure that was seen is a verdict all the same."""
    (tmp_path / "broken.py").write_text(BROKEN)
    spec = ["--optimizer", f"{tmp_path / 'broken.py'}:{name}", "--examples", 3]
    found = call_cli("identities", *spec, *convention, "--out", tmp_path / "out")
    assert found.exit_code == status, found.output
    assert says in " ".join((found.stderr if status == 2 else found.stdout).split())
    assert "\x1b[31m" not in found.output
    (row,) = json.loads((tmp_path / "out" / "identities.json").read_text())["optimizers"]
    marks = {f["mark"] for f in row["findings"].values()}
    assert "?" in marks
    assert status == 1 or "✓" not in marks
    assert not row["satisfies"]
    if convention:
        assert row["keeps_convention"] is False


def test_the_sizes_that_were_tried_are_said(call_cli, mine):
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", "--examples", 2, "--identity", "schedule[inside]"]
    found = call_cli("identities", *spec, "--out", mine / "out")
    text = " ".join(found.stdout.split())
    assert "2 cases of up to 6 steps of 3 parameters; where none fails, 24 × 5, 3 × 1000, 120 × 100, 1200 × 2" in text
    saved = json.loads((mine / "out" / "identities.json").read_text())
    assert saved["sizes"] == {"drawn": [6, 3], "fixed": [[24, 5], [3, 1000], [120, 100], [1200, 2]]}


def test_identities_of_our_own_optimizers(call_cli, tmp_path):
    out = tmp_path / "out"
    wanted = ["--identity", "first_step[average]", "--identity", "reproducible", "--dtype", "float32"]
    found = call_cli("identities", "--library", "own", *wanted, "--examples", 5, "--out", out)
    assert found.exit_code == 0, found.output
    saved = json.loads((out / "identities.json").read_text())
    marks = {row["optimizer"]: row["findings"]["first_step[average]"]["mark"] for row in saved["optimizers"]}
    assert marks == {"GD": "n/a", "MomentumAverage": "✓", "MomentumVelocity": "✗", "Nesterov": "✗"}
    assert "n/a for GD, which takes no gamma: first_step[average]" in " ".join(found.stdout.split())


def test_the_lists_teach(call_cli):
    found = call_cli("identities", "--list")
    assert found.exit_code == 0
    assert "u ← γu + (1−γ)∇, θ ← θ − ηu" in found.stdout
    assert "rescaled_average" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--optimizer", "mine.py"], "FILE.py:NAME"),
        (["--optimizer", "mine.py:nothing"], "must define a function nothing"),
        (["--optimizer", "mine.py:number"], "must define a function number"),
        (["--optimizer", "mine.py:wrong"], "it asks for rate"),
        (["--optimizer", "absent.py:make"], "must be a Python file that exists"),
        (["--convention", "pytorch"], "it goes with --optimizer"),
        (["--optimizer", "mine.py:make", "--convention", "heavy"], "it must be one of 'gd'"),
        (["--library", "keras"], "own, functions, torch"),
        (["--identity", "nothing", "--library", "own"], "reproducible"),
        (["--dtype", "float16"], "float32, float64"),
        (["--examples", "0"], "examples"),
    ],
)
def test_wrong_use_is_refused(call_cli, mine, monkeypatch, arguments, says):
    monkeypatch.chdir(mine)
    found = call_cli("identities", *arguments)
    assert found.exit_code == 2, found.output
    assert says in found.stderr
    assert not (mine / "results").exists()


def test_a_library_that_is_not_installed(call_cli, monkeypatch):
    from lemmascope.proofs_check.conformance import known

    monkeypatch.setattr(known, "find_spec", lambda name: None)
    found = call_cli("identities", "--library", "torch")
    assert found.exit_code == 2
    assert "pip install 'lemmascope[torch]'" in found.stderr


def test_a_witness_in_a_line():
    found = tool._witness({"at": {"x": 0.5, "y": [1.0, 2.0]}, "left": 1.25})
    assert found == "x = 0.5, y = (1, 2); left 1.25"
