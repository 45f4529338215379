"""The bounds that a radius is made of, each against what it bounds."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.sims.cubic_cnn.certificate.enclosures import enclosures
from lemmascope.sims.cubic_cnn.certificate.problem import certifiable
from lemmascope.sims.cubic_cnn.problems import Drawn, LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import quantities
from lemmascope.theory.cubic_cnn.certificate import accuracy, relief
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball, _relieved, _swayed, curvature, movement, steepest
from lemmascope.theory.cubic_cnn.certificate.products import inner_product_error
from lemmascope.theory.cubic_cnn.certificate.quantities import cross_terms, hitting, pulls
from lemmascope.theory.cubic_cnn.certificate.radius import growth, norms, spectral, steps
from lemmascope.theory.cubic_cnn.certificate.residual import errors, residual
from lemmascope.theory.cubic_cnn.certificate.rounding import eigenvalue_above, gamma, norm
from lemmascope.theory.cubic_cnn.certificate.window import Window, join, look
from lemmascope.theory.cubic_cnn.curvature import hessian
from lemmascope.theory.cubic_cnn.parameters import Parameters

LAW = Parameters(d=14, N=6, P=3, m=3, alpha=2.0, beta=0.4, mu=0.4, sigma=0.4, sigma_0=0.3)


def seen(seed=0, in_weights=True, lam=0.0, scale=1.0):
    """A problem, its window of one iteration at the initial weights, and these."""
    law = replace(LAW, sigma_0=scale * LAW.sigma_0)
    found = LawProblem(law).draw(streams(0, "bounds", seed))
    problem = certifiable(found, lam, in_weights=in_weights)
    theta = problem.system.initial(1)
    view, _ = problem.system.evaluate(theta)
    state = theta[0, 0]
    window = look(problem.data, view, state, 0 * state, np.zeros(4))
    return found, problem.data, window


@pytest.mark.parametrize("seed", range(4))
def test_an_eigenvalue_is_bounded_tightly(seed):
    rng = np.random.default_rng(seed)
    M = rng.standard_normal((12, 12))
    A = M + M.T
    top = np.linalg.eigvalsh(A)[-1]
    found = eigenvalue_above(A)
    assert top <= found <= top + 1e-8 * norm(A)
    assert eigenvalue_above(A, 0.5) >= top + 0.5
    least = -eigenvalue_above(-A)
    assert least <= np.linalg.eigvalsh(A)[0]
    assert eigenvalue_above(np.zeros((0, 0))) == -math.inf


@pytest.mark.parametrize("d", [3, 40, 1000])
def test_inner_products_are_looked_at_exactly(d):
    rng = np.random.default_rng(d)
    Y, Z = rng.standard_normal((2, d)), 10 * rng.standard_normal((3, d))
    found = Y @ Z.T
    bound = inner_product_error(Y, Z, found)
    for a in range(2):
        for b in range(3):
            exact = sum((Fraction(x) * Fraction(z) for x, z in zip(Y[a], Z[b], strict=True)), Fraction(0))
            off = abs(exact - Fraction(found[a, b]))
            assert off <= Fraction(bound[a, b])
            assert bound[a, b] <= float(off) + 1e-5 * gamma(d) * np.sum(np.abs(Y[a] * Z[b])) + 1e-280
    assert np.all(inner_product_error(Y, Z, found + 1e-9) >= 0.99e-9)


def segment(found, W):
    """The mean of the Hessian on the segment from the initial weights to others."""
    places, shares = np.polynomial.legendre.leggauss(8)
    points = [found.W_0 + (1 + x) / 2 * (W - found.W_0) for x in places]
    X, y = found.sample.X, found.sample.y
    return sum(share / 2 * hessian(point, X, y) for point, share in zip(points, shares, strict=True))


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_the_mean_on_a_segment_moves_by_half_of_what_its_end_does(seed):
    """Where the patch that is memorized most is memorized more: so that less than about half would not do."""
    radius = 1e-2
    _, found, problem, _, window = displaced(seed, radius)
    data, off = problem.data, errors(problem.data, window)
    bounds = []
    for size in (0.0, radius):
        bent = curvature(data, window, off, Ball(size, size, size))
        bounds.append(max(bent.down_signal[0], bent.down_noise[0]))
    W = displaced_weights(found, seed, radius)
    start, mean, end = (
        -np.linalg.eigvalsh(H)[0]
        for H in (
            hessian(found.W_0, found.sample.X, found.sample.y),
            segment(found, W),
            hessian(W, found.sample.X, found.sample.y),
        )
    )
    assert start <= bounds[0]
    assert mean <= bounds[1]
    assert 0.4 * (end - start) <= mean - start <= 0.6 * (end - start)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [0.0, 1e-3, 1e-2])
@pytest.mark.parametrize("in_weights", [False, True])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_hessian_in_a_ball_is_within_its_bounds(seed, radius, in_weights, scale):
    found, data, window = seen(seed, in_weights, scale=scale)
    bent = curvature(data, window, errors(data, window), Ball(radius, radius, radius))
    rng = np.random.default_rng(seed)
    w = found.sample.w_star
    for _ in range(5):
        move = rng.standard_normal((LAW.m, LAW.d))
        W = found.W_0 + radius * move / np.linalg.norm(move)
        H = hessian(W, found.sample.X, found.sample.y)
        values = np.linalg.eigvalsh(H)
        mean = segment(found, W)
        down = max(bent.down_signal[0], bent.down_noise[0])
        assert -down - 1e-12 <= np.linalg.eigvalsh(mean)[0]
        assert values[-1] <= bent.up[0] + 1e-12
        along = np.kron(np.eye(LAW.m), w[:, None])  # the block along w*, and the one across
        basis = np.linalg.qr(np.concatenate([w[:, None], np.eye(LAW.d)[:, : LAW.d - 1]], axis=1))[0][:, 1:]
        across = np.kron(np.eye(LAW.m), basis)
        signal, noise = (np.linalg.eigvalsh(part.T @ H @ part) for part in (along, across))
        least = [np.linalg.eigvalsh(part.T @ mean @ part)[0] for part in (along, across)]
        assert -bent.down_signal[0] - 1e-12 <= least[0]
        assert signal[-1] <= bent.up_signal[0] + 1e-12
        assert -bent.down_noise[0] - 1e-12 <= least[1]
        assert noise[-1] <= bent.up_noise[0] + 1e-12
        assert np.linalg.norm(along.T @ H @ across, 2) <= bent.coupling[0] + 1e-12


def test_a_window_is_bounded_by_its_maxima():
    """One norm of the largest D bounds all; and the crude ones the sharp ones."""
    windows = [seen(seed)[2] for seed in range(3)]
    data = seen(0)[1]
    both = join(windows)
    assert both.rates.shape == (3, 4)
    for window in windows:
        D, more = np.abs(window.rise), np.maximum(np.abs(window.rise), np.abs(both.rise))
        assert steepest(data, more) >= steepest(data, D) * (1 - 1e-9)
        true = max(np.linalg.eigvalsh(np.sqrt(row)[:, None] * data.K * np.sqrt(row))[-1] for row in D)
        assert true <= steepest(data, D) <= 1.02 * true
        assert steepest(data, D) <= steepest(data, D, sharp=False)


def borrowed(seed):
    """Matrices on R^(m(n + 1)), ⟨x_k, v_r⟩ and ⟨w*, v_r⟩ as coordinates: D − P, and what `net` says it is below."""
    rng = np.random.default_rng(seed)
    m, N, Q = 3, 5, int(rng.integers(1, 3))
    Xi, c = 0.4 * rng.standard_normal((m, N * Q)), rng.standard_normal(m)
    Xi[rng.integers(0, m, N), np.arange(N) * Q] += 1.5  # the neuron that memorizes the sample
    strength, ell = rng.permutation([0.0, 0.3, -0.4, 0.1, 3.0]), rng.uniform(0.1, 0.9, N)
    y, weight = rng.choice([-1.0, 1.0], N), ell * (1 - ell) / N
    rise = (6 / N) * np.repeat(y * ell, Q) * Xi
    g = np.zeros((N, m, N * Q + 1))
    for i in range(N):
        g[i, :, i * Q : (i + 1) * Q] = 3 * Xi[:, i * Q : (i + 1) * Q] ** 2
        g[i, :, -1] = 3 * strength[i] ** 3 * c**2
    flat = g.reshape(N, -1) * relief.lenders(strength)[:, None]
    left, lent = relief.net(Xi, c, y, ell, relief.lenders(strength), strength)

    def diagonal(D, along):
        return np.diag(np.concatenate([D, np.full((m, 1), along)], axis=1).ravel())

    return diagonal(rise, 0) - flat.T @ (weight[:, None] * flat), diagonal(left, lent), left - rise


@pytest.mark.parametrize("seed", range(20))
def test_relief_is_below_what_it_is_taken_from(seed):
    """And a star whose neighbours do not pay for it would not be."""
    whole, bound, change = borrowed(seed)
    assert np.linalg.eigvalsh(bound - whole)[0] >= -1e-12
    assert change.min() < 0
    unpaid = bound - np.diag(np.concatenate([np.maximum(change, 0), np.zeros((3, 1))], axis=1).ravel())
    assert np.linalg.eigvalsh(unpaid - whole)[0] < 0


def test_too_large_a_ball_is_said_to_be():
    _, data, window = seen()
    for radius in (1e3, math.inf):
        assert np.all(np.isinf(curvature(data, window, errors(data, window), Ball(radius, radius, radius)).up))


@pytest.mark.parametrize("rates", [(0, 0, 0, 0.1), (0.9, 0.1, 0.3, 0), (0.99, 0.02, 1, 0), (0.9, 0.02, 0.9, 0.02)])
def test_growth_is_the_largest_norm_between_two_curvatures(rates):
    memory, kappa, p, q = rates
    found = norms(rates, np.zeros(1))
    low, high = -0.7, 5.0
    bound = growth(found, np.array([rates]), np.array([low]), np.array([high]))[0]
    for j, (one, two) in enumerate(zip(found.one, found.two, strict=True)):
        L = np.array([[one, 0], [two, 1]])
        sizes = []
        for h in np.linspace(low, high, 50):
            M = np.array([[memory, kappa * h], [-p * memory, 1 - (p * kappa + q) * h]])
            sizes.append(np.linalg.norm(L @ M @ np.linalg.inv(L), 2))
        assert max(sizes) * (1 - 1e-12) <= bound[j] <= max(sizes) * (1 + 1e-9)
    assert np.all(found.conversion(found) >= 0.999)


def test_the_norm_of_a_two_by_two_matrix():
    rng = np.random.default_rng(1)
    for a, b, c, d in rng.standard_normal((50, 4)):
        true = np.linalg.norm([[a, b], [c, d]], 2)
        assert true * (1 - 1e-14) <= spectral(*map(np.asarray, (a, b, c, d))) <= true * (1 + 1e-13)


def test_residuals_are_of_the_size_of_rounding():
    for in_weights in (False, True):
        _, data, window = seen(0, in_weights)
        window = Window(**{**vars(window), "rates": np.array([[0.9, 0.1, 0.3, 0.0]])})
        rho = residual(data, window, errors(data, window))
        assert 0 < rho.theta[0] < 1e-12
        assert rho.u_noise[0] <= rho.u[0] < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_accuracy_is_enclosed(seed):
    """Against quasi-Monte Carlo, from small signals to large ones."""
    rng = np.random.default_rng(seed)
    m, Q, sigma = 6, 2, 0.3
    M = rng.standard_normal((m, 40))
    S = M @ M.T / 40
    points = quantities.directions(m, Q, streams(0, "accuracy", seed)("directions"))
    spread = math.sqrt(accuracy.second_moment(S, 0.0, sigma, Q))
    for c in (0.01, 0.1, 1.0, 3.0):
        vector = np.full(m, c) * rng.choice([-1.0, 1.0])
        A = float(np.sum(vector**3))
        (found,), (error,) = quantities.test_accuracy(S, vector, (1.0,), sigma, points)
        low, high = accuracy.accuracy(S, 1e-9, (A - 1e-12, A + 1e-12), sigma, Q)
        assert low - 6 * error <= found <= high + 6 * error
        assert 0 <= low < 1
        assert 0 < high <= 1
        if abs(A) > 60 * spread:
            assert high - low < 1e-3
        if abs(A) < 1e-4 * spread:
            assert high - low < 0.01
    with_doubt = accuracy.accuracy(S, 0.01, (-1e-3, 1e-3), sigma, Q)
    assert with_doubt[0] < 0.5 < with_doubt[1]


def test_one_neuron_is_exact():
    """P(|λ³g³| ≤ A) is known: the bound is that of its density at 0."""
    S, A = np.array([[0.5]]), 1e-6
    scale = 0.3 * math.sqrt(0.5)
    true = math.erf(A ** (1 / 3) / scale / math.sqrt(2))
    assert true <= accuracy.concentration(S, 0.0, 0.3, 1, A) <= 1.01 * true
    assert accuracy.second_moment(S, 0.0, 0.3, 1) >= 15 * scale**6
    assert accuracy.second_moment(S, 0.0, 0.3, 1) <= 15 * scale**6 * 1.001


def test_neurons_that_are_one_give_no_better_bound():
    """Nothing is known of a Gram matrix without an independent part."""
    assert accuracy.concentration(np.ones((3, 3)), 1e-6, 0.3, 1, 1e-6) == 1.0
    assert accuracy.concentration(np.zeros((2, 2)), 0.0, 0.3, 1, 1e-6) == 1.0


def test_hitting_times_are_intervals():
    values, off = np.array([0.0, 0.4, 0.8, 1.2, 1.6]), np.full(5, 0.3)
    assert hitting(values, off, 1.0) == (2, 4)
    assert hitting(values, 0 * off, 1.0) == (3, 3)
    assert hitting(values, off, 1.5) == (3, None)
    assert hitting(values, off, 3.0) == (None, None)
    assert hitting(values, np.array([0.0, 0.0, 0.0, math.inf, math.inf]), 1.0) == (3, None)


def test_the_bounds_are_the_same_in_any_array_library():
    """The standard's own strict implementation."""
    import dataclasses

    import array_api_strict as strict

    found = LawProblem(LAW).draw(streams(0, "bounds", 0))
    problem = certifiable(found, 0.01)
    theta = problem.system.initial(1)
    view, _ = problem.system.evaluate(theta)
    rates = np.array([0.9, 0.1, 0.3, 0.0])
    arrays = [view, theta[0, 0], 0 * theta[0, 0], rates]

    def bounds(data, arrays):
        window = look(data, *arrays)
        off = errors(data, window)
        bent, rho = curvature(data, window, off, Ball(1e-6, 1e-6, 1e-6)), residual(data, window, off)
        found = norms(tuple(float(rate) for rate in arrays[-1]), window.rates)
        each = steps(found, window.rates, bent, rho, data.lam)
        S = window.Xi @ window.Xi.T
        near = accuracy.accuracy(S, 1e-9, (1e-4, 2e-4), 0.3, 2)
        return [*vars(bent).values(), *vars(rho).values(), *vars(each).values(), *near]

    def put(x):
        if dataclasses.is_dataclass(x):
            return dataclasses.replace(x, **{f.name: put(getattr(x, f.name)) for f in dataclasses.fields(x)})
        return strict.asarray(x) if isinstance(x, np.ndarray) else x

    data, other = problem.data, put(problem.data)
    for one, two in zip(bounds(data, arrays), bounds(other, [put(x) for x in arrays]), strict=True):
        assert_close(np.asarray(two), np.asarray(one))


def displaced_weights(found, seed, radius):
    move = np.random.default_rng(seed).standard_normal(found.W_0.shape)
    if seed % 2:
        patches = found.sample.signal_first()[:, 1:, :].reshape(-1, LAW.d)
        r, k = np.unravel_index(np.abs(found.W_0 @ patches.T).argmax(), (LAW.m, len(patches)))
        move = np.zeros_like(move)
        move[r] = np.sign(found.W_0[r] @ patches[k]) * patches[k]
    return found.W_0 + radius * move / np.linalg.norm(move)


def displaced(seed, radius, scale=3.0):
    """A problem in weight space at weights that memorize, and weights on a sphere around them: somewhere, or, of an odd
    seed, where the patch that is memorized most is memorized more.
    """
    law = replace(LAW, sigma_0=scale * LAW.sigma_0)
    found = LawProblem(law).draw(streams(0, "bounds", seed))
    problem = certifiable(found, in_weights=True)
    W = displaced_weights(found, seed, radius)
    views = [problem.system.evaluate(one[None, None])[0] for one in (found.W_0, W)]
    window = look(problem.data, views[0], found.W_0, 0 * found.W_0, np.zeros(4))
    return law, found, problem, views, window


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("radius", [1e-3, 1e-2, 1e-1])
def test_each_quantity_of_weights_in_the_ball_is_within_its_interval(seed, radius):
    law, found, problem, (view, other), _ = displaced(seed, radius)
    small = np.asarray(found.sample.small)
    groups = {"large": ~small, "small": small}
    gram = problem.system.perpendicular_gram(found.W_0[None, None], view)[0, 0]
    ball = Ball(radius, radius, radius)
    intervals = enclosures(problem.data, view, found.W_0, ball, groups, law, gram)
    y = problem.system.y
    there = quantities.observe(other, y, [~small[None], small[None]])
    there |= quantities.cross_terms(problem.system, other, y, law.sigma)
    for name in ("c", "nu", "loss", "Xi_abs_max", "memorization_min", "cross_ratio", "cross_to_diagonal"):
        low, high = np.moveaxis(intervals[name], -1, 0)
        value = np.asarray(there[name])[0, 0]
        assert np.all((low <= value) & (value <= high)), name


@pytest.mark.parametrize("seed", range(4))
def test_what_a_ball_adds_to_relief_is_at_least_what_its_points_change(seed, monkeypatch):
    """The gradients' change, and the share of the positive part that is given up for it."""
    radius = 1e-2
    _, found, problem, (view, other), window = displaced(seed, radius)
    data, ball = problem.data, Ball(radius, radius, radius)
    off = errors(data, window)
    moved = movement(data, window, off, ball)
    factor = np.exp(moved.margins)
    along, across = _swayed(data, window, off, moved, ball, factor)
    changed = other.Xi[0, 0] ** 2 - view.Xi[0, 0] ** 2  # (m, N, Q)
    patches = found.sample.signal_first()[:, 1:, :]
    weight = np.asarray(other.ell[0, 0]) * (1 - np.asarray(other.ell[0, 0])) / LAW.N
    d = 3 * np.einsum("rnq,nqd->nrd", changed, patches).reshape(LAW.N, -1)
    assert np.linalg.eigvalsh(d.T @ (weight[:, None] * d))[-1] <= across
    signal = 3 * np.abs(data.strength) ** 3 * np.linalg.norm(other.c[0, 0] ** 2 - view.c[0, 0] ** 2)
    assert np.sum(weight * signal**2) <= along
    # All that may lend do, so that twice the norms over τ ≤ ½ are the price.
    monkeypatch.setattr("lemmascope.theory.cubic_cnn.certificate.curvature.LENDING", (0.0,))
    rise, strain, _ = _relieved(data, window, off, moved, ball, factor)
    lenders = np.asarray(data.lends)[:, None] * d
    # Of the mean on the segment, a third or more of that at its end.
    assert np.linalg.eigvalsh(lenders.T @ (weight[:, None] * lenders))[-1] * 4 / 3 <= strain
    D = (6 / LAW.N) * data.of_patches(window.ell) * window.Xi
    given_up = 0.5 * (np.minimum(data.of_patches(moved.margins), 1) + data.of_patches(factor) - 1)
    lent = data.of_patches(data.lends) > 0
    assert np.all((rise >= np.maximum(window.rise, 0) + given_up * D)[:, lent])
    assert np.all((rise >= D)[:, ~lent])


def test_where_all_is_wrong_the_positive_part_is_not_lost_in_one_minus_ell():
    """At a margin of −41 a computed ℓ is 1, and ℓ(1 − ℓ) is not 0."""
    drawn = LawProblem(replace(LAW, N=2, P=2, m=1, mu=0.5)).draw(streams(0, "bounds", 0))
    found = drawn.projection()
    y, Q = found.y, found.K.shape[0] // found.y.shape[0]
    Xi = -3.4 * y
    found = replace(found, Xi_0=np.repeat(Xi, Q)[None, :], c_0=np.array([-0.5]), K=np.diag(np.diag(found.K)))
    problem = certifiable(Drawn(None, None, found))
    data, theta = problem.data, problem.system.initial(1)
    view, _ = problem.system.evaluate(theta)
    assert np.all(np.asarray(view.ell) == 1)
    window = look(data, view, theta[0, 0], 0 * theta[0, 0], np.zeros(4))
    bent = curvature(data, window, errors(data, window), Ball())
    c, s = -0.5, np.asarray(data.strength)
    weight = np.exp(y * Xi**3 + s**3 * c**3) / 2  # ℓ(1 − ℓ)/N, to a relative 1e-17
    lengths = np.sqrt(np.diag(found.K))
    between = np.linalg.norm(9 * weight * s**3 * c**2 * Xi**2 * lengths)
    assert between <= bent.coupling[0]
    assert np.sum(9 * weight * s**6 * c**4) <= window.pull_signal[0]
    assert np.max(9 * weight * Xi**4 * lengths**2) <= window.pull_noise[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("radius", [1e-3, 1e-2, 0.1, 0.2])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_sums_of_sizes_in_the_ball_are_within_theirs(seed, radius, sign, scale):
    """Where they shrink, and grow, as fast as they can; the lower end goes by what shrinks."""
    found, data, window = seen(seed, scale=scale)
    problem = certifiable(found, in_weights=True)
    patches = found.sample.signal_first()[:, 1:, :].reshape(-1, LAW.d)

    def at(W):
        view, _ = problem.system.evaluate(W[None, None])
        Xi = view.Xi[0, 0].reshape(LAW.m, -1)
        return view, data.of_patches(view.ell[0, 0]) * Xi**2, data.of_patches(view.ell[0, 0]) * Xi

    def others(u):
        return np.sum(u, axis=-1, keepdims=True) - u

    view, before, slope = at(found.W_0)
    r = int(np.argmax(np.sum(before, axis=-1)))
    move = np.zeros_like(found.W_0)
    move[r] = sign * slope[r] @ patches
    _, after, _ = at(found.W_0 + radius * move / np.linalg.norm(move))
    ball, off = Ball(radius, radius, radius), errors(data, window)
    moved = movement(data, window, off, ball)
    bounds = pulls(data, view, off, moved, ball)
    assert np.all(np.abs(np.abs(bounds.u) - before) <= 1e-12 * before.max())
    for one, sums in ((before, others(before)), (after, others(after))):
        assert np.all((before - bounds.below <= one + 1e-12) & (one <= before + bounds.above + 1e-12))
        low, high = bounds.others - bounds.others_below, bounds.others + bounds.others_above
        assert np.all((low <= sums) & (sums <= high))
    if sign < 0:
        falls = others(before)[r] - others(after)[r]
        if scale < 1 and radius < 0.1:
            assert np.max(falls / bounds.others_below[r]) >= 0.6  # half would not do
    change = (data.y.repeat(data.Q) * (after - before))[r] @ data.K_others[0]
    assert np.all(np.abs(change) <= bounds.reached[r] + 1e-12)
    assert np.all(bounds.others_below <= (1 + 1e-5) * np.sum(before, axis=-1, keepdims=True))


@pytest.mark.parametrize("radius", [1.0, 10.0, 1e4])
def test_of_cross_terms_in_too_large_a_ball_nothing_is_said(radius):
    """Where e^Δ overflows no end is NaN."""
    law, _, problem, (view, _), window = displaced(0, 1e-2)
    ball, off = Ball(radius, radius, radius), errors(problem.data, window)
    moved = movement(problem.data, window, off, ball)
    for low, high in cross_terms(problem.data, view, off, moved, ball, law.sigma).values():
        assert low == 0
        assert high == math.inf
