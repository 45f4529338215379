"""Forms of the Adam family in floating point, in several ways of writing them: what their balls must hold."""

import numpy as np

from lemmascope.proofs_check.conformance.adaptive.arithmetic import Undetermined
from lemmascope.proofs_check.conformance.adaptive.reference import iterates


class Floats:
    """The recursion's numbers in one number type.

    Args:
        dtype: the number type.
        differences: averages as old + (1 − β)(new − old).
        products: powers by repeated products.
    """

    def __init__(self, dtype, differences=False, products=False):
        self.type, self.differences, self.products = np.dtype(dtype).type, differences, products

    def given(self, x):
        """Rounded to the type."""
        wide = np.longdouble
        return wide(x.numerator) / wide(x.denominator) if self.type is wide else self.type(float(x))

    exactly = given

    def sum(self, k, *terms):
        """From left to right."""
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def mean(self, k, beta, old, new):
        """In one of the two ways."""
        return old + (1 - beta) * (new - old) if self.differences else beta * old + (1 - beta) * new

    def slack(self, k, *terms):
        """Nothing."""
        return self.type(0)

    def square(self, x):
        """x·x."""
        return x * x

    def kept(self, x):
        """It."""
        return x

    def root(self, k, x):
        """√x."""
        if x < 0:
            raise Undetermined("a root of a number below 0")
        return np.sqrt(x)

    def quotient(self, x, y):
        """x/y."""
        if y == 0:
            raise Undetermined("a division by 0")
        return x / y

    def larger(self, x, y):
        """max(x, y)."""
        return max(x, y)

    def absolute(self, x):
        """|x|."""
        return abs(x)

    def sign(self, x):
        """sign(x)."""
        return np.sign(x)

    def power(self, base, exponent):
        """In one of the two ways."""
        x = self.given(base)
        if not self.products or exponent.denominator != 1:
            return self.type(x ** self.given(exponent))
        total = self.type(1)
        for _ in range(int(exponent)):
            total = total * x
        return total


def computed(form, case, dtype=None, **how):
    """θ_0, …, θ_T in floating point, (T + 1, n); None where a number is divided by 0."""
    try:
        return np.array(iterates(form, case, Floats(dtype or case.dtype, **how)))
    except Undetermined:
        return None


class Formed:
    """An optimizer that is a form in floating point: ``init`` and ``step``, by running it anew from the start.

    Args:
        form, numbers: the form, and its numbers by their names in `AdaptiveCase`.
        eta: a rate, or a function of t.
    """

    def __init__(self, form, eta, **numbers):
        self.form, self.eta, self.numbers = form, eta, numbers

    def init(self, params):
        """What was given so far."""
        return params, ()

    def step(self, params, grad, state, t):
        """One step more."""
        from lemmascope.proofs_check.conformance.adaptive.case import AdaptiveCase

        start, rows = state
        rows = (*rows, tuple(map(float, grad)))
        rates = tuple(float(self.eta(s)) if callable(self.eta) else float(self.eta) for s in range(len(rows)))
        dtype = params.dtype.name
        found = computed(self.form, AdaptiveCase(tuple(map(float, start)), rows, rates, dtype=dtype, **self.numbers))
        return found[-1].astype(dtype), (start, rows)
