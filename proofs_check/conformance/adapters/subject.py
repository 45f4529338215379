"""An optimizer under test, and its iterates on a case."""

from __future__ import annotations

__all__ = ["Subject"]

import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver, drivers, first_rate
from lemmascope.proofs_check.conformance.adapters.errors import (
    Misused,
    NoWay,
    Refused,
    Touched,
    Unsaved,
    Unsupported,
    Untried,
    named,
    unchanged,
)
from lemmascope.proofs_check.conformance.adapters.names import NAMES, parameters_of, settings_of
from lemmascope.proofs_check.conformance.adapters.reasons import reason
from lemmascope.proofs_check.conformance.case import Case
from lemmascope.proofs_check.conformance.formats import number_type

Spoil = Callable[[np.ndarray], None]
_OURS = (Misused, Unsupported, Untried, Touched, Unsaved)


@dataclass(frozen=True)
class Subject:
    """An optimizer under test.

    Args:
        make: ``make_optimizer``.
        name: for tables and messages.
        library: one of `adapters.drivers`, or None to find out.
        convention: the one that it is meant to follow, or None.
    """

    make: Callable[..., Any]
    name: str = "the optimizer"
    library: str | None = None
    convention: str | None = None

    @cached_property
    def settings(self) -> dict[str, str]:
        """Setting → the name that ``make`` has for it."""
        return settings_of(self.make)

    @cached_property
    def found(self) -> dict[Any, Any]:
        """What was found out about it once: its driver, how that drives it, what it takes."""
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Subject, (self.make, self.name, self.library, self.convention)

    def has(self, setting: str) -> bool:
        """Whether ``make`` takes it."""
        return setting in self.settings

    def names(self, setting: str) -> tuple[str, ...]:
        """By which an optimizer may keep a setting: as ``make`` has it, or otherwise."""
        own = (self.settings[setting],) if self.has(setting) else ()
        return tuple(dict.fromkeys((*own, *NAMES[setting])))

    @property
    def missing_momentum(self) -> str | None:
        """That no parameter of ``make`` is a momentum, and which would be; None where one is."""
        if self.has("gamma"):
            return None
        return f"no momentum among ({', '.join(parameters_of(self.make))}); it is called {' or '.join(NAMES['gamma'])}"

    @property
    def matrices_only(self) -> bool:
        """Whether it was found to take no vectors, but matrices: vectors are then given to it as (n, 1)."""
        return bool(self.found.get("matrices"))

    def build(self, case: Case, eta: Any, params: Any = None, gamma: Any = None, **options: Any) -> Any:
        """A new optimizer for the case.

        Args:
            case: has γ and the options.
            eta, params: for the maker.
            gamma: in place of the case's.
            options: in place of the case's.

        Raises:
            Unsupported: for settings that it does not take.
            Refused: if ``make`` raises.
        """
        values: dict[str, Any] = {"eta": eta, **case.options(), **options}
        if case.gamma or case.momenta or self.has("gamma"):
            values["gamma"] = case.gamma if gamma is None else gamma
        if self.has("params"):
            values["params"] = params
        lacking = [s for s in values if not self.has(s)]
        if lacking:
            raise Unsupported(f"takes no {lacking[0]}")
        if self.settings.get("gamma") == "betas":
            values["gamma"] = (values["gamma"], *self._other_betas)
        try:
            return self.make(**{self.settings[s]: value for s, value in values.items()})
        except (Exception, SystemExit) as error:
            raise Refused from error

    @property
    def _other_betas(self) -> tuple[Any, ...]:
        default = parameters_of(self.make)["betas"].default
        return tuple(default[1:]) if isinstance(default, tuple | list) else (0.999,)

    def trajectory(
        self, case: Case, blocks: Sequence[int] = (), *, spoil: Spoil | None = None, restore_at: int | None = None
    ) -> np.ndarray:
        """θ_0, …, θ_T as the optimizer computes them, (T + 1, n), all of them finite.

        Args:
            case: the input. An optimizer that takes matrices alone gets (n, 1) in place of a vector of n.
            blocks: sizes of the vectors into which the coordinates are laid, in place of the case's arrays.
            spoil: called with the numbers of each gradient after its step; what it writes there is written into the
                optimizer's array, and must not matter.
            restore_at: before this step the state is saved, and a new optimizer goes on with it.

        Raises:
            Unsupported: if it lacks an option, or arrays that can be written, or a state that can be saved.
            Touched: with ``spoil``, if a step writes into its inputs itself.
            Unsaved: with ``restore_at``, if saving or restoring fails.
            NotDriven: if it cannot be run at all.
            Untried: if it raises, or returns anything but finite numbers in the shape of its parameters.
        """
        if blocks:
            case = replace(case, arrays=tuple((size,) for size in blocks))
        try:
            found = self._iterates(case, spoil, restore_at)
        except _OURS:
            raise
        except (Exception, SystemExit) as error:
            if restore_at is not None and self.runs(case):
                raise Unsaved(f"once restored it raises {named(error)}") from error
            if self._takes_matrices_only(case):
                return self.trajectory(case, spoil=spoil, restore_at=restore_at)
            raise reason(self, case, error) from error
        wild = np.argwhere(~np.isfinite(found))
        if len(wild):
            t, j = wild[0]
            raise Untried(f"θ_{t}{f'[{j}]' if found.shape[1] > 1 else ''} is {found[t, j]}")
        return found

    def iterates(self, case: Case) -> np.ndarray:
        """The same, finite or not; what the optimizer raises passes through."""
        try:
            return self._iterates(case, None, None)
        except _OURS:
            raise
        except Exception as error:
            if self._takes_matrices_only(case):
                return self._iterates(case, None, None)
            raise (error.__cause__ or error if isinstance(error, Refused) else error) from None

    def runs(self, case: Case) -> bool:
        """Whether it goes through the case without raising."""
        try:
            self._iterates(case, None, None)
        except (Exception, SystemExit):
            return False
        return True

    def driver(self, case: Case) -> type[Driver]:
        """By what it is driven: that of its library, which is told from what ``make`` returns.

        Args:
            case: with which it is made to find out, once.

        Raises:
            Misused: if no driver is known of that name, or for what is made.
            Refused: if ``make`` raises.
        """
        if "driver" not in self.found:
            self.found["driver"] = self._told(case)
        return self.found["driver"]

    def _told(self, case: Case) -> type[Driver]:
        known = drivers()
        if self.library is not None and self.library not in known:
            raise Misused("library", self.library, f"it must be one of {', '.join(known)}")
        refused, made = None, None
        for name, driver in known.items():
            if (
                (self.library or name) != name
                or driver.wants_params != self.has("params")
                or not (self.library or driver.there())
            ):
                continue
            if made is None or driver.wants_params:
                try:
                    params = driver.given(self._arrays(case), case.dtype) if driver.wants_params else None
                    made = self.build(case, first_rate(case), params)
                except Refused as error:
                    refused = error  # as the parameters are of another library, perhaps
                    continue
            if driver.recognizes(made):
                return driver
        if refused is not None:
            raise refused
        raise Misused(
            "make_optimizer",
            "nothing of a library that is known" if made is None else type(made).__name__,
            f"it must return an optimizer of {', '.join(name for name in known if name != 'numpy')}, an object with "
            "init and step, or a function update(params, grad, state, t)",
        )

    def _arrays(self, case: Case) -> Arrays:
        """θ₀ as parameter arrays."""
        theta = case.split(np.array(case.theta, dtype=number_type(case.dtype)))
        return [self._laid(block) for block in theta]

    def _laid(self, block: np.ndarray) -> np.ndarray:
        return block.reshape(-1, 1) if self.matrices_only and block.ndim < 2 else block

    def _takes_matrices_only(self, case: Case) -> bool:
        """Whether the case, through which it does not go, is one for it once its vectors are matrices."""
        known = "matrices" in self.found
        if known or not any(len(shape) < 2 for shape in case.shapes):
            return False
        self.found["matrices"] = True
        if self.runs(case):
            return True
        del self.found["matrices"]
        return False

    def _iterates(self, case: Case, spoil: Spoil | None, restore_at: int | None) -> np.ndarray:
        driver = self.driver(case)
        kind = driver.kind(case)
        ways = (self.found[kind],) if kind in self.found else driver.ways(self, case)
        rows, failed = None, None
        for way in ways:
            try:
                with driver.around(case):
                    rows = self._run(driver, case, way, spoil, restore_at)
                break
            except NoWay:
                continue
            except (Untried, Touched, Unsaved):
                raise
            except (Exception, SystemExit) as error:
                failed = error
        if rows is None:
            raise failed or Unsupported("is driven in no way that is known")
        self.found[kind] = way
        if any(len(shape) < 2 for shape in case.shapes):
            self.found.setdefault("matrices", False)
        return np.stack([np.concatenate([block.ravel() for block in row]) for row in rows])

    def _run(
        self, driver: type[Driver], case: Case, way: Any, spoil: Spoil | None, restore_at: int | None
    ) -> list[Arrays]:
        drive = driver(self, case, self._arrays(case), way, spoil is not None)
        pulls = np.array(case.gradients, dtype=number_type(case.dtype)).reshape(len(case.gradients), len(case.theta))
        rows = [_checked(drive.parameters(), None, 0)]
        for t, row in enumerate(pulls):
            if t == restore_at:
                _reopen(drive)
            blocks = [self._laid(block) for block in case.split(row)]
            gradients = [None if (t, k) in case.missing else drive.gradient(block) for k, block in enumerate(blocks)]
            drive.step(t, gradients)
            if spoil is not None:
                for block, gradient in zip(blocks, gradients, strict=True):
                    if gradient is not None:
                        unchanged(block, drive.numbers(gradient), "gradient")
                        buffer = np.array(block)
                        spoil(buffer)
                        drive.write(gradient, buffer)
            rows.append(_checked(drive.parameters(), rows[0], t + 1))
        return rows


def _reopen(drive: Driver) -> None:
    try:
        drive.reopen()
    except (Unsupported, Unsaved):
        raise
    except Exception as error:
        raise Unsaved(f"its state cannot be saved and restored: {named(error)}") from error


def _checked(row: list[Any], start: Arrays | None, t: int) -> Arrays:
    """Parameter arrays of real numbers, shaped as at the start; bfloat16 as float32, which has all its numbers."""
    found = []
    for k, array in enumerate(row):
        if np.ma.isMaskedArray(array):
            raise Untried(f"θ_{t} is a masked array")
        block = np.asarray(array)
        block = block.astype(np.float32) if block.dtype.name == "bfloat16" else block
        if block.dtype.kind not in "fiu":
            raise Untried(f"θ_{t} is {reprlib.repr(block.tolist())}, and no array of real numbers")
        if start is not None and block.shape != start[k].shape:
            raise Untried(f"θ_{t} has the shape {block.shape}, and its parameters had {start[k].shape}")
        found.append(block)
    return found
