"""The scaling study's configurations and exponents: each exponent is what its formula does between two dimensions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, tolerance

from lemmascope.theory.cubic_cnn import boundaries, predictions, scaling
from lemmascope.theory.cubic_cnn.parameters import paper_regime
from lemmascope.theory.cubic_cnn.scaling import PAPER, WRONG, Exponents, point
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import MomentumAverage

STUDIED = tuple(10**k for k in range(3, 13))
EXPONENTS = st.builds(Exponents, st.floats(0, 0.4), st.floats(1e-3, 0.4), st.floats(0.3, 0.7), st.floats(0.2, 0.6))


def rounding(gap):
    """γ is 1 − gap to half a unit of the doubles below 1: what that is of gap."""
    return 2.0**-54 / gap


def quantities(at):
    """What is measured, from the formulas of the other modules; c₀ = σ₀ for the largest c_r(0)."""
    p = at.parameters
    escape = boundaries.friction(p, at.eta, at.gamma, p.sigma_0) / (1 - at.gamma)
    return {
        ("T_0", "GD"): 1 / (p.alpha**3 * p.sigma_0),
        ("T_1", "GD"): predictions.memorization_scale(p),
        ("c_max", "GD"): predictions.signal_threshold(p),
        ("T_0", "GD+M"): at.eta * escape,
        ("c_max", "GD+M"): predictions.coasting_distance(p, at.eta, at.gamma),
    }


@given(EXPONENTS | st.sampled_from([PAPER, WRONG]), st.integers(10, 1000), st.integers(2, 100))
def test_the_exponents_are_those_of_the_formulas(exponents, d, times):
    """The ratio of each quantity at two dimensions; GD+M's are limited by the digits of 1 − γ."""
    low, high = point(d, exponents), point(d * times, exponents)
    first, second = quantities(low), quantities(high)
    predicted = exponents.predicted()
    assert predicted.keys() == first.keys()
    # 9000 units of rounding are allowed of a number of size one.
    scale = 1 + 1e-3 / (1 - high.gamma)
    for key, exponent in predicted.items():
        found = math.log(second[key] / first[key]) / math.log(times)
        assert_close(found, exponent, scale=scale / math.log(times), note=str(key))


def test_the_first_hitting_time_of_gd_is_that_of_its_equation():
    """ċ = 3α³ν₁c² with ν₁ = (1 − μ)/2 from σ₀ blows up at 1/(1.5(1 − μ)α³σ₀)."""
    for d in (10**3, 10**9):
        p = point(d).parameters
        rate = 3 * p.alpha**3 * (1 - p.mu) / 2
        low, _ = predictions.tensor_power_bounds(p.sigma_0, 1e30, rate, rate)
        assert_close(low, quantities(point(d))["T_0", "GD"] / (1.5 * (1 - p.mu)))


def test_exponents_by_hand():
    assert Exponents(0.249, 0.251, 0.509, 0.5) == PAPER
    numbers = {
        ("T_0", "GD"): -0.247,
        ("T_1", "GD"): 0.527,
        ("c_max", "GD"): -0.249,
        ("T_0", "GD+M"): 0.1275,
        ("c_max", "GD+M"): 0.251,
    }
    for key, exponent in PAPER.predicted().items():
        assert_close(exponent, numbers[key], scale=1.0)


# --- configurations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponents", [PAPER, WRONG], ids=["paper", "wrong"])
@pytest.mark.parametrize("d", [10**k for k in range(1, 14)])
def test_a_point_is_a_configuration(d, exponents):
    at = point(d, exponents)
    p = at.parameters
    assert (p.d, p.N, p.P, p.m, p.mu, p.lam) == (d, 40, 2, 10, 0.25, 0.0)
    size = math.log(d)
    for name in ("alpha", "beta", "sigma", "sigma_0"):
        sign = 1 if name == "alpha" else -1
        assert_close(math.log(getattr(p, name)) / size, sign * getattr(exponents, name), scale=1.0)
    assert_close(at.eta * p.alpha**2, scaling.SMALL_STEP)
    assert at.gamma < 1
    assert type(at.iterations) is int
    wanted = scaling.HORIZON * p.N / (p.sigma_0 * p.sigma**3 * d**1.5) / at.eta
    assert_close(at.iterations, wanted + 0.5, scale=wanted + 0.5 / tolerance("identity"))  # the next integer
    assert_close(boundaries.roughness(p, at.eta, 0.0), scaling.SMALL_STEP)


@pytest.mark.parametrize("exponents", [PAPER, WRONG], ids=["paper", "wrong"])
@pytest.mark.parametrize("d", STUDIED)
def test_momentum_coasts_twice_as_far_as_needed(d, exponents):
    """To REACH/β; half of the relative error of 1 − γ is that of the distance, one percent at 10¹²."""
    at = point(d, exponents)
    p = at.parameters
    MomentumAverage(at.eta, at.gamma)  # accepted
    gap = 2 * at.eta * (1 - p.mu) * math.log(2) * p.beta**2 / scaling.REACH**2
    assert abs((1 - at.gamma) / gap - 1) <= 1.01 * rounding(gap)
    distance = predictions.coasting_distance(p, at.eta, at.gamma)
    assert abs(distance * p.beta / scaling.REACH - 1) <= 0.6 * rounding(gap) + tolerance("identity")
    assert rounding(gap) < 0.025


@pytest.mark.parametrize("exponents", [PAPER, WRONG], ids=["paper", "wrong"])
@pytest.mark.parametrize("d", [10**14, 10**15])
def test_a_momentum_that_would_be_one_is_refused(d, exponents):
    """1 − γ = 2.6·10⁻³/d is below half a unit of the doubles next to 1."""
    with pytest.raises(InputError, match=rf"d = {d} .*10¹³"):
        point(d, exponents)


def test_the_law_is_the_papers_regime():
    for d in STUDIED:
        assert point(d, N=80, P=3, m=4, mu=0.5).parameters == paper_regime(d, 80, 3, 4, 0.5)


@pytest.mark.parametrize("d", [1, 0, -5, 1e3, "1000"])
def test_a_wrong_dimension_is_refused(d):
    with pytest.raises(InputError, match="d = "):
        point(d)
