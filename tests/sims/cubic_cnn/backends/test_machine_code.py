"""Functions as machine code: kept on disk where that is possible, and said where it is not, once."""

import logging

import numba
import pytest

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
