"""Random streams: named by axes, independent of each other and of the order of drawing."""

import itertools

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError

AXES = list(itertools.product((0, 1), ("headline", "scaling"), (0, 1, 2), ("noise", "weights", "labels")))


def test_each_axis_has_a_stream_of_its_own():
    first = {axes: streams(*axes[:3])(axes[3]).integers(0, 2**63) for axes in AXES}
    assert len(set(first.values())) == len(AXES)


def test_the_same_axes_give_the_same_stream():
    for root, study, index, what in AXES:
        a, b = (streams(root, study, index)(what).standard_normal(5) for _ in range(2))
        assert np.array_equal(a, b)


def test_the_order_of_drawing_does_not_matter():
    names = ["noise", "weights", "labels", "margins"]
    forward, backward = streams(0, "s", 0), streams(0, "s", 0)
    a = {name: forward(name).standard_normal(3) for name in names}
    b = {name: backward(name).standard_normal(3) for name in reversed(names)}
    assert all(np.array_equal(a[name], b[name]) for name in names)


def test_drawing_something_new_changes_nothing_else():
    plain, busy = streams(0, "s", 0), streams(0, "s", 0)
    for name in ("something new", "something else"):
        busy(name).standard_normal(1000)
    assert np.array_equal(plain("noise").standard_normal(9), busy("noise").standard_normal(9))


def test_streams_ask_nothing_of_the_global_generator():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    streams(0, "s", 0)("noise").standard_normal(100)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_neighbouring_streams_are_uncorrelated():
    """Of 36 pairs of 20 000 draws, |correlation| stays below 5/√20 000 (beyond five standard errors)."""
    draws = [
        streams(root, "s", k)(what).standard_normal(20_000)
        for root, k, what in itertools.product((0, 1), (0, 1), ("noise", "weights"))
    ]
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(correlations).max() < 5 / 20_000**0.5


def test_more_neurons_leave_the_data_alone_and_more_samples_leave_the_weights(tiny):
    few, many = (LawProblem(tiny(m=m)).draw(streams(3, "s", 1)) for m in (4, 7))
    assert np.array_equal(few.sample.X, many.sample.X)
    assert np.array_equal(few.sample.y, many.sample.y)
    other = LawProblem(tiny(N=20)).draw(streams(3, "s", 1))
    assert np.array_equal(few.W_0, other.W_0)
    assert np.array_equal(few.sample.w_star, other.sample.w_star)


@pytest.mark.parametrize(("root", "index", "field"), [(-1, 0, "root_seed"), (0.5, 0, "root_seed"), (0, -1, "seed")])
def test_a_bad_axis_is_refused(root, index, field):
    with pytest.raises(InputError, match=field):
        streams(root, "s", index)
