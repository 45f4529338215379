"""Pictures as data: found by the study, drawn into files with their captions, refused in one sentence."""

from pathlib import Path

import pytest
from figure_checks import faults
from matplotlib.figure import Figure

from lemmascope.sims import pictures, registry
from lemmascope.sims.pictures import Picture
from lemmascope.sims.study import Experiment, Result, Study, settings_of
from lemmascope.theory.errors import InputError

TOY = Path(__file__).parents[1] / "toy_study.py"


def figure(result):
    made = Figure(figsize=(1, 1))
    made.subplots().plot([0, 1], [0, result.root_seed])
    return made


def said(result):
    return f"Root seed {result.root_seed}."


def study(made, **given):
    toy = registry.load(TOY)
    return Study(
        name=given.pop("name", "drawn"),
        subject="toy",
        message="",
        settings=toy.settings,
        experiments={"x": Experiment(lambda s: {"k": [0]}, lambda task: None)},
        evidence=lambda settings, data: [],
        claims=[],
        pictures=None if made is None else lambda: made,
        **given,
    )


def result(made, **given):
    of = study(made, **given)
    return Result(of, settings_of(of.settings), 7, {}, (), ())


def test_each_picture_has_two_files_and_a_caption(tmp_path):
    paths = pictures.save(result([Picture("one", figure, said), Picture("two", figure, said)]), tmp_path / "new")
    ends = (".pdf", ".png", ".caption.txt")
    assert [path.name for path in paths] == [f"{name}{end}" for name in ("one", "two") for end in ends]
    assert (tmp_path / "new" / "two.caption.txt").read_text() == "Root seed 7.\n"
    assert all(path.stat().st_size for path in paths)


def test_a_result_that_has_nothing_to_draw_has_no_files(tmp_path):
    paths = pictures.save(result([Picture("none", lambda result: None, said), Picture("one", figure, said)]), tmp_path)
    assert {path.name.partition(".")[0] for path in paths} == {"one"}


def test_pictures_of_one_name_are_refused_before_any_is_drawn(tmp_path):
    with pytest.raises(InputError, match=r"pictures = .*one.* name of its own"):
        pictures.save(result([Picture("one", figure, said), Picture("one", figure, said)]), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("drawn", [3, "a path", [Figure()]])
def test_what_is_no_figure_is_refused(tmp_path, drawn):
    with pytest.raises(InputError, match=r"picture one = .*must return a matplotlib Figure"):
        pictures.save(result([Picture("one", lambda result: drawn, said)]), tmp_path)


def test_the_house_s_pictures_are_found_by_the_study_s_name():
    for name in registry.names():
        found = pictures.of(registry.study(name))
        assert found
        assert all(isinstance(picture, Picture) for picture in found)


def test_a_user_s_study_has_its_own_and_never_those_of_a_name():
    assert [picture.name for picture in pictures.of(registry.load(TOY))] == ["variance"]
    assert pictures.of(study(None)) == ()
    assert pictures.of(study(None, name="phase", file="/home/me/phase.py")) == ()
    assert pictures.of(study(None, name="phase")) == pictures.of(registry.study("phase"))


# --- one column -----------------------------------------------------------------------------------------------------


def wide(result, width="text"):
    made = Figure(figsize=(3.25 if width == "column" else 7, 2))
    made.subplots().set_title(width)
    return made


def plain(result):
    made = Figure(figsize=(7, 2))
    axis = made.subplots()
    axis.plot([0, 1], [0, 1])
    axis.set_title("small", fontsize=3)
    axis.tick_params(labelsize=4)
    return made


def size(path):
    """Width and height of a PNG, in inches of 300 pixels."""
    head = path.read_bytes()[16:24]
    return int.from_bytes(head[:4], "big") / 300, int.from_bytes(head[4:], "big") / 300


def test_a_picture_that_takes_the_width_is_told_it(tmp_path):
    both = Picture("one", wide, lambda result, width="text": f"In a {width}.")
    pictures.save(result([both]), tmp_path / "text")
    pictures.save(result([both]), tmp_path / "column", width="column")
    assert (tmp_path / "text" / "one.caption.txt").read_text() == "In a text.\n"
    assert (tmp_path / "column" / "one.caption.txt").read_text() == "In a column.\n"
    assert size(tmp_path / "text" / "one.png") == (7, 2)
    assert size(tmp_path / "column" / "one.png") == (3.25, 2)


def test_any_other_picture_is_made_a_column_wide_and_readable(tmp_path):
    drawn = plain(None)
    pictures.save(result([Picture("one", lambda result: drawn, said)]), tmp_path, width="column")
    assert size(tmp_path / "one.png") == (3.25, 2)
    assert faults(drawn) == []


def test_another_width_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(InputError, match=r"width = 'page' .* one of text, column"):
        pictures.save(result([Picture("one", lambda result: 1 / 0, said)]), tmp_path, width="page")


def unreadable(result):
    made = plain(result)
    made.suptitle(r"$\foo$")
    return made


@pytest.mark.parametrize("broken", [lambda result: 1 / 0, unreadable, lambda result: Path("/nowhere").read_bytes()])
def test_a_picture_that_fails_leaves_no_half_a_file_and_the_others(tmp_path, broken):
    with pytest.raises((ArithmeticError, ValueError, OSError)):
        pictures.save(result([Picture("broken", broken, said), Picture("one", figure, said)]), tmp_path)
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {"one"}
