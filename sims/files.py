"""Files that appear whole or not at all, by one process at a time, and in place of none but files of ours.

Every file that lemmascope leaves behind is written here: a file by its name with `Output`, a folder of results with
`ResultsFolder`, and what lies within a folder that is locked with `whole_file` and `write_json`.
"""

from __future__ import annotations

__all__ = [
    "LOCK",
    "MARK",
    "PROVENANCE",
    "Output",
    "ResultsError",
    "ResultsFolder",
    "check_ours",
    "digest",
    "locked",
    "refuse_other",
    "rewrite",
    "sweep_partial",
    "whole_file",
    "write_json",
]

import errno
import fcntl
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from lemmascope.sims.checksums import PROVENANCE, ResultsError, Unfinished, digest, read_provenance, read_table, sealed
from lemmascope.theory.errors import InputError

LOCK = "parts/parts.lock"
"""Whoever works on a folder of results holds it; a study leaves it, and it marks a folder without results yet."""

SPACE = 2**20
"""Bytes that must be there for a file before the work begins."""

CAPTION = ".caption.txt"
"""How the name of a picture's caption ends, which lies beside it."""

MARK = b"\nlemmascope sha256 "
"""Stands before the checksum at the end of labelled data."""


# --- one file ------------------------------------------------------------------------------------------------------


def kind_of(path: Path) -> str:
    """What file of ours it is: the name of its schema, "netcdf" for labelled data, "picture", "junit", or ""."""
    if path.name.endswith(CAPTION):
        image = path.with_name(path.name.removesuffix(CAPTION) + ".png")
        return kind_of(image) if image.is_file() else ""
    with open(path, "rb") as file:
        begin = file.read(512)
        file.seek(max(0, os.fstat(file.fileno()).st_size - len(MARK) - 65))
        end = file.read()
    if begin.startswith(b"\x89HDF") and end.startswith(MARK):
        return "netcdf"
    if begin.startswith(b"\x89PNG") and b"Software\0lemmascope" in begin:
        return "picture"
    if begin.startswith(b"<?xml") and b'<testsuites name="lemmascope ' in begin:
        return "junit"
    if begin.startswith(b"%PDF") and b"/Creator (lemmascope)" in path.read_bytes():
        return "picture"
    found = re.match(rb'\[?\s*\{\s*"schema": "(lemmascope-[a-z-]+)/\d+"', begin)
    return found[1].decode() if found else ""


def _refuse_foreign(path: Path, kind: str | None, field: str) -> None:
    """Raise `InputError` unless nothing is there, or a regular file of that kind (any, if None) that stands alone."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "a device"
        raise InputError(field, str(path), f"it must be a file, and this is {what}")
    if kind is None:
        return
    if kind_of(path) != kind:
        why = "it holds something that lemmascope does not write there, and is never replaced; choose another name"
        raise InputError(field, str(path), why)
    if path.name in (read_table(path.parent / PROVENANCE).get("files") or ()):
        raise InputError(field, str(path), f"it belongs to the results in {path.parent}; choose another name")


def _open_new(path: Path) -> int:
    """A file of that name that was not there; the umask is the kernel's affair."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A block whose `OSError` names the file that was to be written, and not one on the way to it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


class Output:
    """A file that this process alone writes, whole or not at all, and that replaces none but one of its own kind.

    What can be known before the work is known when the block begins: that the name is free or its file of that kind,
    that nobody else is writing it, that the folder is writable and the disk has room. At the end all of it is looked at
    again. What processes that are gone have left in that folder is swept.

    Args:
        path: the file.
        kind: name of the schema of JSON, "netcdf", "picture" or "junit".
        field: of an error.
        refuse: called when nobody else can write it any more; raises to refuse what lies there.

    Raises:
        InputError: it is a folder, a link, a device or a foreign file; another process is writing it.
        OSError: it cannot be written, or the disk is full; the error names it.
    """

    def __init__(
        self, path: str | os.PathLike[str], kind: str, *, field: str = "out", refuse: Callable[[], None] | None = None
    ) -> None:
        self.path, self.kind, self.field, self._refuse = Path(path), kind, field, refuse

    def __enter__(self) -> Output:
        _refuse_foreign(self.path, self.kind, self.field)
        self._own = self.path.with_name(f".{self.path.name}{_LOCKED}")
        self._partial = self.path.with_name(f".{self.path.name}{_PARTIAL}")
        with _naming(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(self.path.parent)
            self._lock = locked(self._own, self.field, self.path)
        try:
            _refuse_foreign(self.path, self.kind, self.field)
            self._there = self.path.exists()
            if self._there and self._refuse is not None:
                self._refuse()
            with _naming(self.path):
                self._partial.unlink(missing_ok=True)
                self._file = os.fdopen(_open_new(self._partial), "w+b", buffering=0)
                _reserve(self._file.fileno(), SPACE)
        except BaseException:
            self._leave()
            raise
        return self

    def write(self, data: bytes) -> None:
        """Its contents; it has its name when this returns.

        Raises:
            InputError: what lies there now is not what may be replaced.
            OSError: it cannot be written any more; both errors say where it is kept instead, if that was possible.
        """
        try:
            self._move(data)
        except InputError as error:
            raise InputError(self.field, str(self.path), error.accepted + _rescued(self.path.name, data)) from error
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}{_rescued(self.path.name, data)}", str(self.path)) from error

    def _move(self, data: bytes) -> None:
        with _naming(self.path):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
            self._file.truncate(len(data))
            os.fsync(self._file.fileno())
        _refuse_foreign(self.path, self.kind, self.field)
        with _naming(self.path):
            if self._there:
                os.replace(self._partial, self.path)
            else:
                _name(self._partial, self.path)
            _settle(self.path.parent)

    def json(self, value: Any) -> None:
        """Its contents as strict JSON."""
        self.write(_json(value))

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
        try:
            for leftover in (self._partial, self._own):
                with suppress(OSError):
                    leftover.unlink()
        finally:
            os.close(self._lock)


def _rescued(name: str, data: bytes) -> str:
    """Keep what took hours in the folder for temporary files; says so, or nothing where that failed too."""
    try:
        path = Path(tempfile.mkdtemp(prefix="lemmascope-")) / name
        path.write_bytes(data)
    except OSError:
        return ""
    return f"; what was computed is kept in {path}"


_LOCKED, _PARTIAL = ".lemmascope-lock", ".lemmascope-partial"


def _name(partial: Path, path: Path) -> None:
    """Give a file a name that nobody has taken meanwhile."""
    try:
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise InputError("out", str(path), "another program has made it meanwhile; choose another name") from None
    except OSError:  # a file system without links
        if path.exists():
            raise
        os.replace(partial, path)


def _reserve(handle: int, size: int) -> None:
    """Raise `OSError` now if there is no room for so much."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.pwrite(handle, bytes(size), 0)


def _sweep(folder: Path) -> None:
    """Delete what writers of files in a folder left that are gone: their locks are free."""
    for own in folder.glob(f".*{_LOCKED}"):
        with suppress(OSError):
            lock = os.open(own, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _still(lock, own):
                    os.ftruncate(lock, 0)  # whoever waits for it is not told of one that is gone
                    own.with_name(own.name.removesuffix(_LOCKED) + _PARTIAL).unlink(missing_ok=True)
                    own.unlink()
            finally:
                os.close(lock)


# --- locks ---------------------------------------------------------------------------------------------------------

TRIES = 100
"""A lock is taken, or its holder known, within a second."""


def locked(path: Path, field: str, whose: Path) -> int:
    """Lock a file, made where it is not there, until the number that is returned is closed; it ends with the process.

    Args:
        path: of the lock; its folder is made too.
        field: of an error.
        whose: what is worked on.

    Raises:
        InputError: another process holds it; the message says which.
        OSError: it cannot be written.
    """
    for _ in range(TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except FileNotFoundError:  # its last holder has just taken the folder away
            continue
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.ELOOP):
                raise
            raise InputError(field, str(whose), f"{path} must be a file") from None
        holder = ""
        try:
            if not stat.S_ISREG(os.fstat(lock).st_mode):
                raise InputError(field, str(whose), f"{path} must be a file")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still(lock, path):
                os.ftruncate(lock, 0)
                with suppress(OSError):  # on a full disk nobody is told who it is
                    os.pwrite(lock, f"process {os.getpid()} on {platform.node()}".encode(), 0)
                kept, lock = lock, -1
                return kept
        except BlockingIOError:
            holder = os.pread(lock, 200, 0).decode("utf-8", "replace")
        finally:
            if lock >= 0:
                os.close(lock)
        if holder:
            break
        time.sleep(0.01)  # it is being taken, or swept
    who = f" ({holder})" if holder else ""
    raise InputError(field, str(whose), f"another process is working on it{who}; wait for its end")


def _still(lock: int, path: Path) -> bool:
    """Whether the file that was locked has its name still."""
    try:
        return os.path.samestat(os.fstat(lock), path.lstat())
    except OSError:
        return False


# --- within a folder that is locked ----------------------------------------------------------------------------------


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path``, which takes its name when the block ends without an error.

    For files within a folder that this process has locked; `Output` is for those that a user names.

    Raises:
        InputError: what lies there is a folder, a link or a device.
        OSError: the disk is full or read-only; a file that was there before is left as it was.
    """
    path = Path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
        os.close(_open_new(temporary))
    try:
        with _naming(path):
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        _refuse_foreign(path, None, "out")
        with _naming(path):
            os.replace(temporary, path)
            _settle(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Let the names in a folder be on the disk too: a power failure would else undo a rename."""
    with suppress(OSError):  # not every file system can, and not everyone may read the folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON (strict: no NaN or infinity), whole or not at all, within a folder that this process has locked."""
    data = _json(value)
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def rewrite(path: Path, data: bytes) -> None:
    """Write a document of the repository that is made anew."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


# --- a folder of results -------------------------------------------------------------------------------------------


def check_ours(folder: Path) -> None:
    """Raise `InputError` unless a folder may be written to.

    That is so if it is not there, holds no file, or holds results of ours, even damaged or unfinished ones.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError("out", str(folder), "it must be a folder, and this is a file")
    ours = (folder / LOCK).is_file() or isinstance(read_table(folder / PROVENANCE).get("fingerprint"), dict)
    if not ours and not _empty(folder):
        raise InputError("out", str(folder), "it holds files that are no results of lemmascope; choose another folder")


def _empty(folder: Path) -> bool:
    """Whether there is no file in it but a lock, or no folder."""
    every = (path for path in folder.rglob("*") if path != folder / LOCK)
    return all(path.is_dir() and not path.is_symlink() for path in every)


def refuse_other(path: Path, field: str, fingerprint: dict[str, Any] | None, found: dict[str, Any] | None) -> None:
    """Raise `InputError` unless what lies at ``path`` came from the same run."""
    if found is None or found != fingerprint:
        raise InputError(field, str(path), "it exists with other results; choose another, or --force replaces them")


class ResultsFolder:
    """A folder of results, filled aside and moved into place in one go at the end.

    Within the block `partial` is an empty folder on the same disk, and no other process can open the folder. On a clean
    end its files replace those of the same name in ``path``, and those that earlier results had and these have not are
    deleted, ``provenance.json`` coming last; it lists what belongs to the results, and other files there are left
    alone: where one has the name of a result, nothing is moved. On an error or an interrupt nothing of ``path`` has
    changed.

    The move is one file after the other. While it lasts ``provenance.json`` says ``"complete": false``; a folder that
    is left so, by an interrupt in that instant, holds no whole results, and any run may replace it.

    Args:
        path: the folder.
        fingerprint: what makes a run the same run; kept in ``provenance.json``.
        force: replace the results of another run.
        aside: the folder within ``path`` in which it is filled, where the caller has locked ``path`` already.

    Raises:
        InputError: the folder holds other results and there is no ``force``, holds files that are no results of ours,
            is a file, or another process is working on it.
        OSError: it cannot be written, or has no room.
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
        self.path, self.fingerprint, self._force = Path(path), json.loads(json.dumps(fingerprint)), force
        self._aside, self._lock = aside, -1
        self._values: dict[str, Any] = {}

    def __enter__(self) -> ResultsFolder:
        check_ours(self.path)
        if self._aside is None:
            with _naming(self.path):
                self._lock = locked(self.path / LOCK, "out", self.path)
        try:
            self._begin()
        except BaseException:
            self._leave()
            raise
        return self

    def _begin(self) -> None:
        aside = self._aside or (self.path / LOCK).parent
        if self._aside is None:
            sweep_partial(aside)
        found = read_table(self.path / PROVENANCE)
        if not self._force and found.get("complete") is not False and not _empty(self.path):
            refuse_other(self.path, "out", self.fingerprint, found.get("fingerprint"))
        with _naming(self.path):
            self.partial = Path(tempfile.mkdtemp(prefix=".results.", suffix=".partial", dir=aside))
            with tempfile.TemporaryFile(dir=aside) as file:
                _reserve(file.fileno(), self.SPACE)

    def provenance(self, values: dict[str, Any]) -> None:
        """What ``provenance.json`` is to say, beside the fingerprint and the SHA-256 of each file."""
        self._values = values

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with _naming(self.path):
                    self._move()
        finally:
            self._leave()
        if isinstance(error, OSError) and str(error.filename).startswith(str(self.partial)):
            name = Path(error.filename).relative_to(self.partial)
            raise OSError(error.errno, error.strerror, str(self.path / name)) from error

    def _leave(self) -> None:
        if hasattr(self, "partial"):
            shutil.rmtree(self.partial, ignore_errors=True)
        if self._lock >= 0:
            lock = self.path / LOCK
            try:
                if [one.name for one in lock.parent.iterdir()] == [lock.name]:
                    lock.unlink()
                    lock.parent.rmdir()
                    self.path.rmdir()  # if it was made for nothing
            except OSError:
                pass
            finally:
                os.close(self._lock)
                self._lock = -1

    def _move(self) -> None:
        paths = sorted(path for path in self.partial.rglob("*") if path.is_file())
        files = {path.relative_to(self.partial).as_posix(): digest(path) for path in paths}
        before = self._listed()
        self.check(files)
        written = {"fingerprint": self.fingerprint, **self._values, "files": files}
        write_json(self.partial / PROVENANCE, sealed(written))
        moving = self.partial / f"{PROVENANCE}.moving"
        # What is left by an interrupt belongs to the old results or to the new ones.
        unfinished = {"fingerprint": self.fingerprint, "complete": False, "files": sorted({*before, *files})}
        write_json(moving, sealed(unfinished))
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

    def check(self, names: Iterable[str]) -> None:
        """Raise `InputError` if what lies where these results are to be is none, or lies elsewhere by a link.

        It needs no block, so that it is said before the work. Where ``provenance.json`` is lost or damaged, and cannot
        tell what belongs to the results, any file of ours does.
        """
        ours, foreign = {PROVENANCE, *self._listed()}, []
        for name in (*names, PROVENANCE):
            target = self.path / name
            for folder in [self.path / one for one in PurePosixPath(name).parents][-2::-1]:
                if os.path.lexists(folder) and not folder.is_dir():
                    raise InputError("out", str(folder), "it must be a folder, for files of these results")
                if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self.path)):
                    raise InputError("out", str(folder), "it must lie here, and this is a link to another place")
            _refuse_foreign(target, None, "out")
            if name not in ours and target.exists() and not (self._lost() and kind_of(target)):
                foreign.append(name)
        if foreign:
            what = "it is no file" if len(foreign) == 1 else f"it and {', '.join(foreign[1:])} are no files"
            raise InputError(
                "out", str(self.path / foreign[0]), f"{what} of these results, and in their place; move away"
            )

    def _lost(self) -> bool:
        """Whether nothing says what belongs to the results."""
        try:
            read_provenance(self.path)
        except ResultsError as error:
            return not isinstance(error, Unfinished)
        return False

    def _listed(self) -> list[str]:
        """The files of earlier results that lie in the folder and nowhere else, whatever its provenance says."""
        found = read_table(self.path / PROVENANCE).get("files", ())
        inside = Path(os.path.realpath(self.path))  # which takes a loop of links as it is
        if not isinstance(found, dict | list):
            return []
        paths = [PurePosixPath(name) for name in found if isinstance(name, str)]
        names = [path.as_posix() for path in paths if ".." not in path.parts and "\0" not in path.name]
        there = [name for name in names if name not in (PROVENANCE, LOCK) and (self.path / name).is_file()]
        return sorted(name for name in there if (self.path / name).parent.resolve().is_relative_to(inside))


def sweep_partial(folder: Path) -> None:
    """Delete what a writer that was killed left in a folder that this process has locked."""
    for leftover in folder.glob(".*.partial"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink()
