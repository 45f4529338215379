"""What a trajectory is evidence for: each optimizer's run, and all of them together, held against the claims."""

from __future__ import annotations

__all__ = ["evidence", "family", "judge", "runs"]

import json
from collections.abc import Iterable

import xarray as xr

from lemmascope.sims import judge as judging
from lemmascope.sims.cubic_cnn.controls import CONTROLS
from lemmascope.theory.claim import FAMILY, Claim
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.run import Run, role_of
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Verdict


def _parameters(trajectory: xr.Dataset) -> Parameters | None:
    values = json.loads(trajectory.attrs["parameters"])
    return None if values is None else Parameters.from_dict(values)


def _pairs(trajectory: xr.Dataset) -> dict[str, tuple[float, float] | None]:
    """(η, γ) of the average form of each optimizer, by label."""
    described = json.loads(trajectory.attrs["optimizers"])
    found: dict[str, tuple[float, float] | None] = {}
    for name in trajectory.optimizer.values:
        form = described[str(name)]["average_form"]
        found[str(name)] = None if form is None else (form["eta"], form["gamma"])
    return found


def _whole(trajectory: xr.Dataset) -> xr.Dataset:
    """The trajectory with its seed and optimizer dimensions, where one of them was selected away.

    Raises:
        InputError: it is none, iteration 0 is missing, or seeds occur twice: claims compare with the initial state, by
            seed.
    """
    for name in ("seed", "optimizer"):
        if name not in trajectory.dims:
            if name not in trajectory.coords:
                raise InputError("trajectory", list(trajectory.dims), f"it must have the dimension {name}")
            trajectory = trajectory.expand_dims(name)
    if "iteration" not in trajectory.dims or trajectory["iteration"].values[:1].tolist() != [0]:
        raise InputError("trajectory", "iterations cut", "it must begin with iteration 0, with which claims compare")
    for name in ("parameters", "optimizers"):
        if name not in trajectory.attrs:
            raise InputError("trajectory", list(trajectory.attrs), f"it must have the attribute {name}, as simulated")
    if len(set(trajectory.seed.values.tolist())) < trajectory.sizes["seed"]:
        raise InputError("trajectory", "seeds repeated", "each seed must occur once")
    return trajectory


def runs(trajectory: xr.Dataset) -> list[Run]:
    """One `Run` for each optimizer of a trajectory."""
    parameters = _parameters(trajectory)
    found = []
    for name, pair in _pairs(trajectory).items():
        eta, gamma = pair if pair is not None else (None, None)
        found.append(Run(trajectory.sel(optimizer=name), name, role_of(pair), parameters, eta=eta, gamma=gamma))
    return found


def family(trajectory: xr.Dataset) -> Run:
    """All optimizers of a trajectory as one `Run`, for claims that compare them."""
    pairs = _pairs(trajectory)
    return Run(trajectory, f"{len(pairs)} optimizers", FAMILY, _parameters(trajectory), optimizers=pairs)


def evidence(trajectory: xr.Dataset) -> list[Run]:
    """The runs of a trajectory, and their family last.

    Raises:
        InputError: it is no trajectory, does not begin with iteration 0, or its seeds are repeated.
    """
    trajectory = _whole(trajectory)
    return [*runs(trajectory), family(trajectory)]


def judge(trajectory: xr.Dataset, claims: Iterable[Claim] | Claim | None = None) -> tuple[Verdict, ...]:
    """Judge claims on a trajectory, each with its negative control; some of those train a small network for a moment.

    Args:
        trajectory: from `sims.cubic_cnn.simulate.simulate` or `sims.cubic_cnn.trajectory.load`.
        claims: default all claims of the cubic CNN about trajectories.

    Returns:
        Verdicts in the order of the claims, each on every run that it concerns.

    Raises:
        InputError: as of `evidence`; or a claim's measure fails on it.
    """
    return judging.judge(TRAJECTORY if claims is None else claims, evidence(trajectory), CONTROLS)
