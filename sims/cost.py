r"""Which representation is cheaper: a documented rule, printed with every run.

Floating-point operations of T iterations for A optimizers and S seeds:

    coefficient space   S (2 n² A m T + 2 n² d)    one product with K a step, after K is formed once
    weight space        S  4 N P d A m T           two products with the N P × d matrix of patches a step

The cheaper one is taken, unless the optimizer is not linear (weight space only), the law is the exact one
(no d-dimensional vector: coefficient space only), or the Gram matrix of one seed would exceed 2 GiB.
"""

from __future__ import annotations

__all__ = ["Choice", "choose_representation"]

from dataclasses import dataclass

from sims.problems import Problem
from theory.errors import InputError

GRAM_LIMIT_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Choice:
    """The representation and the sentence that says why."""

    representation: str
    reason: str


def choose_representation(
    problem: Problem, *, asked: str, all_linear: bool, optimizers: int, iterations: int, itemsize: int = 8
) -> Choice:
    """Apply the rule of this module; ``asked`` is ``"auto"``, ``"weights"`` or ``"coefficients"``.

    Raises:
        InputError: the representation asked for cannot run this problem with these optimizers.
    """
    if asked not in ("auto", "weights", "coefficients"):
        raise InputError("representation", asked, "it must be 'auto', 'weights' or 'coefficients'")
    if not problem.in_R_d and (asked == "weights" or not all_linear):
        raise InputError(
            "representation", asked,
            "exact-law data have no d-dimensional vectors: they run in coefficient space, with linear optimizers only",
        )  # fmt: skip
    if asked == "coefficients" and not all_linear:
        raise InputError("representation", asked, "an optimizer with linear = False runs in weight space only")
    if asked != "auto":
        return Choice(asked, "asked for")
    if not all_linear:
        return Choice("weights", "an optimizer is not linear in the gradients")
    if not problem.in_R_d:
        return Choice("coefficients", "exact-law data have no d-dimensional vectors")
    n, columns = problem.coefficients, optimizers * problem.m
    if itemsize * n * n > GRAM_LIMIT_BYTES:
        return Choice("weights", f"the Gram matrix of n = {n} patches would exceed 2 GiB")
    gram = 2.0 * n * n * columns * iterations + 2.0 * n * n * problem.d
    direct = 4.0 * problem.N * problem.patches * problem.d * columns * iterations
    name = "coefficients" if gram <= direct else "weights"
    return Choice(name, f"{gram:.2g} operations a seed in coefficient space, {direct:.2g} in weight space")
