"""``lemmascope bench``: everything measured, printed, and written down."""

from __future__ import annotations

__all__ = ["bench", "show"]

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lemmascope.benchmarks import record as records
from lemmascope.benchmarks import tables, works
from lemmascope.benchmarks.cubic_cnn.compiled import time_compiled
from lemmascope.benchmarks.cubic_cnn.on_device import DEVICE, device_limits
from lemmascope.benchmarks.growth import grow
from lemmascope.benchmarks.libraries import LIBRARIES
from lemmascope.benchmarks.limits import measure_limits
from lemmascope.benchmarks.machine import Others, machine
from lemmascope.benchmarks.measure import measure_work
from lemmascope.benchmarks.protocol import Work
from lemmascope.sims.report.terminal import open_console
from lemmascope.theory.errors import InputError, check_size

Record = records.Record

LEAST_ROUNDS = 5
"""Of fewer rounds no median is given."""


@contextmanager
def _saying() -> Iterator[Callable[[str], None]]:
    """What is being done: one changing line on a terminal, a line each elsewhere; on standard error."""
    errors = open_console(stderr=True)
    if errors.is_terminal:
        with errors.status("") as status:
            yield lambda text: status.update(text)
    else:
        yield lambda text: errors.print(text)


def bench(
    rows: Sequence[str] = (),
    *,
    rounds: int = LEAST_ROUNDS,
    without: Sequence[str] = (),
    out: Path | None = None,
    merge: bool = False,
    quick: bool = False,
    growth: bool = True,
    root_seed: int = 0,
    console: Console | None = None,
) -> Record:
    """Measure, print and write down.

    Args:
        rows: letters of the works in `benchmarks.works`; all by default.
        rounds: turns of every implementation, 5 or more.
        without: libraries to leave out, "torch" and "jax".
        out: file of the record; by default under the machine's name, and nowhere if ``quick``, or for some rows only
            that are not to be merged.
        merge: put what is measured in place of the same rows of the record that is there, and keep its others, each
            with the day and the limits of its own measurement.
        quick: a look at a fraction of the size, where most of the time goes into compiling the peers.
        growth: also how the cost grows.
        root_seed: root of the random streams.
        console: where the table goes; standard output by default.

    Returns:
        What was measured, as it is written.

    Raises:
        InputError: an unknown row or library, fewer than five rounds, ``out`` is no record of the benchmark, or a quick
            look is to be merged.
        OSError: ``out`` cannot be written, which is known before anything is measured.
    """
    found = works.find(rows)
    for library in without:
        if library not in LIBRARIES:
            raise InputError("without", library, f"it must be one of {', '.join(LIBRARIES)}")
    check_size("rounds", rounds, LEAST_ROUNDS)
    if merge and quick:
        raise InputError("merge", merge, "a quick look says nothing about speed, and is not put beside what does")
    console = console or open_console()
    with ExitStack() as around:
        # Before anything is measured: the whole takes three quarters of an hour.
        kept = out is not None or merge or (not quick and not rows)
        output = around.enter_context(records.output(out)) if kept else None
        before = records.read(output.path) if output is not None and merge and output.path.exists() else None
        record = _measured(found, without, rounds, quick, root_seed, growth)
        show(record, console)
        if output is not None:
            output.json(record if before is None else records.merged(before, record, tuple(works.rows())))
            console.print(f"written: {output.path}")
    return record


def _measured(
    found: Sequence[Work], without: Sequence[str], rounds: int, quick: bool, root_seed: int, growth: bool
) -> Record:
    """The record of these works, and of the growth where it is asked for."""
    measured = []
    with _saying() as say:
        say("measuring the machine's limits")
        limits = measure_limits(quick)
        for one in found:
            work, others = one.small() if quick else one, Others()
            implementations = [way for way in work.implementations if way.library not in without]
            seconds = 0.02 if quick else 0.35
            timings = measure_work(work, implementations, rounds=rounds, seconds=seconds, say=say, root_seed=root_seed)
            measured.append(records.Measured(work, timings, others.share))
        grown = grow(time_compiled, quick=quick, say=say) if growth else []
        say("measuring the machine's limits again")
        limits = limits.best_with(measure_limits(quick))
        devices = device_limits() if DEVICE[0].available() is None else None
    return records.make(measured, limits, grown, machine(), quick=quick, on_device=devices)


def show(record: Record, console: Console) -> None:
    """Every implementation of every row, then the summary and the growth."""
    for row in record["rows"]:
        table = Table(title=f"{row['work']}: {row['described']}", title_justify="left")
        for heading in ("implementation", "ms an iteration", "of its limit", "prepare, s", "compile, s", "differs by"):
            table.add_column(heading, justify="left" if heading == "implementation" else "right")
        for i in row["implementations"]:
            chosen = f" [{i['chosen']}]" if i["chosen"] else ""
            name = f"{i['name']}{chosen}"
            if i["median_ms"] is None:
                table.add_row(f"{i['name']}: {i['refused']}", "–", "–", "–", "–", "–")
                continue
            limit = f"{tables.percent(i['of_limit'])} {i['limited_by']}"
            once = f"{i['prepare_seconds']:.1f}", f"{i['compile_seconds']:.1f}"
            table.add_row(name, tables.milliseconds(i["median_ms"]), limit, *once, f"{i['difference']:.0e}")
        console.print(table)
    for row in record["rows"]:
        s, short = tables.summary(row), tables.reason(row)
        ratio = f"{s.ratio:.2g} × the best peer ({s.peer['name']})" if s.own and s.peer else "no ratio"
        line = f"{row['work']}: {ratio}; aim {row['at_least']:g} ×" + (f". Falls short: {short}" if short else "")
        console.print(line)
    for g in record["growth"]:
        error = f" ± {g['error']:.2f}" if g["error"] is not None else ""
        exponent = "–" if g["exponent"] is None else f"{g['exponent']:.2f}"
        console.print(f"time against {g['size']}: exponent {exponent}{error} (expected {g['expected']})")
    for line in tables.sessions(record):
        console.print(line)
