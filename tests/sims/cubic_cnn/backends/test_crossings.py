"""Hitting times of fast-forward: on functions of the kind that a window has, and on runs with a peak that a threshold
is laid just under and just over, against every step."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lemmascope.sims.cubic_cnn.backends import crossings, fast_forward
from lemmascope.sims.cubic_cnn.backends.crossings import first_reached
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov

# --- functions ----------------------------------------------------------------------------------------------------


def counted(f):
    """f, and a list whose length is how often a step was asked for."""
    asked = []

    def above(steps):
        asked.extend(steps)
        return f(np.array(steps, dtype=float))

    return above, asked


@st.composite
def windows(draw):
    """Quantities like those of a window, (polynomial of degree 9 + A γˢ) or its cube, on up to 40000 steps."""
    length = draw(st.integers(64, 40_000))
    gamma = draw(st.sampled_from([0.5, 0.9, 0.999, 0.99999]))
    columns = draw(st.integers(1, 3))
    eighths = st.integers(-40, 40).map(lambda k: k / 8)
    pieces = [
        (draw(st.lists(eighths, min_size=1, max_size=10)), draw(eighths), draw(st.sampled_from([1, 3])))
        for _ in range(columns)
    ]

    def f(s):
        x = 2 * s / length - 1
        return np.stack(
            [(np.polynomial.chebyshev.chebval(x, b) + A * np.exp(s * math.log(gamma))) ** k for b, A, k in pieces], -1
        )

    return f, length, -math.log(gamma), draw(st.booleans()), draw(st.sampled_from([1e-2, 1e-6, 1e-10, 0.0, -1e-10]))


@given(windows())
def test_it_is_the_first_of_all_steps(case):
    """Against every step, with the threshold laid by a little under the peak, at it, or over it."""
    f, length, fading, every, under = case
    values = f(np.arange(length + 1.0))
    reached = values.min(axis=-1) if every else values.max(axis=-1)
    size = float(np.abs(values).max())
    threshold = float(reached.max()) - under * size
    hits = np.flatnonzero(reached >= threshold)
    above, asked = counted(lambda s: f(s) - threshold)
    found = first_reached(above, length, every=every, size=abs(threshold), fading=fading)
    assert found == (int(hits[0]) if hits.size else None)
    assert len(asked) <= max(2 * length, 20_000)


@pytest.mark.parametrize("exponent", [20, 40, 60])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("power", [2, 6, 10])
def test_a_peak_in_a_window_that_no_one_steps(exponent, sign, power):
    """1 − (s/M − x)² against 1 ∓ 10⁻ᵖ: reached over a share of the window, or nowhere; at a few thousand looks."""
    length, x, by = 2**exponent, 0.018, 10.0**-power
    above, asked = counted(lambda s: (1 - (s / length - x) ** 2 - (1 - sign * by))[:, None])
    found = first_reached(above, length, every=False, size=1.0, fading=0.0)
    if sign < 0:
        assert found is None
    else:
        expected = (x - math.sqrt(by)) * length
        assert found == 0 if expected < 0 else abs(found - expected) <= 1 + 1e-4 * math.sqrt(by) * length
    assert len(asked) < 10_000


def test_two_crossings_and_a_minimum_between():
    """Three times up and down: the first way up counts; and of two quantities, where both are up."""
    length = 100_000

    def waves(s):
        x = np.pi * s / length
        return np.stack([np.sin(3 * x), -np.cos(4 * x)], -1)

    # sin 3x ≥ 0.5 from x = π/18 on; −cos 4x ≥ 0.5 from x = π/6, where the former goes down again at 5π/18.
    for every, share in ((False, 1 / 18), (True, 1 / 6)):
        above, _ = counted(lambda s: waves(s) - 0.5)
        assert first_reached(above, length, every=every, size=0.5, fading=0.0) == math.ceil(share * length)
    above, _ = counted(lambda s: waves(s)[:, :1] * (s > 0.2 * length)[:, None] - 0.5)  # begins on its way down
    assert first_reached(above, length, every=True, size=0.5, fading=0.0) == int(0.2 * length) + 1


def test_a_bump_that_fades_before_the_first_node():
    """γˢ − γ²ˢ has its peak ¼ after log 2/(1 − γ) steps, and is 0 at the beginning and from there on."""
    length, gap = 2**40, 1e-4
    above, _ = counted(lambda s: (np.exp(-gap * s) - np.exp(-2 * gap * s) - 0.2499)[:, None])
    found = first_reached(above, length, every=False, size=0.25, fading=gap)
    assert found == math.ceil(-math.log((1 + math.sqrt(1 - 4 * 0.2499)) / 2) / gap)


@settings(max_examples=10)
@example(0.0)
@example(1e-15)
@given(st.floats(-1e-14, 1e-14))
def test_what_rests_on_its_threshold_ends(height):
    """A quantity that is not told from its threshold for 2⁶⁰ steps: an answer, after few looks."""
    above, asked = counted(lambda s: np.full((s.size, 1), height) + 1e-16 * np.sin(s)[:, None])
    first_reached(above, 2**60, every=False, size=1.0, fading=1e-6)
    assert len(asked) < 20_000


def test_without_the_coefficients_after_the_first_a_peak_is_missed(monkeypatch):
    """The negative control: only the mean of a piece is held against the threshold."""
    right = crossings._points

    def mean(length):
        offsets, to_coefficients = right(length)
        return offsets, np.where(np.arange(crossings.POINTS + 1)[:, None] > 0, 0, to_coefficients)

    def found():
        above, _ = counted(lambda s: (1 - (s / 2**40 - 0.0185) ** 2 - (1 - 1e-9))[:, None])
        return first_reached(above, 2**40, every=False, size=1.0, fading=0.0)

    assert found() is not None
    monkeypatch.setattr(crossings, "_points", mean)
    assert found() is None


# --- runs ---------------------------------------------------------------------------------------------------------


def law(noise, lam):
    """The penalty λ takes c and the memorization back down."""
    shape = {"d": 40, "N": 12, "P": 2, "m": 4, "alpha": 2.0, "beta": 0.2, "mu": 0.25}
    return Parameters(**shape, sigma=noise / math.sqrt(40), sigma_0=0.5 / math.sqrt(40), lam=lam)


RUNS = {
    "GD": (law(2, 5e-3), GD(0.01), 4500),
    "momentum": (law(4, 2e-2), MomentumAverage(0.01, 0.999), 4000),
    "Nesterov": (law(4, 2e-2), Nesterov(1e-5, 0.999), 4000),
}
CASES = [("GD", 0), ("momentum", 0), ("momentum", 1), ("Nesterov", 0), ("Nesterov", 1)]


def stepped(law, optimizer, T):
    """max c and the smallest memorization of Z₂ at every iteration, by the readable system and the optimizer's step."""
    drawn = LawProblem(law, "exact").draw(streams(0, "simulate", 0)).projection()
    names = ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
    system = CoefficientSystem(
        **{name: getattr(drawn, name)[None] for name in names}, lam=law.lam, has_feature=True, of_the_law=True
    )
    theta = system.initial(1)
    state, found = optimizer.init(theta), []
    for t in range(T + 1):
        view, grad = system.evaluate(theta)
        found.append((view.c.max(), view.memorization[0, 0][drawn.small].min()))
        theta, state = optimizer.step(theta, grad, state, t)
    return np.array(found)


@pytest.fixture(scope="module")
def paths():
    return {name: stepped(*run) for name, run in RUNS.items()}


@pytest.mark.parametrize("under", [1e-2, 1e-4, 1e-6, 1e-8, -1e-8, -1e-4])
@pytest.mark.parametrize(("name", "which"), CASES, ids=[f"{name}, T_{which}" for name, which in CASES])
def test_a_threshold_at_a_peak(monkeypatch, paths, name, which, under):
    """Just under it the crossing is found, to the iteration; just over it there is none."""
    (law, optimizer, T), path = RUNS[name], paths[name][:, which]
    peak = int(np.argmax(path))
    assert 0 < peak < T
    threshold = path[peak] * (1 - under)
    hits = np.flatnonzero(path >= threshold)
    if which == 0:
        monkeypatch.setattr(predictions, "signal_threshold", lambda p: threshold)
    else:
        monkeypatch.setattr(predictions, "MEMORIZATION_THRESHOLD", threshold)
    run = simulate(LawProblem(law, "exact"), {"it": optimizer}, iterations=T, audit=False, fast_forward=1e-10)
    found = run[("T_0", "T_1")[which]].item()
    if hits.size == 0:
        assert math.isnan(found)
    elif under >= 1e-4:
        assert found == hits[0]
    else:  # next to the peak a step changes less than the windows' error: as far as that moves the crossing
        early = np.flatnonzero(path >= threshold * (1 - 1e-9))[0]
        late = np.flatnonzero(path >= threshold * (1 + 1e-9))
        assert early <= found <= (late[0] if late.size else peak + (peak - early))


def test_a_threshold_that_is_met_only_between_the_nodes(monkeypatch, paths):
    """What was missed: no node of a window has reached it."""
    law, optimizer, T = RUNS["momentum"]
    path = paths["momentum"][:, 0]
    threshold = path.max() * (1 - 1e-7)
    monkeypatch.setattr(predictions, "signal_threshold", lambda p: threshold)
    nodes = []
    right = fast_forward._Member._take

    def take(self, window, states, seen):
        nodes.extend(np.max(seen[0], axis=-1))
        right(self, window, states, seen)

    monkeypatch.setattr(fast_forward._Member, "_take", take)
    run = simulate(LawProblem(law, "exact"), {"it": optimizer}, iterations=T, audit=False, fast_forward=1e-8)
    assert max(nodes) < threshold
    assert run.T_0.item() == np.flatnonzero(path >= threshold)[0]
