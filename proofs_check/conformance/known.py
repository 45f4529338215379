"""The optimizers that the table shows: ours, plain functions, and those of PyTorch, optax and scikit-learn.

Each names the convention that its documentation describes. A library is imported where its optimizers are asked for.
"""

from __future__ import annotations

__all__ = ["LIBRARIES", "installed", "subjects"]

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov

NEEDS = {"own": (), "functions": (), "torch": ("torch",), "optax": ("jax", "optax"), "scikit-learn": ("sklearn",)}
LIBRARIES = tuple(NEEDS)


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


def _own() -> list[Subject]:
    return [
        Subject(GD, "GD", "numpy", "gd"),
        Subject(MomentumAverage, "MomentumAverage", "numpy", "average"),
        Subject(MomentumVelocity, "MomentumVelocity", "numpy", "velocity"),
        Subject(Nesterov, "Nesterov", "numpy", "nesterov"),
    ]


def _functions() -> list[Subject]:
    return [
        Subject(corrected_average, "bias-corrected average", "numpy", "corrected"),
        Subject(velocity_with_decay, "velocity, decoupled decay", "numpy", "velocity"),
    ]


def _torch() -> list[Subject]:
    import torch

    def sgd(params: Any, lr: float, momentum: float, dampening: float = 0.0, weight_decay: float = 0.0) -> Any:
        return torch.optim.SGD(params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)

    def nesterov(params: Any, lr: float, momentum: float, weight_decay: float = 0.0) -> Any:
        # PyTorch wants a momentum above 0 here.
        return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=momentum > 0, weight_decay=weight_decay)

    def adam(params: Any, lr: float, beta: float, weight_decay: float = 0.0) -> Any:
        return torch.optim.AdamW(params, lr=lr, betas=(beta, 0.999), weight_decay=weight_decay)

    return [
        Subject(sgd, "torch.optim.SGD", "torch", "pytorch"),
        Subject(nesterov, "torch.optim.SGD, nesterov", "torch", "nesterov_pytorch"),
        Subject(adam, "torch.optim.AdamW", "torch"),
    ]


def _optax() -> list[Subject]:
    import optax

    def average(learning_rate: Any, decay: float, debias: bool) -> Any:
        return optax.chain(optax.ema(decay, debias=debias), optax.scale_by_learning_rate(learning_rate))

    def sgd(learning_rate: Any, momentum: float, weight_decay: float = 0.0) -> Any:
        return optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(learning_rate, momentum))

    def inside(learning_rate: Any, momentum: float) -> Any:
        return optax.chain(optax.scale_by_learning_rate(learning_rate), optax.trace(momentum))

    return [
        Subject(sgd, "optax.sgd", "optax", "pytorch"),
        Subject(
            lambda lr, momentum: optax.sgd(lr, momentum, nesterov=True),
            "optax.sgd, nesterov",
            "optax",
            "nesterov_pytorch",
        ),
        Subject(inside, "optax.trace after the rate", "optax", "velocity"),
        Subject(lambda lr, momentum: average(lr, momentum, False), "optax.ema", "optax", "average"),
        Subject(lambda lr, momentum: average(lr, momentum, True), "optax.ema, debias", "optax", "corrected"),
    ]


def _sklearn() -> list[Subject]:
    # The optimizer of MLPClassifier and MLPRegressor.
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    def sgd(params: Any, learning_rate: float, momentum: float) -> Any:
        return SGDOptimizer(params, learning_rate_init=learning_rate, momentum=momentum, nesterov=False)

    def nesterov(params: Any, learning_rate: float, momentum: float) -> Any:
        return SGDOptimizer(params, learning_rate_init=learning_rate, momentum=momentum, nesterov=True)

    return [
        Subject(sgd, "sklearn SGD", "scikit-learn", "velocity"),
        Subject(nesterov, "sklearn SGD, nesterov", "scikit-learn", "nesterov"),
    ]


_MAKERS = {"own": _own, "functions": _functions, "torch": _torch, "optax": _optax, "scikit-learn": _sklearn}


def installed(library: str) -> bool:
    """Whether its packages are there."""
    return all(find_spec(name) is not None for name in NEEDS[library])


def subjects(library: str) -> list[Subject]:
    """The optimizers of one of `LIBRARIES`.

    Raises:
        InputError: for a library that is unknown or not installed.
    """
    if library not in NEEDS:
        raise InputError("library", library, f"it must be one of {', '.join(LIBRARIES)}")
    if not installed(library):
        raise InputError("library", library, f"it is not installed: pip install 'lemmascope[{library}]'")
    return _MAKERS[library]()
