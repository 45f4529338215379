"""The temperature's proof steps: proved, refuted once a constant changes, and what the formulas in use say there."""

import numpy as np
import pytest
import sympy as sp

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.temperature import temperature as steps
from lemmascope.theory.temperature import quadratic
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
        (steps.prove_covariance, {"cross": 1 + TINY}),
        (steps.prove_collapse, {"two": 2 - TINY}),
        (steps.prove_never_below, {"slope": "0.2501"}),
        (steps.prove_spectrum, {"share": 1 - steps.mu}),
        (steps.prove_epoch, {"plus": 1 + TINY}),
        (steps.prove_total_effect, {"power": -1}),
        (steps.prove_beyond, {"five": 5 + TINY}),
        (steps.prove_beyond, {"eight": 8 - TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formula_that_is_proved_is_the_one_in_use():
    """The covariance that the toolkit computes solves the equations of the step."""
    h, S = np.array([0.4, 1.3]), np.array([[1.0, 0.7], [0.7, 2.0]])
    mu, eta, B = 0.6, 0.2, 4.0
    C = quadratic.covariance(h, S, eta, mu, B)[0, 1]
    one, other = 1 + mu - eta * h
    P, R = ((x - mu * y) * C / (1 - mu**2) for x, y in ((one, other), (other, one)))
    again = one * other * C - one * mu * P - other * mu * R + mu**2 * C + eta**2 * S[0, 1] / B
    assert abs(again / C - 1) < 1e-12
