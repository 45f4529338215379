"""The command ``lemmascope``."""

from __future__ import annotations

__all__ = ["app", "main"]

import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lemmascope.cli import options
from lemmascope.sims.cubic_cnn.settings import own_objects, read_toml, settings
from lemmascope.sims.cubic_cnn.simulate import simulate as run_simulation
from lemmascope.sims.cubic_cnn.trajectory import advice, load, save
from lemmascope.sims.files import ResultsFolder, check_writable, refuse_other, write_json
from lemmascope.sims.judge import judge
from lemmascope.sims.report import verdicts as report
from lemmascope.sims.report.terminal import open_console, polite, progress
from lemmascope.sims.run.provenance import found_identity, identity, provenance
from lemmascope.sims.studies import headline
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import describe
from lemmascope.theory.verdict import Claim, Status, Verdict

app = typer.Typer(
    name="lemmascope",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Watch a theorem of deep-learning theory happen, iteration by iteration, and check every step of it.",
)


def main() -> None:
    """Entry point."""
    from lemmascope.cli import boundaries as cli_boundaries  # noqa: F401  the commands that they add

    app()


def _show(console: Console, verdicts: list[Verdict]) -> None:
    for line in report.claim_lines(verdicts):
        console.print(line)


@app.command()
def reproduce(
    seeds: Annotated[int, options.count("Data sets and initial weights to draw; 5 or more.")] = headline.SEEDS,
    root_seed: Annotated[int, options.count("Root of all random streams.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/headline"),
    force: Annotated[bool, typer.Option("--force", help="Replace other results in that folder.")] = False,
    workers: options.Workers = None,
    backend: options.BackendName = None,
    dtype: options.Dtype = None,
) -> None:
    """Run the central experiment and judge every claim on it.

    GD and GD+M (momentum) train the two-layer cubic CNN from the same data and weights, on the reference
    configuration HEADLINE. Prints the talk's table, a verdict on each claim with its negative control, and what it
    means; writes verdicts, trajectories, figures and provenance.

    \b
    Examples:
      lemmascope reproduce
      lemmascope reproduce --root-seed 1 --out results/another-root
      lemmascope reproduce --seeds 20 --out results/more-seeds
      lemmascope reproduce --dtype float32 --out results/single

    Exit status: 0 when every claim came out as expected, 1 when one did not, 2 for wrong use, 130 for Ctrl-C.
    """
    with polite():
        if seeds < 5:
            raise InputError("seeds", seeds, "5 or more are needed for a verdict with high probability")
        fingerprint = {
            "study": headline.STUDY,
            "dtype": dtype or "float64",
            "parameters": HEADLINE.to_dict(),
            "seeds": seeds,
            "root_seed": root_seed,
            "optimizers": {k: describe(o) for k, o in {**headline.OPTIMIZERS, **headline.RATES}.items()},
            "iterations": [headline.ITERATIONS, headline.RATE_ITERATIONS],
            "lemmascope_version": version("lemmascope"),
        }
        console = open_console()
        started = time.monotonic()
        with ResultsFolder(out, fingerprint, force=force) as folder:
            with progress(headline.work(seeds), f"GD and GD+M, {seeds} seeds") as advance:
                found = headline.run(
                    seeds,
                    root_seed,
                    workers=workers,
                    progress=advance,
                    backend=backend or "auto",
                    dtype=dtype or "float64",
                )
            table = report.talk_table(found.trajectory)
            _write_headline(folder, found, table)
            folder.provenance(
                {"root_seed": root_seed, "seeds": seeds, "parameters": HEADLINE.to_dict()}
                | provenance(time.monotonic() - started, found.trajectory)
            )
        _show_headline(console, found, table, out, time.monotonic() - started)
        if not all(v.as_expected for v in found.verdicts):
            raise typer.Exit(1)


def _write_headline(folder: ResultsFolder, found: headline.Headline, table: dict[str, dict[str, report.Cell]]) -> None:
    from lemmascope.sims.figures import save_all

    save(found.trajectory, folder.partial / "trajectory.nc")
    save(found.learning_rates, folder.partial / "learning_rates.nc")
    write_json(folder.partial / "verdicts.json", report.verdicts_json(found.verdicts, found.trajectory, table))
    save_all(found.trajectory, folder.partial / "figures")


def _show_headline(
    console: Console, found: headline.Headline, table: dict[str, dict[str, report.Cell]], out: Path, wall: float
) -> None:
    for sentence in advice(found.trajectory):
        console.print(sentence, style="yellow")
    console.print()
    console.print(report.talk_table_text(table))
    console.print()
    console.print("Claims, with the hypotheses checked and a negative control that must be REFUTED", style="bold")
    _show(console, found.verdicts)
    console.print()
    for sentence in report.meaning(found.trajectory, table):
        console.print(sentence)
    good = sum(v.as_expected for v in found.verdicts)
    console.print(
        f"\n{good} of {len(found.verdicts)} verdicts as expected, in {wall:.0f} s "
        f"({found.trajectory.attrs['representation']} space: {found.trajectory.attrs['representation_reason']}; "
        f"backend {found.trajectory.attrs['backend']}: {found.trajectory.attrs['backend_reason']}). "
        f"Results, figures and captions: {out}/"
    )


@app.command()
def simulate(
    config: options.Config = None,
    regime: options.Regime = None,
    d: options.D = None,
    N: options.N = None,
    P: options.P = None,
    m: options.M = None,
    alpha: options.Alpha = None,
    beta: options.Beta = None,
    mu: options.Mu = None,
    sigma: options.Sigma = None,
    sigma_0: options.Sigma0 = None,
    lam: options.Lam = None,
    law: options.Law = None,
    data: options.Data = None,
    optimizer: options.Optimizers = None,
    iterations: options.Iterations = None,
    seeds: options.Seeds = None,
    root_seed: Annotated[int | None, options.count("Root of all random streams [0].")] = None,
    every: Annotated[int | None, options.count("Record every k-th iteration.")] = None,
    log_points: Annotated[int | None, options.count("Record about this many, evenly in log t [200].")] = None,
    representation: options.Representation = None,
    backend: options.BackendName = None,
    dtype: options.Dtype = None,
    whole_Xi: Annotated[bool | None, typer.Option("--whole-xi", help="Record the whole tensor Xi.")] = None,
    trace: Annotated[
        bool | None, typer.Option("--trace", help="Record loss, ν₁, ν₂, max c, max |Ξ| at every iteration too.")
    ] = None,
    fast_forward: Annotated[
        float | None, options.size("Follow plateaus in long windows, each held to this relative error; 1e-10, say.")
    ] = None,
    workers: options.Workers = None,
    memory_limit: options.MemoryLimit = None,
    out: Annotated[Path | None, typer.Option(help="File to save [trajectory.nc].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that holds another run.")] = False,
) -> None:
    """Train with any parameters and optimizers, and save the trajectory.

    Every optimizer starts from the same data and weights. What is not given comes from the regime HEADLINE. The
    trajectory is a netCDF file with dimensions seed, optimizer, iteration, neuron, margin; `lemmascope claims` judges
    it, and xarray opens it.

    \b
    Examples:
      lemmascope simulate --iterations 2000 --seeds 3 --out run.nc
      lemmascope simulate --optimizer gd:eta=0.1 --optimizer momentum:eta=0.1,gamma=0.99 --out two.nc
      lemmascope simulate --optimizer "decay=gd:eta=0.1@0/0.01@5000" --every 100 --out schedule.nc
      lemmascope simulate --regime paper -d 1000000 --law exact --iterations 5000 --out exact.nc
      lemmascope simulate --regime paper -d 1000000 --law exact --iterations 100000000 --fast-forward 1e-10
      lemmascope simulate --data digits.npz -m 10 --sigma-0 0.01 --optimizer gd:eta=0.1 --out digits.nc
      lemmascope simulate study.toml --seeds 10

    \b
    study.toml:
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

    Exit status: 0, or 2 for wrong use, 130 for Ctrl-C.
    """
    flags = {k: v for k, v in locals().items() if k not in ("config", "force")}
    with polite():
        chosen = settings(read_toml(config) if config is not None else {}, flags)
        console = open_console()
        same = identity(chosen.problem, chosen.optimizers, chosen.record, chosen.run)
        if chosen.out.is_dir():
            raise InputError("out", str(chosen.out), "it must be a file, and this is a folder")
        if chosen.out.exists() and not force:
            refuse_other(chosen.out, "out", same, found_identity(chosen.out))
        check_writable(chosen.out)
        started = time.monotonic()
        total = chosen.run["iterations"] * chosen.run["seeds"]
        with progress(max(total, 1) if isinstance(total, int) else 1, ", ".join(chosen.optimizers)) as advance:
            run = run_simulation(
                chosen.problem, chosen.optimizers, record=chosen.record, progress=advance, **chosen.run
            )
        run.attrs["identity"] = json.dumps(same)
        save(run, chosen.out)
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
        table.add_row(escape(str(optimizer)), *(report.number(float(cell.median("seed"))) for cell in cells))
    return table


@app.command()
def claims(
    file: Annotated[Path | None, typer.Argument(help="A trajectory saved by simulate or reproduce.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show all claims and judge nothing.")] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help="Judge only this claim. Repeat.")] = None,
    plugin: Annotated[Path | None, typer.Option(help="A Python file with claims of your own.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the verdicts to this file too.")] = None,
) -> None:
    """Judge a saved trajectory against the claims, or list them.

    Each claim that concerns an optimizer of the trajectory gets a verdict: HOLDS, REFUTED with the witness,
    INCONCLUSIVE, or NOT_APPLICABLE with the hypothesis that fails; and its negative control, which must be REFUTED.

    \b
    Examples:
      lemmascope claims --list
      lemmascope claims results/headline/trajectory.nc
      lemmascope claims run.nc --only gdm.generalizes --json verdicts.json
      lemmascope claims run.nc --plugin my_claims.py

    Exit status: 0 when no verdict contradicts its claim (NOT_APPLICABLE is no contradiction), 1 when one is REFUTED or
    INCONCLUSIVE or a control HOLDS, 2 for wrong use.
    """
    with polite():
        known: dict[str, Claim] = dict(CLAIMS)
        if plugin is not None:
            known.update({claim.id: claim for claim in own_objects(plugin, Claim)})
        for name in only or ():
            if name not in known:
                raise InputError("only", name, f"the claims are {', '.join(known)}")
        chosen = [claim for name, claim in known.items() if not only or name in only]
        console = open_console()
        if list_:
            for line in report.claims_catalogue(chosen):
                console.print(line)
            return
        if file is None:
            raise InputError("file", None, "give a trajectory to judge, or --list")
        if json_ is not None and json_.exists():
            report.read_verdicts(json_)  # an older verdicts.json may be replaced, and nothing else
        trajectory = load(file)
        verdicts = judge(trajectory, chosen)
        _show(console, verdicts)
        if json_ is not None:
            write_json(json_, report.verdicts_json(verdicts, trajectory))
        counts = {status: sum(v.status is status for v in verdicts) for status in Status}
        console.print("\n" + ", ".join(f"{count} {status.value}" for status, count in counts.items() if count))
        if any(_contradicted(v) for v in verdicts):
            raise typer.Exit(1)


def _contradicted(v: Verdict) -> bool:
    """A claim that did not come out, or whose control came out like itself (a control may be undecided)."""
    unrefuted = v.control is not None and v.control["status"] in (Status.HOLDS, Status.PROVED)
    return unrefuted or v.status not in (v.expected, Status.NOT_APPLICABLE)
