"""The front door: what is found, what its help says, and what it imports for that."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from lemmascope.cli import lazily, main
from lemmascope.sims import registry
from tests.cli.test_study_command import TOY

FRONT = Path(main.__file__).parents[1]
COMMANDS = main.app.list_commands(None)


def test_help_has_studies_tools_and_examples(call_cli):
    found = call_cli("--help", COLUMNS="80")
    assert found.exit_code == 0
    heads = [line for line in found.stdout.splitlines() if line and not line.startswith(" ")]
    assert heads[1:] == ["Studies:", "Tools:", "Flags:", "Examples:"]
    studies, tools = found.stdout.split("Studies:")[1].split("Tools:")
    for name in registry.names():
        assert f"\n  {name}" in studies
    for name in main.tools():
        assert (f"\n  {name}" in tools) is (name not in main.aliases())
    assert "headline, reproduce" in studies
    assert found.stdout.strip().splitlines()[-3:] == [f"  {line}" for line in main.EXAMPLES]
    assert call_cli().stdout == call_cli("-h").stdout == call_cli("--help").stdout


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_help_fits_the_terminal_and_teaches_by_example(call_cli, name, width):
    found = call_cli(*filter(None, [name]), "--help", COLUMNS=str(width))
    assert found.exit_code == 0
    said, _, examples = found.stdout.partition("\nExamples:")
    assert max(map(len, said.splitlines())) <= width
    assert examples.count("lemmascope ") >= 2
    if name:
        assert "\nExit status:\n" in examples
        assert "\n  0" in examples
        assert len(found.stdout.split("\n\n")[1].strip()) > 20  # what it does


def test_another_name_of_a_study_is_its_command(call_cli):
    for name, study in main.aliases().items():
        assert study in registry.names()
        one, other = (call_cli(command, "--help").stdout.splitlines()[1:] for command in (name, study))
        assert one == other


def test_every_tool_is_a_file_with_one_line_that_says_what_it_does():
    assert not set(main.tools()) & set(registry.names())
    for name, path in main.tools().items():
        line = main._said(path)
        assert line.endswith(".")
        assert len(line) <= 70, name
        if name not in main.aliases():
            assert main.app.get_command(None, name).name == name


def test_the_front_door_names_no_subject():
    """A tool of one subject lies in that subject's folder."""
    for path in (FRONT / "cli").rglob("*.py"):
        assert "cubic_cnn" not in path.read_text(encoding="utf-8"), path


def test_version(call_cli):
    import lemmascope

    found = call_cli("--version")
    assert found.exit_code == 0
    assert found.stdout == f"lemmascope {lemmascope.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scalling"], "there is no command 'scalling'; did you mean scaling?"),
        (["nothing-like-it"], "there is no command 'nothing-like-it'; there are adam_sde, adamomentum, all, "),
        (["my_study.py"], "a study of your own is run by `lemmascope run my_study.py`"),
        (["--quick"], "there is no flag --quick; those of a study or a tool go after its name"),
        (["scaling", "--sede", "3"], "scaling has no flag --sede; did you mean --seeds"),
        (["scaling", "--seed", "3"], "scaling has no flag --seed; did you mean --seeds or --root-seed?"),
        (["scaling", "--qui"], "scaling has no flag --qui; did you mean --quick?"),
        (["simulate", "--iteration", "3"], "simulate has no flag --iteration; did you mean --iterations?"),
        (["scaling", "3"], "scaling: got unexpected extra argument (3); see lemmascope scaling --help."),
        (["scaling", "--seeds"], "scaling: option '--seeds' requires an argument"),
        (["scaling", "--seeds", "3", "--quick", "--seeds", "4"], "scaling: --seeds is given twice"),
        (["simulate", "-d", "3", "--d=4"], "simulate: --d is given twice"),
        (["simulate", "--optimizer", "gd:eta=0.1,eta=0.2"], "eta is given twice"),
        (["claims"], "claims: give results to judge, or --list; see lemmascope claims --help."),
        (["completion"], "completion: missing argument 'SHELL'"),
        (["completion", "ksh"], "it must be one of bash, zsh, fish"),
    ],
)
def test_wrong_use_is_one_sentence_with_the_nearest_names(call_cli, arguments, says):
    found = call_cli(*arguments)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr.startswith("lemmascope: ")
    assert len(found.stderr.splitlines()) == 1
    assert says in found.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(call_cli, shell):
    found = call_cli("completion", shell)
    assert found.exit_code == 0
    assert f"_LEMMASCOPE_COMPLETE={shell}_complete" in found.stdout


@pytest.mark.parametrize(
    ("before", "begun", "expected"),
    [
        ([], "sca", ["scaling"]),
        ([], "co", ["completion"]),
        (["scaling"], "--dim", ["--dimensions"]),
        (["scaling", "--dtype"], "f", ["float64"]),
        (["completion"], "b", ["bash"]),
        (["claims", "--status"], "REF", ["REFUTED"]),
        (["claims", "--only"], "gdm.gen", ["gdm.generalizes"]),
        (["claims", "--study"], "sca", ["scaling"]),
        (["claims", "--study"], "my", ["my"]),  # a file: the shell knows them
        (["run"], "to", ["to"]),
        (["run", "toy.py"], "--bia", ["--biases", "--bias-of-rim"]),
        (["run", "toy.py", "--quick"], "--reg", []),
        (["run", "toy.py", "--kind"], "d", ["die"]),
        (["run", "toy.py", "--lie", "--dtype"], "", ["float64"]),
        (["run", "absent.py"], "--bia", []),
    ],
)
def test_names_flags_and_words_are_completed(before, begun, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.py").write_text(f"print('loaded')\n{TOY}")
    found = ShellComplete(main.app, {}, "lemmascope", "_LEMMASCOPE_COMPLETE").get_completions(before, begun)
    assert [item.value for item in found] == expected
    assert "loaded" not in capsys.readouterr().out  # which the shell reads


LOADED = """
import sys
from lemmascope.cli import lazily
from lemmascope.cli.main import app
try:
    app.main(sys.argv[1:])
except SystemExit as error:
    assert error.code == int(sys.argv[1:] == ["scaling", "--foo"]) * 2, error.code
names = {name.partition(".")[0] for name, module in sys.modules.items() if not lazily.promised(module)}
heavy = {*lazily.HEAVY, "rich", "h5netcdf", "zarr", "hypothesis", "z3", "flint", "typer"}
print(sorted(names & heavy), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["scaling", "--foo"],
        ["prove", "--help"],
        ["claims", "--help"],
        *([n, "-h"] for n in registry.names()),
    ],
    ids=" ".join,
)
def test_help_and_a_wrong_flag_import_nothing_heavy(arguments, tmp_path):
    """They answer in a third of a second; each of these packages takes as long by itself. No clock is asked."""
    found = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, cwd=tmp_path, env=os.environ
    )
    assert found.returncode == 0, found.stderr
    assert found.stderr.splitlines()[-1] == "[]"


@pytest.fixture
def heavy(monkeypatch, tmp_path):
    """A package that says when it is loaded, and is among those that are put off."""
    (tmp_path / "burdensome").mkdir()
    (tmp_path / "burdensome" / "__init__.py").write_text("import loads\nloads.each.append(__name__)\nvalue = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lazily, "HEAVY", ("burdensome",))
    loads = types.ModuleType("loads")
    loads.each = []
    monkeypatch.setitem(sys.modules, "loads", loads)
    yield loads.each
    sys.modules.pop("burdensome", None)


def test_a_promise_is_kept_when_it_is_used(heavy):
    with lazily.imports():
        import burdensome
        import burdensome as again
    import burdensome as later

    assert burdensome is again is later
    assert not isinstance(burdensome, str)
    assert lazily.promised(burdensome)
    assert heavy == []
    assert burdensome.value == 3
    assert not lazily.promised(burdensome)
    assert later.__name__ == "burdensome"
    assert heavy == ["burdensome"]


def test_promises_are_resolved_before_a_command_runs(heavy):
    with lazily.imports():
        import burdensome
    lazily.resolve()
    lazily.resolve()
    assert heavy == ["burdensome"]
    assert not lazily.promised(burdensome)


def test_a_package_that_cannot_be_loaded_says_so_when_it_is_used(heavy, tmp_path):
    (tmp_path / "burdensome" / "__init__.py").write_text("1 / 0\n")
    with lazily.imports():
        import burdensome
    with pytest.raises(ZeroDivisionError):
        burdensome.value  # noqa: B018
    assert "burdensome" not in sys.modules


def test_outside_of_the_block_an_import_is_an_import(heavy):
    import burdensome

    assert heavy == ["burdensome"]
    assert burdensome.value == 3
