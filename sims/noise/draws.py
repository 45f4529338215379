"""What replicas draw: a counter-based stream each, taken block by block of steps, the same for any batch and block."""

from __future__ import annotations

__all__ = ["KINDS", "blocks", "generators"]

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lemmascope.sims import stopping
from lemmascope.theory.errors import InputError

WORD = 64
"""Signs that one word of a stream gives."""

MOST = 2**24
"""Bytes that are drawn at a time, about: filling a replica's row costs some microseconds, however short it is."""


def generators(stream: Callable[[str], np.random.Generator], what: str, count: int) -> list[np.random.Generator]:
    """One a replica: "WHAT replica=0", … of a seed's `sims.seeds.streams`, or of a task's ``rng``."""
    return [stream(f"{what} replica={k}") for k in range(count)]


def _signs(rng: np.random.Generator, out: np.ndarray) -> None:
    """±1, one bit of the stream each; the size of ``out`` is a multiple of `WORD`."""
    words = rng.bit_generator.random_raw(out.size // WORD)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8))
    out[...] = bits.reshape(out.shape).astype(np.int8) * 2 - 1


def _normals(rng: np.random.Generator, out: np.ndarray) -> None:
    rng.standard_normal(out=out)


KINDS: dict[str, tuple[Callable[[np.random.Generator, np.ndarray], None], type]] = {
    "signs": (_signs, np.int8),
    "normals": (_normals, np.float64),
}
"""Rademacher's ±1, and normal deviates: how a replica's are drawn, and their type."""


def blocks(
    rngs: Sequence[np.random.Generator], steps: int, width: int, kind: str = "signs"
) -> Iterator[tuple[int, np.ndarray]]:
    """(start, draws) block by block of steps: draws (replicas, steps of the block, width), of variance 1.

    A replica's draws are those of its own stream in order, whatever the others and the blocks are. The array is the
    same in every block, with other draws. Asks between blocks whether the task is given up.

    Args:
        rngs: one a replica; steps: in all; width: draws of a step.
        kind: one of `KINDS`.

    Raises:
        InputError: an unknown kind.
        KeyboardInterrupt: the task is given up.
    """
    if kind not in KINDS:
        raise InputError("kind", kind, f"it must be one of {', '.join(KINDS)}")
    fill, dtype = KINDS[kind]
    block = max(1, MOST // (np.dtype(dtype).itemsize * WORD * width * len(rngs))) * WORD
    room: np.ndarray = np.empty((len(rngs), min(block, -(-steps // WORD) * WORD), width), dtype)
    for start in range(0, steps, room.shape[1]):
        stopping.check()
        for rng, draws in zip(rngs, room, strict=True):
            fill(rng, draws)
        yield start, room[:, : min(room.shape[1], steps - start)]
