"""What a reader gets of the verdicts: JSON, tables, and a block for each claim."""

from __future__ import annotations

__all__ = [
    "VERDICTS_SCHEMA",
    "bound",
    "claim_lines",
    "counted",
    "document",
    "read_results",
    "read_verdicts",
    "table_text",
    "under",
    "verdict_json",
    "verdicts_json",
]

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from lemmascope.sims.checksums import (
    PROVENANCE,
    ResultsError,
    Unfinished,
    check_listed,
    check_seal,
    read_json,
    read_provenance,
    sealed,
)
from lemmascope.sims.report.latex import readable
from lemmascope.sims.study import Result, plain
from lemmascope.sims.tables import COLOURS, Table, harmless, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.verdict import Status, Verdict

VERDICTS_SCHEMA = "lemmascope-verdicts/3"
VERDICTS = "verdicts.json"


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
    everywhere = [h["name"] for h in verdict.hypotheses if h.get("holds") == h.get("of")]
    rest = [
        f"{h['name']} on {h['holds']} of {h['of']} seeds" if h["holds"] is not None else f"{h['name']} not looked at"
        for h in verdict.hypotheses
        if h.get("holds") != h.get("of")
    ]
    return ", ".join([*everywhere, *rest]) or "none"


def under(text: str, style: str = "") -> RenderableType:
    """An indented paragraph that keeps its indent where it wraps; ends of lines within it are spaces."""
    return Padding(Text(harmless(" ".join(text.splitlines())), style=style), (0, 0, 0, 4), expand=False)


def _mark(v: Verdict) -> tuple[str, str]:
    if v.as_expected and not v.uncontrolled and v.expected is None:
        return ("– ", "dim") if v.status is Status.NOT_APPLICABLE else ("? ", "cyan")
    if v.as_expected and not v.uncontrolled:
        return "✓ ", "green"
    settled = v.foreseen or v.status is Status.NOT_APPLICABLE
    undecided = settled and (v.control_undecided or v.uncontrolled)
    return ("– ", "dim") if v.status is Status.NOT_APPLICABLE or undecided else ("✗ ", "bold red")


def counted(verdicts: Sequence[Verdict]) -> str:
    """How they came out: "6 of 6 verdicts as expected: 1 HOLDS, 5 INCONCLUSIVE"; and how many have no control."""
    statuses = Counter(v.status.value for v in verdicts)
    good = sum(v.as_expected for v in verdicts)
    text = f"{good} of {len(verdicts)} verdicts as expected: "
    text += ", ".join(f"{statuses[status]} {status}" for status in map(str, Status) if statuses[status])
    if asked := sum(v.expected is None for v in verdicts):
        text += f"; {asked} of them {'are open questions' if asked > 1 else 'is an open question'}"
    bare = sum(v.uncontrolled for v in verdicts)
    return f"{text}; {bare} without a control, so nothing shows that it can fail" if bare else text


def claim_lines(verdicts: Iterable[Verdict]) -> Iterable[RenderableType]:
    """A block for each verdict: status, id, number against bound; statement; hypotheses, control.

    ✓ as expected, ✗ not so, ? an open question, – not applicable where something else was expected, or without a
    control that ran.
    """
    for v in verdicts:
        head = Text()
        head.append(*_mark(v))
        head.append(f"{v.status.value:<15}", style=COLOURS[v.status])
        head.append(harmless(v.claim), style="bold")
        head.append(f" · {harmless(v.label)}   " if v.label else "   ")
        if v.computed is not None:
            head.append(f"{_shown(v)}   ")
        counts = v.foreseen and v.status is not Status.INCONCLUSIVE and v.computed is not None
        reason = _count(v) if counts else v.reason
        head.append(harmless(reason), style="dim")
        if v.expected is None and v.status is not Status.NOT_APPLICABLE:
            head.append("   (an open question)", style="cyan")
        elif v.expected is not None and not v.foreseen and v.status is not Status.NOT_APPLICABLE:
            head.append(f"   (expected {v.expected.value})", style="bold red")
        yield head
        yield under(readable(v.plain or v.statement))
        line = f"checked: {_hypotheses(v)}"
        if v.control is not None and v.status is not Status.NOT_APPLICABLE:
            line += f" · control ({v.control['description']}): {v.control['status']}"
        elif v.control is None:
            line += " · control: none"
        yield under(line, style="dim")
        if v.certified is not None:
            yield under(f"in exact arithmetic: {v.certified.says()}", style="dim")


def _shown(v: Verdict) -> str:
    """The number that a reader is shown: the median one, but the worst where it refutes, with its seed."""
    names = ("computed", "lower", "upper")
    if v.status is Status.REFUTED and v.witness is not None and {"seed", *names} <= set(v.witness):
        return f"seed {v.witness['seed']}: {bound(replace(v, **{name: v.witness[name] for name in names}))}"
    return bound(v)


def _count(v: Verdict) -> str:
    if not v.seeds or "interval" in v.evidence or v.sequential is not None:
        return v.reason
    text = f"{len(v.holding)} of {len(v.seeds)} seeds"
    return text if v.interval is None else f"{text}, p ≥ {v.interval[0]:.2f} (95 %)"


def _plain_value(x: Any) -> Any:
    """JSON without NaN and infinity: both become null."""
    if hasattr(x, "tolist"):
        x = x.tolist()
    if isinstance(x, float) and not math.isfinite(x):
        return None
    if isinstance(x, dict):
        return {str(key): _plain_value(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain_value(value) for value in x]
    return x if isinstance(x, str | int | float | None) else str(x)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict as JSON; an infinite bound is null. Without sequential test or certificate their entry is absent."""
    found = asdict(verdict)
    for name in ("sequential", "certified"):
        if found[name] is None:
            del found[name]
    if verdict.certified is not None:
        found["certified"]["says"] = verdict.certified.says()
    return _plain_value({**found, "as_expected": verdict.as_expected})


def document(
    study: str,
    verdicts: Iterable[Verdict],
    *,
    subject: str = "",
    root_seed: int | None = None,
    settings: Any = None,
    evidence: Iterable[Evidence] = (),
    tables: Iterable[Table] = (),
) -> dict[str, Any]:
    """The contents of a ``verdicts.json``; docs/reference/results.md explains it, verdicts.schema.json checks it.

    What two runs of the same study write is the same, byte for byte: no times, no machine.
    """
    shown = ({"label": one.label, "role": one.role, "parameters": plain(one.parameters)} for one in evidence)
    return sealed(
        {
            "schema": VERDICTS_SCHEMA,
            "lemmascope_version": version("lemmascope"),
            "study": study,
            "subject": subject,
            "root_seed": root_seed,
            "settings": plain(settings) or {},
            "evidence": list(shown),
            "tables": {table.name: _table_json(table) for table in tables},
            "verdicts": [verdict_json(v) for v in verdicts],
        }
    )


def verdicts_json(result: Result[Any]) -> dict[str, Any]:
    """`document` of a study's result."""
    study = result.study
    return document(
        study.name,
        result.verdicts,
        subject=study.subject,
        root_seed=result.root_seed,
        settings=result.settings,
        evidence=result.evidence,
        tables=result.tables,
    )


def _table_json(table: Table) -> dict[str, Any]:
    return _plain_value(
        {
            "title": table.title,
            "columns": list(table.columns),
            "rows": [list(row) for row in table.rows],
            "caption": table.caption,
            "values": plain(table.values),
        }
    )


def table_text(table: Table) -> RichTable:
    """A table for a terminal."""
    out = RichTable(title=Text(harmless(table.title)), title_justify="left", caption_justify="left", pad_edge=False)
    out.caption = Text(harmless(table.caption)) if table.caption else None
    for k, column in enumerate(table.columns):
        # A narrow terminal wraps the cells, and never the names of the rows.
        longest = max((len(row[0]) for row in table.rows), default=0)
        head = Text(harmless(column))
        out.add_column(head, no_wrap=k == 0, min_width=longest if k == 0 else None, overflow="fold")
    for first, *rest in table.rows:
        out.add_row(Text(harmless(first)), *(Text(harmless(cell, lines=True)) for cell in rest))
    return out


def read_verdicts(path: str | Path) -> dict[str, Any]:
    """Read a file of verdicts.

    Raises:
        ResultsError: there is no such file, or it is truncated, foreign, of another schema version, or was changed
            since it was written, by hand or by accident.
    """
    path = Path(path)
    found = read_json(path, "verdicts")
    if found.get("schema") != VERDICTS_SCHEMA:
        older = "; it is of another version of lemmascope, make it anew"
        raise ResultsError(f"{path} has schema {found.get('schema')!r}, not {VERDICTS_SCHEMA!r}{older}")
    check_seal(path, found)
    return found


def read_results(folder: Path) -> dict[str, Any] | None:
    """The verdicts in a folder of results; None where it has none, is not whole, or is of something else.

    Raises:
        ResultsError: they, or what says where they come from, are damaged or were changed since they were written.
    """
    if not {"fingerprint", "sha256"} & set(read_json(folder / PROVENANCE, "the origin of results")):
        return None  # another program's file of that name
    try:
        provenance = read_provenance(folder)
    except Unfinished:
        return None
    if VERDICTS not in provenance["files"]:
        return None
    found = read_verdicts(folder / VERDICTS)
    check_listed(folder, provenance, VERDICTS)
    return found
