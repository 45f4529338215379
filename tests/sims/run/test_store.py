"""A study's store: written whole, refused clearly, and readable after whatever happened."""

import errno
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import lemmascope.sims.run.store
from lemmascope.sims.run.store import LOCK, SCHEMA, Store
from lemmascope.theory.errors import InputError

KEYS = ["a", "b", "c", "d"]
RESULTS = np.random.default_rng(3).standard_normal((4, 2, 3))


def opened(path, *, fingerprint=None, keys=KEYS, names=("x", "y"), shape=(2, 3), resume=False, force=False):
    return Store.create_or_open(path, fingerprint or {"eta": 0.1}, keys, list(names), shape, resume=resume, force=force)


@pytest.fixture
def half(tmp_path):
    """A closed store with tasks 0 and 2."""
    path = tmp_path / "deep" / "study"
    with opened(path) as store:
        assert store.missing() == [0, 1, 2, 3]
        assert store.done == 0
        for index in (2, 0):
            store.write(index, RESULTS[index])
    return path


def chunk(path, index):
    return path / "results" / f"c.{index}.0.0"


def contents(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def check_half(store):
    found = store.read()
    assert store.missing() == [1, 3]
    assert store.done == 2
    assert np.array_equal(found[[0, 2]], RESULTS[[0, 2]])
    assert np.isnan(found[[1, 3]]).all()


def test_results_come_back_bit_for_bit(half):
    with opened(half, resume=True) as store:
        check_half(store)
        assert store.damaged == []
        for index in store.missing():
            store.write(index, RESULTS[index])
        assert store.missing() == []
        assert np.array_equal(store.read(), RESULTS)


def test_it_is_a_zarr_store_for_anyone(half):
    with xr.open_zarr(half, consolidated=False, chunks=None) as found:
        assert found.attrs["schema"] == SCHEMA
        assert found.attrs["fingerprint"] == {"eta": 0.1}
        assert found.attrs["keys"] == KEYS
        assert found.attrs["names"] == ["x", "y"]
        assert found.results.dims == ("task", "axis_0", "axis_1")
        assert np.array_equal(found.results[2], RESULTS[2])


@pytest.mark.parametrize("shape", [(), (5,), (2, 1, 3)])
def test_a_result_of_nan_is_a_result(tmp_path, shape):
    with opened(tmp_path / "s", shape=shape) as store:
        store.write(1, np.full(shape, np.nan))
        store.write(2, np.zeros(shape))
    with opened(tmp_path / "s", shape=shape, resume=True) as store:
        assert store.missing() == [0, 3]
        assert store.damaged == []
        assert store.read().shape == (4, *shape)


def test_a_result_of_another_shape_is_refused(half):
    with opened(half, resume=True) as store:
        with pytest.raises(ValueError, match=r"b: a result of shape \(3, 2\), expected \(2, 3\)"):
            store.write(1, RESULTS[1].T)
        check_half(store)


def test_an_existing_store_is_neither_continued_nor_replaced_unasked(half):
    before = contents(half)
    with pytest.raises(InputError, match="--resume continues it, --force replaces it"):
        opened(half)
    assert contents(half) == before


def test_resume_begins_a_store_that_is_not_there(tmp_path):
    with opened(tmp_path / "s", resume=True) as store:
        assert store.missing() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fingerprint": {"eta": 0.2, "seeds": 3}}, r"eta \(0.1 there, 0.2 here\), seeds \(None there, 3 here\)"),
        ({"keys": ["a", "b", "c", "e"]}, "keys"),
        ({"names": ("x", "z")}, "names"),
        ({"shape": (3, 2)}, "shape"),
    ],
)
def test_another_study_is_refused_with_the_difference_and_forced(half, changes, said):
    before = contents(half)
    with pytest.raises(InputError, match=f"differs in {said};"):
        opened(half, resume=True, **changes)
    assert contents(half) == before
    with opened(half, force=True, **changes) as store:
        assert store.missing() == [0, 1, 2, 3]
        store.write(0, np.zeros(changes.get("shape", (2, 3))))
    with opened(half, resume=True, **changes) as store:
        assert store.missing() == [1, 2, 3]


def test_keys_are_different_and_there(tmp_path):
    for keys in ([], ["a", "a"]):
        with pytest.raises(InputError, match="keys"):
            opened(tmp_path / "s", keys=keys)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["thesis.tex", "zarr.json", "results/c.0"])
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"force": True}])
def test_what_is_not_ours_is_left_alone(tmp_path, name, how):
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(InputError, match="no store of results"):
        opened(tmp_path / "out", **how)
    with pytest.raises(InputError, match="no store of results"):
        opened(tmp_path / "out" / name, **how)
    assert contents(tmp_path) == {f"out/{name}": b"mine"}


def test_force_leaves_other_files_in_the_folder(half):
    (half / "notes.txt").write_text("mine")
    with opened(half, force=True):
        pass
    assert (half / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["zarr.json", "results/zarr.json"])
@pytest.mark.parametrize("damage", ["empty", "half", "other", "gone"])
def test_damaged_metadata_lose_nothing(half, name, damage):
    whole = (half / name).read_bytes()
    if damage == "gone":
        (half / name).unlink()
    else:
        (half / name).write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "other": b"[]"}[damage])
    before = contents(half)
    with pytest.raises(InputError, match="metadata are damaged; its results are left alone"):
        opened(half, resume=True)
    assert contents(half) == before
    (half / name).write_bytes(whole)
    with opened(half, resume=True) as store:
        check_half(store)
    (half / name).write_bytes(whole[:-9])
    with opened(half, force=True) as store:
        assert store.done == 0


@pytest.mark.parametrize("last", ["results", LOCK, "zarr.json"])
def test_a_store_whose_making_was_cut_short_is_made_anew(tmp_path, last):
    with opened(tmp_path / "whole"):
        pass
    path = tmp_path / "cut"
    (path / "results").mkdir(parents=True)
    if last != "results":
        (path / LOCK).touch()
    if last == "zarr.json":
        (path / "zarr.json").write_bytes((tmp_path / "whole" / "zarr.json").read_bytes())
    with opened(path, fingerprint={"another": 1}) as store:
        assert store.missing() == [0, 1, 2, 3]


def spoil(file, how):
    content = bytearray(file.read_bytes())
    if how == "a bit":
        content[17] ^= 4
    elif how == "zeros":
        content = bytearray(len(content))
    else:
        content = content[: {"empty": 0, "short": 3, "truncated": len(content) // 2, "by one": len(content) - 1}[how]]
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["empty", "short", "truncated", "by one", "a bit", "zeros"])
def test_a_damaged_task_counts_as_missing_and_is_named(half, how):
    spoil(chunk(half, 2), how)
    with opened(half, resume=True) as store:
        assert store.damaged == ["c"]
        assert store.missing() == [1, 2, 3]
        assert np.isnan(store.read()[2]).all()
        store.write(2, RESULTS[2])
    with opened(half, resume=True) as store:
        assert store.damaged == []
        check_half(store)


def test_a_second_client_is_refused_until_the_first_ends(half):
    with opened(half, resume=True) as store:
        for how in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(InputError, match="another process is working on it"):
                opened(half, **how)
        check_half(store)
        store.close()
        with opened(half, resume=True) as other:
            check_half(other)


HOLD = """
import sys, time
from lemmascope.sims.run.store import Store
store = Store.create_or_open(sys.argv[1], {"eta": 0.1}, list("abcd"), ["x", "y"], (2, 3), resume=True, force=False)
print("open", flush=True)
time.sleep(600)
"""


def test_a_killed_holder_leaves_no_lock_and_no_half_file(half):
    (half / "results" / ".c.1.0.0.abc.partial").write_bytes(b"half of a ta")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(half)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(lemmascope.sims.run.store.__file__).resolve().parents[2],
    ) as holder:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(InputError, match="another process"):
            opened(half, resume=True)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with opened(half, resume=True) as store:
        check_half(store)
    assert not list(half.rglob("*.partial"))


def test_a_full_disk_leaves_what_was_there(half, monkeypatch):
    with opened(half, resume=True) as store:
        with monkeypatch.context() as patch:

            def full(self, content):
                with open(self, "wb") as file:
                    file.write(content[:7])
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(Path, "write_bytes", full)
            for index in (1, 2):
                with pytest.raises(OSError, match="No space left"):
                    store.write(index, RESULTS[1])
        check_half(store)
        store.write(1, RESULTS[1])
        assert store.missing() == [3]
    assert not list(half.rglob("*.partial"))


LIMITED = """
import errno, resource, sys
import numpy as np
from lemmascope.sims.run.store import Store
with Store.create_or_open(sys.argv[1], {}, ["a", "b"], ["x"], (4096,), resume=True, force=False) as store:
    store.write(0, np.arange(4096.0))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, hard))
    try:
        store.write(1, np.arange(4096.0))
    except OSError as error:
        print(errno.errorcode[error.errno], store.missing())
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="the system limits no file's size")
def test_a_write_that_the_system_cuts_short_leaves_what_was_there(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "s")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(lemmascope.sims.run.store.__file__).resolve().parents[2],
    )
    assert run.stdout == "EFBIG [1]\n"
    with Store.create_or_open(tmp_path / "s", {}, ["a", "b"], ["x"], (4096,), resume=True, force=False) as store:
        assert store.missing() == [1]
        assert store.damaged == []
        assert np.array_equal(store.read()[0], np.arange(4096.0))
    assert not list(tmp_path.rglob("*.partial"))


def test_a_fingerprint_is_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        opened(tmp_path / "s", fingerprint={"eta": float("nan")})
    with opened(tmp_path / "s", fingerprint={"sizes": (1, 2)}):
        pass
    with opened(tmp_path / "s", fingerprint={"sizes": [1, 2]}, resume=True):
        pass
    assert json.loads((tmp_path / "s" / "zarr.json").read_text())["attributes"]["fingerprint"] == {"sizes": [1, 2]}
