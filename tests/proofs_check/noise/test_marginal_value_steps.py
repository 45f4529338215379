"""The proof steps on momentum's marginal value: proved, refuted once a constant changes, and the formulas in use."""

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.noise import marginal_value as steps
from lemmascope.theory.noise import marginal_value as formulas
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
        (steps.prove_identity, {"power": 1 + TINY}),
        (steps.prove_root, {"second": steps.beta / (1 - steps.beta) + TINY}),
        (steps.prove_root, {"first": steps.beta}),
        (steps.prove_first_order, {"half": steps.HALF - TINY}),
        (steps.prove_first_order, {"delay": 1 + TINY}),
        (steps.prove_colder, {"low": "0.51"}),
        (steps.prove_colder, {"high": "1.99"}),
        (steps.prove_critical, {"root": 2}),
        (steps.prove_lag, {"quarter": steps.QUARTER + TINY}),
        (steps.prove_lag, {"start": 1 - TINY}),
        (steps.prove_valley, {"quarter": steps.QUARTER + TINY}),
        (steps.prove_valley, {"half": steps.HALF + TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formulas_in_use_are_those_that_are_proved():
    eta, beta, h, t, s, x_0 = 1e-3, 0.7, 1.3, 0.8, 0.6, 1.4
    a, E = eta * beta / (1 - beta), np.exp(-2 * h * t)
    mean, variance, _ = formulas.first_order(eta, beta, h, t, s, x_0)
    assert_close(mean, a * h * (1 - h * t) * np.exp(-h * t) * x_0)
    assert_close(variance, a * s**2 * (beta / (1 + beta) - 0.5 - 1.5 * E + h * t * E))
    X = x_0 * np.exp(-(s**2) * t / 2)
    w_2 = s**2 * (1 - s**2 * t / 4 - np.log((1 + x_0**2) / (1 + X**2)) / 4)
    first, second = formulas.valley_law(eta, beta, t, x_0, s)
    assert_close(first, X * (s**2 * t + x_0**2 - X**2) / 2 * eta * beta / (1 + beta))
    assert_close(second, X * w_2 * eta**2 / (1 - beta))
