r"""The finite-size readings of the words in the theorems, shared by the claims (derived).

Õ and Ω̃ are factors of log d. "Test accuracy 1" is at least 0.99, "near chance" at most 0.55, each with three
standard errors on the unsafe side: with the 8 replicates of `theory.cubic_cnn.quantities.directions` a one-sided
confidence of 99.0 % (Student's t with 7 degrees of freedom). "With high probability" is a probability above one half.
"""

from __future__ import annotations

__all__ = ["CHANCE", "ERRORS", "GENERALIZES", "WHP", "fits_training_set", "test_high", "test_low"]

import xarray as xr

from lemmascope.theory.claim import Measurement
from lemmascope.theory.cubic_cnn.run import Run

GENERALIZES = 0.99
CHANCE = 0.55
WHP = 0.5
ERRORS = 3
"""Standard errors on the unsafe side."""


def fits_training_set(run: Run) -> Measurement:
    """Training accuracy over all samples at T, equal to 1."""
    share, small, N = run.final["train_accuracy"], run["small_count"], run.p.N
    accuracy = (share.sel(margin="large") * (N - small) + share.sel(margin="small") * small) / N
    loss = run.final["loss"].sum("margin")
    return Measurement(accuracy, lower=1.0, evidence={"training loss": float(loss.median())})


def test_low(run: Run, margin: str) -> xr.DataArray:
    """(seed,) final exact-law test accuracy, less three standard errors."""
    final = run.final.sel(margin=margin)
    return final["test_accuracy"] - ERRORS * final["test_accuracy_error"]


def test_high(run: Run, margin: str) -> xr.DataArray:
    """(seed,) final exact-law test accuracy, plus three standard errors."""
    final = run.final.sel(margin=margin)
    return final["test_accuracy"] + ERRORS * final["test_accuracy_error"]
