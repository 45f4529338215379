"""Epochs of a network without normalization as machine code: image after image, tile after tile of its products.

What a step needs of one image stays in the first two levels of cache, so the forward and the backward pass go through
one image before the next, and a batch's gradients add up. Everything lies in one array: images and activations with a
border of zeros, channels last, and every count of channels filled up with zeros to whole vectors. Such a channel stays
0: its z is 0, so nothing goes back through it, and nothing goes on. cols(a) is never made, as the neighbours of a
pixel in one row are 3C numbers side by side.

Both passes are then a list of products that is the same for every image (`plan`), which this runs. The sums are
those of `theory.images.networks` in another order, so the two agree to rounding.
"""

from __future__ import annotations

__all__ = ["BUILT_ON", "Machine"]

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.images.plan import Plan
from lemmascope.sims.images.tiles import ACROSS, ALONG, CODE, DOWN, SHAPES, SPOTS, STEP, tile
from lemmascope.theory.images.networks import Architecture

BUILT_ON = "8a0c60c1d6c8"  # of tiles.py; see there

_0, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10 = (tile[shape] for shape in SHAPES)


@njit(nogil=True, cache=True, error_model="numpy")
def _run(m, jobs, begin, end):
    """Products begin … end of a plan."""
    for number in range(begin, end):
        j = jobs[number]
        code, step = j[CODE], j[STEP]
        for across in range(j[ACROSS]):
            c = across * step
            for down in range(j[DOWN]):
                for along in range(j[ALONG]):
                    a = j[SPOTS] + down * j[SPOTS + 1] + along * j[SPOTS + 2]
                    w = j[SPOTS + 3] + down * j[SPOTS + 4] + along * j[SPOTS + 5] + c
                    first = j[SPOTS + 6] + down * j[SPOTS + 7] + along * j[SPOTS + 8] + c
                    more = j[SPOTS + 9] + down * j[SPOTS + 10] + along * j[SPOTS + 11] + c
                    mask = j[SPOTS + 12] + down * j[SPOTS + 13] + along * j[SPOTS + 14] + c
                    out = j[SPOTS + 15] + down * j[SPOTS + 16] + along * j[SPOTS + 17] + c
                    if code == 0:
                        _0(m, j, a, w, first, more, mask, out)
                    elif code == 1:
                        _1(m, j, a, w, first, more, mask, out)
                    elif code == 2:
                        _2(m, j, a, w, first, more, mask, out)
                    elif code == 3:
                        _3(m, j, a, w, first, more, mask, out)
                    elif code == 4:
                        _4(m, j, a, w, first, more, mask, out)
                    elif code == 5:
                        _5(m, j, a, w, first, more, mask, out)
                    elif code == 6:
                        _6(m, j, a, w, first, more, mask, out)
                    elif code == 7:
                        _7(m, j, a, w, first, more, mask, out)
                    elif code == 8:
                        _8(m, j, a, w, first, more, mask, out)
                    elif code == 9:
                        _9(m, j, a, w, first, more, mask, out)
                    else:
                        _10(m, j, a, w, first, more, mask, out)


@njit(nogil=True, cache=True, error_model="numpy")
def _image(m, at, image):
    """An image (H, W, C) within its border."""
    height, width, channels = image.shape
    for r in range(height):
        to = at + ((r + 1) * (width + 2) + 1) * channels
        for s in range(width):
            for c in range(channels):
                m[to + s * channels + c] = image[r, s, c]


@njit(nogil=True, cache=True, error_model="numpy")
def _cross_entropy(m, o, delta, classes, label, n):
    """The loss of one image with outputs at o, and its gradient by them, over n, at delta."""
    top = m[o]
    for k in range(1, classes):
        top = max(top, m[o + k])
    total = m[o] * 0
    for k in range(classes):
        m[delta + k] = np.exp(m[o + k] - top)
        total += m[delta + k]
    for k in range(classes):
        m[delta + k] = (m[delta + k] / total - (1 if k == label else 0)) / n
    return np.log(total) - (m[o + label] - top)


@njit(nogil=True, cache=True, error_model="numpy")
def _turned(m, kernels, dense, classes):
    """K̃ of every convolution but the first, and the transpose of the dense weights."""
    for k in range(1, kernels.shape[0]):
        at, back, C, D = kernels[k]
        for t in range(9):
            for c in range(C):
                one, to = at + (t * C + c) * D, back + (8 - t) * C * D + c
                for d in range(D):
                    m[to + d * C] = m[one + d]
    at, back, F, K = dense
    for f in range(F):
        for k in range(classes):
            m[back + k * F + f] = m[at + f * K + k]


@njit(nogil=True, cache=True, error_model="numpy")
def _step(theta, slope, average, eta, gamma, other):
    for i in range(theta.size):
        average[i] = gamma * average[i] + other * slope[i]
        theta[i] -= eta * average[i]
        slope[i] = 0


@njit(nogil=True, cache=True, error_model="numpy")
def _epoch(m, images, labels, order, batch, jobs, ends, places, kernels, lines, dense, average, rates):
    """One pass through the images in batches, each in the order of its part of ``order``; the sum of their losses."""
    image, o, delta, classes = places
    eta, gamma, other = rates
    P, total = average.size, 0.0
    for begin in range(0, order.size, batch):
        n = min(batch, order.size - begin)
        _turned(m, kernels, dense, classes)
        for i in order[begin : begin + n]:
            _image(m, image, images[i])
            _run(m, jobs, ends[0], ends[1])
            total += _cross_entropy(m, o, delta, classes, labels[i], n)
            _run(m, jobs, ends[1], ends[2])
        for k in range(lines.shape[0]):
            line, bias, width, D = lines[k]
            for s in range(width):
                for d in range(D):
                    m[bias + P + d] += m[line + s * D + d]
                    m[line + s * D + d] = 0
        _step(m[:P], m[P : 2 * P], average, eta, gamma, other)
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _outputs(m, images, jobs, ends, places, found):
    image, o, _, classes = places
    for i in range(found.shape[0]):
        _image(m, image, images[i])
        _run(m, jobs, ends[0], ends[1])
        for k in range(classes):
            found[i, k] = m[o + k]


class Machine:
    """A network and its parameters in one array, to be trained or asked for outputs.

    Args:
        net: without normalization; theta: its parameters; dtype: float32 or float64.

    Attributes:
        running: None: there are no statistics.
    """

    running = None

    def __init__(self, net: Architecture, theta: Mapping[str, np.ndarray], dtype: Any) -> None:
        self.net, self.dtype = net, np.dtype(dtype)
        self.plan = plan = Plan(net, self.dtype.itemsize)
        room = np.zeros(plan.size + 64, self.dtype)
        away = -room.ctypes.data % 64 // self.dtype.itemsize  # vectors then lie within lines of cache
        self.m = room[away : away + plan.size]
        at, count = plan.ones
        self.m[at : at + count], self.m[plan.quarter] = 1, 0.25
        self.average = np.zeros(plan.parameters, self.dtype)
        layers = plan.layers
        self._kernels = np.array([(x.kernel, x.back, x.shape.into, x.shape.out) for x in layers])
        self._lines = np.array([(x.line, x.bias, x.shape.width, x.shape.out) for x in layers])
        self._dense = plan.at["V"], plan.turned, plan.features, plan.classes
        self._ends = np.array([0, plan.forward, len(plan.jobs)])
        self._places = layers[0].source.at, plan.output, plan.delta, net.classes
        for name in net.shapes:
            view = self._view(name)
            view[...] = np.asarray(theta[name]).reshape(view.shape)

    def _view(self, name: str) -> np.ndarray:
        """A parameter within the array, without what is filled up."""
        padded, shape = self.plan.padded[name], self.net.shapes[name]
        at = self.plan.at[name]
        whole = self.m[at : at + math.prod(padded)].reshape(padded)
        if name[0] == "K":
            return whole[:, : shape[0] // 9, : shape[1]]
        return whole[:, : self.net.widths[-1], : shape[1]] if name == "V" else whole[: shape[0]]

    def theta(self) -> dict[str, np.ndarray]:
        """A copy of the parameters."""
        return {name: self._view(name).reshape(shape).copy() for name, shape in self.net.shapes.items()}

    def put(self, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels as `epoch` takes them: of the one kind of array that it is compiled for."""
        one, two = (np.require(values, kind, ["C", "W", "A"]) for values, kind in ((x, self.dtype), (labels, np.int64)))
        return one, two

    def epoch(self, x: np.ndarray, labels: np.ndarray, parts: list[np.ndarray], eta: float, gamma: float) -> float:
        """A step on each part of the images; all but the last are of one size. The sum of the losses, each at the
        parameters of its step."""
        number, order = self.dtype.type, np.concatenate(parts)
        rates = number(eta), number(gamma), number(1 - gamma)
        products = self.plan.jobs, self._ends, self._places
        tables = self._kernels, self._lines, self._dense, self.average, rates
        return float(_epoch(self.m, x, labels, order, len(parts[0]), *products, *tables))

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """o (n, K)."""
        found = np.empty((len(x), self.net.classes), self.dtype)
        _outputs(self.m, x, self.plan.jobs, self._ends, self._places, found)
        return found
