r"""How far computed inner products are from exact ones: not by the rule γ_d Σ|terms|, but looked at (derived).

Row by row, Y = P + R where P is Y rounded to multiples of a power of two g, chosen so that P has at most β bits;
likewise Z = P' + R'. With 2β + log₂ d ≤ 53 each partial sum of P P'ᵀ, in any order and with any contraction, is a
multiple of gg' below 2⁵³gg': the product is exact. In

    YZᵀ − F = (PP'ᵀ − F) + PR'ᵀ + RZᵀ

the other two products are smaller by 2^−β than the first, and so are their roundings.
"""

from __future__ import annotations

__all__ = ["inner_product_error"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.rounding import UNIT, gamma, upward

Array = Any


def inner_product_error(Y: Array, Z: Array, found: Array) -> Array:
    """|⟨y_a, z_b⟩ − found_ab| from above, (A, B), for Y (A, d), Z (B, d) and any found (A, B); all of them finite."""
    xp = array_namespace(Y)
    d = Y.shape[-1]
    bits = (53 - math.ceil(math.log2(d + 1))) // 2 - 1
    (P, R), (top, rest) = _split(Y, bits), _split(Z, bits)
    turned = xp.matrix_transpose
    parts = [P @ turned(top) - found, P @ turned(rest), R @ turned(Z)]
    rough = sum(xp.abs(part) for part in parts)
    sizes = xp.abs(P) @ turned(xp.abs(rest)) + xp.abs(R) @ turned(xp.abs(Z))
    return upward(xp.abs(parts[0] + parts[1] + parts[2]) + 4 * UNIT * rough + gamma(d + 4) * sizes)


def _split(x: Array, bits: int) -> tuple[Array, Array]:
    """x = P + R exactly; the rows of P are multiples of 2^(e − bits), |x| ≤ 2^e, and |R| is at most half of that.

    Added to σ = 1.5 · 2^(52 + e − bits), a number is rounded to a multiple of σ's last place, 2^(e − bits).
    """
    xp = array_namespace(x)
    tops = [float(top) for top in xp.max(xp.abs(x), axis=-1)]
    sigma = xp.asarray([1.5 * math.ldexp(1.0, 52 + math.frexp(top)[1] - bits) for top in tops], dtype=x.dtype)
    P = (x + sigma[:, None]) - sigma[:, None]
    return P, x - P
