"""Batches: a member is its solo run, bit for bit, however seeds are cut and threads share them."""

import itertools

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.planted import PLANTED
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant

STACKED = 1e-11
"""Relative: 50 steps of rounding in a matrix product with other row counts, T (n + d) u · 50 with n + d < 200."""

OPTIMIZERS = {"GD+M": MomentumAverage(0.1, 0.9), "GD": GD(0.1), "GD+M fast": MomentumAverage(0.2, 0.5)}


def run(problem, optimizers=OPTIMIZERS, **rest):
    defaults = {"iterations": 50, "seeds": 5, "record": Every(5), "whole_Xi": True, "study": "batch"}
    return simulate(problem, optimizers, **{**defaults, **rest})


def problems(tiny, patches):
    return {
        "law": tiny(),
        "three patches": tiny(P=3, lam=0.01),
        "one neuron": tiny(m=1),
        "two samples": tiny(N=2, mu=0.5),
        "exact law": LawProblem(tiny(d=10**6), "exact"),
        "own patches": patches(w_star="known"),
        "one patch, one dimension": PatchProblem([[[0.5]], [[-1.0]]], [1, -1], m=2, sigma_0=0.3),
    }


NAMES = ["law", "three patches", "one neuron", "two samples", "exact law", "own patches", "one patch, one dimension"]


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("name", NAMES)
def test_a_member_of_a_batch_is_its_solo_run(tiny, patches, difference, name, representation):
    problem = problems(tiny, patches)[name]
    if name == "exact law":
        representation = "auto"
    together = run(problem, chunk=5, workers=1, representation=representation)
    assert difference(together, run(problem, chunk=1, workers=1, representation=representation)) == []
    solo = run(problem, seeds=1, representation=representation)
    assert difference(together.isel(seed=[0]), solo) == []
    assert not np.array_equal(together.Xi.isel(seed=0), together.Xi.isel(seed=1))


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_cutting_and_threads_change_nothing(tiny, difference, representation):
    def cut(chunk, workers):
        return run(tiny(P=3), chunk=chunk, workers=workers, representation=representation, record=Every(25))

    whole = cut(5, 1)
    for chunk, workers in itertools.product((1, 2, 3, 100), (1, 2, 3)):
        other = cut(chunk, workers)
        assert difference(whole, other) == [], (chunk, workers)


def test_more_seeds_leave_the_first_ones_alone(tiny, difference):
    few, many = (run(tiny(), seeds=seeds) for seeds in (3, 7))
    assert difference(many.isel(seed=slice(0, 3)), few) == []


WAYS = {
    "numpy, weights": {"backend": "numpy", "representation": "weights"},
    "numpy, coefficients": {"backend": "numpy", "representation": "coefficients"},
    "compiled, weights": {"backend": "compiled", "representation": "weights"},
    "compiled, coefficients": {"backend": "compiled", "representation": "coefficients"},
    "float32": {"backend": "compiled", "dtype": "float32"},
    "fast-forward": {"fast_forward": 1e-10, "iterations": 500, "record": Every(100), "trace": False},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_seed_is_known_by_its_index_alone_or_among_others(tiny, difference, way):
    """A simulation of seeds 2 to 4, and each of one, are cuts of that of five."""
    same = {"trace": True, "audit": True, **way}
    whole = run(tiny(), **same)
    for first, count in ((0, 2), (2, 3), (4, 1), (1, 1)):
        later = run(tiny(), first_seed=first, seeds=count, **same)
        assert later.seed.values.tolist() == list(range(first, first + count))
        assert difference(whole.isel(seed=slice(first, first + count)), later) == [], (first, count)
    assert "c" in difference(run(tiny(), seeds=1, **same).drop_vars("seed"), later.drop_vars("seed"))


def test_a_first_seed_is_cut_and_shared_like_any_other(tiny, difference):
    whole = run(tiny(), first_seed=7, workers=1, chunk=5, backend="numpy")
    for chunk, workers in ((1, 1), (2, 2), (3, 3)):
        other = run(tiny(), first_seed=7, workers=workers, chunk=chunk, backend="numpy")
        assert difference(whole, other) == [], (chunk, workers)
    assert whole.seed.values.tolist() == [7, 8, 9, 10, 11]


def test_a_first_seed_far_off_is_a_seed(tiny):
    far = run(tiny(), first_seed=2**40, seeds=2)
    assert far.seed.values.tolist() == [2**40, 2**40 + 1]
    assert np.isfinite(far.c).all()


@pytest.mark.parametrize("first", [-1, 0.5, True, "0"])
def test_a_first_seed_that_is_none_is_refused(tiny, first):
    with pytest.raises(InputError, match="first_seed"):
        run(tiny(), first_seed=first)


def test_root_study_and_index_fix_the_data(tiny, difference):
    base = run(tiny(), seeds=2, root_seed=4)
    assert difference(base, run(tiny(), seeds=2, root_seed=4)) == []
    assert "c" in difference(base, run(tiny(), seeds=2, root_seed=5))
    assert "c" in difference(base, run(tiny(), seeds=2, root_seed=4, study="another"))
    # What is trained, how long and how it is recorded draws nothing.
    other = run(tiny(), {"slow": GD(0.01)}, seeds=2, root_seed=4, iterations=7, audit=False, whole_Xi=False)
    assert np.array_equal(base.c.isel(iteration=0, optimizer=1), other.c.isel(iteration=0, optimizer=0))


MIXED = {
    "GD+M": MomentumAverage(0.1, 0.9),
    "GD": GD(0.1),
    "Nesterov": Nesterov(0.02, 0.9),
    "GD fast": GD(0.3),
    "GD+M fast": MomentumAverage(0.2, 0.5),
    "schedule": GD(PiecewiseConstant((0, 10), (0.3, 0.01))),
    "velocity": MomentumVelocity(0.02, 0.8),
    "GD+M slow": MomentumAverage(0.05, 0.99),
    "GD slow": GD(0.02),
}


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_stacked_optimizers_are_each_alone_to_rounding_and_in_order(tiny, representation):
    """Classes are interleaved on purpose: the batch sorts them, the result must not."""
    stacked = run(tiny(), MIXED, seeds=2, representation=representation)
    assert stacked.optimizer.values.tolist() == list(MIXED)
    for name, optimizer in MIXED.items():
        alone = run(tiny(), {name: optimizer}, seeds=2, representation=representation)
        for quantity in ("c", "Xi", "loss", "weight_norm_squared", "T_0"):
            a, b = stacked[quantity].sel(optimizer=name), alone[quantity].sel(optimizer=name)
            scale = float(abs(b).max())
            assert np.allclose(a, b, rtol=0, atol=STACKED * scale, equal_nan=True), (name, quantity)
    final = stacked.c.isel(iteration=-1, seed=0).values
    gaps = [np.abs(a - b).max() for a, b in itertools.combinations(final, 2)]
    assert min(gaps) > 1e-3 * np.abs(final).max()  # no two optimizers could be mistaken for each other


@pytest.mark.parametrize("order", [list(MIXED), sorted(MIXED), sorted(MIXED)[::-1]], ids=["given", "up", "down"])
def test_every_recorded_array_follows_the_labels(tiny, order):
    """Hitting times, divergence and user quantities are put back in order too."""
    optimizers = {name: {**MIXED, "huge": GD(1e7)}[name] for name in (*order[:4], "huge", *order[4:])}
    found = run(tiny(lam=0.01), optimizers, seeds=2, quantities={"sum_c": lambda view: view.c.sum(axis=-1)})
    assert found.optimizer.values.tolist() == list(optimizers)
    assert (found.diverged_at.sel(optimizer="huge") >= 0).all()
    assert (found.diverged_at.drop_sel(optimizer="huge") < 0).all()
    assert np.allclose(found.sum_c, found.c.sum("neuron", skipna=False), rtol=1e-12, atol=1e-14, equal_nan=True)
    reached = (found.c.max("neuron") >= 1 / (2 * 2.0)).any("iteration")
    assert found.T_0.notnull().where(reached, True).all()


def _first(condition):
    """First iteration at which a (seed, optimizer, iteration) condition holds; NaN where there is none."""
    return condition.iteration.where(condition).min("iteration")


def test_hitting_times_are_those_of_every_iteration(learning, difference):
    """T₀ and T₁ against the fully recorded trajectory; a sparse record has the same ones."""
    p = learning()
    optimizers = {"GD": GD(0.2), "GD+M": MomentumAverage(0.2, 0.9)}
    dense = simulate(p, optimizers, iterations=800, seeds=2, record=Every(1), audit=False)
    assert dense.T_0.notnull().all()
    assert dense.T_1.notnull().any()
    expected_times = {
        "T_0": _first(dense.c.max("neuron") >= 1 / (2 * p.alpha)),
        "T_1": _first(dense.memorization_min.sel(margin="small") >= 0.5),
    }
    for name, expected in expected_times.items():
        assert np.array_equal(dense[name], expected.transpose("seed", "optimizer"), equal_nan=True), name
    sparse = simulate(p, optimizers, iterations=800, seeds=2, record=Every(700), audit=False)
    assert (
        difference(
            dense[["T_0", "T_1"]].drop_vars("iteration", errors="ignore"),
            sparse[["T_0", "T_1"]].drop_vars("iteration", errors="ignore"),
        )
        == []
    )


def test_an_empty_group_has_no_hitting_time(tiny):
    """Seeds without small-margin samples: nothing is memorized, and group values are NaN."""
    found = run(tiny(N=4, mu=0.25, P=2), seeds=12, audit=False)
    empty = found.small_count == 0
    assert 0 < int(empty.sum()) < 12
    assert found.T_1.where(empty, drop=True).isnull().all()
    assert found.train_accuracy.sel(margin="small").where(empty, drop=True).isnull().all()
    assert found.train_accuracy.sel(margin="large").where(empty, drop=True).notnull().all()


@pytest.mark.parametrize("planted", sorted(PLANTED))
def test_a_planted_error_changes_the_run_and_is_written_into_it(tiny, difference, planted):
    plain, broken = (run(tiny(), seeds=1, planted=name) for name in (None, planted))
    assert "c" in difference(plain, broken)
    assert (plain.attrs["planted"], broken.attrs["planted"]) == ("", planted)


@pytest.mark.parametrize("planted", ["tilted_noise", "twin_noise"])
def test_data_errors_need_data_to_plant_them_in(tiny, patches, planted):
    for problem in (LawProblem(tiny(d=100), "exact"), patches()):
        with pytest.raises(InputError, match="planted"):
            run(problem, planted=planted)
