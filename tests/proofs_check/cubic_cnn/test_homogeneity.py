"""Homogeneity: proved for all sizes, refuted once a constant changes, and true of the gradient that we compute."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.cubic_cnn import homogeneity as steps
from lemmascope.theory.cubic_cnn import weights
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
        (steps.scaling, {"power": 3 + TINY}),
        (steps.scaling, {"power": 1}),
        (steps.euler, {"factor": 3 - TINY}),
        (steps.flow, {"factor": 6 + TINY}),
        (steps.flow, {"penalty": 2 + TINY}),
        (steps.flow, {"factor": -6}),
        (steps.step_of_gd, {"square": 1 + TINY}),
        (steps.grows, {"penalty": "0.000001"}),
        (steps.grows, {"margin": "-0.000001"}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_a_witness_recomputed():
    """One weight, one patch: the sides of a refuted Euler identity."""
    found = steps.euler(factor=2).witness
    w, x = found["at"]["w00"], found["at"]["x000"]
    assert_close(found["left"], 3 * (w * x) ** 3, scale=1.0)
    assert_close(found["right"], 2 * (w * x) ** 3, scale=1.0)


@given(st.integers(0, 2**32), st.floats(0, 0.5), st.floats(0.1, 3))
def test_the_identities_in_numbers(seed, lam, s):
    """On the toolkit's own gradient and output, at sizes that no step has written out."""
    rng = np.random.default_rng(seed)
    W, X = rng.standard_normal((4, 6)) / 2, rng.standard_normal((5, 3, 6)) / 2
    y = rng.choice([-1.0, 1.0], 5)
    z = np.einsum("rk,ijk->ijr", W, X)
    cubes = (z**3).sum(axis=1)
    f, size = cubes.sum(axis=-1), np.abs(z**3).sum()
    assert_close(weights.outputs(s * W, X), s**3 * f, scale=max(s, 1) ** 3 * size)
    ell = 1 / (1 + np.exp(y * f))
    gradient = weights.gradient(W, X, y, lam)
    pulls = 6 / 5 * np.einsum("i,ir->r", ell * y, cubes) - 2 * lam * (W**2).sum(axis=1)
    scale = 6 * size + 2 * lam * (W**2).sum()
    assert_close(-2 * (W * gradient).sum(axis=1), pulls, scale=scale)
    moved = W - 0.1 * gradient
    after = (W**2).sum() + 0.1 * pulls.sum() + 0.01 * (gradient**2).sum()
    assert_close((moved**2).sum(), after, scale=scale + (W**2).sum() + (gradient**2).sum())
    if lam == 0 and np.all(y * f > 0):
        assert (moved**2).sum() > (W**2).sum()


def test_with_all_margins_positive_the_norm_grows():
    """Labels set to the signs of the outputs, so that the case of the last step is looked at."""
    rng = np.random.default_rng(3)
    W, X = rng.standard_normal((4, 6)) / 3, rng.standard_normal((5, 3, 6))
    y = np.sign(weights.outputs(W, X))
    for _ in range(5):
        moved = W - 0.01 * weights.gradient(W, X, y, 0.0)
        assert (moved**2).sum() > (W**2).sum()
        W = moved
