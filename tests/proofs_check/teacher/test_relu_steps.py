"""The steps about ReLU networks: proved, and refuted once changed."""

import pytest

from lemmascope.proofs_check.step import settle
from lemmascope.proofs_check.steps.teacher import relu
from lemmascope.theory.verdict import Status


@pytest.mark.parametrize("step", relu.CHAPTER.steps, ids=lambda step: step.id)
def test_each_step_is_proved_and_its_planted_errors_refuted(step):
    found = settle(step)
    assert found.status is Status.PROVED, found.reason
    assert found.as_expected


@pytest.mark.parametrize("bias", [2, -1])
def test_another_share_of_the_bias_is_refuted(bias):
    assert relu.prove_balance(bias=bias).status is Status.REFUTED
