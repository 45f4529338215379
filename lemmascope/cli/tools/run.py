"""Run a study of your own, from its file.

FILE.py defines one Study at its top level. It has every flag that the studies of the house have, and those of its own
settings: `lemmascope run FILE.py --help` shows them. It is resumed, runs over Dask, is judged and drawn as they are.
"""

from __future__ import annotations

__all__ = ["command"]

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from lemmascope.cli import lazily
from lemmascope.cli.command import Command, argument
from lemmascope.cli.command import command as made
from lemmascope.cli.kinds import PATH
from lemmascope.cli.studies import EXITS, command_of
from lemmascope.sims import registry
from lemmascope.theory.errors import InputError


def complete(ctx: click.Context, param: click.Parameter | None, incomplete: str) -> list[CompletionItem]:
    """The flags of the study and their values, once its file is said, which is run for that; files before."""
    if "file" not in ctx.params:
        return [CompletionItem(incomplete, type="file")]
    try:
        with redirect_stdout(sys.stderr), lazily.imports():
            own = command_of(registry.load(ctx.params["file"]))
    except InputError:
        return []
    return ShellComplete(own, {}, "", "").get_completions(list(ctx.params["flags"]), incomplete)


class Run(Command):
    """A command whose flags are those of another."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As the other."""
        return complete(ctx, None, incomplete)


@made(
    __doc__,
    argument("file", "A Python file that defines one Study.", type=PATH),
    argument(
        "flags",
        "The study's own flags and those of every study.",
        nargs=-1,
        type=click.UNPROCESSED,
        metavar="[FLAGS]",
        shell_complete=complete,
    ),
    cls=Run,
    examples=(
        "lemmascope run my_study.py --help",
        "lemmascope run my_study.py --quick",
        "lemmascope run my_study.py --cluster local --out results/mine",
    ),
    exits=EXITS,
    light=True,
    options_metavar="",
    context_settings={"allow_interspersed_args": False},
)
@click.pass_context
def command(ctx: click.Context, file: Path, flags: tuple[str, ...]) -> Any:
    """See the top of the file."""
    with lazily.imports():
        study = registry.load(file)
    own = command_of(study, f"{ctx.info_name} {file}")
    with own.make_context(own.name, list(flags), parent=ctx.parent) as inner:
        return own.invoke(inner)
