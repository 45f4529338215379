"""Momentum's gain on real images against the batch size: the talk's first two pictures, with the central data beside.

A VGG-like or residual network on a few hundred digits, or on a user's own images: SGD and SGD+M at every batch size up
to all images at once, each at the learning rate that a common rule chooses in each draw, from the same split, weights
and batches. On the central theorem's data the same comparison, at one learning rate.
"""

from __future__ import annotations

__all__ = ["CENTRAL", "CENTRAL_GAMMAS", "STUDY", "Settings", "gain_of", "signed"]

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.images.claims import BATCH_SIZE
from lemmascope.theory.images.claims.batch_size import LEAST_SEEDS, LEAST_SIZES, LEAST_STEPS, interval, slope
from lemmascope.theory.images.networks import KINDS, Architecture

DIGITS = "digits"
COUNT = 1797
"""Digits that there are, 8 × 8."""

TALK = ("batch.momentum_helps", "batch.gain_grows", "batch.not_noise")
"""What the talk says of deep networks on CIFAR. No theory says it of other images, so it is an open question there:
whatever comes out is as expected. On digits eight draws leave it INCONCLUSIVE for the most part, and thirty do not."""

CENTRAL = Parameters(
    d=500, N=200, P=2, m=10, alpha=5.0, beta=0.1, mu=0.2, sigma=2 / math.sqrt(500), sigma_0=0.5 / math.sqrt(500)
)
"""The law of the comparison on the central data."""

CENTRAL_ETA = 0.1
CENTRAL_GAMMAS = (0.0, 0.5, 0.999)
"""SGD, the control, SGD+M."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    data: str = option(
        DIGITS,
        "Images: digits (8 × 8, with scikit-learn), FILE.npz with x (n, H, W[, C]) and y (n,), or a folder with "
        "CIFAR's own files.",
    )
    data_sha256: str = option(
        "",
        "Checksum that your images must have, of their numbers; noted by itself, so that no other images are taken "
        "for them when a run is resumed.",
    )
    train_size: int = option(200, "Training images N; a batch of all of them has no noise.")
    validation_size: int = option(500, "Images by which learning rates are chosen; the others are tested on, once.")
    architecture: Literal["vgg", "res"] = option(
        "vgg", "vgg (convolutions in pairs, then pooling) or res (with a residual branch in each pair)."
    )
    widths: tuple[int, ...] = option(
        (8, 16), "Channels of each block, halving the image: 8,16 for 8 × 8, 16,32,64 for 32 × 32."
    )
    epochs: int = option(
        300, "Passes through the images at every batch size: large batches take fewer steps.", tiny=20, quick=60
    )
    batches: tuple[int, ...] = option(
        (10, 25, 50, 100, 200),
        "Batch sizes, increasing; the last one may be all images, which is gradient descent.",
        tiny=(10, 200),
        quick=(10, 200),
    )
    gamma: float = option(0.9, "Momentum of SGD+M, average form: the same η is the same long-run step for both.")
    rates: tuple[float, ...] = option(
        (0.1, 0.3, 1.0),
        "Learning rates, increasing, of which each optimizer has its best at each batch size.",
        tiny=(0.1, 1.0),
        quick=(0.1, 0.3),
    )
    seeds: int = option(8, "Draws of split, weights and batches.", tiny=3, quick=3, full=30)
    augmentation: bool = option(False, "Flip and shift the images in each epoch, as in the talk's first figure.")
    normalization: bool = option(False, "Batch normalization, as in the talk's first figure.")
    central_batches: tuple[int, ...] = option(
        (10, 25, 50, 100, 200),
        "Batch sizes on the central data, divisors of its 200 samples.",
        tiny=(10, 200),
        quick=(10, 200),
    )
    central_steps: int = option(8000, "Steps on the central data, at every batch size.", tiny=4000)
    central_seeds: int = option(4, "Draws of the central data.", tiny=3, quick=3, full=20)

    def __post_init__(self) -> None:
        least_of = {"train_size": 2, "validation_size": 1, "epochs": 1, "seeds": 2}
        for name, least in (least_of | {"central_steps": 1, "central_seeds": 3}).items():
            if check_size(name, getattr(self, name)) < least:
                raise InputError(name, getattr(self, name), f"it must be at least {least}")
        if self.architecture not in KINDS:
            raise InputError("architecture", self.architecture, f"it must be one of {', '.join(KINDS)}")
        check_number("gamma", self.gamma, 0, 1, open_low=True, open_high=True)
        for one in _increasing("rates", self.rates, 1):
            check_number("rates", one, 0, open_low=True)
        for name in ("batches", "central_batches"):
            for one in _increasing(name, getattr(self, name), 2):
                check_size(name, one)
        if self.batches[-1] > self.train_size:
            raise InputError("batches", self.batches[-1], f"no batch is larger than the {self.train_size} images")
        for one in self.central_batches:
            if CENTRAL.N % one:
                raise InputError("central_batches", one, f"it must divide the {CENTRAL.N} samples")
        if self.data == DIGITS:
            _check_sizes(self, COUNT, own_test=False)
            network(self, (8, 8, 1), 10)
        else:
            if not self.data or not isinstance(self.data, str | Path):
                raise InputError("data", self.data, "give digits, FILE.npz or a folder with CIFAR's files")
            object.__setattr__(self, "data", os.path.abspath(self.data))  # for a worker in another folder
            if not self.data_sha256:  # what was saved is known by it, wherever its images are by now
                object.__setattr__(self, "data_sha256", _look(self))


def _increasing(name: str, values: tuple[Any, ...], least: int) -> tuple[Any, ...]:
    if len(values) < least or list(values) != sorted(set(values)):
        raise InputError(name, values, f"give {'one' if least == 1 else 'two'} or more, increasing")
    return values


def network(settings: Settings, shape: tuple[int, int, int], classes: int) -> Architecture:
    """The network for images of this shape."""
    return Architecture(settings.architecture, shape, classes, settings.widths, settings.normalization)


def _look(settings: Settings) -> str:
    """The checksum of a user's images, once all that can be refused before it is computed has been."""
    from lemmascope.sims.images.data import load

    images = load(settings.data)
    network(settings, images.x.shape[1:], len(images.classes))
    _check_sizes(settings, len(images.y), images.test is not None)
    return images.sha256


def _check_sizes(settings: Settings, count: int, own_test: bool) -> None:
    """Raise `InputError` unless there are images to train on, to choose by, and to test on."""
    if settings.train_size + settings.validation_size > count - (0 if own_test else 1):
        kept = "" if own_test else " and leave some to test on"
        why = f"with validation_size = {settings.validation_size} it must fit into the {count} images{kept}"
        raise InputError("train_size", settings.train_size, why)


# --- images ---------------------------------------------------------------------------------------------------------


def cell(task: Task[Settings]) -> xr.Dataset:
    """One optimizer at one batch size in one draw: every rate, the best one tested; permuted labels at that rate."""
    from lemmascope.sims.images.choice import tuned
    from lemmascope.sims.images.data import load, split

    s, at = task.settings, task.at
    images = load(s.data)
    if s.data_sha256 and images.sha256 != s.data_sha256:
        raise InputError("data", s.data, f"its images have changed: their checksum is no more {s.data_sha256[:12]}…")
    drawn = split(images, s.train_size, s.validation_size, task.rng("split"), task.dtype)
    found = tuned(
        network(s, images.x.shape[1:], len(images.classes)),
        drawn,
        task.rng,
        rates=s.rates,
        gamma=at["optimizer"],
        batch=at["batch"],
        epochs=s.epochs,
        augmentation=s.augmentation,
        backend=resolve(task.backend),
    )
    by_rate = {name: ("rate", found.pop(name)) for name in ("validation", "training_error")}
    attrs = {"classes": len(images.classes), "test": len(drawn.test.y), "sha256": images.sha256}
    return xr.Dataset(found | by_rate, {"rate": list(s.rates)}, attrs)


# --- identities -----------------------------------------------------------------------------------------------------


def gradients(task: Task[Settings]) -> xr.Dataset:
    """Hand-derived gradients of small networks against central differences."""
    from lemmascope.sims.images.identities import NETWORKS, gradient_errors

    each = [gradient_errors(net, task.rng(f"gradients {name}")) for name, net in NETWORKS.items()]
    rows = zip(("difference", "unreversed"), zip(*each, strict=True), strict=True)
    return xr.Dataset({kind: ("network", list(values)) for kind, values in rows}, {"network": list(NETWORKS)})


def descent(task: Task[Settings]) -> xr.Dataset:
    """The epoch loop at B = N, and at N/2, against gradient descent and another order."""
    from lemmascope.sims.images.identities import IMAGES, distance

    s = task.settings
    net = Architecture(s.architecture, (8, 8, 1), 10, (8, 16), s.normalization)
    found = {
        what: distance(net, task.rng, batch, s.gamma, resolve(task.backend), task.dtype)
        for what, batch in (("full", IMAGES), ("half", IMAGES // 2))
    }
    return xr.Dataset(found)


# --- central data ---------------------------------------------------------------------------------------------------


def central(task: Task[Settings]) -> xr.Dataset:
    """SGD with three momenta on one draw of the central data, at one batch size."""
    from lemmascope.sims.cubic_cnn.minibatch import run

    found = run(
        CENTRAL,
        lambda name: task.rng(f"central {name}"),
        B=task.at["batch"],
        gammas=CENTRAL_GAMMAS,
        eta=CENTRAL_ETA,
        steps=task.settings.central_steps,
        backend=task.backend,
        dtype=task.dtype,
    )
    names = ("small", "large", "train_error")
    return xr.Dataset(
        {name: ("optimizer", getattr(found, name)) for name in names}, {"optimizer": list(CENTRAL_GAMMAS)}
    )


# --- evidence -------------------------------------------------------------------------------------------------------


def gain_of(data: xr.Dataset, gammas: tuple[float, float], name: str = "accuracy") -> xr.DataArray:
    """Accuracy with the second momentum less that with the first, (batch, seed)."""
    low, high = (data[name].sel(optimizer=g, drop=True) for g in gammas)
    return (high - low).transpose("batch", "seed")


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """The identities, the gains on the images, on permuted labels, and on the central data."""
    cells, found = data["cells"], data["central"]
    gammas, ends = (0.0, settings.gamma), (CENTRAL_GAMMAS[0], CENTRAL_GAMMAS[-1])
    images = cells[["accuracy", "error"]].assign(gain=gain_of(cells, gammas))
    noise = cells.assign(accuracy=cells["accuracy"].where(cells["optimizer"] == 0, cells["permuted"]))
    permuted = cells[["error"]].assign(gain=gain_of(noise, gammas))
    theirs = xr.Dataset(
        {"gain": gain_of(found, ends, "small"), "weak": gain_of(found, CENTRAL_GAMMAS[:2], "small")},
        attrs={"slow": int(4 * CENTRAL.alpha * CENTRAL.beta * CENTRAL_ETA <= 1), "steps": settings.central_steps},
    )
    label = f"{Path(settings.data).name}, {settings.architecture}"
    return [
        Evidence(data["gradients"], "four networks", role="gradients"),
        Evidence(images, label, role="images", parameters=settings),
        Evidence(permuted, "permuted labels", role="permuted", parameters=settings),
        Evidence(data["descent"], settings.architecture, role="descent"),
        Evidence(theirs, "central data", role="central"),
    ]


def permuted_labels(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
    """SGD+M on permuted labels, less SGD on the true ones."""
    found = [e for e in everyone if e.role == "permuted"]
    return found[0] if found else None


def undecided(settings: Settings) -> Mapping[str, str]:
    """A slope takes batch sizes and draws, and the end of the noise a batch of all images."""
    found: dict[str, str] = {}
    if settings.seeds < LEAST_SEEDS:
        why = f"{settings.seeds} draws leave the interval wide; it takes --seeds {LEAST_SEEDS} or more"
        found |= dict.fromkeys(TALK, why)
    if len(settings.batches) < LEAST_SIZES:
        found["batch.gain_grows"] = f"a slope takes {LEAST_SIZES} batch sizes or more (--batches)"
    if settings.batches[-1] < settings.train_size:
        found["batch.not_noise"] = f"no batch is all {settings.train_size} images (--batches, --train-size)"
    if settings.augmentation or settings.normalization:
        why = "it is stated without augmentation and normalization"
        found |= dict.fromkeys(("batch.gain_grows", "batch.not_noise"), why)
    if settings.central_steps < LEAST_STEPS:
        why = f"{settings.central_steps} steps are too few to learn a feature; --central-steps {LEAST_STEPS} decide"
        found |= dict.fromkeys(("batch.central_gain_at_every_size", "batch.central_growth"), why)
    return found


# --- shown ----------------------------------------------------------------------------------------------------------


def rows_of(result: Result[Settings]) -> list[dict[str, Any]]:
    """By batch size: rates, accuracies, gain with its interval, training errors."""
    s, cells = result.settings, result.data["cells"]
    gain, found = gain_of(cells, (0.0, s.gamma)), []
    for B in s.batches:
        one = cells.sel(batch=B)
        mean, low, high = interval(gain.sel(batch=B).values)
        found.append(
            {
                "batch": B,
                "eta": one["eta"].transpose("optimizer", "seed").values.tolist(),
                "margin": [None if math.isnan(x) else x for x in one["margin"].mean("seed").values.tolist()],
                "accuracy": one["accuracy"].mean("seed").values.tolist(),
                "gain": [mean, low, high],
                "error": one["error"].max("seed").values.tolist(),
                "permuted": one["permuted"].mean("seed").values.tolist(),
            }
        )
    return found


def signed(mean: float, low: float, high: float) -> str:
    """A mean with its interval: "+0.0012 [−0.0010, +0.0034]"."""
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]".replace("-", "−")


def _rates(each: Sequence[float]) -> str:
    """Those that were chosen, with how often: "0.1 ×5, 0.3 ×3"."""
    return ", ".join(f"{eta:g} ×{list(each).count(eta)}" for eta in sorted(set(each)))


def tables(result: Result[Settings]) -> Sequence[Table]:
    """Gains by batch size, on the images and on the central data."""
    s, values = result.settings, rows_of(result)
    tested, by = result.data["cells"].attrs["test"], float(result.data["cells"]["margin"].mean())
    margin = "" if math.isnan(by) else f"; the next best is {by:.2g} below on average"
    rows = [
        [
            str(one["batch"]) + (" = N" if one["batch"] == s.train_size else ""),
            "\n".join(map(_rates, one["eta"])),
            *(f"{x:.4f}" for x in one["accuracy"]),
            signed(*one["gain"]),
            ", ".join(f"{x:.2g}" for x in one["error"]),
        ]
        for one in values
    ]
    found, more, theirs = result.data["central"], [], []
    ends = CENTRAL_GAMMAS[0], CENTRAL_GAMMAS[-1]
    for B in s.central_batches:
        one = found.sel(batch=B)
        small = [one["small"].sel(optimizer=g).values for g in CENTRAL_GAMMAS]
        gain = interval(small[-1] - small[0])
        errors = [float(one["train_error"].sel(optimizer=g).max()) for g in ends]
        more.append(
            [
                str(B) + (" = N" if B == CENTRAL.N else ""),
                *(f"{x.mean():.4f} [{x.min():.4f}, {x.max():.4f}]" for x in (small[0], small[-1])),
                signed(*gain),
                ", ".join(f"{x:.2g}" for x in errors),
            ]
        )
        theirs.append({"batch": B, "small": [float(x.mean()) for x in small], "gain": list(gain), "error": errors})
    return [
        Table(
            "gain",
            f"Test accuracy of SGD and SGD+M (γ = {s.gamma:g}), {Path(s.data).name}, {s.architecture}, "
            f"{s.train_size} training images",
            ["B", "η of SGD, SGD+M", "SGD", "SGD+M", "gain", "worst training error"],
            rows,
            f"Mean over {s.seeds} draws on {tested} test images, {s.epochs} epochs; gain with its 95 % interval. Each "
            "draw takes the η of its best validation accuracy, of those that train to error 0 if any does (×: how many "
            f"do){margin}.",
            values,
        ),
        Table(
            "central",
            "Test accuracy on small-margin samples of the central data, "
            f"η = {CENTRAL_ETA:g}, {s.central_steps} steps at every B",
            ["B", "SGD", f"SGD+M, γ = {ends[1]:g}", "gain", "worst training error"],
            more,
            f"Mean over {s.central_seeds} draws [smallest, largest]; gain with its 95 % interval.",
            theirs,
        ),
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """The gain's slope on each data, and what the draws are."""
    s, cells = result.settings, result.data["cells"]
    each = slope(gain_of(cells, (0.0, s.gamma))).values
    theirs = slope(gain_of(result.data["central"], (CENTRAL_GAMMAS[0], CENTRAL_GAMMAS[-1]), "small")).values
    chance = float(cells["permuted"].mean())
    left = int((cells["error"] > 0).any(["optimizer", "batch"]).sum())
    out = (
        f"{left} of {each.size} draws keep a training error above 0 somewhere: they are in the tables, not in verdicts."
    )
    return [
        *([out] if left else []),
        f"Gain per doubling of B: {signed(*interval(each))} on the images, negative on {int((each < 0).sum())} of "
        f"{each.size} draws; {signed(*interval(theirs))} on the central data.",
        f"On permuted labels both test at {chance:.3f}; chance is {1 / cells.attrs['classes']:.3g}.",
        "Splits of one data set share images: the draws are not independent data, and an interval is one over splits, "
        "weights and orders.",
    ]


def _shape(settings: Settings) -> tuple[int, ...]:
    """Of an image, and how many there are."""
    if settings.data == DIGITS:
        return COUNT, 8, 8, 1
    from lemmascope.sims.images.data import load

    return load(settings.data).x.shape


def _cost(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured on an idle core: products, forward and twice backward, and steps."""
    net = network(settings, _shape(settings)[1:], 10)  # type: ignore[arg-type]
    products = sum(9 * one.into * one.out * one.height * one.width for one in net.convolutions)
    passes = settings.train_size * settings.epochs
    return passes * (len(settings.rates) + 0.1) * (3 * products / PRODUCTS + STEPS / at["batch"])


PRODUCTS, STEPS = 22e6, 0.04
"""Products in a millisecond; milliseconds of a step, whatever its batch."""


def _needs(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """The images, a split of them with what is computed of it, and a batch's neighbourhoods."""
    count, *image = _shape(settings)
    weights = sum(map(math.prod, network(settings, tuple(image), 10).shapes.values()))  # type: ignore[arg-type]
    return 20.0 * count * math.prod(image) + 40.0 * weights + 1e8, 4100.0


def resolve(backend: str) -> str:
    """What runs where nothing is asked for: machine code."""
    return "compiled" if backend == "auto" else backend


STUDY = Study(
    name="batch_size",
    subject="images",
    message=(
        "On the central data momentum's gain is the same at every batch size, one half of all small-margin samples, "
        "and needs no noise. On 200 digits it is about a per cent at small batches, falls as the batch grows, and is "
        "not seen at full batch: the opposite of what the talk shows on CIFAR-10."
    ),
    settings=Settings,
    experiments={
        "gradients": Experiment(
            lambda s: {"seed": range(3)}, gradients, lambda s, at: 400.0, needs=lambda s, at: (2e7, 4100)
        ),
        "descent": Experiment(
            lambda s: {"seed": range(3)}, descent, lambda s, at: 100.0, needs=lambda s, at: (2e7, 4100)
        ),
        "cells": Experiment(
            lambda s: {"seed": range(s.seeds), "batch": s.batches, "optimizer": (0.0, s.gamma)},
            cell,
            _cost,
            needs=_needs,
        ),
        "central": Experiment(
            lambda s: {"seed": range(s.central_seeds), "batch": s.central_batches},
            central,
            lambda s, at: 500.0,
            needs=lambda s, at: (5e7, 4100),
        ),
    },
    evidence=evidence,
    claims=BATCH_SIZE,
    controls={"permuted labels": permuted_labels},
    expected=dict.fromkeys(TALK),
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope batch_size",
        "lemmascope batch_size --quick",
        "lemmascope batch_size --architecture res --out results/batch_size-res",
        "lemmascope batch_size --augmentation --normalization --architecture res --out results/first-figure",
        "lemmascope batch_size --data IMAGES.npz --train-size 500 --batches 10,25,50,100,250,500 --out results/mine",
        "lemmascope batch_size --data cifar-10-batches-py --train-size 5000 --widths 16,32,64 --batches "
        "50,100,500,1000,5000 --backend cupy --explain",
    ),
    seconds=75,
    dtypes=("float32", "float64"),
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
