"""The formulas of the square-root rule against another way to the same number."""

import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.moments import stationary
from lemmascope.theory.noise import adam_sde as theory
from lemmascope.theory.noise.adam_sde import EXPONENTS, SQRT, PlainAdam, Rates, scaled
from lemmascope.theory.optimizers import RMSprop


@pytest.mark.parametrize("beta1", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("p", [1e-3, 0.2, 1.5])
def test_the_closed_form_is_the_solution_of_linear_equations(beta1, p):
    solved = stationary(theory.frozen(np, p, 1 - beta1, 0.7))[0, 0]
    assert abs(theory.frozen_variance(0.7, p, beta1) / solved - 1) < 1e-10


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_the_edge_is_where_the_radius_is_one(beta1):
    def radius(p):
        return abs(np.linalg.eigvals(theory.frozen(np, p, 1 - beta1).A)).max()

    most = theory.edge(beta1)
    assert radius(0.999 * most) < 1 < radius(1.001 * most)


def test_the_rule_keeps_every_rate_of_a_unit_of_time():
    rates = Rates(0.01, 0.02, 0.01, 0.5)
    other = scaled(rates, 16)
    assert_close(other.eta**2, 16 * rates.eta**2)
    assert_close(other.damping1, 16 * rates.damping1)
    assert_close(other.damping2, 16 * rates.damping2)
    assert_close(other.epsilon * 4, rates.epsilon)
    assert scaled(Rates(0.01, 1.0, 0.01, 0.5), 16).damping1 == 1


def test_each_other_rule_changes_one_thing():
    rates = Rates(0.01, 0.02, 0.01, 0.5)
    right = scaled(rates, 4)
    for rule in EXPONENTS.keys() - {SQRT}:
        wrong = scaled(rates, 4, rule)
        fields = ("eta", "damping1", "damping2", "epsilon")
        assert sum(getattr(wrong, name) != getattr(right, name) for name in fields) == 1


@pytest.mark.parametrize(("kappa", "rule", "words"), [(1000, SQRT, "at most 1"), (4, "cube", "must be one of")])
def test_what_no_rule_gives_is_refused(kappa, rule, words):
    with pytest.raises(InputError, match=words):
        scaled(Rates(0.01, 0.02, 0.01, 0.5), kappa, rule)


def test_rmsprop_with_the_new_v_is_the_optimizers():
    ours, theirs = PlainAdam(0.1, 0.0, 0.9, 0.3, lagged=False), RMSprop(0.1, 0.9, 0.3)
    x = y = np.array([1.0, -2.0])
    s, t = ours.init(x), theirs.init(y)
    for k in range(20):
        x, s = ours.step(x, x + np.sin(k), s, k)
        y, t = theirs.step(y, y + np.sin(k), t, k)
    assert_close(x, y)


def test_the_old_v_is_that_of_the_step_before():
    o = PlainAdam(0.1, 0.5, 0.9, 1.0)
    x, state = o.step(np.array([2.0]), np.array([3.0]), o.init(np.array([2.0])), 0)
    assert_close(x, [2 - 0.1 * 1.5 / 1.0])
    x, _ = o.step(x, np.array([1.0]), state, 1)
    assert_close(x, [1.85 - 0.1 * 1.25 / (0.9**0.5 + 1)])


def test_without_noise_mean_field_is_adam_itself():
    o, a = PlainAdam(0.05, 0.6, 0.9, 0.4), 1.3
    x = np.array([1.2])
    state, z = o.init(x), (1.2, 0.0, 1.44, 0.0, 0.0, 0.0)
    for k in range(30):
        x, state = o.step(x, a * x, state, k)
        *z, _ = theory.mean_field(*z, 0.05, 0.4, 0.1, 0.4, a, 0.0)
    assert_close(z, [x[0], state.m[0], x[0] ** 2, x[0] * state.m[0], state.m[0] ** 2, state.v[0]])


def test_where_v_is_frozen_mean_field_comes_to_the_closed_form():
    z = (0.3, 0.0, 0.09, 0.0, 0.0, 1.0)
    for _ in range(2000):
        *z, _ = theory.mean_field(*z[:5], 1.0, 0.08, 0.3, 0.5, 0.6, 1.0, 1.0)
    p = 0.08 / 1.6
    assert abs(z[2] / theory.frozen_variance(p, p, 0.7) - 1) < 1e-10


def test_the_departure_is_the_ratio_of_variances():
    p, kappa = 0.01, 16
    ratio = theory.frozen_variance(4 * p, 16 * p) / theory.frozen_variance(p, p)
    assert_close(theory.departure(p, kappa), ratio)
    assert_close(theory.v_noise(0.08, True), 1.05)
    assert_close(theory.v_noise(0.08, False), 0.97)
    assert_close(theory.sgd_variance(0.1, 4), 0.1 / (4 * 1.9))
