"""Exponents are recovered from made-up times, and every size varies what it says."""

import math

import numpy as np
import pytest

from lemmascope.benchmarks.cubic_cnn.own import time_reference
from lemmascope.benchmarks.growth import Study, fit, grow, studies
from lemmascope.theory.cubic_cnn.parameters import HEADLINE


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0])
def test_a_power_law_is_recovered_exactly(exponent):
    x = [10, 30, 100, 1000, 5000]
    slope, error = fit(x, [3e-5 * v**exponent for v in x])
    assert slope == pytest.approx(exponent, abs=1e-12)
    assert error == pytest.approx(0.0, abs=1e-12)


def test_the_standard_error_is_that_of_least_squares():
    rng = np.random.default_rng(5)
    x = np.geomspace(1, 1000, 12)
    t = 2.0 * x**1.5 * np.exp(0.1 * rng.standard_normal(12))
    slope, error = fit(x, t)
    # Independent: the covariance of a fitted line.
    line, covariance = np.polyfit(np.log(x), np.log(t), 1, cov=True)
    assert slope == pytest.approx(line[0])
    assert error == pytest.approx(math.sqrt(covariance[0, 0]))
    assert abs(slope - 1.5) < 5 * error


def test_two_points_have_a_slope_without_error():
    slope, error = fit([1, 2], [4.0, 2.0])
    assert slope == pytest.approx(-1)
    assert math.isnan(error)
    assert math.isnan(fit([1], [1.0])[0])


@pytest.mark.parametrize("study", studies(cores=4), ids=lambda s: s.size)
def test_a_study_varies_one_size(study):
    for x in study.points:
        p, seeds, cells, threads = study.at(x)
        sizes = {"d": p.d, "n": p.n, "m": p.m, "cells": cells, "seeds": seeds, "threads": threads}
        assert sizes[study.size] == x
        fixed = study.at(study.points[0])
        others = {"d": fixed[0].d, "n": fixed[0].n, "m": fixed[0].m, "cells": fixed[2], "seeds": fixed[1]}
        assert all(sizes[name] == value for name, value in others.items() if name != study.size)


def test_d_goes_far_and_threads_are_those_of_the_machine():
    found = {study.size: study for study in studies(cores=6)}
    assert found["d"].points[-1] == 10**12
    assert found["threads"].points == (1, 2, 4, 6)


def test_grow_fits_what_the_hook_times():
    def time_own(parameters, law, seeds, cells, iterations, workers):
        assert law == ("exact" if parameters.d > parameters.n else "samples")
        return 1e-6 * parameters.n**2 * seeds * len(cells) / workers

    found = {g.study.size: g for g in grow(time_own, say=lambda _: None)}
    for size, expected in {"d": 0, "n": 2, "m": 0, "cells": 1, "seeds": 1}.items():
        assert found[size].exponent == pytest.approx(expected, abs=1e-9), size


def test_the_reference_can_be_timed():
    study = Study("n", "", (10, 20), HEADLINE)
    (found,) = grow(time_reference, found=[study], quick=True, say=lambda _: None)
    assert [x for x, _ in found.points] == [10, 20]
    assert all(t > 0 for _, t in found.points)
