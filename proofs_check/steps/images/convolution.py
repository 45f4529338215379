r"""Convolutions of images: what goes back to the image and to the kernel, means of 2 × 2 pixels, residual branches.

A convolution is z(p)_c' = Σ_{t, c} a(p + t)_c K(t)_{c c'} + b_c', over the nine shifts t, a = 0 outside. Whatever the
loss, its gradient by z is an array d, and that by what z is made of is the gradient of Σ d z with d held fixed: so d is
symbols, and both sides are polynomials. The stated forms are products of matrices: cols(a) has the nine neighbours of
a pixel side by side, z = cols(a) K + b,

    ∇K = cols(a)ᵀ d,    ∇b = Σ d,    ∂/∂a = cols(d) K̃,    K̃(t)_{c' c} = K(−t)_{c c'}.

Images are small, but have a pixel whose nine neighbours are all inside, and others with some outside.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "columns",
    "convolved",
    "prove_image",
    "prove_kernel",
    "prove_pooling",
    "prove_residual",
    "turned",
]

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal, equal
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

Array = Any
SIZES = ((4, 4, 1, 1), (3, 3, 2, 2))
"""Height, width, channels in and out."""


def symbols(name: str, *shape: int) -> Array:
    """An array of real symbols."""
    found = np.empty(shape, object)
    for at in np.ndindex(*shape):
        found[at] = sp.Symbol(name + "x".join(map(str, at)), real=True)
    return found


def _at(a: Array, r: int, s: int, c: int) -> Any:
    """An entry of an image, 0 outside."""
    inside = 0 <= r < a.shape[0] and 0 <= s < a.shape[1]
    return a[r, s, c] if inside else sp.Integer(0)


def convolved(a: Array, K: Array) -> Array:
    """The definition, without the bias: a (H, W, C), K (3, 3, C, C')."""
    H, W, C = a.shape
    z = np.empty((H, W, K.shape[3]), object)
    for r, s, out in product(range(H), range(W), range(K.shape[3])):
        terms = product(range(3), range(3), range(C))
        z[r, s, out] = sp.Add(*(_at(a, r + i - 1, s + j - 1, c) * K[i, j, c, out] for i, j, c in terms))
    return z


def columns(a: Array) -> Array:
    """cols(a) (H W, 9C), a row a pixel."""
    H, W, C = a.shape
    rows = [
        [_at(a, r + i - 1, s + j - 1, c) for i, j, c in product(range(3), range(3), range(C))]
        for r, s in product(range(H), range(W))
    ]
    return np.array(rows, object)


def turned(K: Array, reversed: bool = True, exchanged: bool = True) -> Array:
    """K̃ (9C', C); without the reversal or the exchange of channels, errors."""
    found = K[::-1, ::-1] if reversed else K
    if exchanged:
        found = found.transpose(0, 1, 3, 2)
    return found.reshape(9 * K.shape[3], K.shape[2])


def _inner(a: Array, b: Array) -> Any:
    return sp.Add(*(x * y for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True)))


def _slopes(total: Any, by: Array, stated: Array) -> Iterable[tuple[dict[str, Any], Any, Any]]:
    """The equations that say that the derivatives of a total are what is stated."""
    for k, (one, entry) in enumerate(zip(by.reshape(-1), stated.reshape(-1), strict=True)):
        yield {"entry": k}, sp.diff(total, one), entry


def prove_image(reversed: bool = True, exchanged: bool = True) -> Outcome:
    """Every entry of what goes back to the image.

    Args:
        reversed: whether the kernel is reversed; exchanged: whether its channels are.
    """
    links = []
    for H, W, C, out in SIZES:
        a, K, d = symbols("a", H, W, C), symbols("k", 3, 3, C, out), symbols("d", H, W, out)
        stated = columns(d).dot(turned(K, reversed, exchanged))
        equations = _slopes(_inner(convolved(a, K), d), a, stated)
        links.append((f"{H} × {W}, {C} to {out} channels", all_equal(equations, "all {count} entries are the same")))
    return both(*links)


def prove_kernel(exchanged: bool = False, images: int = 2) -> Outcome:
    """Every entry of ∇K and ∇b, over two images.

    Args:
        exchanged: whether the channels of ∇K are exchanged; images: how many of them the sums are over.
    """
    H, W, C, out = 3, 3, 2, 2
    a, d = symbols("a", 2, H, W, C), symbols("d", 2, H, W, out)
    K, b = symbols("k", 3, 3, C, out), symbols("b", out)
    total = sp.Add(*(_inner(convolved(one, K) + b, by) for one, by in zip(a, d, strict=True)))
    pairs = [(one, by.reshape(-1, out)) for one, by in zip(a, d, strict=True)][:images]
    kernel = sum(columns(one).T.dot(by) for one, by in pairs).reshape(3, 3, C, out)
    if exchanged:
        kernel = kernel.transpose(0, 1, 3, 2)
    bias = sum(by.sum(axis=0) for _, by in pairs)
    return both(
        ("the kernel", all_equal(_slopes(total, K, kernel), "all {count} entries are the same")),
        ("the bias", all_equal(_slopes(total, b, bias), "all {count} entries are the same")),
    )


def prove_pooling(parts: int = 4) -> Outcome:
    """⟨pool x, d⟩ = ⟨x, back d⟩ for means of 2 × 2.

    Args:
        parts: into which what reaches a mean is divided, each pixel getting one.
    """
    x, d = symbols("x", 4, 4, 2), symbols("d", 2, 2, 2)
    pooled = (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / sp.Integer(4)
    back = np.repeat(np.repeat(d, 2, axis=0), 2, axis=1) / sp.Integer(parts)
    return equal(_inner(pooled, d), _inner(x, back), "4 × 4 pixels of two channels: the two sums are the same")


def prove_residual(branch: int = 1, reversed: bool = True) -> Outcome:
    """Every gradient of a₂ = relu(z₂ + a₁), a₁ = relu(z₁), on any activation pattern.

    Args:
        branch: what of d₂ goes on past the second convolution; reversed: whether its kernel is reversed.
    """
    H, W, C = 2, 2, 2
    x, g = symbols("x", H, W, 1), symbols("g", H, W, C)
    K = symbols("k", 3, 3, 1, C), symbols("u", 3, 3, C, C)
    b = symbols("b", C), symbols("e", C)
    masks = [(symbols(f"y{layer}x", H, W, C) + sp.Integer(1)) / sp.Integer(2) for layer in (1, 2)]  # of signs y
    first = masks[0] * (convolved(x, K[0]) + b[0])
    total = _inner(masks[1] * (convolved(first, K[1]) + b[1] + first), g)
    d2 = masks[1] * g
    down = columns(d2).dot(turned(K[1], reversed)).reshape(H, W, C) + branch * d2
    d1 = masks[0] * down
    stated = {
        "∇K₂": (K[1], columns(first).T.dot(d2.reshape(-1, C))),
        "∇b₂": (b[1], d2.sum(axis=(0, 1))),
        "∇K₁": (K[0], columns(x).T.dot(d1.reshape(-1, C))),
        "∇b₁": (b[0], d1.sum(axis=(0, 1))),
    }
    same = "all {count} entries are the same"
    return both(*((name, all_equal(_slopes(total, by, entries), same)) for name, (by, entries) in stated.items()))


CHAPTER = Chapter(
    title="Convolutions of images: kernels, means and residual branches",
    after=("relu",),
    steps=(
        Step(
            id="convolution.image",
            statement=(
                r"for $z(p) = \sum_t a(p + t) K(t)$ over the nine shifts, $a = 0$ outside, and "
                r"$d = \partial L/\partial z$: "
                r"$\partial L/\partial a = \mathrm{cols}(d)\,\tilde K$ with $\tilde K(t) = K(-t)^T$"
            ),
            plain="what goes back to the image is the correlation of d with the reversed kernel, channels exchanged",
            hypotheses=("4 × 4 pixels of one channel, 3 × 3 of two; all values", "zeros outside"),
            method="every entry against SymPy's derivative of Σ d z, z by its definition, expanded",
            prove=prove_image,
            planted=(
                Planted("the kernel not reversed", {"reversed": False}),
                Planted("its channels not exchanged", {"exchanged": False}),
            ),
        ),
        Step(
            id="convolution.kernel",
            statement=r"$\nabla K = \mathrm{cols}(a)^T d$ and $\nabla b = \sum d$, summed over images and pixels",
            plain="∇K = cols(a)ᵀ d and ∇b = Σ d, over all images and pixels",
            hypotheses=("two images of 3 × 3 pixels, two channels in and out; all values",),
            method="every entry against SymPy's derivative of Σ d z, z by its definition, expanded",
            prove=prove_kernel,
            planted=(
                Planted("channels of ∇K exchanged", {"exchanged": True}),
                Planted("the first image alone", {"images": 1}),
            ),
        ),
        Step(
            id="convolution.pooling",
            statement=(
                r"for means of $2 \times 2$ pixels $\langle \mathrm{pool}\, x, d\rangle = \langle x, \mathrm{back}\, "
                r"d\rangle$, where back gives each of the four pixels $d/4$"
            ),
            plain="⟨pool x, d⟩ = ⟨x, back d⟩, back giving each of the four pixels a quarter",
            hypotheses=("4 × 4 pixels, two channels; all values",),
            method="SymPy, expanded",
            prove=prove_pooling,
            planted=(Planted("½ in place of ¼", {"parts": 2}),),
        ),
        Step(
            id="convolution.residual",
            statement=(
                r"for $a_1 = \mathrm{relu}(z_1)$, $a_2 = \mathrm{relu}(z_2 + a_1)$ on any activation pattern, and "
                r"$d_2$ what reaches $z_2$: $\partial L/\partial a_1 = \mathrm{cols}(d_2)\,\tilde K_2 + d_2$, "
                r"and from it all gradients"
            ),
            plain="a residual branch: what reaches a₁ is the convolution's way back and d₂ itself; all four gradients",
            hypotheses=("2 × 2 pixels, one channel to two to two; all values", "away from kinks"),
            method="every entry against SymPy's derivative of the polynomial on the pattern, expanded",
            prove=prove_residual,
            planted=(
                Planted("without the branch", {"branch": 0}),
                Planted("the kernel not reversed", {"reversed": False}),
            ),
        ),
    ),
)
