"""The record of a machine, ``benchmarks/records/<machine>.json``, and the documents' tables made from it."""

from __future__ import annotations

__all__ = [
    "FOLDER",
    "SCHEMA",
    "Summary",
    "documents",
    "growth_table",
    "make",
    "milliseconds",
    "output",
    "percent",
    "read",
    "reason",
    "saved",
    "summary",
    "table",
    "where",
]

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lemmascope.benchmarks.growth import Growth
from lemmascope.benchmarks.limits import Limits
from lemmascope.benchmarks.machine import file_name, machine
from lemmascope.benchmarks.measure import Timing
from lemmascope.benchmarks.work import Work
from lemmascope.sims.files import Output, rewrite
from lemmascope.sims.report.documents import rewritten

SCHEMA = "lemmascope-benchmark/1"
FOLDER = Path(__file__).resolve().parent / "records"

Record = dict[str, Any]


def _number(x: float) -> float | None:
    """JSON has no NaN or infinity."""
    return x if math.isfinite(x) else None


def _implementation(timing: Timing, limits: Limits) -> Record:
    least, limited_by = limits.least_seconds(timing.cost)
    return {
        "name": timing.name,
        "peer": timing.peer,
        "formulation": timing.formulation,
        "chosen": timing.chosen,
        "refused": timing.refused,
        "difference": _number(timing.difference),
        "prepare_seconds": _number(timing.prepare),
        "compile_seconds": _number(timing.compile),
        "iterations": timing.iterations,
        "rounds_ms": [1e3 * s for s in timing.rounds],
        "median_ms": _number(1e3 * timing.seconds),
        "flops": timing.cost.flops,
        "bytes": timing.cost.bytes,
        "resident": timing.cost.resident,
        "limit_ms": 1e3 * least,
        "limited_by": limited_by,
        "of_limit": _number(least / timing.seconds),
        "of_product_rate": _number(timing.cost.flops / limits.product_rate["float64"] / timing.seconds),
    }


def make(
    found: Sequence[tuple[Work, Sequence[Timing]]],
    limits: Limits,
    growth: Sequence[Growth],
    machine: Record,
    *,
    quick: bool = False,
    on_device: Limits | None = None,
) -> Record:
    """The record, JSON-ready: every round of every timing, the limits, the growth, where and when."""
    return {
        "schema": SCHEMA,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "quick": quick,
        "limits": {"product_rate": limits.product_rate, "bandwidth": [list(pair) for pair in limits.bandwidth]},
        "rows": [
            {
                "work": work.name,
                "described": work.described,
                "parameters": work.parameters.to_dict(),
                "seeds": work.seeds,
                "cells": [list(cell) for cell in work.cells],
                "checked_iterations": work.iterations,
                "at_least": work.at_least,
                "rate_at_least": work.rate_at_least,
                "implementations": [
                    _implementation(timing, on_device if work.on_device and on_device else limits) for timing in timings
                ],
            }
            for work, timings in found
        ],
        "growth": [
            {
                "size": g.study.size,
                "expected": g.study.expected,
                "base": g.study.base.to_dict(),
                "seeds": g.study.seeds,
                "cells": g.study.cells,
                "threads": g.study.workers,
                "points": [[x, 1e3 * t] for x, t in g.points],
                "exponent": _number(g.exponent),
                "error": _number(g.error),
            }
            for g in growth
        ],
    }


def output(out: Path | None = None) -> Output:
    """The file that a record is to be written to, under this machine's name in `FOLDER` unless ``out`` says where."""
    return Output(FOLDER / f"{file_name(machine())}.json" if out is None else out, SCHEMA.partition("/")[0])


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        ValueError: it is no record of ours.
    """
    record = json.loads(path.read_text("utf-8"))
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not a record of the benchmark ({SCHEMA})")
    return record


@dataclass(frozen=True)
class Summary:
    """A row in short: the fastest own and the fastest peer implementation (None where there is none), their ratio."""

    own: Record | None
    peer: Record | None
    ratio: float


def summary(row: Record) -> Summary:
    """The fastest of each side among those that were timed."""

    def fastest(peer: bool) -> Record | None:
        timed = [i for i in row["implementations"] if i["peer"] == peer and i["median_ms"] is not None]
        return min(timed, key=lambda i: i["median_ms"], default=None)

    own, peer = fastest(False), fastest(True)
    ratio = peer["median_ms"] / own["median_ms"] if own and peer else math.nan
    return Summary(own, peer, ratio)


def reason(row: Record) -> str:
    """Why a row falls short, from its numbers; empty where it does not."""
    s = summary(row)
    if s.own is None:
        refused = [f"{i['name']}: {i['refused']}" for i in row["implementations"] if not i["peer"]]
        return "; ".join(refused) or "nothing of this project was timed"
    if s.peer is None:
        refused = sorted({i["refused"] for i in row["implementations"] if i["peer"] and i["refused"]})
        return "no peer was timed: " + "; ".join(refused or ["none was asked for"])
    said = []
    if s.ratio < row["at_least"]:
        room = s.peer["median_ms"] / s.own["limit_ms"]
        at = f"this project is at {percent(s.own['of_limit'])} of its limit ({s.own['limited_by']})"
        if room < row["at_least"]:
            said.append(f"{at}; at the limit itself the ratio would be {room:.2g}")
        else:
            said.append(f"{at}, the best peer at {percent(s.peer['of_limit'])} of its own; {room:.2g} × is possible")
    if row["rate_at_least"] is not None and s.own["of_product_rate"] < row["rate_at_least"]:
        said.append(f"{percent(s.own['of_product_rate'])} of the product rate, not {row['rate_at_least']:.0%}")
    return "; ".join(said)


def milliseconds(x: float) -> str:
    """Three significant digits, without exponents."""
    digits = 2 - math.floor(math.log10(x)) if x > 0 else 0
    return f"{x:.{max(digits, 0)}f}"


def percent(x: float) -> str:
    """Whole percents; below ten, two digits."""
    return f"{x:.0%}" if x >= 0.1 else f"{100 * x:.2g}%"


def _ratio(x: float) -> str:
    return f"{x:.0f} ×" if x >= 10 else f"{x:.2g} ×"


def _row(row: Record) -> str:
    s, short = summary(row), reason(row)
    name = row["described"].replace("|", "\\|")
    own = f"{milliseconds(s.own['median_ms'])} ({s.own['name']})" if s.own else "–"
    peer = f"{milliseconds(s.peer['median_ms'])} ({s.peer['name']})" if s.peer else "–"
    ratio = _ratio(s.ratio) if math.isfinite(s.ratio) else "–"
    limit = f"{percent(s.own['of_limit'])} of the {s.own['limited_by']}" if s.own else "–"
    aim = f"{row['at_least']:g} ×" + (f", {row['rate_at_least']:.0%}" if row["rate_at_least"] is not None else "")
    mark = "✗" if short else "✓"
    return f"| {row['work']} | {name} | {own} | {peer} | {mark} {ratio} | {aim} | {limit} | {short} |"


def where(record: Record) -> str:
    """Machine, versions and limits in one sentence."""
    m, rates = record["machine"], record["limits"]
    libraries = ", ".join(f"{k} {v}" for k, v in m["versions"].items() if k != "lemmascope")
    streamed = min(rate for _, rate in rates["bandwidth"])
    cached = max(rate for _, rate in rates["bandwidth"])
    device = f", {m['device']}" if m["device"] else ""
    return (
        f"{m['processor']}, {m['cores']} cores{device}; {record['date']}; {libraries}. Measured limits: "
        f"{rates['product_rate']['float64'] / 1e9:.0f} Gflop/s (float64) and "
        f"{rates['product_rate']['float32'] / 1e9:.0f} (float32) in square matrix products; "
        f"{streamed / 1e9:.0f} GB/s from memory, {cached / 1e9:.0f} from cache."
    )


def table(record: Record) -> str:
    """The table of speed: a line for each row, and what was measured where."""
    lines = [
        "| | work | this project, ms | best peer, ms | ratio | aim | of its limit | falls short |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(row) for row in record["rows"]),
        "",
        "Milliseconds an iteration, all seeds and cells together: medians, in turn. " + where(record),
    ]
    if record["quick"]:
        lines.append("Works at a fraction of their size: nothing can be read off these ratios.")
    return "\n".join(lines)


def growth_table(record: Record) -> str:
    """How the cost grows: the exponents of the time an iteration."""
    lines = ["| size | from … to | ms an iteration | exponent | expected |", "|---|---|---|---|---|"]
    for g in record["growth"]:
        (x, first), (z, last) = g["points"][0], g["points"][-1]
        error = f" ± {g['error']:.2f}" if g["error"] is not None else ""
        exponent = "–" if g["exponent"] is None else f"{g['exponent']:.2f}".replace("-", "−") + error
        lines.append(
            f"| {g['size']} | {x:g} … {z:g} | {milliseconds(first)} … {milliseconds(last)} | {exponent} "
            f"| {g['expected']} |"
        )
    return "\n".join(lines)


def saved() -> list[Record]:
    """The committed records, by machine."""
    return [read(path) for path in sorted(FOLDER.glob("*.json"))]


def documents() -> dict[Path, str]:
    """docs/explanation/speed.md and benchmarks/README.md, their tables made from the committed records."""
    records, found = saved(), {}
    for path, name, made in (
        (FOLDER.parent.parent / "docs" / "explanation" / "speed.md", "speed", table),
        (FOLDER.parent / "README.md", "growth", growth_table),
    ):
        block = {name: "\n\n".join(map(made, records))}
        found[path] = rewritten(path.read_text(encoding="utf-8"), lambda name, words, block=block: block.get(name))  # type: ignore[misc]
    return found


def main() -> None:
    """Rewrite both documents: ``python -m lemmascope.benchmarks.record``."""
    for path, text in documents().items():
        rewrite(path, text.encode())


if __name__ == "__main__":
    main()
