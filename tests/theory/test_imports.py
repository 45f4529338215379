"""Imports run one way, theory ← proofs_check, theory ← sims ← the front door, without a circle; and theory is written
for any array library."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSES = ("theory", "proofs_check", "sims", "benchmarks", "lemmascope")
"""The folders at the top of the repository that hold packages; all but the last are inside ``lemmascope``."""


def files(house: str) -> list[Path]:
    """Its modules; the links inside lemmascope/ to the other houses are not followed twice."""
    links = {link for link in (ROOT / house).iterdir() if link.is_symlink()}
    return sorted(path for path in (ROOT / house).rglob("*.py") if not links & set(path.parents))


def imports(source: str, types_too: bool = True) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it, also by name; with or without those for types alone."""
    tree = ast.parse(source)
    types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
        if not types_too
    }
    for node in ast.walk(tree):
        if id(node) in types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." if node.level else f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def packages(source: str) -> set[str]:
    """First parts of the names, and of names inside lemmascope the second part too: ``lemmascope.sims``."""
    found = set()
    for name in imports(source):
        first, _, rest = name.partition(".")
        found.add("." if not first else f"lemmascope.{rest.split('.')[0]}" if first == "lemmascope" and rest else first)
    return found


BARE = {"theory", "sims", "proofs_check", "benchmarks", "tests", "."}
"""Names that a project of a user's may have; ours are inside ``lemmascope``."""

FACES = {path.parent.name for path in (ROOT / "lemmascope").glob("*/__init__.py")} - {"cli", *HOUSES}
"""The subjects that have a face of their own at the front door."""

INSIDE = {f"lemmascope.{house}" for house in ("theory", "sims", "proofs_check", "benchmarks")}
ALLOWED = {
    "theory": {"lemmascope.theory"},
    "proofs_check": {"lemmascope.theory", "lemmascope.proofs_check"},
    "sims": {"lemmascope.theory", "lemmascope.sims", "lemmascope.proofs_check"},
    "benchmarks": INSIDE,
    "lemmascope": INSIDE | {"lemmascope.cli", "lemmascope.names"} | {f"lemmascope.{face}" for face in FACES},
}
"""What of lemmascope a house may import. Of sims, sims/report alone sees proofs_check, to show its verdicts."""

ENGINES = {path.parent.name for path in (ROOT / "theory").glob("*/__init__.py")} & {
    path.parent.name for path in (ROOT / "sims").glob("*/__init__.py")
}
"""The subjects that have an engine of their own in sims/."""

LAYERS = {
    **{name: {"studies", "figures", "run", "report", "registry", "pictures", "study"} for name in ENGINES},
    "studies": {"figures", "run", "report", "registry", "pictures"},
    "figures": {"run", "report", "registry"},
    "run": {"studies", "figures"} | ENGINES,
    "report": {"studies", "figures", "run"} | ENGINES,
    "machine": {"studies", "figures", "report", "registry", "study"},
    "": {"studies", "run", "report", "machine"} | ENGINES,
}
"""What a folder of sims/ may not import of sims/; an engine serves studies, and knows none. "" are its own modules."""

DYNAMIC = {
    "benchmarks/works/__init__.py",
    "lemmascope/cli/catalogue.py",
    "lemmascope/cli/fields.py",
    "lemmascope/cli/main.py",
    "lemmascope/cli/tools/claims.py",
    "lemmascope/names.py",
    "proofs_check/chapters.py",
    "proofs_check/conformance/adapters/driver.py",
    "proofs_check/conformance/known/__init__.py",
    "sims/own.py",
    "sims/pictures.py",
    "sims/registry.py",
    "sims/report/documents.py",
}
"""Modules that import by a name that they are given, or find: what is a file that is found."""

FOREIGN = {
    "theory": {"numpy", "cupy", "torch", "jax", "matplotlib", "rich", "typer", "click"},
    "proofs_check": {"cupy"},
}


def wrong(house: str, source: str) -> set[str]:
    """What a module of a house imports and must not."""
    found = packages(source)
    ours = {name for name in found if name.split(".")[0] == "lemmascope"}
    return (ours - ALLOWED[house]) | (found & (BARE | FOREIGN.get(house, set())))


@pytest.mark.parametrize(
    "path", [path for house in HOUSES for path in files(house)], ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_run_one_way(path):
    house, source = path.relative_to(ROOT).parts[0], path.read_text(encoding="utf-8")
    assert not wrong(house, source)
    if house == "sims" and path.relative_to(ROOT).parts[1] != "report":
        assert "lemmascope.proofs_check" not in packages(source)


@pytest.mark.parametrize("path", files("sims"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_layers_of_sims(path):
    assert not crossing(path.relative_to(ROOT / "sims").parts, path.read_text(encoding="utf-8"))


def crossing(parts: tuple[str, ...], source: str) -> set[str]:
    """What a module of sims/ imports of sims/ and must not."""
    folder = parts[0] if len(parts) > 1 else ""
    names = [name.split(".") for name in imports(source)]
    return {p[2] for p in names if p[:2] == ["lemmascope", "sims"] and len(p) > 2} & LAYERS[folder]


@pytest.mark.parametrize(
    ("parts", "source"),
    [
        (("cubic_cnn", "simulate.py"), "from lemmascope.sims.studies import headline"),
        (("studies", "phase.py"), "def f():\n    from lemmascope.sims.report.verdicts import bound"),
        (("run", "carry.py"), "import lemmascope.sims.cubic_cnn.simulate"),
        (("judge.py",), "from lemmascope.sims import run"),
    ],
)
def test_a_crossing_is_seen(parts, source):
    assert crossing(parts, source)
    assert not crossing(parts, "from lemmascope.sims.seeds import streams")


def test_every_folder_of_sims_has_its_layer():
    assert {path.parent.name for path in (ROOT / "sims").glob("*/*.py")} == set(LAYERS) - {""}


def test_only_what_finds_files_imports_by_a_name_it_is_given():
    found = set()
    for house in HOUSES:
        for path in files(house):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
                    "import_module",
                    "__import__",
                ):
                    found |= {str(path.relative_to(ROOT))}
    assert found == DYNAMIC


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_use_the_packages_by_their_installed_names(path):
    """A bare ``theory`` would be a second copy with classes of its own."""
    assert not packages(path.read_text(encoding="utf-8")) & (BARE - {"tests"})


def subjects(source: str, inside: str = "theory") -> set[str]:
    """The packages inside theory that a module imports, but optimizers, which all share: the theorems that it knows."""
    parts = [name.split(".") for name in imports(source)]
    within = {p[2] for p in parts if p[:2] == ["lemmascope", inside] and len(p) > 2}
    return {name for name in within if (ROOT / "theory" / name).is_dir()} - {"optimizers"}


SHARED = [*sorted((ROOT / "theory").glob("*.py")), *sorted((ROOT / "sims").glob("*.py"))]
SHARED += [path for name in ("run", "report") for path in sorted((ROOT / "sims" / name).glob("*.py"))]
SHARED += sorted((ROOT / "lemmascope" / "cli").rglob("*.py"))


@pytest.mark.parametrize("path", SHARED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_all_subjects_share_knows_none_of_them(path):
    """What serves the next theorem as it does the cubic CNN."""
    source = path.read_text(encoding="utf-8")
    assert not subjects(source) | subjects(source, "sims")


@pytest.mark.parametrize(
    "source",
    [
        "from lemmascope.theory.cubic_cnn.parameters import Parameters",
        "from lemmascope.theory import cubic_cnn",
        "import lemmascope.theory.cubic_cnn",
        "def f():\n    import lemmascope.theory.cubic_cnn.law as law",
    ],
)
def test_an_imported_subject_is_seen(source):
    assert subjects(source) == {"cubic_cnn"}
    others = "import lemmascope.theory\nfrom lemmascope.theory import verdict\nfrom lemmascope.theory.errors import E"
    assert subjects(others) == set()


def test_theory_opens_no_file():
    """No files, no pictures."""
    for path in files("theory"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = {ast.unparse(call).split(".")[-1] for call in calls}
        assert not names & {"open", "read_text", "write_text", "savez", "to_netcdf", "print"}, path


def test_every_house_was_looked_at():
    """Nothing above passes because nothing was read: theory knows itself, and sims knows theory."""
    for house, least in {"theory": 20, "proofs_check": 20, "sims": 40, "benchmarks": 10, "lemmascope": 5}.items():
        assert len(files(house)) >= least
    seen = {house: set().union(*(packages(path.read_text("utf-8")) for path in files(house))) for house in HOUSES}
    assert "lemmascope.theory" in seen["theory"]
    assert {"lemmascope.theory", "lemmascope.sims"} <= seen["sims"]
    assert {"lemmascope.theory", "lemmascope.sims", "lemmascope.proofs_check"} <= seen["lemmascope"]


@pytest.mark.parametrize(
    ("house", "source"),
    [
        ("theory", "import lemmascope.sims"),
        ("theory", "from lemmascope import sims"),
        ("theory", "import lemmascope"),
        ("theory", "from lemmascope import Claim"),
        ("theory", "def f():\n    from numpy import linalg"),
        ("theory", "import os, numpy.linalg"),
        ("theory", "import importlib\nimportlib.import_module('cupy.cuda')"),
        ("theory", "from . import law"),
        ("theory", "if TYPE_CHECKING:\n    import numpy as np"),
        ("theory", "if TYPE_CHECKING:\n    from lemmascope.sims.study import Study"),
        ("proofs_check", "if True:\n    import lemmascope.sims.seeds as s"),
        ("proofs_check", "__import__('lemmascope.sims')"),
        ("sims", "from lemmascope.cli import main"),
        ("sims", "from lemmascope.benchmarks.command import bench"),
        ("sims", "from theory.verdict import Status"),
        ("sims", "import sims"),
        ("lemmascope", "from proofs_check.step import Step"),
    ],
)
def test_a_forbidden_import_is_seen(house, source):
    assert wrong(house, source)
    assert not wrong(house, "import lemmascope.theory\nfrom lemmascope.theory import verdict\nname = 'sims numpy'")


def test_an_import_for_types_alone_is_no_arrow_of_the_graph():
    for test, seen in (
        ("TYPE_CHECKING", False),
        ("typing.TYPE_CHECKING", False),
        ("not TYPE_CHECKING", True),
        ("TYPE_CHECKING or True", True),
    ):
        assert ("a.b" in imports(f"if {test}:\n    import a.b", types_too=False)) is seen, test
    assert set(imports("if TYPE_CHECKING:\n    import a\nelse:\n    import b", types_too=False)) == {"b"}
    assert set(imports("if TYPE_CHECKING:\n    import a\nelse:\n    import b")) == {"a", "b"}


def graph() -> dict[str, set[str]]:
    """Each module with the modules that it imports."""
    paths = {path for house in HOUSES for path in files(house)}

    def dotted(path: Path) -> str:
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts if parts[0] == "lemmascope" else ("lemmascope", *parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    modules = {dotted(path): path for path in paths}
    found = {}
    for name, path in modules.items():
        wanted = set()
        for target in imports(path.read_text("utf-8"), types_too=False):
            best = target if target in modules else target.rpartition(".")[0]
            if best in modules and best != name and best != "lemmascope":
                wanted.add(best)
        found[name] = wanted
    return found


def test_there_is_no_circle():
    """Imports inside functions count too."""
    found = graph()
    assert len(found) > 120
    assert sum(map(len, found.values())) > 300
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_a_circle_is_seen():
    found = graph()
    found["lemmascope.theory.errors"] = {"lemmascope.sims.run.tasks"}
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()
