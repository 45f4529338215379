"""A run that ends once a sequential test has decided: how many seeds it takes, wherever they run and however cut."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import xarray as xr

from lemmascope.sims.rounds import STEP, ends, rounds
from lemmascope.sims.run.carry import judge_again, run_study
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.sizes import forecast, undecided
from lemmascope.sims.study import Experiment, Study, Task, experiment_tasks, option
from lemmascope.theory.claim import Claim, Control, Evidence, Measurement
from lemmascope.theory.errors import InputError
from lemmascope.theory.sequential import Plan
from lemmascope.theory.verdict import Kind, Status


@dataclass(frozen=True)
class Settings:
    """On which seeds the one claim fails, and the other."""

    seeds: int = option(48, "Draws at most.")
    level: float | None = option(0.8, "Level: HOLDS at draw 14, 32, 44 with at most 0, 1, 2 failures.")
    fails: tuple[int, ...] = option((), "Where the claim is false.")
    undone: int = option(-1, "Where it is stopped.")
    batch: int = option(1, "Seeds a part.")


def cut(settings: Settings) -> Sequence[int] | list[range]:
    """Seeds, or ranges of them that may reach beyond a round."""
    if settings.batch == 1:
        return range(settings.seeds)
    firsts = range(0, settings.seeds, settings.batch)
    return [range(first, min(first + settings.batch, settings.seeds)) for first in firsts]


def compute(task: Task[Settings]) -> xr.Dataset:
    """−1 where the claim fails, else 1."""
    at, fails = task.at["seed"], task.settings.fails
    if at == task.settings.undone:
        raise KeyboardInterrupt
    if isinstance(at, range):
        return xr.Dataset({"x": ("seed", [-1.0 if seed in fails else 1.0 for seed in at])}, {"seed": list(at)})
    return xr.Dataset({"x": -1.0 if at in fails else 1.0})


def positive(evidence: Evidence, sign: float = 1.0) -> Measurement:
    """Whether x is positive."""
    return Measurement(sign * evidence["x"], lower=0.0)


def sequential(settings: Settings) -> Plan | None:
    """A plan, where there is a level."""
    return None if settings.level is None else Plan(settings.level, settings.seeds)


CLAIM = Claim(
    id="rounds.positive",
    statement="$x > 0$",
    plain="x > 0",
    kind=Kind.BOUND,
    source="user",
    measure=positive,
    probability=0.5,
    control=Control("the other sign", constants={"sign": -1.0}),
)
STUDY = Study(
    name="rounds",
    subject="",
    message="As many draws as it takes.",
    settings=Settings,
    experiments={
        "drawn": Experiment(lambda s: {"seed": cut(s)}, compute),
        "shared": Experiment(lambda s: {"size": (1, 2)}, lambda task: xr.Dataset({"y": float(task.at["size"])})),
    },
    evidence=lambda s, data: [Evidence(data["drawn"], "the draws")],
    claims=[CLAIM],
    sequential=sequential,
    seconds=100.0,
)


def taken(result):
    """Seeds that were computed, and the verdict."""
    (verdict,) = result.verdicts
    return result.data["drawn"].sizes["seed"], verdict


# --- rounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "draws"), [(0.95, 220), (0.95, 59), (0.95, 40), (0.5, 30), (0.99, 700)])
def test_a_round_ends_at_each_look_and_after_some_seeds(level, draws):
    plan = Plan(level, draws)
    found = ends(plan)
    assert found[0] == min(plan.fewest, draws)
    assert found[-1] == draws
    assert set(plan.holds_at) <= set(found)
    assert all(0 < b - a <= STEP for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("batch", [1, 7, 14, 100])
def test_rounds_grow_to_all_tasks_and_what_has_no_seed_is_in_the_first(batch):
    tasks = [t for some in experiment_tasks(STUDY, Settings(batch=batch), 0).values() for t in some]
    found = list(rounds(tasks, Plan(0.8, 48)))
    assert found[-1] == tasks
    for less, more in itertools.pairwise(found):
        assert [task for task in more if task in less] == less != more
    assert sum("size" in task.at for task in found[0]) == 2
    assert list(rounds(tasks, None)) == [tasks]


# --- where it ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fails", "status", "draws", "seeds"),
    [
        ((), Status.HOLDS, 14, 14),
        ((14, 15), Status.HOLDS, 14, 14),
        ((13,), Status.HOLDS, 32, 32),
        ((0, 20), Status.HOLDS, 44, 44),
        ((0, 1, 3), Status.REFUTED, 4, 14),
        ((*range(10, 48),), Status.REFUTED, 20, 30),
        ((3, 5, 7, 30), Status.INCONCLUSIVE, 44, 44),  # four more draws could decide nothing
    ],
)
def test_it_ends_once_it_is_decided(fails, status, draws, seeds):
    count, verdict = taken(run_study(STUDY, Settings(fails=fails), executor=Threads(2)))
    assert set(verdict.sequential["holds_at"]) == {14, 32, 44}
    assert (verdict.status, verdict.sequential["draws"], count) == (status, draws, seeds)
    assert verdict.control["status"] == Status.REFUTED
    assert verdict.seeds == tuple(range(count))


def test_fifty_nine_draws_without_a_failure_show_nineteen_twentieths():
    count, verdict = taken(run_study(STUDY, Settings(level=0.95, seeds=220, fails=(60,))))
    assert (count, verdict.status, verdict.sequential["draws"]) == (59, Status.HOLDS, 59)


@pytest.mark.parametrize("fails", [(), (13,), (0, 1, 3)])
def test_threads_and_parts_change_no_decision(fails):
    whole = run_study(STUDY, Settings(fails=fails), executor=Threads(1))
    again = run_study(STUDY, Settings(fails=fails), executor=Threads(7))
    assert again.verdicts == whole.verdicts
    for batch in (7, 14, 100):
        cut = run_study(STUDY, Settings(fails=fails, batch=batch), executor=Threads(3))
        assert taken(cut)[1].sequential | {"open": None} == taken(whole)[1].sequential | {"open": None}
        assert taken(whole)[0] <= taken(cut)[0] < taken(whole)[0] + batch


def test_without_a_level_all_seeds_are_taken_and_the_interval_decides():
    count, verdict = taken(run_study(STUDY, Settings(level=None, seeds=30, fails=(3,))))
    assert (count, verdict.status, verdict.sequential) == (30, Status.HOLDS, None)
    assert verdict.interval is not None


def test_a_plan_given_by_hand_decides_as_the_study_does():
    import lemmascope as ls

    result = run_study(STUDY, Settings())
    assert ls.judge([CLAIM], result.evidence, plan=ls.Plan(0.8, 48)) == result.verdicts


# --- kept, resumed, judged again ------------------------------------------------------------------------------------


def test_what_was_interrupted_goes_on_to_the_same_end(tmp_path):
    """What was finished is read, and not computed again."""
    settings, begun = Settings(fails=(0, 20)), []
    whole = run_study(STUDY, settings, out=tmp_path / "whole")
    (tmp_path / "cut").mkdir()
    for part in (tmp_path / "whole" / "parts").iterdir():
        if not any(f"seed={seed}." in part.name for seed in range(20, 48)):
            (tmp_path / "cut" / "parts").mkdir(exist_ok=True)
            (tmp_path / "cut" / "parts" / part.name).write_bytes(part.read_bytes())
    found = run_study(STUDY, settings, out=tmp_path / "cut", resume=True, begin=begun.append)
    assert [len(some) for some in begun] == [0, 10, 2, 12]  # seeds to 13, and from 20 to 29, 31, 43
    assert found.verdicts == whole.verdicts
    for name, data in whole.data.items():
        xr.testing.assert_identical(found.data[name], data)


def test_an_interrupt_ends_the_rounds(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY, Settings(fails=(0, 20), undone=31), out=tmp_path / "cut", executor=Threads(1))
    parts = [path.name for path in (tmp_path / "cut" / "parts").glob("drawn*.npz")]
    assert 30 <= len(parts) < 32


def test_results_say_the_plan_and_are_judged_again_by_it(tmp_path, schema):
    result = run_study(STUDY, Settings(fails=(13,)), out=tmp_path / "kept")
    document = json.loads((tmp_path / "kept" / "verdicts.json").read_text())
    schema(document)
    assert document["settings"]["level"] == 0.8
    assert document["verdicts"][0]["sequential"] == dict(result.verdicts[0].sequential)
    manifest = json.loads((tmp_path / "kept" / "parts" / "parts.json").read_text())
    assert manifest["fingerprint"]["settings"]["level"] == 0.8, "the plan is on the disk before the first part"
    assert judge_again(tmp_path / "kept", STUDY).verdicts == result.verdicts
    with pytest.raises(InputError, match=r"settings\.level \(0\.8 there, 0\.9 here\)"):
        run_study(STUDY, Settings(fails=(13,), level=0.9), out=tmp_path / "kept", resume=True)


# --- known before --------------------------------------------------------------------------------------------------


def test_too_few_draws_for_the_level_are_known_before():
    few = Settings(seeds=13)
    assert undecided(STUDY, few) == {"rounds.positive": "13 seeds are too few, --seeds 14 decides"}
    _, verdict = taken(run_study(STUDY, few))
    assert (verdict.status, verdict.as_expected) == (Status.INCONCLUSIVE, True)
    assert undecided(STUDY, Settings(seeds=14)) == {}


def test_the_least_time_is_that_to_the_first_look():
    found = forecast(STUDY, Settings())
    assert found.least == pytest.approx(found.seconds * 16 / 50)
    alone = forecast(STUDY, dataclasses.replace(Settings(), level=None))
    assert alone.least == alone.seconds
