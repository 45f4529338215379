"""An object with ``init`` and ``step``, as in `theory.optimizers`, or a function ``update(params, grad, state, t)``.

Each parameter array has an optimizer and a state of its own.
"""

from __future__ import annotations

__all__ = ["DRIVER"]

import dataclasses
import pickle
import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.errors import NoWay, Unsupported, Untried, unchanged
from lemmascope.proofs_check.conformance.adapters.names import attribute
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject


class Functional(Driver):
    """Where η or γ change, the maker is given a function of t; where it does not take that, an attribute is set."""

    library = "numpy"
    rank = 9
    functions = True

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: str, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self._make()
        self.params: list[Any] = [np.array(block) for block in theta]
        self.states = [
            optimizer.init(block) if hasattr(optimizer, "init") else None
            for optimizer, block in zip(self.optimizers, self.params, strict=True)
        ]

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """An object with a method step, or a function."""
        return callable(getattr(made, "step", made))

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[str]:
        """Which settings are set as attributes; others that change are functions of t."""
        gamma = [] if case.momenta is None else ["gamma"]
        eta = [] if case.constant else ["eta"]
        return tuple(dict.fromkeys(" ".join(names) for names in ([], gamma, eta, [*eta, *gamma])))

    def _make(self) -> None:
        """New optimizers, which have the numbers of no step yet where those are set."""
        case, start = self.case, {"eta": self.eta, "gamma": self.case.gamma}
        self.set = {setting: start[setting] for setting in self.way.split()}
        eta = self.eta if self.constant or "eta" in self.set else _of_time(case.eta)
        gamma = _of_time(case.gammas) if case.momenta is not None and "gamma" not in self.set else None
        self.optimizers = [self.subject.build(case, eta, gamma=gamma) for _ in case.shapes]

    def _to(self, t: int) -> None:
        """Set what is set before each step."""
        now = {"eta": self.case.eta[t], "gamma": self.case.gammas[t]}
        for setting, before in self.set.items():
            for k, optimizer in enumerate(self.optimizers):
                name = attribute(optimizer, self.subject.names(setting), before)
                if name is None and setting == "eta":
                    raise NoWay
                if name is None:
                    raise Unsupported("takes γ as a number alone, and keeps it in no attribute that could be set")
                self.optimizers[k] = _with(optimizer, name, now[setting])
        self.set = {setting: now[setting] for setting in self.set}

    def gradient(self, block: np.ndarray) -> np.ndarray:
        """A copy."""
        return np.array(block)

    def step(self, t: int, gradients: list[Any]) -> None:
        """Array by array."""
        self.none_missing(gradients)
        self._to(t)
        for k, gradient in enumerate(gradients):
            params = self.params[k]
            before = np.array(params)
            step = getattr(self.optimizers[k], "step", self.optimizers[k])
            made = step(params, gradient, self.states[k], t)
            if not isinstance(made, tuple | list) or len(made) != 2:
                raise Untried(f"its step returns {reprlib.repr(made)}, and not the parameters and the state")
            if self.watched:
                unchanged(before, params, "parameters")
            self.params[k], self.states[k] = made

    def parameters(self) -> list[Any]:
        """A masked array is kept as one."""
        return [np.ma.array(x) if np.ma.isMaskedArray(x) else np.array(x) for x in self.params]

    def reopen(self) -> None:
        """The state, pickled; what an optimizer keeps outside of it is not in there."""
        self.params, self.states = pickle.loads(pickle.dumps((self.params, self.states)))
        self._make()

    def write(self, array: Any, numbers: np.ndarray) -> None:
        """In place."""
        array[...] = numbers


def _with(optimizer: Any, name: str, value: float) -> Any:
    """The optimizer with an attribute set, or its first entry where it has several; another one, where it is frozen."""
    kept = getattr(optimizer, name)
    new = type(kept)((value, *kept[1:])) if isinstance(kept, tuple | list) else value
    try:
        setattr(optimizer, name, new)
    except dataclasses.FrozenInstanceError:
        return dataclasses.replace(optimizer, **{name: new})
    return optimizer


def _of_time(values: Sequence[float]) -> Any:
    return lambda t: values[min(int(t), len(values) - 1)]


DRIVER = Functional
