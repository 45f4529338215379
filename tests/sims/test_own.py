"""A user's own files: loaded by path, refused in one sentence with the line that fails."""

import pickle
import re
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lemmascope
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


def test_a_name_that_python_has_is_pythons_and_not_that_of_a_file_beside(tmp_path):
    """A folder of scripts may hold a random.py; what its neighbours, and the libraries they load, mean is Python's."""
    for name in ("random", "colorsys", "lemmascope"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('taken for another')\n")
    (tmp_path / "library").mkdir()
    (tmp_path / "near.py").write_text("import random, lemmascope\ndraw = random.random\nfound = lemmascope.__file__\n")
    path = tmp_path / "mine.py"
    path.write_text(
        "import importlib, random\nfrom near import draw, found\n"
        "hue = importlib.import_module('color' + 'sys').rgb_to_hls\n"
    )
    sys.modules.pop("colorsys", None)
    module = load_module(path)
    assert 0 <= module.draw() < 1
    assert "random" in module.random.__name__
    assert "lemmascope.py" not in module.found
    assert module.hue(0, 0, 0) == (0, 0, 0)


def test_what_is_imported_by_a_computed_name_is_of_this_folder_too(tmp_path):
    """Modules and packages; and the next folder's of the same name are its own."""
    found = []
    for k in range(2):
        folder = tmp_path / str(k)
        (folder / "parts").mkdir(parents=True)
        (folder / "near.py").write_text(f"number = {k}\n")
        (folder / "parts" / "__init__.py").write_text("from . import deep\nnumber = deep.number\n")
        (folder / "parts" / "deep.py").write_text(f"number = 10 + {k}\n")
        (folder / "mine.py").write_text(
            "import importlib\nfound = [importlib.import_module(name).number for name in ('ne' + 'ar', 'par' + 'ts')]\n"
        )
        found.append(load_module(folder / "mine.py").found)
    assert found == [[0, 10], [1, 11]]
    assert not {"near", "parts", "parts.deep"} & set(sys.modules)


def test_a_library_within_the_folder_stays_loaded(tmp_path, monkeypatch):
    """As in a project that has its environment beside its files."""
    site = tmp_path / ".venv" / "site-packages"
    site.mkdir(parents=True)
    (site / "a_library_of_the_environment.py").write_text("")
    monkeypatch.syspath_prepend(site)
    path = tmp_path / "mine.py"
    path.write_text("import a_library_of_the_environment as library\n")
    assert load_module(path).library is sys.modules.pop("a_library_of_the_environment")


def test_a_library_with_modules_that_lie_nowhere_can_be_imported(tmp_path, monkeypatch):
    """As PyTorch's namespaces of operators, whose attributes answer to every name."""
    site = tmp_path / "elsewhere"
    site.mkdir()
    (site / "a_library_with_namespaces.py").write_text(
        "import sys, types\n"
        "class Namespace(types.ModuleType):\n"
        "    __file__ = 3\n"
        "    def __getattr__(self, name): return Namespace(name)\n"
        "    def __len__(self): raise RuntimeError\n"
        "sys.modules[__name__ + '.operators'] = operators = Namespace('operators')\n"
        "operators.__path__ = Namespace('path')\n"
    )
    monkeypatch.syspath_prepend(site)
    path = tmp_path / "mine.py"
    path.write_text("import a_library_with_namespaces as library\n")
    assert load_module(path).library is sys.modules.pop("a_library_with_namespaces")
    del sys.modules["a_library_with_namespaces.operators"]


RAISED = {
    "an error": ("raise ValueError('first\\nsecond')", r"ValueError: first second, line 2"),
    "an exit": ("import sys\nsys.exit(0)", "SystemExit: 0, line 3"),
    "an exit without a number": ("raise SystemExit", "SystemExit, line 2"),
    "what is no Exception": ("class Odd(BaseException): pass\nraise Odd", "Odd, line 3"),
    "a generator's end": ("raise GeneratorExit", "GeneratorExit, line 2"),
    "what cannot be said": (
        "class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd",
        "Odd, line 4",
    ),
    "no Python": ("this is no Python", "SyntaxError: invalid syntax .*line 2"),
    "no end": ("def f(): return f()\nf()", "RecursionError: .*line 2"),
    "a missing neighbour": ("import no_such_neighbour", "ModuleNotFoundError: No module named 'no_such_neighbour'"),
}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(("text", "says"), RAISED.values(), ids=RAISED)
def test_whatever_a_file_raises_is_one_sentence_with_its_line(tmp_path, text, says, beside):
    path = tmp_path / "mine.py"
    path.write_text("# its first line\n" + text + "\n")
    if beside:
        path = path.rename(tmp_path / "near.py").with_name("user.py")
        path.write_text("import near\n")
        says = re.sub(r"line \d", r"line \\d", says)
    before = set(sys.modules)
    with pytest.raises(InputError, match=says) as refusal:
        load_module(path)
    assert "\n" not in str(refusal.value)
    assert not set(sys.modules) - before


def test_a_file_that_is_no_python_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x = 1\n")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "nothing.py").write_bytes(b"x = 1\0")
    for name, says in [
        ("mine.txt", r"FILE\.py"),
        ("bytes.py", "UTF-8"),
        ("folder.py", r"FILE\.py"),
        ("nothing.py", "null bytes"),
    ]:
        with pytest.raises(InputError, match=says):
            load_module(tmp_path / name)


def test_an_interrupt_while_a_file_is_loaded_is_one(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_module(path)


def test_modules_of_the_house_stay_loaded_where_the_file_lies_beside_it():
    """As in a checkout: what else has them would meet other classes of the same names."""
    root = Path(lemmascope.__file__).parents[1]
    name = "lemmascope.cli.tools.completion"
    sys.modules.pop(name, None)
    load_source("import lemmascope.cli.tools.completion\n", root / "absent.py")
    assert name in sys.modules
