"""optax's transformations: ``init``, ``update``, parameters plus updates.

A learning rate that changes is a function of the count of updates, as optax's schedules are; a maker that wants a
number gets that of each step, as do makers where momentum changes, and the state goes on. What takes the value of the
loss, the loss itself or its gradient as a function, as line searches do, gets those of ⟨∇_t, θ⟩.

A transformation with control flow is compiled anew at each call of ``update`` if it is called as it is. It is compiled
once for each shape and number type, with learning rate and momentum as arguments, where its maker takes arrays for
them, as in ``optax.inject_hyperparams``; else once for each case.
"""

from __future__ import annotations

__all__ = ["DRIVER"]

import inspect
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.errors import NotDriven, NoWay
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject

EAGER, ONCE, EACH = "as it is", "compiled once", "compiled for each case"
FUNCTION, NUMBER = "", ", with the rate of each step"
CONTROL = frozenset(("cond", "while", "scan"))


class Optax(Driver):
    """One state for the list of all arrays."""

    library = "optax"
    functions = True

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: str, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self.how = way.removesuffix(NUMBER)
        self.number = way.endswith(NUMBER) or case.momenta is not None
        self.rates = _array([*case.eta, *case.eta[-1:] * (_power_of_two(len(case.eta)) - len(case.eta))], case.dtype)
        self.params = [_array(block, case.dtype) for block in theta]
        self.optimizer = self._made(0)
        self.state = self.optimizer.init(self.params)
        if self._controls() == (self.how == EAGER):
            raise NoWay

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """What has init and update."""
        return callable(getattr(made, "init", None)) and callable(getattr(made, "update", None))

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[str]:
        """As it is where that compiles nothing; a rate that changes as a function of the count first."""
        rates = (FUNCTION,) if case.constant else (FUNCTION, NUMBER)
        return tuple(how + rate for rate in rates for how in (EAGER, ONCE, EACH))

    @classmethod
    @contextmanager
    def around(cls, case: Case) -> Iterator[None]:
        """Double precision where the case has it."""
        import jax

        with jax.enable_x64(case.dtype == "float64"):
            yield

    def _made(self, t: int, eta: Any = None, gamma: Any = None, **options: Any) -> Any:
        """For step t; ``eta`` and ``gamma`` in place of the case's: an array of all rates, or of one."""
        case = self.case
        if case.constant or self.number:
            rate = case.eta[t] if eta is None else eta
        else:
            rates = self.rates if eta is None else eta
            rate = lambda count: rates[count]  # noqa: E731
        gamma = case.gammas[t] if gamma is None else gamma
        return self.subject.build(case, rate, gamma=gamma, **options)

    def _controls(self) -> bool:
        """Whether an update has control flow; found out once."""
        found = self.subject.found
        if "controls" not in found:
            import jax

            def update(gradients: Any, state: Any, params: Any) -> Any:
                return _updated(self.optimizer, gradients, state, params)

            try:
                found["controls"] = _has_control(jax.make_jaxpr(update)(self.params, self.state, self.params))
            except NotDriven:
                raise
            except Exception:  # it cannot be compiled, and is not when it is called
                found["controls"] = False
        return found["controls"]

    def gradient(self, block: np.ndarray) -> Any:
        """An array of JAX."""
        return _array(block, self.case.dtype)

    def step(self, t: int, gradients: list[Any]) -> None:
        """Updates are added, and rounded to the type of the parameters."""
        self.none_missing(gradients)
        if self.number:
            self.optimizer = self._made(t)
            now = {"eta": self.case.eta[t], "gamma": self.case.gammas[t]}
            named = {name: x for setting, x in now.items() for name in self.subject.names(setting)}
            self.state = _injected(self.state, named, self.case.dtype)
        if self.how == ONCE:
            updates, self.state = self._once(t, gradients)
        else:
            updates, self.state = self._compiled(t)(gradients, self.state, self.params)
        pairs = zip(self.params, updates, strict=True)
        self.params = [(block + update).astype(block.dtype) for block, update in pairs]

    def _compiled(self, t: int) -> Callable[..., Any]:
        """The update of this case's optimizer; compiled anew where the optimizer is one of this step alone."""
        optimizer = self.optimizer

        def update(gradients: Any, state: Any, params: Any) -> Any:
            return _updated(optimizer, gradients, state, params)

        if self.how == EAGER:
            return update
        import jax

        if self.number or not t:
            self.update = jax.jit(update)
        return self.update

    def _once(self, t: int, gradients: Any) -> Any:
        """One program for all cases of a kind, compiled for shapes, and for those options that are no numbers."""
        import jax

        case, found = self.case, self.subject.found
        numbers = {name: x for name, x in case.options().items() if not isinstance(x, bool)}
        others = tuple((name, x) for name, x in case.options().items() if isinstance(x, bool))
        key = ("program", self.way, case.constant, self.number, case.dtype, *numbers, *others)
        if key not in found:

            def update(gradients: Any, state: Any, params: Any, eta: Any, gamma: Any, options: Any) -> Any:
                return _updated(self._made(0, eta, gamma, **options), gradients, state, params)

            found[key] = jax.jit(update)
        eta = case.eta[t] if case.constant or self.number else self.rates
        gamma = case.gammas[t] if self.subject.has("gamma") else None
        arrays = jax.tree.map(lambda x: _array(x, case.dtype), (eta, gamma, numbers))
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
        self.update = jax.jit(lambda *given: _updated(self.optimizer, *given))


def _array(values: Any, dtype: str) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(values, dtype=dtype)


def _injected(state: Any, now: dict[str, float], dtype: str) -> Any:
    """The state with these numbers in place of those that ``optax.inject_hyperparams`` keeps in it."""
    if not isinstance(state, tuple) or not hasattr(state, "_replace"):
        return tuple(_injected(part, now, dtype) for part in state) if type(state) is tuple else state
    kept = getattr(state, "hyperparams", None)
    if not isinstance(kept, dict):
        return state
    new = {name: _array(x, dtype) for name, x in now.items() if name in kept}
    return state._replace(hyperparams={**kept, **new})


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 0).bit_length()


def _updated(optimizer: Any, gradients: Any, state: Any, params: Any) -> Any:
    """Its update, which may want the value of the loss, its gradient, or the loss."""

    def loss(at: Any) -> Any:
        return sum((block * gradient).sum() for block, gradient in zip(at, gradients, strict=True))

    def gradient(at: Any, *others: Any) -> Any:
        return gradients

    known = {
        "value": loss(params),
        "grad": gradients,
        "value_fn": loss,
        "obj_fn": loss,
        "grad_fn": gradient,
    }
    own = inspect.signature(optimizer.update).parameters
    needed = [n for n, p in own.items() if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if others := [name for name in needed[2:] if name not in ("params", *known)]:
        raise NotDriven(f"it could not be driven: its update needs {' and '.join(others)}")
    all_of_them = any(p.kind is p.VAR_KEYWORD for p in own.values())
    given = {name: value for name, value in known.items() if all_of_them or name in own}
    return optimizer.update(gradients, state, params, **given)


def _has_control(jaxpr: Any) -> bool:
    """Whether there is control flow in it, or in what it calls."""
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    for equation in inner.eqns:
        if equation.primitive.name in CONTROL:
            return True
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                if (hasattr(part, "eqns") or hasattr(part, "jaxpr")) and _has_control(part):
                    return True
    return False


DRIVER = Optax
