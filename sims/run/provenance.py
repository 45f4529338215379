"""Where a result comes from, and what makes a run the same run."""

from __future__ import annotations

__all__ = ["found_identity", "identity", "machine_of", "processor", "provenance"]

import hashlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from lemmascope.sims.cubic_cnn.trajectory import TrajectoryError, load
from lemmascope.theory.optimizers import describe


def machine_of(wall: float) -> dict[str, Any]:
    """Command, versions, device and wall time (seconds) of what has just ended."""
    names = ("lemmascope", "numpy", "scipy", "xarray", "h5netcdf", "matplotlib")
    return {
        "command": ["lemmascope", *sys.argv[1:]],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(wall, 2),
        "device": {"kind": "cpu", "processor": processor(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in names}},
        "platform": platform.platform(),
    }


def provenance(wall: float, run: xr.Dataset) -> dict[str, Any]:
    """`machine_of` with how the run was carried out."""
    return machine_of(wall) | {
        "representation": run.attrs["representation"],
        "representation_reason": run.attrs["representation_reason"],
        "backend": run.attrs["backend"],
        "backend_reason": run.attrs["backend_reason"],
    }


def processor() -> str:
    """The processor's model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


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
        "optimizers": {k: describe(o) for k, o in optimizers.items()},
        "record": repr(record),
        "run": {k: v for k, v in run.items() if k not in ("workers", "memory_limit")},
        "lemmascope_version": version("lemmascope"),
    }
    return json.loads(json.dumps(found))


def found_identity(path: Path) -> dict[str, Any] | None:
    """The identity of the run in a file; None where it holds no run of ours."""
    try:
        return json.loads(load(path).attrs.get("identity", "null"))
    except (TrajectoryError, ValueError):
        return None
