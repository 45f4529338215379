r"""GD with momentum keeps learning the feature, thanks to its historical gradients, and generalizes on both margins.

Theorem (message: talk and abstract; rates second hand). With high probability, after T iterations of GD+M:
max_r c_r = Ω̃(1/β); max |Ξ| stays within a log factor of its initial size; every training sample is fitted; test
accuracy is 1 on large- and small-margin data.

Finite-size reading: `theory.cubic_cnn.claims.readings`. The initial size of max |Ξ| is max |Ξ(0)|: a maximum is held
against a maximum. Against the typical size σ₀σ√d of one coefficient the initial maximum itself is larger by about
√(2 log(2nm)); that ratio is in the evidence.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

import math

import xarray as xr

from lemmascope.theory.claim import Claim, Measurement
from lemmascope.theory.cubic_cnn.claims import enclosures
from lemmascope.theory.cubic_cnn.claims.controls import AT_START, GD_RUN
from lemmascope.theory.cubic_cnn.claims.hypotheses import ENOUGH_MOMENTUM, SMALL_START, THEOREM, WEAK_FRICTION
from lemmascope.theory.cubic_cnn.claims.readings import GENERALIZES, WHP, fits_training_set, test_low
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

ASSUMED = (*THEOREM, ENOUGH_MOMENTUM, WEAK_FRICTION, SMALL_START)


def learns_feature(run: Run) -> Measurement:
    """max_r c_r(T) · β, at least 1/log d."""
    c_max = run.final["c"].max("neuron", skipna=False)
    evidence = {"c_max": float(c_max.median()), "1/beta": 1 / run.p.beta, "log d": run.p.log_d}
    return Measurement(c_max * run.p.beta, lower=1 / run.p.log_d, evidence=evidence)


def barely_memorizes(run: Run) -> Measurement:
    """max |Ξ(T)| / max |Ξ(0)|, at most log d."""
    now, before = (state["Xi_abs_max"].max("margin", skipna=False) for state in (run.final, run.initial))
    typical = run.p.sigma_0 * run.p.sigma * math.sqrt(run.p.d)
    evidence = {
        "max |Xi(T)|": float(now.median()),
        "max |Xi(0)|": float(before.median()),
        "max |Xi(T)| / (sigma_0 sigma sqrt d)": float(now.median()) / typical,
        "log d": run.p.log_d,
    }
    return Measurement(now / before, upper=run.p.log_d, evidence=evidence)


def generalizes(run: Run) -> Measurement:
    """The smaller of both exact-law test accuracies, less three standard errors."""
    worse = xr.concat([test_low(run, margin) for margin in ("large", "small")], "margin").min("margin", skipna=False)
    evidence = {margin: float(run.final["test_accuracy"].sel(margin=margin).median()) for margin in ("large", "small")}
    return Measurement(worse, lower=GENERALIZES, evidence=evidence)


CLAIMS = (
    Claim(
        id="gdm.learns_feature",
        statement=r"$\beta \max_r c_r(T) \ge \frac{1}{\log d}$: the feature is learnt to $\tilde\Omega(1/\beta)$",
        plain="β max_r c_r(T) ≥ 1/log d: the feature is learnt to 1/β",
        kind=Kind.BOUND,
        source="talk",
        measure=learns_feature,
        encloses=lambda run: enclosures.largest_c(run, run.p.beta, size=False, lower=1 / run.p.log_d),
        assumes=ASSUMED,
        about="momentum",
        probability=WHP,
        control=GD_RUN,
    ),
    Claim(
        id="gdm.barely_memorizes",
        statement=r"$\max |\Xi(T)| \le \log d \cdot \max |\Xi(0)|$: the noise is barely memorized",
        plain="max |Ξ(T)| ≤ log d · max |Ξ(0)|: the noise is barely memorized",
        kind=Kind.BOUND,
        source="second hand",
        measure=barely_memorizes,
        encloses=enclosures.final_largest_size,
        assumes=ASSUMED,
        about="momentum",
        probability=WHP,
        control=GD_RUN,
    ),
    Claim(
        id="gdm.fits_training_set",
        statement=r"$y_i f(X_i) > 0$ for every training sample at $T$",
        plain="y_i f(X_i) > 0 for every training sample at T",
        kind=Kind.BOUND,
        source="talk",
        measure=fits_training_set,
        encloses=enclosures.fitted_share,
        assumes=ASSUMED,
        about="momentum",
        probability=WHP,
        control=AT_START,
    ),
    Claim(
        id="gdm.generalizes",
        statement=r"test accuracy on large- and on small-margin data $\ge 0.99$ at $T$",
        plain="test accuracy on large- and on small-margin data ≥ 0.99 at T",
        kind=Kind.BOUND,
        source="talk",
        measure=generalizes,
        encloses=lambda run: enclosures.accuracy(run, ["large", "small"], lower=GENERALIZES),
        assumes=ASSUMED,
        about="momentum",
        probability=WHP,
        control=GD_RUN,
    ),
)
