"""What identities are tried in: number types, cases and their parts, and that what is declared is what is drawn."""

import math
from itertools import islice
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lemmascope.proofs_check.conformance import IDENTITIES, Case, draws
from lemmascope.proofs_check.conformance.case import FEATURES, STEPS, WIDE
from lemmascope.proofs_check.conformance.formats import DTYPES, FORMATS, dtypes_of, number_type
from lemmascope.proofs_check.conformance.identities import OF_CONVENTION, STRUCTURE, drawn_over
from lemmascope.theory.errors import InputError

ALL = frozenset(FEATURES)


def drawn(seed, dtype="float64", **options):
    return next(draws.cases(Random(seed), dtype, **options))


def entries(case):
    return [*case.theta, *(x for row in case.gradients for x in row)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_format_is_numpys(dtype):
    info, form = np.finfo(dtype), FORMATS[dtype]
    assert (form.roundoff, form.tiny, form.largest) == (info.eps / 2, info.tiny, info.max)


def test_bfloat16_is_float32_cut_short():
    form = FORMATS["bfloat16"]
    assert form.roundoff == 2.0**-8
    assert form.tiny == float(np.finfo("float32").tiny)
    assert form.largest == float(np.frombuffer(np.uint32(0x7F7F0000).tobytes(), np.float32)[0])


@given(st.floats(-4, 4) | st.floats(-(2.0**-12), 2.0**-12), st.sampled_from(["float16", "float32", "float64"]))
def test_numbers_are_rounded_as_numpy_rounds(x, dtype):
    assert FORMATS[dtype].rounded(x) == float(np.dtype(dtype).type(x))


@pytest.mark.parametrize("x", [1 + 2.0**-8, 1 + 3 * 2.0**-8, 3.14159, 1e-40, -0.1])
def test_bfloat16_rounds_to_even_in_the_upper_half_of_float32(x):
    bits = int(np.float32(x).view(np.uint32))
    even = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    assert FORMATS["bfloat16"].rounded(float(np.float32(x))) == float(np.uint32(even).view(np.float32))


@pytest.mark.parametrize(
    ("given_", "names"),
    [
        ("float64", ("float64",)),
        (np.float32, ("float32",)),
        (("float16", np.dtype("float64"), "float16"), ("float16", "float64")),
        (DTYPES, DTYPES),
    ],
)
def test_number_types_are_taken_by_name_and_by_type(given_, names):
    assert dtypes_of(given_) == names


@pytest.mark.parametrize("wrong", ["float128", (), int, None, ("float64", "double precision")])
def test_other_number_types_are_refused(wrong):
    with pytest.raises(InputError, match="float16, bfloat16, float32, float64"):
        dtypes_of(wrong)


def test_bfloat16_needs_a_package():
    try:
        import ml_dtypes
    except ImportError:
        with pytest.raises(InputError, match="it needs the package ml_dtypes"):
            number_type("bfloat16")
    else:
        assert number_type("bfloat16") == np.dtype(ml_dtypes.bfloat16)


# --- cases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMATS)
@given(seed=st.integers(0, 2**32))
def test_every_number_of_a_case_is_one_of_its_dtype(dtype, seed):
    case = drawn(seed, dtype, always={"schedule", "weight_decay"}, over=ALL, dampening="any")
    numbers = (*case.gammas, *case.eta, *entries(case), case.weight_decay, case.dampening)
    assert all(FORMATS[dtype].rounded(x) == x for x in numbers)
    assert all(abs(x) <= 2.0 ** max(3, FORMATS[dtype].drawn) for x in entries(case))
    assert all(0 < gamma < 1 for gamma in case.gammas)
    assert not case.large


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_cases_reach_the_ends_of_the_number_type(dtype):
    form, found = FORMATS[dtype], [drawn(seed, dtype, over=ALL) for seed in range(400)]
    assert any(0 < abs(x) < form.tiny for case in found for x in entries(case))
    assert any(case.gamma == 1 - 2.0**-form.close for case in found)
    assert any(len(set(case.eta)) > 3 for case in found)
    assert {(len(case.gradients), len(case.theta)) for case in found} >= {(1, 1), (STEPS, WIDE)}
    if dtype in DTYPES:
        assert any(abs(x) > math.sqrt(form.largest) for case in found for x in entries(case))


@pytest.mark.parametrize("name", IDENTITIES)
def test_what_an_identity_declares_is_what_it_is_drawn_over(name):
    """Zero gradients come up by themselves."""
    identity = IDENTITIES[name]
    seen = {feature for feature, there in drawn_over(identity).items() if there}
    assert seen - {"zero_gradient"} == (identity.always | identity.over) - {"zero_gradient"}
    few = draws.drawn("float32", 8, always=identity.always, over=identity.over, **identity.options)
    assert frozenset().union(*(case.features for case in few)) >= identity.over - {"momentum_schedule", "schedule"}


@pytest.mark.parametrize("feature", ["schedule", "zero_rate", "arrays", "matrices", "zero_gradient"])
def test_structure_and_recursions_are_tried_over(feature):
    """What makes sense for all of them; a constant learning rate is said of some."""
    names = [*STRUCTURE, *(name for names in OF_CONVENTION.values() for name in names)]
    without = {name for name in names if not drawn_over(IDENTITIES[name])[feature]}
    constant = ("unrolled", "constant_gradient", "first_step", "rescaled", "look_ahead", "no_momentum")
    assert all(name.startswith(constant) and feature in ("schedule", "zero_rate") for name in without)


@pytest.mark.parametrize("name", ["weight_decay[coupled]", "weight_decay[decoupled]"])
def test_weight_decay_is_tried_over_everything(name):
    assert all(drawn_over(IDENTITIES[name]).values())


@given(seed=st.integers(0, 2**32))
def test_parts_of_a_case(seed):
    case = drawn(seed, always={"arrays"}, over=ALL)
    n, T = len(case.theta), len(case.gradients)
    assert case.permuted(range(n)) == case
    assert case.first(T) == case
    one = case.only([n - 1])
    assert one.theta == case.theta[-1:]
    assert len(one.arrays[0]) == len(case.arrays[-1])
    assert {t for t, _ in one.missing} == {t for t, a in case.missing if a == len(case.arrays) - 1}
    assert case.plus(case.scaled(-1.0)).gradients == ((0.0,) * n,) * T
    blocks = case.split(np.array(case.theta))
    assert tuple(block.shape for block in blocks) == case.shapes
    assert np.concatenate([block.ravel() for block in blocks]).tolist() == list(case.theta)
    assert f"θ₀ = ({case.theta[0]:g}" in case.text()


@given(seed=st.integers(0, 2**32))
def test_a_case_without_a_feature_does_not_have_it(seed):
    case = drawn(seed, over=ALL)
    for feature in case.features - {"zero_gradient"}:
        plain = case.without(feature)
        assert feature not in plain.features
        assert plain.features <= case.features | {"schedule"}
        assert (plain.theta, plain.gradients) == (case.theta, case.gradients)


def test_an_array_alone_has_the_steps_in_which_it_has_a_gradient():
    case = Case((1.0, 2.0, 3.0), ((4.0, 5.0, 6.0), (7.0, 8.0, 9.0)), (0.5, 0.25), 0.5, arrays=((2, 1), (1,)))
    gone = Case(**{**vars(case), "missing": frozenset({(0, 1)}), "momenta": (0.5, 0.75)})
    assert gone.features == {"schedule", "arrays", "matrices", "missing_gradient", "momentum_schedule"}
    assert gone.alone(1) == Case((3.0,), ((9.0,),), (0.25,), 0.75, arrays=((1,),), momenta=(0.75,))
    assert gone.alone(0).gradients == ((4.0, 5.0), (7.0, 8.0))
    assert gone.text().endswith("in arrays (2, 1), (1), no gradient of array 1 in step 0")


def test_features_come_evenly():
    """In each four cases once each, so that few cases have all and a hundred have most pairs."""
    found = list(islice(draws.cases(Random(0), "float64", over=ALL - {"schedule", "zero_gradient"}, steps=(4, 4)), 100))
    for k in range(0, 100, 4):
        block = found[k : k + 4]
        for feature in ("weight_decay", "arrays", "matrices", "missing_gradient", "zero_rate"):
            assert sum(feature in case.features for case in block) == 1
    pairs = {frozenset({a, b}) for case in found for a in case.features for b in case.features if a != b}
    assert len(pairs) >= 20
