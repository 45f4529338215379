r"""Momentum on a quadratic with gradient noise: the exact stationary variance, and the temperature rule as its limit.

On h x²/2, h > 0, the velocity form with gradient hx + ξ, the ξ independent with mean 0 and variance q = s²/B, is

    v' = γv + η(hx + ξ),    x' = x − v',    that is z' = Az + bξ for z = (x, v),
    A = [[1 − ηh, −γ], [ηh, γ]],    b = (−η, η).

**Stability.** A has the characteristic polynomial λ² − (1 + γ − ηh)λ + γ. Complex roots have |λ|² = γ < 1; real ones
the sum 1 + γ − ηh and the product γ. For 0 ≤ γ < 1 all roots lie inside of the unit circle iff 0 < ηh < 2(1 + γ): real
arithmetic, decided for both kinds of roots and in both directions. Then z_t has a stationary law, whose covariance S
is the only solution of the Lyapunov equation S = ASAᵀ + q bbᵀ.

**Solution.** These are three linear equations in Var x, Cov(x, v) and Var v, with the determinant
±ηh(1 − γ)(2(1 + γ) − ηh), which is not 0 where A is stable. With D = (1 − γ)(2(1 + γ) − ηh),

    Var x = ηq(1 + γ)/(hD),    Var v = 2η²q/D,    Cov(x, v) = −Var v/2,    det S = η³q²/(h(1 − γ)D) > 0.

The covariance can be seen directly: x_t = x_{t+1} + v_{t+1}, and x_t and x_{t+1} have the same variance.

**Temperature.** With η = (1 − γ)Bη₀ and q = s²/B,

    Var x = η₀s²/(2h) / (1 − (1 − γ)Bη₀h/(2(1 + γ))),

so that Var x/η₀ → s²/(2h) as η₀ → 0, whatever γ and B; the denominator is the departure at a finite η₀. In the average
form with η, which is the velocity form with (1 − γ)η and stable where that is, Var x = ηq(1 + γ)/(h(2(1 + γ) −
(1 − γ)ηh)), and the rule reads η = Bη₀. Where it is not stable this is no variance: at γ = ½, ηh = 10 it is negative.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_average", "prove_stable", "prove_temperature", "prove_unique", "prove_variance"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both

gamma, eta, h, q = sp.symbols("gamma eta h q", positive=True)
A = sp.Matrix([[1 - eta * h, -gamma], [eta * h, gamma]])
b = sp.Matrix([-eta, eta])
HALF = sp.Rational(1, 2)


def _cancelled(expression: sp.Expr) -> sp.Expr:
    return sp.expand(sp.numer(sp.together(expression)))


def _lyapunov(matrix: sp.Matrix, noise: sp.Matrix) -> tuple[sp.Matrix, sp.Matrix]:
    """Matrix and right side of S = MSMᵀ + q nnᵀ as linear equations in S₁₁, S₁₂, S₂₂."""
    unknowns = sp.symbols("S_11 S_12 S_22")
    S = sp.Matrix([[unknowns[0], unknowns[1]], [unknowns[1], unknowns[2]]])
    gap = matrix * S * matrix.T + q * noise * noise.T - S
    return sp.linear_eq_to_matrix([gap[0, 0], gap[0, 1], gap[1, 1]], unknowns)


def _solved(matrix: sp.Matrix, noise: sp.Matrix) -> sp.Matrix:
    left, right = _lyapunov(matrix, noise)
    return left.LUsolve(right)


def _variances() -> sp.Matrix:
    """Var x, Cov(x, v), Var v of the velocity form."""
    return _solved(A, b)


def prove_stable(edge: Any = 2, low: Any = 0) -> Outcome:
    """Prove when all roots lie inside of the unit circle.

    Args:
        edge: what stands for the 2 of 2(1 + γ).
        low: what stands for the 0 below ηh.
    """
    import z3

    g, k, one, two = z3.Reals("gamma eta_h lambda_1 lambda_2")
    inside = z3.And(k > rational(low), k < rational(edge) * (1 + g))
    momentum = z3.And(g >= 0, g < 1)
    real = z3.And(momentum, one + two == 1 + g - k, one * two == g)
    small = z3.And(one > -1, one < 1, two > -1, two < 1)
    complex_pair = z3.And(momentum, (1 + g - k) * (1 + g - k) < 4 * g)
    return both(
        ("real roots inside if ηh is", decide(small, (real, inside), what="|λ| < 1")),
        ("ηh inside if real roots are", decide(inside, (real, small), what="0 < ηh < 2(1 + γ)")),
        ("complex roots only there, with |λ|² = γ", decide(inside, (complex_pair,), what="0 < ηh < 2(1 + γ)")),
        ("characteristic polynomial", _characteristic()),
    )


def _characteristic() -> Outcome:
    root = sp.Symbol("lambda", real=True)
    return equal((root * sp.eye(2) - A).det(), root**2 - (1 + gamma - eta * h) * root + gamma, "λ² − (1 + γ − ηh)λ + γ")


def prove_unique(edge: Any = 2, power: Any = 2) -> Outcome:
    """Prove that the Lyapunov equation has one solution, which is positive definite, where A is stable.

    Args:
        edge: what stands for the 2 of 2(1 + γ).
        power: the exponent of q in det S.
    """
    import z3

    determinant = _lyapunov(A, b)[0].det()
    x, c, v = _variances()
    D = (1 - gamma) * (2 * (1 + gamma) - eta * h)
    g, k = z3.Reals("gamma eta_h")
    domain = (g >= 0, g < 1, k > 0, k < rational(edge) * (1 + g))
    return both(
        ("determinant", equal(determinant, -eta * h * D, "−ηhD", _cancelled)),
        ("D > 0", decide((1 - g) * (2 * (1 + g) - k) > 0, domain, what="D > 0")),
        ("det S", equal(x * v - c**2, eta**3 * q**power / (h * (1 - gamma) * D), "η³q²/(h(1 − γ)D)", _cancelled)),
    )


def prove_variance(plus: Any = 1, two: Any = 2, covariance: Any = -HALF) -> Outcome:
    """Prove the variances.

    Args:
        plus: what stands for the 1 of 1 + γ in the numerator of Var x.
        two: what stands for the 2 of 2(1 + γ) in the denominator.
        covariance: Cov(x, v) over Var v.
    """
    x, c, v = _variances()
    D = (1 - gamma) * (two * (1 + gamma) - eta * h)
    return both(
        ("Var x", equal(x, eta * q * (plus + gamma) / (h * D), "ηq(1 + γ)/(hD)", _cancelled)),
        ("Var v", equal(v, 2 * eta**2 * q / D, "2η²q/D", _cancelled)),
        ("Cov(x, v)", equal(c, covariance * v, "−Var v/2", _cancelled)),
    )


def prove_temperature(half: Any = 2, batch: Any = 1) -> Outcome:
    """Prove the temperature rule with its exact departure.

    Args:
        half: what stands for the 2 of 2h.
        batch: the exponent of B in η = (1 − γ)Bη₀.
    """
    s, B, eta_0 = sp.symbols("s B eta_0", positive=True)
    x = _variances()[0].subs({eta: (1 - gamma) * B**batch * eta_0, q: s**2 / B}, simultaneous=True)
    stated = eta_0 * s**2 / (half * h) / (1 - (1 - gamma) * B * eta_0 * h / (2 * (1 + gamma)))
    limit = sp.cancel(sp.together(x / eta_0)).subs(eta_0, 0)  # a quotient of polynomials, continuous at 0
    return both(
        ("exactly", equal(x, stated, "with its denominator", _cancelled)),
        ("η₀ → 0", equal(limit, s**2 / (half * h), "Var x/η₀ → s²/(2h)", _cancelled)),
    )


def prove_average(damping: Any = 1, edge: Any = 2) -> Outcome:
    """Prove the variance in the average form g ← γg + (1 − γ)∇, x ← x − ηg, from a Lyapunov equation of its own.

    Args:
        damping: the exponent of 1 − γ before ηh.
        edge: what stands for the 2 of 2(1 + γ) in the hypothesis.
    """
    import z3

    g, k = z3.Reals("gamma eta_h")
    stable = (g >= 0, g < 1, (1 - g) * k > 0, (1 - g) * k < rational(edge) * (1 + g))
    root = sp.Symbol("lambda", real=True)
    share = 1 - gamma
    matrix = sp.Matrix([[1 - eta * share * h, -eta * gamma], [share * h, gamma]])  # of (x, g): x' = x − ηg'
    x = _solved(matrix, sp.Matrix([-eta * share, share]))[0]
    stated = eta * q * (1 + gamma) / (h * (2 * (1 + gamma) - share**damping * eta * h))
    velocity = _variances()[0].subs(eta, share * eta)
    roots = root**2 - (1 + gamma - share * eta * h) * root + gamma
    return both(
        ("its eigenvalues are the velocity form's at (1 − γ)η", equal((root * sp.eye(2) - matrix).det(), roots)),
        ("Var x > 0", decide(k * (1 + g) * (2 * (1 + g) - (1 - g) * k) > 0, stable, what="Var x > 0")),
        ("its own equation", equal(x, stated, "ηq(1 + γ)/(h(2(1 + γ) − (1 − γ)ηh))", _cancelled)),
        ("the velocity form at (1 − γ)η", equal(velocity, stated, "the same", _cancelled)),
    )


NOISE = "independent gradient noise of mean 0 and variance s²/B > 0"
STABLE = ("0 ≤ γ < 1", "η, h > 0", "ηh < 2(1+γ)")

CHAPTER = Chapter(
    title="The stationary variance and the temperature rule",
    after=("conventions",),
    steps=(
        Step(
            id="stationary_variance.stable",
            statement=(
                r"for $0 \le \gamma < 1$ both eigenvalues of $A = \begin{pmatrix} 1-\eta h & -\gamma \\ \eta h & "
                r"\gamma \end{pmatrix}$ have $|\lambda| < 1$ if and only if $0 < \eta h < 2(1+\gamma)$"
            ),
            plain="for 0 ≤ γ < 1 momentum on h x²/2 is stable iff 0 < ηh < 2(1+γ)",
            hypotheses=("0 ≤ γ < 1", "η, h > 0", "velocity form"),
            method="real and complex roots apart, both directions, by z3 over the reals",
            prove=prove_stable,
            planted=(
                Planted("3(1+γ) for 2(1+γ)", {"edge": 3}),
                Planted("1.9(1+γ) for 2(1+γ)", {"edge": "1.9"}),
                Planted("−1 for 0", {"low": -1}),
            ),
        ),
        Step(
            id="stationary_variance.unique",
            statement=(
                r"for $0 \le \gamma < 1$, $0 < \eta h < 2(1+\gamma)$ the equation $S = A S A^T + q\, b b^T$ has "
                r"exactly one symmetric solution, and $\det S = \eta^3 q^2 / (h(1-\gamma)D) > 0$, $D = "
                r"(1-\gamma)(2(1+\gamma)-\eta h)$"
            ),
            plain="where it is stable, the Lyapunov equation has one solution, with det S = η³q²/(h(1−γ)D) > 0",
            hypotheses=STABLE,
            method="the determinant of the linear equations by SymPy, its sign by z3",
            prove=prove_unique,
            planted=(
                Planted("q for q²", {"power": 1}),
                Planted("2.1(1+γ) for 2(1+γ)", {"edge": "2.1"}, hypothesis=True),
            ),
            weaker=({"edge": 1},),
        ),
        Step(
            id="stationary_variance.velocity",
            statement=(
                r"$\mathrm{Var}\, x = \frac{\eta s^2 (1+\gamma)}{B h (1-\gamma)(2(1+\gamma) - \eta h)}$, "
                r"$\mathrm{Var}\, v = \frac{2\eta^2 s^2}{B(1-\gamma)(2(1+\gamma)-\eta h)}$, $\mathrm{Cov}(x, v) = "
                r"-\frac12 \mathrm{Var}\, v$"
            ),
            plain="Var x = ηs²(1+γ)/(Bh(1−γ)(2(1+γ)−ηh)), Var v = 2η²s²/(B(1−γ)(2(1+γ)−ηh)), Cov(x, v) = −Var v/2",
            hypotheses=("velocity form on h x²/2, stationary", NOISE, *STABLE),
            method="the Lyapunov equation solved by SymPy for symbolic γ, η, h, q = s²/B",
            prove=prove_variance,
            planted=(
                Planted("2 for the 1 of 1+γ", {"plus": 2}),
                Planted("(1+γ)−ηh for 2(1+γ)−ηh", {"two": 1}),
                Planted("the covariance with the other sign", {"covariance": HALF}),
            ),
        ),
        Step(
            id="stationary_variance.temperature",
            statement=(
                r"with $\eta = (1-\gamma)B\eta_0$: $\mathrm{Var}\, x = \frac{\eta_0 s^2}{2h} \big/ \big(1 - "
                r"\frac{(1-\gamma)B\eta_0 h}{2(1+\gamma)}\big)$, so $\mathrm{Var}\, x / \eta_0 \to s^2/(2h)$ as "
                r"$\eta_0 \to 0$ for all $\gamma$ and $B$"
            ),
            plain=(
                "with η = (1−γ)Bη₀: Var x = (η₀s²/2h)/(1 − (1−γ)Bη₀h/(2(1+γ))), so Var x/η₀ → s²/(2h) as η₀ → 0, "
                "whatever γ and B"
            ),
            hypotheses=("velocity form on h x²/2, stationary", NOISE, "0 ≤ γ < 1", "0 < (1−γ)Bη₀h < 2(1+γ)"),
            method="substitution and limit by SymPy",
            prove=prove_temperature,
            planted=(Planted("h for 2h", {"half": 1}), Planted("B² for B", {"batch": 2})),
        ),
        Step(
            id="stationary_variance.average",
            statement=(
                r"in the average form $\mathrm{Var}\, x = \frac{\eta s^2(1+\gamma)}{B h (2(1+\gamma) - (1-\gamma)\eta "
                r"h)} > 0$, which is the velocity form's at $(1-\gamma)\eta$"
            ),
            plain="in the average form Var x = ηs²(1+γ)/(Bh(2(1+γ) − (1−γ)ηh)) > 0, the velocity form's at (1−γ)η",
            hypotheses=("average form on h x²/2, stationary", NOISE, "0 ≤ γ < 1", "0 < (1−γ)ηh < 2(1+γ)"),
            method="a Lyapunov equation of its own, solved by SymPy, and the substitution; the sign by z3",
            prove=prove_average,
            planted=(
                Planted("without the 1−γ", {"damping": 0}),
                Planted("3(1+γ) for 2(1+γ)", {"edge": 3}, hypothesis=True),
            ),
        ),
    ),
)
