r"""The coefficients (c, Ξ) are a closed system: the projections of the gradient, by SymPy, for small sizes.

With w* = e₁, one signal patch y_i s_i w* a sample and Q = P − 1 noise patches orthogonal to w*,

    y_i f_i = s_i³ Σ_r c_r³ + y_i Σ_j Σ_r Ξ_{ijr}³,
    −⟨∇_{w_r} L, w*⟩ = 3 c_r² (1/N) Σ_i ℓ_i s_i³ − λ c_r,
    −⟨∇_{w_r} L, x_k⟩ = (3/N) Σ_{k'} K_{kk'} y_{i(k')} ℓ_{i(k')} Ξ_{k',r}² − λ Ξ_{k,r},

where (1/N) Σ_i ℓ_i s_i³ = α³ν₁ + β³ν₂ for strengths s_i ∈ {α, β}. Weights, noise patches, strengths and λ are
symbols, and so is ℓ_i: it is one function of y_i f_i on both sides, which the first line shows to be the same number,
and ∂L/∂w = −(1/N) Σ_i y_i ℓ_i ∂f_i/∂w + λw by the derivative of the logistic head (proved in
`proofs_check.steps.gradient`). Both sides are then polynomials, compared with y_i² = 1.

w* = e₁ is no loss: a rotation of all of W, X and w* changes no inner product, and both sides are made of these.
"""

from __future__ import annotations

__all__ = ["SIZES", "prove"]

from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp

from proofs_check.steps.gradient import Size, head_derivative_gap, verdict
from theory.verdict import Verdict

SIZES: tuple[Size, ...] = tuple(product((1, 2), (1, 2), (2, 3), (2, 3)))
"""(m, N, P, d); in d = 1 there is no noise orthogonal to w*."""

STATEMENT = (
    r"$-\langle \nabla_{w_r} L, w^* \rangle = 3 c_r^2 (\alpha^3 \nu_1 + \beta^3 \nu_2) - \lambda c_r$ and"
    r" $-\langle \nabla_{w_r} L, x_k \rangle = \frac{3}{N} \sum_{k'} K_{kk'} y_{i(k')} \ell_{i(k')} \Xi_{k',r}^2"
    r" - \lambda \Xi_{k,r}$"
)
PLAIN = "−⟨∇L, w*⟩ = 3c_r² (α³ν₁ + β³ν₂) − λc_r and −⟨∇L, x_k⟩ = (3/N) Σ_k' K_kk' y ℓ Ξ_k'² − λΞ_k"


@dataclass(frozen=True)
class _System:
    """Symbols of one size; the signal patch comes first."""

    W: sp.Matrix
    noise: tuple[sp.Matrix, ...]
    y: tuple[sp.Symbol, ...]
    strength: tuple[sp.Symbol, ...]
    ell: tuple[sp.Symbol, ...]
    lam: sp.Symbol

    @classmethod
    def of_size(cls, m: int, N: int, P: int, d: int, tilt: Any) -> _System:
        def entry(i: int, j: int, k: int) -> Any:
            return sp.Symbol(f"x{i}{j}{k}", real=True) if k else sp.sympify(tilt)

        return cls(
            W=sp.Matrix(m, d, lambda r, k: sp.Symbol(f"w{r}{k}", real=True)),
            noise=tuple(sp.Matrix(P - 1, d, lambda j, k, i=i: entry(i, j, k)) for i in range(N)),
            y=sp.symbols(f"y:{N}", real=True),
            strength=sp.symbols(f"s:{N}", positive=True),
            ell=sp.symbols(f"l:{N}", positive=True),
            lam=sp.Symbol("lambda", real=True),
        )

    @property
    def c(self) -> list[sp.Expr]:
        return list(self.W[:, 0])

    def Xi(self, i: int) -> sp.Matrix:
        """(P − 1, m)."""
        return self.noise[i] * self.W.T

    def output(self, i: int) -> sp.Expr:
        """f(X_i), from the patches."""
        d = self.W.cols
        signal = sp.Matrix(1, d, [self.y[i] * self.strength[i]] + [0] * (d - 1))
        return sp.Add(*(z**3 for z in sp.Matrix.vstack(signal, self.noise[i]) * self.W.T))

    def equations(self, factor: Any, penalty: Any) -> list[tuple[str, sp.Expr, sp.Expr]]:
        """Name, left and right side of every equation."""
        m, d = self.W.shape
        N = len(self.y)
        found = []
        for i in range(N):
            margin = self.strength[i] ** 3 * sum(c**3 for c in self.c) + self.y[i] * sum(z**3 for z in self.Xi(i))
            found.append((f"margin of sample {i}", self.y[i] * self.output(i), margin))
        minus_gradient = sp.Matrix(m, d, lambda r, k: self._minus_derivative(self.W[r, k]))
        patches = [(i, self.noise[i][j, :], self.Xi(i)[j, :]) for i in range(N) for j in range(self.noise[i].rows)]
        share = sum(ell * s**3 for ell, s in zip(self.ell, self.strength, strict=True)) / N
        for r in range(m):
            c = self.c[r]
            found.append((f"signal gradient of neuron {r}", minus_gradient[r, 0],
                          factor * c**2 * share - penalty * self.lam * c))  # fmt: skip
            for k, (_, x, xi) in enumerate(patches):
                right = sp.Rational(1, N) * factor * sum(
                    x.dot(other) * self.y[i] * self.ell[i] * z[r] ** 2 for i, other, z in patches
                )  # fmt: skip
                found.append((f"noise gradient of neuron {r} at patch {k}", minus_gradient[r, :].dot(x),
                              right - penalty * self.lam * xi[r]))  # fmt: skip
        return found

    def _minus_derivative(self, w: sp.Symbol) -> sp.Expr:
        N = len(self.y)
        return sum(self.y[i] * self.ell[i] * sp.diff(self.output(i), w) for i in range(N)) / N - self.lam * w

    def cancels(self, expression: sp.Expr) -> bool:
        """Whether the polynomial is 0 with y_i² = 1."""
        terms = sp.Poly(expression, *self.y).terms()
        reduced: dict[tuple[int, ...], sp.Expr] = {}
        for powers, coefficient in terms:
            parity = tuple(power % 2 for power in powers)
            reduced[parity] = reduced.get(parity, sp.Integer(0)) + coefficient
        return all(sp.expand(total) == 0 for total in reduced.values())


def prove(factor: Any = 3, penalty: Any = 1, tilt: Any = 0, sizes: tuple[Size, ...] = SIZES) -> Verdict:
    """Prove the projections of the gradient for all ``sizes`` (m, N, P, d).

    Args:
        factor: what stands for the 3 of the statement.
        penalty: what stands for the 1 before λ.
        tilt: ⟨x_k, w*⟩ of every noise patch, 0 in the law.
        sizes: the sizes gone through.
    """
    claim = "proof.closed_system"
    gap = head_derivative_gap()
    if gap != 0:
        reason = "the derivative of log(1 + exp(−y f)) differs from −y ℓ"
        return verdict(claim, STATEMENT, PLAIN, reason, (gap, sp.Integer(0), {}))
    checked = 0
    for size in sizes:
        system = _System.of_size(*size, tilt)
        for name, left, right in system.equations(factor, penalty):
            checked += 1
            if not system.cancels(left - right):
                where = {"size": dict(zip(("m", "N", "P", "d"), size, strict=True)), "equation": name}
                reason = f"the {name} differs at m, N, P, d = {', '.join(map(str, size))}"
                ell = {symbol: 1 / (1 + sp.exp(y * system.output(i)))
                       for i, (symbol, y) in enumerate(zip(system.ell, system.y, strict=True))}  # fmt: skip
                return verdict(claim, STATEMENT, PLAIN, reason, (left.xreplace(ell), right.xreplace(ell), where))
    reason = f"all {checked} equations over {len(sizes)} sizes cancel to 0"
    return verdict(claim, STATEMENT, PLAIN, reason, sizes=sizes)
