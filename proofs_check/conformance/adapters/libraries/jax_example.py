"""The optimizers of ``jax.example_libraries.optimizers``: ``init_fn``, ``update_fn``, ``params_fn``.

A learning rate that changes is a function of the step; where that is not taken, and where momentum changes, the
optimizer is made anew with the numbers of each step, and the state goes on.
"""

from __future__ import annotations

__all__ = ["DRIVER"]

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.jax_tools import array, precision
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject

FUNCTION, NUMBER = "a function of the step", "the rate of each step"


class JaxExample(Driver):
    """One state for the list of all arrays."""

    library = "jax"
    functions = True

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: str, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self.rates = array(case.eta, case.dtype)
        self.optimizer = self._made(0)
        self.state = self.optimizer.init_fn([array(block, case.dtype) for block in theta])

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """What has the three functions."""
        return all(callable(getattr(made, name, None)) for name in ("init_fn", "update_fn", "params_fn"))

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[str]:
        """A rate that changes is a function of the step first."""
        return (FUNCTION, NUMBER)

    @classmethod
    @contextmanager
    def around(cls, case: Case) -> Iterator[None]:
        """Double precision where the case has it."""
        with precision(case.dtype):
            yield

    def _made(self, t: int) -> Any:
        case, rates = self.case, self.rates
        eta = case.eta[t] if self.constant or self.way == NUMBER else lambda i: rates[i]
        return self.subject.build(case, eta, gamma=case.gammas[t])

    def gradient(self, block: np.ndarray) -> Any:
        """An array of JAX."""
        return array(block, self.case.dtype)

    def step(self, t: int, gradients: list[Any]) -> None:
        """The state has the parameters in it."""
        self.none_missing(gradients)
        if self.way == NUMBER or self.case.momenta is not None:
            self.optimizer = self._made(t)
        self.state = self.optimizer.update_fn(t, gradients, self.state)

    def parameters(self) -> list[Any]:
        """As NumPy arrays."""
        return [np.array(block) for block in self.optimizer.params_fn(self.state)]

    def reopen(self) -> None:
        """The leaves of the state, pickled."""
        import jax

        leaves, shape = jax.tree.flatten(self.state)
        kept = pickle.loads(pickle.dumps([np.array(x) for x in leaves]))
        self.state = jax.tree.unflatten(shape, [jax.numpy.asarray(x) for x in kept])
        self.optimizer = self._made(0)


DRIVER = JaxExample
