"""A level on the command line: what is said before, what the run says of its plan, and what it costs."""

import json
import re

import pytest

STUDY = '''"""Coins that land on one side: 0 is the other."""

from dataclasses import dataclass

import xarray as xr

import lemmascope as ls


@dataclass(frozen=True)
class Settings:
    seeds: int = ls.option(40, "Coins at most.", tiny=4)
    level: float | None = ls.option(None, "Toss until it is decided whether the probability is at least this.")
    other: int = ls.option(-1, "The toss that lands on the other side.")


def toss(task):
    return xr.Dataset({"side": float(task.at["seed"] != task.settings.other)})


def one_side(evidence, side=1.0):
    return ls.Measurement(abs(evidence["side"] - side), upper=0.5)


ONE_SIDE = ls.Claim(id="coins.one_side", statement="$x = 1$", plain="x = 1", kind=ls.Kind.BOUND, source="user",
                    measure=one_side, probability=0.5, control=ls.Control("the other", constants={"side": 0.0}))

STUDY = ls.Study(
    name="coins",
    subject="coins",
    message="Coins land. They do.",
    settings=Settings,
    experiments={"tosses": ls.Experiment(lambda s: {"seed": range(s.seeds)}, toss)},
    evidence=lambda s, data: [ls.Evidence(data["tosses"], "the coins")],
    claims=[ONE_SIDE],
    sequential=lambda s: ls.Plan(s.level, s.seeds) if s.level is not None else None,
    seconds=40.0,
)
'''


@pytest.fixture
def coins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coins.py").write_text(STUDY)
    return "coins.py"


def flat(result):
    return re.sub(r"\s+", " ", result.output)


def test_the_run_says_plan_errors_and_draws(call_cli, coins, schema, tmp_path):
    result = call_cli("run", coins, "--level", "0.8", "--out", "out")
    assert result.exit_code == 0, result.output
    said = flat(result)
    assert "Decided draw by draw: p ≥ 0.8 HOLDS at draw 14, 32 with at most 0, 1 failures" in said
    assert "Errors of each claim by itself: at most 0.0" in said
    assert "true on 14 of the first 14 draws: p ≥ 0.8, error at most 0.05" in said
    assert "14 of 14 parts" in said
    document = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    schema(document)
    assert document["verdicts"][0]["sequential"]["draws"] == 14


def test_a_failure_makes_it_draw_on(call_cli, coins):
    result = call_cli("run", coins, "--level", "0.8", "--other", "3", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "true on 31 of the first 32 draws: p ≥ 0.8, error at most 0.05" in flat(result)
    assert "32 of 32 parts" in flat(result)
    assert result.output.count("more draws are taken: open are coins.one_side") == 2  # after 14, and after 30
    again = call_cli("claims", "out", "--study", coins)
    assert "true on 31 of the first 32 draws" in flat(again)


def test_what_it_costs_is_said_before(call_cli, coins):
    said = flat(call_cli("run", coins, "--level", "0.8", "--explain"))
    assert "Time: about 14 s if all is decided at the first look, at most 40 s on two cores." in said
    assert "Time: about 40 s on two cores." in flat(call_cli("run", coins, "--explain"))
    few = flat(call_cli("run", coins, "--level", "0.95", "--explain"))
    assert "40 seeds are too few, --seeds 59 decides" in few


@pytest.mark.parametrize("level", ["0", "1", "1.5", "nan"])
def test_levels_that_cannot_be_are_refused(call_cli, coins, level):
    result = call_cli("run", coins, "--level", level)
    assert result.exit_code == 2
    assert "level" in result.output
