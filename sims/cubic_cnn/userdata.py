"""A user's own patches from a file.

The file is an ``.npz`` archive of NumPy arrays, as ``numpy.savez`` writes it:

==========  =========  =====================================================================================
``X``       (N, P, d)  patches; real, finite, of any law
``y``       (N,)       labels −1 or +1
``w_star``  (d,)       optional: the feature, of any length but 0; brings the coefficients c
``small``   (N,)       optional: booleans, True for a small margin; splits every group quantity in two
==========  =========  =====================================================================================
"""

from __future__ import annotations

__all__ = ["load_patches"]

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from lemmascope.sims.cubic_cnn.problems import PatchProblem
from lemmascope.theory.errors import InputError

REQUIRED, OPTIONAL = ("X", "y"), ("w_star", "small")


def load_patches(path: str | os.PathLike[str], *, m: int, sigma_0: float, lam: float = 0.0) -> PatchProblem:
    """The problem of training m neurons on the patches of a file.

    Args:
        path: the ``.npz`` file of this module's description. Nothing in it is ever unpickled.
        m: neurons.
        sigma_0: standard deviation of the initial weights, > 0.
        lam: ℓ₂ penalty λ ≥ 0.

    Raises:
        InputError: the file is missing, truncated or no such archive, lacks X or y, or has other names in it; or
            an array or an argument is not as `PatchProblem` wants it.
    """
    arrays = _read(Path(path))
    for name in arrays:
        if name not in (*REQUIRED, *OPTIONAL):
            raise InputError("data", name, f"the arrays in {path} may be {', '.join((*REQUIRED, *OPTIONAL))}")
    missing = [name for name in REQUIRED if name not in arrays]
    if missing:
        raise InputError("data", str(path), f"it must hold the array{'s' * (len(missing) > 1)} {' and '.join(missing)}")
    return PatchProblem(
        X=arrays["X"],
        y=arrays["y"],
        m=m,
        sigma_0=sigma_0,
        w_star=arrays.get("w_star"),
        small=arrays.get("small"),
        lam=lam,
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError("data", str(path), "there is no such file; give an .npz file with the arrays X and y")
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError("data", str(path), "it is truncated or no .npz file (numpy.savez makes one)")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: np.asarray(archive[name]) for name in archive.files}
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        # NumPy says so of arrays of Python objects, which could run code when unpickled.
        raise InputError("data", str(path), "its arrays must be plain numbers, and not Python objects") from error
    except (OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError("data", str(path), "it cannot be read to its end; save it again with numpy.savez") from error
