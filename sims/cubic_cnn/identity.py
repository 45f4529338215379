"""What makes a simulation the same simulation."""

from __future__ import annotations

__all__ = ["found_identity", "identity"]

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lemmascope.sims.cubic_cnn.probe import described_by
from lemmascope.sims.cubic_cnn.trajectory import load
from lemmascope.sims.files import ResultsError


def identity(problem: Any, optimizers: dict[str, Any], record: Any, run: dict[str, Any]) -> dict[str, Any]:
    """What makes a run the same run: everything but threads and memory."""
    p = problem.parameters
    digest = None
    if p is None:
        parts = [problem.X, problem.y, problem.w_star, problem.small]
        joined = b"|".join(b"" if part is None else part.tobytes() + str(part.shape).encode() for part in parts)
        digest = hashlib.sha256(joined).hexdigest()
    found = {
        "parameters": None if p is None else p.to_dict(),
        "data": digest,
        "m": problem.m,
        "lam": problem.lam,
        "sigma_0": getattr(problem, "sigma_0", None),
        "law": getattr(problem, "law", None),
        "optimizers": {k: described_by(k, o) for k, o in optimizers.items()},
        "record": repr(record),
        "run": {k: v for k, v in run.items() if k not in ("workers", "memory_limit")},
        "lemmascope_version": version("lemmascope"),
    }
    return json.loads(json.dumps(found))


def found_identity(path: Path) -> dict[str, Any] | None:
    """The identity of the run in a file; None where it holds no run of ours."""
    try:
        return json.loads(load(path).attrs.get("identity", "null"))
    except (ResultsError, ValueError):
        return None
