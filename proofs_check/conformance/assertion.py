"""The identities as an assertion on one optimizer, with a message that a reader can act on."""

from __future__ import annotations

__all__ = ["assert_momentum_identities", "explanation", "name_of", "names_of"]

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.case import DTYPES, FEATURES, STEPS, Case
from lemmascope.proofs_check.conformance.checks import DECAYS
from lemmascope.proofs_check.conformance.formats import dtypes_of
from lemmascope.proofs_check.conformance.identities import IDENTITIES, OF_CONVENTION, STRUCTURE
from lemmascope.proofs_check.conformance.instead import decay_of, forms_of, response
from lemmascope.proofs_check.conformance.kept import meant_for, names_of
from lemmascope.proofs_check.conformance.reference import CONVENTIONS
from lemmascope.proofs_check.conformance.search import EXAMPLES, Finding, Mark, conventions_of, judge, seek
from lemmascope.proofs_check.conformance.trial import BUDGET, Budget, Trial
from lemmascope.theory.errors import check_size


def assert_momentum_identities(
    make_optimizer: Callable[..., Any],
    convention: str,
    *,
    weight_decay: str | None = None,
    library: str | None = None,
    dtypes: Iterable[str] | str = DTYPES,
    examples: int = EXAMPLES,
    budget: float | Budget = BUDGET,
) -> list[Finding]:
    """Test an optimizer for the momentum identities of its convention.

    Args:
        make_optimizer: makes a new optimizer from ``eta`` (or ``lr``) and ``gamma`` (or ``momentum``), and from
            ``params`` if it wants them; of PyTorch, optax, Keras, scikit-learn, with ``init`` and ``step``, or a plain
            function (see `proofs_check.conformance.adapters`).
        convention: one of `proofs_check.conformance.CONVENTIONS`: "average", "velocity", "pytorch", "corrected",
            "nesterov", "nesterov_pytorch" and so on; "gd" for one without momentum.
        weight_decay: "coupled" or "decoupled", to demand that too; ``make_optimizer`` must take ``weight_decay`` then.
        library: one of `adapters.drivers`, if it cannot be told from what is made.
        dtypes: some of "float32", "float64", "float16", "bfloat16"; the first two by default.
        examples: cases tried for each identity and dtype.
        budget: seconds for all of it; what was not tried then is said.

    Returns:
        One finding for each identity: it holds, or it does not apply to this optimizer.

    Raises:
        AssertionError: if an identity fails. It names the identity, the smallest counterexample found, what does hold
            of the optimizer, and how to reproduce it. Also if one could not be tried, as the optimizer raises, returns
            no finite numbers in the shape of its parameters, cannot be driven, or takes longer than the budget.
        InputError: for wrong arguments.

    Example:
        >>> import torch
        >>> from lemmascope.proofs_check.conformance import assert_momentum_identities
        >>> make = lambda params, lr, momentum: torch.optim.SGD(params, lr=lr, momentum=momentum)
        >>> findings = assert_momentum_identities(make, convention="pytorch")
    """
    subject = Subject(make_optimizer, name_of(make_optimizer), library, convention)
    names = meant_for(subject, convention, weight_decay)
    dtypes = dtypes_of(dtypes)
    check_size("examples", examples)
    trial = Trial(subject, budget if isinstance(budget, Budget) else Budget(budget))
    # Only the first failure is shown with its case, so only it is shrunk.
    judged = judge(
        trial, names, dtypes=dtypes, examples=examples, shrink=lambda finding: finding.mark is not Mark.FAILS
    )
    found = list(judged.values())
    failed = [f for f in found if f.mark is Mark.FAILS]
    if wrong := failed or [f for f in found if f.mark is Mark.UNTRIED]:
        raise AssertionError(explanation(trial, wrong, examples=examples, dtypes=dtypes))
    return found


def explanation(
    subject: Subject | Trial, wrong: list[Finding], *, examples: int = EXAMPLES, dtypes: Iterable[str] = DTYPES
) -> str:
    """What the owner of an optimizer is told: the first identity that fails, or that could not be tried, in full.

    Args:
        subject: the optimizer, or the `Trial` in which that was found.
        wrong: findings that fail, or that could not be tried.
        examples, dtypes: with which is looked for what does hold.
    """
    trial, first = Trial.of(subject), wrong[0]
    subject, identity = trial.subject, IDENTITIES[first.identity]
    fails = first.mark is Mark.FAILS
    how, which, others = (
        ("fails for", "counterexample", "failing") if fails else ("could not be tried on", "case", "untried")
    )
    number = f" ({first.case.dtype})" if first.case is not None else ""
    lines = [f"momentum identity {first.identity} {how} {subject.name}{number}", f"  it says: {identity.statement}"]
    if subject.convention is not None and first.identity not in STRUCTURE:
        lines.append(f"  convention {subject.convention!r}: {CONVENTIONS[subject.convention].formula}")
    if first.case is not None:
        lines.append(f"  smallest {which} found: {first.case.text()}")
    lines.append(f"  {first.reason}")
    if len(wrong) > 1:
        lines.append(f"  also {others}: {', '.join(f.identity for f in wrong[1:])}")
    if fails:
        lines += _what_holds(trial, wrong, examples, tuple(dtypes))
    if first.case is None:
        return "\n".join(lines)
    return "\n".join([*lines, "Reproduce:", *(f"    {line}" for line in _reproduction(subject, first.case))])


def _what_holds(trial: Trial, wrong: list[Finding], examples: int, dtypes: tuple[str, ...]) -> list[str]:
    """Sentences, each about something that was tried."""
    first = wrong[0]
    if first.identity == "reproducible":
        return []
    lines = _without_a_feature(trial, first, examples)
    if any(f.identity.startswith("weight_decay") for f in wrong):
        lines.append(_decay(trial, examples, dtypes))
    convention = trial.subject.convention
    if convention is not None and {f.identity for f in wrong} == {f"momentum_schedule[{convention}]"}:
        return [f"Where γ does not change, convention {convention!r} holds."]
    found = conventions_of(trial, dtypes=dtypes, examples=examples)
    if convention in found:
        lines.append(f"Beside that, convention {convention!r} holds.")
    others = [c for c in found if c != convention]
    if others:
        says = " and ".join(f"{c!r} ({CONVENTIONS[c].formula})" for c in others)
        return [*lines, f"It satisfies {says} {'too' if convention in found else 'instead'}."]
    if convention in found or first.identity in STRUCTURE:
        return lines
    forms = forms_of(trial, dtypes=dtypes, examples=examples)
    if forms:
        return [*lines, f"It satisfies {' and '.join(forms)}."]
    return [*lines, *_parts(trial, examples, dtypes)]


_SUSPECTS = [
    "weight_decay",
    "missing_gradient",
    "momentum_schedule",
    "matrices",
    "zero_rate",
    "schedule",
    "arrays",
    "zero_gradient",
]


def _without_a_feature(trial: Trial, finding: Finding, examples: int) -> list[str]:
    """That the identity holds without something that its counterexample has."""
    assert finding.case is not None
    identity, dtype = IDENTITIES[finding.identity], finding.case.dtype
    optional = finding.case.features & identity.over - identity.always
    for feature in sorted(optional, key=_SUSPECTS.index):
        plain = replace(identity, over=identity.over - {feature})
        if seek(plain, trial, dtypes=(dtype,), examples=examples, shrink=False).mark is Mark.HOLDS:
            return [f"It holds without {FEATURES[feature]}."]
    return []


def _decay(trial: Trial, examples: int, dtypes: tuple[str, ...]) -> str:
    found = decay_of(trial, dtypes=dtypes, examples=examples)
    if found == "coupled":
        return "Its weight decay is coupled: λθ in the gradient."
    if found == "decoupled":
        return f"Its weight decay is decoupled: {DECAYS[found].formula}."
    if found is not None:
        return f"Its weight decay is neither coupled nor decoupled: {DECAYS[found].formula}."
    return "Its weight decay is neither coupled nor decoupled."


def _parts(trial: Trial, examples: int, dtypes: tuple[str, ...]) -> list[str]:
    """Of what is none of the conventions: which identities hold, and what a gradient does."""
    candidates = dict.fromkeys(name for names in OF_CONVENTION.values() for name in names)
    holding = [
        name
        for name in candidates
        if seek(IDENTITIES[name], trial, dtypes=dtypes, examples=examples, shrink=False).mark is Mark.HOLDS
    ]
    kept = f" Of their identities it satisfies {', '.join(holding)}." if holding else ""
    lines = [f"It satisfies none of the conventions {', '.join(CONVENTIONS)}.{kept}"]
    moved = response(trial, 0.5 if trial.has("gamma") else 0.0, dtypes[-1])
    if moved is not None:
        seen = ", ".join(f"{float(-x):.6g}" for x in moved)
        at = "η = 1, γ = 0.5" if trial.has("gamma") else "η = 1"
        lines.append(f"At {at} a gradient of 1 in the first step only takes θ from 0 to {seen}.")
    return lines


def name_of(make_optimizer: Callable[..., Any]) -> str:
    """Of what makes an optimizer, for messages."""
    """What it is called in messages."""
    name = getattr(make_optimizer, "__name__", type(make_optimizer).__name__)
    return "the optimizer" if name == "<lambda>" else name


def _reproduction(subject: Subject, case: Case) -> list[str]:
    make = subject.make
    module, name = getattr(make, "__module__", "__main__"), getattr(make, "__qualname__", "")
    module = re.sub(r"^_lemmascope_user_[0-9a-f]+_(\w+_beside\.)?", "", module)  # of a file that the command loaded
    here = name.isidentifier() and module not in ("__main__", "builtins")
    eta = repr(case.eta[0]) if case.constant else _literal(case.eta)
    gamma = repr(case.gamma) if case.momenta is None else _literal(case.momenta)
    extra = "".join(f", {key}={value!r}" for key, value in case.options().items())
    extra += f", arrays={list(case.arrays)!r}" if case.arrays else ""
    extra += f", missing={sorted(case.missing)!r}" if case.missing else ""
    extra += f", library={subject.library!r}" if subject.library else ""
    return [
        f"from {module} import {name}" if here else "# make_optimizer: as above",
        "from lemmascope.proofs_check.conformance import run",
        f"theta, gradients = {_literal(case.theta)}, {_literal(case.gradients)}",
        f"found = run({name if here else 'make_optimizer'}, theta=theta, gradients=gradients, eta={eta}, "
        f"gamma={gamma}, dtype={case.dtype!r}{extra})",
        "print(found)  # θ_0, θ_1, … as rows",
    ]


def _literal(values: tuple[Any, ...]) -> str:
    """As Python; many that are all the same in short."""
    words = [_literal(x) if isinstance(x, tuple) else repr(x) for x in values]
    if len(words) > STEPS and len(set(words)) == 1:
        return f"[{words[0]}] * {len(words)}"
    return f"[{', '.join(words)}]"
