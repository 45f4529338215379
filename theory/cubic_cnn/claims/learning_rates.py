r"""No learning rate rescues GD, below the overshoot threshold.

Statement (source: talk; the range is derived). Over the learning rates of a run that lie below 1/(4αβ), the largest
small-margin test accuracy of GD at T is at most 0.99. Above, one step of GD may jump past 1/β, and GD may generalize.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

from lemmascope.theory.claim import FAMILY, Claim, Control, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.claims import enclosures
from lemmascope.theory.cubic_cnn.claims.hypotheses import (
    BOTH_MARGINS,
    CLEAN_LABELS,
    KNOWN_LAW,
    LUCKY_NEURON,
    NO_PENALTY,
    SEPARATED_MARGINS,
)
from lemmascope.theory.cubic_cnn.claims.readings import GENERALIZES, WHP, test_high
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.verdict import Kind


def rates(run: Run) -> dict[str, float]:
    """Labels and learning rates of the GD runs below the overshoot threshold."""
    limit = predictions.overshoot_rate(run.p)
    plain = {name: pair[0] for name, pair in run.optimizers.items() if pair is not None and pair[1] == 0}
    return {name: eta for name, eta in plain.items() if eta <= limit}


def _a_grid(run: Run) -> bool:
    found = rates(run).values()
    return len(found) >= 3 and max(found) >= 2 * min(found)


def _fitted(run: Run) -> bool:
    return min(rates(run).values()) * run.iterations >= predictions.memorization_scale(run.p)


GRID = Hypothesis("grid", r"at least three $\eta \le 1/(4\alpha\beta)$ over a factor of two or more", _a_grid)
ALL_LONG_ENOUGH = Hypothesis("long_enough", r"$\eta T \ge N/(\sigma_0\sigma^3 d^{3/2})$ for each of them", _fitted)
ALL_FINITE = Hypothesis(
    "stayed_finite",
    "no such run diverged",
    lambda run: (run["diverged_at"].sel(optimizer=list(rates(run))) < 0).all("optimizer"),
)


def no_learning_rate_rescues(run: Run) -> Measurement:
    """The largest small-margin test accuracy at T over the GD runs, plus three standard errors."""
    found = rates(run)
    accuracy = test_high(run, "small").sel(optimizer=list(found))
    evidence = {f"eta = {eta:g}": float(accuracy.sel(optimizer=name).max()) for name, eta in found.items()}
    return Measurement(accuracy.max("optimizer", skipna=False), upper=GENERALIZES, evidence=evidence)


CLAIMS = (
    Claim(
        id="gd.no_learning_rate_rescues",
        statement=(
            r"GD's test accuracy on small-margin data is $\le 0.99$ at $T$ for every $\eta \le 1/(4\alpha\beta)$ of the"
            r" grid"
        ),
        plain="GD's test accuracy on small-margin data is ≤ 0.99 at T for every η ≤ 1/(4αβ) of the grid",
        kind=Kind.BOUND,
        source="talk",
        measure=no_learning_rate_rescues,
        encloses=lambda run: enclosures.accuracy(run, ["small"], upper=GENERALIZES, optimizers=list(rates(run))),
        assumes=(
            KNOWN_LAW,
            CLEAN_LABELS,
            BOTH_MARGINS,
            NO_PENALTY,
            SEPARATED_MARGINS,
            LUCKY_NEURON,
            GRID,
            ALL_LONG_ENOUGH,
            ALL_FINITE,
        ),
        about=FAMILY,
        probability=WHP,
        control=Control("the same grid with the GD+M run counted as one of its cells", made="momentum_as_gd"),
    ),
)
