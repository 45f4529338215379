"""The device, and every way of not having one: a sentence that says which, and what to install."""

import sys
import types

import numpy as np
import pytest
from emulated import COMPILER, Emulated

import lemmascope.sims.cubic_cnn.simulate
from lemmascope.sims.cubic_cnn import arrange
from lemmascope.sims.cubic_cnn.backends import choice, cuda, device
from lemmascope.sims.cubic_cnn.backends.choice import Backend
from lemmascope.sims.cubic_cnn.backends.device import Device, Unavailable, find_device
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage


class CudaError(Exception):
    def __init__(self, status):
        super().__init__(f"cudaError {status}")
        self.status = status


def fake(monkeypatch, count=1, driver=13000, built=13000, free=10 * 2**30, status=None, answers=True):
    """A CuPy that finds such a machine."""

    def devices():
        if status is not None:
            raise CudaError(status)
        return count

    def properties(_):
        if not answers:
            raise CudaError(999)
        return {"name": b"NVIDIA Imaginary", "sharedMemPerBlockOptin": 232448, "multiProcessorCount": 132}

    module = types.ModuleType("cupy")
    runtime = types.SimpleNamespace(
        getDeviceCount=devices,
        getDeviceProperties=properties,
        memGetInfo=lambda: (free, 2**36),
        runtimeGetVersion=lambda: built,
        driverGetVersion=lambda: driver,
    )
    current = types.SimpleNamespace(id=0, compute_capability="90")
    module.cuda = types.SimpleNamespace(runtime=runtime, Device=lambda: current)
    module.__version__ = "14.2.0"
    module.__spec__ = types.SimpleNamespace(name="cupy")
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_a_device_is_found(monkeypatch):
    fake(monkeypatch)
    found = find_device()
    assert (found.name, found.capability, found.shared, found.multiprocessors) == ("NVIDIA Imaginary", 90, 232448, 132)
    assert (found.driver, found.runtime, found.cupy) == ((13, 0), (13, 0), "14.2.0")


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        ({"status": 100}, "there is no CUDA device"),
        ({"status": 35, "driver": 0}, "there is no NVIDIA driver"),
        ({"status": 35, "driver": 12040}, "supports CUDA 12.4 and CuPy was built for 13.0: update the driver"),
        ({"driver": 12080}, "supports CUDA 12.8 and CuPy was built for 13.0"),
        ({"status": 2}, "CUDA does not start (cudaError 2)"),
        ({"count": 0}, "CUDA_VISIBLE_DEVICES"),
        ({"answers": False}, "does not answer"),
        ({"free": 2**20}, "1 MiB of memory free"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(monkeypatch, machine, sentence):
    fake(monkeypatch, **machine)
    with pytest.raises(Unavailable) as raised:
        find_device()
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(Unavailable, match=r"CuPy.*pip install 'lemmascope\[gpu\]'.*gpu12"):
        find_device()


def test_a_cupy_of_another_cuda_says_so(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file\\nmore')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(Unavailable, match=r"another CUDA.*libcudart\.so\.12.*pip install") as raised:
        find_device()
    assert "\n" not in str(raised.value)


# --- choosing it ---------------------------------------------------------------------------------------------------

PAIR = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}


def test_auto_takes_the_device_where_there_is_one(monkeypatch):
    module = fake(monkeypatch)
    monkeypatch.setattr(choice, "find_spec", lambda name: True)
    found = choice.choose_backend("auto", PAIR)
    assert (found.name, found.xp, found.reason) == ("cupy", module, "on NVIDIA Imaginary")
    assert choice.choose_backend("compiled", PAIR).name == "compiled"


def test_auto_falls_back_to_the_processor_and_says_why(monkeypatch, tiny):
    fake(monkeypatch, status=100)
    monkeypatch.setattr(choice, "find_spec", lambda name: True)
    run = simulate(tiny(), PAIR, iterations=3)
    assert run.attrs["backend"] == "compiled"
    assert "no GPU is used: there is no CUDA device" in run.attrs["backend_reason"]
    with pytest.raises(InputError, match="there is no CUDA device"):
        simulate(tiny(), PAIR, iterations=3, backend="cupy")


def test_without_cupy_nothing_is_said_of_it(tiny, monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert simulate(tiny(), PAIR, iterations=3).attrs["backend_reason"] == "the fastest on this machine"
    with pytest.raises(InputError, match="CuPy is not installed"):
        simulate(tiny(), PAIR, iterations=3, backend="cupy")


# --- a whole run, on a device that is emulated -----------------------------------------------------------------------


class OutOfMemoryError(Exception):
    pass


@pytest.fixture
def emulated(monkeypatch, tmp_path):
    """`--backend cupy` with NumPy for CuPy and the emulator for the device; gives a way to set its memory."""
    if COMPILER is None:
        pytest.skip("no g++ to compile the emulator with")
    runtime = Emulated(tmp_path)
    found = Device("Emulated", 90, 2**40, 2**40, runtime.shared, 4, (13, 0), (13, 0), "none")
    limits = {"free": 2**40, "seeds": 10**9}

    class Limited(cuda.CudaKernel):
        def __init__(self, system, start, runtime):
            if system.y.shape[0] > limits["seeds"]:
                raise OutOfMemoryError("no memory")
            super().__init__(system, start, runtime, threads=64)

    module = types.ModuleType("cupy")
    module.get_default_memory_pool = lambda: types.SimpleNamespace(free_all_blocks=lambda: None)
    module.cuda = types.SimpleNamespace(memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError))
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(cuda, "CupyRuntime", lambda: runtime)
    monkeypatch.setattr(cuda, "CudaKernel", Limited)
    monkeypatch.setattr(arrange, "choose_backend", lambda *_: Backend("cupy", np, "on Emulated"))

    def device_now():
        return Device(**{**vars(found), "free": limits["free"]})

    monkeypatch.setattr(arrange, "find_device", device_now)
    return runtime, limits


def run(problem, **rest):
    settings = {"iterations": 30, "seeds": 5, "record": Every(6), "trace": True, "whole_Xi": True, **rest}
    return simulate(problem, PAIR, **settings)


def test_a_run_on_the_device_is_the_reference(tiny, emulated, monkeypatch):
    from test_cuda import assert_same

    found = run(tiny(), backend="cupy")
    monkeypatch.undo()
    assert found.attrs["backend"] == "cupy"
    rounding = [f"{of}_gradient_{what}" for of in ("signal", "noise") for what in ("residual", "ratio")]
    assert_same(found, run(tiny(), backend="numpy"), skip=rounding)
    assert float(found.noise_gradient_ratio.max()) < 1


def test_memory_bounds_the_seeds_at_a_time(tiny, emulated, difference):
    runtime, limits = emulated
    whole = run(tiny())
    problem = LawProblem(tiny())
    one = cuda.bytes_needed(1, 2, problem.m, problem.N, problem.coefficients, 8, 8, 0)
    limits["free"] = 2.5 * one / arrange.FREE_SHARE
    before = len(runtime.launches)
    assert difference(whole, run(tiny())) == []
    blocks = [blocks for _, blocks, _, _ in runtime.launches[before:]]
    assert max(blocks) <= 4  # two seeds, two optimizers


def test_without_memory_fewer_seeds_run_at_a_time_and_nothing_is_lost(tiny, emulated, difference):
    _, limits = emulated
    whole = run(tiny())
    for seeds in (3, 1):
        limits["seeds"] = seeds
        assert difference(whole, run(tiny())) == []
    limits["seeds"] = 0
    with pytest.raises(InputError, match="one seed does not fit the device's memory"):
        run(tiny())


@pytest.mark.parametrize("at_a_time", [10**9, 1])
def test_a_seed_is_known_by_its_index_on_the_device_too(tiny, emulated, difference, at_a_time):
    _, limits = emulated
    whole = run(tiny())
    limits["seeds"] = at_a_time
    later = run(tiny(), first_seed=2, seeds=3)
    assert later.seed.values.tolist() == [2, 3, 4]
    assert difference(whole.isel(seed=slice(2, 5)), later) == []


def test_an_optimizer_without_recursion_runs_on_the_devices_arrays(tiny, emulated, difference):
    class Mine(GD):
        def step(self, params, grad, state, t):
            return super().step(params, grad, state, t)

    runtime, _ = emulated
    found = simulate(tiny(), {"mine": Mine(0.1)}, iterations=10, backend="cupy")
    assert runtime.launches == []
    expected = simulate(tiny(), {"mine": GD(0.1)}, iterations=10, backend="numpy")
    assert np.allclose(found.c, expected.c, rtol=1e-12)


# --- a real one ----------------------------------------------------------------------------------------------------


def _why_not():
    try:
        find_device()
    except Unavailable as error:
        return str(error)
    return None


WHY_NOT = _why_not()


@pytest.mark.skipif(WHY_NOT is not None, reason=f"no device: {WHY_NOT}")
@pytest.mark.parametrize("representation", ["coefficients", "weights"])
def test_on_a_real_device_a_thousand_iterations_of_headline_are_the_reference(representation):
    from test_cuda import assert_same

    from lemmascope.theory.cubic_cnn.parameters import HEADLINE

    pair = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}
    settings = {"iterations": 1000, "seeds": 2, "record": Every(500), "trace": True, "representation": representation}
    found, expected = (simulate(HEADLINE, pair, **settings, backend=b, audit=False) for b in ("cupy", "numpy"))
    assert found.attrs["backend"] == "cupy"
    assert_same(found, expected, skip=("test_accuracy_error",))


@pytest.mark.skipif(WHY_NOT is not None, reason=f"no device: {WHY_NOT}")
def test_on_a_real_device_a_seed_is_known_by_its_index(tiny, difference):
    whole, later = (run(tiny(), backend="cupy", first_seed=first, seeds=5 - first) for first in (0, 2))
    assert difference(whole.isel(seed=slice(2, 5)), later) == []


@pytest.mark.skipif(WHY_NOT is not None, reason=f"no device: {WHY_NOT}")
def test_on_a_real_device_the_verdicts_are_those_of_the_reference(learning):
    from lemmascope.sims.cubic_cnn.evidence import judge

    pair = {"GD": GD(0.2), "GD+M": MomentumAverage(0.2, 0.998)}
    both = [judge(simulate(learning(), pair, iterations=3000, seeds=5, backend=b)) for b in ("cupy", "numpy")]
    assert [(v.claim, v.label, v.status) for v in both[0]] == [(v.claim, v.label, v.status) for v in both[1]]


def test_the_least_memory_is_a_reasonable_number():
    assert 2**20 < device.LEAST_FREE < 2**32
    assert lemmascope.sims.cubic_cnn.simulate.in_halves is cuda.in_halves
