"""Evidence held against claims, each with its negative control: the one judge of every study."""

from __future__ import annotations

__all__ = ["as_evidence", "judge", "unjudged"]

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lemmascope.theory.claim import Claim, Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Status, Verdict

if TYPE_CHECKING:
    from lemmascope.theory.sequential import Plan

Controls = Mapping[str, Callable[[Any, Sequence[Any]], Any]]


def as_evidence(found: Any) -> tuple[Evidence, ...]:
    """Evidence as it is, or made of labelled data: a Dataset with a dimension ``seed``, or without (one exact case).

    Raises:
        InputError: it is neither, or a seed occurs twice.
    """
    import xarray as xr

    if not isinstance(found, Evidence | Iterable):
        raise InputError("evidence", type(found).__name__, "give an Evidence, an xarray Dataset, or several of them")
    each = [found] if isinstance(found, Evidence | xr.Dataset) else list(found)
    made = []
    for one in each:
        if isinstance(one, xr.Dataset):
            one = Evidence(one, str(one.attrs.get("label", one.attrs.get("study", "the data"))))
        if not isinstance(one, Evidence):
            raise InputError("evidence", type(one).__name__, "give an Evidence, an xarray Dataset, or several of them")
        if "seed" in one.data.dims:
            seeds = one.data["seed"].values.tolist()
            if not all(type(seed) in (int, float) and float(seed).is_integer() for seed in seeds):
                why = "its seeds must be integers; give an axis of anything else another name"
                raise InputError("evidence", one.label, why)
            if len(set(seeds)) < len(seeds):
                raise InputError("evidence", one.label, "its seeds are repeated; each must occur once")
        made.append(one)
    return tuple(made)


def judge(
    claims: Iterable[Claim] | Claim,
    evidence: Any,
    controls: Controls | None = None,
    expected: Mapping[str, Status | None] | None = None,
    *,
    undecided: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    failures: list[str] | None = None,
) -> tuple[Verdict, ...]:
    """Judge every claim on all evidence that it concerns, and its control.

    A control's evidence breaks the claim's situation by design, so the hypotheses are waived on it; a control that
    changes the constants of the statement alone is held against the same evidence, under the same hypotheses. It is
    left out ("not run") where the verdict itself is NOT_APPLICABLE, or where the evidence that it needs cannot be made.

    Args:
        claims: in the order of the verdicts.
        evidence: `Evidence`, a labelled data set, or several.
        controls: ways to make other evidence, by the names that `Control.made` uses: from (the evidence, all of it).
        expected: statuses that are expected here and differ from the claim's own, by id; None: an open question, of
            which whatever comes out is as expected, its control being REFUTED.
        undecided: why the sizes of this evidence decide nothing, by id: such a claim is INCONCLUSIVE, as expected.
        plan: a sequential test, by which claims and controls with a probability are decided (`Claim.judge`).
        failures: where it is given, a claim that fails is INCONCLUSIVE, why is added here, and the others are judged.

    Raises:
        InputError: a claim fails on the evidence, or asks for a control that is unknown; without ``failures``.
    """
    everyone, found = as_evidence(evidence), []
    for claim in [claims] if isinstance(claims, Claim) else claims:
        for one in everyone:
            if not claim.concerns(one):
                continue
            failed = False
            try:
                verdict = claim.judge(one, plan=plan)
            except (Exception, SystemExit) as error:
                if failures is None:
                    raise
                verdict, failed = unjudged(claim, _told(error, failures), one.label), True
            if claim.control is not None:
                try:
                    status = _control_status(claim, verdict, one, everyone, controls or {}, plan)
                except (Exception, SystemExit) as error:
                    if failures is None:
                        raise
                    status, failed = Status.INCONCLUSIVE.value, True
                    _told(error, failures)
                control = {"description": claim.control.description, "status": status}
                verdict = dataclasses.replace(verdict, control=control)
            if expected and claim.id in expected and not (failed and expected[claim.id] is None):
                verdict = dataclasses.replace(verdict, expected=expected[claim.id])
            if undecided and claim.id in undecided and not failed:
                verdict = _left_open(verdict, undecided[claim.id])
            found.append(verdict)
    return tuple(found)


def unjudged(claim: Claim, reason: str, label: str = "") -> Verdict:
    """The verdict on a claim that could not be judged."""
    return Verdict(
        claim=claim.id,
        label=label,
        statement=claim.statement,
        kind=claim.kind,
        source=claim.source,
        status=Status.INCONCLUSIVE,
        expected=claim.expected,
        reason=reason,
        plain=claim.plain,
    )


def _told(error: BaseException, failures: list[str]) -> str:
    """What failed, which is kept once."""
    text = error.brief if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    if text not in failures:
        failures.append(text)
    return text


def _left_open(verdict: Verdict, why: str) -> Verdict:
    """A verdict where the sizes decide nothing; the numbers are kept beside it. What refutes is no matter of size."""
    if verdict.status is Status.REFUTED:
        return verdict
    if verdict.status is Status.NOT_APPLICABLE:
        return dataclasses.replace(verdict, expected=verdict.status)
    reason = f"not decided at this size: {why}; {verdict.reason}"
    open_ = Status.INCONCLUSIVE
    return dataclasses.replace(verdict, status=open_, expected=open_, reason=reason, witness=None)


def _control_status(
    claim: Claim, verdict: Verdict, one: Evidence, everyone: Sequence[Evidence], controls: Controls, plan: Plan | None
) -> str:
    """How the claim's control came out."""
    assert claim.control is not None
    other = None if verdict.status is Status.NOT_APPLICABLE else _control(claim, one, everyone, controls)
    if other is None:
        return "not run"
    made = claim.control.made is not None
    return claim.judge(other, waive=made, constants=claim.control.constants, plan=plan).status.value


def _control(claim: Claim, one: Evidence, everyone: Sequence[Evidence], controls: Controls) -> Evidence | None:
    """What the claim's control is judged on; None where it cannot be made."""
    assert claim.control is not None
    made = claim.control.made
    if made is None:
        return one
    if not callable(made) and made not in controls:
        known = ", ".join(controls) or "none"
        raise InputError("control", made, f"{claim.id} asks for it, and the ways known here are: {known}")
    try:
        found: Any = made(one) if callable(made) else controls[made](one, everyone)
    except InputError:
        raise
    except Exception as error:
        why = f"what makes it must take {one.label}, and failed ({type(error).__name__}: {error})"
        raise InputError("control", claim.id, why) from error
    if found is not None and not isinstance(found, Evidence):
        raise InputError(
            "control", claim.id, f"what makes it must return an Evidence, and not a {type(found).__name__}"
        )
    return found
