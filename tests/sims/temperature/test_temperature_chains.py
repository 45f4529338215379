"""Chains of minibatches: the samples they take, machine code against the reference, temperatures against exact ones."""

import array_api_strict
import numpy as np
import pytest

from lemmascope.sims.equilibrium import stationary_mean
from lemmascope.sims.temperature import chains
from lemmascope.sims.temperature.chains import Arrays, run
from lemmascope.sims.temperature.cnn import expansion, minimum
from lemmascope.sims.temperature.moments import mode_variance, whole_covariance
from lemmascope.sims.temperature.problems import Chain, Quadratic, Regression
from lemmascope.theory.cubic_cnn.weights import gradient
from lemmascope.theory.errors import InputError
from lemmascope.theory.temperature import finite_data, quadratic, reshuffled
from lemmascope.theory.temperature.finite_data import SAMPLINGS


def generators(count, seed=0):
    return [np.random.default_rng((seed, k)) for k in range(count)]


def quadratic_problem(N=8, d=3):
    rng = np.random.default_rng(1)
    xi = rng.standard_normal((N, d))
    return Quadratic(np.geomspace(0.2, 1.5, d), xi - xi.mean(axis=0))


def regression_problem(N=8, d=3):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((N, d)), rng.standard_normal(N)
    return Regression(X, X @ np.linalg.lstsq(X, y, rcond=None)[0] - y)


@pytest.fixture(scope="module")
def network():
    draws = {}

    def rng(name):
        return draws.setdefault(name, np.random.default_rng([ord(letter) for letter in name]))

    return minimum(rng)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_each_sampling_takes_the_samples_that_it_says(sampling):
    problem, B, steps = quadratic_problem(), 2, 40
    chain = Chain(0.1, 0.5, B, sampling, 0, steps, 1)
    engine = Arrays(problem, chain, 3, np)
    uniform = np.random.default_rng(0).random((3, steps, B))
    halves = [engine._indices(at, uniform[:, at : at + 10]) for at in range(0, steps, 10)]
    index = np.concatenate(halves, axis=1)
    assert index.min() >= 0
    assert index.max() < problem.samples
    distinct = [len(set(row)) == B for chain_ in index for row in chain_]
    if sampling == "with replacement":
        assert not all(distinct)
    else:
        assert all(distinct)
    epochs = index.reshape(3, -1, problem.samples)  # 4 steps an epoch
    assert all((np.sort(e) == np.arange(problem.samples)).all() for c in epochs for e in c) is (
        sampling == "reshuffled"
    )


def test_draws_are_uniform():
    engine = Arrays(quadratic_problem(), Chain(0.1, 0.5, 2, "distinct", 0, 1, 1), 1, np)
    index = engine._indices(0, np.random.default_rng(4).random((1, 40_000, 2))).reshape(-1, 2)
    counts = np.zeros((8, 8))
    np.add.at(counts, (index[:, 0], index[:, 1]), 1)
    expected = 40_000 / 56
    off = counts[~np.eye(8, dtype=bool)]
    assert np.trace(counts) == 0
    assert ((off - expected) ** 2 / expected).sum() < 100  # χ² of 55 degrees of freedom


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("which", ["quadratic", "regression", "cnn"])
def test_machine_code_is_the_reference(which, sampling, network):
    problem = {"quadratic": quadratic_problem(), "regression": regression_problem(), "cnn": network.problem}[which]
    chain = Chain(0.001 if which == "cnn" else 0.05, 0.9, 4, sampling, 7, 50, 3)
    compiled, reference = (run(problem, chain, generators(3), backend) for backend in ("compiled", "numpy"))
    assert compiled.shape == (3, 50)
    assert np.max(np.abs(compiled - reference)) <= 1e-10 * np.max(np.abs(reference))
    strict = run(problem, chain, generators(3), "numpy", array_api_strict)
    assert np.max(np.abs(strict - reference)) <= 1e-10 * np.max(np.abs(reference))


def test_blocks_change_nothing(monkeypatch):
    chain = Chain(0.05, 0.9, 2, "reshuffled", 5, 60, 2)
    whole = run(quadratic_problem(), chain, generators(2))
    monkeypatch.setattr(chains, "BLOCK", 7)
    assert np.array_equal(run(quadratic_problem(), chain, generators(2)), whole)


def test_a_chain_that_diverges_is_not_a_number():
    found = run(quadratic_problem(), Chain(50.0, 0.0, 1, "with replacement", 0, 400, 1), generators(2))
    assert np.isnan(found[:, -1]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sampling": "shuffled"}, "with replacement, distinct, reshuffled"),
        ({"sampling": "distinct", "B": 9}, "there are 8 samples"),
        ({"sampling": "reshuffled", "B": 3}, "proper divisor"),
        ({"sampling": "reshuffled", "B": 8}, "proper divisor"),
        ({"mu": 1.0}, "mu"),
        ({"eta": 0.0}, "eta"),
        ({"samples": 0}, "samples"),
    ],
)
def test_what_cannot_run_is_refused(change, words):
    given = {"eta": 0.1, "mu": 0.5, "B": 2, "sampling": "distinct", "burn_in": 0, "samples": 4, "every": 1} | change
    with pytest.raises(InputError, match=words):
        run(quadratic_problem(), Chain(**given), generators(2))
    with pytest.raises(InputError, match="backend"):
        run(quadratic_problem(), Chain(0.1, 0.5, 2, "distinct", 0, 4, 1), generators(2), "torch")


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_chains_find_the_exact_temperature(sampling):
    problem, eta, mu, B = quadratic_problem(16), 0.05, 0.8, 4
    found = stationary_mean(run(problem, Chain(eta, mu, B, sampling, 1000, 20_000, 1), generators(16)))
    s = (problem.xi**2).mean(axis=0)
    if sampling == "reshuffled":
        exact = float(reshuffled.exact(problem.h, s, np.array(eta), np.array(mu), B, 16))
    else:
        variance = mode_variance(problem.h, s, eta, mu, 1 / finite_data.spread_factor(sampling, B, 16))
        exact = float((problem.h * variance).sum()) / 2
    assert found.unsettled == ""
    assert abs(found.value - exact) < 5 * found.error
    assert found.error < 0.02 * exact


def test_solvers_agree_and_small_steps_lose_no_digit():
    h, S = np.array([0.1, 1.0]), np.array([[1.0, 0.3], [0.3, 2.0]])
    for mu, eta in ((0.0, 0.3), (0.9, 0.05)):
        C = whole_covariance(h, S, eta, mu, 4)
        assert np.allclose(np.diag(C), mode_variance(h, np.diag(S), eta, mu, 4), rtol=1e-10)
    stated = quadratic.covariance(h, S, 1e-8, 0.99, 1)
    assert np.allclose(mode_variance(h, np.diag(S), 1e-8, 0.99, 1), np.diag(stated), rtol=1e-12)
    assert np.isnan(mode_variance(1.0, 1.0, 2.1, 0.0, 1))


def test_the_network_stands_at_a_minimum(network):
    net = network.problem
    assert np.max(np.abs(gradient(net.W, net.X, net.y, net.lam))) < 1e-10
    assert network.curvatures[0] > 0
    assert np.allclose(network.Sigma, network.slopes.T @ network.slopes / net.samples)
    assert np.isclose(np.trace(network.Sigma), (network.companion.xi**2).mean(axis=0).sum())
    about = expansion(network)
    assert np.allclose(about.J, np.transpose(about.J, (2, 1, 0)), atol=1e-4 * np.abs(about.J).max())


def test_the_companion_takes_the_same_steps_for_small_rates(network):
    """The smaller the rate, the closer the network's chain is to its companion's."""
    apart = []
    for eta in (1e-4, 1e-6):
        chain = Chain(eta, 0.9, 4, "with replacement", 0, 300, 1)
        own, known = (run(x, chain, generators(2)) for x in (network.problem, network.companion))
        apart.append(np.max(np.abs(own - known)) / np.max(known))
    assert apart[1] < 0.01
    assert apart[1] < apart[0] / 10
