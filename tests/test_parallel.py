"""`make test` runs the tests of one file on one worker: what a file makes, such as a study's run, is made once."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

FILE = """
import os
import pytest

@pytest.mark.parametrize("k", range(10))
def test_where(k):
    with open({record!r}, "a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


def test_tests_of_one_file_are_on_one_worker(pytester):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (flags,) = re.findall(r"^test:.*\n\t.* pytest (-n auto .*) \$\(PYTEST_ARGS\)$", makefile, re.MULTILINE)
    records = [pytester.path / f"{k}.txt" for k in range(4)]
    pytester.makepyfile(**{f"test_{k}": FILE.format(record=str(record)) for k, record in enumerate(records)})
    found = pytester.runpytest_subprocess(*flags.replace("-n auto", "-n 2").split(), "-p", "no:cacheprovider")
    found.assert_outcomes(passed=40)
    workers = [set(record.read_text().split()) for record in records]
    assert all(len(each) == 1 for each in workers)
    assert len(set().union(*workers)) == 2
