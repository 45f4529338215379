"""Each proof step proves its statement, and refutes it, with a witness that can be recomputed, once it is changed."""

import math

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from proofs_check.steps import closed_system, gradient
from theory.cubic_cnn import weights
from theory.verdict import Kind, Status

STEPS = {"proof.gradient": gradient, "proof.closed_system": closed_system}


@pytest.mark.parametrize("claim", STEPS)
def test_the_statement_is_proved(claim):
    found = STEPS[claim].prove()
    assert (found.claim, found.optimizer, found.status, found.kind) == (claim, "", Status.PROVED, Kind.IDENTITY)
    assert found.as_expected
    assert found.witness is None
    assert f"over {len(STEPS[claim].SIZES)} sizes" in found.reason
    assert found.evidence == {"sizes (m, N, P, d)": [list(size) for size in STEPS[claim].SIZES]}
    assert found.statement.count("$") % 2 == 0
    assert "$" not in found.plain


@pytest.mark.parametrize(
    ("step", "change"),
    [(gradient, {"factor": 2}), (gradient, {"factor": -3}), (gradient, {"penalty": 2}), (gradient, {"penalty": 0}),
     (closed_system, {"factor": 1}), (closed_system, {"penalty": 0}), (closed_system, {"penalty": -1}),
     (closed_system, {"tilt": 1}), (closed_system, {"tilt": sp.Symbol("t", real=True)}),
     (closed_system, {"tilt": sp.Rational(1, 10**6)})],
)  # fmt: skip
def test_a_changed_statement_is_refuted(step, change):
    found = step.prove(**change)
    assert found.status is Status.REFUTED
    assert not found.as_expected
    assert "differs at m, N, P, d = 1, 1" in found.reason
    assert found.witness is not None
    assert abs(found.witness["left"] - found.witness["right"]) > 1e-9
    assert all(math.isfinite(value) for value in found.witness["at"].values())


@pytest.mark.parametrize("change", [{"factor": 2}, {"penalty": 0}])
def test_the_witness_is_a_point_where_the_loss_has_that_slope(change):
    """Its left side is the gradient that the toolkit computes there."""
    found = gradient.prove(**change).witness
    at = found["at"]
    W, X = np.array([[at["w00"]]]), np.array([[[at["x000"]]]])
    slope = weights.gradient(W, X, np.array([at["y0"]]), at["lambda"])
    assert_close(found["left"], slope[0, 0], note="witness")


def test_sizes_reach_two_of_everything():
    """Terms of two samples, two patches and two neurons meet; the noise of the law needs d ≥ 2."""
    assert len(set(gradient.SIZES)) == 16
    assert max(gradient.SIZES) == (2, 2, 2, 2)
    assert max(closed_system.SIZES) == (2, 2, 3, 3)
    assert min(closed_system.SIZES) == (1, 1, 2, 2)


def test_a_change_that_shows_only_with_more_than_one_term():
    """Cross terms between patches need two of them: the larger sizes do look at them."""
    system = closed_system._System.of_size(1, 2, 3, 2, 0)
    names = [name for name, _, _ in system.equations(3, 1)]
    assert names[:3] == ["margin of sample 0", "margin of sample 1", "signal gradient of neuron 0"]
    assert len(names) == 2 + 1 + 4
    _, left, right = system.equations(3, 1)[-1]
    assert system.cancels(left - right)
    other = system.ell[0]
    assert other in right.free_symbols  # the last patch is one of sample 1
    assert not system.cancels(left - right.subs(other, 0))


def test_the_logistic_head():
    assert gradient.head_derivative_gap() == 0


def test_labels_square_to_one_and_nothing_else_does():
    system = closed_system._System.of_size(1, 2, 2, 2, 0)
    y, z = system.y
    assert system.cancels(y**4 - 1)
    assert system.cancels(y**3 * z**2 - y)
    assert not system.cancels(y - 1)
    assert not system.cancels(y * z - 1)
    assert not system.cancels(system.strength[0] ** 2 - 1)


def test_without_a_witness_nothing_is_refuted():
    x = sp.Symbol("x", real=True)
    sides = sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.Integer(1), {}
    found = gradient.verdict("test.x", "$x$", "x", "cannot be told", sides)
    assert found.status is Status.INCONCLUSIVE
    assert found.witness is None
