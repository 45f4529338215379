"""``lemmascope bench``: everything measured, printed, and written down."""

from __future__ import annotations

__all__ = ["bench", "show"]

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lemmascope.benchmarks import record as records
from lemmascope.benchmarks.compiled import OWN, time_compiled
from lemmascope.benchmarks.growth import TimeOwn, grow
from lemmascope.benchmarks.limits import measure_limits
from lemmascope.benchmarks.machine import machine
from lemmascope.benchmarks.measure import Timing, measure_work
from lemmascope.benchmarks.on_device import DEVICE, device_limits
from lemmascope.benchmarks.peers import LIBRARIES, peers
from lemmascope.benchmarks.work import WORKS, Inputs, small
from lemmascope.sims.report.terminal import open_console
from lemmascope.theory.errors import InputError, check_size

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
    rows: Sequence[str] | None = None,
    *,
    rounds: int = LEAST_ROUNDS,
    without: Sequence[str] = (),
    out: Path | None = None,
    quick: bool = False,
    growth: bool = True,
    own: Sequence[Any] = OWN,
    time_own: TimeOwn = time_compiled,
    root_seed: int = 0,
    console: Console | None = None,
) -> dict[str, Any]:
    """Measure, print and write down.

    Args:
        rows: letters of `benchmarks.work.WORKS`; all by default.
        rounds: turns of every implementation, 5 or more.
        without: libraries to leave out, "torch" and "jax".
        out: file of the record; by default under the machine's name, and nowhere if ``quick`` or for some rows only.
        quick: a look at a fraction of the size, where most of the time goes into compiling the peers.
        growth: also how the cost grows.
        own: this project's implementations; the first is what all are held to.
        time_own: what `benchmarks.growth.grow` calls.
        root_seed: root of the random streams.
        console: where the table goes; standard output by default.

    Returns:
        The record, as written.

    Raises:
        InputError: an unknown row or library, fewer than five rounds, or ``out`` is no record of the benchmark.
        OSError: ``out`` cannot be written, which is known before anything is measured.
    """
    names = tuple(WORKS) if rows is None or not rows else tuple(dict.fromkeys(name.upper() for name in rows))
    for name in names:
        if name not in WORKS:
            raise InputError("work", name, f"it must be one of {', '.join(WORKS)}")
    for library in without:
        if library not in LIBRARIES:
            raise InputError("without", library, f"it must be one of {', '.join(LIBRARIES)}")
    check_size("rounds", rounds, LEAST_ROUNDS)
    console = console or open_console()
    implementations = (*own, *peers(tuple(without)))
    with ExitStack() as around:
        # Before anything is measured: the whole takes three quarters of an hour.
        kept = out is not None or (not quick and names == tuple(WORKS))
        output = around.enter_context(records.output(out)) if kept else None
        record = _measured(names, implementations, rounds, quick, root_seed, time_own if growth else None)
        show(record, console)
        if output is not None:
            output.json(record)
            console.print(f"written: {output.path}")
    return record


def _measured(
    names: Sequence[str],
    implementations: Sequence[Any],
    rounds: int,
    quick: bool,
    root_seed: int,
    time_own: TimeOwn | None,
) -> dict[str, Any]:
    """The record of these rows, and of the growth where something times it."""
    found = []
    with _saying() as say:
        say("measuring the machine's limits")
        limits = measure_limits(quick)
        for name in names:
            work = small(WORKS[name]) if quick else WORKS[name]
            if work.on_device and (lacking := DEVICE[0].available()) is not None:
                found.append((work, [Timing.refusal(one, work, lacking) for one in DEVICE]))
                continue
            inputs = Inputs.draw(work, root_seed)
            seconds = 0.02 if quick else 0.35
            compared = DEVICE if work.on_device else implementations
            timings = measure_work(work, compared, rounds=rounds, seconds=seconds, say=say, inputs=inputs)
            found.append((work, timings))
        grown = grow(time_own, quick=quick, say=say) if time_own is not None else []
        say("measuring the machine's limits again")
        limits = limits.best_with(measure_limits(quick))
        devices = device_limits() if DEVICE[0].available() is None else None
    return records.make(found, limits, grown, machine(), quick=quick, on_device=devices)


def show(record: dict[str, Any], console: Console) -> None:
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
            limit = f"{records.percent(i['of_limit'])} {i['limited_by']}"
            once = f"{i['prepare_seconds']:.1f}", f"{i['compile_seconds']:.1f}"
            table.add_row(name, records.milliseconds(i["median_ms"]), limit, *once, f"{i['difference']:.0e}")
        console.print(table)
    for row in record["rows"]:
        s, short = records.summary(row), records.reason(row)
        ratio = f"{s.ratio:.2g} × the best peer ({s.peer['name']})" if s.own and s.peer else "no ratio"
        line = f"{row['work']}: {ratio}; aim {row['at_least']:g} ×" + (f". Falls short: {short}" if short else "")
        console.print(line)
    for g in record["growth"]:
        error = f" ± {g['error']:.2f}" if g["error"] is not None else ""
        exponent = "–" if g["exponent"] is None else f"{g['exponent']:.2f}"
        console.print(f"time against {g['size']}: exponent {exponent}{error} (expected {g['expected']})")
    console.print(records.where(record))
