"""A user's own files: loaded by path, refused in one sentence with the line that fails."""

import pickle
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from lemmascope.sims.own import load_module, load_source, loaded, own_function, own_objects
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
    path = tmp_path / "divides_by_nothing.py"
    path.write_text("x = 1\n\nx / 0\n")
    with pytest.raises(InputError, match=r"ZeroDivisionError: division by zero, line 3") as error:
        load_module(path)
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert not [name for name in sys.modules if name.endswith("_divides_by_nothing")]
    path.write_text("x = 1\n")
    with pytest.raises(InputError, match="at least one complex"):
        own_objects(path, complex)


HELPED = "from helpers import made\n\ndef late():\n    import helpers\n    return helpers.made()\n"


def helped(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "helpers.py").write_text(text)
    (folder / "mine.py").write_text(HELPED)
    return folder / "mine.py"


def test_two_folders_have_helpers_of_their_own(tmp_path):
    """Also where they are imported within a function, after both were loaded, and by many threads at once."""
    before = dict(sys.modules)
    paths = [helped(tmp_path / str(k), f"def made(): return {k}\n") for k in range(4)]
    modules = [load_module(path) for path in paths]
    assert [module.made() for module in modules] == [0, 1, 2, 3]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda k: modules[k % 4].late(), range(200))) == [0, 1, 2, 3] * 50
    assert "helpers" not in set(sys.modules) - set(before)


def test_a_module_of_the_scripts_own_is_not_taken_for_that_beside_the_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "helpers", types.SimpleNamespace(made=lambda: "the script's"))
    module = load_module(helped(tmp_path / "a", "def made(): return 'its own'\n"))
    assert (module.made(), module.late(), sys.modules["helpers"].made()) == ("its own", "its own", "the script's")


def test_what_was_edited_beside_it_is_seen_when_it_is_loaded_again(tmp_path):
    path = helped(tmp_path / "a", "def made(): return 1\n")
    first, same = load_module(path), load_module(path)
    assert first is same
    path.with_name("helpers.py").write_text("def made(): return 2\n")
    again = load_module(path)
    assert (again.made(), again.late()) == (2, 2)
    assert (first.made(), first.late()) == (1, 1)  # a run under way goes on with what it began with
    assert loaded(path) == [again, first]


def test_packages_beside_it(tmp_path):
    (tmp_path / "parts" / "deep").mkdir(parents=True)
    (tmp_path / "parts" / "__init__.py").write_text("from . import near\n")
    (tmp_path / "parts" / "near.py").write_text("from .deep.far import number\nimport other\n")
    (tmp_path / "parts" / "deep" / "far.py").write_text("number = 7\n")
    (tmp_path / "other.py").write_text("import random\nname = 'beside'\n")
    path = tmp_path / "mine.py"
    path.write_text(
        "import parts.near, numpy.linalg\nimport parts.deep.far as far\nfrom parts.near import *\n"
        "from parts import deep\nnear = parts.near\n"
        "found = near.number, far.number, number, deep.far.number, near.other.name\n"
    )
    assert load_module(path).found == (7, 7, 7, 7, "beside")


def test_what_it_defines_can_be_pickled_also_what_lies_beside_it(tmp_path):
    path = helped(tmp_path / "a", "class Law:\n    pass\n\ndef made(): return Law()\n")
    module = load_module(path)
    assert type(pickle.loads(pickle.dumps(module.late()))) is type(module.made())


def test_an_error_beside_it_is_said_and_leaves_nothing(tmp_path):
    path = helped(tmp_path / "a", "1 / 0\n")
    before = set(sys.modules), list(sys.meta_path)
    with pytest.raises(InputError, match=r"ZeroDivisionError: division by zero, line 1"):
        load_module(path)
    assert (set(sys.modules), list(sys.meta_path)) == before
    path.with_name("helpers.py").write_text("def made(): return 1\n")
    assert load_module(path).late() == 1
