r"""One trajectory of one optimizer, step by step in double precision, with its radius carried along in windows.

The step is the optimizer's recursion on NumPy arrays, bit for bit what the NumPy backend does with the optimizers of
`theory.optimizers`. What is seen of each iteration is kept to the end of its window.
"""

from __future__ import annotations

__all__ = ["Followed", "follow"]

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.certificate.carry import MOST, Carried, Passage
from lemmascope.sims.cubic_cnn.certificate.problem import Certifiable
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball
from lemmascope.theory.cubic_cnn.certificate.window import Window, join, look
from lemmascope.theory.cubic_cnn.model import View
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import recursion_of

Tamper = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass
class Followed:
    """A trajectory and its radius; T = last.

    Attributes:
        radius: (T + 1,) distance of the exact state from the computed one, in W-space, from above; ∞ where not
        certified.
        signal, noise: (T + 1,) the same of its parts along w* and across.
        down, up: (T,) −λ_min and λ_max of the Hessian without λ, in the ball, from above.
        residual: (T,) what rounding adds to the state in a step.
        states: (theta, u) of the iterations that were asked for, each (m, width); views: their views.
        windows: their ends.
    """

    radius: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    down: np.ndarray
    up: np.ndarray
    residual: np.ndarray
    states: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    views: dict[int, View] = field(default_factory=dict)
    windows: list[int] = field(default_factory=list)

    def note(self, begin: int, passage: Passage) -> None:
        """A window that begins there was passed."""
        here = slice(begin, begin + len(passage.radii) - 1)
        self.residual[here] = passage.rho.theta
        if passage.bent is not None:
            self.down[here] = np.maximum(passage.bent.down_signal, passage.bent.down_noise)
            self.up[here] = passage.bent.up
        after = slice(here.start + 1, here.stop + 1)
        self.radius[after], self.signal[after], self.noise[after] = passage.radii[1:].T
        self.windows.append(here.stop)

    def ball(self, t: int) -> Ball:
        """Where the exact state of iteration t is."""
        return Ball(float(self.radius[t]), float(self.signal[t]), float(self.noise[t]))


def follow(
    problem: Certifiable,
    optimizer: Any,
    last: int,
    *,
    keep: Iterable[int] = (),
    start: float = 0.0,
    window: int = MOST,
    sharp: bool = True,
    inflate: bool = True,
    tamper: Tamper | None = None,
) -> Followed:
    """Iterations 0 … last.

    Args:
        problem: one seed.
        optimizer: with a recursion.
        keep: iterations whose state and view are wanted.
        start: radius around the initial weights, within which the exact trajectory may start.
        window: iterations of a window at most.
        sharp: see `theory.cubic_cnn.certificate.curvature.curvature`.
        inflate: False leaves out the ball's radius in the curvature, and proves nothing: for tests alone.
        tamper: changes state and buffer after a step, unknown to the certificate: for tests alone.

    Raises:
        InputError: the optimizer has no recursion.
    """
    recursion = recursion_of(optimizer)
    if recursion is None:
        raise InputError("optimizer", type(optimizer).__name__, "only an optimizer with a recursion can be certified")
    wanted, data = set(keep), problem.data
    theta = problem.system.initial(1)
    u = np.zeros_like(theta)
    radius, signal, noise = (np.full(last + 1, math.inf) for _ in range(3))
    down, up, added = (np.full(last, math.inf) for _ in range(3))
    found = Followed(radius, signal, noise, down, up, added)
    distance = Carried(data, np.array(recursion(0), dtype=float), start=start, sharp=sharp, inflate=inflate)
    radius[0] = signal[0] = noise[0] = start
    begin, seen = 0, list[Window]()
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is not certified from there on
        for t in range(last + 1):
            view, grad = problem.system.evaluate(theta)
            if t in wanted:
                found.states[t], found.views[t] = (theta[0, 0].copy(), u[0, 0].copy()), view
            if t == last:
                break
            rates = np.array(recursion(t), dtype=float)
            if distance.certain:
                seen.append(look(data, view, theta[0, 0], u[0, 0], rates))
            theta, u = _step(theta, u, grad, rates)
            if tamper is not None:
                theta, u = tamper(t, theta, u)
            if seen and (t + 1 >= begin + distance.window(begin, window) or t == last - 1):
                found.note(begin, distance.through(join(seen)))
                begin, seen = t + 1, []
    return found


def _step(theta: np.ndarray, u: np.ndarray, grad: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    memory, kappa, p, q = (float(rate) for rate in rates)
    if kappa == 0 and p == 0:
        return theta - q * grad, memory * u
    u = memory * u + kappa * grad
    return theta - (p * u + q * grad), u
