r"""Claims of kind *order*: an exponent, held against a slope with its interval.

A statement q = Θ̃(d^e) leaves a factor of log d free, up or down. It moves the fitted slope of log q against log d by
exactly a, the slope of log log d in the same fit with the same weights (derived: the fit is linear in log q); through
two sizes d₁ and d₂ alone that is log(log d₂ / log d₁) / log(d₂ / d₁).
The statement HOLDS if the whole interval of the slope lies within e ± a, is REFUTED if it lies outside, and is
INCONCLUSIVE where it reaches across the edge. So a wrong exponent is refuted as soon as it is wrong by more than a
logarithm can be, and no tolerance is chosen.
"""

from __future__ import annotations

__all__ = ["OrderClaim", "Slope", "log_allowance"]

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import SOURCES, Kind, Status, Verdict


def log_allowance(d_1: float, d_2: float) -> float:
    """How far one factor of log d moves a slope through d₁ and d₂."""
    return math.log(math.log(d_2) / math.log(d_1)) / math.log(d_2 / d_1)


@dataclass(frozen=True)
class Slope:
    """A fitted exponent (`sims.slopes.fit_slope`).

    Attributes:
        value: the slope of log q against log d.
        low, high: its 95 % bootstrap interval.
        sizes: the d that took part; counts: the seeds at each.
        means: mean of log q at each size; errors: its standard error.
        logarithm: slope of log log d in the same fit; by default that through the smallest and the largest size.
    """

    value: float
    low: float
    high: float
    sizes: tuple[float, ...]
    counts: tuple[int, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]
    logarithm: float | None = None


@dataclass(frozen=True)
class OrderClaim:
    """An exponent as data.

    Args:
        id: dotted name; statement: LaTeX; plain: the same in plain text.
        source: of the exponent, one of `theory.verdict.SOURCES`.
        quantity: what is fitted, a name known to the study.
        optimizer: whose.
        exponent: predicted.
        factors: how many factors of log d are free, on either side.
        control: description of the negative control.
    """

    id: str
    statement: str
    plain: str
    source: str
    quantity: str
    optimizer: str
    exponent: float
    factors: float = 1.0
    control: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError("source", self.source, f"it must be one of {', '.join(SOURCES)}")

    def status(self, slope: Slope) -> Status:
        """How a slope comes out."""
        low, high = self.band(slope)
        if low <= slope.low and slope.high <= high:
            return Status.HOLDS
        return Status.REFUTED if slope.high < low or slope.low > high else Status.INCONCLUSIVE

    def band(self, slope: Slope) -> tuple[float, float]:
        """The exponents that a factor of logarithms allows."""
        one = log_allowance(slope.sizes[0], slope.sizes[-1]) if slope.logarithm is None else slope.logarithm
        free = self.factors * abs(one)
        return self.exponent - free, self.exponent + free

    def judge(
        self,
        slope: Slope,
        *,
        seeds: Sequence[int],
        control: Slope | None = None,
        evidence: dict[str, Any] | None = None,
    ) -> Verdict:
        """Hold a slope, and the control's, against the exponent."""
        low, high = self.band(slope)
        status = self.status(slope)
        reason = (
            f"slope {slope.value:.3f}, 95 % interval [{slope.low:.3f}, {slope.high:.3f}], {len(slope.sizes)} sizes; "
            f"predicted {self.exponent:.3f}, with factors of log d in [{low:.3f}, {high:.3f}]"
        )
        outcome = "not run" if control is None else self.status(control).value
        return Verdict(
            claim=self.id,
            optimizer=self.optimizer,
            statement=self.statement,
            kind=Kind.ORDER,
            source=self.source,
            status=status,
            expected=Status.HOLDS,
            reason=reason,
            plain=self.plain,
            computed=slope.value,
            lower=low,
            upper=high,
            margin=min(slope.low - low, high - slope.high),
            seeds=tuple(seeds),
            holding=tuple(seeds) if status is Status.HOLDS else (),
            witness={"slope": slope.value, "low": slope.low, "high": slope.high} if status is Status.REFUTED else None,
            evidence={
                "slope interval": [slope.low, slope.high],
                "sizes": list(slope.sizes),
                "seeds a size": list(slope.counts),
                "mean log": list(slope.means),
                "standard error": list(slope.errors),
                "control slope": None if control is None else [control.value, control.low, control.high],
                **(evidence or {}),
            },
            control={"description": self.control, "status": outcome} if self.control else None,
        )
