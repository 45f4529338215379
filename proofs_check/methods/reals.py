"""Statements of real arithmetic (polynomials, quotients, orders) decided by z3 for all real values.

How far z3 goes is counted in its own units of work, in a context of its own: the answer depends on the statement alone,
and neither on a clock, on the machine's load, nor on what was asked before.
"""

from __future__ import annotations

__all__ = ["LIMIT", "decide", "rational"]

from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.outcome import Outcome, open_, proved, refuted

LIMIT = 2_000_000
"""Units of work (z3's rlimit): some 110 times what the hardest question of the house needs, which is 18 thousand. A
question that reaches the limit takes tens of seconds; how long a unit takes depends on the question."""

SEED = 0


def rational(value: Any) -> Any:
    """A rational number of SymPy's, or an integer, as one of z3's."""
    import z3

    found = sp.Rational(value)
    return z3.Q(int(found.p), int(found.q))


def decide(
    conclusion: Any, hypotheses: tuple[Any, ...] = (), *, limit: int = LIMIT, what: str = "the statement"
) -> Outcome:
    """Decide whether the hypotheses imply the conclusion over the reals.

    z3 is asked for values that satisfy the hypotheses and not the conclusion: there are none (PROVED), here they are
    (REFUTED; ``at`` has floats, ``exact`` the rational numbers that no float is), or it cannot tell within the limit
    (INCONCLUSIVE). Hypotheses that contradict each other would prove anything: they are refused.

    Args:
        conclusion: a z3 formula.
        hypotheses: z3 formulas.
        limit: units of work for each question.
        what: names the statement in the reason.

    Raises:
        ValueError: if no values satisfy the hypotheses.
    """
    import z3

    context = z3.Context()
    # Not `z3.Solver`, whose tactics give up by the clock and try something else.
    solver = z3.SimpleSolver(ctx=context)
    solver.set("rlimit", limit)
    solver.set("random_seed", SEED)
    solver.add(*(z3.And(one, z3.BoolVal(True)).translate(context) for one in hypotheses))
    if hypotheses and solver.check() == z3.unsat:
        raise ValueError(f"{what}: no values satisfy the hypotheses")
    solver.add(z3.Not(conclusion).translate(context))
    answer = solver.check()
    if answer == z3.unsat:
        return proved(f"{what} holds for all real values: its negation has no solution (z3, real arithmetic)")
    if answer == z3.sat:
        model = solver.model()
        values = {str(name): model[name] for name in sorted(model.decls(), key=str) if name.arity() == 0}
        at = {name: _value(value) for name, value in values.items()}
        # A strict inequality may fail at just one point, which no float is.
        fractions = {name: _fraction(value) for name, value in values.items() if isinstance(at[name], float)}
        exact = {name: str(value) for name, value in fractions.items() if value is not None and value != at[name]}
        return refuted(f"{what} fails at the values that z3 found", {"at": at, **({"exact": exact} if exact else {})})
    return open_(f"z3 could not decide {what} within {limit} units of work ({solver.reason_unknown()})")


def _fraction(number: Any) -> Fraction | None:
    import z3

    return Fraction(str(number)) if z3.is_rational_value(number) or z3.is_int_value(number) else None


def _value(number: Any) -> float | str:
    """For the reader: a float, or the number's text where no float is near."""
    import z3

    fraction = _fraction(number.approx(20) if z3.is_algebraic_value(number) else number)
    if fraction is None:
        return str(number)
    try:
        value = float(fraction)
    except OverflowError:
        return str(fraction)
    return value if value or not fraction else str(fraction)
