r"""Conventions of momentum as data, their trajectories without rounding, and the rounding that is allowed.

**Recursion.** Each convention is, for a prescribed sequence of gradients,

    u_{t+1} = γ_t u_t + κ_t ∇_t,    θ_{t+1} = (1 − δ_t) θ_t − p_t u_{t+1} − q_t ∇_t,    u_0 = 0,

with ∇_t + λθ_t in place of ∇_t where weight decay is coupled, δ_t = η_t λ where it is decoupled, and −∇_t in place of
∇_t for ascent (``maximize``). An array without a gradient in a step leaves that step out, its count of steps
included. It is iterated in `fractions.Fraction`, exactly: floats are rational numbers. A long or a wide case
(`Case.large`) is iterated in float64, where the same bound holds for the reference's own rounding, and is added.

**Kernel.** Where λ = 0, θ_t = θ_0 − Σ_{s<t} k(t, s) ∇_s with k(t, s) = q_s + κ_s Σ_{j=s}^{t−1} p_j γ^{j−s}; for a
constant η and γ each convention has it in closed form, a second encoding that the identities use
(`Convention.kernel`).

**Bound on the rounding.** In floating point each of the four operations gives the exact result times (1 + δ), |δ| ≤ ε
(the unit roundoff), plus an underflow ω of at most the smallest normal number, as some libraries flush subnormal
numbers to zero. A term of the sum that θ_t is passes through at most `OPERATIONS` of them a step, those that form its
coefficients included, so it is off by a factor (1 ± ε)^{±n}, n = `OPERATIONS`·t, and |1 − factor| ≤ g_n = nε/(1 − nε)
(Higham, *Accuracy and Stability of Numerical Algorithms*, lemma 3.1). With M_t the same recursion in absolute values,
and Ω_t that recursion started from 0 and fed ω at every operation,

    |θ̂_t − θ_t| ≤ g_n M_t + (1 + g_n) Ω_t.

Bias correction divides by 1 − P_t, P_t = γ_0 ⋯ γ_{t−1}, formed with a relative error of up to
(1 + tP_t)ε/(1 − P_t): as many roundings are added to n. Where nε is ½ or more nothing is said. An algorithm that keeps
differences of iterates in place of a buffer obeys no such bound: it cancels.
"""

from __future__ import annotations

__all__ = ["CONVENTIONS", "OPERATIONS", "Convention", "loose", "reference"]

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.case import Case
from lemmascope.proofs_check.conformance.formats import FORMATS

F = Fraction
ZERO = F(0)
OPERATIONS = 12
"""Roundings of one term in one step, at most: coupled decay 2, γu, κ, κ∇ and their sum 4, a bias correction 2, a
Nesterov look-ahead 2, the learning rate and the subtraction 2."""
Steps = tuple[Fraction, Fraction, Fraction]


@dataclass(frozen=True)
class Convention:
    """A form of momentum.

    Args:
        name: short; what ``convention=`` takes.
        formula: its step, in symbols.
        recursion: (case, t) to (κ_t, p_t, q_t).
        kernel: (η, γ, age, s) to k(t, s), where age = t − s ≥ 1, for constant η and γ; None where it is not said.
        decay: how weight decay enters: ``"coupled"``, ``"decoupled"``.
        more: roundings of one term beside `OPERATIONS` in each step, from the case.
    """

    name: str
    formula: str
    recursion: Callable[[Case, int], Steps]
    kernel: Callable[[Fraction, Fraction, int, int], Fraction] | None = None
    decay: str = "coupled"
    more: Callable[[Case], int] = lambda case: 0

    def at(self, factor: Callable[[Fraction], Fraction], words: str) -> Convention:
        """The same at a learning rate of factor(γ) times η, which ``words`` says; for constant γ.

        As factors may have 1 − γ² in them, which is off by up to 2ε/(1 − γ²), more roundings are allowed for.
        """

        def recursion(case: Case, t: int) -> Steps:
            kappa, p, q = self.recursion(case, t)
            times = factor(F(case.gamma))
            return kappa, times * p, times * q

        def more(case: Case) -> int:
            return self.more(case) + 4 + math.ceil(2 / (1 - F(case.gamma)))

        return replace(self, name=f"{self.name} at {words}", recursion=recursion, kernel=None, more=more)


def _geometric(gamma: Fraction, count: int) -> Fraction:
    """1 + γ + … + γ^{count−1}."""
    return (1 - gamma**count) / (1 - gamma)


def _eta(case: Case, t: int) -> Fraction:
    return F(case.eta[t])


def _gamma(case: Case, t: int) -> Fraction:
    return F(case.gamma if case.momenta is None else case.momenta[t])


def _unbiased(case: Case, t: int) -> Fraction:
    """1 − γ_0 ⋯ γ_t."""
    return 1 - (
        F(case.gamma) ** (t + 1) if case.momenta is None else math.prod(map(F, case.momenta[: t + 1]), start=F(1))
    )


def _unbiasing(case: Case) -> int:
    """Roundings in 1 − γ_0 ⋯ γ_t, in the step in which they are most; for constant γ the first."""
    products = accumulate(map(F, case.gammas), mul) if case.momenta else [F(case.gamma)]
    return math.ceil(max((1 + t * P) / (1 - P) for t, P in enumerate(products, start=1)))


def _dampened(case: Case, t: int) -> Steps:
    tau = F(0) if case.dampening is None else F(case.dampening)
    return (F(1) if t == 0 else 1 - tau), _eta(case, t), F(0)


CONVENTIONS: dict[str, Convention] = {
    c.name: c
    for c in (
        Convention("gd", "θ ← θ − η∇", lambda case, t: (F(0), F(0), _eta(case, t)), lambda eta, gamma, age, s: eta),
        Convention(
            "average",
            "u ← γu + (1−γ)∇, θ ← θ − ηu",
            lambda case, t: (1 - _gamma(case, t), _eta(case, t), F(0)),
            lambda eta, gamma, age, s: eta * (1 - gamma**age),
        ),
        Convention(
            "average_inside",
            "u ← γu + (1−γ)η∇, θ ← θ − u (learning rate inside the average)",
            lambda case, t: ((1 - _gamma(case, t)) * _eta(case, t), F(1), F(0)),
            lambda eta, gamma, age, s: eta * (1 - gamma**age),
        ),
        Convention(
            "seeded_average",
            "u = ∇₀ at first, then u ← γu + (1−γ)∇, θ ← θ − ηu (dampening = γ)",
            lambda case, t: (1 - _gamma(case, t) if t else F(1), _eta(case, t), F(0)),
            lambda eta, gamma, age, s: eta * (1 - gamma**age if s else _geometric(gamma, age)),
        ),
        Convention(
            "velocity",
            "u ← γu + η∇, θ ← θ − u (learning rate inside)",
            lambda case, t: (_eta(case, t), F(1), F(0)),
            lambda eta, gamma, age, s: eta * _geometric(gamma, age),
        ),
        Convention(
            "pytorch",
            "u ← γu + ∇, θ ← θ − ηu (learning rate outside)",
            _dampened,
            lambda eta, gamma, age, s: eta * _geometric(gamma, age),
        ),
        Convention(
            "corrected",
            "u ← γu + (1−γ)∇, θ ← θ − ηu/(1−γᵗ) (bias-corrected average)",
            lambda case, t: (1 - _gamma(case, t), _eta(case, t) / _unbiased(case, t), F(0)),
            lambda eta, gamma, age, s: (
                eta * (1 - gamma) * sum(gamma ** (j - s) / (1 - gamma ** (j + 1)) for j in range(s, s + age))
            ),
            more=_unbiasing,
        ),
        Convention(
            "nesterov",
            "u ← γu + η∇, θ ← θ − γu − η∇ (learning rate inside)",
            lambda case, t: (_eta(case, t), _gamma(case, t), _eta(case, t)),
            lambda eta, gamma, age, s: eta * _geometric(gamma, age + 1),
        ),
        Convention(
            "nesterov_pytorch",
            "u ← γu + ∇, θ ← θ − η(∇ + γu) (learning rate outside)",
            lambda case, t: (F(1), _eta(case, t) * _gamma(case, t), _eta(case, t)),
            lambda eta, gamma, age, s: eta * _geometric(gamma, age + 1),
        ),
        Convention(
            "nesterov_average",
            "u ← γu + (1−γ)∇, θ ← θ − η((1−γ)∇ + γu) (Nesterov's look-ahead of an average)",
            lambda case, t: (
                1 - _gamma(case, t),
                _eta(case, t) * _gamma(case, t),
                _eta(case, t) * (1 - _gamma(case, t)),
            ),
            lambda eta, gamma, age, s: eta * (1 - gamma ** (age + 1)),
        ),
    )
}


@lru_cache(maxsize=2**13)  # the cases are the same for every optimizer
def reference(convention: Convention, case: Case) -> tuple[np.ndarray, np.ndarray] | None:
    """θ_0, …, θ_T of the convention, and g_n M_t + (1 + g_n) Ω_t, how far from it an optimizer may be.

    Returns:
        Two arrays (T + 1, n), of fractions, or of float64 for a large case; None where M_t or the buffer exceeds a
        quarter of the largest number, so that a partial sum could overflow, and where nε ≥ ½.
    """
    if not case.missing:
        return _together(convention, case)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for array in range(len(case.shapes)):
        alone = case.alone(array)
        known = _together(convention, alone) if alone.gradients else _still(alone)
        if known is None:
            return None
        steps = [int((t, array) not in case.missing) for t in range(len(case.gradients))]
        rows = list(accumulate(steps, initial=0))
        found.append((known[0][rows], known[1][rows]))
    return np.concatenate([x for x, _ in found], axis=1), np.concatenate([room for _, room in found], axis=1)


def _still(case: Case) -> tuple[np.ndarray, np.ndarray]:
    theta = _numbers(case, [case.theta])
    return theta, 0 * theta


def _together(convention: Convention, case: Case) -> tuple[np.ndarray, np.ndarray] | None:
    """`reference` where no gradient is missing."""
    sign = -1 if case.maximize else 1
    theta, gradients = _numbers(case, case.theta), sign * _numbers(case, case.gradients)
    form = FORMATS[case.dtype]
    g = _relative(convention, case, case.dtype)
    if g is None:
        return None
    steps = [tuple(_number(case, x) for x in convention.recursion(case, t)) for t in range(len(gradients))]
    sizes = _iterate(convention, case, steps, abs(theta), abs(gradients), 1)
    buffer = abs(gradients).max() * _geometric(F(max(case.gammas)), len(gradients) + 1) * F(max(1.0, *case.eta))
    if not sizes.max() + buffer < F(form.largest) / 4:
        return None
    tiny = F(form.tiny)
    lost = _iterate(convention, case, steps, 0 * theta + _number(case, tiny), 0 * gradients, 1, tiny)
    if case.large:
        # The reference rounds too, and so do M, Ω and g, by far less than 10⁻⁹ of themselves.
        own = _relative(convention, case, "float64")
        assert own is not None
        allowed = (1 + 1e-9) * ((g + own) * sizes + 3 * lost)
    else:
        allowed = g * sizes + (1 + g) * lost
    return _iterate(convention, case, steps, theta, gradients, -1), allowed


def _number(case: Case, x: Fraction) -> Any:
    return float(x) if case.large else x


def _numbers(case: Case, values: Any) -> np.ndarray:
    return np.array(values) if case.large else np.vectorize(F, otypes=[object])(np.array(values))


def _iterate(
    convention: Convention,
    case: Case,
    steps: Sequence[tuple[Any, ...]],
    theta: np.ndarray,
    gradients: np.ndarray,
    sign: int,
    feed: Fraction = ZERO,
) -> np.ndarray:
    """The recursion with every minus replaced by ``sign``, and ``feed`` added at each of its operations.

    With sign = 1 the factors are taken by their size.
    """
    lam, fed = F(case.weight_decay or 0), _number(case, feed)
    coupled = _number(case, lam if convention.decay == "coupled" else ZERO)
    u, rows = 0 * theta, [theta]
    for t, (row, step) in enumerate(zip(gradients, steps, strict=True)):
        kappa, p, q = step if sign < 0 else map(abs, step)
        pull = (row + coupled * theta if lam else row) + 2 * fed
        u = _number(case, _gamma(case, t)) * u + kappa * pull + 4 * fed
        kept = theta
        if lam and convention.decay == "decoupled":
            kept = _number(case, 1 + sign * _eta(case, t) * lam) * theta
        theta = kept + sign * (p * u + q * pull + 2 * fed) + 2 * fed
        rows.append(theta)
    return np.stack(rows)


def _relative(convention: Convention, case: Case, dtype: str) -> np.ndarray | None:
    """g_n after 0, 1, …, T steps, as a column; None where nε ≥ ½."""
    first = convention.more(case)
    epsilon = F(FORMATS[dtype].roundoff)
    counts = [OPERATIONS * t + first * (t > 0) for t in range(len(case.gradients) + 1)]
    if counts[-1] * epsilon >= F(1, 2):
        return None
    n = _numbers(case, counts)
    eps = _number(case, epsilon)
    return (n * eps / (1 - n * eps))[:, None]


def loose(case: Case, *trajectories: np.ndarray) -> np.ndarray | None:
    """A bound on the rounding of any of the conventions, (T + 1, n), where none of them is said.

    g_n with n = `OPERATIONS`·T, of what is seen in the trajectories and of 2 + T times η|∇| summed, which exceeds every
    kernel; and underflow in proportion. None where nε ≥ ½.
    """
    form = FORMATS[case.dtype]
    T = len(case.gradients)
    n = OPERATIONS * (T + 1) * form.roundoff
    if n >= 0.5:
        return None
    seen = np.max([np.abs(x.astype(np.longdouble)).max(axis=0) for x in trajectories], axis=0)
    pulls = np.abs(np.array(case.gradients, dtype=np.longdouble)).sum(axis=0) * max(case.eta) * (2 + T)
    decayed = (1 + (case.weight_decay or 0) * max(case.eta)) ** T
    floor = form.tiny * OPERATIONS * (T + 1) ** 2 * max(1, max(case.eta)) * decayed
    room = (4 * n / (1 - n) * decayed * (seen + pulls) + floor).astype(float)
    return np.broadcast_to(room, (T + 1, len(case.theta)))
