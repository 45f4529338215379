"""Checksums of what is saved: whatever a verdict depends on is read only if it is as it was written.

JSON carries the SHA-256 of its own contents as its last entry, `SEAL`; ``provenance.json`` has that of every other file
of its folder; labelled data end with that of all bytes before it (`sims.netcdf`).
"""

from __future__ import annotations

__all__ = [
    "CHANGED",
    "PROVENANCE",
    "ResultsError",
    "Unfinished",
    "changed",
    "check_listed",
    "check_seal",
    "digest",
    "read_json",
    "read_provenance",
    "read_table",
    "read_whole",
    "sealed",
    "sha256",
]

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROVENANCE = "provenance.json"
SEAL = "sha256"

CHANGED = "was changed since it was written: its checksum is another"
UNSEALED = "has no checksum: it was changed, or an older lemmascope wrote it; make it anew"


class ResultsError(ValueError):
    """A results file is missing, truncated, changed or not one of ours; the message says which."""


class Unfinished(ResultsError):
    """A folder into which results are being moved, or were when it stopped."""


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return sha256(read_whole(path, "a file"))


def read_whole(path: Path, what: str) -> bytes:
    """The bytes of a file.

    Raises:
        ResultsError: there is none, it cannot be read, or it is a folder, a pipe or a device.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would wait for one
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing: give {what} saved by lemmascope") from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} cannot be read ({getattr(error, 'strerror', error)})") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ResultsError(f"{path} is missing: give {what} saved by lemmascope, and not a folder or a device")
    with open(handle, "rb") as file:
        try:
            return file.read()
        except OSError as error:
            raise ResultsError(f"{path} cannot be read ({error.strerror})") from error


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The table in a JSON file.

    Raises:
        ResultsError: there is none, or it is no JSON object.
    """
    try:
        found = json.loads(read_whole(path, what))
    except ResultsError:
        raise
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path} cannot be read as {what}: it is truncated or no JSON object") from error
    if not isinstance(found, dict):
        raise ResultsError(f"{path} cannot be read as {what}: it is truncated or no JSON object")
    return found


def read_table(path: Path) -> dict[str, Any]:
    """The table in a JSON file, whether it was changed or not; empty where there is none."""
    try:
        return read_json(path, "a table")
    except ResultsError:
        return {}


def _contents(value: Mapping[str, Any]) -> str:
    """SHA-256 of JSON without its seal, whatever the order of its entries and the spaces between them."""
    rest = {name: x for name, x in value.items() if name != SEAL}
    return sha256(json.dumps(rest, sort_keys=True, allow_nan=False).encode())


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """JSON with its checksum as the last entry."""
    plain = json.loads(json.dumps(value, allow_nan=False))
    return {**{name: x for name, x in plain.items() if name != SEAL}, SEAL: _contents(plain)}


def check_seal(path: Path, found: Mapping[str, Any]) -> None:
    """Raise `ResultsError` unless what was read at ``path`` has the checksum of its contents."""
    if SEAL not in found:
        raise ResultsError(f"{path} {UNSEALED}")
    try:
        changed = found[SEAL] != _contents(found)
    except (ValueError, RecursionError):  # numbers that JSON has no word for
        changed = True
    if changed:
        raise ResultsError(f"{path} {CHANGED}")


def read_provenance(folder: Path) -> dict[str, Any]:
    """What ``provenance.json`` of a folder of results says; "files" has the SHA-256 of each file by its name.

    Raises:
        ResultsError: there are no whole results, or it was changed since it was written.
    """
    path = folder / PROVENANCE
    try:
        found = read_json(path, "the origin of results")
    except ResultsError as error:
        raise ResultsError(f"{folder} holds no whole results ({PROVENANCE} is missing or damaged)") from error
    check_seal(path, found)
    if found.get("complete") is False:
        raise Unfinished(f"{folder} holds no whole results ({PROVENANCE} says that they are not complete)")
    if not isinstance(found.get("files"), dict):
        raise ResultsError(f"{folder} holds no whole results ({PROVENANCE} does not list its files)")
    return found


def check_listed(folder: Path, provenance: Mapping[str, Any], name: str) -> bytes:
    """The bytes of a file of results, which are those that their provenance lists.

    Raises:
        ResultsError: it is not there, or was changed since it was written.
    """
    data = read_whole(folder / name, "a file of results")
    if provenance["files"].get(name) != sha256(data):
        raise ResultsError(f"{folder / name} {CHANGED}")
    return data


def changed(folder: Path) -> list[Path]:
    """The files of whole results in a folder that are not there as they were written."""
    try:
        provenance = read_provenance(folder)
    except Unfinished:
        return []
    except ResultsError:
        return [folder / PROVENANCE] if os.path.lexists(folder / PROVENANCE) else []
    found = []
    for name in provenance["files"]:
        try:
            check_listed(folder, provenance, name)
        except ResultsError:
            found.append(folder / name)
    return found
