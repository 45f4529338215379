"""The training loop against plain steps, machine code against the formulas, and what augmentation and batches are."""

import hashlib
import re
from pathlib import Path

import array_api_strict
import numpy as np
import pytest

import lemmascope.sims.images
from lemmascope.sims.images import loop
from lemmascope.sims.images.compiled import Machine
from lemmascope.sims.images.loop import accuracy, augmented, batches, train
from lemmascope.sims.images.tiles import SHAPES
from lemmascope.theory.errors import InputError
from lemmascope.theory.images.networks import Architecture, gradient, loss, output

PLAIN = Architecture("vgg", (8, 8, 1), 10)
NETS = [
    PLAIN,
    Architecture("res", (8, 8, 1), 10),
    Architecture("res", (16, 24, 3), 3, (4, 5, 6)),
    Architecture("vgg", (12, 20, 2), 17, (3, 20)),
    Architecture("vgg", (4, 2, 1), 2, (3,)),
    Architecture("res", (16, 16, 4), 5, (12, 40)),
]
NORMALIZED = Architecture("res", (8, 8, 1), 4, (3, 4), True)


def named(net):
    return f"{net.kind}{net.shape}{net.widths}"


def drawn(net, samples=23, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    theta = {key: w + 0.1 * rng.standard_normal(w.shape) for key, w in net.initial(rng.standard_normal).items()}
    x, labels = rng.standard_normal((samples, *net.shape)), rng.integers(0, net.classes, samples)
    return {key: w.astype(dtype) for key, w in theta.items()}, x.astype(dtype), labels


def reference(net, theta, x, labels, *, eta, gamma, batch, epochs, order):
    """As the text has it, on the gradients of theory alone."""
    theta, average = {key: w.copy() for key, w in theta.items()}, {key: 0 * w for key, w in theta.items()}
    for _ in range(epochs):
        permuted = order.permutation(len(x))
        for first in range(0, len(x), batch):
            part = sorted(permuted[first : first + batch])
            for key, slope in gradient(net, theta, x[part], labels[part]).items():
                average[key] = gamma * average[key] + (1 - gamma) * slope
            theta = {key: w - eta * average[key] for key, w in theta.items()}
    return theta


def apart(one, other):
    assert list(one) == list(other)
    return max(float(np.abs(one[key] - other[key]).max()) for key in one)


@pytest.mark.parametrize("net", [*NETS, NORMALIZED], ids=named)
@pytest.mark.parametrize("gamma", [0.0, 0.9])
def test_numpy_takes_the_steps_of_the_text_bit_for_bit(net, gamma):
    theta, x, labels = drawn(net)
    before = {key: w.copy() for key, w in theta.items()}
    run = {"eta": 0.05, "gamma": gamma, "batch": 7, "epochs": 3}
    found = train(net, theta, x, labels, order=np.random.default_rng(8), **run)
    assert apart(found.theta, reference(net, theta, x, labels, order=np.random.default_rng(8), **run)) == 0
    assert apart(theta, before) == 0
    assert (found.epochs, found.steps, found.diverged) == (3, 12, False)


@pytest.mark.parametrize("net", NETS, ids=named)
@pytest.mark.parametrize(("gamma", "batch"), [(0.0, 7), (0.9, 1), (0.9, 23)])
def test_machine_code_takes_the_same_steps(net, gamma, batch):
    theta, x, labels = drawn(net)
    run = {"eta": 0.05, "gamma": gamma, "batch": batch, "epochs": 3}
    here, there = (
        train(net, theta, x, labels, order=np.random.default_rng(8), backend=one, **run)
        for one in ("numpy", "compiled")
    )
    assert apart(here.theta, there.theta) < 1e-12
    assert here.error == there.error
    assert abs(here.loss - there.loss) < 1e-12
    assert here.steps == there.steps
    assert accuracy(net, here.theta, x, labels) == accuracy(net, here.theta, x, labels, backend="compiled")


@pytest.mark.parametrize("net", NETS, ids=named)
def test_machine_code_in_single_precision_stays_near(net):
    theta, x, labels = drawn(net, dtype=np.float32)
    run = {"eta": 0.05, "gamma": 0.9, "batch": 5, "epochs": 2}
    found = train(net, theta, x, labels, order=np.random.default_rng(1), backend="compiled", **run).theta
    exact = reference(net, *drawn(net), order=np.random.default_rng(1), **run)
    assert {w.dtype for w in found.values()} == {np.dtype(np.float32)}
    assert 0 < apart(found, exact) < 1e-4


def test_every_tile_is_among_what_was_compared():
    used = {
        int(code) for net in NETS for size in (4, 8) for code in Machine(net, drawn(net)[0], f"f{size}").plan.jobs[:, 0]
    }
    assert used == set(range(len(SHAPES)))


def test_one_epochs_losses_are_those_before_its_steps():
    theta, x, labels = drawn(PLAIN)
    for backend in ("numpy", "compiled"):
        engine = loop._engine(PLAIN, theta, x.dtype, backend)
        total = engine.epoch(*engine.put(x, labels), [np.arange(len(x))], 0.1, 0.0)
        assert abs(total / len(x) - loss(PLAIN, theta, x, labels)) < 1e-13


def test_machine_code_keeps_what_is_filled_up_at_zero():
    net = NETS[3]
    theta, x, labels = drawn(net)
    machine = Machine(net, theta, np.float64)
    for _ in range(3):
        machine.epoch(*machine.put(x, labels), [np.arange(10), np.arange(10, 23)], 0.1, 0.5)
    rest = machine.m[: machine.plan.parameters].copy()
    kept, machine.m[:] = machine.theta(), 0
    for key, value in kept.items():
        machine._view(key)[...] = value.reshape(machine._view(key).shape)
    assert np.array_equal(machine.m[: machine.plan.parameters], rest)


def test_read_only_and_foreign_images_are_taken():
    """Of another order in memory, and not to be written: there is no code for these, so they are copied."""
    theta, x, labels = drawn(PLAIN)
    other = np.asfortranarray(x)
    other.flags.writeable = labels.flags.writeable = False
    run = {"eta": 0.1, "gamma": 0.0, "batch": 23, "epochs": 1, "backend": "compiled"}
    one, two = (
        train(PLAIN, theta, y, labels.astype(np.uint8), order=np.random.default_rng(0), **run) for y in (x, other)
    )
    assert apart(one.theta, two.theta) == 0


def test_machine_code_on_disk_is_of_these_texts():
    """Numba's cache does not look at files that a function's own file imports: their version must stand in it."""
    folder = Path(lemmascope.sims.images.__file__).parent
    digest = hashlib.sha256((folder / "tiles.py").read_bytes()).hexdigest()[:12]
    (named,) = re.findall(r'^BUILT_ON = "(\w+)"', (folder / "compiled.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert named == digest, f"tiles.py has changed: set BUILT_ON = {digest!r} in compiled.py"


# --- batches --------------------------------------------------------------------------------------------------------


def test_batches_are_a_partition_into_sets():
    parts = batches(23, 5, np.random.default_rng(0))
    assert [len(part) for part in parts] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(parts)) == list(range(23))
    assert all((np.diff(part) > 0).all() for part in parts)
    again = batches(23, 5, np.random.default_rng(0))
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    rng = np.random.default_rng(0)
    assert (batches(23, 5, rng)[0] != batches(23, 5, rng)[0]).any()


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_full_batch_is_gradient_descent_whatever_the_order(backend, dtype):
    theta, x, labels = drawn(PLAIN, dtype=dtype)
    run = {"eta": 0.1, "gamma": 0.9, "epochs": 4, "backend": backend}

    def end(batch, seed):
        return train(PLAIN, theta, x, labels, batch=batch, order=np.random.default_rng(seed), **run).theta

    assert apart(end(23, 1), end(23, 2)) == 0
    assert apart(end(12, 1), end(12, 2)) > 0


def test_a_batch_with_no_room_is_computed_in_parts(monkeypatch):
    theta, x, labels = drawn(NETS[2])
    run = {"eta": 0.1, "gamma": 0.9, "batch": 23, "epochs": 2}
    whole = train(NETS[2], theta, x, labels, order=np.random.default_rng(0), **run)
    monkeypatch.setattr(loop, "LARGEST_HERE", 100_000)
    engine = loop._engine(NETS[2], theta, x.dtype, "numpy")
    assert 1 < engine.most < 23
    parts = train(NETS[2], theta, x, labels, order=np.random.default_rng(0), **run)
    assert 0 < apart(whole.theta, parts.theta) < 1e-12
    assert accuracy(NETS[2], theta, x, labels) == np.mean(output(NETS[2], theta, x).argmax(1) == labels)


def test_normalization_sees_the_whole_batch_however_large(monkeypatch):
    theta, x, labels = drawn(NORMALIZED)
    run = {"eta": 0.1, "gamma": 0.9, "batch": 23, "epochs": 2}
    whole = train(NORMALIZED, theta, x, labels, order=np.random.default_rng(0), **run)
    monkeypatch.setattr(loop, "LARGEST_HERE", 1)
    again = train(NORMALIZED, theta, x, labels, order=np.random.default_rng(0), **run)
    assert apart(whole.theta, again.theta) == 0
    assert accuracy(NORMALIZED, theta, x, labels) == np.mean(output(NORMALIZED, theta, x).argmax(1) == labels)


# --- normalization, augmentation ------------------------------------------------------------------------------------


def test_a_normalized_network_is_judged_by_its_running_statistics():
    theta, x, labels = drawn(NORMALIZED, 40)
    run = {"eta": 0.1, "gamma": 0.9, "batch": 8, "epochs": 5}
    found = train(NORMALIZED, theta, x, labels, order=np.random.default_rng(0), **run)
    assert set(found.statistics) == {f"{what}{k}" for what in ("mean", "variance") for k in (1, 2, 3)}
    o = output(NORMALIZED, found.theta, x, found.statistics)
    assert found.error == np.mean(o.argmax(1) != labels)
    assert accuracy(NORMALIZED, found.theta, x, labels, found.statistics) == np.mean(o.argmax(1) == labels)
    compiled = train(NORMALIZED, theta, x, labels, order=np.random.default_rng(0), backend="compiled", **run)
    assert apart(found.theta, compiled.theta) == apart(found.statistics, compiled.statistics) == 0


def test_augmentation_flips_and_shifts_over_zeros():
    x = np.arange(1.0, 16 * 24 * 2 + 1).reshape(1, 16, 24, 2)
    many = augmented(np.repeat(x, 600, axis=0), np.random.default_rng(0))
    seen = set()
    for one in many:
        where = np.argwhere(one[..., 0] == x[0, 8, 12, 0])[0]
        flipped = one[where[0], where[1] - 1, 0] > one[where[0], where[1], 0]
        down, along = where[0] - 8, where[1] - (11 if flipped else 12)
        seen.add((bool(flipped), int(down), int(along)))
        back = one[:, ::-1] if flipped else one
        along = -along if flipped else along
        kept = back[max(down, 0) : 16 + min(down, 0), max(along, 0) : 24 + min(along, 0)]
        source = x[0, max(-down, 0) : 16 - max(down, 0), max(-along, 0) : 24 - max(along, 0)]
        assert (kept == source).all()
        assert np.count_nonzero(back) == source.size
    assert seen == {(f, d, a) for f in (False, True) for d in range(-2, 3) for a in range(-3, 4)}


def test_augmentation_is_drawn_for_all_images_whatever_the_batches():
    theta, x, labels = drawn(PLAIN)

    def seen(backend, batch):
        shown, right = [], loop._Arrays.epoch

        def epoch(self, images, *arguments):
            shown.append(np.array(images))
            return right(self, images, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop._Arrays, "epoch", epoch)
            rng, augment = np.random.default_rng(0), np.random.default_rng(1)
            run = {"eta": 0.1, "gamma": 0.0, "epochs": 2, "order": rng, "augment": augment, "backend": backend}
            return train(PLAIN, theta, x, labels, batch=batch, **run), shown

    (one, shown), (_, other) = seen("numpy", 5), seen("numpy", 23)
    assert all((a == b).all() for a, b in zip(shown, other, strict=True))
    assert (shown[0] != shown[1]).any()
    assert apart(one.theta, seen("compiled", 5)[0].theta) < 1e-12


# --- ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_a_run_that_diverges_ends_and_says_so(backend):
    theta, x, labels = drawn(PLAIN, dtype=np.float32)
    found = train(
        PLAIN,
        theta,
        x,
        labels,
        eta=1e30,
        gamma=0.0,
        batch=5,
        epochs=50,
        order=np.random.default_rng(0),
        backend=backend,
    )
    assert found.diverged
    assert found.epochs < 50
    assert found.steps == 5 * found.epochs
    assert (found.error, found.loss) == (0.9, np.inf)
    assert accuracy(PLAIN, found.theta, x, labels, backend=backend) == 0.1


@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_parameters_that_are_not_finite_are_seen_before_a_loss_is(backend):
    """A relu takes NaN for 0, so the next losses may be finite again."""
    theta, x, labels = drawn(PLAIN, dtype=np.float32)
    run = {"eta": 3e38, "gamma": 0.0, "batch": 23, "epochs": 5, "backend": backend}
    found = train(PLAIN, theta, 100 * x, labels, order=np.random.default_rng(0), **run)
    assert not np.isfinite(found.theta["K1"]).all()
    assert (found.diverged, found.epochs, found.error, found.loss) == (True, 1, 0.9, np.inf)


def test_no_epoch_leaves_the_network():
    theta, x, labels = drawn(PLAIN)
    found = train(PLAIN, theta, x, labels, eta=0.1, gamma=0.0, batch=5, epochs=0, order=np.random.default_rng(0))
    assert apart(found.theta, theta) == 0
    assert found.error == np.mean(output(PLAIN, theta, x).argmax(1) != labels)
    assert abs(found.loss - loss(PLAIN, theta, x, labels)) < 1e-12


def test_momentum_and_rate_matter():
    """What no other test would notice: that the two are not exchanged or dropped."""
    theta, x, labels = drawn(PLAIN)

    def end(eta, gamma):
        run = {"batch": 23, "epochs": 1, "order": np.random.default_rng(0), "backend": "compiled"}
        return train(PLAIN, theta, x, labels, eta=eta, gamma=gamma, **run).theta["c"] - theta["c"]

    assert np.abs(end(0.2, 0.0) - 2 * end(0.1, 0.0)).max() < 1e-14
    assert np.abs(end(0.2, 0.5) - end(0.1, 0.0)).max() < 1e-14


@pytest.mark.parametrize("net", [NETS[1], NORMALIZED], ids=named)
def test_the_arrays_engine_is_written_for_any_library(net):
    """As it runs on a device: a library of the standard in NumPy's place."""
    theta, x, labels = drawn(net)
    ends = []
    for xp in (np, array_api_strict):
        engine = loop._Arrays(net, theta, x.dtype if xp is np else xp.float64, xp, None)
        images, classes = engine.put(x, labels)
        for part in ([np.arange(12), np.arange(12, 23)], [np.arange(23)]):
            total = engine.epoch(images, classes, part, 0.1, 0.9)
        ends.append((engine.theta(), total, engine.outputs(images)))
    assert apart(ends[0][0], ends[1][0]) < 1e-12
    assert abs(ends[0][1] - ends[1][1]) < 1e-12
    assert np.abs(ends[0][2] - ends[1][2]).max() < 1e-12


def test_a_device_takes_the_same_steps():
    cupy = pytest.importorskip("cupy", reason="there is no CuPy")
    try:
        cupy.zeros(1)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"there is no device: {error}")
    for net in (*NETS, NORMALIZED):
        theta, x, labels = drawn(net)
        run = {"eta": 0.05, "gamma": 0.9, "batch": 7, "epochs": 3}
        here, there = (
            train(net, theta, x, labels, order=np.random.default_rng(8), backend=one, **run)
            for one in ("numpy", "cupy")
        )
        assert apart(here.theta, there.theta) < 1e-10
        assert abs(accuracy(net, there.theta, x, labels, there.statistics, "cupy") + here.error - 1) < 1e-12


def test_without_cupy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    theta, x, labels = drawn(PLAIN)
    with pytest.raises(InputError, match=r"lemmascope\[gpu\]"):
        accuracy(PLAIN, theta, x, labels, backend="cupy")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("backend", {"backend": "abacus"}),
        ("batch", {"batch": 0}),
        ("batch", {"batch": 24}),
        ("eta", {"eta": 0.0}),
        ("gamma", {"gamma": 1.0}),
        ("epochs", {"epochs": -1}),
        ("x", {"x": np.zeros((23, 8, 8, 2))}),
        ("x", {"x": np.zeros((23, 8, 8, 1), int)}),
        ("labels", {"labels": np.zeros(22, int)}),
        ("labels", {"labels": np.zeros(23)}),
        ("labels", {"labels": np.full(23, 10)}),
        ("labels", {"labels": np.full(23, -1)}),
    ],
)
def test_what_makes_no_sense_is_refused(field, change):
    theta, x, labels = drawn(PLAIN)
    given = {"x": x, "labels": labels, "eta": 0.1, "gamma": 0.0, "batch": 5, "epochs": 1} | change
    with pytest.raises(InputError, match=rf"^{field} = "):
        train(PLAIN, theta, order=np.random.default_rng(0), **given)
