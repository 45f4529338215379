"""What can be simulated, and what is refused at the door."""

from dataclasses import replace

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem, as_problem, draw
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.seeds import streams
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD

GOOD = {"X": np.ones((4, 2, 3)), "y": [1, -1, 1, -1], "m": 2, "sigma_0": 0.1}


def test_parameters_are_samples_of_their_law(tiny):
    problem = as_problem(tiny(P=3))
    assert problem == LawProblem(tiny(P=3), "samples")
    assert (problem.N, problem.d, problem.m, problem.patches, problem.coefficients) == (12, 40, 4, 3, 24)
    assert (problem.of_the_law, problem.in_R_d, problem.parameters) == (True, True, tiny(P=3))
    assert as_problem(problem) is problem


def test_a_draw_of_the_law(tiny):
    drawn = LawProblem(tiny(P=3)).draw(streams(0, "s", 0))
    assert drawn.sample.X.shape == (12, 3, 40)
    assert drawn.W_0.shape == (4, 40)
    assert drawn.exact is None
    assert drawn.projection().K.shape == (24, 24)


def test_a_draw_of_the_exact_law_has_no_vectors(tiny):
    problem = LawProblem(tiny(d=10**10), "exact")
    drawn = problem.draw(streams(0, "s", 0))
    assert not problem.in_R_d
    assert (drawn.sample, drawn.W_0) == (None, None)
    assert drawn.projection() is drawn.exact
    assert drawn.exact.K.shape == (12, 12)


def test_an_unknown_law_is_refused(tiny):
    with pytest.raises(InputError, match="law"):
        LawProblem(tiny(), "approximate")


def test_own_patches_are_the_same_for_every_seed_and_their_weights_are_not(patches):
    problem = patches(w_star="known", small="known", lam=0.5)
    a, b = (problem.draw(streams(0, "s", k)) for k in (0, 1))
    assert a.sample.X is b.sample.X
    assert not np.array_equal(a.W_0, b.W_0)
    assert np.isclose(np.linalg.norm(problem.w_star), 1, rtol=1e-15)
    assert (problem.N, problem.patches, problem.d, problem.coefficients, problem.lam) == (40, 3, 30, 120, 0.5)
    assert (problem.of_the_law, problem.in_R_d, problem.parameters) == (False, True, None)


def test_nothing_of_own_patches_is_taken_for_orthogonal(patches):
    """The Gram matrix has all patches, and ⟨x_k, w*⟩ is kept."""
    problem = patches(w_star="known")
    drawn = problem.draw(streams(0, "s", 0))
    projection, rows = drawn.projection(), problem.X.reshape(120, 30)
    assert np.allclose(projection.K, rows @ rows.T, rtol=1e-12)
    assert np.allclose(projection.overlap, rows @ problem.w_star, rtol=1e-12, atol=1e-14)
    assert np.abs(projection.overlap).max() > 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("X", np.ones((4, 6))),
        ("X", np.ones((0, 2, 3))),
        ("X", np.ones((4, 2, 0))),
        ("X", "patches"),
        ("X", None),
        ("X", np.full((4, 2, 3), np.nan)),
        ("X", np.full((4, 2, 3), np.inf)),
        ("X", np.ones((4, 2, 3)) * 1j),
        ("X", [[1.0], [1.0, 2.0]]),
        ("y", [1, -1, 1]),
        ("y", [0, 1, 0, 1]),
        ("y", [[1], [-1], [1], [-1]]),
        ("y", [1, -1, 1, np.nan]),
        ("m", 0),
        ("m", 1.5),
        ("sigma_0", 0.0),
        ("sigma_0", -1.0),
        ("sigma_0", np.nan),
        ("lam", -0.1),
        ("w_star", [0.0, 0.0, 0.0]),
        ("w_star", [1.0, 0.0]),
        ("w_star", np.ones((1, 3))),
        ("small", [0, 1, 2, 0]),
        ("small", [True, False]),
        ("small", [0.5, 0, 1, 1]),
    ],
)
def test_bad_patches_are_refused_by_name(field, value):
    PatchProblem(**GOOD)
    with pytest.raises(InputError, match=f"^{field} = ") as refusal:
        PatchProblem(**{**GOOD, field: value})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("size", [1e300, 1e-300, 1e-320, 5e-324, 1.7e308], ids=str)
def test_the_length_of_w_star_does_not_matter(size):
    w_star = PatchProblem(**GOOD, w_star=np.array([size, -size, 0.0])).w_star
    assert np.allclose(w_star, [0.5**0.5, -(0.5**0.5), 0.0], rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(3), "not all 0"),
        ([np.inf, 1.0, 0.0], "finite"),
        ([np.nan, 1.0, 0.0], "finite"),
        ([10**400, 1, 0], "finite"),
        (np.array(["1e400", "1", "0"], np.longdouble), "finite"),
    ],
    ids=["zero", "infinite", "nan", "a large integer", "a large long double"],
)
def test_a_w_star_without_a_direction_is_refused(value, words):
    with pytest.raises(InputError, match=f"^w_star = .*{words}"):
        PatchProblem(**GOOD, w_star=value)


def test_only_problems_are_problems():
    for thing in ("HEADLINE", 3, None, {"d": 500}):
        with pytest.raises(InputError, match="problem"):
            as_problem(thing)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int16])
def test_a_whole_number_of_any_kind_is_a_python_one(kind):
    """As it is saved with the run, and multiplied where a small type would overflow."""
    problem = PatchProblem(**{**GOOD, "m": kind(4)})
    assert type(problem.m) is int
    result = simulate(problem, {"GD": GD(0.1)}, iterations=2, seeds=1)
    assert result.sizes["neuron"] == 4


@pytest.mark.parametrize(
    ("field", "shape"), [("X", (4, 2, 3)), ("y", (4,)), ("w_star", (3,)), ("small", (4,))], ids=lambda x: str(x)
)
def test_masked_entries_are_refused(field, shape):
    """What a mask hides would be trained on; a mask that hides nothing is no harm."""
    value = np.ma.masked_array(np.ones(shape), mask=np.zeros(shape, dtype=bool))
    PatchProblem(**{**GOOD, field: value})
    value[(0,) * len(shape)] = np.ma.masked
    with pytest.raises(InputError, match=f"^{field} = 'array with masked entries'"):
        PatchProblem(**{**GOOD, field: value})


def test_a_draw_with_masked_entries_is_refused():
    class Masked(PatchProblem):
        def draw(self, rng):
            drawn = super().draw(rng)
            X = np.ma.masked_array(drawn.sample.X, mask=False)
            X[0, 0, 0] = np.ma.masked
            return replace(drawn, sample=replace(drawn.sample, X=X))

    problem = Masked(**GOOD)
    with pytest.raises(InputError, match="finite numbers"):
        draw(problem, streams(0, "s", 0))
