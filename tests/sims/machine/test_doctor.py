"""`lemmascope doctor`: every line is there, and what is missing is said in a sentence."""

import json
import sys

import pytest
from click.testing import CliRunner

from lemmascope.cli import main as cli
from lemmascope.sims.cubic_cnn.backends.device import Device
from lemmascope.sims.machine import doctor, limits


def test_everything_is_looked_at():
    found = doctor.examine(measure=False)
    assert set(found) == {"software", "processor", "BLAS", "compiled backend", "GPU"}
    assert {"Python", "system", "numpy", "scipy", "numba", "lemmascope"} <= set(found["software"])
    assert {"model", "cores", "memory free"} <= set(found["processor"])
    assert any("threads" in line for line in found["BLAS"].values())
    assert found["compiled backend"]["works"] is True
    assert json.loads(json.dumps(found)) == found


def test_rates_are_measured_and_shown(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "product_rate", lambda dtype, **_: 5e10 if dtype == "float64" else 1e11)
    monkeypatch.setattr(doctor, "bandwidth", lambda size, threads, repeats: 1e10 * threads)
    out = tmp_path / "machine.json"
    found = CliRunner(env={"COLUMNS": "140"}).invoke(cli.app, ["doctor", "--json", str(out)])
    assert found.exit_code == 0, found.output
    written = json.loads(out.read_text())
    assert written["measured"]["product rate, float64, one thread"] == "50 GFLOP/s"
    assert written["measured"]["reading memory, 1 thread"] == "10 GB/s"
    for lines in written.values():
        for name in lines:
            assert name in found.stdout


def test_what_is_measured_is_a_rate():
    assert limits.product_rate("float32", side=64, repeats=1) > 0
    assert limits.bandwidth(2**20, 1, repeats=1, seconds=1e-3) > 0


def test_without_numba_and_cupy_the_reference_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setitem(sys.modules, "cupy", None)
    found = doctor.examine(measure=False)
    assert found["compiled backend"]["works"] is False
    assert "pip install numba" in found["compiled backend"]["why not"]
    sentences = " ".join(doctor.findings(found))
    assert "NumPy reference" in sentences
    assert "No GPU is used: CuPy" in sentences


@pytest.mark.parametrize("works", [True, False])
def test_a_device_is_described_and_must_answer(monkeypatch, works):
    device = Device("NVIDIA Imaginary", 90, 2**33, 2**36, 232448, 132, (13, 0), (13, 0), "14.2.0")
    monkeypatch.setattr(doctor, "find_device", lambda: device)

    def measured():
        if not works:
            raise RuntimeError("no kernel image")
        return {"product rate, float64": "1 GFLOP/s"}

    monkeypatch.setattr(doctor, "_measured_on_device", measured)
    found = doctor.examine(measure=False)
    assert found["GPU"]["usable"] is works
    assert found["GPU"]["compute capability"] == "9.0"
    said = doctor.findings(found)[0]
    assert ("NVIDIA Imaginary" in said) is works
    if not works:
        assert "no kernel image" in found["GPU"]["why not"]
