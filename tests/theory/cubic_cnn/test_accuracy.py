"""Exact-law test accuracy, against fresh samples in R^d and against cases with a closed form."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from tolerances import assert_close, tolerance

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law, quantities, weights
from lemmascope.theory.cubic_cnn.claims.readings import ERRORS
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD

WITHIN = tolerance("quasi-Monte Carlo")


def parameters(P):
    return Parameters(d=20, N=40_000, P=P, m=3, alpha=1.2, beta=0.5, mu=0.5, sigma=0.3, sigma_0=0.3)


def points(m, Q, seed=0, **sizes):
    return quantities.directions(m, Q, np.random.default_rng(seed), **sizes)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("P", [2, 3])
def test_fresh_samples_answer_as_often(P, seed):
    """40 000 samples of each law; W is arbitrary, with a large or a negative feature for some seeds."""
    p = parameters(P)
    rng = streams(0, f"accuracy, P = {P}", seed)
    sample = law.draw_sample(p, rng)
    W = 0.3 * rng("weights").standard_normal((p.m, p.d)) + (seed - 1) * 0.15 * sample.w_star
    c = W @ sample.w_star
    outside = W - np.outer(c, sample.w_star)
    accuracy, error = quantities.test_accuracy(outside @ outside.T, c, (p.alpha, p.beta), p.sigma, points(p.m, P - 1))
    assert np.all(error < 0.01)
    right = sample.y * weights.outputs(W, sample.X) > 0
    for k, small in enumerate((False, True)):
        mine = right[sample.small == small]
        joint = math.hypot(error[k], math.sqrt(max(accuracy[k] * (1 - accuracy[k]), 1e-4) / len(mine)))
        assert abs(np.mean(mine) - accuracy[k]) < WITHIN * joint
    # The cases are not all near chance.
    assert abs(accuracy[0] - 0.5) > 0.01


def gram(m, seed=1):
    W = np.random.default_rng(seed).standard_normal((m, 8))
    return W @ W.T


def two_scales(A, first, second):
    """P(A + (first g)³ + (second h)³ > 0) for independent standard normal g and h, integrated over g."""

    def density(g):
        return stats.norm.pdf(g) * stats.norm.cdf(np.cbrt(A + (first * g) ** 3) / second)

    kink = -float(np.cbrt(A)) / first
    return sum(quad(density, *ends, epsabs=1e-9)[0] for ends in ((-12, kink), (kink, 12)))


@pytest.mark.parametrize("Q", [1, 2])
@pytest.mark.parametrize("c", [[1.0], [0.3], [-0.5]])
def test_one_neuron_in_closed_form(c, Q):
    """With m = Q = 1 the answer is right when s c + ‖w‖σ g > 0, of probability Φ(s c / (σ‖w‖)).

    For Q = 2 h₁³ + h₂³ > −A is integrated over h₁.
    """
    w, sigma, strength = 1.7, 0.4, 0.9
    A = (strength * c[0]) ** 3
    found, error = quantities.test_accuracy(np.array([[w * w]]), np.array(c), (strength,), sigma, points(1, Q))
    if Q == 1:
        expected = stats.norm.cdf(strength * c[0] / (sigma * w))
        assert error[0] < tolerance("identity")  # every direction is ±1
    else:
        expected = two_scales(A, sigma * w, sigma * w)
    assert abs(found[0] - expected) <= WITHIN * error[0] + tolerance("quadrature")


def test_a_sum_of_independent_neurons_by_numerical_integration():
    """S diagonal, m = 2, Q = 1: the same integral with two scales."""
    scales, sigma = np.array([1.0, 0.4]), 0.5
    c, strength = np.array([0.6, -0.2]), 1.1
    A = strength**3 * np.sum(c**3)
    expected = two_scales(A, *(sigma * scales))
    found, error = quantities.test_accuracy(np.diag(scales**2), c, (strength,), sigma, points(2, 1))
    assert abs(found[0] - expected) < WITHIN * error[0] + tolerance("quadrature")
    assert error[0] < 1e-3


@given(st.integers(1, 5), st.integers(1, 3), st.floats(-2, 2), st.floats(0.01, 3))
def test_a_flipped_feature_turns_right_into_wrong(m, Q, c, strength):
    """Noise is symmetric: accuracy(c) + accuracy(−c) = 1; and one half is passed where Σc³ is 0."""
    values = np.full(m, c)
    u = points(m, Q, points=32)
    (plus,), _ = quantities.test_accuracy(gram(m), values, (strength,), 0.5, u)
    (minus,), _ = quantities.test_accuracy(gram(m), -values, (strength,), 0.5, u)
    assert_close(plus + minus, 1.0)
    # A weak feature moves it by less than rounding.
    assert plus >= 0.5 if c >= 0 else plus <= 0.5


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=5), st.booleans())
def test_accuracy_grows_with_the_strength(strengths, negative):
    """And falls where the feature points the wrong way."""
    strengths = tuple(sorted(strengths))
    c = np.array([0.5, 0.2]) * (-1 if negative else 1)
    found, _ = quantities.test_accuracy(gram(2), c, strengths, 0.5, points(2, 1, points=64))
    steps = np.diff(found) * (-1 if negative else 1)
    assert np.all(steps >= 0)
    assert np.all((found >= 0) & (found <= 1))


@pytest.mark.parametrize(
    ("c", "scale", "expected"),
    [
        ([0.0, 0.0], 1.0, 0.5),
        ([0.5, -0.5], 1.0, 0.5),  # A = 0: a coin flip
        ([0.0, 0.0], 0.0, 0.0),  # f = 0: never right
        ([0.3, 0.0], 0.0, 1.0),
        ([-0.3, 0.0], 0.0, 0.0),  # no noise: the feature's sign
        ([1e3, 0.0], 1.0, 1.0),
        ([-1e3, 0.0], 1.0, 0.0),
        ([1e-8, 0.0], 1.0, 0.5),
    ],
)
def test_edges(c, scale, expected):
    found, error = quantities.test_accuracy(scale * gram(2), np.array(c), (2.0, 0.1), 0.5, points(2, 2))
    assert_close(found, np.full(2, expected), scale=1.0)
    assert np.all(error <= tolerance("identity"))


def test_a_singular_gram_matrix():
    """Neurons that are one: the same as one neuron of twice the cube, so Φ(s c/(σ‖w‖)) again."""
    S = np.full((2, 2), 1.3**2)
    S[0, 1] += 1e-16  # eigenvalues may come out below 0
    found, error = quantities.test_accuracy(S, np.array([0.4, 0.4]), (1.0, 0.2), 0.5, points(2, 1, points=4096))
    expected = stats.norm.cdf(np.array([1.0, 0.2]) * 0.4 / (0.5 * 1.3))
    assert np.all(np.abs(found - expected) < WITHIN * error + tolerance("identity"))


def test_only_the_ratio_of_signal_and_noise_counts():
    """Doubling W, or σ and the strengths, changes nothing."""
    u, S, c = points(3, 2), gram(3), np.array([0.4, 0.1, -0.2])
    first = quantities.test_accuracy(S, c, (1.0, 0.3), 0.5, u)
    for other in (
        quantities.test_accuracy(4 * S, 2 * c, (1.0, 0.3), 0.5, u),
        quantities.test_accuracy(S, c, (2.0, 0.6), 1.0, u),
    ):
        assert_close(np.stack(other), np.stack(first))


def test_the_standard_error_is_honest_and_shrinks():
    """Over 40 sets of points the answers spread as the stated errors say; more points and replicates shrink them."""
    S, c = gram(3), np.array([0.5, 0.3, -0.1])
    of = {}
    for size in (64, 1024):
        pairs = [quantities.test_accuracy(S, c, (1.0,), 0.5, points(3, 1, seed, points=size)) for seed in range(40)]
        values, errors = (np.array(part)[:, 0] for part in zip(*pairs, strict=True))
        stated = math.sqrt(np.mean(errors**2))
        assert 0.6 < np.std(values, ddof=1) / stated < 1.6
        of[size] = stated
    assert of[1024] < of[64] / 4.2  # faster than the factor 4 of independent points
    more = [points(3, 1, seed, replicates=32, points=64) for seed in range(10)]
    errors = [quantities.test_accuracy(S, c, (1.0,), 0.5, u)[1] for u in more]
    assert math.sqrt(np.mean(np.square(errors))) < of[64] / 1.5


def test_test_accuracy_is_reproducible():
    same = [quantities.test_accuracy(gram(3), np.ones(3), (0.3,), 0.5, points(3, 1, 7)) for _ in range(2)]
    assert np.array_equal(*np.array(same))


@pytest.mark.parametrize(("m", "Q"), [(1, 1), (3, 1), (4, 3), (10, 1)])
def test_directions_are_uniform_unit_vectors(m, Q):
    u = points(m, Q)
    assert u.shape == (8, 256, Q, m)
    assert_close(np.sum(u**2, axis=(-2, -1)), np.ones((8, 256)))
    flat = u.reshape(-1, m * Q)
    assert np.abs(flat.mean(axis=0)).max() < 0.02
    assert np.abs(flat.T @ flat / len(flat) - np.eye(m * Q) / (m * Q)).max() < 0.02
    if m * Q > 1:
        assert not np.array_equal(u[0], u[1])  # each replicate is scrambled anew


def test_one_replicate_has_no_standard_error():
    with pytest.raises(ValueError, match="replicates"):
        points(2, 1, replicates=1)


def test_three_standard_errors_are_99_percent():
    """One-sided: what the verdicts leave on the unsafe side is said to be."""
    miss = stats.t.sf(ERRORS, quantities.REPLICATES - 1)
    assert round(100 * (1 - miss), 1) == 99.0


# --- more dimensions than Sobol' points have -----------------------------------------------------------------------


@pytest.fixture
def without_sobol(monkeypatch):
    monkeypatch.setattr(stats.qmc.Sobol, "MAXDIM", 0)


@pytest.mark.parametrize("c", [[1.0], [0.3], [-0.5]])
def test_independent_points_give_the_closed_form_too(without_sobol, c):
    test_one_neuron_in_closed_form(c, 1)
    test_one_neuron_in_closed_form(c, 2)


def test_the_standard_error_of_independent_points_is_honest(without_sobol):
    """Over 40 sets of points the answers spread as stated, around the answer of many Sobol' points."""
    S, c = gram(3), np.array([0.5, 0.3, -0.1])
    pairs = [quantities.test_accuracy(S, c, (1.0,), 0.5, points(3, 1, seed, points=64)) for seed in range(40)]
    values, errors = (np.array(part)[:, 0] for part in zip(*pairs, strict=True))
    stated = math.sqrt(np.mean(errors**2))
    assert 0.6 < np.std(values, ddof=1) / stated < 1.6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats.qmc.Sobol, "MAXDIM", 21201)
        (expected,), (error,) = quantities.test_accuracy(S, c, (1.0,), 0.5, points(3, 1, points=4096))
    assert error < stated / 10
    assert abs(np.mean(values) - expected) < WITHIN * math.hypot(stated / math.sqrt(40), error)


def test_more_dimensions_than_sobol_points_have():
    """One neuron, 21202 noise patches: their cubes sum to a normal variable of variance 15 Q σ⁶‖w‖⁶, up to O(1/Q)."""
    Q, sigma, w = stats.qmc.Sobol.MAXDIM + 1, 0.3, 1.3
    scale = math.sqrt(15 * Q) * (sigma * w) ** 3
    u = points(1, Q, points=64)
    assert u.shape == (8, 64, Q, 1)
    found = []
    for shift in (0.0, 0.7, -0.7):
        c = np.array([np.cbrt(shift * scale)])
        accuracy, error = quantities.test_accuracy(np.array([[w * w]]), c, (1.0,), sigma, u)
        assert abs(accuracy[0] - stats.norm.cdf(shift)) <= WITHIN * error[0]
        assert error[0] < 0.04
        found.append(accuracy[0])
    assert found[0] == 0.5  # exactly: noise is symmetric
    assert_close(found[1] + found[2], 1.0)


def test_a_run_takes_them_where_it_must(monkeypatch):
    p = Parameters(d=30, N=2, P=5, m=4, alpha=1.2, beta=0.5, mu=0.5, sigma=0.3, sigma_0=0.3)
    monkeypatch.setattr(stats.qmc.Sobol, "MAXDIM", 15)
    run = simulate(p, {"GD": GD(1e-6)}, iterations=1)
    assert run.test_accuracy.notnull().all()
    assert (run.test_accuracy_error > 0).all()
