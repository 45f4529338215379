"""Optimizers at a noisy minimum and along a valley of minima: momentum, workers, Adam and its kin."""

from __future__ import annotations

__all__ = ["SUBJECT"]

from lemmascope.theory.subject import Reference, Subject, Symbol

SUBJECT = Subject(
    name="noise",
    title="What momentum, workers and Adam do to a noisy minimum",
    paper=Reference(
        authors="Runzhe Wang, Sadhika Malladi, Tianhao Wang, Kaifeng Lyu and Zhiyuan Li",
        title="The marginal value of momentum for small learning rate SGD",
        venue="ICLR",
        year=2024,
        link="https://arxiv.org/abs/2307.15196",
    ),
    others=(
        Reference(
            authors="Aditya Cowsik, Tankut Can and Paolo Glorioso",
            title="Flatter, faster: scaling momentum for optimal speedup of SGD",
            venue="arXiv",
            year=2022,
            link="https://arxiv.org/abs/2210.16400",
        ),
        Reference(
            authors="Xinran Gu, Kaifeng Lyu, Longbo Huang and Sanjeev Arora",
            title="Why (and when) does Local SGD generalize better than SGD?",
            venue="ICLR",
            year=2023,
            link="https://arxiv.org/abs/2303.01215",
        ),
        Reference(
            authors="Sadhika Malladi, Kaifeng Lyu, Abhishek Panigrahi and Sanjeev Arora",
            title="On the SDEs and scaling rules for adaptive gradient algorithms",
            venue="NeurIPS",
            year=2022,
            link="https://arxiv.org/abs/2205.10287",
        ),
        Reference(
            authors="Yizhou Wang, Yue Kang, Can Qin, Huan Wang, Yi Xu, Yulun Zhang and Yun Fu",
            title="Adapting stepsizes by momentumized gradients improves optimization and generalization",
            venue="arXiv",
            year=2021,
            link="https://arxiv.org/abs/2106.11514",
        ),
        Reference(
            authors="Chengli Tan, Jiangshe Zhang and Junmin Liu",
            title="Understanding short-range memory effects in deep neural networks",
            venue="arXiv",
            year=2021,
            link="https://arxiv.org/abs/2105.02062",
        ),
    ),
    symbols=(
        Symbol("η", "eta", "", "learning rate; of the form that is named beside it"),
        Symbol("β", "beta", "", "momentum; 0 is SGD"),
        Symbol("h", "h", "", "curvature, a mode's or across a valley"),
        Symbol("s", "s", "", "scale of the gradient's noise"),
        Symbol("A", "A", "(n, n)", "one step of a linear recursion, z ← Az + ξ"),
        Symbol("W", "W", "(n, n)", "covariance of ξ"),
        Symbol("x, y", "x, y", "(), (n,)", "along a valley and across it: its minima are y = 0"),
        Symbol("q", "q", "", "share of x in the curvature, h = 1 + qx²"),
        Symbol("ξ, ζ", "xi, zeta", "(n,)", "label noise of the outputs y_i and √q xy_i"),
        Symbol("V", "V", "", "momentum's buffer of x"),
        Symbol("Y, C, Q", "Y, C, Q", "", "Σ E y_i², Σ E y_ip_i, Σ E p_i², p the buffers of y"),
        Symbol("u, v", "u, v", "", "parameters of the valley uv = 1"),
        Symbol("r", "r", "", "residual on a noisy label, uv − 1 − ξ"),
        Symbol("α", "alpha", "", "how momentum follows the rate, 1 − β = ½η^α"),
        Symbol("a", "lag", "", "ηβ/(1−β); y = x − am takes SGD's step"),
        Symbol("D", "D", "", "y_M − x_S of momentum and SGD on the same noise, which has none of its own"),
        Symbol("c", "c", "", "1 − β; in stationary variances (1−β)/(1+β)"),
        Symbol("t = ηk, τ = η²k", "t, tau", "", "times of k steps at the short and at the long horizon"),
        Symbol("K, H", "K, H", "", "workers; local steps of each between averages"),
        Symbol("z", "z", "", "u² − v², where along uv = 1; 0 at the flattest point"),
        Symbol("φ", "share", "", "mean of (1 − ηh)^{2j} over the H steps of a round"),
        Symbol("ρ", "spread", "", "a worker's variance across the valley, in its stationary one: 1 − (1 − 1/K)φ"),
        Symbol("R", "drift_ratio", "", "drift of Local SGD in that of parallel SGD: Kρ"),
        Symbol("β₁, β₂", "beta1, beta2", "", "Adam's averages, of the gradient and of what is squared"),
        Symbol("a = (1−β₁)/(1+β₁)", "attenuation", "", "what momentum leaves of an oscillation, and of white noise"),
        Symbol("V", "second_moment", "", "limit of Adam's or AdaMomentum's v, as β₂ → 1"),
        Symbol("κ", "rate_gain", "", "AdaMomentum's rate in Adam's, √((μ² + s²)/(μ² + as²))"),
        Symbol("e", "rate", "", "η/√V, the rate of the average form that Adam or AdaMomentum is, as β₂ → 1"),
        Symbol("u_t = 1/√q_t", "start", "", "AdaMomentum's step of a constant gradient; Adam's is 1"),
        Symbol(
            "τ, κ", "tau, kappa", "", "noise along the straight valley h = h₀ + ½κx², and its h's second derivative"
        ),
        Symbol("H", "H", "", "Hurst exponent of a series, ½ where it is white (of Local SGD: steps of a round)"),
        Symbol("γ_H", "fractional_covariance", "", "covariance of fractional noise of variance 1"),
        Symbol("U", "noise", "(components, gammas, T)", "a batch's mean gradient less the full one, whitened"),
        Symbol("E", "E", "", "batches of an epoch, N/B"),
        Symbol("κ₁", "one", "", "excess kurtosis of one sample's gradient component"),
        Symbol("V_H, T_H", "stationary_variance, time", "", "variance under fractional noise, mean first passage time"),
    ),
)
