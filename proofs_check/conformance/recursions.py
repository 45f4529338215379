"""A convention's iterates in several forms, without rounding, and iterates held to them.

By its recursion, as an unrolled sum, by what a constant gradient does, as the average form at another rate, as a
look-ahead.
"""

from __future__ import annotations

__all__ = ["against", "average_at_rescaled", "constant", "look_ahead", "unrolled"]

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.case import Case
from lemmascope.proofs_check.conformance.checks import Check
from lemmascope.proofs_check.conformance.compare import Known, Unjudged, differ
from lemmascope.proofs_check.conformance.formats import number_type
from lemmascope.proofs_check.conformance.reference import CONVENTIONS, Convention, reference
from lemmascope.proofs_check.conformance.trial import Trial
from lemmascope.theory.optimizers import MomentumAverage

F = Fraction


def against(convention: Convention, expected: Callable[[Case], Any] | None = None) -> Check:
    """The optimizer's iterates against the convention's: by its recursion, or by ``expected``."""

    @lru_cache(maxsize=2**11)  # the cases are the same for every optimizer
    def known(case: Case) -> Known | None:
        by_recursion = reference(convention, case)
        if by_recursion is None or expected is None or case.large:
            return by_recursion and Known(*by_recursion)
        return Known(np.array(expected(case), dtype=object), by_recursion[1])

    def check(trial: Trial, case: Case) -> str | None:
        should = known(case)
        if should is None:
            raise Unjudged
        return differ(trial.trajectory(case), should)

    return check


def unrolled(convention: Convention) -> Callable[[Case], Any]:
    """θ_t = θ_0 − Σ_{s<t} k(t, s) ∇_s, from the kernel in closed form."""
    kernel = convention.kernel
    assert kernel is not None

    def expected(case: Case) -> Any:
        eta, gamma = F(case.eta[0]), F(case.gamma)
        rows = []
        for t in range(len(case.gradients) + 1):
            weights = [kernel(eta, gamma, t - s, s) for s in range(t)]
            rows.append(
                [
                    F(x) - sum((k * F(case.gradients[s][j]) for s, k in enumerate(weights)), F(0))
                    for j, x in enumerate(case.theta)
                ]
            )
        return rows

    return expected


def constant(rate: Callable[[Fraction, Fraction, int], Fraction]) -> Callable[[Case], Any]:
    """Step number t moves θ by −rate(η, γ, t)·∇, t = 1, 2, …"""

    def expected(case: Case) -> Any:
        theta, rows = [F(x) for x in case.theta], []
        rows.append(theta)
        for t, row in enumerate(case.gradients, start=1):
            factor = rate(F(case.eta[0]), F(case.gamma), t)
            theta = [x - factor * F(g) for x, g in zip(theta, row, strict=True)]
            rows.append(theta)
        return rows

    return expected


def average_at_rescaled(trial: Trial, case: Case) -> str | None:
    """Against our average form, run in the same precision at η/(1 − γ)."""
    known = reference(CONVENTIONS["velocity"], case)
    if known is None:
        raise Unjudged
    average, dtype = MomentumAverage(case.eta[0] / (1 - case.gamma), case.gamma), number_type(case.dtype)
    params = np.array(case.theta, dtype=dtype)
    state, rows = average.init(params), [params]
    for t, gradient in enumerate(case.gradients):
        params, state = average.step(params, np.array(gradient, dtype=dtype), state, t)
        rows.append(params)
    # Both sides round; η/(1 − γ) is itself rounded, to a Python float or to the dtype: two operations more.
    return differ(trial.trajectory(case), Known(np.array(rows).astype(float), 2 * known[1]))


def look_ahead(case: Case) -> Any:
    """x_{t+1} = y_t − η∇_t, y_{t+1} = x_{t+1} + γ(x_{t+1} − x_t): the optimizer's parameters are y."""
    eta, gamma = F(case.eta[0]), F(case.gamma)
    x = y = [F(v) for v in case.theta]
    rows = [y]
    for gradient in case.gradients:
        new = [v - eta * F(g) for v, g in zip(y, gradient, strict=True)]
        y = [a + gamma * (a - b) for a, b in zip(new, x, strict=True)]
        x = new
        rows.append(y)
    return rows
