r"""Test accuracy enclosed from both sides, without sampling (derived).

A fresh sample of signal strength s has y f = A + yZ, A = s³ Σ_r c_r³, Z = Σ_p Σ_r h_pr³ with h_p ~ N(0, σ²S)
independent over its Q noise patches. Z is symmetric, so for A > 0 the accuracy is ½ + ½P(|Z| < A), and ½ − ½P(|Z| <
|A|) for A < 0.

**P(|Z| ≥ A), from above.** E Z² = Qσ⁶ Σ_rs (9 S_rr S_ss S_rs + 6 S_rs³) by Isserlis. Z is a polynomial of degree 3 in
normal variables, hence ‖Z‖_p ≤ (p − 1)^{3/2} ‖Z‖_2 for p ≥ 2 (hypercontractivity; Janson, *Gaussian Hilbert Spaces*,
theorem 5.10), and P(|Z| ≥ A) ≤ ((p − 1)^{3/2}‖Z‖_2/A)^p, at the best of several p; p = 2 is Chebyshev's.

**P(|Z| < A), from above.** Let Λ = diag(λ_r²) ⪯ σ²S. Then h = (λ_r g_r) + k with g standard normal and independent of
k. Given k, Z is a sum of independent (λ_r g_r + k_r)³, and the centred one is the most concentrated:

    P(|Z| ≤ A | k) ≤ P(|T| ≤ A),     T = Σ_pr λ_r³ g_pr³.

For a set E of length 2w, ∫_E φ(h − k)dh ≤ P(|λg| ≤ w), and ∫_E 3h²dh ≥ 2w³; so of all sets of Lebesgue measure 2a, the
law of (λg + k)³ gives none more than the law of λ³g³ gives [−a, a]. That is the order in which the symmetric decreasing
rearrangement of the one density is below the other, and by the inequality of Rogers and of Brascamp, Lieb and Luttinger
the probability of [−A, A] under a convolution grows with the densities' rearrangements in that order.

T has the characteristic function Π ψ(λ_r³u)^Q, ψ(v) = E cos(vg³). With y = vg³,
ψ(v) = (2/π)^½ (1/3) v^{−1/3} ∫₀^∞ cos(y) q(y) dy with q(y) = y^{−2/3} exp(−(y/v)^{2/3}/2) positive, decreasing and
convex; so 0 ≤ ψ and the integral is at most that over [0, π/2], hence ψ(v) ≤ min(1, C v^{−1/3}),

    C = (2/π)^½ (1/3) ∫₀^{π/2} cos(y) y^{−2/3} dy < 0.7812.

With four or more terms ψ's product is integrable, T's density is at most (1/π) ∫₀^∞ Π min(1, C/(λ_r u^{1/3}))^Q du, and
P(|T| ≤ A) is at most 2A times that. With fewer, the largest term alone: P(|λ³g³| ≤ A) ≤ 2A^{1/3}/(λ√(2π)).

A single direction of R^m and Pólya's inequality for cubics, |{x: |ax³ + …| ≤ A}| ≤ 4(A/2a)^{1/3}, would give the
exponent 1/3 instead of 1.
"""

from __future__ import annotations

__all__ = ["COSINE", "accuracy", "concentration", "gram_error", "second_moment", "tail"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.residual import Errors
from lemmascope.theory.cubic_cnn.certificate.rounding import eigenvalue_above, gamma, norm, upward
from lemmascope.theory.cubic_cnn.certificate.window import Window

Array = Any

COSINE = 0.7812
"""C above; a proof step shows it with balls."""
RATIO = 1.01
POWERS = tuple(2.0 * 1.25**j for j in range(24))


def gram_error(data: Data, at: Window, found: Errors, radius: float) -> float:
    """‖S − Ŝ‖_F of the exact weights' S and of `System.perpendicular_gram`'s, from above.

    Args:
        at: one iteration; found: its view's errors. radius: W-norm.
    """
    rows, c = norm(at.rows), norm(at.c + found.c)
    if data.in_weights:
        size, forming = rows, gamma(data.length + 8) * (2 * rows**2 + c**2) + 2 * c * norm(found.c) + data.unit * c**2
    else:
        a, start = float(at.a), norm(data.Xi_0)
        size = a * data.W_0 + math.sqrt(data.K_norm) * rows
        forming = gamma(data.length + 8) * (a * a * norm(data.S_0) + rows * (a * start + norm(at.Xi)))
        forming = forming + a * a * data.S_0_error + rows * (a * norm(data.Xi_0_error) + norm(found.Xi))
    slip = rows * norm(data.along)  # of BX along w*
    away = radius + slip
    return upward(2 * size * away + away * away + forming)


def second_moment(S: Array, S_error: float, sigma: float, Q: int) -> float:
    """E Z² from above, for every Gram matrix within ``S_error`` of S."""
    xp = array_namespace(S)

    def sums(G: Array) -> float:
        diagonal = xp.linalg.diagonal(G)
        return float(xp.sum(9 * diagonal[:, None] * diagonal[None, :] * G + 6 * G * G * G))

    size = xp.abs(S)
    rough = upward(sums(size))
    moved = max(upward(sums(size + S_error)) - rough * (1 - 2.0**-18), 0.0) + rough * 2.0**-18
    return upward(
        Q * sigma**6 * (max(sums(S), 0.0) + gamma(S.shape[0] ** 2 + 16) * rough + (moved if S_error else 0.0))
    )


def tail(moment: float, A: float) -> float:
    """P(|Z| ≥ A) from above, for E Z² ≤ ``moment``; A > 0 from below."""
    ratio = upward(math.sqrt(moment)) / A
    bases = ((upward(upward(ratio * (p - 1) ** 1.5)), p) for p in POWERS)
    return min([1.0, *(upward(base**p) for base, p in bases if base < 1)])


def concentration(S: Array, S_error: float, sigma: float, Q: int, A: float) -> float:
    """P(|Z| ≤ A) from above, for every Gram matrix within ``S_error`` of S; A ≥ 0 from above."""
    xp = array_namespace(S)
    if A <= 0:
        return 0.0
    diagonal = xp.linalg.diagonal(S)
    if not float(xp.min(diagonal)) > 0:
        return 1.0
    root = xp.sqrt(diagonal)
    share = max(float(xp.linalg.eigvalsh(S / (root[:, None] * root[None, :]))[0]), 0.0)
    below = share * diagonal
    lacks = max(eigenvalue_above(below * xp.eye(S.shape[0], dtype=S.dtype) - S, S_error), 0.0)
    scales = [sigma * math.sqrt(part) * (1 - 2.0**-20) for part in (float(x) - lacks for x in below) if part > 0]
    if not scales:
        return 1.0
    terms = sorted((COSINE / scale) ** 3 for scale in scales for _ in range(Q))  # where each begins to fall
    alone = 2 * A ** (1 / 3) / (max(scales) * math.sqrt(2 * math.pi))
    if len(terms) < 4:
        return min(1.0, upward(alone))
    return min(1.0, upward(alone), upward(2 * A / math.pi * _integral(terms)))


def _integral(terms: list[float]) -> float:
    """∫₀^∞ Π_j min(1, (t_j/u)^{1/3}) du from above, for 4 or more t: a falling integrand, by its left ends."""

    def product(u: float) -> float:
        return math.prod((t / u) ** (1 / 3) for t in terms if t < u)

    u, total = terms[0], terms[0]
    while u < terms[-1]:
        total += (RATIO - 1) * (1 + 2.0**-40) * u * product(u)
        u *= RATIO
    # From here on u^{−J/3}, whose integral is u · product/(J/3 − 1).
    return upward(total + u * product(u) / (len(terms) / 3 - 1))


def accuracy(S: Array, S_error: float, A: tuple[float, float], sigma: float, Q: int) -> tuple[float, float]:
    """(low, high) between which the test accuracy lies.

    Args:
        S: (m, m) Gram matrix of the weights without their w* part; S_error: its error, in norm.
        A: interval of s³ Σ_r c_r³. sigma: σ. Q: noise patches of a sample.
    """
    low, high = A
    moment = second_moment(S, S_error, sigma, Q)

    def near(a: float) -> float:
        """P(|Z| < a) from below."""
        return max(0.0, 1 - tail(moment, a)) if a > 0 else 0.0

    def most(a: float) -> float:
        return concentration(S, S_error, sigma, Q, a)

    above = 0.5 + 0.5 * most(high) if high > 0 else 0.5 - 0.5 * near(-high)
    below = 0.5 + 0.5 * near(low) if low > 0 else 0.5 - 0.5 * most(-low)
    return max(0.0, below - 2.0**-50), min(1.0, above + 2.0**-50)  # the roundings here, of numbers up to 1
