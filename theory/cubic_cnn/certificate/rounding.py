r"""Upper bounds in floating-point arithmetic: what is assumed of it, and how a computed bound becomes a proved one.

**Assumed** (IEEE 754 double precision): +, −, ·, / and √ are rounded to nearest, with a relative error of at most
u = 2⁻⁵³ where the result is not subnormal; an exponential has a relative error of at most `EXPONENTIAL`; a sum or inner
product of k terms, in any order and with any contraction a·b + c, is off by at most γ_k Σ|terms|, γ_k = ku/(1 − ku)
(Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1).

**Upward** (derived). Let an expression be built from nonnegative numbers by sums, products, quotients and square roots,
with at most k roundings on a path from an input to the result. Then computed ≥ (1 − u)^{k'} exact, where k' ≤ k for
sums, products and roots, and a quotient counts its denominator's roundings as (1 + u)^{k'} ≤ (1 − u)^{−k'}. So for
k ≤ 2³⁰, exact ≤ computed · (1 + 2⁻²⁰): (1 − u)^{−k} ≤ 1 + 2⁻²². The rest of 2⁻²⁰, 6·10⁹ u, covers the relative errors
of the few u that inputs such as a computed ℓ have. Numbers that were rounded to subnormal ones or to 0 are short by at
most 2⁻¹⁰²² each, at which `TINY` = 10⁻²⁹⁰ is added. No bound of this package subtracts, but where that is said.
"""

from __future__ import annotations

__all__ = ["EXPONENTIAL", "SLACK", "TINY", "UNIT", "eigenvalue_above", "gamma", "norm", "upward"]

import math
from collections.abc import Iterator
from typing import Any

from array_api_compat import array_namespace

Array = Any

UNIT = 2.0**-53
TINY = 1e-290
EXPONENTIAL = 8 * UNIT
"""Four units in the last place: that of the compiled loop is below 3 u (a test holds it), libraries state one unit."""
SLACK = 1 + 2.0**-20


def upward(x: Any) -> Any:
    """An upper bound of what the expression ``x`` stands for, under the rule above."""
    return x * SLACK + TINY


def gamma(k: int) -> float:
    """γ_k, rounded up."""
    return upward(k * UNIT / (1 - k * UNIT))


def norm(x: Array) -> float:
    """‖x‖_F of nonnegative or signed numbers, upwards; no square overflows or vanishes."""
    xp = array_namespace(x)
    top = float(xp.max(xp.abs(x))) if math.prod(x.shape) else 0.0
    if not 0 < top < math.inf:
        return TINY if top == 0 else math.inf
    scaled = x / top
    return upward(top * math.sqrt(float(xp.sum(scaled * scaled))))


def eigenvalue_above(A: Array, error: float = 0.0, *, quick: bool = False, hope: float = 0.0) -> float:
    r"""An upper bound of λ_max(A + E) for any symmetric E of norm ≤ ``error``, proved by a factorization (derived).

    For any R whatever, RRᵀ ⪰ 0, so λ_min(M) ≥ −‖M − RRᵀ‖; with M = θI − A this is λ_max(A) ≤ θ + ‖M − RRᵀ‖. Here θ is
    slightly above a computed eigenvalue and R a computed Cholesky factor of M. The difference is formed in floating
    point: |fl(RRᵀ) − RRᵀ| ≤ γ_n |R||Rᵀ|, of Frobenius norm ≤ γ_n‖R‖²_F, and forming M and the difference costs
    u(θ + ‖A‖_F + ‖fl(RRᵀ)‖_F) at most thrice. Unlike Rump's test, which adds the backward error of a factorization by
    the book, nothing is assumed of how R was found.

    Args:
        A: (k, k) symmetric; its lower and upper parts are the same numbers.
        error: ‖E‖.
        quick: of an A ⪰ 0, a bound that is 2⁻¹⁰ above λ_max or so, at the cost of a factorization.
        hope: tried first; a bound slightly above it is good enough.

    Returns:
        The bound; it may be negative. Where no factor is found, ‖A‖_F.
    """
    xp = array_namespace(A)
    k = A.shape[0]
    if k == 0:
        return -math.inf
    whole = norm(A)
    if not math.isfinite(whole):
        return math.inf
    for theta in _guesses(A, whole, quick, hope):
        M = theta * xp.eye(k, dtype=A.dtype) - A
        try:
            R = xp.linalg.cholesky(M)
        except ValueError:  # NumPy's LinAlgError is one
            continue
        product = R @ xp.matrix_transpose(R)
        gap = norm(M - product)
        if not math.isfinite(gap):
            continue
        rounding = gamma(k + 2) * norm(R) ** 2 + 4 * UNIT * math.sqrt(k) * (abs(theta) + whole + norm(product))
        found = theta + upward(gap + rounding + error)
        return found + 2 * UNIT * abs(found)
    return upward(whole + error)


def _guesses(A: Array, whole: float, quick: bool, hope: float) -> Iterator[float]:
    """What λ_max may be below, the likelier the later."""
    if hope > 0:
        yield hope
    if quick:
        top = _ritz(A)
        yield from (top * (1 + widening) for widening in (2.0**-10, 2.0**-7, 2.0**-4))
    top = float(array_namespace(A).linalg.eigvalsh(A)[-1])
    yield from (top + widening * whole for widening in (2.0**-36, 2.0**-26, 2.0**-16))


def _ritz(A: Array, steps: int = 16) -> float:
    """About the largest eigenvalue of A, slightly below it, by Lanczos' method from the column of the largest entry."""
    xp = array_namespace(A)
    column = A[:, int(xp.argmax(xp.linalg.diagonal(A)))]
    scale = float(xp.sqrt(xp.sum(column * column)))
    if not scale > 0:
        return 0.0
    basis, alpha, beta = [column / scale], list[float](), list[float]()
    for _ in range(min(steps, A.shape[0])):
        image = A @ basis[-1]
        alpha.append(float(image @ basis[-1]))
        known = xp.stack(basis)
        image = image - (known @ image) @ known
        length = float(xp.sqrt(xp.sum(image * image)))
        if not length > 2.0**-20 * scale:
            break
        beta.append(length)
        basis.append(image / length)
    k = len(alpha)
    T = [[alpha[i] if i == j else beta[min(i, j)] if abs(i - j) == 1 else 0.0 for j in range(k)] for i in range(k)]
    return float(xp.linalg.eigvalsh(xp.asarray(T, dtype=A.dtype))[-1])
