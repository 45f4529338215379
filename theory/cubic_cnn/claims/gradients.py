r"""The signal and noise gradients are the formulas of the closed system, to rounding, at every recorded iteration.

Identities (derived): see `theory.cubic_cnn.identities`, which has the rounding bound. Computed is the largest residual
over its bound, over neurons, patches and recorded iterations.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.claim import Claim, Control, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn.claims.hypotheses import CLEAN_LABELS, KNOWN_LAW, STAYED_FINITE
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

AUDITED = Hypothesis(
    "audited", "the run holds weights in R^d and was audited", lambda run: "signal_gradient_ratio" in run
)


def _measure(run: Run, name: str) -> Measurement:
    ratio, residual = (run[f"{name}_{what}"].max("iteration", skipna=False) for what in ("ratio", "residual"))
    evidence = {"iterations checked": run.data.sizes["iteration"]}
    return Measurement(ratio, upper=1.0, residual=residual, evidence=evidence)


def signal_gradient(run: Run) -> Measurement:
    """Residual of the signal gradient over its rounding bound."""
    return _measure(run, "signal_gradient")


def noise_gradient(run: Run) -> Measurement:
    """Residual of the noise gradient over its rounding bound."""
    return _measure(run, "noise_gradient")


CLAIMS = (
    Claim(
        id="lemma.signal_gradient",
        statement=(
            r"$-\langle \nabla_{w_r} L, w^* \rangle = 3 c_r^2 (\alpha^3 \nu_1 + \beta^3 \nu_2) - \lambda c_r$, to"
            r" rounding, for every neuron in each recorded iteration"
        ),
        plain="−⟨∇L, w*⟩ = 3c_r² (α³ν₁ + β³ν₂) − λc_r, as recorded: largest residual over its rounding bound",
        kind=Kind.IDENTITY,
        source="derived",
        measure=signal_gradient,
        assumes=(KNOWN_LAW, CLEAN_LABELS, AUDITED, STAYED_FINITE),
        control=Control("a run whose gradient lacks its factor 3", made="planted:missing_three"),
    ),
    Claim(
        id="lemma.noise_gradient",
        statement=(
            r"$-\langle \nabla_{w_r} L, x_k \rangle = \frac{3}{N} \sum_{k'} K_{kk'} y_{i(k')} \ell_{i(k')} \Xi_{k',r}^2"
            r" - \lambda \Xi_{k,r}$, to rounding, for every patch and neuron in each recorded iteration"
        ),
        plain="−⟨∇L, x_k⟩ = (3/N) Σ_k' K_kk' y ℓ Ξ_k'² − λΞ_k, as recorded: largest residual over its rounding bound",
        kind=Kind.IDENTITY,
        source="derived",
        measure=noise_gradient,
        assumes=(KNOWN_LAW, AUDITED, STAYED_FINITE),
        control=Control("a run whose noise patches are not orthogonal to the feature", made="planted:tilted_noise"),
    ),
)
