"""What holds for every convention, and how weight decay enters: iterates against other iterates of the same optimizer.

Each check takes a `Trial` and a `Case` and returns None, or a sentence with what was expected and what was found.
"""

from __future__ import annotations

__all__ = [
    "DECAYS",
    "Check",
    "Decay",
    "coupled",
    "independent",
    "inputs_untouched",
    "linear",
    "maximize",
    "missing_gradient",
    "permutation",
    "reproducible",
    "resumes",
    "scale",
]

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from lemmascope.proofs_check.conformance.adapters import Touched, Unsaved
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.proofs_check.conformance.compare import Known, allowed, differ, differ_loosely
from lemmascope.proofs_check.conformance.formats import FORMATS, number_type
from lemmascope.proofs_check.conformance.trial import Trial

Check = Callable[[Trial, Case], str | None]


def _first_difference(one: np.ndarray, other: np.ndarray) -> str:
    """Where two runs part, and into what."""
    for t, j in np.argwhere(one != other)[:1]:
        index = f"[{j}]" if one.shape[1] > 1 else ""
        return f"θ_{t}{index} is {float(one[t, j]):.9g} and {float(other[t, j]):.9g}"
    return "in the sign of a 0"


def reproducible(trial: Trial, case: Case) -> str | None:
    """The same inputs give the same bits."""
    first, second = trial.trajectory(case), trial.again(case)
    if first.tobytes() == second.tobytes():
        return None
    return f"two runs from the same inputs differ: {_first_difference(first, second)}"


def inputs_untouched(trial: Trial, case: Case) -> str | None:
    """Nothing is written into the inputs, nor kept by reference."""

    def spoil(gradient: np.ndarray) -> None:
        gradient[...] = 3.0

    try:
        clean, spoilt = trial.trajectory(case), trial.again(case, spoil=spoil)
    except Touched as error:
        return str(error)
    if clean.tobytes() == spoilt.tobytes():
        return None
    return "it keeps the gradient by reference: writing into that array after the step changes later steps"


def resumes(trial: Trial, case: Case) -> str | None:
    """Saved in mid-run and restored into a new optimizer, it goes on to the same bits."""
    at = max(1, len(case.gradients) // 2)
    try:
        whole, restored = trial.trajectory(case), trial.again(case, restore_at=at)
    except Unsaved as error:
        return str(error)
    if whole.tobytes() == restored.tobytes():
        return None
    return f"saved before step {at} and restored it goes on otherwise: {_first_difference(whole, restored)}"


def independent(trial: Trial, case: Case) -> str | None:
    """Coordinates together against coordinates alone: each, or eight of many."""
    n = len(case.theta)
    some = sorted({int(j) for j in np.linspace(0, n - 1, min(n, 8))})
    runs = {"": case}
    if case.large and not case.arrays and trial.lacks("arrays", case.dtype) is None:
        runs[" in nine arrays"] = replace(case, arrays=((n - 8,), *[(1,)] * 8))
    alone = np.concatenate([trial.trajectory(case.only([j])) for j in some], axis=1)
    for where, whole in runs.items():
        seen = trial.trajectory(whole)[:, some]
        if seen.tobytes() != alone.tobytes():
            few = replace(case, arrays=(), missing=frozenset()).only(some)
            wrong = differ_loosely(seen, alone, few, seen, alone, what=f"{n} parameters{where}: ")
            if wrong is not None:
                return f"{wrong} (alone: the first number)"
    return None


def permutation(trial: Trial, case: Case) -> str | None:
    """Coordinates that change places."""
    order = [*range(1, len(case.theta)), 0]
    direct, permuted = trial.trajectory(case), trial.trajectory(case.permuted(order))
    if direct[:, order].tobytes() == permuted.tobytes():
        return None
    rotated = case.permuted(order)
    return differ_loosely(permuted, direct[:, order], rotated, direct[:, order], what="coordinates permuted: ")


def scale(trial: Trial, case: Case) -> str | None:
    """θ₀ and ∇ times a power of 2."""
    factor = 2.0 ** min(10, FORMATS[case.dtype].most // 3)
    scaled = case.scaled(factor)
    direct, found = trial.trajectory(case), trial.trajectory(scaled)
    wanted = factor * direct.astype(float)
    return differ_loosely(found, wanted, scaled, wanted, found, what=f"θ₀ and ∇ times {factor:g}: ")


def linear(trial: Trial, case: Case) -> str | None:
    """The case against the sum of three: θ₀ alone, the gradients and 3 more, and 3 less than nothing at every step."""
    zero = case.scaled(0.0)
    three = replace(zero, gradients=tuple((3.0,) * len(case.theta) for _ in case.eta))
    parts = [replace(zero, theta=case.theta), replace(case.plus(three), theta=zero.theta), three.scaled(-1.0)]
    runs = [trial.trajectory(part) for part in parts]
    together = trial.trajectory(case)
    total = np.sum([x.astype(np.longdouble) for x in runs], axis=0)
    room = sum(allowed(part, x) for part, x in zip([*parts, case], [*runs, together], strict=True))
    what = "against the sum of θ₀, ∇ + 3 and −3, each alone: "
    return differ(together, Known(total.astype(float), np.asarray(room)), what)


def missing_gradient(trial: Trial, case: Case) -> str | None:
    """An array without a gradient stands still, and goes on later as if that step had not been."""
    together = trial.trajectory(case)
    for array, span in enumerate(case.spans):
        seen = together[:, span]
        gone = sorted(t for t, a in case.missing if a == array)
        for t in gone:
            if seen[t].tobytes() != seen[t + 1].tobytes():
                j = int(np.argwhere(seen[t] != seen[t + 1])[0, 0])
                return (
                    f"in step {t} array {array} has no gradient and yet moves, "
                    f"from {float(seen[t, j]):.9g} to {float(seen[t + 1, j]):.9g}"
                )
        alone = case.alone(array)
        if not gone or not alone.gradients:
            continue
        rows = list(accumulate((int(t not in gone) for t in range(len(case.gradients))), initial=0))
        wanted = trial.trajectory(alone)[rows]
        if seen.tobytes() != wanted.tobytes():
            known = Known(wanted.astype(float), allowed(alone, seen, wanted)[rows])
            wrong = differ(seen, known, f"array {array} without a gradient in step {gone[0]}: ")
            if wrong is not None:
                return f"{wrong} (without that step: the first number)"
    return None


def maximize(trial: Trial, case: Case) -> str | None:
    """With maximize it is the same on −∇."""
    turned = replace(case, gradients=tuple(tuple(-g for g in row) for row in case.gradients), maximize=False)
    found, wanted = trial.trajectory(case), trial.trajectory(turned)
    return differ_loosely(found, wanted, case, found, wanted, what="maximize against −∇: ")


def coupled(trial: Trial, case: Case) -> str | None:
    """With λ on ∇_t against without λ on ∇_t + λθ_t, θ_t being the iterates seen."""
    found = trial.trajectory(case)
    lam = case.weight_decay or 0.0
    pulls = np.array(case.gradients) + lam * found[:-1].astype(float)
    rounded = tuple(tuple(map(float, row)) for row in pulls.astype(number_type(case.dtype)))
    without = trial.trajectory(replace(case, gradients=rounded, weight_decay=0.0))
    return differ_loosely(found, without, case, found, without, what="λ against λθ in the gradient: ")


@dataclass(frozen=True)
class Decay:
    """Weight decay beside the step: θ_{t+1} = (1 − c_t) θ_t + step, or (1 − c_t)(θ_t + step).

    Args:
        formula: in symbols.
        rate: (η_0, …, η_{T−1}; λ; t) to c_t.
        after: the step is decayed too.
    """

    formula: str
    rate: Callable[[np.ndarray, np.longdouble, int], np.longdouble]
    after: bool = False

    def check(self, trial: Trial, case: Case) -> str | None:
        """Against the steps without λ, which the gradients alone decide."""
        found = trial.trajectory(case).astype(np.longdouble)
        start = replace(case, theta=(0.0,) * len(case.theta), weight_decay=0.0)
        steps = np.diff(trial.trajectory(start).astype(np.longdouble), axis=0)
        eta, lam = np.array(case.eta, dtype=np.longdouble), np.longdouble(case.weight_decay or 0.0)
        expected = [found[0]]
        for t, step in enumerate(steps):
            c = np.full(len(case.theta), self.rate(eta, lam, t))
            for array, span in enumerate(case.spans):
                if (t, array) in case.missing:
                    c[span] = 0
            expected.append((1 - c) * (found[t] + step) if self.after else (1 - c) * found[t] + step)
        return differ_loosely(found, np.array(expected), case, found, what="λ beside the step: ")


DECAYS = {
    "decoupled": Decay("θ ← (1−ηλ)θ beside the step", lambda eta, lam, t: eta[t] * lam),
    "after the step": Decay("θ ← (1−ηλ)(θ + step)", lambda eta, lam, t: eta[t] * lam, after=True),
    "by λ alone": Decay("θ ← (1−λ)θ beside the step, whatever η", lambda eta, lam, t: lam),
    "at the first rate": Decay("θ ← (1−η₀λ)θ beside the step, though η changes", lambda eta, lam, t: eta[0] * lam),
    "by the rate squared": Decay("θ ← (1−η²λ)θ beside the step", lambda eta, lam, t: eta[t] ** 2 * lam),
    "by the rate squared over the largest": Decay(
        "θ ← (1−η²λ/max η)θ beside the step", lambda eta, lam, t: eta[t] ** 2 * lam / (eta.max() or np.longdouble(1))
    ),
}
"""Ways in which weight decay is applied beside the step; the first is the one that is meant by "decoupled"."""
