"""Print what this machine has, and how fast it is.

BLAS and its threads, Numba, CuPy, CUDA, device, memory, and measured rates of products and of memory.
"""

from __future__ import annotations

__all__ = ["command"]

from pathlib import Path

from lemmascope.cli.command import command as made
from lemmascope.cli.command import flag, option
from lemmascope.cli.kinds import PATH
from lemmascope.cli.text import json_output


@made(
    __doc__,
    option("--json", "json_", kind=PATH, help="Write the findings to this file too; - prints them alone."),
    flag("--measure/--no-measure", default=True, help="Measure rates and bandwidth, or leave it."),
    examples=("lemmascope doctor", "lemmascope doctor --no-measure --json machine.json"),
)
def command(json_: Path | None, measure: bool) -> None:
    """See the top of the file."""
    from rich.table import Table

    from lemmascope.sims.machine.doctor import examine, findings
    from lemmascope.sims.report.terminal import open_console

    with json_output(json_, "lemmascope-doctor") as give:
        found = examine(measure)
        give({"schema": "lemmascope-doctor/1", **found})
    console = open_console(stderr=str(json_) == "-")
    for section, lines in found.items():
        table = Table(title=section, title_justify="left", show_header=False, min_width=60)
        for name, value in lines.items():
            table.add_row(str(name), str(value))
        console.print(table)
    for sentence in findings(found):
        console.print(sentence, soft_wrap=True)
