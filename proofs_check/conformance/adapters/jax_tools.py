"""What the drivers of optimizers over JAX share."""

from __future__ import annotations

__all__ = ["array", "has_control", "precision"]

from collections.abc import Callable, Iterator
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


def has_control(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether there is control flow in a function; not where it cannot be traced, so that it is never compiled."""
    import jax

    try:
        return _within(jax.make_jaxpr(function)(*arguments))
    except Exception:
        return False


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
