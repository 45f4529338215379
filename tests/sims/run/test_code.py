"""What belongs to the code that computes a study's parts, and what does not."""

import dataclasses
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lemmascope.sims import registry
from lemmascope.sims.run import code
from lemmascope.sims.run.carry import run_study
from lemmascope.sims.run.code import UNKNOWN, code_of
from lemmascope.theory.errors import InputError

STUDY = '''"""Powers."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from helper_one import power, shown
import helper_aside

import lemmascope as ls

TABLE = {}
SHIFT = 0.0
LABEL = "text"


def entered(function):
    TABLE[function.__name__] = function
    return function


@entered
def first(x):
    return x


class Base:
    pass


class Derived(Base):
    number = 1


@dataclass(frozen=True)
class Settings:
    count: int = ls.option(3, "How many.")


def moved(x):
    return power(x) + SHIFT


SHIFT += 1.0


def compute(task):
    from helper_deep import deep

    return xr.Dataset({"y": TABLE["first"](moved(float(task.at["x"]))) + deep() + Base.__subclasses__()[0].number})


def gather(tasks, parts):
    return xr.concat(parts, LABEL)


def evidence(settings, data):
    return [ls.Evidence(data["powers"], shown("powers"))]


CLAIMS = []

STUDY = ls.Study(
    name="powers",
    subject="powers",
    message="Powers.",
    settings=Settings,
    experiments={"powers": ls.Experiment(lambda s: {"x": range(s.count)}, compute, gather=gather)},
    evidence=evidence,
    claims=CLAIMS,
)

if __name__ == "__main__":
    ls.run_study(STUDY)
'''
BESIDE = {
    "helper_one.py": (
        "import helper_two.inner\n\ndef power(x):\n    return x ** helper_two.inner.TWO\n\ndef shown(x): return x\n"
    ),
    "helper_two/__init__.py": "",
    "helper_two/inner.py": "TWO = 2\n",
    "helper_deep.py": "import lemmascope as ls\n\ndef deep():\n    return 0.0 if ls.cubic_cnn.HEADLINE else 1.0\n",
    "helper_aside.py": "A = 1\n",
    "helper_other.py": "A = 1\n",
}


@pytest.fixture
def powers(tmp_path):
    for name, text in BESIDE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = tmp_path / "powers.py"
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("moved(float", "moved(2 * float"),
        ("power(x) + SHIFT", "power(x) - SHIFT"),
        ("SHIFT = 0.0", "SHIFT = 2.0"),
        ("SHIFT += 1.0", "SHIFT += 2.0"),
        ("return x\n\n\nclass Base", "return -x\n\n\nclass Base"),
        ("number = 1", "number = 2"),
        ("range(s.count)", "range(1, s.count)"),
        ("ls.option(3,", "ls.option(4,"),
        ("import numpy as np\nimport xarray as xr", "import numpy as xr"),
        ("CLAIMS = []", "CLAIMS = []\nnp.seterr(all='ignore')"),
        ("import helper_aside", "from helper_other import *"),
    ],
)
def test_what_computes_belongs_to_it(powers, old, new):
    assert STUDY.count(old) == 1
    first = code_of(registry.load(powers))
    powers.write_text(STUDY.replace(old, new))
    assert code_of(registry.load(powers)) != first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CLAIMS = []", "CLAIMS = list()"),
        ('LABEL = "text"', 'LABEL = "x"'),
        ("xr.concat(parts, LABEL)", "xr.concat(list(parts), LABEL)"),
        ('shown("powers")', '"powers"'),
        ('message="Powers."', 'message="Powers of numbers."'),
        ("    ls.run_study(STUDY)", "    ls.run_study(STUDY, root_seed=1)"),
        ('"""Powers."""', '"""Powers of numbers."""'),
    ],
)
def test_what_comes_after_the_parts_does_not(powers, old, new):
    assert STUDY.count(old) == 1
    first = code_of(registry.load(powers))
    powers.write_text(STUDY.replace(old, new))
    assert code_of(registry.load(powers)) == first


def test_files_beside_it_belong_to_it_as_they_were_loaded(powers):
    study = registry.load(powers)
    first = code_of(study)
    for name, text in BESIDE.items():
        file = powers.parent / name
        file.write_text(text + "B = 1\n")
        assert code_of(study) == first, name  # the text that runs
        assert (code_of(registry.load(powers)) == first) == (name == "helper_other.py"), name
        file.write_text(text)
    assert code_of(registry.load(powers)) == first


def test_a_compute_that_is_no_function_of_the_file_has_the_whole_of_it(powers):
    whole = STUDY.replace("s.count)}, compute,", "s.count)}, lambda task: compute(task),")
    powers.write_text(whole)
    first = code_of(registry.load(powers))
    powers.write_text(whole.replace('LABEL = "text"', 'LABEL = "x"'))
    assert code_of(registry.load(powers)) != first


@pytest.fixture
def house(monkeypatch):
    """The modules of the house that belong to a study's code."""

    def of(study):
        seen = {}
        monkeypatch.setattr(code, "_CODES", {})
        found = code._house
        monkeypatch.setattr(code, "_house", lambda modules: seen.setdefault("found", found(modules)))
        code_of(study)
        return set(seen["found"])

    return of


def test_of_the_house_belongs_what_its_own_modules_import(powers, house):
    found = house(registry.load(powers))
    assert {"lemmascope.sims.study", "lemmascope.theory.errors", "lemmascope.theory.cubic_cnn.parameters"} <= found
    assert not {name for name in found if name.startswith("lemmascope.sims.cubic_cnn")}


@pytest.mark.parametrize("name", registry.names())
def test_no_part_of_the_house_depends_on_what_comes_after_it(name, house):
    """Otherwise a claim's text could not be mended without computing again; and the engine is not forgotten."""
    study = registry.study(name)
    found = house(study)
    after = r"lemmascope\.(sims\.(figures|report|judge|run|studies)|theory\.(claim|verdict|order|\w+\.claims))\b.*"
    assert not {one for one in found if re.fullmatch(after, one)}
    assert any(one.startswith(f"lemmascope.sims.{study.subject}.") for one in found)
    if study.subject == "cubic_cnn":
        assert {"lemmascope.sims.cubic_cnn.backends.loops", "sims/cubic_cnn/backends/kernels/trajectory.cu"} <= found


def test_the_code_of_the_house_follows_its_imports(tmp_path, monkeypatch):
    files = {
        "sims/engine.py": "def f():\n    import lemmascope.theory.law\n    return 'a.cu'\n",
        "sims/kernels/a.cu": "",
        "theory/law.py": "from lemmascope.theory import claim\nfrom lemmascope.sims.figures import mine\n",
        "theory/claim.py": "from lemmascope.theory.other import x\n",
        "theory/other.py": "",
        "sims/figures/mine.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    found = code._house.__wrapped__(frozenset({"lemmascope.sims.engine"}))
    assert set(found) == {"lemmascope.sims.engine", "lemmascope.theory.law", "sims/kernels/a.cu"}


SCRIPT = """
import dataclasses, functools
import xarray as xr
import lemmascope as ls

FACTOR = 2.0

@dataclasses.dataclass(frozen=True)
class Settings:
    count: int = ls.option(3, "How many.")

def doubled(x):
    return FACTOR * x

def compute(task):
    return xr.Dataset({"y": doubled(task.at["x"])})

def study(compute=compute):
    return ls.Study(name="made", subject="", message="", settings=Settings, claims=[], evidence=lambda s, d: [],
                    experiments={"x": ls.Experiment(lambda s: {"x": range(s.count)}, compute)})
"""


@pytest.fixture
def script(tmp_path):
    """From a text to the module of a script that has it."""

    def load(text, name="script_of_a_user"):
        path = tmp_path / f"{name}{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("script_of_a_user", None)


def test_a_study_in_no_file_has_the_code_of_its_own_functions(script):
    first = code_of(script(SCRIPT).study())
    assert first == code_of(script(SCRIPT + "\nOTHER = 1\n").study()) != UNKNOWN
    for old, new in (("FACTOR * x", "FACTOR + x"), ("FACTOR = 2.0", "FACTOR = 3.0"), ('task.at["x"])', "1)")):
        assert SCRIPT.count(old) == 1
        assert code_of(script(SCRIPT.replace(old, new)).study()) not in (first, UNKNOWN)
    module = script(SCRIPT + "\ndef wide(task, by):\n    return by * compute(task)\n")
    codes = {code_of(module.study(module.functools.partial(module.wide, by=by))) for by in (1, 2)}
    assert len(codes | {first, UNKNOWN}) == 4


@pytest.mark.parametrize(
    ("module", "foreign"),
    [("json.decoder", True), ("builtins", True), ("numpy.linalg", True), ("__main__", False), (__name__, False)],
)
def test_of_a_study_in_no_file_only_ones_own_modules_are_read(module, foreign):
    assert code._foreign(module) is foreign


def test_a_study_given_other_experiments_is_not_that_of_its_file(toy):
    other = {"chain": dataclasses.replace(toy.experiments["chain"], compute=toy.experiments["lyapunov"].compute)}
    changed = dataclasses.replace(toy, experiments=toy.experiments | other)
    assert code_of(changed) not in (code_of(toy), UNKNOWN)
    assert code_of(dataclasses.replace(toy, claims=())) == code_of(toy)


def test_where_sources_cannot_be_read_nothing_is_resumed(tmp_path):
    """Typed into an interpreter; or with a value whose text says only where in memory it is."""
    end = (
        "\nfrom lemmascope.sims.run.code import code_of\nprint(code_of(study()))\n"
        "ls.run_study(study(), out=OUT)\nls.run_study(study(), out=OUT, resume=True)\n"
    ).replace("OUT", repr(str(tmp_path / "out")))
    done = subprocess.run([sys.executable, "-c", SCRIPT + end], capture_output=True, text=True, check=False)
    assert done.stdout == f"{UNKNOWN}\n"
    assert "resume = 'made' is not allowed" in done.stderr or "cannot be read; it must be in a file" in done.stderr
    assert len(list((tmp_path / "out" / "parts").glob("*.npz"))) == 3


def test_a_value_without_a_text_is_not_resumed_on(script, tmp_path):
    study = script(
        SCRIPT.replace("FACTOR = 2.0", "class Two:\n    def __mul__(self, x): return 2 * x\nFACTOR = Two()")
    ).study()
    assert code_of(study) == UNKNOWN
    with pytest.raises(InputError, match="cannot be read; it must be in a file"):
        run_study(study, out=tmp_path / "out", resume=True)
    assert Path(tmp_path / "out").exists() is False


@pytest.mark.parametrize("name", registry.names())
def test_what_auto_stands_for_here_is_a_backend_of_the_study(name):
    study = registry.study(name)
    meant = code.made_with(study, "auto")["backend"]
    assert meant != "auto"
    assert meant in {*study.backends, "compiled", "cupy"}
    assert code.made_with(study, "numpy")["backend"] == "numpy"
