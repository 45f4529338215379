"""Say how a simulation would run: how long, and in what memory.

Takes the settings of `lemmascope simulate`, draws nothing and takes no step: prints the cost of both representations,
which one is taken and why, the backend, how the work is shared among threads, memory and predicted time. A file with an
optimizer of yours is loaded and the optimizer made, as what it says of itself decides; this is said. Of a study,
`lemmascope explain STUDY` is another name of `lemmascope STUDY --explain`.
"""

from __future__ import annotations

__all__ = ["command"]

from pathlib import Path
from typing import Any

from lemmascope.cli.command import command as made
from lemmascope.cubic_cnn.flags import BOTH


@made(
    __doc__,
    *BOTH,
    examples=(
        "lemmascope explain --seeds 8 --iterations 40000",
        "lemmascope explain -N 1000 -P 5 -d 4000 -m 20 --optimizer gd:eta=0.1",
        "lemmascope explain -d 1e9 --law exact --memory-limit 2",
        "lemmascope explain study.toml",
        "lemmascope explain STUDY --full",
    ),
    exits="0, or 2 for settings that cannot run or do not fit the memory.",
)
def command(config: Path | None, **flags: Any) -> None:
    """See the top of the file."""
    from lemmascope.sims.cubic_cnn.explain import CHOSEN, explain
    from lemmascope.sims.cubic_cnn.settings import read_toml, settings
    from lemmascope.sims.report.terminal import open_console

    chosen = settings(read_toml(config) if config is not None else {}, flags)
    given = {name: value for name, value in chosen.run.items() if name in CHOSEN}
    found = explain(chosen.problem, chosen.optimizers, **given)
    console = open_console()
    for path in dict.fromkeys(chosen.files):
        console.print(f"Your code: {path} was loaded and its optimizer made; no step was taken.", soft_wrap=True)
    for sentence in found.sentences():
        console.print(sentence, soft_wrap=True)
    console.print(found.table())
