"""What an optimizer says of itself is held to its steps before a run believes it."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from lemmascope.sims.cubic_cnn import probe as probes
from lemmascope.sims.cubic_cnn.probe import probe
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov, PiecewiseConstant


class Own:
    """Momentum with a schedule, and a recursion that says the same; each test changes one of them."""

    linear = True
    eta = PiecewiseConstant((0, 700, 4_500), (0.5, 0.05, 0.005))
    gamma = 0.9

    def init(self, params):
        return array_namespace(params).zeros_like(params)

    def step(self, params, grad, state, t):
        state = self.gamma * state + grad
        return params - self.eta(t) * state, state

    def recursion(self, t):
        return self.gamma, 1.0, self.eta(t), 0.0


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """What is scanned in a run of 20 000 iterations and more, at a twentieth of its size."""
    monkeypatch.setattr(probes, "SCANNED", 1000)


def tried(optimizer, iterations=5000, xp=np, dtype="float64", sizes=(4, 12)):
    probe("mine", optimizer, iterations=iterations, sizes=sizes, xp=xp, dtype=dtype)


def libraries():
    import array_api_strict

    return {"numpy": np, "strict": array_api_strict}


@pytest.fixture(params=["numpy", "strict", "like a device's"])
def library(request, monkeypatch):
    """Array libraries: NumPy, the strict standard, and one whose arrays NumPy cannot read unless asked, as CuPy's."""
    if request.param == "like a device's":
        import array_api_strict

        monkeypatch.setattr(probes, "to_host", lambda x: np.asarray(x))  # CuPy's get()
        return array_api_strict
    return libraries()[request.param]


def test_what_is_true_is_believed(library):
    tried(Own(), iterations=800, xp=library)
    tried(GD(lambda t: 0.1 / (1 + t)), iterations=800, xp=library)
    tried(Nesterov(PiecewiseConstant((0, 5), (0.1, 1.0)), 0.9), iterations=800, xp=library)


def five_times(self, t):
    return self.gamma, 1.0, 5 * self.eta(t), 0.0


def from_the_first(self, t):
    return self.gamma, 1.0, self.eta(0), 0.0


def late(self, t):
    return self.gamma, 1.0, self.eta(t) * (1 if t < 4_999 else 2), 0.0


def once(self, t):
    return self.gamma, 1.0, self.eta(t) * (1 if t != 777 else 2), 0.0


def odd(self, t):
    return self.gamma, 1.0, self.eta(t) * (1 + 1e-6 * (t % 2)), 0.0


def other_memory(self, t):
    return self.gamma + 1e-6, 1.0, self.eta(t), 0.0


def without_schedule_after(self, t):
    return self.gamma, 1.0, self.eta(min(t, 4_499)), 0.0


WRONG = {
    "five times": (five_times, 0),
    "no schedule": (from_the_first, 700),
    "the last step": (late, 4_999),
    "one step": (once, 777),
    "each second step": (odd, 1),
    "a trace in the momentum": (other_memory, 1),
    "a late change": (without_schedule_after, 4_500),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_recursion_that_is_not_the_step_is_refused_with_both_numbers(name):
    recursion, t = WRONG[name]
    mine = type("Mine", (Own,), {"recursion": recursion, "step": Own.step})()
    with pytest.raises(
        InputError, match=rf"optimizer mine = .recursion\({t}\).*by \S+ where the step moves it by \S+;"
    ):
        tried(mine)


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_it_is_refused_before_the_run(tiny, library, backend):
    mine = type("Mine", (Own,), {"recursion": five_times, "step": Own.step})()
    arguments = {"backend": backend} if backend == "compiled" else {"backend": backend, "xp": library}
    with pytest.raises(InputError, match=r"recursion\(0\).*where the step"):
        simulate(tiny(), {"mine": mine}, iterations=5, **arguments)


class Counts(Own):
    """Its state counts the steps, and it does not look at t."""

    def init(self, params):
        return super().init(params), 0

    def step(self, params, grad, state, t):
        new, buffer = Own.step(self, params, grad, state[0], state[1])
        return new, (buffer, state[1] + 1)

    def recursion(self, t):
        return Own.recursion(self, t)


def test_an_optimizer_that_counts_by_itself_is_believed():
    tried(Counts())


def test_a_recursion_with_a_decay_of_the_parameters_is_refused():
    class Decays(Own):
        def step(self, params, grad, state, t):
            new, state = super().step(params, grad, state, t)
            return new - 1e-6 * params, state

        def recursion(self, t):
            return super().recursion(t)

    with pytest.raises(InputError, match=r"recursion\(0\)"):
        tried(Decays(), iterations=10)


# --- linear, pure, well-behaved ------------------------------------------------------------------------------------


def clipped(params, grad, state, t):
    xp = array_namespace(grad)
    return params - 0.1 * xp.clip(grad, -100.0, 100.0), state


def thresholded(params, grad, state, t):
    xp = array_namespace(grad)
    return params - 0.1 * xp.where(xp.abs(grad) > 1e-5, grad, 0 * grad), state


def sign_at_the_end(params, grad, state, t):
    return params - 0.1 * (grad if t < 4_999 else array_namespace(grad).sign(grad)), state


def by_neuron(params, grad, state, t):
    xp = array_namespace(grad)
    rates = xp.reshape(xp.astype(xp.arange(grad.shape[-2]), grad.dtype), (-1, 1))
    return params - 0.1 * rates * grad, state


def by_coordinate(params, grad, state, t):
    xp = array_namespace(grad)
    return params - 0.1 * xp.astype(xp.arange(grad.shape[-1]), grad.dtype) * grad, state


def drifting(params, grad, state, t):
    return params - 0.1 * grad + 1e-3, state


@pytest.mark.parametrize("step", [clipped, thresholded, sign_at_the_end, by_neuron, by_coordinate, drifting])
def test_a_step_that_is_not_linear_is_found(library, step):
    mine = type("Mine", (), {"linear": True, "init": lambda self, p: None, "step": staticmethod(step)})()
    with pytest.raises(InputError, match=r"optimizer mine.*does not commute.*say linear = False"):
        tried(mine, xp=library)
    mine.linear = False
    tried(mine, xp=library)


class KeepsItself(Own):
    """Its buffer is in the object."""

    def init(self, params):
        self.state = 0 * params
        return None

    def step(self, params, grad, state, t):
        self.state = 0.9 * self.state + grad
        return params - 0.1 * self.state, None


class Chance(Own):
    rng = np.random.default_rng(0)

    def step(self, params, grad, state, t):
        return params - float(self.rng.random()) * grad, state


@pytest.mark.parametrize("mine", [KeepsItself(), Chance()])
def test_what_is_remembered_outside_the_state_is_found(mine):
    with pytest.raises(InputError, match="belongs into the state"):
        tried(mine)


class Raised(BaseException):
    def __str__(self):
        raise RuntimeError


def ends(params, grad, state, t):
    raise SystemExit(0)


def raises(params, grad, state, t):
    raise Raised


def writes(params, grad, state, t):
    params[...] = params - 0.1 * grad
    return params, state


def writes_the_gradient(params, grad, state, t):
    grad *= 2
    return params - grad, state


def nan(params, grad, state, t):
    return params - float("nan") * grad, state


def one_number(params, grad, state, t):
    return 0.1, state


def nothing(params, grad, state, t):
    return None


def other_shape(params, grad, state, t):
    return params[0], state


BAD = [ends, raises, writes, writes_the_gradient, nan, one_number, nothing, other_shape]


def after(step, first):
    """Gradient descent that goes wrong at a step."""

    def wrong(self, params, grad, state, t):
        return step(params, grad, state, t) if t >= first else (params - 0.1 * grad, state)

    return type("Mine", (), {"linear": True, "init": lambda self, params: None, "step": wrong})()


@pytest.mark.parametrize("first", [0, 3, 500], ids=["at once", "soon", "in the run"])
@pytest.mark.parametrize("step", BAD, ids=lambda step: step.__name__)
def test_a_step_that_misbehaves_is_one_sentence(tiny, step, first, monkeypatch):
    """Also where only the run comes to it: the probe looks at some iterations."""
    if first == 500:
        monkeypatch.setattr(probes._Probe, "all", lambda self: None)
        first = 5
    for optimizers in ({"mine": after(step, first)}, {"GD": GD(0.1), "mine": after(step, first)}):
        with pytest.raises(InputError, match=r"optimizer Mine = .*step"):
            simulate(tiny(), optimizers, iterations=12, workers=1)


@pytest.mark.parametrize("said", ["yes", 1, None, len])
def test_linear_is_true_or_false(tiny, said):
    mine = type("Mine", (Own,), {"linear": said})()
    with pytest.raises(InputError, match="True or False"):
        simulate(tiny(), {"mine": mine}, iterations=2)


class Bare:
    """Says nothing of linear; clips by the norm of all it is given."""

    def init(self, params):
        return None

    def step(self, params, grad, state, t):
        xp = array_namespace(grad)
        return params - 0.1 * grad / (1 + xp.sqrt(xp.sum(grad * grad))), state


def test_one_that_says_nothing_of_linear_is_not(tiny):
    silent, said = (
        simulate(tiny(), {"mine": kind()}, iterations=20, seeds=2)
        for kind in (Bare, type("Bare", (Bare,), {"linear": False}))
    )
    assert silent.attrs["representation"] == "weights"
    assert silent.identical(said)
    with pytest.raises(InputError, match="representation"):
        simulate(tiny(), {"mine": Bare()}, iterations=2, representation="coefficients")


@pytest.mark.parametrize(
    "optimizers",
    [
        {"mine": object()},
        {"mine": Bare},
        {"mine": type("Mine", (Bare,), {"linear": object()})()},
        {"mine": type("Mine", (Bare,), {"linear": True})()},
        [Bare()],
    ],
    ids=["no methods", "a class", "a strange linear", "not linear", "a list"],
)
def test_a_refusal_names_the_class_and_no_address(tiny, optimizers):
    with pytest.raises(InputError) as refusal:
        simulate(tiny(), optimizers, iterations=2)
    assert "0x" not in str(refusal.value)
    assert any(name in str(refusal.value) for name in ("'object'", "'Bare'", "'list'", "Mine"))


def test_ours_are_not_tried(monkeypatch):
    monkeypatch.setattr(probes._Probe, "all", lambda self: pytest.fail("tried"))
    tried(GD(0.1))
    tried(MomentumAverage(0.1, 0.9))
