"""The claims about the cubic CNN, one file per theorem or lemma; `CLAIMS` has them all, by id.

The tuples are what is judged on which evidence: `TRAJECTORY` on the runs of a trajectory and on all of them together,
`PHASE` on a phase diagram, `SCALING` on fitted slopes.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "PHASE", "SCALING", "TRAJECTORY"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.cubic_cnn.claims import (
    cross_terms,
    gd,
    gdm,
    gradients,
    learning_rates,
    monotone,
    phase,
    scaling,
    stages,
    tensor_power,
)

TRAJECTORY: tuple[Claim, ...] = tuple(
    claim
    for module in (gd, learning_rates, gdm, gradients, monotone, cross_terms, stages, tensor_power)
    for claim in module.CLAIMS
)
PHASE: tuple[Claim, ...] = phase.CLAIMS
SCALING: tuple[Claim, ...] = scaling.CLAIMS
CLAIMS: dict[str, Claim] = {claim.id: claim for claim in (*TRAJECTORY, *PHASE, *SCALING)}
