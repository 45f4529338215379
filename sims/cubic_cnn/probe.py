r"""What an optimizer says of itself, held to its steps before it is believed.

A run in coefficient space believes that steps are linear; a compiled one never calls ``step`` at all, and goes by
``recursion(t)``; every run believes that a step is a function of what it is given, as seeds share the optimizer. So
each of these is tried on small arrays of the run's own kind, at the iterations t that the run has:

- params and grad come back as they were, and params of their shape and number type, finite;
- two trajectories that take turns are what each is alone (nothing is kept in the optimizer itself);
- the steps of mapped arrays are the mapped steps, for random linear maps of seeds, neurons and columns;
- a step moves the parameters by what the recursion says, at each of the first `SCANNED` iterations.

Beyond the first iterations some are tried: spaced in log t, where a schedule of ours changes, and the last.
"""

from __future__ import annotations

__all__ = ["check_optimizers", "described_by", "probe"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.plan import to_host
from lemmascope.sims.users import users
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    FORMS,
    Optimizer,
    PiecewiseConstant,
    Recursion,
    describe,
    is_linear,
    recursion_of,
)

Array = Any

FIRST = 16
"""Iterations from 0 on that are tried of every optimizer."""
LATER = 64
"""Iterations after them, spaced in log t."""
SCANNED = 20_000
"""Iterations from 0 on at each of which a recursion is held to the step."""
SHAPE = (2, 1, 4, 64)
"""Seeds, optimizers, neurons and columns of what is tried, at most."""
RELATIVE = {"float64": 1e-9, "float32": 1e-3}
"""Between a mapped step and the step of what is mapped: u times the sums of a few hundred numbers."""
SCALES = (1.0, 1e-4, 1e4)
"""Sizes of what is mapped: what clips or thresholds at one of them is not linear."""
MOVED = 1e-9
"""Between a step and the recursion's, relative to the recursion's."""


def check_optimizers(optimizers: object) -> None:
    """Refuse what is no dict of optimizers by label.

    Raises:
        InputError: it is none.
    """
    if not isinstance(optimizers, Mapping) or not optimizers or not all(isinstance(name, str) for name in optimizers):
        raise InputError(
            "optimizers", type(optimizers).__name__, "give a dict of optimizers by label, with at least one"
        )
    for name, optimizer in optimizers.items():
        field, kind = f"optimizer {name}", type(optimizer).__name__
        if isinstance(optimizer, type):
            raise InputError(field, optimizer.__name__, "it is a class: make an object of it, with its learning rate")
        with users(field, kind, "its linear must be True or False, and failed"):
            fits, linear = isinstance(optimizer, Optimizer), getattr(optimizer, "linear", False)
        if not fits:
            raise InputError(field, kind, "it must be an object with two methods, init and step")
        if not isinstance(linear, bool | np.bool_):
            raise InputError(f"linear of {kind}", type(linear).__name__, "it must be True or False")


def described_by(label: str, optimizer: Optimizer) -> dict[str, Any]:
    """`theory.optimizers.describe`, which asks a user's attributes for their text."""
    with users(f"optimizer {label}", type(optimizer).__name__, "its attributes must have a text, and failed"):
        return describe(optimizer)


def probe(label: str, optimizer: Optimizer, *, iterations: int, sizes: tuple[int, int], xp: Any, dtype: str) -> None:
    """Try an optimizer as described above. One of ours with numbers for its rates has been tried by our tests.

    Args:
        label: by which it is refused.
        optimizer: the optimizer.
        iterations: of the run; later ones are not tried.
        sizes: neurons and columns of the run's state.
        xp, dtype: the array library and number type of the run.

    Raises:
        InputError: it fails, or one of these does not hold.
    """
    if type(optimizer) in FORMS.values() and all(type(value) is float for value in vars(optimizer).values()):
        return
    _Probe(f"optimizer {label}", optimizer, iterations, sizes, xp, dtype).all()


class _Probe:
    def __init__(
        self, name: str, optimizer: Optimizer, iterations: int, sizes: tuple[int, int], xp: Any, dtype: str
    ) -> None:
        self.name, self.kind = name, f"optimizer {type(optimizer).__name__}"
        self.optimizer, self.last, self.xp, self.dtype = optimizer, iterations - 1, xp, dtype
        seeds = SHAPE[0] if is_linear(optimizer) else 1
        self.shape = (seeds, SHAPE[1], min(sizes[0], SHAPE[2]), min(sizes[1], SHAPE[3]))
        self.rng = np.random.Generator(np.random.Philox(0))

    def all(self) -> None:
        """Every trial."""
        self.pure()
        if is_linear(self.optimizer):
            self.linear()
        recursion = recursion_of(self.optimizer)
        if recursion is not None:
            self.recursive(recursion)

    def times(self, first: int) -> list[int]:
        """0 … first − 1, then some, the last of the run among them; increasing."""
        found = set(range(min(first, self.last + 1)))
        if self.last >= first:
            found |= {int(t) for t in np.geomspace(first, self.last, LATER)} | {self.last}
        for value in getattr(self.optimizer, "__dict__", {}).values():
            if isinstance(value, PiecewiseConstant):
                found |= {t for s in value.starts for t in (s - 1, s) if 0 <= t <= self.last}
        return sorted(found)

    # One step.

    def begin(self, params: np.ndarray, dtype: str) -> tuple[Array, Any]:
        """A first state, on arrays of the run's kind."""
        theta = self.xp.asarray(params.astype(dtype))
        with users(self.kind, "init", "its init must return the state before the first step, and failed"):
            return theta, self.optimizer.init(theta)

    def step(self, theta: Array, slope: np.ndarray, state: Any, t: int, dtype: str) -> tuple[Array, Any]:
        """One step, whose result is looked at."""
        grad, given = self.xp.asarray(slope.astype(dtype)), to_host(theta).copy()
        with users(self.kind, f"step {t}", "its step must return (params, state), and failed"):
            new, state = self.optimizer.step(theta, grad, state, t)
        if getattr(new, "shape", None) != theta.shape or new.dtype != theta.dtype:
            got = f"{new.dtype} {new.shape}" if hasattr(new, "dtype") else type(new).__name__
            like = f"{theta.dtype} {theta.shape}"
            raise InputError(self.kind, got, f"its step {t} must return parameters like those it is given, {like}")
        if not np.array_equal(to_host(theta), given) or not np.array_equal(to_host(grad), slope.astype(dtype)):
            raise InputError(
                self.kind, f"step {t}", "its step must leave params and grad as they are, and return new params"
            )
        if not np.isfinite(to_host(new)).all():
            raise InputError(self.kind, f"step {t}", "its step returned NaN or infinity for finite params and grad")
        return new, state

    def path(self, start: np.ndarray, slopes: list[np.ndarray], times: list[int], dtype: str) -> list[np.ndarray]:
        """The parameters after each of some steps."""
        found = []
        theta, state = self.begin(start, dtype)
        for t, slope in zip(times, slopes, strict=True):
            theta, state = self.step(theta, slope, state, t, dtype)
            found.append(to_host(theta).copy())
        return found

    # The trials.

    def pure(self) -> None:
        """Two trajectories in turns are what each is alone."""
        times = list(range(min(FIRST, self.last + 1)))
        starts = [self.rng.standard_normal(self.shape) for _ in range(2)]
        slopes = [[self.rng.standard_normal(self.shape) for _ in times] for _ in range(2)]
        alone = [self.path(starts[k], slopes[k], times, self.dtype) for k in range(2)]
        both = [self.begin(start, self.dtype) for start in starts]
        for i, t in enumerate(times):
            for k in range(2):
                both[k] = self.step(both[k][0], slopes[k][i], both[k][1], t, self.dtype)
                if not np.array_equal(to_host(both[k][0]), alone[k][i]):
                    why = (
                        "its steps depend on what it was called with before, or on chance: what it remembers belongs "
                        "into the state that init and step return, as all seeds share it"
                    )
                    raise InputError(self.name, f"step {t}", why)

    def linear(self) -> None:
        """The steps commute with linear maps."""
        times = self.times(FIRST)
        S, _, m, n = self.shape
        seeds, rows, columns = (self.rng.standard_normal(size) for size in ((S, S), (m, m), (n, n + 1)))

        def mapped(x: np.ndarray) -> np.ndarray:
            return np.einsum("st,ij,tajk,kl->sail", seeds, rows, x, columns / n**0.5, optimize=True)

        for scale in SCALES:
            start, *slopes = (scale * self.rng.standard_normal(self.shape) for _ in range(1 + len(times)))
            plain = self.path(start, slopes, times, self.dtype)
            other = self.path(mapped(start), [mapped(slope) for slope in slopes], times, self.dtype)
            for t, x, y in zip(times, plain, other, strict=True):
                gap, size = np.abs(mapped(x) - y).max(), np.abs(y).max() + np.abs(mapped(np.abs(x))).max()
                if not gap <= RELATIVE[self.dtype] * size:
                    why = f"its step {t} does not commute with a linear map ({gap:.2g} of {size:.2g})"
                    kind = type(self.optimizer).__name__
                    raise InputError(self.name, kind, f"it says linear = True, and {why}; say linear = False")

    def recursive(self, recursion: Callable[[int], Recursion]) -> None:
        """The steps are those of the recursion."""
        try:
            self.held(recursion, self.times(SCANNED))
        except _Differs as found:
            if found.t >= SCANNED:  # an optimizer may count its steps by itself, and some were left out
                try:
                    return self.held(recursion, range(self.last + 1) if self.last < 10 * SCANNED else [])
                except _Differs as again:
                    found = again
            raise InputError(
                self.name,
                f"recursion({found.t}) = {found.numbers}",
                f"it moves a parameter by {found.by_recursion:.9g} where the step moves it by {found.by_step:.9g}; "
                "mend the one that is wrong, or leave recursion out",
            ) from None

    def held(self, recursion: Callable[[int], Recursion], times: Any) -> None:
        """Hold the steps at some iterations, in turn, to the recursion with a buffer of its own."""
        before, u = self.rng.standard_normal(self.shape), np.zeros(self.shape)
        theta, state = self.begin(before, "float64")
        scale = 1.0
        for t in times:
            with users(self.name, f"recursion({t})", "its recursion must return (γ, κ, p, q), and failed"):
                gamma, kappa, p, q = numbers = tuple(float(x) for x in recursion(t))
            if not np.isfinite(numbers).all():
                raise InputError(
                    self.name, f"recursion({t}) = {numbers}", "it must return four finite numbers (γ, κ, p, q)"
                )
            # Gradients at which a step is as large as the parameters: then few digits of it are lost.
            rate = abs(kappa * p) + abs(q)
            scale = min(1 / rate, 1e100) if rate else scale
            slope = scale * self.rng.standard_normal(self.shape)
            u = gamma * u + kappa * slope
            theta, state = self.step(theta, slope, state, t, "float64")
            after = to_host(theta).copy()
            by_step, by_recursion = after - before, -(p * u + q * slope)
            size = MOVED * (np.abs(p * u) + np.abs(q * slope)) + 1e-13 * (np.abs(after) + np.abs(before))
            off = np.abs(by_step - by_recursion) / (size + np.finfo(float).tiny)
            if not off.max() <= 1:
                at = np.unravel_index(int(np.argmax(off)), self.shape)
                raise _Differs(t, numbers, float(by_recursion[at]), float(by_step[at]))
            before = after
            if np.abs(u).max() > 1e100:
                return


class _Differs(Exception):
    def __init__(self, t: int, numbers: tuple[float, ...], by_recursion: float, by_step: float) -> None:
        self.t, self.numbers, self.by_recursion, self.by_step = t, numbers, by_recursion, by_step
