"""Settings from flags and TOML: what is merged, what is refused."""

import pytest

from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.settings import optimizer_from_table, optimizer_from_text, read_toml, settings
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, paper_regime
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov, PiecewiseConstant

STUDY = """
regime = "HEADLINE"
[parameters]
d = 1000
[optimizers.GD]
form = "gd"
eta = 0.1
[optimizers.fast]
form = "nesterov"
eta = [[0, 0.01], [5000, 0.001]]
gamma = 0.9
[run]
iterations = 20000
seeds = 5
log_points = 100
out = "study.nc"
"""


def toml(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def test_a_toml_file_gives_all_arguments(tmp_path):
    found = settings(read_toml(toml(tmp_path, STUDY)), {})
    assert found.problem.parameters.d == 1000
    assert found.problem.parameters.N == HEADLINE.N
    schedule = PiecewiseConstant((0, 5000), (0.01, 0.001))
    assert found.optimizers == {"GD": GD(0.1), "fast": Nesterov(schedule, 0.9)}
    assert found.run == {"iterations": 20000, "seeds": 5}
    assert found.record == Logarithmic(100)
    assert str(found.out) == "study.nc"


def test_a_flag_wins_over_the_file(tmp_path):
    flags = {"d": 700, "seeds": 2, "optimizer": ["gd:eta=0.2"], "iterations": 10}
    found = settings(read_toml(toml(tmp_path, STUDY)), flags)
    assert found.problem.parameters.d == 700
    assert found.run == {"iterations": 10, "seeds": 2}
    assert found.optimizers == {"GD": GD(0.2)}


def test_defaults_are_headline_with_gd_and_momentum():
    found = settings({}, {})
    assert found.problem == LawProblem(HEADLINE)
    assert found.optimizers == {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}


def test_the_paper_regime_takes_its_sizes():
    found = settings({}, {"regime": "paper", "d": 10**6, "law": "exact", "every": 7})
    assert found.problem == LawProblem(paper_regime(10**6), "exact")
    assert found.record == Every(7)


@pytest.mark.parametrize(
    ("text", "label", "table"),
    [
        ("gd:eta=0.1", None, {"form": "gd", "eta": 0.1}),
        ("slow one=momentum:eta=0.1,gamma=0.99", "slow one", {"form": "momentum", "eta": 0.1, "gamma": 0.99}),
        ("decay=gd:eta=0.1@0/0.01@50", "decay", {"form": "gd", "eta": "0.1@0/0.01@50"}),
        ("a/my.py:Mine:eta=1", None, {"form": "a/my.py:Mine", "eta": 1}),
        ("x=my.py:Mine", "x", {"form": "my.py:Mine"}),
    ],
)
def test_optimizer_texts(text, label, table):
    assert optimizer_from_text(text) == (label, table)


def test_a_schedule_in_a_flag():
    found = settings({}, {"optimizer": ["gd:eta=0.1@0/0.01@50"]})
    assert found.optimizers == {"GD": GD(PiecewiseConstant((0, 50), (0.1, 0.01)))}


def test_two_of_a_form_get_labels_apart():
    found = settings({}, {"optimizer": ["gd:eta=0.1", "gd:eta=0.2"]})
    assert list(found.optimizers) == ["GD", "GD eta=0.2"]


def test_a_class_of_ones_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "class Mine:\n    linear = True\n    def __init__(self, eta): self.eta = eta\n"
        "    def init(self, params): return None\n"
        "    def step(self, params, grad, state, t): return params - self.eta * grad, state\n"
    )
    optimizer = optimizer_from_table("mine", {"form": f"{path}:Mine", "eta": 0.5})
    assert optimizer.eta == 0.5
    with pytest.raises(InputError, match="does not take that"):
        optimizer_from_table("mine", {"form": f"{path}:Mine", "rate": 0.5})
    with pytest.raises(InputError, match="must define Other"):
        optimizer_from_table("mine", {"form": f"{path}:Other"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("regimes = 1", ["regimes", "regime, parameters, data, optimizers, run"]),
        ("[parameters]\ndd = 3", ["dd", "d, N, P, m"]),
        ("[run]\niteration = 3", ["iteration", "iterations, seeds"]),
        ("[data]\nfiles = 'x'", ["files", "file, m"]),
        ("[optimizers.GD]\nform = 'gd'\neta = 0.1\ngama = 0.9", ["gama", "eta"]),
        ("[optimizers.GD]\nform = 'sgd'\neta = 0.1", ["sgd", "gd, momentum, velocity, nesterov"]),
        ("[optimizers.GD]\nform = 'momentum'\neta = 0.1", ["gamma"]),
        ("[optimizers]\nGD = 3", ["optimizers", "one table for each"]),
        ("parameters = 3", ["parameters", "table"]),
        ("[run\n", ["must be TOML"]),
        ("regime = 'other'", ["other", "HEADLINE"]),
        ("regime = 'paper'", ["d must be given"]),
        ("[run]\nevery = 2\nlog_points = 9", ["every", "either"]),
        ("[run]\nwhole_Xi = 1", ["whole_Xi", "true or false"]),
        ("[run]\nlaw = 'wrong'", ["law", "samples"]),
        ("[parameters]\nN = 10.5", ["N", "10.5", "integer"]),
        ("[parameters]\nd = 100\n[run]\nlaw = 'exact'", ["d", "100", "401"]),
        ("[data]\nfile = 'x.npz'\nm = 3", ["sigma_0"]),
        ("[optimizers.GD]\nform = 'gd'\neta = -1", ["eta", "-1", "> 0"]),
        ("[optimizers.GD]\nform = 'momentum'\neta = 1\ngamma = 1.0", ["gamma", "1.0", "[0, 1)"]),
        ("[optimizers.GD]\nform = 'gd'\neta = [[5, 0.1]]", ["eta", "0 < t₁"]),
    ],
)
def test_what_is_refused_names_field_and_range(tmp_path, text, names):
    with pytest.raises(InputError) as error:
        settings(read_toml(toml(tmp_path, text)), {})
    for name in names:
        assert name in str(error.value)
    assert "\n" not in str(error.value).strip() or "TOML" in str(error.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="readable file"):
        read_toml(tmp_path / "none.toml")
