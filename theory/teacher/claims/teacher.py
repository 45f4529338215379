r"""Does momentum unconditionally improve generalization? The talk's answer, No, as intervals; and where it does.

Evidence by role:

"gradients"  ``difference``, ``unmasked``, ``balance``: largest relative errors of the hand-derived gradients, of those
             without the mask, and of the balance law, over (seed, network)
"cell"       one student and one teacher: ``log_ratio`` (seed), the logarithm of accuracy(GD+M)/accuracy(GD), same data,
             teacher and initial weights; ``error`` and ``early`` (optimizer, seed) training errors
"contrast"   one network on data with a shared feature: the same for small-margin samples at one rate, γ = 0.99
"tuned"      the same, each optimizer at its best rate

The talk's "to ensure tiny training error" is read as the house reads what holds on draws: with a probability above one
half. On *every* draw it is not so: a 1-CNN of width 40 leaves more than a hundredth on some of a 1-MLP's labels.

R is exp of the mean of the log ratios, with a Student t interval over the draws: 90 % is two one-sided tests at 5 %.
"""

from __future__ import annotations

__all__ = ["BAND", "CLAIMS", "GAIN", "interval"]

import math
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.verdict import Kind

BAND = (0.97, 1.03)
"""Ratios that are called equivalent."""

NO_GAIN = 1.01
GAIN = 1.03
TINY = 0.01
"""Largest training error."""

LEVEL = 0.9
EQUAL = 1e-8
"""Of gradients against differences; the balance law is held to rounding, 10⁻¹²."""

ROUNDING = 1e-12


def interval(values: Any, level: float = LEVEL) -> tuple[float, float, float]:
    """exp of the mean of (draws,) logarithms, and of its t interval."""
    from scipy import stats

    draws = [float(x) for x in values]
    mean = math.fsum(draws) / len(draws)
    if len(draws) < 2:
        return math.exp(mean), 0.0, math.inf
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in draws) / (len(draws) - 1) / len(draws))
    reach = float(stats.t.ppf(0.5 + level / 2, len(draws) - 1)) * spread
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def _estimate(evidence: Evidence, lower: float, upper: float, *, end: str = "") -> Estimate:
    logs = evidence["log_ratio"].values
    value, low, high = interval(logs)
    says = f"R = {value:.4f} [{low:.4f}, {high:.4f}] over {logs.size} draws"
    if end:
        value = low = high = low
    return Estimate(
        value,
        low,
        high,
        lower,
        upper,
        counts=(int(logs.size),),
        evidence={"R": [interval(logs)[0], *interval(logs)[1:]]},
        by_seed={"seed": [float(k) for k in range(logs.size)], "ratio": [math.exp(float(x)) for x in logs]},
        says=says,
        undecided="" if logs.size >= 3 else "an interval takes three draws",
    )


def gradients(evidence: Evidence, *, of: str = "difference") -> Measurement:
    """Largest error of the gradients, and of the balance law in units of its own bound."""
    balance = evidence["balance"].max("network") * (EQUAL / ROUNDING)
    worst = evidence[of].max("network")
    worst = worst.where(worst > balance, balance)
    return Measurement(worst, upper=EQUAL, residual=worst)


def equivalent(evidence: Evidence) -> Estimate:
    """R with its interval, against the band."""
    return _estimate(evidence, *BAND)


def no_gain(evidence: Evidence) -> Estimate:
    """The lower end of R's interval."""
    return _estimate(evidence, -math.inf, NO_GAIN, end="low")


def tiny_error(evidence: Evidence, *, at: str = "error") -> Measurement:
    """The larger training error of the optimizers, by draw."""
    return Measurement(evidence[at].max("optimizer"), upper=TINY)


def gain(evidence: Evidence) -> Estimate:
    """R with its interval, against the least gain."""
    return _estimate(evidence, GAIN, math.inf)


TRAINED = Hypothesis(
    "trained", rf"training error at most {TINY:g} for both optimizers", lambda e: e["error"].max("optimizer") <= TINY
)
EPOCHS = 1000
"""The talk's."""

LONG = Hypothesis("long", rf"at least the talk's ${EPOCHS}$ epochs", lambda e: e.p.epochs >= EPOCHS)
SLOW = Hypothesis("slow", r"$\eta \le 1/(4\alpha\beta)$", lambda e: bool(e.data.attrs["slow"]))
FITTED = Hypothesis("fitted", "training error 0 for both optimizers", lambda e: e["error"].max("optimizer") == 0)

CLAIMS = (
    Claim(
        id="gaussian.gradients",
        statement=(
            "the hand-derived gradients of the four networks are those of the loss, and every hidden unit is in "
            "balance: "
            r"$\langle w_r, \nabla w_r\rangle + b_r \nabla b_r$ is the sum of its outgoing weights times their "
            r"gradients"
        ),
        plain="the four hand-derived gradients are those of the loss, and every hidden unit is in balance",
        kind=Kind.IDENTITY,
        source="derived",
        measure=gradients,
        about="gradients",
        control=Control("D without the mask of the activations", constants={"of": "unmasked"}),
    ),
    Claim(
        id="gaussian.momentum_does_not_help",
        statement=(
            r"on Gaussian data labelled by a teacher the ratio of test accuracies, GD+M over GD, is equivalent "
            r"to 1: its 90 % "
            rf"interval lies within $[{BAND[0]:g}, {BAND[1]:g}]$"
        ),
        plain=(
            f"Gaussian data: accuracy(GD+M)/accuracy(GD) is 1 to three per cent, its 90 % interval in "
            f"[{BAND[0]:g}, {BAND[1]:g}]"
        ),
        kind=Kind.BOUND,
        source="talk",
        measure=equivalent,
        assumes=(TRAINED,),
        about="cell",
        control=Control("data with a shared feature", made="shared feature"),
    ),
    Claim(
        id="gaussian.no_gain",
        statement=rf"on Gaussian data no interval of that ratio lies above ${NO_GAIN:g}$",
        plain=f"Gaussian data: the interval of the ratio does not lie above {NO_GAIN:g}",
        kind=Kind.BOUND,
        source="derived",
        measure=no_gain,
        assumes=(TRAINED,),
        about="cell",
        control=Control("data with a shared feature", made="shared feature"),
    ),
    Claim(
        id="gaussian.training_error_is_tiny",
        statement=rf"the epochs ensure a tiny training error: at most ${TINY:g}$ for both optimizers",
        plain=f"the training error is at most {TINY:g} for both optimizers",
        kind=Kind.BOUND,
        source="talk",
        measure=tiny_error,
        assumes=(LONG,),
        about="cell",
        probability=0.5,
        control=Control("after five epochs", constants={"at": "early"}),
    ),
    Claim(
        id="gaussian.contrast",
        statement=(
            r"on data with a shared feature, same networks, same $\eta \le 1/(4\alpha\beta)$: the ratio of "
            r"accuracies on "
            rf"small-margin samples, $\gamma = 0.99$ over $0$, is at least ${GAIN:g}$"
        ),
        plain=(
            f"shared feature, same η ≤ 1/(4αβ): accuracy ratio on small margins, γ = 0.99 over 0, is at least {GAIN:g}"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=gain,
        assumes=(SLOW, FITTED),
        about="contrast",
        control=Control("Gaussian data, γ = 0.99", made="gaussian"),
    ),
    Claim(
        id="gaussian.contrast_tuned",
        statement=rf"the same with each optimizer at its best $\eta$: the ratio is at least ${GAIN:g}$",
        plain=f"shared feature, each optimizer at its best η: the ratio is at least {GAIN:g}",
        kind=Kind.BOUND,
        source="derived",
        measure=gain,
        assumes=(FITTED,),
        about="tuned",
        control=Control("Gaussian data, γ = 0.99", made="gaussian"),
    ),
)
