"""What can be simulated: the paper's law (in R^d or exactly in any dimension) or a user's own patches."""

from __future__ import annotations

__all__ = [
    "Departing",
    "Drawn",
    "LawProblem",
    "PatchProblem",
    "Problem",
    "as_problem",
    "departure",
    "draw",
    "other_law",
]

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from lemmascope.sims.users import users
from lemmascope.theory.cubic_cnn import law
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError, check_number, check_size

Array = Any
Streams = Callable[[str], "np.random.Generator"]


@dataclass(frozen=True)
class Drawn:
    """One seed's data and initial weights; ``sample`` and ``W_0`` are None for an exact-law draw."""

    sample: law.Sample | None
    W_0: Array | None
    exact: law.Projection | None = None

    def projection(self) -> law.Projection:
        """The Gram matrix and the initial coefficients."""
        if self.exact is not None:
            return self.exact
        assert self.sample is not None
        assert self.W_0 is not None
        return law.project(self.sample, self.W_0)


class Problem(Protocol):
    """Sizes, and a way to draw one seed."""

    @property
    def N(self) -> int:
        """Samples."""

    @property
    def d(self) -> int:
        """Patch dimension."""

    @property
    def m(self) -> int:
        """Neurons."""

    @property
    def lam(self) -> float:
        """ℓ₂ penalty λ."""

    @property
    def patches(self) -> int:
        """Patches a sample in weight space, P."""

    @property
    def coefficients(self) -> int:
        """Patches in the Gram matrix, n."""

    @property
    def of_the_law(self) -> bool:
        """Whether signal patches are told apart."""

    @property
    def in_R_d(self) -> bool:
        """Whether there are d-dimensional vectors (not so for the exact law)."""

    @property
    def parameters(self) -> Parameters | None:
        """The law's parameters, where the data come from it."""

    def draw(self, rng: Streams) -> Drawn:
        """Data and initial weights of one seed."""


@dataclass(frozen=True)
class LawProblem:
    """Data from the paper's law.

    Args:
        parameters: the parameters.
        law: ``"samples"`` draws X in R^d; ``"exact"`` draws (K, Ξ₀, c₀) from their exact law, for any d
            with d − 1 ≥ n.
    """

    parameters: Parameters
    law: str = "samples"

    def __post_init__(self) -> None:
        if self.law not in ("samples", "exact"):
            raise InputError("law", self.law, "it must be 'samples' or 'exact'")
        if self.law == "exact" and self.parameters.d - 1 < self.parameters.n:
            raise InputError(
                "d",
                self.parameters.d,
                f"exact-law sampling needs d − 1 ≥ n = N(P − 1) = {self.parameters.n}; take law 'samples' or d ≥ "
                f"{self.parameters.n + 1}",
            )

    @property
    def N(self) -> int:
        """Samples."""
        return self.parameters.N

    @property
    def d(self) -> int:
        """Patch dimension."""
        return self.parameters.d

    @property
    def m(self) -> int:
        """Neurons."""
        return self.parameters.m

    @property
    def lam(self) -> float:
        """ℓ₂ penalty λ."""
        return self.parameters.lam

    @property
    def patches(self) -> int:
        """Patches a sample, P."""
        return self.parameters.P

    @property
    def coefficients(self) -> int:
        """Noise patches, n = N(P − 1)."""
        return self.parameters.n

    @property
    def of_the_law(self) -> bool:
        """Always."""
        return True

    @property
    def in_R_d(self) -> bool:
        """Whether X is drawn."""
        return self.law == "samples"

    def draw(self, rng: Streams) -> Drawn:
        """Draw one seed."""
        p = self.parameters
        if self.law == "exact":
            return Drawn(None, None, law.exact_projection(p, rng))
        return Drawn(law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng))


@dataclass(frozen=True)
class PatchProblem:
    """A user's own patches; every seed has these data and its own initial weights.

    Args:
        X: (N, P, d) finite real patches, of any law; nothing is assumed orthogonal.
        y: (N,) labels −1 or +1.
        m: neurons.
        sigma_0: standard deviation of the initial weights.
        w_star: (d,) feature, not zero, of any length: normalized here; or None.
        small: (N,) booleans, True on small-margin samples; or None.
        lam: ℓ₂ penalty λ.

    Raises:
        InputError: a shape, a value or a size is not as above.
    """

    X: Array
    y: Array
    m: int
    sigma_0: float
    w_star: Array | None = None
    small: Array | None = None
    lam: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "m", check_size("m", self.m))
        object.__setattr__(self, "sigma_0", check_number("sigma_0", self.sigma_0, 0, open_low=True))
        object.__setattr__(self, "lam", check_number("lam", self.lam, 0))
        X = _real("X", self.X)
        if X.ndim != 3 or 0 in X.shape:
            raise InputError("X", f"array of shape {X.shape}", "it must have shape (N, P, d), none of them 0")
        N, _, d = X.shape
        y = _real("y", self.y)
        if y.shape != (N,) or not np.all(np.abs(y) == 1):
            raise InputError("y", f"array of shape {y.shape}", f"it must hold N = {N} labels, each −1 or +1")
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        if self.w_star is not None:
            w = _real("w_star", self.w_star)
            if w.shape != (d,):
                raise InputError("w_star", f"array of shape {w.shape}", f"it must be d = {d} numbers")
            if not np.any(w):
                raise InputError("w_star", "array of zeros", "it is a direction: its numbers must be not all 0")
            # By a power of two first, which rounds nothing: the squares of what is huge or tiny are no numbers.
            w = np.ldexp(w, -np.frexp(np.abs(w).max())[1])
            object.__setattr__(self, "w_star", w / np.linalg.norm(w))
        if self.small is not None:
            small = _unmasked("small", self.small)
            if small.shape != (N,) or not np.all((small == 0) | (small == 1)):
                raise InputError("small", f"array of shape {small.shape}", f"it must hold N = {N} booleans")
            object.__setattr__(self, "small", small.astype(bool))

    @property
    def N(self) -> int:
        """Samples."""
        return int(self.X.shape[0])

    @property
    def d(self) -> int:
        """Patch dimension."""
        return int(self.X.shape[2])

    @property
    def patches(self) -> int:
        """Patches a sample."""
        return int(self.X.shape[1])

    @property
    def coefficients(self) -> int:
        """All patches, N P."""
        return self.N * self.patches

    @property
    def of_the_law(self) -> bool:
        """Never: no patch is told apart."""
        return False

    @property
    def in_R_d(self) -> bool:
        """Always."""
        return True

    @property
    def parameters(self) -> None:
        """Not known."""
        return None

    def draw(self, rng: Streams) -> Drawn:
        """The data, with this seed's initial weights."""
        sample = law.Sample(X=self.X, y=self.y, w_star=self.w_star, small=self.small)
        return Drawn(sample, law.draw_weights(self.m, self.d, self.sigma_0, rng))


@dataclass(frozen=True)
class Departing:
    """A problem that draws other data than those of the law that it names: they are run as they are, and nothing is
    said of them that a law would say.

    Args:
        problem: the problem.
        reason: what its data lack of the law.
        of_the_law: whether signal patches are told apart all the same.
        separates: whether the system of (c, Ξ) is theirs all the same; else they run in weight space.
    """

    problem: Problem
    reason: str
    of_the_law: bool
    separates: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    @property
    def parameters(self) -> None:
        """Those of the law are not those of the data."""
        return None

    @property
    def law(self) -> str:
        """What is recorded of it."""
        return f"not the law that it names: {self.reason}"


def draw(problem: Problem, rng: Streams) -> Drawn:
    """One seed of a problem, of the sizes that it says.

    Raises:
        InputError: it fails, or its arrays are of another shape, not finite, or its labels not ±1.
    """
    kind = type(problem).__name__
    with users("problem", kind, "its draw must return a Drawn, and failed"):
        drawn = problem.draw(rng)
        N, m, n = problem.N, problem.m, problem.coefficients
        if drawn.exact is not None:
            q = drawn.exact
            shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
                "y": (q.y, (N,)),
                "strength": (q.strength, (N,)),
                "K": (q.K, (n, n)),
                "Xi_0": (q.Xi_0, (m, n)),
                "c_0": (q.c_0, (m,)),
                "S_0": (q.S_0, (m, m)),
                "overlap": (q.overlap, (n,)),
            }
        else:
            sample: Any = drawn.sample
            shapes = {
                "X": (sample.X, (N, problem.patches, problem.d)),
                "y": (sample.y, (N,)),
                "W_0": (drawn.W_0, (m, problem.d)),
                "w_star": (sample.w_star, (problem.d,)),
                "strength": (sample.strength, (N,)),
                "signal": (sample.signal, (N,)),
            }
        for name, (array, shape) in shapes.items():
            if array is None and name in ("w_star", "strength", "signal"):
                continue
            if np.shape(array) != shape or np.ma.is_masked(array) or not np.all(np.isfinite(array)):
                raise InputError(
                    f"{name} of {kind}", np.shape(array), f"its draw must have {shape} finite numbers there"
                )
        if not np.all(np.abs(shapes["y"][0]) == 1):
            raise InputError(f"y of {kind}", "its labels", "each must be −1 or +1")
    return drawn


def departure(problem: Problem, drawn: Drawn) -> str | None:
    """What the data of a problem of the law lack of it, in words (`theory.cubic_cnn.law.departure`); None: nothing."""
    if not problem.of_the_law:
        return None
    found = drawn.exact if drawn.exact is not None else drawn.sample
    return law.departure(found, problem.parameters)  # type: ignore[arg-type]


def other_law(problem: Problem, drawn: Drawn, rng: Streams) -> str | None:
    """Whether one seed of a problem with parameters is another than `LawProblem` draws of them, in words; None: no.

    What a distribution is cannot be read off a sample: only what the law draws, bit for bit, is known to be of it.
    """
    p = problem.parameters
    if p is None or type(problem) is LawProblem:
        return None
    if problem.lam != p.lam:
        return f"its λ is {problem.lam:g}, and that of its parameters {p.lam:g}"
    exact = drawn.exact is not None
    possible = not exact or p.d - 1 >= p.n
    if possible and _same(drawn, LawProblem(p, "exact" if exact else "samples").draw(rng)):
        return None
    return "its data and weights are not drawn as LawProblem draws them of its parameters"


def _same(a: Any, b: Any) -> bool:
    if isinstance(b, Drawn | law.Sample | law.Projection):
        return all(_same(getattr(a, f.name, None), getattr(b, f.name)) for f in fields(b))
    return (a is None) == (b is None) and np.array_equal(a, b)


def _unmasked(field: str, value: object) -> np.ndarray:
    """As an array; what a mask hides is no number, and would become one."""
    if np.ma.is_masked(value):
        raise InputError(field, "array with masked entries", "every entry must be known")
    return np.asarray(value)


def _real(field: str, value: object) -> np.ndarray:
    value = _unmasked(field, value) if np.ma.isMaskedArray(value) else value
    try:
        found = np.asarray(value)
        if found.dtype.kind == "c":
            raise TypeError
        with np.errstate(over="ignore"):
            array = found.astype(np.float64)
    except OverflowError:
        raise InputError(field, "array with a number beyond 1.8e308", "every number must be finite") from None
    except (TypeError, ValueError):
        raise InputError(field, type(value).__name__, "it must be an array of real numbers") from None
    if not np.all(np.isfinite(array)):
        raise InputError(field, "array with NaN or infinity", "every number must be finite")
    return array


def as_problem(problem: Problem | Parameters) -> Problem:
    """`Parameters` mean samples of their law in R^d; a problem is itself."""
    if isinstance(problem, Parameters):
        return LawProblem(problem)
    if not hasattr(problem, "draw"):
        raise InputError("problem", type(problem).__name__, "it must be Parameters, a LawProblem or a PatchProblem")
    return problem
