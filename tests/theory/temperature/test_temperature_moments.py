"""The temperature's formulas, each held against another way to the same number."""

import itertools

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov
from tolerances import assert_close

from lemmascope.theory.temperature import finite_data, quadratic, reshuffled
from lemmascope.theory.temperature.anharmonic import Expansion, coefficient
from lemmascope.theory.temperature.total_effect import response

momenta = st.floats(0, 0.99)


def system(h, mu, eta):
    """(2, 2) step of (x, v), and where the noise enters."""
    return np.array([[1 - eta * h, -mu], [eta * h, mu]]), np.array([-eta, eta])


@settings(max_examples=40, deadline=None)
@given(momenta, st.floats(0.01, 0.9), st.integers(0, 10**6))
def test_the_covariance_solves_the_lyapunov_equation_for_any_spectrum(mu, share, seed):
    rng = np.random.default_rng(seed)
    h, draw = rng.uniform(0.05, 2, 3), rng.standard_normal((3, 3))
    S, eta, B = draw @ draw.T, share * 2 * (1 + mu) / h.max(), 4
    identity = np.eye(3)
    M = np.block([[identity - eta * np.diag(h), -mu * identity], [eta * np.diag(h), mu * identity]])
    g = eta * np.vstack([-identity, identity])
    solved = solve_discrete_lyapunov(M, g @ (S / B) @ g.T)[:3, :3]
    stated = quadratic.covariance(h, S, eta, mu, B)
    assert np.linalg.norm(stated - solved) <= 1e-8 * np.linalg.norm(solved)


def test_the_ratio_is_that_of_the_covariance_and_has_the_stated_first_order():
    h, s, mu, B = np.array([0.1, 0.5, 2.0]), np.array([1.0, 3.0, 0.5]), 0.5, 8
    for eta_0 in (1e-5, 1e-2):
        eta = (1 - mu) * B * eta_0
        C = quadratic.covariance(h, np.diag(s), eta, mu, B)
        T = float(np.sum(h * np.diag(C))) / 2
        assert abs(T / quadratic.first_temperature(eta_0, s.sum()) / quadratic.ratio(h, s, eta, mu) - 1) < 1e-12
    kappa = quadratic.departure(mu, B, quadratic.mean_curvature(h, s))
    first = (quadratic.ratio(h, s, (1 - mu) * B * 1e-6, mu) - 1) / 1e-6
    assert abs(first / kappa - 1) < 1e-4
    eta = quadratic.corrected(1e-4, mu, B, kappa)
    scale = quadratic.first_temperature(1e-4, s.sum())
    T = float(np.sum(h * np.diag(quadratic.covariance(h, np.diag(s), eta, mu, B)))) / 2
    second = quadratic.departure(mu, B, 1.0) ** 2 * quadratic.variance_of_curvature(h, s)
    assert abs((T / scale - 1) / 1e-8 / second - 1) < 1e-2
    one = np.array([0.7])
    eta = quadratic.corrected(0.1, mu, B, quadratic.departure(mu, B, 0.7))
    exact = quadratic.covariance(one, np.eye(1), eta, mu, B)[0, 0] * 0.7 / 2
    assert abs(exact / quadratic.first_temperature(0.1, 1.0) - 1) < 1e-14


def test_the_formulas_run_on_any_library_of_the_standard():
    xp = array_api_strict
    h, S = xp.asarray([0.1, 2.0]), xp.asarray([[1.0, 0.2], [0.2, 3.0]])
    C = quadratic.covariance(h, S, 0.1, 0.5, 4)
    assert_close(np.asarray(C), quadratic.covariance(np.asarray(h), np.asarray(S), 0.1, 0.5, 4))
    s = xp.linalg.diagonal(S)
    assert_close(float(quadratic.ratio(h, s, 0.1, 0.5)), quadratic.ratio(np.asarray(h), np.asarray(s), 0.1, 0.5))
    T = reshuffled.exact(h, s, xp.asarray(0.01), xp.asarray(0.5), 2, 8)
    assert_close(float(T), reshuffled.exact(np.asarray(h), np.asarray(s), np.asarray(0.01), np.asarray(0.5), 2, 8))
    X = np.random.default_rng(0).standard_normal((6, 2))
    r = np.linspace(-1, 1, 6)
    found = finite_data.moments(xp.asarray(X), xp.asarray(r), 0.1, 0.5, 0.25)
    assert abs(found.loss / finite_data.moments(X, r, 0.1, 0.5, 0.25).loss - 1) < 1e-12


# --- reshuffled epochs ----------------------------------------------------------------------------------------------


def brute(h, eta, mu, B, N):
    """T_R from the covariance of the noise written out, and SciPy's solver over an epoch."""
    n, c = N // B, (N - B) / (B * (N - 1))
    M, g = system(h, mu, eta)
    noise = (c * n / (n - 1)) * (np.eye(n) - 1 / n)

    def within(k):
        rows = np.array([np.linalg.matrix_power(M, k - 1 - s) @ g for s in range(k)]).reshape(k, 2)
        return rows.T @ noise[:k, :k] @ rows

    powers = [np.linalg.matrix_power(M, k) for k in range(n + 1)]
    start = solve_discrete_lyapunov(powers[n], within(n))
    return np.mean([h * (powers[k] @ start @ powers[k].T + within(k))[0, 0] / 2 for k in range(n)])


@pytest.mark.parametrize(("mu", "B", "N"), [(0.0, 1, 4), (0.5, 2, 6), (0.9, 1, 12), (0.9, 4, 8)])
def test_reshuffled_epochs_written_out(mu, B, N):
    found = reshuffled.exact(np.array([0.8]), np.array([1.0]), np.array(0.2), np.array(mu), B, N)
    assert abs(found / brute(0.8, 0.2, mu, B, N) - 1) < 1e-10


def test_the_leading_order_and_its_next_coefficient():
    """At μ = 0 the relative rest is −(N/4 − B)hη₀: seen here, not proved."""
    for B in (1, 8):
        for eta_0 in (1e-5, 1e-6):
            found = reshuffled.exact(np.ones(1), np.ones(1), np.array(B * eta_0), np.array(0.0), B, 256)
            rest = (found / reshuffled.leading(0.0, B, 256, eta_0, 1.0) - 1) / eta_0
            assert abs(rest + 256 / 4 - B) < 0.1
    usual = 256 / 12
    assert abs(reshuffled.leading(0.0, 1, 256, 1.0, 1.0) / usual - 1) < 0.01


def test_one_batch_an_epoch_has_no_noise():
    assert reshuffled.leading(0.9, 8, 8, 0.1, 1.0) == 0


# --- finite data ----------------------------------------------------------------------------------------------------


def batches(N, B, sampling):
    if sampling == "with replacement":
        return list(itertools.product(range(N), repeat=B))
    return list(itertools.combinations(range(N), B))


@pytest.mark.parametrize("sampling", finite_data.SAMPLINGS[:2])
@pytest.mark.parametrize("mu", [0.0, 0.7])
def test_the_second_moments_are_those_of_all_minibatches(sampling, mu):
    """The fixed point, under the mean over every minibatch that there is."""
    rng = np.random.default_rng(3)
    N, d, B, eta = 5, 2, 2, 0.05
    X, y = rng.standard_normal((N, d)), rng.standard_normal(N)
    r = X @ np.linalg.lstsq(X, y, rcond=None)[0] - y
    found = finite_data.moments(X, r, eta, mu, finite_data.spread_factor(sampling, B, N))
    assert found.radius < 1
    Z, I = found.covariance, np.eye(d)  # noqa: E741
    after = np.zeros_like(Z)
    every = batches(N, B, sampling)
    for batch in every:
        rows = X[list(batch)]
        H, b = rows.T @ rows / B, rows.T @ r[list(batch)] / B
        M = np.block([[I - eta * H, -mu * I], [eta * H, mu * I]])
        kick = eta * np.concatenate([-b, b])
        after += (M @ Z @ M.T + np.outer(kick, kick)) / len(every)
    assert_close(after, Z, "trajectory")
    H = X.T @ X / N
    assert abs(found.loss - np.sum(H * Z[:d, :d]) / 2) < 1e-14


def test_the_radius_is_that_of_the_map_and_tells_divergence():
    X, r = np.array([[1.0], [2.0], [0.5]]), np.array([0.1, -0.2, 0.3])
    H, fourth = np.mean(X**2), np.mean(X**4)
    for eta in (0.1, 0.5, 0.9):
        exact = (1 - eta * H) ** 2 + eta**2 * (fourth - H * H)  # μ = 0, B = 1, d = 1
        assert abs(finite_data.moments(X, r, eta, 0.0, 1.0).radius - max(exact, 0)) < 1e-9


def test_the_effective_batch_and_its_first_order():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((64, 5)), rng.standard_normal(64)
    r = X @ np.linalg.lstsq(X, y, rcond=None)[0] - y
    h_mean, grown = finite_data.first_order(X, r)
    trace = float(np.trace(finite_data.noise(X, r)))
    for B, mu in ((1, 0.0), (32, 0.5), (56, 0.9)):
        eta_0, batch = 1e-5, finite_data.effective_batch(B, 64)
        f = finite_data.spread_factor("distinct", B, 64)
        assert abs(f * batch - 1) < 1e-12
        T = finite_data.moments(X, r, (1 - mu) * batch * eta_0, mu, f).loss
        rest = (T / quadratic.first_temperature(eta_0, trace) - 1) / eta_0
        stated = quadratic.departure(mu, batch, h_mean) + grown
        assert abs(rest / stated - 1) < 0.02


# --- one gradient ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mu", "B"), [(0.0, 1), (0.9, 4)])
def test_the_total_effect_open_and_closed(mu, B):
    eta, delta = 0.05, np.array([1.0, -2.0])
    free = response(np.zeros((2, 2)), delta, eta, mu, B, 2000)
    assert_close(free[-1], -eta * delta / (B * (1 - mu)))
    k = 5
    assert_close(free[k], -eta * delta * (1 - mu ** (k + 1)) / (B * (1 - mu)))
    H = np.array([[1.0, 0.3], [0.3, 0.5]])
    assert_close(response(H, delta, eta, mu, B, 5000).sum(axis=0), -np.linalg.solve(H, delta) / B, "trajectory")


# --- beyond the quadratic -------------------------------------------------------------------------------------------


def by_density(eps, h, J, F, noise, D_1, D_2):
    """T/T₀ in one dimension from the stationary density (1/D) exp(−∫ 2L'/(εD))."""
    x = np.linspace(-1, 1, 100_001) * 12 * np.sqrt(eps * noise / (2 * h))
    D = noise + D_1 * x + D_2 * x * x / 2
    slope = 2 * (h * x + J * x**2 / 2 + F * x**3 / 6) / (eps * D)
    well = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(x))])
    density = np.exp(-(well - well.min())) / D
    L = h * x**2 / 2 + J * x**3 / 6 + F * x**4 / 24
    return (density * L).sum() / density.sum() / (eps * noise / 4)


@pytest.mark.parametrize(("D_1", "D_2"), [(0.0, 0.0), (0.4, 0.0), (0.4, 0.6)])
def test_the_first_order_in_one_dimension_is_that_of_the_stationary_density(D_1, D_2):
    h, J, F, noise = 1.3, 0.7, 2.1, 0.9
    C = noise / (2 * h)
    cube = np.full((1, 1, 1), 1.0)
    a = coefficient(Expansion(np.array([h]), np.array([[noise]]), J * cube, np.array([[F * C]]), D_1 * cube, D_2 * C))
    assert abs((by_density(1e-4, h, J, F, noise, D_1, D_2) - 1) / 1e-4 - a) < 1e-3 * max(abs(a), 0.01)
    if not D_1 and not D_2:
        assert abs(a - noise / h**2 * (5 * J**2 / (24 * h) - F / 8)) < 1e-12


def test_the_first_order_in_two_dimensions_is_that_of_the_gibbs_measure():
    """Isotropic constant noise: the density is exp(−2L/ε), whatever couples the directions."""
    h, eps = np.array([1.0, 2.5]), 1e-3
    J = np.zeros((2, 2, 2))
    for at in set(itertools.permutations((0, 0, 1))):
        J[at] = 0.8
    J[1, 1, 1] = -0.5
    F = np.zeros((2, 2, 2, 2))
    F[0, 0, 0, 0] = 1.0
    for at in set(itertools.permutations((0, 0, 1, 1))):
        F[at] = 0.6
    C = np.diag(1 / (2 * h))
    a = coefficient(Expansion(h, np.eye(2), J, np.einsum("ijkl,kl->ij", F, C), np.zeros((2, 2, 2)), 0.0))

    def loss(x, y):
        z = np.array([x, y])
        cubic = np.einsum("ijk,i,j,k", J, z, z, z) / 6
        return h @ (z * z) / 2 + cubic + np.einsum("ijkl,i,j,k,l", F, z, z, z, z) / 24

    grid = np.linspace(-1, 1, 401) * 9 * np.sqrt(eps / 2)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    z = np.stack([x, y])
    L = np.tensordot(h, z * z, 1) / 2 + np.einsum("ijk,iab,jab,kab->ab", J, z, z, z) / 6
    L = L + np.einsum("ijkl,iab,jab,kab,lab->ab", F, z, z, z, z) / 24
    assert abs(L[3, 5] - loss(grid[3], grid[5])) < 1e-12
    weight = np.exp(-2 * (L - L.min()) / eps)
    ratio = (weight * L).sum() / weight.sum() / (eps * 2 / 4)
    assert abs((ratio - 1) / eps - a) < 0.02 * abs(a)
