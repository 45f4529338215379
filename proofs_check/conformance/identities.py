r"""The momentum identities, as properties of anyone's optimizer.

**Structure** holds for every convention: the same inputs give the same bits; nothing is written into the inputs, nor
kept by reference; coordinates do not know of each other; their order does not matter; the iterates are linear in
(θ₀, ∇). **Conventions** say which recursion it is (`proofs_check.conformance.reference.CONVENTIONS`): the first step, a
constant gradient, the unrolled sum, the average form at η/(1 − γ), a learning rate that changes, dampening, Nesterov's
look-ahead, weight decay. Each is compared with numbers computed without rounding, within a bound that is derived from
the recursion. In large cases the recursion alone is the reference, as its other forms are the same numbers.

An identity takes a `Subject` and a `Case` and returns None, or a sentence with what was expected and what was found.
Sources: theory section 8 (McAllester's slides); PyTorch's and Sutskever's forms as published.
"""

from __future__ import annotations

__all__ = ["IDENTITIES", "OF_CONVENTION", "STRUCTURE", "Identity"]

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lemmascope.proofs_check.conformance.adapters import Subject, Touched
from lemmascope.proofs_check.conformance.case import LARGE, STEPS, WIDE, Case, cases, drawn, large
from lemmascope.proofs_check.conformance.reference import CONVENTIONS, Convention, loose, reference
from lemmascope.theory.optimizers import MomentumAverage

F = Fraction
FEW = (STEPS + 1) * WIDE
Check = Callable[[Subject, Case], str | None]


@dataclass(frozen=True)
class Identity:
    """A property of an optimizer.

    Args:
        name: ``"first_step[average]"``: what it is about, and which of several statements.
        statement: in symbols.
        check: None if it holds in the case, else what is wrong.
        options: what the cases are drawn with, for `proofs_check.conformance.case.cases`.
        needs: settings that ``make_optimizer`` must take, or the identity is not applicable.
        sizes: steps and parameters of the large cases.
    """

    name: str
    statement: str
    check: Check
    options: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ("gamma",)
    sizes: tuple[tuple[int, int], ...] = LARGE[:-1]

    def missing(self, subject: Subject) -> str | None:
        """Why it does not apply to the optimizer, or None."""
        lacking = [s for s in self.needs if not subject.has(s)]
        return f"takes no {lacking[0]}" if lacking else None

    def cases(self, subject: Subject, dtype: str) -> st.SearchStrategy[Case]:
        """Cases to try; an optimizer without momentum gets γ = 0."""
        return cases(dtype, **{"momentum": subject.has("gamma"), **self.options})

    def drawn(self, subject: Subject, dtype: str, examples: int) -> tuple[Case, ...]:
        """So many of them, always the same."""
        return drawn(dtype, examples, **{"momentum": subject.has("gamma"), **self.options})

    def large(self, subject: Subject, dtype: str) -> list[Case]:
        """Long and wide cases of the same kind."""
        options = {"momentum": subject.has("gamma"), **self.options}
        kept = {k: v for k, v in options.items() if k not in ("steps", "size", "small_integers")}
        return [large(dtype, *size, **kept) for size in self.sizes]


def _differ(found: np.ndarray, expected: Any, allowed: Any, what: str = "") -> str | None:
    """The first iterate and coordinate at which ``found`` is further from ``expected`` than allowed."""
    wanted, room = np.asarray(expected), np.asarray(allowed)
    if found.size <= FEW:  # without rounding
        wrong = np.argwhere(np.abs(_fractions(found) - _fractions(wanted)) > _fractions(room))
    else:
        wrong = np.argwhere(np.abs(found - wanted) > room)
    for t, j in wrong[:1]:
        index = f"[{j}]" if found.shape[1] > 1 else ""
        x, y = float(found[t, j]), float(wanted[t, j])
        return f"{what}θ_{t}{index} should be {y:.9g} ± {float(room[t, j]):.1e} and is {x:.9g}"
    return None


_fractions = np.vectorize(lambda x: x if isinstance(x, Fraction) else F(float(x)), otypes=[object])


def _against(convention: Convention, expected: Callable[[Case], Any] | None = None) -> Check:
    """The optimizer's iterates against the convention's: by its recursion, or by ``expected``."""

    def check(subject: Subject, case: Case) -> str | None:
        known = reference(convention, case)
        if known is None:
            return None
        wanted, room = known
        if expected is not None and not case.large:
            wanted = expected(case)
        return _differ(subject.trajectory(case), wanted, room)

    return check


def _unrolled(convention: Convention) -> Callable[[Case], Any]:
    """θ_t = θ_0 − Σ_{s<t} k(t, s) ∇_s, from the kernel in closed form."""

    def expected(case: Case) -> Any:
        eta, gamma = F(case.eta[0]), F(case.gamma)
        rows = []
        for t in range(len(case.gradients) + 1):
            weights = [convention.kernel(eta, gamma, t - s, s) for s in range(t)]
            rows.append(
                [
                    F(x) - sum((k * F(case.gradients[s][j]) for s, k in enumerate(weights)), F(0))
                    for j, x in enumerate(case.theta)
                ]
            )
        return rows

    return expected


def _constant(rate: Callable[[Fraction, Fraction, int], Fraction]) -> Callable[[Case], Any]:
    """Step number t moves θ by −rate(η, γ, t)·∇, t = 1, 2, …"""

    def expected(case: Case) -> Any:
        theta, rows = [F(x) for x in case.theta], []
        rows.append(theta)
        for t, row in enumerate(case.gradients, start=1):
            factor = rate(F(case.eta[0]), F(case.gamma), t)
            theta = [x - factor * F(g) for x, g in zip(theta, row, strict=True)]
            rows.append(theta)
        return rows

    return expected


def _reproducible(subject: Subject, case: Case) -> str | None:
    first, second = subject.trajectory(case), subject.trajectory(case)
    return None if first.tobytes() == second.tobytes() else "two runs from the same inputs differ"


def _inputs(subject: Subject, case: Case) -> str | None:
    def spoil(gradient: np.ndarray) -> None:
        gradient[...] = 3.0

    try:
        clean, spoilt = subject.trajectory(case), subject.trajectory(case, spoil=spoil)
    except Touched as error:
        return str(error)
    if clean.tobytes() == spoilt.tobytes():
        return None
    return "it keeps the gradient by reference: writing into that array after the step changes later steps"


def _independent(subject: Subject, case: Case) -> str | None:
    """Together, in one array and in several, against coordinates alone: each, or eight of many."""
    n = len(case.theta)
    some = sorted({int(j) for j in np.linspace(0, n - 1, min(n, 8))})
    blocks = [1] * n if n == len(some) else [n - 8, *[1] * 8]
    runs = {"in one array": subject.trajectory(case), "in arrays of their own": subject.trajectory(case, blocks)}
    alone = np.concatenate([subject.trajectory(case.only([j])) for j in some], axis=1)
    for how, together in runs.items():
        seen = together[:, some]
        if seen.tobytes() != alone.tobytes():
            room = loose(case.only(some), seen, alone)
            wrong = _differ(seen, alone.astype(float), room, f"{n} parameters {how}: ")
            if wrong is not None:
                return f"{wrong} (alone: the first number)"
    return None


def _permutation(subject: Subject, case: Case) -> str | None:
    order = [*range(1, len(case.theta)), 0]
    direct, permuted = subject.trajectory(case), subject.trajectory(case.only(order))
    if direct[:, order].tobytes() == permuted.tobytes():
        return None
    room = loose(case, direct)[:, order]
    return _differ(permuted, direct[:, order].astype(float), room, "coordinates permuted: ")


def _scale(subject: Subject, case: Case) -> str | None:
    factor = 1024.0
    direct, scaled = subject.trajectory(case), subject.trajectory(case.scaled(factor))
    room = loose(case.scaled(factor), factor * direct, scaled)
    return _differ(scaled, factor * direct.astype(float), room, f"θ₀ and ∇ times {factor:g}: ")


def _linear(subject: Subject, case: Case) -> str | None:
    """The case against the sum of three: θ₀ alone, the gradients and 3 more, and 3 less than nothing at every step."""
    zero = case.scaled(0.0)
    three = replace(zero, gradients=tuple((3.0,) * len(case.theta) for _ in case.eta))
    parts = [replace(zero, theta=case.theta), replace(case.plus(three), theta=zero.theta), three.scaled(-1.0)]
    runs = [subject.trajectory(part) for part in parts]
    together = subject.trajectory(case)
    total = np.sum([x.astype(np.longdouble) for x in runs], axis=0)
    room = sum(loose(part, x) for part, x in zip(parts, runs, strict=True)) + loose(case, together)
    return _differ(together, total.astype(float), room, "against the sum of θ₀, ∇ + 3 and −3, each alone: ")


def _average_at_rescaled(subject: Subject, case: Case) -> str | None:
    """Against our average form, run in the same precision at η/(1 − γ)."""
    known = reference(CONVENTIONS["velocity"], case)
    if known is None:
        return None
    average = MomentumAverage(case.eta[0] / (1 - case.gamma), case.gamma)
    params = np.array(case.theta, dtype=case.dtype)
    state, rows = average.init(params), [params]
    for t, gradient in enumerate(case.gradients):
        params, state = average.step(params, np.array(gradient, dtype=case.dtype), state, t)
        rows.append(params)
    # Both sides round; η/(1 − γ) is itself rounded, to a Python float or to the dtype: two operations more.
    return _differ(subject.trajectory(case), np.array(rows).astype(float), 2 * known[1])


def _look_ahead(case: Case) -> Any:
    """x_{t+1} = y_t − η∇_t, y_{t+1} = x_{t+1} + γ(x_{t+1} − x_t): the optimizer's parameters are y."""
    eta, gamma = F(case.eta[0]), F(case.gamma)
    x = y = [F(v) for v in case.theta]
    rows = [y]
    for gradient in case.gradients:
        new = [v - eta * F(g) for v, g in zip(y, gradient, strict=True)]
        y = [a + gamma * (a - b) for a, b in zip(new, x, strict=True)]
        x = new
        rows.append(y)
    return rows


def _coupled(subject: Subject, case: Case) -> str | None:
    """With λ on ∇_t against without λ on ∇_t + λθ_t, θ_t being the iterates seen."""
    found = subject.trajectory(case)
    lam = case.weight_decay or 0.0
    pulls = np.array(case.gradients) + lam * found[:-1].astype(float)
    rounded = tuple(tuple(map(float, row)) for row in pulls.astype(case.dtype))
    without = subject.trajectory(replace(case, gradients=rounded, weight_decay=0.0))
    return _differ(found, without.astype(float), loose(case, found, without), "λ against λθ in the gradient: ")


def _decoupled(subject: Subject, case: Case) -> str | None:
    """θ_{t+1} = (1 − η_t λ) θ_t + what the step is without λ, which the gradients alone decide."""
    found = subject.trajectory(case).astype(np.longdouble)
    start = replace(case, theta=(0.0,) * len(case.theta), weight_decay=0.0)
    steps = np.diff(subject.trajectory(start).astype(np.longdouble), axis=0)
    lam = np.longdouble(case.weight_decay or 0.0)
    expected = [found[0]]
    for t, step in enumerate(steps):
        expected.append((1 - case.eta[t] * lam) * found[t] + step)
    return _differ(found, np.array(expected), loose(case, found), "λ beside the step: ")


def _one(name: str, statement: str, convention: str, **options: Any) -> Identity:
    """A convention's unrolled sum."""
    form = CONVENTIONS[convention]
    sizes = ((1, 1000),) if options == _FIRST else LARGE
    return Identity(name, statement, _against(form, _unrolled(form)), options, sizes=sizes)


def _none(name: str, statement: str, **options: Any) -> Identity:
    form = CONVENTIONS["gd"]
    return Identity(name, statement, _against(form), {"momentum": False, **options}, (), LARGE)


def _schedule(kind: str, convention: str) -> Identity:
    form = CONVENTIONS[convention]
    return Identity(f"schedule[{kind}]", f"with η_t: {form.formula}", _against(form), _CHANGING, sizes=LARGE)


def _constant_gradient(convention: str, words: str, rate: Callable[[Fraction, Fraction, int], Fraction]) -> Identity:
    return Identity(
        f"constant_gradient[{convention}]",
        f"a constant gradient moves step t by {words}",
        _against(CONVENTIONS[convention], _constant(rate)),
        {"constant_gradient": True},
        sizes=LARGE,
    )


_SEVERAL: dict[str, Any] = {"size": (2, 3), "steps": (1, 3)}
_FIRST: dict[str, Any] = {"steps": (1, 1)}
_CHANGING: dict[str, Any] = {"schedule": True, "steps": (1, 4)}
_DECAY: dict[str, Any] = {"weight_decay": True, "steps": (1, 4)}
IDENTITIES: dict[str, Identity] = {
    i.name: i
    for i in (
        Identity("reproducible", "the same inputs give the same bits", _reproducible, needs=()),
        Identity("inputs_untouched", "no step writes into its inputs or keeps the gradient's array", _inputs, needs=()),
        Identity("independent", "parameters together move as each alone", _independent, _SEVERAL, ()),
        Identity("permutation", "permuted parameters have permuted iterates", _permutation, _SEVERAL, ()),
        Identity("scale", "sθ₀ and s∇ have the iterates sθ_t", _scale, {"small_integers": True}, ()),
        Identity("linear", "iterates are linear in θ₀ and the gradients", _linear, {"small_integers": True}, ()),
        _none("no_momentum", "γ = 0 is gradient descent, θ ← θ − η∇"),
        _none("no_momentum[schedule]", "γ = 0 is θ ← θ − η_t∇", **_CHANGING),
        _one("first_step[full]", "θ₁ = θ₀ − η∇₀", "velocity", **_FIRST),
        _one("first_step[average]", "θ₁ = θ₀ − η(1−γ)∇₀", "average", **_FIRST),
        _one("first_step[nesterov]", "θ₁ = θ₀ − η(1+γ)∇₀", "nesterov", **_FIRST),
        _constant_gradient("average", "η(1−γᵗ)∇: a bias of γᵗ", lambda eta, gamma, t: eta * (1 - gamma**t)),
        _constant_gradient("velocity", "η(1−γᵗ)/(1−γ)∇", lambda eta, gamma, t: eta * (1 - gamma**t) / (1 - gamma)),
        _constant_gradient("corrected", "η∇: no bias", lambda eta, gamma, t: eta),
        _one("unrolled[average]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s}) ∇_s", "average"),
        _one("unrolled[velocity]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s})/(1−γ) ∇_s", "velocity"),
        _one("unrolled[corrected]", "θ_t = θ₀ − η Σ_{s≤j<t} (1−γ)γ^{j−s}/(1−γ^{j+1}) ∇_s", "corrected"),
        _one("unrolled[nesterov]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s+1})/(1−γ) ∇_s", "nesterov"),
        Identity("rescaled_average", "constant η: it is the average form at η/(1−γ)", _average_at_rescaled),
        Identity(
            "look_ahead",
            "θ is Nesterov's y: x ← y − η∇, y ← x + γ(x − x before)",
            _against(CONVENTIONS["nesterov"], _look_ahead),
        ),
        _schedule("average", "average"),
        _schedule("inside", "velocity"),
        _schedule("outside", "pytorch"),
        _schedule("corrected", "corrected"),
        _schedule("nesterov_inside", "nesterov"),
        _schedule("nesterov_outside", "nesterov_pytorch"),
        Identity(
            "dampening[average]",
            "dampening = γ makes it the average form",
            _against(CONVENTIONS["average"]),
            {"dampening": "gamma"},
            ("gamma", "dampening"),
        ),
        Identity(
            "dampening[after_first]",
            "u ← γu + (1−τ)∇, but u = ∇₀ at first",
            _against(CONVENTIONS["pytorch"]),
            {"dampening": "any"},
            ("gamma", "dampening"),
        ),
        Identity("weight_decay[coupled]", "λ is λθ in the gradient", _coupled, _DECAY, ("weight_decay",)),
        Identity("weight_decay[decoupled]", "λ is θ ← (1−ηλ)θ beside the step", _decoupled, _DECAY, ("weight_decay",)),
    )
}
"""Every identity by name."""

STRUCTURE = ("reproducible", "inputs_untouched", "independent", "permutation", "scale", "linear")
_UNDAMPED = ("no_momentum", "no_momentum[schedule]")
OF_CONVENTION: dict[str, tuple[str, ...]] = {
    "gd": _UNDAMPED,
    "average": (
        "first_step[average]",
        "constant_gradient[average]",
        "unrolled[average]",
        "schedule[average]",
        *_UNDAMPED,
    ),
    "velocity": (
        "first_step[full]",
        "constant_gradient[velocity]",
        "unrolled[velocity]",
        "rescaled_average",
        "schedule[inside]",
        *_UNDAMPED,
    ),
    "pytorch": (
        "first_step[full]",
        "constant_gradient[velocity]",
        "unrolled[velocity]",
        "rescaled_average",
        "schedule[outside]",
        "dampening[after_first]",
        *_UNDAMPED,
    ),
    "corrected": (
        "first_step[full]",
        "constant_gradient[corrected]",
        "unrolled[corrected]",
        "schedule[corrected]",
        *_UNDAMPED,
    ),
    "nesterov": ("first_step[nesterov]", "unrolled[nesterov]", "look_ahead", "schedule[nesterov_inside]", *_UNDAMPED),
    "nesterov_pytorch": (
        "first_step[nesterov]",
        "unrolled[nesterov]",
        "look_ahead",
        "schedule[nesterov_outside]",
        *_UNDAMPED,
    ),
}
"""What an optimizer of each convention satisfies, beside `STRUCTURE`; what tells most at a glance comes first."""
