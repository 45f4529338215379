"""The commands about the machine: explain."""

from __future__ import annotations

__all__: list[str] = []

from sims import options
from sims.cli import app
from sims.explain import explain as explain_run
from sims.settings import read_toml, settings
from sims.terminal import open_console, polite


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
