"""The proof steps on the stability gap: proved, refuted once a constant changes, and the formulas in use."""

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.stability import stability as steps
from lemmascope.theory.stability import edges
from lemmascope.theory.stability.gap import second
from lemmascope.theory.verdict import Status


@pytest.mark.parametrize("step", steps.CHAPTER.steps, ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (steps.prove_epoch, {"trace_power": 2}),
        (steps.prove_epoch, {"determinant_power": 0}),
        (steps.prove_both_papers, {"share": "51/100"}),
        (steps.prove_nonexpansive, {"most": "2001/1000"}),
        (steps.prove_early, {"plus": 2}),
        (steps.prove_early, {"divided": sp.Rational(999, 1000)}),
        (steps.prove_range, {"two": "2001/1000"}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formulas_in_use_are_those_that_are_proved():
    eta, gamma, mean, square = 0.7, 0.6, 0.8, 1.1
    values = {steps.eta: eta, steps.gamma: gamma, steps.m: mean, steps.s: square}
    proved = np.array(steps._second(steps.m, steps.s).subs(values).tolist(), float)
    assert_close(second(np, np.asarray(eta), np.asarray(gamma), mean, square), proved)
    edge = edges.mean_square_edge(gamma, mean, square)
    top, bottom = 2 * mean * (1 - gamma**2), (1 + gamma) * square - 2 * gamma * mean**2
    assert_close(edge, top / bottom)
    assert_close(np.linalg.det(np.eye(3) - proved), eta * (top - eta * bottom))
    for n in (1, 2, 5):
        Q = gamma**n
        trace = 1 + Q - edges.cyclic_edge(gamma, n) * (1 - Q) / (1 - gamma)
        assert_close(1 + trace + Q, 0.0, scale=1.0)
    most = edges.momentum_range(eta, mean, square)
    root = 2 * mean * most**2 + eta * (square - 2 * mean**2) * most + eta * square - 2 * mean
    assert_close(root, 0.0, scale=1.0)
