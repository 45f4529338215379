r"""The signal coefficients never decrease.

Lemma (derived). With λ = 0, −⟨∇_{w_r} L, w*⟩ = 3 c_r² (α³ν₁ + β³ν₂) ≥ 0, and GD and momentum (from a zero buffer) add
non-negative multiples of such terms. So each c_r is non-decreasing, and a negative c_r stays within [c_r(0), 0] until
a step carries it across 0. Rounding (derived): an inner product of length d, and k steps between two records, each
of which rounds W anew, move c by at most (d + 4 + k) ε ‖W‖_F, ε the spacing of the arithmetic at 1.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

import math

from lemmascope.theory.claim import Claim, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn.claims.controls import ASCENT
from lemmascope.theory.cubic_cnn.claims.hypotheses import CLEAN_LABELS, KNOWN_LAW, NO_PENALTY, STAYED_FINITE
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

AVERAGE_FORM = Hypothesis(
    "gd_or_momentum",
    "the optimizer is GD or heavy-ball momentum with constant learning rate",
    lambda run: run.role in ("gd", "momentum"),
)


def signal_monotone(run: Run) -> Measurement:
    """Smallest increase of a c_r between two recorded iterations, where it comes closest to its rounding bound."""
    eps = 1.2e-7 if run.data.attrs.get("dtype") == "float32" else 2.3e-16
    norm = run["weight_norm_squared"].max("iteration", skipna=False) ** 0.5
    increase = run["c"].diff("iteration").min("neuron", skipna=False)
    rounding = (run.p.d + 4 + run["iteration"].astype(float).diff("iteration")) * eps * norm
    # An increase that is undefined may be a fall.
    closest = (increase + rounding).fillna(-math.inf).argmin("iteration")
    return Measurement(increase.isel(iteration=closest), lower=-rounding.isel(iteration=closest))


CLAIMS = (
    Claim(
        id="lemma.signal_monotone",
        statement=(
            r"$c_r(t') \ge c_r(t)$, to rounding, for every neuron $r$ and recorded iterations $t < t'$, with"
            r" $\lambda = 0$"
        ),
        plain="no c_r decreases from one recorded iteration to the next: smallest increase",
        kind=Kind.BOUND,
        source="derived",
        measure=signal_monotone,
        assumes=(KNOWN_LAW, CLEAN_LABELS, NO_PENALTY, STAYED_FINITE, AVERAGE_FORM),
        control=ASCENT,
    ),
)
