r"""The gradient of the loss is its closed form, by SymPy, for all sizes m, N, P, d ≤ 2.

With z_{ijr} = ⟨w_r, X_i[j]⟩, f_i = Σ_r Σ_j z_{ijr}³ and ℓ_i = 1/(1 + exp(y_i f_i)),

    ∇_{w_r} [(1/N) Σ_i log(1 + exp(−y_i f_i)) + (λ/2)‖W‖²] = −(3/N) Σ_i y_i ℓ_i Σ_j z_{ijr}² X_i[j] + λ w_r.

W, X, y and λ are symbols. SymPy differentiates the loss as it is written; then exp(−y_i f_i) is replaced by a symbol
E_i > 0, and each entry of the difference of both sides is a rational function that must cancel to 0.

Why small sizes tell of all: the loss is a sum over i, f_i a sum over j and r, and ⟨·,·⟩ a sum over coordinates, so
the derivative in one entry of W is a sum of terms that each name one sample, one patch, one neuron. Two of each show
every way in which two terms can meet.
"""

from __future__ import annotations

__all__ = ["SIZES", "Problem", "Size", "head_derivative_gap", "prove", "verdict", "witness"]

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp

from theory.verdict import Kind, Status, Verdict

Size = tuple[int, int, int, int]
"""(m, N, P, d)."""

SIZES: tuple[Size, ...] = tuple(product((1, 2), (1, 2), (1, 2), (1, 2)))

STATEMENT = (
    r"$\nabla_{w_r} L = -\frac{3}{N} \sum_i y_i \ell_i \sum_j \langle w_r, X_i[j] \rangle^2 X_i[j] + \lambda w_r$"
)
PLAIN = "∇_{w_r} L = −(3/N) Σ_i y_i ℓ_i Σ_j ⟨w_r, X_i[j]⟩² X_i[j] + λ w_r"


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

    def cancels(self, expression: sp.Expr) -> bool:
        """Whether it is 0 with E_i in place of exp(−y_i f_i) and 1/E_i of exp(y_i f_i)."""
        names: dict[sp.Expr, sp.Expr] = {}
        for i, y in enumerate(self.y):
            E = sp.Symbol(f"E{i}", positive=True)
            names |= {sp.exp(-y * self.output(i)): E, sp.exp(y * self.output(i)): 1 / E}
        return sp.expand(sp.numer(sp.together(expression.xreplace(names)))) == 0


def head_derivative_gap() -> sp.Expr:
    """d/df log(1 + exp(−y f)) + y ℓ, which is 0: the derivative of the logistic head is −y ℓ."""
    y, f = sp.symbols("y f", real=True)
    E = sp.Symbol("E", positive=True)
    gap = sp.diff(sp.log(1 + sp.exp(-y * f)), f) + y / (1 + sp.exp(y * f))
    return sp.cancel(gap.xreplace({sp.exp(-y * f): E, sp.exp(y * f): 1 / E}))


def witness(left: sp.Expr, right: sp.Expr) -> dict[str, Any] | None:
    """A point at which both sides differ, with their values; labels y… are ±1, the other symbols small halves."""
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    for start in range(1, 6):
        numbers = [(start * (3 * k + 2)) % 7 - 3 for k in range(len(symbols))]
        point = {
            s: sp.Integer(1 if number % 2 else -1) if str(s).startswith("y") else sp.Rational(number or 1, 2)
            for s, number in zip(symbols, numbers, strict=True)
        }
        point = {s: abs(value) if s.is_positive else value for s, value in point.items()}
        sides = [sp.sympify(side).xreplace(point).evalf(30) for side in (left, right)]
        if abs(sides[0] - sides[1]) > sp.Float("1e-20"):
            values = {str(s): float(v) for s, v in point.items()}
            return {"at": values, "left": float(sides[0]), "right": float(sides[1])}
    return None


def verdict(
    claim: str, statement: str, plain: str, reason: str, differ: tuple[sp.Expr, sp.Expr, dict[str, Any]] | None = None,
    sizes: Iterable[Size] = (),
) -> Verdict:
    """PROVED if no two sides ``differ``; REFUTED with a witness of it; INCONCLUSIVE if there is none to show.

    The evidence names the sizes (m, N, P, d) at which the equations were proved.
    """
    status, found = Status.PROVED, None
    if differ is not None:
        left, right, where = differ
        shown = witness(left, right)
        status = Status.INCONCLUSIVE if shown is None else Status.REFUTED
        found = None if shown is None else {**where, **shown}
    return Verdict(
        claim=claim, optimizer="", statement=statement, kind=Kind.IDENTITY, source="derived", status=status,
        expected=Status.PROVED, reason=reason, plain=plain, witness=found,
        evidence={"sizes (m, N, P, d)": [list(size) for size in sizes]},
    )  # fmt: skip


def prove(factor: Any = 3, penalty: Any = 1, sizes: tuple[Size, ...] = SIZES) -> Verdict:
    """Prove the closed form for all ``sizes`` (m, N, P, d).

    Args:
        factor: what stands for the 3 of the statement.
        penalty: what stands for the 1 before λ.
        sizes: the sizes gone through.
    """
    checked = 0
    for m, N, P, d in sizes:
        problem = Problem.of_size(m, N, P, d)
        loss, stated = problem.loss(), problem.closed_form(factor, penalty)
        for r, k in product(range(m), range(d)):
            left, right = sp.diff(loss, problem.W[r, k]), stated[r, k]
            checked += 1
            if not problem.cancels(left - right):
                where = {"size": {"m": m, "N": N, "P": P, "d": d}, "entry": [r, k]}
                reason = f"entry ({r}, {k}) of the gradient differs at m, N, P, d = {m}, {N}, {P}, {d}"
                return verdict("proof.gradient", STATEMENT, PLAIN, reason, (left, right, where))
    reason = f"all {checked} entries over {len(sizes)} sizes cancel to 0"
    return verdict("proof.gradient", STATEMENT, PLAIN, reason, sizes=sizes)
