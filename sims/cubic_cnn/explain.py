"""What `lemmascope explain` says: how a run would be carried out, how long it would take, what memory it needs."""

from __future__ import annotations

__all__ = ["CHOSEN", "Explanation", "explain", "one_thread_rate", "predicted_seconds"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits

from lemmascope.sims.cubic_cnn.arrange import Arrangement, arrange
from lemmascope.sims.cubic_cnn.cost import Cost, costs, spell_bytes
from lemmascope.sims.cubic_cnn.problems import Problem, as_problem
from lemmascope.sims.machine.limits import product_rate
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.optimizers import Optimizer

SPACES = {"coefficients": "coefficient space", "weights": "weight space"}
NUMPY_FACTOR = 1.8
"""How much longer the NumPy loop takes than the model: interpreter, and a pass through memory for every operation."""
LEAST = {"numpy": 5e-5, "compiled": 3e-7}
"""Seconds of an iteration, however small: the interpreter's calls, or the loop's own."""
NOMINAL = 2e10
"""Operations a second of a thread, where a number will do that is the same at every load."""
CHOSEN = ("iterations", "seeds", "representation", "backend", "dtype", "workers", "memory_limit")
"""The arguments of a run that what is predicted depends on."""


def one_thread_rate(dtype: str = "float64") -> float:
    """Operations a second of a square matrix product on one thread."""
    with threadpool_limits(limits=1):
        return product_rate(dtype, side=512, repeats=20)


@dataclass(frozen=True)
class Explanation:
    """How a run would be carried out.

    Attributes:
        problem: sizes; rows: A m, of one seed; iterations, seeds: of the run.
        arrangement: what was chosen, and why.
        costs: of one seed in each possible representation.
        rate: measured operations a second of one thread.
        numpy: whether the NumPy loop would run.
    """

    problem: Problem
    rows: int
    iterations: int
    seeds: int
    arrangement: Arrangement
    costs: dict[str, Cost]
    rate: float

    @property
    def slowdown(self) -> float:
        """Of the loop that would run, against the model."""
        return 1.0 if self.arrangement.backend.name == "compiled" else NUMPY_FACTOR

    def seconds_per_iteration(self, representation: str) -> float:
        """Predicted, for one seed on one thread."""
        least = LEAST["numpy" if self.slowdown > 1 else "compiled"]
        return max(self.slowdown * self.costs[representation].equivalent / self.rate, least)

    @property
    def seconds(self) -> float:
        """Predicted, for the whole run without recording: all units over all threads, and what is done once."""
        layout, name = self.arrangement.layout, self.arrangement.choice.representation
        cost = self.costs[name]
        threads = layout.threads * layout.team
        each = self.seconds_per_iteration(name) * self.iterations + cost.once / self.rate
        return each * self.seeds / min(threads, self.seeds * len(layout.units))

    def table(self) -> Table:
        """Both representations side by side."""
        chosen = self.arrangement.choice.representation
        table = Table(title="One seed, one thread", title_justify="left")
        table.add_column("")
        for name in self.costs:
            table.add_column(SPACES[name] + (" ←" if name == chosen else ""), justify="right")
        each = list(self.costs.items())
        table.add_row("operations an iteration", *(f"{c.operations:.3g}" for _, c in each))
        table.add_row("read from memory an iteration", *(spell_bytes(c.bytes) if c.bytes else "–" for _, c in each))
        table.add_row("operations once (K)", *(f"{c.once:.3g}" if c.once else "–" for _, c in each))
        table.add_row("memory", *(spell_bytes(c.memory) for _, c in each))
        table.add_row("predicted ms an iteration", *(f"{1e3 * self.seconds_per_iteration(n):.3g}" for n, _ in each))
        return table

    def sentences(self) -> list[str]:
        """The choice in words."""
        a, p = self.arrangement, self.problem
        layout = a.layout
        inside = f", {layout.team} threads inside each" if layout.team > 1 else ""
        units = len(layout.units)
        spread = "a seed each" if units == self.seeds else f"{self.seeds} seeds, optimizers spread"
        return [
            f"Sizes: n = {p.coefficients} patches, d = {p.d}, {self.rows} rows (optimizers × neurons) a seed.",
            f"Representation: {SPACES[a.choice.representation]} ({a.choice.reason}).",
            f"Backend: {a.backend.name} ({a.backend.reason}).",
            f"Work: {units} unit{'s' * (units > 1)} ({spread}), {layout.threads} at a time{inside}; "
            "cutting and threads change no bit of the result.",
            f"Memory: {spell_bytes(layout.memory)} for what is in flight, of {spell_bytes(a.memory_limit)} allowed "
            "(--memory-limit).",
            f"Predicted: {_duration(self.seconds)} for {self.iterations} iterations of {self.seeds} seed"
            f"{'s' * (self.seeds > 1)}, without recording, at a measured {self.rate / 1e9:.3g} GFLOP/s a thread.",
        ]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def explain(
    problem: Problem | Parameters,
    optimizers: Mapping[str, Optimizer],
    *,
    iterations: int,
    seeds: int = 1,
    rate: float | None = None,
    **options: Any,
) -> Explanation:
    """Choose as `sims.cubic_cnn.simulate.simulate` would with these arguments, and measure this thread's product rate.

    No step is taken, and nothing is drawn.

    Raises:
        InputError: as `simulate` raises it.
    """
    problem = as_problem(problem)
    chosen = arrange(problem, optimizers, iterations=iterations, seeds=seeds, **options)
    dtype, rows = options.get("dtype", "float64"), len(optimizers) * problem.m
    both = costs(
        problem,
        rows,
        itemsize=np.dtype(dtype).itemsize,
        compiled=chosen.backend.name == "compiled",
        audit=options.get("audit", True),
    )
    return Explanation(problem, rows, iterations, seeds, chosen, both, rate or one_thread_rate(dtype))


def predicted_seconds(problem: Problem | Parameters, optimizers: Mapping[str, Optimizer], **run: Any) -> float:
    """About how long a run with these arguments of `simulate` takes; 0 with fast-forward, which nobody foresees.

    Raises:
        InputError: as `simulate` raises it.
    """
    if run.get("fast_forward") is not None:
        return 0.0
    given = {name: value for name, value in run.items() if name in CHOSEN}
    return explain(problem, optimizers, rate=NOMINAL, **given).seconds
