r"""Has a series a memory? Exact fractional noise, three estimators of its Hurst exponent, and what they are checked by.

For any series of numbers, along the last axis; arrays of any library of the array API standard.

**Fractional Gaussian noise** of Hurst exponent H in (0, 1), variance 1, has the covariance

    γ_H(k) = ½(|k+1|^{2H} − 2|k|^{2H} + |k−1|^{2H})

(Mandelbrot & Van Ness, 1968): white for H = ½, a long positive memory for H > ½, a negative one for H < ½. n values are
the first of a periodic series of 2n whose covariance is γ_H(min(k, 2n − k)): its eigenvalues, a Fourier transform, are
≥ 0 (Davies & Harte, 1987; Craigmile, 2003), so that draws are exact, in O(n log n).

**Local Whittle** (Robinson, 1995) takes the periodogram I_j at the lowest M frequencies λ_j = 2πj/n and the minimum of

    R(H) = ln((1/M) Σ λ_j^{2H−1} I_j) − (2H − 1)(1/M) Σ ln λ_j,

which is convex in H: ½R' is the mean of ln λ_j with weights ∝ λ_j^{2H−1}I_j less that without (derived), and grows.
Asymptotic standard error 1/(2√M). It sees low frequencies alone. **Second differences** (Istas & Lang, 1997) of the
path X_t = x_1 + … + x_t at steps 1 and 2, Ĥ = ½ log₂(V_2/V_1), V_a the mean of (X_{t+2a} − 2X_{t+a} + X_t)², sees high
frequencies alone. Of fractional noise both see the same H; where they contradict each other the series is none.
**Rescaled range** (Hurst, 1951) is there for comparison: on exact noise of H = 0.2 it says about 0.3.
"""

from __future__ import annotations

__all__ = [
    "Whittle",
    "autocovariance",
    "fractional_covariance",
    "fractional_noise",
    "fractional_of",
    "local_whittle",
    "rescaled_range",
    "second_differences",
    "sum_variance",
]

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_number, check_size

Array = Any

LEAST, MOST = 0.01, 0.99
"""Between which local Whittle looks for H."""

SHARE = 0.65
"""M = n^SHARE frequencies, unless told otherwise."""

HALVINGS = 40
"""Of the interval of H: to 10⁻¹²."""

SHORTEST = 16
"""Values of a series, at least."""


def _hurst(H: float) -> float:
    return check_number("H", H, 0, 1, open_low=True, open_high=True)


def fractional_covariance(H: float, k: Array) -> Array:
    """γ_H(k) of fractional noise of variance 1.

    Args:
        H: Hurst exponent, in (0, 1).
        k: lags, an array of numbers of any sign.

    Raises:
        InputError: H outside of (0, 1).
    """
    p, xp = 2 * _hurst(H), array_namespace(k)
    lag = xp.abs(k)
    return (xp.abs(lag + 1) ** p - 2 * lag**p + xp.abs(lag - 1) ** p) / 2


def fractional_of(H: float, normals: Array) -> Array:
    """Exact fractional noise made of independent normal numbers, (…, 2n) to (…, n); the same ones may serve for several
    H.

    Raises:
        InputError: H outside of (0, 1), or an odd number of normal numbers.
    """
    xp, size = array_namespace(normals), normals.shape[-1]
    if size < 2 or size % 2:
        raise InputError("normals", size, "it must be an even number of them: two for each value")
    n = size // 2
    half = fractional_covariance(H, xp.arange(n + 1, dtype=normals.dtype))
    around = xp.concat([half, xp.flip(half[1:n])])
    # Of the real, even sequence; rounding may take a value that is 0 below.
    eigenvalues = xp.clip(xp.real(xp.fft.rfft(around)), 0.0, None)
    ends = normals[..., : n + 1]
    inner = (normals[..., 1:n] + 1j * normals[..., n + 1 :]) / 2**0.5
    spectrum = xp.concat([ends[..., :1] + 0j, inner, ends[..., n:] + 0j], axis=-1)
    return xp.fft.irfft(xp.sqrt(size * eigenvalues) * spectrum, n=size)[..., :n]


def fractional_noise(H: float, n: int, rng: Any, count: int | None = None) -> Array:
    """Exact fractional noise of mean 0 and variance 1: (n,), or (count, n) independent series.

    Args:
        H: Hurst exponent, in (0, 1); ½ is white.
        n: values of a series.
        rng: a generator of NumPy.
        count: series.

    Raises:
        InputError: H outside of (0, 1), or a size that is no integer ≥ 1.
    """
    check_size("n", n)
    if not hasattr(rng, "standard_normal"):
        raise InputError("rng", rng, "it must be a generator, such as numpy.random.default_rng(0)")
    shape = () if count is None else (check_size("count", count),)
    return fractional_of(H, rng.standard_normal((*shape, 2 * n)))


def _series(x: Array) -> tuple[Any, Array]:
    """Array library and series, refused unless they are long enough, finite and vary."""
    xp: Any
    if isinstance(x, list | tuple):
        from array_api_compat import numpy

        xp = numpy
        try:
            x = xp.asarray(x, dtype=xp.float64)
        except (TypeError, ValueError):
            raise InputError("series", "a list", "its values must be numbers, and as many in each row") from None
    try:
        xp = array_namespace(x)
    except TypeError:
        raise InputError("series", x, "it must be an array of numbers, or a list") from None
    if x.ndim < 1 or x.shape[-1] < SHORTEST:
        raise InputError("series", tuple(x.shape), f"it must have {SHORTEST} values or more along its last axis")
    if xp.isdtype(x.dtype, "complex floating"):
        raise InputError("series", "complex numbers", "take their real or their imaginary part")
    x = x if xp.isdtype(x.dtype, "real floating") else xp.astype(x, xp.float64)
    if not bool(xp.all(xp.isfinite(x))):
        raise InputError("series", "values that are not finite", "each must be a finite number")
    if bool(xp.any(xp.max(x, axis=-1) == xp.min(x, axis=-1))):
        raise InputError("series", "a constant one", "it must vary")
    size = float(xp.max(xp.abs(x))) if x.shape[0] else 1.0
    small = float(xp.finfo(x.dtype).smallest_normal) ** 0.48
    if not small < size < 1 / small:
        raise InputError("series", size, "squares of it are out of range; multiply the series by a number first")
    return xp, x


@dataclass(frozen=True)
class Whittle:
    """A local Whittle estimate.

    Attributes:
        H: (…) Hurst exponents.
        error: asymptotic standard error of each, 1/(2√M).
        frequencies: M, how many were looked at.
        out_of_range: (…) whether the minimum is at an end of [0.01, 0.99]: then H is that end, and no estimate.
    """

    H: Array
    error: float
    frequencies: int
    out_of_range: Array


def local_whittle(x: Array, frequencies: int | None = None) -> Whittle:
    """The Hurst exponent at low frequencies.

    Args:
        x: (…, n) series, n ≥ 16; their means do not matter.
        frequencies: M, at most (n − 1)/2; default ⌊n^0.65⌋.

    Raises:
        InputError: a series that is too short, not finite or constant, or an M that is none.
    """
    xp, x = _series(x)
    n = x.shape[-1]
    M = int(n**SHARE) if frequencies is None else check_size("frequencies", frequencies, 2)
    if (n - 1) // 2 < M:
        raise InputError("frequencies", M, f"a series of {n} values has {(n - 1) // 2}")
    x = x - xp.mean(x, axis=-1, keepdims=True)
    scaled = xp.abs(xp.fft.rfft(x / xp.max(xp.abs(x), axis=-1, keepdims=True)))[..., 1 : M + 1]
    power = scaled * scaled
    logs = xp.log(xp.arange(1, M + 1, dtype=x.dtype) / M)  # of λ_j, up to a constant that does not matter
    mean = xp.mean(logs)
    low = xp.full(x.shape[:-1], LEAST, dtype=x.dtype)
    high = xp.full(x.shape[:-1], MOST, dtype=x.dtype)

    def rises(H: Array) -> Array:
        """Whether R' > 0 there."""
        weights = power * xp.exp((2 * H - 1)[..., None] * logs)
        return xp.sum(weights * (logs - mean), axis=-1) > 0

    below, above = rises(low), ~rises(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        up = rises(middle)
        low, high = xp.where(up, low, middle), xp.where(up, middle, high)
    ends = xp.where(below, xp.full_like(low, LEAST), xp.where(above, xp.full_like(low, MOST), (low + high) / 2))
    return Whittle(ends, 1 / (2 * math.sqrt(M)), M, below | above)


def second_differences(x: Array) -> Array:
    """The Hurst exponent at the highest frequencies, ½ log₂(V_2/V_1); (…) of (…, n) series, n ≥ 16.

    Not bounded: a path that is smoother than any fractional one gives more than 1.

    Raises:
        InputError: a series that is too short, not finite or constant.
    """
    xp, x = _series(x)
    one = x[..., 1:] - x[..., :-1]
    two = x[..., 3:] + x[..., 2:-1] - x[..., 1:-2] - x[..., :-3]
    small, large = (xp.mean(y * y, axis=-1) for y in (one, two))
    return xp.log2(large / small) / 2


def rescaled_range(x: Array) -> Array:
    """The slope of ln R/S on the logarithm of the windows' length, (…) of (…, n) series; biased, for comparison.

    R is the range of the sums of deviations from a window's mean, S its standard deviation; windows of 16, 32, … up to
    n/4 values, side by side. Windows that do not vary are left out.

    Raises:
        InputError: a series of fewer than 128 values, not finite or constant.
    """
    xp, x = _series(x)
    n = x.shape[-1]
    if n < 8 * SHORTEST:
        raise InputError("series", n, f"R/S needs {8 * SHORTEST} values or more")
    sizes = [SHORTEST * 2**k for k in range(int(math.log2(n / (4 * SHORTEST))) + 1)]
    found = []
    for size in sizes:
        windows = xp.reshape(x[..., : n // size * size], (*x.shape[:-1], n // size, size))
        windows = windows - xp.mean(windows, axis=-1, keepdims=True)
        sums = xp.cumulative_sum(windows, axis=-1)
        wide = xp.maximum(xp.max(sums, axis=-1), xp.zeros_like(sums[..., 0])) - xp.min(sums, axis=-1)
        spread = xp.sqrt(xp.mean(windows * windows, axis=-1))
        varies = spread > 0
        ratio = xp.where(varies, wide / xp.where(varies, spread, xp.ones_like(spread)), xp.zeros_like(wide))
        found.append(xp.log(xp.sum(ratio, axis=-1) / xp.sum(xp.astype(varies, x.dtype), axis=-1)))
    logs = xp.log(xp.asarray(sizes, dtype=x.dtype))
    centred = logs - xp.mean(logs)
    return xp.sum(centred * xp.stack(found, axis=-1), axis=-1) / xp.sum(centred * centred)


def autocovariance(x: Array, lags: int, mean: float | None = None) -> Array:
    """(…, lags + 1) (1/n) Σ_t (x_t − m)(x_{t+k} − m) for k = 0, 1, …; over its first value it is the autocorrelation.

    White noise of variance 1 has values of standard error 1/√n beyond k = 0.

    Args:
        x: (…, n) series.
        lags: the largest, less than n.
        mean: m where it is known; default each series' own.

    Raises:
        InputError: a series that is too short, not finite or constant, or too large a lag.
    """
    xp, x = _series(x)
    n = x.shape[-1]
    if check_size("lags", lags, 0) >= n:
        raise InputError("lags", lags, f"it must be less than the {n} values")
    x = x - (xp.mean(x, axis=-1, keepdims=True) if mean is None else check_number("mean", mean))
    size = 2 ** math.ceil(math.log2(n + lags))
    spectrum = xp.fft.rfft(x, n=size)
    power = xp.real(spectrum) ** 2 + xp.imag(spectrum) ** 2
    return xp.fft.irfft(power + 0j, n=size)[..., : lags + 1] / n


def sum_variance(x: Array, lengths: Sequence[int], mean: float | None = None) -> Array:
    """(…, len(lengths)) mean square of x_{t+1} + … + x_{t+k} − km over all windows of k values.

    For fractional noise it is k^{2H}; where a curve of it in log–log bends, no single H fits.

    Args:
        x: (…, n) series; lengths: k, each at most n.
        mean: m where it is known; default each series' own.

    Raises:
        InputError: a series that is too short, not finite or constant, or a window that is longer.
    """
    xp, x = _series(x)
    x = x - (xp.mean(x, axis=-1, keepdims=True) if mean is None else check_number("mean", mean))
    path = xp.concat([xp.zeros_like(x[..., :1]), xp.cumulative_sum(x, axis=-1)], axis=-1)
    found = []
    try:
        lengths = list(lengths)
    except TypeError:
        raise InputError("lengths", lengths, "give a list of integers") from None
    if not lengths:
        raise InputError("lengths", lengths, "give one or more")
    for k in lengths:
        if check_size("lengths", k) > x.shape[-1]:
            raise InputError("lengths", k, f"the series has {x.shape[-1]} values")
        sums = path[..., k:] - path[..., :-k]
        found.append(xp.mean(sums * sums, axis=-1))
    return xp.stack(found, axis=-1)
