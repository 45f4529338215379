r"""The gap between two runs of SGD with momentum on data that differ in one sample, as an exact linear recursion.

Both runs start alike and see the same indices. Heavy ball in the velocity form, v⁺ = γv − ηf'(w; z_i), w⁺ = w + v⁺, on
f(w; h, z) = ½h(w − z)², the target of sample 0 being z and z' = z − Δ: with D = w − w', V = v − v', whatever the data,

    (D, V)⁺ = M_h (D, V) + (1, 1) ηhΔ·1{i = 0},    M_h = [[1 − ηh, γ], [−ηh, γ]],    det M_h = γ.

**Moments.** Where i is drawn with replacement, (E D², E DV, E V², E D, E V, 1) has one matrix (`lifted`), in which the
data are h̄ = E h, m₂ = E h² and sample 0: no sampling, at a cost that does not grow with n. Its first three rows and
columns are the second moments of a gap that nothing feeds any more (`second`).

**Bound of SGDEM** (`early_bound`), momentum for T_d steps and none after, f convex, L-smooth and G-Lipschitz, ηL ≤ 2,
i drawn with replacement. Before sample 0 is met D = 0, which by step t it is with the probability t/n at most. From
there |V| ≤ 2ηG Σ γ^j ≤ 2ηG/(1 − γ), and D grows by no more a step; without momentum a step does not expand but at
sample 0, where it adds 2ηG at most:

    E|D_T| ≤ Σ_{t ≤ T_d} (t/n) 2ηG/(1 − γ) + (T − T_d) 2ηG/n = (ηG/n) [T_d(T_d + 1)/(1 − γ) + 2(T − T_d)].

**Linear loss** f = −zw (`linear_gap`): E D_T = (ηΔ/(n(1 − γ))) [T − γ(1 − γ^T)/(1 − γ)].

All derived here; velocity form throughout. The average form has η = η̄(1 − γ).
"""

from __future__ import annotations

__all__ = ["EXPONENTS", "START", "Mix", "early_bound", "lifted", "linear_gap", "second"]

from dataclasses import dataclass
from typing import Any

from lemmascope.theory.errors import InputError, check_number, check_size

Array = Any

EXPONENTS = {"SGDM": (0.0, 0.15), "SGD": (-1.0, 0.15), "SGDEM": (-1.0, 0.15), "SGDM, small step": (-1.0, 0.25)}
"""Of the gap in n on h log cosh, by algorithm, and how closely."""

START = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""(E D², E DV, E V², E D, E V, 1) of two runs that start alike."""


@dataclass(frozen=True)
class Mix:
    """The curvatures of n samples, sample 0's first: all that the gap knows of the data.

    Args:
        n: samples.
        first: h of sample 0, > 0: where it is flat there is no gap.
        rest: (h, how many) of the others, together n − 1.

    Raises:
        InputError: counts that do not add up, a curvature that is not ≥ 0.
    """

    n: int
    first: float = 1.0
    rest: tuple[tuple[float, int], ...] = ()

    def __post_init__(self) -> None:
        check_size("n", self.n)
        check_number("first", self.first, 0, open_low=True)
        for h, count in self.rest:
            check_number("h", h, 0)
            check_size("count", count, 0)
        if sum(count for _, count in self.rest) != self.n - 1:
            raise InputError("rest", self.rest, f"its samples must be {self.n - 1}, all but the first")

    @classmethod
    def curved(cls, n: int, curved: int, h: float = 1.0) -> Mix:
        """``curved`` of n samples have the curvature h, sample 0 among them; the others are flat."""
        if not 1 <= check_size("curved", curved) <= check_size("n", n):
            raise InputError("curved", curved, f"it must be from 1 to n = {n}")
        return cls(n, h, ((h, curved - 1), (0.0, n - curved)))

    def _power(self, k: int) -> float:
        return (self.first**k + sum(count * h**k for h, count in self.rest)) / self.n

    @property
    def mean(self) -> float:
        """h̄."""
        return self._power(1)

    @property
    def square(self) -> float:
        """m₂."""
        return self._power(2)


def _matrix(xp: Any, rows: list[list[Array]], like: Array) -> Array:
    """(…, k, k) from its entries, numbers or arrays."""
    zero = xp.zeros_like(like)
    flat = xp.stack([zero + entry for row in rows for entry in row], axis=-1)
    return xp.reshape(flat, (*zero.shape, len(rows), len(rows)))


def second(xp: Any, eta: Array, gamma: Array, mean: float, square: float) -> Array:
    """(…, 3, 3) of (E D², E DV, E V²) in a step that does not feed the gap.

    Args:
        xp: the array library.
        eta, gamma: (…) step size and momentum, of one shape.
        mean, square: h̄ and m₂.
    """
    return _matrix(xp, _second(eta, gamma, mean, square), eta)


def _second(eta: Array, gamma: Array, mean: float, square: float) -> list[list[Array]]:
    pull, both = eta * mean, eta * eta * square
    return [
        [1 - 2 * pull + both, 2 * gamma * (1 - pull), gamma * gamma],
        [both - pull, gamma * (1 - 2 * pull), gamma * gamma],
        [both, -2 * gamma * pull, gamma * gamma],
    ]


def lifted(xp: Any, eta: Array, gamma: Array, mix: Mix, delta: float = 1.0) -> Array:
    """(…, 6, 6) of (E D², E DV, E V², E D, E V, 1) in one step, indices drawn with replacement.

    Args:
        xp: the array library.
        eta, gamma: (…) step size and momentum, of one shape.
        mix: the samples; delta: by how much sample 0's target is moved.
    """
    pull, kick, share = eta * mix.mean, eta * mix.first * delta, 1 / mix.n
    own = eta * mix.first
    fed = [  # what sample 0 adds to the second moments: by E D, by E V, by itself
        [2 * share * kick * (1 - own), 2 * share * kick * gamma, share * kick * kick],
        [share * kick * (1 - 2 * own), 2 * share * kick * gamma, share * kick * kick],
        [-2 * share * kick * own, 2 * share * kick * gamma, share * kick * kick],
    ]
    rows = [a + b for a, b in zip(_second(eta, gamma, mix.mean, mix.square), fed, strict=True)]
    rows += [[0.0, 0.0, 0.0, *row] for row in ([1 - pull, gamma, share * kick], [-pull, gamma, share * kick])]
    rows.append([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    return _matrix(xp, rows, eta)


def early_bound(eta: Array, gamma: Array, n: Array, until: Array, steps: Array, G: float = 1.0) -> Array:
    """The bound of E|D| after ``steps`` ≥ T_d = ``until`` steps of SGDEM; G is the Lipschitz constant."""
    return eta * G / n * (until * (until + 1) / (1 - gamma) + 2 * (steps - until))


def linear_gap(eta: Array, gamma: Array, n: Array, steps: Array, delta: float = 1.0) -> Array:
    """E D after so many steps on linear losses: 1/(1 − γ) times SGD's at equal η, about the same at equal η/(1 − γ)."""
    return eta * delta / (n * (1 - gamma)) * (steps - gamma * (1 - gamma**steps) / (1 - gamma))
