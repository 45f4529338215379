"""The claims about algorithmic stability, a file a study."""

from __future__ import annotations

__all__ = ["CLAIMS", "STABILITY_GAP"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.stability.claims.stability_gap import CLAIMS as STABILITY_GAP

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in STABILITY_GAP}
