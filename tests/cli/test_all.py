"""Every study one after the other."""

from pathlib import Path

import pytest

from lemmascope.sims import registry
from tests.cli.test_study_command import TOY


@pytest.fixture
def house(monkeypatch, tmp_path):
    """A house of four studies: one as expected, one that fails, one that is refused, one that is not as expected."""
    studies = {}
    counts = tmp_path / "computed"
    counts.touch()
    counted = f"def toss(task):\n    with open({str(counts)!r}, 'a') as file:\n        print(task.key, file=file)\n"

    def named(name, **changes):
        studies.pop(name, None)
        path = tmp_path / "studies" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        text = TOY.replace('name="toy"', f'name="{name}"').replace("def toss(task):\n", counted)
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        return registry.load(path)

    fails = (counted, "def toss(task):\n    raise ZeroDivisionError('of a part')\n")
    lies = ("    s = evidence.parameters\n", "    s, factor = evidence.parameters, -1.0\n")
    studies |= {
        "broken": named("broken", fails=fails),
        "coins": named("coins"),
        "false": named("false", lies=lies),
        "refused": named("refused"),
    }

    def computed():
        return len(counts.read_text().splitlines())

    monkeypatch.setattr(registry, "names", lambda: tuple(studies))
    monkeypatch.setattr(registry, "study", studies.get)
    monkeypatch.setattr(registry, "title", lambda name: f"The study {name}.")
    (tmp_path / "out" / "refused-tiny").mkdir(parents=True)
    (tmp_path / "out" / "refused-tiny" / "thesis.txt").write_text("mine")
    return studies, computed, named


def rows(found):
    """The last table: study → the rest of its row."""
    lines = found.stdout.splitlines()
    head = max(k for k, line in enumerate(lines) if "verdicts as expected" in line and "took" in line)
    words = [line.split() for line in lines[head + 2 :] if line.strip()]
    return {first: " ".join(rest) for first, *rest in words}


def test_one_that_fails_does_not_keep_the_others_from_being_run(call_cli, house, tmp_path):
    studies, computed, _ = house
    found = call_cli("all", "--tiny", "--out", "out")
    assert found.exit_code == 2
    table = rows(found)
    assert list(table) == list(studies)
    assert table["broken"].endswith("refused")  # a study of the house that fails is a fault of ours
    assert table["coins"].startswith("1 of 1")
    assert table["coins"].endswith("s as expected")
    assert table["false"].startswith("0 of 1")
    assert table["false"].endswith("not as expected")
    assert table["refused"].endswith("refused")
    assert "ZeroDivisionError: of a part" in found.stderr
    assert "in the task cells seed=0 bias=0" in found.stderr
    assert "it holds files that are no results of lemmascope" in found.stderr
    assert (tmp_path / "out" / "refused-tiny" / "thesis.txt").read_text() == "mine"
    assert computed() == 4

    again = call_cli("all", "--tiny", "--out", "out")
    assert again.exit_code == 2
    assert rows(again).keys() == table.keys()
    assert "done already: 1 of 1 verdicts as expected" in again.stdout
    assert "done already: 0 of 1 verdicts as expected" in again.stdout
    assert computed() == 4

    (tmp_path / "out" / "coins-tiny" / "verdicts.json").unlink()
    call_cli("all", "--tiny", "--out", "out")
    assert (tmp_path / "out" / "coins-tiny" / "verdicts.json").exists()
    assert computed() == 4  # from its parts

    assert call_cli("all", "--tiny", "--out", "out", "--force").exit_code == 2
    assert computed() == 8


def test_what_other_code_computed_is_computed_again_and_that_is_said(call_cli, house):
    studies, computed, named = house
    for name in ("broken", "false", "refused"):
        del studies[name]
    assert call_cli("all", "--tiny").exit_code == 0
    assert computed() == 2
    studies["coins"] = named("coins", text=("times", "often"))  # of what is shown
    found = call_cli("all", "--tiny")
    assert (found.exit_code, computed()) == (0, 2)
    assert "done already" in found.stdout
    studies["coins"] = named("coins", code=("< p).mean()", "<= p).mean()"))
    found = call_cli("all", "--tiny")
    assert (found.exit_code, computed()) == (0, 4)
    assert "its parts were computed by another version of the code; they are computed again" in found.stdout
    assert "done already" in call_cli("all", "--tiny").stdout
    assert computed() == 4


def test_the_worst_exit_state_is_that_of_all(call_cli, house):
    studies, *_ = house
    del studies["broken"], studies["refused"]
    assert call_cli("all", "--tiny").exit_code == 1
    del studies["false"]
    assert call_cli("all", "--tiny").exit_code == 0
    assert call_cli("all", "--quick").exit_code == 0  # each size has a folder of its own
    assert {path.name for path in Path("results").iterdir()} == {"coins-tiny", "false-tiny", "coins-quick"}
    assert call_cli("all", "--quick", "--full").exit_code == 2


def test_it_goes_on_with_resume_as_its_interrupt_says(call_cli, house, tmp_path):
    studies, computed, _ = house
    for name in ("broken", "false", "refused"):
        del studies[name]
    fresh = call_cli("all", "--tiny", "--resume", "--out", "fresh")
    assert fresh.exit_code == 0
    assert "there is nothing in fresh/coins-tiny to resume; it begins anew" in fresh.stdout
    (tmp_path / "fresh" / "coins-tiny" / "verdicts.json").unlink()
    min((tmp_path / "fresh" / "coins-tiny" / "parts").glob("*.npz")).unlink()
    again = call_cli("all", "--tiny", "--resume", "--out", "fresh")
    assert again.exit_code == 0
    assert "1 of 2 parts are there already" in again.stdout
    assert computed() == 3
    assert "resume" not in call_cli("all", "--tiny", "--out", "other").stdout
