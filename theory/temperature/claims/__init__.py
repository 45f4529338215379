"""The claims about the lecture's temperature, a file a study."""

from __future__ import annotations

__all__ = ["CLAIMS", "TEMPERATURE"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.temperature.claims.temperature import CLAIMS as TEMPERATURE

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in TEMPERATURE}
