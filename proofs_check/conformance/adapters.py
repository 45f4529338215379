r"""How an optimizer of any library is driven through a `Case`: prescribed gradients in, iterates out.

``make_optimizer`` is a function that makes a new optimizer from its settings, by whatever names it has for them:
``eta`` (or ``lr``, ``learning_rate``), ``gamma`` (``momentum``, ``beta``), and, if it has them, ``params``,
``dampening`` and ``weight_decay``. What it returns decides how it is driven:

=====================  ===========================================================================
what it returns        how it is stepped
=====================  ===========================================================================
torch.optim.Optimizer  ``p.grad`` is set, ``step()``; a schedule sets ``param_groups[…]["lr"]``
optax transformation   ``init``, ``update``, parameters plus updates; ``eta`` may be a schedule
scikit-learn's SGD     ``update_params(params, grads)``; a schedule sets ``learning_rate``
``init`` and ``step``  ``step(params, grad, state, t)``, as in `theory.optimizers`; ``eta`` may be a function of t
a function             ``update(params, grad, state, t)``, state None at first
=====================  ===========================================================================

Libraries are imported only where an optimizer of theirs is driven.
"""

from __future__ import annotations

__all__ = ["Subject", "Touched", "Unsupported", "Untried", "run"]

import inspect
import reprlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.case import Case
from lemmascope.theory.errors import InputError

NAMES = {
    "params": ("params", "parameters"),
    "eta": ("eta", "lr", "learning_rate", "learning_rate_init"),
    "gamma": ("gamma", "momentum", "beta"),
    "dampening": ("dampening",),
    "weight_decay": ("weight_decay", "lam"),
}
Blocks = list[np.ndarray]
Spoil = Callable[[np.ndarray], None]


class Unsupported(Exception):
    """The optimizer does not have what the case asks for; the text says what."""


class Untried(Exception):
    """The optimizer cannot be run through a case, so that nothing can be said of it there; the text says why."""


class Touched(Exception):
    """A step wrote into what it was given; the text says into what."""


@dataclass(frozen=True)
class Subject:
    """An optimizer under test.

    Args:
        make: ``make_optimizer``.
        name: for tables and messages.
        library: "torch", "optax", "scikit-learn", "numpy", or None to find out.
        convention: the one that it is meant to follow, or None.
    """

    make: Callable[..., Any]
    name: str = "the optimizer"
    library: str | None = None
    convention: str | None = None

    @cached_property
    def settings(self) -> dict[str, str]:
        """Setting → the name that ``make`` has for it."""
        try:
            parameters = inspect.signature(self.make).parameters
        except (TypeError, ValueError) as error:
            what = "its signature cannot be read; wrap it in a function"
            raise InputError("make_optimizer", self.make, what) from error
        found = {s: next((n for n in names if n in parameters), None) for s, names in NAMES.items()}
        known = {s: n for s, n in found.items() if n is not None}
        needed = [
            n
            for n, p in parameters.items()
            if n not in known.values()
            and p.default is p.empty
            and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        if "eta" not in known or needed:
            what = f"it asks for {', '.join(needed)}" if needed else "it takes no learning rate"
            raise InputError(
                "make_optimizer",
                f"({', '.join(parameters)})",
                f"{what}; it must take eta (or lr, learning_rate), and may take gamma (or momentum), params, dampening "
                "and weight_decay",
            )
        return known

    def has(self, setting: str) -> bool:
        """Whether ``make`` takes it."""
        return setting in self.settings

    def build(self, case: Case, eta: Any, params: Any = None) -> Any:
        """A new optimizer for the case; `Unsupported` for settings that it does not take."""
        values: dict[str, Any] = {"eta": eta, **case.options()}
        if case.gamma or self.has("gamma"):
            values["gamma"] = case.gamma
        if self.has("params"):
            values["params"] = params
        lacking = [s for s in values if not self.has(s)]
        if lacking:
            raise Unsupported(f"takes no {lacking[0]}")
        try:
            return self.make(**{self.settings[s]: value for s, value in values.items()})
        except ValueError as error:
            if case.gamma == 0 and self.has("gamma"):
                raise Unsupported(f"refuses γ = 0: {error}") from error
            raise

    def trajectory(self, case: Case, blocks: Sequence[int] = (), spoil: Spoil | None = None) -> np.ndarray:
        """θ_0, …, θ_T as the optimizer computes them, (T + 1, n), all of them finite.

        Args:
            case: the input.
            blocks: sizes of the parameter arrays into which the coordinates are split, where the library takes
                several; one array by default.
            spoil: called with each gradient buffer after its step; what it writes there must not matter.

        Raises:
            Unsupported: if it lacks an option, or buffers that can be written.
            Touched: with ``spoil``, if a step writes into its inputs itself.
            Untried: if it raises, or returns anything but finite numbers in the shape of its parameters.
        """
        try:
            found = self.iterates(case, blocks, spoil)
        except (Unsupported, Untried, Touched, InputError):
            raise
        except (Exception, SystemExit) as error:
            said = " ".join(str(error).split())
            raise Untried(f"it raises {type(error).__name__}{f': {said}' if said else ''}") from error
        wild = np.argwhere(~np.isfinite(found))
        if len(wild):
            t, j = wild[0]
            raise Untried(f"θ_{t}{f'[{j}]' if found.shape[1] > 1 else ''} is {found[t, j]}")
        return found

    def iterates(self, case: Case, blocks: Sequence[int] = (), spoil: Spoil | None = None) -> np.ndarray:
        """The same, finite or not; what the optimizer raises passes through."""
        drive = _DRIVERS.get(self._library(case))
        if drive is None:
            raise InputError("library", self.library, f"it must be one of {', '.join(_DRIVERS)}")
        edges: Sequence[int] = np.cumsum(blocks)[:-1].tolist() if blocks else ()
        theta = np.split(np.array(case.theta, dtype=case.dtype), list(edges))
        gradients = [np.split(np.array(row, dtype=case.dtype), list(edges)) for row in case.gradients]
        rows = [[np.asarray(block) for block in row] for row in drive(self, case, theta, gradients, spoil)]
        for t, row in enumerate(rows):
            for block, start in zip(row, rows[0], strict=True):
                if block.dtype.kind not in "fiu":
                    raise Untried(f"θ_{t} is {reprlib.repr(block.tolist())}, and no array of real numbers")
                if block.shape != start.shape:
                    raise Untried(f"θ_{t} has the shape {block.shape}, and its parameters had {start.shape}")
        return np.stack([np.concatenate(row) for row in rows])

    def _library(self, case: Case) -> str:
        if self.library is not None:
            return self.library
        if self.has("params"):
            return "torch" if "torch" in sys.modules else "scikit-learn"
        made = self.build(case, case.eta[0])
        if hasattr(made, "init") and hasattr(made, "update"):
            return "optax"
        return "numpy"


def run(
    make_optimizer: Callable[..., Any],
    *,
    theta: Sequence[float],
    gradients: Sequence[Sequence[float]],
    eta: float | Sequence[float],
    gamma: float = 0.0,
    dtype: str = "float64",
    library: str | None = None,
    **options: Any,
) -> np.ndarray:
    """Drive an optimizer through prescribed gradients; the iterates θ_0, …, θ_T, (T + 1, n).

    Args:
        make_optimizer: see this module.
        theta: θ_0, n numbers.
        gradients: ∇_0, …, ∇_{T−1}, n numbers each.
        eta: learning rate, or one for each step.
        gamma: momentum.
        dtype: "float32" or "float64".
        library: "torch", "optax", "scikit-learn", "numpy", or None to find out.
        options: dampening, weight_decay.
    """
    rates = tuple(map(float, eta)) if isinstance(eta, Sequence) else (float(eta),) * len(gradients)
    rows = tuple(tuple(map(float, row)) for row in gradients)
    case = Case(tuple(map(float, theta)), rows, rates, float(gamma), dtype, **options)
    return Subject(make_optimizer, library=library).iterates(case)


def _rate(case: Case) -> Any:
    """η as a float, or as a function of t."""
    return case.eta[0] if case.constant else lambda t: case.eta[min(int(t), len(case.eta) - 1)]


def _unchanged(before: Any, after: Any, what: str) -> None:
    if not np.array_equal(np.asarray(before), np.asarray(after)):
        raise Touched(f"a step writes into its {what}")


def _functional(subject: Subject, case: Case, theta: Blocks, gradients: list[Blocks], spoil: Spoil | None) -> Any:
    """Our own protocol, or a plain function."""
    optimizer = subject.build(case, _rate(case))
    step = getattr(optimizer, "step", optimizer)
    if not callable(step):
        raise InputError(
            "make_optimizer",
            type(optimizer).__name__,
            "it must return an optimizer of torch, optax or scikit-learn, an object with init and step, "
            "or a function update(params, grad, state, t)",
        )
    params = np.concatenate(theta)
    state = optimizer.init(params) if hasattr(optimizer, "init") else None
    rows = [[params.copy()]]
    for t, blocks in enumerate(gradients):
        gradient = np.concatenate(blocks)
        kept = params.copy(), gradient.copy()
        made = step(params, gradient, state, t)
        if not isinstance(made, tuple | list) or len(made) != 2:
            raise Untried(f"its step returns {reprlib.repr(made)}, and not the parameters and the state")
        new, state = made
        if spoil is not None:
            _unchanged(kept[0], params, "parameters")
            _unchanged(kept[1], gradient, "gradient")
            spoil(gradient)
        params = new
        rows.append([np.array(params)])
    return rows


def _torch(subject: Subject, case: Case, theta: Blocks, gradients: list[Blocks], spoil: Spoil | None) -> Any:
    import torch

    tensors = [torch.from_numpy(block.copy()).requires_grad_() for block in theta]
    optimizer = subject.build(case, case.eta[0], tensors)
    rows = [[block.copy() for block in theta]]
    for t, blocks in enumerate(gradients):
        if not case.constant:
            for group in optimizer.param_groups:
                group["lr"] = case.eta[t]
        buffers = [block.copy() for block in blocks]
        for tensor, buffer in zip(tensors, buffers, strict=True):
            tensor.grad = torch.from_numpy(buffer)
        optimizer.step()
        for block, buffer in zip(blocks, buffers, strict=True):
            if spoil is not None:
                _unchanged(block, buffer, "gradient")
                spoil(buffer)
        rows.append([tensor.detach().numpy().copy() for tensor in tensors])
    return rows


def _sklearn(subject: Subject, case: Case, theta: Blocks, gradients: list[Blocks], spoil: Spoil | None) -> Any:
    params = [block.copy() for block in theta]
    optimizer = subject.build(case, case.eta[0], params)
    if not hasattr(optimizer, "update_params"):
        what = "say which library it is of, or import torch before"
        raise InputError("make_optimizer", type(optimizer).__name__, what)
    rows = [[block.copy() for block in theta]]
    for t, blocks in enumerate(gradients):
        if not case.constant:
            optimizer.learning_rate = case.eta[t]
        buffers = [block.copy() for block in blocks]
        optimizer.update_params(params, buffers)
        for block, buffer in zip(blocks, buffers, strict=True):
            if spoil is not None:
                _unchanged(block, buffer, "gradient")
                spoil(buffer)
        rows.append([block.copy() for block in params])
    return rows


def _optax(subject: Subject, case: Case, theta: Blocks, gradients: list[Blocks], spoil: Spoil | None) -> Any:
    if spoil is not None:
        raise Unsupported("its arrays cannot be written to")
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(case.dtype == "float64"):
        rates = jnp.asarray(case.eta, dtype=case.dtype)
        optimizer = subject.build(case, case.eta[0] if case.constant else lambda count: rates[count])
        params = [jnp.asarray(block) for block in theta]
        state = optimizer.init(params)
        rows = [[np.asarray(block) for block in params]]
        for blocks in gradients:
            updates, state = optimizer.update([jnp.asarray(block) for block in blocks], state, params)
            params = [block + update for block, update in zip(params, updates, strict=True)]
            rows.append([np.asarray(block) for block in params])
    return rows


_DRIVERS: dict[str, Callable[..., Any]] = {
    "numpy": _functional,
    "torch": _torch,
    "optax": _optax,
    "scikit-learn": _sklearn,
}
