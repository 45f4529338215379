"""A command of the front door: its help, its examples, its exit states."""

from __future__ import annotations

__all__ = ["Argument", "Command", "Option", "argument", "command", "flag", "option", "verbatim"]

from collections.abc import Callable, Sequence
from typing import Any

import click

from lemmascope.cli import lazily
from lemmascope.cli.kinds import TEXT
from lemmascope.cli.manners import NOTHING_SAVED, polite

OK = "0, or 2 for wrong use."


class Option(click.Option):
    """A flag, under a heading of the help."""

    def __init__(self, *arguments: Any, section: str = "Flags", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.section = section


class Command(click.Command):
    """A command whose callback returns its exit status, None for 0.

    Args:
        examples: command lines, shown in the help.
        exits: the exit states, one sentence, or (state, meaning) one a line.
        notes: blocks of lines under the flags, by heading.
        kept: what is said after Ctrl-C.
        light: whether it runs without the heavy packages that its imports promise.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        examples: Sequence[str] = (),
        exits: str | Sequence[tuple[str, str]] = OK,
        notes: dict[str, Sequence[str]] | None = None,
        kept: str = NOTHING_SAVED,
        light: bool = False,
        **keywords: Any,
    ) -> None:
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
        keywords["context_settings"] = settings | keywords.pop("context_settings", {})
        super().__init__(name, **({"options_metavar": "[FLAGS]"} | keywords))
        self.examples, self.exits, self.notes, self.kept, self.light = tuple(examples), exits, notes or {}, kept, light

    def invoke(self, ctx: click.Context) -> Any:
        """Call it, with manners."""
        with polite(self.kept):
            if not self.light:
                lazily.resolve()
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As usual; a flag that is given twice is refused, and an error says which command it is about."""
        try:
            if not ctx.resilient_parsing:
                _, _, order = self.make_parser(ctx).parse_args(list(args))
                for param in order:
                    if isinstance(param, click.Option) and not param.multiple and order.count(param) > 1:
                        raise click.UsageError(f"{param.opts[-1]} is given twice", ctx)
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it does, its arguments and flags under their headings, notes, examples and exit states."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, Argument):
                sections.setdefault("Arguments", []).append((param.make_metavar(ctx), param.help or ""))
            elif (record := param.get_help_record(ctx)) is not None:
                last = next((name for name in reversed(sections) if name != "Arguments"), "Flags")
                sections.setdefault(getattr(param, "section", last), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=COLUMN)
        for title, lines in self.notes.items():
            verbatim(formatter, title, lines)
        verbatim(formatter, "Examples", self.examples)
        with formatter.section("Exit status"):
            if isinstance(self.exits, str):
                formatter.write_text(self.exits)
            else:
                formatter.write_dl(list(self.exits))


COLUMN = 28
"""Widest flag beside which its help stands; the help of a wider one stands under it."""


def verbatim(formatter: click.HelpFormatter, title: str, lines: Sequence[str]) -> None:
    """A section whose lines are left as they are."""
    if lines:
        with formatter.section(title):
            for line in lines:
                formatter.write(" " * formatter.current_indent + line + "\n")


class Argument(click.Argument):
    """An argument that says what it is."""

    def __init__(self, *arguments: Any, help: str = "", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.help = help


def command(
    doc: str | None, *params: click.Parameter, cls: type[Command] = Command, **keywords: Any
) -> Callable[[Callable[..., Any]], Command]:
    """Decorator: a function as the command whose help is a file's docstring; keywords as of `Command`."""

    def made(function: Callable[..., Any]) -> Command:
        return cls(params=list(params), callback=function, help=doc, **keywords)

    return made


def option(*names: str, kind: click.ParamType = TEXT, help: str, **keywords: Any) -> Option:
    """A flag that takes a value; None where it is not given."""
    return Option(names, type=kind, help=help, **keywords)


def flag(*names: str, help: str, **keywords: Any) -> Option:
    """A flag that takes none."""
    return Option(names, is_flag=True, help=help, **({"default": False} | keywords))


def argument(name: str, help: str, **keywords: Any) -> Argument:
    """An argument, and what it is."""
    return Argument([name], help=help, **keywords)
