r"""What the compiled networks compute for one image: where everything lies in one array, and the products in order.

Every product is a grid of results (rows, columns, channels), as `tiles` says it:

    result[r, s] = first[r, s] + more[r, s] + Σ_{i < outer} Σ_{j < inner} a[i, j, r, s] · w[i, j],  masked,

with vectors of channels for result, w, first and more. Pixels have a border of zeros, so a row is (W + 2)C numbers:

    convolution      a: the image, i its rows, j the 3C numbers of three neighbours; w: K; first: b; relu
    its way back     a: d, as above; w: K̃; masked by the activations below, which were its input
    ∇K               results (3, 3C, C'): a: the image, i, j its pixels, r, s neighbour and channel; w: d
    ∇b               the sums of d down each column of pixels; when the batch is done they are added up
    mean of 2 × 2    a: ¼ for each of four pixels; w: activations; and back, one pixel of w to four results

The dense layer's are ordinary products of one row.
"""

from __future__ import annotations

__all__ = ["Layer", "Plan"]

import math
from typing import NamedTuple

import numpy as np

from lemmascope.sims.images.tiles import ALONE, DOUBLE, LENGTH, NUMBERS, SHAPES, SINGLE, VECTOR
from lemmascope.theory.images.networks import Architecture, Convolution

LINE = 16
"""Numbers to whose multiples buffers begin: a line of cache in single precision."""


class Spot(NamedTuple):
    """An offset, and strides by row and column of the results."""

    at: int
    row: int = 0
    column: int = 0


class Pixels(NamedTuple):
    """Pixels (H, W, C) with a border of zeros, from an offset on."""

    at: int
    width: int
    channels: int

    @property
    def row(self) -> int:
        """Numbers in a row."""
        return (self.width + 2) * self.channels

    @property
    def inside(self) -> Spot:
        """Its first pixel that is not of the border."""
        return Spot(self.at + self.row + self.channels, self.row, self.channels)


class Layer(NamedTuple):
    """A convolution, with C and C' filled up, and where its arrays are.

    Attributes:
        source, active, delta: its input, its activations, and d.
        pooled, wanted: means of 2 × 2, and what comes back to them.
        kernel, bias, back, line: offsets of K, b, K̃ and of the sums of d by pixel of a row.
    """

    shape: Convolution
    source: Pixels
    active: Pixels
    delta: Pixels
    pooled: Spot
    wanted: Spot
    kernel: int
    bias: int
    back: int
    line: int


class Plan:
    """Offsets and products for an architecture without normalization.

    Attributes:
        lanes: numbers in a vector; size: numbers in the array.
        padded: the shape of each parameter with channels filled up; at: its offset.
        parameters: how many numbers these are; they come first, and their gradients follow in the same order.
        layers: the convolutions.
        features, classes: rows and columns of V, filled up; turned: the offset of its transpose.
        output, delta: offsets of o and of ∂L/∂o.
        ones: offset and number of ones; quarter: offset of a ¼.
        jobs: the products, a row of `tiles` each; forward: how many of them lead to o.
    """

    def __init__(self, net: Architecture, itemsize: int) -> None:
        self.lanes, self.size, self._jobs = VECTOR // itemsize, 0, list[list[int]]()
        wide, into = [self._filled(one.out) for one in net.convolutions], net.shape[2]
        pixels = net.features // net.widths[-1]
        self.features, self.classes = pixels * wide[-1], self._filled(net.classes)
        self.padded: dict[str, tuple[int, ...]] = {}
        shapes = []
        for k, (one, out) in enumerate(zip(net.convolutions, wide, strict=True), 1):
            self.padded |= {f"K{k}": (9, into, out), f"b{k}": (out,)}
            shapes.append(one._replace(into=into, out=out))
            into = out
        self.padded |= {"V": (pixels, wide[-1], self.classes), "c": (self.classes,)}
        self.at = {name: self._room(math.prod(shape)) for name, shape in self.padded.items()}
        self.parameters = self._room(self.size)
        most = max(self.features, self.classes, *(one.width * one.out for one in shapes))
        self._zero, self.ones, self.quarter = Spot(self._room(most)), (self._room(most), most), self._room(1)
        self._flat, self._flat_delta = self._room(self.features), self._room(self.features)
        self.output, self.delta = self._room(self.classes), self._room(self.classes)
        self.turned = self._room(self.features * self.classes)
        self.layers = self._laid_out(shapes)
        for layer in self.layers:
            self._onward(layer)
        flat, dense, bias = (self._flat, 0, 1, 0, 0), (self.at["V"], 0, self.classes), Spot(self.at["c"])
        self._product(flat, dense, Spot(self.output), (1, self.features), (1, 1, self.classes), first=bias)
        self.forward = len(self._jobs)
        self._dense_back(net.classes)
        for k in range(len(self.layers) - 1, -1, -1):
            self._slopes(self.layers[k])
            if k:
                self._back(self.layers[k], self.layers[k - 1])
        self.jobs = np.array(self._jobs, np.int64)

    def _filled(self, channels: int) -> int:
        return -(-channels // self.lanes) * self.lanes

    def _room(self, numbers: int) -> int:
        """The offset of a new buffer."""
        at = self.size
        self.size += -(-numbers // LINE) * LINE
        return at

    def _laid_out(self, shapes: list[Convolution]) -> list[Layer]:
        found: list[Layer] = []

        def pixels(one: Convolution, channels: int) -> Pixels:
            return Pixels(self._room((one.height + 2) * (one.width + 2) * channels), one.width, channels)

        nowhere = Spot(0)
        for k, one in enumerate(shapes, 1):
            C, D, half = one.into, one.out, one.width // 2
            before = found[-1] if found else None
            source = before.active if before and not before.shape.pool else pixels(one, C)
            if before and before.shape.pool:
                wanted = Spot(self._room(one.height * one.width * C), one.width * C, C)
                found[-1] = before._replace(pooled=source.inside, wanted=wanted)
            pooled = Spot(self._flat, half * D, D) if k == len(shapes) else nowhere
            wanted = Spot(self._flat_delta, half * D, D) if k == len(shapes) else nowhere
            room = self._room(9 * C * D), self._room(one.width * D)
            at = self.at[f"K{k}"], self.at[f"b{k}"]
            found.append(Layer(one, source, pixels(one, D), pixels(one, D), pooled, wanted, *at, *room))
        return found

    def _product(
        self,
        a: tuple[int, int, int, int, int],
        w: tuple[int, ...],
        out: Spot,
        over: tuple[int, int],
        grid: tuple[int, int, int],
        *,
        first: Spot | None = None,
        more: Spot | None = None,
        mask: Spot | None = None,
        relu: bool = False,
        shape: tuple[int, int] | None = None,
    ) -> None:
        """One more product.

        Args:
            a: offset and strides of i, j, r, s; w: offset and strides of i, j, and of tiles down and along, if any.
            over: outer and inner; grid: rows, columns and channels of the results.
            first, more, mask: None is zeros, and ones for the mask.
            shape: rows and columns of a tile; None takes what suits the grid.
        """
        c = 0
        while c < grid[2]:
            tile = self._tile(grid[:2], (grid[2] - c) // self.lanes, shape)
            R, S, V = tile
            across = (grid[2] - c) // (V * self.lanes)
            spots = [first or self._zero, more or self._zero, mask or Spot(self.ones[0]), out]
            row = [SHAPES.index(tile), grid[0] // R, grid[1] // S, across, V * self.lanes, *over, int(relu)]
            row += [*a[1:3], *w[1:3], a[0], R * a[3], S * a[4], w[0] + c, *(w[3:] or (0, 0))]
            for spot in spots:
                row += [spot.at + c, R * spot.row, S * spot.column]
            for spot in spots:
                row += spot[1:]
            numbers = [r * a[3] + s * a[4] for r in range(R) for s in range(S)]
            self._jobs.append(row + numbers + (LENGTH - NUMBERS - len(numbers)) * [0])
            c += across * V * self.lanes

    @staticmethod
    def _tile(grid: tuple[int, int], vectors: int, shape: tuple[int, int] | None) -> tuple[int, int, int]:
        alone = grid == (1, 1) or shape == (1, 1)
        for tile in ALONE if alone else DOUBLE + SINGLE:
            fits = grid[0] % tile[0] == 0 and grid[1] % tile[1] == 0 and (shape or tile[:2]) == tile[:2]
            if fits and tile[2] <= vectors:
                return tile
        return ALONE[-1]

    def _onward(self, layer: Layer) -> None:
        """Activations, and their means."""
        one, source, active = layer.shape, layer.source, layer.active
        a, w = (source.at, source.row, 1, source.row, one.into), (layer.kernel, 3 * one.into * one.out, one.out)
        more, grid = source.inside if one.skip else None, (one.height, one.width, one.out)
        self._product(a, w, active.inside, (3, 3 * one.into), grid, first=Spot(layer.bias), more=more, relu=True)
        if one.pool:
            four = active.inside.at, active.row, one.out, 2 * active.row, 2 * one.out
            grid = one.height // 2, one.width // 2, one.out
            self._product((self.quarter, 0, 0, 0, 0), four, layer.pooled, (2, 2), grid, shape=(1, 1))

    def _dense_back(self, classes: int) -> None:
        """∇V, ∇c, and what goes back from the dense layer."""
        slope, bias = Spot(self.at["V"] + self.parameters, 0, self.classes), Spot(self.at["c"] + self.parameters)
        flat, grid = (self._flat, 0, 0, 0, 1), (1, self.features, self.classes)
        self._product(flat, (self.delta, 0, 0), slope, (1, 1), grid, first=slope)
        self._product((self.ones[0], 0, 0, 0, 0), (self.delta, 0, 0), bias, (1, 1), (1, 1, self.classes), first=bias)
        back, grid = (self.turned, 0, self.features), (1, 1, self.features)
        self._product((self.delta, 0, 1, 0, 0), back, Spot(self._flat_delta), (1, classes), grid)

    def _slopes(self, layer: Layer) -> None:
        """d where pixels were pooled, ∇K and the sums for ∇b."""
        one, source, delta = layer.shape, layer.source, layer.delta
        if one.pool:
            w, grid = (layer.wanted.at, 0, 0, layer.wanted.row, layer.wanted.column), (one.height, one.width, one.out)
            quarter, mask = (self.quarter, 0, 0, 0, 0), layer.active.inside
            self._product(quarter, w, delta.inside, (1, 1), grid, mask=mask, shape=(2, 2))
        slope = Spot(layer.kernel + self.parameters, 3 * one.into * one.out, one.out)
        a, grid = (source.at, source.row, one.into, source.row, 1), (3, 3 * one.into, one.out)
        self._product(a, delta.inside, slope, (one.height, one.width), grid, first=slope)
        line, down = Spot(layer.line), (delta.inside.at, 0, delta.row)
        grid = 1, 1, one.width * one.out
        self._product((self.ones[0], 0, 0, 0, 0), down, line, (1, one.height), grid, first=line)

    def _back(self, layer: Layer, below: Layer) -> None:
        """What a convolution sends to the one below: d there, or what comes back to its means."""
        one, delta = layer.shape, layer.delta
        a, w = (delta.at, delta.row, 1, delta.row, one.out), (layer.back, 3 * one.out * one.into, one.into)
        grid, over = (one.height, one.width, one.into), (3, 3 * one.out)
        if below.shape.pool:
            self._product(a, w, below.wanted, over, grid)
        else:
            more = delta.inside if one.skip else None
            self._product(a, w, below.delta.inside, over, grid, more=more, mask=below.active.inside)
