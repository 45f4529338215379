"""Where a result comes from: the machine and the versions."""

from __future__ import annotations

__all__ = ["machine_of", "processor"]

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any


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


def processor() -> str:
    """The processor's model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
