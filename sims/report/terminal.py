"""Manners at the terminal: width and progress."""

from __future__ import annotations

__all__ = ["open_console", "progress", "task_progress"]

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def open_console(stderr: bool = False) -> Console:
    """A console; 120 columns wide where there is no terminal to ask."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 120
    return made


class _Rate(ProgressColumn):
    """Iterations of one seed a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} it/s" if task.speed else "", style="dim")


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; a line at each tenth elsewhere. Both on standard error."""
    errors = open_console(stderr=True)
    if errors.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            _Rate(),
            TimeRemainingColumn(),
            console=errors,
        )
        with bar:
            task = bar.add_task(escape(what), total=total)
            yield lambda count: bar.advance(task, count)
        return
    state = {"done": 0, "shown": 0}
    started = time.monotonic()

    def advance(count: int) -> None:
        state["done"] += count
        tenth = 10 * state["done"] // total
        if tenth > state["shown"]:
            state["shown"] = tenth
            print(f"{what}: {10 * tenth} % ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)

    yield advance


@contextmanager
def task_progress(total: float, count: int, what: str) -> Iterator[Callable[[float], None]]:
    """Progress over ``count`` tasks of ``total`` cost: a bar, or a line now and then; on standard error."""
    errors = open_console(stderr=True)
    state = {"done": 0.0, "tasks": 0, "shown": 0}
    started = time.monotonic()

    def spell() -> str:
        spent = time.monotonic() - started
        left = spent * (total - state["done"]) / state["done"] if state["done"] else 0.0
        rate = 60 * state["tasks"] / max(spent, 1e-9)
        return f"{state['tasks']} of {count} parts, {rate:.1f} a minute, {_clock(left)} left"

    if errors.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %  {task.fields[spelled]}"),
            console=errors,
        )
        with bar:
            task = bar.add_task(escape(what), total=max(total, 1e-9), spelled="")

            def draw(cost: float) -> None:
                state["done"], state["tasks"] = state["done"] + cost, state["tasks"] + 1
                bar.update(task, completed=state["done"], spelled=spell())

            yield draw
        return

    def advance(cost: float) -> None:
        state["done"], state["tasks"] = state["done"] + cost, state["tasks"] + 1
        tenth = int(10 * state["done"] / max(total, 1e-9) + 1e-9)
        if tenth > state["shown"]:
            state["shown"] = tenth
            print(f"{what}: {10 * tenth} %, {spell()}", file=sys.stderr, flush=True)

    yield advance


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
