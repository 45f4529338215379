"""The two-layer cubic CNN of the central theorem: parameters, law, systems, quantities, predictions, claims."""

from __future__ import annotations

__all__ = ["AXES", "SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="cubic_cnn",
    title="Momentum in a two-layer cubic CNN",
    paper=Reference(
        authors="Samy Jelassi and Yuanzhi Li",
        title="Towards understanding how momentum improves generalization in deep learning",
        venue="ICML",
        year=2022,
        link="https://proceedings.mlr.press/v162/jelassi22a.html",
        bibtex="""@inproceedings{jelassi2022towards,
  title = {Towards understanding how momentum improves generalization in deep learning},
  author = {Jelassi, Samy and Li, Yuanzhi},
  booktitle = {Proceedings of the 39th International Conference on Machine Learning},
  series = {Proceedings of Machine Learning Research},
  volume = {162},
  pages = {9965--10040},
  year = {2022},
  publisher = {PMLR},
}""",
    ),
    symbols=(
        Symbol("d", "d", "", "dimension of a patch"),
        Symbol("P", "P", "", "patches a sample"),
        Symbol("N", "N", "", "samples"),
        Symbol("m", "m", "", "neurons"),
        Symbol("w*", "w_star", "(d,)", "the feature, ‖w*‖ = 1"),
        Symbol("α", "alpha", "", "signal size of large-margin samples"),
        Symbol("β", "beta", "", "signal size of small-margin samples"),
        Symbol("μ", "mu", "", "probability of a small margin"),
        Symbol("σ", "sigma", "", "standard deviation of the noise patches"),
        Symbol("σ₀", "sigma_0", "", "standard deviation of the initial weights"),
        Symbol("λ", "lam", "", "ℓ₂ penalty"),
        Symbol("ρ", "label_noise", "", "probability that a label is flipped"),
        Symbol("X", "X", "(N, P, d)", "patches"),
        Symbol("y", "y", "(N,)", "labels ±1"),
        Symbol("Z₁, Z₂", "margin", "large, small", "large- and small-margin samples"),
        Symbol("W", "W", "(m, d)", "weights"),
        Symbol("c_r", "c", "(m,)", "feature-learning coefficients ⟨w_r, w*⟩"),
        Symbol("Ξ_{i,j,r}", "Xi", "(N, P−1, m)", "memorization coefficients ⟨w_r, X_i[j]⟩"),
        Symbol("ℓ_i", "ell", "(N,)", "1/(1 + exp(y_i f(X_i)))"),
        Symbol("ν₁, ν₂", "nu", "by margin", "(1/N) Σ ℓ_i over Z₁, over Z₂"),
        Symbol("K", "K", "(n, n)", "Gram matrix of the n = N(P−1) noise patches"),
        Symbol("η", "eta", "", "learning rate"),
        Symbol("γ", "gamma", "", "momentum"),
        Symbol("1 − γ", "1 - gamma", "", "one minus the momentum"),
        Symbol("T₀", "T_0", "iterations", "max c first ≥ 1/(2α)"),
        Symbol("T₁", "T_1", "iterations", "every y Σ Ξ³ on Z₂ first ≥ 1/2"),
    ),
)

AXES: dict[str, Symbol] = {
    name: SUBJECT["1 - gamma" if name == "gamma" else name]
    for name in ("eta", "gamma", "alpha", "beta", "mu", "sigma", "sigma_0", "N", "m", "P", "d")
}
"""What may span a plane, by name; the axis "gamma" is that of 1 − γ, on which momenta near 1 lie apart."""
