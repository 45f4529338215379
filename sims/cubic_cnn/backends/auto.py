"""What "auto" stands for; a study that only declares it imports no backend."""

from __future__ import annotations

__all__ = ["resolve"]

from collections.abc import Sequence


def resolve(backend: str, among: Sequence[str] = ("cupy", "compiled", "numpy")) -> str:
    """What "auto" stands for on this machine, with the library's own optimizers; another name as it is.

    Args:
        backend: "auto", or a name.
        among: what the study runs on.
    """
    from lemmascope.sims.cubic_cnn.backends import compiled
    from lemmascope.sims.cubic_cnn.backends.choice import choose_backend

    if backend != "auto":
        return backend
    if "cupy" in among:
        return choose_backend("auto", {}).name
    return "numpy" if compiled.unavailable() else "compiled"
