"""Hypothesis profiles; no test depends on the time of day, on its speed or on the order of the tests.

HYPOTHESIS_PROFILE chooses dev (the default), ci (the default where the variable CI is set: the same examples on
every machine) or deep (many examples, for a night).
"""

import os

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped and item.config.getoption("--peers"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where every library must be there: {report.longrepr[2]}"
    return report
