"""What the tests of benchmarks/ share: a work so small that an iteration takes microseconds."""

import dataclasses

import pytest

from lemmascope.benchmarks import works
from lemmascope.benchmarks.cubic_cnn.work import CubicCNN, Inputs
from lemmascope.theory.cubic_cnn.parameters import HEADLINE


@pytest.fixture(scope="session")
def tiny() -> CubicCNN:
    """Three seeds, GD and GD+M, three patches a sample."""
    sizes = dataclasses.replace(HEADLINE, m=4, N=15, P=3, d=60)
    (central,) = works.find("H")
    return dataclasses.replace(central, parameters=sizes, seeds=3, cells=((0.1, 0.0), (0.3, 0.9)), iterations=40)


@pytest.fixture(scope="session")
def drawn(tiny) -> Inputs:
    """Its data."""
    return tiny.draw()
