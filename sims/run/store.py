"""The parts of a study on the local disk, each written once and whole, beside the results that come of them."""

from __future__ import annotations

__all__ = ["SCHEMA", "Store", "other_code"]

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from lemmascope.sims.checksums import PROVENANCE, ResultsError, read_table, read_whole
from lemmascope.sims.files import LOCK, check_ours, locked, sweep_partial, whole_file, write_json
from lemmascope.sims.run.parts import Damaged, decode, encode
from lemmascope.theory.errors import InputError

SCHEMA = "lemmascope-parts/1"
FOLDER = "parts"
MANIFEST = "parts.json"
PART = f"*.{'[0-9a-f]' * 8}.npz"
"""What `file_name` makes."""


class Store:
    """Parts by task in ``OUT/parts``; made by `create_or_open`, and a context manager.

    A task is one file with checksums. While the store is open no other process can open it; the lock ends with the
    process that holds it, even a killed one.

    Attributes:
        path: the folder ``OUT/parts``.
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
        out: str | os.PathLike[str],
        fingerprint: Mapping[str, Any],
        code: str,
        keys: list[str],
        *,
        resume: bool,
        force: bool,
        made_with: Mapping[str, str] | None = None,
    ) -> Store:
        """A new store in the folder ``out``; with ``resume`` the one that lies there, and with ``force`` in its place.

        A folder that holds files, and no results of ours, is never entered. ``force`` deletes parts of ours only; it
        wins over ``resume``.

        Args:
            out: the folder of the results.
            fingerprint: what makes a study the same study; JSON.
            code: what makes the code that computes the parts the same code.
            keys: names of the tasks, all different.
            resume: continue parts of the same fingerprint, code and keys; missing ones are begun.
            force: replace results of ours, whatever study's they are.
            made_with: versions and whatever else the bits of the parts depend on, by name.

        Raises:
            InputError: results exist and neither is given, or belong to another study or to other code, are damaged
                or in use, or the folder holds something else.
            ValueError: the fingerprint is not JSON.
            OSError: it cannot be written.
        """
        out = Path(out)
        wanted = {"schema": SCHEMA, "fingerprint": dict(fingerprint), "code": code, "keys": keys}
        wanted["made_with"] = dict(made_with or {})
        wanted = json.loads(json.dumps(wanted, allow_nan=False))
        if not keys or len(set(keys)) < len(keys):
            raise InputError("keys", len(keys), "give one key or more, all different")
        check_ours(out)
        store = cls(out / FOLDER, locked(out / LOCK, "out", out))
        try:
            store._prepare(wanted, resume=resume, force=force)
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, wanted: dict[str, Any], *, resume: bool, force: bool) -> None:
        self.keys = wanted["keys"]
        self._files = [self.path / file_name(key) for key in self.keys]
        self._of = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
        sweep_partial(self.path)
        found = list(self.path.glob(PART))
        results = read_table(self.path.parent / PROVENANCE)
        finished = os.path.lexists(self.path.parent / PROVENANCE) and results.get("complete") is not False
        if not force and found:
            self._compare(wanted, resume=resume)
        elif not force and finished:
            # Results whose parts were deleted: they are the same study's, or they are left alone.
            if not isinstance(results.get("fingerprint"), dict):
                raise InputError("out", str(self.path.parent), f"its {PROVENANCE} is damaged; --force replaces it all")
            other = _differences(results.get("fingerprint", {}), wanted["fingerprint"])
            if other:
                raise InputError("out", str(self.path.parent), f"it holds {_other(other)}")
            if not resume:
                raise InputError("out", str(self.path.parent), EXISTS)
        else:
            for file in found:
                file.unlink()
        # The manifest comes before the first part, and says what the parts are.
        if force or not found:
            write_json(self.path / MANIFEST, wanted)
        self._there = [self._readable(index) for index in range(len(self.keys))]

    def _compare(self, wanted: dict[str, Any], *, resume: bool) -> None:
        where = str(self.path.parent)
        found = read_table(self.path / MANIFEST)
        if set(found) != set(wanted) or found["schema"] != SCHEMA or not isinstance(found["fingerprint"], dict):
            raise InputError(
                "out", where, "the list of its parts is damaged; they are left alone, --force replaces them"
            )
        other = _differences(found["fingerprint"], wanted["fingerprint"])
        if other:
            raise InputError("out", where, f"it holds {_other(other)}")
        if other_than := _other_code(found, wanted["code"], wanted["made_with"]):
            raise InputError("out", where, f"its parts were computed {other_than}; --force computes them again")
        if found["keys"] != wanted["keys"]:
            raise InputError("out", where, "its parts are cut in another way; --force computes them again")
        if not resume:
            raise InputError("out", where, EXISTS)

    def _readable(self, index: int) -> bool:
        """Whether the task's file is there and whole."""
        try:
            self._decoded(index)
        except (ResultsError, Damaged):
            if not os.path.lexists(self._files[index]):
                return False
            self.damaged.append(self.keys[index])
            return False
        return True

    def missing(self) -> list[int]:
        """Tasks that are not there, or damaged."""
        return [index for index, there in enumerate(self._there) if not there]

    @property
    def done(self) -> int:
        """How many tasks are there."""
        return sum(self._there)

    def write(self, index: int, part: xr.Dataset) -> None:
        """Write a task's part; it is on the disk when this returns, and complete or absent whatever happens.

        Raises:
            InputError: it is no part, see `sims.run.parts.encode`.
            OSError: the disk is full or gone; the parts written before are unharmed.
        """
        data = encode(part, self.keys[index], self._of)
        with whole_file(self._files[index]) as temporary:
            temporary.write_bytes(data)
        self._there[index] = True

    def read(self, index: int) -> xr.Dataset:
        """A task's part.

        Raises:
            InputError: its file was changed since it was written.
        """
        try:
            return self._decoded(index)
        except (ResultsError, Damaged) as error:
            where = str(self._files[index])
            raise InputError(
                "part", where, f"it was whole and is damaged now ({error}); --resume repairs it"
            ) from error

    def _decoded(self, index: int) -> xr.Dataset:
        return decode(read_whole(self._files[index], "a part"), self.keys[index], self._of)

    def close(self) -> None:
        """Let others open the store; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def other_code(out: Path, fingerprint: Mapping[str, Any], code: str, made_with: Mapping[str, str]) -> str:
    """Why parts of this very study that lie in a folder cannot be continued: they were computed "by another …".

    Empty where they can be, where there are none, and where they are of another study.
    """
    found = read_table(out / FOLDER / MANIFEST)
    same = found.get("schema") == SCHEMA and found.get("fingerprint") == json.loads(json.dumps(fingerprint))
    return _other_code(found, code, made_with) if same else ""


def _other_code(found: Mapping[str, Any], code: str, made_with: Mapping[str, str]) -> str:
    if found.get("code") != code:
        return "by another version of the code"
    other = _differences(found.get("made_with"), dict(made_with))
    return f"with another {', '.join(other)}" if other else ""


EXISTS = "it exists; --resume continues it, --force replaces it"


def file_name(key: str) -> str:
    """A file's name that a reader recognizes, and that no two keys share."""
    readable = re.sub(r"[^\w.=+-]+", "_", key, flags=re.ASCII)[:100]
    return f"{readable}.{hashlib.sha256(key.encode()).hexdigest()[:8]}.npz"


def _differences(there: Any, here: Any, where: str = "") -> list[str]:
    """What differs between two fingerprints, field by field, with both values."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
        return [line for name in names for line in _differences(there.get(name), here.get(name), f"{where}{name}.")]
    return [] if there == here else [f"{where.rstrip('.')} ({there!r} there, {here!r} here)"]


def _other(differing: list[str]) -> str:
    more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
    what = ", ".join(differing[:4])
    same = differing[0].startswith(("settings.", "root_seed ", "dtype ", "backend "))  # the study's name comes first
    which = "this study as it was run otherwise" if same else "another study"
    return f"{which}, which differs in {what}{more}; choose another folder, or --force replaces it"
