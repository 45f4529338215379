"""Functions as machine code: kept on disk where that is possible, and said where it is not, once; each with its own
flags, whoever calls it first."""

import importlib
import logging
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba.core.dispatcher import Dispatcher

import lemmascope.sims
from lemmascope.sims.cubic_cnn.backends import machine_code


@pytest.fixture
def said(caplog):
    machine_code._say.cache_clear()
    yield caplog
    machine_code._say.cache_clear()


def double(x):
    return 2 * x


def triple(x):
    return 3 * x


def test_where_nothing_may_be_written_it_is_compiled_in_memory_and_said_once(said, monkeypatch):
    def refused(self, *_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr(numba.core.caching._CacheLocator, "ensure_cache_path", refused)
    assert machine_code.njit(cache=True)(double)(3) == 6
    assert machine_code.njit(cache=True, nogil=True)(triple)(3) == 9
    (record,) = said.records
    assert (record.name, record.levelno) == ("lemmascope", logging.WARNING)
    assert "in memory" in record.getMessage()
    assert "NUMBA_CACHE_DIR" in record.getMessage()


def test_where_it_can_be_kept_nothing_is_said(said, monkeypatch, tmp_path):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    kept = machine_code.njit(cache=True)(double)
    assert kept(3) == 6
    assert list(tmp_path.rglob("*.nbi"))
    assert not said.records


CALLED_FIRST = """
import numpy as np
from lemmascope.sims.teacher import loop
from lemmascope.sims.cubic_cnn.backends.loops import exp_minus
y, f, g, numbers = np.ones(8), np.full(8, 0.3), np.zeros(8), np.empty((3, 8))
loop._pulls(y, f, 1.0, 8, g, numbers, numbers.view(np.int64))  # may be re-associated, and calls exp_minus
x, e, turns = np.array([0.3]), np.empty(1), np.empty(1)
exp_minus(x, e, e.view(np.int64), turns, turns.view(np.int64))
assert abs(e[0] - np.exp(-0.3)) < 1e-15, e
assert abs(g[0] + 1 / (1 + np.exp(0.3))) < 1e-15, g
"""


def test_a_caller_that_may_reassociate_changes_nothing_for_others(tmp_path):
    """Numba lets a function without flags of its own have its first caller's, and keeps that on disk."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for _ in range(2):  # compiled, and from the disk
        subprocess.run([sys.executable, "-c", CALLED_FIRST], env=environment, check=True)


def compiled_functions():
    """Every function of the simulations that is compiled, by name."""
    found = {}
    for module in pkgutil.walk_packages([str(Path(lemmascope.sims.__path__[0]))], "lemmascope.sims."):
        try:
            loaded = importlib.import_module(module.name)
        except ImportError:
            continue  # an optional library
        found |= {f"{x.__module__}.{x.__name__}": x for x in vars(loaded).values() if isinstance(x, Dispatcher)}
    return found


@pytest.mark.parametrize(("name", "function"), compiled_functions().items())
def test_each_states_what_may_be_done_to_its_sums(name, function):
    assert {"fastmath", "error_model"} <= set(function.targetoptions), name
