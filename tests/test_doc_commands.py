"""Every command of the documents is run, page by page, from a fresh folder that has the page's own files."""

import ast
import re
import shlex
import shutil
import tomllib

import pytest

from lemmascope.cli import main
from lemmascope.sims import registry
from lemmascope.sims.report.documents import ROOT
from tests.cli.test_fuzz_commands import REACHED, instead_of_computing
from tests.cli.test_study_command import TOY

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

FILES = {
    "docs/how-to/claim.md": {"my_claims.py": 0},
    "docs/how-to/lemma.md": {"my_lemma.py": 0},
    "docs/how-to/optimizer.md": {"my_optimizer.py": None},
    "docs/how-to/your-own-study.md": {"linear_regression.py": 0},
}
"""The files that a page's commands name, and which of its Python blocks they are; None for what all of them define."""

STUDIES = rf"lemmascope ({'|'.join(registry.names())}|reproduce|all)\b(?!.*--explain).*"
SMALL = " -d 30 -N 12 -m 3 --iterations 40"
STAND_INS = (
    (
        STUDIES,
        None,
        "it computes for minutes: tests/sims/test_every_study.py does at size tiny, `make check` as published",
    ),
    (r"lemmascope bench.*", None, "it measures for three quarters of an hour; tests/benchmarks do in seconds"),
    (r"lemmascope prove$", "lemmascope prove running_average.unrolled", "a minute; tests/proofs_check proves all"),
    (r"(lemmascope identities .*)", r"\1 --examples 2 --identity linear", "a hundred cases of all take ten seconds"),
    (r"lemmascope claims results/headline", "lemmascope claims results/toy --study toy.py", "whose run is a stand-in"),
    (r"(lemmascope run .*)--quick", r"\1--tiny --out results/look", "the size of the tests"),
    (
        r"(lemmascope run .*)--gammas \S+ --iterations 2000",
        r"\1--gammas 0,0.5 --samples 10 --iterations 150",
        "smaller",
    ),
    (r"lemmascope simulate --iterations 2000 (.*)", rf"lemmascope simulate \1{SMALL}", "smaller"),
    (r"(lemmascope simulate --regime .*?)(?: --iterations \d+)?( --fast.*)?$", r"\1 --iterations 40\2", "smaller"),
    (r"(lemmascope simulate --optimizer my_.*)", rf"\1{SMALL} --out own.nc", "smaller"),
    (r"(lemmascope doctor)", r"\1 --no-measure", "what is measured is not looked at"),
    (r"(lemmascope .*)--backend cupy", r"\1--backend numpy --explain", "there is a device on few machines"),
)
"""Commands that are not run as they stand: (the line, what is run for it, why). None: it is run up to where it would
begin to compute, so that its flags, settings and folder are looked at."""


def name(path):
    return path.relative_to(ROOT).as_posix()


def definitions(blocks):
    """Imports, functions and classes of several blocks."""
    kept = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    return "\n\n".join(ast.unparse(node) for node in ast.parse("\n".join(blocks)).body if isinstance(node, kept))


def lines(path):
    """The commands of a page."""
    blocks = [block for language, block in FENCE.findall(path.read_text(encoding="utf-8")) if language == "sh"]
    found = [re.sub(r"(^|\s+)#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in found if line]


def stand_in(line):
    """What is run in its place; None to stop before the computing."""
    for pattern, instead, _ in STAND_INS:
        if re.match(pattern, line):
            return None if instead is None else re.sub(pattern, instead, line)
    return line


def run(call_cli, line, monkeypatch):
    """Run one command, or raise."""
    line = re.sub(r"^\.venv/bin/", "", line)  # where make installs it
    first, *words = shlex.split(line)
    if first == "make":
        assert set(words) <= TARGETS, line
    elif first == "pip":
        assert words[0] == "install", line
        assert set(re.findall(r"\[(.+)\]", line)) <= set(EXTRAS), line
    elif first == ".":
        assert words == [".venv/bin/activate"]
        assert "VENV   ?= .venv\n" in MAKEFILE
    elif first == "python":  # a module of ours that is a program
        flag, module, *rest = words
        path = ROOT.joinpath(*module.split(".")[1:])
        source = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        text = source.read_text(encoding="utf-8")
        assert (flag, module.split(".")[0]) == ("-m", "lemmascope"), line
        assert "__main__" in text, line
        assert all(f'"{word}"' in text for word in rest if word.startswith("--")), line
    else:
        assert first == "lemmascope", line
        instead = stand_in(line)
        if instead is not None:
            found = call_cli(*shlex.split(instead)[1:])
            assert found.exit_code == 0, (instead, found.output)
            return
        with monkeypatch.context() as patch:
            reached = instead_of_computing(patch)
            found = call_cli(*words)
        assert reached, (line, found.output)
        assert found.exit_code == 2
        assert REACHED in found.stderr


@pytest.mark.parametrize("path", [path for path in PAGES if lines(path)], ids=name)
def test_the_commands_of_a_page(path, call_cli, tmp_path, monkeypatch):
    blocks = [block for language, block in FENCE.findall(path.read_text(encoding="utf-8")) if language == "python"]
    for file, which in FILES.get(name(path), {}).items():
        (tmp_path / file).write_text(blocks[which] if which is not None else definitions(blocks))
    if any("claims results/headline" in line for line in lines(path)):
        (tmp_path / "toy.py").write_text(TOY)
        assert call_cli("run", "toy.py", "--tiny", "--seeds", "3", "--out", "results/toy").exit_code == 0
    for line in lines(path):
        run(call_cli, line, monkeypatch)
        for half in (tmp_path / "results").glob("*"):
            if half.name != "toy":  # the next line may be the same study again
                shutil.rmtree(half)


def test_every_stand_in_stands_for_something():
    every = [line.removeprefix(".venv/bin/") for path in PAGES for line in lines(path)]
    for pattern, _, reason in STAND_INS:
        assert reason
        assert any(re.match(pattern, line) for line in every), pattern


@pytest.mark.parametrize("command", sorted({*main.app.list_commands(None)} - {*main.aliases()}))
def test_the_examples_of_a_help_are_command_lines(command, call_cli, monkeypatch):
    """Each is run up to where it would compute, or read a file that is not there: its flags and their values are."""
    said = call_cli(command, "--help", COLUMNS="120").stdout.partition("\nExamples:\n")[2].partition("\n\n")[0]
    examples = re.findall(r"lemmascope [^\n)]*", said.replace("\\\n", " "))
    assert len(examples) >= 2
    instead_of_computing(monkeypatch)
    for line in examples:
        first, *words = shlex.split(re.split(r"  +in |  +#| > ", line.replace("STUDY", "scaling"))[0])[1:]
        found = call_cli(first, *words)
        assert found.exit_code in (0, 2), (line, found.output)
        assert not re.search("has no flag|see lemmascope|given twice|Traceback", found.stderr), (line, found.stderr)
