"""What the tests of sims/ share: small laws at which learning happens, and bit-for-bit comparison."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.cubic_cnn.problems import PatchProblem
from lemmascope.theory.cubic_cnn.parameters import Parameters


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Parameters]:
    """Milliseconds a run; any field may be replaced."""

    def make(**changes: Any) -> Parameters:
        values = {
            "d": 40,
            "N": 12,
            "P": 2,
            "m": 4,
            "alpha": 2.0,
            "beta": 0.2,
            "mu": 0.25,
            "sigma": 2 / math.sqrt(40),
            "sigma_0": 0.5 / math.sqrt(40),
        }
        return Parameters(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def learning() -> Callable[..., Parameters]:
    """At η = 0.2, γ = 0.998 and 3000 iterations both theorems are seen, in about a third of a second a seed."""

    def make(**changes: Any) -> Parameters:
        values = {
            "d": 150,
            "N": 60,
            "P": 2,
            "m": 12,
            "alpha": 4.0,
            "beta": 0.2,
            "mu": 0.2,
            "sigma": 2 / math.sqrt(150),
            "sigma_0": 0.5 / math.sqrt(150),
        }
        return Parameters(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def patches() -> Callable[..., PatchProblem]:
    """A user's own data: 40 samples of 3 patches, correlated, with the label's direction in the middle one."""

    def make(**changes: Any) -> PatchProblem:
        rng = np.random.default_rng(7)
        y = np.repeat([1.0, -1.0], 20)
        w_star = rng.standard_normal(30)
        X = 0.4 * rng.standard_normal((40, 3, 30)) + 0.1
        X[:, 1] += y[:, None] * w_star / np.linalg.norm(w_star)
        values: dict[str, Any] = {"X": X, "y": y, "m": 6, "sigma_0": 0.1}
        known = {"w_star": w_star, "small": np.arange(40) % 4 == 0}
        chosen = {name: known[name] if value == "known" else value for name, value in changes.items()}
        return PatchProblem(**{**values, **chosen})

    return make


def _difference(a: xr.Dataset, b: xr.Dataset) -> list[str]:
    names = sorted({str(name) for name in (*a.variables, *b.variables)})
    return [
        name
        for name in names
        if name not in a.variables
        or name not in b.variables
        or a[name].dims != b[name].dims
        or a[name].dtype.kind != b[name].dtype.kind
        or not np.array_equal(a[name].values, b[name].values, equal_nan=a[name].dtype.kind == "f")
    ]


@pytest.fixture(scope="session")
def difference() -> Callable[[xr.Dataset, xr.Dataset], list[str]]:
    """Names of the variables that differ in a single bit (NaN equals NaN); empty for equal trajectories."""
    return _difference
