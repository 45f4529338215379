"""Parameters of any structure as one vector, and back."""

from __future__ import annotations

__all__ = ["Structure"]

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lemmascope.theory.errors import InputError


class Structure:
    """One array, or a tuple, list or dict of arrays, as one vector.

    Args:
        params: the arrays.
        field: what they are, for errors: "draw" or "grad".

    Raises:
        InputError: there is no entry, or an array is not of float64 or float32.
    """

    def __init__(self, params: Any, field: str) -> None:
        self.keys: list[Any] = list(params) if isinstance(params, Mapping) else []
        self.kind = dict if self.keys else type(params) if isinstance(params, tuple | list) else None
        each = [params[key] for key in self.keys] if self.keys else list(params) if self.kind else [params]
        self.labels = [str(key) for key in self.keys] or [
            f"params[{k}]" if self.kind else "params" for k in range(len(each))
        ]
        try:
            self.arrays = [np.asarray(x) for x in each]
        except (TypeError, ValueError) as error:
            raise InputError(field, type(params).__name__, f"it must be of arrays ({error})") from error
        self.shapes, self.sizes = [x.shape for x in self.arrays], [x.size for x in self.arrays]
        self.dtypes, self.size = [x.dtype for x in self.arrays], sum(self.sizes)
        if not self.size:
            raise InputError(field, self.shapes, "it must have at least one entry")
        for label, x in zip(self.labels, self.arrays, strict=True):
            if x.dtype not in (np.float64, np.float32):
                raise InputError(field, f"{label} of {x.dtype}", "its arrays must be of float64 or float32")

    def check_finite(self, field: str) -> None:
        """Raise `InputError` unless all numbers are finite."""
        for label, x in zip(self.labels, self.arrays, strict=True):
            if not np.all(np.isfinite(x)):
                raise InputError(field, label, "its numbers must be finite")

    def check_like(self, field: str, wanted: Structure) -> None:
        """Raise `InputError` unless the arrays have the wanted names and shapes."""
        if (self.kind is None) != (wanted.kind is None) or self.labels != wanted.labels or self.shapes != wanted.shapes:
            shapes, accepted = (dict(zip(x.labels, x.shapes, strict=True)) for x in (self, wanted))
            raise InputError(field, shapes, f"its arrays must be those of the parameters, {accepted}")

    def build(self, vector: np.ndarray, own_dtype: bool = False) -> Any:
        """Parameters as f takes them, in the vector's number type or in their own."""
        parts = np.split(vector, np.cumsum(self.sizes)[:-1])
        arrays = [
            part.reshape(shape).astype(dtype if own_dtype else vector.dtype)
            for part, shape, dtype in zip(parts, self.shapes, self.dtypes, strict=True)
        ]
        if self.kind is None:
            return arrays[0]
        if self.keys:
            return dict(zip(self.keys, arrays, strict=True))
        return tuple(arrays) if issubclass(self.kind, tuple) else arrays

    def vector(self) -> np.ndarray:
        """All entries, in float64."""
        return np.concatenate([x.ravel() for x in self.arrays]).astype(np.float64)

    def sizes_of_steps(self) -> np.ndarray:
        """s: |x_i|, but at least a thousandth of the root mean square of its array, and 1 in an array of zeros."""
        steps = []
        for x in self.arrays:
            size = np.abs(x.astype(np.float64)).ravel()
            top = size.max(initial=0.0)
            typical = top * math.sqrt(float(np.mean((size / top) ** 2))) if top > 0 else 1e3
            steps.append(np.maximum(size, 1e-3 * typical))
        return np.concatenate(steps)

    def name(self, k: int) -> str:
        """Of the k-th entry of the vector."""
        for label, shape, size in zip(self.labels, self.shapes, self.sizes, strict=True):
            if k < size:
                place = ", ".join(str(int(i)) for i in np.unravel_index(k, shape)) if shape else ""
                return f"{label}[{place}]" if place else label
            k -= size
        raise IndexError(k)
