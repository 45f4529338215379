"""A pytest plugin: the fixture ``momentum_identity``, one test for each identity.

Installed with lemmascope, it is there in every test suite::

    import torch

    def make(params, lr, momentum):
        return torch.optim.SGD(params, lr=lr, momentum=momentum)

    def test_my_optimizer(momentum_identity):
        momentum_identity(make, convention="pytorch")

pytest then reports ``test_my_optimizer[first_step[full]]`` and so on, one for each identity of structure and of any
convention; those of other conventions, and those that do not apply, are skipped with the reason.
``--momentum-examples`` sets how many cases each tries. Nothing is imported before a test asks for the fixture.
"""

from __future__ import annotations

__all__ = ["momentum_identity"]

from collections.abc import Callable
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

        names = dict.fromkeys([*STRUCTURE, *(name for names in OF_CONVENTION.values() for name in names)])
        decay = ["weight_decay[coupled]", "weight_decay[decoupled]"]
        metafunc.parametrize("momentum_identity", [*names, *decay], indirect=True)


@pytest.fixture
def momentum_identity(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that tests one identity on an optimizer: ``momentum_identity(make_optimizer, convention=…)``.

    Its arguments are those of `proofs_check.conformance.assert_momentum_identities`.
    """
    from lemmascope.proofs_check.conformance.adapters import Subject
    from lemmascope.proofs_check.conformance.assertion import explanation, names_of
    from lemmascope.proofs_check.conformance.case import DTYPES
    from lemmascope.proofs_check.conformance.identities import IDENTITIES
    from lemmascope.proofs_check.conformance.search import Mark, seek

    name = request.param
    examples = request.config.getoption("--momentum-examples")

    def check(
        make_optimizer: Callable[..., Any],
        convention: str,
        *,
        weight_decay: str | None = None,
        library: str | None = None,
        dtypes: tuple[str, ...] = DTYPES,
    ) -> None:
        if name not in names_of(convention, weight_decay):
            pytest.skip(f"not an identity of {convention!r}")
        subject = Subject(make_optimizer, getattr(make_optimizer, "__name__", "the optimizer"), library, convention)
        found = seek(IDENTITIES[name], subject, dtypes=dtypes, examples=examples)
        if found.mark in (Mark.FAILS, Mark.UNTRIED):
            pytest.fail(explanation(subject, [found], examples=examples), pytrace=False)
        if found.mark is Mark.NOT_APPLICABLE:
            pytest.skip(found.reason)

    return check
