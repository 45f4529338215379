"""Plain functions, as a user may write them."""

from __future__ import annotations

__all__ = ["LIBRARY", "corrected_average", "velocity_with_decay"]

from collections.abc import Callable
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def corrected_average(eta: Any, gamma: float) -> Callable[..., Any]:
    """A running average with bias correction, as a plain function."""

    def update(params: Any, grad: Any, state: Any, t: int) -> tuple[Any, Any]:
        average = (1 - gamma) * grad + (0 if state is None else gamma * state)
        rate = eta(t) if callable(eta) else eta
        return params - rate * average / (1 - gamma ** (t + 1)), average

    return update


def velocity_with_decay(eta: Any, gamma: float, weight_decay: float = 0.0) -> Callable[..., Any]:
    """The velocity form with decoupled weight decay, as a plain function."""

    def update(params: Any, grad: Any, state: Any, t: int) -> tuple[Any, Any]:
        rate = eta(t) if callable(eta) else eta
        velocity = rate * grad + (0 if state is None else gamma * state)
        return (1 - rate * weight_decay) * params - velocity, velocity

    return update


def _optimizers() -> list[Known]:
    return [
        Known(
            Subject(corrected_average, "bias-corrected average", "numpy", "corrected"),
            "a running average with bias correction",
        ),
        Known(
            Subject(velocity_with_decay, "velocity, decoupled decay", "numpy", "velocity"),
            "momentum as a velocity",
            "decoupled",
        ),
    ]


LIBRARY = Library("functions", (), _optimizers, 1, cost=1.0)
