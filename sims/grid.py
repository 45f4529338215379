"""Parts put at their places: the axes of the tasks become dimensions of one data set."""

from __future__ import annotations

__all__ = ["grid", "spell"]

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lemmascope.theory.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


def spell(x: Any) -> str:
    """A place on an axis as text: a range by its ends, numbers as short as they read back."""
    if isinstance(x, range) and x:
        return f"{x[0]}…{x[-1]}" if len(x) > 1 else str(x[0])
    if isinstance(x, float):
        return repr(float(x)) if not x.is_integer() or abs(x) > 1e15 else str(int(x))
    return str(x)


def grid(tasks: Sequence[Any], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Every part at its place: the axes of the tasks become dimensions in front of the parts' own.

    An axis that a part has as a dimension itself (a range of seeds) is joined along it. A coordinate that differs from
    part to part gets the axes as dimensions too, as every variable does, unless it is a dimension's own. Attributes are
    those that all parts share. Values keep their type and every bit; of several types NumPy's common one is taken.

    Args:
        tasks: of one experiment, every combination of its axes once (`sims.study.experiment_tasks`).
        parts: theirs.

    Raises:
        InputError: the parts do not fit together: other variables, dimensions, sizes or labels than the first has.
    """
    import xarray as xr

    first = parts[0]
    if not tasks[0].at:
        return first
    axes = [_axis(name, tasks, parts) for name in tasks[0].at]
    if len(tasks) != math.prod(len(axis.values) for axis in axes):
        raise InputError("tasks", len(tasks), "every combination of the axes must be there, and once")
    for task, part in zip(tasks, parts, strict=True):
        _check_like(first, part, task)
    new, own = [axis for axis in axes if not axis.ends], [axis for axis in axes if axis.ends]
    coords = {axis.name: xr.Variable(axis.name, _labels(axis.values)) for axis in new}
    data: dict[str, xr.Variable] = {}
    for name in map(str, first.variables):
        each = [part.variables[name] for part in parts]
        if name in coords:
            continue  # a part's place on an axis, as its label
        found = None if name in first.data_vars else _placed(each, own, [])
        if found is None and name not in first.dims:
            found = _placed(each, own, new)
        if found is None:
            why = "it differs between parts without saying along which axis; give the experiment a `gather` of its own"
            raise InputError("experiment", f"{tasks[0].experiment}: {name}", why)
        (data if name in first.data_vars else coords)[name] = found
    for axis in own:
        if axis.name not in coords and len(labels := _one_by_one(axis.values)) == axis.ends[-1]:
            coords[axis.name] = xr.Variable(axis.name, _labels(labels))
    return xr.Dataset(data, coords, _shared([part.attrs for part in parts]))


@dataclass(frozen=True)
class _Axis:
    """An axis of the tasks: its values in order, and the number of that of each task.

    Where the parts have it as a dimension, ``ends`` says up to where along it the part of each value lies.
    """

    name: str
    values: list[Any]
    numbers: list[int]
    ends: list[int]

    @property
    def length(self) -> int:
        return self.ends[-1] if self.ends else len(self.values)

    def place(self, k: int) -> int | slice:
        """That of task k."""
        number = self.numbers[k]
        return slice(self.ends[number - 1] if number else 0, self.ends[number]) if self.ends else number


def _axis(name: str, tasks: Sequence[Any], parts: Sequence[xr.Dataset]) -> _Axis:
    if name in parts[0].data_vars:
        raise InputError(f"part {tasks[0].key}: {name}", "a variable", "an axis of the tasks has this name")
    found: dict[str, int] = {}
    numbers = [found.setdefault(spell(task.at[name]), len(found)) for task in tasks]
    where = [numbers.index(number) for number in range(len(found))]
    values = [tasks[k].at[name] for k in where]
    if name not in parts[0].dims:
        if name == "seed" and any(isinstance(x, range | list | tuple) for x in values):
            why = f"a task that has a range of them needs them as a dimension {name} of its part"
            raise InputError(f"part {tasks[0].key}: {name}", spell(values[0]), why)
        return _Axis(name, values, numbers, [])
    sizes = [parts[k].sizes.get(name) for k in where]
    for task, part, number in zip(tasks, parts, numbers, strict=True):
        if name not in part.dims or part.sizes[name] != sizes[number]:
            wanted = f"it must be {sizes[number]}, as in the other parts at {name} = {spell(values[number])}"
            raise InputError(f"part {task.key}: size of {name}", part.sizes.get(name), wanted)
    return _Axis(name, values, numbers, list(itertools.accumulate(size or 0 for size in sizes)))


def _check_like(first: xr.Dataset, part: xr.Dataset, task: Any) -> None:
    """Raise `InputError` unless a part has the variables of the first one, with their dimensions and sizes."""
    names, wanted = ({name: name in one.coords for name in one.variables} for one in (part, first))
    if names != wanted:
        raise InputError(
            f"part {task.key}: variables", sorted(map(str, names)), f"they must be {sorted(map(str, wanted))}"
        )
    for name, variable in part.variables.items():
        if variable.dims != first.variables[name].dims:
            dims = f"they must be {first.variables[name].dims}, as in the first part"
            raise InputError(f"part {task.key}: dimensions of {name}", variable.dims, dims)
    for name, size in part.sizes.items():
        if name not in task.at and size != first.sizes[name]:
            raise InputError(
                f"part {task.key}: size of {name}", size, f"it must be {first.sizes[name]}, as in the first part"
            )


def _placed(each: Sequence[xr.Variable], own: Sequence[_Axis], front: Sequence[_Axis]) -> xr.Variable | None:
    """A variable of all parts, with the axes ``front`` as dimensions before its own.

    None where parts that have the same place in it differ.
    """
    import numpy as np
    import xarray as xr

    dims, joined = each[0].dims, {axis.name: axis for axis in own}
    lengths = [joined[d].length if d in joined else each[0].sizes[d] for d in dims]
    along = [*front, *(joined[d] for d in dims if d in joined)]
    whole = np.empty([*(axis.length for axis in front), *lengths], _common_type(each))
    filled: set[tuple[int, ...]] = set()
    for k, variable in enumerate(each):
        inner = (joined[d].place(k) if d in joined else slice(None) for d in dims)
        place = (*(axis.place(k) for axis in front), *inner)
        number = tuple(axis.numbers[k] for axis in along)
        if number not in filled:
            filled.add(number)
            whole[place] = variable.values
        elif not _same(whole[place], variable.values):
            return None
    return xr.Variable([*(axis.name for axis in front), *dims], whole, _shared([one.attrs for one in each]))


def _common_type(each: Sequence[xr.Variable]) -> np.dtype:
    import numpy as np

    types = {one.dtype for one in each}
    if len({dtype.kind == "U" for dtype in types}) > 1:
        raise InputError("parts", sorted(map(str, types)), "a variable must be text in all of them, or in none")
    return np.result_type(*types)


def _same(a: Any, b: Any) -> bool:
    """Whether two values or arrays are equal; NaN equals NaN."""
    import numpy as np

    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or (a.dtype.kind == "U") != (b.dtype.kind == "U"):
        return False
    return bool(np.all((a == b) | ((a != a) & (b != b))))


def _shared(each: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """The attributes that all have."""
    return {name: x for name, x in each[0].items() if all(name in one and _same(x, one[name]) for one in each[1:])}


def _labels(values: Sequence[Any]) -> np.ndarray:
    """Places on an axis: numbers, or text; what is neither all numbers nor all text is spelled."""
    import numpy as np

    kinds = {np.asarray(x).dtype.kind if np.ndim(x) == 0 else "O" for x in values}
    if kinds <= {"i", "u", "f"} or kinds in ({"b"}, {"U"}):
        return np.array(values)
    return np.array([spell(x) for x in values])


def _one_by_one(values: Sequence[Any]) -> list[Any]:
    """Every place on an axis whose values are places, or ranges or tuples of them."""
    return [x for value in values for x in (value if isinstance(value, range | list | tuple) else [value])]
