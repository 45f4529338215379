"""Trajectories as machine code on the processor (Numba), in both representations.

See `sims.cubic_cnn.backends.coefficient_loop` and `weight_loop` for how the iterations are carried out. This module
packs the data, owns the state, and sends a team of threads through the loop.
"""

from __future__ import annotations

__all__ = ["CompiledKernel", "unavailable"]

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.kernel import TRACED, Seen, Start, States, Watched
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.rounding import upward
from lemmascope.theory.cubic_cnn.certificate.window import Window
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.weights import WeightSystem

LINE = 64  # bytes in a line of a cache
QUANTITIES = np.array(["", "c", "Xi", "margins"], dtype="U8")


def unavailable() -> str | None:
    """Why compiled trajectories cannot run here, in one sentence; None if they can."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        return f"Numba cannot be imported ({error}); pip install numba"
    return None


def _zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that begin with a line of the cache, so that no vector lies across two of them."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(dtype).reshape(shape)


def _padded(x: np.ndarray, columns: int, rows: int | None = None) -> np.ndarray:
    """A copy of a matrix with zeros to the right and below."""
    out = _zeros((*x.shape[:-2], x.shape[-2] if rows is None else rows, columns), x.dtype)
    out[..., : x.shape[-2], : x.shape[-1]] = x
    return out


def _panels(K: np.ndarray, wide: int) -> np.ndarray:
    """The columns of a matrix in panels (panels, n, wide), the last one padded with zeros."""
    n = K.shape[0]
    out = _zeros((-(-n // wide), n, wide), K.dtype)
    for p, panel in enumerate(out):
        part = K[:, p * wide : (p + 1) * wide]
        panel[:, : part.shape[1]] = part
    return out


def _up(x: int, to: int) -> int:
    return -(-x // to) * to


class CompiledKernel:
    """One seed with A optimizers, in flight.

    Args:
        system: the seed's system on NumPy arrays, S = 1.
        start: thresholds, sizes and options.
        team: threads inside the products; in weight space at most `loops.CHUNKS`.
    """

    def __init__(self, system: CoefficientSystem | WeightSystem, start: Start, team: int = 1) -> None:
        from lemmascope.sims.cubic_cnn.backends import coefficient_loop, loops, tiles, weight_loop

        self.begin = start
        self.dtype = np.dtype(start.dtype)
        self.wide = 2 * tiles.VECTOR // self.dtype.itemsize
        coefficients = isinstance(system, CoefficientSystem)
        self.team = max(1, team if coefficients else min(team, loops.CHUNKS))
        A = start.count
        self.data: Any
        if isinstance(system, CoefficientSystem):
            m, n = system.Xi_0.shape[1:]
            self.width, self.n = n + 2, n
            columns, signal = _up(n, self.wide), system.of_the_law and system.has_feature
            cubed = system.strength[0] ** 3 if signal else np.zeros_like(system.y[0])
            bare = system.of_the_law or not system.has_feature
            self.data = coefficient_loop.CoefficientData(
                K=_panels(system.K[0], self.wide),
                Xi_0=_padded(system.Xi_0[0], columns),
                c_0=np.ascontiguousarray(system.c_0[0]),
                overlap=np.zeros(0, self.dtype) if bare else np.ascontiguousarray(system.overlap[0]),
            )
            theta, tail = _zeros((_up(A * m, tiles.ROWS), columns), self.dtype), np.zeros((A * m, 2), self.dtype)
            tail[:, 1] = 1
            loop = partial(coefficient_loop.coefficient_loop, has_feature=system.has_feature)
        else:
            m, d = system.W_0.shape[1:]
            X = system.X[0, :, system.signal_patches :, :]
            self.width, self.n = d, X.shape[0] * X.shape[1]
            columns, signal = _up(d, self.wide), system.signal_patches == 1
            if columns * self.dtype.itemsize % 1024 == 0:
                columns += self.wide  # rows a power of two apart would fall onto the same lines of a cache
            cubed = np.zeros_like(system.y[0])
            if signal:
                cubed = system.y[0] * (system.X[0, :, 0, :] @ system.w_star[0]) ** 3  # type: ignore[index]
            has_feature = system.w_star is not None
            w_star = system.w_star[0] if has_feature else np.zeros(d)  # type: ignore[index]
            self.data = weight_loop.WeightData(
                X=_padded(X.reshape(self.n, d), columns, self.n + 4),
                w_star=_padded(w_star[None].astype(self.dtype), columns)[0],
            )
            theta = _padded(np.tile(system.W_0[0], (A, 1)), columns, _up(A * m, tiles.ROWS))
            tail = np.zeros((0, 2), self.dtype)
            loop = partial(weight_loop.weight_loop, has_feature=has_feature, of_the_law=signal, Q=X.shape[1])
        self.loop = loop
        self.initial = theta.copy(), tail.copy()
        nan = np.nan
        self.numbers = np.array(
            [
                system.lam,
                start.gradient_factor,
                nan if start.c_threshold is None else start.c_threshold,
                nan if start.memorization_threshold is None else start.memorization_threshold,
            ]
        )
        self.m, self.coefficients = m, coefficients
        self.samples = (
            np.ascontiguousarray(system.y[0]),
            np.ascontiguousarray(cubed, self.dtype),
            np.ascontiguousarray(start.small[0]),
        )
        self.shared = self._arrays(theta, tail)

    def _arrays(self, theta: np.ndarray, tail: np.ndarray) -> Any:
        """The loop's arrays around a state, at rest, with nothing watched."""
        from lemmascope.sims.cubic_cnn.backends import loops

        A, m, zeros = self.begin.count, self.m, partial(_zeros, dtype=self.dtype)
        y, cubed, small = self.samples
        each, columns = (A, y.size), _up(self.n, self.wide) + self.wide
        bits = np.dtype(f"uint{8 * self.dtype.itemsize}")
        peaks = zeros((self.team, A))
        Xi = zeros(theta.shape if self.coefficients else (0, theta.shape[1]))
        return loops.Shared(
            y=y,
            cubed=cubed,
            small=small,
            theta=theta,
            u=zeros(theta.shape),
            tail=tail,
            tail_u=np.zeros_like(tail),
            Xi=Xi,
            cubes=zeros((A, columns)),
            pull=zeros((A, columns)),
            memorization=zeros(each),
            margins=zeros(each),
            ell=zeros(each),
            soft=zeros(each),
            c=zeros((A * m,)),
            sums=zeros((0, 0, 0) if self.coefficients else (min(loops.CHUNKS, y.size), *theta.shape)),
            peaks=peaks,
            peak_bits=peaks.view(bits),
            Xi_bits=Xi.view(bits),
            theta_out=zeros((0, A, m, self.width)),
            grad_out=zeros((0, A, m, self.width)),
            trace=zeros((A, 0, 5)),
            T_0=np.full(A, np.nan),
            T_1=np.full(A, np.nan),
            dead_at=np.full(A, -1),
            dead_of=np.zeros(A, np.int64),
            numbers=self.numbers,
            sync=np.zeros(16, np.int64),
        )

    def restart(self) -> None:
        """Back to iteration 0: the initial state, nothing watched yet."""
        w = self.shared
        w.theta[...], w.tail[...] = self.initial
        for buffer in (w.u, w.tail_u):
            buffer[...] = 0
        w.T_0[...] = w.T_1[...] = np.nan
        w.dead_at[...], w.dead_of[...] = -1, 0

    def state(self) -> tuple[np.ndarray, np.ndarray]:
        """The state and its buffer, each (1, A, m, width), copied."""
        w, R = self.shared, self.begin.count * self.m
        columns = self.width - 2 if self.coefficients else self.width
        parts = [
            np.concatenate([x[:R, :columns], end[:R]], axis=1) if self.coefficients else x[:R, :columns]
            for x, end in ((w.theta, w.tail), (w.u, w.tail_u))
        ]
        theta, u = (np.array(x).reshape(1, self.begin.count, self.m, self.width) for x in parts)
        return theta, u

    def keep(self, members: list[int]) -> None:
        """Go on with some of the optimizers, in this order; their bits do not change by it."""
        from lemmascope.sims.cubic_cnn.backends import tiles

        rows = (np.asarray(members)[:, None] * self.m + np.arange(self.m)).ravel()

        def part(x: np.ndarray) -> np.ndarray:
            return _padded(x[rows], x.shape[1], _up(len(rows), tiles.ROWS))

        old, ends = self.shared, rows if self.coefficients else rows[:0]
        self.begin = replace(self.begin, count=len(members))
        self.initial = part(self.initial[0]), self.initial[1][ends].copy()
        self.shared = self._arrays(part(old.theta), old.tail[ends].copy())
        self.shared.u[...], self.shared.tail_u[...] = part(old.u), old.tail_u[ends]
        for name in ("T_0", "T_1", "dead_at", "dead_of"):
            getattr(self.shared, name)[...] = getattr(old, name)[members]

    def advance(self, start: int, stop: int, rates: np.ndarray, record: np.ndarray) -> States:
        """See `sims.cubic_cnn.backends.kernel.Kernel.advance`."""
        A, k = self.begin.count, len(record)
        shape = (k, A, self.m, self.width)
        steps = stop - start if self.begin.trace else 0
        w = self.shared._replace(
            theta_out=np.empty(shape, self.dtype),
            grad_out=np.empty(shape, self.dtype),
            trace=np.empty((A, steps, len(TRACED)), self.dtype),
            sync=np.zeros(16, np.int64),
        )
        rates = np.ascontiguousarray(rates if rates.ndim == 3 else rates[None], self.dtype)
        record = np.ascontiguousarray(record, np.int64)
        maxima = self._maxima(stop - start)

        def send(member: int) -> None:
            self.loop(
                member,
                self.team,
                self.data,
                w,
                maxima,
                rates=rates,
                record=record,
                start=start,
                stop=stop,
                last=self.begin.last,
            )

        if self.team == 1:
            send(0)
        else:
            with ThreadPoolExecutor(self.team) as pool:
                for done in [pool.submit(send, member) for member in range(self.team)]:
                    done.result()
        seen = self._seen(maxima, rates, min(stop, self.begin.last) - start)
        return States(w.theta_out[:, None], w.grad_out[:, None], w.trace[None] if steps else None, seen)

    def _maxima(self, steps: int) -> Any:
        """What is seen of a call, at its beginning."""
        from lemmascope.sims.cubic_cnn.backends import seen

        data = self.begin.data
        if data is None:
            return seen.nothing()
        columns = _up(self.n, self.wide) + self.wide
        return seen.nothing_yet(self.begin.count, self.m, columns, steps, data)

    def _seen(self, maxima: Any, rates: np.ndarray, taken: int) -> list[Seen] | None:
        """Of each optimizer; the first ``taken`` iterations took a step."""
        data, m = self.begin.data, self.m
        if data is None:
            return None
        found = []
        for a in range(self.begin.count):
            rows, scalars = slice(a * m, (a + 1) * m), maxima.scalars[a]
            own = rates[:taken, a] if len(rates) > 1 else np.repeat(rates[:, a], taken, axis=0)
            window = None if taken < 1 else _window(data, maxima, a, rows, self.n, own)
            found.append(Seen(window, scalars[:, 5], scalars[:, 6]))
        return found

    def watched(self) -> Watched:
        """See `sims.cubic_cnn.backends.kernel.Kernel.watched`."""
        w = self.shared
        return Watched(w.T_0[None].copy(), w.T_1[None].copy(), w.dead_at[None].copy(), QUANTITIES[w.dead_of][None])


def _window(data: Data, maxima: Any, a: int, rows: slice, n: int, rates: np.ndarray) -> Window:
    """The window of one optimizer's rows."""
    tails = maxima.tails[rows]
    signal, down, sixth, most, trace = maxima.scalars[a, : len(rates), :5].T
    return Window(
        rise=maxima.rise[rows, :n],
        Xi=maxima.top[rows, :n],
        ell=maxima.ell[a],
        c=maxima.c[rows],
        rows=np.sqrt(maxima.rows[rows]),
        b=tails[:, 0],
        a=tails[:, 1].max(),
        u=np.sqrt(maxima.buffer[rows].sum()),
        u_b=np.sqrt((tails[:, 2] ** 2).sum()),
        u_a=tails[:, 3].max(),
        lent=maxima.scalars[a, : len(rates), 7],
        signal=signal,
        signal_down=down,
        pull_signal=upward(9 * sixth),
        pull_noise=upward(9 * np.minimum(data.K_norm * data.Q * most, trace)),
        rates=rates,
    )
