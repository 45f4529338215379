"""Arrays of plain numbers from an ``.npz`` archive: what its headers declare is known before a number is read.

Nothing is unpickled or evaluated: a header is one of those that ``numpy.savez`` writes for plain numbers, letter by
letter, or it is refused.
"""

from __future__ import annotations

__all__ = ["LIMIT", "read_arrays"]

import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from lemmascope.theory.errors import InputError

LIMIT = 2**30
"""Bytes of all numbers that are read, at most: 350 000 images of 32 × 32 × 3 bytes."""

CHUNK = 2**20
LONGEST = 10_000
"""Bytes of a header, as NumPy's own limit."""

HEADER = re.compile(
    rb"\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \((|\d+,|\d+(?:, \d+)+,?)\), \} *\n"
)
PLAIN = re.compile(r"[<>|=][biuf][1248]")


def read_arrays(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an archive by name.

    Args:
        path: the file.
        required, optional: the names that it must and may have.

    Raises:
        InputError: it is no such archive, is truncated or damaged, lacks a name or has another, holds something else
            than plain real numbers, or declares more than `LIMIT` bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path, required, optional)
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise InputError(
            "data", str(path), "it is truncated, damaged or no .npz file (numpy.savez makes one)"
        ) from error
    except Exception as error:  # a damaged archive may be anything
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    return InputError("data", str(path), "it cannot be read to its end; save it again with numpy.savez")


def _read(
    archive: zipfile.ZipFile, path: Path, required: Sequence[str], optional: Sequence[str]
) -> dict[str, np.ndarray]:
    names = [entry.filename.removesuffix(".npy") for entry in archive.infolist()]
    missing = [name for name in required if name not in names]
    if missing:
        raise InputError("data", str(path), f"it must hold the array{'s' * (len(missing) > 1)} {' and '.join(missing)}")
    for name in names:
        if name not in (*required, *optional) or names.count(name) > 1:
            raise InputError(
                "data", str(path), f"its arrays may be {', '.join((*required, *optional))}, each once; it has {name!r}"
            )
    found, left = {}, LIMIT
    for entry, name in zip(archive.infolist(), names, strict=True):
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError("data", str(path), f"{name} is encrypted or packed as numpy.savez packs nothing")
        with archive.open(entry) as file:
            found[name] = _array(file, path, name, left)
        left -= found[name].nbytes
    return found


def _array(file: IO[bytes], path: Path, name: str, left: int) -> np.ndarray:
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise InputError("data", str(path), f"{name} is no array as numpy.savez writes one")
    length = int.from_bytes(file.read(2 if start[6] == 1 else 4), "little")
    header = HEADER.fullmatch(file.read(length) if length <= LONGEST else b"")
    kind = header[1].decode("latin-1") if header else ""
    if header is None or not PLAIN.fullmatch(kind):
        raise InputError(
            "data", str(path), f"{name} must be an array of plain real numbers, and not of Python objects or text"
        )
    shape, dtype = tuple(int(n) for n in header[3].decode().split(",") if n.strip()), np.dtype(kind)
    size = math.prod(shape) * dtype.itemsize
    if size > left:
        raise InputError("data", str(path), f"{name} declares {size} bytes; {LIMIT} in all are read")
    array = np.empty(size, np.uint8)
    done = 0
    while done < size:
        part = file.read(min(CHUNK, size - done))
        if not part:
            raise _damaged(path)
        array[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    if file.read(1):  # reading beyond the end also compares the checksum
        raise _damaged(path)
    whole = array != 0 if dtype.kind == "b" else array.view(dtype)  # a byte may be more than 1
    order: Any = "F" if header[2] == b"True" else "C"
    return whole.reshape(shape, order=order).astype(dtype.newbyteorder("="), order="C", copy=False)
