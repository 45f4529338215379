r"""Minibatch SGD with momentum on the central network, exactly, without a d-dimensional vector.

On a minibatch S of B samples (theory.cubic_cnn.coefficients, with the mean over S in place of that over all; derived)

    −∂_b L_S = 3 c_r² (1/B) Σ_{i∈S} ℓ_i (y_i c_i)³,
    −∂_B L_S = (3/B) y_i ℓ_i Ξ_{r,k}² on the patches k of S, and 0 on all others,

so (B, b) under the optimizer is W under it: the optimizer is linear in its gradients, and its average is an average of
coefficients. A step asks for Ξ = Ξ₀ + BK on the patches of S alone: m n |S| products, where all of Ξ takes m n².

The optimizer is the average form, g ← γg + (1 − γ)∇L_S, W ← W − ηg. An epoch takes the samples in a new order, batch
after batch; within a batch they are in their own order, so that B = N is GD bit for bit, whatever the order was.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "Outcome", "blocks", "run"]

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.law import Projection
from lemmascope.theory.cubic_cnn.model import logistic_weight
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.quantities import directions, test_accuracy
from lemmascope.theory.errors import InputError, check_number, check_size

Array = Any
BLOCK = 2**18
"""Numbers of samples that are drawn at a time, about."""

BACKENDS = ("auto", "compiled", "numpy", "cupy")


@dataclass(frozen=True)
class Outcome:
    """Where each optimizer ends, in the order of ``gammas``; every array is (optimizers,).

    Attributes:
        small, large: test accuracy on fresh small- and large-margin samples, by the exact law; NaN where it diverged.
        small_error, large_error: their standard errors (randomized quasi-Monte Carlo).
        train_error: share of the training samples with y f ≤ 0; 1 where it diverged.
        c_max: max_r c_r.
        Xi_max: max |Ξ|, the largest memorization coefficient.
    """

    small: np.ndarray
    large: np.ndarray
    small_error: np.ndarray
    large_error: np.ndarray
    train_error: np.ndarray
    c_max: np.ndarray
    Xi_max: np.ndarray


def blocks(rng: np.random.Generator, N: int, B: int, steps: int) -> Iterator[np.ndarray]:
    """The minibatches of ``steps`` steps, whole epochs at a time: (steps of the block, B) samples, increasing in a row.

    Args:
        rng: draws a permutation an epoch; nothing where B = N.
        N, B: samples, and those of a batch; B divides N.
        steps: in all; the last epoch may be cut short.
    """
    each = N // B
    epochs, per_block = -(-steps // each), max(1, BLOCK // N)
    for first in range(0, epochs, per_block):
        count = min(per_block, epochs - first)
        order = np.tile(np.arange(N), (count, 1))
        if each > 1:
            order = np.sort(rng.permuted(order, axis=1).reshape(-1, B), axis=1)
        yield order[: steps - first * each]


class Arrays:
    """The reference, on arrays of any library of the standard: all of Ξ, the gradient 0 outside of the batch.

    Args:
        drawn: the data, as (c, Ξ) see them.
        eta: learning rate; gammas: (A,) momenta.
        xp, dtype: array library, and name of the number type.
    """

    def __init__(self, drawn: Projection, eta: float, gammas: Sequence[float], xp: Any, dtype: str) -> None:
        number = getattr(xp, dtype)

        def put(x: Array) -> Array:
            return xp.asarray(np.ascontiguousarray(x, dtype=dtype))

        self.xp, self.eta, self.number = xp, eta, number
        self.K, self.Xi_0, self.c_0 = put(drawn.K), put(drawn.Xi_0), put(drawn.c_0)
        self.y, self.cubed = put(drawn.y), put(np.asarray(drawn.strength) ** 3)
        self.gamma = put(gammas)[:, None]
        A, (m, n) = len(gammas), drawn.Xi_0.shape
        self.B, self.b = xp.zeros((A, m, n), dtype=number), xp.zeros((A, m), dtype=number)
        self.average_B, self.average_b = xp.zeros_like(self.B), xp.zeros_like(self.b)

    def advance(self, batches: np.ndarray) -> None:
        """One step a row of ``batches`` (steps, B)."""
        xp, (A, m, n), N = self.xp, self.B.shape, self.y.shape[0]
        inside = np.zeros((batches.shape[0], N))
        np.put_along_axis(inside, batches, -3.0 / batches.shape[1], axis=1)
        shares = xp.asarray(inside, dtype=self.number)
        gamma = self.gamma
        for t in range(batches.shape[0]):
            Xi = self.Xi_0 + xp.reshape(xp.reshape(self.B, (A * m, n)) @ self.K, (A, m, n))
            c = self.c_0 + self.b
            squares, c_squares = Xi * Xi, c * c
            memorized = xp.sum(xp.reshape(xp.sum(squares * Xi, axis=1), (A, N, n // N)), axis=-1)
            margins = self.y * memorized + self.cubed * xp.sum(c_squares * c, axis=-1)[:, None]
            pull = shares[t, :] * logistic_weight(margins)
            signal = xp.sum(pull * self.cubed, axis=-1)[:, None]
            patches = xp.reshape(xp.tile((pull * self.y)[..., None], (1, 1, n // N)), (A, 1, n))
            self.average_b = gamma * self.average_b + (1 - gamma) * (c_squares * signal)
            self.average_B = gamma[..., None] * self.average_B + (1 - gamma[..., None]) * (squares * patches)
            self.b = self.b - self.eta * self.average_b
            self.B = self.B - self.eta * self.average_B

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """B (A, m, n) and b (A, m), on the host."""
        B, b = (x.get() if hasattr(x, "get") else np.asarray(x) for x in (self.B, self.b))
        return B, b


def _ended(parameters: Parameters, drawn: Projection, B: np.ndarray, b: np.ndarray, points: np.ndarray) -> Outcome:
    """What the coordinates (B, b) of W say, in double precision."""
    p, A = parameters, B.shape[0]
    one = {name: np.asarray(getattr(drawn, name))[None] for name in ("y", "strength", "K", "Xi_0", "c_0", "S_0")}
    overlap = np.asarray(drawn.overlap)[None]
    system = CoefficientSystem(**one, overlap=overlap, lam=0.0, has_feature=True, of_the_law=True)
    theta = np.concatenate([B, b[..., None], np.ones((A, p.m, 1))], axis=-1)[None].astype(np.float64)
    view, _ = system.evaluate(theta)
    gram, c = system.perpendicular_gram(theta, view)[0], view.c[0]  # type: ignore[index]
    accuracy, error = np.full((2, A, 2), np.nan)
    finite = np.isfinite(gram).all(axis=(1, 2)) & np.isfinite(c).all(axis=1)
    for a in np.flatnonzero(finite):
        accuracy[a], error[a] = test_accuracy(gram[a], c[a], (p.alpha, p.beta), p.sigma, points)
    return Outcome(
        small=accuracy[:, 1],
        large=accuracy[:, 0],
        small_error=error[:, 1],
        large_error=error[:, 0],
        train_error=1 - np.mean(view.margins[0] > 0, axis=-1),
        c_max=c.max(axis=-1),
        Xi_max=np.abs(view.Xi[0]).max(axis=(1, 2, 3)),
    )


def run(
    parameters: Parameters,
    rng: Callable[[str], np.random.Generator],
    *,
    B: int,
    gammas: Sequence[float],
    eta: float,
    steps: int,
    law: str = "samples",
    backend: str = "auto",
    xp: Any = None,
    dtype: str = "float64",
) -> Outcome:
    """Minibatch SGD with each momentum, from the same data and weights, on the same batches.

    Args:
        parameters: of the law and the network, with λ = 0.
        rng: from a name to its generator; data, weights and the order of the samples are drawn from it.
        B: batch size, a divisor of N; N is GD.
        gammas: momenta, 0 for SGD.
        eta: learning rate of all of them, in the average form.
        steps: iterations, at every batch size.
        law: "samples" or "exact", as for `sims.cubic_cnn.problems.LawProblem`.
        backend: one of `BACKENDS`; "auto" is machine code.
        xp: the array library of the backend "numpy"; default NumPy.
        dtype: "float64" or "float32", of the iterations.

    Raises:
        InputError: B does not divide N, λ > 0, a number outside of its range, or a backend that is not there.
    """
    p = parameters
    N = p.N
    if check_size("B", B) > N or N % B:
        raise InputError("B", B, f"it must divide the {N} samples: an epoch is whole batches")
    if p.lam:
        raise InputError("lam", p.lam, "it must be 0 here")
    if not gammas:
        raise InputError("gammas", gammas, "give one momentum or more")
    for gamma in gammas:
        check_number("gammas", gamma, 0, 1, open_high=True)
    check_number("eta", eta, 0, open_low=True)
    check_size("steps", steps)
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    if dtype not in ("float64", "float32"):
        raise InputError("dtype", dtype, "it must be 'float64' or 'float32'")
    drawn = LawProblem(p, law).draw(rng).projection()
    kind: Callable[..., Any] = Arrays
    if backend in ("auto", "compiled") and xp is None:
        from lemmascope.sims.cubic_cnn.backends.minibatch_loop import Compiled

        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    engine = kind(drawn, eta, tuple(gammas), np if xp is None else xp, dtype)
    with np.errstate(all="ignore"):
        for batches in blocks(rng("batch order"), N, B, steps):
            stopping.check()
            engine.advance(batches)
        B_end, b_end = engine.coordinates()
        return _ended(p, drawn, B_end, b_end, directions(p.m, p.P - 1, rng("test directions")))
