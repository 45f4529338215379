"""What is recorded of one iteration: summaries, test accuracy, audit, a user's own quantities."""

from __future__ import annotations

__all__ = ["Recorder"]

from collections.abc import Callable
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.engine import Recorded
from lemmascope.sims.cubic_cnn.certificate.enclosures import enclosures
from lemmascope.sims.cubic_cnn.plan import Plan, to_host
from lemmascope.sims.cubic_cnn.problems import Drawn
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.identities import GradientAudit
from lemmascope.theory.cubic_cnn.model import System
from lemmascope.theory.cubic_cnn.quantities import cross_terms, directions, observe, test_accuracy
from lemmascope.theory.errors import InputError

Array = Any


class Recorder:
    """Records one batch.

    Args:
        plan: the simulation.
        drawn: data and initial weights of each seed; rngs: the seeds' streams.
        system: their representation; y: (S, N) labels; masks: (S, N) of each margin group.
        data: of the one seed whose states' balls are recorded too, or None.
    """

    def __init__(
        self,
        plan: Plan,
        drawn: list[Drawn],
        rngs: list[Callable[[str], np.random.Generator]],
        system: System,
        y: Array,
        masks: list[Array],
        data: Data | None = None,
    ) -> None:
        self.plan, self.drawn, self.system, self.y, self.masks = plan, drawn, system, y, masks
        self.data = data
        p = plan.problem.parameters
        self.points = None
        if p is not None:
            self.points = [directions(p.m, p.P - 1, rng("test directions")) for rng in rngs]
        self.audits = None
        if plan.audit and plan.problem.of_the_law and plan.problem.in_R_d:
            # Weight space runs where n is too large for K, or d small: the audit needs none there either.
            gram = plan.representation == "coefficients"
            self.audits = [GradientAudit.of(one.sample, gram=gram) for one in drawn if one.sample is not None]

    def record(self, one: Recorded) -> dict[str, np.ndarray]:
        """All quantities of one recorded iteration, on the host, (seed, optimizer, …)."""
        plan, p = self.plan, self.plan.problem.parameters
        theta, view, grad = one.theta, one.view, one.grad
        found = observe(view, self.y, self.masks)
        gram = self.system.perpendicular_gram(theta, view)
        diagonal = plan.xp.linalg.diagonal(gram)
        norm = plan.xp.sum(diagonal, axis=-1)
        if plan.problem.of_the_law and view.c is not None:
            norm = norm + plan.xp.sum(view.c * view.c, axis=-1)
        found["weight_norm_squared"] = norm
        if p is not None:
            found.update(cross_terms(self.system, view, self.y, p.sigma))
        for name, quantity in plan.quantities.items():
            found[name] = quantity(view)
            shape = (*theta.shape[:2], *((plan.problem.m,) if getattr(found[name], "ndim", 0) == 3 else ()))
            if getattr(found[name], "shape", None) != shape:
                got = getattr(found[name], "shape", type(found[name]).__name__)
                raise InputError(f"quantity {name}", got, "it must be an array (seeds, optimizers) or (…, neurons)")
        if plan.whole_Xi:
            found["Xi"] = plan.xp.permute_dims(view.Xi, (0, 1, 3, 4, 2))
        host = {name: to_host(values) for name, values in found.items()}
        if p is not None and self.points is not None and view.c is not None:
            host.update(self._test_accuracy(to_host(gram).astype(float), host["c"].astype(float)))
        if self.audits is not None:
            host.update(self._audit(theta, grad))
        if one.balls is not None and self.data is not None:
            host.update(self._within(self.data, one, one.balls, to_host(gram)))
        return host

    def _within(self, data: Data, one: Recorded, balls: list[Ball], gram: np.ndarray) -> dict[str, np.ndarray]:
        """Radius and intervals of the one seed's optimizers."""
        names = ("large", "small") if len(self.masks) == 2 else ("all",)
        groups = {name: to_host(mask)[0] for name, mask in zip(names, self.masks, strict=True)}
        found: dict[str, list[np.ndarray]] = {}
        for a, ball in enumerate(balls):
            law = None if one.view.c is None else self.plan.problem.parameters
            intervals = enclosures(data, one.view.alone(a), one.theta[0, a], ball, groups, law, gram[0, a])
            intervals |= {"radius": np.array(ball.whole)}
            for name, values in intervals.items():
                found.setdefault(name if name == "radius" else f"{name}_within", []).append(values)
        return {name: np.stack(values)[None] for name, values in found.items()}

    def _test_accuracy(self, gram: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
        p = self.plan.problem.parameters
        assert p is not None
        assert self.points is not None
        found = np.full((*c.shape[:2], 2), np.nan)
        errors = np.full_like(found, np.nan)
        for s in range(c.shape[0]):
            for a in range(c.shape[1]):
                if np.all(np.isfinite(gram[s, a])) and np.all(np.isfinite(c[s, a])):
                    found[s, a], errors[s, a] = test_accuracy(
                        gram[s, a], c[s, a], (p.alpha, p.beta), p.sigma, self.points[s]
                    )
        return {"test_accuracy": found, "test_accuracy_error": errors}

    def _audit(self, theta: Array, grad: Array) -> dict[str, np.ndarray]:
        """The gradient identities, with one side from the gradient that the run uses."""
        assert self.audits is not None
        S, A = theta.shape[:2]
        arithmetic = np.finfo(self.plan.dtype)
        unit, smallest = float(arithmetic.eps) / 2, float(arithmetic.smallest_normal)
        lam = self.plan.problem.lam
        found: dict[str, np.ndarray] = {}
        for s, audit in enumerate(self.audits):
            for a in range(A):
                state, slope = (to_host(x[s, a, ...]).astype(float) for x in (theta, grad))
                if self.plan.representation == "weights":
                    W, W_hat, terms = state, np.abs(state), 0
                    left = (-slope @ audit.w_star, -slope @ audit.noise.T)
                    right = audit.formula(W, lam)
                else:
                    W_0, n = self.drawn[s].W_0, state.shape[-1] - 2
                    W = state[:, n + 1 :] * W_0 + state[:, :n] @ audit.noise + state[:, n : n + 1] * audit.w_star
                    W_hat = np.abs(state[:, n + 1 :] * W_0) + np.abs(state[:, :n]) @ np.abs(audit.noise)
                    W_hat += np.abs(state[:, n : n + 1] * audit.w_star)
                    terms, left = n + 2, None
                    right = (
                        -slope[:, n] - slope[:, n + 1] * (W_0 @ audit.w_star),
                        audit.gram_product(-slope[:, :n]) - slope[:, n + 1 :] * (W_0 @ audit.noise.T),
                    )
                residuals = audit.residuals(
                    W, lam, right, W_hat=W_hat, terms=terms, unit=unit, left=left, smallest=smallest
                )
                for name, value in residuals.items():
                    found.setdefault(name, np.zeros((S, A)))[s, a] = value
        return found
