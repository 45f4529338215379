r"""Optimizers on scale-invariant losses, many cases and replicas at once, all cases on the same noise.

`Arrays` is the reference, (replicas, d) a case on arrays of any library (CuPy's too): gradients are those of
`theory.scale_invariant.losses`, the part along w is taken off by `theory.optimizers.projected`, with its test and
ε = 0, Adam and AdamP are `theory.optimizers`'. `run` takes machine code where there is any.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "DELTA", "Arrays", "directions", "engine", "run"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.noise.draws import blocks
from lemmascope.sims.scale_invariant.plan import QUANTITIES, SEEN, AdamCase, Case, check_times
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import Adam, AdamP
from lemmascope.theory.optimizers.projected import projected
from lemmascope.theory.scale_invariant.losses import Loss, Noise

Array = Any

BACKENDS = ("auto", "compiled", "numpy", "cupy")

DELTA = 0.1
"""δ of the test by which a step is projected; cosines are 0 here."""


def directions(rngs: Sequence[np.random.Generator], d: int) -> np.ndarray:
    """Random directions (replicas, d), of each stream's next draws."""
    w = np.array([rng.standard_normal(d) for rng in rngs])
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def run(
    loss: Loss,
    cases: Sequence[Case] | Sequence[AdamCase],
    start: np.ndarray,
    rngs: Sequence[np.random.Generator],
    times: Sequence[int],
    backend: str = "auto",
    xp: Any = None,
) -> dict[str, np.ndarray]:
    """Each of `SEEN` (cases, replicas, times), and each of `QUANTITIES` (cases, replicas); of Adam G alone.

    A replica that leaves the finite numbers is NaN from there on.

    Args:
        loss: whose gradient.
        cases: all of one kind; Adam's run on `Noise`.
        start: (replicas, d), or (cases, replicas, d): w₀/|w₀|.
        rngs: one a replica; the noise is normal, the same for all cases.
        times: steps after which is looked, increasing.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: a backend that is not there, cases of two kinds, Adam on a loss, or directions of another shape.
    """
    times = check_times(times)
    running = engine(loss, cases, start, len(rngs), times, backend, xp)
    with np.errstate(all="ignore"):
        for first, draws in blocks(rngs, times[-1], np.shape(start)[-1], "normals"):
            running.advance(first, draws)
    names = SEEN[:1] if isinstance(cases[0], AdamCase) else (*SEEN, *QUANTITIES)
    found = running.found()
    return {name: np.where(np.isfinite(found[name]), found[name], np.nan) for name in names}


def engine(
    loss: Loss,
    cases: Sequence[Case] | Sequence[AdamCase],
    start: np.ndarray,
    replicas: int,
    times: tuple[int, ...],
    backend: str = "auto",
    xp: Any = None,
) -> Any:
    """What `run` gives its noise to, block by block; arguments and errors as of it."""
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    kinds = {type(case) for case in cases}
    if len(kinds) != 1:
        raise InputError("cases", sorted(kind.__name__ for kind in kinds), "give one or more, all of one kind")
    if AdamCase in kinds and not isinstance(loss, Noise):
        raise InputError("loss", type(loss).__name__, "Adam runs on Noise")
    shape = (len(cases), replicas, np.shape(start)[-1])
    if np.shape(start) not in (shape, shape[1:]) or shape[-1] < 2:
        raise InputError("start", np.shape(start), f"it must be (replicas, d), {shape[1:]}, d at least 2")
    kind: Any = Arrays
    if backend in ("auto", "compiled") and xp is None:
        from lemmascope.sims.scale_invariant.loops import Compiled

        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    lengths = np.sqrt([case.start for case in cases])[:, None, None]
    return kind(loss, cases, np.broadcast_to(start, shape) * lengths, times, np if xp is None else xp)


class Arrays:
    """The reference: case by case, all replicas as one batch."""

    def __init__(self, loss: Loss, cases: Sequence[Any], w: np.ndarray, times: Sequence[int], xp: Any) -> None:
        self.loss, self.cases, self.times, self.xp = loss, cases, times, xp
        self.w = [xp.asarray(np.array(one), dtype=xp.float64) for one in w]
        if isinstance(cases[0], AdamCase):
            self.adam = [(AdamP if c.projected else Adam)(c.eta, c.beta1, c.beta2, c.epsilon) for c in cases]
            self.state: list[Any] = [o.init(one) for o, one in zip(self.adam, self.w, strict=True)]
        else:
            self.state = [xp.zeros_like(one) for one in self.w]
        zero = xp.zeros(w.shape[1], dtype=xp.float64)
        names = ("s", "P", "path", *QUANTITIES)
        self.sums: list[dict[str, Array]] = [dict.fromkeys(names, zero) for _ in cases]
        self.seen: dict[str, list[list[Array]]] = {name: [] for name in SEEN}

    def advance(self, start: int, noise: np.ndarray) -> None:
        """As many steps as there is noise for, (replicas, steps, d)."""
        given = self.xp.asarray(noise)
        for k in range(noise.shape[1]):
            t = start + k
            for i, case in enumerate(self.cases):
                before, g = self.w[i], self.loss.gradient(self.w[i], given[:, k, :])
                if isinstance(case, AdamCase):
                    self.w[i], self.state[i] = self.adam[i].step(before, g, self.state[i], t)
                else:
                    self._step(i, case, before, g, last=t + 1 == self.times[-1])
            if t + 1 in self.times:
                self.seen["G"].append([self._dot(w, w) for w in self.w])
                self.seen["loss"].append([self.loss.value(w) for w in self.w])
                self.seen["path"].append([sums["path"] for sums in self.sums])

    def _dot(self, x: Array, y: Array) -> Array:
        return self.xp.sum(x * y, axis=-1)

    def _step(self, i: int, case: Case, w: Array, g: Array, *, last: bool) -> None:
        xp, sums, a = self.xp, self.sums[i], 1 - case.eta * case.decay
        v = case.beta * self.state[i] + g
        move = projected(w, g, v, DELTA, 0.0)[0] if case.projected else v
        after = a * w - case.eta * move
        G, new, s, P = self._dot(w, w), self._dot(after, after), self._dot(w, v), self._dot(move, move)
        stated = case.beta * (a * sums["s"] - case.eta * sums["P"])
        plain = a * a * G + case.eta**2 * P
        whole = plain if case.projected else plain - 2 * a * case.eta * stated
        size = xp.sqrt(G) * xp.sqrt(self._dot(v, v))
        error = xp.maximum(xp.abs(whole - new) / new, xp.abs(stated - s) / size)
        sums["error"] = xp.maximum(sums["error"], error)
        sums["wrong"] = xp.maximum(sums["wrong"], xp.abs(plain - new) / new)
        sums["s"], sums["P"], sums["path"] = s, P, sums["path"] + P
        if last:
            unit = w / xp.sqrt(G)[:, None]
            along = self._dot(unit, after)
            across = after - along[:, None] * unit
            sums["angle"] = xp.atan2(xp.sqrt(self._dot(across, across)), along)
        if case.reset:
            after = after / xp.sqrt(new)[:, None]
        self.w[i], self.state[i] = after, v

    def found(self) -> dict[str, np.ndarray]:
        """What `run` returns."""
        seen = {
            name: np.array([[_host(x) for x in row] for row in rows]).transpose(1, 2, 0)
            for name, rows in self.seen.items()
        }
        return seen | {name: np.array([_host(sums[name]) for sums in self.sums]) for name in QUANTITIES}


def _host(x: Array) -> np.ndarray:
    return np.asarray(x.get() if hasattr(x, "get") else x)
