"""What is stated, as a list; and what is saved, judged again."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

from lemmascope.cli import catalogue
from lemmascope.proofs_check import report
from lemmascope.sims import registry
from lemmascope.sims.checksums import sealed
from lemmascope.sims.files import ResultsFolder, write_json
from lemmascope.sims.report.verdicts import VERDICTS_SCHEMA
from tests.cli.test_study_command import TOY

RUN = ["simulate", "-d", "60", "-N", "12", "-m", "3", "--iterations", "20", "--seeds", "5"]


def refused(found, *words):
    """Exit status 2, one sentence on standard error that has the words, no traceback."""
    assert found.exit_code == 2, found.output
    assert len(found.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in found.stderr, found.stderr


def keep(folder, verdicts):
    """Save verdicts, as a run of the study scaling does."""
    with ResultsFolder(folder, {"study": "scaling"}) as results:
        document = sealed({"schema": VERDICTS_SCHEMA, "study": "scaling", "verdicts": verdicts})
        write_json(results.partial / "verdicts.json", document)


@pytest.fixture
def toy(call_cli, tmp_path):
    """The results of a study of one's own."""
    (tmp_path / "toy.py").write_text(TOY)
    assert call_cli("run", "toy.py", "--tiny", "--seeds", "3", "--out", "results/toy").exit_code == 0
    return tmp_path / "results" / "toy"


@pytest.fixture
def run(call_cli, tmp_path):
    """A trajectory."""
    assert call_cli(*RUN, "--out", "run.nc").exit_code == 0
    return tmp_path / "run.nc"


def test_one_list_has_every_claim_and_every_step(call_cli, tmp_path):
    found = call_cli("claims", "--list", "--json", "list.json")
    assert found.exit_code == 0
    entries = json.loads((tmp_path / "list.json").read_text())
    ids = {entry["id"] for entry in entries}
    for name in registry.names():
        assert {claim.id for claim in registry.study(name).claims} <= ids
    assert {step["id"] for step in report.catalogue()} <= ids
    assert len(ids) == len(entries)
    for entry in entries:
        assert entry["id"] in found.stdout
        path, _, line = entry["file"].partition(":")
        text = (catalogue.THEORY.parent / path).read_text().splitlines()
        assert not line or f'"{entry["id"]}"' in text[int(line) - 1]
    assert "claims and " in found.stdout.splitlines()[-1]


def test_the_list_is_filtered_and_shows_what_is_saved(call_cli, tmp_path, toy):
    saved = [
        {"claim": claim.id, "label": "GD", "status": "HOLDS", "as_expected": True}
        for claim in registry.study("scaling").claims
    ]
    saved[0]["status"] = "REFUTED"
    keep(tmp_path / "results" / "scaling", saved)

    def ids(*flags):
        found = call_cli("claims", "--list", "--json", "-", *flags)
        assert found.exit_code == 0, found.output
        return [entry["id"] for entry in json.loads(found.stdout)]

    assert ids("--study", "scaling") == [claim.id for claim in registry.study("scaling").claims]
    assert ids("--study", "scaling", "--status", "REFUTED") == [saved[0]["claim"]]
    assert ids("--only", saved[1]["claim"]) == [saved[1]["claim"]]
    assert set(ids("--study", "proofs")) == {step["id"] for step in report.catalogue()}
    assert set(ids("--subject", "momentum")) == {
        step["id"] for step in report.catalogue() if step["subject"] == "momentum"
    }
    assert ids("--study", "toy.py") == ["toy.near"]
    shown = call_cli("claims", "--list", "--study", "toy.py").stdout
    assert "HOLDS the coin" in shown
    assert f"stated in {tmp_path / 'toy.py'}:" in "".join(shown.split("\n")).replace("    ", "")
    for flags in (["--study", "nothing"], ["--subject", "nothing"], ["--status", "nothing"]):
        refused(call_cli("claims", "--list", *flags), f"{flags[0][2:]} = 'nothing'", "must be one of")


def test_the_list_is_searched(call_cli):
    def ids(*words):
        return [entry["id"] for entry in json.loads(call_cli("claims", "--list", "--json", "-", *words).stdout)]

    every = ids()
    assert 0 < len(ids("momentum", "Memor")) < len(ids("momentum")) < len(every)
    assert ids("--only", "gdm") == [one for one in every if one.startswith("gdm.")] != []
    assert ids("--only", "gdm.") == ids("--only", "gdm")
    assert ids("--only", "gdm.generalizes") == ["gdm.generalizes"]
    refused(call_cli("claims", "--list", "--only", "gdm.generalises"), "did you mean gdm.generalizes")
    refused(call_cli("claims", "--list", "--only", "gd.partial"), "did you mean gd.partially_learns")
    refused(call_cli("claims", "--list", "results/headline"), "word = 'results/headline'", "leave --list out")
    none = call_cli("claims", "--list", "--status", "REFUTED")
    assert none.exit_code == 0
    assert "No verdict that is saved in ./results has the status REFUTED." in none.stdout


def test_json_on_standard_output_is_alone(call_cli, tmp_path, run):
    for arguments in (["claims", "run.nc"], ["claims", "--list"], ["studies"], ["doctor", "--no-measure"]):
        found = call_cli(*arguments, "--json", "-")
        assert found.exit_code == 0, found.stderr
        json.loads(found.stdout)
    assert "NOT_APPLICABLE" in call_cli("claims", "run.nc", "--json", "-").stderr


def test_studies_say_where_their_claims_are_stated_and_how_they_came_out(call_cli, tmp_path):
    keep(tmp_path / "results" / "scaling", [{"as_expected": True}, {"as_expected": False}])
    (tmp_path / "results" / "other").mkdir()
    (tmp_path / "results" / "other" / "verdicts.json").write_text("{")
    found = call_cli("studies", COLUMNS="120")
    assert found.exit_code == 0
    assert "scaling.py" in found.stdout
    assert "1/2" in found.stdout
    rows = json.loads(call_cli("studies", "--json", "-").stdout)
    assert [row["study"] for row in rows] == list(registry.names())
    for row in rows:
        study = registry.study(row["study"])
        assert row["claims"] == len(study.claims)
        assert row["title"] == registry.title(study.name)
        assert row["message"] == study.message
        assert (row["verdicts"] is None) is (row["study"] != "scaling")
        assert row["stated_in"]
        stated = "".join((catalogue.THEORY.parent / file).read_text() for file in row["stated_in"])
        assert all(f'"{claim.id}"' in stated or claim.id.rpartition(".")[2] in stated for claim in study.claims)
    call_cli("studies", "--json", "s.json")
    assert json.loads((tmp_path / "s.json").read_text()) == rows


def test_a_study_of_ones_own_is_judged_again(call_cli, tmp_path, toy):
    found = call_cli("claims", "results/toy", "--study", "toy.py", "--json", "again.json")
    assert found.exit_code == 0, found.output
    assert "toy.near · the coin" in found.stdout
    assert found.stdout.splitlines()[-1] == "1 HOLDS"
    assert (tmp_path / "again.json").read_bytes() == (toy / "verdicts.json").read_bytes()
    (tmp_path / "toy.py").write_text(TOY.replace("factor=3.0", "factor=-3.0"))
    changed = call_cli("claims", "results/toy", "--study", "toy.py", "--only", "toy.near")
    assert changed.exit_code == 1
    assert "1 REFUTED" in changed.stdout
    refused(call_cli("claims", "results/toy", "--study", "toy.py", "--only", "toy.far"), "did you mean toy.near?")
    refused(call_cli("claims", "results/toy", "--study", "scaling"), "'toy'", "'scaling'")


def test_a_file_that_results_name_is_never_run(call_cli, tmp_path, toy):
    (tmp_path / "toy.py").write_text("open('run', 'w')\n")
    refused(call_cli("claims", "results/toy"), "study 'toy'")
    assert not (tmp_path / "run").exists()


def test_a_folder_of_several_is_judged_and_others_are_passed_over(call_cli, tmp_path, toy):
    shutil.copytree(toy, tmp_path / "results" / "copy")
    (tmp_path / "results" / "strange").mkdir()
    (tmp_path / "results" / "strange" / "provenance.json").write_text("{}")
    found = call_cli("claims", "results", "--study", "toy.py", "--json", "all.json")
    assert found.exit_code == 2  # what is damaged may have been another verdict
    assert "not all of it could be judged: results/strange" in found.stderr
    assert found.stdout.count("toy.near · the coin") == 2
    assert "passed over: results/strange/provenance.json has no checksum" in " ".join(found.stdout.split())
    assert found.stdout.splitlines()[-1] == "2 HOLDS"
    assert len(json.loads((tmp_path / "all.json").read_text())) == 2
    shutil.rmtree(tmp_path / "results" / "strange")
    assert call_cli("claims", "results", "--study", "toy.py").exit_code == 0
    refused(call_cli("claims", "results"), "nothing in it could be judged")  # it needs the study's file


def test_results_of_a_study_that_is_not_known_may_have_been_another_verdict(call_cli, tmp_path, toy, monkeypatch):
    (tmp_path / "other.py").write_text(TOY.replace('name="toy"', 'name="other"'))
    assert call_cli("run", "other.py", "--tiny", "--seeds", "3", "--out", "results/other").exit_code == 0
    keep(tmp_path / "results" / "proofs", [])
    # Where one is given, those of another are not asked for; those of no study never are.
    assert call_cli("claims", "results", "--study", "toy.py").exit_code == 0
    study, names = registry.find("toy.py"), registry.names()
    monkeypatch.setattr(registry, "names", lambda: (*names, "toy"))
    monkeypatch.setattr(registry, "study", lambda name: study)
    found = call_cli("claims", "results", "--json", "all.json")
    assert found.exit_code == 2
    assert found.stdout.splitlines()[-1] == "1 HOLDS"
    assert "not all of it could be judged" in found.stderr
    assert "study 'other', which is yours: give its file" in found.stderr
    assert json.loads((tmp_path / "all.json").read_text())["study"] == "toy"
    shutil.rmtree(tmp_path / "results" / "other")
    assert call_cli("claims", "results").exit_code == 0


NOISY = """
import sys

print("loaded")


def said(function):
    def saying(*arguments, **keywords):
        print("called")
        sys.stdout.write("and more")
        return function(*arguments, **keywords)
    return saying
"""


@pytest.mark.parametrize("what", ["plugin", "study", "list of a plugin", "list of a study"])
def test_what_ones_own_code_prints_is_not_in_the_json(call_cli, tmp_path, toy, what):
    (tmp_path / "noisy.py").write_text(NOISY)
    own = PLUGIN.replace("measure=lambda evidence, top=1.0: ls", "measure=said(lambda evidence, top=1.0: ls")
    own = own.replace('(evidence["x"], upper=top)', '(evidence["off"].max("bias"), upper=top))')
    (tmp_path / "claims_.py").write_text(f"from noisy import said\n{own}")
    (tmp_path / "noisy_toy.py").write_text(
        f"from noisy import said\n{TOY}".replace("measure=near", "measure=said(near)")
    )
    flags = ["--study", "noisy_toy.py"] if "study" in what else ["--study", "toy.py", "--plugin", "claims_.py"]
    found = call_cli("claims", "--list" if "list" in what else "results/toy", *flags, "--json", "-")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)
    assert "loaded" in found.stderr
    assert ("called" in found.stderr) is ("list" not in what)


def test_a_trajectory_is_judged_by_its_subject(call_cli, tmp_path, run, schema):
    found = call_cli("claims", "run.nc", "--json", "v.json")
    assert found.exit_code == 0, found.stdout
    assert "NOT_APPLICABLE" in found.stdout
    schema(json.loads((tmp_path / "v.json").read_text()))
    one = call_cli("claims", "run.nc", "--only", "gdm.generalizes")
    assert one.stdout.count("GD+M   ") == 1
    refused(call_cli("claims", "run.nc", "--only", "gdm.generalise"), "did you mean gdm.generalizes")
    refused(call_cli("claims", "run.nc", "--study", "headline"), "study = 'headline'", "run.nc is a file")
    (tmp_path / "thesis.json").write_text('{"schema": "mine"}')
    refused(call_cli("claims", "run.nc", "--json", "thesis.json"), "thesis.json")
    assert (tmp_path / "thesis.json").read_text() == '{"schema": "mine"}'


def test_what_is_no_trajectory_is_refused(call_cli, tmp_path, run):
    refused(call_cli("claims"), "--list")
    refused(call_cli("claims", "none.nc"), "none.nc is missing")
    whole = run.read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    refused(call_cli("claims", "cut.nc"), "truncated")
    (tmp_path / "text.nc").write_text("not netCDF")
    refused(call_cli("claims", "text.nc"), "no netCDF")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "foreign.nc", engine="h5netcdf")
    refused(call_cli("claims", "foreign.nc"), "schema None", "--plugin FILE.py")
    refused(call_cli("claims", "run.nc", "--status", "HOLDS"), "it goes with --list")
    (tmp_path / "empty").mkdir()
    refused(call_cli("claims", "empty"), "no whole results")


PLUGIN = """
import lemmascope as ls

small = ls.Claim(id="mine.small", statement="$x < 1$", plain="x < 1", kind=ls.Kind.BOUND, source="user",
                 measure=lambda evidence, top=1.0: ls.Measurement(evidence["x"], upper=top),
                 control=ls.Control("0 in place of 1", constants={"top": 0.0}))
"""


def test_labelled_data_of_ones_own_are_judged_by_claims_of_ones_own(call_cli, tmp_path, run, toy):
    (tmp_path / "my_claims.py").write_text(PLUGIN)
    data = xr.Dataset({"x": ("seed", np.array([0.1, 0.5, 0.9]))}, {"seed": [3, 4, 5]})
    data.to_netcdf(tmp_path / "mine.nc", engine="h5netcdf")
    found = call_cli("claims", "mine.nc", "--plugin", "my_claims.py")
    assert found.exit_code == 0, found.output
    assert "3 of 3 seeds" in found.stdout
    assert "control (0 in place of 1): REFUTED" in found.stdout
    (data + 0.5).to_netcdf(tmp_path / "more.nc", engine="h5netcdf")
    both = call_cli("claims", "mine.nc", "more.nc", "--plugin", "my_claims.py")
    assert both.exit_code == 1
    assert both.stdout.splitlines()[-1] == "1 HOLDS, 1 REFUTED"
    assert "mine.small" in call_cli("claims", "--list", "--plugin", "my_claims.py").stdout
    # Beside those of the subject and of the study.
    (tmp_path / "loss.py").write_text(PLUGIN.replace('evidence["x"]', 'evidence.final["loss"].sum("margin")'))
    assert "mine.small · GD+M" in call_cli("claims", "run.nc", "--plugin", "loss.py").stdout
    (tmp_path / "off.py").write_text(PLUGIN.replace('evidence["x"]', 'evidence["off"].max("bias")'))
    assert call_cli("claims", "results/toy", "--study", "toy.py", "--plugin", "off.py").stdout.endswith("2 HOLDS\n")


# --- certificates --------------------------------------------------------------------------------------------------


def test_what_is_certified_is_said_and_saved(call_cli, tmp_path):
    assert call_cli(*RUN, "--certify", "--out", "run.nc").exit_code == 0
    found = call_cli("claims", "run.nc", "--certify", "--only", "lemma.cross_terms", "--json", "verdicts.json")
    assert "in exact arithmetic: certified on 5 of 5 draws" in found.output
    verdicts = json.loads((tmp_path / "verdicts.json").read_text())["verdicts"]
    assert [v["certified"]["true"] for v in verdicts] == [[0, 1, 2, 3, 4]] * 2


def test_what_has_no_certificate_is_refused(call_cli, run):
    refused(call_cli("claims", "run.nc", "--certify"), "certify", "it has no certificate", "--certify")
    refused(call_cli(*RUN, "--certify", "--dtype", "float32", "--out", "single.nc"), "dtype", "certified")
