"""The steps about images: proved, refuted once changed, and of the formulas that the networks are computed by."""

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.images import convolution, training
from lemmascope.theory.images import networks, normalization
from lemmascope.theory.verdict import Status


@pytest.mark.parametrize("step", [*convolution.CHAPTER.steps, *training.CHAPTER.steps], ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize(
    ("prove", "change"),
    [
        (convolution.prove_image, {"reversed": False, "exchanged": False}),
        (convolution.prove_pooling, {"parts": 1}),
        (convolution.prove_residual, {"branch": 2}),
        (convolution.prove_residual, {"branch": -1}),
        (training.prove_softmax, {"hot": -1}),
        (training.prove_softmax, {"hot": 2, "shared": False}),
        (training.prove_normalization, {"mean": -1}),
        (training.prove_normalization, {"variance": 2}),
        (training.prove_normalization, {"mean": 0, "variance": 0}),
    ],
)
def test_another_change_is_refuted_too(prove, change):
    found = prove(**change)
    assert found.status is Status.REFUTED
    assert found.witness["left"] != found.witness["right"]


def test_the_witness_of_half_is_off_by_two():
    found = convolution.prove_pooling(parts=2).witness
    assert_close(found["right"], 2 * found["left"])


def test_a_kernel_that_is_its_own_reverse_proves_nothing():
    """With the middle of the kernel alone there is nothing to reverse, so all nine shifts must be there."""
    K = np.full((3, 3, 1, 1), sp.Integer(0), object)
    K[1, 1] = sp.Symbol("k")
    assert (convolution.turned(K) == convolution.turned(K, reversed=False)).all()


@pytest.mark.parametrize(("H", "W", "C", "out"), [(2, 3, 2, 2), (3, 2, 1, 3)])
def test_cols_and_the_turned_kernel_are_those_that_the_networks_use(H, W, C, out):
    """The theory's own functions, on symbols."""
    a, K = convolution.symbols("a", 1, H, W, C), convolution.symbols("k", 3, 3, C, out)
    rows = networks.columns(a).reshape(H * W, 9 * C)
    assert (rows == convolution.columns(a[0])).all()
    flat = K.reshape(9 * C, out)
    assert (networks._reversed(flat, C, out) == convolution.turned(K)).all()
    assert (networks._reversed(flat, C, out, False) == convolution.turned(K, reversed=False)).all()
    product = rows.dot(flat).reshape(H, W, out)
    assert all(sp.expand(x - y) == 0 for x, y in zip(product.flat, convolution.convolved(a[0], K).flat, strict=True))


def test_means_and_their_way_back_are_those_of_the_networks():
    x, d = convolution.symbols("x", 1, 4, 2, 2), convolution.symbols("d", 1, 2, 1, 2)
    left, right = (sp.Add(*(a * b).flat) for a, b in ((networks._pooled(x), d), (x, networks._spread(d))))
    assert sp.expand(left - right) == 0


def test_the_normalization_that_is_proved_is_the_one_in_use():
    """SymPy's derivative at a point, of the definition with ε = 10⁻⁵."""
    z, d, scale = np.array([0.3, -1.2, 0.5, 2.0]), np.array([1.0, -0.4, 0.2, 0.7]), 1.7
    names = sp.symbols("z:4", real=True)
    middle = sp.Add(*names) / 4
    root = sp.sqrt(sp.Add(*((one - middle) ** 2 for one in names)) / 4 + sp.Rational(1, 10**5))
    total = sp.Add(*(by * scale * (one - middle) / root for by, one in zip(d, names, strict=True)))
    at = dict(zip(names, map(sp.Float, z), strict=True))
    exact = [float(sp.diff(total, one).subs(at)) for one in names]
    mean, variance = normalization.moments(z[:, None])
    u = normalization.normalized(z[:, None], mean, variance)
    assert_close(normalization.back(d[:, None], u, np.array([scale]), variance)[0][:, 0], np.array(exact))
