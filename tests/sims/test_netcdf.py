"""Labelled data as netCDF files: every bit, and whole or not at all."""

import errno
import os

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims import netcdf
from lemmascope.sims.files import ResultsError

DRAWN = np.random.default_rng(0).standard_normal(3000)


def data():
    x = DRAWN.copy()
    x[:3] = np.nan, -0.0, np.inf
    return xr.Dataset(
        {
            "x": ("k", x, {"units": "s"}),
            "n": ("k", np.arange(3000) - 2**62),
            "single": ("k", DRAWN.astype(np.float32)),
            "flag": ("k", DRAWN > 0),
            "fate": ("few", ["gelernt", "γ", ""]),
        },
        {"few": [0.1, 0.2, 0.3], "name": "GD"},
        {"schema": "a/1", "sizes": [1, 2]},
    )


def test_every_bit_and_label_comes_back(tmp_path):
    path = netcdf.save(data(), tmp_path / "deep" / "x.nc")
    found = netcdf.load(path)
    xr.testing.assert_equal(found, data())
    for name, variable in data().variables.items():
        assert found[name].dtype == variable.dtype
        assert found[name].values.tobytes() == variable.values.tobytes()
    assert found.x.attrs == {"units": "s"}
    assert found.attrs["schema"] == "a/1"
    assert found.attrs["sizes"].tolist() == [1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["x.nc"]
    path.unlink()  # nothing holds it open


def test_a_full_disk_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = netcdf.save(data(), tmp_path / "x.nc")
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            netcdf.save(data().drop_vars("x"), path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.nc"]


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5])
def test_a_truncated_file_is_said(tmp_path, kept):
    path = netcdf.save(data(), tmp_path / "x.nc")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else kept])
    with pytest.raises(ResultsError, match=r"x.nc cannot be read as a trajectory: it is truncated or no netCDF file"):
        netcdf.load(path, "a trajectory")


def test_what_is_no_file_is_said(tmp_path):
    for path in (tmp_path / "nowhere.nc", tmp_path):
        with pytest.raises(ResultsError, match="is missing: give labelled data saved by lemmascope"):
            netcdf.load(path)
    (tmp_path / "x.nc").write_text("labelled data")
    with pytest.raises(ResultsError, match="no netCDF file"):
        netcdf.load(tmp_path / "x.nc")
