r"""ReLU networks with one or two hidden layers, dense or convolutional, and their gradients by hand.

One form holds all four. The first layer sees rows X₀ (N P, q): a sample is one row (MLP, P = 1), or P of them (CNN, no
overlap). A second layer joins k neighbouring positions (k = 1 in an MLP, 2 in a CNN), so P' = P − k + 1 are left:

    A = relu(X₀W + b),    [C = k neighbours of A side by side, A = relu(CU + e),]    f = F v + c,

F (N, P' h) the last A of each sample. Logistic loss L = (1/N) Σ log(1 + e^{−yf}), g = −y/(N(1 + e^{yf})) (derived):

    ∇v = Fᵀg, ∇c = Σg;    D = (g vᵀ as rows) ∘ 1[A > 0], and for the last hidden layer ∇ = inputᵀ D, bias Σ D;
    with two layers DUᵀ, split into k parts, is added back to the positions that they came from, and masked by 1[A > 0].

relu' is 1 on z > 0 and 0 at 0.

**Balance** (derived; exact for any activation pattern). For every hidden unit r of a layer ⟨w_r, ∇w_r⟩ + b_r ∇b_r = Σ
outgoing weight · its gradient, over all positions: both are Σ over rows of D_r · z_r, as relu(z) = 1[z > 0] z.

Arrays of any library of the standard. `output` and `gradient` take many networks of one architecture at once: leading
axes of the parameters, of X and of y are broadcast against each other, (draws, 1, N, d) against (draws, rates, q, h).
"""

from __future__ import annotations

__all__ = ["NETWORKS", "Network", "balance", "gradient", "loss", "output", "pattern"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.model import log1p_exp, logistic_weight

Array = Any
Params = Mapping[str, Array]


@dataclass(frozen=True)
class Network:
    """An architecture.

    Attributes:
        name: as the talk has it, "2-CNN".
        layers: hidden layers, 1 or 2.
        positions: P; neighbours: k.
        inputs: q, numbers a position.
        width: h, hidden units a layer.
    """

    name: str
    layers: int
    positions: int
    neighbours: int
    inputs: int
    width: int

    @property
    def out(self) -> int:
        """P' h, what the readout sees."""
        joined = self.neighbours - 1 if self.layers == 2 else 0
        return (self.positions - joined) * self.width

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters."""
        h = self.width
        found: dict[str, tuple[int, ...]] = {"W": (self.inputs, h), "b": (h,)}
        if self.layers == 2:
            found |= {"U": (self.neighbours * h, h), "e": (h,)}
        return found | {"v": (self.out,), "c": (1,)}

    def initial(self, normal: Callable[[tuple[int, ...]], Array]) -> dict[str, Array]:
        """Hidden weights N(0, 2/fan-in), readout N(0, 1/fan-in), biases 0, from a source of standard normals."""
        found = {}
        for name, shape in self.shapes.items():
            draw = normal(shape)
            scale = {"W": (2 / shape[0]) ** 0.5, "U": (2 / shape[0]) ** 0.5, "v": (1 / shape[0]) ** 0.5}.get(name, 0.0)
            found[name] = scale * draw
        return found


def NETWORKS(width: int, d: int = 30, positions: int = 6) -> dict[str, Network]:
    """The talk's four architectures of one width on inputs of dimension d."""
    if d % positions:
        raise ValueError(f"{positions} positions do not divide {d} inputs")
    q = d // positions
    return {
        "1-MLP": Network("1-MLP", 1, 1, 1, d, width),
        "2-MLP": Network("2-MLP", 2, 1, 1, d, width),
        "1-CNN": Network("1-CNN", 1, positions, 1, q, width),
        "2-CNN": Network("2-CNN", 2, positions, 2, q, width),
    }


def _relu(z: Array) -> Array:
    xp = array_namespace(z)
    return xp.where(z > 0, z, xp.zeros_like(z))


def _hidden(network: Network, theta: Params, X: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """F (…, N, P' h), and of each layer its inputs and activations as rows."""
    xp = array_namespace(X)
    N = X.shape[-2]
    rows = xp.reshape(X, (*X.shape[:-2], N * network.positions, network.inputs))
    A = _relu(rows @ theta["W"] + theta["b"][..., None, :])
    layers = [(rows, A)]
    if network.layers == 2:
        joined = _joined(network, A, N)
        A = _relu(joined @ theta["U"] + theta["e"][..., None, :])
        layers.append((joined, A))
    return xp.reshape(A, (*A.shape[:-2], N, network.out)), layers


def _joined(network: Network, A: Array, N: int) -> Array:
    """(…, N P', k h) neighbouring positions side by side."""
    xp = array_namespace(A)
    P, k, h, batch = network.positions, network.neighbours, network.width, A.shape[:-2]
    at = xp.reshape(A, (*batch, N, P, h))
    parts = [at[..., j : P - k + 1 + j, :] for j in range(k)]
    return xp.reshape(xp.concat(parts, axis=-1), (*batch, N * (P - k + 1), k * h))


def _read(F: Array, theta: Params) -> Array:
    """F v + c, (…, N)."""
    return (F @ theta["v"][..., None])[..., 0] + theta["c"]


def output(network: Network, theta: Params, X: Array) -> Array:
    """f (…, N), for X (…, N, P q)."""
    return _read(_hidden(network, theta, X)[0], theta)


def pattern(network: Network, theta: Params, X: Array) -> Array:
    """Which hidden units of one network are active, on every row of every layer, in one vector of booleans."""
    xp = array_namespace(X)
    return xp.concat([xp.reshape(A > 0, (-1,)) for _, A in _hidden(network, theta, X)[1]])


def loss(network: Network, theta: Params, X: Array, y: Array) -> float:
    """The mean logistic loss of one network."""
    xp = array_namespace(X)
    return float(xp.mean(log1p_exp(-y * output(network, theta, X))))


def gradient(network: Network, theta: Params, X: Array, y: Array, *, masked: bool = True) -> dict[str, Array]:
    """∇L, in the structure of the parameters, with the leading axes of all arguments.

    Args:
        masked: whether D is masked by the activations; without, it is the planted error.
    """
    xp = array_namespace(X)
    N, (F, layers) = X.shape[-2], _hidden(network, theta, X)
    g = -y * logistic_weight(y * _read(F, theta)) / N
    found = {"v": (xp.matrix_transpose(F) @ g[..., None])[..., 0], "c": xp.sum(g, axis=-1, keepdims=True)}
    pull = xp.reshape(g[..., None] * theta["v"][..., None, :], (*g.shape[:-1], -1, network.width))
    for (weight, bias), (rows, A) in zip([("W", "b"), ("U", "e")][: network.layers][::-1], layers[::-1], strict=True):
        D = xp.where(A > 0, pull, xp.zeros_like(pull)) if masked else pull
        found |= {weight: xp.matrix_transpose(rows) @ D, bias: xp.sum(D, axis=-2)}
        if weight == "U":
            pull = _returned(network, D @ xp.matrix_transpose(theta["U"]), N)
    return found


def _returned(network: Network, pull: Array, N: int) -> Array:
    """What reaches each position of the first layer from (…, N P', k h): the parts added where they came from."""
    xp = array_namespace(pull)
    P, k, h, batch = network.positions, network.neighbours, network.width, pull.shape[:-2]
    parts = xp.reshape(pull, (*batch, N, P - k + 1, k, h))
    total = xp.zeros((*batch, N, P, h), dtype=pull.dtype)
    for j in range(k):
        before, after = (xp.zeros((*batch, N, many, h), dtype=pull.dtype) for many in (j, k - 1 - j))
        total = total + xp.concat([before, parts[..., j, :], after], axis=-2)
    return xp.reshape(total, (*batch, N * P, h))


def balance(network: Network, theta: Params, grad: Params) -> Array:
    """Of every hidden unit of one network (layers · h,), ⟨w, ∇w⟩ + b∇b less Σ outgoing weight · its gradient."""
    xp = array_namespace(theta["W"])
    h = network.width

    def incoming(weight: str, bias: str) -> Array:
        return xp.sum(theta[weight] * grad[weight], axis=0) + theta[bias] * grad[bias]

    def outgoing(product: Array) -> Array:
        return xp.sum(xp.reshape(product, (-1, h)), axis=0)

    read = outgoing(theta["v"] * grad["v"])
    if network.layers == 1:
        return incoming("W", "b") - read
    joined = outgoing(xp.sum(theta["U"] * grad["U"], axis=1))
    return xp.concat([incoming("W", "b") - joined, incoming("U", "e") - read])
