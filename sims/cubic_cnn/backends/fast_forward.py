r"""Fast-forward: the discrete trajectory over plateaus of many iterations, at the cost of a few, with an error control.

The iterates themselves are followed, not a continuous limit. Over a **window** of M iterations the gradient along the
trajectory is taken to be a polynomial of degree q in the iteration number, through its values at q + 1 iterations of
the window (the nodes); the optimizer's answer to such gradients is known exactly (`sims.cubic_cnn.backends.response`),
for any momentum. The values at the nodes are found by fixed-point sweeps: gradients → iterates at the nodes → gradients
there.

**Error control.** After the sweeps the gradient is evaluated at iterations between the nodes, on the iterates that the
polynomial gives there. The difference from the polynomial is the defect of the window, and gain(M) · |defect|, mapped
to (c, Ξ), is how far it can carry them off. A window is accepted if that is at most ``tolerance`` times their size,
and M is chosen from it (order q + 1); else it is halved. Where windows of `SHORTEST` iterations are refused, exact
steps are taken. A window's error is bounded as far as the defect between the checks is not larger than at them; what
the dynamics make of it later is not bounded, but measured (the tests, and the study that uses it, against exact
steps).

Hitting times are looked for on all of a window's iterates, peaks between the nodes among them, and are exact to one
iteration (`sims.cubic_cnn.backends.crossings`).
"""

from __future__ import annotations

__all__ = ["SHORTEST", "TOLERANCE", "FastForwardEngine"]

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.crossings import first_reached
from lemmascope.sims.cubic_cnn.backends.engine import Interrupted, Recorded
from lemmascope.sims.cubic_cnn.backends.kernel import Watched
from lemmascope.sims.cubic_cnn.backends.response import Response, Window
from lemmascope.sims.cubic_cnn.backends.segments import constant, rates_of
from lemmascope.sims.cubic_cnn.backends.window_sweeps import Data, evaluate, sweep
from lemmascope.sims.cubic_cnn.plan import Plan
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import Optimizer

Array = Any

TOLERANCE = 1e-10
DEGREE = 8
SHORTEST = 64
"""Iterations of the shortest window; about as many gradients as its sweeps take."""

SWEEPS = 12
BLOCK = 64  # exact steps at a time
FLOOR = 1e-2  # coefficients below this share of the largest one are held to the same absolute error
QUANTITIES = ("c", "Xi", "margins")


class FastForwardEngine:
    """One seed with A optimizers, each at its own pace.

    Args:
        plan: the simulation, with ``fast_forward`` the tolerance.
        system: the seed's system on NumPy arrays, S = 1.
        small: (N,) samples of small margin.
        optimizers: each with a constant recursion.

    Raises:
        InputError: an optimizer has none, or its rate changes.
    """

    def __init__(self, plan: Plan, system: CoefficientSystem, small: np.ndarray, optimizers: list[Optimizer]) -> None:
        self.plan, self.system, self.small = plan, system, small
        for optimizer in optimizers:
            if not constant(optimizer):
                raise InputError(
                    "fast_forward", type(optimizer).__name__, "it needs GD or momentum with a constant learning rate"
                )
        self.members = [_Member(plan, system, small, rates) for rates in rates_of(optimizers, 0, 1)]

    def run(self) -> Iterator[Recorded]:
        """See `sims.cubic_cnn.backends.engine.Engine.run`."""
        for member in self.members:
            member.run()
        for k in range(len(self.plan.times)):
            theta = np.stack([member.recorded[k] for member in self.members])[None]
            view, grad = self.system.evaluate(theta)
            yield Recorded(theta, grad * self.plan.gradient_factor, view)

    def watched(self) -> Watched:
        """See `sims.cubic_cnn.backends.engine.Engine.watched`."""
        hits = np.array([[member.hits for member in self.members]], dtype=float)  # also where none is missing
        dead = np.array([[member.dead for member in self.members]], dtype=object)
        return Watched(hits[..., 0], hits[..., 1], dead[..., 0].astype(int), dead[..., 1].astype("U8"))

    def trace(self) -> None:
        """Not every iteration is there."""
        return None

    def effort(self) -> dict[str, np.ndarray]:
        """(1, A) gradients evaluated, and exact steps among them."""
        return {
            "gradients": np.array([[member.gradients for member in self.members]]),
            "exact_steps": np.array([[member.exact for member in self.members]]),
        }


class _Member:
    """One optimizer's way; states are (m, n + 2)."""

    def __init__(self, plan: Plan, system: CoefficientSystem, small: np.ndarray, rates: np.ndarray) -> None:
        self.plan, self.small, self.rates = plan, small, rates
        self.last, self.tolerance = int(plan.times[-1]), float(plan.fast_forward or TOLERANCE)
        signal = system.of_the_law and system.has_feature
        self.has_feature = system.has_feature
        K, Xi_0, c_0, overlap, y, strength = (
            np.ascontiguousarray(getattr(system, name)[0], float)
            for name in ("K", "Xi_0", "c_0", "overlap", "y", "strength")
        )
        self.data = Data(
            K=K,
            Xi_0=Xi_0,
            c_0=c_0,
            overlap=overlap,
            y=y,
            cubed=strength**3 * float(signal),
            lam=float(system.lam),
            factor=plan.gradient_factor,
            of_the_law=system.of_the_law,
        )
        self.size_of_K = np.abs(self.data.K)
        response = Response(tuple(float(x) for x in rates), DEGREE)  # type: ignore[arg-type]
        self.window = lru_cache(maxsize=1024)(lambda length: Window(response, length))
        self.theta = system.initial(1)[0, 0].astype(float)
        self.u = np.zeros_like(self.theta)
        self.t, self.next = 0, 0  # iteration, and the next one to record
        self.recorded: list[np.ndarray] = []
        p = plan.problem.parameters
        self.threshold = np.inf if p is None else predictions.signal_threshold(p)
        self.hits, self.dead = [np.nan, np.nan], (-1, "")
        self.gradients = self.exact = 0

    def run(self) -> None:
        """To the last iteration."""
        length, refused, ticked = SHORTEST, 0, 0
        while self.t < self.last and self.dead[0] < 0:
            if self.plan.stop.is_set():
                raise Interrupted
            tried = min(length, _round_down(self.last - self.t))
            ratio = self._leap(self.window(tried)) if tried >= SHORTEST else np.inf
            if ratio <= 1:
                refused = 0
                length = int(tried * min(2.0, 0.9 * max(ratio, 1e-12) ** (-1 / (DEGREE + 1))))
            elif tried > SHORTEST:
                shrink = 0.9 * ratio ** (-1 / (DEGREE + 1)) if np.isfinite(ratio) else 0.5
                length = int(tried * min(0.5, max(0.1, shrink)))
            else:
                # The longer windows are refused, the longer it is before one is tried again.
                for _ in range(BLOCK << min(refused, 4)):
                    if self.t == self.last or not self._step():
                        break
                refused += 1
            length = max(_round_down(length), SHORTEST)
            self.plan.tick(self.t - ticked)
            ticked = self.t
        self.plan.tick(self.last - ticked)
        self._finish()

    def _evaluate(self, theta: Array) -> Any:
        """`window_sweeps.evaluate` of one state, or of k."""
        states = theta.reshape(-1, *self.theta.shape)
        self.gradients += len(states)
        return evaluate(self.data, states)

    # Exact steps.

    def _step(self) -> bool:
        """One iteration; False if it has diverged."""
        seen = self._evaluate(self.theta)
        self.exact += 1
        if not np.isfinite(seen[3]).all():
            known = (seen[0] if self.has_feature else np.zeros(1), seen[1], seen[3])
            first = next(name for name, x in zip(QUANTITIES, known, strict=True) if not np.isfinite(x).all())
            self.dead = (self.t, first)
            return False
        self._hit(seen)
        self._record(self.t, self.theta)
        gamma, kappa, p, q = self.rates
        self.u = gamma * self.u + kappa * seen[4][0]
        self.theta = self.theta - p * self.u - q * seen[4][0]
        self.t += 1
        return True

    def _hit(self, seen: Any) -> None:
        """Note the hitting times that have come at this iteration."""
        for which, hit in enumerate(self._reached(seen)[:, 0]):
            if hit and np.isnan(self.hits[which]):
                self.hits[which] = self.t

    def _record(self, t: int, theta: Array) -> None:
        if self.next < len(self.plan.times) and self.plan.times[self.next] == t:
            self.recorded.append(theta.copy())
            self.next += 1

    def _finish(self) -> None:
        """The last iteration; zeros from where it diverged."""
        if self.dead[0] < 0:
            self._record(self.last, self.theta)
            self._hit(self._evaluate(self.theta))
        while len(self.recorded) < len(self.plan.times):
            self.recorded.append(np.zeros_like(self.theta))

    # Windows.

    def _leap(self, window: Window) -> float:
        """Take a window if its error is small enough; the error over the tolerance (infinite: no fixed point)."""
        w_u, w = window.at_nodes
        good, counted, states, seen = sweep(self.data, self.theta, self.u, w_u, w, 0.01 * self.tolerance, FLOOR, SWEEPS)
        self.gradients += counted
        if not good:
            return np.inf
        ratio = self._defect(window, seen) / self.tolerance
        if ratio <= 1:
            self._take(window, states, seen)
        return ratio

    def _inside(self, w_u: Array, w: Array, grads: Array) -> Array:
        """(steps, m, n + 2) the iterates at some steps of a window."""
        return self.theta + w_u[:, None, None] * self.u + _combined(w, grads)

    def _defect(self, window: Window, seen: Any) -> float:
        """How far the defect at the checks can carry the coefficients off, over their size at the window's end."""
        c, Xi, _, _, grads = seen
        w_u, w, interpolation = window.at_checks
        true = self._evaluate(self._inside(w_u, w, grads))[4]
        off = window.gain * np.abs(true - _combined(interpolation, grads))
        n = Xi.shape[-1]
        in_Xi = off[..., :n] @ self.size_of_K + off[..., n + 1 :] * np.abs(self.data.Xi_0)
        worst = float(np.max(in_Xi / _size(Xi[-1])))
        if self.has_feature:
            in_c = off[..., n] + off[..., n + 1] * np.abs(self.data.c_0) + off[..., :n] @ np.abs(self.data.overlap)
            worst = max(worst, float(np.max(in_c / _size(c[-1]))))
        return worst if np.isfinite(worst) else np.inf

    def _take(self, window: Window, states: Array, seen: Any) -> None:
        t, M, grads = self.t, window.length, seen[4]
        self._find_hits(window, grads)
        inside = [int(x) - t for x in self.plan.times[self.next :] if x < t + M]
        if inside:
            for s, state in zip(inside, self._inside(*window.weights(inside), grads), strict=True):
                self._record(t + s, state)
        kept, gained = window.buffer
        self.u = kept * self.u + _combined(gained[None], grads)[0]
        self.theta = states[-1].copy()
        self.t = t + M

    def _reached(self, seen: Any) -> np.ndarray:
        """(2, states) whether c has reached the threshold of T₀, and the memorization of Z₂ that of T₁."""
        c, _, memorization = seen[:3]
        found = np.zeros((2, len(c)), bool)
        if np.isfinite(self.threshold):
            found[0] = np.max(c, axis=-1) >= self.threshold
            if self.small.any():
                found[1] = np.all(memorization[:, self.small] >= predictions.MEMORIZATION_THRESHOLD, axis=-1)
        return found

    def _find_hits(self, window: Window, grads: Array) -> None:
        """Note the hitting times that come within a window, in any of its steps."""
        waiting = [np.isfinite(self.threshold), np.isfinite(self.threshold) and self.small.any()]
        if not any(wait and np.isnan(hit) for wait, hit in zip(waiting, self.hits, strict=True)):
            return
        # c and Ξ are linear in the state, which is a sum of these.
        parts = np.concatenate([self.theta[None], self.u[None], grads])
        of_c = parts[..., -2] + parts[..., -1] * self.data.c_0 + parts[..., :-2] @ self.data.overlap
        mine = np.repeat(self.small, self.data.K.shape[0] // self.small.size)
        of_Xi = parts[..., :-2] @ self.data.K[:, mine] + parts[..., -1:] * self.data.Xi_0[:, mine]
        y = self.data.y[self.small]

        def at(steps: list[int], of: Array) -> Array:
            w_u, w = window.weights(steps)
            return _combined(np.column_stack([np.ones(len(steps)), w_u, w]), of)

        def c(steps: list[int]) -> Array:
            return at(steps, of_c) - self.threshold

        def memorization(steps: list[int]) -> Array:
            cubes = np.sum(at(steps, of_Xi) ** 3, axis=1).reshape(len(steps), y.size, -1)
            return y * np.sum(cubes, axis=-1) - predictions.MEMORIZATION_THRESHOLD

        sizes, fading = (self.threshold, predictions.MEMORIZATION_THRESHOLD), window.response.fading
        for which, above in enumerate((c, memorization)):
            if waiting[which] and np.isnan(self.hits[which]):
                found = first_reached(above, window.length, every=which == 1, size=sizes[which], fading=fading)
                self.hits[which] = np.nan if found is None else self.t + found


def _size(x: Array) -> Array:
    """What an error is held against: the numbers' own size, with a floor for small ones."""
    size = np.abs(x)
    return size + FLOOR * np.max(size) + np.finfo(float).tiny


def _combined(w: np.ndarray, grads: Array) -> Array:
    """Linear combinations of the arrays (nodes, m, width), one for each row of w."""
    return (w @ grads.reshape(len(grads), -1)).reshape(len(w), *grads.shape[1:])


def _round_down(length: int) -> int:
    """To an eighth of a power of two, so that windows come back and their weights are known."""
    if length < 16:
        return length
    unit = 1 << (length.bit_length() - 4)
    return length // unit * unit
