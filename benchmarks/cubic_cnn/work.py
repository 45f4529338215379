"""Works of the central network: sizes, seeds and cells of the (η, γ) plane; all record the same of every iteration."""

from __future__ import annotations

__all__ = ["LAYOUTS", "RECORDED", "STUDY", "CubicCNN", "Inputs"]

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lemmascope.benchmarks.protocol import Work
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError

STUDY = "bench"


RECORDED = ("loss", "nu_1", "nu_2", "c_max", "Xi_abs_max")
"""Recorded at every iteration: the loss over all samples, ν₁, ν₂, max_r c_r, max |Ξ| over noise patches and neurons."""

LAYOUTS = ("X·Wᵀ", "W·Xᵀ")
"""The skinny product of patches and weights, patch-major with Wᵀ (d, m) as the state, or neuron-major with W (m, d)."""


@dataclass(frozen=True, kw_only=True)
class CubicCNN(Work):
    """Full-batch runs; a result is shaped (S, A, iterations, 5).

    Attributes:
        parameters: sizes and law; without ℓ₂ penalty.
        seeds: S, each with its own data and weights.
        cells: A of (η, γ) of `theory.optimizers.MomentumAverage`; (η, 0) is GD. All cells of a seed share its data.
    """

    parameters: Parameters
    seeds: int
    cells: tuple[tuple[float, float], ...]
    recorded: tuple[str, ...] = RECORDED

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

    def to_dict(self) -> dict[str, Any]:
        """The law's parameters, the number of seeds, and the cells."""
        return {**self.parameters.to_dict(), "seeds": self.seeds, "cells": [list(cell) for cell in self.cells]}

    def small(self, divisor: int = 10) -> CubicCNN:
        """Fewer samples, dimensions, seeds and cells."""
        p = self.parameters
        return replace(
            self,
            parameters=replace(p, N=max(p.N // divisor, 10), d=max(p.d // divisor, 20)),
            seeds=min(self.seeds, 3),
            cells=self.cells[:: max(1, len(self.cells) // 4)],
            iterations=min(self.iterations, 40),
        )

    def draw(self, root_seed: int = 0) -> Inputs:
        """Data and initial weights."""
        return Inputs.draw(self, root_seed)


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
    def draw(cls, work: CubicCNN, root_seed: int = 0) -> Inputs:
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
