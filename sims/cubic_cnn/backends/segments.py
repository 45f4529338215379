"""A kernel driven through a whole run, a fraction of a second a call."""

from __future__ import annotations

__all__ = ["KernelEngine", "constant", "rates_of"]

import time
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from lemmascope.sims.cubic_cnn.backends.engine import Interrupted, Recorded
from lemmascope.sims.cubic_cnn.backends.kernel import Kernel, Watched
from lemmascope.sims.cubic_cnn.certificate.witness import Witness
from lemmascope.sims.cubic_cnn.plan import Plan
from lemmascope.theory.cubic_cnn.model import System, View
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import FORMS, Optimizer, recursion_of

SECONDS = 0.2  # of a call: how long Ctrl-C and the progress bar wait
KEPT_BYTES = 64 * 2**20  # of recorded states and gradients in a call


def constant(optimizer: Optimizer) -> bool:
    """Whether it is one of our forms with a learning rate that does not change."""
    return type(optimizer) in FORMS.values() and not callable(getattr(optimizer, "eta", None))


def rates_of(optimizers: list[Optimizer], start: int, stop: int) -> np.ndarray:
    """(γ, κ, p, q) of each optimizer: (A, 4) where none changes, else (stop − start, A, 4).

    Raises:
        InputError: a user's ``recursion`` does not return four finite numbers.
    """
    recursions = [recursion_of(o) for o in optimizers]
    assert all(recursions)
    steps = 1 if all(map(constant, optimizers)) else stop - start
    try:
        found = np.array([[r(start + k) for r in recursions if r] for k in range(steps)], dtype=float)
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise InputError("optimizer", optimizers, f"its recursion(t) must return (γ, κ, p, q) ({error})") from error
    if found.shape[1:] != (len(optimizers), 4) or not np.isfinite(found).all():
        raise InputError("optimizer", optimizers, "its recursion(t) must return four finite numbers (γ, κ, p, q)")
    # Momentum without memory is gradient descent, and takes its way through the loop: the same bits.
    forgets = [type(o) in FORMS.values() and getattr(o, "gamma", 0.0) == 0 for o in optimizers]
    found[:, forgets, 3] += found[:, forgets, 1] * found[:, forgets, 2]
    found[:, forgets, 1:3] = 0
    return found[0] if all(map(constant, optimizers)) else found


class KernelEngine:
    """Some seeds and optimizers, carried by a kernel.

    Args:
        plan: the simulation.
        system: the seeds' system on NumPy arrays, which gives the views of recorded states.
        kernel: the same system in flight.
        optimizers: A of them, each with a recursion.
        seeds: S.
        witness: carries the certificates (S = 1), or None.
    """

    def __init__(
        self,
        plan: Plan,
        system: System,
        kernel: Kernel,
        optimizers: list[Optimizer],
        seeds: int,
        witness: Witness | None = None,
    ) -> None:
        self.plan, self.system, self.kernel, self.optimizers, self.seeds = plan, system, kernel, optimizers, seeds
        self.witness = witness
        self.traces: list[np.ndarray] = []

    def run(self) -> Iterator[Recorded]:
        """See `sims.cubic_cnn.backends.engine.Engine.run`."""
        plan, times = self.plan, self.plan.times
        last = int(times[-1])
        initial = self.system.initial(len(self.optimizers))
        kept = max(1, KEPT_BYTES // (2 * initial.size * np.dtype(plan.dtype).itemsize))
        start, steps, witness = 0, 8, self.witness
        waiting: list[tuple[int, Recorded]] = []
        unchanging = all(map(constant, self.optimizers))
        rates = rates_of(self.optimizers, 0, 1) if unchanging else None
        while start <= last:
            if plan.stop.is_set():
                raise Interrupted
            stop = min(last + 1 if witness is None else witness.end, start + steps)
            inside = times[(times >= start) & (times < stop)]
            if len(inside) > kept:
                stop = int(inside[kept])
            stop += stop == last  # the last iteration is no call of its own
            inside = times[(times >= start) & (times < stop)]
            began = time.perf_counter()
            states = self.kernel.advance(
                start, stop, rates_of(self.optimizers, start, stop) if rates is None else rates, inside
            )
            each = (time.perf_counter() - began) / (stop - start)
            steps = int(min(max(1, SECONDS / max(each, 1e-9)), 4 * steps, 100_000))
            if states.trace is not None:
                self.traces.append(states.trace)
            for k, t in enumerate(inside.tolist()):
                waiting.append((t, Recorded(states.theta[k], states.grad[k], self._view(states.theta[k]))))
            if witness is not None:
                witness.add(states.seen or [], stop, self.kernel.watched().diverged_at[0] >= 0)
            known = stop if witness is None else witness.known
            yield from (self._with_balls(t, one) for t, one in waiting if t < known)
            waiting = [(t, one) for t, one in waiting if t >= known]
            plan.tick((min(stop, last) - start) * self.seeds * len(self.optimizers))
            start = stop

    def _with_balls(self, t: int, one: Recorded) -> Recorded:
        return one if self.witness is None else replace(one, balls=self.witness.balls(t))

    def _view(self, theta: np.ndarray) -> View:
        """The view of a recorded state, one optimizer at a time: its bits do not depend on its neighbours."""
        if self.plan.backend == "cupy":  # whose units are never cut between optimizers
            return self.system.evaluate(theta)[0]
        views = [self.system.evaluate(theta[:, a : a + 1])[0] for a in range(theta.shape[1])]
        parts = {f.name: [getattr(view, f.name) for view in views] for f in fields(View)}
        return View(**{name: None if x[0] is None else np.concatenate(x, axis=1) for name, x in parts.items()})

    def watched(self) -> Watched:
        """See `sims.cubic_cnn.backends.engine.Engine.watched`."""
        return self.kernel.watched()

    def trace(self) -> np.ndarray | None:
        """See `sims.cubic_cnn.backends.engine.Engine.trace`."""
        return np.concatenate(self.traces, axis=2) if self.traces else None

    def effort(self) -> dict[str, np.ndarray]:
        """Every iteration."""
        return {}
