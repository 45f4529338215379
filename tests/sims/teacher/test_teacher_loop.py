"""The compiled training loop against the reference gradients."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import lemmascope.sims.teacher
from lemmascope.sims.teacher.loop import train
from lemmascope.theory.teacher.networks import NETWORKS, gradient, output

NAMES = ("1-MLP", "2-MLP", "1-CNN", "2-CNN")


def drawn(name, dtype=np.float64):
    rng = np.random.default_rng(4)
    network = NETWORKS(5, 12, 4)[name]
    theta = network.initial(rng.standard_normal)
    theta["b"] = theta["b"] + 0.1
    return network, theta, rng.standard_normal((40, 12)).astype(dtype), rng.choice([-1.0, 1.0], 40).astype(dtype)


def reference(network, theta, X, y, eta, gamma, epochs, bias=True):
    theta, average = {key: x.copy() for key, x in theta.items()}, {key: 0 * x for key, x in theta.items()}
    for _ in range(epochs):
        for key, slope in gradient(network, theta, X, y).items():
            average[key] = gamma * average[key] + (1 - gamma) * slope
        for key in theta if bias else ("W", "U", "v"):
            if key in theta:
                theta[key] = theta[key] - eta * average[key]
    return theta


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gamma", [0.0, 0.9])
@pytest.mark.parametrize("bias", [True, False])
def test_the_loop_takes_the_references_steps(name, gamma, bias):
    network, theta, X, y = drawn(name)
    stated = reference(network, theta, X, y, 0.7, gamma, 25, bias)
    before = {key: x.copy() for key, x in theta.items()}
    found, (early, error) = train(network, theta, X, y, eta=0.7, gamma=gamma, epochs=25, early=0, bias=bias)
    for key, value in stated.items():
        assert np.max(np.abs(found[key] - value)) < 1e-12, key
        assert np.array_equal(theta[key], before[key])
    assert error == np.mean(output(network, stated, X) * y <= 0)
    assert early == np.mean(output(network, before, X) * y <= 0)


def test_single_precision_stays_near():
    network, theta, X, y = drawn("2-CNN", np.float32)
    found, _ = train(network, theta, X, y, eta=0.5, gamma=0.9, epochs=20)
    stated = reference(network, theta, X.astype(float), y.astype(float), 0.5, 0.9, 20)
    assert found["W"].dtype == np.float32
    assert np.max(np.abs(found["W"] - stated["W"])) < 1e-4


def test_a_run_that_diverges_has_an_error():
    network, theta, X, y = drawn("2-MLP")
    _, (_, error) = train(network, theta, X, y, eta=1e300, gamma=0.0, epochs=5)
    assert error > 0


def test_machine_code_on_disk_is_of_these_texts():
    """Numba's cache does not look at files that a function's own file imports: their version must stand in it."""
    folder = Path(lemmascope.sims.teacher.__file__).parent
    digest = hashlib.sha256((folder / "tiles.py").read_bytes()).hexdigest()[:12]
    (named,) = re.findall(r'^BUILT_ON = "(\w+)"', (folder / "loop.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert named == digest, f"tiles.py has changed: set BUILT_ON = {digest!r} in loop.py"
