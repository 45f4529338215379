"""Time this project beside PyTorch and JAX on the same work.

Every implementation gets the same data and gives the same: of the central network loss, ν₁, ν₂, max c and max |Ξ| at
every iteration, of other studies' works what their loops give. First all results are compared (1e-9 in double
precision), then the implementations take turns; medians, the ratio to the best peer, and the fraction of what this
machine's product rate or bandwidth allows. Peers that are not installed are named with what to install:
pip install 'lemmascope[peers]'.
"""

from __future__ import annotations

__all__ = ["command"]

from pathlib import Path

from lemmascope.benchmarks.works import rows
from lemmascope.cli.command import command as made
from lemmascope.cli.command import flag, option
from lemmascope.cli.kinds import INT, PATH

ROWS = (*(f"{name:2}  {meant}" for name, meant in rows().items()), "All of them take about an hour on two cores.")


@made(
    __doc__,
    option("--work", multiple=True, metavar="LETTER", help="Row to measure; repeat [all]."),
    option("--rounds", kind=INT, default=5, help="Turns of every implementation; medians of 5 or more [5]."),
    option("--without", multiple=True, metavar="NAME", help="Peer library to leave out, torch or jax; repeat."),
    flag("--quick", help="A look in a minute, at a fraction of the sizes."),
    flag("--growth/--no-growth", default=True, help="How the cost grows, too, or not."),
    flag("--merge", help="Put the rows in place of the same ones of the record that is there, and keep its others."),
    option("--out", kind=PATH, help="File of the record [benchmarks/records/MACHINE.json]."),
    examples=(
        "lemmascope bench --quick",
        "lemmascope bench --work A --work H --without torch",
        "lemmascope bench --work T --merge --no-growth",
        "lemmascope bench",
    ),
    notes={"Rows": ROWS},
    exits="0 (no timing is a failure), 2 for wrong use, 130 for Ctrl-C.",
)
def command(
    work: tuple[str, ...],
    rounds: int,
    without: tuple[str, ...],
    quick: bool,
    growth: bool,
    merge: bool,
    out: Path | None,
) -> None:
    """See the top of the file."""
    from lemmascope.benchmarks.command import bench

    bench(work, rounds=rounds, without=without, out=out, merge=merge, quick=quick, growth=growth)
