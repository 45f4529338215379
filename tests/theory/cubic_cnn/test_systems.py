"""Weights and coefficients: two representations, one trajectory; and each against plain NumPy."""

import dataclasses

import numpy as np
import pytest
from checks import check_coefficients, systems, weights_of
from tolerances import assert_close

from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import law
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant

LAW = Parameters(d=30, N=10, P=3, m=3, alpha=2.0, beta=0.3, mu=0.3, sigma=0.4, sigma_0=0.15)

OPTIMIZERS = {
    "GD": GD(0.1),
    "momentum": MomentumAverage(0.2, 0.95),
    "velocity": MomentumVelocity(0.02, 0.9),
    "Nesterov": Nesterov(0.02, 0.9),
    "schedule": MomentumAverage(PiecewiseConstant((0, 50, 120), (0.05, 0.3, 0.01)), 0.5),
}


def law_sample(seed, **changes):
    p = dataclasses.replace(LAW, **changes)
    rng = streams(0, "systems", seed)
    return law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng)


def user_sample(seed, feature):
    """Correlated patches, none orthogonal to w*, more of them than dimensions."""
    rng = streams(1, "systems", seed)
    X = 0.3 * rng("patches").standard_normal((10, 3, 20)) + 0.1
    direction = rng("feature").standard_normal(20)
    w_star = direction / np.linalg.norm(direction)
    y = rng("labels").choice([-1.0, 1.0], 10)
    X[:, 1] += y[:, None] * w_star
    sample = law.Sample(X=X, y=y, w_star=w_star if feature else None, small=np.arange(10) % 3 == 0)
    return sample, 0.2 * rng("weights").standard_normal((3, 20))


def drawn(kind, seeds=2):
    make = {"law": law_sample, "user": lambda s: user_sample(s, False), "user, w*": lambda s: user_sample(s, True)}
    return [make[kind](seed) for seed in range(seeds)]


def largest(x, axes):
    """Largest magnitude over ``axes``, kept."""
    return np.broadcast_to(np.abs(x).max(axis=axes, keepdims=True), x.shape)


KINDS = ["law", "user", "user, w*"]


@pytest.mark.parametrize("lam", [0.0, 0.02])
@pytest.mark.parametrize("kind", KINDS)
def test_the_two_systems_follow_one_trajectory(kind, lam):
    """300 steps of each optimizer, every tenth state compared."""
    both = systems(drawn(kind), lam)
    theta = [system.initial(len(OPTIMIZERS)) for system in both]
    states = [[o.init(t[:, [k]]) for k, o in enumerate(OPTIMIZERS.values())] for t in theta]
    losses = []
    for t in range(301):
        seen = [system.evaluate(at) for system, at in zip(both, theta, strict=True)]
        if t % 10 == 0:
            (left, right), note = [view for view, _ in seen], f"t = {t}"
            assert (left.c is None, right.c is None) == (kind == "user",) * 2
            for name, axes in {"c": -1, "Xi": (-3, -2, -1), "margins": -1, "memorization": -1, "ell": -1}.items():
                a, b = getattr(left, name), getattr(right, name)
                if a is not None:
                    assert_close(b, a, "trajectory", scale=largest(a, axes), note=f"{name}, {note}")
            a, b = (s.perpendicular_gram(at, view) for s, at, (view, _) in zip(both, theta, seen, strict=True))
            assert_close(b, a, "trajectory", scale=largest(a, (-2, -1)), note=f"Gram matrix, {note}")
            assert_close(weights_of(both[0], both[1].of_the_law, theta[1]), theta[0], "trajectory", note=note)
            losses.append(float(np.mean(np.logaddexp(0, -left.margins))))
        for k, ((_, grad), own) in enumerate(zip(seen, states, strict=True)):
            parts = []
            for j, optimizer in enumerate(OPTIMIZERS.values()):
                part, own[j] = optimizer.step(theta[k][:, [j]], grad[:, [j]], own[j], t)
                parts.append(part)
            theta[k] = np.concatenate(parts, axis=1)
    assert losses[-1] < 0.3 * losses[0]  # something was learnt


@pytest.mark.parametrize("lam", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_coordinates_show_their_weights(kind, lam):
    """The gradient in coordinates is `weights.gradient`, and so are margins and coefficients those of W."""
    check_coefficients(drawn(kind), lam)


@pytest.mark.parametrize("kind", KINDS)
def test_the_view_is_what_its_names_say(kind):
    """By loops over samples, patches and neurons."""
    pairs = drawn(kind)
    both = systems(pairs, 0.0)
    for system in both:
        view, _ = system.evaluate(system.initial(2))
        for s, (sample, W) in enumerate(pairs):
            rows = [
                [x for j, x in enumerate(patches) if sample.signal is None or j != sample.signal[i]]
                for i, patches in enumerate(sample.X)
            ]
            for i, noise in enumerate(rows):
                responses = np.array([[w @ x for x in noise] for w in W])
                f = sum((w @ x) ** 3 for w in W for x in sample.X[i])
                for a in range(2):
                    assert_close(view.Xi[s, a, :, i], responses, note="Ξ")
                    assert_close(
                        view.memorization[s, a, i],
                        sample.y[i] * np.sum(responses**3),
                        scale=np.sum(np.abs(responses) ** 3),
                        note="memorization",
                    )
                    assert_close(view.margins[s, a, i], sample.y[i] * f, scale=1.0, note="margin")
                    assert_close(view.ell[s, a, i], 1 / (1 + np.exp(sample.y[i] * f)), note="ℓ")
            if sample.w_star is not None:
                assert_close(view.c[s], np.tile(W @ sample.w_star, (2, 1)), note="c")


@pytest.mark.parametrize("kind", KINDS)
def test_gram_products(kind):
    pairs = drawn(kind)
    both = systems(pairs, 0.0)
    n = both[1].K.shape[-1]
    u = np.random.default_rng(2).standard_normal((2, 3, 4, n))
    for s, (sample, _) in enumerate(pairs):
        patches = sample.signal_first()[:, int(sample.of_the_law) :].reshape(n, -1)
        K = np.array([[x @ z for z in patches] for x in patches])
        for system in both:
            assert_close(system.gram_product(u)[s], u[s] @ K)
            assert_close(system.gram_diagonal()[s], np.diagonal(K))


@pytest.mark.parametrize("kind", KINDS)
def test_the_perpendicular_gram_at_the_start(kind):
    pairs = drawn(kind)
    for system in systems(pairs, 0.0):
        theta = system.initial(2)
        found = system.perpendicular_gram(theta, system.evaluate(theta)[0])
        for s, (sample, W) in enumerate(pairs):
            if sample.of_the_law:
                W = W - np.outer(W @ sample.w_star, sample.w_star)
            assert_close(found[s], np.stack([W @ W.T] * 2))


def test_margins_of_the_law_depend_on_the_strengths():
    """α³ and β³, not α and β: the margin is |c_i|³ Σ c³ + memorization."""
    pairs = drawn("law")
    strength = np.stack([sample.strength for sample, _ in pairs])
    assert_close(np.unique(np.round(strength, 12)), [LAW.beta, LAW.alpha])
    for system in systems(pairs, 0.0):
        view, _ = system.evaluate(system.initial(1))
        assert_close((view.margins - view.memorization)[:, 0], strength**3 * np.sum(view.c**3, axis=-1))


def test_optimizers_and_seeds_do_not_mix():
    """Each seed's and optimizer's gradient is its own."""
    for system in systems(drawn("law", 3), 0.01):
        theta = system.initial(3)
        theta = theta * np.linspace(0.5, 1.5, 9).reshape(3, 3, 1, 1)
        _, grad = system.evaluate(theta)
        other = theta.copy()
        other[1, 2] *= 2
        changed = np.any(system.evaluate(other)[1] != grad, axis=(-2, -1))
        assert np.argwhere(changed).tolist() == [[1, 2]]
