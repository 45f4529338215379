r"""The lecture's running average of a sequence, the mean of its last N values, and momentum written with the former.

    x̄_t = (1/N) Σ_{k<N} x_{t−k},        x̃_0 = 0,  x̃_t = βx̃_{t−1} + (1 − β)x_t,  β = 1 − 1/N,
    v_t = μv_{t−1} + ηĝ_t = Nηg̃_t,      Φ_{t+1} = Φ_t − v_t,      N = 1/(1 − μ)

(source: the slides; steps `lecture`, `running_average`). Here all are unrolled, x̃_t = Σ_{i<t} w_i x_{t−i} with the
weights w_i = (1/N)(1 − 1/N)^i, so that tests hold them against the recursions. Arrays of any library of the array API
standard; a sequence x_1, …, x_T is (T,).
"""

from __future__ import annotations

__all__ = ["parameters", "running_average", "total_effect", "velocity", "weights", "window_average"]

from typing import Any

from array_api_compat import array_namespace, device

Array = Any


def weights(beta: float, ages: Array) -> Array:
    """w_i = (1 − β)βⁱ = (1/N)(1 − 1/N)ⁱ of values that are i steps old; 0 for i < 0, the values to come."""
    xp = array_namespace(ages)
    old = xp.where(ages < 0, xp.zeros_like(ages), ages)
    return xp.where(ages < 0, xp.zeros_like(ages), (1 - beta) * beta**old)


def _ages(x: Array) -> Array:
    """(T, T): how old value s is at time t."""
    xp = array_namespace(x)
    t = xp.arange(x.shape[0], dtype=x.dtype, device=device(x))
    return t[:, None] - t[None, :]


def running_average(x: Array, beta: float) -> Array:
    """x̃_1, …, x̃_T (T,), from x̃_0 = 0."""
    return weights(beta, _ages(x)) @ x


def window_average(x: Array, N_avg: int) -> Array:
    """x̄_1, …, x̄_T (T,): the mean of the last N values, of all of them while t < N."""
    xp = array_namespace(x)
    ages = _ages(x)
    seen = xp.astype((ages >= 0) & (ages < N_avg), x.dtype)
    return (seen @ x) / xp.sum(seen, axis=1)


def velocity(g: Array, eta: float, mu: float) -> Array:
    """v_1, …, v_T (T,) = Nηg̃_t, for a learning rate η that does not change."""
    g_average, N_avg = running_average(g, mu), 1 / (1 - mu)
    return N_avg * eta * g_average


def parameters(Phi: Any, g: Array, eta: float, mu: float) -> Array:
    """Φ_2, …, Φ_{T+1} (T,) from Φ_1: Φ_{t+1} = Φ_t − v_t."""
    return Phi - array_namespace(g).cumulative_sum(velocity(g, eta, mu))


def total_effect(g: Any, eta: Any, N_avg: Any, B: Any) -> Any:
    """(N/B)ηg: by how much one sample's gradient lowers Φ in all, if later gradients do not answer."""
    return N_avg / B * eta * g
