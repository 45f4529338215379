"""What was found out of an optimizer: as data, as JSON and in words."""

from __future__ import annotations

__all__ = ["Excluded", "Identification"]

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lemmascope.proofs_check.conformance.adaptive.candidates import Candidate
from lemmascope.proofs_check.conformance.adaptive.case import WORDS

MOST = 10
"""Candidates that are left and that a text names."""


@dataclass(frozen=True)
class Excluded:
    """A candidate that the optimizer is not.

    Attributes:
        axis: on which it differs from what was found; "momentum" for conventions.
        what: how, in words.
        case, reason: the plainest counterexample, and what is wrong in it.
    """

    axis: str
    what: str
    case: str
    reason: str


@dataclass(frozen=True)
class Identification:
    """What an optimizer is.

    Attributes:
        optimizer: its name.
        names, formulas: of every candidate that is left; none where it is none of them.
        excluded: the nearest of those that were struck.
        untold: what the cases leave open, and why.
        assumed: values of numbers that its maker does not take.
        dtype: in which it was tried.
        cases, forms: how many, over all stages.
        found: the candidates themselves.
    """

    optimizer: str
    names: tuple[str, ...]
    formulas: tuple[str, ...]
    excluded: tuple[Excluded, ...]
    untold: tuple[str, ...]
    assumed: dict[str, float]
    dtype: str
    cases: int
    forms: int
    found: tuple[Candidate, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        kept = asdict(replace(self, found=()))
        del kept["found"]
        kept["axes"] = [asdict(one) for one in self.found]
        return kept

    def text(self) -> str:
        """For a terminal."""
        if not self.names:
            head = [f"{self.optimizer} is none of {self.forms} forms."]
        elif len(self.names) == 1:
            head = [f"{self.optimizer} is {self.names[0]}:", f"    {self.formulas[0]}"]
        else:
            head = [f"{self.optimizer} is one of {len(self.names)}, not told apart:"]
            head += [f"    {name}: {said}" for name, said in zip(self.names[:MOST], self.formulas, strict=False)]
            head += [f"    and {len(self.names) - MOST} more"] * (len(self.names) > MOST)
        lines = [*head, f"  left of {self.forms} forms by {self.cases} cases in {self.dtype}"]
        if self.assumed:
            said = ", ".join(f"{WORDS[s]} = {value:g}" for s, value in self.assumed.items())
            lines.append(f"  assumed, as its maker does not take it: {said}")
        lines += [f"  not told: {words}" for words in self.untold]
        lines += [f"  not {one.what}: {one.case}: {one.reason}" for one in self.excluded]
        return "\n".join(lines)
