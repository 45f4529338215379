r"""Which numbers an optimizer takes, by whatever names, and its iterates in a case with those numbers given.

=================  =========================================================================
setting            names that are looked for
=================  =========================================================================
β₁                 beta1, b1, beta_1; the first of betas
β₂                 beta2, b2, beta_2, rho; the second of betas; alpha, decay beside an ε
ε                  epsilon, eps
γ                  gamma, momentum, mass, beta; decay where there is no ε
λ                  weight_decay, lam
ψ                  momentum_decay
v₀                 initial_accumulator_value, initial_scale
=================  =========================================================================
"""

from __future__ import annotations

__all__ = ["HIDDEN", "Settings"]

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.adaptive.case import SETTINGS, AdaptiveCase
from lemmascope.theory.errors import InputError

NAMES = {
    "beta1": ("beta1", "b1", "beta_1"),
    "beta2": ("beta2", "b2", "beta_2", "rho"),
    "epsilon": ("epsilon", "eps"),
    "gamma": ("gamma", "momentum", "mass", "beta"),
    "weight_decay": ("weight_decay", "lam"),
    "momentum_decay": ("momentum_decay",),
    "start": ("initial_accumulator_value", "initial_scale"),
}
RATES = ("eta", "lr", "learning_rate", "learning_rate_init", "step_size")
PARAMS = ("params", "parameters", "model_params")
HIDDEN = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
"""What is assumed of a number that the maker does not take, unless it is said: the defaults in use."""


class Settings:
    """The numbers that an optimizer takes.

    Args:
        subject: the optimizer.
        hidden: values of numbers that its maker does not take, by their names in `SETTINGS`.

    Raises:
        InputError: it takes no learning rate, asks for another number, or ``hidden`` has one that it takes or none of
            ours.
    """

    def __init__(self, subject: Subject, hidden: Mapping[str, float] | None = None) -> None:
        self.subject = subject
        self.given = dict(hidden or {})
        for name in self.given:
            if name not in SETTINGS or name in self.names:
                free = [s for s in SETTINGS if s not in self.names]
                raise InputError("hidden", name, f"it must be one of {', '.join(free)}, which the maker does not take")

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Of the maker."""
        try:
            return inspect.signature(self.subject.make).parameters
        except (TypeError, ValueError) as error:
            what = "its signature cannot be read; wrap it in a function"
            raise InputError("make_optimizer", self.subject.make, what) from error

    @cached_property
    def names(self) -> dict[str, str]:
        """Setting → the name that the maker has for it; "betas" for both of β₁ and β₂."""
        there = self.parameters
        found = {s: n for s, names in NAMES.items() for n in reversed(names) if n in there}
        if "betas" in there:
            found |= {"beta1": "betas", "beta2": "betas"}
        spare = [n for n in ("alpha", "decay") if n in there]
        if spare and "epsilon" in found:
            found.setdefault("beta2", spare[0])
        elif "decay" in spare:
            found.setdefault("gamma", "decay")
        return found

    @cached_property
    def rate(self) -> str:
        """The maker's name of η."""
        name = next((n for n in RATES if n in self.parameters), None)
        taken = {*self.names.values(), *PARAMS, name}
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = [
            n for n, p in self.parameters.items() if p.default is p.empty and p.kind not in kinds and n not in taken
        ]
        if name is None or needed:
            what = f"it asks for {', '.join(needed)}" if needed else "it takes no learning rate"
            raise InputError("make_optimizer", f"({', '.join(self.parameters)})", what)
        return name

    @property
    def averages(self) -> bool:
        """Whether γ is the only momentum that it takes, which is then β₁ too."""
        return "gamma" in self.names and "beta1" not in self.names

    @property
    def fixed(self) -> tuple[tuple[str, float], ...]:
        """The settings that are not drawn, with their values."""
        defaults = {s: HIDDEN.get(s, 0.0) for s in SETTINGS if s not in self.names}
        return tuple(sorted((defaults | self.given).items()))

    @property
    def assumed(self) -> dict[str, float]:
        """Of those, the ones that say something of the optimizer."""
        known = ("beta1",) if self.averages else ()
        return {s: value for s, value in self.fixed if (s in HIDDEN or s in self.given) and s not in known}

    def bound(self, case: AdaptiveCase) -> Subject:
        """The optimizer with the numbers of a case, as one that takes no more than a rate, and parameters."""
        make, names, rate = self.subject.make, self.names, self.rate
        values = {n: getattr(case, s) for s, n in names.items() if n != "betas"}
        if "betas" in names.values():
            values["betas"] = (case.beta1, case.beta2)
        params = next((n for n in PARAMS if n in self.parameters), None)

        def made(**given: Any) -> Any:
            return make(**values, **given)

        kind = inspect.Parameter.KEYWORD_ONLY
        wanted = [inspect.Parameter(n, kind) for n in (params, rate) if n is not None]
        made.__signature__ = inspect.Signature(wanted)  # type: ignore[attr-defined]
        return Subject(made, self.subject.name, self.subject.library)

    def trajectory(self, case: AdaptiveCase) -> np.ndarray:
        """θ_0, …, θ_T, (T + 1, n); raises as `Subject.trajectory`."""
        return self.bound(case).trajectory(case.plain())
