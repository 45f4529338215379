"""A study's parts on the disk: written whole, refused clearly, and readable after whatever happened."""

import errno
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims.files import LOCK
from lemmascope.sims.run.store import SCHEMA, Store, file_name
from lemmascope.theory.errors import InputError

KEYS = ["cells seed=0", "cells seed=1", "cells seed=2", "cells seed=3"]
DRAWN = np.random.default_rng(3).standard_normal((4, 2, 3))


def part(index):
    values = {
        "x": (("row", "k"), DRAWN[index], {"units": "s"}),
        "n": ("k", [index, 2**62 + 1, -1]),
        "fate": ((), "gelernt – γ"),
        "nan": ((), np.nan),
    }
    return xr.Dataset(values, {"k": [0.5, -0.0, np.inf], "name": "GD"}, {"law": "exact", "list": [1, 2]})


def opened(out, *, fingerprint=None, code="code", keys=KEYS, resume=False, force=False):
    return Store.create_or_open(out, fingerprint or {"eta": 0.1}, code, list(keys), resume=resume, force=force)


@pytest.fixture
def half(tmp_path):
    """The folder of a closed store with tasks 0 and 2."""
    out = tmp_path / "deep" / "study"
    with opened(out) as store:
        assert store.missing() == [0, 1, 2, 3]
        assert store.done == 0
        for index in (2, 0):
            store.write(index, part(index))
    return out


def file_of(out, index):
    return out / "parts" / file_name(KEYS[index])


def contents(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def check_same(found, wanted):
    """Every bit, label and type."""
    xr.testing.assert_identical(found, wanted)
    for name, variable in wanted.variables.items():
        assert found[name].dtype == variable.dtype
        assert found[name].values.tobytes() == variable.values.tobytes()


def check_half(store):
    assert store.missing() == [1, 3]
    assert store.done == 2
    for index in (0, 2):
        check_same(store.read(index), part(index))


def test_results_come_back_bit_for_bit(half):
    with opened(half, resume=True) as store:
        check_half(store)
        assert store.damaged == []
        for index in store.missing():
            store.write(index, part(index))
        assert store.missing() == []
        assert store.done == 4
        for index in range(4):
            check_same(store.read(index), part(index))


def test_a_part_is_an_archive_for_anyone(half):
    with np.load(file_of(half, 2), allow_pickle=False) as arrays:
        labels = json.loads(arrays["labels"].tobytes())
        assert labels["key"] == "cells seed=2"
        x = labels["variables"]["x"]
        assert (x["dims"], x["attrs"]) == (["row", "k"], {"units": "s"})
        assert np.array_equal(arrays[x["array"]], DRAWN[2])


def test_the_list_of_parts_says_what_they_are(half):
    assert json.loads((half / "parts" / "parts.json").read_text()) == {
        "schema": SCHEMA,
        "fingerprint": {"eta": 0.1},
        "code": "code",
        "made_with": {},
        "keys": KEYS,
    }
    assert file_of(half, 0).name.startswith("cells_seed=0.")


def test_an_existing_store_is_neither_continued_nor_replaced_unasked(half):
    before = contents(half)
    with pytest.raises(InputError, match="--resume continues it, --force replaces it"):
        opened(half)
    assert contents(half) == before


def test_resume_begins_a_store_that_is_not_there(tmp_path):
    with opened(tmp_path / "s", resume=True) as store:
        assert store.missing() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"fingerprint": {"eta": 0.2, "seeds": 3}},
            r"another study, which differs in eta \(0.1 there, 0.2 here\), seeds \(None there, 3 here\);",
        ),
        (
            {"fingerprint": {"eta": {"from": 0.1}}},
            r"another study, which differs in eta \(0.1 there, {'from': 0.1} here\);",
        ),
        ({"fingerprint": dict.fromkeys("abcdefg", 1)}, r"differs in a .*, d \(None there, 1 here\) and 4 more;"),
        ({"keys": [*KEYS[:3], "cells seed=4"]}, "its parts are cut in another way; --force computes them again"),
        ({"keys": KEYS[:3]}, "its parts are cut in another way"),
        ({"code": "later"}, "computed by another version of the code; --force computes them again"),
    ],
)
def test_another_study_is_refused_with_the_difference_and_forced(half, changes, said):
    before = contents(half)
    for resume in (True, False):
        with pytest.raises(InputError, match=said):
            opened(half, resume=resume, **changes)
    assert contents(half) == before
    count = len(changes.get("keys", KEYS))
    with opened(half, force=True, **changes) as store:
        assert store.missing() == list(range(count))
        store.write(0, part(0))
    assert len(list((half / "parts").glob("*.npz"))) == 1
    with opened(half, resume=True, **changes) as store:
        assert store.missing() == list(range(1, count))


def test_a_difference_inside_the_settings_is_said_by_its_path(half):
    with opened(half, force=True, fingerprint={"settings": {"law": {"d": 5, "N": 2}, "seeds": 3}}) as store:
        store.write(0, part(0))
    with pytest.raises(InputError, match=r"differs in settings.law.d \(5 there, 6 here\);"):
        opened(half, resume=True, fingerprint={"settings": {"law": {"d": 6, "N": 2}, "seeds": 3}})


def test_keys_are_different_and_there(tmp_path):
    for keys in ([], ["a", "a"]):
        with pytest.raises(InputError, match="keys"):
            opened(tmp_path / "s", keys=keys)
    assert contents(tmp_path) == {}


def test_any_keys_have_files_of_their_own(tmp_path):
    keys = ["a b", "a_b", "a/b", "../a", "γ", "β", "字" * 300, "字" * 301, "x" * 300, "x" * 299 + "y", ".", "a\nb"]
    with opened(tmp_path / "s", keys=keys) as store:
        for index in range(len(keys)):
            store.write(index, xr.Dataset({"x": index}))
    with opened(tmp_path / "s", keys=keys, resume=True) as store:
        assert store.missing() == []
        assert [int(store.read(index).x) for index in range(len(keys))] == list(range(len(keys)))
    assert {file.parent for file in tmp_path.rglob("*.npz")} == {tmp_path / "s" / "parts"}


@pytest.mark.parametrize("name", ["thesis.tex", "provenance.json", "parts/x.npz", "deep/in/it.txt", ".hidden"])
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"force": True}])
def test_what_is_not_ours_is_left_alone(tmp_path, name, how):
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(InputError, match="no results of lemmascope; choose another folder"):
        opened(tmp_path / "out", **how)
    with pytest.raises(InputError, match="it must be a folder, and this is a file"):
        opened(tmp_path / "out" / name, **how)
    assert contents(tmp_path) == {f"out/{name}": b"mine"}


def test_force_deletes_parts_of_ours_alone(half):
    for name in ("notes.txt", "parts/notes.txt", "parts/mine.npz"):
        (half / name).write_text("mine")
    with opened(half, force=True, keys=KEYS[:1]):
        pass
    assert set(contents(half)) == {"notes.txt", "parts/notes.txt", "parts/mine.npz", "parts/parts.json", LOCK}


def test_force_wins_over_resume(half):
    with opened(half, force=True, resume=True) as store:
        assert store.done == 0


def finished(out, **changes):
    """A folder of results whose parts were deleted."""
    out.mkdir()
    (out / "provenance.json").write_text(json.dumps({"fingerprint": {"eta": 0.1}} | changes))
    return out


def test_results_whose_parts_were_deleted_are_not_lost_unasked(tmp_path):
    out = finished(tmp_path / "s")
    with pytest.raises(InputError, match="--resume continues it"):
        opened(out)
    with pytest.raises(InputError, match=r"another study, which differs in eta \(0.1 there, 0.2 here\)"):
        opened(out, resume=True, fingerprint={"eta": 0.2})
    with opened(out, resume=True) as store:
        assert store.done == 0
    with opened(out, force=True, fingerprint={"eta": 0.2}) as store:
        assert store.done == 0


def test_results_that_were_cut_short_may_be_replaced(tmp_path):
    with opened(finished(tmp_path / "s", complete=False), fingerprint={"eta": 0.2}) as store:
        assert store.done == 0


@pytest.mark.parametrize("damage", ["empty", "half", "other", "no keys", "gone"])
def test_a_damaged_list_of_parts_loses_nothing(half, damage):
    manifest = half / "parts" / "parts.json"
    whole = manifest.read_bytes()
    if damage == "gone":
        manifest.unlink()
    else:
        no_keys = json.dumps({**json.loads(whole), "keys": None, "fingerprint": None}).encode()
        manifest.write_bytes(
            {"empty": b"", "half": whole[: len(whole) // 2], "other": b"[]", "no keys": no_keys}[damage]
        )
    before = contents(half)
    with pytest.raises(InputError, match="list of its parts is damaged; they are left alone"):
        opened(half, resume=True)
    assert contents(half) == before
    manifest.write_bytes(whole)
    with opened(half, resume=True) as store:
        check_half(store)
    manifest.write_bytes(whole[:-9])
    with opened(half, force=True) as store:
        assert store.done == 0


@pytest.mark.parametrize("last", ["parts", LOCK, "parts/parts.json"])
def test_a_store_whose_making_was_cut_short_is_made_anew(tmp_path, last):
    with opened(tmp_path / "whole"):
        pass
    out = tmp_path / "cut"
    (out / "parts").mkdir(parents=True)
    if last != "parts":
        (out / LOCK).touch()
    if last == "parts/parts.json":
        (out / last).write_bytes((tmp_path / "whole" / last).read_bytes())
    with opened(out, fingerprint={"another": 1}) as store:
        assert store.missing() == [0, 1, 2, 3]
        store.write(0, part(0))
    with opened(out, fingerprint={"another": 1}, resume=True) as store:
        assert store.missing() == [1, 2, 3]


def spoil(file, how):
    content = bytearray(file.read_bytes())
    if how == "a bit":
        content[len(content) // 2] ^= 4
    elif how == "zeros":
        content = bytearray(len(content))
    else:
        content = content[: {"empty": 0, "short": 3, "truncated": len(content) // 2, "by one": len(content) - 1}[how]]
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["empty", "short", "truncated", "by one", "a bit", "zeros", "another's"])
def test_a_damaged_part_counts_as_missing_and_is_named(half, how):
    if how == "another's":
        file_of(half, 2).write_bytes(file_of(half, 0).read_bytes())
    else:
        spoil(file_of(half, 2), how)
    with opened(half, resume=True) as store:
        assert store.damaged == ["cells seed=2"]
        assert store.missing() == [1, 2, 3]
        with pytest.raises(InputError, match="--resume repairs it"):
            store.read(2)
        store.write(2, part(2))
    with opened(half, resume=True) as store:
        assert store.damaged == []
        check_half(store)


def test_a_part_that_is_damaged_while_the_store_is_open_is_not_read(half):
    with opened(half, resume=True) as store:
        for how in ("a bit", "empty"):
            spoil(file_of(half, 2), how)
            with pytest.raises(InputError, match=r"cells_seed=2.*is damaged now .*; --resume repairs it"):
                store.read(2)
        file_of(half, 2).unlink()
        with pytest.raises(InputError, match="--resume repairs it"):
            store.read(2)


def test_a_second_client_is_refused_until_the_first_ends(half):
    with opened(half, resume=True) as store:
        for how in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(InputError, match="another process is working on it"):
                opened(half, **how)
        check_half(store)
        store.close()
        with opened(half, resume=True) as other:
            check_half(other)


HOLD = f"""
import sys
from lemmascope.sims.run.store import Store
store = Store.create_or_open(sys.argv[1], {{"eta": 0.1}}, "code", {KEYS}, resume=True, force=False)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_killed_holder_leaves_no_lock_and_no_half_file(half):
    (half / "parts" / ".cells_seed=1.npz.abc.partial").write_bytes(b"half of a part")
    (half / "parts" / ".study.abc.partial" / "figures").mkdir(parents=True)
    (half / "parts" / ".study.abc.partial" / "verdicts.json").write_text("half of the results")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(half)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(InputError, match="another process"):
            opened(half, resume=True)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with opened(half, resume=True) as store:
        check_half(store)
    assert not list(half.rglob("*.partial"))


def test_a_full_disk_leaves_what_was_there(half, monkeypatch):
    with opened(half, resume=True) as store:
        with monkeypatch.context() as patch:

            def full(self, content):
                with open(self, "wb") as file:
                    file.write(content[:7])
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(Path, "write_bytes", full)
            for index in (1, 2):
                with pytest.raises(OSError, match="No space left"):
                    store.write(index, part(1))
        check_half(store)
        store.write(1, part(1))
        assert store.missing() == [3]
    assert not list(half.rglob("*.partial"))


LIMITED = """
import errno, resource, sys
import numpy as np
import xarray as xr
from lemmascope.sims.run.store import Store
part = xr.Dataset({"x": ("k", np.arange(4096.0))})
with Store.create_or_open(sys.argv[1], {"eta": 0.1}, "code", ["a", "b"], resume=True, force=False) as store:
    store.write(0, part)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, hard))
    try:
        store.write(1, part)
    except OSError as error:
        print(errno.errorcode[error.errno], store.missing())
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="the system limits no file's size")
def test_a_write_that_the_system_cuts_short_leaves_what_was_there(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True, check=True
    )
    assert run.stdout == "EFBIG [1]\n"
    with opened(tmp_path / "s", keys=["a", "b"], resume=True) as store:
        assert store.missing() == [1]
        assert store.damaged == []
        assert np.array_equal(store.read(0).x, np.arange(4096.0))
    assert not list(tmp_path.rglob("*.partial"))


def test_a_fingerprint_is_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        opened(tmp_path / "s", fingerprint={"eta": float("nan")})
    assert not (tmp_path / "s").exists()
    with opened(tmp_path / "s", fingerprint={"sizes": (1, 2)}) as store:
        store.write(0, part(0))
    with opened(tmp_path / "s", fingerprint={"sizes": [1, 2]}, resume=True) as store:
        assert store.done == 1
    assert json.loads((tmp_path / "s" / "parts" / "parts.json").read_text())["fingerprint"] == {"sizes": [1, 2]}
