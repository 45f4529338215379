r"""The data distribution: samples in R^d, their projection, and exact-law samples in any dimension.

Law (source: second hand). The label y is uniform on {−1, +1}. One patch, at a uniformly random position, is
the signal c_i w* with c_i = α y_i (probability 1 − μ, large margin) or β y_i (μ, small margin). The other
P − 1 patches are independent N(0, σ² (I − w* w*ᵀ)).

Label noise (derived; ρ = 0 in the theorems): once the patches are drawn, each label is flipped with probability ρ,
independently, and the patches stay as they are. So c_i = −α y_i or −β y_i on a sample whose label is flipped, and
y_i c_i, the strength of its signal, is negative.

All randomness comes in through ``rng``, a function from the name of what is drawn to a NumPy generator, so
that each thing drawn has a stream of its own.
"""

from __future__ import annotations

__all__ = ["Projection", "Sample", "departure", "draw_sample", "draw_weights", "exact_projection", "project"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError

Array = Any
Streams = Callable[[str], Any]

ROUNDING = 1e-12
"""Relative: an inner product of d ≤ 10⁶ numbers is known to 10⁻¹⁴; of drawn noise |⟨x, w*⟩| is below 10⁻¹⁵ ‖x‖."""


@dataclass(frozen=True)
class Sample:
    """Patches in R^d.

    Attributes:
        X: (N, P, d) patches.
        y: (N,) labels ±1.
        w_star: (d,) unit feature, or None where it is not known.
        small: (N,) True on small-margin samples, or None where the groups are not known.
        signal: (N,) position of the signal patch, for data of the law; None for a user's own data, whose
            patches are all treated alike.
        strength: (N,) y_i c_i of the signal patch c_i w*, for data of the law: |c_i|, and −|c_i| where the label is
            flipped; else None.
    """

    X: Array
    y: Array
    w_star: Array | None = None
    small: Array | None = None
    signal: Array | None = None
    strength: Array | None = None

    @property
    def of_the_law(self) -> bool:
        """Whether signal patches are known, so that the system of (c, Ξ) separates."""
        return self.signal is not None

    def signal_first(self) -> Array:
        """X with the signal patch moved to position 0 and the noise patches in order behind it."""
        if self.signal is None:
            return self.X
        xp = array_namespace(self.X)
        places = xp.arange(self.X.shape[1])[None, :]
        order = xp.argsort(xp.astype(places != self.signal[:, None], xp.int8), axis=1, stable=True)
        return xp.take_along_axis(self.X, order[:, :, None], axis=1)


@dataclass(frozen=True)
class Projection:
    """What the training trajectory depends on: no d-dimensional vector is left.

    The n patches of the Gram matrix are the N(P − 1) noise patches for data of the law (``strength`` ≠ 0),
    all N P patches otherwise (``strength`` = 0). They are ordered by sample, k = i Q + j with Q = n / N.

    Attributes:
        y: (N,) labels.
        strength: (N,) y_i c_i of the signal patch; zeros where no patch is told apart.
        K: (n, n) Gram matrix ⟨x_k, x_k'⟩.
        Xi_0: (m, n) initial coefficients ⟨w_r(0), x_k⟩.
        c_0: (m,) initial ⟨w_r(0), w*⟩; zeros where w* is unknown.
        S_0: (m, m) Gram matrix of the initial weights, without their w* part for data of the law.
        overlap: (n,) ⟨x_k, w*⟩; zeros for data of the law.
        small: (N,) or None, as in `Sample`.
        has_feature: whether w* is known.
    """

    y: Array
    strength: Array
    K: Array
    Xi_0: Array
    c_0: Array
    S_0: Array
    overlap: Array
    small: Array | None
    has_feature: bool


def _labels(parameters: Parameters, rng: Streams) -> tuple[Array, Array, Array]:
    p = parameters
    y = 2.0 * rng("labels").integers(0, 2, p.N) - 1.0
    small = rng("margins").random(p.N) < p.mu
    strength = array_namespace(y).where(small, p.beta, p.alpha)
    if p.label_noise:
        flip = 1.0 - 2.0 * (rng("label noise").random(p.N) < p.label_noise)
        y, strength = flip * y, flip * strength
    return y, small, strength


def draw_sample(parameters: Parameters, rng: Streams) -> Sample:
    """Draw (X, y) in R^d from the law, with w* uniform on the sphere.

    The noise is projected off w* twice, so that |⟨x, w*⟩| stays within the rounding of one inner product.
    """
    p = parameters
    y, small, strength = _labels(p, rng)
    direction = rng("w_star").standard_normal(p.d)
    w_star = direction / (direction @ direction) ** 0.5
    X = p.sigma * rng("noise").standard_normal((p.N, p.P, p.d))
    for _ in range(2):
        X -= (X @ w_star)[..., None] * w_star
    signal = rng("positions").integers(0, p.P, p.N)
    X[range(p.N), signal] = (y * strength)[:, None] * w_star
    return Sample(X=X, y=y, w_star=w_star, small=small, signal=signal, strength=strength)


def draw_weights(m: int, d: int, sigma_0: float, rng: Streams) -> Array:
    """W₀ (m, d) with independent N(0, σ₀²) entries."""
    return sigma_0 * rng("weights").standard_normal((m, d))


def project(sample: Sample, W_0: Array) -> Projection:
    """The `Projection` of a sample and of initial weights W₀ (m, d).

    Data of the law: the Gram matrix of the noise patches, and c apart. Other data: the Gram matrix of all
    patches, with nothing assumed orthogonal; c is then read off through ⟨x_k, w*⟩.
    """
    xp = array_namespace(sample.X)
    N, P, d = sample.X.shape
    if sample.of_the_law:
        patches = xp.reshape(sample.signal_first()[:, 1:, :], (N * (P - 1), d))
    else:
        patches = xp.reshape(sample.X, (N * P, d))
    n = patches.shape[0]
    m = W_0.shape[0]
    feature = sample.w_star is not None
    c_0 = W_0 @ sample.w_star if feature else xp.zeros(m)
    S_0 = W_0 @ W_0.T
    if sample.of_the_law:
        S_0 = S_0 - c_0[:, None] * c_0[None, :]
        overlap, strength = xp.zeros(n), sample.strength
    else:
        overlap, strength = (patches @ sample.w_star if feature else xp.zeros(n)), xp.zeros(N)
    return Projection(
        y=sample.y,
        strength=strength,
        K=patches @ patches.T,
        Xi_0=W_0 @ patches.T,
        c_0=c_0,
        S_0=S_0,
        overlap=overlap,
        small=sample.small,
        has_feature=feature,
    )


def departure(found: Sample | Projection, parameters: Parameters | None = None) -> str | None:
    """What data lack of what the system of (c, Ξ) is built on, in words; None where they have all of it.

    Of a sample: labels ±1, a unit w*, signal patches that are y · strength · w*, all others orthogonal to w*. Of a
    projection: labels ±1, a symmetric K, no overlap. Of both, where the parameters are known: |strength| is β on the
    small margins and α elsewhere, and negative nowhere unless there is label noise.
    """
    xp = array_namespace(found.y)

    def first(bad: Array) -> int:
        return int(xp.argmax(xp.astype(bad, xp.int8)))

    if found.strength is None or (isinstance(found, Sample) and not (found.of_the_law and found.w_star is not None)):
        return "no signal patch is told apart, or w* is not known"
    labels = xp.abs(found.y) != 1
    if bool(xp.any(labels)):
        return f"the label of sample {first(labels)} is not −1 or +1"
    if parameters is not None:
        p = parameters
        if found.small is None:
            return "the margins are not known"
        sizes = xp.where(xp.asarray(found.small), p.beta, p.alpha)
        other = xp.abs((xp.abs(found.strength) if p.label_noise else found.strength) - sizes) > ROUNDING * sizes
        if bool(xp.any(other)):
            i = first(other)
            return (
                f"the signal of sample {i} is {float(found.strength[i]):g} y w*, where the law has {float(sizes[i]):g}"
            )
    if isinstance(found, Projection):
        gap = xp.max(xp.abs(found.K - xp.matrix_transpose(found.K)))
        if not bool(gap <= ROUNDING * xp.max(xp.abs(found.K))):
            return "K is not symmetric"
        return "a noise patch is not orthogonal to w*" if bool(xp.any(found.overlap != 0)) else None
    if found.signal is None or bool(xp.any((found.signal < 0) | (found.signal >= found.X.shape[1]))):
        return "a signal patch is at no position of its sample"
    w: Array = found.w_star
    X = found.signal_first()
    if not bool(xp.abs(w @ w - 1) <= ROUNDING):
        return "w* has not the length 1"
    size = xp.abs(found.strength)
    off = xp.max(xp.abs(X[:, 0, :] - (found.y * found.strength)[:, None] * w), axis=-1) > ROUNDING * size
    if bool(xp.any(off)):
        return f"the signal patch of sample {first(off)} is not y · strength · w*"
    noise = X[:, 1:, :]
    norms = xp.sqrt(xp.sum(noise * noise, axis=-1))
    along = xp.any(xp.abs(noise @ w) > ROUNDING * norms, axis=-1)
    return f"a noise patch of sample {first(along)} is not orthogonal to w*" if bool(xp.any(along)) else None


def exact_projection(parameters: Parameters, rng: Streams) -> Projection:
    r"""Draw the `Projection` from its exact law, at a cost that does not depend on d (derived).

    The n noise patches in the basis of w*^⊥ are the rows of σG, G (n, d − 1) standard normal. For d − 1 ≥ n
    the QR factorization of Gᵀ gives GGᵀ = L̃L̃ᵀ with L̃ lower triangular: independent N(0, 1) below the
    diagonal and χ_{d−1−k}, k = 0, …, n − 1, on it (Bartlett). With the orthonormal basis Q of the row space,
    Q W₀ᵀ is an (n, m) matrix Z of N(0, σ₀²) entries independent of L̃, so (K, Ξ₀ᵀ) = σ(σ L̃L̃ᵀ, L̃Z). What
    is left of W₀ outside the span of the data and of w* has Gram matrix σ₀² Wishart_m(d − 1 − n), and c₀
    has N(0, σ₀²) entries, independent of the rest.

    Raises:
        InputError: d − 1 < n = N(P − 1), where the factor L̃ has another law.
    """
    p = parameters
    n = p.n
    if p.d - 1 < n:
        raise InputError("d", p.d, f"the exact law needs d − 1 ≥ n = N(P − 1) = {n}; use law = 'samples' below")
    y, small, strength = _labels(p, rng)
    L = p.sigma * _bartlett(n, p.d - 1, rng("bartlett"))
    Z = p.sigma_0 * rng("projected weights").standard_normal((n, p.m))
    c_0 = p.sigma_0 * rng("signal weights").standard_normal(p.m)
    outside = p.d - 1 - n
    generator = rng("outside weights")
    if outside >= p.m:
        T = _bartlett(p.m, outside, generator)
    else:
        T = generator.standard_normal((p.m, outside))
    xp = array_namespace(L)
    return Projection(
        y=y,
        strength=strength,
        K=L @ L.T,
        Xi_0=(L @ Z).T,
        c_0=c_0,
        S_0=Z.T @ Z + p.sigma_0**2 * (T @ T.T),
        overlap=xp.zeros(n),
        small=small,
        has_feature=True,
    )


def _bartlett(size: int, degrees: int, generator: Any) -> Array:
    """The Cholesky factor of a standard Wishart matrix with ``degrees`` ≥ ``size`` degrees of freedom."""
    normal = generator.standard_normal((size, size))
    xp = array_namespace(normal)
    chi = generator.chisquare(degrees - 1.0 * xp.arange(size)) ** 0.5
    return xp.tril(normal, k=-1) + xp.eye(size) * chi
