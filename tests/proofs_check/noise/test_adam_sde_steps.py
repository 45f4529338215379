"""The proof steps on the square-root rule: proved, refuted once a constant changes."""

import pytest
import sympy as sp

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.noise import adam_sde as steps
from lemmascope.theory.noise.adam_sde import EXPONENTS, SQRT
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)


@pytest.mark.parametrize("step", steps.CHAPTER.steps, ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (steps.prove_invariant, {"powers": (steps.HALF, 1 + TINY, 1, -steps.HALF)}),
        (steps.prove_lyapunov, {"two": 2 + TINY}),
        (steps.prove_departure, {"over": "0.999"}),
        (steps.prove_departure, {"most": 1000}),
        (steps.prove_stability, {"sign": 0}),
        (steps.prove_v_noise, {"fourth": 3 + TINY}),
        (steps.prove_v_noise, {"root": steps.THREE_EIGHTHS + TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_powers_in_use_are_those_that_are_proved():
    assert EXPONENTS[SQRT] == (0.5, 1.0, 1.0, -0.5)
