"""PyTorch's."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from functools import partial
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    from torch import optim

    def nesterov(params: Any, lr: float, momentum: float, weight_decay: float = 0.0, maximize: bool = False) -> Any:
        # PyTorch wants a momentum above 0 here.
        settings: dict[str, Any] = {"weight_decay": weight_decay, "maximize": maximize, "nesterov": momentum > 0}
        return optim.SGD(params, lr=lr, momentum=momentum, **settings)

    def other(name: str, documented: str, decay: str, remark: str = "", **settings: Any) -> Known:
        make = partial(getattr(optim, name), **settings)
        title = ", ".join([f"torch.optim.{name}", *settings])
        return Known(Subject(make, title, "torch"), documented, decay, remark, momentum=False)

    return [
        Known(
            Subject(optim.SGD, "torch.optim.SGD", "torch", "pytorch"),
            "momentum, the learning rate outside",
            "coupled",
            "Its first gradient is not damped: with dampening = γ it is not the average form.",
        ),
        Known(
            Subject(nesterov, "torch.optim.SGD, nesterov", "torch", "nesterov_pytorch"),
            "Nesterov's momentum, the learning rate outside",
            "coupled",
        ),
        other("Adam", "Adam", "coupled"),
        other("AdamW", "AdamW", "decoupled"),
        other(
            "NAdam",
            "NAdam",
            "coupled",
            "Momentum is scheduled, as Dozat proposed; optax has no schedule, Keras a faster one. Restored from its "
            "state it goes on a little otherwise: the single-precision product of its momenta takes another type.",
        ),
        other(
            "RMSprop", "centred RMSprop", "coupled", "ε stands outside of the root; Keras has it inside.", centered=True
        ),
    ]


LIBRARY = Library("torch", ("torch",), _optimizers, 2)
