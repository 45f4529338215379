r"""GD learns the feature from the large-margin data, stalls, and memorizes the small-margin data.

Theorem (message: talk and abstract; rates second hand). With high probability, after T iterations of GD:
max_r |c_r| = Õ(1/α); y_i Σ_j Σ_r Ξ_{i,j,r}³ = Ω̃(1) on Z₂; every training sample is fitted; test accuracy is 1 on
large-margin data and near chance on small-margin data.

Finite-size reading: `theory.cubic_cnn.claims.readings`. "Learnt" adds a lower bound to the Õ.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.claim import Claim, Measurement
from lemmascope.theory.cubic_cnn.claims import enclosures
from lemmascope.theory.cubic_cnn.claims.controls import ASCENT, AT_START, MOMENTUM_RUN
from lemmascope.theory.cubic_cnn.claims.hypotheses import BELOW_OVERSHOOT, THEOREM
from lemmascope.theory.cubic_cnn.claims.readings import CHANCE, GENERALIZES, WHP, fits_training_set, test_high, test_low
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

ASSUMED = (*THEOREM, BELOW_OVERSHOOT)


def partially_learns(run: Run) -> Measurement:
    """max_r |c_r(T)| · α, between 1/log d and log d."""
    c_max = abs(run.final["c"]).max("neuron", skipna=False)
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
        id="gd.partially_learns",
        statement=(
            r"$\frac{1}{\log d} \le \alpha \max_r |c_r(T)| \le \log d$: the feature is learnt to"
            r" $\tilde\Theta(1/\alpha)$ from $Z_1$, and no further"
        ),
        plain="1/log d ≤ α max_r |c_r(T)| ≤ log d: the feature is learnt to 1/α from Z₁, and no further",
        kind=Kind.BOUND,
        source="talk",
        measure=partially_learns,
        encloses=lambda run: enclosures.largest_c(
            run, run.p.alpha, size=True, lower=1 / run.p.log_d, upper=run.p.log_d
        ),
        assumes=ASSUMED,
        about="gd",
        probability=WHP,
        control=MOMENTUM_RUN,
    ),
    Claim(
        id="gd.memorizes_small_margin",
        statement=(
            r"$\min_{i \in Z_2} y_i \sum_j \sum_r \Xi_{i,j,r}(T)^3 \ge \frac{1}{\log d}$: the noise of $Z_2$ is"
            r" memorized"
        ),
        plain="min over Z₂ of y_i Σ_j Σ_r Ξ³(T) ≥ 1/log d: the noise of Z₂ is memorized",
        kind=Kind.BOUND,
        source="talk",
        measure=memorizes_small_margin,
        encloses=enclosures.memorized,
        assumes=ASSUMED,
        about="gd",
        probability=WHP,
        control=MOMENTUM_RUN,
    ),
    Claim(
        id="gd.fits_training_set",
        statement=r"$y_i f(X_i) > 0$ for every training sample at $T$",
        plain="y_i f(X_i) > 0 for every training sample at T",
        kind=Kind.BOUND,
        source="talk",
        measure=fits_training_set,
        encloses=enclosures.fitted_share,
        assumes=ASSUMED,
        about="gd",
        probability=WHP,
        control=AT_START,
    ),
    Claim(
        id="gd.generalizes_on_large_margin",
        statement=r"test accuracy on large-margin data $\ge 0.99$ at $T$",
        plain="test accuracy on large-margin data ≥ 0.99 at T",
        kind=Kind.BOUND,
        source="talk",
        measure=generalizes_on_large_margin,
        encloses=lambda run: enclosures.accuracy(run, ["large"], lower=GENERALIZES),
        assumes=ASSUMED,
        about="gd",
        probability=WHP,
        control=ASCENT,
    ),
    Claim(
        id="gd.fails_on_small_margin",
        statement=r"test accuracy on small-margin data $\le 0.55$ (near chance) at $T$",
        plain="test accuracy on small-margin data ≤ 0.55 (near chance) at T",
        kind=Kind.BOUND,
        source="talk",
        measure=fails_on_small_margin,
        encloses=lambda run: enclosures.accuracy(run, ["small"], upper=CHANCE),
        assumes=ASSUMED,
        about="gd",
        probability=WHP,
        control=MOMENTUM_RUN,
    ),
)
