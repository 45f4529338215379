"""The protocol of a study: a file that declares what is run, on what it is judged, and what a reader takes home.

A study is data. ``sims/studies/NAME.py`` defines ``STUDY = Study(…)``, and its name names everything: the command, the
random streams, the folder of results, the pictures, the page, the test. The way of the data is one direction:

    settings → axes → tasks → compute → parts → gather, derive → data → evidence → judge → verdicts

Authors write the definition, and never the plumbing: threads, Dask, resuming, checksums, flags, progress and files are
`sims.run`'s.
"""

from __future__ import annotations

__all__ = [
    "SIZES",
    "Axes",
    "Data",
    "Experiment",
    "Result",
    "Study",
    "Task",
    "at_size",
    "attempt",
    "check_dtype",
    "experiment_tasks",
    "grid",
    "option",
    "settings_of",
    "spell",
]

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lemmascope.sims.grid import grid, spell
from lemmascope.theory.claim import Claim, Evidence
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.verdict import Status, Verdict

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from lemmascope.sims.tables import Table
    from lemmascope.theory.sequential import Plan

S = TypeVar("S")
T = TypeVar("T")
V = TypeVar("V")

Axes = Mapping[str, Sequence[Any]]
Data = Mapping[str, "xr.Dataset"]
"""Labelled data by experiment."""

SIZES = ("tiny", "quick", "default", "full")
"""For tests (2 s), for a look (10 s), as published (a minute), for a cluster."""

UNSET: Any = object()


def option(default: Any, help: str, *, tiny: Any = UNSET, quick: Any = UNSET, full: Any = UNSET, flag: str = "") -> Any:
    """A field of a study's settings: its value at each size, and what ``--help`` says of it.

    A field whose type is a frozen dataclass is flattened: each of its fields is a flag. Such a field may be an `option`
    with values by size itself, which are taken where the field that holds the dataclass has none of that size.

    Args:
        default: at the size "default", and at every size that is not given.
        help: one sentence.
        tiny, quick, full: at these sizes.
        flag: name of the flag, where it is not the field's own.
    """
    sizes = {name: x for name, x in (("tiny", tiny), ("quick", quick), ("full", full)) if x is not UNSET}
    return field(default=default, metadata={"help": help, "sizes": sizes, "flag": flag})


def at_size(f: dataclasses.Field[Any], size: str) -> Any:
    """A field's value at a size; ``dataclasses.MISSING`` where it has none."""
    if size in f.metadata.get("sizes", {}):
        return f.metadata["sizes"][size]
    found = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
    if not dataclasses.is_dataclass(found) or isinstance(found, type):
        return found
    inner = {one.name: at_size(one, size) for one in dataclasses.fields(found) if _has_size(one, size)}
    return dataclasses.replace(found, **inner) if inner else found


def _has_size(f: dataclasses.Field[Any], size: str) -> bool:
    """Whether it, or a field of the dataclass that it holds, has a value of its own at a size."""
    if size in f.metadata.get("sizes", {}):
        return True
    within = dataclasses.is_dataclass(f.default) and not isinstance(f.default, type)
    return within and any(_has_size(one, size) for one in dataclasses.fields(f.default))  # type: ignore[arg-type]


def settings_of(kind: type[S], size: str = "default", /, **given: Any) -> S:
    """The settings of a size, with what is given in place of its values.

    Raises:
        InputError: an unknown size or name, or settings that refuse each other.
    """
    if size not in SIZES:
        raise InputError("size", size, f"it must be one of {', '.join(SIZES)}")
    known = dataclasses.fields(kind)  # type: ignore[arg-type]
    names = [f.name for f in known]
    for name in given:
        if name not in names:
            raise InputError("settings", name, f"the names are {', '.join(names)}")
    sized = {f.name: x for f in known if f.init and (x := at_size(f, size)) is not dataclasses.MISSING}
    return kind(**(sized | given))


@dataclass(frozen=True)
class Task(Generic[S]):
    """One part of an experiment: what a thread, or a machine, takes at a time.

    Attributes:
        study, experiment: whose.
        at: its place on the experiment's axes.
        settings: the study's; root_seed: of all random streams.
        cost: relative; the longest are taken first.
        dtype: "float64" or "float32"; backend: what computes ("auto", or a name that the engine knows).
    """

    study: str
    experiment: str
    at: Mapping[str, Any]
    settings: S
    root_seed: int = 0
    cost: float = 1.0
    dtype: str = "float64"
    backend: str = "auto"

    @property
    def key(self) -> str:
        """Its name: "cells seed=0 block=3"."""
        return " ".join([self.experiment, *(f"{name}={spell(x)}" for name, x in self.at.items())])

    def rng(self, what: str, seed: int | None = None) -> np.random.Generator:
        """The generator of what is drawn: keyed by root seed, study, seed and name.

        Draws do not depend on the order, on the batch or on the other tasks. Tasks of the same seed share them, unless
        ``what`` names their other axes too; where no axis is the seed each task has its own, keyed by all of ``at``.

        Args:
            what: is drawn.
            seed: default ``at["seed"]``; one of a task that has a range of them.

        Raises:
            InputError: the seed is no integer ≥ 0.
        """
        from lemmascope.sims.seeds import streams

        if seed is None and "seed" not in self.at:
            seed, what = 0, " ".join([what, *(f"{name}={spell(x)}" for name, x in self.at.items())])
        index = self.at["seed"] if seed is None else seed
        if isinstance(index, range | list | tuple):
            raise InputError(
                "seed", spell(index), f"the task {self.key} has several; say of which, rng({what!r}, seed)"
            )
        return streams(self.root_seed, self.study, index)(what)


def _as_asked(backend: str) -> str:
    return backend


def _no_cost(settings: Any, at: Mapping[str, Any]) -> float:
    return 1.0


def _always(settings: Any) -> bool:
    return True


@dataclass(frozen=True)
class Experiment(Generic[S]):
    """Something that is computed in parts.

    Args:
        axes: from the settings to the grid of tasks, {"seed": range(5), "gamma": s.gammas}.
        compute: from a task to its part, a small Dataset of numbers and strings; a function of a module, that runs in
            one thread and asks `sims.stopping.stopped` now and then if it takes seconds.
        cost: of a task, relative to the others (settings, its place).
        gather: from all tasks and parts to the experiment's data; default every part at its place.
        when: whether these settings ask for it; its data are absent where they do not.
        needs: about how many bytes a task takes of memory while it runs, and of the disc for its part (settings, its
            place); for ``--explain``.
    """

    axes: Callable[[S], Axes]
    compute: Callable[[Task[S]], xr.Dataset]
    cost: Callable[[S, Mapping[str, Any]], float] = _no_cost
    gather: Callable[[Sequence[Task[S]], Sequence[xr.Dataset]], xr.Dataset] = grid
    when: Callable[[S], bool] = _always
    needs: Callable[[S, Mapping[str, Any]], tuple[float, float]] | None = None


def attempt(what: str, failures: list[str], function: Callable[[], T], otherwise: V) -> T | V:
    """What a function of a study's author returns; where it fails, that is told and something else taken.

    What was computed is never lost to what comes after it.
    """
    try:
        return function()
    except (Exception, SystemExit) as error:
        told = error.brief if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        failures.append(f"{what} failed ({told})")
        return otherwise


@dataclass(frozen=True)
class Result(Generic[S]):
    """What a study found: its data by experiment, the evidence that was judged, and the verdicts.

    Attributes:
        undecided: what its sizes could not decide, by id of the claim, and why.
        failures: what failed once all was computed, a sentence each; claims that it concerns are INCONCLUSIVE.
    """

    study: Study[S]
    settings: S
    root_seed: int
    data: Data
    evidence: tuple[Evidence, ...]
    verdicts: tuple[Verdict, ...]
    undecided: Mapping[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Claims that concern none of the evidence, but those that these sizes cannot decide."""
        known = {v.claim for v in self.verdicts} | set(self.undecided)
        return tuple(claim.id for claim in self.study.claims if claim.id not in known)

    @property
    def as_expected(self) -> bool:
        """Whether every claim was judged, and every verdict is as expected, its control being REFUTED."""
        return not self.unjudged and all(v.as_expected for v in self.verdicts)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The study's tables; none where they fail."""
        return attempt("tables", self.failures, lambda: tuple(self.study.tables(self)), ())

    @cached_property
    def summary(self) -> tuple[str, ...]:
        """Its sentences; none where they fail."""
        return attempt("summary", self.failures, lambda: tuple(map(str, self.study.summary(self))), ())


def _as_it_is(settings: Any, data: Data) -> Data:
    return data


def _nothing(result: Any) -> Sequence[Any]:
    return ()


def _at_once(settings: Any) -> Plan | None:
    return None


def _all_decided(settings: Any) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Study(Generic[S]):
    """A study as data.

    Args:
        name: names command, streams, results, figures, page and test.
        subject: the folder of its theorem's mathematics; free for a study of a user's own.
        message: two sentences: what a reader is to take home.
        settings: a frozen dataclass of `option` fields, which checks itself with `InputError`.
        experiments: by name; at least one.
        evidence: from settings and data to what is judged.
        claims: what is judged on it.
        controls: ways to make other evidence by name, from (the evidence, all of them) to the control's, or None where
            it cannot be made.
        derive: from settings and data to data; cheap and pure (what takes seconds is an experiment).
        expected: statuses that the theory expects here and that differ from the claim's own, by id; None for an open
            question, on a user's own data, say: whatever comes out is as expected, its control being REFUTED. Where
            they depend on the settings, a function of them.
        undecided: from the settings to the claims that they cannot decide, by id, and why: a grid too coarse, a range
            too short, "…; --cells 16 decides". It is said before anything is computed, and their verdict is
            INCONCLUSIVE as expected. Too few seeds are known without it.
        sequential: from the settings to a sequential test (`theory.sequential.Plan`), where they ask for one: then
            claims with a probability are decided at its level, in the order of the seeds, and a run ends once all are.
        adds: settings that add to the results and change nothing of them; with them a run is still of its size.
        tables, summary: what the terminal and the page show beside the verdicts, from the result.
        pictures: a function without arguments that returns the study's pictures, for a study in one file; the house's
            own are in ``sims/figures/NAME.py``.
        examples: command lines for ``--help``.
        seconds: about how long the default size takes on two cores.
        dtypes, backends: what ``--dtype`` and ``--backend`` may be.
        resolve: what a backend stands for on this machine: "compiled" for "auto".
        file, source: path of a user's own study, and its text as it was run; the registry sets them.

    Raises:
        InputError: a name that cannot be a file's, no experiment, claims that share an id, a control that is unknown.
    """

    name: str
    subject: str
    message: str
    settings: type[S]
    experiments: Mapping[str, Experiment[S]]
    evidence: Callable[[S, Data], Sequence[Evidence]]
    claims: Sequence[Claim]
    controls: Mapping[str, Callable[[Any, Sequence[Any]], Any]] = field(default_factory=dict)
    derive: Callable[[S, Data], Data] = _as_it_is
    expected: Mapping[str, Status | None] | Callable[[S], Mapping[str, Status | None]] = field(default_factory=dict)
    undecided: Callable[[S], Mapping[str, str]] = _all_decided
    sequential: Callable[[S], Plan | None] = _at_once
    adds: Sequence[str] = ()
    tables: Callable[[Result[S]], Sequence[Table]] = _nothing
    summary: Callable[[Result[S]], Sequence[str]] = _nothing
    pictures: Callable[[], Sequence[Any]] | None = None
    examples: Sequence[str] = ()
    seconds: float | None = None
    dtypes: Sequence[str] = ("float64",)
    backends: Sequence[str] = ("auto", "numpy")
    resolve: Callable[[str], str] = _as_asked
    file: str = ""
    source: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InputError("study", self.name, "its name must be letters, digits and _, as a file's")
        if not isinstance(self.settings, type) or not dataclasses.is_dataclass(self.settings):
            raise InputError("settings", self.settings, "it must be a dataclass, the class itself")
        bare = [
            f.name for f in dataclasses.fields(self.settings) if f.default is MISSING and f.default_factory is MISSING
        ]
        if bare:
            raise InputError("settings", bare, "each field needs a default: option(default, help)")
        if self.pictures is not None and not callable(self.pictures):
            raise InputError("pictures", self.pictures, "it must be a function that returns them: lambda: [Picture(…)]")
        if not self.experiments:
            raise InputError("study", self.name, "it must have at least one experiment")
        for name in self.experiments:
            if not name.isidentifier():
                raise InputError("experiment", name, "its name must be letters, digits and _, as a file's")
        ids = [claim.id for claim in self.claims]
        twice = {name for name in ids if ids.count(name) > 1}
        if twice:
            raise InputError("claims", sorted(twice), "each claim of a study needs an id of its own")
        for claim in self.claims:
            made = claim.control.made if claim.control is not None else None
            if isinstance(made, str) and made not in self.controls:
                known = ", ".join(self.controls) or "none"
                raise InputError("control", made, f"{claim.id} asks for it, and the study's controls are {known}")
        if not callable(self.expected):
            self._claimed("expected", self.expected)

    def expects(self, settings: S) -> Mapping[str, Status | None]:
        """`expected` for these settings.

        Raises:
            InputError: a claim that is none of the study's.
        """
        return self._claimed("expected", self.expected(settings) if callable(self.expected) else self.expected)

    def leaves_open(self, settings: S) -> Mapping[str, str]:
        """`undecided` for these settings.

        Raises:
            InputError: a claim that is none of the study's.
        """
        return self._claimed("undecided", self.undecided(settings))

    def _claimed(self, what: str, found: Mapping[str, V]) -> Mapping[str, V]:
        ids = [claim.id for claim in self.claims]
        for name in found:
            if name not in ids:
                raise InputError(what, name, f"the study's claims are {', '.join(ids)}")
        return found


MOST = 10**6
"""Parts of an experiment, and values of an axis, at most."""


def _countable(axis: str, values: Sequence[Any]) -> Sequence[Any]:
    try:
        many = len(values) > MOST
    except OverflowError:
        many = True
    if many:
        raise InputError(axis, "a great many values", f"it must have at most {MOST}")
    return values


def experiment_tasks(
    study: Study[S], settings: S, root_seed: int, *, dtype: str = "float64", backend: str = "auto"
) -> dict[str, list[Task[S]]]:
    """Every task of every experiment, in the order of the axes, the last one fastest.

    Raises:
        InputError: an empty axis, or two tasks of the same name.
    """
    if check_size("root_seed", root_seed, 0) >= 2**63:
        raise InputError("root_seed", root_seed, "it must be less than 2⁶³, to fit a results file")
    found: dict[str, list[Task[S]]] = {}
    for name, experiment in study.experiments.items():
        if not experiment.when(settings):
            continue
        axes = {axis: list(_countable(axis, values)) for axis, values in experiment.axes(settings).items()}
        if math.prod(map(len, axes.values())) > MOST:
            raise InputError("axes", {axis: len(x) for axis, x in axes.items()}, f"{name} would have over {MOST} parts")
        for axis, values in axes.items():
            if not values:
                raise InputError(axis, values, f"the experiment {name} needs at least one value")
        tasks = []
        for place in itertools.product(*axes.values()):
            at = dict(zip(axes, place, strict=True))
            try:
                cost = float(experiment.cost(settings, at))
            except OverflowError:
                cost = math.inf
            if not (math.isfinite(cost) and cost >= 0):
                raise InputError("cost", cost, f"that of a task of {name} must be a finite number ≥ 0")
            tasks.append(Task(study.name, name, at, settings, root_seed, cost, dtype, backend))
        keys = [task.key for task in tasks]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError("axes", twice, "two tasks share this name; values of an axis must differ")
        found[name] = tasks
    if not found:
        raise InputError("settings", study.name, "they ask for no experiment")
    return found


def check_dtype(study: Study[Any], dtype: str, backend: str) -> None:
    """Raise `InputError` unless the study runs in this number type and on this backend."""
    for what, value, known in (("dtype", dtype, study.dtypes), ("backend", backend, study.backends)):
        if value not in known:
            accepted = f"it must be {known[0]}" if len(known) == 1 else f"it must be one of {', '.join(known)}"
            raise InputError(what, value, f"{accepted}: what {study.name} runs in")


def plain(settings: Any) -> Any:
    """Settings as JSON values; what JSON has no word for by its ``repr``. `restored` is the way back.

    Raises:
        InputError: a value of which that would only say where in memory it is.
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {f.name: plain(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
    if isinstance(settings, Mapping):
        return {str(k): plain(v) for k, v in settings.items()}
    if isinstance(settings, range) and abs(settings.stop - settings.start) > MOST:
        return repr(settings)  # says what it is, and is never counted out
    if isinstance(settings, list | tuple | range):
        return [plain(v) for v in settings]
    if isinstance(settings, Path):
        return str(settings)
    if isinstance(settings, set | frozenset):
        return sorted((plain(v) for v in settings), key=repr)
    for whole in ("to_dict", "tolist"):  # the text of a long array leaves out its middle
        if not isinstance(settings, type) and callable(getattr(settings, whole, None)):
            return plain(getattr(settings, whole)())
    if isinstance(settings, float) and not math.isfinite(settings):
        return repr(settings)
    try:
        return json.loads(json.dumps(settings))
    except TypeError:
        text = repr(settings)
        if re.search(r"\bat 0x[0-9a-fA-F]+", text):
            why = "it needs a repr that says what it is, as that of a dataclass: results are known by it"
            raise InputError("settings", text, why) from None
        return text


AS_IT_IS = {None: (NoneType,), NoneType: (NoneType,), bool: (bool,), int: (int,), float: (float, int), str: (str,)}
"""Types that JSON has a word for, and what is read there."""


def restored(hint: Any, x: Any) -> Any:
    """A value from what `plain` made of it, by its type: tuples from lists, dataclasses from tables.

    Args:
        hint: the type, as a field of settings declares it.
        x: JSON.

    Raises:
        TypeError: it is not of that type, or the type is one that JSON cannot tell.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        for one in inner:
            with suppress(TypeError):
                return restored(one, x)
    elif dataclasses.is_dataclass(hint) and isinstance(x, dict):
        return _restored_fields(hint, x)
    elif tuple in (hint, origin) and isinstance(x, list):
        each = (inner[:1] or (Any,)) * len(x) if Ellipsis in inner or not inner else inner
        if len(each) == len(x):
            return tuple(restored(one, v) for one, v in zip(each, x, strict=True))
    elif list in (hint, origin) and isinstance(x, list):
        return [restored(inner[0] if inner else Any, v) for v in x]
    elif (dict in (hint, origin) or origin is Mapping) and isinstance(x, dict):
        return {name: restored(inner[1] if inner else Any, v) for name, v in x.items()}
    elif hint is float and x in ("inf", "-inf", "nan"):
        return float(x)
    elif hint is Path and isinstance(x, str):
        return Path(x)
    elif hint is Any or type(x) in AS_IT_IS.get(hint, ()) or (origin is Literal and x in inner):
        return x
    raise TypeError(f"{x!r} is no {getattr(hint, '__name__', hint)}")


def _restored_fields(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass; fields that are not there have their defaults."""
    hints, fields = get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}
    if unknown := set(values) - set(fields):
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**{name: restored(hints[name], x) for name, x in values.items() if fields[name].init})
