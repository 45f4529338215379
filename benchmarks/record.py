"""The record of a machine, ``benchmarks/records/<machine>.json``, and the documents' tables made from it."""

from __future__ import annotations

__all__ = ["FOLDER", "SCHEMA", "Measured", "documents", "make", "merged", "output", "read", "saved"]

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
from lemmascope.benchmarks.protocol import Work
from lemmascope.benchmarks.tables import growth_table, table
from lemmascope.sims.files import Output, rewrite
from lemmascope.sims.report.documents import rewritten
from lemmascope.theory.errors import InputError

SCHEMA = "lemmascope-benchmark/2"
FOLDER = Path(__file__).resolve().parent / "records"

Record = dict[str, Any]


def _number(x: float) -> float | None:
    """JSON has no NaN or infinity."""
    return x if math.isfinite(x) else None


def _implementation(timing: Timing, limits: Limits) -> Record:
    least, limited_by = limits.least_seconds(timing.cost, timing.cost.dtype)
    return {
        "name": timing.name,
        "peer": bool(timing.library),
        "formulation": timing.formulation,
        "chosen": timing.chosen,
        "refused": timing.refused,
        "difference": _number(timing.difference),
        "prepare_seconds": _number(timing.prepare),
        "compile_seconds": _number(timing.compile),
        "iterations": timing.iterations,
        "rounds_ms": [1e3 * s for s in timing.rounds],
        "median_ms": _number(1e3 * timing.seconds),
        "dtype": timing.cost.dtype,
        "flops": timing.cost.flops,
        "bytes": timing.cost.bytes,
        "resident": timing.cost.resident,
        "limit_ms": 1e3 * least,
        "limited_by": limited_by,
        "of_limit": _number(least / timing.seconds),
        "of_product_rate": _number(timing.cost.flops / limits.product_rate[timing.cost.dtype] / timing.seconds),
    }


@dataclass(frozen=True)
class Measured:
    """A row that was measured.

    Attributes:
        work, timings: what, and what was found.
        others: share of the processors that other programs had meanwhile; None if it cannot be told.
    """

    work: Work
    timings: Sequence[Timing]
    others: float | None = None


def make(
    found: Sequence[Measured],
    limits: Limits,
    growth: Sequence[Growth],
    machine: Record,
    *,
    quick: bool = False,
    on_device: Limits | None = None,
) -> Record:
    """The record of one session, JSON-ready: every round of every timing, the limits, the growth, where and when."""
    session = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "quick": quick,
        "limits": {"product_rate": limits.product_rate, "bandwidth": [list(pair) for pair in limits.bandwidth]},
    }
    return {
        "schema": SCHEMA,
        "sessions": [session],
        "rows": [_row(one, on_device if one.work.on_device and on_device else limits) for one in found],
        "growth": [_growth(one) for one in growth],
    }


def _row(one: Measured, limits: Limits) -> Record:
    work = one.work
    return {
        "session": 0,
        "others": one.others,
        "work": work.name,
        "described": work.described,
        "parameters": work.to_dict(),
        "checked_iterations": work.iterations,
        "tolerance": work.tolerance,
        "at_least": work.at_least,
        "rate_at_least": work.rate_at_least,
        "implementations": [_implementation(timing, limits) for timing in one.timings],
    }


def _growth(g: Growth) -> Record:
    return {
        "session": 0,
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


def merged(old: Record, new: Record, order: Sequence[str]) -> Record:
    """A record with the rows of another in place of its own, and the growth where the other has it.

    Each row keeps the session that it was measured in; sessions of which nothing is left are gone.

    Args:
        old, new: the records.
        order: of the rows, by their letters; rows that are not there any more go.
    """
    first = len(old["sessions"])
    shifted = [[{**one, "session": one["session"] + first} for one in new[kind]] for kind in ("rows", "growth")]
    rows = {row["work"]: row for row in [*old["rows"], *shifted[0]]}
    kept = [rows[name] for name in order if name in rows]
    growth = shifted[1] or old["growth"]
    sessions = [*old["sessions"], *new["sessions"]]
    used = sorted({one["session"] for one in (*kept, *growth)})

    def renumbered(ones: Sequence[Record]) -> list[Record]:
        return [{**one, "session": used.index(one["session"])} for one in ones]

    return {
        "schema": SCHEMA,
        "sessions": [sessions[number] for number in used],
        "rows": renumbered(kept),
        "growth": renumbered(growth),
    }


def output(out: Path | None = None) -> Output:
    """The file that a record is to be written to, under this machine's name in `FOLDER` unless ``out`` says where."""
    return Output(FOLDER / f"{file_name(machine())}.json" if out is None else out, SCHEMA.partition("/")[0])


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        InputError: it is no record of ours, or of another version.
    """
    record = json.loads(path.read_text("utf-8"))
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError("out", str(path), f"it is not a record of the benchmark ({SCHEMA})")
    return record


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
