r"""Claims as data, and how a number is held against a statement.

A `Claim` says what is stated, under which hypotheses, from which source, and how it is measured on a `Run`. Judged
on a run it gives a `Verdict`, whose status is one of five and never a bare number:

PROVED          by symbols or enclosures, for all values of the stated domain
HOLDS           by simulation, with its seeds and interval
REFUTED         with the witness
INCONCLUSIVE    the evidence does not decide
NOT_APPLICABLE  a hypothesis fails; it says which

Deterministic statements (identities, bounds without probability) are refuted by one seed. A statement "with high
probability" is read as: its probability is above `Claim.probability`, one half unless said otherwise. With k of n
seeds the one-sided 95 % Clopper–Pearson bounds decide: HOLDS if the lower one is above, REFUTED if the upper one is
below, INCONCLUSIVE otherwise. Five of five seeds give p ≥ 0.549.

A quantity that is undefined on a seed leaves a claim INCONCLUSIVE, unless the other seeds refute it whatever is there.
"""

from __future__ import annotations

__all__ = ["Claim", "Control", "Hypothesis", "Kind", "Measurement", "Run", "Status", "Verdict", "clopper_pearson"]

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import xarray as xr

from lemmascope.theory.errors import InputError, check_number, check_size

CONFIDENCE = 0.95


class Status(StrEnum):
    """How a claim came out."""

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


SOURCES = ("talk", "abstract", "slides", "second hand", "derived", "user")


@dataclass(frozen=True)
class Run:
    """One optimizer's trajectory over all seeds, with what it was run with.

    Attributes:
        data: the trajectory with the optimizer dimension selected away; ``run["c"]`` is ``run.data["c"]``.
        label: the optimizer's label.
        parameters: the subject's parameters (for the cubic CNN, of its law), or None for a user's own data.
        eta, gamma: learning rate and momentum of the average form with the same trajectory, or None
            (`theory.optimizers.average_form`).
        optimizers: (η, γ) of every optimizer of a family run, by label (None where it has no average form).
    """

    data: xr.Dataset
    label: str
    parameters: Any
    eta: float | None
    gamma: float | None
    optimizers: dict[str, tuple[float, float] | None] = field(default_factory=dict)

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.data[name]

    def __contains__(self, name: str) -> bool:
        return name in self.data

    @property
    def final(self) -> xr.Dataset:
        """The last recorded iteration."""
        return self.data.isel(iteration=-1, drop=True)

    @property
    def initial(self) -> xr.Dataset:
        """The first recorded iteration."""
        return self.data.isel(iteration=0, drop=True)

    @property
    def p(self) -> Any:
        """The parameters; a claim that uses them has among its hypotheses that they are known."""
        assert self.parameters is not None
        return self.parameters

    @property
    def iterations(self) -> int:
        """The last recorded iteration, T."""
        return int(self.data.iteration[-1])

    @property
    def role(self) -> str:
        """``"gd"``, ``"momentum"``, ``"family"`` (several optimizers at once) or ``"other"``."""
        if "optimizer" in self.data.dims:
            return "family"
        if self.eta is None or self.gamma is None:
            return "other"
        return "momentum" if self.gamma > 0 else "gd"


@dataclass(frozen=True)
class Hypothesis:
    """A condition of a claim.

    Args:
        name: short name.
        statement: the condition, in words or LaTeX.
        holds: from a run to a bool, or to booleans by seed (a DataArray over ``seed``).
    """

    name: str
    statement: str
    holds: Callable[[Run], Any]


@dataclass(frozen=True)
class Control:
    """A run on which the claim must come out REFUTED; how it is made is known to `sims.controls`.

    Args:
        kind: name of the way, or a function from the run to the control run.
        description: the same in words.
    """

    kind: str | Callable[[Run], Run]
    description: str


@dataclass(frozen=True)
class Measurement:
    """What a claim measures: the statement is lower ≤ computed ≤ upper, seed by seed.

    Attributes:
        computed: (seed,) DataArray.
        lower, upper: numbers, or DataArrays over seed.
        residual: (seed,) DataArray for identities (largest |left − right|), or None.
        evidence: further numbers by name, for the reader.
    """

    computed: xr.DataArray
    lower: Any = -math.inf
    upper: Any = math.inf
    residual: xr.DataArray | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim on a run.

    Attributes:
        claim, optimizer: which claim on whose trajectory.
        status, expected: how it came out, and how it should for a theorem that is right.
        computed: at the applicable seed that is the median one (the lower of two), of those on which it is defined;
            None if no seed is applicable.
        lower, upper: the bound at that seed (infinite: one-sided).
        margin: smallest distance to the bound over the applicable seeds; negative: violated.
        residual: largest residual (identities), or None.
        seeds: the applicable seeds; holding: those on which the statement is true.
        interval: one-sided 95 % Clopper–Pearson bounds for the probability, where one is claimed.
        hypotheses: name, statement and the number of seeds on which each holds.
        reason: one sentence.
        plain: the statement in plain text.
        witness: for REFUTED, the worst seed with its numbers.
        by_seed: computed, lower and upper for each seed.
        evidence: further numbers.
        control: description and status of the negative control, once it has been run.
    """

    claim: str
    optimizer: str
    statement: str
    kind: Kind
    source: str
    status: Status
    expected: Status
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
    hypotheses: tuple[dict[str, Any], ...] = ()
    witness: dict[str, Any] | None = None
    by_seed: dict[str, list[float]] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    control: dict[str, str] | None = None

    @property
    def control_undecided(self) -> bool:
        """Whether the control neither refutes nor holds, or could not be run on an applicable claim."""
        if self.control is None:
            return False
        left_out = self.control["status"] == "not run" and self.status is not Status.NOT_APPLICABLE
        return left_out or self.control["status"] in (Status.INCONCLUSIVE, Status.NOT_APPLICABLE)

    @property
    def as_expected(self) -> bool:
        """Status as expected and, where there is a control and the claim applies, the control refuted."""
        controlled = (
            self.control is None
            or self.status is Status.NOT_APPLICABLE
            or self.control["status"] == Status.REFUTED.value
        )
        return self.status is self.expected and controlled


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


@dataclass(frozen=True)
class Claim:
    """A statement as data.

    Args:
        id: dotted name, unique.
        statement: LaTeX.
        kind: identity, bound or order.
        source: where it comes from, one of `SOURCES`.
        measure: from a run to a `Measurement`.
        hypotheses: conditions under which it is claimed.
        subject: whose trajectory it is about: ``"gd"``, ``"momentum"``, ``"any"`` (each optimizer), or
            ``"family"`` (all optimizers of a trajectory together).
        probability: for a statement with high probability, the value that its probability must exceed; None
            for a deterministic one.
        control: the negative control, or None.
        expected: the status of a true claim.
        plain: the statement in plain text, for a terminal; the LaTeX where it is empty.
    """

    id: str
    statement: str
    kind: Kind
    source: str
    measure: Callable[[Run], Measurement]
    hypotheses: tuple[Hypothesis, ...] = ()
    subject: str = "any"
    probability: float | None = None
    control: Control | None = None
    expected: Status = Status.HOLDS
    plain: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError("source", self.source, f"it must be one of {', '.join(SOURCES)}")
        if self.subject not in ("gd", "momentum", "any", "family"):
            raise InputError("subject", self.subject, "it must be 'gd', 'momentum', 'any' or 'family'")
        if self.probability is not None:
            check_number("probability", self.probability, 0, 1, open_high=True)

    def concerns(self, run: Run) -> bool:
        """Whether the claim is about this run's kind of optimizer."""
        return self.subject == run.role or (self.subject == "any" and run.role != "family")

    def judge(self, run: Run, *, waive: bool = False) -> Verdict:
        """Hold the run against the statement.

        Args:
            run: the trajectory.
            waive: skip the hypotheses, for a negative control, which breaks one by design.
        """
        checked, applicable = self._check(run, waive)
        if not any(applicable.values()):
            failed = [h["name"] for h in checked if h["holds"] == 0]
            reason = f"hypothesis {failed[0]} fails" if failed else "no seed meets all hypotheses"
            return self._verdict(run, Status.NOT_APPLICABLE, reason, hypotheses=checked)
        measured = self.measure(run)
        return self._decide(run, checked, [s for s, ok in applicable.items() if ok], measured)

    def _check(self, run: Run, waive: bool) -> tuple[tuple[dict[str, Any], ...], dict[int, bool]]:
        seeds = [int(s) for s in run.data.seed.values]
        applicable = dict.fromkeys(seeds, True)
        checked: list[dict[str, Any]] = []
        for h in () if waive else self.hypotheses:
            # A later hypothesis may be undefined where an earlier one fails (no law, no parameters).
            if any(applicable.values()):
                answer = h.holds(run)
                if isinstance(answer, xr.DataArray) and "optimizer" in answer.dims:
                    answer = answer.all("optimizer")
                by_seed = (
                    {int(s): bool(answer.sel(seed=s)) for s in answer.seed.values}
                    if isinstance(answer, xr.DataArray) and "seed" in answer.dims
                    else dict.fromkeys(seeds, bool(answer))
                )
                applicable = {s: ok and by_seed[s] for s, ok in applicable.items()}
                count: int | None = sum(by_seed.values())
            else:
                count = None
            checked.append({"name": h.name, "statement": h.statement, "holds": count, "of": len(seeds)})
        return tuple(checked), applicable

    def _decide(
        self, run: Run, checked: tuple[dict[str, Any], ...], seeds: list[int], measured: Measurement
    ) -> Verdict:
        def of(x: Any) -> list[float]:
            if isinstance(x, xr.DataArray) and "seed" in x.dims:
                return [float(x.sel(seed=s)) for s in seeds]
            return [float(x)] * len(seeds)

        computed, lower, upper = of(measured.computed), of(measured.lower), of(measured.upper)
        margins = [_distance(c, lo, up) for c, lo, up in zip(computed, lower, upper, strict=True)]
        holding = [s for s, gap in zip(seeds, margins, strict=True) if gap >= 0]
        undefined = [s for s, gap in zip(seeds, margins, strict=True) if math.isnan(gap)]
        finite = [gap for gap in margins if not math.isnan(gap)]
        k, n = len(holding), len(seeds)
        counted = f"true on {k} of {n} seeds" + (f", undefined on {len(undefined)}" if undefined else "")
        interval = None
        if self.probability is None:
            # One seed is enough, whatever the others say or cannot say.
            status = Status.REFUTED if any(gap < 0 for gap in finite) else Status.HOLDS
        else:
            # What is undefined may have been true or false.
            interval = clopper_pearson(k, n)[0], clopper_pearson(k + len(undefined), n)[1]
            counted += f": probability in [{interval[0]:.3f}, {interval[1]:.3f}]"
            if interval[1] < self.probability:
                status = Status.REFUTED
            elif interval[0] > self.probability:
                status = Status.HOLDS
            else:
                status = Status.INCONCLUSIVE
                counted += f", which does not decide against {self.probability:g}; take more seeds"
        reason = counted
        if undefined and status is not Status.REFUTED:
            status, interval, reason = Status.INCONCLUSIVE, None, f"the quantity is undefined on seed {undefined[0]}"
        witness = None
        if status is Status.REFUTED:
            worst = margins.index(min(finite))
            witness = {"seed": seeds[worst], "computed": computed[worst], "lower": lower[worst], "upper": upper[worst]}
        # The median of what is defined; of NaN, if nothing is.
        ranked = sorted((j for j in range(n) if seeds[j] not in undefined), key=lambda j: computed[j]) or [0]
        middle = ranked[(len(ranked) - 1) // 2]
        return self._verdict(
            run,
            status,
            reason,
            hypotheses=checked,
            computed=computed[middle],
            lower=lower[middle],
            upper=upper[middle],
            margin=min(finite) if finite else None,
            residual=None if measured.residual is None else max(of(measured.residual)),
            seeds=tuple(seeds),
            holding=tuple(holding),
            interval=interval,
            witness=witness,
            by_seed={"seed": [float(s) for s in seeds], "computed": computed, "lower": lower, "upper": upper},
            evidence=measured.evidence,
        )

    def _verdict(self, run: Run, status: Status, reason: str, **rest: Any) -> Verdict:
        return Verdict(
            claim=self.id,
            optimizer=run.label,
            statement=self.statement,
            kind=self.kind,
            source=self.source,
            status=status,
            expected=self.expected,
            reason=reason,
            plain=self.plain or self.statement,
            **rest,
        )


def _distance(computed: float, lower: float, upper: float) -> float:
    """Signed distance to the nearer bound: negative where it is violated, NaN where a number is."""
    if any(math.isnan(x) for x in (computed, lower, upper)):
        return math.nan
    return min(computed - lower if lower > -math.inf else math.inf, upper - computed if upper < math.inf else math.inf)
