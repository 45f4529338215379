"""Trajectory files: what was saved comes back whole, or the file is refused in a sentence."""

import errno
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.cubic_cnn import trajectory
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import SCHEMA, VARIABLES, load, save
from lemmascope.sims.files import ResultsError
from lemmascope.sims.schedule import Every
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov, PiecewiseConstant

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def saved(tiny):
    """A run with every kind of content: NaN, integers, text, a schedule, a user quantity, a diverged member."""
    optimizers = {
        "GD": GD(0.1),
        "GD+M": MomentumAverage(0.1, 0.9),
        "Größe": Nesterov(0.01, 0.5),
        "huge": GD(1e150),
        "scheduled": GD(PiecewiseConstant((0, 5), (0.1, 0.2))),
    }
    return simulate(
        tiny(P=3),
        optimizers,
        iterations=60,
        seeds=2,
        record=Every(1),
        whole_Xi=True,
        quantities={"norm": lambda view: abs(view.Xi).sum(axis=(2, 3, 4))},
    )


def test_round_trip_is_identical(saved, tmp_path):
    back = load(save(saved, tmp_path / "new folder" / "run.nc"))
    xr.testing.assert_identical(back, saved)
    for name, values in saved.variables.items():
        if values.dtype.kind in "fi":
            assert back[name].dtype == values.dtype, name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["exact law", "own patches"])
def test_round_trip_of_other_kinds(tiny, patches, tmp_path, kind, dtype):
    problem = LawProblem(tiny(d=10**9), "exact") if kind == "exact law" else patches()
    run = simulate(problem, {"GD": GD(0.1)}, iterations=5, dtype=dtype)
    xr.testing.assert_identical(load(save(run, tmp_path / "run.nc")), run)


def test_every_variable_is_labelled(saved):
    for name, values in saved.data_vars.items():
        assert values.attrs["long_name"], name
        if name in VARIABLES:
            assert values.dims == VARIABLES[name][0]
    assert saved.norm.dims == ("seed", "optimizer", "iteration")


def test_an_ordinary_reader_may_read_it(saved, tmp_path):
    path = save(saved, tmp_path / "run.nc")
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    with xr.open_dataset(path) as plain:
        assert plain.attrs["schema"] == SCHEMA


def test_saving_replaces(saved, tmp_path):
    path = tmp_path / "run.nc"
    path.write_text("a thesis")
    with pytest.raises(InputError, match="choose another name"):
        save(saved, path)
    path.unlink()
    save(saved.isel(seed=[0]), path)
    save(saved, path)
    xr.testing.assert_identical(load(path), saved)
    assert os.listdir(tmp_path) == ["run.nc"]


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(saved, tmp_path, monkeypatch, where):
    path = save(saved.isel(seed=[0]), tmp_path / "run.nc")
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, where, full)
    with pytest.raises(OSError, match="No space left"):
        save(saved, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.nc"]


def test_an_interrupt_while_writing_leaves_the_old_file(saved, tmp_path, monkeypatch):
    path = save(saved, tmp_path / "run.nc")
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(saved, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.nc"]


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE is POSIX")
@pytest.mark.parametrize("limit", [0, 20_000, 60_000])
def test_a_disk_that_is_really_full(saved, tmp_path, limit):
    """The operating system refuses bytes beyond a limit; the process must neither crash nor lose the old file."""
    source, path = save(saved, tmp_path / "source.nc"), save(saved.isel(seed=[0]), tmp_path / "run.nc")
    before = path.read_bytes()
    assert source.stat().st_size > 60_000
    script = (
        "import resource, sys\n"
        "from lemmascope.sims.cubic_cnn.trajectory import load, save\n"
        "run = load(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "try:\n"
        "    save(run, sys.argv[2])\n"
        "except OSError as error:\n"
        "    print('refused', error.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(source), str(path), str(limit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"refused {errno.EFBIG}\n", "")
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["run.nc", "source.nc"]


def test_a_folder_that_cannot_be_is_an_oserror(saved, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        save(saved, tmp_path / "file" / "run.nc")


def refused(path, pattern):
    with pytest.raises(ResultsError, match=pattern) as refusal:
        load(path)
    message = str(refusal.value)
    assert "\n" not in message
    assert str(path) in message


def test_missing(tmp_path):
    refused(tmp_path / "nothing.nc", "is missing")
    refused(tmp_path, "is missing")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated(saved, tmp_path, share):
    path = save(saved, tmp_path / "run.nc")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "truncated")


def test_one_byte_short(saved, tmp_path):
    path = save(saved, tmp_path / "run.nc")
    path.write_bytes(path.read_bytes()[:-1])
    refused(path, "truncated")


@pytest.mark.parametrize("content", [b"d = 500\n", b"\x00" * 5000, b"PK\x03\x04 a zip", b"CDF\x01"], ids=repr)
def test_foreign_bytes(tmp_path, content):
    path = tmp_path / "run.nc"
    path.write_bytes(content)
    refused(path, "no netCDF file")


@pytest.mark.parametrize("attrs", [{}, {"schema": "lemmascope-trajectory/999"}, {"schema": 3}])
def test_other_netcdf_files_and_other_schemas(tmp_path, attrs):
    path = tmp_path / "run.nc"
    data = xr.Dataset({"nu": ("x", [1.0]), "diverged_at": ("x", [1.0])}, attrs=attrs)
    refused(save(data, path), "schema")
    data.to_netcdf(path, engine="h5netcdf")
    refused(path, "does not end with a checksum")


@pytest.mark.parametrize("name", ["parameters", "sizes", "optimizers", "law", "iterations", "root_seed", "study"])
def test_attributes_that_are_none_of_ours_are_one_sentence(saved, tmp_path, name):
    """Whoever writes them, with a checksum even: nothing that reads a trajectory meets them."""
    small, path = saved[["nu", "diverged_at"]].isel(iteration=[0]), tmp_path / "run.nc"
    del small.attrs[name]
    refused(save(small, path), name)
    for value in ("", "{", "[1]", '{"GD": 3}', '{"d": NaN}', math.nan, -1.5, [1, 2], np.array([0.5])):
        run = small.assign_attrs({name: value})
        if isinstance(value, str) and name in ("law", "study"):
            assert load(save(run, path)).attrs[name] == value
        else:
            refused(save(run, path), "no trajectory as lemmascope saves one")


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.assign_coords(seed=run.seed + 0.5),
        lambda run: run.assign_coords(optimizer=["same"] * run.sizes["optimizer"]),
        lambda run: run.assign_coords(iteration=-run.iteration),
        lambda run: run.assign_coords(optimizer=np.arange(run.sizes["optimizer"])),
        lambda run: run.assign(loss=run.loss.astype(str)),
        lambda run: run.assign(loss=run.loss.rename(margin="other")),
    ],
    ids=["half seeds", "one name", "back in time", "numbers for names", "text", "another axis"],
)
def test_axes_and_values_that_are_none_of_ours_are_one_sentence(saved, tmp_path, change):
    small = saved[["nu", "loss", "diverged_at"]].isel(iteration=slice(0, 2))
    refused(save(change(small), tmp_path / "run.nc"), "no trajectory as lemmascope saves one")


def test_what_was_selected_is_a_trajectory_still(saved, tmp_path):
    for part in (
        saved.isel(seed=0),
        saved.isel(optimizer=0),
        saved.isel(iteration=slice(0, 2)),
        saved[["nu", "diverged_at"]],
    ):
        xr.testing.assert_identical(load(save(part, tmp_path / "run.nc")), part)


def test_a_file_that_lacks_variables(saved, tmp_path):
    refused(save(saved.drop_vars(["nu"]), tmp_path / "run.nc"), "lacks nu")


def test_the_error_of_a_write_is_not_an_error_of_the_file():
    assert issubclass(ResultsError, ValueError)
    assert not issubclass(ResultsError, OSError)
    assert trajectory.SCHEMA.startswith("lemmascope-trajectory/")


def test_numbers_survive_in_full(saved, tmp_path):
    """No lossy packing: extreme values come back to the last bit."""
    run = saved.copy(deep=True)
    extreme = np.array([5e-324, 1.7976931348623157e308, -0.0, np.nan, np.inf, 0.1])
    run["loss"].values.flat[: extreme.size] = extreme
    back = load(save(run, tmp_path / "run.nc"))
    assert back.loss.values.tobytes() == run.loss.values.tobytes()
