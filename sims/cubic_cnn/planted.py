"""Deliberate errors, on which a claim that looks at what they break must come out REFUTED."""

from __future__ import annotations

__all__ = ["GRADIENT_FACTOR", "PLANTED", "plant"]

import dataclasses

import numpy as np

from lemmascope.sims.cubic_cnn.problems import Drawn
from lemmascope.theory.errors import InputError

PLANTED: dict[str, str] = {
    "wrong_sign": "the gradient has the wrong sign",
    "missing_three": "the gradient lacks its factor 3",
    "tilted_noise": "the noise patches are not orthogonal to w*",
    "twin_noise": "all noise patches are copies of one, and all labels are +1",
}
"""The errors by name, with what is wrong."""

GRADIENT_FACTOR = {"wrong_sign": -1.0, "missing_three": 1 / 3}
"""What the gradient is multiplied by, for the errors that are in it; the others are in the data."""


def plant(drawn: Drawn, planted: str | None) -> Drawn:
    """The drawn data with a deliberate error of `PLANTED`."""
    if planted not in ("tilted_noise", "twin_noise"):
        return drawn
    sample = drawn.sample
    if sample is None or sample.signal is None or sample.w_star is None:
        raise InputError("planted", planted, "it needs data of the law in R^d")
    X = sample.X.copy()
    noise = np.arange(X.shape[1])[None, :] != sample.signal[:, None]
    if planted == "tilted_noise":
        X[noise] += 0.1 * np.linalg.norm(X[noise], axis=-1, keepdims=True) * sample.w_star
        return dataclasses.replace(drawn, sample=dataclasses.replace(sample, X=X))
    X[noise] = X[noise][0]
    y = np.ones_like(sample.y)
    X[~noise] = sample.strength[:, None] * sample.w_star  # type: ignore[index]
    return dataclasses.replace(drawn, sample=dataclasses.replace(sample, X=X, y=y))
