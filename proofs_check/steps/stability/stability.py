r"""The gap of two runs of SGD with momentum: its edges in both orders, why SGD does not expand, and SGDEM's bound.

Notation of `theory.stability.gap`: M_h = [[1 − ηh, γ], [−ηh, γ]] takes (D, V) on; e is ηL. P stands for γ^{n−1} and Q
for γⁿ = γP; what holds for all P that are 1 at n = 1 and γ times as large at n + 1 holds for all n.

**Cyclic order.** Jury's conditions for λ² − Tλ + d are d < 1, 1 − T + d > 0 and 1 + T + d > 0.

**Below 2.** E_cyc < 2 says 1 + γⁿ − 2γ^{n−1} > 0, which is (1 − γ)(S − P), S = 1 + … + γ^{n−2}: S > P at n = 2, and
with S + P for S and γP for P also at n + 1.

**Random order.** T is the matrix of (E D², E DV, E V²). That det(I − T) vanishes nowhere else makes E_ms the first
edge: T's spectral radius is an eigenvalue, as it keeps a cone.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_below_two",
    "prove_both_papers",
    "prove_determinant",
    "prove_early",
    "prove_epoch",
    "prove_nonexpansive",
    "prove_range",
]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal, equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

eta, m, s, e, P = sp.symbols("eta m s e P", positive=True)  # h̄ is m and m₂ is s
gamma = sp.Symbol("gamma", positive=True)  # drawn from (0, 1)


def prove_epoch(trace_power: int = 1, determinant_power: int = 1) -> Outcome:
    """M_0^k by induction; trace and determinant of M_L M_0^{n−1}; Jury's conditions are ηL < E_cyc.

    Args:
        trace_power, determinant_power: of γ that stands before P = γ^{n−1} in 1 − γⁿ of the trace, in the determinant.
    """
    import z3

    flat, curved = sp.Matrix([[1, gamma], [0, gamma]]), sp.Matrix([[1 - e, gamma], [-e, gamma]])

    def power(P: Any) -> Any:
        return sp.Matrix([[1, gamma * (1 - P) / (1 - gamma)], [0, P]])

    after, epoch = flat * power(P), curved * power(P)
    links = (({"entry": k}, after[k], power(gamma * P)[k]) for k in range(4))
    first = (({"entry": k}, power(sp.Integer(1))[k], sp.eye(2)[k]) for k in range(4))
    trace = 1 + gamma * P - e * (1 - gamma**trace_power * P) / (1 - gamma)
    g, Q, x = z3.Reals("gamma power step")
    T = 1 + Q - x * (1 - Q) / (1 - g)
    jury = z3.And(1 - Q > 0, 1 - T + Q > 0, 1 + T + Q > 0)
    room = (g >= 0, g < 1, Q >= 0, Q < 1, x > 0)
    return both(
        ("M_0^0", all_equal(first, "{count} entries", numerator)),
        ("M_0^{k+1}", all_equal(links, "{count} entries", numerator)),
        ("trace", equal(epoch.trace(), trace, "the trace of an epoch", numerator)),
        ("determinant", equal(epoch.det(), gamma**determinant_power * P, "the determinant of an epoch", numerator)),
        ("edge", decide(jury == (x * (1 - Q) < 2 * (1 - g) * (1 + Q)), room, what="Jury's conditions are ηL < E_cyc")),
    )


def prove_below_two(first: int = 2, many: bool = False) -> Outcome:
    """E_cyc < 2 for 0 < γ < 1 and n ≥ 2.

    Args:
        first: the least n; many: whether 2(1 − γ), the edge for n → ∞, stands for 2.
    """
    import z3

    g, p, total = z3.Reals("gamma power sum")
    room = (g > 0, g < 1)
    start = sum((g**k for k in range(first - 1)), z3.RealVal(0)), g ** (first - 1) if first > 1 else z3.RealVal(1)
    S = (1 - P) / (1 - gamma)
    edge = 2 * (1 - g) * (1 + g * p) / (1 - g * p)
    known = (*room, p > 0, p < 1, total * (1 - g) == 1 - p, total > p)
    return both(
        ("factors", equal(1 + gamma * P - 2 * P, (1 - gamma) * (S - P), "(1 − γ)(S − P)", numerator)),
        ("first n", decide(start[0] > start[1], room, what="S > P at the first n")),
        ("n + 1", decide(total + p > g * p, (*room, p > 0, total > p), what="S > P at the next n")),
        ("edge", decide(edge < (2 * (1 - g) if many else 2), known, what="E_cyc is below")),
    )


def _second(mean: Any, square: Any) -> Any:
    """The matrix of (E D², E DV, E V²), from M_h."""
    D, V, h = sp.symbols("D V h")
    after = (1 - eta * h) * D + gamma * V, -eta * h * D + gamma * V
    rows = []
    for product in (after[0] ** 2, after[0] * after[1], after[1] ** 2):
        found = sp.Poly(sp.expand(product), D, V)
        entries = [found.coeff_monomial(one) for one in (D**2, D * V, V**2)]
        rows.append([sp.expand(x).subs(h**2, square).subs(h, mean) for x in entries])
    return sp.Matrix(rows)


def prove_determinant(exchanged: bool = False, whole: bool = True) -> Outcome:
    """det(I − T) is η[2h̄(1 − γ²) − η((1 + γ)m₂ − 2γh̄²)]: it vanishes at η = 0, at E_ms, and nowhere else.

    Args:
        exchanged: m₂ and h̄² in the edge; whole: 1 − γ² in it, else 1 − γ.
    """
    import z3

    determinant = (sp.eye(3) - _second(m, s)).det()
    one, other = (m**2, s) if exchanged else (s, m**2)
    top = 2 * m * ((1 - gamma**2) if whole else (1 - gamma))
    bottom = (1 + gamma) * one - 2 * gamma * other
    g, a, b = z3.Reals("gamma mean square")
    return both(
        ("determinant", equal(determinant, eta * (top - eta * bottom), "of I − T", sp.expand)),
        (
            "a step size",
            decide(
                (1 + g) * b - 2 * g * a * a > 0, (g >= 0, g < 1, a > 0, b >= a * a), what="E_ms is finite and above 0"
            ),
        ),
    )


def prove_both_papers(share: Any = "1/2", average: bool = True) -> Outcome:
    """E_ms < 2 ≤ E_ms/(1 − γ) for 0 < γ < 1, 0 < q ≤ ½; in general E_ms/(1 − γ) ≥ 2h̄/m₂.

    Args:
        share: the largest q; average: whether the average form's edge is at least 2, else below it.
    """
    import z3

    g, q, a, b = z3.Reals("gamma share mean square")
    room = (g > 0, g < 1, q > 0, q <= z3.RealVal(str(share)))
    bottom = 1 + g - 2 * g * q
    effective = 2 * (1 + g) / bottom
    general = (g >= 0, g < 1, a > 0, b >= a * a)
    return both(
        ("velocity form", decide(2 * (1 - g * g) / bottom < 2, room, what="the edge is below 2")),
        (
            "average form",
            decide(effective >= 2 if average else effective < 2, room, what="the edge in the average form"),
        ),
        (
            "any curvatures",
            decide(2 * a * (1 + g) / ((1 + g) * b - 2 * g * a * a) >= 2 * a / b, general, what="at least SGD's, 2h̄/m₂"),
        ),
    )


def prove_nonexpansive(most: Any = 2) -> Outcome:
    """|1 − ηh| ≤ 1 for 0 ≤ h ≤ L, 0 ≤ ηL ≤ 2; and a step on a convex L-smooth f does not expand, in one dimension.

    Args:
        most: of ηL.
    """
    import z3

    x, h, L, d, slope = z3.Reals("eta h L gap slope")
    room = (x >= 0, L > 0, x * L <= z3.RealVal(str(most)))
    factor = 1 - x * h
    after = d - x * slope * d
    return both(
        ("quadratic", decide(z3.And(factor <= 1, factor >= -1), (*room, h >= 0, h <= L), what="|1 − ηh| ≤ 1")),
        ("convex", decide(after * after <= d * d, (*room, slope >= 0, slope <= L), what="|D⁺| ≤ |D|")),
    )


def prove_early(divided: Any = 1, plus: Any = 1) -> Outcome:
    """Both sums of SGDEM's bound, by induction over T_d and T; the visit's probability; the velocity's gap.

    Args:
        divided: by what T_d(T_d + 1) is; plus: what stands for its 1.
    """
    import z3

    G, n, T, d = sp.symbols("G n T T_d", positive=True)

    def stated(d: Any, T: Any) -> Any:
        return eta * G / n * (d * (d + plus) / (divided * (1 - gamma)) + 2 * (T - d))

    with_momentum = 2 * eta * G * (d + 1) / (n * (1 - gamma))
    p, t, N, v, g = z3.Reals("probability t n velocity gamma")
    met = p + (1 - p) / N
    return both(
        ("T_d = T = 0", equal(stated(sp.Integer(0), sp.Integer(0)), sp.Integer(0), "0")),
        (
            "one more step with momentum",
            equal(stated(d + 1, d + 1) - stated(d, d), with_momentum, "(T_d + 1)/n · 2ηG/(1 − γ)", numerator),
        ),
        ("one more without", equal(stated(d, T + 1) - stated(d, T), 2 * eta * G / n, "2ηG/n", numerator)),
        (
            "visited",
            decide(met <= (t + 1) / N, (N >= 1, t >= 0, p >= 0, p <= 1, p * N <= t), what="P(visited by t) ≤ t/n"),
        ),
        (
            "velocity",
            decide(
                (g * v + 1) * (1 - g) <= 1,
                (g >= 0, g < 1, v >= 0, v * (1 - g) <= 1),
                what="γ·1/(1 − γ) + 1 ≤ 1/(1 − γ)",
            ),
        ),
    )


def prove_range(two: Any = 2, spread: bool = True) -> Outcome:
    """η < E_ms says g(γ) < 0, g = 2h̄γ² + η(m₂ − 2h̄²)γ + ηm₂ − 2h̄; g(0) ≤ 0 ≤ g(1), and between roots it is below.

    Args:
        two: before h̄² in g; spread: whether g(1) ≥ 0 is claimed for any data, else g(1) > 0.
    """
    import z3

    x, g, a, b, top = z3.Reals("eta gamma mean square most")
    k = z3.RealVal(str(two))

    def value(g: Any) -> Any:
        return 2 * a * g * g + x * (b - k * a * a) * g + x * b - 2 * a

    data = (x > 0, a > 0, b >= a * a)
    edge = x * ((1 + g) * b - 2 * g * a * a) < 2 * a * (1 - g * g)
    sgd = x * b <= 2 * a
    at_one = value(z3.RealVal(1))
    return both(
        ("g < 0", decide(edge == (value(g) < 0), (*data, g >= 0, g < 1), what="η < E_ms is g(γ) < 0")),
        ("g(0)", decide(value(z3.RealVal(0)) <= 0, (*data, sgd), what="g(0) ≤ 0")),
        ("g(1)", decide(at_one >= 0 if spread else at_one > 0, data, what="g(1) ≥ 0")),
        (
            "below the root",
            decide(
                value(g) < 0, (*data, sgd, g > 0, g < top, value(top) == 0, top <= 1), what="g < 0 for 0 < γ < γ_max"
            ),
        ),
    )


CHAPTER = Chapter(
    title="The stability gap of SGD with momentum: its edges, and the bound with early momentum",
    after=("stationary_variance",),
    steps=(
        Step(
            id="stability.epoch_matrix",
            statement=(
                r"for $0 \le \gamma < 1$, $n \ge 1$: $M_LM_0^{n-1}$ has the trace $1 + \gamma^n - \eta L\frac{1 - "
                r"\gamma^n}{1 - \gamma}$ and the determinant $\gamma^n$; both its eigenvalues are inside of the unit "
                r"circle iff $\eta L < \frac{2(1 - \gamma)(1 + \gamma^n)}{1 - \gamma^n}$"
            ),
            plain="an epoch in cyclic order: trace 1 + γⁿ − ηL(1 − γⁿ)/(1 − γ), determinant γⁿ; stable iff ηL < E_cyc",
            hypotheses=("0 ≤ γ < 1", "n ≥ 1", "one sample with h = L, n − 1 with h = 0", "η > 0"),
            method="induction over the flat steps, SymPy; Jury's conditions by z3",
            prove=prove_epoch,
            planted=(
                Planted("1 − γ^{n−1} in the trace", {"trace_power": 0}),
                Planted("determinant γ^{n+1}", {"determinant_power": 2}),
            ),
        ),
        Step(
            id="stability.cyclic_below_two",
            statement=r"for $0 < \gamma < 1$, $n \ge 2$: $\frac{2(1 - \gamma)(1 + \gamma^n)}{1 - \gamma^n} < 2$",
            plain="E_cyc < 2 for 0 < γ < 1, n ≥ 2: a step size that SGD is allowed is not allowed with momentum",
            hypotheses=("0 < γ < 1", "n ≥ 2"),
            method="1 + γⁿ − 2γ^{n−1} = (1 − γ)(1 + … + γ^{n−2} − γ^{n−1}), SymPy; induction over n, z3",
            prove=prove_below_two,
            planted=(Planted("n ≥ 1", {"first": 1}, hypothesis=True), Planted("2(1 − γ) for 2", {"many": True})),
            weaker=({"first": 3},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stability.ms_determinant",
            statement=(
                r"with $T$ the matrix of $(\mathsf{E}D^2, \mathsf{E}DV, \mathsf{E}V^2)$ in random order, any "
                r"curvatures: $\det(I - T) = \eta\left[2\bar h(1 - \gamma^2) - \eta((1 + \gamma)m_2 - 2\gamma\bar "
                r"h^2)\right]$"
            ),
            plain="det(I − T) = η[2h̄(1 − γ²) − η((1 + γ)m₂ − 2γh̄²)], zero at η = 0 and at E_ms alone",
            hypotheses=("0 ≤ γ < 1", "h̄ > 0, m₂ ≥ h̄²", "indices drawn with replacement"),
            method="T from M_h, SymPy, expanded; z3 for the edge's sign",
            prove=prove_determinant,
            planted=(
                Planted("m₂ and h̄² exchanged", {"exchanged": True}),
                Planted("1 − γ for 1 − γ²", {"whole": False}),
            ),
        ),
        Step(
            id="stability.both_papers",
            statement=(
                r"for $0 < \gamma < 1$, $0 < q \le \frac12$: $\frac{2(1 - \gamma^2)}{1 + \gamma - 2\gamma q} < 2 \le "
                r"\frac{2(1 + \gamma)}{1 + \gamma - 2\gamma q}$; for any curvatures the average form's edge is at "
                r"least SGD's, $2\bar h/m_2$"
            ),
            plain="a share q ≤ ½ curved: the edge is below 2 in the velocity form, and at least 2 in the average form",
            hypotheses=("0 < γ < 1", "0 < q ≤ ½; any curvatures for the last part"),
            method="z3, real arithmetic",
            prove=prove_both_papers,
            planted=(
                Planted("q ≤ 1", {"share": 1}, hypothesis=True),
                Planted("below 2 in the average form too", {"average": False}),
            ),
            weaker=({"share": "1/3"},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stability.sgd_nonexpansive",
            statement=(
                r"for $0 \le h \le L$, $0 \le \eta L \le 2$: $|1 - \eta h| \le 1$; and for $f'$ non-decreasing of "
                r"slope $\le L$: $|w - \eta f'(w) - w' + \eta f'(w')| \le |w - w'|$"
            ),
            plain="ηL ≤ 2: a step of SGD on a convex L-smooth loss does not expand a gap, in one dimension",
            hypotheses=("0 ≤ ηL ≤ 2", "f convex and L-smooth, one dimension"),
            method="z3; the difference of slopes is between 0 and L times the gap",
            prove=prove_nonexpansive,
            planted=(Planted("ηL ≤ 3", {"most": 3}, hypothesis=True),),
            weaker=({"most": 1},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stability.sgdem_sum",
            statement=(
                r"$\sum_{t=1}^{T_d}\frac tn\frac{2\eta G}{1 - \gamma} + \frac{2\eta G(T - T_d)}{n} = \frac{\eta G}{n}"
                r"\left[\frac{T_d(T_d + 1)}{1 - \gamma} + 2(T - T_d)\right]$; sample $0$ is met by step $t$ with "
                r"probability $\le t/n$, and $\gamma\frac1{1 - \gamma} + 1 \le \frac1{1 - \gamma}$"
            ),
            plain="the sums of SGDEM's bound are (ηG/n)[T_d(T_d + 1)/(1 − γ) + 2(T − T_d)]; P(visited by t) ≤ t/n",
            hypotheses=("0 ≤ γ < 1", "n ≥ 1", "0 ≤ T_d ≤ T"),
            method="induction over T_d and T, SymPy; over t, z3",
            prove=prove_early,
            planted=(
                Planted("T_d²/(2(1 − γ))", {"divided": 2, "plus": 0}),
                Planted("T_d² for T_d(T_d + 1)", {"plus": 0}),
            ),
        ),
        Step(
            id="stability.range_of_momentum",
            statement=(
                r"$\eta < E_{ms}$ iff $g(\gamma) = 2\bar h\gamma^2 + \eta(m_2 - 2\bar h^2)\gamma + \eta m_2 - 2\bar h "
                r"< 0$; for $\eta m_2 \le 2\bar h$: $g(0) \le 0 \le g(1)$, and $g < 0$ for all $0 < \gamma < "
                r"\gamma_{max}$, its root"
            ),
            plain="η < E_ms iff g(γ) < 0; where SGD is stable g(0) ≤ 0 ≤ g(1), and g < 0 below its root γ_max",
            hypotheses=("η > 0", "h̄ > 0, m₂ ≥ h̄²", "0 ≤ γ < 1"),
            method="z3, real arithmetic",
            prove=prove_range,
            planted=(Planted("h̄² for 2h̄² in g", {"two": 1}), Planted("g(1) > 0 for any data", {"spread": False})),
        ),
    ),
)
