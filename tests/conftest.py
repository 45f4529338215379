"""Hypothesis profiles; no test depends on the time of day, on its speed or on the order of the tests.

HYPOTHESIS_PROFILE chooses dev (the default), ci (the default where the variable CI is set: the same examples on
every machine) or deep (many examples, for a night).
"""

import json
import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

SLOW_DRAWS = [HealthCheck.too_slow]
"""A health check that measures time."""

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=SLOW_DRAWS)
settings.register_profile(
    "ci", max_examples=50, deadline=None, suppress_health_check=SLOW_DRAWS, derandomize=True, print_blob=True
)
settings.register_profile("deep", max_examples=2000, deadline=None, suppress_health_check=SLOW_DRAWS, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_addoption(parser):
    parser.addoption("--peers", action="store_true", help="a test that is skipped for a missing library fails")


@pytest.fixture
def call_cli(monkeypatch, tmp_path):
    """The command in an empty folder; an exception that is not an exit status is raised."""
    from click.testing import CliRunner

    from lemmascope.cli.main import app

    monkeypatch.chdir(tmp_path)

    def run(*arguments, **env):
        result = CliRunner(env=env).invoke(app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def ctrl_c():
    """Ctrl-C interrupts this process, and those that it starts: in the background of a shell it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.SIGINT
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def schema():
    """Checks a verdicts.json against its schema."""
    import jsonschema

    import lemmascope.sims.report

    text = (Path(lemmascope.sims.report.__file__).parent / "verdicts.schema.json").read_text()
    return lambda value: jsonschema.validate(value, json.loads(text))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped and item.config.getoption("--peers"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where every library must be there: {report.longrepr[2]}"
    return report
