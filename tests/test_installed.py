"""The sdist and the wheel: what is in them, and that they live beside packages ``theory`` and ``sims`` of a project."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSES = ("theory", "sims", "proofs_check", "benchmarks")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def run(*command, cwd, **env):
    ours = ("PYTHONPATH", "COLUMNS", "PYTEST", "NUMBA", "XDG", "MPL")
    known = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(list(map(str, command)), cwd=cwd, env=known | env, capture_output=True, text=True)


def sources():
    """This project's files, by path: those that git has, or would take; in an unpacked sdist, those that it lists."""
    if (ROOT / ".git").exists():
        found = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
        assert found.returncode == 0, found.stderr
        listed = found.stdout
    else:
        listed = (ROOT / "lemmascope.egg-info" / "SOURCES.txt").read_text(encoding="utf-8")
    made = ("lemmascope.egg-info", "setup.cfg", "PKG-INFO", ".gitignore")
    return {name for name in listed.splitlines() if (ROOT / name).is_file() and not name.startswith(made)}


SDIST = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """Unpacked; made where links lie, and what an earlier build, runs and tests left."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sdist")
    for name in sources():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    for house in HOUSES:
        (source / "lemmascope" / house).symlink_to(f"../{house}")
    for stale in ("build/lib/lemmascope/stale.py", "build/lib/theory/stale.py", "results/scaling/stale.json"):
        (source / stale).parent.mkdir(parents=True)
        (source / stale).write_text("stale = True\n")
    for stale in ("tests/__pycache__/stale.pyc", "sims/__pycache__/stale.nbi", "docs/__pycache__/stale.pyc"):
        (source / stale).parent.mkdir()
        (source / stale).touch()
    built = run(sys.executable, "-c", SDIST, out, cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    (packed,) = out.glob("lemmascope-*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(out, filter="data")
    return out / packed.name.removesuffix(".tar.gz")


def test_the_sdist_has_these_sources_and_nothing_else(sdist):
    """With its tests, pages and the Makefile that runs them; what has been built is described, and no link is there."""
    there = {str(path.relative_to(sdist)) for path in sdist.rglob("*") if not path.is_dir()}
    assert {name for name in there if not name.startswith("lemmascope.egg-info/")} == sources() | {
        "PKG-INFO",
        "setup.cfg",
    }
    assert not [path for path in sdist.rglob("*") if path.is_symlink()]


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel that is built from it."""
    out = tmp_path_factory.mktemp("wheel")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--wheel-dir", out]
    built = run(sys.executable, "-m", "pip", "wheel", *flags, sdist, cwd=out)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("lemmascope-*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder of packages into which it is installed."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_one_package_is_installed_and_it_is_these_sources(site):
    assert sorted(path.name.partition("-")[0] for path in site.iterdir()) == ["lemmascope", "lemmascope"]
    assert sum(path.name == "lemmascope" for path in site.iterdir()) == 1
    links = {path for path in (ROOT / "lemmascope").iterdir() if path.is_symlink()}
    expected = {
        str(path.relative_to(ROOT)) for path in (ROOT / "lemmascope").rglob("*.py") if not links & set(path.parents)
    }
    expected |= {f"lemmascope/{path.relative_to(ROOT)}" for house in HOUSES for path in (ROOT / house).rglob("*.py")}
    assert {str(path.relative_to(site)) for path in site.rglob("*.py")} == expected


def test_what_is_no_python_is_there_too(site):
    package = site / "lemmascope"
    assert (package / "py.typed").is_file()
    kinds = ("figures/*.mplstyle", "report/*.schema.json", "cubic_cnn/backends/kernels/*.cu*")
    for pattern in kinds:
        there = {path.name for path in (package / "sims").glob(pattern)}
        assert there == {path.name for path in (ROOT / "sims").glob(pattern)}
        assert there
    assert list((package / "benchmarks" / "records").glob("*.json"))


PROJECT = {
    "theory/__init__.py": "mine = True\n",
    "sims/__init__.py": "",
    "sims/simulate.py": "mine = True\n",
    "proofs_check.py": "mine = True\n",
    "test_project.py": """
import numpy as np
import xarray as xr

import theory
from proofs_check import mine
from sims.simulate import mine as simulate

import lemmascope as ls


class SGD:
    def __init__(self, eta, gamma):
        self.eta, self.gamma = eta, gamma

    def init(self, params):
        return np.zeros_like(params)

    def step(self, params, grad, state, t):
        eta = self.eta(t) if callable(self.eta) else self.eta
        velocity = self.gamma * state + eta * grad
        return params - velocity, velocity


def test_mine():
    assert theory.mine and mine and simulate


def test_it_is_installed():
    assert ls.__file__.startswith(SITE)


def test_optimizer(momentum_identity):
    momentum_identity(SGD, convention="velocity")


def test_api():
    assert ls.studies()
    assert ls.cubic_cnn.paper_regime(d=1000).d == 1000
    small = ls.Claim(id="mine.small", statement="$x < 1$", plain="x < 1", kind=ls.Kind.BOUND, source="user",
                     measure=lambda evidence: ls.Measurement(evidence["x"], upper=1.0))
    (verdict,) = ls.judge(small, xr.Dataset({"x": ("seed", [0.5, 2.0])}, {"seed": [0, 1]}))
    assert verdict.status is ls.Status.REFUTED
""",
    "conftest.py": """
import sys


def pytest_collection_finish(session):
    if len(session.items) == 1:
        print("LOADED", sorted(name for name in sys.modules if name.partition(".")[0] in (
            "lemmascope", "numpy", "scipy", "xarray", "pandas", "numba", "sympy", "matplotlib", "rich", "click")))
""",
    "light/test_light.py": "def test_nothing():\n    pass\n",
}


@pytest.fixture(scope="module")
def project(site, tmp_path_factory):
    """A project of somebody else's."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace("SITE", repr(str(site))))
    return folder


def foreign(project, site, *arguments):
    flags = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:zarr", "--rootdir", project, "-W", "error"]
    return run(sys.executable, "-m", "pytest", *flags, *arguments, cwd=project, PYTHONPATH=str(site))


def test_a_project_with_packages_of_the_same_names_uses_our_fixture_and_our_api(project, site):
    found = foreign(project, site, "test_project.py", "--momentum-examples", "5")
    assert found.returncode == 0, found.stdout + found.stderr
    assert " passed" in found.stdout


def test_a_project_that_does_not_use_it_pays_nothing_for_it(project, site):
    """The plugin is three small modules, whatever is installed with it."""
    found = foreign(project, site, "-s", "light")
    assert found.returncode == 0, found.stdout + found.stderr
    (line,) = [line for line in found.stdout.splitlines() if line.startswith("LOADED")]
    ours = ["lemmascope", "lemmascope.names", "lemmascope.proofs_check", "lemmascope.proofs_check.pytest_plugin"]
    assert line == f"LOADED {ours}"


def test_the_command_runs_there(project, site):
    code = "from lemmascope.cli.main import main; main()"
    for arguments in (["--version"], ["--help"], ["scaling", "--help"], ["claims", "--list", "--study", "scaling"]):
        found = run(sys.executable, "-c", code, *arguments, cwd=project, PYTHONPATH=str(site))
        assert found.returncode == 0, found.stderr
        assert found.stderr == ""
    assert "stated in theory/cubic_cnn/claims/scaling.py" in found.stdout


WHERE_NOTHING_MAY_BE_WRITTEN = """
import os, pathlib
for folder in (HOME, SITE + "/lemmascope/sims"):
    try:
        pathlib.Path(folder, "written").touch()
    except OSError:
        continue
    raise SystemExit(f"{folder} may be written")
import numpy as np
from lemmascope.cli.main import app
from lemmascope.sims.cubic_cnn.backends import compiled, loops, weight_loop, window_sweeps
assert compiled.unavailable() is None
x, y = np.ones(3), np.zeros(3)
loops.log_one_plus(x, y)
assert np.allclose(y, np.log(2))
app.main(["identities", "--library", "own", "--identity", "first_step[full]", "--examples", "1"])
"""


AS_OTHERS = """
import ctypes, os, sys
if os.geteuid() == 0:  # root may write anywhere, unless it gives up CAP_DAC_OVERRIDE
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX")
def test_it_runs_where_neither_the_home_nor_its_own_folder_may_be_written(site, tmp_path):
    there, work = tmp_path / "there", tmp_path / "work"
    home = there / "home"
    shutil.copytree(site, there / "site", ignore=LEFT_OUT)
    home.mkdir()
    work.mkdir()
    code = WHERE_NOTHING_MAY_BE_WRITTEN.replace("HOME", repr(str(home))).replace("SITE", repr(f"{there}/site"))
    folders = [there, *(path for path in there.rglob("*") if path.is_dir())]
    try:
        for path in folders:
            path.chmod(0o555)
        found = run(sys.executable, "-c", AS_OTHERS, "-c", code, cwd=work, HOME=str(home), PYTHONPATH=f"{there}/site")
    finally:
        for path in folders:
            path.chmod(0o755)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stderr.count("compiled in memory") == 1
    assert "Traceback" not in found.stderr
    assert [path.name for path in work.iterdir()] == ["results"]
