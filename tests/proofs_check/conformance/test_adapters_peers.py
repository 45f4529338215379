"""The libraries themselves, driven: closures, matrices, missing gradients, tensor rates, half precision, restarts.

scikit-learn comes with the test extra; the others with `make test-peers`, where a skip here is a failure.
"""

import os
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from lemmascope.proofs_check.conformance.adapters import NotDriven, Subject, Unsaved, Unsupported, Untried
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.sims.own import own_function

PLAIN = Case(
    theta=(0.0, 1.0, 2.0, 3.0),
    gradients=((1.0, 2.0, -1.0, 0.5), (1.0, 0.0, 0.0, 2.0), (3.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.25, 1.0)),
    eta=(0.5,) * 4,
    gamma=0.5,
)
STILL = replace(PLAIN, gamma=0.0)
ARRAYS = {"arrays": ((2, 1), (1, 2))}
CASES = {
    "plain": PLAIN,
    "schedule": replace(PLAIN, eta=(0.0, 1.0, 0.25, 2.0), **ARRAYS),
    "momentum schedule": replace(PLAIN, momenta=(0.5, 0.25, 0.75, 0.5)),
    "float32": replace(PLAIN, dtype="float32"),
    "float16": replace(PLAIN, dtype="float16", **ARRAYS),
    "bfloat16": replace(PLAIN, dtype="bfloat16"),
}


def needs(*libraries):
    for library in libraries:
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed")


@pytest.fixture
def torch():
    needs("torch")
    return pytest.importorskip("torch")


@pytest.fixture
def optax():
    needs("jax", "optax")
    return pytest.importorskip("optax")


@pytest.fixture
def keras():
    needs("jax", "keras")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras")


def momentum(case, *, inside):
    """θ of momentum with the learning rate inside of the velocity or outside; without rounding, for these numbers."""
    rows, u = [np.array(case.theta)], np.zeros(len(case.theta))
    for t, gradient in enumerate(np.array(case.gradients)):
        still = np.zeros(len(u), dtype=bool)
        for k, span in enumerate(case.spans):
            still[span] = (t, k) in case.missing
        new = case.gammas[t] * u + (case.eta[t] if inside else 1) * gradient
        u = np.where(still, u, new)
        rows.append(np.where(still, rows[-1], rows[-1] - (u if inside else case.eta[t] * u)))
    return np.array(rows)


def torch_makers():
    """Ways in which PyTorch's SGD is made."""
    import torch

    def in_groups(params, lr, momentum):
        return torch.optim.SGD([{"params": [p]} for p in params], lr=lr, momentum=momentum)

    def with_a_tensor(params, lr, momentum):
        return torch.optim.SGD(params, lr=torch.tensor(lr), momentum=momentum)

    def of_a_model(model_params, step_size, mass):
        return torch.optim.SGD(model_params, lr=step_size, momentum=mass)

    return {"as it is": torch.optim.SGD, "groups": in_groups, "tensor": with_a_tensor, "names": of_a_model}


def optax_makers():
    """Ways in which optax's sgd is made."""
    import optax

    def injected(learning_rate, momentum):
        return optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate, momentum=momentum)

    def in_a_chain(learning_rate, momentum):
        return optax.chain(optax.identity(), optax.sgd(2 * learning_rate / 2, momentum or None))

    def with_control(learning_rate, momentum):
        return optax.MultiSteps(optax.sgd(learning_rate, momentum), 1)

    def with_numbers(learning_rate, momentum):
        return optax.MultiSteps(optax.sgd(float(learning_rate), momentum or None), 1)

    return {
        "as it is": partial(optax.sgd),
        "injected": injected,
        "chain": in_a_chain,
        "control": with_control,
        "numbers": with_numbers,
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("how", ["as it is", "groups", "tensor", "names"])
def test_pytorchs_momentum(torch, how, name):
    subject, case = Subject(torch_makers()[how]), CASES[name]
    wanted = momentum(case, inside=False).tolist()
    assert subject.trajectory(case).tolist() == wanted
    assert subject.trajectory(case, restore_at=2).tolist() == wanted
    assert subject.trajectory(case, spoil=lambda gradient: gradient.fill(3.0)).tolist() == wanted


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("how", ["as it is", "injected", "chain", "control", "numbers"])
def test_optaxs_momentum(optax, how, name):
    subject, case = Subject(optax_makers()[how]), CASES[name]
    wanted = momentum(case, inside=False).tolist()
    assert subject.trajectory(case).tolist() == wanted
    assert subject.trajectory(case, restore_at=2).tolist() == wanted


@pytest.mark.parametrize("name", CASES)
def test_kerass_momentum(keras, name):
    subject, case = Subject(keras.optimizers.SGD), CASES[name]
    wanted = momentum(case, inside=True).tolist()
    assert subject.trajectory(case).tolist() == wanted
    assert subject.trajectory(case, restore_at=2).tolist() == wanted
    assert keras.config.floatx() == "float32"


@pytest.mark.parametrize("name", CASES)
def test_the_momentum_of_jaxs_examples(optax, name):
    from jax.example_libraries.optimizers import momentum as make

    subject, case = Subject(make), CASES[name]
    wanted = momentum(case, inside=False).tolist()
    assert subject.trajectory(case).tolist() == wanted
    assert subject.trajectory(case, restore_at=2).tolist() == wanted
    assert subject.driver(case).library == "jax"


def test_a_number_type_without_a_name_in_numpy(torch):
    """bfloat16 keeps 8 digits: 1/2⁸ is lost beside 1."""
    small = Case((1.0, 0.0), ((2.0**-9, 2.0**-9),), (1.0,), 0.0, "bfloat16")
    assert Subject(torch.optim.SGD).trajectory(small)[-1].tolist() == [1.0, -(2.0**-9)]


# --- what is asked of a closure, and what cannot be driven -----------------------------------------------------------


def test_pytorchs_lbfgs_gets_a_closure(torch):
    rows = Subject(torch.optim.LBFGS).trajectory(STILL)
    assert (np.abs(np.diff(rows, axis=0)) > 0).any(axis=1).all()


def test_a_closure_and_training_mode(torch):
    needs("schedulefree", "pytorch_optimizer")
    import pytorch_optimizer
    import schedulefree

    def sam(params, lr, momentum):
        return pytorch_optimizer.SAM(params, torch.optim.SGD, lr=lr, momentum=momentum)

    assert Subject(sam).trajectory(PLAIN).tolist() == momentum(PLAIN, inside=False).tolist()
    free = Subject(schedulefree.SGDScheduleFree)
    assert free.trajectory(PLAIN).tolist() == free.trajectory(PLAIN, restore_at=2).tolist()


def test_what_wants_more_than_a_gradient_is_not_driven(torch):
    needs("torch_optimizer")
    import torch_optimizer

    with pytest.raises(NotDriven, match=r"^it could not be driven: it raises RuntimeError: .*create_graph"):
        Subject(torch_optimizer.Adahessian).trajectory(PLAIN)
    with pytest.raises(
        NotDriven, match=r"^it could not be driven: it raises RuntimeError: SparseAdam does not support"
    ):
        Subject(torch.optim.SparseAdam).trajectory(PLAIN)


@pytest.mark.parametrize("make", ["lbfgs", "polyak_sgd", "sam", "sophia", "linesearch", "plateau"])
def test_what_optax_wants_of_the_loss(optax, make):
    makers = {
        "lbfgs": lambda learning_rate: optax.lbfgs(learning_rate),
        "polyak_sgd": lambda learning_rate: optax.polyak_sgd(learning_rate),
        "sam": lambda learning_rate: optax.contrib.sam(
            optax.sgd(learning_rate), optax.sgd(0.1), sync_period=2, opaque_mode=True
        ),
        "sophia": lambda learning_rate: optax.contrib.sophia(learning_rate),
        "linesearch": lambda learning_rate: optax.chain(
            optax.sgd(learning_rate), optax.scale_by_backtracking_linesearch(5)
        ),
        "plateau": lambda learning_rate: optax.chain(optax.sgd(learning_rate), optax.contrib.reduce_on_plateau()),
    }
    rows = Subject(makers[make]).trajectory(STILL)
    assert (rows[0] != rows[-1]).any()


def test_optaxs_updates_are_compiled_once(optax, monkeypatch):
    """Whatever the learning rate and the momentum: by the count of programs that JAX makes."""
    import jax

    calls = []

    def make(learning_rate, momentum):
        calls.append(isinstance(momentum, jax.core.Tracer))
        return optax.MultiSteps(optax.sgd(learning_rate, momentum), 2)

    subject = Subject(make)
    subject.trajectory(PLAIN)
    for k in range(5):
        before = sum(calls)
        case = replace(PLAIN, eta=(0.125 * k + 0.125,) * 4, gamma=0.125 * k)
        rows = subject.trajectory(case)
        half = np.array(case.gradients).reshape(2, 2, 4).mean(axis=1)
        wanted = momentum(replace(case, gradients=tuple(map(tuple, half)), eta=case.eta[:2]), inside=False)
        assert np.abs(rows[2::2] - wanted[1:]).max() < 1e-15
        assert sum(calls) == before


# --- matrices, missing gradients, states -----------------------------------------------------------------------------


def test_muon_gets_matrices(torch):
    subject = Subject(torch.optim.Muon)
    vectors, matrices = subject.trajectory(PLAIN), subject.trajectory(replace(PLAIN, arrays=((4, 1),)))
    assert subject.matrices_only
    assert vectors.tolist() == matrices.tolist()
    with pytest.raises(Unsupported, match=r"^refuses parameters of shape \(1, 2, 2\): Muon only supports 2D"):
        subject.trajectory(replace(PLAIN, arrays=((1, 2, 2),)))
    assert np.any(subject.trajectory(replace(PLAIN, arrays=((2, 2),))) != matrices)


def test_a_parameter_without_a_gradient_stands_still(torch, keras):
    case = replace(PLAIN, **ARRAYS, missing=frozenset({(0, 1), (2, 0), (3, 1)}))
    assert Subject(torch.optim.SGD).trajectory(case).tolist() == momentum(case, inside=False).tolist()
    assert Subject(keras.optimizers.SGD).trajectory(case).tolist() == momentum(case, inside=True).tolist()
    every = replace(case, missing=frozenset({(1, 0), (1, 1)}))
    assert Subject(torch.optim.SGD).trajectory(every).tolist() == momentum(every, inside=False).tolist()
    with pytest.raises(Unsupported, match="refuses a step without any gradient"):
        Subject(keras.optimizers.SGD).trajectory(every)


def test_ascent(torch):
    up = replace(PLAIN, maximize=True)
    assert (Subject(torch.optim.SGD).trajectory(up) - PLAIN.theta).tolist() == (
        np.array(PLAIN.theta) - momentum(PLAIN, inside=False)
    ).tolist()


def test_nesterov_without_momentum_is_refused_by_pytorch(torch):
    with pytest.raises(Unsupported, match=r"^refuses γ = 0: Nesterov momentum requires a momentum"):
        Subject(partial(torch.optim.SGD, nesterov=True)).trajectory(STILL)


def test_a_state_that_is_not_in_state_dict_is_lost(torch):
    """As that of the inner optimizer of a wrapper that does not save it."""

    class Wrapper(torch.optim.Optimizer):
        def __init__(self, params, lr, momentum):
            super().__init__(params, {"lr": lr})
            self.inner = torch.optim.SGD(self.param_groups, lr=lr, momentum=momentum)

        def step(self):
            self.inner.step()

    subject = Subject(Wrapper)
    assert subject.trajectory(PLAIN).tolist() == momentum(PLAIN, inside=False).tolist()
    assert subject.trajectory(PLAIN, restore_at=2).tolist() != momentum(PLAIN, inside=False).tolist()


def test_a_wrapper_that_cannot_save_itself(torch):
    needs("torch_optimizer")
    import torch_optimizer

    def make(params, lr, momentum):
        return torch_optimizer.Lookahead(torch.optim.SGD(params, lr=lr, momentum=momentum))

    with pytest.raises(Unsaved, match=r"^its state cannot be saved and restored: AttributeError"):
        Subject(make).trajectory(PLAIN, restore_at=2)


@pytest.mark.parametrize("betas", [True, False])
def test_adam_has_its_momentum_in_betas(torch, betas):
    def make(params, lr, momentum):
        return torch.optim.Adam(params, lr=lr, betas=(momentum, 0.999))

    case = CASES["momentum schedule"]
    found = Subject(torch.optim.Adam if betas else make).trajectory(case)
    group = torch.optim.Adam([torch.zeros(4, dtype=torch.float64)], lr=0.5, betas=(0.5, 0.999))
    (p,) = group.param_groups[0]["params"]
    p.copy_(torch.tensor(case.theta))
    for gradient, gamma in zip(case.gradients, case.gammas, strict=True):
        group.param_groups[0]["betas"] = (gamma, 0.999)
        p.grad = torch.tensor(gradient, dtype=torch.float64)
        group.step()
    assert found[-1].tolist() == p.tolist()


# --- Keras -----------------------------------------------------------------------------------------------------------


def test_a_rate_of_keras_in_double_precision(keras):
    """It is kept in a variable, of the number type of the run."""
    case = replace(STILL, eta=(0.1,) * 4)
    assert np.abs(Subject(keras.optimizers.SGD).trajectory(case) - momentum(case, inside=True)).max() < 1e-15


def test_control_flow_in_keras(keras):
    """Of gradients that are gathered over two steps, and of a loss that is scaled."""

    def gathered(learning_rate, momentum):
        return keras.optimizers.SGD(learning_rate, momentum, gradient_accumulation_steps=2)

    rows = Subject(gathered).trajectory(PLAIN)
    half = np.array(PLAIN.gradients).reshape(2, 2, 4).mean(axis=1)
    wanted = momentum(replace(PLAIN, gradients=tuple(map(tuple, half)), eta=PLAIN.eta[:2]), inside=True)
    assert rows[::2].tolist() == wanted.tolist()

    def scaled(learning_rate, momentum):
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(learning_rate, momentum), initial_scale=4.0)

    four = PLAIN.scaled(4.0)
    found = Subject(scaled).trajectory(replace(four, theta=PLAIN.theta))
    assert found.tolist() == momentum(PLAIN, inside=True).tolist()


def test_a_schedule_of_kerass_own_cannot_be_set(keras):
    def make(learning_rate, momentum):
        return keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(learning_rate, 1, 1.0), momentum)

    subject = Subject(make)
    assert subject.trajectory(PLAIN).tolist() == momentum(PLAIN, inside=True).tolist()
    with pytest.raises(Untried, match="where η changes it is set before each step, and only such schedules are"):
        subject.trajectory(CASES["schedule"])


# --- the library is told from what is made ---------------------------------------------------------------------------


def test_libraries_side_by_side(torch, optax, keras):
    def sklearn(params, learning_rate, momentum):
        from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

        return SGDOptimizer(params, learning_rate_init=learning_rate, momentum=momentum, nesterov=False)

    found = {
        Subject(make).driver(PLAIN).library
        for make in (sklearn, torch.optim.SGD, optax.sgd, keras.optimizers.SGD, lambda eta, gamma: lambda *given: given)
    }
    assert found == {"scikit-learn", "torch", "optax", "keras", "numpy"}


@pytest.mark.parametrize("spec", ["torch.optim:SGD", "jax.example_libraries.optimizers:momentum", "optax:sgd"])
def test_a_class_of_an_installed_package_is_named_by_its_module(torch, optax, spec):
    assert Subject(own_function(spec, "optimizer")).trajectory(PLAIN).tolist() == momentum(PLAIN, inside=False).tolist()


def test_a_file_that_imports_pytorch_is_loaded_in_a_new_process(torch, tmp_path):
    import subprocess
    import sys

    (tmp_path / "mine.py").write_text("import torch\n\nmake = torch.optim.SGD\n")
    code = (
        "from lemmascope.proofs_check.conformance import run\n"
        "from lemmascope.sims.own import own_function\n"
        f"make = own_function({str(tmp_path / 'mine.py:make')!r}, 'optimizer')\n"
        "print(run(make, theta=[0.0], gradients=[[1.0]], eta=1.0, gamma=0.5).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "[[0.0], [-1.0]]"
