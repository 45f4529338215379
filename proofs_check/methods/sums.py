r"""Finite sums over ranges of symbolic size: Σ_k δ_{bk} g_k = g_b, and a normal form for sums of products.

The rules are those of finite sums, whatever their length:

    Σ_k δ_{bk} g_k = g_b for b in the range,    Σ_k (g_k + h_k) = Σ_k g_k + Σ_k h_k,
    Σ_k c g_k = c Σ_k g_k for c without k,      Σ_j Σ_k g_jk = Σ_k Σ_j g_jk.

Two expressions with the same normal form are equal for all sizes; two with different ones need not differ, so a
difference is claimed only with numbers, at small sizes.
"""

from __future__ import annotations

__all__ = ["contracted", "equal_sums", "explicit", "normal"]

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import apart, difference_witness
from lemmascope.proofs_check.outcome import Outcome, open_, proved, refuted


def contracted(expression: sp.Expr, within: Mapping[sp.Symbol, tuple[Any, Any]]) -> sp.Expr:
    """Σ_k δ_{bk} g_k becomes g_b, in every sum where b is one of ``within``; every other delta is left where it is.

    A sum over another range than that of b, or of another index than b alone, as Σ_k δ_{k, N−k} g_k, keeps its delta.

    Args:
        expression: with sums in which g_k is defined for every k.
        within: the free indices b, each with the range (low, high) in which it is stated to lie, ends included.

    Raises:
        ValueError: one of them is not declared an integer; or it, or a symbol of its range, is also the index of a sum
            (or another bound variable).
    """
    if wrong := [index for index in within if not (index.is_Symbol and index.is_integer)]:
        raise ValueError(f"{wrong[0]} must be a symbol that is declared an integer")
    stated = sp.Tuple(*(sp.Tuple(index, *ends) for index, ends in within.items())).free_symbols
    if captured := sorted(stated & _bound(expression), key=str):
        raise ValueError(f"{captured[0]} is free and the index of a sum: give the index another name")
    return expression.replace(lambda e: isinstance(e, sp.Sum), lambda total: _contracted(total, within))


def _contracted(total: sp.Sum, within: Mapping[sp.Symbol, tuple[Any, Any]]) -> sp.Expr:
    _check_indices(total)
    found = sp.Integer(0)
    for part in sp.Add.make_args(sp.expand(total.function)):
        term, kept = part, []
        for index, *ends in total.limits:
            deltas = {sp.KroneckerDelta(b, index): b for b, (low, high) in within.items() if [low, high] == ends}
            delta = next((factor for factor in sp.Mul.make_args(term) if factor in deltas), None)
            if delta is None:
                kept.append(sp.Tuple(index, *ends))
                continue
            # `subs` leaves alone the bound indices of inner sums, as `xreplace` would not.
            term = (term / delta).subs(index, deltas[delta])
            kept = [sp.Tuple(inner, *(end.subs(index, deltas[delta]) for end in range_)) for inner, *range_ in kept]
        found += sp.Sum(term, *kept) if kept else term
    return found


def _check_indices(total: sp.Sum) -> None:
    if len({limit[0] for limit in total.limits}) < len(total.limits):
        raise ValueError(f"two nested sums must not have one index, as in {total}: give one of them another name")


def normal(expression: sp.Expr, order: Sequence[sp.Symbol]) -> sp.Expr:
    """Sums split over +, merged into one, nested in ``order`` (innermost first), each with its constants outside.

    An index must have one range wherever it occurs in ``order``.

    Raises:
        ValueError: the range of one depends on another, which no order of summation leaves alone; or two nested sums
            have one index.
    """
    return sp.expand(expression.replace(lambda e: isinstance(e, sp.Sum), lambda total: _nested(total, order)))


def _nested(total: sp.Sum, order: Sequence[sp.Symbol]) -> sp.Expr:
    _check_indices(total)
    found = sp.Integer(0)
    for part in sp.Add.make_args(sp.expand(total.function)):
        term, limits = _absorbed(part, {limit[0]: limit for limit in total.limits})
        if any(limit[1:] and sp.Tuple(*limit[1:]).has(*limits) for limit in limits.values()):
            raise ValueError(f"the range of a sum must not depend on the index of another, as in {total}")
        for index in sorted(limits, key=list(order).index):
            constant, depends = term.as_independent(index, as_Add=False)
            term = constant * sp.Sum(depends, limits[index])
        found += term
    return found


def _absorbed(term: sp.Expr, limits: dict[sp.Symbol, sp.Tuple]) -> tuple[sp.Expr, dict[sp.Symbol, sp.Tuple]]:
    """c Σ_j g_j as c g_j with j among the limits; a sum stays where its index is in use already."""
    for factor in sp.Mul.make_args(term):
        inner = {limit[0]: limit for limit in factor.limits} if isinstance(factor, sp.Sum) else {}
        rest = term / factor
        if inner and not set(inner) & (set(limits) | rest.free_symbols | _bound(rest)):
            return _absorbed(sp.expand(rest * factor.function), limits | inner)
    return term, limits


def _bound(expression: sp.Expr) -> set[sp.Symbol]:
    """Indices of sums and products, and the variables of integrals, derivatives and substitutions."""
    return {one for part in sp.preorder_traversal(expression) for one in getattr(part, "variables", ())}


def explicit(expression: sp.Expr, sizes: Mapping[sp.Symbol, int]) -> sp.Expr:
    """The expression at given sizes and free indices, its sums written out and W[0, 1] a symbol w01."""
    written = expression.subs(dict(sizes)).doit()
    names = {
        entry: sp.Symbol(
            str(entry.base).lower() + "".join(map(str, entry.indices)), real=True, positive=entry.base.is_positive
        )
        for entry in written.atoms(sp.Indexed)
    }
    return written.xreplace(names)


def equal_sums(
    left: sp.Expr,
    right: sp.Expr,
    order: Sequence[sp.Symbol],
    at: Mapping[sp.Symbol, int],
    *,
    reason: str,
    where: dict[str, Any] | None = None,
) -> Outcome:
    """PROVED for all sizes if both sides have one normal form; REFUTED by numbers at the sizes ``at``; open otherwise.

    Both sides must be defined at the sizes ``at``, and not be told apart there by balls.

    Args:
        left, right: expressions with sums and indexed symbols.
        order: the indices, innermost first.
        at: sizes and free indices for the witness.
        reason: what to say if they are equal.
        where: what names the instance, for the witness.
    """
    sides = explicit(left, at), explicit(right, at)
    if normal(left - right, order) == 0 and apart(*sides) is False:
        return proved(reason)
    sizes = {str(symbol): value for symbol, value in at.items()}
    found = difference_witness(*sides, {**(where or {}), "size": sizes})
    if found is None:
        return open_("shown neither equal, by one normal form and a point where both are defined, nor different")
    return refuted("the two sides differ", found)
