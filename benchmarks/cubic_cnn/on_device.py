"""This project on a GPU, and the peers that run there: row G. Written for a device, and not yet run on one."""

from __future__ import annotations

__all__ = ["DEVICE", "OnDevice", "device_limits"]

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from lemmascope.benchmarks.cubic_cnn.compiled import MANY, memoryless_rates
from lemmascope.benchmarks.cubic_cnn.jax_scan import JAX_PEERS
from lemmascope.benchmarks.cubic_cnn.own import coefficient_system
from lemmascope.benchmarks.cubic_cnn.work import CubicCNN, Inputs
from lemmascope.benchmarks.limits import Limits
from lemmascope.benchmarks.protocol import Cost, Run
from lemmascope.sims.cubic_cnn.backends.cuda import CudaKernel, CupyRuntime, Runtime
from lemmascope.sims.cubic_cnn.backends.device import Unavailable, device_bandwidth, device_product_rate, find_device
from lemmascope.sims.cubic_cnn.backends.kernel import Start


@dataclass(frozen=True)
class OnDevice:
    """The persistent kernel.

    Args:
        runtime: the device; CuPy's current one by default.
        threads: of a block.
    """

    runtime: Runtime | None = None
    threads: int = 512
    library = ""
    name = "CUDA kernel through CuPy"
    formulation = "one product with K, a whole run in one kernel"

    def available(self) -> str | None:
        """None, or why there is no device."""
        if self.runtime is not None:
            return None
        try:
            find_device()
        except Unavailable as error:
            return str(error)
        return None

    def prepare(self, inputs: Inputs) -> Run:
        """Form K on the host and carry it over; compile."""
        A = inputs.eta.shape[0]
        runtime = CupyRuntime() if self.runtime is None else self.runtime
        host = coefficient_system(inputs)
        arrays = {f.name: getattr(host, f.name) for f in fields(host)}
        arrays = {k: runtime.array(np.ascontiguousarray(x)) for k, x in arrays.items() if isinstance(x, np.ndarray)}
        start = Start(
            small=inputs.small,
            c_threshold=None,
            memorization_threshold=None,
            gradient_factor=1.0,
            last=MANY,
            trace=True,
            count=A,
            dtype="float64",
        )
        kernel = CudaKernel(replace(host, **arrays), start, runtime, threads=self.threads)
        rates = memoryless_rates(inputs.eta, inputs.gamma)

        def run(iterations: int) -> np.ndarray:
            kernel.restart()
            trace = kernel.advance(0, iterations, rates, np.zeros(0, np.int64)).trace
            assert trace is not None
            return trace

        return Run(run, f"{kernel.group} cells a block")

    def cost(self, work: CubicCNN) -> Cost:
        """K is read once an iteration by each block of cells; what stays in shared memory is not counted."""
        p, S, A = work.parameters, work.seeds, len(work.cells)
        gram = 8.0 * S * p.n**2
        return Cost(2.0 * S * p.n**2 * A * p.m, gram, gram)


DEVICE: tuple[Any, ...] = (OnDevice(), *(replace(peer, platform="gpu") for peer in JAX_PEERS))
"""What is compared on a device."""


def device_limits() -> Limits:
    """The device's product rates, and the bandwidth of its memory."""
    return Limits({dtype: device_product_rate(dtype) for dtype in ("float64", "float32")}, ((1.0, device_bandwidth()),))
