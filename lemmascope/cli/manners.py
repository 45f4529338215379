"""Manners of the command: errors in one sentence with an exit status, and nothing heavy imported for them."""

from __future__ import annotations

__all__ = ["nearest", "polite", "stop"]

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

NOTHING_SAVED = "nothing was saved, and what was saved before is as it was"


@contextmanager
def polite(kept: str = NOTHING_SAVED) -> Iterator[None]:
    """Errors as one sentence and an exit status: 2 for wrong use, 130 for Ctrl-C, after which ``kept`` is said."""
    from lemmascope.sims.files import ResultsError
    from lemmascope.theory.errors import InputError

    try:
        yield
    except (InputError, ResultsError) as error:
        stop(str(error), 2, error)
    except KeyboardInterrupt as error:
        stop(f"interrupted; {kept}.", 130, error)
    except MemoryError as error:
        stop("not enough memory: take fewer samples, seeds or optimizers, or smaller sizes.", 2, error)
    except BrokenPipeError:
        raise  # of `lemmascope … | head`, which has read enough
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        stop(f"cannot write{where}: {error.strerror or error}; nothing saved before was changed.", 2, error)


def stop(sentence: str, status: int, error: BaseException | None = None) -> NoReturn:
    """Say it on standard error and leave with that status."""
    sys.stdout.flush()
    print(f"lemmascope: {sentence}", file=sys.stderr)
    raise SystemExit(status) from error


def nearest(word: str, known: Iterable[str]) -> str:
    """What may have been meant, as a sentence: "did you mean --seeds or --sigma?", or all that there is."""
    from difflib import get_close_matches

    names = sorted(set(known))
    found = [name for name in names if len(word) > 3 and name.startswith(word)]
    found = (found or get_close_matches(word, names, n=3, cutoff=0.6))[:3]
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"there are {', '.join(names)}." if names else "there is none."
