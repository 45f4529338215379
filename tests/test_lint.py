"""The code is clean under the linter, the formatter and the type checker."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


HOUSES = ("theory", "sims", "proofs_check", "benchmarks")
TOOLS = {"linter": ["ruff", "check", "."], "formatter": ["ruff", "format", "--check", "."], "types": ["mypy"]}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_clean(tool, tmp_path):
    for house in HOUSES:  # as make does: the type checker finds lemmascope.theory through a link
        if not (ROOT / "lemmascope" / house).exists():
            (ROOT / "lemmascope" / house).symlink_to(f"../{house}")
    cache = ["--cache-dir", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", *tool, *cache], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_is_kept_from_the_formatter():
    sources = [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts and "build" not in path.parts]
    mark = "fmt: " + "skip"
    assert len(sources) > 200
    assert not [path for path in sources if mark in path.read_text(encoding="utf-8")]
