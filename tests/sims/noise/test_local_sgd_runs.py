"""Local SGD: machine code against the reference, the reference against rounds by hand, and the drift."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.sims.noise import draws, local_sgd
from lemmascope.sims.noise.draws import generators
from lemmascope.sims.noise.local_sgd import QUANTITIES, Plan, run, trajectory
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.local_sgd import Straight, rate, sharpness
from lemmascope.theory.noise.valley import Curve

CURVE, STRAIGHT = Curve(0.5), Straight()
START = {CURVE: (1.8, 1 / 1.8), STRAIGHT: (0.2, 0.0)}
valleys = pytest.mark.parametrize("valley", [CURVE, STRAIGHT], ids=["curve", "straight"])


def rngs(count=2, seed=0):
    return generators(streams(0, "test", seed), "noise", count)


def plan(valley=CURVE, **change):
    given = {"eta": 0.02, "K": 3, "rounds": (1, 4, 8), "times": (8, 40), "burn_in": 16, "check": valley is CURVE}
    return Plan(**given | change)


@valleys
@pytest.mark.parametrize("shared", [False, True])
def test_machine_code_is_the_reference(valley, shared):
    one = plan(valley, shared=shared)
    compiled, reference, strict = (
        run(valley, one, START[valley], rngs(), backend, xp)
        for backend, xp in (("compiled", None), ("numpy", None), ("numpy", array_api_strict))
    )
    assert set(compiled) == set(reference) == {"w", *QUANTITIES} | ({"companion"} if valley is STRAIGHT else set())
    assert compiled["w"].shape == (2, 3, 2, 2)
    assert compiled["after"].shape == (2, 3)
    for name, expected in reference.items():
        for found in (compiled[name], strict[name]):
            assert_close(found, expected, "backend", scale=max(np.max(np.abs(expected)), 1e-5), note=name)


@valleys
def test_blocks_and_other_replicas_change_nothing(valley, monkeypatch):
    one = plan(valley, times=(128, 256), rounds=(1, 64))
    whole = run(valley, one, START[valley], rngs(2))
    alone = run(valley, one, START[valley], rngs(2)[1:])
    monkeypatch.setattr(draws, "MOST", 1)
    pieces = run(valley, one, START[valley], rngs(2))
    for name in whole:
        assert np.array_equal(pieces[name], whole[name])
        assert np.array_equal(alone[name], whole[name][1:])


def by_hand(valley, one, H, rng):
    """One replica with rounds of H steps, worker by worker."""
    noise = rng.standard_normal((one.steps, one.K, valley.draws))
    w = np.tile(np.array(START[valley]), (one.K, 1))
    for t in range(one.steps):
        for k in range(one.K):
            x, y = w[k]
            if valley is CURVE:
                r = x * y - 1 - valley.s * noise[t, k, 0]
                slope = np.array([r * y, r * x])
            else:
                slope = np.array([valley.kappa * x * y * y / 2, (valley.h_0 + valley.kappa * x * x / 2) * y])
                slope += np.array([valley.tau, valley.s]) * noise[t, k]
            w[k] = w[k] - one.eta * slope
        if (t + 1) % H == 0:
            w[:] = w.mean(axis=0)
    return w[0]


@valleys
def test_it_is_local_sgd_written_out(valley):
    one = plan(valley)
    found = run(valley, one, START[valley], rngs(1))["w"][0, :, -1]
    for i, H in enumerate(one.rounds):
        assert_close(found[i], by_hand(valley, one, H, rngs(1)[0]), "trajectory")


def test_parallel_sgd_is_sgd_on_the_mean_of_the_workers_gradients():
    one, (rng,) = plan(rounds=(1,), times=(40,)), rngs(1)
    noise, w = rng.standard_normal((40, 3, 1)), np.array(START[CURVE])
    for t in range(40):
        w = w - one.eta * np.mean([CURVE.gradient(w, xi) for xi in noise[t]], axis=0)
    assert_close(run(CURVE, one, START[CURVE], rngs(1))["w"][0, 0, 0], w, "trajectory")


def test_workers_that_share_their_noise_are_one():
    shared = run(CURVE, plan(shared=True), START[CURVE], rngs())["w"]
    alone = run(CURVE, plan(K=1), START[CURVE], rngs())["w"]
    assert_close(shared, alone, "trajectory")
    assert_close(shared, shared[:, :1] + np.zeros_like(shared), "trajectory")


def test_the_identities_hold_in_every_step_and_the_wrong_ones_do_not():
    found = run(CURVE, plan(), START[CURVE], rngs())
    for name in ("step", "average"):
        assert np.max(found[name]) < 64 * 2.0**-52
        assert np.min(found[f"wrong_{name}"]) > 1e-7
    assert np.max(run(CURVE, plan(check=False), START[CURVE], rngs())["wrong_step"]) == 0


def test_means_leave_the_burn_in_out():
    def after(steps, burn_in):
        one = plan(STRAIGHT, times=(steps,), rounds=(8,), burn_in=burn_in)
        return run(STRAIGHT, one, (0.0, 0.0), rngs())["after"]

    both, first, second = after(16, 0), after(8, 0), after(16, 8)
    assert_close(second, 2 * both - first, scale=np.max(both))
    assert np.isnan(after(8, 8)).all()


def test_what_diverges_is_not_a_number():
    assert np.isnan(run(CURVE, plan(eta=3.0, check=False), START[CURVE], rngs())["w"][:, 0, -1]).all()


def test_the_drift_is_the_predicted_one():
    one = Plan(0.02, 8, (1, 32), (2048,))
    w = run(CURVE, one, START[CURVE], rngs(64))["w"][:, :, 0]
    z_0 = START[CURVE][0] ** 2 - START[CURVE][1] ** 2
    fall = -np.log((w[..., 0] ** 2 - w[..., 1] ** 2) / z_0)
    for i, H in enumerate(one.rounds):
        expected = np.log(z_0) - trajectory(z_0, np.array([2048.0]), 0.02, 0.5, 8, H)[0]
        error = fall[:, i].std(ddof=1) / 8
        assert error < 0.01 * expected
        assert abs(fall[:, i].mean() - expected) < 5 * error + 0.01 * expected


def test_the_trajectory_solves_its_equation(monkeypatch):
    times = np.array([0.0, 5000.0, 20_000.0, 60_000.0])
    found = trajectory(3.0, times, 0.02, 0.5, 8, 32)
    z, step = 3.0, 20
    for t in range(0, 60_000, step):
        if t in times:
            assert abs(found[list(times).index(t)] - np.log(z)) < 5e-3
        z *= np.exp(-step * rate(0.02, 0.5, 8, 32, sharpness(z)))
    monkeypatch.setattr(local_sgd, "PIECES", 4000)
    assert np.max(np.abs(trajectory(3.0, times, 0.02, 0.5, 8, 32) - found)) < 1e-6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eta": 0.0}, "eta"),
        ({"K": 0}, "K"),
        ({"times": (10,)}, "whole number of rounds of 4"),
        ({"times": (8, 8)}, "increasing"),
        ({"rounds": ()}, "one or more"),
        ({"rounds": (0,)}, "H"),
        ({"burn_in": -1}, "burn_in"),
    ],
)
def test_a_plan_that_cannot_run_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        plan(**change)


def test_what_is_not_there_is_refused():
    with pytest.raises(InputError, match="backend"):
        run(CURVE, plan(), START[CURVE], rngs(), "torch")
    with pytest.raises(InputError, match="identities"):
        run(STRAIGHT, plan(check=True), START[STRAIGHT], rngs())
