"""Gradient and closed system: proved, and refuted once changed with a witness that can be recomputed."""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.proofs_check.methods.equality import all_equal, numerator
from lemmascope.proofs_check.methods.sums import contracted, equal_sums, explicit, normal
from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.cubic_cnn import closed_system, gradient
from lemmascope.theory.cubic_cnn import weights
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov
from lemmascope.theory.verdict import Status

TINY = sp.Rational(1, 10**6)
SMALL = tuple(size for size in gradient.SIZES if max(size) <= 2)


@pytest.mark.parametrize("step", [*gradient.CHAPTER.steps, *closed_system.CHAPTER.steps], ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected
    if step.id == "gradient.sizes":
        assert found.reason == "all 324 entries over 81 sizes cancel to 0"


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (gradient.sizes, {"factor": -3}),
        (gradient.sizes, {"penalty": 0}),
        (gradient.sizes, {"penalty": 1 + TINY}),
        (gradient.indexed, {"factor": 3 - TINY}),
        (gradient.indexed, {"penalty": -1}),
        (closed_system.signal, {"factor": 3 + TINY}),
        (closed_system.signal, {"penalty": 0}),
        (closed_system.signal, {"tilt": TINY}),
        (closed_system.signal, {"power": 4}),
        (closed_system.noise, {"factor": 1}),
        (closed_system.noise, {"penalty": -1}),
        (closed_system.noise, {"tilt": sp.Symbol("t", real=True)}),
        (closed_system.orthogonal, {"leak": 1 - TINY}),
        (closed_system.commutes, {"power": 3}),
    ],
)
def test_a_changed_statement_is_refuted(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert all(math.isfinite(value) for value in found.witness["at"].values())


def test_all_sizes_up_to_three_are_gone_through():
    assert len(set(gradient.SIZES)) == 81
    assert (min(gradient.SIZES), max(gradient.SIZES)) == ((1, 1, 1, 1), (3, 3, 3, 3))
    assert gradient.sizes(over=SMALL).reason == "all 36 entries over 16 sizes cancel to 0"


def test_an_error_that_needs_two_of_something_is_found(monkeypatch):
    """A cross term between samples: one sample alone would not show it."""
    right = gradient.Problem.closed_form

    def crossed(self, factor=3, penalty=1):
        more = sp.Integer(0) if len(self.y) == 1 else self.y[0] * self.y[1]
        return right(self, factor, penalty) + more * sp.ones(*self.W.shape)

    monkeypatch.setattr(gradient.Problem, "closed_form", crossed)
    found = gradient.sizes()
    assert found.status is Status.REFUTED
    assert found.witness["size"]["N"] == 2


@pytest.mark.parametrize("change", [{"factor": 2}, {"penalty": 0}])
def test_the_witness_is_a_point_where_the_loss_has_that_slope(change):
    """Its left side is the gradient that the toolkit computes there, of either encoding."""
    for prove in (gradient.sizes, gradient.indexed):
        found = prove(**change).witness
        at = found["at"]
        W, X = np.array([[at["w00"]]]), np.array([[[at["x000"]]]])
        slope = weights.gradient(W, X, np.array([at["y0"]]), at["lambda"])
        assert_close(found["left"], slope[0, 0], note="witness")


def test_a_witness_of_tilted_noise():
    """One noise patch with a part along w* in d = 1: the left side is the toolkit's gradient, projected."""
    found = closed_system.signal(tilt=1).witness
    assert found["size"] == {"m": 1, "N": 1, "P": 2, "d": 1}
    at = found["at"]
    W, y = np.array([[at["w00"]]]), np.array([at["y0"]])
    X = np.array([[[y[0] * at["s0"]], [1.0]]])
    if found["equation"].startswith("signal"):
        slope = -weights.gradient(W, X, y, at.get("lambda", 0.0))[0, 0]
        assert_close(found["left"], slope, note="witness")
    assert abs(found["left"] - found["right"]) > 1e-6


def test_the_logistic_head():
    assert gradient.head_derivative().status is Status.PROVED


def test_labels_square_to_one_and_nothing_else_does():
    y, z, s = sp.Symbol("y0", real=True), sp.Symbol("y1", real=True), sp.Symbol("s0", positive=True)
    assert closed_system.labels(y**4 - 1) == 0
    assert closed_system.labels(y**3 * z**2 - y) == 0
    assert closed_system.labels(y - 1) != 0
    assert closed_system.labels(y * z - 1) != 0
    assert closed_system.labels(s**2 - 1) != 0


@given(
    st.integers(0, 2**32),
    st.sampled_from([GD(0.3), MomentumAverage(0.3, 0.7), MomentumVelocity(0.2, 0.6), Nesterov(0.1, 0.8)]),
)
def test_our_optimizers_commute_with_any_projection(seed, optimizer):
    rng = np.random.default_rng(seed)
    W, M = rng.standard_normal((3, 5)), rng.standard_normal((5, 4))
    C = W @ M
    u, v = optimizer.init(W), optimizer.init(C)
    scale = 1.0
    for t in range(5):
        G = rng.standard_normal((3, 5))
        W, u = optimizer.step(W, G, u, t)
        C, v = optimizer.step(C, G @ M, v, t)
        scale += np.abs(G).sum() * np.abs(M).sum()
        assert_close(W @ M, C, scale=scale)


def test_sums_of_any_length():
    """Deltas are contracted, constants pulled out, and sums that differ are told apart by numbers."""
    k, j, b, d = sp.symbols("k j b d", integer=True, nonnegative=True)
    x, c = sp.IndexedBase("x", real=True), sp.Symbol("c", real=True)
    assert contracted(sp.Sum(sp.KroneckerDelta(b, k) * x[k], (k, 0, d - 1)), {b: (0, d - 1)}) == x[b]
    left = sp.Sum(c * x[k] + x[k] ** 2, (k, 0, d - 1))
    right = c * sp.Sum(x[k], (k, 0, d - 1)) + sp.Sum(x[k] ** 2, (k, 0, d - 1))
    assert normal(left - right, (k,)) == 0
    assert equal_sums(left, right, (k,), {d: 2}, reason="so").status is Status.PROVED
    other = equal_sums(left, right + x[0], (k,), {d: 2}, reason="so")
    assert other.status is Status.REFUTED
    assert other.witness["size"] == {"d": 2}
    nested = sp.Sum(sp.Sum(x[k] * x[j], (k, 0, d - 1)), (j, 0, d - 1))
    swapped = sp.Sum(sp.Sum(x[k] * x[j], (j, 0, d - 1)), (k, 0, d - 1))
    assert normal(nested - swapped, (k, j)) == 0
    assert explicit(sp.Sum(x[k], (k, 0, d - 1)), {d: 3}) == sum(sp.symbols("x0 x1 x2", real=True))


K, J, B = sp.symbols("k j b", integer=True, nonnegative=True)
N = sp.Symbol("N", integer=True, positive=True)
G, H = sp.IndexedBase("g", real=True), sp.IndexedBase("h", real=True)
DELTA = sp.KroneckerDelta


@pytest.mark.parametrize(
    ("total", "false", "true"),
    [
        (
            sp.Sum(DELTA(K, B) * sp.Sum(G[K] * H[J], (J, 0, N - 1)), (K, 0, N - 1)),
            sp.Sum(G[J] * H[J], (J, 0, N - 1)),
            G[B] * sp.Sum(H[J], (J, 0, N - 1)),
        ),
        (sp.Sum(DELTA(K, J) * G[K], (K, 0, N - 1), (J, 0, N)), sp.Sum(G[J], (J, 0, N)), sp.Sum(G[J], (J, 0, N - 1))),
        (sp.Sum(DELTA(K, N - K) * G[K], (K, 0, N)), G[N - K], sp.Sum(DELTA(K, N - K) * G[K], (K, 0, N))),
        (sp.Sum(DELTA(K, 2 * B) * G[K], (K, 0, N - 1)), G[2 * B], sp.Sum(DELTA(K, 2 * B) * G[K], (K, 0, N - 1))),
        (sp.Sum(DELTA(K, B) * G[K], (K, 1, N - 1)), G[B], sp.Sum(DELTA(K, B) * G[K], (K, 1, N - 1))),
        (sp.Sum(DELTA(K, B) * G[K], (K, 0, 2 * N)), 2 * G[B], sp.Sum(DELTA(K, B) * G[K], (K, 0, 2 * N))),
    ],
    ids=str,
)
def test_a_delta_is_contracted_only_where_its_index_is_free_and_in_the_range(total, false, true):
    """Within 0 ≤ b ≤ N − 1; a sum that keeps its delta is right, and numbers tell what it is not."""
    found = contracted(total, {B: (0, N - 1)})
    at = {N: 2, B: 0, K: 1, J: 1}
    assert equal_sums(found, false, (K, J), at, reason="so").status is not Status.PROVED
    assert equal_sums(found, true, (K, J), at, reason="so").status is not Status.REFUTED
    assert_the_same(found, total)


def assert_the_same(left, right):
    for size in range(1, 4):
        for entry in range(size):
            at = {N: size, B: entry}
            assert sp.expand(explicit(left, at) - explicit(right, at)) == 0


def test_a_delta_beyond_the_range_of_its_sum_is_left():
    """Σ_k Σ_{j < k} δ_kj g_j is 0, and no Σ_k g_k."""
    total = sp.Sum(DELTA(K, J) * G[J], (J, 1, K - 1), (K, 1, N))
    assert_the_same(contracted(total, {B: (1, N)}), sp.Integer(0))
    with pytest.raises(ValueError, match="must not depend on the index"):
        equal_sums(contracted(total, {}), sp.Sum(G[K], (K, 1, N)), (K, J), {N: 2}, reason="so")


def test_the_range_of_an_inner_sum_follows_a_contracted_index():
    total = sp.Sum(DELTA(K, B) * G[J], (J, 0, K), (K, 0, N - 1))
    assert contracted(total, {B: (0, N - 1)}) == sp.Sum(G[J], (J, 0, B))


@pytest.mark.parametrize(
    ("expression", "within", "says"),
    [
        (sp.Sum(DELTA(K, J) * sp.Sum(G[K] * H[J], (J, 0, N - 1)), (K, 0, N - 1)), {J: (0, N - 1)}, "j is free and"),
        (sp.Sum(DELTA(K, J) * sp.Product(G[K] * H[J], (J, 0, N)), (K, 0, N)), {J: (0, N)}, "j is free and"),
        (sp.Sum(sp.Sum(DELTA(K, B) * G[K], (K, 0, J)), (J, 0, N)), {B: (0, J)}, "j is free and"),
        (sp.Sum(DELTA(K, N - K) * G[K], (K, 0, N)), {N - K: (0, N)}, "must be a symbol"),
        (sp.Sum(DELTA(K, sp.Symbol("r")) * G[K], (K, 0, N)), {sp.Symbol("r"): (0, N)}, "declared an integer"),
        (sp.Sum(DELTA(K, B) * G[K], (K, 0, N), (K, 0, N - 1)), {B: (0, N - 1)}, "two nested sums"),
    ],
    ids=str,
)
def test_an_index_that_would_be_captured_is_refused(expression, within, says):
    with pytest.raises(ValueError, match=says):
        contracted(expression, within)


def test_a_sum_of_a_sum_over_the_same_index_is_not_one_sum():
    """Σ_k Σ_k g_k is N Σ_k g_k."""
    twice = sp.Sum(G[K], (K, 0, N - 1), (K, 0, N - 1))
    with pytest.raises(ValueError, match="two nested sums"):
        equal_sums(twice, sp.Sum(G[K], (K, 0, N - 1)), (K,), {N: 2}, reason="so")


def test_sums_of_what_is_defined_nowhere_are_not_proved_equal():
    a, c = sp.symbols("a c", real=True)
    total = sp.Sum(G[K] / ((a + c) ** 2 - a**2 - 2 * a * c - c**2), (K, 0, N - 1))
    assert equal_sums(total, total, (K,), {N: 2}, reason="so").status is Status.INCONCLUSIVE


def test_equations_gone_through():
    x = sp.Symbol("x", real=True)
    assert all_equal([({}, x + x, 2 * x), ({}, x**2, x * x)], "all {count}").reason == "all 2"
    found = all_equal([({}, x, x), ({"which": 2}, x, 2 * x)], "all {count}")
    assert (found.status, found.witness["which"]) == (Status.REFUTED, 2)
    assert numerator(sp.exp(x) * sp.exp(-x) - 1) == 0
    assert numerator(1 / (1 + sp.exp(x)) - sp.exp(-x) / (1 + sp.exp(-x))) == 0
    assert numerator(sp.exp(x) - 1) != 0
