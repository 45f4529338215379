r"""What both representations share: the logistic head and the view of one state.

Model f(X) = Σ_r Σ_j ⟨w_r, X[j]⟩³; loss L = (1/N) Σ_i log(1 + exp(−y_i f(X_i))) + (λ/2)‖W‖²_F.
Batch axes stand in front: S seeds, A optimizers.
"""

from __future__ import annotations

__all__ = ["System", "View", "log1p_exp", "logistic_weight"]

from dataclasses import dataclass, fields
from typing import Any, Protocol

from array_api_compat import array_namespace

Array = Any


def logistic_weight(margins: Array) -> Array:
    """ℓ = 1 / (1 + exp(y f)), any shape; the exponential never overflows."""
    xp = array_namespace(margins)
    e = xp.exp(-xp.abs(margins))
    return xp.where(margins > 0, e, xp.ones_like(e)) / (1 + e)


def log1p_exp(x: Array) -> Array:
    """log(1 + exp(x)), any shape; exact to rounding for every finite x."""
    xp = array_namespace(x)
    return xp.log1p(xp.exp(-xp.abs(x))) + xp.where(x > 0, x, xp.zeros_like(x))


@dataclass(frozen=True)
class View:
    """What is seen of one state.

    Attributes:
        c: (S, A, m) signal coefficients ⟨w_r, w*⟩; None where w* is not known.
        Xi: (S, A, m, N, Q) coefficients ⟨w_r, X_i[j]⟩ of the Q noise patches of a sample (of all its
            patches, for a user's own data).
        memorization: (S, A, N) y_i Σ_j Σ_r Ξ³.
        margins: (S, A, N) y_i f(X_i).
        ell: (S, A, N) logistic weights ℓ_i.
    """

    c: Array | None
    Xi: Array
    memorization: Array
    margins: Array
    ell: Array

    def alone(self, a: int) -> View:
        """That of optimizer a, (S, 1, …)."""
        each = {field.name: getattr(self, field.name) for field in fields(View)}
        return View(**{name: None if x is None else x[:, a : a + 1, ...] for name, x in each.items()})


class System(Protocol):
    """A representation of the training dynamics; ``theta`` is its state array (S, A, …)."""

    def initial(self, count: int) -> Array:
        """The initial state for ``count`` optimizers that start from the same weights."""

    def evaluate(self, theta: Array) -> tuple[View, Array]:
        """The view of a state, and the gradient of the loss in the coordinates of the state."""

    def perpendicular_gram(self, theta: Array, view: View) -> Array:
        """(S, A, m, m) Gram matrix of the weights, without their w* part for data of the law."""

    def gram_product(self, u: Array) -> Array:
        """Σ_k' K_kk' u_k' for u (S, A, m, n)."""

    def gram_diagonal(self) -> Array:
        """(S, n) squared norms of the patches."""
