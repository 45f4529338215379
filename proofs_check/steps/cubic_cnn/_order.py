r"""The order of the stages under GD with λ = 0: a sufficient condition, link by link.

(c, Ξ) is the closed system, so the noise is orthogonal to w*. T₀ is the first t with max_r c_r ≥ 1/(2α); T₁ the first
one at which every small-margin sample has y_iΣ_jΣ_rΞ³ ≥ ½. Let c₀ = max_r c_r(0) > 0, x_t = max |Ξ(t)| over all noise
patches (those of large-margin samples too) and neurons, Q = P − 1 ≥ 1, R = max_k Σ_k' |K_kk'|, and let there be a
sample of each kind. Put

    v₁ = (2mQ)^{−1/3},    B = 3ηR/N,    ℓ_min = ℓ(m/8 + ½),    a = 3ηα³(N₁/N)ℓ_min,
    U = ⌈(1/c₀ − 2α)/a + log(1/(2αc₀))⌉  (0 if c₀ ≥ 1/(2α)),    L = (1/x₀ − 1/v₁)/B.

If U < L then T₀ ≤ U < L ≤ T₁:

1. As ℓ < 1, x_{t+1} ≤ x_t + Bx_t², and x ↦ x + Bx² increases: by the lower tensor power bound x_t < v₁ for t < L.
2. x_t < v₁ gives |Σ_jΣ_rΞ³| ≤ mQx_t³ < ½ in every sample. So no small-margin sample is memorized, and T₁ ≥ L.
3. Let t < min(T₀, L). Every αc_r < ½, so α³Σ_r c_r³ ≤ m/8 (negative c_r only lower it) and margins are below
   m/8 + ½. As ℓ decreases, every ℓ_i > ℓ_min and ν₁ ≥ (N₁/N)ℓ_min; with ν₂ ≥ 0 all c_r grow as c + A_tc², A_t ≥ a.
4. If it grows so for t = 0, …, U − 1, the neuron with c_r(0) = c₀ has c_r(U) ≥ 1/(2α) by the upper tensor power bound,
   whose proof uses no later step: T₀ ≤ U. By 3 it does if T₀ ≥ U, as U < L. So T₀ ≤ U either way.

Without U < L the order may be the other one. The converse of the condition is not claimed: it has slack in ℓ_min, in
ℓ < 1 and in R.
"""

from __future__ import annotations

__all__ = ["prove_order"]

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.races import Race, certified, headline, ordering, races, surely_ordered
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.outcome import Outcome, both, open_, refuted
from lemmascope.proofs_check.steps.cubic_cnn import sigmoid, tensor_power
from lemmascope.theory.verdict import Status


def prove_order(off_diagonal: Any = 1, slack: Any = 1, **constants: Any) -> Outcome:
    """U < slack · L implies T₀ < T₁.

    Args:
        off_diagonal: factor of the off-diagonal |K_kk'| in R.
        slack: of the condition; `math.inf` is no condition.
        constants: ``level``, ``head``, ``noise``, ``feature``, ``spread`` of `ordering`.
    """
    proof = open_("no condition") if slack == math.inf else _links(off_diagonal, slack, **constants)
    if proof.status is Status.PROVED and (off_diagonal, slack, constants) != (1, 1, {}):
        return proof
    if proof.status is Status.PROVED:  # as stated: how it comes out on HEADLINE
        return replace(proof, evidence={**proof.evidence, "HEADLINE": [headline(seed) for seed in range(3)]})
    for race in races():
        surely = surely_ordered(race, off_diagonal=off_diagonal, slack=slack, **constants)
        passed = certified(race) if surely else None
        if passed is not None:
            return refuted(
                "noise is memorized before the feature is learnt", _case(race, passed, off_diagonal, constants)
            )
    return open_(f"a link of the proof fails, and no case of the grid breaks the order ({proof.reason})")


def _case(race: Race, passed: int, off_diagonal: Any, constants: dict[str, Any]) -> dict[str, Any]:
    """The case, and both sides of its condition in floats."""
    row_sum = race.kappa + float(off_diagonal) * race.off_diagonal
    sizes = {"m": 1, "P": 2, "N": race.N, "N_1": race.N - 1}
    start: dict[str, Any] = {"c_0": race.c, "x_0": race.x, "row_sum": row_sum}
    sides = ordering(alpha=race.alpha, eta=race.eta, **sizes, **start, **constants)
    numbers = {**race._asdict(), "T_1": passed, "T_0_at_least": passed}
    return {**numbers, "U": sides.T_0_at_most, "L": sides.T_1_at_least}


def _links(
    off_diagonal: Any,
    slack: Any,
    level: Any = 2,
    head: Any = Fraction(1, 8),
    noise: Any = Fraction(1, 2),
    feature: Any = 3,
    spread: Any = 3,
) -> Outcome:
    import z3

    p, k, h, total, term, n, v, x, X, B = z3.Reals("p k h total term n v x X B")  # n: mQ
    f, g, m, eta, cubed, n_1, ell, nu_1, smaller, K, u = z3.Reals("f g m eta cubed n_1 ell nu_1 smaller K u")
    xi, pull, R, D, L, rate = z3.Reals("xi pull R D L rate")  # rate: η/N
    T_0, T_1, U = z3.Ints("T_0 T_1 U")
    grows = z3.Bool("A_t ≥ a for all t < U")
    half = rational("1/2")
    far = x + rational(spread) * rate * R * x * x
    return both(
        ("sums", decide(total + term <= (k + 1) * h, (total <= k * h, term <= h))),
        ("αc < ½: α³c³ ≤ 1/8", decide(8 * p * p * p <= 1, (p < half,))),
        ("|Ξ|³ ≤ x³", decide(z3.And(xi * xi * xi <= x * x * x, -xi * xi * xi <= x * x * x), (xi <= x, xi >= -x))),
        ("mQx³ < ½", decide(n * x * x * x < half, (n >= 1, rational(level) * n * v * v * v == 1, x >= 0, x < v))),
        ("margin", decide(f + g <= rational(head) * m + rational(noise), (m >= 1, 8 * f <= m, g < half))),
        ("ℓ decreases", sigmoid.prove_decreasing()),
        ("0 < ℓ < 1", sigmoid.prove_range()),
        (
            "A_t ≥ a",
            decide(
                3 * eta * (cubed * nu_1 + smaller) >= rational(feature) * eta * cubed * n_1 * ell,
                (eta > 0, cubed > 0, smaller >= 0, ell > 0, n_1 > 0, nu_1 >= n_1 * ell),
            ),
        ),
        (
            "|Ku| ≤ |K|x²",
            decide(z3.And(K * u <= R * x * x, -K * u <= R * x * x), (x >= 0, u >= -x * x, u <= x * x, R >= K, R >= -K)),
        ),
        ("R", decide(D + rational(off_diagonal) * R >= D + R, (D >= 0, R >= 0))),
        (
            "x' ≤ x + Bx²",
            decide(
                z3.And(xi + 3 * rate * pull <= far, -(xi + 3 * rate * pull) <= far),
                (rate > 0, R > 0, xi <= x, -xi <= x, pull <= R * x * x, -pull <= R * x * x),
            ),
        ),
        ("x ↦ x + Bx² increases", decide(x + B * x * x <= X + B * X * X, (x >= 0, x <= X, B >= 0))),
        ("lower tensor power bound", tensor_power.prove_lower()),
        ("upper tensor power bound", tensor_power.prove_upper()),
        (
            "T₀ < T₁",
            decide(
                T_0 < T_1,
                (
                    U >= 0,
                    z3.ToReal(U) < rational(slack) * L,
                    z3.ToReal(T_1) >= L,
                    z3.Implies(z3.And(U <= T_0, z3.ToReal(U) <= L), grows),
                    z3.Implies(grows, T_0 <= U),
                ),
            ),
        ),
    )
