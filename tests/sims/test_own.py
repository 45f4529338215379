"""A user's own files: loaded by path, refused in one sentence with the line that fails."""

import sys

import pytest

from lemmascope.sims.own import load_module, load_source, own_function, own_objects
from lemmascope.theory.errors import InputError


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "beside.py").write_text("width = 3\n")
    path = tmp_path / "mine.py"
    path.write_text("from beside import width\nnumber, other = width, 4.0\nsame = number\ndef make(): return width\n")
    yield path
    sys.modules.pop("beside", None)


def test_it_is_run_as_if_from_its_own_folder(mine):
    module = load_module(mine)
    assert module.number == 3
    assert sys.modules[module.__name__] is module
    assert module.__file__ == str(mine)
    assert str(mine.parent) not in sys.path


def test_its_name_is_its_own(mine, tmp_path):
    """Two files of one name do not take each other's place; the same file is the same module in every process."""
    (tmp_path / "deep").mkdir()
    other = tmp_path / "deep" / "mine.py"
    other.write_text("number = 5\n")
    names = [load_module(path).__name__ for path in (mine, other, mine)]
    assert names[0] == names[2] != names[1]
    assert all(name.endswith("_mine") for name in names)


def test_its_text_is_the_module_where_the_file_is_not(tmp_path):
    assert load_source("value = 7\n", tmp_path / "absent.py").value == 7


def test_objects_and_functions_of_it(mine):
    assert own_objects(mine, int) == [3]
    assert own_objects(str(mine), float) == [4.0]
    assert own_function(f"{mine}:make", "optimizer")() == 3
    assert own_function("math:sqrt", "optimizer")(9) == 3


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mine.py", "FILE.py:NAME"),
        ("mine.py:not a name", "FILE.py:NAME"),
        ("mine.py:nothing", "must define a function nothing"),
        ("mine.py:number", "must define a function number"),
        ("absent.py:make", "must be a Python file that exists"),
        ("no_such_package.module:make", "must be a module that can be imported"),
    ],
)
def test_what_is_no_function_is_refused(mine, monkeypatch, spec, says):
    monkeypatch.chdir(mine.parent)
    with pytest.raises(InputError, match=says) as error:
        own_function(spec, "optimizer")
    assert error.value.field in ("optimizer", "module")


def test_what_fails_says_where(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("x = 1\n\nx / 0\n")
    with pytest.raises(InputError, match=r"ZeroDivisionError: division by zero, line 3") as error:
        load_module(path)
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert not [name for name in sys.modules if name.endswith("_broken")]
    path.write_text("x = 1\n")
    with pytest.raises(InputError, match="at least one complex"):
        own_objects(path, complex)
