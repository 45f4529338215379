"""Momentum's marginal value: the exact claims on exact data and on changed ones, planted replicas, bad settings."""

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.judge import judge
from lemmascope.sims.studies.marginal_value import ALPHAS, DAMPINGS, KAPPAS, NOISES, PLACES, STUDY, Settings
from lemmascope.sims.study import experiment_tasks
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise.claims.marginal_value import CLAIMS as ALL
from lemmascope.theory.noise.marginal_value import valley_law
from lemmascope.theory.verdict import Status

CLAIMS = {claim.id.removeprefix("marginal."): claim for claim in ALL}
SMALL = Settings(finest_long=9, seeds=2, replicas=5, rates=6)


def computed(name, settings=SMALL, root=5):
    experiment = STUDY.experiments[name]
    tasks = experiment_tasks(STUDY, settings, root)[name]
    return experiment.gather(tasks, [experiment.compute(task) for task in tasks])


def verdict(name, data, role):
    (found,) = judge([CLAIMS[name]], [Evidence(data, "x", role=role)])
    return found


@pytest.fixture(scope="module")
def short():
    return computed("short")


@pytest.mark.parametrize("name", ["weak_order", "coupled_order"])
def test_the_orders_at_short_horizon(short, name):
    found = verdict(name, short, "short")
    assert found.status is Status.HOLDS, found.reason
    assert found.control["status"] == "REFUTED"
    bent = short.assign({one: short[one] * short["eta"] ** 0.03 for one in ("mean", "coupled")})
    assert verdict(name, bent, "short").status is Status.REFUTED


def test_the_constants(short):
    data = computed("constants")
    found = verdict("constants", data, "constants")
    assert found.status is Status.HOLDS, found.reason
    assert found.control["status"] == "REFUTED"
    for name in ("mean", "variance", "coupled"):
        changed = data.assign({name: data[name] * 1.01 + 1e-5 * (name == "mean")})
        assert verdict("constants", changed, "constants").status is Status.REFUTED, name
    large = data.assign_attrs(eta=1e-2)
    assert verdict("constants", large, "constants").status is Status.NOT_APPLICABLE


def along(second=1.0, finest=12):
    """The valley as the law has it."""
    eta = 2.0 ** -np.arange(8, finest + 1)
    shape = (len(PLACES), len(ALPHAS), eta.size)
    gap = np.empty(shape)
    for place, alpha, k in np.ndindex(shape):
        first, last = valley_law(eta[k], 1 - eta[k] ** ALPHAS[alpha] / 2, *PLACES[place])
        gap[place, alpha, k] = first + second * last
    tau, x_0 = zip(*PLACES, strict=True)
    return xr.Dataset(
        {"sgd": (("place", "eta"), np.full((2, eta.size), 0.3)), "sgdm": (("place", "alpha", "eta"), 0.3 + gap)},
        {"alpha": list(ALPHAS), "eta": eta, "tau": ("place", list(tau)), "x_0": ("place", list(x_0))},
    )


def test_the_valley_is_held_to_both_terms():
    assert verdict("long_law", along(), "valley").as_expected
    assert verdict("long_law", along(second=1.2), "valley").status is Status.REFUTED
    assert verdict("long_order", along(), "valley").as_expected
    slow = along()
    slow["sgdm"] = slow["sgd"] + (slow["sgdm"] - slow["sgd"]) / slow["eta"] ** 0.1
    assert verdict("long_order", slow, "valley").status is Status.REFUTED


def test_the_moments_along_the_valley_follow_the_law():
    data = {name: computed(name) for name in ("valley", "valley_sgd")}
    apart = (data["valley"]["path"] - data["valley_sgd"]["path"]).isel(point=-1).sel(eta=2.0**-9)
    for place, (tau, x_0) in enumerate(PLACES):
        for alpha, near in ((0.0, 2e-3), (0.5, 2e-3), (1.0, 0.01), (1.25, 0.04)):
            law = sum(valley_law(2.0**-9, 1 - 2.0 ** (-9 * alpha) / 2, tau, x_0))
            assert float(apart.sel(alpha=alpha).isel(place=place)) == pytest.approx(law, rel=near)
    assert float(data["valley"]["path"].sel(alpha=2.0).isel(place=0, point=0, eta=0)) == 1.0


# --- planted replicas -----------------------------------------------------------------------------------------------


def replicas(gaps=(0.006, 0.02, 0.05), error=3e-4, seeds=8, lost=False):
    noise = error * seeds**0.5 * np.random.default_rng(0).standard_normal((seeds, len(gaps)))
    noise -= noise.mean(axis=0)
    sgd = np.full(noise.shape, 0.35)
    sgdm = sgd + np.array(gaps) + noise
    if lost:
        sgdm[1, 2] = np.nan
    found = {"sgd": sgd, "sgdm": sgdm, "unscaled": sgd + 0.6 + noise}
    return xr.Dataset(
        {name: (("seed", "eta"), x) for name, x in found.items()},
        {"seed": range(seeds), "eta": [0.025, 0.05, 0.1][: len(gaps)]},
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (replicas(), Status.HOLDS),
        (replicas((-0.006, -0.02, -0.05)), Status.HOLDS),
        (replicas((0.04, 0.06, 0.09)), Status.REFUTED),
        (replicas((0.015, 0.016, 0.017)), Status.REFUTED),
        (replicas((0.019, 0.05, 0.1)), Status.INCONCLUSIVE),
        (replicas(error=4e-3), Status.INCONCLUSIVE),
        (replicas(seeds=1), Status.INCONCLUSIVE),
    ],
)
def test_replicas_are_judged_by_their_interval(data, status):
    found = verdict("long_law_sampled", data, "sampled")
    assert found.status is status, found.reason
    if data.sizes["seed"] > 1:
        assert found.control["status"] == "REFUTED"


def test_a_seed_with_a_replica_that_is_lost_is_left_out():
    found = verdict("long_law_sampled", replicas(lost=True), "sampled")
    assert found.seeds == (0, 2, 3, 4, 5, 6, 7)


def test_replicas_of_momentum_follow_those_of_sgd_and_not_at_the_same_gamma():
    data = computed("sampled", Settings(seeds=2, replicas=300, etas=(0.05, 0.1)))
    gap = (data["sgdm"] - data["sgd"]).mean("seed")
    assert (abs(gap) < 0.1).all()
    assert (data["unscaled"] - data["sgd"] > 0.5).all()
    again = computed("sampled", Settings(seeds=1, replicas=300, etas=(0.05, 0.1)))
    xr.testing.assert_identical(again.isel(seed=0, drop=True), data.isel(seed=0, drop=True))
    for backend in ("numpy", "compiled"):
        (task,) = experiment_tasks(STUDY, Settings(seeds=1, replicas=20, etas=(0.1, 0.2)), 5, backend=backend)[
            "sampled"
        ]
        found = STUDY.experiments["sampled"].compute(task)
        if backend == "numpy":
            wanted = found
    assert np.allclose(found["sgdm"], wanted["sgdm"], rtol=1e-10)


# --- steps at the best rates ----------------------------------------------------------------------------------------


def test_gains():
    kappa = np.array(KAPPAS)
    still = xr.Dataset(
        {
            "sgd": ("kappa", kappa),
            "sgdm": ("kappa", kappa**0.5),
            "fixed_sgd": ("kappa", kappa),
            "fixed_sgdm": ("kappa", kappa),
        },
        {"kappa": kappa},
    )
    assert verdict("deterministic_gain", still, "descent").as_expected
    steep = still.assign(sgdm=still.sgdm / still.kappa**0.07)
    assert verdict("deterministic_gain", steep, "descent").status is Status.REFUTED
    gain = np.array([[4.7, 4.7, 4.7], [2.9, 2.9, 2.9], [1.2, 1.4, 1.4], [1.02, 1.06, 1.16], [1.0, 1.01, 1.14]])
    noisy = xr.Dataset(
        {"sgd": ("s2", np.ones(5)), "sgdm": (("s2", "damping"), 1 / gain)},
        {"s2": list(NOISES), "damping": list(DAMPINGS)},
    )
    assert verdict("noise_removes_gain", noisy, "noisy").as_expected
    more = noisy.assign(sgdm=noisy.sgdm / 1.05)
    assert verdict("noise_removes_gain", more, "noisy").status is Status.REFUTED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"etas": (0.1, 1.0)}, "edge of stability"),
        ({"etas": (0.1,)}, "two or more"),
        ({"etas": (0.1, 0.05)}, "increasing"),
        ({"beta": 1.0}, "beta"),
        ({"beta": 0.0}, "beta"),
        ({"finest_short": 20}, "from 24 to 40"),
        ({"finest_long": 20}, "from 9 to 16"),
        ({"seeds": 0}, "seeds"),
        ({"rates": 1}, "rates"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Settings(**change)
