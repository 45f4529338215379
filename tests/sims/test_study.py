"""The protocol of a study: settings of four sizes, tasks from axes, and what a declaration may not say."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.seeds import streams
from lemmascope.sims.study import (
    SIZES,
    Experiment,
    Study,
    Task,
    check_dtype,
    experiment_tasks,
    grid,
    option,
    plain,
    restored,
    settings_of,
)
from lemmascope.theory.claim import Claim, Control, Estimate
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.verdict import Kind, Status


@dataclass(frozen=True)
class Law:
    d: int = 500
    sigma: float = 0.5


@dataclass(frozen=True)
class Settings:
    seeds: int = option(8, "Draws.", tiny=2, quick=4, full=40)
    gammas: tuple[float, ...] = option((0.0, 0.9), "Momenta.", tiny=(0.5,))
    law: Law = option(Law(), "The law.", quick=Law(d=50))

    def __post_init__(self):
        check_size("seeds", self.seeds)


def compute(task):
    return xr.Dataset({"x": float(task.at["seed"])})


def measure(evidence, edge=1.0):
    return Estimate(0.0, -1.0, 1.0, lower=-edge)


def claim(id="claim.a", **changes):
    values = {"statement": "x", "plain": "x", "kind": Kind.BOUND, "source": "derived", "measure": measure}
    return Claim(id=id, **(values | changes))


def axes(settings):
    return {"seed": range(settings.seeds), "gamma": settings.gammas}


def study(**changes):
    values = {
        "name": "mine",
        "subject": "mine",
        "message": "It is so.",
        "settings": Settings,
        "experiments": {"cells": Experiment(axes, compute)},
        "evidence": lambda settings, data: [],
        "claims": [claim()],
    }
    return Study(**(values | changes))


def test_each_size_has_its_values():
    by_size = {size: settings_of(Settings, size) for size in SIZES}
    assert {size: s.seeds for size, s in by_size.items()} == {"tiny": 2, "quick": 4, "default": 8, "full": 40}
    assert by_size["tiny"].gammas == (0.5,)
    assert by_size["full"].gammas == by_size["default"].gammas == (0.0, 0.9)
    assert by_size["quick"].law == Law(d=50)
    assert settings_of(Settings) == Settings()


def test_what_is_given_stands_in_place_of_a_sizes_value():
    assert settings_of(Settings, "tiny", seeds=7) == Settings(seeds=7, gammas=(0.5,))


@pytest.mark.parametrize(
    ("size", "given", "said"),
    [
        ("huge", {}, "size = 'huge' .* one of tiny, quick, default, full"),
        ("tiny", {"seed": 1}, "settings = 'seed' .* the names are seeds, gammas, law"),
        ("tiny", {"seeds": 0}, "seeds = 0 .* integer ≥ 1"),
    ],
)
def test_settings_are_refused_by_name(size, given, said):
    with pytest.raises(InputError, match=said):
        settings_of(Settings, size, **given)


def test_an_option_says_what_help_needs():
    seeds = next(f for f in dataclasses.fields(Settings) if f.name == "seeds")
    assert seeds.metadata == {"help": "Draws.", "sizes": {"tiny": 2, "quick": 4, "full": 40}, "flag": ""}
    none = option(1, "x", tiny=None, flag="n")
    assert none.metadata["sizes"] == {"tiny": None}  # None is a value
    assert none.metadata["flag"] == "n"


def tasks_of(one, size="tiny", root_seed=0, **given):
    return experiment_tasks(one, settings_of(Settings, size, **given), root_seed)


def test_tasks_are_the_axes_in_order_the_last_fastest():
    found = tasks_of(study(), seeds=2, gammas=(0.5, 0.9))["cells"]
    assert [task.key for task in found] == [f"cells seed={s} gamma={g}" for s in (0, 1) for g in (0.5, 0.9)]
    assert [task.at for task in found] == [{"seed": s, "gamma": g} for s in (0, 1) for g in (0.5, 0.9)]
    assert {task.study for task in found} == {"mine"}
    assert {(task.dtype, task.backend, task.root_seed) for task in found} == {("float64", "auto", 0)}
    assert found[0].settings.gammas == (0.5, 0.9)


def test_an_experiment_without_axes_is_one_task():
    one = study(experiments={"exact": Experiment(lambda s: {}, compute)})
    assert [task.key for task in tasks_of(one)["exact"]] == ["exact"]


def test_an_experiment_that_is_not_asked_for_is_left_out():
    extra = Experiment(lambda s: {"seed": range(3)}, compute, when=lambda s: s.seeds > 5)
    one = study(experiments={"cells": Experiment(axes, compute), "extra": extra})
    assert set(tasks_of(one)) == {"cells"}
    assert set(tasks_of(one, seeds=6)) == {"cells", "extra"}
    with pytest.raises(InputError, match="ask for no experiment"):
        tasks_of(study(experiments={"extra": extra}))


def test_costs_are_the_declarations():
    one = study(experiments={"cells": Experiment(axes, compute, lambda s, at: s.seeds * (1 + at["seed"]))})
    assert [task.cost for task in tasks_of(one)["cells"]] == [2.0, 4.0]


@pytest.mark.parametrize("cost", [-1.0, math.nan, math.inf])
def test_a_cost_that_is_none_is_refused(cost):
    one = study(experiments={"cells": Experiment(axes, compute, lambda s, at: cost)})
    with pytest.raises(InputError, match=r"cost = .* of a task of cells"):
        tasks_of(one)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], r"gamma = \[\] .* cells needs at least one value"),
        ([0.5, 0.5], "two tasks share this name"),
        ([0.5, "0.5"], "two tasks share this name"),
        ([1, 1.0], "two tasks share this name"),
    ],
)
def test_axes_that_name_no_task_or_one_twice_are_refused(values, said):
    with pytest.raises(InputError, match=said):
        tasks_of(study(experiments={"cells": Experiment(lambda s: {"gamma": values}, compute)}))


@pytest.mark.parametrize("root_seed", [-1, 0.5, 2**63, True])
def test_a_root_seed_is_one_that_a_file_can_hold(root_seed):
    with pytest.raises(InputError, match="root_seed"):
        tasks_of(study(), root_seed=root_seed)
    assert tasks_of(study(), root_seed=2**63 - 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "my study"}, "study = 'my study' .* letters, digits and _"),
        ({"name": ""}, "letters, digits and _"),
        ({"experiments": {}}, "at least one experiment"),
        ({"experiments": {"a/b": Experiment(axes, compute)}}, "experiment = 'a/b' .* letters, digits and _"),
        ({"experiments": {"a x=1": Experiment(axes, compute)}}, "letters, digits and _"),
        ({"claims": [claim(), claim(), claim("b")]}, r"\['claim.a'\] .* an id of its own"),
        ({"claims": [claim(control=Control("louder", made="louder"))]}, "'louder' .* controls are none"),
        (
            {"claims": [claim(control=Control("x", made="louder"))], "controls": {"softer": lambda one, all: one}},
            "claim.a asks for it, and the study's controls are softer",
        ),
        ({"expected": {"claim.b": Status.REFUTED}}, "expected = 'claim.b' .* claims are claim.a"),
    ],
)
def test_a_declaration_is_checked(changes, said):
    with pytest.raises(InputError, match=said):
        study(**changes)


def test_a_control_may_be_a_function_or_constants():
    study(claims=[claim(control=Control("x", made=lambda one: one)), claim("b", control=Control("x", {"edge": 0}))])


def test_number_types_and_backends_are_the_studys():
    check_dtype(study(), "float64", "numpy")
    with pytest.raises(InputError, match=r"dtype = 'float32' .* must be float64: what mine runs in"):
        check_dtype(study(), "float32", "numpy")
    with pytest.raises(InputError, match=r"backend = 'cupy' .* one of auto, numpy"):
        check_dtype(study(), "float64", "cupy")


def test_streams_are_keyed_by_root_study_seed_and_name():
    def draw(root=0, name="mine", what="noise", seed=None, **at):
        task = Task(name, "cells", at, None, root)
        return task.rng(what, seed).integers(2**62)

    first = draw(seed=0)
    assert draw(seed=0) == first
    assert draw(seed=0, gamma=0.9) == first  # tasks of the same seed share their draws
    others = [{"root": 1}, {"name": "other"}, {"what": "weights"}, {"seed": 1}]
    assert len({first, *(draw(**({"seed": 0} | other)) for other in others)}) == 5
    assert draw(seed=1) == streams(0, "mine", 1)("noise").integers(2**62)
    assert Task("mine", "cells", {"seed": 1}, None).rng("noise").integers(2**62) == draw(seed=1)
    assert Task("mine", "cells", {"seed": range(4)}, None).rng("noise", 1).integers(2**62) == draw(seed=1)
    with pytest.raises(
        InputError, match=r"seed = '0…3' .* the task cells seed=0…3 has several; .* rng\('noise', seed\)"
    ):
        Task("mine", "cells", {"seed": range(4)}, None).rng("noise")


def test_tasks_without_a_seed_have_streams_of_their_own():
    """An axis of draws under another name would else be the same draw each time."""
    places = [{"draw": 0}, {"draw": 1}, {"draw": 1, "gamma": 0.5}, {"draw": 1, "gamma": 0.9}, {}, {"seed": 0}]

    def drawn(at, what="noise"):
        return Task("mine", "cells", at, None).rng(what).integers(2**62)

    assert len({drawn(at) for at in places[:4]}) == 4
    assert drawn(places[1]) == drawn(places[1]) != drawn(places[1], "weights")
    assert drawn({}) == drawn({"seed": 0})
    assert Task("mine", "cells", {"draw": 1}, None).rng("noise", 3).integers(2**62) == drawn({"seed": 3})


def test_parts_are_gathered_by_their_tasks():
    """What `experiment_tasks` makes is what `grid` takes."""
    tasks = tasks_of(study(), seeds=3, gammas=(0.5, 0.9))["cells"]
    found = grid(tasks, [compute(task) for task in tasks])
    assert found.x.dims == ("seed", "gamma")
    assert found.x.values.tolist() == [[0, 0], [1, 1], [2, 2]]


@dataclass(frozen=True)
class Everything:
    count: int = 3
    rate: float = 1
    none: float | None = None
    some: float | None = 0.5
    span: tuple[float, float] | None = (1e-3, 1.0)
    pairs: tuple[tuple[int, str], ...] = ((1, "a"), (2, "b"))
    law: Law = Law(d=7)
    maybe: Law | None = Law()
    laws: tuple[Law, ...] = (Law(1), Law(2))
    name: Literal["a", "b"] = "b"
    flag: bool = True
    endless: float = math.inf
    below: tuple[float, ...] = (-math.inf, 0.1, 1)
    path: Path = Path("a/b")
    either: int | str = "1"
    anything: Any = None
    empty: tuple[int, ...] = ()
    table: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"x": 1.5})
    numbers: list[int] = dataclasses.field(default_factory=lambda: [1, 2])
    made: int = dataclasses.field(init=False, default=9)


def test_settings_come_back_from_json_as_they_were():
    written = json.loads(json.dumps(plain(Everything()), allow_nan=False))
    found = restored(Everything, written)
    assert found == Everything()
    assert repr(found) == repr(Everything())  # an int that was given for a float is one still


def test_numbers_of_numpy_are_numbers():
    assert plain(Law(np.int64(3), np.float32(0.5))) == {"d": 3, "sigma": 0.5}
    assert plain((np.bool_(True), np.float64(np.inf))) == [True, "inf"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 1.5}, "1.5 is no int"),
        ({"count": True}, "True is no int"),
        ({"count": "3"}, "'3' is no int"),
        ({"rate": "fast"}, "'fast' is no float"),
        ({"flag": 1}, "1 is no bool"),
        ({"span": [1.0]}, "is no"),
        ({"pairs": [[1, "a", 2]]}, "is no"),
        ({"law": {"d": 1, "s": 2}}, "Law has no s"),
        ({"law": 3}, "3 is no Law"),
        ({"name": "c"}, "'c' is no"),
        ({"unknown": 1}, "Everything has no unknown"),
    ],
)
def test_json_of_another_type_is_refused(changes, said):
    with pytest.raises(TypeError, match=said):
        restored(Everything, plain(Everything()) | changes)


def test_what_json_has_no_word_for_does_not_come_back():
    @dataclass(frozen=True)
    class Odd:
        z: complex = 1j

    assert plain(Odd()) == {"z": "1j"}
    with pytest.raises(TypeError, match="'1j' is no complex"):
        restored(Odd, plain(Odd()))


def test_settings_that_check_themselves_do_so_when_they_come_back():
    with pytest.raises(InputError, match="seeds"):
        restored(Settings, plain(Settings()) | {"seeds": 0})


def test_long_arrays_that_differ_in_their_middle_are_different_settings():
    """Their printed texts are the same."""
    one, other = np.arange(3000.0), np.arange(3000.0)
    other[1500] += 1
    assert repr(one) == repr(other)
    assert plain({"x": one}) != plain({"x": other})
    assert plain(one.reshape(2, -1)) == one.reshape(2, -1).tolist()
    assert plain(xr.DataArray(one, dims="x")) != plain(xr.DataArray(other, dims="x"))
    assert plain({3, 1}) == [1, 3]


def test_settings_without_a_text_of_their_own_are_refused():
    """Their fingerprint would be where in memory they are: another one in every process."""
    for x in (object(), [lambda x: x], {"f": test_long_arrays_that_differ_in_their_middle_are_different_settings}):
        with pytest.raises(InputError, match="it needs a repr that says what it is"):
            plain(x)
    assert plain(Status) == repr(Status)
