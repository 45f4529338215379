"""The chapters of ``proofs_check/steps/``, found and put in order; and a user's own file as one."""

from __future__ import annotations

__all__ = ["as_chapter", "chapters", "in_order"]

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from lemmascope.proofs_check.step import Chapter, Step
from lemmascope.theory.errors import InputError


def chapters() -> tuple[Chapter, ...]:
    """Every chapter of ``proofs_check/steps/``, in any depth, in order.

    A file whose name starts with an underscore is none.

    Raises:
        InputError: a file defines no chapter, or `in_order` refuses.
    """
    from lemmascope.proofs_check import steps

    def stop(name: str) -> None:
        raise  # the error with which a package did not import, which would be passed over

    found = []
    for module in pkgutil.walk_packages(steps.__path__, f"{steps.__name__}.", onerror=stop):
        path = module.name.removeprefix(f"{steps.__name__}.")
        subject, _, name = path.partition(".") if "." in path else ("", "", path)
        if module.ispkg or name.rpartition(".")[2].startswith("_"):
            continue
        chapter = getattr(importlib.import_module(module.name), "CHAPTER", None)
        if not isinstance(chapter, Chapter):
            raise InputError("chapter", path, "the file must define CHAPTER = Chapter(…), or begin with an underscore")
        found.append(replace(chapter, subject=subject, name=name))
    return in_order(found)


def in_order(chapters: Iterable[Chapter]) -> tuple[Chapter, ...]:
    """The chapters numbered: each follows those that it says it comes after, otherwise by folder and file.

    Raises:
        InputError: a chapter comes after one that does not exist, or whose name is shared by several, or after itself.
    """
    every = {chapter.path: chapter for chapter in chapters}
    before = {path: [_named(name, chapter, every) for name in chapter.after] for path, chapter in every.items()}
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise InputError("after", circle, "chapters must not come after each other in a circle") from error
    ready: list[tuple[str, str]] = []
    order: list[Chapter] = []
    while sorter.is_active():
        for path in sorter.get_ready():
            heappush(ready, (every[path].subject, every[path].name))
        subject, name = heappop(ready)
        path = f"{subject}.{name}" if subject else name
        order.append(replace(every[path], number=len(order) + 1))
        sorter.done(path)
    return tuple(order)


def _named(name: str, chapter: Chapter, every: Mapping[str, Chapter]) -> str:
    """The path of the chapter that ``chapter`` names."""
    found = [path for path, one in every.items() if name in (path, one.name)]
    if not found:
        raise InputError("after", name, f"{chapter.path} comes after it, and the chapters are {', '.join(every)}")
    if len(found) > 1:
        raise InputError("after", name, f"{chapter.path} comes after it, and must say which: {' or '.join(found)}")
    return found[0]


def as_chapter(objects: Mapping[str, Any] | Iterable[Any], name: str) -> Chapter:
    """The chapter that a user's own objects make: their ``CHAPTER`` or their steps, in their order.

    Args:
        objects: what a module has at its top level, ``vars(module)``, or only the values.
        name: of the file, without its ending.

    Raises:
        InputError: there is neither a step nor a chapter, or there are several chapters.
    """
    values = list(objects.values() if isinstance(objects, Mapping) else objects)
    whole = list({id(one): one for one in values if isinstance(one, Chapter)}.values())
    loose = list({id(one): one for one in values if isinstance(one, Step)}.values())
    if len(whole) > 1:
        raise InputError("chapter", name, f"it must define one Chapter, and defines {len(whole)}")
    if not whole and not loose:
        raise InputError("chapter", name, "it must define at least one Step, or a Chapter, at its top level")
    if not whole:
        told = str(objects.get("__doc__") or "").strip() if isinstance(objects, Mapping) else ""
        return Chapter(title=told.partition("\n")[0].rstrip(".") or name, steps=tuple(loose), name=name)
    listed = {id(step) for step in whole[0].steps}
    more = tuple(step for step in loose if id(step) not in listed)
    return replace(whole[0], steps=whole[0].steps + more, subject="", name=name, number=0)
