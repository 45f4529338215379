"""The central experiment: the talk's table for three root seeds, what is judged on what, and what a reader gets."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.sims.cubic_cnn.evidence import runs
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.rounds import ends
from lemmascope.sims.run.carry import run_study
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.sims.studies import headline
from lemmascope.sims.studies.headline import STUDY, Settings, optimizers
from lemmascope.sims.study import experiment_tasks, settings_of
from lemmascope.sims.tables import number
from lemmascope.theory.claim import FAMILY
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.verdict import Status

ITERATIONS = 23_000  # ηT = 2300, just over the time scale of memorization, 2236
FITS, LARGE, CHANCE = 1.0, 0.99, 0.55


# --- the theorem, at its own parameters ----------------------------------------------------------------------------


@pytest.mark.parametrize("root_seed", [0, 1, 2])
def test_the_talks_table_on_every_seed(root_seed):
    """One simulation a test: under several workers a shared one would be run once in each."""
    trajectory = simulate(
        HEADLINE,
        optimizers(Settings(), "trajectory"),
        iterations=ITERATIONS,
        seeds=2,
        root_seed=root_seed,
        study=STUDY.name,
        record=Every(ITERATIONS),
        audit=False,
    )
    _table(trajectory)
    _no_claim_is_refuted(trajectory)


def _table(trajectory):
    final = trajectory.isel(iteration=-1)
    low = final.test_accuracy - 3 * final.test_accuracy_error
    high = final.test_accuracy + 3 * final.test_accuracy_error
    assert (final.train_accuracy >= FITS).all()
    assert (low.sel(margin="large") >= LARGE).all()
    assert (high.sel(optimizer="GD", margin="small") <= CHANCE).all()
    assert (low.sel(optimizer="GD+M", margin="small") >= LARGE).all()
    # Why: GD stalls at 1/α and memorizes, GD+M goes on to 1/β and does not.
    c_max, Xi_max = final.c.max("neuron"), final.Xi_abs_max.sel(margin="small")
    assert (c_max.sel(optimizer="GD") * HEADLINE.alpha < HEADLINE.log_d).all()
    assert (c_max.sel(optimizer="GD+M") * HEADLINE.beta > 1).all()
    assert (Xi_max.sel(optimizer="GD") > 5 * Xi_max.sel(optimizer="GD+M")).all()


def _no_claim_is_refuted(trajectory):
    """Two seeds cannot prove a probability; none of them may speak against it."""
    judged = [
        claim.judge(run)
        for claim in TRAJECTORY
        for run in runs(trajectory)
        if claim.about in ("gd", "momentum") and claim.concerns(run)
    ]
    assert len(judged) > 8
    for verdict in judged:
        assert verdict.status is not Status.REFUTED
        if verdict.status is not Status.NOT_APPLICABLE:
            assert set(verdict.seeds) == set(verdict.holding), verdict.claim
        else:
            assert verdict.claim == "lemma.tensor_power"  # wants every iteration recorded


# --- the declaration -----------------------------------------------------------------------------------------------


def test_the_study_expects_every_claim_to_hold_but_one():
    assert STUDY.claims == TRAJECTORY
    assert STUDY.expected(Settings()) == {"lemma.cross_terms_small": Status.NOT_APPLICABLE}
    wide = dataclasses.replace(HEADLINE, d=10**7, N=10, P=2)
    assert STUDY.expected(Settings(parameters=wide)) == {}, "n ≪ √d: cross terms are small there"


def test_the_defaults_are_the_published_run():
    s = Settings()
    assert (s.parameters, s.seeds, s.iterations, s.rate_iterations) == (HEADLINE, 8, 40_000, 11_500)
    momentum = MomentumAverage(0.1, 0.999)
    assert optimizers(s, "trajectory") == {"GD": GD(0.1), "GD+M": momentum}
    rates = {"GD 0.2": GD(0.2), "GD 0.3": GD(0.3), "GD 0.45": GD(0.45), "GD+M": momentum}
    assert optimizers(s, "learning_rates") == rates
    tasks = experiment_tasks(STUDY, s, 0)
    assert {name: len(some) for name, some in tasks.items()} == {"trajectory": 8, "learning_rates": 5}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seeds": 4}, "5 or more"),
        ({"seeds": 5.5}, "seeds"),
        ({"level": 1.0}, "level"),
        ({"level": 0.95, "seeds": 10**6}, "sequential"),
        ({"iterations": 0}, "iterations"),
        ({"rate_iterations": -1}, "rate_iterations"),
        ({"batch": 0}, "batch"),
        ({"eta": 0.0}, "eta"),
        ({"gamma": 1.0}, "gamma"),
        ({"gamma": -0.1}, "gamma"),
        ({"rates": ()}, "one learning rate or more"),
        ({"rates": (0.2, 0.2)}, "all different"),
        ({"rates": (0.2, 0.0)}, "rates"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, words):
    with pytest.raises(InputError) as refused:
        Settings(**given)
    assert words in str(refused.value)


def test_the_full_size_draws_until_each_claim_is_decided_at_nineteen_twentieths():
    s = settings_of(Settings, "full")
    assert (s.level, s.seeds, s.parameters) == (0.95, 220, HEADLINE)
    plan = STUDY.sequential(s)
    assert plan.holds_at == (59, 163, 220)
    tasks = experiment_tasks(STUDY, s, 0)
    assert {name: len(some) for name, some in tasks.items()} == {"trajectory": 220, "learning_rates": 220}


@pytest.mark.parametrize("batch", [1, 8, 59, 1000])
def test_no_part_of_several_seeds_reaches_beyond_a_round(batch):
    s = settings_of(Settings, "full", batch=batch)
    for name, tasks in experiment_tasks(STUDY, s, 0).items():
        each = [list(x) if isinstance(x := task.at["seed"], range) else [x] for task in tasks]
        assert [seed for seeds in each for seed in seeds] == list(range(220)), name
        assert max(map(len, each)) <= batch
        for end in ends(STUDY.sequential(s)):
            assert not any(seeds[0] < end <= seeds[-1] for seeds in each)


# --- a small run ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tiny):
    """Settings at which nothing is learnt, in milliseconds."""
    return settings_of(Settings, parameters=tiny(), iterations=60, rate_iterations=40, seeds=6, eta=0.1, gamma=0.99)


@pytest.fixture(scope="module")
def found(small):
    return run_study(STUDY, small, executor=Threads(2))


def test_claims_about_one_optimizer_and_about_several_have_a_run_each(found):
    labels = {claim.id: claim.about for claim in STUDY.claims}
    assert [one.label for one in found.evidence] == ["GD", "GD+M", "4 optimizers"]
    assert [one.role for one in found.evidence] == ["gd", "momentum", FAMILY]
    assert found.evidence[0].iterations == 60
    assert found.evidence[2].iterations == 40
    for verdict in found.verdicts:
        about = labels[verdict.claim]
        wanted = {"gd": ["GD"], "momentum": ["GD+M"], FAMILY: ["4 optimizers"], "any": ["GD", "GD+M"]}[about]
        assert verdict.label in wanted, verdict.claim
    order = [claim.id for claim in STUDY.claims]
    assert list(dict.fromkeys(v.claim for v in found.verdicts)) == order


def test_the_data_are_those_of_one_simulation(small, found, difference):
    """Seed by seed, or all at once: the same bits, under the study's own name and root."""
    for name, T, seeds, points in (("trajectory", 60, 6, 120), ("learning_rates", 40, 5, 20)):
        whole = simulate(
            small.parameters,
            optimizers(small, name),
            iterations=T,
            seeds=seeds,
            study="headline",
            record=Logarithmic(points),
            audit=name == "trajectory",
        )
        assert difference(found.data[name], whole) == []


@pytest.mark.parametrize("batch", [4, 6, 100])
def test_seeds_in_batches_are_the_same(small, found, batch):
    again = run_study(STUDY, dataclasses.replace(small, batch=batch), executor=Threads(1))
    for name, data in found.data.items():
        xr.testing.assert_identical(again.data[name], data)
    assert repr(again.verdicts) == repr(found.verdicts)


def test_a_task_costs_as_much_as_it_iterates(small):
    tasks = experiment_tasks(STUDY, dataclasses.replace(small, batch=4), 0)
    first, last = (task.cost for task in tasks["trajectory"])
    assert first == pytest.approx(2 * last)  # four seeds, and two
    first, last = (task.cost for task in tasks["learning_rates"])
    assert first == pytest.approx(4 * last)
    longer = experiment_tasks(STUDY, dataclasses.replace(small, batch=4, iterations=60_000_000), 0)
    ratio = longer["trajectory"][0].cost / tasks["trajectory"][0].cost
    assert 1e5 < ratio <= 1e6  # what is done once counts too
    wide = dataclasses.replace(small.parameters, N=10 * small.parameters.N)
    larger = experiment_tasks(STUDY, dataclasses.replace(small, batch=4, parameters=wide), 0)
    assert larger["trajectory"][0].cost > 9 * tasks["trajectory"][0].cost


def test_a_certified_run_is_the_same_with_intervals(small, found, difference):
    """And each verdict on an interval says on how many draws it is so in exact arithmetic."""
    again = run_study(STUDY, dataclasses.replace(small, certify=True, seeds=5), executor=Threads(2))
    run = again.data["trajectory"]
    assert float(run.radius.max()) < 1e-10
    kept = [name for name in run.data_vars if name != "radius" and not name.endswith("_within")]
    assert difference(run[kept].drop_dims("end", errors="ignore"), found.data["trajectory"].isel(seed=slice(5))) == []
    for name in ("c", "nu", "loss", "Xi_abs_max", "memorization_min", "cross_ratio"):
        low, high = (run[f"{name}_within"].sel(end=end) for end in ("low", "high"))
        assert bool(((low <= run[name]) & (run[name] <= high)).all()), name
    certified = {v.claim: v.certified for v in again.verdicts if v.certified is not None}
    assert set(certified["lemma.cross_terms"].true) == set(range(5))
    assert all(v.certified is None for v in found.verdicts)


def test_single_precision_is_another_run(small, found):
    again = run_study(STUDY, small, dtype="float32", executor=Threads(1))
    assert again.data["trajectory"].attrs["dtype"] == "float32"
    assert_close(again.data["trajectory"].c.values, found.data["trajectory"].c.values, "trajectory", "float32")
    assert not np.array_equal(again.data["trajectory"].c, found.data["trajectory"].c)


def test_a_level_is_decided_claim_by_claim_and_no_seed_is_drawn_after_it(small):
    """In 60 iterations most claims do not apply; the others are decided by draw 5."""
    found = run_study(STUDY, dataclasses.replace(small, seeds=30, level=0.5, batch=3), executor=Threads(2))
    decided = [v.sequential for v in found.verdicts if v.sequential is not None]
    assert decided
    assert all(one["decided"] and one["draws"] <= 5 for one in decided)
    assert {data.sizes["seed"] for data in found.data.values()} == {5}
    assert "5 seeds" in STUDY.tables(found)[0].caption


# --- the talk's table ----------------------------------------------------------------------------------------------


def test_the_talk_table_is_the_final_state(found):
    run = found.data["trajectory"]
    table = headline.talk_table(run)
    at = run.isel(iteration=-1).sel(optimizer="GD+M")
    cell = table["GD+M"]["small margin"]
    values = sorted(at.test_accuracy.sel(margin="small").values)
    assert cell.accuracy == (values[2] + values[3]) / 2
    assert (cell.low, cell.high, cell.seeds) == (values[0], values[5], 6)
    assert cell.passed == sum(v >= 0.99 for v in values)
    train = table["GD"]["training loss"]
    gd = run.isel(iteration=-1).sel(optimizer="GD")
    n, N = gd.small_count, 12
    accuracy = (gd.train_accuracy.sel(margin="large") * (N - n) + gd.train_accuracy.sel(margin="small") * n) / N
    assert train.accuracy == pytest.approx(float(accuracy.median()))
    assert train.loss == pytest.approx(float(gd.loss.sum("margin").median()))


@pytest.mark.parametrize("seeds", [5, 6])
def test_a_seed_without_an_accuracy_leaves_its_cell_without_one(found, seeds):
    """Sorting puts NaN anywhere; the other cells are as they were."""
    run = found.data["trajectory"].isel(seed=slice(seeds)).copy(deep=True)
    was = headline.talk_table(run)
    run.test_accuracy.loc[{"optimizer": "GD", "margin": "small", "seed": 0}] = np.nan
    table = headline.talk_table(run)
    cell = table["GD"]["small margin"]
    assert np.isnan([cell.accuracy, cell.low, cell.high]).all()
    assert (cell.seeds, cell.mark) == (seeds, "✗")
    assert table["GD"]["large margin"] == was["GD"]["large margin"]
    assert table["GD+M"] == was["GD+M"]


def test_marks_follow_the_majority():
    cell = headline.Cell(accuracy=1, low=0, high=1, passed=3, seeds=5)
    assert cell.mark == "✓"
    assert cell.text == "✓ 1.000 [0.000, 1.000]  3/5"
    less = dataclasses.replace(cell, passed=2, loss=0.25)
    assert less.mark == "✗"
    assert less.text.endswith("2/5\n  loss 2.5e-01")


def test_the_table_is_shown_with_what_its_interval_covers(found):
    (table,) = STUDY.tables(found)
    assert table.columns == ["", "training loss", "large margin", "small margin"]
    assert [row[0] for row in table.rows] == ["GD", "GD+M"]
    assert "after 60 iterations" in table.caption
    assert "6 seeds" in table.caption
    assert "0.969" in table.caption  # 1 − 2⁻⁵
    cell = table.values["GD+M"]["small margin"]
    assert set(cell) == {"accuracy", "low", "high", "passed", "seeds", "loss", "mark"}
    assert cell["mark"] in table.rows[1][3]


def test_sentences_come_from_the_numbers(found):
    run = found.data["trajectory"]
    first, second, how = STUDY.summary(found)
    c = float(run.isel(iteration=-1).c.max("neuron").median("seed").sel(optimizer="GD+M"))
    assert number(c) in second
    assert first.startswith("GD:")
    assert "1/β = 5" in second
    assert "backend" in how


@pytest.mark.parametrize(("accuracy", "words"), [(0.999, "by the feature"), (0.5, "by chance"), (0.8, "partly")])
def test_what_was_learnt_is_said_from_the_accuracy(found, accuracy, words):
    run = found.data["trajectory"].copy(deep=True)
    run.test_accuracy.loc[{"margin": "small"}] = accuracy
    run.train_accuracy[:] = 1.0
    first, _ = headline.meaning(run)
    assert words in first
    assert "the training set is fitted" in first
    run.train_accuracy[:] = 0.5
    assert "the training set is not fitted" in headline.meaning(run)[0]
