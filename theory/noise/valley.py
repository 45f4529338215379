r"""Valleys of minima with fresh label noise in every step: their gradients, and the limit in which moments close.

**Beside a line.** x ∈ ℝ, y ∈ ℝⁿ; 2n data with the outputs y_i and √q xy_i, targets 0, label noise ξ_i, ζ_i of variance
s²/n, fresh in each step: L = ½ Σ_i [(y_i − ξ_i)² + (√q xy_i − ζ_i)²],

    g_{y_i} = (y_i − ξ_i) + √q x(√q xy_i − ζ_i),    g_x = Σ_i √q y_i(√q xy_i − ζ_i).

Minima are y = 0; across them the curvature is h = 1 + qx² and the noise of g_y has the covariance (s²/n)h, so that
x = 0 is the flattest point.

**Moments.** For n → ∞ at fixed s the noise of g_x vanishes, x and its buffer V are deterministic, and Y = Σ E y_i²,
C = Σ E y_ip_i, Q = Σ E p_i² (p the buffers of y) close (derived). For an optimizer u ← γu + κg, w ← w − pu, with h and
Y those before the step,

    V' = γV + κqxY,    Q' = γ²Q + 2γκhC + κ²h(hY + s²),    C' = γC + κhY,
    x ← x − pV',    Y ← Y − 2pC' + p²Q',    C ← C' − pQ',    V ← V',    Q ← Q'.

SGD is the average form with γ = 0.

**The curve uv = 1.** L = ½(uv − 1 − ξ)², r = uv − 1 − ξ: gradient (rv, ru), h = u² + v² the sharpness on the curve,
flattest at u = v = ±1. A step with rate η multiplies u² − v² by 1 − η²r² exactly.

All derived here. Arrays of any library of the array API standard.
"""

from __future__ import annotations

__all__ = ["Curve", "Line", "line_moments", "rates"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.optimizers import recursion_of

Array = Any


def rates(optimizer: Any, t: int = 0) -> tuple[Any, Any, Any]:
    """(γ, κ, p) of an optimizer that is u ← γu + κg, w ← w − pu; raises `InputError` for any other.

    Both forms of momentum are; SGD is `MomentumAverage` with γ = 0.
    """
    numbers = recursion_of(optimizer)
    found = None if numbers is None else numbers(t)
    if found is None or not isinstance(found[3], float) or found[3] != 0:
        raise InputError("optimizer", type(optimizer).__name__, "it must step along a buffer alone: a form of momentum")
    return found[:3]


def line_moments(
    x: Any, V: Any, Y: Any, C: Any, Q: Any, gamma: Any, kappa: Any, p: Any, s: Any, q: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """One step of (x, V, Y, C, Q) in the limit n → ∞; numbers, or arrays that broadcast.

    Plain arithmetic, so that `sims.noise` compiles this very function.
    """
    h = 1 + q * x * x
    V = gamma * V + kappa * q * x * Y
    Q = gamma * gamma * Q + 2 * gamma * kappa * h * C + kappa * kappa * h * (h * Y + s * s)
    C = gamma * C + kappa * h * Y
    return x - p * V, V, Y - 2 * p * C + p * p * Q, C - p * Q, Q


@dataclass(frozen=True)
class Line:
    """The valley beside a line, w = (x, y_1, …, y_n).

    Args:
        n: directions across; s: label noise; q: share of x in the curvature.

    Raises:
        InputError: n no integer ≥ 1, s or q not > 0.
    """

    n: int = 1
    s: float = 1.0
    q: float = 1.0

    def __post_init__(self) -> None:
        check_size("n", self.n)
        check_number("s", self.s, 0, open_low=True)
        check_number("q", self.q, 0, open_low=True)

    @property
    def width(self) -> int:
        """Parameters."""
        return 1 + self.n

    @property
    def draws(self) -> int:
        """Labels of a step."""
        return 2 * self.n

    def start(self, x: float) -> list[float]:
        """w at y = 0."""
        return [x] + [0.0] * self.n

    def gradient(self, w: Array, labels: Array) -> Array:
        """(…, 1 + n) at w (…, 1 + n); labels (…, 2n) of variance 1, those of ξ first."""
        xp = array_namespace(w)
        root, size = self.q**0.5, self.s / self.n**0.5
        x, y = w[..., :1], w[..., 1:]
        xi, zeta = size * labels[..., : self.n], size * labels[..., self.n :]
        miss = root * x * y - zeta
        along = xp.sum(root * y * miss, axis=-1, keepdims=True)
        return xp.concat([along, (y - xi) + root * x * miss], axis=-1)

    def place(self, w: Array) -> Array:
        """x (…): where along the valley."""
        return w[..., 0]


@dataclass(frozen=True)
class Curve:
    """The valley uv = 1, w = (u, v), labels 1 + sξ.

    Args:
        s: label noise, > 0.
    """

    s: float = 1.0

    def __post_init__(self) -> None:
        check_number("s", self.s, 0, open_low=True)

    @property
    def width(self) -> int:
        """Parameters."""
        return 2

    @property
    def draws(self) -> int:
        """Labels of a step."""
        return 1

    def start(self, z: float) -> list[float]:
        """(eᶻ, e⁻ᶻ), on the valley."""
        e = 2.718281828459045**z
        return [e, 1 / e]

    def residual(self, w: Array, labels: Array) -> Array:
        """r (…, 1) = uv − 1 − sξ, labels ξ (…, 1)."""
        return w[..., :1] * w[..., 1:] - 1 - self.s * labels

    def gradient(self, w: Array, labels: Array) -> Array:
        """(rv, ru) (…, 2)."""
        return self.residual(w, labels) * array_namespace(w).flip(w, axis=-1)

    def sharpness(self, w: Array) -> Array:
        """u² + v² (…)."""
        return w[..., 0] ** 2 + w[..., 1] ** 2

    def place(self, w: Array) -> Array:
        """(u² − v²)/(2√2) (…): the arc length from the flattest point, to first order."""
        return (w[..., 0] ** 2 - w[..., 1] ** 2) / 8**0.5
