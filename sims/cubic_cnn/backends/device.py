"""The GPU, if there is one that CuPy can use; and if not, why not, in one sentence that says what to do."""

from __future__ import annotations

__all__ = ["Device", "Unavailable", "cupy_or_refused", "device_bandwidth", "device_product_rate", "find_device"]

from dataclasses import dataclass
from typing import Any

from lemmascope.theory.errors import InputError

INSTALL = "pip install 'lemmascope[gpu]' (CUDA 13) or 'lemmascope[gpu12]' (CUDA 12)"
NO_DEVICE, OLD_DRIVER = 100, 35
"""cudaErrorNoDevice and cudaErrorInsufficientDriver."""
LEAST_FREE = 256 * 2**20
"""Bytes of device memory below which nothing is begun."""


class Unavailable(Exception):
    """There is no device to run on; the message is one sentence that says why, and what to install."""


@dataclass(frozen=True)
class Device:
    """What was found.

    Attributes:
        name: of the device; capability: 90 for compute capability 9.0.
        free, total: bytes of memory; shared: bytes of shared memory that a block may take.
        multiprocessors: how many.
        driver, runtime: versions of CUDA, as (major, minor).
        cupy: CuPy's version.
    """

    name: str
    capability: int
    free: int
    total: int
    shared: int
    multiprocessors: int
    driver: tuple[int, int]
    runtime: tuple[int, int]
    cupy: str


def _version(number: int) -> tuple[int, int]:
    """13000 is 13.0."""
    return number // 1000, number % 1000 // 10


def find_device() -> Device:
    """The current CUDA device.

    Raises:
        Unavailable: there is none that CuPy can use.
    """
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise Unavailable(f"CuPy cannot be imported, as {error.name} is missing: {INSTALL}") from error
        raise Unavailable(f"CuPy is not installed: {INSTALL}") from error
    except Exception as error:  # a library of another CUDA cannot be loaded, in many ways
        raise Unavailable(
            f"CuPy is installed for another CUDA or another NumPy ({_first_line(error)}): uninstall it and {INSTALL}"
        ) from error
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except Exception as error:
        raise Unavailable(_no_device(runtime, error)) from error
    if count == 0:
        raise Unavailable("the driver lists no CUDA device (is CUDA_VISIBLE_DEVICES empty?)")
    try:
        current = cupy.cuda.Device()
        found = runtime.getDeviceProperties(current.id)
        free, total = runtime.memGetInfo()
        built, driver = _version(runtime.runtimeGetVersion()), _version(runtime.driverGetVersion())
        name = found["name"]
        device = Device(
            name=name.decode() if isinstance(name, bytes) else str(name),
            capability=int(current.compute_capability),
            free=int(free),
            total=int(total),
            shared=int(found["sharedMemPerBlockOptin"]),
            multiprocessors=int(found["multiProcessorCount"]),
            driver=driver,
            runtime=built,
            cupy=str(cupy.__version__),
        )
    except Exception as error:
        raise Unavailable(f"the CUDA device does not answer ({_first_line(error)})") from error
    if driver[0] < built[0]:
        raise Unavailable(_old_driver(driver, built))
    if device.free < LEAST_FREE:
        raise Unavailable(
            f"{device.name} has {device.free / 2**20:.0f} MiB of memory free; other programs hold the rest, stop them"
        )
    return device


def cupy_or_refused() -> Any:
    """CuPy.

    Raises:
        InputError: it finds no device.
    """
    try:
        find_device()
    except Unavailable as error:
        raise InputError("backend", "cupy", str(error)) from error
    import cupy

    return cupy


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _old_driver(driver: tuple[int, int], built: tuple[int, int]) -> str:
    return (
        f"the NVIDIA driver supports CUDA {driver[0]}.{driver[1]} and CuPy was built for {built[0]}.{built[1]}: update "
        f"the driver, or {INSTALL}"
    )


def _no_device(runtime: Any, error: BaseException) -> str:
    status = getattr(error, "status", None)
    if status == NO_DEVICE:
        return "there is no CUDA device: the driver finds none"
    if status == OLD_DRIVER:
        try:
            driver, built = _version(runtime.driverGetVersion()), _version(runtime.runtimeGetVersion())
        except Exception:
            driver, built = (0, 0), (0, 0)
        if driver == (0, 0):
            return "there is no NVIDIA driver: install one from NVIDIA, or run on the processor"
        return _old_driver(driver, built)
    return f"CUDA does not start ({_first_line(error)})"


def _seconds(call: Any, times: int = 5) -> float:
    """Of a call on the device, by its own events, after one to warm up."""
    import cupy

    call()
    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    for _ in range(times):
        call()
    end.record()
    end.synchronize()
    return cupy.cuda.get_elapsed_time(start, end) / 1e3 / times


def device_product_rate(dtype: str, side: int = 4096) -> float:
    """Operations a second of a square product on the device."""
    import cupy

    a = cupy.random.random((side, side)).astype(dtype)
    out = cupy.empty_like(a)
    return 2.0 * side**3 / _seconds(lambda: cupy.matmul(a, a, out=out))


def device_bandwidth(size: int = 2**28) -> float:
    """Bytes a second, read and written, of a copy in the device's memory."""
    import cupy

    a = cupy.zeros(size, dtype=cupy.uint8)
    b = cupy.empty_like(a)
    return 2.0 * size / _seconds(lambda: cupy.copyto(b, a))
