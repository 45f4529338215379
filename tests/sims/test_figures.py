"""The figures: what is drawn is the data, captions tell it, every kind of trajectory can be drawn."""

import json
from itertools import combinations

import matplotlib
import numpy as np
import pytest
import xarray as xr
from figure_checks import faults
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from lemmascope.sims import pictures
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.figures import phase
from lemmascope.sims.figures.common import COLUMN, FEATURE, LARGE, NOISE, SMALL, save
from lemmascope.sims.figures.headline import LARGEST, PICTURES, accuracy, coefficients, data, save_all, stages
from lemmascope.sims.figures.labels import finish
from lemmascope.sims.schedule import Logarithmic
from lemmascope.sims.studies import phase as planes
from lemmascope.sims.studies.headline import STUDY, Settings
from lemmascope.sims.study import Result
from lemmascope.theory.cubic_cnn import SUBJECT
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage

TINY = Parameters(d=80, N=20, P=3, m=4, alpha=3, beta=0.2, mu=0.3, sigma=0.2, sigma_0=0.05)
OPTIMIZERS = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.99)}


@pytest.fixture(scope="module")
def run():
    return simulate(TINY, OPTIMIZERS, iterations=150, seeds=3, record=Logarithmic(30))


@pytest.fixture(scope="module")
def drawn(run):
    return {module: module.draw(run) for module in (coefficients, stages, accuracy)}


def axes_of(figure, title):
    return next(a for a in figure.axes if a.get_title(loc="left") == title)


def curve(axis, colour):
    return next(line for line in axis.lines if to_hex(line.get_color()).upper() == colour and len(line.get_xdata()) > 2)


@pytest.mark.parametrize("name", ["GD", "GD+M"])
def test_lines_are_medians_over_seeds(run, drawn, name):
    at = run.sel(optimizer=name)
    for figure, colour, values in (
        (drawn[coefficients], FEATURE, at.c.max("neuron")),
        (drawn[coefficients], NOISE, at.Xi_abs_max.sel(margin="small")),
        (drawn[stages], SMALL, at.nu.sel(margin="small")),
        (drawn[accuracy], SMALL, at.test_accuracy.sel(margin="small")),
    ):
        line = curve(axes_of(figure, name), colour)
        np.testing.assert_array_equal(line.get_xdata(), run.iteration.values)
        np.testing.assert_array_equal(line.get_ydata(), values.median("seed").values)


def test_bands_reach_from_the_smallest_to_the_largest(run, drawn):
    axis = axes_of(drawn[coefficients], "GD")
    low = run.c.max("neuron").sel(optimizer="GD").min("seed").values
    corners = np.concatenate([band.get_paths()[0].vertices for band in axis.collections])
    assert {(float(t), float(y)) for t, y in zip(run.iteration.values, low, strict=True)} <= {
        (float(t), float(y)) for t, y in corners
    }


def test_the_two_panels_differ_so_that_an_exchange_would_be_seen(drawn):
    for module, colour in ((coefficients, FEATURE), (stages, LARGE), (accuracy, LARGE)):
        lines = [curve(axes_of(drawn[module], name), colour).get_ydata() for name in OPTIMIZERS]
        assert np.abs(lines[0] - lines[1]).max() > 0.02


def texts(axis):
    return {text.get_text() for text in axis.texts}


def at(axis, t):
    return any(list(line.get_xdata()) == [t, t] for line in axis.lines)


def test_times_and_levels_are_drawn_where_they_are(run):
    first = run.copy(deep=True)
    first["T_0"][:] = np.array([[5.0, 6.0], [7.0, 60.0], [8.0, np.nan]])
    first["T_1"][:] = np.array([[np.nan, np.nan], [np.nan, 90.0], [np.nan, np.nan]])
    figure = coefficients.draw(first)
    gd, gdm = axes_of(figure, "GD"), axes_of(figure, "GD+M")
    assert {"$T_0$", r"$1/\alpha$", r"$1/\beta$"} <= texts(gd) & texts(gdm)
    assert at(gd, 7.0)
    assert at(gdm, 60.0)  # a seed that never reaches T₀ counts as later than all others
    assert "$T_1$" not in texts(gd) | texts(gdm)
    upright = [line for axis in (gd, gdm) for line in axis.lines if len({*line.get_xdata()}) == 1]
    assert len(upright) == 2
    heights = [line.get_ydata()[0] for line in gd.lines if list(line.get_xdata()) == [0, 1]]
    assert heights == [1 / TINY.alpha, 1 / TINY.beta]
    text = coefficients.caption(first)
    for words in (
        "GD 7 (3 of 3 seeds)",
        "GD+M 60 (2 of 3 seeds)",
        "GD not reached (0 of 3 seeds)",
        "GD+M not reached in the median (1 of 3 seeds)",
    ):
        assert words in text


def test_captions_have_the_numbers_of_the_run(run):
    text = coefficients.caption(run)
    for words in ("3 seeds", "d = 80", "β = 0.2", "γ = 0.99", "1/β = 5", "GD+M"):
        assert words in text
    final = float(run.test_accuracy.isel(iteration=-1).median("seed").sel(optimizer="GD+M", margin="small"))
    assert f"{final:.3f}" in accuracy.caption(run)
    assert "one seed" in stages.caption(run.isel(seed=[0]))


def test_every_curve_is_named_once_in_each_panel_and_no_names_overlap(drawn):
    figure = drawn[coefficients]
    names = set(coefficients.NAMES.values()) - {coefficients.NAMES["all"]} | {r"$\mathrm{max}_r\,c_r$"}
    if figure.legends:
        assert {text.get_text() for text in figure.legends[0].get_texts()} == names
        return
    for name in OPTIMIZERS:
        axis = axes_of(figure, name)
        assert names <= texts(axis)
        boxes = [text.get_window_extent() for text in axis.texts if text.get_text() in names]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert all(axis.bbox.padded(2).containsx(b.x0) and axis.bbox.padded(2).containsx(b.x1) for b in boxes)


def test_names_that_do_not_fit_become_a_legend():
    figure = Figure(figsize=(3, 1.5))
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], label="a name that is longer than the whole panel is wide, " * 2)
    axis.set_title("a title all across the panel that the legend would cover")
    (legend,) = finish([("small", axis)]).legends
    assert not axis.texts
    figure.draw_without_rendering()
    title = next(text for text in axis.findobj(Text) if text.get_text().startswith("a title"))
    assert not legend.get_window_extent().overlaps(title.get_window_extent())


def test_files_are_written_and_reproducible(run, tmp_path):
    """Those of a trajectory, and the study's pictures of the same one."""
    result = Result(STUDY, Settings(), 0, {"trajectory": run}, (), ())
    assert pictures.of(STUDY) == PICTURES
    first = save_all(run, tmp_path / "a")
    second = pictures.save(result, tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    ends = (".pdf", ".png", ".caption.txt")
    names = {name + end for name in ("coefficients", "stages", "accuracy", "data") for end in ends}
    assert {p.name for p in first} == names
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size > (100 if one.suffix == ".txt" else 5000)
    for path in first:
        if path.suffix == ".txt":
            assert len(path.read_text().strip().splitlines()) == 1


def test_large_data_are_not_drawn(tmp_path):
    huge = Parameters(**{**TINY.to_dict(), "d": LARGEST})
    found = simulate(LawProblem(huge, "exact"), {"GD": GD(0.01)}, iterations=3)
    assert {path.stem for path in save_all(found, tmp_path) if path.suffix == ".pdf"} == {
        "coefficients",
        "stages",
        "accuracy",
    }


def test_user_data_without_a_feature(tmp_path):
    rng = np.random.default_rng(0)
    own = PatchProblem(rng.normal(size=(8, 3, 5)), np.where(rng.random(8) < 0.5, -1.0, 1.0), m=3, sigma_0=0.1)
    made = save_all(simulate(own, OPTIMIZERS, iterations=30, seeds=2), tmp_path)
    assert {p.stem for p in made if p.suffix == ".pdf"} == {"coefficients", "stages"}


@pytest.mark.parametrize("count", [1, 5])
def test_any_number_of_optimizers_and_one_seed(count, tmp_path):
    labels = ["GD", "$\\eta = 0.04$", r"unreadable $\foo$", "動量", "5$"][:count]
    several = {label: GD(0.02 * (k + 1)) for k, label in enumerate(labels)}
    run = simulate(TINY, several, iterations=20)
    figure = coefficients.draw(run)
    assert [a.get_title(loc="left") for a in figure.axes if a.get_visible()] == list(several)
    save(figure, "a caption", tmp_path, "many")


def test_a_diverged_run_can_be_drawn(tmp_path):
    penalized = Parameters(**{**TINY.to_dict(), "lam": 1.0})
    run = simulate(penalized, {"GD": GD(0.1), "wild": GD(1e9)}, iterations=40, seeds=2)
    assert int(run.diverged_at.sel(optimizer="wild").min()) > 0
    assert "(2 of 2 runs diverged)" in stages.caption(run)
    for module in (stages, accuracy):
        assert module.draw(run).axes
    save(coefficients.draw(run), "a caption", tmp_path, "diverged")


def test_the_data_figure_shows_the_law():
    figure = data.draw(HEADLINE)
    images = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    strips = [values for values in images if len(values) == HEADLINE.P]
    for values, size in zip(strips, (HEADLINE.alpha, HEADLINE.beta), strict=True):
        signal, noise = sorted(values.tolist(), key=lambda patch: -abs(patch[0]))
        assert abs(signal[0]) == pytest.approx(size)
        assert np.abs(signal[1:]).max() == 0
        assert noise[0] == 0
        assert np.std(noise[1:]) == pytest.approx(HEADLINE.sigma, rel=0.6)
    lengths = sorted(
        bar.get_width()
        for axis in figure.axes
        if axis.get_xlabel() == "" or "length" in axis.get_xlabel()
        for bar in axis.patches
        if bar.get_x() == 0 and bar.get_height() == 0.5
    )
    assert [lengths[0], lengths[3]] == pytest.approx([HEADLINE.beta, HEADLINE.alpha])
    # Three standard deviations of σχ with d − 1 degrees of freedom.
    assert lengths[1:3] == pytest.approx([2.0, 2.0], abs=3 * HEADLINE.sigma / 2**0.5)
    spikes = axes_of(figure, r"$\langle x, w^{\!\ast}\rangle$, all patches").collections
    found = {float(s[1][0]): float(s[1][1]) for lines in spikes for s in lines.get_segments()}
    assert set(found) == {-5.0, -0.1, 0.0, 0.1, 5.0}
    assert found[0.0] == HEADLINE.N == sum(found.values()) / 2
    histogram = axes_of(figure, r"$\|x\|$, noise patches").patches
    assert sum(bar.get_height() for bar in histogram) == HEADLINE.N
    assert f"{int(found[0.1] + found[-0.1])} samples" in data.caption(HEADLINE)
    assert "α = 5" in data.caption(HEADLINE)


def test_a_users_settings_neither_leak_in_nor_change(tmp_path):
    run = simulate(TINY, {"GD": GD(0.1)}, iterations=20)
    plain = save(stages.draw(run), "c", tmp_path, "plain")[0].read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "pdf.fonttype": 3}):
        own = dict(matplotlib.rcParams)
        assert save(stages.draw(run), "c", tmp_path, "own")[0].read_bytes() == plain
        assert dict(matplotlib.rcParams) == own


# --- a column, and a plane's axes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [coefficients, stages, accuracy], ids=lambda m: m.__name__.rpartition(".")[2])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_trajectory_fits_a_column(module, count):
    several = {f"optimizer number {k}": GD(0.02 * (k + 1)) for k in range(count)}
    figure = module.draw(simulate(TINY, several, iterations=60, seeds=2, record=Logarithmic(20)), "column")
    assert figure.get_figwidth() == COLUMN
    assert faults(figure) == []


def test_the_data_fit_a_column():
    figure = data.draw(TINY, width="column")
    assert figure.get_figwidth() == COLUMN
    assert faults(figure) == []
    assert "Above: coordinates" in data.caption(TINY, width="column")
    assert "Left: coordinates" in data.caption(TINY)


def plane(**given):
    """A result of the phase study with made-up numbers: what is drawn does not depend on them."""
    settings = planes.Settings(**given)
    y, x = settings.axes
    rows, columns = np.meshgrid(np.linspace(0, 1, len(y.values)), np.linspace(0, 1, len(x.values)), indexing="ij")
    slope = columns - rows
    dims = ("seed", "y", "x")
    found = {
        "small": (dims, 0.75 + 0.2 * slope[None]),
        "c_max": (dims, 10 ** (1 + slope[None])),
        "Xi_abs_max": (dims, 1 + 0.8 * slope[None] ** 2),
    }
    if settings.of_the_optimizer:
        found |= {"clock": ("seed", [120.0]), "two_body": (dims, 0.5 + 0.4 * slope[None])}
    names = {"x": x.name, "y": y.name, "eta": settings.eta, "gamma": settings.gamma}
    attrs = {"parameters": json.dumps(settings.parameters.to_dict()), **names}
    one = xr.Dataset(found, {"y": list(y.values), "x": list(x.values)}, attrs)
    return Result(planes.STUDY, settings, 0, {"phase": one}, (), ())


PLANES = {
    "decades": {},
    "narrow": {"x_range": (0.09, 0.11), "y_range": (0.01, 0.02)},
    "hair": {"x_range": (0.1, 0.1001), "y_range": (0.3, 0.31)},
    "whole": {"x": "sigma_0", "y": "P", "cells": 12},
    "two": {"cells": 2, "x_range": (0.1, 0.2)},
    "small": {"x": "sigma_0", "y": "sigma", "x_range": (1e-5, 1.2e-5)},
    "many": {"x_range": (1e-9, 1e6), "y_range": (1e-12, 1.0), "cells": 40},
}


@pytest.mark.parametrize("width", pictures.WIDTHS)
@pytest.mark.parametrize("which", PLANES)
def test_ticks_of_a_plane_do_not_overlap(which, width):
    """Nor any other text, and each axis has two numbers or more."""
    figure = phase.draw(plane(**PLANES[which]), width)
    assert faults(figure) == []
    assert width == "text" or figure.get_figwidth() == COLUMN
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        low, high = axis.get_view_interval()
        assert sum(low <= at <= high for at in axis.get_ticklocs()) >= 2


def test_a_plane_of_one_value_is_drawn():
    result = plane(cells=2)
    one = result.data["phase"].isel(x=[0], y=[0])
    figure = phase.draw(Result(planes.STUDY, result.settings, 0, {"phase": one}, (), ()))
    assert figure.axes[0].get_xlim()[0] < float(one.x[0]) < figure.axes[0].get_xlim()[1]


@pytest.mark.parametrize(
    ("x", "y"), [("eta", "gamma"), ("beta", "mu"), ("N", "d"), ("gamma", "sigma_0"), ("m", "alpha")]
)
def test_the_caption_of_a_plane_names_what_was_set_and_no_value_of_its_axes(x, y):
    result = plane(x=x, y=y, cells=3)
    text = phase.caption(result)
    inside = text[text.index("(") : text.index(")")].strip("(").split(", ")
    said = dict(part.split(" = ") for part in inside)
    for axis in (x, y):
        assert SUBJECT[axis].symbol not in said
        if (x, y) != ("eta", "gamma"):
            assert f"{SUBJECT[axis].symbol} = " not in text
    settings = result.settings
    used = settings.parameters.to_dict() | {"eta": settings.eta, "gamma": settings.gamma}
    for name in {"d", "N", "P", "m", "alpha", "beta", "mu"} - {x, y}:
        assert said[SUBJECT[name].symbol] == f"{used[name]:g}"
    assert ("η" in said) == (x not in ("eta", "gamma") or x == "gamma")
    assert "Top: test accuracy" in phase.caption(result, "column")


# --- what a reader and a file meet ------------------------------------------------------------------------------------


def luminance(colour):
    return float(np.dot((0.2126, 0.7152, 0.0722), to_rgb(colour)))


def test_curves_of_a_panel_differ_without_their_colours(drawn):
    """In grey by their lines; and no colour is too light for white paper."""
    for figure in drawn.values():
        for axis in figure.axes:
            curves = [line for line in axis.lines if not str(line.get_label()).startswith("_")]
            assert len({str(line.get_linestyle()) for line in curves}) == len(curves)
            assert all(luminance(line.get_color()) < 0.75 for line in curves)
    assert len({str(style["linestyle"]) for _, style in phase.LINES.values()}) == len(phase.LINES)


def test_the_files_have_letters_and_no_drawings_of_them(run, tmp_path):
    """TrueType, as journals ask for, at both widths, and the column is 3.25 inches wide."""
    for width in pictures.WIDTHS:
        for path in save_all(run, tmp_path / width, width=width):
            if path.suffix == ".pdf":
                content = path.read_bytes()
                assert b"/FontFile2" in content
                assert b"/Type3" not in content
                assert width == "text" or b"/MediaBox [ 0 0 234 " in content
    with pytest.raises(ValueError, match="it must be one of text, column"):
        save_all(run, tmp_path, width="page")


LABELS = ["$", "$$", "a_b^c", "100 %", "two\nlines", "$\\foo$", "$\\frac{1}$", "{", "\\", "$x", "a\x1b[31mred"]
LABELS += ["\udc80", "動", "$動$", "#&~"]


@pytest.mark.parametrize("label", LABELS, ids=range(len(LABELS)))
def test_a_label_of_anybody_s_is_drawn(run, tmp_path, label):
    several = run.assign_coords(optimizer=[label, "GD+M"])
    known = json.loads(run.attrs["optimizers"])
    several.attrs["optimizers"] = json.dumps({label: known["GD"], "GD+M": known["GD+M"]})
    made = save_all(several, tmp_path, width="column")
    assert len(made) == 12
    for path in made:
        if path.suffix == ".txt":
            assert len(path.read_text(encoding="utf-8").splitlines()) == 1
            assert "\x1b" not in path.read_text(encoding="utf-8")
