"""Those of schedulefree."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import schedulefree as ours

    return [
        Known(Subject(ours.SGDScheduleFree, "schedulefree.SGDScheduleFree", "torch"), "schedule-free SGD", "decoupled"),
        Known(
            Subject(ours.AdamWScheduleFree, "schedulefree.AdamWScheduleFree", "torch"),
            "schedule-free AdamW",
            "decoupled",
        ),
    ]


LIBRARY = Library("schedulefree", ("torch", "schedulefree"), _optimizers)
