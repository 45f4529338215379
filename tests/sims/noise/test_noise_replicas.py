"""Draws do not depend on batch or block; machine code is the arithmetic of theory."""

import array_api_strict
import numpy as np
import pytest

from lemmascope.sims.noise import draws
from lemmascope.sims.noise.draws import blocks, generators
from lemmascope.sims.noise.line import line_path
from lemmascope.sims.noise.replicas import run
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.valley import Curve, Line
from lemmascope.theory.optimizers import MomentumAverage, MomentumVelocity


def rngs(count, root=3):
    return generators(streams(root, "test", 0), "labels", count)


def drawn(count, steps, width, kind):
    return np.concatenate([some.copy() for _, some in blocks(rngs(count), steps, width, kind)], axis=1)


@pytest.mark.parametrize("kind", draws.KINDS)
def test_a_replicas_draws_are_its_own(kind, monkeypatch):
    whole = drawn(5, 300, 3, kind)
    monkeypatch.setattr(draws, "MOST", 64 * 3 * 2)
    assert np.array_equal(drawn(2, 130, 3, kind), whole[:2, :130])
    assert len({row.tobytes() for row in whole}) == 5


@pytest.mark.parametrize("kind", draws.KINDS)
def test_draws_have_mean_0_and_variance_1_and_know_nothing_of_each_other(kind):
    found = drawn(4, 50_000, 2, kind).astype(float).reshape(4, -1)
    n = found.shape[1]
    assert np.abs(found.mean(axis=1)).max() < 5 / n**0.5
    assert np.abs(found.var(axis=1) - 1).max() < 5 * (2 / n) ** 0.5
    correlations = np.corrcoef(found)[np.triu_indices(4, 1)]
    assert np.abs([*correlations, *((x[1:] * x[:-1]).mean() for x in found)]).max() < 5 / n**0.5


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="signs, normals"):
        next(blocks(rngs(1), 1, 1, "cauchy"))


@pytest.mark.parametrize("valley", [Line(1, 0.6), Line(3, 0.9, 2.0), Curve(0.3)], ids=["1", "3", "curve"])
def test_machine_code_is_the_reference_and_so_is_any_library(valley, monkeypatch):
    monkeypatch.setattr(draws, "MOST", 64)
    rules, rest = [(0.1, 0.0), (0.1, 0.8), (0.3, 0.5)], {"steps": 90, "every": 3}
    wanted = run(valley, rules, 0.9, rngs(4), backend="numpy", **rest)
    assert wanted.shape == (3, 4, 30)
    for found in (
        run(valley, rules, 0.9, rngs(4), **rest),
        run(valley, rules, 0.9, rngs(4), xp=array_api_strict, **rest),
    ):
        assert np.allclose(found, wanted, rtol=1e-11, atol=1e-12)
    alone = run(valley, rules[1:2], 0.9, rngs(2), **rest)
    assert np.allclose(alone, wanted[1:2, :2], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "words"), [({"steps": 10, "every": 3}, "divide"), ({"steps": 9, "backend": "x"}, "backend")]
)
def test_runs_that_cannot_be_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        run(Curve(), [(0.1, 0.0)], 0.1, rngs(1), **given)


@pytest.mark.parametrize("optimizer", [MomentumAverage(0.05, 0.8), MomentumVelocity(0.02, 0.7)])
def test_the_moments_path_is_the_same_in_machine_code(optimizer):
    path = line_path(optimizer, [0, 1, 40, 300], x=1.2, s=0.9, q=1.5)
    assert path[0].tolist() == [1.2, 0, 0, 0, 0]
    assert np.allclose(path, line_path(optimizer, [0, 1, 40, 300], x=1.2, s=0.9, q=1.5, backend="numpy"), rtol=1e-12)
    if isinstance(optimizer, MomentumVelocity):
        eta, beta = optimizer.eta, optimizer.gamma
        other = line_path(MomentumAverage(eta / (1 - beta), beta), [300], x=1.2, s=0.9, q=1.5)
        assert other[0, [0, 2]] == pytest.approx(path[-1, [0, 2]])
