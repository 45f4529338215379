"""Prove the argument step by step, for all values.

Each step has a statement, its hypotheses and a method: SymPy for identities, z3 for real arithmetic, ball arithmetic
where exponentials enter, induction checked link by link. It ends as PROVED, REFUTED with a witness, or INCONCLUSIVE
with what was tried. Errors planted in its statement must be refuted by the same code, and what is weaker must not.

A file of your own, --plugin, defines steps at its top level; they are settled and printed as ours are.
"""

from __future__ import annotations

__all__ = ["command"]

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lemmascope.cli.command import argument, flag, option
from lemmascope.cli.command import command as made
from lemmascope.cli.kinds import PATH
from lemmascope.cli.text import under
from lemmascope.sims.tables import COLOURS
from lemmascope.theory.verdict import Status

if TYPE_CHECKING:
    from rich.console import Console


@made(
    __doc__,
    argument("steps", "Steps, chapters or subjects, by id [all].", nargs=-1),
    option("--plugin", kind=PATH, help="A Python file with steps of your own."),
    option("--out", kind=PATH, default=Path("results/proofs"), help="Folder for the verdicts [results/proofs]."),
    flag("--force", help="Replace other results in that folder."),
    flag("--list", "list_", help="Say what each step states and how it is settled."),
    examples=(
        "lemmascope prove",
        "lemmascope prove --list",
        "lemmascope prove tensor_power",
        "lemmascope prove running_average.unrolled --out results/one-step",
        "lemmascope prove --plugin my_lemma.py --out results/my-lemma",
    ),
    exits="0 when every step came out as expected, 1 when one did not, 2 for wrong use, 130 for Ctrl-C.",
)
def command(steps: tuple[str, ...], plugin: Path | None, out: Path, force: bool, list_: bool) -> int:
    """See the top of the file."""
    from importlib.metadata import version

    from lemmascope.proofs_check import report
    from lemmascope.proofs_check.chapters import as_chapter
    from lemmascope.sims.files import ResultsFolder, write_json
    from lemmascope.sims.own import load_module
    from lemmascope.sims.report.terminal import open_console
    from lemmascope.sims.report.verdicts import document
    from lemmascope.sims.run.provenance import machine_of

    console = open_console()
    own = [] if plugin is None else [as_chapter(vars(load_module(plugin)), plugin.stem)]
    todo = report.chosen(steps, own)
    if list_:
        _catalogue(console, todo)
        return 0
    fingerprint = {"study": "proofs", "steps": [s.id for _, s in todo], "lemmascope_version": version("lemmascope")}
    if plugin is not None:
        fingerprint["plugin"] = str(plugin.resolve())
    started = time.monotonic()
    with ResultsFolder(out, fingerprint, force=force) as folder:
        title: list[str] = []

        def show(settled: report.Settled) -> None:
            if settled.chapter.title not in title:
                title.append(settled.chapter.title)
                console.print(f"\n{settled.chapter.heading}", style="bold", markup=False)
            _show(console, settled)

        found = report.run(todo, show)
        write_json(folder.partial / "verdicts.json", document("proofs", [s.verdict for s in found]))
        folder.provenance(
            {"seconds": {s.step.id: round(s.seconds, 2) for s in found}} | machine_of(time.monotonic() - started)
        )
    good = sum(s.verdict.as_expected for s in found)
    counts = [(status, sum(s.verdict.status is status for s in found)) for status in Status]
    said = ", ".join(f"{count} {status.value}" for status, count in counts if count)
    console.print(
        f"\n{said}; {good} of {len(found)} as expected, in {time.monotonic() - started:.0f} s; results in {out}",
        markup=False,
    )
    return 0 if good == len(found) else 1


def _catalogue(console: Console, todo: list[Any]) -> None:
    from rich.text import Text

    for chapter, step in todo:
        head = Text()
        head.append(step.id, style="bold")
        head.append(f"   {chapter.heading} · {step.kind.value} · source: {step.source}")
        if step.expected is not Status.PROVED:
            head.append(f" · expected: {step.expected.value}")
        console.print(head)
        under(console, step.plain)
        under(console, f"LaTeX: {step.statement}", "dim")
        for hypothesis in step.hypotheses:
            under(console, f"if {hypothesis}", "dim")
        under(console, f"method: {step.method}", "dim")
        for planted in step.planted:
            under(console, f"planted error, must be REFUTED: {planted.told}", "dim")
        for constants in step.weaker:
            told = ", ".join(f"{name} = {value}" for name, value in constants.items())
            under(console, f"weaker, must not be REFUTED: {told}", "dim")


def _show(console: Console, settled: Any) -> None:
    from rich.text import Text

    v = settled.verdict
    head = Text()
    head.append(*(("✓ ", "green") if v.as_expected else ("✗ ", "bold red")))
    head.append(f"{v.status.value:<13}", style=COLOURS[v.status])
    head.append(f"{v.claim}", style="bold")
    head.append(f"   {settled.seconds:.1f} s", style="dim")
    if v.status is not v.expected:
        head.append(f"   (expected {v.expected.value})", style="bold red")
    console.print(head)
    under(console, v.plain)
    under(console, f"found: {v.reason}", "dim")
    if v.witness is not None:
        under(console, f"witness: {_witness(v.witness)}", "dim")
    if v.control is not None:
        refuted = v.control["status"] == Status.REFUTED
        text = (
            f"planted errors, all REFUTED: {v.control['description']}"
            if refuted
            else f"a planted error was not refuted, {v.control['description']}"
        )
        under(console, text, "dim" if refuted else "bold red")


def _witness(witness: dict[str, Any]) -> str:
    def value(x: Any) -> str:
        if isinstance(x, dict):
            return ", ".join(f"{k} = {value(v)}" for k, v in x.items())
        if isinstance(x, list | tuple):
            return "(" + ", ".join(value(v) for v in x) + ")"
        return f"{x:.6g}" if isinstance(x, float) else str(x)

    return "; ".join(value(v) if isinstance(v, dict) else f"{k} {value(v)}" for k, v in witness.items())
