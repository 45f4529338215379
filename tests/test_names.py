"""The page of public names: `import lemmascope as ls`."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import lemmascope as ls
from lemmascope import cubic_cnn

PACKAGES = [ls, cubic_cnn]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_there_and_is_what_it_says(package):
    assert dir(package) == sorted(package.__all__)
    for name in package.__all__:
        found = getattr(package, name)
        assert found.__doc__, name
        assert found is getattr(package, name)
        where = package._WHERE[name].partition(":")
        assert (getattr(found, "__module__", None) or "lemmascope").startswith("lemmascope")
        if where[2]:
            assert getattr(importlib.import_module(where[0]), where[2]) is found
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_type_checker_sees_the_same(package):
    """What is imported for mypy and editors alone is what is found at run time."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module.startswith("lemmascope")
        for alias in node.names
    }
    seen = {name: where.replace("lemmascope:", "lemmascope.") for name, where in seen.items()}
    assert seen == package._WHERE


def test_importing_it_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import lemmascope; print(sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(found.stdout) == ["lemmascope", "lemmascope.names"]


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert ls.__version__ == version("lemmascope")


def test_what_is_written_in_the_docstring_works():
    run = cubic_cnn.simulate(cubic_cnn.Parameters(**SMALL), {"GD": ls.GD(0.1)}, iterations=20, seeds=1)
    assert {verdict.label for verdict in cubic_cnn.judge(run, cubic_cnn.TRAJECTORY[:2])} == {"GD"}


SMALL = {"d": 60, "N": 12, "P": 2, "m": 3, "alpha": 2.0, "beta": 0.2, "mu": 0.25, "sigma": 0.2, "sigma_0": 0.05}
