r"""AdaMomentum: steps under alternating and constant gradients, their bound, its rate in Adam's, one loss's regret.

Notation of `theory.noise.adamomentum`: a = (1 − β₁)/(1 + β₁), t = 1, 2, …, and u the step −ηu. S stands for (−1)^{t−1}
and Q for (−β₁)^t; what holds for all of their values holds for all t.

**Period 3.** β₁ = 0, where AdaMomentum is Adam, C ≥ 1, b = β₂ = 1/(1 + C²), gradients C, −1, −1, …, x on [−1, 1], η_n =
η/√n, x = 1 at round n = 3t + 1. All v ≤ C², as an average of squares is. So v ≥ (1 − b)C² after C, v ≤ bC² + (1 − b) =
2C²/(1 + C²) after −1, and after another −1 too. With w_n = √(1 − bⁿ), which grows, the step down is at most
w_n η√(1 + C²)/(C√n), and the two steps up are at least w_n η√(1 + C²)/(√2 C√(n + k)), k = 1, 2. They make up for it
where 2/√2 · 1/√(n + 2) ≥ 1/√n, which is 2(3t + 1) ≥ 3t + 3; what is cut off at 1 or at −1 only helps. In the first
period the step down is η, as v̂ = C², and v̂ ≤ 2 and ≤ 11/10 at the two steps up.

**Bound.** v_t ≥ (1 − β₂)m_t², as what v has of before is not negative: no condition between β₁ and β₂ is asked for.

**Start.** For the gradient 1, m_t = 1 − β₁^t and v_t = (1 − β₂) Σ β₂^{t−k}(1 − β₁^k)², a sum of three geometric ones:
Σ_{k≤t} β₂^{t−k}r^k = r(β₂^t − r^t)/(β₂ − r).
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_alternating",
    "prove_bound",
    "prove_invariant",
    "prove_period",
    "prove_rate_gain",
    "prove_same",
    "prove_start",
    "prove_stationary",
]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

beta = sp.Symbol("gamma", positive=True)  # β₁, drawn from (0, 1)
beta2 = sp.Symbol("b", positive=True)
tau, eta, e, h, s = sp.symbols("tau eta e h s", positive=True)


def _a(inverted: bool = False) -> Any:
    return (1 + beta) / (1 - beta) if inverted else (1 - beta) / (1 + beta)


def prove_alternating(inverted: bool = False, start: Any = 1) -> Outcome:
    """m_t = S aG(1 − Q) by induction over t; |u| → 1 with AdaMomentum, a with Adam.

    Args:
        inverted: 1/a in place of a; start: what stands before Q.
    """
    S, Q, G = sp.symbols("S Q G", real=True)
    a = _a(inverted)

    def m(sign: Any, power: Any) -> Any:
        return sign * a * G * (1 - start * power)

    end = (a * G) ** 2  # m² once Q is 0

    def settled(v: Any) -> Outcome:
        squared = end if v is end else G**2
        return equal(beta2 * v + (1 - beta2) * squared, v, "v is left as it is", numerator)

    return both(
        ("t = 1", equal(m(sp.Integer(1), -beta), (1 - beta) * G, "(1 − β₁)G", numerator)),
        ("t + 1", equal(beta * m(S, Q) - (1 - beta) * S * G, m(-S, -beta * Q), "m_{t+1}", numerator)),
        ("AdaMomentum's v", settled(end)),
        ("Adam's v", settled(G**2)),
        ("Adam", equal(end / G**2, _a() ** 2, "u² = a², and with AdaMomentum 1", numerator)),
    )


def _step(m: Any, v: Any, g: Any, momentum: bool, epsilon: Any = 0) -> tuple[Any, Any]:
    m = beta * m + (1 - beta) * g
    return m, beta2 * v + (1 - beta2) * (m if momentum else g) ** 2 + epsilon


def prove_invariant(power: int = 2) -> Outcome:
    """With τg in place of g m is τ times and v τ² times as large at every step, and u = m/√v as it was; ε = 0.

    Args:
        power: of τ in v.
    """
    m, g = sp.symbols("m g", real=True)
    v = sp.Symbol("v", positive=True)
    before = _step(m, v, g, True)
    after = _step(tau * m, tau**power * v, tau * g, True)
    w = sp.Symbol("w", positive=True)
    return both(
        ("start", equal(tau * sp.Integer(0), sp.Integer(0), "m = v = 0")),
        ("m", equal(after[0], tau * before[0], "τm")),
        ("v", equal(after[1], tau**power * before[1], "τ²v")),
        ("u", equal(tau * m / sp.sqrt(tau**power * w), m / sp.sqrt(w), "m/√v")),
    )


def prove_bound(weight: bool = True, momentum: bool = True, attained: Any = 1, most: Any = 1) -> Outcome:
    """û² ≤ (1 − β₂^t)/((1 − β₂)(1 − β₁^t)²); and û_1 = 1/(1 − β₁), which is the bound at t = 1.

    Args:
        weight: whether 1 − β₂ stands in it; momentum: whether m is squared in v, else g; attained: times the bound;
        most: what û² is at most, times its bound.
    """
    import z3

    m, g, before, b2, B1, B2 = z3.Reals("m g v beta2 B1 B2")  # B = 1 − β^t
    v = b2 * before + (1 - b2) * (m if momentum else g) ** 2
    room = (before >= 0, v > 0, b2 >= 0, b2 < 1, B1 > 0, B1 <= 1, 1 - b2 <= B2, B2 <= 1)
    share = (1 - b2) if weight else z3.RealVal(1)
    # û² = (m/B1)²/(v/B2) ≤ B2/(share B1²), times v share B1²/B2
    first = (1 - beta) / (1 - beta) / sp.sqrt((1 - beta2) * (1 - beta) ** 2 / (1 - beta2))
    return both(
        ("û²", decide(m * m * share <= z3.RealVal(str(most)) * v, room, what="û² is at most the bound")),
        ("t = 1", equal(first**2, attained / (1 - beta) ** 2, "1/(1 − β₁)²", numerator)),
    )


def prove_stationary(plus: bool = False, four: Any = 16) -> Outcome:
    """Var x, Cov(x, m), E m² are left as they are by a step of the average form; V = E m² has the root e.

    Args:
        plus: D with (1 + β₁)eh; four: what stands for 16 in AdaMomentum's e.
    """
    c = 1 - beta
    D = 2 * (1 + beta) - (1 + beta if plus else c) * e * h
    X, Q = e * s**2 * (1 + beta) / (h * D), 2 * c * s**2 / D
    C = -e * Q / 2  # of x and m after the same step
    square = h**2 * X + s**2
    # m⁺ = βm + c(hx + sξ), x⁺ = x − em⁺
    Q1 = beta**2 * Q + 2 * beta * c * h * C + c**2 * square
    joint = beta * C + c * h * X  # E x m⁺
    root = sp.sqrt(eta**2 * h**2 + four * s**2 / _a())
    at = eta * (root - eta * h) / (4 * s**2)
    left = (eta**2 * D - 2 * c * s**2 * e**2).subs(e, at)  # V = η²/e² = E m²
    return both(
        ("E m²", equal(Q1, Q, "E m²", numerator)),
        ("Cov(x, m)", equal(joint - e * Q1, C, "Cov(x, m)", numerator)),
        ("Var x", equal(X - 2 * e * joint + e**2 * Q1, X, "Var x", numerator)),
        ("e", equal(sp.expand(left), sp.Integer(0), "V = E m² at e", numerator)),
        ("η → 0", equal(sp.limit(X * 2 * h / (e * s**2), e, 0), sp.Integer(1), "es²/2h", numerator)),
    )


def prove_rate_gain(most: Any = 1, grows: int = 1) -> Outcome:
    """1 ≤ κ² ≤ 1/a, κ² growing with s², for 0 < a ≤ 1 and μ, s that are not both 0.

    Args:
        most: times 1/a; grows: 1, or −1 for the converse.
    """
    import z3

    a, M, S, more = z3.Reals("a mu2 s2 more")
    room = (a > 0, a <= 1, M >= 0, S >= 0, M + S > 0)
    kappa2 = (M + S) / (M + a * S)
    after = (M + S + more) / (M + a * (S + more))
    return both(
        ("at least 1", decide(kappa2 >= 1, room, what="κ² ≥ 1")),
        ("at most", decide(kappa2 <= z3.RealVal(str(most)) / a, room, what="κ² ≤ 1/a")),
        ("grows", decide(grows * after >= grows * kappa2, (*room, more >= 0), what="κ² grows with s²")),
    )


def prove_same(epsilon: Any = 0) -> Outcome:
    """β₁ = 0: m is g and both v are one, by induction; written out for three steps.

    Args:
        epsilon: added to AdaMomentum's v at each step.
    """
    gradients = sp.symbols("g_1:4", real=True)
    v, g, m = sp.symbols("v g m", real=True)

    def step(v: Any, m: Any, g: Any, momentum: bool) -> tuple[Any, Any]:
        after = [one.subs(beta, 0) for one in _step(m, v, g, momentum, epsilon if momentum else 0)]
        return after[1], after[0]

    ours = theirs = (sp.Integer(0), sp.Integer(0))
    links = []
    for k, one in enumerate(gradients, 1):
        ours, theirs = step(*ours, one, True), step(*theirs, one, False)
        links.append((f"v, step {k}", equal(ours[0], theirs[0], "the same v")))
        links.append((f"m, step {k}", equal(ours[1], theirs[1], "the same m")))
    (v1, m1), (v2, m2) = step(v, m, g, True), step(v, m, g, False)
    return both(*links, ("one more, v", equal(v1, v2, "the same v")), ("one more, m", equal(m1, m2, "the same m")))


def prove_period(ups: int = 2, least: Any = 1, best: Any = 1) -> Outcome:
    """x = 1 at round 3t + 1 implies x = 1 at round 3t + 4, for C ≥ 1 and t ≥ 0; the regret of a period is ≥ 2(C − 2).

    Args:
        ups: steps up that are counted; least: the least C; best: times 2(C − 2).
    """
    import z3

    C2, b, v, n, t = z3.Reals("C2 beta2 v n t")  # C²
    low = z3.RealVal(str(least))
    room = (low * low <= C2, b * (1 + C2) == 1, v >= 0, v <= C2)
    high = 2 * C2 / (1 + C2)
    up = b * v + (1 - b)
    # Squares of the steps, each over w² η²: down at most (1 + C²)/(C² n), one up at least (1 + C²)/(2C²(n + 2)).
    # Together ups steps up are at least ups times the last of them.
    down = (1 + C2) / (C2 * n)
    least_up = (1 + C2) / (2 * C2 * (n + 2)) * ups * ups
    # First period, with both corrections: v̂ at the second and the third round.
    v2, v3 = (b * C2 + 1) / (1 + b), (b * b * C2 + b + 1) / (1 + b + b * b)
    C, x2, x3 = z3.Reals("C x2 x3")
    paid = C - x2 - x3 - (-(C - 2))  # less that of x = −1
    return both(
        ("v is at most C²", decide(z3.And(up <= C2, b * v + (1 - b) * C2 <= C2), room, what="v ≤ C² stays")),
        ("v after C", decide(b * v + (1 - b) * C2 >= C2 * C2 / (1 + C2), room, what="v ≥ C⁴/(1 + C²)")),
        ("v after −1", decide(up <= high, room, what="v ≤ 2C²/(1 + C²)")),
        ("v after −1, −1", decide(b * up + (1 - b) <= high, room, what="v ≤ 2C²/(1 + C²)")),
        ("up for down", decide(least_up >= down, (low * low <= C2, t >= 1, n == 3 * t + 1), what="2n ≥ n + 2")),
        ("first period, v̂₂", decide(v2 <= 2, room, what="v̂₂ ≤ 2")),
        ("first period, v̂₃", decide(v3 <= z3.Q(11, 10), room, what="v̂₃ ≤ 11/10")),
        (
            "first period",
            decide(
                # 1/√(2·2) + 1/√(3·11/10) ≥ 1
                z3.Implies(z3.And(v > 0, v * v * z3.Q(33, 10) == 1), z3.Q(1, 2) + (ups - 1) * v >= 1),
                what="two steps up make up for η",
            ),
        ),
        (
            "regret",
            decide(
                paid >= z3.RealVal(str(best)) * 2 * (C - 2), (C > 2, x2 <= 1, x3 <= 1), what="the regret of a period"
            ),
        ),
    )


def prove_start(cross: Any = -2, first: Any = 1) -> Outcome:
    """q_t by induction from v ← β₂v + (1 − β₂)(1 − β₁^t)²; u_1 = 1/(1 − β₁); u ≥ 1 as no m is above its limit.

    Args:
        cross: what stands before Σ β₂^{t−k}β₁^k; first: times 1/(1 − β₁).
    """
    import z3

    P, E = sp.symbols("P E", positive=True)  # β₁^t, β₂^t

    def weighted(r: Any, power: Any, end: Any) -> Any:
        """Σ_{k≤t} β₂^{t−k} r^k, r^t being the power."""
        return r * (end - power) / (beta2 - r)

    def v(power: Any, end: Any) -> Any:
        total = weighted(1, 1, end) + cross * weighted(beta, power, end) + weighted(beta**2, power**2, end)
        return (1 - beta2) * total

    before, after = v(P, E), v(beta * P, beta2 * E)
    q, b2, B2, size = z3.Reals("v beta2 B2 m")
    known = (b2 >= 0, b2 < 1, size >= 0, size <= 1, q >= 0, q <= B2)
    return both(
        ("t = 0", equal(v(sp.Integer(1), sp.Integer(1)), sp.Integer(0), "0", numerator)),
        ("t + 1", equal(beta2 * before + (1 - beta2) * (1 - beta * P) ** 2, after, "v_{t+1}", numerator)),
        ("u₁", equal((1 - beta2) / v(beta, beta2), first**2 / (1 - beta) ** 2, "1/(1 − β₁)²", numerator)),
        (
            "u ≥ 1",
            decide(b2 * q + (1 - b2) * size * size <= 1 - b2 * (1 - B2), known, what="v_t ≤ 1 − β₂^t, so that q_t ≤ 1"),
        ),
    )


CHAPTER = Chapter(
    title="AdaMomentum: steps and their bound, its rate in Adam's, a loss on which it does not converge",
    after=("adam_sde",),
    steps=(
        Step(
            id="adamomentum.alternating_average",
            statement=(
                r"$g_t = (-1)^{t-1}G$: $m_t = (-1)^{t-1}aG(1 - (-\beta_1)^t)$, $a = \frac{1-\beta_1}{1+\beta_1}$, for "
                r"all $t$; once $\beta_1^t = 0$, $|m|/\sqrt v$ is $1$ for $v = m^2$ and $a$ for $v = g^2$"
            ),
            plain="gradients ±G in turn: m_t = ±aG(1 − (−β₁)^t); |u| → 1 with AdaMomentum, a with Adam",
            hypotheses=("0 < β₁ < 1", "ε = 0"),
            method="SymPy: induction over t",
            prove=prove_alternating,
            planted=(Planted("(1+β₁)/(1−β₁)", {"inverted": True}), Planted("1 − 2(−β₁)^t", {"start": 2})),
        ),
        Step(
            id="adamomentum.invariant",
            statement=r"for $\tau > 0$, $\epsilon = 0$: with $\tau g$ in place of $g$, $u$ is the same at every step",
            plain="u is the same for τg as for g, τ > 0",
            hypotheses=("ε = 0", "τ > 0"),
            method="SymPy: one step from any m and v",
            prove=prove_invariant,
            planted=(Planted("v times τ", {"power": 1}),),
        ),
        Step(
            id="adamomentum.bound",
            statement=(
                r"for any gradients $|\hat u_t| \le \frac{(1-\beta_2^t)^{1/2}}{(1-\beta_2)^{1/2}(1-\beta_1^t)}$, for "
                r"any $\beta_1$ and $\beta_2$, and $\hat u_1 = 1/(1-\beta_1)$ attains it"
            ),
            plain="|û_t| ≤ √((1−β₂^t)/(1−β₂))/(1−β₁^t) for any gradients; û_1 = 1/(1−β₁) attains it",
            hypotheses=("0 ≤ β₁, β₂ < 1", "v > 0"),
            method="z3, from v ≥ (1−β₂)m²; SymPy at t = 1",
            prove=prove_bound,
            planted=(
                Planted("without 1−β₂", {"weight": False}),
                Planted("Adam's v", {"momentum": False}),
                Planted("û_1 = √2/(1−β₁)", {"attained": 2}),
            ),
            weaker=({"most": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="adamomentum.stationary",
            statement=(
                r"$m \leftarrow \beta_1m + (1-\beta_1)(hx + s\xi)$, $x \leftarrow x - em$ leave $\mathrm{Var}\,x = "
                r"\frac{es^2(1+\beta_1)}{hD}$, $E m^2 = \frac{2(1-\beta_1)s^2}{D}$, $D = 2(1+\beta_1) - (1-\beta_1)eh$,"
                r" as they are; $\eta^2/e^2 = E m^2$ at $e = \frac{\eta}{4s^2}(\sqrt{\eta^2h^2 + 16s^2/a} - \eta h)$"
            ),
            plain="Var x = es²(1+β₁)/(hD), E m² = 2(1−β₁)s²/D; V = E m² at e = (η/4s²)(√(η²h²+16s²/a) − ηh)",
            hypotheses=("0 < β₁ < 1; β₁ = 0 by continuity", "D > 0"),
            method="SymPy: the three equations of second moments, cancelled",
            prove=prove_stationary,
            planted=(Planted("D with (1+β₁)eh", {"plus": True}), Planted("8s²/a", {"four": 8})),
        ),
        Step(
            id="adamomentum.rate_gain",
            statement=(
                r"$1 \le \kappa^2 = \frac{\mu^2+s^2}{\mu^2+as^2} \le \frac1a$ for $0 < a \le 1$, and $\kappa$ grows "
                r"with $s^2$"
            ),
            plain="κ² = (μ²+s²)/(μ²+as²) is from 1 to 1/a and grows with s²",
            hypotheses=("0 < a ≤ 1", "μ, s not both 0"),
            method="real arithmetic by z3",
            prove=prove_rate_gain,
            planted=(Planted("0.99/a", {"most": "0.99"}), Planted("falls with s²", {"grows": -1})),
            weaker=({"most": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="adamomentum.same_m_and_v",
            statement=r"for $\beta_1 = 0$, $\epsilon = 0$ AdaMomentum's $m$ and $v$ are Adam's at every step",
            plain="β₁ = 0, ε = 0: AdaMomentum's m and v are Adam's at every step",
            hypotheses=("β₁ = 0", "ε = 0"),
            method="SymPy: three steps written out, and one from any m and v",
            prove=prove_same,
            planted=(Planted("ε > 0", {"epsilon": sp.Symbol("epsilon", positive=True)}, hypothesis=True),),
        ),
        Step(
            id="adamomentum.period_three",
            statement=(
                r"$\beta_1 = 0$, $\beta_2 = 1/(1+C^2)$, $C \ge 1$, $\eta_n = \eta/\sqrt n$, gradients $C, -1, -1$ in "
                r"turn, $x_1 = 1$: $x = 1$ at every round $3t + 1$, so that for $C > 2$ each period has "
                r"a regret of at least $2(C - 2)$"
            ),
            plain="β₁ = 0, β₂ = 1/(1+C²), gradients C, −1, −1: x = 1 at every round 3t+1; regret ≥ 2(C−2) a period",
            hypotheses=("C ≥ 1, and C > 2 for the regret", "ε = 0"),
            method="z3: v's bounds and the squares of the steps; the first period by itself",
            prove=prove_period,
            planted=(
                Planted("one step up instead of two", {"ups": 1}),
                Planted("C ≥ 1/2", {"least": "1/2"}, hypothesis=True),
                Planted("1.01 times the regret", {"best": "1.01"}),
            ),
            weaker=({"best": "1/2"},),
            kind=Kind.BOUND,
        ),
        Step(
            id="adamomentum.start",
            statement=(
                r"for a constant gradient $u_t = q_t^{-1/2}$, $q_t = \frac{1-\beta_2}{1-\beta_2^t}\sum_{k \le t} "
                r"\beta_2^{t-k}(1-\beta_1^k)^2$, in closed form; $u_1 = 1/(1-\beta_1)$, $u_t \ge 1$"
            ),
            plain="a constant gradient: u_t = 1/√q_t in closed form, u_1 = 1/(1−β₁), u_t ≥ 1; Adam's is 1",
            hypotheses=("0 < β₁, β₂ < 1, β₂ ≠ β₁, β₁²", "ε = 0"),
            method="SymPy: induction over t; z3 for u_t ≥ 1",
            prove=prove_start,
            planted=(Planted("−1 in place of −2", {"cross": -1}), Planted("u₁ = 2/(1−β₁)", {"first": 2})),
        ),
    ),
)
