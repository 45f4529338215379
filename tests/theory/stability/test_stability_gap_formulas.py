"""The stability gap's matrices and edges against samples gone through one by one."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.moments import Linear
from lemmascope.theory.stability import edges
from lemmascope.theory.stability.gap import START, Mix, early_bound, lifted, linear_gap, second

gammas = st.sampled_from([0.0, 0.01, 0.3, 2**0.5 - 1, 0.9, 0.99])
curvatures = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), min_size=0, max_size=6)


def mixed(hs):
    """Sample by sample."""
    return Mix(len(hs), hs[0], tuple((h, 1) for h in hs[1:]))


def one_by_one(hs, eta, gamma, delta, steps):
    """Moments after so many steps: the mean over all samples of A_i S A_iᵀ, S = E (D, V, 1)(D, V, 1)ᵀ."""
    S = np.diag([0.0, 0.0, 1.0])
    for _ in range(steps):
        after = np.zeros((3, 3))
        for i, h in enumerate(hs):
            kick = eta * h * delta * (i == 0)
            A = np.array([[1 - eta * h, gamma, kick], [-eta * h, gamma, kick], [0, 0, 1]])
            after += A @ S @ A.T / len(hs)
        S = after
    return np.array([S[0, 0], S[0, 1], S[1, 1], S[0, 2], S[1, 2], 1.0])


@given(gammas, st.sampled_from([0.05, 0.4, 1.3]), curvatures, st.sampled_from([1.0, -2.0]), st.integers(0, 12))
def test_the_moments_are_those_over_all_samples(gamma, eta, others, delta, steps):
    hs = [1.0, *others]
    A = lifted(np, np.asarray(eta), np.asarray(gamma), mixed(hs), delta)
    found = Linear(A, np.zeros_like(A)).repeated(steps).mean(np.array(START))
    assert_close(found, one_by_one(hs, eta, gamma, delta, steps), "trajectory")


def test_equal_samples_may_be_counted_and_two_counts_are_a_mean():
    mix = Mix.curved(20, 4)
    assert (mix.mean, mix.square) == (0.2, 0.2)
    whole = Mix(4, 0.5, ((0.5, 1), (1.5, 2)))
    assert (whole.mean, whole.square) == (1.0, 1.25)
    eta, gamma = np.array([0.3, 0.7]), np.array([0.5, 0.9])
    assert np.array_equal(lifted(np, eta, gamma, mix)[:, :3, :3], second(np, eta, gamma, 0.2, 0.2))


def test_matrices_are_arrays_of_any_library():
    xp, mix = array_api_strict, Mix.curved(5, 2)
    rates = [0.1, 0.9], [0.3, 0.8]
    for make, rest in ((lifted, (mix, 2.0)), (second, (0.4, 0.4))):
        strict = make(xp, *(xp.asarray(x, dtype=xp.float64) for x in rates), *rest)
        assert_close(np.asarray(strict), make(np, *(np.array(x) for x in rates), *rest))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Mix(3, 1.0, ((0.0, 1),)), "samples must be 2"),
        (lambda: Mix(2, 0.0, ((1.0, 1),)), "first"),
        (lambda: Mix(2, 1.0, ((-1.0, 1),)), "h = -1"),
        (lambda: Mix.curved(4, 0), "curved"),
        (lambda: Mix.curved(4, 5), "from 1 to n = 4"),
        (lambda: Mix.curved(0, 1), "n = 0"),
    ],
)
def test_samples_that_are_none_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


# --- edges ----------------------------------------------------------------------------------------------------------


def radius(A):
    return abs(np.linalg.eigvals(A)).max()


def epoch(eta, gamma, n):
    """Of n matrices multiplied one by one."""
    found = np.array([[1 - eta, gamma], [-eta, gamma]])
    for _ in range(n - 1):
        found = found @ np.array([[1.0, gamma], [0.0, gamma]])
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40])
@given(gamma=gammas)
def test_an_epoch_is_stable_up_to_its_edge(n, gamma):
    edge = edges.cyclic_edge(gamma, n)
    assert radius(epoch((1 - 1e-6) * edge, gamma, n)) < 1 < radius(epoch((1 + 1e-6) * edge, gamma, n))


def test_the_cyclic_edge_at_its_ends():
    assert_close(edges.cyclic_edge(0.9, 1), edges.heavy_ball_edge(0.9))
    assert_close(edges.cyclic_edge(0.5, 200), 2 * (1 - 0.5))
    assert edges.cyclic_edge(0.0, 3) == 2
    assert abs(edges.cyclic_edge(1 - 1e-6, 10) - 4 / 10) < 1e-6
    assert_close(edges.cyclic_edge(2**0.5 - 1, 2), 4 * (2**0.5 - 1))  # its least for n = 2


@given(gammas, curvatures)
def test_second_moments_are_stable_up_to_their_edge(gamma, others):
    mix = mixed([1.0, *others])
    edge = edges.mean_square_edge(gamma, mix.mean, mix.square)

    def at(eta):
        return radius(second(np, np.asarray(eta), np.asarray(gamma), mix.mean, mix.square))

    for share in (0.01, 0.5, 1 - 1e-6):
        assert at(share * edge) < 1
    for share in (1 + 1e-6, 2, 10):
        assert at(share * edge) > 1


@given(gammas, curvatures)
def test_in_the_average_form_momentum_shrinks_no_range(gamma, others):
    mix = mixed([1.0, *others])
    edge = edges.effective(edges.mean_square_edge(gamma, mix.mean, mix.square), gamma)
    assert edge >= 2 * mix.mean / mix.square * (1 - 1e-12)
    assert edges.effective(edges.cyclic_edge(gamma, mix.n), gamma) >= 2 * (1 - 1e-12)


@given(gammas.filter(bool), st.integers(2, 50))
def test_in_the_velocity_form_every_momentum_does(gamma, n):
    assert edges.cyclic_edge(gamma, n) < 2
    assert edges.share_edge(gamma, 1 / n) < 2
    assert_close(edges.share_edge(gamma, 1 / n), edges.mean_square_edge(gamma, 1 / n, 1 / n))


@given(st.sampled_from([0.1, 0.5, 0.9]), curvatures)
def test_the_range_of_momentum_is_the_edge_turned_round(share, others):
    mix = mixed([1.0, *others])
    eta = share * 2 * mix.mean / mix.square
    most = edges.momentum_range(eta, mix.mean, mix.square)
    assert 0 < most <= 1 + 1e-12
    if most < 1 - 1e-9:
        assert_close(edges.mean_square_edge(most, mix.mean, mix.square), eta)
        assert len(set(others) | {1.0}) > 1
    else:
        assert set(others) <= {1.0}


def test_the_mean_gap_is_bounded_far_beyond_the_edge():
    gamma, mean = 0.9, 0.1
    for share, stable in ((1 - 1e-6, True), (1 + 1e-6, False)):
        eta = share * edges.mean_edge(gamma, mean)
        assert (radius(np.array([[1 - eta * mean, gamma], [-eta * mean, gamma]])) < 1) == stable
    assert edges.mean_edge(gamma, mean) > 100 * edges.share_edge(gamma, mean)


# --- sums -----------------------------------------------------------------------------------------------------------


def test_the_bound_is_its_sums():
    eta, gamma, n, G, until, steps = 0.7, 0.8, 13, 2.0, 5, 21
    velocity = 2 * eta * G / (1 - gamma)
    total = sum(t / n * velocity for t in range(1, until + 1)) + sum(2 * eta * G / n for _ in range(until, steps))
    assert_close(early_bound(eta, gamma, n, until, steps, G), total)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_the_linear_loss_by_its_recursion(gamma):
    eta, n, delta, D, V = 0.3, 7, 1.5, 0.0, 0.0
    for t in range(1, 30):
        V = gamma * V + eta * delta / n
        D += V
        assert_close(linear_gap(eta, gamma, n, t, delta), D)
    slower = linear_gap(eta * (1 - gamma), gamma, n, 10_000) / linear_gap(eta, 0.0, n, 10_000)
    assert abs(slower - 1) < 2e-3
