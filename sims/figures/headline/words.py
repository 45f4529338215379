"""What the captions share: seeds, parameters, optimizers and hitting times in words."""

from __future__ import annotations

__all__ = ["reached", "who"]

import json
import math

import xarray as xr

from lemmascope.sims.figures.common import law_of, typical_time
from lemmascope.sims.tables import harmless
from lemmascope.theory.cubic_cnn import SUBJECT

LAW = ("alpha", "beta", "mu", "sigma", "sigma_0", "lam")
TIMES = (("T_0", "T₀ (max c ≥ 1/(2α))"), ("T_1", "T₁ (y Σ Ξ³ ≥ 1/2 on all of Z₂)"))


def who(trajectory: xr.Dataset, each: str = "median over {} seeds, bands from the smallest to the largest") -> str:
    """Seeds, parameters, optimizers, and the runs that diverged; ``each`` says what is drawn of more than one seed."""
    seeds = trajectory.sizes["seed"]
    text = each.format(seeds) if seeds > 1 else "one seed"
    p = law_of(trajectory)
    sizes = p if p is not None else json.loads(trajectory.attrs["sizes"])
    names = ("d", "N", "P", "m", *(LAW if p is not None else ("lam",)))
    described = json.loads(trajectory.attrs["optimizers"])
    parts = [text, ", ".join(f"{SUBJECT[k].symbol} = {sizes[k]:.6g}" for k in names)]
    for name in map(str, trajectory.optimizer.values):
        found, shown = described[name], harmless(name)
        values = [f"{SUBJECT[k].symbol} = {found[k]:.10g}" for k in ("eta", "gamma") if k in found]
        diverged = int((trajectory.diverged_at.sel(optimizer=name) >= 0).sum())
        end = f" ({diverged} of {seeds} runs diverged)" if diverged else ""
        parts.append(f"{shown}: {', '.join(values) or found['class']}{end}")
    return "; ".join(parts)


def reached(trajectory: xr.Dataset) -> str:
    """The vertical lines in a sentence: medians of T₀ and T₁ over seeds, and how many seeds reach them.

    A time that is not reached counts as infinite.
    """
    if law_of(trajectory) is None:
        return ""
    n = trajectory.sizes["seed"]
    parts = []
    for name, text in TIMES:
        if name not in trajectory:
            continue
        found = []
        for optimizer in trajectory.optimizer.values:
            times = trajectory[name].sel(optimizer=optimizer)
            t, k = typical_time(times), int(times.notnull().sum())
            value = f"{t:.6g}" if math.isfinite(t) else "not reached" if k == 0 else "not reached in the median"
            found.append(f"{harmless(optimizer)} {value} ({k} of {n} seeds)")
        parts.append(f"{text}: {', '.join(found)}")
    return f" Vertical lines, medians of {'; '.join(parts)}." if parts else ""
