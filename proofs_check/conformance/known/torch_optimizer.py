"""Those of torch-optimizer."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import torch_optimizer as ours

    return [
        Known(
            Subject(ours.SGDW, "torch_optimizer.SGDW", "torch", "pytorch"),
            "momentum with the learning rate outside, decoupled decay",
            "decoupled",
            "Its decay is none: it subtracts ηλ from each parameter, whatever its value and sign.",
        ),
        Known(
            Subject(ours.QHM, "torch_optimizer.QHM", "torch"),
            "quasi-hyperbolic momentum: the gradient and its average",
            "coupled",
            "It writes the decay into the gradient's own array.",
        ),
        Known(Subject(ours.AdaBelief, "torch_optimizer.AdaBelief", "torch"), "AdaBelief", "coupled"),
    ]


LIBRARY = Library("torch-optimizer", ("torch", "torch_optimizer"), _optimizers)
