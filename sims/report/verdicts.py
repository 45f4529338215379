"""What a reader gets of the verdicts: JSON, the talk's table, a block for each claim, and what it all means."""

from __future__ import annotations

__all__ = [
    "VERDICTS_SCHEMA",
    "Cell",
    "claim_lines",
    "claims_catalogue",
    "meaning",
    "read_verdicts",
    "talk_table",
    "talk_table_text",
    "verdict_json",
    "verdicts_json",
]

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from rich.console import RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lemmascope.sims.cubic_cnn.trajectory import TrajectoryError
from lemmascope.theory.cubic_cnn.claims.readings import CHANCE, GENERALIZES
from lemmascope.theory.verdict import Claim, Status, Verdict

VERDICTS_SCHEMA = "lemmascope-verdicts/1"

COLUMNS = {"training loss": None, "large margin": "large", "small margin": "small"}
_COLOURS = {
    Status.PROVED: "green",
    Status.HOLDS: "green",
    Status.REFUTED: "red",
    Status.INCONCLUSIVE: "yellow",
    Status.NOT_APPLICABLE: "dim",
}


@dataclass(frozen=True)
class Cell:
    """One cell of the talk's table: the final accuracy over seeds.

    Attributes:
        accuracy: median over seeds; low, high: smallest and largest, which is an interval for the median of
            confidence 1 − 2^{1−n}.
        passed: seeds that reach 1 (training) or 0.99 (test); seeds: how many there are.
        loss: median training loss, in the first column.
    """

    accuracy: float
    low: float
    high: float
    passed: int
    seeds: int
    loss: float | None = None

    @property
    def mark(self) -> str:
        """✓ if most seeds pass, else ✗."""
        return "✓" if 2 * self.passed > self.seeds else "✗"


def talk_table(trajectory: xr.Dataset) -> dict[str, dict[str, Cell]]:
    """The talk's table, measured at the last iteration: optimizer → column → `Cell`."""
    final = trajectory.isel(iteration=-1)
    table: dict[str, dict[str, Cell]] = {}
    for name in trajectory.optimizer.values:
        at = final.sel(optimizer=name)
        small = at.small_count
        N = json.loads(trajectory.attrs["sizes"])["N"]
        weight = xr.concat([N - small, small], dim="margin") / N
        train = (at.train_accuracy.fillna(0).transpose("margin", "seed").values * weight.values).sum(axis=0)
        row: dict[str, Cell] = {}
        for column, margin in COLUMNS.items():
            values = train if margin is None else at.test_accuracy.sel(margin=margin).values
            good = values >= (1.0 if margin is None else GENERALIZES)
            row[column] = Cell(
                accuracy=float(sorted(values)[(len(values) - 1) // 2] + sorted(values)[len(values) // 2]) / 2,
                low=float(min(values)),
                high=float(max(values)),
                passed=int(good.sum()),
                seeds=len(values),
                loss=float(at.loss.sum("margin").median()) if margin is None else None,
            )
        table[str(name)] = row
    return table


def _cell_text(cell: Cell) -> str:
    text = f"{cell.mark} {cell.accuracy:.3f} [{cell.low:.3f}, {cell.high:.3f}]  {cell.passed}/{cell.seeds}"
    return text if cell.loss is None else f"{text}\n  loss {cell.loss:.1e}"


def talk_table_text(table: dict[str, dict[str, Cell]]) -> Table:
    """The table for a terminal."""
    seeds = next(iter(next(iter(table.values())).values())).seeds
    out = Table(title="The talk's table, measured", title_justify="left", caption_justify="left", pad_edge=False)
    out.caption = (
        f"Accuracy at the last iteration: median over {seeds} seeds [smallest, largest], seeds that pass. "
        f"✓: training accuracy 1, test accuracy ≥ {GENERALIZES}. "
        f"[smallest, largest] covers the median with probability {1 - 2 ** (1 - seeds):.3f}."
    )
    out.add_column("", no_wrap=True)
    for column in COLUMNS:
        out.add_column(column, no_wrap=True)
    for name, row in table.items():
        out.add_row(escape(name), *(escape(_cell_text(cell)) for cell in row.values()))
    return out


def number(x: float | None) -> str:
    """Three significant digits, ∞ and – for what has none."""
    if x is None or math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.3g}".replace("-", "−")


def bound(verdict: Verdict) -> str:
    """The bound beside the computed value: "2.64 in [0.161, 6.21]", "0.502 ≤ 0.55", …"""
    c, low, high = number(verdict.computed), verdict.lower, verdict.upper
    if verdict.computed is None:
        return "–"
    if math.isfinite(low) and math.isfinite(high):
        return f"{c} in [{number(low)}, {number(high)}]"
    if math.isfinite(low):
        return f"{c} ≥ {number(low)}" if verdict.computed >= low else f"{c} < {number(low)}"
    if math.isfinite(high):
        return f"{c} ≤ {number(high)}" if verdict.computed <= high else f"{c} > {number(high)}"
    return c


def _hypotheses(verdict: Verdict) -> str:
    everywhere = [h["name"] for h in verdict.hypotheses if h["holds"] == h["of"]]
    rest = [
        f"{h['name']} on {h['holds']} of {h['of']} seeds" if h["holds"] is not None else f"{h['name']} not looked at"
        for h in verdict.hypotheses
        if h["holds"] != h["of"]
    ]
    return ", ".join([*everywhere, *rest]) or "none"


def _under(text: str, style: str = "") -> RenderableType:
    """An indented paragraph that keeps its indent where it wraps."""
    return Padding(Text(text, style=style), (0, 0, 0, 4), expand=False)


def _mark(v: Verdict) -> tuple[str, str]:
    if v.as_expected:
        return "✓ ", "green"
    undecided = v.status in (v.expected, Status.NOT_APPLICABLE) and v.control_undecided
    return ("– ", "dim") if v.status is Status.NOT_APPLICABLE or undecided else ("✗ ", "bold red")


def claim_lines(verdicts: Iterable[Verdict]) -> Iterable[RenderableType]:
    """A block for each verdict: status, id, number against bound; statement; hypotheses, control.

    ✓ as expected, ✗ not so, – not applicable where something else was expected.
    """
    for v in verdicts:
        head = Text()
        head.append(*_mark(v))
        head.append(f"{v.status.value:<15}", style=_COLOURS[v.status])
        head.append(f"{v.claim}", style="bold")
        head.append(f" · {v.optimizer}   " if v.optimizer else "   ")
        if v.computed is not None:
            head.append(f"{bound(v)}   ")
        head.append(v.reason if v.status is not v.expected or v.computed is None else _count(v), style="dim")
        if v.status not in (v.expected, Status.NOT_APPLICABLE):
            head.append(f"   (expected {v.expected.value})", style="bold red")
        yield head
        yield _under(v.plain)
        line = f"checked: {_hypotheses(v)}"
        if v.control is not None and v.status is not Status.NOT_APPLICABLE:
            line += f" · control ({v.control['description']}): {v.control['status']}"
        yield _under(line, style="dim")


def _count(v: Verdict) -> str:
    text = f"{len(v.holding)} of {len(v.seeds)} seeds"
    return text if v.interval is None else f"{text}, p ≥ {v.interval[0]:.2f} (95 %)"


def claims_catalogue(claims: Iterable[Claim]) -> Iterable[RenderableType]:
    """A block for each claim: id, kind, source, statement, hypotheses, control."""
    for claim in claims:
        head = Text()
        head.append(claim.id, style="bold")
        about = {"gd": "GD", "momentum": "GD+M", "any": "each optimizer", "family": "all optimizers together"}
        head.append(f"   {claim.kind.value} · source: {claim.source} · about: {about[claim.subject]}")
        if claim.probability is not None:
            head.append(f" · with probability > {claim.probability:g}")
        yield head
        yield _under(claim.plain or claim.statement)
        if claim.plain:
            yield _under(f"LaTeX: {claim.statement}", style="dim")
        for h in claim.hypotheses:
            yield _under(f"if {h.name}: {h.statement}", style="dim")
        control = f"{claim.control.description}, which must be REFUTED" if claim.control else "none"
        yield _under(f"control: {control}", style="dim")


def meaning(trajectory: xr.Dataset, table: dict[str, dict[str, Cell]]) -> list[str]:
    """What the headline run shows, in sentences made from its numbers; for a run with "GD" and "GD+M" of the law."""
    p = json.loads(trajectory.attrs["parameters"])
    final, start = trajectory.isel(iteration=-1), trajectory.isel(iteration=0)

    def median(x: xr.DataArray) -> str:
        return number(float(x.median("seed")))

    found = []
    for name in ("GD", "GD+M"):
        at, small = final.sel(optimizer=name), final.sel(optimizer=name, margin="small")
        row = table[name]
        grown = small.Xi_abs_max / start.sel(optimizer=name, margin="small").Xi_abs_max
        found.append(
            f"{name}: the feature reaches c = {median(at.c.max('neuron'))} "
            f"(1/α = {number(1 / p['alpha'])}, 1/β = {number(1 / p['beta'])}), the noise of the small-margin samples "
            f"is amplified {median(grown)} times, and {_ending(row)}."
        )
    return found


def _ending(row: dict[str, Cell]) -> str:
    fits = "the training set is fitted" if row["training loss"].mark == "✓" else "the training set is not fitted"
    small = row["small margin"]
    if small.accuracy >= GENERALIZES:
        return f"{fits}: by the feature, so fresh small-margin data are classified ({small.accuracy:.2f})"
    guess = "by chance" if small.accuracy <= CHANCE else "partly"
    return f"{fits}: by memorized noise, so fresh small-margin data are classified {guess} ({small.accuracy:.2f})"


def _plain_value(x: Any) -> Any:
    """JSON without NaN and infinity: both become null."""
    if isinstance(x, float) and not math.isfinite(x):
        return None
    if isinstance(x, dict):
        return {key: _plain_value(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain_value(value) for value in x]
    return x


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict as JSON; an infinite bound is null."""
    return _plain_value({**asdict(verdict), "as_expected": verdict.as_expected})


def verdicts_json(
    verdicts: Iterable[Verdict], trajectory: xr.Dataset, table: dict[str, dict[str, Cell]] | None = None
) -> dict[str, Any]:
    """The contents of ``verdicts.json``; the schema is sims/verdicts.schema.json and docs/results.md."""
    attrs = trajectory.attrs
    return {
        "schema": VERDICTS_SCHEMA,
        "lemmascope_version": attrs["lemmascope_version"],
        "study": attrs["study"],
        "root_seed": int(attrs["root_seed"]),
        "seeds": [int(s) for s in trajectory.seed.values],
        "iterations": int(attrs["iterations"]),
        "parameters": json.loads(attrs["parameters"]),
        "optimizers": json.loads(attrs["optimizers"]),
        "table": None
        if table is None
        else {name: {c: {**asdict(cell), "mark": cell.mark} for c, cell in row.items()} for name, row in table.items()},
        "verdicts": [verdict_json(v) for v in verdicts],
    }


def read_verdicts(path: str | Path) -> dict[str, Any]:
    """Read ``verdicts.json``.

    Raises:
        TrajectoryError: there is no such file, or it is truncated, foreign, or of another schema version.
    """
    path = Path(path)
    if not path.is_file():
        raise TrajectoryError(f"{path} is missing: give a verdicts.json written by lemmascope")
    try:
        found = json.loads(path.read_text())
        schema = found.get("schema")
    except (ValueError, AttributeError) as error:
        raise TrajectoryError(f"{path} cannot be read as verdicts: it is truncated or no JSON object") from error
    if schema != VERDICTS_SCHEMA:
        raise TrajectoryError(f"{path} has schema {schema!r}, not {VERDICTS_SCHEMA!r}")
    return found
