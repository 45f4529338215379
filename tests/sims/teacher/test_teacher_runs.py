"""Many networks trained as one batch: as each alone, by machine code and by arrays of any library."""

import array_api_strict
import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.backends.choice import choose_backend
from lemmascope.sims.teacher import runs
from lemmascope.sims.teacher.loop import train
from lemmascope.sims.teacher.runs import BACKENDS, resolve, train_all
from lemmascope.theory.errors import InputError
from lemmascope.theory.teacher.networks import NETWORKS

NAMES = ("1-MLP", "2-MLP", "1-CNN", "2-CNN")
RULES = [(0.3, 0.0), (0.7, 0.9)]


def drawn(name, draws=3):
    rng = np.random.default_rng(7)
    network = NETWORKS(5, 12, 4)[name]
    starts = [network.initial(rng.standard_normal) for _ in range(draws)]
    return network, starts, rng.standard_normal((draws, 40, 12)), rng.choice([-1.0, 1.0], (draws, 40))


def apart(found, stated):
    return max(
        float(np.max(np.abs(a[0][name] - b[0][name])))
        for one, other in zip(found, stated, strict=True)
        for a, b in zip(one, other, strict=True)
        for name in b[0]
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("xp", [np, array_api_strict], ids=["numpy", "array_api_strict"])
def test_a_batch_is_each_network_alone(name, bias, xp):
    network, starts, X, y = drawn(name)
    found = train_all(network, starts, X, y, RULES, epochs=60, early=3, bias=bias, backend="numpy", xp=xp)
    stated = [
        [
            train(network, start, inputs, labels, eta=eta, gamma=gamma, epochs=60, early=3, bias=bias)
            for eta, gamma in RULES
        ]
        for start, inputs, labels in zip(starts, X, y, strict=True)
    ]
    assert apart(found, stated) < 1e-9
    assert [[run[1] for run in one] for one in found] == [[run[1] for run in one] for one in stated]


def test_draws_that_do_not_fit_are_taken_in_turn(monkeypatch):
    network, starts, X, y = drawn("2-CNN")
    whole = train_all(network, starts, X, y, RULES, epochs=20, backend="numpy")
    monkeypatch.setitem(runs.MOST, "numpy", 1)
    assert apart(train_all(network, starts, X, y, RULES, epochs=20, backend="numpy"), whole) < 1e-12


def test_one_rule_does_not_know_of_the_others():
    network, starts, X, y = drawn("1-CNN")
    alone = train_all(network, starts, X, y, RULES[1:], epochs=20, backend="numpy")
    beside = train_all(network, starts, X, y, [(1e300, 0.0), RULES[1]], epochs=20, backend="numpy")
    assert apart([one[1:] for one in beside], alone) < 1e-12
    assert all(one[0][1][1] > 0 for one in beside), "what diverges has an error"


def test_backends_are_known():
    assert resolve("auto") == "compiled"
    assert resolve("cupy") == "cupy"
    network, starts, X, y = drawn("1-MLP", 1)
    with pytest.raises(InputError, match=", ".join(BACKENDS)):
        train_all(network, starts, X, y, RULES, epochs=1, backend="torch")


def test_a_device_gives_the_same():
    try:
        choose_backend("cupy", {})
    except InputError as error:
        pytest.skip(f"no device: {error}")
    network, starts, X, y = drawn("2-CNN")
    found = train_all(network, starts, X, y, RULES, epochs=60, backend="cupy")
    assert apart(found, train_all(network, starts, X, y, RULES, epochs=60, backend="compiled")) < 1e-9
