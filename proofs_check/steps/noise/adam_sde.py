r"""RMSprop and Adam as the batch changes: which powers of it keep the limit, the frozen process, the first order of v.

Notation of `theory.noise.adam_sde`.

**Powers.** In units of the noise the rates of a step at the batch B are P ∝ η√B, η², 1 − β₁ and 1 − β₂, and ε' ∝ ε√B.
A step at κB is to do what κ steps do: all rates κ times as large, ε' as it was. With (η, 1 − β₁, 1 − β₂, ε) times
κ^(x, y, z, w) they change by κ^(x + ½, 2x, y, z, w + ½).

**Stability.** Jury's conditions for λ² − Tλ + D are D < 1, 1 − T + D > 0 and 1 + T + D > 0. They put both roots inside
of the unit circle: where real, the polynomial is positive at ±1 and its vertex T/2 lies between, as |T| < 1 + D < 2;
where not, |λ|² = D.

**First order.** v̂ is the sum of δ(1 − δ)^j ξ_j² over the past, u = v̂ − 1: E u = 0, E u² = (Eξ⁴ − 1)δ/(2 − δ), and its
higher moments are of order δ², so that E v̂^n = 1 + ½n(n − 1)E u² + O(δ²). The new v is v̂ + δ(ξ² − v̂) + 2δθξ + … in
units where g = θ + ξ: to first order noise E ξ²/v̂' loses δE ξ²(ξ² − 1), and drift E (θ + ξ)v̂'^{−1/2}, per θ, loses
½δE(ξ² − 1) and ½δE 2ξ². Where p ≪ δ, θ² and v̂ are independent to leading order, and Var θ is noise over drift.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_departure", "prove_invariant", "prove_lyapunov", "prove_stability", "prove_v_noise"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.ends import coefficients
from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

HALF, THREE_EIGHTHS = sp.Rational(1, 2), sp.Rational(3, 8)
delta, p, s, kappa = sp.symbols("delta p s kappa", positive=True)
beta = sp.Symbol("gamma", positive=True)  # drawn from (0, 1)


def prove_invariant(powers: tuple[Any, Any, Any, Any] = (HALF, 1, 1, -HALF)) -> Outcome:
    """The rates of a step change by κ, κ, κ, κ and 1; and no other powers do that.

    Args:
        powers: of κ, of η, 1 − β₁, 1 − β₂, ε.
    """
    import z3

    eta, c1, c2, epsilon, B = sp.symbols("eta c_1 c_2 epsilon B", positive=True)
    rates = (eta * sp.sqrt(B), eta**2, c1, c2, epsilon * sp.sqrt(B))
    symbols = (eta, c1, c2, epsilon)
    changed = {one: one * kappa**power for one, power in zip(symbols, powers, strict=True)} | {B: kappa * B}
    names = ("P", "η²", "1 − β₁", "1 − β₂", "ε'")
    links = [
        (name, equal(rate.subs(changed, simultaneous=True), kappa**gain * rate, name))
        for name, rate, gain in zip(names, rates, (1, 1, 1, 1, 0), strict=True)
    ]
    x, y, z, w = z3.Reals("x y z w")
    kept = (x + z3.Q(1, 2) == 1, 2 * x == 1, y == 1, z == 1, w + z3.Q(1, 2) == 0)
    stated = [one == z3.RealVal(str(power)) for one, power in zip((x, y, z, w), powers, strict=True)]
    return both(*links, ("no other", decide(z3.And(*stated), kept, what="the powers are these")))


def prove_lyapunov(two: Any = 2, inverted: bool = False) -> Outcome:
    """S = ASAᵀ + wwᵀ for (θ, dm), S_θθ the closed form; for all p, β₁, s.

    Args:
        two: in the closed form; inverted: (1 + β₁)/(1 − β₁) in it.
    """
    c = 1 - beta
    ratio = (1 + beta) / c if inverted else c / (1 + beta)
    square = s**2 / (p * (two - p * ratio))
    # The second and the third equation give Eθ(dm) and E(dm)² from Eθ²; the first is what is left to hold.
    joint, second = sp.symbols("joint second", real=True)
    A, w = sp.Matrix([[1 - p * c, -beta], [p * c, beta]]), sp.Matrix([-c * s, c * s])
    S = sp.Matrix([[square, joint], [joint, second]])
    rest = A * S * A.T + w * w.T - S
    solved = sp.linsolve([rest[0, 1], rest[1, 1]], [joint, second])
    (values,) = solved
    left = rest[0, 0].subs(dict(zip((joint, second), values, strict=True)))
    links = [
        (name, equal(rest[place].subs(dict(zip((joint, second), values, strict=True))), sp.Integer(0), "0", numerator))
        for name, place in (("θ, dm", (0, 1)), ("dm, dm", (1, 1)))
    ]
    return both(*links, ("θ, θ", equal(left, sp.Integer(0), "0", numerator)))


def prove_departure(over: Any = 1, most: Any = None) -> Outcome:
    """1 ≤ (2 − p)/(2 − κp), the excess is (κ − 1)p/(2 − κp), for κ ≥ 1, 0 < κp < 2.

    Args:
        over: what stands before the excess; most: a bound of the ratio, None for none.
    """
    import z3

    q, k = z3.Reals("p kappa")
    room = (k >= 1, q > 0, k * q < 2)
    ratio, f = (2 - q) / (2 - k * q), z3.RealVal(str(over))
    links = [
        ("at least 1", decide(ratio >= 1, room, what="the ratio is at least 1")),
        ("excess", decide(ratio - 1 <= f * (k - 1) * q / (2 - k * q), room, what="the excess, from above")),
        ("attained", decide(ratio - 1 >= (k - 1) * q / (2 - k * q), room, what="the excess, from below")),
    ]
    if most is not None:
        links.append(("most", decide(ratio <= z3.RealVal(str(most)), room, what="the ratio is bounded")))
    return both(*links)


def prove_stability(sign: int = 1, whole: bool = False) -> Outcome:
    """Jury's conditions hold iff 0 < p(1 − β₁) < 2(1 + β₁), for 0 ≤ β₁ < 1; T and D are those of A.

    Args:
        sign: of β₁ in the bound; whole: p < 2 in its place.
    """
    import z3

    c = 1 - beta
    A = sp.Matrix([[1 - p * c, -beta], [p * c, beta]])
    q, b = z3.Reals("p beta1")
    T, D = 1 - q * (1 - b) + b, b
    jury = z3.And(D < 1, 1 - T + D > 0, 1 + T + D > 0)
    bound = q < 2 if whole else q * (1 - b) < 2 * (1 + sign * b)
    return both(
        ("trace", equal(A.trace(), 1 - p * c + beta, "T")),
        ("determinant", equal(A.det(), beta, "D")),
        ("Jury", decide(jury == z3.And(q * (1 - b) > 0, bound), (b >= 0, b < 1), what="stable where it is stated")),
    )


def prove_v_noise(fourth: Any = 3, root: Any = THREE_EIGHTHS) -> Outcome:
    """Var θ over the frozen one is 1 + 5δ/8 + O(δ²) with the old v, 1 − 3δ/8 + O(δ²) with the new one.

    Args:
        fourth: Eξ⁴; root: E v̂^{−1/2} is 1 + root δ + O(δ²).
    """
    x = sp.Symbol("xi", real=True)
    moments = (1, 0, 1, 0, fourth)

    def mean(polynomial: Any) -> Any:
        """Over ξ."""
        return sum(factor * moments[n] for n, factor in coefficients(polynomial, x).items())

    def first(expression: Any) -> Any:
        return sp.diff(expression, delta).subs(delta, 0)

    variance = sp.cancel(delta**2 * mean((x**2 - 1) ** 2) / (1 - (1 - delta) ** 2))
    inverse, inverse_root = (1 + n * (n - 1) / 2 * first(variance) * delta for n in (-sp.Integer(1), -HALF))
    noise = inverse - delta * mean(x**2 * (x**2 - 1))
    drift = inverse_root - delta / 2 * mean(x**2 - 1) - delta / 2 * mean(2 * x**2)
    return both(
        ("Var v̂", equal(variance, 2 * delta / (2 - delta), "2δ/(2 − δ)", numerator)),
        ("E v̂^{−1/2}", equal(first(inverse_root), root, "its first order")),
        ("order 0", equal((noise / drift).subs(delta, 0), sp.Integer(1), "1")),
        ("old v", equal(first(inverse / inverse_root), sp.Rational(5, 8), "noise over drift: 5/8")),
        ("new v", equal(first(noise / drift), -THREE_EIGHTHS, "noise over drift: −3/8")),
    )


CHAPTER = Chapter(
    title="RMSprop and Adam as the batch changes: the only powers, the frozen process, the fluctuation of v",
    after=("stationary_variance",),
    steps=(
        Step(
            id="adam_sde.powers",
            statement=(
                r"with $(\eta, 1-\beta_1, 1-\beta_2, \epsilon)$ times $(\kappa^{1/2}, \kappa, \kappa, \kappa^{-1/2})$ "
                r"and $B \to \kappa B$ the rates $(\eta\sqrt B, \eta^2, 1-\beta_1, 1-\beta_2, \epsilon\sqrt "
                r"B)$ change by $(\kappa, \kappa, \kappa, \kappa, 1)$; no other powers of $\kappa$ do that"
            ),
            plain="batch × κ: P, η², 1−β₁, 1−β₂, ε' change by κ, κ, κ, κ, 1 by the square-root rule, and by no other",
            hypotheses=("powers of κ", "noise dominates v: snr ≪ 1"),
            method="SymPy, substituted; the powers' linear equations by z3",
            prove=prove_invariant,
            planted=(
                Planted("η × κ", {"powers": (1, 1, 1, -HALF)}),
                Planted("ε × √κ", {"powers": (HALF, 1, 1, HALF)}),
                Planted("β₂ kept", {"powers": (HALF, 1, 0, -HALF)}),
            ),
        ),
        Step(
            id="adam_sde.lyapunov",
            statement=(
                r"$S = ASA^T + ww^T$ has $S_{\theta\theta} = s^2/(p(2 - p\frac{1-\beta_1}{1+\beta_1}))$ for all $p, s$ "
                r"and $0 < \beta_1 < 1$"
            ),
            plain="v frozen: Var θ = s²/(p(2 − p(1−β₁)/(1+β₁))) solves S = ASAᵀ + wwᵀ, for all p, β₁, s",
            hypotheses=("0 < β₁ < 1; β₁ = 0 by continuity", "stable: p(1−β₁) < 2(1+β₁)"),
            method="SymPy: two equations solved, the third holds, cancelled",
            prove=prove_lyapunov,
            planted=(Planted("(1+β₁)/(1−β₁)", {"inverted": True}), Planted("1 in place of 2", {"two": 1})),
        ),
        Step(
            id="adam_sde.departure",
            statement=(
                r"for $\kappa \ge 1$, $0 < \kappa p < 2$: $1 \le \frac{2-p}{2-\kappa p}$, and the excess is "
                r"$\frac{(\kappa-1)p}{2-\kappa p}$"
            ),
            plain="RMSprop, v frozen: Var(κ)/Var(1) = (2−p)/(2−κp) ≥ 1, its excess is (κ−1)p/(2−κp)",
            hypotheses=("κ ≥ 1", "0 < κp < 2"),
            method="real arithmetic by z3",
            prove=prove_departure,
            planted=(Planted("half the excess", {"over": "1/2"}), Planted("at most 1", {"most": 1})),
            weaker=({"over": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="adam_sde.stability",
            statement=(
                r"for $0 \le \beta_1 < 1$ Jury's conditions on $A$ hold if and only if "
                r"$0 < p(1-\beta_1) < 2(1+\beta_1)$"
            ),
            plain="v frozen: stable (Jury) iff 0 < p(1−β₁) < 2(1+β₁)",
            hypotheses=("0 ≤ β₁ < 1",),
            method="SymPy for trace and determinant; z3",
            prove=prove_stability,
            planted=(Planted("p < 2 without β₁", {"whole": True}), Planted("2(1−β₁)", {"sign": -1})),
        ),
        Step(
            id="adam_sde.first_order",
            statement=(
                r"for $\epsilon = 0$, $\mathrm{snr} \to 0$, $p \ll \delta = 1-\beta_2$: noise over drift is $1 + "
                r"\frac58\delta + O(\delta^2)$ with the old $v$, $1 - \frac38\delta + O(\delta^2)$ with the new one"
            ),
            plain="v's fluctuation adds 5δ/8 to Var θ with the old v and takes 3δ/8 with the new one, δ = 1−β₂",
            hypotheses=("normal noise: Eξ⁴ = 3", "snr → 0, ε = 0, p ≪ δ"),
            method="SymPy: moments of v̂, first order in δ",
            prove=prove_v_noise,
            planted=(Planted("Eξ⁴ = 1", {"fourth": 1}), Planted("E v̂^{−1/2} = 1 − δ/8", {"root": -sp.Rational(1, 8)})),
        ),
    ),
)
