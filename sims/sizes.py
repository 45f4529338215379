"""What a study of some size would run, how long it would take, and which claims it could decide, before it runs."""

from __future__ import annotations

__all__ = ["LONG", "Forecast", "few_seeds", "forecast", "spell_seconds", "undecided"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from lemmascope.sims.rounds import rounds
from lemmascope.sims.study import Study, Task, experiment_tasks
from lemmascope.theory.claim import Claim
from lemmascope.theory.order import exponent_seeds
from lemmascope.theory.sequential import Plan
from lemmascope.theory.verdict import CONFIDENCE

S = TypeVar("S")

LONG = 24 * 3600.0
"""Seconds on two cores beyond which a run is to be confirmed."""


def few_seeds(claim: Claim, plan: Plan | None = None) -> int:
    """The fewest seeds with which a claim can hold.

    A probability above p takes n with (1 − 0.95)^{1/n} > p, the lower Clopper–Pearson bound of n in n; a fitted
    exponent, what its interval takes; any other claim one. By a sequential test a probability takes its first look.
    """
    p = claim.probability
    if plan is not None and p is not None:
        return plan.stated(p).fewest
    of_probability = math.floor(math.log(1 - CONFIDENCE) / math.log(p)) + 1 if p else 1
    return max(of_probability, exponent_seeds(claim))


def undecided(study: Study[S], settings: S) -> dict[str, str]:
    """The claims that these settings cannot decide, by id, and why: what the study says, and too few seeds.

    The seeds are those of the experiment that has the most; a study whose experiments have no axis ``seed`` says all
    of it itself.

    Raises:
        InputError: the study names a claim that is none of its own.
    """
    found = dict(study.leaves_open(settings))
    axes = [one.axes(settings) for one in study.experiments.values() if one.when(settings)]
    seeds = max((_places(one["seed"]) for one in axes if "seed" in one), default=math.inf)
    flag = any(f.name == "seeds" for f in fields(study.settings))  # type: ignore[arg-type]
    plan = study.sequential(settings)
    for claim in study.claims:
        least = few_seeds(claim, plan)
        if seeds < least:
            more = f"--seeds {least} decides" if flag else f"{least} decide"
            few = f"{seeds:g} seed{'s are' if seeds > 1 else ' is'} too few, {more}"
            found[claim.id] = f"{found[claim.id]}; {few}" if claim.id in found else few
    return found


def _places(values: Sequence[Any]) -> int:
    """How many seeds an axis has, of which each value is one, or a range of them."""
    if isinstance(values, range):
        return len(values)
    return sum(len(x) if isinstance(x, range | list | tuple) else 1 for x in values)


@dataclass(frozen=True)
class Forecast:
    """What would run.

    Attributes:
        tasks: by experiment.
        seconds: about how long on two cores; memory: bytes of the largest task; disc: bytes of all parts. None where
            the study does not say.
        undecided: claims that it cannot decide, by id, and why.
        least: the seconds where a sequential test decides at its first look; without one the same.
    """

    tasks: Mapping[str, Sequence[Task[Any]]]
    seconds: float | None
    memory: float | None
    disc: float | None
    undecided: Mapping[str, str]
    least: float | None = None

    @property
    def count(self) -> int:
        """Parts in all."""
        return sum(map(len, self.tasks.values()))

    @property
    def cost(self) -> float:
        """Of all tasks."""
        return sum(task.cost for tasks in self.tasks.values() for task in tasks)

    @property
    def left_open(self) -> list[str]:
        """A sentence for each reason, with the claims that it leaves open."""
        by_reason: dict[str, list[str]] = {}
        for claim, why in self.undecided.items():
            by_reason.setdefault(why, []).append(claim)
        return [f"Not decided at this size: {', '.join(claims)}: {why}." for why, claims in by_reason.items()]


def forecast(study: Study[S], settings: S, root_seed: int = 0, **options: Any) -> Forecast:
    """What the study would run with these settings.

    The time is that of the default size, in proportion to the cost of the tasks.

    Args:
        study, settings, root_seed: of the run; options: as of `sims.study.experiment_tasks`.

    Raises:
        InputError: settings for which there are no tasks.
    """
    tasks = experiment_tasks(study, settings, root_seed, **options)
    needs = [
        study.experiments[name].needs(settings, task.at)  # type: ignore[misc]
        for name, some in tasks.items()
        if study.experiments[name].needs is not None
        for task in some
    ]
    whole = bool(needs) and all(study.experiments[name].needs is not None for name in tasks)
    found = Forecast(
        tasks,
        None,
        max(memory for memory, _ in needs) if whole else None,
        sum(disc for _, disc in needs) if whole else None,
        undecided(study, settings),
    )
    if study.seconds is None:
        return found
    usual = experiment_tasks(study, study.settings(), root_seed)
    per_cost = study.seconds / max(sum(task.cost for some in usual.values() for task in some), 1e-300)
    first = next(rounds([task for some in tasks.values() for task in some], study.sequential(settings)))
    least = per_cost * sum(task.cost for task in first)
    return replace(found, seconds=per_cost * found.cost, least=least)


def spell_seconds(seconds: float | None) -> str:
    """About how long: "20 s", "4 min", "3.1 h", "12 days", "3e+04 years"; "–" where nobody said."""
    if seconds is None:
        return "–"
    for most, unit, name in ((90, 1, "s"), (5400, 60, "min")):
        if seconds < most:
            return f"{seconds / unit:.0f} {name}"
    day, year = 86400, 31557600
    if seconds < 2 * day:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / day:.0f} days" if seconds < 2 * year else f"{seconds / year:.3g} years"
