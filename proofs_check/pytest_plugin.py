"""A pytest plugin: the fixture ``momentum_identity``, one test for each identity.

Installed with lemmascope, it is there in every test suite::

    import torch

    def make(params, lr, momentum):
        return torch.optim.SGD(params, lr=lr, momentum=momentum)

    def test_my_optimizer(momentum_identity):
        momentum_identity(make, convention="pytorch", weight_decay=None)

pytest then reports ``test_my_optimizer[first_step[full]]`` and so on, one for each identity of structure and of any
convention; those of other conventions, and those that do not apply, are skipped with the reason.
``--momentum-examples`` sets how many cases each tries. Nothing is imported before a test asks for the fixture.
"""

from __future__ import annotations

__all__ = ["momentum_identity"]

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--momentum-examples N``."""
    group = parser.getgroup("lemmascope", "momentum identities")
    group.addoption(
        "--momentum-examples",
        type=int,
        default=100,
        metavar="N",
        help="cases that each momentum identity tries for each dtype (default: 100)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each identity."""
    if "momentum_identity" in metafunc.fixturenames:
        from lemmascope.proofs_check.conformance.identities import OF_CONVENTION, STRUCTURE
        from lemmascope.proofs_check.conformance.kept import KINDS_OF_DECAY

        names = dict.fromkeys([*STRUCTURE, *(name for names in OF_CONVENTION.values() for name in names)])
        decay = [f"weight_decay[{kind}]" for kind in KINDS_OF_DECAY]
        metafunc.parametrize("momentum_identity", [*names, *decay], indirect=True)


@pytest.fixture
def momentum_identity(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that tests one identity on an optimizer: ``momentum_identity(make_optimizer, convention=…)``.

    Its arguments are those of `proofs_check.conformance.assert_momentum_identities`, and what that refuses fails: an
    optimizer without a momentum keeps no convention of momentum.
    """
    from lemmascope.proofs_check.conformance.adapters import Subject
    from lemmascope.proofs_check.conformance.assertion import explanation, name_of
    from lemmascope.proofs_check.conformance.case import DTYPES
    from lemmascope.proofs_check.conformance.formats import dtypes_of
    from lemmascope.proofs_check.conformance.identities import IDENTITIES
    from lemmascope.proofs_check.conformance.kept import meant_for
    from lemmascope.proofs_check.conformance.search import Mark, seek
    from lemmascope.proofs_check.conformance.trial import BUDGET, Budget, Trial
    from lemmascope.theory.errors import InputError, check_size

    name = request.param

    def check(
        make_optimizer: Callable[..., Any],
        convention: str,
        *,
        weight_decay: str | None = None,
        library: str | None = None,
        dtypes: Iterable[str] | str = DTYPES,
        examples: int | None = None,
        budget: float = BUDGET,
    ) -> None:
        subject = Subject(make_optimizer, name_of(make_optimizer), library, convention)
        try:
            names = meant_for(subject, convention, weight_decay)
            asked = request.config.getoption("--momentum-examples") if examples is None else examples
            how: dict[str, Any] = {"examples": check_size("examples", asked), "dtypes": dtypes_of(dtypes)}
            if name not in names:
                pytest.skip(f"not an identity of {convention!r}")
            trial = Trial(subject, Budget(budget))
            found = seek(IDENTITIES[name], trial, **how)
        except InputError as error:
            pytest.fail(str(error), pytrace=False)
        if found.mark in (Mark.FAILS, Mark.UNTRIED):
            pytest.fail(explanation(trial, [found], **how), pytrace=False)
        if found.mark is Mark.NOT_APPLICABLE:
            pytest.skip(found.reason)

    return check
