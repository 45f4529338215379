"""Other people's optimizers: each keeps the convention that it documents, and the known differences are found.

scikit-learn comes with the test extra; PyTorch and optax with `make test-peers`, where a skip here is a failure.
"""

import math

import pytest

from lemmascope.proofs_check.conformance import IDENTITIES, Mark, assert_momentum_identities, conventions_of, seek
from lemmascope.proofs_check.conformance.assertion import names_of
from lemmascope.proofs_check.conformance.known import LIBRARIES, installed, optimizers, subjects
from lemmascope.proofs_check.conformance.trial import Budget, Trial

EXAMPLES = 25
DEPARTS = {"optax.ema, debias": {"momentum_schedule[corrected]"}}
"""Where the decay changes, optax corrects by a power of the present one, and not by the product of all."""


def library(name):
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    return {subject.name: subject for subject in subjects(name)}


@pytest.mark.parametrize("name", sorted(set(LIBRARIES) - {"own", "functions"}))
def test_each_keeps_the_convention_that_it_documents(name):
    """The forms of momentum; what else an optimizer may be is tested with the Adam family."""
    library(name)
    for known in optimizers(name):
        subject = known.subject
        if subject.convention is None:
            continue
        trial = Trial(subject, Budget(math.inf))
        findings = {one: seek(IDENTITIES[one], trial, examples=EXAMPLES) for one in names_of(subject.convention)}
        wrong = {one for one, finding in findings.items() if finding.mark in (Mark.FAILS, Mark.UNTRIED)}
        assert wrong - set(known.departs) == DEPARTS.get(subject.name, set()) - set(known.departs)
        assert conventions_of(trial, examples=EXAMPLES) == (() if wrong else (subject.convention,))


def test_pytorch_has_its_rate_outside_and_scikit_learn_inside():
    sklearn = library("scikit-learn")["sklearn SGD"]
    torch = library("torch")["torch.optim.SGD"]
    marks = {
        (who.library, name): seek(IDENTITIES[name], who, examples=EXAMPLES).mark
        for who in (sklearn, torch)
        for name in ("schedule[inside]", "schedule[outside]")
    }
    assert marks["scikit-learn", "schedule[inside]"] is marks["torch", "schedule[outside]"] is Mark.HOLDS
    assert marks["scikit-learn", "schedule[outside]"] is marks["torch", "schedule[inside]"] is Mark.FAILS


def test_dampening_in_pytorch_is_not_an_average_at_the_first_step():
    sgd = library("torch")["torch.optim.SGD"]
    found = seek(IDENTITIES["dampening[average]"], sgd)
    assert found.mark is Mark.FAILS
    assert len(found.case.gradients) == 1
    assert found.case.dampening == found.case.gamma
    assert seek(IDENTITIES["dampening[after_first]"], sgd, examples=EXAMPLES).mark is Mark.HOLDS


def test_weight_decay_is_coupled_in_sgd_and_decoupled_in_adamw():
    found = library("torch")
    decays = {
        (name, kind): seek(IDENTITIES[f"weight_decay[{kind}]"], found[name], examples=EXAMPLES).mark
        for name in ("torch.optim.SGD", "torch.optim.AdamW")
        for kind in ("coupled", "decoupled")
    }
    assert decays == {
        ("torch.optim.SGD", "coupled"): Mark.HOLDS,
        ("torch.optim.SGD", "decoupled"): Mark.FAILS,
        ("torch.optim.AdamW", "coupled"): Mark.FAILS,
        ("torch.optim.AdamW", "decoupled"): Mark.HOLDS,
    }
    assert seek(IDENTITIES["linear"], found["torch.optim.AdamW"], examples=EXAMPLES).mark is Mark.FAILS
    assert seek(IDENTITIES["scale"], found["torch.optim.AdamW"], examples=EXAMPLES).mark is Mark.FAILS


def test_optax_averages_with_and_without_bias_correction():
    found = library("optax")
    bias = {
        name: seek(IDENTITIES["constant_gradient[corrected]"], found[name], examples=EXAMPLES).mark
        for name in ("optax.ema", "optax.ema, debias")
    }
    assert bias == {"optax.ema": Mark.FAILS, "optax.ema, debias": Mark.HOLDS}


def test_an_optimizer_of_a_users_own_in_pytorch():
    """Three lines; its momentum is PyTorch's, its learning rate is inside."""
    library("torch")
    import torch

    class Mine(torch.optim.Optimizer):
        def __init__(self, params, lr, momentum):
            super().__init__(params, {"lr": lr, "momentum": momentum})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    buffer = self.state[p].setdefault("buffer", torch.zeros_like(p))
                    p.sub_(buffer.mul_(group["momentum"]).add_(p.grad, alpha=group["lr"]))

    assert_momentum_identities(Mine, convention="velocity", examples=EXAMPLES)
    with pytest.raises(AssertionError, match=r"schedule\[outside\] fails for Mine .*[\s\S]*satisfies 'velocity'"):
        assert_momentum_identities(Mine, convention="pytorch", examples=EXAMPLES)


def test_a_class_and_a_partial_are_given_as_they_are():
    library("torch")
    import functools

    import torch

    for make, convention in (
        (torch.optim.SGD, "pytorch"),
        (functools.partial(torch.optim.SGD, nesterov=True), "nesterov_pytorch"),
    ):
        found = assert_momentum_identities(make, convention=convention, weight_decay="coupled", examples=10)
        assert {f.mark for f in found} <= {Mark.HOLDS, Mark.NOT_APPLICABLE}
        assert sum(f.mark is Mark.HOLDS for f in found) >= 11


def test_a_gradient_kept_by_reference_is_found_in_pytorch():
    library("torch")
    import torch

    class Keeping(torch.optim.Optimizer):
        def __init__(self, params, lr, momentum):
            super().__init__(params, {"lr": lr, "momentum": momentum})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    last = self.state[p].get("last")
                    u = p.grad if last is None else group["momentum"] * last + p.grad
                    self.state[p]["last"] = u
                    p.sub_(u, alpha=group["lr"])

    with pytest.raises(AssertionError, match="inputs_untouched fails for Keeping"):
        assert_momentum_identities(Keeping, convention="pytorch", examples=EXAMPLES)
