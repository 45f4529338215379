"""The radius of a computed trajectory: the exact one, in ball arithmetic, lies within it; what is planted does not."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances, optimizers

from lemmascope.sims.cubic_cnn.certificate import balls
from lemmascope.sims.cubic_cnn.certificate.enclosures import enclosures
from lemmascope.sims.cubic_cnn.certificate.problem import certifiable
from lemmascope.sims.cubic_cnn.certificate.reference import follow
from lemmascope.sims.cubic_cnn.problems import Drawn, LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    FORMS,
    GD,
    MomentumAverage,
    MomentumVelocity,
    Nesterov,
    PiecewiseConstant,
    recursion_of,
)

few = settings(max_examples=max(4, settings.default.max_examples // 12), deadline=None)
"""An example carries 600 bits through all products: 4 of them, and 166 with the deep profile."""

SMALL = Parameters(d=30, N=10, P=2, m=3, alpha=2.0, beta=0.2, mu=0.3, sigma=0.36, sigma_0=0.1)
OPTIMIZERS = {
    "gd": GD(0.2),
    "momentum": MomentumAverage(0.3, 0.9),
    "velocity": MomentumVelocity(0.03, 0.9),
    "nesterov": Nesterov(0.03, 0.9),
    "schedule": MomentumAverage(PiecewiseConstant((0, 15, 40), (0.05, 0.3, 0.01)), 0.5),
}


def drawn(lam=0.0, kind="samples", seed=1, **changes):
    p = dataclasses.replace(SMALL, lam=lam, **changes)
    return LawProblem(p, kind).draw(streams(0, "certificate", seed))


def distances(found, problem, optimizer, times, lam, in_weights=False):
    """‖W_t − Ŵ_t‖ of the kept states, from above."""
    if found.exact is not None:
        exact = balls.coefficients(found.exact, optimizer, max(times), times, lam)
        return {
            t: float(balls.distance_of_coefficients(exact[t], found.exact, problem.states[t][0]).upper()) for t in times
        }
    exact = balls.weights(found.sample, found.W_0, optimizer, max(times), times, lam)
    return {
        t: float(balls.distance_of_weights(exact[t], found.sample, found.W_0, problem.states[t][0], in_weights).upper())
        for t in times
    }


def test_forms_are_all_there():
    assert set(FORMS) <= set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("lam", [0.0, 0.02])
@pytest.mark.parametrize(("kind", "in_weights"), [("samples", False), ("samples", True), ("exact", False)])
def test_the_exact_trajectory_is_within_the_radius(name, lam, kind, in_weights):
    """And while features are learnt the radius is at most 10⁴ times the distance."""
    found, times = drawn(lam, kind), (0, 1, 2, 5, 12, 30, 50)
    followed = follow(certifiable(found, lam, in_weights=in_weights), OPTIMIZERS[name], 50, keep=times)
    far = distances(found, followed, OPTIMIZERS[name], times, lam, in_weights)
    for t, distance in far.items():
        assert distance <= followed.radius[t] + 1e-280, t
        assert math.isfinite(followed.radius[t])
    for t in (1, 2, 5, 12):
        assert followed.radius[t] <= 1e4 * far[t], t


@few
@given(instances(), optimizers(), st.booleans(), st.integers(1, 25))
def test_of_any_configuration(instance, optimizer, in_weights, last):
    p, sample, W = instance
    found = Drawn(sample, W)
    followed = follow(certifiable(found, p.lam, in_weights=in_weights), optimizer, last, keep=(last,), window=7)
    exact = balls.weights(sample, W, optimizer, last, (last,), p.lam)
    radius = followed.radius[last]
    if math.isfinite(radius):
        computed = followed.states[last][0]
        assert float(balls.distance_of_weights(exact[last], sample, W, computed, in_weights).upper()) <= radius


@few
@given(instances(room=True), optimizers(), st.integers(1, 25))
def test_of_the_exact_law(instance, optimizer, last):
    p = instance.parameters
    found = LawProblem(p, "exact").draw(streams(0, "certificate", 5))
    followed = follow(certifiable(found, p.lam), optimizer, last, keep=(last,), window=5)
    exact = balls.coefficients(found.exact, optimizer, last, (last,), p.lam)
    radius = followed.radius[last]
    if math.isfinite(radius):
        far = balls.distance_of_coefficients(exact[last], found.exact, followed.states[last][0])
        assert float(far.upper()) <= radius


@pytest.mark.parametrize("in_weights", [False, True])
def test_a_users_own_patches(in_weights):
    """Of no law, correlated, more of them than dimensions."""
    rng = np.random.default_rng(3)
    y = np.repeat([1.0, -1.0], 4)
    w_star = np.ones(6) / math.sqrt(6)
    X = 0.4 * rng.standard_normal((8, 2, 6)) + 0.1
    X[:, 1] += y[:, None] * w_star
    sample, W = law.Sample(X=X, y=y, w_star=w_star), 0.2 * rng.standard_normal((2, 6))
    found = Drawn(sample, W)
    followed = follow(certifiable(found, 0.01, in_weights=in_weights), OPTIMIZERS["momentum"], 40, keep=(40,))
    far = distances(found, followed, OPTIMIZERS["momentum"], (40,), 0.01, in_weights)
    assert far[40] <= followed.radius[40] < 1e-6


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("in_weights", [False, True])
def test_the_trajectory_is_that_of_the_numpy_backend(name, in_weights):
    """Bit for bit: the recursion is the optimizer's own step."""
    problem, optimizer = certifiable(drawn(0.01), 0.01, in_weights=in_weights), OPTIMIZERS[name]
    theta = problem.system.initial(1)
    state = optimizer.init(theta)
    for t in range(50):
        theta, state = optimizer.step(theta, problem.system.evaluate(theta)[1], state, t)
    followed = follow(problem, optimizer, 50, keep=(50,))
    assert np.array_equal(followed.states[50][0], theta[0, 0])


def violated(tamper=None, system=None, seed=1):
    """Distance and radius after 20 steps of a trajectory that is not what it says."""
    found, optimizer = drawn(seed=seed), OPTIMIZERS["momentum"]
    problem = certifiable(found)
    if system is not None:
        problem = dataclasses.replace(problem, system=system(problem.system))
    followed = follow(problem, optimizer, 20, keep=(20,), tamper=tamper)
    return distances(found, followed, optimizer, (20,), 0.0)[20], followed.radius[20]


def test_a_product_in_float32_is_found():
    """In each step, and in a single one."""

    class Rounded(CoefficientSystem):
        def evaluate(self, theta):
            K = self.K.astype(np.float32).astype(float)
            fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
            return CoefficientSystem(**{**fields, "K": K}).evaluate(theta)

    def rounded(system):
        return Rounded(**{f.name: getattr(system, f.name) for f in dataclasses.fields(system)})

    distance, radius = violated(system=rounded)
    assert distance > radius
    distance, radius = violated(
        tamper=lambda t, theta, u: (theta.astype(np.float32).astype(float), u) if t == 3 else (theta, u)
    )
    assert distance > radius


def test_a_step_that_is_skipped_is_found():
    kept = {}

    def skip(t, theta, u):
        kept[t] = theta, u
        return kept[t - 1] if t == 7 else (theta, u)

    distance, radius = violated(tamper=skip)
    assert distance > radius
    distance, radius = violated()
    assert distance <= radius


def test_a_radius_without_its_inflation_is_found():
    """From weights 0 the computed trajectory stays where it is, with no curvature at all; a ball around 0 does not."""
    found, size, last, optimizer = drawn(), 0.01, 8, GD(0.3)
    nearby = size / math.sqrt(3) * np.tile(found.sample.w_star, (3, 1))
    at_zero, start = Drawn(found.sample, np.zeros((3, 30))), 1.001 * size
    exact = balls.weights(found.sample, nearby, optimizer, last, (last,))
    problem = certifiable(at_zero)
    honest = follow(problem, optimizer, last, keep=(last,), start=start)
    far = float(
        balls.distance_of_weights(exact[last], found.sample, at_zero.W_0, honest.states[last][0], False).lower()
    )
    assert far <= honest.radius[last]
    assert far > follow(problem, optimizer, last, start=start, inflate=False).radius[last]


def test_crude_norms_are_wider():
    problem = certifiable(drawn())
    sharp, crude = (follow(problem, GD(0.2), 60, sharp=sharp).radius[60] for sharp in (True, False))
    assert sharp <= crude < math.inf


def test_intervals_have_the_exact_quantities():
    """c, margins' loss and ν, of the weights in balls."""
    found, optimizer, t = drawn(), OPTIMIZERS["momentum"], 60
    problem = certifiable(found)
    followed = follow(problem, optimizer, t, keep=(t,))
    exact = balls.weights(found.sample, found.W_0, optimizer, t, (t,))[t]
    W = np.array([[float(exact[r, j].mid()) for j in range(30)] for r in range(3)])
    small = np.asarray(found.sample.small)
    intervals = enclosures(problem.data, followed.views[t], followed.states[t][0], followed.ball(t), {"small": small})
    z = np.einsum("rd,npd->rnp", W, found.sample.X)
    margins = found.sample.y * np.sum(z**3, axis=(0, 2))
    expected = {
        "c_max": np.max(W @ found.sample.w_star),
        "nu": np.sum(1 / (1 + np.exp(margins[small]))) / 10,
        "loss": np.sum(np.log1p(np.exp(-margins[small]))) / 10,
        "train_accuracy": np.mean(margins[small] > 0),
    }
    for name, value in expected.items():
        low, high = intervals["c"].max(axis=0) if name == "c_max" else intervals[name][0]
        slack = 1e-13 * abs(value)  # what is expected is rounded too
        assert low - slack <= value <= high + slack, name
        assert high - low < 1e-7, name


def test_what_cannot_be_certified_says_so():
    class Own:
        linear = True

        def init(self, params):
            return ()

        def step(self, params, grad, state, t):
            return params - grad, state

    assert recursion_of(Own()) is None
    with pytest.raises(InputError, match="recursion"):
        follow(certifiable(drawn()), Own(), 3)
    exact = drawn(kind="exact").exact
    flat = dataclasses.replace(exact, K=np.ones_like(exact.K))
    with pytest.raises(InputError, match="positive definite"):
        certifiable(Drawn(None, None, flat))
    with pytest.raises(InputError, match="samples"):
        certifiable(drawn(kind="exact"), in_weights=True)


def test_a_radius_that_is_lost_is_infinite_from_there_on():
    followed = follow(certifiable(drawn()), GD(0.2), 40, start=0.5)
    lost = int(np.argmax(~np.isfinite(followed.radius)))
    assert lost > 0
    assert np.all(np.isinf(followed.radius[lost:]))


def test_the_reference_configuration():
    """500 iterations of it: the radius stays ten orders below the features."""
    found = LawProblem(HEADLINE).draw(streams(0, "headline", 0))
    problem = certifiable(found)
    for optimizer in (GD(0.1), MomentumAverage(0.1, 0.999)):
        followed = follow(problem, optimizer, 500, keep=(500,))
        assert 0 < followed.radius[500] < 1e-10
        assert followed.views[500].c.max() > 0.4


def test_all_that_is_certified_of_an_iteration():
    """On data that are learnt: momentum's test accuracy is shown to be near 1, without a test sample; and nothing is
    known where the radius is lost.
    """
    p = dataclasses.replace(HEADLINE, d=150, N=60, m=6, alpha=4.0, beta=0.2, sigma=2 / math.sqrt(150))
    problem = certifiable(LawProblem(p).draw(streams(0, "learning", 0)))
    followed = follow(problem, MomentumAverage(0.2, 0.998), 1500, keep=(1500,))
    groups = {"large": ~np.asarray(problem.projection.small), "small": np.asarray(problem.projection.small)}
    view, theta = followed.views[1500], followed.states[1500][0]
    gram = problem.system.perpendicular_gram(theta[None, None], view)[0, 0]

    def certified(ball):
        return enclosures(problem.data, view, theta, ball, groups, p, gram)

    found = certified(followed.ball(1500))
    assert all(np.all(x[..., 0] <= x[..., 1]) for x in found.values())
    assert found["test_accuracy"][1, 0] > 0.99
    assert found["c"][:, 0].max() > 1 / p.beta
    lost = certified(Ball(math.inf, math.inf, math.inf))
    assert set(lost) == set(found)
    assert lost["test_accuracy"].tolist() == [[0, 1], [0, 1]]
    assert np.all(np.isinf(lost["c"]))
