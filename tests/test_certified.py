"""The page on what is certified: its constants are the code's, its steps are the house's, its table comes out so."""

import math
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from lemmascope.proofs_check import report
from lemmascope.sims.cubic_cnn.certificate import __main__ as command
from lemmascope.sims.cubic_cnn.certificate import balls, carry
from lemmascope.sims.cubic_cnn.certificate.checked import check
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.schedule import Logarithmic, recorded
from lemmascope.sims.seeds import streams
from lemmascope.sims.studies.headline import CERTIFIED
from lemmascope.theory.cubic_cnn.certificate import accuracy, relief, rounding

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "certified.md").read_text(encoding="utf-8")
CONSTANTS = {
    "UNIT": ("2⁻⁵³", rounding.UNIT, 2.0**-53),
    "SLACK": ("1 + 2⁻²⁰", rounding.SLACK, 1 + 2.0**-20),
    "TINY": ("1e-290", rounding.TINY, 1e-290),
    "EXPONENTIAL": ("8 u", rounding.EXPONENTIAL, 8 * 2.0**-53),
    "COSINE": ("0.7812", accuracy.COSINE, 0.7812),
    "FLOOR": ("2⁻²⁰", relief.FLOOR, 2.0**-20),
    "MOST": ("2000", carry.MOST, 2000),
}


def test_its_constants_are_those_in_use():
    rows = dict(re.findall(r"^\| `([A-Z]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert rows == {name: said for name, (said, _, _) in CONSTANTS.items()}
    assert all(used == value for _, used, value in CONSTANTS.values())


def test_what_it_says_of_windows_balls_and_costs():
    assert f"$t/{carry.PART}$ iterations at most" in PAGE
    assert "lost after the eighth" in PAGE
    assert carry.GUESSES == 8
    assert f"balls of {balls.BITS} bits" in PAGE
    assert "Some two thirds of the run on top of it" in PAGE
    assert CERTIFIED == 1.5


def test_each_step_it_leans_on_is_one_of_the_house():
    """All of them, but the one on an argument of a file that is not in the proof."""
    known = {step["id"] for step in report.catalogue()}
    named = {one for found in re.findall(r"\[(`[a-z_.`, ]+`)\]", PAGE) for one in re.findall(r"`([^`]+)`", found)}
    assert named <= known
    assert named == {one for one in known if one.split(".")[0] in ("radius", "relief", "pulls", "accuracy")}


def test_its_modules_are_there():
    named = set(re.findall(r"\(`(\w+\.py)`\)", PAGE))
    folder = {path.name for path in (ROOT / "theory" / "cubic_cnn" / "certificate").glob("*.py")} - {"__init__.py"}
    assert named == folder - {"data.py", "window.py"}


def test_its_command_is_accepted():
    lines = re.findall(r"^python -m lemmascope.sims.cubic_cnn.certificate([^#\n]*)", PAGE, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        command._parser().parse_args(shlex.split(line))
    usual = command._parser().parse_args([])
    looks = len(recorded(Logarithmic(usual.looks), command.SIZES[usual.size][1]))
    looks *= len(command._optimizers(usual.size))
    assert f"distance ≤ radius at every one of {looks} iterations looked at" in PAGE


def test_its_table_of_radius_and_distance():
    """To the order of magnitude: the last digits of both are the machine's."""
    rows = [
        [float(x) for x in row] for row in re.findall(r"^\| (\d+) \| (\S+) \| (\S+) \| (\S+) \|$", PAGE, re.MULTILINE)
    ]
    times = [int(row[0]) for row in rows]
    assert len(rows) == 4
    drawn = LawProblem(command.SIZES["small"][0]).draw(streams(0, command.STUDY, 0))
    optimizers = {"GD": command._optimizers("small")["GD"]}
    found = list(check(drawn, optimizers, times, bits=balls.BITS + 4 * times[-1]))
    for look, (_, radius, distance, ratio) in zip(found, rows, strict=True):
        assert look.inside
        assert abs(math.log10(look.radius / radius)) < 1
        assert abs(math.log10(look.high / distance)) < 1
        assert abs(math.log10(look.radius / look.high / ratio)) < 1


@pytest.mark.parametrize("seed", range(2))
def test_numpys_exponential_is_as_assumed(seed):
    """Over its range, and near 0, against balls."""
    import flint

    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(0, 700, 400), 10.0 ** rng.uniform(-12, 1, 400)])
    for value, found in zip(x.tolist(), np.exp(-x).tolist(), strict=True):
        exact = (-flint.arb(value)).exp()
        assert abs(flint.arb(found) - exact) <= rounding.EXPONENTIAL * exact
