"""Ours."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov


def _optimizers() -> list[Known]:
    return [
        Known(Subject(GD, "GD", "numpy", "gd"), "gradient descent"),
        Known(Subject(MomentumAverage, "MomentumAverage", "numpy", "average"), "momentum as a running average"),
        Known(Subject(MomentumVelocity, "MomentumVelocity", "numpy", "velocity"), "momentum as a velocity"),
        Known(Subject(Nesterov, "Nesterov", "numpy", "nesterov"), "Nesterov's momentum"),
    ]


LIBRARY = Library("own", (), _optimizers, 0, cost=1.0)
