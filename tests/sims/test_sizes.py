"""What a study of some size would run: how long, in what memory, and which claims it could decide, before it runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from lemmascope.sims import registry
from lemmascope.sims.sizes import few_seeds, forecast, spell_seconds, undecided
from lemmascope.sims.study import Experiment, Study, option, settings_of
from lemmascope.theory.claim import Claim, Measurement
from lemmascope.theory.order import exponent_claim
from lemmascope.theory.verdict import Kind, clopper_pearson


@dataclass(frozen=True)
class Settings:
    """Of seeds."""

    seeds: int = option(8, "Draws.", tiny=2)
    sizes: tuple[int, ...] = option((1, 2), "Sizes.")


def claim(id="one.most", probability=0.5):
    says = {"statement": "$x$", "plain": "x", "kind": Kind.BOUND, "source": "user"}
    return Claim(id=id, measure=lambda evidence: Measurement(evidence["x"], lower=0), probability=probability, **says)


def study(*claims, axes=lambda s: {"seed": range(s.seeds), "size": s.sizes}, **rest):
    experiment = Experiment(axes, lambda task: pytest.fail("computed"), **rest.pop("experiment", {}))
    return Study("one", "", "One.", Settings, {"one": experiment}, lambda s, data: [], claims, **rest)


# --- seeds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "least"), [(0.5, 5), (0.0, 1), (0.06, 2), (0.549, 5), (0.55, 6), (0.9, 29), (0.99, 299)]
)
def test_the_fewest_seeds_are_those_of_clopper_and_pearson(probability, least):
    assert few_seeds(claim(probability=probability)) == least
    assert clopper_pearson(least, least)[0] > probability
    assert least == 1 or clopper_pearson(least - 1, least - 1)[0] <= probability


def test_what_is_certain_takes_one_seed_and_an_exponent_what_its_interval_takes():
    assert few_seeds(claim(probability=None)) == 1
    assert few_seeds(exponent_claim("one.exponent", "x", 0.5)) == 15


@pytest.mark.parametrize(
    ("axes", "seeds"),
    [
        (lambda s: {"seed": range(s.seeds)}, 4),
        (lambda s: {"seed": [range(0, 2), range(2, 4)]}, 4),
        (lambda s: {"seed": [(0, 1), 2, 5]}, 4),
        (lambda s: {"seed": [7, 8]}, 2),
    ],
    ids=["range", "ranges", "mixed", "list"],
)
def test_too_few_seeds_are_known_before(axes, seeds):
    every = [claim(), claim("one.rare", 0.0), exponent_claim("one.exponent", "x", 0.5)]
    found = undecided(study(*every, axes=axes), Settings(seeds=4))
    assert found == {
        "one.most": f"{seeds} seeds are too few, --seeds 5 decides",
        "one.exponent": f"{seeds} seeds are too few, --seeds 15 decides",
    }


def test_enough_seeds_and_experiments_without_them_leave_nothing_open():
    assert undecided(study(claim()), Settings(seeds=5)) == {}
    assert undecided(study(claim(), axes=lambda s: {"size": s.sizes}), Settings(seeds=1)) == {}
    unasked = study(claim(), experiment={"when": lambda s: False})
    assert undecided(unasked, Settings(seeds=1)) == {}


def test_the_study_says_the_rest_and_goes_first():
    one = study(claim(), claim("one.other", None), undecided=lambda s: {"one.other": "x", "one.most": "y"})
    both = "y; 1 seed is too few, --seeds 5 decides"
    assert undecided(one, Settings(seeds=1)) == {"one.other": "x", "one.most": both}
    assert forecast(one, Settings(seeds=1)).left_open == [
        "Not decided at this size: one.other: x.",
        f"Not decided at this size: one.most: {both}.",
    ]


# --- time and bytes ------------------------------------------------------------------------------------------------


def test_the_time_is_that_of_the_default_in_proportion():
    one = study(claim(), seconds=40.0, experiment={"cost": lambda s, at: at["size"]})
    assert forecast(one, Settings()).seconds == pytest.approx(40.0)
    assert forecast(one, Settings(seeds=4)).seconds == pytest.approx(20.0)
    assert forecast(one, Settings(sizes=(1, 2, 27))).seconds == pytest.approx(400.0)
    assert forecast(study(claim()), Settings()).seconds is None


def test_bytes_are_those_of_the_largest_task_and_of_all_parts():
    one = study(claim(), experiment={"needs": lambda s, at: (1000.0 * at["size"], 10.0)})
    found = forecast(one, Settings())
    assert (found.memory, found.disc, found.count) == (2000.0, 160.0, 16)
    two = dataclasses.replace(
        one, experiments=one.experiments | study(claim()).experiments | {"more": Experiment(lambda s: {}, print)}
    )
    assert (forecast(two, Settings()).memory, forecast(two, Settings()).disc) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (20, "20 s"), (240, "4 min"), (11160, "3.1 h"), (10**6, "12 days"), (10**12, "3.17e+04 years")],
)
def test_times_are_spelled(seconds, text):
    assert spell_seconds(seconds) == text


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("size", ["tiny", "quick", "default", "full"])
def test_every_study_is_foreseen_at_each_size(name, size):
    """None of the house's sizes is one that must be confirmed, and the default decides everything."""
    one = registry.study(name)
    found = forecast(one, settings_of(one.settings, size))
    assert 0 <= found.seconds < 3 * 3600
    assert 0 < found.memory < 2**28
    assert 0 < found.disc < 2**26
    if size in ("default", "full"):
        assert found.undecided == {}
        assert found.seconds == pytest.approx(one.seconds) or size == "full"
