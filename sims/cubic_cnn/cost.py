r"""What a run costs, and how it is therefore laid out: representation, units, threads, memory.

The model, in operations that a core does at its matrix-product rate. For one seed, R = A m rows (optimizers ×
neurons), n patches in the Gram matrix, n_w patches multiplied in weight space, b bytes a number, an iteration costs

    coefficient space   max(2 n² R / e_c, B b n²)   + E n R          and once  2 n² d  (forming K)
    weight space        max(4 n_w d R / e_w, B b n_w d) + E n_w R + 4 d R

where the second term of a maximum counts only if the matrix exceeds `CACHE` (it is then read from memory each
time), B is the machine balance in operations a byte, e the share of the product rate that the loop reaches, and E
what is done once for every coefficient. Only ratios matter for the choice, and the constants are fixed and not measured
on the spot: the same run takes the same way at every load.

Work is cut into **units**, one thread each: a seed with enough optimizers to fill about `ROWS` rows, whose arrays
stay in the thread's cache while K or X streams past. Where there are fewer units than threads, optimizers are spread
further, and then a **team** of threads shares one unit's products if they are large enough to pay for meeting.
"""

from __future__ import annotations

__all__ = [
    "CACHE",
    "Cost",
    "Layout",
    "check_recorded",
    "choose_representation",
    "costs",
    "lay_out",
    "memory_available",
    "spell_bytes",
]

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lemmascope.sims.cubic_cnn.problems import Problem
from lemmascope.sims.tables import spell_bytes
from lemmascope.theory.cubic_cnn.quantities import POINTS, REPLICATES
from lemmascope.theory.errors import InputError

CACHE = 16 * 2**20
"""Bytes of a matrix that stays in the last-level cache from one iteration to the next."""
BALANCE = 4.0
"""Operations at the product rate while a byte comes from memory, a core."""
EFFICIENCY = {"coefficients": 0.95, "weights": 0.7}
"""Share of the product rate that the loops reach while the matrix is in cache."""
ELEMENTWISE = 60.0
"""Operations' worth of time for each coefficient an iteration: cubes, gradient, step."""
ROWS = 60
"""Rows of a unit: enough to use K several times while a panel of it is in cache, few enough to stay there too."""
TEAM_OPERATIONS = 5e6
"""Operations an iteration for each thread that joins the products of a unit: below, the meetings cost more."""
CHUNK_BYTES = 3 * 2**20
"""Of the matrices that a batch of the NumPy backend multiplies, K or X; two seeds of HEADLINE measured a quarter faster
than one."""


@dataclass(frozen=True)
class Cost:
    """One representation, for one seed.

    Attributes:
        operations: floating-point operations an iteration, as the loop carries them out.
        equivalent: operations at the product rate that take as long.
        bytes: read from memory an iteration (0: everything stays in cache).
        once: operations before the first iteration.
        memory: bytes that a unit needs while it runs.
    """

    operations: float
    equivalent: float
    bytes: float
    once: float
    memory: int


@dataclass(frozen=True)
class Choice:
    """The representation and the sentence that says why."""

    representation: str
    reason: str


@dataclass(frozen=True)
class Layout:
    """How a run is cut.

    Attributes:
        units: (seeds, indices of optimizers) of each.
        threads: units at a time; team: threads inside each.
        cost: of one unit an iteration.
        memory: bytes of all units in flight.
    """

    units: tuple[tuple[range, tuple[int, ...]], ...]
    threads: int
    team: int
    cost: Cost
    memory: int


def costs(
    problem: Problem, rows: int, *, itemsize: int = 8, compiled: bool = True, audit: bool = True
) -> dict[str, Cost]:
    """The cost of both representations for ``rows`` = A m, by name; weight space only where data lie in R^d."""
    n, N, P, d = problem.coefficients, problem.N, problem.patches, problem.d
    in_R_d = problem.in_R_d
    # Float64: X, once more with the signal patch first, and what that passes through; or the factor of an exact draw.
    drawn = 24 * N * P * d if in_R_d else 16 * n * n
    # X and its noise patches once more, their magnitudes, and what passes by; products with themselves beside K.
    audits = audit and in_R_d and problem.of_the_law
    audited = 8 * ((2 * N * P + 2 * n) * d + 8 * problem.m * (N * P + d)) * audits
    # The points of the test accuracy, and what passes through it.
    points = 5 * 8 * REPLICATES * POINTS * problem.m * (problem.patches - 1) * (problem.parameters is not None)
    single = itemsize * (itemsize < 8)

    def streamed(size: float) -> float:
        return itemsize * size if itemsize * size > CACHE else 0.0

    gram = 2.0 * n * n * rows
    elementwise = ELEMENTWISE * n * rows
    read = streamed(n * n)
    # K, what it was formed from or is packed into; Ξ, B, buffer and what is recorded of them.
    kept = n * n * (16 + single) + 12 * itemsize * rows * n
    found = {
        "coefficients": Cost(
            gram,
            max(gram / EFFICIENCY["coefficients"], BALANCE * read) + elementwise,
            read,
            2.0 * n * n * d * in_R_d,
            int(drawn + kept + audited + 8 * n * (n + N * P) * audits + points),
        )
    }
    if in_R_d:
        n_w = n if compiled else N * P
        direct = 4.0 * n_w * d * rows
        read = streamed(n_w * d)
        # X as it is multiplied; W, buffer and parts of the gradient; responses, and what is recorded of them.
        kept = single * N * P * d + itemsize * (n_w * d * compiled + 14 * rows * d + 12 * rows * N * P)
        found["weights"] = Cost(
            direct,
            max(direct / EFFICIENCY["weights"], BALANCE * read) + ELEMENTWISE * n_w * rows + 4.0 * d * rows,
            read,
            0.0,
            int(drawn + kept + audited + points),
        )
    return found


def choose_representation(
    problem: Problem,
    *,
    asked: str,
    all_linear: bool,
    optimizers: int,
    iterations: int,
    itemsize: int = 8,
    compiled: bool = True,
    memory_limit: float | None = None,
    audit: bool = True,
) -> Choice:
    """The cheaper representation that is possible and fits the memory.

    Args:
        problem: sizes; optimizers, iterations, itemsize: of the run.
        asked: ``"auto"``, ``"weights"`` or ``"coefficients"``.
        all_linear: whether every optimizer is linear in the gradients.
        compiled: whether the compiled backend runs; audit: whether gradients are audited, which takes memory.
        memory_limit: bytes.

    Raises:
        InputError: the representation asked for cannot run this problem with these optimizers, or none fits the memory.
    """
    if asked not in ("auto", "weights", "coefficients"):
        raise InputError("representation", asked, "it must be 'auto', 'weights' or 'coefficients'")
    if not problem.in_R_d and (asked == "weights" or not all_linear):
        raise InputError(
            "representation",
            asked,
            "exact-law data have no d-dimensional vectors: they run in coefficient space, with linear optimizers only",
        )
    if asked == "coefficients" and not all_linear:
        raise InputError("representation", asked, "an optimizer with linear = False runs in weight space only")
    found = costs(problem, optimizers * problem.m, itemsize=itemsize, compiled=compiled, audit=audit)
    if not all_linear:
        found.pop("coefficients")
    possible = {name: cost for name, cost in found.items() if asked in ("auto", name)}
    limit = float("inf") if memory_limit is None else memory_limit
    fitting = {name: cost for name, cost in possible.items() if cost.memory <= limit}
    if not fitting:
        needs = " or ".join(f"{spell_bytes(cost.memory)} in {_space(name)}" for name, cost in possible.items())
        raise InputError("memory_limit", spell_bytes(limit), f"this run needs {needs} for one seed at a time")
    total = {name: cost.equivalent * iterations + cost.once for name, cost in fitting.items()}
    name = min(fitting, key=lambda key: total[key])
    if asked != "auto":
        reason = "asked for"
    elif not all_linear:
        reason = "an optimizer is not linear in the gradients"
    elif not problem.in_R_d:
        reason = "exact-law data have no d-dimensional vectors"
    elif len(fitting) == 1:
        other = next(key for key in possible if key != name)
        reason = f"{_space(other)} would need {spell_bytes(possible[other].memory)}"
    else:
        parts = [f"{total[key]:.2g} {'operations a seed ' * (i == 0)}in {_space(key)}" for i, key in enumerate(total)]
        reason = ", ".join(parts)
    return Choice(name, reason)


def _space(name: str) -> str:
    return {"coefficients": "coefficient space", "weights": "weight space"}[name]


def lay_out(
    problem: Problem,
    representation: str,
    *,
    seeds: int,
    optimizers: int,
    workers: int,
    itemsize: int = 8,
    compiled: bool = True,
    memory_limit: float | None = None,
    chunk: int | None = None,
    audit: bool = True,
) -> Layout:
    """Cut a run into units and share out the threads; none of this changes a bit of the result.

    Args:
        problem: sizes; representation: as chosen.
        seeds, optimizers: how many; workers: threads at most.
        itemsize: bytes a number; compiled: whether the compiled backend runs.
        memory_limit: bytes that all units in flight may take; fewer run at a time to keep to it.
        chunk: seeds a batch (NumPy backend), default by `CHUNK_BYTES`; fewer where the memory is short.
        audit: whether gradients are audited, which takes memory.
    """
    m = problem.m
    if compiled:
        chunk = 1
        groups = max(-(-optimizers * m // ROWS), min(optimizers, workers // max(seeds, 1)), 1)
        groups = min(groups, optimizers)
    else:
        n, groups = problem.coefficients, 1
        matrix = itemsize * (n * n if representation == "coefficients" else problem.N * problem.patches * problem.d)
        chunk = chunk or max(1, min(CHUNK_BYTES // matrix, -(-seeds // workers)))
        if memory_limit is not None:
            one = costs(problem, optimizers * m, itemsize=itemsize, compiled=False, audit=audit)[representation].memory
            chunk = max(1, min(chunk, int(memory_limit // one)))
    cuts = [optimizers * g // groups for g in range(groups + 1)]
    parts = [tuple(range(a, b)) for a, b in pairwise(cuts)]
    units = tuple((range(s, min(s + chunk, seeds)), part) for s in range(0, seeds, chunk) for part in parts)
    most = max(len(part) for part in parts)
    cost = costs(problem, most * m, itemsize=itemsize, compiled=compiled, audit=audit)[representation]
    threads = max(1, min(workers, len(units)))
    if memory_limit is not None:
        threads = max(1, min(threads, int(memory_limit // (cost.memory * chunk))))
    team = 1
    if compiled:
        team = max(1, min(workers // threads, int(cost.operations / TEAM_OPERATIONS) + 1))
    return Layout(units, threads, team, cost, cost.memory * chunk * threads)


def check_recorded(
    problem: Problem, *, times: int, members: int, whole_Xi: bool, steps: int, memory_limit: float
) -> None:
    """Refuse a run whose records do not fit the memory.

    Args:
        problem: sizes; times: recorded iterations; members: seeds × optimizers; whole_Xi: whether Ξ is recorded.
        steps: iterations that are traced.
        memory_limit: bytes.

    Raises:
        InputError: they do not fit.
    """
    summaries = problem.m + 40
    numbers = times * (summaries + whole_Xi * problem.m * problem.coefficients) + 5 * steps
    needed = 2 * 8 * members * numbers  # as they come, and side by side
    if needed > memory_limit:
        raise InputError(
            "memory_limit",
            spell_bytes(memory_limit),
            f"what this run records needs {spell_bytes(needed)}; record fewer iterations, seeds or quantities",
        )


def memory_available() -> int:
    """Bytes this process may still take: what the system has free, and what its control group leaves."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")] if hasattr(os, "sysconf") else [2**34]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        found.append(max(0, int(limit) - int(used)))
    except (OSError, ValueError):
        pass
    return min(found)
