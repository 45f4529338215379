"""The page on how often a claim is true: its numbers are those of the plan."""

import json
import math
import re
from fractions import Fraction
from pathlib import Path

from lemmascope.theory.sequential import Plan

DOCS = Path(__file__).parents[1] / "docs"
PAGE, STUDIES = (DOCS / "explanation" / "draws.md").read_text(encoding="utf-8"), DOCS / "studies"
PLAN = Plan(0.95, 220)


def test_its_table_is_exact():
    rows = re.findall(r"^\| ([0-9.]+) \|(.*)\|$", PAGE, re.MULTILINE)
    assert len(rows) == 8
    for p, rest in rows:
        found = PLAN.outcomes(Fraction(p))
        shares = (found.holds, found.refuted, 1 - found.holds - found.refuted)
        assert [x.strip() for x in rest.split("|")] == [
            *(f"{float(x):.3f}" for x in shares),
            f"{float(found.draws):.0f}",
        ]


def test_what_is_said_of_the_claims_that_fail_on_one_of_the_published_draws():
    found = PLAN.outcomes(Fraction(23, 24))
    assert 0.85 < 1 - found.holds - found.refuted < 0.95
    failed = set()
    for name in ("verdicts", "root-1", "root-2"):
        saved = json.loads((STUDIES / "headline" / f"{name}.json").read_text(encoding="utf-8"))
        each = [v for v in saved["verdicts"] if v["interval"] is not None]
        assert {len(v["seeds"]) for v in each} <= {5, 8}
        failed |= {(name, v["claim"], *set(v["seeds"]) - set(v["holding"])) for v in each if v["seeds"] != v["holding"]}
    assert failed == {("root-2", f"gd.{name}", 5) for name in ("memorizes_small_margin", "fits_training_set")}


def test_its_looks_are_the_plans():
    said = "no failure in 59 draws, at most one in 163, two in 220, three in 272"
    assert said in PAGE
    assert tuple(map(int, re.findall(r"\d+", said))) == Plan(0.95, 300).holds_at[:4]
    said = "2 failures in 5 draws, 3 in 11, 4 in 19, 5 in 26"
    assert said in PAGE
    assert tuple(map(int, re.findall(r"in (\d+)", said))) == PLAN.refuted_within[1:5]


def test_its_comparison_with_walds_test():
    """A success adds log(0.99/0.95), a failure log(0.01/0.05), up to log 20."""
    none = math.ceil(math.log(20) / math.log(0.99 / 0.95))
    one = 1 + math.ceil((math.log(20) + math.log(5)) / math.log(0.99 / 0.95))
    assert f"at {one} draws where this one needs {PLAN.holds_at[1]}" in PAGE
    assert f"takes {none} draws without one, where {PLAN.fewest} suffice" in PAGE
    assert f"0.95^{{58}} = {0.95**58:.4f}$, $0.95^{{59}} = {0.95**59:.4f}" in PAGE
