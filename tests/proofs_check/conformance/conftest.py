"""Stand-ins for libraries that are not installed with the tests, as fixtures; see tests/stand_ins.py."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from stand_ins import FLOATX, TORCH, Jax, KerasSGD, Variable, module


@pytest.fixture
def torch(monkeypatch):
    """It is imported; its optimizer is ``torch.HeavyBall``."""
    monkeypatch.setitem(sys.modules, "torch", TORCH)
    return TORCH


@pytest.fixture
def jax(monkeypatch):
    """It is imported."""
    made = Jax()
    found = module("jax", **{name: getattr(made, name) for name in dir(made) if name[0] != "_"})
    monkeypatch.setitem(sys.modules, "jax", found)
    monkeypatch.setitem(sys.modules, "jax.numpy", made.numpy)
    return made


@pytest.fixture
def keras(monkeypatch):
    """It is imported; its optimizer is ``keras.SGD``."""
    ops = SimpleNamespace(convert_to_tensor=np.asarray, convert_to_numpy=np.asarray)
    config = SimpleNamespace(floatx=lambda: FLOATX[-1], set_floatx=FLOATX.append, backend=lambda: "numpy")
    made = module("keras", Variable=Variable, ops=ops, config=config, SGD=KerasSGD)
    monkeypatch.setitem(sys.modules, "keras", made)
    yield made
    assert FLOATX[-1] == "float32"
