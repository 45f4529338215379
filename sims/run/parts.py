"""Parts: what a task's result is on the way, and a store of them in memory.

A part is a small labelled Dataset. On the disk and on the wire it is one ``.npz`` archive: its arrays, and beside them
dimensions, attributes and names as JSON. Every member has a checksum, and nothing in it is ever unpickled. Parts in
memory take the same way, so that neither the types nor the bits of a result depend on where it was kept.
"""

from __future__ import annotations

__all__ = ["Damaged", "Kept", "Parts", "check_labelled", "decode", "encode", "longest_first"]

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import xarray as xr

from lemmascope.theory.errors import InputError

LABELS = "labels"
SCHEMA = "lemmascope-part/2"
KINDS = "biufcU"
"""Kinds of NumPy types that a part may hold: booleans, integers, real and complex numbers, text."""

RESERVED = {
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
}
"""Attributes that are netCDF's own."""

CHANGING = {"_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "dtype", "coordinates"}
"""Attributes of a variable by which netCDF changes what is read."""


class Damaged(ValueError):
    """The bytes are no whole part."""


class Parts(Protocol):
    """A store of parts by task: `Kept` in memory, `sims.run.store.Store` on the disk."""

    @property
    def path(self) -> Any:
        """The folder that they are in, for a message; None if they are in memory."""

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

    path = None

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


def check_labelled(data: Any, what: str) -> None:
    """Raise `InputError` unless it is a Dataset that parts and netCDF files hold without a change.

    Args:
        data: what a study's functions return.
        what: whose it is: "part cells seed=0".
    """
    if not isinstance(data, xr.Dataset):
        raise InputError(what, type(data).__name__, "it must be an xarray Dataset")
    for name in (*data.dims, *data.variables):
        if not _is_text(name) or not name or "/" in str(name):
            raise InputError(f"{what}: name", name, "it must be text without /")
    _attributes(data.attrs, what)
    for name, variable in data.variables.items():
        _array(variable.values, f"{what}: {name}")
        _attributes(variable.attrs, f"{what}: {name}")
        if CHANGING & set(variable.attrs) or " since " in str(variable.attrs.get("units")):
            changing = sorted({*CHANGING, "units"} & set(variable.attrs))
            raise InputError(f"{what}: attributes of {name}", changing, "netCDF changes what is read by them")


def _array(x: Any, what: str) -> np.ndarray:
    found = np.asarray(x)
    if found.dtype.kind == "O" and all(isinstance(entry, str) for entry in found.ravel()):
        found = found.astype(str)
    if found.dtype.kind not in KINDS:
        raise InputError(what, str(found.dtype), "it must be numbers, booleans or text")
    if found.dtype.kind == "U" and not all(map(_is_text, found.ravel().tolist())):
        raise InputError(what, "…", "its text must be Unicode without NUL")
    return found


def _attributes(attrs: Mapping[Any, Any], what: str) -> dict[str, Any]:
    """Attributes as JSON."""
    found = {}
    for name, x in attrs.items():
        if not _is_text(name) or not name or name in RESERVED:
            raise InputError(f"{what}: name of an attribute", name, "it must be text, and none of netCDF's own")
        x = x.tolist() if isinstance(x, np.generic | np.ndarray) else x
        each = x if isinstance(x, list | tuple) else [x]
        if not all(map(_is_text, each)) and not all(map(_is_number, each)):
            raise InputError(f"{what}: attribute {name}", x, "it must be text, a number, or a list of one of them")
        found[name] = x
    return found


def _is_text(x: Any) -> bool:
    return isinstance(x, str) and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in x)


def _is_number(x: Any) -> bool:
    return isinstance(x, float) or (isinstance(x, int) and not isinstance(x, bool) and -(2**63) <= x < 2**63)


def encode(part: xr.Dataset, key: str, of: str = "") -> bytes:
    """A part as the bytes of an ``.npz`` archive.

    Args:
        part: what a task's function returned.
        key: the task's name.
        of: what the store of parts is of; a part of another one is not read there.

    Raises:
        InputError: it is no Dataset, or holds what neither it nor netCDF can, see `check_labelled`.
    """
    what = f"part {key}"
    check_labelled(part, what)
    arrays, variables = {}, {}
    for k, (name, variable) in enumerate(part.variables.items()):
        arrays[f"v{k}"] = _array(variable.values, what)
        variables[name] = {
            "array": f"v{k}",
            "dims": variable.dims,
            "attrs": _attributes(variable.attrs, what),
            "coordinate": name in part.coords,
        }
    labels = {"schema": SCHEMA, "key": key, "of": of, "variables": variables, "attrs": _attributes(part.attrs, what)}
    arrays[LABELS] = np.frombuffer(json.dumps(labels, ensure_ascii=False).encode(), dtype=np.uint8)
    target = io.BytesIO()
    np.savez(target, **arrays)  # type: ignore[arg-type]
    return target.getvalue()


def decode(data: bytes, key: str, of: str = "") -> xr.Dataset:
    """The inverse of `encode`.

    Raises:
        Damaged: the bytes are truncated or changed, or those of another task's part or of another study's.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.testzip() is not None:
                raise Damaged("a checksum is wrong")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            labels = json.loads(arrays[LABELS].tobytes())
            if (labels["schema"], labels["key"], labels["of"]) != (SCHEMA, key, of):
                raise Damaged("it is another part")
            coords: dict[str, xr.Variable] = {}
            variables: dict[str, xr.Variable] = {}
            for name, one in labels["variables"].items():
                made = xr.Variable(one["dims"], arrays[one["array"]], one["attrs"])
                (coords if one["coordinate"] else variables)[name] = made
            return xr.Dataset(variables, coords, labels["attrs"])
    except Damaged:
        raise
    except Exception as error:  # whatever half a file is made into
        raise Damaged(f"{type(error).__name__}: {error}") from error
