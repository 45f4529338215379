"""Splits: no image twice, normalized by what is trained on, sizes that the data do not have."""

import dataclasses

import numpy as np
import pytest

from lemmascope.sims.images import data
from lemmascope.sims.images.data import load, split
from lemmascope.theory.errors import InputError


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Fifty images, each known by its first pixel."""
    x = np.random.default_rng(1).standard_normal((50, 4, 4, 2)) * (3.0, 0.01) + (100.0, -5.0)
    path = tmp_path_factory.mktemp("made") / "a.npz"
    np.savez(path, x=x, y=np.arange(50) % 5)
    return load(str(path))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_split_is_normalized_by_what_is_trained_on(images, dtype, monkeypatch):
    monkeypatch.setattr(data, "CHUNK", 7)
    found = split(images, 20, 10, np.random.default_rng(2), dtype)
    assert [part.x.shape for part in (found.train, found.validation, found.test)] == [
        (20, 4, 4, 2),
        (10, 4, 4, 2),
        (20, 4, 4, 2),
    ]
    index = [
        [int(np.argmin(np.abs(images.x - (one * found.deviation + found.mean)).max(axis=(1, 2, 3)))) for one in part.x]
        for part in (found.train, found.validation, found.test)
    ]
    assert sorted(k for rows in index for k in rows) == list(range(50))
    for rows, part in zip(index, (found.train, found.validation, found.test), strict=True):
        assert np.array_equal(images.y[rows], part.y)
        assert part.x.dtype == dtype
    trained = images.x[index[0]]
    assert np.allclose(found.mean, trained.mean(axis=(0, 1, 2)), rtol=1e-12)
    assert np.allclose(found.deviation, trained.std(axis=(0, 1, 2)), rtol=1e-12)
    rounding = 1e-5 if dtype == "float32" else 1e-12
    assert np.allclose(found.train.x.mean(axis=(0, 1, 2), dtype=float), 0, atol=rounding)
    assert np.allclose(found.train.x.std(axis=(0, 1, 2), dtype=float), 1, atol=rounding)
    assert abs(found.test.x.mean()) > rounding


def test_the_generator_alone_decides(images):
    one, again, other = (split(images, 20, 10, np.random.default_rng(k), "float32") for k in (2, 2, 3))
    assert np.array_equal(one.train.x, again.train.x)
    assert not np.array_equal(one.train.y, other.train.y)


def test_a_class_that_is_not_trained_on_is_said(images):
    few = split(images, 2, 10, np.random.default_rng(2), "float32")
    assert set(few.missing) == set(range(5)) - set(few.train.y.tolist())
    assert len(few.missing) >= 3
    assert split(images, 40, 5, np.random.default_rng(2), "float32").missing == ()


def test_a_test_set_of_its_own_is_taken_as_it_is(images):
    own = dataclasses.replace(images, test=(images.x[:7], images.y[:7]))
    found = split(own, 30, 20, np.random.default_rng(2), "float64")
    assert np.allclose(found.test.x * found.deviation + found.mean, images.x[:7], rtol=1e-12)
    assert np.array_equal(found.test.y, images.y[:7])


def test_there_are_test_images_enough(images, monkeypatch):
    monkeypatch.setattr(data, "TESTED", 5)
    assert len(split(images, 20, 10, np.random.default_rng(2), "float32").test.y) == 5
    own = dataclasses.replace(images, test=(images.x[:7], images.y[:7]))
    assert np.array_equal(split(own, 20, 10, np.random.default_rng(2), "float32").test.y, images.y[:5])


def test_a_channel_that_is_constant_where_it_is_trained_on_is_shifted_alone(images):
    trained = np.random.default_rng(2).permutation(50)[:20]
    x = np.array(images.x)
    x[..., 1] = np.where(np.isin(np.arange(50), trained), 3.0, 3.5)[:, None, None]
    found = split(dataclasses.replace(images, x=x), 20, 10, np.random.default_rng(2), "float32")
    assert (found.train.x[..., 1] == 0).all()
    assert (found.test.x[..., 1] == 0.5).all()


@pytest.mark.parametrize(
    ("sizes", "dtype", "words"),
    [
        ((40, 10), "float32", "less than all of the 50 images"),
        ((60, 10), "float32", "train_size = 60"),
        ((1, 10), "float32", "train_size"),
        ((20, 0), "float32", "validation_size"),
        ((20, 10), "float16", "dtype"),
        ((20.0, 10), "float32", "train_size"),
    ],
)
def test_sizes_that_the_data_do_not_have_are_refused(images, sizes, dtype, words):
    with pytest.raises(InputError, match=words):
        split(images, *sizes, np.random.default_rng(0), dtype)


def test_with_a_test_set_of_its_own_all_may_be_trained_on(images):
    own = dataclasses.replace(images, test=(images.x[:7], images.y[:7]))
    assert len(split(own, 40, 10, np.random.default_rng(0), "float32").train.y) == 40
    with pytest.raises(InputError, match="of the 50 images"):
        split(own, 41, 10, np.random.default_rng(0), "float32")


def test_a_pixel_that_single_precision_does_not_hold_is_refused(images, monkeypatch):
    monkeypatch.setattr(data, "CHUNK", 2)
    x = np.array(images.x) * 1e-12
    x[images.y == 4] = 1e30  # one or more of the last thirty
    found = dataclasses.replace(images, x=x)
    rng = np.random.default_rng
    seed = next(k for k in range(2000) if 4 not in images.y[rng(k).permutation(50)[:3]])
    with pytest.raises(InputError, match="beyond it"):
        split(found, 3, 30, rng(seed), "float32")
