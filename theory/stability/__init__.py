"""Algorithmic stability of SGD with momentum: how far apart runs end whose data differ in one sample."""

from __future__ import annotations

__all__ = ["SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="stability",
    title="When momentum destroys algorithmic stability",
    paper=Reference(
        authors="Ali Ramezani-Kebrya, Kimon Antonakopoulos, Volkan Cevher, Ashish Khisti and Ben Liang",
        title="On the generalization of stochastic gradient descent with momentum",
        venue="arXiv",
        year=2021,
        link="https://arxiv.org/abs/1809.04564",
    ),
    others=(
        Reference(
            authors="Yunwen Lei, Zimeng Wang and Xiaoming Yuan",
            title="Stochastic gradient descent with momentum is algorithmically stable",
            venue="arXiv",
            year=2026,
            link="https://arxiv.org/abs/2605.28517",
        ),
        Reference(
            authors="Moritz Hardt, Benjamin Recht and Yoram Singer",
            title="Train faster, generalize better: stability of stochastic gradient descent",
            venue="ICML",
            year=2016,
            link="https://arxiv.org/abs/1509.01240",
        ),
    ),
    symbols=(
        Symbol("η", "eta", "", "step size of the velocity form, v ← γv − ηf', w ← w + v"),
        Symbol("γ", "gamma", "", "momentum; 0 is SGD"),
        Symbol("η̄", "effective", "", "step size of the average form, η/(1 − γ)"),
        Symbol("n", "n", "", "samples; an epoch is n steps"),
        Symbol("z, h", "z, h", "(n,)", "target and curvature of each sample"),
        Symbol("L, G", "L, G", "", "largest curvature and slope; 1"),
        Symbol("h̄, m₂", "mean, square", "", "mean of h and of h² over the samples"),
        Symbol("q", "share", "", "share of the samples that are curved, h = L; the others are flat, h = 0"),
        Symbol("Δ", "delta", "", "by how much the target of sample 0 is moved"),
        Symbol("D, V", "D, V", "", "gap of the parameters and of the velocities of the two runs"),
        Symbol("X, C, Y", "X, C, Y", "", "E D², E DV, E V²"),
        Symbol("T_d", "until", "", "steps after which SGDEM drops its momentum"),
        Symbol("E_cyc, E_ms", "cyclic_edge, mean_square_edge", "", "step sizes below which the gap stays bounded"),
    ),
)
