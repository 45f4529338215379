"""The certificate's proof steps: proved, refuted once a constant changes, and what the code says there."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.certificate import accuracy as near
from lemmascope.proofs_check.steps.certificate import pulls, relief
from lemmascope.proofs_check.steps.certificate import radius as steps
from lemmascope.theory.cubic_cnn.certificate import accuracy
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)


@pytest.mark.parametrize(
    "step",
    [*steps.CHAPTER.steps, *relief.CHAPTER.steps, *pulls.CHAPTER.steps, *near.CHAPTER.steps],
    ids=lambda step: step.id,
)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (steps.prove_hessian, {"six": 6 + TINY}),
        (steps.prove_hessian, {"square": 1 - TINY}),
        (steps.prove_split, {"coupling": 1 - TINY}),
        (steps.prove_moved, {"three": 3 - TINY}),
        (steps.prove_moved, {"six": 6 - TINY}),
        (pulls.prove_each, {"two": 2 - TINY}),
        (pulls.prove_together, {"two": 2 - TINY}),
        (pulls.prove_together, {"one": 1 - TINY}),
        (steps.prove_monotone, {"power": 0}),
        (steps.prove_majorant, {"last": 1 + TINY}),
        (steps.prove_singular, {"half": sp.Rational(1, 2) - TINY}),
        (steps.prove_factor, {"square": sp.Rational(7, 10)}),
        (steps.prove_between, {"nine": 9 - TINY}),
        (steps.prove_between, {"norm": 1 - TINY}),
        (relief.prove_one_term, {"share": 1 - TINY}),
        (relief.prove_one_term, {"one": 1 - TINY}),
        (relief.prove_cauchy, {"two": 1 - TINY}),
        (relief.prove_terms, {"nine": 9 - TINY}),
        (relief.prove_terms, {"most": 16 + TINY}),
        (relief.prove_mean, {"third": sp.Rational(1, 3) - TINY}),
        (relief.prove_ball, {"share": 1 - TINY}),
        (relief.prove_ball, {"moved": 1 - TINY}),
        (relief.prove_ball, {"two": 2 - TINY}),
        (near.prove_second_moment, {"six": 6 - TINY}),
        (near.prove_polya, {"four": 4 - TINY}),
        (near.prove_cosine, {"most": sp.Rational(7811, 10000)}),
        (near.prove_rearranged, {"two": 2 + TINY}),
    ],
)
def test_a_changed_constant_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness


def test_what_is_left_of_it_is_weaker():
    for prove, change in (
        (near.prove_polya, {"four": 5}),
        (near.prove_cosine, {"most": sp.Rational(9, 10)}),
        (steps.prove_moved, {"three": 4, "six": 7}),
        (relief.prove_one_term, {"share": 2, "one": 2}),
        (relief.prove_ball, {"share": 2, "moved": 2, "two": 3}),
    ):
        assert prove(**change).status is Status.PROVED


def test_the_constant_in_use_is_the_one_that_is_proved():
    assert near.prove_cosine(most=sp.Rational(str(accuracy.COSINE))).status is Status.PROVED
    inner, _ = quad(lambda x: 3 * math.cos(x**3), 0, (math.pi / 2) ** (1 / 3))  # y = x³
    assert_close(math.sqrt(2 / math.pi) / 3 * inner, 0.781147, "quadrature", scale=10)


def test_the_cosine_mean_is_below_its_bound():
    """ψ(v) = E cos(vg³) by quadrature, from small v to large."""
    for v in (0.1, 1.0, 10.0, 100.0):
        found, _ = quad(lambda g, v=v: 2 * math.cos(v * g**3) * math.exp(-g * g / 2), 0, 9, limit=4000)
        psi = found / math.sqrt(2 * math.pi)
        assert 0 <= psi <= min(1.0, accuracy.COSINE * v ** (-1 / 3))


def test_the_second_moment_is_that_of_the_code():
    S, g = np.array([[1.0, 0.3], [0.3, 0.8]]), np.random.default_rng(0).standard_normal((2_000_000, 2))
    Z = np.sum((g @ np.linalg.cholesky(S).T) ** 3, axis=1)
    found = accuracy.second_moment(S, 0.0, 1.0, 1)
    assert abs(np.mean(Z**2) / found - 1) < 6 * np.std(Z**2) / found / math.sqrt(len(Z))


def test_polyas_witness_reaches_its_bound():
    x = np.linspace(-1.2, 1.2, 2_000_001)
    share = np.mean(np.abs(4 * x**3 - 3 * x) <= 1) * 2.4
    assert_close(share, 4 * (1 / 8) ** (1 / 3), "asymptotic law")
