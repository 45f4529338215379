"""The radius holds for what a user may bring: numbers of either sign, a buffer that pauses, data off by a tolerance."""

import dataclasses

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.certificate.checked import check
from lemmascope.sims.cubic_cnn.problems import Drawn, LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.law import departure
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage

LAW = Parameters(d=30, N=4, P=2, m=3, alpha=2.0, beta=0.2, mu=0.3, sigma=0.36, sigma_0=0.3)
TIMES = (1, 2, 3, 5, 8, 20)


class Own:
    """An optimizer by its recursion; even and odd steps may differ."""

    linear = True

    def __init__(self, *numbers):
        self.numbers = numbers

    def init(self, params):
        return 0 * params

    def step(self, params, grad, state, t):
        gamma, kappa, p, q = self.recursion(t)
        state = gamma * state + kappa * grad
        return params - p * state - q * grad, state

    def recursion(self, t):
        return self.numbers[t % len(self.numbers)]


RECURSIONS = {
    "added velocity": Own((0.9, -0.03, -1.0, 0.0)),
    "added gradient": Own((0.0, -0.3, -1.0, 0.0)),
    "negative memory": Own((-0.5, 0.3, 1.0, 0.0)),
    "ascent": Own((0.0, 0.0, 0.0, -0.001)),
    "growing memory": Own((1.01, 0.01, 1.0, 0.0)),
    "a buffer that pauses": Own((0.9, 0.1, 0.3, 0.0), (0.9, 0.0, 0.0, 0.3)),
    "a buffer that is dropped": Own((0.9, 0.1, 0.3, 0.0), (0.0, 0.0, 0.0, 0.3)),
}


def drawn():
    return LawProblem(LAW).draw(streams(0, "certificate", 1))


def all_inside(found, optimizers, in_weights):
    looks = list(check(found, optimizers, TIMES, in_weights=in_weights, bits=500))
    assert [look for look in looks if not look.inside] == []
    assert all(np.isfinite(look.radius) for look in looks if look.iteration <= 5)


@pytest.mark.parametrize("in_weights", [False, True])
@pytest.mark.parametrize("name", RECURSIONS)
def test_any_four_numbers(name, in_weights):
    all_inside(drawn(), {name: RECURSIONS[name]}, in_weights)


@pytest.mark.parametrize("in_weights", [False, True])
@pytest.mark.parametrize(("kind", "off"), [("length", 4e-13), ("length", -4e-13), ("patch", 5e-13)])
def test_a_signal_that_is_off_by_what_is_accepted(kind, off, in_weights):
    found = drawn()
    s, rows = found.sample, range(LAW.N)
    X, w = s.X.copy(), s.w_star * (1 + off if kind == "length" else 1)
    X[rows, s.signal] = (s.y * s.strength)[:, None] * w
    if kind == "patch":
        X[rows, s.signal] += off * np.abs(s.strength)[:, None] * np.where(np.arange(LAW.d) % 2, 1, -1)
    moved = dataclasses.replace(s, X=X, w_star=w)
    assert departure(moved) is None
    all_inside(Drawn(moved, found.W_0), {"GD": GD(0.3), "GD+M": MomentumAverage(0.3, 0.9)}, in_weights)
