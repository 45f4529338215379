"""An optimizer's trajectory as evidence, and all optimizers of a trajectory together."""

from __future__ import annotations

__all__ = ["Run", "role_of"]

from collections.abc import Mapping
from dataclasses import dataclass, field

from lemmascope.theory.claim import Evidence


@dataclass(frozen=True)
class Run(Evidence):
    """One optimizer's trajectory over all seeds, or that of all optimizers, with what they were run with.

    Its role is ``"gd"``, ``"momentum"``, ``"other"`` (`role_of`), or ``"family"`` for all optimizers at once.

    Args:
        data: the trajectory; of one optimizer, with the dimension ``optimizer`` selected away.
        label: the optimizer's label.
        parameters: of the law, or None for a user's own data.
        eta, gamma: learning rate and momentum of the average form with the same trajectory, or None
            (`theory.optimizers.average_form`).
        optimizers: of a family, (η, γ) of every optimizer by label (None where it has no average form).
    """

    eta: float | None = field(default=None, kw_only=True)
    gamma: float | None = field(default=None, kw_only=True)
    optimizers: Mapping[str, tuple[float, float] | None] = field(default_factory=dict, kw_only=True)


def role_of(pair: tuple[float, float] | None) -> str:
    """The role of a run with these η and γ of the average form, None where there is none."""
    if pair is None:
        return "other"
    return "momentum" if pair[1] > 0 else "gd"
