"""The documents' tables, made from records: what each row says in short, and what was measured when and where."""

from __future__ import annotations

__all__ = ["Summary", "growth_table", "milliseconds", "percent", "reason", "sessions", "summary", "table"]

import math
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """A row in short.

    Attributes:
        own, peer: the fastest of each side; None where there is none.
        ratio: of their medians; least, most: of their times within a round.
    """

    own: Record | None
    peer: Record | None
    ratio: float = math.nan
    least: float = math.nan
    most: float = math.nan


def summary(row: Record) -> Summary:
    """The fastest of each side among those that were timed."""

    def fastest(peer: bool) -> Record | None:
        timed = [i for i in row["implementations"] if i["peer"] == peer and i["median_ms"] is not None]
        return min(timed, key=lambda i: i["median_ms"], default=None)

    own, peer = fastest(False), fastest(True)
    if not (own and peer):
        return Summary(own, peer)
    by_round = [theirs / ours for ours, theirs in zip(own["rounds_ms"], peer["rounds_ms"], strict=True)]
    return Summary(own, peer, peer["median_ms"] / own["median_ms"], min(by_round), max(by_round))


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


def _ratio(s: Summary) -> str:
    least, ratio, most = (f"{x:.0f}" if x >= 10 else f"{x:.2g}" for x in (s.least, s.ratio, s.most))
    return f"{ratio} × ({least} … {most})" if math.isfinite(s.ratio) else "–"


def _row(row: Record) -> str:
    s, short = summary(row), reason(row)
    name = row["described"].replace("|", "\\|")
    own = f"{milliseconds(s.own['median_ms'])} ({s.own['name']})" if s.own else "–"
    peer = f"{milliseconds(s.peer['median_ms'])} ({s.peer['name']})" if s.peer else "–"
    limit = f"{percent(s.own['of_limit'])} of the {s.own['limited_by']}" if s.own else "–"
    aim = f"{row['at_least']:g} ×" + (f", {row['rate_at_least']:.0%}" if row["rate_at_least"] is not None else "")
    mark = "✗" if short else "✓"
    return f"| {row['work']} | {name} | {own} | {peer} | {mark} {_ratio(s)} | {aim} | {limit} | {short} |"


def _where(session: Record, others: float | None = None) -> str:
    """Machine, day, versions and limits of a session, and the most that other programs took meanwhile."""
    m, rates = session["machine"], session["limits"]
    libraries = ", ".join(f"{k} {v}" for k, v in m["versions"].items() if k != "lemmascope")
    streamed = min(rate for _, rate in rates["bandwidth"])
    cached = max(rate for _, rate in rates["bandwidth"])
    device = f", {m['device']}" if m["device"] else ""
    busy = "" if others is None else f"; other programs had up to {percent(others)} of the processors"
    return (
        f"{m['processor']}, {m['cores']} cores{device}; {session['date']}; {libraries}{busy}. Measured limits: "
        f"{rates['product_rate']['float64'] / 1e9:.0f} Gflop/s (float64) and "
        f"{rates['product_rate']['float32'] / 1e9:.0f} (float32) in square matrix products; "
        f"{streamed / 1e9:.0f} GB/s from memory, {cached / 1e9:.0f} from cache."
    )


def sessions(record: Record) -> list[str]:
    """What was measured when and where, a line for each session."""
    lines = []
    for number, session in enumerate(record["sessions"]):
        rows = [row for row in record["rows"] if row["session"] == number]
        taken = [row["others"] for row in rows if row["others"] is not None]
        names = ", ".join(row["work"] for row in rows) or "How the cost grows"
        look = " Works at a fraction of their size: nothing can be read off these ratios." if session["quick"] else ""
        lines.append(f"- {names}: {_where(session, max(taken, default=None))}{look}")
    return lines


def table(record: Record) -> str:
    """The table of speed: a line for each row, and what was measured where."""
    lines = [
        "| | work | this project, ms | best peer, ms | ratio | aim | of its limit | falls short |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(row) for row in record["rows"]),
        "",
        "Milliseconds an iteration of the whole work: medians, in turn; the ratio also by round, least … most.",
        "",
        *sessions(record),
    ]
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
