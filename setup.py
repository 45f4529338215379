"""The four houses at the top of the repository are packages inside ``lemmascope``; see the page of decisions."""

from tempfile import TemporaryDirectory

from setuptools import find_packages, setup

HOUSES = ("theory", "sims", "proofs_check", "benchmarks")
inside = find_packages(include=[name for house in HOUSES for name in (house, f"{house}.*")])
# The links that lie in lemmascope/ for editors and mypy lead to the houses, which are there already.
links = [name for house in HOUSES for name in (f"lemmascope.{house}", f"lemmascope.{house}.*")]
front = find_packages(include=["lemmascope", "lemmascope.*"], exclude=links)

with TemporaryDirectory() as fresh:  # what an earlier build left in build/ would go into the wheel
    setup(
        packages=[*front, *(f"lemmascope.{name}" for name in inside)],
        package_dir={"lemmascope": "lemmascope", **{f"lemmascope.{house}": house for house in HOUSES}},
        options={"build": {"build_base": fresh}},
    )
