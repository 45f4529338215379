"""A record is written, read and rendered; what falls short says why, from its numbers."""

import json
import math
import os

import pytest

from lemmascope.benchmarks import machine as bench_machine
from lemmascope.benchmarks import record as records
from lemmascope.benchmarks import tables, works
from lemmascope.benchmarks.growth import Growth, Study
from lemmascope.benchmarks.limits import Limits
from lemmascope.benchmarks.machine import Others, file_name, machine
from lemmascope.benchmarks.measure import Timing
from lemmascope.benchmarks.protocol import Cost
from lemmascope.theory.cubic_cnn.parameters import HEADLINE

WORKS = {work.name: work for work in works.find(["A", "H", "P", "Q"])}
LIMITS = Limits({"float64": 1e11, "float32": 2e11}, ((1e5, 1e11), (1e8, 1e10)))
MACHINE = {
    "processor": "Imagined(R) CPU @ 2.0GHz",
    "cores": 2,
    "device": None,
    "system": "Linux",
    "versions": {"python": "3.11.7", "numpy": "2.4"},
}


def timing(name, ms, peer=False, refused=None, flops=1e8, size=1e5):
    """1e8 operations take 1 ms at the limit."""
    found = Timing(name, "jax" if peer else "", "one product", Cost(flops, size, size), refused=refused)
    if refused is None:
        found.rounds, found.difference, found.iterations = [1e-3 * ms * f for f in (0.9, 1, 1.1, 1, 1)], 1e-15, 8
        found.prepare = found.compile = 0.0
    return found


def made(work="A", own=2.0, peer=20.0, others=None, grown=True, **of_own):
    timings = [timing("ours", own, **of_own), timing("slow ours", 9 * own), timing("theirs", peer, peer=True)]
    growth = Growth(Study("d", "0", (10, 1000), HEADLINE), ((10, 1e-4), (1000, 1.1e-4)), 0.02, 0.01)
    return records.make([records.Measured(WORKS[work], timings, others)], LIMITS, [growth] if grown else [], MACHINE)


def test_the_record_holds_every_round_and_is_json(tmp_path):
    record = made()
    path = tmp_path / "a.json"
    with records.output(path) as output:
        output.json(record)
    assert records.read(path) == json.loads(json.dumps(record))
    row = record["rows"][0]["implementations"][0]
    assert len(row["rounds_ms"]) == 5
    assert row["median_ms"] == pytest.approx(2.0)
    assert (row["limit_ms"], row["limited_by"]) == (pytest.approx(1.0), "product rate")
    assert row["of_limit"] == pytest.approx(0.5)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="not a record"):
        records.read(path)


def test_the_fastest_of_each_side_is_compared():
    s = tables.summary(made()["rows"][0])
    assert (s.own["name"], s.peer["name"], s.ratio) == ("ours", "theirs", pytest.approx(10.0))
    assert tables.reason(made()["rows"][0]) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peer": 12.0}, "50% of its limit (product rate), the best peer at 8.3% of its own; 12 × is possible"),
        ({"peer": 4.0, "own": 1.25}, "80% of its limit (product rate); at the limit itself the ratio would be 4"),
        ({"work": "P", "own": 5.0, "peer": 50.0}, "20% of the product rate, not 50%"),
        ({"refused": "it is off"}, "at 5.6%"),
    ],
)
def test_what_falls_short_says_why(changes, said):
    row = made(**changes)["rows"][0]
    assert said in tables.reason(row)
    assert "✗" in tables.table(made(**changes))


def test_a_row_without_peers_says_what_to_install():
    absent = timing("theirs", math.nan, peer=True, refused="jax is not installed: pip install 'lemmascope[peers]'")
    row = records.make([records.Measured(WORKS["A"], [timing("ours", 1.0), absent])], LIMITS, [], MACHINE)
    assert "pip install 'lemmascope[peers]'" in tables.table(row)


def test_the_tables():
    record = made()
    lines = tables.table(record).splitlines()
    assert lines[2] == (
        "| A | m = 10, N = 100, P = 3, d = 500; one seed | 2.00 (ours) | 20.0 (theirs) | ✓ 10 × (10 … 10) | 7 × "
        "| 50% of the product rate |  |"
    )
    assert "100 Gflop/s (float64)" in lines[-1]
    assert "10 GB/s from memory, 100 from cache" in lines[-1]
    assert "| d | 10 … 1000 | 0.100 … 0.110 | 0.02 ± 0.01 | 0 |" in tables.growth_table(record)


@pytest.mark.parametrize(("x", "text"), [(0.01234, "0.0123"), (1.0, "1.00"), (56.78, "56.8"), (1234.0, "1234")])
def test_milliseconds_have_three_digits(x, text):
    assert tables.milliseconds(x) == text


def test_the_limit_is_the_larger_of_products_and_traffic():
    assert LIMITS.least_seconds(Cost(1e8, 1e6, 1e5)) == (pytest.approx(1e-3), "product rate")
    assert LIMITS.least_seconds(Cost(1e8, 1e8, 1e8)) == (pytest.approx(1e-2), "bandwidth")
    assert LIMITS.bandwidth_at(1e5 * 1e3**0.5) == pytest.approx(1e11 * 10**-0.5)
    assert LIMITS.bandwidth_at(1.0) == pytest.approx(1e11)
    assert LIMITS.bandwidth_at(1e12) == pytest.approx(1e10)


def test_a_disturbed_measurement_of_a_small_size_is_mended():
    disturbed = Limits(LIMITS.product_rate, ((1e4, 1e9), *LIMITS.bandwidth))
    assert disturbed.bandwidth_at(1e4) == pytest.approx(1e11)
    assert disturbed.best_with(disturbed) == disturbed


def test_the_machine_gives_a_plain_file_name():
    assert file_name(MACHINE) == "imagined-cpu-2-0ghz-2-cores"
    assert file_name({**MACHINE, "device": "NVIDIA H200"}) == "imagined-cpu-2-0ghz-2-cores-nvidia-h200"
    found = machine()
    assert found["cores"] >= 1
    assert found["versions"]["numpy"]


def test_each_row_keeps_the_session_that_it_was_measured_in():
    old = made("A", others=0.5)
    both = records.merged(old, made("Q", others=0.25, grown=False), ["A", "H", "Q"])
    assert [(row["work"], row["session"]) for row in both["rows"]] == [("A", 0), ("Q", 1)]
    assert both["rows"][0] == old["rows"][0]
    assert [one["session"] for one in both["growth"]] == [0]
    lines = tables.table(both).splitlines()
    assert lines[-2].startswith("- A: Imagined")
    assert "other programs had up to 50% of the processors" in lines[-2]
    assert lines[-1].startswith("- Q: Imagined")
    assert "up to 25%" in lines[-1]
    assert old == made("A", others=0.5)


def test_a_row_that_is_measured_again_takes_its_place():
    old = records.merged(made("Q"), made("A", grown=False), ["A", "Q"])
    assert [row["work"] for row in old["rows"]] == ["A", "Q"]
    new = records.merged(old, made("A", own=1.0, grown=False), ["A", "Q"])
    assert [row["implementations"][0]["median_ms"] for row in new["rows"]] == [pytest.approx(1.0), pytest.approx(2.0)]
    assert len(new["sessions"]) == 2  # the one of the first A is gone
    assert [row["session"] for row in new["rows"]] == [1, 0]


def test_rows_that_are_no_more_go_with_their_session():
    found = records.merged(made("A", grown=False), made("Q"), ["Q"])
    assert [(row["work"], row["session"]) for row in found["rows"]] == [("Q", 0)]
    assert [one["session"] for one in found["growth"]] == [0]
    assert len(found["sessions"]) == 1


def test_the_ratio_is_also_given_by_round():
    record = made()
    ours, _, theirs = record["rows"][0]["implementations"]
    theirs["rounds_ms"] = [10 * x for x in reversed(ours["rounds_ms"])]
    s = tables.summary(record["rows"][0])
    assert (s.least, s.most) == (pytest.approx(9.0), pytest.approx(10 / 0.9))


def test_others_are_what_the_cores_did_less_what_this_process_did(monkeypatch):
    now, rest = [0.0], [100.0]
    monkeypatch.setattr(bench_machine.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(bench_machine.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(bench_machine, "_rest", lambda: rest[0])
    others = Others()
    now[0], rest[0] = 10.0, 105.0
    assert others.share == pytest.approx(0.25)
    rest[0] = None
    assert others.share is None


def test_what_this_process_does_is_not_of_others(tmp_path):
    """Three seconds of others in the kernel's counters, idle and waiting left out."""
    stat = tmp_path / "stat"
    ticks = round((sum(os.times()[:4]) + 3) * os.sysconf("SC_CLK_TCK"))
    stat.write_text(f"cpu  {ticks} 0 0 999999 888888 0 0 0 0 0\ncpu0 1 2 3\n", encoding="ascii")
    before = sum(os.times()[:4])
    found = bench_machine._rest(stat)
    after = sum(os.times()[:4])
    assert found is not None
    assert ticks / os.sysconf("SC_CLK_TCK") - after <= found <= ticks / os.sysconf("SC_CLK_TCK") - before
    assert bench_machine._rest(tmp_path / "nothing") is None
