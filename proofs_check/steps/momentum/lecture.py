r"""The equations of McAllester's lecture that no other chapter has, in its order; N = 1/(1 − μ), and γ stands for μ.

The rest of them: the running average unrolled and its weights (`running_average`), velocity and average form as one
trajectory (`conventions`), what the rule does to a stationary law (`stationary_variance`, `temperature`).

**A window.** From x̃_0 = 0 the running average has the weights w_i = (1/N)(1 − 1/N)^i on the t values that there are.
None exceeds 1/N, so x̃_t − x̄_t = Σ_{N≤i<t} w_i x_{t−i} − Σ_{i<N} (1/N − w_i) x_{t−i} has weights of one sign in either
sum, of mass δ − (1 − 1/N)^t and δ, δ = (1 − 1/N)^N. Values in [−R, R] bring it to their sum times R, and no further.

**Total effect.** A sample's gradient g is g/B of its batch's mean. As the weights sum to 1, its effect on the sum of
all later averages is g/B, and on Φ it is −(N/B)ηg, *if later gradients do not answer*: on a quadratic of curvature
h > 0 the displacement r and its velocity follow z ← Mz with det(I − M) = ηh, so that 0 is the only rest, and r_∞ = 0
(`temperature.one_gradient` has what is left of the effect there: Σ_k r_k = −g/(hB)). What sets the temperature is
Σ_k r_k²: x is the sum of the displacements by all gradients so far, which are independent, so that C = BSΣ_k r_k² for
g = 1. With z_0 = (−η, η)g/B the sum X = Σ_k M^k z_0 z_0ᵀ (M^k)ᵀ solves X = MXMᵀ + z_0 z_0ᵀ, which has one solution
(`stationary_variance.unique`).
"""

from __future__ import annotations

__all__ = ["CHAPTER", "convention", "friction", "rule", "squares", "summed", "total_effect", "velocity", "window"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import all_equal, equal, numerator
from lemmascope.proofs_check.methods.kernels import ANY, age, count, eta, gamma, rate, same, since
from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.proofs_check.steps.momentum.running_average import weights
from lemmascope.theory.verdict import Kind

N = 1 / (1 - gamma)
HALF = sp.Rational(1, 2)


def friction(drag: Any = 1, coast: Any = 1) -> Outcome:
    """v_t − v_{t−1} = ηĝ_t − (1−μ)v_{t−1}, and without a gradient Φ coasts by (N − 1)v_0 in all.

    Args:
        drag: what stands before (1 − μ)v.
        coast: what stands for the 1 in N − 1.
    """
    v, pull, P = sp.symbols("v pull P", real=True)
    way = gamma * (1 - P) / (1 - gamma) * v  # Σ_{1≤i≤j} γ^i v, P = γ^j
    return both(
        ("force and drag", same(gamma * v + eta * pull - v, eta * pull - drag * (1 - gamma) * v, "v_t − v_{t−1}")),
        ("no step, no way", same(way.subs(P, 1), 0, "empty sum")),
        ("one step more", same(way.subs(P, gamma * P) - way, gamma * P * v, "γ^{j+1}v, for every j")),
        ("in all", same(way.subs(P, 0), (N - coast) * v, "as γ^j → 0")),
    )


def window(start: Any = 1, bound: Any = 1, attained: Any = 1) -> Outcome:
    """|x̃_t − x̄_t| ≤ (2δ − (1 − 1/N)^t)R for t ≥ N values in [−R, R], δ = (1 − 1/N)^N, and this is attained.

    Args:
        start: what stands before (1 − 1/N)^t.
        bound, attained: what stands before the whole, in the bound and where it is attained.
    """
    import z3

    g, power, total, mass, part, x = z3.Reals("gamma gamma_i total mass part x")
    R, delta, late, outside, more = z3.Reals("R delta late outside more")
    left = delta - late  # the mass outside of the window; late = (1 − 1/N)^t
    domain = (
        z3.And(R > 0, late > 0, late <= delta, delta < 1),
        z3.And(outside >= -left * R, outside <= left * R),
        z3.And(more >= -delta * R, more <= delta * R),
    )
    size = rational(bound) * (2 * delta - rational(start) * late) * R
    inside = gamma**since  # N = since, t = since + count
    ends = (inside - gamma ** (since + count)) + inside
    stated = attained * (2 * inside - gamma ** (since + count))
    return both(
        ("the weights' sum", weights()),
        ("no weight above 1/N", decide((1 - g) * power <= 1 - g, (g >= 0, g < 1, power >= 0, power <= 1))),
        (
            "a value more, below",
            decide(total + part * x >= -(mass + part) * R, (total >= -mass * R, part >= 0, x >= -R)),
        ),
        ("a value more, above", decide(total + part * x <= (mass + part) * R, (total <= mass * R, part >= 0, x <= R))),
        (
            "the mass outside",
            same((1 - gamma ** (since + count)) - (1 - inside), inside - gamma ** (since + count), "Σ_{N≤i<t} w_i"),
        ),
        ("the mass that is missing inside", same(1 - (1 - inside), inside, "Σ_{i<N} (1/N − w_i)")),
        ("no further", decide(z3.And(outside - more <= size, more - outside <= size), domain, what="|x̃ − x̄|")),
        ("attained by −R inside, R outside", same(ends, stated, "(2δ − (1 − 1/N)^t)R")),
    )


def convention(shift: Any = 0) -> Outcome:
    """x̃_t = (1 − 1/N)x̃_{t−1} + (1/N)x_t is x̃_t = βx̃_{t−1} + (1 − β)x_t with β = 1 − 1/N.

    Args:
        shift: added to N in β.
    """
    reach = sp.Symbol("N", positive=True)
    beta = 1 - 1 / (reach + shift)
    typical = (({"beta": str(1 - 10.0**-k)}, beta.subs(reach, 10**k), 1 - sp.Rational(1, 10**k)) for k in (1, 2, 3))
    return both(
        ("of the old value", same(1 - 1 / reach, beta, "β")),
        ("of the new value", same(1 / reach, 1 - beta, "1 − β")),
        ("N from β", same(1 / (1 - beta), reach, "N = 1/(1 − β)")),
        ("β = .9, .99, .999", all_equal(typical, "N = 10, 100, 1000")),
    )


def velocity(power: Any = 1, changing: bool = False) -> Outcome:
    """v_t = μv_{t−1} + η_tĝ_t is the running average of Nη_tĝ_t; for a constant η it is Nηg̃_t.

    Args:
        power: of N.
        changing: whether η changes in v_t = Nη_t g̃_t.
    """
    v, pull = sp.symbols("v pull", real=True)
    weight = (1 / N) * (1 - 1 / N) ** age
    then, now = (rate(since), rate(since + age)) if changing else (eta, eta)
    return both(
        ("a step", same(gamma * v + eta * pull, (1 - 1 / N) * v + (1 / N) * (N**power * eta * pull), "one recursion")),
        ("every step", same(rate(since) * gamma**age, weight * N**power * rate(since), "η_s γ^{t−s}, any schedule")),
        ("by the average", same(then * gamma**age, N**power * now * weight, "v_t = Nηg̃_t")),
    )


def summed(power: Any = 0, shift: Any = 0) -> Outcome:
    """The effect of ĝ_t on g̃_t + … + g̃_{t+j} is (1 − μ^{j+1})ĝ_t, and on Σ_s g̃_s it is ĝ_t.

    Args:
        power: of N before ĝ_t.
        shift: added to the exponent of μ.
    """
    P = sp.Symbol("P")

    def partial(j: Any) -> Any:
        return 1 - gamma ** (j + 1 + shift)

    return both(
        ("on the first", same(partial(0), 1 / N, "its weight is 1/N")),
        (
            "one more",
            same(partial(count + 1) - partial(count), (1 / N) * (1 - 1 / N) ** (count + 1), "the next weight"),
        ),
        ("on all", same((1 - P).subs(P, 0), N**power, "as μ^j → 0")),
    )


def total_effect(power: Any = 1, batch: Any = 1, feedback: bool = False) -> Outcome:
    """A sample's gradient g is g/B of its batch's mean, and displaces Φ by −(N/B)ηg in all, if H = 0.

    Args:
        power: of N.
        batch: of 1/B.
        feedback: whether later gradients answer, on a quadratic of curvature h > 0.
    """
    B, h, P = sp.symbols("B h P", positive=True)
    g, others = sp.symbols("g others", real=True)
    stated = -(N**power) / B**batch * eta * g
    moved = -(eta / B) * g * (1 - gamma * P) / (1 - gamma)  # after j + 1 steps, P = γ^j
    step = sp.Matrix([[-eta * h, -gamma], [eta * h, gamma - 1]])  # M − I of (r, v)
    rest = step.nullspace() or [sp.zeros(2, 1)]  # where a stable z ← Mz ends: at 0, as det(M − I) = ηh
    end = rest[0][0] if feedback else moved.subs(P, 0)
    return both(
        ("of the batch's mean", same((others + g) / B - others / B, g / B**batch, "ĝ_t = (1/B)Σ_b g_{t,b}")),
        ("the first step", same(moved.subs(P, 1), -eta * g / B, "−ηg/B")),
        ("one step more", same(moved.subs(P, gamma * P) - moved, -(eta / B) * g * gamma * P, "v falls by μ")),
        ("in all", same(end, stated, "−(N/B)ηg, as μ^j → 0")),
    )


def squares(plus: Any = 1, two: Any = 2) -> Outcome:
    """Σ_k r_k² on a mode of curvature h, and its limit under the rule: η₀/(2hB).

    Args:
        plus: what stands for the 1 of 1 + μ in the numerator.
        two: what stands for the 2 of 2h in the limit.
    """
    B, h, eta_0 = sp.symbols("B h eta_0", positive=True)
    D = (1 - gamma) * (2 * (1 + gamma) - eta * h)
    q = 1 / B**2
    moved, moving = eta * q * (plus + gamma) / (h * D), 2 * eta**2 * q / D
    X = sp.Matrix([[moved, -moving / 2], [-moving / 2, moving]])  # Σ r_k², Σ r_k v_k, Σ v_k²
    M = sp.Matrix([[1 - eta * h, -gamma], [eta * h, gamma]])
    start = sp.Matrix([-eta, eta]) / B
    again = M * X * M.T + start * start.T
    ruled = X[0, 0].subs(eta, (1 - gamma) * B * eta_0)
    limit = sp.cancel(sp.together(B * ruled / eta_0)).subs(eta_0, 0)  # a quotient of polynomials, continuous at 0
    return both(
        ("Σ r_k²", equal(again[0, 0], X[0, 0], "X = MXMᵀ + z_0z_0ᵀ", numerator)),
        ("Σ r_k v_k", equal(again[0, 1], X[0, 1], "X = MXMᵀ + z_0z_0ᵀ", numerator)),
        ("Σ v_k²", equal(again[1, 1], X[1, 1], "X = MXMᵀ + z_0z_0ᵀ", numerator)),
        ("under the rule", equal(limit, 1 / (two * h), "BΣ r_k²/η₀ → 1/(2h), whatever μ and B", numerator)),
    )


def rule(batch: Any = 1, reach: Any = 1) -> Outcome:
    """(N/B)η = η₀ iff η = (B/N)η₀, which is (1 − μ)Bη₀.

    Args:
        batch: the exponent of B.
        reach: that of 1/N.
    """
    import z3

    B, eta_0 = sp.symbols("B eta_0", positive=True)
    n, b, one, other, zero = z3.Reals("N B eta eta_other eta_0")
    found = B**batch / N**reach * eta_0
    return both(
        ("the total effect", same(N / B * found, eta_0, "(N/B)η = η₀, whatever N and B")),
        (
            "no other rate",
            decide(one == other, (n > 0, b > 0, n * one == b * zero, n * other == b * zero), what="η is unique"),
        ),
        ("with μ = 1 − 1/N", same(found, (1 - gamma) * B * eta_0, "η = (1 − μ)Bη₀")),
    )


CHAPTER = Chapter(
    title="The lecture on momentum, equation by equation",
    after=("stationary_variance",),
    steps=(
        Step(
            id="lecture.friction",
            statement=(
                r"$v_t = \mu v_{t-1} + \eta\hat g_t$: $v_t - v_{t-1} = \eta\hat g_t - (1-\mu)v_{t-1}$, a force and a "
                r"drag; without gradients $\Phi$ coasts by $-(N-1)v_0$ in all, $N = \frac{1}{1-\mu}$"
            ),
            plain="v_t − v_{t−1} = ηĝ_t − (1−μ)v_{t−1}: force and drag; without gradients Φ coasts by −(N−1)v_0",
            hypotheses=("0 < μ < 1",),
            method="the recursion by SymPy; the coast by partial sums, induction and their limit",
            prove=friction,
            planted=(Planted("twice the drag", {"drag": 2}), Planted("N v_0 for (N − 1)v_0", {"coast": 0})),
            source="slides",
        ),
        Step(
            id="lecture.window",
            statement=(
                r"$\tilde x_0 = 0$, $\tilde x_t = (1-\frac1N)\tilde x_{t-1} + \frac1N x_t$, $|x_s| \le R$, $t \ge N$: "
                r"$|\tilde x_t - \frac1N\sum_{k<N} x_{t-k}| \le (2(1-\frac1N)^N - (1-\frac1N)^t)R$, which is attained"
            ),
            plain=(
                "running average from 0 and mean of the last N ≤ t values in [−R, R] differ by at most "
                "(2(1−1/N)^N − (1−1/N)^t)R, attained"
            ),
            hypotheses=("N > 1 an integer, t ≥ N", "x̃_0 = 0"),
            method="two sums with weights of one sign, each by induction over its values (z3); their masses by SymPy",
            prove=window,
            planted=(
                Planted("twice (1−1/N)^t", {"start": 2}),
                Planted("1 − 10⁻⁶ times it", {"bound": 1 - sp.Rational(1, 10**6)}),
                Planted("twice of it attained", {"attained": 2}),
            ),
            weaker=({"start": 0}, {"bound": 2}),
            kind=Kind.BOUND,
        ),
        Step(
            id="lecture.convention",
            statement=(
                r"$\tilde x_t = (1-\frac1N)\tilde x_{t-1} + \frac1N x_t$ is $\tilde x_t = \beta\tilde x_{t-1} + "
                r"(1-\beta)x_t$ with $\beta = 1 - \frac1N$; $\beta = .9, .99, .999$ has $N = 10, 100, 1000$"
            ),
            plain="x̃_t = (1−1/N)x̃_{t−1} + x_t/N is βx̃_{t−1} + (1−β)x_t, β = 1 − 1/N; .9, .99, .999: N = 10, 100, 1000",
            hypotheses=("N > 1",),
            method="coefficients by SymPy",
            prove=convention,
            planted=(Planted("β = 1 − 1/(N + 1)", {"shift": 1}),),
            source="slides",
        ),
        Step(
            id="lecture.velocity",
            statement=(
                r"$v_t = \mu v_{t-1} + \eta_t\hat g_t$ is the running average of $N\eta_t\hat g_t$ under every "
                r"schedule; for constant $\eta$ it is $N\eta\tilde g_t$, and $\Phi_{t+1} = \Phi_t - N\eta\tilde g_t$"
            ),
            plain="v_t is the running average of Nη_tĝ_t, any schedule; constant η: v_t = Nηg̃_t, Φ_{t+1} = Φ_t − Nηg̃_t",
            hypotheses=(*ANY, "for v_t = Nηg̃_t, η constant"),
            method="the recursion, and the weights of every step, by SymPy",
            prove=velocity,
            planted=(
                Planted("without N", {"power": 0}),
                Planted("v_t = Nη_t g̃_t where η changes", {"changing": True}, hypothesis=True),
            ),
            source="slides",
        ),
        Step(
            id="lecture.summed",
            statement=(
                r"the effect of $\hat g_t$ on $\tilde g_t + \dots + \tilde g_{t+j}$ is $(1-\mu^{j+1})\hat g_t \to "
                r"\hat g_t$"
            ),
            plain="the effect of ĝ_t on g̃_t + … + g̃_{t+j} is (1−μ^{j+1})ĝ_t, and on Σ g̃ it is ĝ_t",
            hypotheses=("0 < μ < 1",),
            method="partial sums of the weights by induction, their limit, by SymPy",
            prove=summed,
            planted=(Planted("N ĝ_t", {"power": 1}), Planted("μ^{j+2} for μ^{j+1}", {"shift": 1})),
            source="slides",
        ),
        Step(
            id="lecture.total_effect",
            statement=(
                r"$\hat g_t = \frac1B\sum_b g_{t,b}$, $\Phi_{t+1} = \Phi_t - N\eta\tilde g_t$: $g_{t,b}$ has the "
                r"effect $\frac1B g_{t,b}$ on $\hat g_t$, and displaces $\Phi$ by $-\frac NB\eta\,g_{t,b}$ in all"
            ),
            plain="g_{t,b} has the effect g_{t,b}/B on ĝ_t, and displaces Φ by −(N/B)η g_{t,b} in all",
            hypotheses=("0 < μ < 1", "later gradients do not change: H = 0"),
            method="partial sums by induction, their limit, by SymPy; with H ≻ 0, that 0 is the only rest of the step",
            prove=total_effect,
            planted=(
                Planted("N left out", {"power": 0}),
                Planted("B left out", {"batch": 0}),
                Planted("later gradients answer: h > 0", {"feedback": True}, hypothesis=True),
            ),
            source="slides",
        ),
        Step(
            id="lecture.squares",
            statement=(
                r"one mode: $\sum_k r_k^2 = \frac{\eta(1+\mu)}{B^2h(1-\mu)(2(1+\mu)-\eta h)}$ for a gradient $g = 1$, "
                r"so that $C = BS\sum_k r_k^2$; with $\eta = (1-\mu)B\eta_0$: $\frac{B}{\eta_0}\sum_k r_k^2 \to "
                r"\frac1{2h}$"
            ),
            plain="one mode: Σ_k r_k² = η(1+μ)/(B²h(1−μ)(2(1+μ)−ηh)) = C/(BS), and by the rule BΣ_k r_k²/η₀ → 1/(2h)",
            hypotheses=("0 < μ < 1", "0 < ηh < 2(1+μ)", "independent gradients of variance S"),
            method="the equation of the sum of M^k z_0 z_0ᵀ (M^k)ᵀ, and the limit, by SymPy",
            prove=squares,
            planted=(Planted("2 for the 1 of 1+μ", {"plus": 2}), Planted("h for 2h", {"two": 1})),
        ),
        Step(
            id="lecture.rule",
            statement=(
                r"the total effect $\frac NB\eta\,g_{t,b}$ is $\eta_0 g_{t,b}$, whatever $N$ and $B$, if and only if "
                r"$\eta = \frac BN\eta_0 = (1-\mu)B\eta_0$"
            ),
            plain="the total effect is η₀ g_{t,b}, whatever N and B, iff η = (B/N)η₀ = (1−μ)Bη₀",
            hypotheses=("N = 1/(1−μ), B > 0",),
            method="substitution by SymPy, that no other rate does it by z3",
            prove=rule,
            planted=(
                Planted("η = Bη₀", {"reach": 0}),
                Planted("η = (1−μ)η₀", {"batch": 0}),
                Planted("η = (1−μ)√B η₀", {"batch": HALF}),
                Planted("η = √(1−μ) Bη₀", {"reach": HALF}),
            ),
            source="slides",
        ),
    ),
)
