"""The claims about the lecture's temperature, a file a study."""

from __future__ import annotations

__all__ = ["TEMPERATURE"]

from lemmascope.theory.temperature.claims.temperature import CLAIMS as TEMPERATURE
