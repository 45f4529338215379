r"""How far the temperature departs from the rule where the loss is not quadratic: the first order, with no free
constant.

With the rule η = (1−μ)Bη₀ and η₀ → 0 at fixed μ and B, the weights x = Φ − Φ* follow dx = −∇L dt + √(η₀D(x)) dW in
units
of η₀ (D the covariance of one sample's gradient; D(0) = Σ). Stationarity says E[−∇L·∇f + (η₀/2) D:∇²f] = 0 for every f.
Write ∇L = Hx + ½J xx + (1/6)F xxx, D = Σ + D₁x + ½D₂xx, C for the solution of HC + CH = Σ (derived, to order η₀²):

* f = ½|x|²:     E L − L* = (η₀/4) E tr D − (1/12) J:E xxx − (1/24) F:E xxxx, exactly up to the order of the expansion;
* f = x:         m = E x = −(η₀/2) H⁻¹(J:C);
* f = x_a x_b x_c:  (h_a+h_b+h_c) E x_ax_bx_c = Σ₃ [η₀Σ_ab m_c + η₀²D₁_abk C_kc − (η₀²/2)(J_aij C_ij C_bc + 2J_aij
C_ib C_jc)]
  in H's eigenvectors, Σ₃ over the three choices of one index;
* E xxxx = η₀²(C C + C C + C C).

So T/T₀ = 1 + (a + κ)η₀ + O(η₀²), where κ is the quadratic's own departure (`quadratic.departure`) and

    a = { (η₀/4)(tr D₁·m + (η₀/2) tr D₂:C) − J:E xxx/12 − η₀² F:(C C)/8 } / (η₀² tr Σ/4).

In one dimension with constant noise it is the Gibbs measure's, a = (Σ/h²)(5J²/(24h) − F/8).
"""

from __future__ import annotations

__all__ = ["Expansion", "coefficient", "first_covariance"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

Array = Any


@dataclass(frozen=True)
class Expansion:
    """Loss and noise about a minimum, in H's eigenvectors.

    Attributes:
        h: (d,) eigenvalues of H, all > 0.
        Sigma: (d, d) covariance of one sample's gradient at the minimum.
        J: (d, d, d) third derivatives of the loss; FC: (d, d) Σ_kl F_ijkl C_kl of the fourth.
        D_1: (d, d, d) derivatives of the covariance, the last index that of x; D_2C: Σ_kl tr(D₂_kl) C_kl.
    """

    h: Array
    Sigma: Array
    J: Array
    FC: Array
    D_1: Array
    D_2C: float


def first_covariance(h: Array, Sigma: Array) -> Array:
    """C (d, d) of HC + CH = Σ, in H's eigenvectors."""
    return Sigma / (h[:, None] + h[None, :])


def coefficient(about: Expansion) -> float:
    """a of T/T₀ = 1 + (a + κ)η₀ + O(η₀²)."""
    h, Sigma, J, D_1 = about.h, about.Sigma, about.J, about.D_1
    xp = array_namespace(h, Sigma, J)
    C = first_covariance(h, Sigma)
    JC = xp.sum(J * C[None, :, :], axis=(1, 2))
    m = -JC / (2 * h)
    # Σ₃ is three times one of its terms, once it is contracted with the symmetric J.
    twice = xp.tensordot(xp.tensordot(J, C, axes=([1], [0])), C, axes=([1], [0]))  # (a, b, c) of J_aij C_ib C_jc
    third = Sigma[:, :, None] * m + xp.tensordot(D_1, C, axes=([2], [0]))
    third = third - (JC[:, None, None] * C[None, :, :] + 2 * twice) / 2
    third = 3 * xp.sum(J * third / (h[:, None, None] + h[None, :, None] + h[None, None, :]))
    traced = xp.sum(xp.sum(D_1 * xp.eye(h.shape[0])[:, :, None], axis=(0, 1)) * m)
    excess = (traced + about.D_2C / 2) / 4 - third / 12 - xp.sum(about.FC * C) / 8
    return float(excess / (xp.sum(xp.linalg.diagonal(Sigma)) / 4))
