"""What is published works where it is installed: ``make smoke``.

The wheel is built from the sdist, so that this lacks nothing, and installed twice, each time into an empty environment:
with the lowest version of each direct dependency that pyproject.toml allows, and with the newest. There the command,
the pytest plugin and the API run, in a project that has packages of the names of ours, and for a user who may write
neither to the home folder nor to that of the packages. Last, the unpacked sdist passes tests and makes its pages, with
the lowest versions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = {"newest": ("cluster", "scikit-learn"), "lowest": ("cluster", "scikit-learn", "docs", "test")}
"""Of pyproject.toml. The newest of `docs` and `test` are what `make test` and `make docs` install; the bounds of the
others are not tested here, since they need a GPU, or gigabytes of PyTorch and JAX."""

TESTS = ("test_installed", "test_names", "test_readme", "cli/test_front", "sims/test_netcdf", "sims/test_own")
"""Of the sdist. Not those of the linter and the type checker, which read the types of the newest libraries."""

OPTIMIZER = """
import helper


def make(eta, gamma):
    return helper.Momentum(eta, gamma)
"""
HELPER = """
class Momentum:
    def __init__(self, eta, gamma):
        self.eta, self.gamma = eta, gamma

    def init(self, params):
        return 0 * params

    def step(self, params, grad, state, t):
        eta = self.eta(t) if callable(self.eta) else self.eta
        state = self.gamma * state + eta * grad
        return params - state, state
"""
PROJECT = {
    "theory/__init__.py": "mine = True\n",
    "sims/__init__.py": "mine = True\n",
    "my_optimizer.py": OPTIMIZER,
    "helper.py": HELPER,
    "test_mine.py": """
import sims, theory
from my_optimizer import make

import lemmascope as ls


def test_mine():
    assert sims.mine and theory.mine and "headline" in ls.studies()


def test_optimizer(momentum_identity):
    momentum_identity(make, convention="velocity")
""",
}


def run(*command: object, cwd: Path, **environment: str) -> None:
    """Run it, without what this process's environment says to Python; end with its output if it fails."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV", "NUMBA"))}
    words = [str(word) for word in command]
    started = time.monotonic()
    done = subprocess.run(
        words, cwd=cwd, env=env | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(f"{time.monotonic() - started:6.1f} s  {' '.join(' '.join(words).split())[-110:]}", flush=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nsmoke: that ended with {done.returncode}: {' '.join(words)}, in {cwd}")


def lowest(extras: tuple[str, ...] = EXTRAS["lowest"]) -> list[str]:
    """The lowest versions that pyproject.toml allows, as requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    assert all(one.count(">=") == 1 and "<" not in one for one in found), found
    return sorted({one.replace(">=", "==") for one in found})


def built(folder: Path) -> tuple[Path, Path]:
    """The wheel, and the unpacked sdist that it is built from."""
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    run(sys.executable, "-c", code, folder, cwd=ROOT)
    (sdist,) = folder.glob("lemmascope-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, sdist, cwd=folder)
    (wheel,) = folder.glob("lemmascope-*.whl")
    return wheel, sdist.with_name(sdist.name.removesuffix(".tar.gz"))


def commands(env: Path, work: Path, through: tuple[str, ...] = (), **environment: str) -> None:
    """What is run in each environment."""
    lemmascope = env / "bin" / "lemmascope"
    for arguments in (
        ["--help"],
        ["studies"],
        ["claims", "--list"],
        ["run", "toy_study.py", "--tiny", "--out", "toy"],
        ["run", "toy_study.py", "--tiny", "--cluster", "local:2", "--out", "far"],
        ["claims", "toy", "--study", "toy_study.py"],
        ["prove", "running_average"],
        ["identities", "--library", "own", "--library", "scikit-learn", "--examples", "2", "--out", "table"],
        ["identities", "--optimizer", "my_optimizer.py:make", "--convention", "velocity", "--examples", "2"],
    ):
        run(*through, lemmascope, *arguments, cwd=work, **environment)
    run(*through, env / "bin" / "python", "-m", "lemmascope", "--version", cwd=work, **environment)
    run(*through, env / "bin" / "python", "-c", COMPILED, cwd=work, **environment)
    plugin = ["-q", "-p", "no:cacheprovider", "--momentum-examples", "3", "-W", "error"]
    run(*through, env / "bin" / "python", "-m", "pytest", *plugin, "test_mine.py", cwd=work, **environment)


COMPILED = """
import lemmascope as ls
parameters = ls.cubic_cnn.Parameters(d=200, N=40, P=2, m=6, alpha=4, beta=0.2, mu=0.25, sigma=0.14, sigma_0=0.035)
for backend in ("compiled", "numpy"):
    run = ls.cubic_cnn.simulate(parameters, {"GD": ls.GD(0.1)}, iterations=50, seeds=2, backend=backend)
    assert run.attrs["backend"] == backend, run.attrs
"""


def project(work: Path, sources: Path) -> Path:
    """Somebody's, in a new folder."""
    for name, text in PROJECT.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    shutil.copy(sources / "tests" / "toy_study.py", work)
    return work


AS_OTHERS = """
import ctypes, os, sys
if os.geteuid() == 0:  # root may write anywhere, unless it gives up CAP_DAC_OVERRIDE
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def unwritable(*folders: Path) -> Iterator[None]:
    """A block in which nobody but root may write there."""
    for folder in folders:
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    try:
        yield
    finally:
        for folder in folders:
            subprocess.run(["chmod", "-R", "u+w", folder], check=True)


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        wheel, sources = built(folder)
        bounds = folder / "lowest.txt"
        bounds.write_text("\n".join(lowest()) + "\n")
        for versions in sys.argv[1:] or ("newest", "lowest"):
            env = folder / versions
            print(f"\nWith the {versions} versions", flush=True)
            run(sys.executable, "-m", "venv", env, cwd=folder)
            pip = [env / "bin" / "python", "-m", "pip"]
            # A bound that is no release, or one without a wheel for this Python, is refused here.
            flags = ["--constraint", bounds, "--only-binary", ":all:"] if versions == "lowest" else []
            run(*pip, "install", "--quiet", *flags, f"{wheel}[{','.join(EXTRAS[versions])}]", "pytest", cwd=folder)
            run(*pip, "check", cwd=folder)
            commands(env, project(folder / f"work-{versions}", sources))
            home = folder / "home"
            home.mkdir(exist_ok=True)
            for kept in env.rglob("__pycache__/*.nb?"):
                kept.unlink()
            with unwritable(env, home):
                print("where neither HOME nor the packages may be written", flush=True)
                work = project(folder / f"reader-{versions}", sources)
                commands(env, work, (sys.executable, "-c", AS_OTHERS), HOME=str(home))
        if versions != "lowest":
            return
        print("\nThe sdist, with the lowest versions", flush=True)
        run(*pip, "uninstall", "--quiet", "--yes", "lemmascope", cwd=folder)
        for left in env.glob("lib/*/site-packages/lemmascope"):  # Numba's machine code, which pip does not know
            shutil.rmtree(left)
        tests = " ".join(f"tests/{name}.py" for name in TESTS)
        given = [f"VENV={env}", f"PYTEST_ARGS={tests}"]
        for target in ("test", "docs"):
            run("make", target, *given, cwd=sources, PIP_CONSTRAINT=str(bounds))


if __name__ == "__main__":
    main()
