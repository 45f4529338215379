"""The cost model: which representation is taken, how work is cut, and that memory is kept to."""

import tracemalloc

import numpy as np
import pytest

from lemmascope.sims.cubic_cnn import cost
from lemmascope.sims.cubic_cnn.cost import choose_representation, costs, lay_out, memory_available
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage


def choose(problem, asked="auto", all_linear=True, optimizers=2, iterations=1000, **rest):
    return choose_representation(
        problem, asked=asked, all_linear=all_linear, optimizers=optimizers, iterations=iterations, **rest
    )


def test_the_cheaper_one_is_taken(tiny):
    """Per step: 2 n² R against 4 n d R; the Gram matrix costs 2 n² d once."""
    many_dimensions, many_samples = tiny(d=500, N=12), tiny(d=10, N=200)
    assert choose(LawProblem(many_dimensions)).representation == "coefficients"
    assert choose(LawProblem(many_samples)).representation == "weights"


def test_costs_count_operations(tiny):
    """Counted by hand: N = 12, P = 3, d = 40, m = 4 and two optimizers."""
    found = costs(LawProblem(tiny(P=3)), 8)
    assert found["coefficients"].operations == 2 * 24**2 * 8
    assert found["weights"].operations == 4 * 24 * 40 * 8
    assert found["coefficients"].once == 2 * 24**2 * 40
    assert costs(LawProblem(tiny(P=3)), 8, compiled=False)["weights"].operations == 4 * 36 * 40 * 8
    assert list(costs(LawProblem(tiny(d=10**9), "exact"), 8)) == ["coefficients"]


def test_the_gram_matrix_must_pay_for_itself(tiny):
    problem = LawProblem(tiny(N=100, d=100, m=1))
    both = costs(problem, 1)
    saved = both["weights"].equivalent - both["coefficients"].equivalent
    assert saved > 0
    break_even = both["coefficients"].once / saved
    assert choose(problem, optimizers=1, iterations=int(break_even) - 1).representation == "weights"
    assert choose(problem, optimizers=1, iterations=int(break_even) + 2).representation == "coefficients"


def test_a_matrix_beyond_the_cache_costs_its_reading(tiny, monkeypatch):
    problem = LawProblem(tiny(N=50, d=60))
    assert costs(problem, 1)["coefficients"].bytes == 0
    monkeypatch.setattr(cost, "CACHE", 8 * 50**2 - 1)
    found = costs(problem, 1)["coefficients"]
    assert found.bytes == 8 * 50**2
    assert found.equivalent >= cost.BALANCE * found.bytes
    assert costs(problem, 1, itemsize=4)["coefficients"].bytes == 0


def test_what_must_be_is_taken(tiny, patches):
    assert choose(LawProblem(tiny()), all_linear=False).representation == "weights"
    assert choose(LawProblem(tiny(d=10**9), "exact")).representation == "coefficients"
    assert choose(patches(), asked="weights").representation == "weights"
    assert choose(patches(), asked="coefficients").representation == "coefficients"


@pytest.mark.parametrize(
    ("law", "asked", "all_linear"),
    [
        ("samples", "fastest", True),
        ("exact", "weights", True),
        ("exact", "auto", False),
        ("exact", "coefficients", False),
        ("samples", "coefficients", False),
    ],
)
def test_what_cannot_run_is_refused(tiny, law, asked, all_linear):
    with pytest.raises(InputError, match="representation"):
        choose(LawProblem(tiny(), law), asked=asked, all_linear=all_linear)


def test_the_choice_is_written_into_the_run(tiny):
    run = simulate(tiny(), {"GD": GD(0.1)}, iterations=5)
    choice = choose(LawProblem(tiny()), optimizers=1, iterations=5)
    assert (run.representation, run.representation_reason) == (choice.representation, choice.reason)


# --- memory --------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_gives_way(tiny):
    """Coefficient space is cheaper here; with too little memory for K it is weight space, and the reason says so."""
    problem = LawProblem(tiny(N=200, d=600, m=1))
    both = costs(problem, 2, audit=False)
    assert both["coefficients"].memory != both["weights"].memory
    small, large = sorted(both, key=lambda name: both[name].memory)
    choice = choose(problem, memory_limit=both[large].memory - 1, audit=False)
    assert choice.representation == small
    assert "would need" in choice.reason


def test_what_fits_nowhere_is_refused_with_what_it_needs(tiny):
    with pytest.raises(InputError, match=r"memory_limit.*needs .* in coefficient space or .* in weight"):
        simulate(tiny(), {"GD": GD(0.1)}, iterations=5, memory_limit=1000)
    with pytest.raises(InputError, match="memory_limit"):
        simulate(tiny(), {"GD": GD(0.1)}, iterations=5, memory_limit=-1)


def test_the_limit_bounds_the_units_in_flight(tiny):
    problem = LawProblem(tiny())
    one = lay_out(problem, "coefficients", seeds=8, optimizers=2, workers=8).cost.memory
    for many in (1, 2, 5):
        layout = lay_out(problem, "coefficients", seeds=8, optimizers=2, workers=8, memory_limit=many * one)
        assert layout.threads == many
        assert layout.memory <= many * one


def peak_of(problem, **options):
    """Bytes of the arrays of a run, as Python's allocator sees them."""
    optimizers = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}

    def go():
        simulate(problem, optimizers, iterations=3, record=Every(3), workers=1, **options)

    go()  # what is loaded once does not count
    tracemalloc.start()
    go()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


SHAPES = {
    "both large": {"N": 300, "P": 3, "d": 700},
    "many samples": {"N": 1500, "d": 20},
    "many dimensions": {"N": 20, "d": 20_000},
    "many neurons": {"N": 30, "d": 5000, "m": 20},
}


@pytest.mark.parametrize("audit", [True, False])
@pytest.mark.parametrize("backend", ["compiled", "numpy"])
@pytest.mark.parametrize("representation", ["coefficients", "weights"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_predicted_memory_covers_the_measured_one(tiny, shape, representation, backend, audit):
    """Never more than predicted, and at least a third of it."""
    problem = LawProblem(tiny(**SHAPES[shape]))
    peak = peak_of(problem, representation=representation, backend=backend, audit=audit)
    predicted = costs(problem, 2 * problem.m, compiled=backend == "compiled", audit=audit)[representation].memory
    assert predicted / 3 < peak < 1.1 * predicted


def test_the_predicted_memory_of_the_exact_law(tiny):
    problem = LawProblem(tiny(N=300, P=3, d=700), "exact")
    predicted = costs(problem, 2 * 4)["coefficients"].memory
    assert predicted / 3 < peak_of(problem) < 1.1 * predicted


def test_weight_space_forms_no_gram_matrix(tiny):
    """Not for the audit either: n² numbers would be 72 MB here."""
    problem = LawProblem(tiny(N=3000, d=10))
    assert peak_of(problem, representation="weights") < 8 * 3000**2 / 5


@pytest.mark.parametrize("representation", ["coefficients", "weights"])
@pytest.mark.parametrize("chunk", [None, 6])
def test_the_limit_is_kept_by_a_batch_of_seeds(tiny, representation, chunk):
    """Audited; seeds in one batch as the memory allows, also where more are asked for."""
    problem = LawProblem(tiny(N=40, d=3000, m=2))
    one = costs(problem, 2 * 2, compiled=False)[representation].memory
    limit = 2.5 * one
    layout = lay_out(
        problem, representation, seeds=6, optimizers=2, workers=1, compiled=False, memory_limit=limit, chunk=chunk
    )
    assert layout.memory <= limit
    assert seen(layout) == [(s, a) for s in range(6) for a in range(2)]
    options = {"representation": representation, "backend": "numpy", "seeds": 6, "chunk": chunk}
    assert peak_of(problem, memory_limit=limit, **options) < 1.1 * limit


def test_a_batch_is_as_large_as_its_matrices_allow(tiny):
    """K in coefficient space, X in weight space, whose size is that of d too."""

    def batch(representation, **sizes):
        layout = lay_out(LawProblem(tiny(**sizes)), representation, seeds=8, optimizers=1, workers=1, compiled=False)
        return max(len(seeds) for seeds, _ in layout.units)

    assert batch("coefficients") == batch("weights") == 8
    assert batch("coefficients", N=500) == 1 < batch("weights", N=500)
    assert batch("weights", d=20_000) == 1 < batch("coefficients", d=20_000)


def test_the_memory_at_hand_is_a_number_of_bytes():
    assert 2**20 < memory_available() < 2**50


# --- cutting -------------------------------------------------------------------------------------------------------


def seen(layout):
    return sorted((s, a) for seeds, part in layout.units for s in seeds for a in part)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("seeds", "optimizers", "workers"), [(1, 1, 1), (5, 2, 2), (1, 144, 2), (64, 1, 16), (3, 7, 5)]
)
def test_every_seed_and_optimizer_is_in_one_unit(tiny, compiled, seeds, optimizers, workers):
    layout = lay_out(
        LawProblem(tiny()), "coefficients", seeds=seeds, optimizers=optimizers, workers=workers, compiled=compiled
    )
    assert seen(layout) == [(s, a) for s in range(seeds) for a in range(optimizers)]
    assert layout.threads * layout.team <= workers
    assert layout.threads <= len(layout.units)


def test_cells_of_one_seed_are_stacked_but_not_all(tiny):
    layout = lay_out(LawProblem(tiny(m=10)), "coefficients", seeds=1, optimizers=144, workers=2)
    rows = [10 * len(part) for _, part in layout.units]
    assert max(rows) <= cost.ROWS
    assert min(rows) >= cost.ROWS / 2


def test_threads_join_inside_products_only_where_units_are_few_and_large(tiny):
    small, large = LawProblem(tiny()), LawProblem(tiny(N=1500, d=10**6), "exact")
    assert lay_out(small, "coefficients", seeds=1, optimizers=1, workers=4).team == 1
    assert lay_out(large, "coefficients", seeds=1, optimizers=1, workers=4).team == 4
    assert lay_out(large, "coefficients", seeds=4, optimizers=1, workers=4).team == 1


def test_a_run_without_records_between_has_the_same_end(tiny):
    few = simulate(tiny(), {"GD": GD(0.1)}, iterations=40, record=Every(40), seeds=3, workers=2)
    many = simulate(tiny(), {"GD": GD(0.1)}, iterations=40, record=Every(1), seeds=3, workers=1)
    assert np.array_equal(few.c.isel(iteration=-1), many.c.isel(iteration=-1))
