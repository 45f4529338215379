"""Manners at the terminal: width and progress."""

from __future__ import annotations

__all__ = ["open_console", "progress", "task_progress"]

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.text import Text

from lemmascope.sims.tables import harmless


class _Console(Console):
    """Prints text as it is: no markup is read in it, and nothing in it is obeyed by a terminal.

    A string is a line, with empty ones before and after where it says so: one within it is not ours.
    """

    def print(self, *objects: Any, **keywords: Any) -> None:
        """As usual."""
        super().print(*(_line(x) if isinstance(x, str) else x for x in objects), **keywords)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As usual; the cells of tables pass here too."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else harmless(text, lines=True), style, control)


def _line(text: str) -> str:
    inner = text.strip("\n")
    before, _, after = text.partition(inner) if inner else (text, "", "")
    return f"{before}{harmless(inner)}{after}"


def open_console(stderr: bool = False) -> Console:
    """A console for text that is not ours; 120 columns wide where there is no terminal to ask."""
    made = _Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 120
    return made


class _Rate(ProgressColumn):
    """Iterations of one seed a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} it/s" if task.speed else "", style="dim")


@contextmanager
def progress(total: float, what: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on a terminal; a line at each tenth elsewhere. Both on standard error, and at the end at 100 %."""
    what, errors = harmless(what), open_console(stderr=True)
    if errors.is_terminal:
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            _Rate(),
            TimeRemainingColumn(),
            console=errors,
        )
        with bar:
            task = bar.add_task(what, total=total)
            yield lambda count: bar.advance(task, count)
            bar.update(task, completed=total)  # runs that ended before their last iteration
        return
    tenths = _Tenths(total)
    started = time.monotonic()

    def advance(count: float) -> None:
        tenth = tenths.after(count)
        if tenth is not None:
            print(f"{what}: {10 * tenth} % ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)

    yield advance
    advance(total)


class _Tenths:
    """Counts what is done, and says each tenth of it that is new, the last one at the end."""

    def __init__(self, total: float, done: float = 0.0) -> None:
        self.total, self.done = max(total, 1e-9), done
        self.shown = self._tenth()

    def _tenth(self) -> int:
        return min(10, int(10 * self.done / self.total + 1e-9))

    def after(self, count: float) -> int | None:
        """The tenth that is reached after ``count`` more; None where it was said before."""
        self.done += count
        before, self.shown = self.shown, self._tenth()
        return self.shown if self.shown > before else None


@contextmanager
def task_progress(
    total: float, count: int, what: str, there: tuple[float, int] = (0.0, 0)
) -> Iterator[Callable[[float], None]]:
    """Progress over ``count`` tasks of ``total`` cost: a bar, or a line now and then; on standard error.

    ``there`` is the cost and the number of those that were done before.
    """
    what, errors = harmless(what), open_console(stderr=True)
    before, tasks = there
    tenths = _Tenths(total, before)
    started = time.monotonic()

    def spell() -> str:
        spent, done = time.monotonic() - started, tenths.done - before
        left = spent * (total - tenths.done) / done if done else 0.0
        rate = 60 * (tasks - there[1]) / max(spent, 1e-9)
        return f"{tasks} of {count} parts, {rate:.1f} a minute, {_clock(max(left, 0.0))} left"

    if errors.is_terminal:
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %  {task.fields[spelled]}", markup=False),
            console=errors,
        )
        with bar:
            shown = bar.add_task(what, total=tenths.total, spelled="")
            bar.update(shown, completed=before)

            def draw(cost: float) -> None:
                nonlocal tasks
                tasks += 1
                tenths.after(cost)
                bar.update(shown, completed=min(tenths.done, tenths.total), spelled=spell())

            yield draw
        return

    def advance(cost: float) -> None:
        nonlocal tasks
        tasks += 1
        tenth = tenths.after(cost)
        if tenth is not None:
            print(f"{what}: {10 * tenth} %, {spell()}", file=sys.stderr, flush=True)

    yield advance


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
