r"""The hypotheses that the claims share, each a predicate on a run.

The finite-size readings of "≫" and of "long enough" are written here once, before any run is judged.
"""

from __future__ import annotations

__all__ = [
    "BELOW_OVERSHOOT",
    "BOTH_MARGINS",
    "CLEAN_LABELS",
    "ENOUGH_MOMENTUM",
    "KNOWN_LAW",
    "LONG_ENOUGH",
    "LUCKY_NEURON",
    "NO_PENALTY",
    "SEPARATED_MARGINS",
    "SMALL_START",
    "STAYED_FINITE",
    "THEOREM",
    "WEAK_FRICTION",
]

from lemmascope.theory.claim import Hypothesis
from lemmascope.theory.cubic_cnn import predictions

KNOWN_LAW = Hypothesis(
    "known_law",
    "the data are drawn from the law, with known parameters",
    lambda run: run.parameters is not None and "c" in run,
)
CLEAN_LABELS = Hypothesis("clean_labels", r"$\rho = 0$: no label is flipped", lambda run: run.p.label_noise == 0)
STAYED_FINITE = Hypothesis("stayed_finite", "the run did not diverge", lambda run: run["diverged_at"] < 0)
BOTH_MARGINS = Hypothesis(
    "both_margins",
    r"$Z_1$ and $Z_2$ are not empty",
    lambda run: (run["small_count"] > 0) & (run["small_count"] < run.p.N),
)
NO_PENALTY = Hypothesis("no_penalty", r"$\lambda = 0$", lambda run: run.p.lam == 0)
SEPARATED_MARGINS = Hypothesis(
    "separated_margins", r"$\alpha \ge 10\,\beta$", lambda run: run.p.alpha >= 10 * run.p.beta
)
LUCKY_NEURON = Hypothesis(
    "lucky_neuron",
    r"$\max_r c_r(0) > 0$ (fails with probability $2^{-m}$)",
    lambda run: run.initial["c"].max("neuron") > 0,
)
BELOW_OVERSHOOT = Hypothesis(
    "below_overshoot",
    r"$\eta \le 1/(4\alpha\beta)$",
    lambda run: run.eta is not None and run.eta <= predictions.overshoot_rate(run.p),
)
LONG_ENOUGH = Hypothesis(
    "long_enough",
    r"$\eta T \ge N/(\sigma_0\sigma^3 d^{3/2})$",
    lambda run: run.eta is not None and run.eta * run.iterations >= predictions.memorization_scale(run.p),
)
ENOUGH_MOMENTUM = Hypothesis(
    "enough_momentum",
    r"$1-\gamma \le 2\eta(1-\mu)\log 2\,\beta^2$ (coasting alone reaches $1/\beta$)",
    lambda run: (
        run.eta is not None
        and run.gamma is not None
        and predictions.coasting_distance(run.p, run.eta, run.gamma) >= 1 / run.p.beta
    ),
)
SMALL_START = Hypothesis(
    "small_start",
    r"$\alpha \|c(0)\|_3 \le \frac12$: the coasting law is off by no more than 5 % for the loss at the start",
    lambda run: predictions.start_size(run.p, run.initial["c"], "neuron") <= predictions.SMALL_START,
)
WEAK_FRICTION = Hypothesis(
    "weak_friction",
    r"$\eta(1-\gamma)\alpha^2 \le 1$",
    lambda run: run.eta is not None and run.gamma is not None and run.eta * (1 - run.gamma) * run.p.alpha**2 <= 1,
)

THEOREM = (
    KNOWN_LAW,
    CLEAN_LABELS,
    STAYED_FINITE,
    BOTH_MARGINS,
    NO_PENALTY,
    SEPARATED_MARGINS,
    LUCKY_NEURON,
    LONG_ENOUGH,
)
"""What both theorems assume."""
