r"""Weights whose length does not matter: orthogonal gradients, the norm's fixed point, what is the same run.

Notation of `theory.scale_invariant.norms`: a = 1 − ηλ, G = |w|², g = ĝ/|w|.

**Orthogonal.** Every differentiable L with L(cw) = L(w) is a function of the ratios w_k/w_d on each half space w_d > 0
or w_d < 0: that of L(w_1/w_d, …, 1). So an undefined function of two ratios stands for all of them where d = 3.

**Fixed point.** For k = η²ĝ², G⁺ = a²G + k/G, and G* > 0 with (1 − a²)G*² = k.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_angle", "prove_fixed_point", "prove_orthogonal", "prove_rescaled"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

eta, decay, c, G = sp.symbols("eta lambda c G", positive=True)


def prove_orthogonal(weight: Any = 0, power: int = 2) -> Outcome:
    """⟨w, ∇L⟩ = 0 for L of ratios; Rayleigh's gradient for d = 2 and 3 is (A − 2L)w/|w|², homogeneous of degree −1.

    Args:
        weight: of ½|w|², which is added to L; power: of 1/|w| in Rayleigh's gradient.
    """
    w = sp.symbols("w_1:4", positive=True)
    h = sp.symbols("h_1:4", positive=True)
    # L = F(ratios): derivatives of F are symbols, as the chain rule is all that is used.
    slopes = sp.symbols("F_p F_q", real=True)
    ratios = w[0] / w[2], w[1] / w[2]
    extra = sp.Rational(str(weight))
    gradient = [
        sum(slope * sp.diff(ratio, one) for slope, ratio in zip(slopes, ratios, strict=True)) + extra * one for one in w
    ]
    along = sum(one * part for one, part in zip(w, gradient, strict=True))
    links = [("any L", equal(along, sp.Integer(0), "⟨w, ∇L⟩ = 0", numerator))]
    for d in (2, 3):
        square = sum(one**2 for one in w[:d])
        L = sum(a * one**2 for a, one in zip(h, w[:d], strict=False)) / (2 * square)
        whole = L + extra * square / 2
        slope = [sp.diff(whole, one) for one in w[:d]]
        stated = [(h[k] - 2 * L) * w[k] / sp.sqrt(square) ** power for k in range(d)]
        turned = sum(one * part for one, part in zip(w, slope, strict=False))
        links += [
            (f"Rayleigh, d = {d}", equal(slope[0], stated[0], "its gradient", numerator)),
            (f"orthogonal, d = {d}", equal(turned, sp.Integer(0), "⟨w, ∇L⟩ = 0", numerator)),
        ]
        scaled = slope[0].subs({one: c * one for one in w[:d]}, simultaneous=True)
        links.append((f"degree, d = {d}", equal(scaled, slope[0] / c, "∇L(cw) = ∇L(w)/c", numerator)))
    return both(*links)


def prove_fixed_point(rate: Any = 4, whole: bool = False, power: int = 2) -> Outcome:
    """G⁺ − G* = (G − G*)(a² − k/(GG*)); its rate at G*; 0 ≤ factor < a² from G ≥ 2a√k on, and G⁺ ≥ 2a√k always.

    Args:
        rate: r in 1 − rηλ + (r/2)(ηλ)², the factor at G*; whole: η/λ in place of (η/λ)ĝ²/(2 − ηλ) for G*²;
        power: of a above the factor.
    """
    import z3

    a, star, length = sp.symbols("a G_* ghat", positive=True)
    k = star**2 * (1 - a**2)  # η²ĝ²
    factor = a**2 - k / (G * star)
    x, r = eta * decay, sp.Rational(str(rate))
    square = eta / decay * (1 if whole else length**2 / (2 - x))
    at = (1 - x) ** 2 - (1 - (1 - x) ** 2)
    # z3: A for a, S for G*, K² for k, U for G.
    A, S, U, K, el = z3.Reals("a star G root eta_lambda")
    room = (A > 0, A < 1, S > 0, U > 0, K > 0, S * S * (1 - A * A) == K * K)
    half = 2 * A * A >= 1
    F = A * A * U * S - K * K  # the factor times GG* > 0
    return both(
        ("factor", equal(a**2 * G + k / G - star, (G - star) * factor, "G⁺ − G*", numerator)),
        ("G*²", equal(square * (1 - (1 - x) ** 2), eta**2 * length**2, "(1 − a²)G*² = η²ĝ²", numerator)),
        ("rate at G*", equal(at, 1 - r * x + r / 2 * x**2, "2a² − 1")),
        ("it contracts", decide(z3.And(2 * (1 - el) ** 2 - 1 < 1, 2 * (1 - el) ** 2 - 1 > -1), (el > 0, el < 1))),
        ("G⁺ ≥ 2aη|ĝ|", decide(A * A * U + K * K / U >= 2 * A * K, room, what="from any start")),
        ("factor ≥ 0", decide(F >= 0, (*room, half, U >= 2 * A * K), what="monotone")),
        (
            f"factor < a^{power}",
            decide((A**power if power > 2 else A * A) * U * S > F, (*room, half, U >= 2 * A * K), what="it contracts"),
        ),
    )


def prove_angle(share: Any = 1) -> Outcome:
    """⟨w, w⁺⟩ = (1 − ηλ)|w|² for g ⟂ w; at |w⁺| = |w| that is the cosine.

    Args:
        share: of ηλ in the cosine.
    """
    import z3

    a, el, G, along, C = z3.Reals("a eta_lambda G inner cosine")
    # ⟨w, w⁺⟩ = a|w|² − η⟨w, g⟩, ⟨w, g⟩ = 0; the cosine is ⟨w, w⁺⟩/(|w||w⁺|).
    known = (G > 0, a == 1 - el, el > 0, el < 1, along == a * G, along == C * G)
    f = z3.RealVal(str(share))
    x, y = sp.symbols("x y", real=True)
    a_s, radius, slope = sp.symbols("a r g", positive=True)
    # In the plane of w and g any w = r(x, y), x² + y² = 1, and g = ĝ(−y, x): the same in any dimension.
    w, g = (radius * x, radius * y), (-slope * y, slope * x)
    after = [a_s * p - eta * q for p, q in zip(w, g, strict=True)]
    inner = sum(p * q for p, q in zip(w, after, strict=True))
    return both(
        ("⟨w, w⁺⟩", equal(inner, a_s * radius**2 * (x**2 + y**2), "a|w|²")),
        ("cosine", decide(f * el == 1 - C, known, what="cos = 1 − ηλ")),
    )


def prove_rescaled(decay_power: int = -2, eta_power: int = 2) -> Outcome:
    """cw⁺ is the step of (c²η, λ/c²) from cw, with the gradient ĝ(w̄)/|w|; so by induction over t.

    Args:
        decay_power, eta_power: of c, for λ and for η.
    """
    w, g, length = sp.symbols("w ghat length", real=True, positive=True)

    def step(rate: Any, pull: Any, at: Any, size: Any) -> Any:
        return (1 - rate * pull) * at - rate * g / size

    after = step(c**eta_power * eta, c**decay_power * decay, c * w, c * length)
    return both(
        ("a step", equal(after, c * step(eta, decay, w, length), "cw⁺", numerator)),
        ("ηλ", equal(c**eta_power * eta * c**decay_power * decay, eta * decay, "the intrinsic learning rate")),
        ("η/G", equal(c**eta_power * eta / (c * length) ** 2, eta / length**2, "the effective step", numerator)),
    )


CHAPTER = Chapter(
    title="Scale-invariant weights: orthogonal gradients, the norm's fixed point, rescaled runs",
    after=("stationary_variance",),
    steps=(
        Step(
            id="intrinsic.orthogonal",
            statement=(
                r"$L(cw) = L(w)$ for all $c > 0$ gives $\langle w, \nabla L\rangle = 0$; for $L = w^\top Aw/(2|w|^2)$, "
                r"$\nabla L = (A - 2L)w/|w|^2$ and $\nabla L(cw) = \nabla L(w)/c$"
            ),
            plain="L(cw) = L(w) gives ⟨w, ∇L⟩ = 0; Rayleigh's quotient has ∇L = (A − 2L)w/|w|²",
            hypotheses=("L differentiable, a function of ratios", "the quotient written out for d = 2 and 3"),
            method="SymPy: the chain rule with derivatives of any function of two ratios as symbols",
            prove=prove_orthogonal,
            planted=(
                Planted("L + ½ε|w|², ε = 1/10", {"weight": "1/10"}),
                Planted("|w|⁻¹ for |w|⁻² in Rayleigh's gradient", {"power": 1}),
            ),
        ),
        Step(
            id="intrinsic.fixed_point",
            statement=(
                r"$G^+ = a^2G + \eta^2\hat g^2/G$ has $G^{*2} = \frac{\eta}{\lambda}\frac{\hat g^2}{2 - \eta\lambda}$, "
                r"$G^+ - G^* = (G - G^*)(a^2 - \frac{\eta^2\hat g^2}{GG^*})$, at $G^*$ the factor $2a^2 - 1 = 1 - "
                r"4\eta\lambda + 2(\eta\lambda)^2$; for $a^2 \ge \frac12$ it is in $[0, a^2)$ from the first step on"
            ),
            plain="G*² = (η/λ)ĝ²/(2 − ηλ); G − G* is multiplied by 2a² − 1 at G*, by [0, a²) from step 1 on, a² ≥ ½",
            hypotheses=("0 < ηλ < 1", "|ĝ| constant", "for the last: a² ≥ ½"),
            method="SymPy for the factor, z3 for its bounds",
            prove=prove_fixed_point,
            planted=(
                Planted("1 − 2ηλ + (ηλ)² as the rate", {"rate": 2}),
                Planted("G*² = η/λ", {"whole": True}),
                Planted("factor < a⁴", {"power": 4}),
            ),
        ),
        Step(
            id="intrinsic.angle",
            statement=(
                r"$g \perp w$ and $|w^+| = |w|$ give $\langle w, w^+\rangle = (1 - \eta\lambda)|w|^2$: a step turns "
                r"$w$ by $\arccos(1 - \eta\lambda)$"
            ),
            plain="g ⟂ w, |w⁺| = |w|: ⟨w, w⁺⟩ = (1 − ηλ)|w|², so that a step turns w by arccos(1 − ηλ)",
            hypotheses=("0 < ηλ < 1", "at equilibrium, |w⁺| = |w|"),
            method="SymPy in the plane of w and g; z3",
            prove=prove_angle,
            planted=(Planted("1 − ηλ/2", {"share": "1/2"}),),
        ),
        Step(
            id="intrinsic.rescaled",
            statement=(
                r"for all $c > 0$: $(c^2\eta, \lambda/c^2, cw_0)$ has the iterates $cw_t$ of $(\eta, \lambda, w_0)$, "
                r"on the same noise"
            ),
            plain="(c²η, λ/c²) from cw₀ has the iterates cw_t of (η, λ) from w₀, for all c > 0",
            hypotheses=("g = ĝ(w̄)/|w|", "the same noise"),
            method="induction over t: one step, coordinate by coordinate, SymPy",
            prove=prove_rescaled,
            planted=(Planted("λ/c for λ/c²", {"decay_power": -1}), Planted("cη for c²η", {"eta_power": 1})),
        ),
    ),
)
