"""The proof steps run, and what a reader gets of them: verdicts, a catalogue, and tables for documents."""

from __future__ import annotations

__all__ = ["Settled", "as_markdown", "catalogue", "chosen", "prove", "run", "steps_markdown"]

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lemmascope.proofs_check.chapters import as_chapter, chapters
from lemmascope.proofs_check.step import Chapter, Step, settle
from lemmascope.proofs_check.text import escaped
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Verdict


@dataclass(frozen=True)
class Settled:
    """A step's verdict.

    Attributes:
        chapter, step: what was settled.
        verdict: how, with the planted errors as its control.
        seconds: what it took, planted errors included.
    """

    chapter: Chapter
    step: Step
    verdict: Verdict
    seconds: float


def chosen(names: Sequence[str] = (), own: Iterable[Chapter] = ()) -> list[tuple[Chapter, Step]]:
    """The steps that are meant, in order.

    Args:
        names: ids of steps, names of chapters or of subjects; with none, all steps, or those of ``own`` if there are
            any.
        own: chapters of a user's own, made by `step.as_chapter`; they come after ours.

    Raises:
        InputError: a name of no step, or an id that two steps have.
    """
    ours, more = chapters(), tuple(own)
    every = [(chapter, step) for chapter in (*ours, *more) for step in chapter.steps]
    homes: dict[str, Chapter] = {}
    for chapter, step in every:
        if step.id in homes:
            raise InputError("id", step.id, f"it is taken, by a step of the chapter {homes[step.id].title!r}")
        homes[step.id] = chapter
    for name in names:
        if not any(name in _names(chapter, step) for chapter, step in every):
            known = dict.fromkeys(chapter.name for chapter, _ in every)
            raise InputError("step", name, f"it must be the id of a step, or one of {', '.join(known)}")
    if not names:
        return [(c, s) for c, s in every if not more or c in more]
    return [(c, s) for c, s in every if not _names(c, s).isdisjoint(names)]


def _names(chapter: Chapter, step: Step) -> set[str]:
    return {step.id, chapter.name, chapter.path, chapter.subject, step.id.split(".")[0]} - {""}


def run(
    steps: Iterable[tuple[Chapter, Step]], progress: Callable[[Settled], None] = lambda settled: None
) -> list[Settled]:
    """Settle the steps in order, each with its planted errors.

    Raises:
        InputError: a step's function fails, or returns something else than an `Outcome`.
    """
    found = []
    for chapter, step in steps:
        started = time.perf_counter()
        verdict = settle(step, chapter=chapter.title)
        found.append(Settled(chapter, step, verdict, time.perf_counter() - started))
        progress(found[-1])
    return found


def prove(
    steps: Sequence[str] | str = (),
    *,
    own: Chapter | Step | Iterable[Chapter | Step] = (),
    progress: Callable[[Verdict], None] | None = None,
) -> tuple[Verdict, ...]:
    """Settle proof steps, each with its planted errors, as the command ``prove`` does.

    Args:
        steps: ids of steps, names of chapters or of subjects; with none, all steps, or those of ``own`` if there are
            any.
        own: steps or chapters of one's own.
        progress: called with each verdict as soon as it is there.

    Returns:
        The verdicts in order: PROVED, REFUTED with a witness, or INCONCLUSIVE; as expected only where every planted
        error is refuted.

    Raises:
        InputError: a name of no step, an id that is taken, or a step whose function fails or returns something else
            than an `Outcome`.
    """
    given = [own] if isinstance(own, Chapter | Step) else list(own)
    loose = [one for one in given if isinstance(one, Step)]
    whole = [one for one in given if isinstance(one, Chapter)]
    if len(loose) + len(whole) < len(given):
        wrong = next(one for one in given if not isinstance(one, Chapter | Step))
        raise InputError("own", wrong, "it must be a Step, a Chapter, or several of them")
    if loose:
        whole.append(as_chapter(loose, "own"))
    todo = chosen([steps] if isinstance(steps, str) else steps, whole)
    report = progress or (lambda verdict: None)
    return tuple(settled.verdict for settled in run(todo, lambda settled: report(settled.verdict)))


def catalogue(names: Sequence[str] = (), own: Iterable[Chapter] = ()) -> tuple[dict[str, Any], ...]:
    """What each step states and how it is settled, as data; nothing is run.

    Args:
        names, own: as for `chosen`.

    Returns:
        For each step its id, subject, chapter (the title) and number, kind, source, statement, plain, hypotheses,
        method, planted (the descriptions) and expected.

    Raises:
        InputError: as `chosen`.
    """
    return tuple(
        {
            "id": step.id,
            "subject": chapter.subject,
            "chapter": chapter.title,
            "number": chapter.number,
            "kind": step.kind.value,
            "source": step.source,
            "statement": step.statement,
            "plain": step.plain,
            "hypotheses": list(step.hypotheses),
            "method": step.method,
            "planted": [one.told for one in step.planted],
            "expected": step.expected.value,
        }
        for chapter, step in chosen(names, own)
    )


def _by_chapter(found: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The verdicts of a saved document by their chapters' headings, numbered as they come."""
    chapters: dict[str, list[dict[str, Any]]] = {}
    for verdict in found["verdicts"]:
        chapters.setdefault(verdict["evidence"]["chapter"], []).append(verdict)
    return {f"{k}. {title}": verdicts for k, (title, verdicts) in enumerate(chapters.items(), start=1)}


def as_markdown(found: Mapping[str, Any]) -> str:
    """The table for a document, from saved verdicts: step, statement, verdict, the planted errors."""
    lines = ["| step | statement | verdict | planted errors |", "|---|---|---|---|"]
    for heading, verdicts in _by_chapter(found).items():
        lines.append(f"| **{heading}** | | | |")
        for v in verdicts:
            held = "–" if v["control"] is None else f"{v['control']['status']} ({len(v['evidence']['planted'])})"
            mark = "" if v["as_expected"] else " ✗"
            lines.append(f"| `{v['claim']}` | {escaped(v['plain'])} | {v['status']}{mark} | {held} |")
    return "\n".join(lines)


def steps_markdown(found: Mapping[str, Any]) -> str:
    """Every step in full, for a document: statement, hypotheses, method, verdict, witness, planted errors."""
    lines: list[str] = []
    for heading, verdicts in _by_chapter(found).items():
        lines += [f"## {heading}", ""]
        for v in verdicts:
            hypotheses = "; ".join(one["name"] for one in v["hypotheses"])
            lines += [f"### `{v['claim']}`: {v['status']}", "", v["statement"], ""]
            lines += [f"- Hypotheses: {escaped(hypotheses or 'none')}"]
            lines += [f"- Method: {escaped(v['evidence']['method'])}", f"- Found: {escaped(v['reason'])}"]
            if v["witness"] is not None:
                lines.append(f"- Witness: `{json.dumps(v['witness'], ensure_ascii=False)}`")
            if v["evidence"]["planted"]:
                planted = "; ".join(v["evidence"]["planted"])
                lines.append(f"- Planted errors, {v['control']['status']}: {escaped(planted)}")
            lines.append("")
    return "\n".join(lines).rstrip()
