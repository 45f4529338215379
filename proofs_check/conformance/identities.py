r"""The momentum identities, as properties of anyone's optimizer.

**Structure** holds for every convention: the same inputs give the same bits; nothing is written into the inputs, nor
kept by reference; a state that is saved and restored goes on; coordinates do not know of each other; their order does
not matter; the iterates are linear in (θ₀, ∇); what has no gradient stands still. **Conventions** say which recursion
it is (`proofs_check.conformance.reference.CONVENTIONS`): the first step, a constant gradient, the unrolled sum, the
average form at η/(1 − γ), a learning rate or a momentum that changes, dampening, Nesterov's look-ahead. **Weight
decay** is beside them: what a convention says is tried without. Each is compared with numbers computed without
rounding, within a bound that is derived from the recursion. In large cases the recursion alone is the reference, as its
other forms are the same numbers.

Sources: theory section 8 (McAllester's slides); PyTorch's and Sutskever's forms as published.
"""

from __future__ import annotations

__all__ = ["IDENTITIES", "OF_CONVENTION", "STRUCTURE", "Identity", "against_with_schedules", "drawn_over"]

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from operator import methodcaller
from typing import Any

from lemmascope.proofs_check.conformance import checks, draws, recursions
from lemmascope.proofs_check.conformance.case import FEATURES, LARGE, WIDE, Case
from lemmascope.proofs_check.conformance.checks import Check
from lemmascope.proofs_check.conformance.formats import FORMATS
from lemmascope.proofs_check.conformance.reference import CONVENTIONS, OPERATIONS, Convention
from lemmascope.proofs_check.conformance.trial import Trial

F = Fraction


@dataclass(frozen=True)
class Identity:
    """A property of an optimizer.

    Args:
        name: ``"first_step[average]"``: what it is about, and which of several statements.
        statement: in symbols.
        check: None if it holds in the case, else what is wrong.
        always, over: of `proofs_check.conformance.case.FEATURES`, those that all its cases have, and those that some
            have where the optimizer takes them.
        options: what the cases are drawn with besides, for `proofs_check.conformance.draws.cases`.
        needs: settings that ``make_optimizer`` must take, or the identity is not applicable.
        sizes: steps and parameters of the large cases.
    """

    name: str
    statement: str
    check: Check
    always: frozenset[str] = frozenset()
    over: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ("gamma",)
    sizes: tuple[tuple[int, int], ...] = LARGE[:-1]

    def missing(self, trial: Any) -> str | None:
        """Why it does not apply to the optimizer, or None."""
        lacking = [s for s in self.needs if not trial.has(s)]
        return f"takes no {lacking[0]}" if lacking else None

    def drawn(self, trial: Trial, dtype: str, examples: int) -> list[Case]:
        """So many small cases, always the same, without what the optimizer does not take."""
        options = {"always": self.always, "over": self.over, **self.options}
        left_out = [f for f in self.over if trial.leaves_out(f, dtype, self.always)]
        cases: Iterable[Case] = draws.drawn(dtype, examples, **options)
        for feature in sorted(left_out):
            cases = map(methodcaller("without", feature), cases)
        return [case if trial.has("gamma") else replace(case, gamma=0.0, momenta=None) for case in cases]

    def large(self, trial: Trial, dtype: str) -> list[Case]:
        """Long and wide cases of the same kind, the first over all at once; no longer than a bound says anything."""
        over = frozenset(f for f in self.over if not trial.leaves_out(f, dtype, self.always))
        options = {"momentum": trial.has("gamma"), **self.options}
        kept = {k: v for k, v in options.items() if k not in ("steps", "size", "small_integers")}
        return [
            draws.large(dtype, T, n, has=self.always | (over if k == 0 else frozenset()), **kept)
            for k, (T, n) in enumerate(self.sizes)
            if 2 * OPERATIONS * (T + 1) * FORMATS[dtype].roundoff < 0.5
        ]


def drawn_over(identity: Identity) -> dict[str, bool]:
    """Which of `FEATURES` its cases have, where an optimizer takes everything: found by drawing them."""

    options = {"always": identity.always, "over": identity.over, **identity.options}
    seen = frozenset[str]().union(*(case.features for case in draws.drawn("float64", 300, **options)))
    return {name: name in seen for name in FEATURES}


def against_with_schedules(convention: Convention, momentum: bool) -> Identity:
    """That the recursion is this one, which need be none of `CONVENTIONS`, where the learning rate changes or not."""
    needs, options = (("gamma",), {}) if momentum else ((), {"momentum": False})
    check = recursions.against(convention)
    return Identity(convention.name, convention.formula, check, frozenset(), RECURSION, options, needs, LARGE[:2])


ALL = frozenset(FEATURES)
SHAPES = frozenset({"arrays", "matrices", "zero_gradient"})
RECURSION = ALL - {"weight_decay", "momentum_schedule", "missing_gradient"}
"""What a recursion is tried over; identities of their own are about the others."""
SCHEDULE = frozenset({"schedule"})


def _structure(name: str, statement: str, check: Check, *without: str, **options: Any) -> Identity:
    return Identity(name, statement, check, over=ALL - {*without}, options=options, needs=())


def _one(name: str, statement: str, convention: str) -> Identity:
    """A convention's unrolled sum."""
    form = CONVENTIONS[convention]
    return Identity(name, statement, recursions.against(form, recursions.unrolled(form)), over=SHAPES, sizes=LARGE)


def _first(kind: str, factor: str, convention: str) -> Identity:
    form, over = CONVENTIONS[convention], SHAPES
    statement = f"θ₁ = θ₀ − η{factor}∇₀"
    return Identity(
        f"first_step[{kind}]",
        statement,
        recursions.against(form),
        over=over,
        options={"steps": (1, 1)},
        sizes=((1, 1000),),
    )


def _constant_gradient(convention: str, words: str, rate: Callable[[Fraction, Fraction, int], Fraction]) -> Identity:
    return Identity(
        f"constant_gradient[{convention}]",
        f"a constant gradient moves step t by {words}",
        recursions.against(CONVENTIONS[convention], recursions.constant(rate)),
        over=SHAPES,
        options={"constant_gradient": True},
        sizes=LARGE,
    )


def _schedule(kind: str, convention: str) -> Identity:
    form, few = CONVENTIONS[convention], {"steps": (1, 4)}
    name, statement = f"schedule[{kind}]", f"with η_t: {form.formula}"
    return Identity(name, statement, recursions.against(form), SCHEDULE, RECURSION, few, sizes=LARGE)


def _momenta(convention: str) -> Identity:
    form = CONVENTIONS[convention]
    formula = form.formula.replace("1−γᵗ", "1−γ₀⋯γₜ")
    return Identity(
        f"momentum_schedule[{convention}]",
        f"with γ_t and η_t: {formula}",
        recursions.against(form),
        frozenset({"momentum_schedule"}),
        RECURSION,
        {"steps": (2, 4)},
    )


def _none(name: str, statement: str, always: frozenset[str], over: frozenset[str], **options: Any) -> Identity:
    form, options = CONVENTIONS["gd"], {"momentum": False, **options}
    return Identity(name, statement, recursions.against(form), always, over, options, (), LARGE)


def _dampening(kind: str, statement: str, convention: str, tau: str) -> Identity:
    return Identity(
        f"dampening[{kind}]",
        statement,
        recursions.against(CONVENTIONS[convention]),
        over=RECURSION,
        options={"dampening": tau},
        needs=("gamma", "dampening"),
    )


def _decay(name: str, statement: str, check: Check) -> Identity:
    always, few = frozenset({"weight_decay"}), {"steps": (1, 4)}
    return Identity(name, statement, check, always, ALL, few, ("weight_decay",))


_SEVERAL: dict[str, Any] = {"size": (2, WIDE), "steps": (1, 3)}
_SMALL = {"small_integers": True}
IDENTITIES: dict[str, Identity] = {
    i.name: i
    for i in (
        _structure("reproducible", "the same inputs give the same bits", checks.reproducible),
        _structure(
            "inputs_untouched", "no step writes into its inputs or keeps the gradient's array", checks.inputs_untouched
        ),
        _structure("independent", "parameters together move as each alone", checks.independent, **_SEVERAL),
        _structure(
            "permutation",
            "permuted parameters have permuted iterates",
            checks.permutation,
            "missing_gradient",
            **_SEVERAL,
        ),
        _structure("scale", "sθ₀ and s∇ have the iterates sθ_t", checks.scale, "weight_decay", **_SMALL),
        _structure("linear", "iterates are linear in θ₀ and the gradients", checks.linear, "weight_decay", **_SMALL),
        Identity(
            "missing_gradient",
            "an array without a gradient stands still in that step, and so does its momentum",
            checks.missing_gradient,
            frozenset({"missing_gradient"}),
            ALL - {"momentum_schedule"},
            needs=(),
        ),
        _structure("resumes", "saved in mid-run and restored, it goes on the same", checks.resumes),
        Identity(
            "maximize",
            "with maximize it does to ∇ what it does to −∇ without",
            checks.maximize,
            over=ALL,
            options={"maximize": True},
            needs=("maximize",),
        ),
        _none("no_momentum", "γ = 0 is gradient descent, θ ← θ − η∇", frozenset(), SHAPES),
        _none("no_momentum[schedule]", "γ = 0 is θ ← θ − η_t∇", SCHEDULE, RECURSION, steps=(1, 4)),
        _first("full", "", "velocity"),
        _first("average", "(1−γ)", "average"),
        _first("nesterov", "(1+γ)", "nesterov"),
        _first("nesterov_average", "(1−γ²)", "nesterov_average"),
        _constant_gradient("average", "η(1−γᵗ)∇: a bias of γᵗ", lambda eta, gamma, t: eta * (1 - gamma**t)),
        _constant_gradient("velocity", "η(1−γᵗ)/(1−γ)∇", lambda eta, gamma, t: eta * (1 - gamma**t) / (1 - gamma)),
        _constant_gradient("corrected", "η∇: no bias", lambda eta, gamma, t: eta),
        _one("unrolled[average]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s}) ∇_s", "average"),
        _one(
            "unrolled[seeded_average]", "θ_t = θ₀ − η(1−γ^t)/(1−γ) ∇₀ − η Σ_{0<s<t} (1−γ^{t−s}) ∇_s", "seeded_average"
        ),
        _one("unrolled[velocity]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s})/(1−γ) ∇_s", "velocity"),
        _one("unrolled[corrected]", "θ_t = θ₀ − η Σ_{s≤j<t} (1−γ)γ^{j−s}/(1−γ^{j+1}) ∇_s", "corrected"),
        _one("unrolled[nesterov]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s+1})/(1−γ) ∇_s", "nesterov"),
        _one("unrolled[nesterov_average]", "θ_t = θ₀ − η Σ_{s<t} (1−γ^{t−s+1}) ∇_s", "nesterov_average"),
        Identity(
            "rescaled_average",
            "constant η: it is the average form at η/(1−γ)",
            recursions.average_at_rescaled,
            over=SHAPES,
        ),
        Identity(
            "look_ahead",
            "θ is Nesterov's y: x ← y − η∇, y ← x + γ(x − x before)",
            recursions.against(CONVENTIONS["nesterov"], recursions.look_ahead),
            over=SHAPES,
        ),
        _schedule("average", "average"),
        _schedule("average_inside", "average_inside"),
        _schedule("seeded_average", "seeded_average"),
        _schedule("inside", "velocity"),
        _schedule("outside", "pytorch"),
        _schedule("corrected", "corrected"),
        _schedule("nesterov_inside", "nesterov"),
        _schedule("nesterov_outside", "nesterov_pytorch"),
        _schedule("nesterov_average", "nesterov_average"),
        *(_momenta(name) for name in CONVENTIONS if name != "gd"),
        _dampening("average", "dampening = γ makes it the average form", "average", "gamma"),
        _dampening("after_first", "u ← γu + (1−τ)∇, but u = ∇₀ at first", "pytorch", "any"),
        _decay("weight_decay[coupled]", "λ is λθ in the gradient", checks.coupled),
        _decay("weight_decay[decoupled]", "λ is θ ← (1−η_tλ)θ beside the step", checks.DECAYS["decoupled"].check),
    )
}
"""Every identity by name."""

STRUCTURE = (
    "reproducible",
    "inputs_untouched",
    "independent",
    "permutation",
    "scale",
    "linear",
    "missing_gradient",
    "resumes",
    "maximize",
)
_OWN: dict[str, tuple[str, ...]] = {
    "average": ("first_step[average]", "constant_gradient[average]", "unrolled[average]", "schedule[average]"),
    "average_inside": (
        "first_step[average]",
        "constant_gradient[average]",
        "unrolled[average]",
        "schedule[average_inside]",
    ),
    "seeded_average": ("first_step[full]", "unrolled[seeded_average]", "schedule[seeded_average]"),
    "velocity": (
        "first_step[full]",
        "constant_gradient[velocity]",
        "unrolled[velocity]",
        "rescaled_average",
        "schedule[inside]",
    ),
    "pytorch": (
        "first_step[full]",
        "constant_gradient[velocity]",
        "unrolled[velocity]",
        "rescaled_average",
        "schedule[outside]",
        "dampening[after_first]",
    ),
    "corrected": ("constant_gradient[corrected]", "unrolled[corrected]", "schedule[corrected]"),
    "nesterov": ("first_step[nesterov]", "unrolled[nesterov]", "look_ahead", "schedule[nesterov_inside]"),
    "nesterov_pytorch": ("first_step[nesterov]", "unrolled[nesterov]", "look_ahead", "schedule[nesterov_outside]"),
    "nesterov_average": ("first_step[nesterov_average]", "unrolled[nesterov_average]", "schedule[nesterov_average]"),
}
_UNDAMPED = ("no_momentum", "no_momentum[schedule]")
OF_CONVENTION: dict[str, tuple[str, ...]] = {
    "gd": _UNDAMPED,
    **{name: (*own, f"momentum_schedule[{name}]", *_UNDAMPED) for name, own in _OWN.items()},
}
"""What an optimizer of each convention satisfies, beside `STRUCTURE`; what tells most at a glance comes first."""
