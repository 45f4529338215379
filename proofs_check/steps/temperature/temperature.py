r"""The temperature rule for any spectrum, its departure, reshuffled epochs, one gradient, and one step beyond the
quadratic.

Notation of `theory.temperature`. Two modes stand for any number: the equations for C_ij hold two, and sums over modes
are
linear in their weights.

**Covariance.** With a = 1 + μ − ηh the equations P = a_iA − μR, R = a_jA − μP, A = a_ia_jA − a_iμP − a_jμR + μ²A + q
are
linear in A, P, R; the first two give P = (a_i − μa_j)A/(1 − μ²), R = (a_j − μa_i)A/(1 − μ²).

**Reshuffled epochs.** |1 − z|² = 2 − 2c and |1 − μz|² = 1 + μ² − 2μc on |z| = 1, c the cosine. Sums over an epoch are
shown by their differences in n and their value at n = 1.

**One gradient.** z = (r, v) follows z ← Mz from z₀ = (−ηδ/B, ηδ/B), and Σ_k M^k = (I − M)⁻¹ where M is stable
(`stationary_variance.stable`).

**Beyond the quadratic, in one dimension.** With constant noise Σ the density is exp(−2L/(η₀Σ)). With x = sz,
s² = η₀Σ/(2h), it is a normal one times 1 − A + A²/2 − …, A = (2/(η₀Σ))(J s³z³/6 + F s⁴z⁴/24), whose moments are those
of a
normal variable.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_beyond",
    "prove_collapse",
    "prove_correction",
    "prove_covariance",
    "prove_epoch",
    "prove_never_below",
    "prove_spectrum",
    "prove_total_effect",
]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.ends import coefficients
from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

mu, eta, eta_0, B, q, h, s = sp.symbols("gamma eta eta_0 B q h s", positive=True)  # μ; "gamma" is drawn from (0, 1)
h_1, h_2, s_1, s_2 = sp.symbols("h_1 h_2 s_1 s_2", positive=True)


def prove_covariance(cross: Any = 1) -> Outcome:
    """C_ij solves the three equations of stationarity.

    Args:
        cross: what stands before the term with (h_i − h_j)².
    """
    one, other = 1 + mu - eta * h_1, 1 + mu - eta * h_2
    bracket = (1 + mu) * (h_1 + h_2) - eta * h_1 * h_2 + cross * mu * eta * (h_1 - h_2) ** 2 / (1 - mu) ** 2
    A = (q / eta) * (1 + mu) / ((1 - mu) * bracket)  # q = η²S_ij/B
    P, R = ((x - mu * y) * A / (1 - mu**2) for x, y in ((one, other), (other, one)))
    again = one * other * A - one * mu * P - other * mu * R + mu**2 * A + q
    return both(
        ("P", equal(P, one * A - mu * R, "P = a_iA − μR", numerator)),
        ("R", equal(R, other * A - mu * P, "R = a_jA − μP", numerator)),
        ("A", equal(again, A, "A = a_ia_jA − a_iμP − a_jμR + μ²A + q", numerator)),
    )


def _mode(rate: Any, curvature: Any, noise: Any, two: Any = 2) -> Any:
    """½h C_ii at a learning rate."""
    return rate * noise * (1 + mu) / (2 * B * (1 - mu) * (two * (1 + mu) - rate * curvature))


def prove_collapse(two: Any = 2) -> Outcome:
    """T/T₀ of one mode, and that the corrected rule is exact for it.

    Args:
        two: what stands for the 2 of η_max = 2(1 + μ)/h and of κ.
    """
    rate, first = (1 - mu) * B * eta_0, eta_0 * s / 4
    kappa = B * (1 - mu) * h / (two * (1 + mu))
    return both(
        ("collapse", equal(_mode(rate, h, s) / first, 1 / (1 - rate * h / (two * (1 + mu))), "T/T₀", numerator)),
        ("corrected", equal(_mode(rate / (1 + kappa * eta_0), h, s), first, "T = T₀", numerator)),
    )


def prove_correction(weighted: bool = True) -> Outcome:
    """What the corrected rule leaves with two modes: Σ s_i(κ − k_i)²η₀²/(1 + (κ − k_i)η₀)/Σ s_i.

    Args:
        weighted: whether h̄ is weighted by the noise, or is the plain mean.
    """
    mean = (h_1 * s_1 + h_2 * s_2) / (s_1 + s_2) if weighted else (h_1 + h_2) / 2
    strength = B * (1 - mu) / (2 * (1 + mu))
    kappa = strength * mean
    rate = (1 - mu) * B * eta_0 / (1 + kappa * eta_0)
    T = _mode(rate, h_1, s_1) + _mode(rate, h_2, s_2)
    rest = sum(
        x * (kappa - strength * k) ** 2 * eta_0**2 / (1 + (kappa - strength * k) * eta_0)
        for k, x in ((h_1, s_1), (h_2, s_2))
    )
    return equal(T / (eta_0 * (s_1 + s_2) / 4) - 1, rest / (s_1 + s_2), "T/T₀ − 1", numerator)


def prove_never_below(slope: Any = 0, order: int = 1, least: Any = 1) -> Outcome:
    """T/T₀ = 1/(1 − x/(2(1+μ))), x = ηh: at least least + slope·x, and decreasing in μ.

    Args:
        slope: of a line above which T/T₀ lies; at most 1/4.
        order: 1; −1 states that it grows in μ.
        least: what stands for the 1.
    """
    import z3

    x, m, more = z3.Reals("eta_h mu mu_more")
    stable = (m >= 0, m < 1, x > 0, x < 2 * (1 + m))
    room = 2 * (1 + m)
    line, start = z3.RealVal(str(slope)), z3.RealVal(str(least))
    # 1/(1 − x/room) ≥ start + line x, times the positive 1 − x/room and room.
    above = room >= (start + line * x) * (room - x)
    larger = (more > m, more < 1)
    falls = order * (2 * (1 + more)) * (room - x) <= order * room * (2 * (1 + more) - x)
    return both(
        ("never below", decide(above, stable, what="T ≥ T₀")),
        ("falls in μ", decide(falls, (*stable, *larger), what="T/T₀ decreases in μ at fixed η")),
    )


def prove_spectrum(share: Any = mu) -> Outcome:
    """The partial fraction behind T_R.

    Args:
        share: what stands for the μ before the second fraction.
    """
    c = sp.Symbol("c", real=True)
    one, other = 2 - 2 * c, 1 + mu**2 - 2 * mu * c
    return equal((1 - mu) ** 2 / (one * other), 1 / one - share / other, "(1−μ)²/(|1−z|²|1−μz|²)", numerator)


def prove_epoch(plus: Any = 1) -> Outcome:
    """Σ_{k<n} k(n−k) = n(n−1)(n+1)/6, Σ_{0<l<n} μ^l(n−l) in closed form, and V from the covariance of an epoch.

    Args:
        plus: what stands for the 1 of n + 1.
    """
    n = sp.Symbol("n", positive=True, integer=True)
    P = sp.Symbol("P", positive=True)  # μ^n
    squares = n * (n - 1) * (n + plus) / 6
    # Σ_{k<n+1} k(n+1−k) − Σ_{k<n} k(n−k) = Σ_{k≤n} k.
    reach = n * mu / (1 - mu) - mu * (1 - P) / (1 - mu) ** 2
    after = (n + 1) * mu / (1 - mu) - mu * (1 - mu * P) / (1 - mu) ** 2
    grown = mu * (1 - P) / (1 - mu)  # Σ_{0<l≤n} μ^l
    V = (1 - 2 * reach / (n * (n - 1))) / (1 - mu**2)
    bracket = 1 - ((1 + mu) / (1 - mu) - 2 * mu * (1 - P) / (n * (1 - mu) ** 2)) / n
    return both(
        ("squares at n = 1", equal(squares.subs(n, 1), sp.Integer(0), "0")),
        ("squares, one more", equal(squares.subs(n, n + 1) - squares, n * (n + 1) / 2, "Σ_{k≤n} k", numerator)),
        ("reach at n = 1", equal(reach.subs({n: 1, P: mu}), sp.Integer(0), "0", numerator)),
        ("reach, one more", equal(after - reach, grown, "Σ_{0<l≤n} μ^l", numerator)),
        ("V", equal(V, n / ((n - 1) * (1 - mu**2)) * bracket, "both forms of V", numerator)),
    )


def prove_total_effect(power: Any = 1) -> Outcome:
    """Σ_k r_k = −δ/(hB) for one mode, and r_∞ = −N_avg ηδ/B with h = 0.

    Args:
        power: of N_avg = 1/(1 − μ).
    """
    delta, P = sp.symbols("delta P", positive=True)
    M = sp.Matrix([[1 - eta * h, -mu], [eta * h, mu]])
    start = sp.Matrix([-eta * delta / B, eta * delta / B])
    total = (sp.eye(2) - M).LUsolve(start)[0]
    response = -(eta / B) * delta * (1 - P) / (1 - mu)  # r_k with h = 0, P = μ^{k+1}
    return both(
        ("closed loop", equal(total, -delta / (h * B), "Σ r_k", numerator)),
        ("first", equal(response.subs(P, mu), -eta * delta / B, "r_0", numerator)),
        ("next", equal(response.subs(P, mu * P) - response, -(eta / B) * delta * P, "r_{k+1} − r_k = −v", numerator)),
        ("limit", equal(response.subs(P, 0), -eta * delta / (B * (1 - mu) ** power), "r_∞", numerator)),
    )


def _normal(polynomial: sp.Expr, z: sp.Symbol) -> sp.Expr:
    """Its mean for a standard normal z."""
    found = sp.Integer(0)
    for k, factor in coefficients(polynomial, z).items():
        found += factor * (sp.factorial2(k - 1) if k % 2 == 0 and k else sp.Integer(int(k == 0)))
    return found


def prove_beyond(five: Any = 5, eight: Any = 8) -> Outcome:
    """T/T₀ − 1 = (Σ/h²)(5J²/(24h) − F/8)η₀ + O(η₀²) for the Gibbs density in one dimension.

    Args:
        five, eight: what stands for the 5 and the 8.
    """
    J, F = sp.symbols("J F", real=True)
    z, e = sp.symbols("z e", positive=True)  # e² = η₀
    size = e * sp.sqrt(s / (2 * h))
    L = h * (size * z) ** 2 / 2 + J * (size * z) ** 3 / 6 + F * (size * z) ** 4 / 24
    A = 2 / (e**2 * s) * (J * (size * z) ** 3 / 6 + F * (size * z) ** 4 / 24)
    weight = sp.expand(1 - A + A**2 / 2)  # the rest is of order e³ and odd, or e⁴
    mean, whole = (_normal(sp.expand(x), z) for x in (L * weight, weight))
    ratio = sp.together(mean / whole / (e**2 * s / 4))
    first = sp.cancel(sp.diff(ratio, e, 2).subs(e, 0) / 2)
    return both(
        ("T → T₀", equal(sp.cancel(ratio).subs(e, 0), sp.Integer(1), "1")),
        ("a", equal(first, s / h**2 * (five * J**2 / (24 * h) - F / eight), "a", numerator)),
    )


CHAPTER = Chapter(
    title="The temperature for any spectrum, and where the rule ends",
    after=("stationary_variance",),
    steps=(
        Step(
            id="temperature.covariance",
            statement=(
                r"for all $\mu, \eta, h_i, h_j > 0$ with $\mu < 1$, $C_{ij} = \frac{\eta(1+\mu)S_{ij}}{B(1-\mu)[(1+\mu)"
                r"(h_i+h_j) - \eta h_ih_j + \mu\eta(h_i-h_j)^2/(1-\mu)^2]}$ solves $P = a_iA - \mu R$, $R = "
                r"a_jA - \mu P$, "
                r"$A = a_ia_jA - a_i\mu P - a_j\mu R + \mu^2A + \eta^2S_{ij}/B$ for $A$"
            ),
            plain=(
                "C_ij = η(1+μ)S_ij/(B(1−μ)[(1+μ)(h_i+h_j) − ηh_ih_j + μη(h_i−h_j)²/(1−μ)²]) solves the "
                "moments' equations"
            ),
            hypotheses=("0 < μ < 1", "independent gradient noise of covariance Σ/B"),
            method="the three linear equations, cancelled by SymPy",
            prove=prove_covariance,
            planted=(
                Planted("without the term with (h_i − h_j)²", {"cross": 0}),
                Planted("twice that term", {"cross": 2}),
            ),
        ),
        Step(
            id="temperature.collapse",
            statement=(
                r"for one mode with $\eta = (1-\mu)B\eta_0$: $T/T_0 = 1/(1 - \eta h/(2(1+\mu)))$, and with $\eta = "
                r"(1-\mu)B\eta_0/(1+\kappa\eta_0)$, $\kappa = B(1-\mu)h/(2(1+\mu))$: $T = T_0$"
            ),
            plain="one mode: T/T₀ = 1/(1 − ηh/(2(1+μ))), and the corrected rule gives T = T₀ exactly",
            hypotheses=("0 < ηh < 2(1+μ)",),
            method="substitution, cancelled by SymPy",
            prove=prove_collapse,
            planted=(Planted("1 for the 2 of 2(1+μ)", {"two": 1}),),
        ),
        Step(
            id="temperature.correction",
            statement=(
                r"with the corrected rule $T/T_0 - 1 = \sum_i "
                r"S_{ii}\frac{(\kappa-k_i)^2\eta_0^2}{1+(\kappa-k_i)\eta_0} \big/ "
                r"\sum_i S_{ii}$, $k_i = B(1-\mu)h_i/(2(1+\mu))$, $\kappa = \sum_i S_{ii}k_i/\sum_i S_{ii}$: no "
                r"first order is left"
            ),
            plain="the corrected rule leaves T/T₀ − 1 = Σ S_ii (κ−k_i)²η₀²/(1+(κ−k_i)η₀) / Σ S_ii: no first order",
            hypotheses=("0 < ηh_i < 2(1+μ)", "two modes, which stand for any number: sums over modes are linear"),
            method="two modes with symbolic weights, cancelled by SymPy",
            prove=prove_correction,
            planted=(Planted("the plain mean of h in κ", {"weighted": False}),),
        ),
        Step(
            id="temperature.never_below",
            statement=(
                r"for $0 \le \mu < 1$, $0 < \eta h < 2(1+\mu)$: $T \ge T_0$ for one mode, and $T/T_0$ at fixed "
                r"$\eta$ does not "
                r"grow with $\mu$"
            ),
            plain="T ≥ T₀ wherever a mode is stable, and T/T₀ at fixed η decreases in μ",
            hypotheses=("0 ≤ μ < 1", "0 < ηh < 2(1+μ)"),
            method="real arithmetic by z3",
            prove=prove_never_below,
            planted=(Planted("T/T₀ ≥ 1 + ηh/3", {"slope": "1/3"}), Planted("it grows with μ", {"order": -1})),
            weaker=({"least": "9/10"},),
            kind=Kind.BOUND,
        ),
        Step(
            id="temperature.spectrum",
            statement=(
                r"on $|z| = 1$, $z \ne 1$: $\frac{(1-\mu)^2}{|1-z|^2|1-\mu z|^2} = \frac{1}{|1-z|^2} - "
                r"\frac{\mu}{|1-\mu z|^2}$"
            ),
            plain="on |z| = 1: (1−μ)²/(|1−z|²|1−μz|²) = 1/|1−z|² − μ/|1−μz|²",
            hypotheses=("|z| = 1, z ≠ 1",),
            method="both sides in the cosine, cancelled by SymPy",
            prove=prove_spectrum,
            planted=(Planted("1 for μ in the numerator", {"share": 1}),),
        ),
        Step(
            id="temperature.epoch",
            statement=(
                r"$\frac1n\sum_{k<n}\frac{k(n-k)}{n-1} = \frac{n+1}{6}$, and the decayed sums of an epoch have "
                r"the mean "
                r"variance $cV$, $V = \frac{1}{1-\mu^2}\{1 - \frac{2}{n(n-1)}\sum_{0<l<n}\mu^l(n-l)\}$, in closed form"
            ),
            plain="(1/n)Σ_{k<n} k(n−k)/(n−1) = (n+1)/6, and V in closed form",
            hypotheses=("n ≥ 2",),
            method="value at n = 1 and difference in n, cancelled by SymPy; μⁿ stands as a symbol of its own",
            prove=prove_epoch,
            planted=(Planted("n + 2 for n + 1", {"plus": 2}),),
        ),
        Step(
            id="temperature.one_gradient",
            statement=(
                r"one mode: $\sum_k r_k = -\delta/(hB)$ whatever $\eta$ and $\mu$; with $h = 0$: $r_k = "
                r"-(\eta/B)\delta(1-\mu^{k+1})/(1-\mu) \to -N_{\mathrm{avg}}\eta\delta/B$"
            ),
            plain="Σ_k r_k = −δ/(hB) whatever η and μ; with h = 0: r_∞ = −N_avg ηδ/B",
            hypotheses=("0 < ηh < 2(1+μ)",),
            method="(I − M)⁻¹z₀ by SymPy; with h = 0 by induction over k",
            prove=prove_total_effect,
            planted=(Planted("N_avg left out", {"power": 0}), Planted("N_avg² for N_avg", {"power": 2})),
        ),
        Step(
            id="temperature.beyond",
            statement=(
                r"in one dimension with constant noise, density $\propto e^{-2L/(\eta_0\Sigma)}$, $L = \frac "
                r"h2x^2 + \frac "
                r"J6x^3 + \frac F{24}x^4$: $T/T_0 = 1 + \frac{\Sigma}{h^2}(\frac{5J^2}{24h} - \frac F8)\eta_0 + "
                r"O(\eta_0^2)$"
            ),
            plain="one dimension, constant noise: T/T₀ = 1 + (Σ/h²)(5J²/(24h) − F/8)η₀ + O(η₀²)",
            hypotheses=("h > 0, F > 0 or L confining",),
            method=(
                "Laplace's expansion to the order η₀, moments of a normal variable, by SymPy; its remainder "
                "is classical"
            ),
            prove=prove_beyond,
            planted=(Planted("4 for 5", {"five": 4}), Planted("6 for 8", {"eight": 6})),
        ),
    ),
)
