"""JAX: one compiled scan over the iterations, seeds and cells stacked by hand or mapped by vmap."""

from __future__ import annotations

__all__ = ["JAX_PEERS", "Jax"]

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.cubic_cnn.own import weight_space_cost
from lemmascope.benchmarks.cubic_cnn.work import LAYOUTS, CubicCNN, Inputs
from lemmascope.benchmarks.libraries import double, fastest, missing
from lemmascope.benchmarks.protocol import Cost, Run


def _scan(
    data: dict[str, Any],
    V_0: Any,
    eta: Any,
    gap: Any,
    *,
    iterations: int,
    patch_major: bool,
    separated: bool,
    by_hand: bool,
    unroll: int,
) -> Any:
    """Quantities (iterations, 5, …) of one trajectory, or of a stack of them.

    Shapes: rows (…, N, Q, d), V_0 (…, d, A, m) patch-major or (…, A, m, d), with A = 1 under vmap.
    """
    import jax
    import jax.numpy as jnp

    rows, w_star = data["rows"], data["w_star"]
    sample = -2 if patch_major else -1
    summed = (-3, -1)
    into = "...nqd,...dam->...nqam" if patch_major else "...amd,...nqd->...amnq"
    back = "...nqam,...nqd->...dam" if patch_major else "...amnq,...nqd->...amd"
    along = "...d,...dam->...am" if patch_major else "...amd,...d->...am"
    outer = "...d,...am->...dam" if patch_major else "...am,...d->...amd"

    def per_sample(x: Any) -> Any:
        return jnp.expand_dims(x, -1 if patch_major else -2)

    y, small = per_sample(data["y"]), per_sample(data["small"])
    N = data["y"].shape[-1]
    cubed = per_sample(data["strength"] ** 3)

    def forward(V: Any) -> tuple[Any, Any]:
        z = jnp.einsum(into, *((rows, V) if patch_major else (V, rows)))
        c = jnp.einsum(along, *((w_star, V) if patch_major else (V, w_star)))
        f = jnp.sum(z * z * z, axis=summed)
        if separated:
            f = f + cubed * jnp.expand_dims(jnp.sum(c * c * c, axis=-1), sample)
        margins = y * f
        losses = jnp.mean(-jax.nn.log_sigmoid(margins), axis=sample)
        return jnp.sum(losses), (losses, margins, c, z)

    def gradient_by_hand(ell: Any, c: Any, z: Any) -> Any:
        weight = (-3.0 / N) * y * ell
        pull = jnp.expand_dims(jnp.expand_dims(weight, -2), -1) * z * z
        gradient = jnp.einsum(back, pull, rows)
        if separated:
            slope = c * c * jnp.expand_dims(jnp.sum(weight * cubed, axis=sample), -1)
            gradient = gradient + jnp.einsum(outer, *((w_star, slope) if patch_major else (slope, w_star)))
        return gradient

    def step(state: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Any]:
        V, g = state
        if by_hand:
            losses, margins, c, z = forward(V)[1]
            ell = jax.nn.sigmoid(-margins)
            gradient = gradient_by_hand(ell, c, z)
        else:
            (_, (losses, margins, c, z)), gradient = jax.value_and_grad(forward, has_aux=True)(V)
            ell = jax.nn.sigmoid(-margins)
        noise = z if separated else (z[..., 1:, :, :] if patch_major else z[..., 1:])
        seen = jnp.stack(
            [
                losses,
                jnp.sum(jnp.where(small, 0.0, ell), axis=sample) / N,
                jnp.sum(jnp.where(small, ell, 0.0), axis=sample) / N,
                jnp.max(c, axis=-1),
                jnp.max(jnp.abs(noise), axis=(-4, -3, -1) if patch_major else (-3, -2, -1)),
            ]
        )
        g = g + gap * (gradient - g)
        return (V - eta * g, g), seen

    return jax.lax.scan(step, (V_0, jnp.zeros_like(V_0)), None, length=iterations, unroll=unroll)[1]


@dataclass(frozen=True)
class Jax:
    """A way to write it in JAX.

    Args:
        mapped: vmap over seeds and cells of a scan of one trajectory; else one scan of all, stacked by hand.
        tuned: noise patches apart from the signal; the layout, the unrolling of the scan and (mapped) the gradient
            by jax.grad or by hand chosen by a measurement. Else all patches together, X·Wᵀ, jax.grad.
        platform: "cpu" or "gpu".
    """

    mapped: bool
    tuned: bool = False
    platform: str = "cpu"
    library = "jax"

    @property
    def name(self) -> str:
        """Library, way and form."""
        where = "" if self.platform == "cpu" else f" on {self.platform}"
        return f"JAX jit({'vmap(scan)' if self.mapped else 'scan'}){where}{' (tuned)' if self.tuned else ''}"

    @property
    def formulation(self) -> str:
        """Two products with the patches."""
        return f"two products with {'the noise patches, the signal apart' if self.tuned else 'all patches'}"

    def available(self) -> str | None:
        """None, or what is missing."""
        if (absent := missing("jax")) is not None or self.platform == "cpu":
            return absent
        import jax

        try:
            jax.devices(self.platform)
        except RuntimeError as error:
            return f"JAX finds no {self.platform}: {str(error).splitlines()[0]}"
        return None

    def prepare(self, inputs: Inputs) -> Run:
        """Arrays on the device and, if tuned, the choice of layout, unrolling and gradient."""
        if not self.tuned:
            return Run(self._loop(inputs, LAYOUTS[0], by_hand=False, unroll=1))
        gradients = (False, True) if self.mapped else (False,)
        loops = {
            f"{layout}, {'gradient by hand' if by_hand else 'jax.grad'}, unroll {unroll}": self._loop(
                inputs, layout, by_hand=by_hand, unroll=unroll
            )
            for layout in LAYOUTS
            for by_hand in gradients
            for unroll in (1, 4)
        }
        best = fastest(loops)
        return Run(loops[best], best)

    def _loop(self, inputs: Inputs, layout: str, *, by_hand: bool, unroll: int) -> Callable[[int], np.ndarray]:
        import jax
        import jax.numpy as jnp

        S, A, m, _, _, d = inputs.shape
        patch_major = layout == LAYOUTS[0]
        scan = partial(_scan, patch_major=patch_major, separated=self.tuned, by_hand=by_hand, unroll=unroll)
        rows = inputs.noise if self.tuned else inputs.X
        columns = 1 if self.mapped else A
        W = np.broadcast_to(inputs.W_0[:, None], (S, columns, m, d))
        W = np.ascontiguousarray(np.moveaxis(W, 3, 1) if patch_major else W)
        rates: tuple[Any, ...] = (inputs.eta, 1 - inputs.gamma)
        if not self.mapped:
            rates = tuple(rate[:, None] if patch_major else rate[:, None, None] for rate in rates)
        device = jax.devices(self.platform)[0]

        def all_of(data: Any, V_0: Any, eta: Any, gap: Any, iterations: int) -> Any:
            one = partial(scan, iterations=iterations)
            if self.mapped:
                one = jax.vmap(jax.vmap(one, in_axes=(None, None, 0, 0)), in_axes=(0, 0, None, None))
                return one(data, V_0, eta, gap)[..., 0]
            return jnp.moveaxis(one(data, V_0, eta, gap), (2, 3), (0, 1))

        jitted = jax.jit(all_of, static_argnames="iterations")
        with double(), jax.default_device(device):
            data = {
                "rows": rows,
                "w_star": inputs.w_star,
                "y": inputs.y,
                "small": inputs.small,
                "strength": inputs.strength,
            }
            arguments = jax.device_put((data, W, *rates), device)

        def run(iterations: int) -> np.ndarray:
            with double(), jax.default_device(device):
                return np.asarray(jitted(*arguments, iterations=iterations))

        return run

    def cost(self, work: CubicCNN) -> Cost:
        """Two products with the patches, shared by the cores."""
        p = work.parameters
        cores = os.cpu_count() or 1
        return weight_space_cost(work, rows=p.N * (p.P - self.tuned), cores=cores)


JAX_PEERS = tuple(Jax(mapped, tuned) for mapped in (False, True) for tuned in (False, True))
"""All of JAX's, on the processor."""
