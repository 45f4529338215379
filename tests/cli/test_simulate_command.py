"""The command simulate as a user meets it: exit status, sentences, files."""

import re
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.cubic_cnn.trajectory import load, save

RUN = ["simulate", "-d", "60", "-N", "12", "-m", "3", "--iterations", "20", "--seeds", "2"]


@pytest.fixture
def call(call_cli):
    return call_cli


def refused(result, *words):
    """Exit status 2, one sentence on standard error that has the words, no traceback."""
    assert result.exit_code == 2, result.output
    text = result.stderr
    assert "Traceback" not in text
    for word in words:
        assert str(word) in text, text
    return text


def test_simulate_saves_what_it_says(call, tmp_path):
    result = call(*RUN, "--optimizer", "gd:eta=0.1", "--optimizer", "velocity:eta=0.01,gamma=0.9", "--every", 7)
    assert result.exit_code == 0
    run = load(tmp_path / "trajectory.nc")
    assert list(run.optimizer.values) == ["GD", "velocity"]
    assert list(run.iteration.values) == [0, 7, 14, 20]
    assert run.sizes["seed"] == 2
    assert "lemmascope claims trajectory.nc" in " ".join(result.stdout.split())


def test_simulate_from_toml(call, tmp_path):
    (tmp_path / "study.toml").write_text(
        '[parameters]\nd = 60\nN = 12\n[optimizers.mine]\nform = "nesterov"\neta = 0.01\ngamma = 0.5\n'
        '[run]\niterations = 9\nlog_points = 4\nwhole_Xi = true\nout = "deep/run.nc"\n'
    )
    assert call("simulate", "study.toml").exit_code == 0
    run = load(tmp_path / "deep" / "run.nc")
    assert run.sizes["iteration"] >= 4
    assert run.Xi.dims == ("seed", "optimizer", "iteration", "sample", "patch", "neuron")


def test_simulate_exact_law_in_huge_dimension(call, tmp_path):
    result = call("simulate", "--regime", "paper", "-d", 10**12, "-N", 10, "--law", "exact", "--iterations", 20)
    assert result.exit_code == 0
    assert load(tmp_path / "trajectory.nc").attrs["representation"] == "coefficients"


def test_an_own_optimizer_and_an_own_claim(call, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import lemmascope as ls\n"
        "class Sign:\n    linear = False\n    def __init__(self, eta): self.eta = eta\n"
        "    def init(self, params): return None\n"
        "    def step(self, params, grad, state, t): return params - self.eta * (2.0 * (grad > 0) - 1), state\n"
        "def small(run): return ls.Measurement(abs(run.final['c']).max('neuron'), upper=1e-9)\n"
        "mine = ls.Claim(id='mine.small', statement='$c$ is tiny', plain='c is tiny', kind=ls.Kind.BOUND,\n"
        "                source='user', measure=small)\n"
    )
    assert call(*RUN, "--optimizer", "mine.py:Sign:eta=0.001").exit_code == 0
    assert load(tmp_path / "trajectory.nc").attrs["representation"] == "weights"
    result = call("claims", "trajectory.nc", "--plugin", "mine.py", "--only", "mine.small")
    assert result.exit_code == 1
    assert "REFUTED" in result.stdout


def test_own_data(call, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", X=rng.normal(size=(8, 3, 5)), y=np.where(rng.random(8) < 0.5, -1, 1))
    flags = ["simulate", "--data", "own.npz", "-m", 4, "--sigma-0", 0.1, "--iterations", 10]
    assert call(*flags).exit_code == 0
    run = load(tmp_path / "trajectory.nc")
    assert "c" not in run
    assert "test_accuracy" not in run
    assert call("claims", "trajectory.nc").exit_code == 0
    refused(call(*flags, "--alpha", 3, "--out", "b.nc"), "alpha", "only m, sigma_0 and lam")
    refused(call("simulate", "--data", "own.npz", "--sigma-0", 0.1), "m must be given")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--alpha", 0.1], ["alpha = 0.1", "greater than beta = 0.1"]),
        (["--mu", 1.5], ["mu = 1.5", "[0, 1]"]),
        (["--mu", -0.1], ["mu = -0.1", "[0, 1]"]),
        (["--mu", 0], ["mu = 0", "small-margin"]),
        (["--mu", 1], ["mu = 1", "large-margin"]),
        (["-N", 4, "--mu", 0.1], ["mu = 0.1", "N = 4"]),
        (["-P", 1], ["P = 1", "≥ 2"]),
        (["-d", 0], ["d = 0", "≥ 2"]),
        (["-N", "10.5"], ["10.5", "integer"]),
        (["--sigma", "nan"], ["sigma = nan", "finite"]),
        (["--lam", -1], ["lam = -1", "≥ 0"]),
        (["--law", "exact", "-d", 300], ["d = 300", "401"]),
        (["--optimizer", "momentum:eta=0.1,gamma=1"], ["gamma = 1", "[0, 1)"]),
        (["--optimizer", "momentum:eta=0.1,gamma=-0.1"], ["gamma = -0.1", "[0, 1)"]),
        (["--optimizer", "gd:eta=0"], ["eta = 0", "> 0"]),
        (["--optimizer", "gd:eta=-1"], ["eta = -1", "> 0"]),
        (["--optimizer", "gd:eta"], ["gd:eta=0.1"]),
        (["--optimizer", "adam:eta=1"], ["adam", "nesterov"]),
        (["--optimizer", "none.py:X"], ["none.py", "exists"]),
        (["--iterations", 0], ["iterations = 0", "≥ 1"]),
        (["--seeds", 0], ["seeds = 0", "≥ 1"]),
        (["--root-seed", -1], ["root_seed = -1", "≥ 0"]),
        (["--every", 0], ["every = 0", "≥ 1"]),
        (["--dtype", "float16"], ["dtype = 'float16'", "float32"]),
        (["--representation", "both"], ["representation = 'both'", "weights"]),
        (["--workers", 0], ["workers = 0", "≥ 1"]),
        (["--regime", "talk"], ["regime = 'talk'", "HEADLINE"]),
        (["none.toml"], ["none.toml", "readable"]),
        (["--out", "."], ["out", "folder"]),
        (["--data", "none.npz", "-m", 3, "--sigma-0", 0.1], ["none.npz"]),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, tmp_path, flags, words):
    text = refused(call("simulate", *flags), *words)
    if text.startswith("lemmascope:"):
        assert len(text.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_of_another_run_is_kept(call, tmp_path):
    assert call(*RUN).exit_code == 0
    before = (tmp_path / "trajectory.nc").read_bytes()
    assert call(*RUN).exit_code == 0  # the same run again
    refused(call(*RUN, "--root-seed", 1), "trajectory.nc", "--force")
    assert load(tmp_path / "trajectory.nc").attrs["root_seed"] == 0
    (tmp_path / "thesis.txt").write_text("mine")
    for force in ([], ["--force"]):
        refused(call(*RUN, "--out", "thesis.txt", *force), "thesis.txt", "choose another name")
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert call(*RUN, "--root-seed", 1, "--force").exit_code == 0
    assert (tmp_path / "trajectory.nc").read_bytes() != before


def test_a_diverged_run_is_said_so(call, tmp_path):
    result = call(*RUN, "--optimizer", "gd:eta=0.1", "--optimizer", "wild=gd:eta=1e9", "--lam", 1)
    assert result.exit_code == 0
    said = r"seed 0, wild: \w+ became non-finite at iteration \d+; its first step\s+multiplies"
    assert re.search(said, result.stdout)
    assert result.stderr.count("Warning") == 0
    assert int(load(tmp_path / "trajectory.nc").diverged_at.sel(optimizer="GD").max()) == -1


def lemmascope(*args, **kwargs):
    command = [sys.executable, "-c", "from lemmascope.cli.main import main; main()", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def test_ctrl_c_exits_with_130_and_saves_nothing(tmp_path, ctrl_c):
    earlier = save(xr.Dataset({"x": 1}), tmp_path / "trajectory.nc").read_bytes()
    process = lemmascope(*RUN[:-4], "--iterations", 10**6, "--every", 10**6, "--force", cwd=tmp_path)
    assert process.stderr.readline().rstrip().endswith("s)")  # the first tenth: the loop is running
    process.send_signal(ctrl_c)
    _, stderr = process.communicate()
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert [p.name for p in tmp_path.iterdir()] == ["trajectory.nc"]
    assert (tmp_path / "trajectory.nc").read_bytes() == earlier


# It forks, and runs nothing of JAX, which warns where an earlier test has imported it.
@pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")
def test_a_full_disk_is_one_sentence(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    process = lemmascope(*RUN, cwd=tmp_path, preexec_fn=limit)
    _, stderr = process.communicate()
    assert process.returncode == 2, stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("lemmascope: cannot read or write trajectory.nc")
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["/proc/none/run.nc", "/dev/null/run.nc"])
def test_a_place_that_cannot_be_written(call, place):
    refused(call(*RUN, "--out", place), "write", place)
