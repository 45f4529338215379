r"""In the noise gradient a patch feels the other patches little.

With u_k = y ℓ Ξ_k², the noise gradient at patch k is (3/N)(K_kk u_k + cross_k), cross_k = Σ_{k'≠k} K_kk' u_k'.

Bound (derived). Given x_k, ⟨x_k, x_k'⟩ ~ N(0, σ² K_kk). A union over the n(n − 1) ordered pairs and
P(|g| > t) ≤ e^{−t²/2} give, with probability at least 1 − δ, |K_kk'| ≤ σ √K_kk √(2 log(n²/δ)) for all pairs, hence
|cross_k| ≤ σ √K_kk √(2 log(n²/δ)) Σ_{k'≠k} |u_k'| at every iteration, for every neuron. δ = 0.01 here.

Smallness (derived). As K_kk ≈ σ²d, the largest cross term is then at most n √(2 log(n²/δ)) / √d times the largest
own term: small where the paper's regime n ≪ √d holds, and only there.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "many_dimensions"]

import math

from lemmascope.theory.claim import Claim, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn.claims import enclosures
from lemmascope.theory.cubic_cnn.claims.controls import TWINS
from lemmascope.theory.cubic_cnn.claims.hypotheses import KNOWN_LAW, STAYED_FINITE
from lemmascope.theory.cubic_cnn.claims.readings import WHP
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

DELTA = 0.01


def deviation(n: int) -> float:
    """√(2 log(n²/δ)), the size of the largest of n² standard normal variables with probability 1 − δ."""
    return math.sqrt(2 * math.log(n * n / DELTA))


def many_dimensions(p: Parameters) -> bool:
    """√d ≥ 2.2 n √(2 log(n²/δ)): so many that the cross terms are small."""
    return math.sqrt(p.d) >= 2.2 * p.n * deviation(p.n)


MANY_DIMENSIONS = Hypothesis(
    "many_dimensions",
    r"$\sqrt{d} \ge 2.2\, n \sqrt{2 \log(n^2/\delta)}$, $n = N(P-1)$",
    lambda run: many_dimensions(run.p),
)


def cross_terms(run: Run) -> Measurement:
    """Largest |cross_k| / (σ √K_kk Σ_{k'≠k} |u_k'|) over the recorded iterations."""
    evidence = {"largest cross / largest own term": float(run["cross_to_diagonal"].max("iteration").median())}
    return Measurement(run["cross_ratio"].max("iteration", skipna=False), upper=deviation(run.p.n), evidence=evidence)


def cross_terms_small(run: Run) -> Measurement:
    """Largest cross term over largest own term, over the recorded iterations."""
    return Measurement(run["cross_to_diagonal"].max("iteration", skipna=False), upper=0.5)


CLAIMS = (
    Claim(
        id="lemma.cross_terms",
        statement=(
            r"$|\sum_{k' \ne k} K_{kk'} u_{k'}| \le \sigma \sqrt{K_{kk}} \sqrt{2\log(n^2/\delta)} \sum_{k'\ne k}"
            r" |u_{k'}|$, $u_k = y\,\ell\,\Xi_k^2$, $\delta = 0.01$, for every patch and neuron in each recorded"
            r" iteration"
        ),
        plain="|Σ_{k'≠k} K_kk' u_k'| ≤ √(2 log(n²/δ)) · σ √K_kk Σ_{k'≠k} |u_k'|, u = yℓΞ², δ = 0.01, as recorded",
        kind=Kind.BOUND,
        source="derived",
        measure=cross_terms,
        encloses=lambda run: enclosures.recorded_most(run, "cross_ratio", deviation(run.p.n)),
        assumes=(KNOWN_LAW, STAYED_FINITE),
        probability=WHP,
        control=TWINS,
    ),
    Claim(
        id="lemma.cross_terms_small",
        statement=(
            r"$\max_k |\sum_{k' \ne k} K_{kk'} u_{k'}| \le \frac12 \max_k K_{kk} |u_k|$, for every neuron in each"
            r" recorded iteration"
        ),
        plain="max_k |Σ_{k'≠k} K_kk' u_k'| ≤ ½ max_k K_kk |u_k|, as recorded",
        kind=Kind.BOUND,
        source="derived",
        measure=cross_terms_small,
        encloses=lambda run: enclosures.recorded_most(run, "cross_to_diagonal", 0.5),
        assumes=(KNOWN_LAW, STAYED_FINITE, MANY_DIMENSIONS),
        probability=WHP,
        control=TWINS,
    ),
)
