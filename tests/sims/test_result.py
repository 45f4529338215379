"""What a study found: as expected only if every claim was judged."""

import dataclasses

import xarray as xr

from lemmascope.sims.run.carry import run_study
from lemmascope.sims.study import Experiment, Study, option
from lemmascope.theory.claim import Claim, Control, Evidence, Measurement
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
