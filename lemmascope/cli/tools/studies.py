"""List the studies, and the file in which each claim is stated.

For each study: what it says, its subject, the number of its claims, and how long it takes on two cores. Verdicts are
those saved of its default size, in results/STUDY, as many as came out as expected of all; – where there are none. A
claim has a verdict for each of the evidence that it is about, so there may be more verdicts than claims.
"""

from __future__ import annotations

__all__ = ["command"]

from pathlib import Path
from typing import Any

from lemmascope.cli import lazily
from lemmascope.cli.catalogue import Saved, house, spell_seconds, stated_in
from lemmascope.cli.command import command as made
from lemmascope.cli.command import option
from lemmascope.cli.kinds import PATH
from lemmascope.cli.studies import title_of
from lemmascope.cli.text import json_output
from lemmascope.sims import registry

SCHEMA = "lemmascope-study/1"


@made(
    __doc__,
    option("--results", kind=PATH, default=Path("results"), help="Folder of the results [results]."),
    option("--json", "json_", kind=PATH, help="Write the list to this file, - for standard output."),
    examples=("lemmascope studies", "lemmascope studies --json -", "lemmascope claims --list --study STUDY"),
    light=True,
)
def command(results: Path, json_: Path | None) -> None:
    """See the top of the file."""
    saved = {one.study: one for one in Saved.within(results) if one.path.parent.name == one.study}
    rows = []
    for name in registry.names():
        with lazily.imports():
            study = registry.study(name)
        files = dict.fromkeys(stated_in(claim, study).partition(":")[0] for claim in study.claims)
        found = saved.get(name)
        rows.append(
            {
                "schema": SCHEMA,
                "study": name,
                "subject": study.subject,
                "title": title_of(study),
                "message": study.message,
                "claims": len(study.claims),
                "stated_in": list(files),
                "declared_in": house(registry.FOLDER / f"{name}.py"),
                "verdicts": None if found is None else {"as_expected": found.good, "of": len(found.verdicts)},
                "seconds": study.seconds,
            }
        )
    with json_output(json_, SCHEMA.partition("/")[0]) as give:
        give(rows)
    if json_ is None:
        _show(rows, results)


def _show(rows: list[dict[str, Any]], results: Path) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from lemmascope.sims.report.terminal import open_console

    console = open_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("study", no_wrap=True)
    table.add_column("says, and where its claims are stated", overflow="fold")
    for name in ("claims", "verdicts", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        said = Text(row["title"])
        for folder, files in _by_folder(row["stated_in"]).items():
            said.append(f"\n{folder}/{': ' * (len(files) > 1)}{', '.join(files)}", style="dim")
        verdicts = row["verdicts"]
        counted = "–" if verdicts is None else f"{verdicts['as_expected']}/{verdicts['of']}"
        whose = Text.assemble((row["study"], "bold"), (f"\n{row['subject']}\n", "dim"))
        table.add_row(whose, said.append("\n"), str(row["claims"]), counted, spell_seconds(row["seconds"]))
    console.print(table)
    of = f"as expected, of all that are saved in {results}/STUDY: of the default size"
    console.print(f"Verdicts: {of}, and one on each evidence that a claim is about.")
    console.print("Message, flags and examples: lemmascope STUDY --help. Each claim: lemmascope claims --list.")


def _by_folder(files: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in files:
        folder, _, name = file.rpartition("/")
        found.setdefault(folder, []).append(name)
    return found
