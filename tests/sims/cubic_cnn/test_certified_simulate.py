"""A certified run as it is asked for: exact trajectories in balls lie within its radius, on each backend and in each
representation; what is planted does not.
"""

import dataclasses
import json
import math
from functools import cache

import numpy as np
import pytest
import xarray as xr
from tolerances import tolerance

from lemmascope.sims.cubic_cnn import batch
from lemmascope.sims.cubic_cnn.backends import compiled
from lemmascope.sims.cubic_cnn.certificate import balls
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.record import Recorder
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import load, save
from lemmascope.sims.schedule import Every
from lemmascope.sims.seeds import streams
from lemmascope.theory import optimizers as known
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    GD,
    Adam,
    MomentumAverage,
    MomentumVelocity,
    Nesterov,
    PiecewiseConstant,
    recursion_of,
)

SMALL = Parameters(d=30, N=10, P=2, m=3, alpha=2.0, beta=0.2, mu=0.3, sigma=0.36, sigma_0=0.1)
LAST, EVERY = 24, 8
STUDY, SEED = "certified", 2
OPTIMIZERS = {
    "gd": GD(0.2),
    "momentum": MomentumAverage(0.3, 0.9),
    "velocity": MomentumVelocity(0.03, 0.9),
    "nesterov": Nesterov(0.03, 0.9),
    "schedule": MomentumAverage(PiecewiseConstant((0, 9, 17), (0.05, 0.3, 0.01)), 0.5),
    "forgets": MomentumAverage(0.2, 0.0),
}
WAYS = [(where, backend) for where in ("coefficients", "weights") for backend in ("compiled", "numpy")]
TIMES = range(0, LAST + 1, EVERY)


def carried(problem, backend="compiled", representation="coefficients", optimizers=OPTIMIZERS, **changes):
    """A certified run of one seed, every eighth iteration recorded."""
    asked = {"iterations": LAST, "record": Every(EVERY), "certify": True, "workers": 1, **changes}
    return simulate(
        problem, optimizers, first_seed=SEED, study=STUDY, backend=backend, representation=representation, **asked
    )


@pytest.fixture
def states(monkeypatch):
    """The states (optimizers, m, width) that a run records, by iteration."""
    found = []

    class Watching(Recorder):
        def record(self, one):
            found.append(np.array(one.theta[0]))
            return super().record(one)

    monkeypatch.setattr(batch, "Recorder", Watching)
    return found


def problem_of(lam, kind="samples"):
    return LawProblem(dataclasses.replace(SMALL, lam=lam), kind)


@cache
def draw_of(lam, kind):
    return problem_of(lam, kind).draw(streams(0, STUDY, SEED))


@cache
def exact(name, lam, kind):
    """States in balls of 300 bits by iteration."""
    drawn = draw_of(lam, kind)
    if kind == "exact":
        return balls.coefficients(drawn.exact, OPTIMIZERS[name], LAST, TIMES, lam)
    return balls.weights(drawn.sample, drawn.W_0, OPTIMIZERS[name], LAST, TIMES, lam)


def distances(states, lam, kind, in_weights, names=tuple(OPTIMIZERS)):
    """‖W − Ŵ‖_F (optimizer, iteration) from above."""
    drawn, found = draw_of(lam, kind), np.zeros((len(names), len(TIMES)))
    assert len(states) == len(TIMES)
    for a, name in enumerate(names):
        for k, t in enumerate(TIMES):
            truth, theta = exact(name, lam, kind)[t], states[k][a]
            if kind == "exact":
                far = balls.distance_of_coefficients(truth, drawn.exact, theta)
            else:
                far = balls.distance_of_weights(truth, drawn.sample, drawn.W_0, theta, in_weights)
            found[a, k] = float(far.upper())
    return found


def radii(run):
    return run.radius.values[0]


def test_optimizers_with_a_recursion_are_all_there():
    classes = [getattr(known, name) for name in known.__all__]
    assert {one for one in classes if isinstance(one, type) and hasattr(one, "recursion")} <= {
        type(one) for one in OPTIMIZERS.values()
    } | {known.Optimizer}


@pytest.mark.parametrize("lam", [0.0, 0.02])
@pytest.mark.parametrize(("representation", "backend"), WAYS)
def test_the_exact_trajectory_is_within_the_radius(states, representation, backend, lam):
    """Of all optimizers at once; while features are learnt the radius is at most 10⁴ times the distance."""
    run = carried(problem_of(lam), backend, representation)
    assert (run.attrs["backend"], run.attrs["representation"]) == (backend, representation)
    far = distances(states, lam, "samples", representation == "weights")
    assert np.all(far <= radii(run) + 1e-280)
    assert np.all(radii(run)[:, 1:3] <= 1e4 * far[:, 1:3])


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
def test_of_the_exact_law(states, backend):
    run = carried(problem_of(0.02, "exact"), backend)
    assert np.all(distances(states, 0.02, "exact", False) <= radii(run) + 1e-280)
    assert np.all(np.isfinite(radii(run)))


@pytest.mark.parametrize("representation", ["coefficients", "weights"])
def test_both_backends_have_about_the_same_radius(representation):
    one, other = (radii(carried(problem_of(0.01), backend, representation)) for backend in ("compiled", "numpy"))
    assert np.all(one <= 1.01 * other)
    assert np.all(other <= 1.01 * one)


@pytest.mark.parametrize(("representation", "backend"), WAYS)
def test_a_certificate_changes_nothing_else(representation, backend):
    """No bit of the compiled loops; on arrays, rounding: there its runs go by recursion, and not in the same order."""
    asked = {"trace": True, "whole_Xi": True}
    certified = carried(problem_of(0.02), backend, representation, **asked)
    plain = carried(problem_of(0.02), backend, representation, **asked, certify=False)
    more = {name for name in certified if name == "radius" or name.endswith("_within")}
    assert set(certified) - set(plain) == more
    certified = certified.drop_vars([*more, "end"])
    if backend == "compiled":
        xr.testing.assert_identical(certified, plain)
    else:
        close = tolerance("backend", "float64")
        xr.testing.assert_allclose(certified, plain, rtol=close, atol=close)


@pytest.mark.parametrize("representation", ["coefficients", "weights"])
def test_intervals_have_the_exact_quantities(states, representation):
    """Those of the weights in balls, and those recorded; and they are narrow."""
    run = carried(problem_of(0.0), representation=representation)
    drawn, few = draw_of(0.0, "samples"), np.asarray(draw_of(0.0, "samples").sample.small)
    for name in OPTIMIZERS:
        for t in TIMES:
            truth = exact(name, 0.0, "samples")[t]
            W = np.array([[float(truth[r, j].mid()) for j in range(SMALL.d)] for r in range(SMALL.m)])
            z = np.einsum("rd,npd->rnp", W, drawn.sample.X)
            y, signal = drawn.sample.y, drawn.sample.signal
            margins = y * np.sum(z**3, axis=(0, 2))
            own = np.arange(SMALL.P)[None, :] != signal[:, None]
            noise = np.where(own[None], z, 0.0)
            at = run.sel(optimizer=name, iteration=t).isel(seed=0)
            for margin, group in (("large", ~few), ("small", few)):
                expected = {
                    "nu": np.sum(1 / (1 + np.exp(margins[group]))) / SMALL.N,
                    "loss": np.sum(np.log1p(np.exp(-margins[group]))) / SMALL.N,
                    "train_accuracy": np.mean(margins[group] > 0),
                    "Xi_abs_max": np.max(np.abs(noise[:, group])),
                    "memorization_min": np.min((y * np.sum(noise**3, axis=(0, 2)))[group]),
                }
                for quantity, value in expected.items():
                    low, high = at[f"{quantity}_within"].sel(margin=margin).values
                    assert low - 1e-12 * abs(value) <= value <= high + 1e-12 * abs(value), (name, t, quantity)
                    assert low <= at[quantity].sel(margin=margin) <= high
                    assert high - low < 1e-6
            low, high = at.c_within.values.T
            c = W @ drawn.sample.w_star
            assert np.all(low - 1e-14 <= c)
            assert np.all(c <= high + 1e-14)
            assert np.all((low <= at.c) & (at.c <= high))


def test_test_accuracy_is_enclosed():
    """By the exact law's accuracy, and after enough steps of momentum near 1 without a sample."""
    p = Parameters(d=150, N=40, P=2, m=6, alpha=4.0, beta=0.2, mu=0.3, sigma=0.16, sigma_0=0.1)
    run = simulate(
        p, {"GD+M": MomentumAverage(0.2, 0.998)}, iterations=1500, record=Every(300), certify=True, first_seed=1
    )
    low, high = run.test_accuracy_within.values[0, 0, ..., 0], run.test_accuracy_within.values[0, 0, ..., 1]
    error = 5 * run.test_accuracy_error.values[0, 0] + 1e-12
    assert np.all(low - error <= run.test_accuracy.values[0, 0])
    assert np.all(run.test_accuracy.values[0, 0] <= high + error)
    assert np.all(low[-1] > 0.99)
    hit = run.isel(seed=0, optimizer=0)
    assert hit.T_0_within.values.tolist() == [int(hit.T_0)] * 2


def test_hitting_times_are_within_theirs():
    """On data on which both times come; NaN where one does not."""
    p = dataclasses.replace(SMALL, sigma=0.5)
    run = carried(p, iterations=200, seeds=3, record=Every(100), optimizers={"gd": GD(0.3), "slow": GD(1e-4)})
    for name in ("T_0", "T_1"):
        low, high = (run[f"{name}_within"].sel(end=end) for end in ("low", "high"))
        came = run[name].notnull()
        assert came.sel(optimizer="gd").any()
        assert not came.sel(optimizer="slow").all()
        assert np.all(~came | ((low <= run[name]) & (run[name] <= high)))
        assert np.all((low.isnull() & high.isnull()) | came)


def test_a_run_that_diverges_is_known_no_more():
    run = carried(dataclasses.replace(SMALL, lam=1.0), optimizers={"wild": GD(50.0), "gd": GD(0.1)})
    died = int(run.diverged_at.sel(optimizer="wild")[0])
    assert 0 < died <= LAST
    radius = run.radius.sel(optimizer="wild")[0]
    assert np.all(np.isinf(radius.sel(iteration=slice(died, None))))
    assert np.all(np.isfinite(run.radius.sel(optimizer="gd")))
    assert np.all(np.isnan(run.c_within.sel(optimizer="wild").sel(iteration=slice(died, None))))


@pytest.mark.parametrize("known_feature", [True, False])
def test_a_users_own_patches(known_feature):
    """Of no law: no test accuracy, and no c where w* is not known."""
    rng = np.random.default_rng(3)
    y, w_star = np.repeat([1.0, -1.0], 4), np.ones(6) / math.sqrt(6)
    X = 0.4 * rng.standard_normal((8, 2, 6)) + 0.1
    X[:, 1] += y[:, None] * w_star
    own = PatchProblem(X, y, m=2, sigma_0=0.1, w_star=w_star if known_feature else None)
    for representation, backend in WAYS:
        run = carried(own, backend, representation)
        assert np.all(np.isfinite(run.radius))
        assert "test_accuracy_within" not in run
        assert ("c_within" in run) == known_feature
        inside = (run.loss_within.sel(end="low") <= run.loss) & (run.loss <= run.loss_within.sel(end="high"))
        assert np.all(inside)


def test_a_certified_run_can_be_saved(tmp_path):
    run = carried(problem_of(0.0))
    save(run, tmp_path / "run.nc")
    xr.testing.assert_identical(load(tmp_path / "run.nc"), run)


def test_seeds_and_workers_change_nothing():
    one = carried(SMALL)
    many = simulate(
        SMALL,
        OPTIMIZERS,
        iterations=LAST,
        record=Every(EVERY),
        first_seed=SEED - 1,
        seeds=3,
        study=STUDY,
        certify=True,
        workers=2,
        representation="coefficients",
        backend="compiled",
    )
    for name in one.data_vars:
        np.testing.assert_array_equal(many[name].sel(seed=SEED), one[name].sel(seed=SEED), err_msg=str(name))


# What is planted


def rounded(kernel, *fields):
    """The kernel, on data that are rounded to single precision unknown to the certificate."""

    def made(system, *arguments):
        changed = {name: getattr(system, name).astype(np.float32).astype(float) for name in fields}
        return kernel(dataclasses.replace(system, **changed), *arguments)

    return made


@pytest.mark.parametrize(("representation", "field"), [("coefficients", "K"), ("weights", "X")])
@pytest.mark.parametrize("backend", ["compiled", "numpy"])
def test_data_in_float32_are_found(states, monkeypatch, representation, backend, field):
    where, name = (compiled, "CompiledKernel") if backend == "compiled" else (batch, "ArrayKernel")
    monkeypatch.setattr(where, name, rounded(getattr(where, name), field))
    run = carried(problem_of(0.0), backend, representation)
    far = distances(states, 0.0, "samples", representation == "weights")
    assert np.all(far[:, 1:] > radii(run)[:, 1:])


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
@pytest.mark.parametrize("planted", ["rate", "skipped"])
def test_a_step_that_is_another_is_found(states, monkeypatch, backend, planted):
    """A learning rate that is off by 10⁻¹⁰, and a step that is not taken."""
    where, name = (compiled, "CompiledKernel") if backend == "compiled" else (batch, "ArrayKernel")

    class Other(getattr(where, name)):
        def advance(self, start, stop, rates, keep):
            rates = np.array(np.broadcast_to(rates, (stop - start, *rates.shape[-2:])))
            if planted == "rate":
                rates[..., 1] *= 1 + 1e-10
                rates[..., 3] *= 1 + 1e-10
            elif start <= 5 < stop:
                rates[5 - start] = (1.0, 0.0, 0.0, 0.0)
            return super().advance(start, stop, rates, keep)

    monkeypatch.setattr(where, name, Other)
    run = carried(problem_of(0.0), backend)
    assert np.all(distances(states, 0.0, "samples", False)[:, 1:] > radii(run)[:, 1:])


# What is refused


class Own:
    """An optimizer without a recursion."""

    linear = True

    def init(self, params):
        return ()

    def step(self, params, grad, state, t):
        return params - 0.1 * grad, state


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"dtype": "float32"}, "dtype"),
        ({"backend": "cupy"}, "backend"),
        ({"fast_forward": 1e-10, "backend": "auto"}, "fast_forward"),
        ({"planted": "half_gradient"}, "planted"),
        ({"optimizers": {"own": Own()}}, "certify"),
        ({"optimizers": {"gd": GD(0.1), "adam": Adam(0.1)}, "representation": "weights"}, "certify"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_what_cannot_be_certified_is_refused_in_a_sentence(asked, field):
    with pytest.raises(InputError, match=field) as error:
        carried(SMALL, **asked)
    assert str(error.value).count("\n") == 0


def test_only_the_recursion_is_asked_for():
    """A user's optimizer with one is certified as ours are."""

    class Mine(Own):
        def recursion(self, t):
            return 0.0, 0.0, 0.0, 0.1

    assert recursion_of(Mine()) is not None
    mine, gd = (carried(SMALL, optimizers={"x": one}) for one in (Mine(), GD(0.1)))
    np.testing.assert_array_equal(mine.radius, gd.radius)
    assert json.loads(mine.attrs["optimizers"])["x"]["class"].endswith("Mine")
