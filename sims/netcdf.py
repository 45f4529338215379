"""Labelled data as netCDF files, whole or not at all."""

from __future__ import annotations

__all__ = ["load", "save"]

import os
from pathlib import Path

import xarray as xr

from lemmascope.sims.files import ResultsError, whole_file


def save(data: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write a data set as netCDF; the file appears under its name when it is complete.

    Raises:
        OSError: the disk is full or read-only; an earlier file of that name is left as it was.
    """
    path = Path(path)
    encoding = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in data.data_vars.items()
        if variable.dtype.kind in "fi" and variable.size > 1000
    }
    # Through memory: HDF5 that runs out of disk while writing can crash the interpreter.
    image = data.to_netcdf(engine="h5netcdf", encoding=encoding)
    with whole_file(path) as temporary:
        temporary.write_bytes(image)
    return path


def load(path: str | os.PathLike[str], what: str = "labelled data") -> xr.Dataset:
    """Read a data set into memory.

    Raises:
        ResultsError: there is no such file, or it is truncated or no netCDF file.
    """
    path = Path(path)
    if not path.is_file():
        raise ResultsError(f"{path} is missing: give {what} saved by lemmascope (a netCDF file)")
    try:
        with xr.open_dataset(path, engine="h5netcdf") as handle:
            return handle.load()
    except Exception as error:
        raise ResultsError(f"{path} cannot be read as {what}: it is truncated or no netCDF file") from error
