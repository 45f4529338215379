"""The README: short, its numbers come from saved verdicts, and its code runs."""

import re

from lemmascope.sims import registry
from lemmascope.sims.report.documents import BEGIN, ROOT, Saved

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 120


def test_it_has_the_picture_the_table_and_a_row_for_each_study():
    assert [found[1] for found in BEGIN.finditer(TEXT)] == ["table", "studies"]
    assert re.search(r"!\[[^\]]+\]\(docs/studies/\w+/\w+\.png\)", TEXT)
    rows = re.findall(r"^\| \[(\w+)\]\(docs/studies/\1\.md\) \|", TEXT, re.MULTILINE)
    assert tuple(rows) == registry.names()


def test_its_talks_table_has_three_roots_and_both_optimizers():
    block = TEXT.partition("<!-- begin table headline talk -->\n")[2].partition("<!-- end table -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines() if line.startswith("| ")]
    assert [(row[0], row[1]) for row in rows[1:]] == [(str(r), o) for r in range(3) for o in ("GD", "GD+M")]
    for _, optimizer, *cells in rows[1:]:
        assert [cell[0] for cell in cells] == ["✓", "✓", "✗" if optimizer == "GD" else "✓"]
    for found in Saved().roots("headline"):
        for optimizer, columns in found["tables"]["talk"]["values"].items():
            small = columns["small margin"]["accuracy"]
            assert any(row[:2] == [str(found["root_seed"]), optimizer] and f"{small:.3f}" in row[-1] for row in rows)


def test_its_python_runs_and_says_what_it_promises(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    code = FENCED.findall(TEXT)
    assert len(code) == 2
    for block in code:
        assert len([line for line in block.splitlines() if line.strip()]) <= 12
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in said] == [["GD", "REFUTED"], ["mine", "HOLDS"]]
    (_, control) = (v.control["status"] for v in names["ls"].cubic_cnn.judge(names["run"], [names["mine"]]))
    assert control == "REFUTED"


def test_it_speaks_of_each_page_that_it_links():
    for target in (
        "start",
        "studies/index",
        "proofs",
        "identities",
        "how-to/claim",
        "how-to/optimizer",
        "changes/index",
    ):
        assert f"](docs/{target}.md)" in TEXT
