"""Heavy packages, loaded when something of theirs is first used: a command's ``--help`` needs none of them.

Studies and tools write ``import xarray as xr`` at the top, as anybody would. While the command line imports them to
read their flags, such a module is a promise; `resolve` loads what was promised before a command runs, in the main
thread. (``importlib.util.LazyLoader`` keeps its promise only until the second ``import`` of the same package.)
"""

from __future__ import annotations

__all__ = ["HEAVY", "imports", "promised", "resolve"]

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, cast

HEAVY = ("matplotlib", "numba", "numpy", "pandas", "scipy", "sympy", "xarray")

HERE = ("__class__", "__spec__")
"""What importing a module again, and `isinstance`, ask a promise for; anything else loads it."""


class _Promise(ModuleType):
    """A module that is loaded when it is first asked for something."""

    def __getattribute__(self, name: str) -> Any:
        if name in HERE:
            return object.__getattribute__(self, name)
        _load(self)
        return getattr(self, name)


def _load(module: ModuleType) -> None:
    module.__class__ = ModuleType
    spec = module.__spec__
    assert spec is not None
    assert spec.loader is not None
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise


class _Later:
    """A package's loader, which leaves it a promise."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the package's own."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing yet."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        module.__class__ = _Promise


class _Finder:
    """Promises in place of the packages in `HEAVY`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of a package in `HEAVY`, None for others."""
        if name not in HEAVY:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = cast(Any, _Later(spec.loader))
        return spec


@contextmanager
def imports() -> Iterator[None]:
    """A block in which `HEAVY` packages are imported as promises."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def promised(module: object) -> bool:
    """Whether it is a promise, and not loaded yet."""
    return type(module) is _Promise


def resolve() -> None:
    """Load what was promised."""
    for name in HEAVY:
        module = sys.modules.get(name)
        if module is not None and promised(module):
            _load(module)
