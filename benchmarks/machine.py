"""The machine that a record is of: processor, cores, device, versions."""

from __future__ import annotations

__all__ = ["Others", "device", "file_name", "machine", "versions"]

import os
import platform
import re
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lemmascope.sims.run.provenance import processor

LIBRARIES = (
    "lemmascope",
    "numpy",
    "scipy",
    "numba",
    "threadpoolctl",
    "torch",
    "jax",
    "jaxlib",
    "cupy-cuda12x",
    "cupy-cuda13x",
)


def device() -> str | None:
    """The first accelerator that NVIDIA's driver lists; None where there is none."""
    if (command := shutil.which("nvidia-smi")) is None:
        return None
    query = [command, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    names = done.stdout.strip().splitlines()
    return names[0].strip() if names else None


def versions() -> dict[str, str]:
    """Python and the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processor, number of cores, device (or None), system and versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "device": device(),
        "system": platform.system(),
        "versions": versions(),
    }


def file_name(found: dict[str, Any]) -> str:
    """A name for the machine's record, of letters, digits and hyphens: "amd-epyc-2-cores"."""
    parts = [found["processor"], f"{found['cores']} cores", found["device"] or ""]
    plain = re.sub(r"\((?:R|TM|C)\)", "", " ".join(part for part in parts if part), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


class Others:
    """The share of this machine's processors that other programs had since this was made; None if it cannot be told."""

    def __init__(self) -> None:
        self._wall, self._rest = time.perf_counter(), _rest()

    @property
    def share(self) -> float | None:
        """Of all cores, 0 … 1."""
        wall, rest = time.perf_counter() - self._wall, _rest()
        if rest is None or self._rest is None or not wall:
            return None
        return min(1.0, max(0.0, (rest - self._rest) / (wall * (os.cpu_count() or 1))))


def _rest(path: Path = Path("/proc/stat")) -> float | None:
    """Seconds that the cores have worked for others than this process and what it has waited for; Linux counts them."""
    try:
        ticks = [int(x) for x in path.read_text("ascii").split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = ticks
    busy = (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
    return busy - sum(os.times()[:4])
