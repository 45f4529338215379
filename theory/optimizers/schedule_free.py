r"""Schedule-free optimizers (Defazio et al. 2024), driven where the gradient is taken.

Three sequences: z is stepped, x is the average that is evaluated, y = (1 − β₁)z + β₁x is where gradients are taken and
what ``params`` is here, in training. With the gradient g at y_t, weights w_t = (largest η so far)²,

    z ← z − η_t (d + λy),    x ← (1 − c)x + c z with c = w_t/(w_0 + … + w_t),    y ← (1 − β₁)z + β₁x,

where d = g (SGD), or g/(√v̂ + ε) (AdamW). As the authors' code at ``r = 0``, ``weight_lr_power = 2``, without warm-up.
Neither is said to be linear: x is kept too, and is what is to be evaluated.
"""

from __future__ import annotations

__all__ = ["ScheduleFreeAdamW", "ScheduleFreeSGD"]

from dataclasses import dataclass
from typing import NamedTuple

from array_api_compat import array_namespace

from lemmascope.theory.optimizers.adaptive import Checked, average
from lemmascope.theory.optimizers.base import Array, Rate, at


class Sequences(NamedTuple):
    """z, x, the largest rate and the sum of weights so far, and v where steps are divided by its root."""

    z: Array
    x: Array
    largest: float
    total: float
    v: Array


@dataclass(frozen=True)
class ScheduleFreeSGD(Checked):
    r"""Steps along g.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
        beta1: β₁ in [0, 1).
        weight_decay: λ ≥ 0, on y.
    """

    eta: Rate
    beta1: float = 0.9
    weight_decay: float = 0.0

    def init(self, params: Array) -> Sequences:
        """Z = x = y; no v."""
        return Sequences(params, params, 0.0, 0.0, array_namespace(params).zeros_like(params))

    def second(self, state: Sequences, grad: Array) -> Array:
        """The next v."""
        return state.v

    def direction(self, grad: Array, v: Array, t: int) -> Array:
        """What z moves against."""
        return grad

    def step(self, params: Array, grad: Array, state: Sequences, t: int) -> tuple[Array, Sequences]:
        """One step of y."""
        eta, v = at(self.eta, t), self.second(state, grad)
        largest = max(state.largest, eta)
        total = state.total + largest**2
        z = state.z - eta * (self.direction(grad, v, t) + self.weight_decay * params)
        x = average(1 - largest**2 / total, state.x, z)
        return average(self.beta1, x, z), Sequences(z, x, largest, total, v)


@dataclass(frozen=True)
class ScheduleFreeAdamW(ScheduleFreeSGD):
    r"""Steps along g/(√v̂ + ε), v ← β₂v + (1 − β₂)g², v̂ = v/(1 − β₂^{t+1}).

    Args:
        eta, beta1, weight_decay: as of `ScheduleFreeSGD`.
        beta2: β₂ in [0, 1).
        epsilon: ε ≥ 0, outside of the root.
    """

    beta2: float = 0.999
    epsilon: float = 1e-8

    def second(self, state: Sequences, grad: Array) -> Array:
        """β₂v + (1 − β₂)g²."""
        return average(self.beta2, state.v, grad * grad)

    def direction(self, grad: Array, v: Array, t: int) -> Array:
        """g/(√v̂ + ε)."""
        return grad / (array_namespace(v).sqrt(v / (1 - self.beta2 ** (t + 1))) + self.epsilon)
