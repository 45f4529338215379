"""The proof steps on scale-invariant weights: proved, refuted once a constant changes, and the formulas in use."""

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.scale_invariant import adamp, intrinsic
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)


@pytest.mark.parametrize("step", [*intrinsic.CHAPTER.steps, *adamp.CHAPTER.steps], ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (intrinsic.prove_orthogonal, {"weight": TINY}),
        (intrinsic.prove_orthogonal, {"power": 3}),
        (intrinsic.prove_fixed_point, {"rate": 4 + TINY}),
        (intrinsic.prove_fixed_point, {"power": 3}),
        (intrinsic.prove_angle, {"share": "0.999"}),
        (intrinsic.prove_angle, {"share": 2}),
        (intrinsic.prove_rescaled, {"decay_power": -3}),
        (intrinsic.prove_rescaled, {"eta_power": 3}),
        (adamp.prove_growth, {"late": 2}),
        (adamp.prove_growth, {"one": 2 + TINY}),
        (adamp.prove_stationary, {"extra": 2}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_the_formulas_in_use_are_those_that_are_proved():
    eta, decay, beta = 0.3, 0.2, 0.7
    a = 1 - eta * decay
    G = norms.equilibrium(eta, decay, 1.7)
    assert_close(a * a * G + (eta * 1.7) ** 2 / G, G)
    assert_close(norms.contraction(eta * decay), a * a - (eta * 1.7) ** 2 / G**2)
    assert_close(np.cos(norms.angle(eta * decay)), a)
    for projected in (False, True):
        square = norms.momentum_equilibrium(eta, decay, beta, projected)
        G = square**0.5
        v = 1 / ((1 - beta**2) * G)
        if projected:
            P = (1 - a * a) * G / eta**2
            s = beta * (0 - eta * P) / (1 - beta * a)
            assert_close(P, v - s * s / G)
        else:
            s = -beta * eta * v / (1 - beta * a)
            assert_close(a * a * G - 2 * a * eta * s + eta**2 * v, G)
        assert_close(s, beta * (a * s - eta * (P if projected else v)))
    assert_close(norms.growth(beta, False), (1 + beta) / (1 - beta))


def test_the_growth_is_that_of_a_run():
    rng, eta, beta, T = np.random.default_rng(0), 0.1, 0.8, 9
    w, v, P = rng.standard_normal(5), np.zeros(5), []
    start = w @ w
    for _ in range(T):
        g = rng.standard_normal(5)
        g -= w * (g @ w) / (w @ w)
        v = beta * v + g
        P.append(v @ v)
        w = w - eta * v
    stated = sum(p * (1 + 2 * beta * (1 - beta ** (T - k)) / (1 - beta)) for k, p in enumerate(P, 1))
    assert_close(w @ w - start, eta**2 * stated)
