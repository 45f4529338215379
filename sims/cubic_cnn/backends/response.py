r"""How a linear optimizer answers gradients that are a polynomial in t, exactly and for any number of steps.

The recursion of `theory.optimizers`, u ← γu + κ∇, θ ← θ − p u − q∇, is linear. If over M steps the gradient is the
polynomial G(s) = Σ_k b_k C(s, k) (binomials; s = 0 … M), then with the Newton shift b_k ↦ b_k + b_{k+1}, which is
G(s) ↦ G(s + 1), one step is a linear map on (θ, u, b₀, …, b_q), and s steps are its s-th power (derived):

    θ_s = θ_0 − w_u(s) u_0 − Σ_k w_k(s) b_k,    u_s = γ^s u_0 + Σ_k v_k(s) b_k.

All entries of the powers have one sign, so that repeated squaring loses no digits; γ^s alone is taken from its
logarithm. Nothing is approximated here: what a
method built on this gets wrong is the polynomial, and that it can look at (`sims.cubic_cnn.backends.fast_forward`).
"""

from __future__ import annotations

__all__ = ["Response", "Window"]

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from lemmascope.theory.errors import InputError

Matrix = np.ndarray


class Response:
    """The answer of one optimizer.

    Args:
        recursion: (γ, κ, p, q), the same at every step; γ in [0, 1].
        degree: of the polynomials.

    Attributes:
        fading: −log γ, by which a buffer is forgotten each step; 0 where there is none, or nothing is forgotten.

    Raises:
        InputError: γ is outside [0, 1], or κ, p or pκ + q is negative, where powers would lose digits.
    """

    def __init__(self, recursion: tuple[float, float, float, float], degree: int) -> None:
        gamma, kappa, p, q = (np.longdouble(x) for x in recursion)
        if not 0 <= gamma <= 1:
            raise InputError("gamma", float(gamma), "fast-forward needs a momentum in [0, 1]")
        if min(p * kappa, p * gamma, p * kappa + q, kappa) < 0:
            raise InputError("recursion", recursion, "fast-forward needs steps against the gradient, κ, p, pκ + q ≥ 0")
        self.degree = degree
        step = np.zeros((degree + 3, degree + 3), np.longdouble)
        step[0, :3] = 1, -p * gamma, -(p * kappa + q)
        step[1, 1:3] = gamma, kappa
        for k in range(degree + 1):
            step[2 + k, 2 + k] = 1
            if k < degree:
                step[2 + k, 3 + k] = 1
        self.powers = [step]
        self.log_gamma = np.log(gamma) if gamma > 0 else np.longdouble(-np.inf)
        self.fading = float(-self.log_gamma) if gamma > 0 else 0.0

    def after(self, s: int) -> tuple[Matrix, Matrix]:
        """The rows of θ_s and of u_s over (θ_0, u_0, b_0, …, b_q), in extended precision."""
        rows = np.zeros((2, self.degree + 3), np.longdouble)
        rows[0, 0] = rows[1, 1] = 1
        k = 0
        while s >> k:
            if k == len(self.powers):
                power = self.powers[-1] @ self.powers[-1]
                # Squaring γ again and again would double its relative error each time.
                power[1, 1] = np.exp(self.log_gamma * 2.0**k)
                self.powers.append(power)
            if (s >> k) & 1:
                rows = rows @ self.powers[k]
            k += 1
        return rows[0], rows[1]


def _binomials(s: int, degree: int) -> list[Fraction]:
    found = [Fraction(1)]
    for k in range(degree):
        found.append(found[-1] * (s - k) / (k + 1))
    return found


def _inverse(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    """Gauss–Jordan, exactly."""
    size = len(rows)
    work = [row + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(rows)]
    for i in range(size):
        pivot = next(r for r in range(i, size) if work[r][i])
        work[i], work[pivot] = work[pivot], work[i]
        work[i] = [x / work[i][i] for x in work[i]]
        for r in range(size):
            if r != i and work[r][i]:
                factor = work[r][i]
                work[r] = [x - factor * y for x, y in zip(work[r], work[i], strict=True)]
    return [row[size:] for row in work]


def _extended(x: Fraction) -> np.longdouble:
    high = float(x)
    return np.longdouble(high) + np.longdouble(float(x - Fraction(high)))


class _Interpolation:
    """Polynomials through q + 1 steps of [0, M], the Chebyshev–Lobatto points rounded to integers."""

    def __init__(self, length: int, degree: int) -> None:
        if degree < 1 or length < 4 * degree or int(float(length)) != length:
            raise InputError(
                "length",
                length,
                f"a window of degree {degree} ≥ 1 needs {4 * degree} steps or more, in 53 bits or less: its nodes are"
                " rounded from floating-point numbers",
            )
        nodes = [round(length * (1 - np.cos(np.pi * i / degree)) / 2) for i in range(degree + 1)]
        middles = [(a + b) // 2 for a, b in pairwise(nodes)]
        self.nodes, self.checks = nodes, [s for s in middles if s not in nodes]
        # From the values at the nodes to the binomial coefficients b, in extended precision.
        exact = _inverse([_binomials(s, degree) for s in nodes])
        self.to_binomials = np.array([[_extended(x) for x in row] for row in exact], np.longdouble)
        rows = [[_extended(x) for x in _binomials(s, degree)] for s in self.checks]
        self.at_checks = (np.array(rows, np.longdouble) @ self.to_binomials).astype(float)


_interpolation = lru_cache(maxsize=4096)(_Interpolation)


@dataclass(frozen=True)
class Window:
    """M steps whose gradient is interpolated at q + 1 of them.

    Args:
        response: the optimizer's answer.
        length: M ≥ 4q; the nodes are the Chebyshev–Lobatto points of [0, M], rounded to integers.
    """

    response: Response
    length: int

    @cached_property
    def _through(self) -> _Interpolation:
        return _interpolation(self.length, self.response.degree)

    @property
    def nodes(self) -> list[int]:
        """s_0 = 0 < … < s_q = M."""
        return self._through.nodes

    @property
    def checks(self) -> list[int]:
        """One step between each two nodes that have one between them."""
        return self._through.checks

    @property
    def interpolation(self) -> Matrix:
        """(checks, q + 1): from the gradients at the nodes to the polynomial at the checks."""
        return self._through.at_checks

    def weights(self, steps: list[int]) -> tuple[Matrix, Matrix]:
        """What θ_s − θ_0 is made of: (len(steps),) for u_0 and (len(steps), q + 1) for the gradients at the nodes."""
        rows = np.array([self.response.after(s)[0] for s in steps], np.longdouble)
        rows = rows.reshape(-1, self.response.degree + 3)
        return rows[:, 1].astype(float), (rows[:, 2:] @ self._through.to_binomials).astype(float)

    @cached_property
    def at_nodes(self) -> tuple[Matrix, Matrix]:
        """`weights` of the nodes."""
        return self.weights(self.nodes)

    @cached_property
    def at_checks(self) -> tuple[Matrix, Matrix, Matrix]:
        """`weights` and `interpolation` of the checks."""
        return (*self.weights(self.checks), self.interpolation)

    @cached_property
    def buffer(self) -> tuple[float, Matrix]:
        """What u_M is made of: for u_0, and (q + 1,) for the gradients at the nodes."""
        row = self.response.after(self.length)[1]
        return float(row[1]), (row[2:] @ self._through.to_binomials).astype(float)

    @cached_property
    def gain(self) -> float:
        """How far θ_M moves for a gradient of one all along."""
        return float(-self.response.after(self.length)[0][2])
