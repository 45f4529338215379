"""What `lemmascope doctor` finds: libraries, threads, caches, memory, device, and what the machine can do."""

from __future__ import annotations

__all__ = ["examine", "findings"]

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from lemmascope.sims.cubic_cnn.backends.device import Unavailable, device_bandwidth, device_product_rate, find_device
from lemmascope.sims.cubic_cnn.cost import memory_available, spell_bytes
from lemmascope.sims.machine.limits import bandwidth, product_rate
from lemmascope.sims.run.provenance import processor

LARGE = 2**28
"""Bytes that each thread reads for the bandwidth: more than any cache."""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _caches() -> dict[str, str]:
    """Level and kind by size, of the first core, as Linux tells."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text("utf-8").strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def _compiled() -> dict[str, Any]:
    """Whether Numba is there and makes code that is right."""
    try:
        import llvmlite.binding as llvm
        import numba
    except ImportError as error:
        return {"works": False, "why not": f"Numba cannot be imported ({error}); pip install numba"}
    try:
        from lemmascope.sims.cubic_cnn.backends import loops, tiles

        x = np.linspace(0, 1, 9)
        out = np.empty_like(x)
        loops.log_one_plus(x, out)
        works = bool(np.allclose(out, np.log1p(x), rtol=1e-14))
    except Exception as error:
        return {"works": False, "numba": numba.__version__, "why not": f"{type(error).__name__}: {error}"}
    return {
        "works": works,
        "numba": numba.__version__,
        "LLVM": ".".join(map(str, llvm.llvm_version_info)),
        "vectors": f"{8 * tiles.VECTOR} bits",
        "cache": str(Path(loops.__file__).parent / "__pycache__"),
    }


def _gpu() -> dict[str, Any]:
    try:
        device = find_device()
    except Unavailable as error:
        return {"usable": False, "why not": str(error)}
    found: dict[str, Any] = {
        "usable": True,
        "device": device.name,
        "compute capability": f"{device.capability / 10:.1f}",
        "memory": f"{spell_bytes(device.free)} free of {spell_bytes(device.total)}",
        "multiprocessors": device.multiprocessors,
        "shared memory a block": spell_bytes(device.shared),
        "CuPy": device.cupy,
        "CUDA": "runtime {}.{}, driver {}.{}".format(*device.runtime, *device.driver),
    }
    try:
        found |= _measured_on_device()
    except Exception as error:  # whatever the device says is what the user needs to know
        found |= {"usable": False, "why not": f"a product on the device failed ({type(error).__name__}: {error})"}
    return found


def _measured_on_device() -> dict[str, Any]:
    rates = {f"product rate, {dtype}": _flops(device_product_rate(dtype)) for dtype in ("float64", "float32")}
    return {**rates, "bandwidth (copy, read and written)": _bytes(device_bandwidth())}


def _flops(rate: float) -> str:
    return f"{rate / 1e9:.3g} GFLOP/s"


def _bytes(rate: float) -> str:
    return f"{rate / 1e9:.3g} GB/s"


def _measured(cores: int) -> dict[str, str]:
    found = {}
    for dtype in ("float64", "float32"):
        with threadpool_limits(limits=1):
            found[f"product rate, {dtype}, one thread"] = _flops(product_rate(dtype, side=1024))
        found[f"product rate, {dtype}, {cores} threads"] = _flops(product_rate(dtype))
    for threads in sorted({1, cores}):
        found[f"reading memory, {threads} thread{'s' * (threads > 1)}"] = _bytes(bandwidth(LARGE, threads, repeats=3))
    return found


def _library(path: str) -> str:
    return Path(path).name.split("-")[0].split(".")[0]


def _threads(pool: dict[str, Any]) -> str:
    return f"{pool['version']}, {pool.get('architecture', '?')}, {pool['num_threads']} threads"


def examine(measure: bool = True) -> dict[str, dict[str, Any]]:
    """All findings by section, JSON-ready; the measurements take some seconds.

    Args:
        measure: whether to measure product rate and bandwidth.
    """
    cores = os.cpu_count() or 1
    names = ("lemmascope", "numpy", "scipy", "numba", "xarray", "sympy", "cupy-cuda13x", "cupy-cuda12x", "torch", "jax")
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = {f"{pool['internal_api']} ({_library(pool['filepath'])})": _threads(pool) for pool in pools}
    found: dict[str, dict[str, Any]] = {
        "software": {
            "Python": f"{platform.python_version()} ({sys.executable})",
            "system": platform.platform(),
            **{name: known for name in names if (known := _version(name)) is not None},
        },
        "processor": {
            "model": processor(),
            "cores": cores,
            **_caches(),
            "memory free": spell_bytes(memory_available()),
        },
        "BLAS": blas or {"none": "NumPy's products run without a library that can be seen"},
        "compiled backend": _compiled(),
        "GPU": _gpu(),
    }
    if measure:
        found["measured"] = _measured(cores)
    return found


def findings(found: dict[str, dict[str, Any]]) -> list[str]:
    """One sentence: which backend a run would take here, and why not a faster one."""
    compiled, gpu = found["compiled backend"], found["GPU"]
    if gpu["usable"]:
        return [f"Runs go to {gpu['device']} (--backend auto)."]
    best = "Runs are compiled for the processor (--backend auto)."
    if not compiled["works"]:
        best = f"Runs take the NumPy reference: {compiled['why not']}."
    return [best, f"No GPU is used: {gpu['why not']}."]
