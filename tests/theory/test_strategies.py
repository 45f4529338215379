"""The strategies themselves: what they draw is valid, and the edges come up."""

import numpy as np
import pytest
import strategies as drawn
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from tolerances import assert_close

from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import FORMS, Optimizer, PiecewiseConstant

MANY = settings(max_examples=1000, database=None, derandomize=True, deadline=None, phases=[Phase.generate])


def reaches(strategy: st.SearchStrategy, what) -> bool:
    try:
        find(strategy, what, settings=MANY)
    except NoSuchExample:
        return False
    return True


@given(drawn.parameters())
def test_parameters_are_valid_and_small(p):
    assert Parameters.from_dict(p.to_dict()) == p
    assert p.n * p.d * p.m <= 30 * 51 * 4


@given(drawn.parameters(room=True, penalty=True))
def test_room_and_penalty_as_asked(p):
    assert p.lam > 0
    assert LawProblem(p, "exact").parameters is p


@given(drawn.parameters(penalty=False))
def test_no_penalty_as_asked(p):
    assert p.lam == 0


PARAMETER_EDGES = {
    "two samples": lambda p: p.N == 2,
    "many samples": lambda p: p.N == 10,
    "two patches": lambda p: p.P == 2,
    "more patches": lambda p: p.P == 4,
    "one neuron": lambda p: p.m == 1,
    "no penalty": lambda p: p.lam == 0,
    "penalty": lambda p: p.lam > 0,
    "fewest small margins": lambda p: p.mu * p.N == 1 and p.N > 2,
    "mostly small margins": lambda p: p.mu > 0.6,
    "fewer dimensions than patches": lambda p: p.d - 1 < p.n,
    "more dimensions than patches": lambda p: p.d - 1 > p.n,
    "separated margins": lambda p: p.alpha >= 10 * p.beta,
    "margins close together": lambda p: p.alpha < 2 * p.beta,
}


@pytest.mark.parametrize("edge", PARAMETER_EDGES)
def test_parameters_reach(edge):
    assert reaches(drawn.parameters(), PARAMETER_EDGES[edge])


def test_an_edge_out_of_reach_is_noticed():
    assert not reaches(drawn.optimizers(forms=("gd",)), OPTIMIZER_EDGES["no memory"])


@given(drawn.instances())
def test_instances_fit_their_parameters(instance):
    p, sample, W = instance
    assert sample.X.shape == (p.N, p.P, p.d)
    assert W.shape == (p.m, p.d)
    assert np.all(np.isfinite(sample.X))


@pytest.mark.parametrize("share", [0, 1])
def test_instances_reach_an_empty_group(share):
    assert reaches(drawn.instances(), lambda it: it.sample.small.mean() == share)


@given(drawn.patches())
def test_patches_are_accepted_as_own_data(own):
    problem = PatchProblem(own.X, own.y, m=own.W.shape[0], sigma_0=0.1, w_star=own.w_star, small=own.small)
    assert problem.d == own.W.shape[1]
    if own.w_star is not None:
        assert_close(own.w_star @ own.w_star, 1.0)


PATCH_EDGES = {
    "one sample": lambda own: len(own.y) == 1,
    "one patch": lambda own: own.X.shape[1] == 1,
    "one dimension": lambda own: own.X.shape[2] == 1,
    "all zero": lambda own: not own.X.any() and own.X.size > 3,
    "both labels": lambda own: len(set(own.y)) == 2,
    "feature unknown": lambda own: own.w_star is None,
    "feature and groups known": lambda own: own.w_star is not None and own.small is not None,
    "an empty group": lambda own: own.small is not None and len(own.small) > 2 and own.small.all(),
    "patches not orthogonal to the feature": lambda own: own.w_star is not None and abs(own.X @ own.w_star).max() > 0.5,
    "large responses": lambda own: abs(own.X @ own.W.T).max() > 3,
}


@pytest.mark.parametrize("edge", PATCH_EDGES)
def test_patches_reach(edge):
    assert reaches(drawn.patches(), PATCH_EDGES[edge])


@given(drawn.patches(feature=True))
def test_the_feature_is_known_as_asked(own):
    assert own.w_star is not None


@given(drawn.gradient_sequences(steps=7))
def test_gradients_are_finite_and_as_long_as_asked(gradients):
    assert 1 <= len(gradients) <= 7
    assert gradients.shape[1:] == (3,)
    assert np.all(np.isfinite(gradients))


@given(drawn.optimizers())
def test_optimizers_are_optimizers(optimizer):
    assert isinstance(optimizer, Optimizer)
    assert isinstance(optimizer, tuple(FORMS.values()))


OPTIMIZER_EDGES = {
    **{form: lambda it, kind=kind: isinstance(it, kind) for form, kind in FORMS.items()},
    "no memory": lambda it: getattr(it, "gamma", None) == 0,
    "long memory": lambda it: getattr(it, "gamma", 0) > 0.95,
    "a schedule of several phases": lambda it: isinstance(it.eta, PiecewiseConstant) and len(it.eta.values) > 2,
    "a schedule with momentum": lambda it: callable(it.eta) and getattr(it, "gamma", 0) > 0.5,
    "a constant rate": lambda it: isinstance(it.eta, float),
}


@pytest.mark.parametrize("edge", OPTIMIZER_EDGES)
def test_optimizers_reach(edge):
    assert reaches(drawn.optimizers(), OPTIMIZER_EDGES[edge])


@given(drawn.optimizers(forms=("gd", "nesterov"), scheduled=False))
def test_optimizers_as_asked(optimizer):
    assert type(optimizer).__name__ in ("GD", "Nesterov")
    assert not callable(optimizer.eta)


@given(drawn.tensor_powers())
def test_tensor_powers_are_valid(it):
    assert 0 < it.z_0 <= it.v
    assert 0 < it.a <= it.A
    assert all(it.a <= A_t <= it.A for A_t in it.steps)


@pytest.mark.parametrize(
    "edge",
    [lambda it: it.v == it.z_0, lambda it: it.v > 50 * it.z_0, lambda it: len(set(it.steps)) > 3],
    ids=["there from the start", "a long way", "changing steps"],
)
def test_tensor_powers_reach(edge):
    assert reaches(drawn.tensor_powers(), edge)
