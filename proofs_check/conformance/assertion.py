"""The identities as an assertion on one optimizer, with a message that a reader can act on."""

from __future__ import annotations

__all__ = ["assert_momentum_identities", "explanation", "names_of"]

import re
from collections.abc import Callable, Iterable
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.case import DTYPES, STEPS, Case
from lemmascope.proofs_check.conformance.identities import IDENTITIES, OF_CONVENTION, STRUCTURE
from lemmascope.proofs_check.conformance.reference import CONVENTIONS
from lemmascope.proofs_check.conformance.search import EXAMPLES, Finding, Mark, conventions_of, seek
from lemmascope.theory.errors import InputError

DECAYS = ("coupled", "decoupled")


def names_of(convention: str, weight_decay: str | None = None) -> tuple[str, ...]:
    """The identities that an optimizer of a convention satisfies, those of structure first.

    Raises:
        InputError: for an unknown convention or kind of weight decay.
    """
    if convention not in OF_CONVENTION:
        known = "; ".join(f"{c.name!r}: {c.formula}" for c in CONVENTIONS.values())
        raise InputError("convention", convention, f"it must be one of {known}")
    if weight_decay is not None and weight_decay not in DECAYS:
        raise InputError("weight_decay", weight_decay, f"it must be one of {', '.join(DECAYS)}, or None")
    decay = () if weight_decay is None else (f"weight_decay[{weight_decay}]",)
    return (*STRUCTURE, *OF_CONVENTION[convention], *decay)


def assert_momentum_identities(
    make_optimizer: Callable[..., Any],
    convention: str,
    *,
    weight_decay: str | None = None,
    library: str | None = None,
    dtypes: Iterable[str] = DTYPES,
    examples: int = EXAMPLES,
) -> list[Finding]:
    """Test an optimizer for the momentum identities of its convention.

    Args:
        make_optimizer: makes a new optimizer from ``eta`` (or ``lr``) and ``gamma`` (or ``momentum``), and from
            ``params`` if it wants them; of PyTorch, optax, scikit-learn, with ``init`` and ``step``, or a plain
            function (see `proofs_check.conformance.adapters`).
        convention: one of `proofs_check.conformance.CONVENTIONS`: "average", "velocity", "pytorch", "corrected",
            "nesterov", "nesterov_pytorch"; "gd" for one without momentum.
        weight_decay: "coupled" or "decoupled", to test that too; ``make_optimizer`` must take ``weight_decay`` then.
        library: "torch", "optax", "scikit-learn" or "numpy", if it cannot be told from what is made.
        dtypes: "float32", "float64" or both.
        examples: cases tried for each identity and dtype.

    Returns:
        One finding for each identity: it holds, or it does not apply to this optimizer.

    Raises:
        AssertionError: if an identity fails. It names the identity, the smallest counterexample found, the convention
            that the optimizer satisfies instead, if there is one, and how to reproduce it. Also if one could not be
            tried, as the optimizer raises, or returns no finite numbers in the shape of its parameters.
        InputError: for wrong arguments.

    Example:
        >>> import torch
        >>> from lemmascope.proofs_check.conformance import assert_momentum_identities
        >>> make = lambda params, lr, momentum: torch.optim.SGD(params, lr=lr, momentum=momentum)
        >>> findings = assert_momentum_identities(make, convention="pytorch")
    """
    names = names_of(convention, weight_decay)
    subject = Subject(make_optimizer, _name(make_optimizer), library, convention)
    if weight_decay is not None and not subject.has("weight_decay"):
        raise InputError("weight_decay", weight_decay, "make_optimizer takes no weight_decay")
    if (convention != "gd") != subject.has("gamma"):
        takes = "takes a momentum" if convention == "gd" else "takes no gamma or momentum"
        raise InputError("convention", convention, f"make_optimizer {takes}")
    dtypes = tuple(dtypes)
    found: list[Finding] = []
    failed = False
    for name in names:  # only the first failure is shown with its case, so only it is shrunk
        found.append(seek(IDENTITIES[name], subject, dtypes=dtypes, examples=examples, shrink=not failed))
        failed = failed or found[-1].mark is Mark.FAILS
    if wrong := [f for f in found if f.mark is (Mark.FAILS if failed else Mark.UNTRIED)]:
        raise AssertionError(explanation(subject, wrong, examples=examples))
    return found


def explanation(subject: Subject, wrong: list[Finding], *, examples: int = EXAMPLES) -> str:
    """What the owner of an optimizer is told: the first identity that fails, or that could not be tried, in full."""
    first = wrong[0]
    identity = IDENTITIES[first.identity]
    assert first.case is not None
    fails = first.mark is Mark.FAILS
    how, case, others = (
        ("fails for", "counterexample", "failing") if fails else ("could not be tried on", "case", "untried")
    )
    lines = [
        f"momentum identity {first.identity} {how} {subject.name} ({first.case.dtype})",
        f"  it says: {identity.statement}",
    ]
    if subject.convention is not None and first.identity not in STRUCTURE:
        lines.append(f"  convention {subject.convention!r}: {CONVENTIONS[subject.convention].formula}")
    lines += [f"  smallest {case} found: {first.case.text()}", f"  {first.reason}"]
    if len(wrong) > 1:
        lines.append(f"  also {others}: {', '.join(f.identity for f in wrong[1:])}")
    lines += _instead(subject, first, examples) if fails else []
    return "\n".join([*lines, "Reproduce:", *(f"    {line}" for line in _reproduction(subject, first.case))])


def _instead(subject: Subject, first: Finding, examples: int) -> list[str]:
    others = [c for c in conventions_of(subject, examples=examples) if c != subject.convention]
    if others:
        says = " and ".join(f"{c!r} ({CONVENTIONS[c].formula})" for c in others)
        return [f"It satisfies {says} instead."]
    if first.identity in STRUCTURE:
        return []
    candidates = dict.fromkeys(name for names in OF_CONVENTION.values() for name in names)
    holding = [
        name
        for name in candidates
        if seek(IDENTITIES[name], subject, dtypes=("float64",), examples=examples, shrink=False).mark is Mark.HOLDS
    ]
    kept = f" Of their identities it satisfies {', '.join(holding)}." if holding else ""
    return [f"It satisfies none of the conventions {', '.join(CONVENTIONS)}.{kept}"]


def _name(make_optimizer: Callable[..., Any]) -> str:
    name = getattr(make_optimizer, "__name__", type(make_optimizer).__name__)
    return "the optimizer" if name == "<lambda>" else name


def _reproduction(subject: Subject, case: Case) -> list[str]:
    make = subject.make
    module, name = getattr(make, "__module__", "__main__"), getattr(make, "__qualname__", "")
    module = re.sub(r"^_lemmascope_user_[0-9a-f]+_(\w+_beside\.)?", "", module)  # of a file that the command loaded
    here = name.isidentifier() and module not in ("__main__", "builtins")
    eta = repr(case.eta[0]) if case.constant else _literal(case.eta)
    extra = "".join(f", {key}={value!r}" for key, value in case.options().items())
    extra += f", library={subject.library!r}" if subject.library else ""
    return [
        f"from {module} import {name}" if here else "# make_optimizer: as above",
        "from lemmascope.proofs_check.conformance import run",
        f"theta, gradients = {_literal(case.theta)}, {_literal(case.gradients)}",
        f"found = run({name if here else 'make_optimizer'}, theta=theta, gradients=gradients, eta={eta}, "
        f"gamma={case.gamma!r}, dtype={case.dtype!r}{extra})",
        "print(found)  # θ_0, θ_1, … as rows",
    ]


def _literal(values: tuple[Any, ...]) -> str:
    """As Python; many that are all the same in short."""
    words = [_literal(x) if isinstance(x, tuple) else repr(x) for x in values]
    if len(words) > STEPS and len(set(words)) == 1:
        return f"[{words[0]}] * {len(words)}"
    return f"[{', '.join(words)}]"
