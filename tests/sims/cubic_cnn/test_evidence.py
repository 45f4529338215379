"""Verdicts on small networks: the theorems come out where their hypotheses hold, and name the one that fails."""

import dataclasses
import math

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.evidence import evidence, family, judge, runs
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.trajectory import load, save
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.theory.claim import FAMILY, Claim, Measurement
from lemmascope.theory.cubic_cnn.claims import CLAIMS, TRAJECTORY
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov
from lemmascope.theory.verdict import Kind, Status

PAIR = {"GD": GD(0.2), "GD+M": MomentumAverage(0.2, 0.998)}
RATES = {**{f"GD {eta:g}": GD(eta) for eta in (0.1, 0.2, 0.3)}, "GD+M": MomentumAverage(0.2, 0.998)}
ELSEWHERE = {"gd.no_learning_rate_rescues", "lemma.cross_terms_small"}
"""Judged on runs of their own: a grid of learning rates, and d ≫ n²."""


@pytest.fixture(scope="module")
def trajectory(learning):
    return simulate(learning(), PAIR, iterations=3000, seeds=8, record=Logarithmic(60))


@pytest.fixture(scope="module")
def verdicts(trajectory):
    return judge(trajectory)


@pytest.fixture(scope="module")
def grid(learning):
    return judge(
        simulate(learning(), RATES, iterations=2000, seeds=8, record=Logarithmic(10), audit=False),
        [CLAIMS["gd.no_learning_rate_rescues"]],
    )


@pytest.fixture(scope="module")
def many_dimensions():
    """d = 10⁷ against n = 8: the regime of the small cross terms, drawn from the exact law."""
    from lemmascope.theory.cubic_cnn.parameters import Parameters

    d = 10**7
    p = Parameters(d=d, N=8, P=2, m=4, alpha=2.0, beta=0.2, mu=0.25, sigma=2 / math.sqrt(d), sigma_0=0.1)
    run = simulate(LawProblem(p, "exact"), PAIR, iterations=60, seeds=5, record=Every(5))
    return judge(run, [CLAIMS["lemma.cross_terms_small"], CLAIMS["lemma.cross_terms"]])


@pytest.mark.parametrize("name", sorted({claim.id for claim in TRAJECTORY} - ELSEWHERE))
def test_every_claim_holds_on_a_small_network(verdicts, name):
    found = [v for v in verdicts if v.claim == name]
    concerned = {"gd": ["GD"], "momentum": ["GD+M"], "any": ["GD", "GD+M"]}
    assert [v.label for v in found] == concerned[CLAIMS[name].about]
    for verdict in found:
        assert verdict.status is Status.HOLDS, (verdict.reason, verdict.by_seed)
        assert len(verdict.seeds) >= 5
        assert len(verdict.holding) >= (7 if CLAIMS[name].probability is not None else len(verdict.seeds))


def test_no_learning_rate_rescues_gd(grid):
    (verdict,) = grid
    assert verdict.status is Status.HOLDS, verdict.by_seed
    assert set(verdict.evidence) == {"eta = 0.1", "eta = 0.2", "eta = 0.3"}


def test_cross_terms_are_small_where_dimensions_are_many(many_dimensions):
    assert len(many_dimensions) == 4
    for verdict in many_dimensions:
        assert verdict.status is Status.HOLDS, (verdict.claim, verdict.reason)


def test_every_verdict_on_real_runs_had_its_control_refuted(verdicts, grid, many_dimensions):
    judged = [v for v in (*verdicts, *grid, *many_dimensions) if v.status is not Status.NOT_APPLICABLE]
    assert {v.claim for v in judged} == {claim.id for claim in TRAJECTORY}
    for verdict in judged:
        assert verdict.control["status"] == "REFUTED", (verdict.claim, verdict.label)
        assert verdict.as_expected


def test_gd_and_momentum_differ_as_in_the_talk(trajectory):
    """Fits, large margin, small margin: ✓ ✓ ✗ for GD and ✓ ✓ ✓ for GD+M."""
    final = trajectory.isel(iteration=-1)
    accuracy = final.test_accuracy.median("seed")
    assert float(final.train_accuracy.median("seed").min()) == 1
    assert float(accuracy.sel(margin="large").min()) > 0.99
    assert float(accuracy.sel(optimizer="GD", margin="small")) < 0.55
    assert float(accuracy.sel(optimizer="GD+M", margin="small")) > 0.99


def test_a_saved_trajectory_is_judged_alike(trajectory, verdicts, tmp_path):
    again = judge(load(save(trajectory, tmp_path / "run.nc")))
    for a, b in zip(verdicts, again, strict=True):
        first, second = (
            {k: v for k, v in dataclasses.asdict(x).items() if k not in ("by_seed", "evidence")} for x in (a, b)
        )
        assert first == second


def test_runs_carry_the_average_form(tiny):
    optimizers = {
        "GD": GD(0.1),
        "GD+M": MomentumAverage(0.1, 0.9),
        "velocity": MomentumVelocity(0.01, 0.9),
        "Nesterov": Nesterov(0.01, 0.9),
    }
    found = {run.label: run for run in runs(simulate(tiny(), optimizers, iterations=5))}
    assert {name: run.role for name, run in found.items()} == {
        "GD": "gd",
        "GD+M": "momentum",
        "velocity": "momentum",
        "Nesterov": "other",
    }
    assert (found["GD"].eta, found["GD"].gamma) == (0.1, 0.0)
    assert np.isclose(found["velocity"].eta, 0.1, rtol=1e-15)
    assert found["GD"].parameters == found["GD"].p == tiny()


def test_the_family_is_all_optimizers_at_once(tiny):
    whole = family(simulate(tiny(), {"a": GD(0.1), "b": GD(0.2)}, iterations=5))
    assert (whole.role, whole.optimizers) == (FAMILY, {"a": (0.1, 0.0), "b": (0.2, 0.0)})
    assert (whole.label, whole.parameters) == ("2 optimizers", tiny())


def test_a_trajectory_is_the_evidence_of_each_optimizer_and_of_all(tiny):
    trajectory = simulate(tiny(), {"a": GD(0.1), "b": GD(0.2)}, iterations=5, seeds=2)
    assert [(run.label, run.role) for run in evidence(trajectory)] == [
        ("a", "gd"),
        ("b", "gd"),
        ("2 optimizers", FAMILY),
    ]
    one = evidence(trajectory.sel(optimizer="b", seed=1))
    assert [(run.label, run.role) for run in one] == [("b", "gd"), ("1 optimizers", FAMILY)]
    assert one[0].data.sizes["seed"] == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.isel(iteration=slice(1, None)), "begin with iteration 0"),
        (lambda t: t.isel(iteration=-1), "begin with iteration 0"),
        (lambda t: t.isel(seed=[0, 0]), "seeds repeated.*each seed must occur once"),
        (lambda t: t.drop_vars("seed").isel(seed=0), "dimension seed"),
        (lambda t: t.isel(optimizer=0, drop=True), "dimension optimizer"),
        (lambda t: t.drop_attrs(), "attribute parameters"),
    ],
)
def test_what_is_no_trajectory_is_refused(tiny, spoil, said):
    trajectory = simulate(tiny(), {"a": GD(0.1)}, iterations=5, seeds=2)
    with pytest.raises(InputError, match=f"trajectory = .*{said}"):
        evidence(spoil(trajectory))


def test_a_claim_of_a_users_own_is_named_where_it_fails(tiny):
    trajectory = simulate(tiny(), {"a": GD(0.1)}, iterations=5)
    values = {"statement": "$q$", "plain": "q", "kind": Kind.BOUND, "source": "user"}
    claim = Claim(id="mine.q", measure=lambda run: Measurement(run["q"]), **values)
    with pytest.raises(InputError, match=r"claim = 'mine\.q' .*KeyError"):
        judge(trajectory, claim)
    claim = Claim(
        id="mine.c", measure=lambda run: Measurement(run["c"].max(("neuron", "iteration")), upper=1e9), **values
    )
    (verdict,) = judge(trajectory, [claim])
    assert (verdict.status, verdict.label, verdict.control) == (Status.HOLDS, "a", None)


def test_claims_are_judged_in_order_and_once_a_run(verdicts):
    order = [claim.id for claim in TRAJECTORY]
    places = [order.index(v.claim) for v in verdicts]
    assert places == sorted(places)
    assert len({(v.claim, v.label) for v in verdicts}) == len(verdicts)


# --- where a theorem is not claimed --------------------------------------------------------------------------------


def theorem(run, prefix):
    """Verdicts on the claims of this prefix that are about one optimizer, without their controls."""
    chosen = [claim for claim in TRAJECTORY if claim.id.startswith(prefix) and claim.about != FAMILY]
    return judge(run, bare(chosen))


def bare(claims):
    return [dataclasses.replace(claim, control=None) for claim in claims]


NOT_CLAIMED = [
    ("no_penalty", {"lam": 0.01}, PAIR, 30, ("gd.", "gdm.", "lemma.signal_monotone", "lemma.tensor", "lemma.stages")),
    ("separated_margins", {"alpha": 1.0}, PAIR, 30, ("gd.", "gdm.", "lemma.stages")),
    ("long_enough", {}, PAIR, 30, ("gd.", "gdm.", "lemma.stages")),
    ("below_overshoot", {}, {"GD": GD(0.7)}, 300, ("gd.",)),
    ("enough_momentum", {"sigma": 1.0, "sigma_0": 0.1}, {"GD+M": MomentumAverage(0.2, 0.99)}, 300, ("gdm.",)),
    (
        "weak_friction",
        {"sigma": 1.0, "sigma_0": 0.1, "alpha": 40.0, "beta": 1.0},
        {"GD+M": MomentumAverage(0.2, 0.99)},
        300,
        ("gdm.",),
    ),
    ("recorded_densely", {}, {"GD": GD(0.01)}, 30, ("lemma.tensor",)),
    ("starts_below", {"sigma_0": 2.0}, {"GD": GD(0.01)}, 30, ("lemma.tensor",)),
    ("many_dimensions", {}, PAIR, 30, ("lemma.cross_terms_small",)),
    ("audited", {}, PAIR, 30, ("lemma.signal_gradient", "lemma.noise_gradient")),
]


@pytest.mark.parametrize(
    ("hypothesis", "changes", "optimizers", "iterations", "claims"), NOT_CLAIMED, ids=[case[0] for case in NOT_CLAIMED]
)
def test_a_failing_hypothesis_is_named(learning, hypothesis, changes, optimizers, iterations, claims):
    p, record = learning(**changes), Every(iterations)
    run = simulate(p, optimizers, iterations=iterations, seeds=5, record=record, audit=False)
    found = theorem(run, claims)
    assert found
    for verdict in found:
        assert verdict.status is Status.NOT_APPLICABLE, (verdict.claim, verdict.reason)
        assert verdict.reason == f"hypothesis {hypothesis} fails", verdict.claim
        assert not verdict.as_expected


def test_both_margins_must_be_there(tiny):
    run = simulate(tiny(N=4, mu=0.25, sigma=0.7, sigma_0=0.5), {"GD": GD(0.1)}, iterations=20, seeds=12, audit=False)
    both = np.flatnonzero(((run.small_count > 0) & (run.small_count < 4)).values)
    assert 0 < both.size < 12
    found = [v for v in theorem(run, ("gd.",)) if v.seeds]
    assert found
    assert all(set(v.seeds) <= set(both) for v in found)
    one_margin = run.isel(seed=sorted(set(range(12)) - set(both)))
    assert {v.reason for v in theorem(one_margin, ("gd.",))} == {"hypothesis both_margins fails"}


def test_an_unlucky_draw_of_all_neurons_is_left_out(tiny):
    """With one neuron c(0) < 0 has probability one half: these seeds are no counterexamples."""
    run = simulate(tiny(m=1, sigma=0.7, sigma_0=0.5), {"GD": GD(0.1)}, iterations=20, seeds=12, audit=False)
    lucky = np.flatnonzero((run.c.isel(iteration=0, neuron=0, optimizer=0) > 0).values)
    assert 0 < lucky.size < 12
    found = theorem(run, ("gd.fits",))
    assert [v.seeds for v in found] == [tuple(lucky)]
    unlucky = run.isel(seed=sorted(set(range(12)) - set(lucky)))
    assert {v.reason for v in theorem(unlucky, ("gd.fits",))} == {"hypothesis lucky_neuron fails"}


def test_a_sample_without_an_aligned_neuron_counts_against_memorization(learning):
    """It is no hypothesis that each small-margin sample has a neuron of its sign: the evidence has the number."""
    run = simulate(learning(m=2, sigma=0.3, sigma_0=0.3), {"GD": GD(0.2)}, iterations=100, seeds=8, audit=False)
    start = run.alignment_min.isel(iteration=0, optimizer=0).sel(margin="small")
    (verdict,) = theorem(run, ("gd.memorizes",))
    assert (start < 0).all()
    assert verdict.evidence["min over Z2 of max y Xi(0)"] == start.values.tolist()
    assert len(verdict.seeds) >= 5
    assert verdict.holding == ()
    assert verdict.status is Status.REFUTED


def test_a_grid_of_rates_must_be_a_grid(tiny):
    run = simulate(tiny(), PAIR, iterations=5, seeds=5, audit=False)
    (verdict,) = judge(run, CLAIMS["gd.no_learning_rate_rescues"])
    assert (verdict.status, verdict.reason) == (Status.NOT_APPLICABLE, "hypothesis grid fails")
    assert verdict.control["status"] == "not run"


@pytest.mark.parametrize("known", [{}, {"w_star": "known"}, {"w_star": "known", "small": "known"}])
def test_nothing_is_claimed_for_own_data(patches, known):
    found = judge(simulate(patches(**known), PAIR, iterations=20, seeds=5))
    assert {v.claim for v in found} == {claim.id for claim in TRAJECTORY}
    for verdict in found:
        assert (verdict.status, verdict.reason) == (Status.NOT_APPLICABLE, "hypothesis known_law fails")
        assert verdict.hypotheses[0] == {
            "name": "known_law",
            "statement": verdict.hypotheses[0]["statement"],
            "holds": 0,
            "of": 5,
        }


def test_a_wrong_trajectory_is_refuted_with_its_witness(trajectory):
    """One seed that unlearns in one recorded step refutes a deterministic lemma, and is shown."""
    broken = trajectory.copy(deep=True)
    broken["c"].values[3, 0, -1, 2] -= 0.5
    found = {v.label: v for v in judge(broken, bare([CLAIMS["lemma.signal_monotone"]]))}
    assert found["GD"].status is Status.REFUTED
    assert found["GD"].witness["seed"] == 3
    assert found["GD"].witness["computed"] == float(broken["c"].values[3, 0, -1, 2] - broken["c"].values[3, 0, -2, 2])
    assert found["GD+M"].status is Status.HOLDS


def test_an_undefined_number_decides_nothing(trajectory):
    broken = trajectory.copy(deep=True)
    broken["c"].values[3, 0, -1] = np.nan
    (found,) = judge(broken, bare([CLAIMS["gd.partially_learns"]]))
    assert (found.status, found.reason) == (Status.INCONCLUSIVE, "the quantity is undefined on seed 3")
    for verdict in judge(broken, bare([CLAIMS["lemma.signal_monotone"]])):
        assert verdict.status is not Status.REFUTED
