"""What does hold for an optimizer that is not what it was taken for.

Its conventions, in the number types that were asked for; how its weight decay enters; and forms that are no convention
of the list: one of them at another learning rate or with its sign turned, one that is dampened, a quasi-hyperbolic one.
A form is guessed from the responses of θ to a gradient of 1, and believed when the search finds no case against it.
"""

from __future__ import annotations

__all__ = ["decay_of", "forms_of", "response"]

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from lemmascope.proofs_check.conformance.adapters import Misused, NotDriven, Subject, Touched, Unsupported, Untried
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.proofs_check.conformance.checks import DECAYS
from lemmascope.proofs_check.conformance.identities import IDENTITIES, against_with_schedules
from lemmascope.proofs_check.conformance.reference import CONVENTIONS, Convention, reference
from lemmascope.proofs_check.conformance.search import EXAMPLES, Mark, seek
from lemmascope.proofs_check.conformance.trial import Trial

F = Fraction
GAMMAS = (0.5, 0.75, 0.875)
Factor = Callable[[Fraction], Fraction]
FACTORS: dict[str, Factor] = {
    "": lambda gamma: F(1),
    "(1−γ)": lambda gamma: 1 - gamma,
    "/(1−γ)": lambda gamma: 1 / (1 - gamma),
    "γ": lambda gamma: gamma,
    "/γ": lambda gamma: 1 / gamma,
    "(1+γ)": lambda gamma: 1 + gamma,
    "/(1+γ)": lambda gamma: 1 / (1 + gamma),
    "(1−γ²)": lambda gamma: 1 - gamma**2,
    "/(1−γ²)": lambda gamma: 1 / (1 - gamma**2),
}
"""What η may be multiplied with."""


def decay_of(subject: Subject | Trial, *, dtypes: Iterable[str] = ("float64",), examples: int = EXAMPLES) -> str | None:
    """How weight decay enters: "coupled", a name in `checks.DECAYS`, or None if in none of these ways."""
    trial, dtypes = Trial.of(subject), tuple(dtypes)

    def holds(name: str) -> bool:
        plain = IDENTITIES["weight_decay[decoupled]"]
        identity = (
            IDENTITIES["weight_decay[coupled]"] if name == "coupled" else replace(plain, check=DECAYS[name].check)
        )
        return seek(identity, trial, dtypes=dtypes, examples=examples, shrink=False).mark is Mark.HOLDS

    return next((name for name in ("coupled", *DECAYS) if holds(name)), None)


@dataclass(frozen=True)
class Form:
    """A recursion that was guessed, how it is said, and whether at a constant times η."""

    convention: Convention
    said: str
    simple: bool = False


def response(trial: Trial, gamma: float, dtype: str, *, at: int = 0, steps: int = 4) -> list[Fraction] | None:
    """How far a gradient of 1 in step ``at`` has moved θ down after each step, at η = 1; None if that is not run."""
    rows = tuple((float(t == at),) for t in range(steps))
    case = Case((0.0,), rows, (1.0,) * steps, gamma, dtype)
    try:
        return [-F(float(x)) for x in trial.trajectory(case)[1:, 0]]
    except (Unsupported, Untried, NotDriven, Touched, Misused):
        return None


def _plain(values: Sequence[Fraction], dtype: str) -> Fraction | None:
    """The simple number that all of them are, up to rounding."""
    simple = values[0].limit_denominator(1000)
    room = F(1, 10**12) if dtype == "float64" else F(1, 10**5) if dtype == "float32" else F(1, 50)
    return simple if all(abs(x - simple) <= room * max(F(1), abs(simple)) for x in values) else None


def _guesses(trial: Trial, dtype: str) -> Iterator[Form]:
    """Forms that agree with the first responses."""
    momentum = trial.has("gamma")
    gammas = [F(gamma) for gamma in (GAMMAS if momentum else (0.0,))]
    first = [row[0] for gamma in gammas if (row := response(trial, float(gamma), dtype))]
    second = [row[1] for gamma in gammas if (row := response(trial, float(gamma), dtype, at=1))]
    if len(first) < len(gammas) or len(second) < len(gammas):
        return
    for words, factor in FACTORS.items() if momentum else [("", FACTORS[""])]:
        for convention in CONVENTIONS.values():
            if (convention.name == "gd") == momentum:
                continue
            ratios = [f / _first_step(convention, gamma) for f, gamma in zip(first, gammas, strict=True)]
            k = _plain([r / factor(gamma) for r, gamma in zip(ratios, gammas, strict=True)], dtype)
            if k and (k != 1 or words):
                yield _scaled(convention, k, words, factor)
    if not momentum:
        return
    nu = _plain([(1 - f) / gamma for f, gamma in zip(first, gammas, strict=True)], dtype)
    if nu and nu != 1:
        yield _quasi_hyperbolic(nu)
    tau = _plain([1 - s for s in second], dtype)
    if tau and _plain(first, dtype) == 1:
        yield _dampened(tau)


def _first_step(convention: Convention, gamma: Fraction) -> Fraction:
    kappa, p, q = convention.recursion(Case((0.0,), ((1.0,),), (1.0,), float(gamma)), 0)
    return p * kappa + q


def _scaled(convention: Convention, k: Fraction, words: str, factor: Factor) -> Form:
    rate = f"{'' if abs(k) == 1 else f'{abs(k)}·'}η{words}"
    form = convention.at(lambda gamma: k * factor(gamma), rate)
    at = "" if rate == "η" else f" at {rate}"
    turned = "" if k > 0 else " with the sign turned: θ moves along +∇, as with maximize"
    return Form(form, f"{convention.name!r}{at}{turned} ({convention.formula})", simple=not words)


def _quasi_hyperbolic(nu: Fraction) -> Form:
    def recursion(case: Case, t: int) -> tuple[Fraction, Fraction, Fraction]:
        eta, gamma = F(case.eta[t]), F(case.gamma)
        return 1 - gamma, nu * eta, (1 - nu) * eta

    formula = "u ← γu + (1−γ)∇, θ ← θ − η((1−ν)∇ + νu)"
    return Form(
        Convention("quasi_hyperbolic", formula, recursion), f"the quasi-hyperbolic form at ν = {nu} ({formula})"
    )


def _dampened(tau: Fraction) -> Form:
    def recursion(case: Case, t: int) -> tuple[Fraction, Fraction, Fraction]:
        return F(1) if t == 0 else 1 - tau, F(case.eta[t]), F(0)

    formula = "u = ∇₀ at first, then u ← γu + (1−τ)∇, θ ← θ − ηu"
    return Form(Convention("dampened", formula, recursion), f"'pytorch' with dampening τ = {tau} ({formula})")


def _agrees(trial: Trial, form: Form, dtype: str) -> bool:
    """On one plain case; most guesses end here."""
    rows = tuple((x,) for x in (1.0, 2.0, -3.0, 1.0))
    case = Case((1.0,), rows, (0.5,) * 4, 0.75 if trial.has("gamma") else 0.0, dtype)
    known = reference(form.convention, case)
    try:
        found = trial.trajectory(case)
    except (Unsupported, Untried, NotDriven):
        return False
    return known is not None and all(
        abs(F(float(x)) - y) <= 2 * room for x, y, room in zip(found[:, 0], known[0][:, 0], known[1][:, 0], strict=True)
    )


def forms_of(subject: Subject | Trial, *, dtypes: Iterable[str] = ("float64",), examples: int = EXAMPLES) -> list[str]:
    """The forms, beside the conventions themselves, that the optimizer has in these dtypes, in words; at most two.

    Of those that hold the plainest are said.
    """
    trial, dtypes, found = Trial.of(subject), tuple(dtypes), list[Form]()
    for form in _guesses(trial, dtypes[0]):
        if len(found) == 2 or (found and found[0].simple and not form.simple):
            break
        if _agrees(trial, form, dtypes[0]):
            identity = against_with_schedules(form.convention, trial.has("gamma"))
            if seek(identity, trial, dtypes=dtypes, examples=examples, shrink=False).mark is Mark.HOLDS:
                found.append(form)
    return [form.said for form in found]
