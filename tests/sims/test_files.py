"""Files and folders that appear whole or not at all."""

import errno
import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from lemmascope.sims.files import LOCK, ResultsFolder, check_ours, check_writable, digest, whole_file, write_json
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
                assert not out.exists()
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
    with pytest.raises(InputError, match="other results"):
        ResultsFolder(out, {"seeds": 6})
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
    with pytest.raises(InputError, match="no results of lemmascope; choose another"):
        ResultsFolder(tmp_path / "out", {"seeds": 5}, force=force)
    assert file.read_text() == (foreign or "x")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("x")
    for force in (False, True):
        with pytest.raises(InputError, match="must be a folder"):
            ResultsFolder(tmp_path / "out", {}, force=force)


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
    with pytest.raises(InputError, match="other results"):
        ResultsFolder(tmp_path, {"seeds": 5})
    ResultsFolder(tmp_path, {"seeds": 5}, force=True)


def provenance(out):
    return json.loads((out / "provenance.json").read_text())


def test_provenance_lists_the_files_with_their_digests(tmp_path):
    with ResultsFolder(tmp_path / "out", {"seeds": 5}) as folder:
        folder.provenance({"wall_seconds": 1})
        (folder.partial / "a.txt").write_text("new")  # after it as before
    found = provenance(tmp_path / "out")
    assert found == {"fingerprint": {"seeds": 5}, "wall_seconds": 1, "files": {"a.txt": digest(tmp_path / "out/a.txt")}}
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
    for mine in (other / "x", out / "keep.txt", out / LOCK):
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
    (out / "link").symlink_to(other)
    if isinstance(files, list):
        files = [name.format(root=tmp_path) if isinstance(name, str) else name for name in files]
    (out / "provenance.json").write_text(json.dumps({"fingerprint": {}, "files": files}))
    replaced(out, "b.nc")
    for mine in (other / "x", out / "keep.txt", out / LOCK):
        assert mine.read_text() == "mine"
    assert (out / "b.nc").read_text() == "new b.nc"
    assert list(provenance(out)["files"]) == ["b.nc"]


def test_a_folder_may_be_filled_in_another_place(tmp_path):
    aside = tmp_path / "out" / "parts"
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
        found = {f.name: f.read_text() for f in out.rglob("*") if f.is_file()} if out.exists() else {}
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


def test_a_full_disk_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(InputError, match="MiB free"), ResultsFolder(tmp_path / "out", {}):
        pytest.fail("the work must not begin")
    assert listing(tmp_path) == []


def test_a_file_that_could_not_be_written_is_said_before_the_work(tmp_path):
    check_writable(tmp_path / "deep" / "x.json")
    assert listing(tmp_path) == ["deep"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        check_writable(tmp_path / "file" / "x.json")


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


def test_the_umask_is_not_touched_while_others_may_write(tmp_path, monkeypatch):
    """A file that another thread makes in that instant would have no protection."""
    with whole_file(tmp_path / "first") as temporary:
        temporary.write_text("a")
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("it was set"))
    with whole_file(tmp_path / "second") as temporary:
        temporary.write_text("a")
    assert (tmp_path / "second").stat().st_mode == (tmp_path / "first").stat().st_mode
