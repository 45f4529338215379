"""A user's own optimizer, claim and quantity, in a few lines each, through the same doors as ours."""

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.evidence import judge
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.claim import Claim, Hypothesis, Measurement
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, PiecewiseConstant
from lemmascope.theory.verdict import Kind, Status

TRAJECTORY = 1e-10
"""Relative, float64, 100 steps; see test_simulate."""


class Adam:
    """Not linear in the gradients: it divides by their size."""

    linear = False

    def __init__(self, eta):
        self.eta = eta

    def init(self, params):
        return 0 * params, 0 * params

    def step(self, params, grad, state, t):
        first, second = 0.9 * state[0] + 0.1 * grad, 0.999 * state[1] + 0.001 * grad**2
        corrected = first / (1 - 0.9 ** (t + 1)), second / (1 - 0.999 ** (t + 1))
        return params - self.eta * corrected[0] / (corrected[1] ** 0.5 + 1e-8), (first, second)


class DecoupledDecay:
    """Gradient descent with decoupled weight decay: linear."""

    linear = True

    def __init__(self, eta, decay):
        self.eta, self.decay = eta, decay

    def init(self, params):
        return ()

    def step(self, params, grad, state, t):
        return (1 - self.eta * self.decay) * params - self.eta * grad, state


class Polyak:
    """Heavy ball in its two-iterate form, θ + β(θ − θ₋) − η∇: its state is the parameters of the step before."""

    linear = True

    def __init__(self, eta, beta):
        self.eta, self.beta = eta, beta

    def init(self, params):
        return params

    def step(self, params, grad, state, t):
        return params + self.beta * (params - state) - self.eta * grad, params


def test_an_optimizer_that_is_not_linear_runs_on_the_weights(tiny):
    run = simulate(tiny(), {"Adam": Adam(0.01), "GD": GD(0.1)}, iterations=150, record=Every(10))
    assert run.representation == "weights"
    assert "not linear" in run.representation_reason
    losses = run.loss.sum("margin").sel(optimizer="Adam").isel(seed=0)
    assert float(losses[-1]) < 0.2 * float(losses[0])


class Clipped:
    """Gradient descent whose whole gradient is scaled down to a norm of at most one, with a memory of the norms."""

    linear = False

    def __init__(self, eta):
        self.eta = eta

    def init(self, params):
        return float((params**2).sum()) ** 0.5

    def step(self, params, grad, state, t):
        norm = float((grad**2).sum()) ** 0.5
        return params - self.eta / (1 + state) * grad / max(norm, 1.0), 0.9 * state + 0.1 * norm


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_norm_over_all_weights_is_that_of_one_seed(tiny, difference, dtype):
    """A batch of seeds is stepped seed by seed where an optimizer is not linear."""
    optimizers = {"GD": GD(0.1), "clipped": Clipped(2.0), "GD+M": MomentumAverage(0.1, 0.9), "Adam": Adam(0.01)}

    def run(seeds, chunk):
        return simulate(
            tiny(alpha=6.0),
            optimizers,
            iterations=40,
            seeds=seeds,
            chunk=chunk,
            workers=1,
            dtype=dtype,
            record=Every(5),
            whole_Xi=True,
        )

    together, alone = run(5, 5), run(1, 1)
    assert difference(together.isel(seed=[0]), alone) == []
    assert difference(together, run(5, 2)) == []
    assert float(abs(together.c.sel(optimizer="clipped") - together.c.sel(optimizer="GD")).max()) > 0.01


@pytest.mark.parametrize("problem", ["law", "exact law"])
def test_coefficients_are_refused_to_it(tiny, problem):
    chosen = tiny() if problem == "law" else LawProblem(tiny(d=1000), "exact")
    with pytest.raises(InputError, match="representation"):
        simulate(chosen, {"GD": GD(0.1), "Adam": Adam(0.01)}, iterations=5, representation="coefficients")


def test_adam_does_not_commute_with_the_projection(tiny):
    """Declared linear against the truth, it is found out before the two representations part."""

    class Liar(Adam):
        linear = True

    for representation in ("weights", "coefficients"):
        with pytest.raises(InputError, match="linear = False"):
            simulate(tiny(), {"Adam": Liar(0.01)}, iterations=20, representation=representation)


@pytest.mark.parametrize("own", [DecoupledDecay(0.1, 0.05), Polyak(0.02, 0.9)], ids=["decay", "Polyak"])
def test_a_linear_one_runs_on_both(tiny, own):
    a, b = (
        simulate(
            tiny(P=3),
            {"GD": GD(0.1), "own": own, "GD+M": MomentumAverage(0.2, 0.9)},
            iterations=100,
            seeds=2,
            whole_Xi=True,
            representation=r,
        )
        for r in ("weights", "coefficients")
    )
    for name in ("c", "Xi", "weight_norm_squared"):
        assert float(abs(a[name] - b[name]).max()) < TRAJECTORY * float(abs(a[name]).max()), name
    assert float(abs(a.sel(optimizer="own").c - a.sel(optimizer="GD").c).max()) > 0.01


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_a_state_that_keeps_the_parameters_is_safe_beside_others(tiny, representation):
    """Polyak's form is the velocity form: alone, and stacked with other classes."""
    eta, beta = 0.02, 0.9
    twin = MomentumAverage(eta / (1 - beta), beta)
    alone = simulate(tiny(), {"own": Polyak(eta, beta)}, iterations=60, record=Every(1), representation=representation)
    beside = simulate(
        tiny(),
        {"GD": GD(0.1), "own": Polyak(eta, beta), "twin": twin},
        iterations=60,
        record=Every(1),
        representation=representation,
    )
    scale = float(abs(beside.c).max())
    assert float(abs(alone.c.sel(optimizer="own") - beside.c.sel(optimizer="own")).max()) < TRAJECTORY * scale
    assert float(abs(beside.c.sel(optimizer="twin") - beside.c.sel(optimizer="own")).max()) < TRAJECTORY * scale


@pytest.mark.parametrize("returned", [lambda params: params[0], lambda params: 0.1, lambda params: params.astype("f4")])
def test_an_optimizer_that_returns_something_else_is_refused(tiny, returned):
    class Own(DecoupledDecay):
        def step(self, params, grad, state, t):
            return returned(params), state

    for optimizers in ({"own": Own(1, 1)}, {"GD": GD(0.1), "own": Own(1, 1)}):
        with pytest.raises(InputError, match=r"optimizer [Oo]wn"):
            simulate(tiny(), optimizers, iterations=5)


def test_claims_about_gd_leave_other_optimizers_alone(tiny):
    run = simulate(
        tiny(),
        {"decay": DecoupledDecay(0.1, 0.05), "steps": GD(PiecewiseConstant((0, 5), (0.1, 0.05)))},
        iterations=30,
        seeds=2,
    )
    found = judge(run)
    assert found
    assert not any(v.claim.startswith(("gd.p", "gd.m", "gd.f", "gd.g", "gdm.")) for v in found)
    monotone = [v for v in found if v.claim == "lemma.signal_monotone"]
    assert [v.label for v in monotone] == ["decay", "steps"]
    assert {v.reason for v in monotone} == {"hypothesis gd_or_momentum fails"}


# --- own quantities ------------------------------------------------------------------------------------------------


def test_own_quantities(tiny, patches):
    quantities = {
        "energy": lambda view: (view.margins**2).sum(axis=-1),
        "Xi_mean": lambda view: view.Xi.mean(axis=(3, 4)),
    }
    for problem in (tiny(P=3), patches()):
        run = simulate(
            problem,
            {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)},
            iterations=20,
            seeds=2,
            whole_Xi=True,
            quantities=quantities,
        )
        assert run.energy.dims == ("seed", "optimizer", "iteration")
        assert run.Xi_mean.dims == ("seed", "optimizer", "iteration", "neuron")
        assert np.allclose(run.Xi_mean, run.Xi.mean(("sample", "patch")), rtol=1e-12, atol=1e-15)
    plain = simulate(tiny(P=3), {"GD": GD(0.1)}, iterations=20)
    watched = simulate(tiny(P=3), {"GD": GD(0.1)}, iterations=20, quantities=quantities)
    assert plain.c.equals(watched.c)


@pytest.mark.parametrize("bad", [lambda view: 3.0, lambda view: view.ell, lambda view: view.Xi, lambda view: None])
def test_a_quantity_of_another_shape_is_refused(tiny, bad):
    with pytest.raises(InputError, match="quantity mine"):
        simulate(tiny(), {"GD": GD(0.1)}, iterations=5, quantities={"mine": bad})


# --- own claims ----------------------------------------------------------------------------------------------------


def test_an_own_claim(tiny):
    """Statement, measurement and bound: the loss of GD never rises."""

    def rise(run):
        return Measurement(run["loss"].sum("margin").diff("iteration").max("iteration"), upper=0.0)

    long = Hypothesis("ten_steps", "at least ten steps", lambda run: run.iterations >= 10)
    mine = Claim(
        id="mine.descent",
        statement=r"$L(t+1) \le L(t)$",
        plain="the loss never rises",
        kind=Kind.BOUND,
        source="user",
        measure=rise,
        assumes=(long,),
        about="gd",
    )
    optimizers = {"slow": GD(0.01), "fast": GD(30.0), "GD+M": MomentumAverage(0.1, 0.9)}
    run = simulate(tiny(), optimizers, iterations=30, seeds=3, record=Every(1))
    found = {v.label: v for v in judge(run, [mine])}
    assert set(found) == {"slow", "fast"}
    assert found["slow"].status is Status.HOLDS
    assert found["slow"].as_expected
    assert found["fast"].status is Status.REFUTED
    assert found["fast"].witness["computed"] > 0
    assert found["fast"].witness["seed"] in (0, 1, 2)
    short = simulate(tiny(), {"slow": GD(0.01)}, iterations=5, seeds=3)
    (verdict,) = judge(short, [mine])
    assert (verdict.status, verdict.reason) == (Status.NOT_APPLICABLE, "hypothesis ten_steps fails")


def test_an_own_claim_on_own_quantity_with_high_probability(tiny):
    def grows(run):
        return Measurement(run.final["energy"] - run.initial["energy"], lower=0.0)

    mine = Claim(
        id="mine.grows",
        statement="margins grow",
        plain="margins grow",
        kind=Kind.BOUND,
        source="user",
        measure=grows,
        probability=0.5,
    )
    run = simulate(
        tiny(),
        {"GD": GD(0.1)},
        iterations=30,
        seeds=5,
        quantities={"energy": lambda view: (view.margins**2).sum(axis=-1)},
    )
    assert [v.status for v in judge(run, [mine])] == [Status.HOLDS]
    assert [v.status for v in judge(run.isel(seed=slice(0, 3)), [mine])] == [Status.INCONCLUSIVE]


def test_a_claim_without_a_source_of_ours_is_refused():
    values = {"statement": "?", "plain": "?", "kind": Kind.BOUND, "measure": lambda run: Measurement(run["T_0"])}
    with pytest.raises(InputError, match="source"):
        Claim(id="mine", source="hearsay", **values)
