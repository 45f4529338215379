"""Stand-ins for libraries that are not installed with the tests: as much of them as their drivers use.

They follow the documented interfaces; the libraries themselves are driven in test_adapters_peers.py.
"""

from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import numpy as np


def module(name, **contents):
    made = ModuleType(name)
    vars(made).update(contents)
    return made


# --- PyTorch ---------------------------------------------------------------------------------------------------------


class Tensor:
    """A NumPy array with a gradient."""

    def __init__(self, array):
        self.array, self.grad = array, None

    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)

    def requires_grad_(self):
        return self

    def detach(self):
        return Tensor(self.array)

    def clone(self):
        return Tensor(self.array.copy())

    def numpy(self):
        return self.array

    def copy_(self, other):
        self.array[...] = other.array

    def fill_(self, value):
        self.array[...] = value

    def to(self, dtype):
        return Tensor(self.array.astype(dtype))

    def element_size(self):
        return self.array.itemsize

    def new_zeros(self, shape):
        return Tensor(np.zeros(shape, self.dtype))

    def sum(self):
        return Tensor(self.array.sum())

    def __mul__(self, other):
        return Tensor(self.array * other.array)

    def __add__(self, other):
        return Tensor(self.array + other.array)

    def __float__(self):
        return float(self.array)


class HeavyBall:
    """u ← γu + ∇, θ ← θ − ηu, as PyTorch's optimizers are used."""

    def __init__(self, params, lr, momentum=0.0):
        params = list(params)
        if not all(isinstance(p, Tensor | dict) for p in params):
            raise TypeError("optimizer can only optimize Tensors")
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        self.param_groups = [{"lr": lr, "momentum": momentum, **group} for group in groups]
        self.state = {}

    def step(self):
        for k, (group, p) in enumerate((g, p) for g in self.param_groups for p in g["params"]):
            if p.grad is not None:
                self.state[k] = group["momentum"] * self.state.get(k, 0) + p.grad.array
                p.array[...] = p.array - np.asarray(float(group["lr"]), p.dtype) * self.state[k]

    def state_dict(self):
        groups = [{key: x for key, x in group.items() if key != "params"} for group in self.param_groups]
        return {"state": self.state, "groups": groups}

    def load_state_dict(self, found):
        self.state = found["state"]
        for group, kept in zip(self.param_groups, found["groups"], strict=True):
            group.update(kept)


TORCH = module("torch", Tensor=Tensor, from_numpy=Tensor, HeavyBall=HeavyBall)


# --- JAX, with two transformations as optax's are --------------------------------------------------------------------


def leaves_of(tree):
    if tree is None:
        return []
    if isinstance(tree, dict):
        return [x for key in sorted(tree) for x in leaves_of(tree[key])]
    return [x for part in tree for x in leaves_of(part)] if isinstance(tree, tuple | list) else [tree]


def filled(tree, leaves):
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: filled(tree[key], leaves) for key in sorted(tree)}
    if isinstance(tree, tuple | list):
        parts = [filled(part, leaves) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return next(leaves)


class Jax:
    """What is compiled is counted: a function that is compiled, for each shape; control flow that is not, each time."""

    Array = np.ndarray

    def __init__(self):
        self.compiled, self.inside, self.x64 = 0, [], []
        self.numpy = module("jax.numpy", asarray=np.asarray)
        self.tree = SimpleNamespace(
            leaves=leaves_of,
            structure=lambda tree: tree,
            flatten=lambda tree: (leaves_of(tree), tree),
            unflatten=lambda tree, leaves: filled(tree, iter(leaves)),
            map=lambda function, tree: filled(tree, map(function, leaves_of(tree))),
        )

    @contextmanager
    def enable_x64(self, enabled):
        self.x64.append(enabled)
        yield

    def cond(self, test, yes, no):
        if self.inside:
            self.inside[-1].append(SimpleNamespace(primitive=SimpleNamespace(name="cond"), params={}))
        else:
            self.compiled += 1
        return yes() if test else no()

    def make_jaxpr(self, function):
        def traced(*given):
            self.inside.append([])
            function(*given)
            return SimpleNamespace(eqns=self.inside.pop())

        return traced

    def jit(self, function):
        known = set()

        def compiled(*given):
            shapes = tuple((np.shape(x), np.asarray(x).dtype) for x in leaves_of(given))
            self.inside.append([])
            try:
                found = function(*given)
            finally:
                self.inside.pop()
            self.compiled += shapes not in known
            known.add(shapes)
            return found

        return compiled


# --- Keras 3 ---------------------------------------------------------------------------------------------------------


class Variable:
    def __init__(self, value, dtype=None):
        self.value = np.array(value, dtype=dtype or FLOATX[-1])

    dtype = property(lambda self: self.value.dtype)

    def assign(self, value):
        self.value = np.asarray(value, self.dtype).reshape(self.value.shape)

    def numpy(self):
        return self.value


FLOATX = ["float32"]


class KerasSGD:
    """v ← γv − η∇, θ ← θ + v, the learning rate in a variable of the default number type."""

    def __init__(self, learning_rate=0.01, momentum=0.0):
        if not isinstance(learning_rate, float):
            raise ValueError("Argument `learning_rate` should be float")
        self._learning_rate, self.momentum, self.variables = Variable(learning_rate), momentum, []

    @property
    def learning_rate(self):
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self._learning_rate.assign(value)

    def build(self, variables):
        self.known, self.velocities = variables, [Variable(0 * v.value, v.dtype) for v in variables]
        self.variables = [self._learning_rate, *self.velocities]

    def apply(self, grads, trainable_variables=None):
        if all(grad is None for grad in grads):
            raise ValueError("No gradients provided for any variable.")
        assert trainable_variables is self.known
        for grad, variable, velocity in zip(grads, self.known, self.velocities, strict=True):
            if grad is not None:
                rate, gamma = (
                    self._learning_rate.value.astype(variable.dtype),
                    np.asarray(self.momentum, variable.dtype),
                )
                velocity.assign(velocity.value * gamma - grad * rate)
                variable.assign(variable.value + velocity.value)

    def save_own_variables(self, store):
        store.update({str(k): variable.numpy() for k, variable in enumerate(self.variables)})

    def load_own_variables(self, store):
        for k, variable in enumerate(self.variables):
            variable.assign(store[str(k)])
