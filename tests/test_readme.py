"""The README: its numbers come from saved verdicts, its code runs, its links lead somewhere."""

import re
from pathlib import Path

import pytest

from lemmascope.proofs_check.conformance import IDENTITIES, table
from lemmascope.proofs_check.step import chapters
from lemmascope.sims.report.documents import FIGURES, ROOT, blocks, documents, proofs, rewritten, saved, single
from lemmascope.theory.cubic_cnn.claims import CLAIMS

TEXT = (ROOT / "README.md").read_text()
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/float32.md", "docs/proofs.md", "docs/identities.md"])
def test_generated_blocks_are_those_of_the_saved_verdicts(name):
    text = (ROOT / name).read_text()
    assert rewritten(text, documents()[ROOT / name]) == text, "run `make readme`"


def test_a_changed_number_would_be_seen():
    found = saved()
    found[0]["verdicts"][0]["computed"] = 123.0
    assert rewritten(TEXT, blocks(found)) != TEXT


def test_saved_verdicts_are_of_three_roots_and_of_todays_claims():
    found = saved()
    assert [v["root_seed"] for v in found] == [0, 1, 2]
    assert single()["root_seed"] == 0
    for verdicts in [*found, single()]:
        assert {v["claim"] for v in verdicts["verdicts"]} == set(CLAIMS)
        for v in verdicts["verdicts"]:
            claim = CLAIMS[v["claim"]]
            assert (v["statement"], v["plain"], v["source"]) == (claim.statement, claim.plain, claim.source)
            assert [h["name"] for h in v["hypotheses"]] == [h.name for h in claim.hypotheses]


def test_saved_proofs_and_identities_are_todays():
    steps = {step.id: step for chapter in chapters() for step in chapter.steps}
    found = {v["step"]: v for v in proofs()["verdicts"]}
    assert list(found) == list(steps)
    for name, v in found.items():
        step = steps[name]
        assert (v["statement"], v["plain"], v["method"]) == (step.statement, step.plain, step.method)
        assert v["planted"] == [planted.description for planted in step.planted]
        assert v["as_expected"]
    saved_identities = table.read(ROOT / "docs" / "proofs" / "identities.json")
    assert saved_identities["identities"] == {name: identity.statement for name, identity in IDENTITIES.items()}
    assert all(row["keeps_convention"] for row in saved_identities["optimizers"])


def test_pictures_have_captions():
    for name in FIGURES:
        assert (ROOT / "docs" / "headline" / f"{name}.png").stat().st_size > 10_000
        assert (ROOT / "docs" / "headline" / f"{name}.caption.txt").read_text().strip()


def test_missing_marks_are_an_error():
    with pytest.raises(ValueError, match="talk"):
        rewritten("no marks", blocks(saved()))
    assert set(blocks(saved())) == {"talk", "claims"}


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / document).parent / target).exists(), target


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    code = FENCED.findall(TEXT)
    assert len(code) == 4
    for block in code:
        exec(compile(block, "README.md", "exec"), names)
    assert "HOLDS" in capsys.readouterr().out
    assert list(names["run"].optimizer.values) == ["GD", "mine"]
    assert len(list(Path("my-figures").glob("*.pdf"))) == 4


def test_the_claim_of_the_readme_holds_and_can_be_refuted():
    names: dict = {}
    _, first, claim, _ = FENCED.findall(TEXT)
    exec(first.split("for verdict")[0] + claim, names)
    (verdict,) = names["judge"](names["run"], [names["mine"]])
    assert verdict.as_expected
    assert verdict.control["status"] == "REFUTED"
