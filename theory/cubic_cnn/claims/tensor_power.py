r"""The feature grows like a tensor power iteration.

Under GD with λ = 0 the leading coefficient follows c_{t+1} = c_t + A_t c_t² exactly, with A_t = 3η(α³ν₁ + β³ν₂).
With a and A the smallest and largest A_t before it passes v = 1/(2α), the time τ of passing obeys

    (1/c_0 − 1/v)/A ≤ τ ≤ ⌈(1/c_0 − 1/v)/a + log(v/c_0)⌉        (derived; proof in `predictions.tensor_power_bounds`).

Positive coefficients keep their order, as c + A_t c² increases with c ≥ 0. A c_r < −1/A_t leaps across 0, and past v in
one step if it is negative enough; that the neuron which starts highest passes v first is therefore a hypothesis.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

import math

import xarray as xr

from lemmascope.theory.claim import Claim, Control, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.claims import enclosures
from lemmascope.theory.cubic_cnn.claims.hypotheses import CLEAN_LABELS, KNOWN_LAW, NO_PENALTY, STAYED_FINITE
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind


def _leader(run: Run) -> xr.DataArray:
    """(seed, iteration) the coefficient of the neuron that starts highest."""
    return run["c"].isel(neuron=run.initial["c"].argmax("neuron"))


def _starts_below(run: Run) -> xr.DataArray:
    z_0 = _leader(run).isel(iteration=0)
    return (z_0 > 0) & (z_0 < predictions.signal_threshold(run.p))


def _recorded_densely(run: Run) -> xr.DataArray:
    """Every iteration up to the passing is recorded."""
    passed = run["c"].max("neuron") >= predictions.signal_threshold(run.p)
    place = passed.argmax("iteration")
    return passed.any("iteration") & (run["iteration"].isel(iteration=place) == place)


def _leads(run: Run) -> xr.DataArray:
    """When max c first passes, the neuron that started highest has passed."""
    v = predictions.signal_threshold(run.p)
    passed = run["c"].max("neuron") >= v
    return ~passed.any("iteration") | (_leader(run).isel(iteration=passed.argmax("iteration")) >= v)


STARTS_BELOW = Hypothesis("starts_below", r"$0 < \max_r c_r(0) < 1/(2\alpha)$", _starts_below)
LEADS = Hypothesis("leads", r"the neuron that starts highest passes first: no $c_r < 0$ leaps past it", _leads)
RECORDED_DENSELY = Hypothesis(
    "recorded_densely", r"the threshold is passed, and every iteration before is recorded", _recorded_densely
)


def tensor_power(run: Run, *, factor: float = 1.0) -> Measurement:
    """The passing time τ of the leading neuron, between the lemma's two bounds with ``factor`` times a and A."""
    leader, v = _leader(run), predictions.signal_threshold(run.p)
    nu = run["nu"]
    rate = factor * 3 * run.eta * (run.p.alpha**3 * nu.sel(margin="large") + run.p.beta**3 * nu.sel(margin="small"))  # type: ignore[operator]
    time, low, high = (xr.full_like(leader.isel(iteration=0, drop=True), math.nan) for _ in range(3))
    for s in leader.seed.values:
        at = {"seed": s}
        z = leader.sel(at)
        passed = (z >= v).values
        if passed.any() and 0 < float(z[0]) < v:
            place = int(passed.argmax())
            a = rate.sel(at).isel(iteration=slice(0, place))
            if not float(a.min()) > 0:
                continue  # the bounds are undefined
            time.loc[at] = float(run["iteration"][place])
            low.loc[at], high.loc[at] = predictions.tensor_power_bounds(float(z[0]), v, float(a.min()), float(a.max()))
    return Measurement(time, lower=low, upper=high)


CLAIMS = (
    Claim(
        id="lemma.tensor_power",
        statement=(
            r"$\frac{1/c_0 - 1/v}{A} \le \tau \le \lceil \frac{1/c_0 - 1/v}{a} + \log\frac{v}{c_0} \rceil$ for the"
            r" first $\tau$ with $\max_r c_r \ge v = \frac{1}{2\alpha}$,"
            r" $c_0 = \max_r c_r(0)$, $a \le 3\eta(\alpha^3\nu_1 + \beta^3\nu_2) \le A$ before $\tau$"
        ),
        plain="(1/c₀ − 1/v)/A ≤ τ ≤ ⌈(1/c₀ − 1/v)/a + log(v/c₀)⌉ for the first τ with max c ≥ v = 1/(2α)",
        kind=Kind.BOUND,
        source="derived",
        measure=tensor_power,
        encloses=lambda run: enclosures.passing_time(run, lambda at: at.initial["c"].argmax("neuron")),
        assumes=(KNOWN_LAW, CLEAN_LABELS, NO_PENALTY, STAYED_FINITE, STARTS_BELOW, RECORDED_DENSELY, LEADS),
        about="gd",
        control=Control("a tenth of the rate of growth", constants={"factor": 0.1}),
    ),
)
