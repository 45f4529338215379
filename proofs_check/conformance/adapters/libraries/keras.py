"""Keras 3's optimizers, whatever its backend: ``build``, ``apply``; a schedule sets ``learning_rate``.

Keras keeps the learning rate in a variable of its ``floatx``, which is the case's number type during a run. A gradient
may be None, but not all of them in a step. Over JAX, an optimizer with control flow is driven as Keras's own training
does it: ``stateless_apply``, compiled, once for each case.
"""

from __future__ import annotations

__all__ = ["DRIVER"]

import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.errors import NoWay, Unsupported
from lemmascope.proofs_check.conformance.adapters.jax_tools import has_control, precision
from lemmascope.proofs_check.conformance.adapters.names import attribute
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject


APPLY, COMPILED = "apply", "stateless_apply, compiled"


class Keras(Driver):
    """One optimizer over all variables, which it writes to."""

    library = "keras"

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: str, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self.variables = self._variables(theta)
        self.optimizer = self._made()
        if self._controls() == (way == APPLY):
            raise NoWay

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """What has build and apply, and keeps variables."""
        return all(callable(getattr(made, name, None)) for name in ("build", "apply")) and hasattr(made, "variables")

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[str]:
        """As it is, or compiled if it has control flow."""
        return (APPLY, COMPILED)

    @classmethod
    @contextmanager
    def around(cls, case: Case) -> Iterator[None]:
        """New variables are of the case's number type. Keras warns of missing gradients, and of its own ways."""
        import keras

        before = keras.config.floatx()
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "Gradients do not exist for variables")
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            if keras.config.backend() == "jax":
                stack.enter_context(precision(case.dtype))
            keras.config.set_floatx(case.dtype)
            stack.callback(keras.config.set_floatx, before)
            yield

    def _variables(self, blocks: Arrays) -> list[Any]:
        import keras

        return [keras.Variable(block, dtype=self.case.dtype) for block in blocks]

    def _made(self) -> Any:
        optimizer = self.subject.build(self.case, self.eta)
        optimizer.build(self.variables)
        self.gamma = self.case.gamma
        self.program: Any = None
        return optimizer

    def _controls(self) -> bool:
        """Whether JAX would compile something anew at each step; found out once for arrays of as many dimensions."""
        import keras

        if keras.config.backend() != "jax":
            return False
        key = ("control", *sorted({len(variable.shape) for variable in self.variables}))
        state, values = self._values()
        step = self.optimizer.stateless_apply, state, values, values
        return has_control(self.subject.found, key, *step)

    def _values(self) -> tuple[list[Any], list[Any]]:
        """The state and the parameters as arrays."""
        return [one.value for one in self.optimizer.variables], [one.value for one in self.variables]

    def _apply(self, gradients: list[Any]) -> None:
        if self.way == APPLY:
            self.optimizer.apply(gradients, self.variables)
            return
        import jax

        if self.program is None:
            self.program = jax.jit(self.optimizer.stateless_apply)
        state, values = self._values()
        new_values, new_state = self.program(state, gradients, values)
        for variable, value in zip(
            [*self.optimizer.variables, *self.variables], [*new_state, *new_values], strict=True
        ):
            variable.assign(value)

    def gradient(self, block: np.ndarray) -> Any:
        """A tensor of the backend."""
        import keras

        return keras.ops.convert_to_tensor(block, dtype=self.case.dtype)

    def step(self, t: int, gradients: list[Any]) -> None:
        """A momentum that changes is set as an attribute."""
        if all(gradient is None for gradient in gradients):
            raise Unsupported("refuses a step without any gradient")
        if not self.constant:
            self.optimizer.learning_rate = self.case.eta[t]
        if self.case.momenta is not None:
            name = attribute(self.optimizer, self.subject.names("gamma"), self.gamma)
            if name is None:
                raise Unsupported("keeps no momentum in an attribute")
            self.gamma, self.program = self.case.gammas[t], None
            setattr(self.optimizer, name, self.gamma)
        self._apply(gradients)

    def parameters(self) -> list[Any]:
        """As NumPy arrays."""
        import keras

        return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in self.variables]

    def reopen(self) -> None:
        """``save_own_variables``, pickled, and ``load_own_variables``."""
        store: dict[str, Any] = {}
        self.optimizer.save_own_variables(store)
        store, blocks = pickle.loads(pickle.dumps((store, self.parameters())))
        self.variables = self._variables(blocks)
        self.optimizer = self._made()
        self.optimizer.load_own_variables(store)


DRIVER = Keras
