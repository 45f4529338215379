r"""Local SGD: the exact identities on uv = 1, the variance over a round, and the drift's ratio to parallel SGD.

Notation of `theory.noise.local_sgd`: a = 1 − ηh, φ the mean of a^{2j} over the H steps of a round, ρ = 1 − (1 − 1/K)φ,
R = Kρ. P stands for a^{2j}, Q for a^{2H}; what holds for all P and Q holds for all j and H.

**Average.** With M = (1/K) Σ u_k, the variance (1/K) Σ (u_k − M)² is (1/K) Σ u_k² − M²: so M² is the mean of the
squares less the variance, and likewise for v.

**Variance.** A worker's variance V_j across the valley follows V_{j+1} = a²V_j + η²s². At an average the share of what
all have had in common stays, and the rest, independent, is divided by K.

**ψ.** With G = cx² + 1 − x − e^{−x}: G ≥ 0 says ψ ≤ cx; G(0) = G'(0) = 0, and G'' = 2c − e^{−x} is ≥ 0 for all x > 0
exactly where c ≥ ½. t stands for e^{−x}.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_average",
    "prove_drift",
    "prove_psi",
    "prove_ratio_between",
    "prove_round",
    "prove_small_rate",
    "prove_step",
    "prove_window_peak",
]

from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.balls import positive
from lemmascope.proofs_check.methods.equality import all_equal, equal, numerator
from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.sums import equal_sums
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

eta, h, s, K, H, P, Q = sp.symbols("eta h s K H P Q", positive=True)


def prove_step(power: int = 2, sign: int = -1, whole: int = 1) -> Outcome:
    """u² − v² after a step is (u² − v²)(1 − η²r²).

    Args:
        power: of η; sign: of the term; whole: power of the bracket.
    """
    u, v, r = sp.symbols("u v r", real=True)
    left = (u - eta * r * v) ** 2 - (v - eta * r * u) ** 2
    return equal(left, (u**2 - v**2) * (1 + sign * eta**power * r**2) ** whole, "z⁺ = z(1 − η²r²)")


def _average(less: int, exchanged: bool, workers: int) -> tuple[dict[str, Any], Any, Any]:
    """The identity at an average of so many workers, in symbols for each."""
    u, v = ([sp.Symbol(f"{name}_{k}", real=True) for k in range(workers)] for name in ("u", "v"))
    mean = [sum(x) / sp.Integer(workers) for x in (u, v)]
    spread = [sum((x - m) ** 2 for x in xs) / sp.Integer(workers - less) for xs, m in zip((u, v), mean, strict=True)]
    each = sum(x**2 - y**2 for x, y in zip(u, v, strict=True)) / sp.Integer(workers)
    sides = spread[::-1] if exchanged else spread
    return {"K": workers}, mean[0] ** 2 - mean[1] ** 2, each - sides[0] + sides[1]


def prove_average(less: int = 0, exchanged: bool = False) -> Outcome:
    """z̄ = mean z_k − Var_k(u) + Var_k(v): written out for 2, 3 and 4 workers, and the variance for any number.

    Args:
        less: what is taken from K in the variance's divisor; exchanged: whether the variances are.
    """
    k, count = sp.symbols("k K", integer=True, positive=True)
    x, M, mean = sp.IndexedBase("x", real=True), sp.Symbol("M", real=True), sp.Symbol("m", real=True)
    apart = sp.Sum((x[k] - M) ** 2, (k, 0, count - 1)) / count
    squares, sums = sp.Sum(x[k] ** 2, (k, 0, count - 1)) / count, sp.Sum(x[k], (k, 0, count - 1)) / count
    ones = sp.Sum(sp.Integer(1), (k, 0, count - 1)) / count
    return both(
        ("2, 3, 4 workers", all_equal((_average(less, exchanged, n) for n in (2, 3, 4)), "{count} numbers of workers")),
        (
            "any number",
            equal_sums(
                apart, squares - 2 * M * sums + M**2 * ones, (k,), {count: 3}, reason="the square, term by term"
            ),
        ),
        ("at M = m, the mean", equal(-2 * M * mean + M**2, -(mean**2) + (M - mean) ** 2, "least at the mean: −m²")),
    )


def prove_round(root: bool = False, power: int = 2) -> Outcome:
    """Var c_j = a^{2j}V̄ + S(1 − a^{2j}) by induction over j; V̄ = S/K at every average; φ as a sum.

    Args:
        root: whether √K stands for K; power: of a^H in what the workers add to their start.
    """
    a, S, start, A = sp.symbols("a S V A", positive=True)  # A = a^H
    noise = S * (1 - a**2)
    stated = P * start + S * (1 - P)
    stays = S / (sp.sqrt(K) if root else K)
    after = A**2 * stays + S / K * (1 - A**power)
    total = (1 - Q) / (1 - a**2)  # Σ_{j<H} a^{2j}
    return both(
        ("j = 0", equal(stated.subs(P, 1), start, "V̄")),
        ("j + 1", equal(a**2 * stated + noise, a**2 * P * start + S * (1 - a**2 * P), "a²V_j + η²s²")),
        ("average", equal(after, stays, "V̄ = S/K is left as it is", numerator)),
        ("φ at H = 1", equal(total.subs(Q, a**2), sp.Integer(1), "1", numerator)),
        ("φ, one more", equal(total.subs(Q, a**2 * Q) - total, Q, "a^{2H}", numerator)),
    )


def _share(Q: Any = Q, H: Any = H) -> Any:
    return (1 - Q) / (H * eta * h * (2 - eta * h))


def prove_drift(returned: Any = 1, workers: Any = 1) -> Outcome:
    """η²(s² + h²ρS) − (1 − 1/K)S(1 − a^{2H})/H = η²s²ρ·2/(2 − ηh), and Kρ = K − (K − 1)φ, 1 at H = 1.

    Args:
        returned: what stands before the term that the average gives back; workers: for the 1 of 1/K in ρ.
    """
    S = eta * s**2 / (h * (2 - eta * h))
    rho = 1 - (1 - workers / K) * _share()
    rate = eta**2 * (s**2 + h**2 * rho * S) - returned * (1 - 1 / K) * S * (1 - Q) / H
    once = rho.subs({Q: (1 - eta * h) ** 2, H: 1})
    return both(
        ("rate", equal(rate, eta**2 * s**2 * rho * 2 / (2 - eta * h), "the drift's rate", numerator)),
        ("ratio", equal(K * rho, K - (K - 1) * _share(), "K − (K − 1)φ", numerator)),
        ("H = 1", equal(K * once, sp.Integer(1), "parallel SGD", numerator)),
    )


def prove_ratio_between(low: Any = 1, high: Any = 1, least: Any = 0) -> Outcome:
    """1 ≤ R for K ≥ 1, R < K for K > 1; φ in (0, 1] and not growing with H.

    Args:
        low, high: what stands before 1 and K; least: what φ is above.
    """
    import z3

    def number(x: Any) -> Any:
        return z3.RealVal(str(x))

    K, b, m, p, n = z3.Reals("K b phi next H")  # b = a², m the mean of b^j over H steps, p = b^H
    two = (1 + b) / 2
    after = (n * m + p) / (n + 1)
    square = (b >= 0, b < 1)
    so_far = (n >= 1, m > 0, m <= 1, p >= 0, p <= m, *square)

    def lower(phi: Any) -> Any:
        return K - (K - 1) * phi >= number(low)

    def upper(phi: Any) -> Any:
        return K - (K - 1) * phi < number(high) * K

    return both(
        ("φ at H = 2", decide(two > number(least), square, what="φ above its least")),
        ("R at H = 2, below", decide(lower(two), (K >= 1, *square), what="R ≥ 1")),
        ("R at H = 2, above", decide(upper(two), (K > 1, *square), what="R < K")),
        (
            "one more step",
            decide(
                z3.And(after > 0, after <= m, b * p <= after), so_far, what="φ stays in (0, 1], does not grow, nor next"
            ),
        ),
        ("R, below", decide(lower(m), (K >= 1, m > 0, m <= 1), what="R ≥ 1")),
        ("R, above", decide(upper(m), (K > 1, m > 0, m <= 1), what="R < K")),
    )


def prove_small_rate(factor: Any = 1) -> Outcome:
    """R − 1 ≤ (K − 1)(H − 1)ηh: φ ≥ 1 − (H − 1)ηh, from a^{2j} ≥ 1 − 2jηh by induction.

    Args:
        factor: what stands before the bound.
    """
    import z3

    f = z3.RealVal(str(factor))
    x, p, j, K, n, phi = z3.Reals("eta_h power j K H phi")
    room = (x > 0, x < 2)
    n_s, x_s = sp.symbols("H x", positive=True)
    total = n_s * (1 - (n_s - 1) * x_s)  # Σ_{j<H} (1 − 2jx)
    gain = (K - 1) * (1 - phi) <= f * (K - 1) * (n - 1) * x
    known = (phi >= 1 - f * (n - 1) * x, n >= 1, K >= 1, *room)
    return both(
        ("φ at H = 2", decide(1 - x + x * x / 2 >= 1 - f * x, room, what="(1 + a²)/2 ≥ 1 − ηh")),
        (
            "a^{2j}, one more",
            decide(p * (1 - x) ** 2 >= 1 - 2 * f * (j + 1) * x, (p >= 0, j >= 0, p >= 1 - 2 * f * j * x, *room)),
        ),
        ("their mean at H = 1", equal(total.subs(n_s, 1), sp.Integer(1), "1")),
        ("one more", equal(total.subs(n_s, n_s + 1) - total, 1 - 2 * n_s * x_s, "1 − 2Hηh")),
        ("gain", decide(gain, known, what="R − 1 ≤ (K − 1)(H − 1)ηh")),
    )


def prove_window_peak(below: Any = 0) -> Outcome:
    """d/dx (e^{−x} − e^{−Rx}) vanishes at ln R/(R − 1), and only there.

    Args:
        below: what is added to R − 1 below the logarithm; 1 makes it R.
    """
    import z3

    D, x = sp.symbols("D x", positive=True)  # R = 1 + D
    R = 1 + D
    gap = sp.exp(-x) - sp.exp(-x) * sp.exp(-D * x)
    inner = R * sp.exp(-D * x) - 1
    at = sp.log(R) / (D + below)
    d, e = z3.Reals("D exponential")
    return both(
        ("derivative", equal(sp.diff(gap, x), sp.exp(-x) * inner, "e^{−x}(Re^{−(R−1)x} − 1)", numerator)),
        ("vanishes", equal(R * sp.exp(-D * at), sp.Integer(1), "R e^{−ln R} = 1")),
        ("falls", equal(sp.diff(inner, x), -R * D * sp.exp(-D * x), "the bracket's derivative", numerator)),
        ("only there", decide(-(1 + d) * d * e < 0, (d > 0, e > 0), what="the bracket falls")),
    )


def prove_psi(factor: Any = Fraction(1, 2), top: Any = 1) -> Outcome:
    """0 ≤ ψ(x) ≤ min(x/2, 1), ψ = (e^{−x} − 1 + x)/x, x > 0.

    Args:
        factor: what stands for ½; top: for 1.
    """
    import flint
    import z3

    c, most = sp.Rational(str(factor)), sp.Rational(str(top))
    x, t = sp.symbols("x t", positive=True)
    G = c * x**2 + 1 - x - sp.exp(-x)
    c_ball, most_ball = (flint.fmpq(int(x.p), int(x.q)) for x in (c, most))
    e, y = z3.Reals("exponential x")
    room = (e > 0, e < 1)
    return both(
        (
            "ψ ≤ x/2 on [1/4, 4]",
            positive(lambda z: c_ball * z * z + 1 - z - (-z).exp(), Fraction(1, 4), 4, what="cx² + 1 − x − e^{−x} > 0"),
        ),
        (
            "ψ ≤ 1 on [1/4, 99]",
            positive(lambda z: most_ball * z + 1 - z - (-z).exp(), Fraction(1, 4), 99, what="x + 1 − x − e^{−x} > 0"),
        ),
        ("G(0)", equal(G.subs(x, 0), sp.Integer(0), "0")),
        ("G'(0)", equal(sp.diff(G, x).subs(x, 0), sp.Integer(0), "0")),
        ("G''", equal(sp.diff(G, x, 2), 2 * c - sp.exp(-x), "2c − e^{−x}")),
        ("G'' ≥ 0", decide(2 * z3.RealVal(str(factor)) - e >= 0, room, what="2c ≥ e^{−x}")),
        ("ψ ≥ 0", nonnegative(t - 1 - sp.log(t), t, 0, 1, what="e^{−x} ≥ 1 − x")),
        ("ψ ≤ 1", decide(e - 1 + y <= z3.RealVal(str(top)) * y, (*room, y > 0), what="e^{−x} − 1 + x ≤ x")),
    )


CHAPTER = Chapter(
    title="Local SGD: exact steps along a valley, the variance over a round, the drift's ratio",
    after=("stationary_variance",),
    steps=(
        Step(
            id="local_sgd.invariant_step",
            statement=(r"for all $u, v, r, \eta$: $(u - \eta rv)^2 - (v - \eta ru)^2 = (u^2 - v^2)(1 - \eta^2r^2)$"),
            plain="a step with gradient (rv, ru) multiplies u² − v² by 1 − η²r²",
            hypotheses=("none: all values",),
            method="SymPy, expanded",
            prove=prove_step,
            planted=(
                Planted("η for η²", {"power": 1}),
                Planted("1 + η²r²", {"sign": 1}),
                Planted("the bracket squared", {"whole": 2}),
            ),
        ),
        Step(
            id="local_sgd.invariant_average",
            statement=(
                r"for averages over $K$ workers $\bar u^2 - \bar v^2 = \frac1K\sum_k(u_k^2 - v_k^2) - "
                r"\mathrm{Var}_k(u) + \mathrm{Var}_k(v)$, variances with the divisor $K$"
            ),
            plain="averages over K workers: ū² − v̄² = mean(u_k² − v_k²) − Var_k(u) + Var_k(v), divisor K",
            hypotheses=("all values; K = 2, 3, 4 written out", "any K: the variance is the mean square less M²"),
            method="SymPy, expanded; for any K the rules of finite sums",
            prove=prove_average,
            planted=(Planted("K − 1 as divisor", {"less": 1}), Planted("the variances exchanged", {"exchanged": True})),
        ),
        Step(
            id="local_sgd.round_variance",
            statement=(
                r"for $V_{j+1} = a^2V_j + \eta^2s^2$, $V_0 = \bar V$: $V_j = a^{2j}\bar V + S(1 - a^{2j})$, $S = "
                r"\eta^2s^2/(1 - a^2)$; an average over $K$ workers leaves $\bar V = S/K$ as it is, whatever $H$; "
                r"$\sum_{j<H}a^{2j} = (1 - a^{2H})/(1 - a^2)$"
            ),
            plain="V_j = a^{2j}V̄ + S(1 − a^{2j}) in a round, V̄ = S/K at averages whatever H, Σ a^{2j} in closed form",
            hypotheses=("0 < a < 1 or −1 < a < 0", "independent noise of the workers"),
            method="induction over j and over H; the average's fixed point; SymPy",
            prove=prove_round,
            planted=(Planted("S/√K for S/K", {"root": True}), Planted("a^H for a^{2H}", {"power": 1})),
        ),
        Step(
            id="local_sgd.drift",
            statement=(
                r"$\eta^2(s^2 + h^2\rho S) - (1 - \frac1K)\frac{S(1 - a^{2H})}{H} = \eta^2s^2\rho\,\frac{2}{2 - \eta "
                r"h}$, $K\rho = K - (K - 1)\varphi$, and it is $1$ for $H = 1$"
            ),
            plain="η²(s² + h²ρS) − (1 − 1/K)S(1 − a^{2H})/H = η²s²ρ·2/(2 − ηh); Kρ = K − (K − 1)φ, 1 at H = 1",
            hypotheses=(
                "0 < ηh < 2",
                "to leading order in η: the moments across the valley are those of its quadratic",
            ),
            method="SymPy, a^{2H} a symbol of its own, cancelled",
            prove=prove_drift,
            planted=(
                Planted("without what the average gives back", {"returned": 0}),
                Planted("2/K for 1/K in ρ", {"workers": 2}),
            ),
        ),
        Step(
            id="local_sgd.ratio_between",
            statement=(
                r"for $0 \le a^2 < 1$ the mean $\varphi$ of $a^{2j}$ over $j < H$ is in $(0, 1]$ and does not grow "
                r"with $H$; so $1 \le R = K - (K - 1)\varphi < K$ for $K > 1$"
            ),
            plain="φ in (0, 1] does not grow with H, and 1 ≤ R = K − (K − 1)φ < K for K > 1",
            hypotheses=("0 ≤ a² < 1", "K ≥ 1"),
            method="H = 2 and, by induction over H, all: real arithmetic by z3",
            prove=prove_ratio_between,
            planted=(Planted("R < K/2", {"high": "1/2"}), Planted("φ > 1", {"least": 1})),
            weaker=({"low": "9/10"}, {"high": "11/10"}),
            kind=Kind.BOUND,
        ),
        Step(
            id="local_sgd.vanishing_gain",
            statement=(
                r"for $0 < \eta h < 2$: $R - 1 \le (K - 1)(H - 1)\,\eta h$, so that at fixed $H$ the gain vanishes "
                r"with $\eta$"
            ),
            plain="R − 1 ≤ (K − 1)(H − 1)ηh: at fixed H the gain vanishes with η",
            hypotheses=("0 < ηh < 2", "K ≥ 1, H ≥ 1"),
            method="Bernoulli's inequality by induction over j, z3; the sum by SymPy",
            prove=prove_small_rate,
            planted=(Planted("half of it", {"factor": "1/2"}),),
            weaker=({"factor": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="local_sgd.window_peak",
            statement=(
                r"for $R > 1$ the derivative of $e^{-x} - e^{-Rx}$ vanishes at $x = \frac{\ln R}{R - 1}$ and nowhere "
                r"else"
            ),
            plain="for R > 1 the gap e^{−x} − e^{−Rx} is widest at x = ln R/(R − 1), and only there",
            hypotheses=("R > 1", "R constant along the valley"),
            method="SymPy with R = 1 + D; z3 for the sign",
            prove=prove_window_peak,
            planted=(Planted("ln R/R", {"below": 1}),),
        ),
        Step(
            id="local_sgd.psi",
            statement=r"$0 \le \psi(x) \le \min(x/2, 1)$ for $x > 0$, $\psi(x) = (e^{-x} - 1 + x)/x$",
            plain="0 ≤ ψ(x) ≤ min(x/2, 1) for x > 0, ψ = (e^{−x} − 1 + x)/x: R = 1 + (K−1)ψ(2ηHh) for η → 0",
            hypotheses=("x > 0",),
            method="G = x²/2 + 1 − x − e^{−x} is convex with G(0) = G'(0) = 0; logarithms by their derivatives; balls",
            prove=prove_psi,
            planted=(Planted("x/3 for x/2", {"factor": Fraction(1, 3)}),),
            weaker=({"factor": Fraction(2, 3)}, {"top": 2}),
            kind=Kind.BOUND,
        ),
    ),
)
