r"""How often a statement is true, decided draw by draw at a stated level: a sequential test whose errors are exact.

Draws are independent, and a statement is true on each with probability p. `Plan` says, before the first draw, when it
is decided on which side of the level p₀ the probability is. Write F_n for the number of failures among the first n
draws, and W_j for the draw of the j-th failure.

HOLDS (p ≥ p₀)     at draw n_k, if F ≤ k there: looks n₀ < n₁ < …
REFUTED (p < p₀)   at the j-th failure, if W_j ≤ m_j: limits m₁ ≤ m₂ ≤ …

With α = 1 − confidence, n_k is the first draw, and m_j the last one, at which at p = p₀

    P(HOLDS by the look k) ≤ α − (α − p₀^{n₀})/(k + 1)      P(REFUTED by the failure j) ≤ α − α/j,

n₀ being the first draw with p₀^{n₀} ≤ α. For p₀ = 0.95, α = 0.05: n₀ = 59, n₁ = 163; no fewer than 59 draws without a
failure can show it, whatever the test, as all of them are true with probability p₀^n > α at p = p₀ for n < 59.

**Error.** P(HOLDS) ≤ α for every p ≤ p₀, and P(REFUTED) ≤ α for every p ≥ p₀, whenever one stops. Proof: draw uniform
U_i and call the draw i true if U_i ≤ p. For a larger p each F_n is the same or smaller and each W_j the same or later,
so that HOLDS stays and REFUTED does not appear: the one probability grows with p, the other falls, and at p₀ both are
at most α by the choice of n_k and m_j. Neither limit is computed with the other as a stop, which could only lower it.

**Power.** Every p ≠ p₀ is decided with probability one: k(k + 1) grows slower than the inverse of the probability at
p₀ of as few, or as many, failures as p gives. A probability close to p₀ takes long, and at p₀ itself the test stays
open with probability 1 − 2α or more.

Limits are found in integers, by counting weighted paths: no rounding. They do not depend on `Plan.draws`, where one
gives up; so a longer plan continues a shorter one, with the same error. Group sequential tests and error spending: K.
K. G. Lan and D. L. DeMets, Biometrika 70 (1983) 659–663; the interval of a fixed n: C. J. Clopper and E. S. Pearson,
Biometrika 26 (1934) 404–413.
"""

from __future__ import annotations

__all__ = ["MOST", "Decision", "Outcomes", "Plan"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import count
from typing import Any

from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.verdict import CONFIDENCE, Status

MOST = 5000
"""Draws of a plan at most: the limits of so many take seconds."""


@dataclass(frozen=True)
class Decision:
    """What a plan says after some draws.

    Attributes:
        status: HOLDS, REFUTED, or INCONCLUSIVE while neither is decided.
        draws, failures: at which draw, and after how many failures; of those seen so far while undecided. A draw on
            which the statement is undefined is a failure for HOLDS, and none for REFUTED.
        open: whether further draws of the plan can decide it.
    """

    status: Status
    draws: int
    failures: int
    open: bool


@dataclass(frozen=True)
class Outcomes:
    """What a plan does where the statement is true with probability p, of p's own number type.

    Attributes:
        holds, refuted: probabilities; draws: expected number until it stops, decided or given up.
    """

    holds: Any
    refuted: Any
    draws: Any


@dataclass(frozen=True)
class Plan:
    """A sequential test of p against a level, fixed before the first draw.

    Args:
        level: p₀, in (0, 1); the decimal number that is written, 0.95 = 19/20.
        draws: the number after which one gives up.
        confidence: 1 − α, in (1/2, 1), for each of both errors.

    Raises:
        InputError: a number outside its range.
    """

    level: float
    draws: int
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        check_number("level", self.level, 0, 1, open_low=True, open_high=True)
        check_number("confidence", self.confidence, 0.5, 1, open_low=True, open_high=True)
        if check_size("draws", self.draws) > MOST:
            raise InputError("draws", self.draws, f"a sequential test takes at most {MOST}")

    @property
    def fewest(self) -> int:
        """n₀: the draws that can hold, if none fails."""
        p, alpha = self._exact
        return next(n for n in count(1) if p**n <= alpha)

    @property
    def holds_at(self) -> tuple[int, ...]:
        """n_k for k = 0, 1, … up to ``draws``: with k failures it holds there."""
        return tuple(n for n, _ in self._holds)

    @property
    def refuted_within(self) -> tuple[int, ...]:
        """m_j for j = 1, 2, …: with the j-th failure within so many draws it is refuted; the last is ``draws``."""
        return tuple(m for m, _ in self._refuted)

    @property
    def errors(self) -> tuple[Fraction, Fraction]:
        """The largest probabilities of HOLDS where p ≤ level and of REFUTED where p ≥ level, by ``draws``; exact.

        Each is that of going on after the other decision.
        """
        return self._holds[-1][1] if self._holds else Fraction(0), self._refuted[-1][1]

    @property
    def rule(self) -> str:
        """The plan and its errors in words."""

        def listed(numbers: Sequence[int]) -> str:
            return ", ".join([*map(str, numbers[:4]), *["…"] * (len(numbers) > 4)])

        looks, limits = self.holds_at, self.refuted_within
        several = [j for j, m in enumerate(limits, 1) if m >= j]
        held, refuted = self.errors
        holds = f"at draw {listed(looks)} with at most {listed(range(len(looks)))} failures" if looks else "at no draw"
        within = listed([limits[j - 1] for j in several])
        fails = f"with {listed(several)} failures within {within} draws" if several else "at no draw"
        return (
            f"p ≥ {self.level:g} HOLDS {holds}, and is REFUTED {fails}; after {self.draws} draws it is left open. "
            f"Errors of each claim by itself: at most {float(held):.4f} and {float(refuted):.4f}."
        )

    def stated(self, probability: float) -> Plan:
        """The plan of a statement of this probability, where that is above the level."""
        return self if probability <= self.level else replace(self, level=probability)

    def decide(self, outcomes: Sequence[bool | None], left: int | None = None) -> Decision:
        """What is decided by these draws, in their order.

        Args:
            outcomes: on each draw, whether the statement is true; None where it is undefined.
            left: draws that the plan has left; default those up to ``draws``.
        """
        looks = {n: k for k, n in enumerate(self.holds_at)}
        seen, failed, untrue = outcomes[: self.draws], 0, 0
        for n, true in enumerate(seen, 1):
            failed, untrue = failed + (true is False), untrue + (true is not True)
            if true is False and n <= self._limit(failed):
                return Decision(Status.REFUTED, n, failed, False)
            if untrue <= looks.get(n, -1):
                return Decision(Status.HOLDS, n, untrue, False)
        n = len(seen)
        last = min(self.draws, n + (self.draws if left is None else left))
        holds = any(n < at <= last and untrue <= k for k, at in enumerate(self.holds_at))
        refuted = any(n + i <= self._limit(failed + i) for i in range(1, last - n + 1))
        return Decision(Status.INCONCLUSIVE, n, untrue, holds or refuted)

    def record(self, found: Decision) -> dict[str, Any]:
        """Plan, errors and decision as JSON; ``decided`` is the draw of the decision, or null."""
        holds, refuted = self.errors
        return {
            "level": self.level,
            "confidence": self.confidence,
            "most": self.draws,
            "holds_at": list(self.holds_at),
            "refuted_within": list(self.refuted_within),
            "errors": {"HOLDS": float(holds), "REFUTED": float(refuted)},
            "draws": found.draws,
            "failures": found.failures,
            "decided": found.status is not Status.INCONCLUSIVE,
            "open": found.open,
        }

    def says(self, found: Decision) -> str:
        """The decision in words."""
        k, n, error = found.failures, found.draws, f"error at most {1 - self.confidence:.2g}"
        if found.status is Status.HOLDS:
            return f"true on {n - k} of the first {n} draws: p ≥ {self.level:g}, {error}"
        if found.status is Status.REFUTED:
            return f"false on {k} of the first {n} draws: p < {self.level:g}, {error}"
        told = f"true on {n - k} of {n} draws, which leaves open whether p ≥ {self.level:g}"
        return told if k >= len(self.holds_at) else f"{told}; {self.holds_at[k]} decide with no further failure"

    def outcomes(self, p: Any) -> Outcomes:
        """What happens where the statement is true with probability p; exact for a `fractions.Fraction`.

        Args:
            p: a number in [0, 1].
        """
        looks = {n: k for k, n in enumerate(self.holds_at)}
        holds, refuted, expected, alive = 0 * p, 0 * p, 0 * p, [1 + 0 * p]
        for n in range(1, self.draws + 1):
            expected += sum(alive)
            alive = _next(alive, p, 1 - p, len(self.refuted_within))
            for k, at_k in enumerate(alive):
                if k and n <= self._limit(k):
                    refuted, alive[k] = refuted + at_k, 0 * p
                elif k <= looks.get(n, -1):
                    holds, alive[k] = holds + at_k, 0 * p
        return Outcomes(holds, refuted, expected)

    def _limit(self, failures: int) -> int:
        """m_j; beyond the last one all of the plan's draws."""
        limits = self.refuted_within
        return limits[failures - 1] if failures <= len(limits) else self.draws

    @property
    def _exact(self) -> tuple[Fraction, Fraction]:
        """p₀ and α."""
        return Fraction(str(float(self.level))), 1 - Fraction(str(float(self.confidence)))

    @cached_property
    def _holds(self) -> tuple[tuple[int, Fraction], ...]:
        return _looks(*self._exact, self.draws)

    @cached_property
    def _refuted(self) -> tuple[tuple[int, Fraction], ...]:
        return _limits(*self._exact, self.draws)


def _next(alive: Sequence[Any], p: Any, q: Any, most: int) -> list[Any]:
    """Weights of the paths after one more draw, by their number of failures up to ``most``."""
    each = zip([*alive, 0 * p], [0 * p, *alive], strict=True)
    return [p * same + q * one_less for same, one_less in each][: most + 1]


@lru_cache(maxsize=64)
def _looks(level: Fraction, alpha: Fraction, draws: int) -> tuple[tuple[int, Fraction], ...]:
    """n_k and P(HOLDS by the look k) at p = level, for k = 0, 1, …; weights of paths are times dⁿ, level = a/d.

    P(F ≤ k at n_k) ≤ α < 1/2 puts k below the median of F, so that k < (1 − level)n: no path beyond is followed.
    """
    a, d = level.numerator, level.denominator
    most, alive, scale, spent = int((1 - level) * draws), [1], 1, Fraction(0)
    found: list[tuple[int, Fraction]] = []
    for n in range(1, draws + 1):
        alive, scale = _next(alive, a, d - a, most), scale * d
        while (k := len(found)) < len(alive):
            rest = alpha - found[0][1] if found else Fraction(0)
            room = alpha - rest / (k + 1) - spent
            if alive[k] * room.denominator > room.numerator * scale:
                break
            spent += Fraction(alive[k], scale)
            alive[k] = 0
            found.append((n, spent))
    return tuple(found)


@lru_cache(maxsize=64)
def _limits(level: Fraction, alpha: Fraction, draws: int) -> tuple[tuple[int, Fraction], ...]:
    """m_j and P(REFUTED by the failure j) at p = level, for j = 1, 2, …; weights of paths are times dⁿ, level = a/d."""
    a, d = level.numerator, level.denominator
    alive, scale, spent = [1], 1, Fraction(0)
    found: list[tuple[int, Fraction]] = []
    for n in range(1, draws + 1):
        before, scale = alive, scale * d
        while True:
            j = len(found) + 1
            crossing = Fraction((d - a) * before[j - 1], scale) if j <= len(before) else Fraction(0)
            if spent + crossing <= alpha - alpha / j:
                break
            found.append((n - 1, spent))
        spent += crossing
        alive = _next(before, a, d - a, j - 1)
    found.append((draws, spent))
    return tuple(found)
