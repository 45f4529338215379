"""An optimizer driven through numbers that are written down."""

from __future__ import annotations

__all__ = ["run"]

from collections.abc import Callable, Collection, Sequence
from math import prod
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import drivers
from lemmascope.proofs_check.conformance.adapters.errors import Unsupported, Untried
from lemmascope.proofs_check.conformance.adapters.subject import Subject
from lemmascope.proofs_check.conformance.case import OPTIONS, Case
from lemmascope.proofs_check.conformance.formats import dtypes_of
from lemmascope.theory.errors import InputError, check_number

Row = Sequence[float] | np.ndarray


def run(
    make_optimizer: Callable[..., Any],
    *,
    theta: Row,
    gradients: Sequence[Row] | np.ndarray,
    eta: float | Row,
    gamma: float | Row = 0.0,
    dtype: Any = "float64",
    library: str | None = None,
    arrays: Sequence[Sequence[int]] = (),
    missing: Collection[tuple[int, int]] = (),
    **options: Any,
) -> np.ndarray:
    """Drive an optimizer through prescribed gradients; the iterates θ_0, …, θ_T, (T + 1, n).

    Args:
        make_optimizer: see `proofs_check.conformance.adapters`.
        theta: θ_0, n numbers.
        gradients: ∇_0, …, ∇_{T−1}, n numbers each.
        eta: learning rate, or one for each step.
        gamma: momentum, or one for each step.
        dtype: "float64", "float32", "float16" or "bfloat16".
        library: one of `adapters.drivers`, or None to find out.
        arrays: shapes of the parameter arrays into which the n coordinates are laid; one vector by default.
        missing: (step, array) where there is no gradient.
        options: dampening, weight_decay, maximize.

    Raises:
        InputError: for any of them that is not as above, and what the optimizer does not take.
    """
    rows = [_row(f"gradients[{t}]", row) for t, row in enumerate(_listed("gradients", gradients))]
    start = _row("theta", theta)
    for t, row in enumerate(rows):
        if len(row) != len(start):
            raise InputError(f"gradients[{t}]", f"{len(row)} numbers", f"it must have {len(start)}, as theta")
    rates, momenta = (_each(field, value, len(rows)) for field, value in (("eta", eta), ("gamma", gamma)))
    shapes = tuple(tuple(map(int, shape)) for shape in arrays)
    if shapes and sum(map(prod, shapes)) != len(start):
        raise InputError("arrays", shapes, f"they must hold {len(start)} numbers together, as theta")
    gone = frozenset((int(t), int(a)) for t, a in missing)
    if not all(0 <= t < len(rows) and 0 <= a < max(len(shapes), 1) for t, a in gone):
        raise InputError("missing", sorted(gone), "each must be (step, array), counted from 0")
    for name in options:
        if name not in OPTIONS:
            raise InputError("option", name, f"it must be one of {', '.join(OPTIONS)}; set others in make_optimizer")
    case = Case(
        start,
        tuple(rows),
        rates,
        momenta[0] if momenta else 0.0,
        _one(dtype),
        **options,
        arrays=shapes,
        momenta=momenta if len(set(momenta)) > 1 else None,
        missing=gone,
    )
    if library is not None and library not in drivers():
        raise InputError("library", library, f"it must be one of {', '.join(drivers())}")
    subject = Subject(make_optimizer, library=library)
    try:
        return subject.iterates(case)
    except (Unsupported, Untried) as error:
        raise InputError(
            "make_optimizer", getattr(make_optimizer, "__name__", "it"), f"the optimizer {error}"
        ) from error


def _one(dtype: Any) -> str:
    found = dtypes_of(dtype)
    if len(found) > 1:
        raise InputError("dtype", dtype, "it must be one number type")
    return found[0]


def _listed(field: str, values: Any) -> list[Any]:
    """A sequence or an array, without a mask, as a list."""
    if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        raise InputError(field, "a masked array", "no entry may be masked")
    if isinstance(values, str) or _single(values):
        raise InputError(field, values, "it must be a sequence or an array")
    return list(values)


def _single(value: Any) -> bool:
    return not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0


def _row(field: str, values: Any) -> tuple[float, ...]:
    return tuple(check_number(f"{field}[{j}]", x) for j, x in enumerate(_listed(field, values)))


def _each(field: str, value: Any, steps: int) -> tuple[float, ...]:
    """One number for each step."""
    if _single(value):
        return (check_number(field, value),) * steps
    found = _row(field, value)
    if len(found) != steps:
        raise InputError(field, f"{len(found)} numbers", f"it must be one number, or {steps}: one for each gradient")
    return found
