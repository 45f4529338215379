"""Manners of the command: whatever ends it, one sentence and an exit status, and nothing heavy imported for them."""

from __future__ import annotations

__all__ = ["DEBUG", "FAULT", "Ended", "endable", "legible", "nearest", "polite", "say", "stop"]

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click

NOTHING_SAVED = "nothing was saved, and what was saved before is as it was"

FAULT = 70
"""Exit status of an error that is a fault of ours: EX_SOFTWARE of sysexits.h. 1 is a verdict, and nothing else."""

DEBUG = "LEMMASCOPE_DEBUG"
"""An environment variable: where it is set, the traceback of an error is printed before its sentence."""


class Said(SystemExit):
    """The end of the command, after its sentence; a ``SystemExit`` that is not one comes from a user's file."""


class Ended(KeyboardInterrupt):
    """A signal that ends the command as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"signal {number}")


class polite:
    """A block whose errors are one sentence and an exit status: never 0, nor 1, which is a verdict's.

    2 for wrong use, an error of a user's file, or what the machine refuses; 128 + the signal, after which ``kept`` is
    said; 141 in silence where nobody reads on, as in `lemmascope … | head`; `FAULT` for an error of ours.
    """

    def __init__(self, kept: str = NOTHING_SAVED) -> None:
        self.kept = kept

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, (Said, click.ClickException, click.exceptions.Exit)):
            return
        # rich makes a SystemExit(1) of it
        told = error.__context__ if isinstance(error, SystemExit) else error
        if isinstance(told, BrokenPipeError) and not _own_line(error):
            _hush()
            raise Said(128 + 13) from error
        sentence, status = _said(error, self.kept)
        stop(sentence, status, error)


def _said(error: BaseException, kept: str) -> tuple[str, int]:
    """What is said of an error, and the exit status."""
    from lemmascope.sims.files import ResultsError
    from lemmascope.theory.errors import InputError

    if isinstance(error, InputError | ResultsError):
        return str(error), 2
    if isinstance(error, KeyboardInterrupt):
        number = error.number if isinstance(error, Ended) else signal.SIGINT
        return f"interrupted; {kept}.", 128 + number
    if isinstance(error, MemoryError):
        return "not enough memory: take fewer samples, seeds or optimizers, or smaller sizes.", 2
    what = type(error).__name__
    with suppress(Exception):  # a user's error may fail even in saying what it is
        what = "; ".join([f"{what}: {error}", *getattr(error, "__notes__", ())])
    if place := _own_line(error):
        return f"{place} failed ({what}); {kept}.", 2
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return f"cannot read or write{where}: {error.strerror or error}; nothing saved before was changed.", 2
    if isinstance(error, ImportError) and not str(error.name).startswith("lemmascope"):
        return f"a package that is needed cannot be imported ({what}); install lemmascope anew.", 2
    return f"a fault of lemmascope ({what}): please report it, with what {DEBUG}=1 prints.", FAULT


def _own_line(error: BaseException | None) -> str:
    """FILE, line N of the innermost call in a user's file that led to an error; empty where none did."""
    from lemmascope.sims.own import is_own

    found = ""
    while error is not None and not found:
        trace = error.__traceback__
        while trace is not None:
            if is_own(trace.tb_frame.f_globals):
                found = f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno},"
            trace = trace.tb_next
        error = error.__cause__
    return found


def stop(sentence: str, status: int, error: BaseException | None = None) -> NoReturn:
    """Say it and leave with that status."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _hush()
    with suppress(OSError):  # standard error may be closed or full: the status says it
        if error is not None and os.environ.get(DEBUG):
            import traceback

            traceback.print_exception(error)
        say(sentence)
    raise Said(status) from error


def say(sentence: str) -> None:
    """Print it on standard error, as one line that no terminal obeys and somebody may read: the middle is left out."""
    from lemmascope.sims.tables import harmless

    text = harmless(sentence)
    print(f"lemmascope: {text if len(text) <= 1200 else f'{text[:800]} … {text[-400:]}'}", file=sys.stderr)


def _hush() -> None:
    """Let what is still to be printed go nowhere: Python would fail again on it as it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def legible() -> None:
    """What an output's encoding has no letter for is printed as its escape from now on, σ as ``\\u03c3``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def endable() -> None:
    """SIGTERM and SIGHUP end this process as Ctrl-C does, unless they are ignored, as SIGHUP is under ``nohup``."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def nearest(word: str, known: Iterable[str]) -> str:
    """What may have been meant, as a sentence: "did you mean --seeds or --root-seed?", or all that there is.

    What begins with the word comes first, and what has it as one of its words; else what is spelt alike.
    """
    from difflib import get_close_matches

    names = sorted(set(known))
    found = [name for name in names if len(word) > 3 and name.startswith(word)]
    found += [name for name in names if name not in found and word.strip("-") in name.strip("-").split("-")]
    found = (found or get_close_matches(word, names, n=3, cutoff=0.6))[:3]
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"there are {', '.join(names)}." if names else "there is none."
