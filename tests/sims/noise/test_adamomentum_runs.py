"""Runs of AdaMomentum: machine code against the classes, companions against their law, the losses by hand."""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose

from lemmascope.sims.noise.adamomentum import KINDS, Case, Losses, path, regret, stationary
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import Adam

CASES = [
    Case(True, 0.9, 0.99, h=1.0, eta=0.3),
    Case(False, 0.9, 0.99, h=2.0, eta=0.1, s=0.5),
    Case(True, 0.5, 0.9, mu=0.3),
    Case(False, 0.9, 0.9, mu=1.0, s=2.0),
]


def rng(what="noise", seed=0):
    return streams(0, "test", seed)(what)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("beta1", "beta2", "epsilon"), [(0.9, 0.99, 0.0), (0.5, 0.9, 0.01), (0.0, 0.1, 0.0)])
def test_the_steps_are_those_of_the_classes(kind, beta1, beta2, epsilon):
    gradients = rng().standard_normal(80) * np.geomspace(3, 0.1, 80)
    optimizer, theta, found = KINDS[kind](1.0, beta1, beta2, epsilon), np.zeros(1), []
    state = optimizer.init(theta)
    for t, g in enumerate(gradients):
        after, state = optimizer.step(theta, np.array([g]), state, t)
        found.append((state.m[0], theta[0] - after[0]))
    assert_allclose(path(kind, gradients, beta1, beta2, epsilon), found, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("beta1", "beta2", "p", "C"), [(0.0, 0.1, 3, 3.0), (0.9, 0.9, 11, 12.0)])
def test_the_regret_is_that_of_the_classes(kind, beta1, beta2, p, C):
    losses, rounds = Losses(p, C), 200
    gradients = losses.gradients(rounds)
    optimizer, x = KINDS[kind](lambda t: 0.5 / (t + 1) ** 0.5, beta1, beta2, 0.0), np.ones(1)
    state, paid, expected, places = optimizer.init(x), 0.0, [], []
    for t, g in enumerate(gradients):
        paid += g * x[0]
        x, state = optimizer.step(x, np.array([g]), state, t)
        x = np.clip(x, -1, 1)
        best = min(gradients[: t + 1].sum() * y for y in (-1, 1))
        expected.append((paid - best) / (t + 1))
        places.append(x[0])
    found, where = regret(kind, losses, beta1, beta2, np.arange(1, rounds + 1))
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert_allclose(where, places, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("C", [2.1, 3.0, 20.0])
def test_where_adam_is_known_to_fail_x_is_one_at_every_period(C):
    """What is proved: x = 1 at every round 3t + 1, and at least 2(C − 2) is paid in each period."""
    for kind in ("AdaMomentum", "Adam"):
        found, x = regret(kind, Losses(3, C), 0.0, 1 / (1 + C * C), 3 * np.arange(1, 400))
        assert (x == 1).all()
        assert (found >= 2 * (C - 2) / 3 - 1e-12).all()


def test_machine_code_is_the_reference():
    given = {"copies": 5, "steps": 96, "burn_in": 70}
    compiled = stationary(CASES, rng(), backend="compiled", **given)
    reference = stationary(CASES, rng(), backend="numpy", **given)
    strict = stationary(CASES, rng(), backend="numpy", xp=array_api_strict, **given)
    assert compiled.shape == (4, 3)
    assert_allclose(compiled, reference, rtol=1e-10, atol=1e-12)
    assert_allclose(strict, reference, rtol=1e-10, atol=1e-12)


def test_the_burn_in_may_end_in_any_block(monkeypatch):
    from lemmascope.sims.noise import draws

    given = {"copies": 3, "steps": 200, "burn_in": 130}
    whole = stationary(CASES, rng(), **given)
    monkeypatch.setattr(draws, "MOST", 1)
    assert_allclose(stationary(CASES, rng(), **given), whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_the_companion_starts_from_its_law_and_keeps_it(case):
    """x, m drawn, and their moments after three steps, those that are stated: E u, E u², E x²."""
    z = rng().standard_normal((2, 40_000))
    x, m = case.drawn(z)
    e, b1, more = case.eta / case.V**0.5, case.beta1, rng("more")
    for _ in range(3):
        g = case.mu + case.h * x + case.s * more.standard_normal(x.size)
        m = b1 * m + (1 - b1) * g
        x = x - e * m
    u = m / case.V**0.5
    for values, stated in zip((u, u * u, x * x), case.exact, strict=True):
        assert abs(values.mean() - stated) < 6 * values.std() / x.size**0.5 + 1e-15


def test_the_companion_takes_nothing_from_the_mean():
    """Beside the control variate, the plain means over as many copies."""
    case, steps = Case(True, 0.9, 0.99, h=1.0, eta=0.3), 600
    found = stationary([case], rng(), copies=400, steps=steps, burn_in=300)[0]
    generator = rng("other")
    x, m, v, seen = *case.drawn(generator.standard_normal((2, 400))), case.V, []
    for t in range(steps):
        m = 0.9 * m + 0.1 * (x + generator.standard_normal(400))
        v = 0.99 * v + 0.01 * m * m
        x = x - 0.3 * m / v**0.5
        if t >= 300:
            seen.append((x * x).mean())
    assert abs(found[2] / np.mean(seen) - 1) < 0.05


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: path("AdaGrad", np.ones(3), 0.9, 0.9), "must be one of"),
        (lambda: Losses(1, 3.0), "p = 1"),
        (lambda: Losses(5, 4.0), "C = 4.0"),
        (lambda: Losses(5, float("nan")), "C = nan"),
        (lambda: Case(True, 0.9, 0.9, mu=1.0, h=1.0, eta=0.1), "0 on a quadratic"),
        (lambda: Case(True, 0.9, 1.0, mu=1.0), "beta2"),
        (lambda: Case(True, 0.9, 0.9, h=1.0), "eta"),
        (lambda: stationary(CASES, rng(), copies=2, steps=10, burn_in=10), "less than the 10 steps"),
        (lambda: stationary(CASES, rng(), copies=2, steps=10, burn_in=0, backend="abacus"), "must be one of"),
    ],
)
def test_what_cannot_be_run_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_kinds_say_what_they_are():
    assert all(issubclass(kind, Adam) for kind in KINDS.values())
