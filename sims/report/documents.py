"""The documents' numbers and pictures, made from saved results: the end of ``make readme``.

Every block from ``<!-- begin NAME … -->`` to ``<!-- end NAME -->`` of the README and of a page in docs/ is rewritten
from what is kept there: ``docs/studies/STUDY/`` (``verdicts.json``; ``root-*.json``, the same at other root seeds;
further runs by name; ``provenance.json``, pictures with their captions) and ``docs/proofs/``. Blocks
``<!-- build NAME … -->`` are made when the site is built, and kept nowhere. No study is named here: the registry knows
them. A test holds the documents to what is saved.
"""

from __future__ import annotations

__all__ = ["BLOCKS", "BUILT", "ROOT", "Saved", "copy", "documents", "main", "rewritten"]

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lemmascope import theory
from lemmascope.proofs_check import report as proofs_report
from lemmascope.proofs_check.conformance import markdown as identities
from lemmascope.proofs_check.conformance.adaptive import table as algorithms_table
from lemmascope.proofs_check.text import escaped
from lemmascope.sims import registry
from lemmascope.sims.checksums import PROVENANCE, check_listed, read_provenance
from lemmascope.sims.files import rewrite
from lemmascope.sims.report.named import found, sections
from lemmascope.sims.report.saved import BEGIN, ROOT, Saved, as_table, bound, cell, link, slug
from lemmascope.sims.report.verdicts import read_results
from lemmascope.sims.study import plain, settings_of
from lemmascope.sims.tables import number
from lemmascope.theory.subject import Reference, Subject


def _held(v: dict[str, Any]) -> str:
    if not v["seeds"] or "interval" in v["evidence"]:
        return "–"
    exact = v.get("certified")
    certified = f", certified {len(exact['true'])}/{exact['of']}" if exact else ""
    return f"{len(v['holding'])}/{len(v['seeds'])}{certified}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _own(page: Path, names: tuple[str, ...]) -> str:
    """The study that a block names, or whose page it is on."""
    return names[0] if names else page.stem


def message(saved: Saved, page: Path, *names: str) -> str:
    """What a reader of a study takes home."""
    return registry.study(_own(page, names)).message


def claims(saved: Saved, page: Path, *names: str) -> str:
    """A study's claims with their verdicts in a table, and each in full."""
    study = _own(page, names)
    found = saved.verdicts(study)["verdicts"]
    rows = [
        (
            f"`{v['claim']}`{' · ' if v['label'] else ''}{cell(v['label'])}<br>{cell(v['plain'])}",
            number(v["computed"]),
            bound(v),
            v["status"],
            _held(v),
            v["control"]["status"] if v["control"] else "–",
        )
        for v in found
    ]
    made = as_table(("claim", "computed", "bound", "verdict", "seeds", "control"), rows)
    stated = _stated_in(study)
    full = [_in_full(study, stated[name], [v for v in found if v["claim"] == name]) for name in _claim_ids(found)]
    return "\n\n".join([made, "Each claim in full, as LaTeX, with its hypotheses and source:", *full])


def _claim_ids(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    return iter(dict.fromkeys(v["claim"] for v in found))


def _in_full(study: str, file: str, found: list[dict[str, Any]]) -> str:
    """One claim, stated in a file, on all evidence that it was judged on; folded."""
    v = found[0]
    name = v["claim"]
    lines = ["<details>", f"<summary><code>{name}</code></summary>", "", v["statement"] + ".", ""]
    (claim,) = [claim for claim in registry.study(study).claims if claim.id == name]
    if claim.scope:
        lines.append(f"- {claim.scope.capitalize()}.")
    for h in v["hypotheses"]:
        lines.append(f"- If `{h['name']}`: {h['statement']}.")
    lines.append(f"- Kind: {v['kind']}. Source: {v['source']}. Stated in `{file}`.")
    for one in found:
        held = f", {one['reason']}" if one["reason"] else ""
        lines.append(f"- {cell(one['label']) or 'Verdict'}: {one['status']}{cell(held)}.")
        if "certified" in one:
            lines.append(f"- In exact arithmetic: {cell(one['certified']['says'])}.")
    if v["control"]:
        said = dict.fromkeys((one["control"]["description"], one["control"]["status"]) for one in found)
        lines += [f"- Control: {cell(what)}. It is {status}." for what, status in said]
    return "\n".join([*lines, "", "</details>"])


def _stated_in(study: str) -> dict[str, str]:
    """In which file each claim of a study is stated: the module of `theory` that lists it, else the study's own."""
    declared = registry.study(study).claims
    home = {id(claim): f"lemmascope.sims.studies.{study}" for claim in declared}
    for name, module in sorted(sys.modules.items()):
        if name.startswith("lemmascope.theory.") and not hasattr(module, "__path__"):
            lists = (some for some in vars(module).values() if isinstance(some, tuple))
            home |= {id(one): name for some in lists for one in some if id(one) in home}
    return {claim.id: home[id(claim)].removeprefix("lemmascope.").replace(".", "/") + ".py" for claim in declared}


def pictures(saved: Saved, page: Path, *names: str) -> str:
    """A study's pictures with their captions, those that are named first."""
    folder = saved.folder(page.stem)
    every = sorted(path.stem for path in folder.glob("*.png"))
    missing = [name for name in names if name not in every]
    if missing:
        raise ValueError(f"{page.name}: there is no picture {missing[0]!r} among {', '.join(every)}")
    shown = [*names, *(name for name in every if name not in names)]
    return "\n\n".join(
        f"![{name}]({link(page, folder / f'{name}.png')})\n\n*{_caption(folder / f'{name}.caption.txt')}*"
        for name in shown
    )


def _caption(path: Path) -> str:
    return escaped(path.read_text(encoding="utf-8").strip())


def table(saved: Saved, page: Path, study: str, name: str) -> str:
    """A table of a study, at every root seed that is kept."""
    every = [(found["root_seed"], found["tables"][name]) for found in saved.roots(study)]
    first = every[0][1]
    several = len(every) > 1
    columns = [*(["root seed"] if several else []), *first["columns"]]
    rows = [
        [*([str(root)] if several else []), *(cell(text) for text in row)] for root, one in every for row in one["rows"]
    ]
    made = as_table(columns, rows)
    return f"{made}\n\n{first['caption']}" if first["caption"] else made


def proved(saved: Saved, page: Path, *names: str) -> str:
    """Proof steps by their ids, or by the part before the dot, each with a link to its proof.

    Raises:
        ValueError: there is no such step.
    """
    every = saved.proofs["verdicts"]
    for name in names:
        if not any(name in (v["claim"], v["claim"].split(".")[0]) for v in every):
            raise ValueError(f"{page.name}: there is no proof step {name!r}")
    chosen = [v for v in every if v["claim"] in names or v["claim"].split(".")[0] in names]
    if not chosen:
        return "Nothing of this study is proved by machine."
    proofs = saved.root / "docs" / "proofs.md"
    return as_table(
        ("step", "statement", "verdict"),
        ((f"[`{v['claim']}`]({link(page, proofs, slug(v))})", cell(v["plain"]), v["status"]) for v in chosen),
    )


def studies(saved: Saved, page: Path) -> str:
    """A row for each study: what it says, how its claims came out, how long it takes, its page."""
    rows = []
    for name in saved.studies():
        found = saved.verdicts(name)["verdicts"]
        right = sum(v["as_expected"] for v in found)
        rows.append(
            (
                f"[{name}]({link(page, saved.page(name))})",
                cell(registry.title(name)),
                f"{right}/{len(found)}",
                _time(saved.seconds(name)),
            )
        )
    return as_table(("study", "what it shows", "verdicts", "time"), rows)


def compared(saved: Saved, page: Path, study: str, run: str) -> str:
    """The main verdicts of a study beside those of another run of it, in single precision, say."""
    main, other = saved.verdicts(study), saved.verdicts(study, run)
    rows = []
    for a, b in zip(main["verdicts"], other["verdicts"], strict=True):
        if (a["claim"], a["label"]) != (b["claim"], b["label"]):
            raise ValueError(f"{run} of {study} must have the claims of its main run")
        x, y = a["computed"], b["computed"]
        change = "–" if x is None or y is None else number(abs(y - x) / abs(x or 1))
        rows.append(
            (
                f"`{a['claim']}`",
                cell(a["label"]),
                number(x),
                number(y),
                change,
                bound(a),
                _pair(a["status"], b["status"]),
                _pair(_held(a), _held(b)),
            )
        )
    return as_table(("claim", "on", "published", run, "relative change", "bound", "verdicts", "seeds"), rows)


def _pair(a: str, b: str) -> str:
    return a if a == b else f"**{a} → {b}**"


def catalogue(saved: Saved, page: Path) -> str:
    """Every claim of every study: what it says, how it came out, where it is stated."""
    parts = []
    for name in saved.studies():
        stated, found = _stated_in(name), saved.verdicts(name)["verdicts"]
        rows = []
        for claim in _claim_ids(found):
            each = [v for v in found if v["claim"] == claim]
            statuses = " ".join(dict.fromkeys(v["status"] for v in each))
            said = f"`{claim}` in `{stated[claim]}`<br>{cell(each[0]['plain'])}"
            rows.append((said, statuses, each[0]["source"]))
        page_of = link(page, saved.page(name), "claims")
        made = as_table(("claim, and where it is stated", "verdict", "source"), rows)
        parts.append(f"## {name}\n\n[{cell(registry.title(name))}]({page_of})\n\n{made}")
    return "\n\n".join(parts)


def symbols(saved: Saved, page: Path) -> str:
    """The symbols of every subject, with their names in the code and the paper that they are from."""
    parts = []
    for name, subject in subjects().items():
        papers = (subject.paper, *subject.others)
        cited = "; ".join(f"{one.authors}, {_titled(one)}, {one.venue} {one.year}" for one in papers)
        rows = [(cell(s.symbol), f"`{s.code}`", cell(s.shape), cell(s.meaning)) for s in subject.symbols]
        parts += [
            f"## {subject.title}",
            f"From {cited}. The mathematics is in `theory/{name}/`.",
            as_table(("symbol", "in code", "shape or unit", "meaning"), rows),
        ]
        parts += [f"```bibtex\n{one.bibtex.strip()}\n```" for one in papers if one.bibtex]
    return "\n\n".join(parts)


def _titled(paper: Reference) -> str:
    return f"[{paper.title}]({paper.link})" if paper.link else f"*{paper.title}*"


def subjects() -> dict[str, Subject]:
    """The subjects of the house, by their folders."""
    found = {}
    for _, name, is_package in pkgutil.iter_modules(theory.__path__):
        subject = getattr(importlib.import_module(f"{theory.__name__}.{name}"), "SUBJECT", None) if is_package else None
        if isinstance(subject, Subject):
            found[name] = subject
    return found


def changes(saved: Saved, page: Path) -> str:
    """The notes of the next release: a file, and a line, for each change."""
    notes = [path.read_text(encoding="utf-8").strip() for path in change_notes(saved.root)]
    return "\n".join(f"- {note}" for note in notes) or "Nothing yet."


def change_notes(root: Path = ROOT) -> list[Path]:
    """The files of ``docs/changes/`` that a release has not yet gathered."""
    every = sorted((root / "docs" / "changes").glob("*.md"))
    return [path for path in every if path.stem != "index" and not path.stem[0].isdigit()]


Maker = Callable[..., str]

BLOCKS: dict[str, Maker] = {
    "message": message,
    "claims": claims,
    "pictures": pictures,
    "table": table,
    "proved": proved,
    "found": found,
    "sections": sections,
    "studies": studies,
    "compared": compared,
    "proofs": lambda saved, page: proofs_report.as_markdown(saved.proofs),
    "steps": lambda saved, page: proofs_report.steps_markdown(saved.proofs),
    "identities": lambda saved, page: identities.marks(saved.identities),
    "optimizers": lambda saved, page: identities.optimizers(saved.identities),
    "drawn_over": lambda saved, page: identities.drawn_over(saved.identities),
    "counterexamples": lambda saved, page: identities.counterexamples(saved.identities),
    "algorithms": lambda saved, page: algorithms_table.rows_markdown(saved.algorithms),
    "differences": lambda saved, page: algorithms_table.differences_markdown(saved.algorithms),
    "eliminated": lambda saved, page: algorithms_table.counterexamples_markdown(saved.algorithms),
}
"""Blocks that are kept in the documents: from what is saved, the page, and the words behind the block's name."""

BUILT: dict[str, Maker] = {"studies": studies, "catalogue": catalogue, "symbols": symbols, "changes": changes}
"""Blocks that are made when the site is built."""


def rewritten(text: str, make: Callable[[str, list[str]], str | None]) -> str:
    """A text with its blocks made anew.

    Args:
        text: Markdown.
        make: from a block's name and the words behind it to its contents; None leaves it as it is.

    Raises:
        ValueError: a block has no end.
    """
    parts, at = [], 0
    for begin in BEGIN.finditer(text):
        end = text.find(f"<!-- end {begin[1]} -->", begin.end())
        if end < 0:
            raise ValueError(f"the block {begin[1]!r} has no end")
        made = make(begin[1], begin[2].split())
        if made is not None:
            parts += [text[at : begin.end()], made, "\n"]
            at = end
    return "".join([*parts, text[at:]])


def documents(root: Path = ROOT) -> dict[Path, str]:
    """Every document that has blocks, with its text as it should be."""
    saved, found = Saved(root), {}
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")

        def make(name: str, words: list[str], page: Path = page) -> str | None:
            return BLOCKS[name](saved, page, *words) if name in BLOCKS else None

        if BEGIN.search(text):
            found[page] = rewritten(text, make)
    return found


def copy(results: Path, root: Path = ROOT) -> list[str]:
    """Keep what a folder of results has of every study, and of the proofs; what was left, and why, in sentences.

    ``results/STUDY/`` is kept as the study's own; another folder with its verdicts, ``results/root-1/``, where
    ``docs/studies/STUDY/root-1.json`` is there already. Only the default size is kept.
    """
    saved, left = Saved(root), []
    for path in sorted(results.glob("*/verdicts.json")):
        folder, found = path.parent, read_results(path.parent)
        if found is None or found["study"] not in registry.names():
            continue
        study = found["study"]
        target = saved.folder(study) / ("verdicts.json" if folder.name == study else f"{folder.name}.json")
        if folder.name != study and not target.exists():
            left.append(f"{folder} is a run of {study} that is not kept: {target} is not there")
        elif not _default(study, found["settings"]):
            left.append(f"{folder} is not of the default size, and is not kept")
        else:
            rewrite(target, path.read_bytes())
            if folder.name == study:
                provenance = read_provenance(folder)
                rewrite(target.parent / PROVENANCE, (folder / PROVENANCE).read_bytes())
                for name in provenance["files"]:
                    if name.startswith("figures/") and name.endswith((".png", ".caption.txt")):
                        rewrite(target.parent / Path(name).name, check_listed(folder, provenance, name))
    for source, name in (("proofs/verdicts.json", "proofs.json"), ("identities/identities.json", "identities.json")):
        folder = (results / source).parent
        if (results / source).exists():
            data = check_listed(folder, read_provenance(folder), (results / source).name)
            rewrite(root / "docs" / "proofs" / name, data)
    return left


def _default(name: str, settings: dict[str, Any]) -> bool:
    """Whether a run is of the default size, whatever it adds to it."""
    study = registry.study(name)
    usual = plain(settings_of(study.settings))
    return {**settings, **{key: usual[key] for key in study.adds}} == usual


def main(results: str = "") -> None:
    """Keep what there is in a folder of results, if one is given, and rewrite the documents."""
    for sentence in copy(Path(results)) if results else []:
        print(sentence, file=sys.stderr)
    for path, text in documents().items():
        rewrite(path, text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
