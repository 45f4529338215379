"""What a study found: as expected only if every claim was judged."""

import dataclasses
import sys

import pytest
import xarray as xr

from lemmascope.sims.pictures import Picture
from lemmascope.sims.run.carry import run_study
from lemmascope.sims.study import Experiment, Study, option
from lemmascope.theory.claim import Claim, Control, Evidence, Measurement
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Kind, Status


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of one number."""

    x: float = option(1.0, "The number.")


def claim(id="one.positive", about="any", **rest):
    return Claim(
        id=id,
        statement="$x > 0$",
        plain="x > 0",
        kind=Kind.BOUND,
        source="user",
        measure=lambda evidence, lower=0.0: Measurement(float(evidence["x"]), lower=lower),
        about=about,
        control=Control("a bound far off", constants={"lower": 100.0}),
        **rest,
    )


def study(*claims, evidence=lambda s, data: [Evidence(data["one"], "x", role="number")], **rest):
    return Study(
        name="one",
        subject="",
        message="One number.",
        settings=Settings,
        experiments={"one": Experiment(lambda s: {}, lambda task: xr.Dataset({"x": task.settings.x}))},
        evidence=evidence,
        claims=claims,
        **rest,
    )


def test_a_claim_that_concerns_nothing_is_not_as_expected():
    result = run_study(study(claim(), claim("one.other", about="nubmer")))
    assert [v.claim for v in result.verdicts] == ["one.positive"]
    assert result.unjudged == ("one.other",)
    assert not result.as_expected
    assert run_study(study(claim(), claim("one.other", about="number"))).as_expected


def test_where_a_study_has_no_evidence_on_purpose_nothing_is_missing():
    result = run_study(study(claim(), evidence=lambda s, data: []))
    assert (result.unjudged, result.verdicts, result.as_expected) == ((), (), True)


def test_what_is_expected_may_depend_on_the_settings():
    def expected(settings):
        return {"one.positive": Status.REFUTED} if settings.x < 0 else {}

    one = study(claim(), expected=expected)
    assert run_study(one, Settings(2.0)).as_expected
    negative = run_study(one, Settings(-2.0))
    assert negative.verdicts[0].status is Status.REFUTED
    assert negative.as_expected


# --- what users do -------------------------------------------------------------------------------------------------


def test_a_picture_that_fails_loses_no_verdict(tmp_path):
    def broken(result):
        raise ZeroDivisionError("no such axis")

    said = []
    one = study(claim(), pictures=lambda: [Picture("broken", broken, lambda result: "Nothing.")])
    result = run_study(one, out=tmp_path / "out", notice=said.append)
    assert result.as_expected
    assert any("ZeroDivisionError" in sentence and "--resume draws it" in sentence for sentence in said)
    assert (tmp_path / "out" / "verdicts.json").exists()
    with pytest.warns(UserWarning, match="a picture failed"):
        run_study(one, out=tmp_path / "other")


def test_sys_exit_in_a_task_is_an_error_of_that_task():
    def leaves(task):
        sys.exit(3)

    one = dataclasses.replace(study(claim()), experiments={"one": Experiment(lambda s: {"n": [1]}, leaves)})
    with pytest.raises(RuntimeError, match=r"sys\.exit") as caught:
        run_study(one)
    assert caught.value.__notes__ == ["in the task one n=1"]


@pytest.mark.parametrize(
    "axes",
    [{"n": range(10**20)}, {"n": range(10**7)}, {"a": range(1100), "b": range(1100)}],
    ids=["huge", "long", "wide"],
)
def test_more_parts_than_anybody_has_are_refused(axes):
    one = dataclasses.replace(study(claim()), experiments={"one": Experiment(lambda s: axes, lambda task: None)})
    with pytest.raises(InputError, match="1000000"):
        run_study(one)


@dataclasses.dataclass(frozen=True)
class Bare:
    """A field without a default."""

    x: float


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": Bare}, r"settings = \['x'\].*needs a default"),
        ({"settings": Settings()}, "the class itself"),
        ({"settings": dict}, "a dataclass"),
        ({"pictures": [1]}, "a function that returns them"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        dataclasses.replace(study(claim()), **changes)


def test_no_evidence_at_all_is_said():
    with pytest.raises(InputError, match="evidence = 'NoneType'"):
        run_study(study(claim(), evidence=lambda s, data: None))
