"""Print what lets your shell complete commands and flags.

Studies and tools are found when you press the tab key, so that the script need not be made again for new ones.
"""

from __future__ import annotations

__all__ = ["command"]

import click

from lemmascope.cli.command import argument
from lemmascope.cli.command import command as made
from lemmascope.cli.kinds import OneOf

SHELLS = ("bash", "zsh", "fish")


@made(
    __doc__,
    argument("shell", f"{', '.join(SHELLS)}.", type=OneOf(SHELLS, "SHELL")),
    examples=(
        'eval "$(lemmascope completion bash)"     in ~/.bashrc',
        'eval "$(lemmascope completion zsh)"      in ~/.zshrc',
        "lemmascope completion fish > ~/.config/fish/completions/lemmascope.fish",
    ),
    light=True,
)
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """See the top of the file."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    assert ctx.parent is not None
    click.echo(found(ctx.parent.command, {}, "lemmascope", "_LEMMASCOPE_COMPLETE").source())
