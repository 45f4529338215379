r"""The stages are ordered: the large-margin samples are fitted before the small-margin weight moves.

Statement (source: talk for the message; reading derived). When ν₂ has first lost a tenth of its initial value, ν₁ is
below 1/log d of its own. A ν₂ that has not moved by T is looked at there.

What is recorded must tell τ, that iteration, and ν₁ there; τ lies between two records t_k < τ ≤ t_{k+1}. They tell it
where every iteration up to t_{k+1} is recorded. Where some are left out, they do if ν₁ and ν₂ never rise there, each
record is at most a fifth later than the one before, and ν₁ is on the same side of its bound at t_k and at t_{k+1}
(derived: a ν₂ that falls has not moved at t_k, so not before; a ν₁ that falls lies at τ between its two records). That
they never rise is assumed between records, and seen from record to record: on a run on which one rises, sparse records
are no evidence. Nor are sparser ones: at the end of a run ν₁ is small whatever came first.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

import xarray as xr

from lemmascope.theory.claim import Claim, Control, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn.claims import enclosures
from lemmascope.theory.cubic_cnn.claims.hypotheses import THEOREM
from lemmascope.theory.cubic_cnn.claims.readings import WHP
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind

MOVED = 0.9
LATER = 1.2
"""How much later than the record before a record may be, as a factor, beyond the next iteration."""

ROUNDING = 1e-6
"""The rise of a weight, over its first value, that the rounding of float32 may make."""


def _shares(run: Run) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """(seed, iteration) ν₁/ν₁(0) and whether ν₂ has moved, and (seed,) the place of the first record where it has."""
    share = run["nu"] / run["nu"].isel(iteration=0)
    moved = share.sel(margin="small") <= MOVED
    place = moved.argmax("iteration").where(moved.any("iteration"), moved.sizes["iteration"] - 1).astype(int)
    return share.sel(margin="large"), moved, place


def _recorded_densely(run: Run) -> xr.DataArray:
    """(seed,) whether the records up to the first with a moved ν₂, or the last of all, tell ν₁ at τ."""
    large, moved, place = _shares(run)
    times = run["iteration"]
    before = times.shift(iteration=1, fill_value=0)
    early = xr.DataArray(range(times.size), dims="iteration") <= place

    def always(holds: xr.DataArray) -> xr.DataArray:
        return (holds | ~early).all("iteration")

    below = large <= 1 / run.p.log_d
    same = below.isel(iteration=place) == below.isel(iteration=(place - 1).clip(0))
    adjacent = times.isel(iteration=place) - before.isel(iteration=place) <= 1
    rise = (run["nu"] / run["nu"].isel(iteration=0)).diff("iteration").max("margin", skipna=False)
    falling = (rise <= ROUNDING).reindex(iteration=times, fill_value=True)
    told = (same | adjacent | ~moved.any("iteration")) & always(times <= LATER * before + 1) & always(falling)
    return told | always(times <= before + 1)


RECORDED_DENSELY = Hypothesis(
    "recorded_densely",
    r"until $\nu_2$ has moved every iteration is recorded; or else $\nu_1$ and $\nu_2$ never rise (seen from record to"
    r" record, to $10^{-6}$; assumed between them), each record is at most a fifth later than the one before,"
    r" $t_{k+1} \le 1.2\,t_k + 1$, and the last before it and the first after it are adjacent or have $\nu_1$ on the"
    r" same side of its bound",
    _recorded_densely,
)


def stages_ordered(run: Run) -> Measurement:
    """ν₁/ν₁(0) at the first recorded iteration with ν₂ ≤ 0.9 ν₂(0)."""
    large, _, place = _shares(run)
    evidence = {
        "T_0": [float(t) for t in run["T_0"].values],
        "T_1": [float(t) for t in run["T_1"].values],
        "first iteration with nu_2 moved": [float(t) for t in run["iteration"].isel(iteration=place).values],
    }
    return Measurement(large.isel(iteration=place), upper=1 / run.p.log_d, evidence=evidence)


CLAIMS = (
    Claim(
        id="lemma.stages_ordered",
        statement=(
            r"$\nu_1(t) \le \nu_1(0)/\log d$ when first $\nu_2(t) \le 0.9\,\nu_2(0)$, or at $T$ if it never is: $Z_1$"
            r" is fitted before $Z_2$ is felt"
        ),
        plain="ν₁/ν₁(0) ≤ 1/log d when ν₂ first loses a tenth, or at T if never: Z₁ is fitted before Z₂ is felt",
        kind=Kind.BOUND,
        source="talk",
        measure=stages_ordered,
        encloses=lambda run: enclosures.shares_at_move(run, MOVED),
        assumes=(*THEOREM, RECORDED_DENSELY),
        probability=WHP,
        control=Control("the same run with the names of the two margins exchanged", made="swapped_margins"),
    ),
)
