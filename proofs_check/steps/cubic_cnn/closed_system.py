r"""The coefficients (c, Ξ) are a closed system, and every linear optimizer commutes with the projection onto them.

With w* = e₁, one signal patch y_i s_i w* a sample and P − 1 noise patches x_k orthogonal to w*,

    y_i f_i = s_i³ Σ_r c_r³ + y_i Σ_j Σ_r Ξ_{ijr}³,
    −⟨∇_{w_r} L, w*⟩ = 3 c_r² (1/N) Σ_i ℓ_i s_i³ − λ c_r,
    −⟨∇_{w_r} L, x_k⟩ = (3/N) Σ_{k'} K_{kk'} y_{i(k')} ℓ_{i(k')} Ξ_{k',r}² − λ Ξ_{k,r},

where (1/N) Σ_i ℓ_i s_i³ = α³ν₁ + β³ν₂ for strengths s_i ∈ {α, β}. Weights, noise patches, strengths and λ are
symbols. By the chain rule ∂L/∂w = −(1/N) Σ_i y_i ℓ_i ∂f_i/∂w + λw; ℓ_i is one function of y_i f_i, which the first line
gives in (c, Ξ), so it may be a symbol on both sides, and these are polynomials, compared with y_i² = 1. w* = e₁ is no
loss: a rotation of all of W, X and w* changes no inner product, and both sides are made of these. The signal patch
comes first, which is no loss as f is a sum over patches.

**Not orthogonal.** With τ_k = ⟨x_k, w*⟩ the two gradients are more by

    (3/N) Σ_k y_{i(k)} ℓ_{i(k)} τ_k Ξ_{k,r}²    and    3 c_r² (α³ν₁ + β³ν₂) τ_k:

the system is still closed, but c and Ξ drive each other directly. As α³ν₁ + β³ν₂ > 0, the second vanishes for a
c_r ≠ 0 only if τ_k = 0: orthogonality is necessary for the noise gradient as it is stated. The first is a sum, and may
cancel.

**Sizes.** All of this is gone through for m, N, P, d ≤ 3. At other sizes it follows by hand from the gradient's closed
form, which is proved for all of them (`gradient.indexed`): take its inner product with w* and with x_k.

**Linear optimizers.** In the recursion u' = γu + κ_t ∇, θ' = θ − p_t u' − q_t ∇, with numbers γ, κ_t, p_t, q_t, let M
be any matrix with d rows, such as the columns w*, x_1, …, x_n. If (C, V) = (W M, U M) at t, and the gradient in
coefficients is ∇M, then (C', V') = (W'M, U'M) for a W of any shape; at t = 0, U = 0 and V = 0M = 0. By induction over
t the equations above give the projected trajectory. Nothing like it holds for steps that are not linear in u, or whose
rate differs from entry to entry.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "SIZES", "System", "commutes", "noise", "orthogonal", "signal"]

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal
from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.sums import equal_sums
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.proofs_check.steps.cubic_cnn.gradient import SIZES, Size, head_derivative
from lemmascope.theory.verdict import Status

Equation = tuple[dict[str, Any], sp.Expr, sp.Expr]


@dataclass(frozen=True)
class System:
    """Symbols of one size; the signal patch comes first, and patch j of sample i has ⟨x, w*⟩ = ``tilts[i][j]``."""

    W: sp.Matrix
    noise: tuple[sp.Matrix, ...]
    y: tuple[sp.Symbol, ...]
    strength: tuple[sp.Symbol, ...]
    lam: sp.Symbol

    @classmethod
    def of_size(cls, m: int, N: int, P: int, d: int, tilt: Any = 0) -> System:
        """All entries are different symbols; ``tilt`` is one number for all patches, or None for a symbol each."""

        def entry(i: int, j: int, k: int) -> Any:
            if k:
                return sp.Symbol(f"x{i}{j}{k}", real=True)
            return sp.Symbol(f"tau{i}{j}", real=True) if tilt is None else sp.sympify(tilt)

        return cls(
            W=sp.Matrix(m, d, lambda r, k: sp.Symbol(f"w{r}{k}", real=True)),
            noise=tuple(sp.Matrix(P - 1, d, lambda j, k, i=i: entry(i, j, k)) for i in range(N)),
            y=sp.symbols(f"y:{N}", real=True),
            strength=sp.symbols(f"s:{N}", positive=True),
            lam=sp.Symbol("lambda", real=True),
        )

    def Xi(self, i: int) -> sp.Matrix:
        """(P − 1, m)."""
        return self.noise[i] * self.W.T

    @cached_property
    def output(self) -> list[sp.Expr]:
        """f(X_i), from the patches."""
        d = self.W.cols
        signals = [sp.Matrix(1, d, [y * s] + [0] * (d - 1)) for y, s in zip(self.y, self.strength, strict=True)]
        patches = [sp.Matrix.vstack(one, noise) for one, noise in zip(signals, self.noise, strict=True)]
        return [sp.Add(*(z**3 for z in X * self.W.T)) for X in patches]

    @cached_property
    def ell(self) -> list[sp.Expr]:
        """ℓ_i."""
        return [1 / (1 + sp.exp(y * f)) for y, f in zip(self.y, self.output, strict=True)]

    def share(self, power: Any = 3) -> sp.Expr:
        """(1/N) Σ_i ℓ_i s_i³."""
        return sp.Add(*(ell * s**power for ell, s in zip(self.ell, self.strength, strict=True))) / len(self.y)

    @cached_property
    def patches(self) -> list[tuple[int, sp.Matrix, sp.Matrix]]:
        """Sample, x_k and Ξ_k of every noise patch."""
        return [
            (i, self.noise[i][j, :], self.Xi(i)[j, :]) for i in range(len(self.y)) for j in range(self.noise[i].rows)
        ]

    def minus_gradient(self, r: int) -> sp.Matrix:
        """−∇_{w_r} L, by the chain rule."""
        N = len(self.y)
        return sp.Matrix(
            1,
            self.W.cols,
            [
                sp.Add(*(self.y[i] * self.ell[i] * sp.diff(self.output[i], w) for i in range(N))) / N - self.lam * w
                for w in self.W[r, :]
            ],
        )

    def margins(self, power: Any) -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        """Name, and both sides, of y_i f_i for each sample."""
        cubes = sp.Add(*(c**3 for c in self.W[:, 0]))
        for i, (y, s) in enumerate(zip(self.y, self.strength, strict=True)):
            noise = y * sp.Add(*(z**3 for z in self.Xi(i)))
            yield f"margin of sample {i}", y * self.output[i], s**power * cubes + noise

    def signal(self, factor: Any, penalty: Any, power: Any, leak: Any) -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        """Of −⟨∇_{w_r} L, w*⟩ for each neuron; ``leak`` times the part that τ adds."""
        for r, c in enumerate(self.W[:, 0]):
            more = sp.Add(*(self.y[i] * self.ell[i] * x[0] * xi[r] ** 2 for i, x, xi in self.patches)) / len(self.y)
            right = factor * c**2 * self.share(power) - penalty * self.lam * c + 3 * leak * more
            yield f"signal gradient of neuron {r}", self.minus_gradient(r)[0], right

    def memorization(self, factor: Any, penalty: Any, leak: Any) -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        """Of −⟨∇_{w_r} L, x_k⟩ for each neuron and noise patch, likewise."""
        for r, c in enumerate(self.W[:, 0]):
            left = self.minus_gradient(r)
            for k, (_, x, xi) in enumerate(self.patches):
                pull = sp.Add(*(x.dot(other) * self.y[i] * self.ell[i] * z[r] ** 2 for i, other, z in self.patches))
                right = factor * pull / len(self.y) - penalty * self.lam * xi[r] + 3 * leak * c**2 * self.share() * x[0]
                yield f"noise gradient of neuron {r} at patch {k}", left.dot(x), right


def labels(expression: sp.Expr) -> sp.Expr:
    """A normal form for polynomials with y_i² = 1, each ℓ a symbol of its own."""
    heads = {e: sp.Dummy("ell") for e in expression.atoms(sp.Pow) if e.exp == -1 and e.base.has(sp.exp)}
    polynomial = sp.expand(expression.xreplace(heads))
    return sp.expand(polynomial.replace(_is_label, lambda power: power.base ** (power.exp % 2)))


def _is_label(e: sp.Expr) -> bool:
    return e.is_Pow and e.base.is_Symbol and str(e.base).startswith("y") and e.exp.is_Integer


def _over(
    over: Iterable[Size], tilt: Any, sides: Callable[[System], Iterable[tuple[str, sp.Expr, sp.Expr]]]
) -> Iterator[Equation]:
    for size in over:
        for name, left, right in sides(System.of_size(*size, tilt)):
            yield {"size": dict(zip(("m", "N", "P", "d"), size, strict=True)), "equation": name}, left, right


def _two_strengths() -> Iterator[Equation]:
    """(1/N) Σ ℓ_i s_i³ and α³ν₁ + β³ν₂, for every choice of Z₁ among N ≤ 3 samples."""
    alpha, beta = sp.symbols("alpha beta", positive=True)
    for N in (1, 2, 3):
        ell = sp.symbols(f"ell:{N}", positive=True)
        for large in product((True, False), repeat=N):
            nu = [sp.Add(*(x for x, z in zip(ell, large, strict=True) if z is which)) / N for which in (True, False)]
            share = sp.Add(*(x * (alpha if z else beta) ** 3 for x, z in zip(ell, large, strict=True))) / N
            yield {"N": N, "large": [i for i, z in enumerate(large) if z]}, share, alpha**3 * nu[0] + beta**3 * nu[1]


def signal(factor: Any = 3, penalty: Any = 1, power: Any = 3, tilt: Any = 0, over: tuple[Size, ...] = SIZES) -> Outcome:
    """Margins and signal gradient for all sizes ``over``.

    Args:
        factor, penalty, power: what stands for the 3, the 1 before λ and the exponent of the strength.
        tilt: ⟨x_k, w*⟩ of every noise patch, 0 in the law.
        over: the sizes (m, N, P, d) gone through.
    """
    margins = _over(over, tilt, lambda system: system.margins(power))
    gradients = _over(over, tilt, lambda system: system.signal(factor, penalty, power, 0))
    return both(
        ("derivative of the head", head_derivative()),
        ("margins", all_equal(margins, "all {count} equations cancel to 0", labels)),
        ("signal gradients", all_equal(gradients, "all {count} equations cancel to 0", labels)),
        ("α³ν₁ + β³ν₂", all_equal(_two_strengths(), "for all {count} choices of the large-margin samples")),
    )


def noise(factor: Any = 3, penalty: Any = 1, tilt: Any = 0, over: tuple[Size, ...] = SIZES) -> Outcome:
    """Noise gradient for all sizes ``over``; arguments as for `signal`."""
    gradients = _over(over, tilt, lambda system: system.memorization(factor, penalty, 0))
    return both(
        ("derivative of the head", head_derivative()),
        ("noise gradients", all_equal(gradients, "all {count} equations cancel to 0", labels)),
    )


def orthogonal(leak: Any = 1, least: Any = 0, over: tuple[Size, ...] = SIZES) -> Outcome:
    """What τ_k = ⟨x_k, w*⟩ adds, with a symbol for each, and that the noise gradient gets something.

    Args:
        leak: what stands for the factor 1 of the added terms.
        least: β is taken to be above it.
        over: the sizes (m, N, P, d) gone through.
    """
    import z3

    c, tau, alpha, beta, nu_1, nu_2 = z3.Reals("c tau alpha beta nu_1 nu_2")
    added = [
        _over(over, None, lambda system: system.signal(3, 1, 3, leak)),
        _over(over, None, lambda system: system.memorization(3, 1, leak)),
    ]
    more = 3 * c * c * (alpha * alpha * alpha * nu_1 + beta * beta * beta * nu_2) * tau
    domain = (tau != 0, c != 0, alpha > 0, beta > rational(least), nu_1 >= 0, nu_2 >= 0, nu_1 + nu_2 > 0)
    necessary = decide(more != 0, domain, what="3c²(α³ν₁ + β³ν₂)τ ≠ 0 for c, τ ≠ 0")
    if necessary.status is not Status.PROVED:
        return both(("necessity", necessary))
    return both(
        ("necessity", necessary),
        ("derivative of the head", head_derivative()),
        ("signal gradients", all_equal(added[0], "all {count} equations cancel to 0", labels)),
        ("noise gradients", all_equal(added[1], "all {count} equations cancel to 0", labels)),
    )


def commutes(power: Any = 1, entrywise: bool = False, scale: Any = 1) -> Outcome:
    """One step of the recursion commutes with W ↦ W M, entry by entry, for symbolic d; at the start both are equal.

    Args:
        scale: of κ in the projected recursion.
        power: of the gradient in the step, entry by entry; 1 for a linear optimizer.
        entrywise: whether κ is one number for each entry.
    """
    a, b, k, d = sp.symbols("a b k d", integer=True, nonnegative=True)
    gamma, kappa, p, q = sp.symbols("gamma kappa p q", real=True)
    W, U, G, M, rates = (sp.IndexedBase(name, real=True) for name in ("W", "U", "G", "M", "kappa"))

    def projected(entry: sp.Expr) -> sp.Expr:
        return sp.Sum(entry * M[k, b], (k, 0, d - 1))

    def step(theta: sp.Expr, u: sp.Expr, g: sp.Expr, index: sp.Symbol, scale: Any) -> tuple[sp.Expr, sp.Expr]:
        new = gamma * u + scale * (rates[index] if entrywise else kappa) * g**power
        return theta - p * new - q * g**power, new

    weights = step(W[a, k], U[a, k], G[a, k], k, 1)
    coefficients = step(projected(W[a, k]), projected(U[a, k]), projected(G[a, k]), b, scale)
    at = {d: 2, a: 0, b: 0}
    reason = "the same normal form, for every entry and every d"
    return both(
        ("at the start", equal_sums(projected(sp.Integer(0)), sp.Integer(0), (k,), at, reason="u_0 = 0 on both sides")),
        ("buffer", equal_sums(projected(weights[1]), coefficients[1], (k,), at, reason=reason)),
        ("iterate", equal_sums(projected(weights[0]), coefficients[0], (k,), at, reason=reason)),
    )


LAW = "one patch of each sample is y_i s_i w*, s_i ∈ {α, β}, α, β > 0, y_i ∈ {−1, 1}, |w*| = 1"
ORTHOGONAL = "all other patches are orthogonal to w*"
REAL = ("W, X, λ real", LAW, ORTHOGONAL)
CANCEL = "SymPy: the chain rule on f written out in symbols; both sides are polynomials with y_i² = 1"
PLANTED = (
    Planted("2 in place of the factor 3", {"factor": 2}),
    Planted("2λ in place of λ", {"penalty": 2}),
    Planted("⟨x_k, w*⟩ = 1, not 0", {"tilt": 1}, hypothesis=True),
)

CHAPTER = Chapter(
    title="The coefficients are a closed system",
    after=("gradient",),
    steps=(
        Step(
            id="closed_system.signal",
            statement=(
                r"For all $m, N, P, d \le 3$: $-\langle \nabla_{w_r} L, w^* \rangle = 3 c_r^2 (\alpha^3 \nu_1 + "
                r"\beta^3 \nu_2) - \lambda c_r$ and $y_i f_i = s_i^3 \sum_r c_r^3 + y_i \sum_j \sum_r \Xi_{ijr}^3$."
            ),
            plain=(
                "−⟨∇_{w_r} L, w*⟩ = 3c_r² (α³ν₁ + β³ν₂) − λc_r, and y_i f_i = s_i³ Σ c_r³ + y_i Σ Σ Ξ³, all sizes ≤ 3"
            ),
            hypotheses=REAL,
            method=CANCEL,
            prove=signal,
            planted=(*PLANTED, Planted("s_i² for s_i³", {"power": 2})),
        ),
        Step(
            id="closed_system.noise",
            statement=(
                r"For all $m, N, P, d \le 3$: $-\langle \nabla_{w_r} L, x_k \rangle = \frac{3}{N} \sum_{k'} K_{kk'} "
                r"y_{i(k')} \ell_{i(k')} \Xi_{k',r}^2 - \lambda \Xi_{k,r}$."
            ),
            plain="−⟨∇_{w_r} L, x_k⟩ = (3/N) Σ_k' K_kk' y ℓ Ξ_k'² − λΞ_k, all sizes ≤ 3",
            hypotheses=REAL,
            method=CANCEL,
            prove=noise,
            planted=PLANTED,
        ),
        Step(
            id="closed_system.orthogonal",
            statement=(
                r"For all $m, N, P, d \le 3$: with $\tau_k = \langle x_k, w^* \rangle$ the signal gradient gains "
                r"$\frac3N \sum_k y_{i(k)} \ell_{i(k)} \tau_k \Xi_{k,r}^2$ and the noise gradient $3 c_r^2(\alpha^3"
                r"\nu_1 + \beta^3\nu_2)\tau_k$, which is $0$ for $c_r \ne 0$ only if $\tau_k = 0$."
            ),
            plain=(
                "τ_k = ⟨x_k, w*⟩ adds (3/N) Σ y ℓ τ_k Ξ_k² to the signal gradient and 3c_r² (α³ν₁ + β³ν₂) τ_k to the "
                "noise gradient, all sizes ≤ 3; the latter is not 0 where c_r, τ_k ≠ 0"
            ),
            hypotheses=("W, X, λ, τ_k real", LAW),
            method=f"{CANCEL}; necessity by z3",
            prove=orthogonal,
            planted=(
                Planted("nothing is added", {"leak": 0}),
                Planted("twice as much is added", {"leak": 2}),
                Planted("β > −1", {"least": -1}, hypothesis=True),
            ),
        ),
        Step(
            id="closed_system.commutes",
            statement=(
                r"For all $m, d, n \ge 1$, every $M \in \mathbb{R}^{d \times n}$ and all $\gamma, \kappa_t, p_t, q_t$: "
                r"the recursion $u' = \gamma u + \kappa_t \nabla$, $\theta' = \theta - p_t u' - q_t \nabla$ on $W$ "
                r"with $\nabla$, projected by $M$, is the recursion on $WM$ with $\nabla M$, at every $t$."
            ),
            plain=(
                "every linear optimizer commutes with the projection W ↦ WM, so with (c, Ξ), in any dimension and at "
                "every step"
            ),
            hypotheses=(
                "γ, κ_t, p_t, q_t are numbers, the same for all entries",
                "u_0 = 0",
                "∇ is any sequence of matrices, ∇M on the other side",
            ),
            method="induction over t: the start, and one step for symbolic d, entry by entry, by SymPy's indexed sums",
            prove=commutes,
            planted=(
                Planted("2κ_t in the projected recursion", {"scale": 2}),
                Planted("the gradient's squares", {"power": 2}, hypothesis=True),
                Planted("a rate for each entry", {"entrywise": True}, hypothesis=True),
            ),
        ),
    ),
)
