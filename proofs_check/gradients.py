r"""A hand-written gradient held against the function that it is of, at drawn points.

Along a line, the derivative of the function is found in two ways, each with a bound on its error
(`proofs_check.derivatives`); the gradient is wrong where Σ v_i g_i is farther away from it than that bound and that of
its own rounding.
"""

from __future__ import annotations

__all__ = ["GradientCheck", "GradientMismatch", "check_gradient"]

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.proofs_check.derivatives import COARSE, FINE, FINITE, Derivative, Derivatives, agree
from lemmascope.proofs_check.derivatives import noise as noise_of
from lemmascope.proofs_check.structure import Structure
from lemmascope.theory.errors import InputError, check_size

FEW = 50
"""Up to so many entries each is looked at; of more, random directions, and one entry by bisection if they disagree."""
MIXED = "a random direction"


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
        InputError: what must be a function is none; f returns no real number, or not the same one twice; the gradient
            has another structure, shape or number type; something is not finite; no entry could be decided at any
            point.

    Example:
        >>> import numpy as np
        >>> found = check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, lambda rng: rng.standard_normal(4))
        >>> found.ok, found.method
        (True, 'complex step')
    """
    for name, function in (("f", f), ("grad", grad), ("draw", draw)):
        if not callable(function):
            raise InputError(name, function, "it must be a function")
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


class _Point:
    """One drawn point: the function and the gradient around it."""

    def __init__(self, f: Callable[[Any], Any], grad: Callable[[Any], Any], params: Any, seed: tuple[int, int]) -> None:
        self.grad, self.seed, self.structure = grad, seed, Structure(params, "draw")
        self.structure.check_finite("draw")
        self.around = Derivatives(f, self.structure, seed)
        self.g, self.g_noise = self._gradient()

    def _gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """g, and the bound on its rounding."""
        here = self._grad_at(self.around.x)
        here.check_like("grad", self.structure)
        here.check_finite("grad")
        g, unit = here.vector(), max(np.finfo(dtype).eps for dtype in (*here.dtypes, *self.structure.dtypes))
        noise = np.zeros_like(g)
        with np.errstate(all="ignore"):
            for spacing in (FINE, COARSE[0]):
                rows = [
                    self._grad_at(self.around.x + k * spacing * self.around.directions[0]).vector() for k in range(8)
                ]
                noise = np.maximum(noise, noise_of(np.stack(rows)))
        return g, noise + 8 * float(unit) * np.abs(g)

    def _grad_at(self, x: np.ndarray) -> Structure:
        found = self.grad(self.structure.build(x, own_dtype=True))
        keys = self.structure.keys
        if keys and isinstance(found, Mapping) and set(found) == set(keys):
            found = {key: found[key] for key in keys}
        return Structure(found, "grad")

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
            size = max(abs(given), 1e-3 * abs(self.around.value))
            found = self.around.complex_step(v, self.around.analytic) if math.isfinite(self.around.analytic) else None
            if found is None or not found.bound <= 1e-8 * size:
                found = self.around.differences(v, self.around.sigmas[0], target=1e-8 * size)
            one = self._finding(v, entry, scale, found)
            if not one.wrong:
                return one
        found = self.around.differences(v, self.around.sigmas[0], every=True)
        others = []
        if self.around.sigmas[1] < self.around.sigmas[0]:
            others.append(self.around.differences(v, self.around.sigmas[1], every=True))
            if not agree(found, others[0]):  # what looks like noise is f itself, which varies fast
                found = Derivative(math.nan, math.inf, FINITE)
        if not self.around.own_dtype:
            others.append(self.around.complex_step(v, self.around.not_analytic(v)))
        for other in others:
            if other.bound < found.bound < math.inf and agree(found, other):
                found = other
        return self._finding(v, entry, scale, found)

    def _given(self, v: np.ndarray) -> tuple[float, float]:
        """Σ v_i g_i and the bound on its rounding."""
        part = np.flatnonzero(v)
        with np.errstate(all="ignore"):
            return float(np.sum(v[part] * self.g[part])), float(np.sum(np.abs(v[part]) * self.g_noise[part]))

    def _finding(self, v: np.ndarray, entry: str, scale: float, found: Derivative) -> _Finding:
        given, rounding = self._given(v)
        bound = found.bound + rounding
        large = 0.01 * max(abs(given), abs(found.value)) if math.isfinite(found.value) else 0.0
        decided = bool(bound <= max(large, 1e-6 * abs(self.around.value)))
        values = float(given / scale), float(found.value / scale), float(bound / abs(scale))
        return _Finding(entry, *values, found.method, decided, self.seed)

    def _mixed(self, v: np.ndarray) -> _Finding:
        """A random direction, by finite differences too: what complex numbers hide shows there."""
        one = self.compare(v, MIXED)
        if one.method == FINITE or one.wrong:
            return one
        other = self._finding(v, one.entry, 1.0, self.around.differences(v, self.around.sigmas[0]))
        return self.compare(v, one.entry, every=True) if other.wrong else one

    def findings(self) -> list[_Finding]:
        """All entries if they are few, and random directions; a wrong entry comes before what it makes wrong."""
        n = self.around.x.size
        mixed = [self._mixed(v) for v in self.around.directions[: 1 if n <= FEW else None]]
        wrong = [k for k, one in enumerate(mixed) if one.wrong]
        if n <= FEW:
            name, each = self.structure.name, range(n)
            return [
                *(self.compare(self._part(k, k + 1), name(k), self.around.steps[k], every=bool(wrong)) for k in each),
                *mixed,
            ]
        return [self._bisect(wrong[0]), *mixed] if wrong else mixed

    def _part(self, low: int, high: int, direction: int | None = None) -> np.ndarray:
        """The steps of some entries, or a direction's."""
        v = np.zeros_like(self.around.steps)
        v[low:high] = (self.around.steps if direction is None else self.around.directions[direction])[low:high]
        return v

    def _bisect(self, direction: int) -> _Finding:
        """The first entry that is wrong, or the smallest range in which one is."""
        low, high = 0, self.around.x.size
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
            return self.compare(self._part(low, high), name, self.around.steps[low], every=True)
        name = f"{MIXED} from {name} to {self.structure.name(high - 1)}"
        return self.compare(self._part(low, high, direction), name, every=True)
