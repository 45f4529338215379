"""CIFAR-10's and CIFAR-100's own files, python or binary, from their folder.

Any whole number of records ≥ 1 a file is read; the files as they are published have 10 000, CIFAR-100's 50 000.

A python file is a pickle, and a pickle may run code. Of these none does: `_Unpickler` knows the names that NumPy's
arrays are pickled with and no other, and stands in for each with a class of its own that only keeps what it is given;
before that, the opcodes are looked through for any that such a file has no use of.
"""

from __future__ import annotations

__all__ = ["Files", "find", "read"]

import io
import math
import pickle
import pickletools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lemmascope.sims.images.npz import LIMIT
from lemmascope.theory.errors import InputError

SIDE, CHANNELS = 32, 3
PIXELS = SIDE * SIDE * CHANNELS


@dataclass(frozen=True)
class Layout:
    """How one of the four downloads looks.

    Attributes:
        name: of the data; folder: the one that it unpacks to.
        train, test: its files.
        classes: labels are 0 … classes − 1.
        labels: their key in a pickle; "" for binary files.
        lead: bytes before a record's pixels, of which the last is the label.
    """

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    classes: int
    labels: str = ""
    lead: int = 0


FIVE = tuple(f"data_batch_{k}" for k in range(1, 6))
LAYOUTS = (
    Layout("CIFAR-10", "cifar-10-batches-py", FIVE, "test_batch", 10, labels="labels"),
    Layout("CIFAR-10", "cifar-10-batches-bin", tuple(f"{k}.bin" for k in FIVE), "test_batch.bin", 10, lead=1),
    Layout("CIFAR-100", "cifar-100-python", ("train",), "test", 100, labels="fine_labels"),
    Layout("CIFAR-100", "cifar-100-binary", ("train.bin",), "test.bin", 100, lead=2),
)


@dataclass(frozen=True)
class Files:
    """The files of a folder, all of which are there."""

    layout: Layout
    train: tuple[Path, ...]
    test: Path


def find(folder: Path) -> Files:
    """CIFAR's files in a folder, or in the one that a download unpacks to within it.

    Raises:
        InputError: there are none, some are missing, or they are larger than `LIMIT` bytes.
    """
    for layout in LAYOUTS:
        for place in (folder, folder / layout.folder):
            paths = [place / name for name in (*layout.train, layout.test)]
            there = [path.is_file() for path in paths]
            if not any(there):
                continue
            if not all(there):
                lacking = ", ".join(path.name for path, here in zip(paths, there, strict=True) if not here)
                raise InputError("data", str(folder), f"it lacks {lacking} of {layout.name}'s files")
            size = sum(path.stat().st_size for path in paths)
            if size > LIMIT:
                raise InputError("data", str(folder), f"its files have {size} bytes; {LIMIT} in all are read")
            return Files(layout, tuple(paths[:-1]), paths[-1])
    raise InputError(
        "data",
        str(folder),
        "it must be CIFAR-10's folder, with data_batch_1 … data_batch_5 and test_batch (or these as .bin), or "
        "CIFAR-100's, with train and test",
    )


def read(files: Files) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x (n, 32, 32, 3) uint8 and y (n,) int64 to train on, in the order of the files, and the same to test on.

    Raises:
        InputError: a file is truncated, is not CIFAR's, has a label out of range, or is a pickle that would run code.
    """
    parts = [_file(path, files.layout) for path in (*files.train, files.test)]
    x, y = (np.concatenate([part[k] for part in parts[:-1]]) for k in range(2))
    return x, y, *parts[-1]


def _file(path: Path, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    try:
        rows, labels = _pickled(path, layout.labels) if layout.labels else _binary(path, layout.lead)
    except InputError:
        raise
    except OSError as error:
        raise InputError("data", str(path), f"it must be a file that can be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle may be anything
        raise InputError("data", str(path), "it is truncated, damaged or no pickle as CIFAR's") from error
    if rows.ndim != 2 or rows.shape[1] != PIXELS or rows.dtype != np.uint8 or not len(rows):
        raise InputError(
            "data", str(path), f"its pixels must be (n, {PIXELS}) bytes, and are {rows.shape} of {rows.dtype}"
        )
    if labels.shape != rows.shape[:1]:
        raise InputError("data", str(path), f"its {len(rows)} images must have as many labels, and not {labels.shape}")
    if labels.min() < 0 or labels.max() >= layout.classes:
        raise InputError("data", str(path), f"a label of {layout.name} must be 0 … {layout.classes - 1}")
    x = rows.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(x), labels.astype(np.int64)


def _binary(path: Path, lead: int) -> tuple[np.ndarray, np.ndarray]:
    content, record = path.read_bytes(), lead + PIXELS
    if not content or len(content) % record:
        raise InputError(
            "data", str(path), f"it must be whole records of {record} bytes, and has {len(content)}; it is truncated"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    return rows[:, lead:], rows[:, lead - 1]


# --- pickles ---------------------------------------------------------------------------------------------------------

OPCODES = re.compile(
    "PROTO|FRAME|STOP|MARK|NONE|NEWTRUE|NEWFALSE|INT|BININT[12]?|LONG1|STRING|(SHORT_)?BINSTRING|UNICODE|"
    "(SHORT_)?BINUNICODE|BINUNICODE8|(SHORT_)?BINBYTES|BINBYTES8|BYTEARRAY8|(EMPTY_)?(LIST|TUPLE|DICT)|TUPLE[123]|"
    "APPENDS?|SETITEMS?|(STACK_)?GLOBAL|REDUCE|BUILD|MEMOIZE|PUT|GET|(LONG_)?BIN(PUT|GET)"
)
"""What numbers, text, lists, dictionaries and arrays are made of."""

TUPLES = 64
"""A file has some ten; many may lie within each other, deeper than can be taken apart."""


class _Array:
    """In the place of numpy's ``_reconstruct``: the state of the array.

    As it says how it takes a state, so do all that follow; the unpickler sets no attribute of any.
    """

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _FromBuffer(_Array):
    """In the place of numpy's ``_frombuffer``."""

    def __init__(self, buffer: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.state = None, shape, dtype, order in ("F", b"F"), buffer


class _Dtype(_Array):
    """In the place of ``numpy.dtype``."""

    def __init__(self, kind: Any, *_: Any) -> None:
        self.kind, self.state = kind, (None, "|")


class _Latin1(_Array):
    """In the place of ``_codecs.encode``: bytes, in pickles that Python 3 wrote for Python 2."""

    def __new__(cls, text: str, encoding: str) -> Any:
        """The bytes."""
        if encoding not in ("latin1", b"latin1"):
            raise ValueError
        return text.encode("latin1")


KNOWN: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FromBuffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    """Knows the names of NumPy's arrays alone."""

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.path = path

    def find_class(self, module: str, name: str) -> type:
        """A class of this file.

        Raises:
            InputError: it is another name.
        """
        if (module, name) not in KNOWN:
            raise _asks(self.path, f"{module}.{name}")
        return KNOWN[module, name]


def _asks(path: Path, what: str) -> InputError:
    why = f"it is a pickle that asks for {what}, as CIFAR's, of numbers and text, do not; such a one may run code"
    return InputError("data", str(path), why)


def _check(content: bytes, path: Path) -> None:
    """Refuse opcodes that are not needed, and places of the memo that would only take memory."""
    tuples = 0
    for count, (opcode, value, _) in enumerate(pickletools.genops(content)):
        if not OPCODES.fullmatch(opcode.name):
            raise _asks(path, opcode.name)
        tuples += "TUPLE" in opcode.name
        if tuples > TUPLES or (opcode.name.endswith("PUT") and int(value or 0) > count):
            raise InputError("data", str(path), "it is a pickle, and not as CIFAR's are made")


def _pickled(path: Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    content = path.read_bytes()
    _check(content, path)
    table = _Unpickler(content, path).load()
    if not isinstance(table, dict):
        raise InputError("data", str(path), "it must be a dictionary, as CIFAR's files are")
    found = {name.decode("latin1") if isinstance(name, bytes) else name: value for name, value in table.items()}
    for name in ("data", key):
        if name not in found:
            raise InputError("data", str(path), f"it must have {name!r}, as CIFAR's files have")
    labels = found[key]
    if isinstance(labels, list):
        if not all(type(label) is int and -(2**31) <= label < 2**31 for label in labels):
            raise InputError("data", str(path), f"its {key} must be integers")
        return _array(found["data"], path), np.array(labels, np.int64)
    return _array(found["data"], path), _array(labels, path)


def _array(kept: Any, path: Path) -> np.ndarray:
    """The array that a stand-in has the state of."""
    if not isinstance(kept, _Array):
        raise InputError("data", str(path), "its pixels must be an array of NumPy, and its labels a list or an array")
    _, shape, dtype, fortran, content = kept.state
    if not all(type(n) is int and n >= 0 for n in shape):
        raise InputError("data", str(path), "an array's shape must be whole numbers")
    kind = dtype.kind.decode("latin1") if isinstance(dtype.kind, bytes) else str(dtype.kind)
    order = dtype.state[1].decode("latin1") if isinstance(dtype.state[1], bytes) else str(dtype.state[1])
    if not re.fullmatch(r"[<>|=][iu][1248]", order + kind):
        raise InputError("data", str(path), "its arrays must be of integers")
    found = np.dtype(order + kind)
    if not isinstance(content, bytes | bytearray) or math.prod(shape) * found.itemsize != len(content):
        raise InputError("data", str(path), "an array has not as many numbers as it says")
    return np.frombuffer(content, found).reshape(shape, order="F" if fortran else "C")
