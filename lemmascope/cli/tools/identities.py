"""Find an optimizer's momentum convention, and hold it to it.

Properties are tried on inputs that Hypothesis draws, in float32 and float64, against exact arithmetic and within a
bound on the rounding: ✓ in every case, ✗ with the smallest counterexample, n/a with the reason, ? where the optimizer
raises, or returns no finite numbers in the shape of its parameters. Exit status 1 says that an optimizer does not keep
the convention that it documents, 2 that it could not be tried.

FUNCTION takes eta (or lr) and gamma (or momentum), and params if it wants them; it returns an optimizer of torch, optax
or scikit-learn, an object with init and step, or a function update(params, grad, state, t).
"""

from __future__ import annotations

__all__ = ["command"]

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lemmascope.cli.command import command as made
from lemmascope.cli.command import flag, option
from lemmascope.cli.kinds import INT, PATH
from lemmascope.cli.manners import stop
from lemmascope.cli.text import under

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@made(
    __doc__,
    option(
        "--optimizer", multiple=True, metavar="FILE.py:FUNCTION", help="Your own, which makes an optimizer. Repeat."
    ),
    option("--convention", metavar="NAME", help="The convention that your optimizer is to follow."),
    option(
        "--library",
        multiple=True,
        metavar="NAME",
        help="own, functions, torch, optax, scikit-learn [those installed]. Repeat.",
    ),
    option("--identity", multiple=True, metavar="NAME", help="Only these identities. Repeat."),
    option("--dtype", multiple=True, metavar="NAME", help="float32, float64 [both]. Repeat."),
    option("--examples", kind=INT, default=100, help="Cases that each identity tries, for each dtype [100]."),
    option("--out", kind=PATH, default=Path("results/identities"), help="Folder for the table [results/identities]."),
    flag("--force", help="Replace other results in that folder."),
    flag("--list", "list_", help="Say what the identities and the conventions are."),
    examples=(
        "lemmascope identities",
        "lemmascope identities --library torch --library own",
        "lemmascope identities --optimizer my_optimizer.py:make --convention pytorch",
        "lemmascope identities --list",
    ),
    exits="0 when every optimizer keeps its convention, 1 when one does not, 2 when one could not be tried and for "
    "wrong use, 130 for Ctrl-C.",
)
def command(
    optimizer: tuple[str, ...],
    convention: str | None,
    library: tuple[str, ...],
    identity: tuple[str, ...],
    dtype: tuple[str, ...],
    examples: int,
    out: Path,
    force: bool,
    list_: bool,
) -> int:
    """See the top of the file."""
    from importlib.metadata import version

    from rich.text import Text

    from lemmascope.proofs_check.conformance import CONVENTIONS, IDENTITIES, table
    from lemmascope.proofs_check.conformance.assertion import explanation, names_of
    from lemmascope.proofs_check.conformance.case import DTYPES
    from lemmascope.proofs_check.conformance.known import LIBRARIES, installed, subjects
    from lemmascope.sims.checksums import sealed
    from lemmascope.sims.files import ResultsFolder, write_json
    from lemmascope.sims.report.terminal import open_console, task_progress
    from lemmascope.sims.run.provenance import machine_of
    from lemmascope.theory.errors import InputError, check_size

    console = open_console()
    if list_:
        for name, one in IDENTITIES.items():
            console.print(Text.assemble((f"{name:<27}", "bold"), one.statement))
        console.print()
        for c in CONVENTIONS.values():
            console.print(Text.assemble((f"{c.name:<17}", "bold"), c.formula))
            under(console, ", ".join(names_of(c.name)[6:]), "dim")
        return 0
    check_size("examples", examples)
    dtypes = tuple(dtype or DTYPES)
    if convention is not None:
        names_of(convention)
        if not optimizer:
            raise InputError("convention", convention, "it goes with --optimizer")
    for field, names, known in (("dtype", dtypes, DTYPES), ("identity", identity, tuple(IDENTITIES))):
        for name in names:
            if name not in known:
                raise InputError(field, name, f"it must be one of {', '.join(known)}")
    if optimizer:
        chosen = _own(list(optimizer), convention, library[0] if library else None)
    else:
        libraries = library or tuple(name for name in LIBRARIES if installed(name))
        chosen = [s for name in libraries for s in subjects(name)]
        if not library and len(libraries) < len(LIBRARIES):
            left = [name for name in LIBRARIES if name not in libraries]
            console.print(f"not installed, and left out: {', '.join(left)}", style="yellow")
    wanted = tuple(identity or IDENTITIES)
    fingerprint = {
        "study": "identities",
        "optimizers": [s.name for s in chosen],
        "identities": list(wanted),
        "convention": convention,
        "dtypes": list(dtypes),
        "examples": examples,
        "lemmascope_version": version("lemmascope"),
    }
    started = time.monotonic()
    with ResultsFolder(out, fingerprint, force=force) as folder:
        count = len(chosen) * len(wanted)
        with task_progress(float(count), count, "identities") as advance:
            rows = table.examine(
                chosen,
                identities=identity or None,
                dtypes=dtypes,
                examples=examples,
                progress=lambda n: advance(float(n)),
            )
        found = table.as_json(rows, dtypes=list(dtypes), examples_each=examples)
        write_json(folder.partial / "identities.json", sealed(found))
        folder.provenance({"examples": examples} | machine_of(time.monotonic() - started))
    console.print("Optimizers, by their numbers below, × identities", style="bold")
    console.print(_table(found, wide=console.width >= 110))
    for k, row in enumerate(found["optimizers"], start=1):
        console.print(f"{k:>3} {row['optimizer']}: {_conventions(row)}")
    console.print()
    _counterexamples(console, found)
    failing = [row for row in rows if row.failing]
    for subject, row in zip(chosen, rows, strict=True):
        if row.failing:
            for line in explanation(subject, row.failing, examples=examples).splitlines():
                console.print(line, style="red")
    meant = [row for row in rows if row.convention is not None]
    good = sum(not (row.failing or row.untried) for row in meant)
    kept = f"{good} of {len(meant)} optimizers keep the convention that they are meant to follow; " if meant else ""
    console.print(f"\n{_sizes(found, examples)}")
    console.print(f"{kept}{time.monotonic() - started:.0f} s; results in {out}")
    untried = [f"{row.optimizer} could not be tried on {_first_of(row.untried)}" for row in rows if row.untried]
    if untried and not failing:
        stop("; ".join(untried), 2)
    for sentence in untried:
        console.print(sentence, style="red")
    return 1 if failing else 0


def _sizes(found: dict[str, Any], examples: int) -> str:
    steps, wide = found["sizes"]["drawn"]
    fixed = ", ".join(f"{T} × {n}" for T, n in found["sizes"]["fixed"])
    return (
        f"Tried for each identity and number type: {examples} cases of up to {steps} steps of {wide} parameters; where "
        f"none fails, {fixed} too, the longest for conventions only, and one step for the first."
    )


def _first_of(untried: list[Any]) -> str:
    first, others = untried[0], len(untried) - 1
    also = f" and {others} more {'identity' if others == 1 else 'identities'}" if others else ""
    return f"{first.identity}{also}: {first.reason} ({first.case.text()})"


def _own(specs: list[str], convention: str | None, library: str | None) -> list[Any]:
    from lemmascope.proofs_check.conformance.adapters import Subject
    from lemmascope.sims.own import own_function

    found = []
    for spec in specs:
        make = own_function(spec, "optimizer")
        subject = Subject(make, spec.rpartition(":")[2], library, convention)
        subject.settings  # noqa: B018  refused now, not after the others were tried
        found.append(subject)
    return found


def _conventions(row: dict[str, Any]) -> str:
    meant = f"meant to follow {row['convention']!r}" if row["convention"] else ""
    if row["satisfies"] is None:
        return meant or "no convention said"
    names = " and ".join(map(repr, row["satisfies"]))
    found = f"it satisfies {names}" if names else "it satisfies no convention of the list"
    return f"{found}, {meant}" if meant else found


def _table(found: dict[str, Any], *, wide: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from lemmascope.proofs_check.conformance.search import Mark

    styles = {Mark.HOLDS: "green", Mark.FAILS: "red", Mark.NOT_APPLICABLE: "dim", Mark.UNTRIED: "yellow"}
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    out.add_column("identity", no_wrap=True)
    if wide:
        out.add_column("says", overflow="fold")
    for k, _ in enumerate(found["optimizers"], start=1):
        out.add_column(str(k), justify="right", no_wrap=True)
    for name, statement in found["identities"].items():
        marks = [row["findings"][name]["mark"] for row in found["optimizers"] if name in row["findings"]]
        if marks:
            cells = [Text("·" if m == Mark.NOT_APPLICABLE else m, style=styles[Mark(m)]) for m in marks]
            out.add_row(Text(name), *([Text(statement)] if wide else []), *cells)
    return out


def _counterexamples(console: Console, found: dict[str, Any]) -> None:
    from lemmascope.proofs_check.conformance.table import counterexamples
    from lemmascope.sims.tables import harmless

    console.print("The counterexamples, as small as Hypothesis made them, and why others do not apply", style="bold")
    who = None
    for optimizer, name, case, why in counterexamples(found):
        if optimizer != who:
            who = optimizer
            console.print(who, style="bold")
        under(console, harmless(f"{name}: {case}: {why}"))
    for row in found["optimizers"]:
        reasons: dict[str, list[str]] = {}
        for name, finding in row["findings"].items():
            if finding["mark"] == "n/a":
                reasons.setdefault(finding["reason"], []).append(name)
        for reason, names in reasons.items():
            under(console, harmless(f"n/a for {row['optimizer']}, which {reason}: {', '.join(names)}"), "dim")
