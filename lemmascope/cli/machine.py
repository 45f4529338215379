"""The commands about the machine: explain, doctor, bench."""

from __future__ import annotations

__all__: list[str] = []

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lemmascope.cli import options
from lemmascope.cli.main import app
from lemmascope.sims.cubic_cnn.explain import explain as explain_run
from lemmascope.sims.cubic_cnn.settings import read_toml, settings
from lemmascope.sims.files import check_writable, write_json
from lemmascope.sims.report.terminal import open_console, polite


@app.command()
def explain(
    config: options.Config = None,
    regime: options.Regime = None,
    d: options.D = None,
    N: options.N = None,
    P: options.P = None,
    m: options.M = None,
    law: options.Law = None,
    data: options.Data = None,
    optimizer: options.Optimizers = None,
    iterations: options.Iterations = None,
    seeds: options.Seeds = None,
    representation: options.Representation = None,
    backend: options.BackendName = None,
    dtype: options.Dtype = None,
    workers: options.Workers = None,
    memory_limit: options.MemoryLimit = None,
) -> None:
    """Say how a simulation would be carried out, how long it would take, and what memory it needs.

    Takes the settings of `lemmascope simulate` and runs nothing: prints the cost of both representations, which
    one is taken and why, the backend, how the work is shared among threads, memory and predicted time.

    \b
    Examples:
      lemmascope explain --seeds 8 --iterations 40000
      lemmascope explain -N 1000 -P 5 -d 4000 -m 20 --optimizer gd:eta=0.1
      lemmascope explain -d 1000000000 --law exact --memory-limit 2
      lemmascope explain study.toml

    Exit status: 0, or 2 for settings that cannot run or do not fit the memory.
    """
    flags = {k: v for k, v in locals().items() if k != "config"}
    with polite():
        chosen = settings(read_toml(config) if config is not None else {}, flags)
        kept = ("iterations", "seeds", "representation", "backend", "dtype", "workers", "memory_limit")
        found = explain_run(chosen.problem, chosen.optimizers, **{k: v for k, v in chosen.run.items() if k in kept})
        console = open_console()
        for sentence in found.sentences():
            console.print(sentence, soft_wrap=True)
        console.print(found.table())


@app.command()
def bench(
    work: Annotated[list[str] | None, typer.Option(help="Row to measure, a letter; repeat [all].")] = None,
    rounds: Annotated[int, options.count("Turns of every implementation; medians of 5 or more.")] = 5,
    without: Annotated[list[str] | None, typer.Option(help="Peer library to leave out, torch or jax; repeat.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A look in a minute, at a fraction of the sizes.")] = False,
    growth: Annotated[bool, typer.Option("--growth/--no-growth", help="How the cost grows, too.")] = True,
    out: Annotated[Path | None, typer.Option(help="File of the record [benchmarks/records/MACHINE.json].")] = None,
) -> None:
    """Time this project beside PyTorch and JAX on the same work.

    Every implementation gets the same data and records loss, nu_1, nu_2, max c and max |Xi| at every iteration. First
    all trajectories are compared (1e-9), then the implementations take turns; medians, the ratio to the best peer,
    and the fraction of what this machine's product rate or bandwidth allows. Peers that are not installed are named
    with what to install: pip install 'lemmascope[peers]'.

    \b
    Examples:
      lemmascope bench --quick
      lemmascope bench --work A --work H --without torch
      lemmascope bench

    \b
    Rows: A one small run, B a middling run, C a large run, D many seeds of A, E few samples in a high dimension,
    H the central experiment, P the (eta, gamma) plane. All of them take about three quarters of an hour on two cores.

    Exit status: 0 (no timing is a failure), 2 for wrong use, 130 for Ctrl-C.
    """
    from lemmascope.benchmarks.command import bench as measure

    with polite():
        measure(work, rounds=rounds, without=tuple(without or ()), out=out, quick=quick, growth=growth)


@app.command()
def doctor(
    json_: Annotated[Path | None, typer.Option("--json", help="Write the findings to this file too.")] = None,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure rates and bandwidth.")] = True,
) -> None:
    """Print what this machine has: BLAS and its threads, Numba, CuPy, CUDA, device, memory, and measured rates.

    \b
    Examples:
      lemmascope doctor
      lemmascope doctor --no-measure --json machine.json

    Exit status: 0, or 2 for wrong use.
    """
    from lemmascope.sims.machine.doctor import examine, findings

    with polite():
        if json_ is not None:
            check_writable(json_)
        found = examine(measure)
        console = open_console()
        for section, lines in found.items():
            table = Table(title=section, title_justify="left", show_header=False, min_width=60)
            for name, value in lines.items():
                table.add_row(escape(str(name)), escape(str(value)))
            console.print(table)
        for sentence in findings(found):
            console.print(escape(sentence), soft_wrap=True)
        if json_ is not None:
            write_json(json_, found)
