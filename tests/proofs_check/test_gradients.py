"""Hand-written gradients: right ones pass, wrong ones are named, and what cannot be told is neither."""

import itertools
import math

import numpy as np
import pytest
from checks import complex_loss
from hypothesis import given, settings
from hypothesis import strategies as st

from lemmascope.proofs_check import gradients
from lemmascope.proofs_check.derivatives import COMPLEX, FINITE
from lemmascope.proofs_check.gradients import GradientMismatch, check_gradient
from lemmascope.theory.cubic_cnn import weights
from lemmascope.theory.errors import InputError


def normal(*shape, dtype=np.float64):
    return lambda rng: np.asarray(rng.standard_normal(shape), dtype)


def logsumexp(x):
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def relu(x):
    return np.maximum(x, 0)


RIGHT = {
    "cube": (lambda x: np.sum(x**3), lambda x: 3 * x**2, normal(4), COMPLEX),
    "one entry": (lambda x: x**2, lambda x: 2 * x, lambda rng: rng.standard_normal(), COMPLEX),
    "matrix": (lambda W: np.sum(np.sin(W) * W), lambda W: np.sin(W) + W * np.cos(W), normal(2, 3), COMPLEX),
    "log-sum-exp": (logsumexp, lambda x: np.exp(x - logsumexp(x)), normal(5), COMPLEX),
    "log-sum-exp, far apart": (
        logsumexp,
        lambda x: np.exp(x - logsumexp(x)),
        lambda rng: 100 * rng.standard_normal(5),
        COMPLEX,
    ),
    "ReLU": (lambda x: np.sum(relu(x) ** 2 + relu(x)), lambda x: 2 * relu(x) + (x > 0), normal(6), COMPLEX),
    "|x|³": (lambda x: np.sum(np.abs(x) ** 3), lambda x: 3 * x * np.abs(x), normal(4), FINITE),
    "|x|": (lambda x: np.sum(np.abs(x)), np.sign, normal(4), FINITE),
    "a part that is not analytic": (
        lambda x: np.sum(x**2 + 1e-6 * abs(x)),
        lambda x: 2 * x + 1e-6 * np.sign(x),
        normal(4),
        FINITE,
    ),
    "conjugates": (lambda x: np.sum(x * np.conj(x)), lambda x: 2 * x, normal(4), FINITE),
    "real parts": (lambda x: np.sum(np.real(x) ** 2), lambda x: 2 * x, normal(4), FINITE),
    "vdot": (lambda x: np.vdot(x, x), lambda x: 2 * x, normal(4), FINITE),
    "no complex numbers": (lambda x: math.fsum(math.exp(v) for v in x), np.exp, normal(3), FINITE),
    "a buffer of floats": (
        lambda x: np.sum(np.copyto(buffer := np.empty(3), x) or buffer**3),
        lambda x: 3 * x**2,
        normal(3),
        FINITE,
    ),
    "1e-200": (lambda x: 1e-200 * np.sum(x**3), lambda x: 3e-200 * x**2, normal(4), COMPLEX),
    "1e200": (lambda x: 1e200 * np.sum(np.abs(x) ** 3), lambda x: 3e200 * x * np.abs(x), normal(4), FINITE),
    "tiny parameters": (lambda x: np.sum(np.log(x)), lambda x: 1 / x, lambda rng: 1e-8 * rng.random(3), COMPLEX),
    "fast oscillation": (
        lambda x: np.sum(np.cos(1e6 * np.real(x))),
        lambda x: -1e6 * np.sin(1e6 * x),
        normal(2),
        FINITE,
    ),
    "cancellation": (lambda x: np.sum((x + 1e4) ** 2 - 1e8 - 2e4 * x), lambda x: 2 * x, normal(3), FINITE),
    "float32": (lambda x: np.sum(x**3), lambda x: 3 * x**2, normal(4, dtype=np.float32), COMPLEX),
    "float32 inside": (
        lambda x: np.sum(np.real(x).astype(np.float32) ** 3),
        lambda x: (3 * x**2).astype(np.float32),
        normal(4),
        FINITE,
    ),
    "constant": (lambda x: 3.0, np.zeros_like, normal(4), COMPLEX),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_passes(name):
    f, grad, draw, method = RIGHT[name]
    found = check_gradient(f, grad, draw)
    assert found.ok, found.reason
    assert found.method == method
    assert found.undecided == ()
    assert abs(found.given - found.found) <= found.bound


WRONG = {
    "a factor": lambda g: g / 3,
    "a thousandth": lambda g: 1.001 * g,
    "the sign of one entry": lambda g: np.where(np.arange(g.size) == g.size - 1, -1, 1).reshape(g.shape) * g,
    "an entry that is left out": lambda g: np.where(np.arange(g.size) == 0, 0, 1).reshape(g.shape) * g,
    "an offset": lambda g: g + np.max(np.abs(g)),
}


@pytest.mark.parametrize("bug", WRONG)
@pytest.mark.parametrize("name", [name for name in RIGHT if name not in ("cancellation", "constant")])
def test_a_wrong_gradient_is_refused(name, bug):
    f, grad, draw, _ = RIGHT[name]

    def wrong(x):
        g = grad(x)
        return WRONG[bug](np.asarray(g)).astype(np.asarray(g).dtype)

    with pytest.raises(GradientMismatch, match="the gradient is wrong at"):
        check_gradient(f, wrong, draw)


def test_what_is_said_of_a_wrong_entry():
    def draw(rng):
        return {"W": rng.standard_normal((2, 3)), "b": rng.standard_normal(2)}

    def f(p):
        return np.sum((p["W"] @ np.arange(3) + p["b"]) ** 2)

    def grad(p, sign=1):
        out = p["W"] @ np.arange(3) + p["b"]
        W = 2 * np.outer(out, np.arange(3))
        W[1, 2] *= sign
        return {"b": 2 * out, "W": W}

    assert check_gradient(f, grad, draw, root_seed=5).ok
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(f, lambda p: grad(p, -1), draw, root_seed=5)
    found = caught.value.check
    assert (found.ok, found.entry, found.seed, found.points) == (False, "W[1, 2]", (5, 0), 1)
    at = draw(np.random.default_rng(found.seed))
    assert found.given == grad(at, -1)["W"][1, 2]
    assert abs(found.found - grad(at)["W"][1, 2]) <= found.bound < 1e-10
    for part in ("W[1, 2]", "a ratio of -1", "default_rng((5, 0))", "1 of 8 entries"):
        assert part in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert check_gradient(f, lambda p: grad(p, -1), draw, root_seed=5, raises=False) == found


@pytest.mark.parametrize("make", [tuple, list])
def test_structures(make):
    def grad(p, sign=1):
        return make([2 * p[0] * p[1], sign * np.sum(p[0] ** 2)])

    def draw(rng):
        return make([rng.standard_normal(3), np.float64(rng.standard_normal())])

    assert check_gradient(lambda p: np.sum(p[0] ** 2) * p[1], grad, draw).ok
    with pytest.raises(GradientMismatch, match=r"wrong at params\[1\]: "):
        check_gradient(lambda p: np.sum(p[0] ** 2) * p[1], lambda p: grad(p, -1), draw)


@pytest.mark.parametrize("analytic", [True, False])
@pytest.mark.parametrize("n", [51, 2_000])
def test_one_wrong_entry_of_many_is_found_by_bisection(n, analytic):
    power = (lambda x: x * x * x) if analytic else (lambda x: np.real(x) ** 3)

    def grad(x, wrong=None):
        g = 3 * x * x
        if wrong is not None:
            g[wrong] *= -1
        return g

    found = check_gradient(lambda x: np.sum(power(x)), grad, normal(n), draws=3)
    assert found.ok
    assert found.entry == "a random direction"
    found = check_gradient(
        lambda x: np.sum(power(x)), lambda x: grad(x, [n // 3, n - 1]), normal(n), draws=3, raises=False
    )
    assert not found.ok
    assert found.entry == f"params[{n // 3}]"
    assert abs(found.given + found.found) <= found.bound


def test_float32_is_held_to_its_own_rounding():
    def draw(rng):
        return rng.standard_normal(4).astype(np.float32)

    found = check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, draw)
    assert 1e-8 < found.bound / abs(found.found) < 1e-5

    def only_float32(x):
        assert x.dtype == np.float32
        return np.sum(x**3)

    assert check_gradient(only_float32, lambda x: 3 * x**2, draw).method == FINITE
    with pytest.raises(GradientMismatch):
        check_gradient(only_float32, lambda x: 3.1 * x**2, draw)


# --- kinks ---------------------------------------------------------------------------------------------------------


def test_a_kink_is_undecided_and_named():
    """ReLU at 0 has no derivative, and every convention there is let be."""
    for slope in (0.0, 0.5, 1.0):
        found = check_gradient(
            lambda x: np.sum(relu(x) + x**2),
            lambda x, slope=slope: np.where(x == 0, slope, x > 0) + 2 * x,
            lambda rng: np.array([rng.standard_normal(), 0.0]),
            draws=5,
        )
        assert (found.ok, found.undecided, found.points) == (False, ("params[1]",), 10)
        assert "undecided: params[1]" in found.reason


@pytest.mark.parametrize("f", [lambda x: np.sum(np.abs(x)), lambda x: np.sum(relu(x)), np.max])
def test_nothing_but_kinks_is_refused(f):
    with pytest.raises(InputError, match="draw others"):
        check_gradient(f, np.zeros_like, lambda rng: np.zeros(3))


@given(st.floats(-17, 0), st.sampled_from([-1, 1]), st.booleans())
def test_no_false_alarm_however_close_a_kink(exponent, side, smooth):
    """A kink at any distance: what is said is right, or undecided, or all points are refused."""
    kink = 1 + side * 10**exponent

    def f(x):
        return np.sum(np.abs(x - kink) + smooth * np.exp(x))

    try:
        found = check_gradient(
            f, lambda x: np.sign(x - kink) + smooth * np.exp(x), lambda rng: np.array([1.0, 2.0]), draws=1
        )
    except InputError:
        return
    assert abs(found.given - found.found) <= found.bound


def test_the_bound_covers_a_kink_at_any_distance():
    """Distance u in steps, jump 1: error of R(h/2) against |S(h) − 2S(h/2)| + |S(h/2) − 2S(h/4)|."""
    u = np.linspace(0, 1.2, 1201)
    jump = {k: np.clip(1 - k * u, 0, None) for k in (1, 2, 4)}  # S at h, h/2, h/4; D is off by half of it
    error = np.abs(4 * jump[4] / 2 - jump[2] / 2) / 3
    part = np.abs(jump[1] - 2 * jump[2]) + np.abs(jump[2] - 2 * jump[4])
    assert np.all(4 * error <= part + 1e-15)
    assert np.max(error) == 0.5


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_networks_with_many_kinks(seed):
    """Two layers of ReLU, the logistic loss: never an alarm, and one wrong entry always shows."""
    rng = np.random.default_rng(seed)
    n, m, d = (int(k) for k in rng.integers(1, 6, 3))
    X, y, a = rng.standard_normal((n, d)), rng.choice([-1.0, 1.0], n), rng.standard_normal(m)

    def f(W):
        return np.mean(np.log1p(np.exp(-y * (relu(X @ W.T) @ a))))

    def grad(W, factor=1.0):
        hidden = X @ W.T
        pull = -y / (1 + np.exp(y * (relu(hidden) @ a))) / n
        g = ((pull[:, None] * a) * (hidden > 0)).T @ X
        g[-1, -1] *= factor
        return g

    found = check_gradient(f, grad, normal(m, d), draws=3, root_seed=seed)
    assert "is wrong" not in found.reason
    wrong = check_gradient(f, lambda W: grad(W, 1.1), normal(m, d), draws=3, root_seed=seed, raises=False)
    last = grad(normal(m, d)(np.random.default_rng(wrong.seed)))[-1, -1]
    assert not wrong.ok or abs(0.1 * last) <= wrong.bound or last == 0


# --- our own gradients ---------------------------------------------------------------------------------------------


def cubic(m=3, d=3, N=4, P=2, lam=0.1):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((N, P, d)), rng.choice([-1.0, 1.0], N)
    return X, y, lam, normal(m, d)


@pytest.mark.parametrize("loss", ["with abs, as it runs", "written for complex numbers"])
def test_the_cubic_networks_gradient(loss):
    X, y, lam, draw = cubic()
    as_it_runs = loss.startswith("with abs")
    f = (lambda W: weights.loss(W, X, y, lam)) if as_it_runs else (lambda W: complex_loss(W + 0j, X, y, lam))

    def real(W):
        value = f(W)
        return value if np.iscomplexobj(W) else value.real

    found = check_gradient(real, lambda W: weights.gradient(W, X, y, lam), draw)
    assert found.ok
    assert found.method == (FINITE if as_it_runs else COMPLEX)


PLANTED = {
    "the factor 3": lambda g, W: (g - 0.1 * W) / 3 + 0.1 * W,
    "the sign of an entry": lambda g, W: np.where(np.eye(3) * np.array([0, 1, 0]) > 0, -g, g),
    "transposed": lambda g, W: g.T,
    "no penalty": lambda g, W: g - 0.1 * W,
}


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_errors_in_it_are_found(bug):
    X, y, lam, draw = cubic()
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(
            lambda W: weights.loss(W, X, y, lam), lambda W: PLANTED[bug](weights.gradient(W, X, y, lam), W), draw
        )
    first = {"the factor 3": "[0, 0]", "the sign of an entry": "[1, 1]", "transposed": "[0, 1]", "no penalty": "[0, 0]"}
    assert caught.value.check.entry == f"params{first[bug]}"


# --- what is refused -----------------------------------------------------------------------------------------------

COUNT = itertools.count()
CUBE = (lambda x: np.sum(x**3), lambda x: 3 * x**2, normal(3))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"f": lambda x: x**3}, r"f = 'float64 of shape \(3,\)'"),
        ({"f": lambda x: np.sum(x) + 1j}, "f = 'complex128"),
        ({"f": lambda x: "no number"}, "f = "),
        ({"f": lambda x: np.nan}, "f = nan"),
        ({"f": lambda x: next(COUNT)}, "the same number twice"),
        ({"grad": lambda x: 3 * x[:2] ** 2}, r"\(2,\)"),
        ({"grad": lambda x: (3 * x**2,)}, "grad"),
        ({"grad": lambda x: np.array([1, 2, 3])}, "int"),
        ({"grad": lambda x: 3 * x**2 + 0j}, "complex128"),
        ({"grad": lambda x: x * np.inf}, "finite"),
        ({"f": 3}, "f = 3 is not accepted: it must be a function"),
        ({"f": lambda x: [[1], [2, 3]]}, "f = 'list'"),
        ({"f": lambda x: None}, "f = 'object"),
        ({"grad": None}, "grad = None is not accepted: it must be a function"),
        ({"grad": lambda x: None}, "grad"),
        ({"grad": lambda x: {"a": [[1], [2, 3]]}}, "grad = 'dict'"),
        ({"draw": np.zeros(3)}, "draw = .* is not accepted: it must be a function"),
        ({"draw": None}, "draw = None is not accepted: it must be a function"),
        ({"draw": lambda rng: [[[1], [2, 3]]]}, "draw = 'list'"),
        ({"draw": lambda rng: None}, "draw"),
        ({"draw": lambda rng: [1, 2]}, "int"),
        ({"draw": lambda rng: np.array([np.nan, 1.0])}, "finite"),
        ({"draw": lambda rng: {}}, "draw"),
        ({"draw": lambda rng: np.zeros((0, 3))}, "at least one entry"),
        ({"draw": lambda rng: "parameters"}, "float64 or float32"),
        ({"draws": 0}, "draws"),
        ({"root_seed": -1}, "root_seed"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(changed, says):
    given = dict(zip(("f", "grad", "draw"), CUBE, strict=True)) | changed
    with pytest.raises(InputError, match=says) as caught:
        check_gradient(**given)
    assert "\n" not in str(caught.value)


def test_an_error_of_the_users_own_is_theirs():
    with pytest.raises(ZeroDivisionError):
        check_gradient(lambda x: 1 / 0, lambda x: x, normal(2))


def test_it_changes_no_parameters_and_gives_fresh_ones():
    """A function that writes into its argument spoils nothing."""

    def grad(x):
        x *= x
        x *= 3
        return x

    assert check_gradient(lambda x: np.sum(x**3), grad, normal(3)).ok


def test_an_entry_whose_gradient_has_a_pole_nearby_spoils_no_other():
    """Undefined at the points around one entry, where its rounding is looked at."""

    def grad(x):
        near = np.array([1.0, np.nan if x[1] != 1 else 1.0])
        return near * 2 * x

    found = check_gradient(lambda x: np.sum(x**2), grad, lambda rng: np.array([rng.standard_normal(), 1.0]), draws=3)
    assert (found.ok, found.undecided, found.entry) == (False, ("params[1]",), "params[0]")


def test_the_documented_example():
    import doctest

    assert doctest.testmod(gradients).failed == 0
    assert doctest.testmod(gradients).attempted
