"""The scaling study: what it computes, what it judges of planted data, its picture, and runs beyond 2⁵³ iterations."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.sims.cubic_cnn.backends import fast_forward
from lemmascope.sims.figures import scaling as figure
from lemmascope.sims.judge import judge
from lemmascope.sims.run.carry import run_study
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.sizes import undecided
from lemmascope.sims.studies import scaling
from lemmascope.sims.studies.scaling import DIMENSIONS, QUANTITIES, STUDY, Settings, draw
from lemmascope.sims.study import Result, experiment_tasks, settings_of
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.claims import SCALING
from lemmascope.theory.cubic_cnn.claims.scaling import AGREEMENT, EXPONENTS, FAST_FORWARD
from lemmascope.theory.cubic_cnn.scaling import PAPER, point
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Status

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
SEEDS = 16


def tasks_of(settings, root_seed=0):
    return experiment_tasks(STUDY, settings, root_seed)


# --- claims on planted data ----------------------------------------------------------------------------------------


def planted(exponents=None, spread=0.1, wrong=0.3, seed=0):
    """Data whose quantities grow with the claims' exponents, or with others given by claim."""
    rng = np.random.default_rng(seed)
    tasks = tasks_of(Settings(dimensions=SIZES, seeds=SEEDS))["scaling"]
    nothing = xr.Dataset(
        {name: ("optimizer", np.full(2, np.nan)) for name in QUANTITIES}, {"optimizer": ["GD", "GD+M"]}
    )
    made = scaling.gathered(tasks, [nothing.copy(deep=True) for _ in tasks])
    for id, (quantity, optimizer) in EXPONENTS.items():
        exponent = (exponents or {}).get(id, PAPER.predicted()[quantity, optimizer])
        for name, shift in (("paper", 0.0), ("wrong", wrong)):
            noise = np.exp(spread * rng.standard_normal((len(SIZES), SEEDS)))
            q = made.d.values[:, None] ** (exponent + shift) * noise
            if quantity.startswith("T_"):
                q = q / made.eta.sel(scaling=name).values[:, None]
            made[quantity].loc[{"scaling": name, "optimizer": optimizer}] = q
    return made


def differences(tight=1e-9, loose=1e-4):
    """What `scaling.differences` gives of three seeds."""
    names = ["T_0", "T_1", "c", "Xi"]
    values = np.stack([np.full((3, 4), tight), np.full((3, 4), loose)], axis=1)
    coords = {"seed": range(3), "held": ["tight", "loose"], "quantity": names}
    return xr.Dataset({"difference": (("seed", "held", "quantity"), values)}, coords)


def result(data, agreement=None):
    found = {"scaling": data, "fast_forward": differences() if agreement is None else agreement}
    settings = Settings(dimensions=SIZES, seeds=data.sizes["seed"])
    evidence = tuple(STUDY.evidence(settings, found))
    return Result(STUDY, settings, 0, found, evidence, judge(SCALING, evidence))


def judged(data, agreement=None):
    return {v.claim: v for v in result(data, agreement).verdicts}


def test_the_right_exponents_hold_and_the_wrong_scaling_is_refuted():
    found = judged(planted())
    assert list(found) == [claim.id for claim in STUDY.claims] == ["scaling.fast_forward", *EXPONENTS]
    for verdict in found.values():
        assert verdict.status is Status.HOLDS, verdict.reason
        assert verdict.control["status"] == "REFUTED"
        assert verdict.as_expected
    assert found["scaling.gd.T_1"].label == "GD"
    assert found["scaling.gdm.c_max"].label == "GD+M"


@pytest.mark.parametrize("claim", EXPONENTS)
def test_a_wrong_exponent_is_refuted(claim):
    right = PAPER.predicted()[EXPONENTS[claim]]
    found = judged(planted({claim: right + 0.25}))
    assert found[claim].status is Status.REFUTED
    assert found[claim].witness["value"] == pytest.approx(right + 0.25, abs=0.05)
    assert all(v.status is Status.HOLDS for name, v in found.items() if name != claim)


def test_few_seeds_decide_nothing():
    found = judged(planted().isel(seed=slice(14)))
    for name in EXPONENTS:
        assert found[name].status is Status.INCONCLUSIVE
        assert "take 15" in found[name].reason


def test_a_control_that_grows_alike_is_no_control():
    found = judged(planted(wrong=0.0))
    assert not any(found[name].as_expected for name in EXPONENTS)
    assert all(found[name].control["status"] == "HOLDS" for name in EXPONENTS)


def test_runs_that_never_get_there_cannot_be_left_out():
    data = planted()
    for seed in range(3):
        data.T_1.loc[{"scaling": "paper", "optimizer": "GD", "seed": seed}] = np.nan
    found = judged(data)
    assert found["scaling.gd.T_1"].status is Status.INCONCLUSIVE
    assert "19%" in found["scaling.gd.T_1"].reason
    assert "never reach it within T" in found["scaling.gd.T_1"].reason
    assert found["scaling.gd.T_1"].evidence["seeds left out, by d"] == {f"{d:g}": 3 for d in SIZES}
    assert found["scaling.gd.T_0"].status is Status.HOLDS


def test_a_control_that_never_gets_there_is_not_run():
    data = planted()
    data.T_1.loc[{"scaling": "wrong", "optimizer": "GD"}] = np.nan
    found = judged(data)["scaling.gd.T_1"]
    assert (found.status, found.control["status"]) == (Status.HOLDS, "not run")
    assert found.as_expected  # it is marked; a control that cannot be made speaks against nothing


def test_times_are_fitted_in_eta_iterations():
    data = planted()
    found = scaling.samples(data, "GD", "wrong")
    eta = data.eta.sel(scaling="wrong")
    xr.testing.assert_equal(
        found.T_1, data.T_1.sel(scaling="wrong", optimizer="GD", drop=True) * eta.drop_vars("scaling")
    )
    xr.testing.assert_equal(found.c_max, data.c_max.sel(scaling="wrong", optimizer="GD", drop=True))


@pytest.mark.parametrize(
    ("tight", "loose", "status", "control"),
    [
        (1e-9, 1e-4, Status.HOLDS, "REFUTED"),
        (AGREEMENT * 1.01, 1e-4, Status.REFUTED, "REFUTED"),
        (1e-9, 1e-7, Status.HOLDS, "HOLDS"),
        (np.inf, 1e-4, Status.REFUTED, "REFUTED"),
    ],
)
def test_fast_forward_is_held_to_its_agreement(tight, loose, status, control):
    found = judged(planted(), differences(tight, loose))["scaling.fast_forward"]
    assert (found.status, found.control["status"]) == (status, control)
    assert found.upper == AGREEMENT
    assert found.label == "GD and GD+M"


# --- what is computed ----------------------------------------------------------------------------------------------


def test_a_task_gives_what_simulate_gives():
    """By every iteration, to a small multiple of the tolerance; the hitting times to the iteration."""
    task = tasks_of(Settings())["scaling"][0]
    exact, fast = (scaling._run(task, "paper", 1000, 60_000, tolerance) for tolerance in (None, scaling.TOLERANCE))
    assert float(exact.iteration[-1]) == 60_000 < point(1000).iterations
    assert "gradients" not in exact
    np.testing.assert_array_equal(exact.T_0, fast.T_0)
    assert_close(fast.c.values, exact.c.values, kind="fast-forward")
    assert_close(fast.Xi_abs_max.values, exact.Xi_abs_max.values, kind="fast-forward")
    assert float(fast.gradients.max()) < 20_000


@pytest.mark.parametrize("backend", ["auto", "numpy", "compiled"])
def test_exact_steps_are_taken_on_the_tasks_backend(backend):
    """Fast-forward has one of its own."""
    (task, *_) = experiment_tasks(STUDY, Settings(), 0, backend=backend)["scaling"]
    exact, fast = (scaling._run(task, "paper", 1000, 50, tolerance).attrs for tolerance in (None, scaling.TOLERANCE))
    assert exact["backend"] == ("compiled" if backend == "auto" else backend)
    assert (fast["backend"], exact["dtype"], fast["dtype"]) == ("numpy", "float64", "float64")


def of_fast_forward(part):
    (claim,) = [claim for claim in SCALING if claim.about == FAST_FORWARD]
    data = part.expand_dims(seed=[0])
    (verdict,) = judge(claim, Evidence(data, "GD and GD+M", role=FAST_FORWARD))
    return verdict


def test_fast_forward_that_disagrees_is_refuted(monkeypatch):
    (task, *_) = tasks_of(Settings())["fast_forward"]
    found = of_fast_forward(scaling.differences(task))
    assert found.status is Status.HOLDS
    assert found.control["status"] == "REFUTED"
    monkeypatch.setattr(scaling, "VALIDATED", 20_000)
    right = scaling._run

    def off(task, name, d, iterations, tolerance):
        run = right(task, name, d, iterations, tolerance)
        return run if tolerance is None else run.assign(c=run.c * (1 + 1e-5))

    monkeypatch.setattr(scaling, "_run", off)
    found = of_fast_forward(scaling.differences(task))
    assert found.status is Status.REFUTED
    assert found.witness["computed"] == pytest.approx(1e-5, rel=1e-3)
    assert found.evidence["c"] == found.witness["computed"] > found.evidence["T_0"]


def test_what_differs_is_found_wherever_it_is():
    a = np.array([1.0, np.nan, 2.0, 0.0])
    assert scaling._apart(a, a.copy()) == 0
    assert scaling._apart(a, np.array([1.0, np.nan, 2.5, 0.0])) == 0.25
    for b in ([1.0, 5.0, 2.0, 0.0], [np.nan, np.nan, 2.0, 0.0], [1.0, np.nan, 2.0, 1.0]):
        assert scaling._apart(a, np.array(b)) == np.inf


def test_draws_of_different_dimensions_are_independent():
    tasks = tasks_of(Settings(dimensions=SIZES, seeds=2), root_seed=3)["scaling"]
    assert len(tasks) == 20
    runs = [scaling._run(task, task.at["scaling"], task.at["d"], 1, None) for task in tasks]
    names = [run.attrs["study"] for run in runs]
    assert names == [f"scaling {t.at['scaling']} d={t.at['d']} seed={t.at['seed']}" for t in tasks]
    assert {int(run.attrs["root_seed"]) for run in runs} == {3}
    starts = {
        tuple(run.c.isel(iteration=0, optimizer=0, seed=0).values / point(t.at["d"]).parameters.sigma_0)
        for run, t in zip(runs, tasks, strict=True)
    }
    assert len(starts) == 20


def test_a_run_that_is_short_is_exact_and_a_long_one_is_not():
    """`EXACT` iterations are computed one by one, as all are where that is asked for."""
    assert point(1000, N=5).iterations > scaling.EXACT
    (task, *_) = tasks_of(Settings(N=5))["scaling"]
    fast = draw(task)
    assert float(fast.exact_steps.max()) < float(fast.gradients.max()) < float(fast.iterations.max())
    assert set(fast.data_vars) == set(QUANTITIES)
    assert fast.optimizer.values.tolist() == ["GD", "GD+M"]


def test_every_iteration_where_it_is_asked_for(monkeypatch):
    asked = []

    def noted(task, name, d, iterations, tolerance):
        asked.append((name, d, iterations, tolerance))
        return right(task, name, d, 2, None)

    right = scaling._run
    monkeypatch.setattr(scaling, "_run", noted)
    for exact in (False, True):
        draw(tasks_of(Settings(exact=exact))["scaling"][0])
    T = point(1000).iterations
    assert asked == [("paper", 1000, T, scaling.TOLERANCE), ("paper", 1000, T, None)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dimensions": (10**3, 10**4)}, "five or more"),
        ({"dimensions": (10**3, 10**4, 10**5, 10**5, 10**6)}, "increasing"),
        ({"dimensions": (10, 20, 30, 40, 50)}, "from 100 on"),
        ({"dimensions": (10**5, 10**7, 10**9, 10**11, 10**13)}, "rounding"),
        ({"seeds": 1}, "2 or more"),
        ({"N": 4}, "N"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, words):
    with pytest.raises(InputError) as refused:
        Settings(**given)
    assert words in str(refused.value)


def test_the_defaults_are_the_published_run():
    s = Settings()
    assert (s.dimensions, s.seeds, s.N, s.exact) == (tuple(10**k for k in range(3, 13)), 20, 40, False)
    tasks = tasks_of(s)
    assert {name: len(some) for name, some in tasks.items()} == {"scaling": 400, "fast_forward": 3}


# --- what sizes decide ---------------------------------------------------------------------------------------------

EVERY = {claim.id for claim in SCALING} - {"scaling.fast_forward"}


@pytest.mark.parametrize(
    ("dimensions", "left_open"),
    [
        (DIMENSIONS, set()),
        ((10**3, 10**5, 10**7, 10**9, 10**12), set()),
        ((10**3, 10**4, 10**5, 10**6, 10**7), {"scaling.gd.c_max", "scaling.gdm.c_max"}),
        ((100, 200, 400, 800, 1600), EVERY),
    ],
)
def test_dimensions_that_are_too_near_decide_nothing(dimensions, left_open):
    """From 10³ to 10⁷ a factor of log d, d^±0.092, reaches the wrong scaling of max c, which is off by 0.099."""
    found = undecided(STUDY, Settings(dimensions=dimensions))
    assert set(found) == left_open
    assert all("--dimensions" in why for why in found.values())


def test_few_seeds_decide_no_exponent():
    assert set(undecided(STUDY, Settings(seeds=14))) == EVERY
    assert set(undecided(STUDY, Settings(seeds=15))) == set()


def test_what_is_undefined_leaves_the_rest_as_it_is(tmp_path):
    """Two seeds, of which none reaches a threshold: the exponents are INCONCLUSIVE, as was said, and all is saved."""
    settings = Settings(dimensions=(100, 110, 120, 130, 140), seeds=2, N=6)
    result = run_study(STUDY, settings, out=tmp_path / "out", executor=Threads(1), notice=pytest.fail)
    assert {v.claim: v.status for v in result.verdicts if v.claim in EVERY} == dict.fromkeys(EVERY, "INCONCLUSIVE")
    assert all(v.as_expected for v in result.verdicts if v.claim in EVERY)
    assert (tmp_path / "out" / "verdicts.json").is_file()


# --- beyond 2⁵³ iterations -----------------------------------------------------------------------------------------


def test_a_window_passes_where_doubles_stop_counting(monkeypatch):
    """At d = 10¹² a run has 4.8·10¹⁶ iterations, and GD+M goes through more than 2⁵³ of them in one window."""
    lengths, Window = [], fast_forward.Window

    def noted(response, length):
        lengths.append(length)
        return Window(response, length)

    monkeypatch.setattr(fast_forward, "Window", noted)
    settings = settings_of(Settings, "tiny")
    (task,) = [
        task for task in tasks_of(settings)["scaling"] if task.at == {"scaling": "paper", "d": 10**12, "seed": 0}
    ]
    found = draw(task)
    assert max(lengths) > 2**53
    assert all(int(float(length)) == length for length in lengths)
    assert float(found.iterations[0]) > 2**54
    reached = found.drop_vars("T_1")
    assert all(np.isfinite(reached[name]).all() for name in reached)
    assert np.isfinite(found.T_1.sel(optimizer="GD"))
    p = point(10**12, N=12).parameters
    # What the theorem says of it: GD stalls near 1/α and memorizes, GD+M goes on to 1/β and does not.
    assert float(found.c_max.sel(optimizer="GD")) < 5 / p.alpha < 1 / p.beta < float(found.c_max.sel(optimizer="GD+M"))
    assert float(found.Xi_abs_max.sel(optimizer="GD")) > 1 > 1e5 * float(found.Xi_abs_max.sel(optimizer="GD+M"))


# --- picture and command -------------------------------------------------------------------------------------------


def test_figure_and_caption_say_what_is_seen():
    found = result(planted())
    drawn = figure.draw(found)
    assert len(drawn.axes) == 3
    text = figure.caption(found)
    assert "d = 1000 to 1e+07" in text
    assert "wrong scaling" in text
    shown = [text.get_text() for axis in drawn.axes for text in axis.texts]
    assert len(shown) == len(EXPONENTS)
    for name, (quantity, optimizer) in EXPONENTS.items():
        slope = {v.claim: v for v in found.verdicts}[name].computed
        wanted = f"{optimizer}  {slope:.3f} [".replace("-", "−")
        assert any(text.startswith(wanted) for text in shown), (quantity, wanted)


def test_lines_have_the_predicted_exponents():
    axis = figure.draw(result(planted())).axes[1]
    (line,) = [line for line in axis.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == len(SIZES)]
    slopes = np.diff(np.log(line.get_ydata())) / np.diff(np.log(line.get_xdata()))
    assert_close(slopes, np.full(4, PAPER.predicted()["T_1", "GD"]))


def test_a_picture_of_two_seeds_of_which_one_never_gets_there():
    data = planted().isel(seed=slice(2))
    data.T_1.loc[{"seed": 1}] = np.nan
    assert len(figure.draw(result(data)).axes) == 3


def test_a_run_in_memory_and_what_it_says():
    settings = dataclasses.replace(settings_of(Settings, "tiny"), dimensions=(100, 120, 140, 160, 180), seeds=2, N=5)
    found = run_study(STUDY, settings, executor=Threads(2))
    data = found.data["scaling"]
    assert data.T_1.dims == ("scaling", "d", "seed", "optimizer")
    assert data.eta.dims == ("scaling", "d")
    assert data.attrs["tolerance"] == scaling.TOLERANCE
    first, second = STUDY.summary(found)
    assert "iterations represented by" in first
    assert f"of {5 * 2} runs" in second


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--dimensions", "1e3,1e4"], "five or more"), (["--dimensions", "a,b"], "integers"), (["--seeds", "1"], "2 or")],
)
def test_wrong_use_is_refused(call_cli, tmp_path, flags, words):
    found = call_cli("scaling", "--out", tmp_path / "s", *flags)
    assert found.exit_code == 2
    assert words in found.stderr
    assert not (tmp_path / "s").exists()
