"""Each claim's measure and hypotheses, on hand-made runs of a few numbers: where it holds and where it does not."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr
from tolerances import assert_close

from lemmascope.theory.claim import FAMILY, Evidence
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.claims import (
    CLAIMS,
    PHASE,
    SCALING,
    TRAJECTORY,
    cross_terms,
    hypotheses,
    learning_rates,
)
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.cubic_cnn.run import Run, role_of
from lemmascope.theory.verdict import Kind, Status

# log d = 5.01, 1/α = 1/4, 1/β = 5, 1/(2α) = 1/8.
P = Parameters(d=150, N=20, P=2, m=2, alpha=4.0, beta=0.2, mu=0.25, sigma=2 / math.sqrt(150), sigma_0=0.5)
LOG_D = math.log(150)
T = [0, 1, 2, 1000]
MARGINS = ["large", "small"]
SEEDS = 6

BY_MARGIN = {
    "nu": [[0.4, 0.1], [0.2, 0.1], [0.01, 0.1], [0.001, 0.001]],
    "loss": [[0.5, 0.2], [0.2, 0.2], [0.1, 0.2], [0.001, 0.001]],
    "train_accuracy": [[0.5, 0.5], [1.0, 0.5], [1.0, 0.5], [1.0, 1.0]],
    "Xi_abs_max": [[0.1, 0.2], [0.1, 0.2], [0.1, 0.2], [0.1, 0.3]],
    "memorization_min": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.1], [0.0, 1.0]],
    "memorization_median": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.1], [0.0, 1.0]],
    "alignment_min": [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]],
    "test_accuracy": [[0.5, 0.5], [0.6, 0.5], [0.9, 0.5], [1.0, 0.5]],
    "test_accuracy_error": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
}
"""By iteration and margin; what GD does."""

BY_ITERATION = {
    "weight_norm_squared": [1.0, 1.0, 1.0, 2.0],
    "signal_gradient_ratio": [0.1, 0.2, 0.1, 0.3],
    "signal_gradient_residual": [1e-16, 2e-16, 1e-16, 3e-16],
    "noise_gradient_ratio": [0.1, 0.2, 0.1, 0.3],
    "noise_gradient_residual": [1e-16, 2e-16, 1e-16, 3e-16],
    "cross_ratio": [0.5, 0.5, 1.0, 0.5],
    "cross_to_diagonal": [0.1, 0.2, 0.1, 0.1],
}
COEFFICIENTS = [[0.05, -0.02], [0.1, -0.02], [0.2, -0.01], [0.5, -0.01]]
BY_SEED = {"small_count": 5, "diverged_at": -1, "T_0": 2.0, "T_1": 1000.0}


def run_of(label="GD", eta=0.2, gamma=0.0, parameters=P, seeds=SEEDS, without=(), **changes):
    """A run whose seeds are all alike but for ``changes``: a table, one value, or a function of the seed to either."""
    tables = {**BY_MARGIN, **BY_ITERATION, **BY_SEED, "c": COEFFICIENTS, **changes}
    dims = dict.fromkeys(BY_MARGIN, ("iteration", "margin")) | dict.fromkeys(BY_ITERATION, ("iteration",))
    dims |= dict.fromkeys(BY_SEED, ()) | {"c": ("iteration", "neuron")}
    data = {
        name: (("seed", *dims[name]), np.array([table(s) if callable(table) else table for s in range(seeds)]))
        for name, table in tables.items()
        if name not in without
    }
    dataset = xr.Dataset(data, coords={"seed": range(seeds), "iteration": T, "margin": MARGINS})
    pair = None if eta is None or gamma is None else (eta, gamma)
    return Run(dataset, label, role_of(pair), parameters, eta=eta, gamma=gamma)


def last(name, *values):
    """The table of ``name`` with another last row."""
    rows = {**BY_MARGIN, "c": COEFFICIENTS}[name]
    return {name: [*rows[:-1], list(values)]}


MOMENTUM = {
    "label": "GD+M",
    "gamma": 0.999,
    "eta": 0.2,
    **last("c", 10.0, 0.0),
    **last("test_accuracy", 1.0, 1.0),
    **last("Xi_abs_max", 0.1, 0.2),
}
"""What GD+M does."""


def judge(claim, run):
    return CLAIMS[claim].judge(run, waive=True)


HOLDING = {
    "gd.partially_learns": {},
    "gd.memorizes_small_margin": {},
    "gd.fits_training_set": {},
    "gd.generalizes_on_large_margin": {},
    "gd.fails_on_small_margin": {},
    "gdm.learns_feature": MOMENTUM,
    "gdm.barely_memorizes": MOMENTUM,
    "gdm.fits_training_set": MOMENTUM,
    "gdm.generalizes": MOMENTUM,
    "lemma.signal_gradient": {},
    "lemma.noise_gradient": {},
    "lemma.signal_monotone": {},
    "lemma.cross_terms": {},
    "lemma.cross_terms_small": {},
    "lemma.stages_ordered": {},
}
"""Changes to the hand-made run on which each claim holds, and is refuted by others below."""

REFUTED = [
    ("gd.partially_learns", last("c", 1.01 * LOG_D / 4, 0.0)),
    ("gd.partially_learns", last("c", 0.99 / LOG_D / 4, 0.0)),
    ("gd.memorizes_small_margin", last("memorization_min", 1.0, 0.99 / LOG_D)),
    ("gd.fits_training_set", last("train_accuracy", 1.0, 0.8)),
    ("gd.fits_training_set", last("train_accuracy", 14 / 15, 1.0)),
    ("gd.generalizes_on_large_margin", last("test_accuracy", 0.98, 1.0)),
    ("gd.generalizes_on_large_margin", last("test_accuracy", 0.995, 1.0) | {"test_accuracy_error": [[0.002] * 2] * 4}),
    ("gd.fails_on_small_margin", last("test_accuracy", 0.5, 0.56)),
    ("gd.fails_on_small_margin", last("test_accuracy", 0.5, 0.54) | {"test_accuracy_error": [[0.004] * 2] * 4}),
    ("gdm.learns_feature", last("c", 0.99 * 5 / LOG_D, -10.0)),
    ("gdm.barely_memorizes", last("Xi_abs_max", 0.0, 1.01 * 0.2 * LOG_D)),
    ("gdm.barely_memorizes", last("Xi_abs_max", 1.01 * 0.2 * LOG_D, 0.0)),
    ("gdm.fits_training_set", last("train_accuracy", 1.0, 0.8)),
    ("gdm.generalizes", last("test_accuracy", 1.0, 0.98)),
    ("gdm.generalizes", last("test_accuracy", 0.98, 1.0)),
    ("gdm.generalizes", last("test_accuracy", 1.0, 0.995) | {"test_accuracy_error": [[0.002] * 2] * 4}),
    ("lemma.signal_gradient", {"signal_gradient_ratio": [0.1, 1.01, 0.1, 0.1]}),
    ("lemma.noise_gradient", {"noise_gradient_ratio": [1.01, 0.1, 0.1, 0.1]}),
    ("lemma.signal_monotone", {"c": [[0.05, -0.02], [0.1, -0.02], [0.1 - 1e-12, -0.01], [0.5, -0.01]]}),
    ("lemma.cross_terms", {"cross_ratio": [0.5, 1.01 * cross_terms.deviation(20), 0.5, 0.5]}),
    ("lemma.cross_terms_small", {"cross_to_diagonal": [0.1, 0.51, 0.1, 0.1]}),
    # ν₂ loses a tenth while ν₁ is still at half.
    ("lemma.stages_ordered", {"nu": [[0.4, 0.1], [0.2, 0.09], [0.01, 0.05], [0.0, 0.0]]}),
    ("lemma.stages_ordered", {"nu": [[0.4, 0.1], [0.4, 0.1], [0.4, 0.1], [0.4, 0.1]]}),
]


@pytest.mark.parametrize("claim", HOLDING)
def test_a_claim_holds(claim):
    found = judge(claim, run_of(**HOLDING[claim]))
    assert found.status is Status.HOLDS
    assert found.seeds == found.holding == tuple(range(SEEDS))
    assert found.margin >= 0
    assert all(isinstance(key, str) for key in found.evidence)


@pytest.mark.parametrize(("claim", "changes"), REFUTED, ids=[f"{claim}-{k}" for k, (claim, _) in enumerate(REFUTED)])
def test_a_claim_is_refuted(claim, changes):
    found = judge(claim, run_of(**{**HOLDING[claim], **changes}))
    assert found.status is Status.REFUTED
    assert found.witness["seed"] == 0
    assert found.margin < 0


def test_every_claim_is_seen_from_both_sides():
    """Here or in a file of its own: the grid and the recursion below, the plane, the slopes."""
    below = {"gd.no_learning_rate_rescues", "lemma.tensor_power"}
    assert set(HOLDING) | below == {claim.id for claim in TRAJECTORY}
    assert {claim for claim, _ in REFUTED} == set(HOLDING)


def test_all_claims_have_an_id_of_their_own_and_are_listed_in_order():
    assert list(CLAIMS) == [claim.id for claim in (*TRAJECTORY, *PHASE, *SCALING)]
    assert (len(TRAJECTORY), len(PHASE), len(SCALING)) == (17, 4, 6)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_well_formed(claim):
    c = CLAIMS[claim]
    assert c.id == claim
    assert c.statement.count("$") % 2 == 0
    assert ("$" in c.statement) == (claim not in ("boundary.two_body", "scaling.fast_forward"))  # of words alone
    assert c.plain
    assert "$" not in c.plain
    assert c.control is not None  # each has a negative control
    assert len(c.control.description) > 10
    assert c.expected is Status.HOLDS
    assert len({h.name for h in c.assumes}) == len(c.assumes)
    assert (c.kind is Kind.IDENTITY) <= (c.probability is None)


@pytest.mark.parametrize("claim", TRAJECTORY, ids=lambda claim: claim.id)
def test_nothing_is_claimed_where_the_law_is_not_known(claim):
    assert claim.assumes[0] is hypotheses.KNOWN_LAW  # those behind may use the parameters
    own = Run(xr.Dataset(coords={"seed": [0], "iteration": [0]}), "user", "gd", None, eta=0.1, gamma=0.0)
    assert claim.judge(own).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("pair", "role"), [(None, "other"), ((0.1, 0.0), "gd"), ((0.1, 1e-9), "momentum"), ((0.1, 0.9), "momentum")]
)
def test_the_role_of_a_run(pair, role):
    assert role_of(pair) == role
    run = Run(xr.Dataset(), "one", role)
    assert isinstance(run, Evidence)
    assert (run.eta, run.gamma, run.optimizers, run.parameters) == (None, None, {}, None)
    concerned = {"gd": {"gd", "any"}, "momentum": {"momentum", "any"}, "other": {"any"}}[role]
    assert {claim.about for claim in TRAJECTORY if claim.concerns(run)} == concerned & {c.about for c in TRAJECTORY}
    assert {claim.id for claim in TRAJECTORY if claim.concerns(Run(xr.Dataset(), "all", FAMILY))} == {
        "gd.no_learning_rate_rescues"
    }


@pytest.mark.parametrize(("bad", "status"), [(0, "HOLDS"), (1, "INCONCLUSIVE"), (3, "INCONCLUSIVE"), (6, "REFUTED")])
def test_with_high_probability_needs_seeds(bad, status):
    """5 of 6 seeds leave the probability undecided against one half; 6 of 6 and 0 of 6 do not."""
    table = last("test_accuracy", 0.5, 0.9)["test_accuracy"]
    run = run_of(test_accuracy=lambda s: table if s < bad else BY_MARGIN["test_accuracy"])
    assert judge("gd.fails_on_small_margin", run).status == status


def test_an_identity_falls_by_one_seed():
    ratios = {"noise_gradient_ratio": lambda s: [0.1, 2.0 if s == 4 else 0.1, 0.1, 0.1]}
    found = judge("lemma.noise_gradient", run_of(**ratios))
    assert (found.status, found.witness["seed"], found.witness["computed"]) == (Status.REFUTED, 4, 2.0)
    assert found.residual == 3e-16


# --- what is measured ----------------------------------------------------------------------------------------------


def test_measured_numbers():
    gd, momentum = run_of(), run_of(**MOMENTUM)
    for claim, run, expected in (
        ("gd.partially_learns", gd, 0.5 * 4),
        ("gd.memorizes_small_margin", gd, 1.0),
        ("gd.fits_training_set", gd, 1.0),
        ("gd.generalizes_on_large_margin", gd, 1.0),
        ("gd.fails_on_small_margin", gd, 0.5),
        ("gdm.learns_feature", momentum, 10 * 0.2),
        ("gdm.barely_memorizes", momentum, 1.0),
        ("gdm.generalizes", momentum, 1.0),
        ("lemma.signal_gradient", gd, 0.3),
        ("lemma.cross_terms", gd, 1.0),
        ("lemma.cross_terms_small", gd, 0.2),
        ("lemma.signal_monotone", gd, 0.0),
        ("lemma.stages_ordered", gd, 0.001 / 0.4),
    ):
        assert_close(judge(claim, run).computed, expected, scale=1.0, note=claim)


def test_a_negative_feature_counts_for_gd_and_not_for_momentum():
    """max |c| for "partially learns", max c for "learns the feature"."""
    table = last("c", 0.0, -0.5)
    assert_close(judge("gd.partially_learns", run_of(**table)).computed, 2.0)
    assert judge("gdm.learns_feature", run_of(**{**MOMENTUM, **last("c", -1.0, -10.0)})).status is Status.REFUTED


def test_training_accuracy_weighs_the_groups_by_their_counts():
    """15 large with 14 right and 5 small with 3 right: 17 of 20."""
    found = judge("gd.fits_training_set", run_of(**last("train_accuracy", 14 / 15, 3 / 5)))
    assert_close(found.computed, 17 / 20)


def test_monotone_within_the_rounding_of_an_inner_product():
    """−(d + 4) 2u ‖W‖, for the number type of the run."""

    def falling(by, dtype):
        run = run_of(c=[[0.05, 0.0], [0.1, 0.0], [0.1 - by, 0.0], [0.5, 0.0]])
        run.data.attrs["dtype"] = dtype
        return judge("lemma.signal_monotone", run).status

    assert falling(4e-14, "float64") is Status.HOLDS
    assert falling(8e-14, "float64") is Status.REFUTED
    assert falling(2e-5, "float32") is Status.HOLDS
    assert falling(4e-5, "float32") is Status.REFUTED


def test_stages_look_at_the_first_move_of_the_small_margin_weight():
    run = run_of(nu=[[0.4, 0.1], [0.3, 0.1], [0.02, 0.0899], [0.9, 0.0]])
    assert_close(judge("lemma.stages_ordered", run).computed, 0.05)
    run = run_of(nu=[[0.4, 0.1], [0.3, 0.1], [0.2, 0.1], [0.04, 0.1]])  # ν₂ never moves: the last record
    assert_close(judge("lemma.stages_ordered", run).computed, 0.1)


@pytest.mark.parametrize("claim", HOLDING)
def test_a_quantity_that_is_undefined_on_a_seed_decides_nothing_there(claim):
    """Whatever the claim looks at, and wherever it lies: of one neuron, one margin, one recorded iteration."""
    run, looked_at = run_of(**HOLDING[claim]), []
    for name in (*BY_MARGIN, *BY_ITERATION, "c", "T_0", "T_1"):
        values = run[name].values
        sound = values[1].copy()
        for place in (..., *np.ndindex(sound.shape)):
            values[(1, place) if place is ... else (1, *place)] = np.nan
            found = judge(claim, run)
            values[1] = sound
            assert found.status in (Status.HOLDS, Status.INCONCLUSIVE), (name, place)
            if place is ... and found.status is Status.HOLDS:
                break  # it does not look there
            if found.status is Status.INCONCLUSIVE:
                assert found.reason == "the quantity is undefined on seed 1"
                looked_at.append(name)
            assert set(found.holding) >= {0, 2, 3, 4, 5}
    assert looked_at


def test_what_undefines_a_claim():
    """What is undefined is not left out: it may have been the largest, or the worse of two."""
    for claim, name, place, sound in (
        ("gd.partially_learns", "c", (3, 1), {}),
        ("gdm.learns_feature", "c", (3, 1), MOMENTUM),
        ("gdm.barely_memorizes", "Xi_abs_max", (0, 0), MOMENTUM),
        ("gdm.generalizes", "test_accuracy", (3, 0), MOMENTUM),
        ("gdm.generalizes", "test_accuracy", (3, 1), MOMENTUM),
        ("lemma.signal_gradient", "signal_gradient_ratio", (2,), {}),
        ("lemma.cross_terms", "cross_ratio", (0,), {}),
        ("lemma.cross_terms_small", "cross_to_diagonal", (3,), {}),
        ("lemma.signal_monotone", "c", (2, 1), {}),
    ):
        run = run_of(**sound)
        run[name].values[(2, *place)] = np.nan
        assert judge(claim, run).reason == "the quantity is undefined on seed 2", claim
    assert rescues(family([0.5, math.nan, 0.5, 0.5])).status is Status.INCONCLUSIVE


# --- tensor power --------------------------------------------------------------------------------------------------


def recursion(rate_1=0.01, steps=60, other=-0.01, **changes):
    """c_{t+1} = c_t + A_t c_t², every iteration recorded, A_t = 3η α³ν₁; ν₁ alternates, and falls at the passing."""
    c, nu = [np.array([other, 0.05])], []
    for t in range(steps):
        nu.append(rate_1 * (1 + 0.3 * (-1) ** t) if c[-1].max() < 0.125 else 0.01 * rate_1)
        c.append(c[-1] + 3 * 0.2 * P.alpha**3 * nu[t] * c[-1] ** 2)
    del c[-1]
    data = {
        "c": (("seed", "iteration", "neuron"), [c]),
        "nu": (("seed", "iteration", "margin"), [[[x, 0.0] for x in nu]]),
        "diverged_at": (("seed",), [-1]),
    }
    dataset = xr.Dataset(data, coords={"seed": [0], "iteration": range(steps), "margin": MARGINS})
    run = Run(dataset, "GD", "gd", P, eta=0.2, gamma=0.0)
    return dataclasses.replace(run, **changes)


def test_tensor_power_holds_on_its_recursion():
    run = recursion()
    found = CLAIMS["lemma.tensor_power"].judge(run)
    assert found.status is Status.HOLDS
    leader = run["c"].values[0, :, 1]
    time = int(np.argmax(leader >= 0.125))
    assert (found.computed, leader[time - 1] < 0.125 <= leader[time]) == (time, True)
    low, high = predictions.tensor_power_bounds(0.05, 0.125, 0.6 * 64 * 0.007, 0.6 * 64 * 0.013)
    assert_close([found.lower, found.upper], [low, high])


@pytest.mark.parametrize("other", [-0.01, -1.0, -1.9])
def test_negative_coefficients_that_stay_behind_the_leader_do_not_matter(other):
    assert CLAIMS["lemma.tensor_power"].judge(recursion(other=other)).status is Status.HOLDS


@pytest.mark.parametrize("later", [False, True])
def test_a_negative_coefficient_may_leap_past_the_leader(later):
    """A₀ = 0.5 takes −2.5 to 0.625 > v = 0.125 in one step; the leader passes later, or never."""
    run = recursion(other=-2.5)
    if later:
        run["c"].loc[{"neuron": 1}] = recursion()["c"].sel(neuron=1)
    first = int(np.argmax(run["c"].max("neuron").values >= 0.125))
    assert (run["c"].sel(neuron=1).max() >= 0.125) == later
    found = CLAIMS["lemma.tensor_power"].judge(run)
    assert (found.status, found.reason) == (Status.NOT_APPLICABLE, "hypothesis leads fails")
    assert first < predictions.tensor_power_bounds(0.05, 0.125, 0.5, 0.5)[0]  # so what is stated of max c is false


def test_tensor_power_is_refuted_by_another_growth():
    """The same coefficients, claimed to grow at three times or a third of the rate."""
    for eta in (0.6, 0.2 / 3):
        assert CLAIMS["lemma.tensor_power"].judge(recursion(eta=eta)).status is Status.REFUTED


def test_tensor_power_does_not_apply():
    claim = CLAIMS["lemma.tensor_power"]
    cases = {
        "recorded_densely": recursion(rate_1=0.0001),  # never passes
        "starts_below": dataclasses.replace(recursion(), parameters=dataclasses.replace(P, alpha=40.0)),
    }
    sparse = recursion()
    cases["recorded_densely "] = dataclasses.replace(sparse, data=sparse.data.isel(iteration=slice(0, None, 2)))
    for name, run in cases.items():
        found = claim.judge(run)
        assert found.status is Status.NOT_APPLICABLE
        assert name.strip() in found.reason


# --- no learning rate rescues --------------------------------------------------------------------------------------


def family(accuracies, etas=(0.01, 0.1, 0.3, 5.0), gammas=(0.0, 0.0, 0.0, 0.0), diverged=-1):
    """A family run: final small-margin accuracy of each cell, for six seeds; overshoot is above η = 0.3125."""
    labels = [f"{eta:g}/{gamma:g}" for eta, gamma in zip(etas, gammas, strict=True)]
    one = run_of()
    cells = [one.data.assign(test_accuracy=xr.full_like(one["test_accuracy"], value)) for value in accuracies]
    data = xr.concat(cells, xr.IndexVariable("optimizer", labels))
    data["diverged_at"] = data["diverged_at"].where(data.optimizer != labels[0], diverged)
    pairs = dict(zip(labels, zip(etas, gammas, strict=True), strict=True))
    return Run(data, "family", FAMILY, P, optimizers={**pairs, "Nesterov": None})


def rescues(run):
    return CLAIMS["gd.no_learning_rate_rescues"].judge(run)


def test_no_learning_rate_rescues():
    assert predictions.overshoot_rate(P) == 0.3125
    assert learning_rates.rates(family([0.5] * 4)) == {"0.01/0": 0.01, "0.1/0": 0.1, "0.3/0": 0.3}
    found = rescues(family([0.5, 0.6, 0.7, 1.0]))
    assert (found.status, found.computed) == (Status.HOLDS, 0.7)  # the overshooting cell may generalize
    assert rescues(family([0.5, 1.0, 0.5, 0.5])).status is Status.REFUTED
    # A momentum run is not one of GD's.
    assert rescues(family([0.5, 0.5, 0.5, 1.0], (0.01, 0.1, 0.3, 0.1), (0, 0, 0, 0.99))).status is Status.HOLDS


@pytest.mark.parametrize(
    ("changes", "hypothesis"),
    [
        ({"etas": (0.2, 0.25, 0.3, 5.0)}, "grid"),
        ({"etas": (1e-9, 0.2, 0.3, 5.0)}, "long_enough"),
        ({"etas": (0.01, 0.3, 5.0, 6.0)}, "grid"),
        ({"gammas": (0, 0.9, 0, 0)}, "grid"),
        ({"diverged": 3}, "stayed_finite"),
    ],
)
def test_no_learning_rate_needs_a_grid(changes, hypothesis):
    found = rescues(family([0.5] * 4, **changes))
    assert found.status is Status.NOT_APPLICABLE
    assert hypothesis in found.reason


# --- hypotheses ----------------------------------------------------------------------------------------------------


def with_parameters(**changes):
    return {"parameters": dataclasses.replace(P, **changes)}


SCALE = predictions.memorization_scale(P)
COASTING = 2 * 0.2 * 0.75 * math.log(2) * 0.2**2
"""The largest 1 − γ with enough momentum, at η = 0.2."""

PREDICATES = [
    (hypotheses.KNOWN_LAW, {}, {"parameters": None}),
    (hypotheses.KNOWN_LAW, {}, {"without": ("c",)}),
    (hypotheses.CLEAN_LABELS, {}, with_parameters(label_noise=1e-9)),
    (hypotheses.STAYED_FINITE, {}, {"diverged_at": 7}),
    (hypotheses.STAYED_FINITE, {}, {"diverged_at": 0}),
    (hypotheses.BOTH_MARGINS, {"small_count": 1}, {"small_count": 0}),
    (hypotheses.BOTH_MARGINS, {"small_count": 19}, {"small_count": 20}),
    (hypotheses.NO_PENALTY, {}, with_parameters(lam=1e-9)),
    (hypotheses.SEPARATED_MARGINS, with_parameters(beta=0.4), with_parameters(beta=0.401)),
    (hypotheses.LUCKY_NEURON, {"c": [[-0.1, 1e-9]] * 4}, {"c": [[-0.1, -1e-9], [1, 1], [1, 1], [1, 1]]}),
    (hypotheses.BELOW_OVERSHOOT, {"eta": 0.3125}, {"eta": 0.3126}),
    (hypotheses.BELOW_OVERSHOOT, {"eta": 0.01}, {"eta": None}),
    (hypotheses.LONG_ENOUGH, {"eta": 1.001 * SCALE / 1000}, {"eta": 0.999 * SCALE / 1000}),
    (hypotheses.LONG_ENOUGH, {"eta": 1.001 * SCALE / 1000}, {"eta": None}),
    (hypotheses.ENOUGH_MOMENTUM, {"gamma": 1 - 0.999 * COASTING}, {"gamma": 1 - 1.001 * COASTING}),
    (hypotheses.ENOUGH_MOMENTUM, {"gamma": 0.9999}, {"gamma": None}),
    (hypotheses.SMALL_START, {"c": [[0.124, 0.0]] * 4}, {"c": [[0.126, 0.0], [0.1, 0.0], [0.1, 0.0], [0.1, 0.0]]}),
    (hypotheses.SMALL_START, {"c": [[0.099, -0.099]] * 4}, {"c": [[0.1, -0.1]] * 4}),
    (hypotheses.WEAK_FRICTION, {"gamma": 1 - 1 / (0.201 * 16)}, {"gamma": 1 - 1 / (0.199 * 16)}),
    (hypotheses.WEAK_FRICTION, {"gamma": 0.999}, {"eta": None, "gamma": None}),
]


@pytest.mark.parametrize(("hypothesis", "yes", "no"), PREDICATES, ids=[h.name for h, _, _ in PREDICATES])
def test_a_hypothesis_from_both_sides(hypothesis, yes, no):
    for changes, expected in ((yes, True), (no, False)):
        run = run_of(**changes)
        assert np.all(hypothesis.holds(run) == expected), changes


def test_hypotheses_are_taken_seed_by_seed():
    lucky = hypotheses.LUCKY_NEURON.holds(run_of(c=lambda s: COEFFICIENTS if s % 2 else [[-0.1, -0.1]] * 4))
    assert lucky.values.tolist() == [False, True] * 3
    found = CLAIMS["gd.fits_training_set"].judge(
        run_of(c=lambda s: COEFFICIENTS if s != 2 else [[-0.1, -0.1]] * 4, diverged_at=lambda s: 5 if s == 4 else -1)
    )
    assert found.seeds == (0, 1, 3, 5)


def test_the_theorems_hypotheses_hold_at_the_reference_configuration():
    """`HEADLINE` with η = 0.1, γ = 0.999, 40 000 iterations; gamma = 0.99 is not enough momentum."""
    for gamma, enough in ((0.999, True), (0.9997, True), (0.99, False)):
        run = run_of(parameters=HEADLINE, eta=0.1, gamma=gamma, small_count=80)
        run = dataclasses.replace(run, data=run.data.assign_coords(iteration=[0, 1, 2, 40_000]))
        for h in (*hypotheses.THEOREM, hypotheses.BELOW_OVERSHOOT, hypotheses.WEAK_FRICTION):
            assert np.all(h.holds(run)), h.name
        assert hypotheses.ENOUGH_MOMENTUM.holds(run) == enough


def test_many_dimensions():
    """√d ≥ 2.2 n √(2 log(n²/δ)): about 7 · 10⁴ at n = 20."""
    least = (2.2 * 20 * math.sqrt(2 * math.log(20**2 / 0.01))) ** 2
    for d, expected in ((math.ceil(least), True), (math.floor(least), False)):
        assert cross_terms.MANY_DIMENSIONS.holds(run_of(**with_parameters(d=d))) == expected
