"""The pytest plugin, in a test suite of somebody else's."""

import subprocess
import sys

import pytest

GOOD = """
from lemmascope.theory.optimizers import MomentumVelocity

def test_mine(momentum_identity):
    momentum_identity(MomentumVelocity, convention="velocity")
"""
BAD = GOOD.replace('convention="velocity"', 'convention="pytorch"')
NONE = "def test_nothing():\n    pass\n"
COUNTED = """
def test_nothing():
    import sys
    ours = {name for name in sys.modules if name.startswith("lemmascope")}
    assert len(ours) == 4
    assert "numpy" not in sys.modules
"""
DECAY = """
def make(eta, gamma, weight_decay=0.0):
    def update(params, grad, state, t):
        rate = eta(t) if callable(eta) else eta
        u = rate * grad + (0 if state is None else gamma * state)
        return (1 - rate * weight_decay) * params - u, u
    return update

def plain(eta):
    return lambda params, grad, state, t: (params - (eta(t) if callable(eta) else eta) * grad, None)

def test_mine(momentum_identity):
    momentum_identity(NAME, convention="velocity", weight_decay=KIND)
"""


@pytest.fixture
def suite(pytester):
    """Runs a test file in a process of its own, with the installed plugin alone."""

    def run(text, *arguments):
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", "no:xdist", "-rs", "--momentum-examples", "10", *arguments)

    return run


def test_a_test_for_each_identity(suite):
    result = suite(GOOD, "-v")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 15
    assert set(outcomes) == {"passed", "skipped"}
    result.stdout.fnmatch_lines(["*test_mine[[]first_step[[]full[]][]] PASSED*"])
    result.stdout.fnmatch_lines(["*not an identity of 'velocity'*"])
    assert result.ret == 0


def test_a_failure_names_the_identity_and_the_convention_instead(suite):
    result = suite(BAD)
    assert result.parseoutcomes()["failed"] == 2
    result.stdout.fnmatch_lines(
        [
            "*momentum identity schedule[[]outside[]] fails for MomentumVelocity*",
            "*It satisfies 'velocity'*",
            "Reproduce:*",
        ]
    )
    assert result.ret == 1


@pytest.mark.parametrize(("kind", "failed"), [("None", 0), ('"decoupled"', 0), ('"coupled"', 1)])
def test_a_weight_decay_is_demanded(suite, kind, failed):
    result = suite(DECAY.replace("NAME", "make").replace("KIND", kind))
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) == failed
    assert outcomes["passed"] == 14 + int(kind == '"decoupled"')


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [("plain", "None", "*no momentum among (eta)*"), ("make", '"half"', "*must be one of coupled, decoupled*")],
)
def test_what_cannot_be_held_to_a_convention_is_refused_and_not_green(suite, name, kind, says):
    result = suite(DECAY.replace("NAME", name).replace("KIND", kind), "-k", "linear or outside")
    assert set(result.parseoutcomes()) == {"failed", "deselected"}
    result.stdout.fnmatch_lines([says])
    assert "Traceback" not in result.stdout.str()
    assert result.ret == 1


def test_nothing_is_imported_before_it_is_asked_for(suite):
    suite(COUNTED).assert_outcomes(passed=1)


def test_a_project_that_does_not_use_it_pays_for_four_modules():
    """Counted in a process that has imported pytest alone; and a test without the fixture is not looked at."""
    text = """
import sys
import pytest
before = set(sys.modules)
from lemmascope.proofs_check import pytest_plugin
pytest_plugin.pytest_generate_tests(type("Metafunc", (), {"fixturenames": ["tmp_path"]}))
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    found = {name for name in done.stdout.split() if not name.startswith("__editable__")}
    assert found == {
        "lemmascope",
        "lemmascope.names",
        "lemmascope.proofs_check",
        "lemmascope.proofs_check.pytest_plugin",
    }


def test_its_option_is_explained(suite):
    suite(NONE, "--help").stdout.fnmatch_lines(["*--momentum-examples=N*", "*momentum identity*"])
