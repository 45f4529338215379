"""The works of the studies: every peer agrees on a small one, and what a row is is said where it is found."""

import ast
import dataclasses
import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest

from lemmascope.benchmarks import works
from lemmascope.benchmarks.measure import compare, measure_work
from lemmascope.benchmarks.protocol import Run, Way, Work
from lemmascope.theory.errors import InputError

FOLDER = Path(works.__file__).parent
OTHERS = [work for work in works.find() if work.name not in importlib.import_module(f"{works.__name__}.cubic_cnn").ROWS]
PEERS = [
    pytest.param(work.small(), way, id=f"{work.name}-{way.name}")
    for work in OTHERS
    for way in work.implementations[1:]
    if "torch.compile" not in way.name  # it takes seconds to compile the function that the eager one calls
]


@pytest.mark.parametrize("file", [path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"])
def test_a_file_declares_its_rows_and_works(file):
    module = importlib.import_module(f"{works.__name__}.{file}")
    assert [work.name for work in module.WORKS] == list(module.ROWS)
    assert module.ROWS.items() <= works.rows().items()
    assert all(isinstance(work, Work) and work.at_least > 0 for work in module.WORKS)


def test_a_row_has_one_file():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")]
    names = [
        name
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROWS"
        for name in ast.literal_eval(node.value)
    ]
    assert sorted(names) == sorted(works.rows())


def test_works_are_found_by_their_rows():
    assert [work.name for work in works.find(["q", "A", "Q"])] == ["Q", "A"]
    assert [work.name for work in works.find()] == list(works.rows())


def test_an_unknown_row_is_refused_with_those_that_are_there():
    with pytest.raises(InputError, match=r"work = 'Z' is not accepted: it must be one of A, B, .*T, T2, Q"):
        works.find(["A", "z"])


@pytest.mark.parametrize("work", OTHERS, ids=lambda work: work.name)
def test_a_work_has_peers_and_comes_from_its_streams(work):
    ways = work.implementations
    assert {way.library for way in ways} == {"", "torch", "jax"}
    assert len({way.name for way in ways}) == len(ways)
    assert not ways[0].library
    assert all(way.cost(work).bytes > 0 for way in ways)
    less = work.small()
    first, again, other = (less.implementations[0].prepare(less.draw(seed))(8) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape[-1] == len(work.recorded)


@pytest.mark.parametrize(("work", "way"), PEERS)
def test_all_agree_on_a_small_work(work, way):
    if (absent := way.available()) is not None:
        pytest.skip(absent)
    inputs = work.draw()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # another library's warnings are its own
        run = way.prepare(inputs)
        for iterations in (work.iterations, 8):  # from the start each time
            expected = work.implementations[0].prepare(inputs)(iterations)
            difference, quantity = compare(run(iterations), expected, work.recorded)
            assert difference <= work.tolerance, quantity


@pytest.mark.parametrize("work", OTHERS, ids=lambda work: work.name)
def test_this_projects_loop_agrees_at_full_size(work):
    inputs = work.draw()
    reference, ours = (way.prepare(inputs)(work.iterations) for way in work.implementations if not way.library)
    difference, quantity = compare(ours, reference, work.recorded)
    assert difference <= work.tolerance, quantity


@pytest.mark.parametrize("work", OTHERS, ids=lambda work: work.name)
def test_one_that_computes_something_else_is_not_timed(work):
    """Planted: another learning rate, by one part in a million."""
    reference = work.implementations[0]

    def prepare(inputs):
        return Run(reference.prepare(_faster(inputs)).call)

    planted = dataclasses.replace(reference, name="planted", prepare=prepare)
    right, wrong = measure_work(work.small(), [reference, planted], seconds=0.0, rest=0.0)
    assert right.refused is None
    assert not wrong.rounds
    assert "not timed" in wrong.refused


def _faster(inputs):
    if hasattr(inputs, "chain"):
        return dataclasses.replace(inputs, chain=dataclasses.replace(inputs.chain, eta=inputs.chain.eta * (1 + 1e-6)))
    return dataclasses.replace(inputs, eta=inputs.eta * (1 + 1e-6))


def test_a_way_says_what_to_install(monkeypatch):
    from lemmascope.benchmarks import libraries

    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    ways = {way.available() for work in OTHERS for way in work.implementations if way.library}
    assert ways == {f"{library} is not installed: pip install 'lemmascope[peers]'" for library in libraries.LIBRARIES}
    assert Way("ours", "", Run, Run).available() is None
