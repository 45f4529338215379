"""The proof steps run, and what a reader gets of them: JSON, and a table for documents."""

from __future__ import annotations

__all__ = ["SCHEMA", "Settled", "as_json", "as_markdown", "chosen", "run", "steps_markdown"]

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lemmascope.proofs_check.step import Chapter, Step, chapters, settle
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Verdict

SCHEMA = "lemmascope-proofs/1"


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


def chosen(names: Sequence[str] = ()) -> list[tuple[Chapter, Step]]:
    """All steps in order, or those whose id, or the part of it before the dot, is among ``names``.

    Raises:
        InputError: for a name of no step.
    """
    every = [(chapter, step) for chapter in chapters() for step in chapter.steps]
    for name in names:
        if not any(name in (step.id, step.id.split(".")[0]) for _, step in every):
            known = dict.fromkeys(step.id.split(".")[0] for _, step in every)
            raise InputError("step", name, f"it must be the id of a step, or one of {', '.join(known)}")
    return [(c, s) for c, s in every if not names or s.id in names or s.id.split(".")[0] in names]


def run(
    steps: Iterable[tuple[Chapter, Step]], progress: Callable[[Settled], None] = lambda settled: None
) -> list[Settled]:
    """Settle the steps in order, each with its planted errors."""
    found = []
    for chapter, step in steps:
        started = time.perf_counter()
        verdict = settle(step)
        found.append(Settled(chapter, step, verdict, time.perf_counter() - started))
        progress(found[-1])
    return found


def as_json(settled: Iterable[Settled], version: str) -> dict[str, Any]:
    """The contents of ``verdicts.json``: no times, so that two runs write the same bytes."""
    return {
        "schema": SCHEMA,
        "lemmascope_version": version,
        "verdicts": [
            {
                "chapter": s.chapter.number,
                "title": s.chapter.title,
                "step": s.step.id,
                "statement": s.step.statement,
                "plain": s.step.plain,
                "hypotheses": list(s.step.hypotheses),
                "method": s.step.method,
                "source": s.step.source,
                "kind": s.step.kind.value,
                "status": s.verdict.status.value,
                "expected": s.verdict.expected.value,
                "reason": s.verdict.reason,
                "witness": s.verdict.witness,
                "evidence": {k: v for k, v in s.verdict.evidence.items() if k != "method"},
                "planted": [p.description for p in s.step.planted],
                "control": s.verdict.control,
                "as_expected": s.verdict.as_expected,
            }
            for s in settled
        ],
    }


def as_markdown(found: dict[str, Any]) -> str:
    """The table for a document, from `as_json`: step, statement, verdict, how, the planted errors."""
    lines = ["| step | statement | verdict | planted errors |", "|---|---|---|---|"]
    title = None
    for v in found["verdicts"]:
        if v["title"] != title:
            title = v["title"]
            lines.append(f"| **{v['chapter']}. {title}** | | | |")
        held = "–" if v["control"] is None else f"{v['control']['status']} ({len(v['planted'])})"
        mark = "" if v["as_expected"] else " ✗"
        lines.append(f"| `{v['step']}` | {_escaped(v['plain'])} | {v['status']}{mark} | {held} |")
    return "\n".join(lines)


def steps_markdown(found: dict[str, Any]) -> str:
    """Every step in full, for a document: statement, hypotheses, method, verdict, witness, planted errors."""
    lines: list[str] = []
    title = None
    for v in found["verdicts"]:
        if v["title"] != title:
            title = v["title"]
            lines += [f"## {v['chapter']}. {title}", ""]
        lines += [f"### `{v['step']}`: {v['status']}", "", v["statement"], ""]
        lines += [f"- Hypotheses: {_escaped('; '.join(v['hypotheses']) or 'none')}"]
        lines += [f"- Method: {_escaped(v['method'])}", f"- Found: {_escaped(v['reason'])}"]
        if v["witness"] is not None:
            lines.append(f"- Witness: `{json.dumps(v['witness'], ensure_ascii=False)}`")
        if v["planted"]:
            lines.append(f"- Planted errors, {v['control']['status']}: {_escaped('; '.join(v['planted']))}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
