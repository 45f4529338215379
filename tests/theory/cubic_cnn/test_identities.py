"""The gradient audit: within its rounding bound on right formulas at every scale, and far beyond it on wrong ones."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances
from tolerances import assert_close

from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law, weights
from lemmascope.theory.cubic_cnn.identities import GradientAudit
from lemmascope.theory.cubic_cnn.parameters import Parameters

DOUBLE, SINGLE = 2.0**-53, 2.0**-24
NAMES = ("signal_gradient", "noise_gradient")
FORMED = Parameters(d=60, N=12, P=3, m=4, alpha=2.0, beta=0.3, mu=0.25, sigma=0.3, sigma_0=0.2, lam=0.05)


def sample_and_weights(p=FORMED, seed=0):
    rng = streams(0, "identities", seed)
    return law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng)


def state(sample, W, lam, right=None, unit=DOUBLE, gram=True):
    """Residuals where W is the state itself."""
    audit = GradientAudit.of(sample, gram=gram)
    right = audit.formula(W, lam) if right is None else right
    return audit.residuals(W, lam, right, W_hat=np.abs(W), terms=0, unit=unit)


@given(instances(), st.floats(-3, 3), st.booleans())
def test_the_identities_hold_to_rounding(drawn, log_scale, gram):
    """Any size, any λ, weights of any scale, with K and without."""
    found = state(drawn.sample, 10.0**log_scale * drawn.W, drawn.parameters.lam, gram=gram)
    assert set(found) == {f"{name}_{what}" for name in NAMES for what in ("residual", "ratio")}
    for name in NAMES:
        assert 0 <= found[f"{name}_ratio"] <= 1, name
        assert 0 <= found[f"{name}_residual"] < np.inf


@pytest.mark.parametrize("scale", [0.0, 1e-80, 1e-20, 1e-5, 0.1, 1.0, 3.0, 10.0, 100.0, 1e5])
@pytest.mark.parametrize("P", [2, 4])
@pytest.mark.parametrize("lam", [0.0, 0.1])
@pytest.mark.parametrize("gram", [True, False])
def test_at_every_scale(scale, P, lam, gram):
    for seed in range(3):
        sample, W = sample_and_weights(dataclasses.replace(FORMED, P=P), seed)
        found = state(sample, scale * W, lam, gram=gram)
        assert all(found[f"{name}_ratio"] <= 1 for name in NAMES)


@pytest.mark.parametrize("scale", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("lam", [0.0, 0.05])
def test_weights_formed_from_coordinates(scale, lam):
    """W = aW₀ + BX + b w*ᵀ from n + 2 terms, the right sides from (c, Ξ) by Ξ = aΞ₀ + BK and c = ac₀ + b."""
    for seed in range(5):
        sample, W_0 = sample_and_weights(seed=seed)
        q, audit = law.project(sample, W_0), GradientAudit.of(sample)
        rng = np.random.default_rng(seed)
        B, b, a = scale * rng.standard_normal((4, FORMED.n)), scale * rng.standard_normal(4), 0.7
        W = a * W_0 + B @ audit.noise + b[:, None] * sample.w_star
        W_hat = a * abs(W_0) + abs(B) @ abs(audit.noise) + abs(b)[:, None] * abs(sample.w_star)
        right = formulas(q, a * q.c_0 + b, a * q.Xi_0 + B @ q.K, lam)
        found = audit.residuals(W, lam, right, W_hat=W_hat, terms=FORMED.n + 2, unit=DOUBLE)
        assert all(found[f"{name}_ratio"] <= 1 for name in NAMES)


def formulas(q, c, Xi, lam, factor=3, sign=1, power=3):
    """Both right sides of section 3 by loops, from a projection and (c, Ξ)."""
    (N,), (m, n) = q.y.shape, Xi.shape
    Q = n // N
    margins = [q.strength[i] ** 3 * np.sum(c**3) + q.y[i] * np.sum(Xi[:, i * Q : (i + 1) * Q] ** 3) for i in range(N)]
    ell = np.exp(-np.logaddexp(0, margins))
    signal = np.array([factor * x**2 * np.sum(q.strength**power * ell) / N for x in c])
    u = np.array([[q.y[k // Q] * ell[k // Q] * Xi[r, k] ** 2 for k in range(n)] for r in range(m)])
    return sign * signal - lam * c, sign * factor / N * u @ q.K - lam * Xi


def test_the_audits_own_formula_is_section_3():
    sample, W = sample_and_weights()
    q = law.project(sample, W)
    for lam in (0.0, 0.3):
        for found, expected in zip(
            GradientAudit.of(sample).formula(W, lam), formulas(q, q.c_0, q.Xi_0, lam), strict=True
        ):
            assert_close(found, expected)


def test_the_left_sides_are_projections_of_the_gradient():
    """With right sides 0 the residual is the projection itself."""
    sample, W = sample_and_weights()
    audit = GradientAudit.of(sample)
    nothing = np.zeros(4), np.zeros((4, FORMED.n))
    found = state(sample, W, 0.1, right=nothing)
    grad = weights.gradient(W, sample.X, sample.y, 0.1)
    assert_close(found["signal_gradient_residual"], np.abs(grad @ sample.w_star).max())
    assert_close(found["noise_gradient_residual"], np.abs(grad @ audit.noise.T).max())


@pytest.mark.parametrize("factor", [1.0, 2 / 3, -1.0])
def test_left_sides_of_the_run_itself(factor):
    """A gradient that the run brings along is looked at in place of `weights.gradient`."""
    sample, W = sample_and_weights()
    audit = GradientAudit.of(sample)
    grad = factor * weights.gradient(W, sample.X, sample.y, 0.0)
    left = -grad @ sample.w_star, -grad @ audit.noise.T
    found = audit.residuals(W, 0.0, audit.formula(W, 0.0), W_hat=np.abs(W), terms=0, unit=DOUBLE, left=left)
    for name in NAMES:
        assert (found[f"{name}_ratio"] <= 1) == (factor == 1)
        assert (found[f"{name}_ratio"] > 100) == (factor != 1)


def test_without_the_gram_matrix_nothing_is_of_its_size():
    """n ≫ d; the same residuals to rounding, against the same bound."""
    sample, W = sample_and_weights(dataclasses.replace(FORMED, N=100, d=5))
    audits = [GradientAudit.of(sample, gram=gram) for gram in (True, False)]
    arrays = [value for value in vars(audits[1]).values() if value is not None]
    assert max(x.size for x in arrays) == sample.X.size < audits[0].K.size
    u = np.random.default_rng(0).standard_normal((4, 200))
    assert_close(audits[1].gram_product(u), audits[0].gram_product(u))
    wrong = audits[0].formula(W, 0.05)[0], 1.01 * audits[0].formula(W, 0.05)[1]
    full, lean = (audit.residuals(W, 0.05, wrong, W_hat=np.abs(W), terms=0, unit=DOUBLE) for audit in audits)
    assert_close(lean["noise_gradient_ratio"], full["noise_gradient_ratio"])


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_wrong_right_sides_are_far_beyond_the_bound(scale, seed):
    """A missing 3, a wrong sign, a lost or doubled penalty; one part in 10⁵ already shows."""
    sample, W = sample_and_weights(seed=seed)
    W = scale * W
    q = law.project(sample, W)
    lam = 0.05
    for wrong in (
        {"factor": 1},
        {"sign": -1},
        {"factor": 3 * (1 + 1e-5)},
        {"lam": 0.0},
        {"lam": 2 * lam},
        {"lam": lam * (1 + 1e-5)},
    ):
        found = state(sample, W, lam, formulas(q, q.c_0, q.Xi_0, **{"lam": lam, **wrong}))
        for name in NAMES:
            assert found[f"{name}_ratio"] > 100, (name, wrong)
    found = state(sample, W, lam, formulas(q, q.c_0, q.Xi_0, lam, power=2))
    assert found["signal_gradient_ratio"] > 1e6  # α² for α³
    assert found["noise_gradient_ratio"] <= 1


@pytest.mark.parametrize("tilt", [1e-6, 0.01, 0.5])
def test_tilted_noise_is_far_beyond_the_bound(tilt):
    """Noise patches that are not orthogonal to the feature: the formulas of the law do not hold."""
    sample, W = sample_and_weights()
    X = sample.X + tilt * FORMED.sigma * sample.w_star
    X[range(FORMED.N), sample.signal] = sample.X[range(FORMED.N), sample.signal]
    found = state(dataclasses.replace(sample, X=X), W, FORMED.lam)
    assert all(found[f"{name}_ratio"] > 100 for name in NAMES)


def test_one_wrong_entry_is_enough():
    sample, W = sample_and_weights()
    signal, noise = GradientAudit.of(sample).formula(W, 0.0)
    noise[2, 5] *= 1 + 1e-6
    found = state(sample, W, 0.0, right=(signal, noise))
    assert found["signal_gradient_ratio"] <= 1
    assert found["noise_gradient_ratio"] > 10


@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("lam", [0.0, 0.05])
def test_float32_right_sides_are_within_the_float32_bound_only(scale, lam):
    beyond = 0
    for seed in range(5):
        sample, W = sample_and_weights(seed=seed)
        W = (scale * W).astype("float32")
        single = GradientAudit.of(
            dataclasses.replace(
                sample, **{name: getattr(sample, name).astype("float32") for name in ("X", "y", "w_star", "strength")}
            )
        )
        right = single.formula(W, lam)
        assert {part.dtype for part in right} == {np.dtype("float32")}
        audit, W = GradientAudit.of(sample), W.astype(float)
        for unit, within in ((SINGLE, True), (DOUBLE, False)):
            found = audit.residuals(W, lam, right, W_hat=np.abs(W), terms=0, unit=unit)
            if within:
                assert all(found[f"{name}_ratio"] <= 1 for name in NAMES)
            else:
                beyond += sum(found[f"{name}_ratio"] > 1 for name in NAMES)
    assert beyond == 10


@pytest.mark.parametrize("margin", [60.0, 86.0, 90.0, 97.0, 103.0, 120.0])
def test_float32_where_its_exponential_underflows(margin):
    """exp(−88) is nearly the last normal number of float32 and exp(−104) is zero there; float64 goes on."""
    for seed in range(5):
        sample, W = sample_and_weights(dataclasses.replace(FORMED, lam=0.0, N=2, mu=0.5), seed)
        # Weights along the feature give every margin its sign; the smallest one is set.
        W = np.abs(W).mean() * np.outer(np.ones(len(W)), sample.w_star)
        margins = sample.y * weights.outputs(W, sample.X)
        W = (W * (margin / margins.min()) ** (1 / 3)).astype("float32")
        parts = ("X", "y", "w_star", "strength")
        single = GradientAudit.of(
            dataclasses.replace(sample, **{name: getattr(sample, name).astype("float32") for name in parts})
        )
        right, audit, W = single.formula(W, 0.0), GradientAudit.of(sample), W.astype(float)
        found = audit.residuals(
            W, 0.0, right, W_hat=np.abs(W), terms=0, unit=SINGLE, smallest=float(np.finfo("float32").smallest_normal)
        )
        assert all(found[f"{name}_ratio"] <= 1 for name in NAMES)
        wrong = audit.residuals(
            W,
            0.0,
            (2 * right[0], right[1]),
            W_hat=np.abs(W),
            terms=0,
            unit=SINGLE,
            smallest=float(np.finfo("float32").smallest_normal),
        )
        assert (wrong["signal_gradient_ratio"] > 1) == (margin < 80)


def test_a_users_patches_are_refused():
    sample, _ = sample_and_weights()
    for other in (law.Sample(sample.X, sample.y, sample.w_star), dataclasses.replace(sample, w_star=None)):
        with pytest.raises(ValueError, match="data of the law"):
            GradientAudit.of(other)
