"""A fuzz over all that is saved, with fixed seeds: what is damaged is said in a sentence, or changes no verdict."""

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from lemmascope.sims import netcdf, registry
from lemmascope.sims.checksums import ResultsError, sealed
from lemmascope.sims.report.verdicts import read_results
from lemmascope.sims.run.carry import judge_again, run_study
from lemmascope.sims.run.store import Store
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.study import settings_of
from lemmascope.theory.errors import InputError

FLIPS = 60
"""Of bits, in each file."""

TOY = Path(__file__).parents[2] / "toy_study.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The toy study, and its folders of results at two root seeds; not to be changed."""
    study, folder = registry.load(TOY), tmp_path_factory.mktemp("made")
    settings = settings_of(study.settings, "tiny")
    for root in (0, 1):
        run_study(study, settings, root_seed=root, out=folder / str(root), executor=Threads(2))
    return study, folder


@pytest.fixture
def results(made, tmp_path):
    """The study and a copy of its results that may be changed."""
    shutil.copytree(made[1] / "0", tmp_path / "results" / "toy")
    return made[0], tmp_path / "results" / "toy"


READ = ["chain.nc", "lyapunov.nc", "provenance.json", "verdicts.json"]


def outcome(call):
    """What a call returns, or the one sentence that it says."""
    try:
        return call()
    except (ResultsError, InputError) as error:
        said = str(error)
    assert "\n" not in said
    return said


def judged(study, folder):
    """What `claims FOLDER` makes of it: the verdicts, or a sentence."""
    return outcome(lambda: judge_again(folder, study).verdicts)


def shown(folder):
    """What `studies` makes of it: the verdicts that are saved, or a sentence."""
    return outcome(lambda: read_results(folder)["verdicts"])


def flipped(content, rng):
    """A copy with one bit that is another."""
    copy = bytearray(content)
    copy[rng.integers(len(copy))] ^= 1 << int(rng.integers(8))
    return bytes(copy)


@pytest.mark.parametrize("name", READ)
def test_no_flipped_bit_changes_a_verdict_unseen(results, name):
    study, folder = results
    right, saved, content = judged(study, folder), shown(folder), (folder / name).read_bytes()
    assert not isinstance(right, str)
    rng = np.random.default_rng(READ.index(name))
    said = 0
    for _ in range(FLIPS):
        (folder / name).write_bytes(flipped(content, rng))
        found, read = judged(study, folder), shown(folder)
        assert found == right or str(folder) in found
        assert read == saved or str(folder) in read
        said += isinstance(found, str)
    # A space in JSON may be another, which changes nothing; the bytes of the verdicts are those of their provenance.
    assert said > FLIPS / 2 if name == "provenance.json" else said == FLIPS


@pytest.mark.parametrize("name", READ)
def test_no_edit_by_hand_of_json_goes_unseen(results, name):
    """Each value of the file in turn is another; where it is none, it is the data that are another."""
    study, folder = results
    content = (folder / name).read_bytes()
    if name.endswith(".nc"):
        other = netcdf.load(folder / name)
        changed = [netcdf.image(other + 1e-9), netcdf.image(other.assign_attrs(root_seed=1)), content[:-84]]
    else:
        table = json.loads(content)
        changed = [json.dumps(table | {key: "x"}).encode() for key in table]
        changed += [json.dumps({k: v for k, v in table.items() if k != key}).encode() for key in table]
        if name == "verdicts.json":  # which is whole in itself
            table["verdicts"][0]["status"] = "REFUTED"
            changed += [json.dumps(sealed(table)).encode()]
    for one in changed:
        (folder / name).write_bytes(one)
        assert str(folder) in judged(study, folder)


@pytest.mark.parametrize("content", ["{}", '{"source": "elsewhere"}'])
def test_another_programs_file_of_that_name_is_passed_over(tmp_path, content):
    (tmp_path / "provenance.json").write_text(content)
    assert read_results(tmp_path) is None


def test_results_of_earlier_versions_are_said_to_be_such(results):
    study, folder = results
    found = json.loads((folder / "provenance.json").read_text())
    del found["sha256"]
    (folder / "provenance.json").write_text(json.dumps(found))
    for sentence in (judged(study, folder), shown(folder)):
        assert "has no checksum: it was changed, or an older lemmascope wrote it; make it anew" in sentence


def replace(path, how, other):
    """Something else in the place of a file."""
    content = path.read_bytes()
    path.unlink()
    if how == "directory":
        path.mkdir()
    elif how == "link to nowhere":
        path.symlink_to(path.with_name("nowhere"))
    elif how == "link to itself":
        path.symlink_to(path)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "device":
        path.symlink_to("/dev/zero")
    elif how == "another folder's":
        shutil.copy(other / path.name, path)
    elif how == "unreadable bytes":
        path.write_bytes(b"\xff\xfe\x00" * 100)
    elif how == "deep":
        path.write_bytes(b"[" * 100_000)
    elif how == "NaN":
        path.write_bytes(b'{"schema": NaN, "sha256": 1e999, "verdicts": Infinity}')
    elif how != "missing":
        path.write_bytes(
            content[: {"empty": 0, "one byte": 1, "half": len(content) // 2, "short": len(content) - 1}[how]]
        )


HOW = [
    *("missing", "empty", "one byte", "half", "short", "directory", "link to nowhere", "link to itself", "pipe"),
    *("device", "another folder's", "unreadable bytes", "deep", "NaN"),
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", READ)
def test_whatever_is_in_the_place_of_a_file_is_said(results, made, name, how):
    study, folder = results
    right, saved = judged(study, folder), shown(folder)
    replace(folder / name, how, made[1] / "1")
    same = how == "short" and name.endswith(".json")  # without its last newline
    same = same or (how == "another folder's" and name == "lyapunov.nc")  # which draws nothing; its root is another
    found, read = judged(study, folder), shown(folder)
    assert (found == right and same) or str(folder) in found
    assert read == saved or str(folder) in read
    if (name == "provenance.json" and not same) or name == "verdicts.json":
        assert isinstance(read, str)


def opened(study, folder, made):
    """The parts that `--resume` finds, by key, or a sentence."""
    wanted = json.loads((made[1] / "0" / "parts" / "parts.json").read_text())

    def parts():
        given = wanted["fingerprint"], wanted["code"], wanted["keys"]
        with Store.create_or_open(folder, *given, resume=True, force=False, made_with=wanted["made_with"]) as store:
            return {key: store.read(k) for k, key in enumerate(store.keys) if k not in store.missing()}

    return outcome(parts)


def check_parts(found, right):
    """Those that are there are right, or there is a sentence."""
    if not isinstance(found, str):
        for key, part in found.items():
            xr.testing.assert_identical(part, right[key])


def test_no_flipped_bit_changes_a_part_unseen(results, made):
    study, folder = results
    right = opened(study, folder, made)
    rng = np.random.default_rng(7)
    files = sorted(path for path in (folder / "parts").iterdir() if path.suffix in (".npz", ".json"))
    missing = 0
    for path in [*files, *files, *files]:
        content = path.read_bytes()
        path.write_bytes(flipped(content, rng))
        found = opened(study, folder, made)
        check_parts(found, right)
        missing += isinstance(found, str) or len(found) < len(right)
        path.write_bytes(content)
    assert missing > len(files)  # the rest were times of the archive's members, which nothing reads


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ["a part", "parts.json", "parts.lock"])
def test_whatever_is_in_the_place_of_a_part_is_not_read(results, made, how, name):
    study, folder = results
    right = opened(study, folder, made)
    path = min((folder / "parts").glob("chain*.npz")) if name == "a part" else folder / "parts" / name
    other = made[1] / "1" / "parts"
    replace(path, how, other)
    found = opened(study, folder, made)
    check_parts(found, right)
    if name == "a part":
        assert set(right) - set(found) == {"chain seed=0 gamma=0"}
    elif name == "parts.json" and how != "short":
        assert isinstance(found, str)


def test_what_was_damaged_is_said_and_written_again_by_resume(results):
    study, folder = results
    right, said = judged(study, folder), []
    (folder / "verdicts.json").write_bytes((folder / "verdicts.json").read_bytes().replace(b"HOLDS", b"PROVED"))
    (folder / "chain.nc").unlink()
    settings = settings_of(study.settings, "tiny")
    run_study(study, settings, out=folder, resume=True, notice=said.append)
    for name in ("verdicts.json", "chain.nc"):
        assert any(name in sentence and "written again" in sentence for sentence in said)
    assert judged(study, folder) == right


def test_a_study_that_computes_otherwise_by_now_is_said(results, tmp_path):
    """Data of yesterday's code are judged, with a word; a claim that was mended is today's."""
    _, folder = results
    text = TOY.read_text()
    for change, words in (
        (('0.2, "Learning rate."', '0.2, "The learning rate."'), 1),
        (("len(seen) // 10", "len(seen) // 9"), 1),
        (("lower=0.9, upper=1.1", "lower=0.8, upper=1.2"), 0),
        (('"o", label="chains"', '"x", label="chains"'), 0),
    ):
        assert text.count(change[0]) == 1
        path = tmp_path / "toy_study.py"
        path.write_text(text.replace(*change))
        said = []
        judge_again(folder, registry.load(path), said.append)
        assert len(said) == words, change
        assert all("another version of the code" in sentence for sentence in said)
    path.write_text(text.replace("len(seen) // 10", "len(seen) // 8"))
    with pytest.warns(UserWarning, match="another version of the code"):
        judge_again(folder, registry.load(path))


DERIVED = """
def scaled(settings, data):
    return {name: 1.0 * one for name, one in data.items()}


STUDY = ls.Study(
    derive=scaled,
"""


def test_data_that_are_derived_otherwise_by_now_are_said(tmp_path):
    """The parts are those of today's code, and their data are not."""
    text = TOY.read_text().replace("STUDY = ls.Study(\n", DERIVED)
    path, said = tmp_path / "toy_study.py", []
    for factor in ("1.0", "2.0"):
        path.write_text(text.replace("1.0 * one", f"{factor} * one"))
        study = registry.load(path)
        if factor == "1.0":
            run_study(study, settings_of(study.settings, "tiny"), out=tmp_path / "toy")
        judge_again(tmp_path / "toy", study, said.append)
        assert len(said) == (factor == "2.0")
    run_study(study, settings_of(study.settings, "tiny"), out=tmp_path / "toy", resume=True)
    judge_again(tmp_path / "toy", study, said.append)
    assert len(said) == 1


# --- labelled data that others wrote ---------------------------------------------------------------------------------

SCHEMA = "lemmascope-trajectory/1"


def external(file, tmp_path):
    (tmp_path / "secret").write_bytes(np.arange(3.0).tobytes())
    file.create_dataset("x", (3,), "f8", external=[(str(tmp_path / "secret"), 0, 24)])


def linked(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.arange(3.0)
    file["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")


def soft(file, tmp_path):
    file["y"] = np.arange(3.0)
    file["x"] = h5py.SoftLink("/y")


def virtual(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.arange(3.0)
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (3,))
    file.create_virtual_dataset("x", layout)


def round_about(file, tmp_path):
    file.create_group("a")["b"] = file["/"]


def opaque(file, tmp_path):
    file["x"] = np.array([b"\x80\x04N."] * 3, dtype="V4")


def references(file, tmp_path):
    file["y"] = np.arange(3.0)
    file.create_dataset("x", data=[file["y"].ref] * 3, dtype=h5py.ref_dtype)


def compound(file, tmp_path):
    file["x"] = np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])


ELSEWHERE = [external, linked, soft, virtual, round_about, opaque, references, compound]


@pytest.mark.parametrize("make", ELSEWHERE)
@pytest.mark.parametrize("ours", [False, True], ids=["theirs", "ours"])
def test_data_that_lie_elsewhere_or_are_no_numbers_are_refused(tmp_path, make, ours):
    path = tmp_path / "x.nc"
    with h5py.File(path, "w") as file:
        make(file, tmp_path)
    if ours:  # with a checksum, whoever made it
        made = path.read_bytes()
        path.write_bytes(made + netcdf.MARK + netcdf.sha256(made).encode() + b"\n")
    found = outcome(lambda: netcdf.load(path, ours=ours))
    if make is compound and not isinstance(found, str):
        pytest.fail("it has two numbers in one")
    assert make is round_about or str(path) in found


ATTRIBUTES = {
    "bytes": np.void(b"\xff\xfe\x80"),
    "latin-1": b"Gr\xf6\xdfe",
    "NaN": np.nan,
    "list": np.arange(3),
    "empty": h5py.Empty("f8"),
    "text": "{",
    "huge": 2**63 - 1,
    "negative": -1,
    "flag": np.bool_(True),
    "texts": np.array(["a", "b"], dtype=h5py.string_dtype()),
    "complex": 1j,
    "numbers in one": np.zeros(1, dtype=[("a", "f8")]),
}


@pytest.mark.parametrize("value", ATTRIBUTES)
@pytest.mark.parametrize("name", ["schema", "study", "root_seed", "parameters", "units", "_FillValue", "coordinates"])
def test_attributes_of_others_never_end_in_a_traceback(call_cli, tmp_path, name, value):
    (tmp_path / "mine.py").write_text(PLUGIN)
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["x"] = np.arange(3.0)
        file["x"].make_scale("x")
        where = file if name in ("schema", "study", "root_seed", "parameters") else file["x"]
        where.attrs[name] = ATTRIBUTES[value]
    for arguments in ([], ["--plugin", "mine.py"], ["--plugin", "mine.py", "--json", "v.json"]):
        found = call_cli("claims", "x.nc", *arguments)
        assert found.exit_code in ((0, 1, 2) if arguments else (2,)), found.output
        assert "fault of lemmascope" not in found.stderr
        assert found.exit_code < 2 or len(found.stderr.strip().splitlines()) == 1


PLUGIN = """
import lemmascope as ls

small = ls.Claim(id="mine.small", statement="$x < 9$", plain="x < 9", kind=ls.Kind.BOUND, source="user",
                 measure=lambda evidence, top=9.0: ls.Measurement(float(evidence["x"].max()), upper=top),
                 control=ls.Control("0 in place of 9", constants={"top": 0.0}))
"""


def test_no_flipped_bit_of_a_trajectory_is_read(tmp_path):
    rng = np.random.default_rng(3)
    data = xr.Dataset({"x": ("k", rng.standard_normal(4)), "name": "GD"}, attrs={"schema": SCHEMA, "root_seed": 1})
    path = netcdf.save(data, tmp_path / "x.nc")
    content = path.read_bytes()
    for k in range(300):
        path.write_bytes(flipped(content, rng) if k % 3 else content[: int(rng.integers(len(content)))])
        assert str(path) in outcome(lambda: netcdf.load(path))
