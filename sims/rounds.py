"""Rounds of a run that ends once a sequential test has decided: the same for any number of threads or machines."""

from __future__ import annotations

__all__ = ["STEP", "ends", "rounds", "undecided_claims"]

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lemmascope.sims.judge import as_evidence
from lemmascope.sims.study import Data, Study, Task, attempt
from lemmascope.theory.claim import Claim

if TYPE_CHECKING:
    from lemmascope.theory.sequential import Plan

STEP = 16
"""Seeds of a round after the first, at most: so many may be computed that the decision did not need."""


def ends(plan: Plan) -> list[int]:
    """Up to how many seeds each round goes: the plan's looks, and no more than `STEP` beyond the last round."""
    first = min(plan.fewest, plan.draws)
    steps = range(first, plan.draws, STEP)
    return sorted({first, *steps, *plan.holds_at, plan.draws})


def rounds(tasks: Sequence[Task[Any]], plan: Plan | None) -> Iterator[list[Task[Any]]]:
    """The tasks up to the end of each round, in their order; without a plan all of them at once.

    A range of seeds belongs to the round of its first one, and a task without a seed to the first round.
    """
    if plan is None:
        yield list(tasks)
        return
    order = {seed: place for place, seed in enumerate(sorted({s for task in tasks for s in _seeds(task)}))}
    before = 0
    for end in ends(plan):
        found = [task for task in tasks if all(order[s] < end for s in _seeds(task)[:1])]
        if len(found) > before:
            yield found
        before = len(found)


def undecided_claims(
    study: Study[Any], settings: Any, data: Data, among: Iterable[Claim], plan: Plan
) -> tuple[Claim, ...]:
    """Those of some claims that further draws of the plan can decide; what fails on these data they cannot."""
    evidence = attempt("evidence", [], lambda: as_evidence(study.evidence(settings, data)), ())

    def is_open(claim: Claim) -> bool:
        each = (claim.judge(one, plan=plan).sequential for one in evidence if claim.concerns(one))
        return any(found is not None and found["open"] for found in each)

    return tuple(
        claim
        for claim in among
        if claim.probability is not None and attempt(claim.id, [], partial(is_open, claim), False)
    )


def _seeds(task: Task[Any]) -> list[int]:
    """Those of a task, the first one first."""
    at = task.at.get("seed", ())
    return list(at) if isinstance(at, range | list | tuple) else [at]
