"""The claims about images, a file a study."""

from __future__ import annotations

__all__ = ["BATCH_SIZE", "CLAIMS"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.images.claims.batch_size import CLAIMS as BATCH_SIZE

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in BATCH_SIZE}
