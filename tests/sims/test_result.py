"""What a study found: as expected only if every claim was judged."""

import dataclasses
import json
import sys

import pytest
import xarray as xr

from lemmascope.sims.pictures import Picture
from lemmascope.sims.run.carry import judge_again, run_study
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


def test_no_evidence_is_as_expected_only_where_the_study_says_so_before():
    result = run_study(study(claim(), evidence=lambda s, data: []))
    assert (result.unjudged, result.verdicts, result.as_expected) == (("one.positive",), (), False)
    on_purpose = study(claim(), evidence=lambda s, data: [], undecided=lambda s: {"one.positive": "nothing is claimed"})
    result = run_study(on_purpose)
    assert (result.unjudged, result.verdicts, result.as_expected) == ((), (), True)


def test_what_sizes_cannot_decide_is_inconclusive_as_expected_and_judged_so_again(tmp_path):
    one = study(claim(), claim("one.other"), undecided=lambda s: {"one.other": "x is small"} if s.x < 9 else {})
    result = run_study(one, out=tmp_path / "out")
    assert [v.status for v in result.verdicts] == [Status.HOLDS, Status.INCONCLUSIVE]
    assert result.as_expected
    assert judge_again(tmp_path / "out", one).verdicts == result.verdicts
    assert [v.status for v in run_study(one, Settings(10.0)).verdicts] == [Status.HOLDS, Status.HOLDS]


@pytest.mark.parametrize("what", ["expected", "undecided"])
def test_claims_that_are_none_of_the_studys_are_refused_before_anything_is_computed(what):
    one = study(claim(), **{what: lambda s: {"one.postive": Status.HOLDS}})
    never = Experiment(lambda s: {}, lambda task: pytest.fail("computed"))
    with pytest.raises(InputError, match=rf"{what} = 'one.postive' .* claims are one.positive"):
        run_study(dataclasses.replace(one, experiments={"one": never}))


def test_what_is_expected_may_depend_on_the_settings():
    def expected(settings):
        return {"one.positive": Status.REFUTED} if settings.x < 0 else {}

    one = study(claim(), expected=expected)
    assert run_study(one, Settings(2.0)).as_expected
    negative = run_study(one, Settings(-2.0))
    assert negative.verdicts[0].status is Status.REFUTED
    assert negative.as_expected


def test_numbers_are_of_the_first_type_that_the_study_has():
    kinds = {"one": Experiment(lambda s: {}, lambda task: xr.Dataset({"x": 1.0, "kind": task.dtype}))}
    one = dataclasses.replace(study(claim(), dtypes=("float32", "float64")), experiments=kinds)
    assert run_study(one).data["one"]["kind"] == "float32"
    assert run_study(one, dtype="float64").data["one"]["kind"] == "float64"
    with pytest.raises(InputError, match="float32, float64"):
        run_study(one, dtype="float16")


# --- what users do -------------------------------------------------------------------------------------------------


def breaks(*arguments, **constants):
    raise ZeroDivisionError("no such axis")


def leaves(*arguments):
    sys.exit(0)


def no_file(*arguments):
    raise FileNotFoundError("mine.csv")


PLACES = {
    "gather": lambda f: {"experiments": {"one": dataclasses.replace(study(claim()).experiments["one"], gather=f)}},
    "derive": lambda f: {"derive": f},
    "evidence": lambda f: {"evidence": f},
    "measure": lambda f: {"claims": [claim(), dataclasses.replace(claim("one.broken"), measure=f)]},
    "tables": lambda f: {"tables": f},
    "summary": lambda f: {"summary": f},
    "pictures": lambda f: {"pictures": f},
    "draw": lambda f: {"pictures": lambda: [Picture("broken", f, lambda result: "Nothing.")]},
}


@pytest.mark.parametrize("fails", [breaks, leaves, no_file], ids=lambda f: f.__name__)
@pytest.mark.parametrize("place", PLACES)
def test_what_comes_after_computing_loses_nothing(place, fails, tmp_path, schema):
    """Parts are kept, verdicts are written, and what failed is told, with the error."""
    said = []
    one = dataclasses.replace(study(claim()), **PLACES[place](fails))
    result = run_study(one, out=tmp_path / "out", notice=said.append)
    assert len(list((tmp_path / "out" / "parts").glob("*.npz"))) == 1
    saved = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    schema(saved)
    by_claim = {v["claim"]: v for v in saved["verdicts"]}
    shown = place in ("tables", "summary", "pictures", "draw")
    whole = shown or place == "measure"
    assert by_claim["one.positive"]["status"] == ("HOLDS" if whole else "INCONCLUSIVE")
    assert result.as_expected == shown
    name = {breaks: "ZeroDivisionError", leaves: "SystemExit", no_file: "FileNotFoundError"}[fails]
    if place == "summary":
        assert result.summary == ()
        said += result.failures
    assert any(name in sentence for sentence in said)
    if place == "measure":
        assert by_claim["one.broken"]["status"] == "INCONCLUSIVE"
        assert name in by_claim["one.broken"]["reason"]
    assert run_study(study(claim()), out=tmp_path / "out", resume=True).as_expected  # mended


def test_without_a_notice_what_failed_is_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="tables failed"):
        run_study(study(claim(), tables=breaks), out=tmp_path / "other")


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
    result = run_study(study(claim(), evidence=lambda s, data: None), notice=lambda sentence: None)
    assert "evidence = 'NoneType'" in result.verdicts[0].reason
    assert not result.as_expected
