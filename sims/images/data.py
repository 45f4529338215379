"""Images to train on: the digits that scikit-learn brings, a user's ``.npz`` file, or CIFAR's own folder.

``digits``
    1797 handwritten digits, 8 × 8, values 0 … 16; comes with scikit-learn, nothing is downloaded.
a file ``NAME.npz``
    ``x`` (n, H, W) or (n, H, W, C), channels last, bytes or real numbers; ``y`` (n,) integers, any two or more; perhaps
    ``x_test`` and ``y_test``. The classes are the distinct labels, in their order.
a folder
    CIFAR-10's or CIFAR-100's files, see `sims.images.cifar`; their test images are the test set.

Nothing in a file is ever run, and no more is read than `sims.images.npz.LIMIT` bytes.
"""

from __future__ import annotations

__all__ = ["CLASSES", "TESTED", "Images", "Part", "Split", "load", "split"]

import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.images import cifar
from lemmascope.sims.images.npz import read_arrays
from lemmascope.theory.errors import InputError, check_size

CLASSES = 1000
"""At most: more distinct labels are no classes but numbers to be predicted."""

TESTED = 10_000
"""Test images at most, as many as CIFAR has: the standard error of an accuracy is then 0.005 or less."""

LARGEST = 1e30
"""Of a pixel's magnitude, so that squares are finite and single precision holds it."""

CHUNK = 1024
"""Images that are normalized at a time."""


@dataclass(frozen=True)
class Images:
    """A data set; its arrays are read-only, and shared by all who load it.

    Attributes:
        name: in words.
        x: (n, H, W, C) uint8, float32 or float64.
        y: (n,) int64 labels 0 … K − 1.
        classes: K labels as the source has them.
        test: x and y of a test set of its own, or None.
        sha256: of the numbers, whatever file they are in.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    classes: tuple[int, ...]
    test: tuple[np.ndarray, np.ndarray] | None
    sha256: str


class Part(NamedTuple):
    """Normalized images x (k, H, W, C) and labels y (k,) int64."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Split:
    """Images to train on, to choose rates by, and to test on.

    Attributes:
        train, validation, test: no image is in two of them.
        mean, deviation: (C,) of the training images' channels, by which all three are normalized.
        missing: labels of which no image is trained on.
    """

    train: Part
    validation: Part
    test: Part
    mean: np.ndarray
    deviation: np.ndarray
    missing: tuple[int, ...]


# --- loading ---------------------------------------------------------------------------------------------------------

_LOADING = threading.Lock()


def load(source: str) -> Images:
    """A data set; the same arrays for all tasks of a process while its files are as they were.

    Args:
        source: "digits", the path of an ``.npz`` file, or that of a folder with CIFAR's files.

    Raises:
        InputError: it is not there, damaged, too large, not as this module says, or would run code.
    """
    if not isinstance(source, str) or not source or "\0" in source:
        raise InputError("data", source, "it must be digits, an .npz file, or a folder with CIFAR's files")
    with _LOADING:
        if source == "digits":
            return _loaded(source, ())
        path, files = Path(source), []
        try:
            if path.is_dir():
                found = cifar.find(path)
                files = [*found.train, found.test]
            elif path.is_file():
                files = [path]
            stamp = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
        except OSError as error:
            raise InputError("data", source, f"it must be possible to read it ({error.strerror})") from error
        if not files:
            raise InputError("data", source, "there is no such file or folder; give digits, FILE.npz or CIFAR's folder")
        return _loaded(source, stamp)


@lru_cache(maxsize=1)
def _loaded(source: str, stamp: tuple[Any, ...]) -> Images:
    """``stamp`` is what the files are known by."""
    if source == "digits":
        x, y = _digits()
        return _made("digits", x, y, tuple(range(10)), None)
    path = Path(source)
    if path.is_dir():
        files = cifar.find(path)
        x, y, x_test, y_test = cifar.read(files)
        return _made(files.layout.name, x, y, tuple(range(files.layout.classes)), (x_test, y_test))
    return _own(path, source)


def _own(path: Path, source: str) -> Images:
    """A user's file."""
    arrays = read_arrays(path, ("x", "y"), ("x_test", "y_test"))
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise InputError("data", source, "x_test and y_test come together")
    x, y = _pixels(arrays["x"], "x", source), _labels(arrays["y"], "y", source, len(arrays["x"]))
    names = np.unique(y)
    if names.size > CLASSES:
        raise InputError("data", source, f"y has {names.size} distinct labels; {CLASSES} classes are the most")
    test = None
    if "x_test" in arrays:
        x_test = _pixels(arrays["x_test"], "x_test", source)
        y_test = _labels(arrays["y_test"], "y_test", source, len(x_test))
        if x_test.shape[1:] != x.shape[1:]:
            raise InputError("data", source, f"x_test must have images of {x.shape[1:]}, and not {x_test.shape[1:]}")
        if not np.isin(y_test, names).all():
            raise InputError("data", source, "y_test has a label that y has not")
        test = x_test, np.searchsorted(names, y_test)
    return _made(path.name, x, np.searchsorted(names, y), tuple(int(name) for name in names), test)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """From the file that scikit-learn brings: to import all of it takes seconds."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise InputError("data", "digits", "they come with scikit-learn: pip install 'lemmascope[scikit-learn]'")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        table = np.loadtxt(path, delimiter=",", dtype=np.int64)
    else:
        from sklearn.datasets import load_digits

        table = np.column_stack([load_digits().data, load_digits().target]).astype(np.int64)
    return table[:, :-1].astype(np.uint8).reshape(-1, 8, 8, 1), table[:, -1]


def _pixels(x: np.ndarray, name: str, source: str) -> np.ndarray:
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or 0 in x.shape:
        raise InputError("data", source, f"{name} must be (n, H, W) or (n, H, W, C), none of them 0, and is {x.shape}")
    if x.shape[1] in (1, 3) and x.shape[3] > 4:
        raise InputError("data", source, f"{name} is {x.shape}: channels come last, (n, H, W, C)")
    kept = {"b": np.dtype("u1"), "f": np.promote_types(x.dtype, "f4")}.get(x.dtype.kind, np.dtype("f8"))
    with np.errstate(invalid="ignore"):
        x = np.ascontiguousarray(x, x.dtype if x.dtype == np.uint8 else kept)
        if x.dtype.kind == "f" and not all(np.all(np.abs(x[chunk]) <= LARGEST) for chunk in _chunks(len(x))):
            raise InputError("data", source, f"a pixel of {name} is NaN, infinite or beyond {LARGEST:g}")
    return x


def _labels(y: np.ndarray, name: str, source: str, count: int) -> np.ndarray:
    if y.dtype.kind not in "iub":
        raise InputError("data", source, f"{name} must be integers, one a class, and is {y.dtype}; see numpy.astype")
    if y.shape != (count,):
        raise InputError("data", source, f"{name} must be {(count,)}, a label for each image, and is {y.shape}")
    return y


def _made(
    name: str, x: np.ndarray, y: np.ndarray, classes: tuple[int, ...], test: tuple[np.ndarray, np.ndarray] | None
) -> Images:
    if len(np.unique(y)) < 2:
        raise InputError("data", name, "all its labels are of one class; there is nothing to tell apart")
    digest = hashlib.sha256(repr(classes).encode())
    pairs = [(x, np.ascontiguousarray(y, np.int64))]
    if test is not None:
        pairs.append((test[0], np.ascontiguousarray(test[1], np.int64)))
    for array in (array for pair in pairs for array in pair):
        array.setflags(write=False)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return Images(name, *pairs[0], classes, pairs[1] if test is not None else None, digest.hexdigest())


# --- splitting -------------------------------------------------------------------------------------------------------


def _chunks(count: int) -> Iterator[slice]:
    for first in range(0, count, CHUNK):
        yield slice(first, first + CHUNK)


def split(images: Images, train_size: int, validation_size: int, rng: np.random.Generator, dtype: Any) -> Split:
    """Training and validation images at random, without regard to their classes, and those to test on.

    The test set is the data's own, or what is left; of either at most `TESTED` images, at random from what is left and
    the first of their own. A channel that is constant in the training images
    is shifted alone.

    Args:
        images: of `load`.
        train_size, validation_size: how many.
        rng: draws the order; the sizes aside, nothing else does.
        dtype: of the normalized images, float32 or float64.

    Raises:
        InputError: there are not so many images, none would be left to test on, or a pixel is too large for ``dtype``.
    """
    n = len(images.y)
    check_size("train_size", train_size, 2)
    check_size("validation_size", validation_size)
    number = np.dtype(dtype)
    if number not in (np.float32, np.float64):
        raise InputError("dtype", str(dtype), "it must be float32 or float64")
    left = n - train_size - validation_size
    if left < 0 or (left == 0 and images.test is None):
        own = "of" if images.test is not None else "less than all of"
        why = f"with validation_size = {validation_size} it must be {own} the {n} images of {images.name}"
        raise InputError("train_size", train_size, why)
    order = rng.permutation(n)
    train, validation, rest = np.split(order, [train_size, train_size + validation_size])
    mean, deviation = _moments(images.x, train)
    scale = np.where(deviation > 0, deviation, 1.0)

    def part(x: np.ndarray, y: np.ndarray, index: np.ndarray) -> Part:
        found = np.empty((len(index), *x.shape[1:]), number)
        for chunk in _chunks(len(index)):
            with np.errstate(over="ignore"):
                found[chunk] = (x[index[chunk]] - mean) / scale
            if not np.all(np.isfinite(found[chunk])):
                raise InputError("dtype", number.name, "a pixel is beyond it once the training images have deviation 1")
        return Part(found, y[index])

    x, y = images.x, images.y
    if images.test is None:
        tested = part(x, y, rest[:TESTED])
    else:
        tested = part(*images.test, np.arange(min(TESTED, len(images.test[1]))))
    absent = np.setdiff1d(np.arange(len(images.classes)), y[train])
    missing = tuple(images.classes[k] for k in absent)
    return Split(part(x, y, train), part(x, y, validation), tested, mean, deviation, missing)


def _moments(x: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C,) of the channels of some images, in double precision."""
    count = index.size * x.shape[1] * x.shape[2]
    total, squares = np.zeros(x.shape[3]), np.zeros(x.shape[3])
    for chunk in _chunks(index.size):
        total += x[index[chunk]].sum(axis=(0, 1, 2), dtype=np.float64)
    mean = total / count
    for chunk in _chunks(index.size):
        squares += ((x[index[chunk]] - mean) ** 2).sum(axis=(0, 1, 2))
    return mean, np.sqrt(squares / count)
