r"""Batch normalization by hand: of every channel over the batch and all pixels, and its gradient.

Rows z (M, C), M = n H W. m = mean z, v = mean (z − m)² (over M, not M − 1), r = 1/√(v + ε), u = (z − m) r, and
o = s u + b. With d = ∂L/∂o, all sums over the M rows of one channel (derived):

    ∂L/∂s = Σ d u,    ∂L/∂b = Σ d,    e := s d = ∂L/∂u;
    ∂L/∂v = Σ e (z − m) · (−½) r³ = −½ r² Σ e u,    ∂L/∂m = −r Σ e + ∂L/∂v · (−2/M) Σ (z − m) = −r Σ e, as the last
    sum is 0;
    ∂L/∂z = e r + ∂L/∂v · 2(z − m)/M + ∂L/∂m / M = r (e − mean e − u mean(e u)) = s r (d − mean d − u mean(d u)).

So each channel's gradient is free of the constant and, but for ε, of the direction u: a shift or a scale of z changes
nothing. For evaluation m and v are running averages, 0.9 of the old and 0.1 of the batch's, of which the first
batch's are the start.
"""

from __future__ import annotations

__all__ = ["EPSILON", "KEPT", "Moments", "back", "moments", "normalized", "running"]

from collections.abc import Mapping
from typing import Any

from array_api_compat import array_namespace

Array = Any
Moments = Mapping[str, Array]

EPSILON = 1e-5
"""ε, inside of the root."""

KEPT = 0.9
"""What a running average keeps of itself."""


def moments(z: Array) -> tuple[Array, Array]:
    """Mean and variance (C,) of the channels of z (…, C), over all else, the variance over their number."""
    xp = array_namespace(z)
    over = tuple(range(z.ndim - 1))
    mean = xp.mean(z, axis=over)
    return mean, xp.mean((z - mean) ** 2, axis=over)


def normalized(z: Array, mean: Array, variance: Array) -> Array:
    """u, in the shape of z."""
    xp = array_namespace(z)
    return (z - mean) / xp.sqrt(variance + EPSILON)


def back(d: Array, u: Array, scale: Array, variance: Array) -> tuple[Array, Array, Array]:
    """∂L/∂z, ∂L/∂s and ∂L/∂b from d = ∂L/∂o (…, C), u of the same shape, s and v (C,)."""
    xp = array_namespace(d)
    over = tuple(range(d.ndim - 1))
    inner = d - xp.mean(d, axis=over) - u * xp.mean(d * u, axis=over)
    return scale / xp.sqrt(variance + EPSILON) * inner, xp.sum(d * u, axis=over), xp.sum(d, axis=over)


def running(old: Moments | None, new: Moments) -> dict[str, Array]:
    """The running averages after one more batch; None before the first."""
    if old is None:
        return dict(new)
    return {name: KEPT * old[name] + (1 - KEPT) * value for name, value in new.items()}
