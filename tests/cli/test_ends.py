"""How a command ends: 0, 1 for a verdict and nothing else, another status with one sentence for whatever else."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from lemmascope.cli.main import app
from lemmascope.cli.manners import DEBUG, FAULT
from lemmascope.sims.machine import doctor
from tests.cli.test_claims import PLUGIN, refused
from tests.cli.test_study_command import TOY

COMMAND = [sys.executable, "-m", "lemmascope"]


# Outputs that cannot say everything


@pytest.mark.parametrize("charset", ["ascii", "latin-1", "cp1252", "utf-16", "shift_jis"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["phase", "--help"],
        ["studies"],
        ["claims", "--list"],
        ["prove", "--list"],
        ["identities", "--list"],
        ["explain", "--iterations", "10"],
        ["simulate", "--iterations", "10", "-d", "20", "-N", "8", "--optimizer", "β☃=gd:eta=0.1"],
        ["claims", "--list", "--json", "-"],
        ["phase", "--x", "η\udcff"],
    ],
    ids=lambda x: "-".join(x[:2]) if isinstance(x, list) else x,
)
def test_an_output_of_another_encoding_shows_escapes(arguments, charset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = CliRunner(charset=charset).invoke(app, arguments)
    assert found.exit_code == (2 if "--x" in arguments else 0), found.output
    if "--json" in arguments:
        assert len(json.loads(found.stdout)) > 50
    elif charset == "ascii" and arguments[0] in ("studies", "simulate"):
        assert "\\u" in found.stdout


@pytest.mark.parametrize(
    "locale", [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_a_process_with_such_an_output_ends_well(locale, tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
    found = subprocess.run([*COMMAND, "studies"], capture_output=True, cwd=tmp_path, env=clean | locale)
    assert (found.returncode, found.stderr) == (0, b"")


# Outputs that nobody reads, or that are full


@pytest.mark.parametrize("arguments", [["--help"], ["studies"], ["claims", "--list", "--json", "-"]], ids=" ".join)
def test_nobody_reads_on(arguments, tmp_path):
    """As `lemmascope … | head`: the conventional status of SIGPIPE, and not a word."""
    read, write = os.pipe()
    os.close(read)
    found = subprocess.run([*COMMAND, *arguments], stdout=write, stderr=subprocess.PIPE, cwd=tmp_path)
    os.close(write)
    assert (found.returncode, found.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], ["studies"], ["completion", "bash"]], ids=" ".join)
def test_a_full_output_is_said(arguments, tmp_path):
    with open("/dev/full", "wb") as full:
        found = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert found.returncode == 2
    (line,) = found.stderr.splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize("arguments", [["studies"], ["nothing"]])
def test_closed_outputs_change_no_status(arguments, tmp_path):
    found = subprocess.run(
        ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *COMMAND, *arguments], capture_output=True, cwd=tmp_path
    )
    assert found.returncode == 2 * (arguments == ["nothing"])


# Files of a user's own


RAISES = {
    "an error": "raise ValueError('no good')",
    "an error without words": "raise KeyError",
    "sys.exit(0)": "import sys; sys.exit(0)",
    "exit": "raise SystemExit",
    "sys.exit(1)": "import sys; sys.exit('1')",
    "no Exception": "raise type('Odd', (BaseException,), {})('no good')",
    "an error that cannot be told": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
    "a group": "raise ExceptionGroup('two', [ValueError('a'), KeyError('b')])",
    "a missing file": "open('nowhere.txt')",
    "a missing package": "import nowhere_at_all",
    "a pipe": "raise BrokenPipeError",
    "an assertion": "assert False, 'line one\\nline two'",
    "recursion": "f = lambda: f(); f()",
    "a warning": "import warnings; warnings.warn('careful', stacklevel=1); raise UserWarning('careful')",
    "syntax": "exec('x = = 1')",
    "an escape": "raise ValueError('\\x1b[2J\\n✓ HOLDS  all.is_well')",
}
BODY = """
def fail(*_, **__):
    {what}


{text}
"""


@pytest.fixture
def labelled(tmp_path):
    """Data to judge."""
    data = xr.Dataset({"x": ("seed", np.array([0.1, 0.5, 0.9]))}, {"seed": [3, 4, 5]})
    data.to_netcdf(tmp_path / "mine.nc", engine="h5netcdf")


PLACES = {
    "when loaded": PLUGIN + "\nfail()\n",
    "measure": PLUGIN.replace('evidence["x"]', "fail()"),
    "hypothesis": PLUGIN.replace(
        'source="user"', 'source="user", assumes=(ls.Hypothesis("h", "it fails", lambda one: fail()),)'
    ),
    "control": PLUGIN.replace('constants={"top": 0.0}', "made=fail"),
}


@pytest.mark.filterwarnings("ignore:careful")
@pytest.mark.parametrize("what", RAISES.values(), ids=RAISES)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_a_plugin_raises_is_no_verdict(call_cli, tmp_path, labelled, place, what):
    (tmp_path / "failing.py").write_text(BODY.format(what=what, text=PLACES[place]))
    found = call_cli("claims", "mine.nc", "--plugin", "failing.py")
    refused(found)
    assert "failing.py" in found.stderr or "mine.small" in found.stderr
    assert "\n✓" not in found.output
    assert "\x1b" not in found.output


@pytest.mark.parametrize(
    "place",
    {
        "evidence": "evidence=fail",
        "tables": "tables=fail",
        "summary": "summary=fail",
        "compute": "experiments={'cells': ls.Experiment(axes=lambda s: {'seed': range(2)}, compute=fail)}",
        "axes": "experiments={'cells': ls.Experiment(axes=fail, compute=toss)}",
    }.values(),
    ids=lambda x: x.partition("=")[0] if "axes=fail" not in x else "axes",
)
@pytest.mark.parametrize("what", ["raise ValueError('no good')", "import sys; sys.exit(0)"], ids=["error", "exit"])
def test_whatever_a_study_of_ones_own_raises_is_no_verdict(call_cli, tmp_path, place, what):
    text = BODY.format(what=what, text=f"import dataclasses\nSTUDY = dataclasses.replace(STUDY, {place})")
    (tmp_path / "failing.py").write_text(TOY + text)
    found = call_cli("run", "failing.py", "--tiny")
    assert found.exit_code == 2, found.output
    assert "failed (" in found.output
    assert "Traceback" not in found.output


def test_a_claim_that_fails_is_inconclusive_and_no_verdict_decides_the_status(call_cli, tmp_path):
    (tmp_path / "toy.py").write_text(TOY.replace("upper=(-1.0 if s.lie else factor)", "upper=(1 / 0 if s.lie else 3)"))
    found = call_cli("run", "toy.py", "--tiny", "--lie")
    assert found.exit_code == 2
    assert "✗ INCONCLUSIVE   toy.near" in found.stdout
    assert "failed (ZeroDivisionError: division by zero" in found.stdout
    saved = json.loads((tmp_path / "results/toy-tiny/verdicts.json").read_text())
    assert saved["verdicts"][0]["status"] == "INCONCLUSIVE"


@pytest.mark.parametrize("what", ["raise ValueError('no good')", "import sys; sys.exit(0)"], ids=["error", "exit"])
@pytest.mark.parametrize("place", ["__init__", "init", "step"])
def test_whatever_an_optimizer_raises_is_no_success(call_cli, tmp_path, place, what):
    methods = {"__init__": "pass", "init": "return 0 * a[0]", "step": "return a[0], a[2]"} | {place: what}
    lines = "".join(f"    def {name}(self, *a):\n        {body}\n" for name, body in methods.items())
    (tmp_path / "mine.py").write_text(f"class Mine:\n    linear = False\n{lines}")
    found = call_cli(
        "simulate", "--iterations", "5", "-d", "20", "-N", "8", "--optimizer", "mine.py:Mine", "--out", "run.nc"
    )
    assert found.exit_code == 2, found.output
    assert "mine.py" in found.stderr or "Mine" in found.stderr
    assert "Traceback" not in found.output
    assert not (tmp_path / "run.nc").exists()


@pytest.mark.parametrize(
    "made",
    [
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.write_bytes(bytes(range(256))),
        lambda path: path.write_bytes(b"x = '\xff'"),
        lambda path: path.write_text("x = = 1\n"),
        lambda path: path.write_bytes(b"x = 1\0"),
        lambda path: path.symlink_to("nowhere.py"),
        lambda path: path.write_text(""),
        lambda path: None,
    ],
    ids=["folder", "fifo", "bytes", "latin-1", "syntax", "NUL", "dangling", "empty", "missing"],
)
@pytest.mark.parametrize("name", ["mine.py", "mine.csv", "mine"])
def test_a_plugin_that_is_no_python_file(call_cli, tmp_path, labelled, made, name):
    made(tmp_path / name)
    for arguments in (
        ["claims", "mine.nc", "--plugin", name],
        ["claims", "--list", "--plugin", name],
        ["claims", "mine.nc", "--study", name],
        ["prove", "--plugin", name],
        ["run", name],
        ["identities", "--optimizer", f"{name}:make"],
        ["simulate", "--optimizer", f"{name}:Mine:eta=1"],
    ):
        refused(call_cli(*arguments))


# Errors of our own


def test_an_error_of_ours_is_one_sentence_and_no_verdict(call_cli, tmp_path, monkeypatch):
    def broken(measure):
        raise ZeroDivisionError("by nothing\nat all")

    monkeypatch.setattr(doctor, "examine", broken)
    found = call_cli("doctor")
    assert found.exit_code == FAULT
    (line,) = found.stderr.splitlines()
    assert "a fault of lemmascope (ZeroDivisionError: by nothing\\nat all)" in line
    assert "report" in line
    told = call_cli("doctor", **{DEBUG: "1"})
    assert told.exit_code == FAULT
    assert "Traceback (most recent call last):" in told.stderr
    assert told.stderr.splitlines()[-1] == line


def test_a_package_that_is_missing_is_said(call_cli, monkeypatch):
    def broken(measure):
        raise ImportError("libfoo.so: cannot open shared object file")

    monkeypatch.setattr(doctor, "examine", broken)
    refused(call_cli("doctor"), "libfoo.so", "install")


def test_the_help_of_a_broken_command_is_no_verdict(call_cli, monkeypatch):
    monkeypatch.setattr("lemmascope.cli.main._said", lambda path: 1 / 0)
    assert call_cli("--help").exit_code == FAULT


# Signals


WAITS = TOY.replace(
    "    s = task.settings\n",
    "    s = task.settings\n    import time\n    from pathlib import Path\n"
    "    while task.at['seed'] == 1 and not Path('go').exists():\n"
    "        Path('waiting').touch()\n        time.sleep(0.01)\n",
    1,
)


def started(tmp_path, *before):
    """A study, when it has one part and computes the next, which ends when there is a file ``go``."""
    (tmp_path / "toy.py").write_text(WAITS)
    arguments = ["run", "toy.py", "--tiny", "--seeds", "2", "--workers", "1"]
    running = subprocess.Popen([*before, *COMMAND, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "waiting").exists():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.02)
    return running


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_as_ctrl_c_does(tmp_path, name):
    number = signal.Signals[name]
    default = f"import os, signal, sys; signal.signal({number}, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    running = started(tmp_path, sys.executable, "-c", default)
    running.send_signal(number)
    (tmp_path / "go").touch()
    _, said = running.communicate()
    assert running.returncode == 128 + number
    assert said.splitlines()[-1] == "lemmascope: interrupted; finished parts are kept; --resume continues."
    assert len(list(tmp_path.rglob("*.npz"))) >= 1
    assert not list(tmp_path.rglob("verdicts.json"))


def test_no_file_is_read_or_written_in_the_encoding_of_a_locale():
    """What was written on one machine is read on another: the encoding of text is said wherever it is opened."""
    root = Path(__file__).parents[2]
    for house in ("theory", "sims", "proofs_check", "benchmarks", "lemmascope/cli", "lemmascope/cubic_cnn"):
        for path in (root / house).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if called.endswith((".read_text", ".write_text")) and "formatter" not in called:
                    words = [ast.unparse(x) for x in (*node.args, *(k.value for k in node.keywords))]
                    assert {"'utf-8'", "'ascii'"} & set(words), f"{path}:{node.lineno}"
