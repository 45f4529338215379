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

    def other(name: str, documented: str, remark: str = "", **settings: Any) -> Known:
        make = partial(getattr(keras, name), **settings)
        title = ", ".join([f"keras {name}", *settings])
        return Known(Subject(make, title, "keras"), documented, "decoupled", remark, momentum=False)

    return [
        Known(
            Subject(keras.SGD, "keras SGD", "keras", "velocity"),
            "momentum, the learning rate inside",
            "decoupled",
            "Under a schedule it is another algorithm than PyTorch's.",
        ),
        Known(
            Subject(partial(keras.SGD, nesterov=True), "keras SGD, nesterov", "keras", "nesterov"),
            "Nesterov's momentum, the learning rate inside",
            "decoupled",
        ),
        other("Adam", "Adam", "ε is added before the bias correction, as in Kingma & Ba's shorter form."),
        other("Nadam", "NAdam", "Momentum is scheduled, faster than PyTorch's."),
        other("RMSprop", "centred RMSprop", "ε stands inside of the root; PyTorch has it outside.", centered=True),
        other("Lion", "Lion"),
    ]


LIBRARY = Library("keras", ("keras",), _optimizers, cost=4.0)
