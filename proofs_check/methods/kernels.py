r"""Weights of past gradients in what an optimizer keeps: proofs by comparing coefficients, for symbolic times.

The state after t steps is u_t = Σ_{s<t} w(t, s) ∇_s. It solves u_{t+1} = γu_t + κ_t ∇_t, u_0 = 0, for all sequences of
gradients if and only if w(t+1, t) = κ_t, and w(t+1, s) = γ w(t, s) for s < t: identities in t, s, γ and η_s.
"""

from __future__ import annotations

__all__ = ["ANY", "INDUCTION", "age", "count", "eta", "gamma", "rate", "same", "since", "solves"]

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.outcome import Outcome, both, proved

gamma, eta = sp.symbols("gamma eta", positive=True)
since, age, count = sp.symbols("s n t", integer=True, nonnegative=True)
"""A step s; how many steps ago it was, less one, when t = s + n + 1; a number of steps."""
rate = sp.Function("eta", positive=True)
"""A schedule: η at a step."""

ANY = ("0 < γ < 1", "any gradients")
"""The hypotheses under which `solves` decides."""
INDUCTION = "coefficient by coefficient, induction over t for a symbolic t, by SymPy"
"""The method of `solves`, in a sentence."""


def _normal(expression: sp.Expr) -> sp.Expr:
    """Rational functions of γ, powers γ^n and γ^s split off and taken for symbols."""
    split = sp.expand_power_exp(sp.powsimp(sp.expand(expression)))
    return sp.expand(sp.numer(sp.together(sp.expand(sp.expand_power_exp(split)))))


def same(left: Any, right: Any, reason: str) -> Outcome:
    """Equal for all γ, exponents and rates; the rates of different steps are symbols of their own."""

    rates: dict[Any, sp.Symbol] = {}

    def named(side: Any) -> Any:
        return sp.sympify(side).replace(
            lambda e: isinstance(e, AppliedUndef), lambda e: rates.setdefault(e, sp.Dummy(str(e), positive=True))
        )

    return equal(named(left), named(right), reason, _normal)


def solves(w: Any, kappa: Any) -> Outcome:
    """That Σ_{s<t} w(t, s) ∇_s solves u_{t+1} = γu_t + κ_t ∇_t, u_0 = 0, for every t and all gradients.

    Args:
        w: from (t, s) to a coefficient.
        kappa: from t to κ_t.
    """
    t = since + age + 1
    return both(
        ("no steps, no sum", proved("u_0 is an empty sum")),
        ("the new gradient", same(w(since + 1, since), kappa(since), "w(t+1, t) = κ_t")),
        ("those before", same(w(t + 1, since), gamma * w(t, since), "w(t+1, s) = γ w(t, s), for all s < t")),
    )
