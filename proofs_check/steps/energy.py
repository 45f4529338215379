r"""The energy identity behind the coasting law, with its exact discrete error terms; in every dimension.

With v' = γv − η(1 − γ)g, w' = w + v' and v̄ = (v + v')/2, where g = ∇L(w), the energy E = ½|v|² + η(1 − γ)L changes by

    E' − E = −(1 − γ)⟨v, v̄⟩ − ½η(1 − γ)²⟨g, v⟩ − ½η²(1 − γ)²|g|² + η(1 − γ)R,    R = L(w') − L(w) − ⟨g, v'⟩.

Both sides depend on v and g through |v|², ⟨v, g⟩ and |g|² alone, which are symbols here, as are L(w) and L(w'): what
cancels does so in any dimension, for any loss, and for all γ and η.
"""

from __future__ import annotations

__all__ = ["prove"]

from typing import Any

import sympy as sp

from proofs_check.steps.gradient import verdict
from theory.verdict import Verdict

STATEMENT = (
    r"$E_{t+1} - E_t = -(1-\gamma)\langle v_t, \bar v\rangle - \frac{\eta(1-\gamma)^2}{2}\langle \nabla L_t, v_t\rangle"
    r" - \frac{\eta^2(1-\gamma)^2}{2}|\nabla L_t|^2 + \eta(1-\gamma) R_t$,"
    r" $E_t = \frac12|v_t|^2 + \eta(1-\gamma)L(w_t)$"
)
PLAIN = "ΔE = −(1−γ)⟨v, v̄⟩ − ½η(1−γ)²⟨∇L, v⟩ − ½η²(1−γ)²|∇L|² + η(1−γ)R, E = ½|v|² + η(1−γ)L"


HALF = sp.Rational(1, 2)


def prove(friction: Any = 1, drift: Any = HALF, kick: Any = HALF) -> Verdict:
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
        -friction * (1 - gamma) * (vv + v_new) / 2 - drift * eta * (1 - gamma) ** 2 * vg
        - kick * eta**2 * (1 - gamma) ** 2 * gg + step * curvature
    )  # fmt: skip
    claim = "proof.energy"
    if sp.expand(left - right) == 0:
        return verdict(claim, STATEMENT, PLAIN, "both sides are the same polynomial, for all γ, η, v, ∇L, L", sizes=())
    return verdict(claim, STATEMENT, PLAIN, "the two sides differ", (left, right, {}))
