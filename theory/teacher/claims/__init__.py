"""The claims about students and teachers, a file a study."""

from __future__ import annotations

__all__ = ["TEACHER"]

from lemmascope.theory.teacher.claims.teacher import CLAIMS as TEACHER
