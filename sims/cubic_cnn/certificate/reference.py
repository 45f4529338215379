r"""One trajectory of one optimizer, step by step in double precision, with its radius carried along in windows.

The step is the optimizer's recursion on NumPy arrays, bit for bit what the NumPy backend does with the optimizers of
`theory.optimizers`. What is seen of each iteration is kept to the end of its window, whose bounds are then formed in
balls of a radius that is guessed first; if the radius outgrows the guess inside the window, it is guessed anew.
"""

from __future__ import annotations

__all__ = ["WINDOW", "Followed", "follow"]

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.certificate.problem import Certifiable
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball, curvature
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.radius import Norms, Steps, norms, steps
from lemmascope.theory.cubic_cnn.certificate.residual import errors, residual
from lemmascope.theory.cubic_cnn.certificate.rounding import UNIT, upward
from lemmascope.theory.cubic_cnn.certificate.window import Window, join, look
from lemmascope.theory.cubic_cnn.model import View
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import recursion_of

WINDOW = 200
GUESSES = 8
WIDER = 1 + 16 * UNIT  # the roundings of a step of the scan, each of a sum of nonnegative numbers

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

    def ball(self, t: int) -> Ball:
        """Where the exact state of iteration t is."""
        return Ball(float(self.radius[t]), float(self.signal[t]), float(self.noise[t]))


@dataclass
class _Distance:
    """Of the whole, of the part along w* and of that across, from above.

    Attributes:
        size: (3, J) in J norms. u, theta: (3,) |δu| and |δθ|.
    """

    norms: Norms
    size: np.ndarray
    u: np.ndarray
    theta: np.ndarray

    @classmethod
    def of(cls, norms_: Norms, u: np.ndarray, theta: np.ndarray) -> _Distance:
        """Of vectors of these norms."""
        return cls(norms_, norms_.of(u[:, None], theta[:, None]), u, theta)

    def seen_by(self, other: Norms) -> _Distance:
        """In other norms, each the least that all allow."""
        factors = np.array(other.conversion(self.norms))
        if other is self.norms:
            np.fill_diagonal(factors, 1.0)
        size = np.min(factors[None] * self.size[:, None, :], axis=2) * WIDER
        size = np.fmin(size, other.of(self.u[:, None], self.theta[:, None]))
        u = np.fmin(self.u, upward(np.min(size / other.one, axis=1)))
        return _Distance(other, size, u, np.fmin(self.theta, upward(np.min(size * other.of_theta, axis=1))))


def follow(
    problem: Certifiable,
    optimizer: Any,
    last: int,
    *,
    keep: Iterable[int] = (),
    start: float = 0.0,
    window: int = WINDOW,
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
        window: iterations of a window at most; the first ones are shorter.
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
    radius, signal, noise = (np.full(last + 1, start) for _ in range(3))
    down, up, added = (np.full(last, math.inf) for _ in range(3))
    found = Followed(radius, signal, noise, down, up, added)
    begin, rates = 0, np.array(recursion(0), dtype=float)
    now = _Distance.of(norms(tuple(rates), rates), np.zeros(3), np.full(3, start))
    seen: list[Window] = []
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is not certified from there on
        for t in range(last + 1):
            view, grad = problem.system.evaluate(theta)
            if t in wanted:
                found.states[t], found.views[t] = (theta[0, 0].copy(), u[0, 0].copy()), view
            if t == last:
                break
            rates, certain = np.array(recursion(t), dtype=float), math.isfinite(now.theta[0])
            if certain:
                seen.append(_look(data, view, theta, u, rates))
            theta, u = _step(theta, u, grad, rates)
            if tamper is not None:
                theta, u = tamper(t, theta, u)
            changing = t + 1 < last and not np.array_equal(rates, recursion(t + 1))
            if certain and (len(seen) >= min(window, max(1, t // 8)) or changing or t == last - 1):
                now = _close(data, join(seen), begin, now, found, sharp, inflate)
                begin, seen = t + 1, []
                found.windows.append(begin)
    return found


def _step(theta: np.ndarray, u: np.ndarray, grad: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    memory, kappa, p, q = (float(rate) for rate in rates)
    if kappa == 0 and p == 0:
        return theta - q * grad, u
    u = memory * u + kappa * grad
    return theta - (p * u + q * grad), u


def _look(data: Data, view: View, theta: np.ndarray, u: np.ndarray, rates: np.ndarray) -> Window:
    Xi = view.Xi[0, 0].reshape(view.Xi.shape[2], -1)
    c = np.zeros(Xi.shape[0]) if view.c is None else view.c[0, 0]
    return look(data, Xi, c, view.ell[0, 0], theta[0, 0], u[0, 0], rates)


def _close(
    data: Data, window: Window, begin: int, now: _Distance, found: Followed, sharp: bool, inflate: bool
) -> _Distance:
    """Carry the distance through a window; into ``found``."""
    R = len(window.rates)
    here = slice(begin, begin + R)
    wrong = errors(data, window)
    rho = residual(data, window, wrong)
    found.residual[here] = rho.theta
    fitting = norms(tuple(window.rates[-1]), window.rates)
    same = all(np.array_equal(getattr(fitting, name), getattr(now.norms, name)) for name in ("one", "two"))
    now = now.seen_by(now.norms if same else fitting)
    guess = 1.5 * now.theta + 2 * float(np.sum(rho.theta))
    for _ in range(GUESSES):
        ball = Ball(*map(float, guess)) if inflate else Ball()
        bent = curvature(data, window, wrong, ball, sharp)
        if not np.all(np.isfinite(bent.up)):
            break
        end, radii = _scan(now, steps(now.norms, window.rates, bent, rho, data.lam))
        most = radii[:-1].max(axis=0)
        if not inflate or bool(np.all(most <= guess)):
            found.down[here], found.up[here] = np.maximum(bent.down_signal, bent.down_noise), bent.up
            found.radius[begin + 1 : begin + R + 1] = radii[1:, 0]
            found.signal[begin + 1 : begin + R + 1] = radii[1:, 1]
            found.noise[begin + 1 : begin + R + 1] = radii[1:, 2]
            return end
        if not np.all(np.isfinite(most)):
            break
        guess = 2 * np.maximum(guess, most)
    for each in (found.radius, found.signal, found.noise):
        each[begin + 1 :] = math.inf
    lost = np.full(3, math.inf)
    return _Distance(now.norms, np.full_like(now.size, math.inf), lost, lost)


def _scan(now: _Distance, each: Steps) -> tuple[_Distance, np.ndarray]:
    """Through the steps of a window: the distance at its end, and (R + 1, 3) |δθ| on the way."""
    size, u, theta = now.size, now.u, now.theta
    of_theta, swap = now.norms.of_theta, [2, 1]
    radii = [theta]
    with np.errstate(over="ignore", invalid="ignore"):
        for j in range(len(each.factor)):
            size_ = each.factor[j] * size + each.rho[j]
            size_[1:] += each.brought[j] * size[swap]
            new_u = each.drift[j, 0] * u + each.stretch[j] * theta + each.rho_u[j]
            new = each.drift[j, 1] * u + each.shrink[j] * theta + each.rho_theta[j]
            new_u[1:] += each.touch[j, 0] * theta[swap]
            new[1:] += each.touch[j, 1] * theta[swap]
            size, u, theta = (_together(part * WIDER) for part in (size_, new_u, new))
            theta = np.fmin(theta, upward(np.min(size * of_theta, axis=1)))
            radii.append(theta)
    return _Distance(now.norms, size, u, theta), np.array(radii)


def _together(parts: np.ndarray) -> np.ndarray:
    """The whole is at most the root of the blocks' squares, and each block at most the whole."""
    whole = np.fmin(parts[0], np.hypot(parts[1], parts[2]) * WIDER)
    return np.stack([whole, np.fmin(parts[1], whole), np.fmin(parts[2], whole)])
