"""Random streams named by axes; no global generator, no order of drawing that matters."""

from __future__ import annotations

__all__ = ["streams"]

import hashlib
from collections.abc import Callable

import numpy as np

from lemmascope.theory.errors import check_size


def _word(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def streams(root: int, study: str, index: int) -> Callable[[str], np.random.Generator]:
    """A function from the name of what is drawn to its own generator.

    The generator is Philox (counter-based), keyed by (root seed, study, seed index, what is drawn): a seed's
    draws are the same alone or in a batch, and adding a new thing to draw changes no other.
    """
    check_size("root_seed", root, 0)
    check_size("seed", index, 0)

    def stream(what: str) -> np.random.Generator:
        key = np.random.SeedSequence(root, spawn_key=(_word(study), index, _word(what)))
        return np.random.Generator(np.random.Philox(key))

    return stream
