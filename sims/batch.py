"""The loop over iterations, for one batch of seeds."""

from __future__ import annotations

__all__ = ["PLANTED", "Batch", "Interrupted", "Plan"]

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from sims.problems import Drawn, Problem
from sims.seeds import streams
from theory.cubic_cnn import predictions
from theory.cubic_cnn.coefficients import CoefficientSystem
from theory.cubic_cnn.identities import GradientAudit
from theory.cubic_cnn.model import System, View
from theory.cubic_cnn.quantities import cross_terms, directions, observe, test_accuracy
from theory.cubic_cnn.weights import WeightSystem
from theory.errors import InputError
from theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, Optimizer

Array = Any

PLANTED: dict[str, str] = {
    "wrong_sign": "the gradient has the wrong sign",
    "missing_three": "the gradient lacks its factor 3",
    "tilted_noise": "the noise patches are not orthogonal to w*",
    "twin_noise": "all noise patches are copies of one, and all labels are +1",
}
"""Deliberate errors, on which a claim that looks at what they break must come out REFUTED."""

GRADIENT_FACTOR = {"wrong_sign": -1.0, "missing_three": 1 / 3}

TICK = 256  # iterations between two progress reports


class Interrupted(Exception):
    """The batch was asked to stop."""


@dataclass(frozen=True)
class Plan:
    """What all batches of a simulation share; the fields are arguments of `simulate`."""

    problem: Problem
    optimizers: dict[str, Optimizer]
    times: np.ndarray
    representation: str
    dtype: str
    whole_Xi: bool
    audit: bool
    quantities: dict[str, Callable[[View], Array]]
    xp: Any
    planted: str | None
    root_seed: int
    study: str
    progress: Callable[[int], None] | None
    stop: threading.Event


def to_host(x: Any) -> np.ndarray:
    """A NumPy copy of an array of any library."""
    return np.asarray(x.get() if hasattr(x, "get") else x)


class Batch:
    """Some seeds of a plan, from drawing to recorded arrays (seed, optimizer, iteration, …)."""

    def __init__(self, plan: Plan, seeds: range) -> None:
        self.plan = plan
        rngs = [streams(plan.root_seed, plan.study, s) for s in seeds]
        self.drawn = [_plant(plan.problem.draw(rng), plan.planted) for rng in rngs]
        self.seeds = seeds
        self.system, self.y, self.masks = self._system()
        p = plan.problem.parameters
        self.points = None
        if p is not None:
            self.points = [directions(p.m, p.P - 1, rng("test directions")) for rng in rngs]
        self.audits = None
        if plan.audit and plan.problem.of_the_law and plan.problem.in_R_d:
            self.audits = [GradientAudit.of(drawn.sample) for drawn in self.drawn if drawn.sample is not None]
        # Optimizers of one class stand side by side, so that each class takes one step for all of its members.
        labels = list(plan.optimizers)
        self.order = sorted(range(len(labels)), key=lambda a: _class_key(plan.optimizers[labels[a]]))
        self.groups = _stack([plan.optimizers[labels[a]] for a in self.order], self._put)

    def _put(self, x: Any) -> Array:
        return self.plan.xp.asarray(np.ascontiguousarray(x, dtype=self.plan.dtype))

    def _system(self) -> tuple[System, Array, list[Array]]:
        plan, problem = self.plan, self.plan.problem
        system: System
        if plan.representation == "weights":
            samples: list[Any] = [drawn.sample for drawn in self.drawn]
            weights: list[Any] = [drawn.W_0 for drawn in self.drawn]
            feature = samples[0].w_star is not None
            system = WeightSystem(
                X=self._put(np.stack([s.signal_first() for s in samples])),
                y=self._put(np.stack([s.y for s in samples])),
                W_0=self._put(np.stack(weights)),
                w_star=self._put(np.stack([s.w_star for s in samples])) if feature else None,
                lam=problem.lam, signal_patches=int(problem.of_the_law),
            )  # fmt: skip
            small: list[Any] = [s.small for s in samples]
        else:
            parts = [drawn.projection() for drawn in self.drawn]
            stacked = {
                name: self._put(np.stack([getattr(part, name) for part in parts]))
                for name in ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
            }
            system = CoefficientSystem(
                **stacked, lam=problem.lam, has_feature=parts[0].has_feature, of_the_law=problem.of_the_law
            )
            small = [part.small for part in parts]
        xp = plan.xp
        if small[0] is None:
            masks = [xp.asarray(np.ones((len(self.drawn), problem.N), dtype=bool))]
        else:
            mask = np.stack(small)
            masks = [xp.asarray(~mask), xp.asarray(mask)]
        return system, system.y, masks

    def run(self) -> dict[str, np.ndarray]:
        """Iterate to the end; arrays (seed, optimizer, iteration, …) by name.

        Raises:
            Interrupted: the plan's stop flag was set.
        """
        with np.errstate(all="ignore"):
            return self._run()

    def _run(self) -> dict[str, np.ndarray]:
        plan, A, S = self.plan, len(self.order), len(self.seeds)
        theta = self.system.initial(A)
        states = [optimizer.init(theta[:, part, ...]) for part, optimizer in self.groups]
        watch = _Watch(plan, self.masks, S, A)
        recorded: list[dict[str, np.ndarray]] = []
        times = set(plan.times.tolist())
        last = int(plan.times[-1])
        ticked = 0
        for t in range(last + 1):
            view, grad = self._evaluate(theta)
            if watch.look(t, view):
                theta = watch.silence(theta)
                view, grad = self._evaluate(theta)
            if t in times:
                recorded.append(watch.blank(self._record(theta, view, grad)))
            if t == last:
                break
            theta = self._step(theta, grad, states, t)
            if watch.any_dead:
                theta = watch.silence(theta)
            if plan.stop.is_set():
                raise Interrupted
            if t - ticked + 1 == TICK:
                ticked = t + 1
                if plan.progress is not None:
                    plan.progress(TICK * S)
        if plan.progress is not None:
            plan.progress((last - ticked) * S)
        found = {name: np.stack([r[name] for r in recorded], axis=2) for name in recorded[0]}
        found.update(watch.results())
        back = np.argsort(self.order)
        found = {name: values[:, back] for name, values in found.items()}
        found["small_count"] = to_host(plan.xp.sum(plan.xp.astype(self.masks[-1], plan.xp.int64), axis=-1))
        return found

    def _step(self, theta: Array, grad: Array, states: list[Any], t: int) -> Array:
        """The next state; a new array, as an optimizer may have kept the old one."""
        pieces = []
        for g, (part, optimizer) in enumerate(self.groups):
            whole = len(self.groups) == 1
            params, slope = (theta, grad) if whole else (theta[:, part, ...], grad[:, part, ...])
            piece, states[g] = optimizer.step(params, slope, states[g], t)
            if t == 0 and (getattr(piece, "shape", None) != params.shape or piece.dtype != params.dtype):
                got = f"{piece.dtype} {piece.shape}" if hasattr(piece, "shape") else type(piece).__name__
                raise InputError(
                    f"optimizer {type(optimizer).__name__}", got,
                    f"its step must return parameters like those it is given, {params.dtype} {params.shape}",
                )  # fmt: skip
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else array_namespace(theta).concat(pieces, axis=1)

    def _evaluate(self, theta: Array) -> tuple[View, Array]:
        view, grad = self.system.evaluate(theta)
        if self.plan.planted in GRADIENT_FACTOR:
            grad = GRADIENT_FACTOR[self.plan.planted] * grad
        return view, grad

    def _record(self, theta: Array, view: View, grad: Array) -> dict[str, np.ndarray]:
        """All quantities of one recorded iteration, on the host, (seed, optimizer, …)."""
        plan, p = self.plan, self.plan.problem.parameters
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
        return host

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
        """The gradient identities, with the right sides from the gradient that the run uses."""
        assert self.audits is not None
        S, A = theta.shape[:2]
        unit = float(np.finfo(self.plan.dtype).eps) / 2
        lam = self.plan.problem.lam
        found: dict[str, np.ndarray] = {}
        for s, audit in enumerate(self.audits):
            for a in range(A):
                state, slope = (to_host(x[s, a, ...]).astype(float) for x in (theta, grad))
                if self.plan.representation == "weights":
                    W, W_hat, terms = state, np.abs(state), 0
                    right = (-slope @ audit.w_star, -slope @ audit.noise.T)
                    if self.plan.planted not in GRADIENT_FACTOR:
                        right = audit.formula(W, lam)
                else:
                    W_0, n = self.drawn[s].W_0, state.shape[-1] - 2
                    W = state[:, n + 1 :] * W_0 + state[:, :n] @ audit.noise + state[:, n : n + 1] * audit.w_star
                    W_hat = np.abs(state[:, n + 1 :] * W_0) + np.abs(state[:, :n]) @ np.abs(audit.noise)
                    W_hat += np.abs(state[:, n : n + 1] * audit.w_star)
                    terms = n + 2
                    right = (
                        -slope[:, n] - slope[:, n + 1] * (W_0 @ audit.w_star),
                        -slope[:, :n] @ audit.K - slope[:, n + 1 :] * (W_0 @ audit.noise.T),
                    )
                residuals = audit.residuals(W, lam, right, W_hat=W_hat, terms=terms, unit=unit)
                for name, value in residuals.items():
                    found.setdefault(name, np.zeros((S, A)))[s, a] = value
        return found


class _Watch:
    """Hitting times and divergence, looked at in every iteration."""

    def __init__(self, plan: Plan, masks: list[Array], S: int, A: int) -> None:
        self.plan, self.small = plan, masks[-1][:, None, :]
        self.p = plan.problem.parameters
        self.T_0 = np.full((S, A), np.nan)
        self.T_1 = np.full((S, A), np.nan)
        self.waiting_0 = True
        self.diverged_at = np.full((S, A), -1)
        self.quantity = np.full((S, A), "", dtype="U8")
        self.alive = np.ones((S, A), dtype=bool)
        self.has_small = to_host(plan.xp.any(masks[-1], axis=-1))[:, None]

    @property
    def any_dead(self) -> bool:
        return not self.alive.all()

    def look(self, t: int, view: View) -> bool:
        """Note what happens at iteration t; True if a member has just diverged."""
        xp = self.plan.xp
        finite = np.isfinite(to_host(xp.sum(view.margins, axis=-1)))
        fresh = self.alive & ~finite
        if fresh.any():
            for s, a in np.argwhere(fresh):
                bad_c = view.c is not None and not np.isfinite(to_host(view.c[s, a, ...])).all()
                bad_Xi = not np.isfinite(to_host(view.Xi[s, a, ...])).all()
                self.quantity[s, a] = "c" if bad_c else "Xi" if bad_Xi else "margins"
            self.diverged_at[fresh] = t
            self.alive &= finite
        if self.p is not None:
            self._hitting_times(t, view)
        return bool(fresh.any())

    def _hitting_times(self, t: int, view: View) -> None:
        assert self.p is not None
        xp = self.plan.xp
        if view.c is not None and self.waiting_0:
            hit = to_host(xp.max(view.c, axis=-1)) >= predictions.signal_threshold(self.p)
            self.T_0[hit & self.alive & np.isnan(self.T_0)] = t
            self.waiting_0 = bool(np.isnan(self.T_0).any())
        short = self.small & (view.memorization < predictions.MEMORIZATION_THRESHOLD)
        hit = ~to_host(xp.any(short, axis=-1)) & self.has_small
        if hit.any():
            self.T_1[hit & self.alive & np.isnan(self.T_1)] = t

    def silence(self, theta: Array) -> Array:
        """Diverged members at zero, where they stay finite; the others as they are."""
        xp = self.plan.xp
        alive = xp.asarray(self.alive)[:, :, None, None]
        return xp.where(alive, theta, xp.zeros_like(theta))

    def blank(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """NaN in what is recorded of diverged members."""
        if self.any_dead:
            for name, values in found.items():
                found[name] = np.where(self.alive.reshape(self.alive.shape + (1,) * (values.ndim - 2)), values, np.nan)
        return found

    def results(self) -> dict[str, np.ndarray]:
        """Hitting times (NaN: not within the run) and divergence (−1 and '': none)."""
        times = {"diverged_at": self.diverged_at, "diverged_quantity": self.quantity}
        return times if self.p is None else {"T_0": self.T_0, "T_1": self.T_1, **times}


def _class_key(optimizer: Optimizer) -> str:
    return f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"


def _stack(ordered: list[Optimizer], put: Callable[[Any], Array]) -> list[tuple[slice, Optimizer]]:
    """Neighbours of one of our classes with constant η become one optimizer with arrays for η and γ."""
    groups: list[tuple[slice, Optimizer]] = []
    start = 0
    while start < len(ordered):
        first, end = ordered[start], start + 1
        if type(first) in (GD, MomentumAverage, MomentumVelocity, Nesterov) and not callable(first.eta):  # type: ignore[attr-defined]
            while end < len(ordered) and type(ordered[end]) is type(first) and not callable(ordered[end].eta):  # type: ignore[attr-defined]
                end += 1
        if end > start + 1:
            members = ordered[start:end]
            names = [f.name for f in dataclasses.fields(first)]  # type: ignore[arg-type]
            columns = {name: put([getattr(o, name) for o in members])[:, None, None] for name in names}
            groups.append((slice(start, end), type(first)(**columns)))
        else:
            groups.append((slice(start, end), first))
        start = end
    return groups


def _plant(drawn: Drawn, planted: str | None) -> Drawn:
    """The drawn data with a deliberate error of `PLANTED`."""
    if planted not in ("tilted_noise", "twin_noise"):
        return drawn
    sample = drawn.sample
    if sample is None or sample.signal is None or sample.w_star is None:
        raise InputError("planted", planted, "it needs data of the law in R^d")
    X = sample.X.copy()
    noise = np.arange(X.shape[1])[None, :] != sample.signal[:, None]
    if planted == "tilted_noise":
        X[noise] += 0.1 * np.linalg.norm(X[noise], axis=-1, keepdims=True) * sample.w_star
        return dataclasses.replace(drawn, sample=dataclasses.replace(sample, X=X))
    X[noise] = X[noise][0]
    y = np.ones_like(sample.y)
    X[~noise] = sample.strength[:, None] * sample.w_star  # type: ignore[index]
    return dataclasses.replace(drawn, sample=dataclasses.replace(sample, X=X, y=y))
