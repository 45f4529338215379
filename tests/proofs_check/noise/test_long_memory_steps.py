"""The proof steps on gradient noise as a series: proved, refuted once a constant changes, and the formulas in use."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.noise import long_memory as steps
from lemmascope.theory.noise import long_memory as formulas
from lemmascope.theory.noise.memory import fractional_covariance
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
        (steps.prove_fractional, {"white": sp.Rational(1, 2) + TINY}),
        (steps.prove_epoch, {"less": 2}),
        (steps.prove_epoch, {"of": sp.Rational(1, 2) + TINY}),
        (steps.prove_momentum, {"twice": 2 + TINY}),
        (steps.prove_momentum, {"power": 3}),
        (steps.prove_kurtosis, {"power": sp.Rational(1, 2)}),
        (steps.prove_kurtosis, {"middle": 3 - TINY}),
        (steps.prove_variance, {"shift": 2}),
        (steps.prove_variance, {"within": Fraction(1, 10_000)}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formulas_in_use_are_those_that_are_proved():
    for H, sign in ((0.1, -1), (0.49, -1), (0.51, 1), (0.9, 1)):
        assert np.all(sign * fractional_covariance(H, np.arange(1.0, 200.0)) > 0)
        assert_close(fractional_covariance(H, np.array([1.0])), [2 ** (2 * H - 1) - 1], scale=1.0)
    k = np.arange(1, 16)
    assert_close(formulas.epoch_correlation(k, 16), -(1 - k / 16) / 15)
    assert_close(formulas.epoch_correlation(k, 16).sum(), -0.5)
    assert_close(formulas.batch_variance(128, 8, True), 120 / 127 / 8)
    gamma = 0.9
    variance = (1 - gamma) / (1 + gamma)
    for count in (1, 2, 7):
        lags = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
        assert_close(formulas.momentum_sum(gamma, count), variance * np.sum(gamma**lags), "trajectory")
    assert_close(formulas.momentum_exponent(gamma, np.array([1.0])), [0.5 + np.log2(1 + gamma) / 2])
    for H in (0.3, 0.7):
        ratio = formulas.stationary_variance(H, 1e-3) * 1e-3 ** (2 * H) / formulas.variance_limit(H)
        assert 1 < ratio < 1.002
