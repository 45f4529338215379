r"""Momentum on weights whose length does not matter: how the norm grows, and where it comes to rest.

Notation of `theory.scale_invariant.norms`: a = 1 − ηλ, G = |w|², g = ĝ/|w|.

**Growth.** T(t) = Σ_{k=1}^t β^{t+1−k}P_k is βT(t − 1) + βP_t, so that s_t = −ηT(t) solves s_t = β(s_{t−1} − ηP_t). With
S = Σ_{k=1}^T P_k and R = Σ_{k=1}^T P_k(1 − β^{T−k}), T(T) = β(S − R), and a step more has S + P_{T+1} and S − β(S − R).
Sums so far are symbols: what holds for all their values holds for all P.

**Equilibrium.** In the mean, with s and P constant: s = β(as − ηP), and G what it was after a step. E|v⁺|² = β²E|v|² +
ĝ²/G, as g has the conditional mean 0; and P = |v|² − s²/G where the step is projected.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_growth", "prove_stationary"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

eta, decay, G = sp.symbols("eta lambda G", positive=True)
beta = sp.Symbol("gamma", positive=True)  # drawn from (0, 1)


def prove_growth(late: int = 1, one: Any = 2) -> Outcome:
    """Without decay G_T − G₀ = η²Σ P_k[1 + 2β(1 − β^{T−k})/(1 − β)], by induction over T.

    Args:
        late: n in Σ β^{t+n−k}P_k, of which −η is s_t; one: the 2 of the bracket.
    """
    before, now, after = sp.symbols("T_before P_t P_after", real=True)  # T(t − 1), P_t and P_{t+1}
    total, rest = sp.symbols("S R", real=True)  # Σ_{k≤T} P_k and Σ_{k≤T} P_k(1 − β^{T−k})
    two = sp.Rational(str(one))
    # T(t) = Σ_{k≤t} β^{t+n−k}P_k = βT(t − 1) + βⁿP_t.
    so_far = beta * before + beta**late * now
    s = -eta * so_far
    # G_{T+1} = G_T − 2ηs_T + η²P_{T+1}; Σ_{k≤T} P_kβ^{T−k} = S − R is T(T)/βⁿ.
    summed = (total - rest) * beta**late
    grown = 2 * eta**2 * summed + eta**2 * after
    # S grows by P_{T+1}; R(T + 1) = Σ_{k≤T+1} P_k(1 − β^{T+1−k}) = S − β(S − R).
    closed = eta**2 * (total + two * beta / (1 - beta) * rest)
    later = eta**2 * (total + after + two * beta / (1 - beta) * (total - beta * (total - rest)))
    far = sp.Symbol("n", positive=True)  # Σ P_k for P constant over T ≫ 1/(1 − β) steps, R/S → 1
    return both(
        ("s_t", equal(s, beta * (-eta * before - eta * now), "β(s_{t−1} − ηP_t)")),
        ("one step more", equal(later - closed, grown, "G_{T+1} − G_T", numerator)),
        ("T = 1", equal(closed.subs({total: now, rest: 0}), eta**2 * now, "η²P_1")),
        (
            "far from the end",
            equal(
                closed.subs({total: far, rest: far}), eta**2 * far * (1 + beta) / (1 - beta), "its factor", numerator
            ),
        ),
    )


def prove_stationary(exchanged: bool = False, extra: int = 0) -> Outcome:
    """(E2) solves the stationary equations of the mean, SGDM and SGDP; η_eff² is 2ηλ/ĝ² to first order, for every β.

    Args:
        exchanged: 1 − βa and 1 + βa; extra: power of 1 − β by which the limit of η_eff² is multiplied.
    """
    a, length = sp.symbols("a ghat", positive=True)
    sign = -1 if exchanged else 1
    square = eta**2 * length**2 * (1 + sign * beta * a) / ((1 - a**2) * (1 - sign * beta * a) * (1 - beta**2))
    buffer = length**2 / (1 - beta**2)  # E|v|² times G
    s = -beta * eta / (1 - beta * a)  # over P
    left = (1 - a**2) * square - eta**2 * buffer * (1 - 2 * a * s / eta)
    kept = 1 + beta**2 * (1 - a**2) / (1 - beta * a) ** 2
    projected = eta**2 * length**2 / ((1 - a**2) * (1 - beta**2) * kept)
    P = (1 - a**2) * projected / eta**2  # times G; |v|² = P + s²/G and s²/G = (s/P)²P²/G
    whole = P * (1 + s**2 * P / projected)
    x = sp.Symbol("x", positive=True)  # ηλ
    effective = (eta / (1 - beta)) ** 2 / square.subs(a, 1 - x)
    limit = sp.cancel(sp.together(effective / x)).subs(x, 0)
    return both(
        ("s", equal(s, beta * (a * s - eta), "β(as − ηP), over P", numerator)),
        ("E|v|²", equal(beta**2 * buffer + length**2, buffer, "β²E|v|² + ĝ²/G", numerator)),
        ("SGDM", equal(left, sp.Integer(0), "(1 − a²)G = η²P − 2aηs", numerator)),
        ("SGDP", equal(whole, buffer, "|Πv|² = |v|² − s²/G", numerator)),
        ("limit", equal(limit, 2 / length**2 * (1 - beta) ** extra, "η_eff²/(ηλ) → 2/ĝ²", numerator)),
    )


CHAPTER = Chapter(
    title="Momentum on scale-invariant weights: how the norm grows, and where it comes to rest",
    after=("intrinsic",),
    steps=(
        Step(
            id="adamp.norm_growth",
            statement=(
                r"$\lambda = 0$, $v_0 = 0$: $s_t = -\eta\sum_{k=1}^t\beta^{t+1-k}|v_k|^2$ and $G_T - G_0 = "
                r"\eta^2\sum_{k=1}^T|v_k|^2[1 + \frac{2\beta(1 - \beta^{T-k})}{1 - \beta}]$, with the factor "
                r"$\frac{1 + \beta}{1 - \beta}$ far from the end"
            ),
            plain="without decay G_T − G₀ = η²Σ|v_k|²[1 + 2β(1 − β^{T−k})/(1 − β)]: (1 + β)/(1 − β) far from the end",
            hypotheses=("0 ≤ β < 1", "g ⟂ w in every step"),
            method="induction over t, sums so far as symbols; SymPy",
            prove=prove_growth,
            planted=(Planted("β^{t−k} in s_t", {"late": 0}), Planted("the factor 1/(1 − β)", {"one": 1})),
        ),
        Step(
            id="adamp.stationary_norm",
            statement=(
                r"the stationary equations of the mean, $s = \beta(as - \eta P)$, $(1 - a^2)G = \eta^2P - 2a\eta s$ "
                r"(SGDM) or $\eta^2P$ (SGDP), $P = |v|^2$ or $|v|^2 - s^2/G$, $|v|^2 = \hat g^2/((1 - \beta^2)G)$, "
                r"are solved as stated; $\eta_{\mathrm{eff}}^2/(\eta\lambda) \to 2/\hat g^2$ (SGDM) for all $\beta$"
            ),
            plain="G² of SGDM and SGDP at equilibrium solve the equations of the mean; η_eff² → 2ηλ/ĝ² for every β",
            hypotheses=("0 ≤ β < 1, 0 < a < 1", "noise of constant length, conditional mean zero; G constant"),
            method="SymPy, cancelled",
            prove=prove_stationary,
            planted=(
                Planted("1 − βa and 1 + βa exchanged", {"exchanged": True}),
                Planted("a limit with the factor 1 − β", {"extra": 1}),
            ),
        ),
    ),
)
