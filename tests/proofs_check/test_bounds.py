"""Each bound from both sides: what is weaker is never refuted, what is stronger never proved."""

import inspect
from fractions import Fraction

import pytest
import sympy as sp

from lemmascope.proofs_check.chapters import chapters
from lemmascope.proofs_check.methods.races import ordering
from lemmascope.theory.verdict import Kind, Status

STEPS = [step for chapter in chapters() for step in chapter.steps]
BOUNDS = [step for step in STEPS if step.kind is Kind.BOUND and step.expected is Status.PROVED]
WEAKER = [(step, name, value) for step in STEPS for constants in step.weaker for name, value in constants.items()]
NOT_SHARP = {
    *("tensor_power.published", "radius.factor", "accuracy.cosine", "draws.holds", "draws.refuted"),
    *("long_memory.stationary_variance", "stability.cyclic_below_two"),
}
"""The constants 3 and 8 of the first can be lowered, as the next step of its chapter proves; 2 stands for e − 1, and
0.7812 for a number that begins with 0.78114; draws are whole, and their errors do not reach 0.05; 1/500 is a round
number above what balls enclose; n is whole, and n ≥ 1 is a planted error."""


def stated(step, name):
    """The constant as it is stated."""
    defaults = {**inspect.signature(ordering).parameters, **inspect.signature(step.prove).parameters}
    return defaults[name].default


def stronger(step, name, weaker):
    """A thousandth of the way, on the other side."""
    here = stated(step, name)
    if isinstance(here, sp.Expr) or isinstance(weaker, sp.Expr):
        return here + (here - weaker) / 1000 if isinstance(here, sp.Expr) else sp.Integer(here) + (here - weaker) / 1000
    return Fraction(here) + (Fraction(here) - Fraction(weaker)) / 1000


def label(value):
    return value.id if hasattr(value, "id") else str(value)


def test_every_bound_says_what_is_weaker():
    assert [step.id for step in BOUNDS if not step.weaker] == []
    assert len(BOUNDS) >= 20


@pytest.mark.parametrize(("step", "name", "value"), WEAKER, ids=label)
def test_a_weaker_statement_is_not_refuted(step, name, value):
    """All of ours are proved, which is more."""
    found = step.prove(**{name: value})
    assert found.status is Status.PROVED, found.reason


@pytest.mark.parametrize(("step", "name", "value"), [one for one in WEAKER if one[0].id not in NOT_SHARP], ids=label)
def test_a_stronger_statement_is_not_proved(step, name, value):
    assert step.prove(**{name: stronger(step, name, value)}).status is not Status.PROVED


@pytest.mark.parametrize("step", STEPS, ids=label)
def test_a_planted_error_says_whether_it_changes_a_hypothesis(step):
    """A constant is of the statement or of a hypothesis, and what changes the latter is told as that."""
    statement = {name for one in step.planted if not one.hypothesis for name in one.constants}
    hypothesis = {name for one in step.planted if one.hypothesis for name in one.constants}
    assert not (statement & hypothesis) - {"forms"}
    for one in step.planted:
        assert one.told.endswith(" (a hypothesis)") == one.hypothesis
