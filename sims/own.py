"""A user's own Python files: loaded by path, and what they define found in them.

A file may import what lies beside it, also within its functions, as when it is run. The texts of those files are read
when it is loaded and belong to it: they are modules of its own, whatever another folder has of the same name, whatever
becomes of the files, and on a machine where they are not. A name that Python's own library has is never theirs: a
folder may hold a random.py, and what is loaded from it means Python's.
"""

from __future__ import annotations

__all__ = ["BESIDE", "SOURCE", "is_own", "load_module", "load_source", "loaded", "own_function", "own_objects", "said"]

import builtins
import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from lemmascope.sims.imports import imported, parsed
from lemmascope.theory.errors import InputError

SOURCE = "__lemmascope_source__"
"""Where a module keeps the text that was run."""

BESIDE = "__lemmascope_beside__"
"""Where it keeps the texts of what it imports that lies beside it, by their paths from there."""

PREFIX = "_lemmascope_user_"
"""Of the names of modules that users' files are."""

_LOADING = threading.RLock()  # a worker may have many threads, and all want the study at once
_LOADED: dict[Path, list[ModuleType]] = {}


@contextmanager
def _findable(folder: Path) -> Iterator[None]:
    """The file's folder on the search path while it is loaded, for what is imported by a name that is computed.

    At its end: what libraries import meanwhile is what it always is.
    """
    before = set(sys.modules)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            first = folder / name.partition(".")[0]
            if name.startswith(PREFIX) or first.name == "lemmascope":
                continue
            if any(place.parent == folder or place.is_relative_to(first) for place in _places(sys.modules[name])):
                del sys.modules[name]  # another folder's file of this name is another module


def _places(module: ModuleType) -> list[Path]:
    """Where a module lies; libraries have modules whose places are neither texts nor lists of them."""
    found = [getattr(module, "__file__", None)]
    with suppress(Exception):
        found += getattr(module, "__path__", ())
    return [Path(place) for place in found if isinstance(place, str) and place]


def _texts_beside(source: str | bytes, folder: Path) -> dict[str, bytes]:
    """The files of a folder that a module in it imports, and those that they import."""
    found: dict[str, bytes] = {}
    todo = [source]
    while todo:
        names = {name.partition(".")[0] for _, name in imported(parsed(todo.pop()))}
        for name in sorted(names - {"", "lemmascope"} - sys.stdlib_module_names):
            module, package = folder / f"{name}.py", folder / name
            paths = [module] if module.is_file() else []
            if (package / "__init__.py").is_file() or (not paths and package.is_dir() and not _elsewhere(name)):
                paths = sorted(package.rglob("*.py"))
            for path in paths:
                where = path.relative_to(folder).as_posix()
                if where not in found:
                    found[where] = path.read_bytes()
                    todo.append(found[where])
    return found


def _elsewhere(name: str) -> bool:
    """Whether a module of this name is installed: a folder without ``__init__.py`` does not come before it."""
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


class _Beside:
    """Finds and runs what lies beside a user's file, as modules inside one that nobody else has.

    Args:
        package: name of that one.
        folder: of the file.
        texts: what lies there, by path from the folder.
    """

    def __init__(self, package: str, folder: Path, texts: Mapping[str, bytes]) -> None:
        self.package, self.folder, self.texts = package, folder, texts
        self.names = {where.partition("/")[0].removesuffix(".py") for where in texts}
        self.builtins = {**vars(builtins), "__import__": self.import_}

    def import_(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What ``import`` calls in the file and in what lies beside it."""
        first = name.partition(".")[0]
        if level or first not in self.names:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{self.package}.{name}", None, None, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.package}.{first}"]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if not name.startswith(f"{self.package}."):
            return None
        where = name[len(self.package) + 1 :].replace(".", "/")
        inside = [str(self.folder / where)]
        for text, places in ((f"{where}/__init__.py", inside), (f"{where}.py", None)):
            if text in self.texts:
                file, loader = self.folder / text, _Text(self.texts[text], self.builtins)
                return importlib.util.spec_from_file_location(
                    name, file, loader=loader, submodule_search_locations=places
                )
        if any(text.startswith(f"{where}/") for text in self.texts):
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = inside
            return spec
        return None


class _Text(Loader):
    """Runs a text as a module."""

    def __init__(self, text: bytes, names: dict[str, Any]) -> None:
        self.text, self.names = text, names

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual one."""

    def exec_module(self, module: ModuleType) -> None:
        """Its imports are those of the file that it lies beside."""
        vars(module)["__builtins__"] = self.names
        exec(compile(self.text, str(module.__file__), "exec"), vars(module))


def _name(path: Path, source: str, texts: Mapping[str, bytes]) -> str:
    """The same texts have the same name in every process, so that what is pickled here is found there."""
    digest = hashlib.sha256(f"{path.resolve()}\0{source}\0".encode())
    for where, text in sorted(texts.items()):
        digest.update(where.encode() + b"\0" + text + b"\0")
    return f"{PREFIX}{digest.hexdigest()[:12]}_{path.stem}"


def is_own(names: Mapping[str, Any]) -> bool:
    """Whether a module's, or a frame's, global names are those of a user's file or of what lies beside it."""
    return str(names.get("__name__", "")).startswith(PREFIX)


def load_module(path: str | Path) -> ModuleType:
    """Run a user's file as a module.

    Raises:
        InputError: it is missing, is no Python file, or fails; the message has the error and its line.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        raise InputError("module", str(path), "it must be a Python file that exists, FILE.py")
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("module", str(path), f"it must be a text in UTF-8 that can be read ({error})") from error
    return load_source(source, path)


def load_source(source: str, path: Path, beside: Mapping[str, bytes] | None = None) -> ModuleType:
    """Run a file's text as the module that it would be; for a worker on a machine where the file is not.

    The same text, with the same beside it, is run once in a process: its classes are then the same wherever they are
    asked for.

    Args:
        source: the text.
        path: of the file.
        beside: texts of what it imports that lies beside it; default those that lie there now.
    """
    folder = path.resolve().parent
    with _LOADING:
        texts = _texts_beside(source, folder) if beside is None else dict(beside)
        name = _name(path, source, texts)
        if name in sys.modules:
            return sys.modules[name]
        module, package = ModuleType(name), ModuleType(f"{name}_beside")
        finder = _Beside(package.__name__, folder, texts)
        module.__file__, package.__path__ = str(path), []
        vars(module).update({SOURCE: source, BESIDE: texts, "__builtins__": finder.builtins})
        sys.modules[name], sys.modules[package.__name__] = module, package
        sys.meta_path.insert(0, finder)
        try:
            with _findable(folder):
                exec(compile(source, str(path), "exec"), vars(module))
        except BaseException as error:
            sys.meta_path.remove(finder)
            for one in [
                one for one in sys.modules if one in (name, package.__name__) or one.startswith(f"{package.__name__}.")
            ]:
                del sys.modules[one]
            if isinstance(error, KeyboardInterrupt | MemoryError):
                raise
            why = f"it must run without error ({said(error)}{_line(error, path)})"  # also where it calls sys.exit
            raise InputError("module", str(path), why) from error
        _LOADED.setdefault(path.resolve(), []).append(module)
        return module


def loaded(path: str | Path) -> list[ModuleType]:
    """What a user's file was loaded as in this process: a module for each of its texts, the latest first."""
    return _LOADED.get(Path(path).resolve(), [])[::-1]


def said(error: BaseException) -> str:
    """A user's error in one line, whatever it is."""
    if isinstance(error, InputError):
        return " ".join(error.brief.split())
    try:
        text = " ".join(str(error).split())
    except Exception:  # it cannot even be said
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


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
        except (Exception, SystemExit) as error:
            raise InputError(field, spec, f"{where} must be a module that can be imported ({said(error)})") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise InputError(field, spec, f"{where} must define a function {name}")
    return found
