r"""Claims about the growth with the dimension: five exponents, and that fast-forward follows exact steps.

The exponents (`theory.cubic_cnn.scaling`; those of max c second hand, the others derived) are judged on fitted slopes:
data that `sims.slopes.fit_slopes` makes of ``T_0``, ``T_1`` (in η·iterations) and ``c_max`` over (d, seed), with those
of the wrong scaling beside them, for GD (role "gd") and for GD+M (role "momentum").

That fast-forward may be trusted for them is judged on evidence of the role "fast-forward": ``difference`` over (seed,
held, quantity), the largest relative difference of each quantity from exact steps, with windows that are held "tight",
as in the study, and "loose", to `LOOSE` only.
"""

from __future__ import annotations

__all__ = ["AGREEMENT", "CLAIMS", "EXPONENTS", "FAST_FORWARD"]

from lemmascope.theory.claim import Claim, Control, Evidence, Measurement
from lemmascope.theory.cubic_cnn.scaling import LOOSE, PAPER, VALIDATED
from lemmascope.theory.order import exponent_claim
from lemmascope.theory.verdict import Kind

AGREEMENT = 1e-6
"""Largest relative difference of c, Ξ and hitting times that is called agreement: beyond it slopes could be touched."""

FAST_FORWARD = "fast-forward"
"""The role of the evidence on fast-forward."""

_STATEMENTS = {
    ("T_0", "GD"): (r"\eta T_0 = \tilde\Theta(1/(\alpha^3\sigma_0)) = \tilde\Theta(d^{-0.247})", "ηT₀ = Θ̃(1/(α³σ₀))"),
    ("T_1", "GD"): (
        r"\eta T_1 = \tilde\Theta(N/(\sigma_0\sigma^3 d^{3/2})) = \tilde\Theta(d^{0.527})",
        "ηT₁ = Θ̃(N/(σ₀σ³d^{3/2}))",
    ),
    ("c_max", "GD"): (r"\max_r c_r(T) = \tilde\Theta(1/\alpha) = \tilde\Theta(d^{-0.249})", "max c(T) = Θ̃(1/α)"),
    ("T_0", "GD+M"): (
        r"\eta T_0 = \tilde\Theta(\eta(\eta(1-\gamma)\alpha^3\sigma_0)^{-1/2}) = \tilde\Theta(d^{0.1275})",
        "ηT₀ = Θ̃(η (η(1−γ)α³σ₀)^{−1/2})",
    ),
    ("c_max", "GD+M"): (r"\max_r c_r(T) = \tilde\Theta(1/\beta) = \tilde\Theta(d^{0.251})", "max c(T) = Θ̃(1/β)"),
}


def _id(quantity: str, optimizer: str) -> str:
    return f"scaling.{'gd' if optimizer == 'GD' else 'gdm'}.{quantity}"


EXPONENTS = {_id(*key): key for key in PAPER.predicted()}
"""(quantity, optimizer) of each exponent's claim, by id; the exponents are `PAPER.predicted()`."""


def fast_forward(evidence: Evidence, *, held: str = "tight") -> Measurement:
    """Largest relative difference of fast-forward from exact steps, over quantities."""
    found = evidence["difference"].sel(held=held)
    worst = {str(name): float(found.sel(quantity=name).max()) for name in found["quantity"].values}
    loose = float(evidence["difference"].sel(held="loose").max())
    return Measurement(found.max("quantity", skipna=False), upper=AGREEMENT, evidence=worst | {"control": loose})


_TEXT = f"fast-forward and exact steps agree to {AGREEMENT:g} in c, Ξ, T₀ and T₁ over {VALIDATED} iterations"

CLAIMS = (
    Claim(
        id="scaling.fast_forward",
        statement=_TEXT,
        plain=_TEXT,
        kind=Kind.BOUND,
        source="derived",
        measure=fast_forward,
        about=FAST_FORWARD,
        control=Control(f"the same with windows held to {LOOSE:g} only", constants={"held": "loose"}),
    ),
    *(
        exponent_claim(
            id,
            quantity,
            exponent,
            statement=f"${latex}$",
            plain=f"{plain}, that is d^{exponent:.4g} up to factors of log d",
            source="second hand" if quantity == "c_max" else "derived",
            about="gd" if optimizer == "GD" else "momentum",
            unreached="never reach it within T",
            control="a deliberately wrong scaling: α = d^0.15, β = d^−0.35, σ₀ = d^−0.375",
        )
        for id, (quantity, optimizer) in EXPONENTS.items()
        for exponent in [PAPER.predicted()[quantity, optimizer]]
        for latex, plain in [_STATEMENTS[quantity, optimizer]]
    ),
)
