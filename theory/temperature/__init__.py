"""McAllester's lecture on momentum as a running average: the temperature of SGD, and what one gradient does in all."""

from __future__ import annotations

__all__ = ["SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="temperature",
    title="Momentum as a running average, and the temperature of SGD",
    paper=Reference(
        authors="David McAllester",
        title="SGD with momentum",
        venue="Lecture, Fundamentals of Deep Learning (TTIC 31230)",
        year=2020,
        link="https://mcallester.github.io/ttic-31230/",
        bibtex="""@misc{mcallester2020momentum,
  title = {{SGD} with momentum},
  author = {McAllester, David},
  howpublished = {Lecture, Fundamentals of Deep Learning, TTIC 31230},
  year = {2020},
}""",
    ),
    symbols=(
        Symbol("Φ_t", "Phi", "(d,)", "parameters, Φ_{t+1} = Φ_t − v_t"),
        Symbol("g_{t,b}, δ", "delta", "(d,)", "gradient of one sample of a minibatch; by how much it is changed"),
        Symbol("ĝ_t", "g", "(d,)", "gradient of a minibatch, (1/B) Σ_b g_{t,b}"),
        Symbol("v_t", "v", "(d,)", "velocity, v_t = μ v_{t−1} + η ĝ_t"),
        Symbol("μ", "mu", "", "momentum, 1 − 1/N_avg: the drag takes 1 − μ of the velocity in a step"),
        Symbol("N_avg", "N_avg", "steps", "1/(1 − μ), the lecture's N (N_g): over so many steps the average reaches"),
        Symbol("x_t", "x", "", "a sequence that is averaged"),
        Symbol("x̄_t", "window_average", "", "mean of the last N_avg values, (1/N_avg) Σ_{k<N_avg} x_{t−k}"),
        Symbol(
            "x̃_t",
            "running_average",
            "",
            "running average (EMA), x̃_0 = 0, x̃_t = (1 − 1/N_avg) x̃_{t−1} + (1/N_avg) x_t = β x̃_{t−1} + (1 − β) x_t",
        ),
        Symbol("β", "beta", "", "1 − 1/N_avg, where an average is not momentum"),
        Symbol("w_i", "weights", "", "(1/N_avg)(1 − 1/N_avg)^i, the running average's weight of age i; they sum to 1"),
        Symbol("g̃_t", "g_average", "(d,)", "running average of ĝ_t; v_t = N_avg η g̃_t"),
        Symbol("η", "eta", "", "learning rate; N_avg η, in some slides η̃, is that of g̃_t"),
        Symbol("B", "B", "", "batch size"),
        Symbol("η₀", "eta_0", "", "batch- and momentum-normalized learning rate, η = (1 − μ) B η₀"),
        Symbol("L", "loss", "", "loss over all samples"),
        Symbol("T", "T", "", "temperature: the converged loss, E L(Φ_t) − L(Φ*), at a fixed learning rate"),
        Symbol("T₀", "T_0", "", "η₀ tr Σ / 4, the temperature that the rule promises"),
        Symbol("H", "H", "(d, d)", "Hessian at the minimum Φ*"),
        Symbol("h_i", "h", "(d,)", "eigenvalues of H"),
        Symbol("Σ", "Sigma", "(d, d)", "covariance of one sample's gradient"),
        Symbol("S", "S", "(d, d)", "QᵀΣQ, with H = Q diag(h) Qᵀ"),
        Symbol("C", "C", "(d, d)", "stationary covariance of Φ in H's eigenvectors"),
        Symbol("h̄", "h_mean", "", "tr(HΣ)/tr Σ, the curvature that the noise sees"),
        Symbol("κ", "kappa", "", "B(1 − μ)h̄/(2(1 + μ)): T/T₀ − 1 = κη₀ + O(η₀²)"),
        Symbol("η_max", "edge", "", "2(1 + μ)/h, the edge of stability"),
        Symbol("N", "N", "", "samples"),
        Symbol("B_eff", "B_eff", "", "B(N − 1)/(N − B), of B distinct samples a step"),
        Symbol("n", "n", "", "N/B, batches an epoch"),
        Symbol("c", "c", "", "variance of the mean of B distinct samples, over Σ"),
        Symbol("T_R", "exact", "", "temperature of reshuffled epochs"),
        Symbol(
            "r_k",
            "response",
            "(d,)",
            "displacement after k + 1 steps by g_{t,b}, or by its perturbation δ: → −(N_avg/B) η g_{t,b} if H = 0",
        ),
    ),
)
