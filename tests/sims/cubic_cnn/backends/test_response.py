"""The answer to polynomial gradients is what stepping the recursion gives, and what geometric sums give where no one
can step."""

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tolerances import assert_close, tolerance

from lemmascope.sims.cubic_cnn.backends import response
from lemmascope.sims.cubic_cnn.backends.response import Response, Window
from lemmascope.theory.errors import InputError

DEGREE = 8
SHORTEST = 64  # `sims.cubic_cnn.backends.fast_forward`
HUGE = 2**45
BEYOND = [15 * 2**51, 2**54, 9 * 2**60]
"""Lengths that a double represents, as `fast_forward` has them, though it does not count up to them."""

TINY = 1e-290  # below, a double has fewer digits

NUMBERS = st.just(0.0) | st.floats(1e-4, 2.0)
RECURSIONS = st.tuples(
    st.sampled_from([0.0, 0.9999, 1.0]) | st.floats(0, 1, allow_subnormal=False), NUMBERS, NUMBERS, NUMBERS
)
EIGHTHS = st.integers(-100, 100).map(lambda k: k / 8)


@st.composite
def cases(draw):
    """(recursion, degree, M, θ_0, u_0, coefficients of Chebyshev polynomials on [0, M])."""
    degree = draw(st.integers(1, DEGREE) | st.just(DEGREE), label="degree")
    length = draw(st.sampled_from([SHORTEST, 4096]) | st.integers(SHORTEST, 4096), label="length")
    coefficients = draw(st.lists(EIGHTHS, min_size=1, max_size=degree + 1), label="gradient")
    return draw(RECURSIONS, label="recursion"), degree, length, draw(EIGHTHS), draw(EIGHTHS), coefficients


def gradient(coefficients, length):
    """The polynomial at s = 0 … M, in extended precision."""
    x = 2 * np.arange(length + 1, dtype=np.longdouble) / length - 1
    return np.polynomial.chebyshev.chebval(x, np.array(coefficients, np.longdouble))


def stepped(recursion, theta, u, gradients):
    """θ_0 … θ_M and u_M by the recursion of `theory.optimizers`, in extended precision."""
    gamma, kappa, p, q = (np.longdouble(x) for x in recursion)
    theta, u = np.longdouble(theta), np.longdouble(u)
    found = [theta]
    for g in gradients[:-1]:
        u = gamma * u + kappa * g
        theta = theta - p * u - q * g
        found.append(theta)
    return np.array(found), u


def check_window(recursion, degree, length, theta, u, coefficients, used=None):
    """All that a `Window` says, for the recursion or for the one ``used`` in its place, against stepping.

    The size that errors are relative to is |θ_0| and the way gone under gradients of the largest size, all of one sign;
    what is below 10⁻²⁹⁰ may be 0.
    """
    window = Window(Response(used or recursion, degree), length)
    gradients = gradient(coefficients, length)
    path, buffer = stepped(recursion, theta, u, gradients)
    largest = np.full(length + 1, np.max(np.abs(gradients)))
    way, most = stepped(recursion, 0.0, abs(u), largest)
    scale = abs(theta) + np.abs(way) + 1e-290
    values = gradients[window.nodes].astype(float)
    inside = [0, 1, 2, 3, length // 7, length // 3, length - 2, length - 1]
    for name, steps, (w_u, w) in (
        ("nodes", window.nodes, window.at_nodes),
        ("checks", window.checks, window.at_checks[:2]),
        ("inside", inside, window.weights(inside)),
    ):
        assert w_u.shape == (len(steps),)
        assert w.shape == (len(steps), degree + 1)
        assert w.dtype == np.float64
        found = theta + w_u * u + w @ values
        assert_close(found, path[steps].astype(float), scale=scale[steps].astype(float), note=name)
    kept, gained = window.buffer
    assert_close(kept * u + gained @ values, float(buffer), scale=float(most) + TINY, note="buffer")
    at_checks = window.interpolation @ values
    assert_close(at_checks, gradients[window.checks].astype(float), scale=float(largest[0]), note="interpolation")
    unit = stepped(recursion, 0.0, 0.0, np.ones(length + 1))[0][-1]
    assert_close(window.gain, -float(unit), note="gain")


@given(cases())
@example(((0.9999, 1e-4, 0.1, 0.0), 8, 4096, 1.0, -1.0, [1.0] * 9))
@example(((0.0, 1.0, 0.5, 0.25), 8, 64, 1.0, 1.0, [0.0] * 8 + [1.0]))
@example(((1.0, 1.0, 1.0, 1.0), 8, 4096, 0.0, 1.0, [1.0, -1.0] * 4))
def test_a_window_is_its_steps(case):
    check_window(*case)


RIGHT = (0.9999, 0.25, 0.125, 0.5)
CASE = (8, 4096, 1.0, 2.0, [1.0, -0.5, 0.25, 0.5, -1.0, 0.75, 0.5, -0.25, 1.0])


def off(place, by):
    return tuple(x + by * (i == place) for i, x in enumerate(RIGHT))


@pytest.mark.parametrize(
    "used",
    [off(0, 1e-12), off(0, -1e-12), off(1, 1e-11), off(2, 1e-11), off(3, 1e-7)],
    ids=["γ above", "γ below", "κ", "p", "q, which has a ten-thousandth of a share"],
)
def test_a_recursion_a_trace_off_is_seen(used):
    check_window(RIGHT, *CASE)
    with pytest.raises(AssertionError):
        check_window(RIGHT, *CASE, used=used)


def no_shift(right):
    def step(self, recursion, degree):
        right(self, recursion, degree)
        self.powers[0][2:, 3:] = np.eye(degree + 1, degree)

    return step


def late_gradient(right):
    """The gradient of the step before last in θ: the buffer before it has been updated."""

    def step(self, recursion, degree):
        right(self, recursion, degree)
        self.powers[0][0, 2] = -np.longdouble(recursion[3])

    return step


@pytest.mark.parametrize("wrong", [no_shift, late_gradient])
def test_a_wrong_step_is_seen(monkeypatch, wrong):
    monkeypatch.setattr(Response, "__init__", wrong(Response.__init__))
    with pytest.raises(AssertionError):
        check_window(RIGHT, *CASE)


def test_a_degree_too_low_is_seen():
    degree, *rest = CASE
    with pytest.raises(AssertionError):
        check_window(RIGHT, degree - 1, *rest)


@pytest.mark.parametrize("gamma", [-1e-300, -0.5, 1 + 2.0**-52, 2.0, np.nan, np.inf])
def test_momentum_outside_the_unit_interval_is_refused(gamma):
    with pytest.raises(InputError, match=r"gamma = .* is not accepted"):
        Response((gamma, 0.1, 0.1, 0.0), DEGREE)


# --- nodes ---------------------------------------------------------------------------------------------------------


EIGHT_TO_FIFTEEN = st.tuples(st.integers(8, 15), st.integers(3, 60)).map(lambda pair: pair[0] * 2 ** pair[1])


@given(st.integers(SHORTEST, 5000) | EIGHT_TO_FIFTEEN, st.integers(1, DEGREE))
@example(SHORTEST, DEGREE)
@example(4 * DEGREE, DEGREE)
@example(HUGE, DEGREE)
@example(2**53, DEGREE)
@example(15 * 2**60, DEGREE)
def test_nodes_and_checks(length, degree):
    """From 0 to M, increasing, each within one half of a Chebyshev–Lobatto point; a check between each two."""
    window = Window(Response((0.5, 0.5, 1.0, 0.0), degree), length)
    nodes, checks = window.nodes, window.checks
    assert (nodes[0], nodes[-1], len(nodes)) == (0, length, degree + 1)
    assert all(a < b for a, b in pairwise(nodes))
    for i, node in enumerate(nodes):
        assert abs(node - length * mp.sin(mp.pi * i / (2 * degree)) ** 2) <= 0.5 + length * tolerance("identity")
    for a, b in pairwise(nodes):
        assert sum(a < check < b for check in checks) == (b - a > 1)
    assert set(checks).isdisjoint(nodes)
    assert window.interpolation.shape == (len(checks), degree + 1)


@pytest.mark.parametrize("length", [SHORTEST, 1000, 2**30, HUGE, *BEYOND])
def test_interpolation_reproduces_polynomials(length):
    """All T_k up to the degree; one more is not reproduced. The rows add up to one."""
    window = Window(Response((0.5, 0.5, 1.0, 0.0), DEGREE), length)
    for k in range(DEGREE + 2):
        at = [
            np.array([float(mp.chebyt(k, 2 * mp.mpf(s) / length - 1)) for s in steps])
            for steps in (window.nodes, window.checks)
        ]
        if k <= DEGREE:
            assert_close(window.interpolation @ at[0], at[1], scale=1.0, note=f"T_{k}")
        else:
            assert np.max(np.abs(window.interpolation @ at[0] - at[1])) > 0.1
    assert_close(window.interpolation.sum(axis=1), np.ones(len(window.checks)))


@pytest.mark.parametrize("length", [4 * DEGREE - 1, 0, 2**53 + 1, 2**54 + 2, 15 * 2**51 + 1, 2**60 - 1])
def test_lengths_that_are_refused(length):
    """Too short for its nodes; or of more than 53 bits, so that they would be those of another length."""
    window = Window(Response((0.5, 0.5, 1.0, 0.0), DEGREE), length)
    with pytest.raises(InputError, match=r"length = .* 32 steps or more, in 53 bits or less"):
        window.nodes  # noqa: B018


def test_binomials():
    """Row s of Pascal's triangle, and the Newton shift C(s + 1, k) = C(s, k) + C(s, k − 1)."""
    assert response._binomials(5, 6) == [1, 5, 10, 10, 5, 1, 0]
    for s in (0, 3, HUGE):
        here, there = response._binomials(s, DEGREE), response._binomials(s + 1, DEGREE)
        assert there[1:] == [b + a for a, b in pairwise(here)]


# --- lengths that no one steps -------------------------------------------------------------------------------------


def closed_form(recursion, s):
    """The rows of `Response.after`, from geometric sums (400 digits).

    F_k(s) = Σ_{i<s} γ^{s−1−i} C(i, k) is what u_s has of b_k, over κ. F_k(s + 1) − γF_k(s) = C(s, k) and
    C(s + 1, k) − C(s, k) = C(s, k − 1) give F_k = (C(s, k) − F_{k−1})/(1 − γ), F_0 = (1 − γ^s)/(1 − γ). Summed over
    the steps, Σ_{t≤s} F_k(t) = (C(s, k + 1) − γF_k(s))/(1 − γ). For γ = 1 they are C(s, k + 1) and C(s + 1, k + 2).
    """
    gamma, kappa, p, q = (mp.mpf(x) for x in recursion)
    C = response._binomials(s, DEGREE + 1)
    C = [mp.mpf(x.numerator) / x.denominator for x in C]
    if gamma == 1:
        next_row = response._binomials(s + 1, DEGREE + 2)
        F, total = C[1:], [mp.mpf(x.numerator) for x in next_row[2:]]
        of_u = mp.mpf(s)
    else:
        F = [(1 - gamma**s) / (1 - gamma)]
        for k in range(1, DEGREE + 1):
            F.append((C[k] - F[-1]) / (1 - gamma))
        total = [(C[k + 1] - gamma * F[k]) / (1 - gamma) for k in range(DEGREE + 1)]
        of_u = gamma * F[0]
    theta = [mp.mpf(1), -p * of_u] + [-(p * kappa * total[k] + q * C[k + 1]) for k in range(DEGREE + 1)]
    return theta, [mp.mpf(0), gamma**s] + [kappa * F[k] for k in range(DEGREE + 1)]


def check_rows(recursion, s):
    """Each entry is right to rounding, relative to itself; what is below 10⁻³⁰⁰ may be 0."""
    with mp.workdps(400):
        rows = zip(Response(recursion, DEGREE).after(s), closed_form(recursion, s), strict=True)
        for name, (row, expected) in zip(("θ", "u"), rows, strict=True):
            for k, (x, y) in enumerate(zip(row, expected, strict=True)):
                error = mp.mpf(float(x)) + mp.mpf(float(x - np.longdouble(float(x)))) - y
                assert abs(error) <= tolerance("identity") * abs(y) + 1e-300, f"{name}, entry {k}: {x} and {mp.nstr(y)}"


GAMMAS = [0.0, 0.5, 0.9, 0.9999, 1 - 1e-6, 1.0]


@pytest.mark.parametrize("s", [1, 2, 63, 4096, 2**30 - 1, HUGE, *BEYOND, 2**54 + 1])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_huge_lengths_are_geometric_sums(gamma, s):
    check_rows((gamma, 1 - gamma or 0.3, 0.1, 0.0), s)
    check_rows((gamma, 0.01, gamma, 0.01), s)


def test_the_geometric_sums_are_the_steps():
    """The closed form itself, on a length that can be stepped, against plain sums in fractions of 400 digits."""
    s, recursion = 40, (0.9, 0.25, 0.5, 0.125)
    with mp.workdps(400):
        gamma, kappa, p, q = map(mp.mpf, recursion)
        for k in range(DEGREE + 1):
            u = theta = mp.mpf(0)
            for t in range(s):
                g = mp.binomial(t, k)
                u = gamma * u + kappa * g
                theta -= p * u + q * g
            rows = closed_form(recursion, s)
            assert abs(rows[0][2 + k] - theta) <= tolerance("identity") * abs(theta)
            assert abs(rows[1][2 + k] - u) <= tolerance("identity") * abs(u)


def test_a_trace_in_the_momentum_is_seen_after_a_huge_length():
    recursion = (0.9999, 1e-4, 0.1, 0.0)
    rows = Response((0.9999 + 1e-12, *recursion[1:]), DEGREE).after(HUGE)
    with mp.workdps(400):
        expected = closed_form(recursion, HUGE)
        assert abs(mp.mpf(float(rows[0][2])) / expected[0][2] - 1) > 1e3 * tolerance("identity")


@pytest.mark.parametrize("s", [HUGE, *BEYOND])
@pytest.mark.parametrize("gap", [1.3e-10, 1.3e-11, 1.3e-12, 2.6e-13, 2.6e-15])
def test_momentum_next_to_one(gap, s):
    """As `cubic_cnn.scaling` has it: 1 − γ = 2.6·10⁻³/d."""
    check_rows((1 - gap, gap, 0.1, 0.0), s)


@pytest.mark.parametrize("length", [HUGE, *BEYOND])
@pytest.mark.parametrize("gap", [1e-4, 2.6e-15])
def test_of_a_huge_window_every_weight_is_right(gap, length):
    """Gradients that are a polynomial of degree 8 over all the steps: θ at the nodes and checks, u at the end."""
    recursion = (1 - gap, gap, 0.1, 0.01)
    window = Window(Response(recursion, DEGREE), length)
    b = [mp.mpf((-1) ** k * (k + 1)) / mp.binomial(length, k) for k in range(DEGREE + 1)]
    with mp.workdps(400):
        values = np.array([float(mp.fdot(b, [mp.binomial(s, k) for k in range(DEGREE + 1)])) for s in window.nodes])
        size = np.max(np.abs(values)) * window.gain
        for steps, (w_u, w) in ((window.nodes, window.at_nodes), (window.checks, window.at_checks[:2])):
            expected = []
            for s in steps:
                row = closed_form(recursion, s)[0]
                expected.append(float(row[1] + mp.fdot(row[2:], b)))
            assert_close(w_u + w @ values, np.array(expected), scale=size)
        row = closed_form(recursion, length)[1]
        kept, gained = window.buffer
        assert_close(kept + gained @ values, float(row[1] + mp.fdot(row[2:], b)), scale=np.max(np.abs(values)))
        gain = -closed_form(recursion, length)[0][2]
        assert_close(window.gain, float(gain))
