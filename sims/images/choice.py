"""Training at every learning rate, and the common rule by which one of them is tested."""

from __future__ import annotations

__all__ = ["ERRORS", "PERMUTED", "chosen", "tuned"]

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.images.data import Split
from lemmascope.sims.images.loop import Trained, accuracy, train
from lemmascope.theory.images.networks import Architecture

ERRORS = (0.0, 0.005)
"""Largest training errors of a rate that may be chosen; the second one where none reaches the first."""

PERMUTED = 10
"""Permuted labels are trained on for one epoch in so many."""


def chosen(accuracy: Sequence[float], error: Sequence[float]) -> tuple[int, float]:
    """The rate that the common rule takes, and by how much.

    Args:
        accuracy, error: validation accuracy and training error at each rate.

    Returns:
        The place of the best accuracy among rates whose training error is 0 (or, where there is none, small), the
        smaller of equals, and how far the next best is below it, NaN without one. Where no rate trains, the place of
        the smallest error.
    """
    for most in ERRORS:
        fitted = np.asarray(error) <= most
        if fitted.any():
            found = np.where(fitted, np.round(accuracy, 9), -1.0)  # equal counts are equal
            best = int(np.argmax(found))
            others = np.delete(found, best)
            return best, float(found[best] - others.max()) if fitted.sum() > 1 else math.nan
    return int(np.argmin(error)), math.nan


def tuned(
    net: Architecture,
    drawn: Split,
    rng: Callable[[str], np.random.Generator],
    *,
    rates: Sequence[float],
    gamma: float,
    batch: int,
    epochs: int,
    augmentation: bool,
    backend: str,
) -> dict[str, Any]:
    """One optimizer on one split: trained at every rate, tested at the one that the validation images choose.

    At that rate it is trained on permuted labels too, for a tenth of the epochs.

    Args:
        net, drawn: network and images.
        rng: from a name to its generator, new at each call: weights, order, augmentation, permuted labels.
        rates: increasing.
        gamma, batch, epochs, backend: as of `sims.images.loop.train`; augmentation: whether there is one.

    Returns:
        ``validation`` and ``training_error`` at every rate; of the one that is chosen ``eta``, ``margin`` of the
        choice, ``error`` and ``loss`` in training, ``accuracy`` on the test images, and that after ``permuted`` labels.
    """
    start = net.initial(rng("weights").standard_normal)

    def run(eta: float, labels: np.ndarray, count: int) -> Trained:
        stopping.check()
        return train(
            net,
            start,
            drawn.train.x,
            labels,
            eta=eta,
            gamma=gamma,
            batch=batch,
            epochs=count,
            order=rng("order"),
            augment=rng("augmentation") if augmentation else None,
            backend=backend,
        )

    def judged(one: Trained, x: np.ndarray, labels: np.ndarray) -> float:
        return accuracy(net, one.theta, x, labels, one.statistics, backend)

    ends = [run(eta, drawn.train.y, epochs) for eta in rates]
    validation, errors = [judged(one, *drawn.validation) for one in ends], [one.error for one in ends]
    best, margin = chosen(validation, errors)
    permuted = rng("permuted labels").permutation(drawn.train.y)
    noise = run(rates[best], permuted, max(1, epochs // PERMUTED))
    return {
        "validation": validation,
        "training_error": errors,
        "eta": rates[best],
        "margin": margin,
        "error": ends[best].error,
        "loss": ends[best].loss,
        "accuracy": judged(ends[best], *drawn.test),
        "permuted": judged(noise, *drawn.test),
    }
