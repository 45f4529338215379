"""A user's own Python files: loaded by path, and what they define found in them."""

from __future__ import annotations

__all__ = ["SOURCE", "load_module", "load_source", "own_function", "own_objects"]

import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from lemmascope.theory.errors import InputError

SOURCE = "__lemmascope_source__"
"""Where a module keeps the text that was run."""

_LOADING = threading.RLock()  # a worker may have many threads, and all want the study at once


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """The file's folder on the search path while it is loaded, as when it is run: it may import what lies beside it."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _name(path: Path) -> str:
    """The same file has the same name in every process, so that what is pickled here is found there."""
    return f"_lemmascope_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}_{path.stem}"


def load_module(path: str | Path) -> ModuleType:
    """Run a user's file as a module.

    Raises:
        InputError: it is missing, or fails; the message has the error and its line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("module", str(path), "it must be a Python file that exists")
    return load_source(path.read_text(encoding="utf-8"), path)


def load_source(source: str, path: Path) -> ModuleType:
    """Run a file's text as the module that it would be; for a worker on a machine where the file is not.

    The same text is run once in a process: its classes are then the same wherever they are asked for.
    """
    with _LOADING:
        found = sys.modules.get(_name(path))
        if found is not None and getattr(found, SOURCE, None) == source:
            return found
        module = ModuleType(_name(path))
        module.__file__ = str(path)
        setattr(module, SOURCE, source)
        sys.modules[module.__name__] = module
        try:
            with _beside(path.resolve().parent):
                exec(compile(source, str(path), "exec"), module.__dict__)
        except BaseException as error:
            del sys.modules[module.__name__]
            if not isinstance(error, Exception):
                raise
            raise InputError(
                "module", str(path), f"it must run without error ({type(error).__name__}: {error}{_line(error, path)})"
            ) from error
        return module


def _line(error: BaseException, path: Path) -> str:
    """Where in the file it failed, as text."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return found


def own_objects(path: str | Path, kind: type) -> list[Any]:
    """All objects of a class at the top level of a user's Python file, in its order.

    Raises:
        InputError: the file is missing or fails, or holds no such object.
    """
    found = {id(x): x for x in vars(load_module(path)).values() if isinstance(x, kind)}
    if not found:
        raise InputError("module", str(path), f"it must define at least one {kind.__name__}")
    return list(found.values())


def own_function(spec: str, field: str) -> Callable[..., Any]:
    """What ``FILE.py:NAME``, or ``package.module:NAME`` of an installed package, names; something that can be called.

    Raises:
        InputError: the file or the package is missing or fails, or has nothing of that name that can be called.
    """
    where, _, name = spec.rpartition(":")
    if not where or not name.isidentifier():
        raise InputError(field, spec, "it must be FILE.py:NAME, or package.module:NAME of an installed package")
    if where.endswith(".py"):
        module = load_module(where)
    else:
        try:
            module = importlib.import_module(where)
        except Exception as error:
            why = f"{where} must be a module that can be imported ({type(error).__name__}: {error})"
            raise InputError(field, spec, why) from error
    found = getattr(module, name, None)
    if not callable(found):
        raise InputError(field, spec, f"{where} must define a function {name}")
    return found
