"""The claims about scale-invariant weights, a file a study."""

from __future__ import annotations

__all__ = ["CLAIMS", "INTRINSIC_LR"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.scale_invariant.claims.intrinsic_lr import CLAIMS as INTRINSIC_LR

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in INTRINSIC_LR}
