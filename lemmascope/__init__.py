"""Watch a theorem of deep-learning theory happen, iteration by iteration, and check every step of it.

``import lemmascope as ls`` has the public names, each loaded when it is first used; everything else is reached by its
full path, ``lemmascope.theory.…`` and ``lemmascope.sims.…``.
"""

from __future__ import annotations

from lemmascope.names import on_first_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lemmascope import cubic_cnn, memory
    from lemmascope.proofs_check.conformance import assert_momentum_identities
    from lemmascope.proofs_check.gradients import check_gradient
    from lemmascope.proofs_check.report import prove
    from lemmascope.sims.judge import judge
    from lemmascope.sims.pictures import Picture
    from lemmascope.sims.registry import find as study
    from lemmascope.sims.registry import names as studies
    from lemmascope.sims.run.carry import run_study
    from lemmascope.sims.slopes import fit_slopes
    from lemmascope.sims.study import Experiment, Study, Task, option, settings_of
    from lemmascope.sims.tables import Table
    from lemmascope.sims.training import Model, train
    from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
    from lemmascope.theory.errors import InputError
    from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, PiecewiseConstant
    from lemmascope.theory.order import exponent_claim
    from lemmascope.theory.sequential import Plan
    from lemmascope.theory.verdict import Kind, Status, Verdict

__all__ = [
    "GD",
    "Claim",
    "Control",
    "Estimate",
    "Evidence",
    "Experiment",
    "Hypothesis",
    "InputError",
    "Kind",
    "Measurement",
    "Model",
    "MomentumAverage",
    "MomentumVelocity",
    "Nesterov",
    "Picture",
    "PiecewiseConstant",
    "Plan",
    "Status",
    "Study",
    "Table",
    "Task",
    "Verdict",
    "assert_momentum_identities",
    "check_gradient",
    "cubic_cnn",
    "exponent_claim",
    "fit_slopes",
    "judge",
    "memory",
    "option",
    "prove",
    "run_study",
    "settings_of",
    "studies",
    "study",
    "train",
]

_HOUSES = {
    "proofs_check.conformance": "assert_momentum_identities",
    "proofs_check.gradients": "check_gradient",
    "proofs_check.report": "prove",
    "sims.judge": "judge",
    "sims.pictures": "Picture",
    "sims.run.carry": "run_study",
    "sims.slopes": "fit_slopes",
    "sims.study": "Experiment Study Task option settings_of",
    "sims.tables": "Table",
    "sims.training": "Model train",
    "theory.claim": "Claim Control Estimate Evidence Hypothesis Measurement",
    "theory.errors": "InputError",
    "theory.order": "exponent_claim",
    "theory.optimizers": "GD MomentumAverage MomentumVelocity Nesterov PiecewiseConstant",
    "theory.sequential": "Plan",
    "theory.verdict": "Kind Status Verdict",
}
_WHERE = {name: f"lemmascope.{module}:{name}" for module, names in _HOUSES.items() for name in names.split()} | {
    "cubic_cnn": "lemmascope.cubic_cnn",
    "memory": "lemmascope.memory",
    "studies": "lemmascope.sims.registry:names",
    "study": "lemmascope.sims.registry:find",
}
_get, __dir__ = on_first_use(__name__, _WHERE)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lemmascope")
    return _get(name)
