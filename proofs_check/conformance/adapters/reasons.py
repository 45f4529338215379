"""Why an optimizer does not go through a case: the same case without one of its features shows which it is."""

from __future__ import annotations

__all__ = ["reason"]

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lemmascope.proofs_check.conformance.adapters.errors import NotDriven, Refused, Unsupported, Untried, named, said
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject


def reason(subject: Subject, case: Case, error: BaseException) -> Exception:
    """What to raise where the optimizer raised ``error`` in a case.

    Returns:
        `Unsupported`, if its maker refuses a value that the case has, or it refuses the shapes or the number type: if
        the same case without that runs. `NotDriven`, if not even one plain step runs. Else `Untried`.
    """
    refused = isinstance(error, Refused)
    cause = error.__cause__ or error if refused else error
    text = said(cause) or type(cause).__name__
    for what, other in _without(subject, case, refused):
        if subject.runs(other):
            return Unsupported(f"refuses {what}: {text}")
    raises = f"it raises {named(error)}"
    if not subject.runs(_plain(subject, case)):
        return NotDriven(f"it could not be driven: {raises}")
    return Untried(f"{raises}{_affected(subject, case)}")


def _without(subject: Subject, case: Case, refused: bool) -> Iterator[tuple[str, Case]]:
    if refused:
        if case.gamma == 0 and subject.has("gamma"):
            yield "γ = 0", replace(case, gamma=0.5, momenta=None)
        if 0 in case.eta:
            yield "η = 0", replace(case, eta=tuple(rate or 1.0 for rate in case.eta))
        for name, value in case.options().items():
            without: dict[str, Any] = {name: None}
            yield f"{name} = {value}", replace(case, **without)
    if case.dtype.endswith("float16"):
        yield case.dtype, replace(case, dtype="float32")
    if case.arrays and not case.missing and not (subject.matrices_only and all(len(s) <= 2 for s in case.arrays)):
        shapes = " and ".join(dict.fromkeys(map(str, case.arrays)))
        yield f"parameters of shape {shapes}", replace(case, arrays=())


def _plain(subject: Subject, case: Case) -> Case:
    """One step with a constant rate, some momentum and no option, in the case's number type and arrays."""
    n = len(case.theta)
    gamma = 0.5 if subject.has("gamma") else 0.0
    return Case((0.5,) * n, ((0.25,) * n,), (0.25,), gamma, case.dtype, arrays=case.arrays)


def _affected(subject: Subject, case: Case) -> str:
    """Which feature of the case it does not go through, if it is one of those that come over time."""
    eta, gamma = (subject.settings.get(setting, setting) for setting in ("eta", "gamma"))
    T = len(case.gradients)
    given = subject.driver(case).functions
    if case.missing and subject.runs(replace(case, missing=frozenset())):
        return "; so it does where a gradient is missing (None), and only there"
    if not case.constant and subject.runs(replace(case, eta=(next(filter(None, case.eta)),) * T)):
        how = f"is given as a function of t, {eta}(t)" if given else "is set before each step"
        return f"; where η changes it {how}, and only such schedules are affected"
    if case.momenta is not None and subject.runs(replace(case, momenta=None)):
        how = f"is given as a function of t, {gamma}(t)" if given else "is set before each step"
        return f"; where γ changes it {how}, and only that is affected"
    return ""
