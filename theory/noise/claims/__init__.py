"""The claims about noise, a file a study."""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.claim import Claim

CLAIMS: dict[str, Claim] = {}
