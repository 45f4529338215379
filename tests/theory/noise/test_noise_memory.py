"""Estimators of a series' memory: exact noise, each estimator against its definition written out, what is refused."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from tolerances import assert_close, standard_errors

import lemmascope as ls
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise import memory as m

hurst = st.floats(0.05, 0.95)


def rng_of(seed=0):
    return np.random.default_rng(seed)


def test_it_is_public():
    assert set(m.__all__) - set(ls.memory.__all__) == {"fractional_of"}
    assert all(getattr(ls.memory, name) is getattr(m, name) for name in ls.memory.__all__)


@given(hurst, st.integers(1, 40))
def test_the_covariance_is_that_of_increments_of_fractional_brownian_motion(H, k):
    def motion(s, t):
        return (abs(s) ** (2 * H) + abs(t) ** (2 * H) - abs(s - t) ** (2 * H)) / 2

    expected = motion(k + 1, 1) - motion(k, 1)
    found = m.fractional_covariance(H, np.array([0.0, k, -k]))
    assert_close(found, [1.0, expected, expected], scale=(k + 1) ** (2 * H))


@given(hurst, st.integers(2, 12))
def test_noise_is_exact_in_its_whole_covariance(H, n):
    """The map from normal numbers is linear: its matrix times its transpose is the covariance."""
    matrix = m.fractional_of(H, np.eye(2 * n))
    k = np.arange(float(n))
    assert_close(matrix.T @ matrix, m.fractional_covariance(H, k[:, None] - k), scale=1.0)


def test_noise_is_as_asked_for_and_reproducible():
    assert m.fractional_noise(0.3, 50, rng_of()).shape == (50,)
    many = m.fractional_noise(0.3, 50, rng_of(), 4)
    assert many.shape == (4, 50)
    assert np.array_equal(many, m.fractional_noise(0.3, 50, rng_of(), 4))
    white = m.fractional_noise(0.5, 4096, rng_of())
    assert abs(white.var() - 1) < standard_errors(1) * (2 / 4096) ** 0.5


def objective(H, x, M):
    """R(H) written out."""
    n = x.size
    frequencies = 2 * np.pi * np.arange(1, M + 1) / n
    power = np.abs(np.fft.fft(x)[1 : M + 1]) ** 2 / (2 * np.pi * n)
    return np.log(np.mean(frequencies ** (2 * H - 1) * power)) - (2 * H - 1) * np.mean(np.log(frequencies))


@pytest.mark.parametrize("H", [0.2, 0.5, 0.85])
def test_local_whittle_is_the_least_of_its_objective(H):
    x = 3 + 10 * m.fractional_noise(H, 1000, rng_of(1))
    found = m.local_whittle(x)
    assert found.frequencies == int(1000**0.65)
    assert found.error == 0.5 / found.frequencies**0.5
    least = minimize_scalar(objective, args=(x, found.frequencies), bounds=(0.01, 0.99), method="bounded")
    assert abs(float(found.H) - least.x) < 1e-4
    assert objective(float(found.H), x, found.frequencies) <= least.fun + 1e-12
    assert not found.out_of_range
    assert float(m.local_whittle(x, 20).H) != float(found.H)


def test_an_end_is_no_estimate():
    """Differences of white noise have no low frequencies; a random walk has nothing else."""
    white = rng_of().standard_normal(2048)
    found = m.local_whittle(np.stack([np.diff(white, prepend=0), np.cumsum(white)]))
    assert found.H.tolist() == [0.01, 0.99]
    assert found.out_of_range.all()


def test_second_differences_are_written_out():
    x = rng_of().standard_normal(40)
    X = np.concatenate([[0], np.cumsum(x)])
    variances = [np.mean([(X[t + 2 * a] - 2 * X[t + a] + X[t]) ** 2 for t in range(X.size - 2 * a)]) for a in (1, 2)]
    assert_close(m.second_differences(x), np.log2(variances[1] / variances[0]) / 2)
    smooth = np.sin(np.linspace(0, 3, 200))
    assert m.second_differences(smooth) > 1


def test_rescaled_range_is_written_out():
    x = rng_of().standard_normal(300)
    logs = []
    for size in (16, 32, 64):
        ratios = []
        for start in range(0, 300 // size * size, size):
            window = x[start : start + size]
            path = np.concatenate([[0], np.cumsum(window - window.mean())])
            ratios.append((path.max() - path.min()) / window.std())
        logs.append(np.log(np.mean(ratios)))
    slope = np.polyfit(np.log([16, 32, 64]), logs, 1)[0]
    assert abs(m.rescaled_range(x) - slope) < 1e-12
    gap = np.where(np.arange(300) < 64, 0.0, x)  # windows that do not vary
    assert np.isfinite(m.rescaled_range(gap))


def test_covariances_and_variances_of_sums_are_written_out():
    x = rng_of().standard_normal((2, 50)) + 2
    for mean, about in ((None, x - x.mean(1, keepdims=True)), (2.0, x - 2)):
        covariance = m.autocovariance(x, 49, mean)
        sums = m.sum_variance(x, (1, 7, 50), mean)
        for k in range(50):
            assert_close(covariance[:, k], np.sum(about[:, : 50 - k] * about[:, k:], axis=1) / 50, scale=2.0)
        for j, k in enumerate((1, 7, 50)):
            windows = np.array([about[:, t : t + k].sum(1) for t in range(51 - k)])
            assert_close(sums[:, j], np.mean(windows**2, axis=0), scale=50.0)


@pytest.mark.parametrize("H", [0.2, 0.5, 0.8])
def test_estimates_are_near_and_their_bias_is_as_stated(H):
    x = m.fractional_noise(H, 2048, rng_of(2), 200)
    whittle, other = m.local_whittle(x), m.second_differences(x)
    for found, spread in ((whittle.H, 1.25 * whittle.error), (other, 0.035)):
        assert abs(found.mean() - H) < 0.015 + standard_errors(6) * spread / 200**0.5
        assert found.std() < 1.2 * spread
    if H == 0.2:
        assert m.rescaled_range(x).mean() > 0.27


def test_any_library_says_the_same():
    normals = rng_of().standard_normal((3, 512))
    here, there = (m.fractional_of(0.3, xp.asarray(normals)) for xp in (np, array_api_strict))
    assert_close(np.asarray(there), here)
    for found, expected in (
        (m.local_whittle(there).H, m.local_whittle(here).H),
        (m.second_differences(there), m.second_differences(here)),
        (m.rescaled_range(there), m.rescaled_range(here)),
        (m.autocovariance(there, 5), m.autocovariance(here, 5)),
        (m.sum_variance(there, (1, 9)), m.sum_variance(here, (1, 9))),
    ):
        assert_close(np.asarray(found), expected, "trajectory")


LINE = np.arange(200.0)
LINE[7] += 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: m.fractional_covariance(0.0, LINE),
            r"H = 0.0 is not accepted: it must be a finite number in \(0, 1\)",
        ),
        (lambda: m.fractional_noise(1.0, 10, rng_of()), "H"),
        (lambda: m.fractional_noise(float("nan"), 10, rng_of()), "H"),
        (lambda: m.fractional_noise(0.5, 0, rng_of()), "n = 0"),
        (lambda: m.fractional_noise(0.5, 4, rng_of(), 0), "count = 0"),
        (lambda: m.fractional_of(0.5, np.ones(5)), "even number"),
        (lambda: m.local_whittle(LINE[:15]), "16 values or more"),
        (lambda: m.local_whittle(np.float64(3.0)), "16 values or more"),
        (lambda: m.local_whittle(np.ones(64)), "a constant one"),
        (lambda: m.second_differences(np.where(LINE == 5, np.nan, LINE)), "finite"),
        (lambda: m.second_differences(np.where(LINE == 5, np.inf, LINE)), "finite"),
        (lambda: m.local_whittle(LINE, 100), "a series of 200 values has 99"),
        (lambda: m.local_whittle(LINE, 1), "frequencies"),
        (lambda: m.rescaled_range(LINE[:100]), "128 values or more"),
        (lambda: m.autocovariance(LINE, 200), "less than the 200 values"),
        (lambda: m.sum_variance(LINE, (201,)), "the series has 200 values"),
        (lambda: m.sum_variance(LINE, (0,)), "lengths"),
        (lambda: m.sum_variance(LINE, ()), "one or more"),
        (lambda: m.sum_variance(LINE, 3), "a list of integers"),
        (lambda: m.local_whittle(LINE + 1j), "complex numbers"),
        (lambda: m.local_whittle("a series"), "an array of numbers, or a list"),
        (lambda: m.local_whittle(1.0), "an array of numbers, or a list"),
        (lambda: m.local_whittle([[1.0, 2.0], [3.0]]), "as many in each row"),
        (lambda: m.autocovariance(1e200 * LINE, 1), "out of range"),
        (lambda: m.second_differences(1e-200 * LINE), "out of range"),
        (lambda: m.fractional_noise(0.3, 16, 0), "default_rng"),
    ],
)
def test_what_is_no_series_is_refused_in_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_sizes_do_not_matter():
    """Neither tiny nor huge numbers, nor integers, change an estimate."""
    x = m.fractional_noise(0.7, 500, rng_of(3))
    for scale in (1e-140, 1e140):
        assert_close(m.local_whittle(scale * x).H, m.local_whittle(x).H)
        assert_close(m.second_differences(scale * x), m.second_differences(x))
    coins = rng_of().integers(0, 2, 1000)
    assert abs(float(m.local_whittle(coins).H) - 0.5) < 0.2


def test_a_list_is_a_series():
    for estimate in (m.second_differences, m.rescaled_range, lambda x: m.local_whittle(x).H):
        assert estimate(LINE.tolist()) == estimate(LINE)
    assert m.second_differences([LINE.tolist()] * 2).shape == (2,)
