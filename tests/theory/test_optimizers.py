"""Optimizers: the unrolled sums, how the forms agree and where they differ, linearity, refusals."""

import math

import array_api_strict
import numpy as np
import pytest
import strategies as drawn
from checks import check_optimizer, iterates, unrolled
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    FORMS,
    GD,
    MomentumAverage,
    MomentumVelocity,
    Nesterov,
    Optimizer,
    PiecewiseConstant,
    average_form,
    describe,
)

START = np.array([1.0, -2.0, 0.5])
EACH_FORM = pytest.mark.parametrize("form", FORMS)


def paths(optimizer, gradients, theta=START):
    return np.stack(iterates(optimizer, theta, gradients))


def size(optimizer, gradients):
    """The sum of the magnitudes that a path adds up: what its rounding is relative to."""
    return np.abs(START) + unrolled(optimizer, gradients)[1]


# --- the unrolled sum ----------------------------------------------------------------------------------------------


@EACH_FORM
@given(eta=st.one_of(drawn.RATES, drawn.schedules()), gamma=drawn.GAMMAS, gradients=drawn.gradient_sequences())
def test_each_form_is_its_unrolled_sum(form, eta, gamma, gradients):
    check_optimizer(form, eta, gamma, gradients)


def test_the_unrolled_sum_by_hand():
    """Two steps, gradients 1 and 1, γ = 1/2, η = 1 then 2."""
    ones, eta = np.ones((2, 1)), PiecewiseConstant((0, 1), (1.0, 2.0))
    expected = {"gd": -3.0, "momentum": -0.5 - 1.5, "velocity": -1.0 - 2.5, "nesterov": -1.5 - 3.25}
    for form, total in expected.items():
        optimizer = FORMS[form](eta) if form == "gd" else FORMS[form](eta, 0.5)
        assert iterates(optimizer, np.zeros(1), ones)[-1][0] == unrolled(optimizer, ones)[0][0] == total


@given(drawn.GAMMAS, st.integers(1, 40))
def test_the_running_average_of_a_constant(gamma, T):
    """After T steps it is short of the constant by γ^T (theory, section 8)."""
    optimizer, theta, state = MomentumAverage(0.1, gamma), START, np.zeros(3)
    for t in range(T):
        theta, state = optimizer.step(theta, np.ones(3), state, t)
    assert_close(state, np.full(3, 1 - gamma**T), scale=1)


# --- agreement and difference --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["momentum", "velocity", "nesterov"])
@given(eta=st.one_of(drawn.RATES, drawn.schedules()), gradients=drawn.gradient_sequences())
def test_without_memory_it_is_gd_bit_for_bit(form, eta, gradients):
    assert np.array_equal(paths(FORMS[form](eta, 0.0), gradients), paths(GD(eta), gradients))


@given(drawn.RATES, drawn.GAMMAS, drawn.gradient_sequences())
def test_velocity_is_the_average_at_a_larger_rate(eta, gamma, gradients):
    velocity, average = MomentumVelocity(eta, gamma), MomentumAverage(eta / (1 - gamma), gamma)
    assert_close(paths(velocity, gradients), paths(average, gradients), scale=size(velocity, gradients))


def test_velocity_is_not_the_average_under_a_schedule():
    """The witness: gradients 1, γ = 1/2, η = 1 then 2 moves the velocity form by 3.5 and the average form by 4."""
    velocity = MomentumVelocity(PiecewiseConstant((0, 1), (1.0, 2.0)), 0.5)
    average = MomentumAverage(PiecewiseConstant((0, 1), (2.0, 4.0)), 0.5)
    ones = np.ones((2, 1))
    first, second = (paths(optimizer, ones, np.zeros(1))[:, 0] for optimizer in (velocity, average))
    assert first.tolist() == [0.0, -1.0, -3.5]
    assert second.tolist() == [0.0, -1.0, -4.0]


def quadratic(seed):
    """A random quadratic θᵀHθ/2 with eigenvalues in [0.1, 3.1]."""
    A = np.random.default_rng(seed).standard_normal((4, 4))
    Q, _ = np.linalg.qr(A)
    return (Q * np.linspace(0.1, 3.1, 4)) @ Q.T


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gamma", [0.3, 0.9])
@pytest.mark.parametrize("eta", [0.1, PiecewiseConstant((0, 30), (0.2, 0.05))])
def test_nesterov_is_the_published_look_ahead_form(seed, gamma, eta):
    """v ← γv + η∇(θ − γv), θ ← θ − v, seen at the look-ahead point θ − γv."""
    H, optimizer = quadratic(seed), Nesterov(eta, gamma)
    params = theta = np.ones(4)
    state = optimizer.init(params)
    v = np.zeros(4)
    for t in range(100):
        rate = eta(t) if callable(eta) else eta
        v = gamma * v + rate * (H @ (theta - gamma * v))
        theta = theta - v
        params, state = optimizer.step(params, H @ params, state, t)
        assert_close(params, theta - gamma * v, "trajectory", scale=1, note=f"step {t}")
    assert np.abs(theta).max() < 0.7


def test_nesterov_is_not_heavy_ball():
    gradients = np.ones((2, 1))
    ahead, behind = (paths(kind(1.0, 0.5), gradients, np.zeros(1)) for kind in (Nesterov, MomentumVelocity))
    assert ahead[-1] == -3.25
    assert behind[-1] == -2.5


def test_momentum_coasts_where_gd_stops():
    """Once gradients vanish GD stands still, and the velocity goes on by 1/(1 − γ) steps' worth in all."""
    pulse = np.zeros((400, 1))
    pulse[0] = 1.0
    for optimizer, total in ((GD(0.1), 0.1), (MomentumAverage(0.1, 0.9), 0.1), (MomentumVelocity(0.1, 0.9), 1.0)):
        assert_close(-paths(optimizer, pulse, np.zeros(1))[-1], [total])


# --- linearity -----------------------------------------------------------------------------------------------------


@given(drawn.optimizers(), st.data())
def test_iterates_are_linear_in_the_start_and_the_gradients(optimizer, data):
    gradients = data.draw(drawn.gradient_sequences(), label="gradients")
    others = data.draw(st.permutations(list(gradients)), label="other gradients")
    A = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]])
    assert optimizer.linear
    scale = 10 * np.max(size(optimizer, gradients) + size(optimizer, np.abs(others)))
    mapped = paths(optimizer, gradients @ A.T, A @ START)
    assert_close(mapped, paths(optimizer, gradients) @ A.T, scale=scale)
    both = paths(optimizer, 2 * gradients - np.array(others), START)
    apart = 2 * paths(optimizer, gradients) - paths(optimizer, np.array(others))
    assert_close(both, apart, scale=scale)


class Sign:
    """A user's own optimizer, which is not linear."""

    linear = False

    def init(self, params):
        return None

    def step(self, params, grad, state, t):
        return params - 0.1 * np.sign(grad), state


def test_a_sign_step_is_not_linear():
    """The witness that the property above can fail."""
    gradients = np.array([[1.0, 2.0, 3.0]])
    once, twice = paths(Sign(), gradients), paths(Sign(), 2 * gradients, 2 * START)
    assert np.abs(twice - 2 * once).max() > 0.05


# --- arrays of any library and shape -------------------------------------------------------------------------------


@given(drawn.optimizers(), drawn.gradient_sequences())
def test_the_strict_array_library_gives_numpys_results(optimizer, gradients):
    """array_api_strict refuses what the array API standard does not have."""
    strict = iterates(optimizer, array_api_strict.asarray(START), array_api_strict.asarray(gradients))
    for ours, theirs in zip(paths(optimizer, gradients), strict, strict=True):
        assert np.array_equal(ours, np.asarray(theirs))


@EACH_FORM
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_number_types_stay(form, dtype):
    theta = np.ones((2, 3, 4), dtype)
    optimizer = FORMS[form](0.1) if form == "gd" else FORMS[form](0.1, 0.9)
    for position in iterates(optimizer, theta, np.ones((3, 2, 3, 4), dtype)):
        assert (position.shape, position.dtype) == (theta.shape, dtype)


@EACH_FORM
@given(gradients=drawn.gradient_sequences(steps=10))
def test_arrays_of_rates_are_optimizers_side_by_side(form, gradients):
    etas, gammas = [0.1, 0.2, 0.7], [0.0, 0.5, 0.99]
    column = (np.array(etas)[:, None], np.array(gammas)[:, None])
    stacked = FORMS[form](*column[: 1 if form == "gd" else 2])
    together = paths(stacked, np.repeat(gradients[:, None], 3, axis=1), np.tile(START, (3, 1)))
    for j, pair in enumerate(zip(etas, gammas, strict=True)):
        alone = FORMS[form](*pair[: 1 if form == "gd" else 2])
        assert np.array_equal(together[:, j], paths(alone, gradients))


@given(drawn.optimizers())
def test_a_step_changes_nothing_that_it_was_given(optimizer):
    theta, grad = START.copy(), np.ones(3)
    state = optimizer.init(theta)
    _, after = optimizer.step(theta, grad, state, 0)
    optimizer.step(theta, grad, after, 1)
    assert np.array_equal(theta, START)
    assert np.array_equal(grad, np.ones(3))
    assert np.array_equal(state, optimizer.init(theta))


# --- schedules -----------------------------------------------------------------------------------------------------


@given(drawn.schedules(), st.integers(0, 60))
def test_a_schedule_is_constant_between_its_starts(schedule, t):
    phase = max(j for j, start in enumerate(schedule.starts) if start <= t)
    assert schedule(t) == schedule.values[phase]


def test_a_schedule_changes_at_its_start():
    schedule = PiecewiseConstant((0, 3, 5), (1.0, 2.0, 3.0))
    assert [schedule(t) for t in range(7)] == [1, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("starts", "values", "said"),
    [
        ((), (), "at least one"),
        ((0,), (), "as many starts as values"),
        ((0, 1), (0.1,), "as many starts as values"),
        ((1,), (0.1,), "0 < t₁ < t₂"),
        ((0, 5, 5), (1.0, 2.0, 3.0), "0 < t₁ < t₂"),
        ((0, 5, 3), (1.0, 2.0, 3.0), "0 < t₁ < t₂"),
        ((0, -1), (1.0, 2.0), r"eta \(start\) = -1"),
        ((0, 1.5), (1.0, 2.0), r"eta \(start\) = 1.5"),
        ((0,), (0.0,), "a learning rate above 0"),
        ((0, 5), (0.0, 0.0), "a learning rate above 0"),
        ((0, 2), (0.1, math.nan), r"eta \(value\) = nan"),
        ((0,), (-1,), r"eta \(value\) = -1"),
    ],
)
def test_a_bad_schedule_is_refused(starts, values, said):
    with pytest.raises(InputError, match=said) as caught:
        PiecewiseConstant(starts, values)
    assert caught.value.field.startswith("eta")


# --- refusals ------------------------------------------------------------------------------------------------------


@EACH_FORM
@pytest.mark.parametrize("eta", [0, 0.0, -0.1, math.nan, math.inf, "0.1", None, True])
def test_a_bad_rate_is_refused_by_name(form, eta):
    with pytest.raises(InputError) as caught:
        FORMS[form](eta, *([] if form == "gd" else [0.5]))
    assert str(caught.value) == f"eta = {eta!r} is not accepted: it must be a finite number > 0."


@pytest.mark.parametrize("form", ["momentum", "velocity", "nesterov"])
@pytest.mark.parametrize("gamma", [1, 1.0, -0.1, 1.5, math.nan, "0.9", None, False])
def test_a_bad_momentum_is_refused_by_name(form, gamma):
    with pytest.raises(InputError) as caught:
        FORMS[form](0.1, gamma)
    assert str(caught.value) == f"gamma = {gamma!r} is not accepted: it must be a finite number in [0, 1)."


# --- names and descriptions ----------------------------------------------------------------------------------------


def test_what_is_an_optimizer():
    assert isinstance(Sign(), Optimizer)
    assert all(isinstance(kind(0.1, *([0.5] if kind is not GD else [])), Optimizer) for kind in FORMS.values())
    assert not isinstance(0.1, Optimizer)
    assert not isinstance(PiecewiseConstant((0,), (0.1,)), Optimizer)


@given(drawn.optimizers(scheduled=False), drawn.gradient_sequences(steps=20))
def test_the_average_form_has_the_same_trajectory(optimizer, gradients):
    pair = average_form(optimizer)
    if isinstance(optimizer, Nesterov):
        assert pair is None
    else:
        same = MomentumAverage(*pair)
        assert_close(paths(same, gradients), paths(optimizer, gradients), scale=size(optimizer, gradients))


def test_the_average_form_in_numbers():
    assert average_form(GD(0.1)) == (0.1, 0.0)
    assert average_form(MomentumAverage(0.1, 0.9)) == (0.1, 0.9)
    assert average_form(MomentumVelocity(0.25, 0.5)) == (0.5, 0.5)


@given(drawn.optimizers(scheduled=True))
def test_a_schedule_has_no_average_form(optimizer):
    assert average_form(optimizer) is None


@pytest.mark.parametrize("other", [Sign(), Nesterov(0.1, 0.5), object()])
def test_other_optimizers_have_no_average_form(other):
    assert average_form(other) is None


def test_descriptions():
    assert describe(GD(0.1)) == {"class": "GD", "eta": 0.1, "average_form": {"eta": 0.1, "gamma": 0.0}}
    assert describe(MomentumVelocity(0.25, 0.5)) == {
        "class": "MomentumVelocity",
        "eta": 0.25,
        "gamma": 0.5,
        "average_form": {"eta": 0.5, "gamma": 0.5},
    }
    assert describe(Nesterov(0.1, 0.5))["average_form"] is None
    assert describe(Sign()) == {"class": "Sign", "average_form": None}
    assert describe(GD(PiecewiseConstant((0, 9), (0.1, 0.2))))["eta"] == (
        "PiecewiseConstant(starts=(0, 9), values=(0.1, 0.2))"
    )


@pytest.mark.parametrize("number", [np.float32, np.float64, float])
def test_rates_are_kept_as_python_floats(number):
    """So that they take the precision of the arrays that they multiply; arrays stay what they are."""
    half = number(0.5)
    steps = PiecewiseConstant((0,), (half,))
    for optimizer in (GD(half), MomentumAverage(half, half), MomentumVelocity(half, half), Nesterov(half, half)):
        assert {type(value) for value in vars(optimizer).values()} == {float}
        assert describe(optimizer)["eta"] == 0.5
    assert {type(GD(rate).recursion(0)[3]) for rate in (half, steps, lambda t: np.asarray(half))} == {float}
    assert GD(np.array([0.5, 1.0])).eta.shape == (2,)


@pytest.mark.parametrize("form", [GD, lambda eta: MomentumAverage(eta, 0.5), lambda eta: MomentumVelocity(eta, 0.5)])
def test_a_warm_up_may_start_from_0(form):
    """Nothing moves while η = 0; the momentum gathers."""
    optimizer, params = form(PiecewiseConstant((0, 2), (0.0, 0.5))), np.ones((1, 1))
    state, moved = optimizer.init(params), params
    for t in range(3):
        moved, state = optimizer.step(moved, np.ones((1, 1)), state, t)
        assert (moved == params).all() == (t < 2)
