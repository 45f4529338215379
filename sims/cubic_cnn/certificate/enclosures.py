"""What is certified of one iteration: every quantity of the theorem as an interval."""

from __future__ import annotations

__all__ = ["enclosures"]

import math

import numpy as np

from lemmascope.sims.cubic_cnn.certificate.problem import Certifiable
from lemmascope.sims.cubic_cnn.certificate.reference import Followed
from lemmascope.theory.cubic_cnn.certificate.accuracy import accuracy, gram_error
from lemmascope.theory.cubic_cnn.certificate.quantities import Interval, enclose, signal_sum
from lemmascope.theory.cubic_cnn.certificate.residual import errors
from lemmascope.theory.cubic_cnn.certificate.window import look
from lemmascope.theory.cubic_cnn.parameters import Parameters


def enclosures(problem: Certifiable, followed: Followed, t: int, parameters: Parameters) -> dict[str, Interval]:
    """Intervals of an iteration that was kept, for data of the law.

    Returns:
        c_max; nu, loss, memorization_min, Xi_abs_max, train_accuracy and test_accuracy, each with "_large" or "_small"
        behind it. Nothing is known, and the intervals say so, where the radius is infinite.
    """
    data, view, (theta, u) = problem.data, followed.views[t], followed.states[t]
    Xi = view.Xi[0, 0].reshape(view.Xi.shape[2], -1)
    at = look(data, Xi, view.c[0, 0], view.ell[0, 0], theta, u, np.zeros(4))  # type: ignore[index]
    ball, small = followed.ball(t), np.asarray(problem.projection.small)
    gram = problem.system.perpendicular_gram(theta[None, None], view)[0, 0]
    found: dict[str, Interval] = {}
    for name, group, strength in (("large", ~small, parameters.alpha), ("small", small, parameters.beta)):
        unknown = not math.isfinite(ball.whole)
        parts = {} if unknown else enclose(data, view, at, ball, group)
        if unknown:
            found |= {"c_max": (-math.inf, math.inf), f"test_accuracy_{name}": (0.0, 1.0)}
            continue
        off = gram_error(data, at, errors(data, at), ball.whole)
        A = signal_sum(data, view.c[0, 0], at, ball, strength)  # type: ignore[index]
        parts["test_accuracy"] = accuracy(gram, off, A, parameters.sigma, parameters.P - 1)
        found |= {key if key == "c_max" else f"{key}_{name}": value for key, value in parts.items()}
    return found
