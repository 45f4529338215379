"""The study of momentum's gain against the batch size: how rates are chosen, whose images they are, what is refused."""

import json

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.images.choice import chosen
from lemmascope.sims.judge import judge
from lemmascope.sims.run.carry import judge_again, run_study
from lemmascope.sims.studies import batch_size
from lemmascope.sims.studies.batch_size import STUDY, TALK, Settings
from lemmascope.sims.study import experiment_tasks, plain, restored, settings_of
from lemmascope.theory.errors import InputError
from lemmascope.theory.images.claims import BATCH_SIZE
from lemmascope.theory.verdict import Status

BATCHES = (10, 25, 50, 100, 200)


# --- the common rule -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accuracy", "error", "place", "margin"),
    [
        ([0.8, 0.9, 0.95, 0.7], [0, 0, 0, 0], 2, 0.05),
        ([0.8, 0.9, 0.9, 0.7], [0, 0, 0, 0], 1, 0.0),
        ([0.8, 0.9, 0.9 + 1e-15, 0.7], [0, 0, 0, 0], 1, 0.0),
        ([0.8, 0.9, 0.95, 0.7], [0, 0, 0.005, 0], 1, 0.1),
        ([0.8, 0.9, 0.95, 0.7], [0.005, 0.02, 0.005, 0.3], 2, 0.15),
        ([0.8, 0.9, 0.95, 0.7], [0.0, 0.005, 0.005, 0.3], 0, np.nan),
        ([0.8, 0.9, 0.95, 0.7], [0.4, 0.02, 0.01, 0.3], 2, np.nan),
    ],
)
def test_the_rule_takes_the_best_that_trains_and_the_smaller_of_equals(accuracy, error, place, margin):
    assert chosen(accuracy, error) == (place, pytest.approx(margin, nan_ok=True))


# --- gains ---------------------------------------------------------------------------------------------------------


def data_of(gain, error=0.0, permuted=0.1, gamma=0.9):
    """What the experiments would give, with this gain (batch, seed) of SGD+M over 0.9."""
    gain = np.asarray(gain, float)
    shape = (2, *gain.shape)
    cells = xr.Dataset(
        {
            "accuracy": (("optimizer", "batch", "seed"), 0.9 + np.stack([0 * gain, gain])),
            "error": (("optimizer", "batch", "seed"), np.full(shape, error)),
            "permuted": (("optimizer", "batch", "seed"), np.full(shape, permuted)),
        },
        {"optimizer": [0.0, gamma], "batch": list(BATCHES), "seed": range(gain.shape[1])},
    )
    small = np.broadcast_to(np.array([0.5, 0.51, 1.0])[:, None, None], (3, 5, 3))
    coords = {"optimizer": list(batch_size.CENTRAL_GAMMAS), "batch": list(BATCHES), "seed": range(3)}
    central = xr.Dataset({"small": (("optimizer", "batch", "seed"), small)}, coords)
    one = xr.Dataset({"difference": (("seed", "network"), [[1e-9]]), "unreversed": (("seed", "network"), [[0.5]])})
    descent = xr.Dataset({"full": ("seed", [0.0]), "half": ("seed", [0.1])})
    coords = {"seed": [0]}
    return {
        "cells": cells.transpose("seed", "batch", "optimizer"),
        "central": central.transpose("seed", "batch", "optimizer"),
        "gradients": one.assign_coords(coords),
        "descent": descent.assign_coords(coords),
    }


def verdicts(gain, settings=None, **rest):
    settings = settings or Settings()
    everyone = STUDY.evidence(settings, data_of(gain, gamma=settings.gamma, **rest))
    expected, undecided = STUDY.expects(settings), STUDY.leaves_open(settings)
    return {v.claim: v for v in judge(BATCH_SIZE, everyone, STUDY.controls, expected, undecided=undecided)}


def gains(per_doubling, level, noise=0.004):
    noises = noise * np.random.default_rng(2).standard_normal((5, 8))
    return level + per_doubling * np.log2(np.array(BATCHES))[:, None] + noises


def test_a_gain_that_grows_holds_with_controls_that_are_refuted():
    found = verdicts(gains(0.01, 0.02))
    assert {v.status for v in found.values()} == {Status.HOLDS}
    assert {v.control["status"] for v in found.values()} == {"REFUTED"}


def test_permuted_labels_are_those_of_momentum_alone():
    everyone = STUDY.evidence(Settings(), data_of(gains(0, 0.02), permuted=0.2))
    (noise,) = (e for e in everyone if e.role == "permuted")
    assert np.allclose(noise["gain"], 0.2 - 0.9)


@pytest.mark.parametrize("gain", [gains(0.01, 0.02), gains(-0.01, 0.0), gains(0.0, 0.0, noise=0.03)])
def test_what_the_talk_says_of_other_images_is_an_open_question(gain):
    found = verdicts(gain)
    for name, verdict in found.items():
        assert verdict.as_expected
        assert (verdict.expected is None) == (name in TALK)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, set()),
        ({"seeds": 7}, set(TALK)),
        ({"batches": (10, 50, 100, 200)}, {"batch.gain_grows"}),
        ({"train_size": 201}, {"batch.not_noise"}),
        ({"normalization": True}, {"batch.gain_grows", "batch.not_noise"}),
        ({"augmentation": True}, {"batch.gain_grows", "batch.not_noise"}),
        ({"central_steps": 3999}, {"batch.central_gain_at_every_size", "batch.central_growth"}),
    ],
)
def test_what_settings_cannot_decide_is_known(change, names):
    assert set(STUDY.leaves_open(Settings(**change))) == names


# --- images of one's own -------------------------------------------------------------------------------------------

SMALL = {"train_size": 20, "validation_size": 10, "batches": (5, 20), "epochs": 2, "rates": (0.1,), "widths": (2, 3)}
SMALL |= {"seeds": 2, "central_batches": (100, 200), "central_steps": 10, "central_seeds": 3}


@pytest.fixture
def images(tmp_path):
    """A file of images of three classes, and what writes others into it."""
    path = tmp_path / "images.npz"

    def write(seed=0, classes=3):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, classes, 60)
        np.savez(path, x=rng.standard_normal((60, 8, 8, 2)) + y[:, None, None, None], y=y)
        return path

    write()
    return path, write


def test_images_of_ones_own_are_known_by_their_numbers(images, tmp_path, monkeypatch):
    path, write = images
    monkeypatch.chdir(tmp_path)
    settings = Settings(data="images.npz", **SMALL)
    assert settings.data == str(path)
    assert Settings(data=f"../{tmp_path.name}/images.npz", **SMALL) == settings
    with pytest.raises(InputError, match="give digits"):
        Settings(data=3)
    assert len(settings.data_sha256) == 64
    write(1)
    other = Settings(data="images.npz", **SMALL)
    assert other.data_sha256 != settings.data_sha256
    (task, *_) = experiment_tasks(STUDY, settings, 0)["cells"]
    with pytest.raises(InputError, match="have changed"):
        batch_size.cell(task)
    path.unlink()
    again = restored(Settings, json.loads(json.dumps(plain(settings))))
    assert again == settings, "saved results are judged without their images"
    with pytest.raises(InputError, match="no such file"):
        Settings(data="images.npz", **SMALL)


def test_a_run_on_images_of_ones_own_goes_to_its_end_and_is_resumed_with_the_same_alone(images, tmp_path):
    path, write = images
    settings, out = Settings(data=str(path), **SMALL), tmp_path / "out"
    result = run_study(STUDY, settings, out=out)
    assert not result.failures
    assert result.data["cells"].attrs["classes"] == 3
    assert result.data["cells"].attrs["sha256"] == settings.data_sha256
    assert json.loads((out / "verdicts.json").read_text())["settings"]["data_sha256"] == settings.data_sha256
    write(1)
    with pytest.raises(InputError, match="data_sha256"):
        run_study(STUDY, Settings(data=str(path), **SMALL), out=out, resume=True)
    path.unlink()
    assert repr(judge_again(out).verdicts) == repr(result.verdicts)


@pytest.mark.parametrize("change", [{"normalization": True}, {"augmentation": True}, {"architecture": "res"}])
def test_each_way_of_the_first_figure_runs(change):
    settings = Settings(**SMALL, **change)
    tasks = experiment_tasks(STUDY, settings, 0)
    one = batch_size.cell(tasks["cells"][-1])
    assert np.isfinite(one["accuracy"]).all()
    plain_one = batch_size.cell(experiment_tasks(STUDY, Settings(**SMALL), 0)["cells"][-1])
    assert not one["loss"].equals(plain_one["loss"])
    descent = batch_size.descent(tasks["descent"][0])
    assert float(descent["full"]) == 0 < float(descent["half"])


def test_optimizers_and_batch_sizes_share_split_weights_and_permuted_labels():
    """At a rate so small that nothing moves every cell ends where it began: at the same accuracies."""
    settings = Settings(**SMALL | {"rates": (1e-30,)})
    found = [batch_size.cell(task) for task in experiment_tasks(STUDY, settings, 0)["cells"]]
    names = ["accuracy", "error", "validation", "permuted"]
    draws = [found[k : k + 4] for k in (0, 4)]
    for draw in draws:
        for one in draw[1:]:
            xr.testing.assert_equal(one[names], draw[0][names])
    assert float(draws[0][0]["accuracy"]) != float(draws[1][0]["accuracy"])
    assert found[0].attrs["test"] == batch_size.COUNT - 30


def test_the_rate_is_that_of_the_best_validation_accuracy():
    settings = Settings(**SMALL | {"rates": (1e-30, 0.2), "epochs": 20})
    one = batch_size.cell(experiment_tasks(STUDY, settings, 0)["cells"][0])
    error, accuracy = one["training_error"].values, one["validation"].values
    assert accuracy[1] > accuracy[0]
    assert (float(one["eta"]), float(one["error"])) == (0.2, error[1])


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_size": 199}, "batches = 200 .* the 199 images"),
        ({"batches": (200,)}, "two or more, increasing"),
        ({"batches": (50, 10)}, "increasing"),
        ({"rates": ()}, "one or more"),
        ({"rates": (0.0, 0.1)}, "rates"),
        ({"architecture": "vit"}, "vgg, res"),
        ({"widths": (8, 8, 8, 8)}, "16 must divide height and width"),
        ({"gamma": 1.0}, "gamma"),
        ({"gamma": 0.0}, "gamma"),
        ({"seeds": 1}, "at least 2"),
        ({"central_seeds": 2}, "at least 3"),
        ({"validation_size": 1600}, "fit into the 1797 images and leave some"),
        ({"central_batches": (10, 30)}, "divide the 200 samples"),
        ({"data": "nowhere.npz"}, "no such file"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)


def test_images_that_cannot_be_run_are_refused_before_anything_is_computed(images):
    path, write = images
    with pytest.raises(InputError, match=r"train_size = 41.*60 images"):
        Settings(data=str(path), **SMALL | {"train_size": 41, "validation_size": 20})
    with pytest.raises(InputError, match="16 must divide"):
        Settings(data=str(path), **SMALL | {"widths": (2, 2, 2, 2)})
    write(classes=1)
    with pytest.raises(InputError, match="one class"):
        Settings(data=str(path), **SMALL)


def test_the_default_decides_every_claim():
    assert STUDY.leaves_open(settings_of(Settings)) == {}
    assert set(STUDY.leaves_open(settings_of(Settings, "quick"))) == set(TALK)
