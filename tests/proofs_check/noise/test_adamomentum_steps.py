"""The proof steps on AdaMomentum: proved, refuted once a constant changes."""

import pytest
import sympy as sp

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.noise import adamomentum as steps
from lemmascope.theory.noise import adamomentum as theory
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
        (steps.prove_alternating, {"start": 1 + TINY}),
        (steps.prove_invariant, {"power": 3}),
        (steps.prove_bound, {"attained": 1 + TINY}),
        (steps.prove_stationary, {"four": 16 + TINY}),
        (steps.prove_rate_gain, {"most": "0.999999"}),
        (steps.prove_same, {"epsilon": TINY}),
        (steps.prove_period, {"least": "0.999"}),
        (steps.prove_period, {"best": "1.000001"}),
        (steps.prove_start, {"cross": -2 + TINY}),
        (steps.prove_start, {"first": 1 + TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


@pytest.mark.parametrize(("e", "h", "s", "beta"), [(0.5, 2.0, 0.25, 0.5), (0.125, 1.0, 1.5, 0.75)])
def test_the_moments_in_use_are_those_that_are_proved(e, h, s, beta):
    D = 2 * (1 + beta) - (1 - beta) * e * h
    stated = e * s**2 * (1 + beta) / (h * D), 2 * (1 - beta) * s**2 / D
    for found, one in zip(theory.average_moments(e, h, s, beta), stated, strict=False):
        assert abs(found - one) < 1e-14
