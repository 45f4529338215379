"""The proof steps on Local SGD: proved, refuted once a constant changes, and the formulas in use."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.noise import local_sgd as steps
from lemmascope.theory.noise import local_sgd as formulas
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
        (steps.prove_step, {"power": 3}),
        (steps.prove_average, {"less": -1}),
        (steps.prove_average, {"less": 1, "exchanged": True}),
        (steps.prove_round, {"power": 3}),
        (steps.prove_drift, {"returned": 1 - TINY}),
        (steps.prove_drift, {"workers": 1 + TINY}),
        (steps.prove_ratio_between, {"low": "1.001"}),
        (steps.prove_ratio_between, {"high": "0.999"}),
        (steps.prove_ratio_between, {"least": "0.51"}),
        (steps.prove_small_rate, {"factor": "0.999"}),
        (steps.prove_window_peak, {"below": TINY}),
        (steps.prove_psi, {"factor": Fraction(49, 100)}),
        (steps.prove_psi, {"top": "0.9"}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formulas_in_use_are_those_that_are_proved():
    eta, h, s, K, H = 0.03, 2.5, 0.7, 6, 5
    a = 1 - eta * h
    phi = sum(a ** (2 * j) for j in range(H)) / H
    assert_close(formulas.share(H, eta * h), phi)
    S = (eta * s) ** 2 / (1 - a * a)
    rho = 1 - (1 - 1 / K) * phi
    rate = eta**2 * (s**2 + h**2 * rho * S) - (1 - 1 / K) * S * (1 - a ** (2 * H)) / H
    assert_close(formulas.rate(eta, s, K, H, h), rate)
    assert_close(formulas.drift_ratio(K, H, eta * h), K * rho)
    assert_close(formulas.at_average(eta, s, K, h), h**2 * S / K)
    worker = a ** (2 * H) * S / K + S * (1 - a ** (2 * H))
    assert_close(formulas.before_average(eta, s, K, H, h), h**2 * worker)
    assert formulas.drift_ratio(K, H, eta * h) - 1 <= (K - 1) * (H - 1) * eta * h
    R, x = np.asarray(3.0), np.linspace(0, 3, 300_001)
    assert abs(x[np.argmax(np.exp(-x) - np.exp(-R * x))] - formulas.window_peak(R)) <= 1e-5  # a step of the grid
    psi = (np.exp(-2 * 0.8) - 1 + 2 * 0.8) / (2 * 0.8)
    assert_close(formulas.ratio_limit(K, np.asarray(0.8)), 1 + (K - 1) * psi)
    assert abs(formulas.drift_ratio(K, 10**6, 0.8e-6) / (1 + (K - 1) * psi) - 1) <= 1e-5
