"""Parameters: what is refused and how it is said, round trips, the named regimes."""

import dataclasses
import json
import math

import pytest
import strategies as drawn
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.theory.cubic_cnn.parameters import HEADLINE, REGIMES, Parameters, paper_regime
from lemmascope.theory.errors import InputError, check_number, check_size

GOOD = Parameters(d=30, N=10, P=2, m=3, alpha=2.0, beta=0.2, mu=0.3, sigma=0.4, sigma_0=0.1)


def refusal(**changes) -> InputError:
    with pytest.raises(InputError) as caught:
        dataclasses.replace(GOOD, **changes)
    return caught.value


# --- refused fields ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "least"), [("d", 2), ("N", 2), ("P", 2), ("m", 1)])
@pytest.mark.parametrize("value", ["below", 0, -3, 2.5, 3.0, "4", None, True, math.nan])
def test_sizes_are_integers_from_their_least_value(field, least, value):
    value = least - 1 if value == "below" else value
    error = refusal(**{field: value})
    assert error.field == field
    assert error.value is value
    assert str(error) == f"{field} = {value!r} is not accepted: it must be an integer ≥ {least}."


@pytest.mark.parametrize("field", ["alpha", "beta", "sigma", "sigma_0"])
@pytest.mark.parametrize("value", [0, 0.0, -0.1, math.inf, -math.inf, math.nan, "1", None, True, 1j])
def test_scales_are_positive_and_finite(field, value):
    error = refusal(**{field: value})
    assert error.field == field
    assert str(error) == f"{field} = {value!r} is not accepted: it must be a finite number > 0."


@pytest.mark.parametrize("value", [-1e-9, math.inf, math.nan, "0", None])
def test_the_penalty_is_not_negative(value):
    assert str(refusal(lam=value)) == f"lam = {value!r} is not accepted: it must be a finite number ≥ 0."


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, "0.2", None])
def test_mu_is_a_probability(value):
    assert str(refusal(mu=value)) == f"mu = {value!r} is not accepted: it must be a finite number in [0, 1]."


@pytest.mark.parametrize("value", [-0.1, 0.6, math.nan, math.inf, "0.2", None])
def test_label_noise_is_a_probability_of_at_most_one_half(value):
    said = f"label_noise = {value!r} is not accepted: it must be a finite number in [0, 0.5]."
    assert str(refusal(label_noise=value)) == said


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"alpha": 0.2}, "alpha", "greater than beta = 0.2"),
        ({"alpha": 0.1}, "alpha", "greater than beta = 0.2"),
        ({"beta": 2.0}, "alpha", "greater than beta = 2.0"),
        ({"mu": 0.09}, "mu", "mu·N must be ≥ 1"),
        ({"mu": 0}, "mu", "mu·N must be ≥ 1"),
        ({"mu": 0.91}, "mu", "(1 − mu)·N must be ≥ 1"),
        ({"mu": 1}, "mu", "(1 − mu)·N must be ≥ 1"),
        ({"N": 3}, "mu", "among N = 3"),
    ],
)
def test_fields_that_do_not_fit_together(changes, field, said):
    error = refusal(**changes)
    assert error.field == field
    assert error.value == changes.get(field, getattr(GOOD, field))
    assert said in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"d": 2},
        {"N": 2, "mu": 0.5},
        {"m": 1},
        {"mu": 0.1},
        {"lam": 0},
        {"alpha": 1},
        {"beta": math.nextafter(2, 0)},
        {"alpha": 1e300},
        {"sigma": 5e-324},
    ],
)
def test_the_ends_of_the_ranges_are_accepted(changes):
    made = dataclasses.replace(GOOD, **changes)
    assert all(getattr(made, name) == value for name, value in changes.items())


def test_parameters_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GOOD.d = 3


def test_an_input_error_is_a_value_error_that_keeps_its_parts():
    error = InputError("eta", -1, "it must be > 0")
    assert isinstance(error, ValueError)
    assert (error.field, error.value, error.accepted) == ("eta", -1, "it must be > 0")
    assert str(error) == "eta = -1 is not accepted: it must be > 0."


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "it must be a finite number."),
        ({"low": 0}, "≥ 0."),
        ({"low": 0, "open_low": True}, "> 0."),
        ({"low": 0, "high": 1}, "in [0, 1]."),
        ({"low": 0, "high": 1, "open_low": True, "open_high": True}, "in (0, 1)."),
    ],
)
def test_an_interval_is_said_as_it_is_checked(limits, said):
    with pytest.raises(InputError) as caught:
        check_number("x", math.inf, **limits)
    assert str(caught.value).endswith(said)
    for end in ("low", "high"):
        if end in limits:
            if limits.get(f"open_{end}"):
                with pytest.raises(InputError):
                    check_number("x", limits[end], **limits)
            else:
                assert check_number("x", limits[end], **limits) == limits[end]


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_a_size_is_what_it_was_or_is_refused(value, least):
    if value >= least:
        assert check_size("k", value, least) == value
    else:
        with pytest.raises(InputError, match=f"k = {value}.*≥ {least}"):
            check_size("k", value, least)


# --- dictionaries --------------------------------------------------------------------------------------------------


@given(drawn.parameters())
def test_a_dictionary_gives_the_same_parameters(p):
    assert Parameters.from_dict(json.loads(json.dumps(p.to_dict()))) == p


@pytest.mark.parametrize("name", ["lam", "label_noise"])
def test_what_the_theorems_have_as_zero_may_be_left_out(name):
    values = GOOD.to_dict()
    del values[name]
    assert Parameters.from_dict(values) == GOOD


@pytest.mark.parametrize("key", ["lambda", "Alpha", "", "n"])
def test_an_unknown_key_is_refused_with_the_known_ones(key):
    with pytest.raises(
        InputError, match="the names are d, N, P, m, alpha, beta, mu, sigma, sigma_0, lam, label_noise"
    ) as caught:
        Parameters.from_dict({**GOOD.to_dict(), key: 1})
    assert repr(key) in str(caught.value)


@pytest.mark.parametrize("gone", [["d"], ["sigma_0"], ["N", "mu"]])
def test_a_missing_key_is_named(gone):
    values = {name: value for name, value in GOOD.to_dict().items() if name not in gone}
    with pytest.raises(InputError, match=f"{', '.join(gone)} must be given too"):
        Parameters.from_dict(values)


def test_a_bad_value_is_refused_through_a_dictionary_too():
    with pytest.raises(InputError, match=r"sigma = -1 is not accepted: it must be a finite number > 0"):
        Parameters.from_dict({**GOOD.to_dict(), "sigma": -1})


# --- what follows from them, and the regimes -----------------------------------------------------------------------


@given(drawn.parameters())
def test_derived_sizes(p):
    assert p.n == p.N * p.P - p.N
    assert p.log_d >= 1
    assert p.log_d == (math.log(p.d) if p.d > math.e else 1)


def test_the_reference_configuration():
    """Theory, section 10."""
    values = HEADLINE.to_dict()
    assert (values.pop("sigma"), values.pop("sigma_0")) == (2 / 500**0.5, 0.5 / 500**0.5)
    clean = {"lam": 0.0, "label_noise": 0.0}
    assert values == {"d": 500, "N": 400, "P": 2, "m": 10, "alpha": 5.0, "beta": 0.1, "mu": 0.2} | clean
    assert HEADLINE.n == 400
    assert REGIMES["HEADLINE"]() is HEADLINE


@pytest.mark.parametrize("d", [10, 10**4, 10**7, 10**12])
def test_the_papers_exponents(d):
    """Theory, section 6, as logarithms: α, β, σ, σ₀ = d^0.249, d^−0.251, d^−0.509, d^−1/2."""
    p = paper_regime(d)
    exponents = [math.log(x, d) for x in (p.alpha, p.beta, p.sigma, p.sigma_0)]
    assert_close(exponents, [0.249, -0.251, -0.509, -0.5], note="exponents")
    assert (p.N, p.P, p.m, p.mu, p.lam) == (40, 2, 5, 0.25, 0.0)
    assert paper_regime(d, N=100, P=3, m=7, mu=0.1).n == 200
    assert REGIMES["paper"](d) == p


@pytest.mark.parametrize("d", [1, 0, 1e4, "10"])
def test_a_regime_refuses_a_bad_dimension(d):
    with pytest.raises(InputError, match=r"^d = .* is not accepted: it must be an integer ≥ 2"):
        paper_regime(d)
