"""Runs on scale-invariant losses: machine code, the reference, the house's optimizers; the angle's law by powers."""

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.sims.noise import draws
from lemmascope.sims.noise.draws import generators
from lemmascope.sims.scale_invariant import angles
from lemmascope.sims.scale_invariant.angles import rest
from lemmascope.sims.scale_invariant.linear import beside, effective_steps
from lemmascope.sims.scale_invariant.plan import AdamCase, Case
from lemmascope.sims.scale_invariant.runs import DELTA, directions, run
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import SGDP, Adam, AdamP, MomentumAverage
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.scale_invariant.losses import Circle, Noise, Quadratic, Rayleigh

D = 12
CASES = [
    Case(0.1, 0.2),
    Case(0.3, 0.1, 0.9, start=2.0),
    Case(0.3, 0.1, 0.9, True, 2.0),
    Case(0.05, beta=0.5, projected=True),
    Case(0.2, reset=True),
]
ADAMS = [AdamCase(0.01, beta1, 0.9, p, start=3.0) for beta1 in (0.0, 0.8) for p in (False, True)]
LOSSES = {"noise": Noise(), "rayleigh": Rayleigh(0.7), "quadratic": Quadratic()}


def rngs(count=2, seed=0):
    return generators(streams(0, "test", seed), "noise", count)


def start(count=2, d=D):
    return directions(rngs(count, 1), d)


@pytest.mark.parametrize("name", LOSSES)
def test_machine_code_is_the_reference(name):
    loss = LOSSES[name]
    cases = [case for case in CASES if not (name == "quadratic" and case.projected)]
    runs = [
        run(loss, cases, start(), rngs(), (3, 20, 50), backend, xp)
        for backend, xp in (("compiled", None), ("numpy", None), ("numpy", array_api_strict))
    ]
    for one in runs[1:]:
        for what, expected in one.items():
            if what == "error" and name != "quadratic":
                assert np.max(expected) < 64 * D * 2.0**-52
                assert np.max(runs[0][what]) < 64 * D * 2.0**-52
            else:
                scale = max(np.max(np.abs(expected)), 1e-3)
                assert_close(runs[0][what], expected, "backend", scale=scale, note=what)


def test_machine_code_is_adam():
    compiled, reference, strict = (
        run(Noise(), ADAMS, start(), rngs(), (1, 50), backend, xp)["G"]
        for backend, xp in (("compiled", None), ("numpy", None), ("numpy", array_api_strict))
    )
    assert_close(compiled, reference, "backend")
    assert_close(strict, reference, "backend")


def by_class(optimizer, loss, case, rng, steps=50):
    """|w|² along a run of one of the house's optimizers, which takes arrays of rows."""
    w = start(1) * case.start**0.5
    noise, state, seen = rng.standard_normal((steps, D)), optimizer.init(w), []
    for t in range(steps):
        w, state = optimizer.step(w, loss.gradient(w, noise[None, t]), state, t)
        seen.append(float(np.sum(w * w)))
    return np.array(seen)


@pytest.mark.parametrize("name", ["noise", "rayleigh"])
@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_projected_loop_is_the_houses_sgdp(name, beta):
    """Where |w| is 10⁴ the class's ε of lengths is 10⁻¹² of it; the class has the decay λr/(1 − β)."""
    case = Case(1e7, 1e-8, beta, True, 1e8)
    theirs = SGDP(case.eta, beta, case.decay * (1 - beta) / 0.1, DELTA, 0.1)
    (rng,) = rngs(1)
    found = run(LOSSES[name], [case], start(1), rngs(1), range(1, 51))["G"][0, 0]
    assert_close(found, by_class(theirs, LOSSES[name], case, rng), "trajectory")
    assert abs(found[-1] / found[0] - 1) > 0.05


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_without_projection_it_is_momentum(beta):
    """The average form at η/(1 − β) is the velocity's at η."""
    case = Case(0.1, 0.0, beta)
    found = run(Rayleigh(0.5), [case], start(1), rngs(1), range(1, 51))["G"][0, 0]
    theirs = by_class(MomentumAverage(case.eta / (1 - beta), beta), Rayleigh(0.5), case, rngs(1)[0])
    assert_close(found, theirs, "trajectory")


@pytest.mark.parametrize("case", ADAMS, ids=lambda case: f"{case.beta1}-{case.projected}")
def test_the_loop_of_adam_is_the_houses(case):
    kind = AdamP if case.projected else Adam
    theirs = kind(case.eta, case.beta1, case.beta2, case.epsilon)
    found = run(Noise(), [case], start(1), rngs(1), range(1, 51))["G"][0, 0]
    assert_close(found, by_class(theirs, Noise(), case, rngs(1)[0]), "trajectory")


def test_blocks_and_other_replicas_change_nothing(monkeypatch):
    whole = run(Rayleigh(), CASES, start(), rngs(2), (100, 200))
    alone = run(Rayleigh(), CASES, start()[1:], rngs(2)[1:], (100, 200))
    several = beside(Rayleigh(), CASES[0], D, rngs(2), (100, 200))
    monkeypatch.setattr(draws, "MOST", 1)
    pieces = run(Rayleigh(), CASES, start(), rngs(2), (100, 200))
    for name in whole:
        assert np.array_equal(pieces[name], whole[name])
        assert np.array_equal(alone[name], whole[name][:, 1:])
    for one, other in zip(several, beside(Rayleigh(), CASES[0], D, rngs(2), (100, 200)), strict=True):
        assert np.array_equal(one, other)


def test_powers_of_two_give_the_same_bits_and_other_factors_do_not():
    cases = [Case(0.1, 0.01), *(Case(c * c * 0.1, 0.01 / (c * c), start=c * c) for c in (4.0, 0.5, 3.0))]
    one, four, half, three = run(Rayleigh(), cases, start(), rngs(), range(1, 101))["loss"]
    assert np.array_equal(one, four)
    assert np.array_equal(one, half)
    assert 0 < np.max(np.abs(one - three)) < 1e-12


def test_the_recursion_misses_what_it_must():
    found = run(Noise(), CASES[1:4], start(), rngs(), (50,))
    assert np.min(found["wrong"][0]) > 1e-3
    assert np.max(found["wrong"][1:]) < 1e-13
    assert np.min(run(Quadratic(), CASES[1:2], start(), rngs(), (50,))["error"]) > 1e-2
    last = run(Noise(), [Case(0.1, 0.5, start=norms.equilibrium(0.1, 0.5))], start(), rngs(), (50,))
    assert_close(last["angle"], np.full((1, 2), norms.angle(0.05)))
    assert np.max(np.abs(run(Noise(), CASES[4:], start(), rngs(), (50,))["G"] - 1)) < 1e-14


def test_what_leaves_the_finite_numbers_is_nan():
    with np.errstate(all="ignore"):
        found = run(Quadratic(), [Case(5.0)], start(), rngs(), (5, 3000))
    assert np.isnan(found["G"][..., -1]).all()
    assert np.isfinite(found["G"][..., 0]).all()


def test_the_companion_is_close_and_its_mean_is_known():
    case = Case(0.1, 0.01, start=norms.equilibrium(0.1, 0.01))
    loss, companion, exact = beside(Rayleigh(), case, 32, rngs(256), (20, 60))
    error = companion.std(axis=0, ddof=1) / 16
    assert np.all(np.abs(companion.mean(axis=0) - exact) < 5 * error)
    assert np.all((loss - companion).std(axis=0) < 0.4 * loss.std(axis=0))
    numpy = beside(Rayleigh(), case, 32, rngs(2), (20, 60), "numpy")[0]
    assert_close(loss[:2], numpy, "backend")
    assert_close(effective_steps(case, 1.0, 3), np.full(3, 0.1 / case.start))


def test_steps_to_rest_are_those_of_one_power_after_another():
    circle, cells, place = Circle(0.1, 0.02), 128, 0.01
    found = rest(circle, place, cells)
    kernel, U = circle.kernel(np, place, cells), circle.potential(circle.grid(np, cells))
    law, near = np.eye(cells)[cells // 2], []
    for _ in range(2 * found.steps):
        near.append(abs(law @ U / found.stationary - 1) <= 0.1)
        law = law @ kernel
    assert found.steps == 221
    assert not near[found.steps - 1]
    assert all(near[found.steps :])
    second = np.sort(np.abs(np.linalg.eigvals(kernel)))[-2]
    assert abs(found.slowest / (-1 / np.log(second)) - 1) < 1e-3
    other = rest(circle, place, cells, xp=array_api_strict)
    assert (other.steps, round(other.slowest, 6)) == (found.steps, round(found.slowest, 6))


def test_the_kernel_is_the_chain_of_angle_and_norm():
    """2000 joint chains at ηλ = 0.03, with |w|² free, end at the kernel's mean loss."""
    circle, place, eta = Circle(0.1, 0.02), 0.03, 0.1
    a, rng = 1 - place, np.random.default_rng(0)
    theta, G = np.full(2000, np.pi), np.full(2000, norms.equilibrium(eta, place / eta))
    total = []
    for t in range(600):
        g = circle.slope(theta) + circle.sigma * rng.standard_normal(2000)
        theta, G = theta - np.arctan(eta * g / (a * G)), a * a * G + eta**2 * g * g / G
        if t >= 200 and t % 40 == 0:
            total.append(circle.potential(theta).mean())
    assert abs(np.mean(total) / rest(circle, place, 128).stationary - 1) < 0.05


def test_kramers_time_is_near_where_the_step_is_small():
    for place, most in ((1e-3, 0.2), (3e-4, 0.1)):
        circle = Circle(0.1, 0.02)
        assert abs(circle.kramers(place) / rest(circle, place, 260).slowest - 1) < most


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Case(0.0), "eta"),
        (lambda: Case(0.1, 10.0), "eta · decay"),
        (lambda: Case(0.1, beta=1.0), "beta"),
        (lambda: Case(0.1, start=float("nan")), "start"),
        (lambda: AdamCase(0.1, beta2=1.0), "beta2"),
        (lambda: run(Noise(), CASES, start(), rngs(), (5, 5)), "increasing"),
        (lambda: run(Noise(), CASES, start(), rngs(), ()), "one or more"),
        (lambda: run(Noise(), CASES, start(), rngs(), (5,), "torch"), "backend"),
        (lambda: run(Noise(), [], start(), rngs(), (5,)), "cases"),
        (lambda: run(Noise(), [CASES[0], ADAMS[0]], start(), rngs(), (5,)), "one kind"),
        (lambda: run(Rayleigh(), ADAMS, start(), rngs(), (5,)), "Noise"),
        (lambda: run(Noise(), CASES, start(3), rngs(), (5,)), "start"),
        (lambda: rest(Circle(), 0.01, 65), "even"),
        (lambda: rest(Circle(), 0.6, 64), "eta_lambda"),
    ],
)
def test_what_cannot_run_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_a_law_that_does_not_rest_is_refused(monkeypatch):
    monkeypatch.setattr(angles, "SQUARINGS", 3)
    with pytest.raises(InputError, match="not at rest"):
        rest(Circle(), 0.01, 64)
