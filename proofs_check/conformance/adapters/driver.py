"""What the file of a library defines, so that optimizers of that library can be driven."""

from __future__ import annotations

__all__ = ["Arrays", "Driver", "drivers", "first_rate"]

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lemmascope.proofs_check.conformance.adapters.errors import Unsupported
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject

Arrays = list[np.ndarray]


def first_rate(case: Case) -> float:
    """The first learning rate that is not 0; makers may refuse 0, though a schedule may have it."""
    return next(filter(None, case.eta), case.eta[0])


class Driver(ABC):
    """One optimizer of a library on its way through one case. It is made at θ₀.

    Args:
        subject: whose optimizer it is.
        case: the input.
        theta: θ₀ as parameter arrays, copies of which the optimizer gets.
        way: one of `ways`.
        watched: whether a step that writes into its parameters is to be reported as `Touched`.
    """

    library: ClassVar[str]
    """The name of the library."""
    rank: ClassVar[int] = 0
    """Those of a higher rank are asked later whether an optimizer is theirs."""
    wants_params: ClassVar[bool] = False
    """Whether a maker needs the parameters."""
    functions: ClassVar[bool] = False
    """Whether what changes over time is given to the maker, as a function of t."""

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: Any, watched: bool) -> None:
        self.subject, self.case, self.way, self.watched = subject, case, way, watched
        self.constant = case.constant

    @property
    def eta(self) -> float:
        """The rate with which an optimizer is made whose rate is set before each step: not 0, if another comes."""
        return first_rate(self.case)

    @classmethod
    def there(cls) -> bool:
        """Whether an optimizer of this library can have been made: what it needs is imported."""
        return True

    @classmethod
    def given(cls, theta: Arrays, dtype: str) -> Any:
        """``params`` for the maker."""
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def recognizes(cls, made: Any) -> bool:
        """Whether what a maker returned is driven by this class."""

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[Any]:
        """How it may be driven. Which of them it is, is found out once for each kind of case: the first that works."""
        return ("",)

    @classmethod
    def kind(cls, case: Case) -> Hashable:
        """What is the same of cases that are driven in the same way."""
        depths = tuple(sorted({len(shape) for shape in case.shapes}))
        return case.constant, case.momenta is None, depths, *case.options()

    @classmethod
    @contextmanager
    def around(cls, case: Case) -> Iterator[None]:
        """What is set in the library during a run."""
        yield

    @abstractmethod
    def gradient(self, block: np.ndarray) -> Any:
        """A gradient as an array of the library; writing to the block does not change it."""

    @abstractmethod
    def step(self, t: int, gradients: list[Any]) -> None:
        """Step number t; a gradient that is missing is None."""

    @abstractmethod
    def parameters(self) -> list[Any]:
        """The parameter arrays as they are now, copied."""

    @abstractmethod
    def reopen(self) -> None:
        """Save state and parameters as bytes, and go on with a new optimizer that has them restored.

        Raises:
            Unsaved: if that fails.
            Unsupported: if the library knows of no state that is saved.
        """

    def numbers(self, array: Any) -> np.ndarray:
        """The numbers in an array of the library, copied."""
        return np.array(array)

    def write(self, array: Any, numbers: np.ndarray) -> None:
        """Write into an array of the library."""
        raise Unsupported("its arrays cannot be written to")

    def none_missing(self, gradients: list[Any]) -> None:
        """Refuse a gradient that is missing, where the library has no notion of it."""
        if any(gradient is None for gradient in gradients):
            raise Unsupported("takes a gradient for each array in each step")


@cache
def drivers() -> dict[str, type[Driver]]:
    """The drivers by the names of their libraries, in the order in which they are asked."""
    from lemmascope.proofs_check.conformance.adapters import libraries

    names = sorted(module.name for module in pkgutil.iter_modules(libraries.__path__))
    found = [import_module(f"{libraries.__name__}.{name}").DRIVER for name in names]
    return {driver.library: driver for driver in sorted(found, key=lambda driver: driver.rank)}
