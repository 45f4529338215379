"""A user's own patches: the file, its refusals, and the digits example from end to end."""

import runpy
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.problems import PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import load
from lemmascope.sims.cubic_cnn.userdata import load_patches
from lemmascope.sims.schedule import Every
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage

ROOT = Path(__file__).parents[3]

TRAJECTORY = 1e-9
"""Relative, float64, 120 steps with n + d = 1444 terms, T (n + d) u · 50; measured 1e−13."""


@pytest.fixture(scope="module")
def content():
    rng = np.random.default_rng(0)
    return {
        "X": rng.standard_normal((6, 2, 5)),
        "y": np.array([1, -1, 1, 1, -1, -1]),
        "w_star": rng.standard_normal(5),
        "small": np.array([1, 0, 0, 1, 0, 0], dtype=bool),
    }


def write(path, content, **changes):
    np.savez(path, **{k: v for k, v in {**content, **changes}.items() if v is not None})
    return path


def refused(path, pattern, **arguments):
    with pytest.raises(InputError, match=pattern) as refusal:
        load_patches(path, **{"m": 2, "sigma_0": 0.1, **arguments})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_was_written_is_what_is_read(tmp_path, content, compressed):
    (np.savez_compressed if compressed else np.savez)(tmp_path / "data.npz", **content)
    problem = load_patches(tmp_path / "data.npz", m=3, sigma_0=0.2, lam=0.1)
    assert isinstance(problem, PatchProblem)
    assert (problem.m, problem.sigma_0, problem.lam) == (3, 0.2, 0.1)
    assert np.array_equal(problem.X, content["X"])
    assert np.array_equal(problem.y, content["y"])
    assert np.array_equal(problem.small, content["small"])
    assert np.allclose(problem.w_star, content["w_star"] / np.linalg.norm(content["w_star"]), rtol=1e-15)


def test_feature_and_groups_are_optional(tmp_path, content):
    problem = load_patches(str(write(tmp_path / "data.npz", content, w_star=None, small=None)), m=2, sigma_0=0.1)
    assert (problem.w_star, problem.small) == (None, None)


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8", ">f8"])
def test_other_number_types_are_read(tmp_path, content, dtype):
    X = (10 * abs(content["X"])).astype(dtype)
    assert np.array_equal(load_patches(write(tmp_path / "d.npz", content, X=X), m=2, sigma_0=0.1).X, X.astype(float))


@pytest.mark.parametrize("name", ["X", "y"])
def test_a_missing_array_is_named(tmp_path, content, name):
    refused(write(tmp_path / "data.npz", content, **{name: None}), f"must hold the array {name}")


def test_two_missing_arrays_are_named(tmp_path):
    np.savez(tmp_path / "data.npz")
    refused(tmp_path / "data.npz", "must hold the arrays X and y")


def test_an_unknown_array_is_named(tmp_path, content):
    refused(write(tmp_path / "data.npz", content, labels=content["y"]), "'labels'.* X, y, w_star, small")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", np.ones((6, 10))),
        ("X", np.full((6, 2, 5), np.nan)),
        ("X", np.array(["a"])),
        ("X", 1j * np.ones((6, 2, 5))),
        ("y", np.zeros(6)),
        ("y", np.ones(5)),
        ("w_star", np.zeros(5)),
        ("w_star", np.ones(4)),
        ("small", np.full(6, 2)),
    ],
)
def test_a_bad_array_is_refused_by_name(tmp_path, content, name, value):
    refused(write(tmp_path / "data.npz", content, **{name: value}), f"^{name} = ")


@pytest.mark.parametrize(("name", "value"), [("m", 0), ("sigma_0", 0.0), ("lam", -1.0)])
def test_a_bad_argument_is_refused_by_name(tmp_path, content, name, value):
    refused(write(tmp_path / "data.npz", content), f"^{name} = ", **{name: value})


class Bomb:
    """Unpickling it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["X", "y", "w_star"])
def test_nothing_is_unpickled(tmp_path, content, name):
    mark = tmp_path / "ran"
    refused(write(tmp_path / "d.npz", content, **{name: np.array([Bomb(mark)], dtype=object)}), "not Python objects")
    assert not mark.exists()


def test_no_file(tmp_path):
    refused(tmp_path / "nothing.npz", "no such file")
    refused(tmp_path, "no such file")


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated(tmp_path, content, share, compressed):
    path = tmp_path / "data.npz"
    (np.savez_compressed if compressed else np.savez)(path, **content)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(path, "truncated")


def test_damaged_inside(tmp_path, content):
    path = write(tmp_path / "data.npz", content)
    damaged = bytearray(path.read_bytes())
    damaged[300:320] = bytes(20)
    path.write_bytes(damaged)
    refused(path, "cannot be read to its end")


def test_foreign(tmp_path, content):
    (tmp_path / "text.npz").write_text("X = 1\n")
    refused(tmp_path / "text.npz", "no .npz file")
    np.save(tmp_path / "one.npy", content["X"])
    refused(tmp_path / "one.npy", "no .npz file")
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(tmp_path / "other.npz", "readme.txt")
    with zipfile.ZipFile(tmp_path / "fake.npz", "w") as archive:
        archive.writestr("X.npy", "no array at all")
        archive.writestr("y.npy", b"\x93NUMPY")
    refused(tmp_path / "fake.npz", r"data = ")


# --- the example ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(ROOT / "examples" / "digits.py"))


@pytest.fixture(scope="module")
def digits(example, tmp_path_factory):
    return load_patches(example["make_file"](tmp_path_factory.mktemp("digits") / "digits.npz"), m=10, sigma_0=0.01)


def test_patches_are_the_quarters_of_the_image(example):
    images, y = example["images_of"](3, 8)
    X = example["patches_of"](images)
    assert X.shape == (len(y), 4, 16)
    centred = images - images.mean(axis=0)
    for j, (rows, columns) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        quarter = centred[:, rows : rows + 4, columns : columns + 4].reshape(-1, 16)
        assert np.allclose(X[:, j], quarter / centred.std(), rtol=1e-12, atol=1e-12)
    assert np.isclose(X.std(), 1, rtol=1e-12)


def test_the_digits_file(digits):
    assert (digits.N, digits.patches, digits.d, digits.coefficients) == (357, 4, 16, 1428)
    assert digits.small.sum() == 72
    overlap = digits.X @ digits.w_star
    assert np.abs(overlap).max(axis=0).min() > 1  # no patch is orthogonal to w*, and nothing assumes so


def test_both_representations_agree_on_real_images(digits):
    optimizers = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}
    a, b = (
        simulate(digits, optimizers, iterations=120, record=Every(20), whole_Xi=True, representation=r)
        for r in ("weights", "coefficients")
    )
    for name, over in {"Xi": ["sample", "patch", "neuron"], "c": ["neuron"], "nu": [], "loss": []}.items():
        scale = abs(a[name]).max(over)
        assert float((abs(a[name] - b[name]) / scale).max()) < TRAJECTORY, name
    assert a.train_accuracy.equals(b.train_accuracy)
    assert float(abs(a.Xi.isel(iteration=-1)).max()) > 5 * float(abs(a.Xi.isel(iteration=0)).max())


def test_quantities_that_need_the_feature_appear_with_it(digits):
    short = {"iterations": 3, "record": Every(1)}
    bare = PatchProblem(digits.X, digits.y, m=10, sigma_0=0.01)
    with_it, without = (simulate(problem, {"GD": GD(0.1)}, **short) for problem in (digits, bare))
    assert "c" in with_it
    assert "c" not in without
    assert (with_it.margin.values.tolist(), without.margin.values.tolist()) == (["large", "small"], ["all"])
    for run in (with_it, without):
        assert not {"test_accuracy", "T_0", "T_1", "cross_ratio", "signal_gradient_ratio"} & set(run.data_vars)
    assert np.allclose(with_it.loss.sum("margin"), without.loss.sel(margin="all"), rtol=1e-13)
    assert np.allclose(with_it.Xi_abs_max.max("margin"), without.Xi_abs_max.sel(margin="all"), rtol=1e-13)


def test_the_example_runs_and_says_what_was_learnt(example, tmp_path, capsys):
    example["main"](tmp_path)
    said = capsys.readouterr().out
    assert "357 images" in said
    assert len(said.splitlines()) < 25
    assert (tmp_path / "digits.npz").exists()
    run = load(tmp_path / "digits.nc")
    before, after = (run.train_accuracy.isel(seed=0, iteration=t) for t in (0, -1))
    assert float(before.max()) < 0.7
    assert float(after.min()) == 1
    middle = run.train_accuracy.isel(seed=0).sel(iteration=63, method="nearest")
    assert (middle.sel(margin="large") > middle.sel(margin="small") + 0.1).all()  # the large margins come first


def test_the_documents_python_runs(tmp_path, monkeypatch, capsys):
    """docs/how-to/data.md, block after block, as it stands."""
    text = (ROOT / "docs" / "how-to" / "data.md").read_text()
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    for part in text.split("```python\n")[1:]:
        exec(compile(part.split("```")[0], "docs/how-to/data.md", "exec"), scope)
    assert "NOT_APPLICABLE known_law" in capsys.readouterr().out


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_a_penalty_that_is_a_scalar_of_numpy_keeps_the_precision(patches, representation):
    problem = patches(lam=np.float64(0.01), sigma_0=np.float64(0.1))
    found = simulate(
        problem, {"GD": GD(0.1)}, iterations=5, dtype="float32", backend="numpy", representation=representation
    )
    assert found.Xi_max.dtype == np.float32
