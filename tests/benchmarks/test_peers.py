"""Every peer computes the trajectories of the reference, GD and GD+M, one seed and several."""

import dataclasses
import warnings

import pytest

from lemmascope.benchmarks import libraries
from lemmascope.benchmarks.cubic_cnn.jax_scan import JAX_PEERS
from lemmascope.benchmarks.cubic_cnn.own import Reference
from lemmascope.benchmarks.cubic_cnn.pytorch import PYTORCH_PEERS, Torch
from lemmascope.benchmarks.cubic_cnn.work import LAYOUTS, RECORDED
from lemmascope.benchmarks.libraries import LIBRARIES, fastest
from lemmascope.benchmarks.measure import compare
from lemmascope.benchmarks.protocol import TOLERANCE

PEERS = (*PYTORCH_PEERS, *JAX_PEERS)
# Compiling takes seconds a piece; what it compiles is the same function in every one of them.
QUICK = [peer for peer in PEERS if "torch.compile" not in peer.name]


def test_every_peer_has_a_plain_and_a_tuned_form():
    names = {peer.name for peer in PEERS}
    assert len(names) == len(PEERS) == 12
    assert all(f"{name} (tuned)" in names for name in names if "tuned" not in name)
    assert {peer.library for peer in PEERS} == set(LIBRARIES)


@pytest.mark.parametrize("several", [False, True], ids=["one seed", "three seeds, two cells"])
@pytest.mark.parametrize("peer", QUICK, ids=lambda peer: peer.name)
def test_a_peer_agrees_with_the_reference(peer, several, tiny):
    if (absent := peer.available()) is not None:
        pytest.skip(absent)
    work = tiny if several else dataclasses.replace(tiny, seeds=1, cells=tiny.cells[1:])
    inputs = work.draw()
    expected = Reference().prepare(inputs)(work.iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # another library's warnings are its own
        run = peer.prepare(inputs)
        found = run(work.iterations)
    assert bool(run.chosen) == peer.tuned
    difference, quantity = compare(found, expected, RECORDED)
    assert difference <= TOLERANCE, quantity


@pytest.mark.parametrize("unrolled", [1, 8])
def test_compiled_code_agrees_with_the_reference(unrolled, tiny, drawn):
    peer = Torch("compile", unrolled=unrolled)
    if (absent := peer.available()) is not None:
        pytest.skip(absent)
    iterations = 13  # no whole number of blocks
    expected = Reference().prepare(drawn)(iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = peer.prepare(drawn)(iterations)
    assert compare(found, expected, RECORDED)[0] <= TOLERANCE


@pytest.mark.parametrize("separated", [False, True], ids=["all patches", "signal apart"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_layouts_have_one_gradient(layout, separated, drawn):
    """The gradient by hand is that of autograd."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from lemmascope.benchmarks.cubic_cnn.torch_network import Network

    network = Network(drawn, layout, separated)
    V = network.W_0.clone().requires_grad_()
    z, c = network.responses(V)
    margins = network.margins(z, z * z, c, c * c)
    network.losses(margins).sum().backward()
    with torch.no_grad():
        by_hand = network.gradient(z * z, torch.sigmoid(-margins), c * c)
    assert float((by_hand - V.grad).abs().max()) <= 1e-12 * float(V.grad.abs().max())


def test_the_fastest_variant_is_chosen_after_all_were_compiled(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(libraries.time, "perf_counter", lambda: now[0])

    def variant(first, later):
        calls = []

        def run(iterations):
            now[0] += later if calls else first
            calls.append(iterations)

        return run

    variants = {"quick to compile": variant(0.1, 0.2), "quick": variant(9.0, 0.1), "slow": variant(0.1, 0.3)}
    assert fastest(variants) == "quick"
    assert fastest({"only": variant(1.0, 1.0)}) == "only"
