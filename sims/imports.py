"""What a module imports, read from its text and not by running it."""

from __future__ import annotations

__all__ = ["imported", "parsed", "types_only"]

import ast
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()
TRIES = 20
"""CPython 3.11 counts the depth of all trees that are made at a time together: another thread's may disturb it."""


def parsed(source: str | bytes) -> ast.Module:
    """A module's tree; that of a text that cannot be run is empty."""
    for _ in range(TRIES):
        try:
            with _LOCK:
                return ast.parse(source)
        except (SyntaxError, ValueError):
            return ast.Module([], [])
        except SystemError as error:
            disturbed = error
    raise disturbed


def types_only(node: ast.AST) -> bool:
    """Whether it is a block that runs for type checkers alone."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What is imported wherever in a tree: the name that it has there, and its dotted name; not for types alone.

    ``import a.b`` is known as a, ``from a import *`` as nothing; of a relative import the dots come first.
    """
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if types_only(node):
            todo += node.orelse  # type: ignore[attr-defined]
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from ((one.asname or one.name.partition(".")[0], one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            where = "." * node.level + (f"{node.module}." if node.module else "")
            for one in node.names:
                yield ("", where.rstrip(".")) if one.name == "*" else (one.asname or one.name, where + one.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from (("", x.value) for x in node.args if isinstance(x, ast.Constant) and isinstance(x.value, str))
