"""Files that appear whole or not at all."""

from __future__ import annotations

__all__ = [
    "LOCK",
    "PROVENANCE",
    "ResultsError",
    "ResultsFolder",
    "check_ours",
    "check_writable",
    "digest",
    "read_table",
    "refuse_other",
    "whole_file",
    "write_json",
]

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from lemmascope.theory.errors import InputError

PROVENANCE = "provenance.json"
LOCK = "parts/parts.lock"
"""Marks a folder as that of a study, before its results are there."""


class ResultsError(ValueError):
    """A results file is missing, truncated or not one of ours; the message says which."""


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path``, which takes its name when the block ends without an error.

    Raises:
        OSError: the disk is full or read-only; a file that was there before is left as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        _settle(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _umask() -> int:
    """The process's; to read it is to set it, in all threads, for an instant: once is enough."""
    found = os.umask(0o077)
    os.umask(found)
    return found


def _settle(folder: Path) -> None:
    """Let the names in a folder be on the disk too: a power failure would else undo a rename."""
    with suppress(OSError):  # not every file system can, and not everyone may read the folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON (strict: no NaN or infinity), whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_ours(folder: Path) -> None:
    """Raise `InputError` unless a folder may be written to.

    That is so if it is not there, holds no file, or holds results of ours, even damaged or unfinished ones.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("out", str(folder), "it must be a folder, and this is a file")
    ours = (folder / LOCK).is_file() or isinstance(read_table(folder / PROVENANCE).get("fingerprint"), dict)
    if not ours and not _empty(folder):
        raise InputError("out", str(folder), "it holds files that are no results of lemmascope; choose another folder")


def _empty(folder: Path) -> bool:
    """Whether there is no file in it, or no folder."""
    return all(path.is_dir() and not path.is_symlink() for path in folder.rglob("*"))


def read_table(path: Path) -> dict[str, Any]:
    """The table in a JSON file; empty where the file is missing or damaged, or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def refuse_other(path: Path, field: str, fingerprint: dict[str, Any] | None, found: dict[str, Any] | None) -> None:
    """Raise `InputError` unless what lies at ``path`` came from the same run."""
    if found is None or found != fingerprint:
        raise InputError(field, str(path), "it exists with other results; choose another, or --force replaces them")


class ResultsFolder:
    """A folder of results, filled aside and moved into place in one go at the end.

    Within the block, `partial` is an empty folder on the same disk. On a clean end its files replace those of the same
    name in ``path``, and those that earlier results had and these have not are deleted, ``provenance.json`` coming
    last; it lists what belongs to the results, and other files there are left alone. On an error or an interrupt
    nothing of ``path`` has changed.

    The move is one file after the other. While it lasts ``provenance.json`` says ``"complete": false``; a folder that
    is left so, by an interrupt in that instant, holds no whole results, and any run may replace it.

    Args:
        path: the folder.
        fingerprint: what makes a run the same run; kept in ``provenance.json``.
        force: replace the results of another run.
        aside: the folder in which it is filled, on the same disk; default that of ``path``.

    Raises:
        InputError: the folder holds other results and there is no ``force``, holds files that are no results of ours,
            or is a file.
        OSError: it cannot be written.
    """

    SPACE = 32 * 2**20

    def __init__(
        self,
        path: str | os.PathLike[str],
        fingerprint: dict[str, Any],
        *,
        force: bool = False,
        aside: Path | None = None,
    ) -> None:
        self.path, self.fingerprint = Path(path), json.loads(json.dumps(fingerprint))
        self._aside = aside or self.path.parent
        self._values: dict[str, Any] = {}
        check_ours(self.path)
        found = read_table(self.path / PROVENANCE)
        if not force and found.get("complete") is not False and not _empty(self.path):
            refuse_other(self.path, "out", self.fingerprint, found.get("fingerprint"))

    def __enter__(self) -> ResultsFolder:
        self._aside.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._aside).free
        if free < self.SPACE:
            raise InputError("out", str(self.path), f"its disk has {free / 2**20:.0f} MiB free, and 32 MiB are needed")
        self.partial = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".partial", dir=self._aside))
        return self

    def provenance(self, values: dict[str, Any]) -> None:
        """What ``provenance.json`` is to say, beside the fingerprint and the SHA-256 of each file."""
        self._values = values

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._move()
        finally:
            shutil.rmtree(self.partial, ignore_errors=True)

    def _move(self) -> None:
        paths = sorted(path for path in self.partial.rglob("*") if path.is_file())
        files = {path.relative_to(self.partial).as_posix(): digest(path) for path in paths}
        before = self._listed()
        written = {"fingerprint": self.fingerprint, **self._values, "files": files}
        write_json(self.partial / PROVENANCE, written)
        moving = self.partial / f"{PROVENANCE}.moving"
        # What is left by an interrupt belongs to the old results or to the new ones.
        write_json(moving, {"fingerprint": self.fingerprint, "complete": False, "files": sorted({*before, *files})})
        self.path.mkdir(parents=True, exist_ok=True)
        os.replace(moving, self.path / PROVENANCE)
        for name in files:
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.partial / name, target)
        for name in set(before) - set(files):
            (self.path / name).unlink(missing_ok=True)
            with suppress(OSError):  # other files are in it
                if (self.path / name).parent != self.path:
                    (self.path / name).parent.rmdir()
        os.replace(self.partial / PROVENANCE, self.path / PROVENANCE)
        _settle(self.path)

    def _listed(self) -> list[str]:
        """The files of earlier results that lie in the folder and nowhere else, whatever its provenance says."""
        found, inside = read_table(self.path / PROVENANCE).get("files", ()), self.path.resolve()
        if not isinstance(found, dict | list):
            return []
        paths = [PurePosixPath(name) for name in found if isinstance(name, str)]
        names = [path.as_posix() for path in paths if ".." not in path.parts]
        there = [name for name in names if name not in (PROVENANCE, LOCK) and (self.path / name).is_file()]
        return sorted(name for name in there if (self.path / name).parent.resolve().is_relative_to(inside))


def check_writable(path: Path) -> None:
    """Make the folder of ``path``, and raise `OSError` now if a file could not be written there later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass
