"""A study's command, made from its declaration: its own flags, and those that every study has."""

from __future__ import annotations

__all__ = ["EXITS", "KEPT", "Done", "carry", "command_of", "explain", "folder_of", "size_of", "sizes", "title_of"]

import ast
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from lemmascope.cli.command import Command, Option, flag
from lemmascope.cli.fields import settings_from, study_flags
from lemmascope.cli.kinds import INT, NUMBER, PATH, TEXT, OneOf
from lemmascope.cli.manners import say, stop
from lemmascope.sims import registry
from lemmascope.sims.sizes import LONG, forecast, spell_seconds
from lemmascope.sims.study import Study, Task, plain, settings_of, spell
from lemmascope.theory.errors import InputError

KEPT = "finished parts are kept; --resume continues"
EXITS = (
    ("0", "every verdict is as expected, its control REFUTED"),
    ("1", "one is not"),
    ("2", "wrong use, an error of your own file, or something that the machine refused"),
    ("3", "the cluster was lost; finished parts are kept for --resume"),
    ("70", "an error of lemmascope's own"),
    ("130, 143", "Ctrl-C, or SIGTERM; finished parts are kept for --resume"),
)
OWN, SHARED = "Flags of this study", "Flags of every study"


@dataclass(frozen=True)
class Done:
    """How a study came out: its exit state, the verdicts that are as expected, all of them, and seconds."""

    status: int
    good: int
    verdicts: int
    seconds: float


def title_of(study: Study[Any]) -> str:
    """The first line of its file, which says what it shows."""
    if not study.file:
        return registry.title(study.name)
    text = ast.get_docstring(ast.parse(Path(study.file).read_text(encoding="utf-8"))) or study.message
    return text.partition("\n")[0]


def _shared(study: Study[Any]) -> list[Option]:
    def made(*names: str, kind: Any = None, help: str, **keywords: Any) -> Option:
        keywords |= {"is_flag": True, "default": False} if kind is None else {"type": kind}
        return Option(names, help=help, section=SHARED, **keywords)

    return [
        *sizes(section=SHARED),
        made("--root-seed", kind=INT, default=0, help="Root of all random streams [0]."),
        made("--out", kind=PATH, help=f"Results [results/{study.name}, results/{study.name}-quick, …]."),
        made("--explain", help="Say what would run, and compute nothing."),
        made("--yes", help="Run it though it would take more than a day."),
        made("--resume", help="Go on where a run that was interrupted stopped."),
        made("--force", help="Replace the results that lie there."),
        made("--cluster", kind=TEXT, help="Run over Dask: local, local:WORKERS or tcp://HOST:PORT; the same bits."),
        made("--cluster-patience", kind=NUMBER, help="Seconds that the cluster may be silent before it is lost [60]."),
        made(
            "--figure-width",
            kind=OneOf(("text", "column")),
            default="text",
            help="Of pictures [text]; column is 3.25 inches. With --resume they are drawn anew.",
        ),
        made("--workers", kind=INT, help="Threads [the number of cores]."),
        made(
            "--backend",
            kind=OneOf(study.backends, "NAME"),
            default=study.backends[0],
            help=f"What computes: {', '.join(study.backends)}.",
        ),
        made(
            "--dtype",
            kind=OneOf(study.dtypes, "NAME"),
            default=study.dtypes[0],
            help=f"Numbers: {', '.join(study.dtypes)}.",
        ),
    ]


def command_of(study: Study[Any], name: str = "") -> Command:
    """The command of a study.

    Args:
        study: whose.
        name: how it was called, where that is not the study's name.

    Raises:
        TypeError: a field of its settings would be a flag that every study has, or two of them the same.
    """
    own, shared = study_flags(study, OWN), _shared(study)
    taken = {flag for option in shared for flag in option.opts}
    for option in own:
        if both := taken & {*option.opts, *option.secondary_opts}:
            raise TypeError(f"{study.name}: {min(both)} is a flag of every study; give the field another `flag=`")

    def callback(**given: Any) -> int:
        common = {option.name: given.pop(str(option.name)) for option in shared}
        size = size_of(common)
        settings = settings_from(study, size, given)
        common["out"] = common["out"] or folder_of(study, size)
        if common.pop("explain"):
            return explain(study, settings, common["root_seed"], common["workers"])
        return carry(study, settings, **common).status

    return Command(
        name or study.name,
        callback=callback,
        params=[*own, *shared],
        help=f"{title_of(study)}\n\n{study.message}",
        short_help=title_of(study),
        examples=study.examples,
        exits=EXITS,
        kept=KEPT,
    )


def sizes(**keywords: Any) -> list[Option]:
    """The flags that choose a size; none of them is the default size."""
    return [
        flag("--quick", help="A small size, for a look; its few seeds may leave claims INCONCLUSIVE.", **keywords),
        flag("--full", help="A large size, for a cluster.", **keywords),
        flag("--tiny", help="The size of the tests.", hidden=True, **keywords),
    ]


def folder_of(study: Study[Any], size: str, within: Path = Path("results")) -> Path:
    """Where the results of a size are: another folder for each."""
    return within / (study.name if size == "default" else f"{study.name}-{size}")


def size_of(given: dict[str, Any]) -> str:
    """The size that is asked for, taken out of what was given.

    Raises:
        click.UsageError: two of them.
    """
    found = [name for one in sizes() if given.pop(name := str(one.name))]
    if len(found) > 1:
        raise click.UsageError(f"give one of --{' and --'.join(found)}, not both")
    return found[0] if found else "default"


def explain(study: Study[Any], settings: Any, root_seed: int, workers: int | None) -> int:
    """Print what would run."""
    import os

    from lemmascope.sims.report.terminal import open_console
    from lemmascope.sims.tables import spell_bytes

    found, console = forecast(study, settings, root_seed), open_console()
    for name, tasks in found.tasks.items():
        axes = {axis: len({spell(task.at[axis]) for task in tasks}) for axis in tasks[0].at}
        grid = " × ".join(f"{count} {axis}" for axis, count in axes.items())
        console.print(
            f"{study.name}: {name}, {len(tasks)} {'parts' if len(tasks) > 1 else 'part'}" + f" ({grid})" * bool(grid)
        )
    given = ", ".join(f"{name} = {x}" for name, x in plain(settings).items())
    console.print(f"Settings: {given}.")
    threads = min(workers or os.cpu_count() or 1, found.count)
    if found.memory is not None and found.disc is not None:
        memory = f"{spell_bytes(found.memory)} a part, {spell_bytes(threads * found.memory)} with {threads} at a time"
        console.print(f"Memory: about {memory}. Disc: about {spell_bytes(found.disc)} of parts.")
    else:
        console.print("Memory and disc: the study does not say (Experiment(needs=…)).")
    if found.seconds is not None:
        least = f"{spell_seconds(found.least)} if all is decided at the first look, at most "
        console.print(
            f"Time: about {least if found.least != found.seconds else ''}{spell_seconds(found.seconds)} on two cores."
        )
    else:
        console.print("Time: the study does not say how long its default size takes (Study(seconds=…)).")
    count = len(study.claims)
    console.print(f"Claims: {count - len(found.undecided)} of {count} can be decided.")
    for sentence in found.left_open:
        console.print(sentence)
    if study.file:
        console.print(
            f"{study.file} was run to read its definitions, and its axes and costs were asked; no task was run."
        )
    return 0


def carry(
    study: Study[Any],
    settings: Any,
    *,
    root_seed: int = 0,
    out: Path,
    resume: bool = False,
    force: bool = False,
    cluster: str | None = None,
    cluster_patience: float | None = None,
    workers: int | None = None,
    backend: str = "auto",
    dtype: str = "float64",
    figure_width: str = "text",
    yes: bool = False,
) -> Done:
    """Run a study with a bar and notices, and print what it found.

    Raises:
        InputError: what `sims.run.carry.run_study` refuses.
        SystemExit: the cluster was lost, with state 3; it would take more than `LONG` and was not confirmed, with 2.
    """
    import time

    from lemmascope.sims.report.terminal import open_console, task_progress
    from lemmascope.sims.report.verdicts import claim_lines, counted, table_text
    from lemmascope.sims.run.carry import rehearse, run_study
    from lemmascope.sims.run.tasks import Executor, Threads

    if cluster is not None and workers is not None:
        raise InputError("workers", workers, "they are threads of this process; with --cluster say local:WORKERS")
    console, started = open_console(), time.monotonic()
    planned = forecast(study, settings, root_seed, dtype=dtype, backend=backend)
    if planned.seconds is not None and planned.seconds > LONG and not yes:
        took = f"{study.name} would take about {spell_seconds(planned.seconds)} on two cores"
        stop(f"{took}; --explain says what would run, --yes runs it all the same.", 2)
    for sentence in planned.left_open:
        console.print(sentence, style="yellow")
    if study.file and not resume and settings != settings_of(study.settings, "tiny"):
        rehearse(study)
    with ExitStack() as around:
        executor: Executor = Threads(workers)
        if cluster is not None:
            from lemmascope.sims.run.cluster import ClusterLost, Dask

            around.enter_context(_lost(ClusterLost))
            executor = dask = around.enter_context(Dask(cluster, cluster_patience))
            console.print(f"Dask's dashboard: {dask.dashboard}")
        bar = around.enter_context(ExitStack())
        advance: list[Any] = []
        plan, computed = study.sequential(settings), (0.0, 0)

        def begin(tasks: list[Task[Any]]) -> None:
            nonlocal computed
            bar.close()  # that of the round before
            if tasks:
                cost = sum(task.cost for task in tasks)
                whole, count = (computed[0] + cost, computed[1] + len(tasks)) if plan else (planned.cost, planned.count)
                there = whole - cost, count - len(tasks)
                advance[:] = [bar.enter_context(task_progress(whole, count, study.name, there))]
                computed = whole, count

        result = run_study(
            study,
            settings,
            root_seed=root_seed,
            out=out,
            resume=resume,
            force=force,
            executor=executor,
            dtype=dtype,
            backend=backend,
            width=figure_width,
            progress=lambda task: advance[0](task.cost),
            begin=begin,
            notice=lambda sentence: console.print(sentence, style="yellow"),
        )
        bar.close()
    seconds = time.monotonic() - started
    for table in result.tables:
        console.print(f"\n{table.title}", style="bold")
        console.print(table_text(replace(table, title="", caption="")))
        console.print(table.caption, style="dim", end="\n" if table.caption else "")
    if result.verdicts:
        console.print("\nClaims, with the hypotheses checked and a negative control that must be REFUTED", style="bold")
        if plan is not None and any(v.sequential for v in result.verdicts):
            console.print(f"Decided draw by draw: {plan.rule}", style="dim")
        for line in claim_lines(result.verdicts):
            console.print(line)
    console.print()
    for sentence in result.summary:
        console.print(sentence)
    good = sum(v.as_expected for v in result.verdicts)
    for claim in result.unjudged:
        roles = ", ".join(dict.fromkeys(repr(one.role) for one in result.evidence))
        console.print(f"✗ {claim} was not judged: it is about evidence of another role than {roles}", style="red")
    said = counted(result.verdicts) if result.verdicts else "No claim is about these data"
    console.print(f"\n{said}; {seconds:.0f} s; results in {out}")
    if result.failures:
        say(f"{'; '.join(result.failures)}; all else is in {out}.")
    status = 2 if result.failures else int(not result.as_expected)
    return Done(status, good, len(result.verdicts), seconds)


@contextmanager
def _lost(kind: type[Exception]) -> Iterator[None]:
    """A block in which the end of the cluster is one sentence, with state 3."""
    try:
        yield
    except kind as error:
        stop(str(error), 3, error)
