"""The closed form of the gradient, against three other sources: complex step, finite differences, SymPy."""

import itertools

import numpy as np
import pytest
import sympy as sp
from checks import check_gradient, complex_loss
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances, patches
from tolerances import assert_close

from lemmascope.theory.cubic_cnn import weights

LAMS = st.just(0.0) | st.floats(1e-4, 1.0)


@given(instances())
def test_complex_step_on_the_law(drawn):
    check_gradient(drawn.sample.X, drawn.sample.y, drawn.W, drawn.parameters.lam)


@given(patches(), LAMS)
def test_complex_step_on_any_patches(drawn, lam):
    check_gradient(drawn.X, drawn.y, drawn.W, lam)


def some(m, N, P, d, size=1.0, seed=1):
    rng = np.random.default_rng(seed)
    return size * rng.standard_normal((m, d)), rng.standard_normal((N, P, d)), rng.choice([-1.0, 1.0], N)


@pytest.mark.parametrize("lam", [0.0, 0.3])
@pytest.mark.parametrize(("m", "N", "P", "d"), [(1, 1, 1, 1), (3, 5, 4, 6), (2, 8, 2, 10)])
def test_central_finite_differences(m, N, P, d, lam):
    """On `weights.loss` itself, so that loss and gradient belong together."""
    W, X, y = some(m, N, P, d, 0.5)
    h = 2.0**-18
    expected = np.zeros_like(W)
    for place in np.ndindex(W.shape):
        step = np.zeros_like(W)
        step[place] = h
        expected[place] = (weights.loss(W + step, X, y, lam) - weights.loss(W - step, X, y, lam)) / (2 * h)
    assert_close(weights.gradient(W, X, y, lam), expected, "finite difference")


@pytest.mark.parametrize(("m", "N", "P", "d"), [(1, 1, 1, 1), (2, 2, 1, 2), (2, 2, 3, 2)])
def test_sympy(m, N, P, d):
    """The derivative that SymPy takes of the loss as section 2 writes it, as a function of numbers."""
    W, lam = sp.Matrix(m, d, lambda r, k: sp.Symbol(f"w{r}_{k}")), sp.Symbol("lam")
    X = [sp.Matrix(P, d, lambda j, k, i=i: sp.Symbol(f"x{i}_{j}_{k}")) for i in range(N)]
    y = sp.symbols(f"y:{N}")
    loss = lam / 2 * sum(w**2 for w in W)
    for i in range(N):
        f = sum((W[r, :].dot(X[i][j, :])) ** 3 for r in range(m) for j in range(P))
        loss += sp.log(1 + sp.exp(-y[i] * f)) / N
    symbols = [*W, *itertools.chain(*X), *y, lam]
    of_numbers = sp.lambdify(symbols, [sp.diff(loss, w) for w in W], "math")
    for seed in range(5):
        values = some(m, N, P, d, 0.7, seed)
        expected = np.reshape(of_numbers(*(float(v) for v in np.concatenate([v.ravel() for v in values])), 0.2), (m, d))
        assert_close(weights.gradient(*values, 0.2), expected)


@pytest.mark.parametrize("lam", [0.0, 0.1])
def test_batch_axes(lam):
    """Leading axes of W, X and y are looped over, and broadcast."""
    rng = np.random.default_rng(4)
    W, X = rng.standard_normal((2, 3, 4, 6)), rng.standard_normal((2, 1, 5, 3, 6))
    y = rng.choice([-1.0, 1.0], (2, 1, 5))
    found, losses, outputs = weights.gradient(W, X, y, lam), weights.loss(W, X, y, lam), weights.outputs(W, X)
    assert (found.shape, losses.shape, outputs.shape) == ((2, 3, 4, 6), (2, 3), (2, 3, 5))
    for s, a in np.ndindex(2, 3):
        one = W[s, a], X[s, 0], y[s, 0], lam
        assert_close(found[s, a], weights.gradient(*one))
        assert_close(losses[s, a], weights.loss(*one))
        assert_close(losses[s, a], complex_loss(*one).real)
        plain = [sum(float(w @ patch) ** 3 for w in W[s, a] for patch in sample) for sample in X[s, 0]]
        assert_close(outputs[s, a], plain, scale=np.sum(np.abs(weights.responses(W[s, a], X[s, 0])) ** 3))


def test_responses_are_inner_products():
    W, X, _ = some(3, 4, 2, 5)
    found = weights.responses(W, X)
    assert found.shape == (3, 4, 2)
    for r, i, j in np.ndindex(3, 4, 2):
        assert_close(found[r, i, j], W[r] @ X[i, j], scale=np.abs(W[r]) @ np.abs(X[i, j]))


@pytest.mark.parametrize("size", [1e-100, 1e-3, 10.0, 1e4])
def test_no_warning_and_nothing_undefined_at_any_size(size):
    """Fitted samples have ℓ = 0 and misfits ℓ = 1, however large their margins."""
    W, X, y = some(3, 6, 2, 4, size)
    found = weights.gradient(W, X, y, 0.1)
    assert np.isfinite(found).all()
    assert np.isfinite(weights.loss(W, X, y, 0.1))
