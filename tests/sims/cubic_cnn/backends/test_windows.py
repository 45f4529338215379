"""Fast-forward against every iteration, and a planted error in its control that the comparison sees."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.sims.cubic_cnn.backends import fast_forward
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant


@st.composite
def runs(draw):
    N, P, m = draw(st.integers(4, 24)), draw(st.integers(2, 3)), draw(st.integers(1, 6))
    d = N * (P - 1) + 2 + draw(st.integers(0, 100))
    p = Parameters(
        d=d,
        N=N,
        P=P,
        m=m,
        alpha=draw(st.floats(1.5, 6)),
        beta=draw(st.floats(0.05, 0.4)),
        mu=draw(st.floats(0.25, 0.6)),
        sigma=2 / math.sqrt(d),
        sigma_0=0.5 / math.sqrt(d),
        lam=draw(st.sampled_from([0.0, 1e-3])),
    )
    eta, gamma = 10 ** draw(st.floats(-2, 0)), draw(st.sampled_from([0.5, 0.9, 0.99, 0.9999]))
    optimizer = draw(
        st.sampled_from(
            [
                GD(eta),
                MomentumAverage(eta, gamma),
                MomentumVelocity(eta * (1 - gamma), gamma),
                Nesterov(eta * (1 - gamma), gamma),
            ]
        )
    )
    law = draw(st.sampled_from(["samples", "exact"]))
    return LawProblem(p, law), {"it": optimizer}, draw(st.integers(0, 1000))


def both(problem, optimizers, iterations=3000, tolerance=1e-10, **rest):
    arguments = {"iterations": iterations, "record": Logarithmic(12), "audit": False, **rest}
    return (
        simulate(problem, optimizers, **arguments),
        simulate(problem, optimizers, fast_forward=tolerance, **arguments),
    )


def compare(exact, fast):
    for name in ("c", "Xi_abs_max", "weight_norm_squared", "memorization_median"):
        for k in range(exact.sizes["optimizer"]):
            a, b = (run[name].isel(optimizer=k).values for run in (fast, exact))
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))  # a draw may have no small margin
            assert_close(np.nan_to_num(a), np.nan_to_num(b), "fast-forward", note=name)
    for name in {"T_0", "T_1", "diverged_at"} & set(exact):
        np.testing.assert_array_equal(fast[name], exact[name])


@settings(max_examples=12)
@given(runs())
def test_it_is_every_iteration(case):
    problem, optimizers, root = case
    compare(*both(problem, optimizers, root_seed=root))


def test_a_user_s_patches(patches):
    problem = patches(w_star="known", small="known", sigma_0=0.3)
    compare(*both(problem, {"GD": GD(0.02), "GD+M": MomentumAverage(0.05, 0.99)}, iterations=4000))


def test_a_plateau_costs_few_gradients_and_says_so(learning):
    optimizers = {"GD": GD(0.01), "GD+M": MomentumAverage(0.01, 0.999)}
    exact, fast = both(LawProblem(learning(), "exact"), optimizers, iterations=40_000)
    compare(exact, fast)
    assert float(fast.gradients.max()) < 20_000
    assert float(fast.exact_steps.max()) < 4_000
    assert "gradients" not in exact
    assert exact.attrs["fast_forward"] == ""
    assert fast.attrs["fast_forward"] == 1e-10


def test_without_its_error_control_it_is_wrong(learning, monkeypatch):
    monkeypatch.setattr(fast_forward._Member, "_defect", lambda self, window, seen: 0.0)
    exact, fast = both(LawProblem(learning(), "exact"), {"GD+M": MomentumAverage(0.05, 0.999)}, iterations=20_000)
    with pytest.raises(AssertionError):
        compare(exact, fast)


def test_the_error_falls_with_the_tolerance(learning):
    def error(tolerance):
        exact, fast = both(LawProblem(learning(), "exact"), {"GD": GD(0.05)}, iterations=15_000, tolerance=tolerance)
        return float(np.abs(fast.c - exact.c).max())

    assert error(1e-12) < error(1e-7) / 100 < error(1e-4)


def test_what_is_recorded_does_not_depend_on_when(learning):
    optimizers = {"GD+M": MomentumAverage(0.05, 0.99)}
    few, many = (
        simulate(LawProblem(learning(), "exact"), optimizers, iterations=5000, record=Every(k), fast_forward=1e-10)
        for k in (1000, 125)
    )
    np.testing.assert_array_equal(few.c, many.c.sel(iteration=few.iteration))


def test_divergence_is_reported_as_it_is(tiny):
    optimizers = {"GD": GD(0.1), "wild": MomentumAverage(1e6, 0.5)}
    exact, fast = both(LawProblem(tiny(lam=10.0)), optimizers, iterations=500)
    np.testing.assert_array_equal(fast.diverged_at, exact.diverged_at)
    np.testing.assert_array_equal(fast.diverged_quantity, exact.diverged_quantity)
    assert int(fast.diverged_at.sel(optimizer="wild")[0]) > 0
    assert np.isfinite(fast.c.sel(optimizer="GD")).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dtype": "float32"}, "float64"),
        ({"trace": True}, "trace"),
        ({"representation": "weights"}, "coefficients"),
        ({"backend": "compiled"}, "backend"),
        ({"fast_forward": 0.0}, "fast_forward"),
        ({"fast_forward": 1.0}, "0.001"),
        ({"fast_forward": math.nan}, "finite"),
        ({"optimizers": {"s": GD(PiecewiseConstant((0, 10), (0.1, 0.01)))}}, "constant learning rate"),
    ],
)
def test_what_it_cannot_do_is_refused(tiny, arguments, words):
    given_ = {"optimizers": {"GD": GD(0.1)}, "iterations": 50, "fast_forward": 1e-10, **arguments}
    with pytest.raises(InputError) as refused:
        simulate(tiny(), given_.pop("optimizers"), **given_)
    assert words in str(refused.value)


@pytest.mark.parametrize("optimizer", [GD(1e-3), MomentumAverage(1e-3, 1 - 2.0**-40)], ids=["GD", "GD+M"])
def test_beyond_2_to_the_53_it_is_the_closed_form(tiny, optimizer):
    """Weights so small that their cubes push nothing: the penalty alone is left, whose recursion
    θ ← θ − p(γu + κλθ) − qλθ is a power of a 2 × 2 matrix (50 digits); 2⁵⁶ iterations.
    """
    p, T = tiny(lam=1e-14, sigma_0=1e-30, sigma=1e-3), 2**56
    run = simulate(LawProblem(p, "exact"), {"it": optimizer}, iterations=T, record=Logarithmic(9), fast_forward=1e-12)
    assert run.iteration[-1] == T > 2**55
    gamma, kappa, rate, direct = optimizer.recursion(0)
    with mp.workdps(50):
        g, k, r, q, lam = (mp.mpf(x) for x in (gamma, kappa, rate, direct, p.lam))
        step = mp.matrix([[1 - r * k * lam - q * lam, -r * g], [k * lam, g]])
        left = np.array([float((step ** int(t))[0, 0]) for t in run.iteration.values])
    assert 0 < left[-1] < 0.6
    assert_close(run.c.values[0, 0], left[:, None] * run.c.values[0, 0, :1], "fast-forward")
    assert float(run.gradients.max()) < 5_000
