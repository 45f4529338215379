r"""The energy identity behind the coasting law, with its exact discrete error terms, and the coast; in every dimension.

With v' = γv − η(1 − γ)g, w' = w + v' and v̄ = (v + v')/2, where g = ∇L(w), the energy E = ½|v|² + η(1 − γ)L changes by

    E' − E = −(1 − γ)⟨v, v̄⟩ − ½η(1 − γ)²⟨g, v⟩ − ½η²(1 − γ)²|g|² + η(1 − γ)R,    R = L(w') − L(w) − ⟨g, v'⟩.

Both sides depend on v and g through |v|², ⟨v, g⟩ and |g|² alone, which are symbols here, as are L(w) and L(w'): what
cancels does so in any dimension, for any loss, and for all γ and η.

**The coast.** Once the gradient is 0, v_{t+j} = γ^j v_t, so the way that is left is Σ_{j≥1} γ^j v = γv/(1 − γ): its
partial sums s_j = γ(1 − γ^j)v/(1 − γ) have s_0 = 0 and s_{j+1} − s_j = γ^{j+1} v. If the energy η(1 − γ)L₁ has become
½|v|², which is what the identity says where friction and discretization are left out, then |v|/(1 − γ) =
√(2ηL₁/(1 − γ)), the coasting law; the way that is left is γ times it.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_coast", "prove_identity"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

HALF = sp.Rational(1, 2)


def prove_identity(friction: Any = 1, drift: Any = HALF, kick: Any = HALF) -> Outcome:
    """Prove the identity.

    Args:
        friction, drift, kick: what stands for the factors 1, ½, ½ of the first three terms.
    """
    gamma, eta, vv, vg, gg, before, after = sp.symbols("gamma eta vv vg gg L0 L1", real=True)
    step = eta * (1 - gamma)
    new_vv = gamma**2 * vv - 2 * gamma * step * vg + step**2 * gg
    new_vg = gamma * vg - step * gg  # ⟨g, v'⟩
    v_new = gamma * vv - step * vg  # ⟨v, v'⟩
    left = (new_vv - vv) / 2 + step * (after - before)
    curvature = after - before - new_vg
    right = (
        -friction * (1 - gamma) * (vv + v_new) / 2
        - drift * eta * (1 - gamma) ** 2 * vg
        - kick * eta**2 * (1 - gamma) ** 2 * gg
        + step * curvature
    )
    return equal(left, right, "both sides are the same polynomial, for all γ, η, v, ∇L, L")


def prove_coast(first: Any = 1, share: Any = 2) -> Outcome:
    """Prove the way that is left, and the coasting law.

    Args:
        first: the exponent of γ in the first term of the coast.
        share: what stands for the 2 under the root.
    """
    gamma, v, eta, loss = sp.symbols("gamma v eta L_1", positive=True)
    j = sp.Symbol("j", integer=True, nonnegative=True)
    way = sp.Lambda(j, gamma**first * (1 - gamma**j) / (1 - gamma) * v)

    def normal(expression: sp.Expr) -> sp.Expr:
        return sp.expand(sp.numer(sp.together(sp.expand_power_base(sp.powsimp(sp.expand(expression))))))

    base = equal(way(0), 0, "no step, no way", normal)
    step = equal(way(j + 1) - way(j), gamma ** (j + 1) * v, "step j + 1 adds γ^{j+1} v, for all j", normal)
    # γ^j → 0 for 0 ≤ γ < 1, and the partial sums are affine in it.
    power = sp.Symbol("power", real=True)
    limit = equal(way(j).subs(gamma**j, power).subs(power, 0), gamma * v / (1 - gamma), "as γ^j → 0", normal)
    kinetic = equal(
        sp.sqrt(2 * eta * (1 - gamma) * loss) ** 2 / (1 - gamma) ** 2,
        share * eta * loss / (1 - gamma),
        "½|v|² = η(1 − γ)L₁ gives (|v|/(1 − γ))² = 2ηL₁/(1 − γ)",
        normal,
    )
    return both(("no step", base), ("one step more", step), ("all steps", limit), ("from the loss", kinetic))


CHAPTER = Chapter(
    title="The energy identity and the coast",
    after=("stationary_variance",),
    steps=(
        Step(
            id="energy.identity",
            statement=(
                r"$E_{t+1} - E_t = -(1-\gamma)\langle v_t, \bar v_t\rangle - \frac{\eta(1-\gamma)^2}{2}\langle \nabla "
                r"L_t, v_t\rangle - \frac{\eta^2(1-\gamma)^2}{2}|\nabla L_t|^2 + \eta(1-\gamma) R_t$ for $E_t = "
                r"\frac12|v_t|^2 + \eta(1-\gamma)L(w_t)$, $\bar v_t = \frac12(v_t + v_{t+1})$, $R_t = L(w_{t+1}) - "
                r"L(w_t) - \langle \nabla L_t, v_{t+1}\rangle$, all $t$, $\gamma$, $\eta$, $L$"
            ),
            plain="ΔE = −(1−γ)⟨v, v̄⟩ − ½η(1−γ)²⟨∇L, v⟩ − ½η²(1−γ)²|∇L|² + η(1−γ)R, E = ½|v|² + η(1−γ)L",
            hypotheses=("average form, v_t = w_t − w_{t−1}", "η and γ constant", "any differentiable loss"),
            method="both sides are polynomials in |v|², ⟨v, ∇L⟩, |∇L|², L(w), L(w'), γ and η, compared by SymPy",
            prove=prove_identity,
            planted=(
                Planted("twice the friction", {"friction": 2}),
                Planted("1 for the ½ of ⟨∇L, v⟩", {"drift": 1}),
                Planted("no term in |∇L|²", {"kick": 0}),
            ),
        ),
        Step(
            id="energy.coast",
            statement=(
                r"$\sum_{j \ge 1} \gamma^j v = \frac{\gamma}{1-\gamma} v$, and $\frac12|v|^2 = \eta(1-\gamma)L_1$ "
                r"implies $\frac{|v|}{1-\gamma} = \sqrt{2\eta L_1/(1-\gamma)}$"
            ),
            plain="Σ_{j≥1} γ^j v = γv/(1−γ), and ½|v|² = η(1−γ)L₁ makes |v|/(1−γ) = √(2ηL₁/(1−γ))",
            hypotheses=("0 < γ < 1", "the gradient is 0 from then on"),
            method="induction over the number of steps for a symbolic number, the limit γ^j → 0, and algebra, by SymPy",
            prove=prove_coast,
            planted=(
                Planted("the coast starts a step earlier", {"first": 0}),
                Planted("1 for the 2 under the root", {"share": 1}),
            ),
        ),
    ),
)
