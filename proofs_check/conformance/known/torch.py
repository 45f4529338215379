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

    return [
        Known(
            Subject(optim.SGD, "torch.optim.SGD", "torch", "pytorch"),
            "momentum with the learning rate outside",
            "coupled",
            "Its first gradient is not damped: dampening = γ is not the average form.",
        ),
        Known(
            Subject(nesterov, "torch.optim.SGD, nesterov", "torch", "nesterov_pytorch"),
            "Nesterov's momentum with the learning rate outside",
            "coupled",
        ),
        Known(Subject(optim.Adam, "torch.optim.Adam", "torch"), "Adam", "coupled"),
        Known(Subject(optim.AdamW, "torch.optim.AdamW", "torch"), "AdamW", "decoupled"),
        Known(
            Subject(optim.NAdam, "torch.optim.NAdam", "torch"),
            "NAdam",
            "coupled",
            "Momentum is scheduled, as Dozat proposed; optax's of the same name has no schedule.",
        ),
        Known(
            Subject(partial(optim.RMSprop, centered=True), "torch.optim.RMSprop, centered", "torch"),
            "centred RMSprop",
            "coupled",
            "ε stands outside of the root; Keras and optax have it inside.",
        ),
        Known(
            Subject(optim.Muon, "torch.optim.Muon", "torch"),
            "Muon: Nesterov's average, made orthogonal",
            "decoupled",
            "Takes matrices only, and makes them orthogonal by a polynomial: a step is in none of the forms.",
        ),
    ]


LIBRARY = Library("torch", ("torch",), _optimizers, 2)
