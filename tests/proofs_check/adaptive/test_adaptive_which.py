"""Which algorithm an optimizer is: ours, planted differences, and what cannot be told."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest
from adaptive_floats import Formed

from lemmascope.proofs_check.conformance.adapters import Subject, Untried
from lemmascope.proofs_check.conformance.adaptive.form import ADAM, NAMED
from lemmascope.proofs_check.conformance.adaptive.settings import Settings
from lemmascope.proofs_check.conformance.adaptive.which import which
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import (
    GD,
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
    MomentumAverage,
    MomentumVelocity,
    NAdam,
    Nesterov,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SignSGD,
)

OURS = {
    Adam: "Adam with coupled decay",
    AdamW: "AdamW",
    AMSGrad: "AMSGrad with coupled decay",
    NAdam: "NAdam with coupled decay",
    AdaBelief: "AdaBelief with coupled decay",
    AdaMomentum: "AdaMomentum with coupled decay",
    AMSAdaMomentum: "AdaMomentum with coupled decay, but the largest v so far is used",
    Adamax: "Adamax with coupled decay",
    Adagrad: "Adagrad with coupled decay",
    RMSprop: "RMSprop with coupled decay, but momentum of steps, the rate outside: b ← γb + u, θ ← θ − ηb",
    Lion: "Lion with decoupled decay",
    SignSGD: "signSGD",
    ScheduleFreeSGD: "schedule-free SGD with decoupled decay",
    ScheduleFreeAdamW: "schedule-free AdamW with decoupled decay",
    GD: "gradient descent",
    MomentumAverage: "momentum 'average'",
    MomentumVelocity: "momentum 'velocity'",
    Nesterov: "momentum 'nesterov'",
}


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_each_of_ours_is_what_it_says_and_nothing_else(kind):
    found = which(kind, examples=20)
    assert found.names == (OURS[kind],)
    assert found.dtype == "float64"
    assert all(one.reason.startswith("θ_") for one in found.excluded)


def formed(form, *names):
    """A maker of a form that takes those numbers."""
    takes = ", ".join(("eta", *names))
    given = ", ".join(f"{name}={name}" for name in names)
    return eval(f"lambda {takes}: Formed(form, eta, {given})", {"Formed": Formed, "form": form})


BETAS = ("beta1", "beta2", "epsilon")
NUMBERS = (*BETAS, "weight_decay")


@pytest.mark.parametrize(
    ("changes", "axis", "meant"),
    [
        ({"epsilon": "inside"}, "epsilon", "√v̂ + ε"),
        ({"epsilon": "before_correction"}, "epsilon", "√v̂ + ε"),
        ({"correction": "none"}, "correction", "m is divided by 1−β₁ᵗ"),
        ({"correction_squares": "no"}, "correction_squares", "v is divided by 1−β₂ᵗ"),
        ({"maximum": "corrected"}, "maximum", "the largest v so far is used"),
        ({"squares": "residual_before"}, "squares", "g − m is squared, with the new m"),
        ({"decay": "unscaled"}, "decay", "θ ← (1−ηₜλ)θ beside the step"),
        ({"decay": "relative"}, "decay", "θ ← (1−λ)θ beside the step, without η"),
        ({"decay": "after"}, "decay", "λθ is added to the gradient"),
        ({"rate": "first"}, "rate", "ηₜ"),
    ],
)
def test_a_planted_difference_is_found_with_a_counterexample(changes, axis, meant):
    """What it is, and why it is not what was meant."""
    form = replace(ADAM, **{"decay": "decoupled"} | changes)
    found = which(formed(form, *NUMBERS))
    assert found.found == (form,)
    (against,) = (one for one in found.excluded if one.axis == axis and one.what.split("; ")[0] == meant)
    assert "η = " in against.case
    assert " should be " in against.reason


def test_exchanged_betas_are_found():
    def make(eta, beta1, beta2, epsilon):
        return Adam(eta, beta2, beta1, epsilon)

    assert which(make).names == ("Adam, with β₁ and β₂ exchanged",)


def test_ascent_is_found():
    class Up(Adam):
        def step(self, params, grad, state, t):
            return super().step(params, -grad, state, t)

    assert which(lambda eta, beta1, beta2, epsilon: Up(eta, beta1, beta2, epsilon)).names == ("Adam, ascending",)


def test_what_begins_after_some_steps_is_found():
    """RAdam's first steps are those of a corrected average of gradients."""
    form = replace(NAMED["RAdam"], epsilon="before_correction")
    assert which(formed(form, *BETAS)).found == (form,)


def test_a_part_in_single_precision_is_found():
    def make(eta, beta1, beta2, epsilon):
        class Rough(Adam):
            def bias1(self, t):
                return float(np.float32(1 - self.beta1 ** (t + 1) / 3) * 3 - 2)

        return Rough(eta, beta1, beta2, epsilon)

    found = which(make)
    assert found.names == ("Adam",)
    assert found.dtype == "float32"
    assert "float64 iterates" in found.untold[-1]


def test_one_of_none_says_what_held_out_longest():
    class Clipped(Adam):
        def step(self, params, grad, state, t):
            return super().step(params, np.clip(grad, -1.5, 1.5), state, t)

    found = which(lambda eta, beta1, beta2, epsilon: Clipped(eta, beta1, beta2, epsilon))
    assert found.names == ()
    assert found.excluded[0].axis == "form"
    assert " is none of " in found.text()


# --- names of numbers ----------------------------------------------------------------------------------------------


def test_numbers_go_by_many_names():
    def make(params, lr, betas, eps, weight_decay=0.0):
        pass

    assert Settings(Subject(make)).names == {
        "beta1": "betas",
        "beta2": "betas",
        "epsilon": "eps",
        "weight_decay": "weight_decay",
    }
    assert Settings(Subject(lambda learning_rate, b1, b2, eps: 0)).names == {
        "beta1": "b1",
        "beta2": "b2",
        "epsilon": "eps",
    }
    rms = Settings(Subject(lambda lr, alpha, eps, momentum: 0))
    assert rms.names == {"beta2": "alpha", "epsilon": "eps", "gamma": "momentum"}
    assert Settings(Subject(lambda lr, decay: 0)).names == {"gamma": "decay"}


def test_a_number_that_is_not_taken_is_assumed_and_said():
    found = which(lambda eta: Adam(eta))
    assert found.names == ("Adam",)
    assert found.assumed == {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert "β₁ = 0.9, β₂ = 0.999, ε = 1e-08" in found.text()
    other = functools.partial(Adam, beta1=0.75, epsilon=1e-3)
    wrapped = which(lambda eta: other(eta), hidden={"beta1": 0.75, "epsilon": 1e-3})
    assert wrapped.names == ("Adam",)
    assert which(lambda eta: other(eta)).names == ()


def test_what_is_not_told_is_said():
    found = which(lambda eta, beta1, beta2, epsilon: Adam(eta, beta1, beta2, epsilon))
    assert found.untold == ("how weight decay enters (its maker takes none)",)
    assert not [one for one in found.excluded if one.axis == "decay"]


def test_without_an_epsilon_that_counts_its_place_is_not_told():
    """At ε = 0 hidden, every place of it is the same."""
    found = which(lambda eta, beta1, beta2: Adam(eta, beta1, beta2, 1e-300), hidden={"epsilon": 1e-300})
    assert len(found.names) > 3
    assert "not told apart" in found.text()
    assert next(words for words in found.untold if words.startswith("epsilon, whether √v̂ + ε, or "))
    assert found.names[0] == "Adam"


@pytest.mark.parametrize(
    ("make", "hidden", "said"),
    [
        (lambda eta, beta1: 0, {"beta1": 0.5}, "hidden = 'beta1' is not accepted: it must be one of beta2, epsilon"),
        (lambda eta: 0, {"gamma2": 0.5}, "hidden = 'gamma2' is not accepted"),
        (lambda beta1: 0, {}, r"it takes no learning rate"),
        (lambda eta, extra: 0, {}, r"it asks for extra"),
    ],
)
def test_a_wrong_call_is_refused(make, hidden, said):
    with pytest.raises(InputError, match=said):
        which(make, hidden=hidden)


def test_an_optimizer_that_fails_is_not_named():
    class Broken:
        def init(self, params):
            return None

        def step(self, params, grad, state, t):
            raise RuntimeError("no step today")

    with pytest.raises(Untried, match="no step today"):
        which(lambda eta: Broken())


def test_what_is_found_is_data():
    found = which(AdamW)
    data = json.loads(json.dumps(found.as_json()))
    assert data["names"] == ["AdamW"]
    assert data["axes"][0]["decay"] == "decoupled"
    assert {one["axis"] for one in data["excluded"]} >= {"numerator", "correction", "epsilon", "decay", "rate"}
    assert found.text().startswith("AdamW is AdamW:\n    m ← β₁m")


def test_an_optimizer_that_treats_matrices_otherwise_is_what_it_is_of_vectors_alone():
    found = which(SGDP)
    assert found.names == ("momentum 'pytorch', of vectors",)
    assert found.untold[-1].startswith("what it does with matrices, which is another thing: η = 0.5")
    assert which(AdamP).names == ("AdamW, of vectors",)


def test_only_numbers_on_which_it_depends_are_assumed():
    assert which(SignSGD).assumed == {}
    assert which(lambda eta: Lion(eta), hidden={"beta2": 0.99}).assumed == {"beta1": 0.9, "beta2": 0.99}


def test_one_that_takes_too_long_is_not_told_to_its_end():
    """Three cases by this clock; what they leave is said, and that it is not all."""
    ticks = iter(range(10**6))
    found = which(
        lambda eta, beta1, beta2, epsilon: Adam(eta, beta1, beta2, epsilon), seconds=2.5, clock=lambda: next(ticks)
    )
    assert found.cases == 3
    assert found.names[0] == "Adam"
    assert len(found.names) > 10
    assert f"and {len(found.names) - 10} more" in found.text()
    assert "what further cases say: 2.5 s are over after 3" in found.untold
    assert "whether it follows a schedule (2.5 s are over)" in found.untold
