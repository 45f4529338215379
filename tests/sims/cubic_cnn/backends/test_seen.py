"""What a certificate sees of a compiled run is what it sees of one on arrays."""

from dataclasses import fields, replace

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.backends.array_kernel import ArrayKernel
from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel
from lemmascope.sims.cubic_cnn.backends.kernel import Start
from lemmascope.sims.cubic_cnn.backends.seen import _sums, nothing_yet
from lemmascope.sims.cubic_cnn.backends.segments import rates_of
from lemmascope.sims.cubic_cnn.certificate.problem import certifiable
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.certificate.window import Window
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov, PiecewiseConstant

SMALL = replace(HEADLINE, d=37, N=20, P=3, m=3, alpha=3.0, mu=0.3)
OPTIMIZERS = [GD(0.2), MomentumAverage(PiecewiseConstant((0, 5), (0.3, 0.1)), 0.9), Nesterov(0.02, 0.8)]
LAST = 12


def seen(kernel, cut=7):
    """Of the second of two calls."""
    nothing = np.zeros(0, np.int64)
    kernel.advance(0, cut, rates_of(OPTIMIZERS, 0, cut), nothing)
    return kernel.advance(cut, LAST + 1, rates_of(OPTIMIZERS, cut, LAST + 1), nothing).seen


def started(in_weights, lam, **changes):
    drawn = LawProblem(replace(SMALL, lam=lam)).draw(streams(0, "seen", 1))
    problem = certifiable(drawn, lam, in_weights=in_weights)
    start = Start(
        small=np.asarray(drawn.projection().small)[None],
        c_threshold=None,
        memorization_threshold=None,
        gradient_factor=1.0,
        last=LAST,
        trace=False,
        count=len(OPTIMIZERS),
        dtype="float64",
        data=problem.data,
    )
    return problem.system, replace(start, **changes)


@pytest.mark.parametrize("in_weights", [False, True])
@pytest.mark.parametrize("lam", [0.0, 0.05])
def test_compiled_as_on_arrays(in_weights, lam):
    """Each entry, to rounding."""
    system, start = started(in_weights, lam)
    on_arrays = seen(ArrayKernel(system, start))
    for found, expected in zip(seen(CompiledKernel(system, start)), on_arrays, strict=True):
        for name in ("c_max", "memorization_min"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)
        for field in fields(Window):
            x, y = (np.asarray(getattr(one.window, field.name)) for one in (found, expected))
            if field.name in ("u", "u_b"):  # of rows, each at its own time: more than of all at one
                assert y <= x * (1 + 1e-9)
                assert x <= 1.5 * y
                continue
            np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-13, err_msg=field.name)


def test_no_weight_is_lost_where_all_is_wrong():
    """Of a computed ℓ = 1, ℓ(1 − ℓ) is not 0: as on arrays."""
    _, start = started(False, 0.0)
    out, N = np.zeros(4), start.data.y.size
    maxima = nothing_yet(1, 3, start.data.x.size, 1, start.data)
    _sums(maxima, np.ones(N), np.ones(N), np.ones(start.data.x.size), np.ones(start.data.x.size), out)
    assert out[1] >= 2.0**-53 * np.sum(maxima.sixth)
    assert out[2] >= 2.0**-53
    assert out[3] >= 2.0**-53 * np.sum(start.data.x**2)


@pytest.mark.parametrize("in_weights", [False, True])
def test_no_team_sees_another_thing(in_weights):
    system, start = started(in_weights, 0.01)
    alone, together = (seen(CompiledKernel(system, start, team)) for team in (1, 3))
    for one, other in zip(alone, together, strict=True):
        for field in fields(Window):
            assert np.array_equal(getattr(one.window, field.name), getattr(other.window, field.name)), field.name


@pytest.mark.parametrize("in_weights", [False, True])
def test_to_be_looked_at_changes_no_bit(in_weights):
    system, start = started(in_weights, 0.0)
    ends = []
    for data in (start.data, None):
        kernel = CompiledKernel(system, replace(start, data=data))
        kernel.advance(0, LAST, rates_of(OPTIMIZERS, 0, LAST), np.zeros(0, np.int64))
        ends.append(kernel.state())
    assert all(np.array_equal(a, b) for a, b in zip(*ends, strict=True))
