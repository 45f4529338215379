"""The CUDA kernels without a device: compiled by nvcc, and their own source run by an emulator against the reference.

What no emulator shows is left to a device: speed, the memory model beyond barriers, and CuPy itself; the tests that
need one are in test_device.py and skip where none is found.
"""

import re
import shutil
import subprocess

import numpy as np
import pytest
from emulated import COMPILER, ORDERS, Emulated, Stuck
from tolerances import assert_close

from lemmascope.sims.cubic_cnn import batch
from lemmascope.sims.cubic_cnn.backends import cuda
from lemmascope.sims.cubic_cnn.backends.kernel import Start
from lemmascope.sims.cubic_cnn.backends.segments import KernelEngine
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant

NVCC = shutil.which("nvcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no g++ to compile the emulator with")

OPTIMIZERS = {
    "GD": GD(0.1),
    "GD+M": MomentumAverage(0.1, 0.9),
    "velocity": MomentumVelocity(0.02, 0.8),
    "Nesterov": Nesterov(0.02, 0.9),
    "schedule": MomentumAverage(PiecewiseConstant((0, 10, 25), (0.3, 0.02, 0.1)), 0.7),
}

PROBLEMS = {
    "law": lambda tiny, patches: tiny(),
    "three patches, penalty": lambda tiny, patches: tiny(P=3, lam=0.01),
    "seven neurons, odd sizes": lambda tiny, patches: tiny(m=7, N=13, d=37, P=4),
    "exact law": lambda tiny, patches: LawProblem(tiny(d=10**9), "exact"),
    "own patches": lambda tiny, patches: patches(),
    "own patches, feature, margins": lambda tiny, patches: patches(w_star="known", small="known"),
    "one patch, one dimension": lambda tiny, patches: PatchProblem([[[0.5]], [[-1.0]]], [1, -1], m=2, sigma_0=0.3),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("emulated")


def on(monkeypatch, runtime, threads=64, made=None):
    """Let the compiled backend's place in a batch be taken by the CUDA kernel on a runtime."""

    def engine(self):
        plan = self.plan
        p = plan.problem.parameters
        small = self.masks[1] if len(self.masks) == 2 else np.zeros_like(self.masks[0])
        start = Start(
            small,
            None if p is None else batch.predictions.signal_threshold(p),
            None if p is None else batch.predictions.MEMORIZATION_THRESHOLD,
            plan.gradient_factor,
            int(plan.times[-1]),
            plan.trace,
            len(self.optimizers),
            plan.dtype,
        )
        kernel = cuda.CudaKernel(self.system, start, runtime, threads=threads)
        if made is not None:
            made.append(kernel)
        return KernelEngine(plan, self.system, kernel, self.optimizers, len(self.seeds))

    monkeypatch.setattr(batch.Batch, "_engine", engine)


def run(problem, optimizers=OPTIMIZERS, **rest):
    defaults = {"iterations": 40, "seeds": 3, "record": Every(7), "whole_Xi": True, "trace": True, "audit": False}
    return simulate(problem, optimizers, **{**defaults, **rest}, representation="coefficients", workers=1)


def assert_same(found, expected, dtype="float64", skip=()):
    for name, values in expected.variables.items():
        left, right = found[name].values, values.values
        if values.dtype.kind != "f" or name in ("T_0", "T_1"):
            assert np.array_equal(left, right, equal_nan=values.dtype.kind == "f"), name
        elif name not in skip:
            assert np.array_equal(np.isnan(left), np.isnan(right)), name
            keep = ~np.isnan(right)
            if keep.any():
                assert_close(left[keep], right[keep], "backend", dtype, note=str(name))


@needs_compiler
@pytest.mark.parametrize("shared", [12_000, 200_000], ids=["K through the caches", "K in shared memory"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_kernel_is_the_reference(tiny, patches, folder, monkeypatch, name, shared):
    problem = PROBLEMS[name](tiny, patches)
    expected = run(problem, backend="numpy")
    made = []
    on(monkeypatch, Emulated(folder, shared=shared), made=made)
    found = run(problem)
    assert_same(found, expected)
    if name == "own patches":
        assert (made[0].fixed["K_OFFSET"] >= 0) == (shared > 100_000)


@needs_compiler
def test_single_precision_to_its_own_rounding(tiny, folder, monkeypatch):
    short = {"iterations": 20, "optimizers": {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}, "dtype": "float32"}
    expected = run(tiny(P=3), backend="numpy", **short)
    on(monkeypatch, Emulated(folder))
    assert_same(
        run(tiny(P=3), **short), expected, "float32", skip=("test_accuracy_error", "cross_ratio", "cross_to_diagonal")
    )


@needs_compiler
@pytest.mark.parametrize("rows", [1, 8, 64])
@pytest.mark.parametrize("tensor_rows", [1, 1000], ids=["tensor cores", "registers"])
def test_both_products_and_any_grouping(tiny, folder, monkeypatch, difference, rows, tensor_rows):
    many = {f"{eta:g} {gamma:g}": MomentumAverage(eta, gamma) for eta in (0.05, 0.1, 0.2) for gamma in (0.0, 0.5, 0.9)}
    expected = run(tiny(P=3, N=11), many, backend="numpy", seeds=2)
    monkeypatch.setattr(cuda, "ROWS", rows)
    monkeypatch.setattr(cuda, "TENSOR_ROWS", tensor_rows)
    made = []
    on(monkeypatch, Emulated(folder, multiprocessors=1), made=made)
    assert_same(run(tiny(P=3, N=11), many, seeds=2), expected)
    assert made[0].group == max(1, min(9, rows // 4))
    assert made[0].fixed["TENSOR"] == (made[0].group * 4 >= tensor_rows)


@needs_compiler
@pytest.mark.parametrize("tensor_rows", [1, 1000], ids=["tensor cores", "registers"])
def test_the_order_of_threads_and_blocks_changes_no_bit(tiny, folder, monkeypatch, difference, tensor_rows):
    """So no thread reads what another has yet to write: there is a meeting between them."""
    monkeypatch.setattr(cuda, "TENSOR_ROWS", tensor_rows)
    runs = []
    for order in ORDERS:
        on(monkeypatch, Emulated(folder, order=order))
        runs.append(run(tiny(P=3, lam=0.01), {**OPTIMIZERS, "diverges": GD(1e6)}, iterations=25))
    assert int((runs[0].diverged_at >= 0).sum()) == 3
    for other in runs[1:]:
        assert difference(runs[0], other) == []


@needs_compiler
@pytest.mark.parametrize("meeting", ["1", "2", "3", "4", "5"])
def test_a_missing_meeting_is_seen(tiny, folder, monkeypatch, difference, meeting):
    """Planted: each phase of an iteration once without the meeting at its end."""
    text = cuda.SOURCE.read_text(encoding="utf-8")
    loop = text.index("// 1 product")
    ends = [m.start() for m in re.finditer(r"        __syncthreads\(\);\n", text) if m.start() > loop]
    assert len(ends) == 5
    place = ends[int(meeting) - 1]
    before = text[place - 120 : place]
    edit = (before + "        __syncthreads();\n", before)
    assert text.count(edit[0]) == 1
    runs = []
    for order in ORDERS:
        on(monkeypatch, Emulated(folder, order=order, edit=edit))
        runs.append(run(tiny(P=3), iterations=10))
    assert any(difference(runs[0], other) for other in runs[1:])


@needs_compiler
def test_a_meeting_that_some_never_reach_is_seen(tiny, folder, monkeypatch):
    edit = ("        // 2 columns", "        if (threadIdx.x < 3) __syncthreads();\n        // 2 columns")
    on(monkeypatch, Emulated(folder, edit=edit))
    with pytest.raises(Stuck):
        run(tiny(), iterations=3)


@needs_compiler
def test_divergence_and_hitting_times(tiny, folder, monkeypatch):
    wild = {
        "calm": GD(0.1),
        "wild": GD(1e6),
        "wilder": MomentumVelocity(1e9, 0.9),
        "later": GD(lambda t: 1e-3 * 4.0**t),
    }
    expected = run(tiny(P=3, lam=0.01), wild, backend="numpy", record=Every(1))
    on(monkeypatch, Emulated(folder))
    found = run(tiny(P=3, lam=0.01), wild, record=Every(1))
    assert (expected.diverged_at.values >= 0).sum() == 9
    assert np.array_equal(found.diverged_at, expected.diverged_at)
    assert np.array_equal(found.diverged_quantity, expected.diverged_quantity)
    assert_same(found.sel(optimizer=["calm"]), expected.sel(optimizer=["calm"]))
    assert np.isfinite(expected.T_0.values).any()


@needs_compiler
def test_calls_and_batches_of_any_length_give_the_same_bits(tiny, folder, monkeypatch, difference):
    from lemmascope.sims.cubic_cnn.backends import segments

    on(monkeypatch, Emulated(folder, shared=20_000))
    whole = run(tiny())
    monkeypatch.setattr(segments, "KEPT_BYTES", 1)
    assert difference(whole, run(tiny())) == []
    assert difference(whole.isel(seed=[0]), run(tiny(), seeds=1)) == []


# --- compiling -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(NVCC is None, reason="no nvcc to compile the kernels with")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvcc_compiles_every_kernel(tmp_path, architecture):
    """Within the registers that 512 threads leave each, and no array of the inner loops in local memory."""
    command = [NVCC, "-cubin", f"-arch={architecture}", "-std=c++17", "-Xptxas", "-v", "-Werror", "all-warnings"]
    out = tmp_path / "trajectory.cubin"
    done = subprocess.run([*command, "-o", str(out), str(cuda.SOURCE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 10_000
    assert set(re.findall(r"entry function '(\w+)'", done.stderr)) == {"trajectory_float32", "trajectory_float64"}
    assert max(map(int, re.findall(r"Used (\d+) registers", done.stderr))) <= 65536 // 512
    assert max(map(int, re.findall(r"(\d+) bytes spill stores", done.stderr))) <= 64
    ptx = tmp_path / "trajectory.ptx"
    subprocess.run([NVCC, "-ptx", f"-arch={architecture}", "-o", str(ptx), str(cuda.SOURCE)], check=True)
    assert "mma.sync.aligned.m8n8k4.row.col.f64" in ptx.read_text()


def test_the_table_is_read_from_the_source():
    names = cuda.slots()
    assert names["SEEDS"] == 0
    assert len(set(names.values())) == len(names) > 50
    for name in cuda.PLACED:
        assert names[f"{name}_OFFSET"] == names[name] + 1


# --- memory --------------------------------------------------------------------------------------------------------


def test_places_are_given_in_order_and_never_overlap():
    offsets, taken = cuda.places({"a": 100, "b": 5000, "c": 7, "d": 900}, 1100)
    assert offsets == {"a": 0, "b": -1, "c": 112, "d": 128}
    assert taken == 128 + 912
    assert cuda.places({"a": 10}, 0) == ({"a": -1}, 0)


class NoMemory(Exception):
    pass


@pytest.mark.parametrize("fits", [1, 2, 3, 8])
def test_without_memory_the_batch_is_halved_and_nothing_is_lost(fits):
    tried = []

    def go(pieces):
        tried.append(len(pieces))
        if len(pieces) > fits:
            raise NoMemory
        return [10 * piece for piece in pieces]

    assert cuda.in_halves(list(range(8)), go, NoMemory) == [10 * piece for piece in range(8)]
    assert max(size for size in tried if size <= fits) <= fits


def test_a_single_piece_without_memory_is_an_error_and_others_pass_through():
    def nothing_fits(pieces):
        raise NoMemory

    def wrong(pieces):
        raise ZeroDivisionError

    with pytest.raises(NoMemory):
        cuda.in_halves([1, 2, 3], nothing_fits, NoMemory)
    with pytest.raises(ZeroDivisionError):
        cuda.in_halves([1, 2, 3], wrong, NoMemory)


def test_the_bytes_of_a_batch_cover_its_arrays(tiny, folder):
    if COMPILER is None:
        pytest.skip("no g++ to compile the emulator with")
    sizes = {"S": 3, "A": 2, "m": 4, "N": 12, "n": 24}
    total = cuda.bytes_needed(**sizes, itemsize=8, kept=5, steps=9)
    arrays = 3 * (24 * 24) + 6 * (3 * 4 * 24) + 6 * 2 * 5 * 4 * 26 + 6 * 9 * 5
    assert arrays * 8 < total < 3 * arrays * 8
    assert cuda.bytes_needed(**{**sizes, "S": 6}, itemsize=8, kept=5, steps=9) == 2 * total
