"""Subjects: their symbols have the names that the code uses, once."""

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import lemmascope.theory
from lemmascope.theory.cubic_cnn import AXES, SUBJECT
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.subject import Reference, Subject, Symbol

FIELDS = [f.name for f in dataclasses.fields(Parameters)]
RATES = {f.name for kind in (GD, MomentumAverage) for f in dataclasses.fields(kind)}
PAPER = Reference("A. Author", "On something", "Journal", 2020)


def test_every_parameter_and_every_optimizers_field_has_a_symbol():
    numbers = {symbol.code for symbol in SUBJECT.symbols if not symbol.shape and symbol.code.isidentifier()}
    assert numbers == {*FIELDS, *RATES}


def names(path):
    """Every name that a module's code uses, reads of an object, or is given."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.arg | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_symbol_is_in_the_code_by_its_name():
    folder = Path(lemmascope.theory.__path__[0]) / SUBJECT.name
    found = {name for path in folder.rglob("*.py") if path.name != "__init__.py" for name in names(path)}
    assert {symbol.code for symbol in SUBJECT.symbols if symbol.code.isidentifier()} <= found
    assert {symbol.code for symbol in SUBJECT.symbols if not symbol.code.isidentifier()} == {"1 - gamma"}


def test_symbols_are_complete_and_each_is_written_once():
    written = [symbol.symbol for symbol in SUBJECT.symbols]
    assert len(set(written)) == len(written)
    assert all(symbol.symbol and symbol.meaning for symbol in SUBJECT.symbols)
    assert SUBJECT.name == "cubic_cnn"
    assert SUBJECT.paper.year == 2022


def test_axes_are_parameters_and_the_optimizers():
    assert set(AXES) == {*FIELDS, *RATES} - {"lam", "label_noise"}
    for name, symbol in AXES.items():
        assert symbol is SUBJECT["1 - gamma" if name == "gamma" else name]
    assert (AXES["gamma"].symbol, AXES["sigma_0"].symbol) == ("1 − γ", "σ₀")


def test_a_subject_is_looked_up_without_a_library():
    """The command's help lists subjects."""
    code = "import sys, lemmascope.theory.cubic_cnn; print({'numpy', 'xarray', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_an_unknown_symbol_is_no_symbol():
    with pytest.raises(KeyError, match="kappa"):
        SUBJECT["kappa"]


@pytest.mark.parametrize(
    ("name", "symbols", "said"),
    [
        ("two words", (), "subject = 'two words'.*letters, digits and _"),
        ("own", (Symbol("a", "x", "", "one"), Symbol("b", "x", "", "other")), r"symbols = \['x'\].*one symbol"),
    ],
)
def test_a_bad_subject_is_refused(name, symbols, said):
    with pytest.raises(InputError, match=said):
        Subject(name, "A title", PAPER, symbols)
