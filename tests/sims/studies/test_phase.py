"""The phase diagram: its plane, tasks and data, its claims on planted diagrams, and the command."""

import dataclasses
import json
import math

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.cubic_cnn.stack import MEASURED
from lemmascope.sims.figures import phase as figure
from lemmascope.sims.studies import phase
from lemmascope.sims.studies.phase import Axis, Plane
from lemmascope.theory.cubic_cnn.boundaries import race_line
from lemmascope.theory.cubic_cnn.claims.phase import CLAIMS, valid
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Run, Status

CLOCK, KAPPA = 720.0, 5.0


def planted(*, side=16, seeds=3, kappa=KAPPA, shift=1.0, learns=None):
    """A diagram in which cells learn exactly below the race law's line, or above the overshoot line."""
    plane = Plane(Axis.spaced("eta", 0.0125, 64, side), Axis.spaced("gamma", 1e-4, 1, side))
    shape = (seeds, side, side)
    made = phase.tasks(plane, seeds, 0)
    data = phase.dataset(np.zeros((len(made), phase.BLOCK, len(MEASURED))), _without_lines(plane), made, seeds, 0)
    eta, gap = data.x, data.y
    right = (gap <= shift * race_line(HEADLINE, eta, CLOCK)) | (eta >= kappa / (HEADLINE.alpha * HEADLINE.beta))
    right = right.transpose("y", "x").values if learns is None else learns(eta, gap).transpose("y", "x").values
    data["small"] = (("seed", "y", "x"), np.broadcast_to(np.where(right, 1.0, 0.5), shape).copy())
    data["c_max"] = (("seed", "y", "x"), np.broadcast_to(np.where(right, 15.0, 0.5), shape).copy())
    data["Xi_abs_max"] = (("seed", "y", "x"), np.broadcast_to(np.where(right, 0.2, 2.3), shape).copy())
    data = data.assign(
        clock=("seed", np.full(seeds, CLOCK)),
        c_0=(("seed", "neuron"), np.full((seeds, HEADLINE.m), 0.03)),
        two_body=(("seed", "y", "x"), np.broadcast_to(np.where(right, 0.99, 0.01), shape).copy()),
        share=("seed", np.full(seeds, 0.2)),
    )
    return data, plane


@dataclasses.dataclass(frozen=True)
class _Bare(Plane):
    """A plane for which no lines are measured."""

    @property
    def of_the_optimizer(self):
        return False


def _without_lines(plane):
    return _Bare(plane.x, plane.y, plane.base)


def judged(data, plane):
    return {v.claim: v for v in phase.judge_plane(data, plane)[0]}


def test_a_diagram_as_predicted_holds_and_its_controls_are_refuted():
    data, plane = planted()
    found = judged(data, plane)
    assert set(found) == {claim.id for claim in CLAIMS}
    for verdict in found.values():
        assert verdict.status is Status.HOLDS, verdict
        assert verdict.control["status"] == "REFUTED", verdict.claim
    assert found["boundary.overshoot"].seeds == (1, 2)
    assert found["boundary.overshoot"].evidence["kappa"] == pytest.approx(KAPPA, rel=0.4)


def test_a_line_elsewhere_is_refuted():
    assert judged(*planted(shift=30.0))["boundary.race"].status is Status.REFUTED
    assert judged(*planted(shift=1 / 30))["boundary.race"].status is Status.REFUTED


def test_an_overshoot_elsewhere_on_other_seeds_is_refuted():
    data, plane = planted()
    late, _ = planted(learns=lambda eta, gap: (gap <= race_line(HEADLINE, eta, CLOCK)) & (gap < 1))
    data.small[1:] = late.small[1:]
    assert judged(data, plane)["boundary.overshoot"].status is Status.REFUTED


def test_a_rate_that_rescues_gd_is_refuted():
    data, plane = planted(learns=lambda eta, gap: (eta > 0.3) & (gap > 0))
    found = judged(data, plane)["boundary.no_learning_rate_rescues"]
    assert found.status is Status.REFUTED
    assert 0.3 < found.evidence["first eta at which GD generalizes"][0] < 0.5


def test_where_gd_never_learns_kappa_is_not_fitted():
    data, plane = planted(learns=lambda eta, gap: gap <= race_line(HEADLINE, eta, CLOCK) * (gap < 1))
    assert judged(data, plane)["boundary.overshoot"].status is Status.NOT_APPLICABLE
    assert figure.draw(data, math.nan)
    assert "κ" not in figure.caption(data, math.nan)


def test_without_a_memorization_time_the_race_is_not_judged():
    data, plane = planted()
    data["clock"] = ("seed", np.full(3, np.nan))
    assert judged(data, plane)["boundary.race"].status is Status.NOT_APPLICABLE


def test_valid_cells_have_momentum_weak_friction_and_small_steps():
    data, _ = planted()
    where = valid(Run(data, "plane", HEADLINE, None, None))
    assert not where.sel(y=1.0).any()
    assert bool(where.isel(y=0, x=5).all())
    assert not where.isel(y=-3, x=-1).any()
    assert 30 < int(where.isel(seed=0).sum()) < 200


def test_every_cell_is_in_one_task():
    for plane, seeds in (
        (Plane(*phase.HEADLINE_PLANE["quick"]), 2),
        (Plane(Axis.spaced("mu", 0.1, 0.5, 5), Axis.spaced("eta", 0.1, 1, 7)), 1),
        (Plane(Axis.spaced("alpha", 2, 9, 3), Axis.spaced("N", 50, 300, 4)), 1),
    ):
        made = phase.tasks(plane, seeds, 0)
        places = [(task.seed, place) for task in made for place in task.places]
        rows, columns = len(plane.y.values), len(plane.x.values)
        cells = [(s, (j, i)) for s in range(seeds) for j in range(rows) for i in range(columns)]
        assert sorted(places) == sorted(cells)
        for task in made:
            assert len(task.cells) <= phase.BLOCK
            for (eta, gamma), (j, i) in zip(task.cells, task.places, strict=True):
                assert plane.cell(j, i) == (task.parameters, eta, gamma)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Axis("spin", (1.0, 2.0)), "eta, gamma"),
        (lambda: Axis("eta", (1.0,)), "two values"),
        (lambda: Axis("eta", (2.0, 1.0)), "increasing"),
        (lambda: Axis("gamma", (0.5, 2.0)), "(0, 1]"),
        (lambda: Axis.spaced("eta", 0, 1, 3), "from"),
        (lambda: Axis.spaced("eta", 1, 1, 3), "to"),
        (lambda: Plane(Axis.spaced("eta", 1, 2, 2), Axis.spaced("eta", 1, 3, 2)), "different"),
        (lambda: Plane(Axis.spaced("beta", 1, 20, 4), Axis.spaced("eta", 1, 3, 2)), "greater than beta"),
        (lambda: Plane(*phase.HEADLINE_PLANE["quick"], gamma=1.0), "gamma"),
    ],
)
def test_planes_that_cannot_be_are_refused(make, words):
    with pytest.raises(InputError) as refused:
        make()
    assert words in str(refused.value)


def test_the_clock_is_the_time_at_which_the_median_is_memorized(learning):
    p = learning()
    (clock,) = phase.clocks(p, 1, 0)
    run = phase.simulate(
        phase.LawProblem(p, "exact"),
        {"GD": phase.GD(0.05)},
        iterations=int(2 * clock / 0.05),
        study=phase.STUDY,
        record=phase.Logarithmic(2000),
        audit=False,
    )
    median = run.memorization_median.isel(seed=0, optimizer=0).sel(margin="small")
    at = float(run.iteration[int(np.argmax(median.values >= 0.5))]) * 0.05
    assert at == pytest.approx(clock, rel=0.03)


SMALL = ["--N", 24, "--m", 4, "-d", 60, "--alpha", 3, "--beta", 0.3, "--mu", 0.25]


def test_the_command(call_cli, tmp_path, schema):
    arguments = ["phase", "--cells", 4, "--seeds", 2, "--x-range", 0.2, 20, *SMALL, "--out", tmp_path / "p"]
    result = call_cli(*arguments)
    assert result.exit_code in (0, 1)
    assert "boundary.race" in result.stdout
    data = xr.open_dataset(tmp_path / "p" / "phase.nc", engine="h5netcdf")
    assert data.small.dims == ("seed", "y", "x")
    assert float(data.y[-1]) == 1.0
    assert np.isfinite(data.small.values[data.fate.values < 2]).all()
    schema(json.loads((tmp_path / "p" / "verdicts.json").read_text()))
    assert (tmp_path / "p" / "figures" / "phase.pdf").stat().st_size > 5_000
    assert call_cli(*arguments).exit_code == 2
    again = call_cli(*arguments, "--resume")
    assert "2 of 2 parts are there already" in again.stdout
    resumed = xr.open_dataset(tmp_path / "p" / "phase.nc", engine="h5netcdf")
    xr.testing.assert_identical(data, resumed)
    fresh = call_cli(*arguments, "--force", "--workers", 1)
    assert fresh.exit_code == result.exit_code
    xr.testing.assert_identical(data, xr.open_dataset(tmp_path / "p" / "phase.nc", engine="h5netcdf"))


def test_a_task_that_is_given_up_stops():
    task = phase.tasks(Plane(*phase.HEADLINE_PLANE["quick"]), 1, 0)[0]
    phase.STOP.set()
    try:
        with pytest.raises(KeyboardInterrupt):
            phase.compute(task)
    finally:
        phase.STOP.clear()


def test_resume_replaces_no_other_results(call_cli, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "notes.txt").write_text("mine")
    result = call_cli("phase", "--cells", 2, "--seeds", 1, *SMALL, "--out", tmp_path / "p", "--resume")
    assert result.exit_code == 2
    assert "other results" in result.stderr
    assert not (tmp_path / "p.zarr").exists()


def test_another_plane_has_no_lines_and_no_verdicts(call_cli, tmp_path):
    result = call_cli(
        "phase",
        "--x",
        "mu",
        "--y",
        "beta",
        "--x-range",
        0.1,
        0.5,
        "--y-range",
        0.1,
        1,
        "--cells",
        2,
        "--seeds",
        1,
        *SMALL,
        "--eta",
        5,
        "--gamma",
        0.9,
        "--out",
        tmp_path / "p",
    )
    assert result.exit_code == 0
    data = xr.open_dataset(tmp_path / "p" / "phase.nc", engine="h5netcdf")
    assert "clock" not in data
    assert (tmp_path / "p" / "figures" / "phase.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--x", "spin"], "eta, gamma"),
        (["--quick", "--full"], "either"),
        (["--cells", "1"], "cells"),
        (["--x-range", "2", "1"], "axis eta"),
        (["--seeds", "0"], "seeds"),
        (["--cluster", "here"], "local"),
        (["--dtype", "float16"], "dtype"),
        (["--workers", "0"], "workers"),
    ],
)
def test_wrong_use_is_refused(call_cli, tmp_path, flags, words):
    result = call_cli("phase", "--out", tmp_path / "p", *SMALL, *flags)
    assert result.exit_code == 2
    assert not list(tmp_path.glob("p.zarr/results/c.*"))
    assert words in result.stderr


def test_a_lost_cluster_is_one_sentence(call_cli, tmp_path, monkeypatch):
    from contextlib import nullcontext
    from types import SimpleNamespace

    from lemmascope.sims.run.cluster import ClusterLost

    def lost(compute, tasks, store, **rest):
        raise ClusterLost("the scheduler is gone", store)

    monkeypatch.setattr(
        "lemmascope.sims.run.cluster.connect", lambda spec: nullcontext(SimpleNamespace(dashboard_link="http://d"))
    )
    monkeypatch.setattr("lemmascope.sims.studies.phase.run_tasks", lost)
    result = call_cli("phase", "--cells", 2, "--seeds", 1, *SMALL, "--cluster", "local", "--out", tmp_path / "p")
    assert result.exit_code == 3
    assert "0 of 1 tasks are in" in result.stderr
    assert "--resume" in result.stderr
    assert "dashboard: http://d" in result.stdout


def test_from_python_without_a_store(tiny):
    plane = Plane(Axis.spaced("eta", 0.5, 5, 3), Axis.spaced("gamma", 0.01, 1, 3), tiny(N=16, d=60, m=4))
    done = []
    found = phase.run(plane, 2, progress=done.append)
    assert sorted(done) == [0, 1]
    assert found.data.small.shape == (2, 3, 3)
    assert {v.claim for v in found.verdicts} == {claim.id for claim in CLAIMS}
    again = phase.run(plane, 2, workers=1, backend="compiled")
    xr.testing.assert_identical(found.data, again.data)
