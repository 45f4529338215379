"""The compiled loops: the NumPy reference to rounding, and the same bits however the work is shared."""

import hashlib
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import optimizers as any_optimizer
from strategies import parameters as any_parameters
from tolerances import assert_close, tolerance

import lemmascope.sims.cubic_cnn.backends
from lemmascope.sims.cubic_cnn.backends import choice, loops, tiles
from lemmascope.sims.cubic_cnn.backends.kernel import TRACED
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    GD,
    MomentumAverage,
    MomentumVelocity,
    Nesterov,
    PiecewiseConstant,
    recursion_of,
)

SCHEDULE = PiecewiseConstant((0, 10, 25), (0.3, 0.02, 0.1))
OPTIMIZERS = {
    "GD": GD(0.1),
    "GD+M": MomentumAverage(0.1, 0.9),
    "velocity": MomentumVelocity(0.02, 0.8),
    "Nesterov": Nesterov(0.02, 0.9),
    "schedule": MomentumAverage(SCHEDULE, 0.7),
    "GD schedule": GD(SCHEDULE),
}


def both(problem, optimizers=OPTIMIZERS, **rest):
    defaults = {"iterations": 60, "seeds": 2, "record": Every(7), "whole_Xi": True, "trace": True, "audit": False}
    return [simulate(problem, optimizers, **{**defaults, **rest}, backend=b) for b in ("compiled", "numpy")]


def assert_same(compiled, reference, dtype="float64", skip=()):
    """Every recorded number, relative to the largest of its kind; counts and names exactly."""
    assert (compiled.attrs["backend"], reference.attrs["backend"]) == ("compiled", "numpy")
    assert set(compiled.variables) == set(reference.variables)
    for name, values in reference.variables.items():
        assert compiled[name].dims == values.dims
        assert compiled[name].dtype == values.dtype
        if name in skip:
            continue
        if values.dtype.kind != "f" or name in ("T_0", "T_1"):
            assert np.array_equal(compiled[name], values, equal_nan=values.dtype.kind == "f"), name
            continue
        left, right = compiled[name].values, values.values
        assert np.array_equal(np.isnan(left), np.isnan(right)), name
        keep = ~np.isnan(right)
        if keep.any():
            assert_close(left[keep], right[keep], "backend", dtype, note=str(name))


PROBLEMS = {
    "law": lambda tiny, patches: tiny(),
    "three patches, penalty": lambda tiny, patches: tiny(P=3, lam=0.01),
    "one neuron": lambda tiny, patches: tiny(m=1),
    "seven neurons, odd sizes": lambda tiny, patches: tiny(m=7, N=13, d=37, P=4),
    "two samples": lambda tiny, patches: tiny(N=2, mu=0.5),
    "many dimensions": lambda tiny, patches: tiny(d=512),
    "own patches": lambda tiny, patches: patches(),
    "own patches, feature, margins": lambda tiny, patches: patches(w_star="known", small="known"),
    "one patch, one dimension": lambda tiny, patches: PatchProblem([[[0.5]], [[-1.0]]], [1, -1], m=2, sigma_0=0.3),
}


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_compiled_loop_is_the_reference(tiny, patches, name, representation):
    problem = PROBLEMS[name](tiny, patches)
    assert_same(*both(problem, representation=representation))


def test_the_exact_law_runs_compiled(tiny):
    assert_same(*both(LawProblem(tiny(d=10**9), "exact")))


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_single_precision_to_its_own_rounding(tiny, representation):
    short = {"iterations": 20, "optimizers": {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}}
    compiled, reference = both(tiny(P=3), **short, dtype="float32", representation=representation)
    assert compiled.Xi.dtype == np.float32
    assert_same(compiled, reference, "float32", skip=("test_accuracy_error", "cross_ratio", "cross_to_diagonal"))


@given(data=st.data())
def test_any_law_and_any_optimizer(data):
    """Sizes, patches and optimizers as Hypothesis draws them; rates small enough that nothing grows beyond bounds."""
    p = data.draw(any_parameters())
    chosen = {f"{i}": data.draw(any_optimizer()) for i in range(data.draw(st.integers(1, 3)))}
    where = data.draw(st.sampled_from(["weights", "coefficients"]))
    compiled, reference = both(p, chosen, iterations=12, record=Every(3), representation=where)
    if not (reference.diverged_at.values >= 0).any():
        largest = float(np.abs(reference.Xi).max())
        # An unstable run amplifies the last bit like everything else.
        if largest < 10 * float(np.abs(reference.Xi.isel(iteration=0)).max()):
            assert_same(compiled, reference, skip=("test_accuracy", "test_accuracy_error"))


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_a_thousand_iterations_of_headline(representation):
    pair = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}
    compiled, reference = both(
        HEADLINE, pair, iterations=1000, seeds=1, record=Every(500), whole_Xi=False, representation=representation
    )
    assert_same(compiled, reference, skip=("test_accuracy_error",))
    assert float(reference.each_c_max.max()) > 1


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_divergence_is_noted_like_the_reference_does(tiny, representation):
    wild = {
        "calm": GD(0.1),
        "wild": GD(1e6),
        "wilder": MomentumVelocity(1e9, 0.9),
        "later": GD(lambda t: 1e-3 * 4.0**t),
    }
    compiled, reference = both(tiny(P=3, lam=0.01), wild, iterations=40, representation=representation, record=Every(1))
    assert (reference.diverged_at.values >= 0).sum() == 6
    assert_same(
        compiled.sel(optimizer=["calm"]), reference.sel(optimizer=["calm"]), skip=("diverged_at", "diverged_quantity")
    )
    assert np.array_equal(compiled.diverged_at, reference.diverged_at)
    assert np.array_equal(compiled.diverged_quantity, reference.diverged_quantity)
    for name in ("c", "loss", "each_loss", "each_c_max"):
        assert np.array_equal(np.isnan(compiled[name]), np.isnan(reference[name])), name


@pytest.mark.parametrize("planted", ["wrong_sign", "missing_three", "tilted_noise", "twin_noise"])
@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_planted_errors_are_planted_here_too(tiny, planted, representation):
    compiled, reference = both(
        tiny(P=3), {"GD": GD(0.05)}, iterations=8, planted=planted, representation=representation, audit=True
    )
    residuals = tuple(name for name in map(str, compiled.variables) if name.endswith(("residual", "gradient_ratio")))
    assert_same(compiled, reference, skip=residuals)
    clean, _ = both(tiny(P=3), {"GD": GD(0.05)}, iterations=8, representation=representation)
    assert not np.allclose(clean.each_loss[..., -1], compiled.each_loss[..., -1], rtol=1e-3)


def test_the_audit_sees_the_compiled_gradient(tiny, monkeypatch):
    """What is audited is the gradient that the step used, not one computed beside it."""
    from lemmascope.sims.cubic_cnn.backends import compiled

    honest = simulate(tiny(), {"GD": GD(0.1)}, iterations=10, backend="compiled")
    assert float(honest.noise_gradient_ratio.max()) < 1
    advance = compiled.CompiledKernel.advance

    def wrong(self, *args):
        states = advance(self, *args)
        states.grad[...] *= 1 + 1e-9
        return states

    monkeypatch.setattr(compiled.CompiledKernel, "advance", wrong)
    caught = simulate(tiny(), {"GD": GD(0.1)}, iterations=10, backend="compiled")
    assert float(caught.noise_gradient_ratio.max()) > 1


# --- sharing the work ----------------------------------------------------------------------------------------------


def kernels(problem, optimizers, representation, team, last=50):
    from lemmascope.sims.cubic_cnn.backends import compiled as module

    kept, original = [], module.CompiledKernel

    class Kept(original):
        def __init__(self, system, start, _):
            super().__init__(system, start, team)
            kept.append(self)

    module.CompiledKernel = Kept
    try:
        run = simulate(
            problem,
            optimizers,
            iterations=last,
            representation=representation,
            backend="compiled",
            workers=1,
            whole_Xi=True,
            trace=True,
            record=Every(5),
            audit=False,
        )
    finally:
        module.CompiledKernel = original
    return run, kept


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize("name", ["law", "three patches, penalty", "own patches, feature, margins", "two samples"])
def test_a_team_of_any_size_gives_the_same_bits(tiny, patches, difference, name, representation):
    problem = PROBLEMS[name](tiny, patches)
    wild = {**OPTIMIZERS, "diverges": GD(1e6)}
    alone, _ = kernels(problem, wild, representation, 1)
    for team in (2, 3, 4, 7):
        shared, kept = kernels(problem, wild, representation, team)
        assert kept[0].team == (team if representation == "coefficients" else min(team, 4))
        assert difference(alone, shared) == [], team


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_calls_of_any_length_give_the_same_bits(tiny, difference, monkeypatch, representation):
    from lemmascope.sims.cubic_cnn.backends import segments

    def cut(kept_bytes, seconds):
        monkeypatch.setattr(segments, "KEPT_BYTES", kept_bytes)
        monkeypatch.setattr(segments, "SECONDS", seconds)
        return simulate(
            tiny(),
            OPTIMIZERS,
            iterations=300,
            seeds=2,
            record=Logarithmic(60),
            trace=True,
            representation=representation,
            backend="compiled",
        )

    whole = cut(2**30, 10.0)
    assert difference(whole, cut(1, 10.0)) == []
    assert difference(whole, cut(2**30, 0.0)) == []


def test_optimizers_may_be_spread_over_threads(tiny, difference):
    many = {f"{eta:g} {gamma:g}": MomentumAverage(eta, gamma) for eta in (0.05, 0.1, 0.2) for gamma in (0.0, 0.5, 0.9)}
    runs = [simulate(tiny(), many, iterations=40, workers=w, backend="compiled") for w in (1, 2, 3, 9, 20)]
    for other in runs[1:]:
        assert difference(runs[0], other) == []


def test_many_threads_meet_at_every_barrier():
    """A member that passes early would see a count that is not yet complete."""
    team, rounds = 4, 2000
    sync = np.zeros(16, np.int64)
    count, seen = np.zeros((rounds, team), np.int64), np.zeros((rounds, team), np.int64)

    def member(k):
        for turn in range(rounds):
            count[turn, k] = 1
            tiles.barrier(sync, team)
            seen[turn, k] = count[turn].sum()
            tiles.barrier(sync, team)

    threads = [threading.Thread(target=member, args=(k,)) for k in range(team)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (seen == team).all()
    assert sync[8] == 2 * rounds


# --- products ------------------------------------------------------------------------------------------------------


def test_tiles_are_matrix_products():
    """Against NumPy, within the bound of a sum of that many terms; rounding differs, a wrong index is of order one."""
    from numba import njit

    @njit
    def outer(A, r, M, first, stride, out, column, count, add):
        tiles.outer_tile(A, r, M, first, stride, out, column, count, add, 0, 0)

    @njit
    def narrow(A, r, M, first, stride, out, column, count, add):
        tiles.narrow_tile(A, r, M, first, stride, out, column, count, add, 0, 0)

    @njit
    def dot(A, r, M, k, out, column, first, count, add):
        tiles.dot_tile(A, r, M, k, out, column, first, count, add)

    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        lanes, unit = tiles.VECTOR // np.dtype(dtype).itemsize, float(np.finfo(dtype).eps) / 2
        cases = ((1, 0, 0, False, 2), (13, 5, 2 * lanes, True, 2), (64, 2, lanes, True, 2), (13, 3, lanes, True, 1))
        for count, r, column, add, width in cases:
            A, M = rng.standard_normal((12, 70)).astype(dtype), rng.standard_normal((70, 6 * lanes)).astype(dtype)
            out = rng.standard_normal((12, 6 * lanes)).astype(dtype)
            expected = out.astype(float)
            size = np.abs(A[r : r + 5, :count]) @ np.abs(M[:count]) + np.abs(out[r : r + 5])
            cut = slice(column, column + width * lanes)
            product = A[r : r + 5, :count].astype(float) @ M[:count, cut].astype(float)
            expected[r : r + 5, cut] = product + add * expected[r : r + 5, cut]
            call = outer if width == 2 else narrow
            call(A, r, M, column, 6 * lanes, out, column, count, add)
            error = np.abs(out - expected)
            assert (error[r : r + 5] <= (count + 2) * unit * size).all()
            error[r : r + 5, cut] = 0
            assert not error.any()
        A, M = rng.standard_normal((12, 6 * lanes)).astype(dtype), rng.standard_normal((9, 6 * lanes)).astype(dtype)
        out = np.zeros((12, 9), dtype)
        for first, count, add in ((0, 2 * lanes, False), (2 * lanes, 3 * lanes, True)):
            dot(A, 4, M, 5, out, 3, first, count, add)
        B, C = A[4:9, : 5 * lanes].astype(float), M[5:9, : 5 * lanes].astype(float)
        assert (np.abs(out[4:9, 3:7] - B @ C.T) <= 5 * lanes * unit * (np.abs(B) @ np.abs(C).T)).all()
        out[4:9, 3:7] = 0
        assert not out.any()


@given(st.lists(st.floats(0, 1000) | st.floats(0, 1e-3) | st.just(np.inf), min_size=1, max_size=40))
def test_exp_and_log_are_correctly_rounded_to_a_few_units(values):
    """Against the C library, itself within one unit; below 708, where the result is a normal number."""
    x = np.array(values)
    e, turns, soft = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    loops.exp_minus(x, e, e.view(np.int64), turns, turns.view(np.int64))
    loops.log_one_plus(e, soft)
    normal = x < 708
    unit = 2.0**-53
    assert (np.abs(e - np.exp(-x))[normal] <= 4 * unit * np.exp(-x[normal])).all()
    assert (e[~normal] == 0).all()
    assert (np.abs(soft - np.log1p(e)) <= 5 * unit * np.log1p(e) + np.finfo(float).smallest_normal).all()


@pytest.mark.parametrize("loop", ["coefficient_loop", "weight_loop"])
def test_machine_code_on_disk_is_of_these_texts(loop):
    """Numba's cache does not look at files that a function's own file imports: their version must stand in it."""
    folder = Path(lemmascope.sims.cubic_cnn.backends.__file__).parent
    texts = b"".join((folder / name).read_bytes() for name in ("loops.py", "seen.py", "tiles.py"))
    digest = hashlib.sha256(texts).hexdigest()[:12]
    (named,) = re.findall(r'^BUILT_ON = "(\w+)"', (folder / f"{loop}.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert named == digest, f"loops.py, seen.py or tiles.py has changed: set BUILT_ON = {digest!r} in {loop}.py"


# --- whose optimizers run compiled ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lazy:
    """A user's: momentum that listens to every second gradient."""

    eta: float
    linear: ClassVar[bool] = True

    def init(self, params):
        return np.zeros_like(params)

    def step(self, params, grad, state, t):
        state = 0.5 * state + (t % 2) * grad
        return params - self.eta * state, state

    def recursion(self, t):
        return 0.5, float(t % 2), self.eta, 0.0


class Halved(GD):
    """A user's subclass whose step is its own."""

    def step(self, params, grad, state, t):
        return super().step(params, 0.5 * grad, state, t)


class WithoutRecursion(Lazy):
    recursion = None


def test_a_users_recursion_runs_compiled(tiny):
    assert_same(*both(tiny(), {"lazy": Lazy(0.1), "GD": GD(0.1)}))


@pytest.mark.parametrize("optimizer", [Halved(0.1), WithoutRecursion(0.1)])
def test_what_has_no_recursion_of_its_own_runs_in_numpy(tiny, optimizer):
    run = simulate(tiny(), {"GD": GD(0.1), "mine": optimizer}, iterations=5)
    assert run.attrs["backend"] == "numpy"
    assert "mine has no recursion" in run.attrs["backend_reason"]
    with pytest.raises(InputError, match="mine has no recursion"):
        simulate(tiny(), {"mine": optimizer}, iterations=5, backend="compiled")


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS.values(), Lazy(0.3)])
def test_the_recursion_of_an_optimizer_is_its_step(optimizer):
    rng = np.random.default_rng(3)
    theta, grads = rng.standard_normal((2, 3)), rng.standard_normal((40, 2, 3))
    state, u, mine = optimizer.init(theta), np.zeros_like(theta), theta
    speaks = recursion_of(optimizer)
    for t, grad in enumerate(grads):
        theta, state = optimizer.step(theta, grad, state, t)
        gamma, kappa, p, q = speaks(t)
        u = gamma * u + kappa * grad
        mine = mine - p * u - q * grad
        assert_close(mine, theta)


@pytest.mark.parametrize("wrong", [(0.5, 1.0, 0.1), (0.5, np.nan, 0.1, 0.0), ("a", 1, 2, 3), None])
def test_a_wrong_recursion_is_refused(tiny, wrong):
    class Wrong(Lazy):
        def recursion(self, t):
            return wrong

        def step(self, params, grad, state, t):
            return super().step(params, grad, state, t)

    with pytest.raises(InputError, match="recursion"):
        simulate(tiny(), {"wrong": Wrong(0.1)}, iterations=5)


def test_without_numba_the_reference_runs_and_says_so(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    run = simulate(tiny(), {"GD": GD(0.1)}, iterations=5)
    assert run.attrs["backend"] == "numpy"
    assert "Numba cannot be imported" in run.attrs["backend_reason"]
    with pytest.raises(InputError, match="pip install numba"):
        simulate(tiny(), {"GD": GD(0.1)}, iterations=5, backend="compiled")


def test_unknown_backends_are_refused_with_the_known_ones(tiny):
    with pytest.raises(InputError, match="auto, numpy, compiled, cupy"):
        choice.choose_backend("fortran", {"GD": GD(0.1)})


# --- the trace -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_the_trace_is_what_is_recorded(tiny, backend):
    run = simulate(
        tiny(),
        {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)},
        iterations=30,
        seeds=2,
        trace=True,
        record=Every(1),
        backend=backend,
    )
    expected = {
        "loss": run.loss.sum("margin"),
        "nu_1": run.nu.sel(margin="large"),
        "nu_2": run.nu.sel(margin="small"),
        "c_max": run.c.max("neuron"),
        "Xi_abs_max": run.Xi_abs_max.max("margin", skipna=True),
    }
    assert tuple(expected) == TRACED
    for name, values in expected.items():
        assert_close(run[f"each_{name}"].values, values.values, note=name)
    without = simulate(tiny(), {"GD": GD(0.1)}, iterations=3, backend=backend)
    assert not [name for name in without.variables if str(name).startswith("each_")]


def test_the_tolerance_of_backends_is_the_promised_one():
    assert tolerance("backend") <= 1e-10
