"""Cells in a stack: leaving changes no outcome and no neighbour's bits."""

import math

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.backends.array_kernel import ArrayKernel
from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel
from lemmascope.sims.cubic_cnn.backends.kernel import Start
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.stack import MEASURED, STEADY, CellStack
from lemmascope.sims.schedule import Every
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import MomentumAverage

NAMES = list(MEASURED)
CELLS = [(eta, gamma) for eta in (0.1, 0.5, 2.0, 8.0) for gamma in (0.0, 0.9, 0.99, 0.998)]


def stack(parameters, backend="compiled", dtype="float64"):
    rng = streams(0, "test", 0)
    drawn = LawProblem(parameters, "exact").draw(rng).projection()
    return CellStack(drawn, parameters, streams(0, "test", 0), backend=backend, dtype=dtype)


def last(cells, reach=600.0):
    return [math.ceil(max(reach / eta, 5 / (1 - gamma))) for eta, gamma in cells]


def column(found, name):
    return found[:, NAMES.index(name)]


def test_leaving_is_as_never_leaving(learning):
    cells = stack(learning())
    left, stayed = (cells.run(CELLS, last(CELLS), leave=leave) for leave in (True, False))
    assert (column(left, "fate") == 1).sum() > 8
    assert column(left, "iterations").sum() < column(stayed, "iterations").sum() / 2
    a, b = column(left, "small"), column(stayed, "small")
    # What is fitted goes on drifting with the logarithm of time: ten times the threshold over a factor of ten.
    np.testing.assert_array_less(np.abs(a - b), 10 * STEADY)
    np.testing.assert_array_equal(a > 0.75, b > 0.75)
    np.testing.assert_array_equal(column(left, "T_0"), column(stayed, "T_0"))


def test_neighbours_change_no_bit(learning):
    cells = stack(learning())
    together = cells.run(CELLS, last(CELLS))
    order = list(range(len(CELLS)))[::-1]
    turned = cells.run([CELLS[k] for k in order], [last(CELLS)[k] for k in order])
    # The looks at which a cell is measured come when any cell is looked at, so the same cells meet the same looks.
    np.testing.assert_array_equal(turned, together[order])


def test_backends_agree(tiny):
    found = [stack(tiny(N=16, d=60), backend).run(CELLS[:6], last(CELLS[:6], 100)) for backend in ("compiled", "numpy")]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-7, atol=1e-9)


def test_what_is_measured_is_what_simulate_records(tiny):
    p = tiny(N=16, d=60)
    eta, gamma, T = 0.5, 0.9, 300
    found = dict(zip(NAMES, stack(p).run([(eta, gamma)], [T], leave=False)[0], strict=True))
    run = simulate(
        LawProblem(p, "exact"),
        {"it": MomentumAverage(eta, gamma)},
        iterations=T,
        study="test",
        record=Every(T),
        audit=False,
    ).isel(seed=0, optimizer=0, iteration=-1)
    assert found["iterations"] == T
    for name, value in (
        ("c_max", run.c.max()),
        ("Xi_abs_max", run.Xi_abs_max.max()),
        ("T_0", run.T_0),
        ("small", run.test_accuracy.sel(margin="small")),
        ("nu", run.nu.sum()),
        ("large", run.test_accuracy.sel(margin="large")),
    ):
        np.testing.assert_allclose(found[name], float(value), rtol=1e-10, err_msg=name)


def test_a_cell_that_diverges_leaves_and_harms_nobody(tiny):
    p = tiny(N=16, d=60, lam=1.0)
    cells = stack(p)
    wild = cells.run([(0.1, 0.0), (1e5, 0.0), (0.1, 0.5)], [200, 200, 200])
    calm = cells.run([(0.1, 0.0), (0.1, 0.5)], [200, 200])
    assert wild[1, NAMES.index("fate")] == 2
    assert np.isnan(wild[1, NAMES.index("small")])
    assert 0 < wild[1, NAMES.index("iterations")] < 200
    np.testing.assert_array_equal(wild[[0, 2]], calm)


def test_it_can_be_stopped_and_refuses_other_backends(tiny):
    with pytest.raises(KeyboardInterrupt):
        stack(tiny()).run(CELLS, last(CELLS), stopped=lambda: True)
    with pytest.raises(InputError, match="stacked"):
        stack(tiny(), "cupy")


@pytest.mark.parametrize("kind", [CompiledKernel, ArrayKernel])
def test_kept_members_go_on_as_if_alone(tiny, kind):
    p = tiny(N=14, d=60)
    drawn = LawProblem(p, "exact").draw(streams(0, "kernel", 0)).projection()
    names = ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
    system = CoefficientSystem(
        **{name: np.asarray(getattr(drawn, name))[None] for name in names}, lam=0.0, has_feature=True, of_the_law=True
    )

    def kernel(count):
        return kind(
            system,
            Start(
                small=drawn.small[None],
                c_threshold=0.25,
                memorization_threshold=0.5,
                gradient_factor=1.0,
                last=10**6,
                trace=False,
                count=count,
                dtype="float64",
            ),
        )

    nothing = np.zeros(0, np.int64)
    rates = np.array([[0.9, 0.1, eta, 0.0] for eta in (0.1, 0.3, 0.5, 0.7, 0.9)])
    many, few = kernel(5), kernel(2)
    many.advance(0, 40, rates, nothing)
    many.keep([3, 1])
    many.advance(40, 90, rates[[3, 1]], nothing)
    few.advance(0, 90, rates[[3, 1]], nothing)
    for a, b in zip(many.state(), few.state(), strict=True):
        if kind is CompiledKernel:
            np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(many.watched().T_0, few.watched().T_0)
    assert np.isfinite(many.watched().T_0).all()
