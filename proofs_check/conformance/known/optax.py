"""Optax's."""

from __future__ import annotations

__all__ = ["LIBRARY"]

from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library


def _optimizers() -> list[Known]:
    import optax
    from optax import contrib

    def average(learning_rate: Any, decay: float, debias: bool) -> Any:
        return optax.chain(optax.ema(decay, debias=debias), optax.scale_by_learning_rate(learning_rate))

    def sgd(learning_rate: Any, momentum: float, weight_decay: float = 0.0) -> Any:
        return optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(learning_rate, momentum))

    def nesterov(learning_rate: Any, momentum: float) -> Any:
        return optax.sgd(learning_rate, momentum, nesterov=True)

    def inside(learning_rate: Any, momentum: float) -> Any:
        return optax.chain(optax.scale_by_learning_rate(learning_rate), optax.trace(momentum))

    def plain(learning_rate: Any, momentum: float) -> Any:
        return average(learning_rate, momentum, False)

    def corrected(learning_rate: Any, momentum: float) -> Any:
        return average(learning_rate, momentum, True)

    def other(make: Any, name: str, documented: str, decay: str | None = None, remark: str = "") -> Known:
        return Known(Subject(make, f"optax.{name}", "optax"), documented, decay, remark, momentum=False)

    return [
        Known(Subject(sgd, "optax.sgd", "optax", "pytorch"), "a trace of gradients, times the rate", "coupled"),
        Known(
            Subject(nesterov, "optax.sgd, nesterov", "optax", "nesterov_pytorch"),
            "Nesterov's trace of gradients, times the rate",
        ),
        Known(
            Subject(inside, "optax.trace after the rate", "optax", "velocity"), "a trace of gradients times the rate"
        ),
        Known(Subject(plain, "optax.ema", "optax", "average"), "an average, times the rate"),
        Known(
            Subject(corrected, "optax.ema, debias", "optax", "corrected"),
            "the same, bias corrected",
            None,
            "Where momentum changes it is corrected as if it had been the last one all the time.",
            departs=("momentum_schedule[corrected]",),
        ),
        other(optax.adamw, "adamw", "AdamW", "decoupled"),
        other(
            optax.nadam, "nadam", "NAdam", None, "Momentum is not scheduled: of Dozat's method it has the look-ahead."
        ),
        other(optax.lion, "lion", "Lion", "decoupled"),
        other(contrib.schedule_free_sgd, "contrib.schedule_free_sgd", "schedule-free SGD"),
    ]


LIBRARY = Library("optax", ("jax", "optax"), _optimizers, cost=4.0)
