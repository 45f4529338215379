"""A user's own model trained: what is recorded is what a loop by hand gives, and what stops is named."""

import json

import array_api_strict
import numpy as np
import pytest

from lemmascope.sims import stopping
from lemmascope.sims.schedule import Every, Logarithmic
from lemmascope.sims.seeds import streams
from lemmascope.sims.training import train
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov

OPTIMIZERS = {
    "GD": GD(0.05),
    "average": MomentumAverage(0.05, 0.9),
    "velocity": MomentumVelocity(0.01, 0.9),
    "Nesterov": Nesterov(0.01, 0.9),
}


class Linear:
    """‖Xw + b − y‖²/2n, with w and b as a dict, or w alone as an array."""

    samples = 12

    def __init__(self, as_dict=True):
        rng = np.random.default_rng(3)
        self.X, self.y, self.as_dict, self.batches = rng.standard_normal((12, 3)), rng.standard_normal(12), as_dict, []

    def initial(self, rng):
        w = rng.standard_normal(3)
        return {"w": w, "b": np.zeros(())} if self.as_dict else w

    def errors(self, params, rows=slice(None)):
        w, b = (params["w"], params["b"]) if self.as_dict else (params, 0.0)
        return self.X[rows] @ w + b - self.y[rows]

    def loss(self, params):
        return np.mean(self.errors(params) ** 2) / 2

    def gradient(self, params, batch=None):
        self.batches.append(batch)
        rows = slice(None) if batch is None else batch
        errors = self.errors(params, rows)
        w = self.X[rows].T @ errors / errors.size
        return {"b": errors.mean(), "w": w} if self.as_dict else w

    def watch(self, params):
        w = params["w"] if self.as_dict else params
        return {"size": np.linalg.norm(w), "w": (("entry",), w), "pairs": np.outer(w, w)}


def by_hand(optimizer, iterations, as_dict, batches=None):
    """The same in a plain loop, in one vector."""
    model = Linear(as_dict)
    start = model.initial(streams(7, "train", 0)("initial"))

    def vector(params):
        return np.append(params["w"], params["b"]) if as_dict else params

    def named(theta):
        return {"w": theta[:3], "b": theta[3]} if as_dict else theta

    theta = vector(start)
    state, seen = optimizer.init(theta), []
    for t in range(iterations + 1):
        seen.append((model.loss(named(theta)), theta[:3]))
        if t < iterations:
            grad = vector(model.gradient(named(theta), None if batches is None else batches[t]))
            theta, state = optimizer.step(theta, grad, state, t)
    return np.array([loss for loss, _ in seen]), np.array([w for _, w in seen])


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_the_loop_by_hand_bit_for_bit(name, as_dict):
    run = train(Linear(as_dict), OPTIMIZERS, iterations=20, rng=7, record=1)
    loss, w = by_hand(OPTIMIZERS[name], 20, as_dict)
    one = run.sel(optimizer=name)
    assert np.array_equal(one.loss, loss)
    assert np.array_equal(one.w, w)
    assert np.allclose(one["size"], np.linalg.norm(w, axis=1))
    assert one.w.dims == ("iteration", "entry")
    assert one.pairs.dims == ("iteration", "pairs_0", "pairs_1")
    assert int(one.stopped_at) == -1
    assert str(one.stopped_by.values) == ""


def test_every_optimizer_starts_at_the_same_place_and_what_it_was_is_told():
    run = train(Linear(), OPTIMIZERS, iterations=5, rng=7)
    assert list(run.optimizer.values) == list(OPTIMIZERS)
    assert np.all(run.w.isel(iteration=0) == run.w.isel(iteration=0, optimizer=0))
    assert not np.any(run.w.isel(iteration=-1, optimizer=slice(1, None)) == run.w.isel(iteration=-1, optimizer=0))
    assert json.loads(run.attrs["optimizers"])["average"]["gamma"] == 0.9


@pytest.mark.parametrize(
    ("record", "times"),
    [
        (5, [0, 5, 10, 12]),
        (Every(4), [0, 4, 8, 12]),
        (Logarithmic(3), Logarithmic(3).iterations(12)),
        (None, range(13)),
    ],
)
def test_when_it_is_recorded_changes_nothing_of_what_is_seen(record, times):
    every = train(Linear(), OPTIMIZERS, iterations=12, rng=7, record=1)
    run = train(Linear(), OPTIMIZERS, iterations=12, rng=7, record=record)
    assert list(run.iteration.values) == list(times)
    assert run.loss.identical(every.loss.sel(iteration=list(times)))


def test_no_iteration_is_the_start():
    assert train(Linear(), OPTIMIZERS, iterations=0, rng=7).loss.shape == (4, 1)


# --- minibatches ---------------------------------------------------------------------------------------------------


def drawn(**options):
    model = Linear()
    run = train(model, {"GD": GD(0.05), "other": MomentumAverage(0.05, 0.9)}, rng=7, **options)
    first, second = model.batches[::2], model.batches[1::2]
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    return run, first


def test_an_epoch_has_every_sample_once():
    run, batches = drawn(iterations=12, batch=3)
    for k in range(3):
        assert sorted(np.concatenate(batches[4 * k : 4 * k + 4])) == list(range(12))
    assert not np.array_equal(np.concatenate(batches[:4]), np.concatenate(batches[4:8]))
    assert np.array_equal(run.loss.sel(optimizer="GD"), by_hand(GD(0.05), 12, True, batches)[0][run.iteration])
    assert (run.attrs["batch"], run.attrs["replace"]) == (3, 0)


def test_the_remainder_of_an_epoch_is_left_out():
    _, batches = drawn(iterations=6, batch=5)
    assert all(batch.size == 5 for batch in batches)
    for k in range(3):
        assert len(set(np.concatenate(batches[2 * k : 2 * k + 2]))) == 10


def test_with_replacement_samples_come_twice():
    _, batches = drawn(iterations=50, batch=12, replace=True)
    assert any(len(set(batch)) < 12 for batch in batches)
    assert set(np.concatenate(batches)) == set(range(12))


def test_streams_are_named():
    """The start does not depend on whether there are minibatches; a task's own streams are asked by name."""
    asked = []

    def rng(what):
        asked.append(what)
        return np.random.default_rng(len(what))

    train(Linear(), OPTIMIZERS, iterations=1, rng=rng, batch=2)
    assert asked == ["initial", "minibatches"]
    full = train(Linear(), OPTIMIZERS, iterations=3, rng=7)
    assert full.w.isel(iteration=0).equals(
        train(Linear(), OPTIMIZERS, iterations=3, rng=7, batch=2).w.isel(iteration=0)
    )
    again = train(Linear(), OPTIMIZERS, iterations=3, rng=7, batch=2)
    assert again.identical(train(Linear(), OPTIMIZERS, iterations=3, rng=7, batch=2))
    assert not again.loss.equals(train(Linear(), OPTIMIZERS, iterations=3, rng=8, batch=2).loss)


# --- what is not finite --------------------------------------------------------------------------------------------


class Steep(Linear):
    """What goes wrong, at iteration 4."""

    def __init__(self, what):
        super().__init__(as_dict=False)
        self.what, self.count = what, 0

    def bad(self, what, value):
        return np.nan * value if self.what == what and self.count >= 4 else value

    def loss(self, params):
        return self.bad("loss", super().loss(params))

    def gradient(self, params, batch=None):
        found = self.bad("gradient", super().gradient(params))
        self.count += 1
        return found

    def watch(self, params):
        return {"size": self.bad("size", np.linalg.norm(params)), "w": params}


@pytest.mark.parametrize("what", ["loss", "gradient", "size"])
def test_what_is_not_finite_stops_the_optimizer_and_is_named(what):
    run = train(Steep(what), {"GD": GD(0.05)}, iterations=10, rng=7, record=1).sel(optimizer="GD")
    assert (int(run.stopped_at), str(run.stopped_by.values)) == (4, what)
    whole = train(Steep(""), {"GD": GD(0.05)}, iterations=10, rng=7, record=1).sel(optimizer="GD")
    assert run.loss[:4].equals(whole.loss[:4])
    assert np.all(np.isnan(run.loss[5:]))
    assert np.isnan(run[what][4]) if what in run else True


def test_a_diverging_optimizer_stops_and_the_others_go_on():
    run = train(Linear(), {"wild": GD(1e3), "calm": GD(0.05)}, iterations=500, rng=7)
    assert 0 < int(run.stopped_at.sel(optimizer="wild")) < 500
    assert str(run.stopped_by.sel(optimizer="wild").values) in ("loss", "gradient", "size", "pairs")
    assert int(run.stopped_at.sel(optimizer="calm")) == -1
    alone = train(Linear(), {"calm": GD(0.05)}, iterations=500, rng=7)
    assert run.loss.sel(optimizer="calm").equals(alone.loss.sel(optimizer="calm"))


def test_it_ends_when_the_tasks_of_the_process_are_given_up():
    stopping.request()
    try:
        with pytest.raises(KeyboardInterrupt):
            train(Linear(), OPTIMIZERS, iterations=5, rng=7)
    finally:
        stopping.clear()


# --- other arrays, wrong input -------------------------------------------------------------------------------------


class Strict:
    """Least squares in arrays that know the standard and nothing else."""

    samples = 12

    def __init__(self):
        plain, self.xp = Linear(as_dict=False), array_api_strict
        self.X, self.y = self.xp.asarray(plain.X), self.xp.asarray(plain.y)

    def initial(self, rng):
        return {"w": self.xp.asarray(rng.standard_normal(3)), "b": self.xp.zeros((1,), dtype=self.xp.float64)}

    def loss(self, params):
        errors = self.X @ params["w"] + params["b"] - self.y
        return float(self.xp.mean(errors * errors) / 2)

    def gradient(self, params, batch=None):
        X, y = (self.X, self.y) if batch is None else (self.xp.take(x, batch, axis=0) for x in (self.X, self.y))
        errors = X @ params["w"] + params["b"] - y
        return {"w": X.T @ errors / errors.size, "b": self.xp.reshape(self.xp.mean(errors), (1,))}


@pytest.mark.parametrize("batch", [None, 4])
def test_any_array_library(batch):
    run = train(Strict(), OPTIMIZERS, iterations=10, rng=7, batch=batch)
    plain = train(Linear(), OPTIMIZERS, iterations=10, rng=7, batch=batch)
    np.testing.assert_allclose(run.loss, plain.loss, rtol=1e-12)
    assert "size" not in run


class Odd(Linear):
    def __init__(self, **replaced):
        super().__init__(as_dict=False)
        for name, value in replaced.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        (Odd(), {"optimizers": {}}, "optimizers"),
        (Odd(), {"optimizers": {"GD": "gd"}}, "optimizers"),
        (Odd(), {"iterations": -1}, "iterations"),
        (Odd(), {"record": 0}, "every"),
        (Odd(), {"batch": 13}, "batch = 13"),
        (Odd(), {"batch": 0}, "batch"),
        (Odd(samples=None), {"batch": 3}, "samples"),
        (Odd(initial=lambda rng: 1.0), {}, "initial"),
        (Odd(initial=lambda rng: {}), {}, "initial"),
        (Odd(initial=lambda rng: {"a": np.zeros(2), "b": np.zeros(2, np.float32)}), {}, "one number type"),
        (Odd(gradient=lambda params: np.zeros(2)), {}, "gradient"),
        (Odd(gradient=lambda params: {"w": params}), {}, "gradient"),
        (Odd(loss=lambda params: np.zeros(3)), {}, "loss"),
        (Odd(watch=lambda params: {"w": (("a", "b"), params)}), {}, "w = "),
        (Odd(watch=lambda params: {"w": params if params[0] == START else params[:2]}), {}, "same shape"),
    ],
)
def test_wrong_input_is_refused(model, options, says):
    given = {"optimizers": {"GD": GD(0.05)}, "iterations": 3, "rng": 7} | options
    with pytest.raises(InputError, match=says):
        train(model, given.pop("optimizers"), **given)


START = streams(7, "train", 0)("initial").standard_normal(3)[0]


class Square:
    """The loss |θ|²/2, from ones."""

    def initial(self, rng):
        return np.ones(3)

    def gradient(self, params, batch=None):
        return params

    def loss(self, params):
        return 0.5 * float(params @ params)


@pytest.mark.parametrize("bad", ["writes", "ends", "shape"])
def test_an_optimizer_that_misbehaves_is_refused_and_changes_no_other(bad):
    class Bad:
        linear = True

        def init(self, params):
            return None

        def step(self, params, grad, state, t):
            if bad == "writes":
                params -= 0.1 * grad
            if bad == "ends":
                raise SystemExit(0)
            return (params[:1] if bad == "shape" else params), state

    with pytest.raises(InputError, match="optimizer bad"):
        train(Square(), {"good": GD(0.1), "bad": Bad()}, iterations=3, rng=0)
