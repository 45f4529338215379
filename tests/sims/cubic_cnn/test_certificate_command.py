"""The command that holds one seed's radius against its exact trajectory: what it says, and that it would say no."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances, optimizers

from lemmascope.sims.cubic_cnn.certificate import __main__ as command
from lemmascope.sims.cubic_cnn.certificate import checked
from lemmascope.sims.cubic_cnn.certificate.checked import Look, check
from lemmascope.sims.cubic_cnn.problems import Drawn, LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Every
from lemmascope.sims.seeds import streams
from lemmascope.sims.studies import headline
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage

LAW = command.SIZES["small"][0]
few = settings(max_examples=max(4, settings.default.max_examples // 12), deadline=None)
SHORT = ["--iterations", "12", "--looks", "4"]


@pytest.mark.parametrize("more", [[], ["--weights"], ["--lam", "0.05", "--seed", "3"]], ids=" ".join)
def test_it_says_that_all_is_within_the_radius(more, capsys):
    assert command.main([*SHORT, *more]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "distance ≤ radius at every one of 15 iterations looked at"
    assert "OUTSIDE" not in said


def test_a_wrong_trajectory_has_exit_status_1(monkeypatch, capsys):
    """Loops whose data are rounded to single precision."""
    kernel = checked._kernel

    def rounded(problem, start):
        found = kernel(problem, start)
        advance = found.advance

        def wrong(*arguments):
            states = advance(*arguments)
            states.theta[...] = states.theta.astype(np.float32)
            return states

        found.advance = wrong
        return found

    monkeypatch.setattr(checked, "_kernel", rounded)
    assert command.main(SHORT) == 1
    said = capsys.readouterr().out
    assert "OUTSIDE" in said
    assert said.splitlines()[-1].startswith("NOT within the radius: 12;")


def test_balls_that_are_too_wide_tell_nothing(capsys):
    assert command.main([*SHORT, "--bits", "40"]) == 1
    said = capsys.readouterr().out
    assert "more --bits" in said
    assert said.splitlines()[-1].startswith("NOT within the radius: 0;")


def test_what_it_does_not_accept_has_exit_status_2(capsys):
    assert command.main(["--looks", "1"]) == 2
    assert "log_points" in capsys.readouterr().err
    for wrong in (["--size", "huge"], ["--seed", "x"]):
        with pytest.raises(SystemExit) as ended:
            command.main(wrong)
        assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(flag in said for flag in ("--seed", "--size", "--iterations", "--bits"))


def test_its_laws_optimizers_and_draws_are_those_of_the_study():
    usual = headline.Settings()
    assert command.SIZES["quick"][0] == headline.SMALL
    assert command.SIZES["headline"][0] == usual.parameters
    assert headline.STUDY.name == command.STUDY
    expected = {"GD": GD(usual.eta), "GD+M": MomentumAverage(usual.eta, usual.gamma)}
    assert command._optimizers("headline") == expected


def test_its_radius_is_that_of_a_certified_run():
    """Up to the order in which several threads of a BLAS sum."""
    optimizers, times = command._optimizers("small"), [0, 10, 20, 30]
    run = simulate(
        LAW,
        optimizers,
        iterations=30,
        first_seed=2,
        study="headline",
        certify=True,
        record=Every(10),
        backend="compiled",
    )
    assert run.attrs["representation"] == "coefficients"
    for look in check(LawProblem(LAW).draw(streams(0, "headline", 2)), optimizers, times):
        expected = float(run.radius.sel(seed=2, optimizer=look.label, iteration=look.iteration))
        assert abs(look.radius - expected) <= 1e-9 * expected


def test_a_look_is_inside_outside_or_neither():
    inside, outside, neither = (Look("x", 1, 1.0, low, high) for low, high in ((0.1, 1.0), (1.1, 1.2), (0.9, 1.1)))
    assert (inside.inside, inside.outside) == (True, False)
    assert (outside.inside, outside.outside) == (False, True)
    assert (neither.inside, neither.outside) == (False, False)


def test_the_exact_law_has_no_weights():
    drawn = LawProblem(LAW, "exact").draw(streams(0, "headline", 0))
    with pytest.raises(InputError, match=r"samples in R\^d"):
        list(check(drawn, {"GD": GD(0.1)}, [1]))


@few
@given(instances(), optimizers(), optimizers(), st.booleans(), st.integers(1, 25))
def test_the_compiled_loops_on_any_configuration(instance, one, other, in_weights, last):
    """Two optimizers at once; at weights so large that a run diverges the radius is infinite."""
    p, sample, W = instance
    times = sorted({last // 2, last})
    for look in check(Drawn(sample, W), {"one": one, "other": other}, times, lam=p.lam, in_weights=in_weights):
        assert look.inside or math.isinf(look.radius) or math.isnan(look.high), look
