"""The lines of the phase diagram: the energy identity on the network's own loss, the coasting law where it is claimed
and where it is not, and the two-body race against the whole system."""

import dataclasses
import math

import array_api_strict as strict
import numpy as np
import pytest
import strategies as drawn
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta
from tolerances import assert_close, tolerance

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.cubic_cnn import boundaries, predictions, weights
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage

LAW_OFF = tolerance("asymptotic law")

# --- energy --------------------------------------------------------------------------------------------------------


def energy_terms(W, v, X, y, lam, eta, gamma):
    """ΔE of a step of GD+M, the four terms that are said to make it up, and the size of what cancels.

    The step is the optimizer's own, from g = −v/η.
    """
    slope = weights.gradient(W, X, y, lam)
    moved, g = MomentumAverage(eta, gamma).step(W, slope, -v / eta, 0)
    after = -eta * g
    losses = [float(weights.loss(at, X, y, lam)) for at in (W, moved)]
    kinetic = [0.5 * np.vdot(u, u) for u in (v, after)]
    step = eta * (1 - gamma)
    curvature = losses[1] - losses[0] - np.vdot(slope, after)
    terms = [
        -(1 - gamma) * np.vdot(v, (v + after) / 2),
        -0.5 * step * (1 - gamma) * np.vdot(slope, v),
        -0.5 * step**2 * np.vdot(slope, slope),
        step * curvature,
    ]
    # The change is that of W − v', which rounding puts a unit of W beside the path.
    size = sum(kinetic) + step * (sum(losses) + np.abs(slope).ravel() @ (np.abs(W) + np.abs(moved)).ravel())
    return kinetic[1] - kinetic[0] + step * (losses[1] - losses[0]), terms, size


@given(drawn.instances(), drawn.RATES, drawn.GAMMAS, st.integers(0, 2**16))
def test_the_energy_identity(instance, eta, gamma, seed):
    p, sample, W = instance
    v = eta * np.random.default_rng(seed).standard_normal(W.shape)
    change, terms, size = energy_terms(W, v, sample.X, sample.y, p.lam, eta, gamma)
    assert_close(change, sum(terms), scale=size + sum(map(abs, terms)))


@pytest.mark.parametrize("term", range(4))
def test_no_term_of_the_energy_identity_can_be_left_out(term):
    rng = np.random.default_rng(0)
    X, W, v = rng.standard_normal((4, 2, 5)), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    change, terms, size = energy_terms(W, v, X, np.array([1.0, -1.0, 1.0, -1.0]), 0.0, 0.5, 0.5)
    assert_close(change, sum(terms), scale=size)
    assert abs(terms[term]) > 100 * tolerance("identity") * size


# --- coasting ------------------------------------------------------------------------------------------------------


def coast(p, eta, gamma, c_0):
    """Where one neuron comes to rest that GD+M moves by (1 − μ) log(1 + exp(−α³c³)) alone, to 30 units of margin; what
    it coasts from there on is γv/(1 − γ)."""
    c, v = c_0, 0.0
    for _ in range(200_000):
        margin = (p.alpha * c) ** 3
        if margin > 30:
            return c + gamma * v / (1 - gamma)
        v = gamma * v + eta * (1 - gamma) * 3 * p.alpha**3 * c * c * (1 - p.mu) / (1 + math.exp(margin))
        c += v
    raise AssertionError("it never fits")


def one_neuron(alpha, mu=0.2):
    return dataclasses.replace(HEADLINE, alpha=alpha, mu=mu)


@pytest.mark.parametrize("mu", [0.2, 0.01])
@pytest.mark.parametrize(
    ("alpha", "eta", "gamma"),
    [(20.0, 1e-3, 0.9999), (20.0, 1e-3, 0.99999), (20.0, 0.1, 0.999), (5.0, 0.1, 0.999), (5.0, 0.1, 0.9999)],
)
def test_the_feature_coasts_as_far_as_predicted(alpha, eta, gamma, mu):
    """Where friction and roughness are a tenth and less."""
    p, c_0 = one_neuron(alpha, mu), 0.2 / alpha
    assert boundaries.friction(p, eta, gamma, c_0) < 0.13
    assert boundaries.roughness(p, eta, gamma) < 0.13
    assert_close(coast(p, eta, gamma, c_0), predictions.coasting_distance(p, eta, gamma), "asymptotic law")


@pytest.mark.parametrize("s", [0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0])
def test_the_loss_that_is_there_at_the_start_is_what_coasts(s):
    """A start of size s = αc₀ has (1 − μ) log(1 + e^{−s³}) to spend, and the law is off by as much as is stated."""
    p, eta, gamma = one_neuron(20.0), 1e-3, 1 - 1e-6
    predicted = predictions.coasting_distance(p, eta, gamma)
    found = (coast(p, eta, gamma, s / p.alpha) - s / p.alpha) / predicted
    assert_close(found, math.sqrt(math.log1p(math.exp(-(s**3))) / math.log(2)), "asymptotic law")
    assert_close(predictions.start_size(p, np.array([s / p.alpha])), s)
    off = abs(found - 1)
    assert off <= predictions.start_error(s) + LAW_OFF
    if s <= predictions.SMALL_START:
        assert off < 0.046
    elif s >= 1.5:
        assert found < 1 / 4


def test_how_small_a_start_is_asked_for():
    assert 0.045 < predictions.start_error(predictions.SMALL_START) < 0.046
    errors = [predictions.start_error(s) for s in np.linspace(0, 2, 21)]
    assert errors[0] == 0
    assert errors == sorted(errors)
    c_0 = np.array([[0.3, -0.4, 0.0], [0.0, 0.0, 1.0]])
    size = predictions.start_size(one_neuron(2.0), c_0)
    assert_close(size, 2 * np.array([(0.027 + 0.064) ** (1 / 3), 1.0]), scale=1.0)


def test_the_prototypes_coasting_distance():
    """Theory, section 7: measured 3.341, predicted 3.330. How much of it is loss at c₀ is not known; c₀ = 1/(4α) is
    within a hundredth."""
    p = one_neuron(20.0)
    assert round(predictions.coasting_distance(p, 1e-3, 0.9999), 3) == 3.330
    assert_close(coast(p, 1e-3, 0.9999, 0.25 / 20), 3.341, "asymptotic law")


@pytest.mark.parametrize(
    ("eta", "gamma", "large"),
    [(1e-3, 0.95, "friction"), (1e-3, 0.97, "friction"), (1.0, 0.99, "roughness"), (1.0, 0.9, "roughness")],
)
def test_elsewhere_it_does_not(eta, gamma, large):
    """Neither from 0 nor from 1/α on, by more than three times what is allowed where it does."""
    p = one_neuron(20.0)
    c_0 = 0.2 / p.alpha
    sizes = {"friction": boundaries.friction(p, eta, gamma, c_0), "roughness": boundaries.roughness(p, eta, gamma)}
    assert sizes.pop(large) > boundaries.COASTS > sizes.popitem()[1]
    predicted = predictions.coasting_distance(p, eta, gamma)
    rest = coast(p, eta, gamma, c_0)
    for distance in (rest, rest - 1 / p.alpha):
        assert abs(distance / predicted - 1) > 3 * LAW_OFF


@pytest.mark.parametrize("alpha", [5.0, 20.0])
def test_as_far_as_it_is_claimed_it_is_off_by_an_eighth_at_most(alpha):
    p = one_neuron(alpha)
    c_0, worst, cells = 0.2 / alpha, 0.0, 0
    for eta in np.geomspace(1e-3, 10, 11):
        for gap in np.geomspace(1e-5, 0.5, 11):
            measures = boundaries.friction(p, eta, 1 - gap, c_0), boundaries.roughness(p, eta, 1 - gap)
            if max(measures) <= boundaries.COASTS:
                predicted = predictions.coasting_distance(p, eta, 1 - gap)
                worst = max(worst, abs(coast(p, eta, 1 - gap, c_0) / predicted - 1))
                cells += 1
    assert cells > 40
    assert worst < 1 / 8


def test_the_escape_integral():
    """By quadrature, with x = 1 + z² and x³ − 1 = z²(3 + 3z² + z⁴), and as a beta function."""
    assert_close(boundaries.ESCAPE, beta(1 / 6, 1 / 2) / 3)
    found, error = quad(lambda z: 2 / math.sqrt(3 + 3 * z**2 + z**4), 0, math.inf)
    assert error < tolerance("quadrature")
    assert_close(boundaries.ESCAPE, found, "quadrature")


@pytest.mark.parametrize(("eta", "gamma", "c_0"), [(1e-3, 0.9999, 0.01), (1e-5, 0.99, 0.002), (1e-4, 0.999, 0.02)])
def test_friction_is_the_time_of_escape(eta, gamma, c_0):
    """c̈ = η(1 − γ) · 3α³c² · (1 − μ)/2 from rest, step by step and without friction, until c has grown a billion times
    (what is left is √(3/2)/(ESCAPE · 10^4.5), a hundredth of a percent)."""
    p = HEADLINE
    pull = eta * (1 - gamma) * 3 * p.alpha**3 * (1 - p.mu) / 2
    c, v, t = c_0, 0.0, 0
    while c < 1e9 * c_0:
        v += pull * c * c
        c += v
        t += 1
    assert t > 500
    assert_close(boundaries.friction(p, eta, gamma, c_0), (1 - gamma) * t, "asymptotic law")


@given(drawn.parameters(), drawn.RATES, st.floats(0, 0.999), st.floats(1e-3, 1.0))
def test_how_friction_and_roughness_scale(p, eta, gamma, c_0):
    friction = boundaries.friction(p, eta, gamma, c_0)
    assert_close(boundaries.friction(p, 4 * eta, gamma, c_0), friction / 2)
    assert_close(boundaries.friction(p, eta, gamma, 4 * c_0), friction / 2)
    assert_close(boundaries.friction(p, eta, (3 + gamma) / 4, c_0), friction / 2, scale=friction / (1 - gamma))
    slope = 3 * p.alpha**3 * (1 / p.alpha) ** 2 * (1 - p.mu) / (1 + math.e)
    kick = eta * (1 - gamma) * slope * p.alpha
    assert_close(boundaries.roughness(p, eta, gamma) * 3 * (1 - p.mu) / (1 + math.e), kick)


# --- lines ---------------------------------------------------------------------------------------------------------

CLOCKS = st.just(0.0) | st.floats(1e-3, 1e5)


@given(drawn.parameters(), st.floats(1e-6, 1e-3), CLOCKS)
def test_the_lines_are_where_the_coast_is_long_enough(p, eta, clock):
    """On the coasting line it is 1/β, on the race line c*."""
    assert_close(boundaries.race_coefficient(p, 0.0), 1 / p.beta)
    assert_close(boundaries.race_line(p, eta, 0.0), boundaries.coasting_line(p, eta))
    lines = [(boundaries.coasting_line(p, eta), 1 / p.beta)]
    lines.append((boundaries.race_line(p, eta, clock), boundaries.race_coefficient(p, clock)))
    for gap, distance in lines:
        if gap < 1:
            # 1 − (1 − gap) is gap to a rounding of 1.
            found = predictions.coasting_distance(p, eta, 1 - gap)
            assert_close(found, distance, scale=distance * (1 + 1e-3 / gap))


@given(drawn.parameters(), drawn.RATES, st.floats(1e-2, 1e5))
def test_the_race_is_lost_or_won_at_once(p, eta, clock):
    """From c* the small-margin gradient with ν₂ = μ/2 takes the time of the clock to 1/β; a longer clock needs less."""
    rate = 3 * eta * p.beta**3 * p.mu / 2
    c = boundaries.race_coefficient(p, clock)
    assert c < 1 / p.beta
    low, high = predictions.tensor_power_bounds(c, 1 / p.beta, rate, rate)
    assert_close(low * eta, clock, scale=clock + 1 / (p.beta * rate / eta) * 3)
    assert low <= high
    assert boundaries.race_coefficient(p, 2 * clock) < c


def test_a_race_step_by_step():
    """1/c falls linearly: c* grows to 1/β in clock/η steps of ċ = 3ηβ³(μ/2)c²."""
    p, eta, clock = HEADLINE, 0.5, 723.0
    c = boundaries.race_coefficient(p, clock)
    steps = 0
    while c < 1 / p.beta:
        c += 3 * eta * p.beta**3 * p.mu / 2 * c * c
        steps += 1
    assert_close(steps * eta, clock, "asymptotic law")


def test_lines_of_the_reference_configuration():
    """Theory, section 7: ηT₁ = 723 gives c* = 3.16."""
    assert round(boundaries.race_coefficient(HEADLINE, 723.0), 2) == 3.16
    assert_close(boundaries.race_coefficient(HEADLINE, 723.0), 1 / 0.3169)
    assert_close(boundaries.race_line(HEADLINE, 0.1, 723.0), 2 * 0.1 * 0.8 * math.log(2) * 0.3169**2)
    assert_close(boundaries.coasting_line(HEADLINE, 0.1), 2 * 0.1 * 0.8 * math.log(2) * 0.01)


@given(drawn.parameters())
def test_the_overshoot_line_of_a_quarter_is_the_overshoot_rate(p):
    assert_close(boundaries.overshoot_line(p, 0.25), predictions.overshoot_rate(p))


def test_lines_take_arrays_of_any_library():
    eta = np.array([[0.01, 0.1], [1.0, 10.0]])
    lines = (
        lambda x: boundaries.coasting_line(HEADLINE, x),
        lambda x: boundaries.race_line(HEADLINE, x, 723.0),
        lambda x: boundaries.friction(HEADLINE, x, 0.9, 0.02),
        lambda x: boundaries.roughness(HEADLINE, x, 0.9),
    )
    for line in lines:
        expected = np.array([[line(float(x)) for x in row] for row in eta])
        assert_close(line(eta), expected)
        assert_close(np.asarray(line(strict.asarray(eta))), expected)


# --- two bodies ----------------------------------------------------------------------------------------------------

N, D, SIGMA = 8, 9, 0.4


def network(c_0, small, clock):
    """Parameters, X, y and W of a network that is the two-body race exactly.

    The noise patches are orthogonal, of squared length σ²d. Only the first neuron has noise in it, x_0 along y_i times
    that of each small-margin sample i: then large-margin samples never get any, and all small-margin samples are alike.
    """
    p = Parameters(d=D, N=N, P=2, m=len(c_0), alpha=3.0, beta=0.6, mu=0.25, sigma=SIGMA, sigma_0=1.0)
    y = np.where(np.arange(N) % 3 == 0, 1.0, -1.0)
    X = np.zeros((N, 2, D))
    X[:, 0, 0] = y * np.where(small, p.beta, p.alpha)
    length = SIGMA * math.sqrt(D)
    X[np.arange(N), 1, 1 + np.arange(N)] = length
    x_0 = 1 / (1.5 * length**2 * clock / N + 2 ** (1 / 3))
    W = np.zeros((len(c_0), D))
    W[:, 0] = c_0
    W[0, 1:] = np.where(small, y * x_0 / length, 0.0)
    return p, X, y, W


@st.composite
def races(draw):
    """c_0, which samples have small margins, η, γ, the clock and when to give up."""
    c_0 = draw(st.lists(st.floats(-0.3, 0.5, allow_subnormal=False), min_size=1, max_size=3), label="c_0")
    count = draw(st.integers(1, N - 1), label="small")
    eta = draw(st.floats(0.01, 5.0), label="eta")
    gamma = draw(drawn.GAMMAS, label="gamma")
    return c_0, count, eta, gamma, draw(st.floats(0.0, 100.0), label="clock"), draw(st.integers(0, 200), label="last")


@given(races())
@example(([0.1, 0.2, -0.1], 2, 5.0, 0.0, 20.0, 200))  # jumps
@example(([0.1, 0.2, -0.1], 2, 0.05, 0.0, 5.0, 200))  # memorizes
@example(([0.1, 0.2, -0.1], 2, 0.5, 0.99, 20.0, 200))  # coasts
@example(([0.1], 2, 0.01, 0.0, 100.0, 50))  # gives up
def test_the_two_body_race_is_a_network_with_orthogonal_noise(race):
    c_0, count, eta, gamma, clock, last = race
    small = np.arange(N) >= N - count
    p, X, y, W = network(c_0, small, clock)
    optimizer = MomentumAverage(eta, gamma)
    state, expected = optimizer.init(W), math.nan
    for t in range(last + 1):
        margins = y * weights.outputs(W, X)
        margin = margins[-1]
        assert_close(margins[small], np.full(count, margin))
        assume(abs(margin - 1) > tolerance("trajectory"))  # which step passes 1 is not a matter of rounding
        if margin >= 1:
            expected = p.beta**3 * np.sum(W[:, 0] ** 3) / margin
            break
        W, state = optimizer.step(W, weights.gradient(W, X, y), state, t)
    found = boundaries.feature_share(
        p, np.array(c_0), count / N, np.array([eta]), np.array([gamma]), clock, np.array([last])
    )
    assert found.shape == (1,)
    assert math.isnan(found[0]) == math.isnan(expected)
    if not math.isnan(expected):
        assert_close(found[0], expected, "trajectory", scale=1 + abs(expected))


CELLS = [(0.05, 0.0), (0.05, 0.99), (1.0, 0.0), (4.0, 0.0), (0.5, 0.9), (0.2, 0.999)]


def test_cells_do_not_touch_each_other():
    """All at once, in any order, is one by one; and both bodies win somewhere."""
    c_0, clock = np.array([0.1, 0.2, -0.1]), 5.0
    p = network(c_0, np.arange(N) >= 6, clock)[0]
    eta, gamma = (np.array(x) for x in zip(*CELLS, strict=True))
    longest = np.array([300, 400, 2, 300, 300, 400])
    shares = boundaries.feature_share(p, c_0, 0.25, eta, gamma, clock, longest)
    for order in ([[k] for k in range(6)], [[5, 0, 3], [2, 1, 4]]):
        for cells in order:
            some = boundaries.feature_share(p, c_0, 0.25, eta[cells], gamma[cells], clock, longest[cells])
            np.testing.assert_array_equal(some, shares[cells])
    assert np.nanmin(shares) < 0.5 < np.nanmax(shares)
    assert math.isnan(shares[2])
    assert np.array_equal(longest, [300, 400, 2, 300, 300, 400])


@pytest.mark.parametrize("clock", [1.0, 30.0])
def test_the_noise_takes_the_clocks_time(clock):
    """ξ̇ = (3/N)σ²d ξ²/2 from 1/ξ(0) = 1.5σ²d clock/N + 2^{1/3}, on which the network above rests, to ξ³ = 1/2."""
    p, X, _, W = network([0.1], np.arange(N) >= 6, clock)
    xi = abs(W[0] @ X[-1, 1])
    eta, steps = clock / 2000, 0
    while xi**3 < 0.5:
        xi += eta * 3 / N * p.sigma**2 * p.d * xi**2 / 2
        steps += 1
    assert_close(steps * eta, clock, "asymptotic law")


@pytest.mark.parametrize("seed", [1, 2])
def test_without_noise_it_is_the_feature_of_the_whole_system(seed):
    """σ = 10⁻⁹ and a clock without end: what is left is c_r, and the first iteration with β³Σc³ ≥ 1."""
    p = Parameters(d=50, N=8, P=2, m=3, alpha=5.0, beta=0.5, mu=0.25, sigma=1e-9, sigma_0=0.1)
    optimizers = {f"{eta} {gamma}": MomentumAverage(eta, gamma) if gamma else GD(eta) for eta, gamma in CELLS}
    run = simulate(
        p, optimizers, iterations=400, root_seed=seed, record=Every(1), backend="numpy", workers=1, audit=False
    ).isel(seed=0)
    c_0 = run.c.values[0, 0]
    assert c_0.max() > 0.05
    share = int(run.small_count) / p.N
    assert 0 < share < 1
    margins = p.beta**3 * np.sum(run.c.values**3, axis=-1)
    passed = np.array([np.argmax(row >= 1) if (row >= 1).any() else -1 for row in margins])
    assert (passed > 0).sum() >= 4
    assert passed[CELLS.index((4.0, 0.0))] < 0.05 * passed[CELLS.index((0.05, 0.0))] or passed[0] == -1
    eta, gamma = (np.array(x) for x in zip(*CELLS, strict=True))
    found = boundaries.feature_share(p, c_0, share, eta, gamma, 1e60, np.where(passed < 0, 400, passed))
    assert_close(found[passed >= 0], np.ones((passed >= 0).sum()))
    assert np.all(np.isnan(found[passed < 0]))
    too_soon = boundaries.feature_share(p, c_0, share, eta, gamma, 1e60, np.maximum(passed - 1, 0))
    assert np.all(np.isnan(too_soon))


def test_the_race_runs_on_any_library():
    p = network([0.1], np.arange(N) >= 6, 5.0)[0]
    arguments = ([0.1, 0.2], [0.5, 1.0], [0.9, 0.0], [100, 100])
    expected, found = (
        boundaries.feature_share(p, xp.asarray(c_0), 0.25, xp.asarray(eta), xp.asarray(gamma), 5.0, xp.asarray(last))
        for xp in (np, strict)
        for c_0, eta, gamma, last in [arguments]
    )
    assert_close(np.asarray(found), expected)
