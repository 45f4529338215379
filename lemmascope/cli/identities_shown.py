"""The table of optimizers and identities at a terminal."""

from __future__ import annotations

__all__ = ["list_all", "show"]

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lemmascope.cli.text import under
from lemmascope.proofs_check.conformance import CONVENTIONS, IDENTITIES, table
from lemmascope.proofs_check.conformance.case import FEATURES
from lemmascope.proofs_check.conformance.identities import STRUCTURE, drawn_over
from lemmascope.proofs_check.conformance.kept import names_of
from lemmascope.proofs_check.conformance.search import Mark
from lemmascope.sims.tables import harmless

STYLES = {Mark.HOLDS: "green", Mark.FAILS: "red", Mark.NOT_APPLICABLE: "dim", Mark.UNTRIED: "yellow"}


def list_all(console: Console) -> None:
    """Say what the identities are, over what each is tried, and what the conventions are."""
    for name, one in IDENTITIES.items():
        console.print(Text.assemble((f"{name:<34}", "bold"), one.statement))
        over = [FEATURES[feature] for feature, there in drawn_over(one).items() if there]
        under(console, f"tried over {', '.join(over) or 'plain runs'}", "dim")
    console.print()
    for c in CONVENTIONS.values():
        console.print(Text.assemble((f"{c.name:<17}", "bold"), c.formula))
        under(console, ", ".join(names_of(c.name)[len(STRUCTURE) :]), "dim")


def show(console: Console, found: dict[str, Any], examples: int) -> None:
    """What was found, from `table.as_json`: the marks, what each optimizer is, counterexamples and reasons."""
    console.print("Optimizers, by their numbers below, × identities", style="bold")
    console.print(_marks(found, wide=console.width >= 110))
    for k, row in enumerate(found["optimizers"], start=1):
        console.print(f"{k:>3} {row['optimizer']}: {said_of(row)}")
        if row["which"] is not None:
            _exactly(console, row["which"])
    console.print()
    _counterexamples(console, found)
    console.print(f"\n{_sizes(found, examples)}")


def said_of(row: dict[str, Any]) -> str:
    """What was found of one optimizer, in a sentence that claims nothing that was not tried."""
    parts = []
    if table.irreproducible(row):
        return f"{row['findings']['reproducible']['reason']}, and nothing else is judged"
    if row["satisfies"]:
        parts.append(f"it satisfies {' and '.join(map(repr, row['satisfies']))}")
    elif row["satisfies"] is not None:
        parts.append("it satisfies no convention of the list")
    parts += [f"it satisfies {form}" for form in row["forms"]]
    if row["said"] is not None:
        parts.append(f"it {row['said']}")
    elif row["satisfies"] is None:
        parts.append("no convention was asked about")
    if row["decay"] is not None:
        kind = row["decay"]
        plain = kind in ("coupled", "decoupled")
        parts.append(f"its weight decay is {kind if plain else f'neither coupled nor decoupled{_how(kind)}'}")
    return "; ".join(parts)


def _how(kind: str) -> str:
    from lemmascope.proofs_check.conformance.checks import DECAYS

    return f": {DECAYS[kind].formula}" if kind in DECAYS else ""


def _exactly(console: Console, which: dict[str, Any]) -> None:
    names, formulas = which["names"], which.get("formulas", ())
    if not names:
        under(console, f"which: none of {which['forms']} forms" if "forms" in which else "which: not found out")
    for name, formula in zip(names, formulas, strict=True):
        under(console, f"which: {name}: {formula}")
    for words in which["untold"]:
        under(console, f"not told: {words}", "dim")
    for one in which.get("excluded", ()):
        under(console, f"not {one['what']}: {one['case']}: {one['reason']}", "dim")


def _marks(found: dict[str, Any], *, wide: bool) -> Table:
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    out.add_column("identity", no_wrap=True)
    if wide:
        out.add_column("says", overflow="fold")
    for k, _ in enumerate(found["optimizers"], start=1):
        out.add_column(str(k), justify="right", no_wrap=True)
    for name, statement in found["identities"].items():
        marks = [row["findings"][name]["mark"] for row in found["optimizers"] if name in row["findings"]]
        if marks:
            cells = [Text(table.sign(m), style=STYLES[Mark(m)]) for m in marks]
            out.add_row(Text(name), *([Text(statement)] if wide else []), *cells)
    return out


def _counterexamples(console: Console, found: dict[str, Any]) -> None:
    console.print("The counterexamples, as small as they could be made, and why others do not apply", style="bold")
    who = None
    for optimizer, name, case, why in table.counterexamples(found):
        if optimizer != who:
            who = optimizer
            console.print(who, style="bold")
        under(console, harmless(": ".join(filter(None, (name, case, why)))))
    for row in found["optimizers"]:
        for reason, names in table.reasons(row).items():
            under(console, harmless(f"n/a for {row['optimizer']}, which {reason}: {', '.join(names)}"), "dim")


def _sizes(found: dict[str, Any], examples: int) -> str:
    steps, wide = found["sizes"]["drawn"]
    fixed = ", ".join(f"{T} × {n}" for T, n in found["sizes"]["fixed"])
    return (
        f"Tried for each identity and number type: {examples} cases of up to {steps} steps of {wide} parameters; where "
        f"none fails, {fixed} too, the longest for conventions only, and one step for the first."
    )
