"""Small files in the exact form of CIFAR's, as Python 2 pickled them or as bytes, and pickled again by Python 3."""

import io
import os
import pickle
import pickletools
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lemmascope.sims.images.data import Images, load

RECORDS = 3
"""A file."""

FORMS = ("CIFAR-10 python", "CIFAR-10 binary", "CIFAR-100 python", "CIFAR-100 binary")
FOLDERS = dict(
    zip(FORMS, ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-100-python", "cifar-100-binary"), strict=True)
)


@dataclass(frozen=True)
class Made:
    """What was written where."""

    folder: Path
    name: str
    classes: int
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def load(self) -> Images:
        return load(str(self.folder))


def names(form):
    ten, binary = form.startswith("CIFAR-10 "), form.endswith("binary")
    files = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"] if ten else ["train", "test"]
    return [f"{file}.bin" if binary else file for file in files]


def write(folder, form, *, inner=False):
    """The same images for all forms of a data set."""
    ten, binary = form.startswith("CIFAR-10 "), form.endswith("binary")
    place = folder / FOLDERS[form] if inner else folder
    place.mkdir(parents=True, exist_ok=True)
    rng, classes, files = np.random.default_rng(5), 10 if ten else 100, names(form)
    x, y = [], []
    for file in files:
        count = RECORDS if ten or file.startswith("test") else 5 * RECORDS
        rows, labels = rng.integers(0, 256, (count, 3072), dtype=np.uint8), rng.integers(0, classes, count)
        x.append(rows.reshape(count, 3, 32, 32).transpose(0, 2, 3, 1))
        y.append(labels)
        lead = labels[:, None] if ten else np.stack([labels // 5, labels], axis=1)
        content = np.hstack([lead.astype(np.uint8), rows]).tobytes() if binary else python_2(rows, labels, ten)
        (place / file).write_bytes(content)
    name = "CIFAR-10" if ten else "CIFAR-100"
    return Made(folder, name, classes, np.concatenate(x[:-1]), np.concatenate(y[:-1]), x[-1], y[-1])


def _text(content):
    return b"U" + bytes([len(content)]) + content


def _numbers(values):
    return b"](" + b"".join(b"K" + bytes([value]) for value in values) + b"e"


def python_2(rows, labels, ten, *, core="numpy.core"):
    """A dictionary as cPickle of Python 2 wrote it, opcode by opcode, with its memo."""
    n, content = len(rows), rows.tobytes()
    array = (
        b"c" + core.encode() + b".multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t"
        b"(K\x01K" + bytes([n]) + b"M\x00\x0c\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", len(content))
        + content
        + b"tb"
    )
    pairs = [
        (b"batch_label", _text(b"training batch 1 of 5")),
        (b"labels" if ten else b"fine_labels", _numbers(labels)),
    ]
    if not ten:
        pairs.append((b"coarse_labels", _numbers(labels // 5)))
    pairs += [(b"data", array), (b"filenames", b"](" + b"".join(_text(b"%d.png" % k) for k in range(n)) + b"e")]
    return b"\x80\x02}q\x01(" + b"".join(_text(key) + value for key, value in pairs) + b"u."


def pickle_again(folder, protocol, array, core):
    """CIFAR-10's python files, by Python 3 and by a NumPy of either layout."""
    other = {"numpy.core": b"numpy._core", "numpy._core": b"numpy.core"}[core]
    for name in names("CIFAR-10 python"):
        table = pickle.load(io.BytesIO((folder / name).read_bytes()), encoding="bytes")
        data, labels = table[b"data"], table[b"labels"]
        found = {"data": np.array(data), "labels": np.array(labels) if array else labels}
        content = pickle.dumps(found, protocol)
        if other in content:
            content = renamed(content, other, core.encode())
        assert core.encode() in content
        (folder / name).write_bytes(content)


def renamed(content, old, new):
    """Other names of modules, and no frames, which know their lengths."""
    for at in [at for opcode, _, at in pickletools.genops(content) if opcode.name == "FRAME"][::-1]:
        content = content[:at] + content[at + 9 :]
    for tail in (b".multiarray", b".numeric"):
        a, b = old + tail, new + tail
        content = content.replace(b"\x8c" + bytes([len(a)]) + a, b"\x8c" + bytes([len(b)]) + b)
        content = content.replace(b"c" + a + b"\n", b"c" + b + b"\n")
    return content


def touch(path):
    """Another time of its last change, whatever the clock's steps are."""
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now + 10**9, now + 10**9))
