"""Those of pytorch-optimizer."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import pytorch_optimizer as module

    return [
        Known(
            Subject(module.SGDW, "pytorch_optimizer.SGDW", "torch", "pytorch"),
            "momentum, the learning rate outside",
            "decoupled",
        ),
        Known(Subject(module.Lion, "pytorch_optimizer.Lion", "torch"), "Lion", "decoupled", momentum=False),
        Known(
            Subject(module.AdaBelief, "pytorch_optimizer.AdaBelief", "torch"),
            "AdaBelief",
            "decoupled",
            "A step in which an array has no gradient counts for its bias correction.",
            momentum=False,
        ),
    ]


LIBRARY = Library("pytorch-optimizer", ("torch", "pytorch_optimizer"), _optimizers)
