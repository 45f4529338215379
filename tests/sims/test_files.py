"""Files and folders that appear whole or not at all."""

import errno
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lemmascope.sims import files
from lemmascope.sims.checksums import digest, sealed
from lemmascope.sims.files import LOCK, Output, ResultsFolder, check_ours, whole_file, write_json
from lemmascope.theory.errors import InputError


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def fill(folder, text="new"):
    (folder.partial / "figures").mkdir()
    (folder.partial / "verdicts.json").write_text(text)
    (folder.partial / "figures" / "a.png").write_text(text)
    folder.provenance({"wall_seconds": 1})


def test_a_whole_file_takes_its_name_at_the_end(tmp_path):
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"a": "γ"})
    assert json.loads(path.read_bytes().decode("utf-8")) == {"a": "γ"}
    assert listing(tmp_path) == ["deep", "deep/x.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "x"
    path.write_text("old")

    def write():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["x"]


def test_json_is_strict(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert listing(tmp_path) == []


def test_a_folder_is_moved_into_place_and_may_be_made_again(tmp_path):
    out = tmp_path / "results" / "headline"
    for text in ("one", "two"):
        with ResultsFolder(out, {"seeds": 5}) as folder:
            fill(folder, text)
            if text == "one":
                assert all(name.startswith("parts") for name in listing(out))
        assert (out / "verdicts.json").read_text() == text
    assert json.loads((out / "provenance.json").read_text())["fingerprint"] == {"seeds": 5}
    assert listing(tmp_path / "results") == [
        "headline",
        "headline/figures",
        "headline/figures/a.png",
        "headline/provenance.json",
        "headline/verdicts.json",
    ]


def test_other_results_are_refused_and_forced(tmp_path):
    out = tmp_path / "headline"
    with ResultsFolder(out, {"seeds": 5}) as folder:
        fill(folder, "old")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other results"), ResultsFolder(out, {"seeds": 6}):
        pytest.fail("the work must not begin")
    assert (out / "verdicts.json").read_text() == "old"
    with ResultsFolder(out, {"seeds": 6}, force=True) as folder:
        fill(folder, "new")
    assert (out / "verdicts.json").read_text() == "new"
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("foreign", ["{", "[]", '{"fingerprint": 3}', None])
def test_a_foreign_folder_is_refused_even_with_force(tmp_path, foreign, force):
    file = tmp_path / "out" / "deep" / "thesis.tex" if foreign is None else tmp_path / "out" / "provenance.json"
    file.parent.mkdir(parents=True)
    file.write_text(foreign or "x")
    with (
        pytest.raises(InputError, match="no results of lemmascope; choose another"),
        ResultsFolder(tmp_path / "out", {"seeds": 5}, force=force),
    ):
        pytest.fail("the work must not begin")
    assert file.read_text() == (foreign or "x")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("x")
    for force in (False, True):
        with pytest.raises(InputError, match="must be a folder"), ResultsFolder(tmp_path / "out", {}, force=force):
            pytest.fail("the work must not begin")


def test_an_empty_folder_and_one_of_ours_may_be_used(tmp_path):
    check_ours(tmp_path / "nothing")
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    check_ours(tmp_path / "empty")
    (tmp_path / "begun" / LOCK).parent.mkdir(parents=True)
    (tmp_path / "begun" / LOCK).touch()
    (tmp_path / "begun" / "provenance.json").write_text("half")
    check_ours(tmp_path / "begun")
    (tmp_path / "empty" / "link").symlink_to(tmp_path / "begun")
    with pytest.raises(InputError, match="choose another"):
        check_ours(tmp_path / "empty")


def test_unfinished_results_of_a_study_are_not_mixed_with_others(tmp_path):
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).touch()
    (tmp_path / "parts" / "parts.json").write_text("{}")
    with pytest.raises(InputError, match="other results"), ResultsFolder(tmp_path, {"seeds": 5}):
        pytest.fail("the work must not begin")
    with ResultsFolder(tmp_path, {"seeds": 5}, force=True):
        pass
    assert listing(tmp_path) == ["parts", "parts/parts.json", LOCK, "provenance.json"]


def provenance(out):
    return json.loads((out / "provenance.json").read_text())


def test_provenance_lists_the_files_with_their_digests(tmp_path):
    with ResultsFolder(tmp_path / "out", {"seeds": 5}) as folder:
        folder.provenance({"wall_seconds": 1})
        (folder.partial / "a.txt").write_text("new")  # after it as before
    found = provenance(tmp_path / "out")
    wanted = {"fingerprint": {"seeds": 5}, "wall_seconds": 1, "files": {"a.txt": digest(tmp_path / "out/a.txt")}}
    assert found == sealed(wanted)
    assert found["files"]["a.txt"] == hashlib.sha256(b"new").hexdigest()


def replaced(out, *names):
    """Results of these files, in place of what is there."""
    with ResultsFolder(out, {"names": names}, force=True) as folder:
        for name in names:
            (folder.partial / name).parent.mkdir(parents=True, exist_ok=True)
            (folder.partial / name).write_text(f"new {name}")


def test_files_of_earlier_results_that_no_longer_belong_are_deleted(tmp_path):
    out = tmp_path / "out"
    replaced(out, "a.nc", "b.nc", "figures/a.png", "figures/b.png", "tables/deep/t.txt")
    (out / "figures" / "mine.png").write_text("mine")
    (out / "notes.txt").write_text("mine")
    (out / "a.nc").write_text("changed since")
    replaced(out, "b.nc", "c.nc", "figures/b.png")
    assert [name for name in listing(out) if (out / name).is_file()] == [
        *("b.nc", "c.nc", "figures/b.png", "figures/mine.png", "notes.txt", "provenance.json")
    ]
    assert not (out / "tables" / "deep").exists()
    replaced(out)
    assert [name for name in listing(out) if (out / name).is_file()] == [
        *("figures/mine.png", "notes.txt", "provenance.json")
    ]


@pytest.mark.parametrize(
    "files",
    [
        ["../other/x", "/{root}/other/x", "link/x", "deep/../notes.txt", "provenance.json", LOCK, "", ".", 3, None],
        "notes.txt",
        {"notes.txt/": "", "missing": ""},
        3,
    ],
)
def test_a_provenance_that_lists_what_is_not_its_own_deletes_nothing(tmp_path, files):
    """A file outside of the folder, by whatever way, and the lock that other processes hold."""
    out, other = tmp_path / "out", tmp_path / "other"
    replaced(out, "a.nc")
    other.mkdir()
    for mine in (other / "x", out / "keep.txt", out / "parts" / "mine.npz"):
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
    (out / "link").symlink_to(other)
    if isinstance(files, list):
        files = [name.format(root=tmp_path) if isinstance(name, str) else name for name in files]
    (out / "provenance.json").write_text(json.dumps({"fingerprint": {}, "files": files}))
    replaced(out, "b.nc")
    for mine in (other / "x", out / "keep.txt", out / "parts" / "mine.npz"):
        assert mine.read_text() == "mine"
    assert (out / "b.nc").read_text() == "new b.nc"
    assert list(provenance(out)["files"]) == ["b.nc"]


def test_a_folder_may_be_filled_in_another_place(tmp_path):
    aside = tmp_path / "out" / "parts"
    aside.mkdir(parents=True)
    with ResultsFolder(tmp_path / "out", {"seeds": 5}, aside=aside) as folder:
        assert folder.partial.parent == aside
        fill(folder)
    assert listing(aside) == []
    assert (tmp_path / "out" / "verdicts.json").read_text() == "new"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_error_within_changes_nothing(tmp_path, error):
    out = tmp_path / "headline"
    with ResultsFolder(out, {"seeds": 5}) as folder:
        fill(folder, "old")
    before = listing(tmp_path)

    def work():
        with ResultsFolder(out, {"seeds": 5}) as folder:
            fill(folder, "half")
            raise error

    with pytest.raises(type(error)):
        work()
    assert listing(tmp_path) == before
    assert (out / "verdicts.json").read_text() == "old"


class Interrupts:
    """Ctrl-C just before or just after the k-th of the calls that change the disk; otherwise they go through."""

    def __init__(self, monkeypatch, k, after):
        self.k, self.after, self.calls = k, after, 0
        for owner, name in ((os, "replace"), (Path, "mkdir"), (Path, "unlink"), (Path, "rmdir")):
            monkeypatch.setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, call):
        def wrapper(*arguments, **rest):
            self.calls += 1
            if self.calls != self.k:
                return call(*arguments, **rest)
            if self.after:
                call(*arguments, **rest)
            raise KeyboardInterrupt

        return wrapper


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("before", ["nothing", "the same run", "another run"])
def test_a_move_that_is_interrupted_at_any_step_can_be_repeated(tmp_path, monkeypatch, before, after):
    """At each instant the folder holds the old results, or the new ones, or says that it holds no whole ones."""
    old = {"nothing": None, "the same run": {"seeds": 6}, "another run": {"seeds": 5}}[before]
    states = set()
    for k in range(1, 100):
        out = tmp_path / f"{k}" / "headline"
        if old is not None:
            with ResultsFolder(out, old) as folder:
                fill(folder, "old")
                (folder.partial / "stale.nc").write_text("old")
        folder = ResultsFolder(out, {"seeds": 6}, force=before == "another run")
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            folder.__enter__()
            fill(folder, "new")
            interrupts = Interrupts(patch, k, after)
            folder.__exit__(None, None, None)
        found = {f.name: f.read_text() for f in out.rglob("*") if f.is_file() and f.name != Path(LOCK).name}
        provenance = json.loads(found.pop("provenance.json", "{}"))
        if provenance.get("complete", True):
            states.add("old" if provenance.get("fingerprint") == old and "new" not in found.values() else "new")
            assert len(set(found.values())) <= 1
        else:
            states.add("moving")
        assert not list(out.parent.glob(".*"))
        if interrupts.calls < k:  # the move was over
            break
        fingerprint = old if before == "another run" and provenance.get("fingerprint") == old else {"seeds": 6}
        with ResultsFolder(out, fingerprint) as folder:  # without force
            fill(folder, "again")
        assert listing(out) == ["figures", "figures/a.png", "provenance.json", "verdicts.json"]
        assert (out / "verdicts.json").read_text() == "again"
        assert "complete" not in json.loads((out / "provenance.json").read_text())
    assert states == {"old", "moving", "new"}
    assert found == {"verdicts.json": "new", "a.png": "new"}


@pytest.fixture
def full(monkeypatch):
    """A disk without room."""

    def no_room(handle, offset, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)


@pytest.mark.parametrize("what", [lambda path: ResultsFolder(path, {}), lambda path: Output(path, "netcdf")])
def test_a_full_disk_is_refused_before_the_work(tmp_path, full, what):
    with pytest.raises(OSError, match="No space left") as caught, what(tmp_path / "out"):
        pytest.fail("the work must not begin")
    assert caught.value.filename == str(tmp_path / "out")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("what", [lambda path: ResultsFolder(path, {}), lambda path: Output(path, "netcdf")])
def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path, what):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file/x"), what(tmp_path / "file" / "x"):
        pytest.fail("the work must not begin")
    assert listing(tmp_path) == ["file"]


def test_a_rename_is_on_the_disk_before_the_block_ends(tmp_path, monkeypatch):
    """First what is in the file, then its name: of the folder that it is in."""
    done, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        done.append("folder" if path == tmp_path else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("rename"), replace(*names)))
    with whole_file(tmp_path / "a") as temporary:
        temporary.write_text("a")
    assert done == ["file", "rename", "folder"]


def test_a_folder_that_cannot_be_synced_is_written_nevertheless(tmp_path, monkeypatch):
    fsync = os.fsync

    def refused(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refused)
    with whole_file(tmp_path / "a") as temporary:
        temporary.write_text("a")
    assert (tmp_path / "a").read_text() == "a"


def test_the_umask_is_the_kernels_affair(tmp_path, monkeypatch):
    """To read it is to set it, in all threads, for an instant."""
    umask = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("it was set"))
        with whole_file(tmp_path / "inner") as temporary:
            temporary.write_text("a")
        with Output(tmp_path / "outer.json", KIND) as output:
            output.json({})
        with ResultsFolder(tmp_path / "results", {}) as folder:
            fill(folder)
    finally:
        monkeypatch.undo()
        os.umask(umask)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o640}


# --- one rule for every file that a user names -----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("there", [False, True], ids=["a full disk", "another's file"])
def test_what_cannot_be_written_at_the_end_is_kept_where_there_is_room(tmp_path, temporary, monkeypatch, there):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    def work():
        with Output(tmp_path / "x.json", KIND) as output:
            if there:
                (tmp_path / "x.json").write_text("mine")
            monkeypatch.setattr(os, "fsync", full if not there else os.fsync)
            output.json(OURS)

    with pytest.raises((OSError, InputError), match=r"x\.json") as caught:
        work()
    (kept,) = temporary.rglob("x.json")
    assert json.loads(kept.read_text()) == OURS
    assert f"what was computed is kept in {kept}" in str(caught.value)
    assert listing(tmp_path) == (["x.json"] if there else [])


KIND = "lemmascope-doctor"
OURS = {"schema": f"{KIND}/1", "a": 1}


def test_a_file_of_the_same_kind_is_replaced(tmp_path):
    path = tmp_path / "deep" / "x.json"
    for value in (OURS, OURS | {"a": "γ"}):
        with Output(path, KIND) as output:
            output.json(value)
    assert json.loads(path.read_bytes().decode("utf-8")) == OURS | {"a": "γ"}
    with Output(path, KIND) as output:
        output.json([OURS, OURS])  # shorter than before, and whole
    assert json.loads(path.read_text()) == [OURS, OURS]
    with Output(path, KIND) as output:
        output.json([])
    assert path.read_text() == "[]\n"
    assert listing(tmp_path) == ["deep", "deep/x.json"]


def make_foreign(path, how):
    """Something at a path that may not be replaced; what must be as it was afterwards."""
    victim = path.with_name("victim.json")
    victim.write_text(json.dumps(OURS))
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to(victim)
    elif how == "dangling":
        path.symlink_to(path.with_name("nowhere"))
    elif how == "another kind":
        path.write_text(json.dumps({"schema": "lemmascope-benchmark/1"}))
    else:
        mention = 'a "schema": "lemmascope-doctor/1"'
        path.write_text({"text": "thesis", "empty": "", "json": "{}", "mention": mention}[how])


FOREIGN = ["folder", "pipe", "link", "dangling", "another kind", "text", "empty", "json", "mention"]


def state(folder):
    """What is there, without following links or opening pipes."""
    return {
        name: ((folder / name).lstat().st_mode, (folder / name).read_bytes() if (folder / name).is_file() else None)
        for name in listing(folder)
    }


@pytest.mark.parametrize("how", FOREIGN)
def test_what_is_not_of_its_kind_is_refused_before_the_work(tmp_path, how):
    path = tmp_path / "x.json"
    make_foreign(path, how)
    before = state(tmp_path)
    with pytest.raises(InputError, match=r"x\.json"), Output(path, KIND):
        pytest.fail("the work must not begin")
    assert state(tmp_path) == before


@pytest.mark.parametrize("earlier", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("how", FOREIGN)
def test_it_is_looked_at_again_at_the_move(tmp_path, how, earlier):
    """Another program has put something there meanwhile."""
    path = tmp_path / "x.json"
    if earlier:
        path.write_text(json.dumps(OURS))

    def work():
        with Output(path, KIND) as output:
            path.unlink(missing_ok=True)
            make_foreign(path, how)
            before.update(state(tmp_path))
            output.json(OURS)

    before = {}
    with pytest.raises(InputError, match=r"x\.json"):
        work()
    assert state(tmp_path) == {name: found for name, found in before.items() if ".lemmascope-" not in name}


def test_a_device_is_refused():
    before = os.stat("/dev/null")
    with pytest.raises(InputError, match="this is a device"), Output("/dev/null", KIND):
        pytest.fail("the work must not begin")
    assert os.path.samestat(os.stat("/dev/null"), before)


def test_a_new_name_that_is_taken_meanwhile_is_refused_even_by_one_of_ours(tmp_path):
    path = tmp_path / "x.json"

    def work():
        with Output(path, KIND) as output:
            path.write_text(json.dumps(OURS))
            output.json(OURS | {"a": 2})

    with pytest.raises(InputError, match="another program has made it meanwhile"):
        work()
    assert json.loads(path.read_text()) == OURS


def test_a_file_of_results_is_not_replaced_alone(tmp_path):
    with ResultsFolder(tmp_path / "out", {}) as folder:
        write_json(folder.partial / "x.json", OURS)
    with pytest.raises(InputError, match="it belongs to the results in"), Output(tmp_path / "out" / "x.json", KIND):
        pytest.fail("the work must not begin")


@pytest.mark.parametrize("what", [lambda path: Output(path, KIND), lambda path: ResultsFolder(path, {})])
def test_of_two_at_once_the_second_is_told_of_the_first(tmp_path, what):
    path = tmp_path / "new"
    with what(path) as first:
        for _ in range(2):
            with pytest.raises(InputError, match=rf"another process is working on it \(process {os.getpid()} on "):
                what(path).__enter__()
        if isinstance(first, Output):
            first.json(OURS)
        else:
            fill(first)
    with what(path):  # it is free again
        pass
    assert not [name for name in listing(tmp_path) if name.startswith(".") or "parts" in name]


HOLD = """
import sys
from lemmascope.sims.files import Output, ResultsFolder
with (Output(sys.argv[2], "lemmascope-doctor") if sys.argv[1] == "file" else ResultsFolder(sys.argv[2], {})) as held:
    if sys.argv[1] != "file":
        (held.partial / "half.json").write_text("half")
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_writer_left_is_swept_at_the_next_start(tmp_path, kind):
    """By its lock: what a writer that lives has begun stays."""
    paths = [tmp_path / "killed", tmp_path / "alive"]
    command = [sys.executable, "-c", HOLD, kind]
    with ExitStack() as around:
        writers = []
        for path in paths:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            writers.append(around.enter_context(subprocess.Popen([*command, str(path)], **pipes)))
            assert writers[-1].stdout.readline() == "open\n"
        writers[0].kill()
        writers[0].wait()
        assert any("killed" in name and "partial" in name for name in listing(tmp_path))
        with pytest.raises(InputError, match=f"process {writers[1].pid} on "):
            (Output(paths[1], KIND) if kind == "file" else ResultsFolder(paths[1], {})).__enter__()
        next_path = tmp_path / "next" if kind == "file" else paths[0]
        with Output(next_path, KIND) if kind == "file" else ResultsFolder(next_path, {}):
            pass
        left = [name for name in listing(tmp_path) if "partial" in name or "lock" in name]
        assert left
        assert all("alive" in name for name in left)
        writers[1].communicate("")
    assert [name for name in listing(tmp_path) if "partial" in name or "lock" in name] == []


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in (".x.json.lemmascope-lock", ".x.json.lemmascope-partial", ".other.lemmascope-lock"):
        (tmp_path / name).symlink_to(victim)
    with pytest.raises(InputError, match="must be a file"), Output(tmp_path / "x.json", KIND):
        pytest.fail("the work must not begin")
    (tmp_path / ".x.json.lemmascope-lock").unlink()
    with Output(tmp_path / "x.json", KIND) as output:
        output.json(OURS)
    assert victim.read_text() == "mine"
    assert json.loads((tmp_path / "x.json").read_text()) == OURS


@pytest.mark.parametrize("how", ["file", "folder", "link", "linked folder", "new link"])
def test_a_foreign_file_in_the_place_of_a_result_is_not_replaced(tmp_path, how):
    out, other = tmp_path / "out", tmp_path / "other"
    replaced(out, "a.nc")
    other.mkdir()
    (other / "mine.png").write_text("mine")
    if how == "file":
        (out / "b.nc").write_text("mine")
    elif how == "folder":
        (out / "b.nc").mkdir()
    elif how == "link":
        (out / "a.nc").unlink()
        (out / "a.nc").symlink_to(other / "mine.png")
    elif how == "new link":
        (out / "b.nc").symlink_to(other / "mine.png")
    else:
        (out / "figures").symlink_to(other)
    before = state(tmp_path)
    with pytest.raises(InputError, match="out/"):
        replaced(out, "a.nc", "b.nc", "figures/mine.png")
    assert state(tmp_path) == before
    assert not files._empty(out)


def test_pictures_are_ours_by_what_they_say_of_themselves(tmp_path):
    from matplotlib.figure import Figure

    from lemmascope.sims.figures.common import save

    ends = (".pdf", ".png", ".caption.txt")
    for caption in ("one", "two"):
        assert save(Figure(), caption, tmp_path, "x") == [tmp_path / f"x{end}" for end in ends]
    assert (tmp_path / "x.caption.txt").read_text() == "two\n"
    for end in ends:
        (tmp_path / f"y{end}").write_text("mine")
        before = state(tmp_path)
        with pytest.raises(InputError, match=rf"y\{end}"):
            save(Figure(), "three", tmp_path, "y")
        assert state(tmp_path) == before
        (tmp_path / f"y{end}").unlink()
    Figure().savefig(tmp_path / "y.png")
    with pytest.raises(InputError, match="choose another name"):
        save(Figure(), "three", tmp_path, "y")


WRITES = re.compile(
    "|".join(
        [
            r"\bopen\([^)]*[\"'][rwxa]?b?\+?[wxa+]",
            r"\.open\([^)]*[\"'][wxa]",
            r"(?<!devnull, os\.)O_WRONLY|O_RDWR|O_CREAT",
            r"(?<!formatter)\.write_(text|bytes)\(",
            r"\.to_netcdf\(\w*path|\bsavez\w*\(|np\.save\(|json\.dump\(|savefig\((?!pdf|png|$)",
            r"copyfile|copytree|rmtree|shutil\.(copy|move)\b|mkstemp|mkdtemp|NamedTemporaryFile|\bTemporaryFile",
            r"os\.(rename|replace|link|symlink|unlink|remove|truncate)\(",
            r"\.(rename|symlink_to|hardlink_to|touch|unlink)\(",
        ]
    )
)
"""What makes, replaces or deletes a file."""

WITHIN = {
    "sims/files.py": "the one rule itself",
    "sims/run/store.py": "parts within the folder that the store has locked, through whole_file",
    "sims/run/parts.py": "an archive in memory",
    "examples/digits.py": "an archive in memory, to a name that was free",
}


def test_no_other_place_writes():
    root, found = Path(__file__).parents[2], {}
    for house in ("theory", "sims", "lemmascope", "proofs_check", "benchmarks", "examples"):
        for path in sorted((root / house).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if house == "lemmascope" and name.split("/")[1] in ("theory", "sims", "proofs_check", "benchmarks"):
                continue  # links to the houses
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if WRITES.search(line)]
            if lines and name not in WITHIN:
                found[name] = lines
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        'path.write_text("a")',
        'with open(path, "w") as file:',
        'path.open("ab")',
        "figure.savefig(path)",
        "np.savez(path, x=x)",
        "data.to_netcdf(path)",
        "os.replace(a, b)",
        "json.dump(x, file)",
        "shutil.copyfile(a, b)",
        "path.unlink()",
    ],
)
def test_a_place_that_writes_would_be_seen(line):
    assert WRITES.search(line)
