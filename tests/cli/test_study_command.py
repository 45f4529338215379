"""A study's command, made from its declaration: flags from types, sizes, exit states; on a toy in a file of its own."""

import json
from pathlib import Path

import pytest

from lemmascope.cli.studies import command_of
from lemmascope.sims import registry
from lemmascope.sims.run import cluster
from lemmascope.sims.study import option, settings_of

TOY = '''"""Coins: the mean of n tosses is within 3/√n of the truth."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

import lemmascope as ls


@dataclass(frozen=True)
class Coin:
    n: int = 4
    bias_of_rim: float = 0.25


@dataclass(frozen=True)
class Settings:
    tosses: int = ls.option(100, "Tosses of a coin.", tiny=10, quick=50, full=10**6)
    seeds: int = ls.option(4, "Draws.", tiny=2)
    biases: tuple[float, ...] = ls.option((0.0, 0.25), "Biases.", tiny=(0.0,))
    counts: tuple[int, ...] = ls.option((10**3, 10**4, 10**5, 10**6, 10**7), "Counts.")
    span: tuple[int, float] | None = ls.option(None, "From and to.")
    kind: Literal["coin", "die"] = ls.option("coin", "What is tossed.")
    name: str | None = ls.option(None, "Its name.", flag="called")
    lie: bool = ls.option(False, "State what is false.")
    fair: bool = ls.option(True, "Toss it fairly.")
    interrupted: bool = ls.option(False, "Press Ctrl-C in the last draw.")
    coin: Coin = ls.option(Coin(), "The coin.", full=Coin(n=8))

    def __post_init__(self):
        if self.tosses < 1:
            raise ls.InputError("tosses", self.tosses, "it must be at least 1")


def toss(task):
    s = task.settings
    if s.interrupted and task.at["seed"] == s.seeds - 1:
        raise KeyboardInterrupt
    p = 0.5 + task.at["bias"] / 2
    return xr.Dataset({"off": np.abs((task.rng("coin").random(s.tosses) < p).mean() - p)})


def near(evidence, factor=3.0):
    s = evidence.parameters
    return ls.Measurement(evidence["off"].max("bias"), upper=(-1.0 if s.lie else factor) / s.tosses**0.5)


NEAR = ls.Claim(id="toy.near", statement="$|p̂ − p| ≤ 3/√n$", plain="The mean is within 3/√n.", kind=ls.Kind.BOUND,
                source="user", measure=near, control=ls.Control("0 for 3", constants={"factor": -1e-9}))

STUDY = ls.Study(
    name="toy",
    subject="coins",
    message="Means concentrate. So they do.",
    settings=Settings,
    experiments={"cells": ls.Experiment(axes=lambda s: {"seed": range(s.seeds), "bias": s.biases}, compute=toss)},
    evidence=lambda s, data: [ls.Evidence(data["cells"], "the coin", parameters=s)],
    claims=[NEAR],
    tables=lambda result: [ls.Table("tosses", "What was tossed", ["", "times"], [["coin", "many"]])],
    summary=lambda result: [repr(result.settings)],
    examples=["lemmascope run toy.py --quick", "lemmascope run toy.py --biases 0,0.2"],
)
'''


@pytest.fixture
def toy(call_cli, tmp_path):
    """The command of the toy, in the folder in which its file lies."""
    (tmp_path / "toy.py").write_text(TOY)

    def run(*arguments, **env):
        return call_cli("run", "toy.py", *arguments, **({"COLUMNS": "300"} | env))

    return run


def test_help_is_made_from_the_declaration(toy):
    found = toy("--help", COLUMNS="80")
    assert found.exit_code == 0
    lines = [" ".join(line.split()) for line in found.stdout.splitlines()]
    assert lines[0] == "Usage: lemmascope run toy.py [FLAGS]"
    assert lines[2] == "Coins: the mean of n tosses is within 3/√n of the truth."
    assert lines[4] == "Means concentrate. So they do."
    for line in (
        "--tosses INT Tosses of a coin [100; quick 50; full 1000000].",
        "--seeds INT Draws [4].",
        "--biases NUMBER,… Biases [0,0.25].",
        "--counts INT,… Counts [1e3,1e4,…,1e7].",
        "--span INT NUMBER From and to.",
        "--kind coin|die What is tossed [coin].",
        "--called TEXT Its name.",
        "--lie State what is false.",
        "--fair / --no-fair Toss it fairly.",
        "-n, --n INT [4; full 8].",
        "--bias-of-rim NUMBER [0.25].",
        "--out PATH Results [results/toy, results/toy-quick, …].",
        "--explain Say what would run, and compute nothing.",
        "--yes Run it though it would take more than a day.",
        "--backend NAME What computes: auto, numpy.",
        "--dtype NAME Numbers: float64.",
        "lemmascope run toy.py --biases 0,0.2",
        "3 the cluster was lost; finished parts are kept for --resume",
    ):
        assert line in lines
    assert "--tiny" not in found.stdout


def test_flags_reach_the_settings(toy):
    flags = ["--tosses", "2e1", "--biases", "0, 0.5", "--counts", "1,1e2", "--span", "1", "2.5", "--kind", "die"]
    more = ["--called", "euro", "--no-fair", "-n", "6", "--seeds", "3"]
    found = toy(*flags, *more)
    assert found.exit_code == 0, found.output
    assert (
        "Settings(tosses=20, seeds=3, biases=(0.0, 0.5), counts=(1, 100), span=(1, 2.5), kind='die', name='euro', "
        "lie=False, fair=False, interrupted=False, coin=Coin(n=6, bias_of_rim=0.25))"
    ) in found.stdout


@pytest.mark.parametrize(
    ("size", "tosses"), [(["--tiny"], 10), (["--quick"], 50), ([], 100), (["--quick", "--tosses", "7"], 7)]
)
def test_sizes(toy, size, tosses):
    assert f"tosses={tosses}," in toy(*size).stdout


def test_options_within_a_nested_group_have_their_own_values_by_size(toy, tmp_path):
    """Where the field that holds the group says nothing of that size: it does of the size full."""
    nested = TOY.replace("    n: int = 4\n", '    n: int = ls.option(4, "Sides.", tiny=2, quick=3, full=9)\n')
    nested = nested.replace("    fair: bool", '    order: Literal[1, 2, None] = ls.option(1, "Order.")\n    fair: bool')
    path = tmp_path / "toy.py"
    path.write_text(nested)
    for size, n in (("tiny", 2), ("quick", 3), ("full", 8)):
        found = toy(f"--{size}", "--tosses", 5, "--out", size).stdout
        assert f"coin=Coin(n={n}, bias_of_rim=0.25)" in found
        assert "order=1," in found
    assert "--n INT Sides [4; quick 3; full 8]." in " ".join(toy("--help").stdout.split())
    assert "coin=Coin(n=2, bias_of_rim=0.5)" in toy("--tiny", "--bias-of-rim", 0.5, "--out", "a").stdout
    assert "coin=Coin(n=7, bias_of_rim=0.25)" in toy("--tiny", "--n", 7, "--out", "b").stdout
    assert "order=2," in toy("--tiny", "--order", 2, "--out", "c").stdout  # and not '2'
    assert "it must be one of 1, 2." in toy("--tiny", "--order", 3, "--out", "e").stderr
    assert settings_of(registry.load(path).settings, "tiny").coin.n == 2


def test_full_takes_its_values_inside_of_a_nested_group_too(toy):
    assert "coin=Coin(n=8, bias_of_rim=0.5)" in toy("--full", "--tosses", 5, "--bias-of-rim", 0.5).stdout


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--tosses", "x"], "tosses = 'x' is not accepted: it must be an integer."),
        (["--tosses", "1.5"], "tosses = '1.5' is not accepted: it must be an integer."),
        (["--tosses", "1e999"], "tosses = '1e999' is not accepted: it must be an integer."),
        (["--tosses", "0"], "tosses = 0 is not accepted: it must be at least 1."),
        (["-n", "two"], "n = 'two' is not accepted: it must be an integer."),
        (["--bias-of-rim", "much"], "bias_of_rim = 'much' is not accepted: it must be a number."),
        (["--biases", "0;1"], "it must be numbers with commas between them, as in 0,0.5,1e3."),
        (["--kind", "dye"], "kind = 'dye' is not accepted: it must be one of coin, die."),
        (["--span", "1"], "option '--span' requires 2 arguments"),
        (["--span", "1.5", "2"], "span = '1.5' is not accepted: it must be an integer."),
        (["--quick", "--full"], "give one of --quick and --full, not both"),
        (["--dtype", "float16"], "dtype = 'float16' is not accepted: it must be one of float64."),
        (["--backend", "abacus"], "backend = 'abacus' is not accepted: it must be one of auto, numpy."),
        (["--root-seed", "-1"], "root_seed = -1"),
        (["--workers", "0"], "workers = 0"),
        (["--workers", "2", "--cluster", "local"], "with --cluster say local:WORKERS"),
        (["--cluster", "the-moon"], "cluster = 'the-moon'"),
        (["--toses", "3"], "has no flag --toses; did you mean --tosses"),
        (["--out", "toy.py"], "it must be a folder, and this is a file"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(toy, tmp_path, flags, says):
    found = toy("--tiny" if "--full" not in flags else "--resume", *flags)
    assert found.exit_code == 2, found.output
    assert len(found.stderr.splitlines()) == 1
    assert says in found.stderr
    assert not list(tmp_path.rglob("*.npz"))
    assert not list(tmp_path.rglob("verdicts.json"))


def test_it_runs_judges_and_is_resumed(toy, tmp_path):
    found = toy("--tiny", "--root-seed", "5")
    assert found.exit_code == 0, found.output
    for text in ("What was tossed", "✓ HOLDS", "toy.near · the coin", "control (0 for 3): REFUTED"):
        assert text in found.stdout
    assert found.stdout.splitlines()[-1].startswith("1 of 1 verdicts as expected: 1 HOLDS; ")
    assert found.stdout.splitlines()[-1].endswith("s; results in results/toy-tiny")
    assert "toy: 100 %, 2 of 2 parts" in found.stderr
    out = tmp_path / "results" / "toy-tiny"
    before = (out / "verdicts.json").read_bytes()
    assert json.loads(before)["root_seed"] == 5

    again = toy("--tiny", "--root-seed", "5")
    assert again.exit_code == 2
    assert "--resume continues it, --force replaces it" in again.stderr
    other = toy("--tiny", "--resume")
    assert other.exit_code == 2
    assert "root_seed (5 there, 0 here)" in other.stderr

    part = min(out.glob("parts/*.npz"))
    part.write_bytes(part.read_bytes()[:-20])
    resumed = toy("--tiny", "--root-seed", "5", "--resume")
    assert resumed.exit_code == 0
    assert "the part cells seed=0 bias=0 was damaged, and is computed again" in resumed.stdout
    assert "1 of 2 parts are there already" in resumed.stdout
    assert (out / "verdicts.json").read_bytes() == before
    assert toy("--tiny", "--force").exit_code == 0
    assert json.loads((out / "verdicts.json").read_text())["root_seed"] == 0


def test_a_verdict_that_is_not_as_expected_is_state_1(toy):
    found = toy("--tiny", "--lie", "--out", "lies")
    assert found.exit_code == 1
    assert "✗ REFUTED" in found.stdout
    assert found.stdout.splitlines()[-1].startswith("0 of 1 verdicts as expected")
    assert Path("lies/verdicts.json").is_file()


def test_ctrl_c_is_state_130_and_keeps_what_is_finished(toy, tmp_path):
    found = toy("--tiny", "--seeds", "3", "--interrupted", "--workers", "1")
    assert found.exit_code == 130
    assert found.stderr.splitlines()[-1] == "lemmascope: interrupted; finished parts are kept; --resume continues."
    assert len(list(tmp_path.rglob("*.npz"))) == 2
    assert not list(tmp_path.rglob("verdicts.json"))


def test_a_lost_cluster_is_state_3(toy, monkeypatch):
    class Lost(cluster.Dask):
        def __enter__(self):
            self.dashboard = "http://127.0.0.1:1/status"
            return self

        def run(self, compute, tasks, done):
            done(0, compute(tasks[0]))
            raise cluster.ClusterLost("the connection to the cluster was lost")

    with monkeypatch.context() as patch:
        patch.setattr(cluster, "Dask", Lost)
        found = toy("--tiny", "--cluster", "tcp://127.0.0.1:1")
    assert found.exit_code == 3
    assert "Dask's dashboard: http://127.0.0.1:1/status" in found.stdout
    assert "the connection to the cluster was lost; 1 of 2 " in found.stderr
    assert "1 of 2 parts are there already" in toy("--tiny", "--resume").stdout


def test_over_dask_the_results_are_the_same(toy, tmp_path):
    assert toy("--tiny", "--out", "threads").exit_code == 0
    assert toy("--tiny", "--out", "dask", "--cluster", "local:1").exit_code == 0
    assert (tmp_path / "threads/verdicts.json").read_bytes() == (tmp_path / "dask/verdicts.json").read_bytes()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("out: int = ls.option(1, 'No.')", "--out is a flag of every study"),
        ("of_rim: int = ls.option(1, 'No.', flag='bias-of-rim')", "two settings would be the flag --bias-of-rim"),
    ],
)
def test_two_settings_cannot_be_one_flag(tmp_path, line, says):
    path = tmp_path / "toy.py"
    path.write_text(TOY.replace("class Settings:\n", f"class Settings:\n    {line}\n"))
    with pytest.raises(TypeError, match=says):
        command_of(registry.load(path))


def test_run_says_what_is_wrong_with_the_file(call_cli, tmp_path):
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = 1\nraise OSError('gone')\n")
    for arguments, says in (
        (["absent.py"], "it must be a Python file that exists"),
        (["none.py"], "it must define one Study, and has 0"),
        (["broken.py"], "gone"),
        (["--quick", "none.py"], "run has no flag --quick"),
        ([], "run: missing argument 'FILE'"),
    ):
        found = call_cli("run", *arguments)
        assert found.exit_code == 2
        assert says in found.stderr


def test_an_option_keeps_what_it_is_given():
    assert option(1, "One.", quick=2, flag="uno").metadata == {"help": "One.", "sizes": {"quick": 2}, "flag": "uno"}
