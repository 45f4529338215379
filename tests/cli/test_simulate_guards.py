"""What `simulate` and `explain` refuse before they begin, and what becomes of a user's optimizer that misbehaves."""

import json

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import load
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD

LAW = {"d": 40, "N": 12, "P": 2, "m": 3, "alpha": 2, "beta": 0.2, "mu": 0.25, "sigma": 0.3, "sigma_0": 0.1}
SMALL = [
    word
    for name, value in LAW.items()
    for word in (f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}", value)
]

LITTLE = ["--memory-limit", "4"]

OWN = """\
import sys


class Own:
    linear = True

    def init(self, params):
        return None

    def step(self, params, grad, state, t):
        return params - 0.1 * grad, state


class Constructor(Own):
    def __init__(self):
        sys.exit(0)


class Linear(Own):
    @property
    def linear(self):
        raise BaseException("no")


class Init(Own):
    def init(self, params):
        sys.exit(0)


class Step(Own):
    def step(self, params, grad, state, t):
        if t == 3:
            raise GeneratorExit
        return super().step(params, grad, state, t)


class NaN(Own):
    def step(self, params, grad, state, t):
        return params * float("nan"), state


class Writes(Own):
    def step(self, params, grad, state, t):
        params -= 0.1 * grad
        return params, state


class Shape(Own):
    def step(self, params, grad, state, t):
        return params[:1], state


class Recursion(Own):
    def recursion(self, t):
        return 0.0, 0.0, 0.0, 0.5

    def step(self, params, grad, state, t):
        return super().step(params, grad, state, t)


class Text(Own):
    class Silent:
        def __repr__(self):
            raise ValueError("no text")

    def __init__(self):
        self.rate = self.Silent()
"""


@pytest.mark.parametrize(
    "name", ["Constructor", "Linear", "Init", "Step", "NaN", "Writes", "Shape", "Recursion", "Text", "Missing"]
)
def test_an_optimizer_that_misbehaves_is_one_sentence_and_leaves_nothing(call_cli, tmp_path, name):
    (tmp_path / "own.py").write_text(OWN)
    done = call_cli("simulate", *SMALL, "--iterations", 8, "--optimizer", f"own.py:{name}", "--out", "run.nc")
    assert done.exit_code == 2, done.output
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("lemmascope: optimizer ")
    assert "Traceback" not in done.output
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".py" and path.name != "__pycache__"] == []


def test_a_recursion_beside_another_step_is_refused_with_both_numbers(call_cli, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    done = call_cli("simulate", *SMALL, "--iterations", 8, "--optimizer", "own.py:Recursion")
    assert "recursion(0) = (0.0, 0.0, 0.0, 0.5)" in done.stderr
    assert "where the step moves it by" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "--iterations", "1e15"], "would take about"),
        (["simulate", "--iterations", "1e15", "--every", "1", "--yes"], "every = 1"),
        (["simulate", "--iterations", "1e9", "--every", "100", "--whole-xi", "--yes", *LITTLE], "memory_limit"),
        (["simulate", "--iterations", "1e11", "--trace", "--yes", *LITTLE], "memory_limit"),
        (["simulate", "--seeds", "1e18"], "seeds ="),
        (["simulate", "--log-points", "1e12"], "log_points ="),
        (["explain", "--seeds", "1e18"], "seeds ="),
        (["explain", "-N", "1e9", *LITTLE], "memory_limit"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_absurd_sizes_are_refused_before_anything_is_made(call_cli, tmp_path, arguments, words):
    done = call_cli(*arguments, *([] if "-N" in arguments else SMALL))
    assert done.exit_code == 2
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_explain_says_that_it_runs_a_users_file_and_takes_no_step(call_cli, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    done = call_cli("explain", *SMALL, "--optimizer", "own.py:Step", "--iterations", "1e15")
    assert done.exit_code == 0, done.output
    assert "own.py was loaded and its optimizer made; no step was taken" in " ".join(done.output.split())
    assert "Your code" not in call_cli("explain", *SMALL).output


def test_labels_are_flipped_from_the_command(call_cli, tmp_path):
    done = call_cli("simulate", *SMALL, "--iterations", 20, "--label-noise", 0.3, "--out", "run.nc")
    assert done.exit_code == 0, done.output
    run = load(tmp_path / "run.nc")
    assert json.loads(run.attrs["parameters"])["label_noise"] == 0.3
    assert call_cli("simulate", *SMALL, "--label-noise", 0.6).exit_code == 2
    clean = call_cli("simulate", *SMALL, "--iterations", 20, "--out", "clean.nc")
    assert clean.exit_code == 0, clean.output
    assert not np.array_equal(run.loss, load(tmp_path / "clean.nc").loss)


@pytest.mark.parametrize("optimizers", [1, 2, 3])
@pytest.mark.parametrize("backend", ["numpy", "compiled", "fast-forward"])
def test_progress_ends_at_all_of_it_and_never_passes_it(optimizers, backend):
    """Optimizers of one seed may be shared out among units, each of which counts."""
    done, total = [], 2 * 700
    how = {"fast_forward": 1e-10} if backend == "fast-forward" else {"backend": backend}
    wild = {"wild": GD(1e6)} if optimizers == 3 else {}
    names = {f"GD {k}": GD(0.1 * (k + 1)) for k in range(optimizers - len(wild))} | wild
    simulate(Parameters(**LAW, lam=1.0), names, iterations=700, seeds=2, workers=8, progress=done.append, **how)
    assert sum(done) == total
    assert all(count > 0 for count in done)
