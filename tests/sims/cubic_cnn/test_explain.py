"""`lemmascope explain`: the plan that it prints is the plan that a run follows."""

import json
import re

import pytest
from click.testing import CliRunner

from lemmascope.cli import main as cli
from lemmascope.sims.cubic_cnn.explain import explain
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage

PAIR = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}


def invoke(*args):
    return CliRunner(env={"COLUMNS": "120"}).invoke(cli.app, ["explain", *map(str, args)])


@pytest.mark.parametrize("backend", ["auto", "numpy"])
@pytest.mark.parametrize("changes", [{"N": 12}, {"N": 200, "d": 10}])
def test_what_is_explained_is_what_is_run(tiny, backend, changes):
    found = explain(tiny(**changes), PAIR, iterations=20, seeds=3, backend=backend)
    run = simulate(tiny(**changes), PAIR, iterations=20, seeds=3, backend=backend)
    chosen = found.arrangement
    assert (chosen.choice.representation, chosen.choice.reason, chosen.backend.name, chosen.backend.reason) == tuple(
        run.attrs[name] for name in ("representation", "representation_reason", "backend", "backend_reason")
    )


def test_time_grows_with_the_work_and_not_with_d_by_the_exact_law(tiny):
    def predicted(iterations=1000, seeds=4, workers=1, d=10**6, **changes):
        found = explain(
            LawProblem(tiny(d=d, N=60, **changes), "exact"), PAIR, iterations=iterations, seeds=seeds, workers=workers
        )
        return found.seconds * found.rate  # operations: the measured rate differs from call to call

    base = predicted()
    assert predicted(iterations=2000) == pytest.approx(2 * base)
    assert predicted(seeds=8) == pytest.approx(2 * base)
    assert predicted(workers=2) == pytest.approx(base / 2)
    assert predicted(d=10**12) == pytest.approx(base, rel=1e-12)
    assert predicted(m=8) > 1.9 * base


def test_the_command_prints_costs_choice_memory_and_time():
    found = invoke("--seeds", 8, "--iterations", 40000, "--workers", 2)
    assert found.exit_code == 0
    text = re.sub(r"\s+", " ", found.stdout)
    for expected in (
        "n = 400 patches, d = 500, 20 rows",
        "Representation: coefficient space",
        "Backend: compiled",
        "8 units",
        "2 at a time",
        "Memory:",
        "Predicted:",
        "40000 iterations of 8 seeds",
        "GFLOP/s",
        "coefficient space ←",
        "operations an iteration",
        "6.4e+06",
        "1.6e+07",
    ):
        assert expected in text, expected


def test_a_settings_file_is_explained(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("[parameters]\nd = 100\nN = 300\n[run]\niterations = 50\nseeds = 2\nmemory_limit = 1.5\n")
    found = invoke(file)
    assert found.exit_code == 0
    assert "1.5 GiB allowed" in found.stdout
    assert "weight space ←" in found.stdout


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--memory-limit", "0.0001"], "this run needs"),
        (["--memory-limit", "0"], "memory_limit"),
        (["--backend", "fortran"], "auto, numpy, compiled, cupy"),
        (["--workers", "0"], "workers"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(args, sentence):
    found = invoke(*args)
    assert found.exit_code == 2
    assert sentence in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_limit_from_python_is_in_bytes(tiny):
    with pytest.raises(InputError, match="needs"):
        explain(tiny(), PAIR, iterations=5, memory_limit=2**10)


def test_simulate_takes_backend_trace_and_memory_limit(tmp_path):
    runner, out = CliRunner(env={"COLUMNS": "120"}), tmp_path / "run.nc"
    args = ["simulate", "-d", "60", "-N", "20", "--iterations", "9", "--trace", "--backend", "numpy", "--out", str(out)]
    found = runner.invoke(cli.app, [*args, "--memory-limit", "2"])
    assert found.exit_code == 0, found.output
    assert "backend numpy (asked for)" in re.sub(r"\s+", " ", found.stdout)
    from lemmascope.sims.cubic_cnn.trajectory import load

    run = load(out)
    assert run.each_loss.dims == ("seed", "optimizer", "step")
    assert run.sizes["step"] == 10
    again = runner.invoke(cli.app, [*args, "--memory-limit", "3", "--workers", "1"])
    assert again.exit_code == 0, again.output  # the same run: threads and memory do not make another of it
    assert json.loads(load(out).attrs["identity"])["run"]["trace"] is True
