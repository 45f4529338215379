"""Those of pytorch-optimizer."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import pytorch_optimizer as ours

    return [
        Known(
            Subject(ours.SGDW, "pytorch_optimizer.SGDW", "torch", "pytorch"),
            "momentum with the learning rate outside, decoupled decay",
            "decoupled",
        ),
        Known(Subject(ours.Lion, "pytorch_optimizer.Lion", "torch"), "Lion", "decoupled"),
        Known(Subject(ours.AdaBelief, "pytorch_optimizer.AdaBelief", "torch"), "AdaBelief", "decoupled"),
    ]


LIBRARY = Library("pytorch-optimizer", ("torch", "pytorch_optimizer"), _optimizers)
