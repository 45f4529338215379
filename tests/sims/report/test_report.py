"""What a reader gets of verdicts: JSON under its schema, tables, blocks."""

import dataclasses
import io
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from rich.console import Console

from lemmascope.sims.cubic_cnn.controls import CONTROLS
from lemmascope.sims.cubic_cnn.evidence import evidence
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.files import ResultsError
from lemmascope.sims.judge import judge
from lemmascope.sims.report import verdicts as report
from lemmascope.sims.studies import headline
from lemmascope.sims.study import Result
from lemmascope.sims.tables import Table, number
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.verdict import Status

SCHEMA = json.loads((Path(report.__file__).parent / "verdicts.schema.json").read_text())
SMALL = Parameters(d=80, N=20, P=2, m=3, alpha=3, beta=0.2, mu=0.3, sigma=0.2, sigma_0=0.05)


@pytest.fixture(scope="module")
def run():
    return simulate(SMALL, {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.99)}, iterations=60, seeds=5)


@pytest.fixture(scope="module")
def result(run):
    """As a study's, with a table."""
    settings = headline.Settings(seeds=5, iterations=60, parameters=SMALL)
    seen = tuple(evidence(run))
    found = judge(TRAJECTORY, seen, CONTROLS)
    return Result(headline.STUDY, settings, 3, {"trajectory": run, "learning_rates": run}, seen, found)


@pytest.fixture(scope="module")
def verdicts(result):
    return result.verdicts


# --- verdicts.json -------------------------------------------------------------------------------------------------


def test_verdicts_json_obeys_its_schema(result, verdicts, tmp_path):
    found = report.verdicts_json(result)
    text = json.dumps(found, allow_nan=False)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert len(found["verdicts"]) == len(verdicts)
    (tmp_path / "v.json").write_text(text)
    assert report.read_verdicts(tmp_path / "v.json") == json.loads(text)
    assert json.dumps(report.verdicts_json(result), allow_nan=False) == text


def test_verdicts_json_says_what_was_run_and_judged(result):
    found = report.verdicts_json(result)
    assert (found["study"], found["subject"], found["root_seed"]) == ("headline", "cubic_cnn", 3)
    assert found["settings"]["rates"] == [0.2, 0.3, 0.45]
    assert found["settings"]["parameters"] == SMALL.to_dict()
    assert [(one["label"], one["role"]) for one in found["evidence"]] == [
        ("GD", "gd"),
        ("GD+M", "momentum"),
        ("2 optimizers", "family"),
    ]
    assert all(one["parameters"] == SMALL.to_dict() for one in found["evidence"])
    table = found["tables"]["talk"]
    assert table["columns"][1:] == ["training loss", "large margin", "small margin"]
    cell = headline.talk_table(result.data["trajectory"])["GD+M"]["small margin"]
    assert table["values"]["GD+M"]["small margin"]["accuracy"] == cell.accuracy
    assert {v["label"] for v in found["verdicts"]} == {"GD", "GD+M", "2 optimizers"}


def test_verdicts_alone_are_a_document_too(verdicts):
    """As of claims that belong to no study, and of nothing drawn."""
    found = json.loads(json.dumps(report.document("mine", verdicts[:1]), allow_nan=False))
    jsonschema.validate(found, SCHEMA)
    assert (found["root_seed"], found["settings"], found["evidence"], found["tables"]) == (None, {}, [], {})


def test_what_is_not_finite_is_null(verdicts):
    odd = dataclasses.replace(
        verdicts[0],
        computed=math.nan,
        lower=-math.inf,
        upper=math.inf,
        by_seed={"computed": [1.0, math.nan]},
        evidence={"slope": np.float64(0.5), "pair": (np.int64(1), math.inf), "deep": {"x": np.array([1.0, math.nan])}},
    )
    found = report.verdict_json(odd)
    assert (found["computed"], found["lower"], found["upper"]) == (None, None, None)
    assert found["by_seed"]["computed"] == [1.0, None]
    assert found["evidence"] == {"slope": 0.5, "pair": [1, None], "deep": {"x": [1.0, None]}}
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "damage", [{"status": "TRUE"}, {"colour": "red"}, {"interval": [0.1]}, {"source": "a dream"}, {"optimizer": "GD"}]
)
def test_the_schema_refuses_what_is_no_verdict(result, damage):
    found = json.loads(json.dumps(report.verdicts_json(result)))
    broken = {**found, "verdicts": [{**found["verdicts"][0], **damage}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


@pytest.mark.parametrize("field", ["study", "root_seed", "settings", "evidence", "tables", "verdicts", "schema"])
def test_the_schema_misses_what_is_left_out(result, field):
    found = json.loads(json.dumps(report.verdicts_json(result)))
    del found[field]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)


def test_every_field_is_documented(result, verdicts):
    text = (Path(__file__).parents[3] / "docs" / "reference" / "results.md").read_text()
    for name in report.verdict_json(verdicts[0]):
        assert f"`{name}`" in text or name in ("reason", "evidence"), name
    for name in report.verdicts_json(result):
        assert f"`{name}`" in text or name in ("schema", "lemmascope_version"), name


def test_the_schema_knows_every_source():
    from lemmascope.theory.verdict import SOURCES, Kind

    fields = SCHEMA["$defs"]["verdict"]["properties"]
    assert tuple(fields["source"]["enum"]) == SOURCES
    assert fields["kind"]["enum"] == [kind.value for kind in Kind]
    assert SCHEMA["$defs"]["status"]["enum"] == [status.value for status in Status]
    assert SCHEMA["properties"]["schema"]["const"] == report.VERDICTS_SCHEMA


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "missing"),
        ("{", "truncated"),
        ("[1]", "no JSON object"),
        ('{"schema": "other/1"}', "other/1"),
        ('{"schema": "lemmascope-verdicts/1"}', "lemmascope-verdicts/1"),
    ],
)
def test_foreign_verdicts_are_refused(tmp_path, content, words):
    path = tmp_path / "v.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ResultsError, match=words):
        report.read_verdicts(path)


# --- a terminal ----------------------------------------------------------------------------------------------------


def shown(items, width=100):
    console = Console(file=io.StringIO(), width=width)
    for item in items:
        console.print(item)
    return console.file.getvalue()


def test_a_table_is_shown_as_it_is(result):
    (table,) = headline.tables(result)
    text = shown([report.table_text(table)], width=140)
    for row in table.rows:
        for cell in row:
            assert all(line.strip() in text for line in cell.splitlines())
    assert " ".join(table.caption.split()) in " ".join(text.split())
    assert table.title in text


def test_brackets_in_a_table_are_no_markup():
    table = Table("t", "[bold]", ["[red]", "b"], [["[0.1, 0.2]", "[/]"]], caption="[smallest, largest] [/x]")
    text = " ".join(shown([report.table_text(table)]).split())
    for part in ("[bold]", "[red]", "[0.1, 0.2]", "[/]", "[smallest, largest] [/x]"):
        assert part in text


def test_a_table_with_a_ragged_row_is_refused():
    with pytest.raises(InputError, match=r"table t = .*2 cells"):
        Table("t", "title", ["a", "b"], [["1", "2"], ["3"]])


def test_blocks_show_status_number_hypotheses_and_control(verdicts):
    text = shown(report.claim_lines(verdicts))
    for v in verdicts:
        assert v.claim in text
        assert v.status.value in text
    assert "hypothesis long_enough fails" in text
    assert "control (a run whose gradient has the wrong sign): REFUTED" in " ".join(text.split())
    assert "· GD+M" in text


def test_an_unexpected_status_is_marked(verdicts):
    good = next(v for v in verdicts if v.as_expected)
    bad = dataclasses.replace(good, status=Status.REFUTED)
    uncontrolled = dataclasses.replace(good, control={"description": "x", "status": "HOLDS"})
    left_out = dataclasses.replace(good, control={"description": "x", "status": "not run"})
    assert shown(report.claim_lines([good])).startswith("✓")
    assert shown(report.claim_lines([bad])).startswith("✗ REFUTED")
    assert "(expected HOLDS)" in shown(report.claim_lines([bad]))
    assert shown(report.claim_lines([uncontrolled])).startswith("✗")
    assert shown(report.claim_lines([left_out])).startswith("–")


def test_an_open_question_is_marked_and_counted(verdicts):
    good = next(v for v in verdicts if v.as_expected)
    asked = dataclasses.replace(good, status=Status.REFUTED, expected=None)
    spoilt = dataclasses.replace(asked, control={"description": "x", "status": "HOLDS"})
    text = shown(report.claim_lines([asked]))
    assert text.startswith("? REFUTED")
    assert "(an open question)" in " ".join(text.split())
    assert shown(report.claim_lines([spoilt])).startswith("✗")
    outside = dataclasses.replace(asked, status=Status.NOT_APPLICABLE)
    assert shown(report.claim_lines([outside])).startswith("– NOT_APPLICABLE")
    assert "1 of 1 verdicts as expected: 1 REFUTED; 1 of them is an open question" in report.counted([asked])
    assert report.verdict_json(asked)["expected"] is None


def test_an_exact_statement_has_no_count_of_seeds(verdicts):
    good = next(v for v in verdicts if v.as_expected)
    exact = dataclasses.replace(good, seeds=(), holding=(), interval=None, reason="exact: it is so", label="")
    text = shown(report.claim_lines([exact]))
    assert "exact: it is so" in text
    assert "0 of 0" not in text
    assert "·" not in text.splitlines()[0]


@pytest.mark.parametrize(
    ("x", "text"), [(None, "–"), (math.nan, "–"), (math.inf, "∞"), (-0.5, "−0.5"), (1234.5, "1.23e+03"), (2.64, "2.64")]
)
def test_numbers(x, text):
    assert number(x) == text


@pytest.mark.parametrize(
    ("computed", "lower", "upper", "text"),
    [
        (2.64, 0.161, 6.21, "2.64 in [0.161, 6.21]"),
        (0.502, -math.inf, 0.55, "0.502 ≤ 0.55"),
        (0.6, -math.inf, 0.55, "0.6 > 0.55"),
        (0.95, 0.9, math.inf, "0.95 ≥ 0.9"),
        (0.8, 0.9, math.inf, "0.8 < 0.9"),
        (0.8, -math.inf, math.inf, "0.8"),
        (None, 0.0, 1.0, "–"),
    ],
)
def test_bounds(verdicts, computed, lower, upper, text):
    assert report.bound(dataclasses.replace(verdicts[0], computed=computed, lower=lower, upper=upper)) == text


def test_a_refutation_shows_its_witness(verdicts):
    """The median may satisfy what some seed refutes."""
    good = next(v for v in verdicts if v.computed is not None and v.seeds)
    witness = {"seed": 3, "computed": 7.0, "lower": -math.inf, "upper": 2.0}
    refuted = dataclasses.replace(good, status=Status.REFUTED, computed=1.0, upper=2.0, witness=witness)
    text = shown(report.claim_lines([refuted]))
    assert "seed 3: 7 > 2" in text
    assert "1 ≤ 2" not in text


def test_a_claim_without_a_control_says_so(verdicts):
    assert "control: none" in shown(report.claim_lines([dataclasses.replace(verdicts[0], control=None)]))


def test_a_narrow_terminal_keeps_the_names_of_rows(result):
    (table,) = result.study.tables(result)
    text = shown([report.table_text(table)], width=80)
    for row in table.rows:
        assert row[0] in text
