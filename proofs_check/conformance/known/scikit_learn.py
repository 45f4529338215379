"""scikit-learn's, of MLPClassifier and MLPRegressor."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

    def sgd(params: Any, learning_rate: float, momentum: float) -> Any:
        return SGDOptimizer(params, learning_rate_init=learning_rate, momentum=momentum, nesterov=False)

    def nesterov(params: Any, learning_rate: float, momentum: float) -> Any:
        return SGDOptimizer(params, learning_rate_init=learning_rate, momentum=momentum, nesterov=True)

    return [
        Known(
            Subject(sgd, "sklearn SGD", "scikit-learn", "velocity"),
            "momentum, the learning rate inside",
            None,
            "Under a schedule it is another algorithm than PyTorch's.",
        ),
        Known(
            Subject(nesterov, "sklearn SGD, nesterov", "scikit-learn", "nesterov"),
            "Nesterov's momentum, the learning rate inside",
        ),
        Known(
            Subject(AdamOptimizer, "sklearn Adam", "scikit-learn"),
            "Adam",
            None,
            "ε is added before the bias correction, as in Kingma & Ba's shorter form.",
            momentum=False,
        ),
    ]


LIBRARY = Library("scikit-learn", ("sklearn",), _optimizers)
