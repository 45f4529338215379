"""A study carried out: its tasks run, its parts kept, gathered and judged, and its results written."""

from __future__ import annotations

__all__ = ["Compute", "fingerprint", "judge_again", "rehearse", "run_study"]

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import xarray as xr

from lemmascope.sims import netcdf, pictures, registry
from lemmascope.sims.checksums import ResultsError, changed, check_listed, read_provenance
from lemmascope.sims.files import CAPTION, LOCK, ResultsFolder, check_ours, write_json
from lemmascope.sims.judge import as_evidence, judge, unjudged
from lemmascope.sims.own import BESIDE, load_source
from lemmascope.sims.report.verdicts import verdicts_json
from lemmascope.sims.rounds import rounds, undecided_claims
from lemmascope.sims.run.code import UNKNOWN, code_of, made_with
from lemmascope.sims.run.parts import Kept, Parts, check_labelled
from lemmascope.sims.run.provenance import machine_of
from lemmascope.sims.run.store import Store
from lemmascope.sims.run.tasks import Executor, Threads, run_tasks
from lemmascope.sims.sizes import undecided
from lemmascope.sims.study import (
    Data,
    Result,
    Study,
    Task,
    attempt,
    check_dtype,
    experiment_tasks,
    plain,
    restored,
    settings_of,
)
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError

S = TypeVar("S")


@dataclass(frozen=True)
class Compute:
    """From a task of a study to its part; on another machine the study is found again by its name or its file."""

    study: Study[Any]
    backend: str = "auto"

    def __call__(self, task: Task[Any]) -> xr.Dataset:
        """The part of a task."""
        try:
            return self.study.experiments[task.experiment].compute(task)
        except SystemExit as error:  # which would end the command, or a worker, without a word
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error

    def __reduce__(self) -> tuple[Any, ...]:
        study = self.study
        module = registry.module_of(study)
        if module is None:
            raise InputError("study", study.name, "it must be in a file: what is made here is not found elsewhere")
        here = code_of(study), made_with(study, self.backend)
        return _compute, (study.name, study.file, study.source, getattr(module, BESIDE, {}), self.backend, *here)


def _compute(
    name: str, file: str, source: str, beside: Mapping[str, bytes], backend: str, code: str, made: Mapping[str, str]
) -> Compute:
    """A user's own study from its text, whatever the file is by now, or where it is not.

    Raises:
        InputError: the same study has other code here, or would be computed with other versions.
    """
    study = registry.found_in(load_source(source, Path(file), beside), file) if file else registry.study(name)
    if code_of(study) != code:
        raise InputError("cluster", name, "a worker has other code than this process; both need the same lemmascope")
    for what, here in made_with(study, backend).items():
        if here != made[what]:
            raise InputError(
                "cluster", name, f"a worker computes with another {what} ({here} there, {made[what]} here)"
            )
    return Compute(study, backend)


def fingerprint(study: Study[S], settings: S, root_seed: int, dtype: str, backend: str) -> dict[str, Any]:
    """What makes a study the same study, as JSON."""
    return {
        "study": study.name,
        "settings": plain(settings),
        "root_seed": root_seed,
        "dtype": dtype,
        "backend": backend,
        "lemmascope_version": version("lemmascope"),
    }


def run_study(
    study: Study[S] | str,
    settings: S | None = None,
    *,
    root_seed: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    executor: Executor | None = None,
    dtype: str = "",
    backend: str = "auto",
    progress: Callable[[Task[S]], None] | None = None,
    begin: Callable[[list[Task[S]]], None] | None = None,
    notice: Callable[[str], None] | None = None,
    width: str = "text",
) -> Result[S]:
    """Compute what is missing of a study, gather, judge, and write the results.

    Args:
        study: a `Study`, the name of one of the house, or the path of a file of one's own.
        settings: default those of the size "default" (`sims.study.settings_of` makes those of other sizes).
        root_seed: root of all random streams.
        out: folder for parts and results; default none, everything stays in memory.
        resume: go on with the parts that lie there; force: replace what lies there.
        executor: where tasks run, default `Threads`; `sims.run.cluster.Dask` for a cluster. The same bits anywhere.
        dtype, backend: what the study computes in; default the first number type that it has.
        progress: called with each task after its part is kept; begin: before, with all that are to be computed; of a
            sequential test before each round, with those of the round.
        width: of the pictures, "text" or "column" (3.25 inches).
        notice: called with a sentence on what is there already, and on what was damaged and is computed again.

    Returns:
        The result, with data by experiment and the verdicts, each with its control. What fails once all is computed (a
        claim, the evidence, a table, a picture) is told by ``notice``, and loses nothing else: claims that it concerns
        are INCONCLUSIVE.

    Raises:
        InputError: settings or flags outside their range, or a folder that holds something else.
        sims.run.cluster.ClusterLost: the cluster ended before the study; finished parts are kept.
        KeyboardInterrupt: finished parts are kept.
        OSError: something could not be written.
    """
    if isinstance(study, str):
        study = registry.find(study)
    if settings is None:
        settings = study.settings()
    pictures.check_width(width)
    if not isinstance(settings, study.settings):
        raise InputError(
            "settings", type(settings).__name__, f"they must be a {study.settings.__name__} of {study.name}"
        )
    dtype = dtype or study.dtypes[0]
    check_dtype(study, dtype, backend)
    registry.own_name(study)
    say = notice or (lambda sentence: None)
    started = time.monotonic()
    code, made = code_of(study), made_with(study, backend)
    if resume and code == UNKNOWN:
        raise InputError("resume", study.name, "the sources of its functions cannot be read; it must be in a file")
    by_experiment = experiment_tasks(study, settings, root_seed, dtype=dtype, backend=backend)
    tasks = [task for some in by_experiment.values() for task in some]
    keys = [task.key for task in tasks]
    study.expects(settings), undecided(study, settings)  # what they refuse is known before anything is computed
    with ExitStack() as around:
        parts: Parts = Kept(keys)
        folder: ResultsFolder | None = None
        if out is not None:
            same = fingerprint(study, settings, root_seed, dtype, backend)
            folder = ResultsFolder(out, same, force=True, aside=(Path(out) / LOCK).parent)
            check_ours(Path(out))
            folder.check(_files(study))
            store = Store.create_or_open(out, same, code, keys, resume=resume, force=force, made_with=made)
            parts = around.enter_context(store)
            around.enter_context(folder)
            for path in changed(Path(out)) if resume and not force else ():
                say(f"{path} is not as it was written, and is written again")
            for key in store.damaged:
                say(f"the part {key} was damaged, and is computed again")
            if store.done:
                say(f"{store.done} of {len(tasks)} parts are there already")
            elif resume:
                say(f"there is nothing in {out} to resume; it begins anew")
        plan, claims = study.sequential(settings), tuple(study.claims)
        for some in rounds(tasks, plan):
            if begin is not None:
                missing = {parts.keys[index] for index in parts.missing()}
                begin([task for task in some if task.key in missing])
            run_tasks(Compute(study, backend), tasks, parts, executor or Threads(), progress, {t.key for t in some})
            failures: list[str] = []
            of_round = {name: [task for task in some if task.experiment == name] for name in by_experiment}
            data = _gathered(study, settings, of_round, parts, root_seed, failures)
            if plan is None or len(some) == len(tasks) or failures:
                break
            claims = undecided_claims(study, settings, data, claims, plan)
            if not claims:
                break
            say(f"more draws are taken: open are {', '.join(claim.id for claim in claims)}")
        result = _judged(study, settings, root_seed, data, failures)
        if folder is not None:
            seconds = time.monotonic() - started
            _write(folder, result, width, dtype=dtype, backend=backend, code=code, made_with=made, seconds=seconds)
    for failure in failures:
        kept = "; what was computed is saved, and --resume goes on from there" if folder is not None else ""
        (notice or warnings.warn)(failure + kept)
    return result


def rehearse(study: Study[Any]) -> None:
    """Try a study at its size tiny, in memory: its claims, tables and pictures may fail before hours, not after them.

    Nothing is done where no setting has a value at that size.

    Raises:
        InputError: something fails.
    """
    settings = settings_of(study.settings, "tiny")
    if settings == study.settings():
        return
    result = run_study(study, settings, notice=lambda sentence: None)
    _ = result.tables, result.summary
    with TemporaryDirectory() as folder:
        attempt("a picture", result.failures, partial(pictures.save, result, Path(folder)), [])
    if result.failures:
        raise InputError("study", study.name, f"at its size tiny, tried before anything else, {result.failures[0]}")


def _gathered(
    study: Study[S],
    settings: S,
    by_experiment: Mapping[str, list[Task[S]]],
    parts: Parts,
    root_seed: int,
    failures: list[str],
) -> Data:
    places = {key: index for index, key in enumerate(parts.keys)}
    own = {"study": study.name, "root_seed": root_seed, "lemmascope_version": version("lemmascope")}

    def gathered(name: str) -> Data:
        tasks = by_experiment[name]
        each = [parts.read(places[task.key]) for task in tasks]
        return _labelled({name: study.experiments[name].gather(tasks, each)}, own)

    data: dict[str, xr.Dataset] = {}
    nothing: Data = {}
    for name in by_experiment:
        data |= attempt(f"gather of {name}", failures, partial(gathered, name), nothing)
    return attempt("derive", failures, lambda: _labelled(study.derive(settings, data), own), data)


def _labelled(data: Data, attrs: Mapping[str, Any]) -> Data:
    """Data that can be saved, with attributes."""
    for name, one in data.items():
        if not str(name).isidentifier():
            raise InputError("data", name, "their name must be letters, digits and _, as a file's")
        check_labelled(one, f"data {name}")
    return {name: one.assign_attrs(attrs) for name, one in data.items()}


def _judged(study: Study[S], settings: S, root_seed: int, data: Data, failures: list[str]) -> Result[S]:
    known = undecided(study, settings)

    def of_evidence() -> tuple[Evidence, ...]:
        found = as_evidence(study.evidence(settings, data))
        plain([one.parameters for one in found])  # as they will be saved
        return found

    # Data that could not be made whole are no evidence of anything.
    evidence = None if failures else attempt("evidence", failures, of_evidence, None)
    if evidence is None:
        verdicts = tuple(unjudged(claim, "; ".join(failures)) for claim in study.claims)
    else:
        verdicts = judge(
            study.claims,
            evidence,
            study.controls,
            study.expects(settings),
            undecided=known,
            plan=study.sequential(settings),
            failures=failures,
        )
    return Result(study, settings, root_seed, data, evidence or (), verdicts, known, failures)


def _files(study: Study[Any]) -> list[str]:
    """What `_write` may make, as far as it is known before anything is computed."""
    drawn = attempt("pictures", [], lambda: [picture.name for picture in pictures.of(study)], [])
    figures = [f"figures/{name}{end}" for name in drawn for end in (".pdf", ".png", CAPTION)]
    return ["verdicts.json", *(f"{name}.nc" for name in study.experiments), *figures]


def _write(
    folder: ResultsFolder,
    result: Result[Any],
    width: str,
    *,
    dtype: str,
    backend: str,
    code: str,
    made_with: Mapping[str, str],
    seconds: float,
) -> None:
    """Data, verdicts, pictures and, last, where they come from."""
    for name, one in result.data.items():
        netcdf.save(one, folder.partial / f"{name}.nc")
    write_json(folder.partial / "verdicts.json", verdicts_json(result))
    attempt("a picture", result.failures, lambda: pictures.save(result, folder.partial / "figures", width), [])
    folder.provenance(
        {
            "study": result.study.name,
            "file": result.study.file,
            "settings": plain(result.settings),
            "root_seed": result.root_seed,
            "dtype": dtype,
            "backend": backend,
            "code": code,
            "data_code": code_of(result.study, data=True),
            "made_with": dict(made_with),
            "data": list(result.data),
            **machine_of(seconds),
        }
    )


def judge_again(
    path: str | Path, study: Study[Any] | None = None, notice: Callable[[str], None] | None = None
) -> Result[Any]:
    """The saved results of a study, held against today's claims.

    Args:
        path: the folder of the results.
        study: whose they are; default the study of the house that the folder names. A file that it names is never run.
        notice: called with a sentence where other code than today's computed the data; default a warning.

    Raises:
        ResultsError: there are no whole results, they were changed since, or the study has other settings now.
        InputError: they are those of a study that is not known here.
    """
    path = Path(path)
    found = read_provenance(path)
    if "data" not in found:
        raise InputError("results", str(path), "they are not those of a study, and have no data to judge")
    try:
        name, root_seed = str(found["study"]), int(found["root_seed"])
        names, values = [str(one) for one in found["data"] if found["files"][f"{one}.nc"]], dict(found["settings"])
    except (ValueError, LookupError, TypeError) as error:
        raise ResultsError(f"{path} holds no whole results of a study (its provenance.json is damaged)") from error
    if study is None:
        if name not in registry.names():
            raise InputError("results", str(path), f"they are of the study {name!r}, which is yours: give its file")
        study = registry.study(name)
    if study.name != name:
        raise InputError("results", str(path), f"they are of the study {name!r}, and not of {study.name!r}")
    try:
        settings = restored(study.settings, values)
    except TypeError as error:
        raise ResultsError(f"the settings in {path} are not those that {name} has now ({error})") from error
    for one in ("verdicts.json", *(f"{one}.nc" for one in names)):
        check_listed(path, found, one)
    if found.get("data_code") != code_of(study, data=True):
        why = f"the data in {path} were computed by another version of the code; run the study again to judge today's"
        (notice or warnings.warn)(why)
    data = {one: netcdf.load(path / f"{one}.nc", f"the data of {name}") for one in names}
    return _judged(study, settings, root_seed, data, [])
