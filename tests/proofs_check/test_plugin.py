"""The pytest plugin, in a test suite of somebody else's."""

import pytest

GOOD = """
from lemmascope.theory.optimizers import MomentumVelocity

def test_mine(momentum_identity):
    momentum_identity(MomentumVelocity, convention="velocity")
"""
BAD = GOOD.replace('convention="velocity"', 'convention="pytorch"')
NONE = "def test_nothing():\n    import sys\n    assert 'lemmascope.proofs_check.conformance' not in sys.modules\n"


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
    assert outcomes["passed"] == 13
    assert set(outcomes) == {"passed", "skipped"}
    result.stdout.fnmatch_lines(["*test_mine[[]first_step[[]full[]][]] PASSED*"])
    result.stdout.fnmatch_lines(["*not an identity of 'velocity'*"])
    assert result.ret == 0


def test_a_failure_names_the_identity_and_the_convention_instead(suite):
    result = suite(BAD)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(
        [
            "*momentum identity schedule[[]outside[]] fails for MomentumVelocity*",
            "*It satisfies 'velocity'*",
            "Reproduce:*",
        ]
    )
    assert result.ret == 1


def test_nothing_is_imported_before_it_is_asked_for(suite):
    suite(NONE).assert_outcomes(passed=1)


def test_its_option_is_explained(suite):
    suite(NONE, "--help").stdout.fnmatch_lines(["*--momentum-examples=N*", "*momentum identity*"])
