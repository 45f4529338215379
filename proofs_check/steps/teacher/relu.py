r"""The four ReLU networks on a fixed activation pattern: their gradients, the balance of every hidden unit,
homogeneity.

On a fixed pattern relu(z) = m z with masks m = (1 + y)/2, y = ±1, and f is a polynomial. The gradient of the
loss is
Σ_i g_i ∂f_i/∂θ, g_i = ∂L/∂f_i any number. The hand-derived form is D = (g vᵀ as rows) ∘ m, ∇W = rowsᵀ D, and with a
second layer D₂Uᵀ added back to the positions that it came from, ∘ m again. Each is compared entry by entry, for all
values
of weights, inputs, masks and g, at sizes that have two of everything: samples, inputs, units, positions (three where
two are joined).

**Balance.** Σ over rows of D_r z_r is ⟨w_r, ∇w_r⟩ + b_r ∇b_r on one side, and as m² = m the outgoing weights times
their
gradients on the other.

**Homogeneity.** relu(tz) = t relu(z) for t > 0, so the pattern stays, and t and 1/t cancel.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_balance", "prove_gradients", "prove_homogeneous"]

from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal, equal
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

N = q = h = 2


def _symbols(name: str, *shape: int) -> sp.MutableDenseMatrix:
    rows, columns = shape
    return sp.Matrix(rows, columns, lambda i, j: sp.Symbol(f"{name}{i}{j}", real=True))


@dataclass(frozen=True)
class Net:
    """Symbols of one architecture.

    Attributes:
        layers, P, k: hidden layers, positions, neighbours that the second layer joins.
    """

    layers: int
    P: int
    k: int

    @property
    def left(self) -> int:
        """Positions that the readout sees."""
        return self.P - self.k + 1 if self.layers == 2 else self.P

    def weights(self) -> dict[str, Any]:
        """Every parameter."""
        found = {"W": _symbols("w", q, h), "b": _symbols("b", 1, h), "v": _symbols("v", self.left * h, 1)}
        if self.layers == 2:
            found |= {"U": _symbols("u", self.k * h, h), "e": _symbols("e", 1, h)}
        return found

    def masks(self) -> list[Any]:
        """Of each layer, a row a position of a sample; m = (1 + y)/2 with a sign y, as a witness takes it."""
        rows = [N * self.P, N * self.left]
        return [(_symbols(f"y{layer}x", rows[layer], h) + sp.ones(rows[layer], h)) / 2 for layer in range(self.layers)]


NETS = {"1-MLP": Net(1, 1, 1), "2-MLP": Net(2, 1, 1), "1-CNN": Net(1, 2, 1), "2-CNN": Net(2, 3, 2)}


def _layer(rows: Any, weight: Any, bias: Any, mask: Any) -> Any:
    z = rows * weight + sp.ones(rows.rows, 1) * bias
    return z.multiply_elementwise(mask)


def _joined(net: Net, A: Any) -> Any:
    """Neighbouring positions side by side."""
    rows = []
    for i, p in product(range(N), range(net.left)):
        rows.append(sp.Matrix.hstack(*(A[i * net.P + p + j, :] for j in range(net.k))))
    return sp.Matrix.vstack(*rows)


def _forward(net: Net, theta: dict[str, Any], X: Any, masks: list[Any]) -> tuple[Any, list[Any]]:
    """Outputs (N, 1) without the readout's bias, and the rows that each layer sees, and its activations."""
    layers = [(X, _layer(X, theta["W"], theta["b"], masks[0]))]
    if net.layers == 2:
        C = _joined(net, layers[0][1])
        layers.append((C, _layer(C, theta["U"], theta["e"], masks[1])))
    A = layers[-1][1]
    F = sp.Matrix.vstack(*(A[i * net.left : (i + 1) * net.left, :].reshape(1, net.left * h) for i in range(N)))
    return F * theta["v"], [*layers, F]


def _backward(net: Net, theta: dict[str, Any], X: Any, masks: list[Any], g: Any, transposed: bool, back: int) -> Any:
    """The hand-derived gradients."""
    _, (*layers, F) = _forward(net, theta, X, masks)
    found = {"v": F.T * g}
    pull = sp.Matrix.vstack(*((g[i] * theta["v"].T).reshape(net.left, h) for i in range(N)))
    if net.layers == 2:
        D = pull.multiply_elementwise(masks[1])
        found |= {"U": layers[1][0].T * D, "e": sp.ones(1, D.rows) * D}
        # With h = k h a transposed U has the right shape, as in an MLP; else only its blocks can be exchanged.
        turn = theta["U"].T
        if not transposed:
            turn = sp.Matrix.hstack(*(theta["U"][j * h : (j + 1) * h, :] for j in range(net.k)))
        returned = D * turn
        pull = sp.zeros(N * net.P, h)
        for i, p in product(range(N), range(net.left)):
            for j in range(min(net.k, back)):
                pull[i * net.P + p + j, :] += returned[i * net.left + p, j * h : (j + 1) * h]
    D = pull.multiply_elementwise(masks[0])
    return found | {"W": X.T * D, "b": sp.ones(1, D.rows) * D}


def _on_pattern(expression: sp.Expr) -> sp.Expr:
    """Expanded, with y² = 1."""
    found = sp.expand(expression)
    signs = [one for one in found.free_symbols if one.name.startswith("y")]
    odd = {one**power: one ** (power % 2) for one in signs for power in range(2, 6)}
    return sp.expand(found.xreplace(odd))


def prove_gradients(transposed: bool = True, back: int = 2) -> Outcome:
    """Every entry of every gradient, of the four networks.

    Args:
        transposed: whether D₂ goes back through Uᵀ, or through U.
        back: positions that receive what goes back; 1 drops one of the 2-CNN's.
    """
    links = []
    g = sp.Matrix([sp.Symbol(f"g{i}", real=True) for i in range(N)])
    for name, net in NETS.items():
        theta, masks, X = net.weights(), net.masks(), _symbols("x", N * net.P, q)
        f = (g.T * _forward(net, theta, X, masks)[0])[0]
        stated = _backward(net, theta, X, masks, g, transposed, back)
        pairs = [(sp.diff(f, one), entry) for key in stated for one, entry in zip(theta[key], stated[key], strict=True)]
        entries = (({"entry": k}, *pair) for k, pair in enumerate(pairs))
        links.append((name, all_equal(entries, "all {count} entries are the same")))
    return both(*links)


def prove_balance(bias: int = 1) -> Outcome:
    """Every hidden unit of the four networks.

    Args:
        bias: what stands before b_r ∇b_r.
    """
    links = []
    g = sp.Matrix([sp.Symbol(f"g{i}", real=True) for i in range(N)])
    for name, net in NETS.items():
        theta, masks, X = net.weights(), net.masks(), _symbols("x", N * net.P, q)
        grad = _backward(net, theta, X, masks, g, True, 2)
        layers = [("W", "b", "v" if net.layers == 1 else "U"), ("U", "e", "v")][: net.layers]
        for weight, shift, out in layers:
            for r in range(h):
                into = sum(theta[weight][i, r] * grad[weight][i, r] for i in range(theta[weight].rows))
                into += bias * theta[shift][r] * grad[shift][r]
                rows = range(r, theta[out].rows, h)
                onward = sum(theta[out][i, c] * grad[out][i, c] for i in rows for c in range(theta[out].cols))
                same = equal(into, onward, "⟨w, ∇w⟩ + b∇b = Σ out·∇out", _on_pattern)
                links.append((f"{name}, {weight}, unit {r}", same))
    return both(*links)


def prove_homogeneous(bias: bool = True) -> Outcome:
    """A hidden unit's incoming weights times t > 0 and its outgoing ones by 1/t leave every output.

    Args:
        bias: whether the unit's bias is scaled too.
    """
    t = sp.Symbol("t", positive=True)
    links = []
    for name, net in NETS.items():
        theta, masks, X = net.weights(), net.masks(), _symbols("x", N * net.P, q)
        before = _forward(net, theta, X, masks)[0]
        layers = [("W", "b", "v" if net.layers == 1 else "U"), ("U", "e", "v")][: net.layers]
        for weight, shift, out in layers:
            scaled = {key: x.copy() for key, x in theta.items()}
            scaled[weight][:, 0] = t * theta[weight][:, 0]
            if bias:
                scaled[shift][0] = t * theta[shift][0]
            for i in range(0, theta[out].rows, h):
                scaled[out][i, :] = theta[out][i, :] / t
            after = _forward(net, scaled, X, masks)[0]
            pairs = (({"sample": i}, after[i], before[i]) for i in range(N))
            links.append((f"{name}, {weight}", all_equal(pairs, "all {count} outputs are the same")))
    return both(*links)


CHAPTER = Chapter(
    title="ReLU networks: gradients, balance, homogeneity",
    after=("gradient",),
    steps=(
        Step(
            id="relu.gradients",
            statement=(
                r"for the 1-MLP, 2-MLP, 1-CNN and 2-CNN on any activation pattern $\nabla v = F^Tg$, $\nabla W = "
                r"\mathrm{rows}^T D$, $D = (g v^T) \circ m$, and through a second layer $D_2 U^T$, added back to the "
                r"positions that it came from, $\circ\, m$"
            ),
            plain="the hand-derived gradients of the four networks, on any activation pattern",
            hypotheses=("two samples, inputs and units, two or three positions; all values", "away from kinks"),
            method="every entry against SymPy's derivative of the polynomial on the pattern, expanded",
            prove=prove_gradients,
            planted=(
                Planted("U for Uᵀ", {"transposed": False}),
                Planted("one position of the 2-CNN dropped", {"back": 1}),
            ),
        ),
        Step(
            id="relu.balance",
            statement=(
                r"for every hidden unit $\langle w_r, \nabla w_r\rangle + b_r\nabla b_r$ is the sum of its "
                r"outgoing weights "
                r"times their gradients, over all positions"
            ),
            plain="every hidden unit: ⟨w, ∇w⟩ + b∇b = Σ outgoing weight · its gradient, over all positions",
            hypotheses=("sizes as above; all values", "masks of 0 and 1"),
            method="SymPy, masks as (1 + y)/2 with y² = 1",
            prove=prove_balance,
            planted=(Planted("without the bias term", {"bias": 0}),),
        ),
        Step(
            id="relu.homogeneous",
            statement=(
                r"scaling a hidden unit's incoming weights and bias by $t > 0$ and its outgoing weights by "
                r"$1/t$ leaves every "
                r"output unchanged"
            ),
            plain="incoming weights and bias times t > 0, outgoing by 1/t: every output stays",
            hypotheses=("sizes as above; all values", "t > 0, so that no activation changes its side"),
            method="SymPy, expanded",
            prove=prove_homogeneous,
            planted=(Planted("the bias left out", {"bias": False}),),
        ),
    ),
)
