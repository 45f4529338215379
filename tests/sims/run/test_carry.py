"""A study carried out: in memory or in a folder, killed and resumed, judged again; nothing unasked is lost."""

import dataclasses
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import lemmascope as ls
from lemmascope.sims import netcdf, registry
from lemmascope.sims.checksums import ResultsError, digest, sealed
from lemmascope.sims.run import code
from lemmascope.sims.run.carry import fingerprint, judge_again, rehearse, run_study
from lemmascope.sims.run.code import code_of
from lemmascope.sims.run.provenance import machine_of
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.study import settings_of
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Status

TASKS = 14  # of the toy study at its size tiny


def contents(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def results(path):
    """What is in a folder beside the parts."""
    return {name: content for name, content in contents(path).items() if not name.startswith("parts/")}


def check_same(found, wanted):
    assert list(found.data) == list(wanted.data)
    for name, data in wanted.data.items():
        xr.testing.assert_identical(found.data[name], data)
    assert found.verdicts == wanted.verdicts


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The toy study, run in a folder without a break, and its folder; not to be changed."""
    study = registry.load(Path(__file__).parents[2] / "toy_study.py")
    out = tmp_path_factory.mktemp("whole") / "toy"
    return run_study(study, settings_of(study.settings, "tiny"), out=out, executor=Threads(2)), out


@pytest.fixture
def saved(whole, tmp_path):
    """A copy of it that may be changed."""
    shutil.copytree(whole[1], tmp_path / "toy")
    return tmp_path / "toy"


def test_in_memory_and_in_a_folder_a_study_is_the_same(whole, toy, tiny_toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run_study(toy, tiny_toy)
    check_same(found, whole[0])
    assert found.as_expected
    assert {v.status for v in found.verdicts} == {Status.HOLDS}
    assert found.data["chain"].variance.dims == ("seed", "gamma")
    assert found.data["chain"].attrs == {"study": "toy", "root_seed": 0, "lemmascope_version": ls.__version__}
    assert [one.label for one in found.evidence] == ["exact", "chains"]
    assert list(tmp_path.iterdir()) == []


def test_it_is_the_same_by_its_path_and_in_any_number_of_threads(whole, toy, tiny_toy, tmp_path):
    study = registry.find(toy.file)
    assert study.settings is toy.settings  # the same text is the same module
    check_same(run_study(toy.file, tiny_toy, executor=Threads(5)), whole[0])


def test_settings_that_are_not_given_are_those_of_the_default_size(squares):
    found = run_study(str(squares))
    assert found.settings == settings_of(found.study.settings, "default")
    assert found.data["squares"].y.values.tolist() == [0.0, 1.0, 4.0]


def test_another_root_seed_is_another_draw(whole, toy, tiny_toy):
    other = run_study(toy, tiny_toy, root_seed=1)
    xr.testing.assert_equal(other.data["lyapunov"], whole[0].data["lyapunov"])
    assert not np.any(other.data["chain"].variance.values == whole[0].data["chain"].variance.values)
    assert other.data["chain"].attrs["root_seed"] == 1


def test_a_folder_of_results_holds_this(whole, schema):
    result, out = whole
    assert sorted(results(out)) == [
        "chain.nc",
        "figures/variance.caption.txt",
        "figures/variance.pdf",
        "figures/variance.png",
        "lyapunov.nc",
        "provenance.json",
        "verdicts.json",
    ]
    assert len(list((out / "parts").glob("*.npz"))) == TASKS
    assert [path.name for path in out.parent.iterdir()] == ["toy"]
    for name, data in result.data.items():
        xr.testing.assert_identical(netcdf.load(out / f"{name}.nc"), data)
    document = json.loads((out / "verdicts.json").read_text())
    schema(document)
    assert [v["claim"] for v in document["verdicts"]] == ["toy.closed_form", "toy.chains"]


def test_provenance_says_where_it_comes_from(whole, toy, tiny_toy):
    out = whole[1]
    found = json.loads((out / "provenance.json").read_text())
    settings = {"eta": 0.2, "gammas": list(tiny_toy.gammas), "seeds": 6, "steps": 4000}
    assert found["fingerprint"] == fingerprint(toy, tiny_toy, 0, "float64", "auto")
    assert found["settings"] == found["fingerprint"]["settings"] == settings
    assert (found["study"], found["root_seed"], found["dtype"], found["backend"]) == ("toy", 0, "float64", "auto")
    assert Path(found["file"]) == Path(__file__).parents[2] / "toy_study.py"
    assert found["code"] == code_of(toy)
    assert found["data"] == ["lyapunov", "chain"]
    assert found["files"] == {name: digest(out / name) for name in results(out) if name != "provenance.json"}
    assert set(machine_of(1.0)) < set(found)
    assert found["versions"]["lemmascope"] == ls.__version__


KILLED = """
import sys
from lemmascope.sims import registry
from lemmascope.sims.run.carry import run_study
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.study import settings_of
study, done = registry.load(sys.argv[1]), []
def wait(task):
    done.append(task)
    if len(done) == 5:
        print("five", flush=True)
        sys.stdin.read()
run_study(study, settings_of(study.settings, "tiny"), out=sys.argv[2], executor=Threads(2), progress=wait)
"""


def test_a_killed_study_goes_on_where_it_was_and_ends_the_same(whole, toy, tiny_toy, tmp_path):
    """kill −9 after five parts are kept, with others under way and the folder of the results begun."""
    out, said, begun, computed = tmp_path / "toy", [], [], []
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, toy.file, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout.readline() == "five\n"
        with pytest.raises(InputError, match="another process is working on it"):
            run_study(toy, tiny_toy, out=out, resume=True)
        client.send_signal(signal.SIGKILL)
    assert len(list((out / "parts").glob("*.npz"))) == 5
    with pytest.raises(InputError, match="--resume continues it"):
        run_study(toy, tiny_toy, out=out)
    found = run_study(
        toy,
        tiny_toy,
        out=out,
        resume=True,
        executor=Threads(2),
        notice=said.append,
        begin=lambda tasks: begun.extend(task.key for task in tasks),
        progress=lambda task: computed.append(task.key),
    )
    check_same(found, whole[0])
    assert said == [f"5 of {TASKS} parts are there already"]
    assert sorted(begun) == sorted(computed)
    assert len(computed) == TASKS - 5
    assert set(contents(out)) == set(contents(whole[1]))
    assert (out / "verdicts.json").read_bytes() == (whole[1] / "verdicts.json").read_bytes()
    for name in found.data:
        xr.testing.assert_identical(netcdf.load(out / f"{name}.nc"), netcdf.load(whole[1] / f"{name}.nc"))
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_whole_results_are_neither_continued_nor_replaced_unasked(saved, toy, tiny_toy):
    before = contents(saved)
    with pytest.raises(InputError, match="--resume continues it, --force replaces it"):
        run_study(toy, tiny_toy, out=saved)
    for changes in ({"root_seed": 1}, {"settings": dataclasses.replace(tiny_toy, eta=0.3)}):
        given = {"study": toy, "settings": tiny_toy, "out": saved, "resume": True} | changes
        with pytest.raises(
            InputError, match=r"this study as it was run otherwise, which differs in (root_seed|settings.eta)"
        ):
            run_study(**given)
    assert contents(saved) == before


def test_resumed_results_that_are_whole_are_gathered_and_judged_again(whole, saved, toy, tiny_toy):
    begun = []
    (saved / "chain.nc").unlink()
    found = run_study(toy, tiny_toy, out=saved, resume=True, begin=begun.append)
    check_same(found, whole[0])
    assert begun == [[]]
    assert (saved / "verdicts.json").read_bytes() == (whole[1] / "verdicts.json").read_bytes()
    xr.testing.assert_identical(netcdf.load(saved / "chain.nc"), found.data["chain"])


def test_a_damaged_part_is_named_and_computed_again(whole, saved, toy, tiny_toy):
    said, computed = [], []
    key = f"chain seed=3 gamma={tiny_toy.gammas[1]}"
    file = next((saved / "parts").glob(key.replace(" ", "_") + "*"))
    file.write_bytes(file.read_bytes()[:-9])
    given = {"notice": said.append, "progress": lambda task: computed.append(task.key)}
    check_same(run_study(toy, tiny_toy, out=saved, resume=True, **given), whole[0])
    assert said == [
        f"the part {key} was damaged, and is computed again",
        f"{TASKS - 1} of {TASKS} parts are there already",
    ]
    assert computed == [key]


def test_an_interrupt_keeps_what_is_finished(whole, toy, tiny_toy, tmp_path, ctrl_c):
    left = [ctrl_c]
    out = tmp_path / "toy"
    with pytest.raises(KeyboardInterrupt):
        run_study(toy, tiny_toy, out=out, progress=lambda task: signal.raise_signal(left.pop()) if left else None)
    assert not results(out)
    assert list((out / "parts").glob("*.npz"))
    assert not list(tmp_path.rglob("*.partial"))
    check_same(run_study(toy, tiny_toy, out=out, resume=True), whole[0])


SQUARES = '''"""Squares."""

from dataclasses import dataclass

import xarray as xr

import lemmascope as ls
{imports}

@dataclass(frozen=True)
class Law:
    power: int = 2
    shift: float | None = None


@dataclass(frozen=True)
class Settings:
    count: int = ls.option(3, "How many.", tiny=2)
    law: Law = ls.option(Law(), "The law.")
    spans: tuple[tuple[float, float], ...] = ls.option(((0.0, 1),), "Spans.")
    limit: float = ls.option(float("inf"), "The largest.")


def compute(task):
    return xr.Dataset({{"y": float(task.at["x"] ** task.settings.law.power)}})


def measure(evidence, edge=0.0):
    return ls.Measurement(float(evidence["y"].min()), lower=edge)


def draw(result):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot(result.data["squares"].y)
    return figure


STUDY = ls.Study(
    name="squares",
    subject="squares",
    message="Squares are not negative.",
    settings=Settings,
    experiments={{"squares": ls.Experiment(lambda s: {{"x": range(s.count)}}, compute)}},
    evidence=lambda settings, data: [ls.Evidence(data["squares"], "squares", parameters=settings.law)],
    claims=[
        ls.Claim(
            id="squares.positive",
            statement="x",
            plain="x",
            kind=ls.Kind.BOUND,
            source="derived",
            measure=measure,
            control=ls.Control("one more", constants={{"edge": 1.0}}),
        )
    ],
    pictures=lambda: [ls.Picture("squares", draw, lambda result: "Squares.")],
)
'''


@pytest.fixture
def squares(tmp_path):
    """The path of a study's file, with settings within settings."""
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "squares.py"
    path.write_text(SQUARES.format(imports=""))
    return path


def test_force_replaces_the_results_of_any_study_and_leaves_nothing_of_them(saved, squares):
    """Data, pictures and parts of the former study go; what is not ours stays."""
    for name in ("notes.txt", "figures/mine.png"):
        (saved / name).write_text("mine")
    before = contents(saved)
    with pytest.raises(InputError, match=r"another study, which differs in study \('toy' there, 'squares' here\)"):
        run_study(str(squares), out=saved, resume=True)
    assert contents(saved) == before
    run_study(str(squares), out=saved, force=True)
    assert sorted(results(saved)) == [
        "figures/mine.png",
        "figures/squares.caption.txt",
        "figures/squares.pdf",
        "figures/squares.png",
        "notes.txt",
        "provenance.json",
        "squares.nc",
        "verdicts.json",
    ]
    assert len(list((saved / "parts").glob("*.npz"))) == 3


@pytest.mark.parametrize("how", [{}, {"resume": True}, {"force": True}])
def test_somebodys_folder_is_never_entered(tmp_path, squares, how):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="no results of lemmascope"):
        run_study(str(squares), out=tmp_path / "thesis", **how)
    assert contents(tmp_path / "thesis") == {"thesis.tex": b"mine"}


def test_parts_of_other_code_are_not_continued(squares, tmp_path):
    out = tmp_path / "out"
    run_study(str(squares), out=out)
    squares.write_text(SQUARES.format(imports="").replace('task.at["x"] **', '+task.at["x"] **'))
    with pytest.raises(InputError, match="another version of the code; --force computes them again"):
        run_study(str(squares), out=out, resume=True)
    run_study(str(squares), out=out, force=True)
    assert json.loads((out / "provenance.json").read_text())["code"] == code_of(registry.load(squares))


def test_what_is_mended_after_the_parts_needs_no_computing(squares, tmp_path):
    """A claim, a picture, a sentence: the parts stay, and are judged again."""
    out, begun = tmp_path / "out", []
    run_study(str(squares), out=out)
    text = SQUARES.format(imports="").replace("Squares.", "Squares, drawn.").replace('"edge": 1.0', '"edge": 5.0')
    squares.write_text(text.replace("    return figure", "    figure.suptitle('mended')\n    return figure"))
    found = run_study(str(squares), out=out, resume=True, begin=begun.append)
    assert begun == [[]]
    assert found.verdicts[0].control["status"] == "REFUTED"
    assert (out / "figures" / "squares.caption.txt").read_text().startswith("Squares, drawn.")


def test_parts_of_other_versions_are_not_continued(squares, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_study(str(squares), out=out)
    monkeypatch.setattr(code, "_version", {"numpy": "1.0"}.get)
    with pytest.raises(InputError, match=r"another numpy \('.*' there, '1.0' here\), scipy .* computes them again"):
        run_study(str(squares), out=out, resume=True)


def test_what_auto_stands_for_belongs_to_the_parts(squares, tmp_path):
    out, study = tmp_path / "out", registry.load(squares)
    run_study(dataclasses.replace(study, resolve=lambda backend: "slow"), out=out)
    assert json.loads((out / "provenance.json").read_text())["made_with"]["backend"] == "slow"
    with pytest.raises(InputError, match=r"another backend \('slow' there, 'fast' here\)"):
        run_study(dataclasses.replace(study, resolve=lambda backend: "fast"), out=out, resume=True)


def test_a_study_of_ones_own_may_not_be_called_as_one_of_the_house(toy, tiny_toy):
    for study in (dataclasses.replace(toy, name="phase"), dataclasses.replace(toy, name="phase", file="", source="")):
        with pytest.raises(InputError, match=r"study = 'phase' .* choose another"):
            run_study(study, tiny_toy)
    with pytest.raises(InputError, match="choose another"):
        run_study(dataclasses.replace(registry.study("phase"), experiments=toy.experiments))


def test_settings_of_another_class_are_refused(toy, tiny_toy, squares):
    with pytest.raises(InputError, match=r"settings = 'Settings' .* a Settings of squares"):
        run_study(str(squares), tiny_toy)
    with pytest.raises(InputError, match="settings = 'dict'"):
        run_study(toy, {"eta": 0.1})
    with pytest.raises(InputError, match="eta = 3"):
        run_study(toy, settings_of(toy.settings, "tiny", eta=3))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dtype": "float32"}, "dtype = 'float32' .* must be float64: what toy runs in"),
        ({"backend": "cupy"}, "backend = 'cupy' .* one of auto, numpy"),
        ({"root_seed": -1}, "root_seed = -1"),
        ({"study": "nowhere"}, "study = 'nowhere' .* the studies are"),
        ({"study": "nowhere.py"}, "module = 'nowhere.py' .* exists"),
    ],
)
def test_arguments_are_refused_before_anything_is_made(toy, tiny_toy, tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        run_study(**({"study": toy, "settings": tiny_toy, "out": tmp_path / "out"} | changes))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_the_work(toy, tiny_toy, tmp_path, monkeypatch):
    def full(handle, offset, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=rf"No space left.*{tmp_path}"):
        run_study(toy, tiny_toy, out=tmp_path / "toy", begin=lambda tasks: pytest.fail("the work must not begin"))


def test_a_disk_that_fills_while_results_are_written_leaves_the_old_ones(whole, saved, toy, tiny_toy, monkeypatch):
    before = results(saved)

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            run_study(toy, tiny_toy, out=saved, resume=True)
    assert results(saved) == before
    assert not list(saved.rglob("*.partial"))
    check_same(run_study(toy, tiny_toy, out=saved, resume=True), whole[0])


@pytest.mark.parametrize(
    ("derive", "said"),
    [
        (lambda s, data: {"a": data["lyapunov"].variance}, "data a = 'DataArray': .* must be an xarray Dataset"),
        (lambda s, data: {"a/b": data["lyapunov"]}, "data = 'a/b': .* letters, digits and _"),
        (lambda s, data: {"a": data["lyapunov"].assign_attrs(x=None)}, "data a: attribute x = None"),
        (lambda s, data: {"a": data["lyapunov"].expand_dims(k=[np.datetime64("2024", "ns")])}, "data a: k = 'datetime"),
    ],
)
def test_derived_data_are_those_that_can_be_saved(toy, tiny_toy, derive, said):
    """Also where nothing is saved: a study that runs in memory runs in a folder."""
    found = run_study(dataclasses.replace(toy, derive=derive), tiny_toy, notice=lambda sentence: None)
    assert re.search(f"derive failed .*{said}", found.verdicts[0].reason)
    assert set(found.data) == {"lyapunov", "chain"}  # as they were gathered


def test_derived_data_replace_those_of_the_experiments(toy, tiny_toy, tmp_path):
    def derive(settings, data):
        assert data["chain"].attrs["root_seed"] == 7
        return {"both": data["lyapunov"].rename(variance="exact").assign(data["chain"].data_vars)}

    study = dataclasses.replace(toy, derive=derive, evidence=lambda settings, data: [], pictures=lambda: [], claims=[])
    study = dataclasses.replace(study, controls={})
    found = run_study(study, tiny_toy, root_seed=7, out=tmp_path / "out")
    assert list(found.data) == ["both"]
    assert found.verdicts == ()
    assert sorted(results(tmp_path / "out")) == ["both.nc", "provenance.json", "verdicts.json"]
    assert list(judge_again(tmp_path / "out", study).data["both"].data_vars) == ["exact", "variance"]


def test_saved_results_are_judged_again_alike(whole, toy):
    result, out = whole
    before = contents(out)
    found = judge_again(out, toy)
    assert found.verdicts == result.verdicts
    assert found.settings == result.settings
    assert found.root_seed == 0
    for name, data in result.data.items():
        xr.testing.assert_identical(found.data[name], data)
    assert contents(out) == before


def test_settings_within_settings_come_back(squares, tmp_path):
    study = registry.load(squares)
    law = study.settings().law
    settings = settings_of(study.settings, law=dataclasses.replace(law, power=4), spans=((0.5, 1), (2, 3.0)))
    result = run_study(study, settings, out=tmp_path / "out")
    found = judge_again(tmp_path / "out", study)
    assert found.settings == settings
    assert repr(found.settings) == repr(settings)
    assert found.verdicts == result.verdicts
    assert found.evidence[0].parameters == settings.law


def test_todays_claims_are_what_saved_results_are_held_against(whole, toy):
    def one(evidence, **constants):
        return ls.Measurement(xr.ones_like(evidence.data.get("seed", xr.DataArray(1.0)), float), upper=0.0)

    stricter = [dataclasses.replace(claim, measure=one) for claim in toy.claims]
    found = judge_again(whole[1], dataclasses.replace(toy, claims=stricter))
    assert {v.status for v in found.verdicts} == {Status.REFUTED}


def test_a_file_that_a_folder_names_is_never_run(saved, tmp_path):
    """Results come from anywhere: whose study it is, its reader says."""
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    found = json.loads((saved / "provenance.json").read_text())
    for changes in ({}, {"file": str(evil)}, {"file": str(evil), "study": str(evil)}):
        (saved / "provenance.json").write_text(json.dumps(sealed(found | changes)))
        with pytest.raises(InputError, match="which is yours: give its file"):
            judge_again(saved)
    assert not (tmp_path / "run").exists()


def test_results_of_another_study_are_refused(saved, squares):
    with pytest.raises(InputError, match="they are of the study 'toy', and not of 'squares'"):
        judge_again(saved, registry.load(squares))
    with pytest.raises(InputError, match="they are of the study 'toy'"):
        judge_again(saved, registry.study(registry.names()[0]))


def changed(folder, **changes):
    found = json.loads((folder / "provenance.json").read_text()) | changes
    (folder / "provenance.json").write_text(json.dumps(sealed({k: v for k, v in found.items() if v != "absent"})))


@pytest.mark.parametrize(
    "changes",
    [
        {"study": "absent"},
        {"settings": "absent"},
        {"settings": [1]},
        {"root_seed": "one"},
        {"root_seed": None},
        {"data": ["chain", "other"]},
        {"data": ["../toy/chain"]},
        {"data": 3},
        {"files": "absent"},
        {"files": ["chain.nc"]},
        {"files": {}},
    ],
    ids=str,
)
def test_a_damaged_provenance_is_no_provenance(saved, toy, changes):
    changed(saved, **changes)
    with pytest.raises(ResultsError, match=r"toy holds no whole results"):
        judge_again(saved, toy)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", None])
def test_a_foreign_folder_holds_no_results(tmp_path, toy, text):
    if text is not None:
        (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(ResultsError, match="no whole results"):
        judge_again(tmp_path, toy)
    with pytest.raises(ResultsError, match="no whole results"):
        judge_again(tmp_path / "nowhere", toy)


def test_results_that_were_cut_short_are_not_judged(saved, toy):
    (saved / "provenance.json").write_text(json.dumps(sealed({"fingerprint": {}, "complete": False})))
    with pytest.raises(ResultsError, match="no whole results"):
        judge_again(saved, toy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"eta": "fast"}, "'fast' is no float"),
        ({"unknown": 1}, "Settings has no unknown"),
        ({"gammas": 0.5}, "0.5 is no tuple"),
    ],
)
def test_settings_that_the_study_has_no_more_are_said(saved, toy, changes, said):
    settings = json.loads((saved / "provenance.json").read_text())["settings"]
    changed(saved, settings=settings | changes)
    with pytest.raises(ResultsError, match=f"are not those that toy has now .*{said}"):
        judge_again(saved, toy)


@pytest.mark.parametrize("how", ["a bit", "truncated", "gone", "another's", "values"])
def test_data_that_were_changed_are_not_judged(saved, toy, how):
    file = saved / "chain.nc"
    content = bytearray(file.read_bytes())
    if how == "a bit":
        at = content.index(np.float64(netcdf.load(file).variance[2, 1]).tobytes())
        content[at + 3] ^= 1
    if how == "truncated":
        content = content[:-100]
    if how == "another's":
        content = (saved / "lyapunov.nc").read_bytes()
    if how == "gone":
        file.unlink()
    elif how == "values":
        with pytest.raises(InputError, match="it belongs to the results in"):
            netcdf.save(2 * netcdf.load(file), file)
        file.write_bytes(netcdf.image(2 * netcdf.load(file)))
    else:
        file.write_bytes(content)
    with pytest.raises(ResultsError, match=r"chain.nc .*(changed since|truncated|is missing)"):
        judge_again(saved, toy)


def test_interrupted_writing_can_be_resumed(whole, saved, toy, tiny_toy, monkeypatch):
    """Ctrl-C in the instant in which the results are moved into place."""
    replace, calls = os.replace, []

    def interrupted(source, target):
        calls.append(target)
        if Path(target).name == "lyapunov.nc" and Path(target).parent == saved:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(os, "replace", interrupted)
        run_study(toy, tiny_toy, out=saved, resume=True)
    assert json.loads((saved / "provenance.json").read_text())["complete"] is False
    with pytest.raises(ResultsError, match="no whole results"):
        judge_again(saved, toy)
    check_same(run_study(toy, tiny_toy, out=saved, resume=True), whole[0])
    assert judge_again(saved, toy).verdicts == whole[0].verdicts


FILES = ["verdicts.json", "chain.nc", "provenance.json"]


def computes_nothing(*_):
    pytest.fail("the work must not begin")


@pytest.mark.parametrize("resume", [False, True], ids=["force", "resume"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        *(
            (file, how)
            for file in ["verdicts.json", "chain.nc", "provenance.json"]
            for how in ["folder", "pipe", "link"]
        ),
        *((f"figures/variance{end}", "folder") for end in (".png", ".pdf", ".caption.txt")),
        *(("figures", how) for how in ["file", "pipe", "link"]),
    ],
)
def test_what_is_in_the_place_of_a_result_is_said_before_the_work(saved, toy, tiny_toy, tmp_path, name, how, resume):
    place, other = saved / name, tmp_path / "elsewhere"
    other.mkdir()
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    if how == "folder":
        place.mkdir()
    elif how == "pipe":
        os.mkfifo(place)
    elif how == "link":
        place.symlink_to(other)
    else:
        place.write_text("mine")
    for part in (saved / "parts").glob("chain*.npz") if resume else ():
        part.unlink()  # there would be something to compute
    before = contents(saved)
    with pytest.raises(InputError, match=re.escape(f"{saved / name}'")):
        run_study(toy, tiny_toy, out=saved, resume=resume, force=not resume, begin=computes_nothing)
    assert contents(saved) == before
    assert not list(other.iterdir())


@pytest.mark.parametrize("how", ["lost", "truncated", "edited"])
def test_results_whose_provenance_is_lost_are_resumed(whole, saved, toy, tiny_toy, how):
    path, right = saved / "provenance.json", results(saved)
    if how == "lost":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"files": {}}))
    run_study(toy, tiny_toy, out=saved, resume=True)
    assert results(saved).keys() == right.keys()
    assert judge_again(saved, toy).verdicts == whole[0].verdicts


def test_all_that_is_not_known_as_ours_is_named_at_once(saved, toy, tiny_toy):
    (saved / "provenance.json").unlink()
    for name in ("chain.nc", "figures/variance.pdf"):
        (saved / name).write_text("mine")
    with pytest.raises(InputError, match=r"chain.nc' .* figures/variance.pdf .*in their place"):
        run_study(toy, tiny_toy, out=saved, resume=True, begin=computes_nothing)
    assert (saved / "chain.nc").read_text() == "mine"


@pytest.mark.parametrize("where", ["def closed_form(evidence, edge=2.0):", "def evidence(settings, data):", ""])
def test_a_refusal_within_another_is_one_sentence(tmp_path, where):
    refusal = 'raise ls.InputError("edge", 7, "it must be 2")'
    text = (Path(__file__).parents[2] / "toy_study.py").read_text()
    text = text.replace(where, f"{where}\n    {refusal}") if where else f"{text}\n{refusal}\n"
    (tmp_path / "refusing.py").write_text(text)
    with pytest.raises(InputError) as refused:
        rehearse(registry.load(tmp_path / "refusing.py"))
    said = str(refused.value)
    assert "edge = 7: it must be 2" in said
    assert said.count("is not accepted") == 1
    assert not re.search(r"\.[.),]", said.replace(".py", ""))
