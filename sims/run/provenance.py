"""Where a result comes from: the machine, the versions, and the code that computed it."""

from __future__ import annotations

__all__ = ["code_of", "machine_of", "processor"]

import ast
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
    """What makes the code that computes a study's parts the same code.

    That is the house's sources and, for a study of a user's own, its file and what the file imports that lies beside
    it.
    """
    if not study.file:
        return _house()
    digest = hashlib.sha256(study.source.encode())
    for path in sorted(_beside(study.source, Path(study.file).parent, set())):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{_house()} {digest.hexdigest()[:16]}"


def _beside(source: str | bytes, folder: Path, found: set[Path]) -> set[Path]:
    """The files of a folder that a module in it imports, and those that they import."""
    names = set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return found  # what cannot be run imports nothing
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    for name in names:
        for path in [folder / f"{name}.py", *(folder / name).rglob("*.py")]:
            if path.is_file() and path not in found:
                found.add(path)
                _beside(path.read_bytes(), folder, found)
    return found
