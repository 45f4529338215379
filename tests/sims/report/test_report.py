"""What a reader gets: JSON under its schema, the talk's table, blocks, sentences."""

import dataclasses
import io
import json
import math
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import TrajectoryError
from lemmascope.sims.judge import judge
from lemmascope.sims.report import verdicts as report
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.verdict import Status

SCHEMA = json.loads((Path(report.__file__).parent / "verdicts.schema.json").read_text())
SMALL = Parameters(d=80, N=20, P=2, m=3, alpha=3, beta=0.2, mu=0.3, sigma=0.2, sigma_0=0.05)


@pytest.fixture(scope="module")
def run():
    return simulate(SMALL, {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.99)}, iterations=60, seeds=5)


@pytest.fixture(scope="module")
def verdicts(run):
    return judge(run)


def test_verdicts_json_obeys_its_schema(run, verdicts, tmp_path):
    found = report.verdicts_json(verdicts, run, report.talk_table(run))
    text = json.dumps(found, allow_nan=False)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert len(found["verdicts"]) == len(verdicts)
    (tmp_path / "v.json").write_text(text)
    assert report.read_verdicts(tmp_path / "v.json") == json.loads(text)


def test_the_schema_refuses_what_is_no_verdict(run, verdicts):
    found = json.loads(json.dumps(report.verdicts_json(verdicts, run)))
    for damage in ({"status": "TRUE"}, {"colour": "red"}, {"interval": [0.1]}):
        broken = {**found, "verdicts": [{**found["verdicts"][0], **damage}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, SCHEMA)


def test_every_field_of_a_verdict_is_documented(verdicts):
    text = (Path(__file__).parents[3] / "docs" / "results.md").read_text()
    for name in report.verdict_json(verdicts[0]):
        assert f"`{name}`" in text or name in ("reason", "evidence"), name


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "missing"), ("{", "truncated"), ("[1]", "no JSON object"), ('{"schema": "other/1"}', "other/1")],
)
def test_foreign_verdicts_are_refused(tmp_path, content, words):
    path = tmp_path / "v.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TrajectoryError, match=words):
        report.read_verdicts(path)


def test_the_talk_table_is_the_final_state(run):
    table = report.talk_table(run)
    at = run.isel(iteration=-1).sel(optimizer="GD+M")
    cell = table["GD+M"]["small margin"]
    values = sorted(at.test_accuracy.sel(margin="small").values)
    assert (cell.accuracy, cell.low, cell.high) == (values[2], values[0], values[4])
    assert cell.passed == sum(v >= 0.99 for v in values)
    train = table["GD"]["training loss"]
    gd = run.isel(iteration=-1).sel(optimizer="GD")
    n = gd.small_count
    accuracy = (gd.train_accuracy.sel(margin="large") * (20 - n) + gd.train_accuracy.sel(margin="small") * n) / 20
    assert train.accuracy == pytest.approx(float(accuracy.median()))
    assert train.loss == pytest.approx(float(gd.loss.sum("margin").median()))


def test_marks_follow_the_majority():
    cell = report.Cell(accuracy=1, low=0, high=1, passed=3, seeds=5)
    assert cell.mark == "✓"
    assert dataclasses.replace(cell, passed=2).mark == "✗"


def shown(items, width=100):
    console = Console(file=io.StringIO(), width=width)
    for item in items:
        console.print(item)
    return console.file.getvalue()


def test_blocks_show_status_number_hypotheses_and_control(verdicts):
    text = shown(report.claim_lines(verdicts))
    for v in verdicts:
        assert v.claim in text
        assert v.status.value in text
    assert "hypothesis long_enough fails" in text
    assert "control (a run whose gradient has the wrong sign): REFUTED" in " ".join(text.split())


def test_an_unexpected_status_is_marked(verdicts):
    good = next(v for v in verdicts if v.as_expected)
    bad = dataclasses.replace(good, status=Status.REFUTED)
    uncontrolled = dataclasses.replace(good, control={"description": "x", "status": "HOLDS"})
    assert shown(report.claim_lines([good])).startswith("✓")
    assert shown(report.claim_lines([bad])).startswith("✗ REFUTED")
    assert "(expected HOLDS)" in shown(report.claim_lines([bad]))
    assert shown(report.claim_lines([uncontrolled])).startswith("✗")


def test_the_catalogue_has_every_claim_whole():
    text = " ".join(shown(report.claims_catalogue(CLAIMS.values()), width=200).split())
    for claim in CLAIMS.values():
        assert claim.id in text
        assert " ".join(claim.plain.split()) in text
        assert f"source: {claim.source}" in text
        for h in claim.hypotheses:
            assert h.name in text


@pytest.mark.parametrize(
    ("x", "text"), [(None, "–"), (math.nan, "–"), (math.inf, "∞"), (-0.5, "−0.5"), (1234.5, "1.23e+03"), (2.64, "2.64")]
)
def test_numbers(x, text):
    assert report.number(x) == text


def test_sentences_come_from_the_numbers(run):
    first, second = report.meaning(run, report.talk_table(run))
    c = float(run.isel(iteration=-1).c.max("neuron").median("seed").sel(optimizer="GD+M"))
    assert report.number(c) in second
    assert first.startswith("GD:")
    assert "1/β = 5" in second
