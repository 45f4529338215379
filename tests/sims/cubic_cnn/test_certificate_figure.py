"""The picture of the radius beside the margins: what is drawn is the data, where there is something to draw."""

import math
import re

import numpy as np
import pytest
from figure_checks import faults
from matplotlib.colors import to_hex

from lemmascope.sims.cubic_cnn.problems import PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, SMALL
from lemmascope.sims.figures.headline import certificate, save_all
from lemmascope.sims.schedule import Logarithmic
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage

LAW = Parameters(d=150, N=40, P=2, m=6, alpha=4.0, beta=0.2, mu=0.3, sigma=0.16, sigma_0=0.05)
OPTIMIZERS = {"GD": GD(0.1), "GD+M": MomentumAverage(0.2, 0.998)}
LOG_D = math.log(LAW.d)


@pytest.fixture(scope="module")
def run():
    return simulate(LAW, OPTIMIZERS, iterations=1200, seeds=2, record=Logarithmic(25), certify=True)


def lines(figure, name, colour):
    axis = next(axis for axis in figure.axes if axis.get_title(loc="left") == name)
    found = [line for line in axis.lines if to_hex(line.get_color()).upper() == colour]
    return [line.get_ydata() for line in found if len(line.get_xdata()) > 2]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_draw_has_a_line_that_is_its_radius(run, name):
    drawn = lines(certificate.draw(run), name, LARGE)
    assert len(drawn) == 2
    for seed, line in enumerate(drawn):
        radius = run.radius.sel(seed=seed, optimizer=name).values
        np.testing.assert_array_equal(line, np.where(radius > 0, radius, np.nan))
        assert np.nanmax(line) < 1e-6


def test_margins_are_distances_from_the_nearest_bound(run):
    figure = certificate.draw(run)
    (c,), (memorized,), (accuracy,) = (lines(figure, "GD+M", colour) for colour in (FEATURE, NOISE, SMALL))
    at = run.sel(optimizer="GD+M").isel(iteration=-1)
    low = at.c_within.max("neuron").sel(end="low")
    bounds = np.array([1 / LAW.alpha, LOG_D * LOG_D / LAW.alpha, 1 / LAW.beta]) / LOG_D
    assert c[-1] == pytest.approx(float(min(np.abs(low - bound).min() for bound in bounds)), rel=1e-6)
    small = at.sel(margin="small")
    assert memorized[-1] == pytest.approx(float(abs(small.memorization_min - 1 / LOG_D).min()), rel=1e-6)
    assert accuracy[-1] == pytest.approx(float(small.test_accuracy_within.sel(end="low").min()) - 0.99)
    assert np.isnan(accuracy).any()  # between chance and one nothing is decided


def test_where_a_bound_is_inside_of_an_interval_nothing_is_drawn(run):
    wide = run.copy(deep=True)
    wide["c_within"][..., 0], wide["c_within"][..., 1] = -10.0, 10.0
    wide["radius"][:, :, -5:] = np.inf
    figure = certificate.draw(wide)
    assert np.all(np.isnan(lines(figure, "GD", FEATURE)[0]))
    assert all(np.all(np.isnan(line[-5:])) for line in lines(figure, "GD", LARGE))
    text = certificate.caption(wide)
    assert "max c not decided" in text
    assert f"GD at iteration {int(run.iteration[-6])} (not known on every draw from then on)" in text


def test_the_caption_has_the_last_radius(run):
    text = certificate.caption(run)
    found = re.search(r"GD\+M at iteration 1200: radius (\S+), max c", text)
    assert found[1] == f"{float(run.radius.sel(optimizer='GD+M').isel(iteration=-1).max()):.1e}"
    assert "2 draws" in text
    assert "bands" not in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("width", ["text", "column"])
def test_it_can_be_read(run, width):
    assert not faults(certificate.draw(run, width))


def test_a_run_without_a_radius_has_no_such_picture(run, tmp_path):
    plain = run[["nu", "c", "Xi_abs_max", "diverged_at"]]
    assert certificate.draw(plain) is None
    assert certificate.caption(plain) == ""
    assert "certificate.pdf" in {path.name for path in save_all(run, tmp_path)}


def test_a_users_own_data_have_the_radius_alone():
    rng = np.random.default_rng(0)
    own = PatchProblem(rng.normal(size=(8, 3, 5)), np.where(rng.random(8) < 0.5, -1.0, 1.0), m=3, sigma_0=0.1)
    found = simulate(own, {"GD": GD(0.01)}, iterations=20, certify=True)
    assert certificate.margins(found.sel(optimizer="GD")) == {}
    assert len(lines(certificate.draw(found), "GD", LARGE)) == 1
    assert "Other lines" not in certificate.caption(found)
