r"""Optimizers as ``init / step``, written once for any array library.

An optimizer is a frozen object with two pure methods::

    state = optimizer.init(params)                               # buffers before the first step
    params, state = optimizer.step(params, grad, state, t)       # step number t = 0, 1, 2, …

``params`` and ``grad`` are one array each. An attribute ``linear = True`` says that the iterates are linear
combinations, with scalar coefficients that depend on t alone, of the initial parameters and of the gradients so far.
Such an optimizer commutes with every linear map, so it may run on the coefficients (c, Ξ) instead of on the weights
W, and on several seeds at once; one that is not, or does not say so (Adam, sign descent, gradient clipping), runs in
weight space only and is given one seed's weights at a time.

All forms here are one **recursion** with four numbers (γ, κ, p, q) a step, which is what the compiled backends
iterate (derived; read off the steps below, and a test holds each step to it):

    u_{t+1} = γ u_t + κ_t ∇_t,    θ_{t+1} = θ_t − p_t u_{t+1} − q_t ∇_t,    u_0 = 0.

A user's optimizer that has a method ``recursion(t)`` with these numbers runs compiled too.

Source of the forms: theory sections 2 and 8 (Jelassi & Li; McAllester, TTIC 31230, "SGD with Momentum").
"""

from __future__ import annotations

__all__ = [
    "FORMS",
    "GD",
    "MomentumAverage",
    "MomentumVelocity",
    "Nesterov",
    "Optimizer",
    "PiecewiseConstant",
    "average_form",
    "describe",
    "is_linear",
    "recursion_of",
]

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_number, check_size

Array = Any
Rate = float | Callable[[int], float]
Recursion = tuple[float, float, float, float]


@runtime_checkable
class Optimizer(Protocol):
    """What `simulate` needs of an optimizer; a user's own class needs no base class. See `is_linear` too."""

    def init(self, params: Array) -> Any:
        """Return the state before the first step."""

    def step(self, params: Array, grad: Array, state: Any, t: int) -> tuple[Array, Any]:
        """Return the parameters and the state after step ``t`` (0, 1, …)."""


@dataclass(frozen=True)
class PiecewiseConstant:
    """η(t) = ``values[j]`` for ``starts[j] ≤ t < starts[j+1]``; starts[0] = 0, in iterations."""

    starts: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.values) or not self.starts:
            raise InputError("eta", self, "a schedule needs as many starts as values, and at least one")
        for s in self.starts:
            check_size("eta (start)", s, 0)
        for v in self.values:
            check_number("eta (value)", v, 0, open_low=True)
        if self.starts[0] != 0 or any(a >= b for a, b in zip(self.starts, self.starts[1:], strict=False)):
            raise InputError("eta", self, "the starts of a schedule must be 0 < t₁ < t₂ < …")

    def __call__(self, t: int) -> float:
        """η at step t."""
        return [v for s, v in zip(self.starts, self.values, strict=True) if s <= t][-1]


def _number(field: str, value: Any, **interval: Any) -> Any:
    """A number as a Python float, which takes the precision of the arrays that it multiplies, as a scalar of a library
    does not; schedules and arrays (one number an optimizer) as they are.
    """
    if callable(value) or len(getattr(value, "shape", ())):
        return value
    return check_number(field, value, **interval)


def _at(eta: Rate, t: int) -> Any:
    return float(eta(t)) if callable(eta) else eta


@dataclass(frozen=True)
class GD:
    r"""Gradient descent, θ_{t+1} = θ_t − η_t ∇_t.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
    """

    eta: Rate
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", _number("eta", self.eta, low=0, open_low=True))

    def init(self, params: Array) -> tuple[()]:
        """No state."""
        return ()

    def step(self, params: Array, grad: Array, state: tuple[()], t: int) -> tuple[Array, tuple[()]]:
        """One step down the gradient."""
        return params - _at(self.eta, t) * grad, state

    def recursion(self, t: int) -> Recursion:
        """No buffer: (0, 0, 0, η_t)."""
        return 0.0, 0.0, 0.0, _at(self.eta, t)


@dataclass(frozen=True)
class _Momentum:
    eta: Rate
    gamma: float
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", _number("eta", self.eta, low=0, open_low=True))
        object.__setattr__(self, "gamma", _number("gamma", self.gamma, low=0, high=1, open_high=True))

    def init(self, params: Array) -> Array:
        """The zero buffer, shaped like ``params``."""
        return array_namespace(params).zeros_like(params)


@dataclass(frozen=True)
class MomentumAverage(_Momentum):
    r"""GD+M in Jelassi & Li's convention, an exponential average of the gradients.

    g_{t+1} = γ g_t + (1 − γ) ∇_t, θ_{t+1} = θ_t − η_t g_{t+1}, g_0 = 0. With γ = 0 it is `GD`, bit for bit.
    """

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step along the running average."""
        average = self.gamma * state + (1 - self.gamma) * grad
        return params - _at(self.eta, t) * average, average

    def recursion(self, t: int) -> Recursion:
        """(γ, 1 − γ, η_t, 0)."""
        return self.gamma, 1 - self.gamma, _at(self.eta, t), 0.0


@dataclass(frozen=True)
class MomentumVelocity(_Momentum):
    r"""Momentum with the learning rate inside the velocity (McAllester's slides).

    v_{t+1} = γ v_t + η_t ∇_t, θ_{t+1} = θ_t − v_{t+1}, v_0 = 0. For constant η this is
    `MomentumAverage` with η / (1 − γ), trajectory for trajectory.
    """

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step along the velocity."""
        velocity = self.gamma * state + _at(self.eta, t) * grad
        return params - velocity, velocity

    def recursion(self, t: int) -> Recursion:
        """(γ, η_t, 1, 0)."""
        return self.gamma, _at(self.eta, t), 1.0, 0.0


@dataclass(frozen=True)
class Nesterov(_Momentum):
    r"""Nesterov's accelerated gradient, in the variables at which its gradient is taken.

    The published form takes ∇ at the look-ahead point θ̃ = θ − γ v: v ← γ v + η ∇(θ̃), θ ← θ − v.
    Written for θ̃ itself, which is what ``params`` is here (Sutskever et al. 2013; PyTorch's form):
    v_{t+1} = γ v_t + η_t ∇_t, θ̃_{t+1} = θ̃_t − γ v_{t+1} − η_t ∇_t.
    """

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step of the look-ahead point."""
        pull = _at(self.eta, t) * grad
        velocity = self.gamma * state + pull
        return params - (self.gamma * velocity + pull), velocity

    def recursion(self, t: int) -> Recursion:
        """(γ, η_t, γ, η_t)."""
        eta = _at(self.eta, t)
        return self.gamma, eta, self.gamma, eta


FORMS: dict[str, type] = {"gd": GD, "momentum": MomentumAverage, "velocity": MomentumVelocity, "nesterov": Nesterov}
"""The names by which the command and the TOML files know the optimizers."""


def is_linear(optimizer: object) -> bool:
    """Whether its attribute ``linear`` says that its iterates are linear in W₀ and the gradients; without one, no."""
    return bool(getattr(optimizer, "linear", False))


def recursion_of(optimizer: object) -> Callable[[int], Recursion] | None:
    """The optimizer's ``recursion``, or None where it has none that speaks for its ``step``.

    A subclass that overrides ``step`` and inherits ``recursion`` has none.
    """

    def depth(name: str) -> int:
        return next((i for i, kind in enumerate(type(optimizer).__mro__) if name in vars(kind)), -1)

    if not is_linear(optimizer) or not 0 <= depth("recursion") <= depth("step"):
        return None
    return optimizer.recursion  # type: ignore[attr-defined]


def average_form(optimizer: object) -> tuple[float, float] | None:
    """(η, γ) of the `MomentumAverage` with the same trajectory, or None where there is no such one.

    GD is γ = 0; the velocity form at η is the average form at η/(1 − γ). A schedule, Nesterov and a
    user's own optimizer have none.
    """
    # Exact classes: a user's subclass may do something else.
    kind, eta = type(optimizer), getattr(optimizer, "eta", None)
    if kind not in (GD, MomentumAverage, MomentumVelocity) or eta is None or callable(eta):
        return None
    gamma = float(getattr(optimizer, "gamma", 0.0))
    return (float(eta) / (1 - gamma) if kind is MomentumVelocity else float(eta)), gamma


def describe(optimizer: object) -> dict[str, Any]:
    """A JSON-ready description: the class, its public fields, and (η, γ) of `average_form` or None."""
    names = [f.name for f in fields(optimizer)] if is_dataclass(optimizer) else list(getattr(optimizer, "__dict__", ()))
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(optimizer, name)
        values[name] = value if isinstance(value, int | float | str | bool) else repr(value)
    pair = average_form(optimizer)
    return {
        "class": type(optimizer).__name__,
        **values,
        "average_form": None if pair is None else {"eta": pair[0], "gamma": pair[1]},
    }
