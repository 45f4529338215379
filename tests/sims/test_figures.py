"""The figures: what is drawn is the data, captions tell it, every kind of trajectory can be drawn."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from sims.figures import accuracy, coefficients, data, save, save_all, stages
from sims.figures.common import FEATURE, NOISE, SMALL
from sims.problems import PatchProblem
from sims.simulate import simulate
from theory.cubic_cnn.parameters import HEADLINE, Parameters
from theory.optimizers import GD, MomentumAverage

TINY = Parameters(d=80, N=20, P=3, m=4, alpha=3, beta=0.2, mu=0.3, sigma=0.2, sigma_0=0.05)
OPTIMIZERS = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.99)}


@pytest.fixture(scope="module")
def run():
    return simulate(TINY, OPTIMIZERS, iterations=150, seeds=3)


def axes_of(figure, title):
    return next(a for a in figure.axes if a.get_title(loc="left") == title)


def curve(axis, colour):
    return next(line for line in axis.lines if to_hex(line.get_color()).upper() == colour and len(line.get_xdata()) > 2)


@pytest.mark.parametrize("name", ["GD", "GD+M"])
def test_lines_are_medians_over_seeds(run, name):
    at = run.sel(optimizer=name)
    for figure, colour, values in (
        (coefficients.draw(run), FEATURE, at.c.max("neuron")),
        (coefficients.draw(run), NOISE, at.Xi_abs_max.sel(margin="small")),
        (stages.draw(run), SMALL, at.nu.sel(margin="small")),
        (accuracy.draw(run), SMALL, at.test_accuracy.sel(margin="small")),
    ):
        line = curve(axes_of(figure, name), colour)
        np.testing.assert_array_equal(line.get_xdata(), run.iteration.values)
        np.testing.assert_array_equal(line.get_ydata(), values.median("seed").values)


def test_bands_reach_from_the_smallest_to_the_largest(run):
    axis = axes_of(coefficients.draw(run), "GD")
    low = run.c.max("neuron").sel(optimizer="GD").min("seed").values
    corners = np.concatenate([band.get_paths()[0].vertices for band in axis.collections])
    assert {(float(t), float(y)) for t, y in zip(run.iteration.values, low, strict=True)} <= {
        (float(t), float(y)) for t, y in corners
    }


def texts(axis):
    return {text.get_text() for text in axis.texts}


def test_times_are_drawn_where_they_are_reached(run):
    first = run.copy(deep=True)
    first["T_0"][:] = 7.0
    first["T_1"][:] = np.nan
    axis = axes_of(coefficients.draw(first), "GD")
    assert "$T_0$" in texts(axis)
    assert "$T_1$" not in texts(axis)
    assert any(list(line.get_xdata()) == [7.0, 7.0] for line in axis.lines)
    assert "T₁ of GD (0 of 3 seeds)" in coefficients.caption(first)
    assert {r"$1/\alpha$", r"$1/\beta$"} <= texts(axis)


def test_captions_have_the_numbers_of_the_run(run):
    text = coefficients.caption(run)
    for words in ("3 seeds", "d = 80", "β = 0.2", "γ = 0.99", "T₀ of GD"):
        assert words in text
    final = float(run.test_accuracy.isel(iteration=-1).median("seed").sel(optimizer="GD+M", margin="small"))
    assert f"{final:.3f}" in accuracy.caption(run)
    assert "one seed" in stages.caption(run.isel(seed=[0]))


def test_files_are_written_and_reproducible(run, tmp_path):
    first = save_all(run, tmp_path / "a")
    second = save_all(run, tmp_path / "b")
    ends = (".pdf", ".png", ".caption.txt")
    names = {name + end for name in ("coefficients", "stages", "accuracy", "data") for end in ends}
    assert {p.name for p in first} == names
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size > (100 if one.suffix == ".txt" else 5000)
    for path in first:
        if path.suffix == ".txt":
            assert len(path.read_text().strip().splitlines()) == 1


def test_user_data_without_a_feature(tmp_path):
    rng = np.random.default_rng(0)
    own = PatchProblem(rng.normal(size=(8, 3, 5)), np.where(rng.random(8) < 0.5, -1.0, 1.0), m=3, sigma_0=0.1)
    made = save_all(simulate(own, OPTIMIZERS, iterations=30, seeds=2), tmp_path)
    assert {p.stem for p in made if p.suffix == ".pdf"} == {"coefficients", "stages"}


@pytest.mark.parametrize("count", [1, 3, 5])
def test_any_number_of_optimizers_and_one_seed(count, tmp_path):
    several = {f"GD {k}": GD(0.02 * (k + 1)) for k in range(count)}
    run = simulate(TINY, several, iterations=20)
    figure = coefficients.draw(run)
    assert [a.get_title(loc="left") for a in figure.axes if a.get_visible()] == list(several)
    save(figure, "a caption", tmp_path, "many")


def test_a_diverged_run_can_be_drawn(tmp_path):
    penalized = Parameters(**{**TINY.to_dict(), "lam": 1.0})
    run = simulate(penalized, {"GD": GD(0.1), "wild": GD(1e9)}, iterations=40, seeds=2)
    assert int(run.diverged_at.sel(optimizer="wild").min()) > 0
    for place, draw in enumerate((coefficients.draw, stages.draw, accuracy.draw)):
        save(draw(run), "a caption", tmp_path, f"diverged-{place}")


def test_the_data_figure_shows_the_law():
    figure = data.draw(HEADLINE)
    clouds = [np.asarray(c.get_offsets()) for axis in figure.axes for c in axis.collections]
    points = np.concatenate([cloud for cloud in clouds if len(cloud) > 1])
    signal = points[np.abs(points[:, 0]) > 0.05]
    assert set(np.round(np.abs(signal[:, 0]), 6)) == {HEADLINE.alpha, HEADLINE.beta}
    noise = points[np.abs(points[:, 0]) < 0.05]
    assert len(signal) == len(noise) == HEADLINE.N
    assert np.abs(noise[:, 0]).max() < 1e-12
    assert np.median(noise[:, 1]) == pytest.approx(2.0, rel=0.02)
    assert "α = 5" in data.caption(HEADLINE)
