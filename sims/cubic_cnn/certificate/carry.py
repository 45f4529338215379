"""The distance of the exact trajectory from the computed one, carried along in windows."""

from __future__ import annotations

__all__ = ["MOST", "Carried", "Passage"]

import math
from dataclasses import dataclass

import numpy as np

from lemmascope.sims.cubic_cnn.certificate.scan import WIDER, scan
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball, Curvature, curvature, gain
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.radius import Norms, norms, steps
from lemmascope.theory.cubic_cnn.certificate.residual import Errors, Residual, errors, residual
from lemmascope.theory.cubic_cnn.certificate.rounding import upward
from lemmascope.theory.cubic_cnn.certificate.window import Window

PART, MOST = 8, 2000
"""Iterations of a window: this part of those that went before, but one or more, and not too many …"""

GROWTH = 0.2
"""… and not more than let the distance grow by this part, at the curvature of the last one."""

GUESSES = 8


@dataclass(frozen=True)
class Passage:
    """A window that was passed.

    Attributes:
        radii: (R + 1, 3) distances before, between and after its steps, from above: of the whole, of the part along
            w* and of that across; infinite where not known.
        wrong: the errors of the view. rho: what rounding added. bent: the curvature in balls that hold them all, or
            None.
    """

    radii: np.ndarray
    wrong: Errors
    rho: Residual
    bent: Curvature | None = None


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

    def seen_by(self, other: Norms) -> _Distance:
        """In other norms, each the least that all allow."""
        factors = np.array(other.conversion(self.norms))
        if other is self.norms:
            np.fill_diagonal(factors, 1.0)
        size = np.min(factors[None] * self.size[:, None, :], axis=2) * WIDER
        size = np.fmin(size, other.of(self.u[:, None], self.theta[:, None]))
        u = np.fmin(self.u, upward(np.min(size / other.one, axis=1)))
        return _Distance(other, size, u, np.fmin(self.theta, upward(np.min(size * other.of_theta, axis=1))))


class Carried:
    """The distance of one trajectory of one optimizer.

    The bounds of a window hold in balls of a radius that is guessed; if the distance outgrows the guess inside the
    window, it is guessed anew.

    Args:
        data: the problem.
        rates: (4,) γ, κ, p, q of the first step.
        start: radius around the initial weights, within which the exact trajectory may start.
        sharp: see `theory.cubic_cnn.certificate.curvature.curvature`.
        inflate: False leaves out the ball's radius in the curvature, and proves nothing: for tests alone.
    """

    def __init__(
        self, data: Data, rates: np.ndarray, *, start: float = 0.0, sharp: bool = True, inflate: bool = True
    ) -> None:
        self.data, self.sharp, self.inflate = data, sharp, inflate
        known, theta, u = norms(tuple(rates), rates), np.full(3, start), np.zeros(3)
        self.now = _Distance(known, known.of(u[:, None], theta[:, None]), u, theta)
        self.pace = MOST

    @property
    def theta(self) -> np.ndarray:
        """(3,) |δθ| now."""
        return self.now.theta

    @property
    def certain(self) -> bool:
        """Whether it is known."""
        return math.isfinite(self.now.theta[0])

    def window(self, begin: int, most: int = MOST) -> int:
        """How many iterations the window should have that begins there."""
        return max(1, min(most, begin // PART, self.pace))

    def lose(self) -> None:
        """Know nothing from here on."""
        for x in (self.now.size, self.now.u, self.now.theta):
            x[...] = math.inf

    def through(self, window: Window) -> Passage:
        """Carry it through a window that begins here."""
        with np.errstate(all="ignore"):  # of a run that diverges nothing is known
            return self._through(window)

    def _through(self, window: Window) -> Passage:
        data, rates = self.data, window.rates
        wrong = errors(data, window)
        rho = residual(data, window, wrong)
        fitting = norms(tuple(rates[-1]), rates)
        known = self.now.norms
        same = all(np.array_equal(getattr(fitting, name), getattr(known, name)) for name in ("one", "two"))
        now = self.now = self.now.seen_by(known if same else fitting)
        guess = 1.25 * now.theta + 2 * float(np.sum(rho.theta))
        for _ in range(GUESSES if self.certain else 0):
            bent = curvature(data, window, wrong, Ball(*map(float, guess)) if self.inflate else Ball(), self.sharp)
            if not np.all(np.isfinite(bent.up)):
                break
            each = steps(now.norms, rates, bent, rho, data.lam)
            size, u, theta = now.size.copy(), now.u.copy(), now.theta.copy()
            radii = scan(size, u, theta, now.norms.of_theta, each)
            most = radii[:-1].max(axis=0)
            if not self.inflate or bool(np.all(most <= guess)):
                self.now = _Distance(now.norms, size, u, theta)
                down = float(np.maximum(bent.down_signal, bent.down_noise).max()) - data.lam
                self.pace = MOST if down * gain(rates) * MOST < GROWTH else int(GROWTH / (down * gain(rates)))
                return Passage(radii, wrong, rho, bent)
            if not np.all(np.isfinite(most)):
                break
            guess = 1.5 * np.maximum(guess, most)
        radii = np.full((len(rates) + 1, 3), math.inf)
        radii[0] = now.theta
        self.lose()
        return Passage(radii, wrong, rho)
