"""One seed's problem with what its certificate needs: the system as it is iterated, and its norms."""

from __future__ import annotations

__all__ = ["Certifiable", "certifiable", "data_of"]

from dataclasses import dataclass

import numpy as np

from lemmascope.sims.cubic_cnn.problems import Drawn
from lemmascope.theory.cubic_cnn.certificate.data import Data, of_projection, of_sample
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.law import Projection
from lemmascope.theory.cubic_cnn.weights import WeightSystem
from lemmascope.theory.errors import InputError


@dataclass(frozen=True)
class Certifiable:
    """A system of one seed (S = 1) on NumPy arrays, and what is known of its numbers."""

    system: CoefficientSystem | WeightSystem
    data: Data
    projection: Projection


def data_of(drawn: Drawn, lam: float, *, in_weights: bool) -> Data:
    """What is known of a seed's numbers.

    Raises:
        InputError: weight space of a draw without samples; of one, K that is no Gram matrix.
    """
    found = drawn.projection()
    if drawn.sample is not None and drawn.W_0 is not None:
        return of_sample(drawn.sample, drawn.W_0, found, lam, in_weights)
    if in_weights:
        raise InputError("in_weights", in_weights, "the exact law draws no samples")
    return of_projection(found, lam)


def certifiable(drawn: Drawn, lam: float = 0.0, *, in_weights: bool = False) -> Certifiable:
    """One seed in coefficient or in weight space, in double precision.

    Raises:
        InputError: weight space of a draw without samples; of one, K that is no Gram matrix.
    """
    found, data = drawn.projection(), data_of(drawn, lam, in_weights=in_weights)
    system: CoefficientSystem | WeightSystem
    if in_weights:
        assert drawn.sample is not None
        assert drawn.W_0 is not None
        sample = drawn.sample
        system = WeightSystem(
            X=sample.signal_first()[None],
            y=sample.y[None],
            W_0=drawn.W_0[None],
            w_star=None if sample.w_star is None else sample.w_star[None],
            lam=lam,
            signal_patches=int(sample.of_the_law),
        )
    else:
        arrays = {name: getattr(found, name)[None] for name in ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")}
        of_the_law = bool(np.any(found.strength != 0))
        system = CoefficientSystem(**arrays, lam=lam, has_feature=found.has_feature, of_the_law=of_the_law)
    return Certifiable(system, data, found)
