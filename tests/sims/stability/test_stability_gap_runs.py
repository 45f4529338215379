"""The exact gap against steps one by one, and coupled runs against runs written out."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.sims.seeds import streams
from lemmascope.sims.stability import coupled
from lemmascope.sims.stability.coupled import Arrays, Case, Compiled, Plan, run
from lemmascope.sims.stability.exact import bisect, epoch_radius, growth, path, second_radius
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumVelocity
from lemmascope.theory.stability.edges import cyclic_edge, share_edge
from lemmascope.theory.stability.gap import START, Mix, lifted, second

CASES = (Case(0.4, 0.6), Case(0.9), Case(0.4, 0.6, 7))
PLANS = {loss: Plan(loss, 6, 3, (5, 12, 30), burn_in=12, delta=1.3) for loss in coupled.LOSSES}
losses = pytest.mark.parametrize("loss", coupled.LOSSES)


def rng(seed=0):
    return streams(0, "test", seed)("pairs")


# --- exact ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", [None, 0, 100, 150])
def test_the_path_is_that_of_single_steps(until):
    mix, eta, gamma = Mix.curved(75, 15), 0.6, 0.8
    z, seen = np.array(START), []
    for t in range(4 * mix.n):
        now = gamma if until is None or t < until else 0.0
        z = lifted(np, np.asarray(eta), np.asarray(now), mix, 2.0) @ z
        if (t + 1) % mix.n == 0:
            seen.append(z)
    rms, mean = path(mix, eta, gamma, 4, until, 2.0)
    assert_close(np.exp(2 * rms) / np.array(seen)[:, 0], np.ones(4), "trajectory")
    assert_close(mean, np.array(seen)[:, 3], "trajectory")


def test_sgd_that_forgets_in_a_step_is_whether_the_sample_was_met():
    rms, mean = path(Mix.curved(10, 1), 1.0, 0.0, 3)
    met = 1 - 0.9 ** (10 * np.arange(1, 4))
    assert_close(np.exp(2 * rms), met)
    assert_close(mean, met)


def test_beyond_the_range_of_doubles_the_gap_grows_by_its_radius():
    rms, mean = path(Mix.curved(80, 16), 1.0, 0.9, 80)
    rate = 40 * np.log(second_radius(1.0, 0.9, 0.2, 0.2))
    assert rms[-1] > np.log(1e300)
    assert_close(np.diff(rms)[-20:], np.full(20, rate), "trajectory")
    assert abs(mean[-1] - 1 / 16) < 1e-6  # one of the curved samples moved


def test_the_radius_by_squaring_is_that_of_eigenvalues_in_any_library():
    eta, gamma = np.meshgrid(np.linspace(0.1, 3.9, 5), np.linspace(0, 0.95, 5))
    wanted = np.log(second_radius(eta, gamma, 0.1, 0.1))
    found = growth(np, second(np, eta, gamma, 0.1, 0.1))
    xp = array_api_strict
    strict = growth(xp, second(xp, xp.asarray(eta), xp.asarray(gamma), 0.1, 0.1))
    assert np.abs(found - wanted).max() < 1e-9
    assert np.abs(np.asarray(strict) - found).max() < 1e-12


def test_bisection_finds_both_edges():
    gamma = np.array([0.0, 0.4, 0.9])
    low, high = 0 * gamma + 1e-3, 0 * gamma + 4.5
    found = bisect(lambda eta: epoch_radius(eta, gamma, 7) < 1, low, high)
    assert_close(found, cyclic_edge(gamma, 7))
    found = bisect(lambda eta: second_radius(eta, gamma, 0.2, 0.2) < 1, low, high)
    assert_close(found, share_edge(gamma, 0.2), "trajectory")


@pytest.mark.parametrize(
    "give", [lambda: path(Mix.curved(4, 1), 0.1, 0.5, 0), lambda: path(Mix.curved(4, 1), 0.1, 0.5, 2, -1)]
)
def test_paths_that_are_none_are_refused(give):
    with pytest.raises(InputError, match=r"epochs|until"):
        give()


# --- coupled --------------------------------------------------------------------------------------------------------


@losses
def test_machine_code_is_the_reference(loss):
    given = PLANS[loss], CASES
    compiled, reference, strict = (
        run(*given, rng(), 9, backend, xp)
        for backend, xp in (("compiled", None), ("numpy", None), ("numpy", array_api_strict))
    )
    assert [x.shape for x in compiled] == [(3, 9, 3), (3, 9)]
    for other in (compiled, strict):
        for found, wanted in zip(other, reference, strict=True):
            assert_close(found, wanted, "backend")


def by_hand(plan, case, z, index):
    """D along one pair, with the optimizers of the house."""
    ends = []
    for moved in (0.0, plan.delta):
        targets = z - moved * (np.arange(plan.n) == 0)
        w, state, seen = np.zeros(1), np.zeros(1), []
        for t, k in enumerate(index):
            miss = w - targets[k]
            slope = (k < plan.curved) * (miss if plan.loss == "quadratic" else np.tanh(miss))
            if case.until is not None and t >= case.until:
                w, _ = GD(case.eta).step(w, slope, (), t)
            else:
                w, state = MomentumVelocity(case.eta, case.gamma).step(w, slope, state, t)
            seen.append(w[0])
        ends.append(np.array(seen))
    return ends[0] - ends[1]


@losses
@pytest.mark.parametrize("case", CASES)
def test_a_pair_is_two_runs_of_the_optimizers(loss, case):
    plan, source = PLANS[loss], rng()
    z, index = source.standard_normal((1, plan.n)), source.integers(0, plan.n, (1, plan.steps), dtype=np.uint16)
    D = by_hand(plan, case, z[0], index[0])
    at, mean = run(plan, [case], rng(), 1)
    assert_close(at[0, 0], D[np.array(plan.times) - 1], "trajectory")
    assert_close(mean[0, 0], np.abs(D[plan.burn_in :]).mean(), "trajectory")


@pytest.mark.parametrize("kind", [Compiled, Arrays])
def test_on_quadratics_the_gap_does_not_know_the_data(kind):
    plan, index = PLANS["quadratic"], rng().integers(0, 6, (4, 30), dtype=np.uint16)
    found = []
    for z in (np.zeros((4, 6)), rng(1).standard_normal((4, 6))):
        engine = kind(plan, z, index, np)
        found.append(engine.found(engine.advance(CASES[0], engine.start(), 0, 30))[0])
    assert_close(found[1], found[0], "trajectory")


@pytest.mark.parametrize("kind", [Compiled, Arrays])
def test_a_run_in_pieces_is_the_run(kind):
    plan, source = PLANS["log cosh"], rng()
    z, index = source.standard_normal((5, 6)), source.integers(0, 6, (5, 30), dtype=np.uint16)
    whole, first, second_ = (kind(plan, z, one, np) for one in (index, index[:, :11], index[:, 11:]))
    for case in CASES:
        wanted = whole.found(whole.advance(case, whole.start(), 0, 30))
        state = second_.advance(case, first.advance(case, first.start(), 0, 11), 11, 19)
        for a, b in zip(second_.found(state), wanted, strict=True):
            assert np.array_equal(a, b)


def test_before_the_first_visit_there_is_no_gap_and_then_a_kick():
    plan = Plan("quadratic", 3, 1, (1, 2, 3))
    engine = Compiled(plan, np.ones((1, 3)), np.array([[2, 0, 1]], np.uint16), np)
    at, _ = engine.found(engine.advance(Case(0.5, 0.5), engine.start(), 0, 3))
    assert_close(at[0], [0.0, 0.5, 0.75])


def test_runs_have_the_exact_second_moment():
    plan = Plan("quadratic", 8, 3, (8, 24))
    at, _ = run(plan, [Case(0.2, 0.8)], rng(), 20_000)
    rms, mean = path(Mix.curved(8, 3), 0.2, 0.8, 3)
    for k, epoch in enumerate((1, 3)):
        for values, wanted in ((at[0, :, k] ** 2, np.exp(2 * rms[epoch - 1])), (at[0, :, k], mean[epoch - 1])):
            assert abs(values.mean() - wanted) < 5 * values.std() / len(values) ** 0.5


def test_copies_are_drawn_in_pieces_that_do_not_depend_on_the_cases(monkeypatch):
    monkeypatch.setattr(coupled, "MOST", 30 * 4)
    whole, alone = (run(PLANS["log cosh"], cases, rng(), 10) for cases in (CASES, CASES[1:2]))
    assert whole[0].shape == (3, 10, 3)
    assert np.array_equal(whole[0][1:2], alone[0])
    assert len(np.unique(whole[1][0])) == 10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Case(0.0), "eta"),
        (lambda: Case(0.1, 1.0), "gamma"),
        (lambda: Case(0.1, 0.5, -1), "until"),
        (lambda: Plan("hinge", 4, 1, (3,)), "quadratic, log cosh"),
        (lambda: Plan("quadratic", 4, 5, (3,)), "from 1 to n = 4"),
        (lambda: Plan("quadratic", 2**17, 5, (3,)), "at most 65536"),
        (lambda: Plan("quadratic", 4, 1, (3, 2)), "increasing"),
        (lambda: Plan("quadratic", 4, 1, ()), "one or more"),
        (lambda: Plan("quadratic", 4, 1, (3,), burn_in=3), "less than the 3"),
        (lambda: Plan("quadratic", 4, 1, (3,), delta=np.nan), "delta"),
        (lambda: run(PLANS["quadratic"], CASES, rng(), 2, "abacus"), "must be one of"),
        (lambda: run(PLANS["quadratic"], CASES, rng(), 0), "copies"),
    ],
)
def test_what_cannot_be_run_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
