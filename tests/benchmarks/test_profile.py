"""The profile's table: every part is there, and the parts are parts of the whole."""

import re

from lemmascope.benchmarks.profile import profile


def test_the_profile_names_every_part():
    text = profile(300)
    first, second = text.split("An iteration of the compiled loop")
    shares = [float(x) for x in re.findall(r"^ +(-?[\d.]+) %", first, re.MULTILINE)]
    assert len(shares) == 6
    assert abs(sum(shares) - 100) < 1
    for part in ("product B K", "margins, ℓ, pull", "gradient and step", "GFLOP/s"):
        assert part in second
