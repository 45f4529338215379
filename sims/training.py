"""A user's own model trained and watched: every optimizer from the same start, on the same minibatches.

What a subject's own engine does for the network of its theorem, this does for any model with a hand-written gradient
(checked by `proofs_check.gradients.check_gradient`), on arrays of any library of the array API standard.
"""

from __future__ import annotations

__all__ = ["Model", "train"]

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Any, Protocol

import numpy as np
import xarray as xr
from array_api_compat import array_namespace

from lemmascope.sims import stopping
from lemmascope.sims.schedule import Every, Logarithmic, Schedule, recorded
from lemmascope.sims.seeds import streams
from lemmascope.sims.users import sealed, users
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.optimizers import Optimizer, describe

Array = Any
Params = Any  # one array, or a dict of arrays of one number type

STEP = "its step must return (params, state), leave params and grad as they are, and not fail"


class Model(Protocol):
    """What `train` needs of a model; no base class. Its parameters are one array or a dict of arrays.

    It may also have ``watch(params)``, a mapping from names to what is recorded beside the loss: a number, an array
    (always of one shape), or (dimensions, array); and, for minibatches, ``samples``, their number.
    """

    def initial(self, rng: np.random.Generator) -> Params:
        """The parameters at iteration 0."""

    def gradient(self, params: Params, batch: Array | None = None) -> Params:
        """The gradient of the loss, in the structure of the parameters; over the samples that ``batch`` lists."""

    def loss(self, params: Params) -> Any:
        """A number, over all samples."""


def train(
    model: Model,
    optimizers: Mapping[str, Optimizer],
    *,
    iterations: int,
    rng: Callable[[str], np.random.Generator] | int,
    record: Schedule | int | None = None,
    batch: int | None = None,
    replace: bool = False,
) -> xr.Dataset:
    """Train a model with every optimizer, and record the loss and what the model watches.

    An optimizer sees all parameters as one array. It stops where a gradient, the loss or a watched quantity is not
    finite, and the others go on.

    Args:
        model: see `Model`.
        optimizers: by name.
        iterations: number of steps.
        rng: from a name to its generator, as `Task.rng` (asked for "initial" and "minibatches"), or a seed.
        record: when, as `sims.schedule` says it, or every so many iterations; default some 200, ever sparser.
        batch: samples a step; default all of them.
        replace: draw each minibatch with replacement; else an epoch is a permutation, less its remainder.

    Returns:
        ``loss`` and what is watched over (optimizer, iteration, …), NaN after a stop; ``stopped_at``, −1 for never, and
        ``stopped_by``, what was not finite there.

    Raises:
        InputError: no optimizer, or one that fails or writes to what it is given; a wrong structure of parameters,
            gradient or watched quantities; too large a batch.
    """
    check_size("iterations", iterations, 0)
    if not optimizers or not all(hasattr(x, "init") and hasattr(x, "step") for x in optimizers.values()):
        raise InputError("optimizers", dict(optimizers), "give at least one by name, each with init and step")
    stream = rng if callable(rng) else streams(rng, "train", 0)
    times = recorded(Every(record) if isinstance(record, int) else record or Logarithmic(), iterations)
    start = model.initial(stream("initial"))
    form = _Form(start)
    batches = repeat(None) if batch is None else _minibatches(model, batch, replace, stream("minibatches"))
    theta = {name: form.flat(start, "initial") for name in optimizers}
    state = {name: optimizer.init(theta[name]) for name, optimizer in optimizers.items()}
    stops: dict[str, tuple[int, str]] = dict.fromkeys(optimizers, (-1, ""))
    seen: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    position = {t: k for k, t in enumerate(times.tolist())}
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(iterations + 1):
            stopping.check()
            index = next(batches) if t < iterations else None
            for k, (name, optimizer) in enumerate(optimizers.items()):
                if stops[name][1]:
                    continue
                params = form.build(theta[name])
                if t in position:
                    for what, (dims, value) in _watched(model, params).items():
                        shape = (len(optimizers), times.size, *value.shape)
                        full = seen.setdefault(what, (dims, np.full(shape, np.nan)))
                        if (full[0], full[1].shape) != (dims, shape):
                            raise InputError("watch", value.shape, f"{what} must always have the same shape")
                        if not np.all(np.isfinite(value)):
                            stops[name] = t, stops[name][1] or what
                        full[1][k, position[t]] = value
                if t < iterations and not stops[name][1]:
                    over = () if index is None else (form.xp.asarray(index),)
                    grad = form.flat(model.gradient(params, *over), "gradient")
                    if bool(form.xp.all(form.xp.isfinite(grad))):
                        with users(f"optimizer {name}", f"step {t}", STEP):
                            new, state[name] = optimizer.step(sealed(theta[name]), sealed(grad), state[name], t)
                        if getattr(new, "shape", None) != theta[name].shape:
                            got = getattr(new, "shape", type(new).__name__)
                            raise InputError(
                                f"optimizer {name}", got, f"its step {t} must return new params like params"
                            )
                        theta[name] = new
                    else:
                        stops[name] = t, "gradient"
    data: dict[str, Any] = {what: (("optimizer", "iteration", *dims), full) for what, (dims, full) in seen.items()}
    data["stopped_at"] = "optimizer", [at for at, _ in stops.values()]
    data["stopped_by"] = "optimizer", [what for _, what in stops.values()]
    described = json.dumps({name: describe(optimizer) for name, optimizer in optimizers.items()})
    attrs = {"optimizers": described, "batch": batch or 0, "replace": int(replace)}
    return xr.Dataset(data, {"optimizer": list(optimizers), "iteration": times}, attrs)


class _Form:
    """The structure of the parameters: one array as it is, a dict of arrays as one vector."""

    def __init__(self, params: Params) -> None:
        self.shapes = {name: tuple(getattr(x, "shape", ())) for name, x in _named(params).items()}
        arrays = list(_named(params).values())
        if len({str(getattr(x, "dtype", None)) for x in arrays} - {"None"}) != 1:
            raise InputError("initial", type(params).__name__, "it must return an array, or a dict of one number type")
        self.xp = array_namespace(*arrays)

    def flat(self, params: Params, what: str) -> Array:
        """One array."""
        arrays = _named(params)
        shapes = {name: tuple(getattr(x, "shape", ())) for name, x in arrays.items()}
        if shapes != self.shapes:
            raise InputError(what, shapes, f"its shapes must be those of the parameters, {self.shapes}")
        if None in arrays:
            return params
        return self.xp.concat([self.xp.reshape(arrays[name], (-1,)) for name in self.shapes])

    def build(self, theta: Array) -> Params:
        """The parameters as the model knows them."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()]).tolist()
        parts = zip(self.shapes.items(), [0, *ends], ends, strict=False)
        return theta if None in self.shapes else {n: self.xp.reshape(theta[a:b], s) for (n, s), a, b in parts}


def _named(params: Params) -> dict[Any, Array]:
    return dict(params) if isinstance(params, Mapping) else {None: params}


def _watched(model: Any, params: Params) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """The loss and what is watched, as (dimensions, NumPy array)."""
    found = {}
    for name, given in {"loss": model.loss(params), **(model.watch(params) if hasattr(model, "watch") else {})}.items():
        dims, value = given if isinstance(given, tuple) else (None, given)
        array = np.asarray(value.get() if hasattr(value, "get") else value, np.float64)
        dims = tuple(f"{name}_{k}" for k in range(array.ndim)) if dims is None else tuple(np.atleast_1d(dims).tolist())
        if len(dims) != array.ndim or (name == "loss" and dims):
            raise InputError(name, array.shape, f"it must have the dimensions {dims or 'of a number'}")
        found[name] = dims, array
    return found


def _minibatches(model: Any, batch: int, replace: bool, rng: np.random.Generator) -> Iterator[np.ndarray]:
    samples: Any = getattr(model, "samples", None)
    if check_size("batch", batch) > check_size("samples", samples):
        raise InputError("batch", batch, f"it must be at most the model's number of samples, {samples}")
    if replace:
        return (rng.integers(samples, size=batch) for _ in repeat(None))
    orders = (rng.permutation(samples) for _ in repeat(None))
    return (order[k : k + batch] for order in orders for k in range(0, samples - batch + 1, batch))
