"""The works that are timed: sizes, seeds, cells of the (η, γ) plane, and the ratio to be reached."""

from __future__ import annotations

__all__ = ["MEANT", "WORKS", "Inputs", "Work", "small"]

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError

STUDY = "bench"
MOMENTUM = (0.1, 0.9)
"""(η, γ) of the rows with one cell: momentum, so that every implementation carries its buffer."""


@dataclass(frozen=True)
class Work:
    """One row of the table.

    Args:
        name: its letter.
        parameters: sizes and law; without ℓ₂ penalty.
        seeds: S, each with its own data and weights.
        cells: (η, γ) of `theory.optimizers.MomentumAverage`; (η, 0) is GD. All cells of a seed share its data.
        at_least: the ratio to the best peer that is aimed at.
        iterations: over which the trajectories of all implementations are compared before anything is timed.
        rate_at_least: fraction of the product rate that is aimed at, or None.
        on_device: whether it is for a GPU; then only what runs there is compared.
    """

    name: str
    parameters: Parameters
    seeds: int
    cells: tuple[tuple[float, float], ...]
    at_least: float
    iterations: int
    rate_at_least: float | None = None
    on_device: bool = False

    def __post_init__(self) -> None:
        if self.parameters.lam != 0:
            raise InputError("lam", self.parameters.lam, "the works that are timed have no penalty")

    @property
    def described(self) -> str:
        """Sizes, seeds and cells in words."""
        p = self.parameters
        seeds = "one seed" if self.seeds == 1 else f"{self.seeds} seeds"
        cells = "" if len(self.cells) == 1 else f", {len(self.cells)} cells"
        return f"m = {p.m}, N = {p.N}, P = {p.P}, d = {p.d}; {seeds}{cells}"


def _sizes(m: int, N: int, P: int, d: int) -> Parameters:
    return replace(HEADLINE, m=m, N=N, P=P, d=d)


def _plane() -> tuple[tuple[float, float], ...]:
    """12 × 12 cells, even in log η over [0.02, 1] and in log(1 − γ) over [10⁻⁴, 1]."""
    rates, gaps = np.geomspace(0.02, 1.0, 12), np.geomspace(1e-4, 1.0, 12)
    return tuple((float(eta), float(1 - gap)) for eta in rates for gap in gaps)


_A = _sizes(10, 100, 3, 500)

WORKS: dict[str, Work] = {
    work.name: work
    for work in (
        Work("A", _A, 1, (MOMENTUM,), 7, 304),
        Work("B", _sizes(10, 500, 5, 1000), 1, (MOMENTUM,), 1.5, 104),
        Work("C", _sizes(20, 1000, 5, 4000), 1, (MOMENTUM,), 2, 40),
        Work("D", _A, 64, (MOMENTUM,), 8, 104),
        Work("E", _sizes(10, 200, 2, 20_000), 1, (MOMENTUM,), 150, 104),
        Work("H", HEADLINE, 5, ((0.1, 0.0), (0.1, 0.999)), 3, 304),
        Work("P", HEADLINE, 1, _plane(), 3, 500, rate_at_least=0.5),
        Work("G", _A, 1024, (MOMENTUM,), 10, 104, on_device=True),
        Work("GP", HEADLINE, 1024, _plane(), 10, 40, on_device=True),
    )
}
"""The rows by letter."""

MEANT = {
    "A": "one small run",
    "B": "a middling run",
    "C": "a large run",
    "D": "many seeds of A",
    "E": "few samples in a high dimension",
    "H": "the central experiment",
    "P": "the (η, γ) plane",
    "G": "1024 seeds of A, on a GPU",
    "GP": "1024 seeds of the (η, γ) plane, on a GPU",
}
"""What each row stands for."""


def small(work: Work, divisor: int = 10) -> Work:
    """The same kind of work at a fraction of its size, for a look in seconds; its ratios mean nothing."""
    p = work.parameters
    sizes = replace(p, N=max(p.N // divisor, 10), d=max(p.d // divisor, 20))
    return replace(
        work,
        parameters=sizes,
        seeds=min(work.seeds, 3),
        cells=work.cells[:: max(1, len(work.cells) // 4)],
        iterations=min(work.iterations, 40),
    )


@dataclass(frozen=True)
class Inputs:
    """What every implementation starts from; NumPy, float64.

    Attributes:
        X: (S, N, P, d) patches, the signal patch first.
        noise: (S, N, P − 1, d) the other patches.
        strength: (S, N) the coefficient c_i of the signal patch, with its sign.
        y: (S, N) labels.
        small: (S, N) True on small-margin samples.
        w_star: (S, d) features.
        W_0: (S, m, d) initial weights.
        eta, gamma: (A,) the cells.
    """

    X: np.ndarray
    noise: np.ndarray
    strength: np.ndarray
    y: np.ndarray
    small: np.ndarray
    w_star: np.ndarray
    W_0: np.ndarray
    eta: np.ndarray
    gamma: np.ndarray

    @classmethod
    def draw(cls, work: Work, root_seed: int = 0) -> Inputs:
        """Data and weights of a work, from the streams of their names."""
        problem = LawProblem(work.parameters)
        samples: list[Any] = []
        weights: list[Any] = []
        for index in range(work.seeds):
            drawn = problem.draw(streams(root_seed, STUDY, index))
            samples.append(drawn.sample)
            weights.append(drawn.W_0)
        X = np.stack([sample.signal_first() for sample in samples])
        y = np.stack([sample.y for sample in samples])
        return cls(
            X=X,
            noise=np.ascontiguousarray(X[:, :, 1:, :]),
            y=y,
            strength=y * np.stack([sample.strength for sample in samples]),
            small=np.stack([sample.small for sample in samples]),
            w_star=np.stack([sample.w_star for sample in samples]),
            W_0=np.stack(weights),
            eta=np.array([eta for eta, _ in work.cells]),
            gamma=np.array([gamma for _, gamma in work.cells]),
        )

    @property
    def shape(self) -> tuple[int, int, int, int, int, int]:
        """(S, A, m, N, P, d)."""
        S, N, P, d = self.X.shape
        return S, self.eta.shape[0], self.W_0.shape[1], N, P, d
