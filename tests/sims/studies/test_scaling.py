"""The scaling study: what it computes, what it judges, and the command."""

import json

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.sims.figures import scaling as figure
from lemmascope.sims.report.verdicts import verdicts_json
from lemmascope.sims.studies import scaling
from lemmascope.theory.cubic_cnn.scaling import CLAIMS, point
from lemmascope.theory.verdict import Status

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
SEEDS = 16


def planted(exponents=None, spread=0.1, wrong=0.3, seed=0):
    """Data whose quantities grow with the claims' exponents, or with others given by claim."""
    rng = np.random.default_rng(seed)
    values = np.full((2, len(SIZES), SEEDS, 2, len(scaling.QUANTITIES)), np.nan)
    made = scaling.dataset(values.reshape(-1, 2, len(scaling.QUANTITIES)), SIZES, SEEDS, 0)
    for claim in CLAIMS:
        exponent = (exponents or {}).get(claim.id, claim.exponent)
        for scale, shift in (("paper", 0.0), ("wrong", wrong)):
            noise = np.exp(spread * rng.standard_normal((len(SIZES), SEEDS)))
            q = made.d.values[:, None] ** (exponent + shift) * noise
            if claim.quantity.startswith("T_"):
                q = q / made.eta.sel(scaling=scale).values[:, None]
            made[claim.quantity].loc[{"scaling": scale, "optimizer": claim.optimizer}] = q
    return made


def test_the_right_exponents_hold_and_the_wrong_scaling_is_refuted():
    for verdict in scaling.judge_scaling(planted()):
        assert verdict.status is Status.HOLDS, verdict.reason
        assert verdict.control["status"] == "REFUTED"
        assert verdict.as_expected


@pytest.mark.parametrize("claim", [claim.id for claim in CLAIMS])
def test_a_wrong_exponent_is_refuted(claim):
    right = next(c.exponent for c in CLAIMS if c.id == claim)
    found = {v.claim: v for v in scaling.judge_scaling(planted({claim: right + 0.25}))}
    assert found[claim].status is Status.REFUTED
    assert found[claim].witness["slope"] == pytest.approx(right + 0.25, abs=0.05)
    assert all(v.status is Status.HOLDS for name, v in found.items() if name != claim)


def test_few_seeds_decide_nothing():
    for verdict in scaling.judge_scaling(planted().isel(seed=slice(14))):
        assert verdict.status is Status.INCONCLUSIVE
        assert "take 15" in verdict.reason


def test_a_control_that_grows_alike_is_no_control():
    assert not any(v.as_expected for v in scaling.judge_scaling(planted(wrong=0.0)))


def test_runs_that_never_get_there_cannot_be_left_out():
    data = planted()
    for seed in range(3):
        data.T_1.loc[{"scaling": "paper", "optimizer": "GD", "seed": seed}] = np.nan
    found = {v.claim: v for v in scaling.judge_scaling(data)}
    assert found["scaling.gd.T_1"].status is Status.INCONCLUSIVE
    assert "19%" in found["scaling.gd.T_1"].reason
    assert found["scaling.gd.T_0"].status is Status.HOLDS


def test_a_task_gives_what_simulate_gives():
    """By every iteration, to a small multiple of the tolerance; the hitting times to the iteration."""
    at = point(1000)
    exact, fast = (scaling._run(scaling.Task("paper", 1000, 0, 0), 60_000, fast=fast) for fast in (False, True))
    assert float(exact.iteration[-1]) == 60_000 < at.iterations
    assert "gradients" not in exact
    np.testing.assert_array_equal(exact.T_0, fast.T_0)
    assert_close(fast.c.values, exact.c.values, kind="fast-forward")
    assert_close(fast.Xi_abs_max.values, exact.Xi_abs_max.values, kind="fast-forward")
    assert float(fast.gradients.max()) < 20_000


def test_fast_forward_that_disagrees_is_refuted(monkeypatch):
    found = scaling.validate(0, seeds=1)
    assert found.status is Status.HOLDS
    assert found.control["status"] == "REFUTED"
    monkeypatch.setattr(scaling, "VALIDATED", 20_000)
    right = scaling._run

    def off(task, iterations, *, fast, tolerance):
        run = right(task, iterations, fast=fast, tolerance=tolerance)
        return run.assign(c=run.c * (1 + 1e-5)) if fast else run

    monkeypatch.setattr(scaling, "_run", off)
    found = scaling.validate(0, seeds=1)
    assert found.status is Status.REFUTED
    assert found.witness["c"] == pytest.approx(1e-5, rel=1e-3)


def test_draws_of_different_dimensions_are_independent():
    made = scaling.tasks(SIZES, 2, 0)
    assert len({task.study for task in made}) == len({task.key for task in made}) == len(made) == 20


def test_the_command(call_cli, tmp_path, schema):
    arguments = ["scaling", "--dimensions", "1e3,1e4,1e5,1e6,1e7", "--seeds", 2, "--out", tmp_path / "s"]
    result = call_cli(*arguments)
    assert result.exit_code in (0, 1)  # two seeds decide little
    assert "scaling.gd.T_1" in result.stdout
    data = xr.open_dataset(tmp_path / "s" / "scaling.nc", engine="h5netcdf")
    assert data.T_1.dims == ("scaling", "d", "seed", "optimizer")
    assert float(data.iterations.max()) > 1e10
    schema(json.loads((tmp_path / "s" / "verdicts.json").read_text()))
    assert (tmp_path / "s" / "figures" / "scaling.pdf").stat().st_size > 5_000
    assert json.loads((tmp_path / "s" / "provenance.json").read_text())["fingerprint"]["seeds"] == 2
    again = call_cli(*arguments)
    assert again.exit_code == 2
    assert "--resume continues it" in again.stderr
    resumed = call_cli(*arguments, "--resume")
    assert resumed.exit_code == result.exit_code
    assert "20 of 20 parts are there already" in resumed.stdout
    other = call_cli(*arguments[:-3], 3, "--out", tmp_path / "s", "--resume")
    assert other.exit_code == 2
    assert "other results" in other.stderr
    elsewhere = call_cli(*arguments[:-3], 3, "--out", tmp_path / "s.zarr", "--resume")  # a store is no results folder
    assert elsewhere.exit_code == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--dimensions", "1e3,1e4"], "five or more"),
        (["--dimensions", "a,b"], "give numbers"),
        (["--seeds", "1"], "2 or more"),
        (["--dimensions", "10,20,30,40,50"], "from 100 on"),
        (["--dimensions", "1e5,1e7,1e9,1e11,1e13"], "rounding"),
        (["--cluster", "somewhere"], "local"),
    ],
)
def test_wrong_use_is_refused(call_cli, tmp_path, flags, words):
    result = call_cli("scaling", "--out", tmp_path / "s", *flags)
    assert result.exit_code == 2
    assert words in result.stderr


def test_figure_and_caption_say_what_is_seen():
    data = planted()
    verdicts = scaling.judge_scaling(data)
    drawn = figure.draw(data, verdicts)
    assert len(drawn.axes) == 3
    text = figure.caption(data, verdicts)
    assert "d = 1000 to 1e+07" in text
    assert "wrong scaling" in text
    assert json.dumps(verdicts_json(verdicts, data))
