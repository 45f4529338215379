"""What a run on a scale-invariant loss is: its optimizers, and when it is looked at."""

from __future__ import annotations

__all__ = ["QUANTITIES", "SEEN", "AdamCase", "Case", "check_times"]

from collections.abc import Sequence
from dataclasses import dataclass

from lemmascope.theory.errors import InputError, check_number, check_size

SEEN = ("G", "loss", "path")
"""At each time: |w|², the loss, and the sum of |v|² (of |Πv|², where that is the step) so far."""

QUANTITIES = ("error", "wrong", "angle")
"""Over all steps: largest errors of the norm's recursion, relative to G and, of s, to |w||v|; the same of G without s;
and the angle of the last step.
"""


@dataclass(frozen=True)
class Case:
    """SGD with momentum: v⁺ = βv + g, w⁺ = (1 − ηλ)w − ηv⁺, or − ηΠv⁺.

    Args:
        eta, decay: η > 0 and λ ≥ 0, ηλ < 1; beta: β in [0, 1).
        projected: whether the step is without the buffer's part along w (SGDP).
        start: |w₀|² > 0.
        reset: whether w is put back to length 1 after each step.
    """

    eta: float
    decay: float = 0.0
    beta: float = 0.0
    projected: bool = False
    start: float = 1.0
    reset: bool = False

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, open_low=True)
        check_number("decay", self.decay, 0)
        check_number("beta", self.beta, 0, 1, open_high=True)
        check_number("start", self.start, 0, open_low=True)
        check_number("eta · decay", self.eta * self.decay, 0, 1, open_high=True)

    @property
    def row(self) -> tuple[float, ...]:
        """As numbers, for a compiled loop."""
        return self.eta, 1 - self.eta * self.decay, self.beta, float(self.projected), float(self.reset)


@dataclass(frozen=True)
class AdamCase:
    """Adam with bias correction and without decay, or AdamP.

    Args:
        eta: η > 0; beta1, beta2: in [0, 1).
        projected: whether the step is without its part along w (AdamP).
        epsilon: ε ≥ 0; also what AdamP adds to |w|.
        start: |w₀|² > 0.
    """

    eta: float
    beta1: float = 0.9
    beta2: float = 0.99
    projected: bool = False
    epsilon: float = 1e-8
    start: float = 1.0

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, open_low=True)
        for name in ("beta1", "beta2"):
            check_number(name, getattr(self, name), 0, 1, open_high=True)
        check_number("epsilon", self.epsilon, 0)
        check_number("start", self.start, 0, open_low=True)

    @property
    def row(self) -> tuple[float, ...]:
        """As numbers, for a compiled loop."""
        return self.eta, self.beta1, self.beta2, self.epsilon, float(self.projected)


def check_times(times: Sequence[int]) -> tuple[int, ...]:
    """Steps after which a run is looked at, as a tuple; the last ends it.

    Raises:
        InputError: they are not increasing, or none.
    """
    found = tuple(check_size("times", time) for time in times)
    if not found or list(found) != sorted(set(found)):
        raise InputError("times", "of a run", "give one or more, increasing")
    return found
