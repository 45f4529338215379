"""Statements of real arithmetic (polynomials, quotients, orders) decided by z3 for all real values."""

from __future__ import annotations

__all__ = ["TIMEOUT_S", "decide"]

from fractions import Fraction
from typing import Any

from lemmascope.proofs_check.step import Outcome, open_, proved, refuted

TIMEOUT_S = 20.0


def _value(number: Any) -> float | str:
    import z3

    if z3.is_rational_value(number):
        return float(Fraction(number.numerator_as_long(), number.denominator_as_long()))
    if z3.is_algebraic_value(number):
        approximate = number.approx(20)
        return float(Fraction(approximate.numerator_as_long(), approximate.denominator_as_long()))
    return str(number)


def decide(
    conclusion: Any, hypotheses: tuple[Any, ...] = (), *, timeout_s: float = TIMEOUT_S, what: str = "the statement"
) -> Outcome:
    """Decide whether the hypotheses imply the conclusion over the reals.

    z3 is asked for values that satisfy the hypotheses and not the conclusion: there are none (PROVED), here they are
    (REFUTED; irrational ones are rounded), or it cannot tell within ``timeout_s`` (INCONCLUSIVE). Hypotheses that
    contradict each other would prove anything: they are refused.

    Args:
        conclusion: a z3 formula.
        hypotheses: z3 formulas.
        timeout_s: seconds for each question.
        what: names the statement in the reason.

    Raises:
        ValueError: if no values satisfy the hypotheses.
    """
    import z3

    solver = z3.Solver()
    solver.set("timeout", int(1000 * timeout_s))
    solver.add(*hypotheses)
    if hypotheses and solver.check() == z3.unsat:
        raise ValueError(f"{what}: no values satisfy the hypotheses")
    solver.add(z3.Not(conclusion))
    answer = solver.check()
    if answer == z3.unsat:
        return proved(f"{what} holds for all real values: its negation has no solution (z3, real arithmetic)")
    if answer == z3.sat:
        model = solver.model()
        at = {str(name): _value(model[name]) for name in sorted(model.decls(), key=str)}
        return refuted(f"{what} fails at the values that z3 found", {"at": at})
    return open_(f"z3 could not decide {what} within {timeout_s:g} s ({solver.reason_unknown()})")
