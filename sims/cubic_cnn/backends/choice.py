"""Which backend carries a run, and why."""

from __future__ import annotations

__all__ = ["BACKENDS", "Backend", "choose_backend"]

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends import compiled
from lemmascope.sims.cubic_cnn.backends.device import Device, Unavailable, find_device
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import Optimizer, recursion_of

BACKENDS = {
    "numpy": "the reference, on arrays of any library",
    "compiled": "machine code for the processor (Numba)",
    "cupy": "an NVIDIA GPU, through CuPy",
}
"""The backends by name. ``auto`` is cupy where there is a device, else compiled where it can run, else numpy."""


@dataclass(frozen=True)
class Backend:
    """The backend's name, the array library of its systems, and the sentence that says why it was taken."""

    name: str
    xp: Any
    reason: str


def choose_backend(asked: str, optimizers: Mapping[str, Optimizer], xp: Any = np) -> Backend:
    """Apply the rule above; ``asked`` is ``"auto"`` or one of `BACKENDS`.

    Raises:
        InputError: the backend asked for cannot run here, or not with these optimizers.
    """
    if asked not in ("auto", *BACKENDS):
        raise InputError("backend", asked, f"it must be auto, {', '.join(BACKENDS)}")
    if asked == "numpy" or (asked == "auto" and xp is not np):
        return Backend("numpy", xp, "asked for" if asked == "numpy" else "arrays of another library were asked for")
    device: Device | None = None
    where = "the fastest on this machine"
    if asked == "cupy" or find_spec("cupy") is not None:
        try:
            device = find_device()
        except Unavailable as error:
            if asked == "cupy":
                raise InputError("backend", asked, str(error)) from error
            where = f"no GPU is used: {error}"
    without = [name for name, optimizer in optimizers.items() if recursion_of(optimizer) is None]
    if device is not None and (asked == "cupy" or (asked == "auto" and not without)):
        import cupy

        return Backend("cupy", cupy, f"on {device.name}")
    problem = f"optimizer {without[0]} has no recursion(t)" if without else compiled.unavailable()
    if problem is None:
        return Backend("compiled", np, "asked for" if asked == "compiled" else where)
    if asked == "compiled":
        raise InputError("backend", asked, problem)
    return Backend("numpy", np, problem)
