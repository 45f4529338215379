"""What makes the code that computes a study's parts the same code: what its experiments reach by name, and no more.

Of the study's own file that is each definition at its top level that the axes and computes of its experiments, and its
settings, reach by name; of everything else that they import, whole modules of the house and whole files that lie beside
a user's own. What gathers, derives, judges or shows can be mended without computing again.
"""

from __future__ import annotations

__all__ = ["UNKNOWN", "code_of", "made_with"]

import ast
import functools
import hashlib
import inspect
import json
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from lemmascope.sims import registry
from lemmascope.sims.grid import grid
from lemmascope.sims.imports import imported, parsed, types_only
from lemmascope.sims.own import BESIDE, SOURCE
from lemmascope.sims.study import Study, plain
from lemmascope.theory.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("theory", "sims", "proofs_check", "benchmarks")
AFTER = re.compile(
    r"lemmascope\.(sims\.(figures|report|judge|run)|theory\.(claim|verdict|order)|theory\.\w+\.claims)(\..*)?"
)
"""Modules that come after the parts: what another module of the house imports of them changes none."""

PACKAGES = ("numpy", "scipy", "numba")
UNKNOWN = "unknown"
"""The code of a study whose sources cannot be read; equal to none."""


_CODES: dict[tuple[str, bool], str] = {}
"""By module and `code_of`'s flag, as it was when it was first asked for; a file that changes has another module."""


def made_with(study: Study[Any], backend: str) -> dict[str, str]:
    """What else the bits of a part depend on: versions, and the backend that "auto" stands for here."""
    return {name: _version(name) for name in PACKAGES} | {"backend": _meaning(study.resolve, backend)}


@functools.cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


@functools.cache
def _meaning(resolve: Callable[[str], str], backend: str) -> str:
    return resolve(backend)


def code_of(study: Study[Any], *, data: bool = False) -> str:
    """What makes the code that computes a study's parts the same code; `UNKNOWN` where its sources cannot be read.

    Args:
        study: whose.
        data: also of what makes the data of the parts, gather and derive.
    """
    module = registry.module_of(study)
    if module is None:
        return _made_here(study, data)
    if (module.__name__, data) not in _CODES:
        _CODES[module.__name__, data] = _in_a_file(module, _Roots(study, module, data))
    return _CODES[module.__name__, data]


def _computing(study: Study[Any], data: bool) -> Iterator[tuple[Any, bool]]:
    """What the code is of, and whether a lambda of it may be cut out of the statement that it stands in."""
    for one in study.experiments.values():
        yield from ((one.compute, False), (one.axes, True))
        if data and one.gather is not grid:
            yield one.gather, True
    if data and study.derive is not vars(Study)["derive"]:
        yield study.derive, True
    yield study.settings, False


class _Roots:
    """What a study's module has by name of what computes.

    Attributes:
        names: at the module's top level; None if that cannot be told, and it is the whole module.
        lambdas: functions that stand within a statement.
        modules: dotted names of other modules that functions are from.
    """

    def __init__(self, study: Study[Any], module: ModuleType, data: bool) -> None:
        self.names: set[str] | None = set()
        self.lambdas: list[FunctionType] = []
        self.modules: set[str] = set()
        for x, alone in _computing(study, data):
            self._add(x, module, alone=alone)

    def _add(self, x: Any, module: ModuleType, *, alone: bool) -> None:
        names = {name for name, value in vars(module).items() if value is x}
        simple = isinstance(x, type) or (isinstance(x, FunctionType) and x.__closure__ is None)
        if names:
            self.names = None if self.names is None else self.names | names
        elif simple and x.__module__ != module.__name__ and "<" not in x.__qualname__:
            self.modules.add(x.__module__)
        elif simple and alone and x.__module__ == module.__name__:
            self.lambdas.append(x)
        else:
            self.names = None


def _in_a_file(module: ModuleType, roots: _Roots) -> str:
    source = getattr(module, SOURCE, None)
    path = Path(str(module.__file__))
    text: str = path.read_text(encoding="utf-8") if source is None else source
    texts: Mapping[str, bytes] = getattr(module, BESIDE, {})
    pieces, wanted = _slice(text, roots)
    found = {f"own {k}": piece for k, piece in enumerate(pieces)}
    wanted |= roots.modules
    inside, todo = dict(texts), set(wanted)
    seen: set[str] = set()
    house: set[str] = set()
    while todo:
        name = todo.pop()
        first = name.removeprefix(f"{module.__name__}_beside.").partition(".")[0]
        files = [where for where in inside if where == f"{first}.py" or where.startswith(f"{first}/")]
        for where in files:
            if where not in seen:
                seen.add(where)
                found[f"beside {where}"] = inside[where].decode("utf-8", "backslashreplace")
                tree = parsed(inside[where])
                todo |= _needed([tree], tree)
        if not files:
            house |= _resolved(name)
    return _digest(found, house)


def _digest(found: Mapping[str, str], house: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted({**found, **_house(frozenset(house))}.items()):
        digest.update(f"{name}\0{text}\0".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:24]


def _slice(text: str, roots: _Roots) -> tuple[list[str], set[str]]:
    """The pieces of a file that compute, in its order, and the dotted names that they need."""
    tree, lines = parsed(text), text.splitlines()
    if roots.names is None:
        return [text], _needed([tree], tree)
    bound, always = _bound(tree)
    lambdas = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda) and any(node.lineno == one.__code__.co_firstlineno for one in roots.lambdas)
    ]
    reached: dict[int, ast.stmt] = {}
    todo: list[ast.AST] = [*lambdas, *always]
    todo += [statement for name in roots.names for statement in bound.get(name, ())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            if id(node) in reached:
                continue
            reached[id(node)] = node
        names = _names(node)
        if names & {"globals", "eval", "exec"}:  # what they reach cannot be told
            return [text], _needed([tree], tree)
        todo += [statement for name in names for statement in bound.get(name, ())]
    statements = sorted(reached.values(), key=lambda node: node.lineno)
    pieces = ["\n".join(lines[_first(node) - 1 : node.end_lineno]) for node in statements]
    pieces += [ast.get_source_segment(text, node) or "" for node in lambdas]
    wanted = _needed([*statements, *lambdas], tree)
    return [*pieces, *sorted(_as_called(tree, [*statements, *lambdas]))], wanted


def _first(node: ast.stmt) -> int:
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])


def _bound(tree: ast.Module) -> tuple[dict[str, list[ast.stmt]], list[ast.stmt]]:
    """The statements at the top level that make or change each name, and those that may change anything."""
    imports = {name for name, _ in imported(tree)}
    bound: dict[str, list[ast.stmt]] = {}
    always: list[ast.stmt] = []
    for node in tree.body:
        names: set[str] = set()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = {node.name}
            # A decorator of one's own may put it into a table, and a base may know its classes.
            if any(_root(one) not in imports | {"staticmethod", "property"} for one in node.decorator_list):
                always.append(node)
            if isinstance(node, ast.ClassDef):
                names |= {base.id for base in node.bases if isinstance(base, ast.Name) and base.id not in imports}
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {str(_root(one)) for target in targets for one in _leaves(target)}
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or _says_nothing(node):
            continue
        else:
            always.append(node)
        for name in names:
            bound.setdefault(name, []).append(node)
    return bound, always


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for one in target.elts:
            yield from _leaves(one)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _root(node: ast.expr) -> str | None:
    """The name that an expression begins with: np of ``np.random.x(3)``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _says_nothing(node: ast.stmt) -> bool:
    """A docstring, a block for type checkers, or one that runs when the file is a script."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return types_only(node) or (isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__ =="))


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _imports_of(tree: ast.Module) -> dict[str, set[str]]:
    """Dotted names by the name that they have in a module; what is there under none, or is never named, is ""."""
    used = _names(tree)
    found: dict[str, set[str]] = {}
    for name, dotted in imported(tree):
        found.setdefault(name if name in used else "", set()).add(dotted)
    return found


def _as_called(tree: ast.Module, nodes: list[Any]) -> set[str]:
    """The imports that some nodes use, as text."""
    names = set[str]().union(*map(_names, nodes)) - {""}
    return {f"{name} = {dotted}" for name, all in _imports_of(tree).items() if name in names for dotted in all}


def _needed(nodes: list[Any], tree: ast.Module) -> set[str]:
    """Dotted names of what some nodes of a module's tree use of its imports, as far as they are written out."""
    imports = _imports_of(tree)
    found = set(imports.get("", ()))
    for node in nodes:
        inner: set[int] = set()
        for one in ast.walk(node):  # a chain comes before its parts
            if isinstance(one, ast.Attribute | ast.Name) and id(one) not in inner:
                chain, end = [], one
                while isinstance(end, ast.Attribute):
                    chain.append(end.attr)
                    end = end.value  # type: ignore[assignment]
                    inner.add(id(end))
                if isinstance(end, ast.Name):
                    for dotted in imports.get(end.id, ()):
                        # ``import a.b`` is known as a; otherwise the name is the whole of it.
                        begin = end.id if dotted.startswith(f"{end.id}.") else dotted
                        found |= (
                            {dotted, ".".join([begin, *reversed(chain)])}
                            if begin != dotted
                            else {".".join([dotted, *reversed(chain)])}
                        )
    return found


def _file(name: str) -> Path | None:
    """The file of a module of the house."""
    first, *parts = name.split(".")
    if first != "lemmascope" or not parts or parts[0] not in HOUSES:
        return None
    path = ROOT.joinpath(*parts)
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def _resolved(dotted: str) -> set[str]:
    """The module of the house that a dotted name is of; all of them, if that cannot be told; none, if it is foreign."""
    parts = dotted.split(".")
    if parts[0] != "lemmascope":
        return set()
    for k in range(len(parts), 1, -1):
        if _file(name := ".".join(parts[:k])) is not None:
            return {name}
    for k in (1, 2):  # the front door knows what its names are
        front: Mapping[str, str] = getattr(sys.modules.get(".".join(parts[:k])), "_WHERE", {})
        where = front.get(parts[k], "") if len(parts) > k else ""
        if ":" in where:
            return _resolved(where.replace(":", "."))
        if where:
            getattr(sys.modules["lemmascope"], parts[k])  # imports it
    return _everything()


def _everything() -> set[str]:
    paths = [path for house in ("theory", "sims") for path in (ROOT / house).rglob("*.py")]
    names = {".".join(("lemmascope", *path.relative_to(ROOT).with_suffix("").parts)) for path in paths}
    return {name for name in names if not AFTER.fullmatch(name) and ".studies." not in name}


@functools.cache
def _house(modules: frozenset[str]) -> dict[str, str]:
    """The texts of modules of the house, and of those that they import, less what comes after the parts."""
    found: dict[str, str] = {}
    todo, seen = list(modules), set(modules)
    while todo:
        name = todo.pop()
        path = _file(name)
        if path is None:
            continue
        text = found[name] = path.read_text(encoding="utf-8")
        tree = parsed(text)
        for one in ast.walk(tree):
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.endswith((".cu", ".cuh")):
                for source in path.parent.rglob(one.value):
                    found[source.relative_to(ROOT).as_posix()] = source.read_text(encoding="utf-8")
        for needed in {module for _, dotted in imported(tree) for module in _resolved(dotted)}:
            if needed not in seen and not AFTER.fullmatch(needed):
                seen.add(needed)
                todo.append(needed)
    return found


def _made_here(study: Study[Any], data: bool) -> str:
    """That of a study in no file: the sources of its functions and of what they reach, and the values that they use."""
    found: dict[str, str] = {}
    house: set[str] = set()
    todo: list[Any] = [x for x, _ in _computing(study, data)]
    seen: set[int] = set()
    kept: list[Any] = []
    try:
        while todo:
            x = todo.pop()
            x = inspect.unwrap(getattr(x, "py_func", x)) if callable(x) else x
            if isinstance(x, functools.partial):
                todo += [x.func, x.args, x.keywords]
                continue
            if id(x) in seen:
                continue
            seen.add(id(x))
            kept.append(x)  # its number is its own as long as it is there
            where = str(getattr(x, "__module__", "") or "")
            if isinstance(x, ModuleType):
                where = x.__name__
            if where.partition(".")[0] == "lemmascope":
                house |= _resolved(where)
            elif isinstance(x, type | FunctionType) and not _foreign(where):
                found[f"{where}.{x.__qualname__}"] = inspect.getsource(x)
                functions = [x] if isinstance(x, FunctionType) else _methods(x)
                for function in functions:
                    todo += _values(function, house)
            elif isinstance(x, ModuleType) and not _foreign(where):
                found[where] = inspect.getsource(x)
            elif not isinstance(x, ModuleType) and not (hasattr(x, "__name__") and _foreign(where)):
                found[f"value {len(found)}"] = json.dumps(plain(x), sort_keys=True)
    except (OSError, TypeError, ValueError, InputError):
        return UNKNOWN
    return _digest(found, house)


def _methods(kind: type) -> list[Any]:
    """A class's own functions, also those of its properties."""
    found = [getattr(x, "__func__", None) or getattr(x, "fget", None) or x for x in vars(kind).values()]
    return [inspect.unwrap(x) for x in found if callable(x) and not isinstance(x, type)]


def _values(function: Callable[..., Any], house: set[str]) -> Iterator[Any]:
    """What a function uses of its module and of those around it, and its defaults."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None or code.co_filename == "<string>":  # a dataclass made it
        return
    names: set[str] = set()
    todo = [code]
    while todo:
        one = todo.pop()
        names |= set(one.co_names)
        todo += [x for x in one.co_consts if isinstance(x, CodeType)]
    around: dict[str, Any] = getattr(function, "__globals__", {})
    for name in sorted(names & set(around)):
        if isinstance(around[name], ModuleType) and around[name].__name__ == "lemmascope":
            for inner in names:
                front: Mapping[str, str] = getattr(around[name], "_WHERE", {})
                house |= _resolved(f"lemmascope.{inner}") if inner in front else set()
        else:
            yield around[name]
    for cell in getattr(function, "__closure__", None) or ():
        yield cell.cell_contents
    yield from getattr(function, "__defaults__", None) or ()


def _foreign(module: str) -> bool:
    """Whether a module is Python's own or an installed package's."""
    first = module.partition(".")[0]
    if first in ("", "builtins") or (first in sys.stdlib_module_names and first != "__main__"):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    places = {path for name, path in sysconfig.get_paths().items() if name in ("purelib", "platlib")}
    return first != "__main__" and file is not None and any(Path(file).is_relative_to(place) for place in places)
