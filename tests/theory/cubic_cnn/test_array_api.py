"""theory/ is written in the array API standard: a library that refuses everything else gives NumPy's numbers."""

import dataclasses

import array_api_strict as strict
import numpy as np
import pytest
from checks import systems
from tolerances import assert_close

from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import identities, law, model, quantities, weights
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant

LAW = Parameters(d=25, N=8, P=3, m=3, alpha=2.0, beta=0.3, mu=0.25, sigma=0.4, sigma_0=0.2)
OPTIMIZERS = [
    GD(0.1),
    MomentumAverage(0.1, 0.9),
    MomentumVelocity(0.02, 0.9),
    Nesterov(0.02, 0.5),
    GD(PiecewiseConstant((0, 3), (0.1, 0.2))),
]
ARRAYS = ("X", "W_0", "w_star", "y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")


@pytest.fixture(autouse=True)
def nothing_that_depends_on_data():
    """No boolean indexing and no shape that depends on values, so that compiling libraries could follow too."""
    with strict.ArrayAPIStrictFlags(boolean_indexing=False, data_dependent_shapes=False):
        yield


def drawn(seeds=2):
    pairs = []
    for k in range(seeds):
        rng = streams(0, "array api", k)
        pairs.append((law.draw_sample(LAW, rng), law.draw_weights(LAW.m, LAW.d, LAW.sigma_0, rng)))
    return pairs


def user(pairs, feature):
    return [(law.Sample(sample.X + 0.1, sample.y, sample.w_star if feature else None), W) for sample, W in pairs]


def converted(thing):
    """The same dataclass with its arrays in the strict library."""
    fields = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
    arrays = {name: strict.asarray(value) for name, value in fields.items() if isinstance(value, np.ndarray)}
    return dataclasses.replace(thing, **arrays)


def close(found, expected, note=""):
    assert type(found).__module__.startswith("array_api_strict"), note
    assert str(found.dtype).rsplit(".", 1)[-1] == str(expected.dtype), note
    found = np.asarray(found)
    nan = np.isnan(expected)
    assert np.array_equal(np.isnan(found), nan), note
    assert_close(np.where(nan, 0, found), np.where(nan, 0, expected), note=note)


def run(system, small, xp, steps=6):
    """All that the simulations ask of a system, at each of a few steps, by name."""
    theta = system.initial(len(OPTIMIZERS))
    states = [o.init(theta[:, k : k + 1, ...]) for k, o in enumerate(OPTIMIZERS)]
    found = {}
    for t in range(steps):
        view, grad = system.evaluate(theta)
        nobody = small & ~small
        seen = quantities.observe(view, system.y, [~small, small, nobody])
        seen |= quantities.cross_terms(system, view, system.y, LAW.sigma)
        seen |= {"gram": system.perpendicular_gram(theta, view), "gradient": grad, "theta": theta}
        seen |= {"Xi": view.Xi, "margins": view.margins, "diagonal": system.gram_diagonal()}
        found |= {f"{name}, t = {t}": value for name, value in seen.items()}
        parts = []
        for k, o in enumerate(OPTIMIZERS):
            part, states[k] = o.step(theta[:, k : k + 1, ...], grad[:, k : k + 1, ...], states[k], t)
            parts.append(part)
        theta = xp.concat(parts, axis=1)
    return found


@pytest.mark.parametrize("lam", [0.0, 0.01])
@pytest.mark.parametrize("kind", ["law", "user", "user, w*"])
@pytest.mark.parametrize("which", [0, 1], ids=["weights", "coefficients"])
def test_both_systems(which, kind, lam):
    pairs = drawn()
    small = np.stack([sample.small for sample, _ in pairs])
    system = systems(pairs if kind == "law" else user(pairs, kind != "user"), lam)[which]
    expected = run(system, small, np)
    found = run(converted(system), strict.asarray(small), strict)
    assert set(found) == set(expected)
    for name, value in expected.items():
        close(found[name], value, name)


def test_float32_stays_float32():
    for system in systems(drawn(), 0.01):
        fields = {f.name: getattr(system, f.name) for f in dataclasses.fields(system)}
        single = {name: strict.asarray(value.astype("float32")) for name, value in fields.items() if name in ARRAYS}
        system = dataclasses.replace(system, **single)
        theta = system.initial(2)
        view, grad = system.evaluate(theta)
        for array in (theta, grad, view.c, view.Xi, view.margins, view.ell, view.memorization):
            assert array.dtype == strict.float32
        for value in quantities.observe(view, system.y, [strict.asarray(np.ones((2, LAW.N), bool))]).values():
            assert value.dtype == strict.float32
        assert system.perpendicular_gram(theta, view).dtype == strict.float32


def test_weight_functions():
    (sample, W), _ = drawn()
    numpy = W, sample.X, sample.y
    arrays = [strict.asarray(x) for x in numpy]
    close(weights.gradient(*arrays, 0.1), weights.gradient(*numpy, 0.1))
    close(weights.loss(*arrays, 0.1), weights.loss(*numpy, 0.1))
    close(weights.outputs(*arrays[:2]), weights.outputs(*numpy[:2]))
    for function in (model.logistic_weight, model.log1p_exp):
        x = np.array([-800.0, -1.0, 0.0, 1.0, 800.0])
        close(function(strict.asarray(x)), function(x))


@pytest.mark.parametrize("lam", [0.0, 0.05])
@pytest.mark.parametrize("gram", [True, False])
def test_the_audit(lam, gram):
    (sample, W), _ = drawn()
    audit = identities.GradientAudit.of(sample, gram=gram)
    audits = [audit, identities.GradientAudit.of(converted(sample), gram=gram), converted(audit)]
    found = []
    for one, xp in zip(audits, (np, strict, strict), strict=True):
        w = xp.asarray(W)
        right = one.formula(w, lam)
        found.append((right, one.residuals(w, lam, right, W_hat=xp.abs(w), terms=0, unit=2.0**-53)))
    for right, residuals in found[1:]:
        for part, expected in zip(right, found[0][0], strict=True):
            close(part, expected)
        assert set(residuals) == set(found[0][1])
        assert max(residuals["signal_gradient_ratio"], residuals["noise_gradient_ratio"]) <= 1


@pytest.mark.parametrize("kind", ["law", "user", "user, w*"])
def test_samples_and_projections(kind):
    pairs = drawn() if kind == "law" else user(drawn(), kind != "user")
    for sample, W in pairs:
        other = converted(sample)
        close(other.signal_first(), sample.signal_first())
        expected, found = law.project(sample, W), law.project(other, strict.asarray(W))
        for name in ARRAYS[3:]:
            close(getattr(found, name), getattr(expected, name), name)
