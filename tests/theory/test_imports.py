"""Imports run one way: theory ← proofs_check, theory ← sims; and theory is written for any array library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(source: str) -> set[str]:
    """The packages that a module imports, wherever in it, also by name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            found |= {str(argument.value).split(".")[0] for argument in node.args if isinstance(argument, ast.Constant)}
    return found


FORBIDDEN = {
    "theory": {"sims", "proofs_check", "tests", "numpy", "cupy", "torch", "jax", "matplotlib", "rich", "typer", "."},
    "proofs_check": {"sims", "tests", "cupy", "."},
    "sims": {"tests", "."},
}


@pytest.mark.parametrize(
    "path", [path for package in FORBIDDEN for path in files(package)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_run_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    assert not imported(path.read_text(encoding="utf-8")) & FORBIDDEN[package]


def subjects(source: str) -> set[str]:
    """The packages inside theory that a module imports: what it knows of one theorem or another."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    within = {name.split(".")[1] for name in names if name.startswith("theory.")}
    return {name for name in within if (ROOT / "theory" / name).is_dir()}


@pytest.mark.parametrize("path", sorted((ROOT / "theory").glob("*.py")), ids=lambda path: path.name)
def test_what_all_subjects_share_knows_none_of_them(path):
    """Verdicts, optimizers and errors serve the next theorem as they do the cubic CNN."""
    assert not subjects(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    ["from theory.cubic_cnn.parameters import Parameters", "from theory import cubic_cnn", "import theory.cubic_cnn",
     "def f():\n    import theory.cubic_cnn.law as law"],
)  # fmt: skip
def test_an_imported_subject_is_seen(source):
    assert subjects(source) == {"cubic_cnn"}
    assert subjects("import theory\nfrom theory import verdict\nfrom theory.errors import InputError") == set()


def test_theory_opens_no_file():
    """No files, no pictures."""
    for path in files("theory"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = {ast.unparse(call).split(".")[-1] for call in calls}
        assert not names & {"open", "read_text", "write_text", "savez", "to_netcdf", "print"}, path


def test_every_package_was_looked_at():
    assert all(len(files(package)) >= 2 for package in FORBIDDEN)


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import sims", "sims"), ("import sims.simulate as s", "sims"), ("from sims.seeds import streams", "sims"),
        ("def f():\n    from numpy import linalg", "numpy"), ("import os, numpy.linalg", "numpy"),
        ("import importlib\nimportlib.import_module('cupy.cuda')", "cupy"), ("__import__('sims')", "sims"),
        ("from . import law", "."), ("if True:\n    import sims", "sims"),
    ],
)  # fmt: skip
def test_a_forbidden_import_is_seen(source, package):
    assert package in imported(source)
    assert package not in imported("import theory\nfrom theory import verdict\nname = 'sims numpy'")
