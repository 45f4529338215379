"""Two studies of a user's own, each one file, and the pages that show them: their text is the files', and it runs."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

import lemmascope as ls
from lemmascope.sims.study import settings_of

ROOT = Path(__file__).parents[1]
EXAMPLES = {name: ROOT / "examples" / f"{name}.py" for name in ("linear_regression", "benign_overfitting")}
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


def module_of(study):
    """The names that a study's file defines."""
    compute = next(iter(study.experiments.values())).compute
    return sys.modules[compute.__module__]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    found = {}
    for name, path in EXAMPLES.items():
        study = ls.study(str(path))
        folder = tmp_path_factory.mktemp(name) / "results"
        found[name] = ls.run_study(study, settings_of(study.settings, "tiny"), out=folder), folder
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_one_short_file_that_needs_nothing_else(name):
    text = EXAMPLES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    imported = {
        (node.names[0].name if isinstance(node, ast.Import) else node.module).split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {"dataclasses", "numpy", "xarray", "lemmascope", "matplotlib"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_verdict_is_as_expected_and_every_control_refuted(results, name):
    result, folder = results[name]
    assert [(v.status, v.control["status"]) for v in result.verdicts] == [(ls.Status.HOLDS, "REFUTED")] * 3
    assert result.as_expected
    written = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    assert [v["claim"] for v in written["verdicts"]] == [v.claim for v in result.verdicts]
    captions = [path.read_text(encoding="utf-8") for path in (folder / "figures").glob("*.caption.txt")]
    assert len(captions) == 1
    assert f"{result.settings.seeds} draws" in captions[0]
    assert len(list((folder / "figures").glob("*.png"))) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_resumed_with_the_same_bits(results, name):
    result, folder = results[name]
    lost = sorted((folder / "parts").glob("*.npz"))[::3]
    for path in lost:
        path.unlink()
    said = []
    again = ls.run_study(ls.study(str(EXAMPLES[name])), result.settings, out=folder, resume=True, notice=said.append)
    assert any("are there already" in sentence for sentence in said)
    for experiment, data in result.data.items():
        assert again.data[experiment].identical(data)


def test_the_command_runs_a_users_file(tmp_path):
    flags = ["--gammas", "0,0.5", "--samples", "10", "--iterations", "150", "--seeds", "5", "--out", "results"]
    command = "from lemmascope.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "run", str(EXAMPLES["linear_regression"]), *flags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("HOLDS") >= 3
    assert (tmp_path / "results" / "verdicts.json").is_file()


# --- what the files compute ----------------------------------------------------------------------------------------


def test_rates_are_the_eigenvalues_of_a_step(results):
    rho = module_of(results["linear_regression"][0].study).rho
    rng = np.random.default_rng(0)
    for eta, gamma in rng.random((50, 2)) * [4, 1]:
        curvature = rng.random(5)
        given = xr.Dataset({"eta": eta, "curvature": ("mode", curvature)}, {"gamma": gamma})
        steps = [np.linalg.eigvals([[1 - eta * x, -gamma], [eta * x, gamma]]) for x in curvature]
        assert_close(rho(given), np.max(np.abs(steps)))


def network(results, **changed):
    study = results["benign_overfitting"][0].study
    settings = settings_of(study.settings, "tiny", **changed)
    return lambda norm, seed=0: module_of(study).Network(settings, norm, np.random.default_rng(seed))


def test_the_networks_gradient_is_that_of_its_loss(results):
    net = network(results, dimension=6, samples=5)(2.0)
    assert ls.check_gradient(net.loss, net.gradient, net.initial).ok

    def without_kinks(W):
        pull = -net.y / (1 + np.exp(net.margins(W))) / net.y.size
        return net.a[:, None] * np.einsum("i,ipd->d", pull, net.X)

    with pytest.raises(AssertionError, match="the gradient is wrong at params"):
        ls.check_gradient(net.loss, without_kinks, net.initial)


@pytest.mark.parametrize("norm", [0.5, 2.0])
def test_its_test_error_is_that_of_new_samples(results, norm):
    """The error by the law of ⟨w, ξ⟩, against new samples with all their d numbers."""
    net = network(results, dimension=12)(norm)
    W = np.random.default_rng(1).standard_normal((10, 12)) / 3
    rng, count = np.random.default_rng(2), 40_000
    true = rng.choice([-1.0, 1.0], count)
    noise = rng.standard_normal((count, 12))
    noise[:, 0] = 0
    signal = np.outer(norm * true, np.eye(12)[0])
    f = sum(np.maximum(x @ W.T, 0) @ net.a for x in (signal, noise))
    label = np.where(rng.random(count) < net.p, -true, true)
    error = net.watch(W)["error"]
    assert abs(np.mean(label * f < 0) - error) < 4 * (0.25 / count + 0.25 / 8000) ** 0.5
    assert 0.1 < error < 0.9


def test_data_are_as_the_theorem_says(results):
    net = network(results, dimension=2000, samples=40, flip=0.25)(3.0)
    true = np.sign(net.X[:, 0, 0])
    assert np.all(np.abs(net.X[:, 0, 0]) == 3.0)
    assert not np.any(net.X[:, 0, 1:])
    assert not np.any(net.X[:, 1, 0])
    assert np.array_equal(net.y != true, net.flipped)
    assert 0 < net.flipped.sum() < 20
    assert abs(net.X[:, 1, 1:].var() - 1) < 0.03


# --- the pages -----------------------------------------------------------------------------------------------------


def test_the_page_is_the_file():
    blocks = FENCED.findall((ROOT / "docs" / "how-to" / "your-own-study.md").read_text(encoding="utf-8"))
    assert blocks[0] == EXAMPLES["linear_regression"].read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["your-own-study", "your-own-model"])
def test_a_pages_code_runs_and_says_what_it_promises(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = FENCED.findall((ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8"))
    if page == "your-own-study":
        Path("linear_regression.py").write_text(blocks[0], encoding="utf-8")
        smaller = {"study.settings(seeds=5)": "study.settings(seeds=5, samples=10, gammas=(0.0, 0.5))"}
    else:
        smaller = {}
    names: dict = {"__name__": "page"}
    for block in blocks:
        for long, short in smaller.items():
            block = block.replace(long, short)
        exec(compile(block, page, "exec"), names)
    said = capsys.readouterr().out
    if page == "your-own-study":
        assert said.count("HOLDS") == 3
        assert said.count("'status': 'REFUTED'") == 3
        assert "predicted -0.500" in said
        (verdict,) = ls.run_study(names["means"], names["Settings"](seeds=15)).verdicts
        assert verdict.status is ls.Status.HOLDS
        settings = names["Settings"](seeds=3)
        assert {axis: len(values) for axis, values in names["plane"].axes(settings).items()} == {
            "seed": 3,
            "x": 4,
            "y": 4,
        }
        assert names["cell"](0.5, 0.0, np.random.default_rng(0))
        assert not names["cell"](3.5, 0.6, np.random.default_rng(0))
    else:
        assert "the gradient agrees at 20 points" in said
        assert "the gradient is wrong at W[0, 0]" in said
        assert "20 of 24 entries are wrong there" in said
        assert int(names["run"].stopped_at.max()) == -1
        assert list(names["noisy"].iteration.values) == list(range(0, 501, 50))
