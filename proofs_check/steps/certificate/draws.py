r"""Errors of the sequential test over draws: paths counted in whole numbers, for every probability on a side of p₀.

With N_k paths of n_k draws that have k failures and have met no look before, P_p(HOLDS) = Σ_k N_k q^k p^{n_k − k},
q = 1 − p. A term grows with p up to 1 − k/n_k, so where each k/n_k ≤ 1 − p₀ the sum at p₀ is the largest for p ≤ p₀.
With M_{j,n} paths whose j-th failure is the draw n, within m_j and the first that is, P_p(REFUTED) = Σ M_{j,n} q^j
p^{n − j}, and a term falls from 1 − j/n on. N_k are here found from binomial coefficients, and not as
`theory.sequential` finds them.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_holds", "prove_least", "prove_refuted"]

from collections.abc import Sequence
from fractions import Fraction
from math import comb

from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, proved, refuted
from lemmascope.theory.sequential import Plan
from lemmascope.theory.verdict import Kind, Status

PLAN = Plan(19 / 20, 220)
LEVEL, ALPHA = Fraction(19, 20), Fraction(1, 20)
PEEKING = (59, 93, 124), (1, 7, 16, 28, 40)
"""n_k and m_j at which each look by itself errs with probability α or less: the bounds of Clopper and Pearson."""


def first_met(looks: Sequence[int]) -> list[int]:
    """N_k: paths with k failures at the look k, and more than i at each look i before."""
    found: list[int] = []
    for k, n in enumerate(looks):
        before = sum(found[i] * comb(n - looks[i], k - i) for i in range(k))
        found.append(comb(n, k) - before)
    return found


def first_within(limits: Sequence[int]) -> dict[tuple[int, int], int]:
    """M_{j,n}: paths whose j-th failure is the draw n ≤ m_j, and no earlier one was within its limit."""
    alive, found = {0: 1}, {}
    for n in range(1, limits[-1] + 1):
        moved: dict[int, int] = {}
        for failures, paths in alive.items():
            moved[failures] = moved.get(failures, 0) + paths
            j = failures + 1
            if j <= len(limits) and n <= limits[j - 1]:
                found[j, n] = paths
            else:
                moved[j] = moved.get(j, 0) + paths
        alive = moved
    return found


def prove_holds(looks: Sequence[int] = PLAN.holds_at, level: Fraction = LEVEL, alpha: Fraction = ALPHA) -> Outcome:
    """P_p(HOLDS) ≤ α for all p ≤ p₀.

    Args:
        looks: n_k; level: p₀; alpha: α.
    """
    terms = {(k, n): paths for (k, n), paths in zip(enumerate(looks), first_met(looks), strict=True)}
    return _at_most(terms, level, alpha, "HOLDS", all(k <= (1 - level) * n for k, n in terms), "p ≤ p₀")


def prove_refuted(
    limits: Sequence[int] = PLAN.refuted_within, level: Fraction = LEVEL, alpha: Fraction = ALPHA
) -> Outcome:
    """P_p(REFUTED) ≤ α for all p ≥ p₀.

    Args:
        limits: m_j; level: p₀; alpha: α.
    """
    terms = first_within(limits)
    return _at_most(terms, level, alpha, "REFUTED", all(j >= (1 - level) * n for j, n in terms), "p ≥ p₀")


def _at_most(
    terms: dict[tuple[int, int], int], level: Fraction, alpha: Fraction, what: str, monotone: bool, where: str
) -> Outcome:
    """Σ paths q^k p^{n − k} ≤ α on a side of p₀, each term monotone there."""
    found = sum(paths * (1 - level) ** k * level ** (n - k) for (k, n), paths in terms.items())
    witness = {"p": str(level), f"P({what})": float(found), "alpha": str(alpha)}
    if found > alpha:
        return refuted(f"at p = p₀ the paths that are {what} have more than α", witness)
    if not monotone:
        return Outcome(Status.INCONCLUSIVE, f"a term is not monotone for {where}")
    return proved(f"counted at p₀, and each term monotone for {where}", error=float(found), paths=len(terms))


def prove_least(fewest: int = PLAN.fewest, level: Fraction = LEVEL, alpha: Fraction = ALPHA) -> Outcome:
    """All of n draws are true with p₀ⁿ > α for n < n₀, and with p₀ⁿ ≤ α at n₀.

    Args:
        fewest: n₀; level: p₀; alpha: α.
    """
    for n in range(1, fewest + 1):
        if (level**n > alpha) != (n < fewest):
            return refuted("the first n with p₀ⁿ ≤ α is another", {"n": n, "p^n": float(level**n), "alpha": str(alpha)})
    return proved("powers of a fraction, one by one", error=float(level**fewest))


CHAPTER = Chapter(
    title="How often a claim is true, decided draw by draw",
    after=("certificate.accuracy",),
    steps=(
        Step(
            id="draws.fewest",
            statement=(
                r"$p_0^n > \alpha$ for $n < 59$, and $p_0^{59} \le \alpha$, at $p_0 = 0.95$, $\alpha = 0.05$: no test "
                r"of error $\alpha$ finds $p > p_0$ on fewer draws that are all true"
            ),
            plain="0.95ⁿ > 0.05 for n < 59, and 0.95⁵⁹ ≤ 0.05: no test shows p > 0.95 on fewer draws, all true",
            hypotheses=("draws are independent, and true with the same probability p",),
            method="powers of a fraction, one by one",
            prove=prove_least,
            planted=(
                Planted("58 for 59", {"fewest": 58}),
                Planted("60 for 59", {"fewest": 60}),
                Planted("p₀ = 0.96", {"level": Fraction(24, 25)}, hypothesis=True),
            ),
        ),
        Step(
            id="draws.holds",
            statement=(
                r"for all $p \le p_0$: $P_p(\text{at most } k \text{ failures in the first } n_k \text{ draws, for "
                r"some } k) \le \alpha$, with $n = (59, 163, 220)$, $p_0 = 0.95$, $\alpha = 0.05$"
            ),
            plain="P(at most k failures in n_k draws, for some k) ≤ 0.05 for all p ≤ 0.95, n = (59, 163, 220)",
            hypotheses=("draws are independent, and true with the same probability p",),
            method="paths counted by binomial coefficients; each term of the sum is monotone in p, so p₀ is the worst",
            prove=prove_holds,
            planted=(
                Planted("looks of which each is right by itself", {"looks": PEEKING[0]}),
                Planted("a look at 58", {"looks": (58, 163, 220)}),
                Planted("a second failure forgiven at 163", {"looks": (59, 163, 163)}),
                Planted("p₀ = 0.96", {"level": Fraction(24, 25)}, hypothesis=True),
            ),
            weaker=({"alpha": Fraction(1, 10)},),
            kind=Kind.BOUND,
        ),
        Step(
            id="draws.refuted",
            statement=(
                r"for all $p \ge p_0$: $P_p(\text{the } j\text{-th failure within } m_j \text{ draws, for some } j) "
                r"\le \alpha$, with $m = (0, 5, 11, 19, 26, \dots, 220)$, $p_0 = 0.95$, $\alpha = 0.05$"
            ),
            plain="P(the j-th failure within m_j draws, for some j) ≤ 0.05 for all p ≥ 0.95, m = (0, 5, 11, …, 220)",
            hypotheses=("draws are independent, and true with the same probability p",),
            method="paths counted draw by draw; each term of the sum is monotone in p, so p₀ is the worst",
            prove=prove_refuted,
            planted=(
                Planted("limits of which each is right by itself", {"limits": PEEKING[1]}),
                Planted("two failures in 8 draws", {"limits": (0, 8, *PLAN.refuted_within[2:])}),
                Planted("p₀ = 0.94", {"level": Fraction(47, 50)}, hypothesis=True),
            ),
            weaker=({"alpha": Fraction(1, 10)},),
            kind=Kind.BOUND,
        ),
    ),
)
