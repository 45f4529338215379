"""The proof steps on momentum along a valley: proved, refuted once a constant changes, and the formulas in use."""

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.noise import flatter_faster as steps
from lemmascope.theory.noise import flatter_faster as formulas
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
        (steps.prove_stationary, {"plus": 1 - TINY}),
        (steps.prove_same_temperature, {"power": 2}),
        (steps.prove_critical, {"sign": 2}),
        (steps.prove_expansion, {"first": steps.SIXTH + TINY}),
        (steps.prove_expansion, {"second": steps.SECOND - TINY}),
        (steps.prove_constant, {"part": 4 + TINY}),
        (steps.prove_gain, {"most": "1.999"}),
        (steps.prove_gain, {"least": "1.001"}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formulas_in_use_are_those_that_are_proved():
    values = {steps.eta: sp.Rational(1, 50), steps.beta: sp.Rational(4, 5), steps.h: sp.Rational(7, 4)}
    values |= {steps.s: sp.Rational(1, 3)}
    proved = float(steps._stationary(steps.eta, steps.beta).subs(values))
    assert_close(formulas.stationary(0.02, 0.2, 1 / 3, 1.75), proved)
    u = np.array([0.5, 2.0, 2.5, 50.0])
    w = np.sqrt(1 - 2 / u[2:])
    assert_close(formulas.gain(np, u), [0.5, 2.0, *2 / (1 + w)])
