"""What is certified of one iteration: every quantity of the theorem as an interval."""

from __future__ import annotations

__all__ = ["enclosures"]

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lemmascope.theory.cubic_cnn.certificate.accuracy import accuracy, gram_error
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball, movement
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.quantities import (
    QUANTITIES,
    coefficients,
    cross_terms,
    enclose,
    signal_sum,
)
from lemmascope.theory.cubic_cnn.certificate.residual import errors
from lemmascope.theory.cubic_cnn.certificate.window import look
from lemmascope.theory.cubic_cnn.model import View
from lemmascope.theory.cubic_cnn.parameters import Parameters

Array = Any
CROSS = ("cross_ratio", "cross_to_diagonal")


def enclosures(
    data: Data,
    view: View,
    theta: np.ndarray,
    ball: Ball,
    groups: Mapping[str, np.ndarray],
    law: Parameters | None = None,
    gram: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Intervals of one iteration of one optimizer, low and high along the last axis.

    Args:
        data: the seed's problem.
        view, theta: the computed state (m, width) and its view (S = A = 1).
        ball: where the exact state is.
        groups: masks (N,) by name: "large" and "small", or "all".
        law, gram: parameters and `perpendicular_gram` (m, m), for the test accuracy.

    Returns:
        ``c`` (m, 2); ``Xi_abs_max``, ``memorization_min``, ``nu``, ``loss``, ``train_accuracy`` and, with a law,
        ``test_accuracy`` (groups, 2), ``cross_ratio`` and ``cross_to_diagonal`` (2,). Infinite, or all of
        [0, 1], where the radius is.
    """
    m = view.Xi.shape[2]
    feature = view.c is not None
    if not math.isfinite(ball.whole):
        nothing = {name: np.tile([-math.inf, math.inf], (len(groups), 1)) for name in QUANTITIES}
        nothing |= {"train_accuracy": np.tile([0.0, 1.0], (len(groups), 1))}
        nothing |= {"c": np.tile([-math.inf, math.inf], (m, 1))} if feature else {}
        if law is None:
            return nothing
        nothing |= {name: np.array([0.0, math.inf]) for name in CROSS}
        return nothing | {"test_accuracy": np.tile([0.0, 1.0], (len(groups), 1))}
    c = view.c[0, 0] if view.c is not None else np.zeros(m)
    at = look(data, view, theta, np.zeros_like(theta), np.zeros(4))
    wrong = errors(data, at)
    moved = movement(data, at, wrong, ball)
    found: dict[str, list[Any]] = {}
    off = gram_error(data, at, wrong, ball.whole) if law is not None else 0.0
    for name, group in groups.items():
        for key, interval in enclose(data, view, at, moved, group).items():
            found.setdefault(key, []).append(interval)
        if law is not None:
            A = signal_sum(c, moved, law.beta if name == "small" else law.alpha)
            found.setdefault("test_accuracy", []).append(accuracy(gram, off, A, law.sigma, law.P - 1))
    result = {key: np.array(intervals) for key, intervals in found.items()}
    if law is not None:
        result |= {
            key: np.array(found) for key, found in cross_terms(data, view, wrong, moved, ball, law.sigma).items()
        }
    return result | ({"c": np.stack(coefficients(c, moved), axis=-1)} if feature else {})
