r"""How the law of an angle comes to rest, by powers of its transition matrix: no sampling.

The matrix is squared again and again, K, K², K⁴, …; where a step's loss first lies within a tolerance is then found as
a number is in binary. Rows are made to sum to 1 after each squaring, as 2³⁰ roundings would show.
"""

from __future__ import annotations

__all__ = ["Rest", "rest", "slowest"]

from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.theory.errors import InputError, check_number
from lemmascope.theory.scale_invariant.losses import Circle

SQUARINGS = 48
"""At most: 2.8·10¹⁴ steps."""

AT_REST = 1e-12
"""Largest difference between the rows of a power that is stationary."""


@dataclass(frozen=True)
class Rest:
    """How a law comes to rest.

    Attributes:
        steps: until E U is within the tolerance of where it ends, for good.
        stationary: E U at the end.
        slowest: τ₂, of the second eigenvalue.
    """

    steps: int
    stationary: float
    slowest: float


def rest(circle: Circle, eta_lambda: float, cells: int, *, tolerance: float = 0.1, xp: Any = np) -> Rest:
    """Steps until |E U/E U(∞) − 1| ≤ ``tolerance`` from θ = π, for |w|² at equilibrium.

    The last time at which it is not near is found by halving, for which it is to come nearer from there on.

    Args:
        circle, eta_lambda, cells: of the matrix; cells even.
        tolerance: relative.
        xp: the array library of the powers.

    Raises:
        InputError: a grid without π; ηλ not in (0, ½); or a law that is not at rest after 2^`SQUARINGS` steps.
        KeyboardInterrupt: the task is given up.
    """
    check_number("eta_lambda", eta_lambda, 0, 0.5, open_low=True, open_high=True)
    if cells % 2:
        raise InputError("cells", cells, "it must be even, for θ = π to be on the grid")
    powers = [circle.kernel(xp, eta_lambda, cells)]
    theta = circle.grid(xp, cells)
    U = circle.potential(theta)
    while float(xp.max(xp.abs(powers[-1] - powers[-1][:1, :]))) > AT_REST:
        stopping.check()
        if len(powers) > SQUARINGS:
            raise InputError("eta_lambda", eta_lambda, f"the law is not at rest after 2^{SQUARINGS} steps; take more")
        square = powers[-1] @ powers[-1]
        powers.append(square / xp.sum(square, axis=1, keepdims=True))
    end = float(powers[-1][0, :] @ U)

    def near(law: Any) -> bool:
        return abs(float(law @ U) / end - 1) <= tolerance

    law, steps = xp.zeros(cells, dtype=xp.float64), 0
    law[cells // 2] = 1.0
    for k in range(len(powers) - 1, -1, -1):
        after = law @ powers[k]
        if not near(after):
            law, steps = after, steps + 2**k
    return Rest(steps + 1 if steps or not near(law) else 0, end, slowest(powers, xp.cos(theta)))


def slowest(powers: list[Any], values: Any) -> float:
    """τ₂ = −1/ln λ₂ in steps, from the powers K^(2^k): by how much a mean of ``values`` still falls in 2^k steps.

    Taken where it falls to between e^{−½} and e^{−9} of itself, at the largest such power: earlier ones have other
    eigenvalues in them, later ones nothing but rounding.
    """
    cells = powers[0].shape[0]
    end = powers[-1][0, :] @ values
    found = []
    for k in range(len(powers) - 1):
        once, twice = (float(powers[j][cells // 2, :] @ values - end) for j in (k, k + 1))
        if once and twice and once * twice > 0 and abs(twice) < abs(once):
            found.append((abs(np.log(twice / once)), 2.0**k))
    good = [steps / fall for fall, steps in found if 0.5 < fall < 9]
    return good[-1] if good else float("nan")
