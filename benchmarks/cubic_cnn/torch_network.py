"""The network in PyTorch: patches, outputs, the five quantities, the gradient by hand; all seeds and cells stacked.

Both layouts have the axes summed over in an output (patches of a sample, neurons) at places 2 and 4: z is
(S, N, Q, A, m) for X·Wᵀ and (S, A, m, N, Q) for W·Xᵀ. What belongs to a sample is (S, N, A) or (S, A, N).
"""

from __future__ import annotations

__all__ = ["Network"]

from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from lemmascope.benchmarks.cubic_cnn.work import LAYOUTS, Inputs

Tensor = Any


class Network:
    """One work, in one layout.

    Args:
        inputs: the work's data.
        layout: one of `LAYOUTS`.
        separated: noise patches apart from the signal, which enters through c alone; else all patches together.
    """

    def __init__(self, inputs: Inputs, layout: str, separated: bool) -> None:
        S, A, m, N, P, d = inputs.shape
        self.patch_major, self.separated = layout == LAYOUTS[0], separated
        self.S, self.A, self.m, self.N, self.Q, self.d = S, A, m, N, P - separated, d
        self.sample = 1 if self.patch_major else 2
        rows = torch.tensor(inputs.noise if separated else inputs.X).reshape(S, N * self.Q, d)
        # One seed: plain matrices, as a product of stacks of one matrix is slower.
        self.rows = rows[0] if S == 1 else rows
        w_star = torch.tensor(inputs.w_star)
        self.w_star = w_star[:, None, :] if self.patch_major else w_star[:, :, None]
        self.y = self._per_sample(inputs.y)
        self.large_share = self._per_sample(~inputs.small / N)
        self.small_share = self._per_sample(inputs.small / N)
        self.pull = -3.0 / N * self.y
        self.cubed = self._per_sample(inputs.strength**3)
        self.cubed_pull = self.pull * self.cubed
        W = np.tile(inputs.W_0[:, None], (1, A, 1, 1)).reshape(S, A * m, d)
        W = np.swapaxes(W, 1, 2) if self.patch_major else W
        self.W_0 = torch.tensor(np.ascontiguousarray(W[0] if S == 1 else W))
        self.eta, self.gap = self._per_column(inputs.eta), self._per_column(1 - inputs.gamma)

    def _per_sample(self, x: np.ndarray) -> Tensor:
        return torch.tensor(x, dtype=torch.float64).unsqueeze(2 if self.patch_major else 1)

    def _per_column(self, x: np.ndarray) -> Any:
        """A rate for each column of the state; a plain number where there is one cell."""
        if self.A == 1:
            return float(x[0])
        column = torch.tensor(np.repeat(x, self.m))
        return column if self.patch_major else column[:, None]

    def responses(self, V: Tensor) -> tuple[Tensor, Tensor]:
        """z, and c (S, A, m)."""
        if self.patch_major:
            z = (self.rows @ V).view(self.S, self.N, self.Q, self.A, self.m)
            c = self.w_star @ V
        else:
            z = (V @ self.rows.mT).view(self.S, self.A, self.m, self.N, self.Q)
            c = V @ self.w_star
        return z, c.view(self.S, self.A, self.m)

    def margins(self, z: Tensor, square: Tensor, c: Tensor, c_square: Tensor) -> Tensor:
        """y f."""
        f = (square * z).sum((2, 4))
        if self.separated:
            f = f + self.cubed * (c_square * c).sum(-1).unsqueeze(self.sample)
        return self.y * f

    def losses(self, margins: Tensor) -> Tensor:
        """(S, A)."""
        # Not softplus, which is cut off at 20, where it is wrong by 2e-9.
        return -logsigmoid(margins).mean(self.sample)

    def quantities(self, losses: Tensor, ell: Tensor, c: Tensor, z: Tensor) -> Tensor:
        """(5, S, A)."""
        noise = z if self.separated else (z[:, :, 1:] if self.patch_major else z[..., 1:])
        return torch.stack(
            [
                losses,
                (self.large_share * ell).sum(self.sample),
                (self.small_share * ell).sum(self.sample),
                c.amax(-1),
                noise.abs().amax((1, 2, 4) if self.patch_major else (2, 3, 4)),
            ]
        )

    def gradient(self, square: Tensor, ell: Tensor, c_square: Tensor) -> Tensor:
        """∇L by hand, shaped like the state."""
        weight = self.pull * ell
        shape = (
            (self.S, self.N * self.Q, self.A * self.m)
            if self.patch_major
            else (self.S, self.A * self.m, self.N * self.Q)
        )
        pull = (weight[:, :, None, :, None] * square).view(shape if self.S > 1 else shape[1:])
        gradient = self.rows.mT @ pull if self.patch_major else pull @ self.rows
        if self.separated:
            slope = c_square * (self.cubed_pull * ell).sum(self.sample).unsqueeze(-1)
            slope = slope.view(self.S, self.A * self.m)
            if self.patch_major:
                along = self.w_star.mT * slope[:, None, :]
            else:
                along = slope[:, :, None] * self.w_star.mT
            gradient = gradient + (along if self.S > 1 else along[0])
        return gradient

    def iterate(self, V: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The five quantities at V, and the next weights and average; gradient by hand, nothing changed in place."""
        z, c = self.responses(V)
        square, c_square = z * z, c * c
        margins = self.margins(z, square, c, c_square)
        ell = torch.sigmoid(-margins)
        seen = self.quantities(self.losses(margins), ell, c, z)
        g = g + self.gap * (self.gradient(square, ell, c_square) - g)
        return seen, V - self.eta * g, g
