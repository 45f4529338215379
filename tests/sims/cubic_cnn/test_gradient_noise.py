"""Noise of minibatches in coefficient space: engines against plain weights, batches, what is refused."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close, standard_errors

from lemmascope.sims.cubic_cnn import gradient_noise
from lemmascope.sims.cubic_cnn.backends.device import Unavailable, find_device
from lemmascope.sims.cubic_cnn.gradient_noise import COMPONENTS, at_start, drawn, indices, run
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.curvature import sample_gradients
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError

SMALL = Parameters(d=60, N=24, P=2, m=4, alpha=1.5, beta=0.3, mu=0.25, sigma=0.3, sigma_0=0.15)
THREE = Parameters(d=60, N=24, P=3, m=4, alpha=1.2, beta=0.3, mu=0.25, sigma=0.2, sigma_0=0.15, label_noise=0.1)
RULE = {"B": 6, "gammas": (0.0, 0.9), "eta": 0.1, "steps": 60}


def rng_of(seed=0):
    return streams(0, "gradient noise tests", seed)


def plain(parameters, sampling, gamma, *, eta, B, steps):
    """What is recorded, from gradients of the weights."""
    rng = rng_of()
    sample, W = (one := LawProblem(parameters).draw(rng)).sample, np.array(one.W_0)
    m, d, N = parameters.m, parameters.d, parameters.N
    D = rng("direction").standard_normal((m, d)) / d**0.5
    D = D - (D @ sample.w_star)[:, None] * sample.w_star
    feature = np.tile(sample.w_star, (m, 1))
    batches = indices(rng(f"batches {sampling}"), N, B, steps, sampling)
    average, found = np.zeros_like(W), np.empty((3, 2, steps))
    share = (N - B) / (N - 1) / B if sampling == "epochs" else 1 / B
    for t, batch in enumerate(batches):
        each = -sample_gradients(W, sample.X, sample.y).reshape(N, m, d)
        u = np.stack([np.sum(each * along, axis=(1, 2)) for along in (feature, D)])
        raw, sigma = u[:, batch].mean(1), u.std(1)
        found[:, :, t] = (raw - u.mean(1)) / (sigma * share**0.5), raw, sigma
        average = gamma * average - (1 - gamma) * each[batch].mean(0)
        W = W - eta * average
    return dict(zip(("noise", "raw", "sigma"), found, strict=True))


@pytest.mark.parametrize("parameters", [SMALL, THREE], ids=["P = 2", "P = 3, flipped labels"])
@pytest.mark.parametrize("sampling", ["independent", "epochs"])
@pytest.mark.parametrize(
    "engine",
    [{"backend": "compiled"}, {"backend": "numpy"}, {"xp": array_api_strict}],
    ids=["compiled", "numpy", "strict"],
)
def test_every_engine_records_what_plain_weights_say(engine, sampling, parameters):
    found = run(parameters, rng_of(), sampling=sampling, **RULE, **engine)
    assert found["noise"].shape == (len(COMPONENTS), 2, 60)
    for a, gamma in enumerate(RULE["gammas"]):
        expected = plain(parameters, sampling, gamma, eta=0.1, B=6, steps=60)
        assert expected["sigma"][0, -1] < 0.9 * expected["sigma"][0, 0]
        for name, values in expected.items():
            scale = np.max(np.abs(values), axis=-1, keepdims=True)
            assert_close(found[name][:, a] / scale, values / scale, "backend", note=f"{name}, γ = {gamma}")


def test_frozen_weights_do_not_move_and_begin_where_training_does():
    frozen = run(SMALL, rng_of(), sampling="independent", **RULE | {"eta": 0.0})
    assert np.ptp(frozen["sigma"], axis=-1).max() == 0
    assert np.array_equal(frozen["noise"][:, 0], frozen["noise"][:, 1])
    moving = run(SMALL, rng_of(), sampling="independent", **RULE)
    assert_close(moving["noise"][..., 0], frozen["noise"][..., 0])
    assert_close(at_start(SMALL, rng_of()).std(axis=-1), frozen["sigma"][:, 0, 0])
    reference = run(SMALL, rng_of(), sampling="independent", backend="numpy", **RULE | {"eta": 0.0})
    assert_close(reference["noise"], frozen["noise"], "backend", scale=1.0)


def test_blocks_change_nothing(monkeypatch):
    whole = run(SMALL, rng_of(), sampling="epochs", **RULE)
    monkeypatch.setattr(gradient_noise, "BLOCK", 7)
    for name, values in run(SMALL, rng_of(), sampling="epochs", **RULE).items():
        assert np.array_equal(values, whole[name])


def test_whitened_noise_has_variance_one_either_way():
    """With a wrong variance of batches without replacement it would be (N − B)/(N − 1) = 0.78."""
    for sampling in ("independent", "epochs"):
        steps = 4000
        noise = run(SMALL, rng_of(), sampling=sampling, **RULE | {"eta": 0.0, "steps": steps})["noise"][:, 0]
        spread = standard_errors(4) * (10 / steps) ** 0.5
        assert np.all(np.abs(np.mean(noise**2, axis=-1) - 1) < spread)
    epochs = noise.reshape(2, -1, 4).sum(axis=-1)
    assert np.max(np.abs(epochs)) < 1e-11


def test_independent_batches_have_samples_twice():
    batches = indices(rng_of()("x"), 24, 6, 400, "independent")
    assert any(len(set(row)) < 6 for row in batches.tolist())
    assert np.bincount(batches.ravel()).size == 24


def test_noise_that_is_not_there_is_not_a_number():
    """Where the weights diverge, or every sample has the same gradient."""
    found = run(SMALL, rng_of(), sampling="independent", **RULE | {"eta": 1e6})
    assert np.isnan(found["noise"][..., -1]).all()
    data = drawn(SMALL, rng_of())
    data.along[:] = 0
    for backend in ("compiled", "numpy"):
        kind = gradient_noise.Arrays
        if backend == "compiled":
            from lemmascope.sims.cubic_cnn.backends.gradient_noise_loop import Compiled as kind
        out = kind(data, 0.1, (0.0,), np).advance(np.zeros((2, 6), dtype=np.int64), 1 / 6)
        assert np.isnan(out[0, 1]).all()
        assert np.isfinite(out[0, 0]).all()


def test_a_device_is_the_reference_too():
    """Or is refused, in a sentence, where there is none."""
    try:
        find_device()
    except Unavailable as error:
        with pytest.raises(InputError, match="backend = 'cupy' is not accepted"):
            run(SMALL, rng_of(), sampling="epochs", **RULE, backend="cupy")
        pytest.skip(f"there is no device: {error}")
    found, expected = (run(SMALL, rng_of(), sampling="epochs", **RULE, backend=b) for b in ("cupy", "numpy"))
    assert_close(found["noise"], expected["noise"], "backend", scale=1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sampling": "shuffled"}, "independent, epochs"),
        ({"sampling": "epochs", "B": 5}, "divide the 24 samples"),
        ({"sampling": "epochs", "B": 24}, "two batches or more"),
        ({"B": 0}, "B = 0"),
        ({"gammas": ()}, "one momentum or more"),
        ({"gammas": (1.0,)}, "gammas"),
        ({"eta": -0.1}, "eta"),
        ({"eta": float("nan")}, "eta"),
        ({"steps": 0}, "steps"),
        ({"backend": "fortran"}, "backend"),
    ],
)
def test_what_cannot_be_run_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        run(SMALL, rng_of(), **{"sampling": "independent", **RULE} | change)


def test_a_penalty_is_refused():
    with pytest.raises(InputError, match="lam"):
        run(Parameters(**SMALL.to_dict() | {"lam": 0.1}), rng_of(), sampling="independent", **RULE)
