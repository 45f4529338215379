"""The commands prove and identities, as a user meets them."""

import json
from xml.etree import ElementTree

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
def plain(eta): return lambda params, grad, state, t: (params - eta * grad, None)
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
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", "--examples", 10, "--dtype", "float64", "--jobs", 1]
    found = call_cli("identities", *spec, "--convention", "velocity", "--out", mine / "a")
    assert found.exit_code == 0, found.output
    text = " ".join(found.stdout.split())
    assert "1 make: it satisfies 'velocity'; it keeps 'velocity' (7 of its 7 identities)" in text
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
import os

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

def dying(eta, gamma):
    return lambda params, grad, state, t: os._exit(3)

def drawing(eta, gamma):
    return lambda params, grad, state, t: (params + np.random.default_rng().normal(), None)
"""


@pytest.fixture
def broken(tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    return lambda name: ["--optimizer", f"{tmp_path / 'broken.py'}:{name}", "--examples", 5, "--out", tmp_path / "out"]


@pytest.mark.parametrize(
    ("name", "arguments", "status", "says"),
    [
        ("Raising", (), 2, "Raising could not be tried on reproducible and"),
        ("Raising", ("--convention", "velocity"), 2, "it raises RuntimeError: no such"),
        ("lost", (), 2, "θ_1 is nan"),
        ("half", ("--convention", "velocity"), 1, "momentum identity first_step[full] fails for half"),
        ("dying", ("--jobs", 2), 2, "dying could not be tried on reproducible and"),
    ],
    ids=["raising", "raising meant", "nan", "half", "dying"],
)
def test_an_optimizer_that_cannot_be_tried_is_no_verdict(call_cli, tmp_path, broken, name, arguments, status, says):
    """Status 2 and a sentence with what it raises; a failure that was seen is a verdict all the same."""
    jobs = () if "--jobs" in arguments else ("--jobs", 1)
    found = call_cli("identities", *broken(name), *arguments, *jobs)
    assert found.exit_code == status, found.output
    assert says in " ".join((found.stderr if status == 2 else found.stdout).split())
    assert "\x1b[31m" not in found.output
    assert "Traceback" not in found.output
    (row,) = json.loads((tmp_path / "out" / "identities.json").read_text())["optimizers"]
    marks = {f["mark"] for f in row["findings"].values()}
    assert "?" in marks
    assert status == 1 or "✓" not in marks
    assert not row["satisfies"]
    assert not row["keeps_convention"]


def test_a_process_that_dies_is_said(call_cli, broken):
    found = call_cli("identities", *broken("dying"), "--jobs", 2)
    assert "its process ended with status 3" in found.stderr
    assert found.stderr.splitlines()[-2].startswith("identities: 100 %")


@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("--convention", "velocity"), 1)], ids=["", "meant"])
def test_what_is_not_repeatable_is_said_once(call_cli, tmp_path, broken, arguments, status):
    found = call_cli("identities", *broken("drawing"), *arguments, "--jobs", 1)
    assert found.exit_code == status, found.output
    assert "Traceback" not in found.output
    (row,) = json.loads((tmp_path / "out" / "identities.json").read_text())["optimizers"]
    assert row["findings"]["reproducible"]["mark"] == "✗"
    assert {f["mark"] for name, f in row["findings"].items() if name != "reproducible"} == {"?"}
    assert not row["satisfies"]
    text = " ".join(found.stdout.split())
    assert "1 drawing: two runs from the same inputs differ" in text
    assert "and nothing else is judged" in text
    assert text.count("not judged") == 0


def test_the_sizes_that_were_tried_are_said(call_cli, mine):
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", "--examples", 2, "--identity", "schedule[inside]", "--jobs", 1]
    found = call_cli("identities", *spec, "--out", mine / "out")
    text = " ".join(found.stdout.split())
    assert "2 cases of up to 6 steps of 4 parameters; where none fails, 24 × 5, 3 × 1000, 120 × 100, 1200 × 2" in text
    saved = json.loads((mine / "out" / "identities.json").read_text())
    assert saved["sizes"] == {"drawn": [6, 4], "fixed": [[24, 5], [3, 1000], [120, 100], [1200, 2]]}


@pytest.mark.parametrize("identity", ["linear", "weight_decay[decoupled]"])
def test_nothing_is_said_of_a_convention_of_which_nothing_was_tried(call_cli, mine, identity):
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", "--examples", 2, "--identity", identity, "--jobs", 1]
    found = call_cli("identities", *spec, "--convention", "nesterov_pytorch")
    text = " ".join(found.stdout.split())
    assert found.exit_code == 0, found.output
    assert "it may or may not keep 'nesterov_pytorch': none of its 7 identities was tried" in text
    assert "0 of 1 optimizers keep the convention that they are meant to follow, and of 1 that is open" in text


DECAYS = """
def maker(decay):
    def make(eta, gamma, weight_decay=0.0):
        def update(params, grad, state, t):
            rate = eta(t) if callable(eta) else eta
            pull = grad + weight_decay * params if decay == "coupled" else grad
            u = pull + (0 if state is None else gamma * state)
            if decay == "decoupled":
                params = (1 - rate * weight_decay) * params
            if decay == "shift":
                params = params - rate * weight_decay
            return params - rate * u, u
        return update
    return make

coupled, decoupled, shift = maker("coupled"), maker("decoupled"), maker("shift")
"""


@pytest.mark.parametrize("kind", ["coupled", "decoupled"])
@pytest.mark.parametrize("name", ["coupled", "decoupled", "shift"])
def test_a_decay_is_found_and_can_be_demanded(call_cli, tmp_path, name, kind):
    (tmp_path / "decays.py").write_text(DECAYS)
    identities = [f"weight_decay[{k}]" for k in ("coupled", "decoupled")]
    spec = ["--optimizer", f"decays.py:{name}", "--examples", 15, "--jobs", 1]
    spec += [word for one in ("schedule[outside]", *identities) for word in ("--identity", one)]
    plain = call_cli("identities", *spec, "--convention", "pytorch", "--out", "plain")
    assert plain.exit_code == 0, plain.output
    assert f"its weight decay is {name if name != 'shift' else 'neither coupled nor decoupled'}" in " ".join(
        plain.stdout.split()
    )
    found = call_cli("identities", *spec, "--convention", "pytorch", "--weight-decay", kind, "--out", "demanded")
    assert found.exit_code == (0 if name == kind else 1), found.output
    assert (f"momentum identity weight_decay[{kind}] fails" in found.stdout) == (name != kind)


TWO = """
from functools import partial

calls = []

def make(eta, gamma, nesterov=False):
    calls.append(eta)
    print("made")
    def update(params, grad, state, t):
        rate = eta(t) if callable(eta) else eta
        u = grad + (0 if state is None else gamma * state)
        return params - rate * (grad + gamma * u if nesterov else u), u
    return update

plain = lambda eta, gamma: make(eta, gamma)
ahead = partial(make, nesterov=True)
"""


def test_any_number_of_processes_finds_the_same(call_cli, tmp_path):
    """Functions without a name and what a file computes are found in each, which loads the file itself."""
    (tmp_path / "two.py").write_text(TWO)
    names = ["plain", "ahead", "make"]
    spec = [word for name in names for word in ("--optimizer", f"two.py:{name}")]
    spec += [w for i in ("linear", "reproducible", "schedule[outside]", "look_ahead") for w in ("--identity", i)]
    results = []
    for jobs in (1, 2, 3):
        found = call_cli("identities", *spec, "--examples", 10, "--jobs", jobs, "--json", "-", "--out", f"out{jobs}")
        assert found.exit_code == 0, found.output
        printed = json.loads(found.stdout)
        saved = json.loads((tmp_path / f"out{jobs}" / "identities.json").read_text())
        assert printed == {k: v for k, v in saved.items() if k != "sha256"}
        assert "identities: 100 %, 15 of 15 parts" in found.stderr
        results.append(printed)
    assert results[0] == results[1] == results[2]
    assert [row["optimizer"] for row in results[0]["optimizers"]] == names


def test_which_algorithm_it_is(call_cli, mine):
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", "--identity", "reproducible", "--examples", 2, "--jobs", 1]
    found = call_cli("identities", *spec, "--which", "--json", "which.json")
    assert found.exit_code == 0, found.output
    assert "which: momentum 'velocity': u ← γu + η∇, θ ← θ − u" in " ".join(found.stdout.split())
    (row,) = json.loads((mine / "which.json").read_text())["optimizers"]
    assert row["which"]["names"] == ["momentum 'velocity'"]


def test_junit_has_a_test_for_each_optimizer_and_identity(call_cli, mine, broken):
    spec = ["--optimizer", f"{mine / 'mine.py'}:make", *broken("Raising")[:2], "--examples", 5, "--jobs", 1]
    names = ("schedule[inside]", "schedule[outside]", "dampening[average]")
    spec += [word for name in names for word in ("--identity", name)]
    found = call_cli("identities", *spec, "--convention", "pytorch", "--junit", "report.xml")
    assert found.exit_code == 1, found.output
    root = ElementTree.parse(mine / "report.xml").getroot()
    outcomes = {
        (case.get("classname"), case.get("name")): [child.tag for child in case] for case in root.iter("testcase")
    }
    assert outcomes == {
        ("make", "schedule[inside]"): [],
        ("make", "schedule[outside]"): ["failure"],
        ("make", "dampening[average]"): ["skipped"],
        ("Raising", "schedule[inside]"): ["skipped"],
        ("Raising", "schedule[outside]"): ["error"],
        ("Raising", "dampening[average]"): ["skipped"],
    }
    (failure,) = root.iter("failure")
    assert "η = (" in failure.get("message")
    assert "Reproduce:" in failure.text
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "1", "1")


def test_a_report_replaces_its_own_kind_alone(call_cli, tmp_path):
    spec = [
        "--library",
        "own",
        "--identity",
        "linear",
        "--examples",
        1,
        "--jobs",
        1,
        "--force",
        "--junit",
        "report.xml",
    ]
    for _ in range(2):
        assert call_cli("identities", *spec).exit_code == 0
    written = "<?xml version='1.0'?><testsuites name='somebody else'/>"
    (tmp_path / "report.xml").write_text(written)
    refused = call_cli("identities", *spec)
    assert refused.exit_code == 2
    assert "is never replaced" in refused.stderr
    assert (tmp_path / "report.xml").read_text() == written


def test_a_budget_ends_what_would_take_for_ever(call_cli, mine):
    (mine / "slow.py").write_text(
        "import time\n" + MINE.replace("    def update(", "    time.sleep(0.05)\n    def update(")
    )
    spec = ["--optimizer", f"{mine / 'slow.py'}:make", "--convention", "velocity", "--budget", 0.2, "--jobs", 1]
    found = call_cli("identities", *spec)
    assert found.exit_code == 2, found.output
    assert "not tried to its end within the budget of 0.2 s" in found.stderr
    assert "0 of 1 optimizers keep the convention" in found.stdout


def test_identities_of_our_own_optimizers(call_cli, tmp_path):
    out = tmp_path / "out"
    wanted = ["--identity", "first_step[average]", "--identity", "reproducible", "--dtype", "float32", "--jobs", 1]
    found = call_cli("identities", "--library", "own", *wanted, "--examples", 5, "--out", out)
    assert found.exit_code == 0, found.output
    saved = json.loads((out / "identities.json").read_text())
    marks = {row["optimizer"]: row["findings"]["first_step[average]"]["mark"] for row in saved["optimizers"]}
    assert marks == {"GD": "n/a", "MomentumAverage": "✓", "MomentumVelocity": "✗", "Nesterov": "✗"}
    assert "n/a for GD, which takes no gamma: first_step[average]" in " ".join(found.stdout.split())


def test_a_library_is_imported_where_it_is_tried(call_cli):
    found = call_cli("identities", "--library", "own", "--identity", "linear", "--examples", 2, "--jobs", 2)
    assert found.exit_code == 0, found.output
    assert "4 Nesterov" in found.stdout


def test_the_lists_teach(call_cli):
    found = call_cli("identities", "--list")
    assert found.exit_code == 0
    assert "u ← γu + (1−γ)∇, θ ← θ − ηu" in found.stdout
    assert "rescaled_average" in found.stdout
    assert "tried over a learning rate that changes" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--optimizer", "mine.py"], "FILE.py:NAME"),
        (["--optimizer", "mine.py:nothing"], "must define a function nothing"),
        (["--optimizer", "mine.py:number"], "must define a function number"),
        (["--optimizer", "mine.py:wrong"], "it asks for rate"),
        (["--optimizer", "absent.py:make"], "must be a Python file that exists"),
        (["--optimizer", "mine.py:plain", "--convention", "pytorch"], "no momentum among (eta)"),
        (["--optimizer", "mine.py:make", "--convention", "gd"], "make_optimizer takes a momentum"),
        (["--optimizer", "mine.py:make", "--library", "keras", "--library", "torch"], "of your own it must be one of"),
        (["--optimizer", "mine.py:make", "--weight-decay", "coupled"], "make_optimizer takes no weight_decay"),
        (["--optimizer", "mine.py:make", "--weight-decay", "half"], "it must be one of coupled, decoupled"),
        (["--weight-decay", "coupled"], "it goes with --optimizer"),
        (["--convention", "pytorch"], "it goes with --optimizer"),
        (["--optimizer", "mine.py:make", "--convention", "heavy"], "it must be one of 'gd'"),
        (["--library", "tensorflow"], "own, functions, torch"),
        (["--identity", "nothing", "--library", "own"], "reproducible"),
        (["--dtype", "float8"], "float32, float64"),
        (["--examples", "0"], "examples"),
        (["--jobs", "0"], "jobs"),
        (["--budget", "0"], "budget"),
        (["--budget", "nan"], "budget"),
        (["--junit", ".", "--library", "own"], "it must be a file, and this is a folder"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_wrong_use_is_refused(call_cli, mine, monkeypatch, arguments, says):
    monkeypatch.chdir(mine)
    found = call_cli("identities", *arguments)
    assert found.exit_code == 2, found.output
    assert says in found.stderr
    assert len(found.stderr.splitlines()) <= 2
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
