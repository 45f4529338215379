"""The four ReLU networks: gradients against differences, the balance of every unit, any array library."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.teacher.networks import NETWORKS, balance, gradient, loss, output, pattern

NAMES = ("1-MLP", "2-MLP", "1-CNN", "2-CNN")


def drawn(name, seed=0, samples=7):
    rng = np.random.default_rng(seed)
    network = NETWORKS(3, 12, 4)[name]
    theta = {key: x + 0.1 * rng.standard_normal(x.shape) for key, x in network.initial(rng.standard_normal).items()}
    return network, theta, rng.standard_normal((samples, 12)), rng.choice([-1.0, 1.0], samples)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_the_loss(name):
    network, theta, X, y = drawn(name)
    found, tried = gradient(network, theta, X, y), 0
    for key, values in theta.items():
        flat = values.reshape(-1)
        for k in range(flat.size):
            at, values_, same = flat[k], [], []
            for shift in (-1e-5, 1e-5):
                flat[k] = at + shift
                values_.append(loss(network, theta, X, y))
                same.append(pattern(network, theta, X))
            flat[k] = at
            if (same[0] == same[1]).all():
                tried += 1
                assert abs((values_[1] - values_[0]) / 2e-5 - found[key].reshape(-1)[k]) < 1e-8
    assert tried > 0.9 * sum(x.size for x in theta.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_unit_is_in_balance_and_without_the_mask_it_is_not(name):
    network, theta, X, y = drawn(name, 1)
    right, planted = (gradient(network, theta, X, y, masked=masked) for masked in (True, False))
    assert np.abs(balance(network, theta, right)).max() < 1e-15
    assert np.abs(balance(network, theta, planted)).max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_the_convolutions_see_positions_alone(name):
    """Exchanging two positions of every sample moves a convolution's patterns, and mixes an MLP's."""
    network, theta, X, _ = drawn(name, 2)
    swapped = X.reshape(-1, 4, 3)[:, [1, 0, 2, 3], :].reshape(X.shape)
    found = network.layers == 1 and network.positions == 4
    hidden = pattern(network, theta, X).reshape(len(X), -1, 3)
    other = pattern(network, theta, swapped).reshape(len(X), -1, 3)
    if found:
        assert (hidden[:, [1, 0, 2, 3]] == other).all()
    assert output(network, theta, X).shape == (len(X),)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_any_library_of_the_standard(name):
    network, theta, X, y = drawn(name, 3)
    xp = array_api_strict
    strict = gradient(network, {k: xp.asarray(v) for k, v in theta.items()}, xp.asarray(X), xp.asarray(y))
    for key, value in gradient(network, theta, X, y).items():
        assert_close(np.asarray(strict[key]), value)


@pytest.mark.parametrize("name", NAMES)
def test_many_networks_at_once_are_each_as_alone(name):
    """(draws, 1, N, d) against parameters (draws, rates, …)."""
    draws, rates = 2, 3
    problems = [[drawn(name, 10 * s + r) for r in range(rates)] for s in range(draws)]
    network = problems[0][0][0]
    theta = {key: np.array([[one[1][key] for one in row] for row in problems]) for key in problems[0][0][1]}
    X, y = (np.array([row[0][k] for row in problems])[:, None] for k in (2, 3))
    outputs, slopes = output(network, theta, X), gradient(network, theta, X, y)
    assert outputs.shape == (draws, rates, X.shape[2])
    for s, r in np.ndindex(draws, rates):
        one = {key: x[s, r] for key, x in theta.items()}
        assert_close(outputs[s, r], output(network, one, X[s, 0]))
        for key, value in gradient(network, one, X[s, 0], y[s, 0]).items():
            assert slopes[key].shape == theta[key].shape
            assert_close(slopes[key][s, r], value)


def test_positions_must_divide_the_inputs():
    with pytest.raises(ValueError, match="5 positions"):
        NETWORKS(3, 12, 5)
