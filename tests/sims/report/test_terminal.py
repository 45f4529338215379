"""Progress: from what is there already to 100 %, and no further."""

import re

import pytest

from lemmascope.sims.report.terminal import progress, task_progress


def shown(capsys):
    return [int(x) for x in re.findall(r": (\d+) %", capsys.readouterr().err)]


@pytest.mark.parametrize("steps", [[10] * 10, [100], [33, 33, 33], [7] * 20, [150, 50], []], ids=str)
def test_progress_ends_at_a_hundred(steps, capsys):
    """Also where runs end early, or more is reported than was foreseen."""
    with progress(100, "run") as advance:
        for step in steps:
            advance(step)
    found = shown(capsys)
    assert found[-1] == 100
    assert found == sorted(set(found))


def test_what_fails_is_not_at_its_end(capsys):
    def fails():
        with progress(100, "run") as advance:
            advance(50)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert shown(capsys) == [50]


def test_a_run_that_goes_on_begins_where_it_stopped(capsys):
    """6 of 8 parts were there: it is never at 0 %, and the rate is that of today's parts."""
    with task_progress(80.0, 8, "study", (60.0, 6)) as advance:
        advance(10.0)
        advance(10.0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["study: 80 %", "study: 100 %"]
    assert "7 of 8 parts" in lines[0]
    assert "8 of 8 parts" in lines[1]


@pytest.mark.parametrize("total", [0.0, 1e300])
def test_tasks_without_a_cost_and_with_a_huge_one_are_counted(total, capsys):
    with task_progress(total, 2, "study") as advance:
        advance(total / 2)
        advance(total / 2)
    assert all(x <= 100 for x in shown(capsys))
