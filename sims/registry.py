"""The studies that are found: every file of ``sims/studies/``, and a user's own file.

Names and titles are read without importing a study, so that ``lemmascope --help`` costs nothing.
"""

from __future__ import annotations

__all__ = ["find", "found_in", "load", "module_of", "names", "own_name", "study", "title"]

import ast
import dataclasses
import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from lemmascope.sims.own import SOURCE, load_module, loaded
from lemmascope.sims.study import Study
from lemmascope.theory.errors import InputError

FOLDER = Path(__file__).parent / "studies"
PACKAGE = "lemmascope.sims.studies"


@cache
def names() -> tuple[str, ...]:
    """The house's studies, by their files."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")))


@cache
def title(name: str) -> str:
    """The first line of a study's docstring, which says what it shows; read, not imported."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def study(name: str) -> Study[Any]:
    """A study of the house.

    Raises:
        InputError: there is none of that name.
        TypeError: its file does not declare ``STUDY`` under its own name.
    """
    if name not in names():
        raise InputError("study", name, f"the studies are {', '.join(names())}; your own is FILE.py")
    found = importlib.import_module(f"{PACKAGE}.{name}").STUDY
    if not isinstance(found, Study) or found.name != name:
        raise TypeError(f"{PACKAGE}.{name} must declare STUDY = Study(name={name!r}, …)")
    return found


def load(path: str | Path) -> Study[Any]:
    """A user's own study: the one `Study` that a Python file defines at its top level.

    Raises:
        InputError: the file is missing or fails, or defines none, or several.
    """
    return found_in(load_module(path), path)


def found_in(module: ModuleType, path: str | Path) -> Study[Any]:
    """The one `Study` of a module that was loaded from a user's file; see `load`."""
    found = {id(x): x for x in vars(module).values() if isinstance(x, Study)}
    if len(found) != 1:
        raise InputError("study", str(path), f"it must define one Study, and has {len(found)}")
    (one,) = found.values()
    one = dataclasses.replace(one, file=str(Path(path).resolve()), source=getattr(module, SOURCE))
    own_name(one)
    return one


def own_name(one: Study[Any]) -> None:
    """Raise `InputError` if a study that is not the house's has the name of one that is."""
    if one.name in names() and one is not study(one.name):
        raise InputError("study", one.name, "a study of the house has this name; choose another")


def module_of(one: Study[Any]) -> ModuleType | None:
    """The module that declares what a study computes: the house's, or that of a user's file.

    None where no file does: the study was made in a script or a notebook, or given other experiments since.
    """
    if one.file:
        modules = [module for module in loaded(one.file) if getattr(module, SOURCE) == one.source]
    else:
        modules = [sys.modules[f"{PACKAGE}.{one.name}"]] if one.name in names() and study(one.name) else []
    for module in modules:
        for declared in vars(module).values():
            if isinstance(declared, Study) and (declared.settings, dict(declared.experiments)) == (
                one.settings,
                dict(one.experiments),
            ):
                return module
    return None


def find(which: str | Path) -> Study[Any]:
    """A study by its name, or by the path of a user's file."""
    return load(which) if str(which).endswith(".py") else study(str(which))
