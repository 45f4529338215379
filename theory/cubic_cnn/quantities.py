r"""What the theorem watches, from one `View`: group summaries, hitting conditions, exact-law accuracy.

Groups are the margins (Z₁ large, Z₂ small) where they are known, and all samples together otherwise; a group
without samples gives NaN. Sums over a group are divided by N, so that ν₁, ν₂ and the losses of the groups add
up to those of the whole training set.
"""

from __future__ import annotations

__all__ = ["POINTS", "REPLICATES", "cross_terms", "directions", "group_quantities", "observe", "test_accuracy"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.model import System, View, log1p_exp
from lemmascope.theory.errors import check_size

Array = Any

REPLICATES, POINTS = 8, 256
"""Of `directions`: independent randomizations, and points in each."""


def _masked(x: Array, mask: Array, fill: float) -> Array:
    xp = array_namespace(x)
    return xp.where(mask, x, xp.asarray(fill, dtype=x.dtype))


def _median(x: Array, mask: Array) -> Array:
    """Median over the last axis of the entries where mask (broadcast) is True; NaN where there is none."""
    xp = array_namespace(x)
    ordered = xp.sort(_masked(x, mask, math.inf), axis=-1)
    count = xp.sum(xp.astype(xp.broadcast_to(mask, x.shape), xp.int64), axis=-1, keepdims=True)
    low = xp.where(count > 0, (count - 1) // 2, xp.zeros_like(count))
    high = xp.where(count > 0, count // 2, xp.zeros_like(count))
    pair = xp.take_along_axis(ordered, low, axis=-1) + xp.take_along_axis(ordered, high, axis=-1)
    return _masked(0.5 * pair, count > 0, math.nan)[..., 0]


def _extreme(x: Array, mask: Array, sign: int) -> Array:
    """Maximum (sign 1) or minimum (−1) over the last axis where mask is True; NaN where there is none."""
    xp = array_namespace(x)
    reduce = xp.max if sign > 0 else xp.min
    best = reduce(_masked(x, mask, -sign * math.inf), axis=-1)
    return _masked(best, xp.any(xp.broadcast_to(mask, x.shape), axis=-1), math.nan)


def group_quantities(view: View, y: Array, mask: Array) -> dict[str, Array]:
    """Summaries of the samples where ``mask`` (S, N) is True, each (S, A).

    ``nu``: (1/N) Σ ℓ_i; ``loss``: (1/N) Σ log(1 + exp(−y_i f_i)); ``train_accuracy``: share with y_i f_i > 0;
    ``Xi_abs_max``, ``Xi_abs_median``, ``Xi_min``, ``Xi_max``: over neurons, noise patches and samples;
    ``memorization_min``, ``_median``, ``_max``: of y_i Σ_j Σ_r Ξ³; ``alignment_min``: min_i max_{r,j} y_i Ξ_ijr,
    positive when every sample of the group has a neuron that memorizes it.
    """
    xp = array_namespace(view.margins)
    S, A, m, N, Q = view.Xi.shape
    dtype = view.margins.dtype
    inside = mask[:, None, :]
    weight = xp.astype(inside, dtype)
    count = xp.sum(weight, axis=-1)
    right = xp.sum(weight * xp.astype(view.margins > 0, dtype), axis=-1)
    share = right / xp.where(count > 0, count, xp.ones_like(count))
    Xi = xp.reshape(view.Xi, (S, A, m * N * Q))
    patch_mask = xp.reshape(xp.broadcast_to(inside[:, :, None, :, None], (S, 1, m, N, Q)), (S, 1, m * N * Q))
    aligned = xp.max(view.Xi * y[:, None, None, :, None], axis=(2, 4))
    return {
        "nu": xp.sum(weight * view.ell, axis=-1) / N,
        "loss": xp.sum(weight * log1p_exp(-view.margins), axis=-1) / N,
        "train_accuracy": _masked(share, xp.broadcast_to(count > 0, share.shape), math.nan),
        "Xi_abs_max": _extreme(xp.abs(Xi), patch_mask, 1),
        "Xi_abs_median": _median(xp.abs(Xi), patch_mask),
        "Xi_min": _extreme(Xi, patch_mask, -1),
        "Xi_max": _extreme(Xi, patch_mask, 1),
        "memorization_min": _extreme(view.memorization, inside, -1),
        "memorization_median": _median(view.memorization, inside),
        "memorization_max": _extreme(view.memorization, inside, 1),
        "alignment_min": _extreme(aligned, inside, -1),
    }


def cross_terms(system: System, view: View, y: Array, sigma: float) -> dict[str, Array]:
    r"""How the noise gradient splits into its own patch and the others, each (S, A).

    With u_k = y ℓ Ξ_k² (per neuron) and cross_k = Σ_{k'≠k} K_kk' u_k':
    ``cross_to_diagonal`` = max_k |cross_k| / max_k K_kk |u_k|, the largest over the neurons;
    ``cross_ratio`` = max_{k,r} |cross_k| / (σ √K_kk Σ_{k'≠k} |u_k'|), which the off-diagonal bound of
    `theory.cubic_cnn.claims.cross_terms` limits.
    """
    xp = array_namespace(view.Xi)
    S, A, m, N, Q = view.Xi.shape
    signed = (y[:, None, :] * view.ell)[:, :, None, :, None]
    u = xp.reshape(signed * view.Xi * view.Xi, (S, A, m, N * Q))
    diagonal = system.gram_diagonal()[:, None, None, :]
    own = diagonal * u
    # Where one patch outweighs the rest, "all but itself" is a difference of nearly equal numbers: there the rest is
    # summed without it.
    sizes = xp.abs(u)
    first = xp.argmax(sizes, axis=-1, keepdims=True) == xp.arange(N * Q)
    rest = xp.where(first, xp.zeros_like(u), u)
    cross = xp.abs(xp.where(first, system.gram_product(rest), system.gram_product(u) - own))
    total, without = (xp.sum(x, axis=-1, keepdims=True) for x in (sizes, xp.abs(rest)))
    others = xp.where(first, without, total - sizes)
    limit = sigma * xp.sqrt(diagonal) * others
    tiny = xp.finfo(u.dtype).smallest_normal
    ratio = xp.where(limit > tiny, cross / xp.where(limit > tiny, limit, xp.ones_like(limit)), xp.zeros_like(limit))
    largest = xp.max(xp.abs(own), axis=-1)
    relative = xp.max(cross, axis=-1) / xp.where(largest > tiny, largest, xp.ones_like(largest))
    return {
        "cross_ratio": xp.max(ratio, axis=(-2, -1)),
        "cross_to_diagonal": xp.max(_masked(relative, largest > tiny, 0.0), axis=-1),
    }


def observe(view: View, y: Array, masks: list[Array]) -> dict[str, Array]:
    """All summaries of a view: (S, A, group) arrays of `group_quantities`, and ``c`` (S, A, m) if known."""
    xp = array_namespace(view.margins)
    parts = [group_quantities(view, y, mask) for mask in masks]
    found = {name: xp.stack([part[name] for part in parts], axis=-1) for name in parts[0]}
    return found if view.c is None else {"c": view.c, **found}


def directions(m: int, Q: int, rng: Any, replicates: int = REPLICATES, points: int = POINTS) -> Array:
    """Randomized quasi-Monte Carlo points on the sphere of R^{mQ}: (replicates, points, Q, m).

    Sobol' points, scrambled independently for each replicate, through the normal quantile and normalized; independent
    ones where there are no Sobol' points of so many dimensions (mQ > 21201). Either way the replicates are independent
    and each is unbiased, so that their spread gives the standard error.
    ``rng`` is a NumPy generator; ``points`` a power of two.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    check_size("replicates", replicates, 2)
    xp = array_namespace(rng.standard_normal(1))
    drawn = []
    for _ in range(replicates):
        if m * Q <= qmc.Sobol.MAXDIM:
            uniform = qmc.Sobol(m * Q, scramble=True, rng=rng).random(points)
            normal = ndtri(xp.clip(uniform, 2.0**-54, 1 - 2.0**-53))
        else:
            normal = rng.standard_normal((points, m * Q))
        drawn.append(normal / xp.sqrt((normal * normal).sum(axis=-1, keepdims=True)))
    return xp.reshape(xp.stack(drawn), (replicates, points, Q, m))


def test_accuracy(
    gram: Array, c: Array, strengths: tuple[float, ...], sigma: float, points: Array
) -> tuple[Array, Array]:
    r"""Probability of a correct answer on a fresh sample of each signal strength, without test data.

    A fresh sample of strength s has y f = A + y Σ_p Σ_r h_{p,r}³ with A = s³ Σ_r c_r³ and h_p ~ N(0, σ²S)
    independent over its Q noise patches, S = ``gram`` the Gram matrix of the weights without their w* part.
    Write h = σ ρ S^{1/2} u with u uniform on the sphere of R^{mQ} and ρ ~ χ_{mQ} independent of it (derived).
    The cubic sum is then σ³ρ³ q(u) with q odd, so u and −u pair up and the radius integrates exactly:

        P(y f > 0) = 1/2 + (sign A)/2 · E_u F((|A| / (σ³ |q(u)|))^{1/3}),   F the distribution function of χ_{mQ}.

    The expectation over u is by randomized quasi-Monte Carlo, and the standard error from its replicates, with R − 1
    degrees of freedom.

    Args:
        gram: (m, m) S.
        c: (m,) signal coefficients.
        strengths: signal sizes, (α, β) for large and small margin.
        sigma: noise level σ.
        points: (R, M, Q, m) from `directions`.

    Returns:
        (accuracy, standard error), each (len(strengths),).
    """
    from scipy.special import gammainc

    xp = array_namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    # Largest eigenvalues first: the leading Sobol' coordinates are the most uniform ones.
    root = (vectors * xp.sqrt(xp.clip(values, 0.0, None)))[:, ::-1]
    h = sigma * xp.matmul(points, root.T)
    q = xp.abs(xp.sum(h * h * h, axis=(-2, -1)))
    signal = float(xp.sum(c * c * c))
    half_degrees = 0.5 * points.shape[-1] * points.shape[-2]
    means, errors = [], []
    for strength in strengths:
        A = strength * strength * strength * signal  # not **, which raises where a product overflows
        if A == 0:
            # f is the odd noise part alone: a coin flip, or always 0 (never correct) without noise.
            per_replicate = xp.zeros(points.shape[0]) + (0.5 if float(xp.max(q)) > 0 else 0.0)
        else:
            radius_squared = (abs(A) / xp.where(q > 0, q, xp.ones_like(q))) ** (2.0 / 3.0)
            inside = xp.where(q > 0, gammainc(half_degrees, 0.5 * radius_squared), xp.ones_like(q))
            per_replicate = 0.5 + math.copysign(0.5, A) * xp.mean(inside, axis=-1)
        means.append(xp.mean(per_replicate))
        errors.append(xp.std(per_replicate, correction=1) / points.shape[0] ** 0.5)
    return xp.stack(means), xp.stack(errors)
