r"""One step of GD on two samples with one neuron: what a false statement about the noise coefficients breaks on.

Two patches a sample (signal and noise), in R³ with w* = (1, 0, 0). Every number is a float, so that a witness holds
exactly what was computed with; balls decide the signs.
"""

from __future__ import annotations

__all__ = ["Increments", "Pair", "increments", "negative"]

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

from lemmascope.proofs_check.outcome import Outcome, open_, refuted


class Pair(NamedTuple):
    """Weights (c, w_1, w_2); noise patches (0, 1, 0) and (0, p, q); labels 1 and y; strengths 1 and 1/4."""

    c: float
    w_1: float
    w_2: float
    p: float
    q: float
    y: int

    def witness(self) -> dict[str, Any]:
        """Patches X (N, P, d), labels and weights W (m, d), as `theory.cubic_cnn.weights` takes them."""
        X = [[[1, 0, 0], [0, 1, 0]], [[self.y / 4, 0, 0], [0, self.p, self.q]]]
        return {"X": X, "y": [1, self.y], "W": [[self.c, self.w_1, self.w_2]]}


def pairs() -> Iterator[Pair]:
    """Nearly opposite patches first (the second 2^−j longer than the first), then patches and weights on a grid."""
    for j, y in product(range(1, 41), (1, -1)):
        yield Pair(0.0, 2.0**-12, 0.0, -1 - 2.0**-j, 0.0, y)
    sizes = (-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3)
    for c, p, q, y in product((0.0, 2.0, 1.0), (*sizes, -1 / 8, -1 / 16, -3 / 4), sizes, (1, -1)):
        for w_1, w_2 in product((-3 / 64, -1 / 64, 1 / 64, 3 / 64), repeat=2):
            yield Pair(c, w_1, w_2, p, q, y)


class Increments(NamedTuple):
    """Balls, for both noise patches k: Ξ_k, ℓ_k, u_k = y_kℓ_kΞ_k², K_kk u_k, Σ_{k'≠k} K_kk' u_k'; and the labels."""

    Xi: list[Any]
    ell: list[Any]
    u: list[Any]
    own: list[Any]
    cross: list[Any]
    y: tuple[int, int]


def increments(pair: Pair) -> Increments:
    """What a step of GD adds to Ξ_k is (3η/N)(own_k + cross_k)."""
    import flint

    c, w_1, w_2, p, q = (flint.arb(x) for x in pair[:5])
    y = (1, pair.y)
    Xi = [w_1, p * w_1 + q * w_2]
    margins = [s**3 * c**3 + label * xi**3 for s, label, xi in zip((1.0, 0.25), y, Xi, strict=True)]
    ell = [1 / (1 + margin.exp()) for margin in margins]
    u = [label * weight * xi * xi for label, weight, xi in zip(y, ell, Xi, strict=True)]
    return Increments(Xi, ell, u, [u[0], (p * p + q * q) * u[1]], [p * u[1], p * u[0]], y)


def negative(what: str, quantity: Callable[[Increments, int], tuple[Any, bool]]) -> Outcome:
    """A pair on which a quantity that is said to be ≥ 0 is negative; open if the grid has none.

    Args:
        what: the statement, for the reason.
        quantity: of the increments and of patch k = 0, 1: its value, a ball, and whether the hypotheses hold.
    """
    for pair in pairs():
        found = increments(pair)
        for k in (0, 1):
            value, applies = quantity(found, k)
            if value < 0 and applies:
                return refuted(f"{what} fails for two patches", {**pair.witness(), "k": k, "value": float(value.mid())})
    return open_(f"{what}: no two patches of the grid break it")
