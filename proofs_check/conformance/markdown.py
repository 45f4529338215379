"""A saved table of optimizers and identities as Markdown."""

from __future__ import annotations

__all__ = ["counterexamples", "drawn_over", "marks", "optimizers"]

from typing import Any

from lemmascope.proofs_check.conformance import table
from lemmascope.proofs_check.conformance.search import Mark
from lemmascope.proofs_check.text import escaped

Found = dict[str, Any]


def _rows(head: list[str], rows: list[list[str]], centred: int = 0) -> list[str]:
    ends = ["---"] * (len(head) - centred) + [":-:"] * centred
    return [f"| {' | '.join(cells)} |" for cells in (head, ends, *rows)]


def marks(found: Found) -> str:
    """Identities × optimizers whose momentum was asked about, and whether each keeps its convention."""
    shown = [row for row in found["optimizers"] if row["satisfies"] is not None]
    names = [name for name in found["identities"] if any(name in row["findings"] for row in shown)]
    rows = [
        [f"`{name}` {escaped(found['identities'][name])}"]
        + [table.sign(row["findings"][name]["mark"]) if name in row["findings"] else "" for row in shown]
        for name in names
    ]
    rows.append(["**keeps the convention that it documents**", *(_kept(row) for row in shown)])
    lines = _rows(["identity", *(str(k) for k in range(1, len(shown) + 1))], rows, len(shown))
    said = [f"{k} {row['optimizer']}" for k, row in enumerate(shown, start=1)]
    signs = {f["mark"] for row in shown for f in row["findings"].values()}
    some = ", ? could not be tried" if Mark.UNTRIED in signs else ""
    return "\n".join(
        [
            *lines,
            "",
            f"{'; '.join(said)}.",
            "",
            f"✓ in every case tried, ✗ with a counterexample, · not applicable{some}.",
        ]
    )


def _kept(row: Found) -> str:
    if row["convention"] is None:
        return "–"
    return {True: "✓", False: "✗", None: "?"}[row["keeps_convention"]]


def optimizers(found: Found) -> str:
    """Each optimizer: what it documents, what was found of its momentum, its decay and its algorithm, what to know."""
    head = [
        "optimizer",
        "documents",
        "found",
        "which algorithm it is, exactly",
        "weight decay: documented, found",
        "to know",
    ]
    return "\n".join(_rows(head, [_optimizer(row) for row in found["optimizers"]]))


def _optimizer(row: Found) -> list[str]:
    holds = [f"`{name}`" for name in row["satisfies"] or ()] + [escaped(form) for form in row["forms"]]
    momentum = "–" if row["satisfies"] is None else ", ".join(holds) or "no convention"
    which = row["which"]
    exactly = "–"
    if which is not None:
        exactly = "<br>".join(map(escaped, which["names"])) or "none of the forms"
    decay = f"{row['weight_decay'] or '–'}, {row['decay'] or '–'}"
    meant = f" (`{row['convention']}`)" if row["convention"] else ""
    return [
        escaped(row["optimizer"]),
        escaped(row["documented"]) + meant,
        momentum,
        exactly,
        decay,
        escaped(row["remark"]),
    ]


def drawn_over(found: Found) -> str:
    """Over which of schedule, zero rates, … each identity is drawn, and in which number types."""
    features: dict[str, str] = found["features"]
    rows = [
        [f"`{name}`", *("✓" if over[feature] else "" for feature in features)]
        for name, over in found["drawn_over"].items()
    ]
    return "\n".join(_rows(["identity", *features.values()], rows, len(features)))


def counterexamples(found: Found) -> str:
    """Every ✗ with its case, and every reason why an identity does not apply, by optimizer."""
    lines: list[str] = []
    every = table.counterexamples(found)
    for row in found["optimizers"]:
        lines += [f"### {row['optimizer']}", "", f"{_said(row)}.", ""]
        wrong = [
            [f"`{name.removeprefix('✗ ')}`", escaped(case), escaped(why)]
            for who, name, case, why in every
            if who == row["optimizer"]
        ]
        if wrong:
            lines += [*_rows(["fails", "smallest case found", "what is wrong"], wrong), ""]
        for reason, names in table.reasons(row).items():
            listed = ", ".join(f"`{name}`" for name in names)
            lines += [f"Not applicable ({escaped(reason)}): {listed}.", ""]
    return "\n".join(lines).rstrip()


def _said(row: Found) -> str:
    parts = [f"documented as {escaped(row['documented'])}"] if row["documented"] else []
    if row["satisfies"] is not None:
        parts.append(f"satisfies {', '.join(f'`{n}`' for n in row['satisfies']) or 'no convention of the list'}")
    which = row["which"]
    if which is not None and which["names"]:
        parts += [
            f"it is {escaped(name)}: {escaped(formula)}"
            for name, formula in zip(which["names"], which["formulas"], strict=True)
        ]
    return "; ".join(parts) or "nothing was asked"
