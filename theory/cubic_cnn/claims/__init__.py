"""The claims about the cubic CNN, one file per theorem or lemma; `CLAIMS` has them all, by id."""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.cubic_cnn.claims import (
    cross_terms,
    gd,
    gdm,
    gradients,
    learning_rates,
    monotone,
    stages,
    tensor_power,
)
from lemmascope.theory.verdict import Claim

CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for module in (gd, learning_rates, gdm, gradients, monotone, cross_terms, stages, tensor_power)
    for claim in module.CLAIMS
}
