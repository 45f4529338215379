"""An optimizer on trial: its iterates, each computed once, what it takes, and the time it is given."""

from __future__ import annotations

__all__ = ["BUDGET", "Budget", "Trial"]

import time
from collections.abc import Callable, Collection
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
        self._found: dict[tuple[str, str], tuple[type[Exception] | None, str]] = {}

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
        """Why cases with one of `FEATURES` are not for it, or None: each is tried once, on two steps."""
        what, why = self._probed(feature, dtype)
        return why if what is Unsupported else None

    def leaves_out(self, feature: str, dtype: str, always: Collection[str] = ()) -> bool:
        """Whether cases that may have a feature are put to it without.

        So they are where it lacks the feature, and where it cannot be tried with it at all, if there are identities
        that are about it: these say so. About learning rates of 0 those are that are about schedules.

        Args:
            feature: of `FEATURES`.
            dtype: of the cases.
            always: the features that all cases of the identity have.
        """
        if feature == "zero_rate" and self._probed("schedule", dtype)[0] is not None:
            return True
        what, _ = self._probed(feature, dtype)
        elsewhere = _OWN_IDENTITIES if "schedule" in always else {"zero_rate", *_OWN_IDENTITIES}
        return what is Unsupported or (what is Untried and feature in elsewhere)

    def _probed(self, feature: str, dtype: str) -> tuple[type[Exception] | None, str]:
        if (feature, dtype) not in self._found:
            self._found[feature, dtype] = self._probe(feature, dtype)
        return self._found[feature, dtype]

    def _probe(self, feature: str, dtype: str) -> tuple[type[Exception] | None, str]:
        momentum = self.has("gamma")
        for lacking, setting in (("weight_decay", "weight_decay"), ("momentum_schedule", "gamma")):
            if feature == lacking and not self.has(setting):
                return Unsupported, f"takes no {setting}"
        plain = Case((1.0, -1.0), ((1.0, 2.0), (2.0, -1.0)), (0.5, 0.5), 0.5 if momentum else 0.0, dtype)
        try:
            self.again(replace(plain, **_PROBES[feature]))
        except NotDriven:
            raise
        except Unsupported as error:
            return Unsupported, str(error)
        except Untried as error:
            return Untried, str(error)
        return None, ""


_PROBES: dict[str, dict[str, Any]] = {
    "schedule": {"eta": (0.5, 0.25)},
    "zero_rate": {"eta": (0.0, 0.5)},
    "weight_decay": {"weight_decay": 0.125},
    "arrays": {"arrays": ((1,), (1,))},
    "matrices": {"arrays": ((2, 1),)},
    "zero_gradient": {},
    "missing_gradient": {"missing": frozenset({(1, 0)})},
    "momentum_schedule": {"momenta": (0.5, 0.25)},
}
assert _PROBES.keys() == FEATURES.keys()
_OWN_IDENTITIES = {"schedule", "weight_decay", "missing_gradient", "momentum_schedule"}
