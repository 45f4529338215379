"""The compiled backend as the benchmark runs it: the reference's trajectories, from the start each time."""

import shutil

import numpy as np
import pytest
from emulated import Emulated

from lemmascope.benchmarks import works
from lemmascope.benchmarks.cubic_cnn.compiled import OWN, Compiled, time_compiled
from lemmascope.benchmarks.cubic_cnn.on_device import DEVICE, OnDevice
from lemmascope.benchmarks.cubic_cnn.own import Reference
from lemmascope.benchmarks.cubic_cnn.work import RECORDED
from lemmascope.benchmarks.measure import compare, measure_work
from lemmascope.benchmarks.protocol import TOLERANCE
from lemmascope.benchmarks.record import documents, saved

WORKS = {work.name: work for work in works.find()}


@pytest.mark.parametrize("name", ["A", "D", "H", "P"])
def test_it_agrees_with_the_reference_and_starts_anew_each_time(name):
    work = WORKS[name].small()
    inputs = work.draw()
    expected = Reference().prepare(inputs)(40)
    run = Compiled(cores=2).prepare(inputs)
    for _ in range(2):
        difference, quantity = compare(run(40), expected, RECORDED)
        assert difference < TOLERANCE, quantity
    assert compare(run(17), expected[:, :, :17], RECORDED)[0] < TOLERANCE
    assert np.array_equal(Compiled(cores=1).prepare(inputs)(40), run(40))


def test_weight_space_agrees_too():
    work = WORKS["B"].small(divisor=5)
    run = Compiled().prepare(work.draw())
    assert run.chosen == Compiled().representation(work)
    assert compare(run(40), Reference("weights").prepare(work.draw())(40), RECORDED)[0] < TOLERANCE


def test_the_row_for_a_device_says_why_it_is_not_measured(monkeypatch):
    monkeypatch.setattr(OnDevice, "available", lambda self: "there is none")
    work = WORKS["G"]
    monkeypatch.setattr(type(work), "draw", lambda *_: pytest.fail("nothing can use them"))
    (timing,) = measure_work(work, [OnDevice()])
    assert timing.refused == "there is none"
    assert timing.cost.flops == 2 * 1024 * 200**2 * 10
    assert [one.library for one in DEVICE] == [""] + ["jax"] * 4
    assert work.implementations == DEVICE
    assert work.on_device
    assert not WORKS["D"].on_device


@pytest.mark.parametrize("name", ["G", "GP"])
def test_the_kernel_of_the_device_agrees_where_it_is_emulated(name, tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no g++ to compile the emulator with")
    work = WORKS[name].small(divisor=20)
    inputs = work.draw()
    expected = Reference().prepare(inputs)(20)
    run = OnDevice(Emulated(tmp_path), threads=64).prepare(inputs)
    for _ in range(2):
        assert compare(run(20), expected, RECORDED)[0] < TOLERANCE


def test_the_reference_comes_first():
    """What stands first is what the others are held to."""
    assert isinstance(OWN[0], Reference)
    assert any(isinstance(one, Compiled) for one in OWN)


def test_a_time_is_seconds_of_an_iteration():
    took = time_compiled(WORKS["A"].parameters, "samples", 2, ((0.1, 0.9), (0.1, 0.0)), 8, 1)
    assert 0 < took < 10


def test_the_documents_are_those_of_the_saved_records():
    if not saved():
        pytest.skip("no record is committed")
    for path, text in documents().items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m lemmascope.benchmarks.record`"
        assert sum(f"<!-- begin {name} -->" in text for name in ("speed", "growth")) == 1
