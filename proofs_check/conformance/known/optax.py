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

    return [
        Known(Subject(sgd, "optax.sgd", "optax", "pytorch"), "a trace of the gradients, scaled by the rate", "coupled"),
        Known(
            Subject(nesterov, "optax.sgd, nesterov", "optax", "nesterov_pytorch"),
            "Nesterov's trace of the gradients, scaled by the rate",
        ),
        Known(Subject(inside, "optax.trace after the rate", "optax", "velocity"), "a trace of scaled gradients"),
        Known(Subject(plain, "optax.ema", "optax", "average"), "a running average, scaled by the rate"),
        Known(Subject(corrected, "optax.ema, debias", "optax", "corrected"), "the same with bias correction"),
        Known(Subject(optax.adamw, "optax.adamw", "optax"), "AdamW", "decoupled"),
        Known(
            Subject(optax.nadam, "optax.nadam", "optax"),
            "NAdam",
            None,
            "Momentum is not scheduled: of Dozat's method it has the look-ahead alone.",
        ),
        Known(
            Subject(optax.rmsprop, "optax.rmsprop", "optax"),
            "RMSprop",
            None,
            "ε stands inside of the root; PyTorch has it outside.",
        ),
        Known(Subject(optax.lion, "optax.lion", "optax"), "Lion", "decoupled"),
        Known(Subject(contrib.schedule_free_sgd, "optax.contrib.schedule_free_sgd", "optax"), "schedule-free SGD"),
    ]


LIBRARY = Library("optax", ("jax", "optax"), _optimizers)
