r"""The radius around a computed trajectory: the Hessian, what grows with D, and what one step does to a distance.

**Along a line.** With z = ⟨w_r, x⟩ and ζ = ⟨v_r, x⟩ for each neuron and patch, f_i(W + sV) = Σ (z + sζ)³, so that the
Hessian's quadratic form VᵀHV is the gradient's derivative along V, whatever the dimension. Sums over samples are
linear, and two terms stand for any number in the square of a sum.

**Split.** With ⟨x_k, w*⟩ = 0, v_r = s_r w* + (the rest) has Σ_k D_kr⟨x_k, v_r⟩² + V_r s_r² ≤ M‖v_r‖² where M is above
0 and the largest eigenvalue of each block. In the sum over r, over two of them here, the blocks do not mix.

**Same eigenvalues.** zⁿ det(zI − MᵀM) = z^d det(zI − MMᵀ), here for M = D^½X of any entries with n = 2 and d = 3.

**One step** of (γ, κ, p, q) on a quadratic of curvature h is M(h), and the largest singular value s of a 2 × 2 matrix
solves s⁴ − Fs² + det² = 0, F the sum of squares.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "prove_between",
    "prove_factor",
    "prove_hessian",
    "prove_majorant",
    "prove_monotone",
    "prove_moved",
    "prove_singular",
    "prove_split",
]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.reals import decide, rational
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

HALF = sp.Rational(1, 2)


def prove_hessian(six: Any = 6, square: Any = 1, penalty: Any = 1) -> Outcome:
    """VᵀHV of one sample's loss is −Σ D ζ² + ℓ(1−ℓ)(∂_V(yf))² + λ|V|².

    Args:
        six: what stands for the 6 of D; square: before ℓ(1−ℓ); penalty: before λ.
    """
    y, s, lam, V = sp.symbols("y s lambda V", real=True)
    z, zeta = sp.symbols("z_1:3", real=True), sp.symbols("zeta_1:3", real=True)
    f = sum(((a + s * b) ** 3 for a, b in zip(z, zeta, strict=True)), sp.Integer(0))
    # The loss log(1 + e^−yf) + λ|W + sV|²/2 has the slope −yℓf' + λ⟨W, V⟩ + λs|V|² (`cubic_cnn.gradient`).
    slope = -y * sp.diff(f, s) / (1 + sp.exp(y * f)) + lam * s * V**2
    found = sp.diff(slope, s).subs(s, 0)
    ell = 1 / (1 + sp.exp(y * f.subs(s, 0)))
    curve = sum((six * y * ell * a * b**2 for a, b in zip(z, zeta, strict=True)), sp.Integer(0))
    along = y * sum((3 * a**2 * b for a, b in zip(z, zeta, strict=True)), sp.Integer(0))
    stated = -curve + square * ell * (1 - ell) * along**2 + penalty * lam * V**2
    return equal(found, stated, "VᵀHV, along any line", numerator)


def prove_split(orthogonal: bool = True, coupling: Any = 1) -> Outcome:
    """Σ_r (Σ_k D⟨x_k, v_r⟩² + V s_r²) ≤ M‖v‖², and what couples w* and its complement.

    Args:
        orthogonal: the hypothesis ⟨x_k, w*⟩ = 0; else it is any number.
        coupling: what stands before the product of both sums.
    """
    import z3

    D, M, V, W, s, t, p, q, along = z3.Reals("D M V_1 V_2 s_1 s_2 p_1 p_2 along")
    # Coordinates in which x_k is the first one of the complement, of length 1; p and q are those of v_1 and v_2.
    slip = along * along == 0 if orthogonal else along <= 1
    known = (D >= 0, M >= D, M >= V, M >= W, M >= 0, slip)
    form = D * (p + along * s) * (p + along * s) + V * s * s + D * (q + along * t) * (q + along * t) + W * t * t
    blocks = decide(form <= M * (p * p + s * s + q * q + t * t), known, what="Σ D⟨x, v_r⟩² + Σ V s_r² ≤ M‖v‖²")
    a, b, c, d = z3.Reals("a b c d")
    mixed = (a * c + b * d) * (a * c + b * d) <= rational(coupling) * (a * a + b * b) * (c * c + d * d)
    return both(("blocks", blocks), ("coupling", decide(mixed, what="(Σ g_s g_x)² ≤ Σ g_s² Σ g_x²")))


def prove_moved(three: Any = 3, six: Any = 6, room: bool = True) -> Outcome:
    """|Δz³| ≤ 3(|z| + r)²|Δz| and |Δ3z²| ≤ 6(|z| + r)|Δz| for |Δz| ≤ r; a factor and a shift of D.

    Args:
        three, six: what stands for them. room: the hypothesis |Δz| ≤ r.
    """
    import z3

    z, d, r, size, far, ell, grown, f = z3.Reals("z delta r size far ell grown f")
    known = (size * size == z * z, size >= 0, far * far == d * d, far >= 0, r >= 0)
    inside = (*known, far <= r) if room else known
    cube, square = (z + d) * (z + d) * (z + d) - z * z * z, 3 * (z + d) * (z + d) - 3 * z * z
    cubic = rational(three) * (size + r) * (size + r) * far
    linear = rational(six) * (size + r) * far
    D = z3.And(grown * (z + d) <= f * (ell * size + ell * r), grown * (z + d) >= -f * (ell * size + ell * r))
    return both(
        ("cube", decide(z3.And(cube <= cubic, cube >= -cubic), inside, what="|Δz³| ≤ 3(|z| + r)²|Δz|")),
        ("square", decide(z3.And(square <= linear, square >= -linear), inside, what="|Δ3z²| ≤ 6(|z| + r)|Δz|")),
        ("D", decide(D, (*inside, ell >= 0, f >= 1, grown >= 0, grown <= f * ell), what="|ℓ'Ξ'| ≤ f(ℓ|Ξ| + ℓr)")),
    )


def prove_monotone(more: bool = True, power: int = 1) -> Outcome:
    """Σ_k D_k⟨x_k, u⟩² grows with each D_k, and XᵀDX and D^½XXᵀD^½ have the same eigenvalues but for zeros.

    Args:
        more: the hypothesis D ≤ D', of the second entry too.
        power: of z that stands between the two characteristic polynomials.
    """
    import z3

    x_1, x_2, D_1, D_2, E_1, E_2 = z3.Reals("x_1 x_2 D_1 D_2 E_1 E_2")
    ordered = (D_1 >= 0, D_2 >= 0, E_1 >= D_1, *((E_2 >= D_2,) if more else (E_2 >= 0,)))
    grows = D_1 * x_1 * x_1 + D_2 * x_2 * x_2 <= E_1 * x_1 * x_1 + E_2 * x_2 * x_2
    z = sp.Symbol("z")
    M = sp.Matrix(2, 3, sp.symbols("M_1:7"))
    small, large = ((z * sp.eye(A.shape[0]) - A).det() for A in (M * M.T, M.T * M))
    return both(
        ("grows", decide(grows, ordered, what="uᵀXᵀDXu ≤ uᵀXᵀD'Xu")),
        ("same eigenvalues", equal(large, z**power * small, "det(z − MᵀM) = z det(z − MMᵀ)")),
    )


def prove_majorant(last: Any = 1, sign: Any = -1) -> Outcome:
    """The step's differences on a quadratic are M(h)(δu, δθ).

    Args:
        last: what stands before q in the last entry. sign: of the entry pγ.
    """
    gamma, kappa, p, q, h = sp.symbols("gamma kappa p q h", positive=True)
    u, theta = sp.symbols("u theta", real=True)
    new = gamma * u + kappa * h * theta
    after = theta - p * new - q * h * theta
    M = sp.Matrix([[gamma, kappa * h], [sign * p * gamma, 1 - (p * kappa + last * q) * h]])
    stated = M * sp.Matrix([u, theta])
    return both(("u", equal(new, stated[0], "δu'")), ("θ", equal(after, stated[1], "δθ'")))


def prove_singular(half: Any = HALF) -> Outcome:
    """s = ½(|(a+d, b−c)| + |(a−d, b+c)|) solves s⁴ − (a²+b²+c²+d²)s² + (ad − bc)² = 0, and is not below a row's norm.

    Args:
        half: what stands for ½.
    """
    import z3

    a, b, c, d = sp.symbols("a b c d", real=True)
    one, two = sp.symbols("p q", nonnegative=True)
    F, det = a**2 + b**2 + c**2 + d**2, a * d - b * c
    squares = {one: (a + d) ** 2 + (b - c) ** 2, two: (a - d) ** 2 + (b + c) ** 2}  # F ± 2 det
    s = half * sum((sp.sqrt(square) for square in squares.values()), sp.Integer(0))

    def reduced(expression: sp.Expr) -> sp.Expr:
        found = expression.xreplace({sp.sqrt(square): root for root, square in squares.items()})
        for root, square in squares.items():
            found = sp.rem(sp.expand(found), root**2 - sp.expand(square), root)
        return sp.expand(found)

    P, R, Fz, det_z = z3.Reals("p q F det")
    roots = (P >= 0, R >= 0, Fz + 2 * det_z == P * P, Fz - 2 * det_z == R * R)
    share = rational(half)
    # Of the two roots s² and det²/s², whose sum is F, it is the larger one.
    larger = 2 * (share * (P + R)) * (share * (P + R)) >= Fz
    return both(
        ("a root", equal(s**4 - F * s**2 + det**2, sp.Integer(0), "the characteristic polynomial", reduced)),
        ("the larger one", decide(larger, roots, what="2s² ≥ F")),
    )


def prove_factor(square: Any = 1, high: Any = 1) -> Outcome:
    """e^x ≤ 1 + x + x² for 0 ≤ x ≤ 1, and the logarithms of ℓ and ℓ(1 − ℓ) have derivatives of at most 1.

    Args:
        square: what stands before x². high: up to where.
    """
    x, E = sp.symbols("x E", positive=True)  # E = e^m
    ell = 1 / (1 + E)

    def slope(f: sp.Expr) -> sp.Expr:
        return sp.diff(f, E) * E / f

    return both(
        ("e^x", nonnegative(sp.log(1 + x + square * x**2) - x, x, 0, high, what=f"e^x ≤ 1 + x + {square}x²")),
        ("ℓ", equal(slope(ell), -(1 - ell), "(log ℓ)' = −(1 − ℓ)", numerator)),
        ("ℓ(1 − ℓ)", equal(slope(ell * (1 - ell)), -(1 - 2 * ell), "(log ℓ(1 − ℓ))' = −(1 − 2ℓ)", numerator)),
    )


def prove_between(nine: Any = 9, norm: Any = 1) -> Outcome:
    """u = c² ⊗ w* and v: uᵀ(Σ w g_s g_xᵀ)v = 9⟨c², u⟩ Σ_k h_kΞ_k²⟨x_k, v⟩, at most by Cauchy and Schwarz twice.

    Args:
        nine: what stands for it. norm: what stands before ‖K‖.
    """
    import z3

    w, s, c, a, z, x, v = sp.symbols("w s c a z x v", real=True)  # one sample, patch and neuron: sums are linear
    form = equal(w * (3 * s**3 * c**2 * a) * (3 * z**2 * x * v), nine * (c**2 * a) * (w * s**3 * z**2) * (x * v), "9")
    h, k, p, q, K, size = z3.Reals("h_1 h_2 p_1 p_2 K size")  # p_k = ⟨x_k, v⟩, of which the squares' sum is ≤ ‖K‖|v|²
    known = (p * p + q * q <= K * size, K >= 0, size >= 0)
    at_most = (h * p + k * q) * (h * p + k * q) <= rational(norm) * K * (h * h + k * k) * size
    return both(("one term", form), ("their sum", decide(at_most, known, what="(Σ h⟨x, v⟩)² ≤ ‖K‖ Σ h²|v|²")))


CHAPTER = Chapter(
    title="A radius around a computed trajectory",
    after=("cubic_cnn.gradient", "conventions"),
    steps=(
        Step(
            id="radius.hessian",
            statement=(
                r"for all $W$ and $V$: $V^\top \nabla^2 L\, V = -\sum_{k,r} D_{kr}\langle x_k, v_r\rangle^2 + \frac1N"
                r"\sum_i \ell_i(1-\ell_i)\langle \nabla(y_if_i), V\rangle^2 + \lambda\|V\|^2$ with $D_{kr} = \frac6N "
                r"y_{i(k)}\ell_{i(k)}\Xi_{kr}$"
            ),
            plain="VᵀHV = −Σ D⟨x, v⟩² + (1/N) Σ ℓ(1−ℓ)⟨∇(yf), V⟩² + λ‖V‖², D = (6/N) y ℓ Ξ",
            hypotheses=("a sample with two responses, which stand for any number: sums are linear or squared",),
            method="the gradient's derivative along a line, by SymPy; exponentials as symbols",
            prove=prove_hessian,
            planted=(
                Planted("3 for 6", {"six": 3}),
                Planted("ℓ(1−ℓ)/4 for ℓ(1−ℓ)", {"square": sp.Rational(1, 4)}),
                Planted("λ/2 for λ", {"penalty": sp.Rational(1, 2)}),
            ),
        ),
        Step(
            id="radius.split",
            statement=(
                r"with $\langle x_k, w^*\rangle = 0$: $\sum_r(\sum_k D_{kr}\langle x_k, v_r\rangle^2 + V_r\langle w^*, "
                r"v_r\rangle^2) \le \max_r\max(\lambda_{\max}(X^\top D_rX), V_r, 0)\,\|v\|^2$; a positive part couples "
                r"$w^*$ and its complement by at most $(\sum_i w_i g_{is}^2)^{1/2}(\sum_i w_ig_{ix}^2)^{1/2}$"
            ),
            plain="Σ_r (Σ D⟨x, v_r⟩² + V⟨w*, v_r⟩²) ≤ max(λ_max(XᵀDX), V, 0)‖v‖²; coupling ≤ (Σ g_s²)^½(Σ g_x²)^½",
            hypotheses=("⟨x_k, w*⟩ = 0", "two neurons, and an eigenvector of XᵀDX", "two samples for the coupling"),
            method="quadratic forms in coordinates, by z3",
            prove=prove_split,
            planted=(
                Planted("⟨x_k, w*⟩ up to 1", {"orthogonal": False}, hypothesis=True),
                Planted("½ before the coupling", {"coupling": sp.Rational(1, 2)}),
            ),
            weaker=({"coupling": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="radius.between",
            statement=(
                r"the positive part's block between $w^*$ and its complement has a norm of at most "
                r"$9(\sum_rc_r^4)^{1/2}\|K\|^{1/2}(\sum_k(w_i|s_i|^3)^2\sum_r\Xi_{kr}^4)^{1/2}$"
            ),
            plain="‖Σ w g_s g_xᵀ‖ ≤ 9 (Σ c⁴)^½ ‖K‖^½ (Σ_k (w|s|³)² Σ_r Ξ⁴)^½",
            hypotheses=("two patches, which stand for any number", "Σ_k⟨x_k, v⟩² ≤ ‖K‖|v|²"),
            method="one term by SymPy; Cauchy's inequality by z3",
            prove=prove_between,
            planted=(Planted("8 for 9", {"nine": 8}), Planted("‖K‖/2", {"norm": HALF})),
            weaker=({"norm": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="radius.moved",
            statement=(
                r"$|\Delta z^3| \le 3(|z|+r)^2|\Delta z|$, $|\Delta 3z^2| \le 6(|z|+r)|\Delta z|$ and $\ell'|z+\Delta "
                r"z| \le f(\ell|z| + \ell r)$ for $|\Delta z| \le r$, $\ell' \le f\ell$"
            ),
            plain="|Δz³| ≤ 3(|z|+r)²|Δz|, |Δ3z²| ≤ 6(|z|+r)|Δz|, ℓ'|z+Δz| ≤ f(ℓ|z| + ℓr) for |Δz| ≤ r, ℓ' ≤ fℓ",
            hypotheses=("|Δz| ≤ r", "0 ≤ ℓ' ≤ fℓ"),
            method="real arithmetic by z3, absolute values by their squares",
            prove=prove_moved,
            planted=(
                Planted("2 for 3", {"three": 2}),
                Planted("5 for 6", {"six": 5}),
                Planted("Δz may be larger than r", {"room": False}, hypothesis=True),
            ),
            weaker=({"three": 4}, {"six": 7}),
            kind=Kind.BOUND,
        ),
        Step(
            id="radius.monotone",
            statement=(
                r"$0 \le D \le D'$ entrywise implies $\lambda_{\max}(X^\top DX) \le \lambda_{\max}(X^\top D'X)$, and "
                r"$\lambda_{\max}(X^\top DX) = \lambda_{\max}(D^{1/2}KD^{1/2})$"
            ),
            plain="λ_max(D^½KD^½) = λ_max(XᵀDX) grows with each entry of D",
            hypotheses=("0 ≤ D ≤ D'", "two patches in three dimensions for the eigenvalues"),
            method="quadratic forms by z3; characteristic polynomials by SymPy",
            prove=prove_monotone,
            planted=(
                Planted("one entry of D' may be smaller", {"more": False}, hypothesis=True),
                Planted("z² between the polynomials", {"power": 2}),
            ),
        ),
        Step(
            id="radius.majorant",
            statement=(
                r"differences of trajectories of $u' = \gamma u + \kappa\nabla$, $\theta' = \theta - pu' - q\nabla$ "
                r"on curvature $h$ follow $\begin{pmatrix}\gamma & \kappa h\\ -p\gamma & 1-(p\kappa+q)h\end{pmatrix}$"
            ),
            plain="(δu, δθ)' = [[γ, κh], [−pγ, 1 − (pκ+q)h]] (δu, δθ)",
            hypotheses=("one eigenvector of the mean Hessian, which is symmetric",),
            method="substitution, by SymPy",
            prove=prove_majorant,
            planted=(Planted("without q", {"last": 0}), Planted("+pγ for −pγ", {"sign": 1})),
        ),
        Step(
            id="radius.singular",
            statement=(
                r"the largest singular value of $\begin{pmatrix}a&b\\c&d\end{pmatrix}$ is "
                r"$\frac12(\sqrt{(a+d)^2+(b-c)^2} + \sqrt{(a-d)^2+(b+c)^2})$"
            ),
            plain="‖[[a, b], [c, d]]‖ = ½(|(a+d, b−c)| + |(a−d, b+c)|)",
            hypotheses=("real entries",),
            method="a root of the characteristic polynomial by SymPy, the larger one by z3",
            prove=prove_singular,
            planted=(Planted("1 for ½", {"half": sp.Integer(1)}), Planted("⅓ for ½", {"half": sp.Rational(1, 3)})),
        ),
        Step(
            id="radius.factor",
            statement=(
                r"$e^x \le 1 + x + x^2$ on $[0, 1]$; $|\frac{d}{dm}\log\ell| = 1 - \ell$ and "
                r"$|\frac{d}{dm}\log\ell(1-\ell)| = |1 - 2\ell|$, at most 1"
            ),
            plain="e^x ≤ 1 + x + x² on [0, 1]; |(log ℓ)'| = 1 − ℓ and |(log ℓ(1−ℓ))'| = |1 − 2ℓ|",
            hypotheses=("0 ≤ x ≤ 1",),
            method="log(1 + x + x²) − x by its derivative, by z3 and balls; derivatives by SymPy",
            prove=prove_factor,
            planted=(Planted("x²/2 for x²", {"square": HALF}), Planted("up to 2", {"high": 2}, hypothesis=True)),
            weaker=({"square": 2},),
            kind=Kind.BOUND,
        ),
    ),
)
