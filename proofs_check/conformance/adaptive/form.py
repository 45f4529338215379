r"""Optimizers of the Adam family as data: a form is one choice on each of a few axes, and not a class of its own.

With g_t = ∇_t (+ λθ_t where decay is coupled), t = 1, 2, …, elementwise:

    θ ← θ − η n/D,    m ← β₁m + (1 − β₁)g,    v ← β₂v + (1 − β₂)s²,

where the numerator n is made of m and g, the denominator D of v and ε, s is what is squared, and "outer" says what
becomes of the step n/D. `AXES` lists every choice; `forms` all that make sense together; `NAMED` those with a name.

Sources: Kingma & Ba 2015 (Adam, Adamax), Tieleman & Hinton 2012 (RMSprop), Graves 2013 (centred), Duchi et al. 2011
(Adagrad), Dozat 2016 (NAdam), Reddi et al. 2018 (AMSGrad), Loshchilov & Hutter 2019 (decoupled decay), Zhuang et al.
2020 (AdaBelief), Liu et al. 2020 (RAdam), Wang et al. 2021 (AdaMomentum), Bernstein et al. 2018 (signSGD), Chen et al.
2023 (Lion), Defazio et al. 2024 (schedule-free); the places of ε are those of public implementations.
"""

from __future__ import annotations

__all__ = ["AXES", "NAMED", "Form", "choice", "forms", "named"]

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product

AXES: dict[str, dict[str, str]] = {
    "numerator": {
        "gradient": "the gradient g",
        "average": "the average m",
        "sum": "a sum, m ← β₁m + g",
        "nesterov": "the average with a look-ahead, β₁m + (1−β₁)g",
        "scheduled": "Dozat's look-ahead with momenta μₜ = β₁(1 − ½·0.96^{ψt})",
        "scheduled_torch": "Dozat's look-ahead with momenta μₜ, ψ = 0.004",
        "scheduled_keras": "Dozat's look-ahead with momenta μₜ, ψ = 1",
        "interpolated": "β₁m + (1−β₁)g, with m ← β₂m + (1−β₂)g after it",
    },
    "correction": {
        "none": "m is not corrected for its start at 0",
        "same": "m is divided by 1−β₁ᵗ",
        "ahead": "the look-ahead's m is divided by 1−β₁^{t+1}, its g by 1−β₁ᵗ",
    },
    "memory": {
        "average": "v is an average of squares",
        "centred": "v less the square of an average of g is used",
        "sum": "v is the sum of squares",
        "largest": "v is the largest |g|, v ← max(β₂v, |g|)",
        "sign": "the sign is taken",
        "none": "nothing is divided by",
    },
    "squares": {
        "gradient": "g is squared",
        "momentum": "the new m is squared",
        "residual": "g − m is squared, with the new m",
        "residual_before": "g − m is squared, with the old m",
    },
    "correction_squares": {"no": "v is not corrected for its start", "yes": "v is divided by 1−β₂ᵗ"},
    "maximum": {
        "no": "v itself is used",
        "squares": "the largest v so far is used",
        "corrected": "the largest v/(1−β₂ᵗ) so far is used",
    },
    "epsilon": {
        "outside": "√v̂ + ε",
        "inside": "√(v̂ + ε)",
        "before_correction": "(√v + ε)/√(1−β₂ᵗ)",
        "inside_before_correction": "√((v + ε)/(1−β₂ᵗ))",
        "accumulated": "ε is added to v at every step, and nowhere else",
        "accumulated_outside": "ε is added to v at every step, and to the root",
        "floor": "max(√v̂, ε)",
        "none": "there is no ε",
    },
    "rectified": {
        "no": "from the first step on",
        "above_5": "n alone until the variance of v is rectified, ρ > 5, then times rₜ",
        "above_4": "n alone until the variance of v is rectified, ρ > 4, then times rₜ",
    },
    "start": {
        "zero": "v starts at 0",
        "one": "v starts at 1",
        "tenth": "v starts at 0.1",
        "given": "v starts at the value that is given",
    },
    "outer": {
        "plain": "θ ← θ − ηu",
        "outside": "momentum of steps, the rate outside: b ← γb + u, θ ← θ − ηb",
        "inside": "momentum of steps, the rate inside: b ← γb + ηu, θ ← θ − b",
        "average": "an average of steps: b ← γb + (1−γ)u, θ ← θ − ηb",
        "nesterov": "momentum of steps with a look-ahead, the rate outside: b ← γb + u, θ ← θ − η(γb + u)",
        "nesterov_inside": "momentum of steps with a look-ahead, the rate inside: b ← γb + ηu, θ ← θ − γb − ηu",
        "schedule_free": "schedule-free: z ← z − ηu, x ← (1−c)x + cz, θ ← (1−β₁)z + β₁x",
    },
    "decay": {
        "none": "no decay",
        "coupled": "λθ is added to the gradient",
        "decoupled": "θ ← (1−ηₜλ)θ beside the step",
        "unscaled": "θ ← (1−λ)θ beside the step, without η",
        "relative": "θ ← (1−λη_t/η₀)θ beside the step: the schedule without η",
        "after": "θ ← (1−ηₜλ)θ after the step",
        "before_outer": "λθ is added to u, before its momentum",
    },
    "rate": {
        "followed": "ηₜ",
        "first": "η₀ at every step: a schedule is not followed",
        "weights_ahead": "schedule-free's weights are of ηₜ₊₁, one step ahead",
    },
}
"""Axis → value → in words. `Form` has a field for each."""
LARGEST = {"outside": "v + ε", "inside": "v ← max(β₂v, |g| + ε)", "floor": "max(v, ε)"}
"""Where ε stands, in words, where v is the largest |g|."""


def choice(axis: str, value: str, memory: str = "average") -> str:
    """A choice on an axis, in words; those on ε are others where ``memory`` is ``"largest"``."""
    known = LARGEST if axis == "epsilon" and memory == "largest" else {}
    return known.get(value) or AXES[axis][value]


@dataclass(frozen=True)
class Form:
    """One choice on each of the `AXES`; Adam by default."""

    numerator: str = "average"
    correction: str = "same"
    memory: str = "average"
    squares: str = "gradient"
    correction_squares: str = "yes"
    maximum: str = "no"
    epsilon: str = "outside"
    rectified: str = "no"
    start: str = "zero"
    outer: str = "plain"
    decay: str = "none"
    rate: str = "followed"

    @property
    def averages(self) -> bool:
        """Whether it has an m."""
        return self.numerator != "gradient" or self.squares != "gradient"

    @property
    def numbers(self) -> frozenset[str]:
        """Of the numbers that an optimizer may not take, those on which it depends."""
        found = {"beta1"} if self.averages or self.outer == "schedule_free" else set()
        found |= {"beta2"} if self.memory in ("average", "centred", "largest") else set()
        found |= {"beta2"} if self.numerator == "interpolated" else set()
        found |= {"epsilon"} if self.epsilon != "none" else set()
        found |= {"gamma"} if self.outer not in ("plain", "schedule_free") else set()
        found |= {"momentum_decay"} if self.numerator == "scheduled" else set()
        return frozenset(found | ({"start"} if self.start == "given" else set()))

    @property
    def rational(self) -> bool:
        """Whether its iterates are rational numbers: no root enters, and no power that is none."""
        return self.memory in ("sign", "none") and not self.numerator.startswith("scheduled")

    @property
    def name(self) -> str:
        """Its name, or that of the nearest with what is different."""
        return named(self)

    def without(self) -> Form:
        """The same without decay, under a rate that is followed."""
        return replace(self, decay="none", rate="followed")

    def differs(self, other: object) -> tuple[str, ...]:
        """The axes on which two forms are not the same; all, where the other is none."""
        if not isinstance(other, Form):
            return tuple(AXES)
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))

    def formula(self) -> str:
        """One step, in symbols; t = 1, 2, …"""
        from lemmascope.proofs_check.conformance.adaptive.formula import formula

        return formula(self)


ADAM = Form()
RMSPROP = Form("gradient", "none", correction_squares="no")
SIGN = Form("gradient", "none", "sign", correction_squares="no", epsilon="none")
FREE = replace(SIGN, memory="none", outer="schedule_free")
NAMED: dict[str, Form] = {
    "Adam": ADAM,
    "NAdam": replace(ADAM, numerator="scheduled_torch", correction="none"),
    "NAdam without a schedule": replace(ADAM, numerator="nesterov", correction="ahead"),
    "AMSGrad": replace(ADAM, maximum="squares"),
    "RAdam": replace(ADAM, rectified="above_5"),
    "AdaBelief": replace(ADAM, squares="residual", epsilon="accumulated_outside"),
    "AdaMomentum": replace(ADAM, squares="momentum", epsilon="accumulated"),
    "Adamax": replace(ADAM, memory="largest", correction_squares="no", epsilon="inside"),
    "RMSprop": RMSPROP,
    "centred RMSprop": replace(RMSPROP, memory="centred"),
    "Adagrad": replace(RMSPROP, memory="sum"),
    "signSGD": SIGN,
    "Signum": replace(SIGN, numerator="average"),
    "Lion": replace(SIGN, numerator="interpolated"),
    "schedule-free SGD": FREE,
    "schedule-free AdamW": replace(RMSPROP, correction_squares="yes", outer="schedule_free"),
}
"""Forms with a name, without decay; "AdamW" is Adam with a decay that is decoupled."""

DECAYS = {
    "coupled": "coupled decay",
    "decoupled": "decoupled decay",
    "unscaled": "decoupled decay without η",
    "relative": "decoupled decay by the schedule without η",
    "after": "decay after the step",
    "before_outer": "decay before its momentum",
}
_OF_THE_NAME = ("numerator", "memory", "squares", "outer")
"""The axes that make a name more than the others do."""
_NUMERATORS = [
    ("gradient", "none"),
    *product(("average", "nesterov"), ("none", "same")),
    ("sum", "none"),
    ("nesterov", "ahead"),
]
_SCHEDULED = [("scheduled_torch", "none"), ("scheduled_keras", "none")]
_FREE_OF_CORRECTION = ("outside", "inside", "accumulated", "accumulated_outside", "floor", "none")


def _denominators(starts: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for squares in AXES["squares"]:
        for start, maximum, epsilon in product(starts, ("no", "squares"), _FREE_OF_CORRECTION):
            yield {
                "squares": squares,
                "correction_squares": "no",
                "maximum": maximum,
                "epsilon": epsilon,
                "start": start,
            }
        for maximum, epsilon in product(AXES["maximum"], AXES["epsilon"]):
            if maximum != "corrected" or "before_correction" not in epsilon:
                yield {"squares": squares, "maximum": maximum, "epsilon": epsilon}
    for epsilon in ("outside", "inside", "floor", "none"):
        yield {"memory": "centred", "epsilon": epsilon}
        yield from ({"memory": "centred", "correction_squares": "no", "epsilon": epsilon, "start": s} for s in starts)
    for start, epsilon in product(starts, ("outside", "inside", "floor", "none")):
        if epsilon != "floor" or start == "zero":  # v never falls below its start
            yield {"memory": "sum", "correction_squares": "no", "epsilon": epsilon, "start": start}
    for epsilon in ("outside", "inside", "floor", "none"):
        yield {"memory": "largest", "correction_squares": "no", "epsilon": epsilon}


def _sums(denominator: dict[str, str]) -> bool:
    """Whether a sum m makes another form: g − m is of no use, and m over the root of its own squares the average's."""
    squares = denominator.get("squares", "gradient")
    return squares == "gradient" or (squares == "momentum" and denominator["epsilon"] != "none")


def forms(*, outer: bool = False, momentum_decay: bool = False, start: bool = False) -> Iterator[Form]:
    """Every form without decay that is none of another in other words.

    Args:
        outer: also those whose steps have a momentum γ of their own, beside β₁.
        momentum_decay, start: whether ψ, and the start of v, are given; else those in use are tried.
    """
    starts = ("given",) if start else ("zero", "one", "tenth")
    scheduled = [("scheduled", "none")] if momentum_decay else _SCHEDULED
    for denominator in _denominators(starts):
        for numerator, correction in (*_NUMERATORS, *scheduled):
            if numerator != "sum" or _sums(denominator):
                yield Form(numerator, correction, **denominator)
        yield Form("gradient", "none", **denominator, outer="schedule_free")
        if outer:
            for kind in ("outside", "inside", "average", "nesterov", "nesterov_inside"):
                yield Form("gradient", "none", **denominator, outer=kind)
    for rectified, epsilon in product(("above_5", "above_4"), AXES["epsilon"]):
        if epsilon != "floor":
            yield replace(ADAM, rectified=rectified, epsilon=epsilon)
    for numerator in ("gradient", "average", "nesterov", "interpolated"):
        yield replace(SIGN, numerator=numerator)
    yield FREE


def named(form: Form) -> str:
    """The name of the nearest of `NAMED`, and in words on which axes the form differs from it."""
    bare = form.without()
    if form.numerator == "scheduled":
        bare = replace(bare, numerator="scheduled_torch")
    if form.start == "given":
        bare = replace(bare, start="zero")

    def far(name: str) -> tuple[float, int]:
        one = NAMED[name]  # of two that are as near, that which says more
        return sum(axis in _OF_THE_NAME or 0.4 for axis in bare.differs(one)), -len(one.differs(ADAM))

    nearest = min(NAMED, key=far)
    words = [choice(axis, getattr(bare, axis), bare.memory) for axis in bare.differs(NAMED[nearest])]
    if form.rate != "followed":
        words.append(AXES["rate"][form.rate])
    kept = form.decay
    if form.decay == "decoupled" and nearest in ("Adam", "NAdam"):
        nearest, kept = f"{nearest}W", "none"
    name = nearest if kept == "none" else f"{nearest} with {DECAYS[kept]}"
    return f"{name}, but {'; '.join(words)}" if words else name
