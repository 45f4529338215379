r"""The stages are ordered: the large-margin samples are fitted before the small-margin weight moves.

Statement (source: talk for the message; reading derived). When ν₂ has first lost a tenth of its initial value, ν₁ is
below 1/log d of its own. A ν₂ that never moves is looked at in the last recorded iteration.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.claim import Claim, Control, Measurement
from lemmascope.theory.cubic_cnn.claims.hypotheses import THEOREM
from lemmascope.theory.cubic_cnn.claims.readings import WHP
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

MOVED = 0.9


def stages_ordered(run: Run) -> Measurement:
    """ν₁/ν₁(0) at the first recorded iteration with ν₂ ≤ 0.9 ν₂(0)."""
    share = run["nu"] / run["nu"].isel(iteration=0)
    moved = share.sel(margin="small") <= MOVED
    place = moved.argmax("iteration").where(moved.any("iteration"), moved.sizes["iteration"] - 1).astype(int)
    evidence = {
        "T_0": [float(t) for t in run["T_0"].values],
        "T_1": [float(t) for t in run["T_1"].values],
        "first iteration with nu_2 moved": [float(t) for t in run["iteration"].isel(iteration=place).values],
    }
    return Measurement(share.sel(margin="large").isel(iteration=place), upper=1 / run.p.log_d, evidence=evidence)


CLAIMS = (
    Claim(
        id="lemma.stages_ordered",
        statement=(
            r"$\nu_1(t) \le \nu_1(0)/\log d$ when first $\nu_2(t) \le 0.9\,\nu_2(0)$: $Z_1$ is fitted before $Z_2$ is"
            r" felt"
        ),
        plain="ν₁/ν₁(0) ≤ 1/log d when ν₂ first loses a tenth: Z₁ is fitted before Z₂ is felt",
        kind=Kind.BOUND,
        source="talk",
        measure=stages_ordered,
        assumes=THEOREM,
        probability=WHP,
        control=Control("the same run with the names of the two margins exchanged", made="swapped_margins"),
    ),
)
