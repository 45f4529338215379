r"""SGD with momentum beside SGD at the same rate: what is behind the orders and constants of both horizons.

Notation of `theory.noise.marginal_value`: average form, m' = βm + (1−β)g, x' = x − ηm', a = ηβ/(1−β); β is "gamma",
which is drawn from (0, 1).

**Means.** ε = ηh. The mean of x_M follows z² − (1+β−(1−β)ε)z + β = 0; of its roots z near 1 and β/z the first has the
amplitude (x_1 − x_0β/z)/(z − β/z), x_1 = (1 − (1−β)ε)x_0, since m_0 = 0.

**First order.** To leading order in η at fixed β, d/dt of SGD's variance V is −2hV + s², E m is hE x, Cov(x_S, m) is
hV − s² and a²Var m is as²β/(1+β). So (E D/a, Cov(x_S, D)/a) follow the equations that are put into the step, from 0.

**Valley.** d/dk of (Y, C, Q) to leading order in η is (−2ηC, −(1−β)(C − hY) − ηQ, −2(1−β)(Q − hC) + (1−β)²hs²) where h
is fixed. Where h changes slowly the moments lag behind what is stationary by the solution ζ of Jζ = d/dk(stationary).
From Y = C = Q = 0 they lack ∫(Y* − Y)dk, J of which is minus the stationary moments. With ρ = η²/(1−β), τ = η²k,
x' = −xY/η − ρx'' and h' = 2xx', the two terms of the law follow, X w with w' as in the step; w(0) = s²ρ is what
the start gives: −xY/η lacks ½s²ρx₀ and −ρx'' as much.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_colder",
    "prove_critical",
    "prove_first_order",
    "prove_identity",
    "prove_lag",
    "prove_root",
    "prove_valley",
]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.ends import coefficients
from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

beta, eta, h, s, t, x_0 = sp.symbols("gamma eta h s t x_0", positive=True)
HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)


def prove_identity(power: Any = 1) -> Outcome:
    """Prove y' = y − ηg for y = x − am, and that D = y_M − x_S has no noise of its own.

    Args:
        power: of β in a = ηβ/(1−β).
    """
    x, m, g, x_S, xi = sp.symbols("x m g x_S xi", real=True)
    a = eta * beta**power / (1 - beta)
    after = beta * m + (1 - beta) * g
    y, y_after = x - a * m, x - eta * after - a * after
    D, noisy = y - x_S, {g: h * x + xi}
    D_after = y_after.subs(noisy) - (x_S - eta * (h * x_S + xi))
    return both(
        ("y' = y − ηg", equal(y_after, y - eta * g, "y' = y − ηg", numerator)),
        ("D' = (1 − ηh)D − ηham", equal(D_after, (1 - eta * h) * D - eta * h * a * m, "ξ cancels", numerator)),
    )


def prove_root(second: Any = beta / (1 - beta), first: Any = beta / (1 - beta)) -> Outcome:
    """Prove the expansions of the slow root and its amplitude: the equations' first orders in ε vanish, for every β.

    Args:
        second: z = 1 − ε − second ε²; first: the amplitude is 1 + first ε.
    """
    e = sp.Symbol("epsilon", positive=True)
    z, amplitude = 1 - e - second * e**2, 1 + first * e
    root = coefficients(z**2 - (1 + beta - (1 - beta) * e) * z + beta, e)
    start = coefficients(amplitude * (z**2 - beta) - ((1 - (1 - beta) * e) * z - beta), e)
    zero = sp.Integer(0)
    links = [(f"root, ε^{n}", equal(root.get(n, zero), zero, "0", numerator)) for n in range(3)]
    links += [(f"amplitude, ε^{n}", equal(start.get(n, zero), zero, "0", numerator)) for n in range(2)]
    return both(*links)


def prove_first_order(half: Any = HALF, delay: Any = 1) -> Outcome:
    """Prove that the stated gaps of mean and variance are those of the leading equations, from 0 at t = 0.

    Args:
        half: what stands for the ½ of the variance's; delay: what stands before ht in the mean's.
    """
    E = sp.exp(-2 * h * t)
    mean, V = x_0 * sp.exp(-h * t), s**2 * (1 - E) / (2 * h)
    delta, u = -(h**2) * t * mean, s**2 * (1 - E) / 4 + h * s**2 * t * E / 2
    share = beta / (1 + beta)
    stated_mean = h * (1 - delay * h * t) * mean
    stated = s**2 * (share - half - sp.Rational(3, 2) * E + h * t * E)
    zero = sp.Integer(0)
    return both(
        ("V", equal(sp.diff(V, t), -2 * h * V + s**2, "V' = −2hV + s²", numerator)),
        ("mean of D", equal(sp.diff(delta, t), -h * delta - h * h * mean, "δ' = −hδ − h·hx̄", numerator)),
        ("Cov(x_S, D)", equal(sp.diff(u, t), -2 * h * u - h * (h * V - s**2), "u' = −2hu − h(hV − s²)", numerator)),
        *((f"{name} from 0", equal(one.subs(t, 0), zero, "0")) for name, one in (("δ", delta), ("u", u), ("V", V))),
        ("gap of means", equal(delta + h * mean, stated_mean, "δ + hx̄", numerator)),
        (
            "gap of variances",
            equal(2 * u + 2 * (h * V - s**2) + s**2 * share, stated, "2u + 2Cov + a Var m", numerator),
        ),
    )


def prove_colder(low: Any = "1/2", high: Any = 2, order: int = 1) -> Outcome:
    """Prove where the stationary variances of SGDM and SGD at the same η lie; noise s²/η, x = ηh, c = (1−β)/(1+β).

    (Var_S − Var_M)/s² = 2ηβ/((1+β)(2−x)(2−xc)).

    Args:
        low, high: (Var_S − Var_M)/s² is between these times ηβ/(1+β) where x ≤ 1.
        order: 1; −1 states that Var_M is the larger one.
    """
    import z3

    b, x = z3.Reals("beta eta_h")
    hypotheses = (b > 0, b < 1, x > 0, x < 2)
    room = (2 - x) * (2 * (1 + b) - x * (1 - b))  # (1+β)(2−x)(2−xc) > 0
    own, other = 2 * (1 + b) - x * (1 - b), (2 - x) * (1 + b)  # Var_M and Var_S are 1 + β over these, times s²/h
    colder = own > other if order > 0 else own < other
    below, above = z3.RealVal(str(low)), z3.RealVal(str(high))
    small = (*hypotheses, x <= 1)
    c = (1 - beta) / (1 + beta)
    difference = s**2 / h * (1 / (2 - eta * h) - 1 / (2 - eta * h * c))
    stated = 2 * s**2 * eta * beta / ((1 + beta) * (2 - eta * h) * (2 - eta * h * c))
    return both(
        ("difference", equal(difference, stated, "Var_S − Var_M", numerator)),
        ("colder", decide(colder, hypotheses, what="Var_M < Var_S")),
        ("at least", decide(2 * (1 + b) >= below * room, small, what="the lower bound")),
        ("at most", decide(2 * (1 + b) <= above * room, small, what="the upper bound")),
    )


def prove_critical(root: int = 1) -> Outcome:
    """Prove where a mode is critically damped: β = r², k = (1−β)ηh.

    Args:
        root: 1 for (1 − r)², −1 for (1 − r)(1 + r).
    """
    import z3

    r, k = z3.Reals("r k")
    stated = (1 - r) * (1 - root * r)
    return decide(
        k == stated, (r > 0, r < 1, k > 0, k < 1 + r * r, (1 + r * r - k) ** 2 == 4 * r * r), what="k = (1−√β)²"
    )


def _leading() -> tuple[sp.Matrix, sp.Matrix]:
    """J and n of d/dk(Y, C, Q) = J(Y, C, Q) + n."""
    c = 1 - beta
    J = sp.Matrix([[0, -2 * eta, 0], [c * h, -c, -eta], [0, 2 * c * h, -2 * c]])
    return J, sp.Matrix([0, 0, c**2 * h * s**2])


def prove_lag(quarter: Any = QUARTER, start: Any = 1) -> Outcome:
    """Prove Y's stationary value, its lag behind a slow curvature and what it lacks from 0, whatever (1−β)/η.

    Args:
        quarter: what stands for ¼ in the lag −¼ηs²h'/(h(1−β)).
        start: what stands before 1/(1−β) in ∫(Y* − Y)dk = Y*(1/(2ηh) + 1/(1−β)).
    """
    J, n = _leading()
    rise = sp.Symbol("h_k", real=True)  # dh/dk
    still = J.LUsolve(-n)
    behind = J.LUsolve(rise * sp.diff(still, h))
    lacks = -J.LUsolve(still)  # J∫(z* − z) = −∫z' = −z*
    Y = eta * s**2 / 2
    stated = -quarter * eta * s**2 * rise / (h * (1 - beta))
    return both(
        ("stationary", equal(still[0], Y, "Y* = ηs²/2", numerator)),
        ("lag", equal(behind[0], stated, "ζ", numerator)),
        ("from 0", equal(lacks[0], Y * (1 / (2 * eta * h) + start / (1 - beta)), "∫(Y* − Y)", numerator)),
    )


def prove_valley(quarter: Any = QUARTER, half: Any = HALF) -> Outcome:
    """Prove that both terms of the law solve their equations along X = x₀e^{−s²τ/2}, and their values at τ = 0.

    Args:
        quarter: what stands for the ¼ of s²τ/4 in a₂; half: for the ½ of a₁.
    """
    tau = sp.Symbol("tau", positive=True)
    X = x_0 * sp.exp(-(s**2) * tau / 2)
    curvature = 1 + X**2
    w_1 = half * (s**2 * tau + x_0**2 - X**2)
    w_2 = s**2 * (1 - quarter * s**2 * tau - sp.log((1 + x_0**2) / curvature) / 4)
    # −xY*/η with Y* = ηs²/(2 − ηhc): SGD's less SGDM's is −½s²X·½h·η(1 − c) to first order, 1 − c = 2β/(1+β).
    grows_1 = s**2 * curvature / 2
    lagging = sp.diff(curvature, tau) * s**2 / (4 * curvature)  # −xζ/η over ρX
    grows_2 = lagging - sp.diff(X, tau, 2) / X
    return both(
        ("limit", equal(sp.diff(X, tau), -(s**2) * X / 2, "X' = −s²X/2", numerator)),
        ("a₁", equal(sp.diff(w_1, tau), grows_1, "w' = ½s²h", numerator)),
        ("a₂", equal(sp.diff(w_2, tau), grows_2, "w' = s²h'/(4h) − X''/X", numerator)),
        ("a₁ from 0", equal(w_1.subs(tau, 0), sp.Integer(0), "0", numerator)),
        ("a₂ from the start", equal(w_2.subs(tau, 0), s**2, "s²", sp.expand)),
    )


CHAPTER = Chapter(
    title="SGD with momentum beside SGD",
    after=("stationary_variance",),
    steps=(
        Step(
            id="marginal_value.identity",
            statement=(
                r"for every $g$, with $m' = \beta m + (1-\beta)g$, $x' = x - \eta m'$, $a = \eta\beta/(1-\beta)$, $y = "
                r"x - am$: $y' = y - \eta g$; and with $g = hx + \xi$, $x_S' = x_S - \eta(hx_S + \xi)$, $D = y - x_S$: "
                r"$D' = (1-\eta h)D - \eta ha\,m$"
            ),
            plain="y = x − am, a = ηβ/(1−β): y' = y − ηg for every g; with the same noise y − x_S has none",
            hypotheses=("0 < β < 1",),
            method="substitution, cancelled by SymPy",
            prove=prove_identity,
            planted=(Planted("a = η/(1−β)", {"power": 0}),),
        ),
        Step(
            id="marginal_value.root",
            statement=(
                r"for every $\beta$: $z = 1 - \epsilon - \frac{\beta}{1-\beta}\epsilon^2$ solves $z^2 - "
                r"(1+\beta-(1-\beta)\epsilon)z + \beta = O(\epsilon^3)$, and its amplitude from $m_0 = 0$ is $1 + "
                r"\frac{\beta}{1-\beta}\epsilon + O(\epsilon^2)$"
            ),
            plain="the slow root is 1 − ε − ε²β/(1−β) + O(ε³), ε = ηh, its amplitude 1 + εβ/(1−β) + O(ε²), for every β",
            hypotheses=("0 < β < 1", "m_0 = 0"),
            method="the coefficients of ε⁰, ε¹ and ε², cancelled by SymPy",
            prove=prove_root,
            planted=(
                Planted("ε² in place of ε²β/(1−β), which is right at β = ½ alone", {"second": sp.Integer(1)}),
                Planted("amplitude 1", {"first": sp.Integer(0)}),
            ),
        ),
        Step(
            id="marginal_value.first_order",
            statement=(
                r"to first order in $a$, $E = e^{-2ht}$: $E x_M - E x_S = ah(1-ht)e^{-ht}x_0$ and $\mathrm{Var}\,x_M - "
                r"\mathrm{Var}\,x_S = as^2[\frac{\beta}{1+\beta} - \frac12 - \frac32E + htE]$"
            ),
            plain="first order: E x_M − E x_S = ah(1−ht)e^{−ht}x₀, Var x_M − Var x_S = as²[β/(1+β) − ½ − (3/2)E + htE]",
            hypotheses=("0 < β < 1", "noise variance s²/η", "the leading equations in η, from D = 0"),
            method="the solutions put into the equations, exponentials as symbols, cancelled by SymPy",
            prove=prove_first_order,
            planted=(Planted("without the ½", {"half": sp.Integer(0)}), Planted("1 for 1 − ht", {"delay": 0})),
        ),
        Step(
            id="marginal_value.colder",
            statement=(
                r"stationary, $0 < \beta < 1$, $0 < \eta h < 2$: $\mathrm{Var}_M < \mathrm{Var}_S$ at equal $\eta$, "
                r"and for $\eta h \le 1$: $\frac{\eta\beta}{2(1+\beta)} \le (\mathrm{Var}_S - \mathrm{Var}_M)/s^2 \le "
                r"\frac{2\eta\beta}{1+\beta}$"
            ),
            plain="Var_M < Var_S at equal η; for ηh ≤ 1: ηβ/(2(1+β)) ≤ (Var_S − Var_M)/s² ≤ 2ηβ/(1+β)",
            hypotheses=("0 < β < 1", "0 < ηh < 2", "noise variance s²/η"),
            method="real arithmetic by z3",
            prove=prove_colder,
            planted=(
                Planted("Var_M > Var_S", {"order": -1}),
                Planted("half the upper bound", {"high": 1}),
                Planted("twice the lower bound", {"low": 1}),
            ),
            weaker=({"low": "9/20"}, {"high": "11/5"}),
            kind=Kind.BOUND,
        ),
        Step(
            id="marginal_value.critical",
            statement=(
                r"$0 < \beta < 1$, $k = (1-\beta)\eta h < 1 + \beta$, $(1+\beta-k)^2 = 4\beta$ imply $k = "
                r"(1-\sqrt\beta)^2$: critical damping"
            ),
            plain="a mode is critically damped where (1−β)ηh = (1−√β)²",
            hypotheses=("0 < β < 1", "0 < k < 1 + β"),
            method="real arithmetic by z3, with β = r²",
            prove=prove_critical,
            planted=(Planted("(1−√β)(1+√β)", {"root": -1}),),
        ),
        Step(
            id="marginal_value.lag",
            statement=(
                r"to leading order in $\eta$, whatever $(1-\beta)/\eta$: $Y^* = \eta s^2/2$; where $h$ changes slowly "
                r"$Y$ is $-\frac{\eta s^2}{4h(1-\beta)}\frac{dh}{dk}$ off it; and from 0 $\int (Y^* - Y)\,dk = "
                r"Y^*(\frac1{2\eta h} + \frac1{1-\beta})$"
            ),
            plain="Y* = ηs²/2, its lag is −ηs²h'/(4h(1−β)), and it lacks Y*(1/(2ηh) + 1/(1−β)), whatever (1−β)/η",
            hypotheses=("0 < β < 1", "the leading equations of (Y, C, Q) in η"),
            method="three linear equations solved and cancelled by SymPy",
            prove=prove_lag,
            planted=(Planted("½ in place of ¼", {"quarter": HALF}), Planted("SGD's 1/(2ηh) alone", {"start": 0})),
        ),
        Step(
            id="marginal_value.valley",
            statement=(
                r"along $X = x_0e^{-s^2\tau/2}$, $h = 1 + X^2$: $w = a_1/X$, $a_1 = \frac12X(s^2\tau + x_0^2 - X^2)$, "
                r"solves $w' = \frac12s^2h$, $w(0) = 0$; $w = a_2/X$, $a_2 = s^2X(1 - \frac{s^2\tau}4 - "
                r"\frac14\ln\frac{1+x_0^2}{1+X^2})$, solves $w' = \frac{s^2h'}{4h} - \frac{X''}X$, $w(0) = s^2$"
            ),
            plain="a₁ and a₂ of the valley's two-term law solve their equations along X = x₀e^{−s²τ/2}",
            hypotheses=("x' = −xY/η − (η²/(1−β))x''", "the step `marginal_value.lag`"),
            method="differentiated, exponentials as symbols, cancelled by SymPy",
            prove=prove_valley,
            planted=(Planted("s²τ/2 in a₂", {"quarter": HALF}), Planted("1 for the ½ of a₁", {"half": sp.Integer(1)})),
        ),
    ),
)
