"""Copies of RMSprop and Adam: machine code against the reference, the companion against its exact moments."""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose

from lemmascope.sims.noise.adam_sde import Case, expected, run
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.adam_sde import Rates

ADAM, RMSPROP = Rates(0.1, 0.2, 0.1, 0.5), Rates(0.05, 1.0, 0.2, 0.3)
CASES = [Case(ADAM, 0.4), Case(RMSPROP, 0.1, 1.0, lagged=False), Case(RMSPROP, 0.1, 1.0, frozen=True)]


def rng(what="noise", seed=0):
    return streams(0, "test", seed)(what)


def test_machine_code_is_the_reference():
    given = {"copies": 7, "steps": 60, "every": 20}
    compiled = run(CASES, 4, rng(), backend="compiled", **given)
    reference = run(CASES, 4, rng(), backend="numpy", **given)
    strict = run(CASES, 4, rng(), backend="numpy", xp=array_api_strict, **given)
    assert compiled.shape == (3, 3, 3)
    assert_allclose(compiled, reference, rtol=1e-11, atol=1e-14)
    assert_allclose(strict, reference, rtol=1e-11, atol=1e-14)


def test_the_companion_takes_nothing_from_the_mean():
    """Beside the control variate the plain mean over the same copies: both are near mean field, one much nearer."""
    seen, _ = expected(CASES, 1, steps=100, every=100)
    found = run(CASES, 1, rng(), copies=20_000, steps=100, every=100)
    assert abs(found[0, 0, 1] / seen[0, 0, 1] - 1) < 0.1
    draws = rng().standard_normal((128, 20_000))  # blocks are of whole words of 64 steps
    x, m, v = np.full(20_000, 0.4), np.zeros(20_000), np.zeros(20_000)
    for noise in draws[:100]:
        g = x + noise
        m = 0.8 * m + 0.2 * g
        x, v = x - 0.1 * m / (np.sqrt(v) + 0.5), 0.9 * v + 0.1 * g * g
    for k, one in enumerate((x, x * x, v)):
        assert abs(found[0, 0, k] - one.mean()) < 5 * one.std() / 20_000**0.5


def test_a_case_sees_the_same_noise_alone():
    given = {"copies": 5, "steps": 40, "every": 40}
    whole, alone = run(CASES, 1, rng(), **given), run(CASES[1:2], 1, rng(), **given)
    assert np.array_equal(whole[1:2], alone)


@pytest.mark.parametrize(("change", "words"), [({"every": 7}, "divide"), ({"backend": "abacus"}, "must be one of")])
def test_what_cannot_be_run_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        run(CASES, 1, rng(), **{"copies": 2, "steps": 40, "every": 40} | change)
