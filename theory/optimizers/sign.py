r"""Steps that are signs: each coordinate moves by η, whatever its gradient's size. Neither is linear."""

from __future__ import annotations

__all__ = ["Lion", "SignSGD"]

from dataclasses import dataclass

from array_api_compat import array_namespace

from lemmascope.theory.optimizers.adaptive import Checked, average
from lemmascope.theory.optimizers.base import Array, Rate, at


@dataclass(frozen=True)
class SignSGD(Checked):
    r"""Bernstein et al. 2018: θ ← θ − η sign(g), and sign(0) = 0."""

    eta: Rate

    def init(self, params: Array) -> tuple[()]:
        """No state."""
        return ()

    def step(self, params: Array, grad: Array, state: tuple[()], t: int) -> tuple[Array, tuple[()]]:
        """One step along the signs."""
        return params - at(self.eta, t) * array_namespace(params).sign(grad), state


@dataclass(frozen=True)
class Lion(Checked):
    r"""Chen et al. 2023, Algorithm 2: θ ← (1 − ηλ)θ − η sign(β₁m + (1 − β₁)g), then m ← β₂m + (1 − β₂)g.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
        beta1, beta2: of the step and of the memory, in [0, 1).
        weight_decay: λ ≥ 0, decoupled and scaled by η_t.
    """

    eta: Rate
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0

    def init(self, params: Array) -> Array:
        """m = 0."""
        return array_namespace(params).zeros_like(params)

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step along the signs, with the memory of before it."""
        eta, sign = at(self.eta, t), array_namespace(params).sign(average(self.beta1, state, grad))
        return (1 - eta * self.weight_decay) * params - eta * sign, average(self.beta2, state, grad)
