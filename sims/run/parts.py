"""Parts: what a task's result is on the way, and a store of them in memory.

A part is a small labelled Dataset. On the disk and on the wire it is one ``.npz`` archive: its arrays, and beside them
dimensions, attributes and names as JSON. Every member has a checksum, and nothing in it is ever unpickled. Parts in
memory take the same way, so that neither the types nor the bits of a result depend on where it was kept.
"""

from __future__ import annotations

__all__ = ["Damaged", "Kept", "Parts", "decode", "encode", "longest_first"]

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import xarray as xr

from lemmascope.theory.errors import InputError

LABELS = "labels"
SCHEMA = "lemmascope-part/1"
KINDS = "biufcU"
"""Kinds of NumPy types that a part may hold: booleans, integers, real and complex numbers, text."""


class Damaged(ValueError):
    """The bytes are no whole part."""


class Parts(Protocol):
    """A store of parts by task: `Kept` in memory, `sims.run.store.Store` on the disk."""

    @property
    def path(self) -> Any:
        """Where they are, for a message."""

    @property
    def keys(self) -> list[str]:
        """Names of the tasks, in order."""

    def missing(self) -> list[int]:
        """Tasks that are not there."""

    @property
    def done(self) -> int:
        """How many are there."""

    def write(self, index: int, part: xr.Dataset) -> None:
        """Keep a task's part."""

    def read(self, index: int) -> xr.Dataset:
        """A task's part."""


class Kept:
    """A store in memory, for a study that nobody wants to resume.

    Args:
        keys: names of the tasks.
    """

    path = "memory"

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self._parts: dict[int, bytes] = {}

    def missing(self) -> list[int]:
        """Tasks that are not there."""
        return [index for index in range(len(self.keys)) if index not in self._parts]

    @property
    def done(self) -> int:
        """How many are there."""
        return len(self._parts)

    def write(self, index: int, part: xr.Dataset) -> None:
        """Keep a task's part."""
        self._parts[index] = encode(part, self.keys[index])

    def read(self, index: int) -> xr.Dataset:
        """A task's part."""
        return decode(self._parts[index], self.keys[index])


def longest_first(tasks: Sequence[Any], chosen: list[int]) -> list[int]:
    """The indices ``chosen`` by falling ``cost`` of their tasks, else in order: the last to end should be short."""
    return sorted(chosen, key=lambda index: -float(getattr(tasks[index], "cost", 0.0)))


def _array(name: str, key: str, x: Any) -> np.ndarray:
    found = np.asarray(x)
    if found.dtype.kind == "O" and all(isinstance(entry, str) for entry in found.ravel()):
        found = found.astype(str)
    if found.dtype.kind not in KINDS:
        raise InputError(f"part {key}: {name}", str(found.dtype), "a part holds numbers, booleans and text")
    return found


def encode(part: xr.Dataset, key: str) -> bytes:
    """A part as the bytes of an ``.npz`` archive.

    Raises:
        InputError: it is no Dataset, or holds what is neither a number nor text, or attributes that are not JSON.
    """
    if not isinstance(part, xr.Dataset):
        raise InputError(f"part {key}", type(part).__name__, "compute must return an xarray Dataset")
    arrays, variables = {}, {}
    for k, (name, variable) in enumerate(part.variables.items()):
        arrays[f"v{k}"] = _array(str(name), key, variable.values)
        variables[str(name)] = {
            "array": f"v{k}",
            "dims": [str(d) for d in variable.dims],
            "attrs": variable.attrs,
            "coordinate": name in part.coords,
        }
    labels = {"schema": SCHEMA, "key": key, "variables": variables, "attrs": part.attrs}
    try:
        text = json.dumps(labels, ensure_ascii=False)
    except TypeError as error:
        raise InputError(f"part {key}", "attributes", f"they must be JSON ({error})") from error
    arrays[LABELS] = np.frombuffer(text.encode(), dtype=np.uint8)
    target = io.BytesIO()
    np.savez(target, **arrays)  # type: ignore[arg-type]
    return target.getvalue()


def decode(data: bytes, key: str) -> xr.Dataset:
    """The inverse of `encode`.

    Raises:
        Damaged: the bytes are truncated or changed, or those of another task's part.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.testzip() is not None:
                raise Damaged("a checksum is wrong")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            labels = json.loads(arrays[LABELS].tobytes())
            if labels["schema"] != SCHEMA or labels["key"] != key:
                raise Damaged("it is another part")
            coords, variables = {}, {}
            for name, one in labels["variables"].items():
                made = xr.Variable(one["dims"], arrays[one["array"]], one["attrs"])
                (coords if one["coordinate"] else variables)[name] = made
            return xr.Dataset(variables, coords, labels["attrs"])
    except Damaged:
        raise
    except Exception as error:  # whatever half a file is made into
        raise Damaged(f"{type(error).__name__}: {error}") from error
