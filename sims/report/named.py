"""Blocks of a page that goes through another work: what it names by id, how that came out, and what shows it.

``<!-- begin found ID … -->`` is a table of claims, proof steps and identities of momentum; ``<!-- begin sections -->``
is one of the page's sections that have such blocks.
"""

from __future__ import annotations

__all__ = ["found", "named", "sections"]

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lemmascope.sims.report.saved import BEGIN, Saved, anchor, as_table, bound, cell, link, slug
from lemmascope.sims.tables import number


@dataclass(frozen=True)
class Named:
    """Something that is stated.

    Attributes:
        says: the statement, in plain text.
        shows: what was found: numbers, or where it holds.
        verdicts: one a case: the status, and whether it is expected where that is not plain.
        command: what shows it; ``short``: the same without its words.
        where: its place in docs/, and the anchor there.
    """

    says: str
    shows: str
    verdicts: tuple[str, ...]
    command: str
    short: str
    where: tuple[Path, str]


def named(saved: Saved, name: str) -> Named | None:
    """The claim, proof step or identity of momentum that is called so, as it is saved; None if there is none."""
    docs = saved.root / "docs"
    if name in saved.claims:
        study, each = saved.claims[name]
        command, where = f"lemmascope {study}", (saved.page(study), "claims")
        return Named(each[0]["plain"], _numbers(each), _verdicts(each), command, command, where)
    for v in saved.proofs["verdicts"]:
        if v["claim"] == name:
            command, where = "lemmascope prove", (docs / "proofs.md", slug(v))
            return Named(v["plain"], "for all values", _verdicts([v]), f"{command} {name}", command, where)
    if name in saved.identities["identities"]:
        marks: dict[str, list[str]] = {"✓": [], "✗": []}
        for one in saved.identities["optimizers"]:
            if name in one["findings"]:
                marks.get(one["findings"][name]["mark"], []).append(one["optimizer"])
        most = len(marks["✗"]) < len(marks["✓"])
        rest = "; ".join(marks["✗" if most else "✓"])
        shows = (
            ("true of all but " if most else "true of ") + rest if rest else "true of all" if most else "true of none"
        )
        verdicts = tuple(mark for mark, of in marks.items() for _ in of)
        command, where = "lemmascope identities", (docs / "identities.md", "")
        says = saved.identities["identities"][name]
        return Named(says, shows, verdicts, f"{command} --identity {name}", command, where)
    return None


def _numbers(each: Sequence[dict[str, Any]]) -> str:
    """A claim's number and bound; of several cases, from the smallest number to the largest."""
    values = sorted(v["computed"] for v in each if v["computed"] is not None)
    if not values:
        return "–"
    ends = " to ".join(dict.fromkeys(number(values[k]) for k in (0, -1)))
    bounds = {bound(v) for v in each if v["computed"] is not None}
    return f"{ends}\n{bounds.pop()}" if len(bounds) == 1 and "–" not in bounds else ends


def _verdicts(each: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The statuses of one claim or step, and of each whether it is expected where that is not plain."""
    found = []
    for v in each:
        if not v["as_expected"]:
            found.append(f"**{v['status']}, not as expected**")
        elif v["expected"] is None:
            found.append(f"{v['status']}, an open question")
        else:
            found.append(v["status"] if v["status"] in ("HOLDS", "PROVED") else f"{v['status']}, as expected")
    return tuple(found)


def _counted(verdicts: Sequence[str]) -> str:
    """Each verdict, with how often it occurs where there are several."""
    counts = Counter(verdicts)
    return "<br>".join(f"{count}\u00a0{one}" if len(verdicts) > 1 else one for one, count in counts.items())


def _known(saved: Saved, page: Path, name: str) -> Named:
    one = named(saved, name)
    if one is None:
        raise ValueError(f"{page.name}: there is no claim, proof step or identity {name!r}")
    return one


def found(saved: Saved, page: Path, *names: str) -> str:
    """Claims, proof steps and identities of momentum by their ids: what each says, how it came out, what shows it.

    Raises:
        ValueError: nothing is called so.
    """
    rows = []
    for name in names:
        one = _known(saved, page, name)
        linked = f"[`{one.command}`]({link(page, *one.where)})"
        rows.append((f"`{name}`<br>{cell(one.says)}", cell(one.shows), _counted(one.verdicts), linked))
    return as_table(("stated", "found", "verdict", "command"), rows)


def sections(saved: Saved, page: Path) -> str:
    """The page's sections that have blocks `found`: the commands that show them, and how often each verdict is there.

    Raises:
        ValueError: one of them names nothing.
    """
    rows = []
    parts = re.split(r"^(#{2,4}) (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for level, heading, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        names = [name for begin in BEGIN.finditer(text) if begin[1] == "found" for name in begin[2].split()]
        every = [_known(saved, page, name) for name in names]
        commands = dict.fromkeys(f"[`{one.short}`]({link(page, one.where[0])})" for one in every)
        tally = _counted([verdict for one in every for verdict in one.verdicts])
        title = f"[{heading}](#{anchor(heading)})"
        if every or level == "##":
            rows.append((f"**{title}**" if level == "##" else title, "<br>".join(commands), tally))
    return as_table(("section", "shown by", "verdicts"), rows)
