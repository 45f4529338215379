"""How a statement came out, as data: the one outcome of a claim, of a control and of a proof step."""

from __future__ import annotations

__all__ = ["SOURCES", "Kind", "Status", "Verdict", "clopper_pearson"]

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lemmascope.theory.certified import Certified
from lemmascope.theory.errors import InputError, check_number, check_size

CONFIDENCE = 0.95


class Status(StrEnum):
    """How a statement came out: by symbols or enclosures for all values; on the evidence; with a witness against it;
    undecided; or with a hypothesis that fails."""

    PROVED = "PROVED"
    HOLDS = "HOLDS"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Kind(StrEnum):
    """What kind of statement a claim is."""

    IDENTITY = "identity"
    BOUND = "bound"
    ORDER = "order"


SOURCES = ("talk", "abstract", "slides", "published", "code", "second hand", "derived", "user")
"""Where a statement comes from."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim on its evidence, or of a proof step.

    Attributes:
        claim, label: which claim, on whose evidence ("" for what is proved).
        status, expected: how it came out, and how it should for a theorem that is right; None: an open question, of
            which whatever comes out is as expected.
        computed: at the applicable seed that is the median one (the lower of two), of those on which it is defined;
            None if no seed is applicable.
        lower, upper: the bound at that seed (infinite: one-sided).
        margin: smallest distance to the bound over the applicable seeds; negative: violated.
        residual: largest residual (identities), or None.
        seeds: the applicable seeds; holding: those on which the statement is true. Both are empty for an exact
            statement, and ``holding`` for an estimate, which is one number of all its seeds.
        interval: one-sided 95 % Clopper–Pearson bounds for the probability, where one is claimed and no plan decides.
        sequential: of a claim that is decided draw by draw, the plan with its errors, and what it decided
            (`theory.sequential.Plan.record`).
        certified: on which seeds it is so in exact arithmetic, where the evidence tells.
        hypotheses: name, statement and the number of seeds on which each holds.
        reason: one sentence.
        plain: the statement in plain text.
        witness: for REFUTED, the worst seed with its numbers.
        by_seed: computed, lower and upper for each seed.
        evidence: further numbers.
        control: description and status of the negative control, once it has been run.
    """

    claim: str
    label: str
    statement: str
    kind: Kind
    source: str
    status: Status
    expected: Status | None
    reason: str
    plain: str = ""
    computed: float | None = None
    lower: float = -math.inf
    upper: float = math.inf
    margin: float | None = None
    residual: float | None = None
    seeds: tuple[int, ...] = ()
    holding: tuple[int, ...] = ()
    interval: tuple[float, float] | None = None
    sequential: dict[str, Any] | None = None
    certified: Certified | None = None
    hypotheses: tuple[dict[str, Any], ...] = ()
    witness: dict[str, Any] | None = None
    by_seed: dict[str, list[float]] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    control: dict[str, str] | None = None

    @property
    def uncontrolled(self) -> bool:
        """Whether nothing shows that the statement can fail: it has no control, or one that cannot be made here."""
        decided = self.status not in (Status.NOT_APPLICABLE, Status.INCONCLUSIVE)
        return decided and (self.control is None or self.control["status"] == "not run")

    @property
    def control_undecided(self) -> bool:
        """Whether the control neither refutes nor holds."""
        return self.control is not None and self.control["status"] in (Status.INCONCLUSIVE, Status.NOT_APPLICABLE)

    @property
    def foreseen(self) -> bool:
        """Whether it came out as expected, its control aside; of an open question always."""
        return self.expected is None or self.status is self.expected

    @property
    def as_expected(self) -> bool:
        """Status as expected and, where something is decided and there is a control that can be made, it refuted."""
        if not self.foreseen:
            return False
        if self.status in (Status.NOT_APPLICABLE, Status.INCONCLUSIVE) or self.control is None:
            return True
        return self.control["status"] in ("not run", Status.REFUTED.value)


def clopper_pearson(k: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """One-sided exact bounds for a probability from k successes in n trials.

    Each end holds with the stated confidence on its own; together they are the central interval of confidence
    2·confidence − 1.
    """
    from scipy.stats import beta

    check_size("n", n)
    check_size("k", k, 0)
    if k > n:
        raise InputError("k", k, f"it must be at most n = {n}")
    check_number("confidence", confidence, 0, 1, open_low=True, open_high=True)
    lower = float(beta.ppf(1 - confidence, k, n - k + 1)) if k > 0 else 0.0
    upper = float(beta.ppf(confidence, k + 1, n - k)) if k < n else 1.0
    return lower, upper
