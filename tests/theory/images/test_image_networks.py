"""Convolutional networks on images: against plain loops, gradients against differences, normalization."""

import itertools

import array_api_strict
import numpy as np
import pytest
from tolerances import assert_close

from lemmascope.theory.errors import InputError
from lemmascope.theory.images import normalization
from lemmascope.theory.images.networks import Architecture, columns, gradient, loss, output, pattern, slopes

NETS = [
    Architecture(kind, shape, 4, widths, normalized)
    for kind in ("vgg", "res")
    for normalized in (False, True)
    for shape, widths in (((8, 8, 1), (3, 4)), ((16, 8, 2), (3, 4)), ((4, 2, 3), (2,)))
]


def name(net):
    return f"{net.kind}{net.shape}{'normalized' * net.normalized}"


def drawn(net, seed=0, samples=5):
    rng = np.random.default_rng(seed)
    theta = {key: w + 0.1 * rng.standard_normal(w.shape) for key, w in net.initial(rng.standard_normal).items()}
    return theta, rng.standard_normal((samples, *net.shape)), rng.integers(0, net.classes, samples)


def convolved(x, kernel, bias):
    """A 3 × 3 convolution with zeros around, by its definition."""
    n, H, W, C = x.shape
    out = np.zeros((n, H, W, len(bias))) + bias
    weights = kernel.reshape(3, 3, C, -1)
    for r, s, i, j in itertools.product(range(H), range(W), range(3), range(3)):
        if 0 <= r + i - 1 < H and 0 <= s + j - 1 < W:
            out[:, r, s] += x[:, r + i - 1, s + j - 1] @ weights[i, j]
    return out


def expected(net, theta, x):
    """The outputs, layer by layer in loops."""
    a, k = x, 0
    for width, _ in enumerate(net.widths):
        pair = min(net.shape[:2]) // 2**width >= 8
        for second in (False, True)[: 1 + pair]:
            k += 1
            z = convolved(a, theta[f"K{k}"], 0 * theta[f"b{k}"])
            if net.normalized:
                z = theta[f"s{k}"] * (z - z.mean((0, 1, 2))) / np.sqrt(z.var((0, 1, 2)) + 1e-5)
            z = z + theta[f"b{k}"] + (a if second and net.kind == "res" else 0)
            a = np.maximum(z, 0)
        n, H, W, C = a.shape
        a = a.reshape(n, H // 2, 2, W // 2, 2, C).mean((2, 4))
    return a.reshape(len(x), -1) @ theta["V"] + theta["c"]


@pytest.mark.parametrize("net", NETS, ids=name)
def test_outputs_are_those_of_plain_loops(net):
    theta, x, _ = drawn(net)
    assert_close(output(net, theta, x), expected(net, theta, x))


@pytest.mark.parametrize("net", NETS, ids=name)
def test_the_gradient_is_that_of_the_loss(net):
    theta, x, labels = drawn(net, 1)
    found, planted = (gradient(net, theta, x, labels, reversed=one) for one in (True, False))
    rng, tried, apart, h = np.random.default_rng(2), 0, 0.0, 1e-5
    assert list(found) == list(theta) == list(net.shapes)
    for key, values in theta.items():
        assert found[key].shape == values.shape == net.shapes[key]
        flat = values.reshape(-1)
        for k in map(int, rng.permutation(flat.size)[:12]):
            at, ends, patterns = flat[k], [], []
            for shift in (-h, h):
                flat[k] = at + shift
                ends.append(loss(net, theta, x, labels))
                patterns.append(pattern(net, theta, x))
            flat[k] = at
            if (patterns[0] == patterns[1]).all():
                tried += 1
                slope = (ends[1] - ends[0]) / (2 * h)
                assert_close(slope, found[key].reshape(-1)[k], "finite difference", scale=1, note=f"{key}[{k}]")
                apart = max(apart, abs(slope - planted[key].reshape(-1)[k]))
    assert tried > 15
    if len(net.convolutions) > 1:
        assert apart > 1e-3


def test_what_is_never_reversed_is_right_even_if_planted():
    """The last convolution's and the dense layer's gradients do not pass a kernel."""
    theta, x, labels = drawn(NETS[0])
    right, planted = (gradient(NETS[0], theta, x, labels, reversed=one) for one in (True, False))
    assert {key for key in right if np.array_equal(right[key], planted[key])} == {"K3", "b3", "V", "c"}


def test_columns_have_the_neighbours_side_by_side():
    x = np.arange(24.0).reshape(1, 3, 4, 2) + 1
    found = columns(x)
    assert found.shape == (1, 3, 4, 18)
    assert np.array_equal(found[..., 8:10], x)
    assert np.array_equal(found[0, 1, 1], x[0, :3, :3].reshape(-1))
    assert np.array_equal(found[0, 0, 0].reshape(3, 3, 2)[0], np.zeros((3, 2)))
    assert found[0, 2, 3].reshape(3, 3, 2)[:, 2].sum() == 0


@pytest.mark.parametrize("net", NETS, ids=name)
def test_it_runs_on_any_library_of_the_standard(net):
    theta, x, labels = drawn(net, 3)
    xp = array_api_strict
    there = {key: xp.asarray(w) for key, w in theta.items()}
    value, found, seen = slopes(net, there, xp.asarray(x), xp.asarray(labels))
    value_here, here, seen_here = slopes(net, theta, x, labels)
    assert_close(np.asarray(value), value_here)
    for key, one in here.items():
        assert_close(np.asarray(found[key]), one, note=key)
    assert list(seen) == list(seen_here)
    for key, one in seen_here.items():
        assert_close(np.asarray(seen[key]), one, note=key)
    assert_close(np.asarray(output(net, there, xp.asarray(x))), output(net, theta, x))
    assert (np.asarray(pattern(net, there, xp.asarray(x))) == pattern(net, theta, x)).all()
    start = net.initial(lambda shape: xp.asarray(np.ones(shape), dtype=xp.float32))
    assert {w.dtype for w in start.values()} == {xp.float32}


def test_single_precision_stays_single():
    for net in NETS:
        theta, x, labels = drawn(net)
        theta = {key: w.astype(np.float32) for key, w in theta.items()}
        value, found, seen = slopes(net, theta, x.astype(np.float32), labels.astype(np.uint8))
        assert {w.dtype for w in (*found.values(), *seen.values(), value)} == {np.dtype(np.float32)}


def test_the_specified_network_and_larger_ones():
    """conv conv pool conv pool on digits; three pairs on 32 × 32; a residual branch in every pair."""
    small = Architecture("vgg", (8, 8, 1), 10)
    assert small.shapes == {
        **{"K1": (9, 8), "b1": (8,), "K2": (72, 8), "b2": (8,), "K3": (72, 16), "b3": (16,)},
        **{"V": (64, 10), "c": (10,)},
    }
    large = Architecture("res", (32, 32, 3), 100, (16, 32, 64))
    assert [one.out for one in large.convolutions] == [16, 16, 32, 32, 64, 64]
    assert [one.skip for one in large.convolutions] == [one.pool for one in large.convolutions] == [False, True] * 3
    assert [one.height for one in large.convolutions] == [32, 32, 16, 16, 8, 8]
    assert large.shapes["V"] == (1024, 100)
    assert [one.skip for one in Architecture("res", (8, 8, 1), 10).convolutions] == [False, True, False]
    assert "s6" in Architecture("vgg", (32, 32, 3), 10, (16, 32, 64), True).shapes


def test_initial_weights_have_the_variances_of_the_text():
    net = Architecture("vgg", (16, 16, 3), 40, (64, 128), True)
    found = net.initial(np.random.default_rng(0).standard_normal)
    for key, w in found.items():
        if key[0] in "bc":
            assert not w.any()
        elif key[0] == "s":
            assert (w == 1).all()
        else:
            factor = 1 if key == "V" else 2
            spread = w.var() * w.shape[0] / factor
            assert abs(spread - 1) < 5 * (2 / w.size) ** 0.5, key


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("kind", ("mlp", (8, 8, 1), 10)),
        ("shape", ("vgg", (8, 8), 10)),
        ("shape", ("vgg", (8, 6, 1), 10)),
        ("shape", ("vgg", (0, 8, 1), 10)),
        ("classes", ("vgg", (8, 8, 1), 1)),
        ("widths", ("vgg", (8, 8, 1), 10, ())),
        ("widths", ("vgg", (8, 8, 1), 10, (8, 0))),
    ],
)
def test_what_is_no_architecture_is_refused(field, arguments):
    with pytest.raises(InputError, match=field):
        Architecture(*arguments)


# --- cross-entropy --------------------------------------------------------------------------------------------------


def test_the_loss_is_the_cross_entropy_however_large_the_outputs():
    net = Architecture("vgg", (2, 2, 1), 3, (1,))
    theta = {key: 0 * w for key, w in drawn(net)[0].items()}
    x, labels = np.zeros((2, 2, 2, 1)), np.array([0, 2])
    assert_close(loss(net, theta, x, labels), np.log(3))
    theta["c"] = np.array([1000.0, 0.0, -1000.0])
    assert_close(loss(net, theta, x, labels), 1000.0)
    assert_close(gradient(net, theta, x, labels)["c"], np.array([0.5, 0.0, -0.5]))


def test_the_outputs_gradient_sums_to_nothing():
    for net in NETS:
        assert_close(gradient(net, *drawn(net, 4))["c"].sum(), 0.0, scale=1)


# --- normalization --------------------------------------------------------------------------------------------------


def test_its_backward_formula_by_complex_steps():
    """Every entry of ∂L/∂z, ∂L/∂s and ∂L/∂b for L = Σ d o, where no difference is taken."""
    rng = np.random.default_rng(5)
    z, d = rng.standard_normal((2, 6, 3))
    scale, shift = rng.standard_normal((2, 3))

    def total(z, scale, shift):
        centred = z - z.sum(0) / len(z)
        return (d * (scale * centred / ((centred**2).sum(0) / len(z) + normalization.EPSILON) ** 0.5 + shift)).sum()

    mean, variance = normalization.moments(z)
    found = normalization.back(d, normalization.normalized(z, mean, variance), scale, variance)
    given = z, scale, shift
    for k, slopes_ in enumerate(found):
        for at in np.ndindex(*given[k].shape):
            moved = [value.astype(complex) for value in given]
            moved[k][at] += 1e-30j
            assert_close(total(*moved).imag / 1e-30, slopes_[at], "complex step", scale=10)


def test_a_shift_or_a_scale_of_what_is_normalized_changes_nothing_further():
    rng = np.random.default_rng(6)
    z, d, scale = rng.standard_normal((4, 2, 2, 3)), rng.standard_normal((4, 2, 2, 3)), rng.standard_normal(3)
    mean, variance = normalization.moments(z)
    u = normalization.normalized(z, mean, variance)
    back = normalization.back(d, u, scale, variance)[0]
    assert_close(back.sum((0, 1, 2)), np.zeros(3), scale=10)
    assert (np.abs((back * u).sum((0, 1, 2))) < 10 * normalization.EPSILON * np.abs(d).sum()).all()


def test_running_averages_start_at_the_first_batch_and_keep_nine_tenths():
    one, other = {"mean1": np.array([1.0])}, {"mean1": np.array([2.0])}
    first = normalization.running(None, one)
    assert first == one
    assert_close(normalization.running(first, other)["mean1"], np.array([1.1]))


def test_an_evaluation_takes_the_statistics_it_is_given():
    net = NETS[3]
    assert net.normalized
    theta, x, labels = drawn(net)
    seen = slopes(net, theta, x, labels)[2]
    assert_close(output(net, theta, x, seen), output(net, theta, x))
    assert_close(output(net, theta, x[:1], seen), output(net, theta, x)[:1])
    assert np.abs(output(net, theta, x[:1]) - output(net, theta, x)[:1]).max() > 1e-3
