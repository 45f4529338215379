"""Predictions: the tensor power bounds hold and are close, and the other formulas are what they say."""

import dataclasses
import math

import numpy as np
import pytest
import strategies as drawn
from checks import check_tensor_power, tensor_power_time
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, tolerance

from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, paper_regime

# --- tensor power --------------------------------------------------------------------------------------------------


@given(drawn.tensor_powers())
def test_the_passing_time_is_between_the_bounds(it):
    check_tensor_power(it)


@given(drawn.tensor_powers())
def test_the_bounds_are_ordered_and_loosen_with_the_rates(it):
    low, high = predictions.tensor_power_bounds(it.z_0, it.v, it.a, it.A)
    assert low <= high
    tighter = predictions.tensor_power_bounds(it.z_0, it.v, it.A, it.A)
    assert low <= tighter[0] <= tighter[1] <= high


@given(drawn.tensor_powers())
def test_the_bounds_are_close_for_a_constant_rate(it):
    """For a = A they are at most log(v/z₀) + 1 iterations apart, so neither is further than that from the truth."""
    low, high = predictions.tensor_power_bounds(it.z_0, it.v, it.A, it.A)
    time = tensor_power_time(it.z_0, it.v, [it.A])
    apart = math.log(it.v / it.z_0) + 1 + tolerance("trajectory") * high
    assert high - low <= apart
    assert high - time <= apart


@pytest.mark.parametrize("z_0", [0.1, 0.01, 0.001])
def test_the_bounds_meet_for_small_steps(z_0):
    """z₀ → 0 at fixed A: both are 1/(A z₀) to first order, within one percent at z₀ = 10⁻³."""
    low, high = predictions.tensor_power_bounds(z_0, 0.5, 1.0, 1.0)
    time = tensor_power_time(z_0, 0.5, [1.0])
    assert low <= time <= high
    assert high / low < 1 + 12 * z_0 * math.log(1 / z_0)
    assert_close(low, 1 / z_0 - 2)


@pytest.mark.parametrize(
    ("z_0", "v", "a", "A", "low", "high"),
    [
        (0.5, 0.5, 1.0, 2.0, 0, 0),
        (0.1, 1.0, 1.0, 1.0, 9, 12),
        (0.1, 1.0, 0.5, 2.0, 4.5, 21),
        (1.0, 2.0, 10, 10, 0.05, 1),
    ],
)
def test_the_bounds_by_hand(z_0, v, a, A, low, high):
    found = predictions.tensor_power_bounds(z_0, v, a, A)
    assert_close(found[0], low, scale=10)
    assert found[1] == high


def too_tight(factor):
    """The bounds with the margin of the upper one, log(v/z₀), multiplied by a factor."""

    def bounds(z_0, v, a, A):
        gap = 1 / z_0 - 1 / v
        return gap / A, math.floor(gap / a + factor * math.log(v / z_0))

    return bounds


@pytest.mark.parametrize(
    "wrong",
    [
        too_tight(0.0),
        too_tight(-1.0),
        lambda z, v, a, A: ((1 / z - 1 / v) / a, math.inf),
        lambda z, v, a, A: (0, math.ceil((1 / z - 1 / v) / A)),
        lambda z, v, a, A: (1 / (A * z), math.inf),
        lambda z, v, a, A: (1.1 * (1 / z - 1 / v) / A, math.inf),
    ],
    ids=["no logarithm", "logarithm subtracted", "a for A", "A for a", "no 1/v", "a tenth too high"],
)
def test_wrong_bounds_are_caught(monkeypatch, wrong):
    recursions = [
        drawn.TensorPower(z, v, a, 1.0, [step])
        for z in (0.001, 0.1, 0.9)
        for v in (1.0, 30.0)
        for a in (0.2, 1.0)
        for step in (a, 1.0)
    ]
    for it in recursions:
        check_tensor_power(it)
    monkeypatch.setattr(predictions, "tensor_power_bounds", wrong)
    caught = 0
    for it in recursions:
        try:
            check_tensor_power(it)
        except AssertionError:
            caught += 1
    assert caught > 0


@pytest.mark.parametrize("m", [1, 5, 40])
def test_the_memorization_clock_is_that_of_the_recursion(m):
    """One noise coefficient from its median start to ξ³ = 1/2, in small steps of GD with ℓ = 1/2."""
    p = dataclasses.replace(HEADLINE, m=m, P=3, sigma_0=0.05)
    start = np.median(np.random.default_rng(0).standard_normal((40_000, 2 * m)).max(1))
    xi, eta, t = p.sigma_0 * p.sigma * math.sqrt(p.d) * start, 0.05, 0
    while xi**3 < predictions.MEMORIZATION_THRESHOLD:
        xi += eta * 1.5 * p.sigma**2 * p.d * xi * xi / p.N
        t += 1
    assert abs(predictions.memorization_clock(p) / (eta * t) - 1) < 0.03


def test_the_memorization_clock_at_its_ends():
    one = dataclasses.replace(HEADLINE, m=1)
    assert predictions.memorization_clock(one) == math.inf  # its one coefficient is as often negative
    assert predictions.memorization_clock(dataclasses.replace(HEADLINE, sigma_0=5.0)) == 0
    assert 900 < predictions.memorization_clock(HEADLINE) < 920


# --- coasting ------------------------------------------------------------------------------------------------------


def test_the_coasting_distance_in_numbers():
    """Theory, section 7: α = 20, η = 10⁻³, γ = 0.9999 gives 3.330 with μ = 0.2."""
    p = dataclasses.replace(HEADLINE, alpha=20.0)
    assert round(predictions.coasting_distance(p, 1e-3, 0.9999), 3) == 3.330
    assert_close(predictions.coasting_distance(HEADLINE, 0.1, 0.999), math.sqrt(0.2 * 0.8 * math.log(2) * 1000))


@given(drawn.parameters(), drawn.RATES, st.floats(0, 0.999))
def test_the_coasting_energy(p, eta, gamma):
    """½|Δc|² (1 − γ)/η is the loss that is spent."""
    distance = predictions.coasting_distance(p, eta, gamma)
    assert_close(0.5 * distance**2 * (1 - gamma) / eta, predictions.large_margin_loss(p))
    assert_close(predictions.coasting_distance(p, 4 * eta, gamma), 2 * distance)


@pytest.mark.parametrize("alpha", [10.0, 20.0])
def test_a_heavy_ball_coasts_so_far(alpha):
    """One neuron and large margins alone, with friction too weak to matter: once they are fitted the speed has come to
    √(2η(1 − γ)L₁(0)), which friction lets coast a distance 1/(1 − γ) times that."""
    eta, gamma = 1e-3, 0.99999
    p = dataclasses.replace(HEADLINE, alpha=alpha)
    share = 1 - p.mu
    c, velocity, fastest = 0.2 / alpha, 0.0, 0.0
    for _ in range(20000):
        pull = 3 * c * c * alpha**3 * share / (1 + math.exp(min((alpha * c) ** 3, 700)))
        velocity = gamma * velocity + eta * (1 - gamma) * pull
        c += velocity
        fastest = max(fastest, velocity)
        if alpha * c > 4:
            break
    assert alpha * c > 4
    predicted = predictions.coasting_distance(p, eta, gamma)
    assert_close(fastest / (1 - gamma), predicted, "asymptotic law")


# --- overshoot -----------------------------------------------------------------------------------------------------


def step_of_gd(s, p, eta):
    """How far one step of GD moves a single neuron at c = s/α, by large margins alone."""
    return 3 * eta * p.alpha * (1 - p.mu) * s**2 / (1 + np.exp(s**3))


@given(drawn.parameters(penalty=False))
def test_no_step_below_the_overshoot_rate_jumps_to_the_feature(p):
    """At 1/(4αβ) the largest step over all c is a fifth of (1 − μ)/β."""
    s = np.linspace(0, 6, 6001)
    largest = step_of_gd(s, p, predictions.overshoot_rate(p)).max()
    assert 0.20 * (1 - p.mu) / p.beta <= largest <= 0.21 * (1 - p.mu) / p.beta


def test_the_largest_step_is_081():
    s = np.linspace(0, 6, 600001)
    step = step_of_gd(s, HEADLINE, 1.0) / (HEADLINE.alpha * (1 - HEADLINE.mu))
    assert 0.80 < step.max() <= 0.81
    assert 0.9 < s[step.argmax()] < 1
    assert predictions.overshoot_rate(HEADLINE) == 0.5


# --- scales --------------------------------------------------------------------------------------------------------


def test_thresholds_of_the_reference_configuration():
    assert predictions.signal_threshold(HEADLINE) == 0.1
    assert predictions.MEMORIZATION_THRESHOLD == 0.5
    assert_close(predictions.large_margin_loss(HEADLINE), 0.8 * math.log(2))


def test_the_memorization_scale_of_the_reference_configuration():
    """N/(σ₀σ³d^{3/2}) with σ = 2/√d and σ₀ = 1/(2√d): 400 √500 / 4."""
    assert_close(predictions.memorization_scale(HEADLINE), 100 * math.sqrt(500))


def test_the_memorization_scale_has_the_papers_exponent():
    """Theory, section 6: η T₁ ∝ N d^0.527."""
    sizes = [10**4, 10**6, 10**8]
    times = [predictions.memorization_scale(paper_regime(d)) for d in sizes]
    assert_close(np.diff(np.log10(times)) / 2, [0.527, 0.527])
    assert_close(predictions.memorization_scale(paper_regime(10**4, N=80)), 2 * times[0])


@given(drawn.parameters())
def test_the_memorization_scale_is_that_of_its_equation(p):
    """Ξ̇ = (3/N) σ²d ℓ Ξ² with ℓ = 1/2 from Ξ₀ = σ₀σ√d blows up at 2N/(3σ²d Ξ₀): two thirds of the scale."""
    blow_up = 2 * p.N / (3 * p.sigma**2 * p.d * (p.sigma_0 * p.sigma * math.sqrt(p.d)))
    assert_close(blow_up, 2 / 3 * predictions.memorization_scale(p))


@pytest.mark.parametrize(
    "name", sorted(set(predictions.__all__) - {"first_steps", "start_error", "start_size", "tensor_power_bounds"})
)
def test_predictions_are_positive(name):
    rest = {"coasting_distance": (0.1, 0.9)}.get(name, ())
    for p in (HEADLINE, paper_regime(10**6)):
        assert 0 < getattr(predictions, name)(p, *rest) < math.inf


# --- first steps ---------------------------------------------------------------------------------------------------


def test_first_steps_are_the_gradient_at_typical_coefficients():
    """c = σ₀ on every neuron, and Ξ = σ₀σ√d with patches orthogonal and of norm σ√d: the system's own first step."""
    p = dataclasses.replace(HEADLINE, N=20, sigma_0=1e-5)
    n, m, norm = p.n, p.m, p.sigma * math.sqrt(p.d)
    strength = np.where(np.arange(p.N) < p.mu * p.N, p.beta, p.alpha)
    system = CoefficientSystem(
        y=np.ones((1, p.N)),
        strength=strength[None],
        K=norm**2 * np.eye(n)[None],
        c_0=np.full((1, m), p.sigma_0),
        Xi_0=np.full((1, m, n), p.sigma_0 * norm),
        S_0=np.zeros((1, m, m)),
        overlap=np.zeros((1, n)),
        lam=0.0,
        has_feature=True,
        of_the_law=True,
    )
    start = system.initial(1)
    view, grad = system.evaluate(start)
    after, _ = system.evaluate(start - 10.0 * grad)
    signal, noise = predictions.first_steps(p, 10.0)
    for before, now, expected in ((view.c, after.c, signal), (view.Xi, after.Xi, noise)):
        assert_close((now - before) / before, np.full(now.shape, expected), "trajectory")


@pytest.mark.parametrize("eta", [1e-3, 10.0])
@pytest.mark.parametrize("p", [HEADLINE, paper_regime(10**8), dataclasses.replace(HEADLINE, d=10**12)])
def test_from_the_largest_noise_on_the_noise_steps_first(p, eta):
    limit = predictions.largest_noise(p)
    signal, noise = predictions.first_steps(dataclasses.replace(p, sigma=limit), eta)
    assert_close(noise, signal)
    signal, noise = predictions.first_steps(p, eta)
    assert_close(noise / signal, (p.sigma / limit) ** 3)
    assert (noise > signal) == (p.d == 10**12)
    assert_close(noise, 1.5 * eta / predictions.memorization_scale(p))
