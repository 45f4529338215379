r"""Chains of SGD with momentum, the velocity form v ← μv + ηĝ, Φ ← Φ − v, many at once from counter-based draws.

A chain draws its minibatches from uniform numbers by Fisher and Yates: a draw takes its
place from those that are left, which are all of them at each step ("distinct"), or until the epoch ends
("reshuffled"). So every sampling costs one number a sample, and the same numbers are the same minibatches on any
hardware: `Arrays` is the reference, all chains of a cell as one batch on arrays of any library (CuPy's too),
`run` takes machine code where there is any.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "Arrays", "run"]

from collections.abc import Callable
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.temperature.problems import Chain, Problem
from lemmascope.theory.errors import InputError

Array = Any
BLOCK = 4096
"""Steps whose minibatches are drawn at a time, at most."""

DRAWS = 2**18
"""Numbers that are drawn at a time, about: they stay in the processor's cache."""

BACKENDS = ("auto", "compiled", "numpy", "cupy")


def run(
    problem: Problem, chain: Chain, rngs: list[np.random.Generator], backend: str = "auto", xp: Any = None
) -> np.ndarray:
    """Losses less the least along independent chains from the minimum, (chains, samples).

    A loss is that before the step; in reshuffled epochs ``every`` = 1 sees each place of an epoch alike. A chain that
    leaves the finite numbers is NaN from there on.

    Args:
        problem: whose gradient.
        chain: how it runs.
        rngs: one generator a chain.
        backend: one of `BACKENDS`.
        xp: the array library of the backend "numpy"; default NumPy.

    Raises:
        InputError: a batch that the samples do not allow, or a backend that is not there.
    """
    N, B = problem.samples, chain.B
    if chain.sampling == "distinct" and B > N:
        raise InputError("B", B, f"there are {N} samples, and those of a minibatch are distinct")
    if chain.sampling == "reshuffled" and (N % B or B == N):
        raise InputError("B", B, f"it must be a proper divisor of the {N} samples where epochs are reshuffled")
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    kind: Callable[..., Any] = Arrays
    if backend in ("auto", "compiled") and xp is None:
        from lemmascope.sims.temperature.loops import Compiled

        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    engine: Any = kind(problem, chain, len(rngs), np if xp is None else xp)
    out = np.empty((len(rngs), chain.samples))
    done, row = 0, 0
    block = max(1, min(BLOCK, DRAWS // (B * len(rngs)), chain.steps))
    room = np.empty(len(rngs) * block * B)
    with np.errstate(over="ignore", invalid="ignore"):
        while done < chain.steps:
            stopping.check()
            steps = min(block, chain.steps - done)
            uniform = room[: len(rngs) * steps * B].reshape(len(rngs), steps, B)
            for rng, draws in zip(rngs, uniform, strict=True):
                rng.random(out=draws)
            seen = engine.advance(done, uniform)
            out[:, row : row + seen.shape[1]] = seen
            done, row = done + steps, row + seen.shape[1]
    return np.where(np.isfinite(out), out, np.nan)


def _places(chain: Chain, N: int, start: int, uniform: np.ndarray) -> np.ndarray:
    """(chains, steps, B) the place of each draw among those that are left, and where they begin."""
    steps, B = uniform.shape[1:]
    begin = np.arange(B) + np.zeros((steps, 1), int)
    if chain.sampling == "with replacement":
        begin[:] = 0
    elif chain.sampling == "reshuffled":
        begin += B * ((start + np.arange(steps)[:, None]) % (N // B))
    return begin + (uniform * (N - begin)).astype(np.int64)


class Arrays:
    """The reference: all chains as one batch, on arrays of any library of the standard."""

    def __init__(self, problem: Problem, chain: Chain, chains: int, xp: Any) -> None:
        self.chain, self.xp, self.samples = chain, xp, problem.samples
        arrays = {name: xp.asarray(x) if isinstance(x, np.ndarray) else x for name, x in vars(problem).items()}
        self.problem = type(problem)(**arrays)
        self.e = xp.zeros((chains, problem.width), dtype=xp.float64)
        self.v = xp.zeros_like(self.e)
        self.orders = np.tile(np.arange(problem.samples), (chains, 1))

    def _indices(self, start: int, uniform: np.ndarray) -> np.ndarray:
        places = _places(self.chain, self.samples, start, uniform)
        if self.chain.sampling == "with replacement":
            return places
        found, rows = np.empty_like(places), np.arange(places.shape[0])
        n = self.samples // self.chain.B
        for t in range(places.shape[1]):
            first = self.chain.B * ((start + t) % n) if self.chain.sampling == "reshuffled" else 0
            for j in range(places.shape[2]):
                at = places[:, t, j]
                taken = self.orders[rows, at]
                self.orders[rows, at] = self.orders[:, first + j]
                self.orders[:, first + j] = taken
                found[:, t, j] = taken
        return found

    def advance(self, start: int, uniform: np.ndarray) -> np.ndarray:
        """As many steps as there are draws (chains, steps, B) for; what is seen of them (chains, seen)."""
        xp, chain, seen = self.xp, self.chain, []
        index = xp.asarray(self._indices(start, uniform))
        for t in range(uniform.shape[1]):
            past = start + t - chain.burn_in
            if past >= 0 and past % chain.every == 0:
                seen.append(self.problem.loss(xp, self.e))
            self.v = chain.mu * self.v + chain.eta * self.problem.gradient(xp, self.e, index[:, t, :])
            self.e = self.e - self.v
        if not seen:
            return np.empty((uniform.shape[0], 0))
        found = xp.stack(seen, axis=1)
        return np.asarray(found.get() if hasattr(found, "get") else found)
