"""The claims about students and teachers, a file a study."""

from __future__ import annotations

__all__ = ["CLAIMS", "TEACHER"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.teacher.claims.teacher import CLAIMS as TEACHER

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in TEACHER}
