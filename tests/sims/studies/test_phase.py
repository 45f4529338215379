"""The phase diagram: its plane, blocks and clock, its claims on planted diagrams, its picture."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.stack import MEASURED
from lemmascope.sims.figures import phase as figure
from lemmascope.sims.judge import judge
from lemmascope.sims.run.carry import run_study
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.schedule import Logarithmic
from lemmascope.sims.sizes import undecided
from lemmascope.sims.studies import phase
from lemmascope.sims.studies.phase import BLOCK, STUDY, Axis, Settings, blocks
from lemmascope.sims.study import Result, experiment_tasks, settings_of
from lemmascope.theory.cubic_cnn.boundaries import race_line
from lemmascope.theory.cubic_cnn.claims import PHASE
from lemmascope.theory.cubic_cnn.claims.phase import PLANE, plane_of
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD
from lemmascope.theory.verdict import Status

CLOCK, KAPPA = 720.0, 5.0
SMALL = Parameters(
    d=60, N=24, P=2, m=4, alpha=3.0, beta=0.3, mu=0.25, sigma=2 / math.sqrt(60), sigma_0=0.5 / math.sqrt(60)
)


# --- claims on planted diagrams ------------------------------------------------------------------------------------


def empty_parts(tasks):
    """Parts of the right shape, in which nothing was measured."""
    made = []
    for task in tasks:
        places = np.array(blocks(task.settings)[task.at["block"]].places)
        zeros = {name: ("cell", np.zeros(len(places))) for name in MEASURED}
        made.append(xr.Dataset(zeros, {"row": ("cell", places[:, 0]), "column": ("cell", places[:, 1])}))
    return made


def planted(*, seeds=3, learns=None):
    """A diagram in which cells learn exactly below the race law's line, or above the overshoot line.

    What else its claims say of planted diagrams is in tests/theory/cubic_cnn/test_claims_phase.py.
    """
    settings = Settings(seeds=seeds)
    tasks = experiment_tasks(STUDY, settings, 0)["cells"]
    data = phase.plane(tasks, empty_parts(tasks))
    shape, eta, gap = data.small.shape, data.x, data.y
    right = (gap <= race_line(HEADLINE, eta, CLOCK)) | (eta >= KAPPA / (HEADLINE.alpha * HEADLINE.beta))
    right = right.transpose("y", "x").values if learns is None else learns(eta, gap).transpose("y", "x").values
    for name, good, bad in (("small", 1.0, 0.5), ("c_max", 15.0, 0.5), ("Xi_abs_max", 0.2, 2.3)):
        data[name] = (("seed", "y", "x"), np.broadcast_to(np.where(right, good, bad), shape).copy())
    return data.assign(
        clock=("seed", np.full(seeds, CLOCK)),
        c_0=(("seed", "neuron"), np.full((seeds, HEADLINE.m), 0.03)),
        two_body=(("seed", "y", "x"), np.broadcast_to(np.where(right, 0.99, 0.01), shape).copy()),
        share=("seed", np.full(seeds, 0.2)),
    )


def evidence(data):
    return plane_of(data, HEADLINE)


def judged(data):
    return {v.claim: v for v in judge(PHASE, evidence(data))}


def result(data):
    verdicts = judge(PHASE, evidence(data))
    return Result(STUDY, Settings(seeds=data.sizes["seed"]), 0, {"phase": data}, (evidence(data),), verdicts)


def test_a_diagram_as_predicted_holds_and_its_controls_are_refuted():
    found = judged(planted())
    assert set(found) == {claim.id for claim in PHASE}
    for verdict in found.values():
        assert verdict.label == "the plane"
        assert verdict.status is Status.HOLDS, verdict
        assert verdict.control["status"] == "REFUTED", verdict.claim
    assert found["boundary.overshoot"].seeds == (1, 2)
    assert found["boundary.overshoot"].evidence["kappa"] == pytest.approx(KAPPA, rel=0.4)


def test_the_study_judges_its_claims_so():
    """What is judged above is what the study hands over."""
    data = planted()
    (given,) = STUDY.evidence(Settings(), {"phase": data})
    assert (given.label, given.role, given.parameters) == ("the plane", PLANE, HEADLINE)
    assert STUDY.claims == PHASE
    again = judge(STUDY.claims, given, STUDY.controls, STUDY.expected)
    assert repr(again) == repr(judge(PHASE, evidence(data)))


def test_where_gd_never_learns_kappa_is_not_fitted():
    data = planted(learns=lambda eta, gap: gap <= race_line(HEADLINE, eta, CLOCK) * (gap < 1))
    assert judged(data)["boundary.overshoot"].status is Status.NOT_APPLICABLE
    assert figure.draw(result(data)).axes
    assert "κ" not in figure.caption(result(data))
    assert "κ" in figure.caption(result(planted()))


def test_without_a_memorization_time_the_race_is_not_judged():
    data = planted()
    data["clock"] = ("seed", np.full(3, np.nan))
    assert judged(data)["boundary.race"].status is Status.NOT_APPLICABLE
    assert figure.draw(result(data)).axes
    assert "ηT₁ =" not in figure.caption(result(data))
    assert "ηT₁ = 720" in figure.caption(result(planted()))


def test_one_seed_without_a_memorization_time_is_left_out():
    data = planted()
    data["clock"] = ("seed", np.array([CLOCK, np.nan, CLOCK]))
    assert judged(data)["boundary.race"].seeds == (0, 2)
    assert figure.draw(result(data)).axes


# --- the plane and its blocks --------------------------------------------------------------------------------------

PLANES = {
    "quick": settings_of(Settings, "quick"),
    "default": Settings(),
    "mu": Settings(x="mu", y="eta", x_range=(0.1, 0.5), y_range=(0.1, 1), cells=5, seeds=1),
    "samples": Settings(x="alpha", y="N", x_range=(2, 9), y_range=(50, 300), cells=4, seeds=2),
}


@pytest.mark.parametrize("settings", PLANES.values(), ids=PLANES)
def test_every_cell_is_in_one_block(settings):
    y, x = settings.axes
    places = [place for block in blocks(settings) for place in block.places]
    assert sorted(places) == [(j, i) for j in range(len(y.values)) for i in range(len(x.values))]
    for block in blocks(settings):
        assert len(block.cells) <= BLOCK
        for (eta, gamma), (j, i), last in zip(block.cells, block.places, block.last, strict=True):
            assert settings.cell(j, i) == (block.parameters, eta, gamma)
            assert last == math.ceil(max(4000 / eta, 5 / (1 - gamma)))


@pytest.mark.parametrize("settings", PLANES.values(), ids=PLANES)
def test_every_block_is_a_task_of_every_seed(settings):
    tasks = experiment_tasks(STUDY, settings, 0)
    assert [(task.at["seed"], task.at["block"]) for task in tasks["cells"]] == [
        (seed, block) for seed in range(settings.seeds) for block in range(len(blocks(settings)))
    ]
    assert len(tasks.get("lines", ())) == (settings.seeds if settings.of_the_optimizer else 0)
    whole = phase.plane(tasks["cells"], empty_parts(tasks["cells"]))
    assert not whole.small.isnull().any()


def test_measurements_get_to_their_cells():
    settings = settings_of(Settings, "quick")
    tasks = experiment_tasks(STUDY, settings, 0)["cells"]
    parts = empty_parts(tasks)
    for task, part in zip(tasks, parts, strict=True):
        part["nu"] = ("cell", 100.0 * task.at["seed"] + 10.0 * part.row.values + part.column.values)
    found = phase.plane(tasks, parts)
    seed, row, column = np.meshgrid(range(2), range(8), range(8), indexing="ij")
    np.testing.assert_array_equal(found.nu, 100 * seed + 10 * row + column)
    assert found.nu.dims == ("seed", "y", "x")
    assert (found.x.attrs, found.y.attrs) == ({"axis": "eta", "symbol": "η"}, {"axis": "gamma", "symbol": "1 − γ"})


def test_the_default_plane_is_the_published_one():
    y, x = Settings().axes
    assert (x.name, x.values[0], x.values[-1], len(x.values)) == ("eta", pytest.approx(0.0125), 64.0, 16)
    assert (y.name, y.values[0], y.values[-1], len(y.values)) == ("gamma", pytest.approx(1e-4), 1.0, 16)
    assert [len(settings_of(Settings, size).axes[0].values) for size in ("quick", "full")] == [8, 32]
    assert Settings().cell(15, 0) == (HEADLINE, x.values[0], 0.0)  # its last row is plain GD


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Axis("spin", (1.0, 2.0)), "eta, gamma"),
        (lambda: Axis("eta", (1.0,)), "two values"),
        (lambda: Axis("eta", (2.0, 1.0)), "increasing"),
        (lambda: Axis("gamma", (0.5, 2.0)), "(0, 1]"),
        (lambda: Axis.spaced("eta", 0, 1, 3), "from"),
        (lambda: Axis.spaced("eta", 1, 1, 3), "to"),
        (lambda: Settings(x="eta", y="eta"), "different"),
        (lambda: Settings(x="spin"), "eta, gamma"),
        (lambda: Settings(y="spin"), "eta, gamma"),
        (lambda: Settings(cells=1), "cells"),
        (lambda: Settings(seeds=0), "seeds"),
        (lambda: Settings(x_range=(2.0, 1.0)), "axis eta"),
        (lambda: Settings(y_range=(0.5, 2.0)), "(0, 1]"),
        (lambda: Settings(x="beta", y="eta", x_range=(1.0, 20.0), y_range=(1.0, 3.0)), "greater than beta"),
        (lambda: Settings(x="N", y="eta", x_range=(10.0, 10.4)), "two values"),
        (lambda: Settings(gamma=1.0), "gamma"),
        (lambda: Settings(eta=0.0), "eta"),
    ],
)
def test_planes_that_cannot_be_are_refused(make, words):
    with pytest.raises(InputError) as refused:
        make()
    assert words in str(refused.value)


# --- what is computed ----------------------------------------------------------------------------------------------


def test_the_clock_is_the_time_at_which_the_median_is_memorized(learning):
    p = learning()
    settings = Settings(parameters=p, cells=2, seeds=2, x_range=(1.0, 2.0), y_range=(0.1, 1.0))
    task = experiment_tasks(STUDY, settings, 0)["lines"][1]
    clock = float(phase.lines(task).clock)
    run = simulate(
        LawProblem(p, "exact"),
        {"GD": GD(0.05)},
        iterations=int(2 * clock / 0.05),
        first_seed=1,
        study="phase",
        record=Logarithmic(2000),
        audit=False,
    )
    median = run.memorization_median.isel(seed=0, optimizer=0).sel(margin="small")
    at = float(run.iteration[int(np.argmax(median.values >= 0.5))]) * 0.05
    assert at == pytest.approx(clock, rel=0.03)


def test_the_clock_is_measured_on_the_tasks_backend_in_double_precision(monkeypatch):
    """A time that every line depends on is no number of the cells; the fingerprint tells the backend."""
    settings = Settings(parameters=SMALL, cells=2, seeds=1, x_range=(1.0, 2.0), y_range=(0.1, 1.0))
    asked = []

    def noted(*args, **keywords):
        run = simulate(*args, **keywords)
        asked.append((run.attrs["backend"], run.attrs["dtype"]))
        return run

    monkeypatch.setattr("lemmascope.sims.cubic_cnn.simulate.simulate", noted)
    found = [
        phase.lines(experiment_tasks(STUDY, settings, 0, dtype=dtype, backend=backend)["lines"][0])
        for backend in ("numpy", "compiled")
        for dtype in ("float64", "float32")
    ]
    assert asked == [("numpy", "float64")] * 2 + [("compiled", "float64")] * 2
    for other in found[1:]:
        assert_close(float(other.clock), float(found[0].clock), "trajectory")
        xr.testing.assert_identical(other.c_0, found[0].c_0)


def test_a_cell_is_the_run_of_its_optimizer():
    """At the last iteration of a cell that stays to it, as `simulate` has it; the lines' c(0) is of the same draw."""
    settings = Settings(parameters=SMALL, cells=2, seeds=2, x_range=(10.0, 20.0), y_range=(0.1, 1.0), stay=True)
    tasks = experiment_tasks(STUDY, settings, 7)
    (task,) = [task for task in tasks["cells"] if task.at["seed"] == 1]
    part = phase.measured(task)
    (block,) = blocks(settings)
    k = next(k for k, (_, gamma) in enumerate(block.cells) if gamma == 0)
    run = simulate(
        LawProblem(SMALL, "exact"),
        {"GD": GD(block.cells[k][0])},
        iterations=block.last[k],
        first_seed=1,
        root_seed=7,
        study="phase",
        record=Logarithmic(2),
        audit=False,
    ).isel(seed=0, optimizer=0)
    final = run.isel(iteration=-1)
    assert float(part.iterations[k]) == block.last[k]
    assert float(part.c_max[k]) == pytest.approx(float(final.c.max()), rel=1e-6)
    assert float(part.small[k]) == pytest.approx(float(final.test_accuracy.sel(margin="small")), abs=1e-6)
    np.testing.assert_allclose(phase.lines(tasks["lines"][1]).c_0, run.c.isel(iteration=0), rtol=1e-12)


@pytest.mark.parametrize("experiment", ["cells", "lines"])
def test_a_task_that_is_given_up_stops(experiment):
    task = experiment_tasks(STUDY, settings_of(Settings, "quick", parameters=HEADLINE), 0)[experiment][0]
    stopping.request()
    try:
        with pytest.raises(KeyboardInterrupt):
            STUDY.experiments[experiment].compute(task)
    finally:
        stopping.clear()


def test_backends_and_threads_change_no_bit():
    settings = Settings(parameters=SMALL, cells=3, seeds=2, x_range=(0.5, 5.0), y_range=(0.01, 1.0))
    done = []
    found = run_study(STUDY, settings, executor=Threads(2), progress=lambda task: done.append(task.key))
    assert sorted(done) == ["cells seed=0 block=0", "cells seed=1 block=0", "lines seed=0", "lines seed=1"]
    assert found.data["phase"].small.shape == (2, 3, 3)
    assert {v.claim for v in found.verdicts} == {claim.id for claim in PHASE}
    again = run_study(STUDY, settings, executor=Threads(1), backend="compiled")
    xr.testing.assert_identical(found.data["phase"], again.data["phase"])


def test_another_plane_has_no_lines_and_no_verdicts():
    settings = Settings(
        x="mu",
        y="beta",
        x_range=(0.1, 0.5),
        y_range=(0.1, 1.0),
        cells=2,
        seeds=1,
        eta=5.0,
        gamma=0.9,
        parameters=dataclasses.replace(SMALL, N=12),
    )
    found = run_study(STUDY, settings, executor=Threads(1))
    assert not {"clock", "two_body", "c_0"} & set(found.data["phase"])
    assert found.verdicts == found.evidence == ()
    assert found.as_expected
    assert "no verdict" in STUDY.summary(found)[-1]
    drawn, text = figure.draw(found), figure.caption(found)
    assert len(drawn.axes) == 6
    assert not drawn.legends
    assert "η = 5, γ = 0.9" in text
    assert "μ = " not in text
    assert "race" not in text


# --- the command ---------------------------------------------------------------------------------------------------

FLAGS = ["--N", 24, "--m", 4, "--d", 60, "--alpha", 3, "--beta", 0.3, "--mu", 0.25]


def test_the_command(call_cli, tmp_path):
    arguments = ["phase", "--cells", 3, "--seeds", 2, "--x-range", 0.2, 20, *FLAGS, "--out", tmp_path / "p"]
    found = call_cli(*arguments)
    assert found.exit_code in (0, 1)
    assert "boundary.race" in found.stdout
    data = xr.open_dataset(tmp_path / "p" / "phase.nc", engine="h5netcdf")
    assert data.small.dims == ("seed", "y", "x")
    assert float(data.y[-1]) == 1.0
    assert np.isfinite(data.small.values[data.fate.values < 2]).all()
    again = call_cli(*arguments, "--resume")
    assert "4 of 4 parts are there already" in again.stdout
    xr.testing.assert_identical(data, xr.open_dataset(tmp_path / "p" / "phase.nc", engine="h5netcdf"))


@pytest.mark.parametrize(
    ("flags", "words"), [(["--x", "spin"], "eta, gamma"), (["--cells", "1"], "cells"), (["--x-range", "2", "1"], "eta")]
)
def test_wrong_use_is_refused(call_cli, tmp_path, flags, words):
    found = call_cli("phase", "--out", tmp_path / "p", *FLAGS, *flags)
    assert found.exit_code == 2
    assert words in found.stderr
    assert not (tmp_path / "p").exists()


# --- what sizes decide ---------------------------------------------------------------------------------------------


def test_a_coarse_plane_leaves_the_race_law_open_and_another_one_everything():
    assert set(undecided(STUDY, Settings())) == set()
    assert set(undecided(STUDY, Settings(cells=15))) == {"boundary.race", "boundary.two_body"}
    assert set(undecided(STUDY, Settings(x="mu", y="beta"))) == {claim.id for claim in STUDY.claims}


@pytest.mark.parametrize(
    ("x", "y", "ends", "refused"),
    [
        ("eta", "gamma", ((0.01, 64.0), (1e-4, 1.0)), False),
        ("mu", "N", ((0.05, 0.9), (20, 60)), False),
        ("mu", "N", ((0.05, 0.9), (10, 60)), True),
        ("mu", "N", ((0.05, 0.99), (20, 60)), True),
        ("alpha", "beta", ((0.5, 4.0), (0.01, 0.4)), False),
        ("alpha", "beta", ((0.3, 4.0), (0.01, 0.4)), True),
        ("eta", "gamma", ((0.01, 64.0), (1e-4, 1.1)), True),
    ],
)
def test_the_corners_of_a_plane_refuse_what_any_of_its_cells_would(x, y, ends, refused):
    if refused:
        with pytest.raises(InputError):
            Settings(x=x, y=y, x_range=ends[0], y_range=ends[1], cells=6)
        return
    settings = Settings(x=x, y=y, x_range=ends[0], y_range=ends[1], cells=6)
    rows, columns = (len(axis.values) for axis in settings.axes)
    assert [settings.cell(j, i) for j in range(rows) for i in range(columns)]
