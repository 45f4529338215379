"""The measurement refuses what disagrees, takes turns, and needs no clock to be tested."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from lemmascope.benchmarks import measure, works
from lemmascope.benchmarks.cubic_cnn.compiled import OWN
from lemmascope.benchmarks.cubic_cnn.own import Reference
from lemmascope.benchmarks.cubic_cnn.work import RECORDED
from lemmascope.benchmarks.measure import compare, measure_work
from lemmascope.benchmarks.protocol import TOLERANCE, Cost, Run
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.optimizers import MomentumAverage


@dataclass
class Planted:
    """The reference with an error in one quantity, or another fault."""

    name: str
    factor: float = 1.0
    absent: str | None = None
    fails: bool = False
    turns: list[Any] = field(default_factory=list)
    library: str = "planted"
    formulation: str = "none"

    def available(self):
        return self.absent

    def cost(self, work):
        return Cost(1.0, 1.0, 1.0)

    def prepare(self, inputs):
        right = Reference().prepare(inputs)

        def run(iterations):
            if self.fails:
                raise RuntimeError("no such device\nand more")
            self.turns.append((self.name, iterations))
            found = right(iterations)
            found[..., -1, 3] *= self.factor
            return found

        return Run(run)


@pytest.mark.parametrize("reference", OWN[:2], ids=lambda r: r.representation)
def test_the_reference_is_what_simulate_records(tiny, drawn, reference):
    found = reference.prepare(drawn)(tiny.iterations)
    optimizers = {str(i): MomentumAverage(*cell) for i, cell in enumerate(tiny.cells)}
    run = simulate(
        LawProblem(tiny.parameters),
        optimizers,
        iterations=tiny.iterations - 1,
        seeds=tiny.seeds,
        study="bench",
        record=Every(1),
        representation="weights",
        audit=False,
    )
    dims = ("seed", "optimizer", "iteration")
    expected = np.stack(
        [
            run.loss.sum("margin").transpose(*dims),
            run.nu.sel(margin="large").transpose(*dims),
            run.nu.sel(margin="small").transpose(*dims),
            run.c.max("neuron").transpose(*dims),
            run.Xi_abs_max.max("margin").transpose(*dims),
        ],
        axis=-1,
    )
    assert compare(found, expected, RECORDED)[0] <= TOLERANCE


def test_the_difference_is_relative_to_the_run():
    expected = np.ones((2, 3, 10, 5))
    found = expected.copy()
    found[1, 2, 4, 3] += 1e-6
    assert compare(found, expected, RECORDED) == (pytest.approx(1e-6), "c_max")
    assert compare(1e-30 * found, 1e-30 * expected, RECORDED) == (pytest.approx(1e-6), "c_max")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_finite_on_one_side_differs_by_infinity(bad):
    expected, found = np.ones((1, 1, 4, 5)), np.ones((1, 1, 4, 5))
    found[0, 0, 2, 4] = bad
    assert compare(found, expected, RECORDED) == (math.inf, "Xi_abs_max")
    assert compare(expected, found, RECORDED) == (math.inf, "Xi_abs_max")
    assert compare(found, found, RECORDED)[0] == 0


def test_another_shape_differs_by_infinity():
    assert compare(np.ones((1, 1, 3, 5)), np.ones((1, 1, 4, 5)), RECORDED)[0] == math.inf


@pytest.mark.parametrize(("factor", "admitted"), [(1 + 1e-12, True), (1 + 1e-7, False), (math.nan, False)])
def test_what_disagrees_is_not_timed(tiny, factor, admitted):
    found = measure_work(tiny, [Reference(), Planted("planted", factor)], rounds=5, seconds=0.0, rest=0.0)
    assert len(found[0].rounds) == 5
    assert (found[1].refused is None) == admitted
    assert len(found[1].rounds) == (5 if admitted else 0)
    if not admitted:
        assert "c_max" in found[1].refused


def test_what_is_absent_or_fails_is_said(tiny):
    others = [Planted("absent", absent="install it"), Planted("broken", fails=True)]
    found = measure_work(tiny, [Reference(), *others], seconds=0.0, rest=0.0)
    assert [t.refused for t in found] == [None, "install it", "it failed: RuntimeError: no such device"]
    assert math.isnan(found[2].seconds)


def test_rounds_take_turns(tiny, monkeypatch):
    turns: list[Any] = []
    implementations = [Planted(name, turns=turns) for name in "abc"]
    monkeypatch.setattr(measure, "FIRST", 8)
    found = measure_work(tiny, implementations, rounds=5, seconds=0.0, rest=0.0)
    order = [name for name, _ in turns[-15:]]
    assert ["".join(order[i : i + 3]) for i in range(0, 15, 3)] == ["abc", "bca", "cab", "abc", "bca"]
    assert all(len(t.rounds) == 5 and t.seconds > 0 and t.iterations == 8 for t in found)


def test_a_round_is_long_enough_by_its_iterations(tiny, monkeypatch):
    """A clock that advances by a tenth of a second an iteration, and by a second when code is compiled."""
    now = [0.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    @dataclass
    class Clocked(Planted):
        def prepare(self, inputs):
            right, compiled = super().prepare(inputs), []

            def run(iterations):
                now[0] += 0.1 * iterations + (0.0 if compiled else 1.0)
                compiled.append(True)
                return right(iterations)

            return Run(run)

    (found,) = measure_work(tiny, [Clocked("clocked")], rounds=6, seconds=2.0, rest=0.0)
    assert found.compile == pytest.approx(1.0)
    assert found.iterations == 24
    assert found.rounds == pytest.approx([0.1] * 6)


def test_the_costs_count_one_product_or_two():
    (work,) = works.find("A")
    assert Reference("coefficients").cost(work).flops == 2 * 200**2 * 10
    assert Reference("weights").cost(work).flops == 4 * 300 * 500 * 10
    assert len(RECORDED) == 5
