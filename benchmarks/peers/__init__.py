"""Other libraries on the same work, each as a careful user of it would write it, and tuned."""

from __future__ import annotations

__all__ = ["LIBRARIES", "peers"]

from typing import Any

from lemmascope.benchmarks.peers.jax_scan import JAX_PEERS
from lemmascope.benchmarks.peers.pytorch import PYTORCH_PEERS

LIBRARIES: dict[str, tuple[Any, ...]] = {"torch": PYTORCH_PEERS, "jax": JAX_PEERS}
"""The peers by the name of their library."""


def peers(without: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """All peers but those of the libraries ``without``."""
    return tuple(peer for library, found in LIBRARIES.items() if library not in without for peer in found)
