"""The compiled training loop against the reference gradients."""

import hashlib
import inspect
from pathlib import Path

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.backends.loops import exp_minus
from lemmascope.sims.teacher import loop, tiles
from lemmascope.sims.teacher.loop import train
from lemmascope.theory.teacher.networks import NETWORKS, Network, gradient, output

NAMES = ("1-MLP", "2-MLP", "1-CNN", "2-CNN")


def drawn(name, dtype=np.float64):
    return given(NETWORKS(5, 12, 4)[name], 40, dtype)


def given(network, samples, dtype=np.float64):
    """A network, where it starts, and samples for it."""
    rng = np.random.default_rng(4)
    theta = network.initial(rng.standard_normal)
    theta["b"] = theta["b"] + 0.1
    X = rng.standard_normal((samples, network.positions * network.inputs))
    return network, theta, X.astype(dtype), rng.choice([-1.0, 1.0], samples).astype(dtype)


def reference(network, theta, X, y, eta, gamma, epochs, bias=True):
    theta, average = {key: x.copy() for key, x in theta.items()}, {key: 0 * x for key, x in theta.items()}
    for _ in range(epochs):
        for key, slope in gradient(network, theta, X, y).items():
            average[key] = gamma * average[key] + (1 - gamma) * slope
        for key in theta if bias else ("W", "U", "v"):
            if key in theta:
                theta[key] = theta[key] - eta * average[key]
    return theta


def assert_same_steps(network, theta, X, y, *, gamma=0.9, bias=True, epochs=25, within=1e-12):
    stated = reference(network, theta, X, y, 0.7, gamma, epochs, bias)
    before = {key: x.copy() for key, x in theta.items()}
    found, (early, error) = train(network, theta, X, y, eta=0.7, gamma=gamma, epochs=epochs, early=0, bias=bias)
    assert list(found) == list(theta)
    for key, value in stated.items():
        assert found[key].shape == value.shape
        assert np.max(np.abs(found[key] - value)) < within, key
        assert np.array_equal(theta[key], before[key])
    assert error == np.mean(output(network, stated, X) * y <= 0)
    assert early == np.mean(output(network, before, X) * y <= 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gamma", [0.0, 0.9])
@pytest.mark.parametrize("bias", [True, False])
def test_the_loop_takes_the_references_steps(name, gamma, bias):
    assert_same_steps(*drawn(name), gamma=gamma, bias=bias)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1, 4, 6])
@pytest.mark.parametrize("samples", [1, 7, 81])
def test_what_fills_up_tiles_and_blocks_changes_nothing(name, width, samples):
    """Hidden units and samples that no tile divides, and more samples than a block has."""
    assert loop.BLOCK < 81
    assert_same_steps(*given(NETWORKS(width, 12, 4)[name], samples))


@pytest.mark.parametrize("inputs", range(1, 2 * tiles.COLUMNS + 2))
def test_any_number_of_inputs(inputs):
    """Those that are left over by the tiles of sums, whatever their number."""
    assert_same_steps(*given(Network("2-CNN", 2, 3, 2, inputs, 5), 30))


@pytest.mark.parametrize(("positions", "neighbours"), [(3, 1), (5, 3), (4, 4)])
def test_any_number_of_neighbours(positions, neighbours):
    assert_same_steps(*given(Network("2-CNN", 2, positions, neighbours, 3, 5), 30))


@pytest.mark.parametrize("positions", [1, 2])
def test_more_inputs_than_rows(positions):
    """The first layer is trained in the span of its inputs, and what its weights are outside of it stays."""
    network, theta, X, y = given(Network("wide", 1, positions, 1, 50, 6), 15)
    assert_same_steps(network, theta, X, y, within=1e-11)
    found, _ = train(network, theta, X, y, eta=0.7, gamma=0.9, epochs=25)
    outside = np.linalg.svd(X.reshape(-1, 50))[2][15 * positions :]
    assert np.max(np.abs(outside @ (found["W"] - theta["W"]))) < 1e-13
    assert np.max(np.abs(found["W"] - theta["W"])) > 0.01


def test_single_precision_stays_near():
    network, theta, X, y = drawn("2-CNN", np.float32)
    found, _ = train(network, theta, X, y, eta=0.5, gamma=0.9, epochs=20)
    stated = reference(network, theta, X.astype(float), y.astype(float), 0.5, 0.9, 20)
    assert found["W"].dtype == np.float32
    assert np.max(np.abs(found["W"] - stated["W"])) < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_diverges_is_wrong_about_every_sample(name):
    network, theta, X, y = drawn(name)
    with np.errstate(over="ignore", invalid="ignore"):
        found, (early, error) = train(network, theta, X, y, eta=1e200, gamma=0.0, epochs=8)
        after = output(network, found, X)
    assert not np.isfinite(after).any()
    assert error == np.mean(~(after * y > 0))
    assert early < 1


def test_a_number_that_is_none_is_not_trained_away():
    network, theta, X, y = drawn("1-MLP")
    theta["c"] = np.array([np.nan])
    found, (early, error) = train(network, theta, X, y, eta=0.1, gamma=0.9, epochs=3)
    assert early == error == 1
    assert np.isnan(found["c"]).all()
    assert np.isnan(found["W"]).any()


def test_machine_code_on_disk_is_of_these_texts():
    """Numba's cache does not look at what a function's own file imports: its version must stand in that file."""
    texts = Path(tiles.__file__).read_bytes() + inspect.getsource(exp_minus.py_func).encode()
    digest = hashlib.sha256(texts).hexdigest()[:12]
    assert digest == loop.BUILT_ON, f"tiles.py or exp_minus has changed: set BUILT_ON = {digest!r} in loop.py"
