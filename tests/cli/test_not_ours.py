"""What is not ours is shown as text: labels, ids, statements, names of files, texts of errors, attributes of data."""

import io
import re
import shutil
import sys

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.report.terminal import open_console, progress, task_progress
from lemmascope.sims.report.verdicts import claim_lines, table_text
from lemmascope.sims.tables import Table, harmless
from tests.cli.test_claims import PLUGIN
from tests.cli.test_study_command import TOY

OBEYED = {
    "clear": "\x1b[2J",
    "title": "\x1b]0;mine\x07",
    "link": "\x1b]8;;http://a.b\x1b\\",
    "one byte CSI": "\x9b31m",
    "back": "x\b\b\b",
    "return": "x\r✓ HOLDS   all",
    "line": "x\n✓ HOLDS   all",
    "separator": "x\u2028✓ HOLDS   all",
    "next line": "x\x85✓ HOLDS   all",
    "vertical": "x\v✓ HOLDS   all\f✓",
    "override": "\u202eSDLOH",
    "isolate": "\u2066x\u2069",
    "mark": "\u200fx\u061c",
    "byte": "x\udcff",
    "NUL": "x\0y",
    "tag": "x\U000e0041",
}
MARKUP = {
    "list": "[smallest, largest]",
    "colour": "[red]x[/red]",
    "closing": "[/]",
    "link": "[link=http://a.b]x[/link]",
    "emoji": ":smile:",
    "escaped": "\\[red]",
}


def checked(text):
    """Raise unless a terminal would print all of it and obey nothing but ends of lines."""
    assert harmless(text, lines=True) == text
    assert not re.search("^[✓✗–] HOLDS   all", text, re.MULTILINE)


@pytest.mark.parametrize("text", OBEYED.values(), ids=OBEYED)
def test_what_a_terminal_would_obey_is_shown_by_its_escape(text):
    shown = harmless(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    if "\\" not in text and shown.isascii():
        assert shown.encode("ascii").decode("unicode_escape") == text
    assert harmless(f"a{text}", lines=True).count("\n") == text.count("\n")


@pytest.mark.parametrize("text", ["GD+M", "η = 0.1", "max_r c_r ≥ α", "p̂", "学习", "😀", r"C:\new", *MARKUP.values()])
def test_what_is_readable_is_left_as_it_is(text):
    assert harmless(text) == text


def verdict_of(text):
    """A verdict all of whose words are another's."""
    import lemmascope as ls

    claim = ls.Claim(
        id=f"mine.{text}",
        statement=text,
        plain=text,
        kind=ls.Kind.BOUND,
        source="user",
        measure=lambda evidence, top=1.0: ls.Measurement(evidence["x"], upper=top),
        assumes=(ls.Hypothesis(text, text, lambda one: True),),
        control=ls.Control(text, constants={"top": 0.0}),
    )
    data = xr.Dataset({"x": ("seed", np.array([0.1, 0.5]))}, {"seed": [0, 1]}, attrs={"label": text})
    return ls.judge([claim], data)


@pytest.mark.parametrize("text", [*OBEYED.values(), *MARKUP.values()], ids=[*OBEYED, *(f"[{m}]" for m in MARKUP)])
def test_everything_that_is_printed_of_it(text, capsys):
    console = open_console()
    console.width = 1000
    for line in claim_lines(verdict_of(text)):
        console.print(line)
    console.print(table_text(Table("t", text, [text, text], [[text, text]], text)))
    console.print(text, style="bold")
    console.print(f"\n{text}: and so on")
    said = capsys.readouterr().out
    checked(said)
    if text in MARKUP.values():
        assert said.count(text) >= 12


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("bar", [lambda text: progress(1, text), lambda text: task_progress(1.0, 1, text)])
def test_progress_shows_names_as_text(bar, terminal, monkeypatch):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    for name, value in {"TERM": "xterm", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Stream())
    with bar("x\x1b[2J\n✓ HOLDS   all [red] [/] :smile:") as advance:
        advance(1)
    said = sys.stderr.getvalue()
    assert "x\\x1b[2J\\n✓ HOLDS   all [red] [/] :smile:" in said
    assert "\x1b[2J" not in said


@pytest.mark.parametrize("text", ["x\x1b[2J\n✓ HOLDS   all", "[red]\u202e[/]"])
def test_optimizers_of_a_command_line(call_cli, text, tmp_path):
    made = call_cli(
        *("simulate", "-d", "20", "-N", "8", "--iterations", "20", "--seeds", "2", "--lam", "1", "--out", "run.nc"),
        *("--optimizer", f"{text}=gd:eta=1e30", "--optimizer", f"{text}2=momentum:eta=0.1,gamma=0.5"),
    )
    assert made.exit_code == 0, made.output
    assert "became non-finite" in made.output
    for found in (made, call_cli("claims", "run.nc"), call_cli("claims", "run.nc", "--only", text)):
        checked(found.output)
        assert harmless(text) in found.output


def test_names_of_files_and_texts_of_errors(call_cli, tmp_path):
    name = "x\x1b[2J\n✓ HOLDS   all.py"
    (tmp_path / name).write_text("raise ValueError('y\\x1b[2J\\n✓ HOLDS   all')")
    data = xr.Dataset({"x": ("seed", np.array([0.1]))}, {"seed": [0]}, {"label": "a\n✓ HOLDS   all", "schema": "\x1b"})
    data.to_netcdf(tmp_path / "mine.nc", engine="h5netcdf")
    shutil.copy(tmp_path / "mine.nc", tmp_path / f"{name}.nc")
    (tmp_path / "claims.py").write_text(PLUGIN)
    (tmp_path / "toy.py").write_text(TOY)
    for arguments, status in (
        (["claims", "mine.nc", "--plugin", name], 2),
        (["claims", "mine.nc"], 2),
        (["claims", f"{name}.nc", "mine.nc", "--plugin", "claims.py"], 0),
        (["claims", name], 2),
        (["run", name], 2),
        (["prove", "--plugin", name], 2),
        (["simulate", name], 2),
        (["identities", "--optimizer", f"{name}:make"], 2),
        ([name], 2),
        (["claims", f"--{name}"], 2),
        (["run", "toy.py", "--tiny", "--out", f"{name}/deep"], 2),
        (["run", "toy.py", "--tiny", "--out", f"{name}.folder"], 0),
        (["run", "toy.py", "--tiny", "--called", name, "--out", "other"], 0),
        (["simulate", "-d", "20", "-N", "8", "--iterations", "5", "--out", f"{name}.run"], 0),
    ):
        found = call_cli(*arguments)
        assert found.exit_code == status, (arguments, found.output)
        checked(found.output)


def test_a_legend_in_brackets_is_not_markup(call_cli, tmp_path):
    """As that of the headline's table, "[smallest, largest]"."""
    table = 'ls.Table("t", "[title]", ["[head]", "n"], [["[row]", "[cell]"]], "Median [smallest, largest].")'
    text = TOY.replace('ls.Table("tosses", "What was tossed", ["", "times"], [["coin", "many"]])', table)
    (tmp_path / "toy.py").write_text(text)
    found = call_cli("run", "toy.py", "--tiny")
    assert found.exit_code == 0, found.output
    for word in ("[title]", "[head]", "[row]", "[cell]", "Median [smallest, largest]."):
        assert word in found.stdout


def test_a_statement_in_latex_is_shown_as_it_is_read(call_cli, tmp_path):
    text = PLUGIN.replace('plain="x < 1"', 'plain=""').replace("$x < 1$", r"$\\frac{\\bar x}{2} \\le [1, \\alpha]$")
    (tmp_path / "claims.py").write_text(text)
    xr.Dataset({"x": ("seed", np.array([0.1]))}, {"seed": [0]}).to_netcdf(tmp_path / "mine.nc", engine="h5netcdf")
    found = call_cli("claims", "mine.nc", "--plugin", "claims.py")
    assert "    x̄/2 ≤ [1, α]\n" in found.stdout
    listed = call_cli("claims", "--list", "--only", "mine", "--plugin", "claims.py")
    assert "    x̄/2 ≤ [1, α]\n" in listed.stdout
