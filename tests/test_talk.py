"""The page that goes through the talk and the lecture: all of both is on it, by names that exist, as it came out."""

import json
import re
import shutil

import pytest

from lemmascope.proofs_check import report as proofs_report
from lemmascope.proofs_check.conformance import IDENTITIES
from lemmascope.sims import registry
from lemmascope.sims.checksums import sealed
from lemmascope.sims.report import documents
from lemmascope.sims.report.documents import BEGIN, ROOT, Saved, rewritten
from lemmascope.sims.report.named import found, sections

PAGE = ROOT / "docs" / "explanation" / "talk.md"
TEXT = PAGE.read_text(encoding="utf-8")
PARTS = re.split(r"^### (.+)$", re.sub(r"^## .+$", "", TEXT, flags=re.MULTILINE), flags=re.MULTILINE)
SECTIONS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))
STUDIES = ("batch_size", "teacher", "temperature")
"""Those that are about the talk's pictures and tables, and the lecture."""

THEIRS = ("talk", "abstract", "slides")
"""Sources that are the talk's, the paper's abstract and the lecture's own."""

EQUATIONS = {
    r"$v_t = \mu v_{t-1} + \eta\hat g_t$": "running_average.unrolled",
    r"$\Phi_{t+1} = \Phi_t - v_t$": "schedule[inside]",
    r"$\eta = (1-\mu)B\eta_0$": "temperature.limit",
    r"$\bar x_t = \frac1N\sum_{k<N} x_{t-k}$": "lecture.window",
    r"$\tilde x_t = (1-\frac1N)\tilde x_{t-1} + \frac1N x_t$": "lecture.window",
    r"$\tilde x_t = \beta\tilde x_{t-1} + (1-\beta)x_t$": "lecture.convention",
    r"$\beta = 1 - \frac1N$": "lecture.convention",
    r"$v_t = (1-\frac1N)v_{t-1} + \frac1N(N\eta\hat g_t)$": "lecture.velocity",
    r"$\tilde g_t = (1-\frac1N)\tilde g_{t-1} + \frac1N\hat g_t$": "conventions.rescaled",
    r"$v_t = N\eta\tilde g_t$": "temperature.running_average",
    r"$\Phi_{t+1} = \Phi_t - N\eta\tilde g_t$": "rescaled_average",
    r"$\frac1B g_{t,b}$": "lecture.total_effect",
    r"$\sum_{i\ge0}\frac1N(1-\frac1N)^i = 1$": "running_average.weights",
    r"$\sum_t \tilde g_t$ is $\hat g_t$": "lecture.summed",
    r"$\frac NB\eta\,g_{t,b}$": "lecture.total_effect",
    r"$\eta = \frac BN\eta_0$": "lecture.rule",
}
"""The lecture's equations as the page writes them, and by which name each is stated in the same section."""


def named(text):
    """What a text's blocks name."""
    return {name for begin in BEGIN.finditer(text) if begin[1] == "found" for name in begin[2].split()}


def by_hand(text):
    """A text without what is made."""
    return rewritten(text, lambda name, words: "")


def stated():
    """Every claim with its study and its source, every proof step with its source."""
    for study in registry.names():
        for claim in registry.study(study).claims:
            yield claim.id, study, claim.source
    for step in proofs_report.catalogue():
        yield step["id"], "lecture" if step["id"].startswith("lecture.") else "", step["source"]


def test_all_that_stems_from_the_talk_and_the_lecture_is_on_it():
    subjects = {registry.study(name).subject for name in ("headline", *STUDIES)}
    others = {name for name in registry.names() if registry.study(name).subject not in subjects}
    theirs = {
        name
        for name, study, source in stated()
        if study in (*STUDIES, "lecture") or (source in THEIRS and study not in others)
    }
    assert len(theirs) > 50
    assert theirs - named(TEXT) == set()


def test_it_names_what_exists():
    assert named(TEXT) <= {name for name, _, _ in stated()} | set(IDENTITIES)


@pytest.mark.parametrize("name", ["gd.learns_everything", "lecture.nothing", "rescaled", "temperature"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"no claim, proof step or identity '{name}'"):
        found(Saved(), PAGE, "temperature.limit", name)


def test_every_slide_says_something_and_names_something():
    assert len(SECTIONS) > 20
    for heading, text in SECTIONS.items():
        assert named(text), heading
        assert len(by_hand(text).split()) > 10, heading
    assert [int(x) for x in re.findall(r"^### Slide (\d+):", TEXT, re.MULTILINE)] == list(range(2, 14))


@pytest.mark.parametrize(("equation", "name"), EQUATIONS.items())
def test_every_equation_of_the_lecture_stands_beside_what_states_it(equation, name):
    assert any(equation in by_hand(text) and name in named(text) for text in SECTIONS.values())


def test_no_verdict_is_written_by_hand():
    words = re.compile("HOLDS|REFUTED|PROVED|INCONCLUSIVE|NOT_APPLICABLE")
    for heading, text in SECTIONS.items():
        assert not words.search(by_hand(text)), heading


def test_the_commands_that_it_makes_are_commands():
    steps = {step["id"] for step in proofs_report.catalogue()}
    made = re.findall(r"\| \[`lemmascope (\w+)(?: --identity)? ?([^`]*)`\]", "".join(SECTIONS.values()))
    assert len(made) == sum(len(begin[2].split()) for begin in BEGIN.finditer(TEXT) if begin[1] == "found")
    for command, words in made:
        if command == "prove":
            assert words in steps
        elif command == "identities":
            assert words in IDENTITIES
        else:
            assert command in registry.names()
            assert not words


def test_pictures_are_there():
    for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT):
        assert (PAGE.parent / path).is_file(), path


def test_every_section_with_names_is_in_the_overview():
    made = sections(Saved(), PAGE)
    assert re.findall(r"^\| \[(.+?)\]\(#", made, re.MULTILINE) == [
        heading for heading, text in SECTIONS.items() if named(text)
    ]
    assert made in TEXT


def test_a_verdict_that_changes_is_seen_on_it(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__", "*.png"))
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    path = tmp_path / "docs" / "studies" / "temperature" / "verdicts.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    (limit,) = [v for v in saved["verdicts"] if v["claim"] == "temperature.limit"]
    (cnn,) = [v for v in saved["verdicts"] if v["claim"] == "temperature.cnn"]
    limit.update(status="REFUTED", as_expected=False, computed=0.5)
    cnn.update(status="INCONCLUSIVE", expected="INCONCLUSIVE", as_expected=True, computed=None)
    path.write_text(json.dumps(sealed(saved)), encoding="utf-8")
    page = tmp_path / "docs" / "explanation" / "talk.md"
    made = found(Saved(tmp_path), page, "temperature.limit", "temperature.cnn")
    assert "| 0.5<br>in [0.98, 1.02] | **REFUTED, not as expected** |" in made
    assert "| – | INCONCLUSIVE, as expected |" in made
    tallied = sections(Saved(tmp_path), page)
    assert tallied.count("1\u00a0**REFUTED, not as expected**") == 2
    assert "1\u00a0INCONCLUSIVE, as expected" in tallied


def test_cases_of_a_claim_and_optimizers_are_counted():
    made = found(Saved(), PAGE, "gaussian.momentum_does_not_help", "rescaled_average", "resumes", "no_momentum")
    lines = made.splitlines()[2:]
    assert re.search(r"\| [\d.]+ to [\d.]+<br>in \[0\.97, 1\.03\] \| \d+\s\w+", lines[0])
    assert re.search(r"\| true of MomentumVelocity; .*\| \d+\s✓<br>\d+\s✗ \|", lines[1])
    assert re.search(r"\| true of all but \S.*\| \d+\s✓<br>\d\s✗ \|", lines[2])
    assert re.search(r"\| true of all \| \d+\s✓ \|", lines[3])


def test_the_readme_and_the_first_page_lead_to_it():
    for path, link in (
        (ROOT / "README.md", "docs/explanation/talk.md"),
        (ROOT / "docs" / "index.md", "explanation/talk.md"),
    ):
        assert f"({link})" in path.read_text(encoding="utf-8")
    assert documents.documents()[PAGE] == TEXT
