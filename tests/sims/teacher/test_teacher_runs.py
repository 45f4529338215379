"""Many networks at once: machine code and arrays of any library take the same steps, however they are batched."""

from itertools import chain

import array_api_strict
import numpy as np
import pytest

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends.device import Unavailable, find_device
from lemmascope.sims.teacher import runs
from lemmascope.sims.teacher.loop import train
from lemmascope.sims.teacher.runs import BACKENDS, resolve, train_all
from lemmascope.theory.errors import InputError
from lemmascope.theory.teacher.networks import NETWORKS

NAMES = ("1-MLP", "2-MLP", "1-CNN", "2-CNN")
RULES = [(0.3, 0.0), (0.3, 0.9), (1.0, 0.9), (0.5, 0.99)]

try:
    find_device()
    WHY_NOT = None
except Unavailable as error:
    WHY_NOT = str(error)


def drawn(name, draws=2, samples=60, dtype=np.float64):
    """Networks that start each from other weights, with samples of their own."""
    rng, network = np.random.default_rng(7), NETWORKS(5, 12, 4)[name]
    starts = [network.initial(rng.standard_normal) for _ in range(draws)]
    X, y = rng.standard_normal((draws, samples, 12)), rng.choice([-1.0, 1.0], (draws, samples))
    return network, starts, X.astype(dtype), y.astype(dtype)


def assert_alike(found, expected, within):
    assert len(found) == len(expected)
    for one, other in zip(chain(*found), chain(*expected), strict=True):
        assert one[1] == other[1]
        for key, value in other[0].items():
            assert isinstance(one[0][key], np.ndarray)
            assert one[0][key].dtype == value.dtype
            assert np.max(np.abs(one[0][key] - value)) <= within, key


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_take_the_steps_of_machine_code(name, bias):
    problem = drawn(name)
    rest = {"epochs": 300, "early": 4, "bias": bias}
    compiled = train_all(*problem, RULES, **rest, backend="compiled")
    assert_alike(train_all(*problem, RULES, **rest, backend="numpy"), compiled, 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_are_those_of_the_standard(name):
    problem = drawn(name)
    expected = train_all(*problem, RULES, epochs=40, early=4, backend="compiled")
    strict = train_all(*problem, RULES, epochs=40, early=4, backend="numpy", xp=array_api_strict)
    assert_alike(strict, expected, 1e-11)


def test_a_run_is_that_of_the_loop():
    network, starts, X, y = drawn("2-CNN")
    found = train_all(network, starts, X, y, RULES, epochs=30, early=2)
    alone = [
        [train(network, start, X[k], y[k], eta=eta, gamma=gamma, epochs=30, early=2) for eta, gamma in RULES]
        for k, start in enumerate(starts)
    ]
    assert_alike(found, alone, 0)


def test_what_is_trained_beside_it_changes_nothing(monkeypatch):
    network, starts, X, y = drawn("1-CNN", draws=5)
    whole = train_all(network, starts, X, y, RULES, epochs=30, backend="numpy")
    monkeypatch.setitem(runs.MOST, "numpy", 2 * 60 * 4 * 5 * len(RULES))  # two draws at a time
    assert_alike(train_all(network, starts, X, y, RULES, epochs=30, backend="numpy"), whole, 1e-14)
    monkeypatch.setitem(runs.MOST, "numpy", 1)
    assert_alike(train_all(network, starts, X, y, RULES, epochs=30, backend="numpy"), whole, 1e-14)


def test_single_precision_of_arrays():
    problem = drawn("2-CNN", dtype=np.float32)
    compiled, arrays = (train_all(*problem, RULES[:2], epochs=20, backend=one) for one in ("compiled", "numpy"))
    for one, other in zip(chain(*arrays), chain(*compiled), strict=True):
        assert one[0]["W"].dtype == np.float32
        assert np.max(np.abs(one[0]["W"] - other[0]["W"])) < 1e-4


def test_runs_that_diverge_are_wrong_about_every_sample():
    problem = drawn("1-MLP")
    for backend in ("compiled", "numpy"):
        ((_, (_, diverged)), (_, (_, calm))), _ = train_all(
            *problem, [(1e200, 0.0), (0.3, 0.0)], epochs=8, backend=backend
        )
        assert diverged >= 0.5
        assert 0 <= calm <= 1


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
def test_it_ends_where_it_is_asked_to(backend):
    run = stopping.Run()
    run.request()
    with run.task(), pytest.raises(KeyboardInterrupt):
        train_all(*drawn("1-MLP"), RULES, epochs=10, backend=backend)


def test_backends_by_name():
    assert BACKENDS == ("auto", "compiled", "numpy", "cupy")
    assert resolve("auto") == "compiled"
    assert resolve("cupy") == "cupy"
    with pytest.raises(InputError, match="auto, compiled, numpy, cupy"):
        train_all(*drawn("1-MLP"), RULES, epochs=10, backend="torch")


@pytest.mark.skipif(WHY_NOT is None, reason="there is a device")
def test_a_device_that_is_not_there_is_refused_with_its_reason():
    with pytest.raises(InputError) as caught:
        train_all(*drawn("1-MLP"), RULES, epochs=10, backend="cupy")
    assert WHY_NOT in str(caught.value)


@pytest.mark.skipif(WHY_NOT is not None, reason=f"no device: {WHY_NOT}")
@pytest.mark.parametrize("name", NAMES)
def test_a_device_takes_the_same_steps(name):
    problem = drawn(name, draws=3, samples=300)
    rest = {"epochs": 300, "early": 4}
    compiled = train_all(*problem, RULES, **rest, backend="compiled")
    assert_alike(train_all(*problem, RULES, **rest, backend="cupy"), compiled, 1e-9)
