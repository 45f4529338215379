"""Labelled data as netCDF files, whole or not at all.

A file of ours ends with the SHA-256 of all bytes before it. What reads netCDF, which is HDF5, looks at the bytes that
its own header counts, and takes no notice of what follows.
"""

from __future__ import annotations

__all__ = ["image", "load", "save"]

import io
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from lemmascope.sims.checksums import CHANGED, ResultsError, read_whole, sha256
from lemmascope.sims.files import MARK, Output

KIND = "netcdf"
KINDS = "biufcSUMm"
"""Kinds of NumPy types that data may have: numbers, booleans, text, times."""


def image(data: xr.Dataset) -> bytes:
    """The bytes of a file of the data, with their checksum."""
    encoding = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in data.data_vars.items()
        if variable.dtype.kind in "fi" and variable.size > 1000
    }
    # Through memory: HDF5 that runs out of disk while writing can crash the interpreter.
    made = bytes(data.to_netcdf(engine="h5netcdf", encoding=encoding))
    return made + MARK + sha256(made).encode() + b"\n"


def save(data: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write a data set as netCDF; the file appears under its name when it is complete.

    Raises:
        InputError: what lies there was not written so, is no regular file, or is being written.
        OSError: the disk is full or read-only; an earlier file of that name is left as it was.
    """
    with Output(path, KIND) as output:
        output.write(image(data))
    return Path(path)


def load(path: str | os.PathLike[str], what: str = "labelled data", *, ours: bool = True) -> xr.Dataset:
    """Read a data set into memory.

    Args:
        path: the file.
        what: it is, for a message.
        ours: whether it must have a checksum; data of a user's own need none, and are read as they are.

    Raises:
        ResultsError: there is no such file, it was changed since it was written, or it is truncated or no netCDF file
            that holds all of its data itself: numbers and text, nothing that lies in other files or that is made
            into Python objects.
    """
    path = Path(path)
    content = read_whole(path, what)
    damaged = f"{path} cannot be read as {what}: it is truncated or no netCDF file"
    at = len(content) - len(MARK) - 65
    if at >= 0 and content.startswith(MARK, at):
        content, written = content[:at], content[at + len(MARK) : -1]
        if written != sha256(content).encode():
            raise ResultsError(f"{path} {CHANGED}")
    elif ours:
        raise ResultsError(f"{damaged} of this version of lemmascope: it does not end with a checksum")
    try:
        _check_contained(content)
        with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as handle:
            data = handle.load()
        _check_plain(data)
    except Elsewhere as error:
        raise ResultsError(f"{path} cannot be read as {what}: {error}") from error
    except Exception as error:  # whatever a damaged file is made into
        raise ResultsError(damaged) from error
    return data


class Elsewhere(Exception):
    """What is in a file is not all that would be read, or not plain."""


def _check_contained(content: bytes) -> None:
    """Raise `Elsewhere` unless a file's data lie in it, each as an array of numbers or text."""
    with h5py.File(io.BytesIO(content), "r") as file:
        todo: list[h5py.Group] = [file]
        seen: set[int] = set()
        while todo:
            group = todo.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise Elsewhere(f"{name!r} is a link, and files of lemmascope have none")
                found = group[name]
                if (address := h5py.h5o.get_info(found.id).addr) in seen:
                    continue
                seen.add(address)
                if isinstance(found, h5py.Group):
                    todo.append(found)
                elif isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
                    raise Elsewhere(f"the data of {name!r} would come from another file")


def _check_plain(data: xr.Dataset) -> None:
    """Raise `Elsewhere` unless names, values and attributes are text and numbers."""
    found = [(name, name) for name in data.dims] + list(data.attrs.items())
    for name, variable in data.variables.items():
        found += [(name, variable.values), *variable.attrs.items()]
    for name, x in found:
        if not (_plain(name) and _plain(x)):
            raise Elsewhere(f"{name!r} has something that is no number and no text")


def _plain(x: Any) -> bool:
    found = np.asarray(x)
    if found.dtype.kind == "O":
        return all(isinstance(one, str) and _unicode(one) for one in found.ravel())
    return found.dtype.kind in KINDS and (found.dtype.kind != "U" or all(map(_unicode, found.ravel().tolist())))


def _unicode(text: str) -> bool:
    """Not so are bytes that some other encoding wrote as text."""
    return not any("\ud800" <= c <= "\udfff" for c in text)
