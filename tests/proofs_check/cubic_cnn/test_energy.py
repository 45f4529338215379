"""The energy identity: proved as it stands, refuted once a factor is changed, and true of numbers in 5 dimensions."""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, tolerance

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.cubic_cnn import energy
from lemmascope.theory.optimizers import MomentumAverage
from lemmascope.theory.verdict import Kind, Status

FACTORS = {"friction": 1.0, "drift": 0.5, "kick": 0.5}
CHANGES = [
    {"friction": 2},
    {"friction": 0},
    {"friction": -1},
    {"friction": energy.HALF},
    {"drift": 1},
    {"drift": 0},
    {"drift": -energy.HALF},
    {"kick": 0},
    {"kick": 1},
    {"kick": -energy.HALF},
    {"drift": 0, "kick": 1},
    {"friction": 1 + sp.Rational(1, 10**6)},
    {"drift": energy.HALF + sp.Rational(1, 10**6)},
    {"kick": energy.HALF + sp.Rational(1, 10**6)},
    {"kick": sp.Symbol("gamma", real=True)},
]


def sides(at, friction, drift, kick):
    """Both sides again, from the numbers of a witness: E' − E, and what it is said to be."""
    gamma, eta, vv, vg, gg, before, after = (at[name] for name in ("gamma", "eta", "vv", "vg", "gg", "L0", "L1"))
    h = eta * (1 - gamma)
    after_vv = gamma**2 * vv - 2 * gamma * h * vg + h**2 * gg  # |γv − hg|²
    left = (after_vv / 2 + h * after) - (vv / 2 + h * before)
    mean = (vv + gamma * vv - h * vg) / 2  # ⟨v, (v + v')/2⟩
    curvature = after - before - (gamma * vg - h * gg)
    terms = [-friction * (1 - gamma) * mean, -drift * eta * (1 - gamma) ** 2 * vg, -kick * h**2 * gg, h * curvature]
    return left, sum(terms), abs(after_vv) + abs(vv) + abs(h * before) + abs(h * after) + sum(map(abs, terms))


@pytest.mark.parametrize("step", energy.CHAPTER.steps, ids=lambda step: step.id)
def test_the_steps_are_proved(step):
    found = settle(step)
    assert (found.status, found.kind, found.source) == (Status.PROVED, Kind.IDENTITY, "derived")
    assert found.as_expected
    assert found.control["status"] == "REFUTED"
    assert found.witness is None


@pytest.mark.parametrize(
    "change",
    [
        {"first": 0},
        {"first": 2},
        {"first": sp.Rational(1000001, 10**6)},
        {"share": 1},
        {"share": 2 + sp.Rational(1, 10**6)},
    ],
    ids=str,
)
def test_a_changed_coast_is_refuted(change):
    found = energy.prove_coast(**change)
    assert found.status is Status.REFUTED
    assert found.witness["left"] != found.witness["right"]


@given(st.floats(0.01, 0.99), st.floats(0.1, 10))
def test_the_coast_in_numbers(gamma, v):
    """Stepped until what is left cannot be seen."""
    optimizer, w, g = MomentumAverage(1.0, gamma), np.zeros(1), np.array([-v])
    for t in range(4000):
        w, g = optimizer.step(w, np.zeros(1), g, t)
    assert_close(w[0], gamma * v / (1 - gamma), scale=abs(v) / (1 - gamma) ** 2)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_changed_identity_is_refuted(change):
    """The witness's two sides, recomputed, are those that it names, and differ."""
    found = energy.prove_identity(**change)
    assert found.status is Status.REFUTED
    witness = found.witness
    assert all(math.isfinite(x) for x in witness["at"].values())
    at = {"gamma": 0.0, "eta": 0.0, "vv": 0.0, "vg": 0.0, "gg": 0.0, "L0": 0.0, "L1": 0.0, **witness["at"]}
    factors = {
        name: float(sp.sympify(x).subs("gamma", at["gamma"]) if not hasattr(x, "name") else at["gamma"])
        for name, x in {**FACTORS, **change}.items()
    }
    left, right, size = sides(at, **factors)
    assert_close(witness["left"], left, scale=size)
    assert_close(witness["right"], right, scale=size)
    assert abs(left - right) > 1e4 * tolerance("identity") * size
    left, right, size = sides(at, **FACTORS)  # and with the right factors there is nothing to witness
    assert_close(left, right, scale=size)


def test_factors_that_say_the_same_are_proved():
    """A half is a half, however it is written."""
    same = energy.prove_identity(friction=sp.Integer(1), drift=sp.Rational(2, 4), kick=sp.Rational(1, 2))
    assert same.status is Status.PROVED


def potential(w, b, A, T):
    return b @ w + w @ A @ w / 2 + np.einsum("ijk,i,j,k", T, w, w, w) + np.log1p(np.exp(-np.sum(w**3)))


def gradient(w, b, A, T):
    cubic = sum(np.einsum(f"ijk,{pair}", T, w, w) for pair in ("j,k->i", "i,k->j", "i,j->k"))
    return b + (A + A.T) @ w / 2 + cubic - 3 * w**2 / (1 + np.exp(np.sum(w**3)))


@given(st.integers(0, 2**32), st.floats(0, 0.9999), st.floats(1e-3, 1.0))
def test_the_identity_in_numbers(seed, gamma, eta):
    """In five dimensions, on a loss with neither symmetry nor convexity, along five steps of GD+M itself."""
    rng = np.random.default_rng(seed)
    loss = rng.standard_normal(5), rng.standard_normal((5, 5)), rng.standard_normal((5, 5, 5)) / 5
    optimizer = MomentumAverage(eta, gamma)
    w, g = rng.uniform(-1, 1, 5), rng.standard_normal(5)
    slope = gradient(w, *loss)
    step = 1e-30
    for k in range(5):
        complex_w = w.astype(complex)
        complex_w[k] += 1j * step
        size = sum(np.abs(part).sum() for part in loss) + 3
        assert_close(slope[k], potential(complex_w, *loss).imag / step, "complex step", scale=size)
    for t in range(5):
        slope = gradient(w, *loss)
        moved, new_g = optimizer.step(w, slope, g, t)
        if np.abs(moved).max() > 2:
            break  # the cubic runs away, and exp with it
        v, after = -eta * g, -eta * new_g
        values = [potential(at, *loss) for at in (w, moved)]
        at = {
            "gamma": gamma,
            "eta": eta,
            "vv": v @ v,
            "vg": v @ slope,
            "gg": slope @ slope,
            "L0": values[0],
            "L1": values[1],
        }
        left, right, size = sides(at, **FACTORS)
        h = eta * (1 - gamma)
        # What the formulas say, and what the optimizer did.
        done = after @ after / 2 + h * values[1] - v @ v / 2 - h * values[0]
        size += h * np.abs(slope) @ (np.abs(v) + np.abs(after))
        assert_close(left, done, scale=size)
        assert_close(right, done, scale=size)
        w, g = moved, new_g
