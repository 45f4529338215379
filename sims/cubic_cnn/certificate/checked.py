"""The independent route: the exact trajectory of one seed in balls, beside what the compiled loops computed and the
radius that a certified run gives it.
"""

from __future__ import annotations

__all__ = ["Look", "check"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lemmascope.sims.cubic_cnn.backends.array_kernel import ArrayKernel
from lemmascope.sims.cubic_cnn.backends.kernel import Kernel, Start
from lemmascope.sims.cubic_cnn.backends.segments import rates_of
from lemmascope.sims.cubic_cnn.certificate import balls
from lemmascope.sims.cubic_cnn.certificate.problem import Certifiable, certifiable
from lemmascope.sims.cubic_cnn.certificate.witness import Witness
from lemmascope.sims.cubic_cnn.problems import Drawn
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import Optimizer


@dataclass(frozen=True)
class Look:
    """One iteration of one optimizer.

    Attributes:
        radius: of the certificate. low, high: between which the distance of the exact weights lies.
    """

    label: str
    iteration: int
    radius: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the exact weights are shown to lie within the radius."""
        return self.high <= self.radius

    @property
    def outside(self) -> bool:
        """Whether they are shown not to: the certificate is wrong."""
        return self.low > self.radius


def check(
    drawn: Drawn,
    optimizers: Mapping[str, Optimizer],
    times: Sequence[int],
    *,
    lam: float = 0.0,
    in_weights: bool = False,
    bits: int = balls.BITS,
) -> Iterator[Look]:
    """Each optimizer at each of the iterations, one after another as they are known.

    Args:
        drawn: one seed's samples and initial weights.
        optimizers: with a recursion.
        times: iterations, increasing.
        lam: λ. in_weights: whether the loops iterate W, or its coefficients.
        bits: of the balls; too few leave a look neither inside nor outside.

    Raises:
        InputError: there are no samples.
    """
    if drawn.sample is None or drawn.W_0 is None:
        raise InputError("drawn", "the exact law", "the exact weights are those of samples in R^d")
    problem = certifiable(drawn, lam, in_weights=in_weights)
    states, radii = _carried(problem, list(optimizers.values()), times)
    for a, (label, optimizer) in enumerate(optimizers.items()):
        exact = balls.weights(drawn.sample, drawn.W_0, optimizer, times[-1], times, lam, bits)
        for t in times:
            theta = states[t][0, a]
            far = balls.distance_of_weights(exact[t], drawn.sample, drawn.W_0, theta, in_weights, bits)
            yield Look(label, t, radii[t][a], max(0.0, float(far.lower())), float(far.upper()))


def _carried(
    problem: Certifiable, optimizers: list[Optimizer], times: Sequence[int]
) -> tuple[dict[int, np.ndarray], dict[int, list[float]]]:
    """States (1, A, m, width) by iteration, and radii, as a certified run on the processor has them."""
    wanted, last = np.array(times), times[-1]
    few = problem.projection.small
    small = np.zeros(len(problem.data.y), bool) if few is None else np.asarray(few)
    start = Start(
        small=small[None],
        c_threshold=None,
        memorization_threshold=None,
        gradient_factor=1.0,
        last=last,
        trace=False,
        count=len(optimizers),
        dtype="float64",
        data=problem.data,
    )
    kernel = _kernel(problem, start)
    rates = rates_of(optimizers, 0, 1)
    witness = Witness(problem.data, small, rates if rates.ndim == 2 else rates[0], wanted)
    states: dict[int, np.ndarray] = {}
    at = 0
    while at <= last:
        stop = min(witness.end, last + 1)
        inside = wanted[(wanted >= at) & (wanted < stop)]
        found = kernel.advance(at, stop, rates_of(optimizers, at, stop), inside)
        states |= dict(zip(inside.tolist(), found.theta, strict=True))
        witness.add(found.seen or [], stop, kernel.watched().diverged_at[0] >= 0)
        at = stop
    return states, {t: [ball.whole for ball in witness.balls(t)] for t in wanted.tolist()}


def _kernel(problem: Certifiable, start: Start) -> Kernel:
    try:
        from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel
    except ImportError:  # without Numba
        return ArrayKernel(problem.system, start)
    return CompiledKernel(problem.system, start)
