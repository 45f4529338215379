"""The command: what it refuses, and a small run from end to end."""

import io

import pytest
from rich.console import Console

from lemmascope.benchmarks import command
from lemmascope.benchmarks.limits import Limits
from lemmascope.benchmarks.record import read
from lemmascope.sims.machine.limits import bandwidth, product_rate
from lemmascope.theory.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "field"), [({"rows": ["Z"]}, "work"), ({"without": ["numpy"]}, "without"), ({"rounds": 4}, "rounds")]
)
def test_wrong_use_is_refused(arguments, field):
    with pytest.raises(InputError, match=field):
        command.bench(**arguments)


def test_a_small_run_from_end_to_end(tmp_path, monkeypatch):
    limits = Limits({"float64": 1e11, "float32": 2e11}, ((1e5, 1e11), (1e8, 1e10)))
    monkeypatch.setattr(command, "measure_limits", lambda quick: limits)
    shown = Console(file=io.StringIO(), width=160, markup=False)
    out = tmp_path / "record.json"
    found = command.bench(["a", "H"], without=["torch", "jax"], out=out, quick=True, growth=False, console=shown)
    assert read(out)["rows"][1]["work"] == "H"
    assert [i["refused"] for row in found["rows"] for i in row["implementations"]] == [None] * 6
    text = shown.file.getvalue()
    assert "NumPy reference, coefficients" in text
    assert "no peer was timed" in text


def test_absent_libraries_are_named_with_what_to_install(monkeypatch):
    from lemmascope.benchmarks.peers import choice, peers

    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    assert {peer.available() for peer in peers()} == {
        f"{library} is not installed: pip install 'lemmascope[peers]'" for library in ("torch", "jax")
    }
    assert not peers(("torch", "jax"))


def test_the_limits_are_positive_numbers():
    assert product_rate("float32", side=32, repeats=1) > 0
    assert bandwidth(2**16, cores=1, repeats=1, seconds=1e-4) > 0
