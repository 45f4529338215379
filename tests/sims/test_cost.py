"""The rule that chooses the representation."""

import pytest

from sims import cost
from sims.cost import choose_representation
from sims.problems import LawProblem
from sims.simulate import simulate
from theory.errors import InputError
from theory.optimizers import GD


def choose(problem, asked="auto", all_linear=True, optimizers=2, iterations=1000, **rest):
    return choose_representation(
        problem, asked=asked, all_linear=all_linear, optimizers=optimizers, iterations=iterations, **rest
    )


def test_the_cheaper_one_is_taken(tiny):
    """Per step: 2 n² A m against 4 N P d A m; the Gram matrix costs 2 n² d once."""
    many_dimensions, many_samples = tiny(d=500, N=12), tiny(d=10, N=200)
    assert choose(LawProblem(many_dimensions)).representation == "coefficients"
    assert choose(LawProblem(many_samples)).representation == "weights"


def test_the_gram_matrix_must_pay_for_itself(tiny):
    """With m = 1, K saves 4 N P d − 2 n² operations a step and costs 2 n² d once."""
    problem = LawProblem(tiny(N=100, d=100, m=1))
    n, saved = 100, 4 * 100 * 2 * 100 - 2 * 100**2
    break_even = 2 * n**2 * 100 / saved
    assert choose(problem, optimizers=1, iterations=int(break_even) - 1).representation == "weights"
    assert choose(problem, optimizers=1, iterations=int(break_even) + 2).representation == "coefficients"


def test_a_gram_matrix_beyond_the_limit_is_not_formed(tiny, monkeypatch):
    problem = LawProblem(tiny(d=500))
    monkeypatch.setattr(cost, "GRAM_LIMIT_BYTES", 8 * 12**2)
    assert choose(problem).representation == "coefficients"
    monkeypatch.setattr(cost, "GRAM_LIMIT_BYTES", 8 * 12**2 - 1)
    choice = choose(problem)
    assert (choice.representation, "2 GiB" in choice.reason) == ("weights", True)
    assert choose(problem, itemsize=4).representation == "coefficients"


def test_what_must_be_is_taken(tiny, patches):
    assert choose(LawProblem(tiny()), all_linear=False).representation == "weights"
    assert choose(LawProblem(tiny(d=10**9), "exact")).representation == "coefficients"
    assert choose(patches(), asked="weights").representation == "weights"
    assert choose(patches(), asked="coefficients").representation == "coefficients"


@pytest.mark.parametrize(
    ("law", "asked", "all_linear"),
    [("samples", "fastest", True), ("exact", "weights", True), ("exact", "auto", False),
     ("exact", "coefficients", False), ("samples", "coefficients", False)],
)  # fmt: skip
def test_what_cannot_run_is_refused(tiny, law, asked, all_linear):
    with pytest.raises(InputError, match="representation"):
        choose(LawProblem(tiny(), law), asked=asked, all_linear=all_linear)


def test_the_choice_is_written_into_the_run(tiny):
    run = simulate(tiny(), {"GD": GD(0.1)}, iterations=5)
    choice = choose(LawProblem(tiny()), optimizers=1, iterations=5)
    assert (run.representation, run.representation_reason) == (choice.representation, choice.reason)
