"""The works are those of the table, and their data are those of the law."""

import numpy as np
import pytest

from lemmascope.benchmarks import works
from lemmascope.benchmarks.works.cubic_cnn import ROWS
from lemmascope.theory.cubic_cnn.parameters import HEADLINE

WORKS = {work.name: work for work in works.find()}
TABLE = {
    "A": ((10, 100, 3, 500), 1, 1, 7),
    "B": ((10, 500, 5, 1000), 1, 1, 1.5),
    "C": ((20, 1000, 5, 4000), 1, 1, 2),
    "D": ((10, 100, 3, 500), 64, 1, 8),
    "E": ((10, 200, 2, 20_000), 1, 1, 150),
    "H": ((10, 400, 2, 500), 5, 2, 3),
    "P": ((10, 400, 2, 500), 1, 144, 3),
    "G": ((10, 100, 3, 500), 1024, 1, 10),
    "GP": ((10, 400, 2, 500), 1024, 144, 10),
}


def test_every_row_is_there():
    assert {*TABLE, "HC"} == set(ROWS) < set(WORKS)


def test_the_certified_run_is_held_to_the_same_without():
    work = WORKS["HC"]
    assert work.parameters == HEADLINE
    assert [way.library for way in work.implementations] == ["", "numba"]
    small = work.small()
    certified, without = (way.prepare(small.draw(1))(4) for way in small.implementations)
    assert certified.shape == (1, 2, 1, 2)
    assert np.array_equal(certified, without)


@pytest.mark.parametrize("name", TABLE)
def test_a_row_has_its_sizes(name):
    work, p = WORKS[name], WORKS[name].parameters
    sizes, seeds, cells, at_least = TABLE[name]
    assert ((p.m, p.N, p.P, p.d), work.seeds, len(work.cells), work.at_least) == (sizes, seeds, cells, at_least)
    law = ("alpha", "beta", "mu", "sigma", "sigma_0", "lam")
    assert [getattr(p, field) for field in law] == [getattr(HEADLINE, field) for field in law]


def test_the_central_experiment_is_gd_and_momentum():
    assert WORKS["H"].parameters == WORKS["P"].parameters == HEADLINE
    assert WORKS["H"].cells == ((0.1, 0.0), (0.1, 0.999))


def test_the_plane_is_a_grid_of_twelve_by_twelve():
    eta, gamma = np.array(WORKS["P"].cells).T
    assert len(set(eta)) == len(set(gamma)) == 12
    assert (eta.min(), eta.max()) == pytest.approx((0.02, 1.0))
    assert (gamma.min(), gamma.max()) == pytest.approx((0.0, 1 - 1e-4))
    assert WORKS["P"].iterations == 500
    assert WORKS["P"].rate_at_least == 0.5


def test_the_data_have_the_signal_first(tiny, drawn):
    S, A, m, N, P, d = drawn.shape
    assert (S, A, m, N, P, d) == (3, 2, 4, 15, 3, 60)
    for name, shape in {
        "noise": (S, N, P - 1, d),
        "strength": (S, N),
        "y": (S, N),
        "small": (S, N),
        "w_star": (S, d),
        "W_0": (S, m, d),
    }.items():
        assert getattr(drawn, name).shape == shape, name
    np.testing.assert_allclose(drawn.X[:, :, 0, :], drawn.strength[..., None] * drawn.w_star[:, None, :], atol=1e-14)
    assert np.array_equal(drawn.X[:, :, 1:, :], drawn.noise)
    assert np.array_equal(np.abs(drawn.strength), np.where(drawn.small, HEADLINE.beta, HEADLINE.alpha))
    assert np.array_equal(tiny.draw().X, drawn.X)


@pytest.mark.parametrize("name", TABLE)
def test_a_small_work_is_of_the_same_kind(name):
    work, less = WORKS[name], WORKS[name].small()
    assert less.parameters.d < work.parameters.d
    assert (less.parameters.P, less.parameters.m) == (work.parameters.P, work.parameters.m)
    assert set(less.cells) <= set(work.cells)
