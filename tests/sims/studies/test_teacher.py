"""The study of students and teachers: how rates are chosen, what planted ratios give, what is refused."""

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies import teacher
from lemmascope.sims.studies.teacher import STUDY, TALK, Settings
from lemmascope.sims.study import experiment_tasks
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.teacher.claims import TEACHER
from lemmascope.theory.teacher.claims.teacher import interval
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("gaussian."): claim for claim in TEACHER}


def held(ratios, error=0.0, **attrs):
    """Evidence of one cell with these ratios."""
    data = {
        "log_ratio": ("seed", np.log(ratios)),
        "error": (("optimizer", "seed"), np.full((2, len(ratios)), error)),
        "early": (("optimizer", "seed"), np.full((2, len(ratios)), 0.3)),
    }
    return xr.Dataset(data, {"seed": range(len(ratios))}, {"slow": 1} | attrs)


SHARED = Evidence(held([1.3, 1.35, 1.4, 1.32]), "1-MLP", role="contrast")
GAUSSIAN = Evidence(held([0.99, 1.0, 1.005, 0.995]), "γ = 0.99", role="strong")


def verdict(name, data, role):
    one = Evidence(data, "x", role=role, parameters=Settings())
    found = judge([CLAIMS[name]], [one, GAUSSIAN, SHARED], STUDY.controls)
    return found[0]


@pytest.mark.parametrize(
    ("name", "role", "ratios", "status"),
    [
        ("momentum_does_not_help", "cell", [0.99, 1.0, 1.005, 0.995], Status.HOLDS),
        ("momentum_does_not_help", "cell", [0.8, 0.9, 1.0, 1.2], Status.INCONCLUSIVE),
        ("momentum_does_not_help", "cell", [1.1, 1.11, 1.12, 1.1], Status.REFUTED),
        ("no_gain", "cell", [1.005, 1.01, 1.015, 1.012], Status.HOLDS),
        ("no_gain", "cell", [1.02, 1.025, 1.022, 1.021], Status.REFUTED),
        ("contrast", "contrast", [1.2, 1.25, 1.3, 1.22], Status.HOLDS),
        ("contrast", "contrast", [1.0, 1.01, 0.99, 1.0], Status.REFUTED),
        ("contrast_tuned", "tuned", [1.0, 1.1, 1.2, 1.3], Status.INCONCLUSIVE),
    ],
)
def test_intervals_decide_not_points(name, role, ratios, status):
    found = verdict(name, held(ratios), role)
    assert found.status is status, found.reason
    assert found.control["status"] == "REFUTED"


def test_what_is_not_trained_is_not_judged():
    assert verdict("momentum_does_not_help", held([1.0] * 4, error=0.02), "cell").status is Status.NOT_APPLICABLE
    assert verdict("contrast", held([1.3] * 4, error=0.005), "contrast").status is Status.NOT_APPLICABLE
    assert verdict("contrast", held([1.3] * 4, slow=0), "contrast").status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("errors", "epochs", "status"),
    [
        ([0.0] * 8, 1000, Status.HOLDS),
        ([0.0] * 7 + [0.02], 1000, Status.HOLDS),
        ([0.0] * 4 + [0.02] * 4, 1000, Status.INCONCLUSIVE),
        ([0.02] * 8, 1000, Status.REFUTED),
        ([0.02] * 8, 100, Status.NOT_APPLICABLE),
    ],
)
def test_the_training_error_is_tiny_with_a_probability(errors, epochs, status):
    data = xr.Dataset(
        {"error": (("optimizer", "seed"), [[0.0] * 8, errors]), "early": (("optimizer", "seed"), [[0.3] * 8] * 2)},
        {"seed": range(8)},
    )
    one = Evidence(data, "x", role="cell", parameters=Settings(epochs=epochs))
    (found,) = judge([CLAIMS["training_error_is_tiny"]], [one])
    assert found.status is status, found.reason
    assert found.control["status"] == ("not run" if epochs < 1000 else "REFUTED")


def test_a_draw_that_is_not_trained_is_left_out():
    data = held([0.99, 1.0, 1.005, 0.995, 3.0])
    data["error"][1, 4] = 0.02
    found = verdict("momentum_does_not_help", data, "cell")
    assert found.status is Status.HOLDS, found.reason
    assert found.seeds == (0, 1, 2, 3)


def test_the_interval_is_students():
    R, low, high = interval(np.log([1.0, 1.1, 1.2]))
    logs = np.log([1.0, 1.1, 1.2])
    reach = 2.919986 * logs.std(ddof=1) / np.sqrt(3)  # t, 2 degrees of freedom, 95 %
    assert abs(R - np.exp(logs.mean())) < 1e-12
    assert np.allclose([low, high], np.exp(logs.mean() + reach * np.array([-1, 1])), rtol=1e-6)


def test_the_rule_takes_what_is_fitted_and_the_smaller_of_equals():
    accuracy = np.array([[0.8, 0.9, 0.9, 0.95], [0.8, 0.9, 0.9, 0.95]])
    error = np.array([[0, 0, 0, 0.02], [0, 0, 0, 0]])
    assert teacher.chosen(accuracy, error) == 1
    assert teacher.chosen(accuracy, error + np.array([0.5, 0.4, 0.3, 0.6])) == 2


def test_the_best_rate_is_fitted_on_every_draw():
    small = np.array([[[0.7, 0.75, 0.9, 0.6]] * 3, [[0.8, 0.95, 0.9, 0.99]] * 3])
    error = np.zeros_like(small)
    error[0, 1, 2] = 0.005
    data = xr.Dataset(
        {"small_held": (("optimizer", "seed", "rate"), small), "error": (("optimizer", "seed", "rate"), error)},
        {"optimizer": [0.0, 0.99], "rate": [0.1, 0.5, 2.0, 8.0]},
    )
    assert teacher.best(data) == (0.5, 8.0)


def test_fresh_samples_have_the_feature_half_of_them_at_a_small_margin():
    rng = np.random.default_rng(0)
    sample = teacher.draw_sample(teacher.SHARED, lambda name: np.random.default_rng(len(name)))
    X, y, small = teacher.fresh(sample, rng)
    along = X @ sample.w_star
    strength = np.abs(along).max(axis=1)
    assert np.allclose(strength[small], teacher.SHARED.beta)
    assert np.allclose(strength[~small], teacher.SHARED.alpha)
    assert (np.sign(along.sum(axis=1)) == y).all()


def test_a_draw_is_balanced_and_its_own():
    settings = Settings(networks=("1-MLP", "2-CNN"), samples=400)
    tasks = experiment_tasks(STUDY, settings, 3)["cells"]
    one, other = (teacher._draw(task, "draw", 0) for task in tasks[:2])
    assert abs(one["train"][1].mean()) < 0.2
    assert not np.array_equal(one["train"][0], other["train"][0])
    tuning = teacher._draw(tasks[0], "tuning", 0)
    assert not np.array_equal(one["train"][0], tuning["train"][0])


def test_outputs_in_parts_are_those_at_once():
    at = teacher._draw(experiment_tasks(STUDY, Settings(networks=("2-CNN",), samples=20), 3)["cells"][0], "draw", 0)
    X = np.random.default_rng(0).standard_normal((2 * teacher.AT_ONCE + 7, teacher.D))
    found = teacher._outputs(at["student"], at["start"], X)
    assert np.allclose(found, teacher.output(at["student"], at["start"], X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("experiment", ["cells", "contrast"])
def test_arrays_find_what_machine_code_finds(experiment):
    settings = Settings(
        networks=("1-CNN",), seeds=2, contrast_seeds=2, epochs=50, contrast_epochs=50, samples=60, test=300
    )
    compiled, arrays = (
        STUDY.experiments[experiment].compute(experiment_tasks(STUDY, settings, 3, backend=backend)[experiment][0])
        for backend in ("compiled", "numpy")
    )
    calm = {"rate": [0.3, 1.0]} if experiment == "cells" else {"rate": [0.1, 0.5]}
    for name in ("tuning_accuracy", "tuning_error") if experiment == "cells" else ("error", "small", "large"):
        xr.testing.assert_allclose(compiled[name].sel(calm), arrays[name].sel(calm), atol=0.005)


def test_the_talks_table():
    assert TALK[2][2] == 1.00
    assert abs(np.mean(TALK) - 0.99875) < 1e-9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"networks": ()}, "1-MLP"),
        ({"networks": ("3-MLP",)}, "1-MLP"),
        ({"networks": ("1-MLP", "1-MLP")}, "once"),
        ({"seeds": 1}, "at least 2"),
        ({"epochs": 10}, "at least 50"),
        ({"gamma": 1.0}, "gamma"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)
