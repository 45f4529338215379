r"""GD learns the feature from the large-margin data, stalls, and memorizes the small-margin data.

Theorem (message: talk and abstract; rates second hand). With high probability, after T iterations of GD:
max_r |c_r| = Õ(1/α); y_i Σ_j Σ_r Ξ_{i,j,r}³ = Ω̃(1) on Z₂; every training sample is fitted; test accuracy is 1 on
large-margin data and near chance on small-margin data.

Finite-size reading: `theory.cubic_cnn.claims.readings`. "Learnt" adds a lower bound to the Õ.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.cubic_cnn.claims.hypotheses import BELOW_OVERSHOOT, THEOREM
from lemmascope.theory.cubic_cnn.claims.readings import CHANCE, GENERALIZES, WHP, fits_training_set, test_high, test_low
from lemmascope.theory.verdict import Claim, Control, Kind, Measurement, Run

ASSUMED = (*THEOREM, BELOW_OVERSHOOT)
MOMENTUM_RUN = Control("counterpart", "the GD+M run from the same data and weights")
ASCENT = Control("planted:wrong_sign", "a run whose gradient has the wrong sign")
AT_START = Control("initial_state", "the same run before its first step")


def partially_learns(run: Run) -> Measurement:
    """max_r |c_r(T)| · α, between 1/log d and log d."""
    c_max = abs(run.final["c"]).max("neuron")
    log_d = run.p.log_d
    evidence = {"c_max": float(c_max.median()), "1/alpha": 1 / run.p.alpha, "log d": log_d}
    return Measurement(c_max * run.p.alpha, lower=1 / log_d, upper=log_d, evidence=evidence)


def memorizes_small_margin(run: Run) -> Measurement:
    """Smallest y_i Σ_j Σ_r Ξ³ over Z₂ at T, at least 1/log d."""
    small = run.final.sel(margin="small")
    evidence = {
        "median over Z2": float(small["memorization_median"].median()),
        "max |Xi| on Z2": float(small["Xi_abs_max"].median()),
        "T_1": [float(t) for t in run["T_1"].values],
        "min over Z2 of max y Xi(0)": [float(x) for x in run.initial["alignment_min"].sel(margin="small").values],
    }
    return Measurement(small["memorization_min"], lower=1 / run.p.log_d, evidence=evidence)


def generalizes_on_large_margin(run: Run) -> Measurement:
    """Exact-law test accuracy on large-margin data, less three standard errors."""
    return Measurement(test_low(run, "large"), lower=GENERALIZES)


def fails_on_small_margin(run: Run) -> Measurement:
    """Exact-law test accuracy on small-margin data, plus three standard errors."""
    return Measurement(test_high(run, "small"), upper=CHANCE)


CLAIMS = (
    Claim(
        "gd.partially_learns",
        r"$\frac{1}{\log d} \le \alpha \max_r |c_r(T)| \le \log d$: the feature is learnt to $\tilde\Theta(1/\alpha)$"
        r" from $Z_1$, and no further",
        Kind.BOUND,
        "talk",
        partially_learns,
        ASSUMED,
        "gd",
        WHP,
        MOMENTUM_RUN,
        plain="1/log d ≤ α max_r |c_r(T)| ≤ log d: the feature is learnt to 1/α from Z₁, and no further",
    ),
    Claim(
        "gd.memorizes_small_margin",
        r"$\min_{i \in Z_2} y_i \sum_j \sum_r \Xi_{i,j,r}(T)^3 \ge \frac{1}{\log d}$: the noise of $Z_2$ is memorized",
        Kind.BOUND,
        "talk",
        memorizes_small_margin,
        ASSUMED,
        "gd",
        WHP,
        MOMENTUM_RUN,
        plain="min over Z₂ of y_i Σ_j Σ_r Ξ³(T) ≥ 1/log d: the noise of Z₂ is memorized",
    ),
    Claim(
        "gd.fits_training_set",
        r"$y_i f(X_i) > 0$ for every training sample at $T$",
        Kind.BOUND,
        "talk",
        fits_training_set,
        ASSUMED,
        "gd",
        WHP,
        AT_START,
        plain="y_i f(X_i) > 0 for every training sample at T",
    ),
    Claim(
        "gd.generalizes_on_large_margin",
        r"test accuracy on large-margin data $\ge 0.99$ at $T$",
        Kind.BOUND,
        "talk",
        generalizes_on_large_margin,
        ASSUMED,
        "gd",
        WHP,
        ASCENT,
        plain="test accuracy on large-margin data ≥ 0.99 at T",
    ),
    Claim(
        "gd.fails_on_small_margin",
        r"test accuracy on small-margin data $\le 0.55$ (near chance) at $T$",
        Kind.BOUND,
        "talk",
        fails_on_small_margin,
        ASSUMED,
        "gd",
        WHP,
        MOMENTUM_RUN,
        plain="test accuracy on small-margin data ≤ 0.55 (near chance) at T",
    ),
)
