r"""The derivative of a function along a line, found in two ways, each with a bound on its error.

The function is restricted to a line, φ(h) = f(x + h v). The entries of v have the size of those of x, or a thousandth
of their array's root mean square where that is larger, so h has no unit. φ′(0) = Σ v_i ∂_i f is found in two ways, each
with a bound on its error.

**Noise.** At equally spaced points the fourth differences of a smooth quantity vanish as the spacing to the fourth
power, and those of rounding errors do not: √70 times their standard deviation is left (Hamming; Moré and Wild,
*Estimating computational noise*). σ = 6 max |fourth difference| / √70 + 2ε|f| is taken for the largest error of one
value, over two spacings. A value that is rounded to float32 on its way is flat at the smaller one: then larger ones are
taken until it is flat at none of the last three.
*Assumption*: rounding errors look random at one of these spacings.

**Finite differences.** With D(h) = (φ(h) − φ(−h)) / 2h, R(h) = (4D(h/2) − D(h)) / 3 and
S(h) = (φ(h) − 2φ(0) + φ(−h)) / h, the derivative is R(h/2), and its error is at most

    |R(h/2) − R(h)|  +  |S(h) − 2S(h/2)| + |S(h/2) − 2S(h/4)|  +  6σ/h.

The first part is the truncation: for φ of class C⁵ it is 15 times the error to leading order. The second is a kink's:
for a jump J of the slope at distance uh both it and the error are J times a function of u, the error is at most J/2
and the second part at least four times the error (derived; a test goes through u); smooth φ leaves h³φ⁗/4 and less of
it. The third is the rounding. Of all steps h = 1/4, 1/8, … the one with the smallest bound is taken. Before a gradient
is called wrong every finer step must agree with it to within both bounds: else the step was too long for φ, or σ too
small, and the next best is taken; and so must what is found with the σ of the smaller spacing alone: else φ varies too
fast, and nothing is decided. *Assumption*: kinks within h do not cancel each other at three steps in a row.

**Complex step.** Im φ(ik)/k, k = 2⁻⁶⁰, has no truncation and no cancellation, where φ is analytic. Whether it is shows
on a circle: with a_m the Fourier coefficients of φ(re^{iθ}) at 16 points, an analytic φ has a_0 = φ(0), a_m = 0 for
m < 0 and a_1 = rφ′(0). With ∂̄φ the part that is not analytic (that of abs, conj, real, max), the complex step is off by
2|∂̄φ|, and so

    2 (d + 4σ)/r,    d = max(|a_0 − φ(0)|, |a_{−1}|, |a_{−2}|, |a_{−3}|, |a_1 − r Im φ(ik)/k|),

is added to its own noise; the best of three radii counts. So a function that is not analytic has a wide bound and is
left to finite differences, and so is one that refuses complex numbers. *Assumption*: f has real constants, so
that φ(z̄) is the conjugate of φ(z).
"""

from __future__ import annotations

__all__ = ["COARSE", "COMPLEX", "FINE", "FINITE", "Derivative", "Derivatives", "agree", "noise"]

import math
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from lemmascope.proofs_check.structure import Structure
from lemmascope.theory.errors import InputError

DIRECTIONS = 4
FINE = 2.0**-32
COARSE = tuple(2.0**-k for k in (20, 16, 12, 8, 4))
LEVELS = 100
RADII = (2.0**-4, 2.0**-8, 2.0**-12)
CIRCLE = np.exp(2j * np.pi * (np.arange(8) + 0.5) / 16)
IMAGINARY = 2.0**-60
COMPLEX, FINITE = "complex step", "finite differences"


class Derivative(NamedTuple):
    """A derivative along a direction, and how wrong it may be."""

    value: float
    bound: float
    method: str


class Derivatives:
    """A function around a point.

    Args:
        f: the function.
        structure: the point.
        seed: of the point.

    Attributes:
        x, steps: the point as a vector, and the size of a step in each entry.
        value: f there.
        own_dtype: whether f takes nothing but the point's own number type, which is not float64.
        directions: random ones.

    Raises:
        InputError: f returns no real number, or not the same one twice.
    """

    def __init__(self, f: Callable[[Any], Any], structure: Structure, seed: tuple[int, int]) -> None:
        self.f, self.structure, self.seed = f, structure, seed
        self.x, self.steps = structure.vector(), structure.sizes_of_steps()
        own = any(dtype != np.float64 for dtype in structure.dtypes)
        self.value = self._at_the_point(own)
        self.own_dtype = False  # as `real` reads it
        self.own_dtype = own and math.isnan(self.real(self.x))
        self.value = self.value if self.own_dtype or not own else self.real(self.x)
        rng = np.random.default_rng((*seed, 1))
        ones = np.where(rng.random((DIRECTIONS, self.x.size)) < 0.5, -1.0, 1.0)
        self.directions = ones * rng.uniform(0.5, 1.0, ones.shape) * self.steps

    def _at_the_point(self, own_dtype: bool) -> float:
        values = [self.f(self.structure.build(self.x, own_dtype)) for _ in range(2)]
        for value in values:
            try:
                array = np.asarray(value)
            except (TypeError, ValueError) as error:
                raise InputError("f", type(value).__name__, f"it must return one real number ({error})") from error
            if array.ndim or array.dtype.kind not in "fiu":
                what = f"{array.dtype} of shape {array.shape}"
                raise InputError("f", what, "it must return one real number")
            if not math.isfinite(float(value)):
                raise InputError("f", float(value), f"it must be finite at draw {self.seed}")
        if float(values[0]) != float(values[1]):
            raise InputError("f", float(values[1]), f"it must return the same number twice, and first gave {values[0]}")
        return float(values[0])

    def real(self, x: np.ndarray) -> float:
        """f at a real point nearby; NaN where it fails."""
        with np.errstate(all="ignore"):
            try:
                return float(self.f(self.structure.build(x, self.own_dtype)))
            except Exception:
                return math.nan

    def complex(self, x: np.ndarray) -> complex:
        """f at a complex point; NaN where it takes none."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                return complex(self.f(self.structure.build(x)))
            except Exception:
                return complex(math.nan, math.nan)

    @cached_property
    def sigmas(self) -> tuple[float, float]:
        """The largest error of one value of f; and that of the smallest spacing alone, where f is no staircase."""
        unit = max(np.finfo(d).eps for d in self.structure.dtypes) if self.own_dtype else np.finfo(np.float64).eps
        floor = 2 * float(unit) * abs(self.value)
        fine, flat = self._noise_at(FINE)
        widest, more = fine, 2 if flat else 0
        for spacing in COARSE:
            coarse, still = self._noise_at(spacing)
            widest = max(widest, coarse)
            if not still and not more:
                break
            more -= not still  # equal steps of one unit show no noise: look at two larger spacings too
        return floor + widest, floor + (widest if flat else fine)

    def _noise_at(self, spacing: float) -> tuple[float, bool]:
        """The noise at a spacing, and whether most neighbours are equal."""
        values = np.array([self.real(self.x + k * spacing * self.directions[0]) for k in range(10)])
        return float(noise(values)), bool(np.mean(np.diff(values) == 0) > 0.5)

    @cached_property
    def analytic(self) -> float:
        """How wrong a complex step may be because f is not analytic, from a random direction; infinite: it is not."""
        if self.own_dtype:
            return math.inf
        bound = self.not_analytic(self.directions[0])
        slope = abs(self._step(self.directions[0]))
        return bound if bound <= 1e-10 * max(slope, abs(self.value)) else math.inf

    @cached_property
    def step_noise(self) -> float:
        """The rounding of a complex step, in the same direction."""
        spacing = COARSE[0]
        v = self.directions[0]
        return float(noise(np.array([self._step(v, self.x + k * spacing * v) for k in range(10)])))

    def _step(self, v: np.ndarray, x: np.ndarray | None = None) -> float:
        return self.complex((self.x if x is None else x) + 1j * IMAGINARY * v).imag / IMAGINARY

    def not_analytic(self, v: np.ndarray) -> float:
        """How wrong a complex step along v may be because f is not analytic."""
        slope, best = self._step(v), math.inf
        for r in RADII:
            half = np.array([self.complex(self.x + r * z * v) for z in CIRCLE])
            values, z = np.concatenate([half, np.conj(half)]), np.concatenate([CIRCLE, np.conj(CIRCLE)])
            with np.errstate(all="ignore"):
                a = {m: np.mean(values * z**-m) for m in (-3, -2, -1, 0, 1)}
                defects = [abs(a[0] - self.value), abs(a[-1]), abs(a[-2]), abs(a[-3]), abs(a[1] - r * slope)]
                bound = 2 * (max(map(float, defects)) + 4 * self.sigmas[0]) / r
            best = min(best, bound) if math.isfinite(bound) else best
        return best

    def complex_step(self, v: np.ndarray, not_analytic: float) -> Derivative:
        """With the bound that `not_analytic` gave, of this direction or of another."""
        value = self._step(v)
        bound = not_analytic + self.step_noise + 16 * np.finfo(np.float64).eps * abs(value)
        return Derivative(value, bound if math.isfinite(bound) and math.isfinite(value) else math.inf, COMPLEX)

    def differences(self, v: np.ndarray, sigma: float, *, target: float = 0.0, every: bool = False) -> Derivative:
        """Central differences; until the bound is the target or cannot improve, or at every step."""
        D: list[float] = []
        S: list[float] = []
        found: list[Derivative] = []
        best = Derivative(math.nan, math.inf, FINITE)
        for j in range(LEVELS):
            h = 2.0 ** -(2 + j)
            plus, minus = self.real(self.x + h * v), self.real(self.x - h * v)
            D.append((plus - minus) / (2 * h))
            S.append((plus - 2 * self.value + minus) / h)
            if j < 2:
                continue
            coarse, fine = (4 * D[j - 1] - D[j - 2]) / 3, (4 * D[j] - D[j - 1]) / 3
            rounding = 6 * sigma / (4 * h)
            bound = abs(fine - coarse) + abs(S[j - 2] - 2 * S[j - 1]) + abs(S[j - 1] - 2 * S[j]) + rounding
            if math.isfinite(bound):
                found.append(Derivative(fine, bound, FINITE))
                best = min(best, found[-1], key=lambda one: one.bound)
            if rounding > 1e3 * (abs(best.value) + best.bound):
                break  # a finer step says nothing against it
            if not every and (best.bound <= target or 2 * rounding >= best.bound):
                break
        order = sorted(range(len(found)), key=lambda k: found[k].bound)
        for k in order:
            one = found[k]
            if all(agree(one, two) for two in found[k + 1 :]):
                return one
        return Derivative(math.nan, math.inf, FINITE)


def noise(values: np.ndarray) -> Any:
    """Six times the largest fourth difference along the first axis, over √70."""
    with np.errstate(all="ignore"):
        return 6 * np.max(np.abs(np.diff(values, 4, axis=0)), axis=0) / math.sqrt(70)


def agree(one: Derivative, two: Derivative) -> bool:
    """Whether both can be right."""
    return abs(one.value - two.value) <= one.bound + two.bound
