"""Judge saved results again, or list all that is stated.

SAVED is a study's folder of results, a folder of several, a trajectory of a subject's simulator, or a netCDF file of
your own with a dimension seed, and claims of your own for it (--plugin). Each claim gets a verdict: HOLDS, REFUTED with
the witness, INCONCLUSIVE, or NOT_APPLICABLE with the hypothesis that fails; and its negative control, which must be
REFUTED.

With --list, the claims of all studies and subjects and the steps of `lemmascope prove`, with the file that states each
and the verdicts that are saved in ./results; with words, those in which all of them stand.
"""

from __future__ import annotations

__all__ = ["command"]

import dataclasses
import importlib
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from lemmascope.cli import catalogue
from lemmascope.cli.command import argument, flag, option
from lemmascope.cli.command import command as made
from lemmascope.cli.kinds import PATH, OneOf
from lemmascope.cli.manners import nearest
from lemmascope.cli.text import json_output, under
from lemmascope.sims import registry
from lemmascope.sims.checksums import PROVENANCE, ResultsError, read_table
from lemmascope.sims.study import Study
from lemmascope.sims.tables import COLOURS
from lemmascope.theory.claim import Claim
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Status, Verdict

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

LISTED = "lemmascope-statement"
"""The schema of an entry of the list."""


def complete_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The ids of claims and steps that begin so."""
    entries = [*catalogue.claims(), *catalogue.steps()]
    return [CompletionItem(entry.id) for entry in entries if entry.id.startswith(incomplete)]


def complete_studies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of studies that begin so, or files."""
    names = [CompletionItem(name) for name in registry.names() if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


@made(
    __doc__,
    argument("saved", "Results to judge, one after the other; words to look for, with --list.", nargs=-1, type=PATH),
    flag("--list", "list_", help="Show what is stated, and judge nothing."),
    option(
        "--only",
        multiple=True,
        metavar="ID",
        help="Only this claim or step, or those of this beginning, as gdm. Repeat.",
        shell_complete=complete_ids,
    ),
    option(
        "--study",
        metavar="STUDY",
        help="A study's name, or the FILE.py of your own, whose results they are.",
        shell_complete=complete_studies,
    ),
    option("--subject", metavar="NAME", help="With --list: only of this subject."),
    option("--status", kind=OneOf([s.value for s in Status], "STATUS"), help="With --list: only those saved so."),
    option("--plugin", kind=PATH, help="A Python file with claims of your own."),
    flag("--certify", help="Refuse results without a certificate, and count a claim that is not certified as failing."),
    option("--json", "json_", kind=PATH, help="Write the verdicts, or the list, to this file too; - prints it alone."),
    examples=(
        "lemmascope claims --list",
        "lemmascope claims --list momentum memorization",
        "lemmascope claims --list --study STUDY",
        "lemmascope claims --list --status REFUTED",
        "lemmascope claims results/STUDY",
        "lemmascope claims results/mine --study my_study.py",
        "lemmascope claims run.nc --only CLAIM --json verdicts.json",
        "lemmascope claims run.nc --plugin my_claims.py",
    ),
    exits=(
        ("0", "no verdict contradicts its claim (NOT_APPLICABLE is no contradiction)"),
        ("1", "one is REFUTED or INCONCLUSIVE, or a control HOLDS; or, with --certify, is not certified on each draw"),
        ("2", "wrong use, damaged results, or an error of your own file"),
    ),
)
def command(
    saved: tuple[Path, ...],
    list_: bool,
    only: tuple[str, ...],
    study: str | None,
    subject: str | None,
    status: str | None,
    plugin: Path | None,
    certify: bool,
    json_: Path | None,
) -> int:
    """See the top of the file."""
    from lemmascope.sims.own import own_objects
    from lemmascope.sims.report.terminal import open_console
    from lemmascope.sims.report.verdicts import VERDICTS_SCHEMA

    console = open_console(stderr=str(json_) == "-")
    schema = LISTED if list_ else VERDICTS_SCHEMA.partition("/")[0]
    if not list_:
        for name, value in (("subject", subject), ("status", status)):
            if value is not None:
                raise InputError(name, value, "it goes with --list")
        if not saved:
            raise click.UsageError("give results to judge, or --list")
        if study is not None and (files := [path for path in saved if path.is_file()]):
            raise InputError("study", study, f"it goes with a folder of results, and {files[0]} is a file")
    documents: list[dict[str, Any]] = []
    verdicts: list[Verdict] = []
    known: set[str] = set()
    unjudged: list[str] = []
    with json_output(json_, schema) as give:  # code of the user's own runs within
        more: list[Claim] = own_objects(plugin, Claim) if plugin is not None else []
        if list_:
            listed = _chosen(more, [str(word) for word in saved], only, study, subject, status)
            give([_listed(entry, found) for entry, found in listed])
            if str(json_) != "-":
                _list(console, listed)
            if status is not None and not listed:
                console.print(f"No verdict that is saved in ./results has the status {status}.")
            return 0
        own = registry.find(study) if study is not None else None
        for path in [one for some in saved for one in _each(some)]:
            if len(saved) > 1 or path not in saved:
                console.print(f"\n{path}", style="bold")
            try:
                ids, document, judged = _judged(path, own, more, only, console)
            except (InputError, ResultsError) as error:
                if path in saved:
                    raise
                console.print(f"passed over: {error}", style="yellow")
                unjudged += [str(error)] if isinstance(error, ResultsError) or _asked_for(path, own) else []
                continue
            if certify and not any(v.certified for v in judged):
                raise InputError(
                    "certify", str(path), "it has no certificate: run its study, or simulate, with --certify"
                )
            known |= ids
            _show(console, judged)
            documents.append(document)
            verdicts += judged
        for name in only:
            _matching(name, known)
        if not documents:
            raise InputError("saved", str(saved[0]), "nothing in it could be judged")
        give(documents[0] if len(documents) == 1 else documents)
    counts = {one: sum(v.status is one for v in verdicts) for one in Status}
    console.print("\n" + (", ".join(f"{n} {one.value}" for one, n in counts.items() if n) or "No claim is about them."))
    if unjudged:
        raise ResultsError(f"not all of it could be judged: {unjudged[0]}")
    lacking = certify and any(v.certified and len(v.certified.true) < v.certified.of for v in verdicts)
    return 1 if lacking or any(_contradicted(v) for v in verdicts) else 0


def _asked_for(path: Path, own: Study[Any] | None) -> bool:
    """Whether results among several are a study's, and of the one that is given if one is."""
    found = read_table(path / PROVENANCE)
    return "data" in found and (own is None or found.get("study") == own.name)


def _each(path: Path) -> Iterator[Path]:
    """The folder of results, or those that lie in it."""
    within = [one.parent for one in sorted(path.glob(f"*/{PROVENANCE}"))] if path.is_dir() else []
    if within and not (path / PROVENANCE).exists():
        yield from within
    else:
        yield path


def _judged(
    path: Path, own: Study[Any] | None, more: Sequence[Claim], only: Sequence[str], console: Console
) -> tuple[set[str], dict[str, Any], tuple[Verdict, ...]]:
    """The ids of all claims that are known for what is saved there, the document, and the verdicts."""
    from lemmascope.sims.judge import judge
    from lemmascope.sims.report.verdicts import document, verdicts_json
    from lemmascope.sims.run.carry import judge_again

    if path.is_dir():
        result = judge_again(path, own, lambda sentence: console.print(sentence, style="yellow"))
        found = (*result.verdicts, *judge(more, result.evidence, result.study.controls))
        ids = {claim.id for claim in (*result.study.claims, *more)}
        found = tuple(v for v in found if _asked(v.claim, only))
        return ids, verdicts_json(dataclasses.replace(result, verdicts=found)), found
    from lemmascope.sims import netcdf

    data = netcdf.load(path, "a trajectory, or labelled data,", ours=False)
    face = _face(data)
    if face is not None:
        ours = list(face.TRAJECTORY)
        data = face.load(path)
    elif not more:
        schema = data.attrs.get("schema")
        why = f"no subject knows it (schema {schema}); give claims of your own for it with --plugin FILE.py"
        raise InputError("saved", str(path), why)
    else:
        ours = []
    chosen = [claim for claim in (*ours, *more) if _asked(claim.id, only)]
    found = face.judge(data, chosen) if face is not None else judge(chosen, data)
    name, root = str(data.attrs.get("study", path.stem)), data.attrs.get("root_seed")
    # What others' files have under that name may be anything.
    saved = document(name, found, root_seed=int(root) if isinstance(root, Integral) and int(root) >= 0 else None)
    return {claim.id for claim in (*ours, *more)}, saved, found


def _asked(claim: str, only: Sequence[str]) -> bool:
    """Whether a claim is among those that are asked for, by their ids or by beginnings that end at a dot."""
    return not only or any(claim == name or claim.startswith(f"{name.rstrip('.')}.") for name in only)


def _matching(name: str, known: Collection[str]) -> None:
    """Raise `InputError` unless a claim that is known is asked for so."""
    if not any(_asked(one, [name]) for one in known):
        raise InputError("only", name, f"no claim has this id ({nearest(name, known).rstrip('.')})")


def _face(data: xr.Dataset) -> Any:
    """The front of the subject whose simulator wrote these data, or None.

    It has SCHEMA, an attribute of such data, load, the claims about them, TRAJECTORY, and judge.
    """
    schema = str(data.attrs.get("schema", "")).partition("/")[0]
    for subject in catalogue.subjects():
        if schema and find_spec(f"lemmascope.{subject}") is not None:
            face = importlib.import_module(f"lemmascope.{subject}")
            if getattr(face, "SCHEMA", "").partition("/")[0] == schema:
                return face
    return None


def _show(console: Console, verdicts: Sequence[Verdict]) -> None:
    from lemmascope.sims.report.verdicts import claim_lines

    for line in claim_lines(verdicts):
        console.print(line)


def _contradicted(v: Verdict) -> bool:
    """A claim that did not come out, or whose control came out like itself (a control may be undecided)."""
    unrefuted = v.control is not None and v.control["status"] in (Status.HOLDS, Status.PROVED)
    return unrefuted or not (v.foreseen or v.status is Status.NOT_APPLICABLE)


def _chosen(
    more: Sequence[Claim],
    words: Sequence[str],
    only: Sequence[str],
    study: str | None,
    subject: str | None,
    status: str | None,
) -> list[tuple[catalogue.Entry, list[Any]]]:
    """The entries of the catalogue that are asked for, each with its saved verdicts."""
    own = [registry.find(study)] if study is not None and study.endswith(".py") else []
    every = [*catalogue.claims(own), *catalogue.steps()]
    for claim in more:
        every.append(catalogue.entry(claim, "", (), catalogue.stated_in(claim, None)))
    name = own[0].name if own else study
    known = {s for entry in every for s in entry.studies}
    for field, value, names in (
        ("study", name, known),
        ("subject", subject, {entry.subject for entry in every} - {""}),
    ):
        if value is not None and value not in names:
            raise InputError(field, value, f"it must be one of {', '.join(sorted(names))}")
    for beginning in only:
        _matching(beginning, {entry.id for entry in every})
    texts = {entry.id: " ".join(map(str, dataclasses.astuple(entry))).casefold() for entry in every}
    for word in words:
        if not any(word.casefold() in text for text in texts.values()):
            raise InputError("word", word, "it stands in no claim or step; to judge results leave --list out")
    saved: dict[tuple[str, str], list[Any]] = {}
    for one in catalogue.Saved.within(Path("results")):
        for verdict in one.verdicts:
            saved.setdefault((one.study, str(verdict.get("claim"))), []).append(verdict)
    found = []
    for entry in every:
        verdicts = [v for s in entry.studies for v in saved.get((s, entry.id), [])]
        asked = (name is None or name in entry.studies) and (subject is None or subject == entry.subject)
        asked &= _asked(entry.id, only) and all(word.casefold() in texts[entry.id] for word in words)
        if asked and (status is None or status in [v["status"] for v in verdicts]):
            found.append((entry, verdicts))
    return found


def _listed(entry: catalogue.Entry, verdicts: list[Any]) -> dict[str, Any]:
    """An entry of the list as JSON."""
    saved = [{k: v.get(k) for k in ("label", "status", "as_expected")} for v in verdicts]
    return {"schema": f"{LISTED}/1"} | dataclasses.asdict(entry) | {"saved": saved}


def _list(console: Console, entries: list[tuple[catalogue.Entry, list[Any]]]) -> None:
    from rich.text import Text

    from lemmascope.sims.report.latex import readable

    for entry, verdicts in entries:
        head = Text(entry.id, style="bold")
        head.append(f"   {entry.what} · {entry.kind} · source: {entry.source}", style="not bold")
        if entry.expected not in ("HOLDS", "PROVED"):
            head.append(f" · expected: {entry.expected}", style="not bold")
        for v in verdicts:
            head.append(f"   {v['status']}", style=COLOURS.get(v["status"], ""))
            head.append(f" {v['label']}" if v.get("label") else "", style="dim not bold")
        console.print(head)
        under(console, readable(entry.plain or entry.statement))
        if entry.plain:
            under(console, f"LaTeX: {entry.statement}", "dim")
        for condition in entry.conditions:
            under(console, f"if {readable(condition)}", "dim")
        if entry.checked:
            under(console, f"{'method' if entry.what == 'step' else 'control'}: {entry.checked}", "dim")
        whose = [entry.subject, ", ".join(entry.studies)] if entry.what == "claim" else [entry.subject]
        under(console, f"{' · '.join(filter(None, whose))} · stated in {entry.file}", "dim")
    told = sum(entry.what == "claim" for entry, _ in entries)
    rest = len(entries) - told
    said = f"{told} claim{'s' * (told != 1)} and {rest} step{'s' * (rest != 1)} of `lemmascope prove`."
    console.print(f"\n{said}")
