"""Files that appear whole or not at all."""

from __future__ import annotations

__all__ = ["PROVENANCE", "ResultsError", "ResultsFolder", "check_writable", "refuse_other", "whole_file", "write_json"]

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from lemmascope.theory.errors import InputError

PROVENANCE = "provenance.json"


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
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON (strict: no NaN or infinity), whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def refuse_other(path: Path, field: str, fingerprint: dict[str, Any] | None, found: dict[str, Any] | None) -> None:
    """Raise `InputError` unless what lies at ``path`` came from the same run."""
    if found is None or found != fingerprint:
        raise InputError(field, str(path), "it exists with other results; choose another, or --force replaces them")


class ResultsFolder:
    """A folder of results, filled aside and moved into place in one go at the end.

    Within the block, `partial` is an empty folder on the same disk. On a clean end its files replace those of the same
    name in ``path``, ``provenance.json`` last; other files there are left alone. On an error or an interrupt
    nothing of ``path`` has changed.

    The move is one file after the other. While it lasts ``provenance.json`` says ``"complete": false``; a folder that
    is left so, by an interrupt in that instant, holds no whole results, and any run may replace it.

    Args:
        path: the folder.
        fingerprint: what makes a run the same run; kept in ``provenance.json``.
        force: replace the results of another run.

    Raises:
        InputError: the folder holds other results, or is a file.
        OSError: it cannot be written.
    """

    SPACE = 32 * 2**20

    def __init__(self, path: str | os.PathLike[str], fingerprint: dict[str, Any], *, force: bool = False) -> None:
        self.path, self.fingerprint = Path(path), json.loads(json.dumps(fingerprint))
        if self.path.exists() and not self.path.is_dir():
            raise InputError("out", str(self.path), "it must be a folder, and this is a file")
        if not force and self.path.is_dir() and any(self.path.iterdir()):
            found = self._found()
            if found.get("complete") is not False:
                refuse_other(self.path, "out", self.fingerprint, found.get("fingerprint"))

    def _found(self) -> dict[str, Any]:
        try:
            found = json.loads((self.path / PROVENANCE).read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def __enter__(self) -> ResultsFolder:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.path.parent).free
        if free < self.SPACE:
            raise InputError("out", str(self.path), f"its disk has {free / 2**20:.0f} MiB free, and 32 MiB are needed")
        self.partial = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".partial", dir=self.path.parent))
        return self

    def provenance(self, values: dict[str, Any]) -> None:
        """Write ``provenance.json`` with the fingerprint."""
        write_json(self.partial / PROVENANCE, {"fingerprint": self.fingerprint, **values})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._move()
        finally:
            shutil.rmtree(self.partial, ignore_errors=True)

    def _move(self) -> None:
        files = sorted(f for f in self.partial.rglob("*") if f.is_file() and f.name != PROVENANCE)
        moving = self.partial / f"{PROVENANCE}.moving"
        write_json(moving, {"fingerprint": self.fingerprint, "complete": False})
        self.path.mkdir(parents=True, exist_ok=True)
        os.replace(moving, self.path / PROVENANCE)
        for file in [*files, self.partial / PROVENANCE]:
            target = self.path / file.relative_to(self.partial)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)


def check_writable(path: Path) -> None:
    """Make the folder of ``path``, and raise `OSError` now if a file could not be written there later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass
