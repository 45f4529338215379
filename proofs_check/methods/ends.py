r"""The limit of a function with logarithms at an end of an interval, from its leading terms; their signs are balls'.

For f = r_0 + Σ_i r_i log p_i with rational r_i and p_i, put x = e ± y, or x = 1/y at ∞, so that y → 0+. Each p_i is
c y^k (1 + …) with c > 0, hence log p_i = log c + k log y + a power series, and with Laurent series A and B

    f = A(y) + B(y) log y.

As |y^n log y| exceeds every constant times y^n, the lowest order n ≤ 0 that occurs decides: in B it is −∞ times the
sign of its coefficient, in A with n < 0 it is ∞ times that sign, and otherwise the limit is A's coefficient of y^0.
"""

from __future__ import annotations

__all__ = ["coefficients", "limit"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.signs import sign


class _Undecided(Exception):
    """The function is of another kind, or no sign of a coefficient is known."""


def limit(f: sp.Expr, x: sp.Symbol, end: sp.Expr, side: str) -> sp.Expr | None:
    """The limit of f at an end.

    Args:
        f: an expression in x alone: rational functions, and logarithms of such times rational functions.
        x: its symbol.
        end: a rational number, or `sympy.oo`.
        side: "+" from above, "-" from below.

    Returns:
        An exact number, `sympy.oo` or −`sympy.oo`; None if f is of another kind, or a coefficient could be told neither
        zero nor different from it.
    """
    y = sp.Dummy("y", positive=True)
    at = 1 / y if end == sp.oo else end + y if side == "+" else end - y
    try:
        return _limit(f.subs(x, at), y)
    except _Undecided:
        return None


def _limit(f: sp.Expr, y: sp.Symbol) -> sp.Expr:
    logs = sorted((log for log in f.atoms(sp.log) if log.has(y)), key=str)
    names = {log: sp.Dummy() for log in logs}
    linear = f.subs(names)
    factors = [sp.diff(linear, name) for name in names.values()]
    if any(factor.has(*names.values()) for factor in factors):
        raise _Undecided
    plain: dict[int, sp.Expr] = {}
    logarithmic: dict[int, sp.Expr] = {}
    _add(plain, _series(linear.subs(dict.fromkeys(names.values(), 0)), y, 0), 1)
    for log, factor in zip(logs, factors, strict=True):
        series = _series(factor, y, 0)
        # Asked also where the factor vanishes at the end: only then does the product.
        k, c, powers = _logarithm(log.args[0], y, -min(series, default=0))
        _add(logarithmic, series, k)
        _add(plain, series, sp.log(c))
        for n, coefficient in powers.items():
            _add(plain, {m + n: value for m, value in series.items()}, coefficient)
    for n in sorted(n for n in {*plain, *logarithmic, 0} if n <= 0):
        if told := _told(logarithmic.get(n, sp.Integer(0))):
            return -told * sp.oo
        if n == 0:
            return plain.get(0, sp.Integer(0))
        if told := _told(plain.get(n, sp.Integer(0))):
            return told * sp.oo
    raise AssertionError("order 0 is always looked at")


def _add(total: dict[int, sp.Expr], series: dict[int, sp.Expr], factor: Any) -> None:
    for n, coefficient in series.items():
        total[n] = total.get(n, sp.Integer(0)) + factor * coefficient


def _told(number: sp.Expr) -> int:
    found = sign(number)
    if found is None:
        raise _Undecided
    return found


def coefficients(polynomial: sp.Expr, y: sp.Symbol) -> dict[int, sp.Expr]:
    """Of each power of y; some may be 0. `sympy.Poly` would ask numbers for their digits to leave such out."""
    found: dict[int, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(polynomial)):
        coefficient, power = term.as_coeff_exponent(y)
        found[int(power)] = found.get(int(power), sp.Integer(0)) + coefficient
    return found


def _parts(rational: sp.Expr, y: sp.Symbol) -> tuple[int, list[sp.Expr], list[sp.Expr]]:
    """Order n and coefficients, lowest first, of y^n (a_0 + a_1 y + …)/(b_0 + b_1 y + …), a_0 and b_0 not 0.

    All of the a are none for the function 0.
    """
    order, parts = 0, []
    for polynomial, power in zip(sp.fraction(sp.together(rational)), (1, -1), strict=True):
        if not polynomial.is_polynomial(y):
            raise _Undecided
        found = coefficients(polynomial, y)
        lowest_first = [found.get(n, sp.Integer(0)) for n in range(max(found) + 1)]
        while lowest_first and _told(lowest_first[0]) == 0:
            order += power
            del lowest_first[0]
        parts.append(lowest_first)
    if not parts[1]:
        raise _Undecided
    return order, parts[0], parts[1]


def _quotient(top: list[sp.Expr], bottom: list[sp.Expr], count: int) -> list[sp.Expr]:
    """The first coefficients of a quotient of power series, where the lower one has bottom[0] ≠ 0."""
    found: list[sp.Expr] = []
    for n in range(count):
        known = sum((bottom[j] * found[n - j] for j in range(1, min(n, len(bottom) - 1) + 1)), sp.Integer(0))
        found.append(((top[n] if n < len(top) else 0) - known) / bottom[0])
    return found


def _series(rational: sp.Expr, y: sp.Symbol, last: int) -> dict[int, sp.Expr]:
    """Laurent coefficients up to the order ``last``."""
    order, top, bottom = _parts(rational, y)
    if not top:
        return {}
    return {order + n: value for n, value in enumerate(_quotient(top, bottom, max(last - order + 1, 0)))}


def _logarithm(argument: sp.Expr, y: sp.Symbol, last: int) -> tuple[int, sp.Expr, dict[int, sp.Expr]]:
    """k, c and the coefficients from y up to y^last of log(argument) = k log y + log c + a power series."""
    k, top, bottom = _parts(argument, y)
    if not top or _told(top[0] / bottom[0]) < 0:
        raise _Undecided
    c = top[0] / bottom[0]
    s = [value / c for value in _quotient(top, bottom, last + 1)]
    powers: dict[int, sp.Expr] = {}
    for n in range(1, last + 1):  # from s (log s)' = s'
        powers[n] = s[n] - sum((sp.Rational(j, n) * powers[j] * s[n - j] for j in range(1, n)), sp.Integer(0))
    return k, c, powers
