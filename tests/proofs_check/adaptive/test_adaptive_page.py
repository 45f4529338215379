"""The page on algorithms: what is saved is found today, and its tables say it."""

import json

import pytest

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.adaptive import __main__ as command
from lemmascope.proofs_check.conformance.adaptive import table
from lemmascope.proofs_check.conformance.adaptive.known import FAMILIES, LIBRARIES, Shown, shown
from lemmascope.sims.report.saved import ROOT
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import Adam, AdamW

SAVED = table.read(ROOT / "docs" / "proofs" / "algorithms.json")


def row(name):
    (one,) = (one for one in SAVED["optimizers"] if one["optimizer"] == name)
    return one


@pytest.mark.parametrize("one", shown("own"), ids=lambda one: one.subject.name)
def test_what_is_saved_of_ours_is_found_today(one):
    """But for the cases, which another version of Hypothesis draws otherwise, and how many forms there are."""
    (found,) = json.loads(json.dumps(table.as_json(table.examine([one]))))["optimizers"]
    for key in ("family", "names", "formulas", "axes", "untold", "assumed", "dtype"):
        assert found[key] == row(one.subject.name)[key]
    assert {x["axis"] for x in found["excluded"]} == {x["axis"] for x in row(one.subject.name)["excluded"]}


def test_every_library_has_rows_each_one_algorithm():
    assert tuple(SAVED["libraries"]) == LIBRARIES
    assert len(SAVED["optimizers"]) > 60
    assert [one["optimizer"] for one in SAVED["optimizers"] if len(one["names"]) != 1] == []
    assert {one["family"] for one in SAVED["optimizers"]} == set(FAMILIES)


def test_the_tables_say_what_is_saved():
    rows = table.rows_markdown(SAVED)
    assert rows.count("\n") == len(SAVED["optimizers"]) + 1
    assert "| `torch.optim.AdamW` | AdamW | m ← β₁m + (1−β₁)∇, v ← β₂v + (1−β₂)∇², θ ← (1−ηλ)θ − η·" in rows
    assert "| `torch.optim.NAdam` | NAdam with coupled decay; in float32 | " in rows
    folded = table.counterexamples_markdown(SAVED)
    assert folded.count("<details>") == folded.count("</details>") == len(SAVED["optimizers"])


def test_where_one_name_is_several_algorithms_is_found_by_comparison():
    pair = [Shown("Adam", Subject(kind, kind.__name__, "numpy")) for kind in (Adam, AdamW)]
    found = table.as_json(table.examine(pair, examples=10))
    assert table.differences(found) == [
        ("Adam", "decay", {"λθ is added to the gradient": ["Adam"], "θ ← (1−ηₜλ)θ beside the step": ["AdamW"]})
    ]
    assert "| Adam | decay | λθ is added to the gradient: `Adam`<br>" in table.differences_markdown(found)


def test_one_that_cannot_be_tried_has_a_row_that_says_why():
    class Broken:
        def step(self, params, grad, state, t):
            raise RuntimeError("no step today")

    broken = Shown("Adam", Subject(lambda eta: Broken(), "Broken", "numpy"))
    found = table.as_json(table.examine([broken]))
    assert "no step today" in found["optimizers"][0]["untold"][0]
    assert "| `Broken` | none of them; not told: anything | – |" in table.rows_markdown(found)


def test_the_command_writes_what_the_page_is_made_of(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.known, "shown", lambda library: [Shown("Adam", Subject(Adam, library, "numpy"))])
    path = tmp_path / "found.json"
    assert command.main(["own"]) == 0
    said = capsys.readouterr()
    assert said.err == "own\n"
    path.write_text(said.out)
    assert table.read(path)["optimizers"][0]["names"] == ["Adam with coupled decay"]
    path.write_text(json.dumps({"schema": "other"}))
    with pytest.raises(InputError, match="it must be a file of the schema"):
        table.read(path)


def test_an_unknown_library_is_refused():
    with pytest.raises(InputError, match="library = 'caffe' is not accepted: it must be one of own, torch"):
        shown("caffe")
