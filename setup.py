"""The four houses at the top of the repository are packages inside ``lemmascope``; see `docs/decisions.md`."""

from setuptools import find_packages, setup

HOUSES = ("theory", "sims", "proofs_check", "benchmarks")
inside = find_packages(include=[name for house in HOUSES for name in (house, f"{house}.*")])
front = find_packages(include=["lemmascope", "lemmascope.cli", "lemmascope.cli.*", "lemmascope.cubic_cnn"])

setup(
    packages=[*front, *(f"lemmascope.{name}" for name in inside)],
    package_dir={"lemmascope": "lemmascope", **{f"lemmascope.{house}": house for house in HOUSES}},
)
