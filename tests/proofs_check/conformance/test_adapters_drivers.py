"""Each library's driver on what it is to bring to the optimizer: schedules, momentum that changes, arrays, restarts.

PyTorch, JAX and Keras are stand-ins here (conftest.py); scikit-learn and our own protocol are themselves.
"""

import sys
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from lemmascope.proofs_check.conformance.adapters import NotDriven, Subject, Touched, Unsaved, Unsupported, Untried
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.theory.optimizers import MomentumVelocity

PLAIN = Case(
    theta=(0.0, 1.0, 2.0, 3.0),
    gradients=((1.0, 2.0, -1.0, 0.5), (1.0, 0.0, 0.0, 2.0), (3.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.25, 1.0)),
    eta=(0.5,) * 4,
    gamma=0.5,
)
CASES = {
    "plain": PLAIN,
    "no momentum": replace(PLAIN, gamma=0.0),
    "schedule": replace(PLAIN, eta=(0.5, 2.0, 0.25, 1.0)),
    "schedule from 0": replace(PLAIN, eta=(0.0, 1.0, 0.0, 2.0)),
    "momentum schedule": replace(PLAIN, momenta=(0.5, 0.25, 0.75, 0.5)),
    "both": replace(PLAIN, eta=(0.0, 1.0, 0.0, 2.0), momenta=(0.5, 0.25, 0.75, 0.5)),
    "arrays": replace(PLAIN, arrays=((2, 1), (), (1,))),
    "a deep array": replace(PLAIN, arrays=((1, 2, 2),)),
    "float32": replace(PLAIN, dtype="float32"),
    "float16": replace(PLAIN, dtype="float16"),
}
"""All of them are computed without rounding, in every number type."""
MISSING = replace(PLAIN, arrays=((2,), (1, 2)), missing=frozenset({(0, 1), (2, 0), (3, 1)}))


def iterates(case, *, inside):
    """θ and u of momentum with the learning rate inside of the velocity or outside, array by array."""
    rows = np.zeros((len(case.eta) + 1, len(case.theta)))
    rows[0] = case.theta
    u = np.zeros(len(case.theta))
    for t, gradient in enumerate(np.array(case.gradients)):
        rows[t + 1] = rows[t]
        for k, span in enumerate(case.spans):
            if (t, k) not in case.missing:
                u[span] = case.gammas[t] * u[span] + (case.eta[t] if inside else 1) * gradient[span]
                rows[t + 1, span] -= u[span] if inside else case.eta[t] * u[span]
    return rows


def as_function(eta, gamma):
    def update(params, grad, state, t):
        rate, momentum = (x(t) if callable(x) else x for x in (eta, gamma))
        u = grad + (0 if state is None else params.dtype.type(momentum) * state)
        return params - params.dtype.type(rate) * u, u

    return update


class WithAttribute:
    """Its momentum is an attribute, which is read at each step."""

    def __init__(self, lr, momentum):
        self.lr, self.momentum = lr, momentum

    def init(self, params):
        return np.zeros_like(params)

    def step(self, params, grad, state, t):
        state = grad + params.dtype.type(self.momentum) * state
        return params - params.dtype.type(self.lr(t) if callable(self.lr) else self.lr) * state, state


class WithNumbers(WithAttribute):
    """Its learning rate is one too."""

    def __init__(self, lr, momentum):
        super().__init__(1.0 * lr, momentum)


def of_torch(params, lr, momentum):
    return sys.modules["torch"].HeavyBall(params, lr, momentum)


def of_torch_in_groups(params, lr, momentum):
    return sys.modules["torch"].HeavyBall([{"params": [p]} for p in params], lr, momentum)


def of_torch_with_a_tensor(params, lr, momentum):
    torch = sys.modules["torch"]
    return torch.HeavyBall(params, torch.Tensor(np.array(lr, dtype=np.float32)), momentum)


def of_keras(learning_rate, momentum):
    return sys.modules["keras"].SGD(learning_rate, momentum)


def of_scikit_learn(params, learning_rate, momentum):
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    return SGDOptimizer(params, learning_rate_init=learning_rate, momentum=momentum, nesterov=False)


class Transformation(NamedTuple):
    init: object
    update: object


class State(NamedTuple):
    u: object
    count: object


def of_optax(learning_rate, momentum):
    def update(gradients, state, params=None):
        u = [momentum * v + g for v, g in zip(state.u, gradients, strict=True)]
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        return [(-rate * v).astype(v.dtype) for v in u], State(u, state.count + np.int32(1))

    return Transformation(lambda params: State([0 * p for p in params], np.zeros((), np.int32)), update)


def of_optax_with_numbers(learning_rate, momentum):
    return of_optax(1.0 * learning_rate, momentum)


class Triple(NamedTuple):
    init_fn: object
    update_fn: object
    params_fn: object


def of_jax(step_size, mass):
    def update(t, gradients, state):
        rate = step_size(t) if callable(step_size) else step_size
        u = [mass * v + g for (_, v), g in zip(state, gradients, strict=True)]
        return [((x - rate * v).astype(x.dtype), v) for (x, _), v in zip(state, u, strict=True)]

    return Triple(lambda params: [(x, 0 * x) for x in params], update, lambda state: [x for x, _ in state])


INSIDE = {MomentumVelocity, of_keras, of_scikit_learn}
MAKERS = {
    MomentumVelocity: "numpy",
    as_function: "numpy",
    WithAttribute: "numpy",
    WithNumbers: "numpy",
    of_torch: "torch",
    of_torch_in_groups: "torch",
    of_torch_with_a_tensor: "torch",
    of_keras: "keras",
    of_scikit_learn: "scikit-learn",
    of_optax: "optax",
    of_optax_with_numbers: "optax",
    of_jax: "jax",
}


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def make(request, torch, jax, keras):
    """All libraries are imported: which it is, is told from what is made."""
    return request.param


@pytest.mark.parametrize("name", CASES)
def test_the_iterates_are_those_of_the_recursion(make, name):
    subject, case = Subject(make), CASES[name]
    wanted = iterates(case, inside=make in INSIDE)
    found = subject.trajectory(case)
    assert found.tolist() == wanted.tolist()
    assert found.dtype == case.dtype
    assert subject.driver(case).library == MAKERS[make]


@pytest.mark.parametrize("name", ["plain", "schedule", "both", "arrays"])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_run_that_is_saved_and_restored_goes_on(make, name, at):
    subject, case = Subject(make), CASES[name]
    assert subject.trajectory(case, restore_at=at).tolist() == iterates(case, inside=make in INSIDE).tolist()


def test_gradients_that_are_missing(make):
    subject = Subject(make)
    if MAKERS[make] in ("torch", "keras"):
        assert subject.trajectory(MISSING).tolist() == iterates(MISSING, inside=make in INSIDE).tolist()
    else:
        with pytest.raises(Unsupported, match="takes a gradient for each array in each step"):
            subject.trajectory(MISSING)


def test_an_error_where_a_gradient_is_missing_is_none_about_shapes(torch):
    class Careless(torch.HeavyBall):
        def step(self):
            assert all(p.grad is not None for p in self.param_groups[0]["params"]), "no gradient"
            super().step()

    with pytest.raises(
        Untried, match=r"^it raises AssertionError: no gradient.*; so it does where a gradient is missing"
    ):
        Subject(Careless).trajectory(MISSING)


def test_keras_refuses_a_step_without_any_gradient(keras):
    with pytest.raises(Unsupported, match="refuses a step without any gradient"):
        Subject(of_keras).trajectory(replace(PLAIN, missing=frozenset({(1, 0)})))


def test_gradients_that_are_written_to_do_not_matter(make):
    def spoil(gradient):
        gradient[...] = 7.0

    subject = Subject(make)
    if MAKERS[make] in ("optax", "jax", "keras"):
        with pytest.raises(Unsupported, match="its arrays cannot be written to"):
            subject.trajectory(PLAIN, spoil=spoil)
    else:
        for case in (PLAIN, CASES["arrays"], CASES["float16"]):
            assert subject.trajectory(case, spoil=spoil).tolist() == iterates(case, inside=make in INSIDE).tolist()


def test_it_is_found_out_once_how_an_optimizer_is_driven(make):
    """The maker is called once more for the first case than for each later one."""
    calls = 0

    def counted(**settings):
        nonlocal calls
        calls += 1
        return make(**settings)

    counted.__signature__ = __import__("inspect").signature(make)
    subject = Subject(counted)
    subject.trajectory(PLAIN)
    first, calls = calls, 0
    subject.trajectory(PLAIN)
    assert calls == 1
    assert first >= 2


# --- the library is told from what is made ---------------------------------------------------------------------------


def test_a_maker_that_imports_its_library(torch, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")

    def make(params, lr, momentum):
        monkeypatch.setitem(sys.modules, "torch", torch)
        return torch.HeavyBall(params, lr, momentum)

    assert Subject(make).trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()


def test_a_library_that_happens_to_be_imported(torch, keras, jax):
    assert Subject(of_scikit_learn).driver(PLAIN).library == "scikit-learn"


def test_the_library_may_be_said(torch):
    assert Subject(of_torch, library="torch").trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()
    with pytest.raises(Exception, match="it must return an optimizer of"):
        Subject(of_scikit_learn, library="optax").trajectory(PLAIN)


# --- PyTorch ---------------------------------------------------------------------------------------------------------


def ball(torch, **methods):
    """A maker of optimizers with other methods."""
    return type("Mine", (torch.HeavyBall,), methods)


def test_a_closure_sets_the_gradients_and_returns_the_loss(torch):
    losses = []

    def step(self, closure):
        losses.append(float(closure()))
        torch.HeavyBall.step(self)

    assert Subject(ball(torch, step=step)).trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()
    thetas, gradients = iterates(PLAIN, inside=False), np.array(PLAIN.gradients)
    assert losses == [float(x @ g) for x, g in zip(thetas[:-1], gradients, strict=True)]


def test_a_closure_that_is_needed_though_it_may_be_left_out(torch):
    def step(self, closure=None):
        assert closure is not None, "a closure, please"
        for p in self.param_groups[0]["params"]:
            p.grad = None
        closure()
        for p in self.param_groups[0]["params"]:
            if p.grad is not None:
                p.grad.fill_(3.0)
        closure()  # as it was, not as it was written over
        torch.HeavyBall.step(self)

    subject = Subject(ball(torch, step=step))
    assert subject.trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()
    missing = subject.trajectory(MISSING)
    assert missing.tolist() == iterates(MISSING, inside=False).tolist()


def test_what_a_step_needs_beside_a_closure_is_said(torch):
    with pytest.raises(NotDriven, match=r"^it could not be driven: its step needs loss and batch$"):
        Subject(ball(torch, step=lambda self, loss, batch: None)).trajectory(PLAIN)
    with pytest.raises(NotDriven, match=r"^it could not be driven: its step needs hessian$"):
        Subject(ball(torch, step=lambda self, closure, hessian: None)).trajectory(PLAIN)


def test_what_a_step_raises_is_not_hidden_by_a_closure_that_it_does_not_take(torch):
    def step(self):
        raise RuntimeError("no grad_fn")

    with pytest.raises(NotDriven, match=r"^it could not be driven: it raises RuntimeError: no grad_fn$"):
        Subject(ball(torch, step=step)).trajectory(PLAIN)


def test_it_is_put_into_training_mode(torch):
    def step(self):
        assert self.training, "not in training mode"
        torch.HeavyBall.step(self)

    def train(self):
        self.training = True

    subject = Subject(ball(torch, step=step, train=train))
    assert subject.trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()
    assert subject.trajectory(PLAIN, restore_at=2).tolist() == iterates(PLAIN, inside=False).tolist()


@pytest.mark.parametrize("name", ["plain", "schedule", "both"])
def test_a_class_without_groups_has_its_settings_as_attributes(torch, name):
    class Mine:
        def __init__(self, model_params, step_size, mass):
            self.params, self.step_size, self.mass, self.u = list(model_params), step_size, mass, {}

        def step(self):
            for k, p in enumerate(self.params):
                self.u[k] = self.mass * self.u.get(k, 0) + p.grad.array
                p.array[...] = p.array - self.step_size * self.u[k]

    subject = Subject(Mine)
    assert subject.trajectory(CASES[name]).tolist() == iterates(CASES[name], inside=False).tolist()
    with pytest.raises(Unsupported, match="has no state_dict"):
        subject.trajectory(CASES[name], restore_at=2)


@pytest.mark.parametrize("name", ["plain", "schedule", "schedule from 0"])
def test_groups_keep_their_multiples_of_the_rate(torch, name):
    def make(params, lr, momentum):
        return torch.HeavyBall([{"params": [p], "lr": 2**k * lr} for k, p in enumerate(params)], 1.0, momentum)

    case = replace(CASES[name], arrays=((2,), (2,)))
    found, once = Subject(make).trajectory(case), iterates(case, inside=False)
    twice = iterates(replace(case, eta=tuple(2 * rate for rate in case.eta)), inside=False)
    assert found.tolist() == np.hstack([once[:, :2], twice[:, 2:]]).tolist()


def test_the_betas_of_a_group_are_set(torch):
    def make(params, lr, betas=(0.9, 0.75)):
        class Betas(torch.HeavyBall):
            def step(self):
                (group,) = self.param_groups
                group["momentum"], other = group["betas"]
                assert other == 0.75
                super().step()

        made = Betas([{"params": params, "betas": betas}], lr, -1.0)
        return made

    case = CASES["momentum schedule"]
    assert Subject(make).trajectory(case).tolist() == iterates(case, inside=False).tolist()


def test_a_momentum_that_is_in_no_group_cannot_change(torch):
    def make(params, lr, momentum):
        made = torch.HeavyBall(params, lr, 0.125)
        return made

    with pytest.raises(Unsupported, match="keeps no momentum in its param_groups"):
        Subject(make).trajectory(CASES["momentum schedule"])


def test_a_momentum_that_is_read_once_is_not_what_was_set(torch):
    class Frozen(torch.HeavyBall):
        def __init__(self, params, lr, momentum):
            super().__init__(params, lr, momentum)
            self.kept = momentum

        def step(self):
            before = self.param_groups[0]["momentum"]
            self.param_groups[0]["momentum"] = self.kept
            super().step()
            self.param_groups[0]["momentum"] = before

    case = CASES["momentum schedule"]
    assert Subject(Frozen).trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()
    assert Subject(Frozen).trajectory(case).tolist() == iterates(replace(case, momenta=None), inside=False).tolist()


def test_a_rate_that_is_a_narrow_tensor_is_widened(torch):
    case = replace(PLAIN, eta=(0.1,) * 4)
    assert Subject(of_torch_with_a_tensor).trajectory(case).tolist() == Subject(of_torch).trajectory(case).tolist()


# --- JAX -------------------------------------------------------------------------------------------------------------


def branching(jax):
    """A transformation with control flow, as optax.MultiSteps has it."""

    def make(learning_rate, momentum):
        inner = of_optax(learning_rate, momentum)
        return Transformation(
            inner.init, lambda gradients, state, params: jax.cond(True, lambda: inner.update(gradients, state), None)
        )

    return make


def test_control_flow_is_compiled_once_for_a_shape_and_a_number_type(jax):
    subject = Subject(branching(jax))
    for eta in (0.5, 0.25, 0.125):
        case = replace(PLAIN, eta=(eta,) * 4, gamma=eta)
        assert subject.trajectory(case).tolist() == iterates(case, inside=False).tolist()
    assert jax.compiled == 1
    subject.trajectory(replace(PLAIN, arrays=((2, 2),)))
    assert jax.compiled == 2
    subject.trajectory(CASES["float32"])
    assert jax.compiled == 3
    for name in ("schedule", "schedule from 0"):
        assert subject.trajectory(CASES[name]).tolist() == iterates(CASES[name], inside=False).tolist()
    assert jax.compiled == 4
    assert jax.x64.count(False) == 1


def test_control_flow_of_a_maker_that_wants_numbers_is_compiled_for_each_case(jax):
    def make(learning_rate, momentum):
        if type(momentum) is not float:
            raise TypeError("a number, please")
        return branching(jax)(learning_rate, momentum)

    subject = Subject(make)
    for gamma in (0.5, 0.25):
        case = replace(PLAIN, gamma=gamma)
        assert subject.trajectory(case).tolist() == iterates(case, inside=False).tolist()
    assert jax.compiled == 2


def test_without_control_flow_nothing_is_compiled(jax):
    Subject(of_optax).trajectory(PLAIN)
    assert jax.compiled == 0


def test_a_transformation_gets_the_loss(jax):
    seen = []

    def make(learning_rate, momentum):
        inner = of_optax(learning_rate, momentum)

        def update(gradients, state, params=None, *, value, grad, value_fn):
            seen.append((float(value), float(value_fn(params)), grad is gradients))
            return inner.update(gradients, state)

        return Transformation(inner.init, update)

    Subject(make).trajectory(PLAIN)
    thetas, gradients = iterates(PLAIN, inside=False), np.array(PLAIN.gradients)
    losses = [float(x @ g) for x, g in zip(thetas[:-1], gradients, strict=True)]
    assert seen[-4:] == [(loss, loss, True) for loss in losses]


def test_what_an_update_needs_beside_is_said(jax):
    def make(learning_rate):
        return Transformation(lambda params: (), lambda gradients, state, params=None, *, hessian: None)

    with pytest.raises(NotDriven, match=r"^it could not be driven: its update needs hessian$"):
        Subject(make).trajectory(CASES["no momentum"])


def test_hyperparameters_that_are_injected_are_set(jax):
    class Injected(NamedTuple):
        hyperparams: dict
        inner: object

    def make(learning_rate, momentum):
        def made(kept):
            return of_optax(kept["learning_rate"], kept["momentum"])

        def update(gradients, state, params=None):
            updates, inner = made(state.hyperparams).update(gradients, state.inner)
            return updates, Injected(state.hyperparams, inner)

        start = {"learning_rate": 1.0 * learning_rate, "momentum": momentum}
        return Transformation(lambda params: Injected(start, made(start).init(params)), update)

    for name in ("plain", "schedule", "momentum schedule", "both"):
        assert Subject(make).trajectory(CASES[name]).tolist() == iterates(CASES[name], inside=False).tolist()


# --- ours ------------------------------------------------------------------------------------------------------------


def test_a_momentum_that_is_a_number_alone_cannot_change():
    def make(eta, gamma):
        return lambda params, grad, state, t: (params - eta * (grad + gamma * (state or 0)), state)

    with pytest.raises(Unsupported, match="takes γ as a number alone"):
        Subject(make).trajectory(CASES["momentum schedule"])


def test_a_state_that_is_kept_elsewhere_is_not_restored():
    def make(eta, gamma):
        memory = [0.0]

        def update(params, grad, state, t):
            memory[0] = gamma * memory[0] + grad
            return params - eta * memory[0], state

        return update

    subject = Subject(make)
    assert subject.trajectory(PLAIN).tolist() == iterates(PLAIN, inside=False).tolist()
    restored = subject.trajectory(PLAIN, restore_at=2)
    assert restored[:3].tolist() == iterates(PLAIN, inside=False)[:3].tolist()
    assert restored[3].tolist() != iterates(PLAIN, inside=False)[3].tolist()


def test_a_state_that_cannot_be_saved_is_said():
    def make(eta, gamma):
        return lambda params, grad, state, t: (params - eta * grad, lambda: t)

    with pytest.raises(Unsaved, match=r"^its state cannot be saved and restored: .*lambda"):
        Subject(make).trajectory(CASES["no momentum"], restore_at=1)


def test_an_optimizer_that_raises_once_restored():
    def make(eta, gamma):
        started = []

        def update(params, grad, state, t):
            started.append(t)
            if started[0] != 0:
                raise RuntimeError("where are my first steps")
            return params - eta * grad, state

        return update

    with pytest.raises(Unsaved, match=r"^once restored it raises RuntimeError: where are my first steps$"):
        Subject(make).trajectory(PLAIN, restore_at=2)


@pytest.mark.parametrize("what", ["parameters", "gradient"])
def test_writing_into_what_was_given_is_said(what):
    def make(eta, gamma):
        def update(params, grad, state, t):
            (params if what == "parameters" else grad)[...] += 1
            return params - eta * grad, state

        return update

    with pytest.raises(Touched, match=f"^a step writes into its {what}$"):
        Subject(make).trajectory(PLAIN, spoil=lambda gradient: None)


def test_another_shape_is_no_iterate():
    def make(eta, gamma):
        return lambda params, grad, state, t: (params.ravel(), state)

    with pytest.raises(Untried, match=r"^θ_1 has the shape \(4,\), and its parameters had \(2, 2\)$"):
        Subject(make).trajectory(replace(PLAIN, arrays=((2, 2),)))
