r"""How an optimizer of any library is driven through a `Case`: prescribed gradients in, iterates out.

``make_optimizer`` is a function that makes a new optimizer from its settings, by whatever names it has for them
(`adapters.names.NAMES`): ``eta`` or ``lr``, ``gamma`` or ``momentum`` or ``betas``, and, if it has them, ``params``,
``dampening``, ``weight_decay`` and ``maximize``. What it returns decides how it is driven:

=====================  ===========================================================================
what it returns        how it is stepped
=====================  ===========================================================================
of PyTorch             ``p.grad`` is set, ``step()``; a schedule sets ``param_groups[…]["lr"]``
of optax               ``init``, ``update``, parameters plus updates; ``eta`` may be a schedule
of Keras               ``build``, ``apply``; a schedule sets ``learning_rate``
of scikit-learn        ``update_params(params, grads)``; a schedule sets ``learning_rate``
of JAX's examples      ``init_fn``, ``update_fn``, ``params_fn``; ``step_size`` may be a schedule
``init`` and ``step``  ``step(params, grad, state, t)``, as in `theory.optimizers`; ``eta`` may be a function of t
a function             ``update(params, grad, state, t)``, state None at first
=====================  ===========================================================================

Each is a file in `adapters.libraries`, found by being there; it imports its library where an optimizer of it is driven.
"""

__all__ = ["Misused", "NotDriven", "Subject", "Touched", "Unsaved", "Unsupported", "Untried", "drivers", "run"]

from lemmascope.proofs_check.conformance.adapters.driver import drivers
from lemmascope.proofs_check.conformance.adapters.errors import (
    Misused,
    NotDriven,
    Touched,
    Unsaved,
    Unsupported,
    Untried,
)
from lemmascope.proofs_check.conformance.adapters.running import run
from lemmascope.proofs_check.conformance.adapters.subject import Subject
