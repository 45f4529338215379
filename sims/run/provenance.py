"""Where a result comes from: the machine, the versions, and the code that computed it."""

from __future__ import annotations

__all__ = ["code_of", "machine_of", "processor"]

import hashlib
import os
import platform
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lemmascope.sims.study import Study

PACKAGE = Path(__file__).resolve().parents[2]
SHOWN = ("sims/figures", "sims/report")
"""Folders that show results and change none."""


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
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@cache
def _house() -> str:
    """A digest of the sources that compute: theory/ and sims/, less what only shows."""
    digest = hashlib.sha256()
    for house in ("theory", "sims"):
        for path in sorted((PACKAGE / house).rglob("*")):
            name = path.relative_to(PACKAGE).as_posix()
            if path.suffix in (".py", ".cu", ".cuh") and not name.startswith(SHOWN):
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def code_of(study: Study[Any]) -> str:
    """What makes the code that computes a study's parts the same code: the house's sources, and a user's own file."""
    if not study.file:
        return _house()
    return f"{_house()} {hashlib.sha256(Path(study.file).read_bytes()).hexdigest()[:16]}"
