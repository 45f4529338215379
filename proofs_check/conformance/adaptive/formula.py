"""A form's step as one line of symbols."""

from __future__ import annotations

__all__ = ["formula"]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adaptive.form import Form


def formula(form: Form) -> str:
    """One step, t = 1, 2, …; every buffer starts at 0 unless it is said."""
    parts = ["g ← ∇ + λθ"] if form.decay == "coupled" else []
    g = "g" if parts else "∇"
    keeps = {"interpolated": "", "sum": f"m ← β₁m + {g}"}.get(form.numerator, f"m ← β₁m + (1−β₁){g}")
    if form.averages and keeps:
        parts.append(keeps)
    n = _numerator(form, g)
    if form.memory in ("none", "sign"):
        u = f"sign({n})" if form.memory == "sign" else n
    else:
        parts += _squares(form, g)
        below = _denominator(form)
        below = f"[{below}]" if "/√" in below else f"({below})" if below.endswith(" + ε") else below
        u = f"[{n}]/{below}" if "/" in n or " " in n else f"{n}/{below}"
    if form.rectified != "no":
        parts.append(f"ρₜ > {form.rectified[-1]}")
        u = f"rₜ·{u}"
    parts += _moved(form, u)
    if form.numerator.startswith("scheduled"):
        psi = {"scheduled_torch": "0.004", "scheduled_keras": "1"}.get(form.numerator, "ψ")
        parts.append(f"μₜ = β₁(1 − ½·0.96^({psi}t))")
    if form.numerator == "interpolated":
        parts.append(f"m ← β₂m + (1−β₂){g}")
    return ", ".join(parts)


def _numerator(form: Form, g: str) -> str:
    if form.numerator == "gradient":
        return g
    if form.numerator.startswith("scheduled"):
        return f"μₜ₊₁m/(1−μ₁⋯μₜ₊₁) + (1−μₜ){g}/(1−μ₁⋯μₜ)"
    ahead = f"β₁m + (1−β₁){g}"
    if form.correction == "ahead":
        return f"β₁m/(1−β₁ᵗ⁺¹) + (1−β₁){g}/(1−β₁ᵗ)"
    n = ahead if form.numerator in ("nesterov", "interpolated") else "m"
    if form.correction == "same":
        return f"({n})/(1−β₁ᵗ)" if " " in n else f"{n}/(1−β₁ᵗ)"
    return n


def _squares(form: Form, g: str) -> list[str]:
    if form.memory == "largest":
        seen = {"inside": f"|{g}| + ε", "floor": f"|{g}|, ε"}.get(form.epsilon, f"|{g}|")
        return [f"v ← max(β₂v, {seen})"]
    s = {"gradient": f"{g}²", "momentum": "m²", "residual": f"({g}−m)²", "residual_before": f"({g}−m₋)²"}[form.squares]
    added = " + ε" if form.epsilon.startswith("accumulated") else ""
    start = {"zero": "", "one": " from 1", "tenth": " from 0.1", "given": " from v₀"}[form.start]
    parts = [f"v ← v + {s}{start}" if form.memory == "sum" else f"v ← β₂v + (1−β₂){s}{added}{start}"]
    if form.memory == "centred":
        parts.append(f"a ← β₂a + (1−β₂){g}")
    if form.maximum != "no":
        corrected = "v/(1−β₂ᵗ)" if form.maximum == "corrected" else "v"
        parts.append(f"V ← max(V, {corrected})")
    return parts


def _denominator(form: Form) -> str:
    v, kind = "v" if form.maximum == "no" else "V", form.epsilon
    if form.memory == "largest":
        return "v + ε" if kind == "outside" else "v"
    corrected = form.correction_squares == "yes" and form.maximum != "corrected"
    if kind == "before_correction":
        return f"(√{v} + ε)/√(1−β₂ᵗ)"
    if kind == "inside_before_correction":
        return f"√(({v} + ε)/(1−β₂ᵗ))"
    inner = f"{v} − a²" if form.memory == "centred" else v
    if corrected:
        inner = f"({inner})/(1−β₂ᵗ)" if " " in inner else f"{inner}/(1−β₂ᵗ)"
    if kind == "inside":
        return f"√({inner} + ε)"
    root = f"√({inner})" if len(inner) > 1 else f"√{inner}"
    if kind in ("outside", "accumulated_outside"):
        return f"{root} + ε"
    return f"max({root}, ε)" if kind == "floor" else root


def _moved(form: Form, u: str) -> list[str]:
    eta = "η₀" if form.rate == "first" else "η"
    lam = {"decoupled": f"{eta}λ", "unscaled": "λ", "relative": f"{eta}λ/η₀", "after": f"{eta}λ"}.get(form.decay, "")
    kept = f"(1−{lam})θ" if lam and form.decay != "after" else "θ"
    plain = " + " not in u or u[0] == "[" or u.startswith(("sign(", "rₜ")) or "/(" in u
    if form.decay == "before_outer":
        u, plain = f"({u} + λθ)", True
    wrapped = u if plain else f"({u})"
    if form.outer == "schedule_free":
        pull = f"({u} + λθ)" if form.decay == "decoupled" else wrapped
        seen = {"first": "η₀", "weights_ahead": "max η₂…ηₜ₊₁"}.get(form.rate, "max η₁…ηₜ")
        weights = f"c = wₜ/(w₁ + … + wₜ), wₜ = ({seen})²"
        return [f"z ← z − {eta}·{pull}", "x ← (1−c)x + cz", "θ ← (1−β₁)z + β₁x", weights]
    move = {
        "plain": [f"θ ← {kept} − {eta}·{wrapped}"],
        "outside": [f"b ← γb + {u}", f"θ ← {kept} − {eta}b"],
        "inside": [f"b ← γb + {eta}·{wrapped}", f"θ ← {kept} − b"],
        "average": [f"b ← γb + (1−γ)·{wrapped}", f"θ ← {kept} − {eta}b"],
        "nesterov": [f"b ← γb + {u}", f"θ ← {kept} − {eta}(γb + {u})"],
        "nesterov_inside": [f"b ← γb + {eta}·{wrapped}", f"θ ← {kept} − γb − {eta}·{wrapped}"],
    }[form.outer]
    return [*move, f"θ ← (1−{lam})θ"] if form.decay == "after" else move
