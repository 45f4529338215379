"""By which names makers take their settings, what is refused, and what is said of it."""

import functools
import pickle

import numpy as np
import pytest

from lemmascope.proofs_check.conformance.adapters import Misused, NotDriven, Subject, Unsupported, Untried, drivers
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumVelocity

ONE = Case(theta=(0.0,), gradients=((1.0,), (1.0,)), eta=(0.5, 0.5), gamma=0.25)
THETA = [0.0, -0.5, -1.125]
"""−η∇, then −η(1 + γ)∇."""


def maker(eta, gamma, value=lambda gamma: gamma):
    """A maker of heavy balls with these names of its parameters."""

    def made(rate, momentum):
        return MomentumVelocity(rate, value(momentum))

    where = {"made": made}
    exec(f"def make({eta}, {gamma}): return made({eta}, {gamma.partition('=')[0]})", where)
    return where["make"]


@pytest.mark.parametrize("eta", ["eta", "lr", "learning_rate", "learning_rate_init", "step_size", "alpha"])
@pytest.mark.parametrize("gamma", ["gamma", "momentum", "mass", "beta", "beta1", "beta_1", "b1"])
def test_settings_have_many_names(eta, gamma):
    subject = Subject(maker(eta, gamma))
    assert subject.trajectory(ONE)[:, 0].tolist() == THETA
    assert subject.missing_momentum is None


@pytest.mark.parametrize(
    ("betas", "others"), [("betas=(0.9, 0.99)", (0.99,)), ("betas=(0.9,)", ()), ("betas", (0.999,))]
)
def test_the_first_of_the_betas_is_the_momentum(betas, others):
    def first(found):
        assert found[1:] == others
        return found[0]

    assert Subject(maker("lr", betas, first)).trajectory(ONE)[:, 0].tolist() == THETA


def test_a_rate_goes_before_what_else_is_called_alpha():
    def make(lr, momentum, alpha=0.99):
        assert alpha == 0.99
        return MomentumVelocity(lr, momentum)

    assert Subject(make).trajectory(ONE)[:, 0].tolist() == THETA


def test_a_partial_is_a_maker():
    make = functools.partial(MomentumVelocity, gamma=0.9)
    assert Subject(make).trajectory(ONE)[:, 0].tolist() == THETA


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (GD, r"no momentum among \(eta\); it is called gamma or momentum or .* or betas"),
        (lambda params, lr, rho=0.9: None, r"no momentum among \(params, lr, rho\)"),
        (lambda lr, **others: None, r"no momentum among \(lr, others\)"),
    ],
)
def test_that_there_is_no_momentum_is_said_with_its_names(make, says):
    subject = Subject(make)
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(subject.missing_momentum)
    with pytest.raises(Unsupported, match="takes no gamma"):
        subject.trajectory(ONE)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda rate, gamma: None, "it asks for rate; it must take eta"),
        (lambda lr, rho, /: None, "it asks for rho"),
        (lambda lr, *, rho: None, "it asks for rho"),
        (lambda gamma=0.9: None, "it takes no learning rate"),
        (type, "signature cannot be read"),
    ],
)
def test_a_signature_that_is_none_of_a_maker_is_refused(make, says):
    with pytest.raises(InputError, match=says):
        Subject(make).settings  # noqa: B018


@pytest.mark.parametrize("made", [3, None, "sgd", object()])
def test_what_is_no_optimizer_is_refused(made):
    with pytest.raises(Misused, match=r"it must return an optimizer of jax, keras, optax, .* or a function update"):
        Subject(lambda eta, gamma: made).trajectory(ONE)


def test_an_unknown_library_is_refused():
    assert {"numpy", "torch", "optax", "scikit-learn", "keras", "jax"} <= set(drivers())
    with pytest.raises(Misused, match="library = 'theano' is not accepted: it must be one of"):
        Subject(MomentumVelocity, library="theano").trajectory(ONE)


# --- a refusal is laid to what is refused, and to nothing else -------------------------------------------------------


def refusing(what, error=ValueError):
    def make(eta, gamma, weight_decay=0.0, dampening=0.0):
        if what({"eta": eta, "gamma": gamma, "weight_decay": weight_decay, "dampening": dampening}):
            raise error("not so")
        return MomentumVelocity(eta, gamma)

    return Subject(make)


@pytest.mark.parametrize("error", [ValueError, TypeError, AssertionError, lambda words: InputError("gamma", 0, words)])
def test_no_momentum_is_refused(error):
    subject = refusing(lambda given: given["gamma"] == 0, error)
    with pytest.raises(Unsupported, match=r"^refuses γ = 0: .*not so"):
        subject.trajectory(Case((0.0,), ((1.0,),), (0.5,), 0.0))
    assert subject.trajectory(ONE)[:, 0].tolist() == THETA


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_an_error_at_no_momentum_that_is_not_about_it(gamma):
    subject = refusing(lambda given: True)
    with pytest.raises(NotDriven, match=r"^it could not be driven: it raises ValueError: not so$"):
        subject.trajectory(Case((0.0,), ((1.0,),), (0.5,), gamma))


def test_no_rate_is_refused():
    """Ours do so."""
    with pytest.raises(Unsupported, match=r"^refuses η = 0: eta = 0.0"):
        Subject(MomentumVelocity).trajectory(Case((0.0,), ((1.0,),), (0.0,), 0.5))
    rows = Subject(MomentumVelocity).trajectory(Case((0.0,), ((1.0,),) * 2, (0.0, 1.0), 0.5))
    assert rows[:, 0].tolist() == [0, 0, -1]


@pytest.mark.parametrize("option", ["weight_decay", "dampening"])
def test_an_option_is_refused(option):
    subject = refusing(lambda given: given[option] == 0.5)
    case = Case((0.0,), ((1.0,),), (0.5,), 0.5, **{option: 0.5})
    with pytest.raises(Unsupported, match=f"^refuses {option} = 0.5: not so"):
        subject.trajectory(case)


def test_a_number_type_is_refused():
    def make(eta, gamma):
        def update(params, grad, state, t):
            if params.dtype == np.float16:
                raise TypeError("not for Half")
            return params - eta * grad, state

        return update

    with pytest.raises(Unsupported, match=r"^refuses float16: not for Half"):
        Subject(make).trajectory(Case((0.0,), ((1.0,),), (0.5,), 0.5, "float16"))


def shaped(takes):
    def make(eta, gamma):
        def update(params, grad, state, t):
            if not takes(params):
                raise ValueError(f"no {params.ndim}-d parameters")
            u = grad + (0 if state is None else gamma * state)
            return params - eta * u, u

        return update

    return Subject(make)


def test_an_optimizer_of_matrices_gets_matrices():
    subject = shaped(lambda params: params.ndim == 2)
    assert not subject.matrices_only
    assert subject.trajectory(ONE)[:, 0].tolist() == THETA
    assert subject.matrices_only
    several = Case((0.0,) * 4, ((1.0,) * 4,) * 2, (0.5, 0.5), 0.25, arrays=((2, 1), (), (1,)))
    assert subject.trajectory(several)[:, 3].tolist() == THETA
    with pytest.raises(Unsupported, match=r"^refuses parameters of shape \(1, 1, 1\): no 3-d parameters"):
        subject.trajectory(Case((0.0,), ((1.0,),), (0.5,), 0.25, arrays=((1, 1, 1),)))


def test_an_optimizer_of_vectors_refuses_matrices():
    subject = shaped(lambda params: params.ndim == 1)
    with pytest.raises(Unsupported, match=r"^refuses parameters of shape \(1, 1\): no 2-d"):
        subject.trajectory(Case((0.0,), ((1.0,),), (0.5,), 0.25, arrays=((1, 1),)))
    assert subject.trajectory(ONE)[:, 0].tolist() == THETA
    assert not subject.matrices_only


def test_an_error_that_comes_sometimes_is_none_about_matrices():
    """One that went through a case of vectors takes vectors."""
    count = 0

    def takes(params):
        nonlocal count
        count += 1
        return count <= 2 or params.ndim == 2

    subject = shaped(takes)
    subject.trajectory(ONE)
    with pytest.raises(Untried, match="no 1-d parameters"):
        subject.trajectory(ONE)
    assert not subject.matrices_only


def test_where_the_rate_changes_it_is_a_function_and_nothing_else_is_affected():
    def make(eta, gamma):
        def update(params, grad, state, t):
            u = 1.0 * grad if state is None else gamma * state + grad
            return params - eta * u, u

        return update

    with pytest.raises(Untried) as untried:
        Subject(make).trajectory(Case((0.0,), ((1.0,),) * 2, (1.0, 0.5), 0.5))
    assert str(untried.value).startswith("it raises TypeError: ")
    assert str(untried.value).endswith(
        "; where η changes it is given as a function of t, eta(t), and only such schedules are affected"
    )
    assert not isinstance(untried.value, NotDriven)


def test_an_optimizer_that_no_step_can_be_made_with_is_not_driven():
    def make(eta, gamma):
        return lambda params, grad, state, t, loss: (params, state)

    with pytest.raises(NotDriven, match=r"^it could not be driven: it raises TypeError: .*missing 1 required.*'loss'"):
        Subject(make).trajectory(ONE)


@pytest.mark.parametrize("leaves", [SystemExit(2), RuntimeError("")])
def test_whatever_is_raised_is_said(leaves):
    def make(eta, gamma):
        def update(params, grad, state, t):
            if t:
                raise leaves
            return params, state

        return update

    with pytest.raises(Untried, match=f"^it raises {type(leaves).__name__}"):
        Subject(make).trajectory(ONE)


def test_a_masked_array_is_no_array_of_numbers():
    def make(eta, gamma):
        return lambda params, grad, state, t: (np.ma.masked_array(params, mask=params > 7), state)

    with pytest.raises(Untried, match=r"^θ_1 is a masked array$"):
        Subject(make).trajectory(ONE)


def test_what_was_found_out_stays_here():
    """A subject that was tried goes to another process as it was."""
    subject = Subject(MomentumVelocity, "mine", "numpy", "velocity")
    subject.trajectory(ONE)
    again = pickle.loads(pickle.dumps(subject))
    assert again == subject
    assert again.found == {}
    assert again.trajectory(ONE)[:, 0].tolist() == THETA
