"""A learning rate that is far too large stops its own run, says so, and disturbs no other."""

import dataclasses
import json
import re

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.evidence import judge
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import advice, load, save
from lemmascope.sims.schedule import Every
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov
from lemmascope.theory.verdict import Status

HUGE = 1e7
"""With λ = 0.01 the penalty alone multiplies W by 1 − ηλ ≈ −10⁵ a step, so every seed diverges. (With λ = 0 a seed may
survive: one leap to huge weights that happen to fit every sample ends all gradients.)"""

AT_ONCE = 1e150
"""The first step overflows, with λ = 0 too."""

BARE = [dataclasses.replace(claim, control=None) for claim in TRAJECTORY]
"""The claims without their controls."""


def run(p, optimizers, **rest):
    return simulate(p, optimizers, **{"iterations": 40, "seeds": 3, "record": Every(1), "whole_Xi": True, **rest})


BESIDE = [
    ({"GD": GD(0.1), "bad": GD(HUGE)}, GD(0.05)),
    ({"bad": GD(HUGE), "GD+M": MomentumAverage(0.1, 0.9)}, GD(0.05)),
    ({"GD": GD(0.1), "bad": Nesterov(HUGE, 0.9)}, Nesterov(0.01, 0.9)),
]


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
@pytest.mark.parametrize(("optimizers", "tame"), BESIDE, ids=["same class", "two classes", "with a buffer"])
def test_one_stops_and_the_others_go_on_bit_for_bit(tiny, difference, representation, optimizers, tame):
    with_it = run(tiny(lam=0.01), optimizers, representation=representation)
    without = run(tiny(lam=0.01), {**optimizers, "bad": tame}, representation=representation)
    good = [name for name in optimizers if name != "bad"]
    assert difference(with_it.sel(optimizer=good), without.sel(optimizer=good)) == []
    assert (without.diverged_at == -1).all()
    bad = with_it.sel(optimizer="bad")
    assert ((bad.diverged_at > 2) & (bad.diverged_at < 40)).all()
    assert set(bad.diverged_quantity.values) <= {"c", "Xi", "margins"}
    assert (with_it.diverged_quantity.sel(optimizer=good) == "").all()


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_finite_before_and_nan_from_then_on(tiny, representation):
    found = run(tiny(lam=0.01), {"GD": GD(0.1), "bad": GD(HUGE)}, representation=representation).sel(optimizer="bad")
    before = found.iteration < found.diverged_at
    for name in ("c", "Xi", "nu", "loss", "weight_norm_squared", "test_accuracy", "signal_gradient_ratio"):
        values = found[name]
        if name != "signal_gradient_ratio":  # its rounding bound overflows a step earlier
            assert np.isfinite(values).where(before, True).all(), name
        assert values.isnull().where(~before, True).all(), name
    # Nothing that was recorded is the zero at which a stopped member waits.
    assert (abs(found.c).max("neuron") > 0).where(before, True).all()


def test_members_of_a_batch_stop_one_by_one(tiny, difference):
    """η near the edge: some seeds diverge, others of the same batch do not; each as in its solo run."""
    for eta in (20.0, 40.0, 80.0, 160.0):
        together = run(tiny(), {"edge": GD(eta)}, seeds=8, chunk=8)
        stopped = int((together.diverged_at >= 0).sum())
        assert difference(together, run(tiny(), {"edge": GD(eta)}, seeds=8, chunk=1)) == []
        if 0 < stopped < 8:
            return
    pytest.fail("no learning rate divides the seeds: this test looks at nothing")


def test_all_may_diverge(tiny):
    found = run(tiny(lam=0.01), {"one": GD(HUGE), "two": GD(2 * HUGE)})
    assert (found.diverged_at > 0).all()
    assert found.c.isel(iteration=-1).isnull().all()
    assert len(advice(found)) == 6


def test_hitting_times_before_a_divergence_are_kept(tiny):
    found = run(tiny(lam=0.01), {"bad": GD(HUGE)}, seeds=8)
    hit = found.T_0.notnull()
    assert hit.any()
    assert (found.diverged_at > found.T_0).where(hit, True).all()


def test_the_advice_is_one_sentence_with_iteration_quantity_and_what_to_try(tiny, tmp_path):
    optimizers = {"GD": GD(0.1), "bad": GD(4_000_000), "scheduled": GD(lambda t: HUGE)}
    found = load(save(run(tiny(lam=0.01), optimizers, seeds=2), tmp_path / "run.nc"))
    sentences = advice(found)
    at = found.diverged_at.sel(optimizer="bad").values
    what = found.diverged_quantity.sel(optimizer="bad").values
    assert sentences[0].startswith(f"seed 0, bad: {what[0]} became non-finite at iteration {at[0]}; its first step ")
    assert sentences[1].startswith("seed 0, scheduled: ")
    assert sentences[1].endswith("try a smaller learning rate")
    assert len(sentences) == 4
    assert advice(run(tiny(), {"GD": GD(0.1)})) == []


def test_the_advice_names_the_noise_where_its_steps_outrun_the_features():
    """HEADLINE's σ at d = 10¹²: σ√d is 10⁵. With the σ of the advice the same run stays finite."""
    p = dataclasses.replace(HEADLINE, d=10**12, N=40, m=4)
    optimizers = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9), "steps": GD(lambda t: 0.1), "fast": GD(10.0)}

    def go(p):
        return simulate(LawProblem(p, "exact"), optimizers, iterations=200)

    sentences = advice(go(p))
    assert len(sentences) == 4
    limit = predictions.largest_noise(p)
    for sentence in sentences[:3]:
        assert "a step of the noise is 1.8e+11 times one of the feature, at every learning rate" in sentence
        assert sentence.endswith(f"try sigma ≤ {limit:.2g}")
        assert "eta" not in sentence
    assert sentences[3].endswith(f"try sigma ≤ {limit:.2g}, and try eta ≤ 5")
    found = go(dataclasses.replace(p, sigma=limit))
    assert (found.diverged_at.sel(optimizer=["GD", "GD+M", "steps"]) < 0).all()


def advised(sentence):
    """The learning rate that a sentence ends with."""
    return float(sentence.rpartition("try eta ≤ ")[2])


def test_the_advice_names_the_learning_rate_where_it_is_what_leaps(tiny):
    """Also where the penalty is: |1 − ηλ| > 1."""
    (first, *_), (both, *_) = (advice(run(p, {"bad": GD(HUGE)})) for p in (tiny(lam=0.01), tiny(lam=0.01, sigma=10.0)))
    assert "sigma" not in first
    assert (run(tiny(lam=0.01), {"better": GD(advised(first))}).diverged_at < 0).all()
    assert "sigma ≤ " in both
    assert both.endswith(", and try eta ≤ 5e+06")


def test_a_users_data_have_no_noise_level(patches):
    problem = patches(lam=0.01)
    (sentence,) = advice(simulate(problem, {"bad": GD(HUGE)}, iterations=200))
    assert "sigma" not in sentence
    better = simulate(problem, {"better": GD(advised(sentence))}, iterations=200)
    assert (better.diverged_at < 0).all()


@pytest.mark.parametrize("eta", [0.1, 1e-6])
def test_the_learning_rate_that_is_advised_for_raw_pixels_runs(patches, eta):
    """Patches of 0 … 255, in one go and not by halves."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, patches().X.shape).astype(float)
    problem = PatchProblem(pixels, patches().y, m=4, sigma_0=0.1)
    (sentence,) = advice(simulate(problem, {"bad": GD(eta)}, iterations=100))
    assert re.search(r"its first step multiplies max \|Ξ\| by .*: try eta ≤ .*e-\d+$", sentence)
    better = simulate(problem, {"better": GD(advised(sentence))}, iterations=100)
    assert (better.diverged_at < 0).all()


def test_where_the_initial_weights_overflow_no_learning_rate_is_advised(patches):
    problem = PatchProblem(1e200 * patches().X, patches().y, m=4, sigma_0=0.1)
    (sentence,) = advice(simulate(problem, {"small": GD(1e-300)}, iterations=10))
    assert "at iteration 0; it is so at the initial weights, before any step: scale X" in sentence
    assert "eta" not in sentence


@pytest.mark.parametrize("label", ["bad", "bad momentum"])
def test_claims_do_not_apply_to_a_diverged_run(tiny, label):
    optimizers = {"GD": GD(0.1), "bad": GD(AT_ONCE), "bad momentum": MomentumAverage(AT_ONCE, 0.9)}
    found = run(tiny(), optimizers, seeds=5)
    judged = judge(found, BARE)
    verdicts = {v.claim: v for v in judged if v.label == label}
    assert len(verdicts) >= 8
    for verdict in verdicts.values():
        assert verdict.status is Status.NOT_APPLICABLE
        assert verdict.reason == "hypothesis stayed_finite fails"
    assert not any(v.label == "GD" and "stayed_finite" in v.reason for v in judged)


def test_a_seed_that_diverged_is_left_out_of_the_verdict(tiny):
    """Some seeds diverge: the claim is judged on the others, and says on how many the hypothesis held."""
    for eta in (20.0, 40.0, 80.0, 160.0):
        found = run(tiny(), {"edge": GD(eta)}, seeds=8)
        stopped = (found.diverged_at.isel(optimizer=0) >= 0).values
        if 0 < stopped.sum() < 8:
            break
    (verdict,) = judge(found, [claim for claim in BARE if claim.id == "lemma.signal_monotone"])
    assert verdict.seeds == tuple(np.flatnonzero(~stopped))
    count = {h["name"]: h["holds"] for h in verdict.hypotheses}["stayed_finite"]
    assert count == 8 - stopped.sum()


class Leap:
    """A user's optimizer that takes a step far too large, once."""

    linear = True

    def init(self, params):
        return None

    def step(self, params, grad, state, t):
        return params - (1e200 if t == 5 else 0.1) * grad, None


@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_the_quantity_that_broke_is_named(tiny, representation):
    found = run(tiny(), {"GD": GD(0.1), "leap": Leap()}, representation=representation)
    assert (found.diverged_at.sel(optimizer="leap") == 6).all()
    assert (found.diverged_quantity.sel(optimizer="leap") == "margins").all()
    assert json.loads(found.attrs["optimizers"])["leap"]["class"] == "Leap"
