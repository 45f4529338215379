"""Keras's, over JAX or PyTorch."""

from __future__ import annotations

__all__ = ["LIBRARY"]

import os
import sys
from functools import partial
from importlib.util import find_spec
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = "jax" if find_spec("jax") is not None else "torch"  # TensorFlow is its default
    from keras import optimizers as keras

    def named(make: Any, name: str, *documented: Any, convention: str | None = None) -> Known:
        return Known(Subject(make, f"keras {name}", "keras", convention), *documented)

    return [
        named(
            keras.SGD,
            "SGD",
            "momentum as a velocity",
            "decoupled",
            "The learning rate is inside of the velocity, as in scikit-learn.",
            convention="velocity",
        ),
        named(
            partial(keras.SGD, nesterov=True),
            "SGD, nesterov",
            "Nesterov's velocity",
            "decoupled",
            convention="nesterov",
        ),
        named(
            keras.Adam,
            "Adam",
            "Adam",
            "decoupled",
            "ε is added before the bias correction, Kingma & Ba's shorter form (ε̂).",
        ),
        named(keras.Nadam, "Nadam", "NAdam", "decoupled", "Momentum is scheduled, faster than PyTorch's: ψ = 1."),
        named(
            partial(keras.RMSprop, centered=True),
            "RMSprop, centered",
            "centred RMSprop",
            "decoupled",
            "ε stands inside of the root; PyTorch has it outside.",
        ),
        named(keras.Lion, "Lion", "Lion", "decoupled"),
    ]


LIBRARY = Library("keras", ("keras",), _optimizers)
