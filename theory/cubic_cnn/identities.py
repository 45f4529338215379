r"""The gradient formulas of section 3 against the weight-space gradient, with a derived rounding bound.

Identities, at any W (derived): with u_k = y_{i(k)} ℓ_{i(k)} Ξ_{r,k}²,

    −⟨∇_{w_r} L, w*⟩  = 3 c_r² (α³ν₁ + β³ν₂) − λ c_r,
    −⟨∇_{w_r} L, x_k⟩ = (3/N) Σ_{k'} K_kk' u_k' − λ Ξ_{r,k}.

One side comes from the system that is run and the other from the other representation, so that an error in either
shows: in coefficient space the right sides are the system's own, in weight space the left ones are.

Rounding (derived, first order in the unit roundoff u, γ_j = j u / (1 − j u)). Where W = aW₀ + BX + b w*ᵀ is formed
from n + 2 terms, let Ŵ = |a||W₀| + |B||X| + |b||w*|ᵀ and k = n + d + 4; where W is the state, Ŵ = |W| and k = d + 2.
With ẑ = |X| Ŵᵀ, both sides compute each response within γ_k ẑ, hence each margin within
δ_i = (3γ_k + γ_{mP+3}) Σ z² ẑ, and each ℓ z² within ℓ z² (e^δ − 1 + 12u) + 2 γ_k ℓ |z| ẑ, since |(log ℓ)'| ≤ 1. Summing
the N P terms against |x_k|ᵀ|p|, for the projection on p, adds γ_{NP+4} + γ_d; that x_k is orthogonal to w* only to
γ_{d+3} |x_k|ᵀ|w*| adds γ_{d+3}. So

    |residual| ≤ (3/N) Σ_k [ℓz² (2(e^δ − 1 + 12u + γ_{NP+4} + γ_d) + γ_{d+3}) + 4 γ_k ℓ|z| ẑ] |x_k|ᵀ|p|
                 + 2 λ γ_k Ŵ|p| + underflow.

The right side of the noise gradient is u K or, without forming K, (u X)Xᵀ: n and d terms in either order, so within
γ_n + γ_d of the same sum of magnitudes, which the bound counts for each side.

Underflow: below the smallest normal number ω of the run's arithmetic a result is off by up to ω. On each side that is ω
in an ℓ (times z²), in a product ℓz², in N P products with x_k for each of d components, and in d products with p:

    underflow = 2ω [(3/N) Σ_k (z² + 1) |x_k|ᵀ|p| + N P Σ_j |p_j| + d].
"""

from __future__ import annotations

__all__ = ["GradientAudit"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn import weights
from lemmascope.theory.cubic_cnn.law import Sample
from lemmascope.theory.cubic_cnn.model import logistic_weight

Array = Any

SMALLEST = 2.0**-1022
"""Smallest normal number of float64."""


@dataclass(frozen=True)
class GradientAudit:
    """Both identities on one sample of the law; what does not depend on W is formed once, by `of`.

    Attributes:
        X: (N, P, d) patches, the signal patch first; y, strength: (N,); w_star: (d,).
        noise: (n, d) noise patches; K: (n, n) their Gram matrix, or None: the patches are multiplied each time.
        onto_signal: (N P, 1) |x_k|ᵀ|w*|; onto_noise: (N P, n) |x_k|ᵀ|x_k'|, or None as K is.
    """

    X: Array
    y: Array
    strength: Array
    w_star: Array
    noise: Array
    K: Array | None
    onto_signal: Array
    onto_noise: Array | None

    @classmethod
    def of(cls, sample: Sample, *, gram: bool = True) -> GradientAudit:
        """Prepare the audit of a sample.

        Args:
            sample: of the law.
            gram: whether to form K, which takes n² numbers and pays off where n is at most d or so.

        Raises:
            ValueError: the sample is not one of the law (no signal patch is told apart).
        """
        if not sample.of_the_law or sample.w_star is None:
            raise ValueError("the split into signal and noise gradients needs data of the law")
        X = sample.signal_first()
        xp = array_namespace(X)
        N, P, d = X.shape
        noise = xp.reshape(X[:, 1:, :], (N * (P - 1), d))
        rows = xp.abs(xp.reshape(X, (N * P, d)))
        return cls(
            X=X,
            y=sample.y,
            strength=sample.strength,
            w_star=sample.w_star,
            noise=noise,
            K=noise @ noise.T if gram else None,
            onto_signal=rows @ xp.abs(sample.w_star)[:, None],
            onto_noise=rows @ xp.abs(noise).T if gram else None,
        )

    def gram_product(self, u: Array) -> Array:
        """u K for u (m, n)."""
        return (u @ self.noise) @ self.noise.T if self.K is None else u @ self.K

    def _onto_noise(self, mass: Array, rows: Array) -> Array:
        """Σ_k mass_k |x_k|ᵀ|x_k'| for mass (m, N P) and rows (N P, d) = |X|, shaped (m, n)."""
        if self.onto_noise is not None:
            return mass @ self.onto_noise
        xp = array_namespace(mass)
        (N, P, _), m = self.X.shape, mass.shape[0]
        return xp.reshape(xp.reshape((mass @ rows) @ rows.T, (m, N, P))[:, :, 1:], (m, N * (P - 1)))

    def formula(self, W: Array, lam: float) -> tuple[Array, Array]:
        """The right sides at weights W (m, d), computed from (c, Ξ) alone: (m,) and (m, n)."""
        xp = array_namespace(W)
        N, P = self.X.shape[:2]
        c, Xi = W @ self.w_star, W @ self.noise.T
        cubes = xp.sum(xp.reshape(xp.sum(Xi**3, axis=0), (N, P - 1)), axis=-1)
        ell = logistic_weight(self.strength**3 * xp.sum(c**3) + self.y * cubes)
        u = xp.reshape(xp.tile((self.y * ell)[:, None], (1, P - 1)), (-1,)) * Xi**2
        signal = 3 * c**2 * (xp.sum(self.strength**3 * ell) / N) - lam * c
        return signal, (3.0 / N) * self.gram_product(u) - lam * Xi

    def residuals(
        self,
        W: Array,
        lam: float,
        right: tuple[Array, Array],
        *,
        W_hat: Array,
        terms: int,
        unit: float,
        left: tuple[Array, Array] | None = None,
        smallest: float = SMALLEST,
    ) -> dict[str, float]:
        """Residuals of both identities at weights W (m, d), the largest over neurons and patches.

        Args:
            W: (m, d) weights.
            lam: ℓ₂ penalty λ.
            right: the right sides, (m,) and (m, n), as the system that is run has them.
            W_hat: (m, d) Ŵ of the module's rounding bound.
            terms: n + 2 where W was formed from as many terms, 0 where it is the state.
            unit: unit roundoff of the run's arithmetic.
            left: the left sides, where the system that is run has them; default `weights.gradient`.
            smallest: smallest normal number ω of the run's arithmetic.

        Returns:
            ``signal_gradient_residual``, ``noise_gradient_residual``: largest |left − right|;
            ``signal_gradient_ratio``, ``noise_gradient_ratio``: largest |left − right| / rounding bound,
            which is ≤ 1 when the identity holds to rounding.
        """
        xp = array_namespace(W)
        (N, P, d), m = self.X.shape, W.shape[0]
        if left is None:
            grad = -weights.gradient(W, self.X, self.y, lam)
            left = (grad @ self.w_star, grad @ self.noise.T)

        def gamma(k: int) -> float:
            return k * unit / (1 - k * unit)

        g_k = gamma(terms + d + 2)
        z = xp.reshape(weights.responses(W, self.X), (m, N, P))
        ell = logistic_weight(self.y * xp.sum(z * z * z, axis=(0, 2)))
        rows = xp.abs(xp.reshape(self.X, (N * P, d)))
        z_hat = xp.reshape(W_hat @ rows.T, (m, N, P))
        delta = (3 * g_k + gamma(m * P + 3)) * xp.sum(z * z * z_hat, axis=(0, 2))
        # Beyond e^700 the bound is no bound, and must stay a number.
        growth = xp.expm1(xp.where(delta < 700, delta, xp.full_like(delta, 700.0)))
        relative = 2 * (growth + 12 * unit + gamma(N * P + 4) + gamma(d)) + gamma(d + 3)
        spread = z * z * relative[None, :, None] + 4 * g_k * xp.abs(z) * z_hat
        mass = xp.reshape((3.0 / N) * ell[None, :, None] * spread, (m, N * P))
        lost = xp.reshape((6.0 * smallest / N) * (z * z + 1), (m, N * P))
        weight = mass + lost
        found: dict[str, float] = {}
        for name, one, other, summed, target in (
            ("signal_gradient", left[0], right[0], weight @ self.onto_signal, self.w_star[:, None]),
            ("noise_gradient", left[1], right[1], self._onto_noise(weight, rows), self.noise.T),
        ):
            share = N * P * xp.sum(xp.abs(target), axis=0) + d
            bound = summed + 2 * smallest * share
            if lam:
                bound = bound + 2 * lam * g_k * (W_hat @ xp.abs(target))
            residual = xp.abs(xp.reshape(one - other, bound.shape))
            found[f"{name}_residual"] = float(xp.max(residual))
            found[f"{name}_ratio"] = float(xp.max(residual / bound))
        return found
