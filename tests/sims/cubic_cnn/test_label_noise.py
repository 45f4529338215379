"""Flipped labels, a parameter of the law; and data that are not of the law that they name, never taken for it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tolerances import assert_close

from lemmascope.sims.cubic_cnn.evidence import judge
from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law
from lemmascope.theory.cubic_cnn.weights import gradient
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov
from lemmascope.theory.verdict import Status

OPTIMIZERS = {"GD": GD(0.2), "GD+M": MomentumAverage(0.1, 0.9), "Nesterov": Nesterov(0.02, 0.9)}
SEEN = ("c", "Xi_abs_max", "memorization_min", "loss", "nu", "train_accuracy", "weight_norm_squared", "test_accuracy")

# --- the law ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["samples", "exact"])
def test_labels_are_flipped_and_nothing_else_changes(tiny, which):
    clean, noisy = (
        LawProblem(tiny(N=2000, d=2100, label_noise=rho), which).draw(streams(0, "flips", 0)) for rho in (0.0, 0.3)
    )
    a, b = (x.sample if which == "samples" else x.exact for x in (clean, noisy))
    flipped = a.y != b.y
    assert stats.binomtest(int(flipped.sum()), 2000, 0.3).pvalue > 1e-3
    assert np.array_equal(b.strength, np.where(flipped, -a.strength, a.strength))
    assert np.array_equal(a.small, b.small)
    assert np.array_equal(a.y * a.strength, b.y * b.strength)  # the signal patches
    if which == "samples":
        assert np.array_equal(a.X, b.X)
    else:
        assert np.array_equal(a.K, b.K)


def test_without_it_nothing_is_drawn_for_it(tiny):
    names = []

    def listening(what):
        names.append(what)
        return streams(3, "named", 0)(what)

    law.draw_sample(tiny(), listening)
    assert "label noise" not in names
    law.draw_sample(tiny(label_noise=0.1), listening)
    assert "label noise" in names


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("representation", ["weights", "coefficients"])
def test_every_way_is_that_of_the_plain_weights(tiny, representation, backend):
    """GD on W in NumPy, by the gradient of the loss alone, which knows of no signal."""
    p = tiny(N=24, label_noise=0.3, lam=1e-3)
    run = simulate(p, {"GD": GD(0.2)}, iterations=60, record=Every(10), representation=representation, backend=backend)
    rng = streams(0, "simulate", 0)
    drawn = LawProblem(p).draw(rng)
    sample, W = drawn.sample, drawn.W_0
    assert np.any(sample.strength < 0)
    noise, seen = sample.signal_first()[:, 1:].reshape(-1, p.d), []
    for t in range(61):
        if t % 10 == 0:
            seen.append((W @ sample.w_star, np.abs(W @ noise.T).max()))
        W = W - 0.2 * gradient(W, sample.X, sample.y, p.lam)
    assert_close(run.c.values[0, 0], np.array([c for c, _ in seen]), "trajectory")
    assert_close(run.Xi_abs_max.values[0, 0].max(axis=-1), np.array([x for _, x in seen]), "trajectory")
    assert float(run.signal_gradient_ratio.max()) <= 1
    assert float(run.noise_gradient_ratio.max()) <= 1


def test_all_backends_agree(tiny):
    p = tiny(N=24, label_noise=0.3)
    ways = [
        simulate(LawProblem(p, "exact"), OPTIMIZERS, iterations=300, backend=b, fast_forward=f, audit=False)
        for b, f in (("numpy", None), ("compiled", None), ("auto", 1e-12))
    ]
    for way in ways[1:]:
        for name in ("c", "Xi_abs_max", "loss"):
            assert_close(way[name].values, ways[0][name].values, "trajectory", note=name)


def test_test_accuracy_is_of_clean_labels(tiny):
    """It depends on the weights alone: at the start, those of the same seed without label noise."""
    runs = [simulate(tiny(label_noise=rho), {"GD": GD(0.1)}, iterations=1) for rho in (0.0, 0.4)]
    a, b = (run.test_accuracy.isel(iteration=0).values for run in runs)
    assert np.array_equal(a, b)
    assert not np.array_equal(runs[0].loss.isel(iteration=0), runs[1].loss.isel(iteration=0))


# --- data that are not of their law -------------------------------------------------------------------------------


class Noisy(LawProblem):
    """Label noise by hand: the sample says nothing of it."""

    flip = slice(0, 3)

    def draw(self, rng):
        drawn = super().draw(rng)
        y = drawn.sample.y.copy()
        y[self.flip] *= -1
        return dataclasses.replace(drawn, sample=dataclasses.replace(drawn.sample, y=y))


def changed(change):
    class Changed(LawProblem):
        def draw(self, rng):
            drawn = super().draw(rng)
            sample = drawn.sample
            return dataclasses.replace(drawn, sample=dataclasses.replace(sample, **change(sample)))

    return Changed


def tilted(sample):
    noise = np.arange(sample.X.shape[1])[None, :] != sample.signal[:, None]
    return {"X": sample.X + 1e-6 * noise[:, :, None] * sample.w_star}


def turned(sample):
    X = sample.X.copy()
    X[1, sample.signal[1]] += 1e-6 * X[1, sample.signal[1] - 1]
    return {"X": X}


def longer(sample):
    X = sample.X.copy()
    X[2, sample.signal[2]] *= 1 + 1e-6
    return {"X": X}


DEPARTURES = {
    "flipped": (Noisy, "signal patch of sample 0"),
    "tilted": (changed(tilted), "not orthogonal"),
    "turned": (changed(turned), "signal patch of sample 1"),
    "longer": (changed(longer), "signal patch of sample 2"),
    "w* of another length": (changed(lambda s: {"w_star": 2 * s.w_star}), "length"),
    "strengths of no margin": (changed(lambda s: {"strength": 1.5 * s.strength}), "the law has"),
    "flips that are said": (changed(lambda s: {"y": -s.y, "strength": -s.strength}), "the law has"),
    "another margin": (changed(lambda s: {"small": ~s.small}), "the law has"),
    "positions": (changed(lambda s: {"signal": (s.signal + 1) % s.X.shape[1]}), "signal patch"),
    "no positions": (changed(lambda s: {"signal": None}), "told apart"),
    "position outside": (changed(lambda s: {"signal": s.signal + 5}), "no position"),
}


@pytest.mark.parametrize("name", DEPARTURES)
def test_what_departs_from_the_law_runs_on_its_weights_and_says_so(tiny, name):
    made, words = DEPARTURES[name]
    p = tiny(P=3)
    run = simulate(made(p), {"GD": GD(0.2)}, iterations=40, record=Every(10))
    assert (run.attrs["representation"], run.attrs["backend"]) == ("weights", "numpy")
    assert words in run.attrs["representation_reason"]
    drawn = made(p).draw(streams(0, "simulate", 0))
    W, sample = drawn.W_0, drawn.sample
    for _ in range(40):
        W = W - 0.2 * gradient(W, sample.X, sample.y)
    if sample.signal is not None:
        noise = sample.signal_first()[:, 1:].reshape(-1, p.d)
        assert_close(run.Xi_abs_max.values[0, 0, -1].max(), np.abs(W @ noise.T).max(), "trajectory")
    assert_close(run.c.values[0, 0, -1], W @ sample.w_star, "trajectory")
    assert {v.status for v in judge(run)} == {Status.NOT_APPLICABLE}


@pytest.mark.parametrize(
    "asked", [{"representation": "coefficients"}, {"backend": "compiled"}, {"fast_forward": 1e-10}], ids=str
)
def test_what_would_undo_it_is_refused(tiny, asked):
    with pytest.raises(InputError, match=r"signal patch of sample 0.*weight space"):
        simulate(Noisy(tiny()), {"GD": GD(0.2)}, iterations=10, **asked)


def test_every_seed_is_looked_at(tiny):
    class Third(LawProblem):
        def draw(self, rng):
            made = Noisy if rng("which").random() > 0.9 else LawProblem
            return made(self.parameters).draw(rng)

    run = simulate(Third(tiny()), {"GD": GD(0.2)}, iterations=5, seeds=40)
    assert run.attrs["representation"] == "weights"
    assert "seed" in run.attrs["representation_reason"]


def test_a_subclass_that_draws_by_the_law_is_the_law(tiny):
    class Same(LawProblem):
        def draw(self, rng):
            return super().draw(rng)

    a, b = (simulate(kind(tiny()), {"GD": GD(0.2)}, iterations=10) for kind in (LawProblem, Same))
    assert np.array_equal(a.c, b.c)
    assert a.attrs["parameters"] == b.attrs["parameters"] != "null"


def exactly(change):
    class Changed(LawProblem):
        def draw(self, rng):
            drawn = super().draw(rng)
            return dataclasses.replace(drawn, exact=dataclasses.replace(drawn.exact, **change(drawn.exact)))

    return Changed


def louder(sample):
    noise = np.arange(sample.X.shape[1])[None, :] != sample.signal[:, None]
    return {"X": np.where(noise[:, :, None], 3 * sample.X, sample.X)}


def twins(sample):
    """Every sample has the noise of the first."""
    X = sample.X.copy()
    for i, s in enumerate(sample.signal):
        X[i, np.arange(X.shape[1]) != s] = sample.signal_first()[0, 1:]
    return {"X": X}


class Heavier(LawProblem):
    def draw(self, rng):
        drawn = super().draw(rng)
        return dataclasses.replace(drawn, W_0=10 * drawn.W_0)


class Penalized(LawProblem):
    """It draws by the law, and says another λ than its parameters."""

    lam = 0.01


OTHER_LAWS = {
    "noise of three times the size": (changed(louder), "samples", "not drawn as LawProblem draws"),
    "twin noise": (changed(twins), "samples", "not drawn as LawProblem draws"),
    "heavier weights": (Heavier, "samples", "not drawn as LawProblem draws"),
    "another Gram matrix": (exactly(lambda q: {"K": 2 * q.K}), "exact", "not drawn as LawProblem draws"),
    "another penalty": (Penalized, "samples", "its λ is 0.01"),
}


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("name", OTHER_LAWS)
def test_what_another_law_draws_has_no_parameters_of_ours(tiny, name, backend):
    """It has the structure of the law's data, and runs in every way; no claim takes it for the law."""
    kind, which, words = OTHER_LAWS[name]
    problem = kind(tiny(P=3), which)
    run = simulate(problem, OPTIMIZERS, iterations=40, record=Every(10), representation="coefficients", backend=backend)
    assert run.attrs["parameters"] == "null"
    assert (run.attrs["representation"], run.attrs["backend"]) == ("coefficients", backend)
    for said in ("law", "representation_reason"):
        assert words in run.attrs[said]
        assert "\n" not in run.attrs[said]
    assert {(v.status, v.reason) for v in judge(run)} == {(Status.NOT_APPLICABLE, "hypothesis known_law fails")}
    if which == "samples":
        weights = simulate(problem, OPTIMIZERS, iterations=40, record=Every(10), representation="weights")
        assert_close(run.c.values, weights.c.values, "trajectory")


def test_every_seed_must_be_drawn_by_the_law(tiny):
    class Third(LawProblem):
        def draw(self, rng):
            made = Heavier if rng("which").random() > 0.9 else LawProblem
            return made(self.parameters).draw(rng)

    assert simulate(Third(tiny()), {"GD": GD(0.2)}, iterations=2, seeds=40).attrs["parameters"] == "null"


def test_a_draw_that_is_another_the_second_time_is_refused(tiny):
    kinds = [LawProblem, Heavier]

    class Changes(LawProblem):
        def draw(self, rng):
            return kinds.pop(0)(self.parameters).draw(rng)

    with pytest.raises(InputError, match=r"Changes.*seed 0 is not of its law: .*not drawn as"):
        simulate(Changes(tiny()), {"GD": GD(0.2)}, iterations=2)


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.3]))
def test_what_is_drawn_by_the_law_departs_in_nothing(seed, rho):
    from lemmascope.theory.cubic_cnn.parameters import Parameters

    p = Parameters(d=60, N=9, P=3, m=2, alpha=3, beta=0.1, mu=0.3, sigma=0.1, sigma_0=0.1, label_noise=rho)
    for which in ("samples", "exact"):
        drawn = LawProblem(p, which).draw(streams(seed, "drawn", 0))
        assert law.departure(drawn.sample if which == "samples" else drawn.exact, p) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda q: {"K": q.K + np.triu(np.ones_like(q.K), 1)}, "not symmetric"),
        (lambda q: {"overlap": q.overlap + 1e-9}, "not orthogonal"),
        (lambda q: {"y": -q.y, "strength": -q.strength}, "the law has"),
        (lambda q: {"K": q.K[1:]}, "finite numbers"),
        (lambda q: {"Xi_0": np.nan * q.Xi_0}, "finite numbers"),
        (lambda q: {"y": 2 * q.y}, "−1 or \\+1"),
    ],
)
def test_a_projection_that_departs_is_refused(tiny, change, words):
    with pytest.raises(InputError, match=words):
        simulate(exactly(change)(tiny(), "exact"), {"GD": GD(0.2)}, iterations=5)


@pytest.mark.parametrize("raised", [ValueError("no data"), SystemExit(0), BaseException("ended")], ids=repr)
def test_a_draw_that_fails_is_one_sentence(tiny, raised):
    class Fails(LawProblem):
        def draw(self, rng):
            raise raised

    with pytest.raises(InputError, match=r"problem = 'Fails' is not accepted: its draw must return a Drawn"):
        simulate(Fails(tiny()), {"GD": GD(0.2)}, iterations=5)


@pytest.mark.parametrize("name", ["X", "y"])
def test_own_patches_of_another_shape_are_refused(patches, name):
    class Other(PatchProblem):
        def draw(self, rng):
            drawn = super().draw(rng)
            array = getattr(drawn.sample, name)[1:]
            return dataclasses.replace(drawn, sample=dataclasses.replace(drawn.sample, **{name: array}))

    right = patches()
    with pytest.raises(InputError, match=f"{name} of Other"):
        simulate(Other(right.X, right.y, m=3, sigma_0=0.1), {"GD": GD(0.2)}, iterations=5)
