"""Those of schedulefree."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import schedulefree as module

    def free(name: str, documented: str) -> Known:
        subject = Subject(getattr(module, name), f"schedulefree.{name}", "torch")
        return Known(
            subject,
            documented,
            None,
            "It computes in the gradient's own array, and in its steps x goes on without one.",
            momentum=False,
        )

    return [free("SGDScheduleFree", "schedule-free SGD"), free("AdamWScheduleFree", "schedule-free AdamW")]


LIBRARY = Library("schedulefree", ("torch", "schedulefree"), _optimizers)
