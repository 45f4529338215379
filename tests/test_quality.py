"""The tests' own instruments: planted bugs that the shared checks must catch, and tolerances that can fail."""

import ast
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from checks import check_coefficients, check_exact_law, check_gradient, check_law, check_optimizer, check_tensor_power
from strategies import Instance, TensorPower
from tolerances import CEILINGS, TABLE, assert_close, tolerance

from lemmascope.sims.seeds import streams
from lemmascope.theory import optimizers
from lemmascope.theory.cubic_cnn import coefficients, law, predictions, weights
from lemmascope.theory.cubic_cnn.parameters import Parameters

SMALL = Parameters(d=12, N=6, P=3, m=2, alpha=2.0, beta=0.3, mu=0.4, sigma=0.5, sigma_0=0.4, lam=0.05)


def drawn(seed: int) -> Instance:
    rng = streams(0, "strategies", seed)
    return Instance(SMALL, law.draw_sample(SMALL, rng), law.draw_weights(SMALL.m, SMALL.d, SMALL.sigma_0, rng))


INSTANCES = [drawn(seed) for seed in range(3)]
GRADIENTS = np.random.default_rng(3).standard_normal((12, 4))


def gradient() -> None:
    for _, sample, W in INSTANCES:
        check_gradient(sample.X, sample.y, W, SMALL.lam)


def sample_of_the_law() -> None:
    for seed, instance in enumerate(INSTANCES):
        check_law(instance, seed)
    plane = dataclasses.replace(SMALL, d=2, N=200)
    check_law(Instance(plane, INSTANCES[0].sample, INSTANCES[0].W), 0)


def optimizer() -> None:
    for form in optimizers.FORMS:
        for eta in (0.1, optimizers.PiecewiseConstant((0, 5), (0.1, 0.3))):
            check_optimizer(form, eta, 0.8, GRADIENTS)


def tensor_power() -> None:
    for steps in ([1.0], [0.1], [1.0, 0.1, 0.3]):
        check_tensor_power(TensorPower(0.01, 50.0, 0.1, 1.0, steps))


def coefficient_system() -> None:
    check_coefficients([(sample, W) for _, sample, W in INSTANCES], SMALL.lam)


def exact_law() -> None:
    check_exact_law(dataclasses.replace(SMALL, d=SMALL.n + 4, lam=0.0))


def scaled_pull(factor):
    """(−3/N) y ℓ z², the pull of each patch on the weights, times a wrong factor."""

    def plant(patch):
        right = weights._pull
        patch.setattr(weights, "_pull", lambda z, signed_ell: factor * right(z, signed_ell))

    return plant


def plant_lost_penalty(patch):
    right = weights.gradient
    patch.setattr(weights, "gradient", lambda W, X, y, lam=0.0: right(W, X, y))


def plant_square_for_cube(patch):
    """The margin formed from z² in place of z³."""
    right = weights.logistic_weight
    patch.setattr(weights, "logistic_weight", lambda margins: right(np.abs(margins)))


def plant_noise(leak):
    """Noise that keeps a part along w*, in units of its size."""

    def plant(patch):
        right = law.draw_sample

        def draw(p, rng):
            sample = right(p, rng)
            X = sample.X + leak * p.sigma * sample.w_star
            X[range(p.N), sample.signal] = sample.X[range(p.N), sample.signal]
            return dataclasses.replace(sample, X=X)

        patch.setattr(law, "draw_sample", draw)

    return plant


def plant_one_projection(patch):
    """Noise projected off w* once, in two dimensions where almost all of it may lie along w*."""
    right = law.draw_sample

    def draw(p, rng):
        sample = right(p, rng)
        X = p.sigma * rng("noise").standard_normal((p.N, p.P, p.d))
        X -= (X @ sample.w_star)[..., None] * sample.w_star
        X[range(p.N), sample.signal] = sample.X[range(p.N), sample.signal]
        return dataclasses.replace(sample, X=X)

    patch.setattr(law, "draw_sample", draw)


def plant_swapped_margins(patch):
    right = law._labels

    def labels(p, rng):
        y, small, strength = right(p, rng)
        return y, ~small, strength

    patch.setattr(law, "_labels", labels)


def plant_step(form, step):
    """Another ``step`` of an optimizer."""

    def plant(patch):
        patch.setattr(optimizers.FORMS[form], "step", step)

    return plant


def at(eta, t):
    return eta(t) if callable(eta) else eta


def late_decay(self, params, grad, state, t):
    """γ is one step off: the newest gradient is already damped."""
    average = self.gamma * (state + (1 - self.gamma) * grad)
    return params - at(self.eta, t) * average, average


def lost_weight(self, params, grad, state, t):
    """The factor 1 − γ is lost."""
    average = self.gamma * state + grad
    return params - at(self.eta, t) * average, average


def old_average(self, params, grad, state, t):
    """The step uses the average before this gradient."""
    average = self.gamma * state + (1 - self.gamma) * grad
    return params - at(self.eta, t) * state, average


def outside_rate(self, params, grad, state, t):
    """The rate stands outside the velocity: seen under a schedule only."""
    velocity = self.gamma * state + grad
    return params - at(self.eta, t) * velocity, velocity


def plain_velocity(self, params, grad, state, t):
    """Nesterov without its look-ahead."""
    velocity = self.gamma * state + at(self.eta, t) * grad
    return params - velocity, velocity


def uphill(self, params, grad, state, t):
    return params + at(self.eta, t) * grad, state


def plant_bounds(low_factor, high_factor):
    def plant(patch):
        right = predictions.tensor_power_bounds

        def bounds(*arguments):
            low, high = right(*arguments)
            return low_factor * low, math.floor(high_factor * high)

        patch.setattr(predictions, "tensor_power_bounds", bounds)

    return plant


def plant_formed_once(name, wrong):
    """Another value of what `CoefficientSystem` forms once of its data."""

    def plant(patch):
        patch.setattr(coefficients.CoefficientSystem, name, property(wrong))

    return plant


def plant_bartlett(wrong):
    """Another diagonal of Bartlett's factor, from its size and degrees of freedom."""

    def plant(patch):
        def bartlett(size, degrees, generator):
            normal = generator.standard_normal((size, size))
            return np.tril(normal, k=-1) + np.diag(generator.chisquare(wrong(size, degrees)) ** 0.5)

        patch.setattr(law, "_bartlett", bartlett)

    return plant


def plant_no_outside(patch):
    """Weights that lie in the span of the data."""
    right = law.exact_projection

    def draw(p, rng):
        q = right(p, rng)
        return dataclasses.replace(q, S_0=q.Xi_0 @ np.linalg.solve(q.K, q.Xi_0.T))

    patch.setattr(law, "exact_projection", draw)


BUGS = {
    "gradient: wrong sign": (gradient, scaled_pull(-1)),
    "gradient: missing 3": (gradient, scaled_pull(1 / 3)),
    "gradient: a part in 10¹⁰": (gradient, scaled_pull(1 + 1e-10)),
    "gradient: lost penalty": (gradient, plant_lost_penalty),
    "gradient: sign of the margin": (gradient, plant_square_for_cube),
    "coefficients: wrong sign": (
        coefficient_system,
        plant_formed_once("_pull", lambda it: 3.0 / it.y.shape[-1] * it.y[:, None, :]),
    ),
    "coefficients: missing 3": (
        coefficient_system,
        plant_formed_once("_cubed_pull", lambda it: -(it.strength[:, None] ** 3) / it.y.shape[-1]),
    ),
    "coefficients: square of the strength": (
        coefficient_system,
        plant_formed_once("_cubed", lambda it: it.strength[:, None, :] ** 2),
    ),
    "exact law: degrees of freedom do not count down": (
        exact_law,
        plant_bartlett(lambda size, degrees: np.full(size, 1.0 * degrees)),
    ),
    "exact law: degrees of freedom count up": (
        exact_law,
        plant_bartlett(lambda size, degrees: degrees + 1.0 * np.arange(size)),
    ),
    "exact law: a degree of freedom of w* too many": (
        exact_law,
        plant_bartlett(lambda size, degrees: degrees + 1 - 1.0 * np.arange(size)),
    ),
    "exact law: no weights outside the data": (exact_law, plant_no_outside),
    "law: noise along w*": (sample_of_the_law, plant_noise(1.0)),
    "law: a trace of noise along w*": (sample_of_the_law, plant_noise(1e-12)),
    "law: noise projected once": (sample_of_the_law, plant_one_projection),
    "law: margins swapped": (sample_of_the_law, plant_swapped_margins),
    "optimizer: uphill": (optimizer, plant_step("gd", uphill)),
    "optimizer: γ off by one step": (optimizer, plant_step("momentum", late_decay)),
    "optimizer: lost 1 − γ": (optimizer, plant_step("momentum", lost_weight)),
    "optimizer: average of the step before": (optimizer, plant_step("momentum", old_average)),
    "optimizer: rate outside the velocity": (optimizer, plant_step("velocity", outside_rate)),
    "optimizer: no look-ahead": (optimizer, plant_step("nesterov", plain_velocity)),
    "tensor power: lower bound too high": (tensor_power, plant_bounds(1.2, 1.0)),
    "tensor power: upper bound too low": (tensor_power, plant_bounds(1.0, 0.9)),
}


@pytest.mark.parametrize("check", sorted({check for check, _ in BUGS.values()}, key=lambda check: check.__name__))
def test_the_right_code_passes(check):
    check()


@pytest.mark.parametrize(("check", "plant"), BUGS.values(), ids=BUGS.keys())
def test_a_planted_bug_is_caught(monkeypatch, check, plant):
    with monkeypatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            check()
    check()  # and the bug is gone again


# --- tolerances ----------------------------------------------------------------------------------------------------

KINDS = sorted({kind for kind, _ in TABLE})
RELATIVE = [(kind, dtype) for kind, dtype in TABLE if dtype != "any"]


@pytest.mark.parametrize("entry", TABLE, ids=" ".join)
def test_a_tolerance_has_a_reason_and_is_not_wide(entry):
    kind, dtype = entry
    assert dtype in ("float64", "float32", "any")
    assert 0 < TABLE[entry].value <= CEILINGS[kind]
    assert len(TABLE[entry].reason.split()) > 8
    assert tolerance(*entry) == TABLE[entry].value


def test_there_is_a_ceiling_for_each_kind():
    assert sorted(CEILINGS) == KINDS


def literals(source: str) -> set[str]:
    """Tolerances given to a call as keywords, and calls that bring one of their own."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    keywords = {keyword.arg for call in calls for keyword in call.keywords}
    names = {ast.unparse(call.func).split(".")[-1] for call in calls}
    return (keywords & {"rtol", "atol", "rel_tol", "abs_tol"}) | (names & {"approx", "isclose", "allclose"})


TESTS = Path(__file__).parent


HELD = [*TESTS.glob("*.py"), *(TESTS / "theory").rglob("*.py"), *(TESTS / "proofs_check").rglob("*.py")]


@pytest.mark.parametrize("path", HELD, ids=lambda path: path.name)
def test_tolerances_come_from_the_table(path):
    assert not literals(path.read_text(encoding="utf-8"))


def test_those_of_every_subject_are_held_to_it():
    assert len(HELD) > 35
    assert {"test_law.py", "test_energy.py", "test_order.py", "test_quality.py"} <= {path.name for path in HELD}


def test_a_tolerance_beside_the_table_is_seen():
    assert literals("assert np.allclose(a, b, rtol=0.1)") == {"rtol", "allclose"}
    assert literals("x = pytest.approx(3)") == {"approx"}
    assert not literals("assert_close(a, b, scale=3)")


@pytest.mark.parametrize(("kind", "dtype"), RELATIVE)
def test_a_tolerance_is_above_rounding_and_below_any_wrong_factor(kind, dtype):
    unit = 2.0**-53 if dtype == "float64" else 2.0**-24
    assert_close([1 + 50 * unit, -2.0], [1.0, -2.0], kind, dtype)
    for wrong in (-1, 0, 0.5, 2, 3, 1.03, 0.97):
        with pytest.raises(AssertionError):
            assert_close([wrong, -wrong], [1.0, -1.0], kind, dtype)


@pytest.mark.parametrize(
    ("actual", "expected"), [([1.0], [1.0, 1.0]), ([math.nan], [1.0]), ([1.0], [math.nan]), ([math.inf], [1.0])]
)
def test_what_is_never_close(actual, expected):
    with pytest.raises(AssertionError):
        assert_close(actual, expected)


def test_a_failure_names_the_entry_and_the_kind():
    with pytest.raises(AssertionError, match=r"Ξ: .*3\.0.* against .*2\.0.*trajectory allows"):
        assert_close([1.0, 3.0], [1.0, 2.0], "trajectory", note="Ξ")


def test_kinds_without_a_number_type_take_any():
    assert tolerance("statistical") == tolerance("statistical", "float32") == TABLE["statistical", "any"].value
    with pytest.raises(KeyError):
        tolerance("finite difference", "float32")
