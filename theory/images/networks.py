r"""Convolutional networks on images, with and without a residual branch or batch normalization, and their gradients by
hand.

Images x (n, H, W, C), channels last. A convolution is 3 × 3 of stride 1 with zeros around, and a product: cols(x)
(n, H, W, 9C) has the nine neighbours of every pixel side by side, the shift first and the channel last, and

    z = cols(a) K + b,  K (9C, C');    a ← relu(z);    at the end of a block the mean of every 2 × 2 pixels.

A block has a width, and its convolutions that many channels: two where its images are 8 × 8 or larger, one where they
are smaller. ``vgg`` is this; ``res`` adds in each pair the first activations to z of the second, a₂ = relu(z₂ + a₁).
With normalization z = s · normalized(cols(a) K) + b, so that b is its shift (`normalization`), before the residual is
added. Last o = a V + c over all that is left, and the mean of −log softmax(o)_y.

**Gradients** (derived; sums over n, H and W). With d = ∂L/∂z,

    do = (softmax(o) − onehot(y))/n,    ∇V = aᵀdo,  ∇c = Σ do,  da = do Vᵀ;
    mean of 2 × 2: every pixel gets ¼ of what reaches its mean;    relu: d = da where z > 0, and 0 elsewhere;
    ∇K = cols(a)ᵀ d,  ∇b = Σ d,  da = cols(d) K̃,    K̃ (9C', C): both axes of the shift reversed, channels exchanged.

The last: a pixel p sees a at p + t through K_t, so a at q is seen from p = q − t: da(q) = Σ_t d(q − t) K_tᵀ. Through a
residual branch d goes on as it is too: da₁ = cols(d₂) K̃₂ + d₂.

Arrays of any library of the standard, one network a call.
"""

from __future__ import annotations

__all__ = ["Architecture", "Convolution", "columns", "gradient", "loss", "output", "pattern", "slopes"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.images import normalization

Array = Any
Params = Mapping[str, Array]

KINDS = ("vgg", "res")
PAIR_FROM = 8
"""Pixels on a side from which a block has two convolutions."""


class Convolution(NamedTuple):
    """One convolution: pixels, channels in and out, whether its input is added to z, whether 2 × 2 are pooled after."""

    height: int
    width: int
    into: int
    out: int
    skip: bool
    pool: bool


@dataclass(frozen=True)
class Architecture:
    """A network.

    Args:
        kind: "vgg", or "res" with a residual branch in each pair.
        shape: H, W, C of an image; H and W are divided by two in each block.
        classes: K.
        widths: channels of each block: (8, 16) on 8 × 8 is conv, conv, pool, conv, pool; (16, 32, 64) on 32 × 32 is
            three pairs, each with its pool.
        normalized: batch normalization of each convolution.

    Raises:
        InputError: a field is out of its range.
    """

    kind: str
    shape: tuple[int, int, int]
    classes: int
    widths: tuple[int, ...] = (8, 16)
    normalized: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("kind", self.kind, f"it must be one of {', '.join(KINDS)}")
        if len(self.shape) != 3:
            raise InputError("shape", self.shape, "it must be height, width and channels")
        for name, values in (("shape", self.shape), ("widths", self.widths)):
            for one in values:
                check_size(name, one)
        check_size("classes", self.classes, 2)
        if not self.widths:
            raise InputError("widths", self.widths, "there must be a block")
        share = 2 ** len(self.widths)
        if self.shape[0] % share or self.shape[1] % share:
            raise InputError(
                "shape", self.shape, f"{share} must divide height and width, for {len(self.widths)} blocks"
            )

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """All of them, from the images on."""
        found = []
        height, width, into = self.shape
        for out in self.widths:
            pair = min(height, width) >= PAIR_FROM
            found.append(Convolution(height, width, into, out, False, not pair))
            if pair:
                found.append(Convolution(height, width, out, out, self.kind == "res", True))
            height, width, into = height // 2, width // 2, out
        return tuple(found)

    @property
    def features(self) -> int:
        """What the dense layer sees."""
        share = 2 ** len(self.widths)
        return (self.shape[0] // share) * (self.shape[1] // share) * self.widths[-1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters: K1, b1, and s1 with normalization; K2 …; V, c."""
        found: dict[str, tuple[int, ...]] = {}
        for k, one in enumerate(self.convolutions, 1):
            found |= {f"K{k}": (9 * one.into, one.out), f"b{k}": (one.out,)}
            if self.normalized:
                found[f"s{k}"] = (one.out,)
        return found | {"V": (self.features, self.classes), "c": (self.classes,)}

    def initial(self, normal: Callable[[tuple[int, ...]], Array]) -> dict[str, Array]:
        """Kernels N(0, 2/(9C)), dense weights N(0, 1/fan-in), biases 0, scales 1, from a source of standard normals."""
        found = {}
        for name, shape in self.shapes.items():
            variance = {"K": 2 / shape[0], "V": 1 / shape[0]}.get(name[0], 0.0)
            found[name] = variance**0.5 * normal(shape) + (1.0 if name[0] == "s" else 0.0)
        return found


def columns(x: Array) -> Array:
    """cols(x) (n, H, W, 9C): neighbour (i, j) of a pixel at channels (3i + j)C and on, 0 outside of the image."""
    xp = array_namespace(x)
    height, width = x.shape[1:3]
    row = xp.zeros_like(x[:, :1, :, :])
    tall = xp.concat([row, x, row], axis=1)
    column = xp.zeros_like(tall[:, :, :1, :])
    padded = xp.concat([column, tall, column], axis=2)
    return xp.concat([padded[:, i : i + height, j : j + width, :] for i in range(3) for j in range(3)], axis=3)


def _reversed(kernel: Array, into: int, out: int, reversed: bool = True) -> Array:
    """K̃ (9C', C); without its reversal the planted error."""
    xp = array_namespace(kernel)
    shifts = xp.reshape(kernel, (3, 3, into, out))
    if reversed:
        shifts = xp.flip(shifts, axis=(0, 1))
    return xp.reshape(xp.permute_dims(shifts, (0, 1, 3, 2)), (9 * out, into))


def _pooled(a: Array) -> Array:
    """Means of 2 × 2 pixels."""
    return (a[:, ::2, ::2, :] + a[:, 1::2, ::2, :] + a[:, ::2, 1::2, :] + a[:, 1::2, 1::2, :]) / 4


def _spread(d: Array) -> Array:
    """A quarter of each to the four pixels that it is the mean of."""
    xp = array_namespace(d)
    n, height, width, channels = d.shape
    four = xp.broadcast_to(d[:, :, None, :, None, :] / 4, (n, height, 2, width, 2, channels))
    return xp.reshape(four, (n, 2 * height, 2 * width, channels))


def _positive(z: Array, values: Array) -> Array:
    """The values where z > 0, and 0 elsewhere."""
    xp = array_namespace(z)
    return xp.where(z > 0, values, xp.zeros_like(values))


class _Layer(NamedTuple):
    """What the backward pass needs of a convolution: cols(a), z, and of a normalization u and the variance."""

    columns: Array
    z: Array
    u: Array
    variance: Array


def _forward(
    net: Architecture, theta: Params, x: Array, statistics: Params | None = None
) -> tuple[Array, Array, list[_Layer], dict[str, Array]]:
    """Outputs, what the dense layer sees, the layers, and the batch's moments where there are normalizations."""
    xp = array_namespace(x)
    a, layers = x, []
    seen: dict[str, Array] = {}
    for k, one in enumerate(net.convolutions, 1):
        neighbours = columns(a)
        z, u, variance = neighbours @ theta[f"K{k}"], None, None
        if net.normalized:
            if statistics is None:
                mean, variance = normalization.moments(z)
                seen |= {f"mean{k}": mean, f"variance{k}": variance}
            else:
                mean, variance = statistics[f"mean{k}"], statistics[f"variance{k}"]
            u = normalization.normalized(z, mean, variance)
            z = theta[f"s{k}"] * u
        z = z + theta[f"b{k}"]
        if one.skip:
            z = z + a
        a = _positive(z, z)
        layers.append(_Layer(neighbours, z, u, variance))
        if one.pool:
            a = _pooled(a)
    flat = xp.reshape(a, (x.shape[0], net.features))
    return flat @ theta["V"] + theta["c"], flat, layers, seen


def output(net: Architecture, theta: Params, x: Array, statistics: Params | None = None) -> Array:
    """o (n, K), for x (n, H, W, C).

    Args:
        statistics: of the normalizations, mean1, variance1, … (C',) each; None takes those of x itself.
    """
    return _forward(net, theta, x, statistics)[0]


def pattern(net: Architecture, theta: Params, x: Array) -> Array:
    """Which z are positive, at every pixel of every convolution, in one vector of booleans."""
    xp = array_namespace(x)
    return xp.concat([xp.reshape(layer.z > 0, (-1,)) for layer in _forward(net, theta, x)[2]])


def _cross_entropy(o: Array, labels: Array) -> tuple[Array, Array]:
    """The mean of −log softmax(o)_y, and its gradient by o."""
    xp = array_namespace(o)
    n, classes = o.shape
    hot = xp.astype(labels[:, None] == xp.arange(classes, dtype=labels.dtype)[None, :], o.dtype)
    below = o - xp.max(o, axis=1, keepdims=True)
    powers = xp.exp(below)
    total = xp.sum(powers, axis=1, keepdims=True)
    losses = xp.log(total[:, 0]) - xp.sum(hot * below, axis=1)
    return xp.mean(losses), (powers / total - hot) / n


def loss(net: Architecture, theta: Params, x: Array, labels: Array) -> float:
    """The mean cross-entropy of x (n, H, W, C) with labels (n,) of 0 … K − 1."""
    return float(_cross_entropy(output(net, theta, x), labels)[0])


def slopes(
    net: Architecture, theta: Params, x: Array, labels: Array, *, reversed: bool = True
) -> tuple[Array, dict[str, Array], dict[str, Array]]:
    """Loss (), gradient in the structure of the parameters, and if normalized the batch's mean1, variance1, … (C',).

    Args:
        reversed: whether kernels are reversed on the way back; without, it is the planted error.
    """
    xp = array_namespace(x)
    o, flat, layers, seen = _forward(net, theta, x)
    value, do = _cross_entropy(o, labels)
    found = {"V": xp.matrix_transpose(flat) @ do, "c": xp.sum(do, axis=0)}
    da = do @ xp.matrix_transpose(theta["V"])
    last = net.convolutions[-1]
    da = xp.reshape(da, (x.shape[0], last.height // 2, last.width // 2, last.out))
    for k in range(len(layers), 0, -1):
        one, layer, name = net.convolutions[k - 1], layers[k - 1], f"K{k}"
        if one.pool:
            da = _spread(da)
        d = through = _positive(layer.z, da)
        if net.normalized:
            d, found[f"s{k}"], found[f"b{k}"] = normalization.back(d, layer.u, theta[f"s{k}"], layer.variance)
        else:
            found[f"b{k}"] = xp.sum(d, axis=(0, 1, 2))
        rows = xp.reshape(layer.columns, (-1, 9 * one.into))
        found[name] = xp.matrix_transpose(rows) @ xp.reshape(d, (-1, one.out))
        if k > 1:
            da = columns(d) @ _reversed(theta[name], one.into, one.out, reversed)
            if one.skip:
                da = da + through
    return value, {name: found[name] for name in net.shapes}, seen


def gradient(net: Architecture, theta: Params, x: Array, labels: Array, *, reversed: bool = True) -> dict[str, Array]:
    """∇L, in the structure of the parameters; ``reversed`` as in `slopes`."""
    return slopes(net, theta, x, labels, reversed=reversed)[1]
