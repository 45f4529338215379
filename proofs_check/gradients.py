r"""A hand-written gradient held against the function that it is of, at drawn points.

The function is restricted to a line, φ(h) = f(x + h v). The entries of v have the size of those of x, or a thousandth
of their array's root mean square where that is larger, so h has no unit. φ′(0) = Σ v_i ∂_i f is found in two ways, each
with a bound on its error; the gradient is wrong where Σ v_i g_i is farther away than that bound and that of its own
rounding.

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

__all__ = ["GradientCheck", "GradientMismatch", "check_gradient"]

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from lemmascope.theory.errors import InputError, check_size

FEW = 50
"""Up to so many entries each is looked at; of more, random directions, and one entry by bisection if they disagree."""
DIRECTIONS = 4
FINE = 2.0**-32
COARSE = tuple(2.0**-k for k in (20, 16, 12, 8, 4))
LEVELS = 100
RADII = (2.0**-4, 2.0**-8, 2.0**-12)
CIRCLE = np.exp(2j * np.pi * (np.arange(8) + 0.5) / 16)
IMAGINARY = 2.0**-60
COMPLEX, FINITE, MIXED = "complex step", "finite differences", "a random direction"


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradient` found.

    Attributes:
        ok: no entry is wrong, and each was decided at one point or more.
        method: of ``found``: complex step or finite differences.
        entry: the first wrong one, or else what comes nearest to its bound: "W[2, 3]", or "a random direction".
        given, found, bound: what ``grad`` says there, what f says, and how far apart they may be.
        seed: of its point, which is ``draw(numpy.random.default_rng(seed))``.
        points, entries: how many were looked at.
        undecided: entries at which f was never smooth enough, or too noisy, to tell.
        reason: one sentence.
    """

    ok: bool
    method: str
    entry: str
    given: float
    found: float
    bound: float
    seed: tuple[int, int]
    points: int
    entries: int
    undecided: tuple[str, ...]
    reason: str


class GradientMismatch(AssertionError):
    """A gradient is wrong: names the first wrong entry, both values, the bound and the point; ``check`` has them."""

    def __init__(self, check: GradientCheck) -> None:
        self.check = check
        super().__init__(check.reason)


def check_gradient(
    f: Callable[[Any], Any],
    grad: Callable[[Any], Any],
    draw: Callable[[np.random.Generator], Any],
    *,
    draws: int = 20,
    root_seed: int = 0,
    raises: bool = True,
) -> GradientCheck:
    """Hold a hand-written gradient against its function, by complex step or by finite differences.

    Functions with kinks (ReLU, absolute values) are welcome: a point at which a kink lies too close tells nothing, and
    up to as many points again are drawn for the entries that are left undecided. Parameters in float32 are
    differentiated in float64 if f takes it; the bound then is the rounding of the gradient.

    Args:
        f: from the parameters to a real number; where it is analytic it should take complex parameters too.
        grad: from the parameters to the gradient, of the same structure and shapes.
        draw: from a generator to the parameters: one NumPy array of float64 or float32, or a tuple, list or dict of
            them.
        draws: points.
        root_seed: the k-th point is ``draw(numpy.random.default_rng((root_seed, k)))``.
        raises: raise `GradientMismatch` for a wrong gradient.

    Returns:
        A `GradientCheck`.

    Raises:
        GradientMismatch: an entry is wrong, by more than rounding and truncation can be.
        InputError: f returns no real number, or not the same one twice; the gradient has another structure, shape or
            number type; something is not finite; no entry could be decided at any point.

    Example:
        >>> import numpy as np
        >>> found = check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, lambda rng: rng.standard_normal(4))
        >>> found.ok, found.method
        (True, 'complex step')
    """
    check_size("draws", draws)
    check_size("root_seed", root_seed, 0)
    findings: list[_Finding] = []
    names: dict[str, bool] = {}
    points = 0
    for k in range(2 * draws):
        if k >= draws and all(names.values()):
            break
        point = _Point(f, grad, draw(np.random.default_rng((root_seed, k))), (root_seed, k))
        points += 1
        here = point.findings()
        for one in here:
            if one.entry != MIXED or point.structure.size > FEW:
                names[one.entry] = names.get(one.entry, False) or one.decided
        findings += here
        if any(one.wrong for one in here):
            break
    structure = point.structure
    wrong = [one for one in here if one.wrong]
    worst = wrong[0] if wrong else max((one for one in findings if one.decided), key=_Finding.ratio, default=None)
    if worst is None:
        accepted = "at each of them f has a kink, or is too noisy to differentiate; draw others"
        raise InputError("draw", f"{points} points", accepted)
    undecided = tuple(name for name, decided in names.items() if not decided)
    seed = f"draw(numpy.random.default_rng({worst.seed}))"
    numbers = f"grad gives {worst.given:.10g}, {worst.method} {worst.found:.10g}"
    if wrong:
        ratio = f" (a ratio of {worst.given / worst.found:.6g})" if worst.found else ""
        count = sum(one.entry != MIXED for one in wrong)
        others = f"; {count} of {structure.size} entries are wrong there" if 1 < structure.size <= FEW else ""
        reason = f"the gradient is wrong at {worst.entry}: {numbers}{ratio}, and they may differ by {worst.bound:.2g}; "
        reason += f"the point is {seed}{others}"
    else:
        reason = f"the gradient agrees at {points} points; nearest to its bound {worst.bound:.2g} is {worst.entry}, "
        reason += f"where {numbers}; undecided: {', '.join(undecided) or 'none'}"
    found = GradientCheck(
        ok=not wrong and not undecided,
        method=worst.method,
        entry=worst.entry,
        given=worst.given,
        found=worst.found,
        bound=worst.bound,
        seed=worst.seed,
        points=points,
        entries=structure.size,
        undecided=undecided,
        reason=reason,
    )
    if wrong and raises:
        raise GradientMismatch(found)
    return found


class _Found(NamedTuple):
    """A derivative along a direction, and how wrong it may be."""

    value: float
    bound: float
    method: str


@dataclass(frozen=True)
class _Finding:
    entry: str
    given: float
    found: float
    bound: float
    method: str
    decided: bool
    seed: tuple[int, int]

    def ratio(self) -> float:
        distance = abs(self.given - self.found)
        return distance / self.bound if self.bound > 0 else math.inf if distance else 0.0

    @property
    def wrong(self) -> bool:
        return self.decided and self.ratio() > 1


class _Structure:
    """One array, or a tuple, list or dict of arrays, as one vector."""

    def __init__(self, params: Any) -> None:
        self.keys: list[Any] = list(params) if isinstance(params, Mapping) else []
        self.kind = dict if self.keys else type(params) if isinstance(params, tuple | list) else None
        each = [params[key] for key in self.keys] if self.keys else list(params) if self.kind else [params]
        self.labels = [str(key) for key in self.keys] or [
            f"params[{k}]" if self.kind else "params" for k in range(len(each))
        ]
        self.arrays = [np.asarray(x) for x in each]
        self.shapes, self.sizes = [x.shape for x in self.arrays], [x.size for x in self.arrays]
        self.dtypes, self.size = [x.dtype for x in self.arrays], sum(self.sizes)

    def refuse(self, field: str) -> None:
        """Raise `InputError` unless there are entries, all finite, of float64 or float32."""
        if not self.size:
            raise InputError(field, self.shapes, "it must have at least one entry")
        for label, x in zip(self.labels, self.arrays, strict=True):
            if x.dtype not in (np.float64, np.float32):
                raise InputError(field, f"{label} of {x.dtype}", "its arrays must be of float64 or float32")
            if not np.all(np.isfinite(x)):
                raise InputError(field, label, "its numbers must be finite")

    def refuse_other(self, field: str, wanted: _Structure) -> None:
        """Raise `InputError` unless the structure is the wanted one."""
        if (self.kind is None) != (wanted.kind is None) or self.labels != wanted.labels or self.shapes != wanted.shapes:
            shapes, accepted = (dict(zip(x.labels, x.shapes, strict=True)) for x in (self, wanted))
            raise InputError(field, shapes, f"its arrays must be those of the parameters, {accepted}")
        self.refuse(field)

    def build(self, vector: np.ndarray, own_dtype: bool = False) -> Any:
        """Parameters as f takes them, in the vector's number type or in their own."""
        parts = np.split(vector, np.cumsum(self.sizes)[:-1])
        arrays = [
            part.reshape(shape).astype(dtype if own_dtype else vector.dtype)
            for part, shape, dtype in zip(parts, self.shapes, self.dtypes, strict=True)
        ]
        if self.kind is None:
            return arrays[0]
        if self.keys:
            return dict(zip(self.keys, arrays, strict=True))
        return tuple(arrays) if issubclass(self.kind, tuple) else arrays

    def vector(self) -> np.ndarray:
        return np.concatenate([x.ravel() for x in self.arrays]).astype(np.float64)

    def sizes_of_steps(self) -> np.ndarray:
        """s: |x_i|, but at least a thousandth of the root mean square of its array, and 1 in an array of zeros."""
        steps = []
        for x in self.arrays:
            size = np.abs(x.astype(np.float64)).ravel()
            top = size.max(initial=0.0)
            typical = top * math.sqrt(float(np.mean((size / top) ** 2))) if top > 0 else 1e3
            steps.append(np.maximum(size, 1e-3 * typical))
        return np.concatenate(steps)

    def name(self, k: int) -> str:
        for label, shape, size in zip(self.labels, self.shapes, self.sizes, strict=True):
            if k < size:
                place = ", ".join(str(int(i)) for i in np.unravel_index(k, shape)) if shape else ""
                return f"{label}[{place}]" if place else label
            k -= size
        raise IndexError(k)


@dataclass
class _Point:
    """One drawn point: the function and the gradient around it."""

    f: Callable[[Any], Any]
    grad: Callable[[Any], Any]
    params: Any
    seed: tuple[int, int]
    structure: _Structure = field(init=False)

    def __post_init__(self) -> None:
        self.structure = _Structure(self.params)
        self.structure.refuse("draw")
        self.x = self.structure.vector()
        self.steps = self.structure.sizes_of_steps()
        own = any(dtype != np.float64 for dtype in self.structure.dtypes)
        self.value = self._at_the_point(own)
        self.own_dtype = False
        if own and math.isnan(self.real(self.x)):
            self.own_dtype = True  # f takes nothing but its own number type
        self.value = self.value if self.own_dtype or not own else self.real(self.x)
        rng = np.random.default_rng((*self.seed, 1))
        ones = np.where(rng.random((DIRECTIONS, self.x.size)) < 0.5, -1.0, 1.0)
        self.directions = ones * rng.uniform(0.5, 1.0, ones.shape) * self.steps
        self.g, self.g_noise = self._gradient()

    def _at_the_point(self, own_dtype: bool) -> float:
        values = [self.f(self.structure.build(self.x, own_dtype)) for _ in range(2)]
        for value in values:
            array = np.asarray(value)
            if array.ndim or array.dtype.kind not in "fiu":
                what = f"{array.dtype} of shape {array.shape}"
                raise InputError("f", what, "it must return one real number")
            if not math.isfinite(float(value)):
                raise InputError("f", float(value), f"it must be finite at draw {self.seed}")
        if float(values[0]) != float(values[1]):
            raise InputError("f", float(values[1]), f"it must return the same number twice, and first gave {values[0]}")
        return float(values[0])

    def _gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """g, and the bound on its rounding."""
        here = self._grad_at(self.x)
        here.refuse_other("grad", self.structure)
        g, unit = here.vector(), max(np.finfo(dtype).eps for dtype in (*here.dtypes, *self.structure.dtypes))
        noise = np.zeros_like(g)
        with np.errstate(all="ignore"):
            for spacing in (FINE, COARSE[0]):
                rows = [self._grad_at(self.x + k * spacing * self.directions[0]).vector() for k in range(8)]
                noise = np.maximum(noise, _noise(np.stack(rows)))
        return g, noise + 8 * float(unit) * np.abs(g)

    def _grad_at(self, x: np.ndarray) -> _Structure:
        found = self.grad(self.structure.build(x, own_dtype=True))
        keys = self.structure.keys
        if keys and isinstance(found, Mapping) and set(found) == set(keys):
            found = {key: found[key] for key in keys}
        return _Structure(found)

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
        return float(_noise(values)), bool(np.mean(np.diff(values) == 0) > 0.5)

    @cached_property
    def analytic(self) -> float:
        """How wrong a complex step may be because f is not analytic, from a random direction; infinite: it is not."""
        if self.own_dtype:
            return math.inf
        bound = self._not_analytic(self.directions[0])
        slope = abs(self._step(self.directions[0]))
        return bound if bound <= 1e-10 * max(slope, abs(self.value)) else math.inf

    @cached_property
    def step_noise(self) -> float:
        """The rounding of a complex step, in the same direction."""
        spacing = COARSE[0]
        v = self.directions[0]
        return float(_noise(np.array([self._step(v, self.x + k * spacing * v) for k in range(10)])))

    def _step(self, v: np.ndarray, x: np.ndarray | None = None) -> float:
        return self.complex((self.x if x is None else x) + 1j * IMAGINARY * v).imag / IMAGINARY

    def _not_analytic(self, v: np.ndarray) -> float:
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

    def complex_step(self, v: np.ndarray, not_analytic: float) -> _Found:
        value = self._step(v)
        bound = not_analytic + self.step_noise + 16 * np.finfo(np.float64).eps * abs(value)
        return _Found(value, bound if math.isfinite(bound) and math.isfinite(value) else math.inf, COMPLEX)

    def differences(self, v: np.ndarray, sigma: float, *, target: float = 0.0, every: bool = False) -> _Found:
        """Central differences; until the bound is the target or cannot improve, or at every step."""
        D: list[float] = []
        S: list[float] = []
        found: list[_Found] = []
        best = _Found(math.nan, math.inf, FINITE)
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
                found.append(_Found(fine, bound, FINITE))
                best = min(best, found[-1], key=lambda one: one.bound)
            if rounding > 1e3 * (abs(best.value) + best.bound):
                break  # a finer step says nothing against it
            if not every and (best.bound <= target or 2 * rounding >= best.bound):
                break
        order = sorted(range(len(found)), key=lambda k: found[k].bound)
        for k in order:
            one = found[k]
            if all(_agree(one, two) for two in found[k + 1 :]):
                return one
        return _Found(math.nan, math.inf, FINITE)

    def compare(self, v: np.ndarray, entry: str, scale: float = 1.0, *, every: bool = False) -> _Finding:
        """Σ v_i g_i against φ′(0); what seems wrong is looked at again in every way there is.

        Args:
            v: the direction.
            entry: its name.
            scale: what both are divided by: the entry of v, where there is only one.
            every: look at it in every way at once.
        """
        given = self._given(v)[0]
        if not every:
            size = max(abs(given), 1e-3 * abs(self.value))
            found = self.complex_step(v, self.analytic) if math.isfinite(self.analytic) else None
            if found is None or not found.bound <= 1e-8 * size:
                found = self.differences(v, self.sigmas[0], target=1e-8 * size)
            one = self._finding(v, entry, scale, found)
            if not one.wrong:
                return one
        found = self.differences(v, self.sigmas[0], every=True)
        others = []
        if self.sigmas[1] < self.sigmas[0]:
            others.append(self.differences(v, self.sigmas[1], every=True))
            if not _agree(found, others[0]):  # what looks like noise is f itself, which varies fast
                found = _Found(math.nan, math.inf, FINITE)
        if not self.own_dtype:
            others.append(self.complex_step(v, self._not_analytic(v)))
        for other in others:
            if other.bound < found.bound < math.inf and _agree(found, other):
                found = other
        return self._finding(v, entry, scale, found)

    def _given(self, v: np.ndarray) -> tuple[float, float]:
        """Σ v_i g_i and the bound on its rounding."""
        part = np.flatnonzero(v)
        with np.errstate(all="ignore"):
            return float(np.sum(v[part] * self.g[part])), float(np.sum(np.abs(v[part]) * self.g_noise[part]))

    def _finding(self, v: np.ndarray, entry: str, scale: float, found: _Found) -> _Finding:
        given, rounding = self._given(v)
        bound = found.bound + rounding
        large = 0.01 * max(abs(given), abs(found.value)) if math.isfinite(found.value) else 0.0
        decided = bool(bound <= max(large, 1e-6 * abs(self.value)))
        values = float(given / scale), float(found.value / scale), float(bound / abs(scale))
        return _Finding(entry, *values, found.method, decided, self.seed)

    def _mixed(self, v: np.ndarray) -> _Finding:
        """A random direction, by finite differences too: what complex numbers hide shows there."""
        one = self.compare(v, MIXED)
        if one.method == FINITE or one.wrong:
            return one
        other = self._finding(v, one.entry, 1.0, self.differences(v, self.sigmas[0]))
        return self.compare(v, one.entry, every=True) if other.wrong else one

    def findings(self) -> list[_Finding]:
        """All entries if they are few, and random directions; a wrong entry comes before what it makes wrong."""
        n = self.x.size
        mixed = [self._mixed(v) for v in self.directions[: 1 if n <= FEW else DIRECTIONS]]
        wrong = [k for k, one in enumerate(mixed) if one.wrong]
        if n <= FEW:
            name, each = self.structure.name, range(n)
            return [
                *(self.compare(self._part(k, k + 1), name(k), self.steps[k], every=bool(wrong)) for k in each),
                *mixed,
            ]
        return [self._bisect(wrong[0]), *mixed] if wrong else mixed

    def _part(self, low: int, high: int, direction: int | None = None) -> np.ndarray:
        """The steps of some entries, or a direction's."""
        v = np.zeros_like(self.steps)
        v[low:high] = (self.steps if direction is None else self.directions[direction])[low:high]
        return v

    def _bisect(self, direction: int) -> _Finding:
        """The first entry that is wrong, or the smallest range in which one is."""
        low, high = 0, self.x.size
        while high - low > 1:
            middle = (low + high) // 2
            if self.compare(self._part(low, middle, direction), "", every=True).wrong:
                high = middle
            elif self.compare(self._part(middle, high, direction), "", every=True).wrong:
                low = middle
            else:
                break
        name = self.structure.name(low)
        if high - low == 1:
            return self.compare(self._part(low, high), name, self.steps[low], every=True)
        name = f"{MIXED} from {name} to {self.structure.name(high - 1)}"
        return self.compare(self._part(low, high, direction), name, every=True)


def _noise(values: np.ndarray) -> Any:
    """Six times the largest fourth difference along the first axis, over √70."""
    with np.errstate(all="ignore"):
        return 6 * np.max(np.abs(np.diff(values, 4, axis=0)), axis=0) / math.sqrt(70)


def _agree(one: _Found, two: _Found) -> bool:
    return abs(one.value - two.value) <= one.bound + two.bound
