"""Full-batch training of one network as machine code, block of samples by block, each forward and backward at once.

Full-batch gradients are sums over samples, and a sample's own needs nothing of the others: so a block of samples goes
forward and backward while it is in the processor's cache, and its sums are added. Samples are the fast axis, see
`sims.teacher.tiles`; what fills up the last block has y = 0 and so no gradient, nor have hidden units that fill up a
tile, whose weights are 0.
"""

from __future__ import annotations

__all__ = ["BUILT_ON", "train"]

import math
from typing import Any, cast

import numpy as np

from lemmascope.sims.cubic_cnn.backends.loops import exp_minus
from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.teacher import tiles
from lemmascope.theory.teacher.networks import Network

BUILT_ON = "551ebf2e46c5"  # of tiles.py and `exp_minus`; see there
BLOCK = 80
"""Samples of a block, at most: what it is worked with stays in the second cache."""

VECTOR, ROWS, VECTORS, COLUMNS = tiles.VECTOR, tiles.ROWS, tiles.VECTORS, tiles.COLUMNS
_any: Any = tiles
hidden_tile, last_tile, backward_tile, pull_tile = _any.hidden_tile, _any.last_tile, _any.backward_tile, _any.pull_tile
sum_1, sum_2, sum_3, sum_4, sum_5, sum_6 = (_any.sum_tiles[columns] for columns in range(1, COLUMNS + 1))
AS_IT_COMES = {"contract", "reassoc", "nsz"}
"""Sums in any order, so that they are vectors; infinite and undefined numbers stay what they are."""

kept = njit(nogil=True, cache=True, error_model="numpy", fastmath=AS_IT_COMES)


@kept
def _hidden(w, bias, x, step, out, positions, v, f):
    """relu(w x + bias) at each position, whose inputs begin ``step`` rows after the last one's."""
    H, K = w.shape
    for p in range(positions):
        for n in range(0, f.size, VECTORS * VECTOR // x.itemsize):
            for r in range(0, H, ROWS):
                hidden_tile(w, r, 0, K, x, p * step, n, bias, out, p * H + r, v, f)


@kept
def _last(w, bias, x, step, out, positions, v, f):
    """The same, and f + Σ v of it."""
    H, K = w.shape
    for p in range(positions):
        for n in range(0, f.size, VECTORS * VECTOR // x.itemsize):
            for r in range(0, H, ROWS):
                last_tile(w, r, 0, K, x, p * step, n, bias, out, p * H + r, v, f)


@kept
def _returned(back, E, A, out, k, positions, v, f):
    """What reaches each position of the first layer where it is active, from the joined ones that it is part of.

    back (H, k H): at [r, (k − 1 − j) H + s] the weight from unit r, as the j-th of the neighbours, to s.
    """
    H = back.shape[0]
    for p in range(positions):
        low, high = max(p - k + 1, 0), min(p, positions - k) + 1
        first, count = (low - (p - k + 1)) * H, (high - low) * H
        for n in range(0, f.size, VECTORS * VECTOR // E.itemsize):
            for r in range(0, H, ROWS):
                backward_tile(back, r, first, count, E, low * H, n, A, out, p * H + r, v, f)


@kept
def _add_sums(D, x, step, positions, G):
    """G (H, K) + Σ D xᵀ over samples and positions."""
    H, K = G.shape
    n, whole, left = D.shape[1], K - K % COLUMNS, K % COLUMNS
    for i in range(0, whole, COLUMNS):
        for r in range(0, H, 2):
            sum_6(D, r, H, x, i, step, positions, n, G, r, i)
    for r in range(0, H, 2):
        if left == 1:
            sum_1(D, r, H, x, whole, step, positions, n, G, r, whole)
        elif left == 2:
            sum_2(D, r, H, x, whole, step, positions, n, G, r, whole)
        elif left == 3:
            sum_3(D, r, H, x, whole, step, positions, n, G, r, whole)
        elif left == 4:
            sum_4(D, r, H, x, whole, step, positions, n, G, r, whole)
        elif left == 5:
            sum_5(D, r, H, x, whole, step, positions, n, G, r, whole)


@kept
def _pulls(y, f, share, count, g, room, bits):
    """g = −y/(N(1 + e^{yf})), share = 1/N; how many of the first ``count`` samples are misclassified."""
    size, small, turns = room[0], room[1], room[2]
    for n in range(y.size):
        size[n] = abs(y[n] * f[n])
    exp_minus(size, small, bits[1], turns, bits[2])
    wrong = 0
    for n in range(y.size):
        margin, e = y[n] * f[n], small[n]
        weight = (e if margin > 0 else 1.0) / (1.0 + e)
        g[n] = -y[n] * share * weight if margin == margin else margin
        wrong += n < count and not margin > 0
    return wrong


@kept
def _pulled(g, v, A, E, sums, slopes):
    """(g vᵀ as rows) where A > 0; its sums by unit are added, and A gᵀ."""
    for r in range(0, A.shape[0], ROWS):
        pull_tile(g, v, A, r, g.size, E, sums, r % sums.size, slopes)


@kept
def _add_rows(D, sums):
    for i in range(0, D.shape[0], 4):
        a, b, c, d = D[i], D[i + 1], D[i + 2], D[i + 3]
        sum_a = sum_b = sum_c = sum_d = D.dtype.type(0)
        for n in range(a.size):
            sum_a += a[n]
            sum_b += b[n]
            sum_c += c[n]
            sum_d += d[n]
        unit = i % sums.size
        sums[unit] += sum_a
        sums[unit + 1] += sum_b
        sums[unit + 2] += sum_c
        sums[unit + 3] += sum_d


@kept
def _train(X, y, N, share, P, k, two, room, theta, gradient, flat, rates, trained, epochs, early, errors):
    """Parameters in place; the share of misclassified samples before the step ``early`` and after the last.

    theta and gradient are parts of the first two vectors in flat, whose third is the average; the first ``trained``
    numbers of them are trained.
    """
    W, U, v, b, e, c = theta
    gW, gU, gv, gb, ge, gc = gradient
    A, B, D, E, f, g, back, numbers, bits = room
    values, slopes, averages = flat
    eta, gamma, rest = rates
    H, q = W.shape
    left = P - k + 1 if two else P
    for t in range(epochs + 1):
        slopes[:] = 0
        if two:
            for r in range(H):
                for j in range(k):
                    for s in range(H):
                        back[s, (k - 1 - j) * H + r] = U[r, j * H + s]
        wrong = 0
        for block in range(X.shape[0]):
            x = X[block]
            f[:] = c[0]
            if two:
                _hidden(W, b, x, q, A, P, v, f)
                _last(U, e, A, H, B, left, v, f)
            else:
                _last(W, b, x, q, A, P, v, f)
            wrong += _pulls(y[block], f, share, N - block * f.size, g, numbers, bits)
            if t == epochs:
                continue
            for n in range(g.size):
                gc[0] += g[n]
            if two:
                _pulled(g, v, B, E, ge, gv)
                _add_sums(E, A, H, left, gU)
                _returned(back, E, A, D, k, P, v, f)
                _add_rows(D, gb)
                _add_sums(D, x, q, P, gW)
            else:
                _pulled(g, v, A, E, gb, gv)
                _add_sums(E, x, q, P, gW)
        if t == early:
            errors[0] = wrong / N
        if t == epochs:
            errors[1] = wrong / N
            break
        for i in range(trained):
            averages[i] = gamma * averages[i] + rest * slopes[i]
            values[i] -= eta * averages[i]


def _up(count: int, to: int) -> int:
    return -(-count // to) * to


def _blocks(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(blocks, inputs, samples of a block) and (blocks, samples): the size that leaves least to fill up with zeros."""
    (N, d), least = X.shape, tiles.together(X.itemsize)
    sizes = [size for size in range(least, BLOCK + 1, least) if size >= min(N, BLOCK // 2)]
    size = min(sizes, key=lambda size: (_up(N, size), -size))
    count = -(-N // size)
    filled, labels = np.zeros((count * size, d), X.dtype), np.zeros(count * size, X.dtype)
    filled[:N], labels[:N] = X, y
    return np.ascontiguousarray(filled.reshape(count, size, d).transpose(0, 2, 1)), labels.reshape(count, size)


def _parts(network: Network, q: int, dtype: Any, vectors: int) -> tuple[np.ndarray, list[tuple[np.ndarray, ...]]]:
    """So many vectors of zeros, and in each the parameters W, U, v, b, e, c as the loop has them.

    Weights are units × inputs, and there are H hidden units, a multiple of a tile's.
    """
    H, k, left = _up(network.width, ROWS), network.neighbours, network.out // network.width
    shapes = (H, q), (H, k * H * (network.layers == 2)), (left * H,), (H,), (H,), (1,)
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    flat = np.zeros((vectors, ends[-1]), dtype)
    split = [np.split(one, ends[:-1]) for one in flat]
    return flat, [tuple(x.reshape(s) for x, s in zip(one, shapes, strict=True)) for one in split]


def _own(network: Network, parts: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Within such parts the parameters of the network, U as (k, h, h) and v as (P', h)."""
    W, U, v, b, e, c = parts
    h, H = network.width, b.size
    found = {"W": W[:h].T, "b": b[:h], "v": v.reshape(-1, H)[:, :h], "c": c}
    if network.layers == 2:
        found |= {"U": U.reshape(H, -1, H)[:h, :, :h].transpose(1, 2, 0), "e": e[:h]}
    return found


def train(
    network: Network,
    theta: dict[str, np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    *,
    eta: float,
    gamma: float,
    epochs: int,
    early: int = 0,
    bias: bool = True,
) -> tuple[dict[str, np.ndarray], tuple[float, float]]:
    """Gradient descent with momentum in the average form, over all samples.

    Where a sample's positions are fewer in all than the inputs of one, the first layer is trained in coordinates of
    their span, which its weights do not leave: the same steps on a smaller matrix.

    Args:
        network, theta: the student and its initial parameters, which stay as they are.
        X, y: (N, P q) and (N,), of the number type in which to compute.
        eta, gamma: learning rate and momentum; 0 is GD.
        epochs: steps; early: the one before which the training error is noted too.
        bias: whether biases are trained; else they stay.

    Returns:
        The parameters, and the training errors before step ``early`` and after the last (1 where it diverged).
    """
    dtype: Any = X.dtype
    P, q, N = network.positions, network.inputs, len(X)
    rows, start = X.reshape(N * P, q), {name: np.asarray(x, dtype) for name, x in theta.items()}
    span = None
    if q > N * P:
        span, triangle = np.linalg.qr(rows.T)
        rows, start["W"] = triangle.T, span.T @ start["W"]
    flat, parts = _parts(network, rows.shape[1], dtype, 3)
    own = _own(network, parts[0])
    for name, x in own.items():
        x[:] = start[name].reshape(x.shape)
    blocks, labels = _blocks(rows.reshape(N, -1), y)
    two, k, H, size = network.layers == 2, network.neighbours, parts[0][3].size, labels.shape[1]
    left = P - k + 1 if two else P
    lengths = P * H, left * H * two, P * H * two, left * H
    numbers = np.empty((3, size))
    room = *(np.empty((length, size), dtype) for length in lengths), *np.empty((2, size), dtype)
    room = *room, np.empty((H, k * H * two), dtype), numbers, numbers.view(np.int64)
    number, errors = dtype.type, np.zeros(2)
    rates = number(eta), number(gamma), number(1 - gamma)
    trained = flat.shape[1] - (0 if bias else 2 * H + 1)
    cast(Any, _train)(
        *(blocks, labels, N, number(1 / N), P, k, two, room, *parts[:2]),
        *(tuple(flat), rates, trained, epochs, early, errors),
    )
    found = {name: np.ascontiguousarray(own[name]).reshape(x.shape) for name, x in start.items()}
    if span is not None:
        found["W"] = np.asarray(theta["W"], dtype) + span @ (found["W"] - start["W"])
    return found, (float(errors[0]), float(errors[1]))
