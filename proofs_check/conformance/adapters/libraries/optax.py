"""optax's transformations: ``init``, ``update``, parameters plus updates.

A learning rate that changes is a function of the count of updates, as optax's schedules are; a maker that wants a
number gets that of each step, as do makers where momentum changes, and the state goes on. What takes the value of the
loss, the loss itself or its gradient as a function, as line searches do, gets those of ⟨∇_t, θ⟩.

A transformation with control flow is compiled anew at each call of ``update`` if it is called as it is. It is compiled
once for each shape and number type, with learning rate and momentum as arguments, where its maker takes arrays for
them, as in ``optax.inject_hyperparams``; else once for each case. So is any transformation in a long case, where the
steps would take longer than compiling.
"""

from __future__ import annotations

__all__ = ["DRIVER"]

import inspect
import pickle
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.errors import NotDriven, NoWay
from lemmascope.proofs_check.conformance.adapters.jax_tools import array, has_control, precision
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject

EAGER, ONCE, EACH = "as it is", "compiled once", "compiled for each case"
LONG = 100
"""Steps of a long case, at least."""


VALUES, FUNCTIONS = ("value", "grad", "value_fn"), ("obj_fn", "grad_fn")


class Way(NamedTuple):
    """How a transformation is driven: compiled or not, with the rate of each step, with what else its update gets."""

    how: str
    number: bool
    extra: tuple[str, ...]


class Optax(Driver):
    """One state for the list of all arrays."""

    library = "optax"
    functions = True

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: Way, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self.number = self.way.number or case.momenta is not None
        self.update: Callable[..., Any] | None = None
        self.rates = array([*case.eta, *case.eta[-1:] * (_power_of_two(len(case.eta)) - len(case.eta))], case.dtype)
        self.params = [array(block, case.dtype) for block in theta]
        self.optimizer = self._made(0)
        self.taken = _taken(self.optimizer, self.way.extra)
        self.state = self.optimizer.init(self.params)
        if (_long(case) or self._controls()) == (self.way.how == EAGER):
            raise NoWay

    @classmethod
    def kind(cls, case: Case) -> Hashable:
        """Long cases are a kind of their own."""
        return super().kind(case), _long(case)

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """What has init and update."""
        return callable(getattr(made, "init", None)) and callable(getattr(made, "update", None))

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[Way]:
        """As it is where that compiles nothing; a rate that changes as a function of the count first."""
        numbers = (False,) if case.constant else (False, True)
        return tuple(Way(*way) for way in product((EAGER, ONCE, EACH), numbers, ((), VALUES, (*VALUES, *FUNCTIONS))))

    @classmethod
    @contextmanager
    def around(cls, case: Case) -> Iterator[None]:
        """Double precision where the case has it."""
        with precision(case.dtype):
            yield

    def _made(self, t: int, eta: Any = None, gamma: Any = None, **options: Any) -> Any:
        """For step t; ``eta`` and ``gamma`` in place of the case's: an array of all rates, or of one."""
        case = self.case
        if self.constant or self.number:
            rate = case.eta[t] if eta is None else eta
        else:
            rates = self.rates if eta is None else eta
            rate = lambda count: rates[count]  # noqa: E731
        gamma = case.gammas[t] if gamma is None else gamma
        return self.subject.build(case, rate, gamma=gamma, **options)

    def _update(self, optimizer: Any) -> Callable[..., Any]:
        return lambda gradients, state, params: _updated(optimizer, gradients, state, params, self.taken)

    def _controls(self) -> bool:
        """Whether an update has control flow; found out once for arrays of as many dimensions."""
        key = ("control", self.way.extra, *sorted({block.ndim for block in self.params}))
        step = self._update(self.optimizer), self.params, self.state, self.params
        return has_control(self.subject.found, key, *step)

    def gradient(self, block: np.ndarray) -> Any:
        """An array of JAX."""
        return array(block, self.case.dtype)

    def step(self, t: int, gradients: list[Any]) -> None:
        """Updates are added, and rounded to the type of the parameters."""
        self.none_missing(gradients)
        if self.number:
            self.optimizer = self._made(t)
            now = {"eta": self.case.eta[t], "gamma": self.case.gammas[t]}
            named = {name: x for setting, x in now.items() for name in self.subject.names(setting)}
            self.state = _injected(self.state, named, self.case.dtype)
        if self.way.how == ONCE:
            updates, self.state = self._once(t, gradients)
        else:
            updates, self.state = self._compiled(t)(gradients, self.state, self.params)
        pairs = zip(self.params, updates, strict=True)
        moved = [block + update for block, update in pairs]
        pairs = zip(self.params, moved, strict=True)
        self.params = [new if new.dtype == old.dtype else new.astype(old.dtype) for old, new in pairs]

    def _compiled(self, t: int) -> Callable[..., Any]:
        """The update of this case's optimizer; compiled anew where the optimizer is one of this step alone."""
        if self.way.how == EAGER:
            return self._update(self.optimizer)
        if self.number or self.update is None:
            import jax

            self.update = jax.jit(self._update(self.optimizer))
        return self.update

    def _once(self, t: int, gradients: Any) -> Any:
        """One program for all cases of a kind, compiled for shapes, and for those options that are no numbers."""
        import jax

        case, found = self.case, self.subject.found
        numbers = {name: x for name, x in case.options().items() if not isinstance(x, bool)}
        others = tuple((name, x) for name, x in case.options().items() if isinstance(x, bool))
        key = ("program", self.way, self.constant, self.number, case.dtype, *numbers, *others)
        if key not in found:

            def update(gradients: Any, state: Any, params: Any, eta: Any, gamma: Any, options: Any) -> Any:
                return self._update(self._made(0, eta, gamma, **options))(gradients, state, params)

            found[key] = jax.jit(update)
        eta = case.eta[t] if self.constant or self.number else self.rates
        gamma = case.gammas[t] if self.subject.has("gamma") else None
        arrays = jax.tree.map(lambda x: array(x, case.dtype), (eta, gamma, numbers))
        return found[key](gradients, self.state, self.params, *arrays)

    def parameters(self) -> list[Any]:
        """As NumPy arrays."""
        return [np.array(block) for block in self.params]

    def reopen(self) -> None:
        """The leaves of the state, pickled, in the state of a new optimizer."""
        import jax

        leaves = [np.array(x) if isinstance(x, jax.Array) else x for x in jax.tree.leaves((self.state, self.params))]
        self.optimizer = self._made(0)
        shape = jax.tree.structure((self.optimizer.init(self.params), self.params))
        kept = [jax.numpy.asarray(x) if isinstance(x, np.ndarray) else x for x in pickle.loads(pickle.dumps(leaves))]
        self.state, self.params = jax.tree.unflatten(shape, kept)
        self.update = None


def _injected(state: Any, now: dict[str, float], dtype: str) -> Any:
    """The state with these numbers in place of those that ``optax.inject_hyperparams`` keeps in it."""
    if not isinstance(state, tuple) or not hasattr(state, "_replace"):
        return tuple(_injected(part, now, dtype) for part in state) if type(state) is tuple else state
    kept = getattr(state, "hyperparams", None)
    if not isinstance(kept, dict):
        return state
    new = {name: array(x, dtype) for name, x in now.items() if name in kept}
    return state._replace(hyperparams={**kept, **new})


def _long(case: Case) -> bool:
    return len(case.gradients) >= LONG


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()


def _taken(optimizer: Any, extra: Sequence[str]) -> frozenset[str]:
    """What an update gets beside the gradients, the state and the parameters: what it names, and ``extra`` if it takes
    what it does not name.

    Raises:
        NotDriven: if it needs something that is not known here.
    """
    taken = inspect.signature(optimizer.update).parameters
    free = [p for p in taken.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in free if p.default is p.empty]
    if others := [name for name in needed[2:] if name not in ("params", *VALUES, *FUNCTIONS)]:
        raise NotDriven(f"it could not be driven: its update needs {' and '.join(others)}")
    return frozenset((*taken, *extra)) if len(free) < len(taken) else frozenset(taken)


def _updated(optimizer: Any, gradients: Any, state: Any, params: Any, taken: frozenset[str]) -> Any:
    """Its update, with what it takes of the loss and its gradient."""

    def loss(at: Any) -> Any:
        return sum((block * gradient).sum() for block, gradient in zip(at, gradients, strict=True))

    known = {
        "value": lambda: loss(params),
        "grad": lambda: gradients,
        "value_fn": lambda: loss,
        "obj_fn": lambda: loss,
        "grad_fn": lambda: lambda at, *others: gradients,
    }
    given = {name: get() for name, get in known.items() if name in taken}
    return optimizer.update(gradients, state, params, **given)


DRIVER = Optax
