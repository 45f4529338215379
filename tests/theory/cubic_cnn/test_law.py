"""The law: what is drawn in R^d, its projection, and the exact law in any dimension."""

import dataclasses
import math
from functools import cache

import numpy as np
import pytest
from checks import check_law
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strategies import instances, patches
from tolerances import assert_close, standard_errors, tolerance

from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law
from lemmascope.theory.cubic_cnn.claims import cross_terms
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError

SMALL = Parameters(d=13, N=4, P=3, m=2, alpha=2.0, beta=0.3, mu=0.25, sigma=0.4, sigma_0=0.3)
LEVEL = tolerance("statistical")

# --- samples in R^d ------------------------------------------------------------------------------------------------


@given(instances(), st.integers(0, 100))
def test_a_sample_is_one_of_the_law(drawn, seed):
    check_law(drawn, seed)


@cache
def large_sample():
    p = dataclasses.replace(SMALL, N=6000, P=4, d=12, mu=0.3)
    return p, law.draw_sample(p, streams(0, "large sample", 0))


def test_labels_are_fair():
    _, sample = large_sample()
    assert stats.binomtest(int(np.sum(sample.y > 0)), len(sample.y)).pvalue > LEVEL


def test_margins_come_with_their_probability():
    p, sample = large_sample()
    assert stats.binomtest(int(sample.small.sum()), p.N, p.mu).pvalue > LEVEL
    table = [[int(np.sum((sample.y == y) & (sample.small == small))) for small in (False, True)] for y in (-1, 1)]
    assert stats.chi2_contingency(table).pvalue > LEVEL  # independent of the label


def test_signal_positions_are_uniform():
    p, sample = large_sample()
    counts = np.bincount(sample.signal, minlength=p.P)
    assert len(counts) == p.P
    assert stats.chisquare(counts).pvalue > LEVEL
    table = [np.bincount(sample.signal[sample.small == small], minlength=p.P) for small in (False, True)]
    assert stats.chi2_contingency(table).pvalue > LEVEL  # independent of the margin


def test_noise_has_its_variance_in_every_direction():
    """‖x‖²/σ² is χ² with d − 1 degrees of freedom, and along any unit u ⟂ w* x is N(0, σ²)."""
    p, sample = large_sample()
    noise = sample.signal_first()[:, 1:].reshape(p.n, p.d)
    assert stats.kstest(np.sum(noise**2, axis=1) / p.sigma**2, stats.chi2(p.d - 1).cdf).pvalue > LEVEL
    for seed in range(3):
        u = np.random.default_rng(seed).standard_normal(p.d)
        u -= (u @ sample.w_star) * sample.w_star
        assert stats.kstest(noise @ u / np.linalg.norm(u) / p.sigma, "norm").pvalue > LEVEL
    covariance = noise.T @ noise / p.n
    expected = p.sigma**2 * (np.eye(p.d) - np.outer(sample.w_star, sample.w_star))
    assert np.abs(covariance - expected).max() < standard_errors(covariance.size) * p.sigma**2 * math.sqrt(2 / p.n)


def test_the_feature_is_uniform_on_the_sphere():
    """Its first coordinate, squared, is Beta(1/2, (d − 1)/2)."""
    first = [law.draw_sample(SMALL, streams(0, "feature", seed)).w_star[0] for seed in range(400)]
    assert stats.kstest(np.square(first), stats.beta(0.5, (SMALL.d - 1) / 2).cdf).pvalue > LEVEL
    assert stats.binomtest(int(np.sum(np.array(first) > 0)), 400).pvalue > LEVEL


def test_weights_are_normal():
    W = law.draw_weights(20, 200, 0.3, streams(0, "weights", 0))
    assert W.shape == (20, 200)
    assert stats.kstest(W.ravel() / 0.3, "norm").pvalue > LEVEL


@given(instances())
def test_signal_first_moves_the_signal_and_keeps_the_order(drawn):
    sample = drawn.sample
    moved = sample.signal_first()
    for i, patch_of in enumerate(sample.X):
        order = [sample.signal[i], *(j for j in range(len(patch_of)) if j != sample.signal[i])]
        assert np.array_equal(moved[i], patch_of[order])


@given(patches())
def test_a_users_patches_stay_in_place(drawn):
    sample = law.Sample(drawn.X, drawn.y, drawn.w_star)
    assert sample.signal_first() is sample.X
    assert not sample.of_the_law


def test_each_thing_drawn_has_a_stream_of_its_own():
    """What is drawn under another name does not depend on it: margins change, the rest stays."""
    names = []

    def listening(what):
        names.append(what)
        return streams(3, "named", 0)(what)

    first = law.draw_sample(SMALL, listening)
    assert sorted(names) == ["labels", "margins", "noise", "positions", "w_star"]
    other = law.draw_sample(dataclasses.replace(SMALL, mu=0.75), listening)
    assert np.array_equal(first.y, other.y)
    assert np.array_equal(first.signal, other.signal)
    assert np.array_equal(first.w_star, other.w_star)
    assert np.array_equal(first.signal_first()[:, 1:], other.signal_first()[:, 1:])
    assert np.all(first.small <= other.small)
    again = law.draw_sample(SMALL, streams(3, "named", 0))
    assert np.array_equal(first.X, again.X)


def test_the_exact_law_names_its_streams_too():
    names = []

    def listening(what):
        names.append(what)
        return streams(3, "named", 0)(what)

    exact = law.exact_projection(SMALL, listening)
    assert sorted(names) == ["bartlett", "labels", "margins", "outside weights", "projected weights", "signal weights"]
    # Labels and margins are those of the sample with the same streams.
    sample = law.draw_sample(SMALL, streams(3, "named", 0))
    assert np.array_equal(exact.y, sample.y)
    assert np.array_equal(exact.small, sample.small)
    assert np.array_equal(exact.strength, sample.strength)


# --- projection ----------------------------------------------------------------------------------------------------


@given(instances())
def test_projection_by_loops(drawn):
    sample, W = drawn.sample, drawn.W
    q = law.project(sample, W)
    rows = [x for i, X in enumerate(sample.X) for j, x in enumerate(X) if j != sample.signal[i]]
    sizes = [np.linalg.norm(x) for x in rows]
    norms = np.linalg.norm(W, axis=1)
    assert_close(q.K, [[x @ z for z in rows] for x in rows], scale=np.outer(sizes, sizes) + 1e-300)
    assert_close(q.Xi_0, [[w @ x for x in rows] for w in W], scale=np.outer(norms, sizes) + 1e-300)
    assert_close(q.c_0, W @ sample.w_star, scale=norms)
    outside = W - np.outer(W @ sample.w_star, sample.w_star)
    assert_close(q.S_0, outside @ outside.T, scale=np.outer(norms, norms))
    assert np.array_equal(q.strength, sample.strength)
    assert np.array_equal(q.overlap, np.zeros(len(rows)))
    assert q.has_feature


@given(patches())
def test_projection_of_a_users_patches_by_loops(drawn):
    q = law.project(law.Sample(drawn.X, drawn.y, drawn.w_star, drawn.small), drawn.W)
    rows = [x for X in drawn.X for x in X]
    # Not 2-norms: their squares underflow.
    sizes, norms = np.abs(rows).sum(axis=1), np.abs(drawn.W).sum(axis=1)
    assert_close(q.K, [[x @ z for z in rows] for x in rows], scale=np.outer(sizes, sizes) + 1e-300)
    assert_close(q.Xi_0, [[w @ x for x in rows] for w in drawn.W], scale=np.outer(norms, sizes) + 1e-300)
    assert_close(q.S_0, drawn.W @ drawn.W.T, scale=np.outer(norms, norms) + 1e-300)
    assert np.array_equal(q.strength, np.zeros(len(drawn.y)))
    assert q.has_feature == (drawn.w_star is not None)
    if drawn.w_star is None:
        assert not q.c_0.any()
        assert not q.overlap.any()
    else:
        assert_close(q.c_0, drawn.W @ drawn.w_star, scale=norms + 1e-300)
        assert_close(q.overlap, [x @ drawn.w_star for x in rows], scale=sizes + 1e-300)


# --- the exact law against samples ---------------------------------------------------------------------------------

REPEATS = 2000
DEGREES = {"d − 1 = n": SMALL.n, "m − 1 outside": SMALL.n + 1, "2n": 2 * SMALL.n, "10n": 10 * SMALL.n}


def spread(S):
    """The smaller eigenvalue's share: how far from aligned the weights are."""
    values = np.linalg.eigvalsh(S)
    return values[0] / values.sum()


def outside_norm(q):
    """Squared norm of the part of the first neuron outside the span of the data and of w*."""
    return q.S_0[0, 0] - q.Xi_0[0] @ np.linalg.solve(q.K, q.Xi_0[0])


def margin(q):
    """y f of the last sample at the start, which needs c, Ξ and the strength together."""
    Q = q.Xi_0.shape[1] // len(q.y)
    return q.strength[-1] ** 3 * np.sum(q.c_0**3) + q.y[-1] * np.sum(q.Xi_0[:, -Q:] ** 3)


STATISTICS = {
    "margin at the start": margin,
    "Xi² times K_kk": lambda q: q.Xi_0[0, 0] ** 2 * q.K[0, 0],
    "K diagonal, first": lambda q: q.K[0, 0],
    "K diagonal, last": lambda q: q.K[-1, -1],
    "K off-diagonal, same sample": lambda q: q.K[0, 1],
    "K off-diagonal, last two samples": lambda q: q.K[-1, -3],
    "log det K": lambda q: np.linalg.slogdet(q.K)[1],
    "Xi": lambda q: q.Xi_0[0, 0],
    "Xi, last": lambda q: q.Xi_0[1, -1],
    "Xi² / K_kk": lambda q: q.Xi_0[0, -1] ** 2 / q.K[-1, -1],
    "Xi of two neurons": lambda q: q.Xi_0[0, 0] * q.Xi_0[1, 0],
    "Xi of two patches, K": lambda q: q.Xi_0[0, 0] * q.Xi_0[0, -1] * q.K[0, -1],
    "c": lambda q: q.c_0[0],
    "c, last": lambda q: q.c_0[-1],
    "S diagonal": lambda q: q.S_0[1, 1],
    "S off-diagonal": lambda q: q.S_0[0, 1],
    "S, spread": lambda q: spread(q.S_0),
    "W norm": lambda q: np.trace(q.S_0) + q.c_0 @ q.c_0,
    "share of W in the span": lambda q: q.Xi_0[0] @ np.linalg.solve(q.K, q.Xi_0[0]) / q.S_0[0, 0],
    "S and Xi": lambda q: q.S_0[0, 1] * q.Xi_0[0, 2] * q.Xi_0[1, 2],
}


@cache
def both_laws(degrees):
    """Statistics of REPEATS draws from each law, by name."""
    p = dataclasses.replace(SMALL, d=degrees + 1)
    found = []
    for root, make in enumerate(
        (
            lambda rng: law.project(law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng)),
            lambda rng: law.exact_projection(p, rng),
        )
    ):
        drawn = [make(streams(root, f"law {degrees}", k)) for k in range(REPEATS)]
        found.append({name: np.array([of(q) for q in drawn]) for name, of in STATISTICS.items()})
    return found


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("degrees", DEGREES.values(), ids=list(DEGREES))
def test_the_exact_law_is_the_law_of_samples(degrees, name):
    samples, exact = (found[name] for found in both_laws(degrees))
    if name == "share of W in the span" and degrees == SMALL.n:
        # w has no part outside: both are 1 to the rounding of a solve.
        assert max(np.abs(samples - 1).max(), np.abs(exact - 1).max()) < tolerance("linear solve")
        return
    assert stats.ks_2samp(samples, exact).pvalue > LEVEL


@pytest.mark.parametrize("degrees", DEGREES.values(), ids=list(DEGREES))
def test_moments_and_marginals_of_the_exact_law(degrees):
    """Against closed forms: K_kk/σ² and S_rr/σ₀² ~ χ²_{d−1}, Ξ²/(σ₀²K_kk) ~ χ²₁, c ~ N(0, σ₀²)."""
    p, exact = SMALL, both_laws(degrees)[1]
    for name, scale, known in (
        ("K diagonal, first", p.sigma**2, stats.chi2(degrees)),
        ("K diagonal, last", p.sigma**2, stats.chi2(degrees)),
        ("Xi² / K_kk", p.sigma_0**2, stats.chi2(1)),
        ("S diagonal", p.sigma_0**2, stats.chi2(degrees)),
        ("c", p.sigma_0, stats.norm()),
        ("W norm", p.sigma_0**2, stats.chi2(p.m * (degrees + 1))),
    ):
        assert stats.kstest(exact[name] / scale, known.cdf).pvalue > LEVEL, name
    # E K_kk'² = σ⁴(d − 1), E Ξ² = σ₀²σ²(d − 1), E ΞΞ'K = σ₀²E K² and E S_01 Ξ Ξ' = σ₀⁴σ²(d − 1), means 0 otherwise.
    # Ξ² and K_kk go together: E Ξ²K_kk = σ₀²E K_kk² = σ₀²σ⁴(d − 1)(d + 1).
    power = p.sigma**4 * degrees
    for name, values, mean in (
        ("K off-diagonal", exact["K off-diagonal, same sample"], 0),
        ("K off-diagonal squared", exact["K off-diagonal, last two samples"] ** 2, power),
        ("Xi squared", exact["Xi, last"] ** 2, p.sigma_0**2 * p.sigma**2 * degrees),
        ("Xi of two neurons", exact["Xi of two neurons"], 0),
        ("Xi of two patches, K", exact["Xi of two patches, K"], p.sigma_0**2 * power),
        ("S off-diagonal", exact["S off-diagonal"], 0),
        ("margin at the start", exact["margin at the start"], 0),
        ("Xi² times K_kk", exact["Xi² times K_kk"], p.sigma_0**2 * power * (degrees + 2)),
        ("S and Xi", exact["S and Xi"], p.sigma_0**4 * p.sigma**2 * degrees),
    ):
        error = np.std(values) / math.sqrt(REPEATS)
        assert abs(np.mean(values) - mean) < standard_errors() * error, name


def test_what_is_outside_the_span_has_its_degrees_of_freedom():
    """χ² with d − 1 − n of them, for fewer outside dimensions than neurons as well."""
    for outside in (1, 2, 30):
        p = dataclasses.replace(SMALL, d=SMALL.n + 1 + outside)
        values = [outside_norm(law.exact_projection(p, streams(5, f"outside {outside}", k))) for k in range(600)]
        assert stats.kstest(np.array(values) / p.sigma_0**2, stats.chi2(outside).cdf).pvalue > LEVEL


def test_the_comparison_has_power():
    """A degree of freedom too many, or a noise level 5 % off, would be seen at d − 1 = n."""
    samples, exact = both_laws(SMALL.n)
    more = both_laws(SMALL.n + 1)[1]
    assert stats.ks_2samp(samples["log det K"], more["log det K"]).pvalue < LEVEL
    assert stats.ks_2samp(samples["K diagonal, first"], 1.05**2 * exact["K diagonal, first"]).pvalue < LEVEL


@pytest.mark.parametrize("degrees", [SMALL.n, 10**6])
def test_the_off_diagonal_bound_has_its_probability(degrees):
    """max |K_kk'| / (σ √K_kk) passes √(2 log(n²/δ)) with probability at most δ: all that `lemma.cross_terms` needs."""
    p, beyond = dataclasses.replace(SMALL, d=degrees + 1), []
    for k in range(REPEATS):
        K = law.exact_projection(p, streams(0, f"off-diagonal {degrees}", k)).K
        ratio = np.abs(K - np.diag(np.diagonal(K))) / (p.sigma * np.sqrt(np.diagonal(K)))[:, None]
        beyond.append(ratio.max() > cross_terms.deviation(p.n))
    assert stats.binomtest(sum(beyond), REPEATS, cross_terms.DELTA, alternative="greater").pvalue > LEVEL


def test_a_trillion_dimensions():
    """K/(σ²d) is the identity to 1/√d, Ξ has variance σ₀²σ²d, S_0/(σ₀²d) is the identity; nothing overflows."""
    d = 10**12
    p = dataclasses.replace(SMALL, d=d, N=40, mu=0.25, m=50, sigma=2 / math.sqrt(d), sigma_0=0.5 / math.sqrt(d))
    q = law.exact_projection(p, streams(0, "trillion", 0))
    K, S = q.K / 4, q.S_0 / 0.25
    for name, square in (("K", K), ("S", S)):
        off = square[np.triu_indices(len(square), 1)]
        assert np.abs(np.diagonal(square) - 1).max() < standard_errors(len(square)) * math.sqrt(2 / d), name
        assert stats.kstest(off * math.sqrt(d), "norm").pvalue > LEVEL, name
        assert np.array_equal(square, square.T)
    assert stats.kstest(q.Xi_0.ravel() * math.sqrt(d), "norm").pvalue > LEVEL
    assert stats.kstest(q.c_0 / p.sigma_0, "norm").pvalue > LEVEL
    assert (q.K.shape, q.Xi_0.shape, q.S_0.shape) == ((80, 80), (50, 80), (50, 50))


@pytest.mark.parametrize("d", [2, SMALL.n])
def test_the_exact_law_needs_room(d):
    with pytest.raises(InputError, match=r"d − 1 ≥ n = N\(P − 1\) = 8"):
        law.exact_projection(dataclasses.replace(SMALL, d=d), streams(0, "room", 0))


@given(instances(room=True))
def test_the_exact_law_gives_a_gram_matrix(drawn):
    """(K, Ξ₀; Ξ₀ᵀ, S₀) is positive semidefinite: there are such patches and weights."""
    p = drawn.parameters
    q = law.exact_projection(p, streams(1, "gram", 0))
    Xi = q.Xi_0 / (p.sigma * p.sigma_0)
    joint = np.block([[q.K / p.sigma**2, Xi.T], [Xi, q.S_0 / p.sigma_0**2]])
    values = np.linalg.eigvalsh(joint)
    assert values[0] > -tolerance("identity") * values[-1]
    rank = np.sum(values > tolerance("identity") * values[-1])
    assert rank <= p.d - 1
