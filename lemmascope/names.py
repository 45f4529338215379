"""Public names that are imported when they are first used: `import lemmascope` costs nothing."""

from __future__ import annotations

__all__ = ["on_first_use"]

import importlib

TYPE_CHECKING = False  # and not that of `typing`, which takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def on_first_use(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package, by PEP 562.

    Args:
        package: the package's ``__name__``.
        where: from each public name to ``"module:name"``, or to a module, ``"module"``.
    """

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = where[name].partition(":")
        found = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found

    return get, lambda: sorted(where)
