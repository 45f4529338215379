"""``python -m lemmascope.sims.cubic_cnn.certificate [ITERATIONS] [SEED]``: GD and GD+M on HEADLINE, and their radius.

Then the independent route on a small problem: the exact trajectory in balls, and where it lies.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.certificate import balls
from lemmascope.sims.cubic_cnn.certificate.enclosures import enclosures
from lemmascope.sims.cubic_cnn.certificate.problem import certifiable
from lemmascope.sims.cubic_cnn.certificate.reference import follow
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.optimizers import GD, MomentumAverage

SHARE = (0.01, 0.1, 0.25, 0.5, 0.75, 1.0)


def _headline(last: int, seed: int) -> None:
    problem = certifiable(LawProblem(HEADLINE).draw(streams(0, "headline", seed)))
    few = np.asarray(problem.projection.small)
    groups = {"large": ~few, "small": few}
    runs: dict[str, Any] = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}
    for name, optimizer in runs.items():
        times = [max(1, round(share * last)) for share in SHARE]
        found = follow(problem, optimizer, last, keep=times)
        print(f"{name}: t, radius, across w*, −λ_min ≤, max c in, test accuracy (large, small) in")
        for t in times:
            view, theta = found.views[t], found.states[t][0]
            gram = problem.system.perpendicular_gram(theta[None, None], view)[0, 0]
            known = enclosures(problem.data, view, theta, found.ball(t), groups, HEADLINE, gram)
            c, (large, small) = known["c"].max(axis=0), known["test_accuracy"]
            print(
                f"{t:7d} {found.radius[t]:8.1e} {found.noise[t]:8.1e} {found.down[t - 1]:7.4f} "
                f"[{c[0]:.12g}, {c[1]:.12g}] [{large[0]:.6f}, {large[1]:.6f}] [{small[0]:.6f}, {small[1]:.6f}]"
            )


def _small(seed: int, last: int = 60) -> None:
    p = dataclasses.replace(HEADLINE, d=30, N=10, m=3, alpha=2.0, beta=0.2, mu=0.3, sigma=2 / math.sqrt(30))
    drawn = LawProblem(p).draw(streams(0, "small", seed))
    assert drawn.sample is not None
    assert drawn.W_0 is not None
    optimizer, times = MomentumAverage(0.3, 0.9), (1, 10, 30, last)
    found = follow(certifiable(drawn), optimizer, last, keep=times)
    exact = balls.weights(drawn.sample, drawn.W_0, optimizer, last, times)
    print("a small problem with its exact trajectory: t, radius, distance")
    for t in times:
        far = balls.distance_of_weights(exact[t], drawn.sample, drawn.W_0, found.states[t][0], False)
        print(f"{t:7d} {found.radius[t]:8.1e} {float(far.upper()):8.1e}")


if __name__ == "__main__":
    _headline(int(sys.argv[1]) if len(sys.argv) > 1 else 3000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    _small(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
