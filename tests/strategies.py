"""What Hypothesis draws from: valid parameters, samples of the law, a user's patches, gradients, optimizers.

Sizes are small, and edges (two samples, one neuron, λ = 0, γ = 0, zero patches, no feature) come up often.
`tests/theory/test_strategies.py` tests these strategies themselves.
"""

from __future__ import annotations

__all__ = [
    "GAMMAS",
    "RATES",
    "Instance",
    "Patches",
    "TensorPower",
    "gradient_sequences",
    "instances",
    "optimizers",
    "parameters",
    "patches",
    "schedules",
    "tensor_powers",
    "weights_of_size",
]

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.law import Sample, draw_sample, draw_weights
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import FORMS, PiecewiseConstant

RATES = st.floats(1e-4, 1.0)
"""Learning rates η."""

GAMMAS = st.one_of(st.just(0.0), st.floats(0.0, 0.999))
"""Momentum γ, often exactly 0."""


class Instance(NamedTuple):
    """Parameters, a sample of their law and weights W (m, d)."""

    parameters: Parameters
    sample: Sample
    W: np.ndarray


class Patches(NamedTuple):
    """A user's own data: X (N, P, d), y (N,), w_star (d,) or None, small (N,) or None; and weights W (m, d)."""

    X: np.ndarray
    y: np.ndarray
    w_star: np.ndarray | None
    small: np.ndarray | None
    W: np.ndarray


class TensorPower(NamedTuple):
    """z_{t+1} = z_t + A_t z_t² from z_0 until z ≥ v: bounds a ≤ A_t ≤ A, and A_t at each step, cyclically."""

    z_0: float
    v: float
    a: float
    A: float
    steps: list[float]


@st.composite
def parameters(draw: Any, *, penalty: bool | None = None, room: bool = False) -> Parameters:
    """Valid small `Parameters`; λ is 0 or not (``penalty``), and d − 1 ≥ n if there is to be ``room``."""
    N = draw(st.integers(2, 10), label="N")
    P = draw(st.integers(2, 4), label="P")
    least = N * (P - 1) + 1 if room else 2
    alpha = draw(st.floats(0.1, 5.0), label="alpha")
    lams = {None: st.just(0.0) | st.floats(1e-4, 0.2), True: st.floats(1e-4, 0.2), False: st.just(0.0)}
    mus = st.sampled_from([1 / N, 0.5]) | st.floats(1 / N, 1 - 1 / N)
    return Parameters(
        d=draw(st.integers(least, least + 20), label="d"),
        N=N,
        P=P,
        m=draw(st.integers(1, 4), label="m"),
        alpha=alpha,
        beta=draw(st.floats(0.01, 0.99), label="beta / alpha") * alpha,
        # At the ends 1/N and 1 − 1/N rounding may put mu·N just below 1.
        mu=draw(mus.filter(lambda mu: mu * N >= 1 and (1 - mu) * N >= 1), label="mu"),
        sigma=draw(st.floats(0.01, 1.0), label="sigma"),
        sigma_0=draw(st.floats(0.01, 1.0), label="sigma_0"),
        lam=draw(lams[penalty], label="lam"),
    )


@st.composite
def instances(draw: Any, *, penalty: bool | None = None, room: bool = False) -> Instance:
    """A sample of the law with weights, from streams that the drawn seed names."""
    p = draw(parameters(penalty=penalty, room=room), label="parameters")
    rng = streams(0, "strategies", draw(st.integers(0, 2**16), label="seed"))
    return Instance(p, draw_sample(p, rng), draw_weights(p.m, p.d, p.sigma_0, rng))


def weights_of_size(m: int, d: int, size: float = 1.0) -> st.SearchStrategy[np.ndarray]:
    """Weights (m, d) with entries up to ``size``."""
    return arrays(np.float64, (m, d), elements=st.floats(-size, size, allow_subnormal=False))


@st.composite
def patches(draw: Any, *, feature: bool | None = None) -> Patches:
    """Arbitrary patches, labels and weights; the feature w* and the groups are known or not."""
    N, P, d = (draw(st.integers(1, high), label=name) for name, high in (("N", 6), ("P", 3), ("d", 8)))
    elements = st.floats(-2, 2, allow_subnormal=False)
    X = draw(arrays(np.float64, (N, P, d), elements=elements), label="X")
    y = draw(arrays(np.float64, N, elements=st.sampled_from([-1.0, 1.0])), label="y")
    known = draw(st.booleans(), label="feature known") if feature is None else feature
    w_star = None
    if known:
        # Entries are a unit vector's own plus noise, so that none has length 0.
        direction = draw(arrays(np.float64, d, elements=st.floats(-0.5, 0.5, allow_subnormal=False)), label="w_star")
        direction[0] += 1.0
        w_star = direction / math.sqrt(direction @ direction)
    groups = arrays(np.bool_, N)
    small = draw(st.none() | groups, label="small")
    W = draw(weights_of_size(draw(st.integers(1, 3), label="m"), d), label="W")
    return Patches(X, y, w_star, small, W)


def gradient_sequences(steps: int = 30) -> st.SearchStrategy[np.ndarray]:
    """Gradients (T, 3) of up to ``steps`` steps."""
    return st.integers(1, steps).flatmap(
        lambda T: arrays(np.float64, (T, 3), elements=st.floats(-10, 10, allow_subnormal=False))
    )


@st.composite
def schedules(draw: Any) -> PiecewiseConstant:
    """η(t) of one to four phases."""
    phases = draw(st.integers(1, 4), label="phases")
    later = draw(st.lists(st.integers(1, 30), min_size=phases - 1, max_size=phases - 1, unique=True), label="starts")
    values = draw(st.lists(RATES, min_size=phases, max_size=phases), label="values")
    return PiecewiseConstant((0, *sorted(later)), tuple(values))


@st.composite
def optimizers(draw: Any, *, forms: tuple[str, ...] = tuple(FORMS), scheduled: bool | None = None) -> Any:
    """An optimizer of one of the forms, with a constant rate or a schedule."""
    form = draw(st.sampled_from(forms), label="form")
    rates = {None: st.one_of(RATES, schedules()), True: schedules(), False: RATES}[scheduled]
    eta = draw(rates, label="eta")
    return FORMS[form](eta) if form == "gd" else FORMS[form](eta, draw(GAMMAS, label="gamma"))


@st.composite
def tensor_powers(draw: Any) -> TensorPower:
    """A tensor power recursion that passes v within some thousands of steps."""
    z_0 = draw(st.floats(0.01, 1.0), label="z_0")
    v = z_0 * draw(st.floats(1.0, 100.0), label="v / z_0")
    a = draw(st.floats(0.05, 5.0), label="a") / z_0
    A = a * draw(st.floats(1.0, 20.0), label="A / a")
    steps = draw(st.lists(st.floats(a, A) | st.sampled_from([a, A]), min_size=1, max_size=20), label="A_t")
    return TensorPower(z_0, v, a, A, steps)
