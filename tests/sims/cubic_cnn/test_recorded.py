"""What a claim finds does not depend on what was recorded: one run with every iteration, and with fewer."""

import dataclasses

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.evidence import judge
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every, Logarithmic, recorded
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.claims.stages import LATER
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage
from lemmascope.theory.verdict import Status

OUTSIDE = Status.NOT_APPLICABLE

ENDS = {claim.id for claim in TRAJECTORY if claim.id.startswith(("gd.", "gdm."))}
"""Claims that look at the first and the last iteration alone, and these are always recorded."""
STATES = {"lemma.signal_gradient", "lemma.noise_gradient", "lemma.cross_terms", "lemma.cross_terms_small"}
"""Claims about each recorded state, and none about what lies between; so they say."""
PAIRS = {"lemma.signal_monotone"}
"""Claims about every two recorded states; so they say."""
TIMES = {"lemma.stages_ordered", "lemma.tensor_power"}
"""Claims about the iteration at which something happens: they have a hypothesis on what is recorded before it."""

CROSSED = Parameters(d=200, N=20, P=2, m=6, alpha=1.5, beta=0.1, mu=0.3, sigma=0.7, sigma_0=0.02)
"""A law on which the small-margin samples are felt first, after some 30 iterations of GD with η = 0.01."""
LAST = 100


class Whole:
    """Every iteration up to 100, in which all that is timed here happens, and some 60 later ones."""

    def iterations(self, last):
        return np.union1d(np.arange(LAST + 1), np.unique(np.geomspace(LAST, last, 60).astype(int)))


def run_of(p, optimizers, iterations, **rest):
    return simulate(p, optimizers, iterations=iterations, seeds=5, record=Whole(), **rest)


@pytest.fixture(scope="module")
def runs(learning):
    """Recorded at every iteration for a while: one on which the stages are not ordered, and one on which they are."""
    return {
        "crossed": run_of(CROSSED, {"GD": GD(0.01), "GD+M": MomentumAverage(0.01, 0.9)}, LAST),
        "ordered": run_of(learning(), {"GD": GD(0.25), "GD+M": MomentumAverage(0.25, 0.998)}, 2000, audit=False),
    }


@pytest.fixture(scope="module")
def dense(runs):
    """The verdicts on all that was recorded."""
    return {name: judge(run, BARE) for name, run in runs.items()}


def sparser(run, schedule):
    kept = recorded(schedule, int(run.iteration[-1]))
    return run.isel(iteration=np.isin(run.iteration.values, kept))


SCHEDULES = [Every(2), Every(7), Every(LAST), Every(2000), *map(Logarithmic, (4, 20, 40, 90, 150))]
BARE = [dataclasses.replace(claim, control=None) for claim in TRAJECTORY]


def test_every_claim_is_of_one_kind():
    kinds = [ENDS, STATES, PAIRS, TIMES]
    assert sorted(x for kind in kinds for x in kind) == sorted(claim.id for claim in TRAJECTORY)
    for claim in TRAJECTORY:
        asked = {h.name for h in claim.assumes}
        assert ("recorded_densely" in asked) == (claim.id in TIMES)
        assert ("recorded iteration" in claim.statement) == (claim.id in STATES | PAIRS)
        assert ("recorded" in claim.plain) == (claim.id in STATES | PAIRS)


@pytest.mark.parametrize("name", ["crossed", "ordered"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_sparser_records_change_no_verdict(runs, dense, name, schedule):
    """They may take one away, by the hypothesis that says so."""
    for a, b in zip(dense[name], judge(sparser(runs[name], schedule), BARE), strict=True):
        assert (a.claim, a.label) == (b.claim, b.label)
        if b.claim in TIMES and b.status is OUTSIDE and a.status is not OUTSIDE:
            assert b.reason == "hypothesis recorded_densely fails", b.claim
        elif b.claim in TIMES:
            gone = set(a.seeds) - set(b.seeds)
            held = [s in a.holding for s in a.seeds if s not in gone]
            assert set(b.seeds) <= set(a.seeds)
            assert [s in b.holding for s in b.seeds] == held, (b.claim, b.label)
        else:
            assert (a.status, a.seeds, a.holding) == (b.status, b.seeds, b.holding), b.claim


def test_stages_out_of_order_are_seen_or_nothing_is_said(runs):
    """With the first and the last iteration alone the claim once held: at the end ν₁ is small whatever came first."""
    # The theorem asks for longer runs: the claim is looked at without its hypothesis on ηT.
    (claim,) = [claim for claim in BARE if claim.id == "lemma.stages_ordered"]
    short = dataclasses.replace(claim, assumes=tuple(h for h in claim.assumes if h.name != "long_enough"))
    assert {v.status for v in judge(runs["crossed"], short)} == {Status.REFUTED}
    for verdict in judge(sparser(runs["crossed"], Every(LAST)), short):
        assert (verdict.status, verdict.reason) == (OUTSIDE, "hypothesis recorded_densely fails")
    for verdict in judge(sparser(runs["crossed"], Logarithmic(60)), short):
        assert verdict.status is Status.REFUTED


def test_the_published_schedules_are_dense_enough():
    for schedule, last in ((Logarithmic(120), 40_000), (Logarithmic(120), 3000), (Logarithmic(200), 10_000)):
        times = recorded(schedule, last)
        assert (times[1:] <= LATER * times[:-1] + 1).all()
