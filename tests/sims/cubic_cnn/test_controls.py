"""Negative controls: each claim has one, and it is a run that the claim must reject."""

import dataclasses

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.controls import ITERATIONS, SMALL, control_run
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.judge import judge, runs
from lemmascope.sims.schedule import Every
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.verdict import Claim, Control, Kind, Measurement, Status

KINDS = {
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
def pair():
    """A short run of both optimizers; ``others`` for the counterpart."""
    optimizers = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}
    return runs(simulate(SMALL, optimizers, iterations=ITERATIONS, seeds=8, record=Every(1)))


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_claim_has_a_control(name):
    control = CLAIMS[name].control
    assert control is not None
    assert control.kind in KINDS
    assert len(control.description) > 10


@pytest.mark.parametrize("name", [n for n, c in sorted(CLAIMS.items()) if str(c.control.kind).startswith("planted:")])
def test_a_planted_error_is_refuted_and_the_same_run_without_it_is_not(pair, name):
    """So the claim looks at what the error breaks, and at nothing else."""
    claim = CLAIMS[name]
    sound = claim.judge(pair[0], waive=True)
    verdict = control_run(claim, pair[0], dataclasses.replace(sound, status=Status.HOLDS), pair)
    assert verdict.control == {"description": claim.control.description, "status": "REFUTED"}
    assert sound.status is Status.HOLDS, sound.reason


def watching(kind):
    """A claim that is true of everything and remembers what it was shown."""
    seen = []

    def measure(run):
        seen.append(run)
        return Measurement(run["diverged_at"], upper=np.inf)

    claim = Claim("test.watching", "true", Kind.BOUND, "user", measure, control=Control(kind, "a control of the test"))
    return claim, seen


def shown(kind, run, others):
    claim, seen = watching(kind)
    verdict = control_run(claim, run, claim.judge(run), others)
    return verdict, seen[-1]


def test_the_counterpart_is_the_other_optimizer(pair):
    gd, momentum = pair
    assert shown("counterpart", gd, pair)[1].label == "GD+M"
    assert shown("counterpart", momentum, pair)[1].label == "GD"
    assert shown("counterpart", gd, [gd])[0].control["status"] == "not run"


def test_the_initial_state_has_no_steps(pair):
    assert shown("initial_state", pair[0], pair)[1].iterations == 0


def test_swapped_margins_only_change_their_names(pair):
    control = shown("swapped_margins", pair[0], pair)[1]
    for here, there in (("large", "small"), ("small", "large")):
        assert np.array_equal(control["nu"].sel(margin=here), pair[0]["nu"].sel(margin=there))


def test_a_control_of_the_users_own_is_a_function(pair):
    control = shown(lambda run: dataclasses.replace(run, label="made by hand"), pair[0], pair)[1]
    assert control.label == "made by hand"


def test_an_unknown_control_is_refused(pair):
    claim, _ = watching("gremlin")
    with pytest.raises(InputError, match="gremlin"):
        control_run(claim, pair[0], claim.judge(pair[0]), pair)


def test_no_control_where_nothing_is_claimed(pair):
    claim, seen = watching("initial_state")
    verdict = dataclasses.replace(claim.judge(pair[0]), status=Status.NOT_APPLICABLE)
    seen.clear()
    assert control_run(claim, pair[0], verdict, pair).control["status"] == "not run"
    assert seen == []


def test_a_control_that_is_not_refuted_spoils_the_verdict(pair):
    """A claim that nothing can refute does not come out as expected."""
    claim, _ = watching("initial_state")
    verdict = control_run(claim, pair[0], claim.judge(pair[0]), pair)
    assert verdict.status is Status.HOLDS
    assert verdict.control["status"] == "HOLDS"
    assert not verdict.as_expected


def test_controls_may_be_left_out():
    run = simulate(SMALL, {"GD": GD(0.1)}, iterations=5, seeds=5)
    assert all(v.control is None for v in judge(run, controls=False))
    assert any(v.control is not None and v.control["status"] == "REFUTED" for v in judge(run))
