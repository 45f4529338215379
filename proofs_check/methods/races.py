r"""The order of the stages under GD: a sufficient condition in numbers, and small cases in which the noise is first.

Cases have one neuron, two patches a sample, one small-margin sample and N − 1 large-margin ones that are alike. They
are the system of (c, Ξ), iterated in floats to choose one and in balls to certify it, until one of the stages is over.
"""

from __future__ import annotations

__all__ = ["Order", "Race", "certified", "headline", "noise_first", "ordering", "races", "surely_ordered"]

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from lemmascope.proofs_check.methods.passing import exact_ball
from lemmascope.proofs_check.methods.signs import precision
from lemmascope.theory.cubic_cnn import law
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import check_number

STEPS = 1000
BITS = 256


@dataclass(frozen=True)
class Order:
    """What `ordering` finds, in iterations: T₀ ≤ ``T_0_at_most`` and T₁ ≥ ``T_1_at_least`` if the condition holds."""

    T_0_at_most: float
    T_1_at_least: float
    holds: bool


def ordering(
    *,
    m: int,
    P: int,
    alpha: float,
    eta: float,
    N: int,
    N_1: int,
    c_0: float,
    x_0: float,
    row_sum: float,
    level: Any = 2,
    head: Any = Fraction(1, 8),
    noise: Any = Fraction(1, 2),
    feature: Any = 3,
    spread: Any = 3,
    slack: Any = 1,
) -> Order:
    """Evaluate the sufficient condition U < L for T₀ < T₁ under GD with λ = 0 (`proofs_check.steps.cubic_cnn._order`),
    in floats.

    Args:
        m, P, alpha, eta, N: as in the symbol table.
        N_1: large-margin samples, 0 < N₁ < N.
        c_0: max_r c_r(0); where it is ≤ 0 the condition fails.
        x_0: largest |Ξ(0)| over all noise patches and neurons.
        row_sum: max_k Σ_k' |K_kk'|.
        level, head, noise, feature, spread, slack: the constants 2, 1/8, ½, 3, 3 of v₁, ℓ_min, a and B, and the 1
            before L; others are errors for the proof to refute.

    Raises:
        InputError: a number is out of its range.
    """
    for name, value in (("alpha", alpha), ("eta", eta), ("row_sum", row_sum)):
        check_number(name, value, 0, open_low=True)
    check_number("N_1", N_1, 0, N, open_low=True, open_high=True)
    check_number("x_0", x_0, 0)
    late = math.inf
    if x_0 > 0:
        late = _late(m=m, P=P, N=N, eta=eta, x_0=x_0, row_sum=row_sum, level=level, spread=spread)
    early = math.inf
    if c_0 > 0:
        bound = _early(m=m, N=N, N_1=N_1, alpha=alpha, eta=eta, c_0=c_0, head=head, noise=noise, feature=feature)
        early = math.ceil(bound) if 2 * alpha * c_0 < 1 else 0
    return Order(early, late, early < slack * late)


def _early(
    *,
    m: int,
    N: int,
    N_1: int,
    alpha: Any,
    eta: Any,
    c_0: Any,
    head: Any,
    noise: Any,
    feature: Any,
    number: Callable[[Any], Any] = float,
    exp: Callable[[Any], Any] = math.exp,
    log: Callable[[Any], Any] = math.log,
) -> Any:
    """(1/c₀ − 2α)/a − log(2αc₀), of floats or of balls."""
    a = number(feature) * eta * alpha**3 * N_1 / N * (1 / (1 + exp(number(m * head + noise))))
    return (1 / c_0 - 2 * alpha) / a - log(2 * alpha * c_0)


def _late(
    *,
    m: int,
    P: int,
    N: int,
    eta: Any,
    x_0: Any,
    row_sum: Any,
    level: Any,
    spread: Any,
    number: Callable[[Any], Any] = float,
) -> Any:
    """(1/x₀ − 1/v₁)/B, of floats or of balls."""
    return (1 / x_0 - number(level * m * (P - 1)) ** (number(1) / 3)) / (number(spread) * eta * row_sum / N)


def surely_ordered(
    race: Race,
    *,
    off_diagonal: Any = 1,
    slack: Any = 1,
    level: Any = 2,
    head: Any = Fraction(1, 8),
    noise: Any = Fraction(1, 2),
    feature: Any = 3,
    spread: Any = 3,
) -> bool:
    """Whether the condition of `ordering` holds for a race, with constants as there, shown by balls.

    ``off_diagonal`` is the factor of the off-diagonal |K_kk'| in the row sum; a ``slack`` of ∞ is no condition.
    """
    if slack == math.inf:
        return True
    with precision(BITS):
        alpha, eta, c, x = (_exact(value) for value in (race.alpha, race.eta, race.c, race.x))
        off = _exact(off_diagonal) * (race.N - 1 if race.same else 0)
        row_sum = _exact(race.kappa) * (1 + off)
        sizes: dict[str, Any] = {"m": 1, "N": race.N, "eta": eta, "number": _exact}
        late = _exact(slack) * _late(P=2, x_0=x, row_sum=row_sum, level=level, spread=spread, **sizes)
        if 2 * alpha * c >= 1:
            return bool(late > 0)
        rest: dict[str, Any] = {"exp": lambda z: z.exp(), "log": lambda z: z.log()}
        early = _early(N_1=race.N - 1, alpha=alpha, c_0=c, head=head, noise=noise, feature=feature, **sizes, **rest)
        return bool(early.ceil() < late)


def _exact(number: Any) -> Any:
    """The ball of an integer, a fraction or a float, without rounding of the number itself."""
    return exact_ball(Fraction(number))


def headline(seed: int) -> dict[str, Any]:
    """The condition on HEADLINE at η = 0.1, on a draw of its law."""
    p = HEADLINE

    def rng(name: str) -> np.random.Generator:
        return np.random.default_rng([seed, *name.encode()])

    q = law.project(law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng))
    found = ordering(
        m=p.m,
        P=p.P,
        alpha=p.alpha,
        eta=0.1,
        N=p.N,
        N_1=int((q.strength == p.alpha).sum()),
        c_0=float(q.c_0.max()),
        x_0=float(abs(q.Xi_0).max()),
        row_sum=float(abs(q.K).sum(axis=1).max()),
    )
    return {
        "seed": seed,
        "T_0_at_most": found.T_0_at_most,
        "T_1_at_least": round(found.T_1_at_least, 1),
        "holds": found.holds,
    }


class Race(NamedTuple):
    """One neuron, coefficients c and Ξ (``x`` for the small sample, ``x_large`` for the others), all labels 1.

    Noise patches of the small and of the large samples have Gram matrix K = κI, or κ everywhere if they are ``same``.
    """

    c: float
    x: float
    x_large: float
    N: int
    kappa: float
    same: bool
    alpha: float
    beta: float
    eta: float

    @property
    def off_diagonal(self) -> float:
        """Σ_{k'≠k} |K_kk'|."""
        return (self.N - 1) * self.kappa if self.same else 0.0


def races() -> Iterator[Race]:
    """Starts of the feature near 1/(2α) and far below, of the noise near memorization and far from it."""
    for x, kappa, c, N in product((0.3, 0.6, 0.79, 0.1), (1.0, 10.0, 100.0, 0.1), (0.01, 0.03, 0.1, 0.24), (2, 20)):
        for same, large in ((False, 0.0), (False, x), (True, x)):
            yield Race(c, x, large, N, kappa, same, 2.0, 0.1, 0.1)


def noise_first(race: Race, number: Callable[[float], Any] = float, exp: Callable[[Any], Any] = math.exp) -> int | None:
    """T₁, the first t with Ξ³ ≥ ½ for the small sample, if c < 1/(2α) at all t < T₁, that is T₀ ≥ T₁; else None.

    Args:
        race: the case.
        number, exp: of floats, or of balls; with balls None also if they cannot tell.
    """
    c, x, large, kappa, alpha, beta, eta = (
        number(value) for value in (race.c, race.x, race.x_large, race.kappa, race.alpha, race.beta, race.eta)
    )
    rate, share = 3 * eta / race.N, race.N - 1
    for t in range(STEPS):
        if 2 * x * x * x >= 1:
            return t
        if not (2 * x * x * x < 1 and 2 * alpha * c < 1):
            return None
        at_large, at_small = (1 / (1 + exp(s**3 * c**3 + xi**3)) for s, xi in ((alpha, large), (beta, x)))
        pull, pull_large = at_small * x * x, at_large * large * large
        if race.same:
            pull = pull_large = pull + share * pull_large
        c = c + rate * c * c * (share * alpha**3 * at_large + beta**3 * at_small)
        x, large = x + rate * kappa * pull, large + rate * kappa * pull_large
    return None


def certified(race: Race) -> int | None:
    """`noise_first` in balls."""
    if noise_first(race) is None:
        return None
    with precision(BITS):
        return noise_first(race, _exact, lambda z: z.exp())
