"""Exact references of the Adam family: by hand, by unrolled sums, and balls that hold what floating point computes."""

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from adaptive_floats import computed
from flint import arb, fmpq
from hypothesis import assume, given
from hypothesis import strategies as st
from tolerances import assert_close

from lemmascope.proofs_check.conformance.adaptive.arithmetic import BITS, Undetermined
from lemmascope.proofs_check.conformance.adaptive.candidates import decays, rates
from lemmascope.proofs_check.conformance.adaptive.case import AdaptiveCase, cases, drawn
from lemmascope.proofs_check.conformance.adaptive.form import ADAM, AXES, NAMED, Form, forms
from lemmascope.proofs_check.conformance.adaptive.reference import enclosure, exact
from lemmascope.proofs_check.conformance.formats import Format
from lemmascope.proofs_check.methods.signs import precision

EVERY = [*forms(outer=True), *forms(momentum_decay=True, start=True)]
DECAYED = [
    replace(form, decay=decay)
    for form in (*NAMED.values(), replace(NAMED["RMSprop"], outer="outside"), replace(NAMED["RMSprop"], outer="inside"))
    for decay in decays(form)
]
LONG_DOUBLE = Format(64, -16382, 16383, 960)


def ball(x):
    numerator, denominator = x.as_integer_ratio()
    with precision(BITS):
        return arb(fmpq(int(numerator), int(denominator)))


def one(gradients, theta=0.0, **numbers):
    """A case of one parameter."""
    numbers = {"eta": (1.0,) * len(gradients), **numbers}
    return AdaptiveCase((theta,), tuple((float(g),) for g in gradients), **numbers)


def last(form, case):
    """θ_T of one parameter, to 15 digits."""
    return float(exact(form, case)[-1][0])


# --- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, 2 / (2 + 0.25)),  # m̂ = g, v̂ = g²: whatever the betas are
        ({"epsilon": "inside"}, 2 / (4 + 0.25) ** 0.5),
        ({"epsilon": "before_correction"}, 2 / ((1 + 0.25) / 0.5)),
        ({"epsilon": "inside_before_correction"}, 2 / ((1 + 0.25) / 0.25) ** 0.5),
        ({"epsilon": "accumulated"}, 2 / ((1 + 0.25) / 0.25) ** 0.5),
        ({"epsilon": "accumulated_outside"}, 2 / (((1 + 0.25) / 0.25) ** 0.5 + 0.25)),
        ({"epsilon": "none"}, 1),
        ({"correction": "none"}, 1 / (2 + 0.25)),
        ({"correction_squares": "no"}, 2 / (1 + 0.25)),
        ({"squares": "momentum"}, 2 / (1 + 0.25)),
        ({"squares": "residual"}, 2 / (1 + 0.25)),
        ({"memory": "largest", "correction_squares": "no", "epsilon": "inside"}, 2 / 2.25),
        ({"numerator": "gradient", "correction": "none"}, 2 / 2.25),
        ({"numerator": "nesterov", "correction": "ahead"}, (0.5 * 1 / 0.75 + 0.5 * 2 / 0.5) / 2.25),
        ({"rectified": "above_5"}, 2),
        ({"memory": "centred", "correction_squares": "no"}, 2 / ((1 - 0.25) ** 0.5 + 0.25)),
        ({"memory": "sum", "correction_squares": "no", "start": "one"}, 2 / (5**0.5 + 0.25)),
        ({"outer": "schedule_free"}, 2 / 2.25),
    ],
)
def test_the_first_step_by_hand(changes, step):
    """∇ = 2, β₁ = 1/2, β₂ = 3/4, ε = 1/4: m = 1, v = 1."""
    assert_close(last(replace(ADAM, **changes), one([2])), -step)


def test_lion_by_hand_is_a_fraction():
    """β₁ = 1/2, β₂ = 3/4: m = 0, 1, 3/4 − 1/4·2; the step at t = 3 is the sign of 1/2·1/4 + 1/2·0 > 0."""
    case = one([4, -2, 0], theta=1.0, weight_decay=0.5, eta=(0.5, 0.25, 1.0))
    form = replace(NAMED["Lion"], decay="decoupled")
    expected = [F(1), F(3, 4) - F(1, 2), F(1, 4) * F(7, 8) + F(1, 4), None]
    expected[3] = expected[2] / 2 - 1
    assert [row[0] for row in exact(form, case)] == expected
    assert all(isinstance(row[0], F) for row in exact(form, case))


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8), st.sampled_from([0.0, 0.25, 0.5, 0.875]))
def test_schedule_free_sgd_is_an_average_of_gradient_descent(gradients, beta1):
    """At a constant rate x is the mean of z₁, …, z_t, and θ = (1 − β₁)z + β₁x; all of them fractions."""
    found = exact(NAMED["schedule-free SGD"], one(gradients, theta=3.0, beta1=beta1, eta=(0.5,) * len(gradients)))
    z = [F(3) - F(1, 2) * sum(gradients[: t + 1]) for t in range(len(gradients))]
    for t in range(len(gradients)):
        assert found[t + 1][0] == (1 - F(beta1)) * z[t] + F(beta1) * sum(z[: t + 1]) / (t + 1)


@given(drawn("float64", schedule=True))
def test_adam_is_its_unrolled_sum(case):
    """m and v as sums, in balls; a second way to write it."""
    b1, b2, start = F(case.beta1), F(case.beta2), [F(x) for x in case.theta]
    found = exact(ADAM, case)
    with precision(BITS):
        moved = [arb(0)] * len(start)
        for t, eta in enumerate(case.eta, start=1):
            for j in range(len(start)):
                g = [F(row[j]) for row in case.gradients[:t]]
                m = (1 - b1) * sum(b1 ** (t - 1 - s) * x for s, x in enumerate(g)) / (1 - b1**t)
                v = (1 - b2) * sum(b2 ** (t - 1 - s) * x * x for s, x in enumerate(g)) / (1 - b2**t)
                moved[j] += ball(F(eta)) * ball(m) / (ball(v).sqrt() + ball(F(case.epsilon)))
                assert (ball(start[j]) - moved[j]).overlaps(found[t][j])
                assert found[t][j].rad() < arb("1e-30")


def test_with_one_number_adamomentum_is_adam():
    """β₁ = 0 and no ε: m is g."""
    case = replace(cases("float64")[-1], beta1=0.0)
    ours = exact(replace(NAMED["AdaMomentum"], epsilon="none"), case)
    adam = exact(replace(ADAM, epsilon="none"), case)
    assert all(x.overlaps(y) for a, b in zip(ours, adam, strict=True) for x, y in zip(a, b, strict=True))


def test_nothing_is_said_where_a_number_is_divided_by_zero():
    case = one([0, 1])
    assert enclosure(replace(ADAM, epsilon="none"), case) is None
    with pytest.raises(Undetermined, match="division"):
        exact(replace(ADAM, epsilon="none"), case)
    assert enclosure(ADAM, case) is not None


# --- balls hold what is computed ----------------------------------------------------------------------------------


def check(form, case, dtype=None, format=None, **how):
    """Its floating-point iterates and its exact ones lie in its balls; whether there were any."""
    rows = enclosure(form, case, format)
    found = computed(form, case, dtype, **how)
    if rows is None or found is None:
        return False
    without = exact(form, case)
    for t, row in enumerate(rows):
        for j, room in enumerate(row):
            assert room.contains(ball(found[t, j])), (form.name, case.text(), t, j, room, found[t, j])
            inner = without[t][j]
            assert room.contains(ball(inner)) if form.rational else room.overlaps(inner)
    return True


WRITTEN = st.fixed_dictionaries({"differences": st.booleans(), "products": st.booleans()})
DTYPES = st.sampled_from(["float32", "float64"])


@given(st.sampled_from(EVERY), st.data(), WRITTEN, st.booleans())
def test_every_form_in_floating_point_lies_in_its_balls(form, data, how, schedule):
    case = data.draw(DTYPES.flatmap(lambda dtype: drawn(dtype, schedule=schedule)))
    assume(check(form, case, **how))


@given(st.sampled_from(DECAYED), st.data(), WRITTEN)
def test_decay_in_floating_point_lies_in_its_balls(form, data, how):
    case = data.draw(DTYPES.flatmap(lambda dtype: drawn(dtype, schedule=True, decay=True)))
    assume(check(form, case, **how))


@given(st.sampled_from(EVERY), st.data(), WRITTEN)
def test_long_double_lies_in_smaller_balls(form, data, how):
    case = data.draw(drawn("float64"))
    assume(check(form, case, "longdouble", LONG_DOUBLE, **how))
    wide, narrow = enclosure(form, case), enclosure(form, case, LONG_DOUBLE)
    assert all(a.rad() <= b.rad() for x, y in zip(narrow, wide, strict=True) for a, b in zip(x, y, strict=True))


@given(st.sampled_from(EVERY), st.sampled_from([(("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8))]), st.data())
def test_numbers_that_are_not_of_the_type_are_rounded_to_it(form, fixed, data):
    """0.9, 0.999 and 10⁻⁸ in float32: 1 − β₂ is off by 3·10⁻⁵ of itself."""
    assume(check(form, data.draw(drawn("float32", fixed))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_balls_are_not_wide(dtype):
    """So that they can refuse: of Adam's, over all cases of up to five steps, within 100 roundings of what moves."""
    roundoff = np.finfo(dtype).eps / 2
    for case in cases(dtype):
        if len(case.gradients) <= 5:
            rows = enclosure(ADAM, case)
            assert all(room.rad() < 2000 * roundoff * (1 + abs(room).upper()) for row in rows for room in row)


def test_a_case_is_a_form_only_where_the_numbers_count():
    """ε inside of the root against outside, at gradients of 1 with the ε in use, is not seen; at small ones it is."""
    plain, small = one([1.0], epsilon=1e-8), one([1e-8], epsilon=1e-8)
    inside = replace(ADAM, epsilon="inside")
    assert abs(last(ADAM, plain) - last(inside, plain)) < 1e-8
    assert abs(last(ADAM, small) - last(inside, small)) > 0.4


def test_forms_are_told_apart_by_the_cases():
    """Every two of all forms have disjoint balls in some case: elimination leaves no more than one."""
    groups = [list(forms(outer=True))]
    every = [*cases("float64"), *cases("float64", schedule=True)]
    for case in sorted(every, key=lambda one: abs(len(one.gradients) * len(one.theta) - 3)):  # those that split most
        split = []
        for group in groups:
            by = {}
            for form in group:
                rows = enclosure(form, case)
                key = None if rows is None else tuple(f"{float(x.mid()):.7e}" for row in rows for x in row)
                by.setdefault(key, []).append(form)
            split += [some for some in by.values() if len(some) > 1]
        groups = split
    assert [[form.name for form in group] for group in groups] == []


def test_every_value_of_every_axis_is_in_some_form():
    ways = [(form, decay, rate) for form in EVERY for decay in ("none", *decays(form)) for rate in rates(form)]
    every = [replace(form, decay=decay, rate=rate) for form, decay, rate in ways]
    for axis, values in AXES.items():
        assert {getattr(form, axis) for form in every} == set(values)


def test_a_formula_says_every_choice():
    """Two forms never have the same formula."""
    said = {}
    for form in {*EVERY, *DECAYED}:
        said.setdefault(form.formula(), []).append(form)
    same = [sorted(form.name for form in some) for some in said.values() if len(some) > 1]
    assert same == []
    assert Form().formula() == ("m ← β₁m + (1−β₁)∇, v ← β₂v + (1−β₂)∇², θ ← θ − η·[m/(1−β₁ᵗ)]/(√(v/(1−β₂ᵗ)) + ε)")
