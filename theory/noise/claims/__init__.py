"""The claims about noise, a file a study."""

from __future__ import annotations

__all__ = ["CLAIMS", "LOCAL_SGD"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.noise.claims.local_sgd import CLAIMS as LOCAL_SGD

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in LOCAL_SGD}
