r"""The gradient of the loss is its closed form: written out for all sizes up to 3, and with sums of any length.

With z_{ijr} = ⟨w_r, X_i[j]⟩, f_i = Σ_r Σ_j z_{ijr}³ and ℓ_i = 1/(1 + exp(y_i f_i)),

    ∇_{w_r} [(1/N) Σ_i log(1 + exp(−y_i f_i)) + (λ/2)‖W‖²] = −(3/N) Σ_i y_i ℓ_i Σ_j z_{ijr}² X_i[j] + λ w_r.

**Sizes.** W, X, y have a symbol for each entry. SymPy differentiates the loss as it is written; then exp(−y_i f_i) is
replaced by a symbol E_i > 0, and each entry of the difference of both sides is a rational function that must cancel to
0.

**Indexed.** W, X, y are indexed symbols, and m, N, P, d symbols too. SymPy differentiates the loss, nested sums over
r < m, k < d, j < P, i < N, with respect to W[a, b], by ∂W[r, k]/∂W[a, b] = δ_{ar} δ_{bk}; the sums over δ are carried
out, which is right as 0 ≤ a < m and 0 ≤ b < d, and both sides have the same normal form.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "SIZES", "Indices", "Problem", "Size", "head_derivative", "indexed", "indices", "sizes"]

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal, equal, numerator
from lemmascope.proofs_check.methods.sums import contracted, equal_sums
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step

Size = tuple[int, int, int, int]
"""(m, N, P, d)."""

SIZES: tuple[Size, ...] = tuple(product((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3)))

TINY = sp.Rational(1, 10**6)


@dataclass(frozen=True)
class Problem:
    """Loss and symbols of one size.

    Attributes:
        W: (m, d) matrix of symbols.
        X: for each sample its (P, d) matrix of patches.
        y: labels, symbols.
        lam: λ.
    """

    W: sp.Matrix
    X: tuple[sp.Matrix, ...]
    y: tuple[sp.Symbol, ...]
    lam: sp.Symbol

    @classmethod
    def of_size(cls, m: int, N: int, P: int, d: int) -> Problem:
        """All entries are different real symbols."""
        return cls(
            W=sp.Matrix(m, d, lambda r, k: sp.Symbol(f"w{r}{k}", real=True)),
            X=tuple(sp.Matrix(P, d, lambda j, k, i=i: sp.Symbol(f"x{i}{j}{k}", real=True)) for i in range(N)),
            y=tuple(sp.Symbol(f"y{i}", real=True) for i in range(N)),
            lam=sp.Symbol("lambda", real=True),
        )

    def output(self, i: int) -> sp.Expr:
        """f(X_i)."""
        return sp.Add(*(z**3 for z in self.X[i] * self.W.T))

    def loss(self) -> sp.Expr:
        """L(W)."""
        heads = [sp.log(1 + sp.exp(-y * self.output(i))) for i, y in enumerate(self.y)]
        return sp.Add(*heads) / len(heads) + self.lam / 2 * sp.Add(*(w**2 for w in self.W))

    def closed_form(self, factor: Any = 3, penalty: Any = 1) -> sp.Matrix:
        """The stated gradient (m, d), with its factor 3 and the 1 before λ replaced where asked."""
        (m, d), N = self.W.shape, len(self.y)
        grad = penalty * self.lam * self.W
        for i, y in enumerate(self.y):
            ell = 1 / (1 + sp.exp(y * self.output(i)))
            z = self.X[i] * self.W.T
            pull = sp.Matrix(m, d, lambda r, k, i=i, z=z: sum(z[j, r] ** 2 * self.X[i][j, k] for j in range(z.rows)))
            grad = grad - sp.Rational(1, N) * factor * y * ell * pull
        return grad


def head_derivative() -> Outcome:
    """d/df log(1 + exp(−y f)) = −y ℓ, with ℓ = 1/(1 + exp(y f))."""
    y, f = sp.symbols("y f", real=True)
    return equal(
        sp.diff(sp.log(1 + sp.exp(-y * f)), f),
        -y / (1 + sp.exp(y * f)),
        "the derivative of log(1 + exp(−y f)) is −y ℓ",
        numerator,
    )


def sizes(factor: Any = 3, penalty: Any = 1, over: tuple[Size, ...] = SIZES) -> Outcome:
    """The closed form, entry by entry, for all sizes ``over`` (m, N, P, d).

    Args:
        factor: what stands for the 3 of the statement.
        penalty: what stands for the 1 before λ.
        over: the sizes gone through.
    """
    equations = (equation for size in over for equation in _entries(size, factor, penalty))
    return all_equal(equations, f"all {{count}} entries over {len(over)} sizes cancel to 0", numerator)


def _entries(size: Size, factor: Any, penalty: Any) -> Iterator[tuple[dict[str, Any], sp.Expr, sp.Expr]]:
    problem = Problem.of_size(*size)
    loss, stated = problem.loss(), problem.closed_form(factor, penalty)
    for r, k in product(range(size[0]), range(size[3])):
        where = {"size": dict(zip(("m", "N", "P", "d"), size, strict=True)), "entry": [r, k]}
        yield where, sp.diff(loss, problem.W[r, k]), stated[r, k]


@dataclass(frozen=True)
class Indices:
    """The same loss with sums over ranges of symbolic size; i, j, r, k run, a and b are the entry W[a, b]."""

    m: sp.Symbol
    N: sp.Symbol
    P: sp.Symbol
    d: sp.Symbol
    i: sp.Symbol
    j: sp.Symbol
    r: sp.Symbol
    k: sp.Symbol
    a: sp.Symbol
    b: sp.Symbol
    W: sp.IndexedBase
    X: sp.IndexedBase
    y: sp.IndexedBase
    ell: sp.IndexedBase
    lam: sp.Symbol

    @property
    def order(self) -> tuple[sp.Symbol, ...]:
        """Innermost first."""
        return self.k, self.r, self.j, self.i

    @property
    def entry(self) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
        """0 ≤ a < m and 0 ≤ b < d."""
        return {self.a: (sp.Integer(0), self.m - 1), self.b: (sp.Integer(0), self.d - 1)}

    def over(self, term: sp.Expr, *indices: sp.Symbol) -> sp.Expr:
        """The sum of ``term`` over the whole range of the indices, innermost first."""
        last = {self.i: self.N - 1, self.j: self.P - 1, self.r: self.m - 1, self.k: self.d - 1}
        return sp.Sum(term, *((index, 0, last[index]) for index in indices))

    def z(self, i: sp.Expr, r: sp.Expr) -> sp.Expr:
        """⟨w_r, X_i[j]⟩."""
        return self.over(self.W[r, self.k] * self.X[i, self.j, self.k], self.k)

    def output(self) -> sp.Expr:
        """f(X_i)."""
        return self.over(self.z(self.i, self.r) ** 3, self.r, self.j)

    def loss(self) -> sp.Expr:
        """L(W)."""
        heads = self.over(sp.log(1 + sp.exp(-self.y[self.i] * self.output())), self.i)
        return heads / self.N + self.lam / 2 * self.over(self.W[self.r, self.k] ** 2, self.k, self.r)

    def closed_form(self, ell: sp.Expr, factor: Any = 3, penalty: Any = 1) -> sp.Expr:
        """Entry [a, b] of the stated gradient, with ``ell`` for ℓ_i."""
        pull = self.over(self.z(self.i, self.a) ** 2 * self.X[self.i, self.j, self.b], self.j)
        data = self.over(self.y[self.i] * ell * pull, self.i)
        return penalty * self.lam * self.W[self.a, self.b] - sp.sympify(factor) / self.N * data

    def at(self, size: int) -> dict[sp.Symbol, int]:
        """All sizes equal to ``size``, and the first entry."""
        return {self.m: size, self.N: size, self.P: size, self.d: size, self.a: 0, self.b: 0}


def indices() -> Indices:
    """Symbols of every size."""
    m, N, P, d = sp.symbols("m N P d", integer=True, positive=True)
    i, j, r, k, a, b = sp.symbols("i j r k a b", integer=True, nonnegative=True)
    W, X, y = (sp.IndexedBase(name, real=True) for name in "WXy")
    ell, lam = sp.IndexedBase("ell", positive=True), sp.Symbol("lambda", real=True)
    return Indices(m=m, N=N, P=P, d=d, i=i, j=j, r=r, k=k, a=a, b=b, W=W, X=X, y=y, ell=ell, lam=lam)


def indexed(factor: Any = 3, penalty: Any = 1) -> Outcome:
    """The closed form of entry [a, b], for symbolic m, N, P, d, 0 ≤ a < m and 0 ≤ b < d."""
    of = indices()
    ell = 1 / (1 + sp.exp(of.y[of.i] * of.output()))
    return equal_sums(
        contracted(sp.diff(of.loss(), of.W[of.a, of.b]), of.entry),
        of.closed_form(ell, factor, penalty),
        of.order,
        of.at(1),
        reason="both sides have the same normal form, with symbols for m, N, P, d and for the entry",
    )


FORMULA = r"\nabla_{w_r} L = -\frac{3}{N} \sum_i y_i \ell_i \sum_j \langle w_r, X_i[j] \rangle^2 X_i[j] + \lambda w_r"
PLAIN = "∇_{w_r} L = −(3/N) Σ_i y_i ℓ_i Σ_j ⟨w_r, X_i[j]⟩² X_i[j] + λ w_r"
REAL = ("W, X, y and λ real", "ℓ_i = 1/(1 + exp(y_i f(X_i)))")
PLANTED = (
    Planted("2 in place of the factor 3", {"factor": 2}),
    Planted("3 + 10⁻⁶ in place of the factor 3", {"factor": 3 + TINY}),
    Planted("the penalty's gradient is 2λ w_r", {"penalty": 2}),
)

CHAPTER = Chapter(
    title="The gradient of the loss",
    steps=(
        Step(
            id="gradient.sizes",
            statement=rf"For all $m, N, P, d \in \{{1, 2, 3\}}$ and all real $W, X, y, \lambda$: ${FORMULA}$.",
            plain=f"for all sizes m, N, P, d ≤ 3: {PLAIN}",
            hypotheses=REAL,
            method=(
                "SymPy differentiates the loss written out in symbols, and the difference of each entry cancels to 0"
            ),
            prove=sizes,
            planted=PLANTED,
        ),
        Step(
            id="gradient.indexed",
            statement=rf"For all $m, N, P, d \ge 1$ and all real $W, X, y, \lambda$: ${FORMULA}$.",
            plain=f"for all sizes m, N, P, d: {PLAIN}",
            hypotheses=REAL,
            method=(
                "SymPy differentiates nested sums over ranges of symbolic size, the Kronecker deltas are summed, and "
                "both sides have the same normal form"
            ),
            prove=indexed,
            planted=PLANTED,
        ),
    ),
)
