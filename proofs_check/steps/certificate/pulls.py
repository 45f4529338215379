r"""How far the sizes that cross terms are made of may be off in a ball: each by itself, and all of them together.

**Each.** u = ℓΞ² with ℓ̂e^−Δ ≤ ℓ ≤ ℓ̂e^Δ and |Ξ − Ξ̂| ≤ ρ ≤ r. With F for e^Δ and G for e^−Δ that is a statement on
real numbers, F ≥ 1 and FG = 1.

**Together.** z ≥ 0 and a difference δ: Σ_k z_k|⟨x_k, δ⟩| is ⟨v, δ⟩ for v = Σ_k ±z_kx_k, at most |v||δ| by Cauchy and
Schwarz, and |v|² = Σ_kk' ±±z_kz_k'⟨x_k, x_k'⟩. Or it is at most |z|(Σ_k⟨x_k, δ⟩²)^½. Two patches stand for any number.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_each", "prove_together"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.reals import decide, rational
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

HALF = sp.Rational(1, 2)


def prove_each(two: Any = 2, grown: bool = True, room: bool = True) -> Outcome:
    """u − û ≤ ℓ̂((F − 1)Ξ̂² + F(2|Ξ̂| + r)ρ), û − u ≤ ℓ̂((1 − G)Ξ̂² + 2G|Ξ̂|ρ), and the second bound is the less.

    Args:
        two: what stands for the 2 of both. grown: F before the second term; else nothing. room: the hypothesis ρ ≤ r.
    """
    import z3

    part, near, size, new, r, F, G = z3.Reals("part rho Xi Xi_new r F G")
    known = (size >= 0, new >= 0, near >= 0, new - size <= near, size - new <= near, F >= 1, F * G == 1)
    inside = (*known, r >= near) if room else (*known, r >= 0)
    # In units of ℓ̂ > 0, in which both sides are linear: ℓ is the part from G to F.
    factor = (part >= G, part <= F)
    up = (F - 1) * size * size + (F if grown else 1) * (rational(two) * size + r) * near
    down = (1 - G) * size * size + rational(two) * G * size * near
    return both(
        ("up", decide(part * new * new - size * size <= up, (*inside, *factor), what="u − û")),
        ("down", decide(size * size - part * new * new <= down, (*known, *factor), what="û − u")),
        ("less", decide(down <= up, inside, what="the bound downwards is the less")),
    )


def prove_together(two: Any = 2, one: Any = 1) -> Outcome:
    """(Σ z|⟨x, δ⟩|)² ≤ |δ|² Σ z_kz_k'|⟨x_k, x_k'⟩|, and ≤ |z|² Σ⟨x, δ⟩², for z ≥ 0.

    Args:
        two: what stands before z_1z_2|⟨x_1, x_2⟩|. one: before |z|².
    """
    import z3

    p, q, t, d, e, y, z, s, inner = z3.Reals("p q t delta_1 delta_2 z_1 z_2 sign inner")
    # Coordinates in which x_1 = (p, 0) and x_2 = (q, t); v = (a, b), and an overall sign changes nothing.
    known = (y >= 0, z >= 0, s * s == 1)
    a, b = y * p + s * z * q, s * z * t
    squares = y * y * p * p + z * z * (q * q + t * t)
    size = (inner >= 0, inner * inner == p * p * q * q)
    v, w = z3.Reals("v w")
    schwarz = decide((v * d + w * e) * (v * d + w * e) <= (v * v + w * w) * (d * d + e * e), what="⟨v, δ⟩² ≤ |v|²|δ|²")
    length = decide(a * a + b * b <= squares + rational(two) * y * z * inner, (*known, *size), what="|v|²")
    first, second = y * d + z * e, (y * y + z * z) * (d * d + e * e)  # d and e are |⟨x_1, δ⟩| and |⟨x_2, δ⟩|
    norm = decide(first * first <= rational(one) * second, (*known, d >= 0, e >= 0), what="(Σ z|⟨x, δ⟩|)²")
    return both(("Cauchy and Schwarz", schwarz), ("its length", length), ("by the norm of z", norm))


CHAPTER = Chapter(
    title="How far the parts of cross terms may be off",
    after=("certificate.radius",),
    steps=(
        Step(
            id="pulls.each",
            statement=(
                r"for $u = \ell\Xi^2$, $\hat\ell e^{-\Delta} \le \ell \le \hat\ell e^{\Delta}$, $|\Xi - \hat\Xi| \le "
                r"\rho \le r$: $u - \hat u \le \hat\ell((e^\Delta - 1)\hat\Xi^2 + e^\Delta(2|\hat\Xi| + r)\rho)$ and "
                r"$\hat u - u \le \hat\ell((1 - e^{-\Delta})\hat\Xi^2 + 2e^{-\Delta}|\hat\Xi|\rho)$, which is the less"
            ),
            plain="u = ℓΞ²: u − û ≤ ℓ̂((e^Δ − 1)Ξ̂² + e^Δ(2|Ξ̂| + r)ρ), û − u ≤ ℓ̂((1 − e^−Δ)Ξ̂² + 2e^−Δ|Ξ̂|ρ)",
            hypotheses=("ρ ≤ r",),
            method="real arithmetic by z3 in units of ℓ̂, with F for e^Δ and G for e^−Δ, FG = 1",
            prove=prove_each,
            planted=(
                Planted("1 for the 2", {"two": 1}),
                Planted("without e^Δ before (2|Ξ̂| + r)ρ", {"grown": False}),
                Planted("ρ may be larger than r", {"room": False}, hypothesis=True),
            ),
            weaker=({"two": 3},),
            kind=Kind.BOUND,
        ),
        Step(
            id="pulls.together",
            statement=(
                r"for $z \ge 0$: $(\sum_kz_k|\langle x_k, \delta\rangle|)^2 \le |\delta|^2\sum_{k,k'}z_kz_{k'}|\langle "
                r"x_k, x_{k'}\rangle|$, and it is at most $|z|^2\sum_k\langle x_k, \delta\rangle^2$"
            ),
            plain="(Σ z|⟨x, δ⟩|)² ≤ |δ|² Σ z_k z_k'|⟨x_k, x_k'⟩|, and ≤ |z|² Σ⟨x, δ⟩², for z ≥ 0",
            hypotheses=("z ≥ 0", "two patches, which stand for any number"),
            method="Cauchy's inequality and a signed sum's length by z3",
            prove=prove_together,
            planted=(Planted("z_1z_2|⟨x_1, x_2⟩| once", {"two": 1}), Planted("half of |z|²Σ⟨x, δ⟩²", {"one": HALF})),
            weaker=({"two": 3}, {"one": 2}),
            kind=Kind.BOUND,
        ),
    ),
)
