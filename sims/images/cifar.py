"""CIFAR-10's and CIFAR-100's own files, python or binary, from their folder.

Any whole number of records ≥ 1 a file is read; the files as they are published have 10 000, CIFAR-100's 50 000.

A python file is a pickle, and a pickle may run code. Of these none does: the module that would is not asked.
`pickletools` takes them apart into opcodes, and `_unpickled` knows those that numbers, text, lists, dictionaries and
arrays are made of; it stands in for the names that NumPy's arrays are pickled with, and any other is refused.
"""

from __future__ import annotations

__all__ = ["Files", "find", "read"]

import math
import pickletools
import re
from collections.abc import Callable
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


class _Array:
    """What a pickle says of an array; stands for numpy's ``_reconstruct``."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None


class _FromBuffer(_Array):
    """Stands for numpy's ``_frombuffer``."""

    def __init__(self, buffer: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.state = None, shape, dtype, order == "F", buffer


class _Dtype(_Array):
    """Stands for ``numpy.dtype``; its byte order is in its state."""

    def __init__(self, kind: Any, *_: Any) -> None:
        self.kind, self.state = kind, (None, "|")


def _encoded(text: str, encoding: str) -> bytes:
    """Stands for ``_codecs.encode``, as Python 3 has it in what it wrote for Python 2."""
    if encoding != "latin1":
        raise ValueError
    return text.encode("latin1")


KNOWN: dict[str, Callable[..., Any]] = {
    "numpy ndarray": _Array,
    "numpy dtype": _Dtype,
    "_codecs encode": _encoded,
    **{f"numpy.{core}.multiarray _reconstruct": _Array for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": _FromBuffer for core in ("core", "_core")},
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = re.compile("BININT[12]?|LONG1|(SHORT_)?BIN(STRING|UNICODE|BYTES)|BIN(UNICODE|BYTES)8|BYTEARRAY8")


def _unpickled(content: bytes, path: Path) -> Any:
    """What a pickle of protocol 2 or later builds, of numbers, text, lists, tuples, dictionaries and stand-ins.

    Raises:
        InputError: it asks for anything else.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[Any, Any] = {}

    def taken(since: int) -> list[Any]:
        found = stack[since:]
        del stack[since:]
        return found

    def named(name: str) -> Callable[..., Any]:
        if name not in KNOWN:
            raise _asks(path, name.replace(" ", "."))
        return KNOWN[name]

    for opcode, value, _ in pickletools.genops(content):
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE":
                stack.append(tuple(taken(marks.pop())))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack.append(tuple(taken(len(stack) - int(name[-1]))))
            case "APPEND" | "APPENDS" as name:
                items = taken(marks.pop() if name == "APPENDS" else len(stack) - 1)
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS" as name:
                items = taken(marks.pop() if name == "SETITEMS" else len(stack) - 2)
                stack[-1].update((_text(key), one) for key, one in zip(items[::2], items[1::2], strict=True))
            case "GLOBAL":
                stack.append(named(str(value)))
            case "STACK_GLOBAL":
                stack.append(named(" ".join(taken(len(stack) - 2))))
            case "REDUCE":
                function, arguments = taken(len(stack) - 2)
                if function not in KNOWN.values():
                    raise _asks(path, "a call")
                stack.append(function(*arguments))
            case "BUILD":
                (state,) = taken(len(stack) - 1)
                if not isinstance(stack[-1], _Array):
                    raise _asks(path, "the attributes of an object")
                stack[-1].state = state
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINPUT" | "LONG_BINPUT":
                memo[value] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[value])
            case name if name in CONSTANTS:
                stack.append(CONSTANTS[name])
            case name if VALUES.fullmatch(name):
                stack.append(value)
            case name:
                raise _asks(path, name)
    raise EOFError


def _asks(path: Path, what: str) -> InputError:
    why = f"it is a pickle that asks for {what}, as CIFAR's, of numbers and text, do not; such a one may run code"
    return InputError("data", str(path), why)


def _text(x: Any) -> str:
    """Text, which is bytes where Python 2 wrote it and Python 3 again."""
    if isinstance(x, bytes):
        return x.decode("latin1")
    if not isinstance(x, str):
        raise TypeError
    return x


def _pickled(path: Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    table = _unpickled(path.read_bytes(), path)
    if not isinstance(table, dict):
        raise InputError("data", str(path), "it must be a dictionary, as CIFAR's files are")
    for name in ("data", key):
        if name not in table:
            raise InputError("data", str(path), f"it must have {name!r}, as CIFAR's files have")
    labels = table[key]
    if isinstance(labels, list):
        if not all(type(label) is int and -(2**31) <= label < 2**31 for label in labels):
            raise InputError("data", str(path), f"its {key} must be integers")
        return _array(table["data"], path), np.array(labels, np.int64)
    return _array(table["data"], path), _array(labels, path)


def _array(kept: Any, path: Path) -> np.ndarray:
    """The array that a stand-in has the state of."""
    if not isinstance(kept, _Array):
        raise InputError("data", str(path), "its pixels must be an array of NumPy, and its labels a list or an array")
    _, shape, dtype, fortran, content = kept.state
    kind = _text(dtype.state[1]) + _text(dtype.kind)
    if not re.fullmatch(r"[<>|=][iu][1248]", kind):
        raise InputError("data", str(path), "its arrays must be of integers")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise InputError("data", str(path), "an array's shape must be whole numbers")
    if isinstance(content, str):
        content = content.encode("latin1")
    if math.prod(shape) * np.dtype(kind).itemsize != len(content):
        raise InputError("data", str(path), "an array has not as many numbers as it says")
    return np.frombuffer(content, kind).reshape(shape, order="F" if fortran else "C")
