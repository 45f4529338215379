"""Command lines that nobody means, drawn with fixed seeds: refused in one sentence, or carried out; nothing else.

Nothing is computed: whatever would begin to is refused in its place, and is `reached`.
"""

import os
import random

import click
import pytest

from lemmascope.cli import lazily, main
from lemmascope.cli.kinds import PATH
from lemmascope.sims import registry
from lemmascope.sims.tables import harmless
from lemmascope.theory.errors import InputError

COMMANDS = sorted({*main.app.list_commands(None)} - {*main.aliases()})
REACHED = "it would begin to compute here"
SEED, EACH, TOGETHER = 2022, 4, 12
"""Of the draws; values that each flag is given alone; command lines of several flags for each command."""

NUMBERS = [
    "nan",
    "inf",
    "-inf",
    "1e400",
    "-1",
    "0",
    "-0.0",
    "1e18",
    "9" * 400,
    "1e-320",
    "0x10",
    "1_0",
    "٣",
    "½",
    "1e1e1",
]
TEXTS = [
    "",
    " ",
    "η",
    "💥",
    "e\u0301",
    "\udcff",
    "\x1b[2J",
    "a\nb",
    "a" * 5000,
    "[red]",
    "%s{0}",
    "$(x)",
    "'",
    '"',
    "\\",
    "NaN",
]
WORDS = ["--", "-", "@file", "--quick", "-h1", "auto", "local", "local:x", "local:-1", "tcp://", "tcp://h:p", "None"]
LISTS = ["1,2", ",", "1,,2", "nan,1", "1,1", "5,4,3", "[1]", "{}", "(" * 300, "0," * 300]
OPTIMIZERS = [
    "gd",
    "gd:",
    "gd:eta",
    "gd:eta=",
    "gd:eta=nan",
    "gd:eta=1e999",
    "=gd:eta=1",
    "a=b=gd:eta=1",
    "gd:eta=0.1@5",
    "gd:eta=@/@",
    "gd:eta=[1]",
    "gd:eta=" + "[" * 300,
    "gd:eta=0.1,gamma=1",
    "momentum:eta=0.1,gamma=2",
    "x.py:y",
    ".py:",
    "os:system",
    "a.b:c",
]
PATHS = [
    *("folder", "folder/", "file.txt", "file.txt/deep", "fifo", "dangling", "loop", "none", "none/deep", "..", "/"),
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/proc/self/mem", "n" * 300, "~", "file.py", "bytes.py"),
    *("damaged.nc", "damaged.toml", "folder.py", "fifo.py", "results"),
]
VALUES = [*NUMBERS, *TEXTS, *WORDS, *LISTS, *OPTIMIZERS, *PATHS]


@pytest.fixture
def odd(tmp_path):
    """A folder of odd files; returns its listing."""
    for name in ("folder", "folder.py", "results"):
        (tmp_path / name).mkdir()
    for name in ("fifo", "fifo.py"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "file.py").write_text("x = 1\n")
    (tmp_path / "bytes.py").write_bytes(bytes(range(256)))
    (tmp_path / "damaged.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    (tmp_path / "damaged.toml").write_bytes(b"[run\n\xff")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    return lambda: {str(path): path.lstat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}


def instead_of_computing(monkeypatch):
    """Let whatever would begin to compute refuse that; returns the list of what was reached so far."""
    from lemmascope.benchmarks import command as bench
    from lemmascope.proofs_check import report
    from lemmascope.proofs_check.conformance import table
    from lemmascope.sims.cubic_cnn import explain, simulate
    from lemmascope.sims.machine import doctor
    from lemmascope.sims.run import cluster, processes, tasks

    found = []

    def instead(*arguments, **keywords):
        found.append(arguments)
        raise InputError("run", "it", REACHED)

    for where, name in (
        (bench, "_measured"),
        (report, "run"),
        (table, "examine"),
        (explain, "explain"),
        (simulate, "simulate"),
        (doctor, "examine"),
        (tasks.Threads, "run"),
        (processes.Processes, "__enter__"),
        (cluster.Dask, "__enter__"),
    ):
        monkeypatch.setattr(where, name, instead)
    return found


@pytest.fixture
def reached(monkeypatch):
    """What was reached so far."""
    return instead_of_computing(monkeypatch)


def params_of(name):
    with click.Context(main.app, info_name="lemmascope") as context, lazily.imports():
        return main.app.get_command(context, name).get_params(context)


def given(param, values):
    """A parameter as it stands on a command line."""
    if isinstance(param, click.Argument):
        return list(values)
    if param.is_flag:
        return [random.Random(ascii(values[0])).choice([*param.opts, *param.secondary_opts])]
    return [param.opts[-1], *(values * param.nargs)[: param.nargs]]


def lines(name):
    """The command lines of one command."""
    rng = random.Random(f"{SEED} {name}")
    params = params_of(name)
    for param in params:
        special = ["fifo", "folder", "/dev/zero", "damaged.nc", "loop"] if param.type is PATH else []
        for value in [*rng.sample(VALUES, EACH), *special]:
            yield given(param, [value])
    for _ in range(TOGETHER):
        chosen = rng.choices(params, k=rng.randint(2, 5))  # one of them twice, now and then
        yield [word for param in chosen for word in given(param, [rng.choice(VALUES)])]
    for word in rng.sample(VALUES, EACH):
        yield [word]
        yield [word, "--help"]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_whatever_is_given_is_refused_in_one_sentence_or_carried_out(call_cli, odd, reached, name):
    before = odd()
    every = list(lines(name)) if name else [[value] for value in VALUES] + [["--", value] for value in VALUES[::7]]
    for arguments in every:
        del reached[:]
        found = call_cli(*filter(None, [name]), *arguments)
        told = (arguments, found.output[-2000:])
        assert found.exit_code in (0, 2), told
        assert harmless(found.output, lines=True) == found.output, told
        assert "Traceback" not in found.output, told
        if found.exit_code == 2:
            most = len(registry.names()) if name == "all" else 1  # a sentence for each study
            assert 1 <= len(found.stderr.splitlines()) <= most, told
            assert found.stderr.startswith("lemmascope: "), told
            assert max(map(len, found.stderr.splitlines())) < 1500, told
        if found.exit_code == 2 and not reached:
            assert odd() == before, told
        before = odd()
