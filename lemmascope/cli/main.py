"""The command ``lemmascope``: studies and tools, each a file that is found.

A study is a file of ``sims/studies/``; its command is made from its declaration. A tool is a file of a folder
``tools/`` of the front door, here or of a subject, which defines ``command``, or ``ALIAS``, the name of a study that it
is another name of. Only the command that is called is imported; the list is read from the first lines of the files.
"""

from __future__ import annotations

__all__ = ["Front", "app", "main", "tools"]

import ast
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click

from lemmascope.cli import lazily
from lemmascope.cli.command import COLUMN, verbatim
from lemmascope.cli.manners import endable, legible, nearest, polite, stop
from lemmascope.sims import registry

FRONT = Path(__file__).parents[1]

ABOUT = """Watch a theorem of deep-learning theory happen, iteration by iteration, and check every step of it.

A study runs an experiment, judges its claims and draws its pictures; a negative control must be refuted for each
claim."""

EXAMPLES = (
    "lemmascope studies                  with the file in which each claim is stated",
    "lemmascope all --quick --out look   a look at all of them",
    "lemmascope run my_study.py          a study of your own",
)


@cache
def tools() -> dict[str, Path]:
    """The tools' files, by command."""
    found = {path.stem.replace("_", "-"): path for path in FRONT.glob("*/tools/*.py") if path.stem != "__init__"}
    return dict(sorted(found.items()))


@cache
def _read(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def aliases() -> dict[str, str]:
    """Other names of studies."""
    found = {}
    for name, path in tools().items():
        for node in _read(path).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ALIAS":
                found[name] = str(ast.literal_eval(node.value))
    return found


def _said(path: Path) -> str:
    return (ast.get_docstring(_read(path)) or "").partition("\n")[0]


class Front(click.Group):
    """The command, whose commands are found by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Studies, their other names, and tools."""
        return [*registry.names(), *tools()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A study's command, made from its declaration, or a tool's."""
        import importlib

        study = aliases().get(name, name)
        if study in registry.names():
            from lemmascope.cli.studies import command_of

            with lazily.imports():
                return command_of(registry.study(study), name)
        if name not in tools():
            return None
        package = tools()[name].parents[1].name
        with lazily.imports():
            found: click.Command = importlib.import_module(f"lemmascope.{package}.tools.{tools()[name].stem}").command
        found.name = name
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or one sentence with the nearest ones.

        How a study would run is said by its own command, which knows its flags.
        """
        if args[0] == "explain" and len(args) > 1:
            study = ["run"] if args[1].endswith(".py") else []
            if study or aliases().get(args[1], args[1]) in registry.names():
                args = [*study, args[1], "--explain", *args[2:]]
        name = args[0]
        found = self.get_command(ctx, name)
        if found is None and not ctx.resilient_parsing:
            if name.endswith(".py"):
                stop(f"there is no command {name}: a study of your own is run by `lemmascope run {name}`.", 2)
            stop(f"there is no command {name!r}; {nearest(name, self.list_commands(ctx))}", 2)
        return name, found, args[1:]

    def make_context(self, *arguments: Any, **keywords: Any) -> click.Context:
        """As usual; with manners, or click would end the help that nobody reads on with 1."""
        with polite():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: click.Context) -> Any:
        """As usual; with manners, for the same reason."""
        with polite():
            return super().invoke(ctx)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run it and leave with its exit state: a command's callback returns 0, None, or another."""
        legible()
        with polite():
            try:
                status = super().main(args, "lemmascope", standalone_mode=False)
            except click.ClickException as error:
                stop(_sentence(error), 2, error)
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where an error is said, and not as Python ends
        sys.exit(status if isinstance(status, int) else 0)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Studies and tools, each with the first line of its file."""
        formatter.write_usage(ctx.command_path, "COMMAND [FLAGS]")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(ABOUT)
        other: dict[str, list[str]] = {}
        for name, study in aliases().items():
            other.setdefault(study, []).append(name)
        rows = [(", ".join([name, *other.get(name, [])]), registry.title(name)) for name in registry.names()]
        with formatter.section("Studies"):
            formatter.write_dl(rows, col_max=COLUMN)
        with formatter.section("Tools"):
            formatter.write_dl([(n, _said(path)) for n, path in tools().items() if n not in aliases()], col_max=COLUMN)
        with formatter.section("Flags"):
            formatter.write_dl([r for p in self.get_params(ctx) if (r := p.get_help_record(ctx)) is not None])
        verbatim(formatter, "Examples", EXAMPLES)


def _sentence(error: click.ClickException) -> str:
    """A wrong use in one sentence, which names the command."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "lemmascope"
    name = path.removeprefix("lemmascope").strip()
    if isinstance(error, click.NoSuchOption) and ctx is not None:
        if not name:
            return f"there is no flag {error.option_name}; those of a study or a tool go after its name."
        params = [p for p in ctx.command.get_params(ctx) if not getattr(p, "hidden", False)]
        known = [flag for p in params if isinstance(p, click.Option) for flag in (*p.opts, *p.secondary_opts)]
        return f"{name} has no flag {error.option_name}; {nearest(error.option_name, known)}"
    text = error.format_message().rstrip(".")
    return f"{name}: {text[:1].lower()}{text[1:]}; see {path} --help." if name else f"{text}."


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"lemmascope {version('lemmascope')}")
        ctx.exit()


def _front(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


app = Front(
    name="lemmascope",
    invoke_without_command=True,
    callback=click.pass_context(_front),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        )
    ],
)


def main() -> None:
    """Entry point."""
    endable()
    app.main()
