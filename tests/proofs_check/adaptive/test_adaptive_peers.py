"""Other people's optimizers of the Adam family: what each is, and where libraries differ, is found.

scikit-learn comes with the test extra; the others with `make test-peers`, where a skip here is a failure.
"""

from dataclasses import replace

import pytest
from tolerances import assert_close

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.adaptive.case import matrices
from lemmascope.proofs_check.conformance.adaptive.known import shown
from lemmascope.proofs_check.conformance.adaptive.settings import Settings
from lemmascope.proofs_check.conformance.adaptive.table import as_json, differences, examine
from lemmascope.proofs_check.conformance.adaptive.which import which
from lemmascope.proofs_check.conformance.known import installed
from lemmascope.theory.optimizers import SGDP, AdamP

EXAMPLES = 20
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
"""Of Keras's variables, when NumPy reads them."""


def optimizer(library, name):
    """One of those that the page shows."""
    if not installed(library):
        pytest.skip(f"{library} is not installed")
    (one,) = (one for one in shown(library) if one.subject.name == name)
    return one


FOUND = {
    ("scikit-learn", "sklearn.AdamOptimizer"): "Adam, but (√v + ε)/√(1−β₂ᵗ)",
    ("torch", "torch.optim.SGD"): "momentum 'pytorch' with coupled decay",
    ("torch", "torch.optim.Adam"): "Adam with coupled decay",
    ("torch", "torch.optim.AdamW"): "AdamW",
    ("torch", "torch.optim.Adam, amsgrad"): "AMSGrad with coupled decay",
    ("torch", "torch.optim.RAdam"): "RAdam with coupled decay, but (√v + ε)/√(1−β₂ᵗ)",
    ("torch", "torch.optim.Adamax"): "Adamax with coupled decay",
    (
        "torch",
        "torch.optim.RMSprop",
    ): "RMSprop with coupled decay, but momentum of steps, the rate outside: b ← γb + u, θ ← θ − ηb",
    ("optax", "optax.adam"): "Adam",
    ("optax", "optax.adamw"): "AdamW",
    ("optax", "optax.amsgrad"): "AMSGrad, but the largest v/(1−β₂ᵗ) so far is used",
    ("optax", "optax.nadam"): "NAdam without a schedule",
    ("optax", "optax.radam"): "RAdam",
    ("optax", "optax.lion"): "Lion with decoupled decay",
    ("optax", "optax.contrib.schedule_free_sgd"): (
        "schedule-free SGD, but schedule-free's weights are of ηₜ₊₁, one step ahead"
    ),
    ("keras", "keras.Adam"): "AdamW, but (√v + ε)/√(1−β₂ᵗ)",
    ("keras", "keras.Adamax"): "Adamax with decoupled decay, but v + ε",
    ("keras", "keras.Nadam"): "NAdamW, but Dozat's look-ahead with momenta μₜ, ψ = 1",
    ("torch-optimizer", "torch_optimizer.AdamP"): "AdamW, of vectors",
    ("pytorch-optimizer", "pytorch_optimizer.AdamP"): "AdamW, but (√v + ε)/√(1−β₂ᵗ), of vectors",
    ("schedulefree", "schedulefree.SGDScheduleFree"): "schedule-free SGD with decoupled decay",
    ("schedulefree", "schedulefree.AdamWScheduleFree"): "schedule-free AdamW with decoupled decay",
}


@pytest.mark.parametrize(("library", "name"), FOUND, ids=lambda text: text)
def test_each_is_found_to_be_one_algorithm(library, name):
    found = which(optimizer(library, name).subject, examples=EXAMPLES)
    assert found.names == (FOUND[library, name],)
    assert found.dtype == "float64"


def test_rmsprop_has_its_epsilon_outside_in_pytorch_and_inside_in_optax():
    both = [optimizer("torch", "torch.optim.RMSprop"), optimizer("optax", "optax.rmsprop")]
    found = as_json(examine(both, examples=EXAMPLES))
    apart = {axis: by for _, axis, by in differences(found)}
    assert apart["epsilon"] == {"√v̂ + ε": ["torch.optim.RMSprop"], "√(v̂ + ε)": ["optax.rmsprop"]}
    assert [words.split(":")[0] for words in apart["outer"]] == [
        "momentum of steps, the rate outside",
        "momentum of steps, the rate inside",
    ]


def test_nadam_of_pytorch_keeps_a_product_in_single_precision():
    found = which(optimizer("torch", "torch.optim.NAdam").subject, examples=EXAMPLES)
    assert found.names == ("NAdam with coupled decay",)
    assert found.dtype == "float32"


def test_decay_of_adamw_is_scaled_by_the_rate_in_pytorch():
    found = which(optimizer("torch", "torch.optim.AdamW").subject, examples=EXAMPLES)
    struck = {one.what for one in found.excluded if one.axis == "decay"}
    assert "θ ← (1−λ)θ beside the step, without η" in struck
    assert "λθ is added to the gradient" in struck


def both(kind, **changes):
    """Our iterates and those of the authors' code as torch_optimizer has it, on matrices, with decay."""
    theirs = optimizer("torch-optimizer", f"torch_optimizer.{kind.__name__}").subject
    for case in matrices("float64", (("weight_decay", 0.25),)):
        case = replace(case, **changes)
        yield [Settings(subject).trajectory(case) for subject in (Subject(kind, library="numpy"), theirs)]


def test_adamp_on_matrices_is_the_authors_code():
    for ours, theirs in both(AdamP):
        assert_close(ours, theirs, scale=10)


def test_sgdp_on_matrices_is_the_authors_code_until_its_buffer_is_used_again():
    """There the projected step is written into the buffer, which the paper's algorithm leaves as it is."""
    apart = []
    for ours, theirs in both(SGDP, epsilon=1e-8):
        assert_close(ours[:3], theirs[:3], scale=10)
        apart.append(abs(ours[3] - theirs[3]).max())
    assert max(apart) > 0.1
