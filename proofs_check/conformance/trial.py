"""An optimizer on trial: its iterates, each computed once, what it takes, and the time it is given."""

from __future__ import annotations

__all__ = ["BUDGET", "Budget", "Trial"]

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters import NotDriven, Subject, Unsupported, Untried
from lemmascope.proofs_check.conformance.case import FEATURES, Case
from lemmascope.theory.errors import InputError

BUDGET = 600.0
"""Seconds that an optimizer is given by default, over all identities."""
REMEMBERED = 2**12
"""Trajectories that are kept, at most."""


class Budget:
    """Seconds from now on, by a clock that can be another than the machine's."""

    def __init__(self, seconds: float = BUDGET, clock: Callable[[], float] = time.monotonic) -> None:
        if not seconds > 0:
            raise InputError("budget", seconds, "it must be > 0 seconds")
        self.seconds, self._clock, self._started = seconds, clock, clock()

    @property
    def spent(self) -> bool:
        """Whether they are over."""
        return self._clock() - self._started > self.seconds

    @property
    def said(self) -> str:
        """That they are over, in words."""
        return f"not tried to its end within the budget of {self.seconds:g} s"


class Trial:
    """An optimizer on trial.

    Its iterates on a case are computed once and kept: many identities are tried in the same cases.

    Args:
        subject: the optimizer.
        budget: its time; `BUDGET` seconds from now by default.
    """

    def __init__(self, subject: Subject, budget: Budget | None = None) -> None:
        self.subject = subject
        self.budget = budget or Budget()
        self._runs: dict[Case, np.ndarray] = {}
        self._lacks: dict[tuple[str, str], str | None] = {}

    @classmethod
    def of(cls, subject: Subject | Trial) -> Trial:
        """The trial itself, or a new one."""
        return subject if isinstance(subject, Trial) else cls(subject)

    def has(self, setting: str) -> bool:
        """Whether ``make`` takes it."""
        return self.subject.has(setting)

    def trajectory(self, case: Case) -> np.ndarray:
        """θ_0, …, θ_T, (T + 1, n), as `Subject.trajectory`; the first that was seen."""
        if case not in self._runs:
            if len(self._runs) >= REMEMBERED:
                del self._runs[next(iter(self._runs))]
            self._runs[case] = self.again(case)
        return self._runs[case]

    def again(self, case: Case, **how: Any) -> np.ndarray:
        """The same, computed anew; ``how`` as of `Subject.trajectory`."""
        with np.errstate(all="ignore"):  # what overflows is found in the iterates
            return self.subject.trajectory(case, **how)

    def lacks(self, feature: str, dtype: str) -> str | None:
        """Why cases with one of `FEATURES` are not put to it, or None: each is tried once, on two steps."""
        if (feature, dtype) not in self._lacks:
            self._lacks[feature, dtype] = self._refusal(feature, dtype)
        return self._lacks[feature, dtype]

    def _refusal(self, feature: str, dtype: str) -> str | None:
        if feature == "weight_decay":
            return None if self.has("weight_decay") else "takes no weight_decay"
        momentum = self.has("gamma")
        if feature == "momentum_schedule" and not momentum:
            return "takes no gamma"
        plain = Case((1.0, -1.0), ((1.0, 2.0), (2.0, -1.0)), (0.5, 0.5), 0.5 if momentum else 0.0, dtype)
        try:
            self.again(replace(plain, **_PROBES[feature]))
        except NotDriven:
            raise
        except Unsupported as error:
            return str(error)
        except Untried:  # that shows in the cases
            pass
        return None


_PROBES: dict[str, dict[str, Any]] = {
    "schedule": {"eta": (0.5, 0.25)},
    "zero_rate": {"eta": (0.0, 0.5)},
    "arrays": {"arrays": ((1,), (1,))},
    "matrices": {"arrays": ((2, 1),)},
    "zero_gradient": {},
    "missing_gradient": {"missing": frozenset({(1, 0)})},
    "momentum_schedule": {"momenta": (0.5, 0.25)},
}
assert {*_PROBES, "weight_decay"} == set(FEATURES)
