"""One rule for every file that a command is asked to write: known before the work, ours alone, by one process."""

import json
import os

import pytest
import xarray as xr

from lemmascope.benchmarks import command as bench
from lemmascope.sims import netcdf
from lemmascope.sims.files import Output, ResultsFolder

SIMULATE = ["simulate", "-d", "60", "-N", "12", "-m", "3", "--iterations", "20", "--seeds", "2", "--out"]
BENCH = ["bench", "--quick", "--work", "A", "--without", "torch", "--without", "jax", "--no-growth", "--out"]

COMMANDS = {
    "doctor": (["doctor", "--no-measure", "--json"], "lemmascope-doctor"),
    "studies": (["studies", "--json"], "lemmascope-study"),
    "claims --list": (["claims", "--list", "--json"], "lemmascope-statement"),
    "claims": (["claims", "saved.nc", "--plugin", "mine.py", "--json"], "lemmascope-verdicts"),
    "simulate": (SIMULATE, "netcdf"),
    "simulate --force": ([*SIMULATE[:-1], "--force", "--out"], "netcdf"),
    "bench": (BENCH, "lemmascope-benchmark"),
}

PLUGIN = """
import lemmascope as ls

small = ls.Claim(id="mine.small", statement="$x < 9$", plain="x < 9", kind=ls.Kind.BOUND, source="user",
                 measure=lambda evidence, top=9.0: ls.Measurement(evidence["x"], upper=top),
                 control=ls.Control("0 in place of 9", constants={"top": 0.0}))
"""


@pytest.fixture
def call(call_cli, tmp_path, monkeypatch):
    """The command, where nothing may be measured."""
    monkeypatch.setattr(bench, "measure_limits", lambda quick: pytest.fail("it must be known before the work"))
    netcdf.save(xr.Dataset({"x": ("seed", [1.0, 2.0])}, {"seed": [0, 1]}), tmp_path / "saved.nc")
    (tmp_path / "mine.py").write_text(PLUGIN)
    return call_cli


def refused(found, *words):
    assert found.exit_code == 2, found.output
    assert len(found.stderr.strip().splitlines()) == 1
    for word in words:
        assert str(word) in found.stderr


def state(folder):
    """What is in a folder: names, kinds, and whether it was written since."""
    found = {path.name: path.lstat() for path in folder.iterdir()}
    return {name: (one.st_mode, one.st_ino, one.st_size, one.st_mtime_ns) for name, one in found.items()}


PLACES = ["text", "link", "folder", "pipe", "device", "under a file", "results"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_not_its_own_is_left_alone(call, tmp_path, name, place):
    arguments, path = COMMANDS[name][0], tmp_path / "here"
    if place == "text":
        path.write_text("mine")
    elif place == "link":
        path.symlink_to(tmp_path / "saved.nc")
    elif place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    elif place == "device":
        path = "/dev/null"
    elif place == "results":
        with ResultsFolder(tmp_path / "out", {}) as folder:
            (folder.partial / "here").write_text(json.dumps({"schema": f"{COMMANDS[name][1]}/1"}))
        path = tmp_path / "out" / "here"
    else:
        path.write_text("mine")
        path = path / "x"
    before = state(tmp_path)
    refused(call(*arguments, path), path)
    assert state(tmp_path) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_known_before_the_work(call, tmp_path, name, monkeypatch):
    def full(handle, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    refused(call(*COMMANDS[name][0], "here"), "here: No space left on device")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.py", "saved.nc"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_is_told_who_is_writing_it(call, tmp_path, name):
    with Output("here", COMMANDS[name][1]):
        refused(call(*COMMANDS[name][0], "here"), f"another process is working on it (process {os.getpid()} on ")
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("name", ["prove", "identities"])
def test_of_two_that_make_a_folder_the_second_is_told_of_the_first(call, name):
    with ResultsFolder("here", {}):
        refused(call(name, "--out", "here", "--force"), f"another process is working on it (process {os.getpid()} on ")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "bench"])
def test_its_own_is_replaced(call_cli, call, tmp_path, name):
    for _ in range(2):
        assert call(*COMMANDS[name][0], "here").exit_code == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["here", "mine.py", "saved.nc"]
