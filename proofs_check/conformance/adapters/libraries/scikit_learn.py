"""The optimizers of scikit-learn's networks: ``update_params(params, grads)``; a schedule sets ``learning_rate``."""

from __future__ import annotations

__all__ = ["DRIVER"]

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.errors import Unsupported
from lemmascope.proofs_check.conformance.adapters.names import attribute
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject


class ScikitLearn(Driver):
    """One optimizer over all arrays, which it writes to."""

    library = "scikit-learn"
    wants_params = True

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: str, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self.params = self.given(theta, case.dtype)
        self.optimizer = subject.build(case, self.eta, self.params)
        self.gamma = case.gamma

    @classmethod
    def given(cls, theta: Arrays, dtype: str) -> Any:
        """NumPy arrays."""
        return [np.array(block) for block in theta]

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """What has a method update_params."""
        return callable(getattr(made, "update_params", None))

    def gradient(self, block: np.ndarray) -> np.ndarray:
        """A copy."""
        return np.array(block)

    def step(self, t: int, gradients: list[Any]) -> None:
        """Adam's rate of each step is made of ``learning_rate_init``, so that is set too."""
        self.none_missing(gradients)
        if not self.constant:
            for name in ("learning_rate", "learning_rate_init"):
                if hasattr(self.optimizer, name):
                    setattr(self.optimizer, name, self.case.eta[t])
        if self.case.momenta is not None:
            name = attribute(self.optimizer, self.subject.names("gamma"), self.gamma) or ""
            if not name:
                raise Unsupported("keeps no momentum in an attribute")
            self.gamma = self.case.gammas[t]
            setattr(self.optimizer, name, self.gamma)
        self.optimizer.update_params(self.params, gradients)

    def parameters(self) -> list[Any]:
        """Copies."""
        return [np.array(block) for block in self.params]

    def reopen(self) -> None:
        """The optimizer itself is pickled, as a model that is being trained is."""
        self.optimizer, self.params = pickle.loads(pickle.dumps((self.optimizer, self.params)))

    def write(self, array: Any, numbers: np.ndarray) -> None:
        """In place."""
        array[...] = numbers


DRIVER = ScikitLearn
