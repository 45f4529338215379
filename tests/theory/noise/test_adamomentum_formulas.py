"""The formulas of AdaMomentum against another way to the same number."""

import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.moments import mode, stationary
from lemmascope.theory.noise import adamomentum as theory
from lemmascope.theory.optimizers import Adam, AdaMomentum, MomentumAverage

BETAS = pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])


def steps_of(optimizer, gradients):
    """u at each gradient, of the optimizer at the rate 1."""
    theta = np.zeros(1)
    state, found = optimizer.init(theta), []
    for t, g in enumerate(gradients):
        after, state = optimizer.step(theta, np.array([g]), state, t)
        found.append(theta[0] - after[0])
    return np.array(found)


@BETAS
def test_the_alternating_average_is_that_of_the_recursion(beta1):
    m, found = 0.0, []
    for t in range(1, 40):
        m = beta1 * m + (1 - beta1) * (-1.0) ** (t - 1)
        found.append(m)
    assert_close(theory.alternating(beta1, np.arange(1, 40)), found, scale=1.0)


@BETAS
def test_alternating_steps_are_one_and_a(beta1):
    gradients = 3.0 * (-1.0) ** np.arange(4000)
    ours, adam = (abs(steps_of(kind(1.0, beta1, 0.98, 0.0), gradients)[-1]) for kind in (AdaMomentum, Adam))
    assert abs(ours - 1) < 1e-12
    assert abs(adam - theory.attenuation(beta1)) < 1e-12


def test_epsilon_has_its_weight_in_the_limit():
    gradients = 0.06 * (-1.0) ** np.arange(3000)
    found = abs(steps_of(AdaMomentum(1.0, 0.9, 0.98, 1e-6), gradients)[-1])
    assert abs(found - theory.limit(0.9, 0.06, 1e-6, 0.98)) < 1e-12
    assert theory.limit(0.9, 0.06, 0.0, 0.98) == 1


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.5, 0.5), (0.5, 0.25), (0.0, 0.9), (0.9, 0.81)])
def test_the_start_is_the_steps_of_a_constant_gradient(beta1, beta2):
    found = steps_of(AdaMomentum(1.0, beta1, beta2, 0.0), np.full(30, 7.0))
    stated = [theory.start(t, beta1, beta2) for t in range(1, 31)]
    assert np.abs(found / stated - 1).max() < 1e-10
    assert_close(stated[0], 1 / (1 - beta1))
    assert min(stated) > 1 - 1e-12
    adam = steps_of(Adam(1.0, beta1, beta2, 0.0), np.full(30, 7.0))
    assert_close(adam, np.ones(30))


def test_no_gradients_have_larger_steps():
    rng = np.random.default_rng(0)
    for gradients in (rng.standard_normal(40), rng.standard_cauchy(40), 0.1 ** np.arange(40), 3.0 ** np.arange(40)):
        for beta1, beta2 in ((0.9, 0.999), (0.9, 0.5), (0.0, 0.9)):
            found = np.abs(steps_of(AdaMomentum(1.0, beta1, beta2, 0.0), gradients))
            most = np.array([theory.largest_step(t, beta1, beta2) for t in range(1, 41)])
            assert (found <= most * (1 + 1e-12)).all()
            assert abs(found[0] / most[0] - 1) < 1e-12


@BETAS
@pytest.mark.parametrize(("e", "h", "s"), [(0.01, 1.0, 1.0), (0.9, 0.5, 2.0), (1.9, 1.0, 0.3)])
def test_the_moments_solve_the_linear_equations(beta1, e, h, s):
    solved = stationary(mode(np, MomentumAverage(e, beta1), h, s))
    variance, square, gradient = theory.average_moments(e, h, s, beta1)
    assert abs(variance / solved[0, 0] - 1) < 1e-9
    assert abs(square / solved[1, 1] - 1) < 1e-9
    assert_close(gradient, h * h * variance + s * s)
    assert abs(solved[0, 1] + e * square / 2) < 1e-9 * square


@BETAS
def test_the_edge_is_where_it_is_no_longer_stable(beta1):
    most = theory.edge(2.0, beta1)

    def radius(e):
        return abs(np.linalg.eigvals(mode(np, MomentumAverage(e, beta1), 2.0, 1.0).A)).max()

    assert radius(0.999 * most) < 1 < radius(1.001 * most)
    with pytest.raises(InputError, match=f"below the edge .* = {most:.6g}"):
        theory.average_moments(most, 2.0, 1.0, beta1)
    with pytest.raises(InputError, match="above 0"):
        theory.average_moments(0.0, 2.0, 1.0, beta1)


@BETAS
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("eta", [1e-8, 0.003, 0.3, 5.0, 1e4])
def test_v_is_the_second_moment_that_it_brings_about(beta1, momentum, eta):
    e = theory.rate(eta, 2.0, 0.7, beta1, momentum=momentum)
    assert 0 < e < theory.edge(2.0, beta1)
    D = 2 * (1 + beta1) - (1 - beta1) * 2.0 * e  # times D, as both sides grow without bound at the edge
    _, square, gradient = theory.average_moments(e, 2.0, 0.7, beta1)
    V = square if momentum else gradient
    assert abs(V * D / ((eta / e) ** 2 * D) - 1) < (1e-9 if eta < 100 else 1e-4)


def test_a_small_rate_is_the_limit():
    beta1, eta = 0.9, 1e-6
    a = theory.attenuation(beta1)
    adam, ours = (
        theory.average_moments(theory.rate(eta, 1.0, 1.0, beta1, momentum=momentum), 1.0, 1.0, beta1)[0]
        for momentum in (False, True)
    )
    assert abs(adam / (eta / 2) - 1) < 1e-5
    assert abs(ours / adam * a**0.5 - 1) < 1e-5


@pytest.mark.parametrize(
    ("change", "words"),
    [({"eta": 0}, "eta"), ({"h": -1.0}, "h = "), ({"s": float("nan")}, "s = "), ({"beta1": 1}, "beta1")],
)
def test_what_has_no_rate_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        theory.rate(**{"eta": 0.1, "h": 1.0, "s": 1.0, "beta1": 0.9, "momentum": True} | change)


@BETAS
@pytest.mark.parametrize(("mu", "s"), [(1.0, 1.0), (0.1, 1.0), (2.0, 0.0), (0.0, 3.0)])
def test_signal_to_noise_is_the_same_and_the_rate_is_not(beta1, mu, s):
    means, variances = zip(
        *(
            theory.step_moments(mu, s, beta1, theory.second_moment(mu, s, beta1, momentum=momentum))
            for momentum in (True, False)
        ),
        strict=True,
    )
    kappa = theory.rate_gain(mu, s, beta1)
    assert_close(means[0], kappa * means[1])
    assert_close(variances[0], kappa**2 * variances[1])
    assert 1 - 1e-12 <= kappa <= (1 + 1e-12) / theory.attenuation(beta1) ** 0.5


def test_the_average_of_white_noise_has_the_variance_a():
    m = np.zeros(4000)
    rng = np.random.default_rng(1)
    for _ in range(200):
        m = 0.9 * m + 0.1 * rng.standard_normal(4000)
    assert abs(m.var() / theory.attenuation(0.9) - 1) < 0.12
