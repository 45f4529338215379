"""The pages: what they show is what is saved, what they name exists, their formulas are drawn, their code runs."""

import ast
import importlib.util
import json
import pkgutil
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest

import lemmascope as ls
from lemmascope.cli.main import app
from lemmascope.cli.studies import command_of
from lemmascope.proofs_check import report as proofs_report
from lemmascope.proofs_check.conformance import IDENTITIES
from lemmascope.sims import registry
from lemmascope.sims.checksums import ResultsError, digest, sealed
from lemmascope.sims.report import documents
from lemmascope.sims.report.documents import BEGIN, BLOCKS, BUILT, ROOT, Saved, change_notes, rewritten
from lemmascope.sims.study import plain, settings_of

SAVED = Saved()
RELEASES = set((ROOT / "docs" / "changes").glob("[0-9]*.md"))
"""What they say was so then."""

NOTES = set(change_notes())
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md", ROOT / "benchmarks" / "README.md"]
PAGES += [page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in RELEASES]
HEADINGS = ["Message", "Setting", "Claims", "Pictures", "What is proved", "Where it ends", "Run it"]
ELSEWHERE = {"speed", "growth"}
"""Blocks that `lemmascope.benchmarks.record` makes."""

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
PLACEHOLDER = re.compile(r"NAME|SUBJECT|CHAPTER|STUDY|VERSION|EXPERIMENT|FILE|TARGET|…")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[str]:
    return [found[1] for found in BEGIN.finditer(path.read_text(encoding="utf-8"))]


def load_conf():
    spec = importlib.util.spec_from_file_location("lemmascope_docs_conf", ROOT / "docs" / "conf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CONF = load_conf()


# What is shown is what is saved


@pytest.fixture(scope="module")
def made():
    """The documents, of what is saved."""
    return documents.documents()


@pytest.mark.parametrize("path", [path for path in PAGES if set(blocks(path)) & set(BLOCKS)], ids=name)
def test_generated_blocks_are_those_of_the_saved_verdicts(made, path):
    assert made[path] == path.read_text(encoding="utf-8"), "run `python -m lemmascope.sims.report.documents`"


@pytest.fixture
def copy(tmp_path):
    """A repository that has the documents alone."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    return tmp_path


@pytest.mark.parametrize("study", SAVED.studies())
def test_a_changed_number_would_be_seen(copy, study):
    path = copy / "docs" / "studies" / study / "verdicts.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["verdicts"][0]["computed"] = 123.0
    found["verdicts"][-1]["as_expected"] = False
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ResultsError, match=r"verdicts\.json was changed since it was written"):
        documents.documents(copy)
    path.write_text(json.dumps(sealed(found)), encoding="utf-8")
    changed = {p.relative_to(copy) for p, text in documents.documents(copy).items() if text != p.read_text("utf-8")}
    assert {Path("README.md"), Path("docs", "studies", f"{study}.md")} <= changed


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_block_is_known_and_ends(path):
    text = CODE.sub("", path.read_text(encoding="utf-8"))
    begun = blocks(path)
    assert set(begun) <= set(BLOCKS) | ELSEWHERE
    assert sorted(begun) == sorted(re.findall(r"<!-- end (\w+) -->", text))
    assert {found[1] for found in CONF.BLOCK.finditer(text)} <= set(BUILT) | {"contents", "command"}
    assert text.count("<!--") == 2 * len(begun) + len(CONF.BLOCK.findall(text))


def test_a_block_without_an_end_is_an_error():
    with pytest.raises(ValueError, match="'claims' has no end"):
        rewritten("<!-- begin claims -->\n", lambda block, words: "")
    text = "<!-- begin a x y -->\nold\n<!-- end a -->\n<!-- begin b -->\nkept\n<!-- end b -->\n"
    made = rewritten(text, lambda block, words: " ".join(words) if block == "a" else None)
    assert made == text.replace("old", "x y")


def test_a_block_that_asks_for_what_is_not_there_is_an_error():
    page = SAVED.page("headline")
    with pytest.raises(ValueError, match="no proof step 'nothing'"):
        documents.proved(SAVED, page, "nothing")
    with pytest.raises(ValueError, match="no picture 'nothing'"):
        documents.pictures(SAVED, page, "nothing")
    assert "by machine" in documents.proved(SAVED, page)


def test_what_is_built_has_every_claim_and_every_symbol():
    made = documents.catalogue(SAVED, ROOT / "docs" / "reference" / "claims.md")
    for study in registry.names():
        for claim in registry.study(study).claims:
            (line,) = re.findall(rf"\| `{re.escape(claim.id)}` in `([^`]+)`", made)
            assert (ROOT / line).is_file()
    symbols = documents.symbols(SAVED, ROOT / "docs" / "reference" / "symbols.md")
    for subject in documents.subjects().values():
        assert all(f"`{symbol.code}`" in symbols for symbol in subject.symbols)
        assert all(paper.title in symbols for paper in (subject.paper, *subject.others))


# Keeping results


@pytest.fixture
def results(tmp_path, copy):
    """Results of a study as a run leaves them, and the repository that may keep them."""
    folder = tmp_path / "results" / "headline"
    (folder / "figures").mkdir(parents=True)
    found = SAVED.verdicts("headline")
    found["settings"] = plain(settings_of(registry.study("headline").settings))
    (folder / "figures" / "stages.png").write_bytes(b"drawn anew")
    keep(folder, found)
    return folder.parent


def keep(folder, found):
    """Write a folder's verdicts, and where they come from."""
    (folder / "verdicts.json").write_text(json.dumps(sealed(found)), encoding="utf-8")
    names = ("verdicts.json", "figures/stages.png")
    origin = {"wall_seconds": 77.0, "files": {name: digest(folder / name) for name in names}}
    (folder / "provenance.json").write_text(json.dumps(sealed(origin)), encoding="utf-8")


def test_results_of_the_default_size_are_kept(copy, results):
    assert documents.copy(results, copy) == []
    kept = copy / "docs" / "studies" / "headline"
    assert (kept / "stages.png").read_bytes() == b"drawn anew"
    assert json.loads((kept / "verdicts.json").read_text())["settings"]["seeds"] == 8
    assert "| 77 s |" in documents.documents(copy)[copy / "README.md"]


def test_a_look_is_not_kept_and_is_said(copy, results):
    path = results / "headline" / "verdicts.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    keep(path.parent, found | {"settings": found["settings"] | {"iterations": 4000}})
    before = (copy / "docs" / "studies" / "headline" / "verdicts.json").read_bytes()
    assert "not of the default size" in documents.copy(results, copy)[0]
    assert (copy / "docs" / "studies" / "headline" / "verdicts.json").read_bytes() == before


def test_another_run_is_kept_where_its_place_is_there(copy, results):
    for folder in ("root-1", "nowhere"):
        shutil.copytree(results / "headline", results / folder)
    (left,) = documents.copy(results, copy)
    assert "nowhere" in left
    assert json.loads((copy / "docs" / "studies" / "headline" / "root-1.json").read_text())["settings"]["seeds"] == 8
    assert not (copy / "docs" / "studies" / "headline" / "nowhere.json").exists()


# Every study has its page


@pytest.mark.parametrize("study", registry.names())
def test_a_study_has_a_page_with_its_headings_and_blocks(study):
    text = SAVED.page(study).read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", FENCE.sub("", text), re.MULTILINE) == HEADINGS
    sections = dict(zip(HEADINGS, re.split(r"^## .+$", text, flags=re.MULTILINE)[1:], strict=True))
    for block, heading in (("message", "Message"), ("claims", "Claims"), ("pictures", "Pictures")):
        assert f"<!-- begin {block}" in sections[heading]
    assert f"lemmascope {study}" in sections["Run it"]
    for heading, section in sections.items():
        assert len(re.sub(r"<!--.*?-->", "", section).split()) >= 5, f"{heading} says nothing"


@pytest.mark.parametrize("study", registry.names())
def test_saved_verdicts_are_of_todays_claims(study):
    today = {claim.id: claim for claim in registry.study(study).claims}
    runs = sorted(SAVED.folder(study).glob("*.json"))
    assert SAVED.folder(study) / "verdicts.json" in runs
    for path in runs:
        if path.name == "provenance.json":
            continue
        found = SAVED.verdicts(study, path.stem)
        assert found["study"] == study
        assert {v["claim"] for v in found["verdicts"]} == set(today)
        for v in found["verdicts"]:
            claim = today[v["claim"]]
            assert (v["statement"], v["plain"], v["source"]) == (claim.statement, claim.plain, claim.source)
            assert [h["name"] for h in v["hypotheses"]] == [h.name for h in claim.assumes]
            assert v["as_expected"]


def test_other_roots_are_what_they_are_called():
    for study in SAVED.studies():
        roots = [found["root_seed"] for found in SAVED.roots(study)]
        assert roots[0] == 0
        assert roots == sorted(set(roots))
        for path in SAVED.folder(study).glob("root-*.json"):
            assert path.stem == f"root-{SAVED.verdicts(study, path.stem)['root_seed']}"


@pytest.mark.parametrize("study", registry.names())
def test_pictures_have_captions(study):
    pictures = sorted(SAVED.folder(study).glob("*.png"))
    assert pictures
    assert {p.stem for p in pictures} == {p.name.split(".")[0] for p in SAVED.folder(study).glob("*.caption.txt")}
    for picture in pictures:
        assert picture.stat().st_size > 10_000
        assert picture.with_suffix(".caption.txt").read_text(encoding="utf-8").strip()


def test_saved_proofs_and_identities_are_todays():
    today = {step["id"]: step for step in proofs_report.catalogue()}
    found = {v["claim"]: v for v in SAVED.proofs["verdicts"]}
    assert list(found) == list(today)
    for step, v in found.items():
        assert (v["statement"], v["plain"]) == (today[step]["statement"], today[step]["plain"])
        assert (v["evidence"]["method"], v["evidence"]["planted"]) == (today[step]["method"], today[step]["planted"])
        assert v["as_expected"]
    assert SAVED.identities["identities"] == {name: identity.statement for name, identity in IDENTITIES.items()}
    for row in SAVED.identities["optimizers"]:
        fails = {name for name, finding in row["findings"].items() if finding["mark"] == "✗"}
        assert row["keeps_convention"] in ((False,) if fails & set(row["departs"]) else (True, None)), row["optimizer"]
        assert set(row["departs"]) <= fails, row["optimizer"]
        assert row["remark"] or not row["departs"], row["optimizer"]
        assert row["departs"] or row["convention"] in (row["satisfies"] or [row["convention"]]), row["optimizer"]


def test_the_table_has_optimizers_of_many_libraries():
    rows = [row for row in SAVED.identities["optimizers"] if row["documented"]]
    libraries = {re.split(r"[. ]", row["optimizer"])[0] for row in rows}
    assert {"torch", "optax", "sklearn", "keras", "torch_optimizer", "pytorch_optimizer", "schedulefree"} <= libraries
    assert all(row["which"] is not None for row in rows)
    assert len(rows) >= 30


def test_a_note_is_one_line():
    for path in NOTES:
        text = path.read_text(encoding="utf-8")
        assert text.strip(), path
        assert text.count("\n") == 1, path
        assert not text.startswith(("#", "-")), path


# What is named exists


def anchors(text: str) -> set[str]:
    """Of a page's headings, as they are made where pages lie and by the site alike."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [*PAGES, *RELEASES], ids=name)
def test_links_lead_somewhere(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        where, _, anchor = target.partition("#")
        found = path.parent / where if where else path
        assert found.exists(), target
        if anchor and not re.search("<!-- build", found.read_text(encoding="utf-8")):
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


def commands() -> dict[str, set[str]]:
    """The flags of every command."""
    found = {}
    with click.Context(app, info_name="lemmascope") as context:
        for one in app.list_commands(context):
            params = app.get_command(context, one).get_params(context)
            found[one] = {flag for p in params if isinstance(p, click.Option) for flag in (*p.opts, *p.secondary_opts)}
    return found


COMMANDS = commands()
FLAGS = set().union(*COMMANDS.values(), {"--version"})
OTHERS = {"--peers", "--hypothesis-profile", "--no-deps", "--wheel-dir", "--durations"}
"""Flags of pytest and pip that the pages name."""

TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def unknown(text: str, folder: Path = ROOT) -> list[str]:
    """What a page names and is not there: commands, flags, targets of make, modules, public names; files, which are
    named from the root on or from the page's folder."""
    lines = [
        re.sub(r"\s+#.*", "", line)
        for language, block in FENCE.findall(text)
        if language == "sh"
        for line in block.splitlines()
    ]
    return [problem for one in [*lines, *CODE.findall(FENCE.sub("", text))] for problem in _wrong(one.strip(), folder)]


def _wrong(code: str, folder: Path) -> list[str]:
    if code.startswith("lemmascope "):
        return _wrong_command(code)
    if code.startswith("make "):
        return [f"no target: {code}" for word in code.split()[1:2] if word not in TARGETS]
    if code.startswith("python -m lemmascope"):
        return [] if importlib.util.find_spec(code.split()[2]) else [f"no module: {code}"]
    if re.fullmatch(r"--[a-z][a-z0-9-]*", code):
        return [] if code in FLAGS | OTHERS else [f"no flag: {code}"]
    if re.fullmatch(r"(theory|sims|proofs_check|tests|docs|benchmarks|examples|lemmascope)/[\w./*-]*", code):
        there = any(any(root.glob(code.rstrip("/"))) for root in (ROOT, folder))
        return [] if there or PLACEHOLDER.search(code) else [f"no file: {code}"]
    dotted = re.match(r"(ls|lemmascope)((\.\w+)+)(?![\w.…])", code)
    if dotted and not PLACEHOLDER.search(code):
        try:
            pkgutil.resolve_name(f"lemmascope{dotted[2]}")
        except (ImportError, AttributeError):
            return [f"no name: {code}"]
    return []


def _wrong_command(code: str) -> list[str]:
    words = shlex.split(re.split(r"\s\|\s|\s&&\s", code)[0])
    command = words[1]
    if PLACEHOLDER.search(command):
        known = set.intersection(*(COMMANDS[study] for study in registry.names()))
    elif command == "run":
        known = FLAGS
        own = ROOT / "examples" / Path(words[2]).name if len(words) > 2 else ROOT
        if own.is_file():
            known = {flag for option in command_of(registry.load(own)).params for flag in option.opts}
    elif command in COMMANDS:
        known = COMMANDS[command]
    else:
        return [] if command in ("--help", "--version") else [f"no command: {code}"]
    flags = [word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-zA-Z]", word)]
    return [f"no flag {flag}: {code}" for flag in flags if flag not in known | {"--help", "-h"}]


@pytest.mark.parametrize("path", [path for path in PAGES if path not in NOTES], ids=name)
def test_what_a_page_names_exists(path):
    assert unknown(path.read_text(encoding="utf-8"), path.parent) == []


@pytest.mark.parametrize(
    "code",
    [
        "lemmascope headlines",
        "lemmascope headline --quik",
        "lemmascope NAME --alpha 3",
        "make everything",
        "python -m lemmascope.nothing",
        "--no-such-flag",
        "theory/cubic_cnn/nothing.py",
        "lemmascope.sims.simulate",
        "ls.Nothing",
    ],
)
def test_a_name_of_nothing_is_seen(code):
    assert unknown(f"Take `{code}`.")
    if code.startswith("lemmascope "):
        assert unknown(f"```sh\n{code}   # so it is\n```\n")


def test_a_name_of_something_is_not_taken_for_nothing():
    text = (
        "`lemmascope headline --quick`, `make test`, `--trace`, `theory/*.py`, `ls.Claim`, `lemmascope NAME --resume`"
    )
    assert unknown(text) == []


def test_the_reference_lists_exactly_the_public_names():
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto\w+:: lemmascope\.(\w+)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(ls.__all__)
    assert len(set(listed)) == len(listed)


def test_public_names_have_docstrings():
    for one in ls.__all__:
        assert (getattr(ls, one).__doc__ or "").strip(), one


# Formulas, and the network


def formulas() -> list[str]:
    """Every formula of the pages, and of claims that are not on one yet."""
    found = []
    for path in PAGES:
        text = CODE.sub("", FENCE.sub("", path.read_text(encoding="utf-8")))
        found += re.findall(r"(?<!\\)\$\$([^$]+?)\$\$", text)
        found += re.findall(r"(?<!\\)\$([^$]+?)\$", re.sub(r"\$\$[^$]+?\$\$", "", text))
    for study in registry.names():
        for claim in registry.study(study).claims:
            for text in (claim.statement, *(h.statement for h in claim.assumes)):
                found += re.findall(r"\$([^$]+)\$", text)
    return list(dict.fromkeys(found))


def test_formulas_are_drawn_without_a_script():
    every = formulas()
    assert len(every) > 100
    for formula in every:
        assert CONF.mathml(formula).startswith("<math")


@pytest.mark.parametrize("formula", [r"\nosuchthing x", r"\frac{1}{", r"x \begin{nothing}"])
def test_a_formula_that_cannot_be_drawn_is_an_error(formula):
    with pytest.raises(ValueError, match=r"cannot be read|is not known"):
        CONF.mathml(formula)


def test_a_page_that_loads_from_elsewhere_is_seen():
    here = (
        '<link rel="canonical" href="https://a.org/"><a href="https://b.org/">b</a><img src="c.png"><script src="d.js">'
    )
    assert CONF.loaded_from_elsewhere(here) == []
    there = (
        '<script src="https://cdn.org/x.js"></script><link rel="stylesheet" href="//cdn.org/y.css">'
        '<img src="http://cdn.org/z.png"><link href="https://cdn.org/font" rel="preload">'
    )
    assert len(CONF.loaded_from_elsewhere(there)) == 4


def test_nothing_of_the_site_names_a_study():
    """What is shared finds studies by their files."""
    for path in (ROOT / "docs" / "conf.py", ROOT / "sims" / "report" / "documents.py"):
        words = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not words & set(registry.names())


# The code of the pages


@pytest.mark.parametrize("page", ["start", "how-to/claim", "how-to/optimizer", "how-to/lemma", "how-to/noise"])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    every = [
        block
        for language, block in FENCE.findall((ROOT / "docs" / f"{page}.md").read_text("utf-8"))
        if language == "python"
    ]
    assert every
    for block in every:
        exec(compile(block, f"{page}.md", "exec"), names)
    said = capsys.readouterr().out
    if page == "start":
        assert "HOLDS gdm.generalizes GD+M" in said
        assert len(list(Path("my-figures").glob("*.pdf"))) == 4
    if page == "how-to/claim":
        assert re.findall(r"^(\w+)", said, re.MULTILINE) == ["HOLDS", "HOLDS"]
        assert said.count("REFUTED") == 2
        assert names["slope"](None).value == -0.24
    if page == "how-to/noise":
        independent, epochs = (
            names["ls"].memory.local_whittle(names["noise"][name]) for name in ("independent", "epochs")
        )
        assert abs(independent.H - 0.5) < 4 * independent.error
        assert epochs.out_of_range
        assert said.count("out of range") == said.count("an estimate") == 1
        assert abs(names["H"][0] - 0.5) < 0.05 > abs(names["H"][-1])
        assert abs(names["found"].H.mean() - 0.3) < 0.015


def test_the_lemma_of_the_page_is_proved_and_its_planted_error_is_refuted(tmp_path):
    text = (ROOT / "docs" / "how-to" / "lemma.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(FENCE.search(text)[2], names)
    (verdict,) = ls.prove(own=names["CHAPTER"])
    assert (verdict.status, verdict.as_expected) == (ls.Status.PROVED, True)
    assert verdict.control["status"] == "REFUTED"
