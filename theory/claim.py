r"""Claims as data, and how evidence is held against a statement.

A `Claim` says what is stated, under which hypotheses, from which source, and how it is measured on an `Evidence`: any
labelled data set, with a dimension ``seed`` (then the statement is about each draw, or about their probability) or
without one (then it is exact: one case). Judged it gives a `Verdict`, whose status is one of five and never a bare
number:

PROVED          by symbols or enclosures, for all values of the stated domain
HOLDS           on the evidence, with its seeds and interval
REFUTED         with the witness
INCONCLUSIVE    the evidence does not decide
NOT_APPLICABLE  a hypothesis fails; it says which

A `Measurement` is held case by case, so each seed must be a case of its own: what is measured on it, and what a
hypothesis says of it, depends on no other seed. Deterministic statements (identities, bounds without probability) are
refuted by one seed. A statement "with high probability" is read as: its probability is above `Claim.probability`, one
half unless said otherwise. With k of n seeds the one-sided 95 % Clopper–Pearson bounds decide: HOLDS if the lower one
is above, REFUTED if the upper one is below, INCONCLUSIVE otherwise. Five of five seeds give p ≥ 0.549. A quantity that
is undefined on a seed leaves a claim INCONCLUSIVE, unless the other seeds refute it whatever is there.

Draws may also be taken until such a statement is decided at a level: `theory.sequential.Plan` has the rule and its
error, and there what is undefined counts as a failure for HOLDS and as none for REFUTED.

An `Estimate` is one number of all seeds with an interval (a slope, a mean, a ratio): HOLDS if the whole interval lies
within the bounds, REFUTED if it lies outside, INCONCLUSIVE where it reaches across an edge. It is not counted by seed.
"""

from __future__ import annotations

__all__ = ["FAMILY", "Claim", "Control", "Estimate", "Evidence", "Hypothesis", "Measurement"]

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lemmascope.theory.certified import Certified, Enclosure, certify
from lemmascope.theory.errors import InputError, check_number
from lemmascope.theory.verdict import SOURCES, Kind, Status, Verdict, clopper_pearson

if TYPE_CHECKING:
    import xarray as xr

    from lemmascope.theory.sequential import Plan

FAMILY = "family"
"""The role of several runs taken together: only claims that are about it, and compare them, concern it."""


@dataclass(frozen=True)
class Evidence:
    """What a claim is measured on.

    A subject may derive its own (`theory.cubic_cnn.run.Run`), with what its claims ask for.

    Args:
        data: labelled arrays, with a dimension ``seed`` or without; ``evidence["c"]`` is ``evidence.data["c"]``.
        label: whose they are: "GD+M", "the plane".
        role: what `Claim.about` asks for; the study sets it.
        parameters: the subject's parameters, or None where they are not known.
    """

    data: xr.Dataset
    label: str
    role: str = ""
    parameters: Any = None

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.data[name]

    def __contains__(self, name: str) -> bool:
        return name in self.data

    @cached_property
    def alone(self) -> Mapping[int, Evidence]:
        """The evidence of each seed without the others; of data without seeds nothing."""
        if "seed" not in self.data.dims:
            return {}
        each = enumerate(self.data["seed"].values)
        return {int(s): dataclasses.replace(self, data=self.data.isel(seed=slice(i, i + 1))) for i, s in each}

    @property
    def p(self) -> Any:
        """The parameters; a claim that uses them has among its hypotheses that they are known."""
        assert self.parameters is not None
        return self.parameters

    @property
    def final(self) -> xr.Dataset:
        """The last recorded iteration, of data with the dimension ``iteration``."""
        return self.data.isel(iteration=-1, drop=True)

    @property
    def initial(self) -> xr.Dataset:
        """The first recorded iteration."""
        return self.data.isel(iteration=0, drop=True)

    @property
    def iterations(self) -> int:
        """The last recorded iteration, T."""
        return int(self.data.iteration[-1])


@dataclass(frozen=True)
class Hypothesis:
    """A condition of a claim.

    Args:
        name: short name.
        statement: the condition, in words or LaTeX.
        holds: from the evidence to booleans by seed (a DataArray over ``seed``), each of its seed alone; or to one
            bool, of what all seeds share.
    """

    name: str
    statement: str
    holds: Callable[[Any], Any]


@dataclass(frozen=True)
class Control:
    """The statement or the evidence, changed so that the claim must come out REFUTED.

    Args:
        description: what is changed, in words.
        constants: keyword arguments of `Claim.measure` that change the statement, as a planted error changes a step.
        made: how other evidence is made: a name that the study's ``controls`` know, or a function from the evidence to
            the control's (None: it cannot be made here).
    """

    description: str
    constants: Mapping[str, Any] | None = None
    made: str | Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if not self.constants and self.made is None:
            raise InputError(
                "control", self.description, "give the constants of the statement that it changes, or made"
            )


@dataclass(frozen=True)
class Measurement:
    """What a claim measures: the statement is lower ≤ computed ≤ upper, case by case.

    Attributes:
        computed: (seed,) DataArray, each value of its seed alone; a number where the evidence has no seeds.
        lower, upper: numbers, or DataArrays over seed.
        residual: like computed, for identities (largest |left − right|), or None.
        evidence: further numbers by name, for the reader.
    """

    computed: Any
    lower: Any = -math.inf
    upper: Any = math.inf
    residual: Any = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimate:
    """One number with its interval, held against bounds.

    Attributes:
        value, low, high: the estimate and its interval.
        lower, upper: the statement is that the true value lies between them.
        counts: how many values stand behind it, by group, for the reader.
        evidence: further numbers by name.
        by_seed: values behind it by name, "seed" among them, each a number for each seed.
        says: the sentence that tells them; made from the numbers where it is empty.
        undecided: why the interval decides nothing, whatever it is (too few seeds, say); empty if it does.
    """

    value: float
    low: float
    high: float
    lower: float = -math.inf
    upper: float = math.inf
    counts: tuple[int, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    by_seed: Mapping[str, list[float]] = field(default_factory=dict)
    says: str = ""
    undecided: str = ""

    def __post_init__(self) -> None:
        # A percentile interval of few values need not contain the estimate.
        if self.low > self.high:
            raise InputError("estimate", (self.low, self.high), "the interval must be low ≤ high")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement as data.

    Args:
        id: dotted name, unique.
        statement: LaTeX.
        plain: the statement in plain text, for a terminal.
        kind: identity, bound or order.
        source: where it comes from, one of `theory.verdict.SOURCES`.
        measure: from the evidence to a `Measurement` or an `Estimate`; its keyword arguments are the constants of the
            statement, their defaults the stated values.
        assumes: conditions under which it is claimed.
        about: the role of the evidence that it is about; "any" is all but `FAMILY`.
        probability: for a statement with high probability, the value that its probability must exceed; None for a
            deterministic one.
        control: the negative control, or None.
        expected: the status of a true claim.
        encloses: from the evidence to what ``measure`` computes as intervals of exact arithmetic, or to None where the
            evidence has no certificate; None where it has none ever.

    Raises:
        InputError: an unknown source, a probability outside [0, 1).
    """

    id: str
    statement: str
    plain: str
    kind: Kind
    source: str
    measure: Callable[..., Measurement | Estimate]
    assumes: tuple[Hypothesis, ...] = ()
    about: str = "any"
    probability: float | None = None
    control: Control | None = None
    encloses: Callable[[Any], Enclosure | None] | None = None
    expected: Status = Status.HOLDS

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError("source", self.source, f"it must be one of {', '.join(SOURCES)}")
        if self.probability is not None:
            check_number("probability", self.probability, 0, 1, open_high=True)

    @property
    def scope(self) -> str:
        """Of how many draws it is stated, where that is not of all."""
        return "" if self.probability is None else f"with probability above {self.probability:g} over the draws"

    def concerns(self, evidence: Evidence) -> bool:
        """Whether the claim is about evidence of this role."""
        return self.about == evidence.role or (self.about == "any" and evidence.role != FAMILY)

    def judge(
        self,
        evidence: Evidence,
        *,
        waive: bool = False,
        constants: Mapping[str, Any] | None = None,
        plan: Plan | None = None,
    ) -> Verdict:
        """Hold the evidence against the statement.

        Args:
            evidence: what it is measured on.
            waive: skip the hypotheses, for a control's evidence, which breaks one by design.
            constants: of the statement, in place of the stated ones.
            plan: a sequential test, by which a statement with high probability is decided at the plan's level, in the
                order of the seeds; default the bounds of Clopper and Pearson at `probability`.

        Raises:
            InputError: ``measure`` or a hypothesis fails on this evidence, or returns something else.
        """
        evidence = _shielded(evidence)
        checked, applicable = self._check(evidence, waive)
        if not any(applicable.values()):
            failed = [h["name"] for h in checked if h["holds"] == 0]
            reason = f"hypothesis {failed[0]} fails" if failed else "no seed meets all hypotheses"
            return self._verdict(evidence, Status.NOT_APPLICABLE, reason, hypotheses=checked)
        with _named(self.id):
            measured: Any = self.measure(evidence, **(constants or {}))
        if isinstance(measured, Estimate):
            if self.probability is not None:
                why = "it states a probability, and must measure by seed: a Measurement, not one Estimate of all seeds"
                raise InputError("claim", self.id, why)
            seeds = [s for s, ok in applicable.items() if ok and s is not None]
            if not all(applicable.values()):
                # One number stands for all seeds: it is to be that of those on which it is claimed.
                if not any("seed" in variable.dims for variable in evidence.data.data_vars.values()):
                    why = "its hypotheses differ by seed, and no variable of its evidence has a dimension seed"
                    raise InputError("claim", self.id, why)
                with _named(self.id):
                    measured = self.measure(_of_seeds(evidence, seeds), **(constants or {}))
            return self._estimated(evidence, checked, seeds, measured)
        if not isinstance(measured, Measurement):
            found = type(measured).__name__
            raise InputError("claim", self.id, f"its measure must return a Measurement or an Estimate, not {found}")
        cases = [s for s, ok in applicable.items() if ok]
        with _named(self.id):
            if cases != [None]:
                self._by_seed(evidence, [s for s in cases if s is not None], measured, constants or {})
            verdict = self._measured(evidence, checked, cases, measured, plan)
        return dataclasses.replace(verdict, certified=self._certified(evidence, verdict.seeds, constants))

    def _certified(
        self, evidence: Evidence, seeds: tuple[int, ...], constants: Mapping[str, Any] | None
    ) -> Certified | None:
        """On which of the seeds it is so in exact arithmetic, where the evidence tells."""
        if self.encloses is None or constants or not seeds:
            return None
        with _named(self.id, "enclosure"):
            intervals = self.encloses(evidence)
            return None if intervals is None else certify(intervals, seeds)

    def _check(self, evidence: Evidence, waive: bool) -> tuple[tuple[dict[str, Any], ...], dict[int | None, bool]]:
        """What each hypothesis says, and on which seeds (None: the one exact case) all of them hold."""
        cases: list[int | None] = [None]
        if "seed" in evidence.data.dims:
            cases = [int(s) for s in evidence.data["seed"].values]
        applicable = dict.fromkeys(cases, True)
        checked: list[dict[str, Any]] = []
        for h in () if waive else self.assumes:
            # A later hypothesis may be undefined where an earlier one fails (no law, no parameters).
            count: int | None = None
            if any(applicable.values()):
                with _named(self.id, f"hypothesis {h.name}"):
                    found = h.holds(evidence)
                    by_case = dict(zip(cases, _by_case(found, cases, bool), strict=True))
                    shared = "seed" not in getattr(found, "dims", ())
                    self._of_its_own(h, evidence, {s: by_case[s] for s, ok in applicable.items() if ok}, shared)
                applicable = {s: ok and by_case[s] for s, ok in applicable.items()}
                count = sum(by_case.values())
            checked.append({"name": h.name, "statement": h.statement, "holds": count, "of": len(cases)})
        return tuple(checked), applicable

    def _of_its_own(self, h: Hypothesis, evidence: Evidence, said: Mapping[int | None, bool], shared: bool) -> None:
        """Refuse a hypothesis whose answer for a seed is that of others: the largest of all, say, or any."""
        if len(evidence.alone) < 2:
            return
        own = {s: _by_case(h.holds(evidence.alone[s]), [s], bool)[0] for s in said if s is not None}
        # What all seeds share may be how many they are: then one seed alone says otherwise, but each the same.
        others = len(set(own.values())) > 1 if shared else own != said
        if others:
            why = f"its hypothesis {h.name} says of a seed what is so of another; {_REDUCE}"
            raise InputError("claim", self.id, why)

    def _by_seed(
        self, evidence: Evidence, seeds: list[int], measured: Measurement, constants: Mapping[str, Any]
    ) -> None:
        """Refuse what is not measured on each seed by itself: it would count one number as many independent ones."""
        for x in (measured.computed, measured.residual):
            if x is not None and not isinstance(x, str) and not getattr(x, "dims", getattr(x, "shape", ())):
                why = f"its measure gives one number for all {len(evidence.alone)} seeds, not one for each; {_REDUCE}"
                raise InputError("claim", self.id, why)
        if len(evidence.alone) < 2:
            return
        # A value that others make is another without them, and what counts is whether the seed alone says the same.
        for s in seeds:
            again: Any = self.measure(evidence.alone[s], **constants)
            together, alone = (
                [_by_case(x, [s], float)[0] for x in (one.computed, one.lower, one.upper)] for one in (measured, again)
            )
            scale = max((abs(x) for x in (*together, *alone) if math.isfinite(x)), default=0.0)
            alike = all(_same(a, b, scale) for a, b in zip(together, alone, strict=True))
            if not alike or (_distance(*together) >= 0) != (_distance(*alone) >= 0):
                why = f"its measure gives seed {s} another value, or another bound, without the other seeds; {_REDUCE}"
                raise InputError("claim", self.id, why)

    def _measured(
        self,
        evidence: Evidence,
        checked: tuple[dict[str, Any], ...],
        cases: list[int | None],
        measured: Measurement,
        plan: Plan | None,
    ) -> Verdict:
        computed, lower, upper = (
            _by_case(x, cases, float) for x in (measured.computed, measured.lower, measured.upper)
        )
        if max(upper) == math.inf and min(lower) == -math.inf and all(map(math.isinf, (*lower, *upper))):
            raise InputError("claim", self.id, "its measure must give a lower bound, an upper one, or both")
        # What is infinite, or has no finite bound, is met by nothing that was measured.
        gaps = [_distance(c, lo, up) for c, lo, up in zip(computed, lower, upper, strict=True)]
        margins = [gap if gap < math.inf else math.nan for gap in gaps]
        exact = cases == [None]
        holding = [s for s, gap in zip(cases, margins, strict=True) if gap >= 0]
        undefined = [s for s, gap in zip(cases, margins, strict=True) if math.isnan(gap)]
        finite = [gap for gap in margins if not math.isnan(gap)]
        k, n = len(holding), len(cases)
        counted = f"true on {k} of {n} seeds" + (f", undefined on {len(undefined)}" if undefined else "")
        if exact:
            counted = f"exact: true in {k} of 1 case"
        interval = sequential = None
        if self.probability is None:
            # One seed is enough, whatever the others say or cannot say.
            status = Status.REFUTED if any(gap < 0 for gap in finite) else Status.HOLDS
        elif exact:
            raise InputError("claim", self.id, "it states a probability, and needs evidence with a dimension seed")
        elif plan is not None:
            plan = plan.stated(self.probability)
            true = {s: None if math.isnan(gap) else gap >= 0 for s, gap in zip(cases, margins, strict=True)}
            in_order = [true[s] for s in sorted(s for s in cases if s is not None)]
            found = plan.decide(in_order, plan.draws - evidence.data.sizes["seed"])
            status, sequential = found.status, plan.record(found)
            counted = plan.says(found) + (f"; {counted}" if n > found.draws or undefined else "")
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
        if undefined and status is not Status.REFUTED and sequential is None:
            status, interval = Status.INCONCLUSIVE, None
            reason = "the quantity is undefined" + ("" if exact else f" on seed {undefined[0]}")
        witness = None
        if status is Status.REFUTED:
            worst = margins.index(min(finite))
            case = {} if exact else {"seed": cases[worst]}
            witness = {**case, "computed": computed[worst], "lower": lower[worst], "upper": upper[worst]}
        # The median of what is defined; of NaN, if nothing is.
        ranked = sorted((j for j in range(n) if cases[j] not in undefined), key=lambda j: computed[j]) or [0]
        middle = ranked[(len(ranked) - 1) // 2]
        seeds = {} if exact else {"seed": [float(s) for s in cases if s is not None]}
        return self._verdict(
            evidence,
            status,
            reason,
            hypotheses=checked,
            computed=computed[middle],
            lower=lower[middle],
            upper=upper[middle],
            margin=min(finite) if finite else None,
            residual=None if measured.residual is None else max(_by_case(measured.residual, cases, float)),
            seeds=tuple(s for s in cases if s is not None),
            holding=tuple(s for s in holding if s is not None),
            interval=interval,
            sequential=sequential,
            witness=witness,
            by_seed={**seeds, "computed": computed, "lower": lower, "upper": upper},
            evidence=dict(measured.evidence),
        )

    def _estimated(
        self, evidence: Evidence, checked: tuple[dict[str, Any], ...], seeds: list[int], found: Estimate
    ) -> Verdict:
        says = found.says or (
            f"{found.value:.4g}, interval [{found.low:.4g}, {found.high:.4g}]; stated in "
            f"[{found.lower:.4g}, {found.upper:.4g}]"
        )
        margin = _margin(found)
        if margin == math.inf:
            raise InputError("claim", self.id, "its measure must give a lower bound, an upper one, or both")
        if math.isnan(margin):
            status = Status.INCONCLUSIVE
        elif margin >= 0:
            status = Status.HOLDS
        elif found.high < found.lower or found.low > found.upper:
            status = Status.REFUTED
        else:
            status = Status.INCONCLUSIVE
        if found.undecided:
            status, says = Status.INCONCLUSIVE, f"{found.undecided}; {says}"
        witness = None
        if status is Status.REFUTED:
            witness = {"value": found.value, "low": found.low, "high": found.high}
        more = {"interval": [found.low, found.high]} | ({"counts": list(found.counts)} if found.counts else {})
        return self._verdict(
            evidence,
            status,
            says,
            hypotheses=checked,
            computed=found.value,
            lower=found.lower,
            upper=found.upper,
            margin=margin,
            seeds=tuple(seeds),
            witness=witness,
            by_seed=dict(found.by_seed),
            evidence=more | dict(found.evidence),
        )

    def _verdict(self, of: Evidence, /, status: Status, reason: str, **rest: Any) -> Verdict:
        return Verdict(
            claim=self.id,
            label=of.label,
            statement=self.statement,
            kind=self.kind,
            source=self.source,
            status=status,
            expected=self.expected,
            reason=reason,
            plain=self.plain,
            **rest,
        )


_REDUCE = 'name the dimensions that you reduce over, and leave seed out, as in .max("neuron")'


class _named:
    """A block whose errors are told with the claim's name: a user's function fails in many ways."""

    def __init__(self, claim: str, what: str = "measure") -> None:
        self.claim, self.what = claim, what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, InputError) or not isinstance(error, Exception):
            return
        raise InputError(
            "claim",
            self.claim,
            f"its {self.what} must take this evidence, and failed ({type(error).__name__}: {error})",
        ) from error


def _shielded(evidence: Evidence) -> Evidence:
    """The same evidence, to which nothing can be written: what one claim does to it is nothing that another sees."""
    data = evidence.data.copy(deep=False)
    views = {}
    for name, variable in data.variables.items():
        if name not in data.dims:  # the values of a dimension are an index, which nothing can be written to
            view = variable.values.view()
            view.flags.writeable = False
            views[name] = variable.copy(deep=False, data=view)
    return dataclasses.replace(evidence, data=data.assign({k: v for k, v in views.items() if k in data.data_vars}))


def _of_seeds(evidence: Evidence, seeds: list[int]) -> Evidence:
    return dataclasses.replace(evidence, data=evidence.data.isel(seed=evidence.data["seed"].isin(seeds)))


def _by_case(x: Any, cases: list[int | None], kind: type) -> list[Any]:
    """A value for each case: of an array over seed at that seed, of a single value everywhere."""
    dims = tuple(getattr(x, "dims", ()))
    if kind is bool and set(dims) - {"seed"}:
        x, dims = x.all([name for name in dims if name != "seed"]), tuple(name for name in dims if name == "seed")
    read = _truth if kind is bool else kind
    if dims == ("seed",) and cases != [None]:
        return [read(x.sel(seed=s)) for s in cases]
    if dims or getattr(x, "shape", ()):
        raise TypeError(f"a value by seed is wanted, and one over {dims or x.shape} was given")
    return [read(x)] * len(cases)


def _truth(x: Any) -> bool:
    """What a hypothesis says: a number would be true, and NaN too."""
    found = x.item() if hasattr(x, "item") else x
    if not isinstance(found, bool):
        raise TypeError(f"it must say True or False, and said {found!r}")
    return found


def _same(a: float, b: float, scale: float) -> bool:
    """Equal but for the order of a sum, in single precision too."""
    return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-4 * scale


def _distance(computed: float, lower: float, upper: float) -> float:
    """Signed distance to the nearer bound: negative where it is violated, NaN where a number is."""
    if any(math.isnan(x) for x in (computed, lower, upper)):
        return math.nan
    return min(computed - lower if lower > -math.inf else math.inf, upper - computed if upper < math.inf else math.inf)


def _margin(found: Estimate) -> float:
    """Signed distance of an interval to the nearer bound: negative where it reaches across, NaN where a number is."""
    if math.isnan(found.value):
        return math.nan
    low, high = (_distance(x, found.lower, found.upper) for x in (found.low, found.high))
    return math.nan if math.isnan(low) or math.isnan(high) else min(low, high)
