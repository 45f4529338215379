r"""Momentum along a valley with label noise: its stationary moments, critical damping, and the gain over SGD.

Notation of `theory.noise.flatter_faster`: velocity form p' = βp + hy + noise, y' = y − ηp', noise of variance hs²,
ε = 1 − β; β is "gamma", which is drawn from (0, 1).

**Critical damping.** At x = 0 the step along the valley is x' = x − ηV', V' = βV + qY*x: its roots solve P(z) = 0,
P(z) = z² − (1 + β − k)z + β, k = qηY*. With β = r², P(r) = r(k − (1 − r)²), and P > 0 for large z: where k < (1 − r)²
there is a root above r; where the discriminant is negative, both have the modulus r.

**Expansion.** In r = √β and t = 1 − r the equation k = (1 − r)² is ε₀³(1 + r²) = 2t³(1 + r)(2(1 + r²) − η),
ε₀³ = 2qη²s², and ε = t(2 − t), so t = ε/2 + ε²/8 + ε³/16 + …. ε₀ counts as of order 1 and η as of order 2.

**Gain.** Rates along the valley in the time S: momentum's roots are (C ± √(C² − 2q/C))/2, SGD's rate is q/(2C²),
u = C³/q; for u > 2 the slow root is the smaller one, with w = √(1 − 2/u), so that u = 2/(1 − w²).
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_constant",
    "prove_critical",
    "prove_expansion",
    "prove_gain",
    "prove_same_temperature",
    "prove_stationary",
]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

beta, eta, h, s, q = sp.symbols("gamma eta h s q", positive=True)


def _stationary(rate: Any, momentum: Any, plus: Any = 1) -> Any:
    """Y*, with 2(1 + plus·β) in it."""
    return rate * s**2 * (1 + momentum) / ((1 - momentum) * (2 * (1 + plus * momentum) - rate * h))


def prove_stationary(plus: Any = 1) -> Outcome:
    """Prove that Y* and its Q*, C* are left as they are by the three moment equations.

    Args:
        plus: what stands before β in 2(1 + β) − ηh.
    """
    Y = _stationary(eta, beta, plus)
    Q = 2 * h * Y / (eta * (1 + beta))
    C = -eta * Q / 2
    C_half = beta * C + h * Y
    return both(
        ("Q", equal(beta**2 * Q + 2 * beta * h * C + h**2 * Y + h * s**2, Q, "Q' = Q", numerator)),
        ("Y", equal(Y - 2 * eta * C_half + eta**2 * Q, Y, "Y' = Y", numerator)),
        ("C", equal(C_half - eta * Q, C, "C' = C", numerator)),
    )


def prove_same_temperature(power: Any = 1) -> Outcome:
    """Prove Y* over ηs²/(2(1−β)) for momentum and for SGD at η/(1−β)^power: both tend to 1 as η → 0.

    Args:
        power: of 1 − β.
    """
    unit = eta * s**2 / (2 * (1 - beta))
    mine, other = _stationary(eta, beta) / unit, _stationary(eta / (1 - beta) ** power, sp.Integer(0)) / unit
    return both(
        ("momentum", equal(mine, 1 / (1 - eta * h / (2 * (1 + beta))), "Y*", numerator)),
        ("SGD", equal(other, 1 / (1 - eta * h / (2 * (1 - beta))), "Y*", numerator)),
    )


def prove_critical(sign: int = -1) -> Outcome:
    """Prove that the larger root is above r where k < (1 − r)², and both of the modulus r where k is above it.

    Args:
        sign: −1; 1 states it with (1 − r)(1 + r).
    """
    import z3

    z = sp.Symbol("z", positive=True)
    k, r = sp.symbols("k r", positive=True)
    at_r = (z**2 - (1 + r**2 - k) * z + r**2).subs(z, r)
    K, R = z3.Reals("k r")
    edge = (1 - R) * (1 + sign * R)
    here = (R > 0, R < 1, K > 0, K < (1 + R) * (1 + R))
    below = (1 + R * R - K) * (1 + R * R - K) - 4 * R * R
    return both(
        ("P(r)", equal(at_r, r * (k - (1 - r) ** 2), "P(r) = r(k − (1 − r)²)")),
        ("a root above r", decide(R * (K - (1 - R) * (1 - R)) < 0, (*here, edge > K), what="P(r) < 0")),
        ("modulus r", decide(below < 0, (*here, edge < K), what="the discriminant is negative")),
    )


SIXTH, SECOND = sp.Rational(1, 6), sp.Rational(1, 48)


def prove_expansion(first: Any = SIXTH, second: Any = SECOND) -> Outcome:
    """Prove ε = ε₀(1 − ε₀/6 − ε₀²/48 + η/12): the equation holds to the orders that it fixes.

    Args:
        first, second: what stands for the 1/6 and the 1/48.
    """
    z, step = sp.symbols("z eta", positive=True)
    epsilon = [z, -first * z**2, -second * z**3 + z * step / 12]
    squared = _times(epsilon, epsilon)
    cubed = _times(squared, epsilon)
    t = [epsilon[0] / 2, epsilon[1] / 2 + squared[0] / 8, epsilon[2] / 2 + squared[1] / 8 + cubed[0] / 16]
    r = [sp.Integer(1), -t[0], -t[1]]
    one, zero = [sp.Integer(1), sp.Integer(0), sp.Integer(0)], sp.Integer(0)
    again = _times(t, _sum([2 * x for x in one], [zero, -t[0], -t[1]]))
    twice = _sum(one, _times(r, r))  # 1 + r²
    bracket = _sum([2 * x for x in twice], [zero, zero, -step])
    right = _times(_times(_times(t, _times(t, t)), _sum(one, r)), bracket)
    links = [(f"ε = t(2 − t), order {n + 1}", equal(again[n], epsilon[n], "ε")) for n in range(ORDERS)]
    links += [
        (f"the equation, order {n + 3}", equal(2 * right[n], z**3 * twice[n], "ε₀³(1 + r²)")) for n in range(ORDERS)
    ]
    return both(*links)


ORDERS = 3
"""How many coefficients of a series are kept; that of λⁿ, where ε₀ = λz, η is λ² times a number, stands at n."""


def _sum(a: list[Any], b: list[Any]) -> list[Any]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _times(a: list[Any], b: list[Any]) -> list[Any]:
    """The product of two series."""
    return [sp.expand(sum((a[k] * b[n - k] for k in range(n + 1)), sp.Integer(0))) for n in range(ORDERS)]


def prove_constant(part: Any = 4) -> Outcome:
    """Prove that C²/4 = h₂/(4C) has the one positive solution C³ = h₂, and that e = h/2C gives this very equation.

    Args:
        part: what stands for the 4 under C².
    """
    import z3

    x, C = sp.symbols("x C", positive=True)
    curvature = 1 + q * x**2
    pull = sp.diff(curvature, x) / (2 * curvature) * curvature / (2 * C)
    here, h_2 = z3.Reals("C h_2")
    critical = here**2 * 4 * here == rational(part) * h_2
    return both(
        ("pull", equal(pull, sp.diff(curvature, x, 2) * x / (4 * C), "(h'/2h)e = h₂x/4C", numerator)),
        ("the solution", decide(here**3 == h_2, (here > 0, h_2 > 0, critical), what="C³ = h₂")),
        ("the only one", decide(critical, (here > 0, h_2 > 0, here**3 == h_2), what="C²/4 = h₂/4C")),
    )


def prove_gain(most: Any = 2, least: Any = 1) -> Outcome:
    """Prove momentum's rate over SGD's: u up to u = 2, and 2/(1 + w) beyond, between 1 and 2.

    Args:
        most, least: the bounds.
    """
    import z3

    C, w = sp.symbols("C w", positive=True)
    sgd = q / (2 * C**2)
    u = 2 / (1 - w**2)
    slow = C * (1 - w) / 2  # (C − √(C² − 2q/C))/2, 2q/C = 2C²/u
    W, V = z3.Reals("w u")
    high, low = rational(most), rational(least)
    return both(
        ("underdamped", equal((C / 2) / sgd, C**3 / q, "u", numerator)),
        ("root", equal(slow**2 - C * slow + (C**2 / u) / 2, sp.Integer(0), "z² − Cz + q/2C = 0", numerator)),
        ("overdamped", equal((slow / sgd).subs(q, C**3 / u), 2 / (1 + w), "2/(1 + w)", numerator)),
        ("at u = 2", equal((2 / (1 + w)).subs(w, 0), u.subs(w, 0), "2")),
        ("as u → ∞", equal((2 / (1 + w)).subs(w, 1), sp.Integer(1), "1")),
        ("at most", decide(high * (1 + W) - 2 >= 0, (W >= 0, W < 1), what="2/(1 + w) ≤ 2")),
        ("above", decide(low * (1 + W) < 2, (W >= 0, W < 1), what="2/(1 + w) > 1")),
        ("below u = 2", decide(V - high <= 0, (V > 0, V <= 2), what="u ≤ 2")),
    )


CHAPTER = Chapter(
    title="Momentum along a valley with label noise",
    after=("stationary_variance",),
    steps=(
        Step(
            id="flatter_faster.stationary",
            statement=(
                r"$Y^* = \frac{\eta s^2(1+\beta)}{(1-\beta)(2(1+\beta) - \eta h)}$ with $Q^* = 2hY^*/(\eta(1+\beta))$, "
                r"$C^* = -\eta Q^*/2$ is stationary for the moments across the valley"
            ),
            plain="Y* = ηs²(1+β)/((1−β)(2(1+β) − ηh)) is stationary for the moments across, every h, η, β, s",
            hypotheses=("0 ≤ β < 1", "0 < ηh < 2(1+β)"),
            method="substitution into the three equations, cancelled by SymPy",
            prove=prove_stationary,
            planted=(Planted("2(1−β) − ηh", {"plus": -1}),),
        ),
        Step(
            id="flatter_faster.same_temperature",
            statement=(
                r"$Y^*/\frac{\eta s^2}{2(1-\beta)}$ is $1/(1 - \frac{\eta h}{2(1+\beta)})$ for momentum at $\eta$ and "
                r"$1/(1 - \frac{\eta h}{2(1-\beta)})$ for SGD at $\eta/(1-\beta)$"
            ),
            plain="Y* over ηs²/(2(1−β)): 1/(1 − ηh/(2(1+β))) for momentum, 1/(1 − ηh/(2(1−β))) for SGD at η/(1−β)",
            hypotheses=("0 < ηh < 2(1−β)",),
            method="substitution, cancelled by SymPy",
            prove=prove_same_temperature,
            planted=(Planted("SGD at η", {"power": 0}),),
        ),
        Step(
            id="flatter_faster.critical",
            statement=(
                r"the step $z^2 - (1+\beta-k)z + \beta$ along the valley has a root above $\sqrt\beta$ where "
                r"$k < (1-\sqrt\beta)^2$, and two of the modulus $\sqrt\beta$ where $(1-\sqrt\beta)^2 < k < "
                r"(1+\sqrt\beta)^2$"
            ),
            plain="a root above √β where k < (1−√β)², both of the modulus √β where (1−√β)² < k < (1+√β)²",
            hypotheses=("0 < β < 1", "k > 0"),
            method="P(√β) by SymPy; signs by z3, real arithmetic, β = r²",
            prove=prove_critical,
            planted=(Planted("(1−√β)(1+√β)", {"sign": 1}),),
        ),
        Step(
            id="flatter_faster.expansion",
            statement=(
                r"$q\eta Y^*(h = 1) = (1-\sqrt\beta)^2$ has the solution $1-\beta = \epsilon_0(1 - \epsilon_0/6 - "
                r"\epsilon_0^2/48 + \eta/12 + \dots)$, $\epsilon_0 = (2q\eta^2s^2)^{1/3}$"
            ),
            plain="qηY*(h = 1) = (1−√β)² has the solution 1−β = ε₀(1 − ε₀/6 − ε₀²/48 + η/12 + …), ε₀ = (2qη²s²)^(1/3)",
            hypotheses=("ε₀ counts as of order 1, η as of order 2; terms beyond order 3 are left out",),
            method="coefficients of the equation in √β, by SymPy",
            prove=prove_expansion,
            planted=(Planted("+ε₀/6", {"first": -SIXTH}), Planted("+ε₀²/48", {"second": -SECOND})),
        ),
        Step(
            id="flatter_faster.constant",
            statement=(
                r"where $e = h/2C$ the averaged equations read $\ddot x + C\dot x + \frac{h_2}{4C}x = 0$, and "
                r"$C^2/4 = h_2/4C$ has the one positive solution $h_2^{1/3}$"
            ),
            plain="with e = h/2C: ẍ + Cẋ + (h₂/4C)x = 0, and C²/4 = h₂/4C has the one positive solution h₂^(1/3)",
            hypotheses=("h = 1 + qx², h₂ = 2q > 0", "C > 0"),
            method="substitution by SymPy; real arithmetic by z3",
            prove=prove_constant,
            planted=(Planted("C²/2", {"part": 2}),),
        ),
        Step(
            id="flatter_faster.gain",
            statement=(
                r"momentum's rate over that of SGD at equal temperature is $u = C^3/q$ for $u \le 2$ and "
                r"$2/(1+\sqrt{1-2/u})$ beyond: at most 2, attained at $u = 2$, above 1 for $u > 2$, and 1 in the limit"
            ),
            plain=(
                "momentum's rate over that of SGD at equal temperature: u = C³/q up to u = 2, then 2/(1+√(1−2/u)): "
                "at most 2, at u = 2, and above 1 beyond"
            ),
            hypotheses=("q > 0", "C > 0"),
            method="roots and quotients by SymPy with w = √(1 − 2/u); bounds by z3 for w in [0, 1)",
            prove=prove_gain,
            planted=(Planted("≤ 3/2", {"most": "3/2"}), Planted("> 11/10", {"least": "11/10"})),
            weaker=({"most": 3}, {"least": "9/10"}),
            kind=Kind.BOUND,
        ),
    ),
)
