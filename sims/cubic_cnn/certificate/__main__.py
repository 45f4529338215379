"""Check the certificate of one seed by exact arithmetic: ``python -m lemmascope.sims.cubic_cnn.certificate --help``.

The compiled loops train with GD and with momentum, and the certificate's radius is carried along. Then the same
trajectory is computed again in balls, intervals that contain every rounding, from the same data and weights; nothing
else is shared. Exit status: 0 if the exact weights lie within the radius at every iteration that is looked at, 1 if
not, 2 for an argument that is not accepted.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence

from lemmascope.sims.cubic_cnn.certificate.balls import BITS
from lemmascope.sims.cubic_cnn.certificate.checked import Look, check
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.schedule import Logarithmic, recorded
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, Nesterov, Optimizer

SIZES = {
    "small": (dataclasses.replace(HEADLINE, d=30, N=10, m=3, alpha=2.0, beta=0.2, mu=0.3, sigma=2 / math.sqrt(30)), 60),
    "quick": (
        Parameters(
            d=150, N=60, P=2, m=12, alpha=4.0, beta=0.2, mu=0.2, sigma=2 / math.sqrt(150), sigma_0=0.35 / math.sqrt(150)
        ),
        100,
    ),
    "headline": (HEADLINE, 40),
}
"""Law and iterations; "quick" and "headline" have the draws of ``lemmascope headline --quick`` and without it."""
STUDY = "headline"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    asked = _parser().parse_args(arguments)
    law, usual = SIZES[asked.size]
    last = usual if asked.iterations is None else asked.iterations
    try:
        p = dataclasses.replace(law, lam=asked.lam)
        drawn = LawProblem(p).draw(streams(asked.root_seed, STUDY, asked.seed))
        times = recorded(Logarithmic(asked.looks), last).tolist()
        bits = BITS + 4 * last if asked.bits is None else asked.bits
        print(f"d = {p.d}, N = {p.N}, P = {p.P}, m = {p.m}, λ = {p.lam:g}; seed {asked.seed}; balls of {bits} bits")
        print(f"{'':10} {'t':>7} {'radius':>10} {'distance':>10}")
        found = []
        for look in check(drawn, _optimizers(asked.size), times, lam=p.lam, in_weights=asked.weights, bits=bits):
            found.append(look)
            print(
                f"{look.label:10} {look.iteration:7d} {look.radius:10.2e} {look.high:10.2e}{_remark(look)}", flush=True
            )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    bad = [look for look in found if not look.inside]
    if not bad:
        print(f"distance ≤ radius at every one of {len(found)} iterations looked at")
        return 0
    wrong = sum(look.outside for look in bad)
    print(f"NOT within the radius: {wrong}; not told, as the balls are too wide: {len(bad) - wrong}")
    return 1


def _remark(look: Look) -> str:
    if look.outside:
        return "  OUTSIDE"
    if not look.inside:
        return "  too wide to tell: more --bits"
    return "" if look.high == 0 else f"  {look.radius / look.high:.1e} times"


def _optimizers(size: str) -> dict[str, Optimizer]:
    if size == "small":
        return {"GD": GD(0.3), "GD+M": MomentumAverage(0.3, 0.9), "Nesterov": Nesterov(0.03, 0.9)}
    return {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lemmascope.sims.cubic_cnn.certificate",
        description="Hold the radius of a certified run against the exact trajectory, in balls of many bits.",
        epilog="Of --size headline an iteration takes half a second of a core, and of small a millisecond or two.",
    )
    add = parser.add_argument
    add("--size", choices=SIZES, default="small", help="the law [small]")
    add("--seed", type=int, default=0, help="the draw [0]")
    add("--root-seed", type=int, default=0, help="root of the random streams [0]")
    add("--iterations", type=int, help="steps [60, 100 or 40, by size]")
    add("--looks", type=int, default=12, help="iterations at which both are compared, spread by their logarithm [12]")
    add("--lam", type=float, default=0.0, help="weight decay λ [0]")
    add("--bits", type=int, help="of the balls [300 and 4 for each iteration]")
    add("--weights", action="store_true", help="loops that iterate the weights, not their coefficients")
    return parser


if __name__ == "__main__":
    sys.exit(main())
