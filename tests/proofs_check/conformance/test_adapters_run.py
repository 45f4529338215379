"""``run``: numbers that are written down, or a sentence on what is wrong with them."""

import numpy as np
import pytest

from lemmascope.proofs_check.conformance.adapters import run
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD
from lemmascope.theory.optimizers import MomentumVelocity as Make

ONE, TWO = [[1.0]], [[1.0], [1.0]]


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, dtype=np.float32)])
def test_sequences_and_arrays_are_taken_alike(kind):
    found = run(Make, theta=kind([0.0]), gradients=kind(TWO), eta=kind([1.0, 2.0]), gamma=np.float64(0.5))
    assert found.tolist() == [[0], [-1], [-3.5]]


def test_what_the_maker_gets_are_numbers_of_python():
    def make(eta, gamma):
        assert (type(eta), type(gamma)) == (float, float)
        return Make(eta, gamma)

    found = run(make, theta=np.zeros(1, int), gradients=np.ones((1, 1), int), eta=np.int64(1), gamma=np.float32(0.5))
    assert found.tolist() == [[0], [-1]]


@pytest.mark.parametrize(
    ("dtype", "kind"), [("float32", "float32"), (np.float16, "float16"), (np.dtype("float64"), "float64")]
)
def test_the_number_type_is_that_of_the_parameters(dtype, kind):
    assert run(GD, theta=[1], gradients=[[1]], eta=0.5, dtype=dtype).dtype == kind


def test_momentum_that_changes_arrays_and_missing_options():
    found = run(Make, theta=[0, 0], gradients=[[1, 2], [1, 2]], eta=1, gamma=[0.5, 0.25], arrays=[(1, 1), [1]])
    assert found.tolist() == [[0, 0], [-1, -2], [-2.25, -4.5]]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"gradients": [1.0, 1.0]}, r"gradients\[0\] = 1.0 is not accepted: it must be a sequence"),
        ({"gradients": [[1.0], [1.0, 2.0]]}, r"gradients\[1\] = '2 numbers' .* it must have 1, as theta"),
        ({"gradients": "ones"}, "gradients = 'ones'"),
        ({"gradients": [["one"]]}, r"gradients\[0\]\[0\] = 'one' .* it must be a finite number"),
        ({"theta": 0.0}, "theta = 0.0 is not accepted"),
        ({"theta": [np.nan]}, r"theta\[0\] = nan"),
        ({"theta": np.ma.masked_array([0.0], mask=[True])}, "theta = 'a masked array' .* no entry may be masked"),
        ({"gradients": np.ma.masked_array(TWO, mask=[[False], [True]])}, "gradients = 'a masked array'"),
        ({"eta": [1.0]}, r"eta = '1 numbers' .* it must be one number, or 2: one for each gradient"),
        ({"eta": [1.0, 2.0, 3.0]}, "eta = '3 numbers'"),
        ({"eta": "fast"}, "eta = 'fast'"),
        ({"gamma": [0.5]}, "gamma = '1 numbers'"),
        ({"gamma": None}, "gamma = None"),
        ({"dtype": "float8"}, "dtype = 'float8'"),
        ({"dtype": ("float32", "float64")}, "it must be one number type"),
        ({"nesterov": True}, "option = 'nesterov' .* dampening, weight_decay, maximize; set others in make_optimizer"),
        ({"weight_decay": 0.1}, "the optimizer takes no weight_decay"),
        ({"library": "theano"}, "library = 'theano'"),
        ({"arrays": [(2,)]}, "arrays = .* they must hold 1 numbers together"),
        ({"missing": [(2, 0)]}, r"missing = .* each must be \(step, array\)"),
        ({"missing": [(0, 0)]}, "the optimizer takes a gradient for each array in each step"),
    ],
)
def test_wrong_numbers_are_refused_in_a_sentence(changed, says):
    good = {"theta": [0.0], "gradients": TWO, "eta": 1.0, "gamma": 0.5}
    run(Make, **good)
    with pytest.raises(InputError, match=says) as refusal:
        run(Make, **{**good, **changed})
    assert "\n" not in str(refusal.value)


def test_an_optimizer_of_matrices_gets_one():
    def make(eta, gamma):
        def update(params, grad, state, t):
            if params.ndim != 2:
                raise ValueError("matrices, please")
            return params - eta * grad, state

        return update

    assert run(make, theta=[0.0, 1.0], gradients=[[1.0, 1.0]], eta=1.0, gamma=0.5).tolist() == [[0, 1], [-1, 0]]
    with pytest.raises(ValueError, match="matrices, please"):
        run(make, theta=[0.0], gradients=ONE, eta=1.0, gamma=0.5, arrays=[(1, 1, 1)])


def test_what_the_optimizer_raises_is_seen_as_it_is():
    def make(eta, gamma):
        raise KeyError("rho")

    with pytest.raises(KeyError, match="rho"):
        run(make, theta=[0.0], gradients=ONE, eta=1.0, gamma=0.5)
