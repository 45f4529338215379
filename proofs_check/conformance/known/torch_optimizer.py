"""Those of torch-optimizer."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import torch_optimizer as module

    return [
        Known(
            Subject(module.SGDW, "torch_optimizer.SGDW", "torch", "pytorch"),
            "momentum, the learning rate outside",
            "decoupled",
            "Its decay is none: it subtracts ηλ from each parameter, whatever its value and sign.",
            departs=("weight_decay[decoupled]",),
        ),
        Known(
            Subject(module.QHM, "torch_optimizer.QHM", "torch"),
            "quasi-hyperbolic momentum, ν = 0.7",
            "coupled",
            "It writes the decay into the gradient's own array.",
        ),
        Known(Subject(module.AdaBelief, "torch_optimizer.AdaBelief", "torch"), "AdaBelief", "coupled", momentum=False),
    ]


LIBRARY = Library("torch-optimizer", ("torch", "torch_optimizer"), _optimizers)
