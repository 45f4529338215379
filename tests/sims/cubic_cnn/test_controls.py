"""Negative controls: each claim has one, and it is a run that the claim must reject."""

import dataclasses

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.controls import CONTROLS, ETA, ITERATIONS, SMALL
from lemmascope.sims.cubic_cnn.evidence import evidence
from lemmascope.sims.cubic_cnn.planted import PLANTED
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.judge import judge
from lemmascope.sims.schedule import Every
from lemmascope.theory.claim import Claim, Control, Measurement
from lemmascope.theory.cubic_cnn.claims import CLAIMS, TRAJECTORY
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.verdict import Kind, Status

WAYS = {
    "counterpart",
    "initial_state",
    "swapped_margins",
    "momentum_as_gd",
    "planted:wrong_sign",
    "planted:missing_three",
    "planted:tilted_noise",
    "planted:twin_noise",
}


@pytest.fixture(scope="module")
def everyone():
    """The runs of both optimizers, and both together."""
    optimizers = {"GD": GD(ETA), "GD+M": MomentumAverage(ETA, 0.9)}
    return evidence(simulate(SMALL, optimizers, iterations=ITERATIONS, seeds=8, record=Every(1)))


def test_the_ways_to_make_a_control_are_those_that_claims_ask_for():
    asked = {claim.control.made for claim in CLAIMS.values() if isinstance(claim.control.made, str)}
    assert set(CONTROLS) == asked == WAYS
    assert {f"planted:{error}" for error in PLANTED} < WAYS


@pytest.mark.parametrize("claim", TRAJECTORY, ids=lambda claim: claim.id)
def test_the_control_of_a_claim_about_trajectories_is_another_run(claim):
    assert claim.control.made in CONTROLS
    assert claim.control.constants is None


@pytest.mark.parametrize(
    "claim", [c for c in TRAJECTORY if c.control.made.startswith("planted:")], ids=lambda claim: claim.id
)
def test_a_planted_error_is_refuted_and_the_same_run_without_it_is_not(everyone, claim):
    """So the claim looks at what the error breaks, and at nothing else."""
    gd = everyone[0]
    sound = claim.judge(gd, waive=True)
    assert sound.status is Status.HOLDS, sound.reason
    (verdict,) = judge(dataclasses.replace(claim, assumes=()), gd, CONTROLS)
    assert verdict.control == {"description": claim.control.description, "status": "REFUTED"}


def shown(way, run, everyone):
    """What a claim is shown as its control."""
    return CONTROLS[way](run, everyone)


def test_the_counterpart_is_the_other_optimizer(everyone):
    gd, momentum, _ = everyone
    assert shown("counterpart", gd, everyone) is momentum
    assert shown("counterpart", momentum, everyone) is gd
    assert shown("counterpart", gd, [gd]) is None


def test_the_initial_state_has_no_steps(everyone):
    made = shown("initial_state", everyone[0], everyone)
    assert (made.iterations, made.label, made.role) == (0, "GD", "gd")


def test_swapped_margins_only_change_their_names(everyone):
    control = shown("swapped_margins", everyone[0], everyone)
    for here, there in (("large", "small"), ("small", "large")):
        assert np.array_equal(control["nu"].sel(margin=here), everyone[0]["nu"].sel(margin=there))


def test_momentum_is_counted_as_gd(everyone):
    family = everyone[2]
    made = shown("momentum_as_gd", family, everyone)
    assert made.optimizers == {"GD": (ETA, 0.0), "GD+M": (ETA, 0.0)}
    assert family.optimizers["GD+M"] == (ETA, 0.9)
    assert made.data is family.data
    without = dataclasses.replace(family, optimizers={"GD": (ETA, 0.0), "Nesterov": None})
    assert shown("momentum_as_gd", without, everyone) is None


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_run_says_what_it_was_run_with(everyone, error):
    made = shown(f"planted:{error}", everyone[0], everyone)
    assert made.data.attrs["planted"] == error
    assert (made.role, made.parameters, made.eta, made.gamma) == ("gd", SMALL, ETA, 0.0)
    assert made.data.sizes["seed"] == 8


def watching(made):
    """A claim that is true of everything, with a control."""

    def measure(run):
        return Measurement(run["diverged_at"], upper=0.0)

    control = Control("a control of the test", made=made)
    values = {"statement": "true", "plain": "true", "kind": Kind.BOUND, "source": "user"}
    return Claim(id="test.watching", measure=measure, control=control, **values)


def test_an_unknown_control_is_refused(everyone):
    with pytest.raises(InputError, match=r"control = 'gremlin'.*test\.watching.*counterpart, initial_state"):
        judge(watching("gremlin"), everyone, CONTROLS)


def test_a_control_that_is_not_refuted_spoils_the_verdict(everyone):
    """A claim that nothing can refute does not come out as expected."""
    for verdict in judge(watching("initial_state"), everyone, CONTROLS):
        assert verdict.status is Status.HOLDS
        assert verdict.control["status"] == "HOLDS"
        assert not verdict.as_expected
