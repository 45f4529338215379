"""What the drivers of optimizers over JAX share."""

from __future__ import annotations

__all__ = ["array", "has_control", "precision"]

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

CONTROL = frozenset(("cond", "while", "scan"))
"""What JAX compiles anew each time that it is called, unless it is within a compiled function."""


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Double precision where the number type is that."""
    import jax

    with jax.enable_x64(dtype == "float64"):
        yield


def array(values: Any, dtype: str) -> Any:
    """An array of JAX."""
    import jax.numpy as jnp

    return jnp.asarray(values, dtype=dtype)


def has_control(known: dict[Any, bool], key: Hashable, function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether there is control flow in a function; not where it cannot be traced, so that it is never compiled.

    Args:
        known: what was found out before, by key.
        key: for which functions the answer is the same.
        function, arguments: one of them, and what it is called with.
    """
    import jax

    if key not in known:
        try:
            known[key] = _within(jax.make_jaxpr(function)(*arguments))
        except Exception:
            known[key] = False
    return known[key]


def _within(jaxpr: Any) -> bool:
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    for equation in inner.eqns:
        if equation.primitive.name in CONTROL:
            return True
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                if (hasattr(part, "eqns") or hasattr(part, "jaxpr")) and _within(part):
                    return True
    return False
