"""Other people's optimizers of the Adam family, and ours: what the page shows, by the names that they go by.

A family is what a library calls an optimizer; what it is, is found.
"""

from __future__ import annotations

__all__ = ["FAMILIES", "LIBRARIES", "Shown", "shown"]

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known import check_installed
from lemmascope.theory import optimizers as ours
from lemmascope.theory.errors import InputError

FAMILIES = (
    "SGD",
    "Adam",
    "AdamW",
    "AMSGrad",
    "NAdam",
    "RAdam",
    "AdaBelief",
    "AdaMomentum",
    "Adamax",
    "RMSprop",
    "centred RMSprop",
    "Adagrad",
    "Lion",
    "signSGD",
    "schedule-free SGD",
    "schedule-free AdamW",
    "SGDP",
    "AdamP",
)


@dataclass(frozen=True)
class Shown:
    """An optimizer that the page shows.

    Attributes:
        family: what it is called.
        subject: how it is made.
        hidden: numbers that its maker does not take.
    """

    family: str
    subject: Subject
    hidden: tuple[tuple[str, float], ...] = ()


Found = tuple[str, str, Callable[..., Any]]


def _named(module: ModuleType, prefix: str, **families: str) -> list[Found]:
    return [(family.replace("_", " "), f"{prefix}{name}", getattr(module, name)) for name, family in families.items()]


def _own() -> list[Found]:
    found = _named(
        ours,
        "theory.optimizers.",
        Adam="Adam",
        AdamW="AdamW",
        AMSGrad="AMSGrad",
        NAdam="NAdam",
        AdaBelief="AdaBelief",
        AdaMomentum="AdaMomentum",
        AMSAdaMomentum="AdaMomentum",
        Adamax="Adamax",
        RMSprop="RMSprop",
        Adagrad="Adagrad",
        Lion="Lion",
        SignSGD="signSGD",
        MomentumAverage="SGD",
        MomentumVelocity="SGD",
        Nesterov="SGD",
        SGDP="SGDP",
        AdamP="AdamP",
    )
    free = _named(
        ours, "theory.optimizers.", ScheduleFreeSGD="schedule-free SGD", ScheduleFreeAdamW="schedule-free AdamW"
    )
    centred = ("centred RMSprop", "theory.optimizers.RMSprop, centred", partial(ours.RMSprop, centred=True))
    return [*found, *free, centred]


def _torch() -> list[Found]:
    from torch import optim

    found = _named(
        optim,
        "torch.optim.",
        SGD="SGD",
        Adam="Adam",
        AdamW="AdamW",
        NAdam="NAdam",
        RAdam="RAdam",
        Adamax="Adamax",
        RMSprop="RMSprop",
        Adagrad="Adagrad",
    )
    return [
        *found,
        ("AMSGrad", "torch.optim.Adam, amsgrad", partial(optim.Adam, amsgrad=True)),
        ("centred RMSprop", "torch.optim.RMSprop, centered", partial(optim.RMSprop, centered=True)),
    ]


def _optax() -> list[Found]:
    import optax
    from optax import contrib

    def free(learning_rate: Any, b1: float) -> Any:
        return contrib.schedule_free_sgd(learning_rate, b1=b1)

    def free_adamw(learning_rate: Any, b1: float, b2: float, eps: float) -> Any:
        return contrib.schedule_free_adamw(learning_rate, b1=b1, b2=b2, eps=eps)

    found = _named(
        optax,
        "optax.",
        sgd="SGD",
        adam="Adam",
        adamw="AdamW",
        amsgrad="AMSGrad",
        nadam="NAdam",
        radam="RAdam",
        adabelief="AdaBelief",
        adamax="Adamax",
        rmsprop="RMSprop",
        adagrad="Adagrad",
        lion="Lion",
        sign_sgd="signSGD",
    )
    return [
        *found,
        ("centred RMSprop", "optax.rmsprop, centered", partial(optax.rmsprop, centered=True)),
        ("RMSprop", "optax.rmsprop, eps_in_sqrt=False", partial(optax.rmsprop, eps_in_sqrt=False)),
        ("schedule-free SGD", "optax.contrib.schedule_free_sgd", free),
        ("schedule-free AdamW", "optax.contrib.schedule_free_adamw", free_adamw),
    ]


def _sklearn() -> list[Found]:
    from sklearn.neural_network import _stochastic_optimizers as sklearn

    return _named(sklearn, "sklearn.", SGDOptimizer="SGD", AdamOptimizer="Adam")


def _keras() -> list[Found]:
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = "jax" if find_spec("jax") is not None else "torch"
    from keras import optimizers as keras

    found = _named(
        keras,
        "keras.",
        SGD="SGD",
        Adam="Adam",
        AdamW="AdamW",
        Nadam="NAdam",
        Adamax="Adamax",
        RMSprop="RMSprop",
        Adagrad="Adagrad",
        Lion="Lion",
    )
    return [
        *found,
        ("AMSGrad", "keras.Adam, amsgrad", partial(keras.Adam, amsgrad=True)),
        ("centred RMSprop", "keras.RMSprop, centered", partial(keras.RMSprop, centered=True)),
    ]


def _pytorch_optimizer() -> list[Found]:
    import pytorch_optimizer as module

    return _named(
        module,
        "pytorch_optimizer.",
        AdaBelief="AdaBelief",
        Lion="Lion",
        SignSGD="signSGD",
        SGDP="SGDP",
        AdamP="AdamP",
        ScheduleFreeAdamW="schedule-free AdamW",
    )


def _torch_optimizer() -> list[Found]:
    import torch_optimizer as module

    return _named(module, "torch_optimizer.", AdaBelief="AdaBelief", RAdam="RAdam", SGDP="SGDP", AdamP="AdamP")


def _schedulefree() -> list[Found]:
    import schedulefree as module

    return _named(module, "schedulefree.", SGDScheduleFree="schedule-free SGD", AdamWScheduleFree="schedule-free AdamW")


_MAKERS: dict[str, tuple[Callable[[], list[Found]], str]] = {
    "own": (_own, "numpy"),
    "torch": (_torch, "torch"),
    "optax": (_optax, "optax"),
    "scikit-learn": (_sklearn, "scikit-learn"),
    "keras": (_keras, "keras"),
    "pytorch-optimizer": (_pytorch_optimizer, "torch"),
    "torch-optimizer": (_torch_optimizer, "torch"),
    "schedulefree": (_schedulefree, "torch"),
}
LIBRARIES = tuple(_MAKERS)


def shown(library: str) -> list[Shown]:
    """The optimizers of a library.

    Raises:
        InputError: it is none of those that the page shows, or is not installed.
    """
    if library not in _MAKERS:
        raise InputError("library", library, f"it must be one of {', '.join(_MAKERS)}")
    check_installed(library)
    make, driver = _MAKERS[library]
    return [Shown(family, Subject(maker, name, driver)) for family, name, maker in make()]
