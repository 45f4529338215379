"""The gap exactly: moments by epochs, spectral radii, and edges by bisection. Nothing is sampled.

Steps are taken many at a time by doubling (`theory.moments`). Above an edge moments leave the range of doubles
within some thousand steps, so the second ones are carried with their logarithm; the mean gap, which stays small, is a
recursion of its own.
"""

from __future__ import annotations

__all__ = ["bisect", "epoch_radius", "growth", "path", "second_radius"]

from collections.abc import Callable
from typing import Any

import numpy as np

from lemmascope.theory.errors import check_size
from lemmascope.theory.moments import Linear
from lemmascope.theory.stability.gap import START, Mix, lifted, second

Array = Any

MANY = 64
"""Steps taken as one: of a growth far above any here no product leaves the range of doubles."""

DOUBLINGS = 40
"""Squarings of `growth`: ‖A^m‖^{1/m} at m = 2⁴⁰ is the radius to some 10⁻¹⁰."""


def _power(step: np.ndarray, steps: int) -> np.ndarray:
    return Linear(step, np.zeros_like(step)).repeated(steps).A


def path(
    mix: Mix, eta: float, gamma: float, epochs: int, until: int | None = None, delta: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """log √E D² and E D after 1, 2, … epochs of n steps, (epochs,) each; indices drawn with replacement.

    Args:
        mix: the samples; eta, gamma: step size and momentum, velocity form.
        epochs: how many.
        until: steps after which the momentum is dropped (SGDEM); None: never.
        delta: by how much sample 0's target is moved.
    """
    check_size("epochs", epochs)
    steps = mix.n * epochs
    dropped = steps if until is None else min(check_size("until", until, 0), steps)
    rates, gammas = np.array([eta, eta]), np.array([gamma, 0.0])
    whole = lifted(np, rates, gammas, mix, delta)
    found, means = np.empty(epochs), np.empty(epochs)
    z, scale, mean = np.array(START), 0.0, np.array(START[3:])
    powers: dict[tuple[int, int], np.ndarray] = {}
    t = 0
    for k in range(epochs):
        while t < (k + 1) * mix.n:
            which = int(t >= dropped)
            end = (k + 1) * mix.n if which else min((k + 1) * mix.n, dropped)
            many = min(MANY, end - t)
            if (which, many) not in powers:
                powers[which, many] = _power(whole[which], many)
            A = powers[which, many]
            z, mean = A @ z, A[3:, 3:] @ mean
            size = np.abs(z).max()
            z, scale, t = z / size, scale + np.log(size), t + many
        with np.errstate(divide="ignore"):
            found[k] = (np.log(max(z[0], 0.0)) + scale) / 2
        means[k] = mean[0]
    return found, means


def second_radius(eta: Array, gamma: Array, mean: Array, square: Array) -> np.ndarray:
    """(…) spectral radius of a step of the second moments, by eigenvalues."""
    eta, gamma, mean, square = np.broadcast_arrays(*(np.asarray(x, float) for x in (eta, gamma, mean, square)))
    return np.abs(np.linalg.eigvals(second(np, eta, gamma, mean, square))).max(-1)


def epoch_radius(eta: Array, gamma: Array, n: int) -> np.ndarray:
    """(…) spectral radius of an epoch in cyclic order, one sample with h = 1 and n − 1 flat ones, by eigenvalues."""
    eta, gamma = np.broadcast_arrays(*(np.asarray(x, float) for x in (eta, gamma)))

    def step(h: float) -> np.ndarray:
        rows = [[1 - eta * h, gamma], [-eta * h, gamma]]
        return np.moveaxis(np.array([[np.broadcast_to(x, eta.shape) for x in row] for row in rows]), (0, 1), (-2, -1))

    flat = np.linalg.matrix_power(step(0.0), n - 1) if n > 1 else np.broadcast_to(np.eye(2), (*eta.shape, 2, 2))
    return np.abs(np.linalg.eigvals(step(1.0) @ flat)).max(-1)


def bisect(stable: Callable[[np.ndarray], np.ndarray], low: Array, high: Array, halvings: int = 60) -> np.ndarray:
    """Where ``stable``, true at ``low`` and false at ``high``, changes; all cells at once."""
    low, high = np.array(low, float), np.array(high, float)
    for _ in range(halvings):
        middle = (low + high) / 2
        inside = stable(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return (low + high) / 2


def growth(xp: Any, A: Array) -> Array:
    """(…) log of the spectral radius of (…, k, k), by squaring, on arrays of any library.

    Where A is 0 it is −∞.
    """
    total, weight = xp.zeros(A.shape[:-2], dtype=A.dtype), 1.0
    for _ in range(DOUBLINGS):
        size = xp.max(xp.abs(A), axis=(-2, -1))
        safe = xp.where(size > 0, size, xp.ones_like(size))
        total = total + weight * xp.log(size)
        A = A / safe[..., None, None]
        A, weight = A @ A, weight / 2
    return total
