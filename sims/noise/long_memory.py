"""Series with and without a memory: momentum of white noise, escape under fractional noise, means of batches.

`passages` and `momentum` are recursions of all paths at once, on arrays of any library or as machine code, the same
to rounding; fractional noise is exact (`theory.noise.memory`), the same normal numbers for every Hurst exponent.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "batch_moments", "momentum", "momentum_variance", "passages", "passages_of"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise.memory import fractional_of, sum_variance

Array = Any

BACKENDS = ("auto", "compiled", "numpy", "cupy")

CHUNK, LEAST_DRAWS = 2**20, 2**16
"""Samples that are drawn at a time, and in all at least."""

LONG = 2.0
"""k(1 − γ) from which sums of momentum are measured beside those of what it averages."""


def _library(backend: str, xp: Any) -> tuple[bool, Any]:
    """Whether machine code is asked for, and else the array library."""
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    if backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        return False, cupy_or_refused()
    return backend in ("auto", "compiled") and xp is None, np if xp is None else xp


def _host(x: Array) -> np.ndarray:
    return np.asarray(x.get() if hasattr(x, "get") else x)


# --- escape ---------------------------------------------------------------------------------------------------------


def passages_of(noise: Array, scales: Sequence[float], a: float, L: float, xp: Any) -> Array:
    """First t with |x_t| ≥ L of x_t = (1 − a)x_{t−1} + s noise_t from 0, (scales, paths); 0 where there is none.

    The reference, step by step on arrays (paths, n) of a library.
    """
    s = xp.asarray(list(scales), dtype=xp.float64)[:, None]
    x = xp.zeros((len(scales), noise.shape[0]), dtype=xp.float64)
    found = xp.zeros_like(x)
    for t in range(noise.shape[1]):
        x = (1 - a) * x + s * noise[None, :, t]
        first = (xp.abs(x) >= L) & (found == 0)
        found = xp.where(first, xp.full_like(found, t + 1.0), found)
    return found


def passages(
    rngs: Sequence[np.random.Generator],
    n: int,
    H: Sequence[float],
    scales: Sequence[Sequence[float]],
    *,
    a: float,
    L: float,
    backend: str = "auto",
    xp: Any = None,
) -> np.ndarray:
    """First passage times through ±L, (len(H), scales, paths) in steps; 0 for a path that is not out after n.

    Args:
        rngs: one a path; n: its steps.
        H: Hurst exponents; scales: of the noise, as many for each.
        a: pull, in (0, 2); L: the level, > 0.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: a number outside of its range, or a backend that is not there.
    """
    if check_number("a", a, 0, open_low=True) >= 2:
        raise InputError("a", a, "steps diverge beyond ηh = 2; stay below")
    check_number("L", L, 0, open_low=True)
    check_size("n", n)
    compiled, library = _library(backend, xp)
    normals = np.stack([rng.standard_normal(2 * n) for rng in rngs])
    given = normals if compiled else library.asarray(normals)
    found = np.empty((len(H), len(scales[0]), len(rngs)))
    for j, (one, s) in enumerate(zip(H, scales, strict=True)):
        stopping.check()
        noise = fractional_of(one, given)
        if compiled:
            from lemmascope.sims.noise.long_memory_loops import first_passages

            first_passages(noise, np.array(s, dtype=np.float64), a, L, found[j])
        else:
            found[j] = _host(passages_of(noise, s, a, L, library))
    return found


# --- momentum -------------------------------------------------------------------------------------------------------


def momentum(xi: Array, start: Array, gamma: float, *, backend: str = "auto", xp: Any = None) -> Array:
    """v_t = γv_{t−1} + (1 − γ)ξ_t, (series, n) from ξ (series, n) and v_0 (series,).

    Raises:
        InputError: γ outside of [0, 1), or a backend that is not there.
    """
    check_number("gamma", gamma, 0, 1, open_high=True)
    compiled, library = _library(backend, xp)
    if compiled:
        from lemmascope.sims.noise.long_memory_loops import averages

        found = np.empty_like(xi)
        averages(xi, start, gamma, found)
        return found
    xi, v = library.asarray(xi), library.asarray(start)
    out = []
    for t in range(xi.shape[1]):
        v = gamma * v + (1 - gamma) * xi[:, t]
        out.append(v)
    return library.stack(out, axis=-1)


def momentum_variance(
    rngs: Sequence[np.random.Generator],
    n: int,
    gamma: float,
    lengths: Sequence[int],
    *,
    backend: str = "auto",
    xp: Any = None,
) -> np.ndarray:
    """(series, lengths) of Var(v_1 + … + v_k) from n stationary steps, mean squares of all sums of k.

    Where k(1 − γ) ≥ 2 the mean square of the same sums of ξ is taken off and k, which it is known to be, added: a sum
    of v is that of ξ but for its ends, so that this takes most of the noise away.

    Args:
        rngs: one a series; n: steps; gamma: in [0, 1); lengths: k, each at most n.
    """
    _, library = _library(backend, xp)
    drawn = np.stack([rng.standard_normal(n + 1) for rng in rngs])
    start, xi = drawn[:, 0] * ((1 - gamma) / (1 + gamma)) ** 0.5, np.ascontiguousarray(drawn[:, 1:])
    found = _host(sum_variance(momentum(xi, start, gamma, backend=backend, xp=xp), lengths, 0.0))
    long = [k for k in lengths if k * (1 - gamma) >= LONG]
    if long:
        known = np.array(long, dtype=float) - _host(sum_variance(library.asarray(xi), long, 0.0))
        found = found + np.concatenate([np.zeros((len(rngs), len(lengths) - len(long))), known], axis=-1)
    return found


# --- means of batches -----------------------------------------------------------------------------------------------


def batch_moments(u: np.ndarray, sizes: Sequence[int], draws: int, rng: np.random.Generator) -> np.ndarray:
    """(len(sizes),) excess kurtosis of means of B of u, drawn with replacement.

    The mean of z⁴ − 6z² + 3 − 4κz, κ the third moment of z, whose mean 0 and variance 1 are known: of all with z⁴ and
    that mean it is the least noisy for z that is near to normal. A batch is put together of up to eight pieces, and
    each piece is in several batches with others, which are no more draws and less noise.

    Args:
        u: (N,) of mean 0 and variance 1.
        sizes: B, each 1, 4, 16, 64 or 256.
        draws: samples, the same for every B: a power of 2, at least 2¹⁶.

    Raises:
        InputError: other sizes or draws.
    """
    from lemmascope.sims.noise.long_memory_loops import fourth

    if check_size("draws", draws, LEAST_DRAWS) & (draws - 1):
        raise InputError("draws", draws, "it must be a power of 2")
    for B in sizes:
        if check_size("sizes", B) not in (1, 4, 16, 64, 256):
            raise InputError("sizes", B, "each must be 1, 4, 16, 64 or 256")
    chunk = min(CHUNK, draws)
    sums, given = np.zeros(len(sizes)), np.ascontiguousarray(u, dtype=np.float64)
    each = np.array(sizes, dtype=np.int64)
    dtype = np.uint8 if u.size <= 2**8 else np.uint16 if u.size <= 2**16 else np.uint32
    for _ in range(0, draws, chunk):
        stopping.check()
        fourth(given, rng.integers(0, u.size, chunk, dtype=dtype), each, chunk // 8, sums)
    return sums / (draws // chunk)
