"""Parts at their places: every dtype and bit is kept, and what does not fit together is refused."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.grid import grid, spell
from lemmascope.theory.errors import InputError


def tasks_on(**axes):
    """A task for each combination, the last axis fastest."""
    made = []
    for place in itertools.product(*axes.values()):
        at = dict(zip(axes, place, strict=True))
        made.append(SimpleNamespace(experiment="cells", at=at, key=" ".join(f"{k}={spell(x)}" for k, x in at.items())))
    return made


def parts_of(tasks, make):
    return [make(**task.at) for task in tasks]


VALUES = {
    "bool": [True, False, True, True],
    "int8": [-128, 127, 0, 1],
    "int64": [2**62 + 1, -(2**63), 2**63 - 1, 0],
    "uint64": [2**64 - 1, 0, 1, 2**63],
    "float32": [np.float32(0.1), -0.0, np.inf, np.nan],
    "float64": [0.1, -0.0, 5e-324, np.nan],
    "complex128": [1 + 2j, complex(-0.0, np.inf), 0, complex(0, np.nan)],
    "<U5": ["a", "", "naïve", "γ"],
}


@pytest.mark.parametrize("dtype", VALUES)
def test_every_type_and_bit_is_kept(dtype):
    values = np.array(VALUES[dtype], dtype=dtype).reshape(2, 2)
    tasks = tasks_on(seed=[0, 1], gamma=[0.5, 0.9])
    parts = [
        xr.Dataset({"scalar": ((), values[i, j]), "row": ("k", values[i])}) for i, j in itertools.product(*2 * [[0, 1]])
    ]
    found = grid(tasks, parts)
    assert found.scalar.dims == ("seed", "gamma")
    assert found.row.dims == ("seed", "gamma", "k")
    assert found.scalar.dtype == found.row.dtype == np.dtype(dtype)
    assert found.scalar.values.tobytes() == values.tobytes()
    assert found.row.values.tobytes() == np.stack([values, values], axis=1).tobytes()


def test_axes_become_dimensions_in_front_of_the_parts_own():
    tasks = tasks_on(seed=range(2), gamma=(0.0, 0.5, 0.9))

    def part(seed, gamma):
        x = ("iteration", [seed, gamma], {"units": "s"})
        return xr.Dataset({"x": x}, {"iteration": [0, 10], "name": "GD"}, {"law": "exact"})

    found = grid(tasks, parts_of(tasks, part))
    wanted = xr.Dataset(
        {
            "x": (
                ("seed", "gamma", "iteration"),
                [[[float(s), g] for g in (0.0, 0.5, 0.9)] for s in (0, 1)],
                {"units": "s"},
            )
        },
        {"seed": [0, 1], "gamma": [0.0, 0.5, 0.9], "iteration": [0, 10], "name": "GD"},
        {"law": "exact"},
    )
    xr.testing.assert_identical(found, wanted)
    assert found.seed.dtype == np.int64
    assert found.gamma.dtype == np.float64


def test_the_order_of_tasks_is_the_order_of_the_axes_and_no_value_is_sorted():
    tasks = tasks_on(d=[1000, 10, 100], rule=["plain", "momentum"])
    found = grid(tasks, parts_of(tasks, lambda d, rule: xr.Dataset({"x": d + len(rule)})))
    assert found.d.values.tolist() == [1000, 10, 100]
    assert found.rule.values.tolist() == ["plain", "momentum"]
    for task in tasks:
        assert found.x.sel(task.at) == task.at["d"] + len(task.at["rule"])


def test_an_experiment_without_axes_is_its_one_part():
    part = xr.Dataset({"x": 1.5}, attrs={"a": 1})
    xr.testing.assert_identical(grid(tasks_on(), [part]), part)


def test_one_task_has_its_axis():
    found = grid(tasks_on(seed=[7]), [xr.Dataset({"x": 1.5})])
    assert found.x.dims == ("seed",)
    assert found.seed.values.tolist() == [7]


@pytest.mark.parametrize(
    ("values", "labels", "kind"),
    [
        ([0, 0.5], [0.0, 0.5], "f"),
        ([True, False], [True, False], "b"),
        (["none", 0.5, 2.0, 3, None, (0, 1)], ["none", "0.5", "2", "3", "None", "(0, 1)"], "U"),
        ([True, 2], ["True", "2"], "U"),
        ([range(0, 2), range(2, 3)], ["0…1", "2"], "U"),
    ],
    ids=["numbers", "booleans", "text and numbers", "booleans and numbers", "ranges"],
)
def test_labels_are_numbers_or_text(values, labels, kind):
    found = grid(tasks_on(rule=values), [xr.Dataset({"x": k}) for k in range(len(values))])
    assert found.rule.dtype.kind == kind
    assert found.rule.values.tolist() == labels
    assert found.x.values.tolist() == list(range(len(values)))


@pytest.mark.parametrize("labelled", [True, False])
def test_an_axis_that_parts_have_is_joined_along(labelled):
    """Ranges of seeds, the last one shorter, beside an axis that is new; a part's own labels are kept, else the
    axis's are taken."""
    tasks = tasks_on(seed=[range(0, 3), range(3, 6), range(6, 7)], gamma=[0.0, 0.9])
    drawn = np.random.default_rng(0).standard_normal((2, 7, 4))

    def part(seed, gamma):
        some = slice(seed[0], seed[-1] + 1)
        data = {"x": (("seed", "k"), drawn[int(gamma > 0), some]), "law": "exact", "k_0": ("k", [1, 2, 3, 4])}
        own = {"seed": list(seed), "small": ("seed", [s % 2 for s in seed])} if labelled else {}
        return xr.Dataset(data, own)

    found = grid(tasks, parts_of(tasks, part))
    assert found.x.dims == ("gamma", "seed", "k")
    assert found.x.values.tobytes() == drawn.tobytes()
    assert found.seed.values.tolist() == list(range(7))
    assert found.law.dims == ("gamma",)
    assert found.k_0.dims == ("gamma", "k")
    if labelled:
        assert found.small.dims == ("seed",)
        assert found.small.values.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_two_axes_that_parts_have_are_joined_along_both():
    tasks = tasks_on(row=[range(0, 2), range(2, 3)], column=[range(0, 1), range(1, 4)])
    whole = np.arange(12.0).reshape(3, 4)
    found = grid(
        tasks, parts_of(tasks, lambda row, column: xr.Dataset({"x": (("column", "row"), whole[np.ix_(row, column)].T)}))
    )
    assert found.x.dims == ("column", "row")
    assert np.array_equal(found.x.values, whole.T)


def test_attributes_that_differ_are_dropped():
    tasks = tasks_on(seed=range(3))

    def part(seed):
        attrs = {"law": "exact", "list": [1, 2], "nan": float("nan"), "seed": seed, "only the last": 1}
        if seed < 2:
            del attrs["only the last"]
        return xr.Dataset({"x": ((), 1.0, {"long_name": "c", "of": f"seed {seed}"})}, attrs=attrs)

    found = grid(tasks, parts_of(tasks, part))
    assert list(found.attrs) == ["law", "list", "nan"]
    assert found.x.attrs == {"long_name": "c"}


def test_a_parts_place_on_an_axis_as_its_label_is_the_axis():
    tasks = tasks_on(seed=range(2))
    found = grid(tasks, parts_of(tasks, lambda seed: xr.Dataset({"x": seed}, {"seed": 100 + seed})))
    assert found.seed.values.tolist() == [0, 1]


def test_a_coordinate_that_differs_is_placed_too():
    tasks = tasks_on(seed=range(2))
    make = lambda seed: xr.Dataset({"x": ("k", [1, 2])}, {"time": ("k", [seed, 2]), "k": [5, 6]})  # noqa: E731
    found = grid(tasks, parts_of(tasks, make))
    assert "time" in found.coords
    assert found.time.dims == ("seed", "k")
    assert found.time.values.tolist() == [[0, 2], [1, 2]]
    assert found.k.dims == ("k",)


def test_text_of_any_length_is_not_cut():
    tasks = tasks_on(seed=range(2))
    found = grid(tasks, parts_of(tasks, lambda seed: xr.Dataset({"fate": "memorized" if seed else "x"})))
    assert found.fate.values.tolist() == ["x", "memorized"]


def two(first, second):
    return [xr.Dataset(*first), xr.Dataset(*second)]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (two([{"x": 1}], [{"y": 1}]), r"part seed=1: variables = \['y'\] .* \['x'\]"),
        (two([{"x": 1}], [{"x": 1, "y": 1}]), "part seed=1: variables"),
        (two([{"x": 1}], [{}, {"x": 1}]), "part seed=1: variables"),
        (two([{"x": ("a", [1])}], [{"x": ("b", [1])}]), "part seed=1: dimensions of x"),
        (two([{"x": (("a", "b"), [[1]])}], [{"x": (("b", "a"), [[1]])}]), "part seed=1: dimensions of x"),
        (two([{"x": ("a", [1])}], [{"x": ("a", [1, 2])}]), "part seed=1: size of a = 2 .* must be 1"),
        (two([{"x": ("a", [1])}, {"a": [3]}], [{"x": ("a", [1])}, {"a": [4]}]), "cells: a' .* `gather` of its own"),
        (two([{"x": 1}], [{"x": "one"}]), "text in all of them, or in none"),
        (two([{"seed": 1}], [{"seed": 1}]), "an axis of the tasks has this name"),
        (two([{"x": ("seed", [1])}], [{"x": 1}]), "part seed=1: size of seed = None"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, said):
    with pytest.raises(InputError, match=said):
        grid(tasks_on(seed=range(2)), parts)


def test_what_differs_along_a_joined_axis_without_having_it_is_refused():
    """The first block's number would stand for all of them."""
    tasks = tasks_on(seed=[range(0, 2), range(2, 4)])
    parts = parts_of(tasks, lambda seed: xr.Dataset({"x": ("seed", list(seed)), "seconds": float(seed[0])}))
    with pytest.raises(InputError, match="cells: seconds"):
        grid(tasks, parts)


def test_a_block_of_another_size_is_refused():
    tasks = tasks_on(seed=[range(0, 2), range(2, 4)], gamma=[0, 1])
    make = lambda seed, gamma: xr.Dataset({"x": ("seed", [0] * (2 + (gamma == 1 and seed[0] == 2)))})  # noqa: E731
    with pytest.raises(InputError, match=r"part seed=2…3 gamma=1: size of seed = 3 .* must be 2, .* at seed = 2…3"):
        grid(tasks, parts_of(tasks, make))


def test_a_hole_is_refused():
    tasks = tasks_on(seed=range(2), gamma=[0, 1])[:3]
    with pytest.raises(InputError, match="every combination of the axes"):
        grid(tasks, parts_of(tasks, lambda seed, gamma: xr.Dataset({"x": 1})))


def test_parts_are_not_changed():
    parts = two([{"x": ("k", [1, 2])}, {"k": [0, 1]}, {"a": 1}], [{"x": ("k", [3, 4])}, {"k": [0, 1]}, {"a": 2}])
    before = [part.copy(deep=True) for part in parts]
    found = grid(tasks_on(seed=range(2)), parts)
    found.x[:] = 0
    for part, old in zip(parts, before, strict=True):
        xr.testing.assert_identical(part, old)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (0.1, "0.1"),
        (np.float64(0.1), "0.1"),
        (np.int64(3), "3"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        ("a b", "a b"),
        (True, "True"),
        (range(3, 9), "3…8"),
        (range(3, 4), "3"),
        (range(3, 3), "range(3, 3)"),
    ],
)
def test_places_are_spelled(x, text):
    assert spell(x) == text


def test_a_range_that_its_part_does_not_have_is_refused():
    tasks = [SimpleNamespace(at={"seed": seeds}, key=f"cells seed={spell(seeds)}") for seeds in (range(2), range(2, 5))]
    with pytest.raises(InputError, match=r"part cells seed=0…1: seed = '0…1' .* needs them as a dimension seed"):
        grid(tasks, [xr.Dataset({"x": 1.0}), xr.Dataset({"x": 2.0})])
