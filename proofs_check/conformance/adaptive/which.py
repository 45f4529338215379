r"""Which algorithm is this optimizer, exactly? By elimination among all forms, on cases that are drawn.

`which` runs an optimizer through `cases`, the plainer first, and strikes every candidate of which one iterate lies
outside of its ball. What is left is what the optimizer is, as far as the cases go: with a constant rate, then with
schedules, then with weight decay. A candidate that was struck has its first, and so its plainest, counterexample; those
are reported that differ from what was found on one axis, or on the fewest that it takes. Nothing is known here of any
library.

If nothing is left, the optimizer is tried as one with β₁ and β₂ exchanged and as one that ascends, and then in single
precision, as some compute a part in it; else it is said which candidates held out longest.
"""

from __future__ import annotations

__all__ = ["Excluded", "Identification", "which"]

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters import Subject, Unsupported, Untried
from lemmascope.proofs_check.conformance.adaptive.candidates import (
    Candidate,
    Counterexample,
    Momentum,
    against,
    candidates,
    decays,
    rates,
)
from lemmascope.proofs_check.conformance.adaptive.case import WORDS, AdaptiveCase, cases, matrices
from lemmascope.proofs_check.conformance.adaptive.form import AXES, NAMED, Form, choice
from lemmascope.proofs_check.conformance.adaptive.identification import Excluded, Identification
from lemmascope.proofs_check.conformance.adaptive.settings import Settings

EXAMPLES = 40
SECONDS = 120.0
"""How long an optimizer may run in one number type."""
LEAST = 5
"""Cases in which a candidate must have been held against the optimizer."""
Change = Callable[[AdaptiveCase], AdaptiveCase]
TWISTS: dict[str, Change] = {
    "with β₁ and β₂ exchanged": lambda case: replace(case, beta1=case.beta2, beta2=case.beta1),
    "ascending": lambda case: replace(case, gradients=tuple(tuple(-x for x in row) for row in case.gradients)),
}


def which(
    optimizer: Subject | Callable[..., Any],
    *,
    hidden: Mapping[str, float] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    examples: int = EXAMPLES,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Identification:
    """Find out which algorithm an optimizer is.

    Args:
        optimizer: a maker, or a `Subject`; what it may take is in `proofs_check.conformance.adaptive.settings`.
        hidden: values of numbers that its maker does not take; the defaults in use where they are not said.
        dtypes: number types, tried in this order until something is left.
        examples: how many cases are drawn for each stage.
        seconds: how long the optimizer may run in one number type; what is left to try then is said.
        clock: what the time is.

    Raises:
        InputError: the maker cannot be called, or ``hidden`` has a number that it takes.
        Untried: the optimizer cannot be run in any case.
    """
    subject = optimizer if isinstance(optimizer, Subject) else Subject(optimizer, getattr(optimizer, "__name__", "it"))
    settings = Settings(subject, hidden)
    found: list[Identification] = []
    for dtype in dtypes:
        if not found or not found[-1].names:
            found.append(_Elimination(settings, dtype, examples, (seconds, clock)).identify())
    best = next((one for one in found if one.names), found[0])
    if best is not found[0]:
        note = (
            f"what its {found[0].dtype} iterates have besides: a part in a lower precision, or a small constant, puts "
            "them outside of every ball"
        )
        best = replace(best, untold=(*best.untold, note))
    return best


class _Elimination:
    """One optimizer in one number type."""

    def __init__(
        self, settings: Settings, dtype: str, examples: int, budget: tuple[float, Callable[[], float]]
    ) -> None:
        self.settings, self.dtype, self.examples = settings, dtype, examples
        self.seconds, self.clock = budget
        self.end = self.clock() + self.seconds
        self.struck: dict[Candidate, Counterexample] = {}
        self.compared: dict[Candidate, int] = {}
        self.runs: dict[AdaptiveCase, np.ndarray] = {}
        self.reasons: list[str] = []
        self.untold: list[str] = []
        self.late = False
        self.twist: Change = lambda case: case

    def drawn(self, **kind: bool) -> list[AdaptiveCase]:
        """The cases of a stage."""
        return self.taken(cases(self.dtype, self.settings.fixed, self.examples, **kind))

    def taken(self, found: Iterable[AdaptiveCase]) -> list[AdaptiveCase]:
        """Cases with one momentum, where the optimizer takes one alone."""
        taken = self.settings.names
        if "gamma" in taken and "beta1" not in taken:
            return [replace(case, beta1=case.gamma) for case in found]
        if "beta1" in taken and "gamma" not in taken:
            return [replace(case, gamma=case.beta1) for case in found]
        return list(found)

    def run(self, case: AdaptiveCase) -> np.ndarray | None:
        """The optimizer's iterates, or None where it cannot be tried."""
        if case not in self.runs:
            if self.runs and self.clock() > self.end:
                self.late = True
                self.reasons.append(f"{self.seconds:g} s are over")
                return None
            try:
                self.runs[case] = self.settings.trajectory(case)
            except (Untried, Unsupported) as error:
                self.reasons.append(str(error))
                return None
        return self.runs[case]

    def left(self, pool: Iterable[Candidate], stage: Iterable[AdaptiveCase]) -> list[Candidate]:
        """Those of the pool that the cases do not strike."""
        alive = list(pool)
        for case in stage:
            found = self.run(case)
            if found is None:
                continue
            kept = []
            for one in alive:
                said = against(one, self.twist(case), found)
                if isinstance(said, Counterexample):
                    self.struck[one] = replace(said, case=case)
                    continue
                self.compared[one] = self.compared.get(one, 0) + said
                kept.append(one)
            alive = kept
            if not alive:
                break
        return alive if self.late else [one for one in alive if self.compared.get(one, 0) >= LEAST]

    def identify(self) -> Identification:
        """Stage by stage."""
        taken = self.settings.names
        pool = list(
            candidates(
                gamma="gamma" in taken,
                beta1="beta1" in taken,
                momentum_decay="momentum_decay" in taken,
                start="start" in taken,
            )
        )
        plain, words = self.drawn(), ""
        alive = self.left(pool, plain)
        if not self.runs:
            raise Untried(self.reasons[0])
        if not alive:
            words, alive = self.twisted(pool, plain)
        alive = self.rates(alive)
        alive = self.decays(alive)
        if alive and not self.matrices(alive):
            words = ", ".join([words, "of vectors"] if words else ["of vectors"])
        alive.sort(key=lambda one: (one.without() not in NAMED.values(), len(one.name)))
        self.untold += _open(alive)
        if self.late:
            self.untold.append(f"what further cases say: {self.seconds:g} s are over after {len(self.runs)}")
        excluded = self.nearest(alive[0]) if alive else self.longest()
        names = tuple(f"{one.name}{words and f', {words}'}" for one in alive)
        return Identification(
            self.settings.subject.name,
            names,
            tuple(one.formula() for one in alive),
            tuple(excluded),
            tuple(self.untold),
            {
                name: x
                for name, x in self.settings.assumed.items()
                if not alive or any(name in one.numbers for one in alive)
            },
            self.dtype,
            len(self.runs),
            len(pool),
            tuple(alive),
        )

    def twisted(self, pool: list[Candidate], stage: list[AdaptiveCase]) -> tuple[str, list[Candidate]]:
        """What is left of the pool under one of the twists, with its words."""
        before = dict(self.struck)
        for words, change in TWISTS.items():
            self.twist, self.struck, self.compared = change, {}, {}
            alive = self.left(pool, stage)
            if alive:
                return words, alive
        self.twist, self.struck = lambda case: case, before
        return "", []

    def rates(self, alive: list[Candidate]) -> list[Candidate]:
        """With schedules."""
        before = len(self.reasons)
        stage = [case for case in self.drawn(schedule=True) if self.run(case) is not None]
        if not stage or not alive:
            if alive:
                self.untold.append(f"whether it follows a schedule ({self.reasons[before]})")
            return alive
        left = self.left([replace(one, rate=rate) for one in alive for rate in rates(one)], stage)
        if not left:
            self.untold.append("how it follows a schedule: in none of the ways that are known here")
        return left or alive

    def decays(self, alive: list[Candidate]) -> list[Candidate]:
        """With weight decay, at a constant rate and with schedules."""
        if not alive:
            return alive
        if "weight_decay" not in self.settings.names:
            self.untold.append("how weight decay enters (its maker takes none)")
            return alive
        before = len(self.reasons)
        stage = [*self.drawn(decay=True), *self.drawn(decay=True, schedule=True)]
        stage = [case for case in stage if self.run(case) is not None]
        if not stage:
            self.untold.append(f"how weight decay enters ({self.reasons[before]})")
            return alive
        left = self.left([replace(one, decay=decay) for one in alive for decay in decays(one)], stage)
        if not left:
            self.untold.append("how weight decay enters: in none of the ways that are known here")
        return left or alive

    def matrices(self, alive: list[Candidate]) -> bool:
        """Whether it is the same for matrices, as far as it can be tried with them."""
        before = len(self.reasons)
        stage = self.taken(matrices(self.dtype, self.settings.fixed))
        stage = [case for case in stage if self.run(case) is not None]
        if not stage:
            self.untold.append(f"what it does with matrices ({self.reasons[before]})")
            return True
        if self.left(alive, stage):
            return True
        seen = self.struck[alive[0]]
        self.untold.append(f"what it does with matrices, which is another thing: {seen.case.text(())}: {seen.text()}")
        return False

    def nearest(self, form: Candidate) -> list[Excluded]:
        """Of every axis and each other value on it, the candidate that was struck and differs from the form least."""
        near = []
        for one in self.struck:
            axes = _apart(form, one)
            if 1 <= len(axes) <= (2 if isinstance(form, Form) else 1):
                near.append((one, axes))
        if isinstance(form, Momentum):
            return [self._excluded("momentum", one.name, self.struck[one]) for one, _ in near]
        found = []
        for axis, values in AXES.items():
            for value in values:
                others = [(one, axes) for one, axes in near if axis in axes and getattr(one, axis) == value]
                if others:
                    one, axes = min(others, key=lambda other: len(other[1]))
                    words = [choice(a, getattr(one, a), form.memory) for a in (axis, *(a for a in axes if a != axis))]
                    found.append(self._excluded(axis, "; ".join(words), self.struck[one]))
        return found

    def longest(self) -> list[Excluded]:
        """The candidates that held out longest."""
        order = {case: k for k, case in enumerate(self.runs)}
        last = sorted(self.struck, key=lambda one: -order[self.struck[one].case])[:3]
        return [self._excluded("form", one.name, self.struck[one]) for one in last]

    def _excluded(self, axis: str, what: str, seen: Counterexample) -> Excluded:
        shown = [s for s in WORDS if s in self.settings.names and (s != "weight_decay" or seen.case.weight_decay)]
        return Excluded(axis, what, seen.case.text(shown), seen.text())


def _open(alive: list[Candidate]) -> list[str]:
    """The axes on which the forms that are left differ, each with the choices that are left."""
    forms = [one for one in alive if isinstance(one, Form)]
    found = []
    for axis in AXES:
        words = dict.fromkeys(choice(axis, getattr(one, axis), one.memory) for one in forms)
        if len(words) > 1:
            found.append(f"{axis.replace('_', ' of ')}, whether {', or '.join(words)}")
    return found


def _apart(form: Candidate, one: Candidate) -> tuple[str, ...]:
    """The axes on which a candidate that was struck differs from what was found, as far as its stage knew them."""
    if one.decay == "none":
        form = replace(form, decay="none")
        if one.rate == "followed" and one != form.without():  # else it was struck by schedules
            form = form.without()
    return form.differs(one)
