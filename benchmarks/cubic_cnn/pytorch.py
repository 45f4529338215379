"""PyTorch: eager autograd, eager with the gradient by hand, and torch.compile."""

from __future__ import annotations

__all__ = ["PYTORCH_PEERS", "Torch"]

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from lemmascope.benchmarks.cubic_cnn.own import weight_space_cost
from lemmascope.benchmarks.cubic_cnn.work import LAYOUTS, CubicCNN, Inputs
from lemmascope.benchmarks.libraries import Loop, fastest, missing, on_threads
from lemmascope.benchmarks.protocol import Cost, Run


def _autograd(network: Any) -> Callable[[int], list[Any]]:
    import torch

    def loop(iterations: int) -> list[Any]:
        V = network.W_0.clone().requires_grad_()
        g, seen = torch.zeros_like(network.W_0), []
        for _ in range(iterations):
            z, c = network.responses(V)
            margins = network.margins(z, z * z, c, c * c)
            losses = network.losses(margins)
            losses.sum().backward()
            with torch.no_grad():
                seen.append(network.quantities(losses, torch.sigmoid(-margins), c, z))
                _step_in_place(network, V, g, V.grad)
                V.grad = None
        return seen

    return loop


def _step_in_place(network: Any, V: Any, g: Any, gradient: Any) -> None:
    g.lerp_(gradient, network.gap)
    if isinstance(network.eta, float):
        V.add_(g, alpha=-network.eta)
    else:
        V.addcmul_(g, network.eta, value=-1.0)


def _by_hand(network: Any) -> Callable[[int], list[Any]]:
    import torch

    def loop(iterations: int) -> list[Any]:
        V, g, seen = network.W_0.clone(), torch.zeros_like(network.W_0), []
        with torch.inference_mode():
            for _ in range(iterations):
                z, c = network.responses(V)
                square, c_square = z * z, c * c
                margins = network.margins(z, square, c, c_square)
                ell = torch.sigmoid(-margins)
                seen.append(network.quantities(network.losses(margins), ell, c, z))
                _step_in_place(network, V, g, network.gradient(square, ell, c_square))
        return seen

    return loop


def _compiled(network: Any, unrolled: int) -> Callable[[int], list[Any]]:
    import torch

    def steps(V: Any, g: Any) -> tuple[Any, Any, Any]:
        seen = []
        for _ in range(unrolled):
            quantities, V, g = network.iterate(V, g)
            seen.append(quantities)
        return torch.stack(seen), V, g

    # Compiled code is kept by code object, and works of other shapes would share this one's: each gets its own.
    own = FunctionType(steps.__code__.replace(), globals(), "steps", None, steps.__closure__)
    compiled = torch.compile(own, dynamic=False, fullgraph=True)

    def loop(iterations: int) -> list[Any]:
        V, g, seen = network.W_0.clone(), torch.zeros_like(network.W_0), []
        with torch.no_grad():
            for _ in range(-(-iterations // unrolled)):
                quantities, V, g = compiled(V, g)
                seen.extend(quantities)
        return seen[:iterations]

    return loop


@dataclass(frozen=True)
class Torch:
    """A way to write it in PyTorch, on the processor.

    Args:
        way: "autograd", "hand" or "compile".
        tuned: noise patches apart from the signal, and the layout and the number of threads chosen by a measurement;
            else all patches together, X·Wᵀ, and the library's number of threads.
        unrolled: steps in one compiled function.
    """

    way: str
    tuned: bool = False
    unrolled: int = 1
    library = "torch"

    @property
    def name(self) -> str:
        """Library, way and form."""
        way = {"autograd": "PyTorch autograd", "hand": "PyTorch hand gradient", "compile": "torch.compile"}[self.way]
        steps = f", {self.unrolled} steps" if self.unrolled > 1 else ""
        return f"{way}{steps}{' (tuned)' if self.tuned else ''}"

    @property
    def formulation(self) -> str:
        """Two products with the patches."""
        return f"two products with {'the noise patches, the signal apart' if self.tuned else 'all patches'}"

    def available(self) -> str | None:
        """None, or what is missing."""
        compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
        if (absent := missing("torch")) is None and self.way == "compile" and compiler is None:
            return "torch.compile needs a C++ compiler: install g++ or clang++"
        return absent

    def prepare(self, inputs: Inputs) -> Run:
        """Tensors, compilation and, if tuned, the choice of layout and threads."""
        import torch

        default = torch.get_num_threads()
        if not self.tuned:
            return Run(self._loop(inputs, LAYOUTS[0], default, self.unrolled))
        # Unrolled code takes long to compile and computes the same: the choice is made on one step.
        options = {(layout, threads) for layout in LAYOUTS for threads in (1, default)}
        tried = {
            f"{layout}, {threads} thread{'s' if threads > 1 else ''}": (layout, threads)
            for layout, threads in sorted(options)
        }
        loops = {name: self._loop(inputs, *option, 1) for name, option in tried.items()}
        best = fastest(loops)
        loop = loops[best] if self.unrolled == 1 else self._loop(inputs, *tried[best], self.unrolled)
        return Run(loop, best)

    def _loop(self, inputs: Inputs, layout: str, threads: int, unrolled: int) -> Loop:
        import torch

        from lemmascope.benchmarks.cubic_cnn.torch_network import Network

        network = Network(inputs, layout, separated=self.tuned)
        make = {"autograd": _autograd, "hand": _by_hand}.get(self.way)
        loop = make(network) if make is not None else _compiled(network, unrolled)

        def run(iterations: int) -> np.ndarray:
            with on_threads(threads):
                return torch.stack(loop(iterations)).permute(2, 3, 0, 1).numpy()

        return run

    def cost(self, work: CubicCNN) -> Cost:
        """Two products with the patches, shared by the cores."""
        p = work.parameters
        return weight_space_cost(work, rows=p.N * (p.P - self.tuned), cores=os.cpu_count() or 1)


PYTORCH_PEERS = tuple(
    Torch(way, tuned, unrolled)
    for way, unrolled in (("autograd", 1), ("hand", 1), ("compile", 1), ("compile", 8))
    for tuned in (False, True)
)
"""All of PyTorch's."""
