"""Every study one after the other."""

import pytest

from lemmascope.sims import registry
from tests.cli.test_study_command import TOY


@pytest.fixture
def house(monkeypatch, tmp_path):
    """A house of four studies: one as expected, one that fails, one that is refused, one that is not as expected."""
    import dataclasses

    (tmp_path / "toy.py").write_text(TOY)
    toy = registry.load(tmp_path / "toy.py")
    computed = []

    def counted(task):
        computed.append(task.key)
        return toy.experiments["cells"].compute(task)

    def fails(task):
        raise ZeroDivisionError("of a part")

    def named(name, compute, **changes):
        cells = dataclasses.replace(toy.experiments["cells"], compute=compute)
        return dataclasses.replace(toy, name=name, experiments={"cells": cells}, **changes)

    def false(settings, data):
        return [dataclasses.replace(one, parameters=dataclasses.replace(settings, lie=True)) for one in judged(data)]

    def judged(data):
        return toy.evidence(None, data)

    studies = {
        "broken": named("broken", fails),
        "coins": named("coins", counted),
        "false": named("false", counted, evidence=false),
        "refused": named("refused", counted, dtypes=("float64",), backends=("auto",)),
    }
    monkeypatch.setattr(registry, "names", lambda: tuple(studies))
    monkeypatch.setattr(registry, "study", studies.get)
    monkeypatch.setattr(registry, "title", lambda name: f"The study {name}.")
    (tmp_path / "out" / "refused").mkdir(parents=True)
    (tmp_path / "out" / "refused" / "thesis.txt").write_text("mine")
    return studies, computed


def rows(found):
    """The last table: study → the rest of its row."""
    lines = found.stdout.splitlines()
    head = max(k for k, line in enumerate(lines) if "verdicts as expected" in line and "took" in line)
    words = [line.split() for line in lines[head + 2 :] if line.strip()]
    return {first: " ".join(rest) for first, *rest in words}


def test_one_that_fails_does_not_keep_the_others_from_being_run(call_cli, house, tmp_path):
    studies, computed = house
    found = call_cli("all", "--tiny", "--out", "out")
    assert found.exit_code == 2
    table = rows(found)
    assert list(table) == list(studies)
    assert table["broken"].endswith("failed")
    assert table["coins"].startswith("1 of 1")
    assert table["coins"].endswith("s as expected")
    assert table["false"].startswith("0 of 1")
    assert table["false"].endswith("not as expected")
    assert table["refused"].endswith("refused")
    assert "ZeroDivisionError: of a part" in found.stderr
    assert "in the task cells seed=0 bias=0" in found.stderr
    assert "it holds files that are no results of lemmascope" in found.stderr
    assert (tmp_path / "out" / "refused" / "thesis.txt").read_text() == "mine"
    assert len(computed) == 4

    again = call_cli("all", "--tiny", "--out", "out")
    assert again.exit_code == 2
    assert rows(again).keys() == table.keys()
    assert "done already: 1 of 1 verdicts as expected" in again.stdout
    assert "done already: 0 of 1 verdicts as expected" in again.stdout
    assert len(computed) == 4

    (tmp_path / "out" / "coins" / "verdicts.json").unlink()
    call_cli("all", "--tiny", "--out", "out")
    assert (tmp_path / "out" / "coins" / "verdicts.json").exists()
    assert len(computed) == 4  # from its parts

    assert call_cli("all", "--tiny", "--out", "out", "--force").exit_code == 2
    assert len(computed) == 8


def test_the_worst_exit_state_is_that_of_all(call_cli, house):
    studies, _ = house
    del studies["broken"], studies["refused"]
    assert call_cli("all", "--tiny").exit_code == 1
    del studies["false"]
    assert call_cli("all", "--tiny").exit_code == 0
    assert call_cli("all", "--quick").exit_code == 2  # other settings than those that lie there
    assert call_cli("all", "--quick", "--full").exit_code == 2
