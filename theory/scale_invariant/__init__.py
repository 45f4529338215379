"""Weights whose length does not matter: what decay and momentum do to it, and it to the size of a step."""

from __future__ import annotations

__all__ = ["SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="scale_invariant",
    title="What decay and momentum do to weights whose length does not matter",
    paper=Reference(
        authors="Zhiyuan Li, Kaifeng Lyu and Sanjeev Arora",
        title="Reconciling modern deep learning with traditional optimization analyses: the intrinsic learning rate",
        venue="NeurIPS",
        year=2020,
        link="https://arxiv.org/abs/2010.02916",
    ),
    others=(
        Reference(
            authors=(
                "Byeongho Heo, Sanghyuk Chun, Seong Joon Oh, Dongyoon Han, Sangdoo Yun, Gyuwan Kim, Youngjung Uh and "
                "Jung-Woo Ha"
            ),
            title="AdamP: slowing down the slowdown for momentum optimizers on scale-invariant weights",
            venue="ICLR",
            year=2021,
            link="https://arxiv.org/abs/2006.08217",
        ),
    ),
    symbols=(
        Symbol("w, w̄", "w, unit", "(d,)", "weights, and w/|w|; L(cw) = L(w) for c > 0"),
        Symbol("G", "G", "", "|w|²"),
        Symbol("G*", "equilibrium", "", "the value of G that a step leaves as it is"),
        Symbol("g, ĝ", "g, g_unit", "(d,)", "a step's gradient at w, and |w| g, which depends on w̄ alone; g ⟂ w"),
        Symbol("η, λ", "eta, decay", "", "learning rate and weight decay, w⁺ = (1 − ηλ)w − ηv⁺"),
        Symbol("ηλ", "eta_lambda", "", "the intrinsic learning rate"),
        Symbol("a", "a", "", "1 − ηλ"),
        Symbol("η_eff", "effective", "", "η/((1 − β)G): how far w̄ goes, for a gradient ĝ"),
        Symbol("β", "beta", "", "momentum, v⁺ = βv + g; 0 is SGD"),
        Symbol("v, Πv", "v, move", "(d,)", "the buffer, and it without its part along w"),
        Symbol("s_t", "s", "", "⟨w_t, v_{t+1}⟩"),
        Symbol("P_t", "P", "", "|v_t|² of SGDM, |Πv_t|² of SGDP"),
        Symbol("A", "curvatures", "(d,)", "of the Rayleigh quotient wᵀAw/(2|w|²): 0, then from ½ to 1"),
        Symbol("σ", "sigma", "", "scale of the noise in ĝ"),
        Symbol("θ, U", "theta, potential", "", "the angle of w where d = 2, and the loss on it"),
        Symbol("b, c", "b, c", "", "of U = b(1 − cos 2θ)/2 + c(1 − cos θ)/2: barrier, and how much higher θ = π is"),
        Symbol("ΔU", "barrier", "", "from the well at π to the top"),
        Symbol("τ₂", "slowest", "steps", "−1/ln of the second eigenvalue of the angle's transition kernel"),
        Symbol("M", "cells", "", "angles of the grid"),
        Symbol("β₁, β₂", "beta1, beta2", "", "of Adam and AdamP"),
    ),
)
