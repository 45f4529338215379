"""The Hessian of the cubic CNN and its samples' gradients, against differences of the gradient."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.cubic_cnn.curvature import hessian, sample_gradients
from lemmascope.theory.cubic_cnn.weights import gradient


@pytest.fixture
def network():
    rng = np.random.default_rng(2)
    return rng.standard_normal((3, 4)), rng.standard_normal((6, 2, 4)), rng.choice([-1.0, 1.0], 6)


@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_the_hessian_is_the_gradients_derivative(network, lam):
    W, X, y = network
    found, step = hessian(W, X, y, lam), 1e-5
    for k in range(W.size):
        shift = np.zeros(W.size)
        shift[k] = step
        ahead, behind = (gradient(W + sign * shift.reshape(W.shape), X, y, lam) for sign in (1, -1))
        assert_close(found[k], ((ahead - behind) / (2 * step)).ravel(), "finite difference")
    assert_close(found, found.T)


def test_the_samples_gradients_have_the_gradient_as_their_mean(network):
    W, X, y = network
    rows = sample_gradients(W, X, y, 0.3)
    assert rows.shape == (6, 12)
    assert_close(rows.mean(axis=0), gradient(W, X, y, 0.3).ravel())
    assert_close(rows[2], gradient(W, X[2:3], y[2:3], 0.3).ravel())


def test_both_run_on_any_library_of_the_standard(network):
    W, X, y = network
    strict = [array_api_strict.asarray(x) for x in network]
    assert_close(np.asarray(hessian(*strict, 0.1)), hessian(W, X, y, 0.1))
    assert_close(np.asarray(sample_gradients(*strict, 0.1)), sample_gradients(W, X, y, 0.1))
