"""Adam and its kin on any array library: each lies in the balls of its convention, and refuses what it must."""

import array_api_strict
import numpy as np
import pytest
from checks import iterates
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from lemmascope.proofs_check.conformance.adaptive.case import drawn
from lemmascope.proofs_check.conformance.adaptive.form import AXES, NAMED, Form
from lemmascope.proofs_check.conformance.adaptive.reference import enclosure
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    SGDP,
    AdaBelief,
    Adagrad,
    Adam,
    Adamax,
    AdaMomentum,
    AdamP,
    AdamW,
    AMSAdaMomentum,
    AMSGrad,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SignSGD,
    describe,
    is_linear,
)


def form(name, **changes):
    """A named form with other choices on some axes."""
    return Form(**{axis: getattr(NAMED[name], axis) for axis in AXES} | changes)


def betas(case):
    return {"beta1": case.beta1, "beta2": case.beta2, "epsilon": case.epsilon, "weight_decay": case.weight_decay}


def rms(case):
    return {"beta2": case.beta2, "epsilon": case.epsilon, "weight_decay": case.weight_decay}


CONVENTIONS = {
    Adam: (form("Adam", decay="coupled"), betas),
    AdamW: (form("Adam", decay="decoupled"), betas),
    AMSGrad: (form("AMSGrad", decay="coupled"), betas),
    NAdam: (
        form("NAdam", numerator="scheduled", decay="coupled"),
        lambda case: betas(case) | {"momentum_decay": case.momentum_decay},
    ),
    AdaBelief: (form("AdaBelief", decay="coupled"), betas),
    AdaMomentum: (form("AdaMomentum", decay="coupled"), betas),
    AMSAdaMomentum: (form("AdaMomentum", maximum="squares", decay="coupled"), betas),
    Adamax: (form("Adamax", decay="coupled"), betas),
    Adagrad: (
        form("Adagrad", decay="coupled"),
        lambda case: {"epsilon": case.epsilon, "weight_decay": case.weight_decay},
    ),
    RMSprop: (form("RMSprop", decay="coupled", outer="outside"), lambda case: rms(case) | {"gamma": case.gamma}),
    Lion: (
        form("Lion", decay="decoupled"),
        lambda case: {"beta1": case.beta1, "beta2": case.beta2, "weight_decay": case.weight_decay},
    ),
    SignSGD: (form("signSGD"), lambda case: {}),
    ScheduleFreeSGD: (
        form("schedule-free SGD", decay="decoupled"),
        lambda case: {"beta1": case.beta1, "weight_decay": case.weight_decay},
    ),
    ScheduleFreeAdamW: (form("schedule-free AdamW", decay="decoupled"), betas),
}
EACH = pytest.mark.parametrize("kind", CONVENTIONS, ids=lambda kind: kind.__name__)
PROJECTED = (SGDP, AdamP)


def made(kind, case, **more):
    """An optimizer with the numbers of a case, its rate a function of t."""
    return kind(lambda t: case.eta[min(t, len(case.eta) - 1)], **CONVENTIONS[kind][1](case), **more)


def path(optimizer, case, xp=np):
    """Its iterates as arrays of NumPy."""
    theta, gradients = (xp.asarray(np.array(x, dtype=case.dtype)) for x in (case.theta, case.gradients))
    return np.stack([np.asarray(position) for position in iterates(optimizer, theta, gradients)])


def inside(convention, case, found):
    """Whether the iterates lie in the balls of a convention; None where nothing can be said."""
    rows = enclosure(convention, case)
    if rows is None:
        return None
    return all(
        ball.contains(arb(float(x)))
        for row, seen in zip(rows, found, strict=True)
        for ball, x in zip(row, seen, strict=True)
    )


@EACH
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]), decay=st.booleans())
def test_each_is_its_convention(kind, data, dtype, decay):
    case = data.draw(drawn(dtype, schedule=True, decay=decay), label="case")
    assert inside(CONVENTIONS[kind][0], case, path(made(kind, case), case)) is not False


@given(drawn("float64", decay=True))
def test_centred_rmsprop_is_its_convention(case):
    convention = form("centred RMSprop", decay="coupled", outer="outside")
    with np.errstate(invalid="ignore"):
        found = path(made(RMSprop, case, centred=True), case)
    assert inside(convention, case, found) is not False


@EACH
@given(case=drawn("float64", schedule=True, decay=True))
def test_the_strict_array_library_gives_numpys_results(kind, case):
    optimizer = made(kind, case)
    assert np.array_equal(path(optimizer, case), path(optimizer, case, array_api_strict))


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_number_types_stay(kind, dtype):
    theta = np.ones((2, 3), dtype)
    for position in iterates(kind(0.1), theta, np.ones((3, 2, 3), dtype)):
        assert (position.shape, position.dtype) == (theta.shape, dtype)


@EACH
def test_a_step_changes_nothing_that_it_was_given(kind):
    optimizer, theta, grad = kind(0.1), np.ones(3), np.full(3, 2.0)
    state = optimizer.init(theta)
    _, after = optimizer.step(theta, grad, state, 0)
    kept = [np.array(part) for part in after]
    optimizer.step(theta, grad, after, 1)
    assert np.array_equal(theta, np.ones(3))
    assert np.array_equal(grad, np.full(3, 2.0))
    assert all(np.array_equal(part, was) for part, was in zip(after, kept, strict=True))


@pytest.mark.parametrize("kind", [*CONVENTIONS, *PROJECTED], ids=lambda kind: kind.__name__)
def test_each_is_an_optimizer_that_is_not_linear(kind):
    assert isinstance(kind(0.1), Optimizer)
    assert not is_linear(kind(0.1))
    assert describe(kind(0.1))["average_form"] is None


@pytest.mark.parametrize("kinds", [(AdaMomentum, Adam), (AMSAdaMomentum, AMSGrad)])
def test_adamomentum_without_momentum_is_adam(kinds):
    """β₁ = 0 and ε = 0, bit for bit."""
    gradients = np.random.default_rng(0).standard_normal((20, 3))
    paths = [iterates(kind(0.1, 0.0, 0.9, 0.0), np.ones(3), gradients) for kind in kinds]
    assert all(np.array_equal(x, y) for x, y in zip(*paths, strict=True))


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (Adam, {"eta": 0}, "eta = 0 is not accepted: it must be a finite number > 0."),
        (Adam, {"beta1": 1.0}, r"beta1 = 1.0 is not accepted: it must be a finite number in [0, 1)."),
        (AdamW, {"beta2": -0.1}, r"beta2 = -0.1 is not accepted: it must be a finite number in [0, 1)."),
        (NAdam, {"momentum_decay": -1}, "momentum_decay = -1 is not accepted: it must be a finite number ≥ 0."),
        (RMSprop, {"gamma": 1}, r"gamma = 1 is not accepted: it must be a finite number in [0, 1)."),
        (Lion, {"weight_decay": "0.1"}, "weight_decay = '0.1' is not accepted: it must be a finite number ≥ 0."),
        (AdaMomentum, {"epsilon": -1e-8}, "epsilon = -1e-08 is not accepted: it must be a finite number ≥ 0."),
        (SGDP, {"gamma": 2}, r"gamma = 2 is not accepted: it must be a finite number in [0, 1)."),
    ],
)
def test_a_bad_number_is_refused_by_name(kind, changes, said):
    with pytest.raises(InputError) as caught:
        kind(**{"eta": 0.1} | changes)
    assert str(caught.value) == said


# --- steps without their radial part -------------------------------------------------------------------------------

WEIGHTS = np.array([[3.0, 4.0], [0.0, 2.0]])
TANGENT = np.array([[4.0, -3.0], [1.0, 0.0]])


def test_a_tangent_gradient_takes_the_radial_part_of_the_buffer_away():
    """By hand: v = 1/2·v + g, of whose rows w's direction is taken away; decay is a tenth, over 1 − γ."""
    optimizer = SGDP(0.5, gamma=0.5, weight_decay=0.125)
    buffer = np.array([[2.0, 0.0], [0.0, 4.0]])
    moved, kept = optimizer.step(WEIGHTS, TANGENT, buffer, 0)
    assert np.array_equal(kept, buffer / 2 + TANGENT)
    step = (WEIGHTS * (1 - 0.5 * 0.125 * 0.1 / 0.5) - moved) / 0.5
    # Row 1: v = (5, −3), w̄ = (3, 4)/5, ⟨w̄, v⟩ = 3/5, so (5 − 9/25, −3 − 12/25); row 2: (1, 2) loses (0, 2).
    assert np.abs(step - [[4.64, -3.48], [1.0, 0.0]]).max() < 1e-7


def test_a_radial_gradient_is_left_as_it_is():
    """Then it is momentum with decay; and so is a vector."""
    optimizer = SGDP(0.5, gamma=0.5, weight_decay=0.125)
    for weights in (WEIGHTS, WEIGHTS[0]):
        moved, _ = optimizer.step(weights, weights, np.zeros_like(weights), 0)
        assert np.array_equal(moved, (1 - 0.5 * 0.125 / 0.5) * weights - 0.5 * weights)


def test_where_rows_fail_the_whole_array_is_tried_as_one():
    """Row by row (1, 0) and (0, 1) are not orthogonal to the gradient's rows, together they are."""
    weights, grad = np.eye(2), np.diag([1.0, -1.0])
    buffer = weights.copy()
    moved, _ = SGDP(1.0, gamma=0.5).step(weights, grad, buffer, 0)
    assert np.abs((weights - moved) - grad).max() < 1e-7  # the buffer is 1/2·w + g, and w is taken away


def test_projected_adam_is_adam_where_nothing_is_taken_away():
    gradients = np.stack([WEIGHTS, 2 * WEIGHTS, WEIGHTS])
    ours = iterates(AdamP(0.01), WEIGHTS, gradients)
    adam = iterates(Adam(0.01), WEIGHTS, gradients)
    assert all(np.array_equal(x, y) for x, y in zip(ours, adam, strict=True))


@pytest.mark.parametrize("kind", PROJECTED)
def test_projected_steps_are_those_of_the_strict_array_library(kind):
    gradients = np.stack([TANGENT, TANGENT, WEIGHTS])
    optimizer = kind(0.1, weight_decay=0.5)
    numpy = iterates(optimizer, WEIGHTS, gradients)
    strict = iterates(optimizer, array_api_strict.asarray(WEIGHTS), array_api_strict.asarray(gradients))
    assert all(np.array_equal(x, np.asarray(y)) for x, y in zip(numpy, strict, strict=True))
    lengths = [np.linalg.norm(x, axis=1) for x in numpy]
    assert not np.array_equal(lengths[1], lengths[0])
