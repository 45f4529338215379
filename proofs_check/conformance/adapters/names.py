"""By which names ``make_optimizer`` may take its settings."""

from __future__ import annotations

__all__ = ["NAMES", "attribute", "settings_of"]

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from lemmascope.theory.errors import InputError

NAMES = {
    "params": ("params", "parameters", "model_params"),
    "eta": ("eta", "lr", "learning_rate", "learning_rate_init", "step_size", "alpha"),
    "gamma": ("gamma", "momentum", "mass", "beta", "beta1", "beta_1", "b1", "betas"),
    "dampening": ("dampening",),
    "weight_decay": ("weight_decay", "lam"),
    "maximize": ("maximize",),
}
"""The first of them that it has is taken. Of ``betas``, a tuple, the first entry is γ."""


def parameters_of(make: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of ``make_optimizer``, by name.

    Raises:
        InputError: if its signature cannot be read.
    """
    try:
        return dict(inspect.signature(make).parameters)
    except (TypeError, ValueError) as error:
        what = "its signature cannot be read; wrap it in a function"
        raise InputError("make_optimizer", make, what) from error


def settings_of(make: Callable[..., Any]) -> dict[str, str]:
    """Setting → the name that ``make`` has for it.

    Raises:
        InputError: if it takes no learning rate, or asks for something that is no setting.
    """
    parameters = parameters_of(make)
    found = {s: next((n for n in names if n in parameters), None) for s, names in NAMES.items()}
    known = {s: n for s, n in found.items() if n is not None}
    needed = [
        n
        for n, p in parameters.items()
        if n not in known.values() and p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if "eta" not in known or needed:
        what = f"it asks for {', '.join(needed)}" if needed else "it takes no learning rate"
        eta, gamma = (", ".join(NAMES[s][1:]) for s in ("eta", "gamma"))
        raise InputError(
            "make_optimizer",
            f"({', '.join(parameters)})",
            f"{what}; it must take eta (or {eta}), and may take gamma (or {gamma}), params, dampening, weight_decay "
            "and maximize",
        )
    return known


def attribute(thing: Any, names: Iterable[str], value: float) -> str | None:
    """The first of the names under which an object or a dict keeps ``value``, alone or as the first of several."""
    for name in names:
        kept: Any = thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
        if isinstance(kept, tuple | list) and kept:
            kept = kept[0]
        if isinstance(kept, bool | str) or callable(kept):
            continue
        try:
            if kept is not None and float(kept) == value:
                return name
        except (TypeError, ValueError):
            continue
    return None
