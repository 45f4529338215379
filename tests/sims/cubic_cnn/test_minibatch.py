"""Minibatches in coefficient space: the batches, every engine against plain weights, the full batch, refusals."""

import dataclasses

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close, standard_errors

from lemmascope.sims.cubic_cnn import minibatch
from lemmascope.sims.cubic_cnn.backends.device import Unavailable, find_device
from lemmascope.sims.cubic_cnn.backends.minibatch_loop import Compiled
from lemmascope.sims.cubic_cnn.minibatch import Arrays, blocks, run
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.law import draw_sample
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.weights import gradient, outputs
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage

SMALL = Parameters(d=60, N=24, P=2, m=4, alpha=3.0, beta=0.3, mu=0.25, sigma=0.3, sigma_0=0.15)
"""In 200 steps at η = 0.2 the large margins are fitted, and momentum overshoots."""

THREE = dataclasses.replace(SMALL, P=3, alpha=1.5, label_noise=0.1)
"""A large-margin sample of the wrong label is there too, which at a larger rate lets the weights diverge."""

GAMMAS, ETA, STEPS = (0.0, 0.9, 0.99), 0.2, 200
ENGINES = {"compiled": (Compiled, np), "numpy": (Arrays, np), "strict": (Arrays, array_api_strict)}


def rng_of(seed=0):
    return streams(0, "minibatch tests", seed)


def batches(N, B, steps, seed=0):
    return np.concatenate(list(blocks(rng_of(seed)("batch order"), N, B, steps)))


def weights(drawn, gamma, order):
    """W after SGD with momentum, one minibatch's gradient after the other."""
    X, y, W = drawn.sample.X, drawn.sample.y, drawn.W_0
    average = np.zeros_like(W)
    for batch in order:
        average = gamma * average + (1 - gamma) * gradient(W, X[batch], y[batch])
        W = W - ETA * average
    return W


def rebuilt(drawn, B, b):
    """W of its coordinates."""
    sample = drawn.sample
    noise = sample.signal_first()[:, 1:, :].reshape(-1, sample.X.shape[2])
    return drawn.W_0 + B @ noise + b[:, None] * sample.w_star


@pytest.mark.parametrize("B", [1, 6, 24])
def test_an_epoch_is_every_sample_once(B):
    order = batches(24, B, 10 * 24 // B)
    assert order.shape == (10 * 24 // B, B)
    epochs = order.reshape(10, 24)
    assert all(np.array_equal(np.sort(epoch), np.arange(24)) for epoch in epochs)
    assert (np.diff(order, axis=1) > 0).all()
    assert len({epoch.tobytes() for epoch in epochs}) == (1 if B == 24 else 10)
    assert np.array_equal(batches(24, B, 7), order[:7])


def test_every_sample_is_as_often_in_a_first_batch():
    first = batches(24, 6, 4 * 4000)[::4]
    counts = np.bincount(first.ravel(), minlength=24)
    assert np.max(np.abs(counts - 1000)) < standard_errors(24) * (4000 * 0.25 * 0.75) ** 0.5


def test_blocks_change_no_order(monkeypatch):
    whole = batches(24, 6, 50)
    monkeypatch.setattr(minibatch, "BLOCK", 60)
    assert len(list(blocks(rng_of()("batch order"), 24, 6, 50))) == 7
    assert np.array_equal(batches(24, 6, 50), whole)


@pytest.mark.parametrize("parameters", [SMALL, THREE], ids=["P = 2", "P = 3, flipped labels"])
@pytest.mark.parametrize("B", [1, 8, 24])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_is_plain_weights(engine, B, parameters):
    kind, xp = ENGINES[engine]
    drawn, order = LawProblem(parameters).draw(rng_of()), batches(parameters.N, B, STEPS)
    found = kind(drawn.projection(), ETA, GAMMAS, xp, "float64")
    for part in (order[:70], order[70:]):
        found.advance(part)
    coordinates = found.coordinates()
    for a, gamma in enumerate(GAMMAS):
        expected = weights(drawn, gamma, order)
        moved = np.max(np.abs(expected - drawn.W_0))
        assert moved > 0.1
        assert_close(rebuilt(drawn, *(x[a] for x in coordinates)), expected, "backend", note=f"γ = {gamma}")


def test_a_device_is_the_reference_too():
    """Or is refused, in a sentence, where there is none."""
    given = {"B": 8, "gammas": GAMMAS, "eta": ETA, "steps": STEPS}
    try:
        find_device()
    except Unavailable as error:
        with pytest.raises(InputError, match="backend = 'cupy' is not accepted"):
            run(SMALL, rng_of(), **given, backend="cupy")
        pytest.skip(f"there is no device: {error}")
    found, expected = (run(SMALL, rng_of(), **given, backend=backend) for backend in ("cupy", "numpy"))
    for name, values in vars(expected).items():
        assert_close(getattr(found, name), values, "backend", scale=1.0, note=name)


def test_a_batch_that_is_another_is_seen():
    drawn, order = LawProblem(SMALL).draw(rng_of()), batches(SMALL.N, 8, STEPS)
    one, other = (weights(drawn, 0.9, x) for x in (order, order[::-1]))
    assert np.max(np.abs(one - other)) > 1e-4


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
def test_the_outcome_is_that_of_the_weights(backend):
    """Also its test accuracy, against fresh samples."""
    fresh = dataclasses.replace(SMALL, N=4000)
    drawn, order = LawProblem(SMALL).draw(rng_of()), batches(SMALL.N, 8, STEPS)
    found = run(SMALL, rng_of(), B=8, gammas=GAMMAS, eta=ETA, steps=STEPS, backend=backend)
    sample = draw_sample(fresh, lambda name: rng_of(0 if name == "w_star" else 1)(name))
    for a, gamma in enumerate(GAMMAS):
        W = weights(drawn, gamma, order)
        assert_close(found.c_max[a], np.max(W @ drawn.sample.w_star), "backend")
        noise = drawn.sample.signal_first()[:, 1:, :]
        assert_close(found.Xi_max[a], np.max(np.abs(noise @ W.T)), "backend")
        assert found.train_error[a] == np.mean(drawn.sample.y * outputs(W, drawn.sample.X) <= 0)
        right = sample.y * outputs(W, sample.X) > 0
        for accuracy, group in ((found.small[a], sample.small), (found.large[a], ~sample.small)):
            error = max(accuracy * (1 - accuracy), 0.01) / np.count_nonzero(group)
            assert abs(np.mean(right[group]) - accuracy) < standard_errors(6) * error**0.5


def test_the_full_batch_is_gd_whatever_the_order():
    """The trajectory of `simulate`, and the same bits for any order; not so at half of it."""

    def stranger(name):
        return rng_of(1 if name == "batch order" else 0)(name)

    one, other, half, half_other = (
        run(SMALL, rng, B=B, gammas=(0.0, 0.9), eta=ETA, steps=STEPS) for B in (24, 12) for rng in (rng_of(), stranger)
    )
    for name, values in vars(one).items():
        assert np.array_equal(values, getattr(other, name))
    assert not np.array_equal(half.c_max, half_other.c_max)
    optimizers = {"GD": GD(ETA), "GD+M": MomentumAverage(ETA, 0.9)}
    whole = simulate(
        SMALL, optimizers, iterations=STEPS, seeds=1, root_seed=0, study="minibatch tests", record=Every(STEPS)
    )
    final = whole.isel(seed=0, iteration=-1)
    assert_close(one.c_max, final.c.max("neuron").values, "backend")
    assert_close(one.small, final.test_accuracy.sel(margin="small").values, "backend")
    assert_close(one.large, final.test_accuracy.sel(margin="large").values, "backend")


def test_single_precision_is_close():
    double, single = (
        run(SMALL, rng_of(), B=8, gammas=(0.0, 0.9), eta=ETA, steps=20, dtype=dtype) for dtype in ("float64", "float32")
    )
    assert_close(single.c_max, double.c_max, "backend", "float32")
    assert not np.array_equal(single.c_max, double.c_max)


def test_the_exact_law_runs_too():
    found = run(SMALL, rng_of(), B=8, gammas=(0.0,), eta=ETA, steps=STEPS, law="exact")
    assert found.large[0] > 0.9


@pytest.mark.parametrize("backend", ["compiled", "numpy"])
def test_what_diverges_is_said(backend):
    found = run(THREE, rng_of(), B=8, gammas=(0.0, 0.9), eta=1e4, steps=STEPS, backend=backend)
    assert np.isnan(found.small).all()
    assert np.isnan(found.large).all()
    assert (found.train_error == 1).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"B": 25}, "must divide the 24 samples"),
        ({"B": 7}, "must divide the 24 samples"),
        ({"B": 0}, "B"),
        ({"gammas": ()}, "one momentum or more"),
        ({"gammas": (1.0,)}, "gammas"),
        ({"eta": 0.0}, "eta"),
        ({"steps": 0}, "steps"),
        ({"backend": "torch"}, "backend"),
        ({"dtype": "int8"}, "dtype"),
        ({"law": "mine"}, "law"),
        ({"parameters": dataclasses.replace(SMALL, lam=0.1)}, "lam"),
    ],
)
def test_what_cannot_run_is_refused(change, words):
    given = {"parameters": SMALL, "rng": rng_of(), "B": 8, "gammas": (0.0,), "eta": 0.1, "steps": 4} | change
    with pytest.raises(InputError, match=words):
        run(**given)
