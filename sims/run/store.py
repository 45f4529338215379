"""One zarr store with the results of a study's tasks, each written once and whole."""

from __future__ import annotations

__all__ = ["SCHEMA", "Store"]

import asyncio
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from lemmascope.sims.files import whole_file
from lemmascope.theory.errors import InputError

SCHEMA = "lemmascope-store/1"
METADATA = "zarr.json"
ARRAY = "results"
# Beside the chunks, where zarr lists no files; it also marks the folder as ours, and is never deleted.
LOCK = f"{ARRAY}/lemmascope.lock"


class _WholeFiles(LocalStore):
    """A folder whose files appear whole or not at all, on the disk too; zarr's own does not wait for the disk."""

    async def set(self, key: str, value: Buffer) -> None:
        def put() -> None:
            with whole_file(self.root / key) as temporary:
                temporary.write_bytes(value.to_bytes())

        await asyncio.to_thread(put)


class Store:
    """Results by task on the local disk: float64, NaN where missing; made by `create_or_open`, and a context manager.

    A task is one chunk, one file with a checksum. While the store is open no other process can open it; the lock ends
    with the process that holds it, even a killed one. ``xarray.open_zarr(path, consolidated=False)`` reads the folder
    at any time.

    Attributes:
        path: the folder.
        keys: names of the tasks, in order.
        damaged: keys of the tasks whose file was truncated or changed; they count as missing.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self._lock = path, lock
        self.keys: list[str] = []
        self.damaged: list[str] = []
        self._there: list[bool] = []

    @classmethod
    def create_or_open(
        cls,
        path: str | os.PathLike[str],
        fingerprint: dict[str, Any],
        keys: list[str],
        names: list[str],
        shape: tuple[int, ...],
        *,
        resume: bool,
        force: bool,
    ) -> Store:
        """A new store at ``path``; with ``resume`` the one that lies there, and with ``force`` in its place.

        ``force`` deletes results of ours only; it wins over ``resume``.

        Args:
            path: the folder.
            fingerprint: what makes a study the same study; JSON.
            keys: names of the tasks, all different.
            names: names of the variables in a task's result.
            shape: shape of a task's result.
            resume: continue a store of the same fingerprint, keys, names and shape; a missing one is begun.
            force: replace a store of any study.

        Raises:
            InputError: the store exists and neither is given, belongs to another study, is damaged or in use, or the
                folder holds something else.
            ValueError: the fingerprint is not JSON.
            OSError: it cannot be written.
        """
        path = Path(path)
        wanted = {"schema": SCHEMA, "fingerprint": fingerprint, "keys": keys, "names": names, "shape": shape}
        wanted = json.loads(json.dumps(wanted, allow_nan=False))
        if not keys or len(set(keys)) < len(keys):
            raise InputError("keys", len(keys), "give one key or more, all different")
        if not _ours(path):
            raise InputError("out", str(path), "it is no store of results, and is left alone; choose another")
        store = cls(path, _locked(path))
        try:
            store._prepare(wanted, resume=resume, force=force)
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, wanted: dict[str, Any], *, resume: bool, force: bool) -> None:
        self.keys = wanted["keys"]
        for leftover in [*self.path.glob(f".{METADATA}.*.partial"), *(self.path / ARRAY).glob(".*.partial")]:
            leftover.unlink()  # of a writer that was killed
        # The array's metadata come last when a store is made, and go last when it is deleted.
        array = self.path / ARRAY / METADATA
        if force or not any(array.parent.glob("c.*")):  # a store without results holds nothing to lose
            for file in [*array.parent.glob("c.*"), self.path / METADATA, array]:
                file.unlink(missing_ok=True)
            self._create(wanted)
        elif not resume:
            raise InputError("out", str(self.path), "it exists; --resume continues it, --force replaces it")
        else:
            self._compare(wanted)
        self._array = self._open()
        self._there = [self._readable(index) for index in range(len(self.keys))]

    def _create(self, wanted: dict[str, Any]) -> None:
        files, shape = _WholeFiles(self.path), wanted["shape"]
        (self.path / METADATA).unlink(missing_ok=True)
        zarr.create_group(files, attributes=wanted)
        zarr.create_array(
            files,
            name=ARRAY,
            shape=(len(self.keys), *shape),
            chunks=(1, *shape),
            dtype="float64",
            fill_value=np.nan,
            serializer=BytesCodec(endian="little"),
            filters=None,
            compressors=[Crc32cCodec()],
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=("task", *(f"axis_{k}" for k in range(len(shape)))),
        )

    def _compare(self, wanted: dict[str, Any]) -> None:
        try:
            found = zarr.open_group(_WholeFiles(self.path), mode="r").attrs.asdict()
            found["schema"], self._open()
        except Exception as error:  # whatever zarr makes of half a file
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(
                "out", str(self.path), "its metadata are damaged; its results are left alone, --force replaces them"
            ) from None
        other = []
        for name in wanted:
            a: Any = found.get(name)
            b = wanted[name]
            if a != b and isinstance(a, dict) and isinstance(b, dict):
                differing = [part for part in sorted({*a, *b}) if a.get(part) != b.get(part)]
                other += [f"{part} ({a.get(part)!r} there, {b.get(part)!r} here)" for part in differing]
            elif a != b:
                other.append(name)
        if other:
            raise InputError(
                "out",
                str(self.path),
                f"it holds another study, which differs in {', '.join(other)}; choose another "
                "folder, or --force replaces it",
            )

    def _open(self) -> zarr.Array:
        # A result that is all NaN is a result, and not a missing task.
        with zarr.config.set({"array.write_empty_chunks": True}):
            return zarr.open_array(_WholeFiles(self.path), path=ARRAY, mode="r+")

    def _readable(self, index: int) -> bool:
        """Whether the task's file is there and keeps its checksum."""
        if not self._file(index).exists():
            return False
        try:
            self._array[index]
        except ValueError:  # the checksum or the length is wrong
            self.damaged.append(self.keys[index])
            return False
        return True

    def _file(self, index: int) -> Path:
        zeros = (0,) * (self._array.ndim - 1)
        return self.path / ARRAY / self._array.metadata.encode_chunk_key((index, *zeros))

    def missing(self) -> list[int]:
        """Tasks that are not there, or damaged."""
        return [index for index, there in enumerate(self._there) if not there]

    @property
    def done(self) -> int:
        """How many tasks are there."""
        return sum(self._there)

    def write(self, index: int, array: np.ndarray) -> None:
        """Write a task's result; it is on the disk when this returns, and complete or absent whatever happens.

        Raises:
            ValueError: the array's shape is not the store's.
            OSError: the disk is full or gone; the tasks written before are unharmed.
        """
        array = np.asarray(array, dtype=np.float64)
        if array.shape != self._array.shape[1:]:
            raise ValueError(f"{self.keys[index]}: a result of shape {array.shape}, expected {self._array.shape[1:]}")
        self._array[index] = array
        self._there[index] = True

    def read(self) -> np.ndarray:
        """All results, (task, *shape); NaN where missing."""
        results = np.full(self._array.shape, np.nan)
        for index, there in enumerate(self._there):
            if there:
                results[index] = self._array[index]
        return results

    def close(self) -> None:
        """Let others open the store; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ours(path: Path) -> bool:
    """Whether there is nothing at ``path``, an empty folder, or a store of ours, even a damaged or unfinished one."""
    if not path.is_dir():
        return not path.exists()
    return (path / LOCK).is_file() or all(found == path / ARRAY and found.is_dir() for found in path.rglob("*"))


def _locked(path: Path) -> int:
    (path / LOCK).parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise InputError("out", str(path), "another process is working on it; wait for its end") from None
    except BaseException:
        os.close(lock)
        raise
    return lock
