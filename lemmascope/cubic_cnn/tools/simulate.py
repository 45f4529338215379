"""Train with any parameters and optimizers; save the trajectory.

Every optimizer starts from the same data and weights. What is not given comes from the regime HEADLINE. The trajectory
is a netCDF file with dimensions seed, optimizer, iteration, neuron, margin; `lemmascope claims` judges it, and xarray
opens it.
"""

from __future__ import annotations

__all__ = ["command"]

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lemmascope.cli.command import command as made
from lemmascope.cli.command import flag, option
from lemmascope.cli.kinds import INT, NUMBER, PATH
from lemmascope.cubic_cnn.flags import BOTH

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table

TOML = """\
regime = "HEADLINE"
[parameters]
d = 1000
[optimizers.GD]
form = "gd"
eta = 0.1
[optimizers.fast]
form = "nesterov"
eta = [[0, 0.01], [5000, 0.001]]
gamma = 0.9
[run]
iterations = 20000
seeds = 5
log_points = 100
out = "study.nc"
"""


@made(
    __doc__,
    *BOTH,
    option("--root-seed", kind=INT, help="Root of all random streams [0]."),
    option("--every", kind=INT, help="Record every k-th iteration."),
    option("--log-points", kind=INT, help="Record about this many, evenly in log t [200]."),
    flag("--whole-xi", "whole_Xi", default=None, help="Record the whole tensor Ξ."),
    flag("--trace", default=None, help="Record loss, ν₁, ν₂, max c, max |Ξ| at every iteration too."),
    flag("--certify", default=None, help="Bound the distance from exact arithmetic, and enclose what is recorded."),
    option("--fast-forward", kind=NUMBER, help="Cross plateaus in long windows, each held to this error; 1e-10, say."),
    option("--out", kind=PATH, help="File to save [trajectory.nc]."),
    flag("--force", help="Replace a file of simulate that holds another run."),
    flag("--yes", help="Run it though it would take more than a day."),
    examples=(
        "lemmascope simulate --iterations 2000 --seeds 3 --out run.nc",
        "lemmascope simulate --optimizer gd:eta=0.1 \\",
        "    --optimizer momentum:eta=0.1,gamma=0.99",
        'lemmascope simulate --optimizer "decay=gd:eta=0.1@0/0.01@5000" --every 100',
        "lemmascope simulate --regime paper -d 1e6 --law exact --iterations 5000",
        "lemmascope simulate --regime paper -d 1e6 --law exact --iterations 1e8 \\",
        "    --fast-forward 1e-10",
        "lemmascope simulate --data digits.npz -m 10 --sigma-0 0.01 --optimizer gd:eta=0.1",
        "lemmascope simulate study.toml --seeds 10",
    ),
    notes={"study.toml": TOML.splitlines()},
    exits="0, or 2 for wrong use, 130 for Ctrl-C.",
)
def command(config: Path | None, force: bool, yes: bool, **flags: Any) -> None:
    """See the top of the file."""
    from lemmascope.cli.manners import stop
    from lemmascope.sims.cubic_cnn.explain import predicted_seconds
    from lemmascope.sims.cubic_cnn.identity import found_identity, identity
    from lemmascope.sims.cubic_cnn.settings import read_toml, settings
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.cubic_cnn.trajectory import advice
    from lemmascope.sims.files import Output, refuse_other
    from lemmascope.sims.netcdf import KIND, image
    from lemmascope.sims.report.terminal import open_console, progress
    from lemmascope.sims.sizes import LONG, spell_seconds

    chosen = settings(read_toml(config) if config is not None else {}, flags)
    console = open_console()
    same = identity(chosen.problem, chosen.optimizers, chosen.record, chosen.run)

    def refuse() -> None:
        if not force:
            refuse_other(chosen.out, "out", same, found_identity(chosen.out))

    seconds = predicted_seconds(chosen.problem, chosen.optimizers, **chosen.run)
    if seconds > LONG and not yes:
        took = f"this run would take about {spell_seconds(seconds)}"
        stop(f"{took}; `lemmascope explain` says how it would be carried out, --yes runs it all the same.", 2)
    started = time.monotonic()
    total = chosen.run["iterations"] * chosen.run["seeds"]
    with Output(chosen.out, KIND, refuse=refuse) as output:
        with progress(max(total, 1) if isinstance(total, int) else 1, ", ".join(chosen.optimizers)) as advance:
            run = simulate(chosen.problem, chosen.optimizers, record=chosen.record, progress=advance, **chosen.run)
        run.attrs["identity"] = json.dumps(same)
        output.write(image(run))
    for sentence in advice(run):
        console.print(sentence, style="yellow")
    console.print(_summary(run))
    console.print(
        f"{run.attrs['representation']} space ({run.attrs['representation_reason']}), "
        f"backend {run.attrs['backend']} ({run.attrs['backend_reason']}), "
        f"{time.monotonic() - started:.1f} s. Saved {chosen.out}; judge it: lemmascope claims {chosen.out}"
    )


def _summary(run: xr.Dataset) -> Table:
    """The final state of each optimizer, medians over seeds."""
    from rich.table import Table

    from lemmascope.sims.tables import harmless, number

    final = run.isel(iteration=-1)
    title = f"After {run.attrs['iterations']} iterations (median of {run.sizes['seed']} seeds)"
    table = Table(title=title, title_justify="left")
    names = ["max c"] if "c" in run else []
    groups = [str(g) for g in run.margin.values]
    names += ["training loss", *(f"max |Ξ| {g}" for g in groups), *(f"train {g}" for g in groups)]
    names += [f"test {g}" for g in groups] if "test_accuracy" in run else []
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for optimizer in run.optimizer.values:
        at = final.sel(optimizer=optimizer)
        cells = [at.c.max("neuron")] if "c" in run else []
        cells += [at.loss.sum("margin", skipna=False)]
        for variable in ("Xi_abs_max", "train_accuracy", *(["test_accuracy"] if "test_accuracy" in run else [])):
            cells += [at[variable].sel(margin=g) for g in groups]
        table.add_row(harmless(optimizer), *(number(float(cell.median("seed"))) for cell in cells))
    return table
