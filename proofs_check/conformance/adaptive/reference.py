r"""The iterates of a form without rounding, and all that floating point may make of them.

One recursion, computed with either arithmetic of `proofs_check.conformance.adaptive.arithmetic`: `exact` gives
fractions where the form is rational and balls of radius below 10⁻³⁰ where a root enters; `enclosure` gives balls in
which every implementation's numbers lie. How many operations stand in each group, at most, however it is written:

=====================================  ================================================================== ==
group                                  operations on a term                                               k
=====================================  ================================================================== ==
g + λθ                                 product, sum                                                       2
m, as β₁m + (1−β₁)g or by differences  1−β₁, difference, product, sum                                     4
look-ahead                             as m, and a product                                                5
g − m                                  as it stands, or β₁(g − m₋)                                         3
v                                      1−β₂, square, difference, product, sum                             5
β^t                                    t products, or a function to 4 units in the last place             t+4
1 − β^t                                difference                                                         1
ρ_t, r_t of RAdam                      2/(1−β₂) − 1, product, quotient, sum; products, quotient, root   4, 8
v̂, its root                            quotient; or the root of each, to 2 units in the last place        6
+ ε                                    sum, on both                                                       1
η n/D                                  η/c₁, √c₂, its product and quotient, 1/D in two, its product with
                                       n, and one more                                                    8
decay                                  ηλ, with θ, 1 − ηλ, its product, two sums                          6
b                                      as m, and the rate                                                 5
x, y of schedule-free                  c (2t+4), 1 − c, differences, products, sums                       2t+9
=====================================  ================================================================== ==

y is kept by some in place of x, which is then (y − (1−β₁)z)/β₁: what rounding y does is done to x, divided by β₁.
Correctness does not rest on dyadic numbers: what a quotient, a root and a sign make of errors is in the balls.
"""

from __future__ import annotations

__all__ = ["enclosure", "exact", "iterates"]

from dataclasses import dataclass, field
from fractions import Fraction as F
from functools import lru_cache
from typing import Any

from lemmascope.proofs_check.conformance.adaptive.arithmetic import Arithmetic, Exact, Number, Rounded, Undetermined
from lemmascope.proofs_check.conformance.adaptive.case import AdaptiveCase
from lemmascope.proofs_check.conformance.adaptive.form import Form
from lemmascope.proofs_check.conformance.formats import FORMATS, Format

Rows = list[list[Any]]


def exact(form: Form, case: AdaptiveCase) -> Rows:
    """θ_0, …, θ_T, rows of n numbers: fractions, or balls of radius below 10⁻³⁰.

    Raises:
        Undetermined: where a number is divided by 0, or a root is of a number below it.
    """
    arithmetic = Exact(form.rational)
    with arithmetic.running():
        return iterates(form, case, arithmetic)


@lru_cache(maxsize=2**15)  # the cases are the same for every optimizer
def enclosure(form: Form, case: AdaptiveCase, format: Format | None = None) -> Rows | None:
    """Balls in which the iterates of every implementation lie; None where nothing can be said.

    Args:
        form, case: of which.
        format: what is computed in; that of the case's dtype by default.
    """
    arithmetic = _rounded(format or FORMATS[case.dtype])
    with arithmetic.running():
        try:
            return iterates(form, case, arithmetic)
        except Undetermined:
            return None


@lru_cache
def _rounded(format: Format) -> Rounded:
    return Rounded(format)


@dataclass
class _Scalars:
    """The numbers of step t that all coordinates share; β's powers with their own rounding."""

    t: int
    eta: Number
    first: Number
    bias1: Number
    bias1_next: Number
    bias2: Number
    mu: Number = None
    mu_next: Number = None
    product: Number = None
    product_next: Number = None
    rectified: Number = None
    weight: Number = None
    rest: Number = None


def _scalars(form: Form, case: AdaptiveCase, a: Arithmetic) -> list[_Scalars]:
    def bias(beta: float, t: int) -> Number:
        return a.sum(1, a.given(F(1)), -a.power(F(beta), F(t)))

    found, one = [], a.given(F(1))
    product, total = one, F(0)
    psi = {"scheduled_torch": 0.004, "scheduled_keras": 1.0}.get(form.numerator, case.momentum_decay)

    def mu(t: int) -> Number:
        return a.sum(3, a.given(F(case.beta1)) * a.sum(1, one, -a.power(F("0.96"), F(psi) * t) / 2))

    for t, eta in enumerate(case.eta, start=1):
        rate = a.given(F(case.eta[0] if form.rate == "first" else eta))
        biases = bias(case.beta1, t), bias(case.beta1, t + 1), bias(case.beta2, t)
        one_step = _Scalars(t, rate, a.given(F(case.eta[0])), *biases)
        if form.numerator.startswith("scheduled"):
            one_step.mu, one_step.mu_next = mu(t), mu(t + 1)
            one_step.product = product = a.sum(1, product * one_step.mu)
            one_step.product_next = a.sum(1, product * one_step.mu_next)
        if form.rectified != "no":
            one_step.rectified = _rectified(case, t, int(form.rectified[-1]), a)
        if form.outer == "schedule_free":
            last = {"followed": t, "weights_ahead": t + 1}.get(form.rate, 1)
            seen = case.eta[last - t : last] if last >= t else case.eta[:1]
            weight = F(max(seen or case.eta[-1:])) ** 2
            total += weight
            one_step.weight, one_step.rest = a.exactly(weight / total), a.exactly(1 - weight / total)
        found.append(one_step)
    return found


def _rectified(case: AdaptiveCase, t: int, threshold: int, a: Arithmetic) -> Number | None:
    """r_t, or None where ρ_t is not above the threshold."""
    two, beta2 = a.given(F(2)), F(case.beta2)
    infinity = a.sum(3, a.quotient(two, a.sum(1, a.given(F(1)), -a.given(beta2))), a.given(F(-1)))
    power = a.power(beta2, F(t))
    rho = a.sum(4, infinity, -2 * t * a.quotient(power, a.sum(1, a.given(F(1)), -power)))
    above = a.sign(rho - threshold)
    if above != 1:
        if above != -1:
            raise Undetermined("a comparison of numbers that may be equal")
        return None
    four = a.given(F(4))
    parts = [a.sum(1, x, -y) for x in (rho, infinity) for y in (four, two)]
    return a.root(8, a.quotient(parts[0] * parts[1] * infinity, parts[2] * parts[3] * rho))


@dataclass
class _State:
    """What one coordinate remembers."""

    m: Number
    v: Number
    mean: Number
    largest: Number
    buffer: Number
    z: Number = field(default=None)
    x: Number = field(default=None)


def iterates(form: Form, case: AdaptiveCase, a: Arithmetic) -> Rows:
    """θ_0, …, θ_T of the form, in the numbers of an arithmetic."""
    zero = a.exactly(F(0))
    start = a.given({"one": F(1), "tenth": F("0.1"), "given": F(case.start)}.get(form.start, F(0)))
    rows = [[a.exactly(F(x)) for x in case.theta]]
    states = [_State(zero, start, zero, zero, zero, x, x) for x in rows[0]]
    step = _Step(form, case, a)
    for s, row in zip(_scalars(form, case, a), case.gradients, strict=True):
        rows.append(
            [step(s, state, theta, a.exactly(F(g))) for state, theta, g in zip(states, rows[-1], row, strict=True)]
        )
    return rows


class _Step:
    """One step of one coordinate."""

    def __init__(self, form: Form, case: AdaptiveCase, a: Arithmetic) -> None:
        self.form, self.a = form, a
        self.beta1, self.beta2, self.gamma = (a.given(F(x)) for x in (case.beta1, case.beta2, case.gamma))
        self.epsilon, self.lam = a.given(F(case.epsilon)), a.given(F(case.weight_decay))

    def __call__(self, s: _Scalars, state: _State, theta: Number, g: Number) -> Number:
        """θ after it; the state is changed."""
        a, form = self.a, self.form
        if form.decay == "coupled":
            g = a.sum(2, g, self.lam * theta)
        before = state.m
        if form.averages and form.numerator not in ("sum", "interpolated"):
            state.m = a.mean(4, self.beta1, before, g)
        elif form.numerator == "sum":
            state.m = a.sum(2, self.beta1 * before, g)
        n = self._numerator(s, state, g)
        if form.numerator == "interpolated":
            state.m = a.mean(4, self.beta2, before, g)
        u = self._divided(s, state, n, g, before)
        if form.decay == "before_outer":
            u = a.sum(2, u, self.lam * theta)
        return self._moved(s, state, theta, u)

    def _numerator(self, s: _Scalars, state: _State, g: Number) -> Number:
        a, m, kind = self.a, state.m, self.form.numerator
        if kind == "gradient":
            return g
        if kind.startswith("scheduled"):
            now = a.quotient((1 - s.mu) * g, a.sum(1, a.given(F(1)), -s.product))
            then = a.quotient(s.mu_next * m, a.sum(1, a.given(F(1)), -s.product_next))
            return a.sum(5, then, now)
        if kind in ("nesterov", "interpolated"):
            if self.form.correction == "ahead":
                then = a.quotient(self.beta1 * m, s.bias1_next)
                return a.sum(5, then, a.quotient((1 - self.beta1) * g, s.bias1))
            m = a.mean(5, self.beta1, m, g)
        return a.quotient(m, s.bias1) if self.form.correction == "same" else m

    def _divided(self, s: _Scalars, state: _State, n: Number, g: Number, before: Number) -> Number:
        a, form = self.a, self.form
        if form.memory == "none":
            return n
        if form.memory == "sign":
            return a.sign(n)
        if form.memory == "largest":
            return a.quotient(n, self._largest(state, g))
        squared = {"gradient": g, "momentum": state.m}.get(form.squares)
        if squared is None:
            squared = a.sum(3, g, -(state.m if form.squares == "residual" else before))
        square = a.square(squared)
        if form.memory == "sum":
            state.v = a.sum(2, state.v, square)
        else:
            state.v = a.mean(5, self.beta2, state.v, square)
        if form.epsilon.startswith("accumulated"):
            state.v = a.sum(1, state.v, self.epsilon)
        v = state.v = a.kept(state.v)
        if form.memory == "centred":
            state.mean = a.mean(4, self.beta2, state.mean, g)
            v = a.sum(2, v, -a.square(state.mean))
        if form.rectified == "no":
            return a.quotient(n, self._root(s, state, v))
        return n if s.rectified is None else a.quotient(s.rectified * n, self._root(s, state, v))

    def _largest(self, state: _State, g: Number) -> Number:
        a, kind, size = self.a, self.form.epsilon, self.a.absolute(g)
        seen = a.sum(1, size, self.epsilon) if kind == "inside" else size
        state.v = a.larger(a.sum(1, self.beta2 * state.v), seen)
        if kind == "floor":
            return a.larger(state.v, self.epsilon)
        return a.sum(1, state.v, self.epsilon) if kind == "outside" else state.v

    def _root(self, s: _Scalars, state: _State, v: Number) -> Number:
        a, form, kind = self.a, self.form, self.form.epsilon
        corrected = form.correction_squares == "yes"
        if form.maximum == "squares":
            v = state.largest = a.larger(state.largest, v)
        if kind == "inside_before_correction":
            v = a.sum(1, v, self.epsilon)
        if corrected and kind != "before_correction":
            v = a.quotient(v, s.bias2)
        if form.maximum == "corrected":
            v = state.largest = a.larger(state.largest, v)
        if kind == "inside":
            v = a.sum(1, a.sum(1, v), self.epsilon)
        root = a.root(6, v)
        if kind in ("outside", "before_correction", "accumulated_outside"):
            root = a.sum(1, root, self.epsilon)
        if kind == "floor":
            root = a.larger(root, self.epsilon)
        return a.quotient(root, a.root(3, s.bias2)) if kind == "before_correction" else root

    def _moved(self, s: _Scalars, state: _State, theta: Number, u: Number) -> Number:
        a, outer = self.a, self.form.outer
        move = a.sum(8, s.eta * u)
        if outer == "schedule_free":
            return self._averaged(s, state, theta, move)
        if outer in ("inside", "nesterov_inside"):
            state.buffer = a.sum(5, self.gamma * state.buffer, move)
            inside = state.buffer
            return self._decayed(s, theta, inside if outer == "inside" else a.sum(2, self.gamma * inside, move))
        if outer != "plain":
            u = a.sum(8, u)
            state.buffer = (
                a.mean(5, self.gamma, state.buffer, u) if outer == "average" else a.sum(2, self.gamma * state.buffer, u)
            )
            pushed = a.sum(2, self.gamma * state.buffer, u) if outer == "nesterov" else state.buffer
            move = a.sum(2, s.eta * pushed)
        return self._decayed(s, theta, move)

    def _decayed(self, s: _Scalars, theta: Number, move: Number) -> Number:
        a, kind = self.a, self.form.decay
        if kind == "after":
            theta = a.sum(1, theta, -move)
            return a.sum(6, theta, -s.eta * self.lam * theta)
        if kind in ("none", "coupled", "before_outer"):
            return a.sum(1, theta, -move)
        factor = {"decoupled": s.eta * self.lam, "unscaled": self.lam}.get(kind)
        if factor is None:
            factor = a.quotient(self.lam * s.eta, s.first)
        return a.sum(6, theta, -factor * theta, -move)

    def _averaged(self, s: _Scalars, state: _State, theta: Number, move: Number) -> Number:
        a, k = self.a, 2 * s.t + 9
        decay = s.eta * self.lam * theta if self.form.decay == "decoupled" else 0 * theta
        state.z = a.sum(6, state.z, -decay, -move)
        state.x = a.sum(k, s.rest * state.x, s.weight * state.z)
        y = a.sum(5, (1 - self.beta1) * state.z, self.beta1 * state.x) + a.slack(2, theta)
        if self.beta1 != 0:
            terms = ((1 - self.beta1) * state.z, self.beta1 * state.x, theta, move)
            state.x = state.x + a.quotient(a.slack(k, *terms), self.beta1)
        return y
