"""PyTorch's optimizers: ``p.grad`` is set, then ``step()``; a schedule sets ``param_groups[…]["lr"]``, as PyTorch's do.

Groups whose learning rates are multiples of η keep these multiples. A rate that is a tensor is written to; one of
PyTorch's default type, float32, is made wide enough for parameters in float64. A momentum that changes is set in
``param_groups`` too. An optimizer that wants a closure gets one that sets the gradients and returns ⟨∇_t, θ⟩; one that
has a training mode is put into it.
"""

from __future__ import annotations

__all__ = ["DRIVER"]

import inspect
import pickle
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters.driver import Arrays, Driver
from lemmascope.proofs_check.conformance.adapters.errors import NotDriven, NoWay, Unsupported
from lemmascope.proofs_check.conformance.adapters.names import attribute
from lemmascope.proofs_check.conformance.case import Case

if TYPE_CHECKING:
    from lemmascope.proofs_check.conformance.adapters.subject import Subject

PLAIN, CLOSURE = "step()", "step(closure)"


class Torch(Driver):
    """One optimizer over all arrays."""

    library = "torch"
    wants_params = True

    def __init__(self, subject: Subject, case: Case, theta: Arrays, way: str, watched: bool) -> None:
        super().__init__(subject, case, theta, way, watched)
        self.tensors = self.given(theta, case.dtype)
        self.optimizer = self._made(self.tensors)
        self.rates = [] if self.constant and not self._narrow() else self._rates()
        self.gamma = case.gamma
        needed, takes_closure = _arguments(self.optimizer.step)
        if others := [name for name in needed if name != "closure"]:
            raise NotDriven(f"it could not be driven: its step needs {' and '.join(others)}")
        if (way == PLAIN and needed) or (way == CLOSURE and not takes_closure):
            raise NoWay

    @classmethod
    def there(cls) -> bool:
        """What makes its optimizers has imported it."""
        return "torch" in sys.modules

    @classmethod
    def given(cls, theta: Arrays, dtype: str) -> Any:
        """Leaves that require gradients."""
        return [_tensor(block, dtype).requires_grad_() for block in theta]

    @classmethod
    def recognizes(cls, made: Any) -> bool:
        """Anything with a method step."""
        return callable(getattr(made, "step", None))

    @classmethod
    def ways(cls, subject: Subject, case: Case) -> Sequence[str]:
        """Without a closure, or with one."""
        return (PLAIN, CLOSURE)

    def _made(self, tensors: Any) -> Any:
        optimizer = self.subject.build(self.case, self.eta, tensors)
        if callable(getattr(optimizer, "train", None)):
            optimizer.train()
        return optimizer

    def _groups(self) -> list[Any]:
        return getattr(self.optimizer, "param_groups", [self.optimizer])

    def _narrow(self) -> bool:
        """Whether a learning rate is a tensor of a smaller number type than the parameters."""
        kept = [
            _value(group, name) for group in self._groups() for name in self.subject.names("eta") if _has(group, name)
        ]
        return any(rate is not _widened(rate, self.tensors[0]) for rate in kept)

    def _rates(self) -> list[tuple[Any, str, float]]:
        """Where the learning rates are: a group, its key, and the multiple of η that it has."""
        groups = self._groups()
        names = self.subject.names("eta")
        if self.eta and all(attribute(group, names, self.eta) for group in groups):
            return [(group, attribute(group, names, self.eta) or "", 1.0) for group in groups]
        other = self.subject.build(
            self.case, 1.0, [tensor.detach().clone().requires_grad_() for tensor in self.tensors]
        )
        found = []
        for group, one in zip(groups, getattr(other, "param_groups", [other]), strict=True):
            key = next((name for name in names if _has(one, name)), None)
            if key is None:
                raise Unsupported("keeps no learning rate in its param_groups")
            found.append((group, key, float(_value(one, key))))
        return found

    def _set(self, t: int) -> None:
        for group, key, multiple in self.rates:
            kept = _value(group, key)
            wide = _widened(kept, self.tensors[0])
            if wide is not kept:
                _write(group, key, wide, anew=True)
            _write(group, key, multiple * self.case.eta[t])
        if self.case.momenta is not None and self.case.gammas[t] != self.gamma:
            for group in self._groups():
                name = attribute(group, self.subject.names("gamma"), self.gamma)
                if name is None:
                    raise Unsupported("keeps no momentum in its param_groups")
                now, kept = self.case.gammas[t], _value(group, name)
                _write(group, name, type(kept)([now, *kept[1:]]) if isinstance(kept, tuple | list) else now)
            self.gamma = self.case.gammas[t]

    def gradient(self, block: np.ndarray) -> Any:
        """A tensor."""
        return _tensor(block, self.case.dtype)

    def step(self, t: int, gradients: list[Any]) -> None:
        """With a closure, its first call sets the very tensors, later ones copies."""
        self._set(t)
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.grad = gradient
        if self.way == PLAIN:
            self.optimizer.step()
            return
        copies = [None if gradient is None else gradient.clone() for gradient in gradients]
        calls = 0

        def closure() -> Any:
            nonlocal calls
            loss = self.tensors[0].new_zeros(())
            for tensor, gradient, copy in zip(self.tensors, gradients, copies, strict=True):
                tensor.grad = gradient if copy is None or not calls else copy.clone()
                if copy is not None:
                    loss = loss + (copy * tensor.detach()).sum()
            calls += 1
            return loss

        self.optimizer.step(closure)

    def parameters(self) -> list[Any]:
        """As NumPy arrays."""
        return [self.numbers(tensor) for tensor in self.tensors]

    def reopen(self) -> None:
        """``state_dict``, pickled, and ``load_state_dict``."""
        if not callable(getattr(self.optimizer, "state_dict", None)):
            raise Unsupported("has no state_dict")
        kept = pickle.dumps((self.optimizer.state_dict(), [tensor.detach() for tensor in self.tensors]))
        state, tensors = pickle.loads(kept)
        self.tensors = [tensor.requires_grad_() for tensor in tensors]
        self.optimizer = self._made(self.tensors)
        self.optimizer.load_state_dict(state)
        self.rates = [(group, key, k) for group, (_, key, k) in zip(self._groups(), self.rates, strict=False)]

    def numbers(self, array: Any) -> np.ndarray:
        """NumPy has no bfloat16: float32 has all its numbers."""
        found = array.detach().clone()
        return (found.float() if self.case.dtype == "bfloat16" else found).numpy()

    def write(self, array: Any, numbers: np.ndarray) -> None:
        """In place."""
        array.copy_(_tensor(numbers, self.case.dtype))


def _tensor(block: np.ndarray, dtype: str) -> Any:
    import torch

    if dtype == "bfloat16":
        return torch.from_numpy(block.astype(np.float32)).to(torch.bfloat16)
    return torch.from_numpy(np.array(block))


def _arguments(step: Any) -> tuple[list[str], bool]:
    """Without which it cannot be called, and whether it takes a closure."""
    try:
        parameters = inspect.signature(step).parameters
    except (TypeError, ValueError):
        return [], True
    free = [p for p in parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [p.name for p in free if p.default is p.empty], "closure" in parameters or len(free) < len(parameters)


def _has(group: Any, key: str) -> bool:
    return key in group if isinstance(group, dict) else hasattr(group, key)


def _value(group: Any, key: str) -> Any:
    return group[key] if isinstance(group, dict) else getattr(group, key)


def _widened(rate: Any, tensor: Any) -> Any:
    """A rate that is a tensor, in the number type of the parameters if that is wider; else as it is."""
    if callable(getattr(rate, "fill_", None)) and rate.element_size() < tensor.element_size():
        return rate.to(tensor.dtype)
    return rate


def _write(group: Any, key: str, value: Any, *, anew: bool = False) -> None:
    """A tensor is written to, as PyTorch's schedulers do."""
    kept = _value(group, key)
    if not anew and callable(getattr(kept, "fill_", None)):
        kept.fill_(value)
    elif isinstance(group, dict):
        group[key] = value
    else:
        setattr(group, key, value)


DRIVER = Torch
