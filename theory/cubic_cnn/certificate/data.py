r"""What a certificate knows of one seed's problem: norms from above, and how far its numbers are from exact ones.

**Which trajectory is exact.** Of samples: that of W in R^d, where X, y, w* and W₀ are the doubles, read as real
numbers; K, Ξ₀ and c₀ were formed from them with rounding, a drawn w* has not quite the length 1, noise is not quite
orthogonal to it, and a signal patch is y_i s_i w* up to `signal_error`. All of that is in the residual of a
step. Of a
projection: that of the system of (c, Ξ) whose K, Ξ₀, c₀ are the doubles. If K is positive definite there are patches X
with K = XXᵀ and weights with Ξ₀ = W₀Xᵀ, so the same bounds hold, with norms of that W-space.
"""

from __future__ import annotations

__all__ = ["Data", "of_projection", "of_sample"]

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.products import inner_product_error
from lemmascope.theory.cubic_cnn.certificate.relief import lenders
from lemmascope.theory.cubic_cnn.certificate.rounding import UNIT, eigenvalue_above, gamma, norm, upward
from lemmascope.theory.cubic_cnn.law import Projection, Sample
from lemmascope.theory.errors import InputError

Array = Any


@dataclass(frozen=True)
class Data:
    """One seed's problem, for either representation. Every norm and error is an upper bound.

    Attributes:
        y: (N,) labels. strength: (N,) y_i c_i; zeros where no signal patch is told apart.
        K: (n, n) doubles, off XXᵀ by at most K_error (Frobenius norm), and K_columns_error (n,) column by column.
        x: (n,) ‖x_k‖. columns: (n,) norms of K's columns. K_norm: λ_max(XXᵀ).
        Xi_0: (m, n) doubles; Xi_0_error: (m, n). c_0: (m,) doubles; c_0_error: (m,).
        overlap: (n,) ⟨x_k, w*⟩ as the view of c has it, and along: (n,) how far that is off. unit: |‖w*‖² − 1|.
            signal_error: ‖v_i − y_i s_i w*‖/|s_i| of the signal patches v_i. cubed_error: of s_i³ as the loops have it,
            relative.
        W_0: ‖W₀‖_F. S_0: (m, m) doubles, |·| ≤ S_0_error off.
        lam: λ.
        length: of the inner products that form Ξ: n, or d in weight space.
        in_weights: whether the state is W, and not (B, b, a).
    """

    y: Array
    strength: Array
    K: Array
    K_error: float
    K_columns_error: Array
    x: Array
    columns: Array
    K_norm: float
    Xi_0: Array
    Xi_0_error: Array
    c_0: Array
    c_0_error: Array
    overlap: Array
    along: Array
    unit: float
    signal_error: float
    cubed_error: float
    W_0: float
    S_0: Array
    S_0_error: float
    lam: float
    length: int
    in_weights: bool

    @cached_property
    def lends(self) -> Array:
        """(N,) which samples' positive part takes from the negative one."""
        return lenders(self.strength)

    @cached_property
    def K_others(self) -> tuple[Array, Array]:
        """(n, n) K without its diagonal, and its entries' sizes."""
        xp = array_namespace(self.K)
        others = self.K - xp.eye(self.K.shape[0], dtype=self.K.dtype) * xp.linalg.diagonal(self.K)
        return others, xp.abs(others)

    @property
    def Q(self) -> int:
        """Patches a sample."""
        return self.x.shape[0] // self.y.shape[0]

    def of_patches(self, samples: Array) -> Array:
        """(n,) of its patch's sample, from (N,)."""
        xp = array_namespace(samples)
        return xp.reshape(xp.tile(samples[:, None], (1, self.Q)), (-1,))

    def by_sample(self, patches: Array) -> Array:
        """(…, N) sums over the patches of a sample, from (…, n)."""
        xp = array_namespace(patches)
        return xp.sum(xp.reshape(patches, (*patches.shape[:-1], self.y.shape[0], self.Q)), axis=-1)

    def size(self, own: Any, b: Any, a: Any) -> Any:
        """‖·‖ in W-space of coefficients (B, b, a) of norms ``own``, ``b``, ``a``; of W itself in weight space."""
        if self.in_weights:
            return own
        return math.sqrt(self.K_norm) * own + (1 + self.unit) * b + (self.W_0 * a if self.lam else 0.0)


def of_projection(found: Projection, lam: float) -> Data:
    """The problem whose K, Ξ₀, c₀ and S₀ are these doubles.

    Raises:
        InputError: K is not symmetric, or could not be shown to be positive definite.
    """
    xp = array_namespace(found.K)
    if bool(xp.any(xp.matrix_transpose(found.K) != found.K)):
        raise InputError("K", "a matrix that is not symmetric", "a Gram matrix is needed, bit for bit")
    least = -eigenvalue_above(-found.K)
    if not least > 0:
        why = "K must be shown to be positive definite, so that it is a Gram matrix; take the samples' own certificate"
        raise InputError("K", f"a matrix whose eigenvalues are shown to be above {least:.3g}", why)
    zero = xp.zeros_like(found.Xi_0)
    outside = math.sqrt(max(0.0, float(xp.sum(xp.linalg.diagonal(found.S_0)))))
    return Data(
        y=found.y,
        strength=found.strength,
        K=found.K,
        K_error=0.0,
        K_columns_error=xp.zeros_like(found.overlap),
        x=upward(xp.sqrt(xp.linalg.diagonal(found.K))),
        columns=upward(xp.sqrt(xp.sum(found.K * found.K, axis=0))),
        K_norm=eigenvalue_above(found.K),
        Xi_0=found.Xi_0,
        Xi_0_error=zero,
        c_0=found.c_0,
        c_0_error=xp.zeros_like(found.c_0),
        overlap=found.overlap,
        along=xp.zeros_like(found.overlap),
        unit=0.0,
        signal_error=0.0,
        cubed_error=0.0,
        W_0=upward(outside + norm(found.Xi_0) / math.sqrt(least) + norm(found.c_0)),
        S_0=found.S_0,
        S_0_error=0.0,
        lam=lam,
        length=found.K.shape[0],
        in_weights=False,
    )


def of_sample(sample: Sample, W_0: Array, found: Projection, lam: float, in_weights: bool) -> Data:
    """The problem of samples in R^d; ``found`` is their projection as it was computed."""
    xp = array_namespace(found.K)
    n, d = found.K.shape[0], sample.X.shape[-1]
    patches = xp.reshape(sample.signal_first()[:, 1:, :] if sample.of_the_law else sample.X, (n, d))
    off = inner_product_error(patches, patches, found.K)
    columns_off = xp.sqrt(xp.sum(off * off, axis=0))
    along, unit, c_0_error = xp.zeros_like(found.overlap), 0.0, xp.zeros_like(found.c_0)
    if sample.w_star is not None:
        w: Array = sample.w_star[None, :]
        along = inner_product_error(patches, w, found.overlap[:, None])[:, 0]
        unit = float(inner_product_error(w, w, xp.ones((1, 1), dtype=w.dtype))[0, 0])
        c_0_error = inner_product_error(W_0, w, found.c_0[:, None])[:, 0]
    K_error, signal_error = norm(off), _signal_error(sample) if sample.of_the_law else 0.0
    # In weight space a loop reads s_i off ⟨v_i, w*⟩.
    read_off = 4 * (unit + signal_error + gamma(d + 4)) if in_weights and sample.of_the_law else 0.0
    return Data(
        y=found.y,
        strength=found.strength,
        K=found.K,
        K_error=K_error,
        K_columns_error=upward(columns_off),
        x=upward(xp.sqrt(xp.linalg.diagonal(found.K + off))),
        columns=upward(xp.sqrt(xp.sum(found.K * found.K, axis=0))),
        K_norm=eigenvalue_above(0.5 * (found.K + xp.matrix_transpose(found.K)), upward(K_error + UNIT * norm(found.K))),
        Xi_0=found.Xi_0,
        Xi_0_error=inner_product_error(W_0, patches, found.Xi_0),
        c_0=found.c_0,
        c_0_error=c_0_error,
        overlap=found.overlap,
        along=along,
        unit=unit,
        signal_error=signal_error,
        cubed_error=read_off,
        W_0=norm(W_0),
        S_0=found.S_0,
        S_0_error=upward(4 * gamma(d + 4) * norm(W_0) ** 2),
        lam=lam,
        length=d if in_weights else n,
        in_weights=in_weights,
    )


def _signal_error(sample: Sample) -> float:
    """The largest ‖v_i − y_i s_i w*‖/|s_i|, from above."""
    xp = array_namespace(sample.X)
    w: Array = sample.w_star
    strength: Array = sample.strength
    v, meant = sample.signal_first()[:, 0, :], (sample.y * strength)[:, None] * w[None, :]
    off = xp.abs(v - meant) + 2 * UNIT * (xp.abs(v) + xp.abs(meant))
    size = xp.abs(strength)
    lengths = xp.sqrt(xp.sum(off * off, axis=-1)) / xp.where(size > 0, size, xp.ones_like(size))
    return upward(float(xp.max(lengths)))
