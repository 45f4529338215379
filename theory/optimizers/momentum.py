r"""Momentum: gradient descent with a memory that is linear in the gradients.

All forms here are one **recursion** with four numbers (γ, κ, p, q) a step, which is what the compiled backends
iterate (derived; read off the steps below, and a test holds each step to it):

    u_{t+1} = γ u_t + κ_t ∇_t,    θ_{t+1} = θ_t − p_t u_{t+1} − q_t ∇_t,    u_0 = 0.

A user's optimizer that has a method ``recursion(t)`` with these numbers runs compiled too.

Source of the forms: theory sections 2 and 8 (Jelassi & Li; McAllester, TTIC 31230, "SGD with Momentum").
"""

from __future__ import annotations

__all__ = ["FORMS", "GD", "MomentumAverage", "MomentumVelocity", "Nesterov", "average_form", "describe"]

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

from array_api_compat import array_namespace

from lemmascope.theory.optimizers.base import Array, Rate, Recursion, at, number


@dataclass(frozen=True)
class GD:
    r"""Gradient descent, θ_{t+1} = θ_t − η_t ∇_t.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
    """

    eta: Rate
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", number("eta", self.eta, low=0, open_low=True))

    def init(self, params: Array) -> tuple[()]:
        """No state."""
        return ()

    def step(self, params: Array, grad: Array, state: tuple[()], t: int) -> tuple[Array, tuple[()]]:
        """One step down the gradient."""
        return params - at(self.eta, t) * grad, state

    def recursion(self, t: int) -> Recursion:
        """No buffer: (0, 0, 0, η_t)."""
        return 0.0, 0.0, 0.0, at(self.eta, t)


@dataclass(frozen=True)
class _Momentum:
    eta: Rate
    gamma: float
    linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", number("eta", self.eta, low=0, open_low=True))
        object.__setattr__(self, "gamma", number("gamma", self.gamma, low=0, high=1, open_high=True))

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
        return params - at(self.eta, t) * average, average

    def recursion(self, t: int) -> Recursion:
        """(γ, 1 − γ, η_t, 0)."""
        return self.gamma, 1 - self.gamma, at(self.eta, t), 0.0


@dataclass(frozen=True)
class MomentumVelocity(_Momentum):
    r"""Momentum with the learning rate inside the velocity (McAllester's slides).

    v_{t+1} = γ v_t + η_t ∇_t, θ_{t+1} = θ_t − v_{t+1}, v_0 = 0. For constant η this is
    `MomentumAverage` with η / (1 − γ), trajectory for trajectory.
    """

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step along the velocity."""
        velocity = self.gamma * state + at(self.eta, t) * grad
        return params - velocity, velocity

    def recursion(self, t: int) -> Recursion:
        """(γ, η_t, 1, 0)."""
        return self.gamma, at(self.eta, t), 1.0, 0.0


@dataclass(frozen=True)
class Nesterov(_Momentum):
    r"""Nesterov's accelerated gradient, in the variables at which its gradient is taken.

    The published form takes ∇ at the look-ahead point θ̃ = θ − γ v: v ← γ v + η ∇(θ̃), θ ← θ − v.
    Written for θ̃ itself, which is what ``params`` is here (Sutskever et al. 2013; PyTorch's form):
    v_{t+1} = γ v_t + η_t ∇_t, θ̃_{t+1} = θ̃_t − γ v_{t+1} − η_t ∇_t.
    """

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step of the look-ahead point."""
        pull = at(self.eta, t) * grad
        velocity = self.gamma * state + pull
        return params - (self.gamma * velocity + pull), velocity

    def recursion(self, t: int) -> Recursion:
        """(γ, η_t, γ, η_t)."""
        eta = at(self.eta, t)
        return self.gamma, eta, self.gamma, eta


FORMS: dict[str, type] = {"gd": GD, "momentum": MomentumAverage, "velocity": MomentumVelocity, "nesterov": Nesterov}
"""The names by which the command and the TOML files know the optimizers."""


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
