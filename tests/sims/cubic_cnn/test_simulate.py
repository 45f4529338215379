"""The loop: both representations follow one trajectory, and neither batching nor hardware changes a bit of it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import array_api_strict
import numpy as np
import pytest
import xarray as xr

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.sims.seeds import streams
from lemmascope.sims.study import Task
from lemmascope.theory.cubic_cnn import weights
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant

ROOT = Path(__file__).parents[3]

TRAJECTORY = 1e-10
"""Relative, float64, T ≤ 600 steps: each rounds by about (n + d) u ≤ 300 · 1.1e−16, and errors grow with the
coefficients themselves, by less than 50; T (n + d) u · 50 ≤ 1e−9. Measured: 5e−14."""

STACKED = 1e-11
"""Relative, float64, 50 steps: the same matrix product with more rows rounds differently; 50 (n + d) u · 50."""

ACCURACY = 1e-9
"""Absolute, of a probability in [0, 1]: its slope in the coefficients, at most a few units, times `TRAJECTORY`."""

PLAIN = {"GD": GD(0.2), "GD+M": MomentumAverage(0.2, 0.99)}
OTHERS = {
    "velocity": MomentumVelocity(0.02, 0.9),
    "Nesterov": Nesterov(0.02, 0.9),
    "schedule": GD(PiecewiseConstant((0, 50), (0.1, 0.2))),
    "momentum schedule": MomentumAverage(PiecewiseConstant((0, 50), (0.1, 0.2)), 0.9),
}


def relative(a: xr.DataArray, b: xr.DataArray, over: tuple[str, ...]) -> float:
    """Largest |a − b| over the largest |a|, taken apart for each seed, optimizer and iteration."""
    scale = abs(a).max([d for d in over if d in a.dims])
    return float((abs(a - b) / scale.where(scale > 0, 1)).max())


# --- weights and coefficients --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "optimizers", "iterations"),
    [
        ({}, PLAIN, 600),
        ({"lam": 0.01}, PLAIN, 600),
        ({"P": 3, "N": 40}, PLAIN, 400),
        ({}, OTHERS, 400),
        ({"P": 3, "N": 30, "lam": 0.003, "m": 1}, {**PLAIN, **OTHERS}, 300),
    ],
    ids=["plain", "penalty", "three patches", "other optimizers", "one neuron, all at once"],
)
def test_coefficients_follow_the_weights(learning, changes, optimizers, iterations):
    a, b = (
        simulate(
            learning(**changes),
            optimizers,
            iterations=iterations,
            seeds=2,
            record=Every(iterations // 10),
            whole_Xi=True,
            representation=representation,
        )
        for representation in ("weights", "coefficients")
    )
    assert (a.representation, b.representation) == ("weights", "coefficients")
    assert float((a.loss.sum("margin").isel(iteration=-1) / a.loss.sum("margin").isel(iteration=0)).min()) < 0.2
    assert float(a.c.max()) > 4 * float(a.c.isel(iteration=0).max())
    for name, over in {
        "c": ("neuron",),
        "Xi": ("sample", "patch", "neuron"),
        "nu": (),
        "loss": (),
        "weight_norm_squared": (),
        "memorization_max": (),
        "cross_ratio": (),
    }.items():
        assert relative(a[name], b[name], over) < TRAJECTORY, name
    assert float(abs(a.test_accuracy - b.test_accuracy).max()) < ACCURACY
    assert a.train_accuracy.equals(b.train_accuracy)
    assert a.T_0.equals(b.T_0)
    assert a.T_1.equals(b.T_1)
    for run in (a, b):
        assert float(run.signal_gradient_ratio.max()) <= 1
        assert float(run.noise_gradient_ratio.max()) <= 1


@pytest.mark.parametrize(
    "known",
    [{}, {"w_star": "known"}, {"w_star": "known", "small": "known", "lam": 0.001}],
    ids=["nothing known", "feature known", "feature, groups, penalty"],
)
def test_coefficients_follow_the_weights_on_own_patches(patches, known):
    a, b = (
        simulate(
            patches(**known),
            {**PLAIN, **OTHERS},
            iterations=300,
            seeds=2,
            record=Every(30),
            whole_Xi=True,
            representation=representation,
        )
        for representation in ("weights", "coefficients")
    )
    assert float(a.train_accuracy.isel(iteration=-1).min()) == 1
    for name, over in {"Xi": ("sample", "patch", "neuron"), "nu": (), "loss": (), "weight_norm_squared": ()}.items():
        assert relative(a[name], b[name], over) < TRAJECTORY, name
    assert ("c" in a, "c" in b) == ("w_star" in known,) * 2
    if "c" in a:
        assert relative(a.c, b.c, ("neuron",)) < TRAJECTORY
    assert a.margin.values.tolist() == (["large", "small"] if "small" in known else ["all"])
    assert not {"test_accuracy", "T_0", "T_1", "signal_gradient_ratio"} & set(a.data_vars)


def test_the_first_record_is_the_initial_state(tiny):
    """t = 0 is what the law drew, before any step."""
    p = tiny(P=3)
    run = simulate(p, {"GD": GD(0.1)}, iterations=3, seeds=2, root_seed=5, study="first", whole_Xi=True)
    for k in range(2):
        drawn = LawProblem(p).draw(streams(5, "first", k))
        noise = drawn.sample.signal_first()[:, 1:]
        state = run.isel(seed=k, optimizer=0, iteration=0)
        assert np.allclose(state.c, drawn.W_0 @ drawn.sample.w_star, rtol=0, atol=1e-14)
        assert np.allclose(state.Xi, np.einsum("rd,ijd->ijr", drawn.W_0, noise), rtol=0, atol=1e-14)
        assert np.isclose(state.weight_norm_squared, np.sum(drawn.W_0**2), rtol=1e-13)
        assert int(state.small_count) == drawn.sample.small.sum()


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_momentum_without_memory_is_gd_bit_for_bit(tiny, difference, representation):
    gd, limit = (
        simulate(tiny(), {"one": optimizer}, iterations=60, seeds=2, record=Every(1), representation=representation)
        for optimizer in (GD(0.1), MomentumAverage(0.1, 0.0))
    )
    assert difference(gd, limit) == []


# --- learning-rate schedules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("gamma", [0.0, 0.9])
def test_a_schedule_is_one_phase_after_the_other(tiny, representation, gamma):
    """Against a loop over the weight-space gradient, with η = 0.2 for 25 steps and 0.05 for 15."""
    p = tiny(P=3)
    optimizer = MomentumAverage(PiecewiseConstant((0, 25), (0.2, 0.05)), gamma)
    same = {"study": "two phases", "record": Every(1), "representation": representation}
    run = simulate(p, {"it": optimizer}, iterations=40, **same)
    constant = simulate(p, {"it": MomentumAverage(0.2, gamma)}, iterations=25, **same)
    assert np.array_equal(run.c.sel(iteration=slice(0, 25)), constant.c)
    drawn = LawProblem(p).draw(streams(0, "two phases", 0))
    W, average = drawn.W_0, 0.0
    for t in range(40):
        average = gamma * average + (1 - gamma) * weights.gradient(W, drawn.sample.X, drawn.sample.y)
        W = W - (0.2 if t < 25 else 0.05) * average
    c = run.c.isel(seed=0, optimizer=0, iteration=-1).values
    assert np.abs(c - W @ drawn.sample.w_star).max() < TRAJECTORY * np.abs(c).max()


# --- the exact law -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [10**3, 10**12])
def test_the_exact_law_runs_in_any_dimension(tiny, d):
    p = tiny(d=d, sigma=2 / d**0.5, sigma_0=0.1)
    run = simulate(LawProblem(p, "exact"), {"GD": GD(0.1)}, iterations=50, seeds=3)
    assert (run.law, run.representation) == ("exact", "coefficients")
    loss = run.loss.sum("margin")
    assert float(loss.isel(iteration=-1).max()) < float(loss.isel(iteration=0).min())
    assert np.isfinite(run.test_accuracy).all()
    assert "signal_gradient_ratio" not in run  # no d-dimensional vectors to audit


def test_the_exact_law_is_the_law_of_samples(tiny):
    """Kolmogorov–Smirnov over 200 seeds after 30 steps, at d = 16 where d − 1 is close to n = 12."""
    from scipy.stats import ks_2samp

    p = tiny(d=16, sigma=0.5, sigma_0=0.3)
    samples, exact = (
        simulate(
            LawProblem(p, law),
            {"GD+M": MomentumAverage(0.3, 0.5)},
            iterations=30,
            seeds=200,
            root_seed=root,
            study=law,
            record=Every(30),
            audit=False,
            representation="coefficients",
        ).isel(optimizer=0, iteration=-1)
        for root, law in enumerate(("samples", "exact"))
    )
    statistics = {
        "largest c": lambda run: run.c.max("neuron"),
        "largest |Xi|": lambda run: run.Xi_abs_max.max("margin"),
        "loss": lambda run: run.loss.sum("margin"),
        "weight norm": lambda run: run.weight_norm_squared,
        "test accuracy": lambda run: run.test_accuracy.sel(margin="small"),
    }
    for name, statistic in statistics.items():
        assert ks_2samp(statistic(samples), statistic(exact)).pvalue > 0.001, name
    # The comparison has power: a noise level wrong by a fifth is seen.
    other = LawProblem(tiny(d=16, sigma=0.6, sigma_0=0.3), "exact")
    wrong = simulate(other, {"GD+M": MomentumAverage(0.3, 0.5)}, iterations=30, seeds=200, record=Every(30))
    wrong = wrong.isel(optimizer=0, iteration=-1)
    assert ks_2samp(statistics["largest |Xi|"](samples), statistics["largest |Xi|"](wrong)).pvalue < 0.001


def test_the_exact_law_needs_room(tiny):
    assert LawProblem(tiny(d=13), "exact").coefficients == 12
    with pytest.raises(InputError, match="d − 1 ≥ n"):
        LawProblem(tiny(d=12), "exact")


# --- float32 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_float32_is_float64_to_its_rounding(tiny, representation):
    """T steps, each rounding by at most (n + d + 16) u of the largest entry, amplified as c itself is."""
    optimizers = {"GD": GD(0.1), "GD twice": GD(0.2), "GD+M": MomentumAverage(0.1, 0.9)}
    iterations, unit = 40, 2.0**-24
    double, single = (
        simulate(
            tiny(),
            optimizers,
            iterations=iterations,
            seeds=3,
            record=Every(4),
            dtype=dtype,
            whole_Xi=True,
            representation=representation,
        )
        for dtype in ("float64", "float32")
    )
    assert single.attrs["dtype"] == "float32"
    assert {single[name].dtype for name in ("c", "Xi", "nu", "loss")} == {np.dtype("float32")}
    growth = float((abs(double.c).max("neuron") / abs(double.c.isel(iteration=0)).max("neuron")).max())
    tolerance = iterations * (12 + 40 + 16) * unit * growth
    assert tolerance < 0.01
    for name, over in (("c", ("neuron",)), ("Xi", ("sample", "patch", "neuron")), ("loss", ())):
        error = relative(double[name], single[name].astype(float), over)
        assert 0 < error < tolerance, name
    assert float(single.signal_gradient_ratio.max()) <= 1
    assert float(single.noise_gradient_ratio.max()) <= 1


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_float32_keeps_its_identities_where_exponentials_underflow(tiny, representation, backend):
    """Margins from 88 on, where ℓ is below the smallest normal float32, up to far beyond its smallest number."""
    run = simulate(
        tiny(),
        {"GD": GD(20.0), "GD+M": MomentumAverage(20.0, 0.99)},
        iterations=400,
        seeds=3,
        dtype="float32",
        representation=representation,
        backend=backend,
    )
    nu = run.nu.sum("margin").values
    assert ((nu > 0) & (nu < 12 * np.finfo("float32").smallest_normal)).any()
    assert (nu == 0).any()
    for name in ("signal_gradient_ratio", "noise_gradient_ratio"):
        assert float(run[name].max()) <= 1


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_scalars_of_a_library_are_numbers(tiny, difference, representation, backend):
    """A float64 scalar would make a float32 run one of float64, at once or when a schedule comes to it."""

    def run(number):
        p = tiny(lam=number(0.01), sigma=number(0.3), alpha=number(2.0))
        optimizers = {
            "GD": GD(number(0.1)),
            "GD+M": MomentumAverage(number(0.1), number(0.9)),
            "velocity": MomentumVelocity(number(0.01), number(0.9)),
            "late": GD(lambda t: number(0.1) if t > 5 else 0.1),
            "Nesterov": Nesterov(lambda t: np.asarray(number(0.1)), number(0.5)),
            "steps": GD(PiecewiseConstant((0, 5), (number(0.1), number(0.2)))),
        }
        return simulate(
            p,
            optimizers,
            iterations=10,
            seeds=2,
            record=Every(1),
            whole_Xi=True,
            dtype="float32",
            representation=representation,
            backend=backend,
        )

    plain, scalars = run(float), run(np.float64)
    assert difference(plain, scalars) == []
    assert {scalars[name].dtype for name in ("c", "Xi", "nu", "cross_ratio")} == {np.dtype("float32")}


# --- array libraries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("known", [None, {}, {"w_star": "known", "small": "known"}])
def test_the_strict_array_library_gives_numpys_results(tiny, patches, representation, known):
    """array_api_strict refuses all that the array API standard does not have."""
    problem = tiny(P=3, lam=0.001) if known is None else patches(**known)
    optimizers = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9), "GD twice": GD(0.2), "diverges": GD(1e6)}
    numpy, strict = (
        simulate(
            problem,
            optimizers,
            iterations=20,
            seeds=2,
            record=Every(1),
            whole_Xi=True,
            xp=xp,
            backend="numpy",
            representation=representation,
            quantities={"c_cubed": lambda view: view.margins[..., 0]},
        )
        for xp in (np, array_api_strict)
    )
    assert int((numpy.diverged_at >= 0).sum()) == 2
    assert set(numpy.variables) == set(strict.variables)
    for name, values in numpy.variables.items():
        if values.dtype.kind == "f":
            assert values.dtype == strict[name].dtype
            assert np.allclose(values, strict[name], rtol=STACKED, atol=1e-15, equal_nan=True), name
        else:
            assert np.array_equal(values, strict[name]), name


# --- progress and interruption -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("iterations", "seeds", "chunk"), [(1000, 5, 2), (255, 1, 1), (256, 2, 2), (257, 3, 1)])
def test_progress_counts_every_seed_iteration(tiny, iterations, seeds, chunk):
    done = []
    simulate(
        tiny(),
        {"GD": GD(0.1)},
        iterations=iterations,
        seeds=seeds,
        chunk=chunk,
        progress=done.append,
        audit=False,
        record=Every(500),
    )
    assert sum(done) == iterations * seeds


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("stubborn", [0, 1])
def test_an_error_in_one_thread_ends_all_promptly(tiny, raised, stubborn):
    """Whichever batch it strikes: the others do not go on to their ends."""
    before = set(threading.enumerate())
    turn, done, lock = [], [], threading.Lock()

    def progress(iterations):
        with lock:
            done.append(iterations)
            if threading.get_ident() not in turn:
                turn.append(threading.get_ident())
            if len(turn) == 2 and turn.index(threading.get_ident()) == stubborn:
                raise raised

    with pytest.raises(raised):
        simulate(
            tiny(),
            {"GD": GD(0.1)},
            iterations=10**6,
            seeds=2,
            chunk=1,
            workers=2,
            progress=progress,
            audit=False,
            record=Every(10**6),
        )
    assert sum(done) < 10**6
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_a_process_before_its_run(ctrl_c):
    script = (
        "import sys, threading\n"
        "from lemmascope.sims.cubic_cnn.simulate import simulate\n"
        "from lemmascope.theory.cubic_cnn.parameters import paper_regime\n"
        "from lemmascope.theory.optimizers import GD\n"
        "said = []\n"
        "def progress(_):\n"
        "    if not said:\n"
        "        said.append(1)\n"
        "        print('running', flush=True)\n"
        "try:\n"
        "    simulate(paper_regime(100), {'GD': GD(0.1)}, iterations=10**8, seeds=4, workers=2, progress=progress)\n"
        "except KeyboardInterrupt:\n"
        "    print('threads left:', threading.active_count() - 1)\n"
        "    sys.exit(130)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "running\n"
        process.send_signal(ctrl_c)
        out, err = process.communicate()
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (130, "threads left: 0\n", "")


LONG = {"iterations": 10**7, "audit": False, "record": Every(10**7)}
"""A run that would take minutes."""

WAYS = {
    "numpy": {"backend": "numpy", "representation": "coefficients"},
    "numpy, weights": {"backend": "numpy", "representation": "weights"},
    "compiled": {"backend": "compiled", "representation": "coefficients"},
    "compiled, weights": {"backend": "compiled", "representation": "weights"},
    "fast-forward": {"fast_forward": 1e-12, "iterations": 10**15},
}


@pytest.fixture
def given_up():
    """After the test no task is being given up any more."""
    yield
    stopping.clear()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_run_ends_when_the_tasks_of_the_process_are_given_up(tiny, way, given_up):
    """Asked for while it is under way, from another thread of the process."""
    before = set(threading.enumerate())
    done = []

    def progress(iterations):
        done.append(iterations)
        stopping.request()

    options = {**LONG, "record": Logarithmic(2), **way}

    with pytest.raises(KeyboardInterrupt):
        simulate(tiny(lam=1e-3), PLAIN, seeds=2, workers=2, progress=progress, **options)
    assert 0 < sum(done) < options["iterations"]
    assert set(threading.enumerate()) <= before
    stopping.clear()
    assert simulate(tiny(), PLAIN, iterations=3).sizes["iteration"] == 4


def test_a_run_does_not_begin_where_tasks_are_given_up(tiny, given_up):
    stopping.request()
    with pytest.raises(KeyboardInterrupt):
        simulate(tiny(), PLAIN, **LONG)


def test_a_task_that_simulates_ends_with_the_one_that_fails(tiny):
    """Under the executor of a study, which would else wait for it."""
    tasks = [Task("own", "runs", {"seed": k}, None) for k in range(2)]
    under_way, ended, done = threading.Event(), [], []

    def progress(iterations):
        done.append(iterations)
        under_way.set()

    def compute(task):
        if task.at["seed"] == 1:
            under_way.wait()
            raise ZeroDivisionError
        try:
            return simulate(tiny(), PLAIN, workers=1, progress=progress, **LONG)
        except KeyboardInterrupt:
            ended.append(task.key)
            raise

    with pytest.raises(ZeroDivisionError) as raised:
        Threads(2).run(compute, tasks, lambda index, part: None)
    assert raised.value.__notes__ == ["in the task runs seed=1"]
    assert ended == ["runs seed=0"]
    assert sum(done) < LONG["iterations"]
    assert not stopping.stopped()


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"problem": "HEADLINE"}, "problem"),
        ({"optimizers": {}}, "optimizers"),
        ({"optimizers": [GD(0.1)]}, "optimizers"),
        ({"optimizers": {1: GD(0.1)}}, "optimizers"),
        ({"optimizers": {"GD": 0.1}}, "optimizer GD"),
        ({"optimizers": {"GD": GD}}, "optimizer GD"),
        ({"iterations": 0}, "iterations"),
        ({"iterations": 1.5}, "iterations"),
        ({"seeds": 0}, "seeds"),
        ({"workers": 0}, "workers"),
        ({"chunk": 0}, "chunk"),
        ({"root_seed": -1}, "root_seed"),
        ({"root_seed": 2**63}, "root_seed"),
        ({"dtype": "float16"}, "dtype"),
        ({"representation": "both"}, "representation"),
        ({"planted": "gremlin"}, "planted"),
        ({"quantities": {"c": len}}, "quantities"),
    ],
)
def test_bad_arguments_are_refused_by_name(tiny, changes, field):
    arguments = {"problem": tiny(), "optimizers": {"GD": GD(0.1)}, "iterations": 5, **changes}
    with pytest.raises(InputError, match=field) as refusal:
        simulate(arguments.pop("problem"), arguments.pop("optimizers"), **arguments)
    assert "\n" not in str(refusal.value)


def test_the_run_says_what_was_run(tiny):
    run = simulate(tiny(), {"GD": GD(0.1)}, iterations=5, record=Logarithmic(3), root_seed=9, study="mine")
    said = {"root_seed": 9, "study": "mine", "iterations": 5, "dtype": "float64", "law": "samples"}
    assert said.items() <= run.attrs.items()
    assert all(run[name].attrs["long_name"] for name in run.data_vars)
