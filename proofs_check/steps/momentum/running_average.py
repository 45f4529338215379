r"""Momentum is a running average: its weights, for every number of steps, every sequence of gradients and every γ.

The average g_{t+1} = γg_t + (1 − γ)∇_t of the past gradients has the weights w_i = (1/N)(1 − 1/N)^i, i = 0, 1, … the
age, N = 1/(1 − γ) (source: the slides). Sums over ages are proved as partial sums, by induction over their length, and
go to their limits as γ^t → 0 and tγ^t → 0.

**Against a window.** The weights have the mean age N − 1 and Σ w_i² = 1/(2N − 1), which are those of a plain window of
2N − 1 values, not of N. On the last N values lies 1 − (1 − 1/N)^N, between 1 − 1/e and 3/4 for N ≥ 2: with y = 1/N,
−log(1 − y) − y is 0 at 0 and increases, and log(1 − y) + y log 4 is concave and 0 at 0 and ½. No weight exceeds 1/N, so
what the window of N has more inside is what the average has outside, δ = (1 − 1/N)^N: both are averages of the values
with mass δ, and the two differ by at most δR for values in an interval of length R; they do for values that are at one
end inside the window and at the other outside. This takes an infinite past: after t steps from g_0 = 0 the mass γ^t is
missing, and a constant sequence already has a difference.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "ages", "bias", "correction", "effect", "mass", "squares", "unrolled", "variation", "weights"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.kernels import ANY, INDUCTION, age, count, eta, gamma, rate, same, solves
from lemmascope.proofs_check.methods.monotone import nonnegative, rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, proved
from lemmascope.theory.verdict import Kind

LARGEST, HALF = sp.Rational(3, 4), sp.Rational(1, 2)
PAST = "an infinite past: the weights of all ages, which sum to 1"


def unrolled(shift: Any = 0, factor: Any = 1, sign: Any = 1, when: str = "then") -> Outcome:
    """The unrolled sums of the average and of the velocity under a schedule.

    Args:
        shift: added to the exponents of γ.
        factor: the exponent of 1 − γ in the average.
        sign: before both sums.
        when: "then" for η_s, "now" for η_t.
    """

    def average(t: Any, s: Any) -> Any:
        return sign * (1 - gamma) ** factor * gamma ** (t - 1 - s + shift)

    def velocity(t: Any, s: Any) -> Any:
        return sign * rate(s if when == "then" else t - 1) * gamma ** (t - 1 - s + shift)

    return both(
        ("average", solves(average, lambda t: 1 - gamma)), ("velocity under a schedule", solves(velocity, rate))
    )


def weights(shift: Any = 0) -> Outcome:
    """Σ_{i<t} (1−γ)γ^i = 1 − γ^t → 1, the weights being (1/N)(1 − 1/N)^i ≥ 0 with N = 1/(1−γ).

    Args:
        shift: added to the exponent of γ in the partial sum.
    """

    def partial(j: Any) -> Any:
        return 1 - gamma ** (j + shift)

    import z3

    P, N = sp.Symbol("P"), 1 / (1 - gamma)
    g, power = z3.Reals("gamma gamma_i")
    return both(
        ("no terms", same(partial(0), 0, "empty sum")),
        ("one term more", same(partial(count + 1) - partial(count), (1 - gamma) * gamma**count, "for every t")),
        ("none negative", decide((1 - g) * power >= 0, (g >= 0, g < 1, power >= 0), what="(1−γ)γ^i ≥ 0")),
        ("with N", same((1 / N) * (1 - 1 / N) ** count, (1 - gamma) * gamma**count, "(1/N)(1 − 1/N)^i")),
        ("the limit", same((1 - P).subs(P, 0), 1, "γ^t → 0")),
    )


def effect(velocity: Any = 1, average: Any = 0, left: Any = 0) -> Outcome:
    """
    Total effect of a gradient: η/(1−γ) in the velocity form, η in the average form; after j steps γ^j of it is to come.

    Args:
        velocity, average: powers of 1/(1−γ) in both.
        left: added to the exponent of γ in what is to come.
    """
    P = sp.Symbol("P")
    j = age + 1
    links = []
    for name, power, weight, kernel in (  # the state keeps weight γ^i of the gradient, and a step adds η of it
        ("velocity", velocity, 1, lambda g: eta * (1 - g) / (1 - gamma)),
        ("average", average, 1 - gamma, lambda g: eta * (1 - g)),
    ):
        total = eta / (1 - gamma) ** power
        links.append((f"{name}, no steps", same(kernel(gamma**0), 0, "empty sum")))
        more = kernel(gamma ** (count + 1)) - kernel(gamma**count)
        links.append((f"{name}, one step more", same(more, eta * weight * gamma**count, "for every t")))
        links.append((f"{name} in total", same(kernel(P).subs(P, 0), total, "as γ^j → 0")))
        links.append((f"{name} to come", same(total - kernel(gamma**j), gamma ** (j + left) * total, "γ^j of it")))
    return both(*links)


def ages(mean: Any = 1) -> Outcome:
    """The mean age of the average is N − 1; that of a window of M values (M − 1)/2, so M = 2N − 1 has the same.

    Args:
        mean: what stands for the 1 in N − 1.
    """
    P, T = sp.symbols("P T")
    N = 1 / (1 - gamma)

    def partial(j: Any) -> Any:
        return gamma * (1 - gamma**j) / (1 - gamma) - j * gamma**j

    limit = partial(count).subs(count * gamma**count, T).subs(gamma**count, P)
    M = 2 * N - 1

    def ages_in(window: Any) -> Any:
        return window * (window - 1) / 2

    return both(
        ("a window of no values", same(ages_in(sp.Integer(0)), 0, "empty sum")),
        ("a window of one more", same(ages_in(count + 1) - ages_in(count), count, "Σ i = M(M − 1)/2, for every M")),
        ("no terms", same(partial(0), 0, "empty sum")),
        (
            "one term more",
            same(partial(count + 1) - partial(count), (1 - gamma) * count * gamma**count, "Σ i w_i, for every t"),
        ),
        ("the limit", same(limit.subs({P: 0, T: 0}), N - mean, "γ^t → 0 and tγ^t → 0")),
        ("a window of 2N − 1", same(ages_in(M) / M, N - mean, "(M − 1)/2")),
        ("a window of N", same(ages_in(N) / N, (N - 1) / 2, "(N − 1)/2")),
    )


def squares(window: Any = 1) -> Outcome:
    """Σ w_i² = 1/(2N − 1): the variance of the average of independent values, that of a window of 2N − 1.

    Args:
        window: what stands for the 1 in 2N − 1.
    """
    P = sp.Symbol("P")
    N = 1 / (1 - gamma)

    def partial(j: Any) -> Any:
        return (1 - gamma) / (1 + gamma) * (1 - gamma ** (2 * j))

    return both(
        ("no terms", same(partial(0), 0, "empty sum")),
        (
            "one term more",
            same(partial(count + 1) - partial(count), ((1 - gamma) * gamma**count) ** 2, "Σ w_i², for every t"),
        ),
        ("the limit", same(((1 - gamma) / (1 + gamma) * (1 - P)).subs(P, 0), 1 / (2 * N - window), "1/(2N − 1)")),
    )


def mass(low: Any = 1, high: Any = LARGEST) -> Outcome:
    """1 − e^{−low} ≤ 1 − (1 − 1/N)^N ≤ high for N ≥ 2, by logarithms and y = 1/N in (0, ½].

    Args:
        low: what stands for the 1 in e^{−1}.
        high: the upper bound, attained at N = 2.
    """
    y = sp.Symbol("y", positive=True)
    low, high = sp.Rational(low), sp.Rational(high)
    below = nonnegative(-sp.log(1 - y) - low * y, y, 0, HALF, what="(1 − 1/N)^N ≤ 1/e")
    if high < 1:
        above = nonnegative(sp.log(1 - y) - y * sp.log(1 - high), y, 0, HALF, what="(1 − 1/N)^N ≥ 1/4")
    else:
        above = proved("a mass is below 1")
    return both(("the weights' sum", weights()), ("at least 1 − 1/e", below), ("at most 3/4", above))


def variation(bound: Any = 1, attained: Any = 1, infinite: bool = True) -> Outcome:
    """|average − mean of the last N| ≤ (1 − 1/N)^N R for values in [a, a + R], and this is attained.

    With δ = (1 − 1/N)^N the average is outside + inside, the mean of the last N is inside + more, where outside is
    Σ_{i≥N} w_i x_i and more is Σ_{i<N} (1/N − w_i) x_i: sums with non-negative weights of mass δ each.

    Args:
        bound, attained: what stands for the factor 1 before (1 − 1/N)^N R, in the bound and where it is attained.
        infinite: whether the weights outside have the mass δ, and not less.
    """
    import z3

    g, power, total, mass, part, x = z3.Reals("gamma gamma_i total mass part x")
    a, R, delta, lost, outside, more = z3.Reals("a R delta lost outside more")
    outer = delta if infinite else delta - lost
    domain = (
        z3.And(R > 0, delta >= 0, delta < 1, lost >= 0, lost <= delta, z3.Or(infinite, lost > 0)),
        z3.And(outside >= outer * a, outside <= outer * (a + R)),
        z3.And(more >= delta * a, more <= delta * (a + R)),
    )
    size = rational(bound) * delta * R
    start, length, share = sp.symbols("a R delta", positive=True)
    ends = share * (start + length) - share * start
    return both(
        ("the weights' sum", weights()),
        ("no weight above 1/N", decide((1 - g) * power <= 1 - g, (g >= 0, g < 1, power >= 0, power <= 1))),
        ("a value more, below", decide(total + part * x >= (mass + part) * a, (total >= mass * a, part >= 0, x >= a))),
        (
            "a value more, above",
            decide(total + part * x <= (mass + part) * (a + R), (total <= mass * (a + R), part >= 0, x <= a + R)),
        ),
        (
            "at most δR",
            decide(z3.And(outside - more <= size, more - outside <= size), domain, what="|difference| ≤ δR"),
        ),
        ("attained by values at both ends", equal(ends, sp.Rational(attained) * share * length, "δ(a + R) − δa = δR")),
    )


def bias(power: Any = 0) -> Outcome:
    """A constant sequence c: the average after t steps is (1 − γ^t)c, short by (1 − 1/N)^t c.

    Args:
        power: added to the exponent.
    """
    c, N = sp.Symbol("c", real=True), 1 / (1 - gamma)

    def after(j: Any) -> Any:
        return (1 - gamma ** (j + power)) * c

    return both(
        ("no steps", same(after(0), 0, "g_0 = 0")),
        ("one step more", same(after(count + 1), gamma * after(count) + (1 - gamma) * c, "g ← γg + (1−γ)c")),
        ("what is short", same(c - (1 - gamma**count) * c, (1 - 1 / N) ** count * c, "(1 − 1/N)^t c")),
    )


def correction(power: Any = 0) -> Outcome:
    """Divided by 1 − γ^t the weights are non-negative and sum to 1: no bias on a constant sequence.

    Args:
        power: added to the exponent of γ in the divisor.
    """
    import z3

    steps = age + 1
    total = 1 - gamma**steps
    p, weight, divided = z3.Reals("gamma_power weight divided")
    return both(
        ("the sum before", weights()),
        ("the sum", same(total / (1 - gamma ** (steps + power)), 1, "Σ w_i/(1 − γ^t) = 1")),
        ("none negative", decide(divided >= 0, (divided * (1 - p) == weight, weight >= 0, p >= 0, p < 1))),
        ("a constant sequence", bias()),
    )


CHAPTER = Chapter(
    title="Momentum is a running average",
    steps=(
        Step(
            id="running_average.unrolled",
            statement=(
                r"$g_{t+1} = \gamma g_t + (1-\gamma)\nabla_t$, $g_0 = 0$ is solved by $g_t = (1-\gamma)\sum_{s<t} "
                r"\gamma^{t-1-s} \nabla_s$, and $v_{t+1} = \gamma v_t + \eta_t \nabla_t$ by $v_t = \sum_{s<t} "
                r"\gamma^{t-1-s} \eta_s \nabla_s$, for all $t$ and all schedules"
            ),
            plain="g_t = (1−γ) Σ_{s<t} γ^{t−1−s} ∇_s, and v_t = Σ_{s<t} γ^{t−1−s} η_s ∇_s under any schedule",
            hypotheses=ANY,
            method=INDUCTION,
            prove=unrolled,
            planted=(
                Planted("γ off by one step", {"shift": 1}),
                Planted("a lost 1−γ", {"factor": 0}),
                Planted("a sign", {"sign": -1}),
                Planted("η_t for η_s", {"when": "now"}),
            ),
            source="slides",
        ),
        Step(
            id="running_average.weights",
            statement=(
                r"$\sum_{i<t} (1-\gamma)\gamma^i = 1 - \gamma^t \to 1$; the weights are $\frac1N(1-\frac1N)^i \ge 0$ "
                r"with $N = \frac{1}{1-\gamma}$"
            ),
            plain="Σ_{i<t} (1−γ)γ^i = 1 − γ^t → 1; the weights are (1/N)(1−1/N)^i ≥ 0, N = 1/(1−γ)",
            hypotheses=("0 < γ < 1",),
            method="induction over t by SymPy, the sign by z3",
            prove=weights,
            planted=(Planted("γ^{t+1} for γ^t", {"shift": 1}),),
            source="slides",
        ),
        Step(
            id="running_average.effect",
            statement=(
                r"a gradient displaces $\theta$ by $\frac{\eta}{1-\gamma}$ in total (velocity), by $\eta$ (average); "
                r"after $j$ steps the share $\gamma^j$ of it is to come"
            ),
            plain="total effect of a gradient: η/(1−γ) (velocity), η (average); after j steps γ^j of it is to come",
            hypotheses=(*ANY, "η constant"),
            method="the kernels and their limits by SymPy",
            prove=effect,
            planted=(
                Planted("η for η/(1−γ)", {"velocity": 0}),
                Planted("η/(1−γ) in the average form", {"average": 1}),
                Planted("γ^{j+1} to come", {"left": 1}),
            ),
            source="slides",
        ),
        Step(
            id="running_average.ages",
            statement=(
                r"the weights have the mean age $N - 1$, which is that of a window of $2N-1$ values; the window of $N$ "
                r"has $\frac{N-1}{2}$"
            ),
            plain="the average's mean age is N − 1, that of a window of 2N − 1 values; a window of N has (N − 1)/2",
            hypotheses=("0 < γ < 1", "N = 1/(1−γ), for windows N or 2N − 1 an integer", PAST),
            method="partial sums by induction, their limit, by SymPy",
            prove=ages,
            planted=(Planted("N for N − 1", {"mean": 0}),),
        ),
        Step(
            id="running_average.squares",
            statement=(
                r"$\sum_i w_i^2 = \frac{1-\gamma}{1+\gamma} = \frac{1}{2N-1}$: of independent values of one variance "
                r"the average has the variance of a window of $2N-1$"
            ),
            plain="Σ w_i² = 1/(2N−1): the average of independent values has the variance of a window of 2N − 1",
            hypotheses=(
                "0 < γ < 1",
                "N = 1/(1−γ), for a window 2N − 1 an integer",
                "values independent, of one variance",
                PAST,
            ),
            method="partial sums by induction, their limit, by SymPy",
            prove=squares,
            planted=(Planted("1/(2N) for 1/(2N−1)", {"window": 0}),),
        ),
        Step(
            id="running_average.mass",
            statement=r"for $N \ge 2$ the last $N$ values have the mass $1 - (1-\frac1N)^N \in [1 - \frac1e, \frac34]$",
            plain="the last N values have the mass 1 − (1−1/N)^N, at least 1 − 1/e and at most 3/4",
            hypotheses=("N = 1/(1−γ) ≥ 2, an integer", PAST),
            method="logarithms of both bounds, in y = 1/N: 0 at an end, with a derivative of one sign (SymPy, z3)",
            prove=mass,
            planted=(
                Planted("e^{−2} for e^{−1}", {"low": 2}),
                Planted("1/2 for 3/4", {"high": HALF}),
                Planted("3/4 − 10⁻⁶ for 3/4", {"high": LARGEST - sp.Rational(1, 10**6)}),
            ),
            weaker=({"low": HALF}, {"low": -1}, {"high": sp.Rational(9, 10)}, {"high": 2}),
            kind=Kind.BOUND,
        ),
        Step(
            id="running_average.variation",
            statement=(
                r"for an infinite past of values in an interval of length $R$ the average and the mean of the last $N$ "
                r"differ by at most $(1-\frac1N)^N R$, and this is attained"
            ),
            plain=(
                "for an infinite past of values of range R, average and mean of the last N differ by at most "
                "(1−1/N)^N R, attained"
            ),
            hypotheses=("N = 1/(1−γ) ≥ 2, an integer", PAST),
            method=(
                "no weight exceeds 1/N, so the difference is that of two sums of mass (1−1/N)^N, each by induction "
                "over its values (z3)"
            ),
            prove=variation,
            planted=(
                Planted("half of it", {"bound": HALF}),
                Planted("1 − 10⁻⁶ times it", {"bound": 1 - sp.Rational(1, 10**6)}),
                Planted("twice of it attained", {"attained": 2}),
                Planted("a finite past, g_0 = 0: γ^t of the mass is missing", {"infinite": False}, hypothesis=True),
            ),
            weaker=({"bound": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="running_average.bias",
            statement=(
                r"on a constant sequence $c$ the average is $(1-\gamma^t)c$ after $t$ steps: short by $(1-\frac1N)^t "
                r"c$"
            ),
            plain="on a constant sequence c the average is (1−γ^t)c after t steps, short by (1−1/N)^t c",
            hypotheses=("0 < γ < 1",),
            method=INDUCTION,
            prove=bias,
            planted=(Planted("γ^{t+1} for γ^t", {"power": 1}),),
            source="slides",
        ),
        Step(
            id="running_average.correction",
            statement=r"divided by $1-\gamma^t$ the weights are non-negative and sum to $1$",
            plain="divided by 1 − γ^t the weights are non-negative and sum to 1: no bias",
            hypotheses=("0 < γ < 1", "t ≥ 1"),
            method="the partial sums and the constant sequence by SymPy, the sign by z3",
            prove=correction,
            planted=(Planted("1 − γ^{t+1} for 1 − γ^t", {"power": 1}),),
        ),
    ),
)
