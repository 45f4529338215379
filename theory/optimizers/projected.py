r"""Steps without the part that only lengthens weights (Heo et al. 2021), for weights whose length does not matter.

A step p for the weights w loses its radial part, p ← p − w̄⟨w̄, p⟩ with w̄ = w/(|w| + ε), where g looks orthogonal to w:
where the largest |cos(g, w)| of the array's rows is below δ/√(length of a row); if that fails, the same of the whole
array as one row; else nothing is taken away. Where it is, decay is multiplied by ``decay_ratio``. A vector is not
projected: it is a bias, or another weight without a row of its own. The test is that of the authors' code.
"""

from __future__ import annotations

__all__ = ["SGDP", "AdamP"]

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.optimizers.adaptive import Adam, Checked, Moments, average
from lemmascope.theory.optimizers.base import Array, Rate, at

TINY = 1e-8
"""ε of lengths and of SGDP's cosines."""


def projected(params: Array, grad: Array, step: Array, delta: float, epsilon: float = TINY) -> tuple[Array, bool]:
    """The step for parameters (rows, …) without its radial part, and whether that was taken away."""
    if params.ndim < 2:
        return step, False
    xp = array_namespace(params)
    for shape in ((params.shape[0], prod(params.shape[1:])), (1, prod(params.shape))):
        w, g, p = (xp.reshape(array, shape) for array in (params, grad, step))
        length, size = (xp.sqrt(xp.sum(array * array, axis=1, keepdims=True)) for array in (w, g))
        floor = xp.full_like(length, epsilon)
        cosine = xp.sum(w * g, axis=1, keepdims=True) / (xp.maximum(length, floor) * xp.maximum(size, floor))
        if float(xp.max(xp.abs(cosine))) < delta / sqrt(shape[1]):
            unit = w / (length + epsilon)
            return xp.reshape(p - unit * xp.sum(unit * p, axis=1, keepdims=True), params.shape), True
    return step, False


@dataclass(frozen=True)
class SGDP(Checked):
    r"""u ← γu + g, θ ← (1 − ηλr/(1 − γ))θ − η·projected(u), r = ``decay_ratio`` where projected, else 1.

    As in the paper, u keeps its radial part. The authors' code writes the projected u back into its buffer, so that
    later steps differ.

    Args:
        eta: learning rate η > 0, or a schedule t ↦ η_t.
        gamma: momentum γ in [0, 1).
        weight_decay: λ ≥ 0.
        delta: δ of the test.
        decay_ratio: r.
    """

    eta: Rate
    gamma: float = 0.9
    weight_decay: float = 0.0
    delta: float = 0.1
    decay_ratio: float = 0.1

    def init(self, params: Array) -> Array:
        """The zero buffer."""
        return array_namespace(params).zeros_like(params)

    def step(self, params: Array, grad: Array, state: Array, t: int) -> tuple[Array, Array]:
        """One step, without its radial part."""
        eta, buffer = at(self.eta, t), self.gamma * state + grad
        move, was = projected(params, grad, buffer, self.delta)
        decay = self.weight_decay * (self.decay_ratio if was else 1.0) / (1 - self.gamma)
        return (1 - eta * decay) * params - eta * move, buffer


@dataclass(frozen=True)
class AdamP(Adam):
    r"""θ ← (1 − ηλr)θ − η·projected(m̂/(√v̂ + ε)), r = ``decay_ratio`` where projected, else 1.

    Args:
        eta, beta1, beta2, epsilon, weight_decay: as of `Adam`.
        delta: δ of the test.
        decay_ratio: r.
    """

    delta: float = 0.1
    decay_ratio: float = 0.1

    def step(self, params: Array, grad: Array, state: Any, t: int) -> tuple[Array, Any]:
        """One step, without its radial part."""
        eta = at(self.eta, t)
        m, v = average(self.beta1, state.m, grad), average(self.beta2, state.v, grad * grad)
        direction = m / self.bias1(t) / self.root(v, t)
        move, was = projected(params, grad, direction, self.delta, self.epsilon)
        decay = self.weight_decay * (self.decay_ratio if was else 1.0)
        return (1 - eta * decay) * params - eta * move, Moments(m, v)
