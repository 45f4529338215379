"""Negative controls: each claim has one, and it is a run that the claim must reject."""

import dataclasses

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.controls import CONTROLS, ETA, ITERATIONS, SMALL, settled
from lemmascope.sims.cubic_cnn.evidence import evidence
from lemmascope.sims.cubic_cnn.planted import PLANTED
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.judge import judge
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.theory.claim import Claim, Control, Measurement
from lemmascope.theory.cubic_cnn.claims import CLAIMS, TRAJECTORY
from lemmascope.theory.cubic_cnn.claims.learning_rates import rates
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
    if claim.id == "lemma.tensor_power":  # of any GD run: its control is in the statement
        assert (claim.control.made, claim.control.constants) == (None, {"factor": 0.1})
        return
    assert claim.control.made in CONTROLS
    assert claim.control.constants is None


@pytest.mark.parametrize(
    "claim", [c for c in TRAJECTORY if str(c.control.made).startswith("planted:")], ids=lambda claim: claim.id
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


RATES = {
    "slow GD": GD(1e-9),
    "GD": GD(0.2),
    "slower GD": GD(0.1),
    "weak": MomentumAverage(0.2, 0.01),
    "faster": MomentumAverage(0.25, 0.998),
    "GD+M": MomentumAverage(0.2, 0.998),
}


@pytest.fixture(scope="module")
def whole(learning):
    """Runs that are long enough for both theorems, but for the one that does not move."""
    made = evidence(simulate(learning(), RATES, iterations=2500, seeds=5, record=Logarithmic(40), audit=False))
    return {run.label: run for run in made}


def test_the_counterpart_has_the_same_learning_rate_and_is_where_it_should_be(whole):
    every = [*whole.values()]
    for run, other in (("GD", "GD+M"), ("GD+M", "GD"), ("weak", "GD"), ("slower GD", None), ("faster", None)):
        found = shown("counterpart", whole[run], every)
        assert (found and found.label) == other, run
        if found is not None:
            assert (found.eta, found.role) == (whole[run].eta, whole[other].role)
            assert found.data.seed.values.tolist() == settled(whole[other])
            assert (found.final["loss"].sum("margin") <= 0.1 * np.log(2)).all()
    assert settled(whole["slow GD"]) == []
    assert settled(whole["weak"]) == []  # it has not the momentum that the theorem asks for


def test_a_run_that_never_moved_is_no_control(whole):
    """At η = 10⁻⁹ nothing is learnt, and nothing memorized: all would be refuted there."""
    still = dataclasses.replace(whole["slow GD"], eta=0.2)
    assert shown("counterpart", whole["GD+M"], [still, whole["GD+M"]]) is None
    claims = [claim for claim in TRAJECTORY if claim.id in ("gdm.learns_feature", "gdm.generalizes")]
    for verdict in judge(claims, [still, whole["GD+M"]], CONTROLS):
        if verdict.label == "GD+M":
            assert (verdict.status, verdict.control["status"]) == (Status.HOLDS, "not run")
            assert verdict.as_expected


def test_a_run_that_has_not_come_far_is_no_control(everyone):
    """Of four samples some runs fit all, by the luck of the draw: it is the loss that tells."""
    gd, momentum, _ = everyone
    assert (gd.final["train_accuracy"].min("margin") == 1).any()
    assert shown("counterpart", gd, everyone) is None
    assert shown("counterpart", momentum, everyone) is None


def test_seeds_without_luck_are_no_control(whole):
    """Where every c(0) is negative GD learns nothing, whatever the theorem says of others."""
    data = whole["GD"].data.copy(deep=True)
    data["c"].loc[{"seed": 1}] = -0.01
    unlucky = dataclasses.replace(whole["GD"], data=data)
    found = shown("counterpart", whole["GD+M"], [unlucky])
    assert found.data.seed.values.tolist() == [s for s in settled(whole["GD"]) if s != 1]


def test_the_initial_state_has_no_steps(everyone):
    made = shown("initial_state", everyone[0], everyone)
    assert (made.iterations, made.label, made.role) == (0, "GD", "gd")


def test_swapped_margins_only_change_their_names(everyone):
    control = shown("swapped_margins", everyone[0], everyone)
    for here, there in (("large", "small"), ("small", "large")):
        assert np.array_equal(control["nu"].sel(margin=here), everyone[0]["nu"].sel(margin=there))


def test_momentum_is_counted_as_gd(whole, everyone):
    family = whole[f"{len(RATES)} optimizers"]
    made = shown("momentum_as_gd", family, [])
    counted = {name: pair for name, pair in made.optimizers.items() if family.optimizers[name] != pair}
    assert counted == {"faster": (0.25, 0.0)}  # not the weak one
    assert made.data.seed.values.tolist() == settled(whole["faster"])
    pairs = {**family.optimizers, "faster": (0.35, 0.998)}
    assert "GD+M" in rates(shown("momentum_as_gd", dataclasses.replace(family, optimizers=pairs), []))
    for without in ({"GD": (0.2, 0.0), "Nesterov": None}, {"GD": (0.2, 0.0), "weak": (0.2, 0.01)}):
        assert shown("momentum_as_gd", dataclasses.replace(family, optimizers=without), []) is None
    assert shown("momentum_as_gd", everyone[2], everyone) is None  # it has come nowhere


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
