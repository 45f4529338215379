r"""Gradient noise as a series: where fractional noise is white, what epochs and momentum do to white noise, and V_H.

Notation of `theory.noise.long_memory`. p stands for 2H, P for γ^k; what holds for all P holds for all k.

**Fractional noise.** 2γ_H(k) = f(k+1) − 2f(k) + f(k−1), f(x) = x^p, is the integral of (1 − |t|)f''(k + t) over
[−1, 1], as (1 − t)f'(k + t) + f(k + t) has the derivative (1 − t)f''(k + t); so it has the sign of f'' =
p(p − 1)x^{p−2}. For k = 1 the integrand is infinite at t = −1 and integrable.

**Epochs.** Exchangeable numbers of variance v and covariance c that sum to 0: Ev + E(E − 1)c = 0. Of the E ordered
positions in an epoch, E − k have a partner k later in the same one. A batch is B of N samples that sum to 0.

**Kurtosis.** With M_j the moments of a sum of B independent copies of u, mean 0: M₂ grows by s², M₄ by 6M₂s² + m₄.

**V_H.** x⁺ = qx + ξ, q = 1 − a: V = q²V + 2qC + 1, C = E xξ = Σ_j q^jγ_H(j + 1). Cut off after k = K the sum is off by
at most q^{K+1}/a, as |γ_H| ≤ 1.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_epoch", "prove_fractional", "prove_kurtosis", "prove_momentum", "prove_variance"]

from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.balls import positive
from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.signs import precision
from lemmascope.proofs_check.outcome import proved, refuted
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

LAGS = (1, 2, 5)
ENDS = ((Fraction(1, 25), Fraction(12, 25)), (Fraction(13, 25), Fraction(24, 25)))
HALF = sp.Rational(1, 2)
TERMS, BITS = 25_000, 64


def prove_fractional(sign: int = 1, white: Any = HALF) -> Outcome:
    """γ_H(1) = 0 at H = ½ alone; γ_H(k) < 0 for H < ½ and > 0 for H > ½.

    Args:
        sign: of γ_H for H > ½; white: where γ_H(1) vanishes.
    """
    import flint
    import z3

    x, p, lag = sp.symbols("x p k", positive=True)
    f = x**p
    first, second = sp.diff(f, x), sp.diff(f, x, 2)
    inner = (1 - (x - lag)) * first + f  # at x = k + t
    at_one = (2**p - 2) / sp.Integer(2)
    q = z3.Real("p")

    def covariance(at: int, side: int) -> Any:
        def of(H: Any) -> Any:
            power, ball = 2 * H, flint.arb
            below = ball(at - 1) ** power if at > 1 else ball(0)
            return side * sign * (ball(at + 1) ** power - 2 * ball(at) ** power + below)

        return of

    links = [
        ("γ_H(1)", equal(at_one.subs(p, 2 * sp.sympify(white)), sp.Integer(0), "(2^{2H} − 2)/2 = 0 at H = ½")),
        ("only there", equal(sp.diff(at_one, p), sp.log(2) * 2**p / 2, "the derivative in 2H is 2^{2H−1} ln 2 > 0")),
        ("f''", equal(second, p * (p - 1) * f / x**2, "p(p − 1)x^{p−2}")),
        ("integrand", equal(sp.diff(inner, x), (1 - (x - lag)) * second, "(1 − t)f''(k + t)")),
        ("sign for H < ½", decide(sign * q * (q - 1) < 0, (q > 0, q < 1), what="p(p − 1) < 0")),
        ("sign for H > ½", decide(sign * q * (q - 1) > 0, (q > 1, q < 2), what="p(p − 1) > 0")),
    ]
    for one in LAGS:
        for (low, high), side in zip(ENDS, (-1, 1), strict=True):
            word = "<" if side < 0 else ">"
            links.append(
                (
                    f"balls, k = {one}, H {'<' if side < 0 else '>'} ½",
                    positive(covariance(one, side), low, high, what=f"γ_H({one}) {word} 0"),
                )
            )
    return both(*links)


def prove_epoch(less: int = 1, corrected: bool = True, of: Any = HALF) -> Outcome:
    """Corr = −1/(E − 1) in an epoch; Σ_k (1 − k/E)/(E − 1) = ½; a batch's variance σ²/B (N − B)/(N − 1).

    Args:
        less: what is taken from E; corrected: whether the variance has (N − B)/(N − 1); of: the sum.
    """
    E, N, B, v, n = sp.symbols("E N B v n", positive=True)
    correlation = -1 / (E - less)
    triangle = n * (n + 1) / 2  # 1 + … + n
    total = ((E - 1) - triangle.subs(n, E - 1) / E) / (E - less)
    pairs = v / B**2 * (B + B * (B - 1) * (-1 / (N - 1)))
    return both(
        (
            "sum of an epoch",
            equal(E * v + E * (E - 1) * correlation * v, sp.Integer(0), "its variance is 0", numerator),
        ),
        ("1 + … + n, n = 1", equal(triangle.subs(n, 1), sp.Integer(1), "1")),
        ("one more", equal(triangle.subs(n, n + 1) - triangle, n + 1, "n + 1")),
        ("sum over lags", equal(total, sp.sympify(of), "½", numerator)),
        ("batch", equal(pairs, v / B * ((N - B) / (N - 1) if corrected else 1), "σ²/B (N − B)/(N − 1)", numerator)),
    )


def prove_momentum(twice: Any = 2, power: int = 2) -> Outcome:
    """Var(v_1 + … + v_k) = k − 2γ(1 − γ^k)/(1 − γ²), by induction over k; and the same path by path.

    Args:
        twice: what stands before γ; power: of γ in the denominator.
    """
    gamma, P, k = sp.symbols("gamma P k", positive=True)
    xi, v = sp.symbols("xi v", real=True)
    variance = (1 - gamma) / (1 + gamma)

    def stated(count: Any, power_of: Any) -> Any:
        return count - twice * gamma * (1 - power_of) / (1 - gamma**power)

    covariances = variance * gamma * (1 - P) / (1 - gamma)  # Σ_{i ≤ k} Var γ^i
    after = gamma * v + (1 - gamma) * xi
    return both(
        ("stationary", equal(gamma**2 * variance + (1 - gamma) ** 2, variance, "(1 − γ)/(1 + γ)", numerator)),
        ("k = 1", equal(stated(1, gamma), variance, "Var v", numerator)),
        ("covariances, k = 0", equal(covariances.subs(P, 1), sp.Integer(0), "none")),
        ("one more", equal(covariances.subs(P, gamma * P) - covariances, variance * gamma * P, "γ^{k+1}", numerator)),
        ("k + 1", equal(stated(k + 1, gamma * P) - stated(k, P), variance + 2 * covariances, "Var and Cov", numerator)),
        ("a path", equal(after, xi - gamma / (1 - gamma) * (after - v), "ξ − (v⁺ − v)γ/(1 − γ)", numerator)),
        (
            "H(1)",
            equal(stated(2, gamma**2) / stated(1, gamma), 2 * (1 + gamma), "2(1 + γ): near 2², as γ → 1", numerator),
        ),
    )


def prove_kurtosis(power: int = 1, middle: Any = 3) -> Outcome:
    """The excess kurtosis of the mean of B independent copies is κ₁/B.

    Args:
        power: of B; middle: what is before B(B − 1)s⁴.
    """
    B, s, m = sp.symbols("B s m4", positive=True)

    def fourth(count: Any) -> Any:
        return count * m + middle * count * (count - 1) * s**4

    kappa = m / s**4 - 3
    return both(
        ("B = 1", equal(fourth(1), m, "m₄")),
        ("one more", equal(fourth(B + 1) - fourth(B), 6 * (B * s**2) * s**2 + m, "6M₂s² + m₄")),
        ("excess", equal(fourth(B) / (B * s**2) ** 2 - 3, kappa / B**power, "κ₁/B", numerator)),
    )


def prove_variance(shift: int = 1, within: Any = Fraction(1, 500), square: int = 2) -> Outcome:
    """V_H(1 − q²) = 1 + 2Σ q^kγ_k, V_½ = 1/(1 − q²); and V_H a^{2H} over ½Γ(2H + 1) at a = 10⁻³, by balls.

    Args:
        shift: what is added to 2H in Γ; within: how near the ratio is to 1; square: power of q in V_½.
    """
    q, total, V = sp.symbols("q S V", positive=True)  # S = Σ q^k γ_k, k from 1
    V = (1 + 2 * total) / (1 - q**2)
    white = 1 / (1 - q**square)
    links = [
        ("V_H", equal(q**2 * V + 2 * total + 1, V, "q²V + 2qC + 1, qC = S", numerator)),
        ("V_½", equal(white, V.subs(total, 0), "1/(1 − (1 − a)²)", numerator)),
    ]
    links += [(f"balls, H = {H}", _near(H, shift, within)) for H in (Fraction(3, 10), Fraction(7, 10))]
    return both(*links)


def _near(H: Fraction, shift: int, within: Any) -> Outcome:
    import flint

    with precision(BITS):
        a, p = flint.arb(flint.fmpq(1, 1000)), flint.arb(flint.fmpq(2 * H.numerator, H.denominator))
        q, weight, total = 1 - a, flint.arb(1), flint.arb(0)
        below, here = flint.arb(0), flint.arb(1)
        for k in range(1, TERMS + 1):
            above = flint.arb(k + 1) ** p
            weight = weight * q
            total += weight * (above - 2 * here + below)  # twice γ_k
            below, here = here, above
        tail = 2 * weight * q / a
        total += flint.arb(0, tail.upper())
        ratio = (1 + total) / (1 - q * q) * a**p / ((p + shift).gamma() / 2)
        off = abs(ratio - 1)
        bound = flint.arb(flint.fmpq(Fraction(within).numerator, Fraction(within).denominator))
        if off <= bound:
            return proved(f"V_H a^(2H) is within {within} of ½Γ(2H + 1) at a = 1/1000, H = {H}")
        if off > bound:
            return refuted("V_H a^(2H) is farther off", {"H": float(H), "a": 0.001, "ratio": float(ratio.mid())})
    raise AssertionError(f"the enclosure of V_H at H = {H} is too wide")


CHAPTER = Chapter(
    title="Gradient noise as a series: fractional noise, epochs, momentum, batches, escape",
    after=("local_sgd",),
    steps=(
        Step(
            id="long_memory.fractional_sign",
            statement=(
                r"$\gamma_H(1) = 2^{2H-1} - 1$ vanishes on $(0, 1)$ at $H = \frac12$ alone; for every lag $k \ge 1$ "
                r"$\gamma_H(k) < 0$ for $H < \frac12$ and $> 0$ for $H > \frac12$"
            ),
            plain="γ_H(1) = 0 at H = ½ alone; γ_H(k) < 0 for H < ½, > 0 for H > ½, k ≥ 1",
            hypotheses=("0 < H < 1", "k ≥ 1 an integer"),
            method="x^{2H} is concave or convex: SymPy, z3; at lags 1, 2 and 5 balls too, but near H = 0, ½, 1",
            prove=prove_fractional,
            planted=(
                Planted("the sign swapped", {"sign": -1}),
                Planted("white at H = 1/3", {"white": sp.Rational(1, 3)}),
            ),
        ),
        Step(
            id="long_memory.epoch",
            statement=(
                r"exchangeable batches of an epoch that sum to $0$ have correlation $-\frac{1}{E-1}$; "
                r"$\sum_{k<E}\frac{1 - k/E}{E - 1} = \frac12$; a batch's mean has variance "
                r"$\frac{\sigma^2}{B}\,\frac{N-B}{N-1}$"
            ),
            plain="batches of an epoch: Corr = −1/(E − 1), Σ_{k<E} (1 − k/E)/(E − 1) = ½, variance σ²/B·(N−B)/(N−1)",
            hypotheses=("E ≥ 2, N ≥ 2", "the samples' order is uniform, the weights do not move"),
            method="the variance of a sum that is 0; SymPy with symbols for E, N, B",
            prove=prove_epoch,
            planted=(
                Planted("−1/E", {"less": 0}),
                Planted("σ²/B", {"corrected": False}),
                Planted("the sum is 1", {"of": 1}),
            ),
        ),
        Step(
            id="long_memory.momentum_sum",
            statement=(
                r"for stationary $v \leftarrow \gamma v + (1 - \gamma)\xi$, $\xi$ white of variance $1$: $\mathrm{Var}"
                r"(v_1 + \dots + v_k) = k - \frac{2\gamma(1 - \gamma^k)}{1 - \gamma^2}$, and $\sum v_j = \sum \xi_j - "
                r"\frac{\gamma}{1 - \gamma}(v_k - v_0)$ path by path"
            ),
            plain="momentum of white noise: Var(v₁ + … + v_k) = k − 2γ(1 − γ^k)/(1 − γ²), for every k",
            hypotheses=("0 < γ < 1", "stationary start"),
            method="induction over k, γ^k a symbol; SymPy",
            prove=prove_momentum,
            planted=(Planted("γ for 2γ", {"twice": 1}), Planted("1 − γ for 1 − γ²", {"power": 1})),
        ),
        Step(
            id="long_memory.mean_of_copies",
            statement=r"the mean of $B$ independent copies of $u$, $\mathsf{E}u = 0$, has excess kurtosis $\kappa_1/B$",
            plain="the mean of B independent copies has excess kurtosis κ₁/B",
            hypotheses=("E u = 0, E u⁴ finite", "B ≥ 1"),
            method="second and fourth moments of the sum by induction over B; SymPy",
            prove=prove_kurtosis,
            planted=(Planted("κ₁/B²", {"power": 2}), Planted("B(B − 1)s⁴ once", {"middle": 1})),
        ),
        Step(
            id="long_memory.stationary_variance",
            statement=(
                r"$V_H = \frac{1 + 2\sum_k (1-a)^k\gamma_H(k)}{1 - (1-a)^2}$, $V_{1/2} = \frac{1}{1 - (1-a)^2}$, and "
                r"at $a = 10^{-3}$ $V_Ha^{2H}$ is within $\frac{1}{500}$ of $\frac12\Gamma(2H + 1)$, relative, for "
                r"$H = 0.3, 0.7$"
            ),
            plain="V_H = (1 + 2Σ(1−a)^kγ_k)/(1 − (1−a)²); at a = 10⁻³ V_H a^{2H} is ½Γ(2H + 1) to 1/500, H = 0.3, 0.7",
            hypotheses=("0 < a < 2", "stationary x"),
            method="the balance of a step, SymPy; 25000 terms by balls, the rest at most q^{K+1}/a",
            prove=prove_variance,
            planted=(Planted("Γ(2H)", {"shift": 0}), Planted("1 − (1 − a) in V_½", {"square": 1})),
            weaker=({"within": Fraction(1, 100)},),
            kind=Kind.BOUND,
        ),
    ),
)
