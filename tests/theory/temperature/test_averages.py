"""The lecture's averages against their recursions, and its symbols against the code."""

import ast
from pathlib import Path

import array_api_strict
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close

import lemmascope.sims
import lemmascope.theory
from lemmascope.theory.optimizers import MomentumVelocity
from lemmascope.theory.temperature import SUBJECT, averages

reaches = st.integers(2, 30)
sequences = st.lists(st.floats(-1, 1), min_size=1, max_size=40).map(np.array)


@given(reaches, sequences)
def test_averages_are_those_of_the_recursions(N, x):
    expected, running = [], 0.0
    for value in x:
        running = (1 - 1 / N) * running + value / N
        expected.append(running)
    assert_close(averages.running_average(x, 1 - 1 / N), np.array(expected), scale=1)
    window = [x[max(0, t - N) : t].mean() for t in range(1, x.size + 1)]
    assert_close(averages.window_average(x, N), np.array(window), scale=1)


@given(reaches, sequences, st.floats(0.01, 1))
def test_momentum_is_the_toolkits(N, x, eta):
    """v and Φ along prescribed gradients are those of `MomentumVelocity`, step for step."""
    mu, optimizer = 1 - 1 / N, MomentumVelocity(eta, 1 - 1 / N)
    start = np.array([0.3])
    Phi, state, found = start, optimizer.init(start), []
    for t, slope in enumerate(x):
        Phi, state = optimizer.step(Phi, np.array([slope]), state, t)
        found.append(Phi[0])
    assert_close(averages.parameters(0.3, x, eta, mu), np.array(found), "trajectory", scale=1 + N * eta * x.size)
    assert_close(averages.velocity(x, eta, mu), -np.diff([0.3, *found]), "trajectory", scale=1 + N * eta * x.size)


def test_one_gradient_moves_the_parameters_by_its_total_effect():
    N, B, eta, g = 10, 4, 0.05, 1.7
    alone = np.zeros(600)
    alone[0] = g / B
    moved = averages.parameters(0.0, alone, eta, 1 - 1 / N)[-1]
    assert_close(-moved, averages.total_effect(g, eta, N, B), "trajectory")
    assert averages.total_effect(g, eta, N, B) != averages.total_effect(g, eta, N, 1)


def test_weights_are_none_before_their_time_and_sum_to_one():
    found = averages.weights(0.9, np.arange(-3.0, 400))
    assert (found[:3] == 0).all()
    assert found[3] == 1 - 0.9
    assert_close(found.sum(), 1.0, scale=1)


def test_they_run_on_any_library_of_the_standard():
    x = np.linspace(-1, 2, 7)
    strict = array_api_strict.asarray(x)
    for name, more in (("running_average", (0.8,)), ("window_average", (3,)), ("velocity", (0.1, 0.8))):
        found = getattr(averages, name)
        assert_close(np.asarray(found(strict, *more)), found(x, *more))
    assert_close(np.asarray(averages.parameters(1.0, strict, 0.1, 0.8)), averages.parameters(1.0, x, 0.1, 0.8))


# Symbols

LECTURE = ("Φ_t", "g_{t,b}", "ĝ_t", "v_t", "μ", "N_avg", "x_t", "x̄_t", "x̃_t", "β", "g̃_t", "η", "B", "η₀", "T")


def names(path):
    """Every name that a module's code uses, and every text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.arg | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else node.attr
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_symbol_of_the_lecture_is_in_the_table():
    written = {one for symbol in SUBJECT.symbols for one in symbol.symbol.split(", ")}
    assert written >= set(LECTURE)


def test_every_symbol_is_in_the_code_by_its_name():
    theory = Path(lemmascope.theory.__path__[0]) / SUBJECT.name
    sims = Path(lemmascope.sims.__path__[0])
    paths = [*theory.rglob("*.py"), *(sims / SUBJECT.name).rglob("*.py"), sims / "studies" / f"{SUBJECT.name}.py"]
    found = {name for path in paths if path.name != "__init__.py" for name in names(path)}
    assert {symbol.code for symbol in SUBJECT.symbols} <= found
