"""Looking for a counterexample, and shrinking it: what an optimizer satisfies and what it does not."""

from __future__ import annotations

__all__ = ["EXAMPLES", "Finding", "Mark", "conventions_of", "judge", "satisfied", "seek"]

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lemmascope.proofs_check.conformance.adapters import NotDriven, Subject, Unsaved, Unsupported, Untried
from lemmascope.proofs_check.conformance.case import DTYPES, Case
from lemmascope.proofs_check.conformance.compare import Unjudged
from lemmascope.proofs_check.conformance.identities import IDENTITIES, OF_CONVENTION, Identity
from lemmascope.proofs_check.conformance.shrink import reduced
from lemmascope.proofs_check.conformance.trial import Trial

EXAMPLES = 100
ENOUGH = 20
"""Cases that could not be tried, after which no more are looked at."""


class Mark(StrEnum):
    """How an identity came out for an optimizer."""

    HOLDS = "✓"
    FAILS = "✗"
    NOT_APPLICABLE = "n/a"
    UNTRIED = "?"


@dataclass(frozen=True)
class Finding:
    """One identity tried on one optimizer.

    Attributes:
        identity, optimizer: their names.
        mark: ✓ in every case tried, ✗ with a counterexample, n/a with the reason, ? where a case could not be tried, as
            the optimizer raises, returns no finite numbers in the shape of its parameters, or its time was spent.
        reason: what is wrong in the counterexample, why it does not apply, or could not be tried.
        case: the smallest counterexample that was found, the smallest case that could not be tried, or None.
        examples: cases tried, over all dtypes, large cases and shrinking included.
        over: those of `proofs_check.conformance.case.FEATURES` that cases had in which it was judged.
    """

    identity: str
    optimizer: str
    mark: Mark
    reason: str = ""
    case: Case | None = None
    examples: int = 0
    over: tuple[str, ...] = ()


class _Search:
    """One identity, one optimizer: each case is judged once, whatever comes of it."""

    def __init__(self, identity: Identity, trial: Trial) -> None:
        self.identity, self.trial = identity, trial
        self.wrong: dict[Case, str | None] = {}
        self.untried: dict[Case, str] = {}
        self.lacking: list[str] = []
        self.over: set[str] = set()
        self.judged = 0
        self.spent = False

    def fails(self, case: Case) -> bool:
        """Whether the identity does. Not once the time is spent, unless that was seen."""
        if case not in self.wrong:
            self.spent = self.spent or self.trial.budget.spent
            if self.spent:
                return False
            self.wrong[case] = self._violation(case)
        return self.wrong[case] is not None

    def raises(self, case: Case) -> bool:
        """Whether it cannot be tried, as the optimizer raises or returns what are no iterates."""
        self.fails(case)
        return case in self.untried

    def _violation(self, case: Case) -> str | None:
        try:
            said = self.identity.check(self.trial, case)
        except NotDriven:
            raise
        except Untried as error:
            self.untried[case] = str(error)
            return None
        except (Unsupported, Unsaved) as error:
            self.lacking.append(str(error))
            return None
        except Unjudged:
            return None
        self.judged += 1
        self.over |= case.features
        return said

    def finding(self, mark: Mark, reason: str = "", case: Case | None = None) -> Finding:
        names = self.identity.name, self.trial.subject.name
        return Finding(*names, mark, reason, case, len(self.wrong), tuple(sorted(self.over)))


def seek(
    identity: Identity,
    subject: Subject | Trial,
    *,
    dtypes: Iterable[str] = DTYPES,
    examples: int = EXAMPLES,
    shrink: bool = True,
) -> Finding:
    """Look for a case in which the identity fails, in each dtype; the first that is found is shrunk.

    The search is the same each time: small cases are drawn from a fixed seed, and where none fails the large ones are
    tried. Without ``shrink`` it is faster where only the mark is wanted. A failure that is found stands, whatever else
    could not be tried, unless the same inputs give other iterates the next time.

    Args:
        identity: one of `IDENTITIES`.
        subject: the optimizer; a `Trial` where several identities share its runs and its time.
        dtypes: of `proofs_check.conformance.formats.FORMATS`.
        examples: drawn cases, for each dtype.
        shrink: whether a counterexample is.
    """
    trial = Trial.of(subject)
    search = _Search(identity, trial)
    try:
        return _sought(search, tuple(dtypes), examples, shrink)
    except NotDriven as error:
        return search.finding(Mark.UNTRIED, str(error))


def _sought(search: _Search, dtypes: Sequence[str], examples: int, shrink: bool) -> Finding:
    identity, trial = search.identity, search.trial
    missing = identity.missing(trial)
    if missing is not None:
        return search.finding(Mark.NOT_APPLICABLE, missing)
    lacking = {dtype: [why for f in sorted(identity.always) if (why := trial.lacks(f, dtype))] for dtype in dtypes}
    if all(lacking.values()):
        return search.finding(Mark.NOT_APPLICABLE, next(iter(lacking.values()))[0])
    takes = [dtype for dtype in dtypes if not lacking[dtype]]
    looks = (_drawn, _fixed)
    found = next((c for look in looks for d in takes if (c := look(search, d, examples, shrink)) is not None), None)
    if found is not None:
        if identity.name != "reproducible" and (other := _irreproducible(trial, found)) is not None:
            return search.finding(Mark.UNTRIED, other, found)
        return search.finding(Mark.FAILS, search.wrong[found] or "", found)
    if search.untried:
        case = min(search.untried, key=lambda one: len(one.gradients) * len(one.theta))
        if shrink:
            case = reduced(case, search.raises, always=identity.always, options=identity.options)
        return search.finding(Mark.UNTRIED, search.untried[case], case)
    if search.spent:
        return search.finding(Mark.UNTRIED, trial.budget.said)
    if not search.judged:
        if search.lacking:
            return search.finding(Mark.NOT_APPLICABLE, search.lacking[0])
        return search.finding(Mark.UNTRIED, f"no bound on the rounding of {' or '.join(takes)} says anything of it")
    return search.finding(Mark.HOLDS)


def _irreproducible(trial: Trial, case: Case) -> str | None:
    try:
        return IDENTITIES["reproducible"].check(trial, case)
    except (Untried, Unsupported):
        return None


def _drawn(search: _Search, dtype: str, examples: int, shrink: bool) -> Case | None:
    """Of the small cases, the first that fails, shrunk."""
    return _first(search, search.identity.drawn(search.trial, dtype, examples), shrink)


def _fixed(search: _Search, dtype: str, examples: int, shrink: bool) -> Case | None:
    """Of the large cases, the first that fails, shrunk."""
    return _first(search, search.identity.large(search.trial, dtype), shrink)


def _first(search: _Search, cases: Iterable[Case], shrink: bool) -> Case | None:
    found = None
    for case in cases:
        if search.fails(case):
            found = case
            break
        if search.spent or len(search.untried) >= ENOUGH:
            break
    if found is None or not shrink:
        return found
    identity = search.identity
    return reduced(found, search.fails, always=identity.always, options=identity.options)


def judge(
    subject: Subject | Trial,
    names: Iterable[str],
    *,
    dtypes: Iterable[str] = DTYPES,
    examples: int = EXAMPLES,
    shrink: Callable[[Finding], bool] = lambda finding: True,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, Finding]:
    """Findings for several identities, which share runs and time.

    Whether it is reproducible is asked first, also where it is not among the names: of one that is not, nothing else is
    judged.

    Args:
        subject: the optimizer, or a `Trial` with a budget.
        names: of `IDENTITIES`.
        dtypes, examples: as of `seek`.
        shrink: whether counterexamples still are, asked after each finding.
        progress: called with 1 after each identity.
    """
    trial, wanted, dtypes = Trial.of(subject), tuple(names), tuple(dtypes)
    first = seek(IDENTITIES["reproducible"], trial, dtypes=dtypes, examples=examples)
    found: dict[str, Finding] = {}
    shrinks = shrink(first)
    for name in wanted:
        if name == "reproducible":
            found[name] = first
        elif first.mark is Mark.FAILS:
            reason = f"not judged, as it is not reproducible: {first.reason}"
            found[name] = Finding(name, trial.subject.name, Mark.UNTRIED, reason, first.case)
        else:
            found[name] = seek(IDENTITIES[name], trial, dtypes=dtypes, examples=examples, shrink=shrinks)
            shrinks = shrinks and shrink(found[name])
        progress(1)
    return found


def conventions_of(
    subject: Subject | Trial, *, dtypes: Iterable[str] = ("float64",), examples: int = EXAMPLES
) -> tuple[str, ...]:
    """The conventions whose identities hold for the optimizer in these dtypes, as far as they apply to it.

    Weight decay is beside them, and not asked about.
    """
    trial, dtypes, known = Trial.of(subject), tuple(dtypes), dict[str, Mark]()

    def mark(name: str) -> Mark:
        if name not in known:
            known[name] = seek(IDENTITIES[name], trial, dtypes=dtypes, examples=examples, shrink=False).mark
        return known[name]

    return satisfied(mark, momentum=trial.has("gamma"))


def satisfied(mark: Callable[[str], Mark], *, momentum: bool) -> tuple[str, ...]:
    """The conventions none of whose identities fails or could not be tried, from the mark of each identity.

    Of each at least one must hold that is about momentum, or for "gd" about none.

    Args:
        mark: from an identity's name to how it came out.
        momentum: whether the optimizer takes γ; if not, only "gd" is asked about, else every other one.
    """
    undamped = OF_CONVENTION["gd"]

    def holds(convention: str) -> bool:
        names = OF_CONVENTION[convention]
        own = [name for name in names if name not in undamped] or undamped
        return all(mark(name) in (Mark.HOLDS, Mark.NOT_APPLICABLE) for name in names) and any(
            mark(name) is Mark.HOLDS for name in own
        )

    return tuple(convention for convention in OF_CONVENTION if (convention == "gd") != momentum and holds(convention))
