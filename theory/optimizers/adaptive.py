r"""Adam and its kin: a step is an average of the gradients over the root of an average of squares, elementwise.

With g_t = ∇_t (+ λθ_t where weight decay is coupled), t = 0, 1, …, and m, v from 0:

    m ← β₁m + (1 − β₁)g,    v ← β₂v + (1 − β₂)g²,    m̂ = m/(1 − β₁^{t+1}),    v̂ = v/(1 − β₂^{t+1}).

Each class says what it divides by what, and where its ε stands; libraries differ in that, and each class here is one
convention, which `proofs_check.conformance.adaptive` holds it to. None is linear in the gradients.

ε = 0 is allowed: a coordinate whose gradients have all been 0 is then 0/0, which is NaN.
"""

from __future__ import annotations

__all__ = [
    "AMSAdaMomentum",
    "AMSGrad",
    "AdaBelief",
    "AdaMomentum",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RMSprop",
]

from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

from array_api_compat import array_namespace

from lemmascope.theory.optimizers.base import Array, Rate, at, number

BELOW_ONE = {"low": 0, "high": 1, "open_high": True}
RANGES: dict[str, dict[str, Any]] = {
    "eta": {"low": 0, "open_low": True},
    "epsilon": {"low": 0},
    "weight_decay": {"low": 0},
    "momentum_decay": {"low": 0},
    **dict.fromkeys(("beta1", "beta2", "gamma"), BELOW_ONE),
}


class Checked:
    """A frozen dataclass whose numbers are checked by their names, and kept as Python floats; it is not linear."""

    linear: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # its subclasses are dataclasses
            if field.name in RANGES:
                value = number(field.name, getattr(self, field.name), **RANGES[field.name])
                object.__setattr__(self, field.name, value)


class Moments(NamedTuple):
    """The averages m and v, shaped like the parameters."""

    m: Array
    v: Array


def average(beta: float, old: Array, new: Array) -> Array:
    """β old + (1 − β) new."""
    return beta * old + (1 - beta) * new


@dataclass(frozen=True)
class Adam(Checked):
    r"""Kingma & Ba 2015, Algorithm 1: θ ← θ − η m̂/(√v̂ + ε), coupled weight decay; as PyTorch's ``Adam``.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
        beta1, beta2: β₁, β₂ in [0, 1).
        epsilon: ε ≥ 0, outside of the root and of the bias correction.
        weight_decay: λ ≥ 0.
    """

    eta: Rate
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def init(self, params: Array) -> Moments:
        """m = v = 0."""
        zero = array_namespace(params).zeros_like(params)
        return Moments(zero, zero)

    def step(self, params: Array, grad: Array, state: Moments, t: int) -> tuple[Array, Moments]:
        """Step number t = 0, 1, …"""
        pull = self.pull(params, grad)
        m = average(self.beta1, state.m, pull)
        v = average(self.beta2, state.v, pull * pull)
        return self.moved(params, m / self.bias1(t), self.root(v, t), t), Moments(m, v)

    def bias1(self, t: int) -> float:
        """1 − β₁^{t+1}."""
        return 1 - self.beta1 ** (t + 1)

    def pull(self, params: Array, grad: Array) -> Array:
        """The gradient, with what decay adds to it."""
        return grad + self.weight_decay * params

    def root(self, v: Array, t: int) -> Array:
        """√v̂ + ε."""
        return array_namespace(v).sqrt(v / (1 - self.beta2 ** (t + 1))) + self.epsilon

    def moved(self, params: Array, numerator: Array, denominator: Array, t: int) -> Array:
        """The parameters after the step."""
        return params - at(self.eta, t) * (numerator / denominator)


@dataclass(frozen=True)
class AdamW(Adam):
    r"""Loshchilov & Hutter 2019 as PyTorch has it: θ ← (1 − η_tλ)θ − η_t m̂/(√v̂ + ε).

    Decay is decoupled and scaled by η_t; in the paper it is scaled by the schedule's factor alone, without η.
    """

    weight_decay: float = 0.01

    def pull(self, params: Array, grad: Array) -> Array:
        """The gradient alone."""
        return grad

    def moved(self, params: Array, numerator: Array, denominator: Array, t: int) -> Array:
        """The parameters after decay and step."""
        eta = at(self.eta, t)
        return (1 - eta * self.weight_decay) * params - eta * (numerator / denominator)


class MaximalMoments(NamedTuple):
    """m, v, and the largest v so far."""

    m: Array
    v: Array
    largest: Array


@dataclass(frozen=True)
class AMSGrad(Adam):
    r"""Reddi et al. 2018 as PyTorch has it: V ← max(V, v), θ ← θ − η m̂/(√(V/(1 − β₂^{t+1})) + ε).

    The maximum is of the v that are not corrected; optax takes that of the v̂.
    """

    def init(self, params: Array) -> Any:
        """m = v = V = 0."""
        zero = array_namespace(params).zeros_like(params)
        return MaximalMoments(zero, zero, zero)

    def step(self, params: Array, grad: Array, state: Any, t: int) -> tuple[Array, Any]:
        """Step number t = 0, 1, …"""
        pull = self.pull(params, grad)
        m = average(self.beta1, state.m, pull)
        v = average(self.beta2, state.v, pull * pull)
        largest = array_namespace(v).maximum(state.largest, v)
        return self.moved(params, m / self.bias1(t), self.root(largest, t), t), MaximalMoments(m, v, largest)


class ScheduledMoments(NamedTuple):
    """m, v, and the product of the momenta μ so far."""

    m: Array
    v: Array
    product: float


@dataclass(frozen=True)
class NAdam(Adam):
    r"""Dozat 2016 with his schedule, as PyTorch's ``NAdam``: μ_t = β₁(1 − ½·0.96^{ψt}), t = 1, 2, …,

    θ ← θ − η [μ_{t+1}m/(1 − μ₁⋯μ_{t+1}) + (1 − μ_t)g/(1 − μ₁⋯μ_t)]/(√v̂ + ε).

    Args:
        eta, beta1, beta2, epsilon, weight_decay: as of `Adam`.
        momentum_decay: ψ ≥ 0; Keras has ψ = 1.
    """

    momentum_decay: float = 0.004

    def init(self, params: Array) -> Any:
        """m = v = 0, and an empty product."""
        zero = array_namespace(params).zeros_like(params)
        return ScheduledMoments(zero, zero, 1.0)

    def momentum(self, t: int) -> float:
        """μ of the step number t = 0, 1, …"""
        return self.beta1 * (1 - 0.5 * 0.96 ** (self.momentum_decay * (t + 1)))

    def step(self, params: Array, grad: Array, state: Any, t: int) -> tuple[Array, Any]:
        """Step number t = 0, 1, …"""
        pull = self.pull(params, grad)
        m = average(self.beta1, state.m, pull)
        v = average(self.beta2, state.v, pull * pull)
        now, then = self.momentum(t), self.momentum(t + 1)
        product = state.product * now
        ahead = then / (1 - product * then) * m + (1 - now) / (1 - product) * pull
        return self.moved(params, ahead, self.root(v, t), t), ScheduledMoments(m, v, product)


@dataclass(frozen=True)
class AdaBelief(Adam):
    r"""Zhuang et al. 2020, Algorithm 2: v ← β₂v + (1 − β₂)(g − m)² + ε with the new m, θ ← θ − η m̂/(√v̂ + ε)."""

    epsilon: float = 1e-16

    def step(self, params: Array, grad: Array, state: Moments, t: int) -> tuple[Array, Moments]:
        """Step number t = 0, 1, …"""
        pull = self.pull(params, grad)
        m = average(self.beta1, state.m, pull)
        v = average(self.beta2, state.v, (pull - m) ** 2) + self.epsilon
        return self.moved(params, m / self.bias1(t), self.root(v, t), t), Moments(m, v)


@dataclass(frozen=True)
class AdaMomentum(Adam):
    r"""Wang et al. 2021 (arXiv 2106.11514): v ← β₂v + (1 − β₂)m² + ε with the new m, θ ← θ − η m̂/√v̂.

    ε stands inside of the recursion as in public implementations, so that its weight tends to ε/(1 − β₂). With
    β₁ = 0 and ε = 0 it is `Adam`.
    """

    epsilon: float = 1e-16

    def step(self, params: Array, grad: Array, state: Moments, t: int) -> tuple[Array, Moments]:
        """Step number t = 0, 1, …"""
        m = average(self.beta1, state.m, self.pull(params, grad))
        v = average(self.beta2, state.v, m * m) + self.epsilon
        return self.moved(params, m / self.bias1(t), self.root(v, t), t), Moments(m, v)

    def root(self, v: Array, t: int) -> Array:
        """√v̂, without ε."""
        return array_namespace(v).sqrt(v / (1 - self.beta2 ** (t + 1)))


@dataclass(frozen=True)
class AMSAdaMomentum(AdaMomentum):
    r"""`AdaMomentum` with AMSGrad's maximum: V ← max(V, v), θ ← θ − η m̂/√(V/(1 − β₂^{t+1})).

    Derived: what AMSGrad is to Adam. With β₁ = 0 and ε = 0 it is `AMSGrad`.
    """

    def init(self, params: Array) -> Any:
        """m = v = V = 0."""
        zero = array_namespace(params).zeros_like(params)
        return MaximalMoments(zero, zero, zero)

    def step(self, params: Array, grad: Array, state: Any, t: int) -> tuple[Array, Any]:
        """Step number t = 0, 1, …"""
        m = average(self.beta1, state.m, self.pull(params, grad))
        v = average(self.beta2, state.v, m * m) + self.epsilon
        largest = array_namespace(v).maximum(state.largest, v)
        return self.moved(params, m / self.bias1(t), self.root(largest, t), t), MaximalMoments(m, v, largest)


@dataclass(frozen=True)
class Adamax(Adam):
    r"""Kingma & Ba 2015, Algorithm 2, with PyTorch's ε: v ← max(β₂v, |g| + ε), θ ← θ − η m̂/v."""

    def step(self, params: Array, grad: Array, state: Moments, t: int) -> tuple[Array, Moments]:
        """Step number t = 0, 1, …"""
        xp, pull = array_namespace(params), self.pull(params, grad)
        m = average(self.beta1, state.m, pull)
        v = xp.maximum(self.beta2 * state.v, xp.abs(pull) + self.epsilon)
        return self.moved(params, m / self.bias1(t), v, t), Moments(m, v)


@dataclass(frozen=True)
class Adagrad(Checked):
    r"""Duchi et al. 2011, diagonal: v ← v + g², θ ← θ − η g/(√v + ε), v from 0; as PyTorch's ``Adagrad``."""

    eta: Rate
    epsilon: float = 1e-10
    weight_decay: float = 0.0

    def init(self, params: Array) -> Array:
        """v = 0."""
        return array_namespace(params).zeros_like(params)

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """Step number t = 0, 1, …"""
        pull = grad + self.weight_decay * params
        v = state + pull * pull
        return params - at(self.eta, t) * (pull / (array_namespace(v).sqrt(v) + self.epsilon)), v


class RMSState(NamedTuple):
    """v, the average of the gradient that is subtracted where it is centred, and the momentum's buffer."""

    v: Array
    mean: Array
    buffer: Array


@dataclass(frozen=True)
class RMSprop(Checked):
    r"""Tieleman & Hinton 2012 in PyTorch's form: b ← γb + g/(√v + ε), θ ← θ − η b, no bias correction.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
        beta2: β₂ in [0, 1), of v.
        epsilon: ε ≥ 0, outside of the root; TensorFlow and optax have it inside.
        weight_decay: λ ≥ 0, coupled.
        gamma: momentum γ in [0, 1), of steps, the rate outside.
        centred: v less the square of an average of g, with β₂ too, in place of v (Graves 2013).
    """

    eta: Rate
    beta2: float = 0.99
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    gamma: float = 0.0
    centred: bool = False

    def init(self, params: Array) -> RMSState:
        """All are 0."""
        zero = array_namespace(params).zeros_like(params)
        return RMSState(zero, zero, zero)

    def step(self, params: Array, grad: Array, state: RMSState, t: int) -> tuple[Array, RMSState]:
        """Step number t = 0, 1, …"""
        pull = grad + self.weight_decay * params
        v = average(self.beta2, state.v, pull * pull)
        mean = average(self.beta2, state.mean, pull) if self.centred else state.mean
        root = array_namespace(v).sqrt(v - mean * mean if self.centred else v)
        buffer = self.gamma * state.buffer + pull / (root + self.epsilon)
        return params - at(self.eta, t) * buffer, RMSState(v, mean, buffer)
