"""Recording schedules: which iterations, and that looking less often changes nothing of what is seen."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every, Logarithmic, recorded
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 500))
def test_every_k(k, last):
    times = Every(k).iterations(last)
    assert times[0] == 0
    assert times[-1] == last
    assert set(times) == {*range(0, last + 1, k), last}
    assert np.all(np.diff(times) > 0)


@settings(deadline=None)
@given(st.integers(2, 300), st.integers(1, 100_000))
@example(200, 40_000)
@example(200, 199)
@example(200, 200)
@example(2, 1)
def test_logarithmic(points, last):
    times = Logarithmic(points).iterations(last)
    gaps = np.diff(times)
    assert times[0] == 0
    assert times[-1] == last
    assert np.all(gaps > 0)
    assert min(points, last + 1) <= times.size <= min(last + 1, 2 * points)
    assert np.all(np.diff(gaps) >= -1)  # ever sparser, to the rounding of a grid point


@pytest.mark.parametrize("bad", [0, -3, 1.5, True, "2"])
def test_bad_steps_are_refused(bad):
    with pytest.raises(InputError, match="every"):
        Every(bad)
    with pytest.raises(InputError, match="log_points"):
        Logarithmic(bad)


class Own:
    """A user's own schedule."""

    def __init__(self, times):
        self.times = times

    def iterations(self, last):
        return self.times


def test_a_users_own_schedule_gains_its_ends(tiny):
    run = simulate(tiny(), {"GD": GD(0.1)}, iterations=20, record=Own([3, 7, 7]), audit=False)
    assert run.iteration.values.tolist() == [0, 3, 7, 20]


@pytest.mark.parametrize("times", [[-1, 5], [0, 21], [0.5], [[1, 2]]])
def test_a_schedule_outside_the_run_is_refused(times):
    with pytest.raises(InputError, match="record"):
        recorded(Own(times), 20)


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("sparse", [Every(7), Logarithmic(12), Every(1000)], ids=repr)
def test_a_sparser_schedule_records_the_same_bits(tiny, difference, representation, sparse):
    def run(record):
        return simulate(
            tiny(P=3),
            {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)},
            iterations=60,
            seeds=2,
            record=record,
            representation=representation,
            whole_Xi=True,
        )

    dense, thin = run(Every(1)), run(sparse)
    assert dense.sizes["iteration"] == 61
    assert difference(dense.sel(iteration=thin.iteration), thin) == []
