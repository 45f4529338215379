"""Escape, momentum and means of batches: machine code against the reference, both against plain loops, refusals."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close, standard_errors

from lemmascope.sims.noise.long_memory import batch_moments, momentum, momentum_variance, passages
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.long_memory import momentum_sum, stationary_variance
from lemmascope.theory.noise.memory import fractional_of

ENGINES = ({"backend": "compiled"}, {"backend": "numpy"}, {"xp": array_api_strict})


def rngs(count=3, seed=0):
    return [streams(0, "long memory tests", seed + k)("x") for k in range(count)]


def by_hand(noise, s, a, L):
    x = 0.0
    for t, xi in enumerate(noise.tolist()):
        x = (1 - a) * x + s * xi
        if abs(x) >= L:
            return t + 1
    return 0


def test_passages_are_written_out():
    H, scales, n = (0.3, 0.5, 0.7), [[1.0, 1.6], [1.0, 1.0], [1.0, 0.6]], 150
    found = [passages(rngs(), n, H, scales, a=0.1, L=4.0, **engine) for engine in ENGINES]
    normals = np.stack([rng.standard_normal(2 * n) for rng in rngs()])
    expected = [
        [[by_hand(path, s, 0.1, 4.0) for path in fractional_of(one, normals)] for s in each]
        for one, each in zip(H, scales, strict=True)
    ]
    assert np.min(expected) == 0 < np.max(expected) < n
    for one in found:
        assert np.array_equal(one, expected)


def test_a_level_is_met_at_the_first_step_and_never_left_out():
    assert np.array_equal(passages(rngs(), 20, (0.5,), [[1.0]], a=0.1, L=1e-12), np.ones((1, 1, 3)))
    assert not passages(rngs(), 20, (0.5,), [[1.0]], a=0.1, L=1e12).any()


def test_paths_have_the_stationary_variance():
    """By the time at which x has forgotten where it began."""
    H, a, n = 0.3, 0.2, 60
    normals = np.stack([rng.standard_normal(2 * n) for rng in rngs(3000)])
    x = fractional_of(H, normals) @ (1 - a) ** np.arange(n)[::-1]
    assert abs(np.mean(x**2) / stationary_variance(H, a) - 1) < standard_errors(1) * (2 / 3000) ** 0.5


def test_momentum_is_its_recursion_in_every_library():
    xi, start = np.random.default_rng(0).standard_normal((2, 30)), np.array([0.5, -1.0])
    expected, v = np.empty_like(xi), start
    for t in range(30):
        v = expected[:, t] = 0.9 * v + (1 - 0.9) * xi[:, t]
    for engine in ENGINES:
        assert_close(np.asarray(momentum(xi, start, 0.9, **engine)), expected, "backend")


def test_variances_of_its_sums_are_those_in_closed_form_and_near_each_other():
    lengths, gamma = (1, 8, 64, 512), 0.9
    found = [momentum_variance(rngs(12), 4096, gamma, lengths, **engine) for engine in ENGINES[:2]]
    assert_close(found[0], found[1], "backend", scale=512.0)
    stated = momentum_sum(gamma, np.array(lengths, float))
    error = found[0].std(axis=0, ddof=1) / 12**0.5
    assert np.all(np.abs(found[0].mean(axis=0) - stated) < 5 * error)
    # What is taken off and added makes the error of long sums small.
    assert error[-1] < 0.01 * stated[-1]


def test_the_kurtosis_of_means_is_that_of_one_over_their_size():
    u = np.array([-1.0] * 15 + [1.0] * 12 + [4.0, -1.0])
    u = (u - u.mean()) / u.std()
    kappa = np.mean(u**4) - 3
    sizes = (1, 4, 16, 64, 256)
    found = np.array([batch_moments(u, sizes, 2**18, rng) for rng in rngs(8)])
    error = found.std(axis=0, ddof=1) / 8**0.5
    assert np.all(np.abs(found.mean(axis=0) - kappa / np.array(sizes)) < 6 * error)
    assert error[3] < 0.25 * kappa / 64
    assert np.array_equal(found[0], batch_moments(u, sizes, 2**18, rngs(1)[0]))
    many = np.resize(u, 29 * 20)  # indices of two bytes
    assert abs(batch_moments(many, (4,), 2**18, rngs(1)[0])[0] - kappa / 4) < 0.2 * kappa


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: passages(rngs(), 10, (0.5,), [[1.0]], a=2.0, L=1.0), "beyond ηh = 2"),
        (lambda: passages(rngs(), 10, (0.5,), [[1.0]], a=0.1, L=0.0), "L"),
        (lambda: passages(rngs(), 0, (0.5,), [[1.0]], a=0.1, L=1.0), "n"),
        (lambda: passages(rngs(), 10, (1.5,), [[1.0]], a=0.1, L=1.0), "H"),
        (lambda: passages(rngs(), 10, (0.5,), [[1.0]], a=0.1, L=1.0, backend="fortran"), "backend"),
        (lambda: momentum(np.ones((1, 3)), np.ones(1), 1.0), "gamma"),
        (lambda: momentum_variance(rngs(), 20, 0.9, (21,)), "the series has 20 values"),
        (lambda: batch_moments(np.ones(3), (2,), 2**16, rngs(1)[0]), "1, 4, 16, 64 or 256"),
        (lambda: batch_moments(np.ones(3), (4,), 2**16 + 1, rngs(1)[0]), "power of 2"),
        (lambda: batch_moments(np.ones(3), (4,), 1024, rngs(1)[0]), "draws"),
    ],
)
def test_what_cannot_be_run_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
