"""The command: what it refuses, and a small run from end to end."""

import io

import pytest
from rich.console import Console

from lemmascope.benchmarks import command, works
from lemmascope.benchmarks.limits import Limits
from lemmascope.benchmarks.record import read
from lemmascope.sims.machine.limits import bandwidth, product_rate
from lemmascope.theory.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"rows": ["Z"]}, "work = 'Z' is not accepted: it must be one of A, B"),
        ({"without": ["numpy"]}, "without"),
        ({"rounds": 4}, "rounds"),
        ({"merge": True, "quick": True}, "merge"),
    ],
)
def test_wrong_use_is_refused(arguments, field):
    with pytest.raises(InputError, match=field):
        command.bench(**arguments)


@pytest.fixture
def limits(monkeypatch):
    limits = Limits({"float64": 1e11, "float32": 2e11}, ((1e5, 1e11), (1e8, 1e10)))
    monkeypatch.setattr(command, "measure_limits", lambda quick: limits)


def test_a_small_run_from_end_to_end(tmp_path, limits):
    shown = Console(file=io.StringIO(), width=160, markup=False)
    out = tmp_path / "record.json"
    found = command.bench(["a", "H"], without=["torch", "jax"], out=out, quick=True, growth=False, console=shown)
    assert read(out) == found
    assert [row["work"] for row in found["rows"]] == ["A", "H"]
    assert [i["refused"] for row in found["rows"] for i in row["implementations"]] == [None] * 6
    text = shown.file.getvalue()
    assert "NumPy reference, coefficients" in text
    assert "no peer was timed" in text


def test_rows_are_merged_into_the_record_that_is_there(tmp_path, limits, monkeypatch):
    """The very works are put in place of the full ones, which take long."""
    shown = Console(file=io.StringIO(), width=160, markup=False)
    find = works.find
    monkeypatch.setattr(works, "find", lambda names: tuple(work.small() for work in find(names)))
    measure = command.measure_work
    monkeypatch.setattr(command, "measure_work", lambda work, ways, **k: measure(work, ways, **{**k, "seconds": 0.0}))
    out = tmp_path / "record.json"

    def bench(*rows, **more):
        return command.bench(rows, without=["torch", "jax"], out=out, growth=False, console=shown, **more)

    before = bench("A", "H")
    new = bench("Q", "a", merge=True)
    merged = read(out)
    assert [row["work"] for row in merged["rows"]] == ["A", "H", "Q"]
    assert [row["session"] for row in merged["rows"]] == [1, 0, 1]
    assert merged["rows"][1] == before["rows"][1]
    assert merged["rows"][2]["implementations"] == new["rows"][0]["implementations"]
    assert merged["sessions"] == [before["sessions"][0], new["sessions"][0]]


def test_a_record_of_another_version_is_not_merged_into(tmp_path, limits, monkeypatch):
    monkeypatch.setattr(command, "measure_work", lambda *_, **__: pytest.fail("it must be known before the work"))
    out = tmp_path / "record.json"
    out.write_text('{\n "schema": "lemmascope-benchmark/1"\n}\n', encoding="utf-8")
    with pytest.raises(InputError, match="not a record of the benchmark"):
        command.bench(["A"], out=out, merge=True)
    assert "benchmark/1" in out.read_text(encoding="utf-8")


def test_the_limits_are_positive_numbers():
    assert product_rate("float32", side=32, repeats=1) > 0
    assert bandwidth(2**16, cores=1, repeats=1, seconds=1e-4) > 0
