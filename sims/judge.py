"""Hold saved trajectories against claims, each with its negative control."""

from __future__ import annotations

__all__ = ["family", "judge", "runs"]

import json
from collections.abc import Iterable

import xarray as xr

from lemmascope.sims.cubic_cnn.controls import control_run
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Claim, Run, Verdict


def _parameters(trajectory: xr.Dataset) -> Parameters | None:
    values = json.loads(trajectory.attrs["parameters"])
    return None if values is None else Parameters.from_dict(values)


def _pairs(trajectory: xr.Dataset) -> dict[str, tuple[float, float] | None]:
    described = json.loads(trajectory.attrs["optimizers"])
    found: dict[str, tuple[float, float] | None] = {}
    for name in trajectory.optimizer.values:
        form = described[str(name)]["average_form"]
        found[str(name)] = None if form is None else (form["eta"], form["gamma"])
    return found


def _whole(trajectory: xr.Dataset) -> xr.Dataset:
    """The trajectory with its seed and optimizer dimensions, where one of them was selected away.

    Raises:
        InputError: iteration 0 is missing, or seeds occur twice: claims compare with the initial state, by seed.
    """
    for name in ("seed", "optimizer"):
        if name not in trajectory.dims:
            if name not in trajectory.coords:
                raise InputError("trajectory", list(trajectory.dims), f"it must have the dimension {name}")
            trajectory = trajectory.expand_dims(name)
    if "iteration" not in trajectory.dims or trajectory["iteration"].values[:1].tolist() != [0]:
        raise InputError("trajectory", "iterations cut", "it must begin with iteration 0, with which claims compare")
    if len(set(trajectory.seed.values.tolist())) < trajectory.sizes["seed"]:
        raise InputError("trajectory", "seeds repeated", "each seed must occur once")
    return trajectory


def runs(trajectory: xr.Dataset) -> list[Run]:
    """One `Run` for each optimizer of a trajectory."""
    parameters = _parameters(trajectory)
    found = []
    for name, pair in _pairs(trajectory).items():
        eta, gamma = pair if pair is not None else (None, None)
        found.append(Run(trajectory.sel(optimizer=name), name, parameters, eta, gamma))
    return found


def family(trajectory: xr.Dataset) -> Run:
    """All optimizers of a trajectory as one `Run`, for claims that compare them."""
    pairs = _pairs(trajectory)
    return Run(trajectory, f"{len(pairs)} optimizers", _parameters(trajectory), None, None, optimizers=pairs)


def judge(trajectory: xr.Dataset, claims: Iterable[Claim] | None = None, *, controls: bool = True) -> list[Verdict]:
    """Judge every claim on every run that it concerns.

    Args:
        trajectory: from `simulate` or `load`.
        claims: default all claims of the cubic CNN.
        controls: run each negative control too; some train a small network for a moment.

    Returns:
        Verdicts in the order of the claims.

    Raises:
        InputError: the trajectory does not begin with iteration 0, or a claim's measure fails on it.
    """
    trajectory = _whole(trajectory)
    everyone = runs(trajectory)
    whole = family(trajectory)
    found = []
    for claim in CLAIMS.values() if claims is None else claims:
        for run in [*everyone, whole]:
            if claim.concerns(run):
                try:
                    verdict = claim.judge(run)
                except (KeyError, TypeError, AttributeError, ValueError) as error:
                    raise InputError(
                        "claim",
                        claim.id,
                        f"it must measure Measurement(computed by seed), and failed ({type(error).__name__}: {error})",
                    ) from error
                if controls and claim.control is not None:
                    verdict = control_run(claim, run, verdict, everyone)
                found.append(verdict)
    return found
