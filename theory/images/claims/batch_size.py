r"""Momentum's gain on real images against the batch size, the talk's first two figures; and on the central data.

Evidence by role:

"gradients"  ``difference``, ``unreversed`` (network, seed): largest relative errors of the hand-derived gradients, and
             of those whose kernels are not reversed on the way back
"descent"    ``full``, ``half`` (seed): largest distance of the epoch loop's end at B = N, and at N/2, from gradient
             descent's and from that of another order of the images
"images"     ``gain`` (batch, seed), G(B): test accuracy of SGD+M less that of SGD, each at its own learning rate, on
             the same split, initial weights and batches; ``error`` (optimizer, batch, seed): training errors
"central"    the same on small-margin samples of the central theorem's law, at one learning rate, as ``gain``; and
             ``weak``, the gain of a smaller γ

A slope is that of least squares on log₂ B, one a seed: per doubling of B. Means over seeds have Student t intervals of
95 %, and an interval is held against a bound as a whole. A draw that trains with an error above 0 is left out, and the
draws that an interval takes are counted after it.

Three statements are not as they first come to mind. With labels permuted for *both* optimizers the gain is 0, and an
interval about 0 neither lies above 0 nor below: such a control decides nothing, so labels are permuted for SGD+M alone.
On the central data the gain is the same at every size, the slope is 0, and "above 0" has no answer there either: what
is claimed is that it is less than a hundredth a doubling, either way, which a planted slope of 0.05 is not.
"""

from __future__ import annotations

__all__ = ["CENTRAL_GAIN", "CLAIMS", "LEAST_SEEDS", "LEAST_SIZES", "LEAST_STEPS", "interval", "slope"]

import math
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.verdict import Kind

EQUAL = 1e-9
"""Of gradients against differences."""

LEVEL = 0.95
LEAST_SIZES, LEAST_SEEDS = 5, 8
"""Batch sizes and draws that a slope takes."""

LEAST_STEPS = 4000
"""After which SGD+M has learned the feature of the central data, with some to spare."""

CENTRAL_GAIN = 0.4
"""Least gain in accuracy on small-margin samples; all of it is one half."""

FLAT = 0.01
"""Slope per doubling that is called none."""

PLANTED = -0.01
STEEP = 0.05


def interval(values: Any, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean of (draws,) values, and the ends of its Student t interval; of one draw that is everything."""
    from scipy import stats

    draws = [float(x) for x in values]
    mean = math.fsum(draws) / len(draws)
    if len(draws) < 2:
        return mean, -math.inf, math.inf
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in draws) / (len(draws) - 1) / len(draws))
    reach = float(stats.t.ppf(0.5 + level / 2, len(draws) - 1)) * spread
    return mean, mean - reach, mean + reach


def slope(gain: Any) -> Any:
    """By seed the slope per doubling of B, of least squares on log₂ B: (batch, seed) to (seed)."""
    x = [math.log2(float(B)) for B in gain["batch"].values]
    mean = math.fsum(x) / len(x)
    scale = math.fsum((one - mean) ** 2 for one in x)
    return sum((one - mean) / scale * gain.isel(batch=k, drop=True) for k, one in enumerate(x))


def _planted(gain: Any, per_doubling: float) -> Any:
    """The gain with another mean at each batch size: what the draws add to it is kept."""
    x = gain["batch"].copy(data=[per_doubling * math.log2(float(B)) for B in gain["batch"].values])
    return gain - gain.mean("seed") + x.drop_vars("batch")


def _estimate(values: Any, what: str, lower: float, upper: float = math.inf, *, least: int = 3) -> Estimate:
    mean, low, high = interval(values.values)
    count = int(values.size)
    alike = "no draw differs from 0, as if both were one optimizer" if low == high == lower == 0 else ""
    few = f"an interval takes {least} draws, and {count} are left" if count < least else ""
    return Estimate(
        mean,
        low,
        high,
        lower,
        upper,
        counts=(count,),
        by_seed={"seed": [float(s) for s in values["seed"].values], what: [float(x) for x in values.values]},
        says=f"{what} {mean:+.4f} [{low:+.4f}, {high:+.4f}] over {count} draws".replace("-", "−"),
        undecided=few or alike,
    )


def gradients(evidence: Evidence, *, of: str = "difference") -> Measurement:
    """Largest error over the networks."""
    worst = evidence[of].max("network")
    return Measurement(worst, upper=EQUAL, residual=worst)


def momentum_helps(evidence: Evidence) -> Estimate:
    """The mean over batch sizes of the gain."""
    return _estimate(evidence["gain"].mean("batch"), "gain", 0.0)


def gain_grows(evidence: Evidence, *, planted: float | None = None) -> Estimate:
    """The slope of the gain per doubling of B."""
    gain = evidence["gain"] if planted is None else _planted(evidence["gain"], planted)
    return _estimate(slope(gain), "slope", 0.0, least=LEAST_SEEDS)


def not_noise(evidence: Evidence) -> Estimate:
    """The gain at the largest batch size, all of the images."""
    return _estimate(evidence["gain"].isel(batch=-1), "gain", 0.0, least=LEAST_SEEDS)


def full_batch_is_gd(evidence: Evidence, *, at: str = "full") -> Measurement:
    """The distance of the ends."""
    return Measurement(evidence[at], upper=0.0, residual=evidence[at])


def central_gain(evidence: Evidence, *, of: str = "gain") -> Measurement:
    """The smallest gain over the batch sizes."""
    return Measurement(evidence[of].min("batch"), lower=CENTRAL_GAIN)


def central_growth(evidence: Evidence, *, planted: float = 0.0) -> Estimate:
    """The slope of the gain per doubling of B, and what is added to it."""
    return _estimate(slope(evidence["gain"]) + planted, "slope", -FLAT, FLAT)


FITTED = Hypothesis(
    "fitted",
    "training error 0 for both optimizers at every batch size",
    lambda e: (e["error"] == 0).all(["optimizer", "batch"]),
)
PLAIN = Hypothesis("plain", "no augmentation, no normalization", lambda e: not (e.p.augmentation or e.p.normalization))
SIZES = Hypothesis(
    "sizes", rf"at least ${LEAST_SIZES}$ batch sizes", lambda e: bool(e.data.sizes["batch"] >= LEAST_SIZES)
)
SEEDS = Hypothesis("seeds", rf"at least ${LEAST_SEEDS}$ draws", lambda e: e.p.seeds >= LEAST_SEEDS)
WHOLE = Hypothesis(
    "whole", "the largest batch is all training images", lambda e: bool(e.data["batch"][-1] == e.p.train_size)
)
SLOW = Hypothesis("slow", r"$\eta \le 1/(4\alpha\beta)$", lambda e: bool(e.data.attrs["slow"]))
LONG = Hypothesis("long", rf"at least ${LEAST_STEPS}$ steps", lambda e: bool(e.data.attrs["steps"] >= LEAST_STEPS))
PERMUTED = Control("SGD+M on permuted labels", made="permuted labels")

CLAIMS = (
    Claim(
        id="batch.gradients",
        statement=(
            "the hand-derived gradients of both networks, with and without normalization, are those of the "
            "cross-entropy, away from kinks"
        ),
        plain="the hand-derived gradients of both networks are those of the loss, with and without normalization",
        kind=Kind.IDENTITY,
        source="derived",
        measure=gradients,
        about="gradients",
        control=Control("kernels that are not reversed on the way back", constants={"of": "unreversed"}),
    ),
    Claim(
        id="batch.momentum_helps",
        statement=(
            r"SGD+M generalizes better than SGD: the mean over $B$ of the gain $G(B)$ in test accuracy is above $0$, "
            r"with its 95 % interval"
        ),
        plain="images: SGD+M tests better than SGD, the mean gain over batch sizes is above 0 with its 95 % interval",
        kind=Kind.BOUND,
        source="talk",
        measure=momentum_helps,
        assumes=(FITTED,),
        about="images",
        control=PERMUTED,
    ),
    Claim(
        id="batch.gain_grows",
        statement=(
            r"the gain gets larger as the batch size increases: the slope of $G$ on $\log_2 B$ is above $0$, with its "
            r"95 % interval"
        ),
        plain="images: the gain grows with the batch size, its slope per doubling is above 0 with its 95 % interval",
        kind=Kind.ORDER,
        source="talk",
        measure=gain_grows,
        assumes=(FITTED, PLAIN, SIZES, SEEDS),
        about="images",
        control=Control("a planted gain −0.01 log₂ B", constants={"planted": PLANTED}),
    ),
    Claim(
        id="batch.not_noise",
        statement=(
            r"the gain is not tied to the gradient's noise: at $B = N$, where there is none, $G$ is above $0$, with "
            r"its 95 % interval"
        ),
        plain="images: at full batch, without any noise, the gain is above 0 with its 95 % interval",
        kind=Kind.BOUND,
        source="talk",
        measure=not_noise,
        assumes=(FITTED, PLAIN, SEEDS, WHOLE),
        about="images",
        control=PERMUTED,
    ),
    Claim(
        id="batch.full_batch_is_gd",
        statement=(
            r"with $B = N$ the loop over epochs is gradient descent, bit for bit, whatever the order of the images"
        ),
        plain="with B = N the loop over epochs is gradient descent, bit for bit, whatever the order of the images",
        kind=Kind.IDENTITY,
        source="derived",
        measure=full_batch_is_gd,
        about="descent",
        control=Control("B = N/2", constants={"at": "half"}),
    ),
    Claim(
        id="batch.central_gain_at_every_size",
        statement=(
            rf"on the central data, $\eta \le 1/(4\alpha\beta)$, the gain on small-margin samples is at least "
            rf"${CENTRAL_GAIN:g}$ at every $B$, full batch included: it is not tied to the noise"
        ),
        plain=f"central data: the gain on small margins is at least {CENTRAL_GAIN:g} at every batch size, N included",
        kind=Kind.BOUND,
        source="talk",
        measure=central_gain,
        assumes=(SLOW, LONG),
        about="central",
        control=Control("a momentum of γ = 0.5", constants={"of": "weak"}),
    ),
    Claim(
        id="batch.central_growth",
        statement=(
            rf"there the gain does not grow with $B$: its slope per doubling lies within $\pm {FLAT:g}$, with its 95 % "
            r"interval"
        ),
        plain=f"central data: the gain does not grow, its slope per doubling of B lies within ±{FLAT:g}",
        kind=Kind.ORDER,
        source="derived",
        measure=central_growth,
        assumes=(SLOW, LONG),
        about="central",
        control=Control("a planted slope of 0.05", constants={"planted": STEEP}),
    ),
)
