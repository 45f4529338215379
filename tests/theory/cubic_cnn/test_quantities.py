"""Summaries of a view, against plain loops; and the logistic head, against exact arithmetic."""

import math
import statistics
from decimal import Decimal, localcontext

import numpy as np
import pytest
from checks import systems
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law, quantities
from lemmascope.theory.cubic_cnn.model import View, log1p_exp, logistic_weight
from lemmascope.theory.cubic_cnn.parameters import Parameters

UNIT = 2.0**-53

# --- the logistic head ---------------------------------------------------------------------------------------------

EDGES = [
    0.0,
    -0.0,
    1e-300,
    1e-20,
    1e-8,
    0.5,
    1.0,
    30.0,
    36.0,
    37.0,
    40.0,
    300.0,
    700.0,
    709.0,
    710.0,
    744.0,
    745.0,
    800.0,
    1e6,
    1e300,
]


def exactly(x, formula):
    """The formula of e^−|x| and |x| with 60 digits, rounded once."""
    with localcontext() as context:
        context.prec = 60
        context.Emin = -(10**9)
        size = abs(Decimal(x))
        # Beyond, e^−|x| is far below the smallest double.
        return float(formula((-size).exp() if size < 5000 else Decimal(0), size))


def logistic_weight_exactly(x):
    return exactly(x, (lambda e, _: e / (1 + e)) if x > 0 else (lambda e, _: 1 / (1 + e)))


def log1p_exp_exactly(x):
    def small(e):
        return e - e * e / 2 if e < Decimal("1e-25") else (1 + e).ln()

    return exactly(x, (lambda e, size: size + small(e)) if x > 0 else (lambda e, _: small(e)))


def few_roundings(found, expected):
    """A few units in the last place; e^−x itself is wrong by half a unit, and results below 1e−308 are subnormal."""
    return abs(found - expected) <= 8 * UNIT * abs(expected) + 1e-323


@pytest.mark.parametrize("x", [sign * x for x in EDGES for sign in (1, -1)])
def test_the_logistic_head_at_edges(x):
    assert few_roundings(float(logistic_weight(np.array(x))), logistic_weight_exactly(x))
    assert few_roundings(float(log1p_exp(np.array(x))), log1p_exp_exactly(x))


@given(st.floats(-750, 750))
def test_the_logistic_head(x):
    assert few_roundings(float(logistic_weight(np.array(x))), logistic_weight_exactly(x))
    assert few_roundings(float(log1p_exp(np.array(x))), log1p_exp_exactly(x))
    # ℓ(x) + ℓ(−x) = 1, and both are finite for any shape.
    pair = logistic_weight(np.array([[x, -x]]))
    assert abs(pair.sum() - 1) < 4 * UNIT


@pytest.mark.parametrize("x", [-100.0, -3.0, 0.0, 2.0, 80.0])
def test_float32_stays_float32(x):
    for function, exact in ((logistic_weight, logistic_weight_exactly), (log1p_exp, log1p_exp_exactly)):
        found = function(np.array([x], dtype="float32"))
        assert found.dtype == np.float32
        assert_close(found[0], np.float32(exact(x)), dtype="float32", scale=exact(x) + 1e-37)


# --- groups --------------------------------------------------------------------------------------------------------


def view_of(rng, S, A, m, N, Q):
    """A view of numbers that belong to no system."""
    Xi = rng.standard_normal((S, A, m, N, Q)) ** 3
    margins = 3 * rng.standard_normal((S, A, N))
    margins[..., 0] = 0.0
    return View(
        c=rng.standard_normal((S, A, m)),
        Xi=Xi,
        memorization=rng.standard_normal((S, A, N)),
        margins=margins,
        ell=logistic_weight(margins),
    )


def plainly(view, y, mask, s, a):
    """Every group quantity of seed s and optimizer a, by Python's own functions over lists."""
    N = len(y[s])
    inside = [i for i in range(N) if mask[s, i]]
    margins = [float(view.margins[s, a, i]) for i in inside]
    Xi = [float(x) for i in inside for x in view.Xi[s, a, :, i].ravel()]
    memorization = [float(view.memorization[s, a, i]) for i in inside]
    aligned = [max(float(x) * float(y[s, i]) for x in view.Xi[s, a, :, i].ravel()) for i in inside]
    found = {
        "nu": sum(1 / (1 + math.exp(x)) for x in margins) / N,
        "loss": sum(math.log1p(math.exp(-x)) for x in margins) / N,
    }
    if not inside:
        return found | dict.fromkeys(
            (
                "train_accuracy",
                "Xi_abs_max",
                "Xi_abs_median",
                "Xi_min",
                "Xi_max",
                "memorization_min",
                "memorization_median",
                "memorization_max",
                "alignment_min",
            ),
            math.nan,
        )
    return found | {
        "train_accuracy": sum(x > 0 for x in margins) / len(inside),
        "Xi_abs_max": max(map(abs, Xi)),
        "Xi_abs_median": statistics.median(map(abs, Xi)),
        "Xi_min": min(Xi),
        "Xi_max": max(Xi),
        "memorization_min": min(memorization),
        "memorization_median": statistics.median(memorization),
        "memorization_max": max(memorization),
        "alignment_min": min(aligned),
    }


SHAPES = st.tuples(*(st.integers(1, high) for high in (2, 2, 3, 7, 3)))


@given(SHAPES, st.integers(0, 2**16), st.data())
def test_group_quantities_by_loops(shape, seed, data):
    """Groups of every size, an even and an odd number of samples, nobody at all."""
    S, A, _, N, _ = shape
    rng = np.random.default_rng(seed)
    view, y = view_of(rng, *shape), rng.choice([-1.0, 1.0], (S, N))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=S * N, max_size=S * N))).reshape(S, N)
    found = quantities.group_quantities(view, y, mask)
    for s, a in np.ndindex(S, A):
        expected = plainly(view, y, mask, s, a)
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert found[name].shape == (S, A)
            if math.isnan(value):
                assert math.isnan(found[name][s, a]), name
            else:
                assert_close(found[name][s, a], value, scale=abs(value) + 1e-300, note=name)


def test_medians_of_even_and_odd_counts():
    x = np.array([[5.0, 1.0, 100.0, 3.0, -2.0]])
    for mask, expected in (
        ([1, 1, 0, 1, 0], 3.0),
        ([1, 1, 0, 0, 0], 3.0),
        ([1, 0, 0, 0, 0], 5.0),
        ([1, 1, 1, 1, 1], 3.0),
        ([1, 1, 1, 1, 0], 4.0),
    ):
        assert quantities._median(x, np.array([mask], bool))[0] == expected
    assert math.isnan(quantities._median(x, np.zeros((1, 5), bool))[0])


@given(SHAPES, st.integers(0, 2**16))
def test_observe_stacks_the_groups_and_they_add_up(shape, seed):
    S, A, m, N, _ = shape
    rng = np.random.default_rng(seed)
    view, y = view_of(rng, *shape), rng.choice([-1.0, 1.0], (S, N))
    small = rng.random((S, N)) < 0.4
    both, whole = quantities.observe(view, y, [~small, small]), quantities.observe(view, y, [small | True])
    assert both["c"] is view.c
    assert both["c"].shape == (S, A, m)
    for name, mask in ((0, ~small), (1, small)):
        for key, value in quantities.group_quantities(view, y, mask).items():
            assert np.array_equal(both[key][..., name], value, equal_nan=True), key
    for key in ("nu", "loss"):
        assert_close(both[key].sum(axis=-1), whole[key][..., 0], scale=whole[key][..., 0])
    assert np.array_equal(np.nanmax(both["Xi_abs_max"], axis=-1), whole["Xi_abs_max"][..., 0])
    assert np.array_equal(np.nanmin(both["alignment_min"], axis=-1), whole["alignment_min"][..., 0])
    nameless = View(None, view.Xi, view.memorization, view.margins, view.ell)
    assert "c" not in quantities.observe(nameless, y, [small])


def test_a_margin_of_zero_is_a_wrong_answer():
    zero = np.zeros((1, 1, 3))
    view = View(None, np.zeros((1, 1, 1, 3, 1)), zero, zero, logistic_weight(zero))
    found = quantities.group_quantities(view, np.ones((1, 3)), np.ones((1, 3), bool))
    assert found["train_accuracy"][0, 0] == 0
    assert_close(found["loss"][0, 0], math.log(2))
    assert_close(found["nu"][0, 0], 0.5)


# --- cross terms ---------------------------------------------------------------------------------------------------


def law_and_systems(P=3, sigma=0.4):
    p = Parameters(d=30, N=5, P=P, m=3, alpha=2.0, beta=0.3, mu=0.4, sigma=sigma, sigma_0=0.2)
    pairs = []
    for k in range(2):
        rng = streams(0, "cross terms", k)
        pairs.append((law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng)))
    return p, systems(pairs, 0.0)


@pytest.mark.parametrize("P", [2, 3])
def test_cross_terms_by_loops(P):
    p, both = law_and_systems(P)
    for system in both:
        theta = system.initial(2) * np.array([1.0, 1.5])[None, :, None, None]
        view, _ = system.evaluate(theta)
        found = quantities.cross_terms(system, view, system.y, p.sigma)
        K = both[1].K
        for s, a in np.ndindex(2, 2):
            ratio, relative = 0.0, 0.0
            for r in range(p.m):
                u = [
                    float(system.y[s, i] * view.ell[s, a, i] * view.Xi[s, a, r, i, j] ** 2)
                    for i in range(p.N)
                    for j in range(P - 1)
                ]
                cross = [sum(K[s, k, q] * u[q] for q in range(p.n) if q != k) for k in range(p.n)]
                others = [sum(abs(u[q]) for q in range(p.n) if q != k) for k in range(p.n)]
                limit = [p.sigma * math.sqrt(K[s, k, k]) * others[k] for k in range(p.n)]
                ratio = max(ratio, *(abs(cross[k]) / limit[k] for k in range(p.n)))
                own = max(K[s, k, k] * abs(u[k]) for k in range(p.n))
                relative = max(relative, max(map(abs, cross)) / own)
            # u was found at two places: cross is a difference from K_kk u_k.
            assert_close(found["cross_ratio"][s, a], ratio, "trajectory")
            assert_close(found["cross_to_diagonal"][s, a], relative, "trajectory")


def test_cross_terms_without_memorization_are_zero():
    """Not NaN, and without a warning: no coefficient, or none that a double can square."""
    p, both = law_and_systems()
    for system in both:
        for scale in (0.0, 1e-200):
            theta = scale * system.initial(1)
            found = quantities.cross_terms(system, system.evaluate(theta)[0], system.y, p.sigma)
            assert all(np.array_equal(value, np.zeros((2, 1))) for value in found.values())
