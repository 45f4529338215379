"""What users promise and forget: false linearity, cut trajectories, failing claims and steps, files in the way."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from lemmascope.cli.main import app
from lemmascope.sims.cubic_cnn.evidence import judge
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.theory.claim import Claim, Control, Measurement
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov
from lemmascope.theory.verdict import Kind, Status

TINY = Parameters(d=60, N=12, P=2, m=3, alpha=3, beta=0.2, mu=0.3, sigma=0.2, sigma_0=0.05)


class Sign:
    linear = True

    def init(self, params):
        return None

    def step(self, params, grad, state, t):
        return params - 0.01 * np.sign(grad), state


class Normalized(Sign):
    def step(self, params, grad, state, t):
        return params - 0.01 * grad / np.linalg.norm(grad), state


class Broken(Sign):
    def step(self, params, grad, state, t):
        if params.shape != (2, 3) and t == 2:
            raise ValueError("no third step")
        return params - 0.01 * grad, state


@pytest.fixture(scope="module")
def run():
    return simulate(TINY, {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}, iterations=20, seeds=5)


@pytest.mark.parametrize("optimizer", [Sign(), Normalized()])
def test_a_false_promise_of_linearity_is_refused(optimizer):
    with pytest.raises(InputError, match="linear = False"):
        simulate(TINY, {"mine": optimizer}, iterations=3)


@pytest.mark.parametrize("optimizer", [GD(0.1), MomentumAverage(0.1, 0.99), Nesterov(0.1, 0.9)])
def test_a_true_promise_is_not(optimizer):
    simulate(TINY, {"ours": optimizer}, iterations=3)


def test_a_failing_step_is_named():
    with pytest.raises(InputError, match=r"optimizer Broken.*no third step"):
        simulate(TINY, {"mine": Broken()}, iterations=5)


def test_a_trajectory_without_its_start_is_refused(run):
    for cut in (run.isel(iteration=slice(3, None)), run.isel(iteration=[-1]), run.isel(iteration=-1)):
        with pytest.raises(InputError, match="iteration 0"):
            judge(cut)
    with pytest.raises(InputError, match="seeds repeated"):
        judge(xr.concat([run, run], "seed"))
    with pytest.raises(InputError, match="dimension seed"):
        judge(run.mean("seed"))


def test_one_seed_or_one_optimizer_can_be_judged(run):
    assert {v.label for v in judge(run.sel(optimizer="GD"))} == {"GD", "1 optimizers"}
    assert all(v.seeds in ((), (2,)) for v in judge(run.sel(seed=2)))


@pytest.mark.parametrize("measure", [lambda run: run["none"], lambda run: 3.0, lambda run: Measurement(run["c"])])
def test_a_failing_claim_is_named(run, measure):
    with pytest.raises(InputError, match=r"claim = 'mine\.x'"):
        judge(run, Claim(id="mine.x", statement="$x$", plain="x", kind=Kind.BOUND, source="user", measure=measure))


def test_an_untrained_grid_says_nothing_about_learning_rates():
    grid = {f"GD {eta}": GD(eta) for eta in (0.1, 0.2, 0.4)}
    (verdict,) = judge(simulate(HEADLINE, grid, iterations=1, audit=False), [CLAIMS["gd.no_learning_rate_rescues"]])
    assert verdict.status is Status.NOT_APPLICABLE
    assert "long_enough" in verdict.reason


def test_a_control_that_no_other_run_can_be_is_said_and_spoils_nothing(run):
    claim = dataclasses.replace(CLAIMS["lemma.tensor_power"], control=Control("GD+M", made="counterpart"))
    (verdict,) = judge(run.sel(optimizer="GD"), [claim])
    assert (verdict.status, verdict.control["status"]) == (Status.HOLDS, "not run")
    assert verdict.uncontrolled
    assert verdict.as_expected


def test_json_replaces_verdicts_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*args):
        return CliRunner().invoke(app, list(args)).exit_code

    assert call("simulate", "-d", "60", "-N", "12", "--iterations", "5", "--optimizer", "[/]=gd:eta=0.1") == 0
    (tmp_path / "notes.txt").write_text("mine")
    before = (tmp_path / "trajectory.nc").read_bytes()
    for name in ("trajectory.nc", "notes.txt"):
        assert call("claims", "trajectory.nc", "--json", name) == 2
    assert (tmp_path / "trajectory.nc").read_bytes() == before
    assert (tmp_path / "notes.txt").read_text() == "mine"
    for _ in range(2):
        assert call("claims", "trajectory.nc", "--only", "lemma.signal_gradient", "--json", "v.json") == 0
