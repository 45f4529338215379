"""Hypothesis profiles; no test depends on the time of day, on its speed or on the order of the tests.

HYPOTHESIS_PROFILE chooses dev (the default), ci (the default where the variable CI is set: the same examples on
every machine) or deep (many examples, for a night).
"""

import os

from hypothesis import HealthCheck, settings

SLOW_DRAWS = [HealthCheck.too_slow]
"""A health check that measures time."""

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=SLOW_DRAWS)
settings.register_profile(
    "ci", max_examples=50, deadline=None, suppress_health_check=SLOW_DRAWS, derandomize=True, print_blob=True
)
settings.register_profile("deep", max_examples=2000, deadline=None, suppress_health_check=SLOW_DRAWS, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
