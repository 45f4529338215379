r"""The tensor power recursion z_{t+1} = z_t + A_t z_t², 0 < a ≤ A_t ≤ A, z_0 > 0: when z_t first passes v ≥ z_0.

Under GD with λ = 0 each coefficient c_r > 0 follows it, with A_t = 3η(α³ν₁ + β³ν₂). Let τ be the first t with z_t ≥ v.

**Lower bound.** 1/z_t − 1/z_{t+1} = A_t/(1 + A_t z_t) ≤ A, so 1/z_0 − 1/v ≤ 1/z_0 − 1/z_τ ≤ Aτ.

**Upper bound.** φ(z) = log z − 1/(az) increases, so φ(z + A_t z²) ≥ φ(z + a z²); and with s = az > 0

    φ(z + a z²) − φ(z) = 1/(1 + s) + log(1 + s) ≥ 1,        as log(1 + s) ≥ s/(1 + s).

As long as z_t < v, t ≤ φ(z_t) − φ(z_0) < φ(v) − φ(z_0): so τ is finite, and τ − 1 < (1/z_0 − 1/v)/a + log(v/z_0).

**Doubling form.** With n = ⌈log₂(v/z_0)⌉ ≥ 1 the upper bound gives τ < 1/(az_0) + n log 2 + 1, which is below the
published 3/(az_0) + 8(A/a)n. The least constants are 1 and 1:

    τ ≤ 1/(az_0) + (A/a)n.

A larger A_t only helps, and the right side is least at A = a; so let s_{t+1} = s_t + s_t². It is enough that
t ≤ 1/s_0 + ⌊log₂(s_t/s_0)⌋ for all t, by induction over t. Let T be the first time with s_T ≥ 2s_0. Before it
s_t ≥ s_0 + t s_0² and s_t < 2s_0, so t s_0 < 1. From T on, the claim started at s_T and ⌊x⌋ + ⌊y⌋ ≤ ⌊x + y⌋ leave

    T + 1/s_T − 1/s_0 = Σ_{j<T} s_j/(1 + s_j) ≤ ⌊log₂(s_T/s_0)⌋,

where the equality telescopes. If s_0 ≥ 1, T = 1 and the sum is below 1. If s_0 < 1 all terms but the last add up to at
most Σ log(1 + s_j) = log(s_{T−1}/s_0) < log 2, and the last is below 2s_0/(1 + 2s_0): the sum is below 2, which is
enough if s_T ≥ 4s_0, and below 1 if s_0 ≤ 11/50. If 11/50 < s_0 < 1 then T is 2 or 3, and the sum a rational function
of s_0 that is at most 1 while s_T < 4s_0. Neither constant can be less: the second as z_0 → ∞ (τ = 1, n = 1), the
first as z_0 → 0 and then v/z_0 → ∞, by the lower bound.

**Sharpness.** With A_t = a and v = 2z_0 the lower bound is 1/(2az_0), which exceeds ρ/(2az_0) + κ log 2 + k for every
ρ < 1, κ, k ≥ 0 once z_0 < (1 − ρ)/(2a(κ log 2 + k)). So 1/a in the upper bound cannot be lowered.

A bound that is not proved is put to the recursions of `proofs_check.methods.passing`.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_lower", "prove_upper"]

from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.monotone import nonnegative, rational
from lemmascope.proofs_check.methods.passing import Passing, exact_ball, search
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.signs import ball
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, proved, refuted
from lemmascope.theory.verdict import Kind, Status

S = sp.Symbol("s", positive=True)
MILLIONTH = Fraction(1, 10**6)
LOG2_BELOW = Fraction(694, 1000)
"""Above log 2, as a ball shows where it is used."""


def _gap(p: Passing) -> Any:
    return exact_ball(1 / p.z_0 - 1 / p.v)


def _log2_below() -> Outcome:
    gap = ball(sp.Rational(LOG2_BELOW) - sp.log(2))
    return proved(f"log 2 < {LOG2_BELOW} (ball)") if gap > 0 else open_("no enclosure of log 2")


def prove_lower(factor: Any = 1) -> Outcome:
    """τ ≥ factor · (1/z_0 − 1/v)/A."""
    import z3

    z, b, A, y, after, start, t, w = z3.Reals("z b A y y_after y_0 t w")
    f = rational(factor)
    step = (z > 0, b > 0, b <= A, y * z == 1, after * (z + b * z * z) == 1)
    proof = both(
        ("one step", decide(f * (y - after) <= A, step, what="factor · (1/z − 1/z') ≤ A")),
        ("induction", decide(f * (start - after) <= A * (t + 1), (f * (start - y) <= A * t, f * (y - after) <= A))),
        (
            "at τ, 1/z_τ ≤ 1/v ≤ 1/z₀",
            decide(f * (start - w) <= A * t, (f * (start - after) <= A * t, after <= w, w <= start, A > 0, t >= 0)),
        ),
    )
    if proof.status is Status.PROVED:
        return proof
    return search(
        "τ ≥ factor · (1/z₀ − 1/v)/A",
        lambda p: exact_ball(Fraction(factor) / p.A) * _gap(p),
        lambda p, low: low > p.tau,
        early=True,
    )


def prove_upper(rate: Any = 1, log: Any = 1) -> Outcome:
    """τ ≤ ⌈rate · (1/z_0 − 1/v)/a + log · log(v/z_0)⌉."""
    import z3

    rate, log = Fraction(rate), Fraction(log)
    used = min(rate, Fraction(1)), min(log, Fraction(1))  # more of either only adds, as v ≥ z_0
    gain = sp.Rational(used[0]) / (1 + S) + sp.Rational(used[1]) * sp.log(1 + S)
    z, a, b, bound, t, phi, start, end = z3.Reals("z a b bound t phi phi_0 phi_v")
    tau, ceiling = z3.Ints("tau ceiling")
    increments = (phi >= start + t, end >= phi + 1)
    proof = both(
        ("φ(z + az²) − φ(z) ≥ 1", nonnegative(gain - 1, S, 0, sp.oo, what="1/(1+s) + log(1+s) ≥ 1")),
        ("A_t ≥ a goes as far", decide(z + b * z * z >= z + a * z * z, (z > 0, a > 0, b >= a))),
        ("φ increases", decide(rational(used[0]) + rational(used[1]) * a * z > 0, (z > 0, a > 0), what="az²φ' > 0")),
        ("induction", decide(end >= start + t + 1, increments)),
        ("τ is an integer", decide(tau <= ceiling, (z3.ToReal(tau) - 1 < bound, z3.ToReal(ceiling) >= bound))),
    )
    if proof.status is Status.PROVED:
        return proof
    return search(
        "τ ≤ ⌈rate · (1/z₀ − 1/v)/a + log · log(v/z₀)⌉",
        lambda p: exact_ball(rate / p.a) * _gap(p) + exact_ball(log) * exact_ball(p.v / p.z_0).log(),
        lambda p, high: high < p.tau - 1,  # then its ceiling is at most τ − 1
        early=False,
    )


def _search_doublings(first: Any, second: Any) -> Outcome:
    def bound(p: Passing) -> Any:
        return exact_ball(Fraction(first) / (p.a * p.z_0) + Fraction(second) * p.A / p.a * p.doublings())

    return search("τ ≤ p/(az₀) + q(A/a)⌈log₂(v/z₀)⌉", bound, lambda p, high: high < p.tau, early=False)


def prove_published(first: Any = 3, second: Any = 8) -> Outcome:
    """τ ≤ first/(az_0) + second · (A/a)⌈log₂(v/z_0)⌉, from the upper bound."""
    import z3

    s, n, ratio, log2, tau = z3.Reals("inverse n ratio log2 tau")
    domain = (s > 0, n >= 1, ratio >= 1, log2 > 0, log2 < rational(LOG2_BELOW))
    stated = rational(first) * s + rational(second) * ratio * n
    proof = both(
        ("the upper bound", prove_upper()),
        ("log 2", _log2_below()),
        ("τ < 1/(az₀) + n log 2 + 1 is enough", decide(tau <= stated, (*domain, tau < s + n * log2 + 1))),
        ("v = z₀: τ = n = 0", decide(rational(first) * s >= 0, (s > 0,))),
    )
    return proof if proof.status is Status.PROVED else _search_doublings(first, second)


def _doubling_lemma() -> Outcome:
    """Σ_{j<T} s_j/(1 + s_j) ≤ ⌊log₂(s_T/s_0)⌋ at the first T with s_T ≥ 2s_0."""
    import z3

    s, log2 = z3.Reals("s log2")
    orbit, terms = [s], []  # s_j, and (1 + s_j) to multiply out
    for _ in range(3):
        terms.append(1 + orbit[-1])
        orbit.append(orbit[-1] + orbit[-1] * orbit[-1])
    two = orbit[0] * terms[1] + orbit[1] * terms[0] <= terms[0] * terms[1]
    three = (
        orbit[0] * terms[1] * terms[2] + orbit[1] * terms[0] * terms[2] + orbit[2] * terms[0] * terms[1]
        <= terms[0] * terms[1] * terms[2]
    )
    small, middle = (s > 0, s < 1), (s > rational("11/50"), s < 1)
    near = (log2 > 0, log2 < rational(LOG2_BELOW))
    return both(
        ("telescoping", equal(1 / S - 1 / (S + S**2), 1 - S / (1 + S), normal=numerator)),
        ("s₀ ≥ 1: T = 1", decide(z3.And(orbit[1] >= 2 * s, s <= 1 + s), (s >= 1,))),
        ("s/(1+s) ≤ log(1+s)", nonnegative(sp.log(1 + S) - S / (1 + S), S, 0, sp.oo, what="s/(1+s) ≤ log(1+s)")),
        ("log 2", _log2_below()),
        ("s₀ < 1: below 2", decide((2 - log2) * (1 + 2 * s) > 2 * s, (*small, *near))),
        ("s₀ ≤ 11/50: below 1", decide((1 - log2) * (1 + 2 * s) > 2 * s, (s > 0, s <= rational("11/50"), *near))),
        ("11/50 < s₀ < 1: T is 2 or 3", decide(z3.And(orbit[1] < 2 * s, orbit[3] >= 2 * s), middle)),
        ("T = 2", decide(two, (*middle, orbit[2] >= 2 * s, orbit[2] < 4 * s))),
        ("T = 3", decide(three, (*middle, orbit[2] < 2 * s, orbit[3] < 4 * s))),
    )


def prove_least(first: Any = 1, second: Any = 1, least_first: Any = 1, least_second: Any = 1) -> Outcome:
    """The doubling form, and that it is false with p < least_first, or q < least_second, whatever the other is."""
    import z3

    x, y, a, b, s, start, t, S_0, S_T, tau = z3.Reals("x y a b s s_0 t S_0 S_T tau")
    rest, ratio, n, p, q, h = z3.Reals("rest ratio n p q h")
    k, k_T, k_rest = z3.Ints("k k_T k_rest")
    real = z3.ToReal
    grown = (start > 0, s >= start + t * start * start)
    further = (t + S_T <= S_0 + real(k_T), rest <= S_T + real(k_rest), k_T + k_rest <= k)
    stated = rational(first) * S_0 + rational(second) * ratio * n
    bound = both(
        ("A_t = a is slowest", decide(x + a * x * x <= y + b * y * y, (x > 0, x <= y, a > 0, a <= b))),
        ("s_t ≥ s₀ + ts₀²", decide(s + s * s >= start + (t + 1) * start * start, (*grown, t >= 0))),
        ("before doubling t ≤ 1/s₀", decide(t * start < 1, (*grown, s < 2 * start))),
        ("doubling", _doubling_lemma()),
        ("⌊x⌋ + ⌊y⌋ ≤ ⌊x + y⌋", decide(k_T + k_rest <= k, (real(k_T) <= x, real(k_rest) <= y, x + y < real(k) + 1))),
        ("induction", decide(t + rest <= S_0 + real(k), further)),
        ("τ − 1 ≤ 1/s₀ + n − 1 is enough", decide(tau <= stated, (S_0 > 0, n >= 1, ratio >= 1, tau <= S_0 + n))),
    )
    if bound.status is not Status.PROVED:
        return _search_doublings(first, second)
    # A = a, v = 2ⁿz₀, h = 2⁻ⁿ: the lower bound is (1 − h)/(az₀)
    less, slower = rational(least_first) - p, (1 - h) * S_0
    small = (S_0 > 0, h > 0, n >= 1, q >= 0, less >= 2 * h, less * S_0 > 2 * q * n)
    large = (S_0 > 0, p > 0, q < rational(least_second), p * S_0 < rational(least_second) - q)
    lowered = both(
        ("the lower bound", prove_lower()),
        ("p < 1 fails for small z₀", decide(slower > p * S_0 + q * n, small)),
        ("q < 1 fails for large z₀: τ = n = 1", decide(p * S_0 + q < 1, large)),
    )
    if max(Fraction(least_first), Fraction(least_second)) > 1 and prove_least().status is Status.PROVED:
        constants = {"least_first": str(least_first), "least_second": str(least_second)}
        return refuted("lower constants do, as this step proves", {"first": "1", "second": "1", **constants})
    return both(("the bound", bound), ("neither constant can be lowered", lowered))


def prove_sharp(share: Any = 1) -> Outcome:
    """τ > ρ(1/z_0 − 1/v)/a + κ log(v/z_0) + k, v = 2z_0, A_t = a, for z_0 < share · (1 − ρ)/(2a(κ log 2 + k))."""
    import z3

    share = Fraction(share)
    inverse, rho, kappa, k, log2, tau = z3.Reals("inverse rho kappa k log2 tau")  # inverse: 1/(az₀)
    domain = (
        inverse > 0,
        rho < 1,
        kappa >= 0,
        k >= 0,
        log2 > 0,
        log2 < rational(LOG2_BELOW),
        rational(share) * (1 - rho) * inverse > 2 * (kappa * log2 + k),
    )
    proof = both(
        ("the lower bound", prove_lower()),
        ("log 2", _log2_below()),
        ("it exceeds", decide(tau > rho * inverse / 2 + kappa * log2 + k, (*domain, tau >= inverse / 2))),
    )
    if proof.status is Status.PROVED:
        return proof
    for digits in range(1, 30):  # ρ = ½, κ = 0: by the upper bound τ ≤ 1/(2az₀) + 0.694 + 1
        k_at = Fraction(10) ** digits
        half = (k_at / share + k_at - LOG2_BELOW - 1) / 2  # 1/(4az₀), between what z₀ < … asks and what τ allows
        if k_at / share < half:
            latest, claimed = 2 * half + LOG2_BELOW + 1, half + k_at
            numbers = {
                "z_0": str(1 / (4 * half)),
                "v": str(1 / (2 * half)),
                "a": "1",
                "rho": "1/2",
                "kappa": "0",
                "k": str(k_at),
            }
            return refuted("τ is not above it", {**numbers, "tau_at_most": float(latest), "bound": float(claimed)})
    return open_("a link of the proof fails, and no recursion was found that shows it")


DOMAIN = ("0 < a ≤ A_t ≤ A", "z₀ > 0", "v ≥ z₀")
FIRST = r"\tau = \min\{t : z_t \ge v\}"


CHAPTER = Chapter(
    title="The tensor power lemma",
    after=("sigmoid",),
    steps=(
        Step(
            id="tensor_power.lower",
            statement=rf"$\tau \ge (1/z_0 - 1/v)/A$ for all $v \ge z_0 > 0$, $0 < a \le A_t \le A$, ${FIRST}$",
            plain="τ ≥ (1/z₀ − 1/v)/A",
            hypotheses=DOMAIN,
            method="1/z_t falls by at most A a step (z3, for all reals), and induction",
            prove=prove_lower,
            planted=(
                Planted("2/A in place of 1/A", {"factor": 2}),
                Planted("1 + 10⁻⁶ in place of 1", {"factor": 1 + MILLIONTH}),
            ),
            weaker=({"factor": Fraction(1, 2)}, {"factor": -1}),
            kind=Kind.BOUND,
        ),
        Step(
            id="tensor_power.upper",
            statement=(
                r"$\tau \le \lceil (1/z_0 - 1/v)/a + \log(v/z_0) \rceil$ for all $v \ge z_0 > 0$, $0 < a \le A_t$"
            ),
            plain="τ ≤ ⌈(1/z₀ − 1/v)/a + log(v/z₀)⌉",
            hypotheses=DOMAIN,
            method="log z − 1/(az) grows by at least 1 a step: a function that is 0 at s = 0 and increases (SymPy, z3)",
            prove=prove_upper,
            planted=(
                Planted("1/(2a) in place of 1/a", {"rate": Fraction(1, 2)}),
                Planted("without the logarithm", {"log": 0}),
                Planted("(1 − 10⁻⁶)/a", {"rate": 1 - MILLIONTH}),
                Planted("(1 − 10⁻⁶) log(v/z₀)", {"log": 1 - MILLIONTH}),
            ),
            weaker=({"rate": 2}, {"log": 2}),
            kind=Kind.BOUND,
        ),
        Step(
            id="tensor_power.published",
            statement=r"$\tau \le \frac{3}{az_0} + \frac{8A}{a} \lceil\log_2(v/z_0)\rceil$ for all $v \ge z_0 > 0$",
            plain="τ ≤ 3/(az₀) + (8A/a)⌈log₂(v/z₀)⌉",
            hypotheses=DOMAIN,
            method="it follows from the upper bound and log 2 < 0.694 (z3, balls)",
            prove=prove_published,
            planted=(
                Planted("1/2 in place of 3", {"first": Fraction(1, 2)}),
                Planted("1/10 in place of 8", {"second": Fraction(1, 10)}),
            ),
            weaker=({"first": 4}, {"second": 9}),
            kind=Kind.BOUND,
            source="second hand",
        ),
        Step(
            id="tensor_power.least_constants",
            statement=(
                r"$\tau \le \frac{1}{a z_0} + \frac{A}{a} \lceil \log_2(v/z_0) \rceil$ for all $v \ge z_0 > 0$; "
                r"neither 1 can be lowered, whatever stands for the other"
            ),
            plain="τ ≤ 1/(az₀) + (A/a)⌈log₂(v/z₀)⌉, and neither constant 1 can be lowered (published: 3 and 8)",
            hypotheses=DOMAIN,
            method="induction from doubling to doubling: what each costs is rational in s₀, or below log 2 + 2/3 (z3)",
            prove=prove_least,
            planted=(
                Planted("1 − 10⁻⁶ in place of the first 1", {"first": 1 - MILLIONTH}),
                Planted("1 − 10⁻⁶ in place of the second 1", {"second": 1 - MILLIONTH}),
                Planted("nothing below 1 + 10⁻⁶ does for the first", {"least_first": 1 + MILLIONTH}),
                Planted("nothing below 1 + 10⁻⁶ does for the second", {"least_second": 1 + MILLIONTH}),
            ),
            weaker=({"first": 2}, {"second": 2}, {"least_first": Fraction(1, 2)}, {"least_second": Fraction(1, 2)}),
            kind=Kind.BOUND,
        ),
        Step(
            id="tensor_power.sharp",
            statement=(
                r"for all $\rho < 1$, $\kappa, k \ge 0$, $a > 0$ and $0 < z_0 < (1-\rho)/(2a(\kappa\log 2 + k))$: with "
                r"$A_t = a$, $v = 2z_0$, $\tau > \rho(1/z_0 - 1/v)/a + \kappa\log(v/z_0) + k$"
            ),
            plain=(
                "with A_t = a, v = 2z₀ and z₀ < (1−ρ)/(2a(κ log 2 + k)): τ > ρ(1/z₀ − 1/v)/a + κ log(v/z₀) + k, so "
                "that no ρ < 1 will do in the upper bound"
            ),
            hypotheses=("A_t = a", "v = 2z₀", "ρ < 1", "κ, k ≥ 0", "0 < z₀ < (1−ρ)/(2a(κ log 2 + k))"),
            method="the lower bound, and real arithmetic (z3)",
            prove=prove_sharp,
            planted=(
                Planted("z₀ up to twice as large", {"share": 2}, hypothesis=True),
                Planted("z₀ up to 1 + 10⁻⁶ times as large", {"share": 1 + MILLIONTH}, hypothesis=True),
            ),
            weaker=({"share": Fraction(1, 2)},),
            kind=Kind.BOUND,
        ),
    ),
)
