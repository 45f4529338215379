"""Momentum identities as properties that anyone's optimizer can be tested with.

Three lines test an optimizer::

    from lemmascope.proofs_check.conformance import assert_momentum_identities
    make = lambda params, lr, momentum: MyOptimizer(params, lr=lr, momentum=momentum)
    assert_momentum_identities(make, convention="pytorch")
"""

__all__ = [
    "CONVENTIONS",
    "IDENTITIES",
    "Case",
    "Convention",
    "Finding",
    "Identity",
    "Mark",
    "Subject",
    "assert_momentum_identities",
    "conventions_of",
    "run",
    "seek",
]

from lemmascope.proofs_check.conformance.adapters import Subject, run
from lemmascope.proofs_check.conformance.assertion import assert_momentum_identities
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.proofs_check.conformance.identities import IDENTITIES, Identity
from lemmascope.proofs_check.conformance.reference import CONVENTIONS, Convention
from lemmascope.proofs_check.conformance.search import Finding, Mark, conventions_of, seek
