r"""What one gradient does in all: the response to one sample's gradient perturbed by δ, so its batch's by δ/B.

r_{k+1} = r_k − v_{k+1}, v_{k+1} = μv_k + ηH r_k, from v_0 = ηδ/B, r_0 = −v_0 (derived: the recursion is linear, so the
difference of two runs follows it).

* H = 0: r_k = −(η/B)δ(1 − μ^{k+1})/(1 − μ) → −(N_avg/B)ηδ, the lecture's total effect, N_avg = 1/(1 − μ).
* H ≻ 0 (stable): r_k → 0, and summing the recursion, 0 = Σv = μΣv + HηΣr + ηδ/B: **Σ_k r_k = −H⁻¹δ/B**, whatever η and
  μ. The largest |r_k| only tends to N_avg ηδ/B as η₀h/(1 − μ) → 0 (B = 1).
"""

from __future__ import annotations

__all__ = ["response"]

from typing import Any

from array_api_compat import array_namespace

Array = Any


def response(H: Array, delta: Array, eta: float, mu: float, B: int, steps: int) -> Array:
    """r_0, …, r_steps, (steps + 1, d), for H (d, d) and δ (d,)."""
    xp = array_namespace(H, delta)
    v = eta * delta / B
    r = -v
    found = [r]
    for _ in range(steps):
        v = mu * v + eta * (H @ r)
        r = r - v
        found.append(r)
    return xp.stack(found)
