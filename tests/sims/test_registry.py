"""Studies are found: those of the house by their files, without importing them, and a user's own by its path."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from lemmascope.sims import registry
from lemmascope.sims.study import Study
from lemmascope.theory.errors import InputError

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy_study.py"
FILES = {path.stem for path in (ROOT / "sims" / "studies").glob("*.py") if path.stem != "__init__"}

OWN = """
from dataclasses import dataclass

import lemmascope as ls

@dataclass(frozen=True)
class Settings: ...

def study(name):
    return ls.Study(name=name, subject="", message="", settings=Settings, claims=[], evidence=lambda s, d: [],
                    experiments={"x": ls.Experiment(lambda s: {"k": [0]}, lambda task: None)})
"""


def written(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(OWN + text, encoding="utf-8")
    return path


def refused(path, *words):
    with pytest.raises(InputError) as refusal:
        registry.load(path)
    assert "\n" not in str(refusal.value)
    for word in words:
        assert word in str(refusal.value)


def test_every_file_is_a_study_of_its_name():
    assert set(registry.names()) == FILES >= {"headline", "phase", "scaling"}
    assert list(registry.names()) == sorted(registry.names())
    for name in registry.names():
        study = registry.study(name)
        assert isinstance(study, Study)
        assert (study.name, study.file) == (name, "")


def test_a_title_is_the_first_line_of_the_file():
    for name in registry.names():
        text = (ROOT / "sims" / "studies" / f"{name}.py").read_text(encoding="utf-8")
        assert text.startswith(f'"""{registry.title(name)}\n')
        assert "\n" not in registry.title(name)


def test_names_and_titles_import_no_study():
    """`lemmascope --help` is made of them."""
    script = (
        "import sys\n"
        "from lemmascope.sims import registry\n"
        "print(len([registry.title(name) for name in registry.names()]))\n"
        "heavy = {'numpy', 'scipy', 'xarray', 'numba', 'matplotlib', 'rich', 'sympy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "print([name for name in sys.modules if name.startswith('lemmascope.sims.studies')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(len(FILES)), "[]", "[]"]


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(InputError, match=r"study = 'fase'.*headline, .*phase.*FILE\.py"):
        registry.study("fase")


@pytest.mark.parametrize("declared", [None, 3, "other"])
def test_a_file_of_the_house_must_declare_itself(monkeypatch, declared):
    module = types.ModuleType(f"{registry.PACKAGE}.odd")
    module.STUDY = registry.study("phase") if declared == "other" else declared
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "names", lambda: ("odd", "phase"))
    with pytest.raises(TypeError, match=r"odd must declare STUDY = Study\(name='odd'"):
        registry.study("odd")


def test_a_users_file_is_known_by_its_whole_path(monkeypatch):
    monkeypatch.chdir(TOY.parent)
    study = registry.load(TOY.name)
    assert (study.name, study.file) == ("toy", str(TOY))
    assert registry.load(TOY).experiments.keys() == study.experiments.keys()


def test_it_is_found_by_its_type_whatever_its_name(tmp_path):
    assert registry.load(written(tmp_path, "anything = study('mine')\nSTUDY = anything\n")).name == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has 0"),
        ("a, b = study('one'), study('two')\n", "has 2"),
        ("a = study('phase')\n", "of the house has this name"),
        ("a = study('not a name')\n", "must run without error"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_file_without_one_study_is_refused(tmp_path, text, words):
    refused(written(tmp_path, text), words, "mine.py" if "house" not in words else "phase")


def test_an_error_is_told_with_its_line(tmp_path):
    path = written(tmp_path, "x = {}\nx['key']\n")
    line = path.read_text().splitlines().index("x['key']") + 1
    refused(path, f"KeyError: 'key', line {line}")


def test_a_missing_file_is_refused(tmp_path):
    refused(tmp_path / "none.py", "exists")


def test_a_name_or_a_path_finds_it(tmp_path):
    assert registry.find("phase") is registry.study("phase")
    assert registry.find(TOY).name == registry.find(str(TOY)).name == "toy"
    with pytest.raises(InputError, match="the studies are"):
        registry.find("nothing")
    with pytest.raises(InputError, match="exists"):
        registry.find(str(tmp_path / "nothing.py"))
