r"""Optimizers as ``init / step``, written once for any array library.

An optimizer is a frozen object with two pure methods::

    state = optimizer.init(params)                               # buffers before the first step
    params, state = optimizer.step(params, grad, state, t)       # step number t = 0, 1, 2, …

``params`` and ``grad`` are one array each. An attribute ``linear = True`` says that the iterates are linear
combinations, with scalar coefficients that depend on t alone, of the initial parameters and of the gradients so far.
Such an optimizer commutes with every linear map, so it may run on the coefficients (c, Ξ) instead of on the weights
W, and on several seeds at once; one that is not, or does not say so (Adam, sign descent, gradient clipping), runs in
weight space only and is given one seed's weights at a time.

The linear ones are in `momentum`; Adam and its kin in `adaptive`, `sign`, `schedule_free` and `projected`.
"""

from __future__ import annotations

__all__ = [
    "FORMS",
    "GD",
    "SGDP",
    "AMSAdaMomentum",
    "AMSGrad",
    "AdaBelief",
    "AdaMomentum",
    "Adagrad",
    "Adam",
    "AdamP",
    "AdamW",
    "Adamax",
    "Lion",
    "MomentumAverage",
    "MomentumVelocity",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "PiecewiseConstant",
    "RMSprop",
    "Recursion",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SignSGD",
    "average_form",
    "describe",
    "is_linear",
    "recursion_of",
]

from lemmascope.theory.optimizers.adaptive import (
    AdaBelief,
    Adagrad,
    Adam,
    Adamax,
    AdaMomentum,
    AdamW,
    AMSAdaMomentum,
    AMSGrad,
    NAdam,
    RMSprop,
)
from lemmascope.theory.optimizers.base import Optimizer, PiecewiseConstant, Recursion, is_linear, recursion_of
from lemmascope.theory.optimizers.momentum import (
    FORMS,
    GD,
    MomentumAverage,
    MomentumVelocity,
    Nesterov,
    average_form,
    describe,
)
from lemmascope.theory.optimizers.projected import SGDP, AdamP
from lemmascope.theory.optimizers.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from lemmascope.theory.optimizers.sign import Lion, SignSGD
