"""The commands about where the theorem holds and where it ends: ``scaling`` and ``phase``."""

from __future__ import annotations

__all__ = ["phase", "scaling"]

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
import xarray as xr
from rich.console import Console

from lemmascope.cli import options
from lemmascope.cli.main import app
from lemmascope.sims.cubic_cnn.trajectory import save
from lemmascope.sims.files import ResultsFolder, write_json
from lemmascope.sims.report import verdicts as report
from lemmascope.sims.report.terminal import open_console, polite, stop, task_progress
from lemmascope.sims.run.provenance import machine_of
from lemmascope.sims.studies import phase as phase_study
from lemmascope.sims.studies import scaling as scaling_study
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.verdict import Verdict

Cluster = Annotated[
    str | None, typer.Option(help="Run over Dask: local, local:WORKERS, or tcp://HOST:PORT. Same bits as without.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run that was interrupted stopped.")]
Force = Annotated[bool, typer.Option("--force", help="Replace other results in that folder.")]
Root = Annotated[int, options.count("Root of all random streams.")]


@contextmanager
def _said(kind: type[Exception]) -> Iterator[None]:
    """An error of that kind as one sentence, with exit status 3."""
    try:
        yield
    except kind as error:
        stop(str(error), 3, error)


@contextmanager
def _carrying(
    console: Console,
    tasks: list[Any],
    names: list[str],
    shape: tuple[int, ...],
    fingerprint: dict[str, Any],
    out: Path,
    *,
    resume: bool,
    force: bool,
    cluster: str | None,
    workers: int | None,
    what: str,
) -> Iterator[dict[str, Any]]:
    """A study's keyword arguments: the store beside ``out``, the cluster, and the progress bar."""
    from lemmascope.sims.run.store import Store

    if workers is not None:
        check_size("workers", workers)
    path = out.with_name(out.name + ".zarr")
    with ExitStack() as around:
        store = around.enter_context(
            Store.create_or_open(
                path, fingerprint, [task.key for task in tasks], names, shape, resume=resume, force=force
            )
        )
        for key in store.damaged:
            console.print(f"the result of {key} was damaged, and is computed again", style="yellow", markup=False)
        if store.done:
            console.print(f"{store.done} of {len(tasks)} parts are there already", markup=False)
        left = store.missing()
        weights = [float(getattr(task, "cost", 1.0)) for task in tasks]
        client = None
        if cluster is not None and left:
            from lemmascope.sims.run.cluster import ClusterLost, connect

            around.enter_context(_said(ClusterLost))
            client = around.enter_context(connect(cluster))
            console.print(f"Dask's dashboard: {client.dashboard_link}", markup=False)
        advance = around.enter_context(task_progress(sum(weights[i] for i in left), len(left), what))
        yield {"store": store, "cluster": client, "workers": workers, "progress": lambda i: advance(weights[i])}


def _finish(
    console: Console,
    folder: ResultsFolder,
    data: xr.Dataset,
    name: str,
    verdicts: list[Verdict],
    seconds: float,
    values: dict[str, Any],
) -> None:
    save(data, folder.partial / f"{name}.nc")
    write_json(folder.partial / "verdicts.json", report.verdicts_json(verdicts, data))
    folder.provenance({**values, **machine_of(seconds)})


def _show(console: Console, verdicts: list[Verdict], out: Path, seconds: float) -> None:
    if not verdicts:
        console.print(
            f"\nNo line is predicted for this plane, and no verdict given. {seconds:.0f} s; results in {out}",
            markup=False,
        )
        return
    console.print("\nClaims, with the hypotheses checked and a negative control that must be REFUTED", style="bold")
    for line in report.claim_lines(verdicts):
        console.print(line)
    good = sum(v.as_expected for v in verdicts)
    console.print(
        f"\n{good} of {len(verdicts)} verdicts as expected, in {seconds:.0f} s; results in {out}", markup=False
    )
    if good < len(verdicts):
        raise typer.Exit(1)


def _dimensions(text: str | None) -> tuple[int, ...]:
    if text is None:
        return scaling_study.DIMENSIONS
    try:
        found = tuple(int(float(part)) for part in text.split(","))
    except (ValueError, OverflowError):
        raise InputError("dimensions", text, "give numbers, as in 1e3,1e5,1e7") from None
    if len(found) < 5 or list(found) != sorted(set(found)) or found[0] < 100:
        raise InputError("dimensions", text, "give five or more, increasing, from 100 on")
    if found[-1] > 10**12:
        raise InputError("dimensions", text, "at most 1e12: beyond it 1 − γ is lost in the rounding of γ")
    return found


@app.command()
def scaling(
    dimensions: Annotated[str | None, typer.Option(help="Dimensions d, as in 1e3,1e5,… [1e3 … 1e12].")] = None,
    seeds: Annotated[int, options.count("Draws at each dimension.")] = scaling_study.SEEDS,
    root_seed: Root = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/scaling"),
    exact: Annotated[bool, typer.Option("--exact", help="Compute every iteration; takes days beyond d = 1e4.")] = False,
    cluster: Cluster = None,
    workers: options.Workers = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Measure how hitting times and final coefficients grow with the dimension, against the predicted exponents.

    By the exact law a draw costs the same in any dimension; runs of 10⁷ to 10¹⁵ iterations are fast-forwarded over
    their plateaus, with an error control that is held to exact steps. T₀, T₁ and max c(T) of GD and GD+M, their slopes
    with bootstrap intervals, and beside them a deliberately wrong scaling whose slopes must be refuted.

    \b
    Examples:
      lemmascope scaling
      lemmascope scaling --seeds 50 --cluster local --out results/scaling-50
      lemmascope scaling --dimensions 1e3,1e4,1e5,1e6,1e7 --seeds 5 --out results/quick
      lemmascope scaling --resume

    Exit status: 0 when every claim came out as expected, 1 when one did not, 2 for wrong use, 3 when the cluster was
    lost, 130 for Ctrl-C; what is finished is kept for --resume.
    """
    with polite(kept="finished parts are kept; --resume continues"):
        sizes = _dimensions(dimensions)
        if seeds < 2:
            raise InputError("seeds", seeds, "2 or more are needed for an interval")
        console, started = open_console(), time.monotonic()
        made = scaling_study.tasks(sizes, seeds, root_seed, exact=exact)
        fingerprint = {
            "study": "scaling",
            "dimensions": list(sizes),
            "seeds": seeds,
            "root_seed": root_seed,
            "exact": exact,
            "tolerance": scaling_study.TOLERANCE,
            "lemmascope_version": version("lemmascope"),
        }
        with ResultsFolder(out, fingerprint, force=force) as folder:
            with _carrying(
                console,
                made,
                list(scaling_study.QUANTITIES),
                scaling_study.SHAPE,
                fingerprint,
                out,
                resume=resume,
                force=force,
                cluster=cluster,
                workers=workers,
                what=f"{len(sizes)} dimensions, {seeds} seeds",
            ) as around:
                found = scaling_study.run(sizes, seeds, root_seed, exact=exact, **around)
            data, verdicts = found.data, found.verdicts
            _write_scaling(folder, data, verdicts)
            _finish(console, folder, data, "scaling", verdicts, time.monotonic() - started, fingerprint)
        for line in scaling_study.summary(data):
            console.print(line, markup=False)
        _show(console, verdicts, out, time.monotonic() - started)


def _write_scaling(folder: ResultsFolder, data: xr.Dataset, verdicts: list[Verdict]) -> None:
    from lemmascope.sims.figures import save as save_figure
    from lemmascope.sims.figures import scaling as figure

    save_figure(figure.draw(data, verdicts), figure.caption(data, verdicts), folder.partial / "figures", "scaling")


def _axis(name: str, span: tuple[float, float] | None, cells: int, base: Parameters) -> phase_study.Axis:
    if name not in phase_study.AXES:
        raise InputError("axis", name, f"it must be one of {', '.join(phase_study.AXES)}")
    if span is None:
        known = {"eta": (0.0125, 64.0), "gamma": (1e-4, 1.0), "mu": (0.05, 0.8)}
        middle = float(getattr(base, name, 1.0))
        span = known.get(name, (middle / 4, middle * 4))
        if name in ("N", "m", "P"):
            span = max(2.0, span[0]), span[1]
        if name == "d":
            span = float(base.n + 1), max(1e6, 4 * middle)
    return phase_study.Axis.spaced(name, *span, cells)


@app.command()
def phase(
    x: Annotated[
        str, typer.Option(help="Horizontal axis: eta, gamma, alpha, beta, mu, sigma, sigma_0, N, m, P, d.")
    ] = "eta",
    y: Annotated[str, typer.Option(help="Vertical axis; gamma is drawn as 1 − γ.")] = "gamma",
    x_range: Annotated[tuple[float, float] | None, typer.Option(help="From and to (of 1 − γ for gamma).")] = None,
    y_range: Annotated[tuple[float, float] | None, typer.Option(help="From and to.")] = None,
    cells: Annotated[int | None, options.count("Cells a side [16].")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="8 × 8 cells.")] = False,
    full: Annotated[bool, typer.Option("--full", help="32 × 32 cells, 10 seeds: for a cluster.")] = False,
    seeds: Annotated[int | None, options.count("Draws of data and weights [3].")] = None,
    eta: Annotated[float, options.size("Learning rate, where it is no axis.")] = 0.1,
    gamma: Annotated[float, options.size("Momentum, where it is no axis.")] = 0.999,
    d: options.D = None,
    N: options.N = None,
    P: options.P = None,
    m: options.M = None,
    alpha: options.Alpha = None,
    beta: options.Beta = None,
    mu: options.Mu = None,
    sigma: options.Sigma = None,
    sigma_0: options.Sigma0 = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Let no cell leave the stack before its last iteration.")
    ] = False,
    dtype: options.Dtype = None,
    root_seed: Root = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/phase"),
    cluster: Cluster = None,
    workers: options.Workers = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Draw where GD fails, where momentum rescues it, and the predicted lines over it.

    Each cell of the plane trains the network and is judged by its test accuracy on small-margin data. Cells of a seed
    share the data and are stacked into one matrix product an iteration; a cell leaves once its fate is decided. On the
    plane of η and 1 − γ (γ = 0, plain GD, is its last row) the race law, coasting alone and the overshoot line are
    drawn and judged; HEADLINE is the base unless flags say otherwise.

    \b
    Examples:
      lemmascope phase --quick
      lemmascope phase
      lemmascope phase --full --cluster tcp://scheduler:8786 --out results/phase-full
      lemmascope phase --x mu --y beta --cells 8 --out results/mu-beta
      lemmascope phase --resume

    Exit status: 0 when every claim came out as expected, 1 when one did not, 2 for wrong use, 3 when the cluster was
    lost, 130 for Ctrl-C; what is finished is kept for --resume.
    """
    with polite(kept="finished parts are kept; --resume continues"):
        if quick and full:
            raise InputError("quick", True, "give either --quick or --full")
        count = cells if cells is not None else 8 if quick else 32 if full else 16
        number = seeds if seeds is not None else 10 if full else phase_study.SEEDS
        given = {
            "d": d,
            "N": N,
            "P": P,
            "m": m,
            "alpha": alpha,
            "beta": beta,
            "mu": mu,
            "sigma": sigma,
            "sigma_0": sigma_0,
        }
        base = Parameters.from_dict(HEADLINE.to_dict() | {k: v for k, v in given.items() if v is not None})
        plane = phase_study.Plane(
            _axis(x, x_range, count, base), _axis(y, y_range, count, base), base, eta=eta, gamma=gamma
        )
        console, started = open_console(), time.monotonic()
        made = phase_study.tasks(plane, number, root_seed, leave=not stay, dtype=dtype or "float64")
        fingerprint = {
            "study": "phase",
            "x": [x, *plane.x.values],
            "y": [y, *plane.y.values],
            "base": base.to_dict(),
            "eta": eta,
            "gamma": gamma,
            "seeds": number,
            "root_seed": root_seed,
            "stay": stay,
            "dtype": dtype or "float64",
            "lemmascope_version": version("lemmascope"),
        }
        with ResultsFolder(out, fingerprint, force=force) as folder:
            with _carrying(
                console,
                made,
                list(phase_study.MEASURED),
                phase_study.SHAPE,
                fingerprint,
                out,
                resume=resume,
                force=force,
                cluster=cluster,
                workers=workers,
                what=f"{len(plane.x.values)} × {len(plane.y.values)} cells, {number} seeds",
            ) as around:
                found = phase_study.run(plane, number, root_seed, leave=not stay, dtype=dtype or "float64", **around)
            data, verdicts = found.data, found.verdicts
            _write_phase(folder, data, found.kappa)
            _finish(console, folder, data, "phase", verdicts, time.monotonic() - started, fingerprint)
        for line in phase_study.summary(data):
            console.print(line, markup=False)
        _show(console, verdicts, out, time.monotonic() - started)


def _write_phase(folder: ResultsFolder, data: xr.Dataset, kappa: float) -> None:
    from lemmascope.sims.figures import phase as figure
    from lemmascope.sims.figures import save as save_figure

    save_figure(figure.draw(data, kappa), figure.caption(data, kappa), folder.partial / "figures", "phase")
