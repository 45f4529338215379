r"""Training on images: the softmax's gradient, the average form of momentum, and batch normalization backwards.

**Softmax.** The loss of n samples is (1/n) Σ (log Σ_k e^{o_k} − o_y), whose derivative is rational in the e^{o_k}; a
one-hot label is 1[k = y].

**Average form.** g ← γg + (1 − γ)∇, θ ← θ − ηg from g = 0: with γ = 0 each step is SGD's, and if the gradient stays
∇, after T steps g = (1 − γᵀ)∇: so η has the same meaning in the long run whatever γ.

**Normalization.** o_i = s u_i + b, u_i = (z_i − m) r, r = (v + ε)^{−1/2}, m and v mean and variance over the M rows of
a channel. Stated: ∂/∂z = s r (d − mean d − u mean(d u)), ∂/∂s = Σ d u, ∂/∂b = Σ d. Both sides have r to odd powers
only, A r + B r³, and as r > 0 and r² (v + ε) = 1 this is 0 exactly if the polynomial A (v + ε) + B is.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_average", "prove_normalization", "prove_softmax"]

from collections.abc import Callable
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal, numerator
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

CLASSES, LABELS = 3, (2, 0)
ROWS = (2, 3, 4)


def prove_softmax(hot: int = 1, shared: bool = True) -> Outcome:
    """The gradient by every output of two samples, and that it sums to 0 over classes.

    Args:
        hot: what is taken off at the label; shared: whether it is divided by the number of samples.
    """
    n = len(LABELS)
    o = [[sp.Symbol(f"o{i}x{k}", real=True) for k in range(CLASSES)] for i in range(n)]
    loss = sp.Add(*(sp.log(sp.Add(*map(sp.exp, row))) - row[y] for row, y in zip(o, LABELS, strict=True))) / n
    entries, sums = [], []
    for i, (row, y) in enumerate(zip(o, LABELS, strict=True)):
        total = sp.Add(*map(sp.exp, row))
        stated = [(sp.exp(one) / total - hot * int(k == y)) / (n if shared else 1) for k, one in enumerate(row)]
        for k, one in enumerate(row):
            entries.append(({"sample": i, "class": k}, sp.diff(loss, one), stated[k]))
        sums.append(({"sample": i}, sp.Add(*stated), sp.Integer(0)))
    return both(
        ("the gradient", all_equal(entries, "all {count} entries are the same", numerator)),
        ("its sums", all_equal(sums, "all {count} sums over classes are 0", numerator)),
    )


def _steps(gamma: Any, new: Any, slopes: list[Any]) -> tuple[list[Any], Any]:
    """θ after each step from θ_0, and the last g, for g ← γg + new ∇."""
    theta, eta = sp.symbols("theta0 eta", real=True)
    g, found = sp.Integer(0), []
    for slope in slopes:
        g = gamma * g + new * slope
        theta = theta - eta * g
        found.append(theta)
    return found, g


def prove_average(right: bool = True) -> Outcome:
    """Three steps with γ = 0, and up to three with a gradient that stays.

    Args:
        right: whether the new gradient counts 1 − γ; else γ, the error.
    """
    gamma, zero = sp.Symbol("gamma", positive=True), sp.Integer(0)
    eta, theta, stays = sp.symbols("eta theta0 s", real=True)
    slopes = list(sp.symbols("s1:4", real=True))
    plain = [theta - eta * sp.Add(*slopes[: t + 1]) for t in range(3)]
    momentum = _steps(zero, 1 - zero if right else zero, slopes)[0]
    same = [({"step": t + 1}, one, two) for t, (one, two) in enumerate(zip(momentum, plain, strict=True))]
    new = 1 - gamma if right else gamma
    long = [({"steps": T}, _steps(gamma, new, [stays] * T)[1], (1 - gamma**T) * stays) for T in (1, 2, 3)]
    return both(
        ("γ = 0", all_equal(same, "all {count} steps are SGD's")),
        ("a gradient that stays", all_equal(long, "after each of {count} steps g = (1 − γᵀ)∇")),
    )


def _odd(under: Any) -> Callable[[Any], Any]:
    """The normal form of A r + B r³, r = under^{−1/2}: the polynomial A · under + B."""
    r = sp.Dummy("r", positive=True)

    def normal(expression: Any) -> Any:
        powers = {one: r ** int(-2 * one.exp) for one in expression.atoms(sp.Pow) if one.base == under}
        found = sp.expand(expression.xreplace(powers))
        first, third = found.coeff(r, 1), found.coeff(r, 3)
        if sp.expand(found - first * r - third * r**3) != 0:
            return sp.expand(expression)
        return sp.expand(first * under + third)

    return normal


def prove_normalization(mean: int = 1, variance: int = 1) -> Outcome:
    """The gradient by every row of a channel, by its scale and by its shift, for two to four rows.

    Args:
        mean, variance: what counts of the ways through the mean and the variance.
    """
    links = []
    scale, shift = sp.symbols("s b", real=True)
    epsilon = sp.Symbol("epsilon", positive=True)
    for M in ROWS:
        z, d = (list(sp.symbols(f"{name}1:{M + 1}", real=True)) for name in "zd")
        middle = sp.Add(*z) / M
        under = sp.Add(*((one - middle) ** 2 for one in z)) / M + epsilon
        r = under ** sp.Rational(-1, 2)
        u = [(one - middle) * r for one in z]
        total = sp.Add(*(by * (scale * one + shift) for by, one in zip(d, u, strict=True)))
        inner = sp.Add(*(by * one for by, one in zip(d, u, strict=True)))
        stated = [
            scale * r * (by - mean * sp.Add(*d) / M - variance * one * inner / M) for by, one in zip(d, u, strict=True)
        ]
        equations: list[tuple[dict[str, Any], Any, Any]] = [
            ({"row": k}, sp.diff(total, one), stated[k]) for k, one in enumerate(z)
        ]
        equations.append(({"by": "scale"}, sp.diff(total, scale), inner))
        links.append((f"{M} rows", all_equal(equations, "all {count} entries are the same", _odd(under))))
        by_shift = [({"by": "shift"}, sp.diff(total, shift), sp.Add(*d))]
        links.append((f"{M} rows, the shift", all_equal(by_shift, "it is Σ d")))
    return both(*links)


CHAPTER = Chapter(
    title="Training on images: softmax, momentum in the average form, batch normalization",
    after=("convolution",),
    steps=(
        Step(
            id="training.softmax",
            statement=(
                r"for $L = \frac1n \sum_i \left(\log \sum_k e^{o_{ik}} - o_{iy_i}\right)$: "
                r"$\partial L/\partial o_{ik} = (\mathrm{softmax}(o_i)_k - 1[k = y_i])/n$, whose sum over $k$ is 0"
            ),
            plain="the gradient by the outputs is (softmax − one-hot)/n, and sums to 0 over classes",
            hypotheses=("two samples of three classes, labels 2 and 0; all outputs",),
            method="SymPy: rational functions of the exponentials, with all of these independent",
            prove=prove_softmax,
            planted=(Planted("without the label", {"hot": 0}), Planted("not divided by n", {"shared": False})),
        ),
        Step(
            id="training.average",
            statement=(
                r"$g \leftarrow \gamma g + (1 - \gamma)\nabla$, $\theta \leftarrow \theta - \eta g$ from $g = 0$: "
                r"with $\gamma = 0$ every step is SGD's, and with a gradient that stays "
                r"$g = (1 - \gamma^T)\nabla$ after $T$ steps"
            ),
            plain="the average form with γ = 0 is SGD, and g tends to a gradient that stays, whatever γ",
            hypotheses=("three steps; all gradients, η and 0 < γ",),
            method="SymPy, step by step",
            prove=prove_average,
            planted=(Planted("γ in place of 1 − γ", {"right": False}),),
        ),
        Step(
            id="training.normalization",
            statement=(
                r"for $o_i = s u_i + b$, $u_i = (z_i - m)/\sqrt{v + \varepsilon}$, mean $m$ and variance $v$ over "
                r"$M$ rows: $\partial L/\partial z_i = "
                r"\frac{s}{\sqrt{v + \varepsilon}} (d_i - \overline d - u_i \overline{d u})$, "
                r"$\partial L/\partial s = \sum_i d_i u_i$, $\partial L/\partial b = \sum_i d_i$"
            ),
            plain="∂L/∂z = s/√(v + ε) · (d − mean d − u mean(du)), ∂L/∂s = Σ du, ∂L/∂b = Σ d",
            hypotheses=("two, three and four rows of a channel; all values", "ε > 0, and v divides by M"),
            method="SymPy's derivative of Σ d o; both sides are odd in 1/√(v + ε), and a polynomial decides",
            prove=prove_normalization,
            planted=(
                Planted("the way through the mean left out", {"mean": 0}),
                Planted("the way through the variance left out", {"variance": 0}),
            ),
        ),
    ),
)
