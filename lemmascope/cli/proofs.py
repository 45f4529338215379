"""The commands about what is proved and what holds of any optimizer: ``prove`` and ``identities``."""

from __future__ import annotations

__all__ = ["identities", "prove"]

import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lemmascope.cli.main import app
from lemmascope.sims.cubic_cnn.settings import own_function
from lemmascope.sims.files import ResultsFolder, write_json
from lemmascope.sims.report.terminal import open_console, polite, task_progress
from lemmascope.sims.run.provenance import machine_of
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.verdict import Status

COLOURS = {Status.PROVED: "green", Status.REFUTED: "red", Status.INCONCLUSIVE: "yellow"}


@app.command()
def prove(
    steps: Annotated[list[str] | None, typer.Argument(help="Steps or chapters, by id; all by default.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the verdicts.")] = Path("results/proofs"),
    force: Annotated[bool, typer.Option("--force", help="Replace other results in that folder.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Say what each step states and how it is settled.")] = False,
) -> None:
    """Prove what a machine can prove of the argument, step by step, for all values.

    Each step has a statement, its hypotheses and a method: SymPy for identities, z3 for real arithmetic, ball
    arithmetic where exponentials enter, induction checked link by link. It ends as PROVED, REFUTED with a witness, or
    INCONCLUSIVE with what was tried. Errors planted in its statement must be refuted by the same code.

    \b
    Examples:
      lemmascope prove
      lemmascope prove --list
      lemmascope prove tensor_power
      lemmascope prove running_average.unrolled --out results/one-step

    Exit status: 0 when every step came out as expected, 1 when one did not, 2 for wrong use, 130 for Ctrl-C.
    """
    from lemmascope.proofs_check import report

    with polite():
        console = open_console()
        todo = report.chosen(tuple(steps or ()))
        if list_:
            _catalogue(console, todo)
            return
        fingerprint = {"study": "proofs", "steps": [s.id for _, s in todo], "lemmascope_version": version("lemmascope")}
        started = time.monotonic()
        with ResultsFolder(out, fingerprint, force=force) as folder:
            title: list[str] = []

            def show(settled: report.Settled) -> None:
                if settled.chapter.title not in title:
                    title.append(settled.chapter.title)
                    console.print(f"\n{settled.chapter.number}. {settled.chapter.title}", style="bold")
                _show(console, settled)

            found = report.run(todo, show)
            write_json(folder.partial / "verdicts.json", report.as_json(found, version("lemmascope")))
            folder.provenance(
                {"seconds": {s.step.id: round(s.seconds, 2) for s in found}} | machine_of(time.monotonic() - started)
            )
        good = sum(s.verdict.as_expected for s in found)
        counts = [(status, sum(s.verdict.status is status for s in found)) for status in COLOURS]
        said = ", ".join(f"{count} {status.value}" for status, count in counts if count)
        console.print(
            f"\n{said}; {good} of {len(found)} as expected, in {time.monotonic() - started:.0f} s; results in {out}",
            markup=False,
        )
        if good < len(found):
            raise typer.Exit(1)


def _catalogue(console: Console, todo: list[Any]) -> None:
    for chapter, step in todo:
        head = Text()
        head.append(step.id, style="bold")
        head.append(f"   {chapter.number}. {chapter.title} · {step.kind.value} · source: {step.source}")
        if step.expected is not Status.PROVED:
            head.append(f" · expected: {step.expected.value}")
        console.print(head)
        _under(console, step.plain)
        _under(console, f"LaTeX: {step.statement}", "dim")
        for hypothesis in step.hypotheses:
            _under(console, f"if {hypothesis}", "dim")
        _under(console, f"method: {step.method}", "dim")
        for planted in step.planted:
            _under(console, f"planted error, must be REFUTED: {planted.description}", "dim")


def _under(console: Console, text: str, style: str = "") -> None:
    console.print(Padding(Text(text, style=style), (0, 0, 0, 4), expand=False))


def _show(console: Console, settled: Any) -> None:
    v = settled.verdict
    head = Text()
    head.append(*(("✓ ", "green") if v.as_expected else ("✗ ", "bold red")))
    head.append(f"{v.status.value:<13}", style=COLOURS[v.status])
    head.append(f"{v.claim}", style="bold")
    head.append(f"   {settled.seconds:.1f} s", style="dim")
    if v.status is not v.expected:
        head.append(f"   (expected {v.expected.value})", style="bold red")
    console.print(head)
    _under(console, v.plain)
    _under(console, f"found: {v.reason}", "dim")
    if v.witness is not None:
        _under(console, f"witness: {_witness(v.witness)}", "dim")
    if v.control is not None:
        refuted = v.control["status"] == Status.REFUTED
        text = f"planted errors, all REFUTED: {v.control['description']}" if refuted else f"planted errors {v.control}"
        _under(console, text, "dim" if refuted else "bold red")


def _witness(witness: dict[str, Any]) -> str:
    def value(x: Any) -> str:
        if isinstance(x, dict):
            return ", ".join(f"{k} = {value(v)}" for k, v in x.items())
        if isinstance(x, list | tuple):
            return "(" + ", ".join(value(v) for v in x) + ")"
        return f"{x:.6g}" if isinstance(x, float) else str(x)

    return "; ".join(value(v) if isinstance(v, dict) else f"{k} {value(v)}" for k, v in witness.items())


def _own(specs: list[str], convention: str | None, library: str | None) -> list[Any]:
    from lemmascope.proofs_check.conformance.adapters import Subject

    found = []
    for spec in specs:
        make = own_function(spec, "optimizer")
        subject = Subject(make, spec.rpartition(":")[2], library, convention)
        subject.settings  # noqa: B018  refused now, not after the others were tried
        found.append(subject)
    return found


@app.command()
def identities(
    optimizer: Annotated[
        list[str] | None, typer.Option(help="Your own: FILE.py:FUNCTION, which makes an optimizer. Repeatable.")
    ] = None,
    convention: Annotated[str | None, typer.Option(help="The convention that your optimizer is to follow.")] = None,
    library: Annotated[
        list[str] | None,
        typer.Option(help="own, functions, torch, optax, scikit-learn; those installed by default. Repeatable."),
    ] = None,
    identity: Annotated[list[str] | None, typer.Option(help="Only these identities. Repeatable.")] = None,
    dtype: Annotated[list[str] | None, typer.Option(help="float32, float64; both by default. Repeatable.")] = None,
    examples: Annotated[int, typer.Option(help="Cases that each identity tries, for each dtype.")] = 100,
    out: Annotated[Path, typer.Option(help="Folder for the table.")] = Path("results/identities"),
    force: Annotated[bool, typer.Option("--force", help="Replace other results in that folder.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Say what the identities and the conventions are.")] = False,
) -> None:
    """Test optimizers for the identities of momentum: which convention is it, and does it keep it?

    Properties are tried on inputs that Hypothesis draws, in float32 and float64, against exact arithmetic and within a
    bound on the rounding: ✓ in every case, ✗ with the smallest counterexample, n/a with the reason. Exit
    status 1 says that an optimizer does not keep the convention that it documents.

    \b
    Examples:
      lemmascope identities
      lemmascope identities --library torch --library own
      lemmascope identities --optimizer my_optimizer.py:make --convention pytorch
      lemmascope identities --list

    FUNCTION takes eta (or lr) and gamma (or momentum), and params if it wants them; it returns an optimizer of torch,
    optax or scikit-learn, an object with init and step, or a function update(params, grad, state, t).

    Exit status: 0 when every optimizer keeps its convention, 1 when one does not, 2 for wrong use, 130 for Ctrl-C.
    """
    from lemmascope.proofs_check.conformance import CONVENTIONS, IDENTITIES, table
    from lemmascope.proofs_check.conformance.assertion import explanation, names_of
    from lemmascope.proofs_check.conformance.case import DTYPES
    from lemmascope.proofs_check.conformance.known import LIBRARIES, installed, subjects

    with polite():
        console = open_console()
        if list_:
            for name, one in IDENTITIES.items():
                console.print(Text.assemble((f"{name:<27}", "bold"), one.statement))
            console.print()
            for c in CONVENTIONS.values():
                console.print(Text.assemble((f"{c.name:<17}", "bold"), c.formula))
                _under(console, ", ".join(names_of(c.name)[6:]), "dim")
            return
        check_size("examples", examples)
        dtypes = tuple(dtype or DTYPES)
        if convention is not None:
            names_of(convention)
            if not optimizer:
                raise InputError("convention", convention, "it goes with --optimizer")
        for field, names, known in (("dtype", dtypes, DTYPES), ("identity", identity or (), tuple(IDENTITIES))):
            for name in names:
                if name not in known:
                    raise InputError(field, name, f"it must be one of {', '.join(known)}")
        if optimizer:
            chosen = _own(optimizer, convention, library[0] if library else None)
        else:
            names = library or [name for name in LIBRARIES if installed(name)]
            chosen = [s for name in names for s in subjects(name)]
            if library is None and len(names) < len(LIBRARIES):
                left = [name for name in LIBRARIES if name not in names]
                console.print(f"not installed, and left out: {', '.join(left)}", style="yellow", markup=False)
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
                    chosen, identities=identity, dtypes=dtypes, examples=examples, progress=lambda n: advance(float(n))
                )
            found = table.as_json(rows, dtypes=list(dtypes), examples_each=examples)
            write_json(folder.partial / "identities.json", found)
            folder.provenance({"examples": examples} | machine_of(time.monotonic() - started))
        console.print("Optimizers, by their numbers below, × identities", style="bold")
        console.print(_table(found, wide=console.width >= 110))
        for k, row in enumerate(found["optimizers"], start=1):
            console.print(f"{k:>3} {row['optimizer']}: {_conventions(row)}", markup=False)
        console.print()
        _counterexamples(console, found)
        failing = [row for row in rows if row.failing]
        for subject, row in zip(chosen, rows, strict=True):
            if row.failing:
                console.print(explanation(subject, row.failing, examples=examples), style="red", markup=False)
        said = sum(row.convention is not None for row in rows)
        kept = f"{said - len(failing)} of {said} optimizers keep the convention that they are meant to follow; "
        seconds = f"{time.monotonic() - started:.0f} s; results in {out}"
        console.print(f"\n{kept if said else ''}{seconds}", markup=False)
        if failing:
            raise typer.Exit(1)


def _conventions(row: dict[str, Any]) -> str:
    meant = f"meant to follow {row['convention']!r}" if row["convention"] else ""
    if row["satisfies"] is None:
        return meant or "no convention said"
    names = " and ".join(map(repr, row["satisfies"]))
    found = f"it satisfies {names}" if names else "it satisfies no convention of the list"
    return f"{found}, {meant}" if meant else found


def _table(found: dict[str, Any], *, wide: bool) -> Table:
    from lemmascope.proofs_check.conformance.search import Mark

    styles = {Mark.HOLDS: "green", Mark.FAILS: "red", Mark.NOT_APPLICABLE: "dim"}
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

    console.print("The counterexamples, as small as Hypothesis made them, and why others do not apply", style="bold")
    who = None
    for optimizer, name, case, why in counterexamples(found):
        if optimizer != who:
            who = optimizer
            console.print(who, style="bold", markup=False)
        _under(console, f"✗ {name}: {case}: {why}")
    for row in found["optimizers"]:
        reasons: dict[str, list[str]] = {}
        for name, finding in row["findings"].items():
            if finding["mark"] == "n/a":
                reasons.setdefault(finding["reason"], []).append(name)
        for reason, names in reasons.items():
            _under(console, f"n/a for {row['optimizer']}, which {reason}: {', '.join(names)}", "dim")
